"""Copies of arrays in main memory into another order: by NumPy, or by squares where that crosses lines of the cache."""

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from . import cache
from .cpu import threads
from .strided import is_dense

ndarray = np.ndarray
FEW = 4096  # elements that NumPy copies in a few microseconds
LEAST = 2**15  # elements from which squares are worth asking for, and the half second of their first use
SHORT = 16  # elements of a last dimension up to which one pass over the rest for each is faster
SPEED = 8  # bytes that one thread turns in a nanosecond

# A number of each size, which says how bytes are moved; what they mean plays no part.
_LIKE = {1: np.uint8(0), 2: np.uint16(0), 4: np.float32(0), 8: np.float64(0)}


def contiguous(a: Any) -> Any:
    """The array, or a copy of it in index order."""
    return a if a.flags.c_contiguous else in_order(a)


def in_order(a: Any) -> Any:
    """A copy in index order."""
    if a.size < FEW or a.flags.c_contiguous or a.__class__ is not ndarray:
        return np.array(a, order="C", copy=True)
    out = np.empty(a.shape, a.dtype)
    copy(out, a)
    return out


def copy(dest: ndarray, source: ndarray) -> None:
    """dest[...] = source, also of another dtype, without a word about values that it has not."""
    line = None
    if dest.size >= FEW and dest.shape == source.shape and not np.may_share_memory(dest, source):
        line = line_across(dest.shape, source.strides, dest.strides)
    if line is None:
        np.copyto(dest, source, casting="unsafe")
        return
    turn = None
    if dest.size >= LEAST and dest.dtype is source.dtype:
        turn = _squares(dest.shape, source.strides, dest.strides, dest.itemsize)
    if turn is not None:
        crew, parts = threads.share(2 * dest.nbytes // SPEED, turn[0])
        kernel = cache.load_file("cpu.transposes").transposed
        kernel(crew, parts, source.ctypes.data, dest.ctypes.data, _LIKE[dest.itemsize], *turn[1])
    elif dest.shape[line] <= SHORT:  # NumPy's innermost loop runs along it, however short it is
        for to, values in zip(np.moveaxis(dest, line, 0), np.moveaxis(source, line, 0), strict=True):
            np.copyto(to, values, casting="unsafe")
    else:
        np.copyto(dest, source, casting="unsafe")


def alike(a: ndarray, dest: ndarray) -> ndarray:
    """The array, or a copy that lies in memory as dest does if their neighbours there are not the same.

    A loop over both crosses lines of the cache in one of them, which takes longer than to copy that beforehand.
    """
    size, item = dest.itemsize, a.itemsize
    if a.shape != dest.shape or line_across(a.shape, a.strides, dest.strides) is None:
        return a
    if not is_dense(dest.shape, dest.strides, size):
        return a
    made: ndarray = ndarray(a.shape, a.dtype, strides=[s // size * item for s in dest.strides])
    copy(made, a)
    return made


@lru_cache(1024)
def line_across(shape: tuple[int, ...], source: tuple[int, ...], dest: tuple[int, ...]) -> int | None:
    """The dimension along which neighbours lie in dest, if those in the source lie along another one."""
    steps = [(d, s, i) for i, (n, s, d) in enumerate(zip(shape, source, dest, strict=True)) if n > 1]
    if not steps or not 0 < min(s for _, s, _ in steps) < min(steps)[1]:
        return None
    return min(steps)[2]


@lru_cache(1024)
def _squares(
    shape: tuple[int, ...], source: tuple[int, ...], dest: tuple[int, ...], item: int
) -> tuple[int, tuple[Any, ...]] | None:
    """How many parts a copy by squares has, and what `transposed` takes; None if it is no such copy."""
    dims: list[tuple[int, int, int]] = []  # size, steps in the source and in dest, those of dest falling
    for d, s, n in sorted(zip(dest, source, shape, strict=True), reverse=True):
        if n == 1:
            continue
        if s <= 0 or s % item or d % item:
            return None
        dims.append((n, s // item, d // item))
        if len(dims) > 1 and dims[-2][1:] == (n * dims[-1][1], n * dims[-1][2]):
            dims[-2:] = [(n * dims[-2][0], *dims[-1][1:])]
    lines = [i for i, dim in enumerate(dims) if dim[1] == 1]
    if item not in _LIKE or len(lines) != 1 or dims[-1][2] != 1 or lines[0] == len(dims) - 1:
        return None
    (m, step, _), (n, _, dest_step) = dims.pop(), dims.pop(lines[0])
    kernels = cache.load_file("cpu.transposes")
    if min(m, n) < kernels.side(item):
        return None
    outer = np.array(dims, np.int64).reshape(-1, 3)
    return prod(outer[:, 0].tolist()) * -(-n // kernels.BLOCK), (outer, n, m, step, dest_step)
