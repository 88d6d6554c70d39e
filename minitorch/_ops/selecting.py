"""Choosing by condition and searching: where, nonzero, isin, unravel_index."""

from math import prod
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels.cpu import choice
from minitorch._tensor import Tensor
from minitorch.autograd._warnings import warn

from .check import broadcast_error, c_name, check, needs_data, type_name
from .op import OPS, structured
from .operands import CONSTANTS, NUMBERS, cast, common_dtype, number_operand, python_number, refuse_complex
from .public import FUNCTIONS, into, op, public
from .reductions import reduced_dims, reduced_shape

ndarray = np.ndarray


# ---------------------------------------------------------------------- where
@structured(name="choose", title="Where", tensors="condition input other")
def choose(condition, input, other):
    try:
        return np.broadcast_shapes(condition.shape, input.shape, other.shape), input.dtype
    except ValueError:
        raise broadcast_error([condition.shape, input.shape, other.shape]) from None


@choose.cpu
def choose_cpu(condition, input, other):
    try:
        return choice.choose(condition, input, other)
    except ValueError:
        raise broadcast_error([condition.shape, input.shape, other.shape]) from None


@choose.grad("input")
def where_grad_input(g, condition, input_shape):
    return sum_to_size(where(condition, g, 0.0), input_shape)  # noqa: F821


@choose.grad("other")
def where_grad_other(g, condition, other_shape):
    return sum_to_size(where(condition, 0.0, g), other_shape)  # noqa: F821


@public("torch")
def where(condition: Tensor, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """input where the condition holds, else other; the condition alone is nonzero(as_tuple=True).

    >>> import minitorch as torch
    >>> torch.where(torch.tensor([True, False]), torch.ones(2), 0.0)
    tensor([1., 0.])
    """
    if isinstance(condition, Tensor) and input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if not (
        isinstance(condition, Tensor)
        and (isinstance(input, Tensor) or input.__class__ in NUMBERS)
        and (isinstance(other, Tensor) or other.__class__ in NUMBERS)
    ):
        if isinstance(input, np.generic) or isinstance(other, np.generic):
            return where(condition, python_number(input), python_number(other), out=out)
        refuse_complex("where", input, other)
        kinds = ", ".join(type_name(v) for v in (condition, input, other) if v is not None)
        raise TypeError(f"where() received an invalid combination of arguments - got ({kinds}), but expected one of:")
    dtype = condition.array.dtype
    if dtype == np.uint8:
        warn(
            "where received a uint8 condition tensor. This behavior is deprecated and will be "
            "removed in a future version of "
            "PyTorch. Use a boolean condition instead.",
            UserWarning,
        )
        condition = cast(condition, dtypes.BOOL_NUMPY)
    elif dtype is not dtypes.BOOL_NUMPY:
        raise RuntimeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype {c_name(condition.array)}"
        )
    result = OPS["choose"].function(condition, *_branches(input, other))
    if out is None:
        return result
    from .inplace import into

    return into(out, OPS["choose"], result, condition, input, other)


def _branches(input: Any, other: Any) -> tuple[Tensor, Tensor]:
    """Both values as tensors of their common dtype."""
    if isinstance(input, Tensor):
        if not isinstance(other, Tensor):
            return _beside(input, other)
    elif isinstance(other, Tensor):
        return _beside(other, input)[::-1]
    else:
        from minitorch._creation import tensor

        input, other = tensor(input), tensor(other)
    if input.array.dtype is other.array.dtype:
        return input, other
    dtype = common_dtype([input.array, other.array])
    return tuple([t if t.array.dtype is dtype else cast(t, dtype) for t in (input, other)])  # type: ignore[return-value]


def _beside(x: Tensor, number: Any) -> tuple[Tensor, Tensor]:
    kept = CONSTANTS.get((number, x.array.dtype))
    return number_operand(OPS["choose"], x, number) if kept is None or not x.is_cpu else (x, kept)


