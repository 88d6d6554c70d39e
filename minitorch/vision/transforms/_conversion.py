"""From pictures and arrays to tensors, and back."""

import sys
from typing import Any

import numpy as np

import minitorch as torch
from minitorch import Tensor

from .._pillow import image_from_array, is_pil_image

_SIXTEEN_BITS = "I;16" if sys.byteorder == "little" else "I;16B"
_DTYPES = {"I": np.int32, _SIXTEEN_BITS: np.int16, "F": np.float32}  # of Pillow's modes; all others have bytes


def to_tensor(pic: Any) -> Tensor:
    """A picture, or an array (H, W) or (H, W, C), as a tensor (C, H, W); bytes become floats from 0 to 1.

    >>> import minitorch as torch, numpy as np
    >>> to_tensor(np.array([[0, 51, 255]], dtype=np.uint8))
    tensor([[[0.0000, 0.2000, 1.0000]]])
    """
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic
    elif is_pil_image(pic):
        array = np.array(pic, _DTYPES.get(pic.mode, np.uint8))
        if pic.mode == "1":
            array *= 255
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    planes = array[None] if array.ndim == 2 else array.transpose((2, 0, 1))
    tensor = torch.from_numpy(np.ascontiguousarray(planes))
    return tensor.to(torch.get_default_dtype()).div(255) if array.dtype == np.uint8 else tensor


def pil_to_tensor(pic: Any) -> Tensor:
    """A picture as a tensor (C, H, W) of the same numbers.

    >>> from PIL import Image
    >>> pil_to_tensor(Image.new("RGB", (2, 1), (1, 2, 3)))[:, 0].tolist()
    [[1, 1], [2, 2], [3, 3]]
    """
    if not is_pil_image(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    array = np.array(pic)
    return torch.from_numpy(array[:, :, None] if array.ndim == 2 else array).permute((2, 0, 1))


# ---------------------------------------------------------------------- to Pillow
_ONE_BAND = {"uint8": "L", "int16": _SIXTEEN_BITS, "int32": "I", "float32": "F"}
_BANDS = {2: ("LA",), 3: ("RGB", "YCbCr", "HSV"), 4: ("RGBA", "CMYK", "RGBX")}  # the first unless a mode is given


def _mode(array: np.ndarray, mode: str | None) -> str:
    bands = array.shape[2]
    if bands == 1:
        expected = _ONE_BAND.get(array.dtype.name)
        if mode is not None and mode != expected:
            raise ValueError(f"Incorrect mode ({mode}) supplied for input type {np.dtype}. Should be {expected}")
        mode = expected
    else:
        if mode is not None and mode not in _BANDS[bands]:
            raise ValueError(f"Only modes {[*_BANDS[bands]]} are supported for {bands}D inputs")
        if mode is None and array.dtype == np.uint8:
            mode = _BANDS[bands][0]
    if mode is None:
        raise TypeError(f"Input type {array.dtype} is not supported")
    return mode


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A tensor (C, H, W) or (H, W), or an array (H, W, C) or (H, W), as a picture; floats are times 255.

    >>> import minitorch as torch
    >>> to_pil_image(torch.ones(3, 2, 4)).size
    (4, 2)
    """
    if isinstance(pic, Tensor):
        array = (pic.permute((1, 2, 0)) if pic.ndim == 3 else pic).numpy(force=True)
    elif isinstance(pic, np.ndarray):
        array = pic
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    if array.ndim not in (2, 3):
        raise ValueError(f"pic should be 2/3 dimensional. Got {array.ndim} dimensions.")
    array = array[:, :, None] if array.ndim == 2 else array
    if array.shape[-1] > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {array.shape[-1]} channels.")
    if np.issubdtype(array.dtype, np.floating) and mode != "F":
        with np.errstate(invalid="ignore"):  # nan has no colour
            array = (array * 255).astype(np.uint8)
    mode = _mode(array, mode)
    return image_from_array(array[:, :, 0] if array.shape[2] == 1 else array, mode)
