"""Absolute values of normal numbers."""

import math
from typing import Any

from minitorch import Tensor

from ._half import Half
from .distribution import expands
from .normal import Normal

__all__ = ["HalfNormal"]


@expands
class HalfNormal(Half):
    """|x| where x is normal with mean 0 and standard deviation `scale`."""

    def __init__(self, scale: Any, validate_args: bool | None = None):
        self._fold(Normal(0, scale, validate_args=False), validate_args)

    @property
    def mean(self) -> Tensor:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self) -> Tensor:
        return self.scale.pow(2) * (1 - 2 / math.pi)
