"""Singular values and what is made of them: pseudo-inverses, ranks, least squares, approximations of low rank.

The decomposition's gradient is that of Townsend, "Differentiating the singular value decomposition", 2016.
"""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels.cpu import openblas
from minitorch._tensor import Tensor, wrap
from minitorch.return_types import return_type

from .check import c_name, check, check_broadcast
from .decompositions import qr
from .eigenvalues import NO_CONVERGENCE, converged, differences, divided, eigvalsh
from .matrices import (
    LinAlgError,
    at_least_2d,
    column_major,
    decomposition,
    floating,
    kernel_for,
    pack,
    packed_shape,
    refuse_nan,
    square,
    tensor_gradient,
    unpack,
)
from .nodes import titled
from .op import structured
from .public import FUNCTIONS, into, op, public
from .random_creation import randn
from .shapes import reshape
from .solving import broadcast_batches

NOT_FINITE = "contained non-finite values."


# ---------------------------------------------------------------------- singular value decomposition
def _svd_shapes(shape: tuple[int, ...], full: bool) -> list[tuple[int, ...]]:
    m, n = shape[-2:]
    k = min(m, n)
    return [(m, m), (k,), (n, n)] if full else [(m, k), (k,), (k, n)]


CUDA_DRIVERS = None, "gesvd", "gesvdj", "gesvda"  # of which a GPU's kernel makes no difference


def _svd_infer(A: Any, driver: Any) -> None:
    check(
        driver is None or not isinstance(A, np.ndarray),
        "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.",
    )
    check(
        driver in CUDA_DRIVERS,
        f"torch.linalg.svd: unknown svd driver {driver} in svd_cusolver computation. Check doc at "
        "https://pytorch.org/docs/stable/generated/torch.linalg.svd.html",
    )
    at_least_2d("linalg.svd", A)
    floating("linalg.svd", A)
    kernel_for("linalg_svd_cpu", A)


@decomposition("LinalgSvd")
def svd_factors(A, full, driver):
    _svd_infer(A, driver)
    return packed_shape(A.shape[:-2], _svd_shapes(A.shape, full)), A.dtype


@svd_factors.cpu
def svd_cpu(A, full, driver):
    svd_factors.infer(A, full, driver)
    return pack(A.shape[:-2], _svd(A, full))


def _svd(A: np.ndarray, full: bool) -> list[np.ndarray]:
    if not A.size:
        U, S, Vh = _svd_shapes(A.shape, full)
        lead = A.shape[:-2]
        bases = [np.broadcast_to(np.eye(*s, dtype=A.dtype), (*lead, *s)) for s in (U, Vh)]
        return [bases[0], np.zeros((*lead, *S), A.dtype), bases[1]]
    return list(converged("linalg.svd", NOT_FINITE, "svd_f" if full else "svd_s", A))


@svd_factors.grad("A")
def svd_grad(g, out, A_shape, full):
    return svd_backward(g, out, A_shape, full)


@tensor_gradient
def svd_backward(g: Tensor, out: Tensor, shape: Any, full: bool) -> Tensor:
    """U (((skew(U^T gU) / E) S + S (skew(V^T gV) / E) + diag(gS)) V^T, E[i, j] = S[j]^2 - S[i]^2, and what U and V^T
    do not span of gU and gV, divided by S. Of full bases only the first columns have a gradient.
    """
    m, n = shape[-2:]
    k = min(m, n)
    U, S, Vh = _first(unpack(out, _svd_shapes(shape, full)), k)
    gU, gS, gVh = _first(unpack(g, _svd_shapes(shape, full)), k)
    row, column = op("unsqueeze")(S, -2), op("unsqueeze")(S, -1)
    E = differences(S * S)
    left, right = U.mT @ gU, Vh @ gVh.mT
    inner = divided(left - left.mT, E) * row + column * divided(right - right.mT, E) + op("diag_embed")(gS)
    if m > k:  # the columns of U stand for themselves beyond the rotations among them
        inner = U @ inner + divided(gU - U @ left, row)
        return inner @ Vh
    gA = inner @ Vh
    if n > k:
        gA = gA + divided(gVh - right.mT @ Vh, column)
    return U @ gA