@public("Tensor", name="where", bare=True)
def tensor_where(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """self where the condition is true, else other."""
    return where(condition, self, other)


# ---------------------------------------------------------------------- nonzero
@structured(tensors="input")
def nonzero_rows(input):
    needs_data("nonzero()", input)
    return None, dtypes.INT64_NUMPY


@nonzero_rows.cpu
def nonzero_rows_cpu(input):
    if not input.ndim:
        return np.zeros((int(bool(input)), 0), np.int64)
    flat = np.flatnonzero(input)  # with the divisions, a quarter of np.nonzero's time
    rows = np.empty((input.ndim, flat.size), np.int64)
    for d in range(input.ndim - 1, 0, -1):
        flat, rows[d] = np.divmod(flat, input.shape[d])
    rows[0] = flat
    return rows.T


@public("torch Tensor")
def nonzero(input: Tensor, *, out: Any = None, as_tuple: bool = False) -> Any:
    """The indices of elements that are not zero: rows, or as a tuple one tensor per dimension."""
    if as_tuple:
        input = input if input.ndim else FUNCTIONS["reshape"](input, 1)
        return FUNCTIONS["unbind"](OPS["nonzero_rows"].function(input), 1)
    result = OPS["nonzero_rows"].function(input)
    if out is None:
        return result
    from .inplace import into

    return into(out, OPS["nonzero_rows"], result)


@public("torch Tensor")
def argwhere(input: Tensor) -> Tensor:
    """The indices of elements that are not zero, one row each."""
    return nonzero(input)


@structured(tensors="input", on="torch Tensor", takes_out=False)
def count_nonzero(input, dim=None):
    return reduced_shape(input.shape, reduced_dims(dim, input.ndim), False), dtypes.INT64_NUMPY


@count_nonzero.cpu
def count_nonzero_cpu(input, dim=None):
    dims = reduced_dims(dim, input.ndim)
    return np.asarray(np.count_nonzero(input, axis=dims if input.ndim else None), np.int64)


@structured(tensors="input")
def nonzero_rows_static(input, size, fill_value):
    return (size, input.ndim), dtypes.INT64_NUMPY


@nonzero_rows_static.cpu
def nonzero_rows_static_cpu(input, size, fill_value):
    out = np.full((size, input.ndim), fill_value, np.int64)
    rows = nonzero_rows_cpu(input)[:size]
    out[: len(rows)] = rows
    return out


@public("torch Tensor")
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1, out: Any = None) -> Tensor:
    """The first `size` rows of nonzero, filled up with fill_value."""
    check(size >= 0, "nonzero_static: 'size' must be an non-negative integer")
    return into(out, "nonzero_static", op("nonzero_rows_static")(input, size, fill_value))


# ---------------------------------------------------------------------- isin
@structured(tensors="elements test_elements")
def is_among(elements, test_elements, assume_unique, invert):
    return elements.shape, dtypes.BOOL_NUMPY


@is_among.cpu
def is_among_cpu(elements, test_elements, assume_unique, invert):
    return np.asarray(np.isin(elements, test_elements, assume_unique=assume_unique, invert=invert))


@public("torch", words="element=elements test_element=test_elements")
def isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False, out: Any = None
) -> Tensor:
    """Which elements are among the test elements; with invert, which are not.

    >>> import minitorch as torch
    >>> torch.isin(torch.tensor([1, 2, 3]), torch.tensor([3, 1]))
    tensor([ True, False,  True])
    """
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        kinds = f"({type_name(elements)}, {type_name(test_elements)})"
        raise TypeError(f"isin() received an invalid combination of arguments - got {kinds}, but expected one of:")
    for t in (elements, test_elements):
        is_bool = t.array.dtype == np.bool_ if isinstance(t, Tensor) else isinstance(t, bool)
        check(not is_bool, "Unsupported input type encountered for isin(): Bool")
    elements, test_elements = _branches(elements, test_elements)
    return into(out, "isin", op("is_among")(elements, test_elements, assume_unique, invert))


# ---------------------------------------------------------------------- positions in a shape
@public("torch")
def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """Positions in a flat tensor of this shape as one tensor of indices per dimension.

    >>> import minitorch as torch
    >>> torch.unravel_index(torch.tensor(5), (2, 3))
    (tensor(1), tensor(2))
    """
    if not isinstance(indices, Tensor) or indices.array.dtype.kind not in "iu":
        kind = indices.dtype if isinstance(indices, Tensor) else type_name(indices)
        raise TypeError(f"expected 'indices' to be integer dtype, but got {kind}")
    if isinstance(shape, Tensor):
        shape = shape.tolist()
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    for n in shape:
        check(isinstance(n, int), f"expected 'shape' sequence to only contain ints, but got {type(n)}", TypeError)
    if any(n < 0 for n in shape):
        raise ValueError(f"'shape' cannot have negative values, but got {shape}")
    steps = [prod(shape[i:]) for i in range(1, len(shape) + 1)]
    indices = cast(indices, dtypes.INT64_NUMPY)
    if 0 in shape:
        return tuple([indices.clone() for _ in shape])
    return tuple([indices // s % n for s, n in zip(steps, shape, strict=True)])
