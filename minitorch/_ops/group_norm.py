"""group_norm: groups of channels brought to mean 0 and variance 1.

As in `normalization.py`, gradients are kernels on arrays, and formulas in ops where they are to be differentiated.
"""

from math import prod
from typing import Any

import numpy as np

from minitorch._kernels.copies import contiguous
from minitorch._kernels.cpu import shared
from minitorch._kernels.layout import channels_second, channels_to_end, is_channels_last
from minitorch._kernels.silence import silent
from minitorch._tensor import Tensor

from .channel_norms import (
    but_channels,
    check_batch,
    per_channel,
    sum_over_channels,
)
from .check import no_kernel, real
from .normalization import as_tuple, gradient_name, input_gradient_in_ops, normalised, or_constant, same_dtype
from .op import structured
from .public import FUNCTIONS, PUBLIC, op, public
from .reductions import FLOATS


@structured(
    name="group_norm_rows",
    title="NativeGroupNorm",
    tensors="input weight? bias?",
    outputs=("mean", "rstd"),
    returns=as_tuple,
)
def group_norm_rows(input, weight, bias, groups, eps):
    if input.dtype not in FLOATS:
        no_kernel("GroupNormKernelImpl", input)
    stats = (input.shape[0], groups)
    return [(input.shape, input.dtype), (stats, input.dtype), (stats, input.dtype)]


def _samples(a: np.ndarray, like: np.ndarray) -> np.ndarray:
    """(N, 1, C, everything else), or (N, everything else, C, 1) where `like` has its channels beside each other."""
    if is_channels_last(like):
        return contiguous(channels_to_end(a)).reshape(len(a), -1, a.shape[1], 1)
    return contiguous(a).reshape(len(a), 1, a.shape[1], -1)


