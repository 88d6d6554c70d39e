"""Ops of many outputs: `unbind`, `split`, `chunk` and `tensor_split` give views of one tensor with one node for all."""

from collections.abc import Iterator
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import Any

import numpy as np

from minitorch._kernels.half import empty
from minitorch._tensor import Tensor, current_edge, new, wrap
from minitorch.autograd.engine import deliver, without_recording
from minitorch.autograd.grad_mode import NO_GRAD, UNUSUAL, state
from minitorch.autograd.node import DeadEnd, MultiNode, OutputEdge, next_key

from .check import c_name, check, integer, integers, type_name, wrap_dim
from .inplace import MULTI
from .joining import cat
from .op import OPS
from .public import public

ndarray = np.ndarray


class PartsNode(MultiNode):
    """The node of unbind, split and chunk: the parts' gradients, put together, are the input's."""

    __slots__ = ("dim", "dtype", "input_edge", "parts", "shape")
    edges = ("input_edge",)
    input_edge: Any
    shape: Any
    dtype: Any
    dim: int
    parts: Any

    def run(self, grads: Any, heap: Any, keep: bool) -> None:
        d = empty(self.shape, self.dtype)
        lead = (slice(None),) * self.dim
        for g, part in zip(grads, self.parts):
            place = (*lead, part) if lead else part
            if isinstance(g, ndarray):
                d[place] = g
            elif g is None:
                d[place] = 0
            else:  # another device's
                tensors = [g if g is None else wrap(g) for g in grads]
                d = without_recording(self._joined, tensors).array
                break
        deliver(self.input_edge, d, True, heap)

    def run_tensors(self, grads: Any, heap: Any, keep: bool) -> None:
        deliver(self.input_edge, self._joined(grads), False, heap)

    def _joined(self, grads: Any) -> Tensor:
        from minitorch._creation import zeros

        made = []
        like = next(g for g in grads if g is not None)
        for g, at in zip(grads, self.parts, strict=True):
            if g is None:
                length = 1 if isinstance(at, int) else at.stop - at.start
                shape = (*self.shape[: self.dim], length, *self.shape[self.dim + 1 :])
                made.append(zeros(shape, dtype=like.dtype, device=like.device))
            else:
                made.append(OPS["unsqueeze"].function(g, self.dim) if isinstance(at, int) else g)
        return cat(made, self.dim)


class UnbindBackward0(PartsNode):
    __slots__ = ()
    _saved_dim = property(attrgetter("dim"))


class SplitBackward0(PartsNode):
    __slots__ = ()
    _saved_dim = property(attrgetter("dim"))
    _saved_self_sym_sizes = property(attrgetter("shape"))
    _saved_split_size = property(lambda node: node.parts[0].stop)


class SplitWithSizesBackward0(PartsNode):
    __slots__ = ()
    _saved_dim = property(attrgetter("dim"))
    _saved_self_sym_sizes = property(attrgetter("shape"))
    _saved_split_sizes = property(lambda node: tuple([part.stop - part.start for part in node.parts]))


def _parts(
    x: Tensor, dim: int, places: Any, node_type: Any, function: Any, args: tuple[Any, ...], as_views: bool = True
) -> tuple[Tensor, ...]:
    """Views of x at `places` (indices along dim), with one node for all."""
    mode = state.mode if UNUSUAL else None
    if mode is not None and mode is not NO_GRAD:
        return mode.call(
            type("_Parts", (), {"function": staticmethod(function), "name": function.__name__}), (x, *args)
        )
    a, version = x.array, x.version
    base = (x if x.base is None else x.base) if version.__class__ is list and as_views else None
    edge = x.edge if x.base is None else current_edge(x)
    node = None
    if edge is not None and mode is None:
        node = node_type()
        node.grad = node.hooks = None
        node.key, node.owned, node.input_edge = next_key(), False, edge
        node.shape, node.dtype = a.shape, a.dtype
        node.dim, node.parts, node.outputs = dim, places, len(places)
    made = []
    view_version = version[0] if base is not None else 0
    created = MULTI if mode is None else NO_GRAD
    lead = (slice(None),) * dim
    for i, place in enumerate(places):
        t = new(Tensor)
        index = (*lead, place, ...) if dim else (place, ...)
        t.array = a[index]
        t.version = version if as_views else [0]
        t.base = base
        t.view_version = view_version
        t.created = created
        t._grad = None
        if node is None:
            t.edge = None if edge is None else DeadEnd()
        else:  # OutputEdge(node, i), without its call
            t.edge = e = new(OutputEdge)
            e.key = next_key()
            e.grad = e.hooks = None
            e.parent, e.index = node, i
        made.append(t)
    return tuple(made)


