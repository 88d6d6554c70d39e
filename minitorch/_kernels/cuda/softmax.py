"""Softmax, log-softmax and their gradients: one pass over a row for the maximum and the sum, one for the results.

The sum of exponentials is kept relative to the maximum so far (Milakov and Gimelshein, arXiv:1805.02867), so that a row
is read twice, not three times. Along another dimension than the last a thread takes a column.
"""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from . import copy
from .array import CudaArray, empty
from .block import BLOCK, LOWEST, WARP, column_start, load_lanes, row_exponentials, row_sum, threads_for
from .device import (  # type: ignore[attr-defined]
    WORDS,
    advance,
    blockIdx,
    exp,
    i8,
    log,
    regs,
    shared_array,
    static,
    store,
    threadIdx,
    where,
)
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel


def add_exponential(m, s, x):
    """A maximum and a sum of exponentials relative to it, with one more element; an infinity makes a nan."""
    if x > m:
        s = s * exp(m - x) + (1.0 + (x - x))
        m = x
    else:
        s = s + exp(x - m)
    return m, s


@cache
def rows_kernel(dtype: np.dtype, is_log: bool, threads: int, lanes: int) -> Kernel:
    """kernel(x, dest, rows, n, period): with a period only columns up to the row's number in its period count."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number, lowest, warps = WORDS[kind], LOWEST[kind], threads // WARP

    @kernel(f"{code}* {code}* i4 i4 i4", block=BLOCK, vector=lanes > 1, name="log_softmax" if is_log else "softmax")
    def softmax(x, dest, rows, n, period):
        scratch = shared_array(2 * BLOCK // WARP, number)
        row = blockIdx.x * (BLOCK // threads) + threadIdx.x // threads
        lane = threadIdx.x % threads * lanes
        end = where(row < rows, n, 0)
        stop = end
        if period > 0:
            stop = min(end, row % period + 1)
        x_row = advance(x, i8(row) * n)
        dest_row = advance(dest, i8(row) * n)
        m = number(lowest)
        s = number(0.0)
        for j in range(lane, stop, threads * lanes):
            v = regs(lanes)
            load_lanes(v, x_row, j, lanes)
            for q in static(lanes):
                m, s = add_exponential(m, s, read(v[q]))
        m, s = row_exponentials(m, s, scratch, warps)
        last = log(s) if is_log else 1.0 / s
        for j in range(lane, end, threads * lanes):
            v = regs(lanes)
            load_lanes(v, x_row, j, lanes)
            results = regs(lanes)
            for q in static(lanes):
                d = read(v[q]) - m
                if is_log:
                    results[q] = write(d - last)
                else:
                    results[q] = write(where(j + q < stop, exp(d) * last, 0.0))
            if lanes > 1:
                store(dest_row, j, *results[:])
            else:
                dest_row[j] = results[0]

    return softmax


@cache
def columns_kernel(dtype: np.dtype, is_log: bool) -> Kernel:
    """kernel(x, dest, columns, n, inner): along the middle of (outer, n, inner), a column of it to a thread."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number, lowest = WORDS[kind], LOWEST[kind]

    @kernel(f"{code}* {code}* i4 i4 i4", block=BLOCK, name="log_softmax_columns" if is_log else "softmax_columns")
    def softmax(x, dest, columns, n, inner):
        column = blockIdx.x * BLOCK + threadIdx.x
        if column < columns:
            start = column_start(column, n, inner)
            m = number(lowest)
            s = number(0.0)
            for j in range(n):
                m, s = add_exponential(m, s, read(x[start + i8(j) * inner]))
            last = log(s) if is_log else 1.0 / s
            for j in range(n):
                d = read(x[start + i8(j) * inner]) - m
                dest[start + i8(j) * inner] = write(d - last if is_log else exp(d) * last)

    return softmax


