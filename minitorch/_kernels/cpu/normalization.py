"""Normalisation of rows (layer_norm) and of channels (batch_norm). Sums are float64, whatever their order."""

import math

import numpy as np
from numba import njit

from . import inlined
from .inner import inner
from .row_vectors import SUM_IN_DOUBLE, over_row
from .vector import muladd


@over_row(SUM_IN_DOUBLE, SUM_IN_DOUBLE)
def moments(x, first):
    """The sums of what is above the first element, and of the squares of that."""
    d = x.to("f8") - first
    return d, d * d


@over_row(stores=1)
def normalise(x, w, b, out, m, r):
    return muladd((x - m) * r, w, b)


@njit(cache=True, nogil=True, error_model="numpy")
def layer_norm(x, w, b, eps, out, mean, rstd):
    """out[i, j] = (x[i, j] - mean[i]) * rstd[i] * w[j] + b[j]; one pass over a row for both moments, from its first."""
    T = out.dtype.type
    n = x.shape[1]
    for i in range(x.shape[0]):
        first = np.float64(x[i, 0])
        s, q = moments(x, i, n, first)
        s /= n
        variance = q / n - s * s
        if variance < 0.0:
            variance = 0.0
        mean[i, 0] = m = T(first + s)
        rstd[i, 0] = r = T(1.0 / math.sqrt(variance + eps))
        normalise(x, w, b, out, i, n, m, r)


@over_row(SUM_IN_DOUBLE, SUM_IN_DOUBLE)
def sums_with_weight(g, x, w, m):
    e = g * w
    return e, e * (x - m)


@over_row(stores=1)
def input_slopes(g, x, w, dx, m, r, a, k):
    return r * (g * w - a - (x - m) * k)


@over_row(stores=2)
def add_row(g, x, dw, db, m, r):
    return dw + (g * ((x - m) * r)).to("f8"), db + g.to("f8")


@over_row(stores=2)
def add_four_rows(g0, g1, g2, g3, x0, x1, x2, x3, dw, db, m0, m1, m2, m3, r0, r1, r2, r3):
    """Their sum is made in the arrays' own dtype: dw and db of float64 are read and written once."""
    xhat0, xhat1, xhat2, xhat3 = (x0 - m0) * r0, (x1 - m1) * r1, (x2 - m2) * r2, (x3 - m3) * r3
    four = muladd(g0, xhat0, g1 * xhat1) + muladd(g2, xhat2, g3 * xhat3)
    return dw + four.to("f8"), db + ((g0 + g1) + (g2 + g3)).to("f8")


@njit(cache=True, nogil=True, error_model="numpy")
def layer_norm_gradients(g, x, w, mean, rstd, dx, dw, db):
    """dx = rstd * (g * w - mean(g * w) - xhat * mean(g * w * xhat)), xhat = (x - mean) * rstd

    dw[j] += g[i, j] * xhat[i, j] and db[j] += g[i, j], both of float64; not if they are empty.
    """
    T = dx.dtype.type
    rows, n = x.shape
    for i in range(rows):
        m, r = mean[i, 0], rstd[i, 0]
        s, q = sums_with_weight(g, x, w, i, n, m)
        input_slopes(g, x, w, dx, i, n, m, r, T(s / n), T(q / n * np.float64(r) * np.float64(r)))
        if dw.size and i % 4 == 3:
            add_four_rows(
                g[i - 3], g[i - 2], g[i - 1], g[i], x[i - 3], x[i - 2], x[i - 1], x[i], dw, db, i, n,
                mean[i - 3, 0], mean[i - 2, 0], mean[i - 1, 0], m, rstd[i - 3, 0], rstd[i - 2, 0], rstd[i - 1, 0], r,
            )  # fmt: skip
    for i in range(rows - rows % 4 if dw.size else rows, rows):
        add_row(g, x, dw, db, i, n, mean[i, 0], rstd[i, 0])


