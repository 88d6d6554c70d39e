"""Same as torchvision.io.image: files of pictures, read and written by Pillow, as uint8 tensors (C, H, W)."""

import io
import os
from enum import Enum
from typing import Any

import numpy as np

import minitorch as torch
from minitorch import Tensor

from .._pillow import image_from_array, pillow


class ImageReadMode(Enum):
    """The channels that a picture is converted to when it is read; their names do as well, in any case."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4
    RGBA = RGB_ALPHA


_Mode = ImageReadMode | str
_PILLOWS = {
    ImageReadMode.GRAY: "L",
    ImageReadMode.GRAY_ALPHA: "LA",
    ImageReadMode.RGB: "RGB",
    ImageReadMode.RGB_ALPHA: "RGBA",
}
# what the formats hold that tensors do not: palettes and single bits
_EXPANDED = {"1": "L", "P": "RGB", "PA": "RGBA"}


def read_file(path: str | os.PathLike) -> Tensor:
    """The bytes of a file, as a uint8 tensor of one dimension. RuntimeError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise RuntimeError(f"[Errno {error.errno}] {error.strerror}: '{path}'") from error
    return torch.from_numpy(np.frombuffer(bytearray(data), np.uint8))


def write_file(filename: str | os.PathLike, data: Tensor) -> None:
    """Writes the bytes of a uint8 tensor of one dimension to a file. RuntimeError if it cannot be written."""
    _check_bytes(data)
    try:
        with open(filename, "wb") as file:
            file.write(data.contiguous().numpy())
    except OSError as error:
        raise RuntimeError(f"[Errno {error.errno}] {error.strerror}: '{filename}'") from error


def decode_image(
    input: Tensor | str | os.PathLike, mode: _Mode = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False
) -> Tensor:
    """A picture of a PNG, JPEG, GIF or WebP file, or of its bytes: uint8 (C, H, W), uint16 for a PNG of 16 bits.

    A GIF of several pictures is (N, C, H, W).

    >>> import minitorch as torch
    >>> from minitorch.vision.io import decode_image, encode_png
    >>> data = encode_png(torch.arange(6, dtype=torch.uint8).reshape(1, 2, 3))
    >>> decode_image(data, mode="RGB")[2]
    tensor([[0, 1, 2],
            [3, 4, 5]], dtype=torch.uint8)
    """
    data = input if isinstance(input, Tensor) else read_file(input)
    return _decode(data, ("PNG", "JPEG", "GIF", "WEBP"), mode, apply_exif_orientation)


def read_image(
    path: str | os.PathLike, mode: _Mode = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False
) -> Tensor:
    """Same as decode_image, of a path only."""
    return decode_image(read_file(path), mode, apply_exif_orientation)


