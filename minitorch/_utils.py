"""The names of torch._utils: those that call tensors back to life in pickles which torch wrote, and a few helpers."""

from collections.abc import Iterable, Iterator

from ._ops.joining import cat
from ._tensor import Tensor
from .serialization._storages import REBUILD

globals().update({name.rpartition(".")[2]: f for name, f in REBUILD.items() if name.startswith("torch._utils.")})


def _flatten_dense_tensors(tensors: Iterable[Tensor]) -> Tensor:
    """All elements of tensors of one dtype in one dimension."""
    return cat([t.reshape(-1) for t in tensors])


def _unflatten_dense_tensors(flat: Tensor, tensors: Iterable[Tensor]) -> tuple[Tensor, ...]:
    """Views of the elements of a flat tensor, with the shapes of `tensors`, one after the other."""
    made, start = [], 0
    for t in tensors:
        made.append(flat[start : start + t.numel()].view(t.shape))
        start += t.numel()
    return tuple(made)


def _take_tensors(tensors: Iterable[Tensor], size_limit: int) -> Iterator[list[Tensor]]:
    """The tensors in groups of one type, each of no more bytes than the limit or of one tensor."""
    open_groups: dict[str, tuple[list[Tensor], int]] = {}
    for t in tensors:
        kind = t.type()
        group, size = open_groups.get(kind, ([], 0))
        if group and size + t.nbytes > size_limit:
            yield group
            group, size = [], 0
        open_groups[kind] = [*group, t], size + t.nbytes
    for group, _ in open_groups.values():
        if group:
            yield group
