"""Convolution without stride along a row, by vectors of neighbouring pixels of an output row.

Where `conv.py` has a vector of output channels, and loads a number for every pixel and tap, a tile here is ROWS output
channels of two vectors of pixels, which are loaded once for all its channels and stored where they belong: nothing is
packed or transposed. It pays where vectors fill the rows, or one of which some lanes are left out does, and most with
few taps. The gradient of the weights is taken so too, in tiles of CHANNELS output channels and TAPS taps: each sum is a
vector, whose lanes are added up last. That pays most where the output channels would not fill the vectors of `conv.py`.
"""

from functools import lru_cache
from math import prod

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from minitorch._kernels.copies import copy

from . import threads
from .inlined import flat, smaller
from .inner import inner
from .padded_images import ROOM, SHARED, first_of, image_for, pad_part, room_for, workspace
from .parallel import share_of, split
from .tables import filled, in_volume, rounded_up, volumes, whole
from .tiles import (
    MULTIPLICATIONS,
    PER_CYCLE,
    TILE,
    VECTOR_BYTES,
    WIDE,
    add_products,
    cut,
    data_of,
    first_lanes,
    index,
    joined,
    lanes_of,
    load_tile,
    load_vector,
    pointers,
    repeated,
    splat,
    store_tile,
    store_vector,
    sums_with,
)

ROWS = TILE * 2 // 3  # a power of two, as most numbers of channels are multiples of
CHANNELS, TAPS = TILE // 3, 5  # of a tile of the weights' gradient: so many sums, and a vector for each channel
PIECES = {1: 1.0, 2: 0.5, 4: 0.5}  # of rows that may make up a vector, and the time of one beside a vector's
SPAN = 8  # tiles of pixels that all output channels are computed of before the next


@intrinsic
def _sum_rows(typingctx, w, w0, taps, x, x0, corners, offsets, bias, k, out, to, places, p, pieces, step, lanes):
    """out[to + i * step + places[p] + lane] = bias[k + i] + sum of w[w0 + i * taps + q] * x[at + offsets[q] + lane].

    For i < ROWS, q < taps, at = x0 + corners[p]. The lanes of two vectors are those of so many pieces each, that of p
    and those after it; of a vector that is one piece they are the first of it, so many.
    """
    at = types.intp
    arrays = (w, at, at, x, at, corners, offsets, bias, at, out, at, places, at, at, at, at)

    def codegen(context, builder, signature, args):
        filters, pixels, starts, dest = pointers(context, builder, signature, args, (0, 3, 7, 9))
        origins, table, ends = (data_of(context, builder, signature.args[j], args[j]) for j in (5, 6, 11))
        size, mask = lanes_of(pixels), first_lanes(builder, args[15], lanes_of(pixels))
        rows = [builder.gep(filters, [builder.mul(args[2], WIDE(i))]) for i in range(ROWS)]

        def emit(pieces):
            part, mine = size // pieces, [builder.add(args[12], WIDE(j)) for j in range(2 * pieces)]
            lines = [builder.gep(pixels, [index(builder, origins, j)]) for j in mine]
            under = mask if pieces == 1 else None
            sums = [[splat(builder, builder.load(builder.gep(starts, [WIDE(i)])), size)] * 2 for i in range(ROWS)]

            def columns_of(_, q):
                shift = index(builder, table, q)
                return joined(builder, [load_vector(builder, line, shift, part, under) for line in lines], 2)

            sums = add_products(builder, pixels, 0, rows, lambda q: q, args[2], sums, columns_of)
            for i, pair in enumerate(sums):
                line = builder.gep(dest, [builder.mul(args[14], WIDE(i))])
                values = [piece for vector in pair for piece in cut(builder, vector, pieces)]
                for j, value in zip(mine, values, strict=True):
                    store_vector(builder, value, line, index(builder, ends, j), under)

        def choose(numbers):
            if len(numbers) == 1:
                emit(numbers[0])
                return
            with builder.if_else(builder.icmp_signed("==", args[13], WIDE(numbers[0]))) as (these, others):
                with these:
                    emit(numbers[0])
                with others:
                    choose(numbers[1:])

        choose([n for n in PIECES if n <= size])
        return context.get_dummy_value()

    return types.void(*arrays), codegen


