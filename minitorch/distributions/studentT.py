"""Student's t distribution."""

import math
from typing import Any

import minitorch as torch
from minitorch import Tensor

from . import constraints
from .chi2 import Chi2
from .distribution import Distribution, expands
from .utils import _standard_normal, broadcast_all

__all__ = ["StudentT"]


@expands
class StudentT(Distribution):
    """loc + scale * z / sqrt(v / df) where z is standard normal and v of Chi2(df)."""

    arg_constraints = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None):
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df)
        super().__init__(self.df.size(), validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return torch.where(self.df <= 1, torch.nan, self.loc)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        is_finite = self.df > 2
        df = torch.where(is_finite, self.df, 3.0)
        otherwise = torch.where(self.df > 1, torch.inf, torch.full_like(self.df, torch.nan))
        return torch.where(is_finite, self.scale.pow(2) * df / (df - 2), otherwise)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        normal = _standard_normal(self._extended_shape(sample_shape), self.df.dtype, self.df.device)
        return self.loc + self.scale * (normal * torch.rsqrt(self._chi2.rsample(sample_shape) / self.df))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        y = (value - self.loc) / self.scale
        normalizer = self.scale.log() + 0.5 * self.df.log() + 0.5 * math.log(math.pi)
        normalizer = normalizer + torch.lgamma(0.5 * self.df) - torch.lgamma(0.5 * (self.df + 1.0))
        return -0.5 * (self.df + 1.0) * torch.log1p(y**2.0 / self.df) - normalizer

    def entropy(self) -> Tensor:
        half, more = 0.5 * self.df, 0.5 * (self.df + 1)
        log_beta = torch.lgamma(half) + math.lgamma(0.5) - torch.lgamma(more)
        digammas = torch.digamma(more) - torch.digamma(half)
        return self.scale.log() + more * digammas + 0.5 * self.df.log() + log_beta
