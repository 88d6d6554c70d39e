"""What threads that share a row work out together: helpers of kernels, inlined where they are called.

`scratch` is shared memory of a number for each warp, `warps` how many warps share the row: with one, nothing is shared.
All threads of the block must come here. The order of additions is fixed, so results repeat.
"""

import numpy as np

from .device import exp, i8, load, maximum, shfl_xor, static, syncthreads, threadIdx  # type: ignore[attr-defined]

BLOCK, WARP = 256, 32
LOWEST = {code: float(np.finfo(code).min) for code in ("f4", "f8")}  # above -inf alone, and no infinity to subtract


def threads_for(n: int) -> int:
    """How many threads take a row of n elements: a warp, or the block."""
    return WARP if n <= 1024 else BLOCK


def load_lanes(values, source, at, lanes):
    """Elements next to each other into registers, by one vector load if they are several."""
    if lanes > 1:
        values[:] = load(source, at, lanes)
    else:
        values[0] = source[at]


def between(low, high):
    """The place half way from low to high, in the type of both: their sum might not fit."""
    return low + ((high - low) >> 1)


def column_start(column, n, inner):
    """Where a column along the middle of (outer, n, inner) begins."""
    o = column // inner
    return i8(o) * n * inner + (column - o * inner)


def row_sum(value, scratch, warps):
    """The sum of every thread's value."""
    total = value
    for k in static(5):
        total = total + shfl_xor(total, 16 >> k)
    if warps > 1:
        syncthreads()  # what the scratch holds may still be read
        if threadIdx.x % 32 == 0:
            scratch[threadIdx.x // 32] = total
        syncthreads()
        total = scratch[0]
        for k in static(1, warps):
            total = total + scratch[k]
    return total


def row_largest(value, scratch, warps):
    """The largest of every thread's value; a nan counts as one."""
    largest = value
    for k in static(5):
        largest = maximum(largest, shfl_xor(largest, 16 >> k))
    if warps > 1:
        syncthreads()
        if threadIdx.x % 32 == 0:
            scratch[threadIdx.x // 32] = largest
        syncthreads()
        largest = scratch[0]
        for k in static(1, warps):
            largest = maximum(largest, scratch[k])
    return largest


def join_exponentials(m, s, other_m, other_s):
    """Two sums of exponentials, each relative to a maximum, as one."""
    top = maximum(m, other_m)
    return top, s * exp(m - top) + other_s * exp(other_m - top)


def row_exponentials(m, s, scratch, warps):
    """(the maximum of every thread's m, the sum of s * exp(m - maximum)); scratch holds two numbers for each warp."""
    top = m
    total = s
    for k in static(5):
        top, total = join_exponentials(top, total, shfl_xor(top, 16 >> k), shfl_xor(total, 16 >> k))
    if warps > 1:
        syncthreads()
        if threadIdx.x % 32 == 0:
            scratch[threadIdx.x // 32] = top
            scratch[warps + threadIdx.x // 32] = total
        syncthreads()
        top = scratch[0]
        total = scratch[warps]
        for k in static(1, warps):
            top, total = join_exponentials(top, total, scratch[k], scratch[warps + k])
    return top, total
