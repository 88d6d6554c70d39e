"""Checks of arguments and the errors they raise: torch's first line, then what was seen."""

import functools
import sys
from math import isfinite
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._dtype import C_NAMES, CPP_NAMES
from minitorch._kernels.half import FLOAT_INFO
from minitorch._kernels.meta import MetaArray
from minitorch._kernels.strided import StridedArray
from minitorch.autograd._lines import OURS


def check(condition: Any, message: str, error: type[Exception] = RuntimeError) -> None:
    """Raise `error(message)` unless the condition holds."""
    if not condition:
        raise error(message)


def needs_data(name: str, array: Any) -> None:
    """Refuse an array without data where the shape of the result depends on it."""
    if not isinstance(array, np.ndarray) and (isinstance(array, MetaArray) or not isinstance(array, StridedArray)):
        raise NotImplementedError(f"{name}: the shape of the result depends on data, which the meta device lacks")


def anywhere(condition: Any) -> bool:
    """Whether a tensor of bools holds a true one; of a batch under vmap, whether any of its values does."""
    values = getattr(condition.array, "all_values", None)
    return bool(condition.any().item() if values is None else values().any())


def concrete(array: Any) -> Any:
    """The array that lies under all batches of vmap."""
    values = getattr(array, "all_values", None)
    return array if values is None else values()


def refuse_batch(name: str, **tensors: Any) -> None:
    """Refuse a batch under vmap as an argument whose values must be known."""
    for argument, t in tensors.items():
        if hasattr(getattr(t, "array", None), "all_values"):
            raise NotImplementedError(f"vmap: {name} over a batch of `{argument}` is not supported by minitorch")


def c_name(array: Any) -> str:
    """The dtype of an array as torch's C++ messages name it."""
    return _c_name(array.dtype)


@functools.cache  # the name of a NumPy dtype is made anew each time it is asked for
def _c_name(dtype: np.dtype) -> str:
    return C_NAMES[dtype.name]


def cpp_name(array: Any) -> str:
    """The C++ type of an array's elements, as some of torch's messages show it."""
    return CPP_NAMES[array.dtype.name]


def c_word(dtype: Any) -> str:
    """A dtype as C spells it, as it stands in some of torch's messages."""
    return {"float32": "float", "float64": "double", "int64": "long"}.get(dtype.name, dtype.name)


def recorded_out(name: str) -> RuntimeError:
    """torch's error for `out=` where a gradient would be recorded."""
    return RuntimeError(
        f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the arguments "
        "requires grad."
    )


def wrap_dim(dim: int, ndim: int, scalar: bool = True) -> int:
    """A dimension counted from the front. A 0-dim tensor has dimensions -1 and 0 where `scalar` says so."""
    if dim.__class__ is not int:
        dim = integer(dim, "dim")
    if not ndim and not scalar:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    n = ndim or 1
    if not -n <= dim < n:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim + n if dim < 0 else dim


def wrap_dims(dims: Any, ndim: int) -> tuple[int, ...]:
    """Several dimensions, counted from the front, each at most once."""
    wrapped = tuple([wrap_dim(d, ndim) for d in dims])
    for i, d in enumerate(wrapped):
        if d in wrapped[:i]:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    return wrapped