@inner()
def _correlate_part(part, parts, x, padded, room, corner, corners, places, tiles, lanes, offsets, w, bias, out):
    """This part of the spans of pixels, for all output channels, of all images."""
    source, dest, filters = flat(padded), flat(out), flat(w)
    channels, area = out.shape[1:]
    taps, every = offsets.size, bias.size
    spans, inputs = (len(tiles) + SPAN - 1) // SPAN, source.size // padded.shape[0]
    begin, end = share_of(x.shape[0] * spans, part, parts)
    previous = np.intp(-1)
    for at in range(begin, end):
        n, first = at // spans, at % spans * SPAN
        image = image_for(part, x, n, previous, padded, room, corner)
        previous = n
        own = n * channels % every
        for block in range(0, channels, ROWS):
            k = smaller(block, channels - ROWS)  # the last tile overlaps the one before
            to = (n * channels + k) * area
            for i in range(first, smaller(first + SPAN, len(tiles))):
                _sum_rows(
                    filters, (own + k) * taps, taps, source, image * inputs, corners, offsets, bias, own + k,
                    dest, to, places, tiles[i, 0], tiles[i, 1], area, lanes,
                )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _correlate(crew, parts, x, padded, room, corner, corners, places, tiles, lanes, offsets, w, bias, out):
    """out[n, k, places[p] + lane] = bias[k] + sum over q of w[k, q] * x[n, corners[p] + offsets[q] + lane].

    In tiles of two vectors, of which `tiles` has the first p and the number of pieces. x is read where it lies in
    `padded`, of which `room` says what it is. The images take turns with the groups of filters, if there are several.
    """
    if room == SHARED:
        split(crew, pad_part, parts, (parts, x, np.intp(0), x.shape[0], padded, corner))
    ends = parts, x, padded, room, corner, corners, places, tiles, lanes, offsets, w, bias, out
    split(crew, _correlate_part, parts, ends)


# What vectors of channels take besides, for each pixel and channel, in the time of so many taps; then how much longer
# they take for a tap, of several vectors and of one. By figures of Zen 4 and Zen 5.
BESIDES, SLOWER, ALONE = (19, 1.0, 1.0) if PER_CYCLE == 1 else (25, 1.08, 1.38)


