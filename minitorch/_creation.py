"""Factories: tensors from nothing but a shape, a range or a number.

Each is written as what it computes; the arguments that all of torch's factories take are added by `_factory.factory`,
the `..._like` and `new_...` forms are made by `like` and `new`.
"""

import inspect
from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np

from . import _dtype as dtypes
from ._data import array_of, as_tensor, asarray, from_numpy, frombuffer, made, options, placed, tensor  # noqa: F401
from ._device import CPU
from ._factory import Target, factory, factory_without_out, number, size_of, too_large
from ._kernels.layout import result_strides
from ._kernels.strided import restrided
from ._layout import contiguous_format, preserve_format, strided
from ._ops.check import check, checked_value, integer, invalid_arguments, type_name
from ._ops.memory_formats import RANK, in_format
from ._tensor import Tensor
from .autograd._warnings import warn

ndarray = np.ndarray


# ---------------------------------------------------------------------- constants
@factory
def empty(to: Any, *size: Any, memory_format: Any = None) -> Any:
    """A tensor whose elements are whatever the memory holds."""
    check(memory_format is not preserve_format, "unsupported memory format Preserve")
    if len(size) == 1 and isinstance(size[0], dict):
        raise TypeError("empty(): argument 'size' (position 1) must be tuple of ints, not dict")
    return in_format(to.empty(size_of("empty", size)), memory_format)


@factory
def zeros(to: Any, *size: Any) -> Any:
    """A tensor of zeros.

    >>> import minitorch as torch
    >>> torch.zeros(2, dtype=torch.int64)
    tensor([0, 0])
    """
    return to.filled(size_of("zeros", size), 0)


@factory
def ones(to: Any, *size: Any) -> Any:
    """A tensor of ones."""
    return to.filled(size_of("ones", size), 1)


@factory
def full(to: Any, size: Any, fill_value: Any) -> Any:
    """A tensor full of one value, in the value's own dtype unless one is given.

    >>> import minitorch as torch
    >>> torch.full((2,), 7)
    tensor([7, 7])
    """
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"full(): argument 'size' (position 1) must be tuple of ints, not {type_name(size)}")
    value = number("full", "fill_value", 2, fill_value)
    to = to.preferring(dtypes.bool if isinstance(value, bool) else dtypes.int64 if isinstance(value, int) else None)
    return to.filled(size_of("full", (size,)), checked_value(value, to.numpy))


@factory_without_out
def scalar_tensor(to: Any, s: Any) -> Any:
    """A 0-dim tensor of a number, in the default dtype unless one is given."""
    return to.filled((), checked_value(number("scalar_tensor", "s", 1, s), to.numpy))


@factory_without_out
def empty_strided(to: Any, size: Any, stride: Any) -> Any:
    """An uninitialised tensor with these strides."""
    shape, strides = size_of("empty_strided", (size,)), tuple([integer(s, "stride", "empty_strided") for s in stride])
    check(
        len(shape) == len(strides),
        f"dimensionality of sizes ({len(shape)}) must match dimensionality of strides ({len(strides)})",
    )
    check(
        min(strides, default=0) >= 0,
        f"Storage size calculation overflowed with sizes={list(shape)} and strides={list(strides)}",
    )
    extent = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if 0 not in shape else 0
    return restrided(to.empty((extent,)), shape, tuple([s * to.numpy.itemsize for s in strides]))


@factory_without_out
def empty_permuted(to: Any, size: Any, physical_layout: Any) -> Any:
    """An uninitialised tensor that lies in memory in the order of dimensions physical_layout.

    >>> import minitorch as torch
    >>> torch.empty_permuted((2, 3), (1, 0)).stride()
    (1, 2)
    """
    shape, n = size_of("empty_permuted", (size,)), len(size)
    check(
        n == len(physical_layout),
        "Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = "
        f"{n} is not equal to len(physical_layout) = {len(physical_layout)}",
    )
    for i, d in enumerate(physical_layout):
        check(
            0 <= d < n,
            f"Dimension out of range (expected to be between 0 and {n - 1}, but got {d} at index {i}).  NB: negative "
            "dims not currently supported; file an issue if you want it.",
        )
        check(d not in physical_layout[:i], "Duplicate dim not allowed")
    back = sorted(range(n), key=list(physical_layout).__getitem__)
    return to.empty(tuple([shape[d] for d in physical_layout])).transpose(back)


