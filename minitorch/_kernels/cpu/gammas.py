"""Gamma numbers as torch draws them, and the derivatives of gamma and Dirichlet numbers by their concentrations.

`gamma` follows the rules of `counts.py`: it fills out[begin:] as far as `unit` reaches, and returns how many elements
are done and how many uniform numbers those took.
"""

import math

import numpy as np
from numba import njit

from minitorch._kernels.gamma_tables import (
    DIRICHLET_DENOMINATOR,
    DIRICHLET_NUMERATOR,
    GAMMA_DENOMINATOR,
    GAMMA_NUMERATOR,
)

from .special import digamma

SQUEEZE = float(np.float32(0.0331))  # torch has this number in float32


# ---------------------------------------------------------------------- drawing
@njit(cache=True, nogil=True, error_model="numpy")
def gamma(power, d, kept, unit, out, begin):
    """out[i] ~ Gamma(d[i] + 1/3), times U^power[i] where that is not 0; an infinite power gives 0 and takes no number.

    `kept` holds the normal number left over from a pair: whether there is one, and which.
    """
    used = 0
    for i in range(begin, out.size):
        if power[i] == math.inf:
            out[i] = 0.0
            continue
        value, spent, held, second = _gamma(power[i], d[i], kept[0], kept[1], unit, used)
        if spent < 0:
            return i, used
        out[i], used = value, spent
        kept[0], kept[1] = held, second
    return out.size, used


@njit(cache=True, nogil=True, error_model="numpy")
def _gamma(power, d, held, second, unit, at):
    """Marsaglia and Tsang, A simple method for generating gamma variables, ACM TOMS 26, 2000."""
    scale = 1.0
    if power > 0.0:
        if at >= unit.size:
            return 0.0, -1, 0.0, 0.0
        scale = (1.0 - unit[at]) ** power
        at += 1
    c = 1.0 / math.sqrt(9.0 * d)
    while at + 2 < unit.size:
        if held:
            x, held = second, 0.0
        else:
            radius = math.sqrt(-2.0 * math.log1p(-unit[at + 1]))
            angle = 2.0 * math.pi * unit[at]
            at += 2
            x, second, held = radius * math.cos(angle), radius * math.sin(angle), 1.0
        y = 1.0 + c * x
        if y <= 0.0:
            continue
        v = y * y * y
        u = 1.0 - unit[at]
        at += 1
        square = x * x
        if u < 1.0 - SQUEEZE * square * square or math.log(u) < 0.5 * square + d * (1.0 - v + math.log(v)):
            return scale * d * v, at, held, second
    return 0.0, -1, 0.0, 0.0


# ---------------------------------------------------------------------- d gamma / d concentration
@njit(cache=True, nogil=True, error_model="numpy")
def gamma_grad(alphas, xs, out):
    """out[i] = dx/dalpha for x ~ Gamma(alpha), -(dF/dalpha) / (dF/dx) of its distribution function F."""
    for i in range(out.size):
        alpha, x = alphas[i], xs[i]
        if x < 0.8:
            out[i] = _gamma_near_zero(alpha, x)
        elif alpha > 8.0:
            out[i] = _gamma_of_large(alpha, x)
        else:
            u, v = math.log(x / alpha), math.log(alpha)
            p, q = _cubic(GAMMA_NUMERATOR, u, v), _cubic(GAMMA_DENOMINATOR, u, v)
            out[i] = math.exp(p / q)


@njit(cache=True, nogil=True, error_model="numpy")
def _cubic(coefficients, u, v):
    total = 0.0
    for i in range(3, -1, -1):
        c = coefficients[i]
        total = total * v + c[0] + u * (c[1] + u * c[2])
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _gamma_near_zero(alpha, x):
    """Six terms of the power series of the incomplete gamma function (DLMF 8.7.1)."""
    term, below = 1.0, alpha
    first, second = term / below, term / (below * below)
    for i in range(1, 6):
        term *= -x / i
        below += 1.0
        first += term / below
        second += term / (below * below)
    power = x**alpha
    slope = (math.log(x) - digamma(alpha)) * power * first - power * second
    result = -slope / (x ** (alpha - 1.0) * math.exp(-x))
    return 0.0 if math.isnan(result) else result


@njit(cache=True, nogil=True, error_model="numpy")
def _gamma_of_large(alpha, x):
    """A saddle point expansion; near its mean, where that has a singularity, its series."""
    if 0.9 * alpha <= x <= 1.1 * alpha:
        p = 1.0 + 24.0 * alpha * (1.0 + 12.0 * alpha)
        q = 1440.0 * alpha * alpha + 6.0 * x * (53.0 - 120.0 * x) - 65.0 * x * x / alpha
        return p * (q + alpha * (107.0 + 3600.0 * x)) / (1244160.0 * alpha**4)
    root, log = math.sqrt(8.0 * alpha), math.log(x / alpha)
    tail = (x - alpha - alpha * log) ** -1.5
    inner = root / (alpha - x) + (-tail if x < alpha else tail)
    inner = log * inner - math.sqrt(2.0 / alpha) * (alpha + x) / ((alpha - x) * (alpha - x))
    stirling = 1.0 + 1.0 / (12.0 * alpha) * (1.0 + 1.0 / (24.0 * alpha))
    return -stirling * x * inner / root


