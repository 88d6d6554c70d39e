"""Same as torchvision.datasets.utils: checksums, downloads and archives.

A download goes to a file beside its place, ending in `.part`, which a later attempt continues if a checksum will tell
whether the pieces fit. Archives are unpacked file by file; one that would write outside its folder is refused.
"""

import hashlib
import os
import pathlib
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from typing import IO, Any, TypeVar
from urllib.parse import urlparse

from ._files import named

USER_AGENT = "pytorch/vision"

StrPath = str | os.PathLike[str]


# ---------------------------------------------------------------------- checksums
def calculate_md5(fpath: StrPath, chunk_size: int = 1024 * 1024) -> str:
    """The MD5 checksum of a file, in hexadecimal."""
    md5 = hashlib.md5(usedforsecurity=False)
    with open(fpath, "rb") as file:
        while chunk := file.read(chunk_size):
            md5.update(chunk)
    return md5.hexdigest()


def check_md5(fpath: StrPath, md5: str, **kwargs: Any) -> bool:
    """Whether a file has this checksum."""
    return md5 == calculate_md5(fpath, **kwargs)


def check_integrity(fpath: StrPath, md5: str | None = None) -> bool:
    """Whether there is such a file, with this checksum if one is given."""
    if not os.path.isfile(fpath):
        return False
    return md5 is None or check_md5(fpath, md5)


# ---------------------------------------------------------------------- downloads
class _Percentage:
    """Stands in for tqdm's bar where that is not installed: a line at every tenth of the file."""

    def __init__(self, total: int | None, initial: int):
        self.total, self.done, self.shown = total, initial, 0

    def __enter__(self) -> "_Percentage":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(self, count: int) -> None:
        self.done += count
        tenths = 10 * self.done // self.total if self.total else 0
        if tenths > self.shown:
            self.shown = tenths
            print(f"{10 * tenths}% of {self.total} bytes", file=sys.stderr)


def _progress(total: int | None, initial: int) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return _Percentage(total, initial)
    return tqdm(total=total, initial=initial, unit="B", unit_scale=True)


def _open_url(url: str, start: int, max_redirect_hops: int) -> Any:
    """The response to a request for a file from byte `start` on, and from the place where redirections end."""
    import urllib.request

    initial_url, headers = url, {"User-Agent": USER_AGENT}
    if start:
        headers["Range"] = f"bytes={start}-"
    for _ in range(max_redirect_hops + 1):
        # by the module's function, so that an opener that the program installed is used
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers))
        if response.url in (url, None) or _get_google_drive_file_id(response.url):
            return response
        response.close()
        url = response.url
    raise RecursionError(
        f"Request to {initial_url} exceeded {max_redirect_hops} redirects. The last redirect points to {url}."
    )


def _get_google_drive_file_id(url: str) -> str | None:
    parts = urlparse(url)
    match = re.match(r"/file/d/(?P<id>[^/]*)", parts.path)
    if match is None or re.match(r"(drive|docs)[.]google[.]com", parts.netloc) is None:
        return None
    return match.group("id")


def _retrieve(url: str, fpath: str, md5: str | None, max_redirect_hops: int) -> str | None:
    """Downloads to `fpath` by way of `fpath`.part; returns a Google Drive id instead, if the way leads there."""
    part = fpath + ".part"
    start = os.path.getsize(part) if md5 is not None and os.path.isfile(part) else 0
    with _open_url(url, start, max_redirect_hops) as response:
        if drive := _get_google_drive_file_id(response.url or url):
            return drive
        if getattr(response, "status", None) != 206:  # the server sends the file from its beginning
            start = 0
        rest = getattr(response, "length", None)
        size = None if rest is None else start + rest
        with open(part, "ab" if start else "wb") as file, _progress(size, start) as bar:
            while chunk := response.read(32 * 1024):
                file.write(chunk)
                bar.update(len(chunk))
    done = os.path.getsize(part)
    if size is not None and done < size:
        raise OSError(f"the connection ended after {done} of {size} bytes")
    os.replace(part, fpath)
    return None


def _start_anew(url: str, fpath: str, md5: str | None, max_redirect_hops: int) -> str | None:
    """`_retrieve`, once more from the beginning where a server refuses to continue (status 416)."""
    import urllib.error

    try:
        return _retrieve(url, fpath, md5, max_redirect_hops)
    except urllib.error.HTTPError as e:
        if e.code != 416:
            raise
        e.close()
        os.remove(fpath + ".part")
        return _retrieve(url, fpath, md5, max_redirect_hops)


def _remedy(fpath: str, md5: str | None) -> str:
    checksum = "" if md5 is None else f" (md5 {md5})"
    return f"Where there is no network, place the file{checksum} at {fpath}: it is then taken from there."


