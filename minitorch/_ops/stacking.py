"""Joining along dimensions that are first made (stack, hstack, block_diag), and grids of combinations."""

from math import comb
from typing import Any

import numpy as np

from minitorch._tensor import Tensor, wrap
from minitorch.autograd._warnings import warn_once
from minitorch.autograd.engine import deliver
from minitorch.autograd.grad_mode import NO_GRAD, UNUSUAL, state

from .check import check, text, wrap_dim
from .joining import CatBackward0, cat, concatenated, plain_arrays, record_joined, tensor_list
from .nodes import titled
from .op import OPS
from .operands import cast, common_dtype
from .public import into, op, public
from .shapes import atleast_1d, atleast_2d, atleast_3d, broadcast_tensors, reshape


def _listed(name: str, tensors: Any) -> list[Tensor]:
    tensors = tensor_list(name, tensors)
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return tensors


@public("torch")
def _chunk_cat(tensors: Any, dim: int, num_chunks: int, *, out: Any = None) -> Tensor:
    """Each tensor filled up with zeros and cut into num_chunks along dim, its chunks flat; all side by side.

    >>> import minitorch as torch
    >>> torch._chunk_cat([torch.tensor([1, 2, 3]), torch.tensor([4, 5])], 0, 2)
    tensor([[1, 2, 4],
            [3, 0, 5]])
    """
    tensors = tensor_list("_chunk_cat", tensors)
    check(num_chunks >= 1, "_chunk_cat expects positive num_chunks")
    check(tensors, "_chunk_cat expects a non-empty input tensor list")
    first = tensors[0]
    check(all(t.dtype is first.dtype for t in tensors), "_chunk_cat expects all input tensors with the same dtype")
    check(all(t.numel() for t in tensors), "_chunk_cat expects non-empty tensor")
    if any(t.ndim != first.ndim for t in tensors):
        check(dim >= 0, "_chunk_cat expects non-negative dim when input tensors have different ndims")
    else:
        dim = wrap_dim(dim, first.ndim)
    check(all(dim < t.ndim for t in tensors), "_chunk_cat expects dim < ndim for all input tensors")
    lead = tuple(first.shape[:dim])
    check(
        all(tuple(t.shape[:dim]) == lead for t in tensors),
        "_chunk_cat expects same sizes of 0,...,dim-1 dimensions for all tensors",
    )
    pieces = []
    for t in tensors:
        padded = op("constant_pad")(t, (0, 0) * (t.ndim - 1 - dim) + (0, -t.shape[dim] % num_chunks), 0)
        pieces.append(reshape(padded, (*lead, num_chunks, -1)))
    return into(out, "_chunk_cat", cat(pieces, dim + 1))


class StackBackward0(CatBackward0):
    """Each input gets its index of the gradient."""

    __slots__ = ()

    def run(self, g: Any, heap: Any, keep: bool) -> None:
        before = (slice(None),) * self.dim
        for i, name in enumerate(self.edges):
            edge = getattr(self, name)
            if edge is not None:
                deliver(edge, g[before + (i, Ellipsis)], False, heap)

    def run_tensors(self, g: Any, heap: Any, keep: bool) -> None:
        for i, name in enumerate(self.edges):
            edge = getattr(self, name)
            if edge is not None:
                deliver(edge, OPS["select"].function(g, self.dim, i), False, heap)


@public("torch", bare=True)
def stack(tensors: Any, dim: int = 0, *, out: Any = None, axis: int | None = None) -> Tensor:
    """The tensors along a new dimension.

    >>> import minitorch as torch
    >>> torch.stack([torch.zeros(2), torch.ones(2)], 1)
    tensor([[0., 1.],
            [0., 1.]])
    """
    tensors = _listed("stack", tensors)
    shape = tensors[0].array.shape
    dim = wrap_dim(dim if axis is None else axis, len(shape) + 1)
    for i, t in enumerate(tensors):
        if t.array.shape != shape:  # a message for each tensor would cost more than the copy
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(shape)} at entry 0 and {list(t.shape)} at "
                f"entry {i}"
            )
    mode = state.mode if UNUSUAL else None
    if out is None and (mode is None or mode is NO_GRAD) and plain_arrays(tensors) is not None:
        if dim < len(shape):  # as torch: what `cat` gives, in its order in memory, with that dimension split
            joined = concatenated([t.array for t in tensors], dim)
            result = wrap(joined.reshape(*shape[:dim], len(tensors), *shape[dim:]))
        else:
            result = wrap(concatenated([t.array[..., None] for t in tensors], dim))
        if mode is None:
            record_joined(StackBackward0, result, tensors, dim)
        return result
    made = cat([op("unsqueeze")(t, dim) for t in tensors], dim, out=out)
    return titled(made, "StackBackward0", through=True)


