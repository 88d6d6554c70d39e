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
from .tensor_cores import STAGES, engine, fetcher


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
            inside = valid and first + row < k
            t = first + row if inside else 0
            y = y0 + table[3 * t + 1]
            z = x0 + table[3 * t + 2]
            inside = inside and u4(y) < u4(height) and u4(z) < u4(width)
            at = table[3 * t] + y * width + z if inside else 0
            to = start + row * e.row_b + threadIdx.x % tile
            if e.size == 4:
                cp_async_fill(s, to, x, at, 4, inside)
            else:
                s[to] = x[at] if inside else 0

    def correlate(
        m, n, k, w, x, image, group, height, width, table, high, wide, down, right, top, left,
        out, out_image, out_channel, out_row, out_column, bias, biased,
    ):  # fmt: skip
        s = dynamic_shared(0, e.word)
        first_row = blockIdx.y * tile
        first_column = blockIdx.x * tile
        w = advance(w, (i8(blockIdx.z) * m + first_row) * k)
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
        for ahead in static(STAGES - 1):
            start = ahead * e.stage
            fetch(s, start, w, k, m - first_row, k - ahead * e.depth, True, e.row_a)
            gather(s, start + e.size_a, x, table, y0, x0, height, width, valid, ahead * e.depth, k)
            cp_async_commit()
            w = advance(w, e.depth)
        slices = (k + e.depth - 1) // e.depth
        for number in range(slices):
            cp_async_wait(STAGES - 2)
            syncthreads()
            e.consume(s, number, slices, sums, part)
            coming = number + STAGES - 1
            if coming < slices:
                start = coming % STAGES * e.stage
                fetch(s, start, w, k, m - first_row, k - coming * e.depth, True, e.row_a)
                gather(s, start + e.size_a, x, table, y0, x0, height, width, valid, coming * e.depth, k)
                w = advance(w, e.depth)
            cp_async_commit()
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
    options = dict(shared=e.shared, blocks_per_sm=1, tensor_cores=True, name=name)
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

    def bring(s, start, g, x, table, sizes, first_row, first_column, pixel, end):
        """One slice of both operands: this thread's pixel, every `step`-th row."""
        m, n, g_image, image, height, width, high, wide, down, right, top, left = sizes
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
            inside = valid and first_row + row < m
            at = (first_row + row) * area + place if inside else 0
            to = start + row * e.row_a + d
            if e.size == 4:
                cp_async_fill(s, to, g_here, at, 4, inside)
            else:
                s[to] = g_here[at] if inside else 0
        for i in static(passes):
            row = threadIdx.x // e.depth + i * step
            inside = valid and first_column + row < n
            t = first_column + row if inside else 0
            y = y0 + table[3 * t + 1]
            z = x0 + table[3 * t + 2]
            inside = inside and u4(y) < u4(height) and u4(z) < u4(width)
            at = table[3 * t] + y * width + z if inside else 0
            to = start + e.size_a + row * e.row_b + d
            if e.size == 4:
                cp_async_fill(s, to, x_here, at, 4, inside)
            else:
                s[to] = x_here[at] if inside else 0

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
        pixel += threadIdx.x % e.depth
        g = advance(g, number_of_group * g_group)
        x = advance(x, number_of_group * group)
        sizes = m, n, g_image, image, height, width, high, wide, down, right, top, left
        sums = regs(e.rows, 4, 4, fill=0.0)
        part = regs(e.rows, 4, 4, fill=0.0)
        for ahead in static(STAGES - 1):
            bring(s, ahead * e.stage, g, x, table, sizes, first_row, first_column, pixel, end)
            cp_async_commit()
            pixel += e.depth
        for number in range(slices):
            cp_async_wait(STAGES - 2)
            syncthreads()
            e.consume(s, number, slices, sums, part)
            coming = number + STAGES - 1
            if coming < slices:
                bring(s, coming % STAGES * e.stage, g, x, table, sizes, first_row, first_column, pixel, end)
                pixel += e.depth
            cp_async_commit()
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
    options = dict(shared=e.shared, blocks_per_sm=1, tensor_cores=True, name=f"correlate_weights_{kind}_{tile}")
    return Kernel(correlate_weights, types, e.threads, **options)


REPRESENTATIVE = {
    **{f"correlate {row}": functools.partial(correlate, *row) for row in (
        ("tf32", True, 128), ("tf32", False, 64), ("tf32x3", True, 64), ("bf16", True, 128), ("f16", False, 64))},
    **{f"correlate_weights {row}": functools.partial(correlate_weights, *row) for row in (
        ("tf32", 128), ("tf32x3", 64), ("bf16", 64))},
}  # fmt: skip
"""What the tests compile of the templates above."""
