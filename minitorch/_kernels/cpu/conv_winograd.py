"""Convolution by 3x3 filters without stride in 4 multiplications for 9, by Winograd's F(2x2, 3x3).

Of each tile of 2x2 outputs, the 4x4 pixels below it and the filter are transformed to 4x4 numbers, which are
multiplied each with each and summed over the channels: 16 matrix products in all. The transform of the sums has the
outputs. With B, G, A as in Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308,

    out = A' ((G w G') * (B' x B)) A

Lanes are tiles, `2 * size` of them at a time, which follow one another through the rows of an image and its images.
Rounding is that of sums and differences of 4 numbers; an infinity or NaN would reach all outputs of its tile, so the
caller is told of one among the outputs, and computes them otherwise.
"""

from functools import lru_cache

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from . import threads
from .inlined import flat, smaller
from .inner import inner
from .padded_images import OWN, SHARED, image_for, pad_part
from .parallel import share_of, split
from .plane_vectors import copy_line
from .tables import groups_of, in_volume, rounded_up, volumes, whole
from .tiles import (
    MULTIPLICATIONS,
    PER_CYCLE,
    VECTOR_BYTES,
    WIDE,
    add_products,
    data_of,
    first_lanes,
    lanes_of,
    load_tile,
    load_vector,
    pointers,
    shuffled,
    splat,
    store_tile,
    store_vector,
)

ROWS = 8  # output channels of a product's tile, a power of two, as most numbers of channels are multiples of
STAY = 2**14  # so many filters, transformed, stay in L2; of more, each is used for several panels of tiles
PANELS = 8  # at most
SLICE = 64  # output channels at least for which threads transform the same tiles: that takes a tenth of their time then
ROOM = 2**23  # numbers between the transforms, of all threads that have no more than one part
POINTS = 16  # of a transformed tile
LANES = 2 * VECTOR_BYTES // 4  # tiles of outputs that are computed at a time
APART = 32  # numbers between what belongs to a point and to the next: a power of two apart, they share a set of L1


def _differences(builder, a, b, c, d):
    """B' times a column."""
    return [builder.fsub(a, c), builder.fadd(b, c), builder.fsub(c, b), builder.fsub(b, d)]


def _sums(builder, a, b, c, d):
    """A' times a column."""
    return [builder.fadd(builder.fadd(a, b), c), builder.fsub(builder.fsub(b, c), d)]


def both_ways(builder, transform, square):
    """The transform of a square's columns, then of its rows: the numbers row by row. The square is a list of rows."""
    rows = zip(*[transform(builder, *column) for column in zip(*square, strict=True)], strict=True)
    return [value for row in rows for value in transform(builder, *row)]


@intrinsic
def transform_pixels(typingctx, x, x0, row, lanes, v, v0, step):
    """v[v0 + p * step + t] = (B' d B)[p], d the 4x4 pixels whose rows begin at x[x0 + 2 t + r * row], t < lanes.

    Lanes are those of a vector at most; what is read goes on to the end of two vectors and two pixels.
    """
    at = types.intp

    def codegen(context, builder, signature, args):
        source, dest = pointers(context, builder, signature, args, (0, 4))
        size = lanes_of(source)
        square = []
        for r in range(4):
            line = builder.gep(source, [builder.mul(args[2], WIDE(r))])
            columns = []
            for first in (0, 2):
                halves = [load_vector(builder, line, WIDE(first + k), size) for k in (0, size)]
                columns += [shuffled(builder, *halves, range(k, 2 * size, 2)) for k in (0, 1)]
            square.append(columns)
        mask = first_lanes(builder, args[3], size)
        for p, value in enumerate(both_ways(builder, _differences, square)):
            store_vector(builder, value, dest, builder.mul(args[6], WIDE(p)), mask)
        return context.get_dummy_value()

    return types.void(x, at, at, at, v, at, at), codegen


