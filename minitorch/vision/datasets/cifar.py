"""Same as torchvision.datasets.cifar: small colour pictures of ten or a hundred classes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minitorch.vision._pillow import image_from_array

from .utils import check_integrity, download_and_extract_archive
from .vision import VisionDataset


def _entry(batch: dict[Any, Any], path: str, *names: str) -> Any:
    """What a batch holds under the first of these names that it has."""
    for name in names:
        if name in batch:
            return batch[name]
    raise RuntimeError(f"{path} has no {' or '.join(map(repr, names))}, only {sorted(map(str, batch))}")


def _load(path: str) -> dict[Any, Any]:
    from ._batches import load_batch  # which needs all that reads checkpoints

    return load_batch(path)


def _load_pictures(path: str) -> tuple[np.ndarray, list[int]]:
    """A batch's pictures as rows of bytes, and their classes."""
    batch = _load(path)
    pictures, labels = _entry(batch, path, "data"), _entry(batch, path, "labels", "fine_labels")
    if not isinstance(pictures, np.ndarray) or pictures.size != 3 * 32 * 32 * len(labels):
        shape = getattr(pictures, "shape", type(pictures).__name__)
        raise RuntimeError(
            f"{path} has {len(labels)} labels, but data of shape {shape} instead of {(len(labels), 3072)}"
        )
    return pictures, labels


class CIFAR10(VisionDataset):
    """Same as torchvision.datasets.CIFAR10: 32x32 colour pictures, from `root/cifar-10-batches-py`.

    `data` is a uint8 array (N, 32, 32, 3), `targets` a list. RuntimeError if a file is missing or has another checksum.
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list = [
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
        ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
        ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta = {
        "filename": "batches.meta",
        "key": "label_names",
        "md5": "5ff9c542aee3614f3951f8cda6e48888",
    }

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError("Dataset not found or corrupted. You can use download=True to download it")
        folder = os.path.join(self.root, self.base_folder)
        batches = [
            _load_pictures(os.path.join(folder, name)) for name, _ in (self.train_list if train else self.test_list)
        ]
        self.data: Any = np.vstack([pictures for pictures, _ in batches]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        self.targets = [label for _, labels in batches for label in labels]
        self._load_meta()

    def _load_meta(self) -> None:
        path = os.path.join(self.root, self.base_folder, self.meta["filename"])
        if not check_integrity(path, self.meta["md5"]):
            raise RuntimeError("Dataset metadata file not found or corrupted. You can use download=True to download it")
        self.classes = _entry(_load(path), path, self.meta["key"])
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._transformed(image_from_array(self.data[index]), self.targets[index])

    def __len__(self) -> int:
        return len(self.data)

    def _check_integrity(self) -> bool:
        return all(
            check_integrity(os.path.join(self.root, self.base_folder, name), md5)
            for name, md5 in self.train_list + self.test_list
        )

    def download(self) -> None:
        """Downloads and unpacks the archive, if a file is not there."""
        if self._check_integrity():
            return
        download_and_extract_archive(self.url, self.root, filename=self.filename, md5=self.tgz_md5)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"


class CIFAR100(CIFAR10):
    """Same as torchvision.datasets.CIFAR100: 32x32 pictures of a hundred classes, from `root/cifar-100-python`."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta = {
        "filename": "meta",
        "key": "fine_label_names",
        "md5": "7973b15100ade9c7d40fb424638fde48",
    }
