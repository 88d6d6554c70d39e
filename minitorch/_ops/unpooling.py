"""Inverses of max pooling, and fractional max pooling."""

from math import prod
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels.layout import channels_last_like
from minitorch._tensor import Tensor

from .check import c_name, check, integer, no_kernel, non_negative, type_name
from .op import Op, structured
from .pooling import as_batch, max_op, per_axis, pool_kernels, unbatched
from .public import FUNCTIONS, op, public
from .random_creation import rand

empty = np.empty


# ---------------------------------------------------------------------- unpooling
def _unpool_infer(input, indices, size):
    n = len(size)
    if indices.dtype != np.int64:
        raise RuntimeError("elements in indices should be type int64" + f" but got: {c_name(indices)}" * (n == 2))
    _same_shape(input, indices)
    for d in range(1, input.ndim):
        if input.shape[d] <= 0:
            raise RuntimeError(
                f"max_unpooling{n}d_forward_out_cpu(): Expected input to have non-zero size for non-batch dimensions, "
                f"but got {list(input.shape)} with dimension {d} being empty."
            )
    if input.dtype not in dtypes.FLOATS:
        no_kernel(f"max_unpool{n}d", input)
    return (*input.shape[:2], *size), input.dtype


def _same_shape(input: Any, indices: Any) -> None:
    if input.shape != indices.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got indices "
            f"tensor with shape: {list(indices.shape)}"
        )


def _unpool_cpu(input, indices, size):
    shape, dtype = _unpool_infer(input, indices, size)
    area = prod(size)
    wrong = indices[(indices < 0) | (indices >= area)] if area else indices[:0]
    if wrong.size:
        by = "x".join(map(str, size))
        raise RuntimeError(f"Found an invalid max index: {wrong.flat[-1]} (output volumes are of size {by})")
    planes, count = shape[0] * shape[1], prod(input.shape[2:])
    out = np.zeros((planes, area), dtype)
    if area:
        np.put_along_axis(out, indices.reshape(planes, count), input.reshape(planes, count), 1)
    return channels_last_like(input, out.reshape(shape)) if input.ndim == 4 else out.reshape(shape)


def _unpool_grad(g, indices):
    return pick_in_planes(g, indices)  # noqa: F821


def _unpool_op(name: str, title: str) -> Op:
    record = structured(name=name, title=title, tensors="input indices")(_unpool_infer)
    record.cpu(_unpool_cpu)
    record.grad("input")(_unpool_grad)
    return record


unpool_planes = _unpool_op("unpool_planes", "MaxUnpool2D")
unpool_volumes = _unpool_op("unpool_volumes", "MaxUnpool3D")


