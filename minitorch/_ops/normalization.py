"""layer_norm, rms_norm, batch_norm, group_norm, instance_norm, local_response_norm.

The gradients below are kernels on arrays; on Tensors, for a gradient's gradient, the same names stand for the formulas
in ops (`_in_ops`), which start from the input again: its moments are functions of it.
"""

from math import prod
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels import cache
from minitorch._tensor import Tensor
from minitorch._type_info import finfo
from minitorch.autograd.grad_mode import no_grad

from .check import C_NAMES, check, no_kernel, wrap_dim
from .op import ARRAY_NAMES, TENSOR_NAMES, structured
from .operands import FUNCTIONS
from .public import PUBLIC, op, public
from .reductions import FLOATS, SUM


def _kernels() -> Any:
    return cache.load_file("cpu.normalization")


def _or(a: Any, value: float, n: int, dtype: np.dtype) -> np.ndarray:
    """The weight or bias as a contiguous vector in the input's dtype; without one, a constant."""
    return np.full(n, value, dtype) if a is None else np.ascontiguousarray(a, dtype).reshape(-1)


def _three(*results: Any) -> tuple[Any, ...]:
    return results


def _gradient(name: str, on_arrays: Any, in_ops: Any) -> None:
    ARRAY_NAMES[name], TENSOR_NAMES[name] = on_arrays, in_ops


# ---------------------------------------------------------------------- layer_norm
@structured(
    title="NativeLayerNorm",
    tensors="input weight? bias?",
    outputs=("mean", "rstd"),
    returns=_three,
    name="layer_norm_rows",
)
def layer_norm_rows(input, weight, bias, dims, eps):
    if input.dtype not in FLOATS:
        no_kernel("LayerNormKernelImpl", input)
    stats = (*input.shape[: input.ndim - dims], *(1,) * dims)
    return [(input.shape, input.dtype), (stats, input.dtype), (stats, input.dtype)]


