"""Pictures in files that a data set lists when it is made."""

from collections.abc import Callable
from typing import Any

from .vision import VisionDataset

NOT_FOUND = "Dataset not found. You can use download=True to download it"
NOT_FOUND_OR_CORRUPTED = "Dataset not found or corrupted. You can use download=True to download it"


class ListedPictures(VisionDataset):
    """Item i is the picture of `_image_files[i]`, by `loader`, with `_labels[i]`. Prints its split, if it has any."""

    _image_files: list[Any]
    _labels: list[Any]
    _split: str
    loader: Callable[[Any], Any]

    def __len__(self) -> int:
        return len(self._image_files)

    def __getitem__(self, idx: int) -> tuple[Any, Any]:
        return self._transformed(self.loader(self._image_files[idx]), self._labels[idx])

    def extra_repr(self) -> str:
        return f"split={self._split}"


class SampledPictures(VisionDataset):
    """The same for a data set that keeps (file, label) in `_samples`."""

    _samples: list[tuple[Any, Any]]
    loader: Callable[[Any], Any]

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, idx: int) -> tuple[Any, Any]:
        path, label = self._samples[idx]
        return self._transformed(self.loader(path), label)
