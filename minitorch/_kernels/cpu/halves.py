"""float16 and bfloat16 to float32 and back, for long arrays: NumPy converts float16 one number at a time.

The arrays of halves are their bits, uint16. Where the processor converts float16 itself (x86 since 2012, ARM), its
instruction is used, else shifts, additions and choices, which LLVM turns into vector instructions of any processor.
"""

import platform

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import njit, types
from numba.extending import intrinsic

u32, f32 = np.uint32, np.float32
NATIVE = bool(get_host_cpu_features().get("f16c")) or platform.machine() in ("arm64", "aarch64")


@intrinsic
def bits_of(context, number):
    """The bits of a float32 as uint32."""
    return types.uint32(types.float32), lambda c, b, s, args: b.bitcast(args[0], ir.IntType(32))


@intrinsic
def number_of(context, bits):
    """The float32 of these bits."""
    return types.float32(types.uint32), lambda c, b, s, args: b.bitcast(args[0], ir.FloatType())


@intrinsic
def native_widened(context, half):
    """The processor's conversion from the bits of a float16."""
    return types.float32(types.uint16), lambda c, b, s, args: b.fpext(b.bitcast(args[0], ir.HalfType()), ir.FloatType())


@intrinsic
def native_narrowed(context, number):
    """The processor's conversion to the bits of a float16."""
    return types.uint16(types.float32), lambda c, b, s, args: b.bitcast(
        b.fptrunc(args[0], ir.HalfType()), ir.IntType(16)
    )


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def widen_float16(halves, out):
    """out[i] = halves[i]: the 15 bits moved into place are the number times 2**-112, infinity and nan apart."""
    if NATIVE:
        for i in range(halves.size):
            out[i] = native_widened(halves[i])
        return
    for i in range(halves.size):
        h = u32(halves[i])
        rest = h & u32(0x7FFF)
        scaled = bits_of(number_of(u32(rest << u32(13))) * f32(2.0**112))
        special = u32(0x7F800000) if rest >= u32(0x7C00) else u32(0)
        out[i] = number_of(u32(scaled | special | ((h & u32(0x8000)) << u32(16))))


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def narrow_float16(numbers, out):
    """out[i] = the nearest half, of two the even one: below 2**-14 adding 0.5 rounds at the last bit of a half."""
    if NATIVE:
        for i in range(numbers.size):
            out[i] = native_narrowed(numbers[i])
        return
    for i in range(numbers.size):
        b = bits_of(numbers[i])
        a = u32(b & u32(0x7FFFFFFF))
        usual = u32(a - u32(0x38000000) + u32(0xFFF) + ((a >> u32(13)) & u32(1))) >> u32(13)
        small = u32(bits_of(number_of(a) + f32(0.5)) - u32(0x3F000000))
        large = u32(0x7E00) if a > u32(0x7F800000) else u32(0x7C00)
        h = small if a < u32(0x38800000) else usual
        h = large if a >= u32(0x47800000) else h
        out[i] = np.uint16(h | ((b >> u32(16)) & u32(0x8000)))


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def widen_bfloat16(halves, out):
    """out[i] = halves[i]: the upper half of a float32."""
    for i in range(halves.size):
        out[i] = number_of(u32(u32(halves[i]) << u32(16)))


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def narrow_bfloat16(numbers, out):
    """out[i] = the nearest bfloat16, of two the even one."""
    for i in range(numbers.size):
        b = bits_of(numbers[i])
        nearest = u32(b + u32(0x7FFF) + ((b >> u32(16)) & u32(1))) >> u32(16)
        out[i] = np.uint16(u32(0x7FC0) if (b & u32(0x7FFFFFFF)) > u32(0x7F800000) else nearest)
