"""Points of the simplex, such as the probabilities of categories."""

from typing import Any

import minitorch as torch
from minitorch import Tensor
from minitorch.nn.functional import one_hot

from . import constraints
from .distribution import expands
from .exp_family import ExponentialFamily

__all__ = ["Dirichlet"]


@expands
class Dirichlet(ExponentialFamily):
    """The density proportional to the product of x_i^(concentration_i - 1), over the last dimension."""

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, concentration: Tensor, validate_args: bool | None = None):
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Tensor:
        less_one = (self.concentration - 1).clamp(min=0.0)
        inside = less_one / less_one.sum(-1, True)
        corner = one_hot(inside.argmax(-1), inside.shape[-1]).to(inside)
        return torch.where((self.concentration < 1).all(-1, True), corner, inside)

    @property
    def variance(self) -> Tensor:
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        concentration = self.concentration.expand(self._extended_shape(sample_shape))
        return torch._sample_dirichlet(concentration)  # type: ignore[attr-defined]

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        powers = torch.xlogy(self.concentration - 1.0, value).sum(-1)
        return powers - self._log_normalizer(self.concentration)

    def entropy(self) -> Tensor:
        a = self.concentration
        total = a.sum(-1)
        inner = ((a - 1.0) * torch.digamma(a)).sum(-1)
        return self._log_normalizer(a) - (a.size(-1) - total) * torch.digamma(total) - inner

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.concentration,)

    def _log_normalizer(self, x: Tensor) -> Tensor:
        return x.lgamma().sum(-1) - torch.lgamma(x.sum(-1))
