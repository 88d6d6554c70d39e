"""Sums of floats as vectors: a block in lanes of the array's dtype, the sums of blocks in float64.

To widen every float32 takes longer than to read it (1,000 rows of 100, Zen 4: 10.6 us; so 4.3). A lane adds up a few
dozen elements at most, however many there are: the error stays below that of torch's sum, a cascade of float32
(https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/cpu/SumKernel.cpp).
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .row_vectors import KIND_OF, SUM, folded
from .tiles import VECTOR_BYTES, WIDE, data_of, first_lanes, load_vector
from .vector import KINDS, Number

BLOCK = 1024
_UNROLLED = 4  # additions under way at a time, as one takes four cycles
_SHORT = BLOCK // 2  # elements of a row, one after another: the processor begins with the next before one is done


@intrinsic
def sum_of_floats(typing_context, x, start, count):
    """The sum of x[start : start + count], in float64."""
    if not (isinstance(x, types.Array) and x.dtype in KIND_OF and x.layout == "C"):
        return None
    kind = KIND_OF[x.dtype]
    size = VECTOR_BYTES // int(kind[1])

    def generate(context, builder, signature, args):
        data = data_of(context, builder, x, args[0])
        start, count = args[1:]
        stop = builder.add(start, count)
        zeros = ir.Constant(ir.VectorType(KINDS[kind], size), [0.0] * size)
        total = cgutils.alloca_once_value(builder, ir.Constant(KINDS["f8"], 0.0))
        sums = [cgutils.alloca_once(builder, zeros.type) for _ in range(_UNROLLED)]

        def add(which, place, mask=None):
            vector = load_vector(builder, data, place, size, mask)
            builder.store(builder.fadd(builder.load(sums[which]), vector), sums[which])

        def add_block(begin, end, unrolled):
            for at in sums[: max(unrolled)]:
                builder.store(zeros, at)
            for vectors in unrolled:
                step = vectors * size
                whole = builder.add(begin, builder.and_(builder.sub(end, begin), WIDE(-step)))
                with cgutils.for_range_slice(builder, begin, whole, WIDE(step)) as (place, _):
                    for which in range(vectors):
                        add(which, builder.add(place, WIDE(which * size)))
                begin = whole
            with builder.if_then(builder.icmp_signed("<", begin, end)):
                add(0, begin, first_lanes(builder, builder.sub(end, begin), size))
            lanes = [builder.load(at) for at in sums[: max(unrolled)]]
            while len(lanes) > 1:
                lanes = [builder.fadd(*pair) for pair in zip(lanes[::2], lanes[1::2], strict=True)]
            block = folded(SUM, Number(builder, lanes[0], kind))
            block = block if kind == "f8" else builder.fpext(block, KINDS["f8"])
            builder.store(builder.fadd(builder.load(total), block), total)

        with builder.if_else(builder.icmp_signed("<=", count, WIDE(_SHORT))) as (few, many):
            with few:
                add_block(start, stop, (1,))
            with many, cgutils.for_range_slice(builder, start, stop, WIDE(BLOCK)) as (begin, _):
                full = builder.add(begin, WIDE(BLOCK))
                add_block(begin, builder.select(builder.icmp_signed("<", full, stop), full, stop), (_UNROLLED, 1))
        return builder.load(total)

    return types.float64(x, types.intp, types.intp), generate
