"""What the segmentation models share."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import minitorch.nn.functional as F
from minitorch import Tensor, nn

from .._api import WeightsEnum
from .._utils import IntermediateLayerGetter, _ovewrite_value_param

Model = TypeVar("Model", bound=nn.Module)


class _SimpleSegmentationModel(nn.Module):
    """A classifier of a backbone's features: (N, 3, H, W) to "out" (N, classes, H, W), with a second also "aux"."""

    def __init__(self, backbone: nn.Module, classifier: nn.Module, aux_classifier: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier
        self.aux_classifier = aux_classifier

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        features = self.backbone(x)
        result = OrderedDict(out=resized(self.classifier(features["out"]), x))
        if self.aux_classifier is not None:
            result["aux"] = resized(self.aux_classifier(features["aux"]), x)
        return result


def resized(x: Tensor, like: Tensor) -> Tensor:
    """`x` with the height and width of `like`."""
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


def resnet_features(backbone: nn.Module, aux: bool | None) -> IntermediateLayerGetter:
    """A ResNet's last stage as "out", and the one before as "aux" if wanted."""
    return IntermediateLayerGetter(backbone, {"layer4": "out", **({"layer3": "aux"} if aux else {})})


def stages(features: nn.Sequential) -> list[int]:
    """The places in a MobileNetV3 where the size shrinks, with the first and the last."""
    shrinking = [i for i, block in enumerate(features) if getattr(block, "_is_cn", False)]
    return [0, *shrinking, len(features) - 1]


def build_segmentation(
    head: Callable[[nn.Module, int], Model],
    backbone: Callable[..., nn.Module],
    weights: WeightsEnum | None,
    progress: bool,
    num_classes: int | None,
    weights_backbone: WeightsEnum | None,
) -> Model:
    """`head(backbone, num_classes)`, with the published numbers of all of it, or else those of its backbone."""
    if weights is not None:
        weights_backbone = None
        num_classes = _ovewrite_value_param("num_classes", num_classes, len(weights.meta["categories"]))
    model = head(backbone(weights=weights_backbone), 21 if num_classes is None else num_classes)
    if weights is not None:
        model.load_state_dict(weights.get_state_dict(progress=progress, check_hash=True))
    return model


def aux_of(weights: WeightsEnum | None, aux_loss: bool | None) -> bool | None:
    """Published weights have an auxiliary classifier."""
    return aux_loss if weights is None else _ovewrite_value_param("aux_loss", aux_loss, True)


dilated: dict[str, Any] = dict(replace_stride_with_dilation=[False, True, True])
