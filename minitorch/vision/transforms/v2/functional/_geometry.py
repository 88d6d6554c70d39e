"""The functionals of v2 that move pixels, for pictures, masks, boxes and points."""

from collections.abc import Callable, Sequence
from typing import Any

import minitorch as torch
from minitorch import Tensor

from ....tv_tensors import BoundingBoxes, BoundingBoxFormat, KeyPoints, Mask
from ... import _functional_pil as F_pil
from ... import functional as v1
from ..._arguments import height_and_width, resized_size, shears
from ..._functional_tensor import expanded_size, sides
from ..._functional_tensor import perspective as perspective_tensor
from ..._functional_tensor import resize as resize_tensor
from ..._matrices import (
    InterpolationMode,
    affine_matrix,
    interpolation_from_int,
    perspective_coefficients,
    pil_modes_mapping,
)
from ._boxes import (
    Size,
    affine_map,
    check_unrotated,
    clamped,
    elastic_map,
    mapped_boxes,
    mapped_points,
    perspective_map,
    to_format,
)
from ._registry import PICTURES, TENSORS, PILImage, call, kernel_for, of_pictures

NEAREST = InterpolationMode.NEAREST
BILINEAR = InterpolationMode.BILINEAR


def interpolation_mode(interpolation: Any) -> InterpolationMode:
    """The mode given as itself, by its name or by Pillow's number."""
    if isinstance(interpolation, int):
        return interpolation_from_int(interpolation)
    return InterpolationMode(interpolation.lower()) if isinstance(interpolation, str) else interpolation


