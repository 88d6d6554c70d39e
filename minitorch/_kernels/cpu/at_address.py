"""Compiled functions called at an address, and arrays of the numbers at one.

What many kernels call and is long is compiled once, not into each of them: they are told where its machine code is.
"""

from numba import types
from numba.extending import intrinsic


def address_of(function, kinds):
    """Where the machine code of a compiled function for arguments of these types is."""
    kinds = tuple(kinds)
    function.compile(kinds)
    compiled = function.overloads[kinds]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def call_at(context, builder, address, kinds, args):
    """Call the function there, which returns nothing, as compiled functions call each other."""
    convention = context.call_conv
    pointer = convention.get_function_type(types.void, kinds).as_pointer()
    convention.call_function(builder, builder.inttoptr(address, pointer), types.void, kinds, args)


@intrinsic
def row_at(typingctx, address, count, like):
    """The array of so many numbers like this one at the address."""
    kind = types.Array(like, 1, "C")

    def codegen(context, builder, signature, args):
        from numba.np.arrayobj import populate_array  # only a compiler needs it

        made, size = context.make_array(kind)(context, builder), context.get_constant(types.intp, like.bitwidth // 8)
        data = builder.inttoptr(args[0], made.data.type)
        populate_array(made, data=data, shape=[args[1]], strides=[size], itemsize=size, meminfo=None)
        return made._getvalue()

    return kind(address, count, like), codegen
