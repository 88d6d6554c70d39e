"""Arithmetic, powers, bounds and comparison that other ops express, and the checks of those that are records."""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._dtype import FLOATS
from minitorch._kernels.half import rounded, widened
from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import no_grad

from .check import C_NAMES, check, check_broadcast, cpp_name, invalid_arguments, no_kernel, text
from .nodes import titled
from .op import OPS, Op
from .operands import (
    CONSTANTS,
    NUMBERS,
    common_dtype,
    number_argument,
    number_operand,
    python_number,
    refuse_bool,
    refuse_cast,
    refuse_complex,
    tensors_only,
    to_float,
)
from .public import FUNCTIONS, into, op, public


def scaled_sum(record: Op, twin: str, input: Any, other: Any, alpha: Any) -> Any:
    """add or sub of `alpha * other`, or its in-place `twin`: of floats in one step, which rounds once."""
    scaled = FUNCTIONS[f"{record.name}_scaled{'_' * twin.endswith('_')}"]
    if input.__class__ is other.__class__ is Tensor and alpha.__class__ is float:
        a, b = input.array, other.array
        if a.dtype is b.dtype and a.shape == b.shape and a.dtype in FLOATS and a.dtype not in dtypes.HALVES:
            return scaled(input, other, alpha=alpha)  # the everyday case, about which there is nothing to ask
    alpha = number_argument(twin, "alpha", None, alpha)
    x = input if isinstance(input, Tensor) or not isinstance(other, Tensor) else as_tensor_like(other, input)
    dtype = _check_alpha(record, x, other, alpha)
    if dtype == np.bool_:
        return FUNCTIONS[twin](x, other & bool(alpha))  # the scale takes the result's dtype
    if dtype not in FLOATS:
        other = other.to(dtypes.OF_NUMPY[dtype]) if isinstance(other, Tensor) else other  # torch multiplies in it
        return FUNCTIONS[twin](x, other * alpha)
    if dtype in dtypes.HALVES:  # alpha too, as in torch, which then computes in float32
        alpha = widened(rounded(np.float32(alpha), dtype)).item()
    return scaled(x, other, alpha=alpha)


def _check_alpha(record: Op, x: Any, other: Any, alpha: Any) -> np.dtype:
    """The dtype of the result, unless alpha does not fit it."""
    dtype = x.array.dtype
    if isinstance(other, Tensor):
        check_broadcast(x.array.shape, other.array.shape)
        dtype = common_dtype([x.array, other.array])
    elif other.__class__ in NUMBERS:
        dtype = dtypes.NUMBER_DTYPE[other.__class__, dtype]
    if record.name == "sub":
        refuse_bool(record, *[t.array for t in (x, other) if isinstance(t, Tensor)])
    if isinstance(alpha, float) and dtype not in FLOATS:
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    if isinstance(alpha, bool) and dtype != np.bool_:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    return dtype


def refuse_zero_division(name: str, x: Any, y: Any) -> None:
    """Integer division by zero is an error; floats give infinity or nan."""
    if not isinstance(y, Tensor) and (y.__class__ not in NUMBERS or y):
        return  # not 0, or refused for another reason
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
    for x in (input, other):
        if not isinstance(x, (Tensor, int, float, np.number)):
            refuse_complex("div", x)
            invalid_arguments("div", input, other)
    if text(rounding_mode, "rounding_mode", "div") not in ("floor", "trunc"):
        raise RuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '" + str(rounding_mode) + "'"
        )
    inplace = name.endswith("_")
    if rounding_mode == "floor":
        refuse_zero_division(name, input, other)
        result = op("div_floor")(input, other)
    else:
        refuse_zero_division(name, input, other)
        dtype = FUNCTIONS["result_type"](input, other)
        one = not isinstance(other, Tensor) or other.numel() == 1
        if (dtype.is_floating_point and (one or dtype not in dtypes.HALVES)) or dtype is dtypes.bool:
            result = op("div_trunc")(input, other)
        else:  # halves are rounded before they are cut, as in torch, unless the divisor is one number
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
    if have != made:
        raise RuntimeError(f"output with shape {list(have)} doesn't match the broadcast shape {list(made)}")
    refuse_cast(OPS["add"], result.array.dtype, x.array.dtype)
    return FUNCTIONS["copy_"](x, result)


def as_tensor_like(x: Tensor, value: Any) -> Tensor:
    """A number as the first operand, beside x."""
    if isinstance(value, Tensor):
        return value
    try:
        return CONSTANTS[value, x.array.dtype]
    except KeyError:
        return number_operand(OPS["add"], x, value)[1]


@public("Tensor")
def __invert__(self: Tensor) -> Tensor:
    if self.is_floating_point():
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
    return op("bitwise_not")(self)


