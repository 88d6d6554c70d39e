"""Windows of images, any number of dimensions: as views of the padded image, and added up again where they overlap."""

import itertools
from math import prod
from typing import Any

from minitorch._kernels.codegen import Formula

from . import array, copy, gemm, pointwise, reduce
from .array import CudaArray


def _sum(x, y):
    return x + y


SUM = Formula(_sum)


def add_into(dest: CudaArray, source: CudaArray) -> None:
    """dest += source, broadcast."""
    pointwise.write(SUM, [dest, source], (), dest)


def windows(x: CudaArray, kernel: Any, dilation: Any, padding: Any, stride: Any, blocks: Any) -> CudaArray:
    """(..., *kernel, *blocks): for each place of the window, what lies under each element of the kernel; a view."""
    space = len(kernel)
    if any(padding):
        around = [p for pair in zip(reversed(padding), reversed(padding), strict=True) for p in pair]
        shape = (*x.shape[:-space], *[n + 2 * p for n, p in zip(x.shape[-space:], padding, strict=True)])
        x = copy.constant_pad((shape, x.dtype), x, around, 0)
    step = x.strides[-space:]
    strides = (
        *x.strides[:-space],
        *[s * d for s, d in zip(step, dilation, strict=True)],
        *[s * d for s, d in zip(step, stride, strict=True)],
    )
    return x.restrided((*x.shape[:-space], *kernel, *blocks), strides)


def windows_added(columns: CudaArray, size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> CudaArray:
    """The image of this size to which each window of (..., *kernel, *blocks) is added where it was taken from."""
    space = len(kernel)
    lead, blocks = columns.shape[: -2 * space], columns.shape[-space:]
    wide = copy.full((*lead, *[n + 2 * p for n, p in zip(size, padding, strict=True)]), 0, columns.dtype)
    every = (slice(None),) * len(lead)
    for place in itertools.product(*map(range, kernel)):
        under = [
            slice(k * d, k * d + s * (n - 1) + 1, s) for k, d, s, n in zip(place, dilation, stride, blocks, strict=True)
        ]
        add_into(wide[(*every, *under)], columns[(*every, *place)])
    return copy.contiguous(wide[(*every, *[slice(p, p + n) for n, p in zip(size, padding, strict=True)])])


def blocks_of(size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> tuple[int, ...]:
    """How many places the window has in each dimension."""
    each = zip(size, kernel, dilation, padding, stride, strict=True)
    return tuple([(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in each])


def im2col(inferred: Any, input: CudaArray, size: Any, sizes: Any) -> CudaArray:
    return copy.reshaped(windows(input, *sizes, blocks_of(size, *sizes)), *inferred[0])


def col2im(inferred: Any, input: CudaArray, size: Any, sizes: Any) -> CudaArray:
    columns = copy.reshaped(input, *inferred[0][:-2], *sizes[0], *blocks_of(size, *sizes))
    return windows_added(columns, size, *sizes)


def unfold_backward(inferred: Any, g: CudaArray, input_shape: Any, dimension: int, size: int, step: int) -> CudaArray:
    shape, dtype = inferred
    made = copy.full(shape, 0, dtype)
    along = made if shape else made.restrided((1,), (dtype.itemsize,))
    dim = dimension % along.ndim
    lead, count = (slice(None),) * dim, g.shape[dim]
    for k in range(size if count else 0):
        last = (*[slice(None)] * (g.ndim - 1), k)
        add_into(along[(*lead, slice(k, k + step * (count - 1) + 1, step))], g[last])
    return made


# ---------------------------------------------------------------------- convolution by columns and matrix products
def _parts(channels: int, groups: int) -> list[slice]:
    """Each group's part of the channels."""
    size = channels // groups
    return [slice(first, first + size) for first in range(0, channels, size)]


def _matrix(columns: CudaArray, lead: int) -> CudaArray:
    """(N, *lead dimensions, *rest) as a batch of matrices."""
    shape = columns.shape
    return copy.reshaped(columns, shape[0], prod(shape[1 : 1 + lead]), prod(shape[1 + lead :]))


def convolution(
    inferred: Any, x: CudaArray, w: CudaArray, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> CudaArray:
    """A convolution of any number of dimensions: its windows, as columns of a matrix, by the weights."""
    out, space = array.empty(*inferred), w.ndim - 2
    columns = windows(x, w.shape[2:], dilation, padding, stride, out.shape[2:])
    for mine, theirs in zip(_parts(x.shape[1], groups), _parts(out.shape[1], groups), strict=True):
        some, weights = _matrix(columns[:, mine], 1 + space), copy.reshaped(w[theirs], 1, -1, prod(w.shape[1:]))
        weights = weights.restrided((out.shape[0], *weights.shape[1:]), (0, *weights.strides[1:]))
        sums = gemm.product(weights, some, array.empty((*weights.shape[:2], some.shape[2]), out.dtype))
        copy.write(out[:, theirs], copy.reshaped(sums, *out[:, theirs].shape))
    _add_bias(out, bias)
    return out


def transpose(
    inferred: Any, g: CudaArray, w: CudaArray, bias: Any, size: Any, stride: Any, padding: Any, dilation: Any,
    groups: int,
) -> CudaArray:  # fmt: skip
    """The transpose of the convolution: columns from the weights, added up where windows overlap."""
    out, kernel, blocks = array.empty(*inferred), w.shape[2:], g.shape[2:]
    for mine, theirs in zip(_parts(g.shape[1], groups), _parts(out.shape[1], groups), strict=True):
        some, weights = _matrix(g[:, mine], 1), copy.reshaped(w[mine], 1, -1, prod(w.shape[1:])).transpose(0, 2, 1)
        weights = weights.restrided((g.shape[0], *weights.shape[1:]), (0, *weights.strides[1:]))
        columns = gemm.product(weights, some, array.empty((*weights.shape[:2], some.shape[2]), out.dtype))
        columns = copy.reshaped(columns, g.shape[0], w.shape[1], *kernel, *blocks)
        copy.write(out[:, theirs], windows_added(columns, out.shape[2:], kernel, dilation, padding, stride))
    _add_bias(out, bias)
    return out


def backward_weight(
    inferred: Any, g: CudaArray, x: CudaArray, stride: Any, padding: Any, dilation: Any, groups: int
) -> CudaArray:
    """The gradient for the weights: that of each sample as a product of matrices, then their sum."""
    dw = array.empty(*inferred)
    columns = windows(x, dw.shape[2:], dilation, padding, stride, g.shape[2:])
    for mine, theirs in zip(_parts(x.shape[1], groups), _parts(dw.shape[0], groups), strict=True):
        some, given = _matrix(columns[:, mine], dw.ndim - 1), _matrix(g[:, theirs], 1)
        each = array.empty((g.shape[0], given.shape[1], some.shape[1]), dw.dtype)
        gemm.product(given, some.transpose(0, 2, 1), each)
        total = reduce.sum((each.shape[1:], dw.dtype), each, 0)
        copy.write(dw[theirs], copy.reshaped(total, *dw[theirs].shape))
    return dw


def _add_bias(out: CudaArray, bias: Any) -> None:
    if bias is not None:
        add_into(out, bias[(slice(None), *(None,) * (out.ndim - 2))])
