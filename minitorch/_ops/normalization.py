"""layer_norm, rms_norm, local_response_norm, and what `channel_norms.py` shares with them.

The gradients below are kernels on arrays; on Tensors, for a gradient's gradient, the same names stand for the formulas
in ops (`_in_ops`), which start from the input again: its moments are functions of it.
"""

import functools
from math import prod
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels import cache
from minitorch._kernels.copies import contiguous
from minitorch._kernels.cpu import shared
from minitorch._kernels.cpu.loops import LARGE
from minitorch._tensor import Tensor
from minitorch._type_info import finfo

from .check import C_NAMES, c_name, check, integers, no_kernel, real
from .gradient_kernels import by_kernel
from .op import ARRAY_NAMES, TENSOR_NAMES, structured
from .public import FUNCTIONS, PUBLIC, op, public
from .reductions import FLOATS


def kernels() -> Any:
    return cache.load_file("cpu.normalization")


def or_constant(a: Any, value: float, n: int, dtype: np.dtype) -> np.ndarray:
    """The weight or bias as a contiguous vector in the input's dtype; without one, a constant: only to be read."""
    if a is None:
        return _constant(value, n, dtype)
    if a.ndim == 1 and a.dtype is dtype and a.flags.c_contiguous:
        return a
    return np.ascontiguousarray(a, dtype).reshape(-1)


@functools.lru_cache(maxsize=64)
def _constant(value: float, n: int, dtype: np.dtype) -> np.ndarray:
    return np.full(n, value, dtype)


def as_tuple(*results: Any) -> tuple[Any, ...]:
    return results


def gradient_name(name: str, on_arrays: Any, in_ops: Any, has_kernel: bool = False) -> None:
    """`has_kernel`: on a GPU a kernel of that name is what runs."""
    ARRAY_NAMES[name], TENSOR_NAMES[name] = on_arrays, by_kernel(name, in_ops) if has_kernel else in_ops


# ---------------------------------------------------------------------- layer_norm
@structured(
    title="NativeLayerNorm",
    tensors="input weight? bias?",
    outputs=("mean", "rstd"),
    returns=as_tuple,
    name="layer_norm_rows",
)
def layer_norm_rows(input, weight, bias, dims, eps):
    if input.dtype not in FLOATS:
        no_kernel("LayerNormKernelImpl", input)
    stats = (*input.shape[: input.ndim - dims], *(1,) * dims)
    return [(input.shape, input.dtype), (stats, input.dtype), (stats, input.dtype)]


