"""Same as torchvision.datasets.food101: a thousand pictures each of a hundred and one dishes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._listed import NOT_FOUND, ListedPictures
from .folder import default_loader
from .utils import download_and_extract_archive, verify_str_arg


class Food101(ListedPictures):
    """Same as torchvision.datasets.Food101, from `root/food-101`: `split` is "train" or "test"."""

    _URL = "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz"
    _MD5 = "85eeb15f3717b99a5da872d97d918f87"

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
        loader: Callable[[str | Path], Any] = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", ("train", "test"))
        self._base_folder = Path(self.root) / "food-101"
        self._meta_folder = self._base_folder / "meta"
        self._images_folder = self._base_folder / "images"
        if download:
            self._download()
        if not self._check_exists():
            raise RuntimeError(NOT_FOUND)
        listed = json.loads((self._meta_folder / f"{split}.json").read_text())
        self.classes = sorted(listed)
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self._labels = [self.class_to_idx[name] for name, paths in listed.items() for _ in paths]
        self._image_files = [
            self._images_folder.joinpath(*f"{path}.jpg".split("/")) for paths in listed.values() for path in paths
        ]
        self.loader = loader

    def _check_exists(self) -> bool:
        return self._meta_folder.is_dir() and self._images_folder.is_dir()

    def _download(self) -> None:
        if not self._check_exists():
            download_and_extract_archive(self._URL, download_root=self.root, md5=self._MD5)
