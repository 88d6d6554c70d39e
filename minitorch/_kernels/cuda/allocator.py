"""The caching allocator of one GPU: memory that arrays give back is kept for the next ones.

To ask the driver for memory takes longer than most kernels and to give it back waits for the device, so the driver is
asked for whole segments, which are split into blocks; free neighbours become one block again. Sizes are torch's
(https://docs.pytorch.org/docs/stable/notes/cuda.html#memory-management): blocks are multiples of 512 bytes, requests of
up to 1 MiB share segments of 2 MiB, those of up to 10 MiB share segments of 20 MiB, larger ones have their own.

A block belongs to the stream that it was allocated on: given back, it can be handed out at once to work that comes
later in that stream. Other streams that use it are told by `Memory.record`, and then it waits for them.
"""

import gc
import os
import threading
from bisect import bisect_left, insort
from collections import OrderedDict, deque
from typing import Any

import numpy as np

from .driver import OUT_OF_MEMORY, CudaError, relaxed
from .errors import OutOfMemoryError

ROUND = 512
SMALL, SMALL_SEGMENT = 1 << 20, 2 << 20
LARGE, LARGE_SEGMENT = 10 << 20, 20 << 20
LARGE_ROUND = 2 << 20


class Memory:
    """Memory on a GPU that arrays share; given back when the last of them is gone."""

    __slots__ = ("__weakref__", "block", "device", "nbytes", "owner", "pointer", "streams")

    def __init__(self, owner: "Allocator", block: Any, pointer: int, nbytes: int):
        self.owner, self.block, self.pointer, self.nbytes = owner, block, pointer, nbytes
        self.device = owner.device
        self.streams: set[int] | None = None

    def record(self, stream: int) -> None:
        """Say that a stream other than its own uses this memory."""
        if self.block is not None and stream != self.block.pool.stream:
            self.streams = (self.streams or set()) | {stream}

    def to_host(self) -> Any:
        """A copy of the bytes as a NumPy array."""
        return self._bytes().to_host()

    def copy(self) -> "Memory":
        """A copy on the same device."""
        return self._bytes().copy().memory

    def _bytes(self) -> Any:
        from .array import CudaArray

        return CudaArray((self.nbytes,), np.dtype(np.uint8), self)

    def __del__(self) -> None:
        if self.block is not None:
            self.owner.release(self.block, self.streams, self.nbytes)


class Pool:
    """The free blocks of one size class for one stream, smallest first; a graph's pools are its own."""

    __slots__ = ("free", "owner", "small", "stream")

    def __init__(self, stream: int, small: bool, owner: Any):
        self.stream, self.small, self.owner = stream, small, owner
        self.free: list[Block] = []

    def take(self, size: int) -> "Block | None":
        """The smallest free block that holds this much."""
        i = bisect_left(self.free, size, key=_size)
        if i == len(self.free):
            return None
        block = self.free[i]
        if not self.small and size < LARGE_SEGMENT <= block.size and block.size >= 2 * LARGE_SEGMENT:
            return None  # the segments of large requests are not cut up for middling ones
        return self.free.pop(i)

    def remove(self, block: "Block") -> None:
        i = bisect_left(self.free, (block.size, block.pointer), key=_place)
        del self.free[i]


class Block:
    """A piece of a segment; `before` and `after` are its neighbours there."""

    __slots__ = ("after", "before", "in_use", "pointer", "pool", "size")

    def __init__(self, pool: Pool, pointer: int, size: int, before: "Block | None", after: "Block | None"):
        self.pool, self.pointer, self.size, self.before, self.after = pool, pointer, size, before, after
        self.in_use = True


def _size(block: Block) -> int:
    return block.size


def _place(block: Block) -> tuple[int, int]:
    return block.size, block.pointer


class Statistic:
    """A number that goes up and down, as `memory_stats` shows it."""

    __slots__ = ("allocated", "current", "freed", "peak")

    def __init__(self) -> None:
        self.current = self.peak = self.allocated = self.freed = 0

    def add(self, n: int) -> None:
        """Count n more, or less."""
        self.current += n
        if n > 0:
            self.allocated += n
            if self.current > self.peak:
                self.peak = self.current
        else:
            self.freed -= n


