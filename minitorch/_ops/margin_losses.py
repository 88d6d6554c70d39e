"""Losses that ask for a margin between classes, or between pairs and triplets of rows."""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._creation import FACTORIES
from minitorch._tensor import Tensor

from . import loss_reduction as _reduction
from .check import anywhere, c_name, check, float_required, full_float_required
from .losses import reduced, reduction_name
from .nodes import titled
from .op import structured
from .public import FUNCTIONS, op, public

arange = FACTORIES["arange"]


@public("nn.functional")
def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """input where target is 1, max(0, margin - input) where it is -1."""
    reduction = reduction_name(size_average, reduce, reduction)
    _reduction.get_enum(reduction)
    select = FUNCTIONS["where"]
    return reduced(
        select(target != 1, (margin - input).clamp_min(0), 0.0) + select(target != -1, input, 0.0), reduction
    )


@public("nn.functional")
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, margin - target (input1 - input2))."""
    reduction = reduction_name(size_average, reduce, reduction)
    _reduction.get_enum(reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: "
            f"{input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return reduced((-target * (input1 - input2) + margin).clamp_min(0), reduction)


@public("nn.functional")
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """1 - cos where target is 1, max(0, cos - margin) where it is -1, cos the rows' cosine similarity."""
    reduction = reduction_name(size_average, reduce, reduction)
    _reduction.get_enum(reduction)
    check(
        target.ndim in (0, 1),
        "0D or 1D target tensor expected, multi-target not supported",
    )
    wanted = 1 + target.ndim
    if not (input1.ndim == wanted and input2.ndim == wanted):
        raise RuntimeError(
            f"{target.ndim}D target tensor expects {wanted}D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    squares = (op("pow_2")(x).sum(-1) + 1e-12 for x in (input1, input2))
    first, second = squares
    cosine = (input1 * input2).sum(-1) / (first * second).sqrt()
    select = FUNCTIONS["where"]
    losses = select(target == 1, 1 - cosine, 0.0) + select(target == -1, (cosine - margin).clamp_min(0), 0.0)
    return reduced(losses, reduction)


@public("nn.functional")
def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The mean over the last dimension of the binary cross-entropy of sigmoid(input)."""
    reduction = reduction_name(size_average, reduce, reduction)
    log = op("logsigmoid")
    losses = -(target * log(input) + (1 - target) * log(-input))
    if weight is not None:
        losses = losses * weight
    return reduced(losses.sum(-1) / input.shape[-1], reduction)


def _rows_of_classes(name: str, input: Tensor, kernel: str) -> None:
    if not ((input.ndim == 2 and input.shape[1]) or (input.ndim == 1 and input.shape[0]) or not input.ndim):
        raise RuntimeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}"
        )
    float_required(name, input.array)
    full_float_required(kernel, input.array)


@public("nn.functional")
def multi_margin_loss(
    input: Tensor, target: Tensor, p: float = 1, margin: float = 1.0, weight: Tensor | None = None,
    size_average: Any = None, reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The mean over the other classes of max(0, margin - input[target] + input[class]) ** p."""
    reduction = reduction_name(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    _reduction.get_enum(reduction)
    _rows_of_classes("multi_margin_loss", input, "multi_margin_loss_cpu_kernel")
    rows = input if input.ndim == 2 else input.reshape(1, -1)
    n, classes = rows.shape
    if not (target.ndim <= 1 and target.array.size == n):
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch "
            f"size). Expected target size [{n}], but got {list(target.shape)}. Input has shape {list(input.shape)}."
        )
    if not (weight is None or weight.array.size == classes):
        raise RuntimeError(
            f"inconsistent weight size, expected {classes} but got {[] if weight is None else list(weight.shape)}"
        )
    if target.dtype is not dtypes.int64:
        raise RuntimeError(f"expected scalar type Long but found {c_name(target.array)}")
    index = target.reshape(n, 1)
    check(not anywhere((index < 0) | (index >= classes)), "target out of range")
    losses = (margin - rows.gather(1, index) + rows).relu()
    losses = losses if p == 1 else op("pow_2")(losses)
    if weight is not None:
        losses = losses * weight[index]
    others = index != arange(classes, device=input.device)
    losses = (losses * others).sum(1) / classes
    result = reduced(losses if input.ndim == 2 else losses.reshape(()), reduction)
    return titled(result, "MultiMarginLossBackward0", through=True)


@structured(tensors="target")
def label_set(target, classes):
    """(rows, classes): which classes a row of labels names before its first -1; has no gradient."""
    return (target.shape[0], classes), dtypes.BOOL_NUMPY


@label_set.cpu
def label_set_cpu(target, classes):
    named = np.zeros((target.shape[0], classes), bool)
    row, place = np.nonzero(np.logical_and.accumulate(target >= 0, axis=1))
    named[row, target[row, place]] = True
    return named


@public("nn.functional")
def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """The sum over a row's labels i and its other classes j of max(0, 1 - input[i] + input[j]), over the classes.

    A row of target holds its labels, then -1.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    _reduction.get_enum(reduction)
    _rows_of_classes("multilabel_margin_loss", input, "multilabel_margin_loss_forward_out_frame")
    if not (target.shape == input.shape or (not input.ndim and target.array.size == 1)):
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    if target.dtype is not dtypes.int64:
        raise RuntimeError(f"expected scalar type Long but found {c_name(target.array)}")
    rows = input if input.ndim == 2 else input.reshape(1, -1)
    classes = rows.shape[1]
    check(not anywhere((target < -1) | (target >= classes)), "argument #3 is out of range")
    labels = target.reshape(rows.shape)
    counted = ((labels < 0).cumsum(1) == 0).unsqueeze(2) & ~op("label_set")(labels, classes).unsqueeze(1)
    labelled = rows.gather(1, labels.clamp_min(0))
    losses = (1 - labelled.unsqueeze(2) + rows.unsqueeze(1)).relu() * counted
    losses = losses.sum((1, 2)) / classes
    result = reduced(losses if input.ndim == 2 else losses.reshape(()), reduction)
    return titled(result, "MultilabelMarginLossBackward0", through=True)


def _check_triplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float) -> None:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs"
        )


@public("nn.functional")
def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, margin + |anchor - positive| - |anchor - negative|), the p-norm along the last dimension."""
    reduction = reduction_name(size_average, reduce, reduction)
    distance = FUNCTIONS["pairwise_distance"]
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=lambda a, b: distance(a, b, p, eps), margin=margin, swap=swap,
        reduction=reduction,
    )  # fmt: skip


@public("nn.functional")
def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *, distance_function: Any = None, margin: float = 1.0,
    swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, margin + distance(anchor, positive) - distance(anchor, negative)); with swap also from the positive."""
    _reduction.get_enum(reduction)
    _check_triplet(anchor, positive, negative, margin)
    distance = distance_function or FUNCTIONS["pairwise_distance"]
    far = distance(anchor, negative)
    if swap:
        far = op("minimum")(far, distance(positive, negative))
    return reduced((margin + distance(anchor, positive) - far).clamp_min(0), reduction)
