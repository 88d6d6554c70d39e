"""Convolution in one to three dimensions and its gradients: one vector microkernel driven by tables of offsets.

Every product here has the form

    tile[i, lane] = sum over q of vectors[q, lane] * x[bases[i] + offsets[q]]

forward:          i = output pixel, q = filter tap (channel, row, column), lane = output channel
input gradient:   i = input pixel,  q = tap of the flipped filter,         lane = input channel
weight gradient:  i = filter tap,   q = output pixel,                      lane = output channel

so stride, padding, dilation and the number of dimensions live in the tables and no im2col buffer
exists.  Lanes run over channels, not pixels, because channel counts are multiples of the vector
length far more often than image widths are.  `bases` and `offsets` point into a zero-padded copy
of one image.

float32 and float64 take this route or, without stride along a row, that of `conv_pixels.py`, whose
lanes are pixels of one, where a guess at both says that it is faster; integers the one in `conv_integers.py`.
"""

from functools import lru_cache
from math import prod

import numpy as np
from numba import njit

from . import conv_depthwise, conv_phases, conv_pixels, products, threads
from .inlined import flat, smaller
from .inner import inner
from .padded_images import ROOM, SHARED, first_of, image_for, pad_part, room_for, workspace
from .parallel import share_of, split
from .tables import filled, grid, in_volume, volumes, whole
from .tiles import TILE, VECTOR_BYTES, VECTORS, sum_tile, transpose

