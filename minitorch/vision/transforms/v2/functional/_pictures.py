"""The functionals of v2 that change values: colours, dtypes, noise; and those that ask what an input is."""

import io
from typing import Any

import numpy as np

import minitorch as torch
from minitorch import Tensor

from ...._pillow import is_pil_image, pillow
from ....tv_tensors import BoundingBoxes, BoundingBoxFormat, Image, KeyPoints, Mask, Video, wrap
from ... import _tensor_color as F_c
from ... import functional as v1
from ._boxes import XYXY, Size, to_format
from ._registry import TENSORS, PILImage, call, is_pure_tensor, kernel_for, of_pictures

# ---------------------------------------------------------------------- colours
adjust_brightness = of_pictures(v1.adjust_brightness)
adjust_contrast = of_pictures(v1.adjust_contrast, PILImage)
adjust_saturation = of_pictures(v1.adjust_saturation, PILImage)
adjust_hue = of_pictures(v1.adjust_hue)
adjust_gamma = of_pictures(v1.adjust_gamma)
adjust_sharpness = of_pictures(v1.adjust_sharpness, PILImage)
autocontrast = of_pictures(v1.autocontrast)
equalize = of_pictures(v1.equalize, PILImage)
invert = of_pictures(v1.invert)
posterize = of_pictures(v1.posterize, PILImage)
solarize = of_pictures(v1.solarize)
rgb_to_grayscale = of_pictures(v1.rgb_to_grayscale, Tensor, Image, PILImage)
gaussian_blur = of_pictures(v1.gaussian_blur)
normalize = of_pictures(F_c.normalize, *TENSORS)
to_grayscale = rgb_to_grayscale
convert_image_dtype = v1.convert_image_dtype
pil_to_tensor = v1.pil_to_tensor
to_pil_image = v1.to_pil_image
to_tensor = v1.to_tensor


@kernel_for(rgb_to_grayscale, Tensor, Image)
def rgb_to_grayscale_image(image: Tensor, num_output_channels: int = 1) -> Tensor:
    if image.ndim < 3 or image.shape[-3] != 3 or num_output_channels not in (1, 3):
        return v1.rgb_to_grayscale(image, num_output_channels)
    grey = F_c.grey_fused(image)
    return grey.expand(image.shape) if num_output_channels == 3 else grey


@kernel_for(adjust_brightness, *TENSORS)
def adjust_brightness_image(image: Tensor, brightness_factor: float) -> Tensor:
    return F_c.brightened(image, brightness_factor)


@kernel_for(adjust_contrast, *TENSORS)
def adjust_contrast_image(image: Tensor, contrast_factor: float) -> Tensor:
    return F_c.adjust_contrast(image, contrast_factor, F_c.blend_fused, F_c.grey_fused)


@kernel_for(adjust_saturation, *TENSORS)
def adjust_saturation_image(image: Tensor, saturation_factor: float) -> Tensor:
    return F_c.adjust_saturation(image, saturation_factor, F_c.blend_fused, F_c.grey_fused)


@kernel_for(adjust_sharpness, *TENSORS)
def adjust_sharpness_image(image: Tensor, sharpness_factor: float) -> Tensor:
    return F_c.adjust_sharpness(image, sharpness_factor, F_c.shift_fused)


@kernel_for(autocontrast, *TENSORS)
def autocontrast_image(image: Tensor) -> Tensor:
    return F_c.autocontrast_divided(image) if image.numel() else image


@kernel_for(normalize, *TENSORS)
def normalize_image(image: Tensor, mean: Any, std: Any, inplace: bool = False) -> Tensor:
    if image.is_floating_point() and image.ndim > 2 and isinstance(std, (list, tuple)) and not all(std):
        raise ValueError("std evaluated to zero, leading to division by zero.")
    return v1.normalize(image, mean, std, inplace)


@kernel_for(equalize, *TENSORS)
def equalize_image(image: Tensor) -> Tensor:
    flat = v1.convert_image_dtype(image, torch.uint8).reshape(-1, *image.shape[-3:])
    return v1.convert_image_dtype(v1.equalize(flat).reshape(image.shape), image.dtype)


@kernel_for(posterize, *TENSORS)
def posterize_image(image: Tensor, bits: int) -> Tensor:
    if not image.is_floating_point():
        return v1.posterize(image, bits)
    levels = 1 << bits
    return image.mul(levels).floor_().clamp_(0, levels - 1).mul_(1.0 / levels)


def grayscale_to_rgb(inpt: Any) -> Any:
    """Grey pictures with three equal channels; others as they are."""
    return call(grayscale_to_rgb, inpt)


@kernel_for(grayscale_to_rgb, Tensor, Image)
def grayscale_to_rgb_image(image: Tensor) -> Tensor:
    return image if image.shape[-3] >= 3 else v1.rgb_to_grayscale(image, 3)


@kernel_for(grayscale_to_rgb, PILImage)
def _grayscale_to_rgb_pil(image: Any) -> Any:
    return image.convert("RGB")


