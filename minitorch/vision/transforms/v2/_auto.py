"""The augmentations of v2 that choose by themselves what to do."""

from collections.abc import Callable
from typing import Any

import minitorch as torch
from minitorch import Tensor
from minitorch.utils._pytree import tree_flatten, tree_unflatten

from ...tv_tensors import BoundingBoxes, Image, KeyPoints, Mask, Video, wrap
from .._base import integer
from .._functional_tensor import max_value
from ..autoaugment import AutoAugment as _AutoAugmentV1
from ..autoaugment import AutoAugmentPolicy, Space, apply_op, mix_space, mixed_chains, space, without
from . import functional as F
from ._transform import PICTURES, Transform, check_type, fill_of, fill_table
from .functional._geometry import interpolation_mode


def _space(bins: int, shear: float, x: float, y: float, turn: float, factor: float, bits: tuple[int, int]) -> Space:
    """As in the first version, but solarizing in shares of full brightness, and posterizing rounded after all else."""
    fewer_bits = (bits[0] - torch.arange(bins) / ((bins - 1) / bits[1])).round().int()
    changed = {"Posterize": (fewer_bits, False), "Solarize": (torch.linspace(1.0, 0.0, bins), False)}
    return {**space(bins, shear, x, y, turn, factor, bits), **changed}


_FACTORS: dict[str, Callable[..., Any]] = {
    "Color": F.adjust_saturation,
    "Contrast": F.adjust_contrast,
    "Sharpness": F.adjust_sharpness,
}


def _learned_space(bins: int, height: int, width: int) -> Space:
    share = 150.0 / 331.0
    return _space(bins, 0.3, share * width, share * height, 30.0, 0.9, bits=(8, 4))


class _Automatic(Transform):
    """Base: finds the one image of the sample, and puts the result in its place."""

    def __init__(self, interpolation: Any, fill: Any) -> None:
        super().__init__()
        self.interpolation = interpolation
        self.fill = fill
        self._fill = fill_table(fill)

    def augmented(self, image: Any, size: list[int], fill: Any, dims: int) -> Any:
        """The result for the image, which is no tv_tensor; subclasses say."""
        raise NotImplementedError

    def _operated(self, image: Any, name: str, magnitude: float, fill: Any) -> Any:
        if name == "Solarize":
            magnitude *= max_value(image.dtype) if isinstance(image, Tensor) else 255.0
        if name in _FACTORS:
            return _FACTORS[name](image, 1.0 + magnitude)
        if name == "Posterize":
            return F.posterize(image, int(magnitude))
        if name == "Equalize":
            return F.equalize(image)
        fill = [fill] if isinstance(fill, (int, float)) else fill
        return apply_op(image, name, magnitude, interpolation_mode(self.interpolation), fill)

    def _drawn(self, operations: Space, number: Callable[[Tensor], int]) -> tuple[str, float]:
        name = list(operations)[integer(0, len(operations))]
        return name, self._magnitude(operations, name, number)

    @staticmethod
    def _magnitude(operations: Space, name: str, number: Callable[[Tensor], int]) -> float:
        magnitudes, signed = operations[name]
        if magnitudes.ndim == 0:
            return 0.0
        value = float(magnitudes[number(magnitudes)])
        return -value if signed and torch.rand(()) <= 0.5 else value

    def forward(self, *inputs: Any) -> Any:
        flat, spec = tree_flatten(inputs if len(inputs) > 1 else inputs[0])
        found = []
        for i, (inpt, wanted) in enumerate(zip(flat, self._changed(flat))):
            if wanted and check_type(inpt, PICTURES):
                found.append(i)
            elif isinstance(inpt, (BoundingBoxes, Mask, KeyPoints)):
                raise TypeError(f"Inputs of type {type(inpt).__name__} are not supported by {type(self).__name__}()")
        if not found:
            raise TypeError("Found no image in the sample.")
        if len(found) > 1:
            raise TypeError(
                "Auto augment transformations are only properly defined for a single image or video, "
                f"but found {len(found)}."
            )
        image = flat[found[0]]
        plain = image.as_subclass(Tensor) if isinstance(image, Tensor) else image
        dims = 5 if isinstance(image, Video) else 4
        output = self.augmented(plain, F.get_size(image), fill_of(self._fill, image), dims)
        if isinstance(image, (Image, Video)):
            output = wrap(output, like=image)
        flat[found[0]] = output
        return tree_unflatten(flat, spec)