@njit(cache=True, nogil=True, error_model="numpy")
def layer_norm_gradients_of_all(g, x, w, mean, rstd, dx, sums, dw, db):
    """`layer_norm_gradients` with dw and db in any dtype; sums (2, columns) of float64 is room."""
    for j in range(dw.size):
        sums[0, j] = sums[1, j] = 0.0
    layer_norm_gradients(g, x, w, mean, rstd, dx, sums[0], sums[1])
    for j in range(dw.size):
        dw[j] = sums[0, j]
        db[j] = sums[1, j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def squares_about_mean(x, s, q, out):
    """out[o, k] = sum over i of (x[o, i, k] - mean[o, k]) ** 2; s and q of float64 hold a row of k.

    One pass, from the first element: its square is at most n times the variance, so that nothing is lost in float64,
    and equal values have none.
    """
    outer, n, inner = x.shape
    for o in range(outer):
        if inner == 1:
            first = np.float64(x[o, 0, 0])
            a, b = 0.0, 0.0
            for i in range(n):
                d = np.float64(x[o, i, 0]) - first
                a += d
                b += d * d
            e = b - a * a / n
            out[o, 0] = e if e > 0.0 or e != e else 0.0
            continue
        for k in range(inner):
            s[k] = 0.0
            q[k] = 0.0
        for i in range(n):
            for k in range(inner):
                d = np.float64(x[o, i, k]) - np.float64(x[o, 0, k])
                s[k] += d
                q[k] += d * d
        for k in range(inner):
            e = q[k] - s[k] * s[k] / n
            out[o, k] = e if e > 0.0 or e != e else 0.0


@over_row(SUM_IN_DOUBLE, SUM_IN_DOUBLE)
def sums_from(g, x, origin):
    e = g.to("f8")
    return e, e * (x.to("f8") - origin)


@over_row(stores=1)
def affine(x, out, m, a, b):
    return (x - m) * a + b


@over_row(stores=1)
def affine_of_two(g, x, dx, m, a, k, b):
    return g * a + (x - m) * k + b


# Channels are the middle of (N, C, L). With L of 1 they are the innermost loop that can be made vector code.
@njit(cache=True, nogil=True, error_model="numpy")
def channel_sums(g, x, origin, s, q):
    """s[c] += g[n, c, l], q[c] += g[n, c, l] * (x[n, c, l] - origin[c]), both of float64"""
    N, C, L = x.shape
    for n in range(N):
        if L == 1:
            for c in range(C):
                s[c] += np.float64(g[n, c, 0])
                q[c] += np.float64(g[n, c, 0]) * (np.float64(x[n, c, 0]) - origin[c])
        else:
            for c in range(C):
                a, b = sums_from(g[n], x[n], c, L, origin[c])
                s[c] += a
                q[c] += b


@njit(cache=True, nogil=True, error_model="numpy")
def channel_affine(x, mean, scale, offset, out):
    """out[n, c, l] = (x[n, c, l] - mean[c]) * scale[c] + offset[c]"""
    N, C, L = x.shape
    for n in range(N):
        if L == 1:
            for c in range(C):
                out[n, c, 0] = (x[n, c, 0] - mean[c]) * scale[c] + offset[c]
        else:
            for c in range(C):
                affine(x[n], out[n], c, L, mean[c], scale[c], offset[c])


@njit(cache=True, nogil=True, error_model="numpy")
def batch_norm(x, weight, bias, eps, sums, scale, mean, var, out):
    """out = (x - mean) / sqrt(var + eps) * weight + bias, by each channel's moments; sums (3, C) of float64 is room."""
    origin, s, q = sums[0], sums[1], sums[2]
    N, C, L = x.shape
    for c in range(C):
        origin[c] = x[0, c, 0]
        s[c] = 0.0
        q[c] = 0.0
    channel_sums(x, x, origin, s, q)
    for c in range(C):
        m = s[c] / (N * L)
        v = q[c] / (N * L) - m * (m - origin[c])
        v = 0.0 if v < 0.0 else v
        mean[c] = m
        var[c] = v
        scale[c] = weight[c] / np.sqrt(v + eps)
    channel_affine(x, mean, scale, bias, out)


@inner()
def toward(x, y, weight, rest):
    """x + weight * (y - x), from the nearer end as in `lerp`; rest is weight - 1."""
    if abs(weight) < 0.5:
        return inlined.muladd(weight, y - x, x)
    return inlined.muladd(rest, y - x, y)


@njit(cache=True, nogil=True, error_model="numpy")
def update_running(running_mean, running_var, mean, var, momentum, factor):
    """The running moments, in place, toward the mean and factor times the variance."""
    T = mean.dtype.type
    weight, rest = T(momentum), T(momentum) - T(1)
    for c in range(mean.size):
        running_mean[c] = toward(running_mean[c], mean[c], weight, rest)
        running_var[c] = toward(running_var[c], T(var[c] * T(factor)), weight, rest)


@njit(cache=True, nogil=True, error_model="numpy")
def channel_gradient(g, x, mean, scale, slope, offset, dx):
    """dx[n, c, l] = g[n, c, l] * scale[c] + (x[n, c, l] - mean[c]) * slope[c] + offset[c]"""
    N, C, L = x.shape
    for n in range(N):
        if L == 1:
            for c in range(C):
                dx[n, c, 0] = g[n, c, 0] * scale[c] + (x[n, c, 0] - mean[c]) * slope[c] + offset[c]
        else:
            for c in range(C):
                affine_of_two(g[n], x[n], dx[n], c, L, mean[c], scale[c], slope[c], offset[c])


@njit(cache=True, nogil=True, error_model="numpy")
def gradient_factors(total, product, weight, mean, var, n, eps, scale, slope, offset):
    """What channel_gradient multiplies by, of the sums over n elements of g, and of g * (x - mean)."""
    for c in range(total.size):
        square = 1.0 / (np.float64(var[c]) + eps)
        factor = weight[c] * np.sqrt(square)
        scale[c] = factor
        slope[c] = -factor * square * product[c] / n
        offset[c] = -factor * total[c] / n


@njit(cache=True, nogil=True, error_model="numpy")
def parameter_slopes(total, product, var, eps, dw, db):
    """The gradients of weights and biases: product / sqrt(var + eps), and the total."""
    for c in range(total.size):
        dw[c] = product[c] / np.sqrt(np.float64(var[c]) + eps)
        db[c] = total[c]


@njit(cache=True, nogil=True, error_model="numpy")
def batch_norm_gradients(g, x, weight, mean, var, eps, sums, factors, dx, dw, db):
    """The gradients of all three, x and dx (N, C, L); sums (3, C) of float64 and factors (3, C) are room."""
    origin, total, product = sums[0], sums[1], sums[2]
    N, C, L = x.shape
    for c in range(C):
        origin[c] = mean[c]
        total[c] = product[c] = 0.0
    channel_sums(g, x, origin, total, product)
    gradient_factors(total, product, weight, mean, var, N * L, eps, factors[0], factors[1], factors[2])
    channel_gradient(g, x, mean, factors[0], factors[1], factors[2], dx)
    parameter_slopes(total, product, var, eps, dw, db)


# Samples are (A, C, B) each: (1, channels, elements), or (elements, channels, 1) where channels are beside each other.
@njit(cache=True, nogil=True, error_model="numpy")
def group_norm(x, weight, bias, eps, sums, factors, mean, rstd, out):
    """out (N, A, C, B) = x, each group of channels by its moments, mean and 1 / deviation of which are (N, groups).

    sums (N, 3, C) of float64 and factors (N, 2, C) are room.
    """
    N, A, C, B = x.shape
    each, count = C // mean.shape[1], A * B
    for n in range(N):
        origin, s, q = sums[n, 0], sums[n, 1], sums[n, 2]
        for c in range(C):
            origin[c] = x[n, 0, c, 0]
            s[c] = 0.0
            q[c] = 0.0
        channel_sums(x[n], x[n], origin, s, q)
        for k in range(mean.shape[1]):
            m, v = 0.0, 0.0
            for c in range(k * each, (k + 1) * each):
                m += s[c] / count
            m /= each
            for c in range(k * each, (k + 1) * each):
                own = s[c] / count
                v += q[c] / count - own * (own - origin[c]) + (own - m) ** 2
            v = 0.0 if v < 0.0 else v / each
            r = 1.0 / np.sqrt(v + eps)
            mean[n, k] = m
            rstd[n, k] = r
            for c in range(k * each, (k + 1) * each):
                factors[n, 0, c] = m
                factors[n, 1, c] = r * weight[c]
        channel_affine(x[n], factors[n, 0], factors[n, 1], bias, out[n])


@njit(cache=True, nogil=True, error_model="numpy")
def group_norm_sums(g, x, mean, sums):
    """sums[n] = the mean of each channel's group, and the channel's sums of g and of g * (x - mean); (N, 3, C)."""
    N, C = x.shape[0], x.shape[2]
    each = C // mean.shape[1]
    for n in range(N):
        for c in range(C):
            sums[n, 0, c] = mean[n, c // each]
            sums[n, 1, c] = 0.0
            sums[n, 2, c] = 0.0
        channel_sums(g[n], x[n], sums[n, 0], sums[n, 1], sums[n, 2])


@njit(cache=True, nogil=True, error_model="numpy")
def group_norm_gradient(g, x, weight, rstd, sums, factors, dx):
    """The gradient for x of `group_norm`, by the sums of `group_norm_sums`; factors (N, 4, C) is room."""
    N, A, C, B = x.shape
    each = C // rstd.shape[1]
    for n in range(N):
        for k in range(rstd.shape[1]):
            total, product = 0.0, 0.0
            for c in range(k * each, (k + 1) * each):
                total += sums[n, 1, c] * weight[c]
                product += sums[n, 2, c] * weight[c]
            r = np.float64(rstd[n, k]) / (each * A * B)
            for c in range(k * each, (k + 1) * each):
                factors[n, 0, c] = sums[n, 0, c]
                factors[n, 1, c] = rstd[n, k] * weight[c]
                factors[n, 2, c] = -r * np.float64(rstd[n, k]) ** 2 * product
                factors[n, 3, c] = -r * total
        channel_gradient(g[n], x[n], factors[n, 0], factors[n, 1], factors[n, 2], factors[n, 3], dx[n])
