"""Where a tensor's elements lie: strides, storages, and memory that is pinned or shared."""

import sys
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels.strided import element_strides
from minitorch._layout import channels_last, channels_last_3d, contiguous_format, memory_format, preserve_format
from minitorch._storage import UntypedStorage, offset
from minitorch._tensor import Tensor, wrap

from .check import type_name, wrap_dim
from .public import PROPERTIES, public

ndarray = np.ndarray


@public("Tensor")
def stride(self: Tensor, dim: int | None = None) -> Any:
    """Elements to step over for the next index: of every dimension, or of one."""
    strides = element_strides(self.array)
    return strides if dim is None else strides[wrap_dim(dim, len(strides), scalar=False)]


@public("Tensor")
def storage_offset(self: Tensor) -> int:
    """Where in its storage the first element lies, counted in elements."""
    return offset(self.array)


@public("Tensor")
def is_contiguous(self: Tensor, memory_format: memory_format = contiguous_format) -> bool:
    """Whether the elements lie in memory in the order of the indices."""
    a = self.array
    if memory_format is channels_last:
        return a.ndim == 4 and a.transpose(0, 2, 3, 1).flags.c_contiguous
    if memory_format is channels_last_3d:
        return a.ndim == 5 and a.transpose(0, 2, 3, 4, 1).flags.c_contiguous
    if memory_format is not contiguous_format and memory_format is not preserve_format:
        kind = type_name(memory_format)
        raise TypeError(f"is_contiguous(): argument 'memory_format' must be torch.memory_format, not {kind}")
    return a.flags.c_contiguous


@public("Tensor")
def data_ptr(self: Tensor) -> int:
    """The address of the first element; 0 if there are none."""
    a = self.array
    if isinstance(a, ndarray):
        return a.__array_interface__["data"][0] if a.size else 0
    return getattr(a, "pointer", 0) if a.size else 0


@public("Tensor")
def untyped_storage(self: Tensor) -> Any:
    """The memory under this tensor and its views, as bytes."""
    return UntypedStorage._of(self.array)


@public("Tensor")
def storage(self: Tensor) -> Any:
    """The memory under this tensor and its views, as elements; deprecated in torch, with a warning."""
    from minitorch.storage import typed_storage

    return typed_storage(self)


@public("Tensor")
def is_pinned(self: Tensor, device: Any = None) -> bool:
    """Whether the memory is page-locked, so that a GPU copies from it on its own."""
    pinned = sys.modules.get("minitorch._kernels.cuda.pinned")  # imported by whatever pins
    return pinned is not None and self.is_cpu and pinned.owner_of(self.array) is not None


@public("Tensor")
def is_shared(self: Tensor) -> bool:
    """Whether the memory is shared with other processes."""
    sharing = sys.modules.get("minitorch._sharing")  # imported by whatever shares
    return sharing is not None and sharing.is_shared(self)


@public("Tensor")
def share_memory_(self: Tensor) -> Tensor:
    """Move the storage into memory that other processes can share; views of it move along.

    >>> import minitorch as torch
    >>> x = torch.zeros(3)
    >>> x.share_memory_().is_shared()
    True
    """
    from minitorch._sharing import share_memory

    if not isinstance(self.array, ndarray):
        raise RuntimeError("_share_fd_: only available on CPU")
    share_memory([self])
    return self


@public("Tensor")
def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """A copy in page-locked memory, from which `to("cuda", non_blocking=True)` copies while the program goes on.

    A RuntimeError without a GPU.
    """
    from minitorch.cuda import is_available

    if not is_available():
        raise RuntimeError("Cannot access accelerator device when none is available.")
    if not self.is_cpu:
        raise RuntimeError(f"cannot pin '{self.device.type}' tensors: only dense CPU tensors can be pinned")
    from minitorch._kernels.cuda import pinned

    return self if self.is_pinned() else wrap(pinned.copy_of(self.array))


@public("Tensor")
def record_stream(self: Tensor, stream: Any) -> None:
    """Say that another stream than the one it was made in uses the tensor: its memory is kept for that long."""
    if not self.is_cuda:
        raise RuntimeError(f"record_stream() is for tensors on a GPU, not on {self.device}")
    self.array.memory.record(stream.cuda_stream)


def _cuda_array_interface(self: Tensor) -> dict[str, Any]:
    """The memory as other libraries for GPUs take it."""
    if not self.is_cuda:
        kind = f"torch.{dtypes.C_NAMES[self.array.dtype.name]}Tensor"
        raise AttributeError(
            f"Can't get __cuda_array_interface__ on non-CUDA tensor type: {kind} If CUDA data is required use "
            "tensor.cuda() to copy tensor to device memory."
        )
    if self.requires_grad:
        raise RuntimeError(
            "Can't get __cuda_array_interface__ on Variable that requires grad. If gradients aren't required, use "
            "var.detach() to get Variable that doesn't require grad."
        )
    if self.dtype is dtypes.bfloat16:
        raise TypeError("Got unsupported ScalarType BFloat16")
    a = self.array
    strides = None if a.flags.c_contiguous else a.strides
    data = (a.pointer if a.size else 0, False)
    return {"typestr": a.dtype.str, "shape": tuple(a.shape), "strides": strides, "data": data, "version": 2}


PROPERTIES["__cuda_array_interface__"] = property(_cuda_array_interface)
