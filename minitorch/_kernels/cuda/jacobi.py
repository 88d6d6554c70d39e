"""Eigenvalues and singular values on a GPU, by Jacobi's rotations: a block to a matrix.

A sweep rotates every pair of columns once. Its rounds are those of a tournament, in which no column is in two pairs, so
that the pairs of a round are rotated at the same time. Symmetric matrices are rotated from both sides (Golub and Van
Loan, Matrix Computations, 4th ed., 8.5), others from the right until their columns are orthogonal (Hestenes; 8.6.3).
"""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from . import copy
from .array import CudaArray, empty
from .block import BLOCK, WARP, row_sum
from .device import (  # type: ignore[attr-defined]
    WORDS,
    absolute,
    advance,
    blockIdx,
    copysign,
    i8,
    shared_array,
    sqrt,
    syncthreads,
    threadIdx,
    where,
)
from .kernel import Kernel, kernel
from .matrices import CODES, by_columns, identity, turned
from .orthogonal import orthogonal, pack, reflectors_kernel, scaling, threads_for, warp_sum

MOST_SWEEPS = 40
INFINITE, NAN = float("inf"), float("nan")


# ---------------------------------------------------------------------- what kernels share
def pair_of(k, round, players):
    """Pair k of a round: (the lesser column, the greater one). The last column stays, the others go round."""
    others = players - 1
    one = where(k == 0, others, (round + k) % others)
    other = (round + others - k) % others
    return min(one, other), max(one, other)


def rotation(first, second, product):
    """(cosine, sine) that make the product of two columns 0, whose squares, or diagonal elements, are the others."""
    ratio = (second - first) / (2.0 * product)
    tangent = copysign(1.0, ratio) / (absolute(ratio) + sqrt(1.0 + ratio * ratio))
    cosine = 1.0 / sqrt(1.0 + tangent * tangent)
    return cosine, cosine * tangent


def place_of(values, j, n, is_rising):
    """Where value j goes among the n sorted ones, by a warp."""
    own = values[j]
    before = 0
    for i in range(threadIdx.x % 32, n, 32):
        here = values[i]
        is_before = here < own if is_rising else here > own
        if is_before or (here == own and i < j):
            before += 1
    return warp_sum(before)


