"""Convolution in one to three dimensions and its gradients: one vector microkernel driven by tables of offsets.

Every product here has the form

    tile[i, lane] = sum over q of vectors[q, lane] * x[bases[i] + offsets[q]]

forward:          i = output pixel, q = filter tap (channel, row, column), lane = output channel
input gradient:   i = input pixel,  q = tap of the flipped filter,         lane = input channel
weight gradient:  i = filter tap,   q = output pixel,                      lane = output channel

so stride, padding, dilation and the number of dimensions live in the tables (`conv_tables.py`) and no
im2col buffer exists.  Lanes run over channels, not pixels, because channel counts are multiples of the
vector length far more often than image widths are.  `bases` and `offsets` point into a zero-padded
copy of one image, and a list says which q meet more than zeros.

float32 and float64 take this route or, without stride along a row, that of `conv_pixels.py`, whose
lanes are pixels of one, where a guess at both says that it is faster; integers the one in `conv_integers.py`.
"""

from functools import lru_cache
from math import prod

import numpy as np
from numba import njit

from minitorch._kernels.copies import copy
from minitorch._kernels.layout import channels_to_end, is_channels_last

from . import (
    conv_depthwise,
    conv_phases,
    conv_pixels,
    conv_tables,
    conv_winograd,
    conv_winograd_weights,
    products,
    threads,
)
from .conv_tables import BLOCK
from .inlined import flat, smaller
from .inner import inner
from .padded_images import ROOM, SHARED, first_of, image_for, pad_part, room_for, workspace
from .parallel import share_of, split
from .tables import groups_of, in_volume, volumes, whole
from .tiles import TILE, VECTOR_BYTES, VECTORS, sum_tile, transpose, transpose_rows

# Multiplications of a group of filters, in lanes that are half empty, from which a pass over pixels for each pays.
ALONE = 3 * 2**19


def _lanes(dtype, channels):
    """Of a block: one vector if it holds the channels, else VECTORS."""
    size = VECTOR_BYTES // dtype.itemsize
    return size if channels <= size else VECTORS * size


