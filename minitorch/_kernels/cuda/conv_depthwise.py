"""Depthwise convolution on a GPU, each channel by a filter of its own, and its gradients.

A product of matrices would have one row for each group. Here a thread has STRIP outputs below each other and reads
every element that they share once; threads side by side read elements side by side. The gradient of the input is a
convolution of the outputs' gradient, spread by the stride, with the filter turned round. float32 is exact: no tf32.
"""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from minitorch._kernels.half import BFLOAT16, FLOAT16

from . import gemm
from .array import CudaArray
from .block import BLOCK, WARP, row_sum
from .device import (  # type: ignore[attr-defined]
    WORDS,
    advance,
    blockIdx,
    fma,
    i8,
    regs,
    shared_array,
    static,
    threadIdx,
    u4,
    where,
)
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel

FLOATS = (np.dtype(np.float32), np.dtype(np.float64), BFLOAT16, FLOAT16)
STRIP = 4
MOST_TAPS = 49  # of a filter, which a thread has in registers
CHUNK = 2048  # strips at least to a part of a filter's gradient


def fits(x: CudaArray, filters: tuple[int, ...], groups: int) -> bool:
    """Whether these kernels take the convolution of x (N, C, ...) with filters of this shape."""
    own = groups == filters[0] == x.shape[1] and filters[1] == 1 and x.ndim < 5
    return own and 0 < prod(filters[2:]) <= MOST_TAPS and x.size > 0 and x.dtype in FLOATS


def strip_of(at, wide, high):
    """(plane, first row, column) of a strip, counted along rows."""
    rest = at // wide
    strips = (high + (STRIP - 1)) // STRIP
    plane = rest // strips
    return plane, (rest - plane * strips) * STRIP, at - rest * wide


def element(source, y, x, height, width, spread_y, spread_x, read):
    """An element of a plane spread by so many rows and columns; 0 between them and outside."""
    row = y
    column = x
    inside = u4(y) < u4(height * spread_y) and u4(x) < u4(width * spread_x)
    if spread_y > 1:
        row = y // spread_y
        inside = inside and row * spread_y == y
    if spread_x > 1:
        column = x // spread_x
        inside = inside and column * spread_x == x
    value = read(source[where(inside, row * width + column, 0)])
    return where(inside, value, 0.0)