def _per_axis(name: str, value: Any, n: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * n
    if not isinstance(value, (tuple, list)):
        return (integer(value, name, f"max_unpool{n}d"),) * n
    check(len(value) >= n or name == "kernel_size", "tuple index out of range", IndexError)
    return tuple(value) if name == "kernel_size" else tuple(value[:n])


def _output_size(input: Tensor, kernel: Any, stride: Any, padding: Any, output_size: Any) -> list[int]:
    """What pooling had as its input, or, of the sizes that pool alike, the one that was asked for."""
    n = len(kernel)
    axes = zip(input.shape[-n:], kernel, stride, padding, strict=True)
    default = [(m - 1) * s + k - 2 * p for m, k, s, p in axes]
    if output_size is None:
        return default
    if len(output_size) == n + 2:
        output_size = output_size[2:]
    if len(output_size) != n:
        raise ValueError(
            f"output_size should be a sequence containing {n} or {n + 2} elements, but it has a length of "
            f"'{len(output_size)}'"
        )
    for d in range(n):
        low, high = default[d] - stride[d], default[d] + stride[d]
        if not low < output_size[d] < high:
            raise ValueError(f'invalid output_size "{output_size}" (dim {d} must be between {low} and {high})')
    return list(output_size)


def _unpool(n: int, input: Tensor, indices: Tensor, kernel: Any, stride: Any, padding: Any, output_size: Any) -> Tensor:
    kernel = _per_axis("kernel_size", kernel, n)
    stride, padding = kernel if stride is None else _per_axis("stride", stride, n), _per_axis("padding", padding, n)
    check(len(kernel) <= n <= input.ndim, "tuple index out of range", IndexError)
    elements = "two elements (height, width)" if n == 2 else "three elements (depth, height, width)"
    if len(kernel) != n:
        raise RuntimeError(f"There should be exactly {elements} in output_size, but got {len(kernel)} elements.")
    size = _output_size(input, kernel, stride, padding, output_size)
    if n == 1:  # as torch does: a plane of width 1
        input, indices, size = op("unsqueeze")(input, -1), op("unsqueeze")(indices, -1), [*size, 1]
    space = len(size)
    if not (n < 3 or min(stride) > 0):
        raise RuntimeError(f"strides should be greater than zero, but got stride: {list(stride)}")
    either = "3d or 4d" if n < 3 else "4d or 5d"
    error = (
        f"Input to max_unpooling{space}d should be a {either} Tensor, but got a tensor with {input.ndim} dimensions."
    )
    if input.ndim == space + 1 and indices.dtype == dtypes.int64:
        _same_shape(input, indices)  # which shows the shapes as they were given
    input, batched = as_batch(input, space, error)
    indices = indices if batched else op("unsqueeze")(indices, 0)
    out = FUNCTIONS["unpool_volumes" if n == 3 else "unpool_planes"](input, indices, tuple(size))
    return op("squeeze_dims")(unbatched(out, batched), (-1,)) if n == 1 else unbatched(out, batched)


@public("nn.functional")
def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Zeros, with the elements of (N, C, L) at the places that max_pool1d found them at."""
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


@public("nn.functional")
def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Zeros, with the elements of (N, C, H, W) at the places that max_pool2d found them at."""
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


@public("nn.functional")
def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Zeros, with the elements of (N, C, D, H, W) at the places that max_pool3d found them at."""
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)


# ---------------------------------------------------------------------- fractional
def _fractional_infer(input, samples, kernel, size):
    n = len(kernel)
    for d, m in enumerate(input.shape):
        if d and not m:
            raise RuntimeError(
                f"fractional_max_pool{n}d(): Expected input to have non-zero size for non-batch dimensions, but got"
                f"{list(input.shape)} with dimension {d} being empty."
            )
    where = "fractional_max_pool2d()" if n == 2 else "fractional_max_pool3d_out()"
    if samples.ndim != 3:
        raise RuntimeError(f"Expect _random_samples to have 3 dimensions, got {samples.ndim}")
    check(samples.dtype == input.dtype, "Expect _random_samples to have the same dtype as input")
    check(samples.shape[0] >= input.shape[0], "Expect _random_samples.size(0) no less then input batch size.")
    check(samples.shape[1] == input.shape[1], "Expect _random_samples.size(1) equals to input channel size.")
    if samples.shape[2] != n:
        raise RuntimeError(f"Expect _random_samples.size(2) equals to {n}; got {samples.shape[2]}.")
    for name, m, k, s in zip(("time", "height", "width")[-n:], input.shape[2:], kernel, size, strict=True):
        if not s + k - 1 <= m:
            raise RuntimeError(f"{where}: pool {name} {k} too large relative to input {name} {m}")
        # torch's windows of nothing have places outside the input, where their gradient would go
        check(k > 0, f"{where}: kernel size should be greater than zero, but got {tuple(kernel)}")
    shape = non_negative((*input.shape[:2], *size))
    return [(shape, input.dtype), (shape, dtypes.INT64_NUMPY)]


def _fractional_cpu(input, samples, kernel, size):
    (shape, dtype), _ = _fractional_infer(input, samples, kernel, size)
    out, indices = empty(shape, dtype), empty(shape, np.int64)
    planes = shape[0] * shape[1]
    samples = samples[: shape[0]].reshape(planes, len(size))
    if len(size) == 2:
        samples = samples[:, ::-1]  # torch's first sample is the width's there, the depth's in volumes
    axes = zip(input.shape[2:], kernel, size, samples.T, strict=True)
    starts = [_fractional_starts(m, k, s, sample[:, None]) for m, k, s, sample in axes]
    ends = [s + k for s, k in zip(starts, kernel, strict=True)]
    pool_kernels().max_windows(input, starts, ends, out, indices)
    return out, indices


def _fractional_starts(inputs: int, kernel: int, outputs: int, sample: Any) -> Any:
    """Where each plane's windows begin: at steps of a fraction, shifted by the plane's sample, the last at the end."""
    steps = sample.dtype.type(inputs - kernel) / sample.dtype.type(max(1, outputs - 1))
    i = np.arange(outputs).astype(sample.dtype)
    starts = ((i + sample) * steps).astype(np.int64) - (sample * steps).astype(np.int64)
    starts[:, -1:] = inputs - kernel
    return starts


fractional_max_planes = max_op(
    "fractional_max_planes", "FractionalMaxPool2D", _fractional_infer, _fractional_cpu, "input samples"
)
fractional_max_volumes = max_op(
    "fractional_max_volumes", "FractionalMaxPool3D", _fractional_infer, _fractional_cpu, "input samples"
)


def _fractional(n: int, input: Tensor, kernel: Any, size: Any, ratio: Any, with_indices: bool, samples: Any) -> Any:
    function = f"fractional_max_pool{n}d"
    if input.ndim <= n:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-input.ndim}, {input.ndim - 1}], but got {-n - 1})"
        )
    if size is None:
        if ratio is None:
            raise ValueError(f"{function} requires specifying either an output_size or an output_ratio")
        if n == 2 and not isinstance(ratio, (tuple, list)):
            raise TypeError(f"object of type '{type_name(ratio)}' has no len()")
        ratios = ratio if isinstance(ratio, (tuple, list)) else (ratio,) * n
        if len(ratios) != n:
            raise ValueError(f"{function} requires output_ratio to either be a single Int or tuple of Ints.")
        size = [int(m * r) for m, r in zip(input.shape[-n:], ratios, strict=True)]
    if samples is None:
        batch = 1 if input.ndim == n + 1 else input.shape[0]
        samples = rand(batch, input.shape[-n - 1], n, dtype=input.dtype, device=input.device)
    single = "must either be a single Int or tuple of Ints"
    kernel = per_axis(kernel, n, f"{function}: kernel_size {single}", "kernel_size", function)
    size = per_axis(size, n, f"{function}: output_size {single}", "output_size", function)
    input, batched = as_batch(input, n, f"{function}(): Expected {n + 1}D or {n + 2}D tensor, but got: {input.shape}")
    record = FUNCTIONS["fractional_max_volumes" if n == 3 else "fractional_max_planes"]
    values, indices = record(input, samples, kernel, size)
    values = unbatched(values, batched)
    return (values, unbatched(indices, batched)) if with_indices else values


def _fractional_function(n: int) -> None:
    def fractional_max_pool(
        input: Tensor,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Any:
        return _fractional(n, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)

    def with_indices(
        input: Tensor,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Any:
        return _fractional(n, input, kernel_size, output_size, output_ratio, True, _random_samples)

    for function, suffix in ((fractional_max_pool, ""), (with_indices, "_with_indices")):
        function.__name__ = function.__qualname__ = f"fractional_max_pool{n}d{suffix}"
        function.__doc__ = f"The maxima of windows at random steps over the last {n} dimensions (arXiv 1412.6071)."
        public("nn.functional")(function)


for _n in (2, 3):
    _fractional_function(_n)
