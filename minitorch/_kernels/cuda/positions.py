"""Reading and writing at positions in several dimensions: x[i, :, j], x[mask], and what is made of masks.

`at` is the index of `_ops/positions.py`, whose plan says which dimensions are indexed and where in the result their
block lies. A mask's positions are found on the device; how many they are is a number that the host waits for.
"""

from math import prod
from typing import Any

import numpy as np

from minitorch._kernels.codegen import Formula
from minitorch._kernels.scalar import where

from . import copy, pointwise
from .array import CudaArray, from_host
from .index import INT64, WRAPPED, index_select, rows_added, rows_set
from .selecting import flat_nonzero


def _combined(flat, i, *, n):
    return where((flat < 0) | (i < -n) | (i >= n), -1, flat * n + where(i < 0, i + n, i))


COMBINED = Formula(_combined)


class _Places:
    """An index on a tensor of a shape: `flat` positions in the dimensions that it names, in front if they are apart."""

    def __init__(self, at: Any, shape: tuple[int, ...], device: Any):
        self.plan = plan = at.plan(shape)
        self.shape = shape
        self.flat = self._flat(device.index)
        lead, trail = prod(plan.rest[: plan.place]), prod(plan.rest[plan.place :])
        self.sizes = lead, prod([shape[d] for d in plan.dims]), trail
        self.taken = lead, self.flat.size, trail

    def _flat(self, index: int) -> CudaArray:
        flat: Any = None
        for g in self.plan.groups:
            own, n = g.values if g.flat is None else g.flat, prod(self.shape[g.dim : g.dim + g.count])
            own = from_host(own, index) if isinstance(own, np.ndarray) else own
            if flat is None:
                flat = pointwise.compute(WRAPPED, [own], (n,), own.shape, INT64)
            else:
                both = np.broadcast_shapes(flat.shape, own.shape)
                flat = pointwise.compute(COMBINED, [flat, own], (n,), both, INT64)
        return copy.reshaped(flat, flat.size)

    def front(self, a: CudaArray) -> CudaArray:
        """The array, of the tensor's shape, with the indexed dimensions where `sizes` has them."""
        return a if self.plan.adjacent else a.transpose(self._order())

    def _order(self) -> list[int]:
        return [*self.plan.dims, *[d for d in range(len(self.shape)) if d not in self.plan.dims]]

    def write(self, dest: CudaArray, values: CudaArray, combine: Any) -> CudaArray:
        """Values, broadcast to what would be read, set or added at the positions."""
        given = copy.reshaped(
            values.restrided(self.plan.result, pointwise.broadcast(values, self.plan.result)), *self.taken
        )
        moved = self.front(dest)
        dense = copy.contiguous(moved)
        combine(copy.reshaped(dense, *self.sizes), given, self.flat, 1)
        if dense is not moved:
            copy.write(moved, dense)
        return dest


def _mask_of(at: Any, a: CudaArray) -> CudaArray | None:
    """The mask that is the whole index, broadcast to the tensor; None if the index is something else."""
    arrays = at.arrays()
    mask = arrays[0]
    if len(arrays) > 1 or mask is None or mask.dtype != np.bool_ or mask.shape != a.shape[: mask.ndim]:
        return None
    mask = from_host(mask, a.device.index) if isinstance(mask, np.ndarray) else mask
    return mask.restrided((*mask.shape, *a.shape[mask.ndim :]), (*mask.strides, *(0,) * (a.ndim - mask.ndim)))


def index(inferred: Any, input: CudaArray, at: Any) -> CudaArray:
    places = _Places(at, input.shape, input.device)
    x = copy.reshaped(places.front(input), *places.sizes)
    return copy.reshaped(index_select((places.taken, input.dtype), x, places.flat, 1), *places.plan.result)


masked_read = take_flat = index


def index_backward(inferred: Any, g: CudaArray, input_shape: Any, at: Any) -> CudaArray:
    """Zeros with g added at the positions; a mask names each once."""
    shape, dtype = inferred
    made, places = copy.full(shape, 0, dtype), _Places(at, shape, g.device)
    is_mask = len(places.plan.groups) == 1 and places.plan.groups[0].flat is not None
    return places.write(made, g, rows_set if is_mask else rows_added)


def index_put_into(inferred: Any, input: CudaArray, values: CudaArray, at: Any, accumulate: bool) -> CudaArray:
    """input[at] = values, or += with every repeated position counted; one number at a mask waits for nothing."""
    mask = None if accumulate or values.size != 1 else _mask_of(at, input)
    if mask is not None:
        return copy.masked_fill_into(inferred, input, values.restrided((), ()), mask)
    places = _Places(at, input.shape, input.device)
    places.plan.check_values(values.shape)
    return places.write(input, values, rows_added if accumulate else rows_set)


def index_cleared(inferred: Any, g: CudaArray, at: Any) -> CudaArray:
    return index_put_into(inferred, copy.copied(g), copy.full((), 0, g.dtype), at, False)


# ---------------------------------------------------------------------- masked_scatter
def masked_scatter_into(inferred: Any, input: CudaArray, source: CudaArray, mask: CudaArray) -> CudaArray:
    """The first elements of source where the mask is true, in order."""
    flat = flat_nonzero(None, mask)
    if flat.size > source.size:
        raise RuntimeError("Number of elements of source < number of ones in mask")
    dense = copy.contiguous(input)
    rows_set(copy.reshaped(dense, dense.size), copy.reshaped(source, source.size)[: flat.size], flat, 0)
    if dense is not input:
        copy.write(input, dense)
    return input


def masked_scatter_backward(inferred: Any, g: CudaArray, mask: CudaArray, source_shape: Any) -> CudaArray:
    shape, dtype = inferred
    made, flat = copy.full(shape, 0, dtype), flat_nonzero(None, mask)
    taken = index_select(((flat.size,), dtype), copy.reshaped(g, g.size), flat, 0)
    copy.write(copy.reshaped(made, made.size)[: flat.size], taken)
    return made
