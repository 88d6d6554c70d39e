"""The instructions behind the words of `device.py`, in LLVM's terms: for `emit.py` alone.

Each builder gets LLVM's builder, the values and the type codes of a word's arguments, then its constants, and gives
the result: a value, a list of them for a tuple, or None. Pointers are generic; LLVM finds by itself which of them are
shared memory. What PTX alone can say is written as PTX (names of instructions as in the PTX ISA); what all lanes of a
warp must execute is marked convergent, lest LLVM move it into a branch.
"""

from llvmlite import ir

from . import device

F4, F8, I1, I8, I16, I32, I64 = (
    ir.FloatType(), ir.DoubleType(), ir.IntType(1), ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)
)  # fmt: skip
TYPES = {
    "f4": F4, "f8": F8, "i1": I8, "u1": I8, "i2": I16, "u2": I16, "i4": I32, "u4": I32, "i8": I64, "u8": I64, "b1": I1,
}  # fmt: skip
MEMORY = {**TYPES, "b1": I8}  # what an element is in memory
LETTERS = {"f4": "f", "f8": "d", "i4": "r", "u4": "r", "i8": "l", "u8": "l"}
SHARED = 3  # address space
WORDS = {}  # name -> builder


def word(build):
    """Decorator: the builder of the word of its name."""
    WORDS[build.__name__] = build
    return build


MAP = ir.PointerType(ir.ArrayType(I64, 16))  # a tensor map: 128 bytes among the kernel's parameters


def llvm_type(code):
    """LLVM's type of a code, pointers included."""
    if code == "map":
        return MAP
    return ir.PointerType(MEMORY[code[:-1]]) if code.endswith("*") else TYPES[code]


def widened(builder, value, code):
    """An element as it is in a register: of 32 bits at least."""
    if code in ("i1", "i2"):
        return builder.sext(value, I32)
    return builder.zext(value, I32) if code in ("u1", "u2", "b1") else value


def _asm(builder, text, gives, values, constraints, effect=True, convergent=False):
    function = ir.FunctionType(gives, [value.type for value in values])
    attributes = ("convergent",) if convergent else ()
    return builder.call(ir.InlineAsm(function, text, constraints, side_effect=effect), values, attrs=attributes)


def _call(builder, name, gives, values, attributes=()):
    """A call of an intrinsic or of libdevice."""
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(gives, [value.type for value in values]), name)
    return builder.call(function, values, attrs=attributes)


def _parts(builder, struct, count):
    return [builder.extract_value(struct, k) for k in range(count)]


# Words that are one instruction on registers: text, result, operands
_MMA = "mma.sync.aligned.{0}.row.col.f32.{1}.{1}.f32 {{$0,$1,$2,$3}}, {{$4,$5,$6,$7}}, {{$8,$9}}, {{$10,$11,$12,$13}};"
_FRAGMENTS = "u4 u4 u4 u4 u4 u4 f4 f4 f4 f4"
_INSTRUCTIONS = {
    "to_tf32": ("cvt.rna.tf32.f32 $0, $1;", "u4", "f4"),
    "from_half": ("{.reg .b16 h; cvt.u16.u32 h, $1; cvt.f32.f16 $0, h;}", "f4", "u4"),
    "to_half": ("{.reg .b16 h; cvt.rn.f16.f32 h, $1; cvt.u32.u16 $0, h;}", "u4", "f4"),
    "from_bf16": ("{.reg .b32 w; shl.b32 w, $1, 16; mov.b32 $0, w;}", "f4", "u4"),
    "to_bf16": ("{.reg .b16 h; cvt.rn.bf16.f32 h, $1; cvt.u32.u16 $0, h;}", "u4", "f4"),
    "mul_hi": ("mul.hi.u32 $0, $1, $2;", "u4", "u4 u4"),
    "popc": ("popc.b32 $0, $1;", "i4", "u4"),
    "clz": ("clz.b32 $0, $1;", "i4", "u4"),
    "mma_tf32": (_MMA.format("m16n8k8", "tf32"), "f4*4", _FRAGMENTS),
    "mma_bf16": (_MMA.format("m16n8k16", "bf16"), "f4*4", _FRAGMENTS),
    "mma_f16": (_MMA.format("m16n8k16", "f16"), "f4*4", _FRAGMENTS),
}


