"""MNIST and the data sets that came after it in its format (idx): same as torchvision.datasets.mnist.

An idx file is two zero bytes, a byte for the type, one for the number of dimensions, each dimension as four bytes,
the highest first, then the numbers, likewise (http://yann.lecun.com/exdb/mnist/).
"""

import os
import shutil
import string
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np

import minitorch as torch
from minitorch.vision._pillow import image_from_array

from .utils import check_integrity, download_and_extract_archive, extract_archive, verify_str_arg
from .vision import VisionDataset

_DIGITS = ["0 - zero", "1 - one", "2 - two", "3 - three", "4 - four",
           "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine"]  # fmt: skip


def _renamed(old: str, new: str) -> property:
    """An attribute's former name, which warns."""

    def read(self: Any) -> Any:
        warnings.warn(f"{old} has been renamed {new}", stacklevel=2)
        return getattr(self, new)

    return property(read)


class MNIST(VisionDataset):
    """Same as torchvision.datasets.MNIST: 28x28 grey digits, from `root/MNIST/raw`.

    `data` is a uint8 tensor (N, 28, 28), `targets` an int64 tensor (N). RuntimeError if the files are not there.
    """

    mirrors = [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ]
    resources: Any = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    training_file = "training.pt"
    test_file = "test.pt"
    classes = _DIGITS

    train_labels = _renamed("train_labels", "targets")
    test_labels = _renamed("test_labels", "targets")
    train_data = _renamed("train_data", "data")
    test_data = _renamed("test_data", "data")

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if self._check_legacy_exist():
            self.data, self.targets = self._load_legacy_data()
            return
        if download:
            self.download()
        if not self._check_exists():
            raise RuntimeError("Dataset not found. You can use download=True to download it")
        self.data, self.targets = self._load_data()

    def _check_legacy_exist(self) -> bool:
        """Whether there are the files that torchvision wrote before version 0.9."""
        return os.path.exists(self.processed_folder) and all(
            check_integrity(os.path.join(self.processed_folder, file)) for file in (self.training_file, self.test_file)
        )

    def _load_legacy_data(self) -> Any:
        file = self.training_file if self.train else self.test_file
        return torch.load(os.path.join(self.processed_folder, file), weights_only=True)

    def _load_data(self) -> tuple[Any, Any]:
        part = os.path.join(self.raw_folder, "train" if self.train else "t10k")
        return read_image_file(f"{part}-images-idx3-ubyte"), read_label_file(f"{part}-labels-idx1-ubyte")

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._transformed(image_from_array(self.data[index].numpy()), int(self.targets[index]))

    def __len__(self) -> int:
        return len(self.data)

    @property
    def raw_folder(self) -> str:
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def processed_folder(self) -> str:
        return os.path.join(self.root, type(self).__name__, "processed")

    @property
    def class_to_idx(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.classes)}

    def _check_exists(self) -> bool:
        return all(
            check_integrity(os.path.join(self.raw_folder, os.path.splitext(os.path.basename(url))[0]))
            for url, _ in self.resources
        )

    def download(self) -> None:
        """Downloads and unpacks the files that are not there, from the first mirror that has them."""
        if self._check_exists():
            return
        os.makedirs(self.raw_folder, exist_ok=True)
        for filename, md5 in self.resources:
            errors = []
            for mirror in self.mirrors:
                url = f"{mirror}{filename}"
                try:
                    download_and_extract_archive(url, download_root=self.raw_folder, filename=filename, md5=md5)
                    break
                except (RuntimeError, URLError) as e:
                    errors.append(f"Tried {mirror}, got:\n{e}\n")
            else:
                raise RuntimeError(f"Error downloading {filename}:\n{''.join(errors)}")

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train is True else 'Test'}"


class FashionMNIST(MNIST):
    """Same as torchvision.datasets.FashionMNIST: clothes in MNIST's format, from `root/FashionMNIST/raw`."""

    mirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


class KMNIST(MNIST):
    """Same as torchvision.datasets.KMNIST: ten hiragana in MNIST's format, from `root/KMNIST/raw`."""

    mirrors = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
        ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
        ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    ]
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


