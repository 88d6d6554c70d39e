"""Reductions of segments of a dimension, and their gradients: see `_ops/segments.py`.

Arrays are (outer, along the dimension, inner). Segment s of row o runs from begins[o, s] to ends[o, s], so segments may
be empty, lie apart and, given by offsets, leave out what comes before the first.
"""

import numpy as np
from numba import njit

from .inner import inner

SUM, MEAN, MAX, MIN, PROD = range(5)


@inner()
def combined(a, x, how):
    if how == PROD:
        return a * x
    if how == MAX:
        return a if a != a or a > x else x
    if how == MIN:
        return a if a != a or a < x else x
    return a + x


@njit(cache=True, error_model="numpy", nogil=True)
def reduce(data, begins, ends, how, initial, of_none, dest):
    """dest = each segment, added to or multiplied by `initial`; `of_none` where it has no elements.

    In float64, since the order of torch's own sums is no better than any other.
    """
    for o in range(begins.shape[0]):
        for s in range(begins.shape[1]):
            begin, end = begins[o, s], ends[o, s]
            for j in range(data.shape[2]):
                a = initial
                for i in range(begin, end):
                    a = combined(a, np.float64(data[o, i, j]), how)
                if how == MEAN:
                    a /= end - begin
                dest[o, s, j] = a if begin < end else of_none


@njit(cache=True, error_model="numpy", nogil=True)
def spread(g, out, data, begins, ends, how, initial, dest):
    """dest, of zeros, = the gradient for the data, of which `out` is the reduction."""
    zero = dest.dtype.type(0)
    for o in range(begins.shape[0]):
        for s in range(begins.shape[1]):
            begin, end = begins[o, s], ends[o, s]
            for j in range(data.shape[2]):
                slope, result = g[o, s, j], out[o, s, j]
                ties = 0
                for i in range(begin, end):
                    x = data[o, i, j]
                    if how == SUM:
                        dest[o, i, j] = slope
                    elif how == MEAN:
                        dest[o, i, j] = slope / (end - begin)
                    elif how == PROD:
                        if x == x and x != zero:
                            dest[o, i, j] = slope * result / x
                        else:
                            others = initial
                            for k in range(begin, end):
                                if k != i:
                                    others *= np.float64(data[o, k, j])
                            dest[o, i, j] = slope * others
                    elif x != x or x == result:
                        dest[o, i, j] = slope
                        ties += 1
                # as in torch, only a positive gradient is shared among equals
                if ties > 1 and slope > zero:
                    for i in range(begin, end):
                        dest[o, i, j] /= ties
