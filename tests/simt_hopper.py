"""What Hopper's words mean on NumPy memory: barriers that count phases, copies of boxes, products by four warps.

As on a GPU, copies and products go on by themselves, and each is done at the worst moment that is allowed: what a copy
writes is poison from its start on, and arrives piece by piece while somebody waits for its barrier; a product reads
shared memory when it is waited for, and until then its sums are no numbers. So what was not waited for shows:

- a product that reads what a copy has not brought, and a copy into what a product has yet to read
- sums that are used before `wgmma_wait`, and registers that were written without `wgmma_fence` before a product
- a phase that nobody ends (bytes or arrivals miscounted), and arrivals beyond what a phase takes
- barriers that copies may not see yet, for want of `mbarrier_fence`
- descriptors that differ between threads, lead out of shared memory, or begin within a swizzle's pattern

Descriptors are read by the tables of the PTX ISA, "Asynchronous Warpgroup Level Matrix Shared Memory Layout" (matrix
descriptor format, strides, 128-byte swizzle); sums lie in registers as its figure of "Register Fragments and Shared
Memory Matrix Layouts" for D has it. No GPU has confirmed this reading yet, nor that copies to tf32 round to nearest.
"""

import struct
from typing import NamedTuple

import numpy as np

from tests.simt_words import HALVES, Fault

READ, WRITE, ATOMIC = 0, 1, 2
SIZES = {"u2": 2, "tf32": 4}


class TensorMap(NamedTuple):
    """What `driver.tensor_map` makes: an array of three dimensions within memory, and the box that is copied at once.

    `start` is where it begins, in bytes; sizes and box are of elements, the contiguous dimension first; strides, in
    bytes, are those of the other two.
    """

    array: np.ndarray
    start: int
    kind: str
    sizes: tuple
    strides: tuple
    box: tuple
    memory: object = None

    def read(self, corner):
        """The box from this corner on, as rows of bytes: zeros outside."""
        size = SIZES[self.kind]
        places, inside = np.zeros(self.box[::-1], np.int64), np.ones(self.box[::-1], bool)
        for axis, (first, stride) in enumerate(zip(corner, (size, *self.strides))):
            index = first + np.arange(self.box[axis])
            shape = [-1 if 2 - axis == k else 1 for k in range(3)]
            places += (index * stride).reshape(shape)
            inside &= ((index >= 0) & (index < self.sizes[axis])).reshape(shape)
        places = places[inside] + self.start
        if places.size and not 0 <= places.min() <= places.max() <= self.memory.bytes.size - size:
            raise Fault(f"out of bounds: a tensor map that leads out of {self.memory.name}")
        words = np.zeros(self.box[::-1], f"u{size}")
        words[inside] = self.memory.bytes[places[:, None] + np.arange(size)].view(f"u{size}")[:, 0]
        if self.kind == "tf32":
            finite = (words & 0x7F800000) != 0x7F800000
            words = np.where(finite, words + np.uint32(0x1000) & np.uint32(0xFFFFE000), words)
        return words.reshape(-1, self.box[0]).view(np.uint8)


PACKED = struct.Struct("=4sQ3Q2Q3I")


def packed(pointer, kind, sizes, strides, box):
    """The 128 bytes that stand for a tensor map; what the driver would refuse is an error here too."""
    assert pointer % 16 == 0 and all(s % 16 == 0 and 0 < s < 1 << 40 for s in strides)
    assert all(0 < s <= 1 << 32 for s in sizes) and all(0 < s <= 256 for s in box) and box[0] * SIZES[kind] <= 128
    return PACKED.pack(kind.encode(), pointer, *sizes, *strides, *box).ljust(128, b"\0")


def pointer_of(made):
    return PACKED.unpack_from(made)[1]


def unpacked(made, allocation):
    """The tensor map of what lies in an allocation of the emulated GPU."""
    kind, pointer, *numbers = PACKED.unpack_from(made)
    parts = tuple(numbers[:3]), tuple(numbers[3:5]), tuple(numbers[5:])
    return TensorMap(allocation.bytes, pointer - allocation.pointer, kind.rstrip(b"\0").decode(), *parts)


class Barrier:
    def __init__(self, count):
        self.count, self.arrived, self.bytes, self.phase = count, 0, 0, 0
        self.copies, self.seen = [], False

    def arrive(self):
        if self.arrived == self.count:
            raise Fault(f"a barrier of {self.count} arrivals gets one more before its phase ends")
        self.arrived += 1
        self.end()

    def end(self):
        if self.arrived == self.count and not self.bytes:
            self.arrived, self.phase = 0, self.phase + 1


class Copy:
    def __init__(self, memory, places, data):
        self.memory, self.places, self.data = memory, places, data


class Product:
    """One wgmma: what it was given; `result` once it is done. `before` are the sums, or the product that gives them."""

    def __init__(self, kind, count, wide, descriptors, before):
        self.kind, self.count, self.wide, self.descriptors, self.before = kind, count, wide, descriptors, before
        self.result = None
        self.sums = tuple(Pending(self, k) for k in range(count))