@public("torch")
def hstack(tensors: Any, *, out: Any = None) -> Tensor:
    """The tensors side by side: along dimension 1, vectors along dimension 0."""
    wide = atleast_1d(_listed("hstack", tensors))
    return cat(list(wide), 0 if wide[0].ndim == 1 else 1, out=out)


@public("torch", "row_stack")
def vstack(tensors: Any, *, out: Any = None) -> Tensor:
    """The tensors below each other; vectors are rows."""
    return cat(list(atleast_2d(_listed("vstack", tensors))), 0, out=out)


@public("torch")
def dstack(tensors: Any, *, out: Any = None) -> Tensor:
    """The tensors along dimension 2."""
    return cat(list(atleast_3d(_listed("dstack", tensors))), 2, out=out)


@public("torch")
def column_stack(tensors: Any, *, out: Any = None) -> Tensor:
    """The tensors side by side; vectors are columns."""
    columns = [reshape(t, -1, 1) if t.ndim < 2 else t for t in _listed("column_stack", tensors)]
    return cat(columns, 1, out=out)


@public("torch")
def block_diag(*tensors: Any) -> Tensor:
    """A matrix with the tensors along its diagonal and zeros elsewhere.

    >>> import minitorch as torch
    >>> torch.block_diag(torch.tensor([1, 2]), torch.tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    blocks = tensor_list("block_diag", tensors)
    for i, t in enumerate(blocks):
        if t.ndim > 2:
            raise RuntimeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has {t.ndim} dimensions"
            )
    if not blocks:
        return wrap(np.empty((1, 0), np.float32))
    dtype = common_dtype([t.array for t in blocks])
    blocks = [t if t.array.dtype is dtype else cast(t, dtype) for t in atleast_2d(blocks)]
    width, before, rows = sum(t.shape[1] for t in blocks), 0, []
    for t in blocks:
        after = width - before - t.shape[1]
        rows.append(op("constant_pad")(t, (before, after), 0))
        before += t.shape[1]
    return cat(rows, 0)


@public("torch")
def meshgrid(*tensors: Any, indexing: Any = None) -> tuple[Tensor, ...]:
    """Views that hold the coordinates of the grid of all combinations; "xy" swaps the first two dimensions."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    check(tensors, "meshgrid expects a non-empty TensorList")
    lines = tensor_list("meshgrid", tensors)
    for t in lines:
        shape = "".join(f"{n:3d}" for n in t.shape)
        if t.ndim >= 2:
            raise RuntimeError(f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got:{shape}")
        check(t.dtype == lines[0].dtype, "meshgrid expects all tensors to have the same dtype")
    if indexing is None:
        warn_once("torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.")
        indexing = "ij"
    if text(indexing, "indexing", "meshgrid") not in ("ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    swapped = indexing == "xy" and len(lines) > 1
    if swapped:
        lines[:2] = lines[1], lines[0]
    n = len(lines)
    grids = list(broadcast_tensors(*[reshape(t, *[1] * i, -1, *[1] * (n - i - 1)) for i, t in enumerate(lines)]))
    if swapped:
        grids[:2] = grids[1], grids[0]
    return tuple(grids)


def _check_vector(t: Tensor) -> None:
    if t.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(t.shape)}")


@public("torch")
def cartesian_prod(*tensors: Any) -> Tensor:
    """All combinations of one element of each vector, a row each."""
    for t in tensors:
        _check_vector(t)
    if len(tensors) == 1:
        return tensors[0]
    grids = meshgrid(list(tensors), indexing="ij")
    return stack([reshape(g, -1) for g in grids], 1)


@public("torch")
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All combinations of r elements of a vector, in order, a row each.

    >>> import minitorch as torch
    >>> torch.combinations(torch.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    from itertools import combinations as without
    from itertools import combinations_with_replacement

    _check_vector(input)
    if not r >= 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return input.new_empty(0)
    n = input.shape[0]
    count = comb(n + r - 1 if with_replacement and n else n, r)
    chosen = (combinations_with_replacement if with_replacement else without)(range(n), r)
    index = np.fromiter((i for row in chosen for i in row), np.int64, count * r)
    return reshape(op("index_select")(input, 0, wrap(index).to(input.device)), count, r)
