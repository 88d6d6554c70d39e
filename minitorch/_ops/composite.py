"""Names that other ops express: they have no kernel and no gradient of their own.

Functions take torch's arguments. Those marked `@public(...)` appear under their name in the namespaces given.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._dtype import FLOATS
from minitorch._tensor import Tensor, contiguous_format, memory_format, preserve_format

from .check import C_NAMES, check, check_broadcast, check_inplace_shape, integer, sizes, wrap_dim, wrap_dims
from .op import OPS, Op
from .operands import FUNCTIONS, NUMBERS, cast, common_dtype, refuse_bool, refuse_cast, refuse_float_result
from .public import PROPERTIES, PUBLIC, op, public


# ---------------------------------------------------------------------- arithmetic
def times_alpha(record: Op, x: Tensor, other: Any, alpha: Any) -> Any:
    """`alpha * other` of add and sub, with torch's checks."""
    dtype = x.array.dtype
    if isinstance(other, Tensor):
        check_broadcast(x.array.shape, other.array.shape)
    elif other.__class__ in NUMBERS:
        dtype = dtypes.NUMBER_DTYPE[other.__class__, dtype]
    if record.name == "sub" and dtype == np.bool_:
        refuse_bool(record, x.array, x.array)
    if (
        isinstance(alpha, float)
        and dtype not in FLOATS
        and not (isinstance(other, Tensor) and other.is_floating_point())
    ):
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    if isinstance(alpha, bool) and dtype != np.bool_:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if dtype == np.bool_ and (not isinstance(other, Tensor) or other.array.dtype == np.bool_):
        return other & bool(alpha)  # the scale takes the result's dtype
    return other * alpha


def refuse_zero_division(name: str, x: Any, y: Any) -> None:
    """Integer division by zero is an error; floats give infinity or nan."""
    if not isinstance(y, Tensor) and y.__class__ not in NUMBERS:
        return  # refused for another reason
    divisor = y.array if isinstance(y, Tensor) else y
    integers = isinstance(x, Tensor) and x.array.dtype not in FLOATS and not isinstance(y, float)
    if (
        integers
        and x.array.dtype == np.bool_
        and (isinstance(y, bool) or (isinstance(y, Tensor) and y.array.dtype == np.bool_))
    ):
        return  # refused for another reason, by the op
    if integers and isinstance(y, Tensor):
        check_broadcast(x.array.shape, y.array.shape)
    if (
        integers
        and not (isinstance(y, Tensor) and (y.is_meta or y.array.dtype in FLOATS))
        and np.any(np.equal(np.asarray(divisor), 0))
    ):
        raise RuntimeError("ZeroDivisionError")


def rounded_division(name: str, input: Any, other: Any, rounding_mode: str) -> Any:
    """div with rounding_mode "floor" or "trunc"."""
    check(
        rounding_mode in ("floor", "trunc"),
        "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '" + str(rounding_mode) + "'",
    )
    inplace = name.endswith("_")
    if rounding_mode == "floor":
        refuse_zero_division(name, input, other)
        result = op("div_floor")(input, other)
    else:
        refuse_zero_division(name, input, other)
        dtype = result_type(input, other)
        if dtype.is_floating_point or dtype is dtypes.bool:
            result = op("div_trunc")(input, other)
        else:
            result = op("trunc")(op("div")(input, other)).to(dtype)
    return write_result(input, result) if inplace else result


def unrounded(name: str, input: Tensor) -> Tensor:
    """floor, ceil and trunc of integers: the values as they are."""
    if input.array.dtype == np.bool_:
        refuse_bool(OPS[name.rstrip("_")], input.array)
    return input.mul_(1) if name.endswith("_") else op("clone")(input)


def write_result(x: Tensor, result: Tensor) -> Tensor:
    """Finish an in-place op whose result was computed apart."""
    have, made = x.array.shape, result.array.shape
    check(have == made, f"output with shape {list(have)} doesn't match the broadcast shape {list(made)}")
    return copy_(x, result)


