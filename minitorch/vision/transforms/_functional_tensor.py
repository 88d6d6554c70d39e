"""The geometry of images that are tensors (..., C, H, W)."""

from collections.abc import Callable, Sequence
from typing import Any

import minitorch as torch
import minitorch.nn.functional as F
from minitorch import Tensor

_LIMITS = {
    torch.uint8: 2**8 - 1, torch.int8: 2**7 - 1, torch.int16: 2**15 - 1, torch.uint16: 2**16 - 1,
    torch.int32: 2**31 - 1, torch.int64: 2**63 - 1,
}  # fmt: skip


def max_value(dtype: torch.dtype) -> int:
    """The number that stands for full brightness: 1 for floats and bool."""
    return _LIMITS.get(dtype, 1)


# ---------------------------------------------------------------------- what is accepted
def check_image(img: Tensor) -> None:
    if img.ndim < 2:
        raise TypeError("Tensor is not a torch image.")


def check_channels(img: Tensor, permitted: Sequence[int] = (1, 3)) -> None:
    channels = get_dimensions(img)[0]
    if channels not in permitted:
        raise TypeError(f"Input image tensor permitted channel values are {[*permitted]}, but found {channels}")


def get_dimensions(img: Tensor) -> list[int]:
    check_image(img)
    return [1 if img.ndim == 2 else img.shape[-3], *img.shape[-2:]]


# ---------------------------------------------------------------------- moving pixels
def hflip(img: Tensor) -> Tensor:
    check_image(img)
    return img.flip(-1)


def vflip(img: Tensor) -> Tensor:
    check_image(img)
    return img.flip(-2)


def crop(img: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    _, h, w = get_dimensions(img)
    bottom, right = top + height, left + width
    if left >= 0 and top >= 0 and right <= w and bottom <= h:
        return img[..., top:bottom, left:right]
    outside = [
        max(min(0, right) - left, 0),
        max(min(0, bottom) - top, 0),
        max(right - max(w, left), 0),
        max(bottom - max(h, top), 0),
    ]
    # a place beyond the image on the other side is no negative index
    return pad(img[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)], outside)


def sides(padding: int | Sequence[int]) -> list[int]:
    """left, right, top, bottom of a padding that is given as 1, 2 or 4 numbers in torchvision's order."""
    if isinstance(padding, int):
        return [padding] * 4
    if len(padding) == 4:
        left, top, right, bottom = padding
        return [left, right, top, bottom]
    x, y = padding[0], padding[-1]
    return [x, x, y, y]


def check_padding(padding: Any, padding_mode: Any) -> None:
    if not isinstance(padding, (int, tuple, list)):
        raise TypeError("Got inappropriate padding arg")
    if not isinstance(padding_mode, str):
        raise TypeError("Got inappropriate padding_mode arg")
    if not isinstance(padding, int) and len(padding) not in (1, 2, 4):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple")
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")


def pad(img: Tensor, padding: int | Sequence[int], fill: float | None = 0, padding_mode: str = "constant") -> Tensor:
    check_image(img)
    if fill is not None and not isinstance(fill, (int, float)):
        raise TypeError("Got inappropriate fill arg")
    check_padding(padding, padding_mode)
    around = sides(padding)
    if padding_mode == "constant":
        return F.pad(img, around, value=float(fill or 0))
    if padding_mode == "symmetric":
        return _pad_symmetric(img, around)
    mode = "replicate" if padding_mode == "edge" else "reflect"
    return as_floats(img, lambda x: F.pad(x, around, mode=mode))


def _pad_symmetric(img: Tensor, around: list[int]) -> Tensor:
    if img.ndim not in (3, 4):
        raise RuntimeError("Symmetric padding of N-D tensors are not supported yet")
    left, right, top, bottom = around
    rows, columns = [
        torch.tensor([_mirrored(i, n) for i in range(-before, n + after)])
        for n, before, after in ((img.shape[-2], top, bottom), (img.shape[-1], left, right))
    ]
    return img[..., rows[:, None], columns[None, :]]


def _mirrored(i: int, n: int) -> int:
    """The pixel seen at place i if mirrors stand right before pixel 0 and right behind pixel n - 1."""
    return -i - 1 if i < 0 else i if i < n else 2 * n - 1 - i


