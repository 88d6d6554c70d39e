"""Matrix products by tiles of sums held in registers, for processors whose vectors OpenBLAS may leave half empty.

    c[i, j] = sum over k of a[i, k] * b[k, j]

The columns of b are packed into panels, DEPTH rows at a time, which stay in L1 while all rows of a pass by; a is read
where it lies, in rows or in columns (Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008,
pack both: here L2 is large enough). A sum is that of each DEPTH products, added in the order of k, whatever the block,
the tile or the thread it falls to, so a product has the same bits at any number of threads. Where b lies in columns,
packing it means transposing it; for an a of few rows (`transpose_pays`) the transpose of c is computed instead, with
the same bits.
"""

import functools

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numba.np.numpy_support import from_dtype

from .at_address import address_of, call_at, row_at
from .inlined import flat, smaller
from .inner import inner
from .parallel import share_of, split
from .tables import rounded_up
from .tiles import (
    PER_CYCLE,
    SQUARE,
    TILE,
    VECTOR_BYTES,
    VECTORS,
    WIDE,
    add_products,
    first_lanes,
    fits_one_vector,
    lanes_of,
    load_tile,
    load_vector,
    pointers,
    splat,
    store_tile,
    store_vector,
    transpose,
    transpose_part,
)  # fmt: skip

# OpenBLAS's code for AVX2 is as fast as ours. So is that for AVX-512, but it is not always chosen: where
# OPENBLAS_CORETYPE says otherwise, or OpenBLAS does not know the processor, AVX2's runs and takes twice the time.
BETTER_THAN_BLAS = VECTOR_BYTES == 64
DEPTH = 256  # rows of a panel: of two vectors each, under AVX-512 they are 32 KiB of L1
STRIP = 40 * TILE  # rows of a that pass by a panel: of DEPTH numbers each they stay in L2
TO_TRANSPOSE = 7.5  # cycles for a vector of numbers, on a Zen 4
LOW = TILE // 3  # rows of a lower tile, so that a few last ones do not cost as much as TILE


def lanes(dtype):
    """The numbers in a row of a panel."""
    return VECTORS * VECTOR_BYTES // dtype.itemsize


