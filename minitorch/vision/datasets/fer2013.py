"""Same as torchvision.datasets.fer2013: faces with one of seven expressions."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import minitorch as torch
from minitorch.vision._pillow import image_from_array

from ._files import named
from .utils import check_integrity, verify_str_arg
from .vision import VisionDataset

_SITE = "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge"


class FER2013(VisionDataset):
    """Same as torchvision.datasets.FER2013: 48x48 grey faces, `split` "train" or "test".

    From the first of fer2013.csv, icml_face_data.csv and the split's own file that is in `root/fer2013`; only the first
    two have labels for "test".
    """

    _RESOURCES = {
        "train": ("train.csv", "3f0dfb3d3fd99c811a1299cb947e3131"),
        "test": ("test.csv", "b02c2298636a634e8c2faabbf3ea9a23"),
        "fer": ("fer2013.csv", "f8428a1edbd21e88f42c73edd2a14f95"),
        "icml": ("icml_face_data.csv", "b114b9e04e6949e5fe8b6a98b3892b1d"),
    }

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
    ) -> None:
        self._split = verify_str_arg(split, "split", ("train", "test"))
        super().__init__(root, transform=transform, target_transform=target_transform)
        folder = Path(self.root) / "fer2013"
        both = next((kind for kind in ("fer", "icml") if (folder / self._RESOURCES[kind][0]).exists()), None)
        name, md5 = self._RESOURCES[both or split]
        path = folder / name
        if not check_integrity(str(path), md5=md5):
            raise RuntimeError(f"{name} not found in {folder} or corrupted. You can download it from {_SITE}")
        usages = ("Training",) if split == "train" else ("PublicTest", "PrivateTest")
        with named(path), open(path, newline="") as file:
            rows = [{key.strip(): value for key, value in row.items()} for row in csv.DictReader(file)]
            self._samples = [
                (
                    torch.tensor([int(pixel) for pixel in row["pixels"].split()], dtype=torch.uint8).reshape(48, 48),
                    int(row["emotion"]) if both or split == "train" else None,
                )
                for row in rows
                if both is None or row["Usage"] in usages
            ]

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, idx: int) -> tuple[Any, Any]:
        pixels, label = self._samples[idx]
        return self._transformed(image_from_array(pixels.numpy()), label)

    def extra_repr(self) -> str:
        return f"split={self._split}"
