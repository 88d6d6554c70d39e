"""Matrix products by tiles of sums held in registers, for processors whose vectors OpenBLAS may leave half empty.

    c[i, j] = sum over k of a[i, k] * b[k, j]

The columns of b are packed into panels, DEPTH rows at a time, which stay in L1 while all rows of a pass by; a is read
where it lies, in rows or in columns (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008,
pack both: here L2 is large enough). A sum is that of each DEPTH products, added in the order of k, whatever the block,
the tile or the thread it falls to, so a product has the same bits at any number of threads.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from .inlined import flat, smaller
from .inner import inner
from .parallel import share_of, split
from .plane_vectors import copy_line
from .tiles import (
    SQUARE,
    TILE,
    VECTOR_BYTES,
    VECTORS,
    WIDE,
    add_products,
    fits_one_vector,
    lanes_of,
    load_tile,
    pointers,
    store_tile,
    transpose,
)  # fmt: skip

# OpenBLAS's code for AVX2 is as fast as ours. So is that for AVX-512, but it is not always chosen: where
# OPENBLAS_CORETYPE says otherwise, or OpenBLAS does not know the processor, AVX2's runs and takes twice the time.
BETTER_THAN_BLAS = VECTOR_BYTES == 64
DEPTH = 256  # rows of a panel: of two vectors each, under AVX-512 they are 32 KiB of L1
STRIP = 40 * TILE  # rows of a that pass by a panel: of DEPTH numbers each they stay in L2
HEIGHTS = TILE, TILE // 3  # of tiles: the lower one, so that a few last rows do not cost as much as TILE


def lanes(dtype):
    """The numbers in a row of a panel."""
    return VECTORS * VECTOR_BYTES // dtype.itemsize


@intrinsic
def product_tile(typingctx, panel, p0, a, a0, row, step, count, start, s0, s_row, dest, d0, d_row, rows, lanes):
    """dest[i * d_row + lane] = start[i * s_row + lane] + sum over q of panel[q, lane] * a[i * row + q * step].

    For i < rows <= TILE. Rows of start and dest have one vector or VECTORS, as `lanes` says, a panel's VECTORS.
    """
    at = types.intp
    arrays = (panel, at, a, at, at, at, at, start, at, at, dest, at, at, at, at)

    def codegen(context, builder, signature, args):
        panel, a, start, dest = pointers(context, builder, signature, args, (0, 2, 7, 10))
        row, step, count, s_row, d_row, rows, lanes = (args[k] for k in (4, 5, 6, 9, 12, 13, 14))
        last = builder.sub(rows, WIDE(1))

        def emit(height, width):
            # Rows of the tile beyond `rows` do the last one once more, so that the loop has no branches.
            places = [builder.select(builder.icmp_signed("<", last, WIDE(i)), last, WIDE(i)) for i in range(height)]
            lines = [builder.gep(a, [builder.mul(i, row)]) for i in places]
            size = lanes_of(panel)
            zero = ir.Constant(ir.VectorType(panel.type.pointee, size), [0.0] * size)
            zeros, shift = [[zero] * width] * height, lambda q: builder.mul(q, step)
            sums = add_products(builder, panel, VECTORS * size, lines, shift, count, zeros)
            before = load_tile(builder, start, [builder.mul(i, s_row) for i in places], width)
            totals = [list(map(builder.fadd, *rows)) for rows in zip(before, sums, strict=True)]
            store_tile(builder, totals, dest, [builder.mul(i, d_row) for i in places])

        def choose(heights, width):
            if len(heights) == 1:
                emit(heights[0], width)
                return
            with builder.if_else(builder.icmp_signed("<=", rows, WIDE(heights[1]))) as (fewer, these):
                with fewer:
                    choose(heights[1:], width)
                with these:
                    emit(heights[0], width)

        with builder.if_else(fits_one_vector(builder, panel, lanes)) as (one, several):
            with one:
                choose(HEIGHTS, 1)
            with several:
                choose(HEIGHTS, VECTORS)
        return context.get_dummy_value()

    return types.void(*arrays), codegen


@inner(_nrt=False)
def pack_panel(b, b0, row, step, count, used, lanes, panel, p0):
    """panel[q, lane] = b[q * row + lane * step] for q < count, lane < used; 0 in the other lanes."""
    square = smaller(np.intp(VECTOR_BYTES // b.itemsize), SQUARE)
    if used < lanes:
        for k in range(count * lanes):
            panel[p0 + k] = 0
    if step == 1:
        for q in range(count):
            copy_line(b, b0 + q * row, panel, p0 + q * lanes, used)
        return
    square_lanes, square_rows = np.intp(0), np.intp(0)  # how much whole squares cover
    if row == 1:
        square_lanes, square_rows = used // square * square, count // square * square
    for lane in range(0, square_lanes, square):
        for q in range(0, square_rows, square):
            transpose(b, b0 + q + lane * step, step, panel, p0 + q * lanes + lane, lanes)
    for lane in range(used):
        for q in range(square_rows if lane < square_lanes else 0, count):
            panel[p0 + q * lanes + lane] = b[b0 + q * row + lane * step]


@njit(cache=True, error_model="numpy", _nrt=False)
def pack(b, steps, n, packed):
    """All panels of b, which has n columns, in the order in which `multiply` reads them.

    `packed` has as many rows as b, and as many columns as whole panels have lanes.
    """
    p0, (count, columns) = np.intp(0), packed.shape
    lanes, dest = np.intp(VECTORS * VECTOR_BYTES // b.itemsize), flat(packed)
    for q in range(0, count, DEPTH):
        deep = smaller(DEPTH, count - q)
        for j in range(0, columns, lanes):
            pack_panel(b, q * steps[0] + j * steps[1], steps[0], steps[1], deep, smaller(lanes, n - j), lanes, dest, p0)
            p0 += deep * lanes


@inner(_nrt=False)
def multiply(a, a0, a_row, a_step, b, b0, b_row, b_step, c, c0, c_row, m, n, count, row, r0, r_step, packed, edge, e0):
    """c = row + a @ b of m rows, n columns and `count` products each, STRIP rows at a time.

    The row to add has whole vectors, from r0 on; with r_step 0 it is the same for each panel. Packs a panel of b at a
    time; where b is None, which leaves that code out, `packed` has all of them. The last panel, if c has no room for
    whole vectors of it, goes by way of edge: as many rows of a panel as a strip has.
    """
    lanes = np.intp(VECTORS * VECTOR_BYTES // a.itemsize)
    for i0 in range(0, m, STRIP):
        rows, a1, c1, p0 = smaller(STRIP, m - i0), a0 + i0 * a_row, c0 + i0 * c_row, np.intp(0)
        for q in range(0, count, DEPTH):
            deep = smaller(DEPTH, count - q)
            for j in range(0, n, lanes):
                used = smaller(lanes, n - j)
                if b is not None:
                    pack_panel(b, b0 + q * b_row + j * b_step, b_row, b_step, deep, used, lanes, packed, p0)
                dest, d0, d_row = c, c1 + j, c_row
                if used != lanes and used != lanes // 2:
                    dest, d0, d_row = edge, e0, lanes
                start, s0, s_row = dest, d0, d_row
                if q == 0:
                    start, s0, s_row = row, r0 + j * r_step, np.intp(0)
                for i in range(0, rows, TILE):
                    product_tile(
                        packed, p0, a, a1 + i * a_row + q * a_step, a_row, a_step, deep, start, s0 + i * s_row, s_row,
                        dest, d0 + i * d_row, d_row, smaller(TILE, rows - i), used,
                    )  # fmt: skip
                if b is None:
                    p0 += deep * lanes
        used = n % lanes
        if used and used != lanes // 2:
            for i in range(rows):
                copy_line(edge, e0 + i * lanes, c, c1 + i * c_row + n - used, used)


@inner(_nrt=False)
def _share(size, unit, part, parts):
    """Where a part of the whole units that cover `size` begins and ends."""
    first, last = share_of((size + unit - 1) // unit, part, parts)
    return smaller(first * unit, size), smaller(last * unit, size)


@inner(_nrt=False)
def _part(part, parts, a, b, c, a_steps, b_steps, sizes, blocks, row, r_step, panels, edges):
    m, n, k, batch = sizes
    lanes = np.intp(VECTORS * VECTOR_BYTES // a.itemsize)
    begin, end = share_of(batch * blocks, part, parts)
    for at in range(begin, end):
        i, block = at // blocks, at % blocks
        a0, b0, c0, r0, rows, columns = i * a_steps[0], i * b_steps[0], i * m * n, np.intp(0), m, n
        if n >= m:
            first, last = _share(n, lanes, block, blocks)
            b0, c0, r0, columns = b0 + first * b_steps[2], c0 + first, first * r_step, last - first
        else:
            first, last = _share(m, np.intp(TILE), block, blocks)
            a0, c0, rows = a0 + first * a_steps[1], c0 + first * n, last - first
        multiply(
            a, a0, a_steps[1], a_steps[2], b, b0, b_steps[1], b_steps[2], c, c0, n, rows, columns, k,
            row, r0, r_step, panels[part], edges[part], np.intp(0),
        )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def matrices(crew, parts, a, b, c, a_steps, b_steps, sizes, blocks, row, r_step, panels, edges):
    """c[i] = row + a[i] @ b[i] for i in range(batch), by blocks of the longer side of c; sizes are m, n, k, batch.

    Flat arrays, c in order; steps are those to the next matrix, row and column. Each part has a row of panels and
    edges; of the row to add see `multiply`.
    """
    split(crew, _part, parts, (parts, a, b, c, a_steps, b_steps, sizes, blocks, row, r_step, panels, edges))
