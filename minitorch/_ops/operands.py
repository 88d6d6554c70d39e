"""Operands of an op: numbers become 0-dim tensors, dtypes are brought together, and what does not fit is refused.

Only calls that are not plain (equal dtypes, tensors on both sides) come here.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._dtype import CATEGORY, FLOATS, HALVES, NUMBER_DTYPE, PROMOTED
from minitorch._kernels.half import HALF_CLASSES, converted, rounded
from minitorch._tensor import Tensor, wrap
from minitorch.autograd.grad_mode import NO_GRAD, UNUSUAL, state

from .check import (
    C_NAMES,
    broadcast_error,
    check_broadcast,
    check_inplace_shape,
    device_error,
    invalid_arguments,
    no_kernel,
    type_name,
)
from .op import OPS, Op
from .public import FUNCTIONS

ndarray = np.ndarray
NUMBERS = frozenset((float, int, bool))

# (number, NumPy dtype) -> 0-dim tensor: NumPy takes 411 ns for a bare number, 188 for a 0-dim array
CONSTANTS: dict[Any, Tensor] = {}
# The same of ints beside integers, zero among them: looked up where 2 is known not to be 2.0, or True
INTEGERS: dict[Any, Tensor] = {}
MOST = 4096  # of each


def constant(number: Any, dtype: np.dtype) -> Tensor:
    """A number as an operand of this dtype.

    Not kept in CONSTANTS: zero (0.0 == -0.0 as a key, not as an operand) and integer dtypes (2 == 2.0 as a key, but 2.0
    makes an integer tensor a float one).
    """
    try:
        array = _half_constant(number, dtype) if dtype in HALVES else np.array(number, dtype)
    except OverflowError:
        array = np.array(number & (2 ** (8 * dtype.itemsize) - 1), f"u{dtype.itemsize}").view(dtype)
    t = wrap(array)
    if dtype in FLOATS:
        if number and len(CONSTANTS) < MOST:
            CONSTANTS[number, dtype] = t
    elif number.__class__ is int and len(INTEGERS) < MOST:
        INTEGERS[number, dtype] = t
    return t


def _half_constant(number: Any, dtype: np.dtype) -> Any:
    """The number rounded; as it was for the ops that torch computes with it."""
    with np.errstate(over="ignore"):
        exact = np.array(float(number), np.float32)
    array = rounded(exact, dtype)
    array.exact = exact
    return array


def number_operand(op: Op, x: Tensor, number: Any) -> tuple[Tensor, Tensor]:
    """(x, number) as two tensors of the dtype that torch computes this in. Called when CONSTANTS had no answer."""
    a = x.array
    if number.__class__ is int and op.result != "float" and a.dtype.kind != "b" and a.__class__ is ndarray:
        kept = INTEGERS.get((number, a.dtype))
        if kept is not None:
            return x, kept
    if a.__class__ is not ndarray:
        return x, constant_like(x, number)
    if op.name == "sub" and (a.dtype == bool or number.__class__ is bool):
        refuse_bool(op, a, np.array(number))
    if number.__class__ not in NUMBERS:
        invalid_arguments(op.public_name, number)
    dtype = NUMBER_DTYPE[number.__class__, a.dtype]
    check_number(number, dtype)
    if op.result == "float" and dtype not in FLOATS:
        dtype = dtypes.get_default_dtype().numpy  # at once: as uint8, -1 would become 255
    return (x if dtype is a.dtype else cast(x, dtype)), constant(number, dtype)


def check_number(number: Any, dtype: np.dtype) -> None:
    """torch refuses an integer that its 64 bits cannot hold."""
    if number.__class__ is int and not -(2**63) <= number < 2**63:
        raise OverflowError("int too big to convert")


def constant_like(x: Tensor, number: Any) -> Tensor:
    """A number beside a tensor of another device."""
    dtype = NUMBER_DTYPE[number.__class__, x.array.dtype]
    if x.is_cuda:  # kernels get it by value
        return constant(number, dtype)
    from minitorch._device import backend

    return wrap(backend(x.device).from_host(constant(number, dtype).array))


def cast(t: Tensor, dtype: np.dtype) -> Tensor:
    """The tensor in another dtype, recorded."""
    if dtype not in FLOATS and t.requires_grad:
        t = t.detach()  # integers have no gradient
    a, mode = t.array, state.mode if UNUSUAL else None
    if (
        (a.__class__ in HALF_CLASSES or (dtype in HALVES and a.__class__ is ndarray))
        and t.__class__ is Tensor
        and (mode is NO_GRAD or (mode is None and t.edge is None and t.base is None))
    ):
        return wrap(converted(a, dtype))  # what follows takes ops on halves the long way
    return OPS["to_copy"].function(t, dtype)


def to_float(t: Tensor) -> Tensor:
    """Integers and bools as the default float dtype."""
    return t if t.array.dtype in FLOATS else cast(t, dtypes.get_default_dtype().numpy)


def common_dtype(arrays: list[Any]) -> np.dtype:
    """The dtype that torch computes in: see `_dtype.py`."""
    found, zero = arrays[0].dtype, not arrays[0].shape
    for a in arrays[1:]:
        other_zero = not a.shape
        found = PROMOTED[found, zero, a.dtype, other_zero]
        zero = zero and other_zero
    return found


def promote(op: Op, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Tensors in their common dtype."""
    arrays = [t.array for t in tensors]
    if op.name == "sub":
        refuse_bool(op, *arrays)
    dtype = common_dtype(arrays)
    return tuple([t if t.array.dtype is dtype else cast(t, dtype) for t in tensors])


