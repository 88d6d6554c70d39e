"""Same as torchvision.datasets.eurosat: land seen by satellites."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._listed import NOT_FOUND
from .folder import ImageFolder, default_loader
from .utils import download_and_extract_archive

_URL = "https://huggingface.co/datasets/torchgeo/eurosat/resolve/c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip"


class EuroSAT(ImageFolder):
    """Same as torchvision.datasets.EuroSAT: RGB pictures from `root/eurosat/2750`."""

    def __init__(
        self,
        root: str | Path,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
        loader: Callable[[str], Any] = default_loader,
    ) -> None:
        root = os.path.expanduser(root)
        self._base_folder = os.path.join(root, "eurosat")
        self._data_folder = os.path.join(self._base_folder, "2750")
        if download:
            self.download()
        if not self._check_exists():
            raise RuntimeError(NOT_FOUND)
        super().__init__(self._data_folder, transform=transform, target_transform=target_transform, loader=loader)
        self.root = root

    def _check_exists(self) -> bool:
        return os.path.exists(self._data_folder)

    def download(self) -> None:
        """Downloads and unpacks the archive, if the folder is not there."""
        if self._check_exists():
            return
        download_and_extract_archive(_URL, download_root=self._base_folder, md5="c8fa014336c82ac7804f0398fcb19387")
