"""FCN: "Fully Convolutional Networks for Semantic Segmentation" (https://arxiv.org/abs/1411.4038)."""

from functools import partial
from typing import Any

from minitorch import nn

from .._api import WeightsEnum
from .._utils import builder
from .._weights import coco_with_voc_labels
from ..resnet import ResNet50_Weights, ResNet101_Weights, resnet50, resnet101
from ._utils import _SimpleSegmentationModel, aux_of, build_segmentation, dilated, resnet_features

__all__ = ["FCN", "FCN_ResNet50_Weights", "FCN_ResNet101_Weights", "fcn_resnet50", "fcn_resnet101"]


class FCN(_SimpleSegmentationModel):
    """A backbone and an `FCNHead`."""


class FCNHead(nn.Sequential):
    """Two convolutions that classify every place."""

    def __init__(self, in_channels: int, channels: int) -> None:
        inner = in_channels // 4
        super().__init__(
            *(nn.Conv2d(in_channels, inner, 3, padding=1, bias=False), nn.BatchNorm2d(inner), nn.ReLU()),
            *(nn.Dropout(0.1), nn.Conv2d(inner, channels, 1)),
        )


def _fcn_resnet(aux: bool | None, backbone: nn.Module, num_classes: int) -> FCN:
    aux_classifier = FCNHead(1024, num_classes) if aux else None
    return FCN(resnet_features(backbone, aux), FCNHead(2048, num_classes), aux_classifier)


class FCN_ResNet50_Weights(WeightsEnum):
    COCO_WITH_VOC_LABELS_V1 = coco_with_voc_labels(
        "fcn_resnet50_coco-1167a1af.pth", 35322218, (60.5, 91.4), 152.717, 135.009
    )
    DEFAULT = COCO_WITH_VOC_LABELS_V1


class FCN_ResNet101_Weights(WeightsEnum):
    COCO_WITH_VOC_LABELS_V1 = coco_with_voc_labels(
        "fcn_resnet101_coco-7ecb50ca.pth", 54314346, (63.7, 91.9), 232.738, 207.711
    )
    DEFAULT = COCO_WITH_VOC_LABELS_V1


@builder
def fcn_resnet50(
    *,
    weights: FCN_ResNet50_Weights | None = None,
    progress: bool = True,
    num_classes: int | None = None,
    aux_loss: bool | None = None,
    weights_backbone: ResNet50_Weights | None = ResNet50_Weights.IMAGENET1K_V1,
    **kwargs: Any,
) -> FCN:
    """FCN on ResNet-50."""
    head, backbone = partial(_fcn_resnet, aux_of(weights, aux_loss)), partial(resnet50, **dilated)
    return build_segmentation(head, backbone, weights, progress, num_classes, weights_backbone)


@builder
def fcn_resnet101(
    *,
    weights: FCN_ResNet101_Weights | None = None,
    progress: bool = True,
    num_classes: int | None = None,
    aux_loss: bool | None = None,
    weights_backbone: ResNet101_Weights | None = ResNet101_Weights.IMAGENET1K_V1,
    **kwargs: Any,
) -> FCN:
    """FCN on ResNet-101."""
    head, backbone = partial(_fcn_resnet, aux_of(weights, aux_loss)), partial(resnet101, **dilated)
    return build_segmentation(head, backbone, weights, progress, num_classes, weights_backbone)
