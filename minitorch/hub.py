"""Downloads kept under `TORCH_HOME/hub`, and models from repositories that hold a `hubconf.py`."""

import builtins
import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import sys
import uuid
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import ContentTooShortError, HTTPError, URLError
from urllib.parse import urlparse
from urllib.request import Request, urlopen

from .serialization import load as _load_file

__all__ = ["download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url", "set_dir"]

HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # bfd8deac in resnet18-bfd8deac.pth
MODULE_HUBCONF = "hubconf.py"
READ_DATA_CHUNK = 128 * 1024

_GITHUB, _GITHUB_API = "https://github.com", "https://api.github.com"
_TRUSTED_REPO_OWNERS = ("facebookresearch", "facebookincubator", "pytorch", "fairinternal")
_hub_dir: str | None = None


class _Progress:
    """What this module uses of tqdm: the share of a download that has arrived, on stderr."""

    def __init__(self, total: int | None = None, initial: int = 0, disable: bool = False, **options: Any) -> None:
        self.total, self.n, self.disable = total, initial, disable

    def update(self, n: int = 1) -> None:
        self.n += n
        if not self.disable:
            sys.stderr.write(f"\r{100 * self.n / self.total:.1f}%" if self.total else f"\r{self.n} bytes")
            sys.stderr.flush()

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        if not self.disable:
            sys.stderr.write("\n")


try:
    from tqdm import tqdm
except ImportError:
    tqdm = _Progress


# ---------------------------------------------------------------- where things lie
def _get_torch_home() -> str:
    cache = os.getenv("XDG_CACHE_HOME", "~/.cache")
    return os.path.expanduser(os.getenv("TORCH_HOME", os.path.join(cache, "torch")))


def get_dir() -> str:
    """The folder for downloads: what `set_dir` named, else `$TORCH_HOME/hub`, else `~/.cache/torch/hub`."""
    if os.getenv("TORCH_HUB"):
        warnings.warn("TORCH_HUB is deprecated, please use env TORCH_HOME instead", stacklevel=2)
    return os.path.join(_get_torch_home(), "hub") if _hub_dir is None else _hub_dir


def set_dir(d: str | os.PathLike) -> None:
    """Use `d` as the folder for downloads from now on."""
    global _hub_dir
    _hub_dir = os.path.expanduser(os.fspath(d))


