"""segment_reduce on a GPU: a thread to a result, and for the gradients too, as segments do not overlap.

Arrays are (outer, along the dimension, inner), as in `cpu/segments.py`; what lies outside of the data is left out.
"""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from . import copy
from .array import CudaArray, empty
from .block import BLOCK
from .device import blockIdx, i8, maximum, minimum, threadIdx
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel


def added(a, x):
    return a + x


def multiplied(a, x):
    return a * x


COMBINE = {"sum": added, "mean": added, "max": maximum, "min": minimum, "prod": multiplied}


@cache
def reduce_kernel(dtype: np.dtype, how: str) -> Kernel:
    """kernel(data, begins, ends, out, count, segments, n, inner, initial, of_none): `count` results."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    combine, is_mean = COMBINE[how], how == "mean"

    @kernel(f"{code}* i8* i8* {code}* i8 i8 i8 i8 {kind} {kind}", block=BLOCK)
    def reduce_segments(data, begins, ends, out, count, segments, n, inner, initial, of_none):
        at = i8(blockIdx.x) * BLOCK + threadIdx.x
        if at < count:
            row = at // inner
            base = row // segments * n * inner + at % inner
            begin, end = max(begins[row], i8(0)), min(ends[row], n)
            total = initial
            for i in range(begin, end):
                total = combine(total, read(data[base + i * inner]))
            if is_mean:
                total = total / (end - begin)
            if begin >= end:
                total = of_none
            out[at] = write(total)

    return reduce_segments


@cache
def spread_kernel(dtype: np.dtype, how: str) -> Kernel:
    """kernel(g, out, data, begins, ends, dest, count, segments, n, inner, initial): dest is full of zeros before."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    is_sum, is_mean, is_prod = how == "sum", how == "mean", how == "prod"

    @kernel(f"{code}* {code}* {code}* i8* i8* {code}* i8 i8 i8 i8 {kind}", block=BLOCK)
    def spread_over_segments(g, out, data, begins, ends, dest, count, segments, n, inner, initial):
        at = i8(blockIdx.x) * BLOCK + threadIdx.x
        if at < count:
            row = at // inner
            base = row // segments * n * inner + at % inner
            begin, end = max(begins[row], i8(0)), min(ends[row], n)
            slope, result = read(g[at]), read(out[at])
            equals = 0
            for i in range(begin, end):
                place = base + i * inner
                x = read(data[place])
                if is_sum:
                    dest[place] = write(slope)
                elif is_mean:
                    dest[place] = write(slope / (end - begin))
                elif is_prod:
                    others = result / x
                    if (x != x) | (x == 0.0):
                        others = initial
                        for k in range(begin, end):
                            if k != i:
                                others = others * read(data[base + k * inner])
                    dest[place] = write(slope * others)
                elif (x != x) | (x == result):
                    dest[place] = write(slope)
                    equals += 1
            # as in torch, only a positive gradient is shared among equals
            if equals > 1 and slope > 0.0:
                for i in range(begin, end):
                    place = base + i * inner
                    dest[place] = write(read(dest[place]) / equals)

    return spread_over_segments


def _sizes(data: CudaArray, begins: CudaArray) -> tuple[int, int, int, int]:
    """How many results, segments in a row, elements along the dimension, and elements of one place along it."""
    axis = begins.ndim - 1
    inner = prod(data.shape[axis + 1 :])
    return begins.size * inner, begins.shape[axis], data.shape[axis], inner


def segments_reduced(
    inferred: Any, data: CudaArray, begins: CudaArray, ends: CudaArray, how: str, start: float, of_none: float
) -> CudaArray:
    dest = empty(*inferred)
    if dest.size:
        given = [copy.contiguous(a) for a in (data, begins, ends)]
        made = reduce_kernel(dest.dtype, how)
        made.launch(-(-dest.size // BLOCK), *given, dest, *_sizes(data, begins), start, of_none)
    return dest


def segments_reduced_backward(
    inferred: Any,
    slope: CudaArray,
    result: CudaArray,
    data: CudaArray,
    begins: CudaArray,
    ends: CudaArray,
    how: str,
    start: float,
) -> CudaArray:
    shape, dtype = inferred
    dest = copy.full(shape, 0, dtype)
    if slope.size:
        given = [copy.contiguous(a) for a in (slope, result, data, begins, ends)]
        made = spread_kernel(dtype, how)
        made.launch(-(-slope.size // BLOCK), *given, dest, *_sizes(data, begins), start)
    return dest
