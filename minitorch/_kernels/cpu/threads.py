"""When an operation is shared among threads, and among how many: decided here and nowhere else.

A kernel that can be split asks `share(work, items)` for a crew and a number of parts, and hands both to
`parallel.split`. A crew is the threads that wait for parts, in compiled code and without the interpreter's lock, so
that no part waits for Python. After some 300 us without work they go to sleep; the next launch wakes them and begins
without them. Numba's `parallel=True` is not used: its OpenMP layer ends a forked process, and its other layer ends a
process in which two Python threads compute at once.

- Who computes a part does not change its result, and the blocks of a sum are the same at any number of threads above
  one. One thread passes over the whole, unless `use_deterministic_algorithms` asks for the same blocks (`cuts`).
- One launch at a time has the crew. What other Python threads launch meanwhile, they compute alone: never more threads
  work than `get_num_threads` says for each.
- A fork stops the crew first (a process of one thread can be forked safely), and both processes start another when they
  need one.
- From the first shared launch on, NumPy's OpenBLAS computes on the calling thread: its own threads keep a processor
  busy for a while after every product, in the crew's way. Large products are split over the crew (`products.py`);
  decompositions are not.
"""

import atexit
import ctypes
import functools
import glob
import os
import threading
from collections import deque
from contextlib import suppress
from typing import Any

import numpy as np

from minitorch._fork import fork_safe_lock
from minitorch._kernels import cache

# Nanoseconds of work, on one thread, below which sharing does not pay: some ten hand-overs.
SERIAL = 20_000
PARTS = 4  # parts for each thread: one that is held up by another process then holds up little
# Pauses of some 16 ns until a member without work goes to sleep: longer than Python takes between two operations.
PATIENCE = 20_000

# Whether results are to be the same at any number of threads, one included: set by `use_deterministic_algorithms`.
deterministic = False
_lock = fork_safe_lock()
_wanted: int | None = None  # by set_count
_crew: "Crew | None" = None
_shared = False  # whether there ever was a crew
# What all crews of the process use (see `parallel.py`): a launch may outlive the crew that it began with.
_state = np.zeros(64, np.int64)
_words = _state[-_state.ctypes.data % 64 // 8 :]  # in cache lines of their own


@functools.cache
def available() -> int:
    """The threads that a program starts with: OMP_NUM_THREADS, else the processors that it may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if wanted.isdigit() and int(wanted):
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count() -> int:
    """How many threads an operation may use."""
    return _wanted or available()


def set_count(n: int) -> None:
    """Say how many threads an operation may use."""
    global _wanted
    stop()
    _wanted = n
    _set_blas(1 if _shared else n)


def share(work: int, items: int) -> tuple[int, int]:
    """The crew's address and a number of parts, at most `items`, for about `work` nanoseconds; (0, 1) if not shared."""
    if work < SERIAL or items < 2 or (_wanted or available()) == 1:
        return 0, 1
    crew = _crew or _start()
    while crew.asleep:
        crew.wake()
    return crew.address, min(items, crew.parts)


def cuts(work: int, blocks: int) -> bool:
    """Whether about `work` nanoseconds whose result depends on how they are cut into so many blocks are cut.

    They are where threads may share the blocks, and in deterministic mode on one thread too.
    """
    return work >= SERIAL and (deterministic or (blocks > 1 and count() > 1))


class Crew:
    """Threads that do parts of kernels; the caller is one more."""

    def __init__(self, parallel: Any, members: int):
        self.serve, self.address = parallel.serve, _words.ctypes.data
        self.members = _words[parallel.MEMBERS :][:1]
        _words[parallel.LAUNCH] = parallel.launch_address()
        self.parts = PARTS * (members + 1)
        self.asleep: deque[Any] = deque()
        self.members[0] = members
        names = [f"minitorch-{i}" for i in range(members)]
        self.threads = [threading.Thread(target=self._member, name=name, daemon=True) for name in names]
        for thread in self.threads:
            thread.start()

    def _member(self) -> None:
        gate = threading.Lock()
        gate.acquire()
        while self.members[0]:
            self.serve(self.address, PATIENCE)
            self.asleep.append(gate)
            gate.acquire()

    def wake(self) -> None:
        """Wake a member, if one sleeps."""
        with suppress(IndexError):  # another thread was faster
            self.asleep.pop().release()

    def stop(self) -> None:
        """End all threads, when they have done the parts that they took."""
        self.members[0] = 0
        for thread in self.threads:
            while thread.is_alive():
                self.wake()
                thread.join(0.001)


def _start() -> Crew:
    global _crew, _shared
    parallel = cache.load_file("cpu.parallel")

    parallel.serve(0, 0)  # compiled before the lock: the compiler's own come first
    parallel.launch_address()
    with _lock:
        if _crew is None:
            _shared = True
            _set_blas(1)
            _crew = Crew(parallel, count() - 1)
        return _crew


def stop() -> None:
    """Send the crew home; the next shared operation starts another."""
    global _crew
    with _lock:
        crew, _crew = _crew, None
        if crew is not None:
            crew.stop()


def _forget() -> None:
    """In a forked process: no thread is left, and no launch of another thread will end."""
    global _crew
    _crew = None
    _words[1:] = 0  # all but the address of the function that launches


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=stop, after_in_child=_forget)


atexit.register(set_count, 1)  # before the crew's memory goes; what computes still later does so alone


# ---------------------------------------------------------------------- BLAS
@functools.cache
def _library() -> tuple[Any, str, str] | None:
    folder = os.path.dirname(os.path.dirname(np.__file__))
    for path in glob.glob(os.path.join(folder, "numpy.libs", "*openblas*")):
        library = ctypes.CDLL(path)
        for prefix, suffix in (("scipy_", "64_"), ("", "64_"), ("scipy_", ""), ("", "")):
            if hasattr(library, f"{prefix}openblas_get_num_threads{suffix}"):
                return library, prefix, suffix
    return None


@functools.cache
def blas(name: str) -> Any:
    """A function of the OpenBLAS that NumPy brings, by ctypes; None if NumPy uses another library."""
    if _library() is None:
        return None
    library, prefix, suffix = _library()  # type: ignore[misc]
    middle = "" if name.startswith(("cblas", "LAPACKE")) else "openblas_"
    return getattr(library, f"{prefix}{middle}{name}{suffix}", None)


def _set_blas(n: int) -> None:
    if blas("set_num_threads"):
        blas("set_num_threads")(n)
