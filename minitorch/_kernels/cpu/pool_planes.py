"""Max pooling of planes, LANES neighbouring windows at a time.

Of each row of the windows a block loads whole vectors, from which every tap takes its elements, and no branch. In a
narrow row a block reaches into the next one: what it writes there is written again when that row's turn comes. Where
it would leave the arrays, windows are taken one at a time. Planes whose windows reach outside are copied into a larger
one first. A value wins over what was found before it where it is larger, or nan: so the first of equals stays, and the
last nan.
"""

from functools import cache

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from . import threads
from .inlined import flat
from .inner import inner
from .plane_vectors import LANES, copy_line, reach, splat, taps
from .shared import over_rows
from .tiles import data_of

LARGEST = 2**31 - 1  # places in a plane are counted in int32 until they are written
WIDEST = 16  # taps in a row, each of which is a few instructions
_I32, _I64 = ir.IntType(32), ir.IntType(64)


def wins(builder, value, best, kind):
    """Which values of a vector take the place of the best so far: those that are larger, or nan."""
    if isinstance(kind, types.Float):
        return builder.or_(builder.fcmp_ordered(">", value, best), builder.fcmp_unordered("uno", value, value))
    return (builder.icmp_signed if kind.signed else builder.icmp_unsigned)(">", value, best)


