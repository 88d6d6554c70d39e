"""What generated loops use beside functions: pieces of machine code that Numba puts in place of the call.

A function of Numba's own compiles by itself for every kernel that calls it: `where` took 60 ms of a kernel's 250, `min`
70 ms, `reshape(-1)` 20 ms for each array and 150 ms once.
"""

from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic

LLVM_HAS_EXTREMES = binding.llvm_version_info >= (17, 0, 0)  # that propagate nan, on x86


@intrinsic
def where(typing_context, c, a, b):
    """a if c else b, both computed."""
    kind = typing_context.unify_types(types.unliteral(a), types.unliteral(b))
    if kind is None:
        return None
    return kind(types.boolean, kind, kind), lambda context, builder, signature, args: builder.select(*args)


def _extreme(name, sign):
    """The intrinsic of the larger or the smaller of two numbers, a nan if one of them is."""

    @intrinsic
    def extreme(typing_context, a, b):
        kind = typing_context.unify_types(types.unliteral(a), types.unliteral(b))
        if kind is None:
            return None

        def generate(context, builder, signature, args):
            a, b = args
            if not isinstance(kind, types.Float):
                signed = isinstance(kind, types.Integer) and kind.signed
                compare = builder.icmp_signed if signed else builder.icmp_unsigned
                return builder.select(compare(sign, a, b), a, b)
            if LLVM_HAS_EXTREMES:  # takes them for a reduction, in vectors; which zero is the larger is left open
                function = ir.FunctionType(a.type, [a.type] * 2)
                function = cgutils.get_or_insert_function(builder.module, function, f"llvm.{name}.f{kind.bitwidth}")
                return builder.call(function, args, fastmath=("nsz",))
            return builder.select(
                builder.or_(builder.fcmp_ordered(sign, a, b), builder.fcmp_unordered("uno", a, a)), a, b
            )

        return kind(kind, kind), generate

    return extreme


maximum, minimum = _extreme("maximum", ">"), _extreme("minimum", "<")


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
def copy(typing_context, source, at, dest, to, count):
    """dest[to : to + count] = source[at : at + count] by the C library's memcpy, which stores to whole cache lines."""

    def generate(context, builder, signature, args):
        from numba.np import arrayobj  # only a compiler needs it

        data = [arrayobj.make_array(signature.args[k])(context, builder, args[k]).data for k in (0, 2)]
        start, target = (builder.gep(pointer, [args[k]]) for pointer, k in zip(data, (1, 3)))
        cgutils.raw_memcpy(builder, target, start, args[4], context.get_abi_sizeof(start.type.pointee))
        return context.get_dummy_value()

    return types.void(source, types.uintp, dest, types.uintp, types.uintp), generate


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
