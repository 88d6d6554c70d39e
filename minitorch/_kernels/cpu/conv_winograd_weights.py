"""The gradient of 3x3 filters by Winograd's F(2x2, 3x3), whose forward way is `conv_winograd.py`.

With the transforms named there, summed over all tiles of 2x2 output pixels, whose gradient is g,

    dw = G' (sum of (A g A') * (B' x B)) G

Tiles are the inner dimension of 16 matrix products here. The transforms' lanes are tiles, which suits the operand that
products take single numbers of; that which they take vectors of is transposed.
"""

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from . import threads
from .conv_winograd import (
    APART,
    LANES,
    POINTS,
    ROWS,
    both_ways,
    multiply,
    tile_runs,
    tiles_of,
    transform_pixels,
)
from .inlined import flat, smaller
from .inner import inner
from .padded_images import pad_part
from .parallel import share_of, split
from .tables import in_volume, rounded_up, volumes
from .tiles import (
    MULTIPLICATIONS,
    PER_CYCLE,
    WIDE,
    first_lanes,
    lanes_of,
    load_vector,
    pointers,
    shuffled,
    splat,
    store_vector,
    transpose,
)

SIZE = LANES // 2  # of a vector
TILES = 4 * LANES  # that are summed before the next are transformed: the sums are read and written once for them
MOST = 2**18 if PER_CYCLE == 1 else 3 * 2**15  # filters: the sums of more are too far away


def _slopes(builder, a, b):
    """A times a column."""
    return [a, builder.fadd(a, b), builder.fsub(a, b), builder.fneg(b)]


def _taps(builder, a, b, c, d):
    """G' times a column."""
    half = splat(builder, a.type.element(0.5), a.type.count)
    outer, middle = (builder.fmul(f(b, c), half) for f in (builder.fadd, builder.fsub))
    return [builder.fadd(a, outer), middle, builder.fadd(outer, d)]


@intrinsic
def _transform_slopes(typingctx, g, g0, row, columns, rows, u, u0, step):
    """u[u0 + p * step + t] = (A g A')[p], g the 2x2 pixels whose rows begin at g[g0 + 2 t + r * row].

    For the tiles of so many columns; pixels beyond them, and beyond the rows, are zeros.
    """
    at = types.intp

    def codegen(context, builder, signature, args):
        source, dest = pointers(context, builder, signature, args, (0, 5))
        size = lanes_of(source)
        square = []
        for r in (0, 1):
            line = builder.gep(source, [builder.mul(args[2], WIDE(r))])
            here = builder.select(builder.icmp_signed("<", WIDE(r), args[4]), args[3], WIDE(0))
            masks = [first_lanes(builder, builder.sub(here, WIDE(k)), size) for k in (0, size)]
            halves = [load_vector(builder, line, WIDE(k), size, mask) for k, mask in zip((0, size), masks, strict=True)]
            square.append([shuffled(builder, *halves, range(k, 2 * size, 2)) for k in (0, 1)])
        tiles = builder.ashr(builder.add(args[3], WIDE(1)), WIDE(1))
        mask = first_lanes(builder, tiles, size)
        for p, value in enumerate(both_ways(builder, _slopes, square)):
            store_vector(builder, value, dest, builder.mul(args[7], WIDE(p)), mask)
        return context.get_dummy_value()

    return types.void(g, at, at, at, at, u, at, at), codegen


@intrinsic
def _transform_sums(typingctx, m, m0, step, taps):
    """taps[t, c] = (G' M G)[t], M = m[m0 + p * step + c], for a vector of c."""
    at = types.intp

    def codegen(context, builder, signature, args):
        source, dest = pointers(context, builder, signature, (*args, WIDE(0)), (0, 3))
        size = lanes_of(source)
        sums = [load_vector(builder, source, builder.mul(args[2], WIDE(p)), size) for p in range(POINTS)]
        for t, value in enumerate(both_ways(builder, _taps, [sums[p : p + 4] for p in range(0, POINTS, 4)])):
            store_vector(builder, value, dest, WIDE(t * size))
        return context.get_dummy_value()

    return types.void(m, at, at, taps), codegen


