"""Functions of the C library for float64, one value at a time.

torch's samplers call them and so have their rounding. On processors with AVX-512 NumPy has vector code of its own, that
rounds one value in some ten otherwise.
"""

import math

from .inner import inner


@inner()
def log(x):
    return math.log(x)


@inner()
def log1p(x):
    return math.log1p(x)


@inner()
def exp(x):
    return math.exp(x)


@inner()
def cos(x):
    return math.cos(x)


@inner()
def sin(x):
    return math.sin(x)


@inner()
def tan(x):
    return math.tan(x)
