"""Transforms that change an image's size: resizing, cropping, padding."""

import numbers
from collections.abc import Sequence
from typing import Any

from minitorch import nn

from . import functional as F
from ._base import checked_ranges, integer, interpolation_of, rectangle, size_pair
from ._matrices import InterpolationMode


class Resize(nn.Module):
    """The image at a size (h, w), or with its shorter edge of a given length.

    >>> import minitorch as torch
    >>> Resize(2)(torch.zeros(3, 4, 6)).shape
    torch.Size([3, 2, 3])
    """

    def __init__(
        self,
        size: Any,
        interpolation: Any = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        if not isinstance(size, (int, Sequence)):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size = size
        self.max_size = max_size
        self.interpolation = interpolation_of(interpolation)
        self.antialias = antialias

    def forward(self, img: Any) -> Any:
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def __repr__(self) -> str:
        detail = f"size={self.size}, interpolation={self.interpolation.value}, max_size={self.max_size}"
        return f"{type(self).__name__}({detail}, antialias={self.antialias})"


class _Sized(nn.Module):
    def __init__(self, size: Any) -> None:
        super().__init__()
        self.size = size_pair(size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"


class CenterCrop(_Sized):
    """The middle of the image; zeros around it if it is smaller."""

    def forward(self, img: Any) -> Any:
        return F.center_crop(img, self.size)


class FiveCrop(_Sized):
    """The four corners and the middle, as a tuple."""

    def forward(self, img: Any) -> Any:
        return F.five_crop(img, self.size)


class TenCrop(_Sized):
    """The four corners and the middle of the image and of its mirror image, as a tuple."""

    def __init__(self, size: Any, vertical_flip: bool = False) -> None:
        super().__init__(size)
        self.vertical_flip = vertical_flip

    def forward(self, img: Any) -> Any:
        return F.ten_crop(img, self.size, self.vertical_flip)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, vertical_flip={self.vertical_flip})"


class Pad(nn.Module):
    """The image with more pixels around it."""

    def __init__(self, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        for value, name in ((padding, "padding"), (fill, "fill")):
            if not isinstance(value, (numbers.Number, tuple, list)):
                raise TypeError(f"Got inappropriate {name} arg")
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
        if isinstance(padding, Sequence) and len(padding) not in (1, 2, 4):
            raise ValueError(
                f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple"
            )
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, img: Any) -> Any:
        return F.pad(img, self.padding, self.fill, self.padding_mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode})"


class RandomCrop(nn.Module):
    """A rectangle of the image, after padding, at a random place.

    >>> import minitorch as torch
    >>> RandomCrop(32, padding=4)(torch.zeros(3, 32, 32)).shape
    torch.Size([3, 32, 32])
    """

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = tuple(size_pair(size))
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Top, left, height and width of the rectangle."""
        _, height, width = F.get_dimensions(img)
        h, w = output_size
        if height < h or width < w:
            raise ValueError(f"Required crop size {(h, w)} is larger than input image size {(height, width)}")
        if (height, width) == (h, w):
            return 0, 0, h, w
        return integer(0, height - h + 1), integer(0, width - w + 1), h, w

    def forward(self, img: Any) -> Any:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        _, height, width = F.get_dimensions(img)
        if self.pad_if_needed and width < self.size[1]:
            img = F.pad(img, [self.size[1] - width, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and height < self.size[0]:
            img = F.pad(img, [0, self.size[0] - height], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


def random_rectangle(
    height: int, width: int, scale: Sequence[float], ratio: Sequence[float]
) -> tuple[int, int, int, int]:
    """Top, left, height and width of a rectangle; after ten misses the largest one that the ratio allows."""
    for _ in range(10):
        w, h = [round(side) for side in rectangle(height, width, scale, ratio)]
        if 0 < w <= width and 0 < h <= height:
            return integer(0, height - h + 1), integer(0, width - w + 1), h, w
    w, h = width, height
    if width / height < min(ratio):
        h = round(w / min(ratio))
    elif width / height > max(ratio):
        w = round(h * max(ratio))
    return (height - h) // 2, (width - w) // 2, h, w


class RandomResizedCrop(nn.Module):
    """A rectangle of random area (a share in `scale`) and aspect (in `ratio`), resized.

    >>> import minitorch as torch
    >>> RandomResizedCrop(8)(torch.zeros(3, 20, 30)).shape
    torch.Size([3, 8, 8])
    """

    def __init__(
        self,
        size: Any,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Any = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = size_pair(size)
        checked_ranges(scale, ratio)
        self.scale = scale
        self.ratio = ratio
        self.interpolation = interpolation_of(interpolation)
        self.antialias = antialias

    @staticmethod
    def get_params(img: Any, scale: Sequence[float], ratio: Sequence[float]) -> tuple[int, int, int, int]:
        """Top, left, height and width of the rectangle."""
        _, height, width = F.get_dimensions(img)
        return random_rectangle(height, width, scale, ratio)

    def forward(self, img: Any) -> Any:
        where = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *where, self.size, self.interpolation, antialias=self.antialias)

    def __repr__(self) -> str:
        scale, ratio = [tuple([round(v, 4) for v in values]) for values in (self.scale, self.ratio)]
        return (
            f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )
