"""Softmax and log-softmax over rows or columns, cross-entropy over rows: a pass for maxima, one for exponentials.

Rows are those of a matrix, which a pass goes over as vectors. Columns are the middle of (outer, n, inner); LANES of
them are taken at a time, so that loops run over neighbours in memory and what they read twice stays in the cache.
No exponent is above 0, which saves a bound and a factor; exponentials below the smallest normal number are 0. T is the
arrays' type; nothing is allocated.
"""

import math

import numpy as np
from numba import njit

from .inlined import smaller
from .inner import inner
from .nll_loss import add_up, checked
from .row_vectors import LARGEST, SUM, over_row
from .vector import exp, exp_below_zero, exp_below_zero_of, exp_of

LANES = 128


@over_row(LARGEST)
def row_maximum(x):
    """Any element if one is nan: the sum of exponentials is nan then, whatever is returned."""
    return x


@over_row(SUM, stores=1)
def exponentials(x, dest, m):
    e = exp_below_zero_of(x - m)
    return e, e


@over_row(SUM)
def sum_of_exponentials(x, m):
    return exp_below_zero_of(x - m)


@over_row(stores=1)
def multiply(dest, factor):
    return dest * factor


@over_row(stores=1)
def subtract_both(x, dest, m, logarithm):
    return (x - m) - logarithm


@inner()
def softmax_of_row(x, dest, i, stop):
    s = exponentials(x, dest, i, stop, row_maximum(x, i, stop))
    multiply(dest, i, stop, dest.dtype.type(1) / s)


@njit(cache=True, error_model="numpy", nogil=True)
def softmax(x, dest):
    """dest[i, j] = exp(x[i, j]) / sum over k of exp(x[i, k])."""
    for i in range(x.shape[0]):
        softmax_of_row(x, dest, i, x.shape[1])


@njit(cache=True, error_model="numpy", nogil=True)
def causal_softmax(x, dest, period):
    """`softmax` of the elements up to i % period of each row, and zeros after them."""
    n = x.shape[1]
    for i in range(x.shape[0]):
        stop = smaller(n, i % period + 1)
        softmax_of_row(x, dest, i, stop)
        for j in range(stop, n):
            dest[i, j] = 0


@njit(cache=True, error_model="numpy", nogil=True)
def log_softmax(x, dest):
    """dest[i, j] = x[i, j] - log(sum over k of exp(x[i, k]))."""
    T = dest.dtype.type
    n = x.shape[1]
    for i in range(x.shape[0]):
        m = row_maximum(x, i, n)
        subtract_both(x, dest, i, n, m, T(math.log(sum_of_exponentials(x, i, n, m))))


@over_row(SUM)
def sum_of_products(g, out):
    return g * out


@over_row(stores=1)
def softmax_slopes(g, out, dest, s):
    return (g - s) * out


@njit(cache=True, error_model="numpy", nogil=True)
def softmax_gradient(g, out, dest):
    """dest[i, j] = (g[i, j] - sum over k of g[i, k] * out[i, k]) * out[i, j]"""
    n = g.shape[1]
    for i in range(g.shape[0]):
        softmax_slopes(g, out, dest, i, n, sum_of_products(g, out, i, n))


@over_row(SUM)
def row_sum(g):
    return g


@over_row(stores=1)
def log_softmax_slopes(g, out, dest, s):
    return g - exp_of(out) * s


@njit(cache=True, error_model="numpy", nogil=True)
def log_softmax_gradient(g, out, dest):
    """dest[i, j] = g[i, j] - exp(out[i, j]) * sum over k of g[i, k]"""
    n = g.shape[1]
    for i in range(g.shape[0]):
        log_softmax_slopes(g, out, dest, i, n, row_sum(g, i, n))


@inner()
def column_totals(x, o, start, stop, top, total, dest):
    """top: the largest of each column; total: the sum of its exp(x - top), terms of which go to dest."""
    top[:] = x.dtype.type(-np.inf)
    total[:] = 0
    for i in range(x.shape[1]):
        row = x[o, i, start:stop]
        for k in range(row.size):
            top[k] = row[k] if row[k] > top[k] else top[k]
    for i in range(x.shape[1]):
        row, terms = x[o, i, start:stop], dest[o, i, start:stop]
        for k in range(row.size):
            e = exp_below_zero(row[k] - top[k])
            terms[k] = e
            total[k] += e


