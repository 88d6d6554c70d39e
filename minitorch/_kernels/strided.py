"""Geometry of strided memory: the part of NumPy's array that a device's own array class must offer.

View ops are written against `shape`, `strides` (bytes), `dtype`, `transpose`, basic indexing and `restrided`, so
they serve NumPy arrays and the arrays of every other device alike.
"""

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np


def element_strides(a: Any) -> tuple[int, ...]:
    """Strides counted in elements, as torch counts them; NumPy keeps none for an array without elements."""
    size = a.dtype.itemsize
    if isinstance(a, np.ndarray) and not a.size:
        return contiguous_strides(a.shape, 1)
    return tuple([s // size for s in a.strides])


def contiguous_strides(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Strides in bytes of a dense array in index order; a dimension of size 0 counts as 1, as in torch."""
    strides, step = [], itemsize
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


def channels_last_strides(shape: tuple[int, ...], item: int) -> tuple[int, ...]:
    """The strides in bytes of a tensor (N, C, *dims) that lies in memory as (N, *dims, C)."""
    n, *dims, c = contiguous_strides((shape[0], *shape[2:], shape[1]), item)
    return (n, c, *dims)


def repeats(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether several elements lie in one place along a dimension, as after `expand`."""
    return 0 in strides and any(n > 1 and not s for n, s in zip(shape, strides, strict=True))


def is_dense(shape: tuple[int, ...], strides: tuple[int, ...], step: int = 1) -> bool:
    """Whether the elements fill their stretch of memory, one place each, in any order of dimensions.

    `step` is what lies between neighbours: 1, or the size of an element where strides are in bytes.
    """
    for s, n in sorted((s, n) for n, s in zip(shape, strides, strict=True) if n != 1):
        if s != step:
            return False
        step *= n
    return True


@lru_cache(maxsize=4096)
def viewed_strides(
    shape: tuple[int, ...], strides: tuple[int, ...], new_shape: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Strides under which the same memory has `new_shape`, None if there are none."""
    if 0 in shape:
        return contiguous_strides(new_shape, strides[-1] if strides else 1)
    old = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    result: list[int] = []
    i = len(old) - 1
    chunk, step = 1, strides[-1] if strides else 1  # what is left of the dimension being split
    if old:
        chunk, step = old[i]
    for n in reversed(new_shape):
        if n == 1:
            result.append(step * chunk if not result else result[-1])
            continue
        while chunk < n or chunk % n:
            i -= 1
            if i < 0 or old[i][1] != step * chunk:
                return None
            chunk *= old[i][0]
        result.append(step)
        step *= n
        chunk //= n
        if chunk == 1 and i > 0:
            i -= 1
            chunk, step = old[i]
    return tuple(reversed(result))


class Lines(NamedTuple):
    """An array that is no whole stretch of memory as `outer` blocks of n lines of `inner` elements."""

    outer: int
    n: int
    inner: int
    step: int  # elements from one line to the next
    block: int  # and from one block to the next


@lru_cache(1024)
def lines_of(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int, dims: tuple[int, ...]) -> "Lines | None":
    """The array as lines if it is such and its reduction along dims one of these two, else None.

    The elements of each line are added up, n of them (`inner` is 1 then), or those that n lines have in one place.

    >>> lines_of((8, 100), (800, 4), 4, (1,))
    Lines(outer=8, n=100, inner=1, step=200, block=200)
    >>> lines_of((8, 100), (800, 4), 4, (0,))
    Lines(outer=1, n=8, inner=100, step=200, block=0)
    """
    order = sorted(range(len(shape)), key=lambda i: -strides[i])
    merged: list[list[Any]] = []
    for i in order:
        if shape[i] == 1:
            continue
        size, stride, reduced = shape[i], strides[i], i in dims
        if merged and merged[-1][2] == reduced and merged[-1][1] == size * stride:
            merged[-1][:2] = merged[-1][0] * size, stride
        else:
            merged.append([size, stride, reduced])
    if not merged or merged[-1][1] != itemsize or any(stride % itemsize or stride <= 0 for _, stride, _ in merged):
        return None
    sizes, steps = ([group[0] for group in merged], [group[1] // itemsize for group in merged])
    match [group[2] for group in merged]:
        case [_, True]:
            return Lines(sizes[0], sizes[1], 1, steps[0], steps[0])
        case [True, False]:
            return Lines(1, sizes[0], sizes[1], steps[0], 0)
        case [False, True, False]:
            return Lines(sizes[0], sizes[1], sizes[2], steps[1], steps[0])
    return None


def restrided(a: Any, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> Any:
    """A view of a's memory with this shape and these strides (bytes), beginning `offset` bytes after a's start."""
    if a.__class__ is not np.ndarray:
        return a.restrided(shape, strides, offset)
    try:
        return np.ndarray(shape, a.dtype, a, offset, strides)  # 0.8 us, the general way 6.5
    except ValueError:  # a has gaps, or the view goes beyond it
        pass
    interface = dict(a.__array_interface__)
    address, read_only = interface["data"]
    interface.update(shape=shape, strides=strides, data=(address + offset, read_only))
    view = np.asarray(_Window(interface, a))
    return view if view.dtype is a.dtype else view.view(a.dtype)


def places_of(shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> np.ndarray:
    """Where in memory each element lies, counted in elements."""
    places = np.full(shape, offset, np.int64)
    for i, (n, s) in enumerate(zip(shape, strides, strict=True)):
        places += (np.arange(n) * s).reshape((n,) + (1,) * (len(shape) - i - 1))
    return places


class _Window:
    """What NumPy needs in order to make an array over memory that another array keeps alive."""

    def __init__(self, interface: dict[str, Any], owner: Any):
        self.__array_interface__, self.owner = interface, owner


class StridedArray:
    """The base of array classes of devices other than the CPU: geometry in Python, memory elsewhere.

    `memory` is whatever the device allocates, shared by all views; `offset` counts bytes from its start.
    """

    __slots__ = ("__weakref__", "dtype", "memory", "offset", "shape", "strides")
    __array_ufunc__ = None  # NumPy must not take part: an operator with one of these is a TypeError

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype, memory: Any, strides: Any = None, offset: int = 0):
        self.shape, self.dtype, self.memory, self.offset = shape, dtype, memory, offset
        self.strides = contiguous_strides(shape, dtype.itemsize) if strides is None else strides

    ndim = property(lambda a: len(a.shape))
    size = property(lambda a: prod(a.shape))
    nbytes = property(lambda a: prod(a.shape) * a.dtype.itemsize)

    def restrided(self, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> Any:
        return type(self)(shape, self.dtype, self.memory, strides, self.offset + offset)

    def transpose(self, *axes: Any) -> Any:
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        order = tuple(order) if order else tuple(reversed(range(self.ndim)))
        return self.restrided(tuple(self.shape[i] for i in order), tuple(self.strides[i] for i in order))

    T = property(transpose)

    @property
    def flags(self) -> Any:
        return _Flags(self)

    def __getitem__(self, index: Any) -> Any:
        shape, strides, offset, dim = [], [], 0, 0
        index = index if isinstance(index, tuple) else (index,)
        given = sum(i is not None and i is not Ellipsis for i in index)
        for i in index:
            if i is None:
                shape.append(1)
                strides.append(0)
            elif i is Ellipsis:
                rest = self.ndim - given
                shape += self.shape[dim : dim + rest]
                strides += self.strides[dim : dim + rest]
                dim += rest
            elif isinstance(i, slice):
                start, stop, step = i.indices(self.shape[dim])
                shape.append(len(range(start, stop, step)))
                strides.append(self.strides[dim] * step)
                offset += start * self.strides[dim] if shape[-1] else 0
                dim += 1
            else:
                n = self.shape[dim]
                if not -n <= i < n:
                    raise IndexError(f"index {i} is out of bounds for axis {dim} with size {n}")
                offset += (i % n) * self.strides[dim]
                dim += 1
        shape += self.shape[dim:]
        strides += self.strides[dim:]
        return self.restrided(tuple(shape), tuple(strides), offset)


class _Flags:
    """`a.flags.c_contiguous` for arrays that are not NumPy's."""

    def __init__(self, a: StridedArray):
        self.array = a

    @property
    def c_contiguous(self) -> bool:
        a = self.array
        wanted = contiguous_strides(a.shape, a.dtype.itemsize)
        return 0 in a.shape or all(n == 1 or s == w for n, s, w in zip(a.shape, a.strides, wanted, strict=True))

    writeable = True
