"""Functions that make tensors from nothing, from Python data and from NumPy arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import _dtype as dtypes
from ._device import CPU, backend, resolve
from ._kernels.strided import _Window, contiguous_strides, restrided
from ._ops.check import check, integer, non_negative, sizes
from ._tensor import Tensor, strided, wrap
from .autograd.grad_mode import INFERENCE, state

ndarray = np.ndarray


def made(array: Any, requires_grad: bool = False) -> Tensor:
    """The tensor that a factory returns."""
    t = wrap(array)
    if requires_grad:
        if array.dtype not in dtypes.FLOATS:
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        t.requires_grad = True
    if state.mode is INFERENCE:
        INFERENCE.mark(t)
    return t


def _options(dtype: Any, device: Any, layout: Any = None, pin_memory: bool = False) -> tuple[np.dtype, Any]:
    """(NumPy dtype, device) of a factory's arguments; the default float dtype if none is given."""
    if layout is not None and layout is not strided:
        raise NotImplementedError(f"layout={layout} is not supported by minitorch")
    if pin_memory:
        raise NotImplementedError("pin_memory=True needs a CUDA backend, which minitorch lacks so far")
    return dtypes.numpy_dtype(dtypes.get_default_dtype() if dtype is None else dtype), resolve(device)


def _empty(shape: tuple[int, ...], dtype: np.dtype, device: Any) -> Any:
    return np.empty(shape, dtype) if device.type == "cpu" else backend(device).empty(shape, dtype)


def _filled(shape: tuple[int, ...], value: Any, dtype: np.dtype, device: Any) -> Any:
    if device.type != "cpu":
        return backend(device).from_host(np.broadcast_to(np.asarray(value, dtype), shape))
    return np.zeros(shape, dtype) if value == 0 else np.full(shape, value, dtype)


def _shape(size: tuple[Any, ...], name: str) -> tuple[int, ...]:
    return non_negative(sizes(size, name))


