"""Same as torchvision.datasets.flowers102: flowers of Great Britain."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._files import loadmat
from ._listed import NOT_FOUND_OR_CORRUPTED, ListedPictures
from .folder import default_loader
from .utils import check_integrity, download_and_extract_archive, download_url, verify_str_arg


class Flowers102(ListedPictures):
    """Same as torchvision.datasets.Flowers102, from `root/flowers-102`: "train", "val" or "test". Needs SciPy."""

    _download_url_prefix = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
    _file_dict = {
        "image": ("102flowers.tgz", "52808999861908f626f3c1f4e79d11fa"),
        "label": ("imagelabels.mat", "e0620be6f572b9609742df49c70aed4d"),
        "setid": ("setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c"),
    }
    _splits_map = {"train": "trnid", "val": "valid", "test": "tstid"}

    def __init__(
        self,
        root: str | Path,
        split: str = "train",
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
        loader: Callable[[str | Path], Any] = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = verify_str_arg(split, "split", ("train", "val", "test"))
        self._base_folder = Path(self.root) / "flowers-102"
        self._images_folder = self._base_folder / "jpg"
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError(NOT_FOUND_OR_CORRUPTED)
        ids = self._load("setid")[self._splits_map[split]].tolist()
        labels = (self._load("label")["labels"] - 1).tolist()
        self._labels = [labels[i - 1] for i in ids]
        self._image_files = [self._images_folder / f"image_{i:05d}.jpg" for i in ids]
        self.loader = loader

    def _load(self, part: str) -> dict[str, Any]:
        return loadmat(self._base_folder / self._file_dict[part][0], "Flowers102's labels", squeeze_me=True)

    def _check_integrity(self) -> bool:
        return self._images_folder.is_dir() and all(
            check_integrity(str(self._base_folder / name), md5)
            for name, md5 in (self._file_dict["label"], self._file_dict["setid"])
        )

    def download(self) -> None:
        """Downloads and unpacks what is not there."""
        if self._check_integrity():
            return
        name, md5 = self._file_dict["image"]
        download_and_extract_archive(self._download_url_prefix + name, str(self._base_folder), md5=md5)
        for name, md5 in (self._file_dict["label"], self._file_dict["setid"]):
            download_url(self._download_url_prefix + name, str(self._base_folder), md5=md5)

    # the classes' names, in the order of their numbers
    classes = (
        "pink primrose|hard-leaved pocket orchid|canterbury bells|sweet pea|english marigold|tiger lily|"
        "moon orchid|bird of paradise|monkshood|globe thistle|snapdragon|colt's foot|king protea|spear thistle|"
        "yellow iris|globe-flower|purple coneflower|peruvian lily|balloon flower|giant white arum lily|fire lily|"
        "pincushion flower|fritillary|red ginger|grape hyacinth|corn poppy|prince of wales feathers|"
        "stemless gentian|artichoke|sweet william|carnation|garden phlox|love in the mist|mexican aster|"
        "alpine sea holly|ruby-lipped cattleya|cape flower|great masterwort|siam tulip|lenten rose|barbeton daisy|"
        "daffodil|sword lily|poinsettia|bolero deep blue|wallflower|marigold|buttercup|oxeye daisy|"
        "common dandelion|petunia|wild pansy|primula|sunflower|pelargonium|bishop of llandaff|gaura|geranium|"
        "orange dahlia|pink-yellow dahlia?|cautleya spicata|japanese anemone|black-eyed susan|silverbush|"
        "californian poppy|osteospermum|spring crocus|bearded iris|windflower|tree poppy|gazania|azalea|water lily|"
        "rose|thorn apple|morning glory|passion flower|lotus|toad lily|anthurium|frangipani|clematis|hibiscus|"
        "columbine|desert-rose|tree mallow|magnolia|cyclamen|watercress|canna lily|hippeastrum|bee balm|ball moss|"
        "foxglove|bougainvillea|camellia|mallow|mexican petunia|bromelia|blanket flower|trumpet creeper|"
        "blackberry lily"
    ).split("|")
