"""Incomplete gamma functions, Bessel functions and orthogonal polynomials: helpers as those of `scalar.py`.

Formulas and edges are those of `cpu/special.py` and `cpu/bessel.py`, but in the kernel's own precision: sums end at its
epsilon, recurrences stay within its range. DLMF is the Digital Library of Mathematical Functions.
"""

from math import pi

from .device import (  # type: ignore[attr-defined]
    absolute,
    cosh,
    exp,
    expm1,
    floor,
    fma,
    i4,
    lgamma,
    log,
    log1p,
    minimum,
    nextafter,
    rint,
    sinh,
    sqrt,
    static,
    where,
)

INFINITE, EULER = float("inf"), 0.5772156649015329
# they add up to half of pi; the first two have 24 bits
HALF_PI = 1.5707963705062866, -4.371138828673793e-08, -1.7151244994428829e-15


def one_like(x):
    """1 of the type of x."""
    return 0.0 * minimum(absolute(where(x == x, x, 0.0)), 1.0) + 1.0


def epsilon_like(x):
    """What is between 1 and the next number of the type of x."""
    one = one_like(x)
    return nextafter(one, 2.0 * one) - one


def sine_and_cosine(x):
    """By Cody and Waite's reduction, for |x| up to a million, and Taylor's series."""
    turns = rint(x * (2 / pi))
    r = fma(-turns, HALF_PI[0], x)
    r = fma(-turns, HALF_PI[1], r)
    r = fma(-turns, HALF_PI[2], r)
    square = r * r
    sine = one_like(x)
    cosine = one_like(x)
    for k in static(9):
        sine = 1.0 - square / ((18 - 2 * k) * (19 - 2 * k)) * sine
        cosine = 1.0 - square / ((17 - 2 * k) * (18 - 2 * k)) * cosine
    sine = r * sine
    quarter = turns - 4.0 * floor(0.25 * turns)
    swaps = (quarter == 1.0) | (quarter == 3.0)
    first = where(swaps, cosine, sine)
    second = where(swaps, sine, cosine)
    return where(quarter >= 2.0, -first, first), where((quarter == 1.0) | (quarter == 2.0), -second, second)


# ---------------------------------------------------------------------- incomplete gamma functions
def gamma_factor(a, x):
    """x^a e^-x / Gamma(a); for a large a by Stirling's series around x = a, where the logarithms would cancel."""
    d = (x - a) / a
    z = 1.0 / (a * a)
    stirling = (1 / 12 - z * (1 / 360 - z * (1 / 1260 - z / 1680))) / a
    near = sqrt(a / (2 * pi)) * exp(a * (log1p(d) - d) - stirling)
    return where((a < 20.0) | (x < 0.2 * a) | (x > 3.0 * a), exp(a * log(x) - x - lgamma(a)), near)


def gamma_series(a, x):
    """The lower incomplete gamma function over Gamma(a), DLMF 8.11.4."""
    small = 0.1 * epsilon_like(x)
    term = 1.0 / a
    total = term
    k = 1
    while term > small * total and k < 100000:
        term = term * (x / (a + k))
        total = total + term
        k += 1
    return total * gamma_factor(a, x)


def gamma_fraction(a, x):
    """The upper one, for x > a + 1: the continued fraction DLMF 8.9.2 by Lentz's method."""
    small = 2.0 * epsilon_like(x)
    b = x + 1.0 - a
    c = 1e30 * one_like(x)
    d = 1.0 / b
    h = d
    change = small * 0.0
    k = 1
    while absolute(change - 1.0) > small and k < 100000:
        n = -k * (k - a)
        b = b + 2.0
        d = 1.0 / (n * d + b)
        c = b + n / c
        change = d * c
        h = h * change
        k += 1
    return h * gamma_factor(a, x)


# zeta(k) / k, the coefficients of the logarithm of Gamma(1 + a) (DLMF 5.7.3), for which 1 + a has no digits to spare
NEAR_ONE = (
    0.8224670334241132, 0.40068563438653143, 0.27058080842778454, 0.20738555102867398, 0.1695571769974082,
    0.1440498967688461, 0.12550966952474304,
)  # fmt: skip


def lgamma_of_one_and(a):
    """log Gamma(1 + a) for a >= 0."""
    small = minimum(a, 0.01)
    series = 0.0 * small
    for k in static(7):
        series = NEAR_ONE[6 - k] - small * series
    return where(a < 0.01, small * (small * series - EULER), lgamma(a + 1.0))


def upper_gamma_near_zero(a, x):
    """1 - x^a / Gamma(a + 1) + ..., where the lower function is near 1 if a is small: DLMF 8.7.3."""
    small = 0.1 * epsilon_like(x)
    term = one_like(x)
    total = 0.0 * term
    k = 1
    while absolute(term) > small * absolute(total) * (a + k) and k < 200:
        term = term * (-x / k)
        total = total + term / (a + k)
        k += 1
    log_power = a * log(x) - lgamma_of_one_and(a)
    return -expm1(log_power) - exp(log_power) * a * total