# ---------------------------------------------------------------------- the same of a beta number, over 1 - x
@njit(cache=True, nogil=True, error_model="numpy")
def dirichlet_grad(xs, alphas, totals, out):
    """out[i] = dx/dalpha / (1 - x) for x ~ Beta(alpha, total - alpha)."""
    for i in range(out.size):
        x, alpha, total = xs[i], alphas[i], totals[i]
        beta = total - alpha
        boundary = total * x * (1.0 - x)
        if x <= 0.5 and boundary < 2.5:
            out[i] = _beta_near_zero(x, alpha, beta)
        elif x >= 0.5 and boundary < 0.75:
            out[i] = _beta_near_one(1.0 - x, beta, alpha)
        elif alpha > 6.0 and beta > 6.0:
            out[i] = _beta_of_large(x, alpha, beta)
        else:
            out[i] = _corrected(x, alpha, total) * x * (digamma(total) - digamma(alpha)) / beta


@njit(cache=True, nogil=True, error_model="numpy")
def _beta_near_zero(x, alpha, beta):
    factor = digamma(alpha) - digamma(alpha + beta) - math.log(x)
    term = 1.0
    series = term / alpha * (factor + 1.0 / alpha)
    for i in range(1, 11):
        term *= (i - beta) * x / i
        series += term / (alpha + i) * (factor + 1.0 / (alpha + i))
    result = x * (1.0 - x) ** -beta * series
    return 0.0 if math.isnan(result) else result


@njit(cache=True, nogil=True, error_model="numpy")
def _beta_near_one(x, alpha, beta):
    """The derivative by the other concentration, beta, with the sign of the first; x is what is missing to one."""
    factor = digamma(alpha + beta) - digamma(beta)
    term, product, slope, series = 1.0, 1.0, 0.0, factor / alpha
    for i in range(1, 9):
        term *= -x / i
        slope = slope * (beta - i) + product
        product *= beta - i
        series += term / (alpha + i) * (slope + factor * product)
    result = (1.0 - x) ** (1.0 - beta) * series
    return 0.0 if math.isnan(result) else result


@njit(cache=True, nogil=True, error_model="numpy")
def _beta_of_large(x, alpha, beta):
    """A saddle point expansion; near its mean, where that has a singularity, its series."""
    total = alpha + beta
    mean = alpha / total
    std = math.sqrt(alpha * beta / (total + 1.0)) / total
    if mean - 0.1 * std <= x <= mean + 0.1 * std:
        series = (453.0 + 1620.0 * beta * (1.0 - x) - 455.0 * x) * beta
        series += alpha * 8.0 * (1.0 - x) * (135.0 * beta - 11.0)
        series = alpha * series + 3.0 * (59.0 + 180.0 * beta - 90.0 * x) * beta**2
        series = alpha * series + (43.0 + 20.0 * (16.0 + 27.0 * beta) * x) * beta**3
        series = alpha * series + 47.0 * x * beta**4
        factor = (1.0 + 12.0 * alpha) * (1.0 + 12.0 * beta) / (total * total)
        return factor / (1.0 - x) * series / (12960.0 * alpha**3 * beta**2 * (1.0 + 12.0 * total))
    stirling = _stirling(alpha) * _stirling(beta) / _stirling(total)
    distance = alpha * (x - 1.0) + beta * x
    top = 2.0 * alpha * alpha * (x - 1.0) + alpha * beta * (x - 1.0) - x * beta * beta
    first = top / (math.sqrt(2.0 * alpha / beta) * total**1.5 * distance * distance)
    log = math.log(alpha / (total * x))
    tail = (beta * math.log(beta / (total * (1.0 - x))) + alpha * log) ** -1.5
    second = math.sqrt(8.0 * alpha * beta / total) / distance + (tail if x < mean else -tail)
    return -stirling * x / math.sqrt(2.0 * alpha * beta / total) * (first + 0.5 * log * second)


@njit(cache=True, nogil=True, error_model="numpy")
def _stirling(x):
    return 1.0 + 1.0 / (12.0 * x) + 1.0 / (288.0 * x * x)


@njit(cache=True, nogil=True, error_model="numpy")
def _corrected(x, alpha, total):
    """What the product of x and the difference of digammas is multiplied by where no series reaches."""
    u = math.log(x)
    a = math.log(alpha) - u
    b = math.log(total) - a
    return _quadratic(DIRICHLET_NUMERATOR, u, a, b) / _quadratic(DIRICHLET_DENOMINATOR, u, a, b)


@njit(cache=True, nogil=True, error_model="numpy")
def _quadratic(coefficients, u, a, b):
    total = 0.0
    for i in range(2, -1, -1):
        row = 0.0
        for j in range(2, -1, -1):
            c = coefficients[i][j]
            row = row * a + c[0] + b * (c[1] + b * (c[2] + b * c[3]))
        total = total * u + row
    return total
