"""What the transforms of v2 share: finding what to change in a nest of inputs, and drawing for all of it once."""

import enum
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import minitorch as torch
from minitorch import Tensor, nn
from minitorch.utils._pytree import tree_flatten, tree_unflatten

from ..._pillow import is_pil_image
from ...tv_tensors import BoundingBoxes, Image, KeyPoints, Mask, Video
from .functional._pictures import get_num_channels, get_size
from .functional._registry import find_kernel, is_pure_tensor


# ---------------------------------------------------------------------- questions about the inputs
def check_type(obj: Any, types_or_checks: Sequence[Any]) -> bool:
    """Whether the object is of one of the types, or passes one of the checks."""
    return any(isinstance(obj, t) if isinstance(t, type) else t(obj) for t in types_or_checks)


def has_any(flat_inputs: list[Any], *types_or_checks: Any) -> bool:
    """Whether any input is of one of the types, or passes one of the checks."""
    return any(check_type(inpt, types_or_checks) for inpt in flat_inputs)


def has_all(flat_inputs: list[Any], *types_or_checks: Any) -> bool:
    """Whether for each of the types or checks there is an input."""
    return all(has_any(flat_inputs, t) for t in types_or_checks)


def get_bounding_boxes(flat_inputs: list[Any]) -> Any:
    """The first boxes among the inputs."""
    for inpt in flat_inputs:
        if isinstance(inpt, BoundingBoxes):
            return inpt
    raise ValueError("No bounding boxes were found in the sample")


def get_keypoints(flat_inputs: list[Any]) -> Any:
    """The first key points among the inputs."""
    for inpt in flat_inputs:
        if isinstance(inpt, KeyPoints):
            return inpt
    raise ValueError("No keypoints were found in the sample")


PICTURES = (is_pure_tensor, Image, is_pil_image, Video)


def _only(found: set[tuple[int, ...]], none: str, many: str) -> tuple[int, ...]:
    if not found:
        raise TypeError(none)
    if len(found) > 1:
        sizes = ", ".join([f"'{one}'" for one in sorted(found)])
        raise ValueError(f"{many} dimensions in the sample: {sizes}")
    return found.pop()


def query_chw(flat_inputs: list[Any]) -> tuple[int, ...]:
    """Channels, height and width of the pictures, which must be the same for all."""
    found = {(get_num_channels(i), *get_size(i)) for i in flat_inputs if check_type(i, PICTURES)}
    return _only(found, "No image or video was found in the sample", "Found multiple CxHxW")


def query_size(flat_inputs: list[Any]) -> tuple[int, ...]:
    """Height and width of the inputs, which must be the same for all."""
    kinds = (*PICTURES, Mask, BoundingBoxes, KeyPoints)
    found = {tuple(get_size(i)) for i in flat_inputs if check_type(i, kinds)}
    none = "No image, video, mask, bounding box of keypoint was found in the sample"
    return _only(found, none, "Found multiple HxW")


# ---------------------------------------------------------------------- arguments
def fill_table(fill: Any) -> dict[Any, Any]:
    """What to fill with, for each class of inputs and for "others"."""
    if isinstance(fill, dict):
        return {kind: fill_table(value)["others"] for kind, value in fill.items()}
    if fill is not None and not isinstance(fill, (numbers.Number, tuple, list)):
        raise TypeError("Got inappropriate fill arg, only Numbers, tuples, lists and dicts are allowed.")
    values: Any = fill
    return {"others": fill if fill is None or isinstance(fill, (int, float)) else [float(v) for v in values]}


def fill_of(table: dict[Any, Any], inpt: Any) -> Any:
    return table.get(type(inpt), table.get("others"))


def pair_of_floats(arg: Any, name: str) -> list[float]:
    if not isinstance(arg, (int, float, Sequence)):
        raise TypeError(f"{name} should be a number or a sequence of numbers. Got {type(arg)}")
    values = list(arg) if isinstance(arg, Sequence) else [arg]
    if len(values) not in (1, 2):
        raise ValueError(f"If {name} is a sequence its length should be 1 or 2. Got {len(values)}")
    for element in values:
        if not isinstance(element, (int, float)):
            raise ValueError(f"{name} should be a sequence of numbers. Got {type(element)}")
    return [float(values[0]), float(values[-1])]