def integer(value: Any, name: str, function: str = "") -> int:
    """An integer argument; bools and floats are torch's TypeError. Without a `function` it names what was called."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        function = function or _called_function()
        raise TypeError(f"{function}(): argument '{name}' must be int, not {type_name(value)}")
    return value.__index__()


def _called_function() -> str:
    """The public name of the outermost op that is being called, as checks deep within do not know it."""
    from .op import OPS
    from .public import FUNCTIONS

    name = ""
    frame = sys._getframe(1)
    while frame is not None and _is_of_ops(frame):
        inner = frame.f_code.co_name
        if inner in FUNCTIONS or inner in OPS:
            name = OPS[inner].public_name if inner in OPS else inner
        elif f"linalg.{inner}" in FUNCTIONS:
            name = f"linalg_{inner}"
        frame = frame.f_back  # type: ignore[assignment]
    return name


def _is_of_ops(frame: FrameType) -> bool:
    """Whether a frame is that of a function in `_ops/`, or of a generated one, whose globals name no module."""
    module = frame.f_globals.get("__name__")
    return frame.f_code.co_filename in OURS and (module is None or module.startswith("minitorch._ops."))


# a dtype as the errors about numbers name it; integers are "int64_t" and the like
_NUMBER_TYPES = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "void16": "c10::BFloat16", "int32": "int",
}  # fmt: skip


def _overflow(dtype: np.dtype) -> RuntimeError:
    name = _NUMBER_TYPES.get(dtype.name, f"{dtype.name}_t")
    return RuntimeError(f"value cannot be converted to type {name} without overflow")


def real_part(value: complex, dtype: np.dtype) -> float | bool:
    """A complex number as an element of this dtype, which has no place for an imaginary part."""
    if dtype == np.bool_:
        return bool(value)
    if value.imag:
        raise _overflow(dtype)
    return value.real


def checked_value(value: Any, dtype: np.dtype) -> Any:
    """A number as an element of this dtype; torch refuses those that it cannot hold, but wraps -1 to the largest."""
    whole = isinstance(value, int)
    check(not whole or value >= -(2**63), "can't convert negative int to unsigned", OverflowError)
    check(not whole or value < 2**64, "int too big to convert", OverflowError)
    if dtype == np.bool_:
        return bool(value)
    low, high = _limits(dtype)
    if dtype in dtypes.FLOATS:
        fits = not isfinite(value) or low <= value <= high
    else:
        fits = isfinite(value) and ((low or -high) if whole else low) <= value <= high
    if not fits:
        raise _overflow(dtype)
    return value if dtype in dtypes.FLOATS else int(value) % (high + 1) if dtype.kind == "u" else int(value)


@functools.cache  # NumPy takes 20 us to say
def _limits(dtype: np.dtype) -> tuple[Any, Any]:
    """The least and the greatest number of a dtype."""
    if dtype in dtypes.FLOATS:
        return -FLOAT_INFO[dtype].max, FLOAT_INFO[dtype].max
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def missing_argument(function: str, name: str) -> NoReturn:
    """torch's error for a call without a required argument."""
    raise TypeError(f'{function}() missing 1 required positional arguments: "{name}"')


def sizes(args: tuple[Any, ...], function: str = "size", name: str = "size", position: int = 1) -> tuple[int, ...]:
    """A shape given as separate integers, or as one tuple, list or Size."""
    sequence = len(args) == 1 and isinstance(args[0], (tuple, list))
    if sequence:
        args = tuple(args[0])
    for a in args:
        if a.__class__ is not int:
            return _indices(args, function, name, position, sequence)
    return args


def _indices(args: tuple[Any, ...], function: str, name: str, position: int, sequence: bool) -> tuple[int, ...]:
    """The integers that these are, or torch's error for the first that is none."""
    for at, a in enumerate(args):
        if not isinstance(a, bool) and hasattr(a, "__index__"):
            continue
        kind = type_name(a)
        if at:
            raise TypeError(
                f"{function}(): argument '{name}' failed to unpack the object at pos {at + 1} with error "
                f'"type must be tuple of ints,but got {kind}"'
            )
        if function == "view":
            invalid_arguments("view", [a] if sequence else a)
        if len(args) > 1 and not sequence:
            raise TypeError(f"{function}() takes 1 positional argument but {len(args)} were given")
        found = f"but found element of type {kind} at pos 0" if sequence else f"not {kind}"
        raise TypeError(f"{function}(): argument '{name}' (position {position}) must be tuple of ints, {found}")
    return tuple([a.__index__() for a in args])


def integers(values: Any, name: str, function: str, position: int) -> tuple[int, ...]:
    """An argument that is a tuple or list of integers."""
    if not isinstance(values, (tuple, list)):
        kind = type_name(values)
        raise TypeError(f"{function}(): argument '{name}' (position {position}) must be tuple of ints, not {kind}")
    plain = True
    for at, value in enumerate(values):
        if value.__class__ is int:
            continue
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            place = f"{function}(): argument '{name}' (position {position}) must be tuple of ints"
            raise TypeError(f"{place}, but found element of type {type_name(value)} at pos {at}")
        plain = False
    return tuple(values) if plain else tuple([v.__index__() for v in values])