# ---------------------------------------------------------------- downloads
def download_url_to_file(url: str, dst: str, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Fetch `url` into the file `dst`, which appears complete or not at all.

    With `hash_prefix`, the first digits of the file's SHA-256, a wrong file is refused with RuntimeError, and what
    arrived before a connection was cut is kept beside `dst` as `.partial`: the next call continues it.
    """
    dst = os.path.expanduser(dst)
    arriving, kept = f"{dst}.{uuid.uuid4().hex}.partial", f"{dst}.partial"
    resumable = hash_prefix is not None  # else nothing would tell that the file has changed between two calls
    if resumable:
        with contextlib.suppress(FileNotFoundError):
            os.replace(kept, arriving)  # to rename is to claim: no other process can continue the same file
    try:
        _receive(url, arriving, dst, progress)
        if hash_prefix is not None:
            digest = _sha256(arriving)
            if not digest.startswith(hash_prefix):
                resumable = False
                raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{digest}")')
        os.replace(arriving, dst)
    finally:
        if os.path.exists(arriving):
            if resumable and os.path.getsize(arriving):
                os.replace(arriving, kept)
            else:
                os.remove(arriving)


def _receive(url: str, path: str, dst: str, progress: bool) -> None:
    """Append to the file at `path` what it lacks of the object at `url`; begin anew where a server cannot continue."""
    done = os.path.getsize(path) if os.path.exists(path) else 0
    try:
        response = _open(url, done, dst)
    except HTTPError as error:
        if not (done and error.code == 416):  # nothing lies beyond `done`: the file there is another one by now
            raise
        done, response = 0, _open(url, 0, dst)
    with response, open(path, "ab") as file:
        if not (response.headers.get("Content-Range") or "").startswith(f"bytes {done}-"):
            file.truncate(done := 0)
        length = response.headers.get("Content-Length")
        total = None if length is None else done + int(length)
        bar = dict(total=total, initial=done, disable=not progress, unit="B", unit_scale=True, unit_divisor=1024)
        with tqdm(**bar) as shown:
            while chunk := response.read(READ_DATA_CHUNK):
                file.write(chunk)
                shown.update(len(chunk))
        received = file.tell()
    if total is not None and received < total:
        message = f"the connection was cut after {received} of {total} bytes of {url}"
        raise ContentTooShortError(message, None)  # type: ignore[arg-type]


def _open(url: str, start: int, dst: str) -> Any:
    headers = {"User-Agent": "minitorch.hub"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        return urlopen(Request(url, headers=headers))
    except HTTPError as error:
        error.msg = f"{error.msg}, for {url}"
        raise
    except URLError as error:
        raise URLError(f"{error.reason}. {url} cannot be reached; a copy put at {dst} would be used") from error


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def load_state_dict_from_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> dict[str, Any]:
    """`load` of the file at `url`, which is downloaded into `model_dir` (`get_dir()/checkpoints`) if it is not there.

    `check_hash=True` compares with the digits in names such as `resnet18-f37072fd.pth`.
    """
    if os.getenv("TORCH_MODEL_ZOO"):
        warnings.warn("TORCH_MODEL_ZOO is deprecated, please use env TORCH_HOME instead", stacklevel=2)
    model_dir = os.path.join(get_dir(), "checkpoints") if model_dir is None else model_dir
    os.makedirs(model_dir, exist_ok=True)
    filename = os.path.basename(urlparse(url).path) if file_name is None else file_name
    cached = os.path.join(model_dir, filename)
    if not os.path.exists(cached):
        sys.stdout.write(f'Downloading: "{url}" to {cached}\n')
        digits = HASH_REGEX.search(filename) if check_hash else None
        download_url_to_file(url, cached, digits.group(1) if digits else None, progress=progress)
    if (member := _zipped_alone(cached)) is not None:
        warnings.warn(
            "Falling back to the old format < 1.6. This support will be deprecated in favor of default zipfile format "
            "introduced in 1.6. Please redo torch.save() to save it in the new zipfile format.",
            FutureWarning,
            stacklevel=2,
        )
        with zipfile.ZipFile(cached) as archive:
            _extract(archive, model_dir)
        cached = os.path.join(model_dir, member)
    return _load_file(cached, map_location=map_location, weights_only=weights_only)


def _zipped_alone(path: str) -> str | None:
    """The member of an archive that holds one file only: a file of before version 1.6 that somebody zipped."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    return members[0].filename if len(members) == 1 and not members[0].is_dir() else None


def _extract(archive: zipfile.ZipFile, folder: str) -> None:
    """Unpack, unless a member's name leads out of `folder`."""
    for member in archive.infolist():
        name = member.filename
        if name.startswith(("/", "\\")) or re.match("[A-Za-z]:", name):
            raise ValueError(f"Archive entry has absolute path: {name}")
        if ".." in re.split(r"[/\\]", name):
            raise ValueError(f"Archive entry contains directory traversal: {name}")
    archive.extractall(folder)


# ---------------------------------------------------------------- repositories
def load(
    repo_or_dir: str,
    model: str,
    *args: Any,
    source: str = "github",
    trust_repo: bool | str = "check",
    force_reload: bool = False,
    verbose: bool = True,
    skip_validation: bool = False,
    **kwargs: Any,
) -> Any:
    """What `model(*args, **kwargs)` of a repository's `hubconf.py` returns.

    The repository is a folder (`source="local"`) or `owner/name[:ref]` on GitHub, downloaded once. A repository's code
    is run: unless `trust_repo=True`, or it was trusted before, a question asks for leave.
    """
    source = source.lower()
    if source not in ("github", "local"):
        raise ValueError(f'Unknown source: "{source}". Allowed values: "github" | "local".')
    if source == "github":
        repo_or_dir = _get_cache_or_reload(repo_or_dir, force_reload, trust_repo, verbose, skip_validation)
    return _load_local(repo_or_dir, model, *args, **kwargs)


def list(
    github: str,
    force_reload: bool = False,
    skip_validation: bool = False,
    trust_repo: bool | str = "check",
    verbose: bool = True,
) -> builtins.list[str]:
    """The names that a repository on GitHub offers to `load`."""
    folder = _get_cache_or_reload(github, force_reload, trust_repo, verbose, skip_validation)
    with _hubconf(folder) as module:
        return [name for name in dir(module) if callable(getattr(module, name)) and not name.startswith("_")]


def help(
    github: str,
    model: str,
    force_reload: bool = False,
    skip_validation: bool = False,
    trust_repo: bool | str = "check",
) -> str | None:
    """The docstring of what `load(github, model)` would call."""
    folder = _get_cache_or_reload(github, force_reload, trust_repo, True, skip_validation)
    with _hubconf(folder) as module:
        return _load_entry_from_hubconf(module, model).__doc__


def _load_local(hubconf_dir: str, model: str, *args: Any, **kwargs: Any) -> Any:
    with _hubconf(hubconf_dir) as module:
        return _load_entry_from_hubconf(module, model)(*args, **kwargs)


@contextlib.contextmanager
def _hubconf(folder: str) -> Iterator[Any]:
    """The module `hubconf.py` of a folder, which is on `sys.path` meanwhile for the sake of its other files."""
    sys.path.insert(0, folder)
    try:
        yield _import_module(MODULE_HUBCONF, os.path.join(folder, MODULE_HUBCONF))
    finally:
        sys.path.remove(folder)


def _import_module(name: str, path: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, f"failed to load spec from {path}"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _load_entry_from_hubconf(m: Any, model: str) -> Any:
    if not isinstance(model, str):
        raise ValueError("Invalid input: model should be a string of function name")
    missing = [name for name in getattr(m, "dependencies", None) or () if importlib.util.find_spec(name) is None]
    if missing:
        raise RuntimeError(f"Missing dependencies: {', '.join(missing)}")
    entry = getattr(m, model, None)
    if not callable(entry):
        raise RuntimeError(f"Cannot find callable {model} in hubconf")
    return entry


def _get_cache_or_reload(
    github: str,
    force_reload: bool,
    trust_repo: bool | str,
    verbose: bool = True,
    skip_validation: bool = False,
) -> str:
    """The folder with the repository's files, downloaded unless they are there."""
    hub_dir = get_dir()
    os.makedirs(hub_dir, exist_ok=True)
    owner, name, ref = _parse_repo_info(github)
    branch = ref.replace("/", "_")
    repo_dir = os.path.join(hub_dir, f"{owner}_{name}_{branch}")
    _check_repo_is_trusted(owner, name, f"{owner}_{name}_{branch}", trust_repo)
    if not force_reload and os.path.exists(repo_dir):
        if verbose:
            sys.stderr.write(f"Using cache found in {repo_dir}\n")
        return repo_dir
    archive = os.path.join(hub_dir, f"{branch}.zip")
    try:
        if not skip_validation:
            _validate_not_a_forked_repo(owner, name, ref)
        sys.stdout.write(f'Downloading: "{_git_archive_link(owner, name, ref)}" to {archive}\n')
        _download_archive(owner, name, ref, archive)
    except HTTPError:
        raise
    except URLError as error:
        raise URLError(
            f"{error.reason}. {github} is not in the cache ({hub_dir}) and GitHub cannot be reached; a folder can be "
            "loaded with source='local'"
        ) from error
    with zipfile.ZipFile(archive) as zipped:
        unpacked = os.path.join(hub_dir, zipped.infolist()[0].filename)
        _remove_if_exists(unpacked)
        _extract(zipped, hub_dir)
    _remove_if_exists(archive)
    _remove_if_exists(repo_dir)
    shutil.move(unpacked, repo_dir)
    return repo_dir


def _download_archive(owner: str, name: str, ref: str, archive: str) -> None:
    try:
        download_url_to_file(_git_archive_link(owner, name, ref), archive, progress=False)
    except HTTPError as error:
        if error.code != 300:
            raise
        warnings.warn(
            f"The ref {ref} is ambiguous. Perhaps it is both a tag and a branch in the repo? Torchhub will now assume "
            "that it's a branch. You can disambiguate tags and branches by explicitly passing refs/heads/branch_name "
            "or refs/tags/tag_name as the ref. That might require using skip_validation=True.",
            stacklevel=2,
        )
        download_url_to_file(_git_archive_link(owner, name, f"refs/heads/{ref}"), archive, progress=False)


def _git_archive_link(repo_owner: str, repo_name: str, ref: str) -> str:
    return f"{_GITHUB}/{repo_owner}/{repo_name}/zipball/{ref}"


def _parse_repo_info(github: str) -> tuple[str, str, str]:
    """Owner, name and ref of `owner/name[:ref]`; without a ref it is `main` where that exists, else `master`."""
    repository, _, ref = github.partition(":")
    owner, name = repository.split("/")
    if ref:
        return owner, name, ref
    try:
        with urlopen(f"{_GITHUB}/{owner}/{name}/tree/main/"):
            return owner, name, "main"
    except HTTPError as error:
        if error.code != 404:
            raise
        return owner, name, "master"
    except URLError as error:
        for ref in ("main", "master"):
            if os.path.exists(os.path.join(get_dir(), f"{owner}_{name}_{ref}")):
                return owner, name, ref
        raise RuntimeError(
            "It looks like there is no internet connection and the repo could not be found in the cache "
            f"({get_dir()}). A folder can be loaded with source='local'."
        ) from error


def _validate_not_a_forked_repo(repo_owner: str, repo_name: str, ref: str) -> None:
    """Any fork's commit can be downloaded under the repository's own name: only branches and tags count."""
    headers = {"Accept": "application/vnd.github.v3+json"}
    if token := os.environ.get("GITHUB_TOKEN"):
        headers["Authorization"] = f"token {token}"
    for kind in ("branches", "tags"):
        for page in range(1, sys.maxsize):
            url = f"{_GITHUB_API}/repos/{repo_owner}/{repo_name}/{kind}?per_page=100&page={page}"
            found = _read_json(url, headers)
            if not found:
                break
            if any(entry["name"] == ref or entry["commit"]["sha"].startswith(ref) for entry in found):
                return
    raise ValueError(
        f"Cannot find {ref} in https://github.com/{repo_owner}/{repo_name}. If it's a commit from a forked repo, "
        "please call hub.load() with forked repo directly."
    )


def _read_json(url: str, headers: dict[str, str]) -> Any:
    try:
        with urlopen(Request(url, headers=headers)) as response:
            return json.load(response)
    except HTTPError:
        if headers.pop("Authorization", None) is None:
            raise
        return _read_json(url, headers)  # the token may allow less than nobody's request


def _check_repo_is_trusted(repo_owner: str, repo_name: str, owner_name_branch: str, trust_repo: bool | str) -> None:
    """Ask, unless the owner or the repository is trusted already or `trust_repo` is True; then remember the answer."""
    path = Path(get_dir(), "trusted_list")
    path.touch()
    owner_name = f"{repo_owner}_{repo_name}"
    trusted = (
        owner_name in path.read_text().split()
        or repo_owner in _TRUSTED_REPO_OWNERS
        or os.path.isdir(os.path.join(get_dir(), owner_name_branch))  # downloaded before there was a list
    )
    if trust_repo is False or (trust_repo == "check" and not trusted):
        answer = input(
            f"The repository {owner_name} does not belong to the list of trusted repositories and as such cannot be "
            "downloaded. Do you trust this repository and wish to add it to the trusted list of repositories (y/N)?"
        ).lower()
        if answer in ("n", "no", ""):
            raise Exception("Untrusted repository.")
        if answer not in ("y", "yes"):
            raise ValueError(f"Unrecognized response {answer}.")
        if trusted:
            print("The repository is already trusted.")
    if not trusted:
        with open(path, "a") as file:
            file.write(owner_name + "\n")


def _remove_if_exists(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.remove(path)
