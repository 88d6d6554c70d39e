"""torchvision.io: image files; videos are not supported."""

from typing import Any, NoReturn

from .image import (
    ImageReadMode,
    decode_avif,
    decode_gif,
    decode_heic,
    decode_image,
    decode_jpeg,
    decode_png,
    decode_webp,
    encode_jpeg,
    encode_png,
    read_file,
    read_image,
    write_file,
    write_jpeg,
    write_png,
)

__all__ = [
    "ImageReadMode", "decode_image", "decode_jpeg", "decode_png", "decode_avif", "decode_heic", "decode_webp",
    "decode_gif", "encode_jpeg", "encode_png", "read_file", "read_image", "write_file", "write_jpeg", "write_png",
]  # fmt: skip


def _no_videos(name: str) -> NoReturn:
    raise NotImplementedError(f"{name}: videos are not supported")


def read_video(*args: Any, **kwargs: Any) -> NoReturn:
    """Not supported."""
    _no_videos("read_video")


def read_video_timestamps(*args: Any, **kwargs: Any) -> NoReturn:
    """Not supported."""
    _no_videos("read_video_timestamps")


def write_video(*args: Any, **kwargs: Any) -> NoReturn:
    """Not supported."""
    _no_videos("write_video")


class VideoReader:
    """Not supported."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _no_videos("VideoReader")
