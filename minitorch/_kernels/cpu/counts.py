"""Poisson and binomial numbers as torch draws them: by rejection, from uniform numbers in the order given.

Each kernel fills out[begin:] as far as `unit` reaches, and returns how many elements are done and how many uniform
numbers those took. Hormann's transformed rejection (Insurance: Mathematics and Economics 12, 1993; Journal of
Statistical Computation and Simulation 46, 1993) serves from a mean of 10 on.
"""

import math

from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def poisson(rates, unit, out, begin):
    """out[i] ~ Poisson(rates[i])."""
    used = 0
    for i in range(begin, out.size):
        k, spent = _poisson(rates[i], unit, used)
        if spent < 0:
            return i, used
        out[i] = k
        used = spent
    return out.size, used


@njit(cache=True, nogil=True, error_model="numpy")
def _poisson(rate, unit, at):
    if rate == 0.0:
        return 0.0, at
    if rate < 10.0:
        limit, product, k = math.exp(-rate), 1.0, 0.0
        while at < unit.size:
            product *= unit[at]
            at += 1
            if product <= limit:
                return k, at
            k += 1.0
        return 0.0, -1
    root = math.sqrt(rate)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    while at + 1 < unit.size:
        u, v = unit[at] - 0.5, unit[at + 1]
        at += 2
        us = 0.5 - abs(u)
        k = math.floor((2.0 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2.0):
            return k, at
        if k < 0.0 or (us < 0.013 and v > us):
            continue
        if math.log(v) + math.log(inverse) - math.log(a / (us * us) + b) <= k * math.log(rate) - rate - math.lgamma(
            k + 1.0
        ):
            return k, at
    return 0.0, -1


@njit(cache=True, nogil=True, error_model="numpy")
def binomial(counts, probs, unit, out, begin):
    """out[i] ~ Binomial(counts[i], probs[i])."""
    used = 0
    for i in range(begin, out.size):
        n, p = counts[i], probs[i]
        if not (n > 0.0 and p > 0.0):
            out[i] = math.nan if math.isnan(p) else 0.0
        elif p >= 1.0:
            out[i] = n
        else:
            k, spent = _binomial(n, min(p, 1.0 - p), unit, used)
            if spent < 0:
                return i, used
            out[i] = k if p <= 0.5 else n - k
            used = spent
    return out.size, used


@njit(cache=True, nogil=True, error_model="numpy")
def _binomial(n, p, unit, at):
    if n * p < 10.0:
        scale, tries, k = math.log1p(-p), 0.0, 0.0
        while at < unit.size:
            tries += math.ceil(math.log(unit[at]) / scale)
            at += 1
            if tries > n:
                return k, at
            k += 1.0
        return 0.0, -1
    deviation = math.sqrt(n * p * (1.0 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    odds = p / (1.0 - p)
    alpha = (2.83 + 5.1 / b) * deviation
    m = math.floor((n + 1.0) * p)
    while at + 1 < unit.size:
        u, v = unit[at] - 0.5, unit[at + 1]
        at += 2
        us = 0.5 - abs(u)
        k = math.floor((2.0 * a / us + b) * u + n * p + 0.5)
        if us >= 0.07 and v <= 0.92 - 4.2 / b:
            return k, at
        if k < 0.0 or k > n:
            continue
        bound = (m + 0.5) * math.log((m + 1.0) / (odds * (n - m + 1.0)))
        bound += (n + 1.0) * math.log((n - m + 1.0) / (n - k + 1.0))
        bound += (k + 0.5) * math.log(odds * (n - k + 1.0) / (k + 1.0))
        bound += _tail(m) + _tail(n - m) - _tail(k) - _tail(n - k)
        if math.log(v * alpha / (a / (us * us) + b)) <= bound:
            return k, at
    return 0.0, -1


@njit(cache=True, nogil=True, error_model="numpy")
def _tail(k):
    """What Stirling's approximation lacks of log k!."""
    if k <= 9.0:
        return math.lgamma(k + 1.0) - (0.9189385332046727 + (k + 0.5) * math.log(k + 1.0) - (k + 1.0))
    square = (k + 1.0) * (k + 1.0)
    return (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / square) / square) / (k + 1.0)
