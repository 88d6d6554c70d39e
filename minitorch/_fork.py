"""Locks that a forked process finds free.

A child has the forking thread only: a lock that another thread held would stay locked in it, and
what that thread was changing would stay half changed. So a fork waits until it holds every lock
made here, and both processes release them.
"""

import os
import threading
from typing import Any

_locks: list[Any] = []


def fork_safe_lock() -> Any:
    """A reentrant lock. Code that holds one may take those made after it, not those made before."""
    lock = threading.RLock()
    _locks.append(lock)
    return lock


def hold_over_fork(lock: Any) -> None:
    """Let forks wait for a reentrant lock that another library made."""
    _locks.append(lock)


def _acquire() -> None:
    for lock in _locks:
        lock.acquire()


def _release() -> None:
    for lock in reversed(_locks):
        lock.release()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_acquire, after_in_parent=_release, after_in_child=_release)
