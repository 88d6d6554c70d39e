"""The caching allocator of one GPU: memory that arrays give back is kept for the next ones.

To ask the driver for memory takes longer than most kernels and to give it back waits for the device, so the driver is
asked for whole segments, which are cut into blocks. Sizes are torch's
(https://docs.pytorch.org/docs/stable/notes/cuda.html#memory-management): blocks are multiples of 512 bytes, requests of
up to 1 MiB share segments of 2 MiB, those of up to 10 MiB share segments of 20 MiB, larger ones have their own.

A step of training asks for the same sizes as the one before, so a block that is given back stays as it is, in a list
of its size. Free neighbours become one block only before the driver would be asked for more.

A block belongs to the stream that it was allocated on: given back, it can be handed out at once to work that comes
later in that stream. Other streams that use it are told by `Memory.record`, and then it waits for them.
"""

import gc
import os
import threading
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
        self.device, self.streams = owner.device, None

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
    """The blocks of one size class for one stream; a graph's pools are its own."""

    __slots__ = ("free", "owner", "segments", "small", "stream")

    def __init__(self, stream: int, small: bool, owner: Any):
        self.stream, self.small, self.owner = stream, small, owner
        self.free: dict[int, list[Block]] = {}  # by size
        self.segments: dict[int, Block] = {}  # address of a segment -> its first block

    def take(self, size: int) -> "Block | None":
        """A free block of this size, else one cut off the smallest that is larger."""
        free = self.free.get(size)
        if free:
            return free.pop()
        larger = [s for s, blocks in self.free.items() if s > size and blocks and self._may_cut(s, size)]
        if not larger:
            return None
        block = self.free[min(larger)].pop()
        left = block.size - size
        if left >= ROUND if self.small else left > SMALL:
            rest = Block(self, block.pointer + size, left, block.after)
            block.after, block.size = rest, size
            self.free.setdefault(left, []).append(rest)
        return block

    def _may_cut(self, have: int, size: int) -> bool:
        """Segments of the largest requests are not cut up for lesser ones."""
        return self.small or size >= LARGE or have <= LARGE_SEGMENT

    def join(self) -> None:
        """Make free neighbours one block."""
        free = {block for blocks in self.free.values() for block in blocks}
        self.free = {}
        for first in self.segments.values():
            block: Block | None = first
            while block is not None:
                if block in free:
                    while block.after in free:
                        block.size += block.after.size  # type: ignore[union-attr]
                        block.after = block.after.after  # type: ignore[union-attr]
                    self.free.setdefault(block.size, []).append(block)
                block = block.after

    def whole_segments(self) -> "list[Block]":
        """Take out the segments of which no part is in use."""
        self.join()
        found = [
            b for blocks in self.free.values() for b in blocks if self.segments.get(b.pointer) is b and not b.after
        ]
        for block in found:
            self.free[block.size].remove(block)
            del self.segments[block.pointer]
        return found


class Block:
    """A piece of a segment, `after` being the next one in it; or (`kept` False) memory that goes back to the driver."""

    __slots__ = ("after", "kept", "pointer", "pool", "size")

    def __init__(self, pool: Pool, pointer: int, size: int, after: "Block | None" = None, kept: bool = True):
        self.pool, self.pointer, self.size, self.after, self.kept = pool, pointer, size, after, kept