def _rows(a: np.ndarray, dims: int) -> np.ndarray:
    """The array as (rows, normalised elements)."""
    n = prod(a.shape[a.ndim - dims :])
    return np.ascontiguousarray(a).reshape(a.size // n if n else 0, n)


@layer_norm_rows.cpu
def layer_norm_cpu(input, weight, bias, dims, eps):
    (_, dtype), (stats, _), _ = layer_norm_rows.infer(input, weight, bias, dims, eps)
    out, mean, rstd = np.empty(input.shape, dtype), np.zeros(stats, dtype), np.zeros(stats, dtype)
    if out.size:
        x = _rows(input, dims)
        w, b = _or(weight, 1.0, x.shape[1], dtype), _or(bias, 0.0, x.shape[1], dtype)
        _kernels().layer_norm(x, w, b, eps, out.reshape(x.shape), mean.reshape(-1), rstd.reshape(-1))
    return out, mean, rstd


@layer_norm_rows.grad("input")
def layer_norm_grad_input(g, input, weight, mean, rstd, dims, eps):
    return layer_norm_input(g, input, weight, mean, rstd, dims, eps)  # noqa: F821


@layer_norm_rows.grad("weight")
def layer_norm_grad_weight(g, input, mean, rstd, dims, eps):
    return layer_norm_weight(g, input, mean, rstd, dims, eps)  # noqa: F821


@layer_norm_rows.grad("bias")
def layer_norm_grad_bias(g, input_shape, dims):
    return sum_to_size(g, input_shape[len(input_shape) - dims :])  # noqa: F821


def _layer_norm_input(g, input, weight, mean, rstd, dims, eps):
    dx = np.empty(input.shape, input.dtype)
    if dx.size:
        x, g = _rows(input, dims), _rows(g, dims)
        w = _or(weight, 1.0, x.shape[1], input.dtype)
        _kernels().layer_norm_input(g, x, w, mean.reshape(-1), rstd.reshape(-1), dx.reshape(x.shape))
    return dx


def _layer_norm_weight(g, input, mean, rstd, dims, eps):
    x = _rows(input, dims)
    dw = np.zeros(x.shape[1], np.float64)
    if x.size:
        _kernels().layer_norm_weight(_rows(g, dims), x, mean.reshape(-1), rstd.reshape(-1), dw)
    return dw.astype(input.dtype).reshape(input.shape[input.ndim - dims :])


def _normalised(x: Tensor, dims: tuple[int, ...], eps: float) -> tuple[Tensor, Tensor]:
    """(x - mean) * rstd and rstd, the moments taken over dims."""
    centred = x - FUNCTIONS["mean"](x, dims, True)
    rstd = FUNCTIONS["rsqrt"](FUNCTIONS["mean"](centred * centred, dims, True) + eps)
    return centred * rstd, rstd


def _input_gradient_in_ops(e: Tensor, x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    """rstd * (e - mean(e) - xhat * mean(e * xhat)) for the gradient e of xhat."""
    xhat, rstd = _normalised(x, dims, eps)
    mean = FUNCTIONS["mean"]
    return rstd * (e - mean(e, dims, True) - xhat * mean(e * xhat, dims, True))


def _last(dims: int) -> tuple[int, ...]:
    return tuple(range(-dims, 0))


def _layer_norm_input_in_ops(g, input, weight, mean, rstd, dims, eps):
    return _input_gradient_in_ops(g if weight is None else g * weight, input, _last(dims), eps)


def _layer_norm_weight_in_ops(g, input, mean, rstd, dims, eps):
    shape = tuple(input.shape)[input.ndim - dims :]
    return op("sum_to_size")(g * _normalised(input, _last(dims), eps)[0], shape)


_gradient("layer_norm_input", _layer_norm_input, _layer_norm_input_in_ops)
_gradient("layer_norm_weight", _layer_norm_weight, _layer_norm_weight_in_ops)


def _normalized_shape(input: Tensor, shape: Any, **parameters: Any) -> tuple[int, ...]:
    """The shape that is normalised, which the input ends with and the parameters have."""
    shape = tuple(shape)
    check(
        len(shape),
        "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
        "normalized_shape = []",
    )
    for name, p in parameters.items():
        check(
            p is None or tuple(p.shape) == shape,
            f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
            f"{list(p.shape) if p is not None else ''} and normalized_shape = {list(shape)}",
        )
    have = tuple(input.shape)
    check(
        have[len(have) - len(shape) :] == shape and len(have) >= len(shape),
        f"Given normalized_shape={list(shape)}, expected input with shape "
        f"[*, {', '.join(map(str, shape))}], but got input of size{list(have)}",
    )
    return shape


def _same_dtype(input: Tensor, *parameters: Tensor | None) -> None:
    for p in parameters:
        if p is not None and p.dtype is not input.dtype and input.array.dtype not in dtypes.HALVES:
            raise RuntimeError(
                f"mixed dtype (CPU): expect parameter to have scalar type of {C_NAMES[input.array.dtype.name]}"
            )


@public("torch")
def native_layer_norm(input: Tensor, normalized_shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    """(layer_norm, mean, 1 / standard deviation)."""
    shape = _normalized_shape(input, normalized_shape, weight=weight, bias=bias)
    _same_dtype(input, weight, bias)
    return op("layer_norm_rows")(input, weight, bias, len(shape), eps)


@public("nn.functional")
def layer_norm(
    input: Tensor, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-05
) -> Tensor:
    """The last dimensions, normalized_shape, brought to mean 0 and variance 1; then times weight, plus bias.

    >>> import minitorch as torch
    >>> torch.nn.functional.layer_norm(torch.tensor([[1.0, 3.0]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    return native_layer_norm(input, normalized_shape, weight, bias, eps)[0]


@public("nn.functional")
def rms_norm(input: Tensor, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Tensor:
    """The last dimensions divided by the root of their mean square; then times weight."""
    shape = _normalized_shape(input, normalized_shape, weight=weight)
    if not input.is_floating_point():
        no_kernel("rms_norm", input.array)
    if eps is None:
        eps = finfo(input.dtype).eps
    x = input.float() if input.array.dtype in dtypes.HALVES else input
    scale = FUNCTIONS["rsqrt"](FUNCTIONS["mean"](x * x, _last(len(shape)), True) + eps)
    out = (x * scale).to(input.dtype)
    return out if weight is None else out * weight


# ---------------------------------------------------------------------- batch_norm
@structured(
    title="NativeBatchNorm",
    tensors="input weight? bias?",
    outputs=("mean", "var"),
    returns=_three,
    name="batch_norm_train",
)
def batch_norm_train(input, weight, bias, eps):
    if input.dtype not in FLOATS:
        no_kernel("batch_norm", input)
    channels = (input.shape[1],)
    return [(input.shape, input.dtype), (channels, input.dtype), (channels, input.dtype)]


def _channels(a: np.ndarray) -> np.ndarray:
    """The array as (N, C, everything else)."""
    return np.ascontiguousarray(a).reshape(a.shape[0], a.shape[1], prod(a.shape[2:]))


@batch_norm_train.cpu
def batch_norm_cpu(input, weight, bias, eps):
    (_, dtype), (channels, _), _ = batch_norm_train.infer(input, weight, bias, eps)
    out = np.empty(input.shape, dtype)
    x = _channels(input)
    total, product = np.zeros(channels), np.zeros(channels)
    origin = x[0, :, 0].astype(np.float64)
    with np.errstate(all="ignore"):
        _kernels().channel_sums(x, x, origin, total, product)
        n = x.size // x.shape[1]
        mean = total / n
        var = np.maximum(product / n - mean * (mean - origin), 0.0)
        scale = _or(weight, 1.0, x.shape[1], dtype) / np.sqrt(var + eps)
    offset = _or(bias, 0.0, x.shape[1], dtype)
    mean = mean.astype(dtype)
    _kernels().channel_affine(x, mean, scale.astype(dtype), offset, out.reshape(x.shape))
    return out, mean, var.astype(dtype)


@batch_norm_train.grad("input")
def batch_norm_grad_input(g, input, weight, mean, var, eps):
    return batch_norm_input(g, input, weight, mean, var, eps)  # noqa: F821


@batch_norm_train.grad("weight")
def batch_norm_grad_weight(g, input, mean, var, eps):
    return batch_norm_weight(g, input, mean, var, eps)  # noqa: F821


@batch_norm_train.grad("bias")
def batch_norm_grad_bias(g):
    return sum_but_channels(g)  # noqa: F821


def _gradient_sums(g, input, mean):
    x, g = _channels(input), _channels(g)
    total, product = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    _kernels().channel_sums(g, x, mean.astype(np.float64), total, product)
    return x, g, total, product


def _batch_norm_input(g, input, weight, mean, var, eps):
    dx = np.empty(input.shape, input.dtype)
    x, g, total, product = _gradient_sums(g, input, mean)
    n, dtype = x.size // x.shape[1], input.dtype
    square = 1.0 / (var.astype(np.float64) + eps)
    scale = _or(weight, 1.0, x.shape[1], dtype) * np.sqrt(square)
    slope, offset = -scale * square * product / n, -scale * total / n
    numbers = [a.astype(dtype) for a in (mean, scale, slope, offset)]
    _kernels().channel_gradient(g, x, *numbers, dx.reshape(x.shape))
    return dx


def _batch_norm_weight(g, input, mean, var, eps):
    _, _, _, product = _gradient_sums(g, input, mean)
    return (product / np.sqrt(var.astype(np.float64) + eps)).astype(input.dtype)


def _but_channels(ndim: int) -> tuple[int, ...]:
    return tuple([i for i in range(ndim) if i != 1])


def _per_channel(p: Tensor, ndim: int) -> Tensor:
    """A vector of one number per channel, to be broadcast with an input."""
    return FUNCTIONS["reshape"](p, *[-1 if i == 1 else 1 for i in range(ndim)])


def _batch_norm_input_in_ops(g, input, weight, mean, var, eps):
    e = g if weight is None else g * _per_channel(weight, input.ndim)
    return _input_gradient_in_ops(e, input, _but_channels(input.ndim), eps)


def _batch_norm_weight_in_ops(g, input, mean, var, eps):
    dims = _but_channels(input.ndim)
    return FUNCTIONS["sum"](g * _normalised(input, dims, eps)[0], dims)


_gradient("batch_norm_input", _batch_norm_input, _batch_norm_input_in_ops)
_gradient("batch_norm_weight", _batch_norm_weight, _batch_norm_weight_in_ops)
_gradient(
    "sum_but_channels",
    lambda g: SUM(g, _but_channels(g.ndim), False),
    lambda g: FUNCTIONS["sum"](g, _but_channels(g.ndim)),
)


def _check_channels(input: Tensor, **parameters: Any) -> None:
    for name, p in parameters.items():
        check(
            p is None or p.array.size == input.shape[1],
            f"{name} should contain {input.shape[1]} elements not {p.array.size if p is not None else 0}",
        )


def _update(running: Tensor | None, value: Tensor, momentum: float) -> None:
    """running = (1 - momentum) * running + momentum * value, in its memory."""
    if running is not None:
        running.mul_(1.0 - momentum).add_(value.to(running.dtype), alpha=momentum)


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
    wrap_dim(1, input.ndim, scalar=False)
    if not training:
        check(running_mean is not None, "running_mean must be defined in evaluation mode")
        check(running_var is not None, "running_var must be defined in evaluation mode")
    _check_channels(input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if not training:
        return _with_running(input, weight, bias, running_mean, running_var, eps), running_mean, running_var
    out, mean, var = op("batch_norm_train")(input, weight, bias, eps)
    if running_mean is not None or running_var is not None:
        n = input.array.size // input.shape[1]
        with no_grad():
            _update(running_mean, mean, momentum)
            if running_var is not None:
                _update(running_var, var * (n / (n - 1)) if n > 1 else var * float("nan"), momentum)
    return out, mean, var


def _with_running(input: Tensor, weight: Any, bias: Any, mean: Tensor, var: Tensor, eps: float) -> Tensor:
    if not input.is_floating_point():
        no_kernel("batch_norm", input.array)
    scale = FUNCTIONS["rsqrt"](var + eps)
    scale = scale if weight is None else scale * weight
    offset = -mean * scale if bias is None else bias - mean * scale
    return (input * _per_channel(scale, input.ndim) + _per_channel(offset, input.ndim)).to(input.dtype)


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
) -> Any:
    """(batch_norm, mean, 1 / standard deviation), the last two empty in evaluation mode."""
    out, mean, var = _batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)
    if not training:
        return out, mean.new_empty((0,)), var.new_empty((0,))
    return out, mean, FUNCTIONS["rsqrt"](var + eps)


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
    if training:
        _check_batch(tuple(input.shape))
    if training and eps <= 0.0:
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    if eps < 0.0:
        raise ValueError(f"batch_norm eps must be non-negative, but got {eps}")
    return torch_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)


def _check_batch(shape: tuple[int, ...], groups: int | None = None) -> None:
    """Refuse to normalise single values."""
    per_channel = shape[0] * prod(shape[2:]) if groups is None else shape[0] * shape[1] // groups * prod(shape[2:])
    if per_channel == 1:
        shown = list(shape) if groups is not None else f"torch.Size({list(shape)})"
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {shown}")


# ---------------------------------------------------------------------- group_norm, instance_norm
@public("nn.functional")
def group_norm(input: Tensor, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-05) -> Tensor:
    """Each group of channels of each sample brought to mean 0 and variance 1; then times weight, plus bias."""
    check(input.ndim >= 2, f"Expected at least 2 dimensions for input tensor but received {input.ndim}")
    shape = tuple(input.shape)
    _check_batch((shape[0] * shape[1] // num_groups, num_groups, *shape[2:]), num_groups)
    return torch_group_norm(input, num_groups, weight, bias, eps)


def torch_group_norm(
    input: Tensor, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-05, cudnn_enabled: bool = True
) -> Tensor:
    """Same as nn.functional.group_norm."""
    return _group_norm(input, num_groups, weight, bias, eps)[0]


def _group_norm(input: Tensor, groups: int, weight: Any, bias: Any, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    shape = tuple(input.shape)
    check(groups > 0, f"Expected num groups to be greater than 0, got {groups}")
    check(
        shape[1] % groups == 0,
        f"Expected number of channels in input to be divisible by num_groups, but got input of shape {list(shape)} "
        f"and num_groups={groups}",
    )
    for name, p in (("weight", weight), ("bias", bias)):
        check(
            p is None or tuple(p.shape) == (shape[1],),
            f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of shape "
            f"{list(p.shape) if p is not None else ''} and input of shape {list(shape)}",
        )
    if not input.is_floating_point():
        no_kernel("GroupNormKernelImpl", input.array)
    _same_dtype(input, weight, bias)
    rows = FUNCTIONS["reshape"](input, shape[0], groups, prod(shape[1:]) // groups)
    out, mean, rstd = op("layer_norm_rows")(rows, None, None, 1, eps)
    out = FUNCTIONS["reshape"](out, *shape)
    if weight is not None:
        out = out * _per_channel(weight, input.ndim)
    if bias is not None:
        out = out + _per_channel(bias, input.ndim)
    return (
        out.to(input.dtype),
        FUNCTIONS["reshape"](mean, shape[0], groups),
        FUNCTIONS["reshape"](rstd, shape[0], groups),
    )


@public("torch")
def native_group_norm(input: Tensor, weight: Any, bias: Any, N: int, C: int, HxW: int, group: int, eps: float) -> Any:
    """(group_norm, mean, 1 / standard deviation) of an input of N samples of C channels of HxW elements."""
    flat = FUNCTIONS["reshape"](input, N, C, HxW)
    out, mean, rstd = _group_norm(flat, group, weight, bias, eps)
    return FUNCTIONS["reshape"](out, *input.shape), mean, rstd


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
    rows = FUNCTIONS["reshape"](input, 1, n * c, *shape[2:])
    out = _batch_norm(rows, *parameters, *running, use_input_stats, momentum, eps)[0]
    for kept, r in zip((running_mean, running_var), running, strict=True):
        if kept is not None and use_input_stats:
            with no_grad():
                kept.copy_(FUNCTIONS["mean"](FUNCTIONS["reshape"](r, n, c), 0))
    return FUNCTIONS["reshape"](out, *shape)


@public("nn.functional")
def local_response_norm(input: Tensor, size: int, alpha: float = 0.0001, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """input / (k + alpha * the mean square of `size` neighbouring channels) ** beta."""
    if input.ndim < 3:
        raise ValueError(f"Expected 3D or higher dimensionality {' ' * 24}input (got {input.ndim} dimensions)")
    if not input.array.size:
        return input
    check(size > 0, f"kernel size should be greater than zero, but got kH: {size} kW: 1")
    squares, channels = input * input, input.shape[1]
    edges = [input.new_zeros((input.shape[0], n, *input.shape[2:])) for n in (size // 2, (size - 1) // 2)]
    padded = FUNCTIONS["cat"]([edges[0], squares, edges[1]], 1)
    total = op("slice_dim")(padded, 1, 0, channels, 1)
    for i in range(1, size):
        total = total + op("slice_dim")(padded, 1, i, i + channels, 1)
    return input / (total * (alpha / size) + k) ** beta


def torch_layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-05,
    cudnn_enable: bool = True,
) -> Tensor:
    """Same as nn.functional.layer_norm."""
    return layer_norm(input, normalized_shape, weight, bias, eps)


for _name, _function in (
    ("batch_norm", torch_batch_norm),
    ("group_norm", torch_group_norm),
    ("instance_norm", torch_instance_norm),
    ("layer_norm", torch_layer_norm),
    ("rms_norm", rms_norm),
):
    PUBLIC[f"torch.{_name}"] = _function, ["torch"]
