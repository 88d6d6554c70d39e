"""Shared memory under tensors: segments that several processes map, and tensors moved into them.

A segment is anonymous memory named by a file descriptor: nothing is left behind, however its processes end. Under the
sharing strategy "file_system" it is a file of the system's shared memory instead, which costs no open descriptor.
"""

import ctypes
import gc
import mmap
import os
import secrets
import sys
import tempfile
import weakref
from collections.abc import Iterable
from multiprocessing import resource_tracker
from typing import Any

import numpy as np

from . import _storage
from ._tensor import Tensor, wrap

_libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
if _libc is not None:
    # mmap.mmap keeps a descriptor for every mapping, and a process may have a thousand of them
    _libc.mmap.restype = ctypes.c_void_p
    _libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    _libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

STRATEGIES = ("file_descriptor", "file_system")
strategy = STRATEGIES[0]
FOLDER = "/dev/shm"
PREFIX = "minitorch_"
# the page table is filled at once: 200 KB would cost 49 page faults
_FLAGS = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0) if os.name == "posix" else 0


def _mapped(fd: int, size: int) -> int:
    """The address of a new mapping of a file."""
    if _libc is None:
        raise NotImplementedError("shared memory is not supported by minitorch on this system; it is on Linux")
    address = _libc.mmap(None, max(size, 1), mmap.PROT_READ | mmap.PROT_WRITE, _FLAGS, fd, 0)
    if address == ctypes.c_void_p(-1).value:
        code = ctypes.get_errno()
        raise OSError(code, f"unable to map {size} bytes of shared memory: {os.strerror(code)}")
    return address


class Segment:
    """Memory that several processes map; unmapped when no array refers to it any more.

    `fd` and `name` are what another process may open it by: at most one of them is set.
    """

    __slots__ = ("__weakref__", "_bytes", "_pid", "address", "fd", "name", "size")

    def __init__(self, fd: int, size: int, *, name: str | None = None, keep: bool = True):
        self.fd: int | None = None
        self.name, self.size, self._pid = name, size, os.getpid()
        self.address: int | None = None
        self._bytes: Any = None
        try:
            self.address = _mapped(fd, size)
        except OSError:
            os.close(fd)
            raise
        if keep and name is None:
            self.fd = fd
        else:
            os.close(fd)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {"version": 3, "typestr": "|u1", "shape": (self.size,), "data": (self.address, False)}

    def bytes(self) -> np.ndarray:
        """The memory as an array of bytes: one array object for all tensors, as it stands for the storage."""
        array = self._bytes() if self._bytes is not None else None
        if array is None:
            array = np.asarray(self)
            self._bytes = weakref.ref(array)
        return array

    def in_use(self) -> bool:
        """Whether an array of this process lies in it."""
        return self._bytes is not None and self._bytes() is not None

    def close_fd(self) -> None:
        """Give up the descriptor: the memory stays, but no further process can be given it."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def __del__(self, munmap: Any = _libc and _libc.munmap, getpid: Any = os.getpid) -> None:
        if self.address is not None:
            munmap(self.address, max(self.size, 1))
            self.close_fd()
            if self.name is not None and self._pid == getpid():
                unlink(self.name)


def create(size: int, *, named: bool = False, kind: Any = Segment) -> Any:
    """A new segment of zeros."""
    name = new_name() if named else None
    if name is not None:
        fd = os.open(f"{FOLDER}/{name}", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    elif hasattr(os, "memfd_create"):
        fd = os.memfd_create("minitorch", os.MFD_CLOEXEC)
    else:
        fd, path = tempfile.mkstemp(prefix=PREFIX)
        os.unlink(path)
    try:
        if hasattr(os, "posix_fallocate"):  # an error now, not a bus error at the first write
            os.posix_fallocate(fd, 0, max(size, 1))
        else:
            os.ftruncate(fd, max(size, 1))
    except OSError as error:
        os.close(fd)
        if name is not None:
            unlink(name)
        raise RuntimeError(
            f"unable to allocate shared memory: {size} bytes were asked for ({error.strerror}); "
            "raise the limit of shared memory, or load in fewer processes"
        ) from error
    return kind(fd, size, name=name)


def new_name() -> str:
    """An unused name, which Python's resource tracker unlinks should all processes be killed."""
    name = f"{PREFIX}{os.getpid()}_{secrets.token_hex(8)}"
    resource_tracker.register(f"/{name}", "shared_memory")
    return name


