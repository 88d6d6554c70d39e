"""Plain loops that hand-written kernels must agree with, one twin per kernel."""

import numpy as np


def _windows(x, kernel, outputs, stride, padding, dilation):
    """(i, j, r, s, h, w) of every tap of every output that falls inside x."""
    for i, j in np.ndindex(*outputs):
        for r, s in np.ndindex(*kernel):
            h = i * stride[0] - padding[0] + r * dilation[0]
            w = j * stride[1] - padding[1] + s * dilation[1]
            if 0 <= h < x.shape[2] and 0 <= w < x.shape[3]:
                yield i, j, r, s, h, w


def conv2d(x, w, bias, stride, padding, dilation, groups, out):
    out[...] = 0 if bias is None else bias[:, None, None]
    inputs, outputs = w.shape[1], w.shape[0] // groups
    for i, j, r, s, h, v in _windows(x, w.shape[2:], out.shape[2:], stride, padding, dilation):
        for k in range(w.shape[0]):
            first = k // outputs * inputs
            for c in range(inputs):
                out[:, k, i, j] += w[k, c, r, s] * x[:, first + c, h, v]


def conv2d_backward_input(g, w, stride, padding, dilation, groups, dx):
    dx[...] = 0
    inputs, outputs = w.shape[1], w.shape[0] // groups
    for i, j, r, s, h, v in _windows(dx, w.shape[2:], g.shape[2:], stride, padding, dilation):
        for k in range(w.shape[0]):
            first = k // outputs * inputs
            for c in range(inputs):
                dx[:, first + c, h, v] += w[k, c, r, s] * g[:, k, i, j]


def conv2d_backward_weight(g, x, stride, padding, dilation, groups, dw):
    dw[...] = 0
    inputs, outputs = dw.shape[1], dw.shape[0] // groups
    for i, j, r, s, h, v in _windows(x, dw.shape[2:], g.shape[2:], stride, padding, dilation):
        for k in range(dw.shape[0]):
            first = k // outputs * inputs
            for c in range(inputs):
                dw[k, c, r, s] += np.dot(g[:, k, i, j], x[:, first + c, h, v])


def conv2d_backward_bias(g, db):
    for k in range(g.shape[1]):
        db[k] = g[:, k].sum()


def max_pool2d(x, kernel, stride, padding, dilation, out, indices):
    seen = np.zeros(out.shape[2:], bool)
    for i, j, _, _, h, w in _windows(x, kernel, out.shape[2:], stride, padding, dilation):
        value, best = x[:, :, h, w], out[:, :, i, j]
        wins = (value > best) | (value != value) | (not seen[i, j])
        out[:, :, i, j] = np.where(wins, value, best)
        indices[:, :, i, j] = np.where(wins, h * x.shape[3] + w, indices[:, :, i, j])
        seen[i, j] = True


def max_pool2d_backward(g, indices, dx):
    dx[...] = 0
    for n, c, i, j in np.ndindex(*g.shape):
        dx[n, c].reshape(-1)[indices[n, c, i, j]] += g[n, c, i, j]