def inplace_number(op: Op, x: Tensor, number: Any) -> Tensor:
    """The number as operand of an in-place op on x, whose dtype stays."""
    if number.__class__ is int and op.result != "float" and x.array.dtype.kind != "b":
        kept = INTEGERS.get((number, x.array.dtype))
        if kept is not None:
            return kept
    dtype = NUMBER_DTYPE[number.__class__, x.array.dtype]
    if op.name == "sub" and x.array.dtype == bool:
        refuse_bool(op, x.array, np.array(number))
    refuse_cast(op, computed_dtype(op, dtype), x.array.dtype)
    check_number(number, x.array.dtype)
    return constant(number, x.array.dtype)


def inplace_operands(op: Op, x: Tensor, *others: Tensor) -> tuple[Tensor, ...] | Tensor:
    """The other operands in x's dtype, if torch allows that cast."""
    arrays = [x.array, *[t.array for t in others]]
    check_inplace_shape([a.shape for a in arrays])
    if op.name == "sub":
        refuse_bool(op, *arrays)
    refuse_cast(op, computed_dtype(op, common_dtype(arrays)), x.array.dtype)
    made = tuple([t if t.array.dtype is x.array.dtype else cast(t, x.array.dtype) for t in others])
    return made if len(made) > 1 else made[0]


def refuse_cast(op: Op, computed: np.dtype, stored: np.dtype) -> None:
    """torch's error for a result that an in-place op cannot store."""
    if op.result != "bool" and CATEGORY[computed] > CATEGORY[stored]:
        raise RuntimeError(
            f"result type {C_NAMES[computed.name]} can't be cast to the desired output type {C_NAMES[stored.name]}"
        )


def computed_dtype(op: Op, dtype: np.dtype) -> np.dtype:
    """The dtype that an op computes in, for operands of this common dtype."""
    return dtypes.get_default_dtype().numpy if op.result == "float" and dtype not in FLOATS else dtype


def refuse_float_result(op: Op, x: Tensor, *others: Tensor) -> None:
    """An op whose result is a float cannot be stored in an integer tensor."""
    check_inplace_shape([x.array.shape, *[t.array.shape for t in others]])
    refuse_cast(op, dtypes.get_default_dtype().numpy, x.array.dtype)


def refuse_complex(name: str, *values: Any) -> None:
    """Complex numbers make complex tensors."""
    if any(isinstance(v, complex) for v in values):
        raise NotImplementedError(f"{name}(): complex numbers are not supported by minitorch")


def python_number(value: Any) -> Any:
    """A NumPy scalar as torch's operators take it: np.bool_ as a float. Others are as they were."""
    if not isinstance(value, np.generic):
        return value
    return float(value) if isinstance(value, np.bool_) else value.item()


def number_argument(function: str, name: str, position: int | None, value: Any, kind: str = "Number") -> Any:
    """An argument that is one number for all elements: torch takes a 0-dim tensor too. No position: by name only."""
    if value.__class__ in NUMBERS:
        return value
    if isinstance(value, Tensor) and not value.array.shape and not value.requires_grad:
        return value.item()
    refuse_complex(function, value)
    if not isinstance(value, (int, float, np.generic)):
        place = f" (position {position})" if position else ""
        raise TypeError(f"{function}(): argument '{name}'{place} must be {kind}, not {type_name(value)}")
    return value


# the functions that torch gives two numbers, too; and those that it gives numbers by way of tensors
_OF_TWO_NUMBERS = frozenset(("add", "sub", "mul", "div", "floor_divide"))
_ONE_SIGNATURE = frozenset(("add", "sub", "mul", "div"))


