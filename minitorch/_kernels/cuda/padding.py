"""Padding with the input's own elements: rows copied, and their gradients added, dimension by dimension."""

from typing import Any

import numpy as np

from minitorch._kernels.borders import MODES

from . import array, copy, index
from .array import CudaArray


def _places(shape: tuple[int, ...], pads: Any, how: str, device: int) -> list[tuple[int, CudaArray]]:
    """(dimension, where each of its padded elements comes from) of those that are padded."""
    found = []
    for i in range(len(pads) // 2):
        dim, (before, after) = len(shape) - 1 - i, pads[2 * i : 2 * i + 2]
        if before or after:
            rows = MODES[how](shape[dim], before, after).astype(np.int64)
            found.append((dim, array.from_host(rows, device)))
    return found


def bordered(inferred: Any, input: CudaArray, pads: Any, how: str) -> CudaArray:
    made = input
    for dim, rows in _places(input.shape, pads, how, input.device.index):
        shape = tuple([rows.size if d == dim else n for d, n in enumerate(made.shape)])
        made = index.index_select((shape, made.dtype), made, rows, dim)
    return copy.copied(input) if made is input else made


def bordered_backward(inferred: Any, g: CudaArray, input_shape: Any, pads: Any, how: str) -> CudaArray:
    """What lies in the borders is added to where it was taken from."""
    for dim, rows in reversed(_places(input_shape, pads, how, g.device.index)):
        shape = tuple([input_shape[d] if d == dim else n for d, n in enumerate(g.shape)])
        g = index.rows_added(copy.full(shape, 0, g.dtype), g, rows, dim)
    return copy.contiguous(g)
