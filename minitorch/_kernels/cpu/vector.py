"""Functions for loops: straight-line code, which LLVM turns into vector instructions; those of `math` are a call each.

float32 has all of them, within 2 units in the last place; float64 has exp, and the C library's for the rest.

exp(x) = 2^n e^r with n the nearest integer to x / log(2) and |r| <= log(2) / 2 (Cody and Waite, "Software Manual for
the Elementary Functions", 1980). Adding 1.5 * 2^23 (2^52 in double) to a number rounds it to an integer and leaves that
in the low bits. 2^n comes in two factors, so that results below the smallest normal number are right, too.

log(x) = k log(2) + log(m) with m in [sqrt(1/2), sqrt(2)) read from the bits, and log(m) = 2 atanh(s) by its series,
with s = (m - 1) / (m + 1). Where float32 would lose too much (powers, hyperbolic functions), both are taken in double.
Coefficients without a closed form are minimax fits, by reweighted least squares.
"""

import math

import numpy as np
from numba import njit, types
from numba.extending import overload

from .inlined import muladd, where

f4, f8, i4, i8 = np.float32, np.float64, np.int32, np.int64
# 1 / k! from the highest power down
FACTORIALS = tuple(1.0 / f for f in (6227020800, 479001600, 39916800, 3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2))
A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11 = FACTORIALS
LOG2E, LOG10E, LN2 = 1.4426950408889634, 0.4342944819032518, 0.6931471805599453
INF, NAN = np.float32(np.inf), np.float32(np.nan)
# log(2) and log10(2) in two parts, the first of so few bits that n times it is exact
LOG10_2_HIGH, LOG10_2_LOW = np.float32(0.30102920532226562), np.float32(7.9034151668e-07)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
# a function that is called, not inlined, ends the vector loop
OPTIONS = {"error_model": "numpy", "forceinline": True}


@njit(**OPTIONS)
def power_series(r):
    """e^r - 1 for |r| <= log(2) / 2."""
    p = muladd(f4(A6), r, f4(A7))
    p = muladd(p, r, f4(A8))
    p = muladd(p, r, f4(A9))
    p = muladd(p, r, f4(A10))
    p = muladd(p, r, f4(A11))
    return muladd(p * r, r, r)


@njit(**OPTIONS)
def reduced(x):
    """(e^r - 1, n) for x within the range of exp: x = n log(2) + r."""
    t = muladd(x, f4(LOG2E), f4(12582912.0))
    n = t - f4(12582912.0)
    k = np.float32(t).view(np.int32) - i4(0x4B400000)
    r = muladd(n, -LN2_LOW, muladd(n, -LN2_HIGH, x))
    return power_series(r), k


@njit(**OPTIONS)
def two_to(k):
    return np.int32((k + i4(127)) << i4(23)).view(np.float32)


@njit(**OPTIONS)
def exp32(x):
    x = where(x < f4(-104.0), f4(-104.0), x)
    x = where(x > f4(89.0), f4(89.0), x)
    p, k = reduced(x)
    a = k >> i4(1)
    return (p + f4(1.0)) * two_to(a) * two_to(k - a)


@njit(**OPTIONS)
def expm1_32(x):
    """2^n (p + 1) - 1 with p = e^r - 1; from 2^30 on the 1 is lost in any case."""
    z = where(x < f4(-20.0), f4(-20.0), x)
    z = where(z > f4(89.0), f4(89.0), z)
    p, k = reduced(z)
    a = k >> i4(1)
    high = (p + f4(1.0)) * two_to(a) * two_to(k - a)
    s = two_to(where(k > i4(30), i4(30), k))
    return where(x == f4(0.0), x, where(k > i4(30), high, muladd(s, p, s - f4(1.0))))


@njit(**OPTIONS)
def mantissa(x):
    """(m, k as a float) with x = m 2^k, for x > 0; numbers below the smallest normal one are scaled first."""
    small = x < f4(1.17549435e-38)
    bits = np.float32(where(small, x * f4(8388608.0), x)).view(np.int32)
    k = (bits - i4(0x3F3504F3)) >> i4(23)
    m = np.int32(bits - (k << i4(23))).view(np.float32)
    return m, f4(where(small, k - i4(23), k))


@njit(**OPTIONS)
def ends_of_log(x, y):
    """y = log(x) where x is positive and finite; elsewhere what the logarithm is there."""
    y = where(x < f4(0.0), NAN, where(x == f4(0.0), -INF, y))
    return where(x < INF, y, where(x == INF, x, x + x))


