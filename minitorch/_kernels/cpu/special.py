"""Special functions of one number, in double whatever the dtype: the families of erf and of the gamma function.

DLMF is the Digital Library of Mathematical Functions, https://dlmf.nist.gov. Compiled into the loops of the formulas
that name them (`codegen.Formula`).
"""

import math

import numpy as np

from .inner import inner

INF, NAN = math.inf, math.nan
SQRT_HALF, SQRT_PI, SQRT_TWO_PI = math.sqrt(0.5), math.sqrt(math.pi), math.sqrt(2 * math.pi)

# B(2k) / (2k)!, the factors of Euler-Maclaurin sums (DLMF 24.2)
BERNOULLI = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600,
    -3617 / 10670622842880000, 43867 / 5109094217170944000, -174611 / 802857662698291200000,
)  # fmt: skip


# ---------------------------------------------------------------------- the error function
@inner()
def erfc(x):
    return math.erfc(x)


@inner()
def exp_of_square(x):
    """exp(x * x): the part of x that squares exactly, then the rest, since exp magnifies the rounding of x * x."""
    high = np.floor(x * 65536.0) / 65536.0
    return math.exp(high * high) * math.exp((x - high) * (x + high))


@inner()
def erfcx(x):
    """exp(x^2) erfc(x); from 10 on the asymptotic series of DLMF 7.12.1."""
    x = np.float64(x)
    if x < 10.0 or x != x:
        return INF if x < -26.7 else exp_of_square(x) * math.erfc(x)
    term, total = 1.0, 1.0
    for k in range(1, 12):
        term *= -(2 * k - 1) / (2.0 * x * x)
        total += term
    return total / (x * SQRT_PI)


@inner()
def ndtr(x):
    """The normal distribution function."""
    return 0.5 * math.erfc(-x * SQRT_HALF)


@inner()
def log_ndtr(x):
    if x < -1.0:
        return math.log(0.5 * erfcx(-x * SQRT_HALF)) - 0.5 * np.float64(x) * x
    return math.log1p(-0.5 * math.erfc(x * SQRT_HALF))


@inner()
def lower_quantile(p):
    """The x <= 0 with ndtr(x) = p, for p <= 1/2: Abramowitz and Stegun 26.2.23, then Halley steps."""
    if p == 0.0:
        return -INF
    t = math.sqrt(-2.0 * math.log(p))
    x = (2.515517 + t * (0.802853 + t * 0.010328)) / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t
    for _ in range(3):
        # (ndtr(x) - p) / density(x), where neither underflows
        ratio = erfcx(-x * SQRT_HALF) * 0.5 * SQRT_TWO_PI
        step = (
            ratio - p * SQRT_TWO_PI * exp_of_square(-x * SQRT_HALF)
            if x > -37.0
            else ratio * -math.expm1(math.log(p) - math.log(0.5 * erfcx(-x * SQRT_HALF)) + 0.5 * x * x)
        )
        x -= step / (1.0 + 0.5 * x * step)
    return x


@inner()
def central_quantile(q):
    """The x with ndtr(x) = 1/2 + q, for |q| <= 0.425: the rational function of Wichura's AS 241, 1988."""
    r = 0.180625 - q * q
    upper = 2509.0809287301226727 * r + 33430.575583588128105
    upper = ((upper * r + 67265.770927008700853) * r + 45921.953931549871457) * r + 13731.693765509461125
    upper = ((upper * r + 1971.5909503065514427) * r + 133.14166789178437745) * r + 3.3871328727963666080
    lower = 5226.4952788528545610 * r + 28729.085735721942674
    lower = ((lower * r + 39307.895800092710610) * r + 21213.794301586595867) * r + 5394.1960214247511077
    lower = ((lower * r + 687.18700749205790830) * r + 42.313330701600911252) * r + 1.0
    return q * upper / lower


