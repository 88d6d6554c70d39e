"""Kernels of convolution as matrix products on tensor cores, whose second operand is gathered from the image.

A row of the gathered matrix is one tap of the filter on one channel, a column one pixel of the result. A table says of
each row where its channel begins and how far the tap lies from the pixel's corner, so one kernel serves every filter,
stride, padding, dilation and channel group. With the filter's channels swapped and the taps of one phase of the stride,
it is also the gradient for the image (`conv.py`).
"""

# ruff: noqa: F405 - the words of kernels

import functools

from .device import *  # noqa: F403
from .kernel import Kernel
from .tensor_cores import copy_or_zero, engine, fetcher, sum_slices


def tap(table, t, y0, x0, height, width, valid):
    """Whether row t's tap from a corner lies in the image, and how far from its group's first element."""
    row = t if valid else 0
    y = y0 + table[3 * row + 1]
    x = x0 + table[3 * row + 2]
    inside = valid and u4(y) < u4(height) and u4(x) < u4(width)
    return inside, table[3 * row] + y * width + x


@functools.cache
def correlate(kind: str, vector: bool, tile: int) -> Kernel:
    """out[image, channel, p, q] = bias[channel] + sum over rows t of w[channel, t] * x[image, tap t from p, q].

    `m` channels of a group by `n` pixels of all images by `k` rows; blockIdx.z is the group. Pixel (p, q) of `wide`
    columns and `high` rows has its corner at (p * down + top, q * right + left) of x, which has `height` rows of
    `width`. `vector`: the filter can be moved in 16 bytes.
    """
    e = engine(kind, True, False, tile)
    fetch = fetcher(e, vector)
    passes = tile * e.depth // e.threads

    def gather(s, start, x, table, y0, x0, height, width, valid, first, k):
        """One slice: this thread's pixel, every `threads / tile`-th row."""
        for i in static(passes):
            row = threadIdx.x // tile + i * (e.threads // tile)
            inside, at = tap(table, first + row, y0, x0, height, width, valid and first + row < k)
            copy_or_zero(s, start + row * e.row_b + threadIdx.x % tile, x, at, inside, e.size)

    def bring(s, start, number, at, rows, x, table, y0, x0, height, width, valid, k):
        first = number * e.depth
        fetch(s, start, at[0], k, rows, k - first, True, e.row_a)
        gather(s, start + e.size_a, x, table, y0, x0, height, width, valid, first, k)
        at[0] = advance(at[0], e.depth)

    def correlate(
        m, n, k, w, x, image, group, height, width, table, high, wide, down, right, top, left,
        out, out_image, out_channel, out_row, out_column, bias, biased,
    ):  # fmt: skip
        s = dynamic_shared(0, e.word)
        first_row = blockIdx.y * tile
        first_column = blockIdx.x * tile
        at = regs(1)
        at[0] = advance(w, (i8(blockIdx.z) * m + first_row) * k)
        pixel = first_column + threadIdx.x % tile
        valid = pixel < n
        here = pixel if valid else 0
        in_image = here // (high * wide)
        p = here % (high * wide) // wide
        q = here % wide
        x = advance(x, i8(in_image) * image + blockIdx.z * group)
        y0 = p * down + top
        x0 = q * right + left
        sums = regs(e.rows, 4, 4, fill=0.0)
        part = regs(e.rows, 4, 4, fill=0.0)
        slices = (k + e.depth - 1) // e.depth
        sum_slices(e, s, slices, sums, part, bring, (at, m - first_row, x, table, y0, x0, height, width, valid, k))
        for j in static(4):
            for h in static(2):
                _, column = e.to_place(0, 0, j, h)
                place = first_column + column
                if place < n:
                    to = advance(out, i8(place // (high * wide)) * out_image)
                    at = place % (high * wide) // wide * out_row + place % wide * out_column
                    for i in static(e.rows):
                        for q in static(2):
                            row, _ = e.to_place(i, q, j, h)
                            if first_row + row < m:
                                channel = blockIdx.z * m + first_row + row
                                value = sums[i, j, 2 * q + h]
                                if biased != 0:
                                    value += e.widen(bias[channel])
                                to[channel * out_channel + at] = e.narrow(value)

    c = e.code
    types = f"i4 i4 i4 {c}* {c}* i8 i8 i4 i4 i4* i4 i4 i4 i4 i4 i4 {c}* i8 i4 i4 i4 {c}* i4"
    name = f"correlate_{kind}_{tile}{'v' if vector else ''}"
    options = dict(shared=e.shared, blocks_per_sm=e.resident, tensor_cores=True, name=name)
    return Kernel(correlate, types, e.threads, **options)


@functools.cache
def correlate_weights(kind: str, tile: int) -> Kernel:
    """out[part, group, channel, t] = sum over pixels of g[image, channel, pixel] * x[image, tap t from the pixel].

    blockIdx.z is group * parts + part: each part takes `chunk` of all pixels. Names as in `correlate`, whose sums over
    rows are over pixels here. Sums leave as float32.
    """
    e = engine(kind, True, True, tile)
    passes = tile * e.depth // e.threads
    step = e.threads // e.depth  # rows of a slice that are brought at once

    def bring(
        s, start, number, g, g_image, x, image, height, width, table, high, wide, down, right, top, left,
        at, end, first_row, m, first_column, n,
    ):  # fmt: skip
        """One slice of both operands: this thread's pixel, every `step`-th row."""
        pixel = at[0]
        at[0] += e.depth
        valid = pixel < end
        here = pixel if valid else 0
        area = high * wide
        in_image = here // area
        place = here - in_image * area
        y0 = place // wide * down + top
        x0 = place % wide * right + left
        g_here = advance(g, i8(in_image) * g_image)
        x_here = advance(x, i8(in_image) * image)
        d = threadIdx.x % e.depth
        for i in static(passes):
            row = threadIdx.x // e.depth + i * step
            c = first_row + row
            copy_or_zero(s, start + row * e.row_a + d, g_here, c * area + place, valid and c < m, e.size)
        for i in static(passes):
            row = threadIdx.x // e.depth + i * step
            t = first_column + row
            inside, to = tap(table, t, y0, x0, height, width, valid and t < n)
            copy_or_zero(s, start + e.size_a + row * e.row_b + d, x_here, to, inside, e.size)

    def correlate_weights(
        m, n, pixels, chunk, parts, g, g_image, g_group, x, image, group, height, width, table, high, wide,
        down, right, top, left, out,
    ):  # fmt: skip
        s = dynamic_shared(0, e.word)
        first_row = blockIdx.y * tile
        first_column = blockIdx.x * tile
        number_of_group = blockIdx.z // parts
        pixel = blockIdx.z % parts * chunk
        end = min(pixel + chunk, pixels)
        slices = (end - pixel + e.depth - 1) // e.depth
        at = regs(1)
        at[0] = pixel + threadIdx.x % e.depth
        g = advance(g, number_of_group * g_group)
        x = advance(x, number_of_group * group)
        sums = regs(e.rows, 4, 4, fill=0.0)
        part = regs(e.rows, 4, 4, fill=0.0)
        sum_slices(e, s, slices, sums, part, bring, (
            g, g_image, x, image, height, width, table, high, wide, down, right, top, left,
            at, end, first_row, m, first_column, n,
        ))  # fmt: skip
        to = advance(out, (i8(blockIdx.z % parts) * (gridDim.z // parts) + number_of_group) * m * n)
        for i in static(e.rows):
            for q in static(2):
                for j in static(4):
                    for h in static(2):
                        row, column = e.to_place(i, q, j, h)
                        if first_row + row < m and first_column + column < n:
                            to[(first_row + row) * n + first_column + column] = sums[i, j, 2 * q + h]

    c = e.code
    types = f"i4 i4 i4 i4 i4 {c}* i8 i8 {c}* i8 i8 i4 i4 i4* i4 i4 i4 i4 i4 i4 f4*"
    options = dict(shared=e.shared, blocks_per_sm=e.resident, tensor_cores=True)
    return Kernel(correlate_weights, types, e.threads, name=f"correlate_weights_{kind}_{tile}", **options)


REPRESENTATIVE = {
    **{f"correlate {row}": functools.partial(correlate, *row) for row in (
        ("tf32", True, 128), ("tf32", False, 64), ("tf32x3", True, 64), ("bf16", True, 128), ("f16", False, 64))},
    **{f"correlate_weights {row}": functools.partial(correlate_weights, *row) for row in (
        ("tf32", 128), ("tf32x3", 64), ("bf16", 64))},
}  # fmt: skip
"""What the tests compile of the templates above."""
