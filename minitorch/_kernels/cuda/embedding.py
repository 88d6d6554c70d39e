"""Rows looked up by number, and their gradient: each row's terms are added up in their order, so sums repeat."""

from typing import Any

import numpy as np

from . import copy, index
from .array import CudaArray


def embedding_rows(
    inferred: Any, weight: CudaArray, indices: CudaArray, padding_idx: int, scale_grad_by_freq: bool
) -> CudaArray:
    shape, dtype = inferred
    flat = copy.reshaped(indices, indices.size)
    return copy.reshaped(index.index_select(((flat.size, weight.shape[1]), dtype), weight, flat, 0), *shape)


def embedding_backward(
    inferred: Any,
    g: CudaArray,
    indices: CudaArray,
    weight_shape: Any,
    padding_idx: int,
    scale_grad_by_freq: bool,
) -> CudaArray:
    """Zeros with the rows of g added where they came from; nothing is added to the padding row."""
    if scale_grad_by_freq:
        raise NotImplementedError(
            "embedding() with scale_grad_by_freq=True has no gradient on device 'cuda' in minitorch: compute it on the "
            "CPU"
        )
    shape, dtype = inferred
    d = copy.full(shape, 0, dtype)
    rows = copy.reshaped(g, indices.size, shape[1])
    index.rows_added(d, rows, copy.contiguous(copy.reshaped(indices, indices.size), np.dtype(np.int64)), 0)
    if padding_idx >= 0:
        copy.fill(d[padding_idx], 0)
    return d
