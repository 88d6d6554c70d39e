"""Structured ops of nn.functional: softmax, losses, convolution, pooling, each with its gradient as an op of its own."""

import math
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels import cache
from minitorch._tensor import Tensor


from . import loss_reduction as _reduction
from .check import C_NAMES, c_name, check, float_required, not_implemented_for, pair, wrap_dim
from .composite import PUBLIC, broadcast_tensors, op, public, reshape
from .linalg import small
from .op import ARRAY_NAMES, TENSOR_NAMES, structured
from .operands import FUNCTIONS
from .reductions import AMAX, SUM

empty = np.empty


# ---------------------------------------------------------------------- softmax
@structured(name="softmax_dim", title="Softmax", tensors="input")
def softmax_dim(input, dim):
    wrap_dim(dim, input.ndim)
    float_required("softmax_lastdim_kernel_impl", input)
    return input.shape, input.dtype


def _shifted(input: np.ndarray, dim: int) -> np.ndarray:
    """input less its maximum along dim, so that exp does not overflow."""
    return input - AMAX(input, (wrap_dim(dim, input.ndim),), True)


@softmax_dim.cpu
def softmax_cpu(input, dim):
    softmax_dim.infer(input, dim)
    if not input.size or not input.ndim:
        return np.ones_like(input)
    with np.errstate(all="ignore"):
        e = np.exp(_shifted(input, dim))
        e /= SUM(e, (wrap_dim(dim, input.ndim),), True)
    return e


@softmax_dim.grad("input")
def softmax_grad(g, out, dim):
    return (g - sum(mul(g, out), dim, True)) * out  # noqa: F821


@structured(name="log_softmax_dim", title="LogSoftmax", tensors="input")
def log_softmax_dim(input, dim):
    wrap_dim(dim, input.ndim)
    float_required("log_softmax_lastdim_kernel_impl", input)
    return input.shape, input.dtype


@log_softmax_dim.cpu
def log_softmax_cpu(input, dim):
    log_softmax_dim.infer(input, dim)
    if not input.size or not input.ndim:
        return np.zeros_like(input)
    with np.errstate(all="ignore"):
        x = _shifted(input, dim)
        x -= np.log(SUM(np.exp(x), (wrap_dim(dim, input.ndim),), True))
    return x


@log_softmax_dim.grad("input")
def log_softmax_grad(g, out, dim):
    return g - exp(out) * sum(g, dim, True)  # noqa: F821


def _in_dtype(input: Tensor, dtype: Any) -> Tensor:
    return input if dtype is None else input.to(dtype)


def _softmax_default_dim(name: str, ndim: int) -> int:
    import warnings

    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=4,
    )
    return 0 if ndim in (0, 1, 3) else 1


