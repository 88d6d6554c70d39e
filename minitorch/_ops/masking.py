"""Ops that read or write where a mask is true."""

from typing import Any

import numpy as np

from minitorch._dtype import BOOL_NUMPY
from minitorch._kernels.cpu import choice
from minitorch._kernels.layout import copied
from minitorch._tensor import Tensor

from .check import broadcast_error, check, type_name
from .gathering import writer
from .indexing import value_for, warn_if_expanded
from .op import OPS, structured
from .operands import NUMBERS, cast, tensors_only
from .positions import At
from .public import FUNCTIONS, into, public

ndarray = np.ndarray


def in_dtype_of(x: Tensor, value: Tensor) -> Tensor:
    return value if value.array.dtype is x.array.dtype else cast(value, x.array.dtype)


@structured(name="masked_fill_into", title="MaskedFill", tensors="input value mask", inplace=True)
def masked_fill_into(input, value, mask):
    return input.shape, input.dtype


@masked_fill_into.cpu
def masked_fill_array(input, value, mask):
    choice.fill(input, value, mask)
    return input


@masked_fill_into.grad("input")
def masked_fill_grad_input(g, mask):
    return masked_zero(g, mask)


@masked_fill_into.grad("value")
def masked_fill_grad_value(g, mask):
    return sum(where(mask, g, 0.0))  # noqa: F821


@structured(title="MaskedFill", tensors="input value mask")
def masked_filled(input, value, mask):
    """masked_fill_into of a copy, in one pass; the mask has the input's shape."""
    return input.shape, input.dtype


@masked_filled.cpu
def masked_filled_cpu(input, value, mask):
    if input.flags.c_contiguous and mask.flags.c_contiguous:
        return choice.choose(mask, value, input)
    made = copied(input)
    choice.fill(made, value, mask)
    return made


@masked_filled.grad("input")
def masked_filled_grad_input(g, mask):
    return masked_zero(g, mask)


@masked_filled.grad("value")
def masked_filled_grad_value(g, mask):
    return sum(where(mask, g, 0.0))  # noqa: F821


@structured(tensors="g mask")
def masked_zero(g, mask):
    return g.shape, g.dtype


@masked_zero.cpu
def masked_zero_cpu(g, mask):
    return choice.choose(mask, np.zeros((), g.dtype), g)


@masked_zero.grad("g")
def masked_zero_grad(g, mask):
    return masked_zero(g, mask)


# a dtype as C spells it
C_WORDS = {
    "uint8": "unsigned char", "int8": "signed char", "int16": "short", "int32": "int",
    "int64": "long", "float32": "float", "float64": "double", "bool": "bool", "float16": "at::Half",
    "bfloat16": "at::BFloat16",
}  # fmt: skip


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    if shapes.count(shapes[0]) == len(shapes):
        return shapes[0]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise broadcast_error(list(shapes)) from None


@public("Tensor")
def masked_fill_(self: Tensor, mask: Tensor, value: Any) -> Tensor:
    """Write one value where the mask, broadcast, is true."""
    _check_fill("masked_fill_", self, mask, value)
    shape = broadcast_shape(self.array.shape, mask.array.shape)
    if shape != self.array.shape:
        raise RuntimeError(f"output with shape {list(self.shape)} doesn't match the broadcast shape {list(shape)}")
    warn_if_expanded(self, "masked_fill_", "tensor[mask] = scalar")
    return FUNCTIONS["masked_fill_into_"](self, in_dtype_of(self, value_for(self, value)), mask)


def _check_fill(name: str, input: Tensor, mask: Tensor, value: Any) -> None:
    if mask.__class__ is not Tensor:
        tensors_only(name, mask=mask)
    if isinstance(value, Tensor):
        if value.ndim != 0:
            raise RuntimeError(
                f"masked_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} "
                "dimension(s)."
            )
    elif isinstance(value, complex):
        raise RuntimeError(f"value cannot be converted to type {C_WORDS[input.array.dtype.name]} without overflow")
    elif value.__class__ not in NUMBERS and not isinstance(value, np.generic):
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got (Tensor, "
            f"{type_name(value)}), but "
            "expected one of:"
        )
    kind = mask.array.dtype
    if kind is not BOOL_NUMPY:
        raise RuntimeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {C_WORDS.get(kind.name)}"
        )


@public("torch Tensor")
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """A copy, broadcast with the mask, with one value where the mask is true.

    >>> import minitorch as torch
    >>> torch.ones(3).masked_fill(torch.tensor([True, False, False]), 0)
    tensor([0., 1., 1.])
    """
    _check_fill("masked_fill", input, mask, value)
    value = in_dtype_of(input, value_for(input, value))
    a, m = input.array, mask.array
    plain = a.__class__ is ndarray and m.__class__ is ndarray
    if plain and m.shape == a.shape and a.flags.c_contiguous and m.flags.c_contiguous:
        return OPS["masked_filled"].function(input, value, mask)
    shape = broadcast_shape(mask.array.shape, input.array.shape)
    wide = input if shape == input.array.shape else OPS["expand_to"].function(input, shape)
    return writer("masked_fill_into", True)(OPS["dense"].function(wide), value, mask)


@public("torch Tensor")
def masked_select(input: Tensor, mask: Tensor, *, out: Any = None) -> Tensor:
    """The elements where the mask, broadcast, is true, in one dimension."""
    check(mask.array.dtype == np.bool_, "masked_select: expected BoolTensor for mask")
    shape = broadcast_shape(mask.array.shape, input.array.shape) or (1,)
    expand = OPS["expand_to"].function
    result = OPS["masked_read"].function(expand(input, shape), At([expand(mask, shape)]))
    return into(out, "masked_read", result, input, mask)