def _first(factors: list[Tensor], k: int) -> list[Tensor]:
    U, S, Vh = factors
    return [U[..., :k], S, Vh[..., :k, :]]


LinalgSvd, Svd = return_type("linalg_svd", "U S Vh"), return_type("svd", "U S V")


@public("linalg")
def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None, out: Any = None) -> Any:
    """(U, S, Vh) with A = U @ diag(S) @ Vh, the singular values in falling order.

    >>> import minitorch as torch
    >>> torch.linalg.svd(torch.tensor([[3.0, 0.0], [0.0, 4.0]])).S
    tensor([4., 3.])
    """
    full = bool(full_matrices)
    packed = op("svd_factors")(A, full, driver)
    U, S, Vh = unpack(packed, _svd_shapes(A.shape, full), "svd_factors_factor")
    refuse_nan("linalg.svd", S, NO_CONVERGENCE + NOT_FINITE)
    return into(out, "linalg_svd", LinalgSvd(U, S, Vh))


@public("torch Tensor", name="svd")
def torch_svd(input: Tensor, some: bool = True, compute_uv: bool = True, *, out: Any = None) -> Any:
    """(U, S, V): linalg.svd with V instead of its transpose; with compute_uv=False U and V are zero."""
    if input.ndim < 2:
        raise RuntimeError(
            f"linalg.svd: input should have at least 2 dimensions, but has {input.ndim} dimensions instead"
        )
    if compute_uv:
        U, S, Vh = svd(input, not some)
        return into(out, "svd", Svd(U, S, Vh.mT))
    (m, n), lead = input.shape[-2:], tuple(input.shape[:-2])
    zeros = [input.new_zeros((*lead, k, k)) for k in (m, n)]
    return into(out, "svd", Svd(zeros[0], svdvals(input), zeros[1].mT))


@structured(name="singular_values", title="LinalgSvd", tensors="A")
def singular_values(A, driver):
    _svd_infer(A, driver)
    return (*A.shape[:-2], min(A.shape[-2:])), A.dtype


@singular_values.cpu
def svdvals_cpu(A, driver):
    shape, dtype = singular_values.infer(A, driver)
    if not A.size:
        return np.zeros(shape, dtype)
    return converged("linalg.svd", NOT_FINITE, "svd", A)


@singular_values.grad("A")
def svdvals_grad(g, A):
    return svdvals_backward(g, A)


@tensor_gradient
def svdvals_backward(g: Tensor, A: Tensor) -> Tensor:
    """The vectors are computed only here: without them the values take a fraction of the time."""
    U, _, Vh = svd(A, False)
    return (U * op("unsqueeze")(g, -2)) @ Vh


@public("linalg")
def svdvals(A: Tensor, *, driver: str | None = None, out: Any = None) -> Tensor:
    """The singular values, in falling order."""
    S = op("singular_values")(A, driver)
    refuse_nan("linalg.svd", S, NO_CONVERGENCE + NOT_FINITE)
    return into(out, "linalg_svdvals", S)


# ---------------------------------------------------------------------- tolerances
def _tolerance(value: Any) -> Tensor | None:
    return value if value is None or isinstance(value, Tensor) else wrap(np.asarray(value, np.float64))


def _threshold(largest: Any, shape: tuple[int, ...], dtype: np.dtype, atol: Any, rtol: Any) -> Any:
    """The size from which singular values count: max(atol, rtol * largest).

    Without either, rtol is the larger dimension times the dtype's epsilon; it is 0 where only a positive atol is given.
    """
    default = max(shape[-2:]) * np.finfo(dtype).eps
    if rtol is None:
        rtol = default if atol is None else np.where(np.asarray(atol) > 0, 0.0, default)
    return np.maximum(0.0 if atol is None else atol, rtol * largest)


# ---------------------------------------------------------------------- pseudo-inverse
def _real_matrices(A: Any) -> None:
    if not (A.ndim >= 2 and A.dtype in dtypes.FLOATS and A.dtype.itemsize > 2):
        raise RuntimeError(
            f"linalg.pinv({c_name(A)}{{{list(A.shape)}}}): expected a tensor with 2 or more dimensions of float, "
            "double, cfloat or cdouble types"
        )


