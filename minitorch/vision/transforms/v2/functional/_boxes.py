"""Boxes and points as plain tensors: formats, clamping, and what maps of the plane make of them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import minitorch as torch
from minitorch import Tensor

from ....tv_tensors import BoundingBoxes, BoundingBoxFormat, KeyPoints, is_rotated_bounding_format, wrap
from ._registry import is_pure_tensor

Size: TypeAlias = tuple[int, int]
XYXY = BoundingBoxFormat.XYXY


def check_unrotated(*formats: BoundingBoxFormat) -> None:
    for format in formats:
        if is_rotated_bounding_format(format):
            raise NotImplementedError(f"boxes of the format {format.value}, which may be turned, are not supported")


def _half(x: Tensor) -> Tensor:
    return x / 2 if x.is_floating_point() else torch.div(x, 2, rounding_mode="floor")


def to_format(boxes: Tensor, old: BoundingBoxFormat, new: BoundingBoxFormat) -> Tensor:
    """Boxes (..., 4) in another format; centers of integers are rounded down."""
    if old == new:
        return boxes
    if is_rotated_bounding_format(old) != is_rotated_bounding_format(new):
        raise ValueError("Cannot convert between rotated and unrotated bounding boxes.")
    check_unrotated(old, new)
    first, second = boxes[..., :2], boxes[..., 2:]
    if old == XYXY:
        size = second - first
        return torch.cat([first if new == BoundingBoxFormat.XYWH else _half(first + second), size], -1)
    if old == BoundingBoxFormat.XYWH:
        return torch.cat([first, first + second] if new == XYXY else [first + _half(second), second], -1)
    near, far = [(first + sign * second / 2).to(boxes.dtype) for sign in (-1, 1)]  # of integers towards zero
    return torch.cat([near, far if new == XYXY else far - near], -1)


def _format(format: Any) -> Any:
    return BoundingBoxFormat[format.upper()] if isinstance(format, str) else format


def convert_bounding_box_format(
    inpt: Tensor, old_format: Any = None, new_format: Any = None, inplace: bool = False
) -> Tensor:
    """Boxes in another format, XYXY, XYWH or CXCYWH; of a plain tensor the old one must be said.

    >>> import minitorch as torch
    >>> convert_bounding_box_format(torch.tensor([[1, 2, 5, 9]]), "XYXY", "CXCYWH")
    tensor([[3, 5, 4, 7]])
    """
    if new_format is None:
        raise TypeError("convert_bounding_box_format() missing 1 required argument: 'new_format'")
    old_format, new_format = _format(old_format), _format(new_format)
    if is_pure_tensor(inpt):
        if old_format is None:
            raise ValueError("For pure tensor inputs, `old_format` has to be passed.")
        output = to_format(inpt, old_format, new_format)
        return inpt.copy_(output) if inplace else output
    if not isinstance(inpt, BoundingBoxes):
        raise TypeError(
            f"Input can either be a plain tensor or a bounding box tv_tensor, but got {type(inpt)} instead."
        )
    if old_format is not None:
        raise ValueError("For bounding box tv_tensor inputs, `old_format` must not be passed.")
    return wrap(to_format(inpt.as_subclass(Tensor), inpt.format, new_format), like=inpt, format=new_format)


def clamped(boxes: Tensor, format: BoundingBoxFormat, canvas_size: Size, clamping_mode: str | None) -> Tensor:
    """The part of each box that is on the canvas."""
    if clamping_mode is None:
        return boxes.clone()
    check_unrotated(format)
    corners = to_format(boxes if boxes.is_floating_point() else boxes.float(), format, XYXY)
    limits = torch.tensor([canvas_size[1], canvas_size[0]] * 2, dtype=corners.dtype)
    kept = torch.minimum(corners.clamp(min=0), limits)
    return to_format(kept, XYXY, format).to(boxes.dtype)


def clamp_bounding_boxes(
    inpt: Tensor, format: Any = None, canvas_size: Size | None = None, clamping_mode: str | None = "auto"
) -> Tensor:
    """The part of each box that is on the canvas; "auto" means the boxes' own mode, None no clamping."""
    if clamping_mode is not None and clamping_mode not in ("soft", "hard", "auto"):
        raise ValueError(f"clamping_mode must be soft, hard, auto or None, got {clamping_mode}")
    if is_pure_tensor(inpt):
        if format is None or canvas_size is None or clamping_mode == "auto":
            raise ValueError("For pure tensor inputs, `format`, `canvas_size` and `clamping_mode` have to be passed.")
        return clamped(inpt, _format(format), canvas_size, clamping_mode)
    if not isinstance(inpt, BoundingBoxes):
        raise TypeError(
            f"Input can either be a plain tensor or a bounding box tv_tensor, but got {type(inpt)} instead."
        )
    if format is not None or canvas_size is not None:
        raise ValueError("For bounding box tv_tensor inputs, `format` and `canvas_size` must not be passed.")
    mode = inpt.clamping_mode if clamping_mode == "auto" else clamping_mode
    return wrap(clamped(inpt.as_subclass(Tensor), inpt.format, inpt.canvas_size, mode), like=inpt)


