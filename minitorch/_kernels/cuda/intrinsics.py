"""The instructions behind the words of `device.py`, in LLVM's terms: for `compiler.py` alone.

Each builder gets a word's constants, then the Numba types of its arguments, and gives a Numba signature and the
function that emits code. Pointers are generic; LLVM finds by itself which of them are shared memory. What PTX alone can
say is written as PTX (names of instructions as in the PTX ISA); what all lanes of a warp must execute is marked
convergent, lest LLVM move it into a branch.
"""

from llvmlite import ir
from numba import types
from numba.cuda import cgutils

F4, F8, I1, I8, I16, I32, I64 = (
    ir.FloatType(), ir.DoubleType(), ir.IntType(1), ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)
)  # fmt: skip
TYPES = {
    "f4": types.float32, "f8": types.float64, "i1": types.int8, "i2": types.int16, "i4": types.int32, "i8": types.int64,
    "u1": types.uint8, "u2": types.uint16, "u4": types.uint32, "u8": types.uint64, "b1": types.uint8,
}  # fmt: skip
LETTERS = {"f4": "f", "f8": "d", "i4": "r", "u4": "r", "i8": "l", "u8": "l"}
SHARED = 3  # address space


def _code(numba_type):
    return next(code for code, each in TYPES.items() if each == numba_type)


def _wide(element):
    """What an element becomes in a register."""
    return types.int32 if isinstance(element, types.Integer) and element.bitwidth < 32 else element


def _llvm(numba_type):
    if isinstance(numba_type, types.Float):
        return F4 if numba_type.bitwidth == 32 else F8
    return ir.IntType(numba_type.bitwidth)


def _asm(builder, text, gives, values, constraints, effect=True, convergent=False):
    function = ir.FunctionType(gives, [value.type for value in values])
    attributes = ("convergent",) if convergent else ()
    return builder.call(ir.InlineAsm(function, text, constraints, side_effect=effect), values, attrs=attributes)


def _tuple(context, builder, kind, values):
    return context.make_tuple(builder, kind, values)


def instruction(text, gives, takes):
    """Builder of one instruction on registers."""
    kind, _, count = gives.partition("*")
    result = types.UniTuple(TYPES[kind], int(count)) if count else TYPES[kind]
    together = ".sync" in text
    parameters = [TYPES[code] for code in takes.split()]
    outputs = [f"={LETTERS[kind]}"] * int(count or 1)
    constraints = ",".join([*outputs, *(LETTERS[code] for code in takes.split())])
    llvm = _llvm(TYPES[kind])

    def build(*_):
        def emit(context, builder, signature, values):
            if not count:
                return _asm(builder, text, llvm, values, constraints, together, together)
            struct = ir.LiteralStructType([llvm] * int(count))
            out = _asm(builder, text, struct, values, constraints, together, together)
            return _tuple(context, builder, result, [builder.extract_value(out, k) for k in range(int(count))])

        return result(*parameters), emit

    return build


def libdevice(name):
    """Builder of a function of libdevice, by the type of its first argument."""

    def build(*kinds):
        kind = kinds[0]

        def emit(context, builder, signature, values):
            suffix = "f" if kind == types.float32 else ""
            function = ir.FunctionType(_llvm(kind), [value.type for value in values])
            callee = cgutils.get_or_insert_function(builder.module, function, f"__nv_{name}{suffix}")
            return builder.call(callee, values)

        return kind(*[kind] * len(kinds)), emit

    return build


# Memory


def _at(builder, pointer, index, index_type):
    """Address of an element: indices are signed but for u4 and u8."""
    if index.type.width < 64:
        index = (builder.sext if index_type.signed else builder.zext)(index, I64)
    return builder.gep(pointer, [index])


def _shared_address(builder, pointer, index, index_type):
    """The 32-bit address that instructions on shared memory take."""
    at = _at(builder, pointer, index, index_type)
    return builder.ptrtoint(builder.addrspacecast(at, ir.PointerType(at.type.pointee, SHARED)), I32)


def _global_address(builder, pointer, index, index_type):
    at = _at(builder, pointer, index, index_type)
    return builder.ptrtoint(builder.addrspacecast(at, ir.PointerType(at.type.pointee, 1)), I64)


def _shared(count, code, linkage, name):
    result = types.CPointer(TYPES[code])

    def emit(context, builder, signature, values):
        llvm = ir.ArrayType(_llvm(TYPES[code]), count)
        module = builder.module
        if linkage == "external" and name in module.globals:
            memory = module.globals[name]
        else:
            title = name if linkage == "external" else module.get_unique_name(name)
            memory = cgutils.add_global_variable(module, llvm, title, addrspace=SHARED)
            memory.linkage, memory.align = linkage, 128
            if linkage == "internal":
                memory.initializer = ir.Constant(llvm, ir.Undefined)
        first = builder.bitcast(memory, ir.PointerType(_llvm(TYPES[code]), SHARED))
        return builder.addrspacecast(first, ir.PointerType(_llvm(TYPES[code])))

    return result(), emit