@functools.lru_cache(1024)
def transpose_pays(m, n, k, itemsize):
    """Whether c.T = b.T @ a.T is computed sooner than c = a @ b of m rows, n columns, where those of b lie in order.

    Both sides are cycles for a column of b, by the numbers in a vector. On the left its m products, of a tile's rows;
    it is packed by transposing it. On the right a is, once for all n columns, each of which is multiplied by whole
    vectors of a's rows; and c is written twice more, once to begin its sums with and once to transpose them.
    """
    vectors = rounded_up(m, VECTOR_BYTES // itemsize)
    straight = rounded_up(m, LOW) / PER_CYCLE + TO_TRANSPOSE
    return m < n and straight > vectors * (1 / PER_CYCLE + TO_TRANSPOSE / n + 2 * TO_TRANSPOSE / k)


@intrinsic
def product_tile(typingctx, panel, p0, a, a0, row, step, count, start, s0, s_row, dest, d0, d_row, rows, lanes):
    """dest[i * d_row + lane] = start[i * s_row + lane] + sum over q of panel[q, lane] * a[i * row + q * step].

    For i < rows <= TILE, lane < lanes. A panel's rows have VECTORS vectors.
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
            mask = first_lanes(builder, builder.sub(lanes, WIDE((width - 1) * size)), size)
            before = load_tile(builder, start, [builder.mul(i, s_row) for i in places], width, mask)
            totals = [list(map(builder.fadd, *rows)) for rows in zip(before, sums, strict=True)]
            store_tile(builder, totals, dest, [builder.mul(i, d_row) for i in places], mask)

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
                choose((TILE, LOW), 1)
            with several:
                choose((TILE, LOW), VECTORS)
        return context.get_dummy_value()

    return types.void(*arrays), codegen


def _vectors_of_row(builder, lanes, size):
    """Where each vector of a panel's row begins, and which of its lanes are among the first `lanes` of the row."""
    for j in range(VECTORS):
        begin = WIDE(j * size)
        yield begin, first_lanes(builder, builder.sub(lanes, begin), size)


@intrinsic
def _pack_row(typingctx, b, at, panel, to, lanes):
    """panel[to + lane] = b[at + lane] for lane < lanes; 0 in the other lanes of its VECTORS vectors."""
    n = types.intp

    def codegen(context, builder, signature, args):
        read, write = pointers(context, builder, signature, args, (0, 2))
        size = lanes_of(read)
        for begin, mask in _vectors_of_row(builder, args[4], size):
            store_vector(builder, load_vector(builder, read, begin, size, mask), write, begin)
        return context.get_dummy_value()

    return types.void(b, n, panel, n, n), codegen


@intrinsic
def _fill_row(typingctx, source, at, dest, to, lanes):
    """dest[to + lane] = source[at] for lane < lanes, as many as a panel's row has or fewer."""
    n = types.intp

    def codegen(context, builder, signature, args):
        read, write = pointers(context, builder, signature, args, (0, 2))
        size = lanes_of(read)
        value = splat(builder, builder.load(read), size)
        for begin, mask in _vectors_of_row(builder, args[4], size):
            store_vector(builder, value, write, begin, mask)
        return context.get_dummy_value()

    return types.void(source, n, dest, n, n), codegen


@inner(_nrt=False)
def pack_panel(b, b0, row, step, count, used, lanes, panel, p0):
    """panel[q, lane] = b[q * row + lane * step] for q < count, lane < used; whatever in the other lanes."""
    if step == 1:
        for q in range(count):
            _pack_row(b, b0 + q * row, panel, p0 + q * lanes, used)
    elif row == 1:
        square = smaller(np.intp(VECTOR_BYTES // b.itemsize), SQUARE)
        for lane in range(0, used, square):
            for q in range(0, count, square):
                transpose_part(
                    b, b0 + q + lane * step, step, smaller(square, used - lane), smaller(square, count - q),
                    panel, p0 + q * lanes + lane, lanes,
                )  # fmt: skip
    else:
        for lane in range(used):
            for q in range(count):
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
def multiply(a, a0, a_row, a_step, b, b0, b_row, b_step, c, c0, c_row, m, n, count, row, r_step, add, packed):
    """c = row + a @ b, or c += a @ b if `add`, of m rows, n columns, `count` >= 1 products each, STRIP rows at a time.

    With r_step 0 the same numbers of the row, as many as a panel has lanes, are added to all panels. Packs a panel of b
    at a time; where b is None, which leaves that code out, `packed` has all of them.
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
                start, s0, s_row = c, c1 + j, c_row
                if q == 0 and not add:
                    start, s0, s_row = row, j * r_step, np.intp(0)
                i = 0
                while i < rows:
                    # Up to two lower tiles cost less than a whole one, of which a third or more would be empty.
                    high = smaller(TILE if rows - i > 2 * LOW else LOW, rows - i)
                    product_tile(
                        packed, p0, a, a1 + i * a_row + q * a_step, a_row, a_step, deep, start, s0 + i * s_row, s_row,
                        c, c1 + j + i * c_row, c_row, high, used,
                    )  # fmt: skip
                    i += high
                if b is None:
                    p0 += deep * lanes


@intrinsic
def _room(typingctx):
    """The address of uninitialized memory on the stack, for a row of zeros and a panel."""

    def codegen(context, builder, signature, args):
        with builder.goto_entry_block():
            room = builder.alloca(ir.ArrayType(ir.IntType(8), (1 + DEPTH) * VECTORS * VECTOR_BYTES))
        room.align = VECTOR_BYTES
        return builder.ptrtoint(room, WIDE)

    return types.intp(), codegen


@inner(_nrt=False)
def _share(size, unit, part, parts):
    """Where a part of the whole units that cover `size` begins and ends."""
    first, last = share_of((size + unit - 1) // unit, part, parts)
    return smaller(first * unit, size), smaller(last * unit, size)


@inner(_nrt=False)
def _transpose_block(sums, s0, rows, n, c, c0, m):
    """c[c0 + j * m + i] = sums[s0 + i * n + j] for i < rows, j < n."""
    square = smaller(np.intp(VECTOR_BYTES // c.itemsize), SQUARE)
    whole_rows, whole_columns = rows - rows % square, n - n % square
    for j in range(0, whole_columns, square):
        for i in range(0, whole_rows, square):
            transpose(sums, s0 + i * n + j, n, c, c0 + j * m + i, m)
    for j in range(n):
        for i in range(0 if j >= whole_columns else whole_rows, rows):
            c[c0 + j * m + i] = sums[s0 + i * n + j]


@inner(_nrt=False)
def _part(part, parts, a, b, c, a_steps, b_steps, sizes, blocks, row, r_step, transposed, sums):
    m, n, k, batch = sizes
    lanes = np.intp(VECTORS * VECTOR_BYTES // a.itemsize)
    panel = row_at(_room(), (1 + DEPTH) * lanes, a.dtype.type(0))[lanes:]
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
            if transposed:
                for j in range(rows):
                    for lane in range(0, n, lanes):
                        _fill_row(row, (first + j) * r_step, sums, c0 + j * n + lane, smaller(lanes, n - lane))
        multiply(
            a, a0, a_steps[1], a_steps[2], b, b0, b_steps[1], b_steps[2], sums, c0, n, rows, columns, k,
            row[r0:], r_step, transposed, panel,
        )  # fmt: skip
        if transposed:
            _transpose_block(sums, c0, rows, n, c, i * m * n + first, m)


@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def matrices(crew, parts, a, b, c, a_steps, b_steps, sizes, blocks, row, r_step, transposed, sums):
    """c[i] = row + a[i] @ b[i] for i in range(batch), by blocks of the longer side of c; sizes are m, n, k, batch.

    Flat arrays, c in order; steps are those to the next matrix, row and column. Of the row to add see `multiply`. If
    `transposed`, which is for m > n, c[i] is the transpose of that, and the row's numbers go to its columns: by way of
    `sums`, as large as c; else this is c.
    """
    split(crew, _part, parts, (parts, a, b, c, a_steps, b_steps, sizes, blocks, row, r_step, transposed, sums))


# ---------------------------------------------------------------------- for other kernels, at an address
@njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
def _product(like, a_t, b_t, m, n, count, a, lda, b, ldb, add, c, ldc):
    zero, one = np.intp(0), np.intp(1)
    a, b, c = row_at(a, lda, like), row_at(b, ldb, like), row_at(c, ldc, like)
    lanes = np.intp(VECTORS * VECTOR_BYTES // a.itemsize)
    room = row_at(_room(), (1 + DEPTH) * lanes, like)
    for lane in range(lanes):
        room[lane] = 0
    a_row, a_step, b_row, b_step = lda, one, ldb, one
    if a_t:
        a_row, a_step = a_step, a_row
    if b_t:
        b_row, b_step = b_step, b_row
    multiply(a, zero, a_row, a_step, b, zero, b_row, b_step, c, zero, ldc, m, n, count, room, zero, add, room[lanes:])


@intrinsic
def product_at(typingctx, function, like, a_t, b_t, m, n, count, a, lda, b, ldb, add, c, ldc):
    """c = op(a) @ op(b), plus c if `add`, for matrices of numbers like this one at addresses, rows `ld` numbers apart.

    The function is at the address that `product_address` gave.
    """
    kinds = _kinds(like)

    def codegen(context, builder, signature, args):
        call_at(context, builder, args[0], kinds, args[1:])
        return context.get_dummy_value()

    return types.void(types.intp, *kinds), codegen


def _kinds(like):
    n, flag = types.intp, types.boolean
    return [like, flag, flag, n, n, n, n, n, n, n, flag, n, n]


def product_address(dtype):
    """Where the machine code of `product_at` for numbers of that dtype is."""
    return address_of(_product, _kinds(from_dtype(dtype)))