@njit(**OPTIONS)
def log_of_mantissa(m):
    """log(m) as (first, second), the first exact."""
    f = m - f4(1.0)
    s = f / (f + f4(2.0))
    z = s * s
    r = muladd(z, f4(2.0 / 9.0), f4(2.0 / 7.0))
    r = muladd(r, z, f4(2.0 / 5.0))
    r = muladd(r, z, f4(2.0 / 3.0)) * z
    half = f4(0.5) * f * f
    return f, s * (half + r) - half


@njit(**OPTIONS)
def log32(x):
    m, k = mantissa(x)
    first, second = log_of_mantissa(m)
    return ends_of_log(x, muladd(k, LN2_HIGH, muladd(k, LN2_LOW, second) + first))


@njit(**OPTIONS)
def log2_32(x):
    m, k = mantissa(x)
    first, second = log_of_mantissa(m)
    return ends_of_log(x, muladd(first + second, f4(LOG2E), k))


@njit(**OPTIONS)
def log1p_32(x):
    """log(u) + (x - (u - 1)) / u with u = 1 + x as rounded."""
    u = f4(1.0) + x
    m, k = mantissa(u)
    first, second = log_of_mantissa(m)
    rest = (x - (u - f4(1.0))) / u
    y = muladd(k, LN2_HIGH, (muladd(k, LN2_LOW, second) + rest) + first)
    return where(x == f4(0.0), x, ends_of_log(u, y))


@njit(**OPTIONS)
def log_in_double(x):
    """log(x) in double for a positive, finite x of float32."""
    m, k = mantissa(x)
    f = f8(m) - f8(1.0)
    s = f / (f + f8(2.0))
    z = s * s
    r = muladd(z, f8(2.0 / 11.0), f8(2.0 / 9.0))
    r = muladd(r, z, f8(2.0 / 7.0))
    r = muladd(r, z, f8(2.0 / 5.0))
    r = muladd(r, z, f8(2.0 / 3.0))
    return muladd(f8(k), f8(LN2), muladd(s * z, r, s + s))


@njit(**OPTIONS)
def log10_32(x):
    m, k = mantissa(x)
    first, second = log_of_mantissa(m)
    rest = muladd(second, f4(LOG10E), k * LOG10_2_LOW)
    return ends_of_log(x, muladd(k, LOG10_2_HIGH, muladd(first, f4(LOG10E), rest)))


@njit(**OPTIONS)
def exp_in_double(x):
    """e^x for |x| <= 700, right to 2^-32."""
    t = muladd(x, f8(LOG2E), f8(6755399441055744.0))
    n = t - f8(6755399441055744.0)
    k = np.float64(t).view(np.int64) - i8(0x4338000000000000)
    r = muladd(n, f8(-LN2), x)
    p = muladd(f8(A5), r, f8(A6))
    p = muladd(p, r, f8(A7))
    p = muladd(p, r, f8(A8))
    p = muladd(p, r, f8(A9))
    p = muladd(p, r, f8(A10))
    p = muladd(p, r, f8(A11))
    p = muladd(p * r, r, r) + f8(1.0)
    return p * np.int64((k + i8(1023)) << i8(52)).view(np.float64)


@njit(**OPTIONS)
def exp2_32(x):
    z = where(x < f4(-151.0), f4(-151.0), x)
    z = where(z > f4(129.0), f4(129.0), z)
    t = z + f4(12582912.0)
    k = np.float32(t).view(np.int32) - i4(0x4B400000)
    p = power_series((z - (t - f4(12582912.0))) * f4(LN2))
    a = k >> i4(1)
    return (p + f4(1.0)) * two_to(a) * two_to(k - a)


@njit(**OPTIONS)
def sinh32(x):
    z = where(x < f4(-90.0), f4(-90.0), where(x > f4(90.0), f4(90.0), x))
    e = exp_in_double(f8(z))
    y = f4(f8(0.5) * (e - f8(1.0) / e))
    return where(abs(x) < f4(0.01), muladd(x * x * f4(1.0 / 6.0), x, x), y)


@njit(**OPTIONS)
def cosh32(x):
    z = where(x < f4(-90.0), f4(-90.0), where(x > f4(90.0), f4(90.0), x))
    e = exp_in_double(f8(z))
    return f4(f8(0.5) * (e + f8(1.0) / e))


@njit(**OPTIONS)
def tanh32(x):
    a = abs(x)
    p, k = reduced(where(a > f4(10.0), f4(10.0), a) * f4(2.0))
    far = f4(1.0) - f4(2.0) / muladd(p, two_to(k), two_to(k) + f4(1.0))
    z = x * x
    q = muladd(z, f4(-0.005717025604099035), f4(0.02065056934952736))
    q = muladd(q, z, f4(-0.05374349281191826))
    q = muladd(q, z, f4(0.13331490755081177))
    q = muladd(q, z, f4(-0.3333328366279602))
    return np.copysign(where(a < f4(0.625), muladd(q * z, a, a), where(a != a, a, far)), x)