def decode_png(input: Tensor, mode: _Mode = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """The picture of a PNG file's bytes: uint8 (C, H, W), uint16 if it has 16 bits."""
    return _decode(input, ("PNG",), mode, apply_exif_orientation)


def decode_jpeg(
    input: Tensor | list[Tensor],
    mode: _Mode = ImageReadMode.UNCHANGED,
    device: Any = "cpu",
    apply_exif_orientation: bool = False,
) -> Any:
    """The picture of a JPEG file's bytes: uint8 (C, H, W); of a list, the list of pictures."""
    if isinstance(input, list):
        if not input:
            raise ValueError("Input list must contain at least one element")
        if not all(isinstance(t, Tensor) for t in input):
            raise ValueError("All elements of the input list must be tensors.")
        return [decode_jpeg(t, mode, device, apply_exif_orientation) for t in input]
    return _decode(input, ("JPEG",), mode, apply_exif_orientation).to(device)


def decode_webp(input: Tensor, mode: _Mode = ImageReadMode.UNCHANGED) -> Tensor:
    """The picture of a WebP file's bytes: uint8 (C, H, W)."""
    return _decode(input, ("WEBP",), mode)


def decode_gif(input: Tensor) -> Tensor:
    """The pictures of a GIF file's bytes: uint8 (3, H, W), or (N, 3, H, W) if there are several."""
    return _decode(input, ("GIF",), ImageReadMode.RGB)


def decode_avif(input: Tensor, mode: _Mode = ImageReadMode.UNCHANGED) -> Tensor:
    """The picture of an AVIF file's bytes: uint8 (C, H, W)."""
    return _decode(input, ("AVIF",), mode)


def decode_heic(input: Tensor, mode: _Mode = ImageReadMode.UNCHANGED) -> Tensor:
    """NotImplementedError: Pillow does not read HEIC files."""
    raise NotImplementedError("decode_heic() is not supported by minitorch: Pillow does not read HEIC files")


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """The bytes of a PNG file, uint8 (N,), of a uint8 picture (C, H, W) with 1 or 3 channels."""
    if not 0 <= compression_level <= 9:
        raise RuntimeError("Compression level should be between 0 and 9")
    return _encode(input, "PNG", compress_level=compression_level)


def encode_jpeg(input: Tensor | list[Tensor], quality: int = 75) -> Any:
    """The bytes of a JPEG file, uint8 (N,), of a uint8 picture (C, H, W) with 1 or 3 channels; of a list, a list."""
    if quality < 1 or quality > 100:
        raise ValueError("Image quality should be a positive number between 1 and 100")
    if isinstance(input, list):
        if not input:
            raise ValueError("encode_jpeg requires at least one input tensor when a list is passed")
        return [encode_jpeg(image, quality) for image in input]
    return _encode(input, "JPEG", quality=quality)


def write_png(input: Tensor, filename: str | os.PathLike, compression_level: int = 6) -> None:
    """Writes a uint8 picture (C, H, W) with 1 or 3 channels to a PNG file."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Tensor, filename: str | os.PathLike, quality: int = 75) -> None:
    """Writes a uint8 picture (C, H, W) with 1 or 3 channels to a JPEG file."""
    write_file(filename, encode_jpeg(input, quality))


def _check_bytes(data: Tensor) -> None:
    if data.dtype != torch.uint8:
        raise RuntimeError("Expected a torch.uint8 tensor")
    if data.ndim != 1 or not data.numel():
        raise RuntimeError("Expected a non empty 1-dimensional tensor")


def _decode(data: Tensor, formats: tuple[str, ...], mode: _Mode, turned: bool = False) -> Tensor:
    _check_bytes(data)
    wanted = ImageReadMode[mode.upper()] if isinstance(mode, str) else mode
    try:
        image = pillow().open(io.BytesIO(data.numpy().tobytes()), formats=formats)
        image.load()
    except (OSError, SyntaxError) as error:
        raise RuntimeError(
            f"Unsupported or damaged image file: {error}. Only {', '.join(formats).lower()} can be read here"
        ) from error
    if getattr(image, "n_frames", 1) > 1 and image.format == "GIF":
        return torch.stack([_pixels(frame, ImageReadMode.RGB) for frame in pillow("ImageSequence").Iterator(image)])
    if turned:
        image = pillow("ImageOps").exif_transpose(image)
    return _pixels(image, ImageReadMode.RGB if image.format == "GIF" else wanted)


def _pixels(image: Any, mode: ImageReadMode) -> Tensor:
    """The tensor of one of Pillow's images, in the channels wanted."""
    if image.mode.startswith("I") and mode is ImageReadMode.UNCHANGED:  # 16 bits of grey
        array = np.asarray(image).astype(np.uint16)
    else:
        name = _PILLOWS.get(mode, _EXPANDED.get(image.mode, image.mode))
        if image.mode == "P" and "transparency" in image.info and mode is ImageReadMode.UNCHANGED:
            name = "RGBA"
        array = np.array(image if image.mode == name else image.convert(name))
    return torch.from_numpy(array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1)))


def _encode(picture: Tensor, kind: str, **options: int) -> Tensor:
    if picture.dtype != torch.uint8:
        raise RuntimeError("Input tensor dtype should be uint8")
    if picture.ndim != 3:
        raise RuntimeError("Input data should be a 3-dimensional tensor")
    channels = picture.shape[0]
    if channels not in (1, 3):
        raise RuntimeError(f"The number of channels should be 1 or 3, got: {channels}")
    array = picture.numpy()
    image = image_from_array(np.ascontiguousarray(array[0] if channels == 1 else array.transpose(1, 2, 0)))
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return torch.from_numpy(np.frombuffer(bytearray(stream.getvalue()), np.uint8))