@intrinsic
def multiply(typingctx, u, u0, step, row, v, v0, count, start, s0, m, m0):
    """m[m0 + (i, lane)] = start[s0 + (i, lane)] + sum over q < count of u[u0 + q * step + i * row] * v[v0 + (q, lane)].

    For i < ROWS, lane < LANES.
    """
    at = types.intp

    def codegen(context, builder, signature, args):
        filters, pixels, before, dest = pointers(context, builder, signature, args, (0, 4, 7, 9))
        size = lanes_of(pixels)
        rows = [builder.gep(filters, [builder.mul(args[3], WIDE(i))]) for i in range(ROWS)]
        places = [WIDE(2 * i * size) for i in range(ROWS)]
        sums = load_tile(builder, before, places, 2)
        sums = add_products(builder, pixels, 2 * size, rows, lambda q: builder.mul(q, args[2]), args[6], sums)
        store_tile(builder, sums, dest, places)
        return context.get_dummy_value()

    return types.void(u, at, at, at, v, at, at, start, at, m, at), codegen


@intrinsic
def _transform_sums(typingctx, m, m0, step, bias, k, y, y0, row, faults):
    """y[y0 + r * row + 2 t + c] = (A' M A)[r, c] + bias[k], M = m[m0 + p * step + t], for a vector of t.

    A fault becomes NaN where a number of its lane is infinite or NaN.
    """
    at = types.intp

    def codegen(context, builder, signature, args):
        source, start, dest = pointers(context, builder, signature, args, (0, 3, 5))
        size = lanes_of(source)
        sums = [load_vector(builder, source, builder.mul(args[2], WIDE(p)), size) for p in range(POINTS)]
        added = splat(builder, builder.load(start), size)
        found = both_ways(builder, _sums, [sums[p : p + 4] for p in range(0, POINTS, 4)])
        seen = data_of(context, builder, signature.args[8], args[8])
        zero = splat(builder, ir.Constant(start.type.pointee, 0.0), size)
        fault = load_vector(builder, seen, WIDE(0), size)
        for r in (0, 1):
            pair = [builder.fadd(value, added) for value in found[2 * r : 2 * r + 2]]
            for value in pair:
                fault = builder.fadd(fault, builder.fmul(value, zero))
            for half in (0, 1):
                lanes = [half * size // 2 + k // 2 + k % 2 * size for k in range(size)]
                place = builder.add(builder.mul(args[7], WIDE(r)), WIDE(half * size))
                store_vector(builder, shuffled(builder, *pair, lanes), dest, place)
        store_vector(builder, fault, seen, WIDE(0))
        return context.get_dummy_value()

    return types.void(m, at, at, bias, at, y, at, at, faults), codegen


def _filter(builder, a, b, c):
    """G times a column."""
    half = splat(builder, ir.Constant(a.type.element, 0.5), a.type.count)
    outer, middle = (builder.fmul(value, half) for value in (builder.fadd(a, c), b))
    return [a, builder.fadd(outer, middle), builder.fsub(outer, middle), c]


@intrinsic
def _transform_filters(typingctx, w, w0, step, last, tap_step, u, u0, point):
    """u[u0 + p * point + i] = (G W G')[p] of the filters W at w[w0 + i * step], i < ROWS; beyond the last it again."""
    at = types.intp

    def codegen(context, builder, signature, args):
        source, dest = pointers(context, builder, signature, args, (0, 5))
        _, _, step, last, tap_step, _, _, point = args
        lines = []
        for i in range(ROWS):
            place = builder.select(builder.icmp_signed("<", last, WIDE(i)), last, WIDE(i))
            lines.append(builder.gep(source, [builder.mul(place, step)]))

        def tap(t):
            column = ir.Constant(ir.VectorType(source.type.pointee, ROWS), ir.Undefined)
            for i, line in enumerate(lines):
                value = builder.load(builder.gep(line, [builder.mul(tap_step, WIDE(t))]))
                column = builder.insert_element(column, value, WIDE(i))
            return column

        square = [[tap(3 * r + s) for s in range(3)] for r in range(3)]
        for p, value in enumerate(both_ways(builder, _filter, square)):
            store_vector(builder, value, dest, builder.mul(point, WIDE(p)))
        return context.get_dummy_value()

    return types.void(w, at, at, at, at, u, at, at), codegen


@inner()
def _transform_filters_part(part, parts, w, steps, filters, members, u):
    """This part of the blocks of output channels: u[p, block, c, i] is of channel block * ROWS + i."""
    start, filter_step, member_step, tap_step = steps
    blocks = (filters + ROWS - 1) // ROWS
    begin, end = share_of(blocks * members, part, parts)
    for at in range(begin, end):
        k, c = at // members * ROWS, at % members
        first = start + k * filter_step + c * member_step
        _transform_filters(w, first, filter_step, filters - 1 - k, tap_step, u, at * ROWS, u.size // POINTS)


@njit(cache=True, nogil=True, error_model="numpy")
def _transform_all_filters(crew, parts, w, steps, filters, members, u):
    split(crew, _transform_filters_part, parts, (parts, w, steps, filters, members, u))


@inner()
def _correlate_part(part, parts, x, padded, room, corner, u, bias, plan, made, faults, out, sizes):
    """This part of the slices of output channels, of the blocks of tiles of all images."""
    runs, firsts = plan
    filters, members, panels, plane, row, inputs, outputs, area, wide, slices = sizes
    pixels, products, results, zeros = made
    v, m, y, zero = pixels[part], products[part], results[part], np.intp(0)
    source, blocks, channels = flat(padded), firsts.size - 1, (filters + ROWS - 1) // ROWS
    of_filters, of_pixels, of_sums = u.size // POINTS, v.size // POINTS, m.size // POINTS
    begin, end = share_of(x.shape[0] * blocks * slices, part, parts)
    previous, transformed = np.intp(-1), np.intp(-1)
    for item in range(begin, end):
        at, (k0, k1) = item // slices, share_of(channels, item % slices, slices)
        n, block = at // blocks, at % blocks
        first, last = firsts[block], firsts[block + 1]
        tiles = runs[last - 1, 0] + runs[last - 1, 1]
        used = (tiles + LANES - 1) // LANES
        if at != transformed:
            image = image_for(part, x, n, previous, padded, room, corner)
            if tiles < used * LANES:  # lanes of no tile: what is left there might look like a fault
                for p in range(POINTS):
                    panel = p * of_pixels + (used - 1) * members * LANES
                    for i in range(panel, panel + members * LANES):
                        v[i] = 0
            for run in range(first, last):
                lane, count, start = runs[run, 0], runs[run, 1], image * inputs + runs[run, 2]
                to = lane // LANES * members * LANES + lane % LANES
                for c in range(members):
                    transform_pixels(source, start + c * plane, row, count, v, to + c * LANES, of_pixels)
            previous, transformed = n, at
        for p in range(POINTS):
            for k in range(k0, k1):
                for panel in range(used):
                    multiply(
                        u, p * of_filters + k * members * ROWS, ROWS, 1,
                        v, p * of_pixels + panel * members * LANES, members, zeros, zero,
                        m, p * of_sums + (k * panels + panel) * ROWS * LANES,
                    )  # fmt: skip
        for k in range(k0 * ROWS, smaller(k1 * ROWS, filters)):
            for lane in range(0, used * LANES, LANES // 2):
                sums = ((k // ROWS * panels + lane // LANES) * ROWS + k % ROWS) * LANES + lane % LANES
                _transform_sums(m, sums, of_sums, bias, k, y, 2 * lane, 2 * panels * LANES, faults[part])
            for run in range(first, last):
                to = n * outputs + runs[run, 3] + k * area
                for r in range(runs[run, 5]):
                    copy_line(y, 2 * (r * panels * LANES + runs[run, 0]), out, to + r * wide, runs[run, 4])


@njit(cache=True, nogil=True, error_model="numpy")
def _correlate(crew, parts, x, padded, room, corner, u, bias, plan, made, faults, out, sizes):
    """Whether all outputs are finite, which are written to out."""
    if room == SHARED:
        split(crew, pad_part, parts, (parts, x, np.intp(0), x.shape[0], padded, corner))
    ends = parts, x, padded, room, corner, u, bias, plan, made, faults, out, sizes
    split(crew, _correlate_part, parts, ends)
    total = flat(faults)
    fault = total[0]
    for i in range(1, total.size):
        fault += total[i]
    return fault == fault


@lru_cache(maxsize=64)
def tile_runs(images, inputs, outputs, row, shape, lanes):
    """(runs, firsts): the tiles of so many images in blocks of so many lanes, and where each block's runs begin.

    A run is of tiles that are neighbours in a row and in a vector: (lane, tiles, where its first pixel is in the padded
    images, and in the result, pixels of the latter in a row, rows). Images are `inputs` and `outputs` apart, rows of
    pixels `row`.
    """
    high, wide = shape
    tile, found, firsts = 0, [], [0]
    for image in range(images):
        for i in range(0, high, 2):
            j = 0
            while j < wide:
                lane = tile % lanes
                count = min(LANES // 2 - lane % (LANES // 2), (wide - j + 1) // 2)
                places = image * inputs + i * row + j, image * outputs + i * wide + j
                found.append((lane, count, *places, min(2 * count, wide - j), min(2, high - i)))
                tile, j = tile + count, j + 2 * count
                if tile % lanes == 0:
                    firsts.append(len(found))
    if firsts[-1] < len(found):
        firsts.append(len(found))
    return np.array(found), np.array(firsts)


def pays(needed, x, out):
    """Whether 3x3 filters are faster this way than by `conv.py`, which multiplies the needed share of the taps.

    The figures are of Zen 5 and Zen 4, and count multiplications that one product of vectors a cycle does: a transform
    of a tile of a channel takes the time of 100, a filter's that of 150 if they leave L2.
    """
    (images, filters, high, wide), members = out.shape, x.shape[1]
    pairs, tiles = members * filters, rounded_up(images * tiles_of(out), LANES)
    besides = tiles * 100 * (members + filters) + (150 if pairs > STAY else 130) * pairs
    products = members * rounded_up(filters, ROWS)
    ours = tiles * POINTS * products + besides * PER_CYCLE
    return 1.1 * ours < 9 * products * images * high * wide * needed


def convolution(x, w, steps, padding, bias, out):
    """Write convolution without stride to a contiguous out, and return whether all numbers of it are finite.

    If not, any of them may be wrong. Output channel k has w[start + k * filter_step + c * member_step + t * tap_step]
    for tap t of input channel c; w is flat, and steps are these four. x (N, C, H, W), out (N, K, OH, OW) of float32.
    """
    filters, members = out.shape[1], x.shape[1]
    blocks = -(-filters // ROWS)
    u = np.empty(POINTS * (blocks * members * ROWS + APART), out.dtype)
    crew, parts = threads.share(u.size // 5, blocks * members)
    _transform_all_filters(crew, parts, w, steps, filters, members, u)
    start = np.zeros(filters, out.dtype) if bias is None else whole(bias)
    together = max(1, min(len(x), 8 * LANES // tiles_of(out)))  # so that few lanes are left over
    return all(
        _write(x[first:last], u, padding, start, beside, out[first:last])
        for first, last, beside in groups_of(together, len(x))
    )


def tiles_of(out):
    """Of an image of the result."""
    return -(-out.shape[2] // 2) * -(-out.shape[3] // 2)


def _write(x, u, padding, bias, together, out):
    """_correlate, so many images beside each other at a time."""
    (members, high, wide), (filters, *shape) = x.shape[1:], out.shape[1:]
    padded_size = tuple(n + n % 2 + 2 for n in shape)
    plane, area = padded_size[0] * padded_size[1], shape[0] * shape[1]
    inputs, outputs = together * members * plane, together * filters * area
    panels = max(1, min(members * filters // STAY, -(-together * tiles_of(out) // LANES), PANELS))
    plan = tile_runs(together, members * plane, filters * area, padded_size[1], tuple(shape), panels * LANES)
    work = len(x) * tiles_of(out) * POINTS * members * filters // MULTIPLICATIONS
    x = x.reshape(-1, together * members, high, wide)
    blocks = len(x) * (plan[1].size - 1)
    slices = min(-(-2 * threads.count() // blocks), -(-filters // SLICE)) if threads.count() > 1 else 1
    crew, parts = threads.share(work, blocks * slices)
    each = panels * members * LANES, panels * rounded_up(filters, ROWS) * LANES
    parts = min(parts, max(threads.count(), ROOM // (POINTS * sum(each))))
    room = OWN if len(x) >= parts else SHARED
    images = parts if room == OWN else len(x)
    padded = np.empty(images * inputs + 2 * LANES, x.dtype)[: images * inputs]  # vectors are read past its end
    padded = padded.reshape(images, together * members, 1, *padded_size)
    pixels, products = (np.empty((parts, POINTS * (numbers + APART)), x.dtype) for numbers in each)
    made = pixels, products, np.empty((parts, 4 * panels * LANES), x.dtype), np.zeros(ROWS * LANES, x.dtype)
    faults = np.zeros((parts, LANES // 2), x.dtype)
    sizes = filters, members, panels, plane, padded_size[1], inputs, outputs, area, shape[1], slices
    source = volumes(x, 2), padded, room, in_volume(padding)
    return _correlate(crew, parts, *source, u, bias, plan, made, faults, out.reshape(-1), sizes)
