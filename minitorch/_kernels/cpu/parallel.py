"""The hand-over of a kernel's parts to other threads, without Python: `split(crew, body, parts, arguments)`.

A crew (see `threads.py`) is some words of memory that all its threads read and write, given by their address. One
launch at a time publishes a job, a function and the address of its arguments, and a *ticket*: the number of the
launch and how many parts are left. Every thread, the launching one too, takes parts from the ticket with a
compare-and-swap until none is left, so

- a launch never waits for a thread to wake up, only for parts that one has taken;
- a crew that is busy with the launch of another Python thread, or whose threads are gone after a fork, costs nothing:
  the caller does all parts itself;
- who computes a part is open, what a part computes is not: results do not depend on it.

The ticket counts down and holds the number of the launch because of threads that come late: with a ticket of a finished
launch the swap fails, so that a job is never read half, or a part taken twice.
"""

import os
import platform

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from .at_address import address_of, call_at
from .inner import inner

# Places in a crew, each in a cache line of its own unless written together. LAUNCH has the address of `launch`, which
# kernels call by it: put into each of them it would be a quarter of a second of their first use.
LAUNCH, TICKET, PENDING, JOB, ARGUMENTS, BUSY, MEMBERS = 0, 8, 16, 24, 25, 32, 40
LEFT = 2**20 - 1  # the bits of a ticket that count parts
POLITE = 64  # pauses of some 40 cycles between offers of the processor to other threads

_WORD = ir.IntType(64)
_BODY = ir.FunctionType(ir.VoidType(), [_WORD, _WORD])
_LAUNCH_TAKES = (types.intp,) * 4
_X86 = platform.machine() in ("x86_64", "AMD64")


def _word(builder, crew, place):
    return builder.gep(builder.inttoptr(crew, _WORD.as_pointer()), [place])


def _call_outside(builder, result, name):
    known = builder.module.globals.get(name)
    builder.call(known or ir.Function(builder.module, ir.FunctionType(result, []), name), [])


@intrinsic
def _read(typingctx, crew, place):
    """What stands there; later reads are not done before."""

    def codegen(context, builder, signature, args):
        return builder.load_atomic(_word(builder, *args), "acquire", 8)

    return types.intp(types.intp, types.intp), codegen


@intrinsic
def _write(typingctx, crew, place, value):
    """Earlier writes are seen by whoever sees this one."""

    def codegen(context, builder, signature, args):
        builder.store_atomic(args[2], _word(builder, *args[:2]), "release", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), codegen


@intrinsic
def _add(typingctx, crew, place, value):
    def codegen(context, builder, signature, args):
        return builder.atomic_rmw("add", _word(builder, *args[:2]), args[2], "acq_rel")

    return types.intp(types.intp, types.intp, types.intp), codegen


@intrinsic
def _swap(typingctx, crew, place, old, new):
    """Write `new` if `old` stands there, and say whether it did."""

    def codegen(context, builder, signature, args):
        found = builder.cmpxchg(_word(builder, *args[:2]), args[2], args[3], "acq_rel", "acquire")
        return builder.extract_value(found, 1)

    return types.boolean(types.intp, types.intp, types.intp, types.intp), codegen


