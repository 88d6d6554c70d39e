"""Transforms of v2 that change the size: resizing, cropping, padding."""

import warnings
from collections.abc import Sequence
from typing import Any

import minitorch as torch
from minitorch import Tensor

from ...ops.boxes import box_iou
from ...tv_tensors import BoundingBoxes, Image, Mask
from .._base import check_sequence, integer, size_pair
from .._functional_tensor import sides
from .._sizes import RandomCrop as _RandomCropV1
from .._sizes import RandomResizedCrop as _RandomResizedCropV1
from .._sizes import random_rectangle
from . import functional as F
from ._transform import (
    RandomlyApplied,
    Transform,
    fill_of,
    fill_table,
    get_bounding_boxes,
    has_all,
    has_any,
    is_pil_image,
    is_pure_tensor,
    query_size,
)


class Resize(Transform):
    """At a size (h, w), or with the shorter edge of a given length; or, of size None, with the longer of `max_size`."""

    def __init__(
        self, size: Any, interpolation: Any = "bilinear", max_size: int | None = None, antialias: bool | None = True
    ) -> None:
        super().__init__()
        if isinstance(size, int):
            size = [size]
        elif isinstance(size, Sequence) and len(size) in {1, 2}:
            size = list(size)
        elif size is not None:
            raise ValueError(
                f"size can be an integer, a sequence of one or two integers, or None, but got {size} instead."
            )
        elif not isinstance(max_size, int):
            raise ValueError(f"max_size must be an integer when size is None, but got {max_size} instead.")
        self.size = size
        self.interpolation = interpolation
        self.max_size = max_size
        self.antialias = antialias

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        how = dict(interpolation=self.interpolation, max_size=self.max_size, antialias=self.antialias)
        return self._call_kernel(F.resize, inpt, self.size, **how)


class CenterCrop(Transform):
    """The middle; zeros around it if it is smaller."""

    def __init__(self, size: Any) -> None:
        super().__init__()
        self.size = size_pair(size)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.center_crop, inpt, output_size=self.size)


class FiveCrop(CenterCrop):
    """The four corners and the middle of each image, as a tuple."""

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        if has_any(flat_inputs, BoundingBoxes, Mask):
            raise TypeError(f"BoundingBoxes'es and Mask's are not supported by {type(self).__name__}()")

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.five_crop, inpt, self.size)


class TenCrop(FiveCrop):
    """The four corners and the middle of each image and of its mirror image, as a tuple."""

    def __init__(self, size: Any, vertical_flip: bool = False) -> None:
        super().__init__(size)
        self.vertical_flip = vertical_flip

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.ten_crop, inpt, self.size, vertical_flip=self.vertical_flip)


def _check_padding(padding: Any, padding_mode: str) -> None:
    numbers = padding if isinstance(padding, (tuple, list)) else [padding]
    if len(numbers) not in (1, 2, 4) or not all(isinstance(n, int) for n in numbers):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element of tuple or list, got {padding}.")
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")


class Pad(Transform):
    """With more around."""

    def __init__(self, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        _check_padding(padding, padding_mode)
        self.padding = padding if isinstance(padding, int) else list(padding)
        self.fill = fill
        self._fill = fill_table(fill)
        self.padding_mode = padding_mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        fill = fill_of(self._fill, inpt)
        return self._call_kernel(F.pad, inpt, padding=self.padding, fill=fill, padding_mode=self.padding_mode)


class RandomZoomOut(RandomlyApplied):
    """With probability p at a random place on a canvas, larger by a factor from `side_range`."""

    def __init__(self, fill: Any = 0, side_range: Sequence[float] = (1.0, 4.0), p: float = 0.5) -> None:
        super().__init__(p=p)
        self.fill = fill
        self._fill = fill_table(fill)
        check_sequence(side_range, "side_range", (2,))
        self.side_range = side_range
        if side_range[0] < 1.0 or side_range[0] > side_range[1]:
            raise ValueError(f"Invalid side range provided {side_range}.")

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        factor = self.side_range[0] + torch.rand(1) * (self.side_range[1] - self.side_range[0])
        more_x, more_y = int(width * factor) - width, int(height * factor) - height
        place = torch.rand(2)
        left, top = int(more_x * place[0]), int(more_y * place[1])
        return dict(padding=[left, top, more_x - left, more_y - top])

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.pad, inpt, **params, fill=fill_of(self._fill, inpt))


class RandomCrop(Transform):
    """A rectangle, after padding, at a random place."""

    get_params = staticmethod(_RandomCropV1.get_params)

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = size_pair(size)
        if pad_if_needed or padding is not None:
            _check_padding(0 if padding is None else padding, padding_mode)
        self.padding = sides(padding) if padding else None
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self._fill = fill_table(fill)
        self.padding_mode = padding_mode

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        left, right, top, bottom = self.padding or (0, 0, 0, 0)
        more_y = max(self.size[0] - (height + top + bottom), 0) if self.pad_if_needed else 0
        more_x = max(self.size[1] - (width + left + right), 0) if self.pad_if_needed else 0
        padding = [left + more_x, top + more_y, right + more_x, bottom + more_y]
        height, width = height + padding[1] + padding[3], width + padding[0] + padding[2]
        h, w = self.size
        if height < h or width < w:
            padded = "padded " if self.padding is not None else ""
            raise ValueError(f"Required crop size {(h, w)} is larger than {padded}input image size {(height, width)}.")
        y = integer(0, height - h + 1) if height > h else 0
        x = integer(0, width - w + 1) if width > w else 0
        crop = dict(top=y, left=x, height=h, width=w) if (height, width) != (h, w) else None
        return dict(padding=padding if any(padding) else None, crop=crop)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if params["padding"] is not None:
            how = dict(fill=fill_of(self._fill, inpt), padding_mode=self.padding_mode)
            inpt = self._call_kernel(F.pad, inpt, padding=params["padding"], **how)
        return inpt if params["crop"] is None else self._call_kernel(F.crop, inpt, **params["crop"])