class AutoAugment(_Automatic):
    """One of the policies learned on a data set, two operations each (https://arxiv.org/abs/1805.09501)."""

    get_params = staticmethod(_AutoAugmentV1.get_params)

    def __init__(
        self,
        policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
        interpolation: Any = "nearest",
        fill: Any = None,
    ) -> None:
        super().__init__(interpolation, fill)
        self.policy = policy
        self._policies = _AutoAugmentV1(policy).policies

    def augmented(self, image: Any, size: list[int], fill: Any, dims: int) -> Any:
        operations = _learned_space(10, *size)
        for name, probability, number in self._policies[integer(0, len(self._policies))]:
            if torch.rand(()) <= probability:
                magnitude = self._magnitude(operations, name, lambda _, n=number: n)  # type: ignore[misc]
                image = self._operated(image, name, magnitude, fill)
        return image


class RandAugment(_Automatic):
    """`num_ops` operations drawn at random, all of one magnitude (https://arxiv.org/abs/1909.13719)."""

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: Any = "nearest",
        fill: Any = None,
    ) -> None:
        super().__init__(interpolation, fill)
        if not isinstance(num_ops, int) or num_ops < 0:
            raise ValueError(f"num_ops should be a non-negative integer, but got {num_ops} instead.")
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins

    def augmented(self, image: Any, size: list[int], fill: Any, dims: int) -> Any:
        operations = without(_learned_space(self.num_magnitude_bins, *size), "Invert")
        for _ in range(self.num_ops):
            image = self._operated(image, *self._drawn(operations, lambda _: self.magnitude), fill)
        return image


class TrivialAugmentWide(_Automatic):
    """One operation, drawn with its magnitude from wide ranges (https://arxiv.org/abs/2103.10158)."""

    def __init__(self, num_magnitude_bins: int = 31, interpolation: Any = "nearest", fill: Any = None) -> None:
        super().__init__(interpolation, fill)
        self.num_magnitude_bins = num_magnitude_bins

    def augmented(self, image: Any, size: list[int], fill: Any, dims: int) -> Any:
        bins = self.num_magnitude_bins
        operations = without(_space(bins, 0.99, 32.0, 32.0, 135.0, 0.99, bits=(8, 6)), "Invert")
        return self._operated(image, *self._drawn(operations, lambda _: integer(0, bins)), fill)


class AugMix(_Automatic):
    """The image mixed with `mixture_width` chains of operations on it (https://arxiv.org/abs/1912.02781)."""

    _PARAMETER_MAX = 10

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: Any = "bilinear",
        fill: Any = None,
    ) -> None:
        super().__init__(interpolation, fill)
        if not 1 <= severity <= self._PARAMETER_MAX:
            raise ValueError(f"The severity must be between [1, {self._PARAMETER_MAX}]. Got {severity} instead.")
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops

    def _chain(self, image: Any, operations: Space, fill: Any) -> Any:
        for _ in range(self.chain_depth if self.chain_depth > 0 else integer(1, 4)):
            image = self._operated(image, *self._drawn(operations, lambda _: integer(0, self.severity)), fill)
        return image

    def augmented(self, image: Any, size: list[int], fill: Any, dims: int) -> Any:
        full = _space(self._PARAMETER_MAX, 0.3, size[1] / 3.0, size[0] / 3.0, 30.0, 0.9, bits=(4, 4))
        operations = mix_space(full, self.all_ops)
        is_tensor = isinstance(image, Tensor)
        plain = image if is_tensor else F.pil_to_tensor(image)
        output = mixed_chains(plain, self.alpha, self.mixture_width, lambda b: self._chain(b, operations, fill), dims)
        return output if is_tensor else F.to_pil_image(output)
