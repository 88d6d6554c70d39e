"""Same as torchvision.datasets.moving_mnist: films of two digits that move."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import minitorch as torch

from ._files import named
from .utils import download_url, verify_str_arg
from .vision import VisionDataset


class MovingMNIST(VisionDataset):
    """Same as torchvision.datasets.MovingMNIST, from `root/MovingMNIST/mnist_test_seq.npy`.

    Item i is a uint8 tensor (frames, 1, 64, 64): all frames, or the first `split_ratio` ("train"), or the
    others ("test").
    """

    _URL = "http://www.cs.toronto.edu/~nitish/unsupervised_video/mnist_test_seq.npy"

    def __init__(
        self,
        root: str | Path,
        split: str | None = None,
        split_ratio: int = 10,
        download: bool = False,
        transform: Callable | None = None,
    ) -> None:
        super().__init__(root, transform=transform)
        self._base_folder = os.path.join(self.root, type(self).__name__)
        self._filename = self._URL.split("/")[-1]
        if split is not None:
            verify_str_arg(split, "split", ("train", "test"))
        self.split = split
        if not isinstance(split_ratio, int):
            raise TypeError(f"`split_ratio` should be an integer, but got {type(split_ratio)}")
        if not 1 <= split_ratio <= 19:
            raise ValueError(f"`split_ratio` should be `1 <= split_ratio <= 19`, but got {split_ratio} instead.")
        self.split_ratio = split_ratio
        if download:
            self.download()
        if not self._check_exists():
            raise RuntimeError("Dataset not found. You can use download=True to download it.")
        path = os.path.join(self._base_folder, self._filename)
        with named(path):
            frames = np.load(path)
        frames = {"train": frames[:split_ratio], "test": frames[split_ratio:], None: frames}[split]
        self.data = torch.from_numpy(np.ascontiguousarray(frames.swapaxes(0, 1)[:, :, None]))

    def __getitem__(self, idx: int) -> Any:
        frames = self.data[idx]
        return frames if self.transform is None else self.transform(frames)

    def __len__(self) -> int:
        return len(self.data)

    def _check_exists(self) -> bool:
        return os.path.exists(os.path.join(self._base_folder, self._filename))

    def download(self) -> None:
        """Downloads the file, if it is not there."""
        if not self._check_exists():
            download_url(self._URL, self._base_folder, self._filename, "be083ec986bfe91a449d63653c411eb2")
