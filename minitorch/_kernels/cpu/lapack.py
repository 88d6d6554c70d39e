"""NumPy's LAPACK in the matrices' own precision, and what it does not offer, on batches of matrices.

The latter are pivoted LU, triangular systems and the matrix exponential: in blocks, so that most of the arithmetic is
a matrix product. Where NumPy brings OpenBLAS, its functions serve instead (`openblas.py`).
"""

import functools
from math import prod

import numpy as np
from numpy.linalg import _umath_linalg as routines  # numpy.linalg's functions themselves take float32 through float64

from minitorch._kernels import cache
from minitorch._kernels.copies import contiguous, in_order

from . import openblas

BLOCK = 32  # columns or rows between two matrix products


@functools.cache
def _kernels():
    return cache.load_file("cpu.triangular")


def call(name, *arrays):
    """NumPy's LAPACK function of that name for arrays of one dtype; numpy.linalg.LinAlgError where it fails."""
    function = getattr(routines, name, None)
    if function is None:  # before NumPy 2.2 there was one for wide matrices and one for tall ones
        m, n = arrays[0].shape[-2:]
        kind, *rest = name.split("_")
        function = getattr(routines, "_".join([kind, "m" if m < n else "n", *rest]))
    chosen = arrays[0].dtype.char * len(arrays)
    signature = next(types for types in function.types if types.startswith(chosen + "->"))
    with np.errstate(call=_failed, invalid="call", over="ignore", divide="ignore", under="ignore"):
        return function(*arrays, signature=signature)


def _failed(error, flag):
    raise np.linalg.LinAlgError


def lu(a):
    """(L and U in one array, int32 pivots counted from 1, info) of (..., m, n) by partial pivoting.

    info is 0, or which diagonal element of U, counted from 1, is the first that is zero.
    """
    found = openblas.lu(a)
    if found is not None:
        return found
    *lead, m, n = a.shape
    k = min(m, n)
    x = np.array(a, order="C").reshape(prod(lead), m, n)
    pivots = np.zeros((x.shape[0], k), np.int32)
    for start in range(0, k, BLOCK):
        stop = min(start + BLOCK, k)
        _kernels().eliminate(x, pivots, start, stop)
        if stop < n:
            _substitute(x[:, start:stop, start:stop], x, start, stop, False, True)
            x[:, stop:, stop:] -= x[:, stop:, start:stop] @ x[:, start:stop, stop:]
    zero = np.diagonal(x, axis1=-2, axis2=-1) == 0
    info = np.where(zero.any(-1), zero.argmax(-1) + 1, 0) if k else np.zeros(x.shape[0])
    return x.reshape(a.shape), pivots.reshape(*lead, k), info.astype(np.int32).reshape(lead)


def _substitute(blocks, x, start, column, upper, unit):
    _kernels().substitute(np.array(blocks, order="C"), x, start, column, upper, unit)


def qr(a, complete):
    """(Q, R), in the matrices' own precision; `complete`: Q is square."""
    m, n = a.shape[-2:]
    found = openblas.qr(a, m if complete else min(m, n))
    return np.linalg.qr(a, "complete" if complete else "reduced") if found is None else found


def permutation(pivots, n):
    """The order of n rows after the swaps that pivots (counted from 1) say."""
    *lead, k = pivots.shape
    orders = []
    for swaps in pivots.reshape(prod(lead), k).tolist():
        order = list(range(n))
        for j, row in enumerate(swaps):
            order[j], order[row - 1] = order[row - 1], order[j]
        orders.append(order)
    return np.array(orders, np.int64).reshape(*lead, n)


