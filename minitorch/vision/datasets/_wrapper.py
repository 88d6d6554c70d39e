"""wrap_dataset_for_transforms_v2: data sets whose boxes and masks say what they are, so that transforms.v2 moves them.

What is done to a sample is a function of (data set, index, sample, keys), found by the data set's class in `_TARGETS`.
"""

from collections.abc import Callable, Collection
from copy import copy
from typing import Any, TypeAlias

import minitorch as torch

from ..transforms.v2 import functional as F
from ..tv_tensors import BoundingBoxes, BoundingBoxFormat, Mask
from .vision import VisionDataset

Wrap: TypeAlias = Callable[[Any, int, Any, frozenset[str]], Any]

_VOC_CATEGORIES = (
    "__background__ aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person "
    "pottedplant sheep sofa train tvmonitor"
).split()
_KITTI_CATEGORIES = "Car Van Truck Pedestrian Person_sitting Cyclist Tram Misc DontCare".split()

# what a dictionary of targets may hold, and what it holds where nothing is asked for
_KEYS = {
    "CocoDetection": (
        "segmentation area iscrowd image_id bbox category_id boxes masks labels".split(),
        ("image_id", "boxes", "labels"),
    ),
    "VOCDetection": ("annotation boxes labels".split(), ("boxes", "labels")),
    "Kitti": (
        "type truncated occluded alpha bbox dimensions location rotation_y boxes labels".split(),
        ("boxes", "labels"),
    ),
}
# target types without a class of tensors, by the attribute that has a data set's types
_REFUSED = {
    "Caltech101": ("target_type", ["annotation"]),
    "CelebA": ("target_type", ["attr", "landmarks"]),
    "Cityscapes": ("target_type", ["polygon", "color"]),
}


# ---------------------------------------------------------------------- targets
def _unchanged(dataset: Any, index: int, sample: Any, keys: frozenset[str]) -> Any:
    return sample


def _segmentation(dataset: Any, index: int, sample: Any, keys: frozenset[str]) -> Any:
    picture, mask = sample
    return picture, Mask(mask)


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """A list of dictionaries as a dictionary of lists."""
    columns: dict[str, list[Any]] = {}
    for row in rows:
        for key, value in row.items():
            columns.setdefault(key, []).append(value)
    return columns


def _boxes(values: Any, format: BoundingBoxFormat, picture: Any) -> Any:
    """Boxes by their corners, on the picture's canvas."""
    boxes = BoundingBoxes(values, format=format, canvas_size=(picture.height, picture.width))
    return F.convert_bounding_box_format(boxes, new_format=BoundingBoxFormat.XYXY)


def _decoded(segmentation: Any, height: int, width: int) -> Any:
    """One of COCO's outlines, or lists of run lengths, as a mask."""
    try:
        from pycocotools import mask
    except ImportError:
        raise NotImplementedError("masks of CocoDetection need pycocotools: pip install pycocotools") from None
    if isinstance(segmentation, list):
        segmentation = mask.merge(mask.frPyObjects(segmentation, height, width))
    elif not isinstance(segmentation, dict):
        raise ValueError(f"COCO segmentation expected to be a dict or a list, got {type(segmentation)}")
    elif not isinstance(segmentation["counts"], str):  # a string is encoded already
        segmentation = mask.frPyObjects(segmentation, height, width)
    return torch.from_numpy(mask.decode(segmentation))


def _coco(dataset: Any, index: int, sample: Any, keys: frozenset[str]) -> Any:
    (picture, rows), image_id = sample, dataset.ids[index]
    if not rows:
        return picture, dict(image_id=image_id)
    columns, target = _columns(rows), {}
    if "image_id" in keys:
        target["image_id"] = image_id
    if "boxes" in keys:
        target["boxes"] = _boxes(columns["bbox"], BoundingBoxFormat.XYWH, picture)
    if "masks" in keys:
        masks = [_decoded(segmentation, picture.height, picture.width) for segmentation in columns["segmentation"]]
        target["masks"] = Mask(torch.stack(masks))
    if "labels" in keys:
        target["labels"] = torch.tensor(columns["category_id"])
    made = ("image_id", "boxes", "masks", "labels")
    return picture, target | {key: columns[key] for key in sorted(keys) if key not in made}


