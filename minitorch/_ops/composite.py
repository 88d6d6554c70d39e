"""Names that other ops express: they have no kernel and no gradient of their own.

Functions take torch's arguments. Those marked `@public(...)` appear under their name in the namespaces given.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._device import device as Device
from minitorch._device import settled
from minitorch._kernels.strided import repeats
from minitorch._layout import contiguous_format, memory_format, preserve_format
from minitorch._tensor import Tensor
from minitorch.autograd.engine import without_recording
from minitorch.autograd.grad_mode import state

from .check import check, check_inplace_shape, checked_value, invalid_arguments, real_part, type_name
from .copies import check_overlap
from .devices import moved
from .inplace import check_inplace
from .memory_formats import RANK, check_rank, in_format, suggested
from .nodes import titled
from .operands import NUMBERS, cast, tensors_only
from .public import FUNCTIONS, PUBLIC, op, public
from .shapes import broadcast_tensors, reshape, view  # noqa: F401


@public("torch")
def is_tensor(obj: Any) -> bool:
    """Whether the object is a Tensor."""
    return isinstance(obj, Tensor)


@public("torch")
def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.array.size


# ---------------------------------------------------------------------- dtype and device
@public("Tensor")
def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor in another dtype, memory format or on another device; itself if nothing changes."""
    if len(args) == 1 and not kwargs and args[0].__class__ is dtypes.dtype:
        numpy_type = args[0].numpy or dtypes.numpy_dtype(args[0])  # which refuses those that minitorch lacks
        return self if self.array.dtype is numpy_type else cast(self, numpy_type)
    dtype, device, copy, memory_format, non_blocking = _to_arguments(*args, **kwargs)
    result = self
    if device is not None and settled(device) != self.device:
        result = moved(result, device, non_blocking)
    if dtype is not None and result.array.dtype is not dtype:
        result = cast(result, dtype)
    elif copy and result is self:
        result = op("clone")(result)
    if memory_format is preserve_format:
        return result
    if suggested(result.array) is memory_format and (result is self or memory_format in RANK):
        return result
    laid_out = (clone if memory_format in RANK else contiguous)(result, memory_format=memory_format)
    return titled(laid_out, "ToCopyBackward0", through=result is not self)


def _checked_format(function: str, given: Any) -> memory_format:
    if not isinstance(given, memory_format):
        kind = type_name(given)
        raise TypeError(f"{function}(): argument 'memory_format' must be torch.memory_format, not {kind}")
    return given


def _to_arguments(*args: Any, **kwargs: Any) -> tuple[Any, Any, bool, Any, bool]:
    dtype, device = kwargs.pop("dtype", None), kwargs.pop("device", None)
    copy, non_blocking = kwargs.pop("copy", False), kwargs.pop("non_blocking", False)
    for name, flag in (("copy", copy), ("non_blocking", non_blocking)):
        if flag.__class__ is not bool:
            raise TypeError(f"to(): argument '{name}' must be bool, not {type_name(flag)}")
    wanted_format = _checked_format("to", kwargs.pop("memory_format", None) or preserve_format)
    rest = list(args)
    if rest and isinstance(rest[0], Tensor):
        dtype, device = rest[0].dtype, rest[0].device
        del rest[0]
    elif rest:
        if is_device := rest[0] is None or isinstance(rest[0], (Device, str)) or rest[0].__class__ is int:
            device = rest.pop(0)
        if rest and (isinstance(rest[0], (dtypes.dtype, type)) or (rest[0] is None and is_device)):
            dtype = rest.pop(0) or dtype
        elif not is_device:
            invalid_arguments("to", *args)
    if kwargs or len(rest) > 2 or any(flag.__class__ is not bool for flag in rest):
        invalid_arguments("to", *args, *kwargs.values())
    if rest:
        non_blocking, copy = rest[0], rest[1] if len(rest) > 1 else copy
    return (
        None if dtype is None else dtypes.numpy_dtype(dtype),
        None if device is None else Device(device),
        copy,
        wanted_format,
        non_blocking,
    )


@public("Tensor")
def cpu(self: Tensor, memory_format: Any = preserve_format) -> Tensor:
    """The tensor in main memory."""
    return to(self, "cpu", memory_format=memory_format)


