"""Ops that change a tensor's own geometry: transpose_, squeeze_, as_strided_, resize_, set_."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from minitorch import _storage
from minitorch._device import backend
from minitorch._kernels.half import tagged
from minitorch._kernels.strided import channels_last_strides, contiguous_strides, restrided
from minitorch._layout import preserve_format
from minitorch._tensor import Tensor
from minitorch.autograd._warnings import warn
from minitorch.autograd.grad_mode import check_inference, state

from .check import check, missing_argument, sizes, type_name
from .inplace import check_inplace
from .memory_formats import RANK, check_rank, suggested
from .public import FUNCTIONS, op, public


def _becomes(self: Tensor, view: Callable[..., Tensor], *args: Any) -> Tensor:
    """Let the tensor be the view of itself; it keeps its memory, its base and its version counter."""
    if self.version.__class__ is not list:
        check_inference()
    if state.mode is None and self.requires_grad:
        check_inplace(self)
    made = view(self, *args)
    self._lie_over(made.array)
    if state.mode is None:
        self.edge = made.edge
    self.version[0] += 1
    if self.base is not None:
        self.view_version = self.version[0]
    return self


@public("Tensor", "swapdims_")
def transpose_(self: Tensor, dim0: int, dim1: int) -> Tensor:
    """transpose, in place."""
    return _becomes(self, FUNCTIONS["transpose"], dim0, dim1)


@public("Tensor")
def swapaxes_(self: Tensor, axis0: int, axis1: int) -> Tensor:
    """transpose_, with NumPy's words."""
    return transpose_(self, axis0, axis1)


@public("Tensor")
def t_(self: Tensor) -> Tensor:
    """t, in place."""
    return _becomes(self, FUNCTIONS["t"])


@public("Tensor")
def squeeze_(self: Tensor, dim: Any = ...) -> Tensor:
    """squeeze, in place."""
    return _becomes(self, FUNCTIONS["squeeze"], dim)


@public("Tensor")
def unsqueeze_(self: Tensor, dim: int) -> Tensor:
    """unsqueeze, in place."""
    return _becomes(self, FUNCTIONS["unsqueeze"], dim)


@public("torch Tensor")
def as_strided_(self: Tensor, size: Any, stride: Any, storage_offset: Any = None) -> Tensor:
    """as_strided, in place."""
    return _becomes(self, FUNCTIONS["as_strided"], size, stride, storage_offset)


@public("Tensor")
def resize(self: Tensor, *sizes: Any) -> Tensor:
    """A copy in another shape of as many elements; deprecated in torch too, for `reshape`."""
    warn("non-inplace resize is deprecated")
    return _copied_as(self, sizes)


@public("Tensor")
def resize_as(self: Tensor, tensor: Tensor) -> Tensor:
    """A copy in the shape of a tensor of as many elements; deprecated in torch too, for `reshape`."""
    warn("non-inplace resize_as is deprecated")
    return _copied_as(self, tuple(tensor.shape))


def _copied_as(t: Tensor, shape: tuple[int, ...]) -> Tensor:
    if prod(shape) != t.numel():
        raise RuntimeError(
            f"requested resize to {'x'.join(map(str, shape))} ({prod(shape)} elements in total), but the given tensor "
            f"has a size of {'x'.join(map(str, t.shape))} ({t.numel()} elements). autograd's resize can only change "
            "the shape of a given tensor, while preserving the number of elements. "
        )
    return op("clone")(t).reshape(shape)


@public("Tensor")
def resize_(self: Tensor, *sizes_: Any, size: Any = None, memory_format: Any = None) -> Tensor:
    """Another shape, over the same memory as far as it reaches; what is new is not initialised.

    Other tensors over the same memory keep the old one where it has to grow.
    """
    if not sizes_ and size is None:
        missing_argument("resize_", "size")
    check(memory_format is not preserve_format, "Unsupported memory formatPreserve")
    check(not self.requires_grad, "cannot resize variables that require grad")
    shape = sizes(sizes_ if size is None else (size,), "resize_")
    check(all(n >= 0 for n in shape), "numel: integer multiplication overflow")
    if shape != self.array.shape:
        self._lie_over(_resized(self.array, shape))
        self.version[0] += 1
    if memory_format in RANK:
        check_rank(shape, memory_format)
        self._lie_over(restrided(self.array, shape, channels_last_strides(shape, self.itemsize)))
    return self