def download_url(
    url: str,
    root: StrPath,
    filename: StrPath | None = None,
    md5: str | None = None,
    max_redirect_hops: int = 3,
) -> None:
    """Downloads a file into the folder `root`, unless it is there with the right checksum.

    RuntimeError if the checksum is not `md5`; URLError, which says where to place the file, if it cannot be had.
    """
    import urllib.error

    root = os.path.expanduser(root)
    filename = filename or os.path.basename(url)
    fpath = os.fspath(os.path.join(root, filename))
    os.makedirs(root, exist_ok=True)
    if check_integrity(fpath, md5):
        return
    try:
        try:
            drive = _start_anew(url, fpath, md5, max_redirect_hops)
        except OSError:
            # without a checksum nothing vouches for what comes by plain http
            if md5 is None or not url.startswith("https:"):
                raise
            drive = _start_anew(url.replace("https:", "http:", 1), fpath, md5, max_redirect_hops)
    except OSError as e:
        remedy = f"{url} was not downloaded. {_remedy(fpath, md5)}"
        if isinstance(e, urllib.error.HTTPError):
            e.close()
            e.msg = f"{e.msg}\n{remedy}"
            raise
        reason = e.reason if isinstance(e, urllib.error.URLError) else e
        raise urllib.error.URLError(f"{reason}\n{remedy}") from e
    if drive is not None:
        download_file_from_google_drive(drive, root, filename, md5)
        return
    _require_integrity(fpath, md5)


def _require_integrity(fpath: str, md5: str | None) -> None:
    if not check_integrity(fpath, md5):
        raise RuntimeError(f"File not found or corrupted.\n{fpath} does not have the md5 checksum {md5}")


def download_file_from_google_drive(
    file_id: str, root: StrPath, filename: StrPath | None = None, md5: str | None = None
) -> None:
    """Downloads a file of Google Drive into the folder `root`, by the package gdown."""
    root = os.path.expanduser(root)
    fpath = os.fspath(os.path.join(root, filename or file_id))
    try:
        import gdown
    except ModuleNotFoundError as e:
        raise RuntimeError(
            "To download files from GDrive, 'gdown' is required. You can install it with 'pip install gdown'.\n"
            + _remedy(fpath, md5)
        ) from e
    os.makedirs(root, exist_ok=True)
    if check_integrity(fpath, md5):
        return
    gdown.download(id=file_id, output=fpath, quiet=False, user_agent=USER_AGENT)
    _require_integrity(fpath, md5)


# ---------------------------------------------------------------------- archives
def _place(root: StrPath, name: str, archive: StrPath) -> str:
    """Where a member of an archive goes, which is within `root`."""
    base = os.path.abspath(root)
    path = os.path.normpath(os.path.join(base, name))
    if os.path.isabs(name) or os.path.splitdrive(name)[0] or os.path.commonpath([path, base]) != base:
        raise RuntimeError(f"{archive}: its member {name!r} would be written outside of {base}, so it is not unpacked")
    return path


def _write(source: IO[bytes], path: str) -> None:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with source, open(path, "wb") as target:
        shutil.copyfileobj(source, target, 1024 * 1024)


def _extract_tar(from_path: StrPath, to_path: StrPath, compression: str | None) -> None:
    import tarfile

    mode: Any = f"r:{compression[1:]}" if compression else "r:"
    with tarfile.open(from_path, mode) as tar:
        for member in tar:
            path = _place(to_path, member.name, from_path)
            if member.isdir():
                os.makedirs(path, exist_ok=True)
                continue
            source = tar.extractfile(member) if member.isfile() else None
            if source is None:
                raise RuntimeError(f"{from_path}: its member {member.name!r} is a link or a device, not a file")
            _write(source, path)


def _extract_zip(from_path: StrPath, to_path: StrPath, compression: str | None) -> None:
    import zipfile

    with zipfile.ZipFile(from_path) as archive:
        for member in archive.infolist():
            path = _place(to_path, member.filename, from_path)
            if member.is_dir():
                os.makedirs(path, exist_ok=True)
            else:
                _write(archive.open(member), path)


_ARCHIVE_EXTRACTORS: dict[str, Callable[[StrPath, StrPath, str | None], None]] = {
    ".tar": _extract_tar,
    ".zip": _extract_zip,
}
_COMPRESSED = {".bz2": "bz2", ".gz": "gzip", ".xz": "lzma"}
_FILE_TYPE_ALIASES: dict[str, tuple[str, str]] = {
    ".tbz": (".tar", ".bz2"),
    ".tbz2": (".tar", ".bz2"),
    ".tgz": (".tar", ".gz"),
}


