"""Losses between tensors of one shape; `cross_entropy.py` and `margin_losses.py` have the others."""

import math
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._creation import FACTORIES
from minitorch._kernels.scalar import absolute, log, log1p, where
from minitorch._tensor import Tensor
from minitorch.autograd._warnings import warn

from . import loss_reduction as _reduction
from .check import (
    C_NAMES,
    anywhere,
    c_name,
    check,
    check_inplace_shape,
    float_required,
    not_implemented_for,
    real,
    type_name,
)
from .composite import broadcast_tensors
from .linalg import small
from .nodes import titled
from .op import ARRAY_NAMES, TENSOR_NAMES, pointwise, structured
from .operands import number_argument
from .public import FUNCTIONS, NotATensor, not_tensors, op, public

empty = np.empty
full_like = FACTORIES["full_like"]


def _scale(n: int, reduction: int) -> float:
    return 1.0 if reduction != 1 else 1.0 / n if n else math.nan


@structured(name="mse_reduced", title="MseLoss", tensors="input target")
def mse_reduced(input, target, reduction):
    float_required("mse", input)
    return (), input.dtype


@mse_reduced.cpu
def mse_cpu(input, target, reduction):
    if input.dtype not in dtypes.FLOATS:
        not_implemented_for("mse", input)
    o, n = empty((), input.dtype), input.size
    small.squared_error(input, target, 1.0 / n if reduction == 1 and n else _scale(n, reduction), o)
    return o


@mse_reduced.grad("input")
def mse_grad_input(g, input, target, reduction):
    return mse_backward(g, input, target, reduction)


@mse_reduced.grad("target")
def mse_grad_target(g, input, target, reduction):
    return mse_backward(g, target, input, reduction)


@structured(tensors="grad_output input target")
def mse_backward(grad_output, input, target, reduction):
    return input.shape, input.dtype


@mse_backward.cpu
def mse_backward_cpu(grad_output, input, target, reduction):
    d, n = empty(input.shape, input.dtype), input.size
    scale = 1.0 / n if reduction == 1 and n else _scale(n, reduction)
    small.squared_error_gradient(grad_output, input, target, scale, d)
    return d


@mse_backward.grad("grad_output")
def mse_backward_grad_grad_output(g, input, target, reduction):
    return sum(g * (input - target)) * mse_factor(input, reduction)


@mse_backward.grad("input")
def mse_backward_grad_input(g, grad_output, input, reduction):
    return g * (grad_output * mse_factor(input, reduction))


@mse_backward.grad("target")
def mse_backward_grad_target(g, grad_output, input, reduction):
    return -g * (grad_output * mse_factor(input, reduction))


def mse_factor(input: Any, reduction: int) -> float:
    """2 / n for a mean, 2 for a sum: the derivative's factor."""
    return 2.0 * _scale(math.prod(input.shape), reduction)


for _names in (ARRAY_NAMES, TENSOR_NAMES):
    _names["mse_factor"] = mse_factor


def reduced(loss: Tensor, reduction: str) -> Tensor:
    code = _reduction.get_enum(reduction)
    return loss if code == 0 else op("mean")(loss) if code == 1 else op("sum")(loss)


def reduction_name(size_average: Any, reduce: Any, reduction: str) -> str:
    if size_average is None and reduce is None:
        return reduction
    return _reduction.legacy_get_string(size_average, reduce)


def _same_shape(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one shape, with torch's warning where that is a broadcast."""
    if input.array.shape == target.array.shape:
        return input, target

    warn(
        f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will "
        "likely lead to "
        "incorrect results due to broadcasting. Please ensure they have the same size."
    )
    return broadcast_tensors(input, target)


@public("nn.functional", bare=True)
def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The mean of (input - target)^2, or its sum, or each of them ("none")."""
    try:
        x, y = input.array, target.array
    except AttributeError:
        given = {"input": input, "target": target}
        return not_tensors(mse_loss, "mse_loss", NotATensor, given, size_average, reduce, reduction, weight)
    if size_average is not None or reduce is not None:
        reduction = reduction_name(size_average, reduce, reduction)
    if x.shape != y.shape:
        input, target = _same_shape(input, target)
    code = _reduction.CODES.get(reduction) or _reduction.get_enum(reduction)
    if code and weight is None and x.dtype is y.dtype:  # the usual case
        return FUNCTIONS["mse_reduced"](input, target, code)
    if weight is None and y.dtype is not x.dtype:  # bools have no difference
        input = input.to(target.dtype) if x.dtype == np.bool_ else input
        target = target.to(input.dtype) if y.dtype == np.bool_ else target
    if weight is not None:
        if weight.shape != input.shape:
            raise ValueError("Weights and input must have the same size.")
        error = op("pow_2")(input - target) * weight
        return error if code == 0 else error.sum() if code == 2 else error.sum() / weight.sum()
    if code == 0:
        return titled(op("pow_2")(input - target), "MseLossBackward0", through=True)
    if input.array.dtype is not target.array.dtype:
        from .op import OPS
        from .operands import promote

        input, target = promote(OPS["sub"], input, target)
    return op("mse_reduced")(input, target, code)


@public("nn.functional")
def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The mean of |input - target|, or its sum, or each of them ("none")."""
    reduction = reduction_name(size_average, reduce, reduction)
    input, target = _same_shape(input, target)
    error = op("abs")(input - target)
    if weight is None:
        return reduced(error, reduction)
    if weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")
    code, error = _reduction.get_enum(reduction), error * weight
    return error if code == 0 else error.sum() if code == 2 else error.sum() / weight.sum()


# ---------------------------------------------------------------------- per element
@pointwise(title="SmoothL1Loss", result="float_only", kernel="smooth_l1_cpu")
def smooth_l1_each(x, y, *, beta):
    d = absolute(x - y)
    return where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta)


