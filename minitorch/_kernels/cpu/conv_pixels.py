"""Convolution without stride along a row, by vectors of neighbouring pixels of an output row.

Where `conv.py` has a vector of output channels, and loads a number for every pixel and tap, a tile here is ROWS output
channels of two vectors of pixels, which are loaded once for all its channels and stored where they belong: nothing is
packed or transposed. It pays where vectors fill the rows, or one of which some lanes are left out does, and most with
few taps.
"""

from functools import lru_cache
from math import prod

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from . import threads
from .inlined import flat, smaller
from .inner import inner
from .padded_images import SHARED, image_for, pad_part, room_for
from .parallel import share_of, split
from .tables import in_volume, volumes, whole
from .tiles import (
    TILE,
    VECTOR_BYTES,
    WIDE,
    add_products,
    data_of,
    first_lanes,
    index,
    lanes_of,
    pointers,
    splat,
    store_vector,
)

ROWS = TILE * 2 // 3  # a power of two, as most numbers of channels are multiples of
SPAN = 16  # vectors of pixels that all output channels are computed of before the next
MULTIPLICATIONS = 40  # with their additions, of one thread in a nanosecond


@intrinsic
def _sum_rows(typingctx, w, w0, taps, x, x0, x1, offsets, bias, k, out, to, step, beside, lanes):
    """out[to + i * step + lane] = bias[k + i] + sum over q < taps of w[w0 + i * taps + q] * x[x0 + offsets[q] + lane].

    For i < ROWS; the lanes are the first of one vector, so many. A second one is summed from x[x1] on, and goes
    `beside` further.
    """
    at = types.intp
    arrays = (w, at, at, x, at, at, offsets, bias, at, out, at, at, at, at)

    def codegen(context, builder, signature, args):
        filters, starts, dest = pointers(context, builder, signature, args, (0, 7, 9))
        pixels, table = (data_of(context, builder, signature.args[k], args[k]) for k in (3, 6))
        size = lanes_of(pixels)
        rows = [builder.gep(filters, [builder.mul(args[2], WIDE(i))]) for i in range(ROWS)]
        sums = [[splat(builder, builder.load(builder.gep(starts, [WIDE(i)])), size)] * 2 for i in range(ROWS)]

        def places_of(q):
            shift = index(builder, table, q)
            return builder.add(shift, args[4]), builder.add(shift, args[5])

        mask = first_lanes(builder, args[13], size)
        sums = add_products(builder, pixels, 0, rows, lambda q: q, args[2], sums, places_of, mask)
        for i, (first, second) in enumerate(sums):
            line = builder.gep(dest, [builder.mul(args[11], WIDE(i))])
            store_vector(builder, first, line, WIDE(0), mask)
            store_vector(builder, second, line, args[12], mask)
        return context.get_dummy_value()

    return types.void(*arrays), codegen


@inner()
def _correlate_part(part, parts, x, padded, room, corner, corners, places, lanes, offsets, w, bias, out):
    """This part of the spans of pixels, for all output channels, of all images."""
    source, dest, filters = flat(padded), flat(out), flat(w)
    channels, area = out.shape[1:]
    taps = offsets.size
    spans, inputs = (places.size + SPAN - 1) // SPAN, source.size // padded.shape[0]
    begin, end = share_of(x.shape[0] * spans, part, parts)
    previous = np.intp(-1)
    for at in range(begin, end):
        n, p0 = at // spans, at % spans * SPAN
        image = image_for(part, x, n, previous, padded, room, corner)
        previous = n
        for block in range(0, channels, ROWS):
            k = smaller(block, channels - ROWS)  # the last tile overlaps the one before
            to = (n * channels + k) * area
            for p in range(p0, smaller(p0 + SPAN, places.size), 2):
                place, start = np.intp(places[p]), image * inputs
                _sum_rows(
                    filters, k * taps, taps, source, start + corners[p], start + corners[p + 1], offsets, bias, k,
                    dest, to + place, area, np.intp(places[p + 1]) - place, lanes,
                )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _correlate(crew, parts, x, padded, room, corner, corners, places, lanes, offsets, w, bias, out):
    """out[n, k, places[p] + lane] = bias[k] + sum over q of w[k, q] * x[n, corners[p] + offsets[q] + lane].

    For the first `lanes` of a vector. x is read where it lies in `padded`, of which `room` says what it is.
    """
    if room == SHARED:
        split(crew, pad_part, parts, (parts, x, np.intp(0), x.shape[0], padded, corner))
    split(crew, _correlate_part, parts, (parts, x, padded, room, corner, corners, places, lanes, offsets, w, bias, out))


def pays(taps, stride, out, lanes, turned=False):
    """Whether so many taps are faster this way than by vectors of so many output channels; the figures are of Zen 5.

    Weights that are `turned` have to be copied for it, others for the other way, which counts where pixels are few.
    """
    size, (channels, *_, wide) = VECTOR_BYTES // out.itemsize, out.shape[1:]
    if stride[-1] > 1:
        return False
    ours = (taps + 6) * _rounded_up(wide, size) / wide * _rounded_up(channels, ROWS)
    theirs = (taps + 25) * 1.08 * _rounded_up(channels, lanes) * (1.28 if lanes == size else 1.0)
    pixels = out.size / channels
    return ours * (1 + 340 / pixels) < theirs if turned else ours < theirs * (1 + 18 / pixels)


def _rounded_up(n, unit):
    return -(-n // unit) * unit


@lru_cache(maxsize=64)
def _places(shape, size):
    """Where in a plane vectors begin that cover its rows, the last overlapping the one before; an even number."""
    *high, wide = shape
    columns = np.minimum(np.arange(0, wide, size), max(0, wide - size))
    places = (np.arange(prod(high))[:, None] * wide + columns).ravel()
    return np.append(places, places[-1:] if places.size % 2 else []).astype(np.uint32)


def convolution(x, size, corner, corners, offsets, w, bias, out):
    """`conv.convolution`, with the tables of its windows: where each output's begins, and its taps from there."""
    if len(w) < ROWS:
        _of_few_channels(x, size, corner, corners, offsets, w, bias, out)
        return
    x, dest = whole(x), whole(out)
    lanes = VECTOR_BYTES // out.itemsize
    places = _places(out.shape[2:], lanes)
    start = np.zeros(len(w), out.dtype) if bias is None else whole(bias)
    crew, parts = threads.share(out.size * offsets.size // MULTIPLICATIONS, len(x) * -(-places.size // SPAN))
    room, padded = room_for(x, parts, size)
    _correlate(
        crew, parts, volumes(x, 2), volumes(padded, 2), room, in_volume(corner), corners[places], places,
        min(out.shape[-1], lanes), offsets, whole(w).reshape(-1), start, dest.reshape(*out.shape[:2], -1),
    )  # fmt: skip
    if dest is not out:
        out[...] = dest


def _of_few_channels(x, size, corner, corners, offsets, w, bias, out):
    """The same with filters of zeros for the output channels that a tile has and out has not."""
    filters, start = np.zeros((ROWS, *w.shape[1:]), w.dtype), np.zeros(ROWS, w.dtype)
    filters[: len(w)] = w
    if bias is not None:
        start[: len(w)] = bias
    filled = np.empty((len(x), ROWS, *out.shape[2:]), out.dtype)
    convolution(x, size, corner, corners, offsets, filters, start, filled)
    out[...] = filled[:, : len(w)]