def block_of(columns, stride):
    """take(x, at, line, rows, corner, width, out, indices, to): LANES windows of rows x columns, `stride` apart.

    The first begins at x[at], and x has lines of `line` elements; place `corner` of a plane of that width is where it
    stands for. Maxima go to out[to :], their places to indices[to :].
    """

    @intrinsic
    def take(typing_context, x, at, line, rows, corner, width, out, indices, to):
        def codegen(context, builder, signature, args):
            read, written, places = (data_of(context, builder, signature.args[k], args[k]) for k in (0, 6, 7))
            at, line, rows, corner, width = args[1:6]
            first = next(taps(builder, builder.gep(read, [at]), x.dtype, 1, stride))
            best = cgutils.alloca_once_value(builder, first)
            place = cgutils.alloca_once_value(builder, splat(builder, builder.trunc(corner, _I32)))
            with cgutils.for_range(builder, rows) as loop:
                start = builder.gep(read, [builder.add(at, builder.mul(line, loop.index))])
                below = builder.add(corner, builder.mul(width, loop.index))
                for column, value in enumerate(taps(builder, start, x.dtype, columns, stride)):
                    tap = splat(builder, builder.trunc(builder.add(below, _I64(column)), _I32))
                    before = builder.load(best)
                    larger = wins(builder, value, before, x.dtype)
                    builder.store(builder.select(larger, value, before), best)
                    builder.store(builder.select(larger, tap, builder.load(place)), place)
            apart = ir.Constant(ir.VectorType(_I32, LANES), list(range(0, LANES * stride, stride)))
            found = builder.sext(builder.add(builder.load(place), apart), ir.VectorType(_I64, LANES))
            for pointer, value, kind in ((written, builder.load(best), out.dtype), (places, found, indices.dtype)):
                pointer = builder.bitcast(builder.gep(pointer, [args[8]]), value.type.as_pointer())
                builder.store(value, pointer, align=kind.bitwidth // 8)
            return context.get_dummy_value()

        return types.void(x, *[types.intp] * 5, out, indices, types.intp), codegen

    return take


def planes_of(columns, apart):
    """The compiled loop over planes, for windows of so many columns, so many apart."""
    block = block_of(columns, apart)
    reached = reach(columns, apart)

    @inner()
    def one_window(x, at, line, rows, corner, width, out, indices, to):
        best, place = x[at], corner
        for row in range(rows):
            for column in range(columns):
                value = x[at + row * line + column]
                if value > best or value != value:
                    best, place = value, corner + row * width + column
        out[to] = best
        indices[to] = place

    @inner()
    def planes(x, sizes, padded, lowest, first, out, indices):
        rows, stride, top, left = sizes[0], sizes[1], sizes[2], sizes[3]
        line, high, long = sizes[4], sizes[5], sizes[6]
        height, width, wide, to = x.shape[1], x.shape[2], out.shape[2], 0 * rows
        given, values, places = flat(x), flat(out), flat(indices)
        source = padded if padded.size else given
        last_from, last_to = source.size - (rows - 1) * line - reached, values.size - LANES
        for m in range(x.shape[0]):
            begin = m * height * width
            if padded.size:
                begin = 0
                for h in range(high):
                    copy_line(given, (m * height + h) * width, padded, (h + top) * line + left, long)
            for i in range(out.shape[1]):
                end, at, corner = to + wide, begin + i * stride * line, (i * stride - top) * width - left
                while to < end:
                    if to <= last_to and at <= last_from:
                        block(source, at, line, rows, corner, width, values, places, to)
                        at, corner, to = at + LANES * apart, corner + LANES * apart, to + LANES
                    else:
                        one_window(source, at, line, rows, corner, width, values, places, to)
                        at, corner, to = at + apart, corner + apart, to + 1
                to = end
            for p in range(first.size):  # padding may have come before the first inside
                if values[to - first.size + p] == lowest:
                    places[to - first.size + p] = first[p]

    return planes


@cache
def _kernel(columns, apart):
    source = (
        "from numba import njit\nfrom minitorch._kernels.cpu.pool_planes import planes_of\n"
        f"serial = planes_of({columns}, {apart})"
    )
    return over_rows(
        f"max_pool_{columns}_{apart}", source, "x sizes padded lowest first out indices", "x out indices", "padded"
    )


class PlanePool:
    """Max pooling of planes of one size and dtype by windows of one kind; of lines as planes of one row."""

    def __init__(self, inputs, outputs, kernel, stride, padding, lowest):
        rows = (1,) * (2 - len(inputs))
        inputs, outputs, kernel, stride = (rows + sizes for sizes in (inputs, outputs, kernel, stride))
        top, left = (0,) * len(rows) + padding
        used = [(n - 1) * s + k for n, s, k in zip(outputs, stride, kernel, strict=True)]
        copied = 0, 0
        self.padded, self.first = 0, np.empty(0, np.int64)  # elements; the place of the first inside of each window
        if top or left or used[0] > inputs[0] or used[1] > inputs[1]:
            copied = min(inputs[0], used[0] - top), min(inputs[1], used[1] - left)
            self.padded = used[0] * used[1] + (LANES + WIDEST) * stride[1]
            axes = [np.maximum(np.arange(n) * s - p, 0) for n, s, p in zip(outputs, stride, (top, left), strict=True)]
            self.first = (axes[0][:, None] * inputs[1] + axes[1]).reshape(-1)
        line = used[1] if self.padded else inputs[1]
        self.sizes = np.array((kernel[0], stride[0], top, left, line, *copied), np.int64)
        self.given, self.made = (-1, *inputs), (-1, *outputs)
        self.taps, self.lowest = kernel[0] * kernel[1], lowest
        self.no_room = None if self.padded else np.empty((1, 0), lowest.dtype)
        self.loop = _kernel(kernel[1], stride[1])

    def __call__(self, x, out, indices):
        """out[m, i, j] = max over r, s of x[m, i * stride[0] - padding[0] + r, ...], its place in the plane in indices.

        Contiguous arrays with no less than one plane. The first of equals wins, and the last nan over everything.
        """
        x, lowest = x.reshape(self.given), self.lowest
        crew, parts = threads.share(out.size * self.taps // LANES, len(x))
        room = self.no_room
        if room is None or parts > 1:
            room = np.full((parts, self.padded), lowest)
        self.loop(
            crew, parts, x, self.sizes, room, lowest, self.first, out.reshape(self.made), indices.reshape(self.made)
        )
