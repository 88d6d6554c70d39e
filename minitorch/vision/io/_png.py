"""PNG files of 16 bits a channel, of which Pillow keeps eight if they have colours (https://www.w3.org/TR/png-3/)."""

import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from minitorch._kernels import cache

_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # of a colour type: grey, RGB, both with alpha
# first column and row of a pass of Adam7's interlacing, and steps to the next
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_WHOLE = ((0, 0, 1, 1),)


class Header(NamedTuple):
    """The fields of the chunk IHDR."""

    width: int
    height: int
    bits: int
    color: int
    compression: int
    filters: int
    interlaced: int


def header(data: bytes) -> Header:
    """The header of a PNG file's bytes."""
    return Header(*struct.unpack_from(">IIBBBBB", data, 16))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of a file's chunks, up to the last."""
    at, kind = 8, b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise ValueError("the file ends before its last chunk")
        (length,), kind = struct.unpack_from(">I", data, at), data[at + 4 : at + 8]
        content = data[at + 8 : at + 8 + length]
        if len(content) < length or zlib.crc32(kind + content) != int.from_bytes(data[at + 8 + length :][:4], "big"):
            raise ValueError(f"the chunk {kind.decode('latin-1')} is damaged")
        yield kind, content
        at += 12 + length


def decode(data: bytes) -> tuple[Any, bool]:
    """The image (H, W, C) of numbers of 16 bits, and whether the file names a transparent colour beside it."""
    head, chunks = header(data), list(_chunks(data))
    channels = _CHANNELS[head.color]
    pixel, image = 2 * channels, np.empty((head.height, head.width, channels), np.uint16)
    passes = [image[y::down, x::right] for x, y, right, down in (_ADAM7 if head.interlaced else _WHOLE)]
    sizes = [part.shape[0] * (1 + pixel * part.shape[1]) if part.size else 0 for part in passes]
    try:
        packed = b"".join(content for kind, content in chunks if kind == b"IDAT")
        raw = np.frombuffer(bytearray(zlib.decompressobj().decompress(packed, sum(sizes))), np.uint8)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if raw.size < sum(sizes):
        raise ValueError("the file has too few pixels")
    for part, lines in zip(passes, np.split(raw, np.cumsum(sizes))):
        if not part.size:
            continue
        rows = lines.reshape(part.shape[0], -1)
        if not cache.load_file("cpu.png_filters").unfilter(rows, pixel):
            raise ValueError("a row has an unknown filter")
        part[...] = np.ascontiguousarray(rows[:, 1:]).view(">u2").reshape(part.shape)
    return image, any(kind == b"tRNS" for kind, _ in chunks)


def _grey(colors: Any) -> Any:
    """Luma of colours (..., 3), by libpng's integers for the weights 0.2989 and 0.587."""
    r, g, b = (colors[..., i : i + 1].astype(np.uint32) for i in range(3))
    luma = (9794 * r + 19234 * g + 3740 * b + 16384) >> 15
    return np.where((r == g) & (g == b), r, luma).astype(np.uint16)


def in_channels(image: Any, channels: int) -> Any:
    """The image (H, W, C) with another number of channels: grey, grey and alpha, colours, colours and alpha."""
    alpha = image[..., -1:] if image.shape[2] in (2, 4) else np.full_like(image[..., :1], 65535)
    colors = image[..., : image.shape[2] - (image.shape[2] in (2, 4))]
    if channels < 3 and colors.shape[2] == 3:
        colors = _grey(colors)
    elif channels > 2 and colors.shape[2] == 1:
        colors = np.repeat(colors, 3, 2)
    return np.concatenate([colors, alpha], 2) if channels in (2, 4) else colors
