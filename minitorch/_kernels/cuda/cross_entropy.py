"""Cross-entropy over classes and its gradient, each from the logits in one kernel: no softmax is stored.

A target that is no class gives nan: a kernel cannot raise.
"""

from functools import cache
from typing import Any

import numpy as np

from minitorch._kernels.codegen import Formula

from . import copy, pointwise, reduce
from .array import CudaArray, empty
from .block import BLOCK, LOWEST, WARP, row_exponentials, row_sum, threads_for
from .device import WORDS, advance, blockIdx, exp, i8, log, shared_array, threadIdx, where  # type: ignore[attr-defined]
from .formulas import STORAGE, element_functions
from .index import index_select
from .kernel import Kernel, kernel
from .softmax import add_exponential

NAN = float("nan")


def exponentials_of(x_row, end, lowest, threads, read, scratch):
    """A row's maximum, and the sum of exponentials relative to it, for all of its threads."""
    m = lowest
    s = lowest * 0.0
    for j in range(threadIdx.x % threads, end, threads):
        m, s = add_exponential(m, s, read(x_row[j]))
    return row_exponentials(m, s, scratch, threads // WARP)


@cache
def losses_kernel(dtype: np.dtype, weighted: bool, threads: int) -> Kernel:
    """kernel(x, target, weight, losses, rows, n, ignore): each row's loss, 0 where its target is ignored."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, _ = element_functions(dtype, kind)
    number, lowest = WORDS[kind], LOWEST[kind]

    @kernel(f"{code}* i8* {code}* {kind}* i4 i4 i8", block=BLOCK)
    def cross_entropy_losses(x, target, weight, losses, rows, n, ignore):
        scratch = shared_array(2 * BLOCK // WARP, number)
        row = blockIdx.x * (BLOCK // threads) + threadIdx.x // threads
        end = where(row < rows, n, 0)
        x_row = advance(x, i8(row) * n)
        m, s = exponentials_of(x_row, end, number(lowest), threads, read, scratch)
        if row < rows and threadIdx.x % threads == 0:
            t = target[row]
            loss = number(0.0)
            if t != ignore:
                loss = number(NAN)
                if t >= 0 and t < n:
                    loss = log(s) + (m - read(x_row[t]))
                    if weighted:
                        loss = loss * read(weight[t])
            losses[row] = loss

    return cross_entropy_losses


@cache
def gradient_kernel(dtype: np.dtype, weighted: bool, threads: int) -> Kernel:
    """kernel(g, used, x, target, weight, dest, rows, n, ignore, g's step)

    dest[i, j] = g[i] / used[0] * weight[t] * (softmax(x[i])[j] - [j == t]), 0 in rows whose target t is ignored.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number, lowest = WORDS[kind], LOWEST[kind]

    @kernel(f"{code}* {kind}* {code}* i8* {code}* {code}* i4 i4 i8 i4", block=BLOCK)
    def cross_entropy_gradient(g, used, x, target, weight, dest, rows, n, ignore, step):
        scratch = shared_array(2 * BLOCK // WARP, number)
        row = blockIdx.x * (BLOCK // threads) + threadIdx.x // threads
        end = where(row < rows, n, 0)
        x_row = advance(x, i8(row) * n)
        dest_row = advance(dest, i8(row) * n)
        m, s = exponentials_of(x_row, end, number(lowest), threads, read, scratch)
        if row < rows:
            t = target[row]
            factor = read(g[row * step]) / used[0]
            if t == ignore:
                factor = number(0.0)
            elif t < 0 or t >= n:
                factor = number(NAN)
            elif weighted:
                factor = factor * read(weight[t])
            scale = where(t == ignore, 0.0, factor / s)
            for j in range(threadIdx.x % threads, end, threads):
                p = where(t == ignore, 0.0, exp(read(x_row[j]) - m) * scale)
                dest_row[j] = write(where(i8(j) == t, p - factor, p))

    return cross_entropy_gradient


@cache
def weights_kernel(dtype: np.dtype, weighted: bool) -> Kernel:
    """kernel(target, weight, used, rows, n, ignore): the sum of the weights of targets that count, by one block."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, _ = element_functions(dtype, kind)
    number = WORDS[kind]

    @kernel(f"i8* {code}* {kind}* i4 i4 i8", block=BLOCK)
    def cross_entropy_weights(target, weight, used, rows, n, ignore):
        scratch = shared_array(BLOCK // WARP, number)
        s = number(0.0)
        for i in range(threadIdx.x, rows, BLOCK):
            t = target[i]
            if t != ignore:
                if weighted:
                    if t >= 0 and t < n:
                        s += read(weight[t])
                else:
                    s += 1.0
        s = row_sum(s, scratch, BLOCK // WARP)
        if threadIdx.x == 0:
            used[0] = s

    return cross_entropy_weights


@cache
def total_kernel(dtype: np.dtype) -> Kernel:
    """kernel(losses, used, dest, rows): the sum of the losses by used[0], by one block."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    write = element_functions(dtype, kind)[1]
    number = WORDS[kind]

    @kernel(f"{kind}* {kind}* {code}* i4", block=BLOCK)
    def cross_entropy_total(losses, used, dest, rows):
        scratch = shared_array(BLOCK // WARP, number)
        s = number(0.0)
        for i in range(threadIdx.x, rows, BLOCK):
            s += losses[i]
        s = row_sum(s, scratch, BLOCK // WARP)
        if threadIdx.x == 0:
            dest[0] = write(s / used[0])

    return cross_entropy_total


# ---------------------------------------------------------------------- ops
def _used(x: CudaArray, target: CudaArray, weight: CudaArray, weighted: bool, reduction: int, ignore: int) -> CudaArray:
    """What losses are divided by, in memory: the weights used for a mean, else 1."""
    kind = np.dtype(STORAGE[x.dtype].compute)
    if reduction != 1:
        return copy.full((1,), 1, kind)
    used = empty((1,), kind)
    weights_kernel(x.dtype, weighted).launch(1, target, weight, used, x.shape[0], x.shape[1], ignore)
    return used


def _given(input: CudaArray, target: CudaArray, weight: CudaArray | None) -> tuple[CudaArray, CudaArray, CudaArray]:
    x = copy.contiguous(input)
    return x, copy.contiguous(target, np.dtype(np.int64)), x if weight is None else copy.contiguous(weight, x.dtype)


def cross_entropy_rows(
    inferred: Any, input: CudaArray, target: CudaArray, weight: CudaArray | None, reduction: int, ignore_index: int
) -> CudaArray:
    x, target, w = _given(input, target, weight)
    (rows, n), weighted = x.shape, weight is not None
    losses = empty((rows,), np.dtype(STORAGE[x.dtype].compute))
    threads = threads_for(n)
    made = losses_kernel(x.dtype, weighted, threads)
    made.launch(-(-rows * threads // BLOCK), x, target, w, losses, rows, n, ignore_index)
    if reduction == 0:
        return losses if losses.dtype == x.dtype else copy.converted(losses, x.dtype)
    dest = empty(*inferred)
    used = _used(x, target, w, weighted, reduction, ignore_index)
    total_kernel(x.dtype).launch(1, losses, used, dest, rows)
    return dest


def cross_entropy_backward(
    inferred: Any,
    grad_output: CudaArray,
    input: CudaArray,
    target: CudaArray,
    weight: CudaArray | None,
    reduction: int,
    ignore_index: int,
) -> CudaArray:
    x, target, w = _given(input, target, weight)
    dest = empty(*inferred)
    if dest.size:
        (rows, n), weighted = x.shape, weight is not None
        threads = threads_for(n)
        used = _used(x, target, w, weighted, reduction, ignore_index)
        made = gradient_kernel(x.dtype, weighted, threads)
        g, step = copy.contiguous(grad_output, x.dtype), int(reduction == 0)
        made.launch(-(-rows * threads // BLOCK), g, used, x, target, w, dest, rows, n, ignore_index, step)
    return dest


def _counted(target, *, ignored):
    return where(target == ignored, 0, 1)


def _among(target, *, ignored):
    return where(target == ignored, 0, target)


def _product(x, y):
    return x * y


COUNTED, AMONG, PRODUCT = map(Formula, (_counted, _among, _product))


def loss_weights(
    inferred: Any, input: CudaArray, target: CudaArray, weight: CudaArray | None, reduction: int, ignore_index: int
) -> CudaArray:
    """What each row's loss counts for in the result."""
    shape, dtype = inferred
    rows = pointwise.compute(COUNTED, [target], (ignore_index,), target.shape, dtype)
    if weight is not None:
        place = pointwise.compute(AMONG, [target], (ignore_index,), target.shape, np.dtype(np.int64))
        own = index_select((target.shape, dtype), copy.contiguous(weight, dtype), place, 0)
        rows = pointwise.compute(PRODUCT, [rows, own], (), target.shape, dtype)
    if reduction == 1:
        total = reduce.sum(((1,), dtype), rows, 0, True)
        rows = pointwise.compute(pointwise.QUOTIENT, [rows, total], (), target.shape, dtype)
    return copy.reshaped(rows, *shape)


FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {
    "cross_entropy_losses": lambda: losses_kernel(FLOAT, False, BLOCK),
    "cross_entropy_gradient": lambda: gradient_kernel(FLOAT, True, BLOCK),
    "cross_entropy_weights": lambda: weights_kernel(FLOAT, True),
    "cross_entropy_total": lambda: total_kernel(FLOAT),
}