# ---------------------------------------------------------------------- kernels
@cache
def symmetric_kernel(code: str, threads: int, vectors: bool) -> Kernel:
    """kernel(a, v, turns, diagonal, values, sorted_v, n): eigenvalues, rising, of symmetric matrices, and vectors.

    The lower triangles of a, by columns, are read, and a is lost. v, turns and diagonal are scratch. All values are nan
    if an element is not finite.
    """
    number, warps, scaled = WORDS[code], threads // 32, scaling(code, threads)
    epsilon = float(np.finfo(code).eps)

    @kernel(f"{code}* {code}* {code}* {code}* {code}* {code}* i4", block=threads)
    def symmetric_eigenvalues(a, v, turns, diagonal, values, sorted_v, n):
        scratch = shared_array(warps, number)
        start = i8(blockIdx.x) * n
        a = advance(a, start * n)
        v = advance(v, start * n)
        sorted_v = advance(sorted_v, start * n)
        diagonal = advance(diagonal, start)
        turns = advance(turns, start + blockIdx.x)
        for at in range(threadIdx.x, n * n, threads):
            j = at // n
            i = at - j * n
            if i < j:
                a[at] = a[i * n + j]
            if vectors:
                v[at] = where(i == j, 1.0, 0.0)
        syncthreads()
        unit = scaled(a, n * n, scratch)
        syncthreads()
        square = number(0.0)
        for at in range(threadIdx.x, n * n, threads):
            square = square + a[at] * a[at]
        small = sqrt(row_sum(square, scratch, warps)) * (epsilon / n)
        players = n + n % 2
        half = players // 2
        sweep = 0
        moved = number(1.0)
        while moved > 0.0 and sweep < MOST_SWEEPS:
            moved = number(0.0)
            for round in range(players - 1):
                for k in range(threadIdx.x, half, threads):
                    p, q = pair_of(k, round, players)
                    cosine = number(1.0)
                    sine = number(0.0)
                    if q < n:
                        off = a[q * n + p]
                        if absolute(off) > small:
                            cosine, sine = rotation(a[p * n + p], a[q * n + q], off)
                            moved = moved + 1.0
                    turns[2 * k] = cosine
                    turns[2 * k + 1] = sine
                syncthreads()
                for at in range(threadIdx.x, half * n, threads):
                    k = at // n
                    i = at - k * n
                    p, q = pair_of(k, round, players)
                    cosine = turns[2 * k]
                    sine = turns[2 * k + 1]
                    if sine != 0.0:
                        x = a[p * n + i]
                        y = a[q * n + i]
                        a[p * n + i] = cosine * x - sine * y
                        a[q * n + i] = sine * x + cosine * y
                        if vectors:
                            x = v[p * n + i]
                            y = v[q * n + i]
                            v[p * n + i] = cosine * x - sine * y
                            v[q * n + i] = sine * x + cosine * y
                syncthreads()
                for at in range(threadIdx.x, half * n, threads):
                    i = at // half
                    k = at - i * half
                    p, q = pair_of(k, round, players)
                    cosine = turns[2 * k]
                    sine = turns[2 * k + 1]
                    if sine != 0.0:
                        x = a[i * n + p]
                        y = a[i * n + q]
                        a[i * n + p] = where(i == q, 0.0, cosine * x - sine * y)
                        a[i * n + q] = where(i == p, 0.0, sine * x + cosine * y)
                syncthreads()
            moved = row_sum(moved, scratch, warps)
            sweep += 1
        for i in range(threadIdx.x, n, threads):
            diagonal[i] = a[i * n + i]
        syncthreads()
        for j in range(threadIdx.x // 32, n, warps):
            place = place_of(diagonal, j, n, True)
            if threadIdx.x % 32 == 0:
                values[start + place] = diagonal[j] * unit
            if vectors:
                for i in range(threadIdx.x % 32, n, 32):
                    sorted_v[place * n + i] = v[j * n + i]
        if unit == INFINITE or moved > 0.0:
            syncthreads()
            for i in range(threadIdx.x, n, threads):
                values[start + i] = NAN

    return symmetric_eigenvalues


@cache
def singular_kernel(code: str, threads: int, vectors: bool) -> Kernel:
    """kernel(a, v, norms, values, sorted_a, sorted_v, m, n): singular values, falling, and vectors of (m, n), m >= n.

    All matrices by columns; a is lost, v and norms are scratch. sorted_a are the left vectors, 0 where the value is.
    All values are nan if an element is not finite.
    """
    number, warps, scaled = WORDS[code], threads // 32, scaling(code, threads)
    epsilon = float(np.finfo(code).eps)
    nothing = epsilon**2  # of columns that are some 1 in size: less than what rounding leaves of them

    @kernel(f"{code}* {code}* {code}* {code}* {code}* {code}* i4 i4", block=threads)
    def singular_values(a, v, norms, values, sorted_a, sorted_v, m, n):
        scratch = shared_array(warps, number)
        lane = threadIdx.x % 32
        start = i8(blockIdx.x) * n
        a = advance(a, start * m)
        v = advance(v, start * n)
        sorted_a = advance(sorted_a, start * m)
        sorted_v = advance(sorted_v, start * n)
        norms = advance(norms, start)
        unit = scaled(a, m * n, scratch)
        if vectors:
            for at in range(threadIdx.x, n * n, threads):
                v[at] = where(at % (n + 1) == 0, 1.0, 0.0)
        syncthreads()
        small = epsilon * sqrt(number(m))
        players = n + n % 2
        sweep = 0
        moved = number(1.0)
        while moved > 0.0 and sweep < MOST_SWEEPS:
            moved = number(0.0)
            for round in range(players - 1):
                for k in range(threadIdx.x // 32, players // 2, warps):
                    p, q = pair_of(k, round, players)
                    if q < n:
                        one = advance(a, i8(p) * m)
                        other = advance(a, i8(q) * m)
                        first = number(0.0)
                        second = number(0.0)
                        product = number(0.0)
                        for i in range(lane, m, 32):
                            x = one[i]
                            y = other[i]
                            first = first + x * x
                            second = second + y * y
                            product = product + x * y
                        first = sqrt(warp_sum(first))
                        second = sqrt(warp_sum(second))
                        product = warp_sum(product)
                        if min(first, second) > nothing and absolute(product) > small * first * second:
                            cosine, sine = rotation(first * first, second * second, product)
                            moved = moved + 1.0
                            for i in range(lane, m, 32):
                                x = one[i]
                                y = other[i]
                                one[i] = cosine * x - sine * y
                                other[i] = sine * x + cosine * y
                            if vectors:
                                for i in range(lane, n, 32):
                                    x = v[p * n + i]
                                    y = v[q * n + i]
                                    v[p * n + i] = cosine * x - sine * y
                                    v[q * n + i] = sine * x + cosine * y
                syncthreads()
            moved = row_sum(moved, scratch, warps)
            sweep += 1
        for j in range(threadIdx.x // 32, n, warps):
            square = number(0.0)
            for i in range(lane, m, 32):
                x = a[j * m + i]
                square = square + x * x
            square = warp_sum(square)
            if lane == 0:
                norms[j] = sqrt(square)
        syncthreads()
        for j in range(threadIdx.x // 32, n, warps):
            place = place_of(norms, j, n, False)
            norm = norms[j]
            if lane == 0:
                values[start + place] = norm * unit
            if vectors:
                scale = where(norm > nothing, 1.0 / norm, 0.0)
                for i in range(lane, m, 32):
                    sorted_a[place * m + i] = a[j * m + i] * scale
                for i in range(lane, n, 32):
                    sorted_v[place * n + i] = v[j * n + i]
        if unit == INFINITE or moved > 0.0:
            syncthreads()
            for i in range(threadIdx.x, n, threads):
                values[start + i] = NAN

    return singular_values


@cache
def completed_kernel(code: str) -> Kernel:
    """kernel(u, q, count, m, n, columns): u's columns that are not 0 go over those of q; a warp to each."""
    number = WORDS[code]

    @kernel(f"{code}* {code}* i4 i4 i4 i4", block=BLOCK)
    def completed_columns(u, q, count, m, n, columns):
        c = blockIdx.x * (BLOCK // 32) + threadIdx.x // 32
        if c < count:
            matrix = c // n
            own = advance(u, i8(c) * m)
            column = advance(q, (i8(matrix) * columns + (c - matrix * n)) * m)
            square = number(0.0)
            for i in range(threadIdx.x % 32, m, 32):
                square = square + own[i] * own[i]
            if warp_sum(square) > 0.5:
                for i in range(threadIdx.x % 32, m, 32):
                    column[i] = own[i]

    return completed_columns


# ---------------------------------------------------------------------- symmetric matrices
def eigen(A: CudaArray, UPLO: str, vectors: bool) -> tuple[CudaArray, CudaArray]:
    """(eigenvalues, eigenvectors by columns: without elements unless asked for)"""
    *lead, n, _ = A.shape
    x, values = by_columns(A if UPLO.upper() == "L" else turned(A)), empty((*lead, n), A.dtype)
    sorted_v = empty(x.shape if vectors else (0,), A.dtype)
    if A.size:
        scratch = empty((prod(lead) * (2 * n + 1),), A.dtype)
        made = symmetric_kernel(CODES[A.dtype], threads_for(n), vectors)
        turns = scratch[values.size :]
        made.launch(prod(lead), x, empty(sorted_v.shape, A.dtype), turns, scratch, values, sorted_v, n)
    return values, sorted_v


def eigh_factors(inferred: Any, A: CudaArray, UPLO: str) -> CudaArray:
    """Eigenvalues and eigenvectors in one array; nan where a matrix is not finite."""
    return pack(A.shape[:-2], list(eigen(A, UPLO, True)))


def eigvalsh_values(inferred: Any, A: CudaArray, UPLO: str) -> CudaArray:
    """The eigenvalues; nan where a matrix is not finite."""
    return eigen(A, UPLO, False)[0]


# ---------------------------------------------------------------------- any matrices
def _values(A: CudaArray, vectors: bool) -> tuple[CudaArray, CudaArray, CudaArray]:
    """(values, left vectors, right vectors) of A, or of its transpose where A is wide."""
    *lead, m, n = A.shape
    x = by_columns(A) if m >= n else A.copy()
    m, n = max(m, n), min(m, n)
    values = empty((*lead, n), A.dtype)
    u, v = (empty((*lead, n, k) if vectors else (0,), A.dtype) for k in (m, n))
    if A.size:
        scratch = empty(v.shape, A.dtype), empty(values.shape, A.dtype)
        made = singular_kernel(CODES[A.dtype], threads_for(n), vectors)
        made.launch(prod(lead), x, *scratch, values, u, v, m, n)
    return values, u, v


def _completed(u: CudaArray, columns: int) -> CudaArray:
    """Orthonormal columns: u's own, and more where they are 0 or end before there are so many."""
    *lead, n, m = u.shape
    code, x, factors = CODES[u.dtype], u.copy(), empty((*lead, n), u.dtype)
    reflectors_kernel(code, threads_for(n)).launch(prod(lead), x, factors, m, n)
    q = orthogonal(x, factors, columns)
    count = prod(lead) * n
    completed_kernel(code).launch(-(-count * WARP // BLOCK), u, q, count, m, n, columns)
    return q


def decomposed(A: CudaArray, full: bool) -> tuple[CudaArray, CudaArray, CudaArray]:
    """(U, S, V) with A = U @ diag(S) @ V.mT, U and V by columns; S is nan where A is not finite."""
    *lead, m, n = A.shape
    if not A.size:
        sizes = [(m, m if full else min(m, n)), (n, n if full else min(m, n))]
        U, V = (by_columns(identity((*lead, *s), A.dtype)) for s in sizes)
        return U, copy.full((*lead, min(m, n)), 0, A.dtype), V
    S, u, v = _values(A, True)
    u = _completed(u, max(m, n) if full else min(m, n))
    return (u, S, v) if m >= n else (v, S, u)


def svd_factors(inferred: Any, A: CudaArray, full: bool, driver: Any) -> CudaArray:
    """U, S and the transpose of V in one array."""
    U, S, V = decomposed(A, full)
    return pack(A.shape[:-2], [U, S, turned(V)])


def singular_values(inferred: Any, A: CudaArray, driver: Any) -> CudaArray:
    """The singular values, falling; nan where a matrix is not finite."""
    return _values(A, False)[0] if A.size else copy.full(inferred[0], 0, A.dtype)


REPRESENTATIVE = {
    "symmetric_eigenvalues": lambda: symmetric_kernel("f4", BLOCK, True),
    "symmetric_eigenvalues of few columns": lambda: symmetric_kernel("f4", WARP, True),
    "symmetric_eigenvalues without vectors": lambda: symmetric_kernel("f4", BLOCK, False),
    "singular_values": lambda: singular_kernel("f4", BLOCK, True),
    "singular_values of few columns": lambda: singular_kernel("f4", WARP, True),
    "singular_values without vectors": lambda: singular_kernel("f4", BLOCK, False),
    "completed_columns": lambda: completed_kernel("f4"),
}
