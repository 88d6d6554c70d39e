"""Normals from uniform words, a block of 16 at a time, with the roundings of torch's vector code.

Same numbers as `rng._box_muller` (Box and Muller 1958; logarithm, cosine and sine by the polynomials of Cephes), many
times as fast: for tensors so large that this is worth compiling.
"""

import numpy as np
from numba import njit

from .inlined import fma, smaller, where
from .inner import inner
from .plane_vectors import copy_line
from .twister import next_words

f4, i4, u4 = np.float32, np.int32, np.uint32
LANES = 512
CHUNK = 1 << 14  # words drawn at a time, which stay in the first-level cache


@inner()
def log32(x):
    """log of x in (0, 1]."""
    bits = np.float32(x).view(np.int32)
    power = (bits - i4(0x3F3504F3)) >> i4(23)
    m = np.int32(bits - (power << i4(23))).view(np.float32) - f4(1.0)
    e, square = f4(power), m * m
    r = fma(m, f4(7.0376836292e-2), f4(-1.1514610310e-1))
    r = fma(r, m, f4(1.1676998740e-1))
    r = fma(r, m, f4(-1.2420140846e-1))
    r = fma(r, m, f4(1.4249322787e-1))
    r = fma(r, m, f4(-1.6668057665e-1))
    r = fma(r, m, f4(2.0000714765e-1))
    r = fma(r, m, f4(-2.4999993993e-1))
    r = fma(r, m, f4(3.3333331174e-1))
    r = fma(r * m, square, e * f4(-2.12194440e-4))
    r = r - square * f4(0.5)
    return fma(e, f4(0.693359375), r + m)


@inner()
def cos_sin32(x):
    """cos and sin of x in [0, 2 pi]."""
    octant = (i4(x * f4(1.2732395447351628)) + i4(1)) & i4(-2)
    turns = f4(octant)
    x = fma(-turns, f4(0.78515625), x)
    x = fma(-turns, f4(2.4187564849853515625e-4), x)
    x = fma(-turns, f4(3.77489497744594108e-8), x)
    square = x * x
    c = fma(fma(square, f4(2.443315711809948e-5), f4(-1.388731625493765e-3)), square, f4(4.166664568298827e-2))
    s = fma(fma(square, f4(-1.9515295891e-4), f4(8.3321608736e-3)), square, f4(-1.6666654611e-1))
    c = fma(c * square, square, square * f4(-0.5)) + f4(1.0)
    s = fma(s * square, x, x)
    swap = (octant & i4(2)) != i4(0)
    cosine, sine = where(swap, s, c), where(swap, c, s)
    # octants 4 to 7 of each turn by the sign bit
    sine = np.int32(np.float32(sine).view(np.int32) ^ ((octant & i4(4)) << i4(29))).view(np.float32)
    cosine = np.int32(np.float32(cosine).view(np.int32) ^ (((octant + i4(2)) & i4(4)) << i4(29))).view(np.float32)
    return cosine, sine


@inner()
def _box_muller(first, second, mean, std, cosines, sines):
    """mean + std * normals of as many words; what is read and what is written are apart, for vector instructions."""
    plain = std == f4(1.0)
    for q in range(first.size):
        u = f4(i4(first[q] & u4(0xFFFFFF))) * f4(5.9604644775390625e-08)
        v = f4(i4(second[q] & u4(0xFFFFFF))) * f4(5.9604644775390625e-08)
        radius = f4(np.sqrt(f4(-2.0) * log32(f4(1.0) - u)))
        cosine, sine = cos_sin32(v * f4(6.283185307179586))
        c, s = radius * cosine, radius * sine
        cosines[q] = c + mean if plain else fma(c, std, mean)
        sines[q] = s + mean if plain else fma(s, std, mean)


@inner()
def _fill(out, mean, std, room):
    """mean + std * normals in place of as many words, of which there are blocks of 16: eight for radii and for angles.

    `out` and room (4, LANES) are of uint32: words of some blocks apart, and the numbers made of them.
    """
    first, second, cosines, sines = room[0], room[1], room[2], room[3]
    for begin in range(0, out.size, 2 * LANES):
        size = smaller(LANES, (out.size - begin) // 2)
        for k in range(0, size, 8):
            copy_line(out, begin + 2 * k, first, k, 8)
            copy_line(out, begin + 2 * k + 8, second, k, 8)
        made = cosines.view(np.float32)[:size], sines.view(np.float32)[:size]
        _box_muller(first[:size], second[:size], mean, std, *made)
        for k in range(0, size, 8):
            copy_line(cosines, k, out, begin + 2 * k, 8)
            copy_line(sines, k, out, begin + 2 * k + 8, 8)


@njit(cache=True, error_model="numpy", nogil=True, _nrt=False)
def normals(state, middle, deviation, out, room):
    """out = middle + deviation * normals, no less than 16 of them, of the generator's next words; room: see `_fill`."""
    bits, rest, mean, std = out.view(np.uint32), out.size % 16, f4(middle), f4(deviation)
    for begin in range(0, out.size, CHUNK):
        end = smaller(begin + CHUNK, out.size)
        next_words(state, bits[begin:end])
        _fill(bits[begin : end - (end - begin) % 16], mean, std, room)
    if rest:  # torch draws for the rest, then 16 anew for the last 16 places
        next_words(state, bits[-16:])
        _fill(bits[-16:], mean, std, room)
