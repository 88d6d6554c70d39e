"""CUDA in this process: its devices, which of them and which stream are current in a thread, and copies.

Nothing here is imported, and no driver is looked for, before the first tensor on a GPU.
"""

import threading
from collections import deque
from typing import Any

from minitorch._device import device as Device

from . import driver as drivers
from .allocator import Allocator, Memory
from .errors import Unavailable

STREAMS = 32  # of each priority


class Gpu:
    """One GPU in use: its context, its allocator, what was loaded onto it."""

    def __init__(self, driver: Any, index: int):
        self.driver, self.index, self.device = driver, index, Device("cuda", index)
        self.context = driver.retain_context(index)
        self.allocator = Allocator(driver, index, self.device)
        self.capability = driver.attribute(index, "major"), driver.attribute(index, "minor")
        self.multiprocessors = driver.attribute(index, "multi_processor_count")
        self.functions: dict[Any, Any] = {}  # kernel -> what `launch.py` loaded
        self.captured: list[Any] = []  # arrays of the host that the graph being captured copies from
        self._streams: dict[int, deque[int]] = {}

    def pooled_stream(self, priority: int) -> int:
        """A stream; after the first 32 the oldest again, as in torch: programs that make one a step take no more."""
        pool = self._streams.setdefault(priority, deque())
        if len(pool) < STREAMS:
            pool.append(self.driver.create_stream(priority))
        else:
            pool.rotate(-1)
        return pool[-1]


class _Thread(threading.local):
    """What is current in a thread: a device, the device whose context the driver has, a stream for each device."""

    index = 0
    bound: Gpu | None = None
    now: tuple[Gpu, int] | None = None  # the current device, bound, and its current stream; None: to be found out

    def __init__(self) -> None:
        self.streams: dict[int, int] = {}


thread = _Thread()
_gpus: dict[tuple[int, int], Gpu] = {}
_lock = threading.Lock()


def gpu(index: int | None = None) -> Gpu:
    """A device (None: the current one), its context being the one that driver calls of this thread go to."""
    bound = thread.bound
    if index is None:
        index = thread.index
    if bound is not None and bound.index == index and bound.driver is drivers.active:
        return bound
    driver = drivers.current()
    found = _gpus.get((id(driver), index)) or _open(driver, index)
    driver.set_context(found.context)
    thread.bound, thread.now = found, None
    return found


def here() -> tuple[Gpu, int]:
    """The current device, bound to this thread, and its current stream."""
    now = thread.now
    if now is None or now[0].driver is not drivers.active:
        now = thread.now = gpu(), current_stream()
    return now


def _open(driver: Any, index: int) -> Gpu:
    with _lock:
        count = driver.device_count()
        if not 0 <= index < count:
            raise Unavailable(
                f"CUDA error: invalid device ordinal\nThere is no GPU {index}: torch.cuda.device_count() is {count}, "
                "and GPUs count from 0"
            )
        made = _gpus.get((id(driver), index))
        if made is None:
            made = _gpus[id(driver), index] = Gpu(driver, index)
    return made


def opened() -> list[Gpu]:
    """The devices in use so far."""
    driver = thread.bound.driver if thread.bound is not None else None
    return [g for g in _gpus.values() if g.driver is driver]


def current_index() -> int:
    """The number of the current device."""
    return thread.index


def set_index(index: int) -> None:
    """Make another device current."""
    gpu(index)
    thread.index, thread.now = index, None


def current_stream(index: int | None = None) -> int:
    """The stream that work on a device goes to in this thread; 0 is the default one."""
    return thread.streams.get(thread.index if index is None else index, 0)


def set_stream(stream: int, index: int) -> None:
    """Let work on a device go to another stream."""
    thread.streams[index], thread.now = stream, None


# ---------------------------------------------------------------------- memory
def allocate(nbytes: int, index: int | None = None) -> Memory:
    """Memory for work in the current stream of a device."""
    found, stream = here()
    if index is not None and index != found.index:
        found, stream = gpu(index), current_stream(index)
    return found.allocator.allocate(nbytes, stream)


def copy_to_host(address: int, pointer: int, nbytes: int, index: int, wait: bool = True) -> None:
    """From device to host; waits until the bytes have arrived unless told not to."""
    found, stream = gpu(index), current_stream(index)
    found.driver.copy_to_host(address, pointer, nbytes, stream)
    if wait:
        found.driver.synchronize_stream(stream)


def copy_between(dest: Any, source: Any, nbytes: int) -> None:
    """From one array's memory to another's of the same layout, on the same device or another."""
    to, origin = gpu(dest.device.index), gpu(source.device.index)
    stream = current_stream(origin.index)
    if to is origin:
        origin.driver.copy_on_device(dest.pointer, source.pointer, nbytes, stream)
        return
    driver = origin.driver
    driver.copy_to_peer(dest.pointer, to.context, source.pointer, origin.context, nbytes, stream)
    arrived = driver.create_event()
    driver.record_event(arrived, stream)
    gpu(to.index)
    driver.wait_event(current_stream(to.index), arrived)
    driver.destroy_event(arrived)


def synchronize(index: int | None = None) -> None:
    """Wait for all that a device was given."""
    gpu(index).driver.synchronize()


def is_available() -> bool:
    """Whether a GPU can be used; never raises."""
    return why_not() is None


def why_not() -> BaseException | None:
    """Why no GPU can be used, None if one can."""
    try:
        driver = drivers.current()
        if driver.device_count() < 1:
            return Unavailable("No CUDA GPUs are available")
    except (Unavailable, AssertionError, RuntimeError) as error:
        return error
    return None
