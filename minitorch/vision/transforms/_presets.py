"""The preprocessing that published weights want."""

from typing import Any

import minitorch as torch
from minitorch import Tensor, nn

from . import functional as F
from .functional import InterpolationMode

__all__ = ["ImageClassification", "SemanticSegmentation"]

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures


class _Preset(nn.Module):
    """Resizes a PIL image or a tensor (..., C, H, W), crops its centre if asked, and normalises it as float32."""

    def __init__(
        self,
        crop_size: int | None,
        resize_size: int | None,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        interpolation: InterpolationMode,
        antialias: bool | None,
    ) -> None:
        super().__init__()
        if crop_size is not None:
            self.crop_size = [crop_size]
        self.resize_size = None if resize_size is None else [resize_size]
        self.mean = list(mean)
        self.std = list(std)
        self.interpolation = interpolation
        self.antialias = antialias

    def forward(self, img: Any) -> Tensor:
        if self.resize_size is not None:
            img = F.resize(img, self.resize_size, interpolation=self.interpolation, antialias=self.antialias)
        if hasattr(self, "crop_size"):
            img = F.center_crop(img, self.crop_size)
        if not isinstance(img, Tensor):
            img = F.pil_to_tensor(img)
        return F.normalize(F.convert_image_dtype(img, torch.float), mean=self.mean, std=self.std)

    def __repr__(self) -> str:
        shown = ["crop_size"] * hasattr(self, "crop_size") + ["resize_size", "mean", "std", "interpolation"]
        lines = [f"\n    {name}={getattr(self, name)}" for name in shown]
        return f"{type(self).__name__}({''.join(lines)}\n)"

    def describe(self) -> str:
        """What is done to a picture, in words."""
        crop = f"cropped to {self.crop_size} at its centre, " if hasattr(self, "crop_size") else ""
        return (
            f"A PIL image or a tensor of shape (C, H, W) or (B, C, H, W) is resized to {self.resize_size} "
            f"({self.interpolation.value}), {crop}made float32 between 0 and 1, and normalised with mean {self.mean} "
            f"and std {self.std}."
        )


class ImageClassification(_Preset):
    """Resize, crop the centre, normalise: what classifiers see.

    >>> ImageClassification(crop_size=224)(torch.zeros(3, 300, 400)).shape
    torch.Size([3, 224, 224])
    """

    def __init__(
        self,
        *,
        crop_size: int,
        resize_size: int = 256,
        mean: tuple[float, ...] = _MEAN,
        std: tuple[float, ...] = _STD,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__(crop_size, resize_size, mean, std, interpolation, antialias)


class SemanticSegmentation(_Preset):
    """Resize if a size is given, normalise: what segmentation models see."""

    def __init__(
        self,
        *,
        resize_size: int | None,
        mean: tuple[float, ...] = _MEAN,
        std: tuple[float, ...] = _STD,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__(None, resize_size, mean, std, interpolation, antialias)