@structured(name="pseudo_inverse", title="LinalgPinv", tensors="A atol? rtol?", outputs=("rank", "values"),
            returns=lambda *a: a)  # fmt: skip
def pseudo_inverse(A, atol, rtol, hermitian):
    _real_matrices(A)
    *lead, m, n = A.shape
    return [((*lead, n, m), A.dtype), (tuple(lead), dtypes.INT64_NUMPY), ((*lead, min(m, n)), A.dtype)]


@pseudo_inverse.cpu
def pseudo_inverse_cpu(A, atol, rtol, hermitian):
    (shape, dtype), (lead, _), (short, _) = pseudo_inverse.infer(A, atol, rtol, hermitian)
    if not A.size:
        return np.zeros(shape, dtype), np.zeros(lead, np.int64), np.zeros(short, dtype)
    if hermitian:
        S, U = converged("linalg.eigh", NOT_FINITE, "eigh_lo", A)
        Vh = U.swapaxes(-1, -2)
    else:
        U, S, Vh = _svd(A, False)
    size = np.abs(S)
    threshold = _threshold(size.max(-1), A.shape, A.dtype, atol, rtol)
    kept = size > np.expand_dims(threshold, -1)
    scale = np.where(kept, 1 / np.where(kept, S, 1), 0).astype(dtype)
    inverse = (Vh.swapaxes(-1, -2) * scale[..., None, :]) @ U.swapaxes(-1, -2)
    return inverse, np.asarray(kept.sum(-1)), np.asarray(size)


@pseudo_inverse.grad("A")
def pinv_grad(g, A, out):
    return pinv_backward(g, A, out)


@tensor_gradient
def pinv_backward(g: Tensor, A: Tensor, P: Tensor) -> Tensor:
    """-P^T g P^T + (I - A P) g^T P P^T + P^T P g^T (I - P A): Golub and Pereyra, 1973."""
    Pt, gt = P.mT, g.mT
    right, left = (gt @ P) @ Pt, Pt @ (P @ gt)
    return (right - A @ (P @ right)) + (left - (left @ P) @ A) - Pt @ g @ Pt


def _pinv(A: Tensor, atol: Any, rtol: Any, hermitian: bool) -> Any:
    if hermitian:
        square("linalg.eigh", A)
    found = op("pseudo_inverse")(A, _tolerance(atol), _tolerance(rtol), bool(hermitian))
    refuse_nan("linalg.eigh" if hermitian else "linalg.svd", found[2], NO_CONVERGENCE + NOT_FINITE)
    return found


@public("linalg")
def pinv(
    A: Tensor,
    rcond: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
    out: Any = None,
) -> Tensor:
    """The Moore-Penrose inverse; singular values below max(atol, rtol * the largest) count as zero."""
    return into(out, "linalg_pinv", _pinv(A, atol, rcond if rcond is not None else rtol, hermitian)[0])


@public("torch Tensor")
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """Same as linalg.pinv with rtol=rcond."""
    return pinv(input, rcond)


# ---------------------------------------------------------------------- rank
@public("linalg")
def matrix_rank(
    A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None, out: Any = None
) -> Tensor:
    """How many singular values are larger than max(atol, rtol * the largest), or than `tol`."""
    check(A.ndim >= 2, "torch.linalg.matrix_rank: The input tensor input must have at least 2 dimensions.")
    low = A.array.dtype not in dtypes.FLOATS or A.array.dtype.itemsize == 2
    check(not low, "This function doesn't handle types other than float and double")
    if not A.numel():
        return into(out, "linalg_matrix_rank", FUNCTIONS["sum"](A.detach(), (-2, -1)).long())
    A = A.detach()
    values = FUNCTIONS["abs"](eigvalsh(A)) if hermitian else svdvals(A)
    if tol is not None:
        atol, rtol = tol, 0.0
    return into(
        out, "linalg_matrix_rank", op("count_above")(values, _tolerance(atol), _tolerance(rtol), tuple(A.shape))
    )