def clamp_keypoints(inpt: Tensor, canvas_size: Size | None = None) -> Tensor:
    """The points, those beyond the canvas moved to its last pixel."""
    if is_pure_tensor(inpt):
        if canvas_size is None:
            raise ValueError("For pure tensor inputs, `canvas_size` has to be passed.")
    elif not isinstance(inpt, KeyPoints):
        raise TypeError(f"Input can either be a plain tensor or a keypoints tv_tensor, but got {type(inpt)} instead.")
    elif canvas_size is not None:
        raise ValueError("For keypoints tv_tensor inputs, `canvas_size` must not be passed.")
    height, width = canvas_size or inpt.canvas_size  # type: ignore[attr-defined]
    points = inpt.as_subclass(Tensor)
    floats = points if points.is_floating_point() else points.float()
    last = torch.tensor([width - 1, height - 1], dtype=floats.dtype)
    output = torch.minimum(floats.clamp(min=0), last).to(points.dtype)
    return output if is_pure_tensor(inpt) else wrap(output, like=inpt)


# ---------------------------------------------------------------------- maps of the plane
PointMap: TypeAlias = Callable[[Tensor], Tensor]  # points (N, 2) to points (N, 2)


def mapped_boxes(
    boxes: Tensor, format: BoundingBoxFormat, canvas_size: Size, clamping_mode: str | None, move: PointMap
) -> Tensor:
    """The smallest upright boxes around the moved corners, clamped to a canvas."""
    check_unrotated(format)
    if boxes.numel() == 0:
        return boxes
    floats = boxes if boxes.is_floating_point() else boxes.float()
    corners = to_format(floats, format, XYXY).reshape(-1, 4)[:, [0, 1, 2, 1, 2, 3, 0, 3]]
    moved = move(corners.reshape(-1, 2)).reshape(-1, 4, 2)
    around = torch.cat([moved.amin(dim=1), moved.amax(dim=1)], dim=1)
    kept = clamped(around, XYXY, canvas_size, clamping_mode)
    return to_format(kept, XYXY, format).reshape(boxes.shape).to(boxes.dtype)


def mapped_points(points: Tensor, move: PointMap) -> Tensor:
    if points.numel() == 0:
        return points
    floats = points if points.is_floating_point() else points.float()
    return move(floats.reshape(-1, 2)).reshape(points.shape).to(points.dtype)


def affine_map(matrix: Sequence[float]) -> PointMap:
    def move(points: Tensor) -> Tensor:
        rows = torch.tensor(matrix, dtype=points.dtype).reshape(2, 3)
        return torch.matmul(points, rows[:, :2].T) + rows[:, 2]

    return move


def perspective_map(coeffs: Sequence[float]) -> PointMap:
    """The inverse of the map that the eight coefficients are of."""
    a, b, c, d, e, f, g, h = coeffs
    determinant = a * e - b * d
    if determinant == 0:
        raise RuntimeError(
            f"Provided perspective_coeffs {list(coeffs)} can not be inverted to transform bounding boxes. "
            f"Denominator is zero, denom={determinant}"
        )
    # the adjugate of (a b c; d e f; g h 1), over the determinant of its first four
    rows = [
        [e - f * h, c * h - b, b * f - c * e],
        [f * g - d, a - c * g, c * d - a * f],
        [d * h - e * g, b * g - a * h, determinant],
    ]

    def move(points: Tensor) -> Tensor:
        inverse = torch.tensor([[v / determinant for v in row] for row in rows], dtype=points.dtype)
        moved = torch.matmul(points, inverse[:, :2].T) + inverse[:, 2]
        return moved[:, :2] / moved[:, 2:]

    return move


def elastic_map(displacement: Tensor, canvas_size: Size, round_up: bool) -> PointMap:
    """Against the displacement (1, H, W, 2) that is at the pixel of each point."""
    height, width = canvas_size

    def move(points: Tensor) -> Tensor:
        pixel = (points.ceil() if round_up else points).to(torch.int64)
        x, y = pixel[:, 0].clamp(0, width - 1), pixel[:, 1].clamp(0, height - 1)
        sizes = torch.tensor([width, height], dtype=points.dtype)
        place = (torch.stack([x, y], 1).to(points.dtype) * 2 + 1) / sizes - 1
        return (place - displacement[0, y, x].to(points.dtype) + 1) * (0.5 * sizes) - 0.5

    return move
