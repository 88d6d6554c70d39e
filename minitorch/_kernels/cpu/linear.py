"""Matrix products too small for BLAS to pay, and the squared error: one compiled loop each.

Arrays in, destination last; nothing is allocated here.
"""

from numba import njit

from .inlined import flat


@njit(cache=True, error_model="numpy", _nrt=False)
def linear(x, w, b, dest):
    """dest[i, j] = b[j] + sum over k of x[i, k] * w[j, k]."""
    for i in range(x.shape[0]):
        for j in range(w.shape[0]):
            s = b[j]
            for k in range(x.shape[1]):
                s += x[i, k] * w[j, k]
            dest[i, j] = s


@njit(cache=True, error_model="numpy", _nrt=False)
def rows_times_matrix(g, w, dest):
    """dest[i, k] = sum over j of g[i, j] * w[j, k]."""
    for i in range(dest.shape[0]):
        for k in range(dest.shape[1]):
            dest[i, k] = 0
        for j in range(w.shape[0]):
            for k in range(w.shape[1]):
                dest[i, k] += g[i, j] * w[j, k]


@njit(cache=True, error_model="numpy", _nrt=False)
def columns_times_matrix(g, x, dest):
    """dest[j, k] = sum over i of g[i, j] * x[i, k]."""
    for j in range(dest.shape[0]):
        for k in range(dest.shape[1]):
            dest[j, k] = 0
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            for k in range(x.shape[1]):
                dest[j, k] += g[i, j] * x[i, k]


@njit(cache=True, error_model="numpy", _nrt=False)
def column_sums(g, dest):
    """dest[j] = sum over i of g[i, j]."""
    for j in range(g.shape[1]):
        dest[j] = 0
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            dest[j] += g[i, j]


@njit(cache=True, error_model="numpy", _nrt=False, fastmath={"reassoc"})
def squared_error(x, y, scale, dest):
    """dest = scale * sum over i of (x[i] - y[i])^2, summed in float64 in any order."""
    a, b, total = flat(x), flat(y), 0.0
    for i in range(a.size):
        d = a[i] - b[i]
        total += d * d
    dest[()] = total * scale


@njit(cache=True, error_model="numpy", _nrt=False)
def squared_error_gradient(g, x, y, scale, dest):
    """dest[i] = 2 * scale * g * (x[i] - y[i]) for a 0-dim g."""
    a, b, d = flat(x), flat(y), flat(dest)
    s = dest.dtype.type(2.0 * scale) * g[()]
    for i in range(a.size):
        d[i] = s * (a[i] - b[i])