def unusual_operands(name: str, op: Op, args: tuple[Any, ...], is_operator: bool) -> Any:
    """A call whose operands are not all tensors and Python numbers: NumPy scalars serve, the rest is refused."""
    if any(hasattr(type(a), "__torch_function__") and not isinstance(a, Tensor) for a in args):
        from minitorch import overrides

        if overrides.enable():
            n = len(args) - len(op.keyword_only)
            return FUNCTIONS[name](*args[:n], **dict(zip(op.keyword_only, args[n:], strict=True)))
    refuse_complex(op.public_name, *args)
    plain = tuple([python_number(a) for a in args])
    if isinstance(args[0], Tensor) and any(p is not a for p, a in zip(plain, args, strict=True)):
        return FUNCTIONS[name](*plain)
    if op.numbers == "xy" and plain[0].__class__ in NUMBERS and isinstance(args[1], Tensor) and not is_operator:
        return FUNCTIONS[name](number_operand(op, args[1], plain[0])[1], *plain[1:])
    if op.name in _OF_TWO_NUMBERS and not is_operator and all(p.__class__ in NUMBERS for p in plain[:2]):
        from minitorch._data import tensor

        return FUNCTIONS[name](tensor(plain[0]), *plain[1:])
    if name == "__eq__" and isinstance(args[1], np.ndarray) and args[1].dtype in dtypes.OF_NUMPY:
        from minitorch._data import as_tensor

        return FUNCTIONS["eq"](args[0], as_tensor(args[1]))  # as in torch, unlike the other comparisons
    if is_operator and isinstance(args[0], Tensor):
        return NotImplemented
    if is_operator:
        raise TypeError(
            f"descriptor '{name}' for 'torch._C.TensorBase' objects doesn't apply to a '{type_name(args[0])}' object"
        )
    is_special = op.on == ["special"]
    if op.broadcasts and op.numbers and op.name not in _ONE_SIGNATURE:
        invalid_arguments(f"special_{op.name}" if is_special else op.public_name, *args[: len(op.tensors)])
    called = "special_" * is_special + op.public_name
    for position, (argument, value) in enumerate(zip(op.params, args, strict=True), 1):
        is_number = position > 1 and op.broadcasts and bool(op.numbers) and value.__class__ in NUMBERS
        if argument in op.tensors and not isinstance(value, Tensor) and not is_number:
            raise TypeError(
                f"{called}(): argument '{argument}' (position {position}) must be Tensor, not {type_name(value)}"
            ) from None
    raise TypeError(f"{called}(): unsupported operands {[type_name(a) for a in args]}") from None


def operand_error(op: Op, error: Exception, inplace: bool, *arrays: Any) -> Exception:
    """torch's words for what NumPy refused: shapes that do not broadcast, dtypes without a kernel."""
    shapes = [a.shape for a in arrays]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        return broadcast_error(shapes)
    if inplace and shape != shapes[0]:
        return RuntimeError(f"output with shape {list(shapes[0])} doesn't match the broadcast shape {list(shape)}")
    if "negative integer power" in str(error):
        return RuntimeError("Integers to negative integer powers are not allowed.")
    try:
        if arrays[0].dtype == bool:
            refuse_bool(op, *arrays)
        no_kernel(op.kernel, arrays[0])
    except (NotImplementedError, RuntimeError) as e:
        return e


def refuse_bool(op: Op, *arrays: Any) -> None:
    """torch's error for an op that does not take the bools among these operands."""
    bools = [a.dtype == bool for a in arrays]
    if not any(bools):
        return
    if op.name == "relu":
        raise RuntimeError("Boolean inputs not supported for relu")
    if op.name == "neg":
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, "
            "use the "
            "`~` or `logical_not()` operator instead."
        )
    if op.name == "sub" and all(bools):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
            "operator instead."
        )
    if op.name == "sub":
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a "
            "mask, use "
            "the `~` or `logical_not()` operator instead."
        )
    if not op.bools:
        for a in arrays[1:]:
            check_broadcast(arrays[0].shape, a.shape)
        no_kernel(op.kernel, arrays[0])


def refuse_bool_operand(op: Op, x: Any) -> None:
    """torch's error for a bool beside x."""
    if isinstance(x, Tensor):
        refuse_bool(op, x.array, np.array(True))


def same_device(op: Op, tensors: Sequence[Tensor | None]) -> Any:
    """The one device of the operands; 0-dim CPU tensors go along with any other."""
    device, others = None, []
    for t in tensors:
        if t is not None:
            d = t.device
            if t.array.shape or not isinstance(t.array, ndarray):
                others.append(d)
            elif device is None:
                device = d
    if not others:
        return device
    device = others[0]
    for d in others:
        if d is not device and d != device:
            raise device_error(op, others)
    return device


def tensors_only(function: str, first: int = 1, /, **arguments: Any) -> None:
    """torch's error for arguments, counted from `first`, that are no tensors."""
    for position, (name, value) in enumerate(arguments.items(), first):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{function}(): argument '{name}' (position {position}) must be Tensor, not {type_name(value)}"
            )
