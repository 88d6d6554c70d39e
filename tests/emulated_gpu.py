"""A GPU made of host memory: the driver's functions on NumPy buffers, kernels run from their source by `simt.py`.

`EmulatedDriver` stands in for `minitorch._kernels.cuda.driver.Driver`, so everything above the driver is what runs on a
GPU: the allocator, streams, launches, graphs, the backend. It is stricter than hardware: allocations lie between
guard zones, new memory is filled with nan, and a pointer into memory that was given back or never allocated is an
error.

Work is done when it is issued, unless the device is made `lazy`: then a stream's work waits until somebody waits for
it, and streams run in the opposite of the order in which they were used, so that a missing `wait_event` shows.
"""

import ctypes
from bisect import bisect_right
from contextlib import contextmanager

import numpy as np

from minitorch._kernels.cuda import driver as drivers
from minitorch._kernels.cuda import runtime
from minitorch._kernels.cuda.driver import CudaError
from minitorch._kernels.cuda.launch import layout
from tests import simt_hopper

GUARD = 256
GUARD_BYTE, POISON = 0xA5, 0xFF  # four bytes of poison are a nan

ERRORS = {
    1: "invalid argument",
    2: "out of memory",
    700: "an illegal memory access was encountered",
    900: "operation not permitted when stream is capturing",
    901: "operation failed due to a previous error during capture",
    905: "dependency created on uncaptured work in another stream",
}


class Window:
    """What NumPy makes an array of; `owner` stays alive with it."""

    def __init__(self, interface, owner):
        self.__array_interface__, self.owner = interface, owner


