"""Transforms of v2 that change colours."""

from collections.abc import Callable, Sequence
from typing import Any

import minitorch as torch

from .._base import uniform
from .._colors import ColorJitter as _ColorJitterV1
from . import functional as F
from ._transform import RandomlyApplied, Transform, query_chw

Range = tuple[float, float]


class Grayscale(Transform):
    """In greys, with 1 or 3 channels."""

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.rgb_to_grayscale, inpt, num_output_channels=self.num_output_channels)


class RandomGrayscale(RandomlyApplied):
    """In greys with probability p; the number of channels stays."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p=p)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return dict(num_output_channels=query_chw(flat_inputs)[0])

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.rgb_to_grayscale, inpt, **params)


class RGB(Transform):
    """Grey pictures with three equal channels; others as they are."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.grayscale_to_rgb, inpt)


def _factor_range(value: Any, name: str, center: float, bound: Range, least: float) -> Range | None:
    if value is None:
        return None
    if isinstance(value, (int, float)):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        low, high = max(center - value, least), center + value
    elif isinstance(value, Sequence) and len(value) == 2:
        low, high = float(value[0]), float(value[1])
    else:
        raise TypeError(f"{name}={value} should be a single number or a sequence with length 2.")
    if not bound[0] <= low <= high <= bound[1]:
        raise ValueError(f"{name} values should be between {bound} and increasing, but got {[low, high]}.")
    return None if low == high == center else (float(low), float(high))


_CHANGES: tuple[Callable[..., Any], ...] = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)


class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue changed by random factors, in a random order."""

    get_params = staticmethod(_ColorJitterV1.get_params)

    def __init__(self, brightness: Any = None, contrast: Any = None, saturation: Any = None, hue: Any = None) -> None:
        super().__init__()
        factor = dict(center=1.0, bound=(0, float("inf")), least=0.0)
        self.brightness = _factor_range(brightness, "brightness", **factor)  # type: ignore[arg-type]
        self.contrast = _factor_range(contrast, "contrast", **factor)  # type: ignore[arg-type]
        self.saturation = _factor_range(saturation, "saturation", **factor)  # type: ignore[arg-type]
        self.hue = _factor_range(hue, "hue", center=0, bound=(-0.5, 0.5), least=-float("inf"))

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        order, *factors = _ColorJitterV1.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        return dict(changes=[(_CHANGES[i], factors[i]) for i in order.tolist() if factors[i] is not None])

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        for change, factor in params["changes"]:
            inpt = self._call_kernel(change, inpt, factor)
        return inpt


class RandomChannelPermutation(Transform):
    """The channels in a random order."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return dict(permutation=torch.randperm(query_chw(flat_inputs)[0]))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.permute_channels, inpt, params["permutation"])


class RandomPhotometricDistort(Transform):
    """Each of five changes of colour with probability p (https://arxiv.org/abs/1512.02325)."""

    def __init__(
        self,
        brightness: Range = (0.875, 1.125),
        contrast: Range = (0.5, 1.5),
        saturation: Range = (0.5, 1.5),
        hue: Range = (-0.05, 0.05),
        p: float = 0.5,
    ) -> None:
        super().__init__()
        self.brightness = brightness
        self.contrast = contrast
        self.hue = hue
        self.saturation = saturation
        self.p = p

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        channels = query_chw(flat_inputs)[0]
        ranges = (self.brightness, self.contrast, self.saturation, self.hue)
        b, c, s, h = [
            (change, uniform(*drawn)) if torch.rand(1) < self.p else None for change, drawn in zip(_CHANGES, ranges)
        ]
        order = (b, c, s, h) if torch.rand(()) < 0.5 else (b, s, h, c)
        changes: list[tuple[Any, Any]] = [change for change in order if change is not None]
        if torch.rand(1) < self.p:
            changes.append((F.permute_channels, torch.randperm(channels)))
        return dict(changes=changes)

    transform = ColorJitter.transform


class RandomEqualize(RandomlyApplied):
    """With probability p each channel's values spread evenly."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.equalize, inpt)


class RandomInvert(RandomlyApplied):
    """The negative with probability p."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.invert, inpt)


class RandomAutocontrast(RandomlyApplied):
    """With probability p each channel stretched to the full range."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.autocontrast, inpt)


class RandomPosterize(RandomlyApplied):
    """With probability p only the highest bits of bytes."""

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.bits = bits

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.posterize, inpt, bits=self.bits)


class RandomSolarize(RandomlyApplied):
    """With probability p the negative of all values from the threshold up."""

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.threshold = threshold

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.solarize, inpt, threshold=self.threshold)


class RandomAdjustSharpness(RandomlyApplied):
    """Sharpened, or blurred by a factor below 1, with probability p."""

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.sharpness_factor = sharpness_factor

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.adjust_sharpness, inpt, sharpness_factor=self.sharpness_factor)
