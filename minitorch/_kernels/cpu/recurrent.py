"""Layers of LSTM (Hochreiter and Schmidhuber 1997), GRU (Cho et al., arXiv:1406.1078) and plain RNN, step by step.

A layer is given the input's part of the gates for all steps. What is left for each step is one product with the hidden
state, which BLAS computes, and a cell's own arithmetic, which the loops below compute row by row. Each inner loop
writes one array and reads few: with more of them LLVM does not find that they are apart, and makes no vector code.
"""

import numpy as np
from numba import njit

from .vector import exp


@njit(error_model="numpy")
def sigmoid(T, x):
    return T(1) / (T(1) + exp(-x))


@njit(error_model="numpy")
def tanh(T, x):
    """By exp, which LLVM can turn into vector instructions; by its series near 0, where the difference would cancel."""
    e = exp(T(-2) * abs(x))
    far = (T(1) - e) / (T(1) + e)
    s = x * x
    near = x * (T(1) - s * (T(1 / 3) - s * (T(2 / 15) - s * T(17 / 315))))
    return near if abs(x) < T(0.05) else (far if x > T(0) else -far)


# ---------------------------------------------------------------------- one step: gates, recurrent part, state -> state
@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract"})
def lstm_step(x, r, h, c, kept, out, out_c):
    """Gates x + r (N, 4, H) are i, f, g, o, which with tanh(next c) are kept (N, 5, H); out, out_c = next h, c."""
    T = out.dtype.type
    rows, H = out.shape
    for n in range(rows):
        for k in range(4):
            if k != 2:
                for j in range(H):
                    kept[n, k, j] = sigmoid(T, x[n, k, j] + r[n, k, j])
        for j in range(H):
            kept[n, 2, j] = tanh(T, x[n, 2, j] + r[n, 2, j])
        for j in range(H):
            out_c[n, j] = kept[n, 1, j] * c[n, j] + kept[n, 0, j] * kept[n, 2, j]
        for j in range(H):
            t = tanh(T, out_c[n, j])
            kept[n, 4, j] = t
            out[n, j] = kept[n, 3, j] * t


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract"})
def lstm_gradient(d_h, d_c, h, c, kept, d_x, d_r):
    """d_x (N, 4, H) from the gradients of the next h and c; d_c becomes the gradient of c, d_h zero. d_r is d_x."""
    T = d_h.dtype.type
    rows, H = c.shape
    for n in range(rows):
        for j in range(H):
            t = kept[n, 4, j]
            d_c[n, j] += d_h[n, j] * kept[n, 3, j] * (T(1) - t * t)
        for j in range(H):
            i = kept[n, 0, j]
            d_x[n, 0, j] = d_c[n, j] * kept[n, 2, j] * i * (T(1) - i)
        for j in range(H):
            f = kept[n, 1, j]
            d_x[n, 1, j] = d_c[n, j] * c[n, j] * f * (T(1) - f)
        for j in range(H):
            g = kept[n, 2, j]
            d_x[n, 2, j] = d_c[n, j] * kept[n, 0, j] * (T(1) - g * g)
        for j in range(H):
            o = kept[n, 3, j]
            d_x[n, 3, j] = d_h[n, j] * kept[n, 4, j] * o * (T(1) - o)
        for j in range(H):
            d_c[n, j] *= kept[n, 1, j]
            d_h[n, j] = T(0)


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract"})
def gru_step(x, r, h, c, kept, out, out_c):
    """Gates r, z, n = tanh(x + r * (recurrent part)), kept (N, 4, H) with n's recurrent part; out = out_c = next h."""
    T = out.dtype.type
    rows, H = out.shape
    for n in range(rows):
        for k in range(2):
            for j in range(H):
                kept[n, k, j] = sigmoid(T, x[n, k, j] + r[n, k, j])
        for j in range(H):
            kept[n, 3, j] = r[n, 2, j]
        for j in range(H):
            kept[n, 2, j] = tanh(T, x[n, 2, j] + kept[n, 0, j] * r[n, 2, j])
        for j in range(H):
            candidate = kept[n, 2, j]
            out[n, j] = candidate + kept[n, 1, j] * (h[n, j] - candidate)
        for j in range(H):
            out_c[n, j] = out[n, j]


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract"})
def gru_gradient(d_h, d_c, h, c, kept, d_x, d_r):
    """d_x and d_r (N, 3, H) from d_h, the next h's gradient, which becomes that of h past the gates."""
    T = d_h.dtype.type
    rows, H = h.shape
    for n in range(rows):
        for j in range(H):
            z, candidate = kept[n, 1, j], kept[n, 2, j]
            d_x[n, 2, j] = d_h[n, j] * (T(1) - z) * (T(1) - candidate * candidate)
        for j in range(H):
            z = kept[n, 1, j]
            d_x[n, 1, j] = d_h[n, j] * (h[n, j] - kept[n, 2, j]) * z * (T(1) - z)
        for j in range(H):
            r = kept[n, 0, j]
            d_x[n, 0, j] = d_x[n, 2, j] * kept[n, 3, j] * r * (T(1) - r)
        for k in range(2):
            for j in range(H):
                d_r[n, k, j] = d_x[n, k, j]
        for j in range(H):
            d_r[n, 2, j] = d_x[n, 2, j] * kept[n, 0, j]
        for j in range(H):
            d_h[n, j] *= kept[n, 1, j]


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract"})
def rnn_tanh_step(x, r, h, c, kept, out, out_c):
    """out = tanh(x + r), which is kept."""
    T = out.dtype.type
    for n in range(out.shape[0]):
        for j in range(out.shape[1]):
            value = tanh(T, x[n, 0, j] + r[n, 0, j])
            kept[n, 0, j] = value
            out[n, j] = value


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract"})
def rnn_tanh_gradient(d_h, d_c, h, c, kept, d_x, d_r):
    T = d_h.dtype.type
    for n in range(h.shape[0]):
        for j in range(h.shape[1]):
            d_x[n, 0, j] = d_h[n, j] * (T(1) - kept[n, 0, j] * kept[n, 0, j])
            d_h[n, j] = T(0)


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract"})
def rnn_relu_step(x, r, h, c, kept, out, out_c):
    """out = max(x + r, 0), nan if that is nan; it is kept."""
    T = out.dtype.type
    for n in range(out.shape[0]):
        for j in range(out.shape[1]):
            value = x[n, 0, j] + r[n, 0, j]
            value = T(0) if value <= T(0) else value
            kept[n, 0, j] = value
            out[n, j] = value


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract"})
def rnn_relu_gradient(d_h, d_c, h, c, kept, d_x, d_r):
    T = d_h.dtype.type
    for n in range(h.shape[0]):
        for j in range(h.shape[1]):
            d_x[n, 0, j] = T(0) if kept[n, 0, j] <= T(0) else d_h[n, j]
            d_h[n, j] = T(0)


