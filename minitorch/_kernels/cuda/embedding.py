"""Rows looked up by number, and their gradient: each row's terms are added up in their order, so sums repeat."""

from typing import Any

import numpy as np

from minitorch._kernels.codegen import Formula

from . import copy, index, pointwise, search
from .array import CudaArray

INT64 = np.dtype(np.int64)


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
    shape, dtype = inferred
    d, flat = copy.full(shape, 0, dtype), copy.contiguous(copy.reshaped(indices, indices.size), INT64)
    rows = copy.reshaped(g, indices.size, shape[1])
    if scale_grad_by_freq:
        rows = _by_frequency(rows, flat, shape[0])
    index.rows_added(d, rows, flat, 0)
    if padding_idx >= 0:
        copy.fill(d[padding_idx], 0)
    return d


def embedding_backward_adjoint(
    inferred: Any, g: CudaArray, indices: CudaArray, padding_idx: int, scale_grad_by_freq: bool
) -> CudaArray:
    """The rows of g, weighted as `embedding_backward` weights them."""
    (shape, dtype), flat = inferred, copy.contiguous(copy.reshaped(indices, indices.size), INT64)
    rows = index.index_select(((flat.size, g.shape[1]), dtype), g, flat, 0)
    if scale_grad_by_freq:
        rows = _by_frequency(rows, flat, g.shape[0])
    if padding_idx >= 0:
        is_padding = pointwise.compute(EQUALS, [flat], (padding_idx,), flat.shape, np.dtype(np.bool_))
        rows = copy.masked_zero((rows.shape, dtype), rows, is_padding[:, None])
    return copy.reshaped(rows, *shape)


def _equals(x, *, value):
    return x == value


EQUALS = Formula(_equals)


def _by_frequency(rows: CudaArray, flat: CudaArray, count: int) -> CudaArray:
    """Rows divided by how often their number occurs."""
    often = search.counts_of(flat, count)
    each = copy.converted(index.index_select((flat.shape, INT64), often, flat, 0), rows.dtype)
    return pointwise.compute(pointwise.QUOTIENT, [rows, each[:, None]], (), rows.shape, rows.dtype)
