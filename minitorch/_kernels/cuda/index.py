"""Reading and writing along one dimension at positions given by an index tensor; of several: `positions.py`."""

from math import prod
from typing import Any

import numpy as np

from minitorch._kernels.codegen import Formula
from minitorch._kernels.scalar import where

from . import copy, pointwise, sort
from .array import CudaArray, empty
from .block import BLOCK
from .index_kernels import (
    chain_kernel,
    combine_rows_kernel,
    gather_kernel,
    last_kernel,
    places_kernel,
    scatter_kernel,
    select_kernel,
    set_rows_kernel,
    sorted_chain_kernel,
)

INT64 = np.dtype(np.int64)
FEW_COLUMNS, SHORT_COLUMN = 4096, 32  # fewer columns than these, longer than these, leave most of the device idle
COMPARED = 2048  # indices up to which comparing each with each is faster than sorting


# ---------------------------------------------------------------------- gather and scatter
def _parts(shape: tuple[int, ...], dim: int) -> tuple[int, int, int]:
    if not shape:
        return 1, 1, 1
    dim %= len(shape)
    return prod(shape[:dim]), shape[dim], prod(shape[dim + 1 :])


def _corner(a: CudaArray, shape: tuple[int, ...], dim: int) -> CudaArray:
    """The part of a that an index of this shape reaches: its sizes, but all of dim; contiguous."""
    if not a.ndim:
        return a
    part = a[tuple([slice(None) if i == dim % a.ndim else slice(n) for i, n in enumerate(shape)])]
    return copy.contiguous(part)