# mode -> (step, its gradient)
CELLS = {
    "lstm": (lstm_step, lstm_gradient),
    "gru": (gru_step, gru_gradient),
    "rnn_tanh": (rnn_tanh_step, rnn_tanh_gradient),
    "rnn_relu": (rnn_relu_step, rnn_relu_gradient),
}


# ---------------------------------------------------------------------- all steps
def order(steps, reverse):
    return range(steps - 1, -1, -1) if reverse else range(steps)


def layer(mode, x, h, c, w_hh, b_hh, reverse, out, kept, cells):
    """out[t] = h after step t of x (T, N, gates, H); for an LSTM out[T] = the last c.

    cells[t] = c of an LSTM, h of a GRU. With one row of kept (T or 1, N, ..., H) and cells (T or 1, N, H) for all
    steps nothing is left for a gradient.
    """
    step = CELLS[mode][0]
    steps = len(x)
    w, products = w_hh.T, np.empty((x.shape[1], w_hh.shape[0]), x.dtype)
    r = products.reshape(x.shape[1:])
    for t in order(steps, reverse):
        np.dot(h, w, products)
        if b_hh is not None:
            products += b_hh
        row = t if len(kept) == steps else 0
        step(x[t], r, h, c, kept[row], out[t], cells[row])
        h, c = out[t], cells[row]
    if mode == "lstm":
        out[steps] = c


def layer_gradient(mode, g, h_before, c, w_hh, reverse, kept, cells, d_x, d_r):
    """(d_h, d_c) of the state before the first step; fills d_x and d_r (T, N, gates, H), but for a GRU one array."""
    gradient = CELLS[mode][1]
    steps, times = len(kept), order(len(kept), reverse)
    d_h = np.zeros(h_before.shape[1:], g.dtype)
    d_c, through = (g[steps].copy() if mode == "lstm" else d_h), np.empty_like(d_h)
    products = d_r.reshape(*d_r.shape[:2], w_hh.shape[0])
    for k in range(steps - 1, -1, -1):
        t = times[k]
        d_h += g[t]
        gradient(d_h, d_c, h_before[t], cells[times[k - 1]] if k else c, kept[t], d_x[t], d_r[t])
        d_h += np.dot(products[t], w_hh, through)
    return d_h, d_c


def states_before(mode, hx, kept, cells, reverse):
    """h before each step, (T, N, H), of what the steps have kept."""
    h = kept[:, :, 3] * kept[:, :, 4] if mode == "lstm" else cells if mode == "gru" else kept[:, :, 0]
    before = np.empty(h.shape, h.dtype)
    first, later, earlier = (-1, before[:-1], h[1:]) if reverse else (0, before[1:], h[:-1])
    before[first], later[...] = hx, earlier
    return before