@public("torch Tensor")
def subtract(input: Tensor, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """Same as torch.sub."""
    return op("sub")(input, other, alpha=alpha, out=out)


@public("Tensor")
def subtract_(self: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """sub, in place."""
    return FUNCTIONS["sub_"](self, other, alpha=alpha)


@public("torch", overloads=True)
def rsub(input: Tensor, other: Any, alpha: Any = 1) -> Tensor:
    """other - alpha * input."""
    other = python_number(other)
    is_number = other.__class__ in NUMBERS
    if not isinstance(input, Tensor) or not (is_number or isinstance(other, Tensor)):
        refuse_complex("rsub", other)
        invalid_arguments("rsub", input, other)
    if other.__class__ is bool or not (is_number and input.array.dtype in FLOATS):
        refuse_bool(OPS["sub"], *[o.array if isinstance(o, Tensor) else np.asarray(o) for o in (input, other)])
    made = op("sub")(as_tensor_like(input, other), input, alpha=alpha)
    return made if isinstance(other, Tensor) else titled(made, "RsubBackward1", ("other_edge",))


def reflected_operand(self: Tensor, other: Any) -> Any:
    """The other operand of a reflected operator: what is no tensor and no number is left to its own operator."""
    refuse_complex("operator", other)
    other = python_number(other)
    return as_tensor_like(self, other) if other.__class__ in NUMBERS or isinstance(other, Tensor) else None


@public("Tensor")
def __rsub__(self: Tensor, other: Any) -> Any:
    if other.__class__ not in NUMBERS and reflected_operand(self, other) is None:
        return NotImplemented
    return rsub(self, other)


@public("Tensor", "__rdiv__")
def __rtruediv__(self: Tensor, other: Any) -> Any:
    if other.__class__ is not np.ndarray and reflected_operand(self, other) is None:
        return NotImplemented
    return op("reciprocal")(self) * other


@public("Tensor")
def __rfloordiv__(self: Tensor, other: Any) -> Any:
    other = reflected_operand(self, other)
    return NotImplemented if other is None else op("floor_divide")(other, self)


@public("Tensor")
def __rmod__(self: Tensor, other: Any) -> Any:
    other = reflected_operand(self, other)
    return NotImplemented if other is None else op("remainder")(other, self)


@public("Tensor")
def __rlshift__(self: Tensor, other: Any) -> Any:
    return NotImplemented if reflected_operand(self, other) is None else op("bitwise_left_shift")(other, self)


@public("Tensor")
def __rrshift__(self: Tensor, other: Any) -> Any:
    return NotImplemented if reflected_operand(self, other) is None else op("bitwise_right_shift")(other, self)


@public("torch Tensor")
def positive(input: Tensor) -> Tensor:
    """The tensor itself."""
    check(input.array.dtype != np.bool_, "The `+` operator, on a bool tensor is not supported.")
    return input


@public("Tensor")
def __pos__(self: Tensor) -> Tensor:
    return positive(self)


@public("torch Tensor")
def angle(input: Tensor, *, out: Any = None) -> Tensor:
    """pi where a real number is negative, nan where it is nan, else 0."""
    return into(out, "angle", op("angle_of_real")(input))


@public("torch Tensor")
def conj_physical(input: Tensor, *, out: Any = None) -> Tensor:
    """The complex conjugate, which is a real number itself."""
    return input if out is None else into(out, "conj_physical", input)


@public("torch Tensor")
def conj_physical_(self: Tensor) -> Tensor:
    """conj_physical, in place."""
    return self


# ---------------------------------------------------------------------- checks of records
def refuse_integer_quotient(input: Any, tensor1: Any, tensor2: Any) -> None:
    """addcdiv of two integers was a rounded division once."""
    if all(isinstance(t, Tensor) and not t.is_floating_point() for t in (tensor1, tensor2)):
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a "
            "true division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value "
            "* torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / "
            "tensor2) for float inputs. The future addcdiv behavior is just the latter implementation: (input + value "
            "* tensor1 / tensor2), for all dtypes."
        )


def check_lerp(input: Any, end: Any, weight: Any) -> None:
    """lerp takes tensors of one dtype; a weight without dimensions may have another."""
    if not isinstance(end, Tensor):
        if isinstance(input, Tensor):
            invalid_arguments("lerp", input, end, weight)
        return
    if not isinstance(input, Tensor):
        return
    free = isinstance(weight, Tensor) and not weight.array.shape
    for name, t in (("end", end), ("weight", weight)):
        if isinstance(t, Tensor) and t.dtype is not input.dtype and not (free and t is weight):
            raise RuntimeError(f"expected dtype {cpp_name(input.array)} for `{name}` but got dtype {cpp_name(t.array)}")
    if not input.is_floating_point() and not (free and weight.is_floating_point()):
        no_kernel(f"lerp_kernel_{'tensor' if isinstance(weight, Tensor) else 'scalar'}", input.array)


def check_heaviside(input: Any, values: Any) -> None:
    """heaviside takes tensors of one dtype."""
    if isinstance(input, Tensor) and isinstance(values, Tensor):
        check(input.dtype is values.dtype, "heaviside is not yet implemented for tensors with different dtypes.")


# ---------------------------------------------------------------------- comparison of whole tensors
@public("torch Tensor")
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape and elements."""
    tensors_only("equal", input=input, other=other)
    return input.shape == other.shape and bool((input == other).all().item())


@public("torch Tensor")
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Where |input - other| <= atol + rtol * |other|, infinities where they are equal."""
    tensors_only("isclose", input=input, other=other)
    if input.dtype is not other.dtype:
        raise RuntimeError(f"{C_NAMES[input.dtype.name]} did not match {C_NAMES[other.dtype.name]}")
    if not rtol >= 0:
        raise RuntimeError(f"rtol must be greater than or equal to zero, but got {rtol:g}")
    if not atol >= 0:
        raise RuntimeError(f"atol must be greater than or equal to zero, but got {atol:g}")
    with no_grad():
        close = input == other
        if equal_nan and input.is_floating_point():
            close = close | (input.isnan() & other.isnan())
        if not rtol and not atol:
            return close
        x, y = to_float(input), to_float(other)
        difference = (x - y).abs()
        return close | (difference.isfinite() & (difference <= (y * rtol).abs() + atol))


@public("torch Tensor")
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close; see isclose."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all().item())
