"""ConvNeXt: "A ConvNet for the 2020s" (https://arxiv.org/abs/2201.03545)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import minitorch as torch
import minitorch.nn.functional as F
from minitorch import Tensor, nn

from ..ops.misc import Conv2dNormActivation, Permute
from ..ops.stochastic_depth import StochasticDepth
from ._api import WeightsEnum
from ._utils import build_model, builder, initialize
from ._weights import imagenet as _imagenet

__all__ = [
    "ConvNeXt",
    "convnext_tiny",
    "convnext_small",
    "convnext_base",
    "convnext_large",
    "ConvNeXt_Tiny_Weights",
    "ConvNeXt_Small_Weights",
    "ConvNeXt_Base_Weights",
    "ConvNeXt_Large_Weights",
]


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class CNBlock(nn.Module):
    """A 7x7 convolution of each channel by itself, then two linear layers over channels; scaled, added to the input."""

    def __init__(
        self,
        dim: int,
        layer_scale: float,
        stochastic_depth_prob: float,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or partial(nn.LayerNorm, eps=1e-6)
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim, bias=True),
            Permute([0, 2, 3, 1]),
            norm(dim),
            nn.Linear(in_features=dim, out_features=4 * dim, bias=True),
            nn.GELU(),
            nn.Linear(in_features=4 * dim, out_features=dim, bias=True),
            Permute([0, 3, 1, 2]),
        )
        self.layer_scale = nn.Parameter(torch.ones(dim, 1, 1) * layer_scale)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, input: Tensor) -> Tensor:
        result = self.stochastic_depth(self.layer_scale * self.block(input))
        result += input
        return result


class CNBlockConfig:
    """A stage: its channels, those of the next stage (None for the last), and the number of blocks."""

    def __init__(self, input_channels: int, out_channels: int | None, num_layers: int) -> None:
        self.input_channels = input_channels
        self.out_channels = out_channels
        self.num_layers = num_layers

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in vars(self).items())})"


class ConvNeXt(nn.Module):
    """The stages of `block_setting`, each half the size of the one before; input (N, 3, H, W), at least 32."""

    def __init__(
        self,
        block_setting: list[CNBlockConfig],
        stochastic_depth_prob: float = 0.0,
        layer_scale: float = 1e-6,
        num_classes: int = 1000,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Callable[..., nn.Module] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if not block_setting:
            raise ValueError("The block_setting should not be empty")
        if not (isinstance(block_setting, Sequence) and all(isinstance(s, CNBlockConfig) for s in block_setting)):
            raise TypeError("The block_setting should be List[CNBlockConfig]")
        block = block or CNBlock
        norm = norm_layer or partial(LayerNorm2d, eps=1e-6)
        patches: dict[str, Any] = dict(
            kernel_size=4, stride=4, padding=0, norm_layer=norm, activation_layer=None, bias=True
        )
        layers: list[nn.Module] = [Conv2dNormActivation(3, block_setting[0].input_channels, **patches)]
        depth, total = 0, sum(cnf.num_layers for cnf in block_setting)
        channels = block_setting[0].input_channels
        for cnf in block_setting:
            channels = cnf.input_channels
            stage: list[nn.Module] = []
            for _ in range(cnf.num_layers):
                stage.append(block(channels, layer_scale, stochastic_depth_prob * depth / (total - 1.0)))
                depth += 1
            layers.append(nn.Sequential(*stage))
            if cnf.out_channels is not None:
                smaller = nn.Conv2d(channels, cnf.out_channels, kernel_size=2, stride=2)
                layers.append(nn.Sequential(norm(channels), smaller))
                channels = cnf.out_channels
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(norm(channels), nn.Flatten(1), nn.Linear(channels, num_classes))
        truncated = partial(nn.init.trunc_normal_, std=0.02)
        initialize(self, conv=truncated, linear=truncated)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)))


def _convnext(
    channels: int,
    layers: tuple[int, int, int, int],
    stochastic_depth_prob: float,
    weights: WeightsEnum | None,
    progress: bool,
    kwargs: dict[str, Any],
) -> ConvNeXt:
    widths = [channels, 2 * channels, 4 * channels, 8 * channels]
    setting = [CNBlockConfig(*row) for row in zip(widths, [*widths[1:], None], layers)]
    kwargs.setdefault("stochastic_depth_prob", stochastic_depth_prob)
    return build_model(ConvNeXt, weights, progress, kwargs, setting)


imagenet = partial(_imagenet, min_size=(32, 32))


class ConvNeXt_Tiny_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("convnext_tiny-983f1562.pth", 28589128, (82.52, 96.146), 4.456, 109.119, resize_size=236)
    DEFAULT = IMAGENET1K_V1


class ConvNeXt_Small_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("convnext_small-0c510722.pth", 50223688, (83.616, 96.65), 8.684, 191.703, resize_size=230)
    DEFAULT = IMAGENET1K_V1


class ConvNeXt_Base_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("convnext_base-6075fbad.pth", 88591464, (84.062, 96.87), 15.355, 338.064, resize_size=232)
    DEFAULT = IMAGENET1K_V1


class ConvNeXt_Large_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "convnext_large-ea097f82.pth", 197767336, (84.414, 96.976), 34.361, 754.537, resize_size=232
    )
    DEFAULT = IMAGENET1K_V1


@builder
def convnext_tiny(*, weights: ConvNeXt_Tiny_Weights | None = None, progress: bool = True, **kwargs: Any) -> ConvNeXt:
    """ConvNeXt-T."""
    return _convnext(96, (3, 3, 9, 3), 0.1, weights, progress, kwargs)


@builder
def convnext_small(*, weights: ConvNeXt_Small_Weights | None = None, progress: bool = True, **kwargs: Any) -> ConvNeXt:
    """ConvNeXt-S."""
    return _convnext(96, (3, 3, 27, 3), 0.4, weights, progress, kwargs)


@builder
def convnext_base(*, weights: ConvNeXt_Base_Weights | None = None, progress: bool = True, **kwargs: Any) -> ConvNeXt:
    """ConvNeXt-B."""
    return _convnext(128, (3, 3, 27, 3), 0.5, weights, progress, kwargs)


@builder
def convnext_large(*, weights: ConvNeXt_Large_Weights | None = None, progress: bool = True, **kwargs: Any) -> ConvNeXt:
    """ConvNeXt-L."""
    return _convnext(192, (3, 3, 27, 3), 0.5, weights, progress, kwargs)
