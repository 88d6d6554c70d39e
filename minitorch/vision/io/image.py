"""Image files to tensors (C, H, W) of bytes and back, through Pillow."""

import io
import os
from enum import Enum
from typing import Any

import numpy as np

import minitorch as torch
from minitorch import Tensor

from .._pillow import image_from_array, pillow
from . import _png


class ImageReadMode(Enum):
    """What an image is converted to when it is read; UNCHANGED leaves the file's own channels."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4
    RGBA = RGB_ALPHA


_PILLOW_MODES = {
    ImageReadMode.GRAY: "L", ImageReadMode.GRAY_ALPHA: "LA", ImageReadMode.RGB: "RGB", ImageReadMode.RGB_ALPHA: "RGBA",
}  # fmt: skip


_ORIENTATION = 0x0112  # the tag of EXIF


# ---------------------------------------------------------------------- files
def read_file(path: Any) -> Tensor:
    """A file's bytes, as a tensor of one dimension."""
    try:
        data = np.fromfile(os.fspath(path), dtype=np.uint8)
    except OSError as error:
        raise RuntimeError(f"[Errno {error.errno}] {error.strerror}: '{path}'") from error
    if not data.size:
        raise RuntimeError(f"Expected a non empty file: '{path}'")
    return torch.from_numpy(data)


def write_file(filename: Any, data: Tensor) -> None:
    """Writes a tensor of bytes, of one dimension, to a file."""
    if data.dtype != torch.uint8:
        raise RuntimeError("Input tensor dtype should be uint8")
    if data.dim() != 1:
        raise RuntimeError("Input data should be a 1-dimensional tensor")
    data.contiguous().numpy().tofile(os.fspath(filename))


# ---------------------------------------------------------------------- decoding
def _opened(data: bytes, formats: tuple[str, ...], name: str) -> Any:
    image = pillow()
    try:
        return image.open(io.BytesIO(data), formats=formats)
    except image.UnidentifiedImageError as error:
        raise RuntimeError(f"{name} is no {' or '.join(formats)} image, or its header is damaged") from error


def _converted(image: Any, mode: ImageReadMode) -> Any:
    if mode != ImageReadMode.UNCHANGED:
        return image.convert(_PILLOW_MODES[mode])
    plain = {"P": "RGB", "1": "L"}  # palettes and bits become channels of bytes
    return image.convert(plain[image.mode]) if image.mode in plain else image


def _as_tensor(image: Any) -> Tensor:
    array = np.array(image)
    array = array[:, :, None] if array.ndim == 2 else array
    return torch.from_numpy(np.ascontiguousarray(array.transpose((2, 0, 1))))


def _sixteen_bits(data: bytes, mode: ImageReadMode, turn: int, name: str) -> Tensor:
    """A PNG file of 16 bits a channel, turned as the number of its EXIF orientation says."""
    image, transparent = _png.decode(data)
    if mode != ImageReadMode.UNCHANGED:
        if transparent and mode in (ImageReadMode.GRAY_ALPHA, ImageReadMode.RGB_ALPHA):
            raise NotImplementedError(f"{name}: a transparent colour of a PNG image of 16 bits is not made alpha")
        image = _png.in_channels(image, mode.value)
    return torch.from_numpy(np.ascontiguousarray(_turned(image, turn).transpose((2, 0, 1))))


def _turned(image: Any, orientation: int) -> Any:
    """The image (H, W, C) as an EXIF orientation of 1 to 8 wants it shown."""
    image = image.swapaxes(0, 1) if orientation > 4 else image
    image = image[::-1] if orientation in (3, 4, 7, 8) else image
    return image[:, ::-1] if orientation in (2, 3, 6, 7) else image


def _decoded(data: Any, mode: Any, turn: bool, formats: tuple[str, ...], name: str) -> Tensor:
    if not isinstance(data, Tensor) or data.dtype != torch.uint8 or data.dim() != 1 or not data.numel():
        raise RuntimeError("Expected a non empty 1-dimensional tensor of dtype uint8")
    mode = ImageReadMode[mode.upper()] if isinstance(mode, str) else mode
    raw = data.numpy().tobytes()
    image = _opened(raw, formats, name)
    try:
        if image.format == "GIF":
            frames = [_as_tensor(frame.convert("RGB")) for frame in pillow("ImageSequence").Iterator(image)]
            return torch.stack(frames) if len(frames) > 1 else frames[0]
        if image.format == "PNG" and _png.header(raw).bits == 16:  # of which Pillow keeps eight
            return _sixteen_bits(raw, mode, image.getexif().get(_ORIENTATION, 1) if turn else 1, name)
        if image.format == "JPEG" and mode == ImageReadMode.GRAY:
            image.draft("L", None)  # the luminance as the file has it
        image = pillow("ImageOps").exif_transpose(image) if turn else image
        return _as_tensor(_converted(image, mode))
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise RuntimeError(f"{name} cannot be decoded: {error}") from error


