"""2-D max pooling with torch's indices, and its gradient."""

from functools import lru_cache

import numpy as np
from numba import njit

# Rows are filled up to whole multiples of this, so that vector loops have no scalar rest, whose
# branches random maxima mispredict (three times slower on 14 x 14 planes).
ROW = 64


@njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _compete(values, highest, tap, keys, taps):
    """Where values[p] beats keys[p] it takes its place, and tap becomes taps[p].

    A nan becomes the key +inf, which only another nan beats: one comparison per value and no
    branch, so that LLVM makes vector code of it.
    """
    for p in range(values.size):
        value, key, old = values[p], keys[p], taps[p]
        loses = value <= key
        capped = value if value < highest else highest
        keys[p] = key if loses else capped
        taps[p] = old if loses else tap


@njit(cache=True, nogil=True, error_model="numpy")
def _max_pool2d(x, padded, copies, corner, limits, plan, values, keys, taps, out, indices):
    """out[m, p] = max over t of padded[corners[p] + offsets[t]], for one plane at a time.

    Taps are outermost, so that the inner loops run over all outputs of a plane.
    """
    corners, offsets, first, places, shifts = plan
    lowest, highest = limits
    pixels, area = places.size, padded.shape[1] * padded.shape[2]
    source = padded.reshape(-1)
    for m in range(x.shape[0]):
        base = m * area
        if copies:
            base = 0
            for h in range(x.shape[1]):
                for w in range(x.shape[2]):
                    padded[0, corner[0] + h, corner[1] + w] = x[m, h, w]
        for p in range(keys.size):
            keys[p], taps[p] = lowest, first[p]
        for t in range(offsets.size):
            shifted = source[base + offsets[t] :]
            for p in range(corners.size):
                values[p] = shifted[corners[p]]
            _compete(values, highest, np.uint32(t), keys, taps)
        plane = source[base:]
        for p in range(pixels):
            out[m, p] = plane[corners[p] + offsets[taps[p]]]
            indices[m, p] = places[p] + shifts[taps[p]]


@njit(cache=True, nogil=True, error_model="numpy")
def _max_pool2d_backward(g, indices, dx):
    """dx[m, indices[m, p]] += g[m, p], one plane at a time while it is in L1."""
    for m in range(g.shape[0]):
        for q in range(dx.shape[1]):
            dx[m, q] = 0
        for p in range(g.shape[1]):
            dx[m, indices[m, p]] += g[m, p]


def max_pool2d(x, kernel, stride, padding, dilation, out, indices):
    """out[n, c, i, j] = max over r, s of x[n, c, i', j'], with the place of the maximum in indices.

    Where i' = i * stride[0] - padding[0] + r * dilation[0], j' alike, and places outside x are
    passed over.  x (N, C, H, W), out and indices (N, C, OH, OW); an index counts in one (H, W)
    plane.  The first of equals wins, and the last nan over everything, as in torch.
    """
    if out.size == 0:
        return
    dtype, (height, width) = out.dtype.type, x.shape[2:]
    limits = (-np.inf, np.inf)
    if out.dtype.kind != "f":
        limits = np.iinfo(dtype).min, np.iinfo(dtype).max
    size, plan = _plan((height, width), out.shape[2:], kernel, stride, padding, dilation)
    planes = padded = _whole(x).reshape(-1, height, width)
    if size != (height, width):
        padded = np.full((1, *size), limits[0], dtype)
    dest, places = _whole(out), _whole(indices)
    values, keys = np.empty((2, plan[0].size), dtype)
    _max_pool2d(
        planes,
        padded,
        padded is not planes,
        padding,
        (dtype(limits[0]), dtype(limits[1])),
        plan,
        values,
        keys,
        np.empty(keys.size, np.uint32),
        dest.reshape(len(planes), -1),
        places.reshape(len(planes), -1),
    )
    for work, wanted in ((dest, out), (places, indices)):
        if work is not wanted:
            wanted[...] = work


def max_pool2d_backward(g, indices, dx):
    """dx[n, c, indices[n, c, i, j]] = sum of g[n, c, i, j], and 0 elsewhere."""
    if g.size == 0:
        dx.fill(0)
        return
    dest = _whole(dx)
    _max_pool2d_backward(*(a.reshape(a.shape[0] * a.shape[1], -1) for a in (_whole(g), _whole(indices), dest)))
    if dest is not dx:
        dx[...] = dest


@lru_cache(maxsize=64)
def _plan(inputs, outputs, kernel, stride, padding, dilation):
    """Size of the padded plane, and the tables of _max_pool2d.

    These are the outputs' corners and the taps' offsets in the padded plane, each output's first
    tap inside x (which an all -inf window reports), and corners and offsets in x itself.  Unsigned
    where they index, since Numba tests every signed index for being negative.
    """
    sizes, axes = [], []
    for n, count, taps, step, before, apart in zip(inputs, outputs, kernel, stride, padding, dilation, strict=True):
        corners, offsets = np.arange(count) * step, np.arange(taps) * apart
        sizes.append(max(n + 2 * before, int(corners[-1] + offsets[-1]) + 1))
        first = (np.maximum(before - corners, 0) + apart - 1) // apart
        axes.append((corners, offsets, first, corners - before))
    rows, columns = axes
    corners = _grid(rows[0], columns[0], sizes[1])
    surplus = np.zeros(-corners.size % ROW, np.int64)
    first = _grid(rows[2], columns[2], kernel[1])
    plan = (
        np.concatenate([corners, surplus]).astype(np.uint32),
        _grid(rows[1], columns[1], sizes[1]).astype(np.uint32),
        np.concatenate([first, surplus]).astype(np.uint32),
        _grid(rows[3], columns[3], inputs[1]),
        _grid(rows[1], columns[1], inputs[1]),
    )
    return tuple(sizes), plan


def _grid(rows, columns, width):
    return (rows[:, None] * width + columns).ravel()


def _whole(array):
    """The array itself if C-contiguous, aligned and writeable: other flags would compile anew."""
    return array if array.flags.carray else array.copy(order="C")
