"""Rows looked up by number: embedding, embedding_bag, one_hot."""

from math import inf
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels.copies import contiguous
from minitorch._tensor import Tensor, wrap
from minitorch.autograd.grad_mode import NO_GRAD, is_grad_enabled, no_grad, state

from .check import anywhere, c_name, check, refuse_batch, type_name
from .gathering import as_int64
from .inplace import check_inplace
from .nodes import titled
from .op import structured
from .positions import bits_of, first_outside, kernels
from .public import PUBLIC, op, public

# ---------------------------------------------------------------------- rows


@structured(name="embedding_rows", title="Embedding", tensors="weight indices")
def embedding_rows(weight, indices, padding_idx, scale_grad_by_freq):
    check(weight.ndim == 2, "'weight' must be 2-D")
    if indices.dtype not in (np.int64, np.int32):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"torch.{c_name(indices)}Tensor instead (while checking arguments for embedding)"
        )
    return (*indices.shape, weight.shape[1]), weight.dtype


@embedding_rows.cpu
def embedding_rows_cpu(weight, indices, padding_idx, scale_grad_by_freq):
    shape, dtype = embedding_rows.infer(weight, indices, padding_idx, scale_grad_by_freq)
    if not weight.flags.c_contiguous:  # a copy of the table, as `take` makes one, would take longer than NumPy's loop
        if first_outside(indices, 0, weight.shape[0]) is not None:
            raise IndexError("index out of range in self")
        return contiguous(weight[indices.reshape(-1)]).reshape(shape)
    out = np.empty(shape, dtype)
    if not kernels().select(bits_of(weight), 0, as_int64(indices), bits_of(out)):
        raise IndexError("index out of range in self")
    return out


@embedding_rows.grad("weight")
def embedding_grad(g, indices, weight_shape, padding_idx, scale_grad_by_freq):
    return embedding_backward(g, indices, weight_shape, padding_idx, scale_grad_by_freq)


@structured(tensors="g indices")
def embedding_backward(g, indices, weight_shape, padding_idx, scale_grad_by_freq):
    return weight_shape, g.dtype


@embedding_backward.cpu
def embedding_backward_cpu(g, indices, weight_shape, padding_idx, scale_grad_by_freq):
    """Zeros with the rows of g added where they came from; nothing is added to the padding row."""
    d = np.zeros(weight_shape, g.dtype)
    flat, rows = indices.reshape(-1).astype(np.int64, copy=False), g.reshape(indices.size, weight_shape[1])
    if scale_grad_by_freq:
        rows = rows / _counts(flat, weight_shape[0]).astype(g.dtype)[flat, None]
    kernels().add_rows(d[None], flat, contiguous(rows)[None])
    if padding_idx >= 0:
        d[padding_idx] = 0
    return d


def _counts(flat: Any, n: int) -> Any:
    return np.bincount(flat, minlength=n)


@embedding_backward.grad("g")
def embedding_backward_grad(g, indices, weight_shape, padding_idx, scale_grad_by_freq):
    return embedding_backward_adjoint(g, indices, padding_idx, scale_grad_by_freq)


@structured(tensors="g indices")
def embedding_backward_adjoint(g, indices, padding_idx, scale_grad_by_freq):
    return (*indices.shape, g.shape[1]), g.dtype


@embedding_backward_adjoint.cpu
def embedding_backward_adjoint_cpu(g, indices, padding_idx, scale_grad_by_freq):
    """The rows of g, weighted as `embedding_backward` weights them."""
    rows = g.take(indices, 0)
    if scale_grad_by_freq:
        rows /= _counts(indices.reshape(-1), g.shape[0]).astype(g.dtype)[indices][..., None]
    if padding_idx >= 0:
        rows[indices == padding_idx] = 0
    return rows


@embedding_backward_adjoint.grad("g")
def embedding_backward_adjoint_grad(g, indices, g_shape, padding_idx, scale_grad_by_freq):
    return embedding_backward(g, indices, g_shape, padding_idx, scale_grad_by_freq)


@public("nn.functional")
def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of the weight (n, d) with the numbers in input: (...) -> (..., d).

    The row padding_idx gets no gradient. With max_norm the rows in use are first scaled down to that norm, in place.

    >>> import minitorch as torch
    >>> torch.nn.functional.embedding(torch.tensor([2, 0]), torch.eye(3))
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"embedding(): argument 'indices' (position 2) must be Tensor, not {type_name(input)}")
    _refuse_sparse_gradient("embedding", sparse, weight)
    if padding_idx is not None:
        n = weight.shape[0]
        if not -n <= padding_idx < n:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= n
    if max_norm is not None:
        _limit_norms(weight, input, max_norm, norm_type)
    padding = -1 if padding_idx is None else padding_idx
    return op("embedding_rows")(weight, input, padding, scale_grad_by_freq)


def _refuse_sparse_gradient(name: str, sparse: bool, weight: Tensor) -> None:
    if sparse and weight.requires_grad and is_grad_enabled():
        raise NotImplementedError(f"{name}: sparse=True, a sparse gradient, is not supported by minitorch")


