"""The constructors of old: `torch.FloatTensor` and the like, `torch.Tensor(...)`, `x.new(...)`, `x.type(...)`."""

from typing import Any

import numpy as np

from . import _dtype as dtypes
from ._creation import empty
from ._data import array_of, made
from ._device import device as Device
from ._layout import Size, strided
from ._tensor import Tensor


def constructed(
    args: tuple[Any, ...],
    named: dict[str, Any],
    dtype: dtypes.dtype,
    same_dtype: bool = True,
    form: str = "constructor",
) -> Tensor:
    """What an old constructor makes: of sizes an uninitialised tensor, of a sequence its values, of a tensor an alias.

    >>> import minitorch as torch
    >>> torch.LongTensor([1.5, 2]), torch.FloatTensor(2, 3).shape
    (tensor([1, 2]), torch.Size([2, 3]))
    """
    device = named.pop("device", None)
    if device is not None and Device(device).type != "cpu":
        raise RuntimeError(
            f"legacy constructor expects device type: cpu but device type: {Device(device).type} was passed"
        )
    if named:
        args = _of_names(args, named)
    if len(args) != 1 or isinstance(args[0], Size):
        return empty(*(args or (0,)), dtype=dtype)
    data = args[0]
    if isinstance(data, Tensor):
        if device is not None:
            made_by = "torch.Tensor" if form == "constructor" else "tensor.new"
            raise RuntimeError(
                f"Legacy tensor {form} of the form {made_by}(tensor, device=device) is not supported.  "
                f"Use {'torch.tensor(...) or ' * (form == 'constructor')}torch.as_tensor(...) instead."
            )
        if same_dtype and data.dtype is not dtype:
            raise TypeError(f"expected a tensor of {dtype} (got {data.dtype}); convert it with .to({dtype})")
        return data.detach()
    if isinstance(data, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    if hasattr(data, "__len__") or isinstance(data, np.ndarray):
        return made(array_of(data, dtype))
    if isinstance(data, int) and not isinstance(data, bool):
        return empty(data, dtype=dtype)
    raise TypeError(f"new(): data must be a sequence (got {type(data).__name__})")


def _of_names(args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """The one argument that was given by its name: `size`, `data` or `other`."""
    (name, value), *more = named.items()
    of_ints = isinstance(value, (tuple, list)) and all(isinstance(n, int) for n in value)
    known = {"size": of_ints, "data": True, "other": isinstance(value, Tensor)}.get(name)
    if args or more or not known:
        got = [type(a).__name__ for a in args] + [f"{k}={type(v).__name__}" for k, v in sorted(named.items())]
        comma = "" if args else ", "  # which torch writes where all have names
        raise TypeError(
            f"new() received an invalid combination of arguments - got ({', '.join(got)}{comma}), but expected one of:"
        )
    if name == "data" and isinstance(value, (Tensor, int)):
        raise TypeError(f"new(): data must be a sequence (got {type(value).__name__})")
    return (Size(value),) if name == "size" else (value,)


class tensortype(type):
    """The type of `torch.FloatTensor`: not a class of tensors, but a dtype to make them of and to ask for."""

    dtype: dtypes.dtype
    is_cuda = is_sparse = False
    layout = strided

    def __call__(cls, *args: Any, **named: Any) -> Tensor:
        return constructed(args, named, cls.dtype)

    def __instancecheck__(cls, instance: Any) -> bool:
        if not isinstance(instance, Tensor) or instance.dtype is not cls.dtype:
            return False
        return instance.is_cpu and instance.layout is cls.layout

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


tensortype.__module__ = "torch"
TYPES: dict[str, Any] = {
    f"{d.c_name}Tensor": tensortype(f"{d.c_name}Tensor", (), {"dtype": d, "__module__": "torch", "__doc__": str(d)})
    for d in dtypes.COMMON
}


def legacy_tensor(cls: type, *args: Any, **named: Any) -> Any:
    """`torch.Tensor(2, 3)`, `torch.Tensor([1, 2])`: always of the default float dtype."""
    return Tensor._make_subclass(cls, constructed(args, named, dtypes.get_default_dtype(), same_dtype=False))


def new(self: Tensor, *args: Any, **named: Any) -> Tensor:
    """A tensor of this one's dtype: of sizes uninitialised, of a sequence its values."""
    return constructed(args, named, self.dtype, form="new")


def type_(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The name of the tensor's type, or the tensor in another dtype.

    >>> import minitorch as torch
    >>> torch.ones(2).type(), torch.ones(2).type(torch.LongTensor)
    ('torch.FloatTensor', tensor([1, 1]))
    """
    if dtype is None:
        place = "" if self.is_cpu else f"{self.device.type}."
        return f"torch.{place}{'sparse.' if self.is_sparse else ''}{self.dtype.c_name}Tensor"
    if isinstance(dtype, dtypes.dtype) or dtype in dtypes.OF_PYTHON:
        return self.to(dtypes.OF_PYTHON.get(dtype, dtype))
    return self.to(_named(dtype).dtype)


def _named(kind: Any) -> Any:
    """The type for `torch.FloatTensor` or "torch.FloatTensor"."""
    if isinstance(kind, str):
        found = TYPES.get(kind.removeprefix("torch.")) if kind.startswith("torch.") else None
        if kind == "torch.Tensor":
            return TYPES[f"{dtypes.get_default_dtype().c_name}Tensor"]
        if found is None:
            raise ValueError(f"invalid type: '{kind}'")
        return found
    if not isinstance(kind, tensortype):
        raise TypeError(f"dtype must be a type, str, or dtype object, not {type(kind).__name__}")
    return kind


def set_default_tensor_type(t: Any) -> None:
    """Set the default dtype by its tensor type, such as torch.DoubleTensor, or its name; deprecated in torch."""
    import warnings

    warnings.warn(
        "torch.set_default_tensor_type() is deprecated as of PyTorch 2.1, please use torch.set_default_dtype() and "
        "torch.set_default_device() as alternatives.",
        UserWarning,
        stacklevel=2,
    )
    if not isinstance(t, (str, tensortype)):
        raise TypeError("invalid type object: only floating-point types are supported as the default type")
    dtypes.set_default_dtype(_named(t).dtype)


Tensor.new = new  # type: ignore[attr-defined]
type_.__name__, type_.__qualname__ = "type", "Tensor.type"
Tensor.type = type_  # type: ignore[attr-defined]
