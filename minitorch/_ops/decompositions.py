"""Matrix decompositions: Cholesky, LU and QR; `eigenvalues.py` and `singular_values.py` have the others.

NumPy's LAPACK computes them, but for LU, which it does not offer (`_kernels/cpu/lapack.py`). The gradients are those of
Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation", 2008; Walter and
Lehmann, "Algorithmic differentiation of linear algebra functions", 2010; Roberts and Roberts, "QR and LQ decomposition
matrix backpropagation", 2020.
"""

from typing import Any

import numpy as np

from minitorch._creation import eye
from minitorch._kernels.cpu import lapack
from minitorch._tensor import Tensor
from minitorch.return_types import return_type

from .check import check, concrete
from .deprecated import warn_deprecated
from .matrices import (
    LinAlgError,
    at_least_2d,
    column_major,
    decomposition,
    first_failure,
    floating,
    kernel_for,
    pack,
    packed_shape,
    refuse_failed,
    square,
    tensor_gradient,
    unpack,
)
from .op import structured
from .public import FUNCTIONS, into, op, public

INT32 = np.dtype(np.int32)


def _tril(x: Tensor, diagonal: int = 0) -> Tensor:
    return op("tril")(x, diagonal)


def _triu(x: Tensor, diagonal: int = 0) -> Tensor:
    return op("triu")(x, diagonal)


def _solve(a: Tensor, b: Tensor, upper: bool, left: bool = True, unit: bool = False) -> Tensor:
    """The triangular system a @ x = b, or with left=False x @ a = b."""
    return op("solve_triangular_matrices")(a, b, upper, left, unit)


def half_diagonal(x: Tensor) -> Tensor:
    """The matrices with their diagonals halved."""
    return x - op("diag_embed")(op("diagonal")(x, 0, -2, -1) * 0.5)


# ---------------------------------------------------------------------- Cholesky
NOT_POSITIVE = (
    "The factorization could not be completed because the input is not positive-definite "
    "(the leading minor of order {info} is not positive-definite)."
)


@structured(name="cholesky_factor", title="LinalgCholeskyEx", tensors="A", outputs=("info",), returns=lambda *a: a)
def cholesky_factor(A, upper, checked):
    square("cholesky" if checked == "cholesky" else "linalg.cholesky", A)
    if checked != "cholesky":
        floating("linalg.cholesky", A)
    kernel_for("cholesky_cpu", A)
    return [(A.shape, A.dtype), (A.shape[:-2], INT32)]


@cholesky_factor.cpu
def cholesky_cpu(A, upper, checked):
    cholesky_factor.infer(A, upper, checked)
    factor, info = lapack.cholesky(A, upper)
    if checked:
        first_failure(checked, info, NOT_POSITIVE)
    return factor, info


@cholesky_factor.grad("A")
def cholesky_grad(g, out, upper):
    return cholesky_backward(g, out, upper)


@tensor_gradient
def cholesky_backward(g: Tensor, factor: Tensor, upper: bool) -> Tensor:
    """L^-T S L^-1, where S is the symmetric part of the lower triangle of L^T g."""
    L, g = (factor.mT, g.mT) if upper else (factor, g)
    S = half_diagonal(_tril(L.mT @ g))
    S = (S + S.mT) * 0.5
    return _solve(L, _solve(L.mT, S, True), False, left=False)


