"""LANES neighbouring windows of a plane as vectors, for kernels that slide over planes."""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from . import tiles
from .inlined import smaller
from .inner import inner
from .tiles import data_of

LANES, HALF = 8, 4
_I32, _I64 = ir.IntType(32), ir.IntType(64)


def splat(builder, value):
    """A vector of LANES times the value."""
    return tiles.splat(builder, value, LANES)


def taps(builder, start, kind, columns, stride, dilation=1):
    """The elements of LANES windows of one row, whose first begins at the pointer `start`: a vector for each tap.

    Reads LANES * stride elements from the last multiple of the stride up to the last tap on.
    """
    line = ir.VectorType(start.type.pointee, LANES * stride)
    hole, loaded = ir.Constant(line, ir.Undefined), {}
    for column in range(0, columns * dilation, dilation):
        first, lane = column - column % stride, column % stride
        if first not in loaded:
            pointer = builder.bitcast(builder.gep(start, [_I64(first)]), line.as_pointer())
            loaded[first] = builder.load(pointer, align=kind.bitwidth // 8)
        lanes = ir.Constant(ir.VectorType(_I32, LANES), list(range(lane, LANES * stride, stride)))
        yield builder.shuffle_vector(loaded[first], hole, lanes)


def reach(columns, stride, dilation=1):
    """How many elements from the first tap on `taps` reads."""
    last = (columns - 1) * dilation
    return last - last % stride + LANES * stride


def _copied(width):
    """copy(source, at, dest, to): so many elements, by one vector."""

    @intrinsic
    def copy(typing_context, source, at, dest, to):
        def codegen(context, builder, signature, args):
            ends = []
            for k in (0, 2):
                start = builder.gep(data_of(context, builder, signature.args[k], args[k]), [args[k + 1]])
                ends.append(builder.bitcast(start, ir.VectorType(start.type.pointee, width).as_pointer()))
            align = source.dtype.bitwidth // 8
            builder.store(builder.load(ends[0], align=align), ends[1], align=align)
            return context.get_dummy_value()

        return types.void(source, types.intp, dest, types.intp), codegen

    return copy


_eight, _four = _copied(LANES), _copied(HALF)


@inner()
def copy_line(source, at, dest, to, count):
    """dest[to + k] = source[at + k] for k < count; the last vector overlaps the one before.

    Left to LLVM, lines of fewer elements than it puts into a turn of its loop, 64 under AVX-512, went one by one.
    """
    if count >= LANES:
        for k in range(0, count, LANES):
            k = smaller(k, count - LANES)
            _eight(source, at + k, dest, to + k)
    elif count >= HALF:
        _four(source, at, dest, to)
        _four(source, at + count - HALF, dest, to + count - HALF)
    else:
        for k in range(count):
            dest[to + k] = source[at + k]
