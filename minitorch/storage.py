"""Same as torch.storage: the memory under tensors, as bytes (UntypedStorage) or as elements (TypedStorage)."""

import functools
import io
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ._creation import empty
from ._data import tensor
from ._kernels.half import tagged
from ._storage import UntypedStorage, storage_bytes
from ._tensor import Tensor, wrap
from .serialization import load
from .serialization._storages import CLASS_NAMES

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


__all__ = ["TypedStorage", "UntypedStorage"]


class TypedStorage:
    """The memory under a tensor as elements of its dtype, in the order in which they lie.

    >>> import warnings
    >>> import minitorch as torch
    >>> x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     x.t().storage().tolist()
    [1.0, 2.0, 3.0, 4.0]
    """

    def __init__(self, elements: Tensor):
        self._elements = elements  # all of the memory, in one dimension

    @property
    def dtype(self) -> Any:
        return self._elements.dtype

    @property
    def device(self) -> Any:
        return self._elements.device

    @property
    def is_cuda(self) -> bool:
        return self._elements.is_cuda

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return self._elements.untyped_storage()

    def __len__(self) -> int:
        return self._elements.numel()

    size = __len__

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + self.nbytes()

    def nbytes(self) -> int:
        """The number of bytes."""
        return self._elements.nbytes

    def element_size(self) -> int:
        """Bytes per element."""
        return self._elements.element_size()

    def data_ptr(self) -> int:
        """The address of the first element."""
        return self._elements.data_ptr()

    def is_shared(self) -> bool:
        """Whether other processes can share the memory."""
        return self.untyped().is_shared()

    def _place(self, index: Any) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} out of range for storage of size {len(self)}")
        return index % len(self)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            raise RuntimeError("slices are only supported in UntypedStorage.__getitem__")
        if not isinstance(index, int):
            raise RuntimeError(f"can't index a {type(self)} with {type(index)}")
        return self._elements[self._place(index)].item()

    def __setitem__(self, index: Any, value: Any) -> None:
        if not isinstance(index, (int, slice)):
            raise RuntimeError(f"can't index a {type(self)} with {type(index)}")
        self._elements[index if isinstance(index, slice) else self._place(index)] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def tolist(self) -> list[Any]:
        """The elements as Python numbers."""
        return self._elements.tolist()

    def fill_(self, value: Any) -> "TypedStorage":
        """Write one value to all elements."""
        self._elements.fill_(value)
        return self

    def copy_(self, source: "TypedStorage", non_blocking: Any = None) -> "TypedStorage":
        """Write another storage's elements, as many, to this one."""
        self._elements.copy_(source._elements)
        return self

    def clone(self) -> "TypedStorage":
        """A copy."""
        return TypedStorage(self._elements.clone())

    def cpu(self) -> "TypedStorage":
        """The storage in the CPU's memory: itself, if it is there."""
        return TypedStorage(self._elements.cpu()) if self.is_cuda else self

    def type(self, dtype: Any = None) -> Any:
        """The name of the class that torch had for it: torch.FloatStorage for float32."""
        if dtype is not None:
            raise NotImplementedError("TypedStorage.type(dtype) is not supported by minitorch: convert the tensor")
        return f"torch.{CLASS_NAMES.get(self.dtype, 'TypedStorage')}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypedStorage) and self.data_ptr() == other.data_ptr()

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        shown = "..." if self.device.type == "meta" else " " + "\n ".join(map(str, self))
        kind = f"torch.storage.TypedStorage(dtype={self.dtype}, device={self.device})"
        return f"{shown}\n[{kind} of size {len(self)}]"

    __str__ = __repr__


class _OfDtype(type):
    """The type of torch.FloatStorage and its like, which stand for typed storages of one dtype."""

    dtype: Any

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, TypedStorage) and instance.dtype is cls.dtype

    def __call__(cls, size_or_elements: Any = 0) -> TypedStorage:
        _warn_once()
        make = empty if isinstance(size_or_elements, int) else tensor
        return TypedStorage(make(size_or_elements, dtype=cls.dtype))


for _dtype, _name in CLASS_NAMES.items():
    globals()[_name] = _OfDtype(_name, (), {"dtype": _dtype, "__module__": "torch"})


@functools.cache
def _warn_once() -> None:
    warnings.warn(
        "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be the only storage "
        "class. This should only matter to you if you are using storages directly.  To access UntypedStorage directly, "
        "use tensor.untyped_storage() instead of tensor.storage()",
        UserWarning,
        stacklevel=4,
    )


def typed_storage(t: Tensor) -> TypedStorage:
    """What `Tensor.storage` returns."""
    _warn_once()
    if t.is_meta:
        return TypedStorage(empty(t.untyped_storage().nbytes() // t.element_size(), dtype=t.dtype, device="meta"))
    if t.is_cuda:
        whole = t.array
        count = whole.memory.nbytes // t.element_size()
        return TypedStorage(wrap(type(whole)((count,), whole.dtype, whole.memory)))
    memory = storage_bytes(t.untyped_storage().owner)
    item = t.element_size()
    return TypedStorage(wrap(tagged(memory[: memory.size // item * item].view(t.array.dtype))))


def _load_from_bytes(b: bytes) -> Any:
    """A storage, from the file that torch puts into a pickle for it."""
    return load(io.BytesIO(b), weights_only=False)
