"""Functions for loops: straight-line code, which LLVM turns into vector instructions; those of `math` are a call each.

float32 has all of them, within 2 units in the last place; float64 has exp, and the C library's for the rest.

exp(x) = 2^n e^r with n the nearest integer to x / log(2) and |r| <= log(2) / 2 (Cody and Waite, "Software Manual for
the Elementary Functions", 1980). 2^n comes in two factors, so that results below the smallest normal number are right.

log(x) = k log(2) + log(m) with m in [sqrt(1/2), sqrt(2)) read from the bits, and log(m) = 2 atanh(s) by its series,
with s = (m - 1) / (m + 1). Where float32 would lose too much (powers, hyperbolic functions), both are taken in double.
Coefficients without a closed form are minimax fits, by reweighted least squares.

The functions below run once for each loop that is compiled, on `Number`s, which write the instructions as they are
computed with: to compile them as functions of Numba's own, a dozen for a tanh, took longer than all of the loop.
"""

import math
import operator

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

KINDS = {"f4": ir.FloatType(), "f8": ir.DoubleType(), "i4": ir.IntType(32), "i8": ir.IntType(64), "b1": ir.IntType(1)}
SAME_BITS = {"f4": "i4", "f8": "i8", "i4": "f4", "i8": "f8"}


class Number:
    """A value, or a vector, in a compiled function, of one of KINDS. Python's numbers beside it take its kind."""

    def __init__(self, builder, value, kind):
        self.builder, self.value, self.kind = builder, value, kind

    def like(self, other):
        """The other operand as a Number."""
        if isinstance(other, Number):
            return other
        kind = self.type_of(self.kind)
        return self.made(ir.Constant(kind, [other] * kind.count if isinstance(kind, ir.VectorType) else other))

    def type_of(self, kind):
        """LLVM's type of a value of that kind, with as many lanes as this one has."""
        own = self.value.type
        return ir.VectorType(KINDS[kind], own.count) if isinstance(own, ir.VectorType) else KINDS[kind]

    def made(self, value, kind=None):
        return Number(self.builder, value, kind or self.kind)

    def _of(self, instruction, other):
        make = getattr(self.builder, ("f" if self.kind[0] == "f" and instruction in _BOTH else "") + instruction)
        return self.made(make(self.value, self.like(other).value))

    def _compared(self, sign, other):
        compare = self.builder.icmp_signed if self.kind[0] == "i" else self.builder.fcmp_ordered
        if sign == "!=" and self.kind[0] == "f":
            compare = self.builder.fcmp_unordered
        return self.made(compare(sign, self.value, self.like(other).value), "b1")

    def __neg__(self):
        return self.made(self.builder.fneg(self.value))

    def __invert__(self):
        return self.made(self.builder.not_(self.value))

    def __abs__(self):
        return self.called("fabs")

    def called(self, name, *others):
        """LLVM's function of that name."""
        kind = self.value.type
        lanes = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
        full = f"llvm.{name}.{lanes}f{8 * int(self.kind[1])}"
        signature = ir.FunctionType(kind, [kind] * (1 + len(others)))
        function = cgutils.get_or_insert_function(self.builder.module, signature, full)
        return self.made(self.builder.call(function, [self.value, *(self.like(o).value for o in others)]))

    def bits(self):
        """The same bits as an integer, or those of an integer as a float."""
        kind = SAME_BITS[self.kind]
        return self.made(self.builder.bitcast(self.value, self.type_of(kind)), kind)

    def to(self, kind):
        """The number in another kind."""
        if self.kind == kind:
            return self
        conversion = {"f4f8": "fpext", "f8f4": "fptrunc", "f4i4": "fptosi", "f8i8": "fptosi", "i4f4": "sitofp"}
        make = getattr(self.builder, conversion[self.kind + kind])
        return self.made(make(self.value, self.type_of(kind)), kind)


_BOTH = ("add", "sub", "mul", "div")
for _name, _instruction in {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "and": "and_", "or": "or_", "lshift": "shl",
    "rshift": "ashr",
}.items():  # fmt: skip
    setattr(Number, f"__{_name}__", lambda x, y, i=_instruction: x._of(i, y))
    setattr(Number, f"__r{_name}__", lambda x, y, i=_instruction: x.like(y)._of(i, x))
for _name, _sign in {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}.items():
    setattr(Number, f"__{_name}__", lambda x, y, s=_sign: x._compared(s, y))


