"""What holds for all saving and loading: checksums, mapping, byte order, and files without their tensors' bytes."""

import mmap
import sys
import threading
from enum import Enum
from typing import Any

import numpy as np

from minitorch.utils.serialization import config

from ._archive import Reader

_MAPPINGS = [getattr(mmap, name, None) for name in ("MAP_PRIVATE", "MAP_SHARED")]  # neither on Windows


class LoadEndianness(Enum):
    """Same as torch.serialization.LoadEndianness: the byte order of files that do not record theirs."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


def get_default_load_endianness() -> LoadEndianness | None:
    """Same as torch.serialization.get_default_load_endianness: what was set, or None, which means little."""
    return config.load.endianness


def set_default_load_endianness(endianness: LoadEndianness | None) -> None:
    """Same as torch.serialization.set_default_load_endianness: the byte order of files that do not record theirs."""
    if not isinstance(endianness, LoadEndianness) and endianness is not None:
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    config.load.endianness = endianness


def is_swapped(archive: Reader) -> bool:
    """Whether the numbers in a file are in the other byte order. ValueError if it records none that there is."""
    if "byteorder" in archive:
        order = archive.read("byteorder").tobytes().decode(errors="replace")
        if order not in ("little", "big"):
            raise ValueError(f"Unknown endianness type: {order}")
    else:
        named = {LoadEndianness.BIG: "big", LoadEndianness.NATIVE: sys.byteorder}
        order = named.get(config.load.endianness, "little")
    return order != sys.byteorder


def get_crc32_options() -> bool:
    """Same as torch.serialization.get_crc32_options: whether `save` writes checksums."""
    return config.save.compute_crc32


def set_crc32_options(compute_crc32: bool) -> None:
    """Same as torch.serialization.set_crc32_options: without checksums `load` finds no damage, and unzip complains."""
    config.save.compute_crc32 = compute_crc32


def get_default_mmap_options() -> int | None:
    """Same as torch.serialization.get_default_mmap_options: `mmap.MAP_PRIVATE` unless set."""
    return config.load.mmap_flags


class set_default_mmap_options:
    """Same as torch.serialization.set_default_mmap_options: how `load` with mmap=True maps files.

    With `mmap.MAP_SHARED` writes to the tensors are writes to the file. Set at once; in a with statement, until its
    end. ValueError for other flags, RuntimeError on Windows.
    """

    def __init__(self, flags: int):
        if None in _MAPPINGS:
            raise RuntimeError("Changing the default mmap options is currently not supported for Windows")
        if flags not in _MAPPINGS:
            raise ValueError(
                "Invalid argument in function set_default_mmap_options, expected mmap.MAP_PRIVATE or mmap.MAP_SHARED, "
                f"but got {flags}"
            )
        self.prev = config.load.mmap_flags
        config.load.mmap_flags = flags

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: Any) -> None:
        config.load.mmap_flags = self.prev


class _Skipping(threading.local):
    data = False


skipping = _Skipping()


class skip_data:
    """Same as torch.serialization.skip_data: within it `save` and `load` leave out the bytes of tensors.

    Saved are zeros in their place, without a checksum, to be written over later; loaded are tensors with any values.

    >>> import io
    >>> import minitorch as torch
    >>> buffer = io.BytesIO()
    >>> with torch.serialization.skip_data():
    ...     torch.save(torch.ones(2), buffer)
    >>> _ = buffer.seek(0)
    >>> torch.load(buffer)
    tensor([0., 0.])
    """

    def __init__(self, materialize_fake_tensors: bool = False):
        self.materialize_fake_tensors = materialize_fake_tensors

    def __enter__(self) -> None:
        self.before, skipping.data = skipping.data, True

    def __exit__(self, *_: Any) -> None:
        skipping.data = self.before


def storage_memory(archive: Reader, name: str, mapped: bool) -> np.ndarray:
    """The bytes of a storage: read, mapped, or none within `skip_data`."""
    if skipping.data:
        return np.empty(archive.length(name), np.uint8)
    return archive.map(name, config.load.mmap_flags == _MAPPINGS[1]) if mapped else archive.read(name)