class RandomResizedCrop(Transform):
    """A rectangle of random area (a share in `scale`) and aspect (in `ratio`), resized."""

    get_params = staticmethod(_RandomResizedCropV1.get_params)

    def __init__(
        self,
        size: Any,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Any = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = size_pair(size)
        for value, name in ((scale, "Scale"), (ratio, "Ratio")):
            if not isinstance(value, Sequence) or len(value) != 2:
                raise TypeError(f"{name} should be a sequence of two floats.")
        if scale[0] > scale[1] or ratio[0] > ratio[1]:
            warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=2)
        self.scale = scale
        self.ratio = ratio
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        where = random_rectangle(height, width, self.scale, self.ratio)
        return dict(zip(("top", "left", "height", "width"), where))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        how = dict(size=self.size, interpolation=self.interpolation, antialias=self.antialias)
        return self._call_kernel(F.resize, self._call_kernel(F.crop, inpt, **params), **how)


class _RandomlyResized(Transform):
    """Base of those that draw a size."""

    interpolation: Any
    antialias: bool | None

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        how = dict(interpolation=self.interpolation, antialias=self.antialias)
        return self._call_kernel(F.resize, inpt, size=params["size"], **how)


class ScaleJitter(_RandomlyResized):
    """As large as fits into `target_size`, times a random factor (https://arxiv.org/abs/2012.07177)."""

    def __init__(
        self,
        target_size: tuple[int, int],
        scale_range: tuple[float, float] = (0.1, 2.0),
        interpolation: Any = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.target_size = target_size
        self.scale_range = scale_range
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        scale = self.scale_range[0] + torch.rand(1) * (self.scale_range[1] - self.scale_range[0])
        r = min(self.target_size[1] / height, self.target_size[0] / width) * scale
        return dict(size=(int(height * r), int(width * r)))


class RandomShortestSize(_RandomlyResized):
    """With the shorter edge of a length drawn from `min_size`, the longer one of at most `max_size`."""

    def __init__(
        self,
        min_size: Any,
        max_size: int | None = None,
        interpolation: Any = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.min_size = [min_size] if isinstance(min_size, int) else list(min_size)
        self.max_size = max_size
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        r = self.min_size[integer(0, len(self.min_size))] / min(height, width)
        if self.max_size is not None:
            r = min(r, self.max_size / max(height, width))
        return dict(size=(int(height * r), int(width * r)))


class RandomResize(_RandomlyResized):
    """With the shorter edge of a random length from `min_size` to `max_size` - 1."""

    def __init__(
        self, min_size: int, max_size: int, interpolation: Any = "bilinear", antialias: bool | None = True
    ) -> None:
        super().__init__()
        self.min_size = min_size
        self.max_size = max_size
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return dict(size=[integer(self.min_size, self.max_size)])


class RandomIoUCrop(Transform):
    """A rectangle that overlaps a box by a random least share (https://arxiv.org/abs/1512.02325).

    Boxes whose centers are outside become zeros: SanitizeBoundingBoxes takes them away.
    """

    def __init__(
        self,
        min_scale: float = 0.3,
        max_scale: float = 1.0,
        min_aspect_ratio: float = 0.5,
        max_aspect_ratio: float = 2.0,
        sampler_options: list[float] | None = None,
        trials: int = 40,
    ) -> None:
        super().__init__()
        self.min_scale = min_scale
        self.max_scale = max_scale
        self.min_aspect_ratio = min_aspect_ratio
        self.max_aspect_ratio = max_aspect_ratio
        self.options = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0] if sampler_options is None else sampler_options
        self.trials = trials

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        images = (is_pil_image, Image, is_pure_tensor)
        if not (has_all(flat_inputs, BoundingBoxes) and has_any(flat_inputs, *images)):
            raise TypeError(
                f"{type(self).__name__}() requires input sample to contain tensor or PIL images and bounding boxes. "
                "Sample can also contain masks."
            )

    def _drawn(self, height: int, width: int) -> tuple[int, int, int, int] | None:
        """Top, left, height and width of a rectangle, unless its aspect is not allowed."""
        share = self.min_scale + (self.max_scale - self.min_scale) * torch.rand(2)
        w, h = int(width * share[0]), int(height * share[1])
        if not self.min_aspect_ratio <= w / h <= self.max_aspect_ratio:
            return None
        place = torch.rand(2)
        left, top = int((width - w) * place[0]), int((height - h) * place[1])
        return (top, left, h, w) if w and h else None

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        given = get_bounding_boxes(flat_inputs)
        boxes = F.convert_bounding_box_format(given.as_subclass(Tensor), given.format, "XYXY")
        centers = 0.5 * (boxes[..., :2] + boxes[..., 2:])
        while True:
            least = self.options[integer(0, len(self.options))]
            if least >= 1.0:
                return {}
            for _ in range(self.trials):
                drawn = self._drawn(height, width)
                if drawn is None:
                    continue
                top, left, h, w = drawn
                crop = torch.tensor([[left, top, left + w, top + h]], dtype=boxes.dtype)
                inside = ((crop[:, :2] < centers) & (centers < crop[:, 2:])).all(-1)
                if inside.any() and box_iou(boxes[inside], crop).max() >= least:
                    return dict(crop=dict(top=top, left=left, height=h, width=w), inside=inside)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if not params:
            return inpt
        output = self._call_kernel(F.crop, inpt, **params["crop"])
        if isinstance(output, BoundingBoxes):
            output[~params["inside"]] = 0
        return output