STATISTICS = ("allocation", "allocated_bytes", "requested_bytes", "segment", "reserved_bytes", "active", "active_bytes")


class Allocator:
    """All memory of one GPU. Freed blocks are queued, as the garbage collector may free one in the middle of a call."""

    def __init__(self, driver: Any, index: int, device: Any):
        self.driver, self.index, self.device = driver, index, device
        self.caching = os.environ.get("PYTORCH_NO_CUDA_MEMORY_CACHING", "0") == "0"
        self.limit: int | None = None
        self._lock = threading.Lock()
        self._returned: deque[tuple[Block, Any, int]] = deque()
        self._waiting: list[tuple[Block, list[int]]] = []
        self._pools: dict[Any, Pool] = {}
        self.routes: dict[int, Any] = {}  # stream -> whose pools serve it: a graph's while it captures the stream
        self.users: dict[Any, int] = {}  # how many graphs use each such pool
        self.stats = {name: Statistic() for name in STATISTICS}
        self.retries = self.failures = 0

    # ------------------------------------------------------------------ taking and giving back
    def allocate(self, nbytes: int, stream: int = 0) -> Memory:
        """Memory for work in this stream."""
        if not nbytes:
            return Memory(self, None, 0, 0)
        size = -(-nbytes // ROUND) * ROUND
        with self._lock:
            self._collect()
            block = self._block(size, stream)
        if block is None:
            gc.collect()  # arrays in cycles of Python objects
            with self._lock:
                self._collect()
                self.retries += 1
                self._give_back_segments()
                block = self._block(size, stream)
            if block is None:
                raise self._out_of_memory(nbytes)
        stats = self.stats
        stats["allocation"].add(1)
        stats["allocated_bytes"].add(block.size)
        stats["requested_bytes"].add(nbytes)
        stats["active"].add(1)
        stats["active_bytes"].add(block.size)
        return Memory(self, block, block.pointer, nbytes)

    def release(self, block: Block, streams: Any, nbytes: int) -> None:
        """Take back a block, as soon as nobody else is busy with the lists."""
        self._returned.append((block, streams, nbytes))
        if self._lock.acquire(blocking=False):
            try:
                self._collect()
            finally:
                self._lock.release()

    def _collect(self) -> None:
        while self._returned:
            block, streams, nbytes = self._returned.popleft()
            self.stats["allocation"].add(-1)
            self.stats["allocated_bytes"].add(-block.size)
            self.stats["requested_bytes"].add(-nbytes)
            if streams and not self.routes:  # an event recorded in a stream that is captured would never happen
                self._waiting.append((block, [self._mark(s) for s in streams]))
            else:
                self._free(block)
        if self._waiting and not self.routes:
            self._waiting = [entry for entry in self._waiting if not self._freed_after(*entry)]

    def _mark(self, stream: int) -> int:
        event = self.driver.create_event()
        self.driver.record_event(event, stream)
        return event

    def _freed_after(self, block: Block, events: list[int]) -> bool:
        while events and self.driver.is_event_done(events[-1]):
            self.driver.destroy_event(events.pop())
        if events:
            return False
        self._free(block)
        return True

    # ------------------------------------------------------------------ blocks
    def _block(self, size: int, stream: int) -> Block | None:
        small = size <= SMALL
        pool = self._pool(stream, small, self.routes.get(stream))
        block = pool.take(size) if self.caching else None
        if block is None:
            block = self._segment(pool, size)
            if block is None:
                return None
        block.in_use = True
        left = block.size - size
        if self.caching and (left >= ROUND if small else left > SMALL):
            rest = Block(pool, block.pointer + size, left, block, block.after)
            if block.after is not None:
                block.after.before = rest
            block.after, block.size, rest.in_use = rest, size, False
            insort(pool.free, rest, key=_place)
        return block

    def _pool(self, stream: int, small: bool, owner: Any) -> Pool:
        key = stream, small, owner
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = Pool(stream, small, owner)
        return pool

    def _segment(self, pool: Pool, size: int) -> Block | None:
        """A new segment from the driver as one block; None if there is no memory."""
        if self.caching:
            large = LARGE_SEGMENT if size < LARGE else -(-size // LARGE_ROUND) * LARGE_ROUND
            size = SMALL_SEGMENT if pool.small else large
        if self.limit is not None and self.stats["reserved_bytes"].current + size > self.limit:
            return None
        try:
            with relaxed(self.driver):
                pointer = self.driver.allocate(size)
        except CudaError as error:
            if error.code != OUT_OF_MEMORY:
                raise
            return None
        self.stats["segment"].add(1)
        self.stats["reserved_bytes"].add(size)
        return Block(pool, pointer, size, None, None)

    def _free(self, block: Block) -> None:
        self.stats["active"].add(-1)
        self.stats["active_bytes"].add(-block.size)
        if not self.caching:
            self._unreserve(block)
            return
        pool = block.pool
        for neighbour in (block.before, block.after):
            if neighbour is not None and not neighbour.in_use:
                pool.remove(neighbour)
                _join(block, neighbour)
        block.in_use = False
        insort(pool.free, block, key=_place)

    def _give_back_segments(self, owner: Any = None) -> None:
        """Give segments that are free as a whole back to the driver; `owner`: also those of a graph that is gone."""
        while self._waiting and not self.routes:
            block, events = self._waiting.pop()
            for event in events:
                self.driver.synchronize_event(event)
            self._freed_after(block, events)
        for key, pool in list(self._pools.items()):
            if pool.owner is not None and pool.owner is not owner:
                continue
            whole = [b for b in pool.free if b.before is None and b.after is None]
            for block in whole:
                pool.remove(block)
                self._unreserve(block)
            if pool.owner is not None and not pool.free:
                del self._pools[key]

    def _unreserve(self, block: Block) -> None:
        self.driver.free(block.pointer)
        self.stats["segment"].add(-1)
        self.stats["reserved_bytes"].add(-block.size)

    # ------------------------------------------------------------------ what users see
    def empty_cache(self, owner: Any = None) -> None:
        """Give back to the driver what no array uses."""
        with self._lock:
            self._collect()
            self._give_back_segments(owner)

    def reset_peaks(self) -> None:
        """Let the largest amounts be the present ones."""
        for s in self.stats.values():
            s.peak = s.current

    def reset_totals(self) -> None:
        """Count what is allocated and freed from zero."""
        for s in self.stats.values():
            s.allocated = s.freed = 0

    def memory_stats(self) -> "OrderedDict[str, int]":
        """torch's names, "<what>.all.<current, peak, allocated, freed>", and counts of failures."""
        flat = {
            f"{name}.all.{kind}": getattr(s, kind)
            for name, s in self.stats.items()
            for kind in ("allocated", "current", "freed", "peak")
        }
        flat |= {"num_alloc_retries": self.retries, "num_ooms": self.failures}
        return OrderedDict(sorted(flat.items()))

    def _out_of_memory(self, nbytes: int) -> OutOfMemoryError:
        self.failures += 1
        free, total = self.driver.memory_info()
        allocated, reserved = self.stats["allocated_bytes"].current, self.stats["reserved_bytes"].current
        allowed = f" {in_units(self.limit)} allowed;" if self.limit is not None else ""
        return OutOfMemoryError(
            f"CUDA out of memory. Tried to allocate {in_units(nbytes)}. GPU {self.index} has a total capacity of "
            f"{in_units(total)} of which {in_units(free)} is free.{allowed} Of the allocated memory "
            f"{in_units(allocated)} is allocated by PyTorch, and {in_units(reserved - allocated)} is reserved by "
            "PyTorch but unallocated.\nUse smaller batches, drop tensors that are no longer needed, or record no graph "
            "where none is wanted (torch.no_grad()); see torch.cuda.memory_summary()"
        )


def _join(block: Block, neighbour: Block) -> None:
    """Make two neighbours one block."""
    if neighbour is block.before:
        block.pointer, block.before = neighbour.pointer, neighbour.before
        if block.before is not None:
            block.before.after = block
    else:
        block.after = neighbour.after
        if block.after is not None:
            block.after.before = block
    block.size += neighbour.size


def in_units(n: int) -> str:
    """Bytes as torch shows them: 20.00 MiB."""
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if n >= 1 << shift:
            return f"{n / (1 << shift):.2f} {unit}"
    return f"{n} bytes"
