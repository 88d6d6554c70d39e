"""The vocabulary of CUDA kernels: the names that a kernel may use besides plain arithmetic, `if`, `for` and `while`.

A word has no body here. `lower.py` knows its type from the scheme below, `compiler.py` gives it its instruction and
`tests/simt.py` its meaning on NumPy memory. Layouts of fragments are those of the PTX ISA, chapter "Warp Level Matrix
Multiply-Accumulate Instructions".

What a kernel is written in:

- Types are codes: f4 f8 are floats, i4 i8 u4 u8 integers, b1 booleans; i1 u1 i2 u2 exist in memory only and become i4
  when read. f2 is another name for u2: half floats are bits in memory, and `from_half` and its like make them f4. `f4*`
  is a pointer to f4, `map` (of a parameter only) what the driver says of an array for `copy_box`. A code is also a
  conversion: `f4(x)`.
- Arithmetic is C's: i4 with i4 is i4, i4 with f4 is f4, and a literal takes the type of what it meets, so nothing
  becomes 64 bits wide unless an operand is. `//` and `%` are Python's (they round down).
- `for i in static(...)` is unrolled, and `i` is a constant in its body. An `if` over constants keeps one branch.
- `x = regs(4, 2)` is an array that lives in registers: its indices must be constants once loops are unrolled. It holds
  nothing until written; `regs(4, 2, fill=0.0)` does. `x[:] = load(p, i, 4)` fills one dimension.
- A function of Python that a kernel calls is inlined; it may return once, at its end. Register arrays and pointers that
  it is given are the caller's own.
- Numbers, strings and tuples of the enclosing scopes are constants.
"""

from typing import Any

Scheme = str


class Word:
    """A name of the vocabulary.

    `takes` and `gives` are schemes of types, one letter an argument: P pointer, E its element, I index, N constant
    integer, D type code, T any one type, R any one float type, else a code such as f4; "T..." repeats. `gives` may add
    a count, "E*N" (the first constant argument) or "f4*4", which makes a tuple. `scope` is the threads that must meet
    here: "block", "warpgroup" (four warps), "warp", or "" for a word that each thread executes alone; at "phase" a
    thread waits alone, for what others do.
    """

    def __init__(self, name: str, scheme: Scheme, doc: str, scope: str = "") -> None:
        takes, gives = scheme.split("->")
        self.name, self.takes, self.gives, self.scope, self.__doc__ = name, takes.split(), gives.strip(), scope, doc

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{self.name} has a meaning only within a kernel")

    def __repr__(self) -> str:
        return f"<word {self.name}>"


class Code(Word):
    """A type code, and the conversion to it."""


class Place:
    """`threadIdx` and its like, with the attributes x, y and z, of type i4."""

    def __init__(self, name: str, doc: str) -> None:
        self.name, self.__doc__ = name, doc


WORDS: dict[str, Word] = {}


def _word(name: str, scheme: Scheme, doc: str, scope: str = "") -> Any:
    word = WORDS[name] = (Code if scheme.startswith("cast") else Word)(name, scheme.replace("cast", "T"), doc, scope)
    return word


def _code(name: str) -> Any:
    return _word(name, f"cast -> {name}", f"Type code; {name}(x) converts x to it.")


f4, f8, b1 = map(_code, ("f4", "f8", "b1"))
i1, i2, i4, i8 = map(_code, ("i1", "i2", "i4", "i8"))
u1, u2, u4, u8 = map(_code, ("u1", "u2", "u4", "u8"))
f2 = u2

threadIdx = Place("threadIdx", "Index of the thread in its block.")
blockIdx = Place("blockIdx", "Index of the block in the grid.")
blockDim = Place("blockDim", "Threads in a block; constants of the kernel.")
gridDim = Place("gridDim", "Blocks in the grid.")
PLACES = {place.name: place for place in (threadIdx, blockIdx, blockDim, gridDim)}

# What exists before types do: lower.py takes these out.
static = _word("static", "N... ->", "A loop to unroll: static(n), static(a, b) or static(a, b, step).")
regs = _word("regs", "N... ->", "An array of registers: regs(4, 2), or regs(4, 2, fill=0.0).")

