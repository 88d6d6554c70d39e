"""Tensors as Python's numbers and lists, and as NumPy's arrays."""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._tensor import Tensor
from minitorch.autograd._warnings import warn_once
from minitorch.autograd.grad_mode import state

from .public import public

ndarray = np.ndarray


@public("Tensor")
def item(self: Tensor) -> Any:
    """The value of a one-element tensor as a Python number."""
    a = self.array
    if a.size != 1:
        raise RuntimeError(f"a Tensor with {a.size} elements cannot be converted to Scalar")
    if not isinstance(a, ndarray) and not hasattr(a, "item"):
        raise RuntimeError(f"Tensor.item() cannot be called on {self.device.type} tensors")
    return a.item()


@public("Tensor")
def tolist(self: Tensor) -> Any:
    """Nested lists of Python numbers."""
    if not isinstance(self.array, ndarray) and not hasattr(self.array, "tolist"):
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")
    return self.array.tolist()


@public("Tensor")
def numpy(self: Tensor, *, force: bool = False) -> np.ndarray:
    """The NumPy array that shares this tensor's memory.

    >>> import minitorch as torch
    >>> torch.arange(3).numpy()
    array([0, 1, 2])
    """
    if force:
        return self.detach().cpu().numpy()
    if not isinstance(self.array, ndarray):
        if hasattr(self.array, "truth"):
            self.array.tolist()  # torch's error within vmap
        raise TypeError(
            f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host "
            "memory first."
        )
    if state.grad and self.requires_grad:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    if self.array.dtype == dtypes.bfloat16.numpy:
        raise TypeError("Got unsupported ScalarType BFloat16")
    return self.array.view(ndarray)


@public("Tensor")
def __array__(self: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    a = self.numpy()
    if copy:
        return np.array(a, dtype)
    return a if dtype is None else a.astype(dtype, copy=False)


@public("Tensor")
def __array_wrap__(self: Tensor, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
    from minitorch._creation import from_numpy

    array = np.asarray(array)
    return from_numpy(array.astype(np.uint8) if array.dtype == bool else array)  # as torch does


@public("Tensor")
def __dlpack__(
    self: Tensor, *, stream: Any = -1, max_version: Any = None, dl_device: Any = None, copy: Any = None
) -> Any:
    from minitorch._exchange import dlpack

    return dlpack(self, stream, max_version, dl_device, copy)


@public("Tensor")
def __dlpack_device__(self: Tensor) -> tuple[Any, int]:
    from minitorch._exchange import dlpack_device

    return dlpack_device(self)


@public("Tensor")
def __len__(self: Tensor) -> int:
    if not self.array.shape:
        raise TypeError("len() of a 0-d tensor")
    return self.array.shape[0]


@public("Tensor")
def __bool__(self: Tensor) -> bool:
    a = self.array
    if a.size != 1:
        raise RuntimeError(
            "Boolean value of Tensor with no values is ambiguous" if not a.size
            else "Boolean value of Tensor with more than one value is ambiguous"
        )  # fmt: skip
    return a.truth() if hasattr(a, "truth") else bool(self.item())


def _only(self: Tensor) -> Any:
    if self.array.size != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    return self.item()


@public("Tensor")
def __float__(self: Tensor) -> float:
    _warn_of_lost_gradient(self)
    return float(_only(self))


def _warn_of_lost_gradient(t: Tensor) -> None:
    if state.grad and t.requires_grad:
        warn_once(
            "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\n"
            "Consider using tensor.detach() first."
        )


@public("Tensor")
def __int__(self: Tensor) -> int:
    return int(_only(self))


@public("Tensor")
def __complex__(self: Tensor) -> complex:
    _warn_of_lost_gradient(self)
    return complex(_only(self))


@public("Tensor")
def __index__(self: Tensor) -> int:
    if self.array.size != 1 or self.array.dtype in dtypes.FLOATS:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return int(self.item())


@public("Tensor")
def __contains__(self: Tensor, element: Any) -> bool:
    if isinstance(element, (Tensor, int, float, bool)):
        return bool((self == element).any())
    raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")


@public("Tensor")
def __format__(self: Tensor, format_spec: str) -> str:
    return (
        self.item().__format__(format_spec)
        if not self.array.shape and not self.is_meta
        else object.__format__(self, format_spec)
    )
