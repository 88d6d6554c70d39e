"""Absolute values of Cauchy numbers."""

from typing import Any

import minitorch as torch
from minitorch import Tensor

from ._half import Half
from .cauchy import Cauchy
from .distribution import expands

__all__ = ["HalfCauchy"]


@expands
class HalfCauchy(Half):
    """|x| where x is of a Cauchy distribution with median 0 and half width `scale`."""

    def __init__(self, scale: Any, validate_args: bool | None = None):
        self._fold(Cauchy(0, scale, validate_args=False), validate_args)

    @property
    def mean(self) -> Tensor:
        return torch.full_like(self.scale, torch.inf)

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance
