"""Random correlation matrices."""

import math
from typing import Any

import minitorch as torch
from minitorch import Size, Tensor

from . import constraints
from .beta import Beta
from .distribution import Distribution, expands
from .utils import broadcast_all

__all__ = ["LKJCholesky"]


@expands
class LKJCholesky(Distribution):
    """The Cholesky factors L of correlation matrices of density proportional to det(L L^T)^(concentration - 1).

    Samples come from the onion method (Lewandowski, Kurowicka and Joe, Journal of Multivariate Analysis 100, 2009).
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None):
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        row = torch.arange(dim - 1, dtype=self.concentration.dtype, device=self.concentration.device)
        row = torch.cat([row.new_zeros((1,)), row])
        below = (self.concentration + 0.5 * (dim - 2)).unsqueeze(-1) - 0.5 * row
        self._beta = Beta(row + 0.5, below)  # of the squared length of each row left of the diagonal
        super().__init__(self.concentration.size(), Size((dim, dim)), validate_args)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        lengths = self._beta.sample(sample_shape).unsqueeze(-1)
        shape = self._extended_shape(sample_shape)
        normal = torch.randn(shape, dtype=lengths.dtype, device=lengths.device).tril(-1)
        directions = normal / normal.norm(dim=-1, keepdim=True)
        directions[..., 0, :] = 0.0  # the first row has nothing left of the diagonal
        rows = torch.sqrt(lengths) * directions
        diagonal = (1 - (rows**2).sum(-1)).clamp(min=torch.finfo(rows.dtype).tiny).sqrt()
        return rows + torch.diag_embed(diagonal)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        order = torch.arange(2, self.dim + 1, device=self.concentration.device)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - order
        n = self.dim - 1
        alpha = self.concentration + 0.5 * n
        normalizer = torch.mvlgamma(alpha - 0.5, n) - torch.lgamma(alpha) * n + 0.5 * n * math.log(math.pi)
        return (order * diagonal.log()).sum(-1) - normalizer
