"""torchvision.transforms: changing images, at random or not; `v2` changes boxes and masks along with them."""

import importlib
from typing import Any

from . import autoaugment, functional, transforms
from .autoaugment import *  # noqa: F403
from .transforms import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if name == "v2":
        return importlib.import_module(f"{__name__}.v2")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