@public("Tensor")
def cuda(self: Tensor, device: Any = None, non_blocking: bool = False) -> Tensor:
    """The tensor on a GPU, the current one unless another is given."""
    check(not str(device).startswith("cpu"), "Invalid device, must be cuda device")
    return to(self, "cuda" if device is None else device, non_blocking=non_blocking)


def _converter(name: str, dtype: dtypes.dtype) -> Callable[..., Tensor]:
    def convert(self: Tensor, memory_format: Any = preserve_format) -> Tensor:
        return to(self, dtype) if memory_format is preserve_format else to(self, dtype, memory_format=memory_format)

    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = f"The tensor as {dtype}."
    return convert


for _name in ("float", "double", "int", "long", "short", "bool", "half", "bfloat16"):
    PUBLIC[_name] = _converter(_name, getattr(dtypes, _name)), ["Tensor"]
PUBLIC["char"] = _converter("char", dtypes.int8), ["Tensor"]
PUBLIC["byte"] = _converter("byte", dtypes.uint8), ["Tensor"]


@public("Tensor")
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor in other's dtype."""
    tensors_only("type_as", other=other)
    return to(self, other)


# ---------------------------------------------------------------------- copies and writes
@public("Tensor")
def contiguous(self: Tensor, memory_format: memory_format = contiguous_format) -> Tensor:
    """Itself if its memory is in index order, or in the order of `memory_format`, else a copy that is."""
    if memory_format in RANK:
        check_rank(self.shape, memory_format)
        return self if self.is_contiguous(memory_format) else clone(self, memory_format=memory_format)
    if memory_format is not contiguous_format:
        _checked_format("contiguous", memory_format)
    if self.array.flags.c_contiguous:
        return self
    check(memory_format is contiguous_format, "preserve memory format is unsupported by the contiguous operator")
    return op("dense")(self)


@public("torch Tensor")
def clone(input: Tensor, *, memory_format: memory_format = preserve_format) -> Tensor:
    """A copy, recorded."""
    if memory_format in RANK:
        check_rank(input.shape, memory_format)
        result = op("clone_channels_last")(input)
        if result.is_meta:
            result.array = in_format(result.array, memory_format)
        return result
    if memory_format is not preserve_format:
        _checked_format("clone", memory_format)
    return op("dense" if memory_format is contiguous_format else "clone")(input)


@public("Tensor", words="other=src")
def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Write src's values, broadcast and converted, into this tensor."""
    if not isinstance(src, Tensor):
        raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {type_name(src)}")
    if src is not self:
        check_overlap(self, src)
    elif repeats(self.array.shape, self.array.strides):
        return _copied_onto_itself(self)
    if self.array.shape != src.array.shape:
        check_inplace_shape([self.array.shape, src.array.shape])
    if not (isinstance(self.array, np.ndarray) and isinstance(src.array, np.ndarray)) and self.device != src.device:
        src = moved(src, self.device, non_blocking)
    return FUNCTIONS["copy_from_"](self, src)


def _copied_onto_itself(t: Tensor) -> Tensor:
    """What torch lets a tensor with repeated elements do; as it changes nothing, its gradient passes unchanged."""
    if state.grad:
        check_inplace(t)
    return without_recording(FUNCTIONS["copy_from_"], t, t)


@public("torch Tensor")
def fill_(self: Tensor, value: Any) -> Tensor:
    """Write one value to every element."""
    if isinstance(value, Tensor):
        if value.ndim != 0:
            raise RuntimeError(
                f"fill_ only supports 0-dimension value tensor but got tensor with {value.ndim} dimensions."
            )
        return copy_(self, value)
    if value.__class__ is complex:
        value = real_part(value, self.array.dtype)
    if value.__class__ not in NUMBERS and not isinstance(value, np.generic):
        raise TypeError(f"fill_(): argument 'value' (position 1) must be Number, not {type_name(value)}")
    return FUNCTIONS["fill_with_"](self, checked_value(value, self.array.dtype))


@public("torch")
def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor of the same kind full of one value."""
    return fill_(op("clone")(input), value)
