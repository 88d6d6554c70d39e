"""Arguments of the functions, in their various forms."""

import numbers
from collections.abc import Sequence
from typing import Any

from ._matrices import InterpolationMode, interpolation_from_int


def resized_size(height: int, width: int, size: Sequence[int], max_size: int | None) -> list[int]:
    """The size asked for; one number is for the shorter edge, and `max_size` bounds the longer one."""
    if len(size) == 2:
        return [size[0], size[1]]
    short, long = sorted((height, width))
    new_short, new_long = size[0], int(size[0] * long / short)
    if max_size is not None:
        if max_size <= new_short:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested size for the smaller edge "
                f"size = {size}"
            )
        if new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return [new_long, new_short] if width <= height else [new_short, new_long]


def height_and_width(size: Any) -> Any:
    if isinstance(size, numbers.Number):
        return (int(size), int(size))  # type: ignore[call-overload]
    return (size[0], size[0]) if len(size) == 1 else size


def checked_pair(size: Any) -> Any:
    pair = height_and_width(size)
    if len(pair) != 2:
        raise ValueError("Please provide only two dimensions (h, w) for size.")
    return pair


def shears(shear: Any) -> list[float]:
    if not isinstance(shear, (numbers.Number, list, tuple)):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    if isinstance(shear, numbers.Number):
        return [shear, 0.0]  # type: ignore[list-item]
    shear = [shear[0], shear[0]] if len(shear) == 1 else list(shear)
    if len(shear) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    return shear


def checked_interpolation(value: Any) -> InterpolationMode:
    if isinstance(value, int):
        return interpolation_from_int(value)
    if not isinstance(value, InterpolationMode):
        raise TypeError(
            "Argument interpolation should be a InterpolationMode or a corresponding Pillow integer constant"
        )
    return value