@public("torch")
def embedding_renorm_(input: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Scale the rows in use down to max_norm, in place."""
    if is_grad_enabled():
        check_inplace(input)
    _limit_norms(input, indices, max_norm, norm_type)
    return input


def _limit_norms(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows in use down to max_norm, in place and unrecorded."""
    if weight.ndim != 2:
        raise RuntimeError(
            f"Expected 2-dimensional tensor, but got {weight.ndim}-dimensional tensor for argument #1 'self' (while "
            "checking arguments for embedding_renorm_)"
        )
    with no_grad():
        weight, index = weight.detach(), indices.reshape(-1).unique()  # whose tangent is not scaled
        rows = weight.index_select(0, index)
        norms = (
            rows.abs().amax(1, True) if norm_type == inf else rows.abs().pow(norm_type).sum(1, True) ** (1 / norm_type)
        )
        scale = (max_norm / (norms + 1e-7)).where(norms > max_norm, 1.0)
        weight.index_copy_(0, index, rows * scale)


def torch_embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Tensor:
    """torch.nn.functional.embedding with the weight first."""
    _refuse_sparse_gradient("embedding", sparse, weight)
    return op("embedding_rows")(weight, indices, padding_idx, scale_grad_by_freq)


PUBLIC["torch.embedding"] = torch_embedding, ["torch"]


# ---------------------------------------------------------------------- bags
@structured(tensors="offsets")
def bag_numbers(offsets, count):
    return (count,), dtypes.INT64_NUMPY


@bag_numbers.cpu
def bag_numbers_cpu(offsets, count):
    """For each of `count` positions the bag that it belongs to; offsets are where the bags begin."""
    if not (not offsets.size or offsets[0] == 0):
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
            f"However, got {int(offsets[0]) if offsets.size else 0}"
        )
    last = int(offsets[-1]) if offsets.size else 0
    if not last <= count:
        raise RuntimeError(f"offsets[-1] can not be greater than input's length {count} but got offsets[-1] of {last}")
    ends = np.append(offsets[1:], count)
    return np.repeat(np.arange(offsets.size), ends - offsets)