@inner()
def tail_quantile(p):
    """The x <= 0 with ndtr(x) = p, for p <= 0.075: as central_quantile down to exp(-25), below that by steps."""
    r = math.sqrt(-math.log(p)) if p > 1.4e-11 else 6.0
    if r > 5.0:
        return lower_quantile(p)
    r -= 1.6
    upper = 7.74545014278341407640e-4 * r + 2.27238449892691845833e-2
    upper = ((upper * r + 2.41780725177450611770e-1) * r + 1.27045825245236838258) * r + 3.64784832476320460504
    upper = ((upper * r + 5.76949722146069140550) * r + 4.63033784615654529590) * r + 1.42343711074968357734
    lower = 1.05075007164441684324e-9 * r + 5.47593808499534494600e-4
    lower = ((lower * r + 1.51986665636164571966e-2) * r + 1.48103976427480074590e-1) * r + 6.89767334985100004550e-1
    lower = ((lower * r + 1.67638483018380384940) * r + 2.05319162663775882187) * r + 1.0
    return -upper / lower


@inner()
def ndtri(p):
    """The inverse of ndtr."""
    p = np.float64(p)
    if p < 0.0 or p > 1.0 or p != p:
        return NAN
    q = p - 0.5
    if abs(q) <= 0.425:
        return central_quantile(q)
    return tail_quantile(p) if q < 0.0 else -tail_quantile(1.0 - p)


@inner()
def erfinv(y):
    y = np.float64(y)
    a = abs(y)
    if a > 1.0 or y != y:
        return NAN
    if a <= 0.85:
        return central_quantile(0.5 * y) * SQRT_HALF
    return math.copysign(tail_quantile(0.5 * (1.0 - a)) * SQRT_HALF, y)


# ---------------------------------------------------------------------- the gamma function
@inner()
def lgamma(x):
    return math.lgamma(x)


@inner()
def digamma(x):
    """Up by recurrence, then the asymptotic series of DLMF 5.11.2; below 0 by reflection (5.5.4)."""
    x = np.float64(x)
    if x == 0.0:
        return math.copysign(INF, -x)
    reflected = 0.0
    if x < 0.0:
        if x == np.floor(x):
            return NAN
        part = x - np.trunc(x)  # tan has the period pi: the whole part would only cost precision
        reflected = -math.pi / math.tan(math.pi * part)
        x = 1.0 - x
    total = 0.0
    for _ in range(10):
        if not x < 10.0:
            break
        total -= 1.0 / x
        x += 1.0
    if x == INF:
        return x
    z = 1.0 / (x * x)
    series = z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z * (1 / 132 - z * (691 / 32760 - z / 12))))))
    return reflected + total + math.log(x) - 0.5 / x - series


@inner()
def zeta(s, q):
    """Hurwitz's zeta function, the sum of (q + k)^-s over k >= 0; its terms below 0 are those of another one."""
    s, q = np.float64(s), np.float64(q)
    if s == 1.0:
        return INF
    if s < 1.0 or s != s or q != q or q == INF:
        return NAN  # at infinity too, as torch's zeta and polygamma (but not its trigamma) have it
    if q > 0.0:
        return zeta_above_zero(s, q)
    if q == np.floor(q):
        return INF
    if s != np.floor(s):
        return NAN
    below = np.ceil(-q)  # how many terms there are
    part = q + below
    sign = 1.0 if s % 2.0 == 0.0 else -1.0
    mirrored = zeta_above_zero(s, 1.0 - part) - zeta_above_zero(s, 1.0 - q)
    return sign * mirrored + zeta_above_zero(s, part)


@inner()
def zeta_above_zero(s, q):
    """zeta for s > 1 and q > 0, by Euler-Maclaurin (DLMF 25.11.7)."""
    if q == INF:
        return 0.0
    total = 0.0
    a = q
    for _ in range(10):
        if not a < 10.0:
            break
        term = a**-s
        total += term
        a += 1.0
        if a > 1.0 and abs(term) < 1e-17 * abs(total):
            return total
    power = a**-s
    total += power * a / (s - 1.0) + 0.5 * power
    factor = s
    power /= a
    for k in range(10):
        term = BERNOULLI[k] * factor * power
        total += term
        if abs(term) < 1e-17 * abs(total):
            break
        factor *= (s + 2 * k + 1.0) * (s + 2 * k + 2.0)
        power /= a * a
    return total


