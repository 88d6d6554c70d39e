"""Sliding patches: Tensor.unfold, unfold (im2col) and its adjoint fold (col2im); pixel_shuffle, channel_shuffle."""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels.layout import is_channels_last
from minitorch._kernels.strided import restrided
from minitorch._tensor import Tensor

from .check import integer, no_kernel, wrap_dim
from .nodes import titled
from .op import structured, view
from .public import op, public
from .shapes import reshape


# ---------------------------------------------------------------------- windows along one dimension
@view(tensors="input", name="unfold_view", title="Unfold")
def unfold_view(input, dimension, size, step):
    dim = wrap_dim(dimension, input.ndim)
    shape, strides = (input.shape, input.strides) if input.ndim else ((1,), (input.dtype.itemsize,))
    n = shape[dim]
    if not size >= 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if not size <= n:
        raise RuntimeError(f"maximum size for tensor at dimension {dim} is {n} but size is {size}")
    if not step > 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    if not input.ndim:
        return restrided(input, (size,), strides)
    count = (n - size) // step + 1
    return restrided(
        input,
        (*shape[:dim], count, *shape[dim + 1 :], size),
        (*strides[:dim], strides[dim] * step, *strides[dim + 1 :], strides[dim]),
    )


@unfold_view.grad("input")
def unfold_grad(g, input_shape, dimension, size, step):
    return unfold_backward(g, input_shape, dimension, size, step)


@structured(tensors="g")
def unfold_backward(g, input_shape, dimension, size, step):
    return input_shape, g.dtype


@unfold_backward.cpu
def unfold_backward_cpu(g, input_shape, dimension, size, step):
    d = np.zeros(input_shape, g.dtype)
    if not d.ndim:
        return np.asarray(g.sum(dtype=g.dtype))
    dim = wrap_dim(dimension, d.ndim)
    along, count = np.moveaxis(d, dim, -1), g.shape[dim]
    parts = np.moveaxis(g, dim, -2)
    for k in range(size):  # windows that overlap meet here
        along[..., k : k + step * (count - 1) + 1 : step] += parts[..., k]
    return d


@unfold_backward.grad("g")
def unfold_backward_grad(g, dimension, size, step):
    return unfold_view(g, dimension, size, step)


# ---------------------------------------------------------------------- patches as columns
class _Windows:
    """The windows of one call; `sizes` are kernel, dilation, padding and stride, each (height, width)."""

    def __init__(self, size: tuple[int, int], sizes: Any):
        self.size, self.sizes = size, sizes
        kernel, dilation, padding, stride = sizes
        self.blocks = tuple(
            [
                (n + 2 * p - d * (k - 1) - 1) // s + 1
                for n, k, d, p, s in zip(size, kernel, dilation, padding, stride, strict=True)
            ]
        )

    def parts(self) -> Any:
        """For each element of the kernel: (row, column, its places in the padded image)."""
        (kernel, dilation, _, stride), blocks = self.sizes, self.blocks
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                rows, columns = (
                    slice(k * d, k * d + s * (n - 1) + 1, s)
                    for k, d, s, n in zip((i, j), dilation, stride, blocks, strict=True)
                )
                yield i, j, (Ellipsis, rows, columns)


@structured(tensors="input", title="Im2Col")
def im2col(input, size, sizes):
    kernel = sizes[0]
    blocks = _Windows(size, sizes).blocks
    return (*input.shape[:-3], input.shape[-3] * kernel[0] * kernel[1], blocks[0] * blocks[1]), input.dtype


@im2col.cpu
def im2col_cpu(input, size, sizes):
    shape, _ = im2col.infer(input, size, sizes)
    kernel, dilation, padding, stride = sizes
    if padding[0] or padding[1]:
        around = [(0, 0)] * (input.ndim - 2) + [(p, p) for p in padding]
        input = np.pad(input, around)
    strides, step = input.strides[:-2], input.strides[-2:]
    strides += tuple([s * d for s, d in zip(step, dilation)]) + tuple([s * d for s, d in zip(step, stride)])
    windows = restrided(input, (*input.shape[:-2], *kernel, *_Windows(size, sizes).blocks), strides)
    return np.ascontiguousarray(windows).reshape(shape)