@public("nn.functional")
def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sums, means or maxima of the weight's rows over bags of numbers: the rows of a 2-D input, or of a 1-D input
    the stretches that begin at `offsets`.

    >>> import minitorch as torch
    >>> torch.nn.functional.embedding_bag(torch.tensor([[0, 2]]), torch.eye(3), mode="sum")
    tensor([[1., 0., 1.]])
    """
    if weight.dtype == dtypes.int64 and input.is_floating_point():
        input, weight = weight, input  # once the order of the arguments, which torch still takes
    check(weight.ndim == 2, f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}", ValueError)
    _check_bags(input, offsets, mode, scale_grad_by_freq, sparse, per_sample_weights)
    _refuse_sparse_gradient("embedding_bag", sparse, weight)
    n = weight.shape[0]
    if padding_idx is not None:
        if not -n <= padding_idx < n:
            raise RuntimeError(
                f"padding_idx must be within the number of embeddings, -{n} through {n - 1}, but got {padding_idx}"
            )
        padding_idx %= n
    if max_norm is not None:
        _limit_norms(weight, input, max_norm, norm_type)
    refuse_batch("embedding_bag", input=input, offsets=offsets)
    bags, count = _bags_of(input, offsets, include_last_offset)
    flat = input.reshape(-1)
    _check_rows(flat, weight, per_sample_weights)
    flat = flat[: bags.shape[0]]  # what lies behind the last offset belongs to no bag
    weights = None if per_sample_weights is None else per_sample_weights.reshape(-1)[: bags.shape[0]]
    if padding_idx is not None:
        kept = flat != padding_idx
        flat, bags = flat[kept], bags[kept]
        weights = None if weights is None else weights[kept]
    rows = op("embedding_rows")(weight, flat, -1, scale_grad_by_freq)
    if weights is not None:
        rows = rows * weights.unsqueeze(1)
    empty = weight.new_zeros((count, weight.shape[1]))
    if mode == "sum":
        made = empty.index_add(0, bags, rows)
    else:
        made = empty.index_reduce(0, bags, rows, "amax" if mode == "max" else "mean", include_self=False)
    return titled(made, "EmbeddingBagBackward0")


def _check_bags(
    input: Tensor, offsets: Any, mode: str, scale_grad_by_freq: bool, sparse: bool, per_sample_weights: Any
) -> None:
    if per_sample_weights is not None and input.shape != per_sample_weights.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the "
            f"same shape as the input ({input.shape})"
        )
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
                f"sequences. However, found offsets of type {type(offsets)}"
            )
    elif input.ndim == 1:
        if not isinstance(offsets, Tensor):
            raise ValueError("offsets has to be a 1D Tensor but got None")
        if offsets.ndim != 1:
            raise ValueError("offsets has to be a 1D Tensor")
    else:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}'). Please open a feature request on GitHub."
        )
    for t in (input, offsets):
        if t is not None and t.array.dtype not in (np.int64, np.int32):
            raise RuntimeError(
                "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but "
                f"got torch.{c_name(t.array)}Tensor instead (while checking arguments for embedding_bag)"
            )


def _check_rows(flat: Tensor, weight: Tensor, per_sample_weights: Any) -> None:
    if per_sample_weights is not None:
        names = c_name(weight.array), c_name(per_sample_weights.array)
        if names[0] != names[1]:
            raise RuntimeError(
                "Expected tensor for argument #1 'weight' to have the same type as tensor for argument #1 "
                f"'per_sample_weights'; but type torch.{names[0]}Tensor does not equal torch.{names[1]}Tensor (while "
                "checking arguments for embedding_bag)"
            )
    bad = first_outside(flat.array, 0, weight.shape[0]) if flat.is_cpu else None
    if bad is not None:
        at = flat.tolist().index(bad)
        raise RuntimeError(
            f"Index {at} of input takes value {bad} which is not in the valid range [0, {weight.shape[0]})"
        )


def _bags_of(input: Tensor, offsets: Tensor | None, include_last_offset: bool) -> tuple[Tensor, int]:
    """(the bag of each number in the flat input, how many bags)"""
    from minitorch._creation import arange

    if offsets is None:
        n, length = input.shape
        return arange(n, device=input.device).repeat_interleave(length), n
    if include_last_offset:
        check(offsets.shape[0] >= 1, "include_last_offset: numBags should be at least 1")
        return op("bag_numbers")(offsets[:-1], int(offsets[-1])), offsets.shape[0] - 1
    return op("bag_numbers")(offsets, input.shape[0]), offsets.shape[0]


MODES = "sum", "mean", "max"


def torch_embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(result, the bag of each index, sizes of the bags, rows of the maxima) of nn.functional.embedding_bag.

    As torch's, the last three are only filled in where its gradient reads them.
    """
    check(mode in range(3), "`mode` must be sum, mean, or max.")
    if not isinstance(offsets, Tensor):
        raise TypeError(f"embedding_bag(): argument 'offsets' (position 3) must be Tensor, not {type_name(offsets)}")
    flat = indices.reshape(-1)
    weights = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    check(weights is None or not mode, "embedding_bag: per_sample_weights only supported with mode='sum'")
    result = embedding_bag(
        flat, weight, offsets, None, 2, scale_grad_by_freq, MODES[mode], sparse, weights, include_last_offset,
        padding_idx,
    )  # fmt: skip
    bags, count = _bags_of(flat, offsets, include_last_offset)
    if not mode:
        sizes = offsets.new_zeros((count,))
        return result, bags if padding_idx is not None else bags[:0], sizes, sizes.clone()
    kept = bags if padding_idx is None else bags[flat[: bags.shape[0]] != padding_idx % weight.shape[0]]
    sizes = op("bincount")(kept, minlength=count).to(offsets.dtype)
    return result, bags, sizes, _highest_rows(weight, flat, bags, count, padding_idx) if mode == 2 else sizes.clone()


def _highest_rows(weight: Tensor, flat: Tensor, bags: Tensor, count: int, padding_idx: int | None) -> Tensor:
    """For each bag and column the number of the row that has the maximum."""
    rows = flat.new_zeros((count, weight.shape[1]))
    flat = flat[: bags.shape[0]]
    with no_grad():
        for b in range(count):
            inside = flat[bags == b]
            inside = inside if padding_idx is None else inside[inside != padding_idx % weight.shape[0]]
            if inside.shape[0]:
                rows[b] = inside[weight[inside].argmax(0)]
    return rows


PUBLIC["torch.embedding_bag"] = torch_embedding_bag, ["torch"]


# ---------------------------------------------------------------------- one_hot
@public("nn.functional")
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """int64 (...) -> (..., num_classes) with a 1 at each class number; by default up to the largest.

    >>> import minitorch as torch
    >>> torch.nn.functional.one_hot(torch.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    from minitorch._creation import arange

    check(tensor.array.dtype == np.int64, "one_hot is only applicable to index tensor of type LongTensor.")
    if not tensor.numel():
        check(num_classes != -1, "Can not infer total number of classes from empty tensor.")
        check(num_classes > 0, "Class values must be smaller than num_classes.")
        return tensor.new_zeros((*tensor.shape, num_classes))
    a = tensor.array
    plain = a.__class__ is np.ndarray and (state.mode is None or state.mode is NO_GRAD)
    check(not (a.min() < 0 if plain else anywhere(tensor < 0)), "Class values must be non-negative.")
    if num_classes == -1:
        num_classes = int(tensor.max()) + 1
    too_large = a.max() >= num_classes if plain else anywhere(tensor >= num_classes)
    check(not too_large, "Class values must be smaller than num_classes.")
    if plain:
        made = np.zeros((*a.shape, num_classes), np.int64)
        made.reshape(-1)[a.reshape(-1) + np.arange(0, made.size, num_classes)] = 1
        return wrap(made)
    return (tensor.unsqueeze(-1) == arange(num_classes, device=tensor.device)).to(dtypes.int64)
