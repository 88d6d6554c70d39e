"""Same as torchvision.datasets.voc: Pascal VOC's pictures with masks or with boxes."""

import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._files import named, open_picture
from .utils import download_and_extract_archive, verify_str_arg
from .vision import VisionDataset

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_URL = "https://thor.robots.ox.ac.uk/pascal/VOC/"


def _year(year: str, filename: str, md5: str, base_dir: str, saved_as: str | None = None) -> dict[str, str]:
    return {
        "url": f"{_URL}voc{year}/{filename}",
        "filename": saved_as or filename,
        "md5": md5,
        "base_dir": os.path.join(*base_dir.split("/")),
    }


DATASET_YEAR_DICT = {
    "2012": _year("2012", "VOCtrainval_11-May-2012.tar", "6cd6e144f989b92b3379bac3b3de84fd", "VOCdevkit/VOC2012"),
    "2011": _year("2011", "VOCtrainval_25-May-2011.tar", "6c3384ef61512963050cb5d687e5bf1e",
                  "TrainVal/VOCdevkit/VOC2011"),
    "2010": _year("2010", "VOCtrainval_03-May-2010.tar", "da459979d0c395079b5c75ee67908abb", "VOCdevkit/VOC2010"),
    "2009": _year("2009", "VOCtrainval_11-May-2009.tar", "a3e00b113cfcfebf17e343f59da3caa1", "VOCdevkit/VOC2009"),
    "2008": _year("2008", "VOCtrainval_14-Jul-2008.tar", "2629fa636546599198acfcfbfcf1904a", "VOCdevkit/VOC2008",
                  saved_as="VOCtrainval_11-May-2012.tar"),
    "2007": _year("2007", "VOCtrainval_06-Nov-2007.tar", "c52e279531787c972589f7e41ab4ae64", "VOCdevkit/VOC2007"),
    "2007-test": _year("2007", "VOCtest_06-Nov-2007.tar", "b6e924de25625d8de591ea690078ad9f", "VOCdevkit/VOC2007"),
}  # fmt: skip


def _parse(path: str) -> "Element":
    """The root of an XML file; by defusedxml, where it is installed, which refuses entities that multiply."""
    try:
        from defusedxml.ElementTree import parse
    except ImportError:
        from xml.etree.ElementTree import parse
    with named(path):
        return parse(path).getroot()


class _VOCBase(VisionDataset):
    _SPLITS_DIR: str
    _TARGET_DIR: str
    _TARGET_FILE_EXT: str

    def __init__(
        self,
        root: str | Path,
        year: str = "2012",
        image_set: str = "train",
        download: bool = False,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.year = verify_str_arg(year, "year", valid_values=[str(year) for year in range(2007, 2013)])
        image_sets = ["train", "trainval", "val", *(["test"] if year == "2007" else [])]
        self.image_set = verify_str_arg(image_set, "image_set", image_sets)
        place = DATASET_YEAR_DICT["2007-test" if image_set == "test" else year]
        self.url, self.filename, self.md5 = place["url"], place["filename"], place["md5"]
        if download:
            download_and_extract_archive(self.url, self.root, filename=self.filename, md5=self.md5)
        voc_root = os.path.join(self.root, place["base_dir"])
        if not os.path.isdir(voc_root):
            raise RuntimeError("Dataset not found or corrupted. You can use download=True to download it")
        with open(os.path.join(voc_root, "ImageSets", self._SPLITS_DIR, f"{image_set}.txt")) as file:
            names = [line.strip() for line in file]
        self.images = [os.path.join(voc_root, "JPEGImages", f"{name}.jpg") for name in names]
        self.targets = [os.path.join(voc_root, self._TARGET_DIR, name + self._TARGET_FILE_EXT) for name in names]

    def __len__(self) -> int:
        return len(self.images)

    def _target(self, path: str) -> Any:
        raise NotImplementedError

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        picture, target = open_picture(self.images[index], "RGB"), self._target(self.targets[index])
        return (picture, target) if self.transforms is None else self.transforms(picture, target)


class VOCSegmentation(_VOCBase):
    """Same as torchvision.datasets.VOCSegmentation: targets are pictures whose pixels are classes."""

    _SPLITS_DIR = "Segmentation"
    _TARGET_DIR = "SegmentationClass"
    _TARGET_FILE_EXT = ".png"

    @property
    def masks(self) -> list[str]:
        return self.targets

    def _target(self, path: str) -> Any:
        return open_picture(path)


class VOCDetection(_VOCBase):
    """Same as torchvision.datasets.VOCDetection: targets are dictionaries in the form of the XML files."""

    _SPLITS_DIR = "Main"
    _TARGET_DIR = "Annotations"
    _TARGET_FILE_EXT = ".xml"

    @property
    def annotations(self) -> list[str]:
        return self.targets

    def _target(self, path: str) -> Any:
        return self.parse_voc_xml(_parse(path))

    @staticmethod
    def parse_voc_xml(node: "Element") -> dict[str, Any]:
        """A node as a dictionary of its children; children of one name become a list, and `object` always does."""
        children = list(node)
        if not children:
            return {node.tag: node.text.strip()} if node.text else {}
        found: dict[str, list[Any]] = defaultdict(list)
        for child in children:
            for tag, value in VOCDetection.parse_voc_xml(child).items():
                found[tag].append(value)
        if node.tag == "annotation":
            found["object"] = [found["object"]]
        return {node.tag: {tag: values[0] if len(values) == 1 else values for tag, values in found.items()}}