def _default_labels(inputs: Any) -> Any:
    inputs = inputs[1] if isinstance(inputs, (tuple, list)) else inputs
    if is_pure_tensor(inputs):
        return inputs
    if not isinstance(inputs, Mapping):
        raise ValueError(
            "When using the default labels_getter, the input passed to forward must be a dictionary or a two-tuple "
            f"whose second item is a dictionary or a tensor, but got {inputs} instead."
        )
    keys = [k for k in inputs if k.lower() == "labels"] + [k for k in inputs if "label" in k.lower()]
    if not keys:
        raise ValueError(
            "Could not infer where the labels are in the sample. Try passing a callable as the labels_getter parameter?"
            "If there are no labels in the sample by design, pass labels_getter=None."
        )
    return inputs[keys[0]]


def _no_labels(inputs: Any) -> None:
    return None


def labels_function(labels_getter: Any) -> Callable[[Any], Any]:
    """The function that finds the labels in the inputs: in a dictionary by default, or a pair's second item."""
    if labels_getter == "default":
        return _default_labels
    if labels_getter is None:
        return _no_labels
    if callable(labels_getter):
        return labels_getter
    raise ValueError(f"labels_getter should either be 'default', a callable, or None, but got {labels_getter}.")


def _flattened(inputs: tuple[Any, ...]) -> tuple[list[Any], Any]:
    """The leaves of what a transform was called with, and how they are nested: None for a single tensor."""
    if len(inputs) == 1 and isinstance(inputs[0], Tensor):
        return [inputs[0]], None
    return tree_flatten(inputs if len(inputs) > 1 else inputs[0])


def _nested(flat_outputs: list[Any], spec: Any) -> Any:
    return flat_outputs[0] if spec is None else tree_unflatten(flat_outputs, spec)


# ---------------------------------------------------------------------- the base
class Transform(nn.Module):
    """Base of all transforms: draws once, in `make_params`, then calls `transform` for each input that is changed.

    Inputs may be nested in tuples, lists and dicts. A plain tensor counts as an image if there is no other image.

    >>> import minitorch as torch
    >>> class Negative(Transform):
    ...     def transform(self, inpt, params):
    ...         return -inpt
    >>> Negative()({"image": torch.ones(1, 1, 1), "labels": torch.ones(2), "name": "one"})
    {'image': tensor([[[-1.]]]), 'labels': tensor([1., 1.]), 'name': 'one'}
    """

    _transformed_types: tuple[Any, ...] = (Tensor, is_pil_image)

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raises if the transform cannot be applied."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """What is drawn, the same for all inputs."""
        return {}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The result for one input."""
        raise NotImplementedError

    def _call_kernel(self, functional: Callable[..., Any], inpt: Any, *args: Any, **kwargs: Any) -> Any:
        """The functional of an input, or the input itself if nothing is defined for its class."""
        kernel = find_kernel(functional, inpt)
        return inpt if kernel is None else functional(inpt, *args, **kwargs)

    def _changed(self, flat_inputs: list[Any]) -> list[bool]:
        """Which inputs are changed; of plain tensors only the first, and only if there is no other image."""
        plain_wanted = len(flat_inputs) == 1 or not has_any(flat_inputs, Image, Video, is_pil_image)
        changed = []
        for inpt in flat_inputs:
            wanted = check_type(inpt, self._transformed_types)
            if wanted and is_pure_tensor(inpt):
                wanted, plain_wanted = plain_wanted, False
            changed.append(wanted)
        return changed

    def _forward_flat(self, flat_inputs: list[Any]) -> list[Any]:
        changed = self._changed(flat_inputs)
        params = self.make_params([inpt for inpt, wanted in zip(flat_inputs, changed) if wanted])
        return [self.transform(inpt, params) if wanted else inpt for inpt, wanted in zip(flat_inputs, changed)]

    def forward(self, *inputs: Any) -> Any:
        flat_inputs, spec = _flattened(inputs)
        self.check_inputs(flat_inputs)
        return _nested(self._forward_flat(flat_inputs), spec)

    def extra_repr(self) -> str:
        plain = (bool, int, float, str, tuple, list, enum.Enum)
        shown = [(k, v) for k, v in self.__dict__.items() if not k.startswith("_") and k != "training"]
        return ", ".join([f"{name}={value}" for name, value in shown if isinstance(value, plain)])


def check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")


class RandomlyApplied(Transform):
    """A transform that is applied with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        check_probability(p)
        super().__init__()
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        flat_inputs, spec = _flattened(inputs)
        self.check_inputs(flat_inputs)
        if torch.rand(1) >= self.p:
            return inputs if len(inputs) > 1 else inputs[0]
        return _nested(self._forward_flat(flat_inputs), spec)
