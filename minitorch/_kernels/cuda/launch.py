"""Starting kernels: what a call costs beyond the driver's own time is here.

The first launch of a kernel on a device loads its machine code. From then on a launch packs its arguments into a buffer
that the driver copies, eight bytes to each, and calls the driver through a function that Numba compiled.
"""

import ctypes
import os
import struct
import threading
from typing import Any

from minitorch._kernels import cache

from . import driver as drivers
from . import runtime
from .array import CudaArray
from .compiler import compile
from .driver import CudaError

# type in a kernel's signature -> its place in the buffer
FORMATS = {
    "i1": "b7x", "u1": "B7x", "i2": "h6x", "u2": "H6x", "i4": "i4x", "u4": "I4x", "i8": "q", "u8": "Q",
    "f4": "f4x", "f8": "d", "b1": "?7x", "*": "Q",
}  # fmt: skip
STATIC_SHARED = 48 << 10  # beyond this a kernel must have asked for dynamic shared memory

_lock = threading.Lock()  # the buffer of a kernel belongs to one launch at a time


HEAD = struct.Struct("=7Q")
"""What stays from launch to launch: cuLaunchKernel, the kernel, its block (3), shared bytes, its arguments' places."""


def layout(types: list[str]) -> struct.Struct:
    """What a record holds behind `HEAD`: grid and stream, then arguments of these types."""
    return struct.Struct("=4Q" + "".join(FORMATS[t if t in FORMATS else t[-1]] for t in types))


def packer(types: list[str], buffer: Any) -> Any:
    """`pack(x, y, z, stream, *arguments)`: grid, stream and arguments of these types into their places in a record.

    Written for the types, as a loop over the arguments would take longer than all the rest. An array, an address or
    None may stand for a pointer.
    """
    values = [
        f"a{i}.pointer if a{i}.__class__ is CudaArray else a{i} or 0" if t[-1] == "*" else f"a{i}"
        for i, t in enumerate(types)
    ]
    names = ", ".join(["x, y, z, stream", *[f"a{i}" for i in range(len(types))]])
    text = f"lambda {names}: into(buffer, {HEAD.size}, x, y, z, stream, {', '.join(values)})"
    return eval(text, {"into": layout(types).pack_into, "buffer": buffer, "CudaArray": CudaArray})


class Loaded:
    """A kernel on a device, ready to be launched."""

    def __init__(self, kernel: Any, gpu: runtime.Gpu):
        driver = gpu.driver
        cubin = compile(kernel, "sm_{}{}".format(*gpu.capability))
        self.name, self.driver = kernel.name, driver
        with drivers.relaxed(driver):
            self.module = driver.load_module(cubin.code)
        function = driver.function(self.module, cubin.entry)
        if kernel.shared > STATIC_SHARED:
            driver.allow_shared(function, kernel.shared)
        # what stays, grid and stream, then eight bytes of each argument
        self.buffer = ctypes.create_string_buffer(HEAD.size + layout(kernel.types).size)
        self.pack = packer(kernel.types, self.buffer)
        self.record = ctypes.addressof(self.buffer)
        first = self.record + HEAD.size + 4 * 8
        self.addresses = (ctypes.c_void_p * len(kernel.types))(*[first + 8 * i for i in range(len(kernel.types))])
        entry = driver.address_of("cuLaunchKernel")
        places = ctypes.addressof(self.addresses)
        HEAD.pack_into(self.buffer, 0, entry, function, *kernel.block, kernel.shared, places)
        self.call = _caller(driver)

    def launch(self, grid: tuple[int, int, int], args: Any, stream: int) -> None:
        with _lock:
            self.pack(*grid, stream, *args)
            code = self.call(self.record)
        if code:
            raise self.driver.error(code)
        if drivers.BLOCKING:
            try:
                self.driver.synchronize_stream(stream)
            except CudaError as error:
                raise CudaError(error.code, f"{error}\nThe kernel was {self.name}.") from None


class Emulated:
    """A kernel on a device that runs its source."""

    def __init__(self, kernel: Any, gpu: runtime.Gpu):
        self.kernel, self.driver = kernel, gpu.driver

    def launch(self, grid: tuple[int, int, int], args: Any, stream: int) -> None:
        addresses = [a.pointer if a.__class__ is CudaArray else 0 if a is None else a for a in args]
        self.driver.run(self.kernel, grid, addresses, stream)


def launch(kernel: Any, grid: Any, args: Any, stream: int = 0) -> None:
    """Start a kernel of `kernel.py` on the current device; arrays among the arguments become pointers.

    Stream 0 means the thread's current stream. The grid is one to three numbers of blocks; an empty one does nothing.
    """
    gpu, current = runtime.here()
    grid = (grid, 1, 1) if grid.__class__ is int else grid if len(grid) == 3 else triple(grid)
    if 0 in grid:
        return
    loaded = gpu.functions.get(kernel)
    if loaded is None:
        loaded = gpu.functions[kernel] = Loaded(kernel, gpu) if gpu.driver.compiles else Emulated(kernel, gpu)
    try:
        loaded.launch(grid, args, stream or current)
    except struct.error as error:
        large = [a for a in args if isinstance(a, int) and a >= 1 << 31]
        if not large:
            raise
        raise NotImplementedError(
            f"CUDA kernel {kernel.name} counts in 32 bits, and was to work on {max(large)} elements: "
            "minitorch has none for so many, work on parts of the tensor"
        ) from error


def triple(sizes: Any) -> tuple[int, int, int]:
    """One to three sizes as three."""
    if isinstance(sizes, int):
        return sizes, 1, 1
    return (*sizes, *(1,) * (3 - len(sizes)))  # type: ignore[return-value]


def _caller(driver: Any) -> Any:
    """The compiled launch call; through ctypes where Numba is told to compile nothing."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return _by_ctypes(driver)
    return cache.load_file("cuda.launcher").launch


def _by_ctypes(driver: Any) -> Any:
    function = driver.raw("cuLaunchKernel")

    def call(record: int) -> int:
        _, f, bx, by, bz, shared, places, gx, gy, gz, stream = (ctypes.c_uint64 * 11).from_address(record)
        return function(f, gx, gy, gz, bx, by, bz, shared, stream, places, None)

    return call