class Allocation:
    """A piece of device memory between two guard zones."""

    def __init__(self, nbytes):
        self.buffer = np.full(nbytes + 2 * GUARD + 256, GUARD_BYTE, np.uint8)
        start = self.buffer.ctypes.data
        self.first = -(-(start + GUARD) // 256) * 256 - start
        self.pointer, self.nbytes = start + self.first, nbytes
        interface = {"shape": (nbytes,), "typestr": "|u1", "data": (self.pointer, False), "version": 3}
        # no view of the buffer, so that the views of it know how they are aligned
        self.bytes = np.asarray(Window(interface, self.buffer))
        self.bytes[:] = POISON

    def check(self):
        outside = np.concatenate([self.buffer[: self.first], self.buffer[self.first + self.nbytes :]])
        assert (outside == GUARD_BYTE).all(), f"a write beyond an allocation of {self.nbytes} bytes"


class EmulatedDriver:
    """See `driver.Driver`, whose public methods these are."""

    compiles = False

    def __init__(self, devices=1, memory=64 << 20, lazy=False, races=False):
        self.devices, self.memory, self.lazy, self.races = devices, memory, lazy, races
        self.allocations = [{} for _ in range(devices)]
        self.starts = [[] for _ in range(devices)]
        self.pinned = {}
        self.context = None
        self.handles = iter(range(1, 1 << 60))
        self.queues = {0: []}  # stream -> work to do; streams last used stand last
        self.events = {}  # event -> [stream, how many entries of it had been recorded, clock]
        self.done = {}  # stream -> entries done so far
        self.issued = {}
        self.capturing = {}  # stream -> the graph's list of work
        self.captured_events = {}
        self.graphs = {}
        self.relaxed = False
        self.clock = 0.0
        self.launched = []  # the names of the kernels that were started
        self.kernels = {}  # and they themselves, once each
        self.fail_with = None  # a code for the next wait to raise, as a kernel that faulted would

    # ------------------------------------------------------------------ the device
    def version(self):
        return 13000

    def device_count(self):
        return self.devices

    def name(self, index):
        return "Emulated GPU"

    def uuid(self, index):
        return bytes(range(16))

    def attribute(self, index, name):
        known = {
            "major": 9, "minor": 0, "multi_processor_count": 4, "warp_size": 32, "max_threads_per_block": 1024,
            "max_shared_memory_per_block": 49152, "shared_memory_per_block_optin": 232448,
            "max_threads_per_multi_processor": 2048, "shared_memory_per_multiprocessor": 233472,
            "regs_per_multiprocessor": 65536, "l2_cache_size": 50 << 20, "clock_rate": 1980000,
        }  # fmt: skip
        assert name in drivers.ATTRIBUTES
        return known.get(name, 0)

    def total_memory(self, index):
        return self.memory

    def can_access_peer(self, index, peer):
        return index != peer

    def retain_context(self, index):
        return 0x1000 + index

    def set_context(self, context):
        self.context = context

    @property
    def index(self):
        assert self.context is not None, "a call before a context was made current"
        return self.context - 0x1000

    def error(self, code):
        return CudaError(code, f"CUDA error: {ERRORS[code]}")

    def synchronize(self):
        self._not_while_capturing()
        self._drain_all()
        self._fail()

    def _fail(self):
        if self.fail_with is not None:
            raise self.error(self.fail_with)

    # ------------------------------------------------------------------ memory
    def _used(self):
        return sum(a.nbytes for a in self.allocations[self.index].values())

    def allocate(self, nbytes):
        if self.capturing and not self.relaxed:
            raise self.error(900)
        if self._used() + nbytes > self.memory:
            raise self.error(2)
        made = Allocation(nbytes)
        self.allocations[self.index][made.pointer] = made
        self.starts[self.index] = sorted(self.allocations[self.index])
        return made.pointer

    def free(self, pointer):
        self._drain_all()
        for allocations, starts in zip(self.allocations, self.starts, strict=True):
            if pointer in allocations:
                gone = allocations.pop(pointer)
                starts.remove(pointer)
                gone.check()
                gone.bytes[:] = POISON
                return
        raise AssertionError("memory given back twice, or never allocated")

    def memory_info(self):
        return self.memory - self._used(), self.memory

    def allocation_at(self, pointer, index=None):
        """The allocation that a pointer lies in, or behind."""
        index = self.index if index is None else index
        starts = self.starts[index]
        i = bisect_right(starts, pointer) - 1
        assert i >= 0, f"no allocation at {pointer:#x}"
        return self.allocations[index][starts[i]]

    def bytes_at(self, pointer, nbytes=None, index=None):
        """A view of the allocation from a pointer on; the pointer must lie in one, and so must all the bytes."""
        a = self.allocation_at(pointer, index)
        first = pointer - a.pointer
        assert first <= a.nbytes, f"{pointer:#x} lies {first - a.nbytes} bytes behind the end of an allocation"
        rest = a.bytes[first:]
        assert nbytes is None or nbytes <= rest.size, f"{nbytes} bytes asked for, {rest.size} are there"
        return rest if nbytes is None else rest[:nbytes]

    def allocate_host(self, nbytes):
        if self.capturing and not self.relaxed:
            raise self.error(900)
        buffer = np.zeros(nbytes, np.uint8)
        self.pinned[buffer.ctypes.data] = buffer
        return buffer.ctypes.data

    def copy_to_device(self, pointer, address, nbytes, stream):
        pageable = not any(a <= address < a + b.size for a, b in self.pinned.items())
        source = _host(address, nbytes)
        assert not pageable or stream not in self.capturing, "a graph would read this memory at every replay"
        source = source.copy() if pageable else source
        dest = self.bytes_at(pointer, nbytes)
        self._issue(stream, lambda: dest.__setitem__(slice(None), source))

    def copy_to_host(self, address, pointer, nbytes, stream):
        source, dest = self.bytes_at(pointer, nbytes), _host(address, nbytes)
        self._issue(stream, lambda: dest.__setitem__(slice(None), source))

    def copy_on_device(self, dest, source, nbytes, stream):
        to, origin = self.bytes_at(dest, nbytes), self.bytes_at(source, nbytes)
        self._issue(stream, lambda: to.__setitem__(slice(None), origin))

    def copy_to_peer(self, dest, to, source, origin, nbytes, stream):
        a, b = self.bytes_at(dest, nbytes, to - 0x1000), self.bytes_at(source, nbytes, origin - 0x1000)
        self._issue(stream, lambda: a.__setitem__(slice(None), b))

    def fill(self, pointer, bits, itemsize, count, stream):
        dest = self.bytes_at(pointer, itemsize * count).view(f"u{itemsize}")
        self._issue(stream, lambda: dest.fill(bits))

    # ------------------------------------------------------------------ kernels
    def tensor_map(self, pointer, kind, sizes, strides, box):
        return simt_hopper.packed(pointer, kind, sizes, strides, box)

    def run(self, kernel, grid, args, stream):
        """Run a kernel's source on views of the memory that its pointers point to."""
        from tests import simt

        record = layout(kernel.types)  # what a launch does not take is an error here too
        args = record.unpack(record.pack(*grid, stream, *args))[4:]
        views, used = [], []
        for kind, value in zip(kernel.types, args, strict=True):
            if kind == "map":
                used.append(self.allocation_at(simt_hopper.pointer_of(value)))
                views.append(simt_hopper.unpacked(value, used[-1]))
            elif not kind.endswith("*"):
                views.append(value)
            elif value:
                rest = self.bytes_at(value)
                used.append(self.allocation_at(value))
                dtype = np.dtype(kind[:-1])
                assert value % dtype.itemsize == 0, f"{kernel.name}: a misaligned pointer for {kind}"
                views.append(rest[: rest.size // dtype.itemsize * dtype.itemsize].view(dtype))
            else:
                views.append(None)
        memory = [a.bytes for a in self.allocations[self.index].values()] if "u8*" in kernel.types else []
        self.launched.append(kernel.name)
        self.kernels[kernel] = None

        def work():
            known = self.allocations[index]
            assert all(known.get(a.pointer) is a for a in used), f"{kernel.name} works on memory that was given back"
            simt.run(kernel, grid, *views, races=self.races, memory=memory)

        index = self.index
        self._issue(stream, work)

    # what only a driver with machine code has
    load_module = function = allow_shared = launch = None
    raw = address_of = None

    # ------------------------------------------------------------------ streams and events
    def _issue(self, stream, work):
        self._fail()
        if stream in self.capturing:
            self.capturing[stream].append(work)
            return
        if not self.lazy:
            work()
            return
        queue = self.queues.pop(stream)
        queue.append(work)
        self.queues[stream] = queue
        self.issued[stream] = self.issued.get(stream, 0) + 1

    def _drain(self, stream, until=None):
        queue = self.queues[stream]
        while queue and (until is None or self.done.get(stream, 0) < until):
            work = queue.pop(0)
            self.done[stream] = self.done.get(stream, 0) + 1
            work()

    def _drain_all(self):
        for stream in reversed(list(self.queues)):
            self._drain(stream)

    def _not_while_capturing(self):
        if self.capturing:
            raise self.error(900)

    def create_stream(self, priority=0):
        stream = next(self.handles)
        self.queues[stream] = []
        return stream

    def synchronize_stream(self, stream):
        self._not_while_capturing()
        self._drain(stream)
        self._fail()

    def is_stream_done(self, stream):
        return not self.queues[stream]

    def wait_event(self, stream, event):
        if event in self.captured_events:
            graph = self.captured_events[event]
            if any(g is graph for g in self.capturing.values()):
                self.capturing[stream] = graph  # the stream joins the capture
                return
        if stream in self.capturing:
            raise self.error(905)
        source, until, _ = self.events[event]
        if self.lazy and source != stream:
            self._issue(stream, lambda: self._drain(source, until))

    def priority_range(self):
        return 0, -5

    def create_event(self, timing=False, blocking=False):
        event = next(self.handles)
        self.events[event] = [0, 0, 0.0]
        return event

    def destroy_event(self, event):
        self.events.pop(event)
        self.captured_events.pop(event, None)

    def record_event(self, event, stream):
        if stream in self.capturing:
            self.captured_events[event] = self.capturing[stream]
            return
        self.captured_events.pop(event, None)
        self.clock += 1.0
        self.events[event] = [stream, self.issued.get(stream, 0), self.clock]

    def synchronize_event(self, event):
        self._not_while_capturing()
        stream, until, _ = self.events[event]
        self._drain(stream, until)
        self._fail()

    def is_event_done(self, event):
        stream, until, _ = self.events[event]
        return self.done.get(stream, 0) >= until

    def elapsed(self, start, end):
        return self.events[end][2] - self.events[start][2]

    # ------------------------------------------------------------------ graphs
    def exchange_capture_mode(self, mode):
        before, self.relaxed = self.relaxed, mode == 2
        return 2 * before

    def begin_capture(self, stream, mode=0):
        self._not_while_capturing()
        if stream == 0:
            raise self.error(900)  # the default stream cannot be captured
        self.capturing[stream] = []

    def end_capture(self, stream):
        graph = next(self.handles)
        work = self.capturing[stream]
        self.graphs[graph] = work
        self.capturing = {s: w for s, w in self.capturing.items() if w is not work}
        return graph

    def is_capturing(self, stream):
        return stream in self.capturing

    def instantiate(self, graph):
        made = next(self.handles)
        self.graphs[made] = list(self.graphs[graph])
        return made

    def launch_graph(self, executable, stream):
        for work in self.graphs[executable]:
            self._issue(stream, work)

    def destroy_graph(self, graph):
        del self.graphs[graph]

    def destroy_executable(self, executable):
        del self.graphs[executable]

    def node_count(self, graph):
        return len(self.graphs[graph])

    def print_graph(self, graph, path):
        with open(path, "w") as file:
            file.write("digraph {}")

    def check(self):
        """That nobody wrote beyond what he was given."""
        for allocations in self.allocations:
            for a in allocations.values():
                a.check()


def _host(address, nbytes):
    """Host memory as an array."""
    return np.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(address)) if nbytes else np.empty(0, np.uint8)


def forget(driver):
    """Forget a driver's devices: the next one may have its address."""
    for key in [key for key in runtime._gpus if key[0] == id(driver)]:
        del runtime._gpus[key]
    thread = runtime.thread
    if thread.bound is not None and thread.bound.driver is driver:
        thread.bound = thread.now = None
        thread.index = 0
        thread.streams.clear()


@contextmanager
def emulated(caching=False, **options):
    """A GPU for the length of a block; every array an allocation of its own, unless `caching`."""
    device = EmulatedDriver(**options)
    with drivers.use(device):
        for index in range(device.devices):
            runtime.gpu(index).allocator.caching = caching
        runtime.gpu(0)
        try:
            yield device
            device.check()
        finally:
            forget(device)
