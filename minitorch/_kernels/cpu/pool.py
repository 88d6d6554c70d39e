"""Max pooling over one to three dimensions with torch's indices, and its gradient."""

from functools import lru_cache, partial
from math import prod

import numpy as np
from numba import njit

from . import threads
from .inner import inner
from .parallel import share_of, split
from .pool_planes import LARGEST, WIDEST, PlanePool
from .tables import grid, in_volume, volumes, whole

# Rows are filled up to whole multiples of this, so that vector loops have no scalar rest, whose
# branches random maxima mispredict (three times slower on 14 x 14 planes).
ROW = 64


@inner()
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
def _max_pool(x, padded, copies, corner, limits, plan, values, keys, taps, out, indices):
    """out[m, p] = max over t of padded[corners[p] + offsets[t]], for one plane (or line, or volume) at a time.

    Taps are outermost, so that the inner loops run over all outputs of a plane.
    """
    corners, offsets, first, places, shifts = plan
    lowest, highest = limits
    pixels, area = places.size, padded[0].size
    source = padded.reshape(-1)
    for m in range(x.shape[0]):
        base = m * area
        if copies:
            base = 0
            for d in range(x.shape[1]):
                for h in range(x.shape[2]):
                    for w in range(x.shape[3]):
                        padded[0, corner[0] + d, corner[1] + h, corner[2] + w] = x[m, d, h, w]
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
def _max_windows(x, starts, ends, lowest, out, indices):
    """out[m, d, h, w] = max of x[m] over starts[axis][m, i] to ends[axis][m, i], of one row for all m or one for each.

    The first of equals wins, and the last nan over everything; an empty window yields `lowest`.
    """
    height, width = x.shape[2], x.shape[3]
    for m in range(out.shape[0]):
        row = m if starts[0].shape[0] > 1 else 0
        for d in range(out.shape[1]):
            for h in range(out.shape[2]):
                for w in range(out.shape[3]):
                    best = lowest
                    place = (starts[0][row, d] * height + starts[1][row, h]) * width + starts[2][row, w]
                    for i in range(starts[0][row, d], ends[0][row, d]):
                        for j in range(starts[1][row, h], ends[1][row, h]):
                            for k in range(starts[2][row, w], ends[2][row, w]):
                                value = x[m, i, j, k]
                                if value > best or value != value:
                                    best, place = value, (i * height + j) * width + k
                    out[m, d, h, w] = best
                    indices[m, d, h, w] = place


@inner()
def _backward_part(part, parts, g, indices, dx):
    begin, end = share_of(g.shape[0], part, parts)
    for m in range(begin, end):
        for q in range(dx.shape[1]):
            dx[m, q] = 0
        for p in range(g.shape[1]):
            dx[m, indices[m, p]] += g[m, p]


@njit(cache=True, nogil=True, error_model="numpy")
def _max_pool_backward(crew, parts, g, indices, dx):
    """dx[m, indices[m, p]] += g[m, p], one plane at a time while it is in L1."""
    split(crew, _backward_part, parts, (parts, g, indices, dx))


def max_pool(inputs, outputs, kernel, stride, padding, dilation, dtype):
    """The function (x, out, indices) that pools planes (or lines, or volumes) of one size by windows of one kind.

    out[n, c, i, j] = max over r, s of x[n, c, i', j'], where i' = i * stride[0] - padding[0] + r * dilation[0], j'
    alike, and places outside x are passed over. x (N, C, H, W), out and indices (N, C, OH, OW), contiguous and not
    empty; an index counts in one (H, W) plane. The first of equals wins, and the last nan over everything, as in torch.
    """
    lowest, highest = (-np.inf, np.inf) if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    lowest, highest = dtype.type(lowest), dtype.type(highest)
    widest = max(kernel[-1], stride[-1])
    if len(inputs) < 3 and set(dilation) == {1} and prod(inputs) <= LARGEST and widest <= WIDEST:
        return PlanePool(inputs, outputs, kernel, stride, padding, lowest)
    return partial(_by_tables, inputs, outputs, kernel, stride, padding, dilation, (lowest, highest))


def _by_tables(spatial, outputs, kernel, stride, padding, dilation, limits, x, dest, indices):
    """max_pool of every kind."""
    size, plan = _plan(spatial, outputs, kernel, stride, padding, dilation)
    planes = padded = x.reshape(-1, *spatial)
    if size != spatial:
        padded = np.full((1, *size), limits[0])
    values, keys = np.empty((2, plan[0].size), x.dtype)
    _max_pool(
        volumes(planes, 1),
        volumes(padded, 1),
        padded is not planes,
        in_volume(padding),
        limits,
        plan,
        values,
        keys,
        np.empty(keys.size, np.uint32),
        dest.reshape(len(planes), -1),
        indices.reshape(len(planes), -1),
    )


def max_windows(x, starts, ends, out, indices):
    """out[n, c, i, j] = max of x[n, c] over the window from starts to ends, with its place in indices.

    starts and ends: for each dimension of space an array (1, outputs), or (N * C, outputs) for windows of
    every plane's own.  x (N, C, H, W) of floats, out and indices (N, C, OH, OW), or with one or three dimensions.
    """
    if out.size == 0:
        return
    dest, places = whole(out), whole(indices)
    planes = volumes(whole(x).reshape(-1, *x.shape[2:]), 1)
    unit = np.zeros((len(starts[0]), 1), np.int64)
    missing = (unit,) * (3 - len(starts))
    ends = tuple(m + 1 for m in missing) + tuple(ends)
    made = (volumes(a.reshape(-1, *a.shape[2:]), 1) for a in (dest, places))
    _max_windows(planes, missing + tuple(starts), ends, out.dtype.type(-np.inf), *made)
    _deliver((dest, out), (places, indices))


def max_pool_backward(g, indices, dx):
    """dx[n, c, indices[n, c, i, j]] = sum of g[n, c, i, j], and 0 elsewhere."""
    if g.size == 0:
        dx.fill(0)
        return
    dest = whole(dx)
    # unsigned, since Numba tests every signed index for being negative
    places = whole(indices).view(np.uint64)
    planes = dx.shape[0] * dx.shape[1]
    share = threads.share(g.size + dx.size // 4, planes)
    _max_pool_backward(*share, *(a.reshape(planes, -1) for a in (whole(g), places, dest)))
    _deliver((dest, dx))


def _deliver(*pairs):
    for work, wanted in pairs:
        if work is not wanted:
            wanted[...] = work


@lru_cache(maxsize=64)
def _plan(inputs, outputs, kernel, stride, padding, dilation):
    """Size of the padded plane, and the tables of _max_pool.

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
    corners, offsets, first, places = zip(*axes, strict=True)
    at = grid(corners, sizes)
    surplus = np.zeros(-at.size % ROW, np.int64)
    plan = (
        np.concatenate([at, surplus]).astype(np.uint32),
        grid(offsets, sizes).astype(np.uint32),
        np.concatenate([grid(first, kernel), surplus]).astype(np.uint32),
        grid(places, inputs),
        grid(offsets, inputs),
    )
    return tuple(sizes), plan
