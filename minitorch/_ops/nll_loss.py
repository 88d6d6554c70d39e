"""The negative log-likelihood over classes."""

from math import prod
from typing import Any

import numpy as np

from minitorch._dtype import FLOATS
from minitorch._kernels import cache
from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import NO_GRAD, state

from . import loss_reduction as _reduction
from .check import C_NAMES, c_name, check, no_kernel
from .losses import reduction_name
from .nodes import titled
from .op import structured
from .public import FUNCTIONS, op, public

empty = np.empty


def _kernels() -> Any:
    return cache.load_file("cpu.nll_loss")


def divisor_of(target: np.ndarray, weight: np.ndarray, reduction: int, ignore: int, classes: int) -> float:
    """What the sum of the losses is divided by, for targets which this makes sure are classes."""
    used, bad = _kernels().rows_of_classes(target, weight, ignore, classes)
    refuse_class(target, bad)
    return used if reduction == 1 else 1.0


def refuse_class(target: np.ndarray, bad: int) -> None:
    """torch's error for the target of that number, unless it is -1."""
    if bad >= 0:
        raise IndexError(f"Target {target.flat[bad]} is out of bounds.")


def reduced(losses: np.ndarray, divisor: float) -> np.ndarray:
    """The sum of the losses over the divisor."""
    loss = empty((), losses.dtype)
    _kernels().quotient_of_sum(losses, divisor, loss.reshape(1))
    return loss


