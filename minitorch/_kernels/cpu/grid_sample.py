"""Images (N, C, H, W) read at the places of a grid (N, P, 2), x and y from -1 to 1, zeros outside; and the gradients.

Each plane is copied into one with zeros around it, two before and one behind, so that no pixel needs a test: a place
outside reads the first four pixels of that, without weight. Where pixels lie and their weights is found once for all
channels. Positions are unsigned: Numba tests every signed one for being negative.
"""

import numpy as np
from numba import njit

from .inner import inner

BEFORE, AROUND = 2, 3
u8 = np.uint64


@inner()
def _find(grid, n, height, width, nearest, corners, at, weights):
    """at[p]: the first pixel read; weights[:4, p]: of it, its right, lower, and lower right neighbour.

    weights[4:, p] are the factors that these are made of: of the left, right, upper and lower pixels.
    """
    kind = grid.dtype.type
    w, h, line = kind(width), kind(height), u8(width + AROUND)
    zero, half, one, two = kind(0), kind(0.5), kind(1), kind(2)
    for p in range(u8(grid.shape[1])):
        x, y = grid[n, p, 0] + one, grid[n, p, 1] + one
        if corners:
            x, y = x * ((w - one) * half), y * ((h - one) * half)
        else:
            x, y = (x * w - one) / two, (y * h - one) / two
        left, top = (np.rint(x), np.rint(y)) if nearest else (np.floor(x), np.floor(y))
        least = zero if nearest else -one
        inside = least <= left < w and least <= top < h  # not for nan
        column = u8((left if inside else zero) + two)
        at[p] = u8((top if inside else zero) + two) * line + column if inside else u8(0)
        if not nearest:
            # outside there is no weight, but at no place at all (inf, nan) it is nan, as in torch
            from_left, from_right = (left + one - x, x - left) if inside else (x - x, x - x)
            from_top, from_bottom = (top + one - y, y - top) if inside else (y - y, y - y)
            weights[0, p], weights[1, p] = from_top * from_left, from_top * from_right
            weights[2, p], weights[3, p] = from_bottom * from_left, from_bottom * from_right
            weights[4, p], weights[5, p], weights[6, p], weights[7, p] = from_left, from_right, from_top, from_bottom


@njit(cache=True, nogil=True, error_model="numpy")
def sample(image, grid, nearest, corners, at, weights, plane, out):
    """out[n, c, p] = image[n, c] at grid[n, p]; plane is zeros."""
    height, width = image.shape[2:]
    line = u8(width + AROUND)
    for n in range(out.shape[0]):
        _find(grid, n, height, width, nearest, corners, at, weights)
        for c in range(out.shape[1]):
            for i in range(u8(height)):
                start = (i + u8(BEFORE)) * line + u8(BEFORE)
                for j in range(u8(width)):
                    plane[start + j] = image[n, c, i, j]
            if nearest:
                for p in range(u8(out.shape[2])):
                    out[n, c, p] = plane[u8(at[p])]
                continue
            for p in range(u8(out.shape[2])):
                a = u8(at[p])
                b = a + line
                upper = weights[0, p] * plane[a] + weights[1, p] * plane[a + u8(1)]
                out[n, c, p] = (upper + weights[2, p] * plane[b]) + weights[3, p] * plane[b + u8(1)]


@njit(cache=True, nogil=True, error_model="numpy")
def sample_gradients(g, image, grid, nearest, corners, at, weights, plane, sums, slopes, d_image, d_grid):
    """The gradients of `sample` by image and grid, from that by its result; plane is zeros, slopes as large."""
    kind = grid.dtype.type
    height, width = image.shape[2:]
    line, one = u8(width + AROUND), u8(1)
    wide, high = (width - 1, height - 1) if corners else (width, height)
    x_scale, y_scale = kind(wide) * kind(0.5), kind(high) * kind(0.5)
    for n in range(g.shape[0]):
        _find(grid, n, height, width, nearest, corners, at, weights)
        sums[:] = 0
        for c in range(g.shape[1]):
            slopes[:] = 0
            if nearest:
                for p in range(u8(g.shape[2])):
                    slopes[u8(at[p])] += g[n, c, p]
            else:
                for i in range(u8(height)):
                    start = (i + u8(BEFORE)) * line + u8(BEFORE)
                    for j in range(u8(width)):
                        plane[start + j] = image[n, c, i, j]
                for p in range(u8(g.shape[2])):
                    a, e = u8(at[p]), g[n, c, p]
                    b = a + line
                    slopes[a] += weights[0, p] * e
                    slopes[a + one] += weights[1, p] * e
                    slopes[b] += weights[2, p] * e
                    slopes[b + one] += weights[3, p] * e
                    sums[0, p] += e * plane[a]
                    sums[1, p] += e * plane[a + one]
                    sums[2, p] += e * plane[b]
                    sums[3, p] += e * plane[b + one]
            for i in range(u8(height)):
                start = (i + u8(BEFORE)) * line + u8(BEFORE)
                for j in range(u8(width)):
                    d_image[n, c, i, j] = slopes[start + j]
        for p in range(u8(g.shape[2])):
            along = (sums[1, p] - sums[0, p]) * weights[6, p] + (sums[3, p] - sums[2, p]) * weights[7, p]
            down = (sums[2, p] - sums[0, p]) * weights[4, p] + (sums[3, p] - sums[1, p]) * weights[5, p]
            d_grid[n, p, 0], d_grid[n, p, 1] = (kind(0), kind(0)) if nearest else (along * x_scale, down * y_scale)