@inner()
def _transform_part(part, parts, x, g, g0, runs, first, last, made, sizes):
    """What is multiplied of the tiles of these runs, for this part of the channels; input channels are transposed."""
    filters, members, plane, row, area, wide = sizes
    v, u, room = made[0], made[1], made[2][part]
    begin, end = share_of(filters, part, parts)
    for k in range(begin, end):
        for run in range(first, last):
            start, to = g0 + runs[run, 3] + k * area, k * TILES + runs[run, 0]
            _transform_slopes(g, start, wide, runs[run, 4], runs[run, 5], u, to, u.size // POINTS)
    begin, end = share_of((members + SIZE - 1) // SIZE, part, parts)
    for at in range(begin, end):
        run = first
        while run < last:
            lane = runs[run, 0] // SIZE * SIZE
            while run < last and runs[run, 0] < lane + SIZE:
                for j in range(SIZE):
                    start = runs[run, 2] + smaller(at * SIZE + j, members - 1) * plane
                    transform_pixels(x, start, row, runs[run, 1], room, j * SIZE + runs[run, 0] - lane, SIZE * SIZE)
                run += 1
            for p in range(POINTS):
                to = p * (v.size // POINTS) + (at // 2 * TILES + lane) * LANES + at % 2 * SIZE
                transpose(room, p * SIZE * SIZE, SIZE, v, to, LANES)


@inner()
def _multiply_part(part, parts, tiles, made, m, begun, sizes):
    """This part of the panels of input channels of all points: sums over these tiles, added to m once it is begun."""
    filters, members = sizes[:2]
    v, u, zeros = made[0], made[1], made[3]
    blocks, panels = (filters + ROWS - 1) // ROWS, (members + LANES - 1) // LANES
    begin, end = share_of(POINTS * panels, part, parts)
    for at in range(begin, end):
        pixel = at // panels * (v.size // POINTS) + at % panels * TILES * LANES
        sums = at // panels * (m.size // POINTS) + at % panels * blocks * ROWS * LANES
        for k in range(blocks):
            slope, to = at // panels * (u.size // POINTS) + k * ROWS * TILES, sums + k * ROWS * LANES
            start, s0 = (m, to) if begun else (zeros, np.intp(0))
            multiply(u, slope, 1, TILES, v, pixel, tiles, start, s0, m, to)


@inner()
def _write_part(part, parts, m, taps, dw, sizes):
    """This part of the output channels' filters."""
    filters, members = sizes[:2]
    blocks, room = (filters + ROWS - 1) // ROWS, taps[part]
    begin, end = share_of(filters, part, parts)
    for c in range(0, members, SIZE):
        for k in range(begin, end):
            line = c // LANES * blocks * ROWS + k
            _transform_sums(m, line * LANES + c % LANES, m.size // POINTS, room)
            for i in range(smaller(SIZE, members - c)):
                for t in range(9):
                    dw[(k * members + c + i) * 9 + t] = room[t * SIZE + i]


@njit(cache=True, nogil=True, error_model="numpy")
def _gradient(crew, parts, x, padded, corner, g, plan, made, m, taps, dw, sizes):
    """dw, summed over groups of as many images as there is room for, in blocks of TILES.

    Threads share a block's channels, then its products: each sum is one thread's, whatever their number.
    """
    runs, firsts = plan
    filters, members, plane, _, area, _ = sizes
    room, begun = padded.shape[0], False
    for n in range(0, x.shape[0], room):
        many = smaller(room, x.shape[0] - n)
        split(crew, pad_part, parts, (parts, x, n, many, padded, corner))
        for block in range(firsts.size - 1):
            first, last = firsts[block], firsts[block + 1]
            while last > first and runs[last - 1, 2] >= many * members * plane:
                last -= 1
            if last > first:
                ends = parts, flat(padded), g, n * filters * area, runs, first, last, made, sizes
                split(crew, _transform_part, parts, ends)
                tiles = runs[last - 1, 0] + runs[last - 1, 1]
                split(crew, _multiply_part, parts, (parts, tiles, made, m, begun, sizes))
                begun = True
    split(crew, _write_part, parts, (parts, m, taps, dw, sizes))
    faults = 0
    for i in range(dw.size):
        faults += dw[i] - dw[i] != 0
    return faults == 0


def pays(needed, x, g):
    """Whether this is faster than `conv.py`, which multiplies the needed share of the taps.

    As in `conv_winograd.pays`, in multiplications; a transform, with a transpose, takes the time of 200. The sums of
    many filters do not stay in L2.
    """
    (images, filters, high, wide), members = g.shape, x.shape[1]
    pairs, tiles = members * filters, images * tiles_of(g)
    products = tiles * POINTS * rounded_up(filters, ROWS) * rounded_up(members, LANES)
    besides = tiles * 200 * (members + filters) + 300 * pairs + (products / 10 if pairs > 2**15 else 0)
    ours = products + besides * PER_CYCLE
    return pairs <= MOST and 1.05 * ours < 9 * pairs * images * high * wide * needed


def convolution_backward_weight(g, x, padding, dw):
    """Write the gradient of 3x3 filters without stride, and return whether all its numbers are finite.

    If not, any of them may be wrong. All arrays are contiguous: g (N, K, OH, OW), x (N, C, H, W), dw (K, C, 3, 3).
    """
    (filters, high, wide), members = g.shape[1:], x.shape[1]
    size = tuple(n + n % 2 + 2 for n in (high, wide))
    plane, area, tiles = size[0] * size[1], high * wide, tiles_of(g)
    together = min(len(x), -(-4 * TILES // tiles))
    plan = tile_runs(together, members * plane, filters * area, size[1], (high, wide), TILES)
    blocks, panels = -(-filters // ROWS), -(-members // LANES)
    work = len(x) * tiles * POINTS * members * filters // MULTIPLICATIONS
    inputs = together * members * plane
    padded = np.empty(inputs + 2 * LANES, x.dtype)[:inputs].reshape(together, members, 1, *size)
    lines = rounded_up(members, LANES), blocks * ROWS
    v, u = (np.empty(POINTS * (n * TILES + APART), x.dtype) for n in lines)
    m, zeros = np.empty(POINTS * (blocks * panels * ROWS * LANES + APART), x.dtype), np.zeros(ROWS * LANES, x.dtype)
    crew, parts = threads.share(work, POINTS * panels)
    made = v, u, np.empty((parts, POINTS * SIZE * SIZE), x.dtype), zeros
    taps = np.empty((parts, 9 * SIZE), x.dtype)
    sizes = filters, members, plane, size[1], area, wide
    source = volumes(x, 2), padded, in_volume(padding), g.reshape(-1)
    return _gradient(crew, parts, *source, plan, made, m, taps, dw.reshape(-1), sizes)
