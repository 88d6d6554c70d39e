"""torchvision.transforms.functional: what the transforms do, without their randomness.

Every function takes a PIL image or a tensor (..., C, H, W) and returns its like, unless it says otherwise.
"""

import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any, TypeAlias

from minitorch import Tensor
from minitorch import float32 as _float32

from .._pillow import is_pil_image
from . import _functional_pil as F_pil
from . import _functional_tensor as F_t
from . import _tensor_color as F_c
from ._arguments import checked_interpolation, checked_pair, height_and_width, resized_size, shears
from ._conversion import pil_to_tensor, to_pil_image
from ._conversion import to_tensor as to_tensor
from ._matrices import (
    InterpolationMode,
    affine_matrix,
    perspective_coefficients,
    pil_modes_mapping,
)

Picture: TypeAlias = Any  # a PIL image or a tensor


def _kernels(img: Picture, tensors: ModuleType) -> ModuleType:
    """The module with the functions for this image."""
    if isinstance(img, Tensor):
        return tensors
    if is_pil_image(img):
        return F_pil
    raise TypeError(f"img should be PIL Image. Got {type(img)}")


# ---------------------------------------------------------------------- what it is
def get_dimensions(img: Picture) -> list[int]:
    """Channels, height and width."""
    return F_t.get_dimensions(img) if isinstance(img, Tensor) else F_pil.get_dimensions(img)


def get_image_size(img: Picture) -> list[int]:
    """Width and height."""
    return get_dimensions(img)[:0:-1]


def get_image_num_channels(img: Picture) -> int:
    """The number of channels."""
    return get_dimensions(img)[0]


def convert_image_dtype(image: Tensor, dtype: Any = _float32) -> Tensor:
    """A tensor in another dtype, full brightness (1.0, 255) staying full brightness.

    >>> import minitorch as torch
    >>> convert_image_dtype(torch.tensor([[0, 255]], dtype=torch.uint8))
    tensor([[0., 1.]])
    """
    if not isinstance(image, Tensor):
        raise TypeError("Input img should be Tensor Image")
    return F_c.convert_image_dtype(image, dtype)


def normalize(tensor: Tensor, mean: list[float], std: list[float], inplace: bool = False) -> Tensor:
    """Each channel of a float tensor less its mean, over its standard deviation."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    normalized = F_c.normalize(tensor, mean, std, inplace)
    if normalized.shape != tensor.shape:  # three means for one channel: only the second version makes three of it
        raise RuntimeError(
            f"output with shape {list(tensor.shape)} doesn't match the broadcast shape {list(normalized.shape)}"
        )
    return normalized


# ---------------------------------------------------------------------- size and place
def resize(
    img: Picture,
    size: int | Sequence[int],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Picture:
    """The image at size (h, w), or with its shorter edge of length `size` and the longer one of at most `max_size`.

    >>> import minitorch as torch
    >>> resize(torch.zeros(3, 4, 6), 2).shape
    torch.Size([3, 2, 3])
    """
    interpolation = checked_interpolation(interpolation)
    if isinstance(size, (list, tuple)):
        if len(size) not in (1, 2):
            raise ValueError(
                f"Size must be an int or a 1 or 2 element tuple/list, not a {len(size)} element tuple/list"
            )
        if max_size is not None and len(size) != 1:
            raise ValueError(
                "max_size should only be passed if size specifies the length of the smaller edge, i.e. size should be "
                "an int or a sequence of length 1 in torchscript mode."
            )
    _, height, width = get_dimensions(img)
    wanted = resized_size(height, width, [size] if isinstance(size, int) else size, max_size)
    if wanted == [height, width]:
        return img
    if isinstance(img, Tensor):
        return F_t.resize(img, wanted, interpolation.value, antialias)
    if antialias is False:
        warnings.warn(
            "Anti-alias option is always applied for PIL Image input. Argument antialias is ignored.", stacklevel=2
        )
    return F_pil.resize(img, wanted, pil_modes_mapping[interpolation])


def pad(img: Picture, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Picture:
    """The image with more pixels around: `padding` of them, or (x, y), or (left, top, right, bottom)."""
    return _kernels(img, F_t).pad(img, padding, fill, padding_mode)


def crop(img: Picture, top: int, left: int, height: int, width: int) -> Picture:
    """A rectangle of the image, zeros where it reaches beyond."""
    return _kernels(img, F_t).crop(img, top, left, height, width)


def center_crop(img: Picture, output_size: int | Sequence[int]) -> Picture:
    """The middle of the image; zeros around it if it is smaller.

    >>> import minitorch as torch
    >>> center_crop(torch.arange(16).view(1, 4, 4), 2)
    tensor([[[ 5,  6],
             [ 9, 10]]])
    """
    _, height, width = get_dimensions(img)
    h, w = height_and_width(output_size)
    if w > width or h > height:
        more_x, more_y = max(w - width, 0), max(h - height, 0)
        img = pad(img, [more_x // 2, more_y // 2, (more_x + 1) // 2, (more_y + 1) // 2], fill=0)
        _, height, width = get_dimensions(img)
    return crop(img, round((height - h) / 2.0), round((width - w) / 2.0), h, w)


def resized_crop(
    img: Picture,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Sequence[int],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Picture:
    """`crop`, then `resize`."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def five_crop(img: Picture, size: int | Sequence[int]) -> tuple[Picture, ...]:
    """Top left, top right, bottom left and bottom right corner, and the middle."""
    h, w = wanted = checked_pair(size)
    _, height, width = get_dimensions(img)
    if w > width or h > height:
        raise ValueError(f"Requested crop size {wanted} is bigger than input size {(height, width)}")
    corners = [crop(img, top, left, h, w) for top in (0, height - h) for left in (0, width - w)]
    return (*corners, center_crop(img, [h, w]))


