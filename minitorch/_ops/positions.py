"""What an advanced index means: which elements, in which order, and the shape of the result."""

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from minitorch._device import backend
from minitorch._dtype import BOOL_NUMPY, INT64_NUMPY
from minitorch._kernels import cache
from minitorch._kernels.copies import contiguous
from minitorch._kernels.cpu.loops import LARGE
from minitorch._tensor import Tensor
from minitorch.autograd.node import MODIFIED

from .check import C_NAMES, needs_data
from .gradient_kernels import GradientKernel

ndarray = np.ndarray


@lru_cache(maxsize=1)
def kernels() -> Any:
    """The compiled loops."""
    return cache.load_file("cpu.index")


# what moves elements of so many bytes: the usual dtypes, so that most arrays need no view
BITS = {1: np.dtype(np.uint8), 2: np.dtype(np.uint16), 4: np.dtype(np.float32), 8: INT64_NUMPY}


def bits_of(a: Any) -> Any:
    """The array as one of a dtype of its width: what only moves elements needs no kernel for each dtype."""
    dtype = BITS[a.itemsize]
    return a if a.dtype is dtype else a.view(dtype)


class At:
    """An advanced index as an op's argument: per dimension an integer tensor, or None for all.

    A mask stands for as many dimensions as it has. The tensors are kept for the gradient, so their
    versions are checked as those of every saved tensor.
    """

    __slots__ = ("_plan", "tensors", "versions")

    def __init__(self, tensors: list[Tensor | None]):
        self.tensors = tensors
        self.versions = [None if t is None else t.version[0] for t in tensors]
        self._plan: Plan | None = None

    def arrays(self) -> list[Any]:
        """The index arrays, None for whole dimensions."""
        for t, then in zip(self.tensors, self.versions, strict=True):
            if t is not None and t.version[0] != then:
                kind = f"torch.{C_NAMES[t.array.dtype.name]}Tensor"
                raise RuntimeError(
                    MODIFIED.format(type=kind, shape=list(t.shape), which="", now=t.version[0], then=then)
                )
        return [None if t is None else t.array for t in self.tensors]

    def plan(self, shape: tuple[int, ...]) -> "Plan":
        """The plan for a tensor of this shape; kept, since the gradient needs it again."""
        arrays = self.arrays()
        if self._plan is None or self._plan.shape != shape:
            self._plan = Plan(shape, arrays)
        return self._plan

    def fancy(self) -> tuple[Any, ...]:
        """The index in NumPy's form."""
        # NumPy would take a 0-dim array for a number, and return a view
        return tuple([slice(None) if a is None else a if a.ndim else a.reshape(1) for a in self.arrays()])


class Group:
    """Adjacent dimensions of the input that one index array covers: a mask covers several."""

    __slots__ = ("count", "dim", "flat", "shape", "values")

    def __init__(self, dim: int, count: int, values: Any, flat: Any):
        # `flat` is known for a mask: positions within its dimensions, in range by nature
        self.dim, self.count, self.values, self.flat = dim, count, values, flat
        self.shape = values.shape if flat is None else flat.shape


