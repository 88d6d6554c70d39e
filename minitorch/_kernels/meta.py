"""The meta backend: shapes and dtypes without data. Every op infers those before its kernel, so this is all of it."""

from math import prod
from typing import Any

import numpy as np

from minitorch._device import device

from .strided import StridedArray

META = device("meta")


class _Nothing:
    """What stands for memory: how much of it there would be."""

    __slots__ = ("nbytes",)

    def __init__(self, nbytes: int):
        self.nbytes = nbytes


class MetaArray(StridedArray):
    """Geometry over no memory."""

    __slots__ = ()
    device = META

    def copy(self) -> "MetaArray":
        return empty(self.shape, self.dtype)

    def astype(self, dtype: np.dtype) -> "MetaArray":
        return empty(self.shape, dtype)


def empty(shape: tuple[int, ...], dtype: np.dtype) -> MetaArray:
    """An array of this shape and dtype."""
    return MetaArray(shape, dtype, _Nothing(prod(shape) * dtype.itemsize))


def filled(shape: tuple[int, ...], value: Any, dtype: np.dtype) -> MetaArray:
    """An array full of one number, which is nowhere."""
    return empty(shape, dtype)


def run(op: Any, inferred: Any, arrays: Any, others: Any) -> Any:
    """The kernel of any op: what was inferred, and nothing computed."""
    if isinstance(inferred, list):
        return tuple(empty(*i) for i in inferred)
    return empty(*inferred)


def write(dest: MetaArray, source: Any) -> None:
    """Copy into memory that is not there."""


def from_host(array: np.ndarray) -> MetaArray:
    """The meta array of a CPU array's shape and dtype."""
    return empty(array.shape, array.dtype)
