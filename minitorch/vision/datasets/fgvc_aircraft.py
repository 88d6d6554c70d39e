"""Same as torchvision.datasets.fgvc_aircraft: a hundred models of aircraft."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._listed import NOT_FOUND, ListedPictures
from .folder import default_loader
from .utils import download_and_extract_archive, verify_str_arg

_CLASS_FILES = {"variant": "variants.txt", "family": "families.txt", "manufacturer": "manufacturers.txt"}


class FGVCAircraft(ListedPictures):
    """Same as torchvision.datasets.FGVCAircraft, from `root/fgvc-aircraft-2013b`.

    `split` is "train", "val", "trainval" or "test", `annotation_level` "variant", "family" or "manufacturer".
    """

    _URL = "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz"

    def __init__(
        self,
        root: str | Path,
        split: str = "trainval",
        annotation_level: str = "variant",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
        loader: Callable[[str], Any] = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", ("train", "val", "trainval", "test"))
        self._annotation_level = verify_str_arg(annotation_level, "annotation_level", tuple(_CLASS_FILES))
        self._data_path = os.path.join(self.root, "fgvc-aircraft-2013b")
        if download:
            self._download()
        if not self._check_exists():
            raise RuntimeError(NOT_FOUND)
        data = Path(self._data_path, "data")
        self.classes = [line.strip() for line in (data / _CLASS_FILES[annotation_level]).read_text().splitlines()]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        lines = (data / f"images_{annotation_level}_{split}.txt").read_text().splitlines()
        listed = [line.strip().split(" ", 1) for line in lines]
        self._image_files = [str(data / "images" / f"{name}.jpg") for name, _ in listed]
        self._labels = [self.class_to_idx[label] for _, label in listed]
        self.loader = loader

    def extra_repr(self) -> str:
        return ""

    def _check_exists(self) -> bool:
        return os.path.isdir(self._data_path)

    def _download(self) -> None:
        if not self._check_exists():
            download_and_extract_archive(self._URL, self.root)