def _instruction(text, gives, takes):
    kind, _, count = gives.partition("*")
    number = int(count or 1)
    constraints = ",".join([f"={LETTERS[kind]}"] * number + [LETTERS[code] for code in takes.split()])
    together = ".sync" in text

    def build(builder, values, codes):
        result = ir.LiteralStructType([TYPES[kind]] * number) if count else TYPES[kind]
        out = _asm(builder, text, result, values, constraints, together, together)
        return _parts(builder, out, number) if count else out

    return build


WORDS.update({name: _instruction(*row) for name, row in _INSTRUCTIONS.items()})


def _bitcast(code):
    return lambda builder, values, codes: builder.bitcast(values[0], TYPES[code])


WORDS.update(bits=_bitcast("u4"), from_bits=_bitcast("f4"), bits8=_bitcast("u8"), from_bits8=_bitcast("f8"))

# Words that are one function of libdevice for each float type, where the names differ
_LIBDEVICE = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
    "arctan2": "atan2", "ndtr": "normcdf", "ndtri": "normcdfinv", "i0": "cyl_bessel_i0",
    "bessel_i1": "cyl_bessel_i1", "fast_divide": "fast_fdivide", "fast_exp": "fast_exp", "fma": "fma",
}  # fmt: skip


def libdevice(name):
    """Builder of a function of libdevice, by the type of its first argument."""

    def build(builder, values, codes):
        return _call(builder, f"__nv_{name}{'f' if codes[0] == 'f4' else ''}", values[0].type, values)

    return build


for _name in (*device.UNARY, *device.BINARY, *_LIBDEVICE):
    WORDS.setdefault(_name, libdevice(_LIBDEVICE.get(_name, _name)))


# Threads


def place(builder, name, axis):
    """`threadIdx.x` and its like."""
    register = {"threadIdx": "tid", "blockIdx": "ctaid", "gridDim": "nctaid"}[name]
    return _call(builder, f"llvm.nvvm.read.ptx.sreg.{register}.{axis}", I32, [])


def _barrier(name, *operands):
    def build(builder, values, codes):
        _call(builder, name, ir.VoidType(), [I32(operand) for operand in operands], ("convergent",))

    return build


WORDS.update(
    syncthreads=_barrier("llvm.nvvm.barrier0"),
    syncwarp=_barrier("llvm.nvvm.bar.warp.sync", -1),
    threadfence=_barrier("llvm.nvvm.membar.gl"),
)


def _shuffle(mode, clamp):
    """One word of 32 bits at a time; a double goes in two."""

    def move(builder, value, lane):
        operands = [I32(-1), I32(mode), value, lane, I32(clamp)]
        pair = ir.LiteralStructType([I32, I1])
        moved = _call(builder, "llvm.nvvm.shfl.sync.i32", pair, operands, ("convergent",))
        return builder.extract_value(moved, 0)

    def build(builder, values, codes):
        value, lane = values
        width = int(codes[0][1]) * 8
        word = builder.bitcast(value, ir.IntType(width)) if codes[0][0] == "f" else value
        if width == 32:
            return builder.bitcast(move(builder, word, lane), value.type)
        low = builder.zext(move(builder, builder.trunc(word, I32), lane), I64)
        high = builder.zext(move(builder, builder.trunc(builder.lshr(word, I64(32)), I32), lane), I64)
        return builder.bitcast(builder.or_(low, builder.shl(high, I64(32))), value.type)

    return build


WORDS.update(shfl=_shuffle(0, 31), shfl_up=_shuffle(1, 0), shfl_down=_shuffle(2, 31), shfl_xor=_shuffle(3, 31))


def _vote(mode, ballot):
    def build(builder, values, codes):
        pair = ir.LiteralStructType([I32, I1])
        operands = [I32(-1), I32(mode), values[0]]
        voted = _call(builder, "llvm.nvvm.vote.sync", pair, operands, ("convergent",))
        return builder.extract_value(voted, 0 if ballot else 1)

    return build


WORDS.update(all_lanes=_vote(0, False), any_lane=_vote(1, False), ballot=_vote(3, True))


# Memory


def element(builder, pointer, index, code):
    """Address of an element: indices are signed but for u4 and u8."""
    if index.type.width < 64:
        index = (builder.zext if code[0] == "u" else builder.sext)(index, I64)
    return builder.gep(pointer, [index])