def ten_crop(img: Picture, size: int | Sequence[int], vertical_flip: bool = False) -> tuple[Picture, ...]:
    """`five_crop` of the image, and of its mirror image."""
    wanted = checked_pair(size)
    return five_crop(img, wanted) + five_crop(vflip(img) if vertical_flip else hflip(img), wanted)


def hflip(img: Picture) -> Picture:
    """Left and right exchanged."""
    return _kernels(img, F_t).hflip(img)


def vflip(img: Picture) -> Picture:
    """Top and bottom exchanged."""
    return _kernels(img, F_t).vflip(img)


# ---------------------------------------------------------------------- turning and bending
def _from_middle(center: Sequence[float] | None, img: Picture) -> list[float]:
    """Where the center is, seen from the image's middle."""
    if center is None:
        return [0.0, 0.0]
    _, height, width = get_dimensions(img)
    return [1.0 * (c - s * 0.5) for c, s in zip(center, [width, height])]


def _check_angle(angle: Any) -> None:
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")


def _check_center(center: Any) -> None:
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")


def rotate(
    img: Picture,
    angle: float,
    interpolation: InterpolationMode = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[int] | None = None,
    fill: Any = None,
) -> Picture:
    """The image turned counter-clockwise by degrees; `expand` makes it large enough to hold all of it."""
    interpolation = checked_interpolation(interpolation)
    _check_angle(angle)
    _check_center(center)
    if not isinstance(img, Tensor):
        return _kernels(img, F_t).rotate(img, angle, pil_modes_mapping[interpolation], expand, center, fill)
    matrix = affine_matrix(_from_middle(center, img), -angle, [0.0, 0.0], 1.0, [0.0, 0.0])
    return F_t.rotate(img, matrix, interpolation.value, expand, fill)


def affine(
    img: Picture,
    angle: float,
    translate: Sequence[int],
    scale: float,
    shear: Any,
    interpolation: InterpolationMode = InterpolationMode.NEAREST,
    fill: Any = None,
    center: Sequence[int] | None = None,
) -> Picture:
    """The image sheared, turned clockwise and scaled about its middle or `center`, and moved; angles in degrees."""
    interpolation = checked_interpolation(interpolation)
    _check_angle(angle)
    if not isinstance(translate, (list, tuple)):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    shear = shears(shear)
    _check_center(center)
    _, height, width = get_dimensions(img)
    if not isinstance(img, Tensor):
        middle = [width * 0.5, height * 0.5] if center is None else center
        matrix = affine_matrix(middle, angle, translate, scale, shear)
        return F_pil.affine(img, matrix, pil_modes_mapping[interpolation], fill)
    matrix = affine_matrix(_from_middle(center, img), angle, translate, scale, shear)
    return F_t.affine(img, matrix, interpolation.value, fill)


def perspective(
    img: Picture,
    startpoints: Sequence[Sequence[int]],
    endpoints: Sequence[Sequence[int]],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    fill: Any = None,
) -> Picture:
    """The image seen so that the four start points [x, y] appear at the end points."""
    coeffs = perspective_coefficients(startpoints, endpoints)
    interpolation = checked_interpolation(interpolation)
    if isinstance(img, Tensor):
        return F_t.perspective(img, coeffs, interpolation.value, fill)
    return _kernels(img, F_t).perspective(img, coeffs, pil_modes_mapping[interpolation], fill)


def _as_tensor(img: Picture) -> Tensor:
    if isinstance(img, Tensor):
        return img
    if not is_pil_image(img):
        raise TypeError(f"img should be PIL Image or Tensor. Got {type(img)}")
    return pil_to_tensor(img)


def _like(output: Tensor, img: Picture) -> Picture:
    return output if isinstance(img, Tensor) else to_pil_image(output, mode=img.mode)


