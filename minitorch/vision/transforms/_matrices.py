"""The maps that images are resampled by: from places in the result to places in the image."""

import math
from collections.abc import Sequence
from enum import Enum

import minitorch as torch


class InterpolationMode(Enum):
    """How a pixel is made of those around its place; BOX, HAMMING and LANCZOS are for PIL images only."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


# Pillow's numbers, in the order of its enum Resampling
_OF_PILLOW = ("NEAREST", "LANCZOS", "BILINEAR", "BICUBIC", "BOX", "HAMMING")
pil_modes_mapping = {InterpolationMode[name]: number for number, name in enumerate(_OF_PILLOW)}
pil_modes_mapping[InterpolationMode.NEAREST_EXACT] = 0


def interpolation_from_int(number: int) -> InterpolationMode:
    """The mode that Pillow has this number for."""
    return InterpolationMode[_OF_PILLOW[number]]


def affine_matrix(
    center: Sequence[float],
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Sequence[float],
    inverted: bool = True,
) -> list[float]:
    """Two rows of three: shearing, rotating and scaling about a center, then moving; or the inverse of that.

    Angles are in degrees. Rotation by `angle` and shears by sx, sy make the matrix (a, b; c, d) of determinant 1.
    """
    rotation, sx, sy = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    (cx, cy), (tx, ty) = center, translate
    a = math.cos(rotation - sy) / math.cos(sy)
    b = -math.cos(rotation - sy) * math.tan(sx) / math.cos(sy) - math.sin(rotation)
    c = math.sin(rotation - sy) / math.cos(sy)
    d = -math.sin(rotation - sy) * math.tan(sx) / math.cos(sy) + math.cos(rotation)
    if inverted:
        rows = [[d / scale, -b / scale], [-c / scale, a / scale]]
        before, after = (-cx - tx, -cy - ty), (cx, cy)
    else:
        rows = [[a * scale, b * scale], [c * scale, d * scale]]
        before, after = (-cx, -cy), (cx + tx, cy + ty)
    moved = [row[0] * before[0] + row[1] * before[1] + to for row, to in zip(rows, after)]
    return [*rows[0], moved[0], *rows[1], moved[1]]


def perspective_coefficients(startpoints: Sequence[Sequence[int]], endpoints: Sequence[Sequence[int]]) -> list[float]:
    """The eight numbers of the map x -> (a x + b y + c) / (g x + h y + 1), likewise y, that takes the four end points
    to the start points."""
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(
            f"Please provide exactly four corners, got {len(startpoints)} startpoints and {len(endpoints)} endpoints."
        )
    rows = []
    for (x, y), (u, v) in zip(endpoints, startpoints):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    right = torch.tensor(startpoints, dtype=torch.float64).view(8)
    solution = torch.linalg.lstsq(torch.tensor(rows, dtype=torch.float64), right[:, None], driver="gels").solution
    return solution[:, 0].to(torch.float32).tolist()
