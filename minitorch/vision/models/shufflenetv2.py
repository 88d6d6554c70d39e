"""ShuffleNet V2: "Practical Guidelines for Efficient CNN Architecture Design" (https://arxiv.org/abs/1807.11164)."""

from collections.abc import Callable
from typing import Any

import minitorch as torch
from minitorch import Tensor, nn

from ._api import WeightsEnum
from ._utils import build_model, builder
from ._weights import imagenet

__all__ = [
    "ShuffleNetV2",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
    "ShuffleNet_V2_X0_5_Weights",
    "ShuffleNet_V2_X1_0_Weights",
    "ShuffleNet_V2_X1_5_Weights",
    "ShuffleNet_V2_X2_0_Weights",
]


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """The channels of (N, C, H, W), taken from the `groups` groups in turn.

    >>> channel_shuffle(torch.arange(6).view(1, 6, 1, 1), 2).flatten().tolist()
    [0, 3, 1, 4, 2, 5]
    """
    n, c, h, w = x.size()
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


def _normed(conv: nn.Conv2d) -> tuple[nn.Module, nn.Module]:
    return conv, nn.BatchNorm2d(conv.out_channels)


class InvertedResidual(nn.Module):
    """Half of the channels pass, or at stride 2 all go through a short branch; the rest goes through three layers."""

    def __init__(self, inp: int, oup: int, stride: int) -> None:
        super().__init__()
        if not 1 <= stride <= 3:
            raise ValueError("illegal stride value")
        half = oup // 2
        if stride == 1 and inp != half << 1:
            raise ValueError(
                f"Invalid combination of stride {stride}, inp {inp} and oup {oup} values. If stride == 1 then inp "
                "should be equal to oup // 2 << 1."
            )
        self.stride = stride
        self.branch1 = nn.Sequential()
        if stride > 1:
            self.branch1 = nn.Sequential(
                *_normed(self.depthwise_conv(inp, inp, kernel_size=3, stride=stride, padding=1)),
                *_normed(nn.Conv2d(inp, half, kernel_size=1, bias=False)),
                nn.ReLU(inplace=True),
            )
        self.branch2 = nn.Sequential(
            *_normed(nn.Conv2d(inp if stride > 1 else half, half, kernel_size=1, bias=False)),
            nn.ReLU(inplace=True),
            *_normed(self.depthwise_conv(half, half, kernel_size=3, stride=stride, padding=1)),
            *_normed(nn.Conv2d(half, half, kernel_size=1, bias=False)),
            nn.ReLU(inplace=True),
        )

    @staticmethod
    def depthwise_conv(
        i: int, o: int, kernel_size: int, stride: int = 1, padding: int = 0, bias: bool = False
    ) -> nn.Conv2d:
        return nn.Conv2d(i, o, kernel_size, stride, padding, bias=bias, groups=i)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            passed, x = x.chunk(2, dim=1)
        else:
            passed = self.branch1(x)
        return channel_shuffle(torch.cat((passed, self.branch2(x)), dim=1), 2)


class ShuffleNetV2(nn.Module):
    """Three stages between two convolutions; input (N, 3, H, W)."""

    def __init__(
        self,
        stages_repeats: list[int],
        stages_out_channels: list[int],
        num_classes: int = 1000,
        inverted_residual: Callable[..., nn.Module] = InvertedResidual,
    ) -> None:
        super().__init__()
        if len(stages_repeats) != 3:
            raise ValueError("expected stages_repeats as list of 3 positive ints")
        if len(stages_out_channels) != 5:
            raise ValueError("expected stages_out_channels as list of 5 positive ints")
        self._stage_out_channels = stages_out_channels
        first, *stages, last = stages_out_channels
        self.conv1 = nn.Sequential(*_normed(nn.Conv2d(3, first, 3, 2, 1, bias=False)), nn.ReLU(inplace=True))
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        for i, (repeats, before, after) in enumerate(zip(stages_repeats, [first, *stages], stages), 2):
            blocks = [inverted_residual(after if j else before, after, 1 if j else 2) for j in range(repeats)]
            self.add_module(f"stage{i}", nn.Sequential(*blocks))
        self.conv5 = nn.Sequential(*_normed(nn.Conv2d(stages[-1], last, 1, bias=False)), nn.ReLU(inplace=True))
        self.fc = nn.Linear(last, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.conv1(x))
        x = self.conv5(self.stage4(self.stage3(self.stage2(x))))
        return self.fc(x.mean([2, 3]))


def _shufflenetv2(
    channels: list[int], weights: WeightsEnum | None, progress: bool, kwargs: dict[str, Any]
) -> ShuffleNetV2:
    return build_model(ShuffleNetV2, weights, progress, kwargs, [4, 8, 4], channels)


class ShuffleNet_V2_X0_5_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("shufflenetv2_x0.5-f707e7126e.pth", 1366792, (60.552, 81.746), 0.04, 5.282)
    DEFAULT = IMAGENET1K_V1


class ShuffleNet_V2_X1_0_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("shufflenetv2_x1-5666bf0f80.pth", 2278604, (69.362, 88.316), 0.145, 8.791)
    DEFAULT = IMAGENET1K_V1


class ShuffleNet_V2_X1_5_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet(
        "shufflenetv2_x1_5-3c479a10.pth", 3503624, (72.996, 91.086), 0.296, 13.557, resize_size=232
    )
    DEFAULT = IMAGENET1K_V1


class ShuffleNet_V2_X2_0_Weights(WeightsEnum):
    IMAGENET1K_V1 = imagenet("shufflenetv2_x2_0-8be3c8ee.pth", 7393996, (76.23, 93.006), 0.583, 28.433, resize_size=232)
    DEFAULT = IMAGENET1K_V1


@builder
def shufflenet_v2_x0_5(
    *, weights: ShuffleNet_V2_X0_5_Weights | None = None, progress: bool = True, **kwargs: Any
) -> ShuffleNetV2:
    """ShuffleNet V2 with half the channels."""
    return _shufflenetv2([24, 48, 96, 192, 1024], weights, progress, kwargs)


@builder
def shufflenet_v2_x1_0(
    *, weights: ShuffleNet_V2_X1_0_Weights | None = None, progress: bool = True, **kwargs: Any
) -> ShuffleNetV2:
    """ShuffleNet V2."""
    return _shufflenetv2([24, 116, 232, 464, 1024], weights, progress, kwargs)


@builder
def shufflenet_v2_x1_5(
    *, weights: ShuffleNet_V2_X1_5_Weights | None = None, progress: bool = True, **kwargs: Any
) -> ShuffleNetV2:
    """ShuffleNet V2 with one and a half times the channels."""
    return _shufflenetv2([24, 176, 352, 704, 1024], weights, progress, kwargs)


@builder
def shufflenet_v2_x2_0(
    *, weights: ShuffleNet_V2_X2_0_Weights | None = None, progress: bool = True, **kwargs: Any
) -> ShuffleNetV2:
    """ShuffleNet V2 with twice the channels."""
    return _shufflenetv2([24, 244, 488, 976, 2048], weights, progress, kwargs)