def non_negative(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape, with torch's error for a negative length."""
    for n in shape:
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(shape)}")
    return shape


def pair(value: Any, name: str, function: str) -> tuple[int, int]:
    """An int or two ints."""
    if isinstance(value, (tuple, list)):
        if len(value) == 1:
            value = (value[0], value[0])
        if len(value) != 2:
            raise RuntimeError(f"{function}: {name} must either be a single int, or a tuple of two ints")
        return integer(value[0], name, function), integer(value[1], name, function)
    n = integer(value, name, function)
    return n, n


def broadcast_error(shapes: list[tuple[int, ...]]) -> RuntimeError:
    """torch's error for shapes that do not broadcast."""
    a = b = shapes[0]
    for b in shapes[1:]:
        for i in range(1, min(len(a), len(b)) + 1):
            if a[-i] != b[-i] and 1 not in (a[-i], b[-i]):
                return RuntimeError(
                    f"The size of tensor a ({a[-i]}) must match the size of tensor b ({b[-i]}) at non-singleton "
                    f"dimension {max(len(a), len(b)) - i}"
                )
        a = np.broadcast_shapes(a, b)
    return RuntimeError(f"output with shape {list(a)} doesn't match the broadcast shape {list(b)}")


def check_broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    """Refuse shapes that do not broadcast."""
    for n, m in zip(reversed(a), reversed(b), strict=False):
        if n != m and 1 not in (n, m):
            raise broadcast_error([a, b])


def check_inplace_shape(shapes: list[tuple[int, ...]]) -> None:
    """Refuse operands that would broadcast the first, which is written to."""
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise broadcast_error(shapes) from None
    if shape != shapes[0]:
        raise RuntimeError(f"output with shape {list(shapes[0])} doesn't match the broadcast shape {list(shape)}")


def device_error(op: Any, devices: list[Any]) -> RuntimeError:
    """torch's error for operands on different devices."""
    return RuntimeError(
        f"Expected all tensors to be on the same device, but found at least two devices, {devices[0]} and "
        f"{next(d for d in devices if d != devices[0])}! (in {op.name})"
    )


def not_implemented_for(name: str, array: Any) -> NoReturn:
    """torch's error for a dtype that a kernel does not take."""
    no_kernel(f"{name}_cpu", array)


def no_kernel(kernel: str, array: Any) -> NoReturn:
    """torch's error for a dtype, with its kernel's own name."""
    raise NotImplementedError(f"\"{kernel}\" not implemented for '{c_name(array)}'")


def invalid_arguments(function: str, *arguments: Any) -> NoReturn:
    """torch's error for arguments that fit none of a function's signatures."""
    got = ", ".join(type_name(a) for a in arguments)
    raise TypeError(
        f"{function}() received an invalid combination of arguments - got ({got}), but expected one of:"
    ) from None


def type_name(value: Any) -> str:
    """The type of an argument as torch's messages show it."""
    kind = type(value)
    return f"numpy.{kind.__name__}" if kind.__module__ == "numpy" else kind.__name__


def full_float_required(kernel: str, array: Any) -> None:
    """Refuse float16 and bfloat16 where torch has them on a GPU alone."""
    if array.dtype in dtypes.HALVES and isinstance(array, np.ndarray):
        no_kernel(kernel, array)


def real(value: Any, name: str, position: int, function: str) -> float:
    """An argument that is a real number."""
    if not hasattr(value, "__float__"):
        kind = type_name(value)
        raise TypeError(f"{function}(): argument '{name}' (position {position}) must be float, not {kind}")
    return float(value)


def text(value: Any, name: str, function: str) -> str:
    """An argument that is a str."""
    if not isinstance(value, str):
        raise TypeError(f"{function}(): argument '{name}' must be str, not {type_name(value)}")
    return value


def float_required(name: str, array: Any) -> None:
    """Refuse integers where torch's kernel exists for floats only."""
    if array.dtype not in dtypes.FLOATS:
        not_implemented_for(name, array)