@smooth_l1_each.grad("x")
def smooth_l1_each_grad_x(g, x, y, *, beta):
    d = x - y
    return where(absolute(d) < beta, g * d / beta, where(d > 0.0, g, -g))


@smooth_l1_each.grad("y")
def smooth_l1_each_grad_y(g, x, y, *, beta):
    d = x - y
    return where(absolute(d) < beta, -g * d / beta, where(d > 0.0, -g, g))


@pointwise(title="HuberLoss", result="float_only", kernel="huber_cpu")
def huber_each(x, y, *, delta):
    d = absolute(x - y)
    return where(d < delta, 0.5 * d * d, delta * (d - 0.5 * delta))


@huber_each.grad("x")
def huber_each_grad_x(g, x, y, *, delta):
    d = x - y
    return g * where(absolute(d) <= delta, d, where(d > 0.0, delta, -delta))


@huber_each.grad("y")
def huber_each_grad_y(g, x, y, *, delta):
    d = y - x
    return g * where(absolute(d) <= delta, d, where(d > 0.0, delta, -delta))


# logarithms no smaller than -100, so that a certain and wrong prediction has a finite loss
@pointwise(title="BinaryCrossEntropy", result="float_only", kernel="binary_cross_entropy")
def binary_cross_entropy_each(x, y):
    p = where(x == 0.0, -100.0, log(where(x == 0.0, 1.0, x)))
    q = where(x == 1.0, -100.0, log1p(where(x == 1.0, 0.0, -x)))
    return -(y * where(p < -100.0, -100.0, p) + (1.0 - y) * where(q < -100.0, -100.0, q))


@binary_cross_entropy_each.grad("x")
def binary_cross_entropy_each_grad_x(g, x, y):
    z = (1.0 - x) * x
    return g * ((x - y) / where(z < 1e-12, 1e-12, z))


@binary_cross_entropy_each.grad("y")
def binary_cross_entropy_each_grad_y(g, x):
    p = where(x == 0.0, -100.0, log(where(x == 0.0, 1.0, x)))
    q = where(x == 1.0, -100.0, log1p(where(x == 1.0, 0.0, -x)))
    return g * (where(q < -100.0, -100.0, q) - where(p < -100.0, -100.0, p))


