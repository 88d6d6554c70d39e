"""Bessel and Airy functions and orthogonal polynomials of one number, in double whatever the dtype.

DLMF is the Digital Library of Mathematical Functions, https://dlmf.nist.gov.
"""

import math

import numpy as np

from .inner import inner

INF, NAN, EULER = math.inf, math.nan, 0.5772156649015329


# ---------------------------------------------------------------------- modified Bessel functions
@inner()
def scaled_i(order, x):
    """exp(-x) I(order, x) for x >= 0, order 0 or 1: the power series DLMF 10.25.2, from 25 on 10.40.1."""
    if x < 25.0:
        quarter = 0.25 * x * x
        term = total = 1.0 if order == 0 else 0.5 * x
        k = 1
        while term > 1e-17 * total:
            term *= quarter / (k * (k + order))
            total += term
            k += 1
        return total * math.exp(-x)
    term = total = 1.0
    for k in range(1, 30):
        term *= -(4.0 * order * order - (2.0 * k - 1.0) ** 2) / (8.0 * k * x)
        total += term
        if abs(term) < 1e-17:
            break
    return total / math.sqrt(2.0 * math.pi * x)


@inner()
def i0e(x):
    x = abs(np.float64(x))
    return scaled_i(0, x) if x < INF else 1.0 / x


@inner()
def i1e(x):
    a = abs(np.float64(x))
    return math.copysign(scaled_i(1, a), x) if a < INF else 1.0 / np.float64(x)


@inner()
def i0(x):
    x = abs(np.float64(x))
    half = math.exp(0.5 * x)  # exp(x) alone would overflow too early
    return scaled_i(0, x) * half * half if x < INF else NAN


@inner()
def i1(x):
    a = abs(np.float64(x))
    half = math.exp(0.5 * a)
    return math.copysign(scaled_i(1, a) * half * half, x) if a < INF else NAN


@inner()
def scaled_k_integral(order, x):
    """exp(x) K(order, x), the integral of exp(-x (cosh t - 1)) cosh(order t), DLMF 10.32.9.

    The trapezoidal rule converges exponentially on it.
    """
    step = 0.05 if x < 100.0 else 0.5 / math.sqrt(x)
    total, k = 0.5, 1
    while True:
        t = k * step
        half = math.sinh(0.5 * t)
        term = math.exp(-2.0 * x * half * half) * math.cosh(order * t)
        total += term
        if term < 1e-17 * total:
            return total * step
        k += 1


@inner()
def scaled_k(order, x):
    x = np.float64(x)
    if x == 0.0:
        return INF
    if x < 0.0 or x != x:
        return NAN
    if x == INF:
        return 0.0
    return scaled_k_integral(float(order), x)


@inner()
def k0(x):
    return scaled_k(0, x) * math.exp(-x)


@inner()
def k1(x):
    return scaled_k(1, x) * math.exp(-x)


# ---------------------------------------------------------------------- Bessel functions
@inner()
def hankel(order, x, second):
    """J or, if `second`, Y for x >= 25: Hankel's expansion, DLMF 10.17.3."""
    p, q, term = 1.0, 0.0, 1.0
    for k in range(1, 40):
        factor = (4.0 * order * order - (2.0 * k - 1.0) ** 2) / (8.0 * k * x)
        if abs(factor) > 1.0 or abs(term) < 1e-17:
            break
        term *= factor
        sign = -1.0 if k % 4 >= 2 else 1.0
        if k % 2:
            q += sign * term
        else:
            p += sign * term
    # cos and sin of x - order pi / 2 - pi / 4, from those of x
    c, s = math.cos(x), math.sin(x)
    if order == 0:
        cosine, sine = c + s, s - c
    else:
        cosine, sine = s - c, -(c + s)
    scale = 1.0 / math.sqrt(math.pi * x)
    return scale * (p * sine + q * cosine) if second else scale * (p * cosine - q * sine)


@inner()
def miller(order, x, second):
    """J or Y for 0 < x < 25: J by downward recurrence (DLMF 3.6), Y by Neumann's series (10.8, 10.23)."""
    above, here = 0.0, 1e-280
    start = 2 * int(0.5 * x) + 40
    norm = series0 = series1 = 0.0
    j0 = j1 = 0.0
    for k in range(start, -1, -1):
        if k == 0:
            j0 = here
        elif k == 1:
            j1 = here
        if k % 2 == 0:
            norm += here if k == 0 else 2.0 * here
            if k:
                m = k // 2
                series0 += here / m if m % 2 == 0 else -here / m
        elif k > 1:
            m = k // 2
            value = here * k / (m * (m + 1.0))
            series1 += value if m % 2 == 0 else -value
        above, here = here, 2.0 * k / x * here - above
    if not second:
        return (j0 if order == 0 else j1) / norm
    log = math.log(0.5 * x) + EULER
    if order == 0:
        return 2.0 / math.pi * (log * j0 - 2.0 * series0) / norm
    return 2.0 / math.pi * ((log - 1.0) * j1 - series1 - j0 / x) / norm