def solve_triangular(a, b, upper, unit):
    """x with a @ x = b; only the triangle that `upper` says, and with `unit` not even the diagonal, of a is read."""
    found = openblas.solve_triangular(a, b, upper, unit)
    if found is not None:
        return found
    *lead, n, columns = b.shape
    batch = prod(lead)
    x = np.array(b, order="C").reshape(batch, n, columns)
    a = a.reshape(batch, n, n)
    starts = range(0, n, BLOCK)
    for start in reversed(starts) if upper else starts:
        stop = min(start + BLOCK, n)
        known = slice(stop, n) if upper else slice(0, start)
        if known.start < known.stop:
            x[:, start:stop] -= a[:, start:stop, known] @ x[:, known]
        _substitute(a[:, start:stop, start:stop], x, start, 0, upper, unit)
    return x.reshape(b.shape)


def cholesky(a, upper):
    """(L, or U, laid out by columns, info) of symmetric matrices, of which that triangle is read.

    info is the order of the first minor that is not positive definite, else 0.
    """
    found = openblas.cholesky(a, upper)
    if found is not None and not found[1].any():
        return found
    lower, info = a.swapaxes(-1, -2) if upper else a, np.zeros(a.shape[:-2], np.int32)
    try:
        factor = None if found else call("cholesky_lo", lower)
    except np.linalg.LinAlgError:
        factor = None
    if factor is None:
        factor, info = _partial_cholesky(lower)
    return (contiguous(factor) if upper else in_order(factor.swapaxes(-1, -2))).swapaxes(-1, -2), info


@np.errstate(all="ignore")
def _partial_cholesky(a):
    """(L, info) of matrices that need not be positive definite."""
    *lead, n, _ = a.shape
    x = np.tril(a).reshape(prod(lead), n, n)
    info = np.zeros(x.shape[0], np.int32)
    for i, m in enumerate(x):
        for j in range(n):
            rest = m[j, j] - m[j, :j] @ m[j, :j]
            if not rest > 0:
                info[i] = j + 1
                break
            m[j, j] = np.sqrt(rest)
            m[j + 1 :, j] = (m[j + 1 :, j] - m[j + 1 :, :j] @ m[j, :j]) / m[j, j]
    return x.reshape(a.shape), info.reshape(lead)


# The numerator of the [7/7] or [13/13] Pade approximant of exp, and the norm up to which it is exact to the dtype's
# precision: Higham, "The scaling and squaring method for the matrix exponential revisited", 2005
PADE = {
    "float32": ((17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1), 3.925724783138660),
    "float64": ((64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000,
                 10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1),
                5.371920351148152),
}  # fmt: skip


def matrix_exp(a):
    """exp of (..., n, n) by scaling, a Pade approximant and squaring."""
    *lead, n, _ = a.shape
    numerator, largest = PADE[a.dtype.name]
    x = a.reshape(prod(lead), n, n)
    norm = np.abs(x).sum(-2, dtype=np.float64).max(-1) if x.size else np.zeros(x.shape[0])
    finite = np.isfinite(norm)
    halvings = np.ceil(np.log2(np.maximum(np.where(finite, norm, 0) / largest, 1))).astype(int)
    scale = np.ldexp(1.0, -halvings).astype(a.dtype)
    x = np.where(finite[:, None, None], x, a.dtype.type(0)) * scale[:, None, None]
    odd, even = _odd_and_even(x, [float(c) for c in numerator])
    y = call("solve", even - odd, even + odd)
    for step in range(halvings.max(initial=0)):
        more = np.flatnonzero(halvings > step)
        y[more] = y[more] @ y[more]
    y[~finite] = np.nan
    return y.reshape(a.shape)


def _odd_and_even(x, c):
    """The terms of the polynomial c that have odd and even powers of x: seven of them, or thirteen."""
    eye = np.eye(x.shape[-1], dtype=x.dtype)
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x4 @ x2
    odd = c[7] * x6 + c[5] * x4 + c[3] * x2 + c[1] * eye
    even = c[6] * x6 + c[4] * x4 + c[2] * x2 + c[0] * eye
    if len(c) > 8:
        odd += x6 @ (c[13] * x6 + c[11] * x4 + c[9] * x2)
        even += x6 @ (c[12] * x6 + c[10] * x4 + c[8] * x2)
    return x @ odd, even
