"""Inverses and systems of linear equations, and products with the orthogonal matrices of Householder's reflectors."""

from math import prod
from typing import Any

import numpy as np

from minitorch._kernels.cpu import lapack
from minitorch._tensor import Tensor
from minitorch.return_types import return_type

from .check import broadcast_error, c_name, check, integer, wrap_dim
from .decompositions import INT32, unpack_lu
from .deprecated import warn_deprecated
from .matrices import (
    at_least_2d,
    by_columns,
    column_major,
    first_failure,
    floating,
    kernel_for,
    refuse_failed,
    square,
    tensor_gradient,
)
from .nodes import titled
from .op import structured
from .public import FUNCTIONS, into, op, public
from .shapes import reshape

SINGULAR = (
    "The diagonal element {info} is zero, the inversion could not be completed because the input matrix is singular."
)
UNSOLVED = "The solver failed because the input matrix is singular."


def broadcast_batches(A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """Both with the batch dimensions of both."""
    a, b = tuple(A.shape[:-2]), tuple(B.shape[:-2])
    if a == b:
        return A, B
    try:
        lead = np.broadcast_shapes(a, b)
    except ValueError:
        raise broadcast_error([b, a]) from None
    expand = op("expand_to")
    return expand(A, (*lead, *A.shape[-2:])), expand(B, (*lead, *B.shape[-2:]))


def _fits(name: str, A: Any, B: Any, left: bool) -> None:
    n, (p, q) = A.shape[-2], B.shape[-2:]
    if n != (p if left else q):
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation {'AX' if left else 'XA'} = B ({n}x{A.shape[-1]} "
            f"and {p}x{q})"
        )


# ---------------------------------------------------------------------- inverse
@structured(name="inverse_matrix", title="LinalgInvEx", tensors="A", outputs=("info",), returns=lambda *a: a)
def inverse_matrix(A, checked):
    square("linalg.inv", A)
    floating("linalg.inv", A, low=False)
    return [(A.shape, A.dtype), (A.shape[:-2], INT32)]


@inverse_matrix.cpu
def inverse_cpu(A, checked):
    _, (lead, _) = inverse_matrix.infer(A, checked)
    try:
        return column_major(lapack.call("inv", A)), np.zeros(lead, np.int32)
    except np.linalg.LinAlgError:
        info = lapack.lu(A)[2]
        if checked:
            first_failure(checked, info, SINGULAR)
        return _where_regular("inv", info, A), info


def _where_regular(function: str, info: np.ndarray, A: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """LAPACK's function of the matrices of a batch that are not singular; nan for the others."""
    singular = (info != 0)[..., None, None]
    result = lapack.call(function, np.where(singular, np.eye(A.shape[-1], dtype=A.dtype), A), *others)
    return column_major(np.where(singular, A.dtype.type(np.nan), result))


@inverse_matrix.grad("A")
def inverse_grad(g, out):
    return inverse_backward(g, out)


@tensor_gradient
def inverse_backward(g: Tensor, inverse: Tensor) -> Tensor:
    transposed = inverse.mT
    return -(transposed @ g @ transposed)


InvEx = return_type("linalg_inv_ex", "inverse info")


@public("linalg")
def inv(A: Tensor, *, out: Any = None) -> Tensor:
    """The inverse of square matrices; LinAlgError for singular ones.

    >>> import minitorch as torch
    >>> torch.linalg.inv(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    return into(out, "linalg_inv", _inverse(A, "linalg.inv")[0])


def _inverse(A: Tensor, checked: str) -> tuple[Tensor, Tensor]:
    inverse, info = op("inverse_matrix")(A, checked)
    refuse_failed(checked, info, SINGULAR)
    return inverse, info


@public("linalg")
def inv_ex(A: Tensor, *, check_errors: bool = False, out: Any = None) -> Any:
    """(inverse, info): inv without a check; info is the first zero of U's diagonal in A = P @ L @ U."""
    found = _inverse(A, "linalg.inv_ex" if check_errors else "")
    return into(out, "linalg_inv_ex", InvEx(*found))


@public("torch Tensor")
def inverse(input: Tensor, *, out: Any = None) -> Tensor:
    """Same as linalg.inv."""
    return inv(input, out=out)


# ---------------------------------------------------------------------- solve
@structured(name="solve_matrices", title="LinalgSolveEx", tensors="A B", outputs=("info",), returns=lambda *a: a)
def solve_matrices(A, B, checked):
    return [(B.shape, B.dtype), (A.shape[:-2], INT32)]


@solve_matrices.cpu
def solve_cpu(A, B, checked):
    info = np.zeros(A.shape[:-2], np.int32)
    if not B.size:
        return np.zeros(B.shape, B.dtype), info
    try:
        return column_major(lapack.call("solve", A, B)), info
    except np.linalg.LinAlgError:
        info = lapack.lu(A)[2]
        if checked:
            first_failure(checked, info, UNSOLVED)
        return _where_regular("solve", info, A, B), info


@solve_matrices.grad("A")
def solve_grad_A(g, A, out):
    return solve_backward_A(g, A, out)


@solve_matrices.grad("B")
def solve_grad_B(g, A):
    return solve_backward_B(g, A)


@tensor_gradient
def solve_backward_B(g: Tensor, A: Tensor) -> Tensor:
    return op("solve_matrices")(A.mT, g, "torch.linalg.solve")[0]


@tensor_gradient
def solve_backward_A(g: Tensor, A: Tensor, X: Tensor) -> Tensor:
    return -solve_backward_B(g, A) @ X.mT


def _solve(A: Tensor, B: Tensor, left: bool, checked: str) -> tuple[Tensor, Tensor]:
    name = "linalg.solve"
    square(name, A)
    vectors = B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    B = op("unsqueeze")(B, -1) if vectors else B
    at_least_2d(name, B, "B")
    floating(name, A.array)
    if A.dtype != B.dtype:
        raise RuntimeError(
            f"{name}: Expected A and B to have the same dtype, but found A of type {c_name(A.array)} and B of type "
            f"{c_name(B.array)} instead"
        )
    _fits(name, A, B, left)
    kernel_for("lu_cpu", A.array)
    A, B = broadcast_batches(A, B)
    X, info = op("solve_matrices")(*((A, B) if left else (A.mT, B.mT)), checked)
    refuse_failed(checked, info, UNSOLVED)
    X = X if left else X.mT
    if vectors:
        X = op("squeeze_dims")(X, (-1,))
        X = by_columns(X, "LinalgSolveEx") if X.ndim > 1 else X
    return X, info


@public("linalg")
def solve(A: Tensor, B: Tensor, *, left: bool = True, out: Any = None) -> Tensor:
    """The X with A @ X = B, or with left=False X @ A = B; B may be a vector or a batch of vectors.

    >>> import minitorch as torch
    >>> torch.linalg.solve(torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.ones(2))
    tensor([0.5000, 0.2500])
    """
    result = titled(_solve(A, B, left, "torch.linalg.solve")[0], "LinalgSolveExBackward0")
    return into(out, "linalg_solve", result)


SolveEx = return_type("linalg_solve_ex", "result info")


@public("linalg")
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False, out: Any = None) -> Any:
    """(result, info): solve without a check; info is the first zero of U's diagonal in A = P @ L @ U."""
    found = _solve(A, B, left, "torch.linalg.solve_ex" if check_errors else "")
    return into(out, "linalg_solve_ex", SolveEx(*found))


# ---------------------------------------------------------------------- triangular systems
@structured(title="LinalgSolveTriangular", tensors="A B")
def solve_triangular_matrices(A, B, upper, left, unit):
    return B.shape, B.dtype


@solve_triangular_matrices.cpu
def solve_triangular_cpu(A, B, upper, left, unit):
    if left:
        return column_major(lapack.solve_triangular(A, B, upper, unit))
    # X @ A = B is A.mT @ X.mT = B.mT
    return lapack.solve_triangular(A.swapaxes(-1, -2), B.swapaxes(-1, -2), not upper, unit).swapaxes(-1, -2)


@solve_triangular_matrices.grad("A")
def solve_triangular_grad_A(g, A, out, upper, left, unit):
    return solve_triangular_backward_A(g, A, out, upper, left, unit)


@solve_triangular_matrices.grad("B")
def solve_triangular_grad_B(g, A, upper, left, unit):
    return solve_triangular_backward_B(g, A, upper, left, unit)


@tensor_gradient
def solve_triangular_backward_B(g: Tensor, A: Tensor, upper: bool, left: bool, unit: bool) -> Tensor:
    return op("solve_triangular_matrices")(A.mT, g, not upper, left, unit)


@tensor_gradient
def solve_triangular_backward_A(g: Tensor, A: Tensor, X: Tensor, upper: bool, left: bool, unit: bool) -> Tensor:
    gB = solve_triangular_backward_B(g, A, upper, left, unit)
    full = -(gB @ X.mT) if left else -(X.mT @ gB)
    return op("triu")(full, int(unit)) if upper else op("tril")(full, -int(unit))


def _triangular(A: Tensor, B: Tensor, upper: bool, left: bool, unit: bool) -> Tensor:
    return op("solve_triangular_matrices")(*broadcast_batches(A, B), upper, left, unit)


@public("linalg")
def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False, out: Any = None
) -> Tensor:
    """The X with A @ X = B (or X @ A = B) for a triangular A, of which the other triangle is not read."""
    name = "linalg.solve_triangular"
    at_least_2d(name, A)
    at_least_2d(name, B, "B")
    square(name, A)
    _fits(name, A, B, left)
    kernel_for("triangular_solve_cpu", A.array)
    if A.dtype != B.dtype:
        dtype = FUNCTIONS["result_type"](A, B) if "result_type" in FUNCTIONS else A.dtype
        A, B = A.to(dtype), B.to(dtype)
    return into(out, "linalg_solve_triangular", _triangular(A, B, bool(upper), left, bool(unitriangular)))