@inner()
def polygamma(n, x):
    """The n-th derivative of digamma: (-1)^(n+1) n! zeta(n + 1, x), DLMF 25.11.12."""
    x = np.float64(x)
    if n == 0.0:
        return digamma(x)
    sign = -1.0 if n % 2.0 == 0.0 else 1.0
    return sign * math.gamma(n + 1.0) * zeta(n + 1.0, x)


@inner()
def gamma_factor(a, x):
    """x^a e^-x / Gamma(a); for a large a by Stirling's series around x = a, where the logarithms would cancel."""
    if a < 20.0 or x < 0.2 * a or x > 3.0 * a:
        return math.exp(a * math.log(x) - x - math.lgamma(a))
    d = (x - a) / a
    z = 1.0 / (a * a)
    stirling = (1 / 12 - z * (1 / 360 - z * (1 / 1260 - z / 1680))) / a
    return math.sqrt(a / (2 * math.pi)) * math.exp(a * (math.log1p(d) - d) - stirling)


@inner()
def gamma_series(a, x):
    """The lower incomplete gamma function over Gamma(a), DLMF 8.11.4."""
    term = total = 1.0 / a
    for k in range(1, 100000):
        term *= x / (a + k)
        total += term
        if term < 1e-17 * total:
            break
    return total * gamma_factor(a, x)


@inner()
def gamma_fraction(a, x):
    """The upper one, for x > a + 1: the continued fraction DLMF 8.9.2 by Lentz's method."""
    b = x + 1.0 - a
    c, d = 1e300, 1.0 / b
    h = d
    for k in range(1, 100000):
        n = -k * (k - a)
        b += 2.0
        d = 1.0 / (n * d + b)
        c = b + n / c
        h *= d * c
        if abs(d * c - 1.0) < 1e-16:
            break
    return h * gamma_factor(a, x)


@inner()
def igamma(a, x):
    """The regularized lower incomplete gamma function."""
    a, x = np.float64(a), np.float64(x)
    if x < 0.0 or a < 0.0 or x != x or a != a:
        return NAN
    if a == 0.0:
        return 1.0 if x > 0.0 else NAN
    if x == 0.0:
        return 0.0
    if a == INF:
        return NAN if x == INF else 0.0
    if x == INF:
        return 1.0
    return 1.0 - gamma_fraction(a, x) if x > 1.0 and x > a + 1.0 else gamma_series(a, x)


@inner()
def igammac(a, x):
    """The regularized upper incomplete gamma function."""
    a, x = np.float64(a), np.float64(x)
    if x > 1.0 and x > a + 1.0 and x < INF and a > 0.0:
        return gamma_fraction(a, x)
    if 0.0 < x < 1.1 and 0.0 < a < INF:
        return upper_gamma_near_zero(a, x)
    return 1.0 - igamma(a, x)


@inner()
def upper_gamma_near_zero(a, x):
    """1 - x^a / Gamma(a + 1) + ..., where the lower function is near 1 if a is small: DLMF 8.7.3."""
    if x >= 0.5 and -0.4 / math.log(min(x, 0.999999)) < a and a > 0.5:
        return 1.0 - gamma_series(a, x)
    term, total = 1.0, 0.0
    for k in range(1, 200):
        term *= -x / k
        total += term / (a + k)
        if abs(term) < 1e-17 * abs(total) * (a + k):
            break
    log_power = a * math.log(x)
    log_gamma = math.lgamma(a + 1.0)
    return -math.expm1(log_power - log_gamma) - math.exp(log_power - log_gamma) * a * total
