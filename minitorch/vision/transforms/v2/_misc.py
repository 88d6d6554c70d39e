"""Transforms of v2 for dtypes, classes, values, boxes and points."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import minitorch as torch
from minitorch import Tensor
from minitorch.utils._pytree import tree_flatten, tree_unflatten

from ...tv_tensors import BoundingBoxes, Image, KeyPoints, Mask, TVTensor, Video, wrap
from .._base import size_pair, uniform
from .._colors import GaussianBlur as _GaussianBlurV1
from .._containers import LinearTransformation as _LinearTransformationV1
from . import functional as F
from ._transform import (
    Transform,
    get_bounding_boxes,
    get_keypoints,
    has_any,
    is_pil_image,
    is_pure_tensor,
    labels_function,
    pair_of_floats,
)
from .functional._pictures import valid_boxes, valid_points


class Identity(Transform):
    """Every input as it is."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return inpt


class Lambda(Transform):
    """A function as a transform, for inputs of the given types or for all."""

    _transformed_types = (object,)

    def __init__(self, lambd: Callable[[Any], Any], *types: type) -> None:
        super().__init__()
        self.lambd = lambd
        self.types = types or self._transformed_types

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self.lambd(inpt) if isinstance(inpt, self.types) else inpt

    def extra_repr(self) -> str:
        name = getattr(self.lambd, "__name__", None)
        return ", ".join([*([name] if name else []), f"types={[t.__name__ for t in self.types]}"])


class _OfTensors(Transform):
    def check_inputs(self, flat_inputs: list[Any]) -> None:
        if has_any(flat_inputs, is_pil_image):
            raise TypeError(f"{type(self).__name__}() does not support PIL images.")