def _rows(a: np.ndarray, dims: int) -> np.ndarray:
    """The array as (rows, normalised elements)."""
    if a.ndim == 2 and dims == 1 and a.flags.c_contiguous:
        return a
    n = prod(a.shape[a.ndim - dims :])
    return contiguous(a).reshape(a.size // n if n else 0, n)


@layer_norm_rows.cpu
def layer_norm_cpu(input, weight, bias, dims, eps):
    if not input.size or input.dtype not in FLOATS:
        (_, dtype), (stats, _), _ = layer_norm_rows.infer(input, weight, bias, dims, eps)
        return np.empty(input.shape, dtype), np.zeros(stats, dtype), np.zeros(stats, dtype)
    shape, dtype = input.shape, input.dtype
    stats = (*shape[: len(shape) - dims], *(1,) * dims)
    made = np.empty(shape, dtype), np.empty(stats, dtype), np.empty(stats, dtype)  # the result, mean, rstd
    x = _rows(input, dims)
    w, b = or_constant(weight, 1.0, x.shape[1], dtype), or_constant(bias, 0.0, x.shape[1], dtype)
    run = shared.layer_norm if x.size >= LARGE else kernels().layer_norm
    run(x, w, b, eps, *(made if len(stats) == 2 and dims == 1 else [a.reshape(len(x), -1) for a in made]))
    return made


@layer_norm_rows.shared("found")
def layer_norm_found(g, input, weight, mean, rstd, dims, eps, wanted):
    return layer_norm_gradients(g, input, weight, mean, rstd, dims, eps, wanted)  # noqa: F821


@layer_norm_rows.grad("input")
def layer_norm_grad_input(found):
    return found[0]


@layer_norm_rows.grad("weight")
def layer_norm_grad_weight(found):
    return found[1]


@layer_norm_rows.grad("bias")
def layer_norm_grad_bias(found):
    return found[2]


def _layer_norm_gradients(g, input, weight, mean, rstd, dims, eps, wanted):
    """The gradients of input, weight and bias, in one pass over the rows; the last two empty if neither is wanted."""
    dx, shape, dtype = np.empty(input.shape, input.dtype), input.shape[input.ndim - dims :], input.dtype
    if not dx.size:
        return dx, *np.zeros((2, *shape), dtype)
    x, g = _rows(input, dims), _rows(g, dims)
    n = x.shape[1]
    w, to_fill = or_constant(weight, 1.0, n, dtype), (mean, rstd, dx)
    if len(input.shape) != 2 or dims != 1:
        to_fill = tuple([a.reshape(len(x), -1) for a in to_fill])
    n = n if wanted[1] or wanted[2] else 0
    if x.size >= LARGE:
        sums = shared.layer_norm_gradients(n, g, x, w, *to_fill)
        dw, db = [total.astype(dtype) for total in sums]
    else:
        dw, db = np.empty(n, dtype), np.empty(n, dtype)
        kernels().layer_norm_gradients_of_all(g, x, w, *to_fill, np.empty((2, n)), dw, db)
    return (dx, dw, db) if dims == 1 or not n else (dx, dw.reshape(shape), db.reshape(shape))


def normalised(x: Tensor, dims: tuple[int, ...], eps: float) -> tuple[Tensor, Tensor]:
    """(x - mean) * rstd and rstd, the moments taken over dims."""
    centred = x - FUNCTIONS["mean"](x, dims, True)
    rstd = FUNCTIONS["rsqrt"](FUNCTIONS["mean"](centred * centred, dims, True) + eps)
    return centred * rstd, rstd


def input_gradient_in_ops(e: Tensor, x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    """rstd * (e - mean(e) - xhat * mean(e * xhat)) for the gradient e of xhat."""
    xhat, rstd = normalised(x, dims, eps)
    mean = FUNCTIONS["mean"]
    return rstd * (e - mean(e, dims, True) - xhat * mean(e * xhat, dims, True))


def _last(dims: int) -> tuple[int, ...]:
    return tuple(range(-dims, 0))


def _layer_norm_gradients_in_ops(g, input, weight, mean, rstd, dims, eps, wanted):
    shape, last = tuple(input.shape)[input.ndim - dims :], _last(dims)
    dx = input_gradient_in_ops(g if weight is None else g * weight, input, last, eps) if wanted[0] else None
    dw = op("sum_to_size")(g * normalised(input, last, eps)[0], shape) if wanted[1] else None
    return dx, dw, op("sum_to_size")(g, shape) if wanted[2] else None


gradient_name("layer_norm_gradients", _layer_norm_gradients, _layer_norm_gradients_in_ops, has_kernel=True)


def _normalized_shape(input: Tensor, shape: Any, weight: Any, bias: Any, star: str = "*, ") -> tuple[int, ...]:
    """The shape that is normalised, which the input ends with and the parameters have."""
    shape = integers(shape, "normalized_shape", "layer_norm" if star == "*, " else "rms_norm", 2)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    for name, p in ("weight", weight), ("bias", bias):
        if p is not None and p.array.shape != shape:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(p.shape)} and normalized_shape = {list(shape)}"
            )
    have = input.array.shape
    if have[-len(shape) :] != shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape "
            f"[{star}{', '.join(map(str, shape))}], but got input of size{list(have)}"
        )
    return shape


def same_dtype(input: Tensor, *parameters: Tensor | None) -> None:
    """Refuse parameters of another dtype than the input; that of halves may have all of them in float32."""
    dtype = input.array.dtype
    for p in parameters:
        if p is not None and p.array.dtype is not dtype:
            _check_mixed(dtype, [p.array for p in parameters if p is not None])


