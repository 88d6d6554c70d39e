"""Functions of formulas that the vocabulary of kernels has no word for, made of words: helpers that are inlined.

Names and edges are those of `_kernels/scalar.py`. A helper returns once, at its end, and chooses by `where`.
"""

from typing import Any

from .device import (  # type: ignore[attr-defined]
    WORDS,
    absolute,
    copysign,
    erfc,
    erfcx,
    exp,
    exp2,
    floor,
    fmod,
    isinf,
    log,
    log1p,
    log2,
    maximum,
    where,
)


# ---------------------------------------------------------------------- floats
def floor_divide(x, y):
    """x // y as Python and torch have it: from the remainder, since x / y may round up to a whole number."""
    rest = fmod(x, y)
    quotient = (x - rest) / y
    quotient = where((rest != 0.0) & ((y < 0.0) != (rest < 0.0)), quotient - 1.0, quotient)
    whole = floor(quotient)
    whole = where(quotient - whole > 0.5, whole + 1.0, whole)
    return where(y == 0.0, x / y, where(quotient != 0.0, whole, copysign(0.0 * x, x / y)))


def remainder(x, y):
    """x % y, which has the sign of y."""
    rest = fmod(x, y)
    return where((rest != 0.0) & ((y < 0.0) != (rest < 0.0)), rest + y, rest)


def logaddexp(x, y):
    """log(exp(x) + exp(y))"""
    top = maximum(x, y)
    return where(isinf(x) & (x == y), x, top + log1p(exp(-absolute(x - y))))


def logaddexp2(x, y):
    """log2(2^x + 2^y)"""
    top = maximum(x, y)
    return where(isinf(x) & (x == y), x, top + log2(1.0 + exp2(-absolute(x - y))))


def log_ndtr(x):
    """The logarithm of the normal distribution function, below -1 by erfcx, which does not underflow."""
    below = log(0.5 * erfcx(-x * 0.7071067811865476)) - 0.5 * x * x
    return where(x < -1.0, below, log1p(-0.5 * erfc(x * 0.7071067811865476)))


# ---------------------------------------------------------------------- integers
def integer_power(x, y):
    """x ** y with wraparound; of a negative y what is left of the fraction."""
    result = x * 0 + 1
    base = x
    left = where(y < 0, y * 0, y)
    while left > 0:
        result = where((left & 1) != 0, result * base, result)
        base = base * base
        left = left >> 1
    odd = where((y & 1) != 0, x, x * x)
    return where(y < 0, where((x == 1) | (x == -1), odd, x * 0), result)


def gcd(x, y):
    """The greatest common divisor, by Euclid."""
    a = absolute(x)
    b = absolute(y)
    while b != 0:
        rest = a % b
        a = b
        b = rest
    return a


def lcm(x, y):
    """The least common multiple."""
    divisor = gcd(x, y)
    return where(divisor == 0, x * 0, absolute(x // where(divisor == 0, divisor + 1, divisor) * y))


def left_shift(x, y):
    """x << y; 0 where y is no shift of a number of 64 bits."""
    fits = (y >= 0) & (y < 64)
    return where(fits, x << where(fits, y, y * 0), x * 0)


def right_shift(x, y):
    """x >> y; the sign everywhere where y is no shift of a number of 64 bits."""
    fits = (y >= 0) & (y < 63)
    return x >> where(fits, y, y * 0 + 63)


def never(x):
    """isnan and isinf of integers."""
    return x != x


def always(x):
    """isfinite of integers."""
    return x == x


def is_negative(x):
    """signbit of integers."""
    return x < 0


def same(x):
    """Rounding of integers."""
    return x


OF_FLOATS = {f.__name__: f for f in (floor_divide, remainder, logaddexp, logaddexp2, log_ndtr)}
OF_INTEGERS = {
    **{f.__name__: f for f in (integer_power, gcd, lcm, left_shift, right_shift)},
    "isnan": never, "isinf": never, "isfinite": always, "signbit": is_negative,
    **dict.fromkeys(("floor", "ceil", "rint"), same),
}  # fmt: skip


def helpers(kind: str) -> dict[str, Any]:
    """Those of a type to compute in, under the names that formulas use."""
    return OF_FLOATS if kind[0] == "f" else OF_INTEGERS


assert not OF_FLOATS.keys() & WORDS.keys()