class Count:
    """An amount that goes up and down, as `memory_stats` shows it."""

    __slots__ = ("allocated", "freed", "peak")

    def __init__(self) -> None:
        self.allocated = self.freed = self.peak = 0

    @property
    def current(self) -> int:
        return self.allocated - self.freed

    def up(self, n: int) -> None:
        """Count n more."""
        self.allocated += n
        if self.allocated - self.freed > self.peak:
            self.peak = self.allocated - self.freed


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
        self.blocks, self.bytes, self.requested = Count(), Count(), Count()
        self.segments, self.reserved = Count(), Count()
        self.retries = self.failures = 0

    # ------------------------------------------------------------------ taking and giving back
    def allocate(self, nbytes: int, stream: int = 0) -> Memory:
        """Memory for work in this stream."""
        if not nbytes:
            return Memory(self, None, 0, 0)
        size = -(-nbytes // ROUND) * ROUND
        with self._lock:
            if self._returned or self._waiting:
                self._collect()
            pool = self._pool(stream, size)
            free = pool.free.get(size)
            if free:  # of the size that the last step gave back
                block: Block | None = free.pop()
            # what a graph's kernels know must stay theirs: such memory is kept in any case
            elif self.caching or pool.owner is not None:
                block = pool.take(size) or self._after_joining(pool, size)
            else:
                block = self._segment(pool, size)
        if block is None:
            block = self._last_resort(stream, size, nbytes)
        self.blocks.up(1)
        self.bytes.up(block.size)
        self.requested.up(nbytes)
        return Memory(self, block, block.pointer, nbytes)

    def _after_joining(self, pool: Pool, size: int) -> Block | None:
        pool.join()
        return pool.take(size) or self._segment(pool, size)

    def _last_resort(self, stream: int, size: int, nbytes: int) -> Block:
        gc.collect()  # arrays in cycles of Python objects
        with self._lock:
            self._collect()
            self.retries += 1
            self._give_back_segments()
            pool = self._pool(stream, size)
            block = (pool.take(size) if self.caching else None) or self._segment(pool, size)
        if block is None:
            raise self._out_of_memory(nbytes)
        return block

    def release(self, block: Block, streams: Any, nbytes: int) -> None:
        """Take back a block, as soon as nobody else is busy with the lists."""
        if streams is None and block.kept and self._lock.acquire(blocking=False):
            self._free(block, nbytes)
            self._lock.release()
            return
        self._returned.append((block, streams, nbytes))
        if self._lock.acquire(blocking=False):
            try:
                self._collect()
            finally:
                self._lock.release()

    def _free(self, block: Block, nbytes: int) -> None:
        self.blocks.freed += 1
        self.bytes.freed += block.size
        self.requested.freed += nbytes
        if not block.kept:
            self._unreserve(block)
            return
        free = block.pool.free
        if block.size in free:
            free[block.size].append(block)
        else:
            free[block.size] = [block]

    def _collect(self) -> None:
        while self._returned:
            block, streams, nbytes = self._returned.popleft()
            if streams and not self.routes:  # an event recorded in a stream that is captured would never happen
                self._waiting.append((block, [self._mark(s) for s in streams]))
                self.requested.freed += nbytes
            else:
                self._free(block, nbytes)
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
        self._free(block, 0)
        return True

    # ------------------------------------------------------------------ segments
    def _pool(self, stream: int, size: int) -> Pool:
        key = stream, size <= SMALL, self.routes.get(stream)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = Pool(*key)
        return pool

    def _segment(self, pool: Pool, size: int) -> Block | None:
        """A block in a new segment from the driver; None if there is no memory."""
        whole = size
        if self.caching:
            large = LARGE_SEGMENT if size < LARGE else -(-size // LARGE_ROUND) * LARGE_ROUND
            whole = SMALL_SEGMENT if pool.small else large
        if self.limit is not None and self.reserved.current + whole > self.limit:
            return None
        try:
            with relaxed(self.driver):
                pointer = self.driver.allocate(whole)
        except CudaError as error:
            if error.code != OUT_OF_MEMORY:
                raise
            return None
        self.segments.up(1)
        self.reserved.up(whole)
        block = Block(pool, pointer, whole, kept=self.caching or pool.owner is not None)
        if not block.kept:
            return block
        pool.segments[pointer] = block
        pool.free.setdefault(whole, []).append(block)
        return pool.take(size)

    def _give_back_segments(self, owner: Any = None) -> None:
        """Give segments that are free as a whole back to the driver; `owner`: also those of a graph that is gone."""
        while self._waiting and not self.routes:
            block, events = self._waiting.pop()
            for event in events:
                self.driver.synchronize_event(event)
            self._freed_after(block, events)
        for key, pool in list(self._pools.items()):
            if pool.owner is not None and pool.owner in self.users:
                continue
            for block in pool.whole_segments():
                self._unreserve(block)
            if pool.owner is not None and not pool.segments:
                del self._pools[key]

    def _unreserve(self, block: Block) -> None:
        self.driver.free(block.pointer)
        self.segments.freed += 1
        self.reserved.freed += block.size

    # ------------------------------------------------------------------ what users see
    def empty_cache(self) -> None:
        """Give back to the driver what no array uses."""
        with self._lock:
            self._collect()
            self._give_back_segments()

    def counts(self) -> dict[str, Count]:
        """The amounts under torch's names; blocks that wait for a stream count as allocated."""
        return {
            "active": self.blocks, "active_bytes": self.bytes, "allocation": self.blocks, "allocated_bytes": self.bytes,
            "requested_bytes": self.requested, "reserved_bytes": self.reserved, "segment": self.segments,
        }  # fmt: skip

    def reset_peaks(self) -> None:
        """Let the largest amounts be the present ones."""
        for count in self.counts().values():
            count.peak = count.current

    def reset_totals(self) -> None:
        """Count what is allocated and freed anew, as if what there is now had just been allocated."""
        for count in set(self.counts().values()):
            count.allocated, count.freed = count.current, 0

    def memory_stats(self) -> "OrderedDict[str, int]":
        """torch's names, "<what>.all.<current, peak, allocated, freed>", and counts of failures."""
        flat = {
            f"{name}.all.{kind}": getattr(count, kind)
            for name, count in self.counts().items()
            for kind in ("allocated", "current", "freed", "peak")
        }
        flat |= {"num_alloc_retries": self.retries, "num_ooms": self.failures}
        return OrderedDict(sorted(flat.items()))

    def _out_of_memory(self, nbytes: int) -> OutOfMemoryError:
        self.failures += 1
        free, total = self.driver.memory_info()
        allocated, reserved = self.bytes.current, self.reserved.current
        allowed = f" {in_units(self.limit)} allowed;" if self.limit is not None else ""
        return OutOfMemoryError(
            f"CUDA out of memory. Tried to allocate {in_units(nbytes)}. GPU {self.index} has a total capacity of "
            f"{in_units(total)} of which {in_units(free)} is free.{allowed} Of the allocated memory "
            f"{in_units(allocated)} is allocated by PyTorch, and {in_units(reserved - allocated)} is reserved by "
            "PyTorch but unallocated.\nUse smaller batches, drop tensors that are no longer needed, or record no graph "
            "where none is wanted (torch.no_grad()); see torch.cuda.memory_summary()"
        )


def in_units(n: int) -> str:
    """Bytes as torch shows them: 20.00 MiB."""
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if n >= 1 << shift:
            return f"{n / (1 << shift):.2f} {unit}"
    return f"{n} bytes"