@cache
def planes_kernel(
    dtype: np.dtype, rows: int, columns: int, down: int, apart: int, spread: tuple[int, int], turned: bool
) -> Kernel:
    """kernel(x, w, bias, out, count, channels, sizes of both planes, step and distance of columns, corner, biased).

    Filters of rows x columns whose rows lie `apart`, for outputs `down` rows from each other; `turned`: the filter is
    read from its end. `count` strips of all planes.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    taps, reach = rows * columns, (STRIP - 1) * down + (rows - 1) * apart + 1
    spread_y, spread_x = spread

    @kernel(f"{code}* {code}* {code}* {code}*{' i4' * 11}", block=BLOCK)
    def depthwise(x, w, bias, out, count, channels, height, width, high, wide, right, beside, top, left, biased):
        at = blockIdx.x * BLOCK + threadIdx.x
        if at < count:
            plane, first, column = strip_of(at, wide, high)
            channel = plane % channels
            weights = regs(taps)
            for t in static(taps):
                if turned:
                    weights[t] = read(w[channel * taps + (taps - 1 - t)])
                else:
                    weights[t] = read(w[channel * taps + t])
            total = regs(STRIP, fill=0.0)
            source = advance(x, i8(plane) * height * width)
            for j in static(reach):
                for s in static(columns):
                    if needed(j, down, apart, rows):
                        y = first * down - top + j
                        value = element(
                            source, y, column * right - left + s * beside, height, width, spread_y, spread_x, read
                        )
                        for i in static(STRIP):
                            for r in static(rows):
                                if i * down + r * apart == j:
                                    total[i] = fma(value, weights[r * columns + s], total[i])
            dest = advance(out, i8(plane) * high * wide)
            for i in static(STRIP):
                if first + i < high:
                    value = total[i]
                    if biased != 0:
                        value += read(bias[channel])
                    dest[(first + i) * wide + column] = write(value)

    return depthwise


def needed(j, down, apart, rows):
    """Whether row j, counted from the first that a strip takes, is one of its rows."""
    found = 0
    for i in static(STRIP):
        for r in static(rows):
            if i * down + r * apart == j:
                found = 1
    return found == 1


def add_products(sums, own, strip, source, y0, x0, height, width, beside, rows, columns, down, apart, read):
    """Add to each tap's sum the products of a strip's gradients with the elements that the tap takes."""
    for j in static((strip - 1) * down + (rows - 1) * apart + 1):
        for s in static(columns):
            if needed(j, down, apart, rows):
                value = element(source, y0 + j, x0 + s * beside, height, width, 1, 1, read)
                for i in static(strip):
                    for r in static(rows):
                        if i * down + r * apart == j:
                            sums[r * columns + s] = fma(value, own[i], sums[r * columns + s])


@cache
def filters_kernel(dtype: np.dtype, rows: int, columns: int, down: int, apart: int) -> Kernel:
    """kernel(x, g, sums, strips, chunk, channels, sizes of both planes, step and distance of columns, corner).

    sums[part, channel, tap]; blockIdx.y is the part, which takes `chunk` of all strips of a channel.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, number, taps = element_functions(dtype, kind)[0], WORDS[kind], rows * columns

    @kernel(f"{code}* {code}* {kind}*{' i4' * 11}", block=BLOCK)
    def depthwise_filters(
        x, g, sums, strips, chunk, channels, height, width, high, wide, right, beside, top, left
    ):  # fmt: skip
        scratch = shared_array(BLOCK // WARP, number)
        channel = blockIdx.x
        total = regs(taps, fill=0.0)
        for at in range(blockIdx.y * chunk + threadIdx.x, min(strips, (blockIdx.y + 1) * chunk), BLOCK):
            image, first, column = strip_of(at, wide, high)
            plane = i8(image) * channels + channel
            source = advance(x, plane * height * width)
            slopes = advance(g, plane * high * wide)
            x0 = column * right - left
            own = regs(STRIP)
            if first + STRIP <= high:
                for i in static(STRIP):
                    own[i] = read(slopes[(first + i) * wide + column])
                y0 = first * down - top
                add_products(total, own, STRIP, source, y0, x0, height, width, beside, rows, columns, down, apart, read)
            else:  # row by row: what a missing row would multiply by 0 may be infinite
                for row in range(first, high):
                    own[0] = read(slopes[row * wide + column])
                    y0 = row * down - top
                    add_products(total, own, 1, source, y0, x0, height, width, beside, rows, columns, down, apart, read)
        for t in static(taps):
            whole = row_sum(total[t], scratch, BLOCK // WARP)
            if threadIdx.x == 0:
                sums[(i8(blockIdx.y) * channels + channel) * taps + t] = whole

    return depthwise_filters


# ---------------------------------------------------------------------- launches
def convolve(
    x: CudaArray, w: CudaArray, bias: CudaArray | None, out: CudaArray, stride: Any, corner: Any, dilation: Any,
    spread: Any, turned: bool,
) -> None:  # fmt: skip
    """out[n, c] = bias[c] + the convolution of x[n, c], its elements `spread` apart, with w[c]: planes all."""
    high, wide = out.shape[2:]
    count = x.shape[0] * x.shape[1] * -(-high // STRIP) * wide
    made = planes_kernel(x.dtype, *w.shape[2:], stride[0], dilation[0], tuple(spread), turned)
    made.launch(
        -(-count // BLOCK), x, w, bias, out, count, x.shape[1], *x.shape[2:], high, wide, stride[1], dilation[1],
        *corner, int(bias is not None),
    )  # fmt: skip


def backward_weight(
    g: CudaArray, x: CudaArray, dw: CudaArray, filters: Any, stride: Any, padding: Any, dilation: Any
) -> CudaArray:
    """dw[c, 0, r, s] = sum over n, i, j of g[n, c, i, j] * x[n, c, i', j'], for planes g and x and such filters."""
    channels, (high, wide) = x.shape[1], g.shape[2:]
    strips = x.shape[0] * -(-high // STRIP) * wide
    parts = max(1, min(4 * gemm.multiprocessors() // channels, strips // CHUNK))
    chunk = -(-strips // parts)
    parts = -(-strips // chunk)
    sums = gemm.room_for_parts(parts, dw, np.dtype(STORAGE[x.dtype].compute))
    filters_kernel(x.dtype, *filters, stride[0], dilation[0]).launch(
        (channels, parts), x, g, sums, strips, chunk, channels, *x.shape[2:], high, wide, stride[1], dilation[1],
        *padding,
    )  # fmt: skip
    return gemm.parts_added(sums, dw)


FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {
    "depthwise": lambda: planes_kernel(FLOAT, 3, 3, 1, 1, (1, 1), False),
    "depthwise_large": lambda: planes_kernel(FLOAT, 7, 7, 1, 1, (1, 1), False),
    "depthwise_spread": lambda: planes_kernel(FLOAT, 3, 3, 1, 1, (2, 2), True),
    "depthwise_filters": lambda: filters_kernel(FLOAT, 3, 3, 1, 1),
    "depthwise_filters_large": lambda: filters_kernel(FLOAT, 7, 7, 1, 1),
}
