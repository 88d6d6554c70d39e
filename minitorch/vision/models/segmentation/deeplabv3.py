"""DeepLabV3: "Rethinking Atrous Convolution for Semantic Image Segmentation" (https://arxiv.org/abs/1706.05587)."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import minitorch as torch
from minitorch import Tensor, nn

from .._api import WeightsEnum
from .._utils import IntermediateLayerGetter, builder
from .._weights import coco_with_voc_labels
from ..mobilenetv3 import MobileNet_V3_Large_Weights, mobilenet_v3_large
from ..resnet import ResNet50_Weights, ResNet101_Weights, resnet50, resnet101
from ._utils import (
    _SimpleSegmentationModel,
    aux_of,
    build_segmentation,
    dilated,
    resized,
    resnet_features,
    stages,
)
from .fcn import FCNHead

__all__ = [
    "DeepLabV3",
    "DeepLabV3_ResNet50_Weights",
    "DeepLabV3_ResNet101_Weights",
    "DeepLabV3_MobileNet_V3_Large_Weights",
    "deeplabv3_mobilenet_v3_large",
    "deeplabv3_resnet50",
    "deeplabv3_resnet101",
]


class DeepLabV3(_SimpleSegmentationModel):
    """A backbone and a `DeepLabHead`."""


class DeepLabHead(nn.Sequential):
    """Features at several scales (`ASPP`), then two convolutions that classify every place."""

    def __init__(self, in_channels: int, num_classes: int, atrous_rates: Sequence[int] = (12, 24, 36)) -> None:
        super().__init__(
            ASPP(in_channels, atrous_rates),
            *_normed(256, 256, kernel_size=3, padding=1),
            nn.Conv2d(256, num_classes, 1),
        )


def _normed(in_channels: int, out_channels: int, **options: Any) -> tuple[nn.Module, nn.Module, nn.Module]:
    conv = nn.Conv2d(in_channels, out_channels, bias=False, **options)
    return conv, nn.BatchNorm2d(out_channels), nn.ReLU()


class ASPPConv(nn.Sequential):
    """A 3x3 convolution of places `dilation` apart."""

    def __init__(self, in_channels: int, out_channels: int, dilation: int) -> None:
        super().__init__(*_normed(in_channels, out_channels, kernel_size=3, padding=dilation, dilation=dilation))


class ASPPPooling(nn.Sequential):
    """The mean of all places, at every place."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), *_normed(in_channels, out_channels, kernel_size=1))

    def forward(self, x: Tensor) -> Tensor:
        return resized(super().forward(x), x)


class ASPP(nn.Module):
    """Convolutions of several widths and a pooling side by side, and one that mixes them."""

    def __init__(self, in_channels: int, atrous_rates: Sequence[int], out_channels: int = 256) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Sequential(*_normed(in_channels, out_channels, kernel_size=1))])
        for rate in atrous_rates:
            self.convs.append(ASPPConv(in_channels, out_channels, rate))
        self.convs.append(ASPPPooling(in_channels, out_channels))
        mixed = _normed(len(self.convs) * out_channels, out_channels, kernel_size=1)
        self.project = nn.Sequential(*mixed, nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.project(torch.cat([conv(x) for conv in self.convs], dim=1))


def _deeplabv3_resnet(aux: bool | None, backbone: nn.Module, num_classes: int) -> DeepLabV3:
    features = resnet_features(backbone, aux)
    aux_classifier = FCNHead(1024, num_classes) if aux else None
    return DeepLabV3(features, DeepLabHead(2048, num_classes), aux_classifier)


def _deeplabv3_mobilenetv3(aux: bool | None, backbone: nn.Module, num_classes: int) -> DeepLabV3:
    features: Any = backbone.features
    *_, inner, _, _, last = stages(features)
    layers = IntermediateLayerGetter(features, {str(last): "out", **({str(inner): "aux"} if aux else {})})
    aux_classifier = FCNHead(features[inner].out_channels, num_classes) if aux else None
    return DeepLabV3(layers, DeepLabHead(features[last].out_channels, num_classes), aux_classifier)


class DeepLabV3_ResNet50_Weights(WeightsEnum):
    COCO_WITH_VOC_LABELS_V1 = coco_with_voc_labels(
        "deeplabv3_resnet50_coco-cd0a2569.pth", 42004074, (66.4, 92.4), 178.722, 160.515
    )
    DEFAULT = COCO_WITH_VOC_LABELS_V1


class DeepLabV3_ResNet101_Weights(WeightsEnum):
    COCO_WITH_VOC_LABELS_V1 = coco_with_voc_labels(
        "deeplabv3_resnet101_coco-586e9e4e.pth", 60996202, (67.4, 92.4), 258.743, 233.217
    )
    DEFAULT = COCO_WITH_VOC_LABELS_V1


class DeepLabV3_MobileNet_V3_Large_Weights(WeightsEnum):
    COCO_WITH_VOC_LABELS_V1 = coco_with_voc_labels(
        "deeplabv3_mobilenet_v3_large-fc3c493d.pth", 11029328, (60.3, 91.2), 10.452, 42.301
    )
    DEFAULT = COCO_WITH_VOC_LABELS_V1


@builder
def deeplabv3_resnet50(
    *,
    weights: DeepLabV3_ResNet50_Weights | None = None,
    progress: bool = True,
    num_classes: int | None = None,
    aux_loss: bool | None = None,
    weights_backbone: ResNet50_Weights | None = ResNet50_Weights.IMAGENET1K_V1,
    **kwargs: Any,
) -> DeepLabV3:
    """DeepLabV3 on ResNet-50."""
    head, backbone = partial(_deeplabv3_resnet, aux_of(weights, aux_loss)), partial(resnet50, **dilated)
    return build_segmentation(head, backbone, weights, progress, num_classes, weights_backbone)


@builder
def deeplabv3_resnet101(
    *,
    weights: DeepLabV3_ResNet101_Weights | None = None,
    progress: bool = True,
    num_classes: int | None = None,
    aux_loss: bool | None = None,
    weights_backbone: ResNet101_Weights | None = ResNet101_Weights.IMAGENET1K_V1,
    **kwargs: Any,
) -> DeepLabV3:
    """DeepLabV3 on ResNet-101."""
    head, backbone = partial(_deeplabv3_resnet, aux_of(weights, aux_loss)), partial(resnet101, **dilated)
    return build_segmentation(head, backbone, weights, progress, num_classes, weights_backbone)


@builder
def deeplabv3_mobilenet_v3_large(
    *,
    weights: DeepLabV3_MobileNet_V3_Large_Weights | None = None,
    progress: bool = True,
    num_classes: int | None = None,
    aux_loss: bool | None = None,
    weights_backbone: MobileNet_V3_Large_Weights | None = MobileNet_V3_Large_Weights.IMAGENET1K_V1,
    **kwargs: Any,
) -> DeepLabV3:
    """DeepLabV3 on the large MobileNetV3."""
    head, backbone = (
        partial(_deeplabv3_mobilenetv3, aux_of(weights, aux_loss)),
        partial(mobilenet_v3_large, dilated=True),
    )
    return build_segmentation(head, backbone, weights, progress, num_classes, weights_backbone)
