"""Same as torchvision.datasets.sun397: places of 397 kinds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._listed import NOT_FOUND, ListedPictures
from .folder import default_loader
from .utils import download_and_extract_archive


class SUN397(ListedPictures):
    """Same as torchvision.datasets.SUN397, from `root/SUN397`."""

    _DATASET_URL = "http://vision.princeton.edu/projects/2010/SUN/SUN397.tar.gz"
    _DATASET_MD5 = "8ca2778205c41d23104230ba66911c7a"

    def __init__(
        self,
        root: str | Path,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
        loader: Callable[[str | Path], Any] = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._data_dir = Path(self.root) / "SUN397"
        if download:
            self._download()
        if not self._check_exists():
            raise RuntimeError(NOT_FOUND)
        # a line is /a/abbey: a folder for the first letter, then the class
        self.classes = [line[3:].strip() for line in (self._data_dir / "ClassName.txt").read_text().splitlines()]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self._image_files = list(self._data_dir.rglob("sun_*.jpg"))
        self._labels = [
            self.class_to_idx["/".join(path.relative_to(self._data_dir).parts[1:-1])] for path in self._image_files
        ]
        self.loader = loader

    def extra_repr(self) -> str:
        return ""

    def _check_exists(self) -> bool:
        return self._data_dir.is_dir()

    def _download(self) -> None:
        if not self._check_exists():
            download_and_extract_archive(self._DATASET_URL, download_root=self.root, md5=self._DATASET_MD5)
