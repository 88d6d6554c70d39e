"""From a kernel to machine code: Python -> LLVM -> PTX -> nvJitLink -> cubin, with no GPU and no driver.

Only this module calls numba.cuda and nvJitLink; with `intrinsics.py`, its table of instructions in LLVM's terms, it is
all that changes should another compiler take their place. Machine code is kept on disk per user, named by a hash of
everything that decides it, so a folder of cubins made elsewhere serves a machine without the compiler.
"""

import ast
import functools
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from minitorch._kernels import cache

from . import device
from .lower import define

if TYPE_CHECKING:
    from .kernel import Kernel

_MISSING = 'compiling CUDA kernels needs numba-cuda and nvJitLink: pip install "minitorch-engine[cuda]"'


class Cubin(NamedTuple):
    """Machine code of one kernel and what it takes: registers a thread, bytes a thread or (shared) a block."""

    code: bytes
    entry: str
    registers: int
    spill_bytes: int
    shared_bytes: int
    local_bytes: int


def compile(kernel: "Kernel", arch: str) -> Cubin:
    """The kernel's machine code for an architecture such as "sm_90" or "sm_90a", from the cache if it is there.

    Raises ImportError, with the remedy, where it must be compiled and the compiler is not installed.
    """
    cubins = vars(kernel).setdefault("cubins", {})
    if arch not in cubins:
        path = _path(kernel, arch)
        cubin = path and _read(path)
        if not cubin:
            cubin = _link(*ptx(kernel, arch), arch)
            if path:
                _keep(path, cubin)
        cubins[arch] = cubin
    return cubins[arch]


def ptx(kernel: "Kernel", arch: str) -> tuple[str, str]:
    """The kernel as PTX text and the name of its entry."""
    try:
        from numba import types
        from numba.cuda.compiler import _compile_pyfunc_with_fixup
    except ImportError as error:
        raise ImportError(_MISSING) from error

    spell = _Spell()
    tree = spell.visit(ast.parse(kernel.lowered.text))
    function = define(ast.unparse(tree), tree.body[0].name, spell.names)
    signature = types.void(*(_numba_type(code) for code in kernel.types))
    major, minor, suffix = re.fullmatch(r"sm_(\d+)(\d)([a-z]?)", arch).groups()  # type: ignore[union-attr]
    cc = (int(major), int(minor), suffix) if suffix else (int(major), int(minor))
    library, _ = _compile_pyfunc_with_fixup(
        function,
        signature,
        debug=False,
        lineinfo=False,
        device=False,
        fastmath=False,
        cc=cc,
        opt=True,
        abi="numba",
        launch_bounds=(kernel.threads, kernel.blocks_per_sm),
    )
    text = library.get_asm_strs(cc=cc)[0]
    return text, re.search(r"\.entry (\S+)\(", text).group(1)  # type: ignore[union-attr]


def _link(text: str, entry: str, arch: str) -> Cubin:
    """PTX to machine code."""
    try:
        from cuda.bindings import nvjitlink
    except ImportError as error:
        raise ImportError(_MISSING) from error
    handle = nvjitlink.create(2, [f"-arch={arch}", "-verbose"])
    try:
        data = text.encode()
        nvjitlink.add_data(handle, nvjitlink.InputType.PTX, data, len(data), entry)
        nvjitlink.complete(handle)
        code = bytearray(nvjitlink.get_linked_cubin_size(handle))
        nvjitlink.get_linked_cubin(handle, code)
        log = bytearray(nvjitlink.get_info_log_size(handle))
        nvjitlink.get_info_log(handle, log)
    except Exception as error:
        log = bytearray(nvjitlink.get_error_log_size(handle))
        nvjitlink.get_error_log(handle, log)
        raise RuntimeError(f"nvJitLink cannot link {entry} for {arch}:\n{log.decode(errors='replace')}") from error
    finally:
        nvjitlink.destroy(handle)
    said = log.decode(errors="replace")

    def number(pattern: str) -> int:
        return sum(map(int, re.findall(pattern, said)))

    return Cubin(
        bytes(code),
        entry,
        number(r"Used (\d+) registers"),
        number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
        number(r"(\d+) bytes smem"),
        number(r"(\d+) bytes stack frame"),
    )


# The cache


@functools.cache
def _toolchain() -> str:
    """What turns a lowered kernel into code, as text: this file and the instructions."""
    here = Path(__file__)
    return "".join(path.read_text(encoding="utf-8") for path in (here, here.with_name("intrinsics.py")))


def _path(kernel: "Kernel", arch: str) -> Path | None:
    folder = cache.cache_dir()
    if folder is None:
        return None
    content = (kernel.lowered.text, kernel.types, kernel.threads, kernel.blocks_per_sm, arch, _toolchain())
    return folder / f"{kernel.name}_{hashlib.sha256(repr(content).encode()).hexdigest()[:24]}.{arch}.cubin"


