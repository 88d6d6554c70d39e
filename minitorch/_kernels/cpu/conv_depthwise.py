"""Depthwise convolution, each channel by a filter of its own, and its gradients: LANES neighbouring outputs at a time.

A plane is copied into a larger one of zeros, from which a block loads the elements that a tap of LANES outputs takes.
The gradient of the input is a convolution of the outputs' gradient, spread by the stride, with the filter turned round.
That of the filters is summed over lanes last; lanes past a row's end multiply zeros by zeros.
"""

from functools import cache, lru_cache
from math import prod

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from minitorch._kernels.copies import copy
from minitorch._kernels.layout import channels_to_end, has_vectors_of_channels, is_channels_last

from . import threads
from .inlined import flat, smaller
from .inner import inner
from .plane_vectors import LANES, copy_line, reach, splat, taps
from .shared import BLOCKS, Rows, over_rows
from .tables import whole
from .tiles import data_of, first_lanes, load_vector, multiply_add, store_vector

WIDEST, MOST = 16, 128  # taps in a row and in a filter, each of which is a few instructions
SUMS = 25  # that are held in registers at once
SMALL = 2_048  # elements of a padded plane, two of which leave room in the first cache
BAND = 16  # rows of outputs, over which strips go: what they read stays in the first cache
MULTIPLICATIONS = 16  # with their additions, of one thread in a nanosecond
_I64 = ir.IntType(64)


def strip_of(rows, columns, stride, dilation):
    """take(x, at, down, apart, w, tap, start, out, to, wide, high, lanes): a strip of outputs, from out[to] on.

    It has `high` rows, `wide` apart, of as many sums as `lanes`: start + those over a filter of rows x columns,
    w[tap :]. The first sum begins at x[at], those of the next row `down` further, further rows of the filter `apart`.
    """

    @intrinsic
    def take(typing_context, x, at, down, apart, w, tap, start, out, to, wide, high, lanes):
        def codegen(context, builder, signature, args):
            read, weights, written = (
                builder.gep(data_of(context, builder, signature.args[k], args[k]), [args[k + 1]]) for k in (0, 4, 7)
            )
            taken = [splat(builder, builder.load(builder.gep(weights, [_I64(k)]))) for k in range(rows * columns)]
            first = splat(builder, args[6])

            def emit(mask):
                with cgutils.for_range(builder, args[10]) as loop:
                    total, corner = first, builder.gep(read, [builder.mul(loop.index, args[2])])
                    for r in range(rows):
                        row = builder.gep(corner, [builder.mul(args[3], _I64(r))])
                        for c, value in enumerate(taps(builder, row, x.dtype, columns, stride, dilation)):
                            total = multiply_add(builder, value, taken[r * columns + c], total)
                    store_vector(builder, total, written, builder.mul(loop.index, args[9]), mask)

            with builder.if_else(builder.icmp_signed("==", args[11], _I64(LANES))) as (all_lanes, some):
                with all_lanes:
                    emit(None)
                with some:
                    emit(first_lanes(builder, args[11], LANES))
            return context.get_dummy_value()

        n = types.intp
        return types.void(x, n, n, n, w, n, out.dtype, out, n, n, n, n), codegen

    return take


def products_of(rows, columns, stride, dilation):
    """take(g, first, wide, high, lanes, x, at, down, apart, sums, to): add to sums[to :] LANES sums for each tap.

    The terms are products of a strip of g, which begins at g[first] and is as `strip_of` has it, with x, from x[at] on.
    """

    @intrinsic
    def take(typing_context, g, first, wide, high, lanes, x, at, down, apart, sums, to):
        def codegen(context, builder, signature, args):
            slopes, read, kept = (
                builder.gep(data_of(context, builder, signature.args[k], args[k]), [args[k + 1]]) for k in (0, 5, 9)
            )
            places = [_I64(t * LANES) for t in range(rows * columns)]
            totals = [cgutils.alloca_once_value(builder, load_vector(builder, kept, p, LANES)) for p in places]

            def emit(mask):
                with cgutils.for_range(builder, args[3]) as loop:
                    slope = load_vector(builder, slopes, builder.mul(loop.index, args[2]), LANES, mask)
                    corner = builder.gep(read, [builder.mul(loop.index, args[7])])
                    for r in range(rows):
                        row = builder.gep(corner, [builder.mul(args[8], _I64(r))])
                        for c, value in enumerate(taps(builder, row, x.dtype, columns, stride, dilation)):
                            total = totals[r * columns + c]
                            builder.store(multiply_add(builder, slope, value, builder.load(total)), total)

            with builder.if_else(builder.icmp_signed("==", args[4], _I64(LANES))) as (all_lanes, some):
                with all_lanes:
                    emit(None)
                with some:
                    emit(first_lanes(builder, args[4], LANES))
            for total, place in zip(totals, places, strict=True):
                store_vector(builder, builder.load(total), kept, place)
            return context.get_dummy_value()

        n = types.intp
        return types.void(g, n, n, n, n, x, n, n, n, sums, n), codegen

    return take


