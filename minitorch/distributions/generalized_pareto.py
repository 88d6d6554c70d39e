"""What exceeds a high threshold, by how much."""

from typing import Any

import minitorch as torch
from minitorch import Tensor

from . import constraints
from .distribution import Distribution, expands
from .utils import broadcast_all, standard_uniform

__all__ = ["GeneralizedPareto"]


@expands
class GeneralizedPareto(Distribution):
    """The survival function (1 + concentration * z)^(-1 / concentration), z = (x - loc) / scale; exp(-z) for 0."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real}
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None):
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.size(), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        upper = torch.where(self.concentration < 0, self.loc - self.scale / self.concentration, torch.inf)
        return constraints.interval(self.loc, upper)

    @property
    def _is_zero(self) -> Tensor:
        return torch.isclose(self.concentration, torch.zeros_like(self.concentration))

    @property
    def _nonzero(self) -> Tensor:
        """The concentration, with 1 for what counts as 0."""
        return torch.where(self._is_zero, 1.0, self.concentration)

    def _z(self, value: Tensor) -> Tensor:
        return (value - self.loc) / self.scale

    @property
    def mean(self) -> Tensor:
        is_finite = self.concentration < 1
        k = torch.where(is_finite, self.concentration, 0.5)
        return torch.where(is_finite, self.loc + self.scale / (1 - k), torch.nan)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        is_finite = self.concentration < 0.5
        k = torch.where(is_finite, self.concentration, 0.25)
        return torch.where(is_finite, self.scale**2 / ((1 - k) ** 2 * (1 - 2 * k)), torch.nan)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.icdf(standard_uniform(self._extended_shape(sample_shape), self.loc))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        z, k = self._z(value), self._nonzero
        power = 1 / k + torch.ones_like(z)
        fall = torch.where(power == 0, power, power * torch.log1p(k * z))
        return -self.scale.log() - torch.where(self._is_zero, z, fall)

    def log_survival_function(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of samples above `value`."""
        self._check(value)
        z, k = self._z(value), self._nonzero
        return torch.where(self._is_zero, -z, -torch.log1p(k * z) / k)

    def log_cdf(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of samples up to `value`."""
        return torch.log1p(-torch.exp(self.log_survival_function(value)))

    def cdf(self, value: Tensor) -> Tensor:
        return torch.exp(self.log_cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        log, k = torch.log1p(-value), self._nonzero
        power = self.loc + self.scale / k * torch.expm1(-k * log)
        return torch.where(self._is_zero, self.loc - self.scale * log, power)

    def entropy(self) -> Tensor:
        return torch.log(self.scale) + self.concentration + 1