@factory
def eye(to: Any, n: int, m: Any = ...) -> Any:
    """Ones on the diagonal, zeros elsewhere."""
    n = _count("n", 1, n)
    m = n if m is ... else _count("m", 2, m)
    if to.numpy != np.bool_:
        to.refuse_uncommon("eye")
    try:
        return to.holding(np.eye(n, m, dtype=np.float32))
    except (MemoryError, ValueError):
        raise too_large((n, m), to.numpy) from None


def _count(argument: str, position: int, value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"eye(): argument '{argument}' (position {position}) must be int, not {type_name(value)}")
    value = value.__index__()
    check(value >= 0, f"{argument} must be greater or equal to 0, got {value}")
    return value


# ---------------------------------------------------------------------- ranges
@factory
def arange(to: Any, *bounds: Any, start: Any = None, end: Any = None, step: Any = None) -> Any:
    """arange(end), arange(start, end, step=1): start, start + step, ... up to but without end.

    >>> import minitorch as torch
    >>> torch.arange(1, 2.5, 0.5)
    tensor([1.0000, 1.5000, 2.0000])
    """
    start, end, step = _bounds(bounds, start, end, step)
    whole = isinstance(start, int) and isinstance(end, int) and isinstance(step, int)
    if whole:
        to = to.preferring(dtypes.int64)
    check(step > 0 or step < 0, "step must be nonzero")
    if not (whole or (isfinite(start) and isfinite(end))):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    check((end - start) * step >= 0, "upper bound and lower bound inconsistent with step sign")
    to.refuse_uncommon("arange_cpu")
    if to.numpy == dtypes.INT64_NUMPY:
        check(int(step), "step must be nonzero", ValueError)
        start, end, step, whole = int(start), int(end), int(step), True
    if whole:
        count = max(0, -((start - end) // step))
    else:
        length = np.ceil((float(end) - start) / step)
        check(length < 2**62, "invalid size, possible overflow?")
        count = int(length)
    if to.where.type == "meta":
        return to.empty((count,))
    try:
        values = np.arange(count)
    except (MemoryError, ValueError):
        raise too_large((count,), to.numpy) from None
    if to.numpy in dtypes.FLOATS:
        return to.holding(values * np.float64(step) + start)
    return to.holding(values if start == 0 and step == 1 else int(start) + int(step) * values)


def _bounds(bounds: tuple[Any, ...], start: Any, end: Any, step: Any) -> tuple[Any, Any, Any]:
    """arange's arguments: a single positional one is the end."""
    if len(bounds) == 1 and bounds[0].__class__ is int and start is end is step is None:
        return 0, bounds[0], 1
    given = {k: v for k, v in (("start", start), ("end", end), ("step", step)) if v is not None}
    names = ("end",) if len(bounds) == 1 and end is None else ("start", "end", "step")
    given |= dict(zip(names, bounds, strict=False))
    if len(bounds) > 3 or "end" not in given or (names == ("end",) and "step" in given and "start" not in given):
        kinds = [type_name(b) for b in bounds]
        kinds += [f"{k}={type_name(v)}" for k, v in given.items() if k not in names[: len(bounds)]]
        raise TypeError(f"arange() received an invalid combination of arguments - got ({', '.join(kinds)})")
    positions = {"start": 1, "end": len(names), "step": 3}
    return tuple([number("arange", k, at, given.get(k, {"step": 1}.get(k, 0))) for k, at in positions.items()])


@factory
def linspace(to: Any, start: Any, end: Any, steps: int) -> Any:
    """`steps` values from start to end, both included.

    >>> import minitorch as torch
    >>> torch.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    return _spaced(to, start, end, steps, lambda values: values)


@factory
def logspace(to: Any, start: Any, end: Any, steps: int, base: float = 10.0) -> Any:
    """base raised to `steps` values from start to end.

    >>> import minitorch as torch
    >>> torch.logspace(0, 2, 3, base=2)
    tensor([1., 2., 4.])
    """
    base = float(number("logspace", "base", 4, base))
    return _spaced(to, start, end, steps, lambda values: np.power(values.dtype.type(base), values))


def _spaced(to: Any, start: Any, end: Any, steps: Any, finish: Callable[[np.ndarray], np.ndarray]) -> Any:
    """Values computed in the result's dtype from both ends to the middle, as torch does; halves in float32.

    For integers the ends are integers and the rest is float64.
    """
    name = to.name
    ends = (("start", start), ("end", end))
    if isinstance(steps, bool) or not hasattr(steps, "__index__") or any(isinstance(v, str) for _, v in ends):
        invalid_arguments(name, start, end, steps)
    given = {what: v.ndim for what, v in ends if isinstance(v, Tensor)}
    seen = " and ".join(f"{what} with {ndim} dimension(s)" for what, ndim in given.items())
    check(not any(given.values()), f"{name} only supports 0-dimensional start and end tensors, but got {seen}.")
    low, high = _end(to, name, "start", 1, start), _end(to, name, "end", 2, end)
    steps = steps.__index__()
    check(steps >= 0, "number of steps must be non-negative")
    to.refuse_uncommon(f"{name}_cpu")
    if to.where.type == "meta":
        return to.empty((steps,))
    kind: Any = np.float32 if to.numpy in dtypes.HALVES else to.numpy.type if to.numpy.kind == "f" else np.float64
    low, high = kind(low), kind(high)
    step = (high - low) / kind(max(steps - 1, 1))
    i = np.arange(steps)
    with np.errstate(all="ignore"):
        if to.numpy in (np.float32, np.float64):  # torch's compiler fuses products and sums of these
            fused = _fused(to.numpy)
            values = np.where(i < max(steps // 2, 1), fused(i, step, low), fused(steps - 1 - i, -step, high))
        else:
            up, down = low + step * i.astype(kind), high - step * (steps - 1 - i).astype(kind)
            values = np.where(i < (steps + 1) // 2, up, down)
        return to.holding(finish(values))


def _fused(dtype: Any) -> Callable[[np.ndarray, Any, Any], np.ndarray]:
    """x * y + z with one rounding."""
    from ._kernels.cpu.rounding import fma32, fma64

    return fma32 if dtype == np.float32 else lambda x, y, z: fma64(x.astype(np.float64), y, z)


def _end(to: Any, name: str, argument: str, position: int, value: Any) -> Any:
    value = number(name, argument, position, value)
    return value if to.numpy in dtypes.FLOATS else int(checked_value(value, to.numpy))


# ---------------------------------------------------------------------- like another tensor
def like(name: str, make: Callable[..., Tensor], *values: str) -> Callable[..., Tensor]:
    """`make` of a tensor's shape, dtype, device and order of dimensions in memory; `values`: further arguments."""

    array_of_size = make.__wrapped__  # type: ignore[attr-defined]
    targets: dict[np.dtype, Target] = {}  # on the CPU

    def function(
        input: Tensor,
        *args: Any,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
        memory_format: Any = None,
        **named: Any,
    ) -> Tensor:
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type_name(input)}")
        a = input.array
        plain = dtype is None and device is None and layout is None and memory_format is None
        if plain and not (args or named or requires_grad or pin_memory) and a.__class__ is ndarray:
            if a.flags.c_contiguous:
                to = targets.get(a.dtype)
                if to is None:
                    to = targets[a.dtype] = Target(make.__name__, input.dtype, CPU, None, False)
                return made(array_of_size(to, a.shape))
        if len(args) > len(values):
            count = f"{len(values) + 1} positional argument{'s' * bool(values)}"
            raise TypeError(f"{name}() takes {count} but {len(args) + 1} were given")
        if input.is_sparse and layout is not strided:
            from minitorch._ops.sparse import sparse_like

            return sparse_like(name, input, dtype).requires_grad_(requires_grad)
        result = make(
            input.shape,
            *args,
            dtype=input.dtype if dtype is None else dtype,
            layout=layout,
            device=input.device if device is None else device,
            pin_memory=pin_memory,
            **named,
        )
        if input.is_sparse:
            return result.requires_grad_(requires_grad)
        if hasattr(input.array, "like"):
            result = input.array.like(result)
        return made(_laid_out_as(input.array, result.array, memory_format), requires_grad, name)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`{make.__name__}` of input's shape, dtype and device."
    first = inspect.signature(function).parameters
    parameters = [first["input"].replace(), *[first["input"].replace(name=v, annotation=Any) for v in values]]
    parameters += [p for p in first.values() if p.kind is p.KEYWORD_ONLY]
    function.__signature__ = inspect.Signature(parameters, return_annotation=Tensor)  # type: ignore[attr-defined]
    return function


def _laid_out_as(a: Any, result: Any, memory_format: Any) -> Any:
    """A contiguous array of equal elements, or of any, in the format or in a's order in memory."""
    if memory_format in RANK:
        return in_format(result, memory_format)
    if memory_format is contiguous_format or a.flags.c_contiguous or result.size < 2 or hasattr(a, "like"):
        return result  # a batch's own memory is laid out where it is made
    return restrided(result, result.shape, result_strides(result.dtype, a))


empty_like, zeros_like, ones_like = like("empty_like", empty), like("zeros_like", zeros), like("ones_like", ones)
full_like = like("full_like", full, "fill_value")


# ---------------------------------------------------------------------- methods
def new(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The method `new_...`: `make` with the tensor's dtype and device."""

    def method(self: Tensor, *args: Any, dtype: Any = None, device: Any = None, **named: Any) -> Tensor:
        return make(
            *args,
            dtype=self.dtype if dtype is None else dtype,
            device=self.device if device is None else device,
            **named,
        )

    method.__name__ = f"new_{make.__name__}"
    method.__qualname__ = f"Tensor.{method.__name__}"
    method.__doc__ = f"`{make.__name__}` with this tensor's dtype and device."
    keep = [p for p in inspect.signature(make).parameters.values() if p.name not in ("out", "memory_format")]
    self = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = inspect.Signature([self, *keep], return_annotation=Tensor)  # type: ignore[attr-defined]
    return method


def new_tensor(
    self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`tensor` with this tensor's dtype and device."""
    if isinstance(data, Tensor):
        warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than tensor.new_tensor(sourceTensor).",
        )
        data = data.detach().clone()
        return data.to(self.dtype if dtype is None else dtype).requires_grad_(requires_grad)
    where = self.device if device is None else device
    return tensor(data, dtype=self.dtype if dtype is None else dtype, device=where, requires_grad=requires_grad)


METHODS = {f"new_{f.__name__}": new(f) for f in (empty, zeros, ones, full, empty_strided)} | {"new_tensor": new_tensor}
for _name, _method in METHODS.items():
    setattr(Tensor, _name, _method)

FACTORIES: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        arange, as_tensor, asarray, empty, empty_like, empty_permuted, empty_strided, eye, from_numpy, frombuffer,
        full, full_like, linspace, logspace, ones, ones_like, scalar_tensor, tensor, zeros, zeros_like,
    )
}  # fmt: skip
