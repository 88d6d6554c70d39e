"""Numbers between 0 and 1 with Bernoulli's likelihood, normalised."""

import math
from collections.abc import Callable
from typing import Any

import minitorch as torch
from minitorch import Tensor
from minitorch.nn.functional import binary_cross_entropy_with_logits

from . import constraints
from ._probabilities import ProbsOrLogits
from .distribution import expands
from .exp_family import ExponentialFamily
from .utils import broadcast_all, clamp_probs, lazy_property, logits_to_probs, standard_uniform

__all__ = ["ContinuousBernoulli"]


def _log_odds(probs: Tensor) -> Tensor:
    """log((1 - p) / p)."""
    return torch.log1p(-probs) - torch.log(probs)


@expands
class ContinuousBernoulli(ProbsOrLogits, ExponentialFamily):
    """The density proportional to p^x (1 - p)^(1 - x) (Loaiza-Ganem and Cunningham, NeurIPS 2019).

    Near p = 1/2, within `lims`, where formulas divide 0 by 0, a few terms of their series stand for them.
    """

    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        probs: Any = None,
        logits: Any = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ):
        self._take(probs, logits)
        if probs is not None:
            if validate_args is not None and not self.arg_constraints["probs"].check(self.probs).all():
                raise ValueError("The parameter probs has invalid values")
            self.probs = clamp_probs(self.probs)
        self._lims = lims
        super().__init__(self._param.size(), validate_args=validate_args)

    @lazy_property
    def probs(self) -> Tensor:
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _outside_unstable_region(self) -> Tensor:
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _stable(self, formula: Callable[[Tensor], Tensor], series: Tensor) -> Tensor:
        """The formula of `probs` where it holds, else the series."""
        is_outside = self._outside_unstable_region()
        return torch.where(is_outside, formula(torch.where(is_outside, self.probs, self._lims[0])), series)

    def _cont_bern_log_norm(self) -> Tensor:
        def formula(p: Tensor) -> Tensor:
            below, above = torch.where(p <= 0.5, p, 0.0), torch.where(p >= 0.5, p, 1.0)
            distance = torch.where(p <= 0.5, torch.log1p(-2.0 * below), torch.log(2.0 * above - 1.0))
            return torch.log(torch.abs(_log_odds(p))) - distance

        x = (self.probs - 0.5) ** 2
        return self._stable(formula, math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x)

    @property
    def mean(self) -> Tensor:
        x = self.probs - 0.5
        series = 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x**2) * x
        return self._stable(lambda p: p / (2.0 * p - 1.0) + 1.0 / _log_odds(p), series)

    @property
    def variance(self) -> Tensor:
        x = (self.probs - 0.5) ** 2
        series = 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x
        return self._stable(lambda p: p * (p - 1.0) / (1.0 - 2.0 * p) ** 2 + 1.0 / _log_odds(p) ** 2, series)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.icdf(standard_uniform(self._extended_shape(sample_shape), self.probs))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none") + self._cont_bern_log_norm()

    def cdf(self, value: Tensor) -> Tensor:
        self._check(value)

        def formula(p: Tensor) -> Tensor:
            return (p**value * (1.0 - p) ** (1.0 - value) + p - 1.0) / (2.0 * p - 1.0)

        inside = self._stable(formula, value)
        return torch.where(value <= 0.0, 0.0, torch.where(value >= 1.0, 1.0, inside))

    def icdf(self, value: Tensor) -> Tensor:
        def formula(p: Tensor) -> Tensor:
            return (torch.log1p(-p + value * (2.0 * p - 1.0)) - torch.log1p(-p)) / -_log_odds(p)

        return self._stable(formula, value)

    def entropy(self) -> Tensor:
        return self.mean * _log_odds(self.probs) - self._cont_bern_log_norm() - torch.log1p(-self.probs)

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.logits,)

    def _log_normalizer(self, x: Tensor) -> Tensor:
        low, high = (limit - 0.5 for limit in self._lims)
        is_outside = (x <= low) | (x > high)
        cut = torch.where(is_outside, x, low)
        formula = torch.log(torch.abs(torch.expm1(cut))) - torch.log(torch.abs(cut))
        return torch.where(is_outside, formula, 0.5 * x + x**2 / 24.0 - x**4 / 2880.0)
