"""RegNet: "Designing Network Design Spaces" (https://arxiv.org/abs/2003.13678)."""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from typing import Any

import minitorch as torch
from minitorch import Tensor, nn

from ..ops.misc import Conv2dNormActivation, SqueezeExcitation
from ._api import WeightsEnum
from ._utils import _make_divisible, build_model, builder, initialize, normal_001
from ._weights import SWAG, imagenet

__all__ = [
    "RegNet",
    "regnet_y_400mf",
    "regnet_y_800mf",
    "regnet_y_1_6gf",
    "regnet_y_3_2gf",
    "regnet_y_8gf",
    "regnet_y_16gf",
    "regnet_y_32gf",
    "regnet_y_128gf",
    "regnet_x_400mf",
    "regnet_x_800mf",
    "regnet_x_1_6gf",
    "regnet_x_3_2gf",
    "regnet_x_8gf",
    "regnet_x_16gf",
    "regnet_x_32gf",
    "RegNet_Y_400MF_Weights",
    "RegNet_Y_800MF_Weights",
    "RegNet_Y_1_6GF_Weights",
    "RegNet_Y_3_2GF_Weights",
    "RegNet_Y_8GF_Weights",
    "RegNet_Y_16GF_Weights",
    "RegNet_Y_32GF_Weights",
    "RegNet_Y_128GF_Weights",
    "RegNet_X_400MF_Weights",
    "RegNet_X_800MF_Weights",
    "RegNet_X_1_6GF_Weights",
    "RegNet_X_3_2GF_Weights",
    "RegNet_X_8GF_Weights",
    "RegNet_X_16GF_Weights",
    "RegNet_X_32GF_Weights",
]

Layer = Callable[..., nn.Module]


class SimpleStemIN(Conv2dNormActivation):
    """A 3x3 convolution that halves the size, a norm and an activation."""

    def __init__(self, width_in: int, width_out: int, norm_layer: Layer, activation_layer: Layer) -> None:
        super().__init__(
            width_in, width_out, kernel_size=3, stride=2, norm_layer=norm_layer, activation_layer=activation_layer
        )


