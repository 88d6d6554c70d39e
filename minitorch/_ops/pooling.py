"""Max pooling over one to three dimensions, with windows of one size; what average pooling shares with it."""

from collections.abc import Iterable
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels import cache
from minitorch._kernels.copies import contiguous
from minitorch._kernels.cpu import shared
from minitorch._kernels.layout import (
    channels_last_like,
    channels_second,
    channels_to_end,
    has_vectors_of_channels,
    is_channels_last,
)
from minitorch._tensor import Tensor

from .check import check, integer, no_kernel, type_name
from .nodes import titled
from .op import Op, structured
from .public import FUNCTIONS, op, public

empty = np.empty
COUNT = {1: "one int", 2: "two ints", 3: "three ints"}
PLURAL = {2: "3D or 4D", 3: "4D or 5D"}


def _by(sizes: Any) -> str:
    return "x".join(map(str, sizes))


def as_plane(values: Any, unit: Any) -> tuple[Any, ...]:
    """Values by axis; torch pools a line as a plane of height 1."""
    return (unit,) * (len(values) == 1) + tuple(values)


def _named(letter: str, values: Any) -> str:
    """Values by axis as torch's messages list them: kT: 1 kH: 2 kW: 2."""
    return " ".join(f"{letter}{axis}: {v}" for axis, v in zip("THW"[-len(values) :], values, strict=True))


def _output_size(n: int, k: int, stride: int, pad: int, dilation: int, ceil_mode: bool) -> int:
    check(stride != 0, "stride should not be zero")
    if not pad >= 0:
        raise RuntimeError(f"pad must be non-negative, but got pad: {pad}")
    if not pad <= int(((k - 1) * dilation + 1) / 2):
        raise RuntimeError(
            f"pad should be at most half of effective kernel size, but got pad={pad}, kernel_size={k} and "
            f"dilation={dilation}"
        )
    span = n + 2 * pad - dilation * (k - 1) - 1 + (stride - 1 if ceil_mode else 0)
    size = span // stride + 1
    if ceil_mode and (size - 1) * stride >= n + pad:
        size -= 1
    return size


