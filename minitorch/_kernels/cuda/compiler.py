"""From a kernel to machine code: Python -> LLVM (`emit.py`) -> NVVM -> PTX -> nvJitLink -> cubin; no GPU, no driver.

Only this module calls NVVM and nvJitLink, through NVIDIA's bindings. Numba's CUDA target does the same by way of a type
inference and an SSA form of its own, which took a minute for a matrix product; here types are known, and it takes one
second. Machine code is kept on disk per user, named by a hash of everything that decides it, so a folder of cubins made
elsewhere serves a machine without the compiler.
"""

import functools
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from minitorch._kernels import cache

if TYPE_CHECKING:
    from .kernel import Kernel

_MISSING = 'compiling CUDA kernels needs NVVM and nvJitLink: pip install "minitorch-engine[cuda]"'


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
    """The kernel as PTX text and the name of its entry.

    PTX of one architecture serves all later ones, so the newest that NVVM takes in this dialect of LLVM is 9.0.
    """
    try:
        from cuda.bindings import nvvm
    except ImportError as error:
        raise ImportError(_MISSING) from error
    from . import emit

    number, suffix = re.fullmatch(r"sm_(\d+)([a-z]?)", arch).groups()  # type: ignore[union-attr]
    target = f"compute_{min(int(number), 90)}{suffix}"
    program = nvvm.create_program()
    try:
        text = emit.module(kernel).encode()
        nvvm.add_module_to_program(program, text, len(text), kernel.name)
        functions = _libdevice()
        nvvm.lazy_add_module_to_program(program, functions, len(functions), "libdevice")
        nvvm.compile_program(program, 2, [f"-arch={target}", "-opt=3"])
        made = bytearray(nvvm.get_compiled_result_size(program))
        nvvm.get_compiled_result(program, made)
    except nvvm.nvvmError as error:
        log = bytearray(nvvm.get_program_log_size(program))
        nvvm.get_program_log(program, log)
        raise RuntimeError(f"NVVM cannot compile {kernel.name}:\n{log.decode(errors='replace')}") from error
    finally:
        nvvm.destroy_program(program)
    return made.decode().rstrip("\0"), kernel.name


@functools.cache
def _libdevice() -> bytes:
    """NVIDIA's functions of one number, as LLVM bitcode."""
    from cuda.pathfinder import find_bitcode_lib

    return Path(find_bitcode_lib("device")).read_bytes()


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
        number(r"Used .*?(\d+) bytes smem"),
        number(r"(\d+) bytes stack frame"),
    )


# The cache


@functools.cache
def _toolchain() -> str:
    """What turns a lowered kernel into code, as text."""
    files = ("compiler.py", "emit.py", "intrinsics.py", "intrinsics_hopper.py")
    return "".join(Path(__file__).with_name(file).read_text(encoding="utf-8") for file in files)


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
