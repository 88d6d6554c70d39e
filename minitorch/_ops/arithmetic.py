"""Arithmetic, powers, bounds and comparison that other ops express, and the checks of those that are records."""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._dtype import FLOATS
from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import no_grad
from minitorch.return_types import return_type

from .check import C_NAMES, check, check_broadcast, integer, invalid_arguments, no_kernel, type_name
from .nodes import titled
from .op import OPS, Op, structured
from .operands import (
    FUNCTIONS,
    NUMBERS,
    cast,
    common_dtype,
    number_operand,
    refuse_bool,
    refuse_cast,
    refuse_complex,
    refuse_float_result,
    to_float,
)
from .public import into, op, public


def times_alpha(record: Op, x: Tensor, other: Any, alpha: Any) -> Any:
    """`alpha * other` of add and sub, with torch's checks."""
    if not isinstance(x, Tensor) and isinstance(other, Tensor):
        x = as_tensor_like(other, x)
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
    if isinstance(x, Tensor) and isinstance(other, Tensor):
        other = other.to(dtypes.OF_NUMPY[common_dtype([x.array, other.array])])  # torch multiplies in it
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
        dtype = FUNCTIONS["result_type"](input, other)
        if (dtype.is_floating_point and dtype not in dtypes.HALVES) or dtype is dtypes.bool:
            result = op("div_trunc")(input, other)
        else:  # halves are rounded before they are cut, as in torch
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
    refuse_cast(OPS["add"], result.array.dtype, x.array.dtype)
    return FUNCTIONS["copy_"](x, result)


def as_tensor_like(x: Tensor, value: Any) -> Tensor:
    """A number as the first operand, beside x."""
    if isinstance(value, Tensor):
        return value
    return number_operand(OPS["add"], x, value)[1]


@public("Tensor")
def __invert__(self: Tensor) -> Tensor:
    if self.is_floating_point():
        raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
    return op("bitwise_not")(self)


@public("torch Tensor")
def pow(input: Any, exponent: Any, *, out: Any = None) -> Any:
    """Same as torch.pow; an exponent of 2 is a multiplication."""
    if out is not None:
        return into(out, "pow", pow(input, exponent))
    if exponent.__class__ in NUMBERS and isinstance(input, Tensor):
        return _number_power(input, exponent, "")
    if not isinstance(input, Tensor) and isinstance(exponent, Tensor) and input.__class__ in NUMBERS:
        return titled(pow(as_tensor_like(exponent, input), exponent), "PowBackward2", ("exponent_edge",))
    if not isinstance(input, Tensor) or not isinstance(exponent, Tensor):
        refuse_complex("pow", input, exponent)
        invalid_arguments("pow", input, exponent)
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
                return FUNCTIONS["bitwise_or" + suffix](x, not exponent)  # anything to the power of False is True
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
    return pow(self, exponent) if isinstance(exponent, (Tensor, complex)) else NotImplemented


@public("Tensor")
def __ipow__(self: Tensor, exponent: Any) -> Any:
    return pow_(self, exponent)


@public("torch Tensor")
def square(input: Tensor, *, out: Any = None) -> Tensor:
    """input * input."""
    _tensors_only("square", input=input)
    return pow(input, 2, out=out)


@public("torch Tensor")
def square_(self: Tensor) -> Tensor:
    """square, in place."""
    return pow_(self, 2)


@public("torch Tensor")
def subtract(input: Tensor, other: Any, *, alpha: Any = 1, out: Any = None) -> Any:
    """Same as torch.sub."""
    return op("sub")(input, other, alpha=alpha, out=out)


