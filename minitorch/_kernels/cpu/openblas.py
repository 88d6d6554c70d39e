"""LAPACK's functions that numpy.linalg lacks, or has in double precision only, from the OpenBLAS that NumPy brings.

Matrices lie by columns. Each function takes (..., m, n), and returns None where NumPy uses another library or where the
matrices are so small that a call for each costs more than it saves: `lapack.py` has another way then.
"""

import ctypes
import functools
from math import prod

import numpy as np

from minitorch._kernels.copies import contiguous, copy, in_order

from . import threads

LEAST = 1 << 10  # elements of a matrix, or operations on it, from which a call of 1 us is worth it
_ROW_MAJOR, _COLUMN_MAJOR, _LEFT, _UPPER, _LOWER = 101, 102, 141, 121, 122
_PLAIN, _TRANSPOSED, _OTHER_DIAGONAL, _UNIT_DIAGONAL = 111, 112, 131, 132


@functools.cache
def _function(name, dtype):
    """A function with integers of 64 bits; `name` has a hole for the letter of the precision."""
    found = threads.blas(name.format({"f": "s", "d": "d"}[dtype]))
    return found if found and found.__name__.endswith("64_") else None


def _long(n):
    return ctypes.c_int64(n)


def _number(value, dtype):
    return (ctypes.c_float if dtype == "f" else ctypes.c_double)(value)


def _addresses(a, count):
    """Where each of `count` parts of a contiguous array begins."""
    start, step = a.ctypes.data, a.nbytes // count if count else 0
    return [ctypes.c_void_p(start + i * step) for i in range(count)]


def _by_columns(a, rows=0):
    """A copy of the matrices as (batch, columns, rows), in memory with at least so many rows, the rest zeros."""
    *lead, m, n = a.shape
    out = np.zeros((prod(lead), n, rows), a.dtype) if rows > m else np.empty((prod(lead), n, m), a.dtype)
    copy(out[:, :, :m], a.reshape(-1, m, n).swapaxes(-1, -2))
    return out


def cholesky(a, upper):
    """(L, or U, laid out by columns, info) of symmetric matrices, of which that triangle is read."""
    *lead, n, _ = a.shape
    potrf = _function("LAPACKE_{}potrf_work", a.dtype.char)
    if potrf is None or n * n < LEAST:
        return None
    x, triangle, size = _by_columns(a), ctypes.c_char(b"U" if upper else b"L"), _long(n)
    info = [potrf(_COLUMN_MAJOR, triangle, size, one, size) for one in _addresses(x, len(x))]
    np.copyto(x, 0, where=_other_triangle(n, upper))
    return x.swapaxes(-1, -2).reshape(a.shape), np.array(info, np.int32).reshape(lead)


@functools.lru_cache(8)
def _other_triangle(n, upper):
    """Where columns of a triangular matrix, one after the other, hold its zeros."""
    below = np.tri(n, k=-1, dtype=np.bool_)
    return below.T if upper else below


def lu(a):
    """(L and U in one array, int32 pivots counted from 1, info), by partial pivoting."""
    *lead, m, n = a.shape
    getrf = _function("LAPACKE_{}getrf_work", a.dtype.char)
    if getrf is None or m * n < LEAST:
        return None
    x, k = _by_columns(a), min(m, n)
    pivots = np.empty((len(x), k), np.int64)
    sizes = _COLUMN_MAJOR, _long(m), _long(n)
    info = [
        getrf(*sizes, one, _long(m), swaps)
        for one, swaps in zip(_addresses(x, len(x)), _addresses(pivots, len(x)), strict=True)
    ]
    shown = np.array(info, np.int32).reshape(lead)
    return x.swapaxes(-1, -2).reshape(a.shape), pivots.astype(np.int32).reshape(*lead, k), shown


def solve_triangular(a, b, upper, unit):
    """x with a @ x = b; only the triangle that `upper` says, and with `unit` not even the diagonal, of a is read."""
    *lead, n, columns = b.shape
    trsm = _function("cblas_{}trsm", a.dtype.char)
    if trsm is None or n * n * columns < LEAST:
        return None
    turned = a.swapaxes(-1, -2).flags.c_contiguous and not a.flags.c_contiguous
    stored = a.swapaxes(-1, -2) if turned else contiguous(a)
    x = in_order(b)
    batch = prod(lead)
    flags = (
        _ROW_MAJOR, _LEFT, _UPPER if upper != turned else _LOWER, _TRANSPOSED if turned else _PLAIN,
        _UNIT_DIAGONAL if unit else _OTHER_DIAGONAL, _long(n), _long(columns), _number(1.0, a.dtype.char),
    )  # fmt: skip
    for one, made in zip(_addresses(stored, batch), _addresses(x, batch), strict=True):
        trsm(*flags, one, _long(n), made, _long(columns))
    return x


def qr(a, columns):
    """(Q with so many columns, R) of the Householder reflections of a, in a's own precision."""
    *lead, m, n = a.shape
    char, k = a.dtype.char, min(m, n)
    geqrf, orgqr = (_function(f"LAPACKE_{{}}{name}_work", char) for name in ("geqrf", "orgqr"))
    if geqrf is None or orgqr is None or m * n < LEAST or char == "d":  # of which numpy.linalg takes whole batches
        return None
    x, factor = _by_columns(a), np.empty(k, a.dtype)
    q = np.empty((len(x), columns, m), a.dtype)
    room = np.empty(64 * max(n, columns, 1), a.dtype)
    (tau,), (work,), length = _addresses(factor, 1), _addresses(room, 1), _long(room.size)
    for i, (one, made) in enumerate(zip(_addresses(x, len(x)), _addresses(q, len(x)), strict=True)):
        geqrf(_COLUMN_MAJOR, _long(m), _long(n), one, _long(m), tau, work, length)
        q[i, :k] = x[i, :k]
        orgqr(_COLUMN_MAJOR, _long(m), _long(columns), _long(k), made, _long(m), tau, work, length)
    r = np.triu(x.swapaxes(-1, -2)[:, :columns])
    return q.swapaxes(-1, -2).reshape(*lead, m, columns), r.reshape(*lead, columns, n)


def least_squares(a, b, rcond):
    """(x of least norm that minimises the norm of a @ x - b, rank), by complete orthogonal factors; a, b are finite."""
    *lead, m, n = a.shape
    columns, char = b.shape[-1], a.dtype.char
    gelsy = _function("LAPACKE_{}gelsy_work", char)
    if gelsy is None:
        return None
    rows, x, k = max(m, n), _by_columns(a), min(m, n)
    y = _by_columns(b, rows)
    order, ranks = np.empty(n, np.int64), np.zeros(len(x), np.int64)
    room = np.empty(max(k + 2 * n + 64 * (n + 1), 2 * k + 64 * columns) + 64 * rows, a.dtype)
    (places,), (work,) = _addresses(order, 1), _addresses(room, 1)
    sizes = _COLUMN_MAJOR, _long(m), _long(n), _long(columns)
    starts = (_addresses(made, len(x)) for made in (x, y, ranks))
    least, length = _number(rcond, char), _long(room.size)
    for one, right, rank in zip(*starts, strict=True):
        order.fill(0)
        gelsy(*sizes, one, _long(m), right, _long(rows), places, least, rank, work, length)
    return y.swapaxes(-1, -2)[:, :n].reshape(*lead, n, columns), ranks.reshape(lead)
