"""Random numbers by Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).

The streams are laid out as torch's on a GPU with as many multiprocessors: thread t has the counter's upper half t, each
call makes four words of 32 bits, and its four numbers (two of 64 bits) go to places a whole grid apart. Uniform
numbers, integers and Bernoulli numbers by a probability are the same as torch's bit for bit; normal ones and those made
of logarithms differ by the last bits of sin, cos and log. torch's dropout draws in another layout, which ours, made of
Bernoulli numbers, has not.
"""

import math
from functools import cache
from typing import Any

import numpy as np

from minitorch._kernels.codegen import Formula
from minitorch._kernels.half import FLOAT_INFO

from . import copy, philox, pointwise, reduce, runtime
from .array import CudaArray, empty, empty_like
from .device import (  # type: ignore[attr-defined]
    absolute,
    blockIdx,
    ceil,
    copysign,
    cos,
    exp,
    f4,
    f8,
    fma,
    gridDim,
    i8,
    log,
    log1p,
    mul_hi,
    pointer,
    regs,
    rint,
    sin,
    sqrt,
    static,
    tan,
    threadIdx,
    u4,
    u8,
    where,
)
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel

BLOCK = 256
BLOCKS_PER_SM = 8  # of 256 threads, on every GPU of the last ten years
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85
TWO_PI = 2 * math.pi


def philox_words(seed, c0, c1, c2, c3):
    """Four words of a counter of four words."""
    k0 = u4(seed)
    k1 = u4(seed >> 32)
    for _ in static(10):
        high0 = mul_hi(u4(MULTIPLIERS[0]), c0)
        low0 = u4(MULTIPLIERS[0]) * c0
        high1 = mul_hi(u4(MULTIPLIERS[1]), c2)
        low1 = u4(MULTIPLIERS[1]) * c2
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0 = k0 + u4(WEYL[0])
        k1 = k1 + u4(WEYL[1])
    return c0, c1, c2, c3


# ---------------------------------------------------------------------- from words to numbers in (0, 1], as cuRAND
def unit32(word):
    return fma(f4(word), f4(2.0**-32), f4(2.0**-33))


def unit64(first, second):
    return fma(f8(u8(first) ^ (u8(second) << 21)), f8(2.0**-53), f8(2.0**-54))


def four_units(x, y, z, w):
    return unit32(x), unit32(y), unit32(z), unit32(w)


def two_units(x, y, z, w):
    return unit64(x, y), unit64(z, w)


def sine_of_turns(x):
    """sin(2 pi x) by its series on a quarter turn: libdevice's sine brings doubles and local memory for huge angles."""
    part = x - rint(x)
    part = where(absolute(part) > 0.25, copysign(0.5, part) - part, part)
    angle = TWO_PI * part
    square = angle * angle
    total = angle * 0.0 + 1.0
    for k in static(6):
        total = 1.0 - square / ((12 - 2 * k) * (13 - 2 * k)) * total
    return angle * total


def four_normals(x, y, z, w):
    """Box and Muller: from two numbers the sine and the cosine of the second."""
    a = sqrt(-2.0 * log(unit32(x)))
    b = sqrt(-2.0 * log(unit32(z)))
    c = unit32(y)
    d = unit32(w)
    return a * sine_of_turns(c), a * sine_of_turns(c + 0.25), b * sine_of_turns(d), b * sine_of_turns(d + 0.25)


def two_normals(x, y, z, w):
    a = sqrt(-2.0 * log(unit64(x, y)))
    b = unit64(z, w) * TWO_PI
    return a * sin(b), a * cos(b)


def four_words(x, y, z, w):
    return u8(x), u8(y), u8(z), u8(w)


def two_words(x, y, z, w):
    return (u8(x) << 32) | u8(y), (u8(z) << 32) | u8(w)


SOURCES = {
    ("unit", 4): four_units, ("unit", 2): two_units, ("normal", 4): four_normals, ("normal", 2): two_normals,
    ("word", 4): four_words, ("word", 2): two_words,
}  # fmt: skip


# ---------------------------------------------------------------------- distributions: of a number and the parameters
def uniform(x, low, width, eps):
    return fma(x, width, low)


def normal(x, mean, std, eps):
    return fma(x, std, mean)


def log_normal(x, mean, std, eps):
    return exp(fma(x, std, mean))


def bernoulli(x, p, unused, eps):
    return where(x < p, 1, 0)


def exponential(x, rate, unused, eps):
    return -1.0 / rate * where(x >= 1.0 - 0.5 * eps, -0.5 * eps, log(x))


def cauchy(x, median, sigma, eps):
    return median + sigma * tan(math.pi * (x - 0.5))


def geometric(x, p, unused, eps):
    return ceil(log(x) / log1p(-p))


