"""Same as torchvision.datasets.semeion: digits in black and white."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minitorch.vision._pillow import image_from_array

from ._files import named
from ._listed import NOT_FOUND_OR_CORRUPTED
from .utils import check_integrity, download_url
from .vision import VisionDataset


class SEMEION(VisionDataset):
    """Same as torchvision.datasets.SEMEION: 16x16 digits of black and white, from `root/semeion.data`."""

    url = "http://archive.ics.uci.edu/ml/machine-learning-databases/semeion/semeion.data"
    filename = "semeion.data"
    md5_checksum = "cb545d371d2ce14ec121470795a77432"

    def __init__(
        self,
        root: str | Path,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = True,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError(NOT_FOUND_OR_CORRUPTED)
        path = os.path.join(self.root, self.filename)
        with named(path):
            data = np.loadtxt(path)
            self.data = (data[:, :256] * 255).astype(np.uint8).reshape(-1, 16, 16)
            self.labels = np.nonzero(data[:, 256:])[1]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._transformed(image_from_array(self.data[index]), int(self.labels[index]))

    def __len__(self) -> int:
        return len(self.data)

    def _check_integrity(self) -> bool:
        return check_integrity(os.path.join(self.root, self.filename), self.md5_checksum)

    def download(self) -> None:
        """Downloads the file, if it is not there."""
        if not self._check_integrity():
            download_url(self.url, self.root, self.filename, self.md5_checksum)