_BYTES = "the tensor of bytes"


def decode_image(input: Any, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """The image of a file, or of a file's bytes: JPEG, PNG, WEBP or GIF (of several frames (N, C, H, W)).

    >>> import minitorch as torch
    >>> decode_image(encode_png(torch.zeros(3, 2, 4, dtype=torch.uint8)), mode="GRAY").shape
    torch.Size([1, 2, 4])
    """
    data, name = (input, _BYTES) if isinstance(input, Tensor) else (read_file(input), f"'{input}'")
    return _decoded(data, mode, apply_exif_orientation, ("JPEG", "PNG", "GIF", "WEBP"), name)


def read_image(path: Any, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """The image of a file."""
    return decode_image(os.fspath(path), mode, apply_exif_orientation)


def decode_png(input: Tensor, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """The image of a PNG file's bytes; uint16 if it has 16 bits."""
    return _decoded(input, mode, apply_exif_orientation, ("PNG",), _BYTES)


def decode_jpeg(
    input: Any, mode: Any = ImageReadMode.UNCHANGED, device: Any = "cpu", apply_exif_orientation: bool = False
) -> Any:
    """The image of a JPEG file's bytes, or a list of images of a list."""
    if torch.device(device).type != "cpu":
        raise NotImplementedError(f"decode_jpeg: images are decoded on the CPU only, not on {device}")
    if not isinstance(input, list):
        return _decoded(input, mode, apply_exif_orientation, ("JPEG",), _BYTES)
    if not input:
        raise ValueError("Input list must contain at least one element")
    if not all(isinstance(t, Tensor) for t in input):
        raise ValueError("All elements of the input list must be tensors.")
    return [decode_jpeg(t, mode, device, apply_exif_orientation) for t in input]


def decode_webp(input: Tensor, mode: Any = ImageReadMode.UNCHANGED) -> Tensor:
    """The image of a WEBP file's bytes."""
    return _decoded(input, mode, False, ("WEBP",), _BYTES)


def decode_gif(input: Tensor) -> Tensor:
    """The frames (N, 3, H, W) of a GIF file's bytes, or (3, H, W) if there is one."""
    return _decoded(input, ImageReadMode.UNCHANGED, False, ("GIF",), _BYTES)


def decode_avif(input: Tensor, mode: Any = ImageReadMode.UNCHANGED) -> Tensor:
    """Not supported."""
    raise NotImplementedError("decode_avif: AVIF images are not supported")


def decode_heic(input: Tensor, mode: Any = ImageReadMode.UNCHANGED) -> Tensor:
    """Not supported."""
    raise NotImplementedError("decode_heic: HEIC images are not supported")


# ---------------------------------------------------------------------- encoding
def _encoded(input: Tensor, format: str, **options: Any) -> Tensor:
    if input.dtype != torch.uint8:
        raise RuntimeError("Input tensor dtype should be uint8")
    if input.dim() != 3:
        raise RuntimeError("Input data should be a 3-dimensional tensor")
    if input.size(0) not in (1, 3):
        raise RuntimeError(f"The number of channels should be 1 or 3, got: {input.size(0)}")
    array = input.permute(1, 2, 0).contiguous().numpy()
    file = io.BytesIO()
    image_from_array(array[:, :, 0] if array.shape[2] == 1 else array).save(file, format=format, **options)
    return torch.from_numpy(np.frombuffer(file.getvalue(), dtype=np.uint8).copy())


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """The bytes of a PNG file of an image (1 or 3, H, W)."""
    if not 0 <= compression_level <= 9:
        raise RuntimeError("Compression level should be between 0 and 9")
    return _encoded(input, "PNG", compress_level=compression_level)


def write_png(input: Tensor, filename: Any, compression_level: int = 6) -> None:
    """Writes an image (1 or 3, H, W) to a PNG file."""
    write_file(filename, encode_png(input, compression_level))


def encode_jpeg(input: Any, quality: int = 75) -> Any:
    """The bytes of a JPEG file of an image (1 or 3, H, W), or a list of them of a list."""
    if quality < 1 or quality > 100:
        raise ValueError("Image quality should be a positive number between 1 and 100")
    if not isinstance(input, list):
        return _encoded(input, "JPEG", quality=quality)
    if not input:
        raise ValueError("encode_jpeg requires at least one input tensor when a list is passed")
    return [encode_jpeg(image, quality) for image in input]


def write_jpeg(input: Tensor, filename: Any, quality: int = 75) -> None:
    """Writes an image (1 or 3, H, W) to a JPEG file."""
    write_file(filename, encode_jpeg(input, quality))
