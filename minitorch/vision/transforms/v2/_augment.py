"""Transforms of v2 that erase, or mix the images of a batch."""

import math
from collections.abc import Sequence
from typing import Any

import minitorch as torch
import minitorch.nn.functional
from minitorch import Tensor
from minitorch.utils._pytree import tree_flatten, tree_unflatten

from ...tv_tensors import BoundingBoxes, Image, KeyPoints, Mask, Video, wrap
from .._base import check_sequence, integer
from .._colors import RandomErasing as _RandomErasingV1
from .._colors import random_erasure
from . import functional as F
from ._transform import (
    RandomlyApplied,
    Transform,
    has_any,
    is_pil_image,
    is_pure_tensor,
    labels_function,
    query_chw,
    query_size,
)


class RandomErasing(RandomlyApplied):
    """With probability p a rectangle set to `value`, or to noise if that is "random"."""

    get_params = staticmethod(_RandomErasingV1.get_params)

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0.0,
        inplace: bool = False,
    ) -> None:
        super().__init__(p=p)
        _RandomErasingV1(p, scale, ratio, value)
        self.scale = scale
        self.ratio = ratio
        self.value: list[float] | None
        if isinstance(value, str):
            self.value = None
        else:
            self.value = [float(v) for v in (value if isinstance(value, (list, tuple)) else [value])]
        self.inplace = inplace

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        size = query_chw(flat_inputs)
        if self.value is not None and len(self.value) not in (1, size[0]):
            raise ValueError(
                f"If value is a sequence, it should have either a single value or {size[0]} (number of inpt channels)"
            )
        where = random_erasure(size, self.scale, self.ratio, self.value)
        return {} if where is None else dict(zip("ijhwv", where))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.erase, inpt, **params, inplace=self.inplace) if params else inpt


class _Mixing(Transform):
    """Base of the two that mix a batch with itself moved on by one; labels become probabilities."""

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None, labels_getter: Any = "default") -> None:
        super().__init__()
        self.alpha = float(alpha)
        self.num_classes = num_classes
        self._labels_getter = labels_function(labels_getter)

    def _share(self) -> float:
        """From the Beta distribution of alpha, alpha."""
        alpha = torch.tensor([[self.alpha, self.alpha]])
        return torch._sample_dirichlet(alpha)[0, 0].item()  # type: ignore[attr-defined]

    def _check_labels(self, labels: Any) -> None:
        if not isinstance(labels, Tensor):
            raise ValueError(f"The labels must be a tensor, but got {type(labels)} instead.")
        if labels.ndim not in (1, 2):
            raise ValueError(
                "labels should be index based with shape (batch_size,) or probability based with shape (batch_size, "
                f"num_classes), but got a tensor of shape {labels.shape} instead."
            )
        if labels.ndim == 2 and self.num_classes is not None and labels.shape[-1] != self.num_classes:
            raise ValueError(
                "When passing 2D labels, the number of elements in last dimension must match num_classes: "
                f"{labels.shape[-1]} != {self.num_classes}. You can Leave num_classes to None."
            )
        if labels.ndim == 1 and self.num_classes is None:
            raise ValueError("num_classes must be passed if the labels are index-based (1D)")

    def forward(self, *inputs: Any) -> Any:
        tree = inputs if len(inputs) > 1 else inputs[0]
        flat_inputs, spec = tree_flatten(tree)
        if has_any(flat_inputs, is_pil_image, BoundingBoxes, Mask, KeyPoints):
            raise ValueError(
                f"{type(self).__name__}() does not support PIL images, bounding boxes, keypoints and masks."
            )
        labels = self._labels_getter(tree)
        self._check_labels(labels)
        changed = self._changed(flat_inputs)
        params = self.make_params([inpt for inpt, wanted in zip(flat_inputs, changed) if wanted])
        outputs = []
        for inpt, wanted in zip(flat_inputs, changed):
            if inpt is labels:
                inpt = self._mixed_labels(inpt, params["label_share"])
            elif wanted and (isinstance(inpt, (Image, Video)) or is_pure_tensor(inpt)):
                self._check_batch(inpt, len(labels))
                inpt = self.transform(inpt, params)
            outputs.append(inpt)
        return tree_unflatten(outputs, spec)

    def _check_batch(self, inpt: Tensor, batch_size: int) -> None:
        expected = 5 if isinstance(inpt, Video) else 4
        if inpt.ndim != expected:
            raise ValueError(f"Expected a batched input with {expected} dims, but got {inpt.ndim} dimensions instead.")
        if inpt.shape[0] != batch_size:
            raise ValueError(
                "The batch size of the image or video does not match the batch size of the labels: "
                f"{inpt.shape[0]} != {batch_size}."
            )

    def _mixed_labels(self, labels: Tensor, share: float) -> Tensor:
        if labels.ndim == 1:
            labels = minitorch.nn.functional.one_hot(labels, num_classes=self.num_classes or -1)
        return _mixed(labels if labels.is_floating_point() else labels.float(), share)


def _mixed(x: Tensor, share: float) -> Tensor:
    return x.roll(1, 0).mul_(1.0 - share).add_(x.mul(share))


def _like(output: Tensor, inpt: Tensor) -> Any:
    return output if is_pure_tensor(inpt) else wrap(output, like=inpt)


class MixUp(_Mixing):
    """A random share of each image plus the rest of the one before it (https://arxiv.org/abs/1710.09412).

    >>> import minitorch as torch
    >>> images, labels = MixUp(num_classes=3)(torch.rand(2, 3, 4, 4), torch.tensor([0, 2]))
    >>> labels.sum(1)
    tensor([1., 1.])
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return dict(label_share=self._share())

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return _like(_mixed(inpt.as_subclass(Tensor), params["label_share"]), inpt)


class CutMix(_Mixing):
    """Each image with a rectangle of the one before it (https://arxiv.org/abs/1905.04899)."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        share = self._share()
        height, width = query_size(flat_inputs)
        x, y = integer(0, width), integer(0, height)
        half = 0.5 * math.sqrt(1.0 - share)
        half_w, half_h = int(half * width), int(half * height)
        x1, y1, x2, y2 = max(x - half_w, 0), max(y - half_h, 0), min(x + half_w, width), min(y + half_h, height)
        return dict(box=(x1, y1, x2, y2), label_share=1.0 - (x2 - x1) * (y2 - y1) / (width * height))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        x1, y1, x2, y2 = params["box"]
        plain = inpt.as_subclass(Tensor)
        output = plain.clone()
        output[..., y1:y2, x1:x2] = plain.roll(1, 0)[..., y1:y2, x1:x2]
        return _like(output, inpt)


class JPEG(Transform):
    """As a JPEG file of a random quality, 1 to 100, would show it."""

    def __init__(self, quality: int | Sequence[int]) -> None:
        super().__init__()
        if isinstance(quality, bool):
            raise TypeError("quality can't be bool")
        if isinstance(quality, int):
            quality = [quality, quality]
        else:
            check_sequence(quality, "quality", (2,))
        if not (1 <= quality[0] <= quality[1] <= 100 and all(isinstance(q, int) for q in quality)):
            raise ValueError(f"quality must be an integer from 1 to 100, got quality ={quality!r}")
        self.quality = quality

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return dict(quality=integer(self.quality[0], self.quality[1] + 1))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.jpeg, inpt, quality=params["quality"])
