"""Same as torchvision.datasets.caltech: pictures of 101 and of 256 kinds of things."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._files import loadmat, open_picture
from ._listed import NOT_FOUND_OR_CORRUPTED
from .utils import download_and_extract_archive, extract_archive, verify_str_arg
from .vision import VisionDataset

# where the folder of a category's outlines has another name
_ANNOTATIONS = {
    "Faces": "Faces_2",
    "Faces_easy": "Faces_3",
    "Motorbikes": "Motorbikes_16",
    "airplanes": "Airplanes_Side_2",
}


class _Caltech(VisionDataset):
    """Folders of numbered pictures; `index` has each picture's number within its category, `y` its category."""

    _FOLDER: str

    categories: list[str]

    def _check_integrity(self) -> bool:
        return os.path.exists(os.path.join(self.root, self._FOLDER))

    def _number(self, is_counted: Callable[[str], bool]) -> None:
        self.index: list[int] = []
        self.y: list[int] = []
        for i, category in enumerate(self.categories):
            count = sum(map(is_counted, os.listdir(os.path.join(self.root, self._FOLDER, category))))
            self.index += range(1, count + 1)
            self.y += [i] * count

    def _picture(self, index: int, name: str) -> Any:
        return open_picture(os.path.join(self.root, self._FOLDER, self.categories[self.y[index]], name))

    def __len__(self) -> int:
        return len(self.index)


class Caltech101(_Caltech):
    """Same as torchvision.datasets.Caltech101, from `root/caltech101`.

    `target_type` is "category", "annotation" (an outline by hand, which needs SciPy), or a list of these, for a tuple.
    """

    _FOLDER = "101_ObjectCategories"

    def __init__(
        self,
        root: str | Path,
        target_type: list[str] | str = "category",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(os.path.join(root, "caltech101"), transform=transform, target_transform=target_transform)
        os.makedirs(self.root, exist_ok=True)
        kinds = [target_type] if isinstance(target_type, str) else target_type
        self.target_type = [verify_str_arg(kind, "target_type", ("category", "annotation")) for kind in kinds]
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError(NOT_FOUND_OR_CORRUPTED)
        self.categories = sorted(os.listdir(os.path.join(self.root, self._FOLDER)))
        self.categories.remove("BACKGROUND_Google")  # pictures of anything
        self.annotation_categories = [_ANNOTATIONS.get(name, name) for name in self.categories]
        self._number(lambda name: True)

    def _target(self, kind: str, index: int) -> Any:
        if kind == "category":
            return self.y[index]
        folder = os.path.join(self.root, "Annotations", self.annotation_categories[self.y[index]])
        return loadmat(os.path.join(folder, f"annotation_{self.index[index]:04d}.mat"), "outlines")["obj_contour"]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        targets = tuple(self._target(kind, index) for kind in self.target_type)
        picture = self._picture(index, f"image_{self.index[index]:04d}.jpg")
        return self._transformed(picture, targets if len(targets) > 1 else targets[0])

    def download(self) -> None:
        """Downloads and unpacks the archive of archives, if the pictures are not there."""
        if self._check_integrity():
            return
        download_and_extract_archive(
            "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
            download_root=self.root,
            filename="caltech-101.zip",
            md5="3138e1922a9193bfa496528edbbc45d0",
        )
        folder = os.path.join(self.root, "caltech-101")
        for name in os.listdir(folder):
            if name.endswith(".gz"):
                extract_archive(os.path.join(folder, name), self.root)
        shutil.rmtree(folder)
        os.remove(os.path.join(self.root, "caltech-101.zip"))

    def extra_repr(self) -> str:
        return f"Target type: {self.target_type}"


class Caltech256(_Caltech):
    """Same as torchvision.datasets.Caltech256, from `root/caltech256`."""

    _FOLDER = "256_ObjectCategories"

    def __init__(
        self,
        root: str | Path,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(os.path.join(root, "caltech256"), transform=transform, target_transform=target_transform)
        os.makedirs(self.root, exist_ok=True)
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError(NOT_FOUND_OR_CORRUPTED)
        self.categories = sorted(os.listdir(os.path.join(self.root, self._FOLDER)))
        self._number(lambda name: name.endswith(".jpg"))

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        category = self.y[index]
        return self._transformed(self._picture(index, f"{category + 1:03d}_{self.index[index]:04d}.jpg"), category)

    def download(self) -> None:
        """Downloads and unpacks the archive, if the pictures are not there."""
        if self._check_integrity():
            return
        download_and_extract_archive(
            "https://data.caltech.edu/records/nyy15-4j048/files/256_ObjectCategories.tar",
            self.root,
            filename="256_ObjectCategories.tar",
            md5="67b4f42ca05d46448c6bb8ecd2220f6d",
        )
