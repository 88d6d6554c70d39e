"""The colours of images that are tensors (..., C, H, W)."""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import minitorch as torch
import minitorch.nn.functional as F
from minitorch import Tensor
from minitorch._tensor import wrap

from ._functional_tensor import as_floats, check_channels, check_image, max_value, per_channel

Blend: TypeAlias = Callable[[Tensor, Any, float], Tensor]  # ratio * image + (1 - ratio) * another


def _check_colors(img: Tensor) -> None:
    check_image(img)
    if img.ndim < 3:
        raise TypeError(f"Input image tensor should have at least 3 dimensions, but found {img.ndim}")
    check_channels(img)


def _check_bytes(img: Tensor) -> None:
    if img.dtype != torch.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {img.dtype}")


def _check_factor(name: str, factor: float) -> None:
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")


# ---------------------------------------------------------------------- dtypes
def convert_image_dtype(image: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """The image in another dtype, full brightness staying full brightness."""
    if image.dtype == dtype:
        return image
    if image.is_floating_point():
        return image.to(dtype) if dtype.is_floating_point else _quantized(image, dtype)
    if dtype.is_floating_point:
        return image.to(dtype) / float(max_value(image.dtype))
    before, after = float(max_value(image.dtype)), float(max_value(dtype))
    if before > after:
        factor = int((before + 1) // (after + 1))
        return torch.div(image, factor, rounding_mode="floor").to(dtype)
    return image.to(dtype) * int((after + 1) // (before + 1))


def _quantized(image: Tensor, dtype: torch.dtype) -> Tensor:
    too_wide = {torch.float32: (torch.int32, torch.int64), torch.float64: (torch.int64,)}
    if dtype in too_wide.get(image.dtype, ()):
        raise RuntimeError(f"The cast from {image.dtype} to {dtype} cannot be performed safely.")
    # each of the 256 levels has the same share of 0 to 1, and 1 itself must not overflow
    return image.mul(max_value(dtype) + 1.0 - 1e-3).to(dtype)


# ---------------------------------------------------------------------- grey
def rgb_to_grayscale(img: Tensor, num_output_channels: int = 1) -> Tensor:
    if img.ndim < 3:
        raise TypeError(f"Input image tensor should have at least 3 dimensions, but found {img.ndim}")
    check_channels(img)
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    if img.shape[-3] == 3:
        r, g, b = img.unbind(dim=-3)
        # ITU-R 601-2 luma
        grey = (0.2989 * r + 0.587 * g + 0.114 * b).to(img.dtype).unsqueeze(dim=-3)
    else:
        grey = img.clone()
    return grey.expand(*img.shape[:-3], 3, *img.shape[-2:]) if num_output_channels == 3 else grey


def grey_fused(img: Tensor) -> Tensor:
    """The grey image (..., 1, H, W) as torchvision's second version has it: a product and its sum are rounded once."""
    check_channels(img, (3,))
    r, g, b = img.unbind(dim=-3)
    return r.mul(0.2989).add_(g, alpha=0.587).add_(b, alpha=0.114).to(img.dtype).unsqueeze(dim=-3)


def _blend(img: Tensor, other: Tensor | float, ratio: float) -> Tensor:
    ratio = float(ratio)
    return _within(ratio * img + (1.0 - ratio) * other, img.dtype)


def blend_fused(img: Tensor, other: Tensor, ratio: float) -> Tensor:
    """The same with one rounding for the last product and sum, as torchvision's second version has it."""
    return _within(img.mul(ratio).add_(other, alpha=1.0 - ratio), img.dtype)


def shift_fused(img: Tensor, other: Tensor, ratio: float) -> Tensor:
    """The same again, reckoned from the image itself."""
    floats = img if img.is_floating_point() else img.to(torch.float32)
    return _within(torch.add(floats, other - floats, alpha=1.0 - ratio), img.dtype)


def _within(total: Tensor, dtype: torch.dtype) -> Tensor:
    return total.clamp_(0, max_value(dtype)).to(dtype)


def adjust_brightness(img: Tensor, brightness_factor: float) -> Tensor:
    _check_factor("brightness_factor", brightness_factor)
    check_image(img)
    check_channels(img)
    return _blend(img, 0.0, brightness_factor)


def brightened(img: Tensor, factor: float) -> Tensor:
    """adjust_brightness by one product, as torchvision's second version has it."""
    _check_factor("brightness_factor", factor)
    check_image(img)
    check_channels(img)
    return _within(img.mul(factor), img.dtype)


def adjust_contrast(
    img: Tensor, contrast_factor: float, blend: Blend = _blend, grey: Callable[[Tensor], Tensor] = rgb_to_grayscale
) -> Tensor:
    _check_factor("contrast_factor", contrast_factor)
    check_image(img)
    check_channels(img, (3, 1))
    light = grey(img) if img.ndim > 2 and img.shape[-3] == 3 else img
    dtype = img.dtype if img.is_floating_point() else torch.float32
    return blend(img, torch.mean(light.to(dtype), dim=(-3, -2, -1), keepdim=True), contrast_factor)


def adjust_saturation(
    img: Tensor, saturation_factor: float, blend: Blend = _blend, grey: Callable[[Tensor], Tensor] = rgb_to_grayscale
) -> Tensor:
    _check_factor("saturation_factor", saturation_factor)
    check_image(img)
    check_channels(img)
    if img.ndim == 2 or img.shape[-3] == 1:
        return img
    return blend(img, grey(img), saturation_factor)


def adjust_gamma(img: Tensor, gamma: float, gain: float = 1) -> Tensor:
    check_channels(img)
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    floats = img if img.is_floating_point() else convert_image_dtype(img)
    return convert_image_dtype((gain * floats.pow(gamma)).clamp(0, 1), img.dtype)


# ---------------------------------------------------------------------- hue
def _hsv(img: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue, saturation and value of floats (..., 3, H, W), all from 0 to 1 (A. R. Smith 1978)."""
    value = img.amax(dim=-3)
    span = value - img.amin(dim=-3)
    grey = span == 0
    saturation = span / torch.where(grey, 1.0, value)
    r, g, _ = img.unbind(dim=-3)
    below = (value.unsqueeze(-3) - img) / torch.where(grey, 1.0, span).unsqueeze(-3)
    dr, dg, db = below.unbind(dim=-3)
    sixth = torch.where(value == r, db - dg, torch.where(value == g, 2.0 + dr - db, 4.0 + dg - dr))
    return torch.fmod(sixth / 6.0 + 1.0, 1.0), saturation, value


# in each sixth of the circle, which of (value, falling, lowest, rising) is red, green and blue
_SECTORS = ((0, 1, 2, 2, 3, 0), (3, 0, 0, 1, 2, 2), (2, 2, 3, 0, 0, 1))


def _rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    sector = torch.floor(hue * 6.0)
    part = hue * 6.0 - sector
    falling, lowest, rising = [
        (value * (1.0 - saturation * f)).clamp(0.0, 1.0) for f in (part, torch.ones_like(part), 1.0 - part)
    ]
    which = torch.tensor(_SECTORS)[:, sector.to(torch.int64) % 6].movedim(0, -3)
    return torch.stack((value, falling, lowest, rising), dim=-3).gather(-3, which)


def adjust_hue(img: Tensor, hue_factor: float) -> Tensor:
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    check_image(img)
    check_channels(img)
    if img.ndim == 2 or img.shape[-3] == 1:
        return img
    hue, saturation, value = _hsv(convert_image_dtype(img, torch.float32))
    return convert_image_dtype(_rgb((hue + hue_factor) % 1.0, saturation, value), img.dtype)


# ---------------------------------------------------------------------- levels
def invert(img: Tensor) -> Tensor:
    _check_colors(img)
    return max_value(img.dtype) - img


def posterize(img: Tensor, bits: int) -> Tensor:
    check_image(img)
    if img.ndim < 3:
        raise TypeError(f"Input image tensor should have at least 3 dimensions, but found {img.ndim}")
    _check_bytes(img)
    check_channels(img)
    return img & (256 - 2 ** (8 - bits))


def solarize(img: Tensor, threshold: float) -> Tensor:
    _check_colors(img)
    if threshold > max_value(img.dtype):
        raise TypeError("Threshold should be less than bound of img.")
    return torch.where(img >= threshold, invert(img), img)


def autocontrast(img: Tensor) -> Tensor:
    _check_colors(img)
    bound = max_value(img.dtype)
    dtype = img.dtype if img.is_floating_point() else torch.float32
    low, high = [f(dim=(-2, -1), keepdim=True).to(dtype) for f in (img.amin, img.amax)]
    scale = bound / (high - low)
    flat = ~torch.isfinite(scale)
    low, scale = torch.where(flat, 0.0, low), torch.where(flat, 1.0, scale)
    return (img - low).mul_(scale).clamp_(0, bound).to(img.dtype)


def autocontrast_divided(img: Tensor) -> Tensor:
    """autocontrast by a division, as torchvision's second version has it."""
    _check_colors(img)
    bound = max_value(img.dtype)
    floats = img if img.is_floating_point() else img.to(torch.float32)
    low, high = floats.amin(dim=(-2, -1), keepdim=True), floats.amax(dim=(-2, -1), keepdim=True)
    flat = high == low
    low, step = torch.where(flat, 0.0, low), torch.where(flat, 1.0, (high - low).mul_(1.0 / bound))
    return (floats - low).div_(step).clamp_(0, bound).to(img.dtype)


def _equalized(channel: Tensor) -> Tensor:
    """One channel (H, W) whose levels are used equally often, by Pillow's integer arithmetic."""
    counts = torch.bincount(channel.reshape(-1), minlength=256)
    step = (counts.sum() - counts[counts != 0][-1]) // 255
    if step == 0:
        return channel
    levels = (counts.cumsum(0) + step // 2) // step
    return F.pad(levels[:-1], [1, 0]).clamp(0, 255).to(torch.uint8)[channel.to(torch.int64)]


def equalize(img: Tensor) -> Tensor:
    check_image(img)
    if not 3 <= img.ndim <= 4:
        raise TypeError(f"Input image tensor should have 3 or 4 dimensions, but found {img.ndim}")
    _check_bytes(img)
    check_channels(img)
    if img.ndim == 4:
        return torch.stack([equalize(x) for x in img])
    return torch.stack([_equalized(channel) for channel in img])


def adjust_sharpness(img: Tensor, sharpness_factor: float, blend: Blend = _blend) -> Tensor:
    _check_factor("sharpness_factor", sharpness_factor)
    check_image(img)
    check_channels(img)
    if min(img.shape[-2:]) <= 2:
        return img
    smooth = img.clone()  # the outermost pixels stay as they are
    kernel = torch.tensor([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]]) / 13.0
    smooth[..., 1:-1, 1:-1] = as_floats(img, lambda x: per_channel(x, kernel))
    return blend(img, smooth, sharpness_factor)


def _of_channels(values: Any, img: Tensor) -> tuple[Any, bool]:
    """The numbers as a tensor that an image is reckoned with, channel by channel, and whether one of them is 0."""
    if img.device.type == "cpu" and values.__class__ in (list, tuple) and {v.__class__ for v in values} <= {float, int}:
        array, has_zero = _column(tuple(values), img.dtype)
        return wrap(array), has_zero
    t = torch.as_tensor(values, dtype=img.dtype, device=img.device)
    return t.view(-1, 1, 1) if t.ndim == 1 else t, bool((t == 0).any())


@functools.lru_cache(maxsize=64)
def _column(values: tuple[float, ...], dtype: torch.dtype) -> tuple[Any, bool]:
    """An array (C, 1, 1), kept since a data set's are the same for each of its images."""
    t = torch.tensor(values, dtype=dtype)
    return t.view(-1, 1, 1).array, bool((t == 0).any())


def normalize(tensor: Tensor, mean: list[float], std: list[float], inplace: bool = False) -> Tensor:
    check_image(tensor)
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.ndim < 3:
        raise ValueError(
            f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {tensor.size()}"
        )
    (center, _), (spread, has_zero) = (_of_channels(v, tensor) for v in (mean, std))
    if has_zero:
        raise ValueError(f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by zero.")
    return (tensor.sub_(center) if inplace else tensor - center).div_(spread)