# ---------------------------------------------------------------------- resampling
def as_floats(img: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """The function of the image as a batch (N, C, H, W) of floats; back with the image's dimensions and dtype."""
    batch = img.reshape(-1, *img.shape[-3:]) if img.ndim > 2 else img.unsqueeze(0)
    result = function(batch if batch.dtype in (torch.float32, torch.float64) else batch.to(torch.float32))
    if not img.is_floating_point():
        result = torch.round(result)
    return result.reshape((*img.shape[:-3], *result.shape[1:])).to(img.dtype)


def resize(
    img: Tensor,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool | None = True,
    whole: bool = False,
) -> Tensor:
    """`whole`: bytes are resampled by integer arithmetic, as Pillow does and torchvision's second version."""
    check_image(img)
    smooth = interpolation in ("bilinear", "bicubic")

    def resized(x: Tensor) -> Tensor:
        corners = False if smooth else None
        x = F.interpolate(
            x, size=list(size), mode=interpolation, align_corners=corners, antialias=bool(antialias and smooth)
        )
        # bicubic interpolation overshoots
        return x.clamp(min=0, max=255) if interpolation == "bicubic" and img.dtype == torch.uint8 else x

    if whole and smooth and img.dtype == torch.uint8:
        return resized(img.reshape(-1, *img.shape[-3:])).reshape((*img.shape[:-2], *size))
    return as_floats(img, resized)


def _check_grid_inputs(img: Tensor, interpolation: str, fill: Any) -> None:
    check_image(img)
    channels = get_dimensions(img)[0]
    if isinstance(fill, (tuple, list)) and len(fill) > 1 and len(fill) != channels:
        raise ValueError(
            "The number of elements in 'fill' cannot broadcast to match the number of channels of the image "
            f"({len(fill)} != {channels})"
        )
    if interpolation not in ("nearest", "bilinear"):
        raise ValueError(f"Interpolation mode '{interpolation}' is unsupported with Tensor input")


def _sampled(img: Tensor, grid: Tensor, mode: str, fill: Any) -> Tensor:
    """The image at the places of the grid (1, H, W, 2), `fill` where these lie outside."""
    values = None if fill is None else [float(f) for f in fill] if isinstance(fill, (tuple, list)) else [float(fill)]
    if mode == "nearest" and values is not None and not any(values):
        values = None  # what lies outside is 0 anyway; in mode "bilinear" the two differ along the edge

    def sampled(x: Tensor) -> Tensor:
        places = grid.to(x.dtype).expand(x.shape[0], *grid.shape[1:])
        if values is None:
            return F.grid_sample(x, places, mode=mode, padding_mode="zeros", align_corners=False)
        inside = torch.ones((x.shape[0], 1, *x.shape[2:]), dtype=x.dtype)
        y = F.grid_sample(torch.cat((x, inside), 1), places, mode=mode, padding_mode="zeros", align_corners=False)
        y, inside = y[:, :-1], y[:, -1:]
        outside = torch.tensor(values, dtype=x.dtype).view(1, -1, 1, 1)
        return torch.where(inside < 0.5, outside, y) if mode == "nearest" else y * inside + (1.0 - inside) * outside

    return as_floats(img, sampled)


def _grid_dtype(img: Tensor) -> torch.dtype:
    return img.dtype if img.is_floating_point() else torch.float32


def _pixel_centers(width: int, height: int, first: tuple[float, float], dtype: torch.dtype) -> Tensor:
    """x, y, 1 of every pixel of an image, shape (1, H * W, 3), counted from the first."""
    base = torch.ones(1, height, width, 3, dtype=dtype)
    base[..., 0] = torch.linspace(first[0], first[0] + width - 1, steps=width)
    base[..., 1] = torch.linspace(first[1], first[1] + height - 1, steps=height).unsqueeze(-1)
    return base.view(1, height * width, 3)


def _affine_grid(matrix: list[float], size: tuple[int, int], out: tuple[int, int], dtype: torch.dtype) -> Tensor:
    """Where an affine map takes the pixels of the result: places from -1 to 1 in the image. Sizes are (w, h)."""
    base = _pixel_centers(*out, (0.5 - out[0] * 0.5, 0.5 - out[1] * 0.5), dtype)
    theta = torch.tensor(matrix, dtype=dtype).reshape(1, 2, 3).transpose(1, 2)
    scaled = theta / torch.tensor([0.5 * size[0], 0.5 * size[1]], dtype=dtype)
    return base.bmm(scaled).view(1, out[1], out[0], 2)


def affine(img: Tensor, matrix: list[float], interpolation: str = "nearest", fill: Any = None) -> Tensor:
    _check_grid_inputs(img, interpolation, fill)
    size = (img.shape[-1], img.shape[-2])
    return _sampled(img, _affine_grid(matrix, size, size, _grid_dtype(img)), interpolation, fill)


def expanded_size(matrix: Sequence[float], w: int, h: int) -> tuple[int, int]:
    """Width and height of the smallest image that holds the corners of an image (w, h) after the map."""
    corners = torch.tensor([[x, y, 1.0] for x in (-0.5 * w, 0.5 * w) for y in (-0.5 * h, 0.5 * h)])
    points = torch.matmul(corners, torch.tensor(matrix, dtype=torch.float32).view(2, 3).T)
    center = torch.tensor((w * 0.5, h * 0.5))
    low, high = points.amin(0) + center, points.amax(0) + center
    grain = 1e-4  # what a rotation by 90 degrees leaves over must not cost a pixel
    size = torch.ceil((high / grain).trunc() * grain) - torch.floor((low / grain).trunc() * grain)
    return int(size[0]), int(size[1])


def rotate(
    img: Tensor, matrix: list[float], interpolation: str = "nearest", expand: bool = False, fill: Any = None
) -> Tensor:
    _check_grid_inputs(img, interpolation, fill)
    size = (img.shape[-1], img.shape[-2])
    out = expanded_size(matrix, *size) if expand else size
    return _sampled(img, _affine_grid(matrix, size, out, _grid_dtype(img)), interpolation, fill)


def perspective(img: Tensor, coeffs: list[float], interpolation: str = "bilinear", fill: Any = None) -> Tensor:
    if len(coeffs) != 8:
        raise ValueError("Argument coeffs should have 8 float values")
    _check_grid_inputs(img, interpolation, fill)
    (h, w), dtype = img.shape[-2:], _grid_dtype(img)
    base = _pixel_centers(w, h, (0.5, 0.5), dtype)
    above = torch.tensor([[coeffs[:3], coeffs[3:6]]], dtype=dtype).transpose(1, 2)
    below = torch.tensor([[[*coeffs[6:], 1.0]] * 2], dtype=dtype).transpose(1, 2)
    scaled = above / torch.tensor([0.5 * w, 0.5 * h], dtype=dtype)
    grid = base.bmm(scaled) / base.bmm(below) - 1.0
    return _sampled(img, grid.view(1, h, w, 2), interpolation, fill)


def elastic_transform(img: Tensor, displacement: Tensor, interpolation: str = "bilinear", fill: Any = None) -> Tensor:
    _check_grid_inputs(img, interpolation, fill)
    y, x = torch.meshgrid(*[torch.linspace((1 - n) / n, (n - 1) / n, n) for n in img.shape[-2:]], indexing="ij")
    return _sampled(img, torch.stack([x, y], -1).unsqueeze(0) + displacement, interpolation, fill)


# ---------------------------------------------------------------------- blurring
def gaussian_weights(size: int, sigma: float, dtype: torch.dtype) -> Tensor:
    """The bell curve at `size` places one apart, of sum 1."""
    half = (size - 1) * 0.5
    weights = torch.exp(-0.5 * (torch.linspace(-half, half, steps=size, dtype=dtype) / sigma).pow(2))
    return weights / weights.sum()


def _along(x: Tensor, weights: Tensor, dim: int) -> Tensor:
    """Weighted sums of neighbours along one dimension: the two of them cost far less than their outer product."""
    n = x.shape[dim] - len(weights) + 1
    total, *others = [x.narrow(dim, i, n) * w for i, w in enumerate(weights.tolist())]
    for part in others:
        total = total + part
    return total


def per_channel(x: Tensor, kernel: Tensor) -> Tensor:
    """Every channel of a batch convolved with the same kernel (kH, kW)."""
    channels = x.shape[-3]
    return F.conv2d(x, kernel.to(x.dtype).expand(channels, 1, *kernel.shape), groups=channels)


def gaussian_blur(img: Tensor, kernel_size: Sequence[int], sigma: Sequence[float]) -> Tensor:
    check_image(img)
    x, y = [gaussian_weights(k, s, _grid_dtype(img)) for k, s in zip(kernel_size, sigma)]
    px, py = kernel_size[0] // 2, kernel_size[1] // 2

    def blurred(batch: Tensor) -> Tensor:
        return _along(_along(F.pad(batch, [px, px, py, py], mode="reflect"), x, -1), y, -2)

    return as_floats(img, blurred)


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> Tensor:
    check_image(img)
    img = img if inplace else img.clone()
    img[..., i : i + h, j : j + w] = v
    return img