def elastic_transform(
    img: Picture,
    displacement: Tensor,
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    fill: Any = None,
) -> Picture:
    """Every pixel taken from where `displacement` (1, H, W, 2) points, in halves of the image's size."""
    if isinstance(interpolation, int):
        warnings.warn(
            "Argument interpolation should be of type InterpolationMode instead of int. "
            "Please, use InterpolationMode enum.",
            stacklevel=2,
        )
    if not isinstance(displacement, Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    tensor = _as_tensor(img)
    shape = (1, *tensor.shape[-2:], 2)
    if shape != displacement.shape:
        raise ValueError(f"Argument displacement shape should be {shape}, but given {displacement.shape}")
    return _like(F_t.elastic_transform(tensor, displacement, checked_interpolation(interpolation).value, fill), img)


def gaussian_blur(img: Picture, kernel_size: Any, sigma: Any = None) -> Picture:
    """The image blurred by a bell curve; sizes and sigmas are for x and y, sigma by default 0.15 size + 0.35."""
    if not isinstance(kernel_size, (int, list, tuple)):
        raise TypeError(f"kernel_size should be int or a sequence of integers. Got {type(kernel_size)}")
    if isinstance(kernel_size, int):
        kernel_size = [kernel_size, kernel_size]
    if len(kernel_size) != 2:
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(kernel_size)}")
    if any(size % 2 == 0 or size < 0 for size in kernel_size):
        raise ValueError(f"kernel_size should have odd and positive integers. Got {kernel_size}")
    if sigma is None:
        sigma = [size * 0.15 + 0.35 for size in kernel_size]
    if not isinstance(sigma, (int, float, list, tuple)):
        raise TypeError(f"sigma should be either float or sequence of floats. Got {type(sigma)}")
    if isinstance(sigma, (int, float)) or len(sigma) == 1:
        sigma = [float(sigma)] * 2 if isinstance(sigma, (int, float)) else [sigma[0]] * 2
    if len(sigma) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(sigma)}")
    if any(s <= 0.0 for s in sigma):
        raise ValueError(f"sigma should have positive values. Got {sigma}")
    return _like(F_t.gaussian_blur(_as_tensor(img), kernel_size, sigma), img)


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> Tensor:
    """A tensor whose rectangle of size (h, w) at row i, column j is `v`."""
    if not isinstance(img, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(img)}")
    return F_t.erase(img, i, j, h, w, v, inplace)


# ---------------------------------------------------------------------- colours
def adjust_brightness(img: Picture, brightness_factor: float) -> Picture:
    """The image times the factor: 0 is black, 1 the image itself."""
    return _kernels(img, F_c).adjust_brightness(img, brightness_factor)


def adjust_contrast(img: Picture, contrast_factor: float) -> Picture:
    """The image's distance from its mean grey times the factor: 0 is grey, 1 the image itself."""
    return _kernels(img, F_c).adjust_contrast(img, contrast_factor)


def adjust_saturation(img: Picture, saturation_factor: float) -> Picture:
    """The image's distance from its greys times the factor: 0 is black and white, 1 the image itself."""
    return _kernels(img, F_c).adjust_saturation(img, saturation_factor)


def adjust_hue(img: Picture, hue_factor: float) -> Picture:
    """The colours turned on their circle by the factor, -0.5 to 0.5 of it."""
    return _kernels(img, F_c).adjust_hue(img, hue_factor)


def adjust_gamma(img: Picture, gamma: float, gain: float = 1) -> Picture:
    """gain * image ** gamma, the image counted from 0 to 1."""
    return _kernels(img, F_c).adjust_gamma(img, gamma, gain)


def adjust_sharpness(img: Picture, sharpness_factor: float) -> Picture:
    """The image's distance from a smoothed one times the factor: 0 is blurred, 1 the image itself."""
    return _kernels(img, F_c).adjust_sharpness(img, sharpness_factor)


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """A PIL image in greys, with 1 or 3 bands."""
    if not is_pil_image(img):
        raise TypeError("Input should be PIL Image")
    return F_pil.rgb_to_grayscale(img, num_output_channels)


def rgb_to_grayscale(img: Picture, num_output_channels: int = 1) -> Picture:
    """The image in greys, with 1 or 3 channels."""
    return _kernels(img, F_c).rgb_to_grayscale(img, num_output_channels)


def invert(img: Picture) -> Picture:
    """The negative."""
    return _kernels(img, F_c).invert(img)


def posterize(img: Picture, bits: int) -> Picture:
    """The image with only the highest bits of its bytes."""
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    return _kernels(img, F_c).posterize(img, bits)


def solarize(img: Picture, threshold: float) -> Picture:
    """The negative of all values from the threshold up."""
    return _kernels(img, F_c).solarize(img, threshold)


def autocontrast(img: Picture) -> Picture:
    """Each channel stretched so that its darkest value is 0 and its lightest full brightness."""
    return _kernels(img, F_c).autocontrast(img)


def equalize(img: Picture) -> Picture:
    """Each channel with its values spread so that all are about equally frequent."""
    return _kernels(img, F_c).equalize(img)
