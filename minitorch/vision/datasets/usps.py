"""Same as torchvision.datasets.usps: digits from envelopes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minitorch.vision._pillow import image_from_array

from ._files import named
from .utils import download_url
from .vision import VisionDataset

_URL = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/"


class USPS(VisionDataset):
    """Same as torchvision.datasets.USPS: 16x16 grey digits, from `root/usps.bz2` or `root/usps.t.bz2`.

    A line of the file is the class from 1 to 10, then a number from -1 to 1 for each pixel.
    """

    split_list = {
        "train": [f"{_URL}usps.bz2", "usps.bz2", "ec16c51db3855ca6c91edd34d0e9b197"],
        "test": [f"{_URL}usps.t.bz2", "usps.t.bz2", "8ea070ee2aca1ac39742fdd1ef5ed118"],
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
        import bz2

        url, filename, md5 = self.split_list["train" if train else "test"]
        path = os.path.join(self.root, filename)
        if download and not os.path.exists(path):
            download_url(url, self.root, filename, md5=md5)
        with named(path), bz2.open(path, "rt") as file:
            rows = [line.split() for line in file]
            pixels = np.array([[item.split(":")[-1] for item in row[1:]] for row in rows], dtype=np.float32)
            self.data = ((pixels.reshape(-1, 16, 16) + 1) / 2 * 255).astype(np.uint8)
            self.targets = [int(row[0]) - 1 for row in rows]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._transformed(image_from_array(self.data[index]), int(self.targets[index]))

    def __len__(self) -> int:
        return len(self.data)
