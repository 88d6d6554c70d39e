"""Boxes, masks and points drawn into images."""

import math
import warnings
from typing import Any

import minitorch as torch
from minitorch import Tensor

from ._pillow import pillow
from .transforms.functional import convert_image_dtype, pil_to_tensor, to_pil_image


def _check_image(image: Any, channels: tuple[int, ...], what: str, wrong_channels: str) -> None:
    if not isinstance(image, Tensor):
        raise TypeError(f"{what} expected, got {type(image)}" if what == "Tensor" else f"{what}, got {type(image)}")
    if not (image.dtype == torch.uint8 or image.is_floating_point()):
        raise ValueError(f"The image dtype must be uint8 or float, got {image.dtype}")
    if image.dim() != 3:
        raise ValueError("Pass individual images, not batches")
    if image.size(0) not in channels:
        raise ValueError(wrong_channels)


_RGB = ((3,), "The image must be a tensor", "Pass an RGB image. Other Image formats are not supported")


def _parsed_colors(colors: Any, count: int) -> list[Any]:
    """A colour (red, green, blue) for each of `count` objects."""
    if colors is None:
        palette = (2**25 - 1, 2**15 - 1, 2**21 - 1)
        return [tuple([i * p % 255 for p in palette]) for i in range(count)]
    if isinstance(colors, list):
        if len(colors) < count:
            raise ValueError(
                f"Number of colors must be equal or larger than the number of objects, but got {len(colors)} < {count}."
            )
    elif not isinstance(colors, (tuple, str)):
        raise ValueError(f"colors must be a tuple or a string, or a list thereof, but got {colors}.")
    elif isinstance(colors, tuple) and len(colors) != 3:
        raise ValueError(f"If passed as tuple, colors should be an RGB triplet, but got {colors}.")
    else:
        colors = [colors] * count
    return [pillow("ImageColor").getrgb(color) if isinstance(color, str) else color for color in colors]


def _dashed_line(draw: Any, start: Any, end: Any, fill: Any, width: int) -> None:
    """Dashes of 5 pixels with 5 between them."""
    (x, y), left, drawn = start, math.dist(start, end), True
    while left > 0:
        step, angle = min(left, 5), math.atan2(end[1] - y, end[0] - x)
        before = (x, y)
        x, y = x + math.cos(angle) * step, y + math.sin(angle) * step
        if drawn:
            draw.line([before, (x, y)], fill, width)
        left, drawn = left - step, not drawn


def _rotated_box(draw: Any, xy: list[int], fill: Any, outline: Any, width: int) -> None:
    """A box given by its corners, the first side dashed to show which way it is up."""
    corners = list(zip(xy[::2], xy[1::2]))
    _dashed_line(draw, corners[0], corners[1], outline, width)
    for i in range(1, len(corners)):
        draw.line((corners[i], corners[(i + 1) % len(corners)]), width=width, fill=outline)
    draw.polygon(xy, fill=fill, outline=None, width=0)


def _label(draw: Any, at: Any, text: str, width: int, font: Any, color: Any, background: Any) -> None:
    place = (at[0] + width + 1, at[1] + width + 1)
    if background is not None:
        left, top, right, bottom = draw.textbbox(place, text, font=font)
        draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=background)
    draw.text(place, text, fill=color, font=font)


def _font(font: str | None, size: int | None) -> Any:
    if font is not None:
        return pillow("ImageFont").truetype(font=font, size=size or 10)
    if size is not None:
        warnings.warn("Argument 'font_size' will be ignored since 'font' is not set.", stacklevel=3)
    return pillow("ImageFont").load_default()


def _check_boxes(boxes: Tensor, labels: Any) -> None:
    if boxes.shape[-1] == 4 and ((boxes[:, 0] > boxes[:, 2]).any() or (boxes[:, 1] > boxes[:, 3]).any()):
        raise ValueError(
            "Boxes need to be in (xmin, ymin, xmax, ymax) format. Use torchvision.ops.box_convert to convert them"
        )
    if len(boxes) and labels is not None and len(labels) != len(boxes):
        raise ValueError(
            f"Number of boxes ({len(boxes)}) and labels ({len(labels)}) mismatch. Please specify labels for each box."
        )