@im2col.grad("input")
def im2col_grad(g, size, sizes):
    return col2im(g, size, sizes)


@structured(tensors="input", title="Col2Im")
def col2im(input, size, sizes):
    kernel = sizes[0]
    return (*input.shape[:-2], input.shape[-2] // (kernel[0] * kernel[1]), *size), input.dtype


@col2im.cpu
def col2im_cpu(input, size, sizes):
    shape, _ = col2im.infer(input, size, sizes)
    windows, (kernel, _, padding, _) = _Windows(size, sizes), sizes
    columns = input.reshape((*shape[:-2], *kernel, *windows.blocks))
    wide = np.zeros((*shape[:-2], *[n + 2 * p for n, p in zip(size, padding, strict=True)]), input.dtype)
    for i, j, places in windows.parts():
        wide[places] += columns[..., i, j, :, :]
    inner = (Ellipsis, *[slice(p, p + n) for n, p in zip(size, padding, strict=True)])
    return np.ascontiguousarray(wide[inner])


@col2im.grad("input")
def col2im_grad(g, size, sizes):
    return im2col(g, size, sizes)


def _two(value: Any, name: str) -> tuple[int, int]:
    values = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(values) != 2:
        raise RuntimeError(f"It is expected {name} equals to 2, but got size {len(values)}")
    return integer(values[0], name, "unfold"), integer(values[1], name, "unfold")


def _window_sizes(kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    kernel, dilation = _two(kernel_size, "kernel_size"), _two(dilation, "dilation")
    padding, stride = _two(padding, "padding"), _two(stride, "stride")
    for name, label, pair in (("kernel size", "kernel", kernel), ("stride", "stride", stride)):
        if min(pair) <= 0:
            raise RuntimeError(
                f"{name} should be greater than zero, but got {label}_height: {pair[0]} {label}_width: {pair[1]}"
            )
    if min(dilation) <= 0:
        raise RuntimeError(
            f"dilation should be greater than zero, but got dilation_height: {dilation[0]} dilation_width: "
            f"{dilation[1]}"
        )
    if min(padding) < 0:
        raise RuntimeError(f"padding should be non-negative, but got pad_height: {padding[0]} pad_width: {padding[1]}")
    return kernel, dilation, padding, stride


def _refuse_dtype(kernel: str, input: Tensor) -> None:
    if input.array.dtype not in dtypes.FLOATS and input.array.dtype != np.bool_:
        no_kernel(kernel, input.array)


@public("nn.functional")
def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """(N, C, H, W) -> (N, C * kernel, blocks): each window of the image as a column.

    >>> import minitorch as torch
    >>> torch.nn.functional.unfold(torch.arange(9.0).reshape(1, 1, 3, 3), 2)[0, :, 0]
    tensor([0., 1., 3., 4.])
    """
    sizes = _window_sizes(kernel_size, dilation, padding, stride)
    kernel, dilation, padding, _ = sizes
    if input.ndim < 3:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-input.ndim}, {input.ndim - 1}], but got 2)"
        )
    if not (input.ndim in (3, 4) and 0 not in input.shape[-3:]):
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, "
            f"but got: {list(input.shape)}"
        )
    size = tuple(input.shape[-2:])
    blocks = _Windows(size, sizes).blocks
    if min(blocks) <= 0:
        raise RuntimeError(
            f"Given input with spatial size ({size[0]}, {size[1]}), kernel_size=({kernel[0]}, {kernel[1]}), "
            f"dilation=({dilation[0]}, {dilation[1]}), padding=({padding[0]}, {padding[1]}), calculated shape of the "
            f"array of sliding blocks as ({blocks[0]}, {blocks[1]}), but its components must be at least one."
        )
    _refuse_dtype("im2col_out_cpu", input)
    return op("im2col")(input, size, sizes)