TriangularSolve = return_type("triangular_solve", "solution cloned_coefficient")


def _old_checks(name: str, b: Tensor, A: Tensor) -> None:
    """What the older functions check, in their words."""
    if A.shape[-2] != A.shape[-1]:
        raise RuntimeError(
            f"A must be batches of square matrices, but they are {A.shape[-2]} by {A.shape[-1]} matrices"
        )
    if A.shape[-1] != b.shape[-2]:
        raise RuntimeError(
            f"Incompatible matrix sizes for {name}: each A matrix is {A.shape[-1]} by {A.shape[-1]} but each b matrix "
            f"is {b.shape[-2]} by {b.shape[-1]}"
        )
    if A.dtype != b.dtype:
        raise RuntimeError(
            f"Expected b and A to have the same dtype, but found b of type {c_name(b.array)} and A of type "
            f"{c_name(A.array)} instead."
        )
    kernel_for(f"{name}_cpu", A.array)


@public("torch Tensor")
def triangular_solve(
    input: Tensor,
    A: Tensor,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
    *,
    out: Any = None,
) -> Any:
    """(solution, A's copy): see linalg.solve_triangular."""
    warn_deprecated("triangular_solve")
    for t, letter in ((input, "b"), (A, "A")):
        if t.ndim < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {letter} to have at least 2 dimensions, but it has {t.ndim} "
                "dimensions instead"
            )
    _old_checks("triangular_solve", input, A)
    wide, B = broadcast_batches(A, input)
    coefficient = wide.mT if transpose else wide
    solution = _triangular(coefficient, B, upper != transpose, True, unitriangular)
    return into(out, "triangular_solve", TriangularSolve(solution, op("dense")(wide.mT).mT))