def permute_channels(inpt: Any, permutation: Any) -> Any:
    """The channels in another order."""
    return call(permute_channels, inpt, permutation)


@kernel_for(permute_channels, *TENSORS)
def permute_channels_image(image: Tensor, permutation: Any) -> Tensor:
    if len(permutation) != image.shape[-3]:
        raise ValueError(
            f"Length of permutation does not match number of channels: {len(permutation)} != {image.shape[-3]}"
        )
    return image[..., permutation, :, :]


@kernel_for(permute_channels, PILImage)
def _permute_channels_pil(image: Any, permutation: Any) -> Any:
    return v1.to_pil_image(permute_channels_image(v1.pil_to_tensor(image), permutation))


def gaussian_noise(inpt: Any, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Any:
    """With noise from a normal distribution added, counted from 0 to 1; `clip` keeps the values there."""
    return call(gaussian_noise, inpt, mean=mean, sigma=sigma, clip=clip)


@kernel_for(gaussian_noise, *TENSORS)
def gaussian_noise_image(image: Tensor, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> Tensor:
    if sigma < 0:
        raise ValueError(f"sigma shouldn't be negative. Got {sigma}")
    if image.is_floating_point():
        noisy = image + (mean + torch.randn_like(image) * sigma)
        return noisy.clamp(0, 1) if clip else noisy
    if image.dtype != torch.uint8:
        raise ValueError(f"Input tensor is expected to be in uint8 or float dtype, got dtype={image.dtype}")
    noise = mean * 255 + torch.randn_like(image, dtype=torch.float32) * (sigma * 255)
    noisy = image + noise.to(torch.int16)
    return (noisy.clamp(0, 255) if clip else noisy).to(torch.uint8)


@kernel_for(gaussian_noise, PILImage)
def _gaussian_noise_pil(image: Any, **_: Any) -> Any:
    raise ValueError("Gaussian Noise is not implemented for PIL images.")


def erase(inpt: Any, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> Any:
    """With `v` in the rectangle of size (h, w) at row i, column j."""
    return call(erase, inpt, i=i, j=j, h=h, w=w, v=v, inplace=inplace)


kernel_for(erase, *TENSORS)(v1.erase)


@kernel_for(erase, PILImage)
def _erase_pil(image: Any, **where: Any) -> Any:
    return v1.to_pil_image(v1.erase(v1.pil_to_tensor(image), **where), mode=image.mode)


def jpeg(image: Any, quality: int) -> Any:
    """As a JPEG file of this quality would show it."""
    return call(jpeg, image, quality=quality)


@kernel_for(jpeg, PILImage)
def _jpeg_pil(image: Any, quality: int) -> Any:
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=quality)
    return pillow().open(file).copy()


@kernel_for(jpeg, *TENSORS)
def jpeg_image(image: Tensor, quality: int) -> Tensor:
    if image.dtype != torch.uint8:
        raise RuntimeError("Input tensor dtype should be uint8")
    flat = image.reshape(-1, *image.shape[-3:])
    coded = [v1.pil_to_tensor(_jpeg_pil(v1.to_pil_image(one), quality)) for one in flat]
    return torch.stack(coded).reshape(image.shape) if coded else image.clone()


# ---------------------------------------------------------------------- dtypes and classes
def to_dtype(inpt: Any, dtype: Any = torch.float32, scale: bool = False) -> Any:
    """In another dtype; for pictures `scale` keeps full brightness (1.0, 255) full brightness.

    >>> import minitorch as torch
    >>> to_dtype(torch.tensor([[0, 255]], dtype=torch.uint8), torch.float32, scale=True)
    tensor([[0., 1.]])
    """
    return call(to_dtype, inpt, dtype=dtype, scale=scale)


@kernel_for(to_dtype, *TENSORS)
def to_dtype_image(image: Tensor, dtype: Any = torch.float32, scale: bool = False) -> Tensor:
    return v1.convert_image_dtype(image, dtype) if scale else image.to(dtype)


@kernel_for(to_dtype, Mask)
def _to_dtype_mask(mask: Tensor, dtype: Any, scale: bool = False) -> Tensor:
    return mask.to(dtype)


@kernel_for(to_dtype, BoundingBoxes, KeyPoints)
def _to_dtype_places(places: Tensor, dtype: Any, canvas_size: Size, **_: Any) -> tuple[Tensor, Size]:
    return places.to(dtype), canvas_size


def to_image(inpt: Any) -> Any:
    """A tv_tensors.Image of a PIL image, an array (H, W, C) or (H, W), or a tensor."""
    if isinstance(inpt, np.ndarray):
        return Image(torch.from_numpy(np.ascontiguousarray(np.atleast_3d(inpt).transpose((2, 0, 1)))))
    if not (is_pil_image(inpt) or isinstance(inpt, Tensor)):
        raise TypeError(
            f"Input can either be a pure Tensor, a numpy array, or a PIL image, but got {type(inpt)} instead."
        )
    return Image(inpt)


def uniform_temporal_subsample(inpt: Any, num_samples: int) -> Any:
    """`num_samples` frames of a video (..., T, C, H, W), evenly spread."""
    return call(uniform_temporal_subsample, inpt, num_samples)


@kernel_for(uniform_temporal_subsample, Tensor, Video)
def uniform_temporal_subsample_video(video: Tensor, num_samples: int) -> Tensor:
    frames = torch.linspace(0, video.shape[-4] - 1, num_samples).long()
    return torch.index_select(video, -4, frames)


# ---------------------------------------------------------------------- questions
get_dimensions = of_pictures(v1.get_dimensions, Tensor, PILImage)


def _plain_dimensions(inpt: Any) -> list[int]:
    return v1.get_dimensions(inpt.as_subclass(Tensor) if isinstance(inpt, Tensor) else inpt)


def get_size(inpt: Any) -> list[int]:
    """Height and width, of boxes and points their canvas's."""
    if isinstance(inpt, (BoundingBoxes, KeyPoints)):
        return list(inpt.canvas_size)
    return _plain_dimensions(inpt)[1:]


def get_num_channels(inpt: Any) -> int:
    """The number of channels."""
    return _plain_dimensions(inpt)[0]


def get_image_size(inpt: Any) -> list[int]:
    """Width and height."""
    return get_size(inpt)[::-1]


get_image_num_channels = get_num_channels


def get_num_frames(inpt: Tensor) -> int:
    """The number of a video's frames."""
    return inpt.shape[-4]


# ---------------------------------------------------------------------- sanity
def valid_boxes(
    boxes: Tensor, format: BoundingBoxFormat, canvas_size: Size, min_size: float, min_area: float
) -> Tensor:
    """Which boxes are within the canvas and not too small."""
    corners = to_format(boxes.as_subclass(Tensor), format, XYXY)
    width, height = corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]
    limits = torch.tensor([canvas_size[1], canvas_size[0]] * 2)
    within = ((corners >= 0) & (corners <= limits)).all(dim=-1)
    return within & (width >= min_size) & (height >= min_size) & (width * height >= min_area)


def sanitize_bounding_boxes(
    bounding_boxes: Tensor, format: Any = None, canvas_size: Size | None = None, min_size: float = 1.0,
    min_area: float = 1.0,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The boxes that are within their canvas and not too small, and which these are."""
    if is_pure_tensor(bounding_boxes):
        if format is None or canvas_size is None:
            raise ValueError(
                "format and canvas_size cannot be None if bounding_boxes is a pure tensor. "
                f"Got format={format} and canvas_size={canvas_size}."
                "Set those to appropriate values or pass bounding_boxes as a tv_tensors.BoundingBoxes object."
            )
        format = BoundingBoxFormat[format.upper()] if isinstance(format, str) else format
        valid = valid_boxes(bounding_boxes, format, canvas_size, min_size, min_area)
        return bounding_boxes[valid], valid
    if not isinstance(bounding_boxes, BoundingBoxes):
        raise ValueError("bounding_boxes must be a tv_tensors.BoundingBoxes instance or a pure tensor.")
    if format is not None or canvas_size is not None:
        raise ValueError(
            "format and canvas_size must be None when bounding_boxes is a tv_tensors.BoundingBoxes instance. "
            f"Got format={format} and canvas_size={canvas_size}. "
            "Leave those to None or pass bounding_boxes as a pure tensor."
        )
    valid = valid_boxes(bounding_boxes, bounding_boxes.format, bounding_boxes.canvas_size, min_size, min_area)
    return wrap(bounding_boxes.as_subclass(Tensor)[valid], like=bounding_boxes), valid


def valid_points(points: Tensor, canvas_size: Size) -> Tensor:
    """Which points, or groups of points, lie on the canvas."""
    x, y = points.as_subclass(Tensor).unbind(-1)
    valid = (x >= 0) & (x < canvas_size[1]) & (y >= 0) & (y < canvas_size[0])
    return valid.flatten(start_dim=1).all(dim=1) if valid.ndim > 1 else valid


def sanitize_keypoints(key_points: Tensor, canvas_size: Size | None = None) -> tuple[Tensor, Tensor]:
    """The points on their canvas, and which these are."""
    if is_pure_tensor(key_points):
        if canvas_size is None:
            raise ValueError(
                "canvas_size cannot be None if key_points is a pure tensor. "
                "Set it to an appropriate value or pass key_points as a tv_tensors.KeyPoints object."
            )
        valid = valid_points(key_points, canvas_size)
        return key_points[valid], valid
    if not isinstance(key_points, KeyPoints):
        raise ValueError("key_points must be a tv_tensors.KeyPoints instance or a pure tensor.")
    if canvas_size is not None:
        raise ValueError(
            "canvas_size must be None when key_points is a tv_tensors.KeyPoints instance. "
            f"Got canvas_size={canvas_size}. Leave it to None or pass key_points as a pure tensor."
        )
    valid = valid_points(key_points, key_points.canvas_size)
    return wrap(key_points.as_subclass(Tensor)[valid], like=key_points), valid