class BottleneckTransform(nn.Sequential):
    """Convolutions of 1x1, grouped 3x3 and 1x1, with squeeze-and-excitation before the last if `se_ratio` is given."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        stride: int,
        norm_layer: Layer,
        activation_layer: Layer,
        group_width: int,
        bottleneck_multiplier: float,
        se_ratio: float | None,
    ) -> None:
        width = round(width_out * bottleneck_multiplier)
        block = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=activation_layer)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["a"] = block(width_in, width, kernel_size=1)
        layers["b"] = block(width, width, kernel_size=3, stride=stride, groups=width // group_width)
        if se_ratio:
            layers["se"] = SqueezeExcitation(width, round(se_ratio * width_in), activation=activation_layer)
        layers["c"] = block(width, width_out, kernel_size=1, activation_layer=None)
        super().__init__(layers)


class ResBottleneckBlock(nn.Module):
    """`BottleneckTransform` added to the input, which is projected where shapes differ."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        stride: int,
        norm_layer: Layer,
        activation_layer: Layer,
        group_width: int = 1,
        bottleneck_multiplier: float = 1.0,
        se_ratio: float | None = None,
    ) -> None:
        super().__init__()
        self.proj: nn.Module | None = None
        if width_in != width_out or stride != 1:
            self.proj = Conv2dNormActivation(
                width_in, width_out, kernel_size=1, stride=stride, norm_layer=norm_layer, activation_layer=None
            )
        layers = (norm_layer, activation_layer)
        self.f = BottleneckTransform(width_in, width_out, stride, *layers, group_width, bottleneck_multiplier, se_ratio)
        self.activation = activation_layer(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation((x if self.proj is None else self.proj(x)) + self.f(x))


class AnyStage(nn.Sequential):
    """`depth` blocks, the first of which has the stride and changes the width."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        stride: int,
        depth: int,
        block_constructor: Layer,
        norm_layer: Layer,
        activation_layer: Layer,
        group_width: int,
        bottleneck_multiplier: float,
        se_ratio: float | None = None,
        stage_index: int = 0,
    ) -> None:
        super().__init__()
        common = (norm_layer, activation_layer, group_width, bottleneck_multiplier, se_ratio)
        for i in range(depth):
            block = block_constructor(width_in if i == 0 else width_out, width_out, stride if i == 0 else 1, *common)
            self.add_module(f"block{stage_index}-{i}", block)


class BlockParams:
    """Depth, width, group width, bottleneck and stride of each stage."""

    def __init__(
        self,
        depths: list[int],
        widths: list[int],
        group_widths: list[int],
        bottleneck_multipliers: list[float],
        strides: list[int],
        se_ratio: float | None = None,
    ) -> None:
        self.depths = depths
        self.widths = widths
        self.group_widths = group_widths
        self.bottleneck_multipliers = bottleneck_multipliers
        self.strides = strides
        self.se_ratio = se_ratio

    @classmethod
    def from_init_params(
        cls,
        depth: int,
        w_0: int,
        w_a: float,
        w_m: float,
        group_width: int,
        bottleneck_multiplier: float = 1.0,
        se_ratio: float | None = None,
        **kwargs: Any,
    ) -> "BlockParams":
        """Widths that grow with slope `w_a` from `w_0`, each rounded to w_0 times a power of `w_m` (section 3.3)."""
        if w_a < 0 or w_0 <= 0 or w_m <= 1 or w_0 % 8 != 0:
            raise ValueError("Invalid RegNet settings")
        powers = [round(math.log((i * w_a + w_0) / w_0) / math.log(w_m)) for i in range(depth)]
        blocks = [round(w_0 * w_m**power / 8) * 8 for power in powers]
        widths, depths = zip(*[(width, len(list(same))) for width, same in groupby(blocks)])
        n = len(widths)
        multipliers = [bottleneck_multiplier] * n
        stage_widths, groups = cls._adjust_widths_groups_compatibilty([*widths], multipliers, [group_width] * n)
        return cls([*depths], stage_widths, groups, multipliers, [2] * n, se_ratio)

    def _get_expanded_params(self) -> Iterator[tuple[int, int, int, int, float]]:
        return zip(self.widths, self.strides, self.depths, self.group_widths, self.bottleneck_multipliers)

    @staticmethod
    def _adjust_widths_groups_compatibilty(
        stage_widths: list[int], bottleneck_ratios: list[float], group_widths: list[int]
    ) -> tuple[list[int], list[int]]:
        """Widths that their groups divide, and groups no wider than what they divide."""
        widths = [int(w * b) for w, b in zip(stage_widths, bottleneck_ratios)]
        groups = [min(g, w) for g, w in zip(group_widths, widths)]
        widths = [_make_divisible(w, g) for w, g in zip(widths, groups)]
        return [int(w / b) for w, b in zip(widths, bottleneck_ratios)], groups


class RegNet(nn.Module):
    """The stages that `block_params` describe; input (N, 3, H, W)."""

    def __init__(
        self,
        block_params: BlockParams,
        num_classes: int = 1000,
        stem_width: int = 32,
        stem_type: Layer | None = None,
        block_type: Layer | None = None,
        norm_layer: Layer | None = None,
        activation: Layer | None = None,
    ) -> None:
        super().__init__()
        norm, activation = norm_layer or nn.BatchNorm2d, activation or nn.ReLU
        block_type = block_type or ResBottleneckBlock
        self.stem = (stem_type or SimpleStemIN)(3, stem_width, norm, activation)
        before = stem_width
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        for i, (width, stride, depth, group, multiplier) in enumerate(block_params._get_expanded_params(), 1):
            common = (block_type, norm, activation, group, multiplier, block_params.se_ratio)
            stages[f"block{i}"] = AnyStage(before, width, stride, depth, *common, stage_index=i)
            before = width
        self.trunk_output = nn.Sequential(stages)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(in_features=before, out_features=num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):  # those within squeeze-and-excitation keep their first biases
                fan_out = m.kernel_size[0] * m.kernel_size[1] * m.out_channels
                nn.init.normal_(m.weight, mean=0.0, std=math.sqrt(2.0 / fan_out))
        initialize(self.fc, linear=normal_001)

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.trunk_output(self.stem(x)))
        return self.fc(torch.flatten(x, 1))


def _regnet(settings: dict[str, Any], weights: WeightsEnum | None, progress: bool, kwargs: dict[str, Any]) -> RegNet:
    return build_model(RegNet, weights, progress, kwargs, BlockParams.from_init_params(**settings))


class RegNet_Y_400MF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("regnet_y_400mf-c65dace8.pth", 4344144, (74.046, 91.716), 0.402, 16.806)
    IMAGENET1K_V2 = imagenet("regnet_y_400mf-e6988f5f.pth", 4344144, (75.804, 92.742), 0.402, 16.806, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_Y_800MF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("regnet_y_800mf-1b27b58c.pth", 6432512, (76.42, 93.136), 0.834, 24.774)
    IMAGENET1K_V2 = imagenet("regnet_y_800mf-58fc7688.pth", 6432512, (78.828, 94.502), 0.834, 24.774, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_Y_1_6GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("regnet_y_1_6gf-b11a554e.pth", 11202430, (77.95, 93.966), 1.612, 43.152)
    IMAGENET1K_V2 = imagenet("regnet_y_1_6gf-0d7bc02a.pth", 11202430, (80.876, 95.444), 1.612, 43.152, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_Y_3_2GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("regnet_y_3_2gf-b5a9779c.pth", 19436338, (78.948, 94.576), 3.176, 74.567)
    IMAGENET1K_V2 = imagenet("regnet_y_3_2gf-9180c971.pth", 19436338, (81.982, 95.972), 3.176, 74.567, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_Y_8GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("regnet_y_8gf-d0d0e4a8.pth", 39381472, (80.032, 95.048), 8.473, 150.701)
    IMAGENET1K_V2 = imagenet("regnet_y_8gf-dc2b1b54.pth", 39381472, (82.828, 96.33), 8.473, 150.701, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_Y_16GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("regnet_y_16gf-9e6ed7dd.pth", 83590140, (80.424, 95.24), 15.912, 319.49)
    IMAGENET1K_V2 = imagenet("regnet_y_16gf-3e4a00f9.pth", 83590140, (82.886, 96.328), 15.912, 319.49, resize_size=232)
    IMAGENET1K_SWAG_E2E_V1 = imagenet(
        "regnet_y_16gf_swag-43afe44d.pth",
        83590140,
        (86.012, 98.054),
        46.735,
        319.49,
        crop_size=384,
        resize_size=384,
        interpolation="bicubic",
        license=SWAG,
    )
    IMAGENET1K_SWAG_LINEAR_V1 = imagenet(
        "regnet_y_16gf_lc_swag-f3ec0043.pth",
        83590140,
        (83.976, 97.244),
        15.912,
        319.49,
        resize_size=224,
        interpolation="bicubic",
        license=SWAG,
    )
    DEFAULT = IMAGENET1K_V2


class RegNet_Y_32GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("regnet_y_32gf-4dee3f7a.pth", 145046770, (80.878, 95.34), 32.28, 554.076)
    IMAGENET1K_V2 = imagenet("regnet_y_32gf-8db6d4b5.pth", 145046770, (83.368, 96.498), 32.28, 554.076, resize_size=232)
    IMAGENET1K_SWAG_E2E_V1 = imagenet(
        "regnet_y_32gf_swag-04fdfa75.pth",
        145046770,
        (86.838, 98.362),
        94.826,
        554.076,
        crop_size=384,
        resize_size=384,
        interpolation="bicubic",
        license=SWAG,
    )
    IMAGENET1K_SWAG_LINEAR_V1 = imagenet(
        "regnet_y_32gf_lc_swag-e1583746.pth",
        145046770,
        (84.622, 97.48),
        32.28,
        554.076,
        resize_size=224,
        interpolation="bicubic",
        license=SWAG,
    )
    DEFAULT = IMAGENET1K_V2


class RegNet_Y_128GF_Weights(WeightsEnum):
    IMAGENET1K_SWAG_E2E_V1 = imagenet(
        "regnet_y_128gf_swag-c8ce3e52.pth",
        644812894,
        (88.228, 98.682),
        374.57,
        2461.564,
        crop_size=384,
        resize_size=384,
        interpolation="bicubic",
        license=SWAG,
    )
    IMAGENET1K_SWAG_LINEAR_V1 = imagenet(
        "regnet_y_128gf_lc_swag-cbe8ce12.pth",
        644812894,
        (86.068, 97.844),
        127.518,
        2461.564,
        resize_size=224,
        interpolation="bicubic",
        license=SWAG,
    )
    DEFAULT = IMAGENET1K_SWAG_E2E_V1


class RegNet_X_400MF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("regnet_x_400mf-adf1edd5.pth", 5495976, (72.834, 90.95), 0.414, 21.258)
    IMAGENET1K_V2 = imagenet("regnet_x_400mf-62229a5f.pth", 5495976, (74.864, 92.322), 0.414, 21.257, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_X_800MF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("regnet_x_800mf-ad17e45c.pth", 7259656, (75.212, 92.348), 0.8, 27.945)
    IMAGENET1K_V2 = imagenet("regnet_x_800mf-94a99ebd.pth", 7259656, (77.522, 93.826), 0.8, 27.945, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_X_1_6GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("regnet_x_1_6gf-e3633e7f.pth", 9190136, (77.04, 93.44), 1.603, 35.339)
    IMAGENET1K_V2 = imagenet("regnet_x_1_6gf-a12f2b72.pth", 9190136, (79.668, 94.922), 1.603, 35.339, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_X_3_2GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("regnet_x_3_2gf-f342aeae.pth", 15296552, (78.364, 93.992), 3.177, 58.756)
    IMAGENET1K_V2 = imagenet("regnet_x_3_2gf-7071aa85.pth", 15296552, (81.196, 95.43), 3.177, 58.756, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_X_8GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("regnet_x_8gf-03ceed89.pth", 39572648, (79.344, 94.686), 7.995, 151.456)
    IMAGENET1K_V2 = imagenet("regnet_x_8gf-2b70d774.pth", 39572648, (81.682, 95.678), 7.995, 151.456, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_X_16GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("regnet_x_16gf-2007eb11.pth", 54278536, (80.058, 94.944), 15.941, 207.627)
    IMAGENET1K_V2 = imagenet("regnet_x_16gf-ba3796d7.pth", 54278536, (82.716, 96.196), 15.941, 207.627, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class RegNet_X_32GF_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("regnet_x_32gf-9d47f8d0.pth", 107811560, (80.622, 95.248), 31.736, 412.039)
    IMAGENET1K_V2 = imagenet(
        "regnet_x_32gf-6eb8fdc6.pth", 107811560, (83.014, 96.288), 31.736, 412.039, resize_size=232
    )
    DEFAULT = IMAGENET1K_V2


# Tables 8 and 9 of the paper.
def _y(depth: int, w_0: int, w_a: float, w_m: float, group_width: int) -> dict[str, Any]:
    return {**_x(depth, w_0, w_a, w_m, group_width), "se_ratio": 0.25}


def _x(depth: int, w_0: int, w_a: float, w_m: float, group_width: int) -> dict[str, Any]:
    return dict(depth=depth, w_0=w_0, w_a=w_a, w_m=w_m, group_width=group_width)


@builder
def regnet_y_400mf(*, weights: RegNet_Y_400MF_Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 400 MFLOPs."""
    return _regnet(_y(16, 48, 27.89, 2.09, 8), weights, progress, kwargs)


@builder
def regnet_y_800mf(*, weights: RegNet_Y_800MF_Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 800 MFLOPs."""
    return _regnet(_y(14, 56, 38.84, 2.4, 16), weights, progress, kwargs)


@builder
def regnet_y_1_6gf(*, weights: RegNet_Y_1_6GF_Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 1.6 GFLOPs."""
    return _regnet(_y(27, 48, 20.71, 2.65, 24), weights, progress, kwargs)


@builder
def regnet_y_3_2gf(*, weights: RegNet_Y_3_2GF_Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 3.2 GFLOPs."""
    return _regnet(_y(21, 80, 42.63, 2.66, 24), weights, progress, kwargs)


@builder
def regnet_y_8gf(*, weights: RegNet_Y_8GF_Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 8 GFLOPs."""
    return _regnet(_y(17, 192, 76.82, 2.19, 56), weights, progress, kwargs)


@builder
def regnet_y_16gf(*, weights: RegNet_Y_16GF_Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 16 GFLOPs."""
    return _regnet(_y(18, 200, 106.23, 2.48, 112), weights, progress, kwargs)


@builder
def regnet_y_32gf(*, weights: RegNet_Y_32GF_Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 32 GFLOPs."""
    return _regnet(_y(20, 232, 115.89, 2.53, 232), weights, progress, kwargs)


@builder
def regnet_y_128gf(*, weights: RegNet_Y_128GF_Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 128 GFLOPs."""
    return _regnet(_y(27, 456, 160.83, 2.52, 264), weights, progress, kwargs)


@builder
def regnet_x_400mf(*, weights: RegNet_X_400MF_Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetX of 400 MFLOPs."""
    return _regnet(_x(22, 24, 24.48, 2.54, 16), weights, progress, kwargs)


@builder
def regnet_x_800mf(*, weights: RegNet_X_800MF_Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetX of 800 MFLOPs."""
    return _regnet(_x(16, 56, 35.73, 2.28, 16), weights, progress, kwargs)


@builder
def regnet_x_1_6gf(*, weights: RegNet_X_1_6GF_Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetX of 1.6 GFLOPs."""
    return _regnet(_x(18, 80, 34.01, 2.25, 24), weights, progress, kwargs)


@builder
def regnet_x_3_2gf(*, weights: RegNet_X_3_2GF_Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetX of 3.2 GFLOPs."""
    return _regnet(_x(25, 88, 26.31, 2.25, 48), weights, progress, kwargs)


@builder
def regnet_x_8gf(*, weights: RegNet_X_8GF_Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetX of 8 GFLOPs."""
    return _regnet(_x(23, 80, 49.56, 2.88, 120), weights, progress, kwargs)


@builder
def regnet_x_16gf(*, weights: RegNet_X_16GF_Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetX of 16 GFLOPs."""
    return _regnet(_x(22, 216, 55.59, 2.1, 128), weights, progress, kwargs)


@builder
def regnet_x_32gf(*, weights: RegNet_X_32GF_Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetX of 32 GFLOPs."""
    return _regnet(_x(23, 320, 69.86, 2.0, 168), weights, progress, kwargs)