class Normalize(_OfTensors):
    """Each channel less its mean, over its standard deviation."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        super().__init__()
        self.mean = list(mean)
        self.std = list(std)
        self.inplace = inplace

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.normalize, inpt, mean=self.mean, std=self.std, inplace=self.inplace)


class LinearTransformation(_OfTensors):
    """The flattened tensor less `mean_vector`, times a square matrix."""

    _transformed_types = (is_pure_tensor, Image, Video)

    def __init__(self, transformation_matrix: Tensor, mean_vector: Tensor) -> None:
        super().__init__()
        _LinearTransformationV1(transformation_matrix, mean_vector)  # which checks both
        self.transformation_matrix = transformation_matrix
        self.mean_vector = mean_vector

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        output = _LinearTransformationV1(self.transformation_matrix, self.mean_vector)(inpt.as_subclass(Tensor))
        return output if is_pure_tensor(inpt) else wrap(output, like=inpt)


class GaussianBlur(Transform):
    """Blurred by a bell curve whose sigma is drawn from a range."""

    get_params = staticmethod(_GaussianBlurV1.get_params)

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = size_pair(kernel_size, "Kernel size should be a tuple/list of two integers")
        if any(size <= 0 or size % 2 == 0 for size in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        self.sigma = pair_of_floats(sigma, "sigma")
        if not 0.0 < self.sigma[0] <= self.sigma[1]:
            raise ValueError(f"sigma values should be positive and of the form (min, max). Got {self.sigma}")

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return dict(sigma=[uniform(*self.sigma)] * 2)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.gaussian_blur, inpt, list(self.kernel_size), **params)


class GaussianNoise(Transform):
    """With noise from a normal distribution added, for images counted from 0 to 1."""

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        super().__init__()
        self.mean = mean
        self.sigma = sigma
        self.clip = clip

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.gaussian_noise, inpt, mean=self.mean, sigma=self.sigma, clip=self.clip)


# ---------------------------------------------------------------------- dtypes and classes
class ToDtype(Transform):
    """In another dtype: images and videos in the one given, or each class in the one that a dict says.

    >>> import minitorch as torch
    >>> ToDtype(torch.float32, scale=True)(torch.tensor([[[255]]], dtype=torch.uint8))
    tensor([[[1.]]])
    """

    _transformed_types = (Tensor,)

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        super().__init__()
        if not isinstance(dtype, (dict, torch.dtype)):
            raise ValueError(f"dtype must be a dict or a torch.dtype, got {type(dtype)} instead")
        if isinstance(dtype, dict) and Tensor in dtype and (Image in dtype or Video in dtype):
            warnings.warn(
                "Got `dtype` values for `torch.Tensor` and either `tv_tensors.Image` or `tv_tensors.Video`. "
                "Note that a plain `torch.Tensor` will *not* be transformed by this (or any other transformation) "
                "in case a `tv_tensors.Image` or `tv_tensors.Video` is present in the input.",
                stacklevel=2,
            )
        self.dtype = dtype
        self.scale = scale

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        is_picture = is_pure_tensor(inpt) or isinstance(inpt, (Image, Video))
        if isinstance(self.dtype, torch.dtype):
            dtype = self.dtype if is_picture else None
        elif type(inpt) in self.dtype:
            dtype = self.dtype[type(inpt)]
        elif "others" in self.dtype:
            dtype = self.dtype["others"]
        else:
            raise ValueError(
                f"No dtype was specified for type {type(inpt)}. If you only need to convert the dtype of images or "
                "videos, you can just pass e.g. dtype=torch.float32. If you're passing a dict as dtype, you can use "
                '"others" as a catch-all key e.g. dtype={tv_tensors.Mask: torch.int64, "others": None} to '
                "pass-through the rest of the inputs."
            )
        if dtype is not None:
            return self._call_kernel(F.to_dtype, inpt, dtype=dtype, scale=self.scale)
        if self.scale and is_picture:
            warnings.warn(
                "scale was set to True but no dtype was specified for images or videos: no scaling will be done.",
                stacklevel=2,
            )
        return inpt


class ConvertImageDtype(Transform):
    """Images in another dtype, full brightness staying full brightness."""

    def __init__(self, dtype: Any = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.to_dtype, inpt, dtype=self.dtype, scale=True)


class PILToTensor(Transform):
    """A PIL image as a tensor (C, H, W) of the same numbers."""

    _transformed_types = (is_pil_image,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.pil_to_tensor(inpt)


class ToImage(Transform):
    """A PIL image, an array (H, W, C) or a plain tensor as a tv_tensors.Image of the same numbers."""

    _transformed_types = (is_pure_tensor, is_pil_image, np.ndarray)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.to_image(inpt)


class ToPILImage(Transform):
    """A tensor (C, H, W) or an array (H, W, C) as a PIL image."""

    _transformed_types = (is_pure_tensor, Image, np.ndarray)

    def __init__(self, mode: str | None = None) -> None:
        super().__init__()
        self.mode = mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.to_pil_image(inpt.as_subclass(Tensor) if isinstance(inpt, Tensor) else inpt, mode=self.mode)


class ToPureTensor(Transform):
    """tv_tensors as plain tensors."""

    _transformed_types = (TVTensor,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return inpt.as_subclass(Tensor)


class ToTensor(Transform):
    """Deprecated: a PIL image or array of bytes as a float tensor (C, H, W) from 0 to 1."""

    _transformed_types = (is_pil_image, np.ndarray)

    def __init__(self) -> None:
        warnings.warn(
            "The transform `ToTensor()` is deprecated and will be removed in a future release. "
            "Instead, please use `v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])`."
            "Output is equivalent up to float precision.",
            stacklevel=2,
        )
        super().__init__()

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.to_tensor(inpt)


class UniformTemporalSubsample(Transform):
    """`num_samples` frames of a video, evenly spread."""

    _transformed_types = (Tensor,)

    def __init__(self, num_samples: int) -> None:
        super().__init__()
        self.num_samples = num_samples

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.uniform_temporal_subsample, inpt, self.num_samples)


# ---------------------------------------------------------------------- boxes and points
class ConvertBoundingBoxFormat(Transform):
    """Boxes in another format."""

    _transformed_types = (BoundingBoxes,)

    def __init__(self, format: Any) -> None:
        super().__init__()
        self.format = format

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.convert_bounding_box_format(inpt, new_format=self.format)


class ClampBoundingBoxes(Transform):
    """The part of each box that is on its canvas."""

    _transformed_types = (BoundingBoxes,)

    def __init__(self, clamping_mode: str | None = "auto") -> None:
        super().__init__()
        self.clamping_mode = clamping_mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.clamp_bounding_boxes(inpt, clamping_mode=self.clamping_mode)


class ClampKeyPoints(Transform):
    """The points, those beyond their canvas moved to its edge."""

    _transformed_types = (KeyPoints,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.clamp_keypoints(inpt)


class SetClampingMode(Transform):
    """The boxes with another clamping mode: "soft", "hard" or None."""

    _transformed_types = (BoundingBoxes,)

    def __init__(self, clamping_mode: str | None) -> None:
        super().__init__()
        self.clamping_mode = clamping_mode
        if clamping_mode not in (None, "soft", "hard"):
            raise ValueError(f"clamping_mode must be soft, hard or None, got {clamping_mode}")

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return wrap(inpt.as_subclass(Tensor).clone(), like=inpt, clamping_mode=self.clamping_mode)


class _Sanitizing(Transform):
    """Base of those that take bad entries out of boxes or points, and out of their labels and masks."""

    labels_getter: Any
    _labels_getter: Callable[[Any], Any]
    _filtered: Any

    def _valid(self, flat_inputs: list[Any], labels: tuple[Any, ...]) -> Tensor:
        raise NotImplementedError

    def forward(self, *inputs: Any) -> Any:
        tree = inputs if len(inputs) > 1 else inputs[0]
        labels = self._labels_getter(tree)
        labels = () if labels is None else labels
        if not isinstance(labels, (Tensor, tuple, list)):
            raise ValueError(
                f"The labels in the input to forward() must be a tensor or None, got {type(labels)} instead."
            )
        labels = (labels,) if isinstance(labels, Tensor) else tuple(labels)
        for entry in labels:
            if not isinstance(entry, Tensor):
                raise ValueError(
                    f"The labels in the input to forward() must be a tensor or None, got {type(entry)} instead."
                )
        flat_inputs, spec = tree_flatten(tree)
        valid = self._valid(flat_inputs, labels)
        outputs: list[Any] = []
        for inpt in flat_inputs:
            if any(inpt is label for label in labels):
                inpt = inpt[valid]
            elif isinstance(inpt, self._filtered) and (not isinstance(inpt, Mask) or len(inpt) == len(valid)):
                inpt = wrap(inpt.as_subclass(Tensor)[valid], like=inpt)
            outputs.append(inpt)
        return tree_unflatten(outputs, spec)


class SanitizeBoundingBoxes(_Sanitizing):
    """Without boxes that are too small or beyond their canvas, and without their labels and masks.

    >>> import minitorch as torch
    >>> from minitorch.vision.tv_tensors import BoundingBoxes
    >>> boxes = BoundingBoxes([[0, 0, 2, 2], [1, 1, 1, 1]], format="XYXY", canvas_size=(4, 4))
    >>> SanitizeBoundingBoxes()({"boxes": boxes, "labels": torch.tensor([5, 6])})["labels"]
    tensor([5])
    """

    _filtered = (BoundingBoxes, Mask)

    def __init__(self, min_size: float = 1.0, min_area: float = 1.0, labels_getter: Any = "default") -> None:
        super().__init__()
        if min_size < 1:
            raise ValueError(f"min_size must be >= 1, got {min_size}.")
        self.min_size = min_size
        if min_area < 1:
            raise ValueError(f"min_area must be >= 1, got {min_area}.")
        self.min_area = min_area
        self.labels_getter = labels_getter
        self._labels_getter = labels_function(labels_getter)

    def _valid(self, flat_inputs: list[Any], labels: tuple[Any, ...]) -> Tensor:
        boxes = get_bounding_boxes(flat_inputs)
        for label in labels:
            if boxes.shape[0] != label.shape[0]:
                raise ValueError(
                    f"Number of boxes (shape={boxes.shape}) and must match the number of labels."
                    f"Found labels with shape={label.shape})."
                )
        return valid_boxes(boxes, boxes.format, boxes.canvas_size, self.min_size, self.min_area)


class SanitizeKeyPoints(_Sanitizing):
    """Without points that are beyond their canvas, and without their labels."""

    _filtered = (KeyPoints,)

    def __init__(self, labels_getter: Any = None) -> None:
        super().__init__()
        self.labels_getter = labels_getter
        self._labels_getter = labels_function(labels_getter)

    def _valid(self, flat_inputs: list[Any], labels: tuple[Any, ...]) -> Tensor:
        points = get_keypoints(flat_inputs)
        for label in labels:
            if points.shape[0] != label.shape[0]:
                raise ValueError(
                    f"Number of kepyoints (shape={points.shape}) must match the number of labels."
                    f"Found labels with shape={label.shape})."
                )
        return valid_points(points, points.canvas_size)
