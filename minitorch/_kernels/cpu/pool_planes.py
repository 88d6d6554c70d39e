"""Max pooling of planes with windows of neighbours: first along the rows, then across them.

A plane is copied into `padded`, whose rows are ordered by their number modulo the stride: so all outputs of one tap are
neighbours in memory, in one loop over the whole plane for each tap, and what windows share is compared once. A value
wins over what was found before it where it is larger, or nan: so the first of equals stays, and the last nan.
"""

from functools import lru_cache

import numpy as np
from numba import njit

from . import threads
from .inlined import where
from .inner import inner
from .parallel import share_of, split

LARGEST = 2**31 - 1  # places in a plane are counted in int32 until they are written


@inner()
def _copy(x, padded, offsets, width):
    """Row h of x to padded[offsets[h] :], where an offset of -1 stands for rows in no window."""
    for h in range(x.shape[0]):
        if offsets[h] >= 0:
            line, row = padded[offsets[h] : offsets[h] + width], x[h]
            for w in range(line.size):
                line[w] = row[w]


@inner()
def _first(line, step, corners, values, places):
    """The first taps of all rows' windows."""
    for q in range(values.size):
        values[q] = line[q * step]
        places[q] = corners[q]


@inner()
def _next(line, step, corners, tap, values, places):
    """Another tap of all rows' windows."""
    for q in range(values.size):
        v, best, place, at = line[q * step], values[q], corners[q] + tap, places[q]
        wins = (v > best) | (v != v)
        values[q] = where(wins, v, best)
        places[q] = where(wins, place, at)


@inner()
def _pairs(line, corners, values, places):
    """The first two taps of windows two apart: with the step known, LLVM loads whole vectors and sorts them."""
    for q in range(values.size):
        a, b = line[2 * q], line[2 * q + 1]
        wins = (b > a) | (b != b)
        values[q] = where(wins, b, a)
        places[q] = corners[q] + np.int32(wins)


@inner()
def _next_of_pairs(line, corners, tap, values, places):
    for q in range(values.size):
        v, best, place, at = line[2 * q], values[q], corners[q] + tap, places[q]
        wins = (v > best) | (v != v)
        values[q] = where(wins, v, best)
        places[q] = where(wins, place, at)


@inner()
def _across(values, places, best, best_places):
    """The rows of another tap."""
    for q in range(best.size):
        v, old, place, at = values[q], best[q], places[q], best_places[q]
        wins = (v > old) | (v != v)
        best[q] = where(wins, v, old)
        best_places[q] = where(wins, place, at)


@inner()
def _write(best, places, first, lowest, out, indices):
    """Results; where nothing is above the lowest value, padding may have come before the first inside."""
    for p in range(out.size):
        v, inside, place = best[p], first[p], places[p]
        out[p] = v
        indices[p] = where(v == lowest, inside, place)


@inner()
def _some_planes(x, kernel, step, tables, lowest, padded, values, places, best, best_places, out, indices):
    width, offsets, starts, corners, first = tables
    columns, pitch = out.shape[2], best.size // out.shape[1]
    for m in range(x.shape[0]):
        _copy(x[m], padded, offsets, width)
        if step == 2 and kernel > 1:
            _pairs(padded, corners, values, places)
        else:
            _first(padded, step, corners, values, places)
        for tap in range(2 if step == 2 else 1, kernel):
            if step == 2:
                _next_of_pairs(padded[tap:], corners, np.int32(tap), values, places)
            else:
                _next(padded[tap:], step, corners, np.int32(tap), values, places)
        for q in range(best.size):
            best[q] = values[starts[0] + q]
        for q in range(best.size):
            best_places[q] = places[starts[0] + q]
        for start in starts[1:]:
            _across(values[start:], places[start:], best, best_places)
        if columns == pitch:  # in one loop for the whole plane
            _write(best, best_places, first.reshape(-1), lowest, out[m].reshape(-1), indices[m].reshape(-1))
            continue
        for h in range(out.shape[1]):
            line = slice(h * pitch, h * pitch + columns)
            _write(best[line], best_places[line], first[h], lowest, out[m, h], indices[m, h])


@inner()
def _planes_part(part, parts, x, kernel, step, tables, lowest, work, out, indices):
    begin, end = share_of(x.shape[0], part, parts)
    padded, values, places, best, best_places = work
    _some_planes(
        x[begin:end], kernel, step, tables, lowest,
        padded[part], values[part], places[part], best[part], best_places[part], out[begin:end], indices[begin:end],
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _max_pool_planes(crew, parts, x, kernel, step, tables, lowest, work, out, indices):
    split(crew, _planes_part, parts, (parts, x, kernel, step, tables, lowest, work, out, indices))


def max_pool_planes(x, kernel, stride, padding, lowest, out, indices):
    """out[m, i, j] = max over r, s of x[m, i * stride[0] - padding[0] + r, ...], its place in the plane in indices.

    x (M, H, W), out and indices (M, OH, OW), contiguous, with H * W of at most LARGEST. The first of equals wins, and
    the last nan over everything.
    """
    length, counts, *tables = _plan(x.shape[1:], out.shape[1:], kernel, stride, padding)
    dtype = x.dtype.type
    crew, parts = threads.share(out.size * sum(kernel) // 2, len(x))
    work = (
        np.full((parts, length), lowest, dtype),
        np.empty((parts, counts[0]), dtype),
        np.empty((parts, counts[0]), np.int32),
        np.empty((parts, counts[1]), dtype),
        np.empty((parts, counts[1]), np.int32),
    )
    _max_pool_planes(crew, parts, x, kernel[1], stride[1], tuple(tables), dtype(lowest), work, out, indices)


@lru_cache(maxsize=64)
def _plan(inputs, outputs, kernel, stride, padding):
    """Sizes of the workspace, and the tables of _max_pool_planes.

    `width` is how much of a row of x is copied, `offsets` where to; `starts` where the rows of each tap begin;
    `corners` the place of the first tap of each row's windows in x, `first` that inside x of each output's window.
    """
    height, columns = inputs
    pitch = outputs[1] + (kernel[1] - 1) // stride[1]  # windows of a row, and what the last of them reaches into
    rows = (outputs[0] - 1) * stride[0] + kernel[0]
    cycle = -(-rows // stride[0])
    at = np.arange(cycle * stride[0])
    order = at % stride[0] * cycle + at // stride[0]  # where row `at` of the padded plane lies
    source = at - padding[0]
    offsets = np.full(height, -1)
    used = (source >= 0) & (source < height) & (at < rows)
    offsets[source[used]] = order[used] * (pitch * stride[1]) + padding[1]
    of_row = np.empty(at.size, np.int64)
    of_row[order] = source * columns
    corners = (of_row[:, None] + np.arange(pitch) * stride[1] - padding[1]).reshape(-1)
    taps = np.arange(kernel[0])
    starts = (taps % stride[0] * cycle + taps // stride[0]) * pitch
    axes = [np.maximum(np.arange(n) * s - p, 0) for n, s, p in zip(outputs, stride, padding, strict=True)]
    first = axes[0][:, None] * columns + axes[1]
    length = at.size * pitch * stride[1] + kernel[1]
    width = min(columns, pitch * stride[1] - padding[1])
    counts = corners.size, outputs[0] * pitch
    return length, counts, width, offsets, starts, corners.astype(np.int32), first.astype(np.int32)
