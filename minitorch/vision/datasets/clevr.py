"""Same as torchvision.datasets.clevr: pictures of a few solids, to be counted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from ._files import named
from ._listed import NOT_FOUND_OR_CORRUPTED, ListedPictures
from .folder import default_loader
from .utils import download_and_extract_archive, verify_str_arg


class CLEVRClassification(ListedPictures):
    """Same as torchvision.datasets.CLEVRClassification, from `root/clevr`: `split` is "train", "val" or "test".

    Targets are numbers of solids; None in "test".
    """

    _URL = "https://dl.fbaipublicfiles.com/clevr/CLEVR_v1.0.zip"
    _MD5 = "b11922020e72d0cd9154779b2d3d07d2"

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
        loader: Callable[[str | Path], Any] = default_loader,
    ) -> None:
        self._split = verify_str_arg(split, "split", ("train", "val", "test"))
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        self._base_folder = Path(self.root) / "clevr"
        self._data_folder = self._base_folder / Path(urlparse(self._URL).path).stem
        if download:
            self._download()
        if not self._check_exists():
            raise RuntimeError(NOT_FOUND_OR_CORRUPTED)
        self._image_files = sorted((self._data_folder / "images" / split).glob("*"))
        self._labels = [None] * len(self._image_files)
        if split != "test":
            path = self._data_folder / "scenes" / f"CLEVR_{split}_scenes.json"
            with named(path):
                scenes = json.loads(path.read_text())["scenes"]
            counts = {scene["image_filename"]: len(scene["objects"]) for scene in scenes}
            self._labels = [counts[file.name] for file in self._image_files]

    def _check_exists(self) -> bool:
        return self._data_folder.is_dir()

    def _download(self) -> None:
        if not self._check_exists():
            download_and_extract_archive(self._URL, str(self._base_folder), md5=self._MD5)