def _voc(dataset: Any, index: int, sample: Any, keys: frozenset[str]) -> Any:
    picture, given = sample
    columns = _columns(given["annotation"]["object"])
    target = given if "annotation" in keys else {}
    if "boxes" in keys:
        corners = [[int(box[side]) for side in ("xmin", "ymin", "xmax", "ymax")] for box in columns["bndbox"]]
        target["boxes"] = _boxes(corners, BoundingBoxFormat.XYXY, picture)
    if "labels" in keys:
        target["labels"] = torch.tensor([_VOC_CATEGORIES.index(name) for name in columns["name"]])
    return picture, target


def _kitti(dataset: Any, index: int, sample: Any, keys: frozenset[str]) -> Any:
    picture, rows = sample
    if rows is None:  # the test set has no targets
        return picture, rows
    columns, target = _columns(rows), {}
    if "boxes" in keys:
        target["boxes"] = _boxes(columns["bbox"], BoundingBoxFormat.XYXY, picture)
    if "labels" in keys:
        target["labels"] = torch.tensor([_KITTI_CATEGORIES.index(name) for name in columns["type"]])
    return picture, target | {key: columns[key] for key in sorted(keys) if key not in ("boxes", "labels")}


def _instances(mask: Any) -> dict[str, Any]:
    """Cityscapes' numbers of objects, a thousand times the class and a count, as a mask and a label for each."""
    numbers = Mask(mask)
    found = numbers.unique()
    labels = [number // 1000 if number >= 1000 else number for number in found]
    return dict(masks=Mask(torch.stack([numbers == number for number in found])), labels=torch.stack(labels))


def _by_type(attribute: str, kinds: dict[str, Callable[[Any, Any], Any]]) -> Wrap:
    """Targets that are one value, or a tuple of some, for the types in the data set's attribute."""

    def wrap(dataset: Any, index: int, sample: Any, keys: frozenset[str]) -> Any:
        picture, target = sample
        if target is None:
            return picture, target
        values = target if isinstance(target, (tuple, list)) else [target]
        made = [
            kinds[kind](value, picture) if kind in kinds else value
            for kind, value in zip(getattr(dataset, attribute), values)
        ]
        return picture, made[0] if len(made) == 1 else tuple(made)

    return wrap


_CLASSIFICATION = (
    "Caltech101 Caltech256 CIFAR10 CIFAR100 DatasetFolder FashionMNIST GTSRB ImageFolder ImageNet Imagenette"
)
_TARGETS: dict[str, Wrap] = {
    **dict.fromkeys([*_CLASSIFICATION.split(), "MNIST", "CocoCaptions"], _unchanged),
    "VOCSegmentation": _segmentation,
    "CocoDetection": _coco,
    "VOCDetection": _voc,
    "Kitti": _kitti,
    "CelebA": _by_type("target_type", {"bbox": lambda box, picture: _boxes(box, BoundingBoxFormat.XYWH, picture)}),
    "OxfordIIITPet": _by_type("_target_types", {"segmentation": lambda mask, picture: Mask(mask)}),
    "Cityscapes": _by_type(
        "target_type",
        {"instance": lambda mask, picture: _instances(mask), "semantic": lambda mask, picture: Mask(mask)},
    ),
}


# ---------------------------------------------------------------------- the wrapper
def _known_class(dataset: Any) -> str:
    """The name of the nearest base of the data set's class that is in the table."""
    name = type(dataset).__name__
    if not isinstance(dataset, VisionDataset):
        raise TypeError(
            f"This wrapper is meant for subclasses of `torchvision.datasets.VisionDataset`, but got a '{name}' instead."
        )
    for kind in type(dataset).__mro__:
        if kind.__name__ in _TARGETS and kind.__module__.startswith(__package__):
            return kind.__name__
    raise TypeError(f"No wrapper exists for dataset class {name}. Please wrap the output yourself.")


def _chosen_keys(name: str, target_keys: Any) -> frozenset[str]:
    available, default = _KEYS.get(name, ((), ()))
    if target_keys is not None and name not in _KEYS:
        raise ValueError(
            f"`target_keys` is currently only supported for `CocoDetection`, `VOCDetection`, `Kitti`, and `WIDERFace`, "
            f"but got {name}."
        )
    keys = frozenset(available if target_keys == "all" else default if target_keys is None else target_keys)
    if keys - set(available):
        raise ValueError(f"Target keys {sorted(keys - set(available))} are not available")
    return keys


def _check_types(name: str, dataset: Any) -> None:
    attribute, refused = _REFUSED.get(name, ("", []))
    if any(kind in getattr(dataset, attribute) for kind in refused):
        kinds = ", ".join(f"'{kind}'" for kind in refused)
        raise RuntimeError(
            f"`{name}` dataset with `{attribute}=[{kinds}, ...]` is currently not supported by this wrapper."
        )


class _Wrapped:
    """The first base of a wrapped data set's class; the second is the class of the data set itself."""

    def __init__(self, dataset: Any, target_keys: Any) -> None:
        name = _known_class(dataset)
        self._keys = _chosen_keys(name, target_keys)
        _check_types(name, dataset)
        self._dataset, self._target_keys, self._wrap = dataset, target_keys, _TARGETS[name]
        # what is transformed is the wrapped sample, so the data set must not do it before
        for attribute in ("transform", "target_transform", "transforms"):
            setattr(self, attribute, getattr(dataset, attribute))
            setattr(dataset, attribute, None)

    def __getattr__(self, name: str) -> Any:
        if name == "_dataset":  # not yet there while an object is copied
            raise AttributeError(name)
        return getattr(self._dataset, name)

    def __getitem__(self, index: int) -> Any:
        sample = self._wrap(self._dataset, index, self._dataset[index], self._keys)
        return sample if self.transforms is None else self.transforms(*sample)

    def __len__(self) -> int:
        return len(self._dataset)

    def __reduce__(self) -> Any:
        dataset = copy(self._dataset)
        for attribute in ("transform", "target_transform", "transforms"):
            setattr(dataset, attribute, getattr(self, attribute))
        return wrap_dataset_for_transforms_v2, (dataset, self._target_keys)


def wrap_dataset_for_transforms_v2(dataset: Any, target_keys: Collection[str] | str | None = None) -> Any:
    """The data set with boxes and masks as tv_tensors, which transforms.v2 changes together with the picture.

    dataset: one for classification, whose samples stay as they are, or VOCSegmentation, VOCDetection, CocoDetection,
    Kitti, CelebA (boxes), OxfordIIITPet (masks), Cityscapes (masks of objects or classes); others are a TypeError.
    target_keys: of detection data sets, what the dictionary of targets holds; "all", or boxes and labels by default.
    The result is an instance of the data set's class too (https://docs.pytorch.org/vision/stable/datasets.html).

    >>> from minitorch.vision.datasets import FakeData
    >>> wrap_dataset_for_transforms_v2(FakeData())
    Traceback (most recent call last):
    TypeError: No wrapper exists for dataset class FakeData. Please wrap the output yourself.
    """
    named = target_keys is None or target_keys == "all" or isinstance(target_keys, Collection)
    if not named or any(not isinstance(key, str) for key in target_keys or ()):
        raise ValueError(
            "`target_keys` can be None, 'all', or a collection of strings denoting the keys to be returned, "
            f"but got {target_keys}"
        )
    kind = type(dataset)
    return type(f"Wrapped{kind.__name__}", (_Wrapped, kind), {})(dataset, target_keys)
