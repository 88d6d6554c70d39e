"""Symmetric matrices as L @ D @ L.T, L unit lower triangular with swapped rows, D of blocks of one or two rows.

The pivots are those of Bunch and Kaufman, "Some stable methods for calculating inertia and solving symmetric linear
systems", 1977; the form of the result is that of LAPACK's sytrf and sytrs (netlib.org/lapack) for the lower triangle.
"""

import numpy as np

ALPHA = (1 + 17**0.5) / 8  # the bound on growth is least for it


@np.errstate(all="ignore")
def factor(a):
    """(L and D in one array, int32 pivots counted from 1, info) of a batch of matrices, by their lower triangles.

    A pivot below 0 stands for a block of two rows and is there twice. info is 0, or which block, counted from 1, is
    the first that is zero.
    """
    *lead, n, _ = a.shape
    x = np.array(a).reshape(-1, n, n) if a.size else np.empty((0, n, n), a.dtype)
    pivots, info = np.zeros((*lead, n), np.int32), np.zeros(lead, np.int32)
    for b, matrix in enumerate(x):
        info.reshape(-1)[b] = _factor_one(matrix, pivots.reshape(-1, n)[b])
    return np.tril(x).reshape(a.shape), pivots, info


def _factor_one(a, pivots):
    n, k, info = len(a), 0, 0
    while k < n:
        row, pair, zero = _pivot(a, k)
        info = info or (k + 1) * zero
        last = k + pair  # of the block
        if row != last:
            _swap(a, last, row)
            if pair:
                a[k + 1, k], a[row, k] = a[row, k], a[k + 1, k]
        if not zero:
            block = a[k : last + 1, k : last + 1].copy()
            block[0, -1] = block[-1, 0]
            below = a[last + 1 :, k : last + 1]
            factors = below @ _inverse(block)
            a[last + 1 :, last + 1 :] -= factors @ below.T
            below[:] = factors
        pivots[k : last + 1] = -row - 1 if pair else row + 1
        k = last + 1
    return info


def _pivot(a, k):
    """(the row to swap in, whether the block has two rows, whether the column is zero)"""
    diagonal, column = abs(a[k, k]), np.abs(a[k + 1 :, k])
    largest = column.max(initial=0)
    if max(diagonal, largest) == 0 or np.isnan(diagonal):
        return k, False, True
    if diagonal >= ALPHA * largest:
        return k, False, False
    row = k + 1 + int(column.argmax())
    in_row = max(np.abs(a[row, k:row]).max(), np.abs(a[row + 1 :, row]).max(initial=0))
    if diagonal >= ALPHA * largest * (largest / in_row):
        return k, False, False
    return row, not abs(a[row, row]) >= ALPHA * in_row, False


def _swap(a, i, j):
    """Rows and columns i < j of what is left of a symmetric matrix, by its lower triangle."""
    for one, other in ((a[j + 1 :, i], a[j + 1 :, j]), (a[i + 1 : j, i], a[j, i + 1 : j])):
        one[:], other[:] = other.copy(), one.copy()
    a[i, i], a[j, j] = a[j, j], a[i, i]


def _inverse(block):
    """Of a matrix of one row or two; the latter, which has small numbers on the diagonal, scaled by the others."""
    if len(block) == 1:
        return 1 / block
    (upper, off), (_, lower) = block
    scale = off * ((upper / off) * (lower / off) - 1)
    return np.array([[lower / off, -1], [-1, upper / off]], block.dtype) / scale


@np.errstate(all="ignore")
def solve(ld, pivots, b):
    """The X of A @ X = B from the factors of A, for batches of one shape."""
    x = np.array(b, order="C")
    n = ld.shape[-1]
    if not x.size:
        return x
    for a, rows, into in zip(ld.reshape(-1, n, n), pivots.reshape(-1, n), x.reshape(-1, *x.shape[-2:]), strict=True):
        _solve_one(a, rows, into)
    return x


def _solve_one(a, pivots, x):
    n, k, blocks = len(a), 0, []
    while k < n:
        last = k + (pivots[k] < 0)
        blocks.append((k, last, abs(pivots[k]) - 1))
        k = last + 1
    for k, last, row in blocks:
        x[[last, row]] = x[[row, last]]
        x[last + 1 :] -= a[last + 1 :, k : last + 1] @ x[k : last + 1]
        block = a[k : last + 1, k : last + 1].copy()
        block[0, -1] = block[-1, 0]
        x[k : last + 1] = _inverse(block) @ x[k : last + 1]
    for k, last, row in reversed(blocks):
        x[k : last + 1] -= a[last + 1 :, k : last + 1].T @ x[last + 1 :]
        x[[last, row]] = x[[row, last]]
