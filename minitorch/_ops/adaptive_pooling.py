"""Adaptive pooling: windows that cover the input evenly, whatever its size."""

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels.layout import channels_last_like, has_vectors_of_channels
from minitorch._tensor import Tensor

from .average_pooling import check_argument_dims
from .axis_maps import AxisMap, Maps, axis_map_op, from_ranges
from .check import check, no_kernel
from .nodes import titled
from .pooling import PLURAL, as_batch, as_plane, max_of_channels, max_op, per_axis, pool_kernels, unbatched
from .public import FUNCTIONS, PUBLIC, op, public

empty = np.empty


def _adaptive_max_infer(input, output_size):
    where = f"adaptive_max_pool{len(output_size)}d"
    _check_adaptive(where, input)
    shape = *input.shape[:2], *output_size
    if min(output_size) < 0:
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(output_size)}: "
            f"{[*input.shape[:2], *as_plane(output_size, 1)]}"
        )
    if input.dtype not in dtypes.FLOATS:
        no_kernel("adaptive_max_pool3d_cpu" if len(output_size) == 3 else "adaptive_max_pool2d", input)
    return [(shape, input.dtype), (shape, dtypes.INT64_NUMPY)]


def _adaptive_max_cpu(input, output_size):
    (shape, dtype), _ = _adaptive_max_infer(input, output_size)
    ranges = [_adaptive_ranges(n, size) for n, size in zip(input.shape[2:], output_size, strict=True)]
    if has_vectors_of_channels(input) and prod(shape):
        return max_of_channels(input, shape, [np.stack([start, end - start]) for start, end in ranges])
    out, indices = empty(shape, dtype), empty(shape, np.int64)
    starts, ends = ([r[i][None] for r in ranges] for i in (0, 1))
    pool_kernels().max_windows(input, starts, ends, out, indices)
    if input.ndim == 5:
        return out, indices
    return channels_last_like(input, out), channels_last_like(input, indices)


adaptive_max_planes = max_op("adaptive_max_planes", "AdaptiveMaxPool2D", _adaptive_max_infer, _adaptive_max_cpu)
adaptive_max_volumes = max_op("adaptive_max_volumes", "AdaptiveMaxPool3D", _adaptive_max_infer, _adaptive_max_cpu)


def _adaptive_ranges(n: int, outputs: int) -> tuple[Any, Any]:
    """Where the windows begin and end that divide n inputs among the outputs as evenly as overlapping ones can."""
    i = np.arange(outputs)
    return i * n // max(1, outputs), -(-(i + 1) * n // max(1, outputs))


adaptive_avg_planes = axis_map_op("adaptive_avg_planes", "AdaptiveAvgPool2D")
adaptive_avg_volumes = axis_map_op("adaptive_avg_volumes", "AdaptiveAvgPool3D", laid_out=False)


def _check_adaptive(where: str, x: Any) -> None:
    shape = list(x.shape)
    if "avg" in where and x.ndim == 3:
        shape.insert(2, 1)
        where = "adaptive_avg_pool2d"
    first = 2 if "avg" in where else 1
    for d in range(first, len(shape)):
        if shape[d] <= 0:
            raise RuntimeError(
                f"{where}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes "
                f"{shape} with dimension {d} being empty"
            )


def _sizes(function: str, n: int, output_size: Any, input: Tensor) -> tuple[int, ...]:
    """output_size for each dimension; None keeps the input's."""
    listed = isinstance(output_size, (tuple, list))
    if output_size is None and n > 1:
        raise TypeError("object of type 'NoneType' has no len()")
    if n == 1:
        count = len(output_size) if listed else 1
        error = f"{function}() argument 'output_size' should contain one int (got {count})"
    elif "avg" in function:
        error = f"{function}: output_size must be {n}"
    else:
        error = f"{function}(): internal error: output_size.size() must be {n}"
    if listed and n > 1:
        check(len(output_size) == n, error)
        output_size = [m if s is None else s for s, m in zip(output_size, input.shape[-n:], strict=True)]
    if listed and not len(output_size):
        raise RuntimeError(error)
    return per_axis(output_size, n, error, "output_size", function)


