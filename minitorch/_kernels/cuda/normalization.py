"""Normalisation: of rows (layer_norm) in one kernel each way; of channels and groups by `reduce.py` and formulas.

Moments are Welford's (see `reduce.py`); mean and reciprocal deviation are kept for the gradient, as on the CPU.
"""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from minitorch._kernels.codegen import Formula
from minitorch._kernels.scalar import sqrt

from . import copy, pointwise, reduce
from .array import CudaArray, empty
from .block import BLOCK, WARP, row_sum, threads_for
from .device import (  # type: ignore[attr-defined]
    WORDS,
    advance,
    blockIdx,
    i8,
    rsqrt,
    shared_array,
    static,
    syncthreads,
    threadIdx,
    where,
)
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel

COLUMN_WARPS = 8


# ---------------------------------------------------------------------- rows
@cache
def layer_norm_kernel(dtype: np.dtype, threads: int, affine: tuple[bool, bool]) -> Kernel:
    """kernel(x, weight, bias, out, mean, rstd, rows, n, eps); `affine`: whether there are a weight and a bias.

    Three passes over a row, of which the last two find it in the cache: the mean, the squares about it, the result.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number, warps = WORDS[kind], threads // WARP
    has_weight, has_bias = affine

    @kernel(f"{code}* {code}* {code}* {code}* {kind}* {kind}* i4 i4 {kind}", block=BLOCK)
    def layer_norm(x, weight, bias, out, mean, rstd, rows, n, eps):
        scratch = shared_array(BLOCK // WARP, number)
        row = blockIdx.x * (BLOCK // threads) + threadIdx.x // threads
        lane = threadIdx.x % threads
        end = where(row < rows, n, 0)
        x_row = advance(x, i8(row) * n)
        out_row = advance(out, i8(row) * n)
        s = number(0.0)
        for j in range(lane, end, threads):
            s += read(x_row[j])
        m = row_sum(s, scratch, warps) / n
        s = number(0.0)
        for j in range(lane, end, threads):
            d = read(x_row[j]) - m
            s += d * d
        r = rsqrt(row_sum(s, scratch, warps) / n + eps)
        if row < rows:
            if lane == 0:
                mean[row] = m
                rstd[row] = r
            for j in range(lane, end, threads):
                y = (read(x_row[j]) - m) * r
                if has_weight:
                    y = y * read(weight[j])
                if has_bias:
                    y = y + read(bias[j])
                out_row[j] = write(y)

    return layer_norm


@cache
def layer_norm_gradient_kernel(dtype: np.dtype, threads: int, has_weight: bool) -> Kernel:
    """kernel(g, x, weight, mean, rstd, dx, rows, n)

    dx = rstd * (e - mean(e) - xhat * mean(e * xhat)) with e = g * weight
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number, warps = WORDS[kind], threads // WARP

    @kernel(f"{code}* {code}* {code}* {kind}* {kind}* {code}* i4 i4", block=BLOCK)
    def layer_norm_gradient(g, x, weight, mean, rstd, dx, rows, n):
        scratch = shared_array(BLOCK // WARP, number)
        row = blockIdx.x * (BLOCK // threads) + threadIdx.x // threads
        lane = threadIdx.x % threads
        end = where(row < rows, n, 0)
        start = i8(row) * n
        m = number(0.0)
        r = number(0.0)
        if row < rows:
            m = mean[row]
            r = rstd[row]
        s = number(0.0)
        t = number(0.0)
        for j in range(lane, end, threads):
            e = read(g[start + j])
            if has_weight:
                e = e * read(weight[j])
            s += e
            t += e * ((read(x[start + j]) - m) * r)
        s = row_sum(s, scratch, warps) / n
        t = row_sum(t, scratch, warps) / n
        for j in range(lane, end, threads):
            e = read(g[start + j])
            if has_weight:
                e = e * read(weight[j])
            dx[start + j] = write(r * (e - s - (read(x[start + j]) - m) * r * t))

    return layer_norm_gradient


@cache
def parameter_sums_kernel(dtype: np.dtype) -> Kernel:
    """kernel(g, x, mean, rstd, dw, db, rows, n, splits): of a part of the rows, for each column, into (splits, n).

    dw = sum of g * xhat, db = sum of g, both of the type that is computed in.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, _ = element_functions(dtype, kind)
    number = WORDS[kind]

    @kernel(f"{code}* {code}* {kind}* {kind}* {kind}* {kind}* i4 i4 i4", block=(WARP, COLUMN_WARPS))
    def layer_norm_parameter_sums(g, x, mean, rstd, dw, db, rows, n, splits):
        scratch = shared_array(2 * WARP * COLUMN_WARPS, number)
        part = blockIdx.x % splits
        j = blockIdx.x // splits * WARP + threadIdx.x
        w = number(0.0)
        b = number(0.0)
        if j < n:
            for i in range(part * COLUMN_WARPS + threadIdx.y, rows, splits * COLUMN_WARPS):
                at = i8(i) * n + j
                e = read(g[at])
                b += e
                w += e * ((read(x[at]) - mean[i]) * rstd[i])
        scratch[threadIdx.y * WARP + threadIdx.x] = w
        scratch[(COLUMN_WARPS + threadIdx.y) * WARP + threadIdx.x] = b
        syncthreads()
        if threadIdx.y == 0 and j < n:
            for k in static(1, COLUMN_WARPS):
                w += scratch[k * WARP + threadIdx.x]
                b += scratch[(COLUMN_WARPS + k) * WARP + threadIdx.x]
            dw[part * n + j] = w
            db[part * n + j] = b

    return layer_norm_parameter_sums


def layer_norm_rows(
    inferred: Any, input: CudaArray, weight: CudaArray | None, bias: CudaArray | None, dims: int, eps: float
) -> tuple[CudaArray, ...]:
    (shape, dtype), (stats, _), _ = inferred
    kind = np.dtype(STORAGE[dtype].compute)  # of the statistics, which the gradient would miss digits of
    out, mean, rstd = empty(shape, dtype), empty(stats, kind), empty(stats, kind)
    if not out.size:
        copy.fill(mean, 0)
        copy.fill(rstd, 0)
        return out, mean, rstd
    x, n = copy.contiguous(input), prod(shape[len(shape) - dims :])
    rows, threads = x.size // n, threads_for(n)
    w, b = (x if p is None else copy.contiguous(p, dtype) for p in (weight, bias))
    made = layer_norm_kernel(dtype, threads, (weight is not None, bias is not None))
    made.launch(-(-rows * threads // BLOCK), x, w, b, out, mean, rstd, rows, n, float(eps))
    return out, mean, rstd


def layer_norm_gradients(
    inferred: Any,
    g: CudaArray,
    input: CudaArray,
    weight: CudaArray | None,
    mean: CudaArray,
    rstd: CudaArray,
    dims: int,
    eps: float,
    wanted: tuple[bool, bool, bool],
) -> tuple[CudaArray | None, ...]:
    """The gradients of input, weight and bias; of the last two none if neither is wanted."""
    dtype, shape = input.dtype, input.shape[input.ndim - dims :]
    dx = empty(input.shape, dtype)
    if not dx.size:
        return dx, copy.full(shape, 0, dtype), copy.full(shape, 0, dtype)
    n, kind = prod(shape), np.dtype(STORAGE[dtype].compute)
    rows, threads = input.size // n, threads_for(n)
    x, g = (copy.contiguous(a, dtype) for a in (input, g))
    mean, rstd = (copy.contiguous(a, kind) for a in (mean, rstd))
    w = x if weight is None else copy.contiguous(weight, dtype)
    made = layer_norm_gradient_kernel(dtype, threads, weight is not None)
    made.launch(-(-rows * threads // BLOCK), g, x, w, mean, rstd, dx, rows, n)
    if not (wanted[1] or wanted[2]):
        return dx, None, None
    tiles = -(-n // WARP)
    splits = max(1, min(reduce.ENOUGH_BLOCKS // tiles, rows // (4 * COLUMN_WARPS)))
    parts = [empty((splits, n), kind) for _ in range(2)]
    parameter_sums_kernel(dtype).launch(tiles * splits, g, x, mean, rstd, *parts, rows, n, splits)
    sums = []
    for p in parts:
        total = reduce.reduce("sum", p, (0,), shape, kind) if splits > 1 else copy.reshaped(p, *shape)
        sums.append(copy.contiguous(total, dtype))
    return dx, sums[0], sums[1]


# ---------------------------------------------------------------------- channels and groups
def _normalised(x, mean, scale, offset):
    return (x - mean) * scale + offset


def _scale(w, var, *, eps):
    return w / sqrt(var + eps)


def _affine(x, scale, offset):
    return x * scale + offset


def _reciprocal_deviation(var, *, eps):
    return 1.0 / sqrt(var + eps)


def _channel_gradient(g, x, mean, r, w, total, products, *, n):
    return (g - total / n - (x - mean) * (r * r) * (products / n)) * (r * w)


NORMALISED, SCALE, AFFINE, DEVIATION, GRADIENT = map(
    Formula, (_normalised, _scale, _affine, _reciprocal_deviation, _channel_gradient)
)


def _constant(value: float) -> np.ndarray:
    return np.full((), value, np.float32)


def _per_channel(p: CudaArray | None, ndim: int, default: float) -> Any:
    return _constant(default) if p is None else copy.reshaped(p, *[-1 if i == 1 else 1 for i in range(ndim)])


def _sizes(x: CudaArray) -> tuple[int, int, int, int]:
    """What `reduce.run` is told about the channels of a contiguous (N, C, ...)."""
    n, c, period = x.shape[0], x.shape[1], prod(x.shape[2:])
    return (c, n * period, 1, period) if period > 1 else (1, n, c, 0)


def batch_norm_train(
    inferred: Any, input: CudaArray, weight: CudaArray | None, bias: CudaArray | None, eps: float
) -> tuple[CudaArray, ...]:
    (shape, dtype), (channels, _), _ = inferred
    x = copy.contiguous(input)
    mean, var = empty(channels, dtype), empty(channels, dtype)
    reduce.run("moments", [x], _sizes(x), (mean, var))
    w = _constant(1) if weight is None else weight
    scale = pointwise.compute(SCALE, [w, var], (float(eps),), channels, dtype)
    m, s, b = (_per_channel(p, x.ndim, 0) for p in (mean, scale, bias))
    return pointwise.compute(NORMALISED, [x, m, s, b], (), shape, dtype), mean, var


def batch_norm_gradients(
    inferred: Any,
    g: CudaArray,
    input: CudaArray,
    weight: CudaArray | None,
    mean: CudaArray,
    var: CudaArray,
    eps: float,
    wanted: tuple[bool, bool, bool],
) -> tuple[CudaArray | None, ...]:
    """The gradients of input, weight and bias that are wanted."""
    x, g = copy.contiguous(input), copy.contiguous(g, input.dtype)
    kind = np.dtype(STORAGE[x.dtype].compute)
    total, product = empty(mean.shape, kind), empty(mean.shape, kind)  # of g, of g * (input - mean)
    reduce.run("centred_products", [g, x], _sizes(x), (total, product), copy.contiguous(mean, kind))
    dx = dw = None
    if wanted[0]:
        r = pointwise.compute(DEVIATION, [var], (float(eps),), var.shape, kind)
        each = [_per_channel(p, input.ndim, 1) for p in (mean, r, weight, total, product)]
        n = input.size // input.shape[1]
        dx = pointwise.compute(GRADIENT, [g, input, *each], (float(n),), input.shape, input.dtype)
    if wanted[1]:
        dw = pointwise.compute(SCALE, [product, var], (float(eps),), var.shape, input.dtype)
    return dx, dw, copy.contiguous(total, g.dtype) if wanted[2] else None


def channel_affine(inferred: Any, input: CudaArray, scale: CudaArray, offset: CudaArray | None) -> CudaArray:
    """input * scale + offset, with one scale and one offset per channel."""
    shape, dtype = inferred
    each = [_per_channel(p, input.ndim, 0) for p in (scale, offset)]
    return pointwise.compute(AFFINE, [input, *each], (), shape, dtype)


def group_norm_rows(
    inferred: Any, input: CudaArray, weight: CudaArray | None, bias: CudaArray | None, groups: int, eps: float
) -> tuple[CudaArray, ...]:
    (shape, dtype), (stats, _), _ = inferred
    mean, var = empty(stats, dtype), empty(stats, dtype)
    if not input.size:
        return empty(shape, dtype), copy.full(stats, 0, dtype), copy.full(stats, 0, dtype)
    x, (samples, c) = copy.contiguous(input), shape[:2]
    reduce.run("moments", [x], (samples * groups, x.size // (samples * groups), 1, 0), (mean, var))
    rstd = pointwise.compute(DEVIATION, [var], (float(eps),), stats, dtype)
    parts = samples, groups, c // groups, prod(shape[2:])
    m, r = (copy.reshaped(a, samples, groups, 1, 1) for a in (mean, rstd))
    w, b = (None if p is None else copy.reshaped(p, 1, groups, c // groups, 1) for p in (weight, bias))
    scale = r if w is None else pointwise.compute(PRODUCT, [r, w], (), (samples, groups, c // groups, 1), dtype)
    out = pointwise.compute(
        NORMALISED, [copy.reshaped(x, *parts), m, scale, _constant(0) if b is None else b], (), parts, dtype
    )
    return copy.reshaped(out, *shape), mean, rstd


def _product(x, y):
    return x * y


PRODUCT = Formula(_product)

FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {
    "layer_norm": lambda: layer_norm_kernel(FLOAT, BLOCK, (True, True)),
    "layer_norm_gradient": lambda: layer_norm_gradient_kernel(FLOAT, BLOCK, True),
    "layer_norm_parameter_sums": lambda: parameter_sums_kernel(FLOAT),
    "channel_moments": lambda: reduce.rows_kernel("moments", (FLOAT,) * 3, "f4", "out", 4, BLOCK, False, "between"),
    "channel_products": lambda: reduce.rows_kernel(
        "centred_products", (FLOAT,) * 3, "f4", "out", 4, BLOCK, False, "between"
    ),
}
