"""Steps of recurrent layers for some rows of the batch: one product with the hidden state, and the cell's arithmetic.

A layer is given the input's part of the gates for all steps. Rows do not meet, so threads share the rows and take all
steps of theirs. A row holds its gates one after the other, H numbers each. Each inner loop writes one array and reads
few: with more of them LLVM does not find that they are apart, and makes no vector code.
"""

import numpy as np

from .blas import gemm
from .gemm import multiply
from .inlined import flat
from .inner import inner
from .parallel import share_of
from .vector import exp


@inner(_nrt=False)
def sigmoid(T, x):
    return T(1) / (T(1) + exp(-x))


@inner(_nrt=False)
def tanh(T, x):
    """By exp, which LLVM can turn into vector instructions; by its series near 0, where the difference would cancel."""
    e = exp(T(-2) * abs(x))
    far = (T(1) - e) / (T(1) + e)
    s = x * x
    near = x * (T(1) - s * (T(1 / 3) - s * (T(2 / 15) - s * T(17 / 315))))
    return near if abs(x) < T(0.05) else (far if x > T(0) else -far)


# ---------------------------------------------------------------------- one step: gates, recurrent part, state -> state
@inner(_nrt=False, fastmath={"contract"})
def lstm_step(x, r, h, c, kept, out, out_c, begin, end):
    """Gates x + r are i, f, g, o, which with tanh(next c) are kept (N, 5 H); out, out_c (N, H) = next h, c."""
    T = out.dtype.type
    H = out.shape[1]
    for n in range(begin, end):
        for j in range(2 * H):
            kept[n, j] = sigmoid(T, x[n, j] + r[n, j])
        for j in range(2 * H, 3 * H):
            kept[n, j] = tanh(T, x[n, j] + r[n, j])
        for j in range(3 * H, 4 * H):
            kept[n, j] = sigmoid(T, x[n, j] + r[n, j])
        for j in range(H):
            out_c[n, j] = kept[n, H + j] * c[n, j] + kept[n, j] * kept[n, 2 * H + j]
        for j in range(H):
            t = tanh(T, out_c[n, j])
            kept[n, 4 * H + j] = t
            out[n, j] = kept[n, 3 * H + j] * t


@inner(_nrt=False, fastmath={"contract"})
def lstm_gradient(d_h, d_c, h, c, kept, d_x, d_r, begin, end):
    """d_x (N, 4 H) from the gradients of the next h and c; d_c becomes the gradient of c, d_h zero. d_r is d_x."""
    T = d_h.dtype.type
    H = c.shape[1]
    for n in range(begin, end):
        for j in range(H):
            t = kept[n, 4 * H + j]
            d_c[n, j] += d_h[n, j] * kept[n, 3 * H + j] * (T(1) - t * t)
        for j in range(H):
            i = kept[n, j]
            d_x[n, j] = d_c[n, j] * kept[n, 2 * H + j] * i * (T(1) - i)
        for j in range(H):
            f = kept[n, H + j]
            d_x[n, H + j] = d_c[n, j] * c[n, j] * f * (T(1) - f)
        for j in range(H):
            g = kept[n, 2 * H + j]
            d_x[n, 2 * H + j] = d_c[n, j] * kept[n, j] * (T(1) - g * g)
        for j in range(H):
            o = kept[n, 3 * H + j]
            d_x[n, 3 * H + j] = d_h[n, j] * kept[n, 4 * H + j] * o * (T(1) - o)
        for j in range(H):
            d_c[n, j] *= kept[n, H + j]
            d_h[n, j] = T(0)


@inner(_nrt=False, fastmath={"contract"})
def gru_step(x, r, h, c, kept, out, out_c, begin, end):
    """Gates r, z, n = tanh(x + r * (recurrent part)), kept (N, 4 H) with n's recurrent part; out = out_c = next h."""
    T = out.dtype.type
    H = out.shape[1]
    for n in range(begin, end):
        for j in range(2 * H):
            kept[n, j] = sigmoid(T, x[n, j] + r[n, j])
        for j in range(H):
            kept[n, 3 * H + j] = r[n, 2 * H + j]
        for j in range(H):
            kept[n, 2 * H + j] = tanh(T, x[n, 2 * H + j] + kept[n, j] * r[n, 2 * H + j])
        for j in range(H):
            candidate = kept[n, 2 * H + j]
            out[n, j] = candidate + kept[n, H + j] * (h[n, j] - candidate)
        for j in range(H):
            out_c[n, j] = out[n, j]


@inner(_nrt=False, fastmath={"contract"})
def gru_gradient(d_h, d_c, h, c, kept, d_x, d_r, begin, end):
    """d_x and d_r (N, 3 H) from d_h, the next h's gradient, which becomes that of h past the gates."""
    T = d_h.dtype.type
    H = h.shape[1]
    for n in range(begin, end):
        for j in range(H):
            z, candidate = kept[n, H + j], kept[n, 2 * H + j]
            d_x[n, 2 * H + j] = d_h[n, j] * (T(1) - z) * (T(1) - candidate * candidate)
        for j in range(H):
            z = kept[n, H + j]
            d_x[n, H + j] = d_h[n, j] * (h[n, j] - kept[n, 2 * H + j]) * z * (T(1) - z)
        for j in range(H):
            r = kept[n, j]
            d_x[n, j] = d_x[n, 2 * H + j] * kept[n, 3 * H + j] * r * (T(1) - r)
        for j in range(2 * H):
            d_r[n, j] = d_x[n, j]
        for j in range(H):
            d_r[n, 2 * H + j] = d_x[n, 2 * H + j] * kept[n, j]
        for j in range(H):
            d_h[n, j] *= kept[n, H + j]


