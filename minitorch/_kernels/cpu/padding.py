"""Padding, in all modes: tables say which element goes where, so dtypes matter by their size only."""

import numpy as np
from numba import njit

from .plane_vectors import copy_line


@njit(cache=True, nogil=True, error_model="numpy")
def framed(x, planes, lines, columns, first, taken, value, out):
    """out[p, i, j] = x[p, lines[i] + columns[j]] of `planes` planes, and value[0] where either is below 0.

    x and out are flat. From column `first` of out on, `taken` columns lie as they do in x.
    """
    fill = value[0]  # read once: as far as LLVM knows it is overwritten
    height, width = lines.size, columns.size
    plane = x.size // planes
    after = first + taken
    for p in range(planes):
        for i in range(height):
            to = (p * height + i) * width
            made = out[to : to + width]
            if lines[i] < 0:
                for j in range(width):
                    made[np.uint64(j)] = fill
                continue
            start = p * plane + lines[i]
            for j in range(first):
                made[np.uint64(j)] = fill if columns[j] < 0 else x[np.uint64(start + columns[j])]
            if taken:
                copy_line(x, start + columns[first], out, to + first, taken)
            for j in range(after, width):
                made[np.uint64(j)] = fill if columns[j] < 0 else x[np.uint64(start + columns[j])]
