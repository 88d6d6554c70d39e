"""Weighted sums of neighbours in images of bytes, rounded to bytes, as Pillow computes them.

Vectors hold bytes that lie side by side, so a sum of rows takes a vector of each row. Sums within rows are such sums in
the transpose: strips of LANES rows are transposed, summed and transposed back while they are in the cache.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from .inlined import where
from .inner import inner
from .tiles import SQUARE, data_of, load_vector, store_vector, transpose

LANES = 32  # bytes whose sums, of 32 bits each, fit into four of AVX2's registers


@intrinsic
def _sums(typingctx, x, x0, step, weights, w0, count, bits, out, o0):
    """out[o0 + lane] = the sum over q < count of weights[w0 + q] * x[x0 + q * step + lane], over 2**bits, rounded."""

    def codegen(context, builder, signature, args):
        read, factors, write = (data_of(context, builder, signature.args[k], args[k]) for k in (0, 3, 7))
        byte, word, wide = ir.IntType(8), ir.IntType(32), ir.IntType(64)
        lanes = ir.VectorType(word, LANES)

        def splat(value):
            one = builder.insert_element(ir.Constant(lanes, ir.Undefined), value, wide(0))
            return builder.shuffle_vector(one, one, ir.Constant(lanes, [0] * LANES))

        bits = builder.trunc(args[6], word)
        half = splat(builder.shl(word(1), builder.sub(bits, word(1))))
        before = builder.block
        loop, after = (builder.append_basic_block(name) for name in ("sums.loop", "sums.done"))
        builder.branch(loop)
        builder.position_at_end(loop)
        q, at, total = (builder.phi(kind) for kind in (wide, wide, lanes))
        values = builder.zext(load_vector(builder, read, at, LANES), lanes)
        factor = builder.sext(builder.load(builder.gep(factors, [builder.add(args[4], q)])), word)
        new = builder.add(q, wide(1)), builder.add(at, args[2]), builder.add(total, builder.mul(values, splat(factor)))
        for phi, start, update in zip((q, at, total), (wide(0), args[1], half), new, strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(update, loop)
        builder.cbranch(builder.icmp_signed("<", new[0], args[5]), loop, after)
        builder.position_at_end(after)
        result = builder.ashr(new[2], splat(bits))
        for sign, limit in (("<", 0), (">", 255)):
            bound = ir.Constant(lanes, [limit] * LANES)
            result = builder.select(builder.icmp_signed(sign, result, bound), bound, result)
        store_vector(builder, builder.trunc(result, ir.VectorType(byte, LANES)), write, args[8])
        return context.get_dummy_value()

    at = types.intp
    return types.void(x, at, at, weights, at, at, at, out, at), codegen


@inner()
def _transposed(x, x0, x_step, rows, columns, out, o0, out_step):
    """out[o0 + j * out_step + i] = x[x0 + i * x_step + j] for i < rows, j < columns."""
    i = 0
    if rows < SQUARE or columns < SQUARE:
        while i < rows:
            j = 0
            while j < columns:
                out[o0 + j * out_step + i] = x[x0 + i * x_step + j]
                j += 1
            i += 1
        return
    while i < rows:
        i = where(i > rows - SQUARE, rows - SQUARE, i)  # the last square may overlap the one before
        j = 0
        while j < columns:
            j = where(j > columns - SQUARE, columns - SQUARE, j)
            transpose(x, x0 + i * x_step + j, x_step, out, o0 + j * out_step + i, out_step)
            j += SQUARE
        i += SQUARE


@njit(cache=True, nogil=True, error_model="numpy")
def across_rows(x, height, width, starts, first, weights, bits, out):
    """Images x (N, height, width) to `out` (N, height of the result, width), both of one dimension.

    out[o, i, k] = the sum over q of weights[starts[i] + q] * x[o, first[i] + q, k], over 2**bits, as a byte.
    """
    zero, half, byte = np.int32(0), np.int32(1) << np.int32(bits - 1), np.int32(255)
    dest = source = 0
    while source < x.size:
        for i in range(first.size):
            w0, count, x0 = starts[i], starts[i + 1] - starts[i], source + first[i] * width
            k = 0
            while k < width:
                if width >= LANES:
                    k = where(k > width - LANES, width - LANES, k)
                    _sums(x, x0 + k, width, weights, w0, count, bits, out, dest + k)
                    k += LANES
                else:
                    total = half
                    for q in range(count):
                        total += np.int32(weights[w0 + q]) * np.int32(x[x0 + q * width + k])
                    total = total >> np.int32(bits)
                    out[dest + k] = where(total < zero, zero, where(total > byte, byte, total))
                    k += 1
            dest += width
        source += height * width


@njit(cache=True, nogil=True, error_model="numpy")
def along_rows(x, width, starts, first, weights, bits, strip, sums, out):
    """Rows x (N, width) to `out` (N, width of the result), both of one dimension.

    out[o, i] = the sum over q of weights[starts[i] + q] * x[o, first[i] + q], over 2**bits, as a byte. `strip` and
    `sums` are room for LANES rows and their results.
    """
    outputs, rows = first.size, x.size // width
    o = 0
    while o < rows:
        count = where(rows - o < LANES, rows - o, LANES)
        _transposed(x, o * width, width, count, width, strip, 0, LANES)
        for i in range(outputs):
            _sums(strip, first[i] * LANES, LANES, weights, starts[i], starts[i + 1] - starts[i], bits, sums, i * LANES)
        _transposed(sums, 0, LANES, outputs, count, out, o * outputs, outputs)
        o += LANES
