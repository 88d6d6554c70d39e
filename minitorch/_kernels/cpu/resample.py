"""Weighted sums of neighbours along one dimension (average pooling, interpolation) or at any places (grid_sample)."""

import numpy as np
from numba import njit

u8 = np.uint64
NARROW = 16  # elements of a row up to which its loops are not worth their beginning


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


# The same along both dimensions of planes, one after the other, where all sums have as many terms: out[m] of x[m], the
# tables are (terms, outputs). All loops stand in one function: for slices given to another, references are counted.
@njit(cache=True, nogil=True, error_model="numpy")
def enlarge_planes(x, down, down_weights, along, along_weights, room, out):
    """First along the rows, into as many rows of room as x has, then down."""
    width = u8(out.shape[2])
    for m in range(x.shape[0]):
        for h in range(x.shape[1]):
            row, made = x[m, h], room[h]
            at, w = along[0], along_weights[0]
            if along.shape[0] == 2:
                next_at, next_w = along[1], along_weights[1]
                for j in range(width):
                    made[j] = w[j] * row[at[j]] + next_w[j] * row[next_at[j]]
                continue
            for j in range(width):
                made[j] = w[j] * row[at[j]]
            for t in range(1, along.shape[0]):
                at, w = along[t], along_weights[t]
                for j in range(width):
                    made[j] += w[j] * row[at[j]]
        for i in range(out.shape[1]):
            row, made, factor = room[down[0, i]], out[m, i], down_weights[0, i]
            if down.shape[0] == 2:
                next_row, next_factor = room[down[1, i]], down_weights[1, i]
                for j in range(width):
                    made[j] = factor * row[j] + next_factor * next_row[j]
                continue
            for j in range(width):
                made[j] = factor * row[j]
            for t in range(1, down.shape[0]):
                row, factor = room[down[t, i]], down_weights[t, i]
                for j in range(width):
                    made[j] += factor * row[j]


@njit(cache=True, nogil=True, error_model="numpy")
def shrink_planes(x, down, down_weights, along, along_weights, room, out):
    """First down, into a row of room, then along it; in narrow planes, whose loops are short, each output by itself."""
    zero, width, inputs = x.dtype.type(0), u8(out.shape[2]), u8(x.shape[2])
    for m in range(out.shape[0]):
        for i in range(out.shape[1]):
            if width >= NARROW:
                row, factor = x[m, down[0, i]], down_weights[0, i]
                for k in range(inputs):
                    room[k] = factor * row[k]
                for t in range(1, down.shape[0]):
                    row, factor = x[m, down[t, i]], down_weights[t, i]
                    for k in range(inputs):
                        room[k] += factor * row[k]
                made, at, w = out[m, i], along[0], along_weights[0]
                if along.shape[0] == 2:
                    next_at, next_w = along[1], along_weights[1]
                    for j in range(width):
                        made[j] = w[j] * room[at[j]] + next_w[j] * room[next_at[j]]
                    continue
                for j in range(width):
                    made[j] = w[j] * room[at[j]]
                for t in range(1, along.shape[0]):
                    at, w = along[t], along_weights[t]
                    for j in range(width):
                        made[j] += w[j] * room[at[j]]
                continue
            for j in range(width):
                total = zero
                for s in range(along.shape[0]):
                    column = along[s, j]
                    part = down_weights[0, i] * x[m, down[0, i], column]
                    for t in range(1, down.shape[0]):
                        part += down_weights[t, i] * x[m, down[t, i], column]
                    part *= along_weights[s, j]
                    total = total + part if s else part
                out[m, i, j] = total


# Weighted sums of images (N, C, S): index and weight are (N, T, P), and negative places lie outside of the image. They
# are looked at as element 0, and then replaced by zero, since a branch for each is slower.
@njit(cache=True, nogil=True, error_model="numpy")
def gather_weighted(image, index, weight, out):
    """out[n, c, p] = sum over t of weight[n, t, p] * image[n, c, index[n, t, p]]"""
    zero = out.dtype.type(0)
    for n in range(out.shape[0]):
        for c in range(out.shape[1]):
            row = image[n, c]
            for p in range(out.shape[2]):
                out[n, c, p] = zero
            for t in range(index.shape[1]):
                for p in range(out.shape[2]):
                    i = index[n, t, p]
                    value = row[np.uint64(i if i >= 0 else 0)]
                    out[n, c, p] += weight[n, t, p] * value if i >= 0 else zero


@njit(cache=True, nogil=True, error_model="numpy")
def sample_plane(image, grid, nearest, corners, out):
    """out[n, c, p] = image[n, c] at the place grid[n, p], x and y from -1 to 1; the pixels outside count as zero.

    The same sums as gather_weighted makes of a table of places, without the table.
    """
    kind = out.dtype.type
    height, width = kind(image.shape[2]), kind(image.shape[3])
    zero, half, one, two = kind(0), kind(0.5), kind(1), kind(2)
    for n in range(out.shape[0]):
        for p in range(out.shape[2]):
            x, y = grid[n, p, 0] + one, grid[n, p, 1] + one
            if corners:
                x, y = x * ((width - one) * half), y * ((height - one) * half)
            else:
                x, y = (x * width - one) / two, (y * height - one) / two
            left, top = (np.rint(x), np.rint(y)) if nearest else (np.floor(x), np.floor(y))
            right, bottom = left + one, top + one
            # the comparisons are false for nan
            in_left, in_right = zero <= left < width, not nearest and zero <= right < width
            in_top, in_bottom = zero <= top < height, not nearest and zero <= bottom < height
            j0, j1 = np.uint64(left if in_left else zero), np.uint64(right if in_right else zero)
            i0, i1 = np.uint64(top if in_top else zero), np.uint64(bottom if in_bottom else zero)
            from_left, from_right = (one, zero) if nearest else (right - x, x - left)
            from_top, from_bottom = (one, zero) if nearest else (bottom - y, y - top)
            for c in range(out.shape[1]):
                total = zero
                if in_top and in_left:
                    total += from_top * from_left * image[n, c, i0, j0]
                if in_top and in_right:
                    total += from_top * from_right * image[n, c, i0, j1]
                if in_bottom and in_left:
                    total += from_bottom * from_left * image[n, c, i1, j0]
                if in_bottom and in_right:
                    total += from_bottom * from_right * image[n, c, i1, j1]
                out[n, c, p] = total


@njit(cache=True, nogil=True, error_model="numpy")
def scatter_weighted(samples, index, weight, out):
    """out[n, c, index[n, t, p]] += weight[n, t, p] * samples[n, c, p]"""
    for n in range(samples.shape[0]):
        for c in range(samples.shape[1]):
            row = out[n, c]
            for t in range(index.shape[1]):
                for p in range(samples.shape[2]):
                    i = index[n, t, p]
                    if i >= 0:
                        row[np.uint64(i)] += weight[n, t, p] * samples[n, c, p]


@njit(cache=True, nogil=True, error_model="numpy")
def products_at(samples, image, index, out):
    """out[n, t, p] += sum over c of samples[n, c, p] * image[n, c, index[n, t, p]]"""
    zero = out.dtype.type(0)
    for n in range(samples.shape[0]):
        for c in range(samples.shape[1]):
            row = image[n, c]
            for t in range(index.shape[1]):
                for p in range(samples.shape[2]):
                    i = index[n, t, p]
                    value = row[np.uint64(i if i >= 0 else 0)]
                    out[n, t, p] += samples[n, c, p] * value if i >= 0 else zero