@structured(tensors="values atol? rtol?")
def count_above(values, atol, rtol, shape):
    lead = values.shape[:-1]
    for t in (atol, rtol):
        lead = lead if t is None else np.broadcast_shapes(lead, t.shape)
    return lead, dtypes.INT64_NUMPY


@count_above.cpu
def count_above_cpu(values, atol, rtol, shape):
    """How many of a matrix's singular values count."""
    threshold = _threshold(values.max(-1), shape, values.dtype, atol, rtol)
    return np.asarray((values > np.expand_dims(threshold, -1)).sum(-1))


# ---------------------------------------------------------------------- least squares
Lstsq = return_type("linalg_lstsq", "solution residuals rank singular_values")
DRIVERS = "gels", "gelsy", "gelsd", "gelss"


def _check_lstsq(A: Tensor, B: Tensor, driver: str) -> bool:
    """torch's checks; whether B is a batch of vectors."""
    name = "torch.linalg.lstsq"
    if A.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if B.ndim < 1:
        raise RuntimeError(f"{name}: other must have at least 1 dimension.")
    if A.dtype != B.dtype:
        raise RuntimeError(
            f"{name}: Expected input and other to have the same dtype, but got input's dtype {c_name(A.array)} and "
            f"other's dtype {c_name(B.array)}"
        )
    difference = A.ndim - B.ndim
    if not 0 <= difference <= 1:
        raise RuntimeError(
            f"{name}: input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) <= 1"
        )
    if difference:
        if A.shape[-2] != B.shape[-1]:
            raise RuntimeError(f"{name}: input.size(-2) should match other.size(-1)")
    else:
        if A.shape[-2] != B.shape[-2]:
            raise RuntimeError(f"{name}: input.size(-2) should match other.size(-2)")
    if A.is_cuda:
        check(driver == "gels", f"{name}: parameter `driver` should be gels")
    elif driver not in DRIVERS:
        raise RuntimeError(f"{name}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)")
    low = A.array.dtype not in dtypes.FLOATS or A.array.dtype.itemsize == 2
    check(not low, "This function doesn't handle types other than float and double")
    return bool(difference)


@structured(name="least_squares", title="LinalgLstsq", tensors="A B", outputs=("rank", "values"),
            returns=lambda *a: a)  # fmt: skip
def least_squares(A, B, rcond, by_values):
    *lead, m, n = A.shape
    return [((*lead, n, B.shape[-1]), A.dtype), (tuple(lead), dtypes.INT64_NUMPY), ((*lead, min(m, n)), A.dtype)]


@least_squares.cpu
def least_squares_cpu(A, B, rcond, by_values):
    """By the singular values where they are wanted, or there is no other way; numpy.linalg.lstsq takes no batches."""
    (shape, dtype), (lead, _), (short, _) = least_squares.infer(A, B, rcond, by_values)
    if not A.size:
        return np.zeros(shape, dtype), np.zeros(lead, np.int64), np.zeros(short, dtype)
    if not by_values and B.shape[-1] and np.isfinite(A).all() and np.isfinite(B).all():
        found = openblas.least_squares(A, B, rcond)
        if found is not None:
            return column_major(found[0], A.shape[-2]), found[1], np.empty(short, dtype)
    wide = B if B.shape[-1] else np.zeros((*B.shape[:-1], 1), dtype)  # LAPACK refuses none
    X, _, rank, values = converged("linalg.svd", NOT_FINITE, "lstsq", A, wide, np.asarray(rcond, dtype))
    return column_major(X[..., : B.shape[-1]], A.shape[-2]), np.asarray(rank, np.int64), values


@least_squares.grad("A")
def least_squares_grad_A(g, A, B, rcond):
    return least_squares_backward_A(g, A, B, rcond)


@least_squares.grad("B")
def least_squares_grad_B(g, A, rcond):
    return least_squares_backward_B(g, A, rcond)


@tensor_gradient
def least_squares_backward_A(g: Tensor, A: Tensor, B: Tensor, rcond: float) -> Tensor:
    return pinv_backward(g @ B.mT, A, pinv(A, rcond))


@tensor_gradient
def least_squares_backward_B(g: Tensor, A: Tensor, rcond: float) -> Tensor:
    return pinv(A, rcond).mT @ g


