"""The vector code of products, written as LLVM instructions: a tile of sums held in registers, and a transpose.

A tile is TILE rows, or fewer, of one vector or of VECTORS; `add_products` is the loop that both convolution
(`conv.py`, where tables say which elements meet) and matrix products (`gemm.py`, where strides do) run on. What other
files' intrinsics read and write arrays with is here too: `data_of`, `splat`, `first_lanes`, `load_vector`,
`store_vector`.
"""

from functools import partial

from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils
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
# How many products of whole vectors begin in a cycle. Where one does, a way that multiplies less and does more besides
# pays sooner.
PER_CYCLE = 1 if binding.get_host_cpu_name() == "znver4" else 2
# In a row of a tile.
VECTORS = 2
MULTIPLICATIONS = 40  # with their additions, of one thread in a nanosecond where a tile's vectors lie as they are read
SQUARE = 16  # rows and columns that `transpose` takes at most: registers hold so many rows

WIDE = ir.IntType(64)


@intrinsic
def sum_tile(
    typingctx, vectors, v0, x, x0, bases, b0, offsets, o0, places, p0, count, start, s0, step, dest, d0, lanes
):
    """dest[i, lane] = start[i * step + lane] + sum over p of vectors[p, lane] * x[bases[i] + offsets[p]], i < TILE.

    Where p takes the values places[p0 : p0 + count]. The lanes are those of one vector or of VECTORS.
    """
    at = types.intp
    arrays = (vectors, at, x, at, bases, at, offsets, at, places, at, at, start, at, at, dest, at, at)

    def codegen(context, builder, signature, args):
        ends = pointers(context, builder, signature, args, (0, 2, 4, 6, 8, 11, 14))

        def emit(width):
            vectors, x, bases, offsets, places, start, dest = ends
            rows = [builder.gep(x, [index(builder, bases, WIDE(i))]) for i in range(TILE)]
            size = lanes_of(vectors)

            def shift_of(q):
                return index(builder, offsets, index(builder, places, q))

            def columns_of(vectors, q):
                first = builder.mul(index(builder, places, q), WIDE(width * size))
                return load_tile(builder, vectors, [first], width)[0]

            sums = load_tile(builder, start, [builder.mul(args[13], WIDE(i)) for i in range(TILE)], width)
            sums = add_products(builder, vectors, 0, rows, shift_of, args[10], sums, columns_of)
            store_tile(builder, sums, dest, [WIDE(i * width * size) for i in range(TILE)])

        with builder.if_else(fits_one_vector(builder, ends[0], args[16])) as (one, several):
            with one:
                emit(1)
            with several:
                emit(VECTORS)
        return context.get_dummy_value()

    return types.void(*arrays), codegen


def pointers(context, builder, signature, args, places):
    """The pointers to args[k][args[k + 1]] for k in `places`."""
    return [builder.gep(data_of(context, builder, signature.args[k], args[k]), [args[k + 1]]) for k in places]


def index(builder, table, i):
    """The i-th entry of a table of unsigned numbers."""
    return builder.zext(builder.load(builder.gep(table, [i])), WIDE)


def lanes_of(pointer):
    """How many of the numbers that are pointed to a vector holds."""
    return VECTOR_BYTES // itemsize(pointer)


def fits_one_vector(builder, pointer, lanes):
    """Whether so many numbers fit into one vector."""
    return builder.icmp_signed("<=", lanes, WIDE(lanes_of(pointer)))


def load_tile(builder, start, places, width, mask=None):
    """For each place where a row begins, the `width` vectors from there on, the last of them under the mask."""
    size = lanes_of(start)
    masks = [*[None] * (width - 1), mask]
    return [
        [load_vector(builder, start, builder.add(at, WIDE(j * size)), size, masks[j]) for j in range(width)]
        for at in places
    ]


def store_tile(builder, sums, dest, places, mask=None):
    """Each row's vectors, where load_tile finds them."""
    for at, values in zip(places, sums, strict=True):
        masks = [*[None] * (len(values) - 1), mask]
        for j, value in enumerate(values):
            store_vector(builder, value, dest, builder.add(at, WIDE(j * value.type.count)), masks[j])


def add_products(builder, vectors, step, rows, shift_of, count, sums, columns_of=None):
    """sums[i][j] + sum over q < count of column j * rows[i][shift_of(q)], held in registers.

    Columns are the vectors that lie one after the other from vectors[q * step] on, or columns_of that pointer and q.
    """
    size, width = lanes_of(vectors), len(sums[0])

    def step_of(q, values):
        here, *totals = values
        columns = columns_of(here, q) if columns_of else load_tile(builder, here, [WIDE(0)], width)[0]
        shift = shift_of(q)
        factors = [splat(builder, builder.load(builder.gep(row, [shift])), size) for row in rows]
        pairs = [(factor, column) for factor in factors for column in columns]
        return [builder.gep(here, [WIDE(step)]), *sums_with(builder, pairs, totals)]

    new = repeated(builder, count, [vectors, *(value for row in sums for value in row)], step_of)[1:]
    return [new[k : k + width] for k in range(0, len(new), width)]


