"""Symmetric matrices as L @ D @ L.T on a GPU, and systems of them: a block to a matrix, or to a column solved for.

Pivots and the results' form are those of `cpu/ldl.py`: Bunch and Kaufman's, in LAPACK's form for the lower triangle.
Matrices lie by columns.
"""

from functools import cache
from math import prod
from typing import Any

from . import copy
from .array import CudaArray, empty
from .block import BLOCK, row_sum
from .device import (  # type: ignore[attr-defined]
    WORDS,
    absolute,
    advance,
    blockIdx,
    i4,
    i8,
    shared_array,
    shfl_xor,
    static,
    syncthreads,
    threadIdx,
    where,
)
from .kernel import Kernel, kernel
from .matrices import CODES, INT32, by_columns, turned

ALPHA = (1 + 17**0.5) / 8  # the bound on growth is least for it
WARPS = BLOCK // 32


def largest_place(value, place, values, places):
    """(the largest of the threads' values, its place: the first of equals); the arrays hold one for each warp."""
    for s in static(5):
        other = shfl_xor(value, 16 >> s)
        other_place = shfl_xor(place, 16 >> s)
        wins = (other > value) | ((other == value) & (other_place < place))
        value = where(wins, other, value)
        place = where(wins, other_place, place)
    syncthreads()
    if threadIdx.x % 32 == 0:
        values[threadIdx.x // 32] = value
        places[threadIdx.x // 32] = place
    syncthreads()
    value = values[0]
    place = places[0]
    for k in static(1, WARPS):
        wins = (values[k] > value) | ((values[k] == value) & (places[k] < place))
        value = where(wins, values[k], value)
        place = where(wins, places[k], place)
    return value, place


def inverse_times(upper, off, lower, one, other):
    """The inverse of [[upper, off], [off, lower]], whose diagonal is small beside off, times (one, other)."""
    scale = 1.0 / (off * ((upper / off) * (lower / off) - 1.0))
    return scale * (lower / off * one - other), scale * (upper / off * other - one)


@cache
def factors_kernel(code: str) -> Kernel:
    """kernel(a, pivots, info, scratch, n): L and D in place of the lower triangle; scratch is (batch, 2, n)."""
    number = WORDS[code]

    @kernel(f"{code}* i4* i4* {code}* i4", block=BLOCK)
    def ldl_factors(a, pivots, info, scratch, n):
        values = shared_array(WARPS, number)
        places = shared_array(WARPS, i4)
        a = advance(a, i8(blockIdx.x) * n * n)
        pivots = advance(pivots, i8(blockIdx.x) * n)
        first = advance(scratch, i8(blockIdx.x) * 2 * n)
        second = advance(first, n)
        failed = 0
        k = 0
        while k < n:
            diagonal = absolute(a[k * n + k])
            size = number(-1.0)
            row = n
            for i in range(k + 1 + threadIdx.x, n, BLOCK):
                here = absolute(a[k * n + i])
                if here > size:
                    size = here
                    row = i
            size, row = largest_place(size, row, values, places)
            size = max(size, 0.0)
            pair = 0
            is_zero = where((max(diagonal, size) == 0.0) | (diagonal != diagonal), 1, 0)
            if is_zero == 1 or diagonal >= ALPHA * size:
                row = k
            else:
                in_row = number(0.0)
                for i in range(k + threadIdx.x, n, BLOCK):
                    if i < row:
                        in_row = max(in_row, absolute(a[i * n + row]))
                    if i > row:
                        in_row = max(in_row, absolute(a[row * n + i]))
                in_row, _ = largest_place(in_row, 0, values, places)
                if diagonal >= ALPHA * size * (size / in_row):
                    row = k
                elif not (absolute(a[row * n + row]) >= ALPHA * in_row):
                    pair = 1
            failed = where((failed == 0) & (is_zero == 1), k + 1, failed)
            last = k + pair
            syncthreads()
            if row != last:
                for i in range(last + threadIdx.x, n, BLOCK):
                    if i > row:
                        one = a[last * n + i]
                        a[last * n + i] = a[row * n + i]
                        a[row * n + i] = one
                    elif i > last and i < row:
                        one = a[last * n + i]
                        a[last * n + i] = a[i * n + row]
                        a[i * n + row] = one
                    elif i == last:
                        one = a[last * n + last]
                        a[last * n + last] = a[row * n + row]
                        a[row * n + row] = one
                        if pair == 1:
                            one = a[k * n + k + 1]
                            a[k * n + k + 1] = a[k * n + row]
                            a[k * n + row] = one
                syncthreads()
            if is_zero == 0:
                for i in range(last + 1 + threadIdx.x, n, BLOCK):
                    if pair == 0:
                        first[i] = a[k * n + i] / a[k * n + k]
                    else:
                        x, y = inverse_times(
                            a[k * n + k], a[k * n + last], a[last * n + last], a[k * n + i], a[last * n + i]
                        )
                        first[i] = x
                        second[i] = y
                syncthreads()
                below = n - last - 1
                for at in range(threadIdx.x, below * below, BLOCK):
                    j = at // below
                    i = last + 1 + at - j * below
                    j = last + 1 + j
                    if i >= j:
                        total = first[i] * a[k * n + j]
                        if pair == 1:
                            total = total + second[i] * a[last * n + j]
                        a[j * n + i] = a[j * n + i] - total
                syncthreads()
                for i in range(last + 1 + threadIdx.x, n, BLOCK):
                    a[k * n + i] = first[i]
                    if pair == 1:
                        a[last * n + i] = second[i]
            if threadIdx.x == 0:
                pivots[k] = where(pair == 1, -row - 1, row + 1)
                pivots[last] = where(pair == 1, -row - 1, row + 1)
            syncthreads()
            k = last + 1
        for at in range(threadIdx.x, n * n, BLOCK):
            j = at // n
            if at - j * n < j:
                a[at] = 0.0
        if threadIdx.x == 0:
            info[blockIdx.x] = failed

    return ldl_factors


@cache
def solve_kernel(code: str) -> Kernel:
    """kernel(a, pivots, x, n, columns): x with A @ x of what x was, from A's factors; a block to a column of x."""
    number = WORDS[code]

    @kernel(f"{code}* i4* {code}* i4 i4", block=BLOCK)
    def solve_ldl(a, pivots, x, n, columns):
        scratch = shared_array(WARPS, number)
        a = advance(a, i8(blockIdx.x // columns) * n * n)
        pivots = advance(pivots, i8(blockIdx.x // columns) * n)
        x = advance(x, i8(blockIdx.x) * n)
        k = 0
        while k < n:
            pivot = pivots[k]
            last = k + where(pivot < 0, 1, 0)
            row = max(pivot, -pivot) - 1
            syncthreads()
            if threadIdx.x == 0:
                one = x[last]
                x[last] = x[row]
                x[row] = one
            syncthreads()
            one = x[k]
            other = x[last]
            for i in range(last + 1 + threadIdx.x, n, BLOCK):
                total = a[k * n + i] * one
                if pivot < 0:
                    total = total + a[last * n + i] * other
                x[i] = x[i] - total
            syncthreads()
            if threadIdx.x == 0:
                if pivot < 0:
                    one, other = inverse_times(a[k * n + k], a[k * n + last], a[last * n + last], one, other)
                    x[k] = one
                    x[last] = other
                else:
                    x[k] = one / a[k * n + k]
            k = last + 1
        k = n - 1
        while k >= 0:
            pivot = pivots[k]
            first = k - where(pivot < 0, 1, 0)
            row = max(pivot, -pivot) - 1
            one = number(0.0)
            other = number(0.0)
            syncthreads()
            for i in range(k + 1 + threadIdx.x, n, BLOCK):
                one = one + a[first * n + i] * x[i]
                other = other + a[k * n + i] * x[i]
            one = row_sum(one, scratch, WARPS)
            other = row_sum(other, scratch, WARPS)
            syncthreads()
            if threadIdx.x == 0:
                x[first] = x[first] - one
                if pivot < 0:
                    x[k] = x[k] - other
                one = x[k]
                x[k] = x[row]
                x[row] = one
            k = first - 1

    return solve_ldl


# ---------------------------------------------------------------------- ops
def ldl_factors(inferred: Any, A: CudaArray) -> tuple[CudaArray, CudaArray, CudaArray]:
    """(L and D in one, pivots, info)"""
    *lead, n, _ = A.shape
    x, pivots, info = by_columns(A), empty((*lead, n), INT32), copy.full(tuple(lead), 0, INT32)
    if A.size:
        scratch = empty((prod(lead), 2, n), A.dtype)
        factors_kernel(CODES[A.dtype]).launch(prod(lead), x, pivots, info, scratch, n)
    return turned(x), pivots, info


def ldl_solve_matrices(inferred: Any, LD: CudaArray, pivots: CudaArray, B: CudaArray) -> CudaArray:
    """The X with A @ X = B."""
    x = by_columns(B)
    if x.size:
        n, columns = x.shape[-1], x.shape[-2]
        made = solve_kernel(CODES[x.dtype])
        made.launch(prod(x.shape[:-1]), copy.contiguous(turned(LD)), copy.contiguous(pivots), x, n, columns)
    return turned(x)


REPRESENTATIVE = {"ldl_factors": lambda: factors_kernel("f4"), "solve_ldl": lambda: solve_kernel("f4")}