def _read(path: Path) -> Cubin | None:
    """The file's cubin; None if there is none or it is damaged, in which case it is made anew."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, _, rest = data.partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != digest:
        cache._warn(path.parent, f"{path.name} is damaged")
        return None
    head, _, code = rest.partition(b"\n")
    return Cubin(code, *json.loads(head))


def _keep(path: Path, cubin: Cubin) -> None:
    rest = json.dumps(cubin[1:]).encode() + b"\n" + cubin.code
    try:
        cache._write(path, hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
    except OSError as error:
        cache._warn(path.parent, error)


# The words in numba's terms

_NUMBA = {
    "f4": "float32", "f8": "float64", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64", "u1": "uint8",
    "u2": "uint16", "u4": "uint32", "u8": "uint64", "b1": "boolean",
}  # fmt: skip
_REGISTER = {"f4": "f", "f8": "d", "i4": "r", "u4": "r", "i8": "l", "u8": "l"}

# Words that are one function of libdevice for each float type, where the names differ
_LIBDEVICE = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
    "arctan2": "atan2", "ndtr": "normcdf", "ndtri": "normcdfinv", "i0": "cyl_bessel_i0", "i1": "cyl_bessel_i1",
    "fast_divide": "fast_fdivide", "fast_exp": "fast_exp", "fma": "fma",
}  # fmt: skip

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
    "bits": ("mov.b32 $0, $1;", "u4", "f4"),
    "from_bits": ("mov.b32 $0, $1;", "f4", "u4"),
    "bits8": ("mov.b64 $0, $1;", "u8", "f8"),
    "from_bits8": ("mov.b64 $0, $1;", "f8", "u8"),
    "mma_tf32": (_MMA.format("m16n8k8", "tf32"), "f4*4", _FRAGMENTS),
    "mma_bf16": (_MMA.format("m16n8k16", "bf16"), "f4*4", _FRAGMENTS),
    "mma_f16": (_MMA.format("m16n8k16", "f16"), "f4*4", _FRAGMENTS),
}

# Words that are calls of numba's own, which knows that they must not be moved
_CALLS = {
    "shfl_xor": "cuda.shfl_xor_sync(0xffffffff, {0}, {1})",
    "shfl_down": "cuda.shfl_down_sync(0xffffffff, {0}, {1})",
    "shfl_up": "cuda.shfl_up_sync(0xffffffff, {0}, {1})",
    "shfl": "cuda.shfl_sync(0xffffffff, {0}, {1})",
    "ballot": "u4(cuda.ballot_sync(0xffffffff, {0}))",
    "any_lane": "b1(cuda.any_sync(0xffffffff, {0}))",
    "all_lanes": "b1(cuda.all_sync(0xffffffff, {0}))",
    "syncthreads": "cuda.syncthreads()",
    "syncwarp": "cuda.syncwarp()",
    "threadfence": "cuda.threadfence()",
}


class _Spell(ast.NodeTransformer):
    """Writes the words as numba has them: `load(p, i, 4)` becomes `load_4(p, i)`, a function made for that constant."""

    def __init__(self) -> None:
        from numba import cuda

        self.names: dict[str, Any] = {"cuda": cuda, "nan": float("nan"), "inf": float("inf")}
        self.names.update({code: _numba_type(code) for code in _NUMBA}, b1=bool)

    def visit_Name(self, node: ast.Name) -> Any:
        return ast.parse(f"cuda.{node.id}", mode="eval").body if node.id in device.PLACES else node

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        name = node.func.id  # type: ignore[attr-defined]
        if name in _CALLS:
            return ast.parse(_CALLS[name].format(*map(ast.unparse, node.args)), mode="eval").body
        if name in _NUMBA or name == "range":
            return node
        takes = device.WORDS[name].takes if name in device.WORDS else ["T", "T"]
        fixed, free = [], []
        for argument, scheme in zip(node.args, takes + takes[-1:] * len(node.args)):
            (fixed if scheme in ("N", "D") else free).append(argument)
        known = [ast.unparse(argument) for argument in fixed]
        title = "_".join([name, *known, str(len(free))])
        if title not in self.names:
            self.names[title] = _intrinsic(name, [int(k) if k.isdigit() else k for k in known], len(free))
        return ast.Call(ast.Name(title, ast.Load()), free, [])


def _numba_type(code: str) -> Any:
    """Numba's type of a code; booleans in memory are bytes."""
    from numba import types

    if code.endswith("*"):
        return types.CPointer(_numba_type("u1" if code == "b1*" else code[:-1]))
    return getattr(types, _NUMBA[code])


def _intrinsic(name: str, constants: list[Any], count: int) -> Any:
    """A numba function of `count` arguments that becomes the instructions of a word."""
    from numba.cuda.extending import intrinsic

    from . import intrinsics

    if name in _INSTRUCTIONS:
        build = intrinsics.instruction(*_INSTRUCTIONS[name])
    elif name in _LIBDEVICE or name in device.UNARY or name in device.BINARY:
        build = intrinsics.libdevice(_LIBDEVICE.get(name, name))
    else:
        build = functools.partial(getattr(intrinsics, name), *constants)
    arguments = ", ".join(f"a{i}" for i in range(count))
    return intrinsic(eval(f"lambda context, {arguments}: build({arguments})", {"build": build}))
