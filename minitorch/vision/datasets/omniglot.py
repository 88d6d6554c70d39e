"""Same as torchvision.datasets.omniglot: characters of fifty alphabets, each drawn by twenty people."""

from collections.abc import Callable
from os.path import join
from pathlib import Path
from typing import Any

from ._files import open_picture
from ._listed import NOT_FOUND_OR_CORRUPTED
from .utils import check_integrity, download_and_extract_archive, list_dir, list_files
from .vision import VisionDataset


class Omniglot(VisionDataset):
    """Same as torchvision.datasets.Omniglot, from `root/omniglot-py`: the "background" or the "evaluation" alphabets.

    The zip file is checked, so it has to be there beside the folder.
    """

    folder = "omniglot-py"
    download_url_prefix = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
    zips_md5 = {
        "images_background": "68d2efa1b9178cc56df9314c21c6e718",
        "images_evaluation": "6b91aef0f799c5bb55b94e3f2daec811",
    }

    def __init__(
        self,
        root: str | Path,
        background: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
        loader: Callable[[str | Path], Any] | None = None,
    ) -> None:
        super().__init__(join(root, self.folder), transform=transform, target_transform=target_transform)
        self.background = background
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError(NOT_FOUND_OR_CORRUPTED)
        self.target_folder = join(self.root, self._get_target_folder())
        self._alphabets = list_dir(self.target_folder)
        self._characters = [join(a, c) for a in self._alphabets for c in list_dir(join(self.target_folder, a))]
        self._character_images = [
            [(name, i) for name in list_files(join(self.target_folder, character), ".png")]
            for i, character in enumerate(self._characters)
        ]
        self._flat_character_images = [image for images in self._character_images for image in images]
        self.loader = loader

    def __len__(self) -> int:
        return len(self._flat_character_images)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        name, character = self._flat_character_images[index]
        path = join(self.target_folder, self._characters[character], name)
        return self._transformed(open_picture(path, "L") if self.loader is None else self.loader(path), character)

    def _get_target_folder(self) -> str:
        return "images_background" if self.background else "images_evaluation"

    def _check_integrity(self) -> bool:
        name = self._get_target_folder()
        return check_integrity(join(self.root, f"{name}.zip"), self.zips_md5[name])

    def download(self) -> None:
        """Downloads and unpacks the set's archive, if it is not there."""
        if self._check_integrity():
            return
        name = self._get_target_folder()
        url = f"{self.download_url_prefix}/{name}.zip"
        download_and_extract_archive(url, self.root, filename=f"{name}.zip", md5=self.zips_md5[name])
