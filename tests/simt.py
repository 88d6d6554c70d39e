"""A GPU on NumPy memory: runs the very code that is compiled, thread by thread, and finds what a GPU would hide.

    simt.run(kernel, grid, *arrays_and_numbers, seed=0)

Every thread is a Python generator that stops where threads meet (or a plain function, in kernels where they do not).
Blocks, warps and lanes run in an order drawn by `seed`. Each array is its own bounds. Shared memory and the targets of
unfinished copies hold 0xff (NaN); registers hold nothing, so reading an unwritten one raises. Reported as `Fault`:

- an access out of bounds or off its alignment, with array, index, thread and line
- a race: two threads touch a byte between two barriers, one of them writing, not both by atomics; `syncwarp` orders the
  threads of a warp, shuffles and votes do not. Blocks are ordered by nothing (`ordered_blocks=True` where a kernel
  orders them itself, by atomics and fences)
- threads that meet at different places, or not at all

Integers have no width here, so signed overflow shows as an index out of bounds; unsigned ones wrap.
Instructions on fragments follow the layouts of the PTX ISA as we read them.
"""

import ast
import copy
import itertools
import random
import sys
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from minitorch._kernels.cuda import device
from tests import simt_hopper, simt_words
from tests.simt_words import Fault

DTYPES = {
    "f4": np.float32, "f8": np.float64, "i1": np.int8, "i2": np.int16, "i4": np.int32, "i8": np.int64,
    "u1": np.uint8, "u2": np.uint16, "u4": np.uint32, "u8": np.uint64, "b1": np.bool_,
}  # fmt: skip
READ, WRITE, ATOMIC = 0, 1, 2
COLLECTIVE = {**simt_words.COLLECTIVE, **simt_hopper.COLLECTIVE}
MASKS = {"u4": 0xFFFFFFFF, "u8": 0xFFFFFFFFFFFFFFFF}


class Memory:
    """Bytes with a name; `base` is where they lie in the addresses of the log."""

    def __init__(self, name, data, base, alignment=0):
        self.name, self.bytes, self.base, self.alignment = name, data, base, alignment
        self.shared_at = None  # its address, if it is shared memory