def _shared_address(builder, pointer, index, code):
    """The 32-bit address that instructions on shared memory take."""
    at = element(builder, pointer, index, code)
    return builder.ptrtoint(builder.addrspacecast(at, ir.PointerType(at.type.pointee, SHARED)), I32)


def _global_address(builder, pointer, index, code):
    at = element(builder, pointer, index, code)
    return builder.ptrtoint(builder.addrspacecast(at, ir.PointerType(at.type.pointee, 1)), I64)


def _generic(builder, memory, code):
    first = builder.bitcast(memory, ir.PointerType(MEMORY[code], SHARED))
    return builder.addrspacecast(first, ir.PointerType(MEMORY[code]))


@word
def shared_array(builder, values, codes, count, code):
    kind = ir.ArrayType(MEMORY[code], count)
    memory = ir.GlobalVariable(builder.module, kind, builder.module.get_unique_name("shared"), SHARED)
    memory.linkage, memory.align, memory.initializer = "internal", 128, ir.Constant(kind, ir.Undefined)
    return _generic(builder, memory, code)


@word
def dynamic_shared(builder, values, codes, start, code):
    """All of it is one array of bytes, of which words of different types see parts."""
    memory = builder.module.globals.get("dynamic_shared")
    if memory is None:
        memory = ir.GlobalVariable(builder.module, ir.ArrayType(I8, 0), "dynamic_shared", SHARED)
        memory.linkage, memory.align = "external", 128
    at = builder.gep(_generic(builder, memory, "u1"), [I64(start)])
    return builder.bitcast(at, ir.PointerType(MEMORY[code]))


@word
def advance(builder, values, codes):
    return element(builder, *values, codes[1])


@word
def pointer(builder, values, codes, code):
    return builder.inttoptr(values[0], ir.PointerType(MEMORY[code]))


