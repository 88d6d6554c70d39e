"""What NumPy's LAPACK does not offer, on batches of matrices: pivoted LU, triangular systems, the matrix exponential.

Plain NumPy: a step works on a whole batch at once, and in blocks, so that most of the arithmetic is a matrix product.
"""

from math import prod

import numpy as np

BLOCK = 32  # columns or rows between two matrix products


def lu(a):
    """(L and U in one array, int32 pivots counted from 1, info) of (..., m, n) by partial pivoting.

    info is 0, or which diagonal element of U, counted from 1, is the first that is zero.
    """
    *lead, m, n = a.shape
    k = min(m, n)
    x = np.array(a, order="C").reshape(prod(lead), m, n)
    pivots = np.zeros((x.shape[0], k), np.int32)
    for start in range(0, k, BLOCK):
        stop = min(start + BLOCK, k)
        for j in range(start, stop):
            _eliminate(x, pivots, j, stop)
        if stop < n:
            _forward(x[:, start:stop, start:stop], x[:, start:stop, stop:], True)
            x[:, stop:, stop:] -= x[:, stop:, start:stop] @ x[:, start:stop, stop:]
    zero = np.diagonal(x, axis1=-2, axis2=-1) == 0
    info = np.where(zero.any(-1), zero.argmax(-1) + 1, 0) if k else np.zeros(x.shape[0])
    return x.reshape(a.shape), pivots.reshape(*lead, k), info.astype(np.int32).reshape(lead)


def _eliminate(x, pivots, j, stop):
    """Bring column j's largest element to the diagonal, and subtract its row from those below up to column `stop`."""
    row = j + np.abs(x[:, j:, j]).argmax(-1)
    pivots[:, j] = row + 1
    moved = np.flatnonzero(row != j)
    if moved.size:
        above = x[moved, j].copy()
        x[moved, j] = x[moved, row[moved]]
        x[moved, row[moved]] = above
    d = x[:, j, j]
    below = x[:, j + 1 :, j]
    below /= np.where(d == 0, d.dtype.type(1), d)[:, None]
    x[:, j + 1 :, j + 1 : stop] -= below[:, :, None] * x[:, j, None, j + 1 : stop]


def permutation(pivots, n):
    """The order of n rows after the swaps that pivots (counted from 1) say."""
    *lead, k = pivots.shape
    batch, flat = np.arange(prod(lead)), pivots.reshape(prod(lead), k)
    order = np.broadcast_to(np.arange(n), (len(batch), n)).copy()
    for j in range(k):
        row = flat[:, j] - 1
        order[batch, j], order[batch, row] = order[batch, row], order[batch, j].copy()
    return order.reshape(*lead, n)


def solve_triangular(a, b, upper, unit):
    """x with a @ x = b; only the triangle that `upper` says, and with `unit` not even the diagonal, of a is read."""
    x = np.array(b, order="C")
    (_backward if upper else _forward)(a, x, unit)
    return x


def _forward(a, x, unit):
    n = a.shape[-1]
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        if start:
            x[..., start:stop, :] -= a[..., start:stop, :start] @ x[..., :start, :]
        for i in range(start, stop):
            if i > start:
                x[..., i, :] -= (a[..., i, None, start:i] @ x[..., start:i, :])[..., 0, :]
            if not unit:
                x[..., i, :] /= a[..., i, i, None]


def _backward(a, x, unit):
    n = a.shape[-1]
    for stop in range(n, 0, -BLOCK):
        start = max(stop - BLOCK, 0)
        if stop < n:
            x[..., start:stop, :] -= a[..., start:stop, stop:] @ x[..., stop:, :]
        for i in range(stop - 1, start - 1, -1):
            if i < stop - 1:
                x[..., i, :] -= (a[..., i, None, i + 1 : stop] @ x[..., i + 1 : stop, :])[..., 0, :]
            if not unit:
                x[..., i, :] /= a[..., i, i, None]


def partial_cholesky(a):
    """(L, info) of matrices that need not be positive definite: info is the order of the first minor that is not."""
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


# the numerator of the [13/13] Pade approximant of exp, and the norm up to which it is exact to double precision:
# Higham, "The scaling and squaring method for the matrix exponential revisited", 2005
PADE = (64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
        670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1)  # fmt: skip
LARGEST = 5.371920351148152


def matrix_exp(a):
    """exp of (..., n, n) by scaling, a Pade approximant and squaring, in double precision."""
    *lead, n, _ = a.shape
    x = np.asarray(a, np.float64).reshape(prod(lead), n, n)
    norm = np.abs(x).sum(-2).max(-1) if x.size else np.zeros(x.shape[0])
    finite = np.isfinite(norm)
    halvings = np.ceil(np.log2(np.maximum(np.where(finite, norm, 0) / LARGEST, 1))).astype(int)
    x = np.where(finite[:, None, None], x, 0) * np.ldexp(1.0, -halvings)[:, None, None]
    eye = np.eye(n)
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x4 @ x2
    c = [float(p) for p in PADE]
    odd = x @ (x6 @ (c[13] * x6 + c[11] * x4 + c[9] * x2) + c[7] * x6 + c[5] * x4 + c[3] * x2 + c[1] * eye)
    even = x6 @ (c[12] * x6 + c[10] * x4 + c[8] * x2) + c[6] * x6 + c[4] * x4 + c[2] * x2 + c[0] * eye
    y = np.linalg.solve(even - odd, even + odd)
    for step in range(halvings.max(initial=0)):
        more = np.flatnonzero(halvings > step)
        y[more] = y[more] @ y[more]
    y[~finite] = np.nan
    return y.reshape(a.shape).astype(a.dtype)
