"""Gradients of views, and copies with a part written: zeros, or a copy, and a strided write into it."""

from typing import Any

import numpy as np

from minitorch._kernels.strided import places_of

from . import array, copy, index, pointwise
from .array import CudaArray


def _diagonal(a: CudaArray, offset: int, dim1: int, dim2: int) -> CudaArray:
    """The view of a diagonal: its elements are the last dimension."""
    dim1, dim2 = dim1 % a.ndim, dim2 % a.ndim
    rows, columns = a.shape[dim1] + min(offset, 0), a.shape[dim2] - max(offset, 0)
    count = max(min(rows, columns), 0)
    start = (a.strides[dim1] * -offset if offset < 0 else a.strides[dim2] * offset) if count else 0
    rest = [d for d in range(a.ndim) if d not in (dim1, dim2)]
    strides = (*[a.strides[d] for d in rest], a.strides[dim1] + a.strides[dim2])
    return a.restrided((*[a.shape[d] for d in rest], count), strides, start)


def diagonal_backward(inferred: Any, g: CudaArray, input_shape: Any, offset: int, dim1: int, dim2: int) -> CudaArray:
    return diag_embed(inferred, g, offset, dim1, dim2)


def diag_embed(inferred: Any, input: CudaArray, offset: int, dim1: int, dim2: int) -> CudaArray:
    """Zeros of the inferred shape with the input as their diagonal."""
    shape, dtype = inferred
    made = copy.full(shape, 0, dtype)
    copy.write(_diagonal(made, offset, dim1, dim2), input)
    return made


# ---------------------------------------------------------------------- parts by geometry
def _laid_out(g: CudaArray | None, base: Any, dtype: Any) -> CudaArray:
    """A copy of g, or zeros, with the strides of `base`: (shape, strides in elements)."""
    shape, strides = base
    extent = max(1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)), 1)
    memory = copy.full((extent,), 0, dtype)
    made = memory.restrided(tuple(shape), tuple([s * dtype.itemsize for s in strides]))
    if g is not None:
        copy.write(made, g)
    return made


def _window(a: CudaArray, part: Any) -> CudaArray:
    size, strides, offset = part
    item = a.dtype.itemsize
    return a.restrided(tuple(size), tuple([s * item for s in strides]), offset * item)


def strided_part(inferred: Any, g: CudaArray, base: Any, part: Any) -> CudaArray:
    return copy.copied(_window(_laid_out(g, base, g.dtype), part))


def strided_spread(inferred: Any, g: CudaArray, base: Any, part: Any) -> CudaArray:
    made = _laid_out(None, base, g.dtype)
    copy.write(_window(made, part), g)
    return made


def strided_written(inferred: Any, g: CudaArray, src: CudaArray, base: Any, part: Any) -> CudaArray:
    made = _laid_out(g, base, g.dtype)
    copy.write(_window(made, part), src)
    return made


def part_written(inferred: Any, input: CudaArray, src: CudaArray, view: Any, args: Any) -> CudaArray:
    """A copy of the input with src in the place of the part that the view op names."""
    made = copy.copied(input, "K")
    copy.write(view.forward(made, *args), src)
    return made


strided_part_written = part_written  # its gradient is another


def part_kept(inferred: Any, g: CudaArray, view: Any, args: Any) -> CudaArray:
    made = copy.full(g.shape, 0, g.dtype)
    copy.write(view.forward(made, *args), view.forward(copy.copied(g), *args))
    return made


def part_zeroed(inferred: Any, g: CudaArray, view: Any, args: Any) -> CudaArray:
    made = copy.copied(g)
    part = view.forward(made, *args)
    copy.write(part, array.filled((), 0, g.dtype, g.device.index))
    return made


# ---------------------------------------------------------------------- as_strided
def _at(g: CudaArray, *geometries: Any) -> list[CudaArray]:
    """Where in memory the elements of each (shape, strides, offset) lie, from the first of all on; and how much that
    is: worked out on the host. Before the last, how many elements of the first geometry share each place."""
    low = min(offset for *_, offset in geometries)
    found = [places_of(shape, strides, offset - low).reshape(-1) for shape, strides, offset in geometries]
    extent = 1 + max(int(a.max(initial=0)) for a in found)
    shares = np.maximum(np.bincount(found[0], minlength=extent), 1).astype(np.int32)
    return [*[array.from_host(a, g.device.index) for a in (*found, shares)], copy.full((extent,), 0, g.dtype)]


def as_strided_backward(
    inferred: Any, g: CudaArray, input_geometry: Any, size: Any, stride: Any, storage_offset: Any
) -> CudaArray:
    """Each element of g added at its place in memory, then the input's elements read from there."""
    start = input_geometry[2]
    view = size, stride, start if storage_offset is None else storage_offset
    mine, places, shares, memory = _at(g, input_geometry, view)
    index.rows_added(memory, copy.reshaped(g, g.size), places, 0)
    pointwise.write(pointwise.QUOTIENT, [memory, shares], (), memory)
    return copy.reshaped(index.index_select((mine.shape, g.dtype), memory, mine, 0), *inferred[0])


def as_strided_read(
    inferred: Any, g: CudaArray, input_geometry: Any, size: Any, stride: Any, storage_offset: Any
) -> CudaArray:
    """The adjoint of `as_strided_backward`: g's elements at their places in memory, read by the view's geometry."""
    start = input_geometry[2]
    view = size, stride, start if storage_offset is None else storage_offset
    mine, places, shares, memory = _at(g, input_geometry, view)
    index.rows_added(memory, copy.reshaped(g, g.size), mine, 0)
    pointwise.write(pointwise.QUOTIENT, [memory, shares], (), memory)
    return copy.reshaped(index.index_select((places.shape, g.dtype), memory, places, 0), *inferred[0])