def planes_of(rows, columns, stride, dilation):
    """The compiled loop over planes, for filters of this size, the taps of a row so far apart."""
    strip = strip_of(rows, columns, stride, dilation)

    @inner()
    def fill(x, m, sizes, padded, base):
        _, _, top, left, line, high, long, spread, spread_columns, _ = sizes
        source, height, width = flat(x), x.shape[1], x.shape[2]
        for h in range(high):
            begin, row = base + (h * spread + top) * line + left, (m * height + h) * width
            if spread_columns == 1:
                copy_line(source, row, padded, begin, long)
            else:
                for k in range(long):
                    padded[begin + k * spread_columns] = source[row + k]

    @inner()
    def planes(x, channel, w, bias, sizes, padded, out):
        down, apart, _, _, line, _, _, _, _, ahead = sizes
        weights, values, (tall, wide) = flat(w), flat(out), out.shape[1:]
        # A vector that is read from two that were just written waits for both: of small planes the next one is filled
        # before this one is read, each in its half.
        last, half = x.shape[0] - 1, padded.size // 2 * ahead
        fill(x, 0 * half, sizes, padded, 0 * half)
        for m in range(x.shape[0]):
            fill(x, smaller(m + ahead, last), sizes, padded, (m + ahead) % 2 * half)
            tap, start, at, to = channel[m] * rows * columns, bias[channel[m]], m % 2 * half, m * tall * wide
            for h in range(0, tall, BAND):
                for k in range(0, wide, LANES):
                    k = -smaller(-smaller(k, wide - LANES), 0)  # the last strip overlaps the one before
                    strip(
                        padded, at + h * down * line + k * stride, down * line, apart * line, weights, tap, start,
                        values, to + h * wide + k, wide, smaller(BAND, tall - h), smaller(wide, LANES),
                    )  # fmt: skip

    return planes


def filters_of(rows, columns, stride, dilation):
    """The compiled loop over channels, for the gradient of such filters."""
    at_once = next(n for n in range(rows, 0, -1) if rows % n == 0 and (n == 1 or n * columns <= SUMS))
    strip = products_of(at_once, columns, stride, dilation)

    @inner()
    def filters(channels, x, g, sizes, padded, sums, dw):
        down, apart, top, left, line, high, long = sizes
        source, slopes = flat(x), flat(g)
        (images, of_all), (height, width), (tall, wide) = x.shape[:2], x.shape[2:], g.shape[2:]
        for i in range(channels.size):
            c = channels[i]
            sums[:] = 0
            for n in range(images):
                plane = n * of_all + c
                for h in range(high):
                    copy_line(source, (plane * height + h) * width, padded, (h + top) * line + left, long)
                for h in range(0, tall, BAND):
                    for r in range(0, rows, at_once):
                        for k in range(0, wide, LANES):
                            strip(
                                slopes, (plane * tall + h) * wide + k, wide, smaller(BAND, tall - h),
                                smaller(LANES, wide - k), padded, (h * down + r * apart) * line + k * stride,
                                down * line, apart * line, sums, r * columns * LANES,
                            )  # fmt: skip
            for t in range(rows * columns):
                total = sums[t * LANES]
                for lane in range(1, LANES):
                    total += sums[t * LANES + lane]
                dw[i, t] = total

    return filters


@cache
def _kernel(what, rows, columns, stride, dilation):
    source = (
        f"from numba import njit\nfrom minitorch._kernels.cpu.conv_depthwise import {what}_of\n"
        f"serial = {what}_of({rows}, {columns}, {stride}, {dilation})"
    )
    return over_rows(f"depthwise_{what}_{rows}_{columns}_{stride}_{dilation}", source, *_ARRAYS[what])