class Pending:
    """A sum that a product has not given yet: nothing can be done with it."""

    __array_ufunc__ = None  # numbers of NumPy ask us

    def __init__(self, product, index):
        self.product, self.index = product, index

    def refuse(self, *others):
        raise Fault("a sum of wgmma is used before wgmma_wait")

    __float__ = __mul__ = __rmul__ = __add__ = __radd__ = __sub__ = __rsub__ = __truediv__ = __rtruediv__ = refuse
    __neg__ = __lt__ = __gt__ = __le__ = __ge__ = refuse


class Asynchronous:
    """What goes on by itself in one block."""

    def __init__(self):
        self.barriers, self.copies = {}, []
        self.brought = {}  # memory -> which bytes copies have brought
        self.groups = {}  # number of four warps -> Group

    def bytes_of(self, memory):
        return self.brought.setdefault(memory, np.zeros(memory.bytes.size, bool))


class Group:
    def __init__(self):
        self.open, self.committed, self.fenced = [], [], False


def shared_address(p, i):
    return 1 << 24 | _address(p, i)  # as of the second block of a cluster


def _address(p, i):
    if p.memory.shared_at is None:
        raise Fault(f"{p.memory.name} is not in shared memory")
    return p.memory.shared_at + (p.start + i) * p.size


# Barriers


def _barrier(p, i, kind):
    at = _address(p, p.locate(i, 1, kind, 3) - p.start)
    if at % 8 or p.size != 8:
        raise Fault(f"a barrier at byte {at} of shared memory, in words of {p.size} bytes: it takes 8 aligned bytes")
    return at


def _known(p, i, kind):
    found = p.machine.asynchronous.barriers.get(_barrier(p, i, kind))
    if found is None:
        raise Fault(f"no barrier at index {i} of {p.memory.name}")
    return found


def mbarrier_init(p, i, count):
    p.machine.asynchronous.barriers[_barrier(p, i, WRITE)] = made = Barrier(count)
    p.machine.thread.barriers.append(made)


def mbarrier_fence(machine):
    for barrier in machine.thread.barriers:
        barrier.seen = True


def mbarrier_expect(p, i, count):
    barrier = _known(p, i, ATOMIC)
    barrier.bytes += count
    barrier.arrive()


def mbarrier_arrive(p, i):
    _known(p, i, ATOMIC).arrive()


def polled(thread, machine):
    """(whether a thread may go on that waits for a phase, whether anything has moved)."""
    _, p, i, parity = thread.waits
    machine.thread, machine.log = thread, None
    barrier = _known(p, i, ATOMIC)
    if barrier.phase % 2 != parity:
        return True, True
    if barrier.copies:
        copy = barrier.copies.pop(machine.random.randrange(len(barrier.copies)))
        machine.asynchronous.copies.remove(copy)
        copy.memory.bytes[copy.places] = copy.data
        machine.asynchronous.bytes_of(copy.memory)[copy.places] = True
        barrier.bytes -= copy.data.size
        barrier.end()
        return barrier.phase % 2 != parity, True
    return False, False


# Copies


def swizzled(address):
    """Where the byte of an address is, by the 128-byte swizzle."""
    return address ^ (address >> 7 & 7) << 4


def copy_box(target, i, source, x, y, z, p, j):
    machine, row = target.machine, source.box[0] * SIZES[source.kind]
    barrier = _known(p, j, ATOMIC)
    if not barrier.seen:
        raise Fault("a copy tells a barrier that mbarrier_fence has not made known")
    first = _address(target, i)
    if first % 128 or row != 128:
        raise Fault(f"a box of rows of {row} bytes to byte {first} of shared memory: rows and alignment are 128 bytes")
    data = source.read((x, y, z)).reshape(-1)
    places = _within(target.memory, swizzled(first + np.arange(data.size)), "a copy")
    for group in machine.asynchronous.groups.values():
        for product in (*group.open, *(product for done in group.committed for product in done)):
            for memory, used in operands(machine, product):
                if memory is target.memory and np.intersect1d(used, places).size:
                    raise Fault("a copy into what a product that was not waited for may still read")
    if any(c.memory is target.memory and np.intersect1d(c.places, places).size for c in machine.asynchronous.copies):
        raise Fault("a copy into what another one has not brought yet")
    target.memory.bytes[places] = 0xFF
    machine.asynchronous.bytes_of(target.memory)[places] = False
    copy = Copy(target.memory, places, data)
    machine.asynchronous.copies.append(copy)
    barrier.copies.append(copy)


def _within(memory, addresses, what):
    places = addresses - memory.shared_at
    if places.min() < 0 or places.max() >= memory.bytes.size:
        raise Fault(f"out of bounds: {what} leads out of {memory.name}")
    return places


# Products


