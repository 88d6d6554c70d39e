"""The mean or sum of squared differences, and its gradient."""

from typing import Any

from minitorch._kernels.codegen import Formula

from . import pointwise, reduce
from .array import CudaArray


def _square(x, y):
    return (x - y) * (x - y)


def _slope(g, x, y, *, factor):
    return g * ((x - y) * factor)


SQUARE, SLOPE = Formula(_square), Formula(_slope)


def mse_reduced(inferred: Any, input: CudaArray, target: CudaArray, reduction: int) -> CudaArray:
    shape, dtype = inferred
    squares = pointwise.compute(SQUARE, [input, target], (), input.shape, dtype)
    return reduce.reduce("mean" if reduction == 1 else "sum", squares, tuple(range(input.ndim)), shape, dtype)


def mse_backward(
    inferred: Any, grad_output: CudaArray, input: CudaArray, target: CudaArray, reduction: int
) -> CudaArray:
    shape, dtype = inferred
    factor = 2.0 / (input.size or 1) if reduction == 1 else 2.0
    return pointwise.compute(SLOPE, [grad_output, input, target], (factor,), shape, dtype)
