"""MobileNetV3: "Searching for MobileNetV3" (https://arxiv.org/abs/1905.02244)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import minitorch as torch
from minitorch import Tensor, nn

from ..ops.misc import Conv2dNormActivation, SqueezeExcitation
from ._api import WeightsEnum
from ._utils import _make_divisible, build_model, builder, initialize, kaiming_fan_out, normal_001
from ._weights import imagenet

__all__ = [
    "MobileNetV3",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "MobileNet_V3_Large_Weights",
    "MobileNet_V3_Small_Weights",
]


class InvertedResidualConfig:
    """A row of tables 1 and 2 of the paper, its channels times `width_mult`; activation "RE" or "HS"."""

    def __init__(
        self,
        input_channels: int,
        kernel: int,
        expanded_channels: int,
        out_channels: int,
        use_se: bool,
        activation: str,
        stride: int,
        dilation: int,
        width_mult: float,
    ) -> None:
        self.input_channels = self.adjust_channels(input_channels, width_mult)
        self.kernel = kernel
        self.expanded_channels = self.adjust_channels(expanded_channels, width_mult)
        self.out_channels = self.adjust_channels(out_channels, width_mult)
        self.use_se = use_se
        self.use_hs = activation == "HS"
        self.stride = stride
        self.dilation = dilation

    @staticmethod
    def adjust_channels(channels: int, width_mult: float) -> int:
        return _make_divisible(channels * width_mult, 8)


_HardSqueezeExcitation = partial(SqueezeExcitation, scale_activation=nn.Hardsigmoid)


class InvertedResidual(nn.Module):
    """More channels, a convolution of each by itself, squeeze-and-excitation if wanted, few channels again."""

    def __init__(
        self,
        cnf: InvertedResidualConfig,
        norm_layer: Callable[..., nn.Module],
        se_layer: Callable[..., nn.Module] = _HardSqueezeExcitation,
    ) -> None:
        super().__init__()
        if not 1 <= cnf.stride <= 2:
            raise ValueError("illegal stride value")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        expanded = cnf.expanded_channels
        block = partial(
            Conv2dNormActivation,
            norm_layer=norm_layer,
            activation_layer=nn.Hardswish if cnf.use_hs else nn.ReLU,
        )
        layers: list[nn.Module] = []
        if expanded != cnf.input_channels:
            layers.append(block(cnf.input_channels, expanded, kernel_size=1))
        stride = 1 if cnf.dilation > 1 else cnf.stride
        layers.append(block(expanded, expanded, cnf.kernel, stride=stride, dilation=cnf.dilation, groups=expanded))
        if cnf.use_se:
            layers.append(se_layer(expanded, _make_divisible(expanded // 4, 8)))
        layers.append(block(expanded, cnf.out_channels, kernel_size=1, activation_layer=None))
        self.block = nn.Sequential(*layers)
        self.out_channels = cnf.out_channels
        self._is_cn = cnf.stride > 1  # where the size shrinks: segmentation models look for it

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        if self.use_res_connect:
            result += input
        return result


class MobileNetV3(nn.Module):
    """Inverted residuals in the order of `inverted_residual_setting`; input (N, 3, H, W)."""

    def __init__(
        self,
        inverted_residual_setting: list[InvertedResidualConfig],
        last_channel: int,
        num_classes: int = 1000,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Callable[..., nn.Module] | None = None,
        dropout: float = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        setting = inverted_residual_setting
        if not setting:
            raise ValueError("The inverted_residual_setting should not be empty")
        if not (isinstance(setting, Sequence) and all(isinstance(s, InvertedResidualConfig) for s in setting)):
            raise TypeError("The inverted_residual_setting should be List[InvertedResidualConfig]")
        block = block or InvertedResidual
        norm = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        common: dict[str, Any] = dict(norm_layer=norm, activation_layer=nn.Hardswish)
        before, after = setting[-1].out_channels, 6 * setting[-1].out_channels
        self.features = nn.Sequential(
            Conv2dNormActivation(3, setting[0].input_channels, kernel_size=3, stride=2, **common),
            *[block(cnf, norm) for cnf in setting],
            Conv2dNormActivation(before, after, kernel_size=1, **common),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(after, last_channel),
            nn.Hardswish(inplace=True),
            nn.Dropout(p=dropout, inplace=True),
            nn.Linear(last_channel, num_classes),
        )
        initialize(self, conv=kaiming_fan_out, linear=normal_001)

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(x))
        return self.classifier(torch.flatten(x, 1))


# Each row: input, kernel, expanded and output channels, squeeze-and-excitation, activation, stride. The last three rows
# and the last number are the tail, which `reduced_tail` halves and `dilated` dilates instead of striding.
_CONFIGURATIONS: dict[str, tuple[list[tuple[int, int, int, int, bool, str, int]], int]] = {
    "mobilenet_v3_large": (
        [
            (16, 3, 16, 16, False, "RE", 1),
            (16, 3, 64, 24, False, "RE", 2),
            (24, 3, 72, 24, False, "RE", 1),
            (24, 5, 72, 40, True, "RE", 2),
            (40, 5, 120, 40, True, "RE", 1),
            (40, 5, 120, 40, True, "RE", 1),
            (40, 3, 240, 80, False, "HS", 2),
            (80, 3, 200, 80, False, "HS", 1),
            (80, 3, 184, 80, False, "HS", 1),
            (80, 3, 184, 80, False, "HS", 1),
            (80, 3, 480, 112, True, "HS", 1),
            (112, 3, 672, 112, True, "HS", 1),
            (112, 5, 672, 160, True, "HS", 2),
            (160, 5, 960, 160, True, "HS", 1),
            (160, 5, 960, 160, True, "HS", 1),
        ],
        1280,
    ),
    "mobilenet_v3_small": (
        [
            (16, 3, 16, 16, True, "RE", 2),
            (16, 3, 72, 24, False, "RE", 2),
            (24, 3, 88, 24, False, "RE", 1),
            (24, 5, 96, 40, True, "HS", 2),
            (40, 5, 240, 40, True, "HS", 1),
            (40, 5, 240, 40, True, "HS", 1),
            (40, 5, 120, 48, True, "HS", 1),
            (48, 5, 144, 48, True, "HS", 1),
            (48, 5, 288, 96, True, "HS", 2),
            (96, 5, 576, 96, True, "HS", 1),
            (96, 5, 576, 96, True, "HS", 1),
        ],
        1024,
    ),
}


def _mobilenet_v3_conf(
    arch: str, width_mult: float = 1.0, reduced_tail: bool = False, dilated: bool = False, **kwargs: Any
) -> tuple[list[InvertedResidualConfig], int]:
    if arch not in _CONFIGURATIONS:
        raise ValueError(f"Unsupported model type {arch}")
    rows, last_channel = _CONFIGURATIONS[arch]
    divider, dilation = 2 if reduced_tail else 1, 2 if dilated else 1
    setting = []
    for i, (before, kernel, expanded, after, use_se, activation, stride) in enumerate(rows, -len(rows)):
        tail = i >= -3
        if tail:
            after //= divider
        if i >= -2:
            before, expanded = before // divider, expanded // divider
        how = (use_se, activation, stride, dilation if tail else 1, width_mult)
        setting.append(InvertedResidualConfig(before, kernel, expanded, after, *how))
    return setting, InvertedResidualConfig.adjust_channels(last_channel // divider, width_mult)


def _mobilenet_v3(arch: str, weights: WeightsEnum | None, progress: bool, kwargs: dict[str, Any]) -> MobileNetV3:
    return build_model(MobileNetV3, weights, progress, kwargs, *_mobilenet_v3_conf(arch, **kwargs))


class MobileNet_V3_Large_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("mobilenet_v3_large-8738ca79.pth", 5483032, (74.042, 91.34), 0.217, 21.114)
    IMAGENET1K_V2 = imagenet(
        "mobilenet_v3_large-5c1a4163.pth", 5483032, (75.274, 92.566), 0.217, 21.107, resize_size=232
    )
    DEFAULT = IMAGENET1K_V2


class MobileNet_V3_Small_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("mobilenet_v3_small-047dcff4.pth", 2542856, (67.668, 87.402), 0.057, 9.829)
    DEFAULT = IMAGENET1K_V1


@builder
def mobilenet_v3_large(
    *, weights: MobileNet_V3_Large_Weights | None = None, progress: bool = True, **kwargs: Any
) -> MobileNetV3:
    """MobileNetV3, the large one."""
    return _mobilenet_v3("mobilenet_v3_large", weights, progress, kwargs)


@builder
def mobilenet_v3_small(
    *, weights: MobileNet_V3_Small_Weights | None = None, progress: bool = True, **kwargs: Any
) -> MobileNetV3:
    """MobileNetV3, the small one."""
    return _mobilenet_v3("mobilenet_v3_small", weights, progress, kwargs)
