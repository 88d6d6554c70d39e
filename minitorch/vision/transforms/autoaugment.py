"""Augmentations that choose by themselves what to do: AutoAugment, RandAugment, TrivialAugmentWide, AugMix."""

import math
from collections.abc import Callable
from enum import Enum
from typing import Any, TypeAlias

import minitorch as torch
from minitorch import Tensor, nn

from . import functional as F
from ._base import fill_for, integer
from ._matrices import InterpolationMode
from ._policies import POLICIES, Step

__all__ = ["AutoAugmentPolicy", "AutoAugment", "RandAugment", "TrivialAugmentWide", "AugMix"]

Space: TypeAlias = dict[str, tuple[Tensor, bool]]  # the operations' magnitudes, and whether a sign is drawn

_FACTORS: dict[str, Callable[[Any, float], Any]] = {
    "Brightness": F.adjust_brightness,
    "Color": F.adjust_saturation,
    "Contrast": F.adjust_contrast,
    "Sharpness": F.adjust_sharpness,
}
_PLAIN: dict[str, Callable[[Any], Any]] = {
    "AutoContrast": F.autocontrast,
    "Equalize": F.equalize,
    "Invert": F.invert,
    "Identity": lambda img: img,
}


def apply_op(img: Any, op_name: str, magnitude: float, interpolation: InterpolationMode, fill: Any) -> Any:
    """The operation of this name on an image."""
    how: dict[str, Any] = dict(interpolation=interpolation, fill=fill)
    if op_name in ("ShearX", "ShearY"):
        degrees = math.degrees(math.atan(magnitude))
        shear = [degrees, 0.0] if op_name == "ShearX" else [0.0, degrees]
        return F.affine(img, angle=0.0, translate=[0, 0], scale=1.0, shear=shear, center=[0, 0], **how)
    if op_name in ("TranslateX", "TranslateY"):
        translate = [int(magnitude), 0] if op_name == "TranslateX" else [0, int(magnitude)]
        return F.affine(img, angle=0.0, translate=translate, scale=1.0, shear=[0.0, 0.0], **how)
    if op_name == "Rotate":
        return F.rotate(img, magnitude, **how)
    if op_name in _FACTORS:
        return _FACTORS[op_name](img, 1.0 + magnitude)
    if op_name == "Posterize":
        return F.posterize(img, int(magnitude))
    if op_name == "Solarize":
        return F.solarize(img, magnitude)
    if op_name in _PLAIN:
        return _PLAIN[op_name](img)
    raise ValueError(f"The provided operator {op_name} is not recognized.")


def space(bins: int, shear: float, x: float, y: float, turn: float, factor: float, bits: tuple[int, int]) -> Space:
    """Every operation's magnitudes, from none to the given ones; posterizing leaves bits[0] to bits[0] - bits[1]."""

    def up_to(most: float) -> tuple[Tensor, bool]:
        return torch.linspace(0.0, most, bins), True

    fewer_bits = bits[0] - (torch.arange(bins) / ((bins - 1) / bits[1])).round().int()
    plain = (torch.tensor(0.0), False)
    return {
        "Identity": plain,
        "ShearX": up_to(shear), "ShearY": up_to(shear), "TranslateX": up_to(x), "TranslateY": up_to(y),
        "Rotate": up_to(turn),
        "Brightness": up_to(factor), "Color": up_to(factor), "Contrast": up_to(factor), "Sharpness": up_to(factor),
        "Posterize": (fewer_bits, False), "Solarize": (torch.linspace(255.0, 0.0, bins), False),
        "AutoContrast": plain, "Equalize": plain, "Invert": plain,
    }  # fmt: skip


_MIX = "ShearX ShearY TranslateX TranslateY Rotate Posterize Solarize AutoContrast Equalize".split()


def _learned_space(bins: int, size: tuple[int, int]) -> Space:
    share = 150.0 / 331.0  # the paper moves images of 331 pixels by up to 150
    return space(bins, 0.3, share * size[1], share * size[0], 30.0, 0.9, (8, 4))


def without(full: Space, *names: str) -> Space:
    """The space less some operations."""
    return {name: value for name, value in full.items() if name not in names}


def drawn_operation(operations: Space, magnitude: Callable[[Tensor], Any]) -> tuple[str, float]:
    """An operation drawn from the space; `magnitude` tells the number of its magnitude among all."""
    name = list(operations)[integer(0, len(operations))]
    magnitudes, signed = operations[name]
    value = float(magnitudes[magnitude(magnitudes)].item()) if magnitudes.ndim else 0.0
    return name, -value if signed and integer(0, 2) else value