def _resized(a: Any, shape: tuple[int, ...]) -> Any:
    if not isinstance(a, np.ndarray) and not hasattr(a, "pointer"):
        raise NotImplementedError(f"resize_ on {a.device.type} tensors is not supported by minitorch")
    item = a.dtype.itemsize
    strides = contiguous_strides(shape, item)
    start = _storage.offset(a) * item
    need, have = start + prod(shape) * item, _storage.UntypedStorage._of(a).nbytes()
    if need <= have:
        return restrided(a, shape, strides)
    if not isinstance(a, np.ndarray):
        grown, old = backend(a.device).empty((need // item,), a.dtype), restrided(a, (have // item,), (item,), -start)
        backend(a.device).write(grown[: have // item], old)
        return restrided(grown, shape, strides, start)
    _storage.refuse_growth(a, need)
    memory = np.empty(need, np.uint8)
    memory[:have] = _storage.storage_bytes(_storage.root(a))
    return restrided(tagged(memory.view(a.dtype)), shape, strides, start)


@public("torch Tensor")
def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """resize_ to another tensor's shape."""
    if memory_format is preserve_format:
        memory_format = suggested(the_template.array)
    return resize_(self, size=tuple(the_template.shape), memory_format=memory_format)


@public("Tensor")
def set_(self: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None) -> Tensor:
    """Let the tensor share the memory of another tensor or of a storage.

    >>> import minitorch as torch
    >>> x = torch.zeros(2).set_(torch.arange(4.0), 1, (2,), (2,))
    >>> x
    tensor([1., 3.])
    """
    if state.mode is None and self.requires_grad:
        check_inplace(self)
    if source is None:
        self._lie_over(tagged(np.empty(0, self.array.dtype)))
    elif isinstance(source, Tensor):
        if source.dtype != self.dtype:
            raise RuntimeError(f"Could not set tensor of type {source.dtype} to a tensor of type {self.dtype}")
        self._lie_over(source.array if size is None else _window(source.array, storage_offset, size, stride))
    elif isinstance(source, _storage.UntypedStorage):
        item = self.array.dtype.itemsize
        memory = tagged(_storage.storage_bytes(source.owner)[: source.nbytes() // item * item].view(self.array.dtype))
        size = (memory.size - storage_offset,) if size is None else size
        self._lie_over(_window(memory, storage_offset, size, stride))
    else:
        raise TypeError(f"set_(): argument 'source' (position 1) must be Tensor, not {type_name(source)}")
    self.version[0] += 1
    return self


def _window(a: Any, storage_offset: int, size: Any, stride: Any) -> Any:
    shape = sizes((size,), "set_")
    item = a.dtype.itemsize
    steps = contiguous_strides(shape, 1) if stride is None else sizes((stride,), "set_")
    check(len(shape) == len(steps), "mismatch in length of strides and shape")
    have = _storage.UntypedStorage._of(a).nbytes()
    need = (storage_offset + 1 + sum((n - 1) * s for n, s in zip(shape, steps, strict=True))) * item
    if not (0 in shape or (storage_offset >= 0 and min(steps, default=0) >= 0 and need <= have)):
        raise RuntimeError(
            f"setStorage: sizes {list(shape)}, strides {list(steps)}, storage offset {storage_offset}, and itemsize "
            f"{item} requiring a storage size of {need} are out of bounds for storage of size {have}"
        )
    start = storage_offset * item - _storage.offset(a) * item
    return restrided(a, shape, tuple([s * item for s in steps]), start)
