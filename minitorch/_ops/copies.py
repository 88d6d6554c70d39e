"""Ops that copy: dtype conversion, clone, copy_, fill_, sums that undo broadcasting, concatenation."""

from typing import Any

import numpy as np

from minitorch._kernels.copies import in_order
from minitorch._kernels.half import converted, write
from minitorch._kernels.layout import copied
from minitorch._kernels.strided import is_dense, repeats
from minitorch._storage import address
from minitorch._tensor import Tensor

from .check import check, wrap_dim
from .op import ARRAY_NAMES, structured

ndarray = np.ndarray


@structured(tensors="input", halves="own")
def to_copy(input, dtype):
    return input.shape, dtype


@to_copy.cpu
def to_copy_cpu(input, dtype):
    """C's conversion, as torch's: a float outside an integer's range gives what the processor gives."""
    return converted(input, dtype)


@to_copy.grad("input")
def to_copy_grad(g, input_dtype):
    return to_dtype(g, input_dtype)  # noqa: F821


@structured(tensors="input", halves="bits")
def clone(input):
    return input.shape, input.dtype


@clone.cpu
def clone_cpu(input):
    return copied(input)


@clone.grad("input")
def clone_grad(g):
    return g


@structured(tensors="input", title="Clone", halves="bits")
def dense(input):
    """A copy in index order, whatever the layout: what `contiguous` and `reshape` make."""
    return input.shape, input.dtype


@dense.cpu
def dense_cpu(input):
    return in_order(input)


@dense.grad("input")
def dense_grad(g):
    return g


@structured(tensors="input")
def sum_to_size(input, shape):
    return tuple(shape), input.dtype


@sum_to_size.cpu
def sum_to_size_cpu(input, shape):
    from .reductions import sum_to

    return input if input.shape == tuple(shape) else sum_to(input, tuple(shape))


@sum_to_size.grad("input")
def sum_to_size_grad(g, input_shape):
    return expand_to(g, input_shape)  # noqa: F821


# in place: the first tensor's old value plays no part, so nothing of its gradient flows on
@structured(name="copy_from", title="CopyBackwards", tensors="input src", inplace=True)
def copy_from(input, src):
    return input.shape, input.dtype


@copy_from.grad("input")
def copy_grad_input(g):
    return zeros_like(g)  # noqa: F821


@copy_from.grad("src")
def copy_grad_src(g, src_shape, src_dtype):
    return to_dtype(sum_to_size(g, src_shape), src_dtype)  # noqa: F821


def copy_into(input: np.ndarray, src: np.ndarray) -> np.ndarray:
    """Write src, broadcast and converted, into input's memory."""
    try:
        write(input, src)
    except ValueError:
        raise copy_error(input.shape, src.shape) from None
    return input


def copy_error(have: tuple[int, ...], given: tuple[int, ...]) -> RuntimeError:
    lead = len(have) - len(given)
    if lead < 0:
        return RuntimeError(f"output with shape {list(have)} doesn't match the broadcast shape {list(given)}")
    i = next(i for i in reversed(range(len(given))) if given[i] not in (1, have[i + lead]))
    return RuntimeError(
        f"The expanded size of the tensor ({have[i + lead]}) must match the existing size ({given[i]}) at "
        f"non-singleton dimension {i + lead}.  Target sizes: {list(have)}.  Tensor sizes: {list(given)}"
    )


copy_from.cpu(copy_into)


@structured(name="fill_with", title="Fill", tensors="input", inplace=True)
def fill_with(input, value):
    return input.shape, input.dtype


@fill_with.cpu
def fill_array(input, value):
    """Write one number to every element."""
    input[...] = value
    return input


@fill_with.grad("input")
def fill_grad(g):
    return zeros_like(g)  # noqa: F821


@structured(tensors="input", inplace="torch Tensor")
def zero(input):
    """Write 0 to every element."""
    return input.shape, input.dtype


@zero.cpu
def zero_array(input):
    input.fill(0)
    return input


@zero.grad("input")
def zero_grad_input(g):
    return zeros_like(g)  # noqa: F821


def check_not_overlapping(t: Tensor) -> None:
    """Refuse to write where several elements share one place in memory."""
    check_array_not_overlapping(t.array)


def check_array_not_overlapping(a: Any) -> None:
    """The same of a tensor's array."""
    check(
        a.flags.c_contiguous or not a.size or not repeats(a.shape, a.strides),
        "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
        "Please clone() the tensor before performing the operation.",
    )


def check_overlap(t: Tensor, *operands: Any, internal: bool = True, apart: bool = False) -> None:
    """Refuse a write to memory that overlaps with itself, or in part with an operand's.

    With `apart`, for ops that read their operands while they write, also to memory that is all of an operand's.
    """
    a = t.array
    if internal and not a.flags.c_contiguous:
        check_array_not_overlapping(a)
    if not isinstance(a, ndarray):
        return
    for other in operands:
        if (other.__class__ is not Tensor and not isinstance(other, Tensor)) or other.version is not t.version:
            continue
        b = other.array
        if not isinstance(b, ndarray):
            continue
        same = other is t or (address(a) == address(b) and a.strides == b.strides and a.shape == b.shape)
        # torch looks for overlaps only where the elements fill their stretch of memory
        dense = same or all(is_dense(each.shape, each.strides, each.itemsize) for each in (a, b))
        check(
            not apart if same else not (dense and np.may_share_memory(a, b)),
            "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single "
            "memory location. Please clone() the tensor before performing the operation.",
        )


# ---------------------------------------------------------------------- joining
def cat_shape(arrays: Any, dim: int) -> tuple[int, ...]:
    """The shape of the concatenation, with torch's checks."""
    shapes = [a.shape for a in arrays]
    if len(shapes[0]) > 1 and shapes.count(shapes[0]) == len(shapes):
        dim, shape = wrap_dim(dim, len(shapes[0])), shapes[0]
        return (*shape[:dim], shape[dim] * len(shapes), *shape[dim + 1 :])
    kept = [a for a in arrays if a.shape != (0,)] or [arrays[0]]
    first = kept[0]
    for position, a in enumerate(arrays):
        if not a.ndim:
            raise RuntimeError(f"zero-dimensional tensor (at position {position}) cannot be concatenated")
    dim = wrap_dim(dim, first.ndim)
    for position, a in enumerate(arrays):
        if a.shape == (0,):
            continue
        if a.ndim != first.ndim:
            raise RuntimeError(f"Tensors must have same number of dimensions: got {first.ndim} and {a.ndim}")
        for i, (n, m) in enumerate(zip(first.shape, a.shape, strict=True)):
            if not (i == dim or n == m):
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {dim}. Expected size {n} but got size {m} for "
                    f"tensor number {position} in the list."
                )
    total = sum(a.shape[dim] for a in kept)
    return (*first.shape[:dim], total, *first.shape[dim + 1 :])


ARRAY_NAMES.update(clone=clone_cpu)
