"""Functions of matrices on a GPU that are made of products, systems and factors: the exponential, pseudo-inverses."""

from math import prod
from typing import Any

import numpy as np

from minitorch._kernels.codegen import Formula
from minitorch._kernels.cpu.lapack import PADE
from minitorch._kernels.scalar import absolute, maximum, where

from . import copy, gemm, pointwise, reduce
from .array import CudaArray, empty, from_host
from .jacobi import decomposed, eigen
from .matrices import CODES, by_columns, identity, solved, turned

FLOAT, INT64 = np.dtype(np.float32), np.dtype(np.int64)


def _product(a: CudaArray, b: CudaArray) -> CudaArray:
    return gemm.product(a, b, empty((*a.shape[:-1], b.shape[-1]), a.dtype))


# ---------------------------------------------------------------------- the exponential
def _absolute(x):
    return absolute(x)


def _scaled(x, scale):
    return where(scale == 0.0, 0.0, x * scale)


def _combined(x, y, z, *, a, b, c):
    return a * x + b * y + c * z


def _combined_beside(x, y, z, w, *, a, b, c, d):
    return a * x + b * y + c * z + d * w


def _sum(x, y):
    return x + y


def _difference(x, y):
    return x - y


ABSOLUTE, SCALED, SUM, DIFFERENCE = map(Formula, (_absolute, _scaled, _sum, _difference))
COMBINED, COMBINED_BESIDE = Formula(_combined), Formula(_combined_beside)


def _compute(formula: Formula, arrays: list[Any], *numbers: float) -> CudaArray:
    return pointwise.compute(formula, arrays, numbers, arrays[0].shape, arrays[0].dtype)


def exponential(inferred: Any, A: CudaArray) -> CudaArray:
    """exp of matrices by scaling, a Pade approximant and squaring, as `lapack.matrix_exp` on the CPU; it waits for
    the norms, which say how often to square.
    """
    if A.dtype not in CODES:  # a half
        wide = copy.converted(A, FLOAT)
        return copy.converted(exponential((A.shape, FLOAT), wide), A.dtype)
    n = A.shape[-1]
    numerator, largest = PADE[A.dtype.name]
    x = copy.reshaped(A, prod(A.shape[:-2]), n, n)
    if not x.size:
        return A.copy()
    sums = reduce.sum((x.shape[:1] + (n,), x.dtype), _compute(ABSOLUTE, [x]), 1)
    norm = reduce.amax((x.shape[:1], x.dtype), sums, 1).to_host().astype(np.float64)
    finite = np.isfinite(norm)
    halvings = np.ceil(np.log2(np.maximum(np.where(finite, norm, 0) / largest, 1))).astype(int)
    scale = np.where(finite, np.ldexp(1.0, -halvings), 0).astype(x.dtype)[:, None, None]
    odd, even = _odd_and_even(_compute(SCALED, [x, from_host(scale, A.device.index)]), [float(c) for c in numerator])
    y = solved(_compute(DIFFERENCE, [even, odd]), by_columns(_compute(SUM, [even, odd])))[0]
    for step in range(halvings.max()):
        more = from_host((halvings > step)[:, None, None], A.device.index)
        y = copy.choose((y.shape, y.dtype), more, _product(y, y), y)
    if not finite.all():
        failed = from_host(~finite[:, None, None], A.device.index)
        y = copy.choose((y.shape, y.dtype), failed, copy.full((), float("nan"), y.dtype), y)
    return copy.reshaped(y, *A.shape)


def _odd_and_even(x: CudaArray, c: list[float]) -> tuple[CudaArray, CudaArray]:
    """The terms of the polynomial c that have odd and even powers of x: seven of them, or thirteen."""
    eye = identity(x.shape, x.dtype)
    x2 = _product(x, x)
    x4 = _product(x2, x2)
    x6 = _product(x4, x2)
    odd = _compute(COMBINED_BESIDE, [x6, x4, x2, eye], c[7], c[5], c[3], c[1])
    even = _compute(COMBINED_BESIDE, [x6, x4, x2, eye], c[6], c[4], c[2], c[0])
    if len(c) > 8:
        higher = _compute(COMBINED, [x6, x4, x2], c[13], c[11], c[9])
        odd = _compute(SUM, [odd, _product(x6, higher)])
        higher = _compute(COMBINED, [x6, x4, x2], c[12], c[10], c[8])
        even = _compute(SUM, [even, _product(x6, higher)])
    return _product(x, odd), even


# ---------------------------------------------------------------------- what singular values say
def _default(atol, *, rtol):
    return where(atol > 0.0, 0.0, rtol)


def _counts(value, largest, atol, rtol):
    return where(absolute(value) > maximum(atol, rtol * largest), 1, 0)


def _inverse(value, largest, atol, rtol):
    return where(absolute(value) > maximum(atol, rtol * largest), 1.0 / value, 0.0)


DEFAULT, COUNTS, INVERSE = Formula(_default), Formula(_counts), Formula(_inverse)


def _tolerances(values: CudaArray, atol: Any, rtol: Any, shape: tuple[int, ...]) -> list[Any]:
    """(the largest value, atol, rtol), to be compared with each value of a matrix of this shape."""
    largest = reduce.amax(((*values.shape[:-1], 1), values.dtype), _compute(ABSOLUTE, [values]), -1, True)
    default = max(shape[-2:]) * float(np.finfo(values.dtype).eps)
    if rtol is None:
        rtol = np.asarray(default, values.dtype) if atol is None else _compute(DEFAULT, [atol], default)
    atol = np.zeros((), values.dtype) if atol is None else atol
    return [largest, *[copy.reshaped(t, *t.shape, 1) if isinstance(t, CudaArray) else t for t in (atol, rtol)]]


def _ranks(values: CudaArray, tolerances: list[Any], lead: tuple[int, ...]) -> CudaArray:
    counted = pointwise.compute(COUNTS, [values, *tolerances], (), (*lead, values.shape[-1]), INT64)
    return reduce.sum((lead, INT64), counted, -1)


def count_above(inferred: Any, values: CudaArray, atol: Any, rtol: Any, shape: tuple[int, ...]) -> CudaArray:
    """How many of a matrix's singular values count."""
    return _ranks(values, _tolerances(values, atol, rtol, shape), inferred[0])


def pseudo_inverse(
    inferred: Any, A: CudaArray, atol: Any, rtol: Any, hermitian: bool
) -> tuple[CudaArray, CudaArray, CudaArray]:
    """(inverse, rank, the values' sizes)"""
    (shape, dtype), (lead, _), (short, _) = inferred
    if not A.size:
        return copy.full(shape, 0, dtype), copy.full(lead, 0, INT64), copy.full(short, 0, dtype)
    if hermitian:
        S, V = eigen(A, "L", True)
        U = V
    else:
        U, S, V = decomposed(A, False)
    tolerances = _tolerances(S, atol, rtol, A.shape)
    scale = pointwise.compute(INVERSE, [S, *tolerances], (), S.shape, dtype)
    V = pointwise.compute(SCALED, [V, copy.reshaped(scale, *scale.shape, 1)], (), V.shape, dtype)
    batch = (prod(lead),)
    left, right = (copy.reshaped(f, *batch, *f.shape[-2:]) for f in (V, U))
    inverse = copy.reshaped(_product(turned(left), right), *shape)
    return inverse, _ranks(S, tolerances, lead), _compute(ABSOLUTE, [S])
