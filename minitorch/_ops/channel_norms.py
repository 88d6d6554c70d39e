"""batch_norm and instance_norm: channels brought to mean 0 and variance 1; what `group_norm.py` shares with them.

As in `normalization.py`, gradients are kernels on arrays, and formulas in ops where they are to be differentiated.
"""

from math import nan, prod
from typing import Any

import numpy as np

from minitorch._kernels.copies import contiguous
from minitorch._kernels.cpu import shared
from minitorch._kernels.cpu.loops import LARGE
from minitorch._kernels.layout import channels_second, channels_to_end, is_channels_last
from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import NO_GRAD, UNUSUAL, no_grad, state

from .check import check, no_kernel, real, wrap_dim
from .normalization import (
    as_tuple,
    gradient_name,
    input_gradient_in_ops,
    kernels,
    normalised,
    or_constant,
    same_dtype,
)
from .op import structured
from .public import FUNCTIONS, PUBLIC, into, op, public
from .reductions import FLOATS, SUM


# ---------------------------------------------------------------------- channels
def by_channel(a: np.ndarray) -> np.ndarray:
    """The array as (N, C, everything else)."""
    a = contiguous(a)
    n, channels, *rest = a.shape
    return a if len(rest) == 1 else a.reshape(n, channels, prod(rest))


def as_stored(a: np.ndarray, like: np.ndarray) -> np.ndarray:
    """`by_channel`, but (N * everything else, C, 1) where the channels of `like` are beside each other in memory."""
    return contiguous(channels_to_end(a)).reshape(-1, a.shape[1], 1) if is_channels_last(like) else by_channel(a)