@intrinsic
def _call(typingctx, job, arguments, part):
    def codegen(context, builder, signature, args):
        builder.call(builder.inttoptr(args[0], _BODY.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), codegen


@intrinsic
def _pause(typingctx):
    """Tell the processor that this is a loop which waits, where LLVM has a word for it."""

    def codegen(context, builder, signature, args):
        if _X86:
            _call_outside(builder, ir.VoidType(), "llvm.x86.sse2.pause")
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _yield(typingctx):
    """Let other threads have the processor, where the system has POSIX's call for it."""

    def codegen(context, builder, signature, args):
        if os.name == "posix":
            _call_outside(builder, ir.IntType(32), "sched_yield")
        return context.get_dummy_value()

    return types.void(), codegen


@inner()
def _work(crew):
    """Do parts as long as there are any; says whether there was one."""
    worked = False
    while True:
        ticket = _read(crew, TICKET)
        left = ticket & LEFT
        if not left:
            return worked
        job, arguments = _read(crew, JOB), _read(crew, ARGUMENTS)
        if _swap(crew, TICKET, ticket, ticket - 1):
            _call(job, arguments, left - 1)
            _add(crew, PENDING, -1)
            worked = True


@inner()
def share_of(items, part, parts):
    """Where this part of the items begins and ends."""
    return items * part // parts, items * (part + 1) // parts


@njit(cache=True, nogil=True)
def launch(crew, job, arguments, parts):
    """Have job(arguments, part) called for each part in range(parts), by the crew if it is free."""
    if parts == 1 or not _swap(crew, BUSY, 0, 1):
        for part in range(parts):
            _call(job, arguments, part)
        return
    _write(crew, JOB, job)
    _write(crew, ARGUMENTS, arguments)
    _write(crew, PENDING, parts)
    _write(crew, TICKET, (_read(crew, TICKET) | LEFT) + 1 + parts)
    _work(crew)
    pauses = 0
    while _read(crew, PENDING):
        _pause()
        pauses += 1
        if pauses % POLITE == 0:
            _yield()
    _write(crew, BUSY, 0)


@njit(cache=True, nogil=True)
def serve(crew, patience):
    """Do parts until there were none for `patience` pauses, or the crew has no members any more."""
    pauses = 0
    while pauses < patience and _read(crew, MEMBERS):
        if _work(crew):
            pauses = 0
        _pause()
        pauses += 1
        if pauses % POLITE == 0:
            _yield()


@intrinsic
def split(typingctx, crew, body, parts, arguments):
    """Call the compiled function body(part, *arguments) for each part in range(parts), by several threads at once.

    `crew` is an address that `threads.crew` gave, 0 for this thread alone. Parts are below 2 ** 20.
    """
    if not (isinstance(body, types.Dispatcher) and isinstance(arguments, types.BaseTuple)):
        return None
    signature = typingctx.resolve_function_type(body, (types.intp, *arguments.types), {})

    def codegen(context, builder, _, args):
        crew, _, parts, values = args
        compiled = body.dispatcher.get_compile_result(signature)
        context.active_code_library.add_linking_library(compiled.library)
        place = cgutils.alloca_once_value(builder, values)
        job = _adapted(context, builder, compiled.fndesc, arguments, place.type)
        address = builder.ptrtoint(place, _WORD)
        with builder.if_else(cgutils.is_null(builder, crew)) as (alone, together):
            with alone, cgutils.for_range(builder, parts) as loop:
                builder.call(job, [address, loop.index])
            with together:
                ends = [crew, builder.ptrtoint(job, _WORD), address, parts]
                call_at(context, builder, builder.load(_word(builder, crew, _WORD(LAUNCH))), _LAUNCH_TAKES, ends)
        return context.get_dummy_value()

    return types.void(types.intp, body, types.intp, arguments), codegen


def launch_address():
    """Where the machine code of `launch` is."""
    return address_of(launch, _LAUNCH_TAKES)


def _adapted(context, builder, description, arguments, pointer):
    """The function (address of the arguments, part) that calls the compiled one."""
    job = ir.Function(builder.module, _BODY, builder.module.get_unique_name("job"))
    job.linkage = "internal"
    inner = ir.IRBuilder(job.append_basic_block("entry"))
    address, part = job.args
    values = inner.load(inner.inttoptr(address, pointer))
    each = [inner.extract_value(values, i) for i in range(len(arguments))]
    function = context.declare_function(inner.module, description)
    kinds = description.argtypes
    context.call_conv.call_function(inner, function, description.restype, kinds, [part, *each])
    inner.ret_void()
    return job