# ---------------------------------------------------------------------- from factors
@public("linalg")
def lu_solve(
    LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False, out: Any = None
) -> Tensor:
    """The X with A @ X = B (X @ A = B; A.mT instead of A if adjoint) from what lu_factor(A) returned."""
    name = "linalg.lu_solve"
    square("torch." + name, LU)
    at_least_2d(name, B, "B")
    if LU.dtype != B.dtype:
        raise RuntimeError(
            f"{name}: Expected LU and B to have the same dtype, but found LU of type {c_name(LU.array)} and B of type "
            f"{c_name(B.array)} instead"
        )
    kernel_for("lu_solve_cpu", LU.array)
    if pivots.array.dtype != np.int32:
        raise RuntimeError(f"{name}: pivots should be a Tensor of scalar type torch.int32")
    _fits(name, LU, B, left)
    wrap_dim(-1, pivots.ndim, scalar=False)
    if tuple(pivots.shape[-1:]) != (LU.shape[-1],):
        raise RuntimeError(f"{name}: Number of pivots per batch should be same as the dimension of the matrix")
    if pivots.shape[:-1] != LU.shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
            f"{list(pivots.shape)} instead"
        )
    rows = pivots.array.to_host() if pivots.is_cuda else pivots.array
    check(
        not rows.size or rows.min() >= 1,
        "Pivots given to lu_solve must all be greater or equal to 1. Did you properly pass the result of lu_factor?",
    )
    P = op("pivot_matrix")(pivots, LU.shape[-1], LU.array.dtype)
    L, U = unpack_lu(LU)
    # X @ A = B is A.mT @ X.mT = B.mT
    X = _lu_solve(P, L, U, B, adjoint) if left else _lu_solve(P, L, U, B.mT, not adjoint)
    X = by_columns(X, "LinalgLuSolve")
    return into(out, "linalg_lu_solve", X if left else X.mT)


def _lu_solve(P: Tensor, L: Tensor, U: Tensor, B: Tensor, adjoint: bool) -> Tensor:
    if adjoint:
        return P @ _triangular(L.mT, _triangular(U.mT, B, False, True, False), True, True, True)
    return _triangular(U, _triangular(L, P.mT @ B, False, True, True), True, True, False)


@public("torch Tensor", name="lu_solve")
def torch_lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Any = None) -> Tensor:
    """linalg.lu_solve with the right-hand side first."""
    warn_deprecated("lu_solve")
    return lu_solve(LU_data, LU_pivots, input, out=out)


