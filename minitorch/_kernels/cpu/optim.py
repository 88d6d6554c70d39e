"""What the formulas of optimizers call, for one element: torch's in-place ops with their numbers.

A product that torch adds on with one rounding is a `muladd` here.
"""

import numpy as np

from .inlined import muladd
from .inner import inner

HALF, ONE, ZERO = np.float32(0.5), np.float32(1.0), np.float32(0.0)


@inner()
def add(x, y, alpha):
    return muladd(y, alpha, x)


@inner()
def addcmul(x, y, z, value):
    return muladd(value * y, z, x)


@inner()
def addcdiv(x, y, z, value):
    return x + value * y / z


@inner()
def lerp(x, y, weight):
    # from the nearer end, as torch does
    if abs(weight) < HALF:
        return muladd(weight, y - x, x)
    return muladd(weight - ONE, y - x, y)


@inner()
def sign(x):
    if x > ZERO:
        return ONE
    return -ONE if x < ZERO else x
