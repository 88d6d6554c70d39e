"""Plain loops that hand-written kernels must agree with, one twin per kernel."""

import numpy as np


def _windows(x, kernel, outputs, stride, padding, dilation):
    """(output, tap, place) of every tap of every output that falls inside x, in one to three dimensions."""
    for out in np.ndindex(*outputs):
        for tap in np.ndindex(*kernel):
            place = tuple(i * s - p + r * d for i, s, p, r, d in zip(out, stride, padding, tap, dilation, strict=True))
            if all(0 <= at < n for at, n in zip(place, x.shape[2:], strict=True)):
                yield out, tap, place


def _groups(w, groups):
    """The channels of each group, as slices: those that w's second dimension counts, and those that its first does."""
    inputs, outputs = w.shape[1], w.shape[0] // groups
    for i in range(groups):
        yield slice(i * inputs, (i + 1) * inputs), slice(i * outputs, (i + 1) * outputs)


def convolution(x, w, bias, stride, padding, dilation, groups, out):
    out[...] = 0 if bias is None else bias.reshape(-1, *[1] * (out.ndim - 2))
    for o, tap, place in _windows(x, w.shape[2:], out.shape[2:], stride, padding, dilation):
        for c, k in _groups(w, groups):
            out[(slice(None), k, *o)] += x[(slice(None), c, *place)] @ w[(k, slice(None), *tap)].T


def convolution_transpose(g, w, bias, stride, padding, dilation, groups, out):
    out[...] = 0 if bias is None else bias.reshape(-1, *[1] * (out.ndim - 2))
    for o, tap, place in _windows(out, w.shape[2:], g.shape[2:], stride, padding, dilation):
        for c, k in _groups(w, groups):
            out[(slice(None), c, *place)] += g[(slice(None), k, *o)] @ w[(k, slice(None), *tap)]


def convolution_backward_weight(g, x, stride, padding, dilation, groups, dw):
    dw[...] = 0
    for o, tap, place in _windows(x, dw.shape[2:], g.shape[2:], stride, padding, dilation):
        for c, k in _groups(dw, groups):
            dw[(k, slice(None), *tap)] += g[(slice(None), k, *o)].T @ x[(slice(None), c, *place)]


def max_pool(x, kernel, stride, padding, dilation, out, indices):
    seen = np.zeros(out.shape[2:], bool)
    for o, _, place in _windows(x, kernel, out.shape[2:], stride, padding, dilation):
        at, source = (slice(None), slice(None), *o), (slice(None), slice(None), *place)
        value, best = x[source], out[at]
        wins = (value > best) | (value != value) | (not seen[o])
        out[at] = np.where(wins, value, best)
        indices[at] = np.where(wins, np.ravel_multi_index(place, x.shape[2:]), indices[at])
        seen[o] = True


def max_windows(x, starts, ends, out, indices):
    for n, c in np.ndindex(*x.shape[:2]):
        for o in np.ndindex(*out.shape[2:]):
            row = n * x.shape[1] + c if len(starts[0]) > 1 else 0
            window = tuple(slice(s[row, i], e[row, i]) for s, e, i in zip(starts, ends, o, strict=True))
            values = x[n, c][window].reshape(-1)
            place = np.flatnonzero(np.isnan(values))[-1] if np.isnan(values).any() else values.argmax()
            inside = np.unravel_index(place, x[n, c][window].shape)
            out[n, c][o] = values[place]
            first = [w.start for w in window]
            indices[n, c][o] = np.ravel_multi_index(tuple(np.add(inside, first)), x.shape[2:])


def max_pool_backward(g, indices, dx):
    dx[...] = 0
    for n, c in np.ndindex(*g.shape[:2]):
        for o in np.ndindex(*g.shape[2:]):
            dx[n, c].reshape(-1)[indices[n, c][o]] += g[n, c][o]


def map_axis(x, starts, index, weights, out):
    out[...] = 0
    for i in range(out.shape[1]):
        for q in range(starts[i], starts[i + 1]):
            out[:, i] += weights[q] * x[:, index[q]]


def attention(q, k, v, g, attn_mask=None, is_causal=False, scale=None):
    """Attention and the gradients of q, k and v for the gradient g, over all scores at once."""
    scores = q @ k.swapaxes(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = np.tri(*scores.shape[-2:], dtype=bool)
    if attn_mask is not None:
        scores = np.where(attn_mask, scores, -np.inf) if attn_mask.dtype == bool else scores + attn_mask
    top = scores.max(-1, keepdims=True)
    weights = np.exp(scores - np.where(np.isinf(top), 0, top))
    weights /= np.maximum(weights.sum(-1, keepdims=True), 1e-300)
    slopes = g @ v.swapaxes(-1, -2)
    slopes = weights * (slopes - (slopes * weights).sum(-1, keepdims=True))
    slopes *= q.shape[-1] ** -0.5 if scale is None else scale
    return weights @ v, slopes @ k, slopes.swapaxes(-1, -2) @ q, weights.swapaxes(-1, -2) @ g


def softmax(x, out, period=0):
    out[...] = 0
    for i, row in enumerate(x):
        seen = row[: i % period + 1] if period else row
        e = np.exp(seen - seen.max())
        out[i, : len(seen)] = e / e.sum()


def log_softmax(x, out):
    for i, row in enumerate(x):
        out[i] = row - row.max() - np.log(np.exp(row - row.max()).sum())


def softmax_gradient(g, out, dest):
    for i in range(len(g)):
        dest[i] = (g[i] - (g[i] * out[i]).sum()) * out[i]


def log_softmax_gradient(g, out, dest):
    for i in range(len(g)):
        dest[i] = g[i] - np.exp(out[i]) * g[i].sum()


def layer_norm(x, w, b, eps, out, mean, rstd):
    for i, row in enumerate(x):
        mean[i, 0], rstd[i, 0] = row.mean(), 1 / np.sqrt(row.var() + eps)
        out[i] = (row - mean[i, 0]) * rstd[i, 0] * w + b


def layer_norm_gradients(g, x, w, mean, rstd, dx, dw, db):
    for i in range(len(x)):
        xhat = (x[i] - mean[i, 0]) * rstd[i, 0]
        dx[i] = rstd[i, 0] * (g[i] * w - (g[i] * w).mean() - xhat * (g[i] * w * xhat).mean())
        dw += g[i] * xhat
        db += g[i]


def channel_sums(g, x, origin, s, q):
    s += g.sum((0, 2))
    q += (g * (x - origin[:, None])).sum((0, 2))


def channel_affine(x, mean, scale, offset, out):
    out[...] = (x - mean[:, None]) * scale[:, None] + offset[:, None]


def channel_gradient(g, x, mean, scale, slope, offset, dx):
    dx[...] = g * scale[:, None] + (x - mean[:, None]) * slope[:, None] + offset[:, None]
