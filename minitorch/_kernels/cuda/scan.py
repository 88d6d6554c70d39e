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
from .block import BLOCK, WARP, column_start
from .device import (  # type: ignore[attr-defined]
    WORDS,
    blockIdx,
    exp,
    i4,
    i8,
    isinf,
    log1p,
    maximum,
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


def add_exponentials(a, x):
    """log(exp(a) + exp(x)); equal infinities would give nan."""
    top = maximum(a, x)
    return where(isinf(top), top, top + log1p(exp(-abs(a - x))))


STEPS = {"sum": (add, 0), "prod": (multiply, 1), "log_sum_exp": (add_exponentials, float("-inf"))}


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
            start = column_start(column, n, inner)
            a = number(first)
            for k in range(n):
                at = start + i8(n - 1 - k if reverse else k) * inner
                a = step(a, read(x[at]))
                out[at] = write(a)

    return scan


@cache
def linear_kernel(dtype: np.dtype, reverse: bool) -> Kernel:
    """kernel(x, factor, out, columns, n, inner): out[k] = x[k] + factor[k] * out[k - 1], a thread to a column."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number = WORDS[kind]

    @kernel(f"{code}* {code}* {code}* i4 i4 i4", block=BLOCK)
    def linear_scan_columns(x, factor, out, columns, n, inner):
        column = blockIdx.x * BLOCK + threadIdx.x
        if column < columns:
            start = column_start(column, n, inner)
            a = number(0)
            for k in range(n):
                at = start + i8(n - 1 - k if reverse else k) * inner
                a = read(x[at]) + read(factor[at]) * a
                out[at] = write(a)

    return linear_scan_columns


def later_largest(a, b):
    """Whether b, which comes later, is the largest so far: a nan is, and stays it."""
    return (b >= a) | (b != b)


def later_smallest(a, b):
    """Whether b, which comes later, is the smallest so far: a nan is, and stays it."""
    return (b <= a) | (b != b)


@cache
def extreme_rows_kernel(dtype: np.dtype, largest: bool) -> Kernel:
    """kernel(x, values, places, n): the extreme so far of each row and where it is, of ties the last."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number, warps = WORDS[kind], BLOCK // WARP
    replaces = later_largest if largest else later_smallest

    @kernel(f"{code}* {code}* i8* i4", block=BLOCK, name="cummax_rows" if largest else "cummin_rows")
    def running_extreme(x, values, places, n):
        extremes = shared_array(BLOCK // WARP, number)
        where_they_are = shared_array(BLOCK // WARP, i4)
        base = i8(blockIdx.x) * n
        lane = threadIdx.x % WARP
        top = read(x[base])
        place = 0
        for start in range(0, n, BLOCK):
            i = start + threadIdx.x
            value = top
            at = place
            if i < n:
                value = read(x[base + i])
                at = i
            for k in static(5):
                other = shfl_up(value, 1 << k)
                other_at = shfl_up(at, 1 << k)
                if lane >= 1 << k:
                    if not replaces(other, value):
                        value = other
                        at = other_at
            syncthreads()
            if lane == WARP - 1:
                extremes[threadIdx.x // WARP] = value
                where_they_are[threadIdx.x // WARP] = at
            syncthreads()
            mine = top
            mine_at = place
            for k in static(warps):
                part = extremes[k]
                part_at = where_they_are[k]
                if replaces(top, part):
                    top = part
                    place = part_at
                mine = where(k < threadIdx.x // WARP, top, mine)
                mine_at = where(k < threadIdx.x // WARP, place, mine_at)
            if i < n:
                if not replaces(mine, value):
                    value = mine
                    at = mine_at
                values[base + i] = write(value)
                places[base + i] = at

    return running_extreme


@cache
def extreme_columns_kernel(dtype: np.dtype, largest: bool) -> Kernel:
    """kernel(x, values, places, columns, n, inner): the same along the middle of (outer, n, inner)."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    replaces = later_largest if largest else later_smallest

    @kernel(f"{code}* {code}* i8* i4 i4 i4", block=BLOCK, name="cummax_columns" if largest else "cummin_columns")
    def running_extreme(x, values, places, columns, n, inner):
        column = blockIdx.x * BLOCK + threadIdx.x
        if column < columns:
            start = column_start(column, n, inner)
            top = read(x[start])
            place = 0
            for k in range(n):
                at = start + i8(k) * inner
                value = read(x[at])
                if replaces(top, value):
                    top = value
                    place = k
                values[at] = write(top)
                places[at] = place

    return running_extreme


def _three_sizes(shape: tuple[int, ...], dim: int) -> tuple[int, int, int]:
    """(before dim, along it, after it)"""
    dim = dim % len(shape) if shape else 0
    return prod(shape[:dim]), shape[dim] if shape else 1, prod(shape[dim + 1 :])


def _scan(name: str, input: CudaArray, dim: int, inferred: Any, reverse: bool = False) -> CudaArray:
    shape, dtype = inferred
    out = empty(shape, dtype)
    if not out.size:
        return out
    x = copy.contiguous(input, dtype)
    outer, n, inner = _three_sizes(shape, dim)
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


def logcumsumexp(inferred: Any, input: CudaArray, dim: int) -> CudaArray:
    return _scan("log_sum_exp", input, dim, inferred)


def linear_scan(inferred: Any, input: CudaArray, factor: CudaArray, dim: int, reverse: bool) -> CudaArray:
    shape, dtype = inferred
    out = empty(shape, dtype)
    if out.size:
        x, factor = copy.contiguous(input, dtype), copy.contiguous(factor, dtype)
        outer, n, inner = _three_sizes(shape, dim)
        grid = -(-outer * inner // BLOCK)
        linear_kernel(dtype, bool(reverse)).launch(grid, x, factor, out, outer * inner, n, inner)
    return out


def _extremes(inferred: Any, input: CudaArray, dim: int, largest: bool) -> tuple[CudaArray, CudaArray]:
    (shape, dtype), (_, place) = inferred
    values, places = empty(shape, dtype), empty(shape, place)
    if values.size:
        x, (outer, n, inner) = copy.contiguous(input), _three_sizes(shape, dim)
        if inner == 1:
            extreme_rows_kernel(dtype, largest).launch(outer, x, values, places, n)
        else:
            made = extreme_columns_kernel(dtype, largest)
            made.launch(-(-outer * inner // BLOCK), x, values, places, outer * inner, n, inner)
    return values, places


def cummax_dim(inferred: Any, input: CudaArray, dim: int) -> tuple[CudaArray, CudaArray]:
    return _extremes(inferred, input, dim, True)


def cummin_dim(inferred: Any, input: CudaArray, dim: int) -> tuple[CudaArray, CudaArray]:
    return _extremes(inferred, input, dim, False)


FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {
    "scan_sum": lambda: rows_kernel("sum", FLOAT, False),
    "scan_sum_columns": lambda: columns_kernel("sum", FLOAT, True),
    "scan_log_sum_exp": lambda: rows_kernel("log_sum_exp", FLOAT, False),
    "linear_scan": lambda: linear_kernel(FLOAT, True),
    "cummax": lambda: extreme_rows_kernel(FLOAT, True),
    "cummax_columns": lambda: extreme_columns_kernel(FLOAT, True),
}
