"""Floats taken apart on a GPU: the mantissa and the exponent of each."""

from functools import cache
from typing import Any

import numpy as np

from . import copy
from .array import CudaArray, empty
from .block import BLOCK
from .device import (  # type: ignore[attr-defined]
    absolute,
    bits,
    bits8,
    blockIdx,
    from_bits,
    from_bits8,
    i4,
    threadIdx,
    u4,
    u8,
    where,
)
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel

TINY = {"f4": float(np.finfo(np.float32).tiny), "f8": float(np.finfo(np.float64).tiny)}
LIFT = {"f4": 24, "f8": 53}  # powers of two that make the least number a normal one


def exponent4(x):
    """The stored exponent, 0 of 0.5."""
    return i4((bits(x) >> 23) & u4(0xFF)) - 126


def exponent8(x):
    return i4((bits8(x) >> 52) & u8(0x7FF)) - 1022


def mantissa4(x):
    """The number with the exponent of 0.5."""
    return from_bits((bits(x) & u4(0x807FFFFF)) | u4(0x3F000000))


def mantissa8(x):
    return from_bits8((bits8(x) & u8(0x800FFFFFFFFFFFFF)) | u8(0x3FE0000000000000))


@cache
def frexp_kernel(dtype: np.dtype) -> Kernel:
    """kernel(x, mantissas, exponents, n); 0 and what is not finite are their own mantissas, with exponent 0."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    exponent, mantissa = (exponent8, mantissa8) if kind == "f8" else (exponent4, mantissa4)
    tiny, lift = TINY[kind], LIFT[kind]
    infinite = float("inf")

    @kernel(f"{code}* {code}* i4* i4", block=BLOCK)
    def frexp(x, mantissas, exponents, n):
        i = blockIdx.x * BLOCK + threadIdx.x
        if i < n:
            value = read(x[i])
            size = absolute(value)
            is_plain = (size > 0.0) & (size < infinite)
            is_small = size < tiny
            lifted = where(is_small, value * 2.0**lift, value)
            mantissas[i] = write(where(is_plain, mantissa(lifted), value))
            exponents[i] = where(is_plain, exponent(lifted) - where(is_small, lift, 0), 0)

    return frexp


def mantissa_exponent(inferred: Any, input: CudaArray) -> tuple[CudaArray, CudaArray]:
    """(mantissas, exponents)"""
    (shape, dtype), (_, whole) = inferred
    mantissas, exponents = empty(shape, dtype), empty(shape, whole)
    if mantissas.size:
        made = frexp_kernel(dtype)
        made.launch(-(-mantissas.size // BLOCK), copy.contiguous(input), mantissas, exponents, mantissas.size)
    return mantissas, exponents


REPRESENTATIVE = {"frexp": lambda: frexp_kernel(np.dtype(np.float32))}
