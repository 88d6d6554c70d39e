"""torchvision.utils: images in a grid, in a file, or with boxes, masks, points or flow drawn."""

import math
from typing import Any

import minitorch as torch
from minitorch import Tensor

from ._drawing import draw_bounding_boxes, draw_keypoints, draw_segmentation_masks
from ._pillow import image_from_array

__all__ = [
    "make_grid", "save_image", "draw_bounding_boxes", "draw_segmentation_masks", "draw_keypoints", "flow_to_image",
]  # fmt: skip


def _as_batch(tensor: Any) -> Tensor:
    """Images (N, C, H, W) of one image, of a batch or of a list; grey ones get three channels."""
    if isinstance(tensor, list):
        for item in tensor:
            if not torch.is_tensor(item):
                raise TypeError(f"tensor or list of tensors expected, got a list containing {type(item)}")
        tensor = torch.stack(tensor, dim=0)
    elif not torch.is_tensor(tensor):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    if tensor.dim() == 2:
        tensor = tensor.unsqueeze(0)
    if tensor.dim() == 3:
        tensor = tensor.unsqueeze(0)
    return torch.cat((tensor,) * 3, 1) if tensor.dim() == 4 and tensor.size(1) == 1 else tensor


def _normalized(image: Tensor, value_range: Any) -> Tensor:
    low, high = value_range if value_range is not None else (float(image.min()), float(image.max()))
    return (image.clamp(min=low, max=high) - low) / max(high - low, 1e-5)


@torch.no_grad()
def make_grid(
    tensor: Any,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Images side by side, `nrow` of them to a row; `normalize` scales them to 0 .. 1, together or each by itself.

    >>> import minitorch as torch
    >>> make_grid(torch.zeros(10, 3, 4, 4), nrow=5).shape
    torch.Size([3, 14, 32])
    """
    images = _as_batch(tensor)
    if normalize is True:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeError("value_range has to be a tuple (min, max) if specified. min and max are numbers")
        if scale_each is True:
            images = torch.stack([_normalized(image, value_range) for image in images])
        else:
            images = _normalized(images, value_range)
    if images.size(0) == 1:
        return images.squeeze(0)
    count, channels = images.size(0), images.size(1)
    columns = min(nrow, count)
    height, width = images.size(2) + padding, images.size(3) + padding
    rows = math.ceil(count / columns)
    grid = images.new_full((channels, height * rows + padding, width * columns + padding), pad_value)
    for k, image in enumerate(images):
        top, left = k // columns * height + padding, k % columns * width + padding
        grid[:, top : top + image.size(1), left : left + image.size(2)] = image
    return grid


@torch.no_grad()
def save_image(tensor: Any, fp: Any, format: str | None = None, **kwargs: Any) -> None:
    """Writes images from 0 to 1, as a grid, to a file in the format of its name's ending; kwargs are `make_grid`'s."""
    grid = make_grid(tensor, **kwargs).mul(255).add_(0.5).clamp_(0, 255)
    image_from_array(grid.permute(1, 2, 0).to("cpu", torch.uint8).contiguous().numpy()).save(fp, format=format)


# ---------------------------------------------------------------------- flow
# Baker et al., A Database and Evaluation Methodology for Optical Flow (2011): from one colour to the next in so many
# steps, by raising or lowering one of red, green and blue
_WHEEL = ((15, 0, 1, 1), (6, 1, 0, -1), (4, 1, 2, 1), (11, 2, 1, -1), (13, 2, 0, 1), (6, 0, 2, -1))


def _color_wheel() -> Tensor:
    parts = []
    for steps, full, moving, direction in _WHEEL:
        part = torch.zeros(steps, 3)
        part[:, full] = 255.0
        ramp = torch.floor(255 * torch.arange(steps) / steps)
        part[:, moving] = ramp if direction > 0 else 255 - ramp
        parts.append(part)
    return torch.cat(parts)


@torch.no_grad()
def flow_to_image(flow: Tensor) -> Tensor:
    """Flow (2, H, W) or (N, 2, H, W) as colours: the direction is the hue, the length the saturation.

    >>> import minitorch as torch
    >>> flow_to_image(torch.zeros(2, 1, 1)).flatten().tolist()
    [255, 255, 255]
    """
    if flow.dtype != torch.float32:
        raise ValueError(f"Flow should be of dtype torch.float, got {flow.dtype}.")
    batch = flow[None] if flow.ndim == 3 else flow
    if batch.ndim != 4 or batch.shape[1] != 2:
        raise ValueError(f"Input flow should have shape (2, H, W) or (N, 2, H, W), got {flow.shape}.")
    longest = batch.pow(2).sum(dim=1).sqrt().max()
    batch = batch / (longest + torch.finfo(flow.dtype).eps)
    length = batch.pow(2).sum(dim=1).sqrt()
    wheel = _color_wheel()
    place = (torch.atan2(-batch[:, 1], -batch[:, 0]) / math.pi + 1) / 2 * (len(wheel) - 1)
    below = torch.floor(place).to(torch.int64)
    part = (place - below).unsqueeze(-1)
    colors = (1 - part) * (wheel[below] / 255.0) + part * (wheel[(below + 1) % len(wheel)] / 255.0)
    image = torch.floor(255 * (1 - length.unsqueeze(-1) * (1 - colors))).to(torch.uint8).movedim(-1, 1)
    return image[0] if flow.ndim == 3 else image
