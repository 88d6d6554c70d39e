"""Arrays in a GPU's memory: NumPy's geometry over an address.

A kernel is given `a.pointer`, the address of the first element, and whatever sizes and strides it asks for; the
memory goes back to the allocator with the last array over it.
"""

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from minitorch._kernels import half
from minitorch._kernels.layout import result_strides
from minitorch._kernels.strided import StridedArray, _Flags, contiguous_strides

from . import pinned, runtime


class CudaArray(StridedArray):
    """A strided array on a GPU; `memory` is an `allocator.Memory`, `pointer` the address of the first element there."""

    __slots__ = ("_in_order", "pointer")
    _in_order: bool | None

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype, memory: Any, strides: Any = None, offset: int = 0):
        self.shape, self.dtype, self.memory, self.offset = shape, dtype, memory, offset
        self.pointer = memory.pointer + offset
        self.strides = contiguous_strides(shape, dtype.itemsize) if strides is None else strides
        self._in_order = None

    @property
    def device(self) -> Any:
        """The torch device, index included."""
        return self.memory.device

    @property
    def flags(self) -> Any:
        """Has `c_contiguous`, as NumPy's flags."""
        return self

    @property
    def c_contiguous(self) -> bool:
        """Whether the elements lie in memory in the order of the indices; looked at once."""
        if self._in_order is None:
            strides = _dense(self.shape, self.dtype.itemsize)[1]
            self._in_order = self.strides == strides or _Flags(self).c_contiguous
        return self._in_order

    def to_host(self, wait: bool = True) -> np.ndarray:
        """A copy as a NumPy array, made when all that the stream holds so far is done.

        Without `wait` the array's memory is pinned, and filled when the stream has come so far.
        """
        a = self if _is_compact(self) else self.copy()
        low, extent = window(a)
        memory = np.empty(extent, np.uint8) if wait else pinned.empty((extent,), np.dtype(np.uint8))
        if extent:
            start = a.memory.pointer + a.offset + low
            runtime.copy_to_host(memory.ctypes.data, start, extent, a.memory.device.index, wait)
        plain = np.ndarray(a.shape, a.dtype, memory, -low, a.strides) if extent else np.empty(a.shape, a.dtype)
        return half.tagged(plain)

    def copy(self, order: str = "C") -> "CudaArray":
        """A copy on the same device: in index order, or with "K" in the order that the elements have in memory."""
        from .copy import copied

        return copied(self, order)

    def astype(self, dtype: np.dtype) -> "CudaArray":
        """A copy in another dtype, converted as torch converts."""
        from .copy import converted

        return converted(self, dtype)

    def __reduce__(self) -> Any:
        return from_host, (self.to_host(), self.device.index)

    def item(self) -> Any:
        """The only element as a Python number."""
        return self.to_host().item()

    def tolist(self) -> Any:
        """The elements as nested lists."""
        return self.to_host().tolist()


def empty(shape: tuple[int, ...], dtype: np.dtype, index: int | None = None) -> CudaArray:
    """An uninitialised array in index order, on the current device unless an index is given."""
    nbytes, strides = _dense(shape, dtype.itemsize)
    return CudaArray(shape, dtype, runtime.allocate(nbytes, index), strides)


@lru_cache(4096)  # the same few shapes at every step
def _dense(shape: tuple[int, ...], itemsize: int) -> tuple[int, tuple[int, ...]]:
    """Bytes and strides of an array in index order."""
    return itemsize * prod(shape), contiguous_strides(shape, itemsize)


def empty_like(a: CudaArray, dtype: np.dtype | None = None) -> CudaArray:
    """An uninitialised array beside `a`, its dimensions in the order that those of `a` have in memory."""
    dtype = a.dtype if dtype is None else dtype
    made = empty(a.shape, dtype, a.device.index)
    if a.flags.c_contiguous:
        return made
    return CudaArray(a.shape, dtype, made.memory, result_strides(dtype, a))


def filled(shape: tuple[int, ...], value: Any, dtype: np.dtype, index: int | None = None) -> CudaArray:
    """An array full of one number."""
    a = empty(shape, dtype, index)
    fill(a, value)
    return a


def fill(a: CudaArray, value: Any) -> None:
    """Set every element of an array whose elements lie in a row."""
    if a.size:
        gpu = runtime.gpu(a.memory.device.index)
        bits = int.from_bytes(half.filled((), value, a.dtype).tobytes(), "little")
        gpu.driver.fill(a.pointer, bits, a.dtype.itemsize, a.size, runtime.current_stream(gpu.index))


def from_host(array: np.ndarray, index: int | None = None, non_blocking: bool = False) -> CudaArray:
    """A copy of a NumPy array, its dimensions in the order that they have in memory.

    The array may be written to at once, unless it is pinned and the copy `non_blocking`.
    """
    plain = np.asarray(array)
    if not plain.ndim:  # by value: nothing is kept waiting, and a graph may hold it
        return filled((), plain[()] if plain.dtype.kind != "V" else half.widened(array)[()], plain.dtype, index)
    order = sorted(range(plain.ndim), key=lambda i: -plain.strides[i]) if 0 not in plain.strides else range(plain.ndim)
    host = np.ascontiguousarray(plain.transpose(order))
    a = empty(host.shape, host.dtype, index)
    if host.nbytes:
        gpu = runtime.gpu(a.memory.device.index)
        stream = runtime.current_stream(gpu.index)
        if gpu.allocator.routes:  # a graph's copies read the host's memory at every replay
            host = pinned.copy_of(host)
            gpu.captured.append(host)
        gpu.driver.copy_to_device(a.pointer, host.ctypes.data, host.nbytes, stream)
        if pinned.owner_of(host) is not None:
            if non_blocking or gpu.allocator.routes:
                pinned.used(host, stream)
            else:
                gpu.driver.synchronize_stream(stream)
    return a.transpose(sorted(range(plain.ndim), key=order.__getitem__))


def window(a: CudaArray) -> tuple[int, int]:
    """(bytes from the first element down to the lowest address, bytes from there to the end) of what `a` spans."""
    if 0 in a.shape:
        return 0, 0
    reach = [(n - 1) * s for n, s in zip(a.shape, a.strides, strict=True)]
    low = sum(r for r in reach if r < 0)
    return low, sum(r for r in reach if r > 0) - low + a.dtype.itemsize


def _is_compact(a: CudaArray) -> bool:
    """Whether to copy all that lies between the elements costs no more than to copy them twice."""
    return window(a)[1] <= 2 * a.nbytes
