"""Same as torchvision.datasets.rendered_sst2: sentences of film reviews as pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._listed import NOT_FOUND, SampledPictures
from .folder import default_loader, make_dataset
from .utils import download_and_extract_archive, verify_str_arg


class RenderedSST2(SampledPictures):
    """Same as torchvision.datasets.RenderedSST2, from `root/rendered-sst2`: `split` is "train", "val" or "test"."""

    _URL = "https://openaipublic.azureedge.net/clip/data/rendered-sst2.tgz"
    _MD5 = "2384d08e9dcfa4bd55b324e610496ee5"

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
        loader: Callable[[str], Any] = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", ("train", "val", "test"))
        self._base_folder = Path(self.root) / "rendered-sst2"
        self._pictures = self._base_folder / {"val": "valid"}.get(split, split)
        self.classes = ["negative", "positive"]
        self.class_to_idx = {"negative": 0, "positive": 1}
        if download:
            self._download()
        if not self._check_exists():
            raise RuntimeError(NOT_FOUND)
        self._samples = make_dataset(str(self._pictures), extensions=("png",))
        self.loader = loader

    def extra_repr(self) -> str:
        return f"split={self._split}"

    def _check_exists(self) -> bool:
        return all((self._pictures / name).is_dir() for name in self.classes)

    def _download(self) -> None:
        if not self._check_exists():
            download_and_extract_archive(self._URL, download_root=self.root, md5=self._MD5)
