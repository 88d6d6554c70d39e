"""The words of the Mersenne Twister MT19937 (M. Matsumoto and T. Nishimura, 1998), in vector code.

A state is 624 words and how many of them are used up, in one array of uint32: the memory of NumPy's own generator,
which makes a word in 3.5 ns where these loops take 0.2 (Zen 5). NumPy's is for what is too little to load a loop for.
"""

import numpy as np
from numba import njit

from .inlined import smaller
from .inner import inner

u4, i4, u8 = np.uint32, np.int32, np.uint64
WORDS = 624
MIDDLE = 397


@inner()
def _mixed(upper, lower, other):
    y = (upper & u4(0x80000000)) | (lower & u4(0x7FFFFFFF))
    return other ^ (y >> u4(1)) ^ (u4(0x9908B0DF) & u4(-i4(y & u4(1))))


@inner()
def _renew(state):
    # unsigned, since Numba tests every signed index for being negative
    for i in range(u8(WORDS - MIDDLE)):
        state[i] = _mixed(state[i], state[i + u8(1)], state[i + u8(MIDDLE)])
    for i in range(u8(WORDS - MIDDLE), u8(WORDS - 1)):
        state[i] = _mixed(state[i], state[i + u8(1)], state[i - u8(WORDS - MIDDLE)])
    state[WORDS - 1] = _mixed(state[WORDS - 1], state[0], state[MIDDLE - 1])


@inner()
def next_words(state, out):
    used, done = np.int64(state[WORDS]), 0
    while done < out.size:
        if used == WORDS:
            _renew(state)
            used = 0
        count = smaller(WORDS - used, out.size - done)
        source, dest = state[used : used + count], out[done : done + count]
        for i in range(u8(count)):
            y = source[i]
            y ^= y >> u4(11)
            y ^= (y << u4(7)) & u4(0x9D2C5680)
            y ^= (y << u4(15)) & u4(0xEFC60000)
            dest[i] = y ^ (y >> u4(18))
        used += count
        done += count
    state[WORDS] = used


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def words(state, out):
    """out = the next words."""
    next_words(state, out)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def units(state, out):
    """out = the lower 24 bits of the next words, as fractions of float32 in [0, 1)."""
    bits = out.view(np.uint32)
    next_words(state, bits)
    for i in range(u8(out.size)):
        out[i] = np.float32(i4(bits[i] & u4(0xFFFFFF))) * np.float32(5.9604644775390625e-08)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def chosen(state, bound, value, out, room):
    """out = value where 53 bits of the next two words, the earlier one on top, are below the bound, else 0."""
    pairs, zero = room.view(np.uint64), out.dtype.type(0)
    for begin in range(0, out.size, pairs.size):
        count = smaller(pairs.size, out.size - begin)
        next_words(state, room[: 2 * count])
        dest = out[begin : begin + count]
        for i in range(u8(count)):
            bits = (pairs[i] << u8(32) | pairs[i] >> u8(32)) & u8(0x1FFFFFFFFFFFFF)
            dest[i] = value if bits < bound else zero