# Letters whose capital looks like the small one: EMNIST's merged splits have one class for both.
_MERGED = sorted({*string.digits, *string.ascii_letters} - {*"cijklmopsuvwxyz"})


class EMNIST(MNIST):
    """Same as torchvision.datasets.EMNIST: letters and digits in MNIST's format, from `root/EMNIST/raw`.

    `split` is "byclass", "bymerge", "balanced", "letters", "digits" or "mnist".
    """

    url = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
    md5 = "58c8d27c78d21e728a6bc7b3cc06412e"
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    classes_split_dict = {
        "byclass": sorted([*string.digits, *string.ascii_letters]),
        "bymerge": _MERGED,
        "balanced": _MERGED,
        "letters": ["N/A", *string.ascii_lowercase],
        "digits": [*string.digits],
        "mnist": [*string.digits],
    }

    def __init__(self, root: str | Path, split: str, **kwargs: Any) -> None:
        self.split = verify_str_arg(split, "split", self.splits)
        self.training_file = f"training_{split}.pt"
        self.test_file = f"test_{split}.pt"
        super().__init__(root, **kwargs)
        self.classes = self.classes_split_dict[self.split]

    @property
    def _file_prefix(self) -> str:
        return os.path.join(self.raw_folder, f"emnist-{self.split}-{'train' if self.train else 'test'}")

    @property
    def images_file(self) -> str:
        return f"{self._file_prefix}-images-idx3-ubyte"

    @property
    def labels_file(self) -> str:
        return f"{self._file_prefix}-labels-idx1-ubyte"

    def _load_data(self) -> tuple[Any, Any]:
        return read_image_file(self.images_file), read_label_file(self.labels_file)

    def _check_exists(self) -> bool:
        return all(check_integrity(file) for file in (self.images_file, self.labels_file))

    def download(self) -> None:
        """Downloads and unpacks all splits, if this one is not there."""
        if self._check_exists():
            return
        os.makedirs(self.raw_folder, exist_ok=True)
        download_and_extract_archive(self.url, download_root=self.raw_folder, md5=self.md5)
        folder = os.path.join(self.raw_folder, "gzip")
        for name in os.listdir(folder):
            if name.endswith(".gz"):
                extract_archive(os.path.join(folder, name), self.raw_folder)
        shutil.rmtree(folder)


_QMNIST_URL = "https://raw.githubusercontent.com/facebookresearch/qmnist/master/"


class QMNIST(MNIST):
    """Same as torchvision.datasets.QMNIST: MNIST and its lost test digits, with who wrote them.

    `what` is "train", "test", "test10k", "test50k" or "nist". Targets are classes, without `compat` all eight numbers.
    """

    subsets = {"train": "train", "test": "test", "test10k": "test", "test50k": "test", "nist": "nist"}
    resources = {
        "train": [
            (f"{_QMNIST_URL}qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370"),
            (f"{_QMNIST_URL}qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4"),
        ],
        "test": [
            (f"{_QMNIST_URL}qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412"),
            (f"{_QMNIST_URL}qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa"),
        ],
        "nist": [
            (f"{_QMNIST_URL}xnist-images-idx3-ubyte.xz", "7f124b3b8ab81486c9d8c2749c17f834"),
            (f"{_QMNIST_URL}xnist-labels-idx2-int.xz", "5ed0e788978e45d4a8bd4b7caec3d79d"),
        ],
    }
    classes = _DIGITS

    def __init__(
        self, root: str | Path, what: str | None = None, compat: bool = True, train: bool = True, **kwargs: Any
    ) -> None:
        if what is None:
            what = "train" if train else "test"
        self.what = verify_str_arg(what, "what", tuple(self.subsets))
        self.compat = compat
        self.data_file = self.training_file = self.test_file = f"{what}.pt"
        super().__init__(root, train, **kwargs)

    def _file(self, number: int) -> str:
        url, _ = self.resources[self.subsets[self.what]][number]
        return os.path.join(self.raw_folder, os.path.splitext(os.path.basename(url))[0])

    @property
    def images_file(self) -> str:
        return self._file(0)

    @property
    def labels_file(self) -> str:
        return self._file(1)

    def _check_exists(self) -> bool:
        return all(check_integrity(file) for file in (self.images_file, self.labels_file))

    def _load_data(self) -> tuple[Any, Any]:
        data = _checked(read_sn3_pascalvincent_tensor(self.images_file), self.images_file, 3, "data")
        targets = read_sn3_pascalvincent_tensor(self.labels_file).long()
        if targets.ndim != 2:
            raise ValueError(
                f"targets should have 2 dimensions instead of {targets.ndim}\nThe file is {self.labels_file}"
            )
        rows = {"test10k": slice(0, 10000), "test50k": slice(10000, None)}.get(self.what, slice(None))
        return data[rows].clone(), targets[rows].clone()

    def download(self) -> None:
        """Downloads and unpacks the files that `what` needs."""
        if self._check_exists():
            return
        os.makedirs(self.raw_folder, exist_ok=True)
        for url, md5 in self.resources[self.subsets[self.what]]:
            download_and_extract_archive(url, self.raw_folder, md5=md5)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        target = self.targets[index]
        return self._transformed(image_from_array(self.data[index].numpy()), int(target[0]) if self.compat else target)

    def extra_repr(self) -> str:
        return f"Split: {self.what}"


