"""Same as torchvision.datasets.svhn: house numbers seen from the street."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minitorch.vision._pillow import image_from_array

from ._files import loadmat
from .utils import check_integrity, download_url, verify_str_arg
from .vision import VisionDataset

_URL = "http://ufldl.stanford.edu/housenumbers/"


class SVHN(VisionDataset):
    """Same as torchvision.datasets.SVHN: 32x32 colour pictures of digits, from `root/train_32x32.mat`. Needs SciPy.

    `split` is "train", "test" or "extra"; `data` a uint8 array (N, 3, 32, 32), `labels` an int64 array, 0 for the
    digit 0, which the files call 10.
    """

    split_list = {
        "train": [f"{_URL}train_32x32.mat", "train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"],
        "test": [f"{_URL}test_32x32.mat", "test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"],
        "extra": [f"{_URL}extra_32x32.mat", "extra_32x32.mat", "a93ce644f1a588dc4d68dda5feec44a7"],
    }

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", tuple(self.split_list))
        self.url, self.filename, self.file_md5 = self.split_list[split]
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError("Dataset not found or corrupted. You can use download=True to download it")
        loaded = loadmat(os.path.join(self.root, self.filename), "SVHN's files")
        self.data = loaded["X"].transpose(3, 2, 0, 1)
        self.labels = loaded["y"].astype(np.int64).squeeze()
        self.labels[self.labels == 10] = 0

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._transformed(image_from_array(self.data[index].transpose(1, 2, 0)), int(self.labels[index]))

    def __len__(self) -> int:
        return len(self.data)

    def _check_integrity(self) -> bool:
        return check_integrity(os.path.join(self.root, self.filename), self.split_list[self.split][2])

    def download(self) -> None:
        """Downloads the split's file, if it is not there."""
        download_url(self.url, self.root, self.filename, self.split_list[self.split][2])

    def extra_repr(self) -> str:
        return f"Split: {self.split}"