@lru_cache(maxsize=256)
def pooled_shape(
    kind: str, shape: Any, given: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Any:
    """The shape of what pooling makes of one of (N, C, ...), with all checks; `given` was that without a batch."""
    spatial = as_plane(shape[2:], 1)
    kernel, stride, dilation = (as_plane(v, 1) for v in (kernel, stride, dilation))
    padding = as_plane(padding, 0)
    axes = zip(spatial, kernel, stride, padding, dilation, strict=True)
    size = [_output_size(*axis, ceil_mode) for axis in axes]
    if len(spatial) == 3:
        where = "avg_pool3d()" if kind == "avg" else "max_pool3d_with_indices_out_cpu_template()"
        if 0 in shape[1:]:
            raise RuntimeError(
                f"{where}: Expected input's non-batch dimensions to have positive length, but input has a shape of "
                f"{list(given)} and non-batch dimension 0 has length zero!"
            )
    if min(kernel) <= 0:
        raise RuntimeError(f"kernel size should be greater than zero, but got {_named('k', kernel)}")
    if min(stride) <= 0:
        raise RuntimeError(f"stride should be greater than zero, but got {_named('d', stride)}")
    if min(dilation) <= 0:
        raise RuntimeError(f"dilation should be greater than zero, but got {_named('dilation', dilation)}")
    if len(spatial) == 2:
        if 0 in shape[1:]:
            raise RuntimeError(
                "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:"
                f"{[*given[: len(given) - len(shape[2:])], *spatial]}"
            )
    if any(p > k // 2 for p, k in zip(padding, kernel, strict=True)):
        names = [f"pad{a} = {v}" for a, v in zip("WHT", reversed(padding), strict=False)]
        names += [f"k{a} = {v}" for a, v in zip("WHT", reversed(kernel), strict=False)]
        raise RuntimeError(f"pad should be smaller than or equal to half of kernel size, but got {', '.join(names)}")
    if (
        len(spatial) == 3
        and kind == "avg"
        and any(k > n + 2 * p for k, n, p in zip(kernel, spatial, padding, strict=True))
    ):
        raise RuntimeError(f"input image ({_named('', spatial)}) smaller than kernel size ({_named('k', kernel)})")
    if min(size) < 1:
        raise RuntimeError(
            f"Given input size: ({shape[1]}x{_by(spatial)}). Calculated output size: ({shape[1]}x{_by(size)}). "
            "Output size is too small"
        )
    return (*shape[:2], *size[-(len(shape) - 2) :])


# ---------------------------------------------------------------------- maximum: records
def pool_kernels() -> Any:
    return cache.load_file("cpu.pool")


def _values_and_indices(values: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    return values, indices


def max_op(name: str, title: str, infer: Any, cpu: Any, tensors: str = "input", grad: Any = None) -> Op:
    """A record of windows' maxima with their places, which is all that the gradient needs on the CPU."""
    record = structured(name=name, title=title, tensors=tensors, outputs=("indices",), returns=_values_and_indices)(
        infer
    )
    record.cpu(cpu)
    record.grad("input")(grad or _max_pool_grad)
    return record


def _max_pool_grad(g, indices, input_shape):
    return max_pool_backward(g, indices, input_shape)


def _max_pool_grad_by_windows(g, indices, input_shape, kernel, stride, padding, dilation):
    return max_pool_backward(g, indices, input_shape, (kernel, stride, padding, dilation))


def _max_pool_infer(input, kernel, stride, padding, dilation, ceil_mode):
    shape = pooled_shape("max", input.shape, input.shape, kernel, stride, padding, dilation, ceil_mode)
    if input.dtype == np.bool_:
        no_kernel(f"max_pool{max(2, len(kernel))}d", input)
    return [(shape, input.dtype), (shape, dtypes.INT64_NUMPY)]


@lru_cache(maxsize=256)
def _max_pool_of(shape: Any, dtype: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    """The result's shape, with all checks but that of the dtype, and the kernel that fills it."""
    pooled = pooled_shape("max", shape, shape, kernel, stride, padding, dilation, ceil_mode)
    return pooled, pool_kernels().max_pool(shape[2:], pooled[2:], kernel, stride, padding, dilation, dtype)


def _max_pool_cpu(input, kernel, stride, padding, dilation, ceil_mode):
    dtype = input.dtype
    if dtype is dtypes.BOOL_NUMPY:
        _max_pool_infer(input, kernel, stride, padding, dilation, ceil_mode)
    shape, pool = _max_pool_of(input.shape, dtype, kernel, stride, padding, dilation, ceil_mode)
    if has_vectors_of_channels(input) and prod(shape):
        axes = zip(input.shape[2:], shape[2:], kernel, stride, padding, dilation, strict=True)
        return max_of_channels(input, shape, [_window_taps(*axis) for axis in axes], dilation)
    out, indices = empty(shape, dtype), empty(shape, dtypes.INT64_NUMPY)
    dense = input.flags.carray
    if out.size:
        pool(input if dense else input.copy(), out, indices)
    return (out, indices) if dense else (channels_last_like(input, out), channels_last_like(input, indices))


def max_of_channels(input: Any, shape: Any, windows: Any, dilation: Any = (1, 1)) -> Any:
    """The maxima of images whose channels lie beside each other, and their places, which lie so too.

    windows: of each dimension the (starts, counts) of the windows' taps, see `cpu/channels_last.py`.
    """
    n, c, height, width = shape
    out, indices = (empty((n, height, width, c), kind) for kind in (input.dtype, dtypes.INT64_NUMPY))
    lines = [a.reshape(n * height, width, c) for a in (out, indices)]
    shared.max_pool(np.arange(n * height), channels_to_end(input), *windows, np.array(dilation), *lines)
    return channels_second(out), channels_second(indices)


@lru_cache(maxsize=64)
def _window_taps(n: int, outputs: int, kernel: int, stride: int, padding: int, dilation: int) -> np.ndarray:
    """Where each window's first tap inside of n inputs lies, and how many taps lie there."""
    corners = np.arange(outputs) * stride - padding
    outside = np.maximum(-corners + dilation - 1, 0) // dilation
    first = corners + outside * dilation
    return np.stack([first, np.minimum(kernel - outside, (n - 1 - first) // dilation + 1)])


max_pool_planes = max_op(
    "max_pool_planes", "MaxPool2DWithIndices", _max_pool_infer, _max_pool_cpu, grad=_max_pool_grad_by_windows
)
max_pool_volumes = max_op(
    "max_pool_volumes", "MaxPool3DWithIndices", _max_pool_infer, _max_pool_cpu, grad=_max_pool_grad_by_windows
)


@structured(tensors="grad_output indices")
def max_pool_backward(grad_output, indices, shape, windows=None):
    """`windows` are kernel, stride, padding and dilation, by which an input finds the outputs that may be its own."""
    return shape, grad_output.dtype


@max_pool_backward.cpu
def max_pool_backward_cpu(grad_output, indices, shape, windows=None):
    if grad_output.size and has_vectors_of_channels(grad_output) and is_channels_last(indices):
        n, c, *image = shape
        dx = empty((n, *image, c), grad_output.dtype)
        g, places = (contiguous(channels_to_end(a)).reshape(n, -1, c) for a in (grad_output, indices))
        shared.max_pool_backward(g, places, dx.reshape(n, -1, c))
        return channels_second(dx)
    dx = empty(shape, grad_output.dtype)
    pool_kernels().max_pool_backward(grad_output, indices, dx)
    return channels_last_like(indices, dx)


@max_pool_backward.grad("grad_output")
def max_pool_backward_grad(g, indices):
    return pick_in_planes(g, indices)


@structured(tensors="input indices")
def pick_in_planes(input, indices):
    """input (N, C, ...) at indices into its planes (or lines, or volumes)."""
    return indices.shape, input.dtype


@pick_in_planes.cpu
def pick_in_planes_cpu(input, indices):
    n, c = input.shape[:2]
    size = prod(indices.shape[2:])
    planes = input.reshape(n, c, prod(input.shape[2:]))
    return np.take_along_axis(planes, indices.reshape(n, c, size), 2).reshape(indices.shape)


@pick_in_planes.grad("input")
def pick_in_planes_grad(g, indices, input_shape):
    return max_pool_backward(g, indices, input_shape)


# ---------------------------------------------------------------------- arguments
def per_axis(value: Any, n: int, error: str, name: str, function: str) -> tuple[int, ...]:
    """An int, or n ints, or a list of one."""
    if not isinstance(value, (tuple, list)):
        place = " (position 2)" * (name in ("kernel_size", "output_size") and not function.startswith("avg"))
        if not (hasattr(value, "__index__") and not isinstance(value, bool)):
            raise TypeError(f"{function}(): argument '{name}'{place} must be tuple of ints, not {type_name(value)}")
        return (value.__index__(),) * n
    check(len(value) in (1, n), error)
    return tuple([integer(v, name, function) for v in value]) * (n if len(value) == 1 else 1)


_LINE_ARGUMENTS = {
    "stride": "None, an int, list of ints, or tuple of ints",
    "padding": "an int, list of ints, or tuple of ints",
}


def window_arguments(
    kind: str, n: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1
) -> Iterable[tuple[int, ...]]:
    """Kernel, stride, padding and dilation, each an int for every dimension."""
    if stride is None and kernel_size.__class__ is int:
        stride = kernel_size
    if kernel_size.__class__ is stride.__class__ is padding.__class__ is dilation.__class__ is int:
        return (kernel_size,) * n, (stride,) * n, (padding,) * n, (dilation,) * n
    function = f"{kind}_pool{n}d"
    found: list[tuple[int, ...]] = []
    values = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    for name, value in values.items():
        if value.__class__ is int:
            found.append((value,) * n)
            continue
        if name == "stride" and (value is None or (isinstance(value, (tuple, list)) and not value)):
            found.append(found[0])
            continue
        got = len(value) if isinstance(value, (tuple, list)) else 1
        if function == "avg_pool1d":
            error = f"{function}() argument '{name}' should contain one int (got {got})"
        elif n == 1:
            what = _LINE_ARGUMENTS.get(name, "an int, list of ints or tuple of ints")
            error = f"{function}() {name} must be {what} of size 1 but got size {got}"
        else:
            either = "either " * (function != "avg_pool3d")
            must = f"must be {either}" if name == "dilation" else f"must {either}be "
            omitted = "omitted, " * (name == "stride")
            error = f"{function}: {name} {must}{omitted}a single int, or a tuple of {COUNT[n]}"
        found.append(per_axis(value, n, error, name, function))
    return found


def as_batch(input: Tensor, n: int, error: str = "", kind: type[Exception] = RuntimeError) -> tuple[Tensor, bool]:
    """The input as (N, C, ...), and whether it was."""
    ndim = input.ndim
    check(ndim in (n + 1, n + 2), error, kind)
    return (input, True) if ndim == n + 2 else (op("unsqueeze")(input.contiguous(), 0), False)


def unbatched(t: Tensor, batched: bool) -> Tensor:
    return t if batched else op("squeeze_dims")(t, (0,))


# ---------------------------------------------------------------------- maximum: public functions
def _max_pool(
    n: int, input: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any, with_indices: Any
) -> Any:
    if n == 1:
        _check_lines(input)
    kernel, stride, padding, dilation = window_arguments("max", n, kernel_size, stride, padding, dilation)
    if n == 1 and not with_indices:
        _check_line_arguments(input, kernel[0], stride[0], padding[0], dilation[0], ceil_mode)
    batch, batched = input, len(input.array.shape) == n + 2
    arguments = kernel, stride, padding, dilation, bool(ceil_mode)
    if not batched:
        batch, _ = as_batch(input, n, f"non-empty {PLURAL.get(n, '')} (batch mode) tensor expected for input")
        # for its errors, which show the shape as it was given
        pooled_shape("max", tuple(batch.shape), tuple(input.shape), *arguments)
    values, indices = FUNCTIONS["max_pool_volumes" if n == 3 else "max_pool_planes"](batch, *arguments)
    values = unbatched(values, batched)
    if n == 1:
        titled(values, "SqueezeBackward1")
    return (values, unbatched(indices, batched)) if with_indices else values


def _check_lines(input: Tensor) -> None:
    shape = list(input.shape)
    if not (len(shape) in (2, 3) and 0 not in shape[-2:]):
        raise RuntimeError(
            "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but "
            f"got:{shape}"
        )


def _check_line_arguments(input: Tensor, k: int, stride: int, pad: int, dilation: int, ceil_mode: Any) -> None:
    if not k > 0:
        raise RuntimeError(f"max_pool1d() kernel_size must be greater than zero, but got {k}")
    if not stride > 0:
        raise RuntimeError(f"max_pool1d() stride must be greater than zero, but got {stride}")
    if not pad >= 0:
        raise RuntimeError(f"max_pool1d() padding must be non-negative, but got {pad}")
    if not pad <= k // 2:
        raise RuntimeError(
            f"max_pool1d() padding should be at most half of kernel size, but got padding={pad} and kernel_size={k}"
        )
    if not dilation > 0:
        raise RuntimeError(f"max_pool1d() dilation must be greater than zero, but got {dilation}")
    size = _output_size(input.shape[-1], k, stride, pad, dilation, ceil_mode)
    if not size > 0:
        raise RuntimeError(f"max_pool1d() Invalid computed output size: {size}")
    if not input.is_floating_point():
        no_kernel("max_pool1d_impl", input.array)


@public("torch nn.functional")
def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of (N, C, L) or (C, L); with return_indices also where in its line it lies."""
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


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
    """The maximum of each window of (N, C, H, W) or (C, H, W); with return_indices also where in its plane it lies.

    >>> import minitorch as torch
    >>> torch.nn.functional.max_pool2d(torch.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@public("torch nn.functional")
def max_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of (N, C, D, H, W) or (C, D, H, W); return_indices adds its place in the volume."""
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _with_indices(function: Any, name: str, where: str) -> None:
    def max_pool_with_indices(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        return function(input, kernel_size, stride, padding, dilation, ceil_mode, True)

    max_pool_with_indices.__name__ = max_pool_with_indices.__qualname__ = name
    max_pool_with_indices.__doc__ = f"{function.__name__} and where the maxima lie."
    public(where)(max_pool_with_indices)


_with_indices(max_pool1d, "max_pool1d_with_indices", "torch nn.functional")
_with_indices(max_pool2d, "max_pool2d_with_indices", "nn.functional")
_with_indices(max_pool3d, "max_pool3d_with_indices", "nn.functional")