@public("nn.functional")
def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """(N, C * kernel, blocks) -> (N, C, H, W): each column added at its window, the adjoint of `unfold`."""
    size = _two(output_size, "output_size")
    sizes = _window_sizes(kernel_size, dilation, padding, stride)
    kernel, dilation, padding, stride = sizes
    if not (input.ndim in (2, 3) and 0 not in input.shape[-2:]):
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            f"input, but got: {list(input.shape)}"
        )
    channels, columns = input.shape[-2:]
    if channels % (kernel[0] * kernel[1]) != 0:
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={channels} and kernel_size=({kernel[0]}, {kernel[1]})."
        )
    blocks = _Windows(size, sizes).blocks
    count = blocks[0] * blocks[1]
    text = ", ".join(
        f"{name}=({pair[0]}, {pair[1]})"
        for name, pair in zip(
            ("output_size", "kernel_size", "dilation", "padding", "stride"),
            (size, kernel, dilation, padding, stride),
            strict=True,
        )
    )
    if not (count == columns and min(blocks) > 0):
        raise RuntimeError(
            f"Given {text}, expected size of input's dimension 2 to match the calculated number of sliding blocks "
            f"{blocks[0]} * {blocks[1]} = {count}, but got input.size(2)={columns}."
        )
    _refuse_dtype("col2im_out_cpu", input)
    return op("col2im")(input, size, sizes)


# ---------------------------------------------------------------------- shuffles
def _check_shuffle(name: str, factor: str, input: Tensor, n: int) -> None:
    if input.ndim < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        )
    if not n > 0:
        raise RuntimeError(f"{name} expects a positive {factor}, but got {n}")


@public("torch nn.functional")
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(..., C * r * r, H, W) -> (..., C, H * r, W * r), r the upscale_factor."""
    r = upscale_factor
    _check_shuffle("pixel_shuffle", "upscale_factor", input, r)
    *lead, c, h, w = input.shape
    if c % (r * r) != 0:
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={c} is not divisible by {r * r}"
        )
    k = len(lead)
    parts = reshape(input, *lead, c // (r * r), r, r, h, w)
    order = (*range(k + 1), k + 3, k + 1, k + 4, k + 2)
    moved = op("dense")(op("permute_dims")(parts, order))
    return _shuffled(input, reshape(moved, *lead, c // (r * r), h * r, w * r), "PixelShuffleBackward0")


def _shuffled(input: Tensor, result: Tensor, title: str) -> Tensor:
    """The result as one node of that title, channels beside each other in memory if they are in the input."""
    if is_channels_last(input.array):
        result = op("clone_channels_last")(result)
    return titled(result, title)


@public("torch nn.functional")
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(..., C, H * r, W * r) -> (..., C * r * r, H, W), r the downscale_factor."""
    r = downscale_factor
    _check_shuffle("pixel_unshuffle", "downscale_factor", input, r)
    *lead, c, h, w = input.shape
    for n, name, dim in ((h, "height", -2), (w, "width", -1)):
        if n % r != 0:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size({dim})={n} is not "
                f"divisible by {r}"
            )
    k = len(lead)
    parts = reshape(input, *lead, c, h // r, r, w // r, r)
    order = (*range(k + 1), k + 2, k + 4, k + 1, k + 3)
    moved = op("dense")(op("permute_dims")(parts, order))
    return _shuffled(input, reshape(moved, *lead, c * r * r, h // r, w // r), "PixelUnshuffleBackward0")


@public("torch nn.functional", "native_channel_shuffle")
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels (dimension 1) of `groups` groups taken in turn."""
    shape = tuple(input.shape)
    if len(shape) <= 2:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(shape)}")
    if not groups > 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    if shape[1] % groups != 0:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {shape[1]} channels and {groups} groups."
        )
    parts = reshape(input, shape[0], groups, shape[1] // groups, *shape[2:])
    return _shuffled(input, reshape(op("dense")(op("transpose")(parts, 1, 2)), shape), "ChannelShuffleBackward0")