@structured(name="cholesky_solve_matrices", title="CholeskySolve", tensors="B L")
def cholesky_solve_matrices(B, L, upper):
    return B.shape, B.dtype


@cholesky_solve_matrices.cpu
def cholesky_solve_cpu(B, L, upper):
    first, last = (L.swapaxes(-1, -2), L) if upper else (L, L.swapaxes(-1, -2))
    inner = lapack.solve_triangular(first, B, False, False)
    return column_major(lapack.solve_triangular(last, inner, True, False))


@cholesky_solve_matrices.grad("B")
def cholesky_solve_grad_B(g, L, upper):
    return cholesky_solve_matrices(g, L, upper)


@cholesky_solve_matrices.grad("L")
def cholesky_solve_grad_L(g, L, out, upper):
    return cholesky_solve_backward_L(g, L, out, upper)


@tensor_gradient
def cholesky_solve_backward_L(g: Tensor, L: Tensor, X: Tensor, upper: bool) -> Tensor:
    """-(S + S^T) L, with S = A^-1 g X^T."""
    S = op("cholesky_solve_matrices")(g, L, upper) @ X.mT
    S = S + S.mT
    return -(L @ S) if upper else -(S @ L)


@public("torch Tensor", words="input2=L")
def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False, *, out: Any = None) -> Tensor:
    """The X with (L @ L.mT) @ X = input, or with upper=True (L.mT @ L) @ X = input."""
    for t, letter in ((input, "b"), (L, "u")):
        if t.ndim < 2:
            raise RuntimeError(f"{letter} should have at least 2 dimensions, but has {t.ndim} dimensions instead")
    _old_checks("cholesky_solve", input, L)
    L, input = broadcast_batches(L, input)
    return into(out, "cholesky_solve", op("cholesky_solve_matrices")(input, L, bool(upper)))


@structured(name="cholesky_inverse_matrix", title="CholeskyInverse", tensors="L")
def cholesky_inverse_matrix(L, upper):
    square("cholesky_inverse", L)
    kernel_for("cholesky_inverse_out_cpu", L)
    return L.shape, L.dtype


@cholesky_inverse_matrix.cpu
def cholesky_inverse_cpu(L, upper):
    cholesky_inverse_matrix.infer(L, upper)
    zero = np.diagonal(L, axis1=-2, axis2=-1) == 0
    first_failure("cholesky_inverse", np.where(zero.any(-1), zero.argmax(-1) + 1 if zero.size else 0, 0), SINGULAR)
    eye = np.broadcast_to(np.eye(L.shape[-1], dtype=L.dtype), L.shape)
    return cholesky_solve_cpu(eye, L, upper)


@cholesky_inverse_matrix.grad("L")
def cholesky_inverse_grad(g, L, out, upper):
    return cholesky_inverse_backward(g, L, out, upper)


@tensor_gradient
def cholesky_inverse_backward(g: Tensor, L: Tensor, inverse: Tensor, upper: bool) -> Tensor:
    S = inverse @ (g + g.mT) @ inverse
    return -(L @ S) if upper else -(S @ L)


@public("torch Tensor")
def cholesky_inverse(input: Tensor, upper: bool = False, *, out: Any = None) -> Tensor:
    """The inverse of L @ L.mT, or with upper=True of L.mT @ L."""
    return into(out, "cholesky_inverse", op("cholesky_inverse_matrix")(input, bool(upper)))


# ---------------------------------------------------------------------- tensors as matrices
@public("linalg")
def tensorinv(A: Tensor, ind: int = 2, *, out: Any = None) -> Tensor:
    """The inverse of A as a map from its last dimensions to its first `ind`."""
    check(ind <= A.ndim, f"linalg.tensorinv: ind is {ind}, but A has {A.ndim} dimensions")
    if not integer(ind, "ind", "tensorinv") > 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    first, last = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    n, m = prod(first), prod(last)
    if n != m:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got "
            f"{m} != {n}"
        )
    return into(out, "linalg_tensorinv", reshape(inv(reshape(A, n, m)), (*last, *first)))


@public("linalg")
def tensorsolve(A: Tensor, B: Tensor, dims: Any = None, *, out: Any = None) -> Tensor:
    """The X with tensordot(A, X, X.ndim) = B; the dimensions `dims` of A are moved to its end first."""
    if dims is not None:
        A = FUNCTIONS["movedim"](A, tuple(dims), tuple(range(A.ndim - len(dims), A.ndim)))
    first, last = tuple(A.shape[: B.ndim]), tuple(A.shape[B.ndim :])
    if prod(last) != prod(first):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), "
            f"but got {prod(last)} != {prod(first)}"
        )
    X = solve(reshape(A, B.numel(), prod(last)), reshape(B, B.numel()))
    return into(out, "linalg_tensorsolve", reshape(X, last))