def _operands(target: np.ndarray, weight: np.ndarray | None, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """The targets as (N, K), and weights that are empty for None."""
    t = np.ascontiguousarray(target, np.int64).reshape(target.shape[0] if target.ndim else 1, prod(target.shape[1:]))
    return t, empty(0, dtype) if weight is None else np.ascontiguousarray(weight)


def _kernel_name(x: Any) -> str:
    """torch's name for the kernel, in the errors about dtypes."""
    return "nll_loss_out_frame" if x.ndim < 3 else "nll_loss2d_forward_out_frame"


@structured(title="NllLoss", tensors="input target weight?")
def nll_loss_of_classes(input, target, weight, reduction, ignore_index):
    if input.dtype not in FLOATS:
        no_kernel(_kernel_name(input), input)
    return target.shape if reduction == 0 else (), input.dtype


@nll_loss_of_classes.cpu
def nll_loss_cpu(input, target, weight, reduction, ignore_index):
    if input.dtype not in FLOATS:
        no_kernel(_kernel_name(input), input)
    t, w = _operands(target, weight, input.dtype)
    x = np.ascontiguousarray(input).reshape(len(t), input.shape[min(1, input.ndim - 1)], t.shape[1])
    divisor, losses = divisor_of(t, w, reduction, ignore_index, x.shape[1]), empty(t.shape, x.dtype)
    _kernels().nll_loss(x, t, w, ignore_index, losses)
    return losses.reshape(target.shape) if reduction == 0 else reduced(losses, divisor)


@nll_loss_of_classes.grad("input")
def nll_loss_grad(g, target, weight, reduction, ignore_index, input_shape):
    return nll_loss_backward(g, target, weight, reduction, ignore_index, input_shape)


@structured(tensors="grad_output target weight?")
def nll_loss_backward(grad_output, target, weight, reduction, ignore_index, shape):
    return shape, grad_output.dtype


@nll_loss_backward.cpu
def nll_loss_backward_cpu(grad_output, target, weight, reduction, ignore_index, shape):
    d, g = np.zeros(shape, grad_output.dtype), np.ascontiguousarray(grad_output).reshape(-1)
    t, w = _operands(target, weight, d.dtype)
    classes = shape[min(1, len(shape) - 1)]
    if reduction == 1:
        with np.errstate(all="ignore"):
            g = g / g.dtype.type(divisor_of(t, w, reduction, ignore_index, classes))
    _kernels().nll_loss_gradient(g, int(reduction == 0), t, w, ignore_index, d.reshape(len(t), classes, t.shape[1]))
    return d


@nll_loss_backward.grad("grad_output")
def nll_loss_backward_grad(g, target, weight, reduction, ignore_index):
    return nll_loss_of_classes(g, target, weight, reduction, ignore_index)


def picked_weights(target: Tensor, kept: Tensor, weight: Tensor) -> Tensor:
    """The weights of the target classes, 0 where `kept` is False."""
    return weight.detach()[target * kept] * kept


@public("nn.functional")
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative of input (log-probabilities) at the target classes.

    input is (N, C), (C) or (N, C, d1, ...), target has its shape without C.

    >>> import minitorch as torch
    >>> torch.nn.functional.nll_loss(torch.tensor([[-0.5, -1.0], [-2.0, -0.1]]), torch.tensor([0, 1]))
    tensor(0.3000)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_name(size_average, reduce, reduction)
    code = _reduction.get_enum(reduction)
    _check_operands(input, target, weight)
    class_dim = min(1, input.ndim - 1)
    if target.ndim == input.ndim:  # one class for one row, which need not say so
        target = op("squeeze_dims")(target, (0,))
    if state.mode in (None, NO_GRAD) and input.array.__class__ is target.array.__class__ is np.ndarray:
        losses = FUNCTIONS["nll_loss_of_classes"](input, target, weight, code, ignore_index)
        return losses if input.array.ndim <= 2 else titled(losses, "NllLoss2DBackward0")
    title = "NllLossBackward0" if input.ndim <= 2 else "NllLoss2DBackward0"
    kept = op("ne")(target, ignore_index)
    safe = target * kept
    picked = op("squeeze_dims")(input.gather(class_dim, op("unsqueeze")(safe, class_dim)), (class_dim,))
    weights = kept.to(input.dtype) if weight is None else picked_weights(target, kept, weight)
    losses = op("neg")(FUNCTIONS["where"](kept, picked * weights, 0.0))
    if code == 0:
        return titled(losses, title)
    total = op("sum")(losses)
    return titled(total if code == 2 else total / op("sum")(weights), title, through=True)


def _check_operands(input: Tensor, target: Tensor, weight: Tensor | None) -> None:
    """torch's checks, which it makes for rows, pictures and all else in other words and another order."""
    x, t = input.array, target.array
    check(x.ndim > 0, "Expected 1 or more dimensions (got 0)", ValueError)
    if x.ndim > 1 and x.shape[0] != (t.shape[0] if t.ndim else 0):
        batch = t.shape[0] if t.ndim else 0
        raise ValueError(f"Expected input batch_size ({x.shape[0]}) to match target batch_size ({batch}).")
    wanted = (*x.shape[: min(1, x.ndim - 1)], *x.shape[2:])
    if x.ndim <= 2:
        check(t.ndim <= 1, "0D or 1D target tensor expected, multi-target not supported")
    elif x.ndim == 4:
        if t.ndim != 3:
            raise RuntimeError(
                f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {t.ndim}"
            )
    elif t.shape != wanted:
        raise RuntimeError(f"Expected target size {list(wanted)}, got {list(t.shape)}")
    if t.dtype not in (np.int64, np.uint8):
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {c_name(t)}")
    if x.ndim == 1 and t.shape not in ((), (1,)):
        raise ValueError(f"For 1D input, 1D target must have size 1, but got target size: {t.shape[0]}")
    _check_number_of_weights(x, weight)
    if x.ndim == 4 and t.shape != wanted:
        raise RuntimeError(f"size mismatch (got input: {list(x.shape)} , target: {list(t.shape)}")
    if weight is not None:
        check_class_weight(_kernel_name(x), x, weight)


def _check_number_of_weights(x: Any, weight: Tensor | None) -> None:
    classes = x.shape[min(1, x.ndim - 1)]
    if weight is not None and weight.array.shape != (classes,):
        raise RuntimeError(
            "weight tensor should be defined either for all or no classes"
            if x.ndim > 2
            else f"weight tensor should be defined either for all {classes} classes or no classes but got weight "
            f"tensor of shape: {list(weight.shape)}"
        )


def check_class_weight(kernel: str, x: Any, weight: Tensor | None) -> None:
    """Refuse x of integers, and weights that are not one number of x's dtype for each class."""
    _check_number_of_weights(x, weight)
    if x.dtype not in FLOATS:
        no_kernel(kernel, x)
    if weight is not None and weight.array.dtype != x.dtype:
        raise RuntimeError(f"expected scalar type {c_name(x)} but found {C_NAMES[weight.dtype.name]}")
