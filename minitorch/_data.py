"""Tensors from Python data, from NumPy arrays and from other memory."""

from typing import Any

import numpy as np

from . import _dtype as dtypes
from ._device import backend, get_default_device, resolve
from ._dtype import HALVES
from ._kernels.half import converted, tagged
from ._kernels.strided import _Window, contiguous_strides
from ._layout import strided
from ._ops.check import check, type_name
from ._tensor import Tensor, wrap
from .autograd._warnings import warn, warn_once
from .autograd.grad_mode import INFERENCE, UNUSUAL, state

ndarray = np.ndarray
_NUMBERS = frozenset((float, int, bool))


def made(array: Any, requires_grad: bool | None = False, name: str = "") -> Tensor:
    """The tensor that a factory, for errors `name`, returns."""
    t = wrap(array if array.__class__ is ndarray and array.dtype not in HALVES else tagged(array))
    if requires_grad.__class__ is not bool and requires_grad is not None:
        raise TypeError(f"{name}(): argument 'requires_grad' must be bool, not {type_name(requires_grad)}")
    if requires_grad:
        if array.dtype not in dtypes.FLOATS:
            raise RuntimeError(
                "Only Tensors of floating point and complex dtype can require gradients\n"
                f"This one would be of {t.dtype}: write its numbers as floats, or name a dtype such as torch.float32"
            )
        t.requires_grad = True
    if UNUSUAL and state.mode is INFERENCE:
        INFERENCE.mark(t)
    return t


def options(
    dtype: Any, device: Any, layout: Any = None, pin_memory: bool = False, name: str = ""
) -> tuple[np.dtype, Any]:
    """(NumPy dtype, device) of a factory's arguments; the default float dtype if none is given."""
    if dtype is None and device is None and layout is None and not pin_memory:
        return dtypes.get_default_dtype().numpy, get_default_device()
    if layout is not None and layout is not strided:
        raise NotImplementedError(f"layout={layout} is not supported by minitorch")
    if pin_memory:
        from .cuda import is_available

        if not is_available():
            raise NotImplementedError("pin_memory=True needs a GPU: torch.cuda.is_available() is False")
    if dtype is None:
        return dtypes.get_default_dtype().numpy, resolve(device)
    if name and not isinstance(dtype, dtypes.dtype) and dtype not in (int, float, bool, complex):
        raise TypeError(f"{name}(): argument 'dtype' must be torch.dtype, not {type_name(dtype)}")
    return dtypes.numpy_dtype(dtype), resolve(device)


def placed(array: np.ndarray, device: Any) -> Any:
    """The array on the device."""
    return array if device.type == "cpu" else backend(device).from_host(array)


# ---------------------------------------------------------------------- Python data
def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A tensor with a copy of the data: numbers, nested sequences, NumPy arrays, tensors.

    >>> import minitorch as torch
    >>> torch.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    if isinstance(data, Tensor):
        warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
            UserWarning,
        )
    _, where = options(dtype, device, pin_memory=pin_memory, name="tensor")
    if isinstance(data, Tensor) and device is None:
        where = data.device
    if requires_grad is None:
        raise TypeError("tensor(): argument 'requires_grad' must be bool, not NoneType")
    array = placed(array_of(data, dtype), where)
    return made(made(array).pin_memory().array if pin_memory else array, requires_grad, "tensor")


def array_of(data: Any, dtype: Any) -> Any:
    """A new array of the data, in torch's choice of dtype."""
    to = None if dtype is None else dtypes.numpy_dtype(dtype)
    if isinstance(data, Tensor):
        a = data.detach().array
        return converted(a, to or a.dtype) if isinstance(a, ndarray) else a.astype(to or a.dtype)
    if isinstance(data, (ndarray, np.generic)):
        data = np.array(data)
        found = dtypes.of_numpy(data.dtype)
        return converted(data, to or found.numpy)
    if hasattr(data, "__array_interface__") and not isinstance(data, (list, tuple, type)):
        return array_of(np.asarray(data), dtype)
    kind = _infer(data).numpy
    return _filled_from(data, kind, kind if to is None else to)


def _filled_from(data: Any, kind: np.dtype, to: np.dtype) -> np.ndarray:
    plain = _plain(data)
    if to == np.uint64 and kind == np.int64:
        try:
            return np.array(plain, to)
        except (OverflowError, ValueError):
            pass  # negative or ragged
    try:
        array = np.array(plain, np.float64 if to in dtypes.FLOATS else None)
    except (ValueError, TypeError) as e:
        raise _ragged(data) or ValueError(str(e)) from None
    wide = array.dtype.kind == "f" and kind == np.int64 and to not in dtypes.FLOATS  # integers beyond 64 bits
    if wide or array.dtype.kind == "O" or (array.dtype == np.uint64 and to != np.uint64):
        raise _ragged(data) or ValueError("Overflow when unpacking long long")
    if to.kind in "iu" and array.dtype != to:
        _check_fits(array, to)
    return converted(array, to)