# Memory
shared_array = _word("shared_array", "N D -> D*", "N elements of shared memory of the block, at a constant size.")
dynamic_shared = _word("dynamic_shared", "N D -> D*", "The kernel's `shared` bytes from byte N on, as a pointer.")
advance = _word("advance", "P I -> P", "The pointer, I elements further.")
pointer = _word("pointer", "u8 D -> D*", "An address that was read from memory, as a pointer to D.")
load = _word("load", "P I N -> E*N", "N elements from I on in one access; N elements must be 4, 8 or 16 aligned bytes.")
store = _word("store", "P I E... ->", "2, 4 or 8 elements from I on in one access, as `load`.")
cp_async = _word(
    "cp_async",
    "P I P I N ->",
    "Start to copy N bytes (4, 8 or 16, aligned) to shared memory (first pointer) from global memory (second).",
)
cp_async_fill = _word(
    "cp_async_fill",
    "P I P I N b1 ->",
    "As cp_async where the condition holds, else N zero bytes; then nothing is read, but the index must be valid.",
)
cp_async_commit = _word("cp_async_commit", "->", "Close the group of copies that this thread started.")
cp_async_wait = _word("cp_async_wait", "N ->", "Wait until at most N of this thread's latest groups are unfinished.")
atomic_add = _word("atomic_add", "P I E -> E", "Add to one element; gives what was there.")
atomic_max = _word("atomic_max", "P I E -> E", "Maximum with one integer element; gives what was there.")
atomic_min = _word("atomic_min", "P I E -> E", "Minimum with one integer element; gives what was there.")
atomic_exch = _word("atomic_exch", "P I E -> E", "Replace one element; gives what was there.")
atomic_cas = _word("atomic_cas", "P I E E -> E", "Replace an integer element that equals the third argument.")
threadfence = _word("threadfence", "->", "This thread's writes so far are seen by other blocks before later ones.")

# Threads together
syncthreads = _word("syncthreads", "->", "Barrier of the block, which orders all its accesses.", "block")
syncwarp = _word("syncwarp", "->", "Barrier of the warp, which orders all its accesses.", "warp")
shfl_xor = _word("shfl_xor", "T i4 -> T", "The value of the lane whose number differs by xor.", "warp")
shfl_down = _word("shfl_down", "T i4 -> T", "The value of the lane that is so much further; else one's own.", "warp")
shfl_up = _word("shfl_up", "T i4 -> T", "The value of the lane that is so much before; else one's own.", "warp")
shfl = _word("shfl", "T i4 -> T", "The value of the given lane.", "warp")
ballot = _word("ballot", "b1 -> u4", "One bit for each lane's condition.", "warp")
any_lane = _word("any_lane", "b1 -> b1", "Whether the condition holds in any lane.", "warp")
all_lanes = _word("all_lanes", "b1 -> b1", "Whether the condition holds in all lanes.", "warp")

# Tensor cores; 16-byte rows of ldmatrix are given by lanes 0-7, 8-15, 16-23 and 24-31 for the four matrices
ldmatrix_x4 = _word("ldmatrix_x4", "P I -> u4*4", "Four 8x8 matrices of 16 bits from shared memory.", "warp")
ldmatrix_x4_trans = _word("ldmatrix_x4_trans", "P I -> u4*4", "As ldmatrix_x4, each transposed.", "warp")
_MMA = "u4 u4 u4 u4 u4 u4 f4 f4 f4 f4 -> f4*4"
mma_tf32 = _word("mma_tf32", _MMA, "m16n8k8 of tf32: four registers of A, two of B, four of C.", "warp")
mma_bf16 = _word("mma_bf16", _MMA, "m16n8k16 of bfloat16, as mma_tf32, two numbers a register.", "warp")
mma_f16 = _word("mma_f16", _MMA, "m16n8k16 of float16, as mma_bf16.", "warp")
to_tf32 = _word("to_tf32", "f4 -> u4", "Rounded to tf32 (nearest, ties away from zero), as bits.")

