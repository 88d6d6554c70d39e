"""LANES neighbouring windows of a plane as vectors, for kernels that slide over planes."""

from llvmlite import ir

LANES = 8
_I32, _I64 = ir.IntType(32), ir.IntType(64)


def data_of(context, builder, kind, value):
    """The pointer to an array's elements."""
    return context.make_array(kind)(context, builder, value).data


def splat(builder, value):
    """A vector of LANES times the value."""
    hole = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    zeros = ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES)
    return builder.shuffle_vector(builder.insert_element(hole, value, _I32(0)), hole, zeros)


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
