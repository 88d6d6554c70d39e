"""Models for pictures with torchvision's names, parameters and first numbers, so that its published weights load."""

from typing import Any as _Any

from minitorch._unsupported import UnsupportedName as _UnsupportedName

from . import segmentation
from ._api import Weights, WeightsEnum, get_model, get_model_builder, get_model_weights, get_weight, list_models
from .alexnet import *
from .convnext import *
from .densenet import *
from .efficientnet import *
from .googlenet import *
from .inception import *
from .maxvit import *
from .mnasnet import *
from .mobilenet import *
from .regnet import *
from .resnet import *
from .shufflenetv2 import *
from .squeezenet import *
from .swin_transformer import *
from .vgg import *
from .vision_transformer import *


def __getattr__(name: str) -> _Any:
    if name in ("detection", "optical_flow", "quantization", "video"):
        raise _UnsupportedName(f"torchvision.models.{name} is not supported")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