@inner(_nrt=False, fastmath={"contract"})
def rnn_tanh_step(x, r, h, c, kept, out, out_c, begin, end):
    """out = tanh(x + r), which is kept."""
    T = out.dtype.type
    for n in range(begin, end):
        for j in range(out.shape[1]):
            value = tanh(T, x[n, j] + r[n, j])
            kept[n, j] = value
            out[n, j] = value


@inner(_nrt=False, fastmath={"contract"})
def rnn_tanh_gradient(d_h, d_c, h, c, kept, d_x, d_r, begin, end):
    T = d_h.dtype.type
    for n in range(begin, end):
        for j in range(h.shape[1]):
            d_x[n, j] = d_h[n, j] * (T(1) - kept[n, j] * kept[n, j])
            d_h[n, j] = T(0)


@inner(_nrt=False, fastmath={"contract"})
def rnn_relu_step(x, r, h, c, kept, out, out_c, begin, end):
    """out = max(x + r, 0), nan if that is nan; it is kept."""
    T = out.dtype.type
    for n in range(begin, end):
        for j in range(out.shape[1]):
            value = x[n, j] + r[n, j]
            value = T(0) if value <= T(0) else value
            kept[n, j] = value
            out[n, j] = value


@inner(_nrt=False, fastmath={"contract"})
def rnn_relu_gradient(d_h, d_c, h, c, kept, d_x, d_r, begin, end):
    T = d_h.dtype.type
    for n in range(begin, end):
        for j in range(h.shape[1]):
            d_x[n, j] = T(0) if kept[n, j] <= T(0) else d_h[n, j]
            d_h[n, j] = T(0)


# ---------------------------------------------------------------------- all steps
# out = a @ w in these rows: by tiles, for which w is packed, by BLAS, or by neither; `means` are what each needs
@inner(_nrt=False)
def product_by_tiles(means, a, w, out, begin, end):
    zeros, edge = means
    k, n, packed, e0 = a.shape[1], out.shape[1], flat(w), begin * zeros.size
    a, out, a0, c0, step = flat(a), flat(out), begin * k, begin * n, np.intp(1)
    multiply(a, a0, k, step, None, a0, n, step, out, c0, n, end - begin, n, k, zeros, packed, edge, e0)


@inner(_nrt=False)
def product_by_blas(means, a, w, out, begin, end):
    k, n = w.shape
    gemm(means, False, False, end - begin, n, k, a, begin * k, k, w, 0, n, out, begin * n, n)


@inner(_nrt=False, fastmath={"contract"})
def product_by_loops(means, a, w, out, begin, end):
    k, n = w.shape
    for i in range(begin, end):
        for j in range(n):
            out[i, j] = 0
        for m in range(k):
            for j in range(n):
                out[i, j] += a[i, m] * w[m, j]


def over_steps(step, product):
    """The loop over all steps of a layer, compiled with its `step`."""

    @inner(_nrt=False, fastmath={"contract"})
    def part_of(part, parts, means, x, h, c, w_hh, b_hh, reverse, r, out, kept, cells):
        """out[t] = h after step t of x (T, N, gates H), in this part's rows; kept[t], cells[t] as the step leaves them.

        With one row of kept and cells for all steps nothing is left for a gradient. w_hh is (H, gates H).
        """
        begin, end = share_of(x.shape[1], part, parts)
        steps = x.shape[0]
        for k in range(steps):
            t = steps - 1 - k if reverse else k
            row = t if kept.shape[0] == steps else 0
            product(means, h, w_hh, r, begin, end)
            if b_hh.size:
                for n in range(begin, end):
                    for j in range(b_hh.size):
                        r[n, j] += b_hh[j]
            step(x[t], r, h, c, kept[row], out[t], cells[row], begin, end)
            h, c = out[t], cells[row]

    return part_of


def over_gradients(gradient, product):
    """The loop back over all steps of a layer, compiled with the `gradient` of one."""

    @inner(_nrt=False, fastmath={"contract"})
    def part_of(part, parts, means, g, before, c, w_hh, reverse, kept, cells, d_h, d_c, through, d_x, d_r):
        """Fills this part's rows of d_x and d_r (T, N, gates H), but for a GRU one array.

        d_h and d_c end as the first state's; `through` is as large as d_h.
        """
        begin, end = share_of(d_h.shape[0], part, parts)
        steps = kept.shape[0]
        for k in range(steps - 1, -1, -1):
            t = steps - 1 - k if reverse else k
            previous = c if k == 0 else cells[t + 1 if reverse else t - 1]
            for n in range(begin, end):
                for j in range(d_h.shape[1]):
                    d_h[n, j] += g[t, n, j]
            gradient(d_h, d_c, before[t], previous, kept[t], d_x[t], d_r[t], begin, end)
            product(means, d_r[t], w_hh, through, begin, end)
            for n in range(begin, end):
                for j in range(d_h.shape[1]):
                    d_h[n, j] += through[n, j]

    return part_of
