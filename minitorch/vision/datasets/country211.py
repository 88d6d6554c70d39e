"""Same as torchvision.datasets.country211: pictures from 211 countries."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._listed import NOT_FOUND
from .folder import ImageFolder, default_loader
from .utils import download_and_extract_archive, verify_str_arg


class Country211(ImageFolder):
    """Same as torchvision.datasets.Country211, from `root/country211`: `split` is "train", "valid" or "test"."""

    _URL = "https://openaipublic.azureedge.net/clip/data/country211.tgz"
    _MD5 = "84988d7644798601126c29e9877aab6a"

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
        loader: Callable[[str], Any] = default_loader,
    ) -> None:
        self._split = verify_str_arg(split, "split", ("train", "valid", "test"))
        root = Path(root).expanduser()
        self.root = str(root)
        self._base_folder = root / "country211"
        if download:
            self._download()
        if not self._check_exists():
            raise RuntimeError(NOT_FOUND)
        folder = str(self._base_folder / split)
        super().__init__(folder, transform=transform, target_transform=target_transform, loader=loader)
        self.root = str(root)

    def _check_exists(self) -> bool:
        return self._base_folder.is_dir()

    def _download(self) -> None:
        if not self._check_exists():
            download_and_extract_archive(self._URL, download_root=self.root, md5=self._MD5)
