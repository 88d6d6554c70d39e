"""What every factory of torch takes and does: sizes, numbers, `out=`, dtype, device, memory that cannot be had.

The functions themselves are in `_creation.py`, `_range.py`, `_windows.py` and `_ops/random_creation.py`.
"""

import inspect
from collections.abc import Callable
from functools import partial, wraps
from math import prod
from typing import Any

import numpy as np

from . import _dtype as dtypes
from ._data import made, options, placed
from ._device import backend, get_default_device
from ._dtype import get_default_dtype
from ._kernels import half
from ._kernels.half import converted
from ._ops.check import C_NAMES, no_kernel, non_negative, recorded_out, refuse_batch, type_name
from ._tensor import Tensor
from .autograd.grad_mode import state

zeros = np.zeros


def size_of(name: str, size: tuple[Any, ...]) -> tuple[int, ...]:
    """A shape given as separate integers or as one sequence."""
    for n in size:
        if n.__class__ is not int or n < 0:
            break
    else:
        if size:
            return size
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    sequence = isinstance(size[0], (tuple, list))
    if sequence:
        if len(size) > 1:
            raise TypeError(f"{name}() takes 1 positional argument but {len(size)} were given")
        size = tuple(size[0])
    for n in size:
        if n.__class__ is not int or n < 0:
            return _checked_size(name, size, sequence)
    return size


def _checked_size(name: str, size: tuple[Any, ...], sequence: bool) -> tuple[int, ...]:
    size = tuple([_length(name, n, position, sequence) for position, n in enumerate(size)])
    if name == "zeros" and min(size, default=0) < 0:
        raise RuntimeError("zeros: Dimension size must be non-negative.")
    return non_negative(size)


def _length(name: str, n: Any, position: int, sequence: bool) -> int:
    if isinstance(n, Tensor):
        if not n.ndim and n.array.dtype not in dtypes.FLOATS:
            return int(n)
    elif hasattr(n, "__index__") and not isinstance(n, bool):
        return n.__index__()
    what = type_name(n)
    if sequence and (isinstance(n, bool) or not position):
        problem = f"(position 1) must be tuple of ints, but found element of type {what} at pos {position}"
    elif not position and not sequence:
        problem = f"(position 1) must be tuple of ints, not {what}"
    else:
        problem = (
            f'failed to unpack the object at pos {position + 1} with error "type must be tuple of ints,but got {what}"'
        )
    raise TypeError(f"{name}(): argument 'size' {problem}")


def number(name: str, argument: str, position: int, value: Any) -> Any:
    """A Python number, also from a 0-dim tensor or of NumPy's."""
    if isinstance(value, Tensor) and not value.ndim:
        refuse_batch(name, **{argument: value})
        return value.item()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, complex):
        raise NotImplementedError(f"{name}(): complex numbers are not supported by minitorch")
    if not isinstance(value, (int, float)):
        raise TypeError(f"{name}(): argument '{argument}' (position {position}) must be Number, not {type_name(value)}")
    return value


class Target:
    """What a factory makes: its name for errors, the dtype if one was given, the device."""

    __slots__ = ("dtype", "name", "numpy", "where")

    def __init__(self, name: str, dtype: Any, device: Any, layout: Any, pin_memory: Any):
        self.name, self.dtype = name, dtype
        self.numpy, self.where = options(dtype, device, layout, pin_memory, name)

    def preferring(self, dtype: dtypes.dtype | None) -> "Target":
        """The target of this dtype, None for the default one, if the caller gave none."""
        if self.dtype is None and dtype is not None:
            return Target(self.name, dtype, self.where, None, False)
        return self

    def empty(self, shape: tuple[int, ...]) -> Any:
        """An uninitialised array."""
        if self.where.type != "cpu":
            return backend(self.where).empty(shape, self.numpy)
        return allocated(shape, self.numpy)

    def filled(self, shape: tuple[int, ...], value: Any) -> Any:
        """An array full of one number."""
        if self.where.type != "cpu":
            return backend(self.where).filled(shape, value, self.numpy)
        try:
            if value.__class__ is int and not value:
                return zeros(shape, self.numpy)  # which `made` gives its class
            return half.filled(shape, value, self.numpy)
        except (MemoryError, ValueError):
            raise too_large(shape, self.numpy) from None

    def holding(self, values: np.ndarray) -> Any:
        """The values, which nobody else has, in the wanted dtype, on the wanted device."""
        return placed(values if values.dtype is self.numpy else converted(values, self.numpy), self.where)

    def refuse_uncommon(self, kernel: str) -> None:
        """torch counts in floats and signed integers and bytes only."""
        if self.numpy is dtypes.BOOL_NUMPY or dtypes.OF_NUMPY[self.numpy] in dtypes.UNSIGNED:
            no_kernel(kernel, np.empty(0, self.numpy))