def where(condition, x, y):
    x = x if isinstance(x, Number) else y.like(x)
    return x.made(x.builder.select(condition.value, x.value, x.like(y).value))


def muladd(x, y, z):
    """x * y + z, with one rounding where the processor can."""
    number = next(n for n in (x, y, z) if isinstance(n, Number))
    return number.like(x).called("fmuladd", y, z)


def clipped(x, low, high):
    """Within the bounds, or nan."""
    x = where(x < low, low, x)
    return where(x > high, high, x)


# 1 / k!, k from 13 down to 2
FACTORIALS = tuple(1.0 / math.factorial(k) for k in range(13, 1, -1))
LOG2E, LOG10E, LN2 = 1.4426950408889634, 0.4342944819032518, 0.6931471805599453
# log(2) and log10(2) in two parts, the first of so few bits that n times it is exact
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
LN2_HIGH_OF_DOUBLE, LN2_LOW_OF_DOUBLE = 6.93147180369123816490e-01, 1.90821492927058770002e-10
LOG10_2_HIGH, LOG10_2_LOW = 0.30102920532226562, 7.9034151668e-07


# ---------------------------------------------------------------------- exponentials
def polynomial(x, coefficients):
    """The one with these coefficients, from the highest power down."""
    p = coefficients[0]
    for c in coefficients[1:]:
        p = muladd(x, p, c)
    return p


def power_series(r, terms):
    """e^r - 1 for |r| <= log(2) / 2."""
    return muladd(polynomial(r, FACTORIALS[-terms:]) * r, r, r)


def reduced(x):
    """(e^r - 1, n) with x = n log(2) + r, in float32."""
    n = (x * LOG2E).called("nearbyint")
    r = muladd(n, -LN2_LOW, muladd(n, -LN2_HIGH, x))
    return power_series(r, 6), n.to("i4")


def two_to(k):
    """2^k as a float of k's width."""
    bias, shift = (127, 23) if k.kind == "i4" else (1023, 52)
    return ((k + bias) << shift).bits()


def scaled(p, k):
    """p 2^k, in two factors."""
    half = k >> 1
    return p * two_to(half) * two_to(k - half)


def exp32(x):
    p, k = reduced(clipped(x, -104.0, 89.0))
    return scaled(p + 1.0, k)


# a minimax fit of (e^r - 1 - r) / r^2
EXPONENTIAL = (
    0.001381453998916593, 0.008368745246089892, 0.041668390796587296, 0.16666520397865892, 0.4999999343204488,
)  # fmt: skip
WHOLE = 12582912.0 + 127.0  # float32's steps are 1 there, so that a sum with it has a rounded number in its last bits


def parts_of_exp(x):
    """(e^r, 2^n) with x = n log(2) + r, for -87 <= x < 88.

    The last bits of `shifted` are n + 127, the exponent of 2^n. `fastmath` must not join the steps that round.
    """
    shifted = muladd(x, LOG2E, WHOLE)
    n = shifted - WHOLE
    r = muladd(n, -LN2_LOW, muladd(n, -LN2_HIGH, x))
    return polynomial(r, (*EXPONENTIAL, 1.0, 1.0)), (shifted.bits() << 23).bits()


def exp_below_zero_32(x):
    """exp for x <= 0 without a step for results below the smallest normal number, which are 0."""
    e, power = parts_of_exp(x)
    return where(x < -87.0, 0.0, e * power)


def exp64(x):
    x = clipped(x, -746.0, 710.0)
    n = (x * LOG2E).called("nearbyint")
    r = muladd(n, -LN2_LOW_OF_DOUBLE, muladd(n, -LN2_HIGH_OF_DOUBLE, x))
    return scaled(power_series(r, 12) + 1.0, n.to("i8"))


def exp_of(x):
    """For formulas of `row_vectors.py`."""
    return exp32(x) if x.kind == "f4" else exp64(x)


def exp_below_zero_of(x):
    return exp_below_zero_32(x) if x.kind == "f4" else exp64(x)


def exp2_32(x):
    z = clipped(x, -151.0, 129.0)
    n = z.called("nearbyint")
    return scaled(power_series((z - n) * LN2, 6) + 1.0, n.to("i4"))


def expm1_32(x):
    """2^n (p + 1) - 1 with p = e^r - 1; from 2^30 on the 1 is lost in any case."""
    p, k = reduced(clipped(x, -20.0, 89.0))
    s = two_to(where(k > 30, 30, k))
    return where(x == 0.0, x, where(k > 30, scaled(p + 1.0, k), muladd(s, p, s - 1.0)))


