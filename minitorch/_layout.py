"""Shapes and the names of layouts, as torch prints them."""

from typing import Any


class Size(tuple):
    """A tensor's shape: a tuple that prints as torch's.

    >>> import minitorch as torch
    >>> torch.zeros(2, 3).shape, torch.zeros(2, 3).shape.numel()
    (torch.Size([2, 3]), 6)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"torch.Size({[int(d) for d in self]})"

    def numel(self) -> int:
        """The number of elements."""
        n = 1
        for d in self:
            n *= d
        return n

    def __add__(self, other: Any) -> "Size":
        return Size(tuple.__add__(self, tuple(other)))

    def __radd__(self, other: Any) -> "Size":
        return Size(tuple.__add__(tuple(other), self))

    def __getitem__(self, i: Any) -> Any:
        item = tuple.__getitem__(self, i)
        return Size(item) if isinstance(i, slice) else item

    def __mul__(self, n: Any) -> "Size":
        return Size(tuple.__mul__(self, n))

    __rmul__ = __mul__

    def __reduce__(self) -> Any:
        return Size, (tuple(self),)


class layout:
    """How elements lie in memory: strided, or sparse COO (`_ops/sparse.py`)."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


class memory_format(layout):
    """An order of dimensions in memory."""


strided = layout("strided")
jagged = layout("jagged")
contiguous_format = legacy_contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")

__test__ = {"Size": Size}  # for doctest: the class says that it is of `minitorch`
