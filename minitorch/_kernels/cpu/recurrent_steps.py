"""Steps of recurrent layers for some rows of the batch: one product with the hidden state, and the cell's arithmetic.

A layer is given the input's part of the gates for all steps. Rows do not meet, so threads share the rows and take all
steps of theirs. A row holds its gates one after the other, H numbers each, and a cell is one pass over its H vectors.
"""

import numpy as np

from .blas import gemm
from .gemm import multiply
from .inlined import flat
from .inner import inner
from .parallel import share_of
from .row_vectors import over_row
from .vector import muladd, sigmoid_of, tanh_of, where


# ---------------------------------------------------------------------- one step: gates, recurrent part, state -> state
@over_row(stores=7, parts=(4, 4, 1, 5, 1, 1))
def lstm_cell(xi, xf, xg, xo, ri, rf, rg, ro, c, *_):
    i, f, g, o = sigmoid_of(xi + ri), sigmoid_of(xf + rf), tanh_of(xg + rg), sigmoid_of(xo + ro)
    c = muladd(f, c, i * g)
    t = tanh_of(c)
    return i, f, g, o, t, c, o * t


@inner(_nrt=False)
def lstm_step(x, r, h, c, kept, out, out_c, begin, end):
    """Gates x + r are i, f, g, o, which with tanh(next c) are kept (N, 5 H); out, out_c (N, H) = next h, c."""
    for n in range(begin, end):
        lstm_cell(x, r, c, kept, out_c, out, n, out.shape[1])


@over_row(stores=6, parts=(1, 5, 4, 1, 1))
def lstm_cell_gradient(c, i, f, g, o, t, _i, _f, _g, _o, d_h, d_c):
    d_c = muladd(d_h * o, 1.0 - t * t, d_c)
    slopes = d_c * g * i * (1.0 - i), d_c * c * f * (1.0 - f), d_c * i * (1.0 - g * g), d_h * t * o * (1.0 - o)
    return *slopes, d_h.like(0.0), d_c * f


@inner(_nrt=False)
def lstm_gradient(d_h, d_c, h, c, kept, d_x, d_r, begin, end):
    """d_x (N, 4 H) from the gradients of the next h and c; d_c becomes the gradient of c, d_h zero. d_r is d_x."""
    for n in range(begin, end):
        lstm_cell_gradient(c, kept, d_x, d_h, d_c, n, c.shape[1])


@over_row(stores=6, parts=(3, 3, 1, 4, 1, 1))
def gru_cell(xr, xz, xn, rr, rz, rn, h, *_):
    r, z = sigmoid_of(xr + rr), sigmoid_of(xz + rz)
    candidate = tanh_of(muladd(r, rn, xn))
    after = muladd(z, h - candidate, candidate)
    return r, z, candidate, rn, after, after


@inner(_nrt=False)
def gru_step(x, r, h, c, kept, out, out_c, begin, end):
    """Gates r, z, n = tanh(x + r * (recurrent part)), kept (N, 4 H) with n's recurrent part; out = out_c = next h."""
    for n in range(begin, end):
        gru_cell(x, r, h, kept, out, out_c, n, out.shape[1])


@over_row(stores=7, parts=(1, 4, 3, 3, 1))
def gru_cell_gradient(h, r, z, candidate, rn, _1, _2, _3, _4, _5, _6, d_h):
    n = d_h * (1.0 - z) * (1.0 - candidate * candidate)
    gates = n * rn * r * (1.0 - r), d_h * (h - candidate) * z * (1.0 - z)
    return *gates, n, *gates, n * r, d_h * z


@inner(_nrt=False)
def gru_gradient(d_h, d_c, h, c, kept, d_x, d_r, begin, end):
    """d_x and d_r (N, 3 H) from d_h, the next h's gradient, which becomes that of h past the gates."""
    for n in range(begin, end):
        gru_cell_gradient(h, kept, d_x, d_r, d_h, n, h.shape[1])


@over_row(stores=2)
def rnn_tanh_cell(x, r, *_):
    value = tanh_of(x + r)
    return value, value


@inner(_nrt=False)
def rnn_tanh_step(x, r, h, c, kept, out, out_c, begin, end):
    """out = tanh(x + r), which is kept."""
    for n in range(begin, end):
        rnn_tanh_cell(x, r, kept, out, n, out.shape[1])


@over_row(stores=2)
def rnn_tanh_cell_gradient(value, _, d_h):
    return d_h * (1.0 - value * value), d_h.like(0.0)


@inner(_nrt=False)
def rnn_tanh_gradient(d_h, d_c, h, c, kept, d_x, d_r, begin, end):
    for n in range(begin, end):
        rnn_tanh_cell_gradient(kept, d_x, d_h, n, h.shape[1])


@over_row(stores=2)
def rnn_relu_cell(x, r, *_):
    value = x + r
    value = where(value <= 0.0, 0.0, value)
    return value, value


@inner(_nrt=False)
def rnn_relu_step(x, r, h, c, kept, out, out_c, begin, end):
    """out = max(x + r, 0), nan if that is nan; it is kept."""
    for n in range(begin, end):
        rnn_relu_cell(x, r, kept, out, n, out.shape[1])


@over_row(stores=2)
def rnn_relu_cell_gradient(value, _, d_h):
    return where(value <= 0.0, 0.0, d_h), d_h.like(0.0)


@inner(_nrt=False)
def rnn_relu_gradient(d_h, d_c, h, c, kept, d_x, d_r, begin, end):
    for n in range(begin, end):
        rnn_relu_cell_gradient(kept, d_x, d_h, n, h.shape[1])


# ---------------------------------------------------------------------- all steps
# out = a @ w in these rows: by tiles, for which w is packed, by BLAS, or by neither; `means` are what each needs
@inner(_nrt=False)
def product_by_tiles(means, a, w, out, begin, end):
    k, n, packed, zero, one = a.shape[1], out.shape[1], flat(w), np.intp(0), np.intp(1)
    a, out, a0, c0 = flat(a), flat(out), begin * k, begin * n
    multiply(a, a0, k, one, None, a0, n, one, out, c0, n, end - begin, n, k, means, zero, False, packed)


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