class AutoAugmentPolicy(Enum):
    """The data sets that policies were learned on."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


class AutoAugment(nn.Module):
    """One of the policies learned on a data set, two operations each (https://arxiv.org/abs/1805.09501)."""

    def __init__(
        self,
        policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        self.policy = policy
        self.interpolation = interpolation
        self.fill = fill
        self.policies = self._get_policies(policy)

    def _get_policies(self, policy: AutoAugmentPolicy) -> list[tuple[Step, Step]]:
        if not isinstance(policy, AutoAugmentPolicy):
            raise ValueError(f"The provided policy {policy} is not recognized.")
        return POLICIES[policy.value]

    def _augmentation_space(self, num_bins: int, image_size: tuple[int, int]) -> Space:
        return without(_learned_space(num_bins, image_size), "Identity")

    @staticmethod
    def get_params(transform_num: int) -> tuple[int, Tensor, Tensor]:
        """The policy's number, and for both operations a number from 0 to 1 and a sign, 0 for minus."""
        return integer(0, transform_num), torch.rand((2,)), torch.randint(2, (2,))

    def forward(self, img: Any) -> Any:
        fill = fill_for(img, self.fill)
        _, height, width = F.get_dimensions(img)
        number, probs, signs = self.get_params(len(self.policies))
        operations = self._augmentation_space(10, (height, width))
        for (name, p, magnitude_id), prob, sign in zip(self.policies[number], probs, signs):
            if prob <= p:
                magnitudes, signed = operations[name]
                magnitude = float(magnitudes[magnitude_id].item()) if magnitude_id is not None else 0.0
                img = apply_op(img, name, -magnitude if signed and sign == 0 else magnitude, self.interpolation, fill)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(policy={self.policy}, fill={self.fill})"


class RandAugment(nn.Module):
    """`num_ops` operations drawn at random, all of one magnitude (https://arxiv.org/abs/1909.13719)."""

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def _augmentation_space(self, num_bins: int, image_size: tuple[int, int]) -> Space:
        return without(_learned_space(num_bins, image_size), "Invert")

    def forward(self, img: Any) -> Any:
        fill = fill_for(img, self.fill)
        _, height, width = F.get_dimensions(img)
        operations = self._augmentation_space(self.num_magnitude_bins, (height, width))
        for _ in range(self.num_ops):
            name, magnitude = drawn_operation(operations, lambda _: self.magnitude)
            img = apply_op(img, name, magnitude, self.interpolation, fill)
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_ops={self.num_ops}, magnitude={self.magnitude}, "
            f"num_magnitude_bins={self.num_magnitude_bins}, interpolation={self.interpolation}, fill={self.fill})"
        )


class TrivialAugmentWide(nn.Module):
    """One operation, drawn with its magnitude from wide ranges (https://arxiv.org/abs/2103.10158)."""

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def _augmentation_space(self, num_bins: int) -> Space:
        return without(space(num_bins, 0.99, 32.0, 32.0, 135.0, 0.99, (8, 6)), "Invert")

    def forward(self, img: Any) -> Any:
        operations = self._augmentation_space(self.num_magnitude_bins)
        name, magnitude = drawn_operation(operations, lambda all: integer(0, len(all)))
        return apply_op(img, name, magnitude, self.interpolation, fill_for(img, self.fill))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_magnitude_bins={self.num_magnitude_bins}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )


def mix_space(full: Space, all_ops: bool) -> Space:
    """AugMix's operations; all of them, or those that are in no test of robustness."""
    return {name: full[name] for name in (*_MIX, *(_FACTORS if all_ops else ()))}


def mixed_chains(img: Tensor, alpha: float, width: int, chain: Callable[[Tensor], Tensor], dims: int = 4) -> Tensor:
    """The image and `width` chains of operations on it, weighted by a draw from a Dirichlet distribution."""
    batch = img.reshape([1] * max(dims - img.ndim, 0) + list(img.shape))
    column = [batch.size(0)] + [1] * (batch.ndim - 1)

    def shares(count: int) -> Tensor:
        concentrations = torch.tensor([alpha] * count).expand(column[0], -1)
        return torch._sample_dirichlet(concentrations)  # type: ignore[attr-defined]

    share = shares(2)
    weights = shares(width) * share[:, 1:]
    mix = share[:, 0].view(column) * batch
    for i in range(width):
        mix += weights[:, i].view(column) * chain(batch)
    return mix.view(img.shape).to(dtype=img.dtype)


class AugMix(nn.Module):
    """The image mixed with `mixture_width` chains of operations on it (https://arxiv.org/abs/1912.02781)."""

    _PARAMETER_MAX = 10

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        fill: Any = None,
    ) -> None:
        super().__init__()
        if not 1 <= severity <= self._PARAMETER_MAX:
            raise ValueError(f"The severity must be between [1, {self._PARAMETER_MAX}]. Got {severity} instead.")
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops
        self.interpolation = interpolation
        self.fill = fill

    def _augmentation_space(self, num_bins: int, image_size: tuple[int, int]) -> Space:
        full = space(num_bins, 0.3, image_size[1] / 3.0, image_size[0] / 3.0, 30.0, 0.9, (4, 4))
        return mix_space(full, self.all_ops)

    def forward(self, orig_img: Any) -> Any:
        is_tensor = isinstance(orig_img, Tensor)
        fill = fill_for(orig_img, self.fill)
        _, height, width = F.get_dimensions(orig_img)
        operations = self._augmentation_space(self._PARAMETER_MAX, (height, width))

        def chain(img: Tensor) -> Tensor:
            for _ in range(self.chain_depth if self.chain_depth > 0 else integer(1, 4)):
                name, magnitude = drawn_operation(operations, lambda _: integer(0, self.severity))
                img = apply_op(img, name, magnitude, self.interpolation, fill)
            return img

        img = orig_img if is_tensor else F.pil_to_tensor(orig_img)
        mix = mixed_chains(img, self.alpha, self.mixture_width, chain)
        return mix if is_tensor else F.to_pil_image(mix)

    def __repr__(self) -> str:
        names = ("severity", "mixture_width", "chain_depth", "alpha", "all_ops", "interpolation", "fill")
        return f"{type(self).__name__}({', '.join([f'{name}={getattr(self, name)}' for name in names])})"
