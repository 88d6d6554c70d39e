"""Transforms that change colours, blur or erase."""

import numbers
from collections.abc import Sequence
from typing import Any

import minitorch as torch
from minitorch import Tensor, nn

from . import functional as F
from ._base import RandomlyApplied, checked_ranges, integer, rectangle, size_pair, uniform

Range = tuple[float, float]


def factor_range(
    value: Any, name: str, center: float = 1, bound: Range = (0, float("inf")), clip: bool = True
) -> Range | None:
    """The range of a factor given by its ends, or by how far it may be from `center`; None for no change."""
    if isinstance(value, numbers.Number):
        if value < 0:  # type: ignore[operator]
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        low, high = center - float(value), center + float(value)  # type: ignore[arg-type]
        low = max(low, 0.0) if clip else low
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        low, high = float(value[0]), float(value[1])
    else:
        raise TypeError(f"{name} should be a single number or a list/tuple with length 2.")
    if not bound[0] <= low <= high <= bound[1]:
        raise ValueError(f"{name} values should be between {bound}, but got {[low, high]}.")
    return None if low == high == center else (low, high)


class ColorJitter(nn.Module):
    """Brightness, contrast, saturation and hue changed by random factors, in a random order.

    >>> ColorJitter(brightness=0.5, hue=(-0.1, 0.1))
    ColorJitter(brightness=(0.5, 1.5), contrast=None, saturation=None, hue=(-0.1, 0.1))
    """

    def __init__(self, brightness: Any = 0, contrast: Any = 0, saturation: Any = 0, hue: Any = 0) -> None:
        super().__init__()
        self.brightness = factor_range(brightness, "brightness")
        self.contrast = factor_range(contrast, "contrast")
        self.saturation = factor_range(saturation, "saturation")
        self.hue = factor_range(hue, "hue", center=0, bound=(-0.5, 0.5), clip=False)

    @staticmethod
    def get_params(
        brightness: Range | None, contrast: Range | None, saturation: Range | None, hue: Range | None
    ) -> tuple[Tensor, float | None, float | None, float | None, float | None]:
        """The order of the four changes, and their factors."""
        order = torch.randperm(4)
        b, c, s, h = [None if r is None else uniform(*r) for r in (brightness, contrast, saturation, hue)]
        return order, b, c, s, h

    def forward(self, img: Any) -> Any:
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        change = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for i in order.tolist():
            factor = factors[i]
            if factor is not None:
                img = change[i](img, factor)
        return img

    def __repr__(self) -> str:
        names = ("brightness", "contrast", "saturation", "hue")
        return f"{type(self).__name__}({', '.join([f'{name}={getattr(self, name)}' for name in names])})"


class Grayscale(nn.Module):
    """The image in greys, with 1 or 3 channels."""

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, num_output_channels=self.num_output_channels)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_output_channels={self.num_output_channels})"


class RandomGrayscale(RandomlyApplied):
    """The image in greys with probability p; it keeps its number of channels."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def change(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, num_output_channels=F.get_dimensions(img)[0])


class GaussianBlur(nn.Module):
    """The image blurred by a bell curve whose sigma is drawn from a range."""

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = size_pair(kernel_size, "Kernel size should be a tuple/list of two integers")
        if any(size <= 0 or size % 2 == 0 for size in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        if isinstance(sigma, numbers.Number):
            if sigma <= 0:  # type: ignore[operator]
                raise ValueError("If sigma is a single number, it must be positive.")
            sigma = (sigma, sigma)
        elif not isinstance(sigma, Sequence) or len(sigma) != 2:
            raise ValueError("sigma should be a single number or a list/tuple with length 2.")
        elif not 0.0 < sigma[0] <= sigma[1]:
            raise ValueError("sigma values should be positive and of the form (min, max).")
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """The bell curve's sigma."""
        return uniform(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        sigma = self.get_params(self.sigma[0], self.sigma[1])
        return F.gaussian_blur(img, list(self.kernel_size), [sigma, sigma])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kernel_size={self.kernel_size}, sigma={self.sigma})"


def random_erasure(
    size: Sequence[int], scale: Sequence[float], ratio: Sequence[float], value: list[float] | None
) -> tuple[int, int, int, int, Tensor] | None:
    """Top, left, height and width of a rectangle in an image (C, H, W) and what it becomes; None after ten misses."""
    channels, height, width = size
    for _ in range(10):
        h, w = [round(side) for side in rectangle(height, width, scale, ratio)]
        if not (h < height and w < width):
            continue
        if value is None:
            new = torch.empty([channels, h, w], dtype=torch.float32).normal_()
        else:
            new = torch.tensor(value)[:, None, None]
        return integer(0, height - h + 1), integer(0, width - w + 1), h, w, new
    return None


class RandomErasing(nn.Module):
    """With probability p a rectangle set to `value`, or to noise if that is "random" (https://arxiv.org/abs/1708.04896)."""

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(value, (numbers.Number, str, tuple, list)):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        checked_ranges(scale, ratio)
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        if p < 0 or p > 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace

    @staticmethod
    def get_params(
        img: Tensor, scale: Sequence[float], ratio: Sequence[float], value: list[float] | None = None
    ) -> tuple[int, int, int, int, Tensor]:
        """Top, left, height and width of the rectangle and what it becomes; after ten misses the image itself."""
        return random_erasure(img.shape[-3:], scale, ratio, value) or (0, 0, *img.shape[-2:], img)

    def _values(self, channels: int) -> list[float] | None:
        if isinstance(self.value, str):
            return None
        given: Any = self.value if isinstance(self.value, (list, tuple)) else [self.value]
        values = [float(v) for v in given]
        if len(values) not in (1, channels):
            raise ValueError(
                f"If value is a sequence, it should have either a single value or {channels} (number of input channels)"
            )
        return values

    def forward(self, img: Tensor) -> Tensor:
        if not torch.rand(1) < self.p:
            return img
        where = self.get_params(img, self.scale, self.ratio, self._values(img.shape[-3]))
        return F.erase(img, *where, inplace=self.inplace)

    def __repr__(self) -> str:
        text = f"p={self.p}, scale={self.scale}, ratio={self.ratio}, value={self.value}, inplace={self.inplace}"
        return f"{type(self).__name__}({text})"


# ---------------------------------------------------------------------- levels
class RandomInvert(RandomlyApplied):
    """The negative with probability p."""

    def change(self, img: Any) -> Any:
        return F.invert(img)


class RandomAutocontrast(RandomlyApplied):
    """With probability p each channel stretched to the full range."""

    def change(self, img: Any) -> Any:
        return F.autocontrast(img)


class RandomEqualize(RandomlyApplied):
    """With probability p each channel's values spread evenly."""

    def change(self, img: Any) -> Any:
        return F.equalize(img)


class RandomPosterize(RandomlyApplied):
    """With probability p only the highest bits of the image's bytes."""

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def change(self, img: Any) -> Any:
        return F.posterize(img, self.bits)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(bits={self.bits},p={self.p})"


class RandomSolarize(RandomlyApplied):
    """With probability p the negative of all values from the threshold up."""

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def change(self, img: Any) -> Any:
        return F.solarize(img, self.threshold)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(threshold={self.threshold},p={self.p})"


class RandomAdjustSharpness(RandomlyApplied):
    """The image sharpened, or blurred by a factor below 1, with probability p."""

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def change(self, img: Any) -> Any:
        return F.adjust_sharpness(img, self.sharpness_factor)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(sharpness_factor={self.sharpness_factor},p={self.p})"
