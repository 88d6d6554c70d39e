"""exp for loops: straight-line code, which LLVM turns into vector instructions; math.exp is a call per element.

exp(x) = 2^n e^r with n the nearest integer to x / log(2) and |r| <= log(2) / 2 (Cody and Waite, "Software Manual for
the Elementary Functions", 1980). Adding 1.5 * 2^23 (2^52 in double) to a number rounds it to an integer and leaves that
in the low bits. 2^n comes in two factors, so that results below the smallest normal number are right, too.
"""

import numpy as np
from numba import njit, types
from numba.extending import overload

f4, f8, i4, i8 = np.float32, np.float64, np.int32, np.int64
# 1 / k! from the highest power down
FACTORIALS = tuple(1.0 / f for f in (6227020800, 479001600, 39916800, 3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2))
A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11 = FACTORIALS


@njit(error_model="numpy")
def exp32(x):
    x = f4(-104.0) if x < f4(-104.0) else x
    x = f4(89.0) if x > f4(89.0) else x
    t = x * f4(1.44269504) + f4(12582912.0)
    n = t - f4(12582912.0)
    k = np.float32(t).view(np.int32) - i4(0x4B400000)
    r = x - n * f4(0.693359375)
    r = r - n * f4(-2.12194440e-4)
    p = f4(A7) * r + f4(A8)
    p = p * r + f4(A9)
    p = p * r + f4(A10)
    p = p * r + f4(A11)
    p = (p * r * r + r) + f4(1.0)
    a = k >> i4(1)
    first = np.int32((a + i4(127)) << i4(23)).view(np.float32)
    second = np.int32((k - a + i4(127)) << i4(23)).view(np.float32)
    return p * first * second


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


def exp(x):
    """e^x for a number of either width, in compiled code."""
    raise NotImplementedError("exp is for compiled loops")


@overload(exp)
def _exp(x):
    if x == types.float32:
        return lambda x: exp32(x)
    return lambda x: exp64(x)