@public("Tensor")
def subtract_(self: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """sub, in place."""
    return FUNCTIONS["sub_"](self, other, alpha=alpha)


@public("torch")
def rsub(input: Tensor, other: Any, alpha: Any = 1) -> Tensor:
    """other - alpha * input."""
    if not isinstance(input, Tensor) or not (isinstance(other, Tensor) or other.__class__ in NUMBERS):
        refuse_complex("rsub", other)
        invalid_arguments("rsub", input, other)
    refuse_bool(OPS["sub"], *[o.array if isinstance(o, Tensor) else np.asarray(o) for o in (input, other)])
    made = op("sub")(as_tensor_like(input, other), input, alpha=alpha)
    return made if isinstance(other, Tensor) else titled(made, "RsubBackward1", ("other_edge",))


def _scalar(self: Tensor, other: Any) -> Any:
    """The other operand of a reflected operator: what is no tensor and no number is left to its own operator."""
    refuse_complex("operator", other)
    return as_tensor_like(self, other) if other.__class__ in NUMBERS or isinstance(other, Tensor) else None


@public("Tensor")
def __rsub__(self: Tensor, other: Any) -> Any:
    return NotImplemented if _scalar(self, other) is None else rsub(self, other)


@public("Tensor", "__rdiv__")
def __rtruediv__(self: Tensor, other: Any) -> Any:
    return NotImplemented if _scalar(self, other) is None else op("reciprocal")(self) * other


@public("Tensor")
def __rfloordiv__(self: Tensor, other: Any) -> Any:
    return NotImplemented if _scalar(self, other) is None else op("floor_divide")(as_tensor_like(self, other), self)


@public("Tensor")
def __rmod__(self: Tensor, other: Any) -> Any:
    return NotImplemented if _scalar(self, other) is None else op("remainder")(as_tensor_like(self, other), self)


@public("Tensor")
def __rpow__(self: Tensor, base: Any) -> Any:
    return NotImplemented if _scalar(self, base) is None else pow(base, self)


@public("Tensor")
def __rlshift__(self: Tensor, other: Any) -> Any:
    return NotImplemented if _scalar(self, other) is None else op("bitwise_left_shift")(other, self)


@public("Tensor")
def __rrshift__(self: Tensor, other: Any) -> Any:
    return NotImplemented if _scalar(self, other) is None else op("bitwise_right_shift")(other, self)


@public("torch Tensor")
def float_power(input: Any, exponent: Any, *, out: Any = None) -> Any:
    """The power, computed in float64."""
    numbers = [t for t in (input, exponent) if t.__class__ in NUMBERS]
    if len(numbers) + isinstance(input, Tensor) + isinstance(exponent, Tensor) < 2 or len(numbers) == 2:
        refuse_complex("float_power", input, exponent)
        invalid_arguments("float_power", input, exponent)
    operands: list[Any] = [cast(t, dtypes.float64.numpy) if isinstance(t, Tensor) else t for t in (input, exponent)]
    return into(out, "float_power", pow(*[t if isinstance(t, Tensor) else float(t) for t in operands]))


@public("Tensor")
def float_power_(self: Tensor, exponent: Any) -> Tensor:
    """float_power, in place: of float64 tensors only."""
    check(
        self.dtype is dtypes.float64,
        f"the base given to float_power_ has dtype {C_NAMES[self.dtype.name]} but the operation's result requires "
        "dtype Double",
    )
    return pow_(self, exponent)


@public("torch Tensor")
def ldexp(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """input * 2 ** other."""
    _tensors_only("ldexp", input=input, other=other)
    return into(out, "ldexp", input * pow(2.0, other))


@public("torch Tensor")
def ldexp_(self: Tensor, other: Tensor) -> Tensor:
    """ldexp, in place."""
    return write_result(self, ldexp(self, other))


def _tensors_only(function: str, **arguments: Any) -> None:
    """torch's error for arguments that are no tensors."""
    for position, (name, value) in enumerate(arguments.items(), 1):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{function}(): argument '{name}' (position {position}) must be Tensor, not {type_name(value)}"
            )


@structured(
    name="mantissa_exponent",
    title="Frexp",
    tensors="input",
    outputs=("exponent",),
    returns=return_type("frexp", "mantissa exponent"),
)
def mantissa_exponent(input):
    check(input.dtype in FLOATS or input.dtype in dtypes.HALVES, "torch.frexp() only supports floating-point dtypes")
    return [(input.shape, input.dtype), (input.shape, dtypes.int32.numpy)]


@mantissa_exponent.cpu
def mantissa_exponent_cpu(input):
    mantissa_exponent.infer(input)
    mantissa, exponent = np.frexp(input)
    return np.asarray(mantissa), np.asarray(exponent)


@mantissa_exponent.grad("input")
def mantissa_exponent_grad(g, exponent):
    return g / exp2(exponent)  # noqa: F821


@public("torch Tensor")
def frexp(input: Tensor, *, out: Any = None) -> Any:
    """(mantissa, exponent): input = mantissa * 2 ** exponent with the mantissa's size in [0.5, 1)."""
    return into(out, "frexp", op("mantissa_exponent")(input))


# ---------------------------------------------------------------------- bounds, rounding, special values
@public("torch Tensor", "clip")
def clamp(input: Tensor, min: Any = None, max: Any = None, *, out: Any = None) -> Tensor:
    """Values below min become min, above max become max; the bounds are numbers or tensors.

    >>> import minitorch as torch
    >>> torch.clamp(torch.tensor([-2.0, 0.5, 3.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    return into(out, "clamp", _clamped("clamp", input, min, max, "{}"))


@public("torch Tensor", "clip_")
def clamp_(self: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """clamp, in place."""
    return _clamped("clamp", self, min, max, "{}_")


@public("torch Tensor")
def clamp_min(input: Tensor, min: Any, *, out: Any = None) -> Tensor:
    """Values below min become min."""
    return into(out, "clamp_min", _clamped("clamp_min", input, min, None, "{}"))


@public("torch Tensor")
def clamp_max(input: Tensor, max: Any, *, out: Any = None) -> Tensor:
    """Values above max become max."""
    return into(out, "clamp_max", _clamped("clamp_max", input, None, max, "{}"))


@public("torch Tensor")
def clamp_min_(self: Tensor, min: Any) -> Tensor:
    """clamp_min, in place."""
    return _clamped("clamp_min", self, min, None, "{}_")


@public("torch Tensor")
def clamp_max_(self: Tensor, max: Any) -> Tensor:
    """clamp_max, in place."""
    return _clamped("clamp_max", self, None, max, "{}_")


def _clamped(name: str, x: Tensor, low: Any, high: Any, form: str) -> Tensor:
    if not isinstance(x, Tensor):
        invalid_arguments(name, x, *[b for b in (low, high) if b is not None])
    check(low is not None or high is not None, f"torch.{name}: At least one of 'min' or 'max' must not be None")
    if low is not None and high is not None and isinstance(low, Tensor) != isinstance(high, Tensor):
        invalid_arguments(name, x, low, high)
    if form == "{}_" and _wider_bound(x, low, high):
        return x.copy_(_clamped(name, x, low, high, "{}"))
    for bound, record in ((low, "clamp_low"), (high, "clamp_high")):
        if bound is None:
            continue
        if not isinstance(bound, (Tensor, *NUMBERS, np.generic)):
            refuse_complex(name, bound)
            invalid_arguments(name, x, *[b for b in (low, high) if b is not None])
        if bound.__class__ in NUMBERS and form == "{}":
            x, bound = number_operand(OPS["maximum"], x, bound)
        x = FUNCTIONS[form.format(record)](x, bound)
    if name != "clamp" or form != "{}" or isinstance(low, Tensor) or isinstance(high, Tensor):
        return x
    return titled(x, "ClampBackward1", through=low is not None and high is not None)


def _wider_bound(x: Tensor, *bounds: Any) -> bool:
    """Whether torch clamps in a wider dtype of the same kind than x's, and then narrows the result."""
    arrays = [x.array, *[b.array for b in bounds if isinstance(b, Tensor)]]
    common = common_dtype(arrays)
    return common is not x.array.dtype and dtypes.CATEGORY[common] == dtypes.CATEGORY[x.array.dtype]


@public("torch Tensor special")
def round(input: Tensor, *, decimals: int = 0, out: Any = None) -> Tensor:
    """The nearest integer, halves to the even one; with decimals the nearest multiple of 10 ** -decimals."""
    return into(out, "round", _rounded(input, decimals, "round_to_even"))


@public("torch Tensor")
def round_(self: Tensor, *, decimals: int = 0) -> Tensor:
    """round, in place."""
    if not decimals:
        return FUNCTIONS["round_to_even_"](self)
    return write_result(self, _rounded(self, decimals, "round_to_even"))


def _rounded(x: Tensor, decimals: int, name: str) -> Tensor:
    decimals = integer(decimals, "decimals", "round")
    if not decimals:
        return op(name)(x)
    if not x.is_floating_point():
        no_kernel("round_cpu", x.array)
    power = 10.0 ** abs(decimals)
    return op(name)(x * power) / power if decimals > 0 else op(name)(x / power) * power


def _finite_range(x: Tensor) -> tuple[float, float]:
    limits = np.finfo(np.float32) if x.dtype.name == "bfloat16" else np.finfo(x.array.dtype)
    top = 3.3895313892515355e38 if x.dtype.name == "bfloat16" else float(limits.max)
    return -top, top


@public("torch Tensor")
def nan_to_num(
    input: Tensor,
    nan: float | None = None,
    posinf: float | None = None,
    neginf: float | None = None,
    *,
    out: Any = None,
) -> Tensor:
    """nan as 0, infinities as the dtype's largest and smallest numbers, or as the numbers given."""
    if not input.is_floating_point():
        return into(out, "nan_to_num", op("clone")(input))
    return into(out, "nan_to_num", op("replace_nonfinite")(input, *_replacements(input, nan, posinf, neginf)))


@public("torch Tensor")
def nan_to_num_(
    self: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """nan_to_num, in place."""
    if not self.is_floating_point():
        return self
    return FUNCTIONS["replace_nonfinite_"](self, *_replacements(self, nan, posinf, neginf))


def _replacements(x: Tensor, nan: Any, posinf: Any, neginf: Any) -> tuple[float, float, float]:
    low, high = _finite_range(x)
    return 0.0 if nan is None else nan, high if posinf is None else posinf, low if neginf is None else neginf


@public("torch Tensor special")
def logit(input: Tensor, eps: float | None = None, *, out: Any = None) -> Tensor:
    """log(x / (1 - x)), the inverse of sigmoid; with eps of x kept between eps and 1 - eps."""
    return into(out, "logit", op("logit_within")(input, -1.0 if eps is None else float(eps)))


@public("torch Tensor")
def logit_(self: Tensor, eps: float | None = None) -> Tensor:
    """logit, in place."""
    return FUNCTIONS["logit_within_"](self, -1.0 if eps is None else float(eps))


@public("Tensor")
def polygamma_(self: Tensor, n: int) -> Tensor:
    """polygamma, in place."""
    return write_result(self, FUNCTIONS["polygamma"](n, self))


@public("Tensor")
def mvlgamma_(self: Tensor, p: int) -> Tensor:
    """mvlgamma, in place."""
    return write_result(self, FUNCTIONS["mvlgamma"](self, p))


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
    """lerp takes tensors of one dtype."""
    if not isinstance(end, Tensor):
        if isinstance(input, Tensor):
            invalid_arguments("lerp", input, end, weight)
        return
    for name, t in (("end", end), ("weight", weight)):
        if isinstance(t, Tensor) and isinstance(input, Tensor) and t.dtype is not input.dtype:
            raise RuntimeError(f"expected dtype {_c_type(input)} for `{name}` but got dtype {_c_type(t)}")


def _c_type(t: Tensor) -> str:
    names = {
        "float32": "float", "float64": "double", "int64": "long int", "int32": "int", "int16": "short int",
        "int8": "signed char", "uint8": "unsigned char", "bool": "bool", "float16": "c10::Half",
        "bfloat16": "c10::BFloat16",
    }  # fmt: skip
    return names[t.dtype.name]


def check_heaviside(input: Any, values: Any) -> None:
    """heaviside takes tensors of one dtype."""
    if isinstance(input, Tensor) and isinstance(values, Tensor):
        check(input.dtype is values.dtype, "heaviside is not yet implemented for tensors with different dtypes.")


# ---------------------------------------------------------------------- comparison of whole tensors
@public("torch Tensor")
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape and elements."""
    _tensors_only("equal", input=input, other=other)
    return input.shape == other.shape and bool((input == other).all().item())


@public("torch Tensor")
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Where |input - other| <= atol + rtol * |other|, infinities where they are equal."""
    _tensors_only("isclose", input=input, other=other)
    check(input.dtype is other.dtype, f"{C_NAMES[input.dtype.name]} did not match {C_NAMES[other.dtype.name]}")
    check(rtol >= 0, f"rtol must be greater than or equal to zero, but got {rtol:g}")
    check(atol >= 0, f"atol must be greater than or equal to zero, but got {atol:g}")
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