def igamma(a, x):
    """The regularized lower incomplete gamma function."""
    is_plain = (a > 0.0) & (x > 0.0) & (a < INFINITE) & (x < INFINITE)
    inside = where(is_plain, a, 1.0)
    at = where(is_plain, x, 1.0)
    result = 0.0 * at
    if at > 1.0 and at > inside + 1.0:
        result = 1.0 - gamma_fraction(inside, at)
    else:
        result = gamma_series(inside, at)
    return where(is_plain, result, lower_gamma_edge(a, x))


def igammac(a, x):
    """The regularized upper incomplete gamma function."""
    is_plain = (a > 0.0) & (x > 0.0) & (a < INFINITE) & (x < INFINITE)
    inside = where(is_plain, a, 1.0)
    at = where(is_plain, x, 1.0)
    result = 0.0 * at
    if at > 1.0 and at > inside + 1.0:
        result = gamma_fraction(inside, at)
    else:
        by_series = (at >= 0.5) & (-0.4 / log(minimum(at, 0.999999)) < inside) & (inside > 0.5)
        if at < 1.1 and not by_series:
            result = upper_gamma_near_zero(inside, at)
        else:
            result = 1.0 - gamma_series(inside, at)
    return where(is_plain, result, 1.0 - lower_gamma_edge(a, x))


def lower_gamma_edge(a, x):
    """igamma where an argument is 0, infinite, negative or nan."""
    nan = where(x < INFINITE, x, 0.0) * 0.0 + INFINITE
    nan = nan - nan
    infinite = where(x == INFINITE, 1.0, 0.0)
    result = where(a == INFINITE, where(x == INFINITE, nan, 0.0), infinite)
    result = where(x == 0.0, 0.0, result)
    result = where(a == 0.0, where(x > 0.0, 1.0, nan), result)
    return where((x >= 0.0) & (a >= 0.0), result, nan)


# ---------------------------------------------------------------------- modified Bessel functions
def scaled_k(order, x):
    """exp(x) K(order, x), the integral of exp(-x (cosh t - 1)) cosh(order t), DLMF 10.32.9.

    The trapezoidal rule converges exponentially on it.
    """
    is_plain = (x > 1e-30) & (x < INFINITE)
    at = where(is_plain, x, 1.0)
    small = 0.1 * epsilon_like(at)
    step = where(at < 100.0, 0.05, 0.5 / sqrt(at))
    total = 0.5 * one_like(at)
    term = one_like(at)
    k = 1
    while term > small * total:
        t = k * step
        half = sinh(0.5 * t)
        term = exp(-2.0 * at * half * half) * cosh(order * t)
        total = total + term
        k += 1
    tiny = -log(0.5 * x) - EULER
    if order == 1.0:
        tiny = 1.0 / x
    edge = where(x > 0.0, where(x == INFINITE, 0.0, tiny), where(x == 0.0, INFINITE, (x - x) / (x - x)))
    return where(is_plain, total * step, edge)


def k0(x):
    return scaled_k(0.0, x) * exp(-x)


def k1(x):
    return scaled_k(1.0, x) * exp(-x)


# ---------------------------------------------------------------------- Bessel functions
def hankel(order, x):
    """(J, Y) for x >= 25: Hankel's expansion, DLMF 10.17.3."""
    small = 0.1 * epsilon_like(x)
    p = one_like(x)
    q = 0.0 * p
    term = one_like(x)
    going = 1
    for k in range(1, 40):
        factor = (4.0 * order * order - (2.0 * k - 1.0) * (2.0 * k - 1.0)) / (8.0 * k * x)
        going = where((absolute(factor) > 1.0) | (absolute(term) < small), 0, going)
        if going == 1:
            term = term * factor
            signed = where(k % 4 >= 2, -term, term)
            q = q + where(k % 2 == 1, signed, 0.0)
            p = p + where(k % 2 == 1, 0.0, signed)
    s, c = sine_and_cosine(x)
    if order == 0.0:
        cosine = c + s
        sine = s - c
    else:
        cosine = s - c
        sine = -(c + s)
    scale = 1.0 / sqrt(pi * x)
    return scale * (p * cosine - q * sine), scale * (p * sine + q * cosine)