@torch.no_grad()
def draw_bounding_boxes(
    image: Tensor,
    boxes: Tensor,
    labels: list[str] | None = None,
    colors: Any = None,
    fill: bool | None = False,
    width: int = 1,
    font: str | None = None,
    font_size: int | None = None,
    label_colors: Any = None,
    label_background_colors: Any = None,
    fill_labels: bool = False,
) -> Tensor:
    """The image (C, H, W) with boxes (N, 4) as xmin, ymin, xmax, ymax, or (N, 8) as four corners; with three channels.

    >>> import minitorch as torch
    >>> image = torch.zeros(3, 5, 5, dtype=torch.uint8)
    >>> draw_bounding_boxes(image, torch.tensor([[1, 1, 3, 3]]), colors="red").sum((1, 2)).tolist()
    [2040, 0, 0]
    """
    _check_image(image, (1, 3), "Tensor", "Only grayscale and RGB images are supported")
    _check_boxes(boxes, labels)
    count = boxes.shape[0]
    if count == 0:
        warnings.warn("boxes doesn't contain any box. No box was drawn", stacklevel=2)
        return image
    colors = _parsed_colors(colors, count)
    background = _parsed_colors(label_background_colors, count) if label_background_colors else colors
    text_colors = _parsed_colors(label_colors or "black", count) if label_colors or fill_labels else colors
    text_font = _font(font, font_size)
    picture = to_pil_image(convert_image_dtype(torch.tile(image, (3, 1, 1)) if len(image) == 1 else image, torch.uint8))
    draw = pillow("ImageDraw").Draw(picture, "RGBA" if fill else None)
    for i, box in enumerate(boxes.to(torch.int64).tolist()):
        inside = (*colors[i], 100) if fill else None
        if len(box) > 4:
            _rotated_box(draw, box, inside, colors[i], width)
        else:
            draw.rectangle(box, width=width, outline=colors[i], fill=inside)
        if labels is not None and labels[i] is not None:
            _label(draw, box, labels[i], width, text_font, text_colors[i], background[i] if fill_labels else None)
    return convert_image_dtype(pil_to_tensor(picture), image.dtype)


@torch.no_grad()
def draw_segmentation_masks(image: Tensor, masks: Tensor, alpha: float = 0.8, colors: Any = None) -> Tensor:
    """The image (3, H, W) with the masks' (N, H, W) colours laid over it; black where masks overlap."""
    _check_image(image, *_RGB)
    masks = masks[None] if masks.ndim == 2 else masks
    if masks.ndim != 3:
        raise ValueError("masks must be of shape (H, W) or (batch_size, H, W)")
    if masks.dtype != torch.bool:
        raise ValueError(f"The masks must be of dtype bool. Got {masks.dtype}")
    if masks.shape[-2:] != image.shape[-2:]:
        raise ValueError("The image and the masks must have the same height and width")
    if len(masks) == 0:
        warnings.warn("masks doesn't contain any mask. No mask was drawn", stacklevel=2)
        return image
    colored = image.detach().clone()
    scale = 255 if image.is_floating_point() else 1
    for mask, color in zip(masks, _parsed_colors(colors, len(masks))):
        values = torch.tensor([v / scale for v in color]).to(image.dtype)
        colored = torch.where(mask, values[:, None, None], colored)
    colored[:, masks.sum(dim=0) > 1] = 0
    return (image * (1 - alpha) + colored * alpha).to(image.dtype)


def _visible(visibility: Tensor | None, keypoints: Tensor) -> Tensor:
    if visibility is None:
        return torch.ones(keypoints.shape[:-1], dtype=torch.bool)
    visibility = visibility.squeeze(-1) if visibility.ndim == 3 else visibility
    if visibility.ndim != 2:
        raise ValueError(f"visibility must be of shape (num_instances, K). Got ndim={visibility.ndim}")
    if visibility.shape != keypoints.shape[:-1]:
        raise ValueError(
            "keypoints and visibility must have the same dimensionality for num_instances and K. "
            f"Got visibility.shape={visibility.shape!r} and keypoints.shape={keypoints.shape!r}"
        )
    return visibility


@torch.no_grad()
def draw_keypoints(
    image: Tensor,
    keypoints: Tensor,
    connectivity: list[tuple[int, int]] | None = None,
    colors: Any = None,
    radius: int = 2,
    width: int = 3,
    visibility: Tensor | None = None,
) -> Tensor:
    """The image (3, H, W) with points (N, K, 2) as discs, and lines between those that `connectivity` pairs."""
    _check_image(image, *_RGB)
    if keypoints.ndim != 3:
        raise ValueError("keypoints must be of shape (num_instances, K, 2)")
    seen = _visible(visibility, keypoints).bool().tolist()
    picture = to_pil_image(convert_image_dtype(image, torch.uint8))
    draw = pillow("ImageDraw").Draw(picture)
    for points, shown in zip(keypoints.to(torch.int64).tolist(), seen):
        for (x, y), is_shown in zip(points, shown):
            if is_shown:
                around = [x - radius, y - radius, x + radius, y + radius]
                draw.ellipse(around, fill=colors, outline=None, width=0)
        for a, b in connectivity or ():
            if shown[a] and shown[b]:
                draw.line((*points[a], *points[b]), width=width)
    return convert_image_dtype(pil_to_tensor(picture), image.dtype)
