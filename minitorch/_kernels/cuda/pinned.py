"""Page-locked memory of the host, as NumPy arrays: what a GPU copies from and to while the program goes on.

Such memory is slow to get, so what arrays give back is kept for others of the same size, rounded up to a power of two.
"""

import ctypes
import threading
from typing import Any

import numpy as np

from minitorch._kernels import half

from . import driver as drivers
from . import runtime

SMALLEST = 512

_lock = threading.Lock()
_free: dict[tuple[int, int], list["_Block"]] = {}


class _Block:
    """Pinned memory that one array has, or none."""

    __slots__ = ("address", "driver", "events", "size")

    def __init__(self, driver: Any, size: int):
        self.driver, self.size = driver, size
        with drivers.relaxed(driver):
            self.address = driver.allocate_host(size)
        self.events: list[int] = []  # copies that were under way when it was given back


class _Owner:
    """What an array over pinned memory keeps alive: with it the block is free again."""

    def __init__(self, block: _Block, nbytes: int):
        self.block = block
        self.buffer = (ctypes.c_uint8 * nbytes).from_address(block.address)
        self.__array_interface__ = {
            "shape": (nbytes,), "typestr": "|u1", "data": (block.address, False), "version": 3
        }  # fmt: skip

    def __del__(self) -> None:
        _free.setdefault((id(self.block.driver), self.block.size), []).append(self.block)


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An uninitialised array in pinned memory."""
    nbytes = dtype.itemsize
    for n in shape:
        nbytes *= n
    if not nbytes:
        return half.empty(shape, dtype)
    size = max(SMALLEST, 1 << (nbytes - 1).bit_length())
    found = runtime.gpu()
    with _lock:
        free = _free.get((id(found.driver), size), [])
        block = next((b for b in free if _is_idle(b)), None)
        if block is not None:
            free.remove(block)
    block = block or _Block(found.driver, size)
    return half.tagged(np.asarray(_Owner(block, nbytes)).view(dtype).reshape(shape))


def _is_idle(block: _Block) -> bool:
    while block.events and block.driver.is_event_done(block.events[-1]):
        block.driver.destroy_event(block.events.pop())
    return not block.events


def copy_of(a: np.ndarray) -> np.ndarray:
    """A copy of an array in pinned memory."""
    made = empty(a.shape, a.dtype)
    half.write(made, a)
    return made


def owner_of(a: Any) -> "_Owner | None":
    """Whose pinned memory an array lies in; None for ordinary memory."""
    while isinstance(a, np.ndarray):
        a = a.base
    return a if isinstance(a, _Owner) else None


def used(a: np.ndarray, stream: int) -> None:
    """Keep an array's pinned memory, once it is given back, from others until the stream's copies so far are done."""
    owner = owner_of(a)
    if owner is None:
        return
    driver = drivers.current()
    if driver.is_capturing(stream):
        return
    event = driver.create_event()
    driver.record_event(event, stream)
    owner.block.events.append(event)