def _vector(code, count):
    """The vector that is moved: of 32-bit words where the elements are smaller."""
    bits = {"b1": 8}.get(code, int(code[1]) * 8)
    size = bits * count // 8
    if size not in (4, 8, 16):
        raise TypeError(f"{count} elements of {code} are {size} bytes: 4, 8 or 16 can be moved at once")
    return ir.VectorType(MEMORY[code], count) if bits >= 32 else ir.VectorType(I32, size // 4), size


@word
def load(builder, values, codes, count):
    code = codes[0][:-1]
    vector, size = _vector(code, count)
    loaded = builder.load(builder.bitcast(element(builder, *values, codes[1]), ir.PointerType(vector)))
    loaded.align = size
    whole = builder.bitcast(loaded, ir.VectorType(MEMORY[code], count))
    return [widened(builder, builder.extract_element(whole, I32(k)), code) for k in range(count)]


@word
def store(builder, values, codes):
    code = codes[0][:-1]
    at, index, *elements = values
    vector, size = _vector(code, len(elements))
    whole = ir.Constant(ir.VectorType(MEMORY[code], len(elements)), ir.Undefined)
    for k, value in enumerate(elements):
        value = builder.zext(value, I8) if code == "b1" else value
        whole = builder.insert_element(whole, value, I32(k))
    place = builder.bitcast(element(builder, at, index, codes[1]), ir.PointerType(vector))
    builder.store(builder.bitcast(whole, vector), place).align = size


@word
def cp_async(builder, values, codes, size):
    cache = "cg" if size == 16 else "ca"  # past L1 where the instruction allows it
    operands = [_shared_address(builder, *values[:2], codes[1]), _global_address(builder, *values[2:4], codes[3])]
    text, letters = f"cp.async.{cache}.shared.global [$0], [$1], {size}", "r,l"
    if len(values) > 4:
        text, letters = text + ", $2", letters + ",r"
        operands.append(builder.select(values[4], I32(size), I32(0)))
    _asm(builder, text + ";", ir.VoidType(), operands, letters + ",~{memory}")


WORDS["cp_async_fill"] = cp_async


@word
def cp_async_commit(builder, values, codes):
    _asm(builder, "cp.async.commit_group;", ir.VoidType(), [], "~{memory}")


@word
def cp_async_wait(builder, values, codes, count):
    _asm(builder, f"cp.async.wait_group {count};", ir.VoidType(), [], "~{memory}")


def _ldmatrix(option):
    text = f"ldmatrix.sync.aligned.m8n8.x4{option}.shared.b16 {{$0,$1,$2,$3}}, [$4];"

    def build(builder, values, codes):
        address = _shared_address(builder, *values, codes[1])
        struct = ir.LiteralStructType([I32] * 4)
        out = _asm(builder, text, struct, [address], "=r,=r,=r,=r,r,~{memory}", convergent=True)
        return _parts(builder, out, 4)

    return build


WORDS.update(ldmatrix_x4=_ldmatrix(""), ldmatrix_x4_trans=_ldmatrix(".trans"))


def _atomic(operation):
    def build(builder, values, codes):
        code = codes[0][:-1]
        kind = {"f": "f", "i": "s", "u": "u"}[code[0]]
        if operation in ("exch", "cas"):
            kind = "b"
        elif operation == "add" and code == "i8":
            kind = "u"  # two's complement: the same sum
        elif kind == "f" and operation != "add":
            raise TypeError(f"atomic_{operation} of floats: compare their bits")
        at = builder.ptrtoint(element(builder, *values[:2], codes[1]), I64)
        places = ", ".join(f"${k}" for k in range(2, len(values)))
        text = f"atom.{operation}.{kind}{int(code[1]) * 8} $0, [$1], {places};"
        letter = LETTERS[code]
        constraints = ",".join([f"={letter}", "l", *[letter] * (len(values) - 2), "~{memory}"])
        return _asm(builder, text, TYPES[code], [at, *values[2:]], constraints)

    return build


WORDS.update({f"atomic_{operation}": _atomic(operation) for operation in ("add", "max", "min", "exch", "cas")})


# Numbers


@word
def select(builder, values, codes):
    return builder.select(*values)


WORDS["where"] = select


def _extreme(name, operator):
    """fmax and fmin by libdevice; maximum and minimum of float32 by the instruction that keeps NaN."""

    def build(builder, values, codes):
        code, (x, y) = codes[0], values
        if code[0] != "f":
            compare = builder.icmp_signed if code[0] == "i" else builder.icmp_unsigned
            return builder.select(compare(operator, x, y), x, y)
        if name in ("fmax", "fmin"):
            return libdevice(name)(builder, values, codes)
        if code == "f4":
            return _asm(builder, f"{name[:3]}.NaN.f32 $0, $1, $2;", F4, values, "=f,f,f", effect=False)
        wins = builder.or_(builder.fcmp_ordered(operator, x, y), builder.fcmp_unordered("uno", x, x))
        return builder.select(wins, x, y)

    return build


for _name, _operator in (("fmax", ">"), ("fmin", "<"), ("maximum", ">"), ("minimum", "<")):
    WORDS[_name] = _extreme(_name, _operator)


@word
def absolute(builder, values, codes):
    if codes[0][0] == "f":
        return libdevice("fabs")(builder, values, codes)
    if codes[0][0] != "i":
        return values[0]
    zero = ir.Constant(values[0].type, 0)
    return builder.select(builder.icmp_signed("<", values[0], zero), builder.neg(values[0]), values[0])


@word
def isnan(builder, values, codes):
    return builder.fcmp_unordered("uno", values[0], values[0])


def _magnitude(compare):
    def build(builder, values, codes):
        size = absolute(builder, values, codes)
        return builder.fcmp_ordered(compare, size, ir.Constant(size.type, float("inf")))

    return build


WORDS.update(isinf=_magnitude("=="), isfinite=_magnitude("<"))


@word
def signbit(builder, values, codes):
    word = ir.IntType(int(codes[0][1]) * 8)
    return builder.icmp_signed("<", builder.bitcast(values[0], word), ir.Constant(word, 0))


def _divide(quotient):
    """Integer division that rounds down."""

    def build(builder, values, codes):
        x, y = values
        if codes[0][0] == "u":
            return builder.udiv(x, y) if quotient else builder.urem(x, y)
        zero = ir.Constant(x.type, 0)
        whole = builder.sdiv(x, y)
        rest = builder.sub(x, builder.mul(whole, y))
        signs = builder.icmp_signed("<", builder.xor(rest, y), zero)
        off = builder.and_(builder.icmp_signed("!=", rest, zero), signs)
        if quotient:
            return builder.sub(whole, builder.zext(off, x.type))
        return builder.add(rest, builder.select(off, y, zero))

    return build


for _code in ("i4", "i8", "u4", "u8"):
    WORDS[f"floor_divide_{_code}"], WORDS[f"remainder_{_code}"] = _divide(True), _divide(False)