def result_like(input: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An uninitialised result in input's order in memory, and the same `as_stored`."""
    if is_channels_last(input):
        out = channels_second(np.empty(channels_to_end(input).shape, input.dtype))
        return out, as_stored(out, out)
    out = np.empty(input.shape, input.dtype)
    return out, by_channel(out)


def gradient_sums(g, input, mean):
    """Input and gradient `as_stored`; the sums of g, and of g * (input - mean), over each channel."""
    x, g = as_stored(input, input), as_stored(g, input)
    return x, g, *shared.channel_sums(g, x, mean.astype(np.float64))


def but_channels(ndim: int) -> tuple[int, ...]:
    return tuple([i for i in range(ndim) if i != 1])


def per_channel(p: Tensor, ndim: int) -> Tensor:
    """A vector of one number per channel, to be broadcast with an input."""
    return FUNCTIONS["reshape"](p, [-1 if i == 1 else 1 for i in range(ndim)])


def _sum_but_channels(g):
    """In two steps: the dimensions beside the channels are no neighbours, and g would be copied to make them so."""
    if is_channels_last(g):
        return SUM(as_stored(g, g), (0, 2), False)
    return SUM(SUM(by_channel(g), (2,), False), (0,), False)


def _product_but_channels(g, input):
    return gradient_sums(g, input, np.zeros(input.shape[1]))[3].astype(g.dtype)


def sum_over_channels(g: Tensor) -> Tensor:
    return FUNCTIONS["sum"](g, but_channels(g.ndim))


gradient_name("sum_but_channels", _sum_but_channels, sum_over_channels)
gradient_name(
    "product_but_channels",
    _product_but_channels,
    lambda g, input: FUNCTIONS["sum"](g * input, but_channels(input.ndim)),
)


def check_batch(shape: tuple[int, ...], groups: int | None = None) -> None:
    """Refuse to normalise single values."""
    per_channel = shape[0] * prod(shape[2:]) if groups is None else shape[0] * shape[1] // groups * prod(shape[2:])
    if per_channel == 1:
        shown = list(shape) if groups is not None else f"torch.Size({list(shape)})"
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {shown}")


# ---------------------------------------------------------------------- batch_norm
@structured(
    title="NativeBatchNorm",
    tensors="input weight? bias?",
    outputs=("mean", "var"),
    returns=as_tuple,
    name="batch_norm_train",
)
def batch_norm_train(input, weight, bias, eps):
    if input.dtype not in FLOATS:
        no_kernel("batch_norm", input)
    channels = (input.shape[1],)
    return [(input.shape, input.dtype), (channels, input.dtype), (channels, input.dtype)]


@batch_norm_train.cpu
def batch_norm_cpu(input, weight, bias, eps):
    dtype = input.dtype
    if dtype not in FLOATS:
        no_kernel("batch_norm", input)
    x, (out, values) = as_stored(input, input), result_like(input)
    channels = x.shape[1]
    mean, var = np.empty(channels, dtype), np.empty(channels, dtype)
    factors = or_constant(weight, 1.0, channels, dtype), or_constant(bias, 0.0, channels, dtype)
    shared.batch_norm(x, *factors, eps, mean, var, values)
    return out, mean, var


@batch_norm_train.shared("found")
def batch_norm_found(g, input, weight, mean, var, eps, wanted):
    return batch_norm_gradients(g, input, weight, mean, var, eps, wanted)  # noqa: F821


@batch_norm_train.grad("input")
def batch_norm_grad_input(found):
    return found[0]


@batch_norm_train.grad("weight")
def batch_norm_grad_weight(found):
    return found[1]


@batch_norm_train.grad("bias")
def batch_norm_grad_bias(found):
    return found[2]


def _batch_norm_gradients(g, input, weight, mean, var, eps, wanted):
    """The gradients of input, weight and bias."""
    dx, slopes = result_like(input)
    x, g = as_stored(input, input), as_stored(g, input)
    channels, dtype = x.shape[1], input.dtype
    factors, dw, db = np.empty((3, channels), dtype), np.empty(channels, dtype), np.empty(channels, dtype)
    weight = or_constant(weight, 1.0, channels, dtype)
    if x.size < LARGE:
        room = np.empty((3, channels)), factors
        kernels().batch_norm_gradients(g, x, weight, mean, var, eps, *room, slopes, dw, db)
        return dx, dw, db
    total, product = shared.channel_sums(g, x, mean.astype(np.float64))
    kernels().parameter_slopes(total, product, var, eps, dw, db)
    if wanted[0]:
        kernels().gradient_factors(total, product, weight, mean, var, x.size // channels, eps, *factors)
        shared.channel_gradient(g, x, mean, *factors, slopes)
    return dx, dw, db


def _batch_norm_gradients_in_ops(g, input, weight, mean, var, eps, wanted):
    e = g if weight is None else g * per_channel(weight, input.ndim)
    dims = but_channels(input.ndim)
    dx = input_gradient_in_ops(e, input, dims, eps) if wanted[0] else None
    dw = FUNCTIONS["sum"](g * normalised(input, dims, eps)[0], dims) if wanted[1] else None
    return dx, dw, sum_over_channels(g) if wanted[2] else None


gradient_name("batch_norm_gradients", _batch_norm_gradients, _batch_norm_gradients_in_ops, has_kernel=True)


_CHECKED = "running_mean", "running_var", "weight", "bias"


def _check_channels(input: Tensor, *parameters: Any) -> None:
    """Refuse parameters, in the order of `_CHECKED`, that are no vectors of the channels."""
    channels = input.array.shape[1]
    for name, p in zip(_CHECKED, parameters):
        if p is None or p.array.shape == (channels,):
            continue
        if p.array.size != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {p.array.size}")
        if name.startswith("running"):
            raise RuntimeError(f"TensorAccessor expected 1 dims but tensor has {p.array.ndim}")


def _update_running(
    running_mean: Tensor, running_var: Tensor, mean: Tensor, var: Tensor, momentum: float, n: int
) -> None:
    """running + momentum * (value - running), in its memory; of the variance over n elements without bias."""
    factor = n / (n - 1) if n > 1 else nan
    running, moments = (running_mean.array, running_var.array), (mean.array, var.array)
    mode = state.mode if UNUSUAL else None
    if (mode is None or mode is NO_GRAD) and momentum.__class__ is float and _are_vectors(*running, moments[0]):
        kernels().update_running(*running, *moments, momentum, factor)
        running_mean.version[0] += 1
        running_var.version[0] += 1
        return
    with no_grad():
        for old, value in (running_mean, mean), (running_var, var * factor):
            FUNCTIONS["lerp_"](old, value.to(old.dtype), momentum)


def _are_vectors(*arrays: Any) -> bool:
    """Whether a loop takes the arrays, of the last one's dtype, as they are."""
    dtype = arrays[-1].dtype
    for a in arrays:  # a generator takes 400 ns more
        if a.__class__ is not np.ndarray or a.dtype is not dtype or a.ndim != 1 or not a.flags.carray:
            return False
    return True


def _batch_norm(
    input: Tensor,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """(result, mean, variance), with torch's checks; updates the running moments in training."""
    if not input.array.size:  # torch returns before it looks at anything
        out = op("clone")(input)
        out = out if weight is None else out * weight[0]
        return out if bias is None else out + bias[0], input.new_empty((0,)), input.new_empty((0,))
    if input.array.ndim < 2:
        wrap_dim(1, input.array.ndim, scalar=False)  # its error
    if not training:
        check(running_mean is not None, "running_mean must be defined in evaluation mode")
        check(running_var is not None, "running_var must be defined in evaluation mode")
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")
    if input.array.dtype in FLOATS:
        same_dtype(input, weight, bias, running_mean, running_var)
    _check_channels(input, running_mean, running_var, weight, bias)
    if not training:
        return _with_running(input, weight, bias, running_mean, running_var, eps), running_mean, running_var
    out, mean, var = op("batch_norm_train")(input, weight, bias, eps)
    if running_mean is not None:
        _update_running(running_mean, running_var, mean, var, momentum, input.array.size // input.array.shape[1])
    return out, mean, var


@structured(title="NativeBatchNorm", tensors="input scale offset?")
def channel_affine(input, scale, offset):
    return input.shape, input.dtype


@channel_affine.cpu
def channel_affine_cpu(input, scale, offset):
    """input * scale + offset, with one scale and one offset per channel."""
    x, (out, values) = as_stored(input, input), result_like(input)
    n, dtype = x.shape[1], input.dtype
    numbers = np.zeros(n, dtype), or_constant(scale, 1.0, n, dtype), or_constant(offset, 0.0, n, dtype)
    shared.channel_affine(x, *numbers, values)
    return out


@channel_affine.grad("input")
def channel_affine_grad_input(g, scale):
    return channel_affine(g, scale, None)


@channel_affine.grad("scale")
def channel_affine_grad_scale(g, input):
    return product_but_channels(g, input)  # noqa: F821


@channel_affine.grad("offset")
def channel_affine_grad_offset(g):
    return sum_but_channels(g)  # noqa: F821


def _with_running(input: Tensor, weight: Any, bias: Any, mean: Tensor, var: Tensor, eps: float) -> Tensor:
    if not input.is_floating_point():
        no_kernel("batch_norm", input.array)
    scale = FUNCTIONS["rsqrt"](var + eps)
    scale = scale if weight is None else scale * weight
    offset = -mean * scale if bias is None else bias - mean * scale
    if scale.dtype is input.dtype and offset.dtype is input.dtype:
        return op("channel_affine")(input, scale, offset)
    return (input * per_channel(scale, input.ndim) + per_channel(offset, input.ndim)).to(input.dtype)


def torch_batch_norm(
    input: Tensor,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Same as nn.functional.batch_norm, with its arguments in the order of the weights."""
    return _batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)[0]


@public("torch")
def native_batch_norm(
    input: Tensor,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: bool,
    momentum: float,
    eps: float,
    *,
    out: Any = None,
) -> Any:
    """(batch_norm, mean, 1 / standard deviation), the last two empty in evaluation mode."""
    made, mean, var = _batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)
    if training:
        var = FUNCTIONS["rsqrt"](var + eps)
    else:
        mean, var = mean.new_empty((0,)), var.new_empty((0,))
    return into(out, "native_batch_norm", (made, mean, var))


@public("torch")
def _native_batch_norm_legit(input: Tensor, weight: Any, bias: Any, *args: Any, **kwargs: Any) -> Any:
    """native_batch_norm, with (running_mean, running_var, training, momentum, eps) or without the running moments."""
    if len(args) + len(kwargs) == 3:
        args = (None, None, *args)
    return native_batch_norm(input, weight, bias, *args, **kwargs)


@public("nn.functional")
def batch_norm(
    input: Tensor,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    """Each channel (dimension 1) brought to mean 0 and variance 1; then times weight, plus bias.

    In training with the batch's moments, with which the running ones are updated; else with the running ones.
    """
    if momentum.__class__ is not float:
        momentum = real(momentum, "momentum", 7, "batch_norm")
    if training:
        check_batch(input.array.shape)
    if training and eps <= 0.0:
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    if eps < 0.0:
        raise ValueError(f"batch_norm eps must be non-negative, but got {eps}")
    return torch_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)


@public("nn.functional")
def instance_norm(
    input: Tensor,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    """batch_norm of each sample by itself."""
    momentum, eps = real(momentum, "momentum", 7, "instance_norm"), real(eps, "eps", 8, "instance_norm")
    if use_input_stats and prod(input.shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size torch.Size({list(input.shape)})"
        )
    return torch_instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps)


def torch_instance_norm(
    input: Tensor,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Same as nn.functional.instance_norm, with its arguments in the order of the weights."""
    check(
        use_input_stats or (running_mean is not None and running_var is not None),
        "Expected running_mean and running_var to be defined when use_input_stats is false",
    )
    shape = tuple(input.shape)
    n, c = shape[:2]
    parameters = [None if p is None else FUNCTIONS["repeat"](p, n) for p in (weight, bias)]
    running = [None if r is None else FUNCTIONS["repeat"](r.detach(), n) for r in (running_mean, running_var)]
    rows = FUNCTIONS["reshape"](FUNCTIONS["contiguous"](input), 1, n * c, *shape[2:])
    w, b = parameters
    out = _batch_norm(rows, w, b, running[0], running[1], use_input_stats, momentum, eps)[0]
    for kept, r in zip((running_mean, running_var), running, strict=True):
        if kept is not None and use_input_stats:
            with no_grad():
                kept.copy_(FUNCTIONS["mean"](FUNCTIONS["reshape"](r, n, c), 0))
    return FUNCTIONS["reshape"](out, shape)


for _name, _function in (("batch_norm", torch_batch_norm), ("instance_norm", torch_instance_norm)):
    PUBLIC[f"torch.{_name}"] = _function, ["torch"]
