"""Functions of the C library for float64, which compiled loops call for one value at a time.

torch's samplers call them and so have their rounding. On processors with AVX-512 NumPy has vector code of its own, that
rounds one value in some ten otherwise.
"""

from math import cos, exp, log, log1p, sin, tan

__all__ = ["cos", "exp", "log", "log1p", "sin", "tan"]
