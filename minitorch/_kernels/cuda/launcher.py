"""The driver's launch call from compiled code: ctypes takes longer over its eleven arguments than the driver does.

Loaded by `cache.load_file`. All that a launch needs lies in memory as 64-bit integers (see `launch.HEAD`), so that one
integer, their address, is all that Numba has to take apart.
"""

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

I32, I64 = ir.IntType(32), ir.IntType(64)


@intrinsic
def call_launch(context, record):
    """cuLaunchKernel as the record at this address says: its status."""

    def generate(context, b, signature, args):
        fields = b.inttoptr(args[0], ir.PointerType(I64))
        entry, function, *block, shared, arguments, gx, gy, gz, stream = [
            b.load(b.gep(fields, [I64(i)])) for i in range(11)
        ]
        kind = ir.FunctionType(I32, [I64, *[I32] * 7, I64, I64, I64])
        sizes = [b.trunc(n, I32) for n in (gx, gy, gz, *block, shared)]
        return b.call(b.inttoptr(entry, ir.PointerType(kind)), [function, *sizes, stream, arguments, I64(0)])

    return types.int32(types.int64), generate


@njit(cache=True)
def launch(record):
    """Start one kernel."""
    return call_launch(record)
