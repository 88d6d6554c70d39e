"""The CUDA driver: every call that reaches a GPU goes through the one object that `current()` returns.

`Driver` is libcuda by ctypes, in terms of addresses and integers. Tests put an emulated device in its place with
`use`. Names and numbers are those of NVIDIA's "CUDA Driver API" reference; functions whose signature changed are
asked for by the suffixed name (`_v2`) that the headers map them to.
"""

import ctypes
import functools
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import byref, c_char_p, c_float, c_int, c_size_t, c_uint, c_uint64, c_void_p
from typing import Any

from .errors import AcceleratorError, Unavailable, not_installed

# what cubins of the compiler's toolkit need: CUDA 13.0, which drivers have from release 580 on
NEEDED_VERSION = 13000

OUT_OF_MEMORY, NO_DEVICE, NOT_READY = 2, 100, 600
CAPTURE_ERRORS = range(900, 910)

# CUdevice_attribute
ATTRIBUTES = {
    "max_threads_per_block": 1, "max_shared_memory_per_block": 8, "warp_size": 10, "max_registers_per_block": 12,
    "clock_rate": 13, "multi_processor_count": 16, "integrated": 18, "memory_clock_rate": 36, "memory_bus_width": 37,
    "l2_cache_size": 38, "max_threads_per_multi_processor": 39, "pci_bus_id": 33, "pci_device_id": 34,
    "is_multi_gpu_board": 84, "pci_domain_id": 50, "major": 75, "minor": 76,
    "shared_memory_per_multiprocessor": 81, "regs_per_multiprocessor": 82, "shared_memory_per_block_optin": 97,
}  # fmt: skip

DYNAMIC_SHARED = 8  # of CUfunction_attribute

# CUtensorMapDataType: halves as integers, which a copy leaves alone; float32 that a copy rounds to tf32
MAP_KINDS = {"u2": 1, "tf32": 11}

_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cuInit": (c_uint,),
    "cuDriverGetVersion": (c_void_p,),
    "cuGetErrorName": (c_int, c_void_p),
    "cuGetErrorString": (c_int, c_void_p),
    "cuDeviceGetCount": (c_void_p,),
    "cuDeviceGet": (c_void_p, c_int),
    "cuDeviceGetName": (c_char_p, c_int, c_int),
    "cuDeviceGetAttribute": (c_void_p, c_int, c_int),
    "cuDeviceGetUuid_v2": (c_char_p, c_int),
    "cuDeviceTotalMem_v2": (c_void_p, c_int),
    "cuDeviceCanAccessPeer": (c_void_p, c_int, c_int),
    "cuDevicePrimaryCtxRetain": (c_void_p, c_int),
    "cuCtxSetCurrent": (c_void_p,),
    "cuCtxSynchronize": (),
    "cuMemAlloc_v2": (c_void_p, c_size_t),
    "cuMemFree_v2": (c_uint64,),
    "cuMemGetInfo_v2": (c_void_p, c_void_p),
    "cuMemHostAlloc": (c_void_p, c_size_t, c_uint),
    "cuMemcpyHtoDAsync_v2": (c_uint64, c_void_p, c_size_t, c_void_p),
    "cuMemcpyDtoHAsync_v2": (c_void_p, c_uint64, c_size_t, c_void_p),
    "cuMemcpyDtoDAsync_v2": (c_uint64, c_uint64, c_size_t, c_void_p),
    "cuMemcpyPeerAsync": (c_uint64, c_void_p, c_uint64, c_void_p, c_size_t, c_void_p),
    "cuMemsetD8Async": (c_uint64, ctypes.c_ubyte, c_size_t, c_void_p),
    "cuMemsetD16Async": (c_uint64, ctypes.c_ushort, c_size_t, c_void_p),
    "cuMemsetD32Async": (c_uint64, c_uint, c_size_t, c_void_p),
    "cuMemsetD2D32Async": (c_uint64, c_size_t, c_uint, c_size_t, c_size_t, c_void_p),
    "cuStreamCreateWithPriority": (c_void_p, c_uint, c_int),
    "cuStreamSynchronize": (c_void_p,),
    "cuStreamQuery": (c_void_p,),
    "cuStreamWaitEvent": (c_void_p, c_void_p, c_uint),
    "cuCtxGetStreamPriorityRange": (c_void_p, c_void_p),
    "cuEventCreate": (c_void_p, c_uint),
    "cuEventDestroy_v2": (c_void_p,),
    "cuEventRecord": (c_void_p, c_void_p),
    "cuEventSynchronize": (c_void_p,),
    "cuEventQuery": (c_void_p,),
    "cuEventElapsedTime": (c_void_p, c_void_p, c_void_p),
    "cuModuleLoadDataEx": (c_void_p, c_char_p, c_uint, c_void_p, c_void_p),
    "cuModuleGetFunction": (c_void_p, c_void_p, c_char_p),
    "cuFuncSetAttribute": (c_void_p, c_int, c_int),
    "cuTensorMapEncodeTiled": (c_void_p, c_int, c_uint, c_uint64, *[c_void_p] * 4, *[c_int] * 4),
    "cuLaunchKernel": (c_void_p, *[c_uint] * 7, c_void_p, c_void_p, c_void_p),
    "cuStreamBeginCapture_v2": (c_void_p, c_int),
    "cuThreadExchangeStreamCaptureMode": (c_void_p,),
    "cuStreamEndCapture": (c_void_p, c_void_p),
    "cuStreamIsCapturing": (c_void_p, c_void_p),
    "cuGraphInstantiateWithFlags": (c_void_p, c_void_p, ctypes.c_ulonglong),
    "cuGraphLaunch": (c_void_p, c_void_p),
    "cuGraphDestroy": (c_void_p,),
    "cuGraphExecDestroy": (c_void_p,),
    "cuGraphGetNodes": (c_void_p, c_void_p, c_void_p),
    "cuGraphDebugDotPrint": (c_void_p, c_char_p, c_uint),
}  # fmt: skip


