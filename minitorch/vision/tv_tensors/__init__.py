"""torchvision.tv_tensors: tensors that say what they are, so that transforms.v2 knows what to do with them.

What an operation makes of one is a plain tensor; `clone`, `to`, `detach` and `requires_grad_` keep the class.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import minitorch as torch
from minitorch import Tensor
from minitorch._C import _disabled_torch_function_impl

from .._pillow import is_pil_image

__all__ = [
    "BoundingBoxFormat", "BoundingBoxes", "Image", "KeyPoints", "Mask", "TVTensor", "Video",
    "is_rotated_bounding_format", "set_return_type", "wrap",
]  # fmt: skip


def _tensor(data: Any, dtype: Any, device: Any, requires_grad: bool | None) -> Tensor:
    if is_pil_image(data):
        from ..transforms.functional import pil_to_tensor

        data = pil_to_tensor(data)
    if requires_grad is None:
        requires_grad = data.requires_grad if isinstance(data, Tensor) else False
    return torch.as_tensor(data, dtype=dtype, device=device).requires_grad_(requires_grad)


class TVTensor(Tensor):
    """Base of the classes below; `wrap` makes a plain tensor one of them."""

    __torch_function__ = _disabled_torch_function_impl  # type: ignore[assignment]

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Any:
        return _tensor(data, dtype, device, requires_grad).as_subclass(cls)

    @classmethod
    def wrap(cls, tensor: Tensor, like: Any, **kwargs: Any) -> Any:
        """The tensor as an instance of this class that says of itself what `like` says."""
        return tensor.as_subclass(cls)

    def clone(self, **kwargs: Any) -> Any:
        return wrap(self.as_subclass(Tensor).clone(**kwargs), like=self)

    def to(self, *args: Any, **kwargs: Any) -> Any:
        return wrap(self.as_subclass(Tensor).to(*args, **kwargs), like=self)

    def detach(self) -> Any:
        return wrap(self.as_subclass(Tensor).detach(), like=self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self.detach().clone().requires_grad_(self.requires_grad)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _unpickled, (type(self), self.as_subclass(Tensor), self._says() or {})

    def _says(self) -> dict[str, Any] | None:
        """What this object says of itself, beside its class; None if its text need not mention it."""
        return None

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        says = self._says()
        if says is None:
            return super().__repr__()
        return f"{super().__repr__()[:-1]}, {', '.join([f'{name}={value}' for name, value in says.items()])})"


def _unpickled(cls: Any, tensor: Tensor, says: dict[str, Any]) -> Any:
    result = tensor.as_subclass(cls)
    for name, value in says.items():
        setattr(result, name, value)
    return result


class Image(TVTensor):
    """An image (..., C, H, W), of a tensor or a PIL image.

    >>> import minitorch as torch
    >>> Image(torch.zeros(2, 3)).shape
    torch.Size([1, 2, 3])
    """

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Any:
        tensor = _tensor(data, dtype, device, requires_grad)
        if tensor.ndim < 2:
            raise ValueError(f"Tensor must be 2D or higher, got {tensor.ndim}D tensor.")
        return (tensor.unsqueeze(0) if tensor.ndim == 2 else tensor).as_subclass(cls)

    def _says(self) -> dict[str, Any]:
        return {}


class Video(TVTensor):
    """A video (..., T, C, H, W)."""

    def __new__(cls, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Any:
        if data.ndim < 4:
            raise ValueError
        return super().__new__(cls, data, dtype=dtype, device=device, requires_grad=requires_grad)

    def _says(self) -> dict[str, Any]:
        return {}


class Mask(TVTensor):
    """Masks (..., H, W): of one object each, or a class per pixel."""


class BoundingBoxFormat(Enum):
    """What the numbers of a box are; those with an R, and the one with four corners, are of turned boxes."""

    XYXY = "XYXY"
    XYWH = "XYWH"
    CXCYWH = "CXCYWH"
    XYWHR = "XYWHR"
    CXCYWHR = "CXCYWHR"
    XYXYXYXY = "XYXYXYXY"


_ROTATED = ("XYWHR", "CXCYWHR", "XYXYXYXY")


def is_rotated_bounding_format(format: BoundingBoxFormat | str) -> bool:
    """Whether boxes of this format may be turned."""
    if not isinstance(format, (BoundingBoxFormat, str)):
        raise ValueError(f"format should be str or BoundingBoxFormat, got {type(format)}")
    return (format if isinstance(format, str) else format.value) in _ROTATED


class BoundingBoxes(TVTensor):
    """Boxes (N, K) on a canvas of size (height, width); `clamping_mode` says whether transforms keep them on it.

    >>> BoundingBoxes([0, 1, 2, 3], format="XYXY", canvas_size=(4, 4))
    BoundingBoxes([[0, 1, 2, 3]], format=BoundingBoxFormat.XYXY, canvas_size=(4, 4), clamping_mode=soft)
    """

    format: BoundingBoxFormat
    canvas_size: tuple[int, int]
    clamping_mode: str | None

    def __new__(
        cls,
        data: Any,
        *,
        format: BoundingBoxFormat | str,
        canvas_size: tuple[int, int],
        clamping_mode: str | None = "soft",
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool | None = None,
    ) -> Any:
        tensor = _tensor(data, dtype, device, requires_grad)
        if not tensor.is_floating_point() and is_rotated_bounding_format(format):
            raise ValueError(f"Rotated bounding boxes should be floating point tensors, got {tensor.dtype}.")
        return cls._made(tensor, format, canvas_size, clamping_mode)

    @classmethod
    def _made(cls, tensor: Tensor, format: Any, canvas_size: Any, clamping_mode: str | None) -> Any:
        if tensor.ndim not in (1, 2):
            raise ValueError(f"Expected a 1D or 2D tensor, got {tensor.ndim}D")
        if clamping_mode is not None and clamping_mode not in ("hard", "soft"):
            raise ValueError(f"clamping_mode must be None, hard or soft, got {clamping_mode}.")
        boxes = (tensor.unsqueeze(0) if tensor.ndim == 1 else tensor).as_subclass(cls)
        boxes.format = BoundingBoxFormat[format.upper()] if isinstance(format, str) else format
        boxes.canvas_size, boxes.clamping_mode = canvas_size, clamping_mode
        return boxes

    @classmethod
    def wrap(cls, tensor: Tensor, like: Any, **kwargs: Any) -> Any:
        return cls._made(tensor, **{**like._says(), **kwargs})

    def _says(self) -> dict[str, Any]:
        return dict(format=self.format, canvas_size=self.canvas_size, clamping_mode=self.clamping_mode)


class KeyPoints(TVTensor):
    """Points (..., 2) on a canvas of size (height, width)."""

    canvas_size: tuple[int, int]

    def __new__(
        cls,
        data: Any,
        *,
        canvas_size: tuple[int, int],
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool | None = None,
    ) -> Any:
        return cls._made(_tensor(data, dtype, device, requires_grad), canvas_size)

    @classmethod
    def _made(cls, tensor: Tensor, canvas_size: Any) -> Any:
        if tensor.ndim > 1 and tensor.shape[-1] != 2:
            raise ValueError(f"Expected a tensor of shape (..., 2), not {tensor.shape}")
        points = (tensor.unsqueeze(0) if tensor.ndim == 1 else tensor).as_subclass(cls)
        points.canvas_size = canvas_size
        return points

    @classmethod
    def wrap(cls, tensor: Tensor, like: Any, **kwargs: Any) -> Any:
        return cls._made(tensor, **{**like._says(), **kwargs})

    def _says(self) -> dict[str, Any]:
        return dict(canvas_size=self.canvas_size)


def wrap(wrappee: Tensor, *, like: Any, **kwargs: Any) -> Any:
    """A plain tensor as an instance of `like`'s class; kwargs replace what `like` says of its format or canvas."""
    if hasattr(type(like), "wrap"):
        return type(like).wrap(wrappee, like, **kwargs)
    return wrappee.as_subclass(type(like))


class _ReturnType:
    def __enter__(self) -> _ReturnType:
        return self

    def __exit__(self, *args: Any) -> None:
        pass


def set_return_type(return_type: str) -> _ReturnType:
    """Operations return plain tensors, "Tensor"; that they keep the class, "TVTensor", is not supported."""
    if return_type.lower() == "tvtensor":
        raise NotImplementedError("set_return_type('TVTensor') is not supported: operations return plain tensors")
    if return_type.lower() != "tensor":
        raise ValueError(f"return_type must be 'TVTensor' or 'Tensor', got {return_type}")
    return _ReturnType()
