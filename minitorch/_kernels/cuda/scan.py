"""Running sums and products along a dimension.

Along the middle of (outer, n, inner): with `inner` 1 a block takes a row, 256 elements at a time, which it scans by
shuffles; else a thread takes a column.
"""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from . import copy
from .array import CudaArray, empty
from .block import BLOCK, WARP
from .device import (  # type: ignore[attr-defined]
    WORDS,
    blockIdx,
    i8,
    shared_array,
    shfl_up,
    static,
    syncthreads,
    threadIdx,
    where,
)
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel


def add(a, x):
    return a + x


def multiply(a, x):
    return a * x


STEPS = {"sum": (add, 0), "prod": (multiply, 1)}


@cache
def rows_kernel(name: str, dtype: np.dtype, reverse: bool) -> Kernel:
    """kernel(x, out, n): out[r, i] = x[r, 0] op ... op x[r, i], from the end if in reverse; a block to a row."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    step, first = STEPS[name]
    number, warps = WORDS[kind], BLOCK // WARP

    @kernel(f"{code}* {code}* i4", block=BLOCK, name=f"scan_{name}")
    def scan(x, out, n):
        totals = shared_array(BLOCK // WARP, number)
        base = i8(blockIdx.x) * n
        lane = threadIdx.x % WARP
        before = number(first)
        for start in range(0, n, BLOCK):
            i = start + threadIdx.x
            at = base + (n - 1 - i if reverse else i)
            value = number(first)
            if i < n:
                value = read(x[at])
            for k in static(5):
                other = shfl_up(value, 1 << k)
                if lane >= 1 << k:
                    value = step(other, value)
            syncthreads()
            if lane == WARP - 1:
                totals[threadIdx.x // WARP] = value
            syncthreads()
            carried = before
            for k in static(warps):
                part = totals[k]
                carried = where(k < threadIdx.x // WARP, step(carried, part), carried)
                before = step(before, part)
            if i < n:
                out[at] = write(step(carried, value))

    return scan


@cache
def columns_kernel(name: str, dtype: np.dtype, reverse: bool) -> Kernel:
    """kernel(x, out, columns, n, inner): the same along the middle of (outer, n, inner), a thread to a column."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    step, first = STEPS[name]
    number = WORDS[kind]

    @kernel(f"{code}* {code}* i4 i4 i4", block=BLOCK, name=f"scan_{name}_columns")
    def scan(x, out, columns, n, inner):
        column = blockIdx.x * BLOCK + threadIdx.x
        if column < columns:
            o = column // inner
            start = i8(o) * n * inner + (column - o * inner)
            a = number(first)
            for k in range(n):
                at = start + i8(n - 1 - k if reverse else k) * inner
                a = step(a, read(x[at]))
                out[at] = write(a)

    return scan


def _scan(name: str, input: CudaArray, dim: int, inferred: Any, reverse: bool = False) -> CudaArray:
    shape, dtype = inferred
    out = empty(shape, dtype)
    if not out.size:
        return out
    x = copy.contiguous(input, dtype)
    dim = dim % x.ndim if x.ndim else 0
    outer, n, inner = prod(shape[:dim]), shape[dim] if shape else 1, prod(shape[dim + 1 :])
    if inner == 1:
        rows_kernel(name, dtype, reverse).launch(outer, x, out, n)
    else:
        columns_kernel(name, dtype, reverse).launch(-(-outer * inner // BLOCK), x, out, outer * inner, n, inner)
    return out


# ---------------------------------------------------------------------- ops
def cumsum(inferred: Any, input: CudaArray, dim: int, dtype: Any) -> CudaArray:
    return _scan("sum", input, dim, inferred)


def cumsum_from_end(inferred: Any, input: CudaArray, dim: int) -> CudaArray:
    return _scan("sum", input, dim, inferred, True)


def cumprod(inferred: Any, input: CudaArray, dim: int, dtype: Any) -> CudaArray:
    return _scan("prod", input, dim, inferred)


FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {
    "scan_sum": lambda: rows_kernel("sum", FLOAT, False),
    "scan_sum_columns": lambda: columns_kernel("sum", FLOAT, True),
}
