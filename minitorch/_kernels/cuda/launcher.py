"""The driver's launch call from compiled code: ctypes takes longer over its eleven arguments than the driver does.

Loaded by `cache.load_file`; everything is an integer, addresses included.
"""

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

I32, I64 = ir.IntType(32), ir.IntType(64)


@intrinsic
def call_launch(context, entry, function, grid, block, shared, stream, arguments):
    """cuLaunchKernel at address `entry`: its status. The two triples come as tuples."""
    signature = types.int32(entry, function, grid, block, shared, stream, arguments)

    def generate(context, b, signature, args):
        address, function, grid, block, shared, stream, arguments = args
        kind = ir.FunctionType(I32, [I64, *[I32] * 7, I64, I64, I64])
        sizes = [b.trunc(b.extract_value(triple, i), I32) for triple in (grid, block) for i in range(3)]
        call = b.inttoptr(address, ir.PointerType(kind))
        return b.call(call, [function, *sizes, b.trunc(shared, I32), stream, arguments, I64(0)])

    return signature, generate


@njit(cache=True)
def launch(entry, function, grid, block, shared, stream, arguments):
    """Start one kernel."""
    return call_launch(entry, function, grid, block, shared, stream, arguments)