@inner()
def _pack(source, start, step, used, outer, outer_step, table, t0, t1, dest, d0, lanes):
    """dest[d0 + (o, t), lane] = source[start + o * outer_step + lane * step + table[t]]."""
    count = t1 - t0
    square = np.intp(VECTOR_BYTES // source.itemsize)
    whole_lanes = 0
    if table[t1 - 1] - table[t0] == count - 1:
        whole_lanes = used // square * square
    for o in range(outer):
        row = d0 + o * count * lanes
        base = start + o * outer_step
        full = whole_lanes
        if (outer - o) * count < square:  # what a square of few taps reads and writes too much is the next o's
            full = 0
        for lane in range(0, full, square):
            for t in range(0, count, square):
                if count > square:
                    t = smaller(t, count - square)
                at = base + lane * step + table[t0] + t
                transpose(source, at, step, dest, row + t * lanes + lane, lanes)
        for lane in range(full, lanes):
            for t in range(count):
                at = base + lane * step + table[t0 + t]
                dest[row + t * lanes + lane] = source[at] if lane < used else 0


@inner()
def _unpack(source, s0, rows, used, lanes, table, t0, t1, dest, start, step):
    """dest[start + lane * step + table[t]] = source[s0 + (rows[t], lane)]."""
    count = t1 - t0
    square = np.intp(VECTOR_BYTES // source.itemsize)
    full = used // square * square if count >= square else 0
    for lane in range(0, full, square):
        for t in range(0, count, square):
            t = t0 + smaller(t, count - square)
            at = start + lane * step + table[t]
            if table[t + square - 1] - table[t] == square - 1:
                transpose_rows(source, s0 + lane, lanes, rows, t, dest, at, step)
            else:
                for k in range(t, t + square):
                    for i in range(lane, lane + square):
                        dest[start + i * step + table[k]] = source[s0 + np.intp(rows[k]) * lanes + i]
    for lane in range(full, used):
        for t in range(t0, t1):
            dest[start + lane * step + table[t]] = source[s0 + np.intp(rows[t]) * lanes + lane]


@inner()
def _pack_weights_part(part, parts, w, steps, filter_taps, weights, sizes):
    """Blocks of lanes of the weights, one after the other as _correlate_part reads them."""
    group_step, lane_step, outer, outer_step = steps
    groups, channels, lanes = sizes[:3]
    blocks = (channels + lanes - 1) // lanes
    begin, end = share_of(groups * blocks, part, parts)
    for block in range(begin, end):
        group, k = block // blocks, block % blocks * lanes
        _pack(
            w, group * group_step + k * lane_step, lane_step, smaller(lanes, channels - k),
            outer, outer_step, filter_taps, np.intp(0), filter_taps.size,
            weights, block * outer * filter_taps.size * lanes, lanes,
        )  # fmt: skip


@inner()
def _correlate_part(part, parts, x, padded, room, corner, bias, plan, weights, tiles, out, sizes):
    """This part of the blocks of pixels, of all blocks of lanes, of all images."""
    bases, offsets, where, rows, lists, ends = plan
    groups, channels, lanes, area, inputs, outputs, members, at_once = sizes
    source, tile = flat(padded), tiles[part]
    pixels, taps = where.size, offsets.size
    blocks = (channels + lanes - 1) // lanes
    spans = (pixels + BLOCK - 1) // BLOCK
    begin, end = share_of(x.shape[0] * groups * blocks * spans, part, parts)
    previous = np.intp(-1)
    for at in range(begin, end):
        n, block, p0 = at // (groups * blocks * spans), at // spans % (groups * blocks), at % spans * BLOCK
        image = image_for(part, x, n, previous, padded, room, corner)
        previous = n
        group, k = block // blocks, block % blocks * lanes
        p1 = smaller(p0 + BLOCK, pixels)
        start, s0, step = bias, block * lanes, 0
        for c in range(0, members, at_once):
            t, count = c * (taps // members), smaller(at_once, members - c)
            for p in range(p0, p1, TILE):
                first, last = ends[p // TILE]
                sum_tile(
                    weights, (block * taps + t) * lanes, source, (image * groups + group) * inputs, bases, p,
                    offsets, t, lists, first, count * (last - first),
                    start, s0 + (p - p0) * step, step, tile, (p - p0) * lanes, lanes,
                )  # fmt: skip
            start, s0, step = tile, 0, lanes
        d0 = n * outputs + (group * channels + k) * area
        _unpack(tile, -p0 * lanes, rows, smaller(lanes, channels - k), lanes, where, p0, p1, out, d0, area)


@njit(cache=True, nogil=True, error_model="numpy")
def _correlate(crew, parts, x, padded, room, corner, w, steps, filter_taps, bias, plan, weights, tiles, out, sizes):
    """out[n, k, where[p]] = bias[k] + sum over t of w[k, t] * x[n, bases[rows[p]] + offsets[t]].

    One block of lanes at a time over all pixels; in chunks of `at_once` of a group's members among the channels, whose
    packed weights stay in L1 over a block of pixels. `room` says what `padded` is.
    """
    split(crew, _pack_weights_part, parts, (parts, w, steps, filter_taps, weights, sizes))
    if room == SHARED:
        split(crew, pad_part, parts, (parts, x, np.intp(0), x.shape[0], padded, corner))
    split(crew, _correlate_part, parts, (parts, x, padded, room, corner, bias, plan, weights, tiles, out, sizes))


@inner()
def _pack_gradient_part(part, parts, g, n, many, group_size, identity, packed, sizes):
    """The gradient's images n to n + many, in groups: packed[group, block, image of the group and pixel, lane]."""
    groups, channels, lanes, pixels = sizes[:4]
    blocks = (channels + lanes - 1) // lanes
    spans = (pixels + BLOCK - 1) // BLOCK
    begin, end = share_of(many * groups * blocks * spans, part, parts)
    for at in range(begin, end):
        i, block, p0 = at // (groups * blocks * spans), at // spans % (groups * blocks), at % spans * BLOCK
        group, k = block // blocks, block % blocks * lanes
        first = i // group_size * group_size
        row = first * groups * blocks + block * smaller(group_size, many - first) + i - first
        _pack(
            g, (((n + i) * groups + group) * channels + k) * pixels, pixels, smaller(lanes, channels - k),
            np.intp(1), np.intp(0), identity, p0, smaller(p0 + BLOCK, pixels),
            packed, (row * pixels + p0) * lanes, lanes,
        )  # fmt: skip


@inner()
def _correlate_weights_part(part, parts, source, image, many, group_size, plan, packed, sums, sizes):
    """This part of the tiles of taps, of all blocks of lanes, over images `image` to `image` + many in `source`."""
    bases, offsets, _, lists, ends = plan
    groups, channels, lanes, pixels, _, inputs = sizes
    # Not a bare 0: Numba would compile the helpers once more for a literal.
    zero, blocks, tiles = np.intp(0), (channels + lanes - 1) // lanes, ends.shape[0]
    begin, end = share_of(groups * blocks * tiles, part, parts)
    at = begin
    while at < end:
        block = at // tiles
        last = smaller(end, (block + 1) * tiles)
        for i in range(0, many, group_size):
            together = smaller(group_size, many - i)
            x0 = ((image + i) * groups + block // blocks) * inputs
            row = (i * groups * blocks + block * together) * pixels
            for span in range(ends.shape[1] - 1):
                for tile in range(at, last):
                    t, d0 = tile % tiles, tile * TILE * lanes
                    count = together * (ends[t, span + 1] - ends[t, span])
                    if count:
                        sum_tile(
                            packed, row * lanes, source, x0, bases, t * TILE, offsets, zero, lists, ends[t, span],
                            count, sums, d0, lanes, sums, d0, lanes,
                        )  # fmt: skip
        at = last


@njit(cache=True, nogil=True, error_model="numpy")
def _correlate_weights(crew, parts, x, padded, copies, corner, g, identity, plan, group_size, packed, sums, dw, sizes):
    """dw[k, t] = sum over n, p of g[n, k, p] * x[n, bases[rows[t]] + offsets[p]].

    In blocks of at most BLOCK pixels, of several images where one has fewer, so that the packed
    gradient stays in L2 over all taps. Threads share the taps of as many images as there is room for: each sum is one
    thread's, over the images in their order, whatever the number of threads.
    """
    groups, channels, lanes, pixels, taps, _ = sizes
    zero, blocks = np.intp(0), (channels + lanes - 1) // lanes
    room = packed.size // (groups * blocks * pixels * lanes)
    for n in range(0, x.shape[0], room):
        many = smaller(room, x.shape[0] - n)
        image = first_of(crew, parts, x, n, many, padded, copies, corner)
        split(crew, _pack_gradient_part, parts, (parts, g, n, many, group_size, identity, packed, sizes))
        ends = parts, flat(padded), image, many, group_size, plan, packed, sums, sizes
        split(crew, _correlate_weights_part, parts, ends)
    for block in range(groups * blocks):
        group, k = block // blocks, block % blocks * lanes
        _unpack(
            sums, block * plan[0].size * lanes, plan[2], smaller(lanes, channels - k), lanes,
            identity, zero, taps, dw, (group * channels + k) * taps, taps,
        )  # fmt: skip


def convolution(x, w, bias, stride, padding, dilation, groups, out):
    """out[n, k, i, j] = bias[k] + sum over c, r, s of w[k, c, r, s] * x[n, c, i', j'].

    Where i' = i * stride[0] - padding[0] + r * dilation[0], j' alike, c runs over k's group, and
    `bias` may be None.  x (N, C, H, W), w (K, C / groups, R, S), out (N, K, OH, OW), or with one or
    three dimensions of space; any strides.
    """
    if out.size == 0 or w.size == 0:
        _fill(out, bias)
        return
    if _is_product(w, stride, padding, groups):
        _multiply(w.reshape(w.shape[:2]), x, bias, out)
        return
    if conv_depthwise.fits(x, w, groups, padding, stride, dilation):
        conv_depthwise.convolution(x, w, bias, stride, padding, dilation, out)
        return
    size = _padded_size(x, padding)
    axes = _axes(w.shape[2:], out.shape[2:], stride, dilation)
    taps, share = w[0].size, conv_tables.needed(*axes, padding, x.shape[2:])
    if _has_squares_of_3(w, stride, dilation, groups) and conv_winograd.pays(share, x, out):
        steps = 0, 9 * w.shape[1], 9, 1
        if _by_winograd(x, w, steps, padding, bias, out):
            return
    if stride[-1] == 1 and _pixels_pay(taps, share, out.shape, groups, out.dtype):
        corners, offsets = conv_tables.windows(*axes, w.shape[1], size)
        conv_pixels.convolution(x, size, padding, corners, offsets, w, bias, out)
        return
    steps = w.size // groups, taps, 1, 0
    _write(x, size, padding, axes, 0, w, steps, _identity(taps), groups, bias, out)


def convolution_transpose(g, w, bias, stride, padding, dilation, groups, out):
    """out[n, c, i', j'] = bias[c] + sum over k, r, s of g[n, k, i, j] * w[k, c, r, s], named as in convolution.

    Places in out that lie alike within the stride meet the same taps, so each such phase is a
    correlation of g without stride (`conv_phases.py`).
    """
    if out.size == 0 or w.size == 0 or g.size == 0:
        _fill(out, bias)
        return
    if _is_product(w, stride, padding, groups) and out.shape[2:] == g.shape[2:]:
        _multiply(w.reshape(w.shape[:2]).T, g, bias, out)
        return
    if groups == prod(g.shape[2:]) == 1 and not any(padding) and out.shape[2:] == w.shape[2:]:
        # each image is put in place of the whole filter: as if g were the weights, of an image of the filters
        _multiply(g.reshape(g.shape[:2]), w[None], None, out[None])
        if bias is not None:
            out += bias.reshape(-1, *(1,) * (out.ndim - 2))
        return
    spread = max(stride) > 1  # by zeros, which are no neutral elements beside inf and nan
    if conv_depthwise.fits(g, w, groups, padding, stride, dilation) and not (spread and not np.isfinite(w).all()):
        conv_depthwise.convolution_transpose(g, w, bias, stride, padding, dilation, out)
        return
    if _has_squares_of_3(w, stride, dilation, groups) and max(padding) <= 2:
        steps, corner = (8, 9, 9 * w.shape[1], -1), tuple(2 - p for p in padding)
        share = conv_tables.needed(*_axes((3, 3), out.shape[2:], stride, dilation), corner, g.shape[2:])
        if conv_winograd.pays(share, g, out) and _by_winograd(g, w, steps, corner, bias, out):
            return
    spaces = (a.shape[2:] for a in (w, g, out))
    size, corner, plans, order = conv_phases.phases(*spaces, stride, padding, dilation)
    dest = whole(out)
    if len(plans) < prod(stride):
        _fill(dest, bias)
    for plan in plans:
        _write_phase(g, size, corner, w, groups, bias, plan, dest)
    if order is not None:
        conv_phases.arrange(dest, order)
    if dest is not out:
        copy(out, dest)


def convolution_backward_weight(g, x, stride, padding, dilation, groups, dw):
    """dw[k, c, r, s] = sum over n, i, j of g[n, k, i, j] * x[n, c, i', j'], named as in convolution."""
    if dw.size == 0 or g.size == 0:
        dw.fill(0)
        return
    if _is_product(dw, stride, padding, groups) and is_channels_last(g) and is_channels_last(x):
        products.dot(_pixels(g).T, _pixels(x), None, dw.reshape(dw.shape[:2]))
        return
    if conv_depthwise.fits(x, dw, groups, padding, stride, dilation):
        conv_depthwise.convolution_backward_weight(g, x, stride, padding, dilation, dw)
        return
    dest = whole(dw)
    _sum_weights(whole(g), whole(x), stride, padding, dilation, groups, dest)
    if dest is not dw:
        copy(dw, dest)


def _sum_weights(g, x, stride, padding, dilation, groups, dw):
    """What convolution_backward_weight writes where the filters are not depthwise; all arrays are contiguous."""
    channels = g.shape[1] // groups
    lanes = _lanes(dw.dtype, channels)
    size = _padded_size(x, padding)
    axes = _axes(dw.shape[2:], g.shape[2:], stride, dilation)
    pixels, taps, share = prod(g.shape[2:]), dw[0].size, conv_tables.needed(*axes, padding, x.shape[2:])
    if _has_squares_of_3(dw, stride, dilation, groups) and conv_winograd_weights.pays(share, x, g):
        if conv_winograd_weights.convolution_backward_weight(g, x, padding, dw):
            return
    own = g.shape[0], channels, *g.shape[2:]
    apart = groups == 1 or (2 * channels <= lanes and len(g) * pixels * taps * lanes > ALONE)
    if stride[-1] == 1 and apart and conv_pixels.pays_for_weights(taps, share, own, g.itemsize, lanes):
        tables = conv_tables.windows(*axes, dw.shape[1], size)
        for some, slopes, images in zip(*(np.split(a, groups, d) for a, d in ((dw, 0), (g, 1), (x, 1))), strict=True):
            conv_pixels.convolution_backward_weight(whole(slopes), whole(images), size, padding, *tables, some)
        return
    group_size = min(len(x), max(1, BLOCK // pixels))
    blocks = groups * -(-channels // lanes)
    place = dw.shape[1], size, padding, x.shape[2:]
    plan = conv_tables.tiles_of_taps(*axes, *place, group_size, x.shape[1] * prod(size))
    sums = np.zeros(blocks * plan[0].size * lanes, dw.dtype)
    crew, parts = threads.share(_duration(len(x) * g[0].size * taps, share), blocks * -(-taps // TILE))
    room = group_size
    if crew:
        each = (x.shape[1] * prod(size) + blocks * pixels * lanes) * dw.itemsize
        room = min(len(x), max(1, ROOM // (each * group_size)) * group_size)
    padded = workspace(x, room, size)
    packed = np.empty(room * blocks * pixels * lanes, dw.dtype)
    sizes = groups, channels, lanes, pixels, taps, padded[0].size // groups
    source = volumes(x, 2), volumes(padded, 2), padded is not x, in_volume(padding)
    ends = g.reshape(-1), _identity(max(pixels, taps)), plan, group_size, packed, sums, dw.reshape(-1), sizes
    _correlate_weights(crew, parts, *source, *ends)


def _duration(products, share):
    """About how many nanoseconds one thread takes for this share of so many multiplications with their additions."""
    return int(products * share) // 32


def _fill(out, bias):
    out[...] = 0 if bias is None else bias.reshape(-1, *(1,) * (out.ndim - 2))


def _padded_size(x, padding):
    return tuple(n + 2 * p for n, p in zip(x.shape[2:], padding, strict=True))


def _is_product(w, stride, padding, groups):
    """Whether the convolution is one matrix product per image, at which BLAS is faster."""
    return prod(w.shape[2:]) == 1 and max(stride) == 1 and not any(padding) and groups == 1


def _has_squares_of_3(w, stride, dilation, groups):
    """Whether the filters are those that `conv_winograd.py` is for."""
    return w.shape[2:] == (3, 3) and w.dtype == np.float32 and groups == max(stride) == max(dilation) == 1


def _by_winograd(x, w, steps, padding, bias, out):
    """conv_winograd.convolution, over copies where an array is not contiguous."""
    dest = whole(out)
    finite = conv_winograd.convolution(whole(x), whole(w).reshape(-1), steps, padding, bias, dest)
    if dest is not out:
        copy(out, dest)
    return finite


def _multiply(w, x, bias, out):
    if is_channels_last(x) and is_channels_last(out):
        products.dot(_pixels(x), w.T, None if bias is None else whole(bias), _pixels(out))
        return
    dest = whole(out)
    images, product = (a.reshape(*a.shape[:2], -1) for a in (whole(x), dest))
    products.matmul(whole(w), images, product)
    if bias is not None:
        product += bias[:, None]
    if dest is not out:
        copy(out, dest)


def _pixels(images):
    """(N, C, ...) with channels last as a matrix, a row of channels for each pixel."""
    return channels_to_end(images).reshape(-1, images.shape[1])


def _pixels_pay(taps, needed, shape, groups, dtype, turned=False):
    """`conv_pixels.pays` for a result of this shape."""
    n, channels, *space = shape
    own = channels // groups
    return conv_pixels.pays(taps, needed, (n * groups, own, *space), dtype.itemsize, _lanes(dtype, own), turned)


def _write_phase(g, size, corner, w, groups, bias, plan, out):
    """What convolution_transpose writes for one phase into out's planes."""
    outer, channels, *taps = w.shape[0] // groups, *w.shape[1:]
    axes, begin, filter_taps = plan
    area, shape = prod(taps), (*out.shape[:2], *map(len, axes[0]))
    share = conv_tables.needed(*axes, corner, g.shape[2:])
    if not _pixels_pay(outer * filter_taps.size, share, shape, groups, out.dtype, turned=True):
        steps = w.size // groups, area, outer, channels * area
        _write(g, size, corner, axes, begin, w, steps, filter_taps, groups, bias, out)
        return
    turned = w.reshape(groups, outer, channels, area).swapaxes(1, 2).reshape(-1, outer, area)[:, :, filter_taps]
    phase = out if shape == out.shape else np.empty(shape, out.dtype)
    conv_pixels.convolution(g, size, corner, *conv_tables.windows(*axes, outer, size), turned, bias, phase)
    if phase is not out:
        planes = out.reshape(*shape[:2], -1)
        planes[:, :, begin : begin + prod(shape[2:])] = phase.reshape(*shape[:2], -1)


def _write(x, size, corner, axes, begin, w, steps, filter_taps, groups, bias, out):
    """Run _correlate into out, over copies where an array is not contiguous."""
    x, w, dest = whole(x), whole(w), whole(out)
    channels = out.shape[1] // groups
    lanes = _lanes(out.dtype, channels)
    start = np.zeros((groups, -(-channels // lanes) * lanes), out.dtype)
    if bias is not None:
        start[:, :channels] = bias.reshape(groups, -1)
    most = len(x) * (start.shape[1] // lanes) // threads.count() if groups == 1 else 1  # leaves every thread a part
    together = max(1, min(len(x), most, BLOCK // prod(map(len, axes[0]))))
    together = -(-len(x) // -(-len(x) // together))  # so that the last ones are not few
    place, share = (x.shape[1] // groups, size, corner, x.shape[2:]), conv_tables.needed(*axes, corner, x.shape[2:])
    for first, last, beside in groups_of(together, len(x)):
        plan = conv_tables.tiles_of_pixels(*axes, *place, begin, beside, out[0].size)
        _run(x[first:last], size, corner, w, steps, filter_taps, start, plan, beside, share, dest[first:last])
    if dest is not out:
        copy(out, dest)


def _run(x, size, corner, w, steps, filter_taps, start, plan, together, share, out):
    """_correlate by one plan, where so many images lie side by side as the channels of one: small ones fill no tile.

    Each sum is the same, whatever lies beside it.
    """
    groups, lanes = start.shape[0], _lanes(out.dtype, out.shape[1] // start.shape[0])
    channels, area, members = out.shape[1] // groups, prod(out.shape[2:]), x.shape[1] // groups
    inputs = x.shape[1] * prod(size)
    x = x.reshape(-1, together * x.shape[1], *x.shape[2:])
    blocks, pixels, taps = groups * -(-channels // lanes), plan[2].size, plan[1].size
    items = len(x) * blocks * -(-pixels // BLOCK)
    crew, parts = threads.share(_duration(len(x) * pixels * blocks * lanes * taps, share), items)
    room, padded = room_for(x, parts, size)
    at_once = conv_tables.channels_at_once(taps // members)
    sizes = groups, channels, lanes, area, together * inputs // groups, together * out[0].size, members, at_once
    tiles = np.empty((parts, (BLOCK + TILE) * lanes), out.dtype)
    weights = np.empty(blocks * lanes * taps, out.dtype)
    source = volumes(x, 2), volumes(padded, 2), room, in_volume(corner)
    ends = w.reshape(-1), steps, filter_taps, start.reshape(-1), plan, weights, tiles, out.reshape(-1), sizes
    _correlate(crew, parts, *source, *ends)


@lru_cache(maxsize=64)
def _identity(size):
    return np.arange(size, dtype=np.uint32)


def _axes(taps, outputs, stride, dilation):
    """Where the output pixels' windows start along each axis of a padded image, and the taps' reach from there."""
    starts = tuple(range(0, n * step, step) for n, step in zip(outputs, stride, strict=True))
    return starts, tuple(range(0, n * step, step) for n, step in zip(taps, dilation, strict=True))
