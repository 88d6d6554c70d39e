"""Lite R-ASPP: the segmentation head of "Searching for MobileNetV3" (https://arxiv.org/abs/1905.02244)."""

from collections import OrderedDict
from functools import partial
from typing import Any

from minitorch import Tensor, nn

from .._api import WeightsEnum
from .._utils import IntermediateLayerGetter, builder
from .._weights import coco_with_voc_labels
from ..mobilenetv3 import MobileNet_V3_Large_Weights, mobilenet_v3_large
from ._utils import build_segmentation, resized, stages

__all__ = ["LRASPP", "LRASPP_MobileNet_V3_Large_Weights", "lraspp_mobilenet_v3_large"]


class LRASPP(nn.Module):
    """A backbone that gives "low" and "high" features, and a head: (N, 3, H, W) to "out" (N, classes, H, W)."""

    def __init__(
        self,
        backbone: nn.Module,
        low_channels: int,
        high_channels: int,
        num_classes: int,
        inter_channels: int = 128,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = LRASPPHead(low_channels, high_channels, num_classes, inter_channels)

    def forward(self, input: Tensor) -> OrderedDict[str, Tensor]:
        return OrderedDict(out=resized(self.classifier(self.backbone(input)), input))


class LRASPPHead(nn.Module):
    """Coarse features, scaled by what the whole picture says, and fine ones, each classified; the sum."""

    def __init__(self, low_channels: int, high_channels: int, num_classes: int, inter_channels: int) -> None:
        super().__init__()
        self.cbr = nn.Sequential(
            nn.Conv2d(high_channels, inter_channels, 1, bias=False),
            nn.BatchNorm2d(inter_channels),
            nn.ReLU(inplace=True),
        )
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(high_channels, inter_channels, 1, bias=False), nn.Sigmoid()
        )
        self.low_classifier = nn.Conv2d(low_channels, num_classes, 1)
        self.high_classifier = nn.Conv2d(inter_channels, num_classes, 1)

    def forward(self, input: dict[str, Tensor]) -> Tensor:
        low, high = input["low"], input["high"]
        x = resized(self.cbr(high) * self.scale(high), low)
        return self.low_classifier(low) + self.high_classifier(x)


def _lraspp_mobilenetv3(backbone: nn.Module, num_classes: int) -> LRASPP:
    features: Any = backbone.features
    *_, low, _, _, high = stages(features)
    layers = IntermediateLayerGetter(features, {str(low): "low", str(high): "high"})
    return LRASPP(layers, features[low].out_channels, features[high].out_channels, num_classes)


class LRASPP_MobileNet_V3_Large_Weights(WeightsEnum):
    COCO_WITH_VOC_LABELS_V1 = coco_with_voc_labels(
        "lraspp_mobilenet_v3_large-d234d4ea.pth", 3221538, (57.9, 91.2), 2.086, 12.49
    )
    DEFAULT = COCO_WITH_VOC_LABELS_V1


@builder
def lraspp_mobilenet_v3_large(
    *,
    weights: LRASPP_MobileNet_V3_Large_Weights | None = None,
    progress: bool = True,
    num_classes: int | None = None,
    weights_backbone: MobileNet_V3_Large_Weights | None = MobileNet_V3_Large_Weights.IMAGENET1K_V1,
    **kwargs: Any,
) -> LRASPP:
    """Lite R-ASPP on the large MobileNetV3."""
    if kwargs.pop("aux_loss", False):
        raise NotImplementedError("This model does not use auxiliary loss")
    backbone = partial(mobilenet_v3_large, dilated=True)
    return build_segmentation(_lraspp_mobilenetv3, backbone, weights, progress, num_classes, weights_backbone)
