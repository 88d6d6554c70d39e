"""Starting kernels: what a call costs beyond the driver's own time is here.

The first launch of a kernel on a device loads its machine code. From then on a launch packs its arguments into a buffer
that the driver copies, eight bytes to each but maps, and calls the driver through a function that Numba compiled.
"""

import ctypes
import os
import struct
import threading
from itertools import accumulate
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
    "f4": "f4x", "f8": "d", "b1": "?7x", "*": "Q", "map": "128s",
}  # fmt: skip
STATIC_SHARED = 48 << 10  # beyond this a kernel must have asked for dynamic shared memory

_lock = threading.Lock()  # the buffer of a kernel belongs to one launch at a time


HEAD = struct.Struct("=7Q")
"""What stays from launch to launch: cuLaunchKernel, the kernel, its block (3), shared bytes, its arguments' places."""


def layout(types: list[str]) -> struct.Struct:
    """What a record holds behind `HEAD`: grid and stream, then arguments of these types."""
    return struct.Struct("=4Q" + "".join(map(_format, types)))


def _format(code: str) -> str:
    return FORMATS[code if code in FORMATS else code[-1]]


LAUNCH = """
def launch(grid, {names}, stream=0):
    now = thread.now
    if now is None or now[0] is not gpu or drivers.active is not driver:
        return general(kernel, grid, {names}, stream=stream)
    if grid.__class__ is int:
        x, y, z = grid, 1, 1
    else:
        x, y, z = grid if len(grid) == 3 else triple(grid)
    if not x or not y or not z:
        return
    stream = stream or now[1]
    try:
        with lock:
            into(buffer, {start}, x, y, z, stream, {values})
            code = call(record)
    except struct_error as error:
        refuse(kernel, ({names},), error)
    if code or drivers.BLOCKING:
        failed(code, stream)
"""


def launcher(kernel: Any, gpu: runtime.Gpu, buffer: Any) -> Any:
    """`launch(grid, *arguments, stream)` of a kernel loaded onto a device, whose record is in `buffer`.

    Written for the arguments' types, in one function: a loop over them, and each further call, would take longer than
    all the rest. An array, an address or None may stand for a pointer.
    """
    driver, types = gpu.driver, kernel.types
    values = [
        f"a{i}.pointer if a{i}.__class__ is CudaArray else a{i} or 0" if t[-1] == "*" else f"a{i}"
        for i, t in enumerate(types)
    ]

    def failed(code: int, stream: int) -> None:
        """Raise what the driver said; where launches are to block, first wait for what the kernel did."""
        if code:
            raise driver.error(code)
        try:
            driver.synchronize_stream(stream)
        except CudaError as error:
            raise CudaError(error.code, f"{error}\nThe kernel was {kernel.name}.") from None

    names = ", ".join([f"a{i}" for i in range(len(types))])
    scope = {
        "kernel": kernel, "gpu": gpu, "driver": driver, "drivers": drivers, "thread": runtime.thread, "lock": _lock,
        "into": layout(types).pack_into, "buffer": buffer, "record": ctypes.addressof(buffer), "call": _caller(driver),
        "struct_error": struct.error, "general": launch, "failed": failed, "refuse": _refuse, "triple": triple,
        "CudaArray": CudaArray,
    }  # fmt: skip
    exec(LAUNCH.format(names=names, values=", ".join(values), start=HEAD.size), scope)
    return scope["launch"]


def _loaded(kernel: Any, gpu: runtime.Gpu) -> Any:
    """A kernel's machine code loaded onto a device: what starts it there."""
    driver = gpu.driver
    cubin = compile(kernel, kernel.arch(gpu.capability))
    with drivers.relaxed(driver):
        module = driver.load_module(cubin.code)
    function = driver.function(module, cubin.entry)
    if kernel.shared > STATIC_SHARED:
        driver.allow_shared(function, kernel.shared)
    # what stays, grid and stream, then the arguments
    buffer = ctypes.create_string_buffer(HEAD.size + layout(kernel.types).size)
    sizes = [struct.calcsize("=" + _format(t)) for t in kernel.types]
    first = ctypes.addressof(buffer) + HEAD.size + 4 * 8
    starts = accumulate(sizes[:-1], initial=first)
    addresses = (ctypes.c_void_p * len(sizes))(*starts)
    places = ctypes.addressof(addresses)
    HEAD.pack_into(buffer, 0, driver.address_of("cuLaunchKernel"), function, *kernel.block, kernel.shared, places)
    made = launcher(kernel, gpu, buffer)
    made.addresses = addresses  # which the record points to
    return made


def _emulated(kernel: Any, gpu: runtime.Gpu) -> Any:
    """`launch` of a kernel whose source runs on a device made for tests."""

    def run(grid: Any, *args: Any, stream: int = 0) -> None:
        addresses = [a.pointer if a.__class__ is CudaArray else 0 if a is None else a for a in args]
        sizes = triple(grid)
        if 0 in sizes:
            return
        try:
            gpu.driver.run(kernel, sizes, addresses, stream or runtime.here()[1])
        except struct.error as error:
            _refuse(kernel, args, error)

    return run


def launch(kernel: Any, grid: Any, *args: Any, stream: int = 0) -> None:
    """Start a kernel of `kernel.py` on the current device; arrays among the arguments become pointers.

    Stream 0 means the thread's current stream. The grid is one to three numbers of blocks; an empty one does nothing.
    Once its machine code is on a device, the kernel has a `launch` of its own for that device.
    """
    gpu = runtime.here()[0]
    found = gpu.functions.get(kernel)
    if found is None:
        found = gpu.functions[kernel] = (_loaded if gpu.driver.compiles else _emulated)(kernel, gpu)
    if gpu.driver.compiles:
        kernel.launch = found
    found(grid, *args, stream=stream)


def _refuse(kernel: Any, args: Any, error: Exception) -> None:
    """Raise for arguments that did not fit their types."""
    large = [a for a in args if isinstance(a, int) and a >= 1 << 31]
    if not large:
        raise error
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
