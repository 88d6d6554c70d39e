"""Weighted sums of neighbours along one dimension: average pooling, interpolation and their adjoints."""

from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def map_axis(x, starts, index, weights, out):
    """out[o, i, k] = sum over q from starts[i] to starts[i + 1] of weights[q] * x[o, index[q], k].

    `index` is unsigned, since Numba tests every signed index for being negative. The sum begins with its first
    term, not with zero, so that a copy keeps the sign of -0.0.
    """
    inner = out.shape[2]
    zero = x.dtype.type(0)
    for o in range(out.shape[0]):
        for i in range(out.shape[1]):
            first, last = starts[i], starts[i + 1]
            if first == last:
                for k in range(inner):
                    out[o, i, k] = zero
            elif inner == 1:
                total = weights[first] * x[o, index[first], 0]
                for q in range(first + 1, last):
                    total += weights[q] * x[o, index[q], 0]
                out[o, i, 0] = total
            else:
                for k in range(inner):
                    out[o, i, k] = weights[first] * x[o, index[first], k]
                for q in range(first + 1, last):
                    for k in range(inner):
                        out[o, i, k] += weights[q] * x[o, index[q], k]
