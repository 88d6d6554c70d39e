"""The vocabulary of formulas: the functions a scalar formula may call, here with their NumPy meaning.

One formula has several meanings, which come from running the same code, or its text, with other names: on NumPy
arrays and scalars (the names below), in a compiled loop (`codegen.PRELUDE`), and on Tensors, where a gradient
formula gets a gradient of its own (`_ops/gradient_names.py`).
"""

import numpy as np
from numpy import (  # noqa: F401 - the names are the vocabulary
    absolute,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    ceil,
    copysign,
    cos,
    cosh,
    exp,
    exp2,
    expm1,
    floor,
    fmax,
    fmin,
    fmod,
    gcd,
    hypot,
    isfinite,
    isinf,
    isnan,
    lcm,
    left_shift,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logaddexp2,
    maximum,
    minimum,
    nextafter,
    right_shift,
    rint,
    signbit,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
    trunc,
    where,
)

# what NumPy lacks, by the file of `_kernels/cpu/` that has it for one number: names and how many arguments they take
COMPILED = {
    "special": {
        "digamma": 1, "erfc": 1, "erfcx": 1, "erfinv": 1, "igamma": 2, "igammac": 2, "lgamma": 1,
        "log_ndtr": 1, "ndtr": 1, "ndtri": 1, "polygamma": 2, "zeta": 2, "zeta_above_zero": 2,
    },
    "vector": {"erf": 1},
    "inlined": {"muladd": 3},
    "bessel": {
        "airy_ai": 1, "bessel_j": 2, "bessel_y": 2, "chebyshev": 3, "hermite": 3, "i0": 1, "i0e": 1, "i1": 1, "i1e": 1,
        "k0": 1, "k1": 1, "laguerre": 2, "legendre": 2, "scaled_k": 2, "spherical_j0": 1,
    },
}  # fmt: skip


def _on_arrays(name, file):
    """The function for NumPy arrays and numbers: a loop of its own."""

    def function(*args):
        from .codegen import loop_over

        arrays = np.broadcast_arrays(*args)
        dtype = np.result_type(*[a for a in args if isinstance(a, np.ndarray)] or [np.float64])
        dest = np.empty(arrays[0].shape, dtype)
        if dest.size:
            loop_over(name, file, len(arrays))(*[a.astype(dtype).reshape(-1) for a in arrays], dest.reshape(-1))
        return dest

    function.__name__ = name
    return function


for _file, _names in COMPILED.items():
    for _name in _names:
        globals()[_name] = _on_arrays(_name, _file)