def _uninitialised(input: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A result in input's order in memory, and the same by `_samples`."""
    if is_channels_last(input):
        out = channels_second(np.empty(channels_to_end(input).shape, input.dtype))
    else:
        out = np.empty(input.shape, input.dtype)
    return out, _samples(out, out)


@group_norm_rows.cpu
def group_norm_cpu(input, weight, bias, groups, eps):
    (_, dtype), (stats, _), _ = group_norm_rows.infer(input, weight, bias, groups, eps)
    mean, rstd = np.zeros(stats, dtype), np.zeros(stats, dtype)
    if not input.size:
        return np.empty(input.shape, dtype), mean, rstd
    channels = input.shape[1]
    out, to = _uninitialised(input)
    w, b = or_constant(weight, 1.0, channels, dtype), or_constant(bias, 0.0, channels, dtype)
    sums, factors = np.empty((len(out), 3, channels)), np.empty((len(out), 2, channels), dtype)
    shared.group_norm(_samples(input, input), w, b, eps, sums, factors, mean, rstd, to)
    return out, mean, rstd


@group_norm_rows.shared("sums")
def group_norm_sums(g, input, mean):
    return group_gradient_sums(g, input, mean)  # noqa: F821


@group_norm_rows.grad("input")
def group_norm_grad_input(g, sums, input, weight, rstd, groups, eps):
    return group_norm_input(g, sums, input, weight, rstd, groups, eps)  # noqa: F821


@group_norm_rows.grad("weight")
def group_norm_grad_weight(g, sums, input, rstd, groups, eps):
    return group_norm_weight(g, sums, input, rstd, groups, eps)  # noqa: F821


@group_norm_rows.grad("bias")
def group_norm_grad_bias(g, sums):
    return group_norm_bias(g, sums)  # noqa: F821


def _sums(g: np.ndarray, input: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """See `normalization.group_norm_sums`."""
    sums = np.zeros((len(input), 3, input.shape[1]))
    if input.size:
        shared.group_norm_sums(_samples(g, input), _samples(input, input), mean, sums)
    return sums


def _group_norm_input(g, sums, input, weight, rstd, groups, eps):
    if not input.size:
        return np.empty(input.shape, input.dtype)
    channels = input.shape[1]
    dx, to = _uninitialised(input)
    w, factors = or_constant(weight, 1.0, channels, input.dtype), np.empty((len(dx), 4, channels), input.dtype)
    shared.group_norm_gradient(_samples(g, input), _samples(input, input), w, rstd, sums, factors, to)
    return dx


@silent
def _group_norm_weight(g, sums, input, rstd, groups, eps):
    product = sums[:, 2] * np.repeat(rstd, input.shape[1] // groups, 1)
    return np.add.reduce(product, 0).astype(input.dtype)


@silent
def _group_norm_bias(g, sums):
    return np.add.reduce(sums[:, 1], 0).astype(g.dtype)


def _rows(x: Tensor, groups: int) -> Tensor:
    """The groups as rows: (samples, groups, elements)."""
    return FUNCTIONS["reshape"](x, x.shape[0], groups, prod(x.shape[1:]) // groups)


def _group_norm_input_in_ops(g, sums, input, weight, rstd, groups, eps):
    e = g if weight is None else g * per_channel(weight, input.ndim)
    dx = input_gradient_in_ops(_rows(e, groups), _rows(input, groups), (2,), eps)
    return FUNCTIONS["reshape"](dx, input.shape)


def _group_norm_weight_in_ops(g, sums, input, rstd, groups, eps):
    xhat = FUNCTIONS["reshape"](normalised(_rows(input, groups), (2,), eps)[0], input.shape)
    return FUNCTIONS["sum"](g * xhat, but_channels(input.ndim))


gradient_name("group_gradient_sums", _sums, lambda *given: None)  # formulas in ops start from the input
gradient_name("group_norm_bias", _group_norm_bias, lambda g, sums: sum_over_channels(g))
gradient_name("group_norm_input", _group_norm_input, _group_norm_input_in_ops)
gradient_name("group_norm_weight", _group_norm_weight, _group_norm_weight_in_ops)


@public("nn.functional")
def group_norm(input: Tensor, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-05) -> Tensor:
    """Each group of channels of each sample brought to mean 0 and variance 1; then times weight, plus bias."""
    if input.ndim < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.ndim}")
    shape = tuple(input.shape)
    check_batch((shape[0] * shape[1] // num_groups, num_groups, *shape[2:]), num_groups)
    return torch_group_norm(input, num_groups, weight, bias, eps)


def torch_group_norm(
    input: Tensor, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-05, cudnn_enabled: bool = True
) -> Tensor:
    """Same as nn.functional.group_norm."""
    return _group_norm(input, num_groups, weight, bias, eps)[0]


def _group_norm(input: Tensor, groups: int, weight: Any, bias: Any, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    shape = tuple(input.shape)
    if not groups > 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {groups}")
    if shape[1] % groups != 0:
        raise RuntimeError(
            f"Expected number of channels in input to be divisible by num_groups, but got input of shape {list(shape)} "
            f"and num_groups={groups}"
        )
    for name, p in (("weight", weight), ("bias", bias)):
        if not (p is None or tuple(p.shape) == (shape[1],)):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of "
                f"shape {list(p.shape) if p is not None else ''} and input of shape {list(shape)}"
            )
    same_dtype(input, weight, bias)
    if not input.is_floating_point():
        no_kernel("GroupNormKernelImpl", input.array)
    if eps.__class__ is not float:
        eps = real(eps, "eps", 5, "group_norm")
    return op("group_norm_rows")(input, weight, bias, groups, eps)


@public("torch")
def native_group_norm(input: Tensor, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float) -> Any:
    """(group_norm, mean, 1 / standard deviation) of an input of N samples of C channels of HxW elements."""
    flat = FUNCTIONS["reshape"](input, N, C, HxW)
    out = _group_norm(flat, group, weight, bias, eps)[0]
    rows = FUNCTIONS["reshape"](input, N, group, C * HxW // group)
    rstd = FUNCTIONS["reshape"](normalised(rows, (2,), eps)[1], N, group)
    return FUNCTIONS["reshape"](out, input.shape), FUNCTIONS["mean"](rows, (2,)), rstd  # all differentiable


PUBLIC["torch.group_norm"] = torch_group_norm, ["torch"]
