"""Softmax and log-softmax over rows or columns, cross-entropy over rows: a pass for maxima, one for exponentials.

Rows are those of a matrix. Columns are the middle of (outer, n, inner); LANES of them are taken at a time, so that
loops run over neighbours in memory and what they read twice stays in the cache.
Sums may be taken in any order, so that LLVM uses vector instructions. No exponent is above 0, which saves a bound and a
factor; exponentials below the smallest normal number are 0. T is the arrays' type; nothing is allocated.
"""

import math

import numpy as np
from numba import njit

from .inlined import smaller
from .inner import inner
from .vector import exp, exp_below_zero, larger

LANES = 128


@inner(fastmath={"nnan", "nsz", "reassoc"})
def row_maximum(x, i, stop):
    """The largest x[i, j < stop]. Any if one is nan: the sum of exponentials is nan then, whatever is returned."""
    m = x[i, 0]
    for j in range(1, stop):
        m = larger(x[i, j], m)
    return m


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"reassoc"})
def softmax(x, dest, period):
    """dest[i, j] = exp(x[i, j]) / sum over k of exp(x[i, k]); if period is not 0, only of j and k <= i % period."""
    T = dest.dtype.type
    n = x.shape[1]
    for i in range(x.shape[0]):
        stop = smaller(n, i % period + 1) if period else n
        m, s = row_maximum(x, i, stop), T(0)
        for j in range(stop):
            e = exp_below_zero(x[i, j] - m)
            dest[i, j] = e
            s += e
        r = T(1) / s
        for j in range(stop):
            dest[i, j] *= r
        for j in range(stop, n):
            dest[i, j] = T(0)


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"reassoc"})
def log_softmax(x, dest):
    """dest[i, j] = x[i, j] - log(sum over k of exp(x[i, k]))."""
    T = dest.dtype.type
    for i in range(x.shape[0]):
        m, s = row_maximum(x, i, x.shape[1]), T(0)
        for j in range(x.shape[1]):
            s += exp_below_zero(x[i, j] - m)
        logarithm = T(math.log(s))
        for j in range(x.shape[1]):
            dest[i, j] = (x[i, j] - m) - logarithm


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"reassoc"})
def softmax_gradient(g, out, dest):
    """dest[i, j] = (g[i, j] - sum over k of g[i, k] * out[i, k]) * out[i, j]"""
    T = dest.dtype.type
    for i in range(g.shape[0]):
        s = T(0)
        for j in range(g.shape[1]):
            s += g[i, j] * out[i, j]
        for j in range(g.shape[1]):
            dest[i, j] = (g[i, j] - s) * out[i, j]


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"reassoc"})
def log_softmax_gradient(g, out, dest):
    """dest[i, j] = g[i, j] - exp(out[i, j]) * sum over k of g[i, k]"""
    T = dest.dtype.type
    for i in range(g.shape[0]):
        s = T(0)
        for j in range(g.shape[1]):
            s += g[i, j]
        for j in range(g.shape[1]):
            dest[i, j] = g[i, j] - exp(out[i, j]) * s


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


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"reassoc"})
def cross_entropy(x, target, weight, ignore, factor, losses, slopes):
    """losses[i] = weight[t] * (log(sum over j of exp(x[i, j])) - x[i, t]) with t = target[i]; 0 where t is ignored.

    slopes, if it has rows, takes factor times the gradient: weight[t] * (softmax(x[i])[j] - [j == t]) for x[i, j]. A
    weight without elements stands for ones.
    """
    T = x.dtype.type
    for i in range(x.shape[0]):
        t = target[i]
        if t == ignore:
            losses[i] = 0
            if slopes.shape[0]:
                slopes[i] = 0
            continue
        w = weight[t] if weight.size else T(1)
        m, s = row_maximum(x, i, x.shape[1]), T(0)
        if slopes.shape[0]:
            for j in range(x.shape[1]):
                e = exp_below_zero(x[i, j] - m)
                slopes[i, j] = e
                s += e
            scale = T(factor) * w
            r = scale / s
            for j in range(x.shape[1]):
                slopes[i, j] *= r
            slopes[i, t] -= scale
        else:
            for j in range(x.shape[1]):
                s += exp_below_zero(x[i, j] - m)
        losses[i] = w * (T(math.log(s)) + m - x[i, t])