def shared_array(count, code):
    return _shared(count, code, "internal", "shared")


def dynamic_shared(start, code):
    """All of it is one array of bytes, of which words of different types see parts."""
    result = types.CPointer(TYPES[code])

    def emit(context, builder, signature, values):
        _, base = _shared(0, "u1", "external", "dynamic_shared")
        at = builder.gep(base(context, builder, signature, values), [ir.Constant(I64, start)])
        return builder.bitcast(at, ir.PointerType(_llvm(TYPES[code])))

    return result(), emit


def advance(pointer, index):
    return pointer(pointer, index), lambda context, builder, signature, values: _at(builder, *values, index)


def pointer(code, address):
    result = types.CPointer(TYPES[code])
    llvm = ir.PointerType(_llvm(TYPES[code]))
    return result(types.uint64), lambda context, builder, signature, values: builder.inttoptr(values[0], llvm)


def _vector(element, count):
    """The vector that is moved: of 32-bit words where the elements are smaller."""
    size = element.bitwidth * count // 8
    if size not in (4, 8, 16):
        raise TypeError(f"{count} elements of {element} are {size} bytes: 4, 8 or 16 can be moved at once")
    return (_llvm(element), count, size) if element.bitwidth >= 32 else (I32, size // 4, size)


def load(count, source, index):
    element = source.dtype
    wide = _wide(element)
    result = types.UniTuple(wide, count)
    part, parts, size = _vector(element, count)

    def emit(context, builder, signature, values):
        vector = ir.VectorType(part, parts)
        at = builder.bitcast(_at(builder, *values, index), ir.PointerType(vector))
        loaded = builder.load(at)
        loaded.align = size
        loaded = builder.bitcast(loaded, ir.VectorType(_llvm(element), count))
        out = [builder.extract_element(loaded, I32(k)) for k in range(count)]
        if wide != element:
            out = [(builder.sext if element.signed else builder.zext)(value, I32) for value in out]
        return _tuple(context, builder, result, out)

    return result(source, index), emit


def store(target, index, *kinds):
    element, count = target.dtype, len(kinds)
    part, parts, size = _vector(element, count)

    def emit(context, builder, signature, values):
        at, number, *elements = values
        whole = ir.Constant(ir.VectorType(_llvm(element), count), ir.Undefined)
        for k, value in enumerate(elements):
            whole = builder.insert_element(whole, value, I32(k))
        vector = ir.VectorType(part, parts)
        place = builder.bitcast(_at(builder, at, number, index), ir.PointerType(vector))
        builder.store(builder.bitcast(whole, vector), place).align = size
        return context.get_dummy_value()

    return types.void(target, index, *[element] * count), emit


def _copy(size, conditional, target, i, source, j):
    cache = "cg" if size == 16 else "ca"  # past L1 where the instruction allows it

    def emit(context, builder, signature, values):
        to = _shared_address(builder, values[0], values[1], i)
        at = _global_address(builder, values[2], values[3], j)
        text, letters, operands = f"cp.async.{cache}.shared.global [$0], [$1], {size};", "r,l", [to, at]
        if conditional:
            text, letters = f"cp.async.{cache}.shared.global [$0], [$1], {size}, $2;", "r,l,r"
            operands.append(builder.select(values[4], I32(size), I32(0)))
        _asm(builder, text, ir.VoidType(), operands, letters + ",~{memory}")
        return context.get_dummy_value()

    condition = (types.boolean,) if conditional else ()
    return types.void(target, i, source, j, *condition), emit


def cp_async(size, target, i, source, j):
    return _copy(size, False, target, i, source, j)


def cp_async_fill(size, target, i, source, j, condition):
    return _copy(size, True, target, i, source, j)


def _statement(text):
    def emit(context, builder, signature, values):
        _asm(builder, text, ir.VoidType(), [], "~{memory}")
        return context.get_dummy_value()

    return types.void(), emit


def cp_async_commit():
    return _statement("cp.async.commit_group;")


def cp_async_wait(count):
    return _statement(f"cp.async.wait_group {count};")


def _ldmatrix(option, source, index):
    result = types.UniTuple(types.uint32, 4)
    text = f"ldmatrix.sync.aligned.m8n8.x4{option}.shared.b16 {{$0,$1,$2,$3}}, [$4];"

    def emit(context, builder, signature, values):
        address = _shared_address(builder, *values, index)
        struct = ir.LiteralStructType([I32] * 4)
        out = _asm(builder, text, struct, [address], "=r,=r,=r,=r,r,~{memory}", convergent=True)
        return _tuple(context, builder, result, [builder.extract_value(out, k) for k in range(4)])

    return result(source, index), emit


def ldmatrix_x4(source, index):
    return _ldmatrix("", source, index)


def ldmatrix_x4_trans(source, index):
    return _ldmatrix(".trans", source, index)


def _atomic(operation, target, index, *operands):
    element = target.dtype
    letter = LETTERS[_code(element)]
    kind = "f" if isinstance(element, types.Float) else "s" if element.signed else "u"
    if operation in ("exch", "cas"):
        kind = "b"
    elif operation == "add" and element == types.int64:
        kind = "u"  # two's complement: the same sum
    elif kind == "f" and operation != "add":
        raise TypeError(f"atomic_{operation} of floats: compare their bits")

    def emit(context, builder, signature, values):
        at = builder.ptrtoint(_at(builder, values[0], values[1], index), I64)
        places = ", ".join(f"${k + 2}" for k in range(len(operands)))
        text = f"atom.{operation}.{kind}{element.bitwidth} $0, [$1], {places};"
        constraints = ",".join([f"={letter}", "l", *[letter] * len(operands), "~{memory}"])
        return _asm(builder, text, _llvm(element), [at, *values[2:]], constraints)

    return element(target, index, *[element] * len(operands)), emit


def atomic_add(*kinds):
    return _atomic("add", *kinds)


def atomic_max(*kinds):
    return _atomic("max", *kinds)


def atomic_min(*kinds):
    return _atomic("min", *kinds)


def atomic_exch(*kinds):
    return _atomic("exch", *kinds)


def atomic_cas(*kinds):
    return _atomic("cas", *kinds)


# Numbers


def select(condition, a, b):
    def emit(context, builder, signature, values):
        return builder.select(*values)

    return a(types.boolean, a, a), emit


where = select


def _extreme(name, operator, a):
    """fmax and fmin by libdevice; maximum and minimum of float32 by the instruction that keeps NaN."""
    floats = isinstance(a, types.Float)
    if floats and name in ("fmax", "fmin"):
        return libdevice(name)(a, a)

    def emit(context, builder, signature, values):
        x, y = values
        if not floats:
            compare = builder.icmp_signed if a.signed else builder.icmp_unsigned
            return builder.select(compare(operator, x, y), x, y)
        if a == types.float32:
            return _asm(builder, f"{name[:3]}.NaN.f32 $0, $1, $2;", F4, values, "=f,f,f", effect=False)
        wins = builder.or_(builder.fcmp_ordered(operator, x, y), builder.fcmp_unordered("uno", x, x))
        return builder.select(wins, x, y)

    return a(a, a), emit


def fmax(a, b):
    return _extreme("fmax", ">", a)


def fmin(a, b):
    return _extreme("fmin", "<", a)


def maximum(a, b):
    return _extreme("maximum", ">", a)


def minimum(a, b):
    return _extreme("minimum", "<", a)


def absolute(a):
    if isinstance(a, types.Float):
        return libdevice("fabs")(a)

    def emit(context, builder, signature, values):
        if not a.signed:
            return values[0]
        zero = ir.Constant(values[0].type, 0)
        return builder.select(builder.icmp_signed("<", values[0], zero), builder.neg(values[0]), values[0])

    return a(a), emit


def isnan(a):
    def emit(context, builder, signature, values):
        return builder.fcmp_unordered("uno", values[0], values[0])

    return types.boolean(a), emit


def _magnitude(compare, a):
    def emit(context, builder, signature, values):
        size = libdevice("fabs")(a)[1](context, builder, signature, values)
        return builder.fcmp_ordered(compare, size, ir.Constant(size.type, float("inf")))

    return types.boolean(a), emit


def isinf(a):
    return _magnitude("==", a)


def isfinite(a):
    return _magnitude("<", a)


def signbit(a):
    def emit(context, builder, signature, values):
        word = ir.IntType(a.bitwidth)
        return builder.icmp_signed("<", builder.bitcast(values[0], word), ir.Constant(word, 0))

    return types.boolean(a), emit


def _divide(signed, gives, a):
    """Integer division that rounds down, in its own width: numba would take 64 bits and check for zero."""

    def emit(context, builder, signature, values):
        x, y = values
        if not signed:
            return builder.udiv(x, y) if gives == "quotient" else builder.urem(x, y)
        zero = ir.Constant(x.type, 0)
        quotient = builder.sdiv(x, y)
        rest = builder.sub(x, builder.mul(quotient, y))
        off = builder.and_(builder.icmp_signed("!=", rest, zero), builder.icmp_signed("<", builder.xor(rest, y), zero))
        if gives == "quotient":
            return builder.sub(quotient, builder.zext(off, x.type))
        return builder.add(rest, builder.select(off, y, zero))

    return a(a, a), emit


def _dividers():
    for code in ("i4", "i8", "u4", "u8"):
        for word, gives in (("floor_divide", "quotient"), ("remainder", "remainder")):
            yield (
                f"{word}_{code}",
                lambda a, b, signed=code[0] == "i", gives=gives, kind=TYPES[code]: _divide(signed, gives, kind),
            )


globals().update(_dividers())
