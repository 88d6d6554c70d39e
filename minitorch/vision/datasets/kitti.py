"""Same as torchvision.datasets.kitti: streets seen from a car, with boxes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._files import named, open_picture
from .utils import download_and_extract_archive
from .vision import VisionDataset


class Kitti(VisionDataset):
    """Same as torchvision.datasets.Kitti, from `root/Kitti/raw`.

    A picture's target is the list of what is in it, as dictionaries; None where it is not for training.
    """

    data_url = "https://s3.eu-central-1.amazonaws.com/avg-kitti/"
    resources = ["data_object_image_2.zip", "data_object_label_2.zip"]
    image_dir_name = "image_2"
    labels_dir_name = "label_2"

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.train = train
        self._location = "training" if train else "testing"
        if download:
            self.download()
        if not self._check_exists():
            raise RuntimeError("Dataset not found. You may use download=True to download it.")
        names = os.listdir(self._folder(self.image_dir_name))
        self.images = [os.path.join(self._folder(self.image_dir_name), name) for name in names]
        labels = self._folder(self.labels_dir_name)
        self.targets = [os.path.join(labels, f"{name.split('.')[0]}.txt") for name in names] if train else []

    @property
    def _raw_folder(self) -> str:
        return os.path.join(self.root, type(self).__name__, "raw")

    def _folder(self, name: str) -> str:
        return os.path.join(self._raw_folder, self._location, name)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        picture = open_picture(self.images[index])
        target = self._parse_target(index) if self.train else None
        return (picture, target) if self.transforms is None else self.transforms(picture, target)

    def _parse_target(self, index: int) -> list[dict[str, Any]]:
        path = self.targets[index]
        with named(path), open(path) as file:
            return [_object(line.split()) for line in file]

    def __len__(self) -> int:
        return len(self.images)

    def _check_exists(self) -> bool:
        folders = [self.image_dir_name, *([self.labels_dir_name] if self.train else [])]
        return all(os.path.isdir(self._folder(name)) for name in folders)

    def download(self) -> None:
        """Downloads and unpacks pictures and labels, if they are not there."""
        if self._check_exists():
            return
        os.makedirs(self._raw_folder, exist_ok=True)
        for name in self.resources:
            download_and_extract_archive(f"{self.data_url}{name}", download_root=self._raw_folder, filename=name)


def _object(values: list[str]) -> dict[str, Any]:
    numbers = [float(value) for value in values[3:]]
    return {
        "type": values[0],
        "truncated": float(values[1]),
        "occluded": int(values[2]),
        "alpha": numbers[0],
        "bbox": numbers[1:5],
        "dimensions": numbers[5:8],
        "location": numbers[8:11],
        "rotation_y": numbers[11],
    }
