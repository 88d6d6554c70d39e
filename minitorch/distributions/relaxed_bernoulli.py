"""Bernoulli numbers made continuous, so that samples have a gradient."""

from operator import attrgetter
from typing import Any

from minitorch import Tensor

from . import constraints
from ._probabilities import ProbsOrLogits
from .distribution import Distribution, expands
from .transformed_distribution import TransformedDistribution
from .transforms import SigmoidTransform
from .utils import broadcast_all, clamp_probs, standard_uniform

__all__ = ["LogitRelaxedBernoulli", "RelaxedBernoulli"]


@expands
class LogitRelaxedBernoulli(ProbsOrLogits, Distribution):
    """The log odds of RelaxedBernoulli numbers (Maddison et al., arXiv:1611.00712)."""

    support = constraints.real

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        self.temperature = temperature
        self._take(probs, logits)
        super().__init__(self._param.size(), validate_args=validate_args)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        probs = clamp_probs(self.probs.expand(shape))
        uniforms = clamp_probs(standard_uniform(shape, probs))
        logistic = uniforms.log() - (-uniforms).log1p()
        return (logistic + probs.log() - (-probs).log1p()) / self.temperature

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        diff = logits - value.mul(self.temperature)
        return self.temperature.log() + diff - 2 * diff.exp().log1p()


@expands
class RelaxedBernoulli(TransformedDistribution):
    """Numbers between 0 and 1 that are Bernoulli's as the temperature goes to 0, and differentiable."""

    arg_constraints = ProbsOrLogits.arg_constraints
    support = constraints.unit_interval
    has_rsample = True

    temperature = property(attrgetter("base_dist.temperature"))
    logits = property(attrgetter("base_dist.logits"))
    probs = property(attrgetter("base_dist.probs"))

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)