def miller(order, x):
    """(J, Y) for 0 < x < 25: J by downward recurrence (DLMF 3.6), Y by Neumann's series (10.8, 10.23)."""
    above = 0.0 * one_like(x)
    here = 1e-20 * one_like(x)
    norm = above
    series0 = above
    series1 = above
    j0 = above
    j1 = above
    start = 2 * i4(0.5 * x) + 40
    for step in range(start + 1):
        k = start - step
        m = k // 2
        signed = where(m % 2 == 0, here, -here)
        j0 = where(k == 0, here, j0)
        j1 = where(k == 1, here, j1)
        if k % 2 == 0:
            norm = norm + where(k == 0, here, 2.0 * here)
            series0 = series0 + where(k == 0, 0.0, signed / max(m, 1))
        else:
            series1 = series1 + where(k > 1, signed * k / (max(m, 1) * (m + 1.0)), 0.0)
        below = 2.0 * k / x * here - above
        above = here
        here = below
        scale = where(absolute(here) > 1e15, 1e-25, 1.0)
        if k > 0:
            above = above * scale
            here = here * scale
            norm = norm * scale
            series0 = series0 * scale
            series1 = series1 * scale
            j0 = j0 * scale
            j1 = j1 * scale
    logarithm = log(0.5 * x) + EULER
    if order == 0.0:
        first = j0 / norm
        second = 2 / pi * (logarithm * j0 - 2.0 * series0) / norm
    else:
        first = j1 / norm
        second = 2 / pi * ((logarithm - 1.0) * j1 - series1 - j0 / x) / norm
    return first, second


def bessel(order, x):
    """(J, Y) for x of 1e-5 or more."""
    first = 0.0 * x
    second = 0.0 * x
    if x < 25.0:
        first, second = miller(order, x)
    else:
        first, second = hankel(order, x)
    return first, second


def bessel_j(order, x):
    """J of order 0 or 1."""
    a = absolute(x)
    is_plain = (a >= 1e-5) & (a < INFINITE)
    value, _ = bessel(order, where(is_plain, a, 1.0))
    if order == 0.0:
        near = 1.0 - 0.25 * a * a
    else:
        near = 0.5 * x
        value = where(x < 0.0, -value, value)
    return where(is_plain, value, where(a == INFINITE, a - a, near))


def bessel_y(order, x):
    """Y of order 0 or 1."""
    is_plain = (x >= 1e-5) & (x < INFINITE)
    _, value = bessel(order, where(is_plain, x, 1.0))
    if order == 0.0:
        near = 2 / pi * (log(0.5 * x) + EULER)
    else:
        near = -2 / pi / x
    edge = where(x == 0.0, -INFINITE, where((x > 0.0) & (x < INFINITE), near, (x - x) / (x - x)))
    return where(is_plain, value, edge)


def spherical_j0(x):
    """sin(x) / x"""
    z = x * x
    near = 1.0 - z / 6.0 * (1.0 - z / 20.0 * (1.0 - z / 42.0 * (1.0 - z / 72.0 * (1.0 - z / 110.0))))
    sine, _ = sine_and_cosine(where(absolute(x) < INFINITE, x, 1.0))
    return where(absolute(x) < 0.5, near, where(absolute(x) == INFINITE, 0.0, sine / x))


# ---------------------------------------------------------------------- orthogonal polynomials
def degree(n):
    """n cut to an integer; -1 for what is none, as nan and infinity: torch's polynomials of a negative degree are 0."""
    fits = (n > -1.0) & (n < 2147483000.0)
    return where(fits, i4(where(fits, n, 0.0)), -1)


def of_degree(last, value):
    """The polynomial's value, which is 1 for degree 0 and 0 for none."""
    return where(last < 0, 0.0, where(last == 0, 1.0, value))


def chebyshev(n, x, first):
    """The recurrence p(k+1) = 2 x p(k) - p(k-1) from p(0) = 1 and p(1) = first (DLMF 18.9)."""
    last = degree(n)
    before = one_like(x)
    here = first + 0.0
    for _ in range(1, last):
        after = 2.0 * x * here - before
        before = here
        here = after
    return of_degree(last, here)


def hermite(n, x, factor):
    """H (factor 2) or He (factor 1)."""
    last = degree(n)
    before = one_like(x)
    here = factor * x
    for k in range(1, last):
        after = factor * (x * here - k * before)
        before = here
        here = after
    return of_degree(last, here)


def laguerre(n, x):
    last = degree(n)
    before = one_like(x)
    here = 1.0 - x
    for k in range(1, last):
        after = ((2.0 * k + 1.0 - x) * here - k * before) / (k + 1.0)
        before = here
        here = after
    return of_degree(last, here)


def legendre(n, x):
    last = degree(n)
    before = one_like(x)
    here = x + 0.0
    for k in range(1, last):
        after = ((2.0 * k + 1.0) * x * here - k * before) / (k + 1.0)
        before = here
        here = after
    return of_degree(last, here)


FUNCTIONS = {f.__name__: f for f in (
    igamma, igammac, scaled_k, k0, k1, bessel_j, bessel_y, spherical_j0, chebyshev, hermite, laguerre, legendre,
)}  # fmt: skip