def _adaptive(kind: str, n: int, input: Tensor, output_size: Any) -> tuple[str, Tensor, tuple[int, ...], bool]:
    function = f"adaptive_{kind}_pool{n}d"
    if n == 1:
        check_argument_dims(function, input)
    colon = ":" * (kind == "max")
    if n > 1 and isinstance(output_size, (tuple, list)):
        if not input.ndim > len(output_size):
            raise ValueError(f"Input dimension should be at least {len(output_size) + 1}")
    error = f"{function}(): Expected {PLURAL.get(n)} tensor, but got{colon} {list(input.shape)}"
    check(input.ndim in (n + 1, n + 2), error)
    size = _sizes(function, n, output_size, input)
    input, batched = as_batch(input, n)
    return function, input, size, batched


def adaptive_avg_pool(n: int, input: Tensor, output_size: Any) -> Tensor:
    """adaptive_avg_pool of n dimensions."""
    function, batch, size, batched = _adaptive("avg", n, input, output_size)
    if n > 1 and set(size) == {1}:
        return op("mean")(input, tuple(range(-n, 0)), True)
    listed = [str(v) for v in as_plane(size, 1)]
    if min(size) < 0:
        raise RuntimeError(
            f"adaptive_avg_pool{max(2, n)}d: elements of output_size must be greater than or equal to 0 but received "
            f"{{{', '.join(listed[:2])}{''.join(',' + v for v in listed[2:])}}}"
        )
    _check_adaptive(function, batch)
    if not batch.is_floating_point():
        no_kernel("adaptive_avg_pool3d_cpu" if n == 3 else "adaptive_avg_pool2d", batch.array)
    maps = Maps(adaptive_map(m, s) for m, s in zip(batch.shape[2:], size, strict=True))
    return unbatched((adaptive_avg_volumes if n == 3 else adaptive_avg_planes).function(batch, maps), batched)


@lru_cache(maxsize=64)
def adaptive_map(n: int, outputs: int) -> AxisMap:
    """The means of windows that divide n inputs among the outputs."""
    first, last = _adaptive_ranges(n, outputs)
    return from_ranges(n, first, last, np.maximum(last - first, 1))


@public("torch nn.functional")
def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """The means of output_size windows that cover (N, C, L) or (C, L) evenly."""
    return titled(adaptive_avg_pool(1, input, output_size), "SqueezeBackward1")


@public("nn.functional")
def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """The means of windows that cover (N, C, H, W) or (C, H, W) evenly; a size of None keeps that dimension."""
    return adaptive_avg_pool(2, input, output_size)


@public("nn.functional")
def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """The means of windows that cover (N, C, D, H, W) or (C, D, H, W) evenly."""
    return adaptive_avg_pool(3, input, output_size)


def _adaptive_max(n: int, input: Tensor, output_size: Any, return_indices: bool) -> Any:
    _, batch, size, batched = _adaptive("max", n, input, output_size)
    values, indices = FUNCTIONS["adaptive_max_volumes" if n == 3 else "adaptive_max_planes"](batch, size)
    values = unbatched(values, batched)
    return (values, unbatched(indices, batched)) if return_indices else values


def _adaptive_max_function(n: int) -> Any:
    def adaptive_max_pool(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        return _adaptive_max(n, input, output_size, return_indices)

    def with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        return _adaptive_max(n, input, output_size, True)

    name = f"adaptive_max_pool{n}d"
    for function, suffix in ((adaptive_max_pool, ""), (with_indices, "_with_indices")):
        function.__name__ = function.__qualname__ = name + suffix
        function.__doc__ = f"The maxima of windows that cover the last {n} dimensions evenly, and where they lie."
        public("nn.functional")(function)


for _n in (1, 2, 3):
    _adaptive_max_function(_n)


def _torch_adaptive_max_pool1d(input: Tensor, output_size: Any) -> Any:
    """The maxima of output_size windows that cover (N, C, L) or (C, L) evenly, and where they lie."""
    return _adaptive_max(1, input, output_size, True)


_torch_adaptive_max_pool1d.__name__ = "adaptive_max_pool1d"
# nn.functional's returns the indices on request only
PUBLIC["torch.adaptive_max_pool1d"] = _torch_adaptive_max_pool1d, ["torch"]
