"""Reading and writing at positions that an integer array holds, and parts of matrices.

`gather` and `scatter...` look at ranges, and do nothing where an index is outside. The others read and write wherever
the index says, so their callers ask `within` first (`_ops/positions.py`). Positions are made unsigned: Numba tests
signed ones for being negative.
"""

import numpy as np
from numba import njit

from .inlined import maximum, minimum
from .inner import inner

SQUARE = 64


@njit(cache=True, nogil=True, error_model="numpy")
def within(index, low, high):
    """Whether low <= index[i] < high for every i; no branch, so that LLVM makes vector code."""
    outside = False
    for i in range(index.size):
        outside |= (index[i] < low) | (index[i] >= high)
    return not outside


@njit(cache=True, nogil=True, error_model="numpy")
def extent(index):
    """The smallest and the largest."""
    low, high = index[0], index[0]
    for i in range(index.size):
        low, high = minimum(low, index[i]), maximum(high, index[i])
    return low, high


@njit(cache=True, nogil=True, error_model="numpy")
def count(index, counts):
    """counts[index[i]] += 1"""
    for i in range(index.size):
        counts[np.uint64(index[i])] += 1


# The last dimension is often the one that the index is for; then there is nothing after it, and the
# innermost loop must not be the one of length 1 (twice the time).
@njit(cache=True, nogil=True, error_model="numpy")
def add_rows(dest, positions, src):
    """dest[n, positions[m], t] += src[n, m, t], in the order of m: sums round as torch's do."""
    for n in range(src.shape[0]):
        if src.shape[2] == 1:
            for m in range(positions.size):
                dest[n, np.uint64(positions[m]), 0] += src[n, m, 0]
            continue
        for m in range(positions.size):
            p = np.uint64(positions[m])
            for t in range(src.shape[2]):
                dest[n, p, t] += src[n, m, t]


@njit(cache=True, nogil=True, error_model="numpy")
def select(x, positions, out):
    """out[n, m] = x[n, positions[m]]"""
    for n in range(x.shape[0]):
        for m in range(positions.size):
            out[n, m] = x[n, np.uint64(positions[m])]


@inner()
def _all_within(index, size):
    outside = False
    for n in range(index.shape[0]):
        if index.shape[2] == 1:
            for m in range(index.shape[1]):
                outside |= np.uint64(index[n, m, 0]) >= np.uint64(size)
            continue
        for m in range(index.shape[1]):
            for t in range(index.shape[2]):
                outside |= np.uint64(index[n, m, t]) >= np.uint64(size)
    return not outside


@njit(cache=True, nogil=True, error_model="numpy")
def gather(x, index, out):
    """out[n, m, t] = x[n, index[n, m, t], t]; returns whether all indices are in range."""
    if not _all_within(index, x.shape[1]):
        return False
    for n in range(index.shape[0]):
        if index.shape[2] == 1:
            for m in range(index.shape[1]):
                out[n, m, 0] = x[n, np.uint64(index[n, m, 0]), 0]
            continue
        for m in range(index.shape[1]):
            for t in range(index.shape[2]):
                out[n, m, t] = x[n, np.uint64(index[n, m, t]), t]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def scatter(dest, index, src):
    """dest[n, index[n, m, t], t] = src[n, m, t]; of several the last wins. Returns whether all indices are in range."""
    if not _all_within(index, dest.shape[1]):
        return False
    for n in range(index.shape[0]):
        if index.shape[2] == 1:
            for m in range(index.shape[1]):
                dest[n, np.uint64(index[n, m, 0]), 0] = src[n, m, 0]
            continue
        for m in range(index.shape[1]):
            for t in range(index.shape[2]):
                dest[n, np.uint64(index[n, m, t]), t] = src[n, m, t]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def scatter_add(dest, index, src):
    """dest[n, index[n, m, t], t] += src[n, m, t]; returns whether all indices are in range."""
    if not _all_within(index, dest.shape[1]):
        return False
    for n in range(index.shape[0]):
        if index.shape[2] == 1:
            for m in range(index.shape[1]):
                dest[n, np.uint64(index[n, m, 0]), 0] += src[n, m, 0]
            continue
        for m in range(index.shape[1]):
            for t in range(index.shape[2]):
                dest[n, np.uint64(index[n, m, t]), t] += src[n, m, t]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def scatter_multiply(dest, index, src):
    """dest[n, index[n, m, t], t] *= src[n, m, t]; returns whether all indices are in range."""
    if not _all_within(index, dest.shape[1]):
        return False
    for n in range(index.shape[0]):
        if index.shape[2] == 1:
            for m in range(index.shape[1]):
                dest[n, np.uint64(index[n, m, 0]), 0] *= src[n, m, 0]
            continue
        for m in range(index.shape[1]):
            for t in range(index.shape[2]):
                dest[n, np.uint64(index[n, m, t]), t] *= src[n, m, t]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def band(x, low, high, out):
    """out[b, i, j] = x[b, i, j] where low <= j - i < high, else 0"""
    B, n, m = x.shape
    for b in range(B):
        for i in range(n):
            row, made = x[b, i], out[b, i]
            first = min(max(i + low, 0), m)
            last = max(min(i + high, m), first)
            for j in range(np.uint64(first)):
                made[j] = 0
            for j in range(np.uint64(first), np.uint64(last)):
                made[j] = row[j]
            for j in range(np.uint64(last), np.uint64(m)):
                made[j] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def transpose(x, out):
    """out[j, i] = x[i, j], in squares whose rows stay in the cache while they are read once more for each column."""
    n, m = x.shape
    for first_row in range(0, n, SQUARE):
        last_row = np.uint64(minimum(first_row + SQUARE, n))
        for first_column in range(0, m, SQUARE):
            last_column = np.uint64(minimum(first_column + SQUARE, m))
            for j in range(np.uint64(first_column), last_column):
                for i in range(np.uint64(first_row), last_row):
                    out[j, i] = x[i, j]


@njit(cache=True, nogil=True, error_model="numpy")
def reverse_rows(x, width, out):
    """Rows of `width` elements, one after the other in x, each from its end to its start."""
    for start in range(0, x.size, width):
        last = np.uint64(start + width - 1)
        for k in range(np.uint64(width)):  # unsigned indices are not tested for being negative, so vectors are taken
            out[np.uint64(start) + k] = x[last - k]
