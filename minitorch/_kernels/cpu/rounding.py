"""Arithmetic with the roundings of torch's samplers, over NumPy arrays.

torch's compiler fuses a product and a sum; its scalar loops call the C library; its vector code for float32 has the
polynomials of Cephes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy import ndarray

_COMPILED = 1 << 18  # float32 normals after which a compiled loop has saved the time that its loading takes
_FUNCTION = 8  # normals in whose time Python calls a function of the C library


def fma32(x, y, z):
    """x * y + z with one rounding: torch's compiler fuses; float64 holds the product exactly."""
    wide = np.multiply(x, y, dtype=np.float64)
    wide += z
    return wide.astype(np.float32)


def fma64(x, y, z):
    """The same for float64 arrays x and numbers y, z, by Dekker's exact product and sum."""
    y, z = float(y), float(z)
    if y == 1.0:
        return x + z
    if z == 0.0:
        return x * y
    with np.errstate(invalid="ignore", over="ignore"):
        product = x * y
        total = product + z
        x_high, x_low = _split(x)
        y_high, y_low = _split(np.float64(y))
        error = ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
        added = total - product
        fused = total + ((product - (total - added)) + (z - added) + error)
    return np.where(np.isfinite(fused), fused, total)  # near overflow the splitting itself fails


def _split(x):
    scaled = x * 134217729.0
    high = scaled - (scaled - x)
    return high, x - high


_drawn = 0


def pays(n):
    """Whether, with work as for n float32 normals more, this process has done so much that a compiled loop has paid."""
    global _drawn
    _drawn += n
    return _drawn >= _COMPILED


def _log(x):
    return math.log(x) if x else -math.inf


def _exp(x):
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


_PYTHON_MATH = {"log": _log, "log1p": math.log1p, "exp": _exp, "cos": math.cos, "sin": math.sin, "tan": math.tan}


@functools.cache
def _libm_loop(name: str) -> Callable[[ndarray, ndarray], None]:
    from minitorch._kernels.codegen import loop_over

    return loop_over(name, "libm", 1)


def libm(name, x):
    """The C library's function of each float64: NumPy's own may round otherwise (see `libm.py`)."""
    if not pays(_FUNCTION * x.size):
        return np.fromiter(map(_PYTHON_MATH[name], x.tolist()), np.float64, x.size)
    out = np.empty(x.size)
    _libm_loop(name)(x, out)
    return out


def _round32(text):
    return np.array(text.split(), np.float32).astype(np.float64)


# the polynomials of Cephes' logf, cosf and sinf, and pi / 4 in three pieces
_LOG = _round32(
    "7.0376836292e-2 -1.1514610310e-1 1.1676998740e-1 -1.2420140846e-1 1.4249322787e-1 "
    "-1.6668057665e-1 2.0000714765e-1 -2.4999993993e-1 3.3333331174e-1"
).tolist()
_LN2_HIGH, _LN2_LOW = 0.693359375, np.float32(-2.12194440e-4)
_COS_SIN = _round32(
    "2.443315711809948e-5 -1.9515295891e-4 -1.388731625493765e-3 8.3321608736e-3 4.166664568298827e-2 -1.6666654611e-1"
).reshape(3, 2, 1)
_QUARTER_PI = _round32("0.78515625 2.4187564849853515625e-4 3.77489497744594108e-8").tolist()


def _horner32(x, coefficients, rounded):
    """A polynomial by fused steps, rounded to float32 after each; leading axes broadcast."""
    wide = x.astype(np.float64)
    value = wide * coefficients[0]
    value += coefficients[1]
    for coefficient in coefficients[2:]:
        rounded[...] = value
        value[...] = rounded
        value *= wide
        value += coefficient
    rounded[...] = value
    return rounded


def log32(x):
    """log of float32 x in (0, 1], rounded exactly where torch's vector code rounds."""
    bits = x.view(np.int32)
    # the exponent that leaves a mantissa in [sqrt(1/2), sqrt(2)): 0x3F3504F3 is sqrt(1/2)
    exponent = (bits - 0x3F3504F3) >> 23
    mantissa = (bits - (exponent << 23)).view(np.float32)
    mantissa -= np.float32(1.0)
    exponent = exponent.astype(np.float32)
    square = mantissa * mantissa
    result = _horner32(mantissa, _LOG, np.empty_like(x))
    result *= mantissa
    wide = np.multiply(result, square, dtype=np.float64)
    wide += exponent * _LN2_LOW
    result[...] = wide
    square *= np.float32(0.5)
    result -= square
    result += mantissa
    np.multiply(exponent, _LN2_HIGH, wide)
    wide += result
    result[...] = wide
    return result


def cos_sin32(x):
    """cos and sin of float32 x in [0, 2 pi], likewise."""
    octant = (x * np.float32(4.0 / math.pi)).astype(np.int32) + 1 & -2
    turns = octant.astype(np.float64)
    for piece in _QUARTER_PI:
        x = (x - turns * piece).astype(np.float32)
    square = x * x
    cos, sin = _horner32(square, _COS_SIN, np.empty((2, x.size), np.float32)) * square
    wide = np.multiply(cos, square, dtype=np.float64)
    square *= np.float32(0.5)
    wide -= square
    cos[...] = wide
    cos += np.float32(1.0)
    np.multiply(sin, x, wide, dtype=np.float64)
    wide += x
    sin[...] = wide
    swap = (octant & 2) != 0
    cosine, sine = np.where(swap, sin, cos), np.where(swap, cos, sin)
    # octants 4 to 7 of each turn by the sign bit
    sine.view(np.int32)[...] ^= (octant & 4) << 29
    cosine.view(np.int32)[...] ^= (octant + 2 & 4) << 29
    return cosine, sine
