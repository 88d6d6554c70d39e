"""Distances and similarities between vectors."""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._tensor import Tensor, wrap

from .check import c_name, check, full_float_required, real
from .nodes import titled
from .op import structured
from .operands import cast, common_dtype, number_argument
from .public import FUNCTIONS, op, public
from .shapes import broadcast_tensors

MANY = 25  # rows from which on torch takes a matrix product for Euclidean distances


def _norm(x: Tensor, p: float, dim: Any, keepdim: bool = False) -> Tensor:
    return FUNCTIONS["linalg.vector_norm"](x, p, dim, keepdim)


@public("torch nn.functional")
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps over the last dimension.

    >>> import minitorch as torch
    >>> torch.nn.functional.pairwise_distance(torch.zeros(2), torch.tensor([3.0, 4.0]))
    tensor(5.0000)
    """
    return titled(_norm(x1 - x2 + eps, p, -1, keepdim), "NormBackward1")


@public("torch nn.functional", words="axis=dim")
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """sum(x1 * x2) / (|x1| * |x2|) over dim, each norm at least eps.

    >>> import minitorch as torch
    >>> torch.nn.functional.cosine_similarity(torch.tensor([1.0, 0.0]), torch.tensor([2.0, 0.0]), 0)
    tensor(1.)
    """
    dtype = common_dtype([x1.array, x2.array])
    if dtype not in dtypes.FLOATS:
        raise RuntimeError(
            f"expected common dtype to be floating point, yet common dtype is {c_name(np.empty(0, dtype))}"
        )
    x1, x2 = broadcast_tensors(*[t if t.array.dtype is dtype else cast(t, dtype) for t in (x1, x2)])
    eps, units = real(eps, "eps", 4, "cosine_similarity"), []
    if eps < 0:
        raise RuntimeError(f"eps must be non-negative, got: {eps:g}")
    for x in (x1, x2):
        norm = _norm(x, 2, dim, True)
        units.append(x / (norm + (norm.clamp(min=eps) - norm).detach()))  # the clamp takes no part in the gradient
    return (units[0] * units[1]).sum(dim)


# ---------------------------------------------------------------------- all pairs
@structured(tensors="x1 x2", title="Cdist")
def euclidean_distances(x1, x2):
    return (*x1.shape[:-1], x2.shape[-2]), x1.dtype


@euclidean_distances.cpu
def euclidean_distances_cpu(x1, x2):
    """|a - b|^2 = |a|^2 - 2ab + |b|^2: one matrix product."""
    squares = [np.square(x).sum(-1) for x in (x1, x2)]
    d = x1 @ np.swapaxes(x2, -1, -2)
    d *= -2
    d += squares[0][..., :, None]
    d += squares[1][..., None, :]
    return np.sqrt(np.maximum(d, 0, out=d), out=d)


@euclidean_distances.grad("x1")
def euclidean_grad_x1(g, x1, x2, out):
    w = where(out == 0.0, 0.0, g / where(out == 0.0, 1.0, out))  # noqa: F821
    return x1 * reshape(sum(w, (-1,)), (*x1.shape[:-1], 1)) - matmul(w, x2)  # noqa: F821


@euclidean_distances.grad("x2")
def euclidean_grad_x2(g, x1, x2, out):
    w = transpose(where(out == 0.0, 0.0, g / where(out == 0.0, 1.0, out)), -1, -2)  # noqa: F821
    return x2 * reshape(sum(w, (-1,)), (*x2.shape[:-1], 1)) - matmul(w, x1)  # noqa: F821


_COMPUTE_MODES = (
    "use_mm_for_euclid_dist_if_necessary",
    "use_mm_for_euclid_dist",
    "donot_use_mm_for_euclid_dist",
)


@public("torch")
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """The p-norm distance between each row of x1 and each of x2: (B, P, M), (B, R, M) -> (B, P, R).

    >>> import minitorch as torch
    >>> torch.cdist(torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0]]))
    tensor([[3.],
            [2.]])
    """
    if compute_mode not in _COMPUTE_MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    for t, name in ((x1, "X1"), (x2, "X2")):
        if t.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {t.ndim}D")
    for t, name in ((x1, "X1"), (x2, "X2")):
        if not t.is_floating_point():
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {c_name(t.array)}")
    columns = x1.shape[-1], x2.shape[-1]
    if columns[0] != columns[1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {columns[0]} X2: {columns[1]}")
    check(p >= 0, "cdist only supports non-negative p values")
    full_float_required("cdist", x1.array)
    if x1.dtype != x2.dtype:
        raise RuntimeError(f"expected scalar type {c_name(x1.array)} but found {c_name(x2.array)}")
    by_product = compute_mode == _COMPUTE_MODES[1] or (
        compute_mode == _COMPUTE_MODES[0] and max(x1.shape[-2], x2.shape[-2]) > MANY
    )
    if p == 2 and by_product and 0 not in (*x1.shape, *x2.shape):
        if x1.shape[:-2] != x2.shape[:-2]:
            batch = tuple(broadcast_tensors(x1[..., 0, 0], x2[..., 0, 0])[0].shape)
            x1, x2 = [t.expand((*batch, *t.shape[-2:])) for t in (x1, x2)]
        return op("euclidean_distances")(x1, x2)
    return titled(_norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1), "CdistBackward0")


@public("torch nn.functional")
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm distances between all pairs of rows, in the order of the upper triangle of cdist(input, input)."""
    if input.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    check(input.is_floating_point(), "pdist only supports floating-point dtypes")
    check(p >= 0, "pdist only supports non-negative p values")
    full_float_required("pdist", input.array)
    first, second = (wrap(i.astype(np.int64)).to(input.device) for i in np.triu_indices(input.shape[0], 1))
    apart = input.index_select(0, first) - input.index_select(0, second)
    return titled(_norm(apart, p, 1), "PdistBackward0")


@public("torch Tensor")
def dist(input: Tensor, other: Tensor, p: Any = 2) -> Tensor:
    """The p-norm of input - other, as one number."""
    p = number_argument("dist", "p", 3, p)
    difference = input - other
    if not difference.is_floating_point():
        raise RuntimeError(
            f"norm(): input dtype should be either floating point or complex. Got {c_name(difference.array)} instead."
        )
    return titled(_norm(difference, float(p), None), "DistBackward0", through=True)
