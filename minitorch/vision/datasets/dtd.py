"""Same as torchvision.datasets.dtd: textures of forty-seven kinds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._listed import NOT_FOUND, ListedPictures
from .folder import default_loader
from .utils import download_and_extract_archive, verify_str_arg


class DTD(ListedPictures):
    """Same as torchvision.datasets.DTD, from `root/dtd`: `split` is "train", "val" or "test" of a `partition` to 10."""

    _URL = "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz"
    _MD5 = "fff73e5086ae6bdbea199a49dfb8a4c1"

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        partition: int = 1,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
        loader: Callable[[str | Path], Any] = default_loader,
    ) -> None:
        self._split = verify_str_arg(split, "split", ("train", "val", "test"))
        if not isinstance(partition, int) or not 1 <= partition <= 10:
            raise ValueError(
                f"Parameter 'partition' should be an integer with `1 <= partition <= 10`, but got {partition} instead"
            )
        self._partition = partition
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._base_folder = Path(self.root) / type(self).__name__.lower()
        self._data_folder = self._base_folder / "dtd"
        self._meta_folder = self._data_folder / "labels"
        self._images_folder = self._data_folder / "images"
        if download:
            self._download()
        if not self._check_exists():
            raise RuntimeError(NOT_FOUND)
        lines = (self._meta_folder / f"{split}{partition}.txt").read_text().splitlines()
        listed = [line.strip().split("/") for line in lines]
        self._image_files = [self._images_folder.joinpath(*parts) for parts in listed]
        self.classes = sorted({name for name, _ in listed})
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self._labels = [self.class_to_idx[name] for name, _ in listed]
        self.loader = loader

    def extra_repr(self) -> str:
        return f"split={self._split}, partition={self._partition}"

    def _check_exists(self) -> bool:
        return self._data_folder.is_dir()

    def _download(self) -> None:
        if not self._check_exists():
            download_and_extract_archive(self._URL, download_root=str(self._base_folder), md5=self._MD5)
