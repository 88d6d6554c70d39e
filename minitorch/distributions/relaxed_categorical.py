"""One-hot vectors made continuous, so that samples have a gradient."""

from operator import attrgetter
from typing import Any

import minitorch as torch
from minitorch import Tensor

from . import constraints
from ._probabilities import OverCategories
from .categorical import Categorical
from .distribution import Distribution, expands
from .transformed_distribution import TransformedDistribution
from .transforms import ExpTransform
from .utils import broadcast_all, clamp_probs, standard_uniform

__all__ = ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"]


@expands
class ExpRelaxedCategorical(OverCategories, Distribution):
    """The logarithms of RelaxedOneHotCategorical vectors (Maddison et al., arXiv:1611.00712)."""

    support = constraints.real_vector  # in fact those whose exponentials add up to 1
    has_rsample = True

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        self._categorical = Categorical(probs, logits)
        self.temperature = temperature
        super().__init__(self._categorical.batch_shape, self.param_shape[-1:], validate_args=validate_args)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        uniforms = clamp_probs(standard_uniform(self._extended_shape(sample_shape), self.logits))
        scores = (self.logits - (-uniforms.log()).log()) / self.temperature
        return scores - scores.logsumexp(dim=-1, keepdim=True)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        k = self.event_shape[0]
        logits, value = broadcast_all(self.logits, value)
        log_scale = torch.full_like(self.temperature, float(k)).lgamma() + (k - 1) * self.temperature.log()
        score = logits - value.mul(self.temperature)
        return (score - score.logsumexp(dim=-1, keepdim=True)).sum(-1) + log_scale


@expands
class RelaxedOneHotCategorical(TransformedDistribution):
    """Points of the simplex that are one-hot as the temperature goes to 0, and differentiable."""

    arg_constraints = OverCategories.arg_constraints
    support = constraints.simplex
    has_rsample = True

    temperature = property(attrgetter("base_dist.temperature"))
    logits = property(attrgetter("base_dist.logits"))
    probs = property(attrgetter("base_dist.probs"))

    def __init__(self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)