class CudaError(AcceleratorError):
    """A driver call that failed, with the driver's code."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = self.error_code = code


class Driver:
    """libcuda. Devices are ordinals; contexts, streams, events, modules, functions and graphs are integers.

    Stream 0 is the legacy default stream. A pointer to the device is an integer, one to the host an address.
    """

    # whether kernels need compiling: an emulated device runs their source
    compiles = True

    def __init__(self, library: Any = None):
        self.library = _load_library() if library is None else library
        self._functions: dict[str, Any] = {}
        self._maps = functools.lru_cache(1024)(self._encoded_map)  # steps repeat them, and each takes 5 us
        self._init()

    def _init(self) -> None:
        code = self.raw("cuInit")(0)
        if code == NO_DEVICE:
            raise Unavailable(
                "No CUDA GPUs are available\nThe driver is there but shows no GPU: see `nvidia-smi -L`, and whether "
                "CUDA_VISIBLE_DEVICES hides it"
            )
        if code:
            raise Unavailable(
                f"CUDA driver initialization failed, you might not have a CUDA gpu: {self._text(code)}\n"
                "See whether `nvidia-smi` works; after an update of the driver the machine must be restarted"
            )
        if self.version() < NEEDED_VERSION:
            raise Unavailable(
                f"The NVIDIA driver on your system is too old (found version {self.version()}). Please update your "
                "GPU driver by downloading and installing a new version from the URL: "
                "http://www.nvidia.com/Download/index.aspx\n"
                f"minitorch compiles kernels for CUDA {NEEDED_VERSION // 1000}.{NEEDED_VERSION % 1000 // 10}, which "
                "needs driver 580 or newer"
            )

    # ------------------------------------------------------------------ calling
    def raw(self, name: str) -> Any:
        """A function of the library, its argument types given; returns a status."""
        function = self._functions.get(name)
        if function is None:
            function = getattr(self.library, name)
            function.argtypes, function.restype = _SIGNATURES[name], c_int
            self._functions[name] = function
        return function

    def _call(self, name: str, *args: Any) -> None:
        code = self.raw(name)(*args)
        if code:
            raise self.error(code)

    def _value(self, kind: Any, name: str, *args: Any) -> Any:
        """The value that a call writes to where its first argument points."""
        made = kind()
        self._call(name, byref(made), *args)
        return made.value or 0

    def address_of(self, name: str) -> int:
        """Where a driver function begins, for callers compiled by Numba."""
        return ctypes.cast(self.raw(name), c_void_p).value or 0

    def _text(self, code: int) -> str:
        text = c_char_p()
        self.raw("cuGetErrorString")(code, byref(text))
        return (text.value or b"unknown error").decode()

    def error(self, code: int) -> CudaError:
        """The exception for a code that a call returned."""
        advice = ""
        if code in CAPTURE_ERRORS:
            advice = "\nWhat synchronises, allocates outside of the graph's pool or reads a value cannot be captured."
        elif code != OUT_OF_MEMORY:
            advice = (
                "\nCUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below "
                "might be incorrect.\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1, which names the kernel; "
                "after a kernel has faulted the process must be started anew.\n"
            )
        return CudaError(code, f"CUDA error: {self._text(code)}{advice}")

    # ------------------------------------------------------------------ devices
    def version(self) -> int:
        """The newest CUDA that the driver supports, 1000 * major + 10 * minor."""
        return self._value(c_int, "cuDriverGetVersion")

    def device_count(self) -> int:
        """How many GPUs the process sees."""
        return self._value(c_int, "cuDeviceGetCount")

    def name(self, index: int) -> str:
        """The product's name."""
        text = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", text, 256, index)
        return text.value.decode()

    def uuid(self, index: int) -> bytes:
        """The 16 bytes by which nvidia-smi names a GPU."""
        text = ctypes.create_string_buffer(16)
        self._call("cuDeviceGetUuid_v2", text, index)
        return text.raw

    def attribute(self, index: int, name: str) -> int:
        """A property by its name in ATTRIBUTES."""
        return self._value(c_int, "cuDeviceGetAttribute", ATTRIBUTES[name], index)

    def total_memory(self, index: int) -> int:
        """Bytes of memory on the device."""
        return self._value(c_size_t, "cuDeviceTotalMem_v2", index)

    def can_access_peer(self, index: int, peer: int) -> bool:
        """Whether kernels of one GPU can read the memory of the other."""
        return bool(self._value(c_int, "cuDeviceCanAccessPeer", index, peer))

    def retain_context(self, index: int) -> int:
        """The context that CUDA's runtime API, and so torch, would use too."""
        return self._value(c_void_p, "cuDevicePrimaryCtxRetain", index)

    def set_context(self, context: int) -> None:
        """Make a context this thread's current one."""
        self._call("cuCtxSetCurrent", context)

    def synchronize(self) -> None:
        """Wait for all that the current context was given."""
        self._call("cuCtxSynchronize")

    # ------------------------------------------------------------------ memory
    def allocate(self, nbytes: int) -> int:
        """The address of new memory on the current device, aligned to 256 bytes or more."""
        return self._value(c_uint64, "cuMemAlloc_v2", nbytes)

    def free(self, pointer: int) -> None:
        """Give memory back; waits for the device."""
        self._call("cuMemFree_v2", pointer)

    def memory_info(self) -> tuple[int, int]:
        """(free, total) bytes of the current device."""
        free, total = c_size_t(), c_size_t()
        self._call("cuMemGetInfo_v2", byref(free), byref(total))
        return free.value, total.value

    def allocate_host(self, nbytes: int) -> int:
        """The address of page-locked memory of the host, which the GPU copies from on its own."""
        return self._value(c_void_p, "cuMemHostAlloc", nbytes, 1)

    def copy_to_device(self, pointer: int, address: int, nbytes: int, stream: int) -> None:
        """From host to device, in the stream's order; returns early only if the host's memory is page-locked."""
        self._call("cuMemcpyHtoDAsync_v2", pointer, address, nbytes, stream)

    def copy_to_host(self, address: int, pointer: int, nbytes: int, stream: int) -> None:
        """From device to host, in the stream's order."""
        self._call("cuMemcpyDtoHAsync_v2", address, pointer, nbytes, stream)

    def copy_on_device(self, dest: int, source: int, nbytes: int, stream: int) -> None:
        """Within one device."""
        self._call("cuMemcpyDtoDAsync_v2", dest, source, nbytes, stream)

    def copy_to_peer(self, dest: int, to: int, source: int, origin: int, nbytes: int, stream: int) -> None:
        """From the device of context `origin` to that of context `to`."""
        self._call("cuMemcpyPeerAsync", dest, to, source, origin, nbytes, stream)

    def fill(self, pointer: int, bits: int, itemsize: int, count: int, stream: int) -> None:
        """Set `count` elements of 1, 2, 4 or 8 bytes to the same bits."""
        low, high = bits & 0xFFFFFFFF, bits >> 32
        if itemsize < 8:
            self._call(f"cuMemsetD{8 * itemsize}Async", pointer, bits, count, stream)
        elif low == high:
            self._call("cuMemsetD32Async", pointer, low, 2 * count, stream)
        else:
            for part, start in ((low, pointer), (high, pointer + 4)):
                self._call("cuMemsetD2D32Async", start, 8, part, 1, count, stream)

    # ------------------------------------------------------------------ streams and events
    def create_stream(self, priority: int = 0) -> int:
        """A stream that does not wait for the default one."""
        return self._value(c_void_p, "cuStreamCreateWithPriority", 1, priority)

    def synchronize_stream(self, stream: int) -> None:
        """Wait for all that a stream was given."""
        self._call("cuStreamSynchronize", stream)

    def is_stream_done(self, stream: int) -> bool:
        """Whether nothing is left in a stream."""
        return self._is_done("cuStreamQuery", stream)

    def wait_event(self, stream: int, event: int) -> None:
        """Let what a stream is given from now on wait for an event."""
        self._call("cuStreamWaitEvent", stream, event, 0)

    def priority_range(self) -> tuple[int, int]:
        """(least, greatest) priority of streams; greater ones are smaller numbers."""
        least, greatest = c_int(), c_int()
        self._call("cuCtxGetStreamPriorityRange", byref(least), byref(greatest))
        return least.value, greatest.value

    def create_event(self, timing: bool = False, blocking: bool = False) -> int:
        """An event, with a clock or (faster) without; `blocking`: who waits for it sleeps."""
        return self._value(c_void_p, "cuEventCreate", blocking | (not timing) << 1)

    def destroy_event(self, event: int) -> None:
        """Forget an event."""
        self._call("cuEventDestroy_v2", event)

    def record_event(self, event: int, stream: int) -> None:
        """Let the event happen when the stream has come here."""
        self._call("cuEventRecord", event, stream)

    def synchronize_event(self, event: int) -> None:
        """Wait until an event has happened."""
        self._call("cuEventSynchronize", event)

    def is_event_done(self, event: int) -> bool:
        """Whether an event has happened."""
        return self._is_done("cuEventQuery", event)

    def elapsed(self, start: int, end: int) -> float:
        """Milliseconds between two events."""
        return self._value(c_float, "cuEventElapsedTime", start, end)

    def _is_done(self, name: str, handle: int) -> bool:
        code = self.raw(name)(handle)
        if code not in (0, NOT_READY):
            raise self.error(code)
        return code == 0

    # ------------------------------------------------------------------ kernels
    def load_module(self, cubin: bytes) -> int:
        """Machine code on the current device."""
        return self._value(c_void_p, "cuModuleLoadDataEx", cubin, 0, None, None)

    def function(self, module: int, name: str) -> int:
        """A kernel of a module."""
        return self._value(c_void_p, "cuModuleGetFunction", module, name.encode())

    def allow_shared(self, function: int, nbytes: int) -> None:
        """Let launches of a kernel ask for this much dynamic shared memory: over 48 KiB only on request."""
        self._call("cuFuncSetAttribute", function, DYNAMIC_SHARED, nbytes)

    def launch(
        self, function: int, grid: tuple[int, ...], block: tuple[int, ...], shared: int, stream: int, arguments: int
    ) -> None:
        """Start a kernel; `arguments` is the address of an array of the addresses of its arguments."""
        self._call("cuLaunchKernel", function, *grid, *block, shared, stream, arguments, None)

    def tensor_map(
        self, pointer: int, kind: str, sizes: tuple[int, ...], strides: tuple[int, ...], box: tuple[int, ...]
    ) -> bytes:
        """What `copy_box` must know of an array in three dimensions, to copy boxes of it in the 128-byte swizzle.

        Sizes and box count elements of `kind` ("u2", or "tf32": float32, to be rounded), the contiguous dimension
        first; strides are bytes, of the other two. Pointer and strides must be multiples of 16.
        """
        return self._maps(pointer, kind, sizes, strides, box)

    def _encoded_map(self, pointer: int, kind: str, sizes: Any, strides: Any, box: Any) -> bytes:
        buffer = ctypes.create_string_buffer(128 + 64)
        at = -(-ctypes.addressof(buffer) // 64) * 64
        places = (c_uint64 * 3)(*sizes), (c_uint64 * 2)(*strides), (c_uint * 3)(*box), (c_uint * 3)(1, 1, 1)
        # behind: not interleaved, swizzled by 128 bytes, lines of 256 bytes to the L2 cache, zeros outside
        self._call("cuTensorMapEncodeTiled", at, MAP_KINDS[kind], 3, pointer, *places, 0, 3, 3, 0)
        return ctypes.string_at(at, 128)

    # ------------------------------------------------------------------ graphs
    def exchange_capture_mode(self, mode: int) -> int:
        """Set what this thread may do during a capture, and return what it was; modes as of `begin_capture`."""
        exchanged = c_int(mode)
        self._call("cuThreadExchangeStreamCaptureMode", byref(exchanged))
        return exchanged.value

    def begin_capture(self, stream: int, mode: int = 0) -> None:
        """From now on keep what the stream is given, and do none of it; modes: 0 global, 1 thread_local, 2 relaxed."""
        self._call("cuStreamBeginCapture_v2", stream, mode)

    def end_capture(self, stream: int) -> int:
        """The graph of what was kept."""
        graph = c_void_p()
        self._call("cuStreamEndCapture", stream, byref(graph))
        return graph.value or 0

    def is_capturing(self, stream: int) -> bool:
        """Whether what the stream is given is kept for a graph."""
        status = c_int()
        self._call("cuStreamIsCapturing", stream, byref(status))
        return status.value != 0

    def instantiate(self, graph: int) -> int:
        """The graph in a form that can be launched."""
        return self._value(c_void_p, "cuGraphInstantiateWithFlags", graph, 0)

    def launch_graph(self, executable: int, stream: int) -> None:
        """Do all that was captured."""
        self._call("cuGraphLaunch", executable, stream)

    def destroy_graph(self, graph: int) -> None:
        """Forget a graph; what was made of it stays."""
        self._call("cuGraphDestroy", graph)

    def destroy_executable(self, executable: int) -> None:
        """Forget what `instantiate` gave."""
        self._call("cuGraphExecDestroy", executable)

    def node_count(self, graph: int) -> int:
        """How many launches, copies and waits a graph holds."""
        n = c_size_t()
        self._call("cuGraphGetNodes", graph, None, byref(n))
        return n.value

    def print_graph(self, graph: int, path: str) -> None:
        """Write a graph as a .dot file."""
        self._call("cuGraphDebugDotPrint", graph, path.encode(), 0)


def _load_library() -> Any:
    names = ["nvcuda.dll"] if sys.platform == "win32" else ["libcuda.so.1", "libcuda.so"]
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise not_installed(
        f"Found no NVIDIA driver on your system ({names[0]}). Please check that you have an NVIDIA GPU and installed a "
        "driver from http://www.nvidia.com/Download/index.aspx"
    )


active: Any = None  # the driver in use, once there is one


def _real() -> Driver:
    if importlib.util.find_spec("cuda") is None or importlib.util.find_spec("cuda.bindings") is None:
        raise not_installed(
            "Kernels for GPUs are compiled by NVVM, which is not installed: pip install 'minitorch-engine[cuda]'"
        )
    return Driver()


def current() -> Any:
    """The driver in use; raises, with the reason, if there is none that works."""
    global active
    if active is None:
        active = _real()
    return active


@contextmanager
def relaxed(driver: Any) -> Iterator[None]:
    """Within, a capture does not forbid to allocate memory or to load kernels, which are no part of the graph."""
    before = driver.exchange_capture_mode(2)
    try:
        yield
    finally:
        driver.exchange_capture_mode(before)


@contextmanager
def use(driver: Any) -> Iterator[Any]:
    """Put another object in the driver's place."""
    global active
    before, active = active, driver
    try:
        yield driver
    finally:
        active = before


BLOCKING = os.environ.get("CUDA_LAUNCH_BLOCKING", "0") == "1"
"""Whether every launch is waited for, so that errors name the kernel they come from."""
