"""How the processes' pickler sends tensors: the place of their elements in a segment of shared memory."""

import os
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.reduction import DupFd, ForkingPickler
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from minitorch import _sharing, _storage
from minitorch._sharing import Segment
from minitorch._tensor import Tensor, wrap

__all__ = ["get_all_sharing_strategies", "get_sharing_strategy", "init_reductions", "set_sharing_strategy"]

# the classes that are sent so
tensor_classes: list[type] = [Tensor]
# a segment that comes back, or comes twice, is the same storage: keyed by the file that it is
_known: WeakValueDictionary[tuple[int, int], Segment] = WeakValueDictionary()


def get_all_sharing_strategies() -> set[str]:
    """The ways to share memory: by an open descriptor, or by a file's name, which needs no open descriptor."""
    return set(_sharing.STRATEGIES)


def get_sharing_strategy() -> str:
    """The way in which memory is shared from now on."""
    return _sharing.strategy


def set_sharing_strategy(new_strategy: str) -> None:
    """Choose one of `get_all_sharing_strategies` for memory shared from now on."""
    if new_strategy not in _sharing.STRATEGIES:
        raise AssertionError(
            f"invalid sharing strategy {new_strategy!r}, expected one of {get_all_sharing_strategies()}"
        )
    if new_strategy == "file_system":
        resource_tracker.ensure_running()  # one for all processes to come, which inherit it
    _sharing.strategy = new_strategy


def reduce_tensor(t: Tensor) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What a tensor is sent as; its storage moves into shared memory."""
    check_sendable(t)
    if not isinstance(t.array, np.ndarray):
        return t.__reduce_ex__(2)
    _sharing.share_memory([t], handle=True)
    a, segment = t.array, _sharing.segment_of(t.array)
    assert segment is not None and segment.address is not None
    offset = _storage.address(a) - segment.address if a.size else 0
    return rebuild_tensor, (type(t), segment, a.dtype, a.shape, a.strides, offset, t.requires_grad)


def check_sendable(t: Tensor) -> None:
    """Raise for a tensor with a history, which another process cannot have."""
    if t.requires_grad and not t.is_leaf:
        raise RuntimeError(
            "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not support "
            "crossing process boundaries.  If you just want to transfer the data, call detach() on the tensor before "
            "serializing (e.g., putting it on the queue)."
        )


def rebuild_tensor(
    cls: type,
    segment: Segment,
    dtype: np.dtype,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    offset: int,
    requires_grad: bool,
) -> Tensor:
    """The tensor that `reduce_tensor` was given, over the same memory."""
    memory = segment.bytes()
    whole = memory[: memory.size - memory.size % dtype.itemsize]
    data = wrap(_storage.restored((whole, dtype, shape, strides, offset)))
    return Tensor._make_subclass(cls, data, requires_grad)


def _reduce_segment(segment: Segment) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    if segment.name is not None:
        message = _sharing.new_name()  # the receiver's own name for the file, to unlink when it has done with it
        os.link(f"{_sharing.FOLDER}/{segment.name}", f"{_sharing.FOLDER}/{message}")
        _known[_file_of(f"{_sharing.FOLDER}/{message}")] = segment
        return _rebuild_named, (message, segment.size)
    assert segment.fd is not None
    _known[_file_of(segment.fd)] = segment
    return _rebuild_passed, (DupFd(segment.fd), segment.size)


def _rebuild_passed(handle: Any, size: int) -> Segment:
    fd = handle.detach()
    key = _file_of(fd)
    segment = _known.get(key)
    if segment is not None:
        os.close(fd)
        return segment
    _known[key] = segment = Segment(fd, size)
    return segment


def _rebuild_named(name: str, size: int) -> Segment:
    path = f"{_sharing.FOLDER}/{name}"
    key = _file_of(path)
    segment = _known.get(key)
    if segment is not None:
        _sharing.unlink(name)
        return segment
    _known[key] = segment = Segment(os.open(path, os.O_RDWR), size, name=name)
    return segment


def _file_of(where: Any) -> tuple[int, int]:
    """What tells one file from all others."""
    status = os.stat(where)
    return status.st_dev, status.st_ino


def init_reductions() -> None:
    """Teach the processes' pickler about tensors."""
    from minitorch.nn.parameter import Parameter

    tensor_classes[1:] = [Parameter]
    ForkingPickler.register(Segment, _reduce_segment)
    for kind in tensor_classes:
        ForkingPickler.register(kind, reduce_tensor)


init_reductions()
