"""Poisson, binomial, gamma and Dirichlet numbers on a GPU: by rejection, which takes as many draws as it needs.

Each element has Philox counters of its own: the upper half is its number and, counted from 1, the draw, where the
streams of `rng.py` have a thread and 0. So a call takes one step of the generator, however many draws there are.
"""

import math
from functools import cache
from typing import Any

import numpy as np

from minitorch._kernels.codegen import Formula
from minitorch._kernels.half import FLOAT_INFO
from minitorch._kernels.scalar import maximum, minimum

from . import copy, philox, pointwise, reduce, runtime
from .array import CudaArray, empty
from .block import BLOCK
from .device import (  # type: ignore[attr-defined]
    WORDS,
    absolute,
    blockIdx,
    ceil,
    cos,
    exp,
    floor,
    fma,
    lgamma,
    log,
    log1p,
    pow,
    regs,
    sqrt,
    static,
    threadIdx,
    u4,
    where,
)
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel
from .rng import TWO_PI, four_units, philox_words, sine_of_turns, stream_of, two_units

FEW = 10.0  # the mean from which a count is drawn at once, not by what it counts
HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


# ---------------------------------------------------------------------- uniform numbers in (0, 1]
def draw4(key, group, element, draw):
    """Four of float32."""
    return four_units(*philox_words(key, u4(group), u4(group >> 32), u4(element), u4(draw) + u4(1)))


def draw8(key, group, element, draw):
    """Four of float64."""
    a, b = two_units(*philox_words(key, u4(group), u4(group >> 32), u4(element), u4(2 * draw + 1)))
    c, d = two_units(*philox_words(key, u4(group), u4(group >> 32), u4(element), u4(2 * draw + 2)))
    return a, b, c, d


def cosine4(x):
    return sine_of_turns(x + 0.25)


def cosine8(x):
    return cos(TWO_PI * x)


# ---------------------------------------------------------------------- logarithms of probabilities
def missing(k):
    """What Stirling's approximation lacks of log k!, k > 0 (DLMF 5.11.1)."""
    own = 1.0 / k
    square = own * own
    return own * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680))))


def of_factorial(k):
    """`missing`, of small k from the factorial itself."""
    near = where(k < FEW, k, 1.0)
    exact = lgamma(near + 1.0) - ((near + 0.5) * log(near) - near + HALF_LOG_TWO_PI)
    return where(k < FEW, exact, missing(k))


def deviance(k, mean, apart):
    """k log(k / mean) - apart, k > 0, apart = k - mean, which keeps its digits where that is small (Loader, 2000)."""
    part = apart / (k + mean)
    square = part * part
    series = square * (1 / 19)
    for j in static(8):
        series = square * (1.0 / (17 - 2 * j) + series)
    near = apart * part + 2.0 * k * part * series
    return where(absolute(part) < 0.1, near, k * log(k / mean) - apart)


def log_poisson(k, mean):
    """The logarithm of the probability of k."""
    inside = where(k > 0.0, k, 1.0)
    found = -deviance(inside, mean, inside - mean) - of_factorial(inside) - 0.5 * log(inside) - HALF_LOG_TWO_PI
    return where(k > 0.0, found, -mean)


def log_binomial(k, n, p):
    """The logarithm of the probability of k successes among n."""
    is_inside = (k > 0.0) & (k < n)
    inside = where(is_inside, k, 1.0)
    rest = where(is_inside, n - k, 1.0)
    found = of_factorial(n) - of_factorial(inside) - of_factorial(rest)
    apart = fma(-n, p, inside)
    found = found - deviance(inside, n * p, apart) - deviance(rest, n * (1.0 - p), -apart)
    found = found + 0.5 * log(n / (inside * rest)) - HALF_LOG_TWO_PI
    return where(is_inside, found, where(k > 0.0, n * log(p), n * log1p(-p)))