@njit(**OPTIONS)
def erf32(x):
    """x + x P(x^2) up to 0.95, beyond it 1 - exp(a Q(a)) for a = |x|, which is 1 from 4 on."""
    a = abs(x)
    z = x * x
    p = muladd(z, f4(-0.0005862076068297029), f4(0.00496750557795167))
    p = muladd(p, z, f4(-0.026748863980174065))
    p = muladd(p, z, f4(0.11281320452690125))
    p = muladd(p, z, f4(-0.37612447142601013))
    p = muladd(p, z, f4(0.12837913632392883))
    b = where(a > f4(4.0), f4(4.0), a)
    q = muladd(b, f4(-5.296939889376517e-06), f4(4.9939735617954284e-05))
    q = muladd(q, b, f4(2.743885306699667e-05))
    q = muladd(q, b, f4(-0.0028691308107227087))
    q = muladd(q, b, f4(0.022575631737709045))
    q = muladd(q, b, f4(-0.10516951233148575))
    q = muladd(q, b, f4(-0.6356731653213501))
    q = muladd(q, b, f4(-1.1285414695739746))
    e, k = reduced(q * b)
    far = (f4(1.0) - two_to(k)) - e * two_to(k)
    return np.copysign(where(a < f4(0.95), muladd(p, a, a), where(a != a, a, far)), x)


@njit(**OPTIONS)
def power32(x, y):
    """x^y = e^(y log|x|) in double; torch's (C's) values where x or y is 0, 1, negative, infinite or nan."""
    a = abs(x)
    log_a = f8(y) * where(a == f4(0.0), f8(-np.inf), where(a < INF, log_in_double(a), f8(a)))
    log_a = where(log_a < f8(-120.0), f8(-120.0), where(log_a > f8(120.0), f8(120.0), log_a))
    r = where((a == f4(1.0)) & (y == y), f4(1.0), f4(exp_in_double(log_a)))
    whole = np.floor(y) == y
    odd = whole & (np.floor(y * f4(0.5)) != y * f4(0.5))
    r = where(odd, np.copysign(r, x), where((x < f4(0.0)) & ~whole & (a < INF), NAN, r))
    return where((y == f4(0.0)) | (x == f4(1.0)), f4(1.0), r)


@njit(error_model="numpy")
def exp64(x):
    x = -746.0 if x < -746.0 else x
    x = 710.0 if x > 710.0 else x
    t = x * 1.4426950408889634 + 6755399441055744.0
    n = t - 6755399441055744.0
    k = np.float64(t).view(np.int64) - i8(0x4338000000000000)
    r = x - n * 6.93147180369123816490e-01
    r = r - n * 1.90821492927058770002e-10
    p = A0 * r + A1
    p = p * r + A2
    p = p * r + A3
    p = p * r + A4
    p = p * r + A5
    p = p * r + A6
    p = p * r + A7
    p = p * r + A8
    p = p * r + A9
    p = p * r + A10
    p = p * r + A11
    p = (p * r * r + r) + 1.0
    a = k >> i8(1)
    return (
        p
        * np.int64((a + i8(1023)) << i8(52)).view(np.float64)
        * np.int64((k - a + i8(1023)) << i8(52)).view(np.float64)
    )


def _by_width(name, of_floats, otherwise):
    """A function of that name for compiled code: `of_floats` for float32, `otherwise` for all other numbers."""

    def function(*numbers):
        raise NotImplementedError(f"{name} is for compiled loops")

    function.__name__ = function.__qualname__ = name

    if name == "power":

        @overload(function)
        def of_two(x, y):
            if x == types.float32 and y == types.float32:
                return lambda x, y: of_floats(x, y)
            return lambda x, y: otherwise(x, y)

    else:

        @overload(function)
        def of_one(x):
            if x == types.float32:
                return lambda x: of_floats(x)
            return lambda x: otherwise(x)

    return function


@njit
def power_of_others(x, y):
    return x**y


exp = _by_width("exp", exp32, exp64)
exp2 = _by_width("exp2", exp2_32, np.exp2)
expm1 = _by_width("expm1", expm1_32, math.expm1)
log = _by_width("log", log32, math.log)
log1p = _by_width("log1p", log1p_32, math.log1p)
log2 = _by_width("log2", log2_32, math.log2)
log10 = _by_width("log10", log10_32, math.log10)
sinh = _by_width("sinh", sinh32, math.sinh)
cosh = _by_width("cosh", cosh32, math.cosh)
tanh = _by_width("tanh", tanh32, math.tanh)
erf = _by_width("erf", erf32, math.erf)
power = _by_width("power", power32, power_of_others)