def gather(inferred: Any, input: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    shape, dtype = inferred
    out = empty(shape, dtype)
    if out.size:
        x = _corner(input, shape, dim)
        (_, n, _), (_, taken, inner) = _parts(x.shape, dim), _parts(shape, dim)
        made = gather_kernel(f"u{dtype.itemsize}")
        made.launch(-(-out.size // BLOCK), x, copy.contiguous(index, INT64), out, out.size, taken, inner, n)
    return out


def _scatter(dest: CudaArray, source: Any, index: CudaArray, dim: int, how: str) -> None:
    """Write or combine the source into a contiguous dest of the sizes that the index reaches, in place.

    By columns, or, where these are few and long, by elements.
    """
    outer, taken, inner = _parts(index.shape, dim)
    columns, n = outer * inner, _parts(dest.shape, dim)[1]
    source, index = copy.contiguous(source, dest.dtype), copy.contiguous(index, INT64)
    if columns < FEW_COLUMNS and taken > SHORT_COLUMN:
        places = empty((index.size,), INT64)
        places_kernel().launch(-(-index.size // BLOCK), index, places, index.size, taken, inner, n)
        flat, source = copy.reshaped(dest, dest.size), copy.reshaped(source, index.size)
        if how == "set":
            rows_set(flat, source, places, 0)
        else:
            rows_combined(flat, source, places, 0, how)
        return
    made = scatter_kernel(dest.dtype, how)
    made.launch(-(-columns // BLOCK), source, index, dest, columns, taken, inner, n)


def gather_backward(inferred: Any, g: CudaArray, index: CudaArray, input_shape: Any, dim: int) -> CudaArray:
    shape, dtype = inferred
    made = copy.full(shape, 0, dtype)
    return _into(made, g, index, dim, "add")


def _into(input: CudaArray, source: Any, index: CudaArray, dim: int, how: str) -> CudaArray:
    """`_scatter` into any array, by way of a contiguous part where it is not one."""
    if not index.size:
        return input
    if input.ndim:
        source = source[tuple([slice(n) for n in index.shape])]
        place = tuple([slice(None) if i == dim % input.ndim else slice(n) for i, n in enumerate(index.shape)])
        part = input[place]
    else:
        part = input
    dense = copy.contiguous(part)
    _scatter(dense, source, index, dim, how)
    if dense is not part:
        copy.write(part, dense)
    return input


def scatter_into(inferred: Any, input: CudaArray, src: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    return _into(input, src, index, dim, "set")


def scatter_add_into(inferred: Any, input: CudaArray, src: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    return _into(input, src, index, dim, "add")


def scatter_multiply_into(inferred: Any, input: CudaArray, src: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    return _into(input, src, index, dim, "multiply")


def scatter_product(inferred: Any, input: CudaArray, src: CudaArray, index: CudaArray, dim: int, how: str) -> CudaArray:
    return _into(copy.copied(input), src, index, dim, "multiply")


def scatter_extreme(inferred: Any, input: CudaArray, src: CudaArray, index: CudaArray, dim: int, how: str) -> CudaArray:
    return _into(copy.copied(input), src, index, dim, how)


def scatter_cleared(inferred: Any, g: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    made = copy.copied(g)
    return _into(made, copy.full(index.shape, 0, g.dtype), index, dim, "set")


def scatter_one(inferred: Any, g: CudaArray, indices: CudaArray, shape: Any, dim: int, keepdim: bool) -> CudaArray:
    """Zeros of `shape` with g at the indices along dim."""
    shape, dtype = inferred
    if not shape:
        return copy.copied(g)
    if not keepdim:
        kept = tuple([1 if i == dim % len(shape) else n for i, n in enumerate(shape)])
        g, indices = copy.reshaped(g, *kept), copy.reshaped(indices, *kept)
    return _into(copy.full(shape, 0, dtype), g, indices, dim, "set")


def take_one(inferred: Any, input: CudaArray, indices: CudaArray, dim: int, keepdim: bool) -> CudaArray:
    shape, dtype = inferred
    if not input.ndim:
        return copy.copied(input)
    kept = tuple([1 if i == dim % input.ndim else n for i, n in enumerate(input.shape)])
    return copy.reshaped(gather((kept, dtype), input, copy.reshaped(indices, *kept), dim), *shape)


def pick_in_planes(inferred: Any, input: CudaArray, indices: CudaArray) -> CudaArray:
    """input (N, C, ...) at indices into its planes (or lines, or volumes)."""
    shape, dtype = inferred
    planes = prod(shape[:2])
    flat = (planes, prod(shape[2:]))
    at = copy.reshaped(indices, *flat)
    return copy.reshaped(gather((flat, dtype), copy.reshaped(input, planes, prod(input.shape[2:])), at, 1), *shape)


# ---------------------------------------------------------------------- rows
def index_select(inferred: Any, input: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    shape, dtype = inferred
    if not input.ndim:
        return copy.copied(input)
    out = empty(shape, dtype)
    if out.size:
        x = copy.contiguous(input)
        _, n, inner = _parts(x.shape, dim)
        made = select_kernel(f"u{dtype.itemsize}")
        made.launch(-(-out.size // BLOCK), x, copy.contiguous(index, INT64), out, out.size, index.size, inner, n)
    return out


def rows_combined(dest: CudaArray, source: CudaArray, index: CudaArray, dim: int, how: str) -> CudaArray:
    """Combine source[..., i, ...] into dest[..., index[i], ...] along dim, in place, in the order of i."""
    if not source.size:
        return dest
    dense, index = copy.contiguous(dest), copy.contiguous(index, INT64)
    source = copy.contiguous(source, dest.dtype)
    (outer, n, inner), taken = _parts(dense.shape, dim), index.size
    count = outer * taken * inner
    made = combine_rows_kernel(dense.dtype, how)
    made.launch(-(-count // BLOCK), source, index, _chain(index), dense, count, taken, inner, n)
    if dense is not dest:
        copy.write(dest, dense)
    return dest


def _chain(index: CudaArray) -> CudaArray:
    """Which position follows each of the same index: by comparing all of them, or, of many, by sorting."""
    taken = index.size
    following = empty((taken,), np.dtype(np.int32))
    if taken <= COMPARED:
        chain_kernel().launch(-(-taken // BLOCK), index, following, taken)
    else:
        ordered = sort.sorted_rows(copy.reshaped(index, 1, taken), taken, False)
        sorted_chain_kernel().launch(-(-taken // BLOCK), *ordered, following, taken)
    return following


def rows_added(dest: CudaArray, source: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    """dest[..., index[i], ...] += source[..., i, ...] along dim, in place."""
    return rows_combined(dest, source, index, dim, "add")


def rows_set(dest: CudaArray, source: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    """dest[..., index[i], ...] = source[..., i, ...] along dim, in place; of several rows the last."""
    if not source.size:
        return dest
    dense, index = copy.contiguous(dest), copy.contiguous(index, INT64)
    source = copy.contiguous(source, dest.dtype)
    (outer, n, inner), taken = _parts(dense.shape, dim), index.size
    count, last = outer * taken * inner, copy.full((n,), -1, np.dtype(np.int32))
    last_kernel().launch(-(-taken // BLOCK), index, last, taken, n)
    made = set_rows_kernel(f"u{dense.dtype.itemsize}")
    made.launch(-(-count // BLOCK), source, index, last, dense, count, taken, inner, n)
    if dense is not dest:
        copy.write(dest, dense)
    return dest


def index_select_backward(inferred: Any, g: CudaArray, index: CudaArray, input_shape: Any, dim: int) -> CudaArray:
    shape, dtype = inferred
    return rows_added(copy.full(shape, 0, dtype), g, index, dim)


def index_add_into(inferred: Any, input: CudaArray, source: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    return rows_added(input, source, index, dim)


def index_copy_into(inferred: Any, input: CudaArray, source: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    return rows_set(input, source, index, dim)


def index_fill_into(inferred: Any, input: CudaArray, value: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    outer, n, inner = _parts(input.shape, dim)
    rows = value.restrided((outer, index.size, inner), (0, 0, 0))
    return rows_set(input, rows, wrapped(index, n), dim)


def rows_cleared(inferred: Any, g: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    return index_fill_into(inferred, copy.copied(g), copy.full((), 0, g.dtype), index, dim)


def rows_kept(inferred: Any, g: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    """Zeros but for the rows of the index."""
    (shape, dtype), (outer, n, inner), at = inferred, _parts(g.shape, dim), wrapped(index, _parts(g.shape, dim)[1])
    rows = index_select(((outer, index.size, inner), dtype), copy.reshaped(g, outer, n, inner), at, 1)
    return copy.reshaped(rows_set(copy.full((outer, n, inner), 0, dtype), rows, at, 1), *shape)


def _wrapped(i, *, n):
    return where(i < 0, i + n, i)


WRAPPED = Formula(_wrapped)


def wrapped(index: CudaArray, n: int) -> CudaArray:
    """Indices of a dimension of size n as int64, counted from the front."""
    return pointwise.compute(WRAPPED, [index], (n,), index.shape, INT64)
