"""Storage: the untyped bytes under a tensor and all its views.

An array's owner is found by following NumPy's `base` chain to the array (or foreign memory: mmap, shared memory, a
capsule, another library's array) that holds the bytes, so sharing needs no bookkeeping on the path of an operation.
"""

from typing import Any

import numpy as np

from . import _dtype as dtypes
from ._kernels.half import tagged
from ._kernels.strided import _Window, restrided

ndarray = np.ndarray


def root(a: Any) -> Any:
    """The array that owns the memory: the first whose base is no array."""
    if not isinstance(a, ndarray):
        return a.memory
    while True:
        base = a.base
        if base.__class__ is _Window:
            base = base.owner
        if not isinstance(base, ndarray):
            return a
        a = base


def refuse_growth(a: np.ndarray, need: int) -> None:
    """torch's error for memory of another owner, such as a NumPy array, that would have to grow to `need` bytes."""
    owner = root(a)
    if owner.base is not None and need > storage_bytes(owner).size:
        raise RuntimeError("Trying to resize storage that is not resizable")


def address(a: np.ndarray) -> int:
    return a.__array_interface__["data"][0]


def offset(a: Any) -> int:
    """Elements from the start of the storage to the first element."""
    if not isinstance(a, ndarray):
        return a.offset // a.dtype.itemsize
    return (address(a) - address(root(a))) // a.dtype.itemsize


def copy_with_storage(a: Any, memo: dict[int, Any]) -> Any:
    """A deep copy that copies each storage once, so that copies of views share memory as their originals do."""
    if not isinstance(a, ndarray):
        return a.copy()
    owner = root(a)
    key = ("storage", id(owner))
    copied = memo.get(key)  # type: ignore[call-overload]
    if copied is None:
        memo[key] = copied = np.array(storage_bytes(owner))  # type: ignore[index]
        memo.setdefault(id(memo), []).append(owner)  # the id stays taken while the copy goes on
    return restrided(tagged(copied.view(a.dtype)), a.shape, a.strides, address(a) - address(owner))


def kept(a: Any) -> Any:
    """What pickle keeps of an array: where it does not lie in a row, also its place in the storage."""
    if not isinstance(a, ndarray) or a.flags.c_contiguous or a.flags.f_contiguous:
        return a
    owner = root(a)
    return storage_bytes(owner), a.dtype, a.shape, a.strides, address(a) - address(owner)


def restored(saved: Any) -> Any:
    """The array that `kept` saw."""
    if not isinstance(saved, tuple):
        return saved.view(_known(saved.dtype)) if saved.__class__ is ndarray else saved
    memory, dtype, *geometry = saved
    return restrided(tagged(memory.view(_known(dtype))), *geometry)


def _known(dtype: np.dtype) -> np.dtype:
    """The one dtype object that the ops compare by `is`: what comes from a pickle is another."""
    return dtypes.OF_NUMPY[dtype].numpy


def storage_bytes(owner: Any) -> np.ndarray:
    """The owner's memory as a flat array of bytes; of memory on a GPU a copy."""
    if hasattr(owner, "to_host"):
        return owner.to_host()
    extent = sum((n - 1) * s for n, s in zip(owner.shape, owner.strides, strict=True))
    length = extent + owner.dtype.itemsize if owner.size else 0
    flat = restrided(owner, (length // max(owner.dtype.itemsize, 1),), (owner.dtype.itemsize,))
    return flat.view(np.uint8)


class UntypedStorage:
    """The bytes under a tensor.

    >>> import minitorch as torch
    >>> x = torch.zeros(4)
    >>> x[1:].untyped_storage().nbytes(), x[1:].untyped_storage() == x.untyped_storage()
    (16, True)
    """

    __slots__ = ("owner",)

    def __init__(self, size: int = 0):
        self.owner = np.empty(size, np.uint8)

    @classmethod
    def _of(cls, array: Any) -> "UntypedStorage":
        self = object.__new__(cls)
        self.owner = root(array)
        return self

    def data_ptr(self) -> int:
        """The address of the first byte."""
        if isinstance(self.owner, ndarray):
            return address(self.owner) if self.owner.size else 0
        return getattr(self.owner, "pointer", 0)

    def nbytes(self) -> int:
        """The number of bytes."""
        if not isinstance(self.owner, ndarray):
            return getattr(self.owner, "nbytes", 0)
        return int(storage_bytes(self.owner).size)

    size = __len__ = nbytes

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + self.nbytes()

    @property
    def device(self) -> Any:
        from ._device import device

        return device("cpu") if isinstance(self.owner, ndarray) else getattr(self.owner, "device", device("meta"))

    def element_size(self) -> int:
        """Bytes per element: 1."""
        return 1

    def clone(self) -> "UntypedStorage":
        """A copy of the bytes."""
        return UntypedStorage._of(self.owner.copy() if self.is_cuda else storage_bytes(self.owner).copy())

    @property
    def is_cuda(self) -> bool:
        return self.device.type == "cuda"

    def cpu(self) -> "UntypedStorage":
        """The storage in the CPU's memory: itself, if it is there."""
        return UntypedStorage._of(storage_bytes(self.owner)) if self.is_cuda else self

    def cuda(self, device: Any = None, non_blocking: bool = False) -> "UntypedStorage":
        """A copy in a GPU's memory; itself, if it is there."""
        from ._device import backend, settled
        from ._device import device as Device

        where = settled(Device("cuda" if device is None else device))
        if self.device == where:
            return self
        return UntypedStorage._of(backend(where).from_host(storage_bytes(self.owner)))

    def is_shared(self) -> bool:
        """Whether other processes can share the bytes."""
        from ._sharing import segment_of

        if self.is_cuda:
            return True  # as torch says
        return segment_of(self.owner) is not None

    def tolist(self) -> list[int]:
        """The bytes as Python integers."""
        return storage_bytes(self.owner).tolist()

    def __repr__(self) -> str:
        shown = "..." if self.device.type == "meta" else " " + "\n ".join(map(str, self.tolist()))
        return f"{shown}\n[torch.storage.UntypedStorage(device={self.device}) of size {len(self)}]"

    def __getitem__(self, i: Any) -> Any:
        return storage_bytes(self.owner)[i].tolist()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and self.owner is other.owner

    def __hash__(self) -> int:
        return id(self.owner)
