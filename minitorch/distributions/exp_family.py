"""Exponential families, whose entropy follows from their log normalizer."""

from typing import Any

import minitorch as torch
from minitorch import Tensor

from .distribution import Distribution

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """Densities exp(<t(x), theta> - F(theta) + k(x)) with natural parameters theta and log normalizer F."""

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Any) -> Tensor:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> Any:
        """The mean of k(x)."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """F(theta) - <theta, grad F(theta)> - E[k(x)] (Nielsen and Nock, ICIP 2010)."""
        carrier = self._mean_carrier_measure
        theta = [p.detach().requires_grad_() for p in self._natural_params]
        normalizer = self._log_normalizer(*theta)
        slopes = torch.autograd.grad(normalizer.sum(), theta, create_graph=True)
        inner = [(p * g).reshape(self._batch_shape + (-1,)).sum(-1) for p, g in zip(theta, slopes)]
        return normalizer - sum(inner) - carrier