def joined(builder, vectors, count):
    """So many vectors of all lanes of these, in their order."""
    while len(vectors) > count:
        lanes = range(2 * vectors[0].type.count)
        vectors = [shuffled(builder, *pair, lanes) for pair in zip(vectors[::2], vectors[1::2], strict=True)]
    return vectors


def cut(builder, vector, pieces):
    """The vector's lanes in so many vectors."""
    size = vector.type.count // pieces
    return [shuffled(builder, vector, vector, range(k * size, (k + 1) * size)) for k in range(pieces)]


def shuffled(builder, a, b, lanes):
    """The vector of these lanes of two, which count on from the first one's to the second's."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes)))


def sums_with(builder, pairs, totals):
    """Each total with the product of its pair of vectors."""
    return [multiply_add(builder, *pair, total) for pair, total in zip(pairs, totals, strict=True)]


def multiply_add(builder, x, y, z):
    """x * y + z of vectors, with one rounding where the processor can; `fma` would call a library where it cannot."""
    name = f"llvm.fmuladd.v{x.type.count}f{_bytes_of(x.type.element) * 8}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(x.type, [x.type] * 3), name)
    return builder.call(function, [x, y, z])


def repeated(builder, count, values, step):
    """What is held in registers after values = step(q, values) for each q < count, of which there is one at least."""
    first = [WIDE(0), *values]
    before = builder.block
    loop = builder.append_basic_block("tile.loop")
    after = builder.append_basic_block("tile.done")
    builder.branch(loop)
    builder.position_at_end(loop)
    q, *held = phis = [builder.phi(value.type) for value in first]
    following = [builder.add(q, WIDE(1)), *step(q, held)]
    for phi, value, update in zip(phis, first, following, strict=True):
        phi.add_incoming(value, before)
        phi.add_incoming(update, builder.block)
    again = builder.cbranch(builder.icmp_signed("<", following[0], count), loop, after)
    again.set_metadata("llvm.loop", _not_unrolled(builder.module))
    builder.position_at_end(after)
    return following[1:]


def _not_unrolled(module):
    """Metadata against unrolling of a loop: unrolled for Zen 5, it kept sums in memory and took twice the time."""
    loop = module.add_metadata(["of a tile", module.add_metadata(["llvm.loop.unroll.disable"])])
    # LLVM takes a node for a loop's only if its first operand is the node itself, which the text stood in for.
    loop.operands = loop, *loop.operands[1:]
    return loop


def data_of(context, builder, kind, array):
    """The pointer to an array's elements."""
    return context.make_array(kind)(context, builder, array).data


def itemsize(pointer):
    """How many bytes a number that is pointed to has."""
    return _bytes_of(pointer.type.pointee)


def _bytes_of(kind):
    return {"float": 4, "double": 8}.get(str(kind)) or kind.width // 8


def splat(builder, value, size):
    """A vector of `size` times the value."""
    hole = ir.Constant(ir.VectorType(value.type, size), ir.Undefined)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), size), [0] * size)
    return builder.shuffle_vector(builder.insert_element(hole, value, WIDE(0)), hole, zeros)


def first_lanes(builder, count, size):
    """The mask of the first `count` of `size` lanes."""
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), size), list(range(size)))
    return builder.icmp_signed("<", lanes, splat(builder, builder.trunc(count, ir.IntType(32)), size))


def load_vector(builder, array, place, size, mask=None):
    """The `size` numbers from array[place] on, aligned as one number is; zeros for those outside of a mask."""
    vector = ir.VectorType(array.type.pointee, size)
    pointer = builder.bitcast(builder.gep(array, [place]), vector.as_pointer())
    if mask is None:
        return builder.load(pointer, align=itemsize(array))
    return _masked(builder, "load", array, mask, vector, pointer, ir.IntType(32)(itemsize(array)), mask, vector(None))


def store_vector(builder, value, array, place, mask=None):
    """array[place:] = the numbers of a vector, aligned as one number is, or of those under a mask."""
    pointer = builder.bitcast(builder.gep(array, [place]), value.type.as_pointer())
    if mask is None:
        builder.store(value, pointer, align=itemsize(array))
    else:
        _masked(builder, "store", array, mask, ir.VoidType(), value, pointer, ir.IntType(32)(itemsize(array)), mask)


