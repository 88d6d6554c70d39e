"""The vocabulary of formulas: the functions a scalar formula may call, here with their NumPy meaning.

One formula has several meanings, which come from running the same code, or its text, with other names: on NumPy
arrays and scalars (the names below), in a compiled loop (`codegen.PRELUDE`), and on Tensors, where a gradient
formula gets a gradient of its own (`_ops/array_names.py`).
"""

from math import erf as _erf

import numpy as np
from numpy import (  # noqa: F401 - the names are the vocabulary
    absolute,
    arccos,
    arcsin,
    arctan,
    arctan2,
    ceil,
    cos,
    cosh,
    exp,
    exp2,
    expm1,
    floor,
    fmod,
    isnan,
    log,
    log1p,
    log2,
    log10,
    maximum,
    minimum,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
    trunc,
    where,
)

_erf_of_floats = np.frompyfunc(_erf, 1, 1)


def erf(x):
    """NumPy has no erf; loops serve it, this serves single numbers."""
    return np.asarray(_erf_of_floats(x), np.result_type(x, np.float32))
