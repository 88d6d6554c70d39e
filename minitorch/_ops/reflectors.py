"""Products with the orthogonal matrices that Householder's reflectors make, as geqrf returns them.

H1 H2 ... Hk = I - V T V^T with an upper triangular T (Schreiber and Van Loan, "A storage-efficient WY representation
for products of Householder transformations", 1989): a few matrix products, whose gradients are composed.
"""

from typing import Any

from minitorch._creation import eye
from minitorch._tensor import Tensor

from .check import c_name, wrap_dim
from .matrices import by_columns, kernel_for
from .public import into, op, public


def _wy(input: Tensor, tau: Tensor) -> tuple[Tensor, Tensor]:
    """(V, T): V has the reflectors as columns, and T^-1 = triu(V^T V, 1) + diag(1 / tau)."""
    m, k = input.shape[-2], tau.shape[-1]
    V = op("tril")(input[..., :k], -1) + eye(m, k, dtype=input.dtype, device=input.device)
    factors = op("unsqueeze")(tau, -2)
    inner = op("triu")(V.mT @ V, 1) * factors
    identity = op("expand_to")(eye(k, dtype=input.dtype, device=input.device), tuple(inner.shape))
    # with tau outside the inverse, a reflector that does nothing (tau = 0) needs no infinity
    inverse = op("solve_triangular_matrices")(inner, identity, True, True, True)
    return V, op("unsqueeze")(tau, -1) * inverse


def _check(name: str, input: Tensor, tau: Tensor) -> None:
    wrap_dim(-1, tau.ndim, scalar=False)
    if tau.ndim != input.ndim - 1:
        raise RuntimeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal to {tau.ndim} and "
            f"input.ndim is equal to {input.ndim}"
        )
    if tau.shape[:-1] != input.shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got {list(tau.shape[:-1])}"
        )


@public("linalg")
def householder_product(input: Tensor, tau: Tensor, *, out: Any = None) -> Tensor:
    """The first columns of the product of the reflectors below the diagonal of `input`, with their factors tau."""
    name = "torch.linalg.householder_product"
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    m, n = input.shape[-2:]
    if not m >= n:
        raise RuntimeError(f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]")
    if not (n >= tau.shape[-1] if tau.ndim else True):
        raise RuntimeError(f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]")
    _check(name, input, tau)
    if tau.dtype != input.dtype:
        raise RuntimeError(f"{name}: tau dtype {c_name(tau.array)} does not match input dtype {c_name(input.array)}")
    kernel_for("orgqr_cpu", input.array)
    V, T = _wy(input, tau)
    identity = eye(m, n, dtype=input.dtype, device=input.device)
    product = identity - V @ (T @ V[..., :n, :].mT)
    return into(out, "linalg_householder_product", by_columns(product, "LinalgHouseholderProduct"))


@public("torch Tensor")
def orgqr(input: Tensor, input2: Tensor, *, out: Any = None) -> Tensor:
    """Same as linalg.householder_product."""
    return householder_product(input, input2, out=out)


@public("torch Tensor")
def ormqr(
    input: Tensor, input2: Tensor, input3: Tensor, left: bool = True, transpose: bool = False, *, out: Any = None
) -> Tensor:
    """Q @ input3 (or input3 @ Q; with Q.mT if `transpose`), Q the product of the reflectors of `input` and `input2`."""
    name, tau, other = "torch.ormqr", input2, input3
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if other.ndim < 2:
        raise RuntimeError(f"{name}: other must have at least 2 dimensions.")
    side = -2 if left else -1
    # torch's own order of checks, with its names of the dimensions
    if not other.shape[side] >= tau.shape[-1]:
        raise RuntimeError(f"{name}: other.shape[{side}] must be greater than or equal to tau.shape[-1]")
    if tau.shape[-1] != min(other.shape[side], input.shape[-1]):
        raise RuntimeError(f"{name}: tau.shape[-1] must be equal to min(other.shape[{side}], input.shape[-1])")
    if other.shape[side] != input.shape[-2]:
        raise RuntimeError(f"{name}: other.shape[{side}] must be equal to input.shape[-2]")
    _check(name, input, tau)
    if other.ndim != input.ndim:
        raise RuntimeError(
            f"{name}: Expected other to have the same number of dimensions as input, but got other.ndim equal to "
            f"{other.ndim} and input.ndim is equal to {input.ndim}"
        )
    if other.shape[:-2] != input.shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of other to be equal to input.shape[:-2], but got "
            f"{list(other.shape[:-2])}"
        )
    for t, what in ((tau, "tau"), (other, "other")):
        if t.dtype != input.dtype:
            raise RuntimeError(
                f"{name}: Expected input and {what} to have the same dtype, but input has dtype{c_name(input.array)} "
                f"and {what} has dtype {c_name(t.array)}"
            )
    kernel_for("ormqr_cpu", input.array)
    V, T = _wy(input, tau)
    T = T.mT if transpose else T
    result = other - V @ (T @ (V.mT @ other)) if left else other - ((other @ V) @ T) @ V.mT
    return into(out, "ormqr", by_columns(result, "Ormqr"))