@public("linalg")
def cholesky(A: Tensor, *, upper: bool = False, out: Any = None) -> Tensor:
    """The lower triangular L with L @ L.mT = A, for symmetric positive-definite matrices.

    >>> import minitorch as torch
    >>> torch.linalg.cholesky(torch.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    return into(out, "linalg_cholesky", _cholesky(A, upper, "linalg.cholesky")[0])


def _cholesky(A: Tensor, upper: bool, checked: str) -> tuple[Tensor, Tensor]:
    factor, info = op("cholesky_factor")(A, bool(upper), checked)
    refuse_failed(checked, info, NOT_POSITIVE)
    return factor, info


CholeskyEx = return_type("linalg_cholesky_ex", "L info")


@public("linalg")
def cholesky_ex(A: Tensor, *, upper: bool = False, check_errors: bool = False, out: Any = None) -> Any:
    """(L, info): cholesky without a check; info is the order of the first minor that is not positive definite."""
    found = _cholesky(A, upper, "linalg.cholesky_ex" if check_errors else "")
    return into(out, "linalg_cholesky_ex", CholeskyEx(*found))


@public("torch Tensor", name="cholesky")
def torch_cholesky(input: Tensor, upper: bool = False, *, out: Any = None) -> Tensor:
    """Same as linalg.cholesky."""
    warn_deprecated("cholesky")
    if not input.numel() and input.ndim >= 2:
        return into(out, "cholesky", op("clone")(input))
    return into(out, "cholesky", _cholesky(input, upper, "cholesky")[0])


# ---------------------------------------------------------------------- LU
SINGULAR_U = (
    "U[{info},{info}] is zero and using it on lu_solve would result in a division by zero. If you still want to "
    "perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
)


@structured(name="lu_factors", title="LinalgLuFactorEx", tensors="A", outputs=("pivots", "info"),
            returns=lambda *a: a)  # fmt: skip
def lu_factors(A, name):
    if A.ndim < 2:
        raise RuntimeError(f"{name}: Expected tensor with 2 or more dimensions. Got size: {list(A.shape)} instead")
    kernel_for("lu_cpu", A)
    *lead, m, n = A.shape
    return [(A.shape, A.dtype), ((*lead, min(m, n)), INT32), (tuple(lead), INT32)]


@lu_factors.cpu
def lu_cpu(A, name):
    lu_factors.infer(A, name)
    LU, *others = lapack.lu(A)
    return column_major(LU), *others


@lu_factors.grad("A")
def lu_grad(g, out, pivots):
    return lu_backward(g, out, pivots)


@tensor_gradient
def lu_backward(g: Tensor, LU: Tensor, pivots: Tensor) -> Tensor:
    """P L^-T (tril(L^T gL, -1) + triu(gU U^T)) U^-T for square matrices; what is beyond a square follows from it."""
    m, n = LU.shape[-2:]
    k = min(m, n)
    L, U = unpack_lu(LU)
    gL, gU = _tril(g, -1)[..., :k], _triu(g)[..., :k, :]
    L1, U1, gL1, gU1 = L[..., :k, :], U[..., :k], gL[..., :k, :], gU[..., :k]
    rest = None
    if n > k:  # U2 = L^-1 A2
        rest = _solve(L1.mT, gU[..., k:], True, unit=True)
        gL1 = gL1 - rest @ U[..., k:].mT
    elif m > k:  # L2 = A2 U^-1
        rest = _solve(U1.mT, gL[..., k:, :], False, left=False)
        gU1 = gU1 - L[..., k:, :].mT @ rest
    inner = _tril(L1.mT @ gL1, -1) + _triu(gU1 @ U1.mT)
    gA = _solve(U1.mT, _solve(L1.mT, inner, True, unit=True), False, left=False)
    if rest is not None:
        gA = FUNCTIONS["cat"]([gA, rest], -1 if n > k else -2)
    return op("pivot_matrix")(pivots, m, LU.array.dtype) @ gA


def unpack_lu(LU: Tensor) -> tuple[Tensor, Tensor]:
    """(L, U) of what lu_factor returned."""
    m, n = LU.shape[-2:]
    k = min(m, n)
    L, U = _tril(LU[..., :k], -1), _triu(LU[..., :k, :])
    return L + _eye(m, k, LU), U


def _eye(n: int, m: int, like: Tensor) -> Tensor:
    return eye(n, m, dtype=like.dtype, device=like.device)


@structured(tensors="pivots")
def pivot_matrix(pivots, n, dtype):
    return (*pivots.shape[:-1], n, n), dtype


@pivot_matrix.cpu
def pivot_matrix_cpu(pivots, n, dtype):
    """The P with A = P @ L @ U."""
    order = lapack.permutation(pivots, n)
    P = np.zeros((*pivots.shape[:-1], n, n), dtype)
    np.put_along_axis(P, order[..., None, :], 1, -2)
    return P


def _pivoting(pivot: bool) -> None:
    check(pivot, "linalg.lu_factor: LU without pivoting is not implemented on the CPU")


LuFactor, LuFactorEx = (
    return_type("linalg_lu_factor", "LU pivots"),
    return_type("linalg_lu_factor_ex", "LU pivots info"),
)
Lu, LuUnpack = return_type("linalg_lu", "P L U"), return_type("lu_unpack", "P L U")


@public("linalg")
def lu_factor(A: Tensor, *, pivot: bool = True, out: Any = None) -> Any:
    """(LU, pivots): L below and U on and above the diagonal of one matrix, and the rows that were swapped."""
    _pivoting(pivot)
    LU, pivots, info = op("lu_factors")(A, "torch.lu_factor")
    _check_u("torch.linalg.lu_factor", info)
    return into(out, "linalg_lu_factor", LuFactor(LU, pivots))


def _check_u(name: str, info: Tensor) -> None:
    try:
        first_failure(name, info.array.to_host() if info.is_cuda else concrete(info.array), SINGULAR_U)
    except LinAlgError as e:  # where torch raises the general class
        raise RuntimeError(*e.args) from None


@public("linalg")
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False, out: Any = None) -> Any:
    """(LU, pivots, info): lu_factor without a check; info is the first zero of U's diagonal, counted from 1."""
    _pivoting(pivot)
    found = LuFactorEx(*op("lu_factors")(A, "torch.lu_factor"))
    if check_errors:
        _check_u("torch.linalg.lu_factor_ex", found.info)
    return into(out, "linalg_lu_factor_ex", found)