def _as_image(mask: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """The function of masks (..., H, W), which may be a single one without a dimension of channels."""
    return function(mask) if mask.ndim > 2 else function(mask.unsqueeze(0)).squeeze(0)


# ---------------------------------------------------------------------- flips
def horizontal_flip(inpt: Any) -> Any:
    """Left and right exchanged."""
    return call(horizontal_flip, inpt)


def vertical_flip(inpt: Any) -> Any:
    """Top and bottom exchanged."""
    return call(vertical_flip, inpt)


hflip, vflip = horizontal_flip, vertical_flip
kernel_for(horizontal_flip, *PICTURES, Mask)(v1.hflip)
kernel_for(vertical_flip, *PICTURES, Mask)(v1.vflip)


def _flipped_boxes(boxes: Tensor, format: BoundingBoxFormat, length: int, axis: int) -> Tensor:
    check_unrotated(format)
    flipped = boxes.clone()
    near, far = boxes[..., axis], boxes[..., axis + 2]
    if format == BoundingBoxFormat.XYXY:
        flipped[..., axis], flipped[..., axis + 2] = length - far, length - near
    else:
        flipped[..., axis] = length - near - (far if format == BoundingBoxFormat.XYWH else 0)
    return flipped


def _flipped_points(points: Tensor, length: int, axis: int) -> Tensor:
    flipped = points.clone()
    flipped[..., axis] = length - 1 - points[..., axis]
    return flipped


@kernel_for(horizontal_flip, BoundingBoxes)
def horizontal_flip_bounding_boxes(boxes: Tensor, format: Any, canvas_size: Size, **_: Any) -> tuple[Tensor, Size]:
    return _flipped_boxes(boxes, format, canvas_size[1], 0), canvas_size


@kernel_for(vertical_flip, BoundingBoxes)
def vertical_flip_bounding_boxes(boxes: Tensor, format: Any, canvas_size: Size, **_: Any) -> tuple[Tensor, Size]:
    return _flipped_boxes(boxes, format, canvas_size[0], 1), canvas_size


@kernel_for(horizontal_flip, KeyPoints)
def horizontal_flip_keypoints(points: Tensor, canvas_size: Size) -> tuple[Tensor, Size]:
    return _flipped_points(points, canvas_size[1], 0), canvas_size


@kernel_for(vertical_flip, KeyPoints)
def vertical_flip_keypoints(points: Tensor, canvas_size: Size) -> tuple[Tensor, Size]:
    return _flipped_points(points, canvas_size[0], 1), canvas_size


# ---------------------------------------------------------------------- resizing
def _new_size(canvas_size: Size, size: Any, max_size: int | None) -> Size:
    if size is None:
        if not isinstance(max_size, int):
            raise ValueError(f"max_size must be an integer when size is None, but got {max_size} instead.")
        height, width = canvas_size
        short = int(max_size * min(height, width) / max(height, width))
        return (max_size, short) if width <= height else (short, max_size)
    size = [size] if isinstance(size, int) else size
    if max_size is not None and len(size) != 1:
        raise ValueError(
            "max_size should only be passed if size is None or specifies the length of the smaller edge, i.e. size "
            "should be an int or a sequence of length 1 in torchscript mode."
        )
    height, width = resized_size(*canvas_size, size, max_size)
    return height, width


def resize(
    inpt: Any, size: Any, interpolation: Any = BILINEAR, max_size: int | None = None, antialias: bool | None = True
) -> Any:
    """At a size (h, w), or with the shorter edge of length `size` and the longer one of at most `max_size`."""
    return call(resize, inpt, size=size, interpolation=interpolation, max_size=max_size, antialias=antialias)


@kernel_for(resize, *PICTURES)
def resize_image(
    image: Any, size: Any, interpolation: Any = BILINEAR, max_size: int | None = None, antialias: bool | None = True
) -> Any:
    _, height, width = v1.get_dimensions(image)
    new, mode = _new_size((height, width), size, max_size), interpolation_mode(interpolation)
    if isinstance(image, Tensor) and tuple(new) != (height, width):
        return resize_tensor(image, new, mode.value, antialias, whole=True)
    return v1.resize(image, new, mode, antialias=antialias)


@kernel_for(resize, Mask)
def resize_mask(mask: Tensor, size: Any, interpolation: Any = NEAREST, max_size: int | None = None, **_: Any) -> Tensor:
    exact = InterpolationMode.NEAREST_EXACT
    mode = exact if interpolation_mode(interpolation) == exact else NEAREST
    return _as_image(mask, lambda x: resize_image(x, size, mode, max_size))


def _scaled(values: Tensor, canvas_size: Size, size: Any, max_size: int | None) -> tuple[Tensor, Size]:
    """Coordinates (..., x, y, x, y) or (..., x, y) on a canvas of the new size."""
    new = _new_size(canvas_size, size, max_size)
    if new == tuple(canvas_size):
        return values, canvas_size
    ratios = torch.tensor([new[1] / canvas_size[1], new[0] / canvas_size[0]] * (values.shape[-1] // 2))
    return values.mul(ratios).to(values.dtype), new


@kernel_for(resize, BoundingBoxes)
def resize_bounding_boxes(
    boxes: Tensor, size: Any, format: Any, canvas_size: Size, max_size: int | None = None, **_: Any
) -> tuple[Tensor, Size]:
    check_unrotated(format)
    return _scaled(boxes, canvas_size, size, max_size)


@kernel_for(resize, KeyPoints)
def resize_keypoints(
    points: Tensor, size: Any, canvas_size: Size, max_size: int | None = None, **_: Any
) -> tuple[Tensor, Size]:
    return _scaled(points, canvas_size, size, max_size)


# ---------------------------------------------------------------------- padding and cropping
def pad(inpt: Any, padding: Any, fill: Any = None, padding_mode: str = "constant") -> Any:
    """With more around: `padding` of it, or (x, y), or (left, top, right, bottom)."""
    return call(pad, inpt, padding=padding, fill=fill, padding_mode=padding_mode)


@kernel_for(pad, *TENSORS)
def pad_image(image: Tensor, padding: Any, fill: Any = None, padding_mode: str = "constant") -> Tensor:
    values = list(fill) if isinstance(fill, (list, tuple)) else [fill]
    if len(values) == 1:
        return v1.pad(image, padding, values[0], padding_mode)
    if padding_mode != "constant":
        raise ValueError(f"Padding mode '{padding_mode}' is not supported if fill is not scalar")
    inside = v1.pad(torch.ones(image.shape[-2:], dtype=torch.bool), padding)
    color = torch.tensor(values).to(image.dtype).reshape(-1, 1, 1)
    return torch.where(inside, v1.pad(image, padding), color)


kernel_for(pad, PILImage)(v1.pad)


@kernel_for(pad, Mask)
def pad_mask(mask: Tensor, padding: Any, fill: Any = None, padding_mode: str = "constant") -> Tensor:
    if isinstance(fill, (list, tuple)):
        raise ValueError("Non-scalar fill value is not supported")
    return _as_image(mask, lambda x: pad_image(x, padding, fill, padding_mode))


def _shifted(values: Tensor, x: int, y: int, format: BoundingBoxFormat | None = None) -> Tensor:
    """Boxes of a format, or points, moved by (x, y)."""
    if format is not None:
        check_unrotated(format)
    by = [x, y] if format is None else [x, y, x, y] if format == BoundingBoxFormat.XYXY else [x, y, 0, 0]
    return values + torch.tensor(by, dtype=values.dtype)


def _padded_size(canvas_size: Size, padding: Any, padding_mode: str, what: str) -> tuple[int, int, Size]:
    if padding_mode != "constant":
        raise ValueError(f"Padding mode '{padding_mode}' is not supported with {what}")
    left, right, top, bottom = sides(padding)
    return left, top, (canvas_size[0] + top + bottom, canvas_size[1] + left + right)


@kernel_for(pad, BoundingBoxes)
def pad_bounding_boxes(
    boxes: Tensor, padding: Any, format: Any, canvas_size: Size, clamping_mode: Any, padding_mode: str = "constant",
    **_: Any,
) -> tuple[Tensor, Size]:  # fmt: skip
    left, top, size = _padded_size(canvas_size, padding, padding_mode, "bounding boxes")
    return clamped(_shifted(boxes, left, top, format), format, size, clamping_mode), size


@kernel_for(pad, KeyPoints)
def pad_keypoints(
    points: Tensor, padding: Any, canvas_size: Size, padding_mode: str = "constant", **_: Any
) -> tuple[Tensor, Size]:
    left, top, size = _padded_size(canvas_size, padding, padding_mode, "KeyPoints (supported modes are constant)")
    return _shifted(points, left, top), size


def crop(inpt: Any, top: int, left: int, height: int, width: int) -> Any:
    """A rectangle, zeros where it reaches beyond."""
    return call(crop, inpt, top=top, left=left, height=height, width=width)


kernel_for(crop, *PICTURES, Mask)(v1.crop)


@kernel_for(crop, BoundingBoxes)
def crop_bounding_boxes(
    boxes: Tensor, top: int, left: int, height: int, width: int, format: Any, clamping_mode: Any, **_: Any
) -> tuple[Tensor, Size]:
    return clamped(_shifted(boxes, -left, -top, format), format, (height, width), clamping_mode), (height, width)


@kernel_for(crop, KeyPoints)
def crop_keypoints(points: Tensor, top: int, left: int, height: int, width: int, **_: Any) -> tuple[Tensor, Size]:
    return _shifted(points, -left, -top), (height, width)


def center_crop(inpt: Any, output_size: Any) -> Any:
    """The middle; zeros around it if it is smaller."""
    return call(center_crop, inpt, output_size=output_size)


kernel_for(center_crop, *PICTURES, Mask)(v1.center_crop)


def _center(canvas_size: Size, output_size: Any) -> dict[str, int]:
    height, width = height_and_width(output_size)
    top, left = round((canvas_size[0] - height) / 2.0), round((canvas_size[1] - width) / 2.0)
    return dict(top=top, left=left, height=height, width=width)


@kernel_for(center_crop, BoundingBoxes)
def center_crop_bounding_boxes(boxes: Tensor, output_size: Any, canvas_size: Size, **says: Any) -> tuple[Tensor, Size]:
    return crop_bounding_boxes(boxes, **_center(canvas_size, output_size), **says)


@kernel_for(center_crop, KeyPoints)
def center_crop_keypoints(points: Tensor, output_size: Any, canvas_size: Size) -> tuple[Tensor, Size]:
    return crop_keypoints(points, **_center(canvas_size, output_size))


def resized_crop(
    inpt: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Any,
    interpolation: Any = BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """`crop`, then `resize`."""
    return resize(crop(inpt, top, left, height, width), size, interpolation, antialias=antialias)


five_crop = of_pictures(v1.five_crop)
ten_crop = of_pictures(v1.ten_crop)


# ---------------------------------------------------------------------- turning and bending
def affine(
    inpt: Any,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Any,
    interpolation: Any = NEAREST,
    fill: Any = None,
    center: Any = None,
) -> Any:
    """Sheared, turned clockwise and scaled about the middle or `center`, and moved; angles in degrees."""
    moves = dict(angle=angle, translate=translate, scale=scale, shear=shear, center=center)
    return call(affine, inpt, **moves, interpolation=interpolation, fill=fill)


@kernel_for(affine, *PICTURES)
def affine_image(
    image: Any, angle: float, translate: Any, scale: float, shear: Any, interpolation: Any = NEAREST,
    fill: Any = None, center: Any = None,
) -> Any:  # fmt: skip
    return v1.affine(image, angle, translate, scale, shear, interpolation_mode(interpolation), fill, center)


@kernel_for(affine, Mask)
def affine_mask(
    mask: Tensor, angle: float, translate: Any, scale: float, shear: Any, fill: Any = None, center: Any = None,
    **_: Any,
) -> Tensor:  # fmt: skip
    return _as_image(mask, lambda x: v1.affine(x, angle, translate, scale, shear, NEAREST, fill, center))


def _forward_matrix(
    canvas_size: Size, angle: float, translate: Any, scale: float, shear: Any, center: Any
) -> list[float]:
    middle = [canvas_size[1] * 0.5, canvas_size[0] * 0.5] if center is None else center
    return affine_matrix(middle, angle, translate, scale, shears(shear), inverted=False)


@kernel_for(affine, BoundingBoxes)
def affine_bounding_boxes(
    boxes: Tensor, angle: float, translate: Any, scale: float, shear: Any, format: Any, canvas_size: Size,
    clamping_mode: Any, center: Any = None, **_: Any,
) -> tuple[Tensor, Size]:  # fmt: skip
    move = affine_map(_forward_matrix(canvas_size, angle, translate, scale, shear, center))
    return mapped_boxes(boxes, format, canvas_size, clamping_mode, move), canvas_size


@kernel_for(affine, KeyPoints)
def affine_keypoints(
    points: Tensor, angle: float, translate: Any, scale: float, shear: Any, canvas_size: Size, center: Any = None,
    **_: Any,
) -> tuple[Tensor, Size]:  # fmt: skip
    move = affine_map(_forward_matrix(canvas_size, angle, translate, scale, shear, center))
    return mapped_points(points, move), canvas_size


def rotate(
    inpt: Any, angle: float, interpolation: Any = NEAREST, expand: bool = False, center: Any = None, fill: Any = None
) -> Any:
    """Turned counter-clockwise by degrees; `expand` makes room for all of it."""
    return call(rotate, inpt, angle=angle, interpolation=interpolation, expand=expand, center=center, fill=fill)


@kernel_for(rotate, *PICTURES)
def rotate_image(
    image: Any, angle: float, interpolation: Any = NEAREST, expand: bool = False, center: Any = None, fill: Any = None
) -> Any:
    return v1.rotate(image, angle, interpolation_mode(interpolation), expand, center, fill)


@kernel_for(rotate, Mask)
def rotate_mask(
    mask: Tensor, angle: float, expand: bool = False, center: Any = None, fill: Any = None, **_: Any
) -> Tensor:
    return _as_image(mask, lambda x: v1.rotate(x, angle, NEAREST, expand, center, fill))


def _rotation(canvas_size: Size, angle: float, expand: bool, center: Any) -> tuple[list[float], Size]:
    """The map of points, and the canvas's size after it."""
    matrix = _forward_matrix(canvas_size, -angle, [0.0, 0.0], 1.0, [0.0, 0.0], center)
    if not expand:
        return matrix, canvas_size
    height, width = canvas_size
    corners = [(x, y) for x in (0.0, float(width)) for y in (0.0, float(height))]
    for row in (0, 3):
        matrix[row + 2] -= min([matrix[row] * x + matrix[row + 1] * y + matrix[row + 2] for x, y in corners])
    middle = [width * 0.5, height * 0.5] if center is None else center
    inverse = affine_matrix(middle, -angle, [0.0, 0.0], 1.0, [0.0, 0.0])
    return matrix, expanded_size(inverse, width, height)[::-1]


@kernel_for(rotate, BoundingBoxes)
def rotate_bounding_boxes(
    boxes: Tensor, angle: float, format: Any, canvas_size: Size, clamping_mode: Any, expand: bool = False,
    center: Any = None, **_: Any,
) -> tuple[Tensor, Size]:  # fmt: skip
    matrix, size = _rotation(canvas_size, angle, expand, center)
    return mapped_boxes(boxes, format, size, clamping_mode, affine_map(matrix)), size


@kernel_for(rotate, KeyPoints)
def rotate_keypoints(
    points: Tensor, angle: float, canvas_size: Size, expand: bool = False, center: Any = None, **_: Any
) -> tuple[Tensor, Size]:
    matrix, size = _rotation(canvas_size, angle, expand, center)
    return mapped_points(points, affine_map(matrix)), size


def perspective(
    inpt: Any,
    startpoints: Any,
    endpoints: Any,
    interpolation: Any = BILINEAR,
    fill: Any = None,
    coefficients: Any = None,
) -> Any:
    """Seen so that the four start points [x, y] appear at the end points; or by the map's eight coefficients."""
    if coefficients is None:
        if startpoints is None or endpoints is None:
            raise ValueError("Either the startpoints/endpoints or the coefficients must have non `None` values.")
        coefficients = perspective_coefficients(startpoints, endpoints)
    elif startpoints is not None and endpoints is not None:
        raise ValueError("The startpoints/endpoints and the coefficients shouldn't be defined concurrently.")
    elif len(coefficients) != 8:
        raise ValueError("Argument coefficients should have 8 float values")
    return call(perspective, inpt, coefficients, interpolation=interpolation, fill=fill)


@kernel_for(perspective, *TENSORS)
def perspective_image(image: Tensor, coeffs: Any, interpolation: Any = BILINEAR, fill: Any = None) -> Tensor:
    return perspective_tensor(image, coeffs, interpolation_mode(interpolation).value, fill)


@kernel_for(perspective, PILImage)
def _perspective_pil(image: Any, coeffs: Any, interpolation: Any = BILINEAR, fill: Any = None) -> Any:
    return F_pil.perspective(image, coeffs, pil_modes_mapping[interpolation_mode(interpolation)], fill)


@kernel_for(perspective, Mask)
def perspective_mask(mask: Tensor, coeffs: Any, fill: Any = None, **_: Any) -> Tensor:
    return _as_image(mask, lambda x: perspective_tensor(x, coeffs, "nearest", fill))


@kernel_for(perspective, BoundingBoxes)
def perspective_bounding_boxes(
    boxes: Tensor, coeffs: Any, format: Any, canvas_size: Size, clamping_mode: Any, **_: Any
) -> tuple[Tensor, Size]:
    corners = to_format(boxes, format, BoundingBoxFormat.XYXY)
    floats = corners if corners.is_floating_point() else corners.float()
    moved = mapped_boxes(floats, BoundingBoxFormat.XYXY, canvas_size, clamping_mode, perspective_map(coeffs))
    return to_format(moved, BoundingBoxFormat.XYXY, format).to(boxes.dtype), canvas_size


@kernel_for(perspective, KeyPoints)
def perspective_keypoints(points: Tensor, coeffs: Any, canvas_size: Size, **_: Any) -> tuple[Tensor, Size]:
    return mapped_points(points, perspective_map(coeffs)), canvas_size


def elastic(inpt: Any, displacement: Tensor, interpolation: Any = BILINEAR, fill: Any = None) -> Any:
    """Every pixel taken from where `displacement` (1, H, W, 2) points, in halves of the size."""
    return call(elastic, inpt, displacement, interpolation=interpolation, fill=fill)


elastic_transform = elastic


@kernel_for(elastic, *PICTURES)
def elastic_image(image: Any, displacement: Tensor, interpolation: Any = BILINEAR, fill: Any = None) -> Any:
    return v1.elastic_transform(image, displacement, interpolation_mode(interpolation), fill)


@kernel_for(elastic, Mask)
def elastic_mask(mask: Tensor, displacement: Tensor, fill: Any = None, **_: Any) -> Tensor:
    return _as_image(mask, lambda x: v1.elastic_transform(x, displacement, NEAREST, fill))


@kernel_for(elastic, BoundingBoxes)
def elastic_bounding_boxes(
    boxes: Tensor, displacement: Tensor, format: Any, canvas_size: Size, clamping_mode: Any, **_: Any
) -> tuple[Tensor, Size]:
    move = elastic_map(displacement, canvas_size, round_up=True)
    corners = to_format(boxes, format, BoundingBoxFormat.XYXY)
    moved = mapped_boxes(corners, BoundingBoxFormat.XYXY, canvas_size, clamping_mode, move)
    return to_format(moved, BoundingBoxFormat.XYXY, format), canvas_size


@kernel_for(elastic, KeyPoints)
def elastic_keypoints(points: Tensor, displacement: Tensor, canvas_size: Size, **_: Any) -> tuple[Tensor, Size]:
    return mapped_points(points, elastic_map(displacement, canvas_size, round_up=False)), canvas_size