@cache
def gradient_kernel(dtype: np.dtype, is_log: bool, threads: int) -> Kernel:
    """kernel(g, out, dest, rows, n, inner): along the middle of (outer, n, inner), rows being outer * inner."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number, warps = WORDS[kind], threads // WARP
    name = f"{'log_' if is_log else ''}softmax_gradient"

    @kernel(f"{code}* {code}* {code}* i4 i4 i4", block=BLOCK, name=name)
    def gradient(g, out, dest, rows, n, inner):
        scratch = shared_array(BLOCK // WARP, number)
        row = blockIdx.x * (BLOCK // threads) + threadIdx.x // threads
        end = where(row < rows, n, 0)
        o = row // inner
        start = i8(o) * n * inner + (row - o * inner)
        s = number(0.0)
        for j in range(threadIdx.x % threads, end, threads):
            i = start + i8(j) * inner
            s += read(g[i]) if is_log else read(g[i]) * read(out[i])
        s = row_sum(s, scratch, warps)
        for j in range(threadIdx.x % threads, end, threads):
            i = start + i8(j) * inner
            if is_log:
                dest[i] = write(read(g[i]) - exp(read(out[i])) * s)
            else:
                dest[i] = write((read(g[i]) - s) * read(out[i]))

    return gradient


# ---------------------------------------------------------------------- choosing kernels
def _parts(a: CudaArray, dim: int) -> tuple[int, int, int]:
    if not a.ndim:
        return 1, 1, 1
    dim %= a.ndim
    return prod(a.shape[:dim]), a.shape[dim], prod(a.shape[dim + 1 :])


def _softmax(input: CudaArray, dim: int, is_log: bool, period: int = 0) -> CudaArray:
    dest = empty(input.shape, input.dtype)
    if not dest.size:
        return dest
    x = copy.contiguous(input)
    outer, n, inner = _parts(x, dim)
    if inner > 1:
        columns_kernel(x.dtype, is_log).launch(-(-outer * inner // BLOCK), x, dest, outer * inner, n, inner)
        return dest
    threads, lanes = threads_for(n), 16 // x.dtype.itemsize
    if n % lanes or (x.pointer | dest.pointer) % 16 or period:
        lanes = 1
    rows_kernel(x.dtype, is_log, threads, lanes).launch(-(-outer * threads // BLOCK), x, dest, outer, n, period)
    return dest


def softmax_dim(inferred: Any, input: CudaArray, dim: int) -> CudaArray:
    return _softmax(input, dim, False)


def log_softmax_dim(inferred: Any, input: CudaArray, dim: int) -> CudaArray:
    return _softmax(input, dim, True)


def causal_softmax(inferred: Any, input: CudaArray) -> CudaArray:
    """Softmax of the rows of matrices, where row i has only its elements up to i, and zeros after them."""
    return _softmax(input, -1, False, input.shape[-2])


def _gradient(g: CudaArray, out: CudaArray, dim: int, is_log: bool) -> CudaArray:
    dest = empty(out.shape, out.dtype)
    if dest.size:
        g, out = copy.contiguous(g, out.dtype), copy.contiguous(out)
        outer, n, inner = _parts(out, dim)
        threads, rows = threads_for(n), outer * inner
        gradient_kernel(out.dtype, is_log, threads).launch(-(-rows * threads // BLOCK), g, out, dest, rows, n, inner)
    return dest


def softmax_gradient(inferred: Any, g: CudaArray, out: CudaArray, dim: int) -> CudaArray:
    return _gradient(g, out, dim, False)


def log_softmax_gradient(inferred: Any, g: CudaArray, out: CudaArray, dim: int) -> CudaArray:
    return _gradient(g, out, dim, True)


FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {
    "softmax": lambda: rows_kernel(FLOAT, False, BLOCK, 4),
    "log_softmax_short": lambda: rows_kernel(FLOAT, True, WARP, 1),
    "softmax_columns": lambda: columns_kernel(FLOAT, False),
    "softmax_gradient": lambda: gradient_kernel(FLOAT, False, BLOCK),
}
