"""Images that are Pillow's: what torchvision's functions do with them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._pillow import image_from_array, is_pil_image, pillow
from ._functional_tensor import check_padding, sides


def get_dimensions(img: Any) -> list[int]:
    if not is_pil_image(img):
        raise TypeError(f"Unexpected type {type(img)}")
    width, height = img.size
    return [len(img.getbands()), height, width]


# ---------------------------------------------------------------------- geometry
def hflip(img: Any) -> Any:
    return img.transpose(pillow().Transpose.FLIP_LEFT_RIGHT)


def vflip(img: Any) -> Any:
    return img.transpose(pillow().Transpose.FLIP_TOP_BOTTOM)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    return img.crop((left, top, left + width, top + height))


def resize(img: Any, size: Sequence[int], interpolation: int) -> Any:
    return img.resize((size[1], size[0]), interpolation)


def _fill(fill: Any, img: Any) -> Any:
    """The fill as Pillow wants it: a number per band, integers except in mode F."""
    channels = len(img.getbands())
    fill = 0 if fill is None else fill
    number = int if img.mode != "F" else float
    if isinstance(fill, (list, tuple)):
        if len(fill) not in (1, channels):
            raise ValueError(
                "The number of elements in 'fill' does not match the number of channels of the image "
                f"({len(fill)} != {channels})"
            )
        return tuple([number(x) for x in fill] * (channels if len(fill) == 1 else 1))
    return number(fill) if channels == 1 else tuple([number(fill)] * channels)


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    if fill is not None and not isinstance(fill, (int, float, tuple, list)):
        raise TypeError("Got inappropriate fill arg")
    check_padding(padding, padding_mode)
    left, right, top, bottom = sides(padding)
    palette = img.getpalette() if img.mode == "P" else None
    if padding_mode == "constant":
        padded = pillow("ImageOps").expand(img, border=(left, top, right, bottom), fill=_fill(fill, img))
    else:
        cut = [-min(side, 0) for side in (left, top, right, bottom)]
        if any(cut):
            img = img.crop((cut[0], cut[1], img.width - cut[2], img.height - cut[3]))
        array = np.asarray(img)
        around = [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0)), (0, 0)]
        padded = image_from_array(np.pad(array, around[: array.ndim], padding_mode))  # type: ignore[call-overload]
    if palette is not None:
        padded.putpalette(palette)
    return padded


def affine(img: Any, matrix: list[float], interpolation: int, fill: Any = None) -> Any:
    return img.transform(img.size, pillow().Transform.AFFINE, matrix, interpolation, fillcolor=_fill(fill, img))


def perspective(img: Any, coeffs: list[float], interpolation: int, fill: Any = None) -> Any:
    return img.transform(img.size, pillow().Transform.PERSPECTIVE, coeffs, interpolation, fillcolor=_fill(fill, img))


def rotate(img: Any, angle: float, interpolation: int, expand: bool, center: Any, fill: Any = None) -> Any:
    return img.rotate(angle, interpolation, expand, center, fillcolor=_fill(fill, img))


# ---------------------------------------------------------------------- colours
def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    return pillow("ImageEnhance").Brightness(img).enhance(brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    return pillow("ImageEnhance").Contrast(img).enhance(contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    return pillow("ImageEnhance").Color(img).enhance(saturation_factor)


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    return pillow("ImageEnhance").Sharpness(img).enhance(sharpness_factor)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    if img.mode in {"L", "1", "I", "F"}:
        return img
    hue, saturation, value = img.convert("HSV").split()
    turned = np.array(hue, dtype=np.uint8) + np.int32(hue_factor * 255).astype(np.uint8)  # wraps around
    return pillow().merge("HSV", (image_from_array(turned, "L"), saturation, value)).convert(img.mode)


def adjust_gamma(img: Any, gamma: float, gain: float = 1.0) -> Any:
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    levels = [int((255 + 1 - 1e-3) * gain * pow(level / 255.0, gamma)) for level in range(256)]
    return img.convert("RGB").point(levels * 3).convert(img.mode)


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    grey = img.convert("L")
    return grey if num_output_channels == 1 else pillow().merge("RGB", (grey, grey, grey))


def invert(img: Any) -> Any:
    return pillow("ImageOps").invert(img)


def posterize(img: Any, bits: int) -> Any:
    return pillow("ImageOps").posterize(img, bits)


def solarize(img: Any, threshold: float) -> Any:
    return pillow("ImageOps").solarize(img, threshold)


def autocontrast(img: Any) -> Any:
    return pillow("ImageOps").autocontrast(img)


def equalize(img: Any) -> Any:
    return pillow("ImageOps").equalize(img)