LuWithInfo = return_type("_lu_with_info", "LU pivots info")


@public("torch Tensor", name="lu")
def torch_lu(input: Tensor, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:
    """(LU, pivots), and info if get_infos says so: see linalg.lu_factor_ex."""
    warn_deprecated("lu")
    _pivoting(pivot)
    LU, pivots, info = op("lu_factors")(input, "torch.lu_factor")
    results = LuWithInfo(LU, pivots, info) if get_infos else (LU, pivots)
    return results if out is None else tuple([into(o, "lu", r) for o, r in zip(out, results, strict=True)])


@public("linalg")
def lu(A: Tensor, *, pivot: bool = True, out: Any = None) -> Any:
    """(P, L, U): a permutation, a lower triangular matrix with ones on its diagonal, an upper one; A = P @ L @ U."""
    _pivoting(pivot)
    LU, pivots, _ = op("lu_factors")(A, "linalg.lu")
    return into(out, "linalg_lu", Lu(op("pivot_matrix")(pivots, A.shape[-2], LU.array.dtype), *unpack_lu(LU)))


@public("torch")
def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True, *, out: Any = None
) -> Any:
    """(P, L, U) from what lu_factor returned."""
    if LU_data.ndim < 2:
        raise RuntimeError(
            f"torch.lu_unpack: Expected tensor with 2 or more dimensions. Got size: {list(LU_data.shape)} instead"
        )
    P = L = U = LU_data.new_empty((0,))
    if unpack_pivots:
        check(
            LU_pivots.array.dtype == np.int32,
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\n"
            "Note: this function is intended to be used with the output produced by torch.linalg.lu_factor",
        )
        m, p = LU_data.shape[-2], LU_pivots.array.to_host() if LU_pivots.is_cuda else LU_pivots.array
        check(
            p.shape[-1:] == (min(LU_data.shape[-2:]),) and (not p.size or (p.min() >= 1 and p.max() <= m)),
            "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive."
            "Did you properly pass the result of lu_factor?",
        )
        P = op("pivot_matrix")(LU_pivots, m, LU_data.array.dtype)
    if unpack_data:
        L, U = unpack_lu(LU_data)
    return into(out, "lu_unpack", LuUnpack(P, L, U))


# ---------------------------------------------------------------------- QR
def _qr_shapes(shape: tuple[int, ...], mode: str) -> list[tuple[int, ...]]:
    m, n = shape[-2:]
    k = m if mode == "complete" else min(m, n)
    return [(m, k), (k, n)]


