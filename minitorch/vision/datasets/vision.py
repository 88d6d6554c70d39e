"""What every data set of pictures has: a root, transforms, and a printed form that names them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from minitorch.utils.data import Dataset

T_co = TypeVar("T_co", covariant=True)


def _headed(head: str, transform: Any) -> list[str]:
    """The lines of a transform's repr: `head` before the first, blanks of its width before the others."""
    first, *others = repr(transform).splitlines()
    return [head + first, *(" " * len(head) + line for line in others)]


class VisionDataset(Dataset[T_co]):
    """Same as torchvision.datasets.VisionDataset: subclasses have `__getitem__` and `__len__`.

    `transforms` takes picture and target and returns both; `transform` and `target_transform` take one each. Giving
    both kinds is a ValueError.

    >>> class Squares(VisionDataset):
    ...     def __len__(self):
    ...         return 3
    >>> print(Squares("data"))
    Dataset Squares
        Number of datapoints: 3
        Root location: data
    """

    _repr_indent = 4

    def __init__(
        self,
        root: str | Path | None = None,
        transforms: Callable | None = None,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
    ) -> None:
        self.root: Any = os.path.expanduser(root) if isinstance(root, str) else root
        separate = transform is not None or target_transform is not None
        if transforms is not None and separate:
            raise ValueError("Only transforms or transform/target_transform can be passed as argument")
        self.transform = transform
        self.target_transform = target_transform
        self.transforms = StandardTransform(transform, target_transform) if separate else transforms

    def __getitem__(self, index: int) -> T_co:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if getattr(self, "transforms", None) is not None:
            body.append(repr(self.transforms))
        return "\n".join([f"Dataset {type(self).__name__}", *(" " * self._repr_indent + line for line in body)])

    def _format_transform_repr(self, transform: Callable, head: str) -> list[str]:
        return _headed(head, transform)

    def _transformed(self, picture: Any, target: Any) -> tuple[Any, Any]:
        """Both through the attributes `transform` and `target_transform`, which programs replace after construction."""
        if self.transform is not None:
            picture = self.transform(picture)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return picture, target

    def extra_repr(self) -> str:
        """Further lines of the printed form."""
        return ""


class StandardTransform:
    """One transform for pictures and one for targets, as a transform of both."""

    def __init__(self, transform: Callable | None = None, target_transform: Callable | None = None) -> None:
        self.transform = transform
        self.target_transform = target_transform

    def __call__(self, input: Any, target: Any) -> tuple[Any, Any]:
        if self.transform is not None:
            input = self.transform(input)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return input, target

    def _format_transform_repr(self, transform: Callable, head: str) -> list[str]:
        return _headed(head, transform)

    def __repr__(self) -> str:
        body = [type(self).__name__]
        if self.transform is not None:
            body += _headed("Transform: ", self.transform)
        if self.target_transform is not None:
            body += _headed("Target transform: ", self.target_transform)
        return "\n".join(body)
