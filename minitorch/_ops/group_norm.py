"""group_norm: groups of channels brought to mean 0 and variance 1.

The kernels are batch_norm's, on every channel of every sample by itself; what a group has in common is worked out in
between.
"""

from math import prod
from typing import Any

import numpy as np

from minitorch._kernels.cpu import shared
from minitorch._kernels.layout import channels_last_like
from minitorch._tensor import Tensor

from .channel_norms import (
    but_channels,
    by_channel,
    check_batch,
    gradient_sums,
    per_channel,
    sum_over_channels,
)
from .check import no_kernel, real
from .normalization import as_tuple, gradient_name, input_gradient_in_ops, kernels, normalised, or_constant, same_dtype
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


def every_channel(a: np.ndarray) -> np.ndarray:
    """The array as (1, samples * channels, everything else)."""
    return by_channel(a).reshape(1, a.shape[0] * a.shape[1], prod(a.shape[2:]))


def _spread(per_group: np.ndarray, channels: int) -> np.ndarray:
    """One number per group as one per channel of each sample."""
    return np.repeat(per_group.reshape(-1), channels // per_group.shape[1])


def _tiled(p: Any, value: float, input: np.ndarray) -> np.ndarray:
    """The weight or bias once per sample."""
    return np.tile(or_constant(p, value, input.shape[1], input.dtype), input.shape[0])


@group_norm_rows.cpu
def group_norm_cpu(input, weight, bias, groups, eps):
    (_, dtype), (stats, _), _ = group_norm_rows.infer(input, weight, bias, groups, eps)
    out = np.empty(input.shape, dtype)
    if not out.size:
        return out, np.zeros(stats, dtype), np.zeros(stats, dtype)
    x = every_channel(input)
    mean, var = (m.reshape(stats) for m in shared.channel_moments(x.reshape(1, stats[0] * groups, -1)))
    with np.errstate(all="ignore"):
        rstd = 1.0 / np.sqrt(var + eps)
    scale = _spread(rstd, input.shape[1]) * _tiled(weight, 1.0, input)
    numbers = [a.astype(dtype) for a in (_spread(mean, input.shape[1]), scale, _tiled(bias, 0.0, input))]
    kernels().channel_affine(x, *numbers, out.reshape(x.shape))
    return channels_last_like(input, out), mean.astype(dtype), rstd.astype(dtype)


@group_norm_rows.shared("sums")
def group_norm_sums(g, input, mean):
    return group_gradient_sums(g, input, mean)  # noqa: F821


@group_norm_rows.grad("input")
def group_norm_grad_input(g, sums, input, weight, mean, rstd, groups, eps):
    return group_norm_input(g, sums, input, weight, mean, rstd, groups, eps)  # noqa: F821


@group_norm_rows.grad("weight")
def group_norm_grad_weight(g, sums, input, mean, rstd, groups, eps):
    return group_norm_weight(g, sums, input, mean, rstd, groups, eps)  # noqa: F821


@group_norm_rows.grad("bias")
def group_norm_grad_bias(g, sums, input_shape):
    return group_norm_bias(g, sums, input_shape)  # noqa: F821


def _sums(g: np.ndarray, input: np.ndarray, mean: np.ndarray) -> tuple[Any, ...]:
    """`channel_norms.gradient_sums` for every channel of every sample, and the means that they start from."""
    origin = _spread(mean, input.shape[1]).astype(np.float64)
    return *gradient_sums(every_channel(g), every_channel(input), origin), origin


@np.errstate(all="ignore")
def _group_norm_input(g, sums, input, weight, mean, rstd, groups, eps):
    dx = np.empty(input.shape, input.dtype)
    if not dx.size:
        return dx
    x, g, total, product, origin = sums
    w, r = _tiled(weight, 1.0, input), rstd.astype(np.float64)
    n = input.size // mean.size
    of_groups = [(a * w).reshape(*mean.shape, -1).sum(2) / n for a in (total, product)]
    slope, offset = -(r**3) * of_groups[1], -r * of_groups[0]
    numbers = (origin, _spread(r, input.shape[1]) * w, _spread(slope, input.shape[1]), _spread(offset, input.shape[1]))
    kernels().channel_gradient(g, x, *[a.astype(input.dtype) for a in numbers], dx.reshape(x.shape))
    return channels_last_like(input, dx)


@np.errstate(all="ignore")
def _group_norm_weight(g, sums, input, mean, rstd, groups, eps):
    product = sums[3] * _spread(rstd, input.shape[1])
    return product.reshape(input.shape[:2]).sum(0).astype(input.dtype)


@np.errstate(all="ignore")
def _group_norm_bias(g, sums, shape):
    return sums[2].reshape(shape[:2]).sum(0).astype(g.dtype)


def _rows(x: Tensor, groups: int) -> Tensor:
    """The groups as rows: (samples, groups, elements)."""
    return FUNCTIONS["reshape"](x, x.shape[0], groups, prod(x.shape[1:]) // groups)


def _group_norm_input_in_ops(g, sums, input, weight, mean, rstd, groups, eps):
    e = g if weight is None else g * per_channel(weight, input.ndim)
    dx = input_gradient_in_ops(_rows(e, groups), _rows(input, groups), (2,), eps)
    return FUNCTIONS["reshape"](dx, input.shape)


def _group_norm_weight_in_ops(g, sums, input, mean, rstd, groups, eps):
    xhat = FUNCTIONS["reshape"](normalised(_rows(input, groups), (2,), eps)[0], input.shape)
    return FUNCTIONS["sum"](g * xhat, but_channels(input.ndim))


gradient_name("group_gradient_sums", _sums, lambda *given: None)  # formulas in ops start from the input
gradient_name("group_norm_bias", _group_norm_bias, lambda g, sums, shape: sum_over_channels(g))
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
                "shape "
                f"{list(p.shape) if p is not None else ''} and input of shape {list(shape)}"
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