def unlink(name: str) -> None:
    """Remove a name; the memory goes with its last mapping."""
    try:
        os.unlink(f"{FOLDER}/{name}")
        resource_tracker.unregister(f"/{name}", "shared_memory")
    except FileNotFoundError:
        pass


def segment_of(array: Any) -> Segment | None:
    """The segment that an array lies in, None if its memory is not shared."""
    base = _storage.root(array).base if isinstance(array, np.ndarray) else None
    return base if isinstance(base, Segment) else None


def is_shared(t: Tensor) -> bool:
    """Whether the memory is shared with other processes."""
    return segment_of(t.array) is not None


def array_in(segment: Segment, like: np.ndarray) -> np.ndarray:
    """An array of the same shape and dtype at the beginning of a segment, dimensions in the same order in memory."""
    order = sorted(range(like.ndim), key=lambda i: -like.strides[i])
    whole = segment.bytes()[: like.nbytes].view(like.dtype).reshape([like.shape[i] for i in order])
    return _storage.tagged(whole.transpose(sorted(range(like.ndim), key=order.__getitem__)))


def share_memory(tensors: Iterable[Tensor], *, handle: bool = False) -> None:
    """Move the storages of tensors into shared memory; every tensor over the same storage moves with it.

    With `handle`, also out of segments that no other process can be given any more.
    """
    from .multiprocessing import reductions  # noqa: F401  from now on the processes' pickler knows tensors

    moving: dict[int, Any] = {}
    search = False
    for t in tensors:
        array = t.array
        if not isinstance(array, np.ndarray):
            continue
        segment = segment_of(array)
        if segment is not None and not (handle and segment.fd is None and segment.name is None):
            continue
        del array
        search = search or not _alone(t)
        owner = _storage.root(t.array)
        moving.setdefault(id(owner), (owner, []))[1].append(t)
    if not moving:
        return
    if search:
        for t in _all_tensors():
            array = getattr(t, "array", None)
            if isinstance(array, np.ndarray) and id(_storage.root(array)) in moving:
                moving[id(_storage.root(array))][1].append(t)
    for owner, users in moving.values():
        _move(owner, users)


def _move(owner: np.ndarray, users: list[Tensor]) -> None:
    old = _storage.storage_bytes(owner)
    memory = create(old.size, named=strategy == "file_system").bytes()
    memory[...] = old
    start = _storage.address(owner)
    for t in users:
        a = t.array
        if _storage.root(a) is owner:
            whole = memory[: old.size - old.size % a.dtype.itemsize]
            t._lie_over(_storage.restored((whole, a.dtype, a.shape, a.strides, _storage.address(a) - start)))


def _references(t: Tensor) -> tuple[int, int]:
    """How often a tensor's array and its storage are referred to, but for the array by its own leaf's node."""
    array = t.array
    owner = _storage.root(array)
    by_node = getattr(t.edge, "array", None) is array
    return sys.getrefcount(array) - by_node, sys.getrefcount(owner) - (by_node and owner is array)


def _alone(t: Tensor) -> bool:
    """Whether no other tensor lies over the storage; False if that is not certain."""
    least = _OWNING if _storage.root(t.array) is t.array else _VIEWING
    mine = _references(t)
    return mine[0] <= least[0] and mine[1] <= least[1]


def _all_tensors() -> list[Tensor]:
    """Every tensor there is. NumPy does not know the views of an array, so they can only be searched for."""
    classes, found = [Tensor], {Tensor}
    while classes:
        derived = set(type.__subclasses__(classes.pop())) - found
        found |= derived
        classes += derived
    return [o for o in gc.get_objects() if type(o) in found]


# what _references says of tensors that are alone over their storage; it differs between versions of Python
_OWNING = _references(wrap(np.zeros(2)))
_VIEWING = _references(wrap(np.zeros(2)[1:]))