def operand(machine, descriptor, rows, size, wide):
    """(memory, places of the bytes of an operand, (rows, K, bytes))."""
    start, leading, stride = ((descriptor >> at & 0x3FFF) << 4 for at in (0, 16, 32))
    if descriptor >> 62 != 1 or descriptor & ~(3 << 62 | 0x3FFF3FFF3FFF):
        raise Fault(f"descriptor {descriptor:#x}: only the 128-byte swizzle, without base offset, is emulated")
    if start >> 7 & 7:
        raise Fault(f"descriptor {descriptor:#x}: begins within the pattern of 8 rows that a swizzle repeats")
    r, k, byte = np.ogrid[:rows, : 32 // size, :size]
    if wide:
        linear = r // 64 * leading + k // 8 * stride + k % 8 * 128 + r % 64 * size
    else:
        linear = r // 8 * stride + r % 8 * 128 + k * size
    addresses = swizzled(start + linear + byte)
    for pointer in machine.shared.values():
        memory = pointer.memory
        if memory.shared_at <= start < memory.shared_at + memory.bytes.size:
            return memory, _within(memory, addresses, f"descriptor {descriptor:#x}")
    raise Fault(f"descriptor {descriptor:#x}: nothing is at byte {start} of shared memory")


def operands(machine, product):
    size = 2 if product.kind in HALVES else 4
    sizes = (64, 2 * product.count)
    return [operand(machine, d, n, size, wide) for d, n, wide in zip(product.descriptors, sizes, product.wide)]


def numbers(kind, found):
    """An operand's numbers, from the bytes that are there now."""
    memory, places = found
    raw = np.ascontiguousarray(memory.bytes[places])
    if kind in HALVES:
        return HALVES[kind](raw.view(np.uint16)[..., 0]).astype(np.float64)
    return (raw.view(np.uint32)[..., 0] & np.uint32(0xFFFFE000)).view(np.float32).astype(np.float64)


def wgmma(kind):
    def word(lanes, threads, machine):
        count, wide_a, wide_b, *_ = lanes[0]
        descriptors = {lane[3:5] for lane in lanes}
        if len(descriptors) > 1:
            raise Fault("the threads of four warps give different descriptors")
        group = _group(threads, machine)
        given = [lane[5:] for lane in lanes]
        first = given[0][0]
        if isinstance(first, Pending):
            if any(sums != first.product.sums for sums in given):
                raise Fault("sums of different products, or in another order, go into one")
            before = first.product
        else:
            if not group.fenced:
                raise Fault("wgmma_fence is missing before a product whose sums were registers")
            before = np.array(given, np.float64)
        product = Product(kind, count, (wide_a, wide_b), descriptors.pop(), before)
        for memory, places in operands(machine, product):
            if not machine.asynchronous.bytes_of(memory)[places].all():
                raise Fault("a product reads what a copy has not brought yet")
        group.open.append(product)
        return [product.sums] * len(lanes)

    return word


def wgmma_fence(lanes, threads, machine):
    _group(threads, machine).fenced = True
    return [None] * len(lanes)


def wgmma_commit(lanes, threads, machine):
    group = _group(threads, machine)
    group.committed.append(group.open)
    group.open = []
    return [None] * len(lanes)


def wgmma_wait(lanes, threads, machine):
    group = _group(threads, machine)
    for products in group.committed:
        for product in products:
            multiply(product, machine)
    group.committed, group.fenced = [], False
    out = []
    for thread, (_, *sums) in enumerate(lanes):
        if any(isinstance(s, Pending) and s.product.result is None for s in sums):
            raise Fault("wgmma_wait before wgmma_commit")
        out.append(tuple(s.product.result[thread, s.index] if isinstance(s, Pending) else s for s in sums))
    return out


def multiply(product, machine):
    """Products are exact, and each wgmma rounds its sums once."""
    a, b = (numbers(product.kind, found) for found in operands(machine, product))
    total = a @ b.T
    thread, index = np.ogrid[:128, : product.count]
    rows = thread // 32 * 16 + thread % 32 // 4 + index // 2 % 2 * 8
    columns = index // 4 * 8 + thread % 4 * 2 + index % 2
    before = product.before.result if isinstance(product.before, Product) else product.before
    product.result = (before + total[rows, columns]).astype(np.float32)


def _group(threads, machine):
    return machine.asynchronous.groups.setdefault(threads[0].number // 128, Group())


ALONE = {
    "shared_address": shared_address, "mbarrier_init": mbarrier_init, "mbarrier_expect": mbarrier_expect,
    "mbarrier_arrive": mbarrier_arrive, "copy_box": copy_box,
}  # fmt: skip
COLLECTIVE = {
    "wgmma_bf16": wgmma("bf16"), "wgmma_f16": wgmma("f16"), "wgmma_tf32": wgmma("tf32"),
    "wgmma_fence": wgmma_fence, "wgmma_commit": wgmma_commit, "wgmma_wait": wgmma_wait,
}  # fmt: skip
