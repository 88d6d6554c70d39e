"""EfficientNet (https://arxiv.org/abs/1905.11946) and EfficientNetV2 (https://arxiv.org/abs/2104.00298)."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import minitorch as torch
from minitorch import Tensor, nn

from ..ops.misc import Conv2dNormActivation, SqueezeExcitation
from ..ops.stochastic_depth import StochasticDepth
from ._api import WeightsEnum
from ._utils import _make_divisible, build_model, builder, initialize, kaiming_fan_out
from ._weights import imagenet

__all__ = [
    "EfficientNet",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "efficientnet_v2_s",
    "efficientnet_v2_m",
    "efficientnet_v2_l",
    "EfficientNet_B0_Weights",
    "EfficientNet_B1_Weights",
    "EfficientNet_B2_Weights",
    "EfficientNet_B3_Weights",
    "EfficientNet_B4_Weights",
    "EfficientNet_B5_Weights",
    "EfficientNet_B6_Weights",
    "EfficientNet_B7_Weights",
    "EfficientNet_V2_S_Weights",
    "EfficientNet_V2_M_Weights",
    "EfficientNet_V2_L_Weights",
]


@dataclass
class _MBConvConfig:
    """A stage: `num_layers` blocks, the first of which has the stride and changes the number of channels."""

    expand_ratio: float
    kernel: int
    stride: int
    input_channels: int
    out_channels: int
    num_layers: int
    block: Callable[..., nn.Module]

    @staticmethod
    def adjust_channels(channels: int, width_mult: float, min_value: int | None = None) -> int:
        return _make_divisible(channels * width_mult, 8, min_value)


class MBConvConfig(_MBConvConfig):
    """A stage of `MBConv`, `width_mult` times as wide and `depth_mult` times as deep (table 1 of the first paper)."""

    def __init__(
        self,
        expand_ratio: float,
        kernel: int,
        stride: int,
        input_channels: int,
        out_channels: int,
        num_layers: int,
        width_mult: float = 1.0,
        depth_mult: float = 1.0,
        block: Callable[..., nn.Module] | None = None,
    ) -> None:
        before, after = self.adjust_channels(input_channels, width_mult), self.adjust_channels(out_channels, width_mult)
        depth = self.adjust_depth(num_layers, depth_mult)
        super().__init__(expand_ratio, kernel, stride, before, after, depth, block or MBConv)

    @staticmethod
    def adjust_depth(num_layers: int, depth_mult: float) -> int:
        return math.ceil(num_layers * depth_mult)


class FusedMBConvConfig(_MBConvConfig):
    """A stage of `FusedMBConv` (table 4 of the second paper)."""

    def __init__(
        self,
        expand_ratio: float,
        kernel: int,
        stride: int,
        input_channels: int,
        out_channels: int,
        num_layers: int,
        block: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__(expand_ratio, kernel, stride, input_channels, out_channels, num_layers, block or FusedMBConv)


class _Residual(nn.Module):
    """What both blocks share: `self.block`, added to the input where shapes allow, left out at random in training."""

    def __init__(self, cnf: _MBConvConfig, stochastic_depth_prob: float, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        if not 1 <= cnf.stride <= 2:
            raise ValueError("illegal stride value")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.out_channels = cnf.out_channels

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        if self.use_res_connect:
            result = self.stochastic_depth(result)
            result += input
        return result


class MBConv(_Residual):
    """More channels, a convolution of each by itself, squeeze-and-excitation, few channels again."""

    def __init__(
        self,
        cnf: MBConvConfig,
        stochastic_depth_prob: float,
        norm_layer: Callable[..., nn.Module],
        se_layer: Callable[..., nn.Module] = SqueezeExcitation,
    ) -> None:
        block = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        channels = cnf.input_channels
        expanded = cnf.adjust_channels(channels, cnf.expand_ratio)
        layers: list[nn.Module] = []
        if expanded != channels:
            layers.append(block(channels, expanded, kernel_size=1))
        layers += [
            block(expanded, expanded, cnf.kernel, stride=cnf.stride, groups=expanded),
            se_layer(expanded, max(1, channels // 4), activation=partial(nn.SiLU, inplace=True)),
            block(expanded, cnf.out_channels, kernel_size=1, activation_layer=None),
        ]
        super().__init__(cnf, stochastic_depth_prob, layers)


class FusedMBConv(_Residual):
    """One ordinary convolution to more channels, then few channels again."""

    def __init__(
        self, cnf: FusedMBConvConfig, stochastic_depth_prob: float, norm_layer: Callable[..., nn.Module]
    ) -> None:
        block = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        channels = cnf.input_channels
        expanded = cnf.adjust_channels(channels, cnf.expand_ratio)
        first = expanded if expanded != channels else cnf.out_channels
        layers = [block(channels, first, cnf.kernel, stride=cnf.stride)]
        if expanded != channels:
            layers.append(block(expanded, cnf.out_channels, kernel_size=1, activation_layer=None))
        super().__init__(cnf, stochastic_depth_prob, layers)


class EfficientNet(nn.Module):
    """The stages of `inverted_residual_setting`, later blocks left out more often; input (N, 3, H, W)."""

    def __init__(
        self,
        inverted_residual_setting: Sequence[MBConvConfig | FusedMBConvConfig],
        dropout: float,
        stochastic_depth_prob: float = 0.2,
        num_classes: int = 1000,
        norm_layer: Callable[..., nn.Module] | None = None,
        last_channel: int | None = None,
    ) -> None:
        super().__init__()
        setting = inverted_residual_setting
        if not setting:
            raise ValueError("The inverted_residual_setting should not be empty")
        if not (isinstance(setting, Sequence) and all(isinstance(s, _MBConvConfig) for s in setting)):
            raise TypeError("The inverted_residual_setting should be List[MBConvConfig]")
        norm = norm_layer or nn.BatchNorm2d
        common: dict[str, Any] = dict(norm_layer=norm, activation_layer=nn.SiLU)
        layers: list[nn.Module] = [Conv2dNormActivation(3, setting[0].input_channels, stride=2, **common)]
        depth, total = 0, sum(cnf.num_layers for cnf in setting)
        for cnf in setting:
            stage: list[nn.Module] = []
            cnf = copy.copy(cnf)
            for _ in range(cnf.num_layers):
                stage.append(cnf.block(copy.copy(cnf), stochastic_depth_prob * depth / total, norm))
                cnf.input_channels, cnf.stride = cnf.out_channels, 1
                depth += 1
            layers.append(nn.Sequential(*stage))
        before = setting[-1].out_channels
        after = 4 * before if last_channel is None else last_channel
        layers.append(Conv2dNormActivation(before, after, kernel_size=1, **common))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout, inplace=True), nn.Linear(after, num_classes))
        bound = 1.0 / math.sqrt(num_classes)
        initialize(self, conv=kaiming_fan_out, linear=partial(nn.init.uniform_, a=-bound, b=bound))

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(x))
        return self.classifier(torch.flatten(x, 1))


# expand_ratio, kernel, stride, input channels, output channels, layers
_Row = tuple[int, int, int, int, int, int]
_B: list[_Row] = [
    (1, 3, 1, 32, 16, 1),
    (6, 3, 2, 16, 24, 2),
    (6, 5, 2, 24, 40, 2),
    (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4),
    (6, 3, 1, 192, 320, 1),
]
# For each arch of the second paper its fused stages and its others.
_V2: dict[str, tuple[list[_Row], list[_Row]]] = {
    "efficientnet_v2_s": (
        [(1, 3, 1, 24, 24, 2), (4, 3, 2, 24, 48, 4), (4, 3, 2, 48, 64, 4)],
        [(4, 3, 2, 64, 128, 6), (6, 3, 1, 128, 160, 9), (6, 3, 2, 160, 256, 15)],
    ),
    "efficientnet_v2_m": (
        [(1, 3, 1, 24, 24, 3), (4, 3, 2, 24, 48, 5), (4, 3, 2, 48, 80, 5)],
        [(4, 3, 2, 80, 160, 7), (6, 3, 1, 160, 176, 14), (6, 3, 2, 176, 304, 18), (6, 3, 1, 304, 512, 5)],
    ),
    "efficientnet_v2_l": (
        [(1, 3, 1, 32, 32, 4), (4, 3, 2, 32, 64, 7), (4, 3, 2, 64, 96, 7)],
        [(4, 3, 2, 96, 192, 10), (6, 3, 1, 192, 224, 19), (6, 3, 2, 224, 384, 25), (6, 3, 1, 384, 640, 7)],
    ),
}


def _efficientnet_conf(
    arch: str, width_mult: float = 1.0, depth_mult: float = 1.0
) -> tuple[list[MBConvConfig | FusedMBConvConfig], int | None]:
    if arch.startswith("efficientnet_b"):
        return [MBConvConfig(*row, width_mult=width_mult, depth_mult=depth_mult) for row in _B], None
    if arch not in _V2:
        raise ValueError(f"Unsupported model type {arch}")
    fused, others = _V2[arch]
    return [*[FusedMBConvConfig(*row) for row in fused], *[MBConvConfig(*row) for row in others]], 1280


def _efficientnet(
    arch: str,
    weights: WeightsEnum | None,
    progress: bool,
    kwargs: dict[str, Any],
    *,
    dropout: float,
    width_mult: float = 1.0,
    depth_mult: float = 1.0,
    **norm: Any,
) -> EfficientNet:
    setting, last_channel = _efficientnet_conf(arch, width_mult, depth_mult)
    kwargs.setdefault("last_channel", last_channel)
    if norm:
        kwargs.setdefault("norm_layer", partial(nn.BatchNorm2d, **norm))
    return build_model(EfficientNet, weights, progress, kwargs, setting, kwargs.pop("dropout", dropout))


class EfficientNet_B0_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b0_rwightman-7f5810bc.pth", 5288548, (77.692, 93.532), 0.386, 20.451, interpolation="bicubic"
    )
    DEFAULT = IMAGENET1K_V1


class EfficientNet_B1_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b1_rwightman-bac287d4.pth",
        7794184,
        (78.642, 94.186),
        0.687,
        30.134,
        crop_size=240,
        interpolation="bicubic",
    )
    IMAGENET1K_V2 = imagenet(
        "efficientnet_b1-c27df63c.pth", 7794184, (79.838, 94.934), 0.687, 30.136, crop_size=240, resize_size=255
    )
    DEFAULT = IMAGENET1K_V2


class EfficientNet_B2_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b2_rwightman-c35c1473.pth",
        9109994,
        (80.608, 95.31),
        1.088,
        35.174,
        crop_size=288,
        resize_size=288,
        interpolation="bicubic",
    )
    DEFAULT = IMAGENET1K_V1


class EfficientNet_B3_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b3_rwightman-b3899882.pth",
        12233232,
        (82.008, 96.054),
        1.827,
        47.184,
        crop_size=300,
        resize_size=320,
        interpolation="bicubic",
    )
    DEFAULT = IMAGENET1K_V1


class EfficientNet_B4_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b4_rwightman-23ab8bcd.pth",
        19341616,
        (83.384, 96.594),
        4.394,
        74.489,
        crop_size=380,
        resize_size=384,
        interpolation="bicubic",
    )
    DEFAULT = IMAGENET1K_V1


class EfficientNet_B5_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b5_lukemelas-1a07897c.pth",
        30389784,
        (83.444, 96.628),
        10.266,
        116.864,
        crop_size=456,
        resize_size=456,
        interpolation="bicubic",
    )
    DEFAULT = IMAGENET1K_V1


class EfficientNet_B6_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b6_lukemelas-24a108a5.pth",
        43040704,
        (84.008, 96.916),
        19.068,
        165.362,
        crop_size=528,
        resize_size=528,
        interpolation="bicubic",
    )
    DEFAULT = IMAGENET1K_V1


class EfficientNet_B7_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "efficientnet_b7_lukemelas-c5b4e57e.pth",
        66347960,
        (84.122, 96.908),
        37.746,
        254.675,
        crop_size=600,
        resize_size=600,
        interpolation="bicubic",
    )
    DEFAULT = IMAGENET1K_V1


imagenet_v2 = partial(imagenet, min_size=(33, 33))


class EfficientNet_V2_S_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet_v2(
        "efficientnet_v2_s-dd5fe13b.pth", 21458488, (84.228, 96.878), 8.366, 82.704, crop_size=384, resize_size=384
    )
    DEFAULT = IMAGENET1K_V1


class EfficientNet_V2_M_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet_v2(
        "efficientnet_v2_m-dc08266a.pth", 54139356, (85.112, 97.156), 24.582, 208.01, crop_size=480, resize_size=480
    )
    DEFAULT = IMAGENET1K_V1


class EfficientNet_V2_L_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet_v2(
        "efficientnet_v2_l-59c71312.pth",
        118515272,
        (85.808, 97.788),
        56.08,
        454.573,
        crop_size=480,
        resize_size=480,
        interpolation="bicubic",
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    )
    DEFAULT = IMAGENET1K_V1


_SMALL_BATCHES = dict(eps=0.001, momentum=0.01)  # the largest were trained with few pictures at a time


@builder
def efficientnet_b0(
    *, weights: EfficientNet_B0_Weights | None = None, progress: bool = True, **kwargs: Any
) -> EfficientNet:
    """EfficientNet B0."""
    return _efficientnet("efficientnet_b0", weights, progress, kwargs, dropout=0.2)


@builder
def efficientnet_b1(
    *, weights: EfficientNet_B1_Weights | None = None, progress: bool = True, **kwargs: Any
) -> EfficientNet:
    """EfficientNet B1."""
    return _efficientnet("efficientnet_b1", weights, progress, kwargs, dropout=0.2, depth_mult=1.1)


@builder
def efficientnet_b2(
    *, weights: EfficientNet_B2_Weights | None = None, progress: bool = True, **kwargs: Any
) -> EfficientNet:
    """EfficientNet B2."""
    return _efficientnet("efficientnet_b2", weights, progress, kwargs, dropout=0.3, width_mult=1.1, depth_mult=1.2)


@builder
def efficientnet_b3(
    *, weights: EfficientNet_B3_Weights | None = None, progress: bool = True, **kwargs: Any
) -> EfficientNet:
    """EfficientNet B3."""
    return _efficientnet("efficientnet_b3", weights, progress, kwargs, dropout=0.3, width_mult=1.2, depth_mult=1.4)


@builder
def efficientnet_b4(
    *, weights: EfficientNet_B4_Weights | None = None, progress: bool = True, **kwargs: Any
) -> EfficientNet:
    """EfficientNet B4."""
    return _efficientnet("efficientnet_b4", weights, progress, kwargs, dropout=0.4, width_mult=1.4, depth_mult=1.8)


@builder
def efficientnet_b5(
    *, weights: EfficientNet_B5_Weights | None = None, progress: bool = True, **kwargs: Any
) -> EfficientNet:
    """EfficientNet B5."""
    return _efficientnet(
        "efficientnet_b5", weights, progress, kwargs, dropout=0.4, width_mult=1.6, depth_mult=2.2, **_SMALL_BATCHES
    )


@builder
def efficientnet_b6(
    *, weights: EfficientNet_B6_Weights | None = None, progress: bool = True, **kwargs: Any
) -> EfficientNet:
    """EfficientNet B6."""
    return _efficientnet(
        "efficientnet_b6", weights, progress, kwargs, dropout=0.5, width_mult=1.8, depth_mult=2.6, **_SMALL_BATCHES
    )


@builder
def efficientnet_b7(
    *, weights: EfficientNet_B7_Weights | None = None, progress: bool = True, **kwargs: Any
) -> EfficientNet:
    """EfficientNet B7."""
    return _efficientnet(
        "efficientnet_b7", weights, progress, kwargs, dropout=0.5, width_mult=2.0, depth_mult=3.1, **_SMALL_BATCHES
    )


@builder
def efficientnet_v2_s(
    *, weights: EfficientNet_V2_S_Weights | None = None, progress: bool = True, **kwargs: Any
) -> EfficientNet:
    """EfficientNetV2 S."""
    return _efficientnet("efficientnet_v2_s", weights, progress, kwargs, dropout=0.2, eps=0.001)


@builder
def efficientnet_v2_m(
    *, weights: EfficientNet_V2_M_Weights | None = None, progress: bool = True, **kwargs: Any
) -> EfficientNet:
    """EfficientNetV2 M."""
    return _efficientnet("efficientnet_v2_m", weights, progress, kwargs, dropout=0.3, eps=0.001)


@builder
def efficientnet_v2_l(
    *, weights: EfficientNet_V2_L_Weights | None = None, progress: bool = True, **kwargs: Any
) -> EfficientNet:
    """EfficientNetV2 L."""
    return _efficientnet("efficientnet_v2_l", weights, progress, kwargs, dropout=0.4, eps=0.001)
