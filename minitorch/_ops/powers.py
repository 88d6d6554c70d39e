"""Powers, squares and what splits a number into mantissa and exponent."""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._dtype import FLOATS
from minitorch._tensor import Tensor
from minitorch.return_types import return_type

from .arithmetic import as_tensor_like, reflected_operand, write_result
from .check import C_NAMES, check, invalid_arguments, no_kernel
from .nodes import titled
from .op import OPS, structured
from .operands import (
    NUMBERS,
    cast,
    python_number,
    refuse_cast,
    refuse_complex,
    refuse_float_result,
    tensors_only,
)
from .public import FUNCTIONS, into, op, public


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
        if isinstance(input, np.generic) or isinstance(exponent, np.generic):
            return pow(python_number(input), python_number(exponent))
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
            return _number_power(op("to_copy")(x, dtypes.get_default_dtype().numpy), exponent, "")
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
    own = _OF_EXPONENT.get(exponent)
    if own is not None:
        return FUNCTIONS[own + suffix](x)
    return FUNCTIONS["pow_number" + suffix](x, float(exponent))


# as in torch, where these take other ways at the ends of the number line: (-inf) ** 0.5 is nan
_OF_EXPONENT = {
    0: "pow_0", 1: "pow_1", 2: "pow_2", 3: "pow_3", -1: "pow_minus_1", -2: "pow_minus_2",
    0.5: "pow_half", -0.5: "pow_minus_half",
}  # fmt: skip


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
    return pow(self, exponent) if isinstance(exponent, (Tensor, complex, np.generic)) else NotImplemented


@public("Tensor")
def __ipow__(self: Tensor, exponent: Any) -> Any:
    return pow_(self, exponent)


@public("Tensor")
def __rpow__(self: Tensor, base: Any) -> Any:
    return NotImplemented if reflected_operand(self, base) is None else pow(base, self)


@public("torch Tensor")
def square(input: Tensor, *, out: Any = None) -> Tensor:
    """input * input."""
    tensors_only("square", input=input)
    return pow(input, 2, out=out)


@public("torch Tensor")
def square_(self: Tensor) -> Tensor:
    """square, in place."""
    return pow_(self, 2)


@public("torch Tensor")
def float_power(input: Any, exponent: Any, *, out: Any = None) -> Any:
    """The power, computed in float64."""
    input, exponent = python_number(input), python_number(exponent)
    numbers = [t for t in (input, exponent) if t.__class__ in NUMBERS]
    if len(numbers) + isinstance(input, Tensor) + isinstance(exponent, Tensor) < 2 or len(numbers) == 2:
        refuse_complex("float_power", input, exponent)
        invalid_arguments("float_power", input, exponent)
    operands: list[Any] = [cast(t, dtypes.float64.numpy) if isinstance(t, Tensor) else t for t in (input, exponent)]
    return into(out, "float_power", pow(*[t if isinstance(t, Tensor) else float(t) for t in operands]))


@public("Tensor")
def float_power_(self: Tensor, exponent: Any) -> Tensor:
    """float_power, in place: of float64 tensors only."""
    if self.dtype is not dtypes.float64:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {C_NAMES[self.dtype.name]} but the operation's result requires "
            "dtype Double"
        )
    return pow_(self, exponent)


@public("torch Tensor")
def ldexp(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """input * 2 ** other."""
    tensors_only("ldexp", input=input, other=other)
    if other.array.dtype == bool and input.is_floating_point():
        no_kernel("ldexp_cpu_exp", other.array)
    if not input.is_floating_point() or other.is_floating_point():
        return into(out, "ldexp", input * pow(2.0, other))
    # in three steps, none of which leaves float64's range where the result does not
    exponent = other.to(dtypes.float64).clamp(-2400, 2400)
    third = (exponent / 3).floor()
    scaled = input.to(dtypes.float64) * pow(2.0, third) * pow(2.0, third) * pow(2.0, exponent - 2 * third)
    return into(out, "ldexp", titled(scaled.to(input.dtype), "LdexpBackward0", through=True))


@public("torch Tensor")
def ldexp_(self: Tensor, other: Tensor) -> Tensor:
    """ldexp, in place."""
    return write_result(self, ldexp(self, other))


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