def _check_fits(array: np.ndarray, to: np.dtype) -> None:
    """torch's refusal of numbers that an integer dtype cannot hold; for unsigned ones it takes -1 for the largest."""
    high = int(np.iinfo(to).max)
    low = int(np.iinfo(to).min) or -high
    fits = not array.size or (low <= array.min() and array.max() <= high)  # never so with a nan
    check(fits, f"value cannot be converted to type {to.name} without overflow")


def _plain(data: Any) -> Any:
    """Nested sequences with tensors turned into what NumPy reads."""
    if isinstance(data, (list, tuple)):
        return data if _NUMBERS.issuperset(map(type, data)) else [_plain_item(d) for d in data]
    if isinstance(data, Tensor) or not hasattr(data, "__len__"):
        return data.item() if isinstance(data, Tensor) else data
    return [_plain_item(d) for d in data]


def _plain_item(d: Any) -> Any:
    if isinstance(d, Tensor):
        if d.numel() != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return float(d) if d.is_floating_point() else d.item()  # float() warns of a gradient that is lost
    return d if isinstance(d, (ndarray, str, bytes)) else _plain(d)


def _infer(data: Any) -> dtypes.dtype:
    """The dtype that nested Python data stands for."""
    if isinstance(data, (list, tuple)):
        if not data:
            return dtypes.get_default_dtype()
        kinds = set(map(type, data))
        if kinds <= _NUMBERS:
            return dtypes.get_default_dtype() if float in kinds else dtypes.int64 if int in kinds else dtypes.bool
        if isinstance(data[0], str):
            raise ValueError("too many dimensions 'str'")
        found = _infer(data[0])
        for d in data[1:]:
            found = dtypes.promote_types(found, _infer(d))
        return found
    if isinstance(data, (bool, np.bool_)):
        return dtypes.bool
    if isinstance(data, (int, np.integer)):
        return dtypes.of_numpy(data.dtype) if isinstance(data, np.integer) else dtypes.int64
    if isinstance(data, (float, np.floating)):
        return dtypes.of_numpy(data.dtype) if isinstance(data, np.floating) else dtypes.get_default_dtype()
    if isinstance(data, Tensor):
        return data.dtype
    if isinstance(data, ndarray):
        warn_once(
            "Creating a tensor from a list of numpy.ndarrays is extremely slow. Please consider converting the list to "
            "a single numpy.ndarray with numpy.array() before converting to a tensor."
        )
        return dtypes.of_numpy(data.dtype)
    if isinstance(data, complex):
        raise NotImplementedError("torch.complex64 is not supported by minitorch")
    if isinstance(data, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type_name(data)}'")
    if isinstance(data, dict):
        raise RuntimeError("Could not infer dtype of dict")
    if hasattr(data, "__len__") and hasattr(data, "__getitem__"):
        return _infer(list(data))
    raise RuntimeError(f"Could not infer dtype of {type_name(data)}")


def _shape_of(data: Any) -> list[int]:
    """The lengths along the first elements: the shape that the whole must have."""
    shape = []
    while hasattr(data, "__len__") and not isinstance(data, str):
        shape.append(len(data))
        if not shape[-1]:
            break
        data = data[0]
    return shape


def _ragged(data: Any) -> Exception | None:
    """torch's error for sequences of unequal length or depth."""
    shape = _shape_of(data)

    def fault(d: Any, depth: int) -> Exception | None:
        if depth == len(shape):
            nested = f"'{type_name(d)}' object cannot be interpreted as an integer"
            return TypeError(nested) if isinstance(d, (list, tuple)) else None
        if not hasattr(d, "__len__"):
            return TypeError("not a sequence")
        if len(d) != shape[depth]:
            return ValueError(f"expected sequence of length {shape[depth]} at dim {depth} (got {len(d)})")
        return next(filter(None, (fault(i, depth + 1) for i in d)), None)

    return fault(data, 0)