def exp_in_double(x):
    """e^x for |x| <= 700 in double, right to 2^-32."""
    n = (x * LOG2E).called("nearbyint")
    return (power_series(muladd(n, -LN2, x), 7) + 1.0) * two_to(n.to("i8"))


def sinh32(x):
    e = exp_in_double(clipped(x, -90.0, 90.0).to("f8"))
    return where(abs(x) < 0.01, muladd(x * x * (1.0 / 6.0), x, x), (0.5 * (e - 1.0 / e)).to("f4"))


def cosh32(x):
    e = exp_in_double(clipped(x, -90.0, 90.0).to("f8"))
    return (0.5 * (e + 1.0 / e)).to("f4")


TANH = -0.005717025604099035, 0.02065056934952736, -0.05374349281191826, 0.13331490755081177, -0.3333328366279602


def tanh32(x):
    """x + x^3 P(x^2) up to 0.625, beyond it 1 - 2 / (e^2x + 1)."""
    a = abs(x)
    p, k = reduced(where(a > 10.0, 10.0, a) * 2.0)
    far = 1.0 - 2.0 / muladd(p, two_to(k), two_to(k) + 1.0)
    z = x * x
    return where(a < 0.625, muladd(polynomial(z, TANH) * z, a, a), where(a != a, a, far)).called("copysign", x)


def tanh_of(x):
    """For formulas of `row_vectors.py`; in float64 by its series up to 0.05, where the exponentials would cancel."""
    if x.kind == "f4":
        return tanh32(x)
    a, s = abs(x), x * x
    e = exp64(-2.0 * a)
    near = a * (1.0 - s * (1.0 / 3.0 - s * (2.0 / 15.0 - s * (17.0 / 315.0 - s * (62.0 / 2835.0)))))
    return where(a < 0.05, near, (1.0 - e) / (1.0 + e)).called("copysign", x)


def sigmoid_of(x):
    """For formulas of `row_vectors.py`: 1 / (1 + e^-x), 0 where e^-x is more than a float holds."""
    if x.kind == "f8":
        return 1.0 / (1.0 + exp64(-x))
    e, power = parts_of_exp(-clipped(x, -88.0, 87.0))
    return where(x < -88.0, 0.0, 1.0 / muladd(e, power, 1.0))


# minimax fits: of erf(x) / x - 1 by x^2 up to 1, and of the fourth root of 1 - erf(x) from there to 3.92
ERF_NEAR = (
    -0.0005631421809084713, 0.004917551297694445, -0.02671131119132042, 0.11280179768800735, -0.37612324953079224,
    0.12837912142276764,
)  # fmt: skip
ERF_FAR = (
    -0.00015741056995466352, 0.002931782277300954, -0.020479464903473854, 0.06072336435317993, -0.0406174436211586,
    -0.0740029364824295, -0.3026147186756134, 1.0039863586425781,
)  # fmt: skip


def erf32(x):
    """x + x P(x^2) up to 1, beyond it 1 - Q(|x|)^4, which is 1 from 3.92 on."""
    a = abs(x)
    root = polynomial(where(a > 3.92, 3.92, a), ERF_FAR)
    square = root * root
    near = muladd(polynomial(x * x, ERF_NEAR), a, a)
    return where(a < 1.0, near, muladd(-square, square, 1.0)).called("copysign", x)


# ---------------------------------------------------------------------- logarithms
def mantissa(x):
    """(m, k as a float) with x = m 2^k, for x > 0; numbers below the smallest normal one are scaled first."""
    small = x < 1.17549435e-38
    bits = where(small, x * 8388608.0, x).bits()
    k = (bits - 0x3F3504F3) >> 23
    return (bits - (k << 23)).bits(), where(small, k - 23, k).to("f4")


def ends_of_log(x, y):
    """y = log(x) where x is positive and finite; elsewhere what the logarithm is there."""
    y = where(x < 0.0, math.nan, where(x == 0.0, -math.inf, y))
    return where(x < math.inf, y, where(x == math.inf, x, x + x))


SERIES = tuple(2.0 / k for k in (11, 9, 7, 5, 3))  # of 2 atanh(s) / s^3


def log_of_mantissa(m):
    """log(m) as (first, second), the first exact."""
    f = m - 1.0
    s = f / (f + 2.0)
    z = s * s
    half = 0.5 * f * f
    return f, s * (half + polynomial(z, SERIES[1:]) * z) - half


