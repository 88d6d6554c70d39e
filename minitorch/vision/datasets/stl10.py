"""Same as torchvision.datasets.stl10: colour pictures of ten classes, most of them without a label."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minitorch.vision._pillow import image_from_array

from .utils import check_integrity, download_and_extract_archive, verify_str_arg
from .vision import VisionDataset


class STL10(VisionDataset):
    """Same as torchvision.datasets.STL10: 96x96 colour pictures, from `root/stl10_binary`.

    `split` is "train", "test", "unlabeled" or "train+unlabeled"; `folds` chooses one of ten sets of 1,000 from "train".
    `data` is a uint8 array (N, 3, 96, 96), `labels` an array, -1 for no label.
    """

    base_folder = "stl10_binary"
    url = "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"
    filename = "stl10_binary.tar.gz"
    tgz_md5 = "91f7769df0f17e558f3565bffb0c7dfb"
    class_names_file = "class_names.txt"
    folds_list_file = "fold_indices.txt"
    train_list = [
        ["train_X.bin", "918c2871b30a85fa023e0c44e0bee87f"],
        ["train_y.bin", "5a34089d4802c674881badbb80307741"],
        ["unlabeled_X.bin", "5242ba1fed5e4be9e1e742405eb56ca4"],
    ]
    test_list = [["test_X.bin", "7f263ba9f9e0b06b93213547f721ac82"], ["test_y.bin", "36f9794fa4beb8a2c72628de14fa638e"]]
    splits = ("train", "train+unlabeled", "unlabeled", "test")

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        folds: int | None = None,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", self.splits)
        self.folds = self._verify_folds(folds)
        if download:
            self.download()
        elif not self._check_integrity():
            raise RuntimeError("Dataset not found or corrupted. You can use download=True to download it")
        parts = []
        if self.split.startswith("train"):
            parts.append(self._fold(*self._load(self.train_list[0][0], self.train_list[1][0])))
        if self.split.endswith("unlabeled"):
            parts.append(self._load(self.train_list[2][0]))
        if self.split == "test":
            parts.append(self._load(self.test_list[0][0], self.test_list[1][0]))
        pictures, labels = zip(*parts)
        self.data, self.labels = pictures[0], labels[0]
        if len(parts) > 1:
            self.data, self.labels = np.concatenate(pictures), np.concatenate(labels)
        class_file = self._path(self.class_names_file)
        if os.path.isfile(class_file):
            with open(class_file) as file:
                self.classes = file.read().splitlines()

    def _verify_folds(self, folds: int | None) -> int | None:
        if folds is None or (isinstance(folds, int) and folds in range(10)):
            return folds
        if isinstance(folds, int):
            raise ValueError(f"Value for argument folds should be in the range [0, 10), but got {folds}.")
        raise ValueError(f"Expected type None or int for argument folds, but got type {type(folds)}.")

    def _path(self, name: str) -> str:
        return os.path.join(self.root, self.base_folder, name)

    def _load(self, pictures_file: str, labels_file: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        path = self._path(pictures_file)
        pictures = np.fromfile(path, np.uint8)
        if pictures.size % (3 * 96 * 96):
            raise RuntimeError(f"{path} is truncated: {pictures.size} bytes are not whole pictures of 3 x 96 x 96")
        # each channel lies in the file column by column
        pictures = pictures.reshape(-1, 3, 96, 96).transpose(0, 1, 3, 2)
        if labels_file is None:
            return pictures, np.full(len(pictures), -1)
        path = self._path(labels_file)
        labels = np.fromfile(path, np.uint8) - np.uint8(1)
        if len(labels) != len(pictures):
            raise RuntimeError(f"{path} has {len(labels)} labels, but there are {len(pictures)} pictures")
        return pictures, labels

    def _fold(self, pictures: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.folds is None:
            return pictures, labels
        with open(self._path(self.folds_list_file)) as file:
            rows = np.array(file.read().splitlines()[self.folds].split(), dtype=np.int64)
        return pictures[rows], labels[rows]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._transformed(image_from_array(self.data[index].transpose(1, 2, 0)), int(self.labels[index]))

    def __len__(self) -> int:
        return len(self.data)

    def _check_integrity(self) -> bool:
        return all(check_integrity(self._path(name), md5) for name, md5 in self.train_list + self.test_list)

    def download(self) -> None:
        """Downloads and unpacks the archive, if a file is not there."""
        if self._check_integrity():
            return
        download_and_extract_archive(self.url, self.root, filename=self.filename, md5=self.tgz_md5)

    def extra_repr(self) -> str:
        return f"Split: {self.split}"