@njit(cache=True, error_model="numpy", nogil=True)
def softmax_columns(x, dest, scratch):
    """dest[o, i, k] = exp(x[o, i, k]) / sum over j of exp(x[o, j, k])."""
    outer, n, inner = dest.shape
    for o in range(outer):
        for start in range(0, inner, LANES):
            stop = smaller(inner, start + LANES)
            top, total = scratch[0], scratch[1]
            column_totals(x, o, start, stop, top, total, dest)
            for i in range(n):
                row = dest[o, i, start:stop]
                for k in range(row.size):
                    row[k] /= total[k]


@njit(cache=True, error_model="numpy", nogil=True)
def log_softmax_columns(x, dest, scratch):
    """dest[o, i, k] = x[o, i, k] - log(sum over j of exp(x[o, j, k]))."""
    outer, n, inner = dest.shape
    for o in range(outer):
        for start in range(0, inner, LANES):
            stop = smaller(inner, start + LANES)
            top, total = scratch[0], scratch[1]
            column_totals(x, o, start, stop, top, total, dest)
            for k in range(stop - start):
                total[k] = math.log(total[k])
            for i in range(n):
                source, row = x[o, i, start:stop], dest[o, i, start:stop]
                for k in range(row.size):
                    row[k] = (source[k] - top[k]) - total[k]


@njit(cache=True, error_model="numpy", nogil=True)
def softmax_gradient_columns(g, out, dest, scratch):
    """dest = (g - sum over the column of g * out) * out."""
    outer, n, inner = dest.shape
    for o in range(outer):
        for start in range(0, inner, LANES):
            stop = smaller(inner, start + LANES)
            s = scratch[0]
            s[:] = 0
            for i in range(n):
                source, values = g[o, i, start:stop], out[o, i, start:stop]
                for k in range(source.size):
                    s[k] += source[k] * values[k]
            for i in range(n):
                source, values, row = g[o, i, start:stop], out[o, i, start:stop], dest[o, i, start:stop]
                for k in range(row.size):
                    row[k] = (source[k] - s[k]) * values[k]


@njit(cache=True, error_model="numpy", nogil=True)
def log_softmax_gradient_columns(g, out, dest, scratch):
    """dest = g - exp(out) * sum over the column of g."""
    outer, n, inner = dest.shape
    for o in range(outer):
        for start in range(0, inner, LANES):
            stop = smaller(inner, start + LANES)
            s = scratch[0]
            s[:] = 0
            for i in range(n):
                source = g[o, i, start:stop]
                for k in range(source.size):
                    s[k] += source[k]
            for i in range(n):
                source, values, row = g[o, i, start:stop], out[o, i, start:stop], dest[o, i, start:stop]
                for k in range(row.size):
                    row[k] = source[k] - exp(values[k]) * s[k]


@njit(cache=True, error_model="numpy", nogil=True)
def cross_entropy(x, target, weight, ignore, factor, losses, slopes):
    """losses[i] = weight[t] * (log(sum over j of exp(x[i, j])) - x[i, t]) with t = target[i]; 0 where t is ignored.

    slopes, if it has rows, takes factor times the gradient: weight[t] * (softmax(x[i])[j] - [j == t]) for x[i, j]. A
    weight without elements stands for ones.
    """
    T = x.dtype.type
    n = x.shape[1]
    for i in range(x.shape[0]):
        t = target[i]
        if t == ignore:
            losses[i] = 0
            if slopes.shape[0]:
                slopes[i] = 0
            continue
        w = weight[t] if weight.size else T(1)
        m = row_maximum(x, i, n)
        if slopes.shape[0]:
            s = exponentials(x, slopes, i, n, m)
            scale = T(factor) * w
            multiply(slopes, i, n, scale / s)
            slopes[i, t] -= scale
        else:
            s = sum_of_exponentials(x, i, n, m)
        losses[i] = w * (T(math.log(s)) + m - x[i, t])


@njit(cache=True, error_model="numpy", nogil=True)
def cross_entropy_of_all(x, target, weight, ignore, is_mean, losses, slopes, loss):
    """`cross_entropy`, slopes of the sum of the losses or their mean; loss[0], if it is there, takes that.

    Returns the number of the first target outside the classes, which ends it, else -1.
    """
    used, bad = checked(target, weight, ignore, x.shape[1])
    if bad < 0:
        divisor = used if is_mean else 1.0
        cross_entropy(x, target, weight, ignore, 1.0 / divisor, losses, slopes)
        if loss.size:
            add_up(losses, divisor, loss)
    return bad
