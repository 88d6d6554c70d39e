"""The mean or sum of squared differences, and its gradient; the labels of multilabel_margin_loss."""

from functools import cache
from typing import Any

import numpy as np

from minitorch._kernels.codegen import Formula

from . import copy, pointwise, reduce
from .array import CudaArray
from .block import BLOCK
from .device import blockIdx, i8, threadIdx
from .kernel import Kernel, kernel


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


@cache
def labels_kernel() -> Kernel:
    """kernel(target, named, rows, columns, classes): named is 1 for the classes before a row's first -1."""

    @kernel("i8* b1* i4 i4 i4", block=BLOCK)
    def label_sets(target, named, rows, columns, classes):
        row = blockIdx.x * BLOCK + threadIdx.x
        if row < rows:
            going = 1
            for k in range(columns):
                label = target[i8(row) * columns + k]
                if label < 0:
                    going = 0
                if going == 1 and label < classes:
                    named[i8(row) * classes + label] = True

    return label_sets


def label_set(inferred: Any, target: CudaArray, classes: int) -> CudaArray:
    """Which classes each row of labels names."""
    named = copy.full(inferred[0], 0, inferred[1])
    if named.size and target.size:
        rows, columns = target.shape
        labels = copy.contiguous(target, np.dtype(np.int64))
        labels_kernel().launch(-(-rows // BLOCK), labels, named, rows, columns, classes)
    return named


REPRESENTATIVE = {"label_sets": labels_kernel}