# ---------------------------------------------------------------------- from nothing
def empty(
    *size: Any,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor whose elements are whatever the memory holds."""
    return _factory("empty", size, None, out, dtype, layout, device, requires_grad, pin_memory)


def zeros(
    *size: Any,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor of zeros.

    >>> import minitorch as torch
    >>> torch.zeros(2, dtype=torch.int64)
    tensor([0, 0])
    """
    return _factory("zeros", size, 0, out, dtype, layout, device, requires_grad, pin_memory)


def ones(
    *size: Any,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor of ones."""
    return _factory("ones", size, 1, out, dtype, layout, device, requires_grad, pin_memory)


def _factory(
    name: str,
    size: Any,
    value: Any,
    out: Any,
    dtype: Any,
    layout: Any,
    device: Any,
    requires_grad: bool,
    pin_memory: bool,
) -> Tensor:
    numpy_type, where = _options(dtype, device, layout, pin_memory)
    if not size:
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    shape = _shape(size, name)
    array = _empty(shape, numpy_type, where) if value is None else _filled(shape, value, numpy_type, where)
    return _out(out, made(array, requires_grad))


def _out(out: Any, result: Tensor) -> Tensor:
    if out is None:
        return result
    from ._ops.inplace import into
    from ._ops.op import OPS

    return into(out, OPS["fill_with"], result)


def full(
    size: Any,
    fill_value: Any,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor full of one value, in the value's own dtype unless one is given.

    >>> import minitorch as torch
    >>> torch.full((2,), 7)
    tensor([7, 7])
    """
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"full(): argument 'size' (position 1) must be tuple of ints, not {type(size).__name__}")
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    if dtype is None:
        dtype = dtypes.bool if isinstance(fill_value, bool) else dtypes.int64 if isinstance(fill_value, int) else None
    numpy_type, where = _options(dtype, device, layout, pin_memory)
    if numpy_type.kind == "i" and isinstance(fill_value, float):
        fill_value = int(fill_value)
    return _out(out, made(_filled(_shape((size,), "full"), fill_value, numpy_type, where), requires_grad))


def _like(name: str, make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def like(
        input: Tensor,
        *,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        result = make(
            input.shape,
            dtype=input.dtype if dtype is None else dtype,
            layout=layout,
            device=input.device if device is None else device,
            pin_memory=pin_memory,
        )
        return _laid_out_as(input, result, requires_grad)

    like.__name__ = like.__qualname__ = name
    like.__doc__ = f"`{make.__name__}` of input's shape, dtype and device."
    return like


def _laid_out_as(input: Tensor, result: Tensor, requires_grad: bool) -> Tensor:
    """The result with its dimensions in input's order in memory."""
    a, r = input.array, result.array
    if a.__class__ is ndarray and r.__class__ is ndarray and not a.flags.c_contiguous and a.size > 1:
        like = np.empty_like(a, r.dtype)
        like[...] = r
        result = made(like)
    if requires_grad:
        result.requires_grad = True
    return result


empty_like, zeros_like, ones_like = _like("empty_like", empty), _like("zeros_like", zeros), _like("ones_like", ones)


def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """`full` of input's shape, dtype and device."""
    result = full(
        input.shape,
        fill_value,
        dtype=input.dtype if dtype is None else dtype,
        layout=layout,
        device=input.device if device is None else device,
        pin_memory=pin_memory,
    )
    return _laid_out_as(input, result, requires_grad)


def empty_strided(
    size: Any,
    stride: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """An uninitialised tensor with these strides."""
    numpy_type, where = _options(dtype, device, layout, pin_memory)
    shape, strides = _shape((size,), "empty_strided"), sizes((stride,), "empty_strided")
    check(
        len(shape) == len(strides),
        f"dimensionality of sizes ({len(shape)}) must match dimensionality of strides ({len(strides)})",
    )
    extent = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if 0 not in shape else 0
    flat = _empty((extent,), numpy_type, where)
    return made(restrided(flat, shape, tuple(s * numpy_type.itemsize for s in strides)), requires_grad)


def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """start, start + step, ... up to but without end.

    >>> import minitorch as torch
    >>> torch.arange(1, 2.5, 0.5)
    tensor([1.0000, 1.5000, 2.0000])
    """
    if end is None:
        start, end = 0, start
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    if dtype is None and all(isinstance(v, int) for v in (start, end, step)):
        dtype = dtypes.int64
    numpy_type, where = _options(dtype, device, layout, pin_memory)
    check(step != 0, "step must be nonzero")
    check(all(np.isfinite(v) for v in (start, end)), f"unsupported range: {start} -> {end}")
    check((end - start) * step >= 0, "upper bound and lower bound inconsistent with step sign")
    if numpy_type.kind in "iu":
        check(int(step), "step must be nonzero", ValueError)
        start, end, step = int(start), int(end) if not isinstance(end, float) else int(np.ceil(end)), int(step)
    count = (
        int(np.ceil((end - start) / step))
        if not isinstance(start, int) or not isinstance(step, int) or isinstance(end, float)
        else max(0, -((start - end) // step))
    )
    values = np.arange(count) * np.float64(step) + start if numpy_type.kind == "f" else start + step * np.arange(count)
    return _out(out, made(_to_device(values.astype(numpy_type), where), requires_grad))


def _to_device(array: np.ndarray, device: Any) -> Any:
    return array if device.type == "cpu" else backend(device).from_host(array)


def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """`steps` values from start to end, both included."""
    numpy_type, where = _options(dtype, device, layout, pin_memory)
    steps = integer(steps, "steps", "linspace")
    check(steps >= 0, "number of steps must be non-negative")
    start, end = (v.item() if isinstance(v, Tensor) else v for v in (start, end))
    if steps < 2:
        return made(_to_device(np.full(steps, start, numpy_type), where), requires_grad)
    # torch computes in the result's dtype, from both ends to the middle
    kind = numpy_type.type if numpy_type.kind == "f" else np.float64
    low, high = kind(start), kind(end)
    step = (high - low) / kind(steps - 1)
    i = np.arange(steps)
    values = np.where(i < steps // 2, low + step * i.astype(kind), high - step * (steps - 1 - i).astype(kind))
    return _out(out, made(_to_device(values.astype(numpy_type), where), requires_grad))


def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """base raised to `steps` values from start to end."""
    numpy_type, where = _options(dtype, device)
    exponents = np.linspace(float(start), float(end), steps)
    return made(_to_device(np.power(float(base), exponents).astype(numpy_type), where), requires_grad)


def eye(
    n: int,
    m: int | None = None,
    *,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Ones on the diagonal, zeros elsewhere."""
    numpy_type, where = _options(dtype, device, layout, pin_memory)
    n = integer(n, "n", "eye")
    m = n if m is None else integer(m, "m", "eye")
    check(n >= 0, f"n must be greater or equal to 0, got {n}")
    check(m >= 0, f"m must be greater or equal to 0, got {m}")
    return _out(out, made(_to_device(np.eye(n, m, dtype=numpy_type), where), requires_grad))


# ---------------------------------------------------------------------- from data
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
        import warnings

        warnings.warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=2,
        )
    _options(dtype, device, pin_memory=pin_memory)
    return made(_to_device(array_of(data, dtype), resolve(device)), requires_grad)


def array_of(data: Any, dtype: Any) -> np.ndarray:
    """A new array of the data, in torch's choice of dtype."""
    if isinstance(data, Tensor):
        return data.detach().array.astype(data.array.dtype if dtype is None else dtypes.numpy_dtype(dtype))
    if isinstance(data, (ndarray, np.generic)):
        data = np.array(data)
        found = dtypes.of_numpy(data.dtype)
        return data.astype(found.numpy if dtype is None else dtypes.numpy_dtype(dtype))
    if hasattr(data, "__array_interface__") and not isinstance(data, (list, tuple)):
        return array_of(np.asarray(data), dtype)
    kind = _infer(data)
    to = dtypes.numpy_dtype(kind if dtype is None else dtype)
    try:
        array = np.array(_plain(data), to if to.kind != "b" else None)
    except OverflowError:
        raise RuntimeError(f"value cannot be converted to type {to} without overflow") from None
    except ValueError as e:
        raise ValueError(_ragged(data) or str(e)) from None
    return array.astype(to)


def _plain(data: Any) -> Any:
    """Nested sequences with tensors turned into what NumPy reads."""
    if isinstance(data, Tensor):
        return data.tolist()
    if isinstance(data, (list, tuple)):
        return [_plain(d) for d in data] if any(isinstance(d, (Tensor, list, tuple)) for d in data) else data
    return data


def _infer(data: Any) -> dtypes.dtype:
    """The dtype that nested Python data stands for."""
    if isinstance(data, (list, tuple)):
        if not data:
            return dtypes.get_default_dtype()
        kinds = set(map(type, data))
        if kinds <= {float, int, bool}:
            return dtypes.get_default_dtype() if float in kinds else dtypes.int64 if int in kinds else dtypes.bool
        found = _infer(data[0])
        for d in data[1:]:
            found = dtypes.promote_types(found, _infer(d))
        return found
    if isinstance(data, (bool, np.bool_)):
        return dtypes.bool
    if isinstance(data, (int, np.integer)):
        return dtypes.int64
    if isinstance(data, (float, np.floating)):
        return dtypes.of_numpy(data.dtype) if isinstance(data, np.floating) else dtypes.get_default_dtype()
    if isinstance(data, Tensor):
        return data.dtype
    if isinstance(data, ndarray):
        return dtypes.of_numpy(data.dtype)
    if isinstance(data, complex):
        raise NotImplementedError("torch.complex64 is not supported by minitorch")
    if isinstance(data, str):
        raise TypeError("new(): invalid data type 'str'")
    if hasattr(data, "__len__") and hasattr(data, "__getitem__"):
        return _infer(list(data))
    if data is None:
        raise RuntimeError("Could not infer dtype of NoneType")
    raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")


def _ragged(data: Any, depth: int = 0) -> str | None:
    """torch's message for sequences of unequal length."""
    if isinstance(data, (list, tuple)) and data:
        first = data[0]
        if not isinstance(first, (list, tuple)):
            return None
        for d in data:
            if not isinstance(d, (list, tuple)) or len(d) != len(first):
                got = len(d) if isinstance(d, (list, tuple)) else 0
                return f"expected sequence of length {len(first)} at dim {depth + 1} (got {got})"
        for d in data:
            found = _ragged(d, depth + 1)
            if found:
                return found
    return None


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """The data as a tensor, without copying a tensor or NumPy array that fits."""
    if isinstance(data, ndarray) and data.dtype in dtypes.OF_NUMPY:
        data = from_numpy(data)
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device)
    return tensor(data, dtype=dtype, device=device)


asarray = as_tensor


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
        raise TypeError(f"expected np.ndarray (got {type(a).__name__})")
    found = dtypes.of_numpy(a.dtype)
    if any(s < 0 for s in a.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
            "currently "
            "supported. (You can probably work around this by making a copy of your array  with array.copy().) "
        )
    if any(s % a.itemsize for s in a.strides):
        raise ValueError(
            "given numpy array strides not a multiple of the element byte size. Copy the numpy array to "
            "reallocate the memory."
        )
    if not a.flags.writeable:
        import warnings

        warnings.warn(
            "The given NumPy array is not writable, and PyTorch does not support non-writable tensors. This "
            "means writing to "
            "this tensor will result in undefined behavior. You may want to copy the array to protect its data "
            "or make it "
            "writable before converting it to a tensor. This type of warning will be suppressed for the rest of "
            "this program.",
            UserWarning,
            stacklevel=2,
        )
    interface = dict(a.__array_interface__)
    strides = contiguous_strides(a.shape, a.itemsize) if not a.size else a.strides
    interface.update(strides=strides, data=(interface["data"][0], False), typestr=found.numpy.str)
    shared = np.asarray(_Foreign(interface, a))
    return made(shared if shared.dtype is found.numpy else shared.view(found.numpy))


class _Foreign(_Window):
    """Memory of an array that is not ours, where a storage begins: `_storage.root` does not look behind it."""


def legacy_tensor(cls: type, *args: Any, **kwargs: Any) -> Any:
    """`torch.Tensor(2, 3)`, `torch.Tensor([1, 2])`: the constructor of old, always of the default float dtype."""
    if kwargs.pop("device", None) not in (None, "cpu", CPU) or kwargs:
        raise NotImplementedError(f"Tensor(): unexpected arguments {sorted(kwargs)}")
    if len(args) == 1 and isinstance(args[0], Tensor):
        return Tensor._make_subclass(cls, args[0].detach())
    if len(args) == 1 and isinstance(args[0], (list, tuple, np.ndarray)) and type(args[0]).__name__ != "Size":
        return Tensor._make_subclass(cls, tensor(args[0], dtype=dtypes.get_default_dtype()))
    return Tensor._make_subclass(cls, empty(*(args or (0,))))


# ---------------------------------------------------------------------- methods
def _new(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def method(self: Tensor, *args: Any, dtype: Any = None, device: Any = None, **kwargs: Any) -> Tensor:
        return make(
            *args,
            dtype=self.dtype if dtype is None else dtype,
            device=self.device if device is None else device,
            **kwargs,
        )

    method.__name__ = method.__qualname__ = f"new_{make.__name__}"
    method.__doc__ = f"`{make.__name__}` with this tensor's dtype and device."
    return method


METHODS = {f"new_{f.__name__}": _new(f) for f in (empty, zeros, ones, full, tensor)}
for _name, _method in METHODS.items():
    setattr(Tensor, _name, _method)

FACTORIES = {
    f.__name__: f
    for f in (
        arange,
        as_tensor,
        empty,
        empty_like,
        empty_strided,
        eye,
        from_numpy,
        full,
        full_like,
        linspace,
        logspace,
        ones,
        ones_like,
        tensor,
        zeros,
        zeros_like,
    )
}
FACTORIES["asarray"] = as_tensor
