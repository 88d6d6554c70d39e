"""Where elements are not zero: what nonzero, masks and unique are made of.

Each block counts those of its part of the array, a scan over the blocks says where the positions of each begin, and a
second pass writes them there, in order. How many there are decides a shape, so the host waits for that number.
"""

from functools import cache
from typing import Any

import numpy as np

from minitorch._kernels.codegen import Formula

from . import copy, pointwise, scan
from .array import CudaArray, empty
from .block import BLOCK, WARP, row_sum
from .device import (  # type: ignore[attr-defined]
    ballot,
    blockIdx,
    i4,
    i8,
    popc,
    shared_array,
    static,
    syncthreads,
    threadIdx,
    u4,
    where,
)
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel

ROUNDS = 8  # elements of a thread
PART = ROUNDS * BLOCK
INT64 = np.dtype(np.int64)


@cache
def count_kernel(dtype: np.dtype) -> Kernel:
    """kernel(x, counts, n): how many elements of each block's part are not zero."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, _ = element_functions(dtype, kind)
    warps = BLOCK // WARP

    @kernel(f"{code}* i8* i8", block=BLOCK)
    def count_parts(x, counts, n):
        scratch = shared_array(warps, i4)
        first = i8(blockIdx.x) * PART + threadIdx.x
        count = 0
        for r in static(ROUNDS):
            if first + r * BLOCK < n:
                count += where(read(x[first + r * BLOCK]) != 0, 1, 0)
        total = row_sum(count, scratch, warps)
        if threadIdx.x == 0:
            counts[blockIdx.x] = total

    return count_parts


@cache
def place_kernel(dtype: np.dtype) -> Kernel:
    """kernel(x, ends, positions, n): the positions of elements that are not zero, in order.

    `ends` says for each block's part how many there are up to its end.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, _ = element_functions(dtype, kind)
    warps = BLOCK // WARP

    @kernel(f"{code}* i8* i8* i8", block=BLOCK)
    def place_positions(x, ends, positions, n):
        totals = shared_array(warps, i4)
        lane = threadIdx.x % WARP
        warp = threadIdx.x // WARP
        to = i8(0)
        if blockIdx.x > 0:
            to = ends[blockIdx.x - 1]
        first = i8(blockIdx.x) * PART + threadIdx.x
        for r in static(ROUNDS):
            found = 0
            if first + r * BLOCK < n:
                found = where(read(x[first + r * BLOCK]) != 0, 1, 0)
            lanes = ballot(found != 0)
            syncthreads()  # what the last round left may still be read
            if lane == 0:
                totals[warp] = popc(lanes)
            syncthreads()
            before = popc(lanes & ((u4(1) << u4(lane)) - 1))
            count = 0
            for k in static(warps):
                before += where(k < warp, totals[k], 0)
                count += totals[k]
            if found != 0:
                positions[to + before] = first + r * BLOCK
            to += count

    return place_positions


def flat_nonzero(inferred: Any, input: CudaArray) -> CudaArray:
    """The positions, in index order, of the elements that are not zero. Waits for the device."""
    x = copy.contiguous(input)
    parts = -(-x.size // PART)
    if not parts:
        return empty((0,), INT64)
    counts = empty((parts,), INT64)
    count_kernel(x.dtype).launch(parts, x, counts, x.size)
    ends = scan.cumsum((counts.shape, INT64), counts, 0, None)
    found = empty((ends[-1].item(),), INT64)
    if found.size:
        place_kernel(x.dtype).launch(parts, x, ends, found, x.size)
    return found


def _coordinate(flat, *, step, n):
    return flat // step % n


COORDINATE = Formula(_coordinate)


def nonzero_rows(inferred: Any, input: CudaArray) -> CudaArray:
    """One row of indices for each element that is not zero: a transpose in memory, as torch's."""
    flat = flat_nonzero(None, input)
    rows, step = empty((input.ndim, flat.size), INT64), 1
    for d in reversed(range(input.ndim)):
        pointwise.write(COORDINATE, [flat], (step, max(input.shape[d], 1)), rows[d])
        step *= input.shape[d]
    return rows.transpose((1, 0))


def nonzero_rows_static(inferred: Any, input: CudaArray, size: int, fill_value: int) -> CudaArray:
    shape, dtype = inferred
    made = copy.full(shape, fill_value, dtype)
    rows = nonzero_rows(None, input)
    count = min(size, rows.shape[0])
    copy.write(made[:count], rows[:count])
    return made


FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {"count": lambda: count_kernel(FLOAT), "place": lambda: place_kernel(FLOAT)}
