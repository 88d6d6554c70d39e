"""Writes beyond an array's end, found on a real GPU: arrays lie between guard zones that are looked at afterwards.

What is written just outside of an array changes a zone; what is read before it was written is nan. A kernel that goes
further than a zone's length is not found here: the emulator (`tests/simt.py`) finds those.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

ZONE = 4096
ZONE_BYTE, POISON = 0xA5, 0xFF


class Guard:
    """A driver that allocates more than it is asked for, and remembers where."""

    def __init__(self, driver: Any):
        self._driver = driver
        self.allocations: dict[int, int] = {}
        self.seen = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def allocate(self, nbytes: int) -> int:
        start = self._driver.allocate(nbytes + 2 * ZONE)
        self._driver.fill(start, ZONE_BYTE, 1, nbytes + 2 * ZONE, 0)
        self._driver.fill(start + ZONE, POISON, 1, nbytes, 0)
        self._driver.synchronize()
        self.allocations[start + ZONE] = nbytes
        return start + ZONE

    def free(self, pointer: int) -> None:
        self._look(pointer)
        del self.allocations[pointer]
        self._driver.free(pointer - ZONE)

    def _look(self, pointer: int) -> None:
        nbytes, zone = self.allocations[pointer], np.empty(ZONE, np.uint8)
        for where, start in (("before", pointer - ZONE), ("behind", pointer + nbytes)):
            self._driver.synchronize()
            self._driver.copy_to_host(zone.ctypes.data, start, ZONE, 0)
            self._driver.synchronize()
            changed = np.flatnonzero(zone != ZONE_BYTE)
            if changed.size:
                raise AssertionError(f"{changed.size} bytes written {where} an array of {nbytes} bytes")
        self.seen += 1

    def check(self) -> int:
        """Look at all zones; how many arrays were looked at so far."""
        for pointer in list(self.allocations):
            self._look(pointer)
        return self.seen


@contextmanager
def guarded(T: Any) -> Iterator[Guard]:
    """A context in which new tensors of ours lie between guard zones."""
    from minitorch._kernels.cuda import runtime

    allocator = runtime.gpu().allocator
    driver, caching = allocator.driver, allocator.caching
    T.cuda.synchronize()
    guard = allocator.driver = Guard(driver)
    allocator.caching = False
    try:
        yield guard
    finally:
        allocator.caching = caching
        allocator.driver = _Mixed(driver, guard)


class _Mixed:
    """The driver afterwards: guarded memory may still be given back."""

    def __init__(self, driver: Any, guard: Guard):
        self._driver, self._guard = driver, guard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def free(self, pointer: int) -> None:
        (self._guard if pointer in self._guard.allocations else self._driver).free(pointer)
