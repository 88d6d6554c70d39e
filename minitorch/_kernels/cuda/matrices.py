"""Factors of matrices and systems of equations on a GPU: a block to a matrix, or to a column of what is solved for.

Made for batches of small matrices. Matrices lie by columns, as torch's do, so that threads beside each other read and
write elements beside each other. A large one takes long: its one block is one of the GPU's hundred multiprocessors.
"""

from functools import cache
from math import inf, prod
from typing import Any

import numpy as np

from . import copy
from .array import CudaArray, empty
from .block import BLOCK
from .device import (  # type: ignore[attr-defined]
    WORDS,
    absolute,
    advance,
    blockIdx,
    i4,
    i8,
    log,
    shared_array,
    sqrt,
    static,
    syncthreads,
    threadIdx,
    where,
)
from .kernel import Kernel, kernel

CODES = {np.dtype(np.float32): "f4", np.dtype(np.float64): "f8"}
INT32 = np.dtype(np.int32)


@cache
def lu_kernel(code: str) -> Kernel:
    """kernel(x, pivots, info, m, n): L below and U on and above the diagonal of each (m, n), by partial pivoting.

    pivots count from 1, and info is the first zero of U's diagonal, counted from 1, or 0.
    """
    number = WORDS[code]

    @kernel(f"{code}* i4* i4* i4 i4", block=BLOCK)
    def lu_factors(x, pivots, info, m, n):
        sizes = shared_array(BLOCK, number)
        rows = shared_array(BLOCK, i4)
        steps = min(m, n)
        a = advance(x, i8(blockIdx.x) * m * n)
        failed = 0
        for k in range(steps):
            size = number(-1.0)
            row = k
            for i in range(k + threadIdx.x, m, BLOCK):
                here = absolute(a[k * m + i])
                if here > size:
                    size = here
                    row = i
            sizes[threadIdx.x] = size
            rows[threadIdx.x] = row
            syncthreads()
            for s in static(8):
                half = BLOCK >> (s + 1)
                if threadIdx.x < half:
                    other = sizes[threadIdx.x + half]
                    if other > sizes[threadIdx.x] or (
                        other == sizes[threadIdx.x] and rows[threadIdx.x + half] < rows[threadIdx.x]
                    ):
                        sizes[threadIdx.x] = other
                        rows[threadIdx.x] = rows[threadIdx.x + half]
                syncthreads()
            row = rows[0]
            for j in range(threadIdx.x, n, BLOCK):
                above = a[j * m + k]
                a[j * m + k] = a[j * m + row]
                a[j * m + row] = above
            syncthreads()
            pivot = a[k * m + k]
            if pivot == 0.0:
                failed = where(failed == 0, k + 1, failed)
            else:
                for i in range(k + 1 + threadIdx.x, m, BLOCK):
                    a[k * m + i] = a[k * m + i] / pivot
            if threadIdx.x == 0:
                pivots[i8(blockIdx.x) * steps + k] = row + 1
            syncthreads()
            below = m - k - 1
            for at in range(threadIdx.x, below * (n - k - 1), BLOCK):
                j = at // below
                i = k + 1 + at - j * below
                j = k + 1 + j
                a[j * m + i] = a[j * m + i] - a[k * m + i] * a[j * m + k]
            syncthreads()
        if threadIdx.x == 0:
            info[blockIdx.x] = failed

    return lu_factors


@cache
def cholesky_kernel(code: str) -> Kernel:
    """kernel(x, info, n): the lower factor in place of each symmetric matrix, of which the lower triangle is read.

    info is the order of the first minor that is not positive, where the work ends, or 0.
    """

    @kernel(f"{code}* i4* i4", block=BLOCK)
    def cholesky_factors(x, info, n):
        a = advance(x, i8(blockIdx.x) * n * n)
        failed = 0
        for k in range(n):
            square = a[k * n + k]
            syncthreads()
            if failed == 0:
                failed = where(square > 0.0, 0, k + 1)
            if failed == 0:
                pivot = sqrt(square)
                for i in range(k + threadIdx.x, n, BLOCK):
                    a[k * n + i] = where(i == k, pivot, a[k * n + i] / pivot)
            for i in range(threadIdx.x, k, BLOCK):
                a[k * n + i] = 0.0
            syncthreads()
            if failed == 0:
                below = n - k - 1
                for at in range(threadIdx.x, below * below, BLOCK):
                    j = at // below
                    i = k + 1 + at - j * below
                    j = k + 1 + j
                    if i >= j:
                        a[j * n + i] = a[j * n + i] - a[k * n + i] * a[k * n + j]
            syncthreads()
        if threadIdx.x == 0:
            info[blockIdx.x] = failed

    return cholesky_factors