class Plan:
    """The shapes around an advanced index, with torch's checks of them.

    result: the shape of what is read. `block` of it comes from the index arrays and begins at
    dimension `place`: where the indexed dimensions were if they are adjacent, else in front.
    """

    def __init__(self, shape: tuple[int, ...], arrays: list[Any]):
        self.shape = shape
        self.groups = _groups(shape, arrays)
        given = tuple([(g.dim, g.count, g.shape) for g in self.groups])
        self.dims, self.block, self.adjacent, self.rest, self.place, self.result = _geometry(shape, given)

    def check_values(self, shape: tuple[int, ...]) -> None:
        """Refuse to write values of a shape that does not broadcast to the result."""
        try:
            if np.broadcast_shapes(shape, self.result) == self.result:
                return
        except ValueError:
            pass
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(shape)} cannot be broadcast to indexing result of shape "
            f"{list(self.result)}"
        )

    def positions(self) -> Any:
        """Checked flat positions within the indexed dimensions taken as one."""
        found: Any = None
        ordinal = 0
        for g in self.groups:
            sizes = self.shape[g.dim : g.dim + g.count]
            flat = in_range(g.values, sizes[0], ordinal) if g.flat is None else g.flat
            found = flat if found is None else found * prod(sizes) + flat
            ordinal += g.count
        return (found if found.shape == self.block else np.broadcast_to(found, self.block)).reshape(-1)

    def three_parts(self, a: Any) -> Any:
        """A C-contiguous array as (what is before the indexed dimensions, these, what is after)."""
        indexed = prod([self.shape[d] for d in self.dims])
        if not self.adjacent:
            return a.reshape(1, indexed, prod(self.rest))
        return a.reshape(prod(self.rest[: self.place]), indexed, prod(self.rest[self.place :]))

    def source_parts(self, src: Any) -> Any:
        """An array of the result's shape, made contiguous, in the same three parts."""
        lead, trail = prod(self.rest[: self.place]), prod(self.rest[self.place :])
        return contiguous(src).reshape(lead, prod(self.block), trail)

    def in_front(self, a: Any) -> Any:
        """The array with the indexed dimensions where `three_parts` expects them."""
        if self.adjacent:
            return a
        return a.transpose([*self.dims, *[i for i in range(a.ndim) if i not in self.dims]])

    def undo_in_front(self, a: Any) -> Any:
        """The inverse of `in_front`."""
        if self.adjacent:
            return a
        order = [*self.dims, *[i for i in range(a.ndim) if i not in self.dims]]
        return a.transpose(np.argsort(order))


@lru_cache(1024)
def _geometry(shape: tuple[int, ...], groups: tuple[tuple[int, int, tuple[int, ...]], ...]) -> tuple[Any, ...]:
    """(dims, block, adjacent, rest, place, result) of a Plan for groups of (dim, count, shape)."""
    dims = [dim + k for dim, count, _ in groups for k in range(count)]
    try:
        block = np.broadcast_shapes(*[own for _, _, own in groups])
    except ValueError:
        shapes = ", ".join(str(list(own)) for _, count, own in groups for _ in range(count))
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
        ) from None
    adjacent = dims[-1] - dims[0] + 1 == len(dims)
    rest = [n for i, n in enumerate(shape) if i not in dims]
    place = dims[0] if adjacent else 0
    if prod(block) and 0 in [shape[d] for d in dims]:
        raise IndexError("index is out of bounds for dimension with size 0")
    return tuple(dims), block, adjacent, tuple(rest), place, (*rest[:place], *block, *rest[place:])


def _groups(shape: tuple[int, ...], arrays: list[Any]) -> list[Group]:
    used = sum(a.ndim if a is not None and a.dtype == np.bool_ else 1 for a in arrays)
    if used > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)} (got {used})")
    groups, dim = [], 0
    for a in arrays:
        count = 1
        if a is not None and a.dtype == np.bool_:
            count = a.ndim
            _check_mask(a, shape, dim)
            groups.append(Group(dim, count, a, _where_true(a)))
        elif a is not None:
            groups.append(Group(dim, 1, a, None))
        dim += count
    return groups


FLAT_NONZERO = GradientKernel("flat_nonzero")


def _where_true(mask: Any) -> Any:
    """The flat positions at which a mask is true, on its device."""
    if mask.__class__ is ndarray:
        return np.flatnonzero(mask)
    needs_data("indexing with a mask", mask)
    return backend(mask.device).run(FLAT_NONZERO, None, [mask], [])


def _check_mask(mask: Any, shape: tuple[int, ...], dim: int) -> None:
    for j, n in enumerate(mask.shape):
        if n != shape[dim + j]:
            raise IndexError(
                f"The shape of the mask {list(mask.shape)} at index {j} does not match the shape "
                "of the indexed tensor "
                f"{list(shape)} at index {dim + j}"
            )


