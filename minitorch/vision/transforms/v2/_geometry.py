"""Transforms of v2 that move pixels."""

from collections.abc import Sequence
from typing import Any

from .._base import angle_range, check_sequence
from .._geometry import ElasticTransform as _ElasticV1
from .._geometry import RandomAffine as _RandomAffineV1
from .._geometry import RandomPerspective as _RandomPerspectiveV1
from .._geometry import RandomRotation as _RandomRotationV1
from .._matrices import perspective_coefficients
from . import functional as F
from ._transform import RandomlyApplied, Transform, fill_of, fill_table, pair_of_floats, query_size


class RandomHorizontalFlip(RandomlyApplied):
    """Left and right exchanged with probability p."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.horizontal_flip, inpt)


class RandomVerticalFlip(RandomlyApplied):
    """Top and bottom exchanged with probability p."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(F.vertical_flip, inpt)


class RandomRotation(Transform):
    """Turned by a random angle, in degrees and counter-clockwise."""

    get_params = staticmethod(_RandomRotationV1.get_params)

    def __init__(
        self, degrees: Any, interpolation: Any = "nearest", expand: bool = False, center: Any = None, fill: Any = 0
    ) -> None:
        super().__init__()
        self.degrees = angle_range(degrees, "degrees")
        self.interpolation = interpolation
        self.expand = expand
        self.fill = fill
        self._fill = fill_table(fill)
        if center is not None:
            check_sequence(center, "center", (2,))
        self.center = center

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return dict(angle=_RandomRotationV1.get_params(self.degrees))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        how = dict(interpolation=self.interpolation, expand=self.expand, center=self.center)
        return self._call_kernel(F.rotate, inpt, **params, **how, fill=fill_of(self._fill, inpt))


class RandomAffine(Transform):
    """Turned, moved, scaled and sheared at random; `translate` is in shares of the size."""

    get_params = staticmethod(_RandomAffineV1.get_params)

    def __init__(
        self,
        degrees: Any,
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: Any = None,
        interpolation: Any = "nearest",
        fill: Any = 0,
        center: Any = None,
    ) -> None:
        super().__init__()
        checked = _RandomAffineV1(degrees, translate, scale, shear, center=center)
        self.degrees = checked.degrees
        self.translate = translate
        self.scale = scale
        self.shear = checked.shear
        self.interpolation = interpolation
        self.fill = fill
        self._fill = fill_table(fill)
        self.center = center

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        drawn = _RandomAffineV1.get_params(self.degrees, self.translate, self.scale, self.shear, [width, height])
        return dict(zip(("angle", "translate", "scale", "shear"), drawn))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        how = dict(interpolation=self.interpolation, center=self.center)
        return self._call_kernel(F.affine, inpt, **params, **how, fill=fill_of(self._fill, inpt))


class RandomPerspective(RandomlyApplied):
    """With probability p the corners moved inwards at random."""

    get_params = staticmethod(_RandomPerspectiveV1.get_params)

    def __init__(
        self, distortion_scale: float = 0.5, p: float = 0.5, interpolation: Any = "bilinear", fill: Any = 0
    ) -> None:
        super().__init__(p=p)
        if not 0 <= distortion_scale <= 1:
            raise ValueError("Argument distortion_scale value should be between 0 and 1")
        self.distortion_scale = distortion_scale
        self.interpolation = interpolation
        self.fill = fill
        self._fill = fill_table(fill)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        points = _RandomPerspectiveV1.get_params(width, height, self.distortion_scale)
        return dict(coefficients=perspective_coefficients(*points))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        how = dict(interpolation=self.interpolation, fill=fill_of(self._fill, inpt))
        return self._call_kernel(F.perspective, inpt, None, None, **how, **params)


class ElasticTransform(Transform):
    """Every pixel moved at random by about `alpha` pixels, neighbours alike over a distance `sigma` (Simard 2003)."""

    get_params = staticmethod(_ElasticV1.get_params)

    def __init__(self, alpha: Any = 50.0, sigma: Any = 5.0, interpolation: Any = "bilinear", fill: Any = 0) -> None:
        super().__init__()
        self.alpha = pair_of_floats(alpha, "alpha")
        self.sigma = pair_of_floats(sigma, "sigma")
        self.interpolation = interpolation
        self.fill = fill
        self._fill = fill_table(fill)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return dict(displacement=_ElasticV1.get_params(self.alpha, self.sigma, list(query_size(flat_inputs))))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        how = dict(interpolation=self.interpolation, fill=fill_of(self._fill, inpt))
        return self._call_kernel(F.elastic, inpt, **params, **how)
