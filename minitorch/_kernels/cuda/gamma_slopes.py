"""The derivatives of gamma and Dirichlet numbers by their concentrations, on a GPU: the formulas of `cpu/gammas.py`.

They subtract numbers that are close where a number is close to its mean; here, where float32 stays float32, such
differences are taken of the numbers themselves, by `deviance` and log1p, not of their logarithms.
"""

from functools import cache
from typing import Any

import numpy as np

from minitorch._kernels.gamma_tables import (
    DIRICHLET_DENOMINATOR,
    DIRICHLET_NUMERATOR,
    GAMMA_DENOMINATOR,
    GAMMA_NUMERATOR,
)

from . import copy
from .array import CudaArray, empty
from .block import BLOCK
from .device import (  # type: ignore[attr-defined]
    WORDS,
    blockIdx,
    exp,
    fma,
    log,
    log1p,
    pow,
    sqrt,
    static,
    threadIdx,
    where,
)
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel
from .rejection import deviance
from .scalar import digamma


def without_nan(x):
    return where(x != x, 0.0, x)


# ---------------------------------------------------------------------- d gamma / d concentration
def cubic(coefficients, u, v):
    """A polynomial in v, whose coefficients are polynomials in u."""
    total = 0.0 * v
    for i in static(4):
        c = coefficients[3 - i]
        total = total * v + (c[0] + u * (c[1] + u * c[2]))
    return total


def gamma_near_zero(alpha, x):
    """Six terms of the power series of the incomplete gamma function (DLMF 8.7.1)."""
    term = 0.0 * x + 1.0
    first = 1.0 / alpha
    second = 1.0 / (alpha * alpha)
    for i in static(1, 6):
        term = term * (-x / i)
        first = first + term / (alpha + i)
        second = second + term / ((alpha + i) * (alpha + i))
    # both sums are to be multiplied by x^alpha and divided by x^(alpha - 1) exp(-x), which have no room in float32
    return without_nan(x * exp(x) * (second - (log(x) - digamma(alpha)) * first))


def gamma_of_large(alpha, x):
    """A saddle point expansion; near its mean, where that has a singularity, its series."""
    p = 1.0 + 24.0 * alpha * (1.0 + 12.0 * alpha)
    q = 1440.0 * alpha * alpha + 6.0 * x * (53.0 - 120.0 * x) - 65.0 * x * x / alpha
    square = alpha * alpha
    series = p / square * ((q + alpha * (107.0 + 3600.0 * x)) / square) / 1244160.0
    root = sqrt(8.0 * alpha)
    ratio = log1p((x - alpha) / alpha)
    tail = deviance(alpha, x, alpha - x)
    tail = 1.0 / (tail * sqrt(tail))
    inner = root / (alpha - x) + where(x < alpha, -tail, tail)
    inner = ratio * inner - sqrt(2.0 / alpha) * (alpha + x) / ((alpha - x) * (alpha - x))
    stirling = 1.0 + 1.0 / (12.0 * alpha) * (1.0 + 1.0 / (24.0 * alpha))
    is_near = (0.9 * alpha <= x) & (x <= 1.1 * alpha)
    return where(is_near, series, -stirling * x * inner / root)


