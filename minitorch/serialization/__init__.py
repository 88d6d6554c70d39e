"""Same as torch.serialization: `save` and `load`, and what `load` may make.

`_archive.py` reads and writes zip files, `_pickles.py` the pickles in them, `_storages.py` makes tensors, `_legacy.py`
reads the format before; `_options.py` has what holds for all calls.
"""

import io
import os
import pickle
import sys
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch.utils.serialization import config

from . import _pickles
from ._archive import Reader, Writer, corrupt
from ._legacy import MAGIC_NUMBER, PROTOCOL_VERSION, load_legacy
from ._options import (
    LoadEndianness,
    get_crc32_options,
    get_default_load_endianness,
    get_default_mmap_options,
    is_swapped,
    set_crc32_options,
    set_default_load_endianness,
    set_default_mmap_options,
    skip_data,
    skipping,
    storage_memory,
)
from ._pickles import NotAllowed, Pickler, SafeUnpickler, Survey, TrustedUnpickler, storage_class_of
from ._storages import LoadedStorage, MapLocation, check_location, default_restore_location, location_tag, placed
from ._storages import layout_of as _get_layout

__all__ = [
    "DEFAULT_PROTOCOL",
    "MAGIC_NUMBER",
    "PROTOCOL_VERSION",
    "LoadEndianness",
    "add_safe_globals",
    "clear_safe_globals",
    "default_restore_location",
    "get_crc32_options",
    "get_default_load_endianness",
    "get_default_mmap_options",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "location_tag",
    "safe_globals",
    "save",
    "set_crc32_options",
    "set_default_load_endianness",
    "set_default_mmap_options",
    "skip_data",
]

DEFAULT_PROTOCOL = 2
_ZIP, _MAGIC = b"PK\3\4", pickle.dumps(MAGIC_NUMBER, 2)