def first_outside(index: Any, low: int, high: int) -> int | None:
    """The first value that is not in range(low, high), None if all are."""
    if index.__class__ is not ndarray:
        raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
    flat = index if index.dtype is INT64_NUMPY and index.flags.c_contiguous else np.ascontiguousarray(index, np.int64)
    flat = flat.reshape(-1)
    if kernels().within(flat, low, high):
        return None
    return int(flat[(flat < low) | (flat >= high)][0])


def in_range(index: Any, n: int, ordinal: int) -> Any:
    """Indices of a dimension of size n as int64, counted from the front."""
    index = index if index.dtype is INT64_NUMPY else index.astype(np.int64)
    if first_outside(index, 0, n) is None:
        return index
    bad = first_outside(index, -n, n)
    if bad is not None:
        raise IndexError(f"index {bad} is out of bounds for dimension {ordinal} with size {n}")
    return np.where(index < 0, index + n, index)


# ---------------------------------------------------------------------- on arrays
def read(a: Any, at: At) -> Any:
    """The elements at `at`, as a new contiguous array."""
    tensors = at.tensors
    first = tensors[0]
    if len(tensors) == 1 and first is not None and a.ndim:
        indices = at.arrays()[0]
        if indices.dtype is BOOL_NUMPY:
            if _is_mask_of(indices, a.shape):
                return a[indices]
        elif a.flags.c_contiguous and a.size and indices.__class__ is ndarray and indices.ndim:
            try:
                return np.take(a, indices, 0)
            except IndexError:
                in_range(indices, a.shape[0], 0)
    plan = at.plan(a.shape)
    if 0 in plan.result:
        return np.empty(plan.result, a.dtype)
    positions = plan.positions()
    if plan.adjacent and a.flags.c_contiguous:
        return selected(plan.three_parts(a), positions).reshape(plan.result)
    return np.ascontiguousarray(a[at.fancy()]).reshape(plan.result)


def selected(parts: Any, positions: Any) -> Any:
    """parts[:, positions], of a contiguous array of three dimensions; the positions are in range."""
    if parts.shape[2] == 1 and len(parts) * positions.size >= LARGE:  # of single elements a loop copies twice as many
        out = np.empty((len(parts), positions.size), parts.dtype)
        kernels().select(bits_of(parts), 1, np.ascontiguousarray(positions, np.int64), bits_of(out))
        return out
    return parts.take(positions, 1, mode="clip")  # "raise" would buffer the result


def _is_mask_of(indices: Any, shape: tuple[int, ...]) -> bool:
    """Whether an index array is a mask with a place for every element."""
    return indices.__class__ is ndarray and indices.dtype is BOOL_NUMPY and indices.shape == shape


def add_at(a: Any, at: At, src: Any) -> None:
    """a[at] += src, with every repeated position counted."""
    plan = at.plan(a.shape)
    positions = plan.positions()
    moved = plan.in_front(a)
    dense = contiguous(moved)
    parts, given = plan.three_parts(dense), plan.source_parts(np.broadcast_to(src, plan.result))
    if a.dtype == np.bool_:
        where: Any = (slice(None), positions)
        np.add.at(parts, where, given)
    else:
        kernels().add_rows(parts, positions, given)
    if dense is not moved:
        moved[...] = dense


def spread_back(g: Any, at: At, shape: tuple[int, ...]) -> Any:
    """Zeros of `shape` with g added at `at`."""
    if len(at.tensors) == 1 and _is_mask_of(at.arrays()[0], shape):
        d = np.zeros(shape, g.dtype)
        d[at.arrays()[0]] = g
        return d
    plan = at.plan(shape)
    if len(plan.groups) == 1 and plan.groups[0].flat is not None:  # a mask names every element once
        d = np.zeros(shape, g.dtype)
        d[at.fancy()] = g
        return d
    front = shape if plan.adjacent else (*[shape[i] for i in plan.dims], *plan.rest)
    d = np.zeros(front, g.dtype)
    if 0 not in plan.result:
        kernels().add_rows(plan.three_parts(d), plan.positions(), plan.source_parts(g))
    return plan.undo_in_front(d)
