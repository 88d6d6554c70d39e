"""Same as torchvision.datasets.gtsrb: German traffic signs."""

import csv
from collections.abc import Callable
from pathlib import Path

from ._listed import NOT_FOUND, SampledPictures
from .folder import default_loader, make_dataset
from .utils import download_and_extract_archive, verify_str_arg

_URL = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
_ARCHIVES = {
    "train": [("GTSRB-Training_fixed.zip", "513f3c79a4c5141765e10e952eaa2478")],
    "test": [
        ("GTSRB_Final_Test_Images.zip", "c7e4e6327067d32654124b0fe9e82185"),
        ("GTSRB_Final_Test_GT.zip", "fe31e9c9270bbcd7b84b7f21a9d9d9e5"),
    ],
}


class GTSRB(SampledPictures):
    """Same as torchvision.datasets.GTSRB, from `root/gtsrb`: `split` is "train" or "test"."""

    loader = staticmethod(default_loader)

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", ("train", "test"))
        self._base_folder = Path(root) / "gtsrb"
        self._target_folder = self._base_folder / "GTSRB" / ("Training" if split == "train" else "Final_Test/Images")
        if download:
            self.download()
        if not self._check_exists():
            raise RuntimeError(NOT_FOUND)
        if split == "train":
            self._samples = make_dataset(str(self._target_folder), extensions=(".ppm",))
        else:
            with open(self._base_folder / "GT-final_test.csv") as file:
                rows = list(csv.DictReader(file, delimiter=";", skipinitialspace=True))
            self._samples = [(str(self._target_folder / row["Filename"]), int(row["ClassId"])) for row in rows]

    def _check_exists(self) -> bool:
        return self._target_folder.is_dir()

    def download(self) -> None:
        """Downloads and unpacks the split, if it is not there."""
        if self._check_exists():
            return
        for name, md5 in _ARCHIVES[self._split]:
            download_and_extract_archive(_URL + name, download_root=str(self._base_folder), md5=md5)
