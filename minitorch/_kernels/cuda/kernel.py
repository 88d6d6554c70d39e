"""Records of CUDA kernels: `@kernel` makes one, `launch` runs it, `KERNELS` lists them."""

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any

from . import lower
from .launch import launch

KERNELS: dict[str, "Kernel"] = {}
"""Every kernel that a module defines by `@kernel`, by module and name; templates list a few of theirs elsewhere."""


class Kernel:
    """A function written in the words of `device.py`, with all that decides its machine code.

    `types` are the codes of its parameters, `block` the threads of a block in x, y and z, `shared` the bytes of its
    dynamic shared memory, `blocks_per_sm` how many blocks must fit on one multiprocessor, which bounds the registers.
    `vector`, `tensor_cores` and `wgmma` are claims that the tests hold against the machine code: 128-bit loads, HMMA,
    and HGMMA with bulk copies, which exist in code for this one architecture (sm_90a) alone.
    """

    def __init__(
        self,
        function: FunctionType,
        types: str,
        block: int | tuple[int, ...],
        shared: int = 0,
        blocks_per_sm: int = 1,
        vector: bool = False,
        tensor_cores: bool = False,
        wgmma: bool = False,
        name: str = "",
    ) -> None:
        self.function = function
        self.name = name or function.__name__
        self.types = [code.replace("f2", "u2") for code in types.split()]
        self.block = (block, 1, 1) if isinstance(block, int) else (*block, 1, 1)[:3]
        self.shared = shared
        self.blocks_per_sm = blocks_per_sm
        self.vector = vector
        self.tensor_cores = tensor_cores
        self.wgmma = wgmma

    @functools.cached_property
    def lowered(self) -> lower.Lowered:
        """The flat function that is compiled and emulated."""
        return lower.lower(self.function, self.types, self.block)

    @property
    def threads(self) -> int:
        """Threads in a block."""
        return self.block[0] * self.block[1] * self.block[2]

    @property
    def signature(self) -> str:
        """The codes of the parameters, as one string."""
        return " ".join(self.types)

    def arch(self, capability: tuple[int, int]) -> str:
        """What to compile for, on a device of this compute capability."""
        return "sm_{}{}".format(*capability) + "a" * self.wgmma

    def cubin(self, capability: tuple[int, int]) -> tuple[bytes, str]:
        """Machine code for a device of this compute capability, and the name of its entry."""
        from .compiler import compile

        made = compile(self, self.arch(capability))
        return made.code, made.entry

    launch = launch
    """Queue the kernel on a stream; arguments are numbers, and device arrays or addresses for pointers."""

    def __repr__(self) -> str:
        return f"<kernel {self.name}({' '.join(self.types)}), block {self.block}>"


def kernel(types: str, block: int | tuple[int, ...], **options: Any) -> Callable[[Any], Kernel]:
    """Decorator: the function as a `Kernel`, kept in `KERNELS`.

    @kernel("i4 f4* f4*", block=256)
    def double(n, x, out):
        i = blockIdx.x * 256 + threadIdx.x
        if i < n:
            out[i] = 2.0 * x[i]
    """

    def make(function: FunctionType) -> Kernel:
        made = Kernel(function, types, block, **options)
        KERNELS[f"{function.__module__}.{made.name}"] = made
        return made

    return make


def kernel_from(text: str, name: str, values: dict[str, Any], types: str, block: Any, **options: Any) -> Kernel:
    """A kernel of generated source: `text` defines the function `name`, and `values` is what its free names mean."""
    return Kernel(lower.define(text, name, values), types, block, **options)
