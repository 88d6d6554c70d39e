"""Lifetimes of what fails more often, or less often, as it grows old."""

from typing import Any

import minitorch as torch
from minitorch import Tensor

from . import constraints
from .distribution import expands
from .exponential import Exponential
from .transformed_distribution import TransformedDistribution
from .transforms import AffineTransform, PowerTransform
from .utils import broadcast_all, euler_constant

__all__ = ["Weibull"]


@expands
class Weibull(TransformedDistribution):
    """scale * x^(1 / concentration) where x is exponential with rate 1."""

    arg_constraints = {"scale": constraints.positive, "concentration": constraints.positive}
    support = constraints.positive

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None):
        self.scale, self.concentration = broadcast_all(scale, concentration)
        base = Exponential(torch.ones_like(self.scale), validate_args=validate_args)
        transforms = [PowerTransform(self.concentration_reciprocal), AffineTransform(loc=0, scale=self.scale)]
        super().__init__(base, transforms, validate_args=validate_args)

    @property
    def concentration_reciprocal(self) -> Tensor:
        """1 / concentration."""
        return self.concentration.reciprocal()

    def _moment(self, n: int) -> Tensor:
        """The logarithm of the mean of (x / scale)^n."""
        return torch.lgamma(1 + n * self.concentration_reciprocal)

    @property
    def mean(self) -> Tensor:
        return self.scale * torch.exp(self._moment(1))

    @property
    def mode(self) -> Tensor:
        return self.scale * ((self.concentration - 1) / self.concentration) ** self.concentration_reciprocal

    @property
    def variance(self) -> Tensor:
        return self.scale.pow(2) * (torch.exp(self._moment(2)) - torch.exp(2 * self._moment(1)))

    def entropy(self) -> Tensor:
        k = self.concentration_reciprocal
        return euler_constant * (1 - k) + torch.log(self.scale * k) + 1