# ---------------------------------------------------------------------- kernels
@cache
def poisson_kernel(dtype: np.dtype) -> Kernel:
    """kernel(dest, rates, n, seed, offset, state): Knuth's product of uniform numbers, for large rates Hormann's
    transformed rejection with squeeze (Insurance: Mathematics and Economics 12, 1993).
    """
    code, kind, draws, _ = _types(dtype)
    read, write = element_functions(dtype, kind)
    number = WORDS[kind]

    @kernel(f"{code}* {code}* i4 u8 u8 u8", block=BLOCK)
    def poisson_numbers(dest, rates, n, seed, offset, state):
        i = blockIdx.x * BLOCK + threadIdx.x
        if i < n:
            key, group = stream_of(seed, offset, state)
            rate = read(rates[i])
            k = number(0.0)
            draw = 0
            searching = where(rate > 0.0, 1, 0)
            if rate < FEW:
                limit = exp(-rate)
                product = number(1.0)
                while searching == 1:
                    u = regs(4)
                    u[:] = draws(key, group, i, draw)
                    draw += 1
                    for q in static(4):
                        product = product * where(searching == 1, u[q], 1.0)
                        searching = where(product <= limit, 0, searching)
                        k = k + where(searching == 1, 1.0, 0.0)
            else:
                root = sqrt(rate)
                b = 0.931 + 2.53 * root
                a = -0.059 + 0.02483 * b
                inverse = 1.1239 + 1.1328 / (b - 3.4)
                while searching == 1:
                    u, v, _, _ = draws(key, group, i, draw)
                    draw += 1
                    u = u - 0.5
                    us = 0.5 - absolute(u)
                    k = floor((2.0 * a / us + b) * u + rate + 0.43)
                    if us >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2.0):
                        searching = 0
                    elif k >= 0.0 and (us >= 0.013 or v <= us):
                        if log(v * inverse / (a / (us * us) + b)) <= log_poisson(k, rate):
                            searching = 0
            dest[i] = write(k)

    return poisson_numbers


@cache
def binomial_kernel(dtype: np.dtype) -> Kernel:
    """kernel(dest, counts, probabilities, n, seed, offset, state): distances between successes, for large means
    Hormann's transformed rejection (Journal of Statistical Computation and Simulation 46, 1993).
    """
    code, kind, draws, _ = _types(dtype)
    read, write = element_functions(dtype, kind)
    number = WORDS[kind]

    @kernel(f"{code}* {code}* {code}* i4 u8 u8 u8", block=BLOCK)
    def binomial_numbers(dest, counts, probabilities, n, seed, offset, state):
        i = blockIdx.x * BLOCK + threadIdx.x
        if i < n:
            key, group = stream_of(seed, offset, state)
            count = read(counts[i])
            given = read(probabilities[i])
            p = min(given, 1.0 - given)
            k = number(0.0)
            draw = 0
            searching = where((count > 0.0) & (given > 0.0) & (given < 1.0), 1, 0)
            if count * p < FEW:
                scale = log1p(-p)
                tries = number(0.0)
                while searching == 1:
                    u = regs(4)
                    u[:] = draws(key, group, i, draw)
                    draw += 1
                    for q in static(4):
                        tries = tries + ceil(log(u[q]) / scale)
                        searching = where(tries > count, 0, searching)
                        k = k + where(searching == 1, 1.0, 0.0)
            else:
                deviation = sqrt(count * p * (1.0 - p))
                b = 1.15 + 2.53 * deviation
                a = -0.0873 + 0.0248 * b + 0.01 * p
                alpha = (2.83 + 5.1 / b) * deviation
                likely = log_binomial(floor((count + 1.0) * p), count, p)
                while searching == 1:
                    u, v, _, _ = draws(key, group, i, draw)
                    draw += 1
                    u = u - 0.5
                    us = 0.5 - absolute(u)
                    k = floor((2.0 * a / us + b) * u + count * p + 0.5)
                    if us >= 0.07 and v <= 0.92 - 4.2 / b:
                        searching = 0
                    elif k >= 0.0 and k <= count:
                        if log(v * alpha / (a / (us * us) + b)) <= log_binomial(k, count, p) - likely:
                            searching = 0
            k = where(given > 0.5, count - k, k)
            k = where(given >= 1.0, count, k)
            k = where((count > 0.0) & (given > 0.0), k, where(given != given, given, 0.0))
            dest[i] = write(k)

    return binomial_numbers