def _masked(builder, name, array, mask, result, *args):
    """LLVM's function llvm.masked.`name`, which leaves alone the memory that is not under the mask."""
    signature = ir.FunctionType(result, [arg.type for arg in args])
    full = f"llvm.masked.{name}.v{mask.type.count}f{8 * itemsize(array)}.p0"
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, full), args)


@intrinsic
def transpose(typingctx, source, s0, step, dest, d0, dest_step):
    """dest[d0 + i * dest_step + j] = source[s0 + j * step + i] for i, j within one vector, and below SQUARE."""
    at = types.intp
    return types.void(source, at, at, dest, at, at), partial(_transpose, (3, 4, 5), lambda builder, _, j: WIDE(j))


@intrinsic
def transpose_rows(typingctx, source, s0, step, rows, r0, dest, d0, dest_step):
    """`transpose` where the j-th line of the source is the rows[r0 + j]-th."""

    def line(builder, ends, j):
        return index(builder, ends[0], WIDE(j))

    at = types.intp
    return types.void(source, at, at, rows, at, dest, at, at), partial(_transpose, (5, 6, 7), line)


def _transpose(dest, line, context, builder, signature, args):
    """A square from lines of args[0], of which line(builder, tables, j) is the j-th, to args[k] for k in dest."""
    size = _square(signature.args[0])
    to, d0, dest_step = dest
    read, write = (data_of(context, builder, signature.args[k], args[k]) for k in (0, to))
    tables = pointers(context, builder, signature, args, range(3, to, 2))
    places = [_line(builder, args[1], args[2], line(builder, tables, j)) for j in range(size)]
    for i, column in enumerate(_columns(builder, read, places)):
        store_vector(builder, column, write, _line(builder, args[d0], args[dest_step], WIDE(i)))
    return context.get_dummy_value()


@intrinsic
def transpose_part(typingctx, source, s0, step, rows, columns, dest, d0, dest_step):
    """`transpose` for j < rows, i < columns; in these lines of dest the numbers up to a vector's end are whatever."""
    size = _square(source)

    def codegen(context, builder, signature, args):
        read, write = (data_of(context, builder, signature.args[k], args[k]) for k in (0, 5))
        last = [builder.sub(args[k], WIDE(1)) for k in (3, 4)]

        def within(limit, i):
            return builder.select(builder.icmp_signed("<", limit, WIDE(i)), limit, WIDE(i))

        mask = first_lanes(builder, args[4], size)
        places = [_line(builder, args[1], args[2], within(last[0], i)) for i in range(size)]
        lines = _columns(builder, read, places, mask)
        for i in reversed(range(size)):  # what lies beyond the last column goes there first
            store_vector(builder, lines[i], write, _line(builder, args[6], args[7], within(last[1], i)))
        return context.get_dummy_value()

    at = types.intp
    return types.void(source, at, at, at, at, dest, at, at), codegen


def _square(array):
    return min(VECTOR_BYTES // (array.dtype.bitwidth // 8), SQUARE)


def _line(builder, start, step, i):
    return builder.add(start, builder.mul(step, WIDE(i) if isinstance(i, int) else i))


def _columns(builder, array, places, mask=None):
    """A transpose: the columns of the square whose rows begin at these places; zeros for those outside of a mask.

    Rows are read in pieces of 16 bytes, which loads put where they belong in a vector, and the numbers of the pieces
    that lie below each other are then interleaved: half the shuffles of whole rows, and cheaper ones.
    """
    size = len(places)
    piece = min(16 // itemsize(array), size)
    columns = []
    for first in range(0, size, piece):
        part = shuffled(builder, mask, mask, range(first, first + piece)) if mask else None
        pieces = [load_vector(builder, array, builder.add(at, WIDE(first)), piece, part) for at in places]
        columns += _columns_of_pieces(builder, [joined(builder, pieces[i::piece], 1)[0] for i in range(piece)])
    return columns


def _columns_of_pieces(builder, vectors):
    """The columns of pieces as long as there are vectors, of which vector i holds the pieces i, i + piece, ...

    With pieces of two: from (a0 a1 c0 c1) and (b0 b1 d0 d1) to (a0 b0 c0 d0) and (a1 b1 c1 d1). Longer ones are halved
    as often as they can be.
    """
    piece, size = len(vectors), vectors[0].type.count
    half = piece // 2

    def lanes(begin):
        """From each piece of one vector and the piece of another, by turns, the numbers of the half that begins so."""
        places = [start + k for start in range(begin, size, piece) for k in range(half)]
        return [lane for place in places for lane in (place, place + size)]

    orders = [lanes(begin) for begin in (0, half)]
    for _ in range(piece.bit_length() - 1):
        vectors = [shuffled(builder, vectors[i // 2], vectors[i // 2 + half], orders[i % 2]) for i in range(piece)]
    return vectors