@public("torch Tensor", "subtract")
def subtract(input: Tensor, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    return op("sub")(input, other, alpha=alpha, out=out)


@public("torch")
def rsub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """other - alpha * input."""
    return op("sub")(as_tensor_like(input, other), input, alpha=alpha)


def as_tensor_like(x: Tensor, value: Any) -> Tensor:
    """A number as the first operand, beside x."""
    if isinstance(value, Tensor):
        return value
    from .operands import number_operand

    return number_operand(OPS["add"], x, value)[1]


@public("Tensor")
def __invert__(self: Tensor) -> Tensor:
    if self.is_floating_point():
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
    return op("bitwise_not")(self)


@public("Tensor")
def __rsub__(self: Tensor, other: Any) -> Any:
    return rsub(self, other) if other.__class__ in NUMBERS else NotImplemented


@public("Tensor")
def __rtruediv__(self: Tensor, other: Any) -> Any:
    if other.__class__ not in NUMBERS:
        return NotImplemented
    return op("reciprocal")(self) * other


@public("Tensor")
def __rfloordiv__(self: Tensor, other: Any) -> Any:
    return op("floor_divide")(as_tensor_like(self, other), self) if other.__class__ in NUMBERS else NotImplemented


@public("Tensor")
def __rmod__(self: Tensor, other: Any) -> Any:
    return op("remainder")(as_tensor_like(self, other), self) if other.__class__ in NUMBERS else NotImplemented


@public("torch Tensor")
def pow(input: Any, exponent: Any, *, out: Any = None) -> Any:
    """Same as torch.pow; an exponent of 2 is a multiplication."""
    if out is not None:
        from .inplace import into

        return into(out, OPS["pow_number"], pow(input, exponent))
    if exponent.__class__ in NUMBERS and isinstance(input, Tensor):
        return _number_power(input, exponent, "")
    if not isinstance(input, Tensor):
        if not isinstance(exponent, Tensor) or input.__class__ not in NUMBERS:
            raise TypeError(f"pow(): argument 'input' must be Tensor, not {input.__class__.__name__}")
        input = as_tensor_like(exponent, input)
    if not isinstance(exponent, Tensor):
        raise TypeError(f"pow(): argument 'exponent' must be Tensor or Number, not {exponent.__class__.__name__}")
    if exponent.is_cpu and not exponent.is_floating_point() and not input.is_floating_point():
        return _integer_power(input, exponent)
    return op("pow_tensor")(input, exponent)


def _integer_power(base: Tensor, exponent: Tensor) -> Tensor:
    """Integers to integer powers; a negative one gives 1 / base cut to an integer: 0 but for bases of 1 and -1."""
    if not (exponent.array < 0).any():
        return op("pow_tensor")(base, exponent)
    power = op("pow_tensor")(base, exponent.abs())
    return FUNCTIONS["where"]((exponent >= 0) | (base.abs() == 1), power, 0)


def _number_power(x: Tensor, exponent: Any, suffix: str) -> Tensor:
    if x.array.dtype not in FLOATS:
        if isinstance(exponent, float):
            if suffix:
                refuse_float_result(OPS["reciprocal"], x)
            return FUNCTIONS["pow_number" + suffix](op("to_copy")(x, dtypes.get_default_dtype().numpy), exponent)
        if exponent < 0:
            raise RuntimeError("Integers to negative integer powers are not allowed.")
        if x.array.dtype == np.bool_:
            if exponent.__class__ is bool:
                return x.logical_or(not exponent) if not suffix else x.logical_or_(not exponent)
            if suffix:
                refuse_cast(OPS["pow_number"], dtypes.INT64_NUMPY, x.array.dtype)
            x = cast(x, dtypes.INT64_NUMPY)
        if exponent != 2:
            return FUNCTIONS["pow_tensor" + suffix](x, exponent)
    if exponent == 2:
        return FUNCTIONS["pow_2" + suffix](x)
    return FUNCTIONS["pow_number" + suffix](x, float(exponent))


@public("Tensor")
def pow_(self: Tensor, exponent: Any) -> Tensor:
    """The power, in place."""
    return (
        _number_power(self, exponent, "_")
        if exponent.__class__ in NUMBERS
        else FUNCTIONS["pow_tensor_"](self, exponent)
    )


@public("Tensor")
def __pow__(self: Tensor, exponent: Any) -> Any:
    if exponent.__class__ in NUMBERS:
        if exponent == 2 and self.array.dtype in FLOATS:
            return FUNCTIONS["pow_2"](self)
        return _number_power(self, exponent, "")
    return pow(self, exponent) if isinstance(exponent, Tensor) else NotImplemented


@public("Tensor")
def __rpow__(self: Tensor, base: Any) -> Any:
    return pow(base, self) if base.__class__ in NUMBERS else NotImplemented


@public("Tensor")
def __ipow__(self: Tensor, exponent: Any) -> Any:
    return pow_(self, exponent)


@public("torch Tensor")
def square(input: Tensor, *, out: Any = None) -> Tensor:
    """input * input."""
    return pow(input, 2, out=out)


@public("Tensor")
def square_(self: Tensor) -> Tensor:
    """square, in place."""
    return pow_(self, 2)


@public("torch Tensor")
def clamp(input: Tensor, min: Any = None, max: Any = None, *, out: Any = None) -> Tensor:
    """Values below min become min, above max become max."""
    check(min is not None or max is not None, "torch.clamp: At least one of 'min' or 'max' must not be None")
    if out is not None:
        from .inplace import into

        return into(out, OPS["maximum"], clamp(input, min, max))
    result = input
    if min is not None:
        result = _clamped(result, min, "clamp_low")
    if max is not None:
        result = _clamped(result, max, "clamp_high")
    return result


def _clamped(x: Tensor, bound: Any, name: str) -> Tensor:
    if bound.__class__ in NUMBERS:
        from .operands import number_operand

        x, bound = number_operand(OPS["maximum"], x, bound)
    return op(name)(x, bound)


@public("Tensor")
def clamp_(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """clamp, in place."""
    check(min is not None or max is not None, "torch.clamp: At least one of 'min' or 'max' must not be None")
    if min is not None:
        FUNCTIONS["clamp_low_"](self, min)
    return self if max is None else FUNCTIONS["clamp_high_"](self, max)


@public("torch Tensor")
def isinf(input: Tensor) -> Tensor:
    """Where the value is an infinity."""
    return (input == math.inf) | (input == -math.inf)


@public("torch Tensor")
def isfinite(input: Tensor) -> Tensor:
    """Where the value is neither nan nor an infinity."""
    return (input - input == 0) if input.is_floating_point() else (input == input)


@public("torch Tensor")
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape and elements."""
    return input.shape == other.shape and bool((input.array == other.array).all())


@public("torch Tensor")
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Where |input - other| <= atol + rtol * |other|."""
    if input.dtype != other.dtype:
        raise RuntimeError(f"{C_NAMES[input.dtype.name]} did not match {C_NAMES[other.dtype.name]}")
    from minitorch._tensor import wrap

    return wrap(np.asarray(np.isclose(input.array, other.array, rtol, atol, equal_nan)))


@public("torch Tensor")
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close; see isclose."""
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


@public("torch")
def is_tensor(obj: Any) -> bool:
    """Whether the object is a Tensor."""
    return isinstance(obj, Tensor)


@public("torch")
def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.array.size


@public("torch")
def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is a floating-point type."""
    return input.is_floating_point()


@public("torch")
def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """The dtype that an operation on both would have."""
    if not isinstance(tensor1, Tensor) and isinstance(tensor2, Tensor):
        tensor1, tensor2 = tensor2, tensor1
    if not isinstance(tensor1, Tensor):
        from minitorch._creation import tensor

        return dtypes.promote_types(tensor(tensor1).dtype, tensor(tensor2).dtype)
    if not isinstance(tensor2, Tensor):
        return dtypes.OF_NUMPY[dtypes.NUMBER_DTYPE[tensor2.__class__, tensor1.array.dtype]]
    return dtypes.OF_NUMPY[common_dtype([tensor1.array, tensor2.array])]


# ---------------------------------------------------------------------- dtype and device
@public("Tensor")
def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor in another dtype or on another device; itself if nothing changes."""
    dtype, device, copy = _to_arguments(*args, **kwargs)
    result = self
    if device is not None and device != self.device:
        result = _moved(result, device)
    if dtype is not None and result.array.dtype is not dtype:
        return cast(result, dtype)
    return op("clone")(result) if copy and result is self else result


def _to_arguments(*args: Any, **kwargs: Any) -> tuple[Any, Any, bool]:
    from minitorch._device import device as Device

    dtype, device = kwargs.pop("dtype", None), kwargs.pop("device", None)
    copy, _ = kwargs.pop("copy", False), kwargs.pop("non_blocking", False)
    kwargs.pop("memory_format", None)
    other = kwargs.pop("other", None)
    if kwargs:
        raise TypeError(f"to() received an invalid combination of arguments: unexpected {', '.join(kwargs)}")
    rest: list[bool] = []
    for a in args:
        if isinstance(a, dtypes.dtype):
            dtype = a
        elif isinstance(a, (Device, str)) or (a.__class__ is int and not rest and device is None):
            device = a
        elif isinstance(a, Tensor):
            other = a
        elif a is None:
            pass
        elif isinstance(a, bool):
            rest.append(a)
        else:
            raise TypeError(f"to() received an invalid combination of arguments - got ({a.__class__.__name__})")
    if len(rest) > 1:
        copy = rest[1]
    if other is not None:
        dtype, device = other.dtype, other.device
    return (
        None if dtype is None else dtypes.numpy_dtype(dtype),
        None if device is None else Device(device),
        copy,
    )


def _moved(t: Tensor, device: Any) -> Tensor:
    from minitorch._device import backend
    from minitorch._tensor import wrap

    if t.is_meta:
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    if device.type == "cpu":
        return t if t.is_cpu else wrap(t.array.to_host())
    return wrap(backend(device).from_host(t.array))


@public("Tensor")
def cpu(self: Tensor, memory_format: Any = preserve_format) -> Tensor:
    """The tensor in main memory."""
    return to(self, "cpu")


@public("Tensor")
def cuda(self: Tensor, device: Any = None, non_blocking: bool = False) -> Tensor:
    """The tensor on a GPU; NotImplementedError as long as minitorch has no CUDA backend."""
    return to(self, "cuda" if device is None else device)


def _converter(name: str, dtype: dtypes.dtype) -> Callable[..., Tensor]:
    def convert(self: Tensor, memory_format: Any = preserve_format) -> Tensor:
        return to(self, dtype)

    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = f"The tensor as {dtype}."
    return convert


for _name in ("float", "double", "int", "long", "short", "bool", "half", "bfloat16"):
    PUBLIC[_name] = _converter(_name, getattr(dtypes, _name)), ["Tensor"]
PUBLIC["char"] = _converter("char", dtypes.int8), ["Tensor"]
PUBLIC["byte"] = _converter("byte", dtypes.uint8), ["Tensor"]


@public("Tensor")
def type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The tensor type's name, or the tensor in another dtype."""
    if dtype is None:
        return f"torch.{'' if self.is_cpu else self.device.type + '.'}{C_NAMES[self.dtype.name]}Tensor"
    if isinstance(dtype, str):
        by_name = {f"torch.{C_NAMES[d.name]}Tensor": d for d in dtypes.SUPPORTED}
        if dtype not in by_name:
            raise ValueError(f"invalid type: '{dtype}'")
        dtype = by_name[dtype]
    return to(self, dtype)


@public("Tensor")
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor in other's dtype."""
    return to(self, other)


# ---------------------------------------------------------------------- copies and writes
@public("Tensor")
def contiguous(self: Tensor, memory_format: memory_format = contiguous_format) -> Tensor:
    """Itself if its memory is in index order, else a copy that is."""
    if memory_format not in (contiguous_format, preserve_format):
        raise NotImplementedError(f"contiguous: memory_format={memory_format} is not supported by minitorch")
    return self if self.array.flags.c_contiguous else op("dense")(self)


@public("torch Tensor")
def clone(input: Tensor, *, memory_format: memory_format = preserve_format) -> Tensor:
    """A copy, recorded."""
    if memory_format is contiguous_format:
        return op("dense")(input)
    if memory_format is not preserve_format:
        raise NotImplementedError(f"clone: memory_format={memory_format} is not supported by minitorch")
    return op("clone")(input)


@public("Tensor")
def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Write src's values, broadcast and converted, into this tensor."""
    from .copies import check_overlap

    if not isinstance(src, Tensor):
        raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {src.__class__.__name__}")
    check_overlap(self, src)
    if self.array.shape != src.array.shape:
        check_inplace_shape([self.array.shape, src.array.shape])
    if self.device != src.device:
        src = _moved(src, self.device)
    return FUNCTIONS["copy_from_"](self, src)


@public("Tensor")
def fill_(self: Tensor, value: Any) -> Tensor:
    """Write one value to every element."""
    if isinstance(value, Tensor):
        check(
            value.ndim == 0,
            f"fill_ only supports 0-dimension value tensor but got tensor with {value.ndim} dimensions.",
        )
        return copy_(self, value)
    if value.__class__ not in NUMBERS and not isinstance(value, np.generic):
        raise TypeError(f"fill_(): argument 'value' (position 1) must be Number, not {value.__class__.__name__}")
    return FUNCTIONS["fill_with_"](self, value)


@public("torch")
def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor of the same kind full of one value."""
    return fill_(op("clone")(input), value)


@public("Tensor")
def zero_(self: Tensor) -> Tensor:
    """Write 0 to every element."""
    return FUNCTIONS["zeroed_"](self)


# ---------------------------------------------------------------------- shapes
@public("Tensor")
def view(self: Tensor, *shape: Any, size: Any = None, dtype: Any = None) -> Tensor:
    """The same memory in another shape; RuntimeError where the order of the memory does not allow it."""
    if size is not None:
        shape = tuple(size)
    if dtype is not None or (len(shape) == 1 and isinstance(shape[0], dtypes.dtype)):
        return _bits(self, shape[0] if dtype is None else dtype)
    return op("view_as_shape")(self, sizes(shape, "view"))


def _bits(x: Tensor, dtype: dtypes.dtype) -> Tensor:
    """The same bytes as another dtype."""
    to = dtypes.numpy_dtype(dtype)
    if to.itemsize != x.array.dtype.itemsize:
        raise NotImplementedError("view(dtype): only dtypes of the same size are supported by minitorch")
    if x.array.dtype is to:
        return view(x, *x.shape)
    from minitorch._tensor import wrap

    return wrap(x.array.view(to), x.version)


@public("torch Tensor")
def reshape(input: Tensor, *shape: Any) -> Tensor:
    """A view of this shape if possible, else a copy."""
    from .views import inferred_shape, viewable

    wanted = inferred_shape(input.array.size, sizes(shape, "reshape"))
    if viewable(input.array, wanted) is None:
        input = op("dense")(input)
    return op("view_as_shape")(input, wanted)


@public("Tensor")
def view_as(self: Tensor, other: Tensor) -> Tensor:
    """A view of other's shape."""
    return op("view_as_shape")(self, tuple(other.shape))


@public("Tensor")
def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """reshape to other's shape."""
    return reshape(self, *other.shape)


@public("torch Tensor")
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions start_dim to end_dim as one."""
    shape = tuple(input.shape)
    start, end = wrap_dim(start_dim, len(shape)), wrap_dim(end_dim, len(shape))
    check(start <= end, "flatten() has invalid args: start_dim cannot come after end_dim")
    if not shape:
        return reshape(input, 1)
    if start == end:
        return input
    return reshape(input, *shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])


@public("torch Tensor")
def ravel(input: Tensor) -> Tensor:
    """One dimension, contiguous."""
    return view(contiguous(input), -1)


@public("torch Tensor")
def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """One dimension as several."""
    dim = wrap_dim(dim, input.ndim, scalar=False)
    sizes = tuple(sizes)
    known = math.prod([n for n in sizes if n != -1])
    n = input.shape[dim]
    check(
        known == n or (-1 in sizes and known and n % known == 0),
        f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} ({n}) in the input tensor",
    )
    sizes = tuple([n // known if s == -1 else s for s in sizes])
    return view(input, *input.shape[:dim], *sizes, *input.shape[dim + 1 :])


@public("Tensor")
def permute(self: Tensor, *dims: Any) -> Tensor:
    """The dimensions in another order."""
    return op("permute_dims")(self, sizes(dims, "permute"))


def torch_permute(input: Tensor, dims: Any) -> Tensor:
    """The dimensions in another order."""
    return op("permute_dims")(input, sizes((dims,), "permute"))


@public("torch Tensor")
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Dimensions at other places, the others in their order."""
    source, destination = [tuple(d) if isinstance(d, (tuple, list)) else (d,) for d in (source, destination)]
    check(
        len(source) == len(destination),
        "movedim: Invalid source or destination dims: source "
        f"({list(source)} dims) should contain the same number of dims as destination ({list(destination)} dims)",
    )
    source, destination = wrap_dims(source, input.ndim), wrap_dims(destination, input.ndim)
    if not input.ndim:
        return op("permute_dims")(input, ())
    order = [i for i in range(input.ndim) if i not in source]
    for d, s in sorted(zip(destination, source, strict=True)):
        order.insert(d, s)
    return op("permute_dims")(input, tuple(order))


@public("torch Tensor")
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without the dimensions of size 1, or without those named."""
    return op("squeeze_dims")(input, dim if dim is None or isinstance(dim, (tuple, list)) else (dim,))


@public("Tensor")
def expand(self: Tensor, *sizes_: Any, size: Any = None, implicit: bool = False) -> Tensor:
    """A view with dimensions of size 1 stretched."""
    return op("expand_to")(self, sizes(sizes_ if size is None else (size,), "expand"))


@public("Tensor")
def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """expand to other's shape."""
    return op("expand_to")(self, tuple(other.shape))


@public("torch Tensor")
def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """A view of this shape."""
    return op("expand_to")(input, tuple(size))


@public("torch")
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Views of all tensors in their common shape."""
    tensors = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    shape = broadcast_shapes(*[t.shape for t in tensors])
    return tuple([op("expand_to")(t, tuple(shape)) for t in tensors])


@public("torch")
def broadcast_shapes(*shapes: Any) -> Any:
    """The common shape."""
    from minitorch._tensor import Size

    shapes = tuple((s,) if isinstance(s, int) else tuple(s) for s in shapes)
    try:
        return Size(np.broadcast_shapes(*shapes))
    except ValueError:
        raise RuntimeError(
            "Shape mismatch: objects cannot be broadcast to a single shape: " + " and ".join(map(str, shapes))
        ) from None


@public("Tensor")
def sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """The sum over the dimensions that broadcasting would stretch."""
    wanted, have = sizes(size), tuple(self.shape)
    lead = len(have) - len(wanted)
    check(
        lead >= 0 and all(n in (1, m) for n, m in zip(wanted, have[lead:], strict=True)),
        f"size {{{list(wanted)}}} is not expandable to size {{{list(have)}}}.",
    )
    if wanted != have and not self.is_floating_point():
        self = cast(self, dtypes.INT64_NUMPY)
    return op("sum_to_size")(self, wanted)


@public("torch Tensor")
def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """A view of `length` indices from `start` along dim."""
    check(input.ndim, "narrow() cannot be applied to a 0-dim tensor.")
    check(length >= 0, "narrow(): length must be non-negative.")
    dim = wrap_dim(dim, input.ndim)
    n, start = input.shape[dim], integer(start, "start", "narrow")
    if not -n <= start <= n:
        raise IndexError(f"start out of range (expected to be in range of [{-n}, {n}], but got {start})")
    start = start + n if start < 0 else start
    check(start + length <= n, f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return op("slice_dim")(input, dim, start, start + length, 1)


def _swapped(self: Tensor) -> Tensor:
    return op("t")(self) if self.ndim <= 2 else op("permute_dims")(self, tuple(reversed(range(self.ndim))))


def _matrices(self: Tensor) -> Tensor:
    if self.ndim < 2:
        raise RuntimeError(f"tensor.mT is only supported on matrices or batches of matrices. Got {self.ndim}-D tensor.")
    return op("transpose")(self, -2, -1)


PROPERTIES.update(
    {"T": property(_swapped), "mT": property(_matrices), "H": property(_matrices), "mH": property(_matrices)}
)


# ---------------------------------------------------------------------- reductions
@public("torch Tensor")
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None, out: Any = None) -> Any:
    """The largest element; with dim (values, indices); with another tensor the elementwise maximum."""
    return _extreme(input, dim, keepdim, other, out, "amax", "max_dim", "maximum")


@public("torch Tensor")
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None, out: Any = None) -> Any:
    """The smallest element; with dim (values, indices); with another tensor the elementwise minimum."""
    return _extreme(input, dim, keepdim, other, out, "amin", "min_dim", "minimum")


def _extreme(input: Tensor, dim: Any, keepdim: bool, other: Any, out: Any, whole: str, along: str, pair: str) -> Any:
    other = dim if isinstance(dim, Tensor) else other
    if other is not None:
        return op(pair)(input, other, out=out)
    if dim is None:
        check(
            input.array.size,
            f"{along[:3]}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
            "dim with "
            "the 'dim' argument.",
        )
        result = op(whole)(input)
    else:
        result = op(along)(input, integer(dim, "dim", along[:3]), keepdim)
    if out is None:
        return result
    from .inplace import into

    return into(out, OPS[whole], result)


@public("torch Tensor")
def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: Any = None,
    out: Any = None,
) -> Tensor:
    """The variance; divided by n - correction (1 at first)."""
    from .inplace import into

    result = _variance("var", input, dim, unbiased, keepdim, correction)
    return result if out is None else into(out, OPS["variance"], result)


def _variance(name: str, input: Tensor, dim: Any, unbiased: bool, keepdim: bool, correction: Any) -> Tensor:
    """var for var, std and what returns their mean too, with the warning in that function's name."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    means = "_mean" in name
    if not input.is_floating_point():
        raise RuntimeError(f"{name if means else 'std and var'} only support floating point and complex dtypes")
    correction = int(unbiased) if correction is None else correction
    result = op("variance")(input, dim, correction, keepdim)
    if input.array.size <= correction * result.array.size or not result.array.size:
        import warnings

        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor "
            "(input "
            "numel divided by output numel).",
            UserWarning,
            stacklevel=3,
        )
    return result


@public("torch Tensor")
def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: Any = None,
    out: Any = None,
) -> Tensor:
    """The square root of var."""
    from .inplace import into

    result = op("std_of_var")(_variance("std", input, dim, unbiased, keepdim, correction))
    return result if out is None else into(out, OPS["std_of_var"], result)