# parameters of the loops, those of which a part gets its rows, those of which it has a row of its own
_ARRAYS = {
    "planes": ("x channel w bias sizes padded out", "x channel out", "padded"),
    "filters": ("channels x g sizes padded sums dw", "channels dw", "padded sums"),
}


def fits(x, w, groups, padding, stride, dilation):
    """Whether these kernels take the convolution of x (N, C, ...) with filters w, and its gradients."""
    own = groups == len(w) == x.shape[1] and w.shape[1] == 1 and x.ndim < 5
    inside = all(p <= (k - 1) * d for p, k, d in zip(padding, w.shape[2:], dilation, strict=True))
    return own and inside and w.shape[-1] <= WIDEST and prod(w.shape[2:]) <= MOST and stride[-1] <= WIDEST


def _in_plane(sizes, missing=1):
    """Sizes or steps of a plane; a line is a plane of one row."""
    return (missing,) * (2 - len(sizes)) + tuple(sizes)


@lru_cache(maxsize=64)
def _layout(inputs, outputs, filters, stride, padding, dilation, spread):
    """(steps of rows from output to output and tap to tap, corner, line, copied rows and columns).

    And how many elements the padded plane has.
    """
    used = [
        (n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(outputs, stride, filters, dilation, strict=True)
    ]  # of the padded plane
    copied = [min(n, -(-(u - p) // s)) for n, u, p, s in zip(inputs, used, padding, spread, strict=True)]
    sizes = stride[0], dilation[0], *padding, used[1], *copied
    return sizes, used[0] * used[1] + reach(filters[1], stride[1], dilation[1])


@lru_cache(maxsize=64)
def _channels(images, channels):
    """The channel of each plane; only to be read."""
    return np.arange(images * channels) % channels


def _convolve(x, w, bias, stride, padding, dilation, spread, out):
    """out[n, c] = bias[c] + the convolution of x[n, c], its elements `spread` apart, with w[c]."""
    if has_vectors_of_channels(x) and is_channels_last(out):
        _convolve_pixels(x, w, bias, stride, padding, dilation, spread, out)
        return
    source, dest, dtype = whole(x), whole(out), out.dtype
    inputs, outputs, filters = (_in_plane(a.shape[2:]) for a in (x, out, w))
    stride, dilation, spread = (_in_plane(a) for a in (stride, dilation, spread))
    sizes, length = _layout(inputs, outputs, filters, stride, _in_plane(padding, 0), dilation, spread)
    start = np.zeros(len(w), dtype) if bias is None else whole(bias)
    ahead = int(length <= SMALL)
    crew, parts = threads.share(_duration(out.size, filters), x.shape[0] * x.shape[1])
    _kernel("planes", *filters, stride[1], dilation[1])(
        crew, parts, source.reshape(-1, *inputs), _channels(x.shape[0], x.shape[1]), whole(w), start,
        (*sizes, *spread, ahead), np.zeros((parts, (1 + ahead) * length), dtype), dest.reshape(-1, *outputs),
    )  # fmt: skip
    if dest is not out:
        copy(out, dest)


@lru_cache(maxsize=256)
def _windows(inputs, outputs, taps, stride, padding, dilation, spread, step):
    """The tables of `channels_last.filtered` for a dimension; what taps are multiplied by is `step` elements apart."""
    starts, places, factors = [0], [], []
    for i in range(outputs):
        for r in range(taps):
            place, between = divmod(i * stride - padding + r * dilation, spread)
            if not between and 0 <= place < inputs:
                places.append(place)
                factors.append(r * step)
        starts.append(len(places))
    return np.array(starts), np.array(places, np.uint32), np.array(factors, np.uint32)


def _duration(outputs, filters):
    """About how many nanoseconds one thread takes for so many outputs."""
    return outputs * prod(filters) // MULTIPLICATIONS


def _convolve_pixels(x, w, bias, stride, padding, dilation, spread, out):
    """`_convolve` where channels lie beside each other, in images and results."""
    images, dest, (channels, _, *filters) = channels_to_end(x), channels_to_end(out), w.shape
    axes = zip(images.shape[1:3], dest.shape[1:3], filters, stride, padding, dilation, spread, strict=True)
    down, along = (_windows(*axis, step) for axis, step in zip(axes, (filters[1] * channels, channels), strict=True))
    taps = whole(w.reshape(channels, -1).T)
    start = np.zeros(channels, out.dtype) if bias is None else whole(bias)
    lines = dest.reshape(-1, *dest.shape[2:])
    crew, parts = threads.share(_duration(out.size, filters), len(lines))
    _filtered.in_parts(crew, parts, np.arange(len(lines)), images, *down, *along, taps, start, lines)


_filtered = Rows(
    "channels_last", "filtered", "lines x down rows row_taps along columns column_taps w bias out", "lines out"
)
_filter_sums = Rows(
    "channels_last", "filter_sums", "blocks g x down rows row_taps firsts counts columns stride room sums",
    "blocks room sums",
)  # fmt: skip


def _sum_pixels(g, x, stride, padding, dilation, dw):
    """`convolution_backward_weight` where channels lie beside each other, in images and gradients."""
    slopes, images, (channels, _, *filters) = channels_to_end(g), channels_to_end(x), dw.shape
    tall, wide = slopes.shape[1:3]
    tables = _windows(images.shape[1], tall, filters[0], stride[0], padding[0], dilation[0], 1, filters[1] * channels)
    corners = np.arange(filters[1]) * dilation[1] - padding[1]
    firsts = np.maximum(0, -(corners // stride[1]))
    ends = np.minimum(wide, (images.shape[2] - 1 - corners) // stride[1] + 1)
    lines = len(g) * tall
    edges = np.linspace(0, lines, min(lines, BLOCKS) + 1).astype(np.int64)
    blocks = np.stack([edges[:-1], edges[1:]], 1)
    sums = np.empty((len(blocks), prod(filters), channels), dw.dtype)
    crew, parts = threads.share(_duration(g.size, filters), len(blocks))
    _filter_sums.in_parts(
        crew, parts, blocks, slopes, images, *tables, firsts, ends - firsts, firsts * stride[1] + corners, stride[1],
        np.empty((len(blocks), channels), dw.dtype), sums,
    )  # fmt: skip
    dw.reshape(channels, -1)[...] = np.add.reduce(sums, 0, np.float64).T


def convolution(x, w, bias, stride, padding, dilation, out):
    """out[n, c, i, j] = bias[c] + sum over r, s of w[c, 0, r, s] * x[n, c, i', j'], named as in `conv.convolution`."""
    _convolve(x, w, bias, stride, padding, dilation, (1,) * len(stride), out)


def convolution_transpose(g, w, bias, stride, padding, dilation, out):
    """out[n, c, i', j'] = bias[c] + sum over r, s of g[n, c, i, j] * w[c, 0, r, s], named as in `conv.convolution`."""
    turned = w[(slice(None), slice(None), *[slice(None, None, -1)] * len(stride))]
    corner = tuple((k - 1) * d - p for k, d, p in zip(w.shape[2:], dilation, padding, strict=True))
    _convolve(g, turned, bias, (1,) * len(stride), corner, dilation, stride, out)


def convolution_backward_weight(g, x, stride, padding, dilation, dw):
    """dw[c, 0, r, s] = sum over n, i, j of g[n, c, i, j] * x[n, c, i', j'], named as in `conv.convolution`."""
    if has_vectors_of_channels(x) and is_channels_last(g):
        _sum_pixels(g, x, stride, padding, dilation, dw)
        return
    dest, dtype, channels = whole(dw), dw.dtype, len(dw)
    inputs, outputs, filters = (_in_plane(a.shape[2:]) for a in (x, g, dw))
    stride, dilation = _in_plane(stride), _in_plane(dilation)
    wide = outputs[0], -(-outputs[1] // LANES) * LANES
    ends = filters, stride, _in_plane(padding, 0), dilation, (1, 1)
    sizes, length = _layout(inputs, wide, *ends)
    sizes = sizes[:-1] + _layout(inputs, outputs, *ends)[0][-1:]  # what no output takes is not copied: it may be inf
    crew, parts = threads.share(_duration(g.size, filters), channels)
    _kernel("filters", *filters, stride[1], dilation[1])(
        crew, parts, _channels(1, channels), whole(x).reshape(len(x), channels, *inputs),
        whole(g).reshape(len(x), channels, *outputs), sizes, np.zeros((parts, length), dtype),
        np.empty((parts, prod(filters) * LANES), dtype), dest.reshape(channels, -1),
    )  # fmt: skip
    if dest is not dw:
        dw[...] = dest
