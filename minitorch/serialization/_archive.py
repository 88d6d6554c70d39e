"""Records in a zip file, as torch writes them: stored, not compressed, each beginning at a multiple of 64 bytes.

A file is hostile until read. Nothing is unpacked to disk, sizes are compared with what is really there before memory
is taken for them, and every record is compared with its checksum, except where it is mapped and not read. A checksum of
0 is none: torch writes it where it is told to compute none.
"""

import io
import os
import struct
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from ._checksum import crc32

LONG = 1 << 25  # bytes from which threads pay
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_CRC_OFFSET = 14  # in it
_PADDING_ID = b"FB"  # of the extra field that torch fills up with


def corrupt(what: str) -> RuntimeError:
    """The error of a file that is no archive, or is damaged."""
    return RuntimeError(f"PytorchStreamReader failed reading zip archive: {what}")


class Writer:
    """Writes an archive, whose records lie in a folder called `root`, to a stream that can seek.

    Each record's data begins at a multiple of `alignment` bytes.
    """

    def __init__(self, stream: Any, root: str, alignment: int):
        self.stream, self.root, self.alignment = stream, root, alignment
        self.zip = zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED)

    def write(self, name: str, data: Any, checksum: bool = True) -> None:
        """Add a record: bytes, or any buffer. Without a checksum it has 0 in its place."""
        info = zipfile.ZipInfo(f"{self.root}/{name}")
        size = memoryview(data).nbytes
        large = size * 1.05 > zipfile.ZIP64_LIMIT  # zipfile's own test, for which it adds 20 bytes
        begin = self.stream.tell() + _LOCAL_HEADER.size + len(info.filename.encode()) + 20 * large
        padding = -(begin + 4) % self.alignment
        info.extra = _PADDING_ID + struct.pack("<H", padding) + b"Z" * padding
        info.file_size = size
        with self.zip.open(info, "w") as record:
            record.write(data)
        if not checksum:
            info.CRC = 0  # in the directory, which is written last; zipfile has written the record's own header
            end = self.stream.tell()
            self.stream.seek(info.header_offset + _CRC_OFFSET)
            self.stream.write(bytes(4))
            self.stream.seek(end)

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            self.zip.fp = None  # else it would try once more to write its directory, when it is collected
        self.zip.close()


class Reader:
    """Reads an archive from a stream, or maps it if it is a file at `path`."""

    def __init__(self, stream: Any, path: str | None = None):
        self.stream, self.path = stream, path
        # several threads can read from a descriptor; a stream has one position
        self.descriptor = stream.fileno() if path is not None and hasattr(os, "preadv") else None
        self.pending: dict[str, Future[np.ndarray]] = {}
        stream.seek(0, io.SEEK_END)
        self.size = stream.tell()
        try:
            entries = zipfile.ZipFile(stream).infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, UnicodeError, struct.error, EOFError) as e:
            raise corrupt(
                f"failed finding central directory\n{path or 'the stream'} has {self.size} bytes and no zip archive's "
                f"directory at its end ({e}): it was cut short, or is still being written"
            ) from None
        self.entries = {e.filename: e for e in entries}
        if not entries or len(self.entries) != len(entries):
            raise corrupt("no records, or two of one name")
        if sum(e.file_size for e in entries) > self.size:
            raise corrupt("its records are larger than the file")
        self.root = entries[0].filename.partition("/")[0]

    def __contains__(self, name: str) -> bool:
        return f"{self.root}/{name}" in self.entries

    def _place(self, name: str) -> tuple[int, Any]:
        """Where a record's data begins, and its entry in the directory."""
        entry = self.entries.get(f"{self.root}/{name}")
        if entry is None:
            raise corrupt(f"file not found: {self.root}/{name}")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.compress_size != entry.file_size:
            raise corrupt(f"{entry.filename} is compressed or encrypted, which torch never writes")
        header = bytearray(_LOCAL_HEADER.size)
        if self._read_into(header, entry.header_offset) != len(header) or header[:4] != b"PK\3\4":
            raise corrupt(f"{entry.filename} has no header")
        *_, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        begin = entry.header_offset + _LOCAL_HEADER.size + name_length + extra_length
        if begin + entry.file_size > self.size:
            raise corrupt(f"{entry.filename} ends after the file does")
        return begin, entry

    def length(self, name: str) -> int:
        """The bytes in a record."""
        return self._place(name)[1].file_size

    def read(self, name: str) -> np.ndarray:
        """A record's bytes, checked."""
        return self.pending.pop(name).result() if name in self.pending else self._read(name)

    def _read(self, name: str) -> np.ndarray:
        begin, entry = self._place(name)
        data: Any = np.empty(entry.file_size, np.uint8)
        if self._read_into(data, begin) != data.size or (entry.CRC and crc32(data, self.size) != entry.CRC):
            raise corrupt(f"{entry.filename} does not match its checksum")
        return data

    @contextmanager
    def reading_ahead(self, folder: str) -> Iterator[None]:
        """Within it the records of a folder are read by two threads: copying and checking take as long each."""
        if self.size < LONG or self.descriptor is None:
            yield
            return
        names = [n.partition("/")[2] for n in self.entries if n.startswith(f"{self.root}/{folder}/")]
        pool = ThreadPoolExecutor(2)
        try:
            self.pending = {name: pool.submit(self._read, name) for name in names}
            yield
        finally:
            pool.shutdown(cancel_futures=True)
            self.pending = {}

    def _read_into(self, data: Any, begin: int) -> int:
        """Fill a buffer with what lies at `begin`; how many bytes there were."""
        rest = memoryview(data)
        while rest.nbytes:
            if self.descriptor is not None:
                n = os.preadv(self.descriptor, [rest], begin + len(data) - rest.nbytes)
            else:
                if begin < 0:
                    raise corrupt("its directory names a place before its beginning")
                self.stream.seek(begin + len(data) - rest.nbytes)
                n = _read_some(self.stream, rest)
            if not n:
                break
            rest = rest[n:]
        return len(data) - rest.nbytes

    def map(self, name: str, shared: bool = False) -> np.ndarray:
        """A record's bytes without reading them: pages come from the file when first used.

        They are never written, unless the memory is to be shared with the file.
        """
        begin, entry = self._place(name)
        if not entry.file_size:
            return np.empty(0, np.uint8)
        assert self.path is not None
        return np.memmap(self.path, np.uint8, "r+" if shared else "c", begin, entry.file_size).view(np.ndarray)


def _read_some(stream: Any, into: memoryview) -> int:
    if hasattr(stream, "readinto"):
        return stream.readinto(into) or 0
    found = stream.read(into.nbytes)
    into[: len(found)] = found
    return len(found)


class PyTorchFileReader:
    """The class that in torch reads single records of a saved file; here programs can name it, not make one."""

    def __init__(self, *args: Any) -> None:
        raise NotImplementedError(
            "torch.PyTorchFileReader is not supported by minitorch: torch.load(file, mmap=True) reads records when used"
        )