def pays(taps, needed, shape, itemsize, lanes, turned=False):
    """Whether so many taps are faster this way than by vectors of so many output channels.

    The other way multiplies the needed share of them. The shape is the result's. Weights that are `turned` have to be
    copied for it, others for the other way, which counts where pixels are few.
    """
    size, (images, channels, *high, wide) = VECTOR_BYTES // itemsize, shape
    pieces, columns = _rest_of_row(wide, size)
    ours = (taps + 6) * (wide // size + len(columns) * PIECES[pieces]) * size / wide * rounded_up(channels, ROWS)
    theirs = (taps * needed + BESIDES) * rounded_up(channels, lanes) * (ALONE if lanes == size else SLOWER)
    pixels = images * prod(high) * wide
    return ours * (1 + 340 / pixels) < theirs if turned else ours < theirs * (1 + 18 / pixels)


@lru_cache(maxsize=64)
def _tiles(shape, size):
    """(tiles, places): each tile's first piece and number of pieces in a vector, and where in a plane pieces begin."""
    *high, wide = shape
    rows = np.arange(prod(high))[:, None] * wide
    pieces, columns = _rest_of_row(wide, size)
    tiles, places, count = [], [], 0
    for n, begins in (1, np.arange(0, wide - size + 1, size)), (pieces, columns):
        if len(begins):
            found = filled((rows + begins).ravel(), 2 * n)
            firsts = np.arange(0, found.size, 2 * n)
            tiles.append(np.stack([count + firsts, np.full(firsts.size, n), found[2 * n - 1 :: 2 * n]]))
            places.append(found)
            count += found.size
    tiles = np.concatenate(tiles, axis=1)
    tiles = tiles[:2, tiles[2].argsort(kind="stable")].T  # what lies beside each other is read together
    return np.ascontiguousarray(tiles), np.concatenate(places).astype(np.uint32)


def _rest_of_row(wide, size):
    """What whole vectors leave of a row: how many pieces a vector of it has, and the column where its piece begins.

    A piece, or the last vector, that is not filled overlaps what is before it.
    """
    rest = wide % size
    for pieces in (4, 2):
        if 0 < rest <= size // pieces <= wide:
            return pieces, [wide - size // pieces]
    return 1, [max(0, wide - size)] * (rest > 0)


def convolution(x, size, corner, corners, offsets, w, bias, out):
    """`conv.convolution`, with the tables of its windows: where each output's begins, and its taps from there.

    Each group of channels is an image of its own.
    """
    own = len(w) * w.shape[1] // x.shape[1]
    if own < ROWS:
        _of_few_channels(x, size, corner, corners, offsets, w, bias, out, own)
        return
    x, dest = whole(x), whole(out)
    x = x.reshape(-1, w.shape[1], *x.shape[2:])
    lanes = VECTOR_BYTES // out.itemsize
    tiles, places = _tiles(out.shape[2:], lanes)
    start = np.zeros(len(w), out.dtype) if bias is None else whole(bias)
    crew, parts = threads.share(out.size * offsets.size // MULTIPLICATIONS, len(x) * -(-len(tiles) // SPAN))
    room, padded = room_for(x, parts, size)
    _correlate(
        crew, parts, volumes(x, 2), volumes(padded, 2), room, in_volume(corner), corners[places], places, tiles,
        min(out.shape[-1], lanes), offsets, whole(w).reshape(-1), start, dest.reshape(len(x), -1, prod(out.shape[2:])),
    )  # fmt: skip
    if dest is not out:
        copy(out, dest)


def _of_few_channels(x, size, corner, corners, offsets, w, bias, out, own):
    """The same with filters of zeros for the output channels that a tile has and a group of `own` has not."""
    groups, shape = len(w) // own, out.shape[2:]
    filters, start = np.zeros((groups, ROWS, *w.shape[1:]), w.dtype), np.zeros((groups, ROWS), w.dtype)
    filters[:, :own] = w.reshape(groups, own, *w.shape[1:])
    if bias is not None:
        start[:, :own] = bias.reshape(groups, own)
    made = np.empty((len(x), groups * ROWS, *shape), out.dtype)
    filters = filters.reshape(-1, *w.shape[1:])
    convolution(x, size, corner, corners, offsets, filters, start.reshape(-1), made)
    for k in range(groups):
        out[:, k * own : (k + 1) * own] = made[:, k * ROWS : k * ROWS + own]


@intrinsic
def _sum_weights(typingctx, g, g0, lines, k0, x, x0, offsets, t0, places, corners, p0, count, lanes, sums, s0):
    """sums[s0 + (i, t)] += sum over p of g[g0 + lines[k0 + i] + places[p]] * x[x0 + corners[p] + offsets[t0 + t]].

    For i < CHANNELS, t < TAPS and p0 <= p < p0 + count. Each number stands for a vector that begins there, of whose
    lanes the first are taken, so many.
    """
    at = types.intp
    arrays = (g, at, lines, at, x, at, offsets, at, places, corners, at, at, at, sums, at)

    def codegen(context, builder, signature, args):
        grads, starts, pixels, reach, totals = pointers(context, builder, signature, args, (0, 2, 4, 6, 13))
        origins, corners = (
            builder.gep(data_of(context, builder, signature.args[k], args[k]), [args[10]]) for k in (8, 9)
        )
        size = lanes_of(grads)
        mask = first_lanes(builder, args[12], size)
        planes = [builder.gep(grads, [index(builder, starts, WIDE(i))]) for i in range(CHANNELS)]
        shifted = [builder.gep(pixels, [index(builder, reach, WIDE(t))]) for t in range(TAPS)]

        def step(q, values):
            there, here = index(builder, origins, q), index(builder, corners, q)
            factors = [load_vector(builder, plane, there, size, mask) for plane in planes]
            columns = [load_vector(builder, x, here, size, mask) for x in shifted]
            return sums_with(builder, [(factor, column) for factor in factors for column in columns], values)

        rows = [WIDE(i * size) for i in range(CHANNELS * TAPS)]
        before = [value for (value,) in load_tile(builder, totals, rows, 1)]
        after = repeated(builder, args[11], before, step)
        store_tile(builder, [[value] for value in after], totals, rows)
        return context.get_dummy_value()

    return types.void(*arrays), codegen


@inner()
def _correlate_weights_part(part, parts, source, image, many, inputs, g, n, plan, sums, sizes):
    """This part of the tiles of channels and taps, over `many` images: of g from n on, of `source` from `image` on."""
    lines, offsets, places, corners = plan
    whole_vectors, lanes, rest = sizes
    across = offsets.size // TAPS
    begin, end = share_of(lines.size // CHANNELS * across, part, parts)
    for i in range(many):
        g0, x0 = (n + i) * g.shape[1], (image + i) * inputs
        for tile in range(begin, end):
            k, t, to = tile // across * CHANNELS, tile % across * TAPS, tile * CHANNELS * TAPS * lanes
            p, count, used = np.intp(0), whole_vectors, lanes
            for _ in range(2):
                if count:
                    _sum_weights(
                        flat(g), g0, lines, k, source, x0, offsets, t, places, corners, p, count, used, sums, to
                    )
                p, count, used = whole_vectors, places.size - whole_vectors, rest


@njit(cache=True, nogil=True, error_model="numpy")
def _correlate_weights(crew, parts, x, padded, room, copies, corner, g, plan, sums, dw, sizes):
    """dw[k, t] = sum over n, p, lane of g[n, lines[k] + places[p] + lane] * x[n, corners[p] + offsets[t] + lane].

    Threads share the tiles of as many images as there is room for: each sum is one thread's, over the images in their
    order, whatever the number of threads.
    """
    inputs = padded.size // padded.shape[0]
    for n in range(0, x.shape[0], room):
        many = smaller(room, x.shape[0] - n)
        image = first_of(crew, parts, x, n, many, padded, copies, corner)
        split(crew, _correlate_weights_part, parts, (parts, flat(padded), image, many, inputs, g, n, plan, sums, sizes))
    lanes, (channels, taps) = sizes[1], dw.shape
    across = plan[1].size // TAPS
    for k in range(channels):
        for t in range(taps):
            tile = k // CHANNELS * across + t // TAPS
            first = ((tile * CHANNELS + k % CHANNELS) * TAPS + t % TAPS) * lanes
            total = sums[first]
            for lane in range(1, lanes):
                total += sums[first + lane]
            dw[k, t] = total


def pays_for_weights(taps, needed, shape, itemsize, lanes):
    """`pays`, for the gradient of the weights; the shape is that of the results' gradient."""
    size, (_, channels, *high, wide) = VECTOR_BYTES // itemsize, shape
    vectors = prod(high) * -(-wide // size)
    ours = rounded_up(taps, TAPS) * (vectors + 4) * size * rounded_up(channels, CHANNELS)
    theirs = (rounded_up(taps, TILE) * needed + 25) * prod(high) * wide * rounded_up(channels, lanes)
    return ours * (1.55 if channels % lanes == 0 else 1.16) < theirs * (1.28 if lanes == size else 1.0)


def convolution_backward_weight(g, x, size, corner, corners, offsets, dw):
    """`conv.convolution_backward_weight`, with the tables of its windows; the arrays are contiguous."""
    lanes = VECTOR_BYTES // dw.itemsize
    places, whole_vectors = _disjoint_places(g.shape[2:], lanes)
    lines = filled(np.arange(g.shape[1]) * prod(g.shape[2:]), CHANNELS).astype(np.uint32)
    offsets = filled(offsets, TAPS)
    tiles = lines.size // CHANNELS * (offsets.size // TAPS)
    crew, parts = threads.share(g.size * offsets.size // MULTIPLICATIONS, tiles)
    room = min(len(x), max(1, ROOM // (x.shape[1] * prod(size) * x.itemsize))) if crew else 1
    padded = workspace(x, room, size)
    sums = np.zeros(tiles * CHANNELS * TAPS * lanes, dw.dtype)
    plan, sizes = (lines, offsets, places, corners[places]), (whole_vectors, lanes, g.shape[-1] % lanes)
    source = volumes(x, 2), volumes(padded, 2), room, padded is not x, in_volume(corner)
    _correlate_weights(crew, parts, *source, g.reshape(len(g), -1), plan, sums, dw.reshape(len(dw), -1), sizes)


@lru_cache(maxsize=64)
def _disjoint_places(shape, size):
    """Where in a plane the vectors begin that its rows are made of, the whole ones first, and how many these are."""
    *high, wide = shape
    rows = np.arange(prod(high))[:, None] * wide
    whole, rest = np.arange(0, wide - size + 1, size), np.arange(wide // size * size, wide, size)
    places = [(rows + columns).ravel() for columns in (whole, rest)]
    return np.concatenate(places).astype(np.uint32), places[0].size