@cache
def triangular_kernel(code: str, upper: bool, unit: bool) -> Kernel:
    """kernel(a, x, n, columns, row, column): x with a @ x of what x was; a's steps from row to row, column to column.

    A block to a column of x. `unit`: the diagonal of a is 1, and not read.
    """

    @kernel(f"{code}* {code}* i4 i4 i4 i4", block=BLOCK)
    def solve_triangular(a, x, n, columns, row, column):
        matrix = advance(a, i8(blockIdx.x // columns) * n * n)
        own = advance(x, i8(blockIdx.x) * n)
        for k in range(n):
            j = n - 1 - k if upper else k
            value = own[j]
            if not unit:
                value = value / matrix[j * (row + column)]
            for at in range(threadIdx.x, n - 1 - k, BLOCK):
                i = at if upper else k + 1 + at
                own[i] = own[i] - matrix[i * row + j * column] * value
            syncthreads()
        if not unit:
            for i in range(threadIdx.x, n, BLOCK):
                own[i] = own[i] / matrix[i * (row + column)]

    return solve_triangular


@cache
def swaps_kernel(code: str) -> Kernel:
    """kernel(x, pivots, count, n, columns, steps): the swaps of rows that pivots name, a thread to a column."""

    @kernel(f"{code}* i4* i4 i4 i4 i4", block=BLOCK)
    def swap_rows(x, pivots, count, n, columns, steps):
        at = blockIdx.x * BLOCK + threadIdx.x
        if at < count:
            own = advance(x, i8(at) * n)
            swaps = advance(pivots, i8(at // columns) * steps)
            for k in range(steps):
                row = swaps[k] - 1
                above = own[k]
                own[k] = own[row]
                own[row] = above

    return swap_rows


@cache
def diagonal_kernel(code: str, is_log: bool) -> Kernel:
    """kernel(x, pivots, value, sign, count, n): determinants of LU factors, or logarithms and signs of them."""
    number = WORDS[code]

    @kernel(f"{code}* i4* {code}* {code}* i4 i4", block=BLOCK)
    def product_of_diagonal(x, pivots, value, sign, count, n):
        at = blockIdx.x * BLOCK + threadIdx.x
        if at < count:
            a = advance(x, i8(at) * n * n)
            swaps = advance(pivots, i8(at) * n)
            total = number(0.0 if is_log else 1.0)
            turned = number(1.0)
            for k in range(n):
                d = a[k * (n + 1)]
                if swaps[k] != k + 1:
                    turned = -turned
                if is_log:
                    turned = where(d < 0.0, -turned, where(d == 0.0, 0.0, turned))
                    total = total + where(d == 0.0, -inf, log(absolute(d)))
                else:
                    total = total * d
            value[at] = total if is_log else total * turned
            if is_log:
                sign[at] = turned

    return product_of_diagonal


# ---------------------------------------------------------------------- parts of ops
def turned(a: CudaArray) -> CudaArray:
    return a.transpose((*range(a.ndim - 2), a.ndim - 1, a.ndim - 2))


def by_columns(a: CudaArray) -> CudaArray:
    """A copy whose matrices lie by columns, as (..., columns, rows)."""
    return turned(a).copy()


def _lu(A: CudaArray) -> tuple[CudaArray, CudaArray, CudaArray]:
    """(the factors by columns, pivots, info)"""
    *lead, m, n = A.shape
    x, pivots, info = by_columns(A), empty((*lead, min(m, n)), INT32), copy.full(tuple(lead), 0, INT32)
    if A.size:
        lu_kernel(CODES[A.dtype]).launch(prod(lead), x, pivots, info, m, n)
    return x, pivots, info


def _solve(A: CudaArray, x: CudaArray, upper: bool, unit: bool) -> None:
    """Solve for x, which lies by columns, in place."""
    n = x.shape[-1]
    if not x.size:
        return
    a, steps = A, (n, 1)
    if not A.flags.c_contiguous:
        a, steps = turned(A), (1, n)
        a = a if a.flags.c_contiguous else a.copy()
    made = triangular_kernel(CODES[x.dtype], upper, unit)
    made.launch(prod(x.shape[:-1]), a, x, n, x.shape[-2], *steps)


def _swap(x: CudaArray, pivots: CudaArray) -> None:
    if x.size:
        count = prod(x.shape[:-1])
        made = swaps_kernel(CODES[x.dtype])
        made.launch(-(-count // BLOCK), x, copy.contiguous(pivots), count, x.shape[-1], x.shape[-2], pivots.shape[-1])


def solved(A: CudaArray, x: CudaArray) -> tuple[CudaArray, CudaArray]:
    """(x, by columns on entry, with A @ result = x; info); nan where A is singular."""
    factors, pivots, info = _lu(A)
    _swap(x, pivots)
    _solve(turned(factors), x, False, True)
    _solve(turned(factors), x, True, False)
    singular = copy.converted(info, np.dtype(np.bool_))
    nan = copy.full((), float("nan"), x.dtype)
    spread = singular.restrided((*info.shape, 1, 1), (*singular.strides, 0, 0))
    return turned(copy.choose((x.shape, x.dtype), spread, nan, x)), info


def identity(shape: tuple[int, ...], dtype: np.dtype) -> CudaArray:
    """Matrices of this shape with ones on the diagonal."""
    x = copy.full(shape, 0, dtype)
    diagonal = x.restrided((*shape[:-2], min(shape[-2:])), (*x.strides[:-2], x.strides[-1] + x.strides[-2]))
    copy.write(diagonal, copy.full((), 1, dtype))
    return x


# ---------------------------------------------------------------------- ops
def lu_factors(inferred: Any, A: CudaArray, name: str) -> tuple[CudaArray, CudaArray, CudaArray]:
    """(L and U in one, pivots, info)"""
    x, pivots, info = _lu(A)
    return turned(x), pivots, info


def pivot_matrix(inferred: Any, pivots: CudaArray, n: int, dtype: np.dtype) -> CudaArray:
    """The P with A = P @ L @ U."""
    shape, dtype = inferred
    x = identity(shape, dtype if dtype in CODES else np.dtype(np.float32))
    _swap(x, pivots)  # its swapped rows, which lie by columns, are those of P
    return x if x.dtype == dtype else copy.converted(x, dtype)


def cholesky_factor(inferred: Any, A: CudaArray, upper: bool, checked: str) -> tuple[CudaArray, CudaArray]:
    """(the factor, info)"""
    x, info = by_columns(turned(A) if upper else A), copy.full(A.shape[:-2], 0, INT32)
    if A.size:
        cholesky_kernel(CODES[A.dtype]).launch(prod(A.shape[:-2]), x, info, A.shape[-1])
    return x if upper else turned(x), info


def solve_triangular_matrices(
    inferred: Any, A: CudaArray, B: CudaArray, upper: bool, left: bool, unit: bool
) -> CudaArray:
    """X with A @ X = B, or X @ A = B."""
    if left:
        x = by_columns(B)
        _solve(A, x, upper, unit)
        return turned(x)
    x = B.copy()  # by columns, this is the right side of A.mT @ X.mT = B.mT
    _solve(turned(A), x, not upper, unit)
    return x


def cholesky_solve_matrices(inferred: Any, B: CudaArray, L: CudaArray, upper: bool) -> CudaArray:
    """X with L @ L.mT @ X = B, or of an upper factor L.mT @ L @ X = B."""
    return _from_factor(L, by_columns(B), upper)


def cholesky_inverse_matrix(inferred: Any, L: CudaArray, upper: bool) -> CudaArray:
    """The inverse of L @ L.mT, or of L.mT @ L."""
    return _from_factor(L, identity(L.shape, L.dtype), upper)


def _from_factor(L: CudaArray, x: CudaArray, upper: bool) -> CudaArray:
    lower, higher = (turned(L), L) if upper else (L, turned(L))
    _solve(lower, x, False, False)
    _solve(higher, x, True, False)
    return turned(x)


def linalgsolveex_layout(inferred: Any, input: CudaArray) -> CudaArray:
    """The matrices, laid out by columns."""
    return turned(by_columns(input))


linalghouseholderproduct_layout = linalglusolve_layout = ormqr_layout = linalgsolveex_layout


def inverse_matrix(inferred: Any, A: CudaArray, checked: str) -> tuple[CudaArray, CudaArray]:
    """(inverse, info)"""
    return solved(A, identity(A.shape, A.dtype))


def solve_matrices(inferred: Any, A: CudaArray, B: CudaArray, checked: str) -> tuple[CudaArray, CudaArray]:
    """(X with A @ X = B, info)"""
    return solved(A, by_columns(B))


def determinant(inferred: Any, A: CudaArray) -> CudaArray:
    """The determinants."""
    return _diagonal(A, False)[0]


def log_determinant(inferred: Any, A: CudaArray, name: str) -> tuple[CudaArray, CudaArray]:
    """(the logarithms of the determinants' absolute values, their signs)"""
    return _diagonal(A, True)


def constant_beside(inferred: Any, input: CudaArray, constant: CudaArray) -> CudaArray:
    """The constant."""
    return constant.copy()


def _diagonal(A: CudaArray, is_log: bool) -> tuple[CudaArray, CudaArray]:
    x, pivots, _ = _lu(A)
    value = copy.full(A.shape[:-2], 0 if is_log else 1, A.dtype)
    sign = copy.full(A.shape[:-2], 1, A.dtype)
    if A.size:
        made = diagonal_kernel(CODES[A.dtype], is_log)
        made.launch(-(-value.size // BLOCK), x, pivots, value, sign, value.size, A.shape[-1])
    return value, sign


REPRESENTATIVE = {
    "lu_factors": lambda: lu_kernel("f4"),
    "cholesky_factors": lambda: cholesky_kernel("f4"),
    "solve_triangular": lambda: triangular_kernel("f4", True, False),
    "swap_rows": lambda: swaps_kernel("f4"),
    "determinant": lambda: diagonal_kernel("f4", False),
    "log_determinant": lambda: diagonal_kernel("f4", True),
}
