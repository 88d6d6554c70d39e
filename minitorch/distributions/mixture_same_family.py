"""Mixtures of distributions of one family."""

from operator import attrgetter
from typing import Any

import minitorch as torch
from minitorch import Tensor

from . import constraints
from .categorical import Categorical
from .distribution import Distribution, expands

__all__ = ["MixtureSameFamily"]


@expands
class MixtureSameFamily(Distribution):
    """A sample of the component that `mixture_distribution` chooses; the components are the last dimension of a batch.

    >>> import minitorch as torch
    >>> from minitorch.distributions import Categorical, MixtureSameFamily, Normal
    >>> MixtureSameFamily(Categorical(torch.ones(2)), Normal(torch.tensor([-1.0, 1.0]), 1.0)).mean
    tensor(0.)
    """

    arg_constraints: Any = {}

    mixture_distribution = property(attrgetter("_mixture_distribution"))
    component_distribution = property(attrgetter("_component_distribution"))

    def __init__(
        self, mixture_distribution: Categorical, component_distribution: Any, validate_args: bool | None = None
    ):
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(" The Mixture distribution needs to be an  instance of torch.distributions.Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ValueError("The Component distribution needs to be an instance of torch.distributions.Distribution")
        mixed, batch = mixture_distribution.batch_shape, component_distribution.batch_shape[:-1]
        if any(i != 1 and j != 1 and i != j for i, j in zip(reversed(mixed), reversed(batch))):
            raise ValueError(
                f"`mixture_distribution.batch_shape` ({mixed}) is not compatible with "
                f"`component_distribution.batch_shape`({batch})"
            )
        weights, components = mixture_distribution.logits.shape[-1], component_distribution.batch_shape[-1]
        if weights != components:
            raise ValueError(
                f"`mixture_distribution component` ({weights}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({components})"
            )
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        super().__init__(batch, component_distribution.event_shape, validate_args=validate_args)

    @constraints.dependent_property
    def support(self) -> Any:
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def _component_dim(self) -> int:
        return -1 - len(self.event_shape)

    def _weights(self) -> Tensor:
        """The components' probabilities, to be multiplied with what has their batch and event."""
        probs = self.mixture_distribution.probs
        more = len(self.batch_shape) - len(self.mixture_distribution.batch_shape)
        batch = probs.shape[:-1] + (1,) * (more if len(probs.shape) != 2 else 0)
        return probs.reshape(batch + probs.shape[-1:] + (1,) * len(self.event_shape))

    @property
    def mean(self) -> Tensor:
        return (self._weights() * self.component_distribution.mean).sum(self._component_dim)

    @property
    def variance(self) -> Tensor:
        components = self.component_distribution
        off_mean = (components.mean - self.mean.unsqueeze(self._component_dim)).pow(2.0)
        within = (self._weights() * components.variance).sum(self._component_dim)
        return within + (self._weights() * off_mean).sum(self._component_dim)

    def cdf(self, x: Tensor) -> Tensor:
        cdf = self.component_distribution.cdf(x.unsqueeze(self._component_dim))
        return (cdf * self.mixture_distribution.probs).sum(-1)

    def log_prob(self, x: Tensor) -> Tensor:
        self._check(x)
        log_prob = self.component_distribution.log_prob(x.unsqueeze(self._component_dim))
        return torch.logsumexp(log_prob + torch.log_softmax(self.mixture_distribution.logits, dim=-1), dim=-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            dim, event = len(sample_shape) + len(self.batch_shape), self.event_shape
            chosen = self.mixture_distribution.sample(sample_shape)
            samples = self.component_distribution.sample(sample_shape)
            chosen = chosen.reshape(chosen.shape + (1,) * (len(event) + 1)).expand(chosen.shape + (1,) + event)
            return torch.gather(samples, dim, chosen).squeeze(dim)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self.component_distribution})"
