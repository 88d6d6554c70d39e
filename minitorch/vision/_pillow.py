"""Pillow, imported when the first picture needs it: it is an extra, so its absence has a message of its own."""

import importlib
import sys
from typing import Any


def pillow(module: str = "Image") -> Any:
    """A module of Pillow."""
    try:
        return importlib.import_module(f"PIL.{module}")
    except ImportError as error:
        raise ImportError(
            'pictures need Pillow, which is not installed: pip install "minitorch-engine[vision]"'
        ) from error


def is_pil_image(value: Any) -> bool:
    """Whether the value is one of Pillow's images; without importing Pillow, which whoever made one has done."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def image_from_array(array: Any, mode: str | None = None) -> Any:
    """Pillow's image of an array (H, W) or (H, W, C), in a mode of as many bands and bits."""
    image = pillow()
    if mode is None:
        return image.fromarray(array)
    return image.frombytes(mode, (array.shape[1], array.shape[0]), array.tobytes())