def _of_full_rank(A: Tensor, B: Tensor) -> Tensor:
    """The solution by QR of A or, where that is wide, of its transpose."""
    is_wide = A.shape[-2] < A.shape[-1]
    Q, R = qr(A.mT if is_wide else A)
    solve = op("solve_triangular_matrices")
    X = Q @ solve(R.mT, B, False, True, False) if is_wide else solve(R, Q.mT @ B, True, True, False)
    return titled(X, "LinalgLstsqBackward0", through=True)


@public("linalg")
def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None, out: Any = None) -> Any:
    """(solution, residuals, rank, singular_values): the X of least norm that minimises the norm of A @ X - B.

    All drivers but "gelsy" go through the singular values; they differ in which further results are not empty. On a
    GPU there is only "gels", which is by QR, and right for matrices of full rank.
    """
    if driver is None:
        driver = "gels" if A.is_cuda else "gelsy"
    vectors = _check_lstsq(A, B, driver)
    B = op("unsqueeze")(B, -1) if vectors else B
    check_broadcast(tuple(A.shape[:-2]), tuple(B.shape[:-2]))
    m, n = A.shape[-2:]
    if rcond is None:
        rcond = max(m, n) * float(np.finfo(A.array.dtype).eps)
    lead = tuple(A.shape[:-2])
    A, B = broadcast_batches(A, B)
    if A.is_cuda:
        X, rank, values, full = _of_full_rank(A, B), A, A, True
    else:
        X, rank, values = op("least_squares")(A, B, float(rcond), driver != "gelsy")
        if A.shape[:-2] != lead:  # what belongs to A alone has its batch dimensions
            own = (0,) * (A.ndim - 2 - len(lead)) + tuple([slice(n) for n in lead])
            rank, values = rank[own], values[own]
        full = bool((rank.array == min(m, n)).all())
    if driver == "gels" and not full:
        raise LinAlgError(
            "torch.linalg.lstsq: The least squares solution could not be computed because the input matrix does not "
            "have full rank."
        )
    residuals = reshape(X, X.numel())[:0]  # empty, with a graph as torch has it
    if m > n and full and driver != "gelsy":
        difference = A @ X - B
        residuals = op("sum")(difference * difference, -2)
    rank = rank.new_empty((0,), dtype=dtypes.int64) if driver == "gels" else rank
    values = values if driver in ("gelsd", "gelss") else values.new_empty((0,))
    X = op("squeeze_dims")(X, (-1,)) if vectors else X
    return into(out, "linalg_lstsq", Lstsq(X, residuals, rank, values))


# ---------------------------------------------------------------------- approximations of low rank
def _basis(A: Tensor, q: int, niter: int, M: Tensor | None) -> Tensor:
    """Orthonormal columns that nearly span the q largest singular vectors: Halko, Martinsson and Tropp, 2011."""

    def times(X: Tensor, transposed: bool = False) -> Tensor:
        if M is None:
            return A.mT @ X if transposed else A @ X
        return A.mT @ X - M.mT @ X if transposed else A @ X - M @ X

    Q = qr(times(randn(A.shape[-1], q, dtype=A.dtype, device=A.device))).Q
    for _ in range(niter):
        Q = qr(times(qr(times(Q, True)).Q)).Q
    return Q


@public("torch")
def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None) -> Any:
    """(U, S, V) of about the largest q singular values of A - M, by random projection."""
    q, niter = 6 if q is None else q, 2 if niter is None else niter
    m, n = A.shape[-2:]
    M = None if M is None else FUNCTIONS["broadcast_to"](M, A.shape)
    wide = m < n
    if wide:
        A, M = A.mT, None if M is None else M.mT
    Q = _basis(A, q, niter, M)
    B = Q.mT @ A if M is None else Q.mT @ A - Q.mT @ M
    U, S, Vh = svd(B, False)
    U, V = Q @ U, Vh.mT
    return (V, S, U) if wide else (U, S, V)


@public("torch")
def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> Any:
    """(U, S, V): svd_lowrank of the matrix less the means of its columns."""
    m, n = A.shape[-2:]
    q = min(6, m, n) if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if not niter >= 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - op("mean")(A, -2, True) if center else A, q, niter)
