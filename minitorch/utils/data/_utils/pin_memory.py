"""Same as torch.utils.data._utils.pin_memory: the tensors of a batch in page-locked memory."""

from collections.abc import Mapping, Sequence
from typing import Any

from minitorch._tensor import Tensor


def pin_memory(data: Any) -> Any:
    """The data with its tensors pinned; what has a method `pin_memory` of its own is asked."""
    if isinstance(data, Tensor):
        return data.pin_memory()
    if isinstance(data, (str, bytes)):
        return data
    if hasattr(data, "pin_memory"):
        return data.pin_memory()
    if isinstance(data, Mapping):
        pinned: Any = {key: pin_memory(value) for key, value in data.items()}
        return pinned if type(data) is dict else _as(type(data), pinned)
    if isinstance(data, tuple) and hasattr(data, "_fields"):  # a named tuple
        return type(data)(*map(pin_memory, data))
    if isinstance(data, Sequence):
        return _as(type(data), list(map(pin_memory, data)))
    return data


def _as(kind: Any, items: Any) -> Any:
    """The container in its own class, where that can be made from the items."""
    try:
        return kind(items)
    except TypeError:
        return items
