"""Same as torchvision.datasets.fakedata: noise in the place of pictures."""

from collections.abc import Callable
from typing import Any

import minitorch as torch

from .vision import VisionDataset


class FakeData(VisionDataset):
    """Same as torchvision.datasets.FakeData: picture i is noise from the seed i + `random_offset`, as is its class."""

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size = size
        self.num_classes = num_classes
        self.image_size = image_size
        self.random_offset = random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range")
        from minitorch.vision.transforms import ToPILImage

        generator = torch.Generator().manual_seed(index + self.random_offset)
        pixels = torch.randn(*self.image_size, generator=generator)
        target: Any = torch.randint(0, self.num_classes, size=(1,), dtype=torch.long, generator=generator)[0]
        picture, target = self._transformed(ToPILImage()(pixels), target)
        return picture, target.item()

    def __len__(self) -> int:
        return self.size