def integers(x, low, count, unused):
    return i8(where(count == 0, x, x % where(count == 0, u8(1), count))) + low


DISTRIBUTIONS = {
    "uniform": (uniform, "unit"), "normal": (normal, "normal"), "log_normal": (log_normal, "normal"),
    "bernoulli": (bernoulli, "unit"), "exponential": (exponential, "unit"), "cauchy": (cauchy, "unit"),
    "geometric": (geometric, "unit"), "integers": (integers, "word"),
}  # fmt: skip


def stream_of(seed, offset, state):
    """The key of the generator and the first group of four words; a state is where seed and a further offset lie."""
    if state != u8(0):
        kept = pointer(state, u8)
        seed = kept[0]
        offset += kept[1]
    return seed, offset >> 2


def words_of(key, group, thread):
    """The four words of a thread's group."""
    return philox_words(key, u4(group), u4(group >> 32), u4(thread), u4(0))


@cache
def fill_kernel(name: str, dtype: np.dtype, lanes: int) -> Kernel:
    """kernel(dest, n, seed, offset, state, three numbers).

    A uniform number that rounds to the end of its range, the third number, becomes its beginning.
    """
    code = STORAGE[dtype].code
    transform, source = DISTRIBUTIONS[name]
    kind = ("f8" if lanes == 2 else "f4") if source != "word" else "i8"
    write, read = element_functions(dtype, kind)[1], element_functions(dtype, STORAGE[dtype].compute)[0]
    draw, letters = SOURCES[source, lanes], f"{kind} {kind} {kind}" if source != "word" else "i8 u8 u8"
    is_uniform = name == "uniform"

    @kernel(f"{code}* i8 u8 u8 u8 {letters}", block=BLOCK, name=f"fill_{name}")
    def fill(dest, n, seed, offset, state, a, b, c):
        key, group = stream_of(seed, offset, state)
        thread = blockIdx.x * BLOCK + threadIdx.x
        apart = gridDim.x * BLOCK
        i = i8(thread)
        while i < n:
            values = regs(lanes)
            values[:] = draw(*words_of(key, group, thread))
            for q in static(lanes):
                at = i + q * apart
                if at < n:
                    made = write(transform(values[q], a, b, c))
                    if is_uniform:
                        made = where(read(made) == c, write(a), made)
                    dest[at] = made
            group += u8(1)
            i += i8(lanes) * apart

    return fill


@cache
def chances_kernel(dtype: np.dtype, of: np.dtype) -> Kernel:
    """kernel(dest, p, n, seed, offset, state): 1 with the probability p[i], else 0; laid out as `fill_kernel`."""
    code, p_code = STORAGE[dtype].code, STORAGE[of].code
    write, read = element_functions(dtype, "i4")[1], element_functions(of, STORAGE[of].compute)[0]

    @kernel(f"{code}* {p_code}* i8 u8 u8 u8", block=BLOCK)
    def fill_chances(dest, p, n, seed, offset, state):
        key, group = stream_of(seed, offset, state)
        thread = blockIdx.x * BLOCK + threadIdx.x
        apart = gridDim.x * BLOCK
        i = i8(thread)
        while i < n:
            values = regs(4)
            values[:] = four_units(*words_of(key, group, thread))
            for q in static(4):
                at = i + q * apart
                if at < n:
                    dest[at] = write(where(values[q] <= read(p[at]), 1, 0))
            group += u8(1)
            i += i8(4) * apart

    return fill_chances