@cache
def gamma_kernel(dtype: np.dtype) -> Kernel:
    """kernel(alphas, numbers, slopes, n): dx/dalpha for x ~ Gamma(alpha)."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number = WORDS[kind]

    @kernel(f"{code}* {code}* {code}* i4", block=BLOCK)
    def gamma_slopes(alphas, numbers, slopes, n):
        i = blockIdx.x * BLOCK + threadIdx.x
        if i < n:
            alpha = read(alphas[i])
            x = read(numbers[i])
            slope = number(0.0)
            if x < 0.8:
                slope = gamma_near_zero(alpha, x)
            elif alpha > 8.0:
                slope = gamma_of_large(alpha, x)
            else:
                u = log(x / alpha)
                v = log(alpha)
                slope = exp(cubic(GAMMA_NUMERATOR, u, v) / cubic(GAMMA_DENOMINATOR, u, v))
            slopes[i] = write(slope)

    return gamma_slopes


# ---------------------------------------------------------------------- the same of a beta number, over 1 - x
def beta_near_zero(x, alpha, beta):
    factor = digamma(alpha) - digamma(alpha + beta) - log(x)
    term = 0.0 * x + 1.0
    series = 1.0 / alpha * (factor + 1.0 / alpha)
    for i in static(1, 11):
        term = term * ((i - beta) * x / i)
        series = series + term / (alpha + i) * (factor + 1.0 / (alpha + i))
    return without_nan(x * pow(1.0 - x, -beta) * series)


def beta_near_one(x, alpha, beta):
    """The derivative by the other concentration, beta, with the sign of the first; x is what is missing to one."""
    factor = digamma(alpha + beta) - digamma(beta)
    term = 0.0 * x + 1.0
    product = term
    slope = 0.0 * x
    series = factor / alpha
    for i in static(1, 9):
        term = term * (-x / i)
        slope = slope * (beta - i) + product
        product = product * (beta - i)
        series = series + term / (alpha + i) * (slope + factor * product)
    return without_nan(pow(1.0 - x, 1.0 - beta) * series)


def stirling(x):
    return 1.0 + 1.0 / (12.0 * x) + 1.0 / (288.0 * x * x)


def beta_of_large(x, alpha, beta):
    """A saddle point expansion; near its mean, where that has a singularity, its series."""
    total = alpha + beta
    mean = alpha / total
    std = sqrt(alpha * beta / (total + 1.0)) / total
    # a series in powers of alpha and beta over alpha^3 beta^2, for which float32 has no room
    part = beta / alpha
    series = 47.0 * x * part + (43.0 + 20.0 * (16.0 + 27.0 * beta) * x)
    series = series * part + 3.0 * (59.0 + 180.0 * beta - 90.0 * x)
    series = series * part + (453.0 + 1620.0 * beta * (1.0 - x) - 455.0 * x)
    series = series + 8.0 * (1.0 - x) * (135.0 * beta - 11.0) / part
    factor = (1.0 + 12.0 * alpha) / total * ((1.0 + 12.0 * beta) / total)
    near = factor / (1.0 - x) * series / beta / (12960.0 * (1.0 + 12.0 * total))
    shape = stirling(alpha) * stirling(beta) / stirling(total)
    distance = fma(total, x, -alpha)
    top = 2.0 * alpha * alpha * (x - 1.0) + alpha * beta * (x - 1.0) - x * beta * beta
    first = top / (sqrt(2.0 * alpha / beta) * total * sqrt(total) * distance * distance)
    ratio = -log1p(distance / alpha)
    tail = deviance(beta, total * (1.0 - x), distance) + deviance(alpha, total * x, -distance)
    tail = 1.0 / (tail * sqrt(tail))
    second = sqrt(8.0 * alpha * beta / total) / distance + where(x < mean, tail, -tail)
    far = -shape * x / sqrt(2.0 * alpha * beta / total) * (first + 0.5 * ratio * second)
    is_near = (mean - 0.1 * std <= x) & (x <= mean + 0.1 * std)
    return where(is_near, near, far)


def quadratic(coefficients, u, a, b):
    """A polynomial in u of polynomials in a of cubic polynomials in b."""
    total = 0.0 * u
    for i in static(3):
        row = 0.0 * u
        for j in static(3):
            c = coefficients[2 - i][2 - j]
            row = row * a + (c[0] + b * (c[1] + b * (c[2] + b * c[3])))
        total = total * u + row
    return total


@cache
def dirichlet_kernel(dtype: np.dtype) -> Kernel:
    """kernel(numbers, alphas, totals, slopes, n): dx/dalpha / (1 - x) for x ~ Beta(alpha, total - alpha)."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number = WORDS[kind]

    @kernel(f"{code}* {code}* {code}* {code}* i4", block=BLOCK)
    def dirichlet_slopes(numbers, alphas, totals, slopes, n):
        i = blockIdx.x * BLOCK + threadIdx.x
        if i < n:
            x = read(numbers[i])
            alpha = read(alphas[i])
            total = read(totals[i])
            beta = total - alpha
            boundary = total * x * (1.0 - x)
            slope = number(0.0)
            if x <= 0.5 and boundary < 2.5:
                slope = beta_near_zero(x, alpha, beta)
            elif x >= 0.5 and boundary < 0.75:
                slope = beta_near_one(1.0 - x, beta, alpha)
            elif alpha > 6.0 and beta > 6.0:
                slope = beta_of_large(x, alpha, beta)
            else:
                u = log(x)
                a = log(alpha) - u
                b = log(total) - a
                corrected = quadratic(DIRICHLET_NUMERATOR, u, a, b) / quadratic(DIRICHLET_DENOMINATOR, u, a, b)
                slope = corrected * x * (digamma(total) - digamma(alpha)) / beta
            slopes[i] = write(slope)

    return dirichlet_slopes


# ---------------------------------------------------------------------- ops
def _slopes(made: Any, inferred: Any, operands: list[CudaArray]) -> CudaArray:
    dest = empty(*inferred)
    if dest.size:
        spread = [empty(dest.shape, dest.dtype) for _ in operands]
        for each, a in zip(spread, operands, strict=True):
            copy.write(each, a)
        made(dest.dtype).launch(-(-dest.size // BLOCK), *spread, dest, dest.size)
    return dest


def gamma_slope(inferred: Any, input: CudaArray, output: CudaArray) -> CudaArray:
    """How gamma numbers, the output, move with their concentrations."""
    return _slopes(gamma_kernel, inferred, [input, output])


def dirichlet_slope(inferred: Any, x: CudaArray, alpha: CudaArray, total: CudaArray) -> CudaArray:
    """How a Dirichlet number moves with its concentration, over what it leaves to the others."""
    return _slopes(dirichlet_kernel, inferred, [x, alpha, total])


FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {
    "gamma_slopes": lambda: gamma_kernel(FLOAT),
    "dirichlet_slopes": lambda: dirichlet_kernel(FLOAT),
}
