"""What the kernel cache holds on disk, and its bound: the files that were not used for longest go first.

The time of a file's last use is its modification time, which loading renews once a day. Processes that write, read and
delete at once do each other no harm: a file appears whole, and one that is gone is compiled again.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MOST = 1 << 30  # bytes; the kernels of this package's whole test suite, in all dtypes, take 0.4 of them
LEFT = 0.8  # of MOST, after files were deleted
DAY = 86_400  # s
ABANDONED = 3_600  # s after which a temporary file belongs to a process that was killed


class File(NamedTuple):
    """A file of the cache: when it was used last (within a day), and its bytes."""

    used: float
    size: int
    path: Path


def folders(cache: Path) -> list[Path]:
    """The subfolders, one for each set of versions; whatever else lies beside them is not ours."""
    return sorted(path for path in cache.glob("py*-numba*") if path.is_dir() and not path.is_symlink())


def files(cache: Path) -> Iterator[File]:
    """Every file of the cache, of all versions; those that vanish meanwhile are left out."""
    for folder in folders(cache):
        for entry in os.scandir(folder):
            with contextlib.suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    yield File(status.st_mtime, status.st_size, Path(entry.path))


def used(path: Path) -> None:
    """Note that the file was used, unless that was noted within a day. A folder that cannot be written to stays so."""
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > DAY:
            os.utime(path)


def bound(cache: Path) -> None:
    """Delete the files that were not used for longest, if all together take more than MOST."""
    found = sorted(files(cache))
    for file in found:
        if file.path.suffix == ".tmp" and time.time() - file.used > ABANDONED:
            file.path.unlink(missing_ok=True)
    total = sum(file.size for file in found)
    if total <= MOST:
        return
    for file in found:
        if total <= LEFT * MOST:
            break
        file.path.unlink(missing_ok=True)
        total -= file.size


def clear(cache: Path) -> None:
    """Delete every kernel, of all versions."""
    for folder in folders(cache):
        shutil.rmtree(folder)