# ---------------------------------------------------------------------- drawing
def _grid(n: int, lanes: int) -> tuple[int, int]:
    """(blocks, how many numbers each thread draws)"""
    most = runtime.gpu().multiprocessors * BLOCKS_PER_SM
    blocks = min(most, -(-n // BLOCK))
    return blocks, (-(-n // (BLOCK * blocks * lanes))) * 4


def _fill(name: str, input: CudaArray, generator: Any, numbers: tuple[Any, ...], lanes: int = 4) -> CudaArray:
    """Draw into an array in the order of its memory."""
    n = input.size
    if n:
        dense = empty_like(input)
        whole = dense if dense.strides != input.strides else input
        blocks, count = _grid(n, lanes)
        seed, offset, state = philox.state_of(generator, runtime.current_index()).take(count)
        fill_kernel(name, input.dtype, lanes).launch(blocks, whole, n, seed, offset, state, *numbers)
        if whole is not input:
            copy.write(input, whole)
    return input


def _real(name: str, input: CudaArray, generator: Any, a: float, b: float = 0.0, c: float | None = None) -> CudaArray:
    is_double = input.dtype == np.float64
    eps = float(np.finfo(np.float64 if is_double else np.float32).eps) if c is None else c
    return _fill(name, input, generator, (float(a), float(b), float(eps)), 2 if is_double else 4)


def fill_uniform(inferred: Any, input: CudaArray, generator: Any, values: Any) -> CudaArray:
    low, high = values or (0.0, 1.0)
    return _real("uniform", input, generator, low, high - low, high)


def fill_normal(inferred: Any, input: CudaArray, generator: Any, values: Any) -> CudaArray:
    return _real("normal", input, generator, *(values or (0.0, 1.0)))


def fill_log_normal(inferred: Any, input: CudaArray, generator: Any, values: Any) -> CudaArray:
    return _real("log_normal", input, generator, *values)


def fill_bernoulli(inferred: Any, input: CudaArray, generator: Any, values: Any) -> CudaArray:
    return _real("bernoulli", input, generator, *values)


def fill_exponential(inferred: Any, input: CudaArray, generator: Any, values: Any) -> CudaArray:
    return _real("exponential", input, generator, *values)


def fill_cauchy(inferred: Any, input: CudaArray, generator: Any, values: Any) -> CudaArray:
    return _real("cauchy", input, generator, *values)


def fill_geometric(inferred: Any, input: CudaArray, generator: Any, values: Any) -> CudaArray:
    return _real("geometric", input, generator, *values)


def _integers(input: CudaArray, generator: Any, low: int, count: int, is_wide: bool) -> CudaArray:
    return _fill("integers", input, generator, (low, count % 2**64, 0), 2 if is_wide else 4)


def _last(dtype: np.dtype) -> int:
    """The largest number up to which the dtype has every integer."""
    if dtype in FLOAT_INFO:
        return 1 << FLOAT_INFO[dtype].digits
    return 1 if dtype == np.bool_ else int(np.iinfo(dtype).max)


def fill_random_between(inferred: Any, input: CudaArray, generator: Any, values: Any) -> CudaArray:
    low, high = values
    if low >= high:
        raise RuntimeError(
            "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
            f"but got from={low} >= to={high}"
        )
    return _integers(input, generator, low, high - low, high - low >= 1 << 32)


fill_random_below = fill_random_between


def fill_random_from(inferred: Any, input: CudaArray, generator: Any, values: Any) -> CudaArray:
    low, high = (*values, None)[:2]
    if high is not None:
        return fill_random_between(inferred, input, generator, (low, high))
    if low == -(1 << 63):
        return _integers(input, generator, 0, 0, True)
    count = _last(input.dtype) - low + 1
    return _integers(input, generator, low, count, count >= 1 << 32)


def fill_random(inferred: Any, input: CudaArray, generator: Any, values: Any) -> CudaArray:
    return _integers(input, generator, 0, _last(input.dtype) + 1, input.dtype in (np.int64, np.float64))


def fill_bernoulli_p(inferred: Any, input: CudaArray, p: CudaArray, generator: Any) -> CudaArray:
    n = input.size
    if n:
        whole = input if input.flags.c_contiguous else empty(input.shape, input.dtype)
        spread = empty(input.shape, p.dtype)
        copy.write(spread, p)
        blocks, count = _grid(n, 4)
        seed, offset, state = philox.state_of(generator, runtime.current_index()).take(count)
        chances_kernel(input.dtype, p.dtype).launch(blocks, whole, spread, n, seed, offset, state)
        if whole is not input:
            copy.write(input, whole)
    return input


def bernoulli_sample(inferred: Any, input: CudaArray, generator: Any) -> CudaArray:
    return fill_bernoulli_p(inferred, empty(*inferred), input, generator)


def _moved(x, y, mean):
    return x * y + mean


MOVED = Formula(_moved)


def normal_mean(inferred: Any, mean: CudaArray, std: float, generator: Any) -> CudaArray:
    return _normal(inferred, mean, np.asarray(std, np.float32), generator)


def normal_std(inferred: Any, std: CudaArray, mean: float, generator: Any) -> CudaArray:
    return normal_both(inferred, np.asarray(mean, np.float32), std, generator)


def normal_both(inferred: Any, mean: Any, std: CudaArray, generator: Any) -> CudaArray:
    if std.size and not reduce.amin(((), std.dtype), std).item() >= 0:
        raise RuntimeError("normal expects all elements of std >= 0.0")
    return _normal(inferred, mean, std, generator)


def _normal(inferred: Any, mean: Any, std: Any, generator: Any) -> CudaArray:
    """Normal numbers times std plus mean: arrays, or one number each."""
    sample = fill_normal(None, empty(*inferred), generator, None)
    pointwise.write(MOVED, [sample, std, mean], (), sample)
    return sample


FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {
    "fill_uniform": lambda: fill_kernel("uniform", FLOAT, 4),
    "fill_normal": lambda: fill_kernel("normal", FLOAT, 4),
    "fill_integers": lambda: fill_kernel("integers", np.dtype(np.int64), 4),
    "fill_chances": lambda: chances_kernel(FLOAT, FLOAT),
}