# Results of this many pixels (a multiple of TILE) stay in L1 between the microkernel and the
# transpose that follows it, and so do the gradient's before it.
BLOCK = 240
# Packed weights of this many taps stay in L1 while a block of pixels is done.
TAPS = 256


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
def _unpack(source, s0, used, lanes, table, t0, t1, dest, start, step):
    """dest[start + lane * step + table[t]] = source[s0 + (t, lane)]."""
    count = t1 - t0
    square = np.intp(VECTOR_BYTES // source.itemsize)
    full = used // square * square if count >= square else 0
    for lane in range(0, full, square):
        for t in range(0, count, square):
            t = smaller(t, count - square)
            at = start + lane * step + table[t0 + t]
            if table[t0 + t + square - 1] - table[t0 + t] == square - 1:
                transpose(source, s0 + t * lanes + lane, lanes, dest, at, step)
            else:
                for k in range(square):
                    for i in range(lane, lane + square):
                        dest[start + i * step + table[t0 + t + k]] = source[s0 + (t + k) * lanes + i]
    for lane in range(full, used):
        for t in range(count):
            dest[start + lane * step + table[t0 + t]] = source[s0 + t * lanes + lane]


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
    bases, offsets, where, _ = plan
    groups, channels, lanes, area, inputs, outputs = sizes
    source, tile = flat(padded), tiles[part]
    # Not a bare 0: Numba would compile the helpers once more for a literal.
    zero, pixels, taps = np.intp(0), where.size, offsets.size
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
        for t in range(0, taps, TAPS):
            v0 = (block * taps + t) * lanes
            for p in range(p0, p1, TILE):
                sum_tile(
                    weights, v0, source, (image * groups + group) * inputs, bases, p, offsets, t,
                    smaller(TAPS, taps - t), start, s0 + (p - p0) * step, step, tile, (p - p0) * lanes, lanes,
                )  # fmt: skip
            start, s0, step = tile, 0, lanes
        d0 = n * outputs + (group * channels + k) * area
        _unpack(tile, zero, smaller(lanes, channels - k), lanes, where, p0, p1, out, d0, area)


@njit(cache=True, nogil=True, error_model="numpy")
def _correlate(crew, parts, x, padded, room, corner, w, steps, bias, plan, weights, tiles, out, sizes):
    """out[n, k, where[p]] = bias[k] + sum over t of w[k, t] * x[n, bases[p] + offsets[t]].

    One block of lanes at a time over all pixels; in chunks of taps, of which the packed weights
    stay in L1 over a block of pixels. `room` says what `padded` is.
    """
    split(crew, _pack_weights_part, parts, (parts, w, steps, plan[3], weights, sizes))
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
    bases, offsets, _ = plan
    groups, channels, lanes, pixels, _, inputs = sizes
    blocks = (channels + lanes - 1) // lanes
    span = pixels if group_size > 1 else BLOCK
    tiles = bases.size // TILE
    begin, end = share_of(groups * blocks * tiles, part, parts)
    at = begin
    while at < end:
        block = at // tiles
        last = smaller(end, (block + 1) * tiles)
        for i in range(0, many, group_size):
            together = smaller(group_size, many - i)
            x0 = ((image + i) * groups + block // blocks) * inputs
            row = (i * groups * blocks + block * together) * pixels
            for p0 in range(0, pixels, span):
                count = together * (smaller(p0 + span, pixels) - p0)
                for tile in range(at, last):
                    d0 = tile * TILE * lanes
                    sum_tile(
                        packed, (row + p0) * lanes, source, x0, bases, tile % tiles * TILE, offsets, p0, count,
                        sums, d0, lanes, sums, d0, lanes,
                    )  # fmt: skip
        at = last


@njit(cache=True, nogil=True, error_model="numpy")
def _correlate_weights(crew, parts, x, padded, copies, corner, g, plan, group_size, packed, sums, dw, sizes):
    """dw[k, t] = sum over n, p of g[n, k, p] * x[n, bases[t] + offsets[p]].

    In blocks of at most BLOCK pixels, of several images where one has fewer, so that the packed
    gradient stays in L1 over all taps. Threads share the taps of as many images as there is room for: each sum is one
    thread's, over the images in their order, whatever the number of threads.
    """
    groups, channels, lanes, pixels, taps, _ = sizes
    zero, blocks = np.intp(0), (channels + lanes - 1) // lanes
    room = packed.size // (groups * blocks * pixels * lanes)
    for n in range(0, x.shape[0], room):
        many = smaller(room, x.shape[0] - n)
        image = first_of(crew, parts, x, n, many, padded, copies, corner)
        split(crew, _pack_gradient_part, parts, (parts, g, n, many, group_size, plan[2], packed, sizes))
        ends = parts, flat(padded), image, many, group_size, plan, packed, sums, sizes
        split(crew, _correlate_weights_part, parts, ends)
    for block in range(groups * blocks):
        group, k = block // blocks, block % blocks * lanes
        _unpack(
            sums, block * plan[0].size * lanes, smaller(lanes, channels - k), lanes,
            plan[2], zero, taps, dw, (group * channels + k) * taps, taps,
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
    pixels, taps = _windows(w.shape[1:], size, out.shape[2:], stride, dilation)
    by_pixels = groups == stride[-1] == 1
    if by_pixels and conv_pixels.pays(taps.size, out.shape, out.itemsize, _lanes(out.dtype, len(w))):
        conv_pixels.convolution(x, size, padding, pixels, taps, w, bias, out)
        return
    plan = filled(pixels, TILE), taps, _identity(pixels.size), _identity(taps.size)
    steps = w.size // groups, taps.size, 1, 0
    _write(x, size, padding, w, steps, groups, bias, plan, out)


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
    spaces = (a.shape[2:] for a in (w, g, out))
    size, corner, plans, order = conv_phases.phases(w.shape[0] // groups, *spaces, stride, padding, dilation)
    dest = whole(out)
    if len(plans) < prod(stride):
        _fill(dest, bias)
    for shape, plan in plans:
        _write_phase(g, size, corner, w, groups, bias, shape, plan, dest)
    if order is not None:
        conv_phases.arrange(dest, order)
    if dest is not out:
        out[...] = dest


def convolution_backward_weight(g, x, stride, padding, dilation, groups, dw):
    """dw[k, c, r, s] = sum over n, i, j of g[n, k, i, j] * x[n, c, i', j'], named as in convolution."""
    if dw.size == 0 or g.size == 0:
        dw.fill(0)
        return
    if conv_depthwise.fits(x, dw, groups, padding, stride, dilation):
        conv_depthwise.convolution_backward_weight(g, x, stride, padding, dilation, dw)
        return
    g, x, dest = whole(g), whole(x), whole(dw)
    channels = g.shape[1] // groups
    lanes = _lanes(dw.dtype, channels)
    size = _padded_size(x, padding)
    pixels, taps = _windows(dw.shape[1:], size, g.shape[2:], stride, dilation)
    if groups == stride[-1] == 1 and conv_pixels.pays_for_weights(taps.size, g.shape, g.itemsize, lanes):
        conv_pixels.convolution_backward_weight(g, x, size, padding, pixels, taps, dest)
        if dest is not dw:
            dw[...] = dest
        return
    group_size = min(len(x), max(1, BLOCK // pixels.size))
    blocks = groups * -(-channels // lanes)
    crew, parts = threads.share(_duration(len(x) * g[0].size * taps.size), blocks * -(-taps.size // TILE))
    room = group_size
    if crew:
        each = (x.shape[1] * prod(size) + blocks * pixels.size * lanes) * dw.itemsize
        room = min(len(x), max(1, ROOM // (each * group_size)) * group_size)
    padded = workspace(x, room, size)
    offsets = _spread(pixels, group_size, x.shape[1] * prod(size))
    plan = filled(taps, TILE), offsets, _identity(max(pixels.size, taps.size))
    packed = np.empty(room * blocks * pixels.size * lanes, dw.dtype)
    sums = np.zeros(blocks * plan[0].size * lanes, dw.dtype)
    sizes = groups, channels, lanes, pixels.size, taps.size, padded[0].size // groups
    source = volumes(x, 2), volumes(padded, 2), padded is not x, in_volume(padding)
    _correlate_weights(crew, parts, *source, g.reshape(-1), plan, group_size, packed, sums, dest.reshape(-1), sizes)
    if dest is not dw:
        dw[...] = dest


def _duration(products):
    """About how many nanoseconds one thread takes for this many multiplications with their additions."""
    return products // 32


def _fill(out, bias):
    out[...] = 0 if bias is None else bias.reshape(-1, *(1,) * (out.ndim - 2))


def _padded_size(x, padding):
    return tuple(n + 2 * p for n, p in zip(x.shape[2:], padding, strict=True))


def _is_product(w, stride, padding, groups):
    """Whether the convolution is one matrix product per image, at which BLAS is faster."""
    return prod(w.shape[2:]) == 1 and max(stride) == 1 and not any(padding) and groups == 1


def _multiply(w, x, bias, out):
    dest = whole(out)
    images, product = (a.reshape(*a.shape[:2], -1) for a in (whole(x), dest))
    products.matmul(whole(w), images, product)
    if bias is not None:
        product += bias[:, None]
    if dest is not out:
        out[...] = dest


def _write_phase(g, size, corner, w, groups, bias, shape, plan, out):
    """What convolution_transpose writes for one phase, of this shape, into out's planes."""
    outer, channels, *taps = w.shape[0] // groups, *w.shape[1:]
    area, shape, (corners, offsets, where, filter_taps) = prod(taps), (*out.shape[:2], *shape), plan
    lanes = _lanes(out.dtype, channels)
    if groups > 1 or not conv_pixels.pays(offsets.size, shape, out.itemsize, lanes, turned=True):
        steps = w.size // groups, area, outer, channels * area
        _write(g, size, corner, w, steps, groups, bias, plan, out)
        return
    turned = w.swapaxes(0, 1).reshape(channels, outer, area)[:, :, filter_taps]
    phase = out if shape == out.shape else np.empty(shape, out.dtype)
    conv_pixels.convolution(g, size, corner, corners[: where.size], offsets, turned, bias, phase)
    if phase is not out:
        planes, begin = out.reshape(*shape[:2], -1), where[0]
        planes[:, :, begin : begin + where.size] = phase.reshape(*shape[:2], -1)


def _write(x, size, corner, w, steps, groups, bias, plan, out):
    """Run _correlate into out, over copies where an array is not contiguous."""
    x, w, dest = whole(x), whole(w), whole(out)
    channels = out.shape[1] // groups
    lanes = _lanes(out.dtype, channels)
    start = np.zeros((groups, -(-channels // lanes) * lanes), out.dtype)
    if bias is not None:
        start[:, :channels] = bias.reshape(groups, -1)
    most = len(x) * (start.shape[1] // lanes) // threads.count() if groups == 1 else 1  # leaves every thread a part
    together = max(1, min(len(x), most, BLOCK // plan[2].size))
    for begin, end in (0, len(x) // together * together), (len(x) // together * together, len(x)):
        if begin < end:
            _run(x[begin:end], size, corner, w, steps, start, plan, min(together, end - begin), dest[begin:end])
    if dest is not out:
        out[...] = dest


def _run(x, size, corner, w, steps, start, plan, together, out):
    """_correlate by one plan, where so many images lie side by side as the channels of one: small ones fill no tile.

    Each sum is the same, whatever lies beside it.
    """
    groups, lanes = start.shape[0], _lanes(out.dtype, out.shape[1] // start.shape[0])
    channels, area = out.shape[1] // groups, prod(out.shape[2:])
    inputs = x.shape[1] * prod(size)
    if together > 1:
        bases, offsets, where, taps = plan
        where = _spread(where, together, out[0].size)
        plan = filled(_spread(bases[: plan[2].size], together, inputs), TILE), offsets, where, taps
    x = x.reshape(-1, together * x.shape[1], *x.shape[2:])
    blocks, pixels, taps = groups * -(-channels // lanes), plan[2].size, plan[1].size
    items = len(x) * blocks * -(-pixels // BLOCK)
    crew, parts = threads.share(_duration(len(x) * pixels * blocks * lanes * taps), items)
    room, padded = room_for(x, parts, size)
    sizes = groups, channels, lanes, area, together * inputs // groups, together * out[0].size
    tiles = np.empty((parts, (BLOCK + TILE) * lanes), out.dtype)
    weights = np.empty(blocks * lanes * taps, out.dtype)
    source = volumes(x, 2), volumes(padded, 2), room, in_volume(corner)
    ends = w.reshape(-1), steps, start.reshape(-1), plan, weights, tiles, out.reshape(-1), sizes
    _correlate(crew, parts, *source, *ends)


def _spread(offsets, count, step):
    """The offsets repeated for each of `count` planes that lie `step` apart."""
    return (np.arange(count)[:, None] * step + np.asarray(offsets, np.int64)).ravel().astype(np.uint32)


@lru_cache(maxsize=64)
def _identity(size):
    return np.arange(size, dtype=np.uint32)


@lru_cache(maxsize=64)
def _windows(filters, size, outputs, stride, dilation):
    """Offsets of the output pixels' corners in a padded image, and of the taps from a corner."""
    channels, *taps = filters
    corners = [np.arange(n) * step for n, step in zip(outputs, stride, strict=True)]
    reach = [np.arange(n) * step for n, step in zip(taps, dilation, strict=True)]
    return grid(corners, size).astype(np.uint32), _spread(grid(reach, size), channels, prod(size))