@decomposition("LinalgQr")
def qr_factors(A, form):
    if form not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{form}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    at_least_2d("linalg.qr", A)
    floating("linalg.qr", A)
    kernel_for("geqrf_cpu", A)
    return packed_shape(A.shape[:-2], _qr_shapes(A.shape, form)), A.dtype


@qr_factors.cpu
def qr_cpu(A, form):
    qr_factors.infer(A, form)
    lead, shapes = A.shape[:-2], _qr_shapes(A.shape, form)
    if not A.size:  # whose Q may still have elements
        Q = np.broadcast_to(np.eye(*shapes[0], dtype=A.dtype), (*lead, *shapes[0]))
        return pack(lead, [Q, np.zeros((*lead, *shapes[1]), A.dtype)])
    return pack(lead, list(lapack.qr(A, form == "complete")))


@qr_factors.grad("A")
def qr_grad(g, out, A_shape, form):
    return qr_backward(g, out, A_shape, form)


@tensor_gradient
def qr_backward(g: Tensor, out: Tensor, shape: Any, mode: str) -> Tensor:
    m, n = shape[-2:]
    check(
        mode != "r",
        "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use "
        "linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr.",
    )
    check(
        mode == "reduced" or m <= n,
        "The QR decomposition is not differentiable when mode='complete' and nrows > ncols.",
    )
    (Q, R), (gQ, gR) = unpack(out, _qr_shapes(shape, mode)), unpack(g, _qr_shapes(shape, mode))
    if m >= n:
        inner = half_diagonal(_triu(gR @ R.mT - Q.mT @ gQ))
        return _solve(R.mT, gQ + Q @ (inner + inner.mT), False, left=False)
    inner = Q.mT @ gQ - gR @ R.mT
    inner = Q @ _tril(inner - inner.mT, -1)
    first = _solve(R[..., :m].mT, inner, False, left=False)
    return FUNCTIONS["cat"]([first, first.new_zeros((*shape[:-2], m, n - m))], -1) + Q @ gR


LinalgQr, Qr = return_type("linalg_qr", "Q R"), return_type("qr", "Q R")


@public("linalg")
def qr(A: Tensor, mode: str = "reduced", *, out: Any = None) -> Any:
    """(Q, R): orthonormal columns and an upper triangular matrix with A = Q @ R; in mode "r" Q is empty."""
    Q, R = unpack(op("qr_factors")(A, mode), _qr_shapes(A.shape, mode), "qr_factors_factor")
    return into(out, "linalg_qr", LinalgQr(A.new_empty((0,)) if mode == "r" else Q, R))


@public("torch Tensor", name="qr")
def torch_qr(input: Tensor, some: bool = True, *, out: Any = None) -> Any:
    """Same as linalg.qr in mode "reduced", or with some=False in mode "complete"."""
    warn_deprecated("qr")
    return into(out, "qr", Qr(*qr(input, "reduced" if some else "complete")))


@structured(name="geqrf_factors", title="Geqrf", tensors="input", outputs=("tau",), returns=lambda *a: a)
def geqrf_factors(input):
    check(input.ndim >= 2, "torch.geqrf: input must have at least 2 dimensions.")
    kernel_for("geqrf_cpu", input)
    return [(input.shape, input.dtype), ((*input.shape[:-2], min(input.shape[-2:])), input.dtype)]


@geqrf_factors.cpu
def geqrf_cpu(input):
    _, (shape, dtype) = geqrf_factors.infer(input)
    if not input.size:
        return input.copy(), np.zeros(shape, dtype)
    h, tau = np.linalg.qr(input, "raw")
    return np.ascontiguousarray(h, dtype).swapaxes(-1, -2), np.asarray(tau, dtype)


@geqrf_factors.grad("input")
def geqrf_grad(g):
    return no_geqrf_gradient(g)


@tensor_gradient
def no_geqrf_gradient(g: Tensor) -> Tensor:
    raise NotImplementedError("the derivative for 'geqrf' is not implemented.")


Geqrf = return_type("geqrf", "a tau")


@public("torch Tensor")
def geqrf(input: Tensor, *, out: Any = None) -> Any:
    """(a, tau): R, with Householder's reflectors below it and their factors."""
    return into(out, "geqrf", Geqrf(*op("geqrf_factors")(input)))
