"""segment_reduce: sums, means, products and extremes of pieces of a dimension, of any lengths."""

import functools
from math import inf, nan, prod
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels import cache
from minitorch._kernels.copies import contiguous
from minitorch._tensor import Tensor

from .check import anywhere, check, float_required, no_kernel, refuse_batch, wrap_dim
from .op import structured
from .operands import number_argument
from .public import FUNCTIONS, op, public

# what each reduction begins with, in the order of the kernels' numbers
_STARTS = {"sum": 0.0, "mean": 0.0, "max": -inf, "min": inf, "prod": 1.0}
_HOW = {how: number for number, how in enumerate(_STARTS)}


@functools.cache
def _kernels() -> Any:
    return cache.load_file("cpu.segments")


def _in_rows(array: np.ndarray, axis: int) -> np.ndarray:
    """(outer, along the axis, inner)."""
    shape = array.shape
    return contiguous(array).reshape(prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]))


def _bounds(begins: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shape = prod(begins.shape[:-1]), begins.shape[-1]
    return contiguous(begins).reshape(shape), contiguous(ends).reshape(shape)


def _start(how: str, initial: float | None) -> tuple[float, float]:
    """What a reduction begins with, and the result of no elements."""
    if initial is not None:
        return initial, initial
    return _STARTS[how], nan if how == "mean" else _STARTS[how]


@structured(title="SegmentReduce", tensors="data begins ends")
def segments_reduced(data, begins, ends, how, start, of_none):
    """The reduction along the bounds' last dimension, from `start`; `of_none` where a segment has no elements."""
    float_required("_segment_reduce", data)
    axis = begins.ndim - 1
    check(begins.shape[:axis] == data.shape[:axis], "segment_reduce(): each row of data needs a row of segments")
    return (*data.shape[:axis], begins.shape[axis], *data.shape[axis + 1 :]), data.dtype


@segments_reduced.cpu
def segments_reduced_cpu(data, begins, ends, how, start, of_none):
    shape, dtype = segments_reduced.infer(data, begins, ends, how, start, of_none)
    axis = begins.ndim - 1
    n = data.shape[axis]
    outside = begins.size and (begins.min() < 0 or ends.min() < 0 or begins.max() > n or ends.max() > n)
    check(not outside, f"segment_reduce(): segments must lie within the {n} elements along axis {axis}")
    dest = np.empty(shape, dtype)
    _kernels().reduce(_in_rows(data, axis), *_bounds(begins, ends), _HOW[how], start, of_none, _in_rows(dest, axis))
    return dest


@segments_reduced.grad("data")
def segments_reduced_grad(g, out, data, begins, ends, how, start, of_none):
    return segments_reduced_backward(g, out, data, begins, ends, how, start)


@structured(tensors="slope result data begins ends")
def segments_reduced_backward(slope, result, data, begins, ends, how, start):
    return data.shape, data.dtype


@segments_reduced_backward.cpu
def segments_reduced_backward_cpu(slope, result, data, begins, ends, how, start):
    axis = begins.ndim - 1
    dest = np.zeros(data.shape, data.dtype)
    arrays = [_in_rows(a, axis) for a in (slope, result, data)]
    _kernels().spread(*arrays, *_bounds(begins, ends), _HOW[how], start, _in_rows(dest, axis))
    return dest


@segments_reduced_backward.grad("slope", "result", "data")
def segments_reduced_backward_grad(g):
    raise RuntimeError("derivative for aten::_segment_reduce_backward is not implemented")


@public("torch", "_segment_reduce")
def segment_reduce(
    data: Tensor,
    reduce: str,
    *,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: Any = None,
) -> Tensor:
    """Reduce segments of the axis, of which lengths or offsets are given, to "sum", "mean", "max", "min" or "prod".

    Lengths and offsets have the dimensions of the data up to the axis. Offsets, which count if both are given, hold one
    number more than there are segments. Each begins with `initial`, which also counts for segments of no elements.
    `unsafe` leaves out two checks of lengths; what points outside the data is refused all the same. As in torch,
    elements as large as the result share a gradient only if that is positive, and it has no second derivative.

    >>> import minitorch as torch
    >>> torch.segment_reduce(torch.tensor([1.0, 2.0, 4.0]), "sum", lengths=torch.tensor([1, 2]))
    tensor([1., 6.])
    """
    axis = wrap_dim(axis, data.ndim)
    check(indices is None, "segment_reduce(): indices based reduction is not supported yet.")
    if lengths is None and offsets is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    how = {"amax": "max", "amin": "min"}.get(reduce, reduce)
    check(how in _STARTS, f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if initial is not None:
        initial = float(number_argument("segment_reduce", "initial", None, initial))
    if lengths is None or offsets is not None:
        begins, ends = _between(offsets, data, axis)
    else:
        begins, ends = _one_after_another(lengths, data, axis, unsafe)
    return op("segments_reduced")(data, begins, ends, how, *_start(how, initial))


def _check_place(name: str, given: Tensor, data: Tensor, axis: int) -> None:
    refuse_batch("segment_reduce", **{name: given})
    if data.ndim < given.ndim:
        raise RuntimeError(
            f"Expected data.dim() >= {name}_value.dim() to be true, but got false.  (Could this error message be "
            "improved?  If so, please report an enhancement request to PyTorch.)"
        )
    if axis != given.ndim - 1:
        raise RuntimeError(f"segment_reduce(): Expected axis to be the last dimension of {name} but got {axis}.")


def _check_dtype(name: str, given: Tensor) -> None:
    if given.dtype not in (dtypes.int64, dtypes.int32):
        no_kernel(f"_segment_reduce_{name}_cpu_kernel1", given.array)


def _between(offsets: Any, data: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Where segments begin and end, by their offsets."""
    _check_place("offsets", offsets, data, axis)
    _check_dtype("offsets", offsets)
    n = offsets.shape[axis] - 1
    shape = [*data.shape[:axis], n, *data.shape[axis + 1 :]]
    check(n >= 0, f"Trying to create tensor with negative dimension -1: {shape}")
    offsets = FUNCTIONS["to"](offsets, dtypes.int64)
    return offsets.narrow(axis, 0, n), offsets.narrow(axis, 1, n)


def _one_after_another(lengths: Tensor, data: Tensor, axis: int, unsafe: bool) -> tuple[Tensor, Tensor]:
    """Where segments begin and end, by their lengths."""
    _check_place("lengths", lengths, data, axis)
    if not unsafe and not lengths.is_meta:
        check(lengths.min().item() >= 0, "lengths contains negative value!")
        check(
            not anywhere(lengths.sum(-1) != data.shape[axis]),
            "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when "
            "!unsafe.",
        )
    _check_dtype("lengths", lengths)
    ends = lengths.cumsum(-1)
    return ends - lengths, ends