@cache
def gamma_kernel(dtype: np.dtype) -> Kernel:
    """kernel(dest, concentrations, n, seed, offset, state): Marsaglia and Tsang, A simple method for generating gamma
    variables, ACM TOMS 26, 2000; below a concentration of 1 a power of a uniform number times that of one more.
    """
    code, kind, draws, cosine = _types(dtype)
    read, write = element_functions(dtype, kind)
    number = WORDS[kind]
    tiny = float(np.finfo(kind).tiny)

    @kernel(f"{code}* {code}* i4 u8 u8 u8", block=BLOCK)
    def gamma_numbers(dest, concentrations, n, seed, offset, state):
        i = blockIdx.x * BLOCK + threadIdx.x
        if i < n:
            key, group = stream_of(seed, offset, state)
            alpha = read(concentrations[i])
            scale = number(1.0)
            if alpha < 1.0:
                u, _, _, _ = draws(key, group, i, 0)
                scale = where(alpha > 0.0, pow(u, 1.0 / alpha), 0.0)
            d = where(alpha < 1.0, alpha + 1.0, alpha) - 1.0 / 3.0
            c = 1.0 / sqrt(9.0 * d)
            made = number(0.0)
            draw = 1
            searching = 1
            while searching == 1:
                u, angle, other, _ = draws(key, group, i, draw)
                draw += 1
                x = sqrt(-2.0 * log(u)) * cosine(angle)
                y = 1.0 + c * x
                if y > 0.0:
                    made = y * y * y
                    over = c * x * (3.0 + c * x * (3.0 + c * x))  # made - 1 with all its digits
                    square = x * x
                    if other < 1.0 - 0.0331 * square * square or log(other) < 0.5 * square + d * (log1p(over) - over):
                        searching = 0
            dest[i] = write(max(scale * d * made, tiny))

    return gamma_numbers


def _types(dtype: np.dtype) -> tuple[Any, ...]:
    """(the elements' code, the type that is computed in, how to draw numbers of it, cosine of turns)"""
    storage = STORAGE[dtype]
    is_double = storage.compute == "f8"
    return storage.code, storage.compute, draw8 if is_double else draw4, cosine8 if is_double else cosine4


# ---------------------------------------------------------------------- ops
def _drawn(made: Any, generator: Any, operands: list[CudaArray]) -> CudaArray:
    """The numbers of a kernel, one for each element."""
    given = [copy.contiguous(a) for a in operands]
    dest = empty(given[0].shape, given[0].dtype)
    if dest.size:
        seed, offset, state = philox.state_of(generator, runtime.current_index()).take(4)
        made(dest.dtype).launch(-(-dest.size // BLOCK), dest, *given, dest.size, seed, offset, state)
    return dest


def _not_negative(a: CudaArray, message: str) -> None:
    if a.size and not reduce.amin(((), a.dtype), a).item() >= 0:
        raise RuntimeError(message)


def poisson_sample(inferred: Any, input: CudaArray, generator: Any) -> CudaArray:
    """Numbers of the Poisson distributions whose rates are given."""
    _not_negative(input, "invalid Poisson rate, expected rate to be non-negative")
    return _drawn(poisson_kernel, generator, [input])


def binomial_sample(inferred: Any, input: CudaArray, prob: CudaArray, generator: Any) -> CudaArray:
    """How many of `input` trials succeed, of this probability each."""
    return _drawn(binomial_kernel, generator, [input, prob])


def gamma_sample(inferred: Any, input: CudaArray, generator: Any) -> CudaArray:
    """Standard gamma numbers."""
    _not_negative(input, "_standard_gamma: expected concentrations to be non-negative")
    return _drawn(gamma_kernel, generator, [input])


def _share(x, total, *, low, high):
    return minimum(maximum(x / total, low), high)


SHARE = Formula(_share)


def dirichlet_sample(inferred: Any, input: CudaArray, generator: Any) -> CudaArray:
    """Points of the simplex: gamma numbers beside their sum."""
    shape, dtype = inferred
    gammas = gamma_sample(None, input, generator)
    total = reduce.sum(((*shape[:-1], 1), dtype), gammas, -1, True)
    info = FLOAT_INFO[dtype]
    return pointwise.compute(SHARE, [gammas, total], (info.smallest_normal, 1.0 - 2.0**-info.digits), shape, dtype)


FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {
    "poisson_numbers": lambda: poisson_kernel(FLOAT),
    "binomial_numbers": lambda: binomial_kernel(FLOAT),
    "gamma_numbers": lambda: gamma_kernel(FLOAT),
}