@public("torch Tensor")
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along dim, as views."""
    shape = input.array.shape
    if not shape:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    if dim:
        dim = wrap_dim(dim, len(shape))
    return _parts(input, dim, range(shape[dim]), UnbindBackward0, unbind, (dim,))


@public("Tensor")
def __iter__(self: Tensor) -> Iterator[Tensor]:
    shape = self.array.shape
    if not shape:
        raise TypeError("iteration over a 0-d tensor")
    return iter(_parts(self, 0, range(shape[0]), UnbindBackward0, unbind, (0,)))


@public("torch Tensor", words="split_size=split_size_or_sections")
def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of split_size (or the given sizes) indices each along dim."""
    if isinstance(split_size_or_sections, float):
        raise TypeError(
            f"split_with_sizes(): argument 'split_sizes' (position 2) must be tuple of ints, not "
            f"{type_name(split_size_or_sections)}"
        )
    if isinstance(split_size_or_sections, (list, tuple)):
        return split_with_sizes(tensor, split_size_or_sections, dim)
    dim, places = _split_places(tensor, split_size_or_sections, dim)
    return _parts(tensor, dim, places, SplitBackward0, split, (split_size_or_sections, dim))


def _split_places(tensor: Tensor, split_size: Any, dim: int) -> tuple[int, list[slice]]:
    shape = tensor.array.shape
    check(shape, "split expects at least a 1-dimensional tensor")
    size = integer(split_size, "split_size", "split")
    dim = wrap_dim(dim, len(shape))
    n = shape[dim]
    if size <= 0:
        if size != 0:
            raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
        if n != 0:
            raise RuntimeError(f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}")
    return dim, [slice(i, min(i + size, n)) for i in range(0, n, size or 1)] or [slice(0, 0)]


@public("torch Tensor")
def split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of the given sizes along dim."""
    dim, places = _sized_places(input, split_sizes, dim)
    return _parts(input, dim, places, SplitWithSizesBackward0, split_with_sizes, (tuple(split_sizes), dim))


def _sized_places(input: Tensor, split_sizes: Any, dim: int) -> tuple[int, list[slice]]:
    check(input.ndim, "split expects at least a 1-dimensional tensor")
    given, dim = dim, wrap_dim(dim, input.ndim)
    n = input.array.shape[dim]
    for s in split_sizes:
        if s < 0:
            raise RuntimeError(
                "split_with_sizes expects split_sizes have only non-negative entries, but got "
                f"split_sizes={list(split_sizes)}"
            )
    ends = list(accumulate(split_sizes, initial=0))
    if ends[-1] != n:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {given}), "
            f"but got split_sizes={list(split_sizes)}"
        )
    return dim, [slice(a, b) for a, b in pairwise(ends)]


@public("torch Tensor")
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` views of equal size along dim."""
    n, size = _chunk_size(input, chunks, dim)
    if not n:
        return split_with_sizes(input, [0] * chunks, dim)
    dim, places = _split_places(input, size, dim)
    return _parts(input, dim, places, SplitBackward0, split, (size, dim))