def allocated(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An uninitialised array in main memory."""
    try:
        return half.empty(shape, dtype)
    except (MemoryError, ValueError):
        raise too_large(shape, dtype) from None


def too_large(shape: tuple[int, ...], dtype: np.dtype) -> RuntimeError:
    """torch's error for an array that memory, or a 64-bit number, cannot hold."""
    size = prod(shape) * dtype.itemsize
    if size >= 2**63:
        return RuntimeError(f"Storage size calculation overflowed with sizes={list(shape)}")
    return RuntimeError(f"DefaultCPUAllocator: can't allocate memory: you tried to allocate {size} bytes.")


_KEYWORDS = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
    for name, default in (
        ("out", None), ("dtype", None), ("layout", None), ("device", None), ("requires_grad", False),
        ("pin_memory", False),
    )
]  # fmt: skip


def factory(make: Callable[..., Any], takes_out: bool = True) -> Callable[..., Tensor]:
    """Decorator: from `make(target, ...)`, which returns an array, to torch's function of that name."""
    name = make.__name__
    usual = Target(name, None, None, None, False)  # of a call without options, while the defaults stay as they are

    @wraps(make)
    def function(
        *args: Any,
        out: Any = None,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
        **named: Any,
    ) -> Tensor:
        nonlocal usual
        if out is not None:
            if not takes_out:
                raise TypeError(f"{name}() got an unexpected keyword argument 'out'")
            dtype = _dtype_of(out, name, dtype)
        if named and not args and "size" in named:
            args = (named.pop("size"),)
        to = usual
        if dtype is layout is device is None and not pin_memory:
            if to.numpy is not get_default_dtype().numpy or to.where is not get_default_device():
                to = usual = Target(name, None, None, None, False)
        else:
            to = Target(name, dtype, device, layout, pin_memory)
        array = make(to, *args, **named) if named else make(to, *args)
        t = made(made(array).pin_memory().array if pin_memory else array, requires_grad, name)
        if out is None:
            return t
        from ._ops.public import into  # ops are made of what stands here

        return into(out, name, t)

    own = list(inspect.signature(make).parameters.values())[1:]
    after = [p for p in own if p.kind is p.KEYWORD_ONLY]
    front = [p for p in own if p.kind is not p.KEYWORD_ONLY]
    keywords = _KEYWORDS if takes_out else _KEYWORDS[1:]
    function.__signature__ = inspect.Signature([*front, *keywords, *after], return_annotation=Tensor)  # type: ignore
    return function


factory_without_out = partial(factory, takes_out=False)


def refuse_to_record(out: Tensor, name: str) -> None:
    """torch's error for an `out=` that requires grad: what a factory makes has no graph."""
    if state.grad and out.requires_grad:
        raise recorded_out(f"aten::{name}")


def _dtype_of(out: Any, name: str, dtype: Any) -> dtypes.dtype:
    if not isinstance(out, Tensor):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type_name(out)}")
    if dtype is not None and dtype is not out.dtype:
        raise RuntimeError(
            f"dtype {C_NAMES[dtype.name]} does not match dtype of out parameter ({C_NAMES[out.dtype.name]})"
        )
    refuse_to_record(out, name)
    return out.dtype
