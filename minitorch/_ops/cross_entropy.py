"""Cross-entropy and the negative log-likelihood over classes."""

import functools
import math
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels.copies import contiguous
from minitorch._kernels.cpu.loops import LARGE
from minitorch._kernels.cpu.shared import Rows
from minitorch._kernels.silence import silent
from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import state

from . import loss_reduction as _reduction
from .check import c_name, check, float_required, integer
from .composite import reshape
from .losses import reduction_name
from .nll_loss import check_class_weight, divisor_of, nll_loss, picked_weights, reduced, refuse_class
from .nodes import titled
from .op import ARRAY_NAMES, TENSOR_NAMES, structured
from .public import FUNCTIONS, not_tensors, op, public
from .softmax import kernels

empty = np.empty
_of_rows = Rows("softmax", "cross_entropy", "x target weight ignore factor losses slopes", "x target losses slopes")


@structured(name="cross_entropy_rows", title="NllLoss", tensors="input target weight?")
def cross_entropy_rows(input, target, weight, reduction, ignore_index):
    float_required("nll_loss_out_frame", input)
    return (input.shape[0],) if reduction == 0 else (), input.dtype


def _compute(
    input: np.ndarray, target: np.ndarray, weight: np.ndarray | None, reduction: int, ignore: int, with_slopes: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The loss, and its gradient for input (empty unless asked for): without reduction, that of each row's own loss."""
    (n, classes), dtype = input.shape, input.dtype
    x = contiguous(input)
    w = _ones(dtype) if weight is None else weight
    losses, slopes = empty(n, dtype), empty((n if with_slopes else 0, classes), dtype)
    if x.size >= LARGE:
        divisor = divisor_of(target, w, reduction, ignore, classes)
        _of_rows(x, target, w, ignore, 1.0 / divisor if divisor else math.inf, losses, slopes)
        return losses if reduction == 0 else reduced(losses, divisor), slopes
    loss = empty(1 if reduction else 0, dtype)
    bad = kernels().cross_entropy_of_all(x, target, w, ignore, reduction == 1, losses, slopes, loss)
    refuse_class(target, bad)
    return loss.reshape(()) if reduction else losses, slopes


@functools.cache
def _ones(dtype: np.dtype) -> np.ndarray:
    """What stands for weights of one: no elements."""
    return empty(0, dtype)


@cross_entropy_rows.cpu
def cross_entropy_cpu(input, target, weight, reduction, ignore_index):
    float_required("nll_loss_out_frame", input)
    return _compute(input, target, weight, reduction, ignore_index, False)[0]


@cross_entropy_rows.grad("input")
def cross_entropy_grad(g, input, target, weight, reduction, ignore_index):
    return cross_entropy_backward(g, input, target, weight, reduction, ignore_index)


@structured(
    name="cross_entropy_with_slopes", title="NllLoss", tensors="input target weight?", outputs=("slopes",),
    returns=lambda loss, slopes: loss,
)  # fmt: skip
def cross_entropy_with_slopes(input, target, weight, reduction, ignore_index):
    """`cross_entropy_rows` that computes its gradient on the way: the exponentials are there."""
    return [cross_entropy_rows.infer(input, target, weight, reduction, ignore_index), (input.shape, input.dtype)]


@cross_entropy_with_slopes.cpu
def cross_entropy_with_slopes_cpu(input, target, weight, reduction, ignore_index):
    return _compute(input, target, weight, reduction, ignore_index, True)


@cross_entropy_with_slopes.grad("input")
def cross_entropy_with_slopes_grad(g, input, target, weight, slopes, reduction, ignore_index, last):
    return cross_entropy_scaled(g, input, target, weight, slopes, reduction, ignore_index, last)  # noqa: F821


@silent
def _scaled(
    g: np.ndarray, input: Any, target: Any, weight: Any, slopes: np.ndarray, reduction: int, ignore: int, last: bool
) -> np.ndarray:
    if reduction == 0:
        g = g[:, None]
    elif last and g == 1:
        return slopes
    d = np.multiply(slopes, g, out=slopes if last else None)
    if not np.isfinite(g).all():
        d[target == ignore] = 0
    return d


def _recomputed(
    g: Tensor, input: Tensor, target: Tensor, weight: Any, slopes: Tensor, reduction: int, ignore: int, last: bool
) -> Tensor:
    return op("cross_entropy_backward")(g, input, target, weight, reduction, ignore)


ARRAY_NAMES["cross_entropy_scaled"], TENSOR_NAMES["cross_entropy_scaled"] = _scaled, _recomputed


@structured(tensors="grad_output input target weight?")
def cross_entropy_backward(grad_output, input, target, weight, reduction, ignore_index):
    return input.shape, input.dtype


@cross_entropy_backward.cpu
def cross_entropy_backward_cpu(grad_output, input, target, weight, reduction, ignore_index):
    slopes = _compute(input, target, weight, reduction, ignore_index, True)[1]
    return _scaled(grad_output, input, target, weight, slopes, reduction, ignore_index, True)


@structured(tensors="input target weight?")
def loss_weights(input, target, weight, reduction, ignore_index):
    """(N, 1): what each row's cross-entropy counts for in the result; has no gradient."""
    return (input.shape[0], 1), input.dtype


@loss_weights.cpu
def loss_weights_cpu(input, target, weight, reduction, ignore_index):
    kept = target != ignore_index
    rows = kept.astype(input.dtype) if weight is None else weight[np.where(kept, target, 0)] * kept
    if reduction == 1:
        with np.errstate(all="ignore"):
            rows = rows / rows.sum()
    return rows[:, None].astype(input.dtype)


def _per_row(g: Tensor, reduction: int) -> Tensor:
    return op("unsqueeze")(g, 1) if reduction == 0 else g


@cross_entropy_backward.grad("grad_output")
def cross_entropy_backward_grad_output(g, input, target, weight, reduction, ignore_index):
    each = sum(g * cross_entropy_jacobian(input, target, weight, reduction, ignore_index), 1)  # noqa: F821
    return each if reduction == 0 else sum(each)


@cross_entropy_backward.grad("input")
def cross_entropy_backward_grad_input(g, grad_output, input, target, weight, reduction, ignore_index):
    p = softmax_dim(input, 1)  # noqa: F821
    rows = loss_weights(input, target, weight, reduction, ignore_index) * per_row(grad_output, reduction)  # noqa: F821
    return p * (g - sum(g * p, 1, True)) * rows


def _jacobian_array(input: Any, target: Any, weight: Any, reduction: int, ignore: int) -> Any:
    one = np.ones(input.shape[0] if reduction == 0 else (), input.dtype)
    return cross_entropy_backward_cpu(one, input, target, weight, reduction, ignore)


def _jacobian_tensor(input: Tensor, target: Tensor, weight: Any, reduction: int, ignore: int) -> Tensor:
    from minitorch._creation import ones

    one = ones((input.shape[0],) if reduction == 0 else (), dtype=input.dtype, device=input.device)
    return op("cross_entropy_backward")(one, input, target, weight, reduction, ignore)


ARRAY_NAMES.update(cross_entropy_jacobian=_jacobian_array, per_row=lambda g, r: g[:, None] if r == 0 else g)
TENSOR_NAMES.update(cross_entropy_jacobian=_jacobian_tensor, per_row=_per_row)


@public("nn.functional", bare=True)
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The negative log-likelihood of softmax(input); target holds class indices, or probabilities of input's shape.

    >>> import minitorch as torch
    >>> torch.nn.functional.cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.3863)
    """
    try:
        x, t = input.array, target.array
    except AttributeError:
        others = weight, size_average, ignore_index, reduce, reduction, label_smoothing
        return not_tensors(cross_entropy, "cross_entropy_loss", TypeError, {"input": input, "target": target}, *others)
    if not (weight is None or isinstance(weight, Tensor)):
        given = {"input": input, "target": target, "weight": weight}
        others = size_average, ignore_index, reduce, reduction, label_smoothing
        return not_tensors(cross_entropy, "cross_entropy_loss", TypeError, given, *others)
    if ignore_index.__class__ is not int:
        ignore_index = integer(ignore_index, "ignore_index", "cross_entropy_loss")
    if size_average is not None or reduce is not None:
        reduction = reduction_name(size_average, reduce, reduction)
    code = _reduction.get_enum(reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    if (
        x.ndim == 2
        and t.ndim == 1
        and x.shape[0] == t.shape[0]
        and not label_smoothing
        and t.dtype is dtypes.INT64_NUMPY
    ):
        check_class_weight("log_softmax_lastdim_kernel_impl", x, weight)
        fused = state.mode is None and x.__class__ is np.ndarray and x.dtype in dtypes.FLOATS and input.requires_grad
        rows = "cross_entropy_with_slopes" if fused else "cross_entropy_rows"
        return FUNCTIONS[rows](input, target, weight, code, ignore_index)
    class_dim = 0 if x.ndim == 1 else 1
    if x.shape == t.shape:
        if t.dtype not in dtypes.FLOATS:
            raise RuntimeError(f"Expected floating point type for target with class probabilities, got {c_name(t)}")
        check(ignore_index < 0, "ignore_index is not supported for floating point target")
        return _soft_cross_entropy(input, target, weight, code, label_smoothing, class_dim)
    logs = op("log_softmax_dim")(input, class_dim)
    hard = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    if not label_smoothing:
        return hard
    check(x.ndim > 1 or not t.ndim, "output with shape [] doesn't match the broadcast shape [1]")
    return _smoothed(logs, target, weight, code, ignore_index, label_smoothing, class_dim, hard)


def _class_weights(logs: Tensor, weight: Tensor, class_dim: int) -> Tensor:
    shape = [1] * logs.ndim
    shape[class_dim] = -1
    return reshape(weight, shape)


def _soft_cross_entropy(
    input: Tensor, target: Tensor, weight: Any, code: int, smoothing: float, class_dim: int
) -> Tensor:
    if smoothing:
        target = target * (1 - smoothing) + smoothing / input.shape[class_dim]
    logs = op("log_softmax_dim")(input, class_dim)
    losses = logs * target
    if weight is not None:
        losses = losses * _class_weights(logs, weight, class_dim)
    if code == 0:
        return op("neg")(op("sum")(losses, class_dim))
    total = op("neg")(op("sum")(losses))
    if code == 2:
        return total
    return titled(total / (input.array.size / input.shape[class_dim]), "DivBackward1", ("input_edge",))


def _smoothed(
    logs: Tensor, target: Tensor, weight: Any, code: int, ignore: int, smoothing: float, class_dim: int, hard: Tensor
) -> Tensor:
    """label_smoothing mixes the loss with that of equal probabilities."""
    kept = op("ne")(target, ignore)
    even = logs if weight is None else logs * _class_weights(logs, weight, class_dim)
    even = op("neg")(op("sum")(even, class_dim)) * kept
    if code:
        even = op("sum")(even)
    if code == 1:
        counted = op("sum")(kept) if weight is None else op("sum")(picked_weights(target, kept, weight))
        even = even / counted
    classes = logs.shape[class_dim]
    return hard * (1 - smoothing) + even * (smoothing / classes)


def _check_linear(input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    if input.ndim not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.ndim}")
    if weight.ndim < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {weight.ndim}")
    have, want = input.shape[-1], weight.shape[-1]
    if have != want:
        raise RuntimeError(
            f"expected equal input and linear_weight last dimensions (in_features), got {have} and {want}, respectively"
        )
    out = tuple(weight.shape[:-1])
    if not (bias is None or tuple(bias.shape) == out):
        raise RuntimeError(f"expected linear_bias shape {out}, got {() if bias is None else tuple(bias.shape)}")
    if not (weight.ndim == 2 or input.ndim == 2):
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(weight.shape)} requires batched input, (N, "
            f"{want}), got unbatched input with shape {tuple(input.shape)}"
        )


@public("nn.functional")
def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """`cross_entropy` of a linear map of the input: (N, features) with weights (C, features) or (C, *dims, features).

    `options` chooses among ways to save memory in torch. They change no number, and here they change nothing.
    """
    _check_linear(input, linear_weight, linear_bias)
    classes, *dims, features = linear_weight.shape
    check(
        ignore_index is None or tuple(target.shape) != (*input.shape[:-1], classes, *dims),
        "ignore_index cannot be specified when target contains probabilities",
    )
    if weight is not None:
        if tuple(weight.shape) != (classes,):
            raise RuntimeError(f"expected weight shape to be {(classes,)}, got {tuple(weight.shape)}")
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"expected label_smoothing to be in range [0, 1], got {label_smoothing}")
    bias = None if linear_bias is None else reshape(linear_bias, -1)
    logits = FUNCTIONS["linear"](input, reshape(linear_weight, -1, features), bias)
    if dims:
        logits = reshape(logits, -1, classes, *dims)
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(
        logits, target, weight, ignore_index=ignored, reduction=reduction, label_smoothing=label_smoothing
    )
