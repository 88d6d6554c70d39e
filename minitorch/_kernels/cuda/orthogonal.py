"""QR on a GPU, by Householder's reflections (Golub and Van Loan, Matrix Computations, 4th ed., 5.1 and 5.2).

A block reduces a matrix, a warp makes a column of Q. Signs are LAPACK's: R's diagonal is opposite to what it replaces.
"""

from functools import cache
from math import prod
from typing import Any

from . import copy
from .array import CudaArray, empty
from .block import BLOCK, WARP, row_largest, row_sum
from .device import (  # type: ignore[attr-defined]
    WORDS,
    absolute,
    advance,
    bits,
    bits8,
    blockIdx,
    copysign,
    fmax,
    from_bits,
    from_bits8,
    i8,
    maximum,
    shared_array,
    shfl_xor,
    sqrt,
    static,
    syncthreads,
    threadIdx,
    u4,
    u8,
    where,
)
from .kernel import Kernel, kernel
from .matrices import CODES, by_columns, identity, turned

SMALL = 16  # columns that one warp takes care of


def threads_for(columns: int) -> int:
    """How many threads work on a matrix of so many columns."""
    return WARP if columns <= SMALL else BLOCK


# ---------------------------------------------------------------------- what kernels on matrices share
def _unit(largest):
    return fmax(from_bits(bits(largest) & u4(0x7F800000)), 2.0**-126)


def _unit8(largest):
    return fmax(from_bits8(bits8(largest) & u8(0x7FF0000000000000)), 2.0**-1022)


