"""The normal distribution of vectors."""

import math
from typing import Any

import minitorch as torch
from minitorch import Size, Tensor

from . import constraints
from .distribution import Distribution, expands
from .utils import _standard_normal, lazy_property

__all__ = ["MultivariateNormal"]


def times_vector(matrix: Tensor, vector: Tensor) -> Tensor:
    """The product of each matrix with a vector, batches broadcast."""
    return torch.matmul(matrix, vector.unsqueeze(-1)).squeeze(-1)


def mahalanobis(factor: Tensor, x: Tensor) -> Tensor:
    """x^T (L L^T)^-1 x for lower triangular L (*batch, n, n) and vectors (..., *batch, n).

    What stands before the batch becomes columns of one right-hand side, so that no factor is solved with twice.
    """
    columns = x.reshape((-1,) + x.shape[x.dim() - factor.dim() + 1 :]).movedim(0, -1)
    squares = torch.linalg.solve_triangular(factor, columns, upper=False).pow(2).sum(-2)
    return squares.movedim(-1, 0).reshape(x.shape[:-1])


def half_log_det(factor: Tensor) -> Tensor:
    """Half the logarithm of the determinant of L L^T."""
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def precision_to_scale_tril(precision: Tensor) -> Tensor:
    """The Cholesky factor of the inverse, from that of the matrix turned by half a circle."""
    turned = torch.linalg.cholesky(torch.flip(precision, (-2, -1)))
    inverse = torch.flip(turned, (-2, -1)).mT
    identity = torch.eye(precision.shape[-1], dtype=precision.dtype, device=precision.device)
    return torch.linalg.solve_triangular(inverse, identity, upper=False)


class ScaledMatrix:
    """What distributions share that take a covariance, its inverse or its Cholesky factor."""

    _unbroadcasted_scale_tril: Tensor
    _batch_shape: Size
    _event_shape: Size

    def _factor(self, covariance_matrix: Any, precision_matrix: Any, scale_tril: Any) -> Tensor:
        """The Cholesky factor of the one that is given."""
        if scale_tril is not None:
            return scale_tril
        if covariance_matrix is not None:
            return torch.linalg.cholesky(covariance_matrix)
        return precision_to_scale_tril(precision_matrix)

    def _matrix_shape(self) -> Size:
        return self._batch_shape + self._event_shape[-1:] * 2

    @lazy_property
    def scale_tril(self) -> Tensor:
        return self._unbroadcasted_scale_tril.expand(self._matrix_shape())

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        factor = self._unbroadcasted_scale_tril
        return torch.matmul(factor, factor.mT).expand(self._matrix_shape())

    @lazy_property
    def precision_matrix(self) -> Tensor:
        return torch.cholesky_inverse(self._unbroadcasted_scale_tril).expand(self._matrix_shape())


@expands
class MultivariateNormal(ScaledMatrix, Distribution):
    """Mean `loc` (..., n) and a covariance, its inverse, or its lower triangular Cholesky factor (..., n, n).

    >>> import minitorch as torch
    >>> d = torch.distributions.MultivariateNormal(torch.zeros(2), covariance_matrix=4 * torch.eye(2))
    >>> d.scale_tril
    tensor([[2., 0.],
            [0., 2.]])
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ):
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        matrices = dict(covariance_matrix=covariance_matrix, precision_matrix=precision_matrix, scale_tril=scale_tril)
        given = [(name, m) for name, m in matrices.items() if m is not None]
        if len(given) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        ((name, matrix),) = given
        if matrix.dim() < 2:
            which = "scale_tril matrix" if name == "scale_tril" else name
            raise ValueError(f"{which} must be at least two-dimensional, with optional leading batch dimensions")
        batch_shape = torch.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand(batch_shape + (-1, -1)))
        self.loc = loc.expand(batch_shape + (-1,))
        super().__init__(batch_shape, self.loc.shape[-1:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = self._factor(**matrices)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self._unbroadcasted_scale_tril.pow(2).sum(-1).expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        eps = _standard_normal(self._extended_shape(sample_shape), self.loc.dtype, self.loc.device)
        return self.loc + times_vector(self._unbroadcasted_scale_tril, eps)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        factor = self._unbroadcasted_scale_tril
        distance = mahalanobis(factor, value - self.loc)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance) - half_log_det(factor)

    def entropy(self) -> Tensor:
        half = half_log_det(self._unbroadcasted_scale_tril)
        return (0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + half).expand(self._batch_shape)
