"""How the tables of published weights in the files of the models are read."""

from functools import partial
from typing import Any

from ._api import Weights
from ._meta import _IMAGENET_CATEGORIES, _VOC_CATEGORIES

_MODELS = "https://download.pytorch.org/models"
SWAG = "https://github.com/facebookresearch/SWAG/blob/main/LICENSE"  # these weights may not be used for profit


def _preset(interpolation: str = "bilinear", **sizes: Any) -> Any:
    """The preprocessing of a classifier's pictures; imported only here, for the models do without it."""
    from ..transforms._presets import ImageClassification, InterpolationMode

    return ImageClassification(interpolation=InterpolationMode(interpolation), **sizes)


def imagenet(
    file: str,
    num_params: int,
    accuracy: tuple[float, float],
    gflops: float,
    megabytes: float,
    *,
    min_size: tuple[int, int] = (1, 1),
    categories: list[str] | None = _IMAGENET_CATEGORIES,
    license: str | None = None,
    crop_size: int = 224,
    **preset: Any,
) -> Weights:
    """Weights trained on ImageNet: `accuracy` is the percentage right at the first guess and within five guesses."""
    meta = {
        "num_params": num_params,
        "min_size": min_size,
        "categories": categories,
        **({} if license is None else {"license": license}),
        "_metrics": {"ImageNet-1K": {"acc@1": accuracy[0], "acc@5": accuracy[1]}},
        "_ops": gflops,
        "_file_size": megabytes,
    }
    return Weights(f"{_MODELS}/{file}", partial(_preset, crop_size=crop_size, **preset), meta)


def _segmentation_preset(**sizes: Any) -> Any:
    from ..transforms._presets import SemanticSegmentation

    return SemanticSegmentation(**sizes)


def coco_with_voc_labels(
    file: str, num_params: int, accuracy: tuple[float, float], gflops: float, megabytes: float
) -> Weights:
    """Weights trained on COCO's pictures of Pascal VOC's classes; `accuracy` is the mean IoU, and that of pixels."""
    meta = {
        "num_params": num_params,
        "min_size": (1, 1),
        "categories": _VOC_CATEGORIES,
        "_metrics": {"COCO-val2017-VOC-labels": {"miou": accuracy[0], "pixel_acc": accuracy[1]}},
        "_ops": gflops,
        "_file_size": megabytes,
    }
    return Weights(f"{_MODELS}/{file}", partial(_segmentation_preset, resize_size=520), meta)