@cache
def scaling(code: str, threads: int) -> Any:
    """A helper scaled(a, size, scratch): divides by the power of two below the largest element, and returns that.

    So squares neither overflow nor vanish. The power is infinite if an element is not finite.
    """
    number, unit_of = WORDS[code], _unit if code == "f4" else _unit8

    def scaled(a, size, scratch):
        largest = number(0.0)
        for at in range(threadIdx.x, size, threads):
            largest = maximum(largest, absolute(a[at]))
        unit = unit_of(row_largest(largest, scratch, threads // 32))
        for at in range(threadIdx.x, size, threads):
            a[at] = a[at] / unit
        return unit

    return scaled


def warp_sum(value):
    """The sum of the lanes' values."""
    total = value
    for s in static(5):
        total = total + shfl_xor(total, 16 >> s)
    return total


def reflect(v, column, k, m, factor):
    """column -= factor * v (v . column) by a warp; v is 0 above row k, and 1 there. A lane's rows stay its own."""
    lane = threadIdx.x % 32
    first = k - k % 32 + lane
    product = factor * 0.0
    for i in range(first, m, 32):
        if i >= k:
            product = product + where(i == k, 1.0, v[i]) * column[i]
    product = factor * warp_sum(product)
    for i in range(first, m, 32):
        if i >= k:
            column[i] = column[i] - product * where(i == k, 1.0, v[i])


# ---------------------------------------------------------------------- kernels
@cache
def reflectors_kernel(code: str, threads: int) -> Kernel:
    """kernel(x, factors, m, n): of each (m, n) matrix, by columns, R on and above the diagonal, reflectors below it."""
    number, warps, scaled = WORDS[code], threads // 32, scaling(code, threads)

    @kernel(f"{code}* {code}* i4 i4", block=threads)
    def reflectors(x, factors, m, n):
        scratch = shared_array(warps, number)
        a = advance(x, i8(blockIdx.x) * m * n)
        steps = min(m, n)
        unit = scaled(a, m * n, scratch)
        syncthreads()
        for k in range(steps):
            v = advance(a, i8(k) * m)
            head = v[k]
            square = number(0.0)
            for i in range(k + 1 + threadIdx.x, m, threads):
                square = square + v[i] * v[i]
            square = row_sum(square, scratch, warps)
            factor = number(0.0)
            end = head
            if square != 0.0:
                end = -copysign(sqrt(head * head + square), head)
                factor = (end - head) / end
                for i in range(k + 1 + threadIdx.x, m, threads):
                    v[i] = v[i] / (head - end)
            syncthreads()
            for j in range(k + 1 + threadIdx.x // 32, n, warps):
                reflect(v, advance(a, i8(j) * m), k, m, factor)
            syncthreads()
            if threadIdx.x == 0:
                v[k] = end
                factors[i8(blockIdx.x) * steps + k] = factor
        syncthreads()
        for at in range(threadIdx.x, m * n, threads):
            j = at // m
            if at - j * m <= j:
                a[at] = a[at] * unit

    return reflectors


@cache
def orthogonal_kernel(code: str) -> Kernel:
    """kernel(x, factors, q, count, columns, m, n): Q's first columns from what `reflectors` left, a warp to each."""

    @kernel(f"{code}* {code}* {code}* i4 i4 i4 i4", block=BLOCK)
    def orthogonal_columns(x, factors, q, count, columns, m, n):
        c = blockIdx.x * (BLOCK // 32) + threadIdx.x // 32
        if c < count:
            matrix = c // columns
            j = c - matrix * columns
            column = advance(q, i8(c) * m)
            for i in range(threadIdx.x % 32, m, 32):
                column[i] = where(i == j, 1.0, 0.0)
            steps = min(m, n)
            last = min(j, steps - 1)
            for k in range(last + 1):
                row = last - k
                v = advance(x, (i8(matrix) * n + row) * m)
                reflect(v, column, row, m, factors[i8(matrix) * steps + row])

    return orthogonal_columns


# ---------------------------------------------------------------------- several factors in one array
def pack(lead: tuple[int, ...], factors: list[CudaArray]) -> CudaArray:
    """The factors of a batch, which lie by columns, end to end."""
    parts = [copy.reshaped(f, *lead, prod(f.shape[len(lead) :])) for f in factors]
    shape = (*lead, sum(p.shape[-1] for p in parts))
    return copy.cat((shape, parts[0].dtype), *parts, len(lead))


def factor(inferred: Any, packed: CudaArray, start: int, shape: tuple[int, ...]) -> CudaArray:
    """One of them."""
    part = packed[..., start : start + prod(shape)].copy()
    part = copy.reshaped(part, *packed.shape[:-1], *reversed(shape))
    return turned(part) if len(shape) == 2 else part


qr_factors_factor = eigh_factors_factor = svd_factors_factor = factor


def packed_factor(inferred: Any, g: CudaArray, shape: tuple[int, ...], start: int) -> CudaArray:
    """Zeros but for one factor: what flows back from it."""
    d = copy.full(tuple(shape), 0, inferred[1])
    lead = len(shape) - 1
    own = turned(g) if g.ndim == lead + 2 else g
    n = prod(own.shape[lead:])
    copy.write(d[..., start : start + n], copy.reshaped(own, *own.shape[:lead], n))
    return d


# ---------------------------------------------------------------------- ops
def reflected(A: CudaArray) -> tuple[CudaArray, CudaArray]:
    """(R with reflectors below it, by columns; their factors)"""
    *lead, m, n = A.shape
    x, factors = by_columns(A), empty((*lead, min(m, n)), A.dtype)
    if A.size:
        reflectors_kernel(CODES[A.dtype], threads_for(n)).launch(prod(lead), x, factors, m, n)
    return x, factors


def orthogonal(x: CudaArray, factors: CudaArray, columns: int) -> CudaArray:
    """So many columns of Q, by columns."""
    *lead, n, m = x.shape
    if not x.size:
        return by_columns(identity((*lead, m, columns), x.dtype))
    q = empty((*lead, columns, m), x.dtype)
    if q.size:
        count = prod(lead) * columns
        made = orthogonal_kernel(CODES[x.dtype])
        made.launch(-(-count * WARP // BLOCK), x, factors, q, count, columns, m, n)
    return q


def qr_factors(inferred: Any, A: CudaArray, form: str) -> CudaArray:
    """Q and R in one array."""
    *lead, m, n = A.shape
    k = m if form == "complete" else min(m, n)
    x, factors = reflected(A)
    top = turned(x)[..., :k, :]
    R = copy.triu((top.shape, top.dtype), top, 0)
    return pack(tuple(lead), [orthogonal(x, factors, k), by_columns(R)])


def geqrf_factors(inferred: Any, input: CudaArray) -> tuple[CudaArray, CudaArray]:
    """(R with reflectors below it, their factors)"""
    x, factors = reflected(input)
    return turned(x), factors


REPRESENTATIVE = {
    "reflectors": lambda: reflectors_kernel("f4", BLOCK),
    "reflectors of few columns": lambda: reflectors_kernel("f4", WARP),
    "orthogonal_columns": lambda: orthogonal_kernel("f4"),
}