class Pointer:
    """A typed view of memory. Every access is checked, and logged with the line's place in the code."""

    __slots__ = ("code", "data", "machine", "memory", "number", "size", "start")

    def __init__(self, machine, memory, code, start=0):
        self.machine, self.memory, self.code, self.start = machine, memory, code, start
        dtype = np.dtype(DTYPES[code])
        self.size = dtype.itemsize
        self.data = memory.bytes[: len(memory.bytes) // self.size * self.size].view(dtype)
        self.number = code[0] in "iu"

    def locate(self, i, count=1, kind=READ, depth=2):
        """The element's place in `data`, checked and logged."""
        i += self.start
        if not 0 <= i <= len(self.data) - count:
            count = f"{count} elements from " if count > 1 else ""
            raise Fault(f"out of bounds: {count}index {i} of {self.memory.name}, which has {len(self.data)} elements")
        log = self.machine.log
        if log is not None:
            place = sys._getframe(depth).f_lasti if depth else self.machine.thread.run.gi_frame.f_lasti
            step = self.size
            entry = self.memory.base + i * step | place << 32 | step.bit_length() << 56 | kind << 59
            if count == 1:
                log.append(entry)
            else:
                log.extend(range(entry, entry + count * step, step))
        return i

    def __getitem__(self, i):
        i = self.locate(i)
        return self.data.item(i) if self.number else self.data[i]

    def __setitem__(self, i, value):
        self.data[self.locate(i, 1, WRITE)] = value

    def row(self, i, count, kind):
        """`count` elements moved at once, by a word that the kernel calls."""
        i = self.locate(i, count, kind, 3)
        size = count * self.size
        if (self.memory.alignment + i * self.size) % size:
            raise Fault(f"misaligned: {size} bytes from index {i} of {self.memory.name}")
        return slice(i, i + count)

    def advanced(self, i):
        return Pointer(self.machine, self.memory, self.code, self.start + i)


class Thread:
    def __init__(self, number, index, log):
        self.number, self.index, self.log = number, index, log
        self.started, self.groups, self.barriers = [], [], []
        self.waits = self.answer = None
        self.alive = True


class Machine:
    """One launch: the memory, the current thread, and the log of the block that runs."""

    def __init__(self, kernel, arrays, seed, races, ordered_blocks):
        self.kernel, self.random, self.races = kernel, random.Random(seed), races
        self.ordered_blocks = ordered_blocks
        self.log = self.thread = None
        self.top = 0
        self.memories = []
        self.touched = []
        self.arrays = [(array, self.take(f"array {name}", array)) for name, array in arrays]
        self.global_end = self.top
        self.code = build(kernel)
        # for each byte and way of touching it: the block that did, -1 for none, -2 for several
        kinds = (READ, WRITE, ATOMIC) if races else ()
        self.blocks = {kind: np.full(self.global_end, -1, np.int32) for kind in kinds}

    def take(self, name, array):
        if not array.flags.c_contiguous:
            raise ValueError(f"{name} must be contiguous")
        for known in self.memories:
            if known.address == array.ctypes.data and known.bytes.nbytes == array.nbytes:
                return known  # one array in two arguments
        base = array.base if isinstance(array.base, np.ndarray) else array
        memory = Memory(name, array.reshape(-1).view(np.uint8), self.top, (array.ctypes.data - base.ctypes.data) % 256)
        memory.address = array.ctypes.data
        self.top += -(-max(array.nbytes, 1) // 256) * 256
        self.memories.append(memory)
        return memory

    # Blocks

    def block(self, grid, index, arguments):
        kernel = self.kernel
        self.index, self.shared, self.top = index, {}, self.global_end
        self.dynamic, self.shared_top, self.asynchronous = None, 1024, simt_hopper.Asynchronous()
        x, y, z = kernel.block
        threads = []
        for number, (k, j, i) in enumerate(itertools.product(range(z), range(y), range(x))):
            threads.append(Thread(number, (i, j, k), [] if self.races else None))
        for thread in threads:
            names = SimpleNamespace(threadIdx=_xyz(thread.index), blockIdx=_xyz(index), gridDim=_xyz(grid))
            thread.run = self.code.start(names, self, *arguments)
        if self.code.generator:
            self.together(threads)
        else:
            self.random.shuffle(threads)
            for thread in threads:
                self.resume(thread)
        if self.races:
            self.check(threads)
        if self.races and not self.ordered_blocks:
            self.compare_blocks(sum(n * s for n, s in zip(index, (1, grid[0], grid[0] * grid[1]))))

    def resume(self, thread):
        """Let one thread go on to where it meets others, or to its end."""
        self.thread, self.log = thread, thread.log
        try:
            if self.code.generator:
                thread.waits = thread.run.send(thread.answer)
                thread.answer = None
            else:
                thread.run()
                thread.alive = False
        except StopIteration:
            thread.alive, thread.waits = False, None
        except Exception as error:
            line = self.line_of(error)
            where = f"thread {thread.index} of block {self.index}, line {line} of kernel {self.kernel.name}"
            if isinstance(error, UnboundLocalError):
                raise Fault(f"register read before it is written: {error} ({where})") from None
            raise (Fault if isinstance(error, Fault) else type(error))(f"{error} ({where})") from error

    def line_of(self, error):
        line, trace = "?", error.__traceback__
        while trace:
            if trace.tb_frame.f_code.co_filename == self.code.file:
                line = trace.tb_lineno
            trace = trace.tb_next
        return line

    def together(self, threads):
        """Run a block whose threads meet."""
        warps = [threads[start : start + 32] for start in range(0, len(threads), 32)]
        fours = [threads[start : start + 128] for start in range(0, len(threads), 128)]
        for warp in self.shuffled(warps):
            for thread in self.shuffled(warp):
                self.resume(thread)
        while any(thread.alive for thread in threads):
            for warp in self.shuffled(warps):
                self.run_group(warp, "warp")
            waiting = [thread for thread in threads if thread.alive]
            if not waiting:
                return
            if not {"warpgroup", "phase"}.isdisjoint(device.WORDS[thread.waits[0]].scope for thread in waiting):
                moved = [self.run_group(four, "warpgroup") for four in self.shuffled(fours)]
                moved += [self.run_waiting(thread) for thread in self.shuffled(waiting) if thread.waits]
                if any(moved):
                    continue
            self.same_place(waiting, "the block")
            if len(waiting) < len(threads):
                ended = next(thread for thread in threads if not thread.alive)
                line = waiting[0].run.gi_frame.f_lineno
                raise Fault(
                    f"thread {ended.index} ended before the barrier in line {line} where others wait to meet it"
                )
            if self.races:
                self.check(threads)
            for warp in self.shuffled(warps):
                for thread in self.shuffled(warp):
                    self.resume(thread)

    def shuffled(self, items):
        return self.random.sample(items, len(items))

    def run_group(self, group, scope):
        """Let a warp, or four, go on until its threads wait for something else; whether it did."""
        size, moved = 32 if scope == "warp" else 128, False
        while True:
            alive = [thread for thread in group if thread.alive]
            words = {thread.waits[0] for thread in alive}
            scopes = {device.WORDS[word].scope for word in words}
            if scope not in scopes or "phase" in scopes or (scope == "warpgroup" and len(scopes) > 1):
                return moved
            self.same_place(alive, "a warp" if size == 32 else "four warps")
            if len(alive) < size:
                raise Fault(f"{words.pop()} by {len(alive)} threads: all {size} must take part")
            word, moved = words.pop(), True
            if word == "syncwarp":
                for thread in group:
                    if thread.log is not None:
                        thread.log.append(-1)
            try:
                answers = COLLECTIVE[word]([thread.waits[1:] for thread in group], group, self)
            except Fault as error:
                line = group[0].run.gi_frame.f_lineno
                raise Fault(f"{error} ({word}, line {line} of kernel {self.kernel.name})") from error
            for thread, answer in zip(group, answers):
                thread.answer = answer
            for thread in self.shuffled(group):
                self.resume(thread)

    def run_waiting(self, thread):
        """Let a thread go on that waits for a phase of a barrier, if it has ended; whether anything moved."""
        if device.WORDS[thread.waits[0]].scope != "phase":
            return False
        ended, moved = simt_hopper.polled(thread, self)
        if ended:
            self.resume(thread)
        return moved

    def same_place(self, threads, group):
        places = {}
        for thread in threads:
            places.setdefault((thread.waits[0], thread.run.gi_frame.f_lasti), thread)
        stuck = next((t for t in threads if device.WORDS[t.waits[0]].scope == "phase"), None)
        if stuck is not None:
            line = stuck.run.gi_frame.f_lineno
            raise Fault(f"thread {stuck.index} waits in line {line} of {self.kernel.name} for a phase that nobody ends")
        if len(places) > 1:
            seen = "; ".join(
                f"{word}, line {thread.run.gi_frame.f_lineno}, thread {thread.index}"
                for (word, _), thread in places.items()
            )
            raise Fault(f"threads of {group} meet at different places in kernel {self.kernel.name}: {seen}")

    # Words that need the machine

    def shared_array(self, site, count, code):
        if site not in self.shared:
            size = count * np.dtype(DTYPES[code]).itemsize
            self.shared[site] = Pointer(self, self.new_shared(f"shared_array({count}, {code})", size, 0), code)
        return self.shared[site]

    def new_shared(self, name, size, odd):
        """Shared memory full of poison, aligned to no more than `odd`, or 128 bytes."""
        memory = Memory(name, np.full(size, 0xFF, np.uint8), self.top)
        self.top += -(-size // 256) * 256
        memory.shared_at = -(-self.shared_top // 1024) * 1024 + odd if odd else -(-self.shared_top // 128) * 128
        self.shared_top = memory.shared_at + size
        return memory

    def dynamic_shared(self, start, code):
        if self.dynamic is None:
            self.dynamic = self.new_shared("dynamic_shared", self.kernel.shared, 128)
            self.shared["dynamic"] = Pointer(self, self.dynamic, "u1")
        return Pointer(self, self.dynamic, code, start // np.dtype(DTYPES[code]).itemsize)

    def pointer(self, address, code):
        for memory in self.memories:
            if memory.address <= address < memory.address + max(len(memory.bytes), 1):
                return Pointer(self, memory, code, (address - memory.address) // np.dtype(DTYPES[code]).itemsize)
        raise Fault(f"address {address:#x} belongs to no array")

    def mbarrier_fence(self):
        simt_hopper.mbarrier_fence(self)

    def cp_async_commit(self):
        self.thread.groups.append(self.thread.started)
        self.thread.started = []

    def cp_async_wait(self, count):
        """The copies arrive no earlier than somebody waits for them."""
        while len(self.thread.groups) > count:
            for target, source, pointer, i, number in self.thread.groups.pop(0):
                target[...] = source
                pointer.locate(i - pointer.start, number, WRITE, 2)

    # Races

    def check(self, threads):
        """Look for two threads at one byte since the last barrier, then forget what they did."""
        columns = []
        for thread in threads:
            if thread.log:
                entries = np.array(thread.log, np.int64)
                marks = entries < 0
                epochs = np.cumsum(marks)[~marks]
                entries = entries[~marks]
                columns.append((entries, np.full(len(entries), thread.number), epochs))
                thread.log.clear()
        if not columns:
            return
        entries, numbers, epochs = (np.concatenate(column) for column in zip(*columns))
        addresses, places = entries & (1 << 32) - 1, entries >> 32 & 0xFFFFFF
        sizes, kinds = 1 << (entries >> 56 & 7) - 1, entries >> 59
        unit = min(sizes.min(), 4)
        more = sizes // unit
        if more.max() > 1:
            offsets = np.arange(more.sum()) - np.repeat(np.cumsum(more) - more, more)
            numbers, epochs, places, kinds = (np.repeat(c, more) for c in (numbers, epochs, places, kinds))
            addresses = np.repeat(addresses, more) + offsets * unit
        if not self.ordered_blocks:
            self.touched.append(np.unique(addresses << 2 | kinds))
        order = np.argsort(addresses, kind="stable")
        addresses, numbers, epochs, kinds, places = (c[order] for c in (addresses, numbers, epochs, kinds, places))
        starts = np.flatnonzero(np.r_[True, addresses[1:] != addresses[:-1]])
        several = np.minimum.reduceat(numbers, starts) != np.maximum.reduceat(numbers, starts)
        written = np.maximum.reduceat(kinds, starts) > READ
        plain = np.minimum.reduceat(kinds, starts) < ATOMIC
        ends = np.r_[starts[1:], len(addresses)]
        for group in np.flatnonzero(several & written & plain):
            rows = list(zip(*(c[starts[group] : ends[group]].tolist() for c in (numbers, epochs, kinds, places))))
            self.compare(addresses[starts[group]], sorted(set(rows)))

    def compare(self, address, rows):
        for (a, epoch_a, kind_a, place_a), (b, epoch_b, kind_b, place_b) in itertools.combinations(rows, 2):
            ordered = a // 32 == b // 32 and epoch_a != epoch_b
            if a != b and not ordered and (kind_a or kind_b) and not kind_a == kind_b == ATOMIC:
                verbs, lines = ("reads", "writes", "adds to"), self.code.lines
                raise Fault(
                    f"race in kernel {self.kernel.name}: thread {a} {verbs[kind_a]} {self.named(address)} in line "
                    f"{lines[place_a]}, thread {b} {verbs[kind_b]} it in line {lines[place_b]}, no barrier "
                    f"between them (block {self.index})"
                )

    def named(self, address):
        for memory in [*self.memories, *(pointer.memory for pointer in self.shared.values())]:
            if memory.base <= address < memory.base + len(memory.bytes):
                return f"byte {address - memory.base} of {memory.name}"
        return f"address {address}"

    def compare_blocks(self, number):
        """Blocks run in any order, so one must not touch what another one writes."""
        entries = np.concatenate([*self.touched, np.zeros(0, np.int64)])
        self.touched.clear()
        for kind in (READ, WRITE, ATOMIC):
            addresses = entries[entries & 3 == kind] >> 2
            addresses = addresses[addresses < self.global_end]
            for other, seen in self.blocks.items():
                if (kind or other) and not kind == other == ATOMIC:
                    bad = addresses[(seen[addresses] != -1) & (seen[addresses] != number)]
                    if len(bad):
                        raise Fault(
                            f"race in kernel {self.kernel.name}: block {self.index} and another one touch "
                            f"{self.named(bad[0])}, and one of them writes it"
                        )
        for kind, seen in self.blocks.items():
            addresses = entries[entries & 3 == kind] >> 2
            addresses = addresses[addresses < self.global_end]
            seen[addresses] = np.where((seen[addresses] == -1) | (seen[addresses] == number), number, -2)


def _xyz(index):
    return SimpleNamespace(x=index[0], y=index[1], z=index[2])


def run(kernel, grid, *arguments, seed=0, races=True, ordered_blocks=False, memory=()):
    """Launch a kernel on NumPy arrays, which it changes in place, and numbers.

    `memory` are arrays that the kernel reaches by addresses it reads (`pointer`). `races=False` is faster.
    """
    grid = ((grid,) if isinstance(grid, int) else tuple(grid)) + (1, 1)
    if len(arguments) != len(kernel.types):
        raise TypeError(f"kernel {kernel.name} takes {len(kernel.types)} arguments, not {len(arguments)}")
    names = kernel.function.__code__.co_varnames
    pairs = [(name, a) for name, a, code in zip(names, arguments, kernel.types) if code.endswith("*") and a is not None]
    pairs += [(name, a.array) for name, a, code in zip(names, arguments, kernel.types) if code == "map"]
    pairs += [(f"of memory {number}", array) for number, array in enumerate(memory)]
    machine = Machine(kernel, pairs, seed, races, ordered_blocks)
    found = iter(machine.arrays)
    maps = iter(machine.arrays[sum(code.endswith("*") and a is not None for a, code in zip(arguments, kernel.types)) :])
    values = []
    for argument, code in zip(arguments, kernel.types):
        if code == "map":
            values.append(argument._replace(memory=next(maps)[1]))
        elif not code.endswith("*"):
            values.append(simt_words.number(argument, code))
        elif argument is None:
            values.append(Pointer(machine, Memory("null", np.zeros(0, np.uint8), machine.top), code[:-1]))
        else:
            if argument.dtype.itemsize != np.dtype(DTYPES[code[:-1]]).itemsize:
                raise TypeError(f"an array of {argument.dtype} for a parameter {code} of kernel {kernel.name}")
            values.append(Pointer(machine, next(found)[1], code[:-1]))
    indices = [(x, y, z) for z in range(grid[2]) for y in range(grid[1]) for x in range(grid[0])]
    with np.errstate(all="ignore"):
        for index in machine.shuffled(indices):
            machine.block(grid[:3], index, values)


# From the lowered kernel to Python that runs


class Code(NamedTuple):
    """A kernel as a function of (places, machine, *arguments) that gives a generator, or a function of nothing."""

    start: object
    generator: bool
    file: str
    lines: dict


def build(kernel):
    """The kernel's `Code`, made once."""
    if "emulated" not in vars(kernel):
        kernel.emulated = _build(kernel)
    return kernel.emulated


def _build(kernel):
    rewrite = _Rewrite()
    function = rewrite.visit(copy.deepcopy(kernel.lowered.tree)).body[0]
    function.name = "kernel"
    parameters = ", ".join(argument.arg for argument in function.args.args)
    places = [f" {place} = _places.{place}" for place in kernel.lowered.names & device.PLACES.keys()]
    call = f"kernel({parameters})" if rewrite.generator else f"lambda: kernel({parameters})"
    module = ast.parse("\n".join([f"def start(_places, machine, {parameters}):", *places, f" return {call}"]))
    module.body[0].body.insert(-1, function)
    names = {"nan": np.float32("nan"), "inf": np.float32("inf"), **rewrite.constants}
    names.update({**simt_words.ALONE, **simt_hopper.ALONE})
    file = f"<emulated {kernel.name}>"
    for node in ast.walk(ast.fix_missing_locations(module)):
        if hasattr(node, "lineno"):
            node.end_lineno, node.end_col_offset = node.lineno, node.col_offset
    exec(compile(module, file, "exec"), names)
    code = next(c for c in names["start"].__code__.co_consts if getattr(c, "co_name", "") == "kernel")
    lines = {place: line for first, last, line in code.co_lines() for place in range(first, last)}
    return Code(names["start"], rewrite.generator, file, lines)


class _Rewrite(ast.NodeTransformer):
    """Where threads meet, the kernel yields; what needs the machine becomes its method; literals are made once."""

    def __init__(self):
        self.generator = False
        self.constants = {}
        self.sites = itertools.count()

    def visit_Call(self, node):
        implied = getattr(node, "implied", False)
        self.generic_visit(node)
        name = node.func.id
        if name in MASKS and implied:
            return ast.BinOp(node.args[0], ast.BitAnd(), ast.Constant(MASKS[name]))
        if implied:
            return node.args[0]
        if name in ("f4", "f8") and isinstance(node.args[0], ast.Constant):
            title = f"{name}_constant_{len(self.constants)}"
            self.constants[title] = DTYPES[name](node.args[0].value)
            return ast.copy_location(ast.Name(title, ast.Load()), node)
        word = device.WORDS.get(name)
        if word is not None and word.scope:
            self.generator = True
            return ast.Yield(ast.Tuple([ast.Constant(name), *node.args], ast.Load()))
        if name in simt_words.METHODS:
            codes = [ast.Constant(a.id) if getattr(a, "id", "") in DTYPES else a for a in node.args]
            site = [ast.Constant(next(self.sites))] if name == "shared_array" else []
            node.func, node.args = ast.Attribute(ast.Name("machine", ast.Load()), name, ast.Load()), site + codes
        return node
