"""Bounds, rounding to decimals, and numbers in place of nan and infinity."""

import math
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._tensor import Tensor

from .arithmetic import write_result
from .check import integer, invalid_arguments, no_kernel
from .nodes import titled
from .op import OPS
from .operands import (
    NUMBERS,
    common_dtype,
    number_argument,
    number_operand,
    refuse_complex,
)
from .public import FUNCTIONS, into, op, public


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


@public("torch Tensor", overloads=True)
def clamp_min(input: Tensor, min: Any, *, out: Any = None) -> Tensor:
    """Values below min become min."""
    return into(out, "clamp_min", _clamped("clamp_min", input, min, None, "{}"))


@public("torch Tensor", overloads=True)
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


_BOUND = frozenset((float, int, type(None)))
_TITLE = {"clamp_min": "ClampMinBackward0", "clamp_max": "ClampMaxBackward0"}


def _clamped(name: str, x: Tensor, low: Any, high: Any, form: str) -> Tensor:
    if low is None is high and name != "clamp":
        invalid_arguments(name, x, None)
    if (
        low.__class__ in _BOUND
        and high.__class__ in _BOUND
        and low is not high
        and isinstance(x, Tensor)
        and x.array.dtype in dtypes.FLOATS
    ):
        function = FUNCTIONS[form.format("clamp_between")]
        x = function(x, -math.inf if low is None else low, math.inf if high is None else high)
        return titled(x, _TITLE[name]) if name in _TITLE else x
    if not isinstance(x, Tensor):
        invalid_arguments(name, x, *[b for b in (low, high) if b is not None])
    if not (low is not None or high is not None):
        raise RuntimeError(f"torch.{name}: At least one of 'min' or 'max' must not be None")
    if low is not None and high is not None and isinstance(low, Tensor) != isinstance(high, Tensor):
        least, most = _as_number(low), _as_number(high)
        if isinstance(least, Tensor) or isinstance(most, Tensor):
            invalid_arguments(name, x, low, high)
        return _clamped(name, x, least, most, form)
    if form == "{}_" and _wider_bound(x, low, high):
        return x.copy_(_clamped(name, x, low, high, "{}"))
    for bound, record in ((low, "clamp_low"), (high, "clamp_high")):
        if bound is None:
            continue
        if not isinstance(bound, (Tensor, *NUMBERS, np.generic)):
            refuse_complex(name, bound)
            invalid_arguments(name, x, *[b for b in (low, high) if b is not None])
        if bound.__class__ is bool and x.dtype is dtypes.bool:
            no_kernel(f"{name}_{'min_' * (high is None) + 'max_' * (low is None)}scalar_cpu", x.array)
        if bound.__class__ in NUMBERS and form == "{}":
            x, bound = number_operand(OPS["maximum"], x, bound)
        x = FUNCTIONS[form.format(record)](x, bound)
    if name != "clamp" or form != "{}" or isinstance(low, Tensor) or isinstance(high, Tensor):
        return x
    return titled(x, "ClampBackward1", through=low is not None and high is not None)


def _as_number(bound: Any) -> Any:
    """Beside a number a 0-dim tensor counts as one, unless a gradient would be lost."""
    is_number = isinstance(bound, Tensor) and not bound.array.shape and not bound.requires_grad
    return bound.item() if is_number else bound


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
    given = (("nan", nan, 0.0), ("posinf", posinf, high), ("neginf", neginf, low))
    return tuple(  # type: ignore[return-value]
        default if value is None else number_argument("nan_to_num", name, i, value, "float")
        for i, (name, value, default) in enumerate(given, 2)
    )


@public("torch Tensor special")
def logit(input: Tensor, eps: float | None = None, *, out: Any = None) -> Tensor:
    """log(x / (1 - x)), the inverse of sigmoid; with eps of x kept between eps and 1 - eps."""
    return into(out, "logit", op("logit_within")(input, _clip(eps)))


@public("torch Tensor")
def logit_(self: Tensor, eps: float | None = None) -> Tensor:
    """logit, in place."""
    return FUNCTIONS["logit_within_"](self, _clip(eps))


def _clip(eps: Any) -> float:
    return -1.0 if eps is None else float(number_argument("logit", "eps", 2, eps, "float"))
