"""Same as torchvision.datasets.oxford_iiit_pet: cats and dogs of thirty-seven breeds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ._files import open_picture
from ._listed import NOT_FOUND
from .utils import download_and_extract_archive, verify_str_arg
from .vision import VisionDataset

_URL = "https://www.robots.ox.ac.uk/~vgg/data/pets/data/"


class OxfordIIITPet(VisionDataset):
    """Same as torchvision.datasets.OxfordIIITPet, from `root/oxford-iiit-pet`: `split` is "trainval" or "test".

    `target_types` is "category" (the breed), "binary-category" (cat or dog), "segmentation" (a picture), or a list of
    these, for a tuple; targets of an empty list are None.
    """

    _RESOURCES = (
        (f"{_URL}images.tar.gz", "5c4f3ee8e5d25df40f4fd59a7f44e54c"),
        (f"{_URL}annotations.tar.gz", "95a8c909bbe2e81eed6a22bccdf3f68f"),
    )
    _VALID_TARGET_TYPES = ("category", "binary-category", "segmentation")

    def __init__(
        self,
        root: str | Path,
        split: str = "trainval",
        target_types: Sequence[str] | str = "category",
        transforms: Callable | None = None,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        self._split = verify_str_arg(split, "split", ("trainval", "test"))
        kinds = [target_types] if isinstance(target_types, str) else target_types
        self._target_types = [verify_str_arg(kind, "target_types", self._VALID_TARGET_TYPES) for kind in kinds]
        super().__init__(root, transforms=transforms, transform=transform, target_transform=target_transform)
        self._base_folder = Path(self.root) / "oxford-iiit-pet"
        self._images_folder = self._base_folder / "images"
        self._anns_folder = self._base_folder / "annotations"
        self._segs_folder = self._anns_folder / "trimaps"
        if download:
            self._download()
        if not self._check_exists():
            raise RuntimeError(NOT_FOUND)
        rows = [line.split() for line in (self._anns_folder / f"{split}.txt").read_text().splitlines()]
        self._labels = [int(label) - 1 for _, label, _, _ in rows]
        self._bin_labels = [int(label) - 1 for _, _, label, _ in rows]
        breeds = {(name.rsplit("_", 1)[0], int(label)) for name, label, _, _ in rows}
        self.classes = [
            " ".join(part.title() for part in breed.split("_"))
            for breed, _ in sorted(breeds, key=lambda breed_and_label: breed_and_label[1])
        ]
        self.bin_classes = ["Cat", "Dog"]
        self.bin_class_to_idx = {name: i for i, name in enumerate(self.bin_classes)}
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self._images = [self._images_folder / f"{name}.jpg" for name, _, _, _ in rows]
        self._segs = [self._segs_folder / f"{name}.png" for name, _, _, _ in rows]

    def __len__(self) -> int:
        return len(self._images)

    def _target(self, kind: str, idx: int) -> Any:
        if kind == "segmentation":
            return open_picture(self._segs[idx])
        return (self._labels if kind == "category" else self._bin_labels)[idx]

    def __getitem__(self, idx: int) -> tuple[Any, Any]:
        picture = open_picture(self._images[idx], "RGB")
        targets = tuple(self._target(kind, idx) for kind in self._target_types)
        target = (targets if len(targets) > 1 else targets[0]) if targets else None
        return (picture, target) if self.transforms is None else self.transforms(picture, target)

    def _check_exists(self) -> bool:
        return self._images_folder.is_dir() and self._anns_folder.is_dir()

    def _download(self) -> None:
        if self._check_exists():
            return
        for url, md5 in self._RESOURCES:
            download_and_extract_archive(url, download_root=str(self._base_folder), md5=md5)
