"""Average and power-average pooling over one to three dimensions, with windows of one size."""

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._tensor import Tensor

from .axis_maps import Maps, axis_map_op, from_ranges
from .check import check, no_kernel
from .nodes import titled
from .pooling import PLURAL, as_batch, pooled_shape, unbatched, window_arguments
from .public import FUNCTIONS, op, public

avg_pool_planes = axis_map_op("avg_pool_planes", "AvgPool2D")
avg_pool_volumes = axis_map_op("avg_pool_volumes", "AvgPool3D", laid_out=False)


def _avg_pool(
    n: int,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: Any,
    include_pad: Any,
    divisor: Any = None,
) -> Tensor:
    if n == 1:
        check_argument_dims("avg_pool1d", input)
    kernel, stride, padding, _ = window_arguments("avg", n, kernel_size, stride, padding)
    given = input.array.shape
    if n == 2 and (ndim := len(given)) <= 2:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but got -3)")
    batched = len(given) == n + 2
    if not batched:
        input, _ = as_batch(input, n, f"non-empty {PLURAL.get(n)} (batch mode) tensor expected for input")
    maps = _avg_maps(input.array.shape, given, kernel, stride, padding, bool(ceil_mode), bool(include_pad), divisor)
    dtype = input.array.dtype
    if (n == 3 and dtype in dtypes.HALVES) or (dtype not in dtypes.FLOATS and dtype != np.int64):
        no_kernel("avg_pool3d_out_frame" if n == 3 else "avg_pool2d", input.array)
    return unbatched((avg_pool_volumes if n == 3 else avg_pool_planes).function(input, maps), batched)


@lru_cache(maxsize=256)
def _avg_maps(
    shape: Any, given: Any, kernel: Any, stride: Any, padding: Any, ceil_mode: bool, include_pad: bool, divisor: Any
) -> Maps:
    """The means of windows as maps along the dimensions, with all checks."""
    n = len(kernel)
    pooled = pooled_shape("avg", shape, given, kernel, stride, padding, (1,) * n, ceil_mode)
    check(divisor != 0, "divisor must be not zero")
    axes = zip(shape[2:], pooled[2:], kernel, stride, padding, strict=True)
    divisors = [divisor] + [divisor and 1] * (n - 1)
    return Maps(_avg_map(*axis, include_pad, d) for axis, d in zip(axes, divisors, strict=True))


@lru_cache(maxsize=64)
def _avg_map(n: int, outputs: int, kernel: int, stride: int, pad: int, include_pad: bool, divisor: Any) -> Any:
    first = np.arange(outputs) * stride - pad
    last = np.minimum(first + kernel, n + pad)
    size = last - first
    first, last = np.maximum(first, 0), np.minimum(last, n)
    if divisor is not None:
        size = np.full(outputs, divisor)
    elif not include_pad:
        size = np.maximum(last - first, 1)
    return from_ranges(n, first, last, size)


def check_argument_dims(function: str, input: Tensor) -> None:
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"Expected 2 to 3 dimensions, but got {input.ndim}-dimensional tensor for argument #1 'self' (while "
            f"checking arguments for {function})"
        )


@public("torch nn.functional")
def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = (),
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of (N, C, L) or (C, L)."""
    made = _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad)
    return titled(made, "SqueezeBackward1")


@public("nn.functional")
def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of (N, C, H, W) or (C, H, W); divisor_override replaces the count of its elements."""
    return _avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@public("nn.functional")
def avg_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of (N, C, D, H, W) or (C, D, H, W)."""
    return _avg_pool(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@public("nn.functional")
def lp_pool1d(input: Tensor, norm_type: Any, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The root of the sum of powers of each window: of (N, C, L) or (C, L)."""
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


@public("nn.functional")
def lp_pool2d(input: Tensor, norm_type: Any, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The root of the sum of powers of each window: of (N, C, H, W) or (C, H, W)."""
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


@public("nn.functional")
def lp_pool3d(input: Tensor, norm_type: Any, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The root of the sum of powers of each window: of (N, C, D, H, W) or (C, D, H, W)."""
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


def _lp_pool(n: int, input: Tensor, p: Any, kernel_size: Any, stride: Any, ceil_mode: bool) -> Tensor:
    sizes = kernel_size if isinstance(kernel_size, (tuple, list)) else (kernel_size,) * n
    if not (len(sizes) == n or n == 1):
        raise ValueError(f"not enough values to unpack (expected {n}, got {len(sizes)})")
    mean = _avg_pool(n, FUNCTIONS["pow"](input, p), kernel_size, stride, 0, ceil_mode, True)
    positive = op("sign")(mean) * op("relu")(op("abs")(mean))
    return FUNCTIONS["pow"](positive * prod(sizes), 1.0 / p)
