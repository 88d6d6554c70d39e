"""Same as torchvision.datasets.celeba: faces with attributes."""

import csv
import os
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import minitorch as torch

from ._files import named, open_picture
from ._listed import NOT_FOUND_OR_CORRUPTED
from .utils import check_integrity, download_file_from_google_drive, extract_archive, verify_str_arg
from .vision import VisionDataset

CSV = namedtuple("CSV", ["header", "index", "data"])

_SPLITS = {"train": 0, "valid": 1, "test": 2, "all": None}


class CelebA(VisionDataset):
    """Same as torchvision.datasets.CelebA, from `root/celeba`: `split` is "train", "valid", "test" or "all".

    `target_type` is "attr" (40 numbers, 0 or 1), "identity", "bbox" (x, y, width, height, in the uncropped picture),
    "landmarks" (five points), or a list of these, for a tuple.
    """

    base_folder = "celeba"
    file_list = [
        ("0B7EVK8r0v71pZjFTYXZWM3FlRnM", "00d2c5bc6d35e252742224ab0c1e8fcb", "img_align_celeba.zip"),
        ("0B7EVK8r0v71pblRyaVFSWGxPY0U", "75e246fa4810816ffd6ee81facbd244c", "list_attr_celeba.txt"),
        ("1_ee_0u7vcNLOfNLegJRHmolfH5ICW-XS", "32bd1bd63d3c78cd57e08160ec5ed1e2", "identity_CelebA.txt"),
        ("0B7EVK8r0v71pbThiMVRxWXZ4dU0", "00566efa6fedff7a56946cd1c10f1c16", "list_bbox_celeba.txt"),
        ("0B7EVK8r0v71pd0FJY3Blby1HUTQ", "cc24ecafdb5b50baae59b03474781f8c", "list_landmarks_align_celeba.txt"),
        ("0B7EVK8r0v71pY0NSMzRuSXJEVkk", "d32c9cbf5e040fd4025c592c306e6668", "list_eval_partition.txt"),
    ]

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        target_type: list[str] | str = "attr",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = split
        self.target_type = target_type if isinstance(target_type, list) else [target_type]
        if not self.target_type and self.target_transform is not None:
            raise RuntimeError("target_transform is specified but target_type is empty")
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError(NOT_FOUND_OR_CORRUPTED)
        part = _SPLITS[verify_str_arg(split.lower() if isinstance(split, str) else split, "split", tuple(_SPLITS))]
        splits = self._load_csv("list_eval_partition.txt")
        wanted = [i for i, (its_part,) in enumerate(splits.data.tolist()) if part in (None, its_part)]
        self.filename = [splits.index[i] for i in wanted]
        self.identity = self._load_csv("identity_CelebA.txt").data[wanted]
        self.bbox = self._load_csv("list_bbox_celeba.txt", header=1).data[wanted]
        self.landmarks_align = self._load_csv("list_landmarks_align_celeba.txt", header=1).data[wanted]
        attributes = self._load_csv("list_attr_celeba.txt", header=1)
        self.attr = torch.div(attributes.data[wanted] + 1, 2, rounding_mode="floor")  # the file has -1 and 1
        self.attr_names = attributes.header

    def _path(self, *names: str) -> str:
        return os.path.join(self.root, self.base_folder, *names)

    def _load_csv(self, filename: str, header: int | None = None) -> CSV:
        path = self._path(filename)
        with named(path), open(path) as file:
            rows = list(csv.reader(file, delimiter=" ", skipinitialspace=True))
            first = 0 if header is None else header + 1
            numbers = torch.tensor([[int(value) for value in row[1:]] for row in rows[first:]])
        return CSV([] if header is None else rows[header], [row[0] for row in rows[first:]], numbers)

    def _check_integrity(self) -> bool:
        # the archive may be deleted once its pictures are there
        lists = [(name, md5) for _, md5, name in self.file_list if os.path.splitext(name)[1] not in (".zip", ".7z")]
        return all(check_integrity(self._path(name), md5) for name, md5 in lists) and os.path.isdir(
            self._path("img_align_celeba")
        )

    def download(self) -> None:
        """Downloads and unpacks what is not there. Needs gdown."""
        if self._check_integrity():
            return
        for file_id, md5, filename in self.file_list:
            download_file_from_google_drive(file_id, self._path(), filename, md5)
        extract_archive(self._path("img_align_celeba.zip"))

    def _target(self, kind: str, index: int) -> Any:
        if kind == "attr":
            return self.attr[index, :]
        if kind == "identity":
            return self.identity[index, 0]
        if kind == "bbox":
            return self.bbox[index, :]
        if kind == "landmarks":
            return self.landmarks_align[index, :]
        raise ValueError(f'Target type "{kind}" is not recognized.')

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        picture = open_picture(self._path("img_align_celeba", self.filename[index]))
        targets = tuple(self._target(kind, index) for kind in self.target_type)
        return self._transformed(picture, (targets if len(targets) > 1 else targets[0]) if targets else None)

    def __len__(self) -> int:
        return len(self.attr)

    def extra_repr(self) -> str:
        return f"Target type: {self.target_type}\nSplit: {self.split}"
