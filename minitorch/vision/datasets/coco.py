"""Same as torchvision.datasets.coco: COCO's pictures with boxes and masks, or with captions."""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ._files import named, open_picture
from .vision import VisionDataset


def _listed(value: Any) -> list[Any]:
    """One value or several, as a list."""
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]


class COCO:
    """An annotation file, looked up by ids: the part of pycocotools.coco.COCO that reads it, for where that is missing.

    `imgs`, `anns` and `cats` are dictionaries by id, `imgToAnns` lists of annotations and `catToImgs` lists of ids.
    """

    def __init__(self, annotation_file: str | Path) -> None:
        with named(annotation_file), open(annotation_file) as file:
            self.dataset = json.load(file)
            if not isinstance(self.dataset, dict):
                raise ValueError(f"an annotation file holds a dictionary, not a {type(self.dataset).__name__}")
        self.imgs, self.anns, self.cats = (
            {item["id"]: item for item in self.dataset.get(kind, [])}
            for kind in ("images", "annotations", "categories")
        )
        self.imgToAnns: dict[Any, list[Any]] = defaultdict(list)
        self.catToImgs: dict[Any, list[Any]] = defaultdict(list)
        for annotation in self.dataset.get("annotations", []):
            self.imgToAnns[annotation["image_id"]].append(annotation)
            if "category_id" in annotation:
                self.catToImgs[annotation["category_id"]].append(annotation["image_id"])

    def info(self) -> None:
        """Prints what the file says of itself."""
        for key, value in self.dataset["info"].items():
            print(f"{key}: {value}")

    def getAnnIds(self, imgIds: Any = (), catIds: Any = (), areaRng: Any = (), iscrowd: Any = None) -> list[Any]:
        """Ids of the annotations of these pictures and categories, within an area, of crowds or not; () is any."""
        images, categories = _listed(imgIds), set(_listed(catIds))
        found = [a for i in images for a in self.imgToAnns.get(i, [])] if images else self.dataset["annotations"]
        if categories:
            found = [a for a in found if a["category_id"] in categories]
        if len(areaRng):
            found = [a for a in found if areaRng[0] < a["area"] < areaRng[1]]
        return [a["id"] for a in found if iscrowd is None or a["iscrowd"] == iscrowd]

    def getCatIds(self, catNms: Any = (), supNms: Any = (), catIds: Any = ()) -> list[Any]:
        """Ids of the categories with these names, upper categories and ids; () is any."""
        wanted = {"name": _listed(catNms), "supercategory": _listed(supNms), "id": _listed(catIds)}
        return [
            c["id"]
            for c in self.dataset["categories"]
            if all(not values or c[key] in values for key, values in wanted.items())
        ]

    def getImgIds(self, imgIds: Any = (), catIds: Any = ()) -> list[Any]:
        """Ids of the pictures among these that have all of the categories; () is any."""
        chosen = set(_listed(imgIds)) or set(self.imgs)
        for category in _listed(catIds):
            chosen &= set(self.catToImgs.get(category, []))
        return list(chosen)

    def loadAnns(self, ids: Any = ()) -> list[Any]:
        """The annotations with these ids."""
        return [self.anns[i] for i in _listed(ids)]

    def loadCats(self, ids: Any = ()) -> list[Any]:
        """The categories with these ids."""
        return [self.cats[i] for i in _listed(ids)]

    def loadImgs(self, ids: Any = ()) -> list[Any]:
        """What the file says of the pictures with these ids."""
        return [self.imgs[i] for i in _listed(ids)]

    def __getattr__(self, name: str) -> Any:
        if name in ("annToMask", "annToRLE", "download", "loadNumpyAnnotations", "loadRes", "showAnns"):
            raise NotImplementedError(f"COCO.{name} needs pycocotools: pip install pycocotools")
        raise AttributeError(f"'COCO' object has no attribute {name!r}")


def _index(annotation_file: str) -> Any:
    try:
        from pycocotools.coco import COCO as PycocotoolsCOCO
    except ImportError:
        return COCO(annotation_file)
    return PycocotoolsCOCO(annotation_file)


class CocoDetection(VisionDataset):
    """Same as torchvision.datasets.CocoDetection: a picture's target is the list of its annotations.

    `coco` is a pycocotools.coco.COCO where that package is installed, else a reader of the same file.
    """

    def __init__(
        self,
        root: str | Path,
        annFile: str,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        super().__init__(root, transforms, transform, target_transform)
        self.coco = _index(annFile)
        self.ids = sorted(self.coco.imgs)

    def _load_image(self, id: int) -> Any:
        return open_picture(os.path.join(self.root, self.coco.loadImgs(id)[0]["file_name"]), "RGB")

    def _load_target(self, id: int) -> list[Any]:
        return self.coco.loadAnns(self.coco.getAnnIds(id))

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if not isinstance(index, int):
            raise ValueError(f"Index must be of type integer, got {type(index)} instead.")
        picture, target = self._load_image(self.ids[index]), self._load_target(self.ids[index])
        return (picture, target) if self.transforms is None else self.transforms(picture, target)

    def __len__(self) -> int:
        return len(self.ids)


class CocoCaptions(CocoDetection):
    """Same as torchvision.datasets.CocoCaptions: a picture's target is the list of its captions."""

    def _load_target(self, id: int) -> list[Any]:
        return [annotation["caption"] for annotation in super()._load_target(id)]
