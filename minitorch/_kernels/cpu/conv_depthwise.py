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

from . import threads
from .inlined import flat
from .inner import inner
from .plane_vectors import LANES, copy_line, reach, splat, taps
from .shared import over_rows
from .tables import whole
from .tiles import data_of

WIDEST = 16  # taps in a row, each of which is a few instructions
MULTIPLICATIONS = 16  # with their additions, of one thread in a nanosecond
_I64 = ir.IntType(64)


def _multiply_add(builder, x, y, z):
    """x * y + z of vectors, with one rounding where the processor can."""
    name = f"llvm.fmuladd.v{LANES}f{32 if isinstance(x.type.element, ir.FloatType) else 64}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(x.type, [x.type] * 3), name)
    return builder.call(function, [x, y, z])


def block_of(columns, stride, dilation):
    """take(x, at, step, rows, w, tap, start, out, to): out[to :] = start + LANES sums over a filter of rows x columns.

    The filter is w[tap :]; the first sum begins at x[at], each further row of the filter `step` further.
    """

    @intrinsic
    def take(typing_context, x, at, step, rows, w, tap, start, out, to):
        def codegen(context, builder, signature, args):
            read, weights, written = (data_of(context, builder, signature.args[k], args[k]) for k in (0, 4, 7))
            total = cgutils.alloca_once_value(builder, splat(builder, args[6]))
            with cgutils.for_range(builder, args[3]) as loop:
                begin = builder.gep(read, [builder.add(args[1], builder.mul(args[2], loop.index))])
                first = builder.gep(weights, [builder.add(args[5], builder.mul(loop.index, _I64(columns)))])
                for column, value in enumerate(taps(builder, begin, x.dtype, columns, stride, dilation)):
                    weight = splat(builder, builder.load(builder.gep(first, [_I64(column)])))
                    builder.store(_multiply_add(builder, value, weight, builder.load(total)), total)
            found = builder.load(total)
            pointer = builder.bitcast(builder.gep(written, [args[8]]), found.type.as_pointer())
            builder.store(found, pointer, align=out.dtype.bitwidth // 8)
            return context.get_dummy_value()

        return types.void(x, *[types.intp] * 3, w, types.intp, out.dtype, out, types.intp), codegen

    return take


def products_of(columns, stride, dilation):
    """take(g, x, at, count, sums, to): add to sums[to :] for each tap of a row the products with g, LANES sums each.

    Of `count` blocks of LANES outputs, side by side in g from its beginning on, whose first tap is at x[at].
    """

    @intrinsic
    def take(typing_context, g, x, at, count, sums, to):
        def codegen(context, builder, signature, args):
            gradient, read, kept = (data_of(context, builder, signature.args[k], args[k]) for k in (0, 1, 4))
            vector, align = ir.VectorType(gradient.type.pointee, LANES), g.dtype.bitwidth // 8
            kept = builder.gep(kept, [args[5]])
            places = [builder.gep(kept, [_I64(t * LANES)]) for t in range(columns)]
            places = [builder.bitcast(place, vector.as_pointer()) for place in places]
            totals = [cgutils.alloca_once_value(builder, builder.load(p, align=align)) for p in places]
            with cgutils.for_range(builder, args[3]) as loop:
                here = builder.gep(gradient, [builder.mul(loop.index, _I64(LANES))])
                slope = builder.load(builder.bitcast(here, vector.as_pointer()), align=align)
                begin = builder.gep(read, [builder.add(args[2], builder.mul(loop.index, _I64(LANES * stride)))])
                for total, value in zip(totals, taps(builder, begin, x.dtype, columns, stride, dilation), strict=True):
                    builder.store(_multiply_add(builder, slope, value, builder.load(total)), total)
            for total, place in zip(totals, places, strict=True):
                builder.store(builder.load(total), place, align=align)
            return context.get_dummy_value()

        return types.void(g, x, types.intp, types.intp, sums, types.intp), codegen

    return take


def planes_of(columns, stride, dilation):
    """The compiled loop over planes, for filters of so many columns, so far apart."""
    block = block_of(columns, stride, dilation)

    @inner()
    def planes(x, channel, w, bias, sizes, padded, out):
        rows, down, apart, top, left, line, high, long, spread, spread_columns = sizes
        wide, weights, values, to = out.shape[2], flat(w), flat(out), 0 * rows
        source, height, width = flat(x), x.shape[1], x.shape[2]
        last_to = values.size - LANES
        for m in range(x.shape[0]):
            for h in range(high):
                begin, row = (h * spread + top) * line + left, (m * height + h) * width
                if spread_columns == 1:
                    copy_line(source, row, padded, begin, long)
                else:
                    for k in range(long):
                        padded[begin + k * spread_columns] = source[row + k]
            tap, start = channel[m] * rows * columns, bias[channel[m]]
            for i in range(out.shape[1]):
                end, at = to + wide, i * down * line
                while to < end:
                    if to <= last_to:
                        block(padded, at, apart * line, rows, weights, tap, start, values, to)
                        at, to = at + LANES * stride, to + LANES
                        continue
                    total = start
                    for r in range(rows):
                        for t in range(columns):
                            total += weights[tap + r * columns + t] * padded[at + r * apart * line + t * dilation]
                    values[to] = total
                    at, to = at + stride, to + 1
                to = end

    return planes


def filters_of(columns, stride, dilation):
    """The compiled loop over channels, for the gradient of such filters."""
    block = products_of(columns, stride, dilation)

    @inner()
    def filters(channels, x, g, sizes, padded, gradient, sums, dw):
        rows, down, apart, top, left, line, high, long, blocks = sizes
        source, slopes = flat(x), flat(g)
        (images, of_all), (height, width), (tall, wide) = x.shape[:2], x.shape[2:], g.shape[2:]
        for i in range(channels.size):
            c = channels[i]
            sums[:] = 0
            for n in range(images):
                plane = n * of_all + c
                for h in range(high):
                    copy_line(source, (plane * height + h) * width, padded, (h + top) * line + left, long)
                for h in range(tall):
                    copy_line(slopes, (plane * tall + h) * wide, gradient, 0 * h, wide)
                    for r in range(rows):
                        block(gradient, padded, (h * down + r * apart) * line, blocks, sums, r * columns * LANES)
            for t in range(rows * columns):
                total = sums[t * LANES]
                for lane in range(1, LANES):
                    total += sums[t * LANES + lane]
                dw[i, t] = total

    return filters


@cache
def _kernel(what, columns, stride, dilation):
    source = (
        f"from numba import njit\nfrom minitorch._kernels.cpu.conv_depthwise import {what}_of\n"
        f"serial = {what}_of({columns}, {stride}, {dilation})"
    )
    return over_rows(f"depthwise_{what}_{columns}_{stride}_{dilation}", source, *_ARRAYS[what])


# parameters of the loops, those of which a part gets its rows, those of which it has a row of its own
_ARRAYS = {
    "planes": ("x channel w bias sizes padded out", "x channel out", "padded"),
    "filters": ("channels x g sizes padded gradient sums dw", "channels dw", "padded gradient sums"),
}


def fits(x, w, groups, padding, stride, dilation):
    """Whether these kernels take the convolution of x (N, C, ...) with filters w, and its gradients."""
    own = groups == len(w) == x.shape[1] and w.shape[1] == 1 and x.ndim < 5
    inside = all(p <= (k - 1) * d for p, k, d in zip(padding, w.shape[2:], dilation, strict=True))
    return own and inside and w.shape[-1] <= WIDEST and stride[-1] <= WIDEST


def _in_plane(sizes, missing=1):
    """Sizes or steps of a plane; a line is a plane of one row."""
    return (missing,) * (2 - len(sizes)) + tuple(sizes)


@lru_cache(maxsize=64)
def _layout(inputs, outputs, filters, stride, padding, dilation, spread):
    """(rows of the filter, steps from output to output and tap to tap, corner, line, copied rows and columns).

    And how many elements the padded plane has.
    """
    used = [
        (n - 1) * s + (k - 1) * d + 1 for n, s, k, d in zip(outputs, stride, filters, dilation, strict=True)
    ]  # of the padded plane
    copied = [min(n, -(-(u - p) // s)) for n, u, p, s in zip(inputs, used, padding, spread, strict=True)]
    sizes = filters[0], stride[0], dilation[0], *padding, used[1], *copied
    return sizes, used[0] * used[1] + reach(filters[1], stride[1], dilation[1])


def _convolve(x, w, bias, stride, padding, dilation, spread, out):
    """out[n, c] = bias[c] + the convolution of x[n, c], its elements `spread` apart, with w[c]."""
    source, dest, dtype = whole(x), whole(out), out.dtype
    inputs, outputs, filters = (_in_plane(a.shape[2:]) for a in (x, out, w))
    stride, dilation, spread = (_in_plane(a) for a in (stride, dilation, spread))
    sizes, length = _layout(inputs, outputs, filters, stride, _in_plane(padding, 0), dilation, spread)
    start = np.zeros(len(w), dtype) if bias is None else whole(bias)
    crew, parts = threads.share(out.size * prod(filters) // MULTIPLICATIONS, x.shape[0] * x.shape[1])
    _kernel("planes", filters[1], stride[1], dilation[1])(
        crew, parts, source.reshape(-1, *inputs), np.arange(x.shape[0] * x.shape[1]) % x.shape[1], whole(w), start,
        (*sizes, *spread), np.zeros((parts, length), dtype), dest.reshape(-1, *outputs),
    )  # fmt: skip
    if dest is not out:
        out[...] = dest


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
    dest, dtype, channels = whole(dw), dw.dtype, len(dw)
    inputs, outputs, filters = (_in_plane(a.shape[2:]) for a in (x, g, dw))
    stride, dilation = _in_plane(stride), _in_plane(dilation)
    blocks = -(-outputs[1] // LANES)
    wide = outputs[0], blocks * LANES
    ends = filters, stride, _in_plane(padding, 0), dilation, (1, 1)
    sizes, length = _layout(inputs, wide, *ends)
    sizes = sizes[:-1] + _layout(inputs, outputs, *ends)[0][-1:]  # what no output takes is not copied: it may be inf
    crew, parts = threads.share(g.size * prod(filters) // MULTIPLICATIONS, channels)
    _kernel("filters", filters[1], stride[1], dilation[1])(
        crew, parts, np.arange(channels), whole(x).reshape(len(x), channels, *inputs),
        whole(g).reshape(len(x), channels, *outputs), (*sizes, blocks), np.zeros((parts, length), dtype),
        np.zeros((parts, wide[1]), dtype), np.empty((parts, prod(filters) * LANES), dtype), dest.reshape(channels, -1),
    )  # fmt: skip
    if dest is not dw:
        dw[...] = dest
