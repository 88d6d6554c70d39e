"""Max pooling over two dimensions."""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels import cache
from minitorch._tensor import Tensor

from .check import check, not_implemented_for, pair
from .op import structured
from .operands import FUNCTIONS
from .public import op, public

empty = np.empty


def _pool_out(n: int, k: int, stride: int, pad: int, dilation: int, ceil_mode: bool) -> int:
    span = n + 2 * pad - dilation * (k - 1) - 1 + (stride - 1 if ceil_mode else 0)
    size = span // stride + 1
    if ceil_mode and (size - 1) * stride >= n + pad:
        size -= 1
    return size


@structured(
    name="max_pool_2d",
    title="MaxPool2DWithIndices",
    tensors="input",
    outputs=("indices",),
    returns=lambda values, indices: (values, indices),
)
def max_pool_2d(input, kernel, stride, padding, dilation, ceil_mode):
    n, c, h, w = input.shape
    check(min(kernel) > 0, f"kernel size should be greater than zero, but got kH: {kernel[0]} kW: {kernel[1]}")
    check(min(stride) > 0, f"stride should be greater than zero, but got dH: {stride[0]} dW: {stride[1]}")
    check(
        min(dilation) > 0,
        f"dilation should be greater than zero, but got dilationH: {dilation[0]} dilationW: {dilation[1]}",
    )
    check(min(padding) >= 0, f"pad must be non-negative, but got pad: {min(padding)}")
    for p, k in zip(padding, kernel, strict=True):
        check(
            p <= k // 2,
            f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and dilation="
            f"{dilation[0]}",
        )
    size = [
        _pool_out(m, k, s, p, d, ceil_mode)
        for m, k, s, p, d in zip((h, w), kernel, stride, padding, dilation, strict=True)
    ]
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
    return max_pool_backward(g, indices, input_shape)


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
    return pick_in_planes(g, indices)


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
def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
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
        input if batched else op("unsqueeze")(input, 0),
        kernel,
        steps,
        pair(padding, "padding", "max_pool2d"),
        pair(dilation, "dilation", "max_pool2d"),
        ceil_mode,
    )
    if not batched:
        values, indices = op("squeeze_dims")(values, (0,)), op("squeeze_dims")(indices, (0,))
    return (values, indices) if return_indices else values


@public("nn.functional")
def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """max_pool2d with its indices."""
    return max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)
