"""Sums of squares of standard normal numbers."""

from typing import Any

from minitorch import Tensor

from . import constraints
from .distribution import expands
from .gamma import Gamma

__all__ = ["Chi2"]


@expands
class Chi2(Gamma):
    """Gamma(df / 2, 1 / 2), the sum of the squares of `df` standard normal numbers."""

    arg_constraints = {"df": constraints.positive}

    def __init__(self, df: Any, validate_args: bool | None = None):
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    @property
    def df(self) -> Tensor:
        return self.concentration * 2