def _check_mixed(dtype: np.dtype, parameters: list[Any]) -> None:
    """The first parameter decides for torch whether dtypes are meant to be mixed."""
    if parameters[0].dtype is dtype:
        if dtype not in FLOATS:
            return  # the kernel refuses them
        other = [p for p in parameters if p.dtype is not dtype][-1]
        raise RuntimeError(f"expected scalar type {C_NAMES[dtype.name]} but found {c_name(other)}")
    floats = all(p.dtype == np.float32 for p in parameters)
    check(floats, "mixed dtype (CPU): expect parameter to have scalar type of Float")
    check(dtype in dtypes.HALVES, "mixed dtype (CPU): all inputs must share same datatype.")


@public("torch")
def native_layer_norm(input: Tensor, normalized_shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    """(layer_norm, mean, 1 / standard deviation)."""
    return _layer_norm(input, normalized_shape, weight, bias, eps)


def _layer_norm(input: Tensor, normalized_shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    shape = _normalized_shape(input, normalized_shape, weight, bias)
    same_dtype(input, weight, bias)
    if eps.__class__ is not float:
        eps = real(eps, "eps", 5, "layer_norm")
    return layer_norm_rows.function(input, weight, bias, len(shape), eps)


@public("nn.functional")
def layer_norm(
    input: Tensor, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-05
) -> Tensor:
    """The last dimensions, normalized_shape, brought to mean 0 and variance 1; then times weight, plus bias.

    >>> import minitorch as torch
    >>> torch.nn.functional.layer_norm(torch.tensor([[1.0, 3.0]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    return _layer_norm(input, normalized_shape, weight, bias, eps)[0]


@public("nn.functional")
def rms_norm(input: Tensor, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Tensor:
    """The last dimensions divided by the root of their mean square; then times weight."""
    given = tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else ()
    if input.ndim < len(given) and (weight is None or weight.array.shape == given):
        raise ValueError(f"Input tensor must have at least {len(given)} dimensions, but got {input.ndim}")
    shape = _normalized_shape(input, normalized_shape, weight, None, "*")  # torch forgets the comma
    if not input.is_floating_point():
        no_kernel("rms_norm", input.array)
    x = input.float() if input.array.dtype in dtypes.HALVES else input
    if eps is None:
        eps = finfo(x.dtype).eps
    scale = FUNCTIONS["rsqrt"](FUNCTIONS["mean"](x * x, _last(len(shape)), True) + eps)
    out = x * scale
    return (out if weight is None else out * weight).to(input.dtype)


@public("nn.functional")
def local_response_norm(input: Tensor, size: int, alpha: float = 0.0001, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """input / (k + alpha * the mean square of `size` neighbouring channels) ** beta."""
    if input.ndim < 3:
        raise ValueError(f"Expected 3D or higher dimensionality {' ' * 24}input (got {input.ndim} dimensions)")
    if input.array.dtype == bool:
        no_kernel("avg_pool2d" if input.ndim == 3 else "avg_pool3d_out_frame", input.array)
    if not input.array.size:
        return input
    if not size > 0:
        raise RuntimeError(f"kernel size should be greater than zero, but got kH: {size} kW: 1")
    squares, channels = input * input, input.shape[1]
    edges = [input.new_zeros((input.shape[0], n, *input.shape[2:])) for n in (size // 2, (size - 1) // 2)]
    padded = FUNCTIONS["cat"]([edges[0], squares, edges[1]], 1)
    total = op("slice_dim")(padded, 1, 0, channels, 1)
    for i in range(1, size):
        total = total + op("slice_dim")(padded, 1, i, i + channels, 1)
    mean = total / size if input.is_floating_point() else total // size  # whole, as pooling of integers makes it
    return input / (mean * alpha + k) ** beta


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


PUBLIC["torch.layer_norm"] = torch_layer_norm, ["torch"]
PUBLIC["torch.rms_norm"] = rms_norm, ["torch"]
