"""SqueezeNet: "AlexNet-level accuracy with 50x fewer parameters" (https://arxiv.org/abs/1602.07360)."""

from typing import Any

import minitorch as torch
from minitorch import Tensor, nn

from ._api import WeightsEnum
from ._utils import build_model, builder, initialize, normal_001
from ._weights import imagenet

__all__ = ["SqueezeNet", "squeezenet1_0", "squeezenet1_1", "SqueezeNet1_0_Weights", "SqueezeNet1_1_Weights"]


class Fire(nn.Module):
    """A 1x1 convolution to few channels, then 1x1 and 3x3 convolutions side by side."""

    def __init__(self, inplanes: int, squeeze_planes: int, expand1x1_planes: int, expand3x3_planes: int) -> None:
        super().__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        parts = [self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))]
        return torch.cat(parts, 1)


# The first convolution's channels, kernel and stride; then a number n for Fire(before, n, 4 n, 4 n), "M" for a pooling.
_VERSIONS: dict[str, tuple[tuple[int, int], list[int | str]]] = {
    "1_0": ((96, 7), ["M", 16, 16, 32, "M", 32, 48, 48, 64, "M", 64]),
    "1_1": ((64, 3), ["M", 16, 16, "M", 32, 32, "M", 48, 48, 64, 64]),
}


class SqueezeNet(nn.Module):
    """Version "1_0" is the paper's, "1_1" as accurate with less than half the arithmetic; input (N, 3, H, W)."""

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.num_classes = num_classes
        if version not in _VERSIONS:
            raise ValueError(f"Unsupported SqueezeNet version {version}: 1_0 or 1_1 expected")
        (channels, kernel_size), plan = _VERSIONS[version]
        layers: list[nn.Module] = [nn.Conv2d(3, channels, kernel_size, stride=2), nn.ReLU(inplace=True)]
        for item in plan:
            if isinstance(item, str):
                layers.append(nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True))
            else:
                layers.append(Fire(channels, item, 4 * item, 4 * item))
                channels = 8 * item
        self.features = nn.Sequential(*layers)
        final_conv = nn.Conv2d(channels, num_classes, kernel_size=1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), final_conv, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1))
        )
        initialize(self.features, conv=nn.init.kaiming_uniform_)
        initialize(final_conv, conv=normal_001)

    def forward(self, x: Tensor) -> Tensor:
        return torch.flatten(self.classifier(self.features(x)), 1)


class SqueezeNet1_0_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("squeezenet1_0-b66bff10.pth", 1248424, (58.092, 80.42), 0.819, 4.778, min_size=(21, 21))
    DEFAULT = IMAGENET1K_V1


class SqueezeNet1_1_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("squeezenet1_1-b8a52dc0.pth", 1235496, (58.178, 80.624), 0.349, 4.729, min_size=(17, 17))
    DEFAULT = IMAGENET1K_V1


@builder
def squeezenet1_0(*, weights: SqueezeNet1_0_Weights | None = None, progress: bool = True, **kwargs: Any) -> SqueezeNet:
    """SqueezeNet as in the paper."""
    return build_model(SqueezeNet, weights, progress, kwargs, "1_0")


@builder
def squeezenet1_1(*, weights: SqueezeNet1_1_Weights | None = None, progress: bool = True, **kwargs: Any) -> SqueezeNet:
    """SqueezeNet 1.1: 2.4 times less arithmetic than 1.0, and slightly fewer parameters."""
    return build_model(SqueezeNet, weights, progress, kwargs, "1_1")
