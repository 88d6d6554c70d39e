"""Reading and writing at positions that an integer array holds.

Nothing here checks a range: the callers have done so (`_ops/positions.py`, `_ops/gathering.py`).
"""

from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def add_rows(dest, positions, src):
    """dest[l, positions[m], t] += src[l, m, t], in the order of m, so that sums round as torch's do."""
    for l in range(src.shape[0]):  # noqa: E741
        for m in range(positions.size):
            p = positions[m]
            for t in range(src.shape[2]):
                dest[l, p, t] += src[l, m, t]


@njit(cache=True, nogil=True, error_model="numpy")
def gather(x, index, out):
    """out[o, j, i] = x[o, index[o, j, i], i]"""
    for o in range(index.shape[0]):
        for j in range(index.shape[1]):
            for i in range(index.shape[2]):
                out[o, j, i] = x[o, index[o, j, i], i]


@njit(cache=True, nogil=True, error_model="numpy")
def scatter(dest, index, src):
    """dest[o, index[o, j, i], i] = src[o, j, i]; of several the last wins."""
    for o in range(index.shape[0]):
        for j in range(index.shape[1]):
            for i in range(index.shape[2]):
                dest[o, index[o, j, i], i] = src[o, j, i]


@njit(cache=True, nogil=True, error_model="numpy")
def scatter_add(dest, index, src):
    """dest[o, index[o, j, i], i] += src[o, j, i]"""
    for o in range(index.shape[0]):
        for j in range(index.shape[1]):
            for i in range(index.shape[2]):
                dest[o, index[o, j, i], i] += src[o, j, i]


@njit(cache=True, nogil=True, error_model="numpy")
def scatter_multiply(dest, index, src):
    """dest[o, index[o, j, i], i] *= src[o, j, i]"""
    for o in range(index.shape[0]):
        for j in range(index.shape[1]):
            for i in range(index.shape[2]):
                dest[o, index[o, j, i], i] *= src[o, j, i]