# ---------------------------------------------------------------------- memory that exists
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """The data as a tensor, without copying a tensor or NumPy array that fits."""
    if isinstance(data, ndarray) and data.dtype in dtypes.OF_NUMPY:
        data = from_numpy(data)
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device)
    return tensor(data, dtype=dtype, device=device)


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:
    """The object as a tensor: sharing its memory if it can, or must (copy=False), or a copy (copy=True).

    >>> import minitorch as torch
    >>> torch.asarray(bytearray(b"ab"), dtype=torch.uint8)
    tensor([97, 98], dtype=torch.uint8)
    """
    if isinstance(obj, Tensor):
        source = obj
    elif isinstance(obj, (ndarray, np.generic)):
        source = from_numpy(np.asarray(obj))
    elif hasattr(obj, "__dlpack__"):
        from ._exchange import from_dlpack

        source = from_dlpack(obj)
    elif _is_buffer(obj):
        source = frombuffer(obj, dtype=dtype or dtypes.get_default_dtype())
    else:
        check(copy is not False, "can't alias arbitrary sequence into a tensor.", ValueError)
        return tensor(obj, dtype=dtype, device=device, requires_grad=requires_grad)
    if copy is False and dtype is not None and dtype is not source.dtype:
        raise ValueError(f"can't alias tensor with dtype '{source.dtype.c_name}' into dtype '{dtype.c_name}'.")
    result = source.to(dtype=dtype, device=device)
    if copy and result is source:
        result = result.clone()
    if result.requires_grad and not requires_grad and result is not obj:
        return result.detach()
    return result.requires_grad_() if requires_grad and not result.requires_grad else result


def _is_buffer(obj: Any) -> bool:
    try:
        memoryview(obj)
    except TypeError:
        return False
    return True


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A 1-D tensor over the memory of an object with Python's buffer protocol.

    >>> import minitorch as torch
    >>> torch.frombuffer(bytearray(b"abc"), dtype=torch.uint8, offset=1)
    tensor([98, 99], dtype=torch.uint8)
    """
    to = dtypes.numpy_dtype(dtype)
    check(_is_buffer(buffer), "object does not implement Python buffer protocol.", ValueError)
    length, size = memoryview(buffer).nbytes, to.itemsize
    check(length and count, f"both buffer length ({length}) and count ({count}) must not be 0", ValueError)
    check(
        0 <= offset < length,
        f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({length} bytes) minus 1",
        ValueError,
    )
    if count < 0:
        check(
            (length - offset) % size == 0,
            f"buffer length ({length - offset} bytes) after offset ({offset} bytes) must be a multiple of element "
            f"size ({size})",
            ValueError,
        )
        count = (length - offset) // size
    check(
        offset + count * size <= length,
        f"requested buffer length ({count} * {size} bytes) after offset ({offset} bytes) must not be greater than "
        f"actual buffer length ({length} bytes)",
        ValueError,
    )
    array = np.frombuffer(buffer, np.uint8, count * size, offset).view(to)
    if not array.flags.writeable:
        how = "you can write to the underlying (supposedly non-writable) buffer using the tensor"
        _warn_not_writable("buffer", how, "buffer")
    return made(_shared(array, to), requires_grad, "frombuffer")


def from_numpy(ndarray: np.ndarray) -> Tensor:
    """A tensor that shares the array's memory.

    >>> import minitorch as torch, numpy as np
    >>> a = np.zeros(2)
    >>> torch.from_numpy(a)[0] = 5
    >>> a
    array([5., 0.])
    """
    a = ndarray
    if not isinstance(a, np.ndarray):
        kind = type_name(a)
        raise TypeError(f"expected np.ndarray (got {kind})")
    found = dtypes.of_numpy(a.dtype)
    if min(a.strides, default=0) < 0:
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
            "currently supported. (You can probably work around this by making a copy of your array  with "
            "array.copy().) "
        )
    if any(s % a.itemsize for s in a.strides):
        raise ValueError(
            "given numpy array strides not a multiple of the element byte size. Copy the numpy array to "
            "reallocate the memory."
        )
    if not a.flags.writeable:
        _warn_not_writable("NumPy array", "writing to this tensor will result in undefined behavior", "array")
    return made(_shared(a, found.numpy))


_READ_ONLY = (
    "The given {} is not writable, and PyTorch does not support non-writable tensors. This means {}. You "
    "may want to copy the {} to protect its data or make it writable before converting it to a tensor. This type of "
    "warning will be suppressed for the rest of this program."
)


def _warn_not_writable(what: str, how: str, short: str) -> None:
    warn_once(_READ_ONLY.format(what, how, short))


def _shared(a: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """An array over the same memory, writable, where a storage begins."""
    interface = a.__array_interface__
    strides = contiguous_strides(a.shape, a.itemsize) if not a.size else a.strides
    interface |= {"strides": strides, "data": (interface["data"][0], False), "typestr": dtype.str}
    shared = np.asarray(_Foreign(interface, a))
    return shared if shared.dtype is dtype else shared.view(dtype)


class _Foreign(_Window):
    """Memory of an array that is not ours, where a storage begins: `_storage.root` does not look behind it."""