def log32(x):
    m, k = mantissa(x)
    first, second = log_of_mantissa(m)
    return ends_of_log(x, muladd(k, LN2_HIGH, muladd(k, LN2_LOW, second) + first))


def log2_32(x):
    m, k = mantissa(x)
    first, second = log_of_mantissa(m)
    return ends_of_log(x, muladd(first + second, LOG2E, k))


def log10_32(x):
    m, k = mantissa(x)
    first, second = log_of_mantissa(m)
    rest = muladd(second, LOG10E, k * LOG10_2_LOW)
    return ends_of_log(x, muladd(k, LOG10_2_HIGH, muladd(first, LOG10E, rest)))


def log1p_32(x):
    """log(u) + (x - (u - 1)) / u with u = 1 + x as rounded."""
    u = 1.0 + x
    m, k = mantissa(u)
    first, second = log_of_mantissa(m)
    rest = (x - (u - 1.0)) / u
    y = muladd(k, LN2_HIGH, (muladd(k, LN2_LOW, second) + rest) + first)
    return where(x == 0.0, x, ends_of_log(u, y))


def log_in_double(x):
    """log(x) in double for a positive, finite x of float32."""
    m, k = mantissa(x)
    f = m.to("f8") - 1.0
    s = f / (f + 2.0)
    z = s * s
    return muladd(k.to("f8"), LN2, muladd(s * z, polynomial(z, SERIES), s + s))


def power32(x, y):
    """x^y = e^(y log|x|) in double; torch's (C's) values where x or y is 0, 1, negative, infinite or nan."""
    a = abs(x)
    log_a = where(a == 0.0, -math.inf, where(a < math.inf, log_in_double(a), a.to("f8")))
    r = exp_in_double(clipped(y.to("f8") * log_a, -120.0, 120.0)).to("f4")
    r = where((a == 1.0) & (y == y), 1.0, r)
    whole = y.called("floor") == y
    odd = whole & ((y * 0.5).called("floor") != y * 0.5)
    r = where(odd, r.called("copysign", x), where((x < 0.0) & ~whole & (a < math.inf), math.nan, r))
    return where((y == 0.0) | (x == 1.0), 1.0, r)


# ---------------------------------------------------------------------- what loops call
def _written(function):
    """Numba's generator of code from a function of Numbers."""

    def generate(context, builder, signature, args):
        kinds = ["f4" if t == types.float32 else "f8" for t in signature.args]
        return function(*(Number(builder, a, k) for a, k in zip(args, kinds, strict=True))).value

    return generate


@intrinsic
def larger(typing_context, x, y):
    """The larger of two floats, neither of them nan: a reduction by it becomes vector instructions."""

    def generate(context, builder, signature, args):
        flags = ("nnan", "nsz")
        return builder.select(builder.fcmp_ordered(">", *args, flags=flags), *args, flags=flags)

    return x(x, x), generate


def _called(typing_context, function, args):
    """(signature, generator of code) of one that Numba knows."""
    kind = typing_context.resolve_value_type(function)
    signature = kind.get_call_type(typing_context, args, {})

    def generate(context, builder, signature, args):
        return context.get_function(kind, signature)(builder, args)

    return signature, generate


def _of_one(of_floats, otherwise, of_doubles=None):
    @intrinsic
    def function(typing_context, x):
        own = {types.float32: of_floats, types.float64: of_doubles}.get(x)
        return (x(x), _written(own)) if own else _called(typing_context, otherwise, (x,))

    return function


@intrinsic
def power(typing_context, x, y):
    """x ** y for numbers of any kind."""
    if x == types.float32 and y == types.float32:
        return x(x, y), _written(power32)
    return _called(typing_context, operator.pow, (x, y))


exp = _of_one(exp32, math.exp, exp64)
exp_below_zero = _of_one(exp_below_zero_32, math.exp, exp64)
exp2 = _of_one(exp2_32, np.exp2)
expm1 = _of_one(expm1_32, math.expm1)
log = _of_one(log32, math.log)
log1p = _of_one(log1p_32, math.log1p)
log2 = _of_one(log2_32, math.log2)
log10 = _of_one(log10_32, math.log10)
sinh = _of_one(sinh32, math.sinh)
cosh = _of_one(cosh32, math.cosh)
tanh = _of_one(tanh32, math.tanh)
erf = _of_one(erf32, math.erf)
