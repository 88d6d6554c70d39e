"""The vector code of convolution, written as LLVM instructions: a tile of sums held in registers, and a transpose."""

from llvmlite import binding, ir
from numba import config, types
from numba.extending import intrinsic

# Where a user names the processor (NUMBA_CPU_NAME), kernels on disk may be shared between
# machines, so what this one has must not decide.
_named = config.CPU_NAME is not None or config.CPU_FEATURES is not None
_features = {} if _named else binding.get_host_cpu_features()
# Registers decide the tile: 6 rows x 2 vectors leave 4 of 16 AVX2 registers for operands, and
# 12 x 2 leave 8 of 32 under AVX-512.
if _features.get("avx512f"):
    VECTOR_BYTES, TILE = 64, 12
elif _features.get("avx2"):
    VECTOR_BYTES, TILE = 32, 6
else:
    VECTOR_BYTES, TILE = 16, 6
VECTORS = 2
SQUARE = 16  # rows and columns that `transpose` takes at most: registers hold so many rows


@intrinsic
def tile(typingctx, vectors, v0, x, x0, bases, b0, offsets, o0, count, start, s0, step, dest, d0, lanes):
    """dest[i, lane] = start[i * step + lane] + sum over q of vectors[q, lane] * x[...], above.

    The lanes are those of one vector or of VECTORS.
    """
    at = types.intp
    arrays = (vectors, at, x, at, bases, at, offsets, at, at, start, at, at, dest, at, at)

    def codegen(context, builder, signature, args):
        def pointer(k):
            data = _data(context, builder, signature.args[k], args[k])
            return builder.gep(data, [args[k + 1]])

        itemsize = vectors.dtype.bitwidth // 8
        ends = [pointer(k) for k in (0, 2, 4, 6, 9, 12)]
        narrow = builder.icmp_signed("<=", args[14], args[14].type(VECTOR_BYTES // itemsize))
        with builder.if_else(narrow) as (one, several):
            with one:
                _emit_tile(builder, itemsize, 1, *ends, args[8], args[11])
            with several:
                _emit_tile(builder, itemsize, VECTORS, *ends, args[8], args[11])
        return context.get_dummy_value()

    return types.void(*arrays), codegen


def _emit_tile(builder, itemsize, width, vectors, x, bases, offsets, start, dest, count, step):
    """Emit the sum over q with TILE x `width` accumulators held in registers."""
    wide, size = ir.IntType(64), VECTOR_BYTES // itemsize
    vector = ir.VectorType(vectors.type.pointee, size)
    # fmuladd, not fma: without the instruction the latter becomes a library call.
    kind = ir.FunctionType(vector, [vector] * 3)
    name = f"llvm.fmuladd.v{size}f{itemsize * 8}"
    multiply_add = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)

    def index(table, i):
        return builder.zext(builder.load(builder.gep(table, [i])), wide)

    def splat(value):
        hole = ir.Constant(vector, ir.Undefined)
        one = builder.insert_element(hole, value, wide(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), size), [0] * size)
        return builder.shuffle_vector(one, hole, zeros)

    cells = [(i, j * size) for i in range(TILE) for j in range(width)]
    rows = [builder.gep(x, [index(bases, wide(i))]) for i in range(TILE)]
    first = [wide(0), vectors]
    for i, lane in cells:
        place = builder.add(builder.mul(step, wide(i)), wide(lane))
        first.append(_load(builder, start, place, vector, itemsize))
    before = builder.block
    loop = builder.append_basic_block("tile.loop")
    after = builder.append_basic_block("tile.done")
    builder.branch(loop)
    builder.position_at_end(loop)
    q, here, *sums = (builder.phi(value.type) for value in first)
    columns = [_load(builder, here, wide(j * size), vector, itemsize) for j in range(width)]
    shift = index(offsets, q)
    values = [splat(builder.load(builder.gep(row, [shift]))) for row in rows]
    new = [
        builder.call(multiply_add, [values[i], columns[lane // size], total])
        for (i, lane), total in zip(cells, sums, strict=True)
    ]
    following = [builder.add(q, wide(1)), builder.gep(here, [wide(width * size)]), *new]
    for phi, value, update in zip([q, here, *sums], first, following, strict=True):
        phi.add_incoming(value, before)
        phi.add_incoming(update, loop)
    again = builder.cbranch(builder.icmp_signed("<", following[0], count), loop, after)
    again.set_metadata("llvm.loop", _not_unrolled(builder.module))
    builder.position_at_end(after)
    for (i, lane), value in zip(cells, new, strict=True):
        _store(builder, value, dest, wide(i * width * size + lane), itemsize)


def _not_unrolled(module):
    """What a loop is told to stay as it is: unrolled for Zen 5, it kept sums in memory and took twice the time."""
    loop = module.add_metadata(["of a tile", module.add_metadata(["llvm.loop.unroll.disable"])])
    loop.operands = loop, *loop.operands[1:]  # by referring to itself first it is a loop's
    return loop


def _data(context, builder, kind, array):
    # Here and not above: a process that finds its kernels on disk never needs this module.
    from numba.np.arrayobj import make_array

    return make_array(kind)(context, builder, array).data


def _load(builder, array, place, vector, itemsize):
    pointer = builder.bitcast(builder.gep(array, [place]), vector.as_pointer())
    return builder.load(pointer, align=itemsize)


def _store(builder, value, array, place, itemsize):
    pointer = builder.bitcast(builder.gep(array, [place]), value.type.as_pointer())
    builder.store(value, pointer, align=itemsize)


@intrinsic
def transpose(typingctx, source, s0, step, dest, d0, dest_step):
    """dest[d0 + i * dest_step + j] = source[s0 + j * step + i] for i, j within one vector, and below SQUARE."""
    itemsize = source.dtype.bitwidth // 8
    size = min(VECTOR_BYTES // itemsize, SQUARE)

    def codegen(context, builder, signature, args):
        wide = ir.IntType(64)
        read, write = (_data(context, builder, signature.args[k], args[k]) for k in (0, 3))
        vector = ir.VectorType(read.type.pointee, size)

        def place(start, step, i):
            return builder.add(start, builder.mul(step, wide(i)))

        starts = [place(args[1], args[2], i) for i in range(size)]
        rows = [_load(builder, read, start, vector, itemsize) for start in starts]
        # Interleaving row i with row i + size / 2, log2(size) times over, is a transpose.
        half = size // 2
        zips = [[h + k // 2 + k % 2 * size for k in range(size)] for h in (0, half)]
        zips = [ir.Constant(ir.VectorType(ir.IntType(32), size), lanes) for lanes in zips]
        for _ in range(size.bit_length() - 1):
            pairs = [(rows[i // 2], rows[i // 2 + half], zips[i % 2]) for i in range(size)]
            rows = [builder.shuffle_vector(*pair) for pair in pairs]
        for i, row in enumerate(rows):
            _store(builder, row, write, place(args[4], args[5], i), itemsize)
        return context.get_dummy_value()

    at = types.intp
    return types.void(source, at, at, dest, at, at), codegen