def _detect_file_type(file: StrPath) -> tuple[str, str | None, str | None]:
    """(whole suffix, suffix of the archive, suffix of the compression), the latter two None if there is none."""
    suffixes = pathlib.Path(file).suffixes
    if not suffixes:
        raise RuntimeError(
            f"File '{file}' has no suffixes that could be used to detect the archive type and compression."
        )
    suffix = suffixes[-1]
    if suffix in _FILE_TYPE_ALIASES:
        return (suffix, *_FILE_TYPE_ALIASES[suffix])
    if suffix in _ARCHIVE_EXTRACTORS:
        return suffix, suffix, None
    if suffix in _COMPRESSED:
        if len(suffixes) > 1 and suffixes[-2] in _ARCHIVE_EXTRACTORS:
            return suffixes[-2] + suffix, suffixes[-2], suffix
        return suffix, None, suffix
    known = sorted({*_FILE_TYPE_ALIASES, *_ARCHIVE_EXTRACTORS, *_COMPRESSED})
    raise RuntimeError(f"Unknown compression or archive type: '{suffix}'.\nKnown suffixes are: '{known}'.")


def _opener(compression: str) -> Callable[..., IO[bytes]]:
    import importlib

    return importlib.import_module(_COMPRESSED[compression]).open


def _decompress(from_path: StrPath, to_path: StrPath | None = None, remove_finished: bool = False) -> pathlib.Path:
    """Decompresses a file to `to_path`, without a value to its own name less the suffix."""
    suffix, archive_type, compression = _detect_file_type(from_path)
    if not compression:
        raise RuntimeError(f"Couldn't detect a compression from suffix {suffix}.")
    if to_path is None:
        to_path = os.fspath(from_path).removesuffix(suffix) + (archive_type or "")
    # A file that breaks off must not leave half of itself under the final name, where it would pass for whole.
    part = os.fspath(to_path) + ".part"
    _write(_opener(compression)(from_path, "rb"), part)
    os.replace(part, to_path)
    if remove_finished:
        os.remove(from_path)
    return pathlib.Path(to_path)


def extract_archive(
    from_path: StrPath, to_path: StrPath | None = None, remove_finished: bool = False
) -> str | pathlib.Path:
    """Unpacks .tar, .zip, compressed .tar and single compressed files, by their names; returns where to.

    RuntimeError for a member that would be written outside of `to_path`, and for links and devices.
    """
    if to_path is None:
        to_path = os.path.dirname(from_path)
    suffix, archive_type, compression = _detect_file_type(from_path)
    with named(from_path):
        if archive_type:
            _ARCHIVE_EXTRACTORS[archive_type](from_path, to_path, compression)
            result = pathlib.Path(to_path)
        else:
            result = _decompress(from_path, os.path.join(to_path, os.path.basename(from_path).removesuffix(suffix)))
    if remove_finished:
        os.remove(from_path)
    return os.fspath(result) if isinstance(from_path, str) else result


def download_and_extract_archive(
    url: str,
    download_root: StrPath,
    extract_root: StrPath | None = None,
    filename: StrPath | None = None,
    md5: str | None = None,
    remove_finished: bool = False,
) -> None:
    """`download_url` into `download_root`, then `extract_archive` into `extract_root`, by default the same folder."""
    download_root = os.path.expanduser(download_root)
    filename = filename or os.path.basename(url)
    download_url(url, download_root, filename, md5)
    extract_archive(os.path.join(download_root, filename), extract_root or download_root, remove_finished)


# ---------------------------------------------------------------------- names and arguments
def list_dir(root: StrPath, prefix: bool = False) -> list[str]:
    """The folders in a folder; with `prefix`, as paths."""
    root = os.path.expanduser(root)
    folders = [name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name))]
    return [os.path.join(root, name) for name in folders] if prefix is True else folders


def list_files(root: StrPath, suffix: str | tuple[str, ...], prefix: bool = False) -> list[str]:
    """The files in a folder that end with `suffix`, or one of several; with `prefix`, as paths."""
    root = os.path.expanduser(root)
    files = [name for name in os.listdir(root) if os.path.isfile(os.path.join(root, name)) and name.endswith(suffix)]
    return [os.path.join(root, name) for name in files] if prefix is True else files


def iterable_to_str(iterable: Iterable) -> str:
    """The items in quotes, with commas between."""
    return "'" + "', '".join(str(item) for item in iterable) + "'"


T = TypeVar("T", str, bytes)


def verify_str_arg(
    value: T, arg: str | None = None, valid_values: Iterable[T] | None = None, custom_msg: str | None = None
) -> T:
    """`value`, if it is a string and among `valid_values`; else ValueError."""
    if not isinstance(value, str):
        place = "" if arg is None else f" for argument {arg}"
        raise ValueError(f"Expected type str{place}, but got type {type(value)}.")
    if valid_values is not None and value not in valid_values:
        raise ValueError(
            custom_msg
            or f"Unknown value '{value}' for argument {arg}. Valid values are {{{iterable_to_str(valid_values)}}}."
        )
    return value