def _softmax_functions(name: str) -> None:
    def on_torch(input: Tensor, dim: int, dtype: Any = None, *, out: Any = None) -> Tensor:
        result = op(f"{name}_dim")(_in_dtype(input, dtype), dim)
        if out is None:
            return result
        from .inplace import into
        from .op import OPS

        return into(out, OPS[f"{name}_dim"], result)

    def functional(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
        if dim is None:
            dim = _softmax_default_dim(name, input.ndim)
        return op(f"{name}_dim")(_in_dtype(input, dtype), dim)

    for function in (on_torch, functional):
        function.__name__ = function.__qualname__ = name
        function.__doc__ = f"Same as torch.nn.functional.{name}."
    PUBLIC[name] = on_torch, ["torch", "Tensor"]
    PUBLIC[f"functional.{name}"] = functional, ["nn.functional"]


_softmax_functions("softmax")
_softmax_functions("log_softmax")


# ---------------------------------------------------------------------- squared and absolute error
def _scale(n: int, reduction: int) -> float:
    return (1.0 / n if n else math.nan) if reduction == 1 else 1.0


@structured(name="mse_reduced", title="MseLoss", tensors="input target")
def mse_reduced(input, target, reduction):
    float_required("mse", input)
    return (), input.dtype


@mse_reduced.cpu
def mse_cpu(input, target, reduction):
    o = empty((), input.dtype)
    if input.dtype not in dtypes.FLOATS:
        not_implemented_for("mse", input)
    small.squared_error(input, target, _scale(input.size, reduction), o)
    return o


@mse_reduced.grad("input")
def mse_grad_input(g, input, target, reduction):
    return mse_backward(g, input, target, reduction)  # noqa: F821


@mse_reduced.grad("target")
def mse_grad_target(g, input, target, reduction):
    return mse_backward(g, target, input, reduction)  # noqa: F821


@structured(tensors="grad_output input target")
def mse_backward(grad_output, input, target, reduction):
    return input.shape, input.dtype


@mse_backward.cpu
def mse_backward_cpu(grad_output, input, target, reduction):
    d = empty(input.shape, input.dtype)
    small.squared_error_gradient(grad_output, input, target, _scale(input.size, reduction), d)
    return d


@mse_backward.grad("grad_output")
def mse_backward_grad_grad_output(g, input, target, reduction):
    return sum(g * (input - target)) * mse_factor(input, reduction)  # noqa: F821


@mse_backward.grad("input")
def mse_backward_grad_input(g, grad_output, input, reduction):
    return g * (grad_output * mse_factor(input, reduction))  # noqa: F821


@mse_backward.grad("target")
def mse_backward_grad_target(g, grad_output, input, reduction):
    return -g * (grad_output * mse_factor(input, reduction))  # noqa: F821


def mse_factor(input: Any, reduction: int) -> float:
    """2 / n for a mean, 2 for a sum: the derivative's factor."""
    return 2.0 * _scale(math.prod(input.shape), reduction)


for _names in (ARRAY_NAMES, TENSOR_NAMES):
    _names["mse_factor"] = mse_factor


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    code = _reduction.get_enum(reduction)
    return loss if code == 0 else op("mean")(loss) if code == 1 else op("sum")(loss)


def _reduction_name(size_average: Any, reduce: Any, reduction: str) -> str:
    if size_average is None and reduce is None:
        return reduction
    return _reduction.legacy_get_string(size_average, reduce)


def _same_shape(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one shape, with torch's warning where that is a broadcast."""
    if input.array.shape == target.array.shape:
        return input, target
    import warnings

    warnings.warn(
        f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely lead to "
        "incorrect results due to broadcasting. Please ensure they have the same size.",
        stacklevel=3,
    )
    return broadcast_tensors(input, target)


@public("nn.functional")
def mse_loss(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
             weight: Tensor | None = None) -> Tensor:  # fmt: skip
    """The mean of (input - target)^2, or its sum, or each of them ("none")."""
    if size_average is not None or reduce is not None:
        reduction = _reduction_name(size_average, reduce, reduction)
    input, target = _same_shape(input, target)
    code = _reduction.get_enum(reduction)
    if weight is not None:
        if weight.shape != input.shape:
            raise ValueError("Weights and input must have the same size.")
        error = op("pow_2")(input - target) * weight
        return error if code == 0 else error.sum() if code == 2 else error.sum() / weight.sum()
    if code == 0:
        return op("pow_2")(input - target)
    if input.array.dtype is not target.array.dtype:
        from .op import OPS
        from .operands import promote

        input, target = promote(OPS["sub"], input, target)
    return op("mse_reduced")(input, target, code)


@public("nn.functional")
def l1_loss(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
            weight: Tensor | None = None) -> Tensor:  # fmt: skip
    """The mean of |input - target|, or its sum, or each of them ("none")."""
    reduction = _reduction_name(size_average, reduce, reduction)
    input, target = _same_shape(input, target)
    error = op("abs")(input - target)
    if weight is None:
        return _reduced(error, reduction)
    if weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")
    code, error = _reduction.get_enum(reduction), error * weight
    return error if code == 0 else error.sum() if code == 2 else error.sum() / weight.sum()


# ---------------------------------------------------------------------- cross-entropy over class indices
@structured(name="cross_entropy_rows", title="NllLoss", tensors="input target weight?")
def cross_entropy_rows(input, target, weight, reduction, ignore_index):
    float_required("nll_loss_out_frame", input)
    return (input.shape[0],) if reduction == 0 else (), input.dtype


def _weights(input: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    return np.ones(input.shape[1], input.dtype) if weight is None else weight


@cross_entropy_rows.cpu
def cross_entropy_cpu(input, target, weight, reduction, ignore_index):
    float_required("nll_loss_out_frame", input)
    rows = empty(input.shape[0], input.dtype)
    used = small.cross_entropy(input, target, _weights(input, weight), ignore_index, rows)
    if used < 0:
        raise IndexError(f"Target {target[int(-1 - used)]} is out of bounds.")
    if reduction == 0:
        return rows
    total = SUM(rows, None, False)
    if reduction == 1:
        with np.errstate(all="ignore"):
            total /= total.dtype.type(used)
    return total


@cross_entropy_rows.grad("input")
def cross_entropy_grad(g, input, target, weight, reduction, ignore_index):
    return cross_entropy_backward(g, input, target, weight, reduction, ignore_index)  # noqa: F821


@structured(tensors="grad_output input target weight?")
def cross_entropy_backward(grad_output, input, target, weight, reduction, ignore_index):
    return input.shape, input.dtype


@cross_entropy_backward.cpu
def cross_entropy_backward_cpu(grad_output, input, target, weight, reduction, ignore_index):
    d = empty(input.shape, input.dtype)
    rows = row_factors(grad_output, input, target, weight, reduction, ignore_index)
    small.cross_entropy_gradient(rows, input, target, _weights(input, weight), ignore_index, d)
    return d


def row_factors(g: np.ndarray, input: np.ndarray, target: np.ndarray, weight: Any, reduction: int, ignore: int) -> np.ndarray:
    """What each row's loss counts for: g itself, or spread over the rows, or over the weights used."""
    if reduction == 0:
        return np.ascontiguousarray(g)
    factor = g[()]
    if reduction == 1:
        kept = target != ignore
        used = np.count_nonzero(kept) if weight is None else weight[target[kept]].sum()
        with np.errstate(all="ignore"):
            factor = factor / g.dtype.type(used)
    rows = empty(input.shape[0], g.dtype)
    rows.fill(factor)
    return rows


@structured(tensors="input target weight?")
def loss_weights(input, target, weight, reduction, ignore_index):
    """(N, 1): what each row's cross-entropy counts for in the result; has no gradient."""
    return (input.shape[0], 1), input.dtype


@loss_weights.cpu
def loss_weights_cpu(input, target, weight, reduction, ignore_index):
    one = np.ones(input.shape[0] if reduction == 0 else (), input.dtype)
    rows = row_factors(one, input, target, weight, reduction, ignore_index)
    kept = target != ignore_index
    rows = rows * np.where(kept, _weights(input, weight)[np.where(kept, target, 0)], 0)
    return rows[:, None].astype(input.dtype)


def _per_row(g: Tensor, reduction: int) -> Tensor:
    return op("unsqueeze")(g, 1) if reduction == 0 else g


@cross_entropy_backward.grad("grad_output")
def cross_entropy_backward_grad_output(g, input, target, weight, reduction, ignore_index):
    each = sum(g * cross_entropy_jacobian(input, target, weight, reduction, ignore_index), 1)  # noqa: F821
    return each if reduction == 0 else sum(each)  # noqa: F821


@cross_entropy_backward.grad("input")
def cross_entropy_backward_grad_input(g, grad_output, input, target, weight, reduction, ignore_index):
    p = softmax_dim(input, 1)
    rows = loss_weights(input, target, weight, reduction, ignore_index) * per_row(grad_output, reduction)  # noqa: F821
    return p * (g - sum(g * p, 1, True)) * rows  # noqa: F821


def _jacobian_array(input: Any, target: Any, weight: Any, reduction: int, ignore: int) -> Any:
    one = np.ones(input.shape[0] if reduction == 0 else (), input.dtype)
    return cross_entropy_backward_cpu(one, input, target, weight, reduction, ignore)


def _jacobian_tensor(input: Tensor, target: Tensor, weight: Any, reduction: int, ignore: int) -> Tensor:
    from minitorch._creation import ones

    one = ones(*([input.shape[0]] if reduction == 0 else []), dtype=input.dtype, device=input.device)
    return op("cross_entropy_backward")(one, input, target, weight, reduction, ignore)


ARRAY_NAMES.update(cross_entropy_jacobian=_jacobian_array, per_row=lambda g, r: g[:, None] if r == 0 else g)
TENSOR_NAMES.update(cross_entropy_jacobian=_jacobian_tensor, per_row=_per_row)


@public("nn.functional")
def cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None,
                  ignore_index: int = -100, reduce: Any = None, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Tensor:  # fmt: skip
    """The negative log-likelihood of softmax(input); target holds class indices, or probabilities of input's shape.

    >>> import minitorch as torch
    >>> torch.nn.functional.cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.3863)
    """
    if size_average is not None or reduce is not None:
        reduction = _reduction_name(size_average, reduce, reduction)
    code = _reduction.get_enum(reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    x, t = input.array, target.array
    if x.ndim == 2 and t.ndim == 1 and x.shape[0] == t.shape[0] and not label_smoothing and t.dtype is dtypes.INT64_NUMPY:
        _check_weight(x, weight)
        return FUNCTIONS["cross_entropy_rows"](input, target, weight, code, ignore_index)
    check(
        0 < x.ndim,
        "Expected input to have at least 1 dimension, got 0 dimensions" if not x.ndim else "",
    )
    class_dim = 0 if x.ndim == 1 else 1
    if x.shape == t.shape and t.dtype in dtypes.FLOATS:
        return _soft_cross_entropy(input, target, weight, code, label_smoothing, class_dim)
    logs = op("log_softmax_dim")(input, class_dim)
    hard = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    if not label_smoothing:
        return hard
    return _smoothed(logs, target, weight, code, ignore_index, label_smoothing, class_dim, hard)


def _check_weight(x: np.ndarray, weight: Tensor | None) -> None:
    if weight is not None:
        check(
            weight.ndim == 1 and weight.array.size == x.shape[1],
            f"weight tensor should be defined either for all {x.shape[1]} classes or no classes but got weight tensor of shape: "
            f"{list(weight.shape)}",
        )
        check(weight.array.dtype == x.dtype, f"expected scalar type {c_name(x)} but found {C_NAMES[weight.dtype.name]}")


def _class_weights(logs: Tensor, weight: Tensor, class_dim: int) -> Tensor:
    shape = [1] * logs.ndim
    shape[class_dim] = -1
    return reshape(weight, *shape)


def _soft_cross_entropy(input: Tensor, target: Tensor, weight: Any, code: int, smoothing: float, class_dim: int) -> Tensor:
    if smoothing:
        target = target * (1 - smoothing) + smoothing / input.shape[class_dim]
    logs = op("log_softmax_dim")(input, class_dim)
    losses = logs * target
    if weight is not None:
        losses = losses * _class_weights(logs, weight, class_dim)
    losses = op("neg")(op("sum")(losses, class_dim))
    if code == 0:
        return losses
    total = op("sum")(losses)
    return total if code == 2 else total / (input.array.size / input.shape[class_dim])


def _smoothed(logs: Tensor, target: Tensor, weight: Any, code: int, ignore: int, smoothing: float, class_dim: int,
              hard: Tensor) -> Tensor:  # fmt: skip
    """label_smoothing mixes the loss with that of equal probabilities."""
    kept = op("ne")(target, ignore)
    even = logs if weight is None else logs * _class_weights(logs, weight, class_dim)
    even = op("neg")(op("sum")(even, class_dim)) * kept
    if code:
        even = op("sum")(even)
    if code == 1:
        counted = op("sum")(kept) if weight is None else op("sum")(_picked_weights(target, kept, weight))
        even = even / counted
    classes = logs.shape[class_dim]
    return hard * (1 - smoothing) + even * (smoothing / classes)


def _picked_weights(target: Tensor, kept: Tensor, weight: Tensor) -> Tensor:
    return weight.detach()[target * kept] * kept


@public("nn.functional")
def nll_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None, ignore_index: int = -100,
             reduce: Any = None, reduction: str = "mean") -> Tensor:  # fmt: skip
    """The negative of input (log-probabilities) at the target classes."""
    reduction = _reduction_name(size_average, reduce, reduction)
    code = _reduction.get_enum(reduction)
    x, t = input.array, target.array
    class_dim = 0 if x.ndim == 1 else 1
    if x.ndim > 1 and x.shape[0] != t.shape[0]:
        raise ValueError(f"Expected input batch_size ({x.shape[0]}) to match target batch_size ({t.shape[0]}).")
    check(x.shape[:class_dim] + x.shape[class_dim + 1 :] == t.shape,
          f"Expected target size {[*x.shape[:class_dim], *x.shape[class_dim + 1:]]}, got {list(t.shape)}")  # fmt: skip
    if t.dtype not in (np.int64, np.uint8):
        raise RuntimeError(f"expected scalar type Long but found {c_name(t)}")
    classes = x.shape[class_dim]
    kept_array = t != ignore_index
    outside = kept_array & ((t < 0) | (t >= classes))
    if outside.any():
        raise IndexError(f"Target {t[outside].flat[0]} is out of bounds.")
    kept = op("ne")(target, ignore_index)
    safe = target * kept
    picked = op("squeeze_dims")(input.gather(class_dim, op("unsqueeze")(safe, class_dim)), (class_dim,))
    weights = kept.to(input.dtype) if weight is None else _picked_weights(target, kept, weight)
    losses = op("neg")(FUNCTIONS["where"](kept, picked * weights, 0.0))
    if code == 0:
        return losses
    total = op("sum")(losses)
    return total if code == 2 else total / op("sum")(weights)


# ---------------------------------------------------------------------- convolution
def _conv_out(n: int, pad: int, dilation: int, k: int, stride: int) -> int:
    return (n + 2 * pad - dilation * (k - 1) - 1) // stride + 1


@structured(name="convolution_2d", title="Convolution", tensors="input weight bias?")
def convolution_2d(input, weight, bias, stride, padding, dilation, groups):
    n, c, h, w = input.shape
    k, c_group, r, s = weight.shape
    check(min(stride) > 0, "non-positive stride is not supported")
    check(min(padding) >= 0, "negative padding is not supported")
    check(min(dilation) > 0, "dilation should be greater than zero")
    check(groups > 0, "non-positive groups is not supported")
    check(
        k >= groups and k % groups == 0,
        f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of size "
        f"{list(weight.shape)} instead" if k < groups else
        f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of size "
        f"[{', '.join(map(str, weight.shape))}] instead",
    )  # fmt: skip
    check(
        c == c_group * groups,
        f"Given groups={groups}, weight of size {list(weight.shape)}, expected input{list(input.shape)} to have "
        f"{c_group * groups} channels, but got {c} channels instead",
    )
    check(
        bias is None or bias.shape == (k,),
        f"Given weight of size {list(weight.shape)}, expected bias to be 1-dimensional with {k} elements, but got bias of size "
        f"{None if bias is None else list(bias.shape)} instead",
    )
    padded = [h + 2 * padding[0], w + 2 * padding[1]]
    kernel = [dilation[0] * (r - 1) + 1, dilation[1] * (s - 1) + 1]
    check(
        padded[0] >= kernel[0] and padded[1] >= kernel[1],
        f"Calculated padded input size per channel: ({padded[0]} x {padded[1]}). Kernel size: ({kernel[0]} x {kernel[1]}). "
        "Kernel size can't be greater than actual input size",
    )
    if input.dtype != weight.dtype or (bias is not None and bias.dtype != input.dtype):
        other = weight if input.dtype != weight.dtype else bias
        raise RuntimeError(
            f"Input type ({_cpp_type(input)}) and {'weight' if other is weight else 'bias'} type ({_cpp_type(other)}) should be "
            "the same"
        )
    size = [_conv_out(m, p, d, f, st) for m, p, d, f, st in zip((h, w), padding, dilation, (r, s), stride, strict=True)]
    return (n, k, *size), input.dtype


def _cpp_type(a: Any) -> str:
    names = {"Float": "float", "Double": "double", "Long": "long long"}
    return names.get(c_name(a), c_name(a).lower())


def _conv_kernels() -> Any:
    return cache.load_file("cpu.conv")


@convolution_2d.cpu
def convolution_cpu(input, weight, bias, stride, padding, dilation, groups):
    out = empty(*convolution_2d.infer(input, weight, bias, stride, padding, dilation, groups))
    _conv_kernels().conv2d(input, weight, bias, stride, padding, dilation, groups, out)
    return out


@convolution_2d.grad("input")
def convolution_grad_input(g, weight, input_shape, stride, padding, dilation, groups):
    return convolution_backward_input(g, weight, input_shape, stride, padding, dilation, groups)  # noqa: F821


@convolution_2d.grad("weight")
def convolution_grad_weight(g, input, weight_shape, stride, padding, dilation, groups):
    return convolution_backward_weight(g, input, weight_shape, stride, padding, dilation, groups)  # noqa: F821


@convolution_2d.grad("bias")
def convolution_grad_bias(g):
    return sum(g, (0, 2, 3))  # noqa: F821


@structured(tensors="grad_output weight")
def convolution_backward_input(grad_output, weight, shape, stride, padding, dilation, groups):
    return shape, grad_output.dtype


@convolution_backward_input.cpu
def convolution_backward_input_cpu(grad_output, weight, shape, stride, padding, dilation, groups):
    dx = empty(shape, grad_output.dtype)
    _conv_kernels().conv2d_backward_input(grad_output, weight, stride, padding, dilation, groups, dx)
    return dx


@convolution_backward_input.grad("grad_output")
def convolution_backward_input_grad_output(g, weight, stride, padding, dilation, groups):
    return convolution_2d(g, weight, None, stride, padding, dilation, groups)


@convolution_backward_input.grad("weight")
def convolution_backward_input_grad_weight(g, grad_output, weight_shape, stride, padding, dilation, groups):
    return convolution_backward_weight(grad_output, g, weight_shape, stride, padding, dilation, groups)  # noqa: F821


@structured(tensors="grad_output input")
def convolution_backward_weight(grad_output, input, shape, stride, padding, dilation, groups):
    return shape, grad_output.dtype


@convolution_backward_weight.cpu
def convolution_backward_weight_cpu(grad_output, input, shape, stride, padding, dilation, groups):
    dw = empty(shape, grad_output.dtype)
    _conv_kernels().conv2d_backward_weight(grad_output, input, stride, padding, dilation, groups, dw)
    return dw


@convolution_backward_weight.grad("grad_output")
def convolution_backward_weight_grad_output(g, input, stride, padding, dilation, groups):
    return convolution_2d(input, g, None, stride, padding, dilation, groups)


@convolution_backward_weight.grad("input")
def convolution_backward_weight_grad_input(g, grad_output, input_shape, stride, padding, dilation, groups):
    return convolution_backward_input(grad_output, g, input_shape, stride, padding, dilation, groups)


@public("torch nn.functional")
def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           groups: int = 1) -> Tensor:  # fmt: skip
    """2-D convolution of (N, C, H, W) or (C, H, W) with weight (K, C / groups, R, S)."""
    for position, (name, value) in enumerate((("input", input), ("weight", weight)), 1):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"conv2d() received an invalid combination of arguments: argument '{name}' (position {position}) must be Tensor, "
                f"not {type(value).__name__}"
            )
    x, w = input.array, weight.array
    check(
        x.ndim in (3, 4),
        f"Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: {list(x.shape)}",
    )
    check(w.ndim == 4, f"expected {w.ndim}-dimensional input for {w.ndim}-dimensional weight {list(w.shape)}, but got "
          f"{x.ndim}-dimensional input of size {list(x.shape)} instead")  # fmt: skip
    stride, dilation = pair(stride, "stride", "conv2d"), pair(dilation, "dilation", "conv2d")
    if isinstance(padding, str):
        input, padding = _string_padding(input, padding, w.shape[2:], stride, dilation)
    padding = pair(padding, "padding", "conv2d")
    batched = x.ndim == 4
    out = FUNCTIONS["convolution_2d"](
        input if batched else op("unsqueeze")(input, 0), weight, bias, stride, padding, dilation, groups
    )
    return out if batched else op("squeeze_dims")(out, (0,))


def _string_padding(input: Tensor, padding: str, kernel: Any, stride: Any, dilation: Any) -> tuple[Tensor, Any]:
    """"valid" pads nothing, "same" what keeps the size; an odd total goes to the end."""
    if padding == "valid":
        return input, (0, 0)
    check(padding == "same", f"Invalid padding string: '{padding}'")
    check(stride == (1, 1), "padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if all(t % 2 == 0 for t in total):
        return input, tuple([t // 2 for t in total])
    (top, left), (bottom, right) = [t // 2 for t in total], [t - t // 2 for t in total]
    return pad(input, (left, right, top, bottom)), (0, 0)


# ---------------------------------------------------------------------- padding
@structured(name="constant_pad", title="ConstantPadNd", tensors="input")
def constant_pad(input, pads, value):
    return _padded_shape(input.shape, pads), input.dtype


def _padded_shape(shape: tuple[int, ...], pads: Any) -> tuple[int, ...]:
    check(len(pads) % 2 == 0, f"Length of pad must be even but instead it equals {len(pads)}")
    check(
        len(pads) // 2 <= len(shape),
        f"Length of pad should be no more than twice the number of dimensions of the input. Pad length is {len(pads)}while the "
        f"input has {len(shape)}dimensions.",
    )
    made = list(shape)
    for i in range(len(pads) // 2):
        d = len(shape) - 1 - i
        made[d] += pads[2 * i] + pads[2 * i + 1]
        check(
            made[d] >= 0,
            f"The input size {shape[d]}, plus negative padding {pads[2 * i]} and {pads[2 * i + 1]} resulted in a negative output "
            f"size, which is invalid. Check dimension {d} of your input.",
        )
    return tuple(made)


@constant_pad.cpu
def constant_pad_cpu(input, pads, value):
    out = np.full(_padded_shape(input.shape, pads), value, input.dtype)
    source, dest = [slice(None)] * input.ndim, [slice(None)] * input.ndim
    for i in range(len(pads) // 2):
        d, (before, after) = input.ndim - 1 - i, pads[2 * i : 2 * i + 2]
        n = input.shape[d]
        source[d] = slice(max(0, -before), n - max(0, -after))
        dest[d] = slice(max(0, before), out.shape[d] - max(0, after))
    out[tuple(dest)] = input[tuple(source)]
    return out


@constant_pad.grad("input")
def constant_pad_grad(g, pads):
    return constant_pad(g, tuple([-p for p in pads]), 0)


@public("nn.functional")
def pad(input: Tensor, pad: Any, mode: str = "constant", value: Any = None) -> Tensor:
    """`pad` elements before and after, from the last dimension on: (left, right, top, bottom, ...)."""
    if mode != "constant":
        raise NotImplementedError(f"pad: mode={mode!r} is not supported by minitorch; 'constant' is")
    return FUNCTIONS["constant_pad"](input, tuple(pad), 0 if value is None else value)


# ---------------------------------------------------------------------- pooling
def _pool_out(n: int, k: int, stride: int, pad: int, dilation: int, ceil_mode: bool) -> int:
    span = n + 2 * pad - dilation * (k - 1) - 1 + (stride - 1 if ceil_mode else 0)
    size = span // stride + 1
    if ceil_mode and (size - 1) * stride >= n + pad:
        size -= 1
    return size


@structured(name="max_pool_2d", title="MaxPool2DWithIndices", tensors="input", outputs=("indices",),
            returns=lambda values, indices: (values, indices))  # fmt: skip
def max_pool_2d(input, kernel, stride, padding, dilation, ceil_mode):
    n, c, h, w = input.shape
    check(min(kernel) > 0, f"kernel size should be greater than zero, but got kH: {kernel[0]} kW: {kernel[1]}")
    check(min(stride) > 0, f"stride should be greater than zero, but got dH: {stride[0]} dW: {stride[1]}")
    check(min(dilation) > 0, f"dilation should be greater than zero, but got dilationH: {dilation[0]} dilationW: {dilation[1]}")
    check(min(padding) >= 0, f"pad must be non-negative, but got pad: {min(padding)}")
    for p, k in zip(padding, kernel, strict=True):
        check(p <= k // 2, f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and dilation="
              f"{dilation[0]}")  # fmt: skip
    size = [_pool_out(m, k, s, p, d, ceil_mode)
            for m, k, s, p, d in zip((h, w), kernel, stride, padding, dilation, strict=True)]  # fmt: skip
    check(
        min(size) >= 1,
        f"Given input size: ({c}x{h}x{w}). Calculated output size: ({c}x{size[0]}x{size[1]}). Output size is too small",
    )
    if input.dtype == np.bool_:
        not_implemented_for("max_pool2d", input)
    shape = (n, c, *size)
    return [(shape, input.dtype), (shape, dtypes.INT64_NUMPY)]


def _pool_kernels() -> Any:
    return cache.load_file("cpu.pool")


@max_pool_2d.cpu
def max_pool_cpu(input, kernel, stride, padding, dilation, ceil_mode):
    (shape, dtype), _ = max_pool_2d.infer(input, kernel, stride, padding, dilation, ceil_mode)
    out, indices = empty(shape, dtype), empty(shape, np.int64)
    _pool_kernels().max_pool2d(input, kernel, stride, padding, dilation, out, indices)
    return out, indices


@max_pool_2d.grad("input")
def max_pool_grad(g, indices, input_shape):
    return max_pool_backward(g, indices, input_shape)  # noqa: F821


@structured(tensors="grad_output indices")
def max_pool_backward(grad_output, indices, shape):
    return shape, grad_output.dtype


@max_pool_backward.cpu
def max_pool_backward_cpu(grad_output, indices, shape):
    dx = empty(shape, grad_output.dtype)
    _pool_kernels().max_pool2d_backward(grad_output, indices, dx)
    return dx


@max_pool_backward.grad("grad_output")
def max_pool_backward_grad(g, indices):
    return pick_in_planes(g, indices)  # noqa: F821


@structured(tensors="input indices")
def pick_in_planes(input, indices):
    """input (N, C, H, W) at indices into its H * W planes."""
    return indices.shape, input.dtype


@pick_in_planes.cpu
def pick_in_planes_cpu(input, indices):
    n, c = input.shape[:2]
    flat = np.take_along_axis(input.reshape(n, c, -1), indices.reshape(n, c, -1), 2)
    return flat.reshape(indices.shape)


@pick_in_planes.grad("input")
def pick_in_planes_grad(g, indices, input_shape):
    return max_pool_backward(g, indices, input_shape)


@public("torch nn.functional")
def max_pool2d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Any:  # fmt: skip
    """The maximum of each window of (N, C, H, W) or (C, H, W); with return_indices also where in its plane it lies."""
    x = input.array
    check(
        x.ndim in (3, 4) and 0 not in x.shape[-3:],
        "max_pool2d: Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got: "
        f"{list(x.shape)}",
    )
    kernel = pair(kernel_size, "kernel_size", "max_pool2d")
    steps = kernel if stride is None or stride == [] or stride == () else pair(stride, "stride", "max_pool2d")
    batched = x.ndim == 4
    values, indices = FUNCTIONS["max_pool_2d"](
        input if batched else op("unsqueeze")(input, 0), kernel, steps, pair(padding, "padding", "max_pool2d"),
        pair(dilation, "dilation", "max_pool2d"), ceil_mode,
    )  # fmt: skip
    if not batched:
        values, indices = op("squeeze_dims")(values, (0,)), op("squeeze_dims")(indices, (0,))
    return (values, indices) if return_indices else values


@public("nn.functional")
def max_pool2d_with_indices(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                            ceil_mode: bool = False, return_indices: bool = False) -> Any:  # fmt: skip
    """max_pool2d with its indices."""
    return max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


@public("nn.functional")
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """sum over i, j of input1[..., i] * weight[k, i, j] * input2[..., j], plus bias[k]."""
    left = op("unsqueeze")(op("unsqueeze")(input1, -2), -2)
    product = FUNCTIONS["matmul"](left, weight)
    out = op("squeeze_dims")(FUNCTIONS["matmul"](product, op("unsqueeze")(op("unsqueeze")(input2, -2), -1)), (-1, -2))
    return out if bias is None else out + bias
