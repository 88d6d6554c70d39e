"""MobileNetV2: "Inverted Residuals and Linear Bottlenecks" (https://arxiv.org/abs/1801.04381)."""

from collections.abc import Callable
from typing import Any

import minitorch as torch
import minitorch.nn.functional as F
from minitorch import Tensor, nn

from ..ops.misc import Conv2dNormActivation
from ._api import WeightsEnum
from ._utils import _make_divisible, build_model, builder, initialize, kaiming_fan_out, normal_001
from ._weights import imagenet

__all__ = ["MobileNetV2", "MobileNet_V2_Weights", "mobilenet_v2"]


class InvertedResidual(nn.Module):
    """`expand_ratio` times as many channels, a 3x3 convolution of each by itself, then few channels again."""

    def __init__(
        self,
        inp: int,
        oup: int,
        stride: int,
        expand_ratio: int,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        norm = norm_layer or nn.BatchNorm2d
        hidden = round(inp * expand_ratio)
        common: dict[str, Any] = dict(norm_layer=norm, activation_layer=nn.ReLU6)
        layers: list[nn.Module] = []
        if expand_ratio != 1:
            layers.append(Conv2dNormActivation(inp, hidden, kernel_size=1, **common))
        layers += [
            Conv2dNormActivation(hidden, hidden, stride=stride, groups=hidden, **common),
            *(nn.Conv2d(hidden, oup, 1, 1, 0, bias=False), norm(oup)),
        ]
        self.conv = nn.Sequential(*layers)
        self.stride = stride
        self.use_res_connect = stride == 1 and inp == oup
        self.out_channels = oup

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


# Table 2 of the paper: expand_ratio, channels, repeats, stride of the first.
_SETTING = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
]


class MobileNetV2(nn.Module):
    """Inverted residuals in the order of `inverted_residual_setting`; input (N, 3, H, W).

    >>> MobileNetV2(num_classes=10, width_mult=0.25).eval()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: list[list[int]] | None = None,
        round_nearest: int = 8,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Callable[..., nn.Module] | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        block = block or InvertedResidual
        norm = norm_layer or nn.BatchNorm2d
        setting = _SETTING if inverted_residual_setting is None else inverted_residual_setting
        if len(setting) == 0 or len(setting[0]) != 4:
            raise ValueError(f"inverted_residual_setting should be non-empty or a 4-element list, got {setting}")
        channels = _make_divisible(32 * width_mult, round_nearest)
        self.last_channel = _make_divisible(1280 * max(1.0, width_mult), round_nearest)
        common: dict[str, Any] = dict(norm_layer=norm, activation_layer=nn.ReLU6)
        features: list[nn.Module] = [Conv2dNormActivation(3, channels, stride=2, **common)]
        for expand_ratio, c, repeats, stride in setting:
            after = _make_divisible(c * width_mult, round_nearest)
            for i in range(repeats):
                features.append(
                    block(channels, after, stride if i == 0 else 1, expand_ratio=expand_ratio, norm_layer=norm)
                )
                channels = after
        features.append(Conv2dNormActivation(channels, self.last_channel, kernel_size=1, **common))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout), nn.Linear(self.last_channel, num_classes))
        initialize(self, conv=kaiming_fan_out, linear=normal_001)

    def forward(self, x: Tensor) -> Tensor:
        x = F.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(torch.flatten(x, 1))


class MobileNet_V2_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("mobilenet_v2-b0353104.pth", 3504872, (71.878, 90.286), 0.301, 13.555)
    IMAGENET1K_V2 = imagenet("mobilenet_v2-7ebf99e0.pth", 3504872, (72.154, 90.822), 0.301, 13.598, resize_size=232)
    DEFAULT = IMAGENET1K_V2


@builder
def mobilenet_v2(*, weights: MobileNet_V2_Weights | None = None, progress: bool = True, **kwargs: Any) -> MobileNetV2:
    """MobileNetV2."""
    return build_model(MobileNetV2, weights, progress, kwargs)