# ---------------------------------------------------------------------- saving
def save(
    obj: Any,
    f: Any,
    pickle_module: Any = pickle,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Same as torch.save: write an object to a path or a binary file, so that torch and minitorch can load it.

    Tensors that share memory share it in the file. A file at a path is replaced when the new one is complete: an
    interrupted save leaves the old one whole. RuntimeError where the folder does not exist.

    >>> import io
    >>> import minitorch as torch
    >>> buffer = io.BytesIO()
    >>> torch.save({"weight": torch.ones(2)}, buffer)
    >>> _ = buffer.seek(0)
    >>> torch.load(buffer)
    {'weight': tensor([1., 1.])}
    """
    if not _use_new_zipfile_serialization:
        raise NotImplementedError("save: torch's format before version 1.6 is not written by minitorch, only read")
    if pickle_module is not pickle:
        raise NotImplementedError("save: pickle_module other than pickle is not supported by minitorch")
    if isinstance(f, (str, os.PathLike)):
        _save_at(obj, os.path.realpath(os.fspath(f)), pickle_protocol)
    elif hasattr(f, "write"):
        if getattr(f, "seekable", lambda: False)() and hasattr(f, "tell") and f.tell() == 0:
            _write(obj, f, "archive", pickle_protocol)
        else:
            buffer = io.BytesIO()
            _write(obj, buffer, "archive", pickle_protocol)
            f.write(buffer.getbuffer())
    else:
        raise AttributeError("expected 'f' to be string, path, or a file-like object with a 'write' attribute")


def _save_at(obj: Any, path: str, protocol: int) -> None:
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {folder} does not exist.")
    root = name.partition(".")[0] or "archive"
    if os.path.exists(path) and not os.path.isfile(path):  # a device or a pipe has no old content to keep
        with open(path, "wb") as stream:
            save(obj, stream, pickle_protocol=protocol)
        return
    draft = os.path.join(folder, f".{name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(draft, "xb") as stream:
            _write(obj, stream, root, protocol)
        if os.path.exists(path):
            os.chmod(draft, os.stat(path).st_mode)
        os.replace(draft, path)
    except BaseException:
        if os.path.exists(draft):
            os.unlink(draft)
        raise


def _write(obj: Any, stream: Any, root: str, protocol: int) -> None:
    pickled = io.BytesIO()
    pickler = Pickler(pickled, protocol)
    pickler.dump(obj)
    alignment, checksum = config.save.storage_alignment, config.save.compute_crc32
    with Writer(stream, root, alignment) as archive:
        archive.write("data.pkl", pickled.getvalue(), checksum)
        archive.write(".format_version", b"1", checksum)
        archive.write(".storage_alignment", str(alignment).encode(), checksum)
        archive.write("byteorder", sys.byteorder.encode(), checksum)  # torch's writer does so whatever save was told
        for key, memory in pickler.storages.items():
            if skipping.data:
                archive.write(f"data/{key}", bytes(memoryview(memory).nbytes), checksum=False)
            else:
                archive.write(f"data/{key}", memory, checksum)
        archive.write("version", b"3\n", checksum)
        archive.write(".data/serialization_id", f"{uuid.uuid4().int:040d}"[:40].encode(), checksum)


# ---------------------------------------------------------------------- loading
def load(
    f: Any,
    map_location: MapLocation = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Same as torch.load: the object that torch or minitorch saved at a path or in a binary file that can seek.

    By default only tensors and plain data are made, and names that are not allowed refused (UnpicklingError; see
    `add_safe_globals`). With weights_only=False the file may run any code; the environment variables
    TORCH_FORCE_WEIGHTS_ONLY_LOAD=1 and TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 forbid that and make it the default. With
    mmap the bytes of tensors stay in the file until used, and are not compared with their checksums. RuntimeError for
    damaged files.
    """
    if pickle_module is not None and pickle_module is not pickle:
        raise NotImplementedError("load: pickle_module other than pickle is not supported by minitorch")
    check_location(map_location)
    safe = _is_safe(weights_only, pickle_module)
    if safe and pickle_load_args:
        warnings.warn("pickle_load_args only works if `weights_only=False`.", UserWarning, stacklevel=2)
        for name in pickle_load_args:
            if name != "encoding":
                raise TypeError(f"Unpickler.__init__() got an unexpected keyword argument '{name}'")
    mmap = config.load.mmap if mmap is None else mmap
    if isinstance(f, (str, os.PathLike)):
        path = os.fspath(f)
        with open(path, "rb") as stream:
            return _load(stream, path, map_location, safe, bool(mmap), pickle_load_args)
    if not hasattr(f, "seek") or not hasattr(f, "read"):
        missing = "seek" if not hasattr(f, "seek") else "read"
        raise AttributeError(
            f"'{type(f).__name__}' object has no attribute '{missing}'. You can only torch.load from a file that is "
            "seekable. Please pre-load the data into a buffer like io.BytesIO and try to load from it instead."
        )
    if mmap:
        raise ValueError("f must be a file path in order to use the mmap argument")
    return _load(f, None, map_location, safe, False, pickle_load_args)


def _is_safe(weights_only: bool | None, pickle_module: Any) -> bool:
    """Whether no code of the file may run: what the call says, or torch's two environment variables."""
    force, force_not = (
        os.getenv(f"TORCH_FORCE_{name}WEIGHTS_ONLY_LOAD", "0").lower() in ("1", "y", "yes", "true")
        for name in ("", "NO_")
    )
    if force and force_not:
        raise RuntimeError(
            "Only one of `TORCH_FORCE_WEIGHTS_ONLY_LOAD` or `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD` should be set, but both "
            "were set."
        )
    if force_not and weights_only is None:
        warnings.warn(
            "Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD detected, since the`weights_only` argument was not "
            "explicitly passed to `torch.load`, forcing weights_only=False.",
            UserWarning,
            stacklevel=3,
        )
        return False
    if (force or weights_only) and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    if weights_only is None:
        return force or pickle_module is None
    return force or bool(weights_only)


def _load(stream: Any, path: str | None, where: MapLocation, safe: bool, mapped: bool, options: Any) -> Any:
    begin = stream.tell()
    head = stream.read(max(len(_ZIP), len(_MAGIC)))
    if not isinstance(head, bytes):
        raise AssertionError(f"Expected bytes, got {type(head).__name__}\nload reads binary files")
    stream.seek(begin)
    if not head:
        raise EOFError("Ran out of input")
    make: Callable[..., Any] = SafeUnpickler if safe else TrustedUnpickler
    encoding = options.pop("encoding", "utf-8")

    def unpickler(source: Any, persistent_load: Any) -> Any:
        return make(source, persistent_load, encoding=encoding, **options)

    if head[: len(_ZIP)] == _ZIP:
        archive = Reader(io.BytesIO(stream.read()) if begin else stream, path)
        swapped = is_swapped(archive)
        with _explained(safe):
            return _load_archive(archive, swapped, where, mapped, unpickler)
    with _explained(safe):
        if mapped:
            raise RuntimeError(
                "mmap can only be used with files saved with `torch.save(_use_new_zipfile_serialization=True), please "
                "torch.save your checkpoint with this option in order to use mmap."
            )
        if head != _MAGIC:
            raise pickle.UnpicklingError(
                "the file is neither a zip archive nor of torch's format before version 1.6: not a file of torch.save"
            )
        return load_legacy(stream, where, unpickler)


@contextmanager
def _explained(safe: bool) -> Iterator[None]:
    """Errors of a file that is read safely say so, and what can be done."""
    try:
        yield
    except NotAllowed as e:
        name = e.name.removeprefix("builtins.")
        raise pickle.UnpicklingError(
            "Weights only load failed. This file can still be loaded, to do so you have two options, \x1b[1mdo those "
            "steps only if you trust the source of the checkpoint\x1b[0m. \n"
            "\t(1) `torch.load(..., weights_only=False)` runs what the file says, be it what it may.\n"
            "\t(2) Allow what it names, as the following says.\n"
            f"\tWeightsUnpickler error: Unsupported global: GLOBAL {name} was not an allowed global by default. Please "
            f"use `torch.serialization.add_safe_globals([{name}])` or the `torch.serialization.safe_globals([{name}])` "
            "context manager to allowlist this global if you trust this class/function."
        ) from None
    except RuntimeError:
        raise
    except (pickle.UnpicklingError, EOFError) as e:
        raise pickle.UnpicklingError(f"{'Weights only load failed. ' if safe else ''}{e}") from e
    except Exception as e:
        if not safe:
            raise
        # a damaged pickle can ask for anything: a missing key, a number as a function
        raise pickle.UnpicklingError(f"Weights only load failed. The pickle is damaged: {type(e).__name__}: {e}") from e


def _load_archive(archive: Reader, swapped: bool, where: MapLocation, mapped: bool, unpickler: Any) -> Any:
    if "constants.pkl" in archive:
        raise RuntimeError("TorchScript archives are not supported by minitorch")
    loaded: dict[str, LoadedStorage] = {}

    def persistent_load(saved: Any) -> LoadedStorage:
        if not isinstance(saved, tuple) or len(saved) != 5 or saved[0] != "storage":
            raise pickle.UnpicklingError(f"Unknown saved id {saved!r}")
        _, kind, key, location, count = saved
        dtype = storage_class_of(kind).dtype
        if not isinstance(key, str) or not isinstance(location, str):
            raise pickle.UnpicklingError(f"Unknown saved id {saved!r}")
        if key not in loaded:
            loaded[key] = read(key, location, count, dtype)
        return loaded[key]

    def read(key: str, location: str, count: Any, dtype: Any) -> LoadedStorage:
        item = 1 if dtype is None else dtypes.numpy_dtype(dtype).itemsize
        if archive.length(f"data/{key}") != count * item:
            raise corrupt(f"storage {key} has not the {count} elements that its tensors expect")
        memory = storage_memory(archive, f"data/{key}", mapped)
        if swapped and item > 1:
            memory = memory.view(f"u{item}").byteswap().view(np.uint8)
        memory, device = placed(memory, location, where)
        return LoadedStorage(memory, dtype, device)

    pickled = io.BytesIO(archive.read("data.pkl").tobytes())
    if mapped or skipping.data:
        return unpickler(pickled, persistent_load).load()
    with archive.reading_ahead("data"):
        return unpickler(pickled, persistent_load).load()


# ---------------------------------------------------------------------- what may be made
def add_safe_globals(safe_globals: list[Any]) -> None:
    """Same as torch.serialization.add_safe_globals: classes and functions that `load` may call, or (one, name)."""
    for entry in safe_globals:
        obj, name = entry if isinstance(entry, tuple) else (entry, None)
        _pickles.allowed[name or _pickles.full_name(obj)] = obj


def get_safe_globals() -> list[Any]:
    """Same as torch.serialization.get_safe_globals: what was allowed."""
    return list(_pickles.allowed.values())


def clear_safe_globals() -> None:
    """Same as torch.serialization.clear_safe_globals."""
    _pickles.allowed.clear()


class safe_globals:
    """Same as torch.serialization.safe_globals: `add_safe_globals` for the length of a with statement."""

    def __init__(self, safe_globals: list[Any]):
        self.safe_globals = safe_globals

    def __enter__(self) -> None:
        self.before = dict(_pickles.allowed)
        add_safe_globals(self.safe_globals)

    def __exit__(self, *_: Any) -> None:
        _pickles.allowed.clear()
        _pickles.allowed.update(self.before)


def get_unsafe_globals_in_checkpoint(f: Any) -> list[str]:
    """Same as torch.serialization.get_unsafe_globals_in_checkpoint: the names in a file that `load` would refuse."""
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as stream:
            return get_unsafe_globals_in_checkpoint(stream)
    survey = Survey(io.BytesIO(Reader(f).read("data.pkl").tobytes()), lambda _: None)
    survey.load()
    return list(survey.refused)
