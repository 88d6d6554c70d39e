"""Same as torchvision.datasets.stanford_cars: 196 models of cars."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._files import loadmat
from ._listed import SampledPictures
from .folder import default_loader
from .utils import verify_str_arg


class StanfordCars(SampledPictures):
    """Same as torchvision.datasets.StanfordCars, from `root/stanford_cars`: `split` is "train" or "test". Needs SciPy.

    The site that had it is gone, so `download=True` is a ValueError.
    """

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
        loader: Callable[[str], Any] = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", ("train", "test"))
        self._base_folder = Path(root) / "stanford_cars"
        devkit = self._base_folder / "devkit"
        self._images_base_path = self._base_folder / f"cars_{split}"
        if split == "train":
            self._annotations_mat_path = devkit / "cars_train_annos.mat"
        else:
            self._annotations_mat_path = self._base_folder / "cars_test_annos_withlabels.mat"
        if download:
            self.download()
        if not (devkit.is_dir() and self._annotations_mat_path.exists() and self._images_base_path.is_dir()):
            raise RuntimeError("Dataset not found.")
        annotations = loadmat(self._annotations_mat_path, "StanfordCars' annotations", squeeze_me=True)["annotations"]
        self._samples = [(str(self._images_base_path / a["fname"]), a["class"] - 1) for a in annotations]
        names = loadmat(devkit / "cars_meta.mat", "StanfordCars' annotations", squeeze_me=True)["class_names"]
        self.classes = names.tolist()
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        self.loader = loader

    def download(self) -> None:
        """Raises ValueError."""
        raise ValueError("The original URL is broken so the StanfordCars dataset cannot be downloaded anymore.")
