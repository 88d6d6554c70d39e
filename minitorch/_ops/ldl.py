"""linalg.ldl_factor and ldl_solve: symmetric systems, in the form of LAPACK. As in torch they have no gradient."""

from typing import Any

import numpy as np

from minitorch._kernels.cpu import ldl
from minitorch._tensor import Tensor
from minitorch.return_types import return_type

from .check import c_name, check, check_broadcast, concrete
from .matrices import column_major, floating, kernel_for, square
from .op import structured
from .public import FUNCTIONS, into, op, public

INT32 = np.dtype(np.int32)
LdlFactor = return_type("linalg_ldl_factor", "LD pivots")
LdlFactorEx = return_type("linalg_ldl_factor_ex", "LD pivots info")


@structured(name="ldl_factors", title="LinalgLdlFactorEx", tensors="A", outputs=("pivots", "info"),
            returns=lambda *a: a)  # fmt: skip
def ldl_factors(A):
    name = "torch.linalg.ldl_factor_ex"
    check(A.ndim >= 2, f"{name}: The input tensor A must have at least 2 dimensions.")
    square(name, A)
    floating(name, A)
    kernel_for("ldl_factor_kernel_cpu", A)
    *lead, n, _ = A.shape
    return [(A.shape, A.dtype), ((*lead, n), INT32), (tuple(lead), INT32)]


@ldl_factors.cpu
def ldl_factors_cpu(A):
    ldl_factors.infer(A)
    LD, *others = ldl.factor(A)
    return column_major(LD), *others


@ldl_factors.grad("A")
def ldl_factors_grad(g):
    raise RuntimeError("derivative for aten::linalg_ldl_factor_ex is not implemented")


@structured(tensors="LD pivots B", title="LinalgLdlSolve")
def ldl_solve_matrices(LD, pivots, B):
    return B.shape, B.dtype


@ldl_solve_matrices.cpu
def ldl_solve_matrices_cpu(LD, pivots, B):
    return column_major(ldl.solve(LD, pivots, B))


@ldl_solve_matrices.grad("LD", "B")
def ldl_solve_matrices_grad(g):
    raise RuntimeError("derivative for aten::linalg_ldl_solve is not implemented")


def _check_blocks(name: str, info: Tensor) -> None:
    codes = info.array.to_host() if info.is_cuda else concrete(info.array)
    failed = np.flatnonzero(codes)
    if failed.size:
        code = codes.reshape(-1)[failed[0]]
        raise RuntimeError(f"{name}: the block of D at row {code}, counted from 1, is zero: the matrix is singular")


@public("linalg")
def ldl_factor(A: Tensor, *, hermitian: bool = False, out: Any = None) -> Any:
    """(LD, pivots): a symmetric matrix, of which the lower triangle counts, as L @ D @ L.T in LAPACK's form.

    >>> import minitorch as torch
    >>> A = torch.tensor([[0.0, 2.0], [2.0, 1.0]])
    >>> LD, pivots = torch.linalg.ldl_factor(A)
    >>> torch.linalg.ldl_solve(LD, pivots, torch.tensor([[2.0], [3.0]]))
    tensor([[1.],
            [1.]])
    """
    LD, pivots, info = op("ldl_factors")(A)
    _check_blocks("torch.linalg.ldl_factor", info)
    return into(out, "linalg_ldl_factor", LdlFactor(LD, pivots))


@public("linalg")
def ldl_factor_ex(A: Tensor, *, hermitian: bool = False, check_errors: bool = False, out: Any = None) -> Any:
    """(LD, pivots, info): ldl_factor without a check; info is the first zero block of D, counted from 1."""
    found = LdlFactorEx(*op("ldl_factors")(A))
    if check_errors:
        _check_blocks("torch.linalg.ldl_factor_ex", found.info)
    return into(out, "linalg_ldl_factor_ex", found)


@public("linalg")
def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False, out: Any = None) -> Tensor:
    """The X with A @ X = B from what ldl_factor(A) returned; batches are broadcast."""
    _check_solve(LD, pivots, B)
    check_broadcast(LD.shape[:-2], B.shape[:-2])
    lead = np.broadcast_shapes(LD.shape[:-2], B.shape[:-2])
    wide = [FUNCTIONS["expand_to"](t, (*lead, *t.shape[len(t.shape) - k :])) for t, k in ((LD, 2), (pivots, 1), (B, 2))]
    return into(out, "linalg_ldl_solve", op("ldl_solve_matrices")(*wide))


def _check_solve(LD: Tensor, pivots: Tensor, B: Tensor) -> None:
    name = "torch.linalg.ldl_solve"
    square(name, LD)
    if B.ndim < 2:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-max(B.ndim, 1)}, {max(B.ndim, 1) - 1}], but got -2)"
        )
    if LD.shape[-1] != B.shape[-2]:
        n = LD.shape[-1]
        raise RuntimeError(
            f"Incompatible matrix sizes for {name}: each A matrix is {n} by {n} but each b matrix is "
            f"{B.shape[-2]} by {B.shape[-1]}"
        )
    if pivots.shape != LD.shape[:-1]:
        raise RuntimeError(
            f"{name}: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
            f"{list(pivots.shape)} instead"
        )
    if pivots.is_floating_point() or pivots.array.dtype == np.bool_:
        raise RuntimeError(f"{name}: Expected pivots to be integers. Got {c_name(pivots.array)}")
    floating(name, LD.array)
    if LD.dtype != B.dtype:
        raise RuntimeError(
            f"Expected b and A to have the same dtype, but found b of type {c_name(B.array)} and A of type "
            f"{c_name(LD.array)} instead."
        )
    kernel_for("ldl_solve_kernel_cpu", LD.array)
