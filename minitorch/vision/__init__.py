"""torchvision's API on minitorch: data sets, models, transforms, image files and operators for boxes.

    import minitorch.vision as torchvision

Its parts are imported when first named; pictures need Pillow (`pip install "minitorch-engine[vision]"`).
"""

import importlib
from typing import Any

__version__ = "0.28.0+minitorch"  # the torchvision whose API this is

_LAZY = ("datasets", "io", "models", "ops", "transforms", "tv_tensors", "utils")


def get_image_backend() -> str:
    """The package that reads pictures: "PIL"."""
    return "PIL"


def set_image_backend(backend: str) -> None:
    """Chooses the package that reads pictures; only "PIL" is there."""
    if backend == "accimage":
        raise NotImplementedError("set_image_backend: accimage is not supported, only PIL")
    if backend != "PIL":
        raise ValueError(f"Invalid backend '{backend}'. Options are 'PIL' and 'accimage'")


def get_video_backend() -> str:
    """The package that torchvision names for videos, which minitorch does not read."""
    return "pyav"


def set_video_backend(backend: str) -> None:
    """Does nothing, in torchvision too; whatever reads a video raises."""


def disable_beta_transforms_warning() -> None:
    """Does nothing, in torchvision too: transforms.v2 warned of being a beta version once."""


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
