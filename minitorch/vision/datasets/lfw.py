"""Same as torchvision.datasets.lfw: faces of people in the news, one by one or in pairs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._listed import NOT_FOUND_OR_CORRUPTED
from .folder import default_loader
from .utils import check_integrity, verify_str_arg
from .vision import VisionDataset


class _LFW(VisionDataset):
    base_folder = "lfw-py"
    download_url_prefix = "http://vis-www.cs.umass.edu/lfw/"

    file_dict = {
        "original": ("lfw", "lfw.tgz", "a17d05bd522c52d84eca14327a23d494"),
        "funneled": ("lfw_funneled", "lfw-funneled.tgz", "1b42dfed7d15c9b2dd63d5e5840c86ad"),
        "deepfunneled": ("lfw-deepfunneled", "lfw-deepfunneled.tgz", "68331da3eb755a505a502b5aacb3c201"),
    }
    checksums = {
        "pairs.txt": "9f1ba174e4e1c508ff7cdf10ac338a7d",
        "pairsDevTest.txt": "5132f7440eb68cf58910c8a45a2ac10b",
        "pairsDevTrain.txt": "4f27cbf15b2da4a85c1907eb4181ad21",
        "people.txt": "450f0863dd89e85e73936a6d71a3474b",
        "peopleDevTest.txt": "e4bf5be0a43b5dcd9dc5ccfcb8fb19c5",
        "peopleDevTrain.txt": "54eaac34beb6d042ed3a7d883e247a21",
        "lfw-names.txt": "a6d0a479bd074669f656265a6e693f6d",
    }
    annot_file = {"10fold": "", "train": "DevTrain", "test": "DevTest"}
    names = "lfw-names.txt"

    def __init__(
        self,
        root: str | Path,
        split: str,
        image_set: str,
        view: str,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
        loader: Callable[[str], Any] = default_loader,
    ) -> None:
        super().__init__(os.path.join(root, self.base_folder), transform=transform, target_transform=target_transform)
        self.image_set = verify_str_arg(image_set.lower(), "image_set", self.file_dict.keys())
        images_dir, self.filename, self.md5 = self.file_dict[self.image_set]
        self.view = verify_str_arg(view.lower(), "view", ["people", "pairs"])
        self.split = verify_str_arg(split.lower(), "split", ["10fold", "train", "test"])
        self.labels_file = f"{self.view}{self.annot_file[self.split]}.txt"
        self.data: list[Any] = []
        if download:
            raise ValueError(
                "LFW dataset is no longer available for automatic download."
                "Please download the dataset manually and place it in the specified directory."
                "A commonly used mirror is available at: "
                "https://www.kaggle.com/datasets/jessicali9530/lfw-dataset"
            )
        if not self._check_integrity():
            raise RuntimeError(NOT_FOUND_OR_CORRUPTED)
        self.images_dir = os.path.join(self.root, images_dir)
        self._loader = loader

    def _check_integrity(self) -> bool:
        wanted = {self.filename: self.md5, self.labels_file: self.checksums[self.labels_file]}
        if self.view == "people":
            wanted[self.names] = self.checksums[self.names]
        return all(check_integrity(os.path.join(self.root, name), md5) for name, md5 in wanted.items())

    def _lines(self, name: str) -> list[str]:
        with open(os.path.join(self.root, name)) as file:
            return file.read().splitlines()

    def _get_path(self, identity: str, no: int | str) -> str:
        return os.path.join(self.images_dir, identity, f"{identity}_{int(no):04d}.jpg")

    def extra_repr(self) -> str:
        return f"Alignment: {self.image_set}\nSplit: {self.split}"

    def __len__(self) -> int:
        return len(self.data)


class LFWPeople(_LFW):
    """Same as torchvision.datasets.LFWPeople, from `root/lfw-py`: a face, and whose it is.

    `split` is "10fold", "train" or "test", `image_set` "original", "funneled" or "deepfunneled".
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "10fold",
        image_set: str = "funneled",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
        loader: Callable[[str], Any] = default_loader,
    ) -> None:
        super().__init__(root, split, image_set, "people", transform, target_transform, download, loader=loader)
        self.class_to_idx = {line.split()[0]: i for i, line in enumerate(self._lines(self.names))}
        self.targets: list[int] = []
        lines = iter(self._lines(self.labels_file))
        for _ in range(int(next(lines)) if self.split == "10fold" else 1):
            for _ in range(int(next(lines))):
                identity, count = next(lines).split("\t")
                self.data += [self._get_path(identity, number) for number in range(1, int(count) + 1)]
                self.targets += [self.class_to_idx[identity]] * int(count)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._transformed(self._loader(self.data[index]), self.targets[index])

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}\nClasses (identities): {len(self.class_to_idx)}"


class LFWPairs(_LFW):
    """Same as torchvision.datasets.LFWPairs, from `root/lfw-py`: two faces, and 1 if they are of one person, else 0.

    `split` is "10fold", "train" or "test", `image_set` "original", "funneled" or "deepfunneled".
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "10fold",
        image_set: str = "funneled",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
        loader: Callable[[str], Any] = default_loader,
    ) -> None:
        super().__init__(root, split, image_set, "pairs", transform, target_transform, download, loader=loader)
        self.pair_names: list[tuple[str, str]] = []
        self.targets: list[int] = []
        lines = iter(self._lines(self.labels_file))
        *folds, pairs = (int(number) for number in next(lines).split("\t"))
        for _ in range(folds[0] if folds else 1):
            for same in [1] * pairs + [0] * pairs:
                parts = next(lines).strip().split("\t")
                (one, first), (other, second) = (parts[0], parts[1]), (parts[0] if same else parts[2], parts[-1])
                self.pair_names.append((one, other))
                self.data.append((self._get_path(one, first), self._get_path(other, second)))
                self.targets.append(same)

    def __getitem__(self, index: int) -> tuple[Any, Any, int]:
        one, other = (self._loader(path) for path in self.data[index])
        one, target = self._transformed(one, self.targets[index])
        return one, other if self.transform is None else self.transform(other), target
