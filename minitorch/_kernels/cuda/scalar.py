"""Functions of formulas that the vocabulary of kernels has no word for, made of words: helpers that are inlined.

Names and edges are those of `_kernels/scalar.py`. A helper returns once, at its end, and chooses by `where`.
"""

from typing import Any

from .device import (  # type: ignore[attr-defined]
    WORDS,
    absolute,
    bessel_i1,
    ceil,
    copysign,
    erfc,
    erfcx,
    exp,
    exp2,
    floor,
    fma,
    fmod,
    isinf,
    lgamma,
    log,
    log1p,
    log2,
    maximum,
    minimum,
    rint,
    sqrt,
    static,
    where,
)
from .special_functions import FUNCTIONS


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


def muladd(x, y, z):
    """x * y + z, rounded once."""
    return fma(x, y, z)


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


# B(2k) / (2k)!, the factors of Euler-Maclaurin sums (DLMF 24.2)
BERNOULLI = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600,
    -3617 / 10670622842880000,
)  # fmt: skip


def zero_like(x):
    """0 of the type of x."""
    return 0.0 * minimum(absolute(x), 1.0)


def sine_of_pi(r):
    """sin(pi r) for |r| <= 1/2, by its Taylor series: the word `sin` reduces any argument, in local memory."""
    y = 3.141592653589793 * r
    term = y
    total = y
    for k in static(1, 11):
        term = term * y * y * (-1.0 / (2 * k * (2 * k + 1)))
        total = total + term
    return total


def digamma(x):
    """Up by recurrence, then the asymptotic series of DLMF 5.11.2; below 0 by reflection (5.5.4)."""
    is_negative = x < 0.0
    part = where(is_negative, x - rint(x), 0.5)
    a = where(is_negative, 1.0 - x, x)
    total = zero_like(x)
    for _ in range(10):
        if a < 10.0:
            total = total - 1.0 / a
            a = a + 1.0
    z = 1.0 / (a * a)
    series = z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z * (1 / 132 - z * (691 / 32760 - z / 12))))))
    result = where(isinf(a), a, total + log(a) - 0.5 / a - series)
    cosine = 3.141592653589793 * sine_of_pi(0.5 - absolute(part))
    mirrored = where(part == 0.0, x - x, cosine) / sine_of_pi(part)
    result = where(is_negative, result - mirrored, result)
    return where(x == 0.0, copysign(1.0 / absolute(x), -x), result)


def zeta_above_zero(s, q):
    """Hurwitz's zeta function for s > 1 and q > 0, by Euler-Maclaurin (DLMF 25.11.7)."""
    total = zero_like(q)
    a = q
    for _ in range(10):
        if a < 10.0:
            total = total + pow(a, -s)
            a = a + 1.0
    power = pow(a, -s)
    total = total + power * a / (s - 1.0) + 0.5 * power
    factor = s
    power = power / a
    is_done = power == 0.0
    for k in static(8):
        term = BERNOULLI[k] * factor * power
        is_done = is_done | (absolute(term) < 1e-17 * absolute(total))
        total = where(is_done, total, total + term)
        factor = factor * (s + (2 * k + 1.0)) * (s + (2 * k + 2.0))
        power = power / (a * a)
    return where(isinf(q), 0.0, total)


def zeta(s, q):
    """The sum of (q + k)^-s over k >= 0; its terms below 0 are those of another one."""
    is_below = q <= 0.0
    below = where(is_below, ceil(-q), 0.0)
    part = q + below
    inside = where(part == 0.0, 1.0, part)  # such a q is a pole
    total = zeta_above_zero(s, inside)
    mirrored = zeta_above_zero(s, where(is_below, 1.0 - inside, 1.0)) - zeta_above_zero(
        s, where(is_below, 1.0 - q, 1.0)
    )
    result = where(is_below, total + where(fmod(s, 2.0) == 0.0, mirrored, -mirrored), total)
    wrong = (s < 1.0) | (s != s) | (q != q) | (isinf(q) & (q > 0.0)) | (is_below & (part != 0.0) & (s != floor(s)))
    pole = (is_below & (part == 0.0)) | (s == 1.0)
    invalid = (s < 1.0) | (s != s) | (q != q)
    infinite = 1.0 / absolute(zero_like(s))
    return where(pole & (not invalid), infinite, where(wrong, infinite - infinite, result))


def polygamma(n, x):
    """The n-th derivative of digamma: (-1)^(n+1) n! zeta(n + 1, x), DLMF 25.11.12."""
    size = exp(lgamma(n + 1.0)) * zeta(n + 1.0, x)
    return where(n == 0.0, digamma(x), where(fmod(n, 2.0) == 0.0, -size, size))


def scaled_i(order, a):
    """exp(-a) I(order, a) for a >= 0, order 0 or 1: the power series DLMF 10.25.2, from 25 on 10.40.1."""
    quarter = 0.25 * minimum(a, 25.0) * minimum(a, 25.0)
    term = where(order == 0, zero_like(a) + 1.0, 0.5 * minimum(a, 25.0))
    total = term
    for k in range(1, 60):
        term = term * quarter / (k * (k + order))
        total = total + term
    far = maximum(a, 25.0)
    tail = zero_like(a) + 1.0
    series = tail
    for k in range(1, 24):
        factor = -(4.0 * order * order - (2.0 * k - 1.0) * (2.0 * k - 1.0)) / (8.0 * k * far)
        tail = tail * factor
        series = series + where(absolute(factor) < 1.0, tail, 0.0)
    return where(a < 25.0, total * exp(-a), series / sqrt(6.283185307179586 * far))


def i1(x):
    """The name is a type's among the words of kernels, so that the word has another."""
    return bessel_i1(x)


def i0e(x):
    """exp(-|x|) I0(x)"""
    return scaled_i(0, absolute(x))


def i1e(x):
    """exp(-|x|) I1(x)"""
    return copysign(scaled_i(1, absolute(x)), x)


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


def integer_muladd(x, y, z):
    """x * y + z of integers."""
    return x * y + z


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


OF_FLOATS = {f.__name__: f for f in (
    floor_divide, remainder, muladd, logaddexp, logaddexp2, log_ndtr, digamma, zeta_above_zero, zeta, polygamma, i0e,
    i1, i1e,
)} | FUNCTIONS  # fmt: skip
LONG = {"digamma", "zeta_above_zero", "zeta", "polygamma", "i0e", "i1e", *FUNCTIONS}
"""Those with loops of hundreds of instructions, which a kernel should not hold once for each lane."""
OF_INTEGERS = {
    **{f.__name__: f for f in (integer_power, gcd, lcm, left_shift, right_shift)},
    "isnan": never, "isinf": never, "isfinite": always, "signbit": is_negative,
    **dict.fromkeys(("floor", "ceil", "rint"), same), "muladd": integer_muladd,
}  # fmt: skip


def helpers(kind: str) -> dict[str, Any]:
    """Those of a type to compute in, under the names that formulas use."""
    return OF_FLOATS if kind[0] == "f" else OF_INTEGERS


assert OF_FLOATS.keys() & WORDS.keys() == {"i1"}
