"""Same as torchvision.datasets.imagenet: ILSVRC 2012, unpacked from the archives that its site hands out."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import minitorch as torch

from ._files import loadmat
from .folder import ImageFolder
from .utils import check_integrity, extract_archive, verify_str_arg

ARCHIVE_META = {
    "train": ("ILSVRC2012_img_train.tar", "1d675b47d978889d74fa0da5fadfb00e"),
    "val": ("ILSVRC2012_img_val.tar", "29b22e2961454d5413ddabcf34fc5622"),
    "devkit": ("ILSVRC2012_devkit_t12.tar.gz", "fa75699e90414af021442c21a62c3abf"),
}

META_FILE = "meta.bin"


class ImageNet(ImageFolder):
    """Same as torchvision.datasets.ImageNet: pictures of a thousand classes, from `root/train` or `root/val`.

    Folders and `root/meta.bin` are made from the archives in `root`, if they are not there. `wnids` are the folders'
    names, `classes` tuples of words, `class_to_idx` by word.
    """

    def __init__(self, root: str | Path, split: str = "train", **kwargs: Any) -> None:
        root = self.root = os.path.expanduser(root)
        self.split = verify_str_arg(split, "split", ("train", "val"))
        self.parse_archives()
        words = load_meta_file(self.root)[0]
        super().__init__(self.split_folder, **kwargs)
        self.root = root
        self.wnids: Any = self.classes
        self.wnid_to_idx = self.class_to_idx
        self.classes = [words[wnid] for wnid in self.wnids]
        self.class_to_idx = {word: i for i, names in enumerate(self.classes) for word in names}

    def parse_archives(self) -> None:
        """Unpacks what is not there."""
        if not check_integrity(os.path.join(self.root, META_FILE)):
            parse_devkit_archive(self.root)
        if not os.path.isdir(self.split_folder):
            parse = parse_train_archive if self.split == "train" else parse_val_archive
            parse(self.root)

    @property
    def split_folder(self) -> str:
        return os.path.join(self.root, self.split)

    def extra_repr(self) -> str:
        return f"Split: {self.split}"


def load_meta_file(root: str | Path, file: str | None = None) -> Any:
    """(each folder's words, the folder of each validation picture), as `parse_devkit_archive` saved them."""
    path = os.path.join(root, file or META_FILE)
    if not check_integrity(path):
        raise RuntimeError(
            f"The meta file {path} is not present in the root directory or is corrupted. "
            "This file is automatically created by the ImageNet dataset."
        )
    return torch.load(path, weights_only=True)


def _verified_archive(root: str | Path, file: str | None, part: str) -> str:
    """The path of an archive, which is `file` or has its usual name, once its checksum is right."""
    usual, md5 = ARCHIVE_META[part]
    path = os.path.join(root, file or usual)
    if not check_integrity(path, md5):
        raise RuntimeError(
            f"The archive {file or usual} is not present in the root directory or is corrupted. "
            f"You need to download it externally and place it in {root}."
        )
    return path


def _folders_and_words(metafile: str) -> tuple[dict[int, str], dict[str, tuple[str, ...]]]:
    """Of the synsets without children, which are the classes: number to folder, folder to words."""
    synsets = loadmat(metafile, "ImageNet's synsets", squeeze_me=True)["synsets"]
    leaves = [tuple(synset)[:3] for synset in synsets if tuple(synset)[4] == 0]
    return (
        {number: wnid for number, wnid, _ in leaves},
        {wnid: tuple(words.split(", ")) for _, wnid, words in leaves},
    )


def parse_devkit_archive(root: str | Path, file: str | None = None) -> None:
    """Saves what the development kit's archive in `root` says of the classes as `root/meta.bin`. Needs SciPy."""
    archive = _verified_archive(root, file, "devkit")
    with tempfile.TemporaryDirectory() as folder:
        extract_archive(archive, folder)
        data = os.path.join(folder, "ILSVRC2012_devkit_t12", "data")
        wnids, words = _folders_and_words(os.path.join(data, "meta.mat"))
        with open(os.path.join(data, "ILSVRC2012_validation_ground_truth.txt")) as truth:
            val_wnids = [wnids[int(line)] for line in truth]
    torch.save((words, val_wnids), os.path.join(root, META_FILE))


def parse_train_archive(root: str | Path, file: str | None = None, folder: str = "train") -> None:
    """Unpacks the archive of training pictures, which holds an archive for each class."""
    archive = _verified_archive(root, file, "train")
    train_root = os.path.join(root, folder)
    extract_archive(archive, train_root)
    for name in os.listdir(train_root):
        path = os.path.join(train_root, name)
        extract_archive(path, os.path.splitext(path)[0], remove_finished=True)


def parse_val_archive(
    root: str | Path, file: str | None = None, wnids: list[str] | None = None, folder: str = "val"
) -> None:
    """Unpacks the archive of validation pictures, each into the folder of its class."""
    if wnids is None:
        wnids = load_meta_file(root)[1]
    archive = _verified_archive(root, file, "val")
    val_root = os.path.join(root, folder)
    extract_archive(archive, val_root)
    names = sorted(os.listdir(val_root))
    for wnid in dict.fromkeys(wnids):
        os.mkdir(os.path.join(val_root, wnid))
    for wnid, name in zip(wnids, names):
        shutil.move(os.path.join(val_root, name), os.path.join(val_root, wnid, name))
