"""Pooling, resizing and filters of one channel, of images whose channels lie beside each other (N, H, W, C).

They go a vector of channels at a time.

An image has channels for a vector at least, and less than 2**31 pixels. What whole vectors leave is taken by one that
overlaps the one before it. `lines[r]` says which line of all images' results the r-th line of `out` is.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from .pool_planes import wins
from .tiles import WIDE, data_of, index, lanes_of, load_tile, repeated, splat, store_tile, sums_with

_I32 = ir.IntType(32)
MANY = 4  # vectors at a time


def _by_vectors(builder, channels, size, emit):
    """emit(c, many) in a loop over the channels, for `many` vectors from c on: MANY if there are so many, else one."""

    def loop(many):
        last = builder.sub(channels, WIDE(many * size))
        with cgutils.for_range_slice(builder, WIDE(0), channels, WIDE(many * size)) as (c, _):
            emit(builder.select(builder.icmp_signed("<", c, last), c, last), many)

    with builder.if_else(builder.icmp_signed("<", channels, WIDE(MANY * size))) as (few, enough):
        with few:
            loop(1)
        with enough:
            loop(MANY)


@intrinsic
def _weighted_sum(
    typingctx, x, at, line, channels, rows, row_weights, t, tall, columns, column_weights, s, long, dest, to
):
    """dest[to + c] = the sum of row_weights[q] * column_weights[p] * x[at + rows[q] * line + columns[p] * channels + c]

    Over q from t on, of which there are `tall`, and p from s on, `long` of them: one of each at least.
    """
    place = types.intp
    tables = (rows, row_weights, place, place, columns, column_weights, place, place)

    def codegen(context, builder, signature, args):
        read, rows, row_weights, columns, column_weights, dest = (
            data_of(context, builder, signature.args[k], args[k]) for k in (0, 4, 5, 8, 9, 12)
        )
        _, at, line, channels, _, _, t, tall, _, _, s, long, _, to = args
        size = lanes_of(read)
        nothing = splat(builder, read.type.pointee(-0.0), size)  # what a sum may begin with and keep the sign of zero

        def emit(c, many):
            def row_of(q, totals):
                q = builder.add(t, q)
                begin = builder.add(builder.add(at, c), builder.mul(index(builder, rows, q), line))
                weight = builder.load(builder.gep(row_weights, [q]))

                def pixel_of(p, totals):
                    p = builder.add(s, p)
                    there = builder.add(begin, builder.mul(index(builder, columns, p), channels))
                    factor = builder.fmul(weight, builder.load(builder.gep(column_weights, [p])))
                    (values,) = load_tile(builder, read, [there], many)
                    return sums_with(builder, [(splat(builder, factor, size), value) for value in values], totals)

                return repeated(builder, long, totals, pixel_of)

            store_tile(builder, [repeated(builder, tall, [nothing] * many, row_of)], dest, [builder.add(to, c)])

        _by_vectors(builder, channels, size, emit)
        return context.get_dummy_value()

    return types.void(x, place, place, place, *tables, dest, place), codegen


@njit(cache=True, nogil=True, error_model="numpy")
def resample(lines, x, down, rows, down_weights, along, columns, along_weights, out):
    """Weighted sums along both dimensions: x (N, H, W, C) to lines (R, OW, C).

    Output i of a dimension is the sum over q from starts[i] to starts[i + 1] of weights[q] * x[index[q]], where
    `down` and `along` are such starts, `rows` and `columns` such indices.
    """
    height, channels, zero = down.size - 1, x.shape[3], x.dtype.type(0)
    line = x.shape[2] * channels
    source, dest, to = x.reshape(-1), out.reshape(-1), 0
    for r in range(out.shape[0]):
        at, i = lines[r] // height * x.shape[1] * line, lines[r] % height
        t, tall = down[i], down[i + 1] - down[i]
        for j in range(out.shape[1]):
            s, long = along[j], along[j + 1] - along[j]
            if tall > 0 and long > 0:
                _weighted_sum(
                    source, at, line, channels, rows, down_weights, t, tall, columns, along_weights, s, long, dest, to
                )
            else:
                for c in range(channels):
                    dest[to + c] = zero
            to += channels


@intrinsic
def _largest(typingctx, x, at, line, step, channels, tall, long, corner, down, along, out, indices, to):
    """The largest of tall x long pixels for each channel, its place among the pixels in indices[to :].

    The first pixel begins at x[at] and is the corner-th; `line` and `step` lie between two of them in memory, `down`
    and `along` between their numbers.
    """
    place = types.intp

    def codegen(context, builder, signature, args):
        read, out, indices = (data_of(context, builder, signature.args[k], args[k]) for k in (0, 10, 11))
        _, at, line, step, channels, tall, long, corner, down, along, _, _, to = args
        size = lanes_of(read)
        corner, down, along = (builder.trunc(number, _I32) for number in (corner, down, along))

        def emit(c, many):
            begin = builder.add(at, c)

            def row_of(q, best):
                row = builder.add(begin, builder.mul(q, line))
                first = builder.add(corner, builder.mul(builder.trunc(q, _I32), down))

                def pixel_of(p, best):
                    (values,) = load_tile(builder, read, [builder.add(row, builder.mul(p, step))], many)
                    here = splat(builder, builder.add(first, builder.mul(builder.trunc(p, _I32), along)), size)
                    larger = [wins(builder, *pair, x.dtype) for pair in zip(values, best, strict=False)]
                    new = [*values, *[here] * many]
                    return [builder.select(*choice) for choice in zip(larger * 2, new, best, strict=True)]

                return repeated(builder, long, best, pixel_of)

            (start,) = load_tile(builder, read, [begin], many)
            best = repeated(builder, tall, [*start, *[splat(builder, corner, size)] * many], row_of)
            wide = ir.VectorType(indices.type.pointee, size)
            store_tile(builder, [best[:many]], out, [builder.add(to, c)])
            store_tile(builder, [[builder.sext(found, wide) for found in best[many:]]], indices, [builder.add(to, c)])

        _by_vectors(builder, channels, size, emit)
        return context.get_dummy_value()

    return types.void(x, *[place] * 9, out, indices, place), codegen


@njit(cache=True, nogil=True, error_model="numpy")
def max_pool(lines, x, down, along, apart, out, indices):
    """Maxima of windows of x (N, H, W, C), into lines (R, OW, C), and their places in an image (H, W).

    Output i of a dimension has the taps at starts[i] + k * dilation for k < counts[i]: `down` and `along` are such
    (starts, counts) of shape (2, outputs), `apart` is the dilation of both. The first of equals wins, and the last nan
    over everything.
    """
    height, width, channels = down.shape[1], x.shape[2], x.shape[3]
    line = width * channels
    source, dest, places, to = x.reshape(-1), out.reshape(-1), indices.reshape(-1), 0
    line_step, step, down_step = apart[0] * line, apart[1] * channels, apart[0] * width
    for r in range(out.shape[0]):
        image, i = lines[r] // height * x.shape[1] * line, lines[r] % height
        h, tall = down[0, i], down[1, i]
        for j in range(out.shape[1]):
            corner = h * width + along[0, j]
            _largest(
                source, image + corner * channels, line_step, step, channels, tall, along[1, j], corner, down_step,
                apart[1], dest, places, to,
            )  # fmt: skip
            to += channels


@njit(cache=True, nogil=True, error_model="numpy")
def max_pool_backward(g, indices, dx):
    """dx[n, indices[n, p, c], c] = the sum of g[n, p, c], and 0 elsewhere: dx (N, H * W, C), the others (N, P, C)."""
    channels = np.uint64(g.shape[2])
    for n in range(g.shape[0]):
        image = dx[n].reshape(-1)
        for q in range(image.size):
            image[q] = 0
        for p in range(g.shape[1]):
            for c in range(channels):
                image[np.uint64(indices[n, p, c]) * channels + c] += g[n, p, c]


@intrinsic
def _filtered(
    typingctx, x, at, line, channels, rows, row_taps, t, tall, columns, column_taps, s, long, w, bias, dest, to
):
    """dest[to + c] = bias[c] + the sum of w[tap + c] * x[at + rows[q] * line + columns[p] * channels + c].

    Over q and p as in `_weighted_sum`; the tap is row_taps[q] + column_taps[p].
    """
    place = types.intp
    tables = (rows, row_taps, place, place, columns, column_taps, place, place)

    def codegen(context, builder, signature, args):
        read, rows, row_taps, columns, column_taps, w, bias, dest = (
            data_of(context, builder, signature.args[k], args[k]) for k in (0, 4, 5, 8, 9, 12, 13, 14)
        )
        _, at, line, channels, _, _, t, tall, _, _, s, long, _, _, _, to = args

        def emit(c, many):
            def row_of(q, totals):
                q = builder.add(t, q)
                begin = builder.add(builder.add(at, c), builder.mul(index(builder, rows, q), line))
                taps = builder.add(c, index(builder, row_taps, q))

                def pixel_of(p, totals):
                    p = builder.add(s, p)
                    there = builder.add(begin, builder.mul(index(builder, columns, p), channels))
                    (values,) = load_tile(builder, read, [there], many)
                    (factors,) = load_tile(builder, w, [builder.add(taps, index(builder, column_taps, p))], many)
                    return sums_with(builder, zip(factors, values, strict=True), totals)

                return repeated(builder, long, totals, pixel_of)

            (start,) = load_tile(builder, bias, [c], many)
            store_tile(builder, [repeated(builder, tall, start, row_of)], dest, [builder.add(to, c)])

        _by_vectors(builder, channels, lanes_of(read), emit)
        return context.get_dummy_value()

    return types.void(x, place, place, place, *tables, w, bias, dest, place), codegen


@njit(cache=True, nogil=True, error_model="numpy")
def filtered(lines, x, down, rows, row_taps, along, columns, column_taps, w, bias, out):
    """Each channel of x (N, H, W, C) by filters of its own, w (taps, C), to lines (R, OW, C).

    Output i of a dimension sums from starts[i] to starts[i + 1] over places in x, where `down` and `along` are such
    starts, `rows` and `columns` such places; the others say where in w what they are multiplied by begins.
    """
    height, channels = down.size - 1, x.shape[3]
    line = x.shape[2] * channels
    source, filters, dest, to = x.reshape(-1), w.reshape(-1), out.reshape(-1), 0
    for r in range(out.shape[0]):
        at, i = lines[r] // height * x.shape[1] * line, lines[r] % height
        t, tall = down[i], down[i + 1] - down[i]
        for j in range(out.shape[1]):
            s, long = along[j], along[j + 1] - along[j]
            if tall > 0 and long > 0:
                _filtered(
                    source, at, line, channels, rows, row_taps, t, tall, columns, column_taps, s, long, filters, bias,
                    dest, to,
                )  # fmt: skip
            else:
                for c in range(channels):
                    dest[to + c] = bias[c]
            to += channels


@intrinsic
def _products(typingctx, g, at, x, there, step, channels, count, dest):
    """dest[c] = the sum over j < count of g[at + j * channels + c] * x[there + j * step + c]; one j at least."""
    place = types.intp

    def codegen(context, builder, signature, args):
        g, x, dest = (data_of(context, builder, signature.args[k], args[k]) for k in (0, 2, 7))
        _, at, _, there, step, channels, count, _ = args
        size = lanes_of(g)
        nothing = splat(builder, g.type.pointee(0.0), size)

        def emit(c, many):
            def pixel_of(j, totals):
                (slopes,) = load_tile(builder, g, [builder.add(builder.add(at, c), builder.mul(j, channels))], many)
                (values,) = load_tile(builder, x, [builder.add(builder.add(there, c), builder.mul(j, step))], many)
                return sums_with(builder, zip(slopes, values, strict=True), totals)

            store_tile(builder, [repeated(builder, count, [nothing] * many, pixel_of)], dest, [c])

        _by_vectors(builder, channels, size, emit)
        return context.get_dummy_value()

    return types.void(g, place, x, place, place, place, place, dest), codegen


@njit(cache=True, nogil=True, error_model="numpy")
def filter_sums(blocks, g, x, down, rows, row_taps, firsts, counts, columns, stride, room, sums):
    """What the lines of g (N, OH, OW, C) from blocks[b, 0] to blocks[b, 1] add to the filters' gradients, sums[b].

    `down`, `rows` and `row_taps` are those of `filtered`. Column s of a filter meets counts[s] outputs of a line, from
    firsts[s] on, the first of which meets it at columns[s]. sums are (blocks, taps, C) and room (blocks, C).
    """
    height, wide, channels = g.shape[1], g.shape[2], x.shape[3]
    slopes, source = g.reshape(-1), x.reshape(-1)
    for b in range(blocks.shape[0]):
        total, made = sums[b].reshape(-1), room[b]
        for k in range(total.size):
            total[k] = 0
        for r in range(blocks[b, 0], blocks[b, 1]):
            n, i = r // height, r % height
            for q in range(down[i], down[i + 1]):
                line = (n * x.shape[1] + np.int64(rows[q])) * x.shape[2]
                for s in range(counts.size):
                    if counts[s] > 0:
                        there = (line + columns[s]) * channels
                        at = (r * wide + firsts[s]) * channels
                        _products(slopes, at, source, there, stride * channels, channels, counts[s], made)
                        tap = np.uint64(np.int64(row_taps[q]) + s * channels)
                        for c in range(np.uint64(channels)):
                            total[tap + c] += made[c]