# Hopper's: barriers in shared memory (eight bytes each) that count arrivals and bytes, copies of boxes of an array by
# its tensor map, and products by four warps, which read both operands from shared memory by descriptors of 64 bits.
# Copies and products go on by themselves: the sums of a product are nothing before `wgmma_wait` has given them back.
shared_address = _word("shared_address", "P I -> u4", "The address of an element within shared memory, in bytes.")
mbarrier_init = _word("mbarrier_init", "P I u4 ->", "A barrier that so many arrivals end a phase of.")
mbarrier_fence = _word("mbarrier_fence", "->", "Barriers that this thread made are there for copies, too.")
mbarrier_expect = _word("mbarrier_expect", "P I u4 ->", "Arrive, and let the phase wait for so many bytes of copies.")
mbarrier_arrive = _word("mbarrier_arrive", "P I ->", "Arrive.")
mbarrier_wait = _word("mbarrier_wait", "P I u4 ->", "Wait for the end of the phase of this parity (0 first).", "phase")
copy_box = _word(
    "copy_box",
    "P I map i4 i4 i4 P I ->",
    "Start to copy a box to shared memory: its corner's places along the map's dimensions, the contiguous one first; "
    "what is outside becomes 0. The barrier (last two) is told of the bytes.",
)
_WGMMA = "N N N u8 u8 f4... -> f4*N"
_wgmma = "m64nNk{} of {}: how many sums a thread has (N / 2), whether A's and B's fast dimension is M and N, {}"
_rest = "descriptors of A and B, sums"
wgmma_bf16 = _word("wgmma_bf16", _WGMMA, _wgmma.format(16, "bfloat16", _rest), "warpgroup")
wgmma_f16 = _word("wgmma_f16", _WGMMA, _wgmma.format(16, "float16", _rest), "warpgroup")
wgmma_tf32 = _word("wgmma_tf32", _WGMMA, _wgmma.format(8, "tf32 (K is fast in both)", _rest), "warpgroup")
wgmma_fence = _word("wgmma_fence", "->", "What registers hold is there for products that follow.", "warpgroup")
wgmma_commit = _word("wgmma_commit", "->", "Close the group of products started so far.", "warpgroup")
wgmma_wait = _word("wgmma_wait", "N f4... -> f4*N", "So many sums, once all groups are finished.", "warpgroup")

# Bits
bits = _word("bits", "f4 -> u4", "The bits of a float.")
from_bits = _word("from_bits", "u4 -> f4", "The float of these bits.")
bits8 = _word("bits8", "f8 -> u8", "The bits of a double.")
from_bits8 = _word("from_bits8", "u8 -> f8", "The double of these bits.")
from_half = _word("from_half", "u4 -> f4", "The float16 whose bits are the low 16.")
to_half = _word("to_half", "f4 -> u4", "Bits of the nearest float16.")
from_bf16 = _word("from_bf16", "u4 -> f4", "The bfloat16 whose bits are the low 16.")
to_bf16 = _word("to_bf16", "f4 -> u4", "Bits of the nearest bfloat16.")
mul_hi = _word("mul_hi", "u4 u4 -> u4", "The upper 32 bits of the product.")
popc = _word("popc", "u4 -> i4", "How many bits are set.")
clz = _word("clz", "u4 -> i4", "How many bits above the highest set one.")

# Numbers. Names and edge cases are NumPy's, as in `_kernels/scalar.py`
select = _word("select", "b1 T T -> T", "The second argument where the condition holds, else the third; no branch.")
where = _word("where", "b1 T T -> T", "Same as select, the name that formulas use.")
fma = _word("fma", "R R R -> R", "a * b + c, rounded once.")
fmax = _word("fmax", "T T -> T", "The greater one; a NaN loses. Python's max is this.")
fmin = _word("fmin", "T T -> T", "The lesser one; a NaN loses. Python's min is this.")
maximum = _word("maximum", "T T -> T", "The greater one; a NaN wins.")
minimum = _word("minimum", "T T -> T", "The lesser one; a NaN wins.")
absolute = _word("absolute", "T -> T", "Python's abs.")
isnan, isinf, isfinite, signbit = (_word(name, "R -> b1", f"NumPy's {name}.") for name in (
    "isnan", "isinf", "isfinite", "signbit"))  # fmt: skip
UNARY = (
    "sqrt rsqrt exp exp2 expm1 log log2 log10 log1p sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh "
    "arctanh floor ceil trunc rint erf erfc erfinv erfcx lgamma ndtr ndtri i0 bessel_i1"
).split()
BINARY = "pow hypot copysign arctan2 fmod nextafter".split()
for _name in UNARY:
    _word(_name, "R -> R", f"{_name} of a float, by libdevice.")
for _name in BINARY:
    _word(_name, "R R -> R", f"{_name} of two floats, by libdevice.")
fast_exp = _word("fast_exp", "f4 -> f4", "exp by the special function unit: error about 2 ulp at 0, more further out.")
fast_divide = _word("fast_divide", "f4 f4 -> f4", "a / b without the slow path for the largest and smallest b.")

globals().update(WORDS)  # those made in loops, too
__all__ = [*WORDS, *PLACES, "f2"]