# ---------------------------------------------------------------------- the format
SN3_PASCALVINCENT_TYPEMAP = {
    8: torch.uint8,
    9: torch.int8,
    11: torch.int16,
    12: torch.int32,
    13: torch.float32,
    14: torch.float64,
}
_NUMPY_TYPES = {8: "u1", 9: "i1", 11: "i2", 12: "i4", 13: "f4", 14: "f8"}


def get_int(b: bytes) -> int:
    """The number that bytes stand for, the highest first."""
    return int.from_bytes(b, "big")


def read_sn3_pascalvincent_tensor(path: str, strict: bool = True) -> torch.Tensor:
    """The tensor in an idx file. RuntimeError if it is none, or has more or fewer numbers than its header says."""
    with open(path, "rb") as file:
        content = file.read()
    magic, dims = get_int(content[:4]), content[3] if len(content) >= 4 else 0
    kind = magic // 256
    if kind not in _NUMPY_TYPES or not 1 <= dims <= 3:
        raise RuntimeError(f"{path} is not an idx file of one to three dimensions: it begins with {content[:4]!r}")
    start = 4 * (dims + 1)
    shape = [get_int(content[4 * i : 4 * (i + 1)]) for i in range(1, dims + 1)]
    dtype = np.dtype(f">{_NUMPY_TYPES[kind]}")
    promised = start + dtype.itemsize * int(np.prod(shape, dtype=object))
    if len(content) != promised:
        raise RuntimeError(
            f"{path} is truncated or damaged: it has {len(content)} bytes, its header says {promised}, shape {shape}"
        )
    numbers = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return torch.from_numpy(numbers.astype(dtype.newbyteorder("=")))


def _checked(x: torch.Tensor, path: str, dims: int, name: str = "x") -> torch.Tensor:
    if x.dtype != torch.uint8:
        raise TypeError(f"{name} should be of dtype torch.uint8 instead of {x.dtype}\nThe file is {path}")
    if x.ndim != dims:
        plural = "" if name == "x" else "s"
        raise ValueError(f"{name} should have {dims} dimension{plural} instead of {x.ndim}\nThe file is {path}")
    return x


def read_label_file(path: str) -> torch.Tensor:
    """The classes in an idx file of bytes, as an int64 tensor of one dimension."""
    return _checked(read_sn3_pascalvincent_tensor(path, strict=False), path, 1).long()


def read_image_file(path: str) -> torch.Tensor:
    """The pictures in an idx file of bytes: a uint8 tensor of three dimensions."""
    return _checked(read_sn3_pascalvincent_tensor(path, strict=False), path, 3)
