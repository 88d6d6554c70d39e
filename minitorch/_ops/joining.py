"""Ops of many inputs: `cat`, and what `stack` and its kin share with it."""

from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np

from minitorch._device import backend
from minitorch._dtype import CATEGORY
from minitorch._kernels.copies import FEW, contiguous, copy
from minitorch._kernels.half import tagged
from minitorch._kernels.strided import restrided
from minitorch._layout import contiguous_format
from minitorch._tensor import Tensor, current_edge, wrap
from minitorch.autograd.engine import deliver
from minitorch.autograd.grad_mode import NO_GRAD, UNUSUAL, state
from minitorch.autograd.node import Node, next_key

from .check import c_name, check, type_name, wrap_dim
from .copies import cat_shape
from .memory_formats import in_format, suggested
from .op import OPS
from .operands import cast, common_dtype
from .public import public

ndarray = np.ndarray


class CatBackward0(Node):
    """Each input gets its slice of the gradient."""

    __slots__ = ("dim", "lengths")
    lengths: list[Any]
    dim: int
    _saved_dim = property(attrgetter("dim"))

    def run(self, g: Any, heap: Any, keep: bool) -> None:
        before = (slice(None),) * self.dim
        start = 0
        for name, length in zip(self.edges, self.lengths, strict=True):
            edge = getattr(self, name)
            if edge is not None and length is None:
                deliver(edge, restrided(g, (0,), (g.dtype.itemsize,)), False, heap)
            elif edge is not None:
                place = (*before, slice(start, start + length))
                deliver(edge, g[place], False, heap)
            start += length or 0

    def run_tensors(self, g: Any, heap: Any, keep: bool) -> None:
        start = 0
        for name, length in zip(self.edges, self.lengths, strict=True):
            edge = getattr(self, name)
            if edge is not None and length is None:
                deliver(edge, g.new_zeros(0), False, heap)
            elif edge is not None:
                deliver(edge, OPS["slice_dim"].function(g, self.dim, start, start + length, 1), False, heap)
            start += length or 0


@lru_cache(128)
def _node_class(kind: Any, inputs: int) -> Any:
    """The class of node for this many inputs, with a slot for the edge to each: filled in a third of a dict's time."""
    names = tuple([f"edge{i}" for i in range(inputs)])
    return type(kind.__name__, (kind,), {"__slots__": names, "edges": names, "__module__": kind.__module__})


def record_joined(kind: Any, result: Tensor, tensors: list[Tensor], dim: int) -> Any:
    """Give the result its node, if an input requires grad, and return that."""
    for t in tensors:
        if t.edge is not None or t.base is not None:
            break
    else:
        return None
    edges = [t.edge if t.base is None else current_edge(t) for t in tensors]
    if edges.count(None) == len(edges):
        return None
    node = _node_class(kind, len(edges))()
    node.key, node.grad, node.owned, node.hooks = next_key(), None, False, None
    node.dim = dim
    for name, edge in zip(node.edges, edges):
        setattr(node, name, edge)
    result.edge = node
    return node


