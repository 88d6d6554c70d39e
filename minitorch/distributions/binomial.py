"""How many of a number of trials succeed."""

from typing import Any

import minitorch as torch
from minitorch import Tensor

from . import constraints
from ._probabilities import ProbsOrLogits, counted
from .distribution import Distribution, expands

__all__ = ["Binomial"]


def _positive_part(x: Tensor) -> Tensor:
    """x above 0 and 0 below, with gradient 1/2 at 0, which log_prob needs there."""
    return (x.clamp(min=0) + x - x.clamp(max=0)) / 2


@expands
class Binomial(ProbsOrLogits, Distribution):
    """How many of `total_count` trials succeed, each with probability `probs`, whose log odds are `logits`."""

    arg_constraints = {"total_count": constraints.nonnegative_integer, **ProbsOrLogits.arg_constraints}
    has_enumerate_support = True

    def __init__(self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        (self.total_count,) = self._take(probs, logits, total_count)
        super().__init__(self._param.size(), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with torch.no_grad():
            return torch.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        n = self.total_count
        ways = torch.lgamma(n + 1) - torch.lgamma(value + 1) - torch.lgamma(n - value + 1)
        softplus = _positive_part(self.logits) + torch.log1p(torch.exp(-torch.abs(self.logits)))
        return value * self.logits - n * softplus + ways

    def entropy(self) -> Tensor:
        n = self._common_count("entropy")
        log_prob = self.log_prob(counted(1 + n, self._batch_shape, self._param, False))
        return -(torch.exp(log_prob) * log_prob).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        n = self._common_count("enumerate_support")
        return counted(1 + n, self._batch_shape, self._param, expand)

    def _common_count(self, method: str) -> int:
        n = int(self.total_count.max())
        if not self.total_count.min() == n:
            raise NotImplementedError(f"Inhomogeneous total count not supported by `{method}`.")
        return n