@inner()
def bessel_j(order, x):
    a = abs(np.float64(x))
    if a == INF:
        return NAN
    if a < 1e-5 or a != a:
        return (1.0 - 0.25 * a * a) if order == 0 else 0.5 * x
    value = miller(order, a, False) if a < 25.0 else hankel(order, a, False)
    return -value if order == 1 and x < 0.0 else value


@inner()
def bessel_y(order, x):
    x = np.float64(x)
    if x == 0.0:
        return -INF
    if x < 0.0 or x != x or x == INF:
        return NAN
    return miller(order, x, True) if x < 25.0 else hankel(order, x, True)


@inner()
def spherical_j0(x):
    x = np.float64(x)
    if abs(x) == INF:
        return 0.0
    if abs(x) < 0.5:
        z = x * x
        return 1.0 - z / 6.0 * (1.0 - z / 20.0 * (1.0 - z / 42.0 * (1.0 - z / 72.0 * (1.0 - z / 110.0))))
    return math.sin(x) / x


@inner()
def airy_ai(x):
    """DLMF 9.4.1 (series) between -8 and 2, 9.6.2 (as K of order 1/3) above, 9.7.9 below."""
    x = np.float64(x)
    if abs(x) == INF or x != x:
        return NAN
    zeta = 2.0 / 3.0 * abs(x) ** 1.5
    if x > 2.0:
        if x > 104.0:
            return 0.0
        return math.sqrt(x / 3.0) / math.pi * scaled_k_integral(1.0 / 3.0, zeta) * math.exp(-zeta)
    if x < -8.0:
        p, q, term = 1.0, 0.0, 1.0
        for k in range(1, 30):
            factor = (6.0 * k - 5.0) * (6.0 * k - 1.0) / (72.0 * k * zeta)
            if factor > 1.0 or term < 1e-17:
                break
            term *= factor
            sign = -1.0 if k % 4 >= 2 else 1.0
            if k % 2:
                q += sign * term
            else:
                p += sign * term
        angle = zeta - 0.25 * math.pi
        return (math.cos(angle) * p + math.sin(angle) * q) / (math.sqrt(math.pi) * (-x) ** 0.25)
    cube = x * x * x
    f = f_term = 1.0
    g = g_term = x
    for k in range(1, 100):
        f_term *= cube / ((3.0 * k - 1.0) * 3.0 * k)
        g_term *= cube / (3.0 * k * (3.0 * k + 1.0))
        f += f_term
        g += g_term
        if abs(f_term) + abs(g_term) < 1e-18:
            break
    return 0.355028053887817239 * f - 0.258819403792806798 * g


# ---------------------------------------------------------------------- orthogonal polynomials
@inner()
def degree(n):
    """n cut to an integer; -1 for what is none, as nan and infinity: torch's polynomials of a negative degree are 0."""
    return int(n) if -1.0 < n < 2.0**63 else -1


@inner()
def chebyshev(n, x, first):
    """The recurrence p(k+1) = 2 x p(k) - p(k-1) from p(0) = 1 and p(1) = first (DLMF 18.9)."""
    n = degree(n)
    if n < 0:
        return 0.0
    before, here = 1.0, first
    if n == 0:
        return before
    for _ in range(1, n):
        before, here = here, 2.0 * x * here - before
    return here


@inner()
def hermite(n, x, factor):
    """H (factor 2) or He (factor 1)."""
    n = degree(n)
    if n < 0:
        return 0.0
    before, here = 1.0, factor * x
    if n == 0:
        return before
    for k in range(1, n):
        before, here = here, factor * (x * here - k * before)
    return here


@inner()
def laguerre(n, x):
    n = degree(n)
    if n < 0:
        return 0.0
    before, here = 1.0, 1.0 - x
    if n == 0:
        return before
    for k in range(1, n):
        before, here = here, ((2.0 * k + 1.0 - x) * here - k * before) / (k + 1.0)
    return here


@inner()
def legendre(n, x):
    n = degree(n)
    if n < 0:
        return 0.0
    before, here = 1.0, np.float64(x)
    if n == 0:
        return before
    for k in range(1, n):
        before, here = here, ((2.0 * k + 1.0) * x * here - k * before) / (k + 1.0)
    return here