def _chunk_size(input: Tensor, chunks: int, dim: int) -> tuple[int, int]:
    shape = input.array.shape
    check(shape, "chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    n = shape[wrap_dim(dim, len(shape))]
    return n, -(-n // chunks)


@public("torch Tensor")
def unsafe_split(tensor: Tensor, split_size: int, dim: int = 0) -> tuple[Tensor, ...]:
    """split into tensors that share the memory, but count as no views: writes to them are not tracked."""
    dim, places = _split_places(tensor, split_size, dim)
    return _parts(tensor, dim, places, SplitBackward0, unsafe_split, (split_size, dim), False)


@public("torch Tensor")
def unsafe_split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """split_with_sizes into tensors that share the memory, but count as no views."""
    dim, places = _sized_places(input, split_sizes, dim)
    args = tuple(split_sizes), dim
    return _parts(input, dim, places, SplitWithSizesBackward0, unsafe_split_with_sizes, args, False)


@public("torch Tensor")
def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """chunk into tensors that share the memory, but count as no views."""
    n, size = _chunk_size(input, chunks, dim)
    return unsafe_split(input, size, dim) if n else unsafe_split_with_sizes(input, [0] * chunks, dim)


@public(
    "torch Tensor",
    words="sections=indices_or_sections indices=indices_or_sections tensor_indices_or_sections=indices_or_sections",
)
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of `sections` parts, the first ones longer by one, or split before each of the indices.

    >>> import minitorch as torch
    >>> torch.arange(5).tensor_split(2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    if not input.ndim:
        raise RuntimeError(
            f"tensor_split expected at least a 1-dimensional tensor, but got a tensor with {input.ndim} dims"
        )
    if isinstance(indices_or_sections, Tensor):
        a = indices_or_sections.array
        name = "tensor_split expected tensor_indices_or_sections to"
        if a.dtype != np.int64:
            raise RuntimeError(f"{name} have dtype of long, but got {c_name(a)}")
        if a.ndim >= 2:
            raise RuntimeError(
                f"{name} be a zero-dimensional or one-dimensional tensor, but got a tensor with {a.ndim} dims"
            )
        indices_or_sections = indices_or_sections.tolist()
    dim = wrap_dim(dim, input.ndim)
    n = input.shape[dim]
    if isinstance(indices_or_sections, (tuple, list)):
        bounds = [0, *integers(indices_or_sections, "indices", "tensor_split", 2), n]
        spans = [slice(a, b).indices(n)[:2] for a, b in pairwise(bounds)]
    else:
        sections = integer(indices_or_sections, "indices_or_sections", "tensor_split")
        if not sections > 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
        low, longer = divmod(n, sections)
        ends = np.cumsum([0] + [low + 1] * longer + [low] * (sections - longer)).tolist()
        spans = list(pairwise(ends))
    return tuple([OPS["slice_dim"].function(input, dim, a, max(a, b), 1) for a, b in spans])


def _along(name: str, at_least: int, dim: int, input: Tensor, given: Any) -> tuple[Tensor, ...]:
    if not input.ndim >= at_least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {at_least} dimension, but got a tensor with {input.ndim} "
            "dimensions!"
        )
    if not isinstance(given, (int, tuple, list, Tensor)):
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got (Tensor, {type_name(given)}), but "
            "expected one of:"
        )
    if isinstance(given, int):
        n = input.shape[dim]
        if not (given and n % given == 0):
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {n} is not "
                f"divisible by the split_size {given}!"
            )
    return tensor_split(input, given, dim)


@public("torch Tensor", words="sections=indices_or_sections indices=indices_or_sections")
def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """tensor_split along dimension 1, of vectors along dimension 0, into equal parts if a number is given."""
    return _along("hsplit", 1, 0 if input.ndim == 1 else 1, input, indices_or_sections)


@public("torch Tensor", words="sections=indices_or_sections indices=indices_or_sections")
def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """tensor_split along dimension 0, into equal parts if a number is given."""
    return _along("vsplit", 2, 0, input, indices_or_sections)


@public("torch Tensor", words="sections=indices_or_sections indices=indices_or_sections")
def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """tensor_split along dimension 2, into equal parts if a number is given."""
    return _along("dsplit", 3, 2, input, indices_or_sections)
