"""Sums of outer products of normal vectors, such as sample covariances."""

import math
import warnings
from typing import Any

import minitorch as torch
from minitorch import Size, Tensor

from . import constraints
from .chi2 import Chi2
from .distribution import expands
from .exp_family import ExponentialFamily
from .multivariate_normal import ScaledMatrix, half_log_det
from .utils import NUMBERS, lazy_property

__all__ = ["Wishart"]


@expands
class Wishart(ScaledMatrix, ExponentialFamily):
    """The sum of `df` outer products of normal vectors of mean 0 and the given covariance (..., n, n); df > n - 1."""

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        df: Any,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ):
        matrices = dict(covariance_matrix=covariance_matrix, precision_matrix=precision_matrix, scale_tril=scale_tril)
        given = [(name, m) for name, m in matrices.items() if m is not None]
        if len(given) != 1:
            raise AssertionError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = given
        if matrix.dim() < 2:
            raise ValueError("scale_tril must be at least two-dimensional, with optional leading batch dimensions")
        degrees = torch.tensor(df, dtype=matrix.dtype, device=matrix.device) if isinstance(df, NUMBERS) else df
        batch_shape, n = torch.broadcast_shapes(matrix.shape[:-2], degrees.shape), matrix.shape[-1]
        self.df = degrees if isinstance(df, NUMBERS) else degrees.expand(batch_shape)
        if self.df.le(n - 1).any():
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {n - 1}.")
        setattr(self, name, matrix.expand(batch_shape + (-1, -1)))
        if self.df.lt(n).any():
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.",
                stacklevel=2,
            )
        super().__init__(batch_shape, matrix.shape[-2:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = self._factor(**matrices)

    @property
    def arg_constraints(self) -> Any:
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self.event_shape[-1] - 1),
        }

    @lazy_property
    def _dist_chi2(self) -> Chi2:
        """What the squares on the diagonal of Bartlett's factor are drawn from: df, df - 1, ..."""
        n = self._event_shape[-1]
        df = self.df.unsqueeze(-1) - torch.arange(n, dtype=self.df.dtype, device=self.df.device)
        return Chi2(df.expand(self._batch_shape + (n,)))

    @property
    def _column(self) -> Tensor:
        return self.df.expand(self._batch_shape)[..., None, None]

    @property
    def mean(self) -> Tensor:
        return self._column * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        factor = self._column - self._event_shape[-1] - 1
        return torch.where(factor <= 0, torch.nan, factor) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        covariance = self.covariance_matrix
        diagonal = covariance.diagonal(dim1=-2, dim2=-1)
        return self._column * (covariance.pow(2) + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2))

    def _bartlett_sampling(self, sample_shape: Size) -> Tensor:
        """A product of random triangular matrices (Bartlett, Proc. Royal Society of Edinburgh 53, 1933)."""
        n = self._event_shape[-1]
        roots = self._dist_chi2.rsample(sample_shape).sqrt()
        noise = roots.clamp(min=torch.finfo(roots.dtype).eps).diag_embed(dim1=-2, dim2=-1)
        rows, columns = torch.tril_indices(n, n, offset=-1)
        shape = sample_shape + self._batch_shape + (n * (n - 1) // 2,)
        noise[..., rows, columns] = torch.randn(shape, dtype=noise.dtype, device=noise.device)
        factor = self._unbroadcasted_scale_tril @ noise
        return factor @ factor.mT

    def rsample(self, sample_shape: Any = (), max_try_correction: int | None = None) -> Tensor:
        """Samples; singular ones are drawn again, `max_try_correction` times (10) at most."""
        sample_shape = Size(sample_shape)
        flat = Size((sample_shape.numel(),))
        self._bartlett_sampling(flat)  # torch, too, draws each sample twice
        sample = self._bartlett_sampling(flat)
        for _ in range(9 if max_try_correction is None else max_try_correction - 1):
            is_singular = ~self.support.check(sample).reshape(flat + (-1,)).all(-1)
            if not is_singular.any():
                break
            sample[is_singular] = self._bartlett_sampling(Size((int(is_singular.sum()),)))
        return sample.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        n, factor = self._event_shape[-1], self._unbroadcasted_scale_tril
        trace = torch.cholesky_solve(value, factor).diagonal(dim1=-2, dim2=-1).sum(-1)
        power = (self.df - n - 1) / 2 * torch.linalg.slogdet(value).logabsdet
        return power - trace / 2 - self._log_volume(n) - torch.mvlgamma(self.df / 2, n)

    def _log_volume(self, n: int) -> Tensor:
        """The logarithm of (2^n det S)^(df / 2), S the covariance."""
        return self.df * (n * math.log(2) / 2 + half_log_det(self._unbroadcasted_scale_tril))

    def entropy(self) -> Tensor:
        n, half = self._event_shape[-1], self.df / 2
        steps = torch.arange(n, dtype=half.dtype, device=half.device) / 2
        digammas = torch.digamma(half.unsqueeze(-1) - steps).sum(-1)
        scale = (n + 1) * (n * math.log(2) / 2 + half_log_det(self._unbroadcasted_scale_tril))
        return scale + torch.mvlgamma(half, n) - (self.df - n - 1) / 2 * digammas + self.df * n / 2

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, x: Tensor, y: Tensor) -> Tensor:
        n = self._event_shape[-1]
        half = y + (n + 1) / 2
        return half * (n * math.log(2) - torch.linalg.slogdet(-2 * x).logabsdet) + torch.mvlgamma(half, n)
