"""VGG: "Very Deep Convolutional Networks for Large-Scale Image Recognition" (https://arxiv.org/abs/1409.1556)."""

from functools import partial
from math import nan
from typing import Any

import minitorch as torch
from minitorch import Tensor, nn

from ._api import WeightsEnum
from ._utils import build_model, builder, initialize, kaiming_fan_out, normal_001
from ._weights import imagenet as _imagenet

__all__ = [
    "VGG",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "VGG11_Weights",
    "VGG11_BN_Weights",
    "VGG13_Weights",
    "VGG13_BN_Weights",
    "VGG16_Weights",
    "VGG16_BN_Weights",
    "VGG19_Weights",
    "VGG19_BN_Weights",
]


class VGG(nn.Module):
    """Convolutions of 3x3 (`features`) and three linear layers; input (N, 3, H, W) with H and W at least 32."""

    def __init__(
        self, features: nn.Module, num_classes: int = 1000, init_weights: bool = True, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            *(nn.Linear(512 * 7 * 7, 4096), nn.ReLU(inplace=True), nn.Dropout(p=dropout)),
            *(nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(p=dropout)),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            initialize(self, conv=kaiming_fan_out, linear=normal_001)

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(x))
        return self.classifier(torch.flatten(x, 1))


def make_layers(cfg: list[str | int], batch_norm: bool = False) -> nn.Sequential:
    """A convolution for every number of channels in `cfg`, a pooling for every "M"."""
    layers: list[nn.Module] = []
    before = 3
    for channels in cfg:
        if isinstance(channels, str):
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        layers.append(nn.Conv2d(before, channels, kernel_size=3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(channels))
        layers.append(nn.ReLU(inplace=True))
        before = channels
    return nn.Sequential(*layers)


def _stages(*repeats: int) -> list[str | int]:
    cfg: list[str | int] = []
    for n, channels in zip(repeats, (64, 128, 256, 512, 512)):
        cfg += [*[channels] * n, "M"]
    return cfg


# The columns of table 1 of the paper.
cfgs: dict[str, list[str | int]] = {
    "A": _stages(1, 1, 2, 2, 2),
    "B": _stages(2, 2, 2, 2, 2),
    "D": _stages(2, 2, 3, 3, 3),
    "E": _stages(2, 2, 4, 4, 4),
}


def _vgg(cfg: str, batch_norm: bool, weights: WeightsEnum | None, progress: bool, kwargs: dict[str, Any]) -> VGG:
    if weights is not None:
        kwargs["init_weights"] = False
    return build_model(VGG, weights, progress, kwargs, make_layers(cfgs[cfg], batch_norm))


imagenet = partial(_imagenet, min_size=(32, 32))


class VGG11_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("vgg11-8a719046.pth", 132863336, (69.02, 88.628), 7.609, 506.84)
    DEFAULT = IMAGENET1K_V1


class VGG11_BN_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("vgg11_bn-6002323d.pth", 132868840, (70.37, 89.81), 7.609, 506.881)
    DEFAULT = IMAGENET1K_V1


class VGG13_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("vgg13-19584684.pth", 133047848, (69.928, 89.246), 11.308, 507.545)
    DEFAULT = IMAGENET1K_V1


class VGG13_BN_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("vgg13_bn-abd245e5.pth", 133053736, (71.586, 90.374), 11.308, 507.59)
    DEFAULT = IMAGENET1K_V1


class VGG16_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("vgg16-397923af.pth", 138357544, (71.592, 90.382), 15.47, 527.796)
    IMAGENET1K_FEATURES = imagenet(
        "vgg16_features-amdegroot-88682ab5.pth",
        138357544,
        (nan, nan),
        15.47,
        527.802,
        categories=None,
        mean=(0.48235, 0.45882, 0.40784),
        std=(1 / 255, 1 / 255, 1 / 255),
    )
    DEFAULT = IMAGENET1K_V1


class VGG16_BN_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("vgg16_bn-6c64b313.pth", 138365992, (73.36, 91.516), 15.47, 527.866)
    DEFAULT = IMAGENET1K_V1


class VGG19_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("vgg19-dcbb9e9d.pth", 143667240, (72.376, 90.876), 19.632, 548.051)
    DEFAULT = IMAGENET1K_V1


class VGG19_BN_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("vgg19_bn-c79401a0.pth", 143678248, (74.218, 91.842), 19.632, 548.143)
    DEFAULT = IMAGENET1K_V1


@builder
def vgg11(*, weights: VGG11_Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 11 layers."""
    return _vgg("A", False, weights, progress, kwargs)


@builder
def vgg11_bn(*, weights: VGG11_BN_Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 11 layers and batch normalisation."""
    return _vgg("A", True, weights, progress, kwargs)


@builder
def vgg13(*, weights: VGG13_Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 13 layers."""
    return _vgg("B", False, weights, progress, kwargs)


@builder
def vgg13_bn(*, weights: VGG13_BN_Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 13 layers and batch normalisation."""
    return _vgg("B", True, weights, progress, kwargs)


@builder
def vgg16(*, weights: VGG16_Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 16 layers."""
    return _vgg("D", False, weights, progress, kwargs)


@builder
def vgg16_bn(*, weights: VGG16_BN_Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 16 layers and batch normalisation."""
    return _vgg("D", True, weights, progress, kwargs)


@builder
def vgg19(*, weights: VGG19_Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 19 layers."""
    return _vgg("E", False, weights, progress, kwargs)


@builder
def vgg19_bn(*, weights: VGG19_BN_Weights | None = None, progress: bool = True, **kwargs: Any) -> VGG:
    """VGG with 19 layers and batch normalisation."""
    return _vgg("E", True, weights, progress, kwargs)