def tensor_list(name: str, tensors: Any) -> list[Tensor]:
    if tensors.__class__ is not list and not isinstance(tensors, (tuple, list)):
        raise TypeError(f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not {type_name(tensors)}")
    for t in tensors:
        if t.__class__ is not Tensor and not isinstance(t, Tensor):
            at = next(i for i, other in enumerate(tensors) if other is t)
            raise TypeError(f"expected Tensor as element {at} in argument 0, but got {type_name(t)}")
    return list(tensors)


def plain_arrays(tensors: Any) -> list[Any] | None:
    """The arrays of a list of tensors that NumPy can join as they are, in main memory and of one dtype, else None."""
    arrays: list[Any] = []
    dtype = None
    for t in tensors if tensors.__class__ is list or tensors.__class__ is tuple else ():
        if t.__class__ is not Tensor and not isinstance(t, Tensor):
            return None
        a = t.array
        if a.__class__ is not ndarray:
            return None
        if a.dtype is not dtype:
            if dtype is not None:
                return None
            dtype = a.dtype
        arrays.append(a)
    return arrays or None


@public("torch", "concat", "concatenate", bare=True)
def cat(tensors: Any, dim: int = 0, *, out: Any = None, axis: int | None = None) -> Tensor:
    """The tensors one after another along dim.

    >>> import minitorch as torch
    >>> torch.cat([torch.ones(2), torch.zeros(1)])
    tensor([1., 1., 0.])
    """
    if axis is not None:
        dim = axis
    mode = state.mode if UNUSUAL else None
    arrays = plain_arrays(tensors) if dim.__class__ is int and (mode is None or mode is NO_GRAD) else None
    if arrays is None:
        tensors = tensor_list("cat", tensors)
        if not tensors:
            raise ValueError("torch.cat(): expected a non-empty list of Tensors")
        if mode is not None and mode is not NO_GRAD:
            return _cat_into(out, tensors, mode.call(_Cat, (tensors, dim)))
        if any(t.is_sparse for t in tensors):
            from .sparse_ops import sparse_cat

            return _cat_into(out, tensors, sparse_cat(tensors, dim))
    try:
        joined = None if arrays is None else concatenated(arrays, dim)
    except ValueError:  # shapes that differ: an error, or empty tensors that are left out
        joined = None
    if arrays is None or joined is None:
        dtype = common_dtype([t.array for t in tensors])
        tensors = [t if t.array.dtype is dtype else cast(t, dtype) for t in tensors]
        arrays = [t.array for t in tensors]
        shape = cat_shape(arrays, dim)
        dim = wrap_dim(dim, len(shape))
        parts = [a for a in arrays if a.shape != (0,)] or arrays[:1]
        if all(isinstance(a, ndarray) for a in arrays):
            joined = tagged(concatenated(parts, dim))
        else:
            joined = backend(tensors[0].device).run(_Cat, (shape, dtype), parts, (dim,))
    elif dim < 0:
        dim += joined.ndim
    result = wrap(joined)
    if mode is None:
        node = record_joined(CatBackward0, result, tensors, dim)
        if node is not None:
            node.lengths = [a.shape[dim] if a.shape != (0,) or joined.ndim == 1 else None for a in arrays]
    return result if out is None else _cat_into(out, tensors, result)


def _cat_into(out: Any, tensors: Any, result: Tensor) -> Tensor:
    if out is None:
        return result
    from .inplace import into

    _check_out(out, tensors)
    return into(out, _Cat, result)


# NumPy's function without the question whether an operand has one of its own
_concatenate = getattr(np.concatenate, "__wrapped__", np.concatenate)


def concatenated(arrays: list[ndarray], dim: int) -> ndarray:
    """The arrays one after another; NumPy keeps the order that all have in memory, torch channels_last alone."""
    first = arrays[0]
    if first.size >= FEW and first.__class__ is ndarray and not first.flags.c_contiguous:
        return _copied_together(arrays, dim)
    joined = _concatenate(arrays, dim)
    if joined.ndim == 1 or joined.flags.c_contiguous:
        return joined
    kept = suggested(joined)
    if kept is not contiguous_format and all(suggested(a) is kept for a in arrays):
        return joined
    return contiguous(joined)


def _copied_together(arrays: list[ndarray], dim: int) -> ndarray:
    formats = [suggested(a) for a in arrays]
    shape = cat_shape(arrays, dim)
    joined = np.empty(shape, arrays[0].dtype)
    if formats.count(formats[0]) == len(formats):
        joined = in_format(joined, formats[0])
    lead, end = (slice(None),) * (dim % joined.ndim), 0
    for a in arrays:
        if a.shape != (0,):
            begin, end = end, end + a.shape[dim]
            copy(joined[lead + (slice(begin, end),)], a)
    return joined


def _check_out(out: Any, tensors: list[Tensor]) -> None:
    """Refuse to write to memory that an input has, and a dtype that cannot hold the result."""
    if not isinstance(out, Tensor):
        return
    for t in tensors:
        both = isinstance(t.array, ndarray) and isinstance(out.array, ndarray)
        check(
            not both or not np.shares_memory(t.array, out.array),
            "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single "
            "memory location. Please clone() the tensor before performing the operation.",
        )
        if CATEGORY[t.array.dtype] > CATEGORY[out.array.dtype]:
            raise TypeError(f"torch.cat(): input types can't be cast to the desired output type {c_name(out.array)}")


class _Cat:
    """`cat` in the form a backend and an interceptor call."""

    name = public_name = "cat"
    kind = "structured"
    inplace = False

    @staticmethod
    def function(tensors: Any, dim: int) -> Tensor:
        return cat(tensors, dim)
