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
@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
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


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
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
            if down.shape[0] == 2 and along.shape[0] == 2:  # in half the time of the loops over terms
                upper, lower, made = x[m, down[0, i]], x[m, down[1, i]], out[m, i]
                factor, next_factor = down_weights[0, i], down_weights[1, i]
                for j in range(width):
                    at, next_at = along[0, j], along[1, j]
                    part = (factor * upper[at] + next_factor * lower[at]) * along_weights[0, j]
                    made[j] = part + (factor * upper[next_at] + next_factor * lower[next_at]) * along_weights[1, j]
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
def gather_weighted(image, index, weight, at, row, out):
    """out[n, c, p] = sum over t of weight[n, t, p] * image[n, c, index[n, t, p]]

    at (T, P) is room for places in row, an image's with a zero behind it; four terms are added at a time.
    """
    T, size, count = index.shape[1], u8(image.shape[2]), u8(out.shape[2])
    for n in range(out.shape[0]):
        for t in range(T):
            for p in range(count):
                i = index[n, t, p]
                at[t, p] = i if i >= 0 else np.int64(size)
        for c in range(out.shape[1]):
            dest = out[n, c]
            for k in range(size):
                row[k] = image[n, c, k]
            row[size] = 0
            first = T % 4
            for p in range(count):
                dest[p] = 0
            for t in range(first):
                w, a = weight[n, t], at[t]
                for p in range(count):
                    dest[p] += w[p] * row[u8(a[p])]
            for t in range(first, T, 4):
                w, a, w1, a1 = weight[n, t], at[t], weight[n, t + 1], at[t + 1]
                w2, a2, w3, a3 = weight[n, t + 2], at[t + 2], weight[n, t + 3], at[t + 3]
                for p in range(count):
                    total = dest[p] + w[p] * row[u8(a[p])]
                    total = total + w1[p] * row[u8(a1[p])]
                    total = total + w2[p] * row[u8(a2[p])]
                    dest[p] = total + w3[p] * row[u8(a3[p])]


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
