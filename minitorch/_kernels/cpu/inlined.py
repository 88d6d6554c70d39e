"""What generated loops use beside functions: pieces of machine code that Numba puts in place of the call.

A function of Numba's own compiles by itself for every kernel that calls it: `where` took 60 ms of a kernel's 250, `min`
70 ms, `reshape(-1)` 20 ms for each array and 150 ms once.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic


@intrinsic
def where(typing_context, c, a, b):
    """a if c else b, both computed."""
    kind = typing_context.unify_types(types.unliteral(a), types.unliteral(b))
    if kind is None:
        return None
    return kind(types.boolean, kind, kind), lambda context, builder, signature, args: builder.select(*args)


@intrinsic
def smaller(typing_context, a, b):
    """The smaller of two integers."""

    def generate(context, builder, signature, args):
        return builder.select(builder.icmp_signed("<", *args), *args)

    return types.intp(types.intp, types.intp), generate


@intrinsic
def flat(typing_context, array):
    """A contiguous array as one of one dimension over the same memory."""
    if not (isinstance(array, types.Array) and array.layout == "C"):
        return None
    vector = types.Array(array.dtype, 1, "C", readonly=not array.mutable, aligned=array.aligned)

    def generate(context, builder, signature, args):
        from numba.np import arrayobj  # only a compiler needs it

        whole = arrayobj.make_array(array)(context, builder, args[0])
        made = arrayobj.make_array(vector)(context, builder)
        arrayobj.populate_array(
            made, data=whole.data, shape=[whole.nitems], strides=[whole.itemsize], itemsize=whole.itemsize,
            meminfo=whole.meminfo, parent=whole.parent,
        )  # fmt: skip
        return impl_ret_borrowed(context, builder, vector, made._getvalue())

    return vector(array), generate


@intrinsic
def fma(typing_context, x, y, z):
    """x * y + z with one rounding, of floats of one type."""
    return x(x, x, x), lambda context, builder, signature, args: builder.fma(*args)


@intrinsic
def muladd(typing_context, x, y, z):
    """x * y + z with one rounding where the processor can, two where it cannot: as in torch."""

    def generate(context, builder, signature, args):
        if isinstance(z, types.Integer):  # a number among the factors may be wider
            a, b, c = (context.cast(builder, n, kind, z) for n, kind in zip(args, signature.args))
            return builder.add(builder.mul(a, b), c)
        kind = args[0].type
        name = f"llvm.fmuladd.f{signature.return_type.bitwidth}"
        signature = ir.FunctionType(kind, [kind] * 3)
        return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), args)

    return z(x, y, z), generate
