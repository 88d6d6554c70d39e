"""Weighted sums of neighbours along one dimension (average pooling, interpolation) or at any places (grid_sample)."""

import numpy as np
from numba import njit


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
