"""Locks that a forked process finds free.

A child has the forking thread only: a lock that another thread held would stay locked in it, and
what that thread was changing would stay half changed. So a fork waits until it holds every lock
made here, and both processes release them.

A thread may take these locks in any order: a fork waits for one only while it holds no other.
"""

import functools
import os
import threading
from typing import Any

_locks: list[Any] = []
_forking = threading.RLock()  # forks take turns
_held: list[Any] = []  # by the fork in progress


def fork_safe_lock() -> Any:
    """A reentrant lock."""
    lock = threading.RLock()
    _locks.append(lock)
    return lock


@functools.cache
def hold_compiler_over_fork() -> None:
    """A process that is forked while a thread compiles, or frees code, would wait for the compiler's locks for ever.

    Numba's is held through a compilation, LLVM's in each call of its library.
    """
    from llvmlite.binding import ffi
    from numba.core.compiler_lock import global_compiler_lock

    for lock in (global_compiler_lock, ffi.lib._lock):
        _locks.append(lock._lock)  # which can be asked for without waiting


def _acquire() -> None:
    _forking.acquire()
    awaited = _locks[0] if _locks else None
    while awaited is not None:
        awaited.acquire()
        _held.append(awaited)
        awaited = next((lock for lock in _locks if lock is not _held[0] and not _taken(lock)), None)
        if awaited is not None:
            _let_go()


def _taken(lock: Any) -> bool:
    if lock.acquire(blocking=False):
        _held.append(lock)
        return True
    return False


def _let_go() -> None:
    while _held:
        _held.pop().release()


def _release() -> None:
    _let_go()
    _forking.release()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_acquire, after_in_parent=_release, after_in_child=_release)
