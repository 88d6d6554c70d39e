"""The format that torch wrote before version 1.6: pickles one after the other, then the bytes of the storages."""

import pickle
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes

from ._pickles import SafeUnpickler, Survey, storage_class_of
from ._storages import LoadedStorage, MapLocation, placed

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001


def load_legacy(stream: Any, map_location: MapLocation, unpickler: Callable[..., Any]) -> Any:
    """The object in a stream; `unpickler` is one of the classes in `_pickles.py`."""
    begin = stream.tell()
    end = stream.seek(0, 2)
    stream.seek(begin)

    def header() -> Any:
        return SafeUnpickler(stream, None).load()

    if header() != MAGIC_NUMBER:
        raise RuntimeError("Invalid magic number; corrupt file?")
    version = header()
    if version != PROTOCOL_VERSION:
        raise RuntimeError(f"Invalid protocol version: {version}")
    system = header()
    if not (isinstance(system, dict) and system.get("little_endian") is True):
        raise NotImplementedError("files of machines with big-endian numbers are not supported by minitorch")
    storages: dict[str, LoadedStorage] = {}

    def persistent_load(saved: Any) -> Any:
        if not isinstance(saved, tuple) or len(saved) != 6 or saved[0] != "storage":
            raise pickle.UnpicklingError(f"Unknown saved id {saved!r}")
        _, kind, key, location, count, view = saved
        dtype = storage_class_of(kind).dtype or dtypes.uint8
        size = count * dtypes.numpy_dtype(dtype).itemsize if isinstance(count, int) and count >= 0 else end + 1
        if size > end:
            raise pickle.UnpicklingError(f"a storage of {count} elements does not fit into a file of {end} bytes")
        if key not in storages:
            memory, device = placed(np.empty(size, np.uint8), location, map_location)
            storages[key] = LoadedStorage(memory, dtype, device)
        if view is None:
            return storages[key]
        return _part_of(storages[key], view, dtype)

    # the bytes come after the pickle that makes tensors of them: read past it, and come back
    start = stream.tell()
    Survey(stream, persistent_load).load()
    keys = header()
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(map(str, storages)):
        raise pickle.UnpicklingError("the storages in the file are not those of its tensors")
    for key in keys:
        _fill(stream, storages[key])
    end_of_file = stream.tell()
    stream.seek(start)
    result = unpickler(stream, persistent_load).load()
    stream.seek(end_of_file)
    return result


def _part_of(storage: LoadedStorage, view: Any, dtype: Any) -> LoadedStorage:
    _, offset, count = view
    item = dtypes.numpy_dtype(dtype).itemsize
    if not (isinstance(offset, int) and isinstance(count, int) and 0 <= offset <= offset + count):
        raise pickle.UnpicklingError("a view of a storage must lie in it")
    return LoadedStorage(storage.memory[offset * item : (offset + count) * item], dtype, storage.device)


def _fill(stream: Any, storage: LoadedStorage) -> None:
    head = stream.read(8)
    data = stream.read(storage.memory.size)
    item = dtypes.numpy_dtype(storage.dtype).itemsize
    if len(head) != 8 or struct.unpack("<q", head)[0] * item != storage.memory.size:
        raise pickle.UnpicklingError("a storage's length is not what its tensors say")
    if len(data) != storage.memory.size:
        raise pickle.UnpicklingError("the file ends within a storage")
    storage.memory[:] = np.frombuffer(data, np.uint8)