@public("torch")
def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: Any = None
) -> Any:
    """(var, mean)."""
    variance = _variance("var_mean", input, dim, unbiased, keepdim, correction)
    return variance, op("mean")(input, None if isinstance(dim, bool) else dim, keepdim)


@public("torch")
def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: Any = None
) -> Any:
    """(std, mean)."""
    variance = _variance("std_mean", input, dim, unbiased, keepdim, correction)
    return op("std_of_var")(variance), op("mean")(input, None if isinstance(dim, bool) else dim, keepdim)


@public("torch Tensor")
def prod(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product."""
    return op("prod_dim")(input, dim, keepdim, dtype)


@public("torch Tensor")
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False, *, out: Any = None) -> Tensor:
    """log(sum(exp(input))), without overflow."""
    from .inplace import into

    result = op("logsumexp_dims")(
        op("to_copy")(input, dtypes.get_default_dtype().numpy) if not input.is_floating_point() else input, dim, keepdim
    )
    return result if out is None else into(out, OPS["logsumexp_dims"], result)


@public("torch Tensor")
def flip(input: Tensor, *dims: Any) -> Tensor:
    """A copy with the order of some dimensions reversed."""
    return op("flip_dims")(input, sizes(dims, "flip"))


@public("torch Tensor")
def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """input + weight * (end - input)."""
    return input + weight * (end - input)
