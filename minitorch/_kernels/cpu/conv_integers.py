"""Convolution of integers, tap by tap in NumPy, with arguments as in `conv.py`: sums wrap around as torch's do."""

from math import prod

import numpy as np


def convolution(x, w, bias, stride, padding, dilation, groups, out):
    """out[n, k, i, j] = bias[k] + sum over c, r, s of w[k, c, r, s] * x[n, c, i', j']."""
    padded = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    out[...] = 0 if bias is None else bias.reshape(-1, *(1,) * (out.ndim - 2))
    for c, k in _groups(w, groups):
        for tap, window in _taps(w, out.shape[2:], stride, dilation):
            seen = padded[(slice(None), c, *window)]
            product = w[(k, slice(None), *tap)] @ seen.reshape(*seen.shape[:2], prod(out.shape[2:]))
            out[:, k] += product.reshape(out[:, k].shape)


def convolution_transpose(g, w, bias, stride, padding, dilation, groups, out):
    """out[n, c, i', j'] = bias[c] + sum over k, r, s of g[n, k, i, j] * w[k, c, r, s]."""
    padded = np.zeros((*out.shape[:2], *(n + 2 * p for n, p in zip(out.shape[2:], padding, strict=True))), out.dtype)
    for c, k in _groups(w, groups):
        source = g[:, k].reshape(len(g), k.stop - k.start, prod(g.shape[2:]))
        for tap, window in _taps(w, g.shape[2:], stride, dilation):
            reached = padded[(slice(None), c, *window)]
            reached += (w[(k, slice(None), *tap)].T @ source).reshape(reached.shape)
    inner = tuple(slice(p, p + n) for n, p in zip(out.shape[2:], padding, strict=True))
    out[...] = padded[(slice(None), slice(None), *inner)]
    if bias is not None:
        out += bias.reshape(-1, *(1,) * (out.ndim - 2))


def _groups(w, groups):
    """Input and output channels of each group, as slices."""
    inputs, outputs = w.shape[1], w.shape[0] // groups
    for i in range(groups):
        yield slice(i * inputs, (i + 1) * inputs), slice(i * outputs, (i + 1) * outputs)


def _taps(w, outputs, stride, dilation):
    """Each tap of the filter and the slices of a padded image that it meets."""
    for tap in np.ndindex(*w.shape[2:]):
        axes = zip(tap, outputs, stride, dilation, strict=True)
        yield tap, [slice(r * d, r * d + (n - 1) * s + 1, s) for r, n, s, d in axes]