@public("nn.functional")
def smooth_l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:  # fmt: skip
    """Half the squared error over beta where the error is below beta, else the absolute error less beta / 2."""
    reduction = reduction_name(size_average, reduce, reduction)
    input, target = _same_shape(input, target)
    check(beta >= 0, "smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return reduced(op("abs")(input - target), reduction)
    losses = op("smooth_l1_each")(input, target, float(beta))
    return titled(reduced(losses, reduction), "SmoothL1LossBackward0", through=True)


@public("nn.functional")
def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Half the squared error where it is below delta, else delta (error - delta / 2)."""
    input, target = _same_shape(input, target)
    _reduction.get_enum(reduction)
    delta = number_argument("huber_loss", "delta", 4, delta, "float")
    check(delta > 0, "huber_loss does not support non-positive values for delta.")
    losses = _in_place_of(input, op("huber_each")(input, target, float(delta)))
    if weight is not None:
        return _weighted(losses, weight, reduction)
    return titled(reduced(losses, reduction), "HuberLossBackward0", through=True)


def _in_place_of(to: Tensor, result: Tensor) -> Tensor:
    """The result in the dtype of `to`, for torch writes it there; its refusal where it does not fit."""
    have, made = to.array, result.array
    if dtypes.CATEGORY[made.dtype] > dtypes.CATEGORY[have.dtype]:
        raise RuntimeError(f"result type {c_name(made)} can't be cast to the desired output type {c_name(have)}")
    if made.shape != have.shape:
        raise RuntimeError(f"output with shape {list(have.shape)} doesn't match the broadcast shape {list(made.shape)}")
    return result if made.dtype == have.dtype else result.to(to.dtype)


def _weighted(losses: Tensor, weight: Tensor, reduction: str) -> Tensor:
    if weight.shape != losses.shape:
        raise ValueError("Weights and input must have the same size.")
    code, losses = _reduction.get_enum(reduction), losses * weight
    return losses if code == 0 else losses.sum() if code == 2 else losses.sum() / weight.sum()


@public("nn.functional")
def kl_div(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:  # fmt: skip
    """target (log(target) - input), where input holds logarithms, and target too with log_target."""
    if size_average is not None or reduce is not None:
        reduction = reduction_name(size_average, reduce, reduction)
    elif reduction == "mean":
        warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release."
        )
    floats = input.is_floating_point() and target.is_floating_point()
    check(floats, "kl_div: Integral inputs not supported.")
    losses = target.exp() * (target - input) if log_target else op("xlogy")(target, target) - target * input
    if reduction == "batchmean":
        total = op("sum")(losses)
        return total / input.shape[0] if input.ndim else total
    return reduced(losses, reduction)


@public("nn.functional")
def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, size_average: Any = None,
    eps: float = 1e-8, reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """exp(input) - target input, or without log_input input - target log(input); full adds Stirling's approximation."""
    reduction = reduction_name(size_average, reduce, reduction)
    eps = real(eps, "eps", 5, "poisson_nll_loss")
    losses = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (target * (2 * math.pi)).log()
        losses = losses + stirling.masked_fill(target <= 1, 0)
    return reduced(losses, reduction)


@public("nn.functional", bare=True)
def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """(log(var) + (input - target)^2 / var) / 2, var at least eps; full adds log(2 pi) / 2."""
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = full_like(input, var)
    if not isinstance(var, Tensor):
        raise TypeError(
            f"gaussian_nll_loss(): argument 'var' (position 3) must be Tensor or float, not {type_name(var)}"
        )
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif var.ndim != input.ndim or any(v not in (1, n) for v, n in zip(var.shape, input.shape, strict=True)):
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(reduction + " is not valid")
    if bool((var < 0).any().item()):
        raise ValueError("var has negative entry/entries")
    if not var.is_floating_point():
        found = C_NAMES[var.dtype.name]
        raise RuntimeError(f"result type Float can't be cast to the desired output type {found}")
    # at least eps, as a shift that carries no gradient: below eps, too, the gradient reaches var
    var = var + (var.detach().clamp(min=eps) - var.detach())
    losses = 0.5 * (var.log() + op("pow_2")(input - target) / var)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced(losses, reduction)


def _within_0_and_1(t: Tensor) -> bool:
    """Whether all elements are, which a nan is not."""
    if t.array.__class__ is not np.ndarray:
        return t.is_meta or not anywhere(~((t >= 0) & (t <= 1)))
    with np.errstate(invalid="ignore"):
        return not t.array.size or bool(t.array.min() >= 0 and t.array.max() <= 1)


@public("nn.functional")
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-(target log(input) + (1 - target) log(1 - input)), logarithms no smaller than -100."""
    reduction = reduction_name(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    _reduction.get_enum(reduction)
    if target.array.dtype != input.array.dtype:
        raise RuntimeError(f"Found dtype {c_name(target.array)} but expected {c_name(input.array)}")
    for what, probabilities in (("input", input), ("target", target)):
        check(_within_0_and_1(probabilities), f"all elements of {what} should be between 0 and 1")
    losses = op("binary_cross_entropy_each")(input, target)
    if weight is not None:
        check_inplace_shape([losses.array.shape, weight.array.shape])
        losses = (losses * weight).to(losses.dtype)
    return titled(reduced(losses, reduction), "BinaryCrossEntropyBackward0", through=True)


@public("nn.functional")
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean", pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """binary_cross_entropy of sigmoid(input), without overflow.

    >>> import minitorch as torch
    >>> torch.nn.functional.binary_cross_entropy_with_logits(torch.zeros(3), torch.ones(3))
    tensor(0.6931)
    """
    reduction = reduction_name(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    logs = op("logsigmoid")(input)
    check(
        target.dtype is not dtypes.bool,
        "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
        "operator instead.",
    )
    if pos_weight is not None:
        logs = _in_place_of(logs, logs * ((pos_weight - 1) * target + 1))
    losses = _in_place_of(target, _in_place_of(target, (1 - target) * input) - logs)
    if weight is not None:
        losses = _in_place_of(losses, losses * weight)
    result = reduced(losses, reduction)
    return titled(result, "BinaryCrossEntropyWithLogitsBackward0", through=True)


@public("nn.functional")
def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """log(1 + exp(-target input)), targets 1 and -1."""
    reduction = reduction_name(size_average, reduce, reduction)
    _reduction.get_enum(reduction)
    powers = _in_place_of(input, _in_place_of(input, -input * target).exp())
    return titled(reduced(powers.log1p(), reduction), "SoftMarginLossBackward0", through=True)
