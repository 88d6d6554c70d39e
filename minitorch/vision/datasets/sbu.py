"""Same as torchvision.datasets.sbu: photographs with captions."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._listed import NOT_FOUND_OR_CORRUPTED
from .folder import default_loader
from .utils import check_integrity, download_and_extract_archive, download_url
from .vision import VisionDataset


class SBU(VisionDataset):
    """Same as torchvision.datasets.SBU: those of the listed photographs that are in `root/dataset`, with captions."""

    url = "https://www.cs.rice.edu/~vo9/sbucaptions/SBUCaptionedPhotoDataset.tar.gz"
    filename = "SBUCaptionedPhotoDataset.tar.gz"
    md5_checksum = "9aec147b3488753cf758b4d493422285"

    def __init__(
        self,
        root: str | Path,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = True,
        loader: Callable[[str], Any] = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError(NOT_FOUND_OR_CORRUPTED)
        self.photos, self.captions = [], []
        for url, caption in zip(self._lines("urls"), self._lines("captions")):
            photo = os.path.basename(url)
            if os.path.exists(self._path(photo)):
                self.photos.append(photo)
                self.captions.append(caption)

    def _path(self, name: str) -> str:
        return os.path.join(self.root, "dataset", name)

    def _lines(self, kind: str) -> list[str]:
        with open(self._path(f"SBU_captioned_photo_dataset_{kind}.txt")) as file:
            return [line.rstrip() for line in file]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._transformed(self.loader(self._path(self.photos[index])), self.captions[index])

    def __len__(self) -> int:
        return len(self.photos)

    def _check_integrity(self) -> bool:
        return check_integrity(os.path.join(self.root, self.filename), self.md5_checksum)

    def download(self) -> None:
        """Downloads the lists and then every photograph that is still where they say."""
        if self._check_integrity():
            return
        download_and_extract_archive(self.url, self.root, self.root, self.filename, self.md5_checksum)
        for url in self._lines("urls"):
            try:
                download_url(url, os.path.join(self.root, "dataset"))
            except OSError:
                continue  # photographs are taken from the web every day
