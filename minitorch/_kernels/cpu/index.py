"""Reading and writing at positions that an integer array holds, and parts of matrices.

`gather` and `scatter...` look at ranges, and do nothing where an index is outside. The others read and write wherever
the index says, so their callers ask `within` first (`_ops/positions.py`). Positions are made unsigned: Numba tests
signed ones for being negative.
"""

import numpy as np
from numba import njit

from .inlined import copy, flat, maximum, minimum
from .inner import inner

FEW = 8  # elements of a row that are not worth a call
u8 = np.uint64
WRITE, ADD, MULTIPLY = range(3)


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


# Those along a dimension take contiguous arrays of any dimensions, to reshape which would take as long as the call, for
# x[n, p, t]: n counts what comes before `dim` and t what comes after. _nrt: see `OPTIONS` in cache.py.
@inner()
def _around(shape, dim):
    """How many n and t there are."""
    before, after = u8(1), u8(1)
    for k in range(len(shape)):
        if k < dim:
            before *= u8(shape[k])
        elif k > dim:
            after *= u8(shape[k])
    return before, after


@inner()
def _all_within(index, size):
    outside = False
    for i in range(index.size):
        outside |= u8(index[i]) >= size
    return not outside


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def select(x, dim, positions, out):
    """out[n, m, t] = x[n, positions[m], t] for the flat positions; returns whether all of them are in range."""
    before, after = _around(x.shape, dim)
    given, places, made = flat(x), flat(positions), flat(out)
    size, count, to = u8(x.shape[dim]), u8(positions.size), u8(0)
    if not _all_within(places, size):
        return False
    for n in range(before):
        first = n * size
        if after == 1:
            for m in range(count):
                made[to + m] = given[first + u8(places[m])]
            to += count
            continue
        for m in range(count):
            row = (first + u8(places[m])) * after
            if after < FEW:
                for t in range(after):
                    made[to + t] = given[row + t]
            else:
                copy(given, row, made, to, after)
            to += after
    return True


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def pick(rows, index, out):
    """out[i] = rows[i, index[i]]; the indices are in range."""
    for i in range(u8(index.size)):
        out[i] = rows[i, u8(index[i])]


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def gather(x, dim, index, out):
    """out[n, m, t] = x[n, index[n, m, t], t]; returns whether all indices are in range."""
    before, after = _around(index.shape, dim)
    given, places, made = flat(x), flat(index), flat(out)
    size, count, at = u8(x.shape[dim]), u8(index.shape[dim]), u8(0)
    if not _all_within(places, size):
        return False
    for n in range(before):
        first = n * size
        if after == 1:
            for m in range(at, at + count):
                made[m] = given[first + u8(places[m])]
            at += count
            continue
        for _ in range(count):
            for t in range(after):
                made[at + t] = given[(first + u8(places[at + t])) * after + t]
            at += after
    return True


@inner()
def _put(made, to, value, how):
    if how == ADD:
        made[to] += value
    elif how == MULTIPLY:
        made[to] *= value
    else:
        made[to] = value


@inner()
def _scattered(dest, dim, index, src, how):
    """`scatter`; `how` is a constant of each kernel, so no loop has a branch."""
    before, after = _around(index.shape, dim)
    made, places, given = flat(dest), flat(index), flat(src)
    size, count, at = u8(dest.shape[dim]), u8(index.shape[dim]), u8(0)
    if not _all_within(places, size):
        return False
    for n in range(before):
        first = n * size
        if after == 1:
            for m in range(at, at + count):
                _put(made, first + u8(places[m]), given[m], how)
            at += count
            continue
        for _ in range(count):
            for t in range(after):
                _put(made, (first + u8(places[at + t])) * after + t, given[at + t], how)
            at += after
    return True


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def scatter(dest, dim, index, src):
    """dest[n, index[n, m, t], t] = src[n, m, t]; of several the last wins. Returns whether all indices are in range."""
    return _scattered(dest, dim, index, src, WRITE)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def scatter_add(dest, dim, index, src):
    """dest[n, index[n, m, t], t] += src[n, m, t]; returns whether all indices are in range."""
    return _scattered(dest, dim, index, src, ADD)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def scatter_multiply(dest, dim, index, src):
    """dest[n, index[n, m, t], t] *= src[n, m, t]; returns whether all indices are in range."""
    return _scattered(dest, dim, index, src, MULTIPLY)


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


@inner()
def reverse_items(x, width, unit, out):
    for start in range(u8(0), u8(x.size), width * unit):
        last = start + (width - u8(1)) * unit
        for k in range(width):  # unsigned indices are not tested for being negative, so vectors are taken
            for t in range(unit):
                out[start + k * unit + t] = x[last - k * unit + t]


@njit(cache=True, nogil=True, error_model="numpy")
def reverse_rows(x, width, unit, out):
    """Rows of `width` items of `unit` elements, one after the other in x, each from its last item to its first."""
    if unit == 1:
        reverse_items(x, u8(width), u8(1), out)
    elif unit == 3:
        reverse_items(x, u8(width), u8(3), out)
    else:
        reverse_items(x, u8(width), u8(unit), out)
