"""Eigenvalues of symmetric matrices, by NumPy's LAPACK; those of others are complex.

The gradients are those of Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation", 2008.
"""

from typing import Any

import numpy as np

from minitorch._creation import eye
from minitorch._kernels.cpu import lapack
from minitorch._tensor import Tensor
from minitorch.return_types import return_type

from .matrices import (
    decomposition,
    first_failure,
    kernel_for,
    pack,
    packed_shape,
    refuse_nan,
    square,
    tensor_gradient,
    unpack,
)
from .op import structured
from .public import FUNCTIONS, into, op, public


# ---------------------------------------------------------------------- symmetric matrices
def _eigh_infer(A: Any, UPLO: str) -> None:
    square("linalg.eigh", A)
    if str(UPLO).upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    kernel_for("linalg_eigh_cpu", A)


NO_CONVERGENCE = "The algorithm failed to converge because the input matrix "


def converged(name: str, why: str, function: str, A: np.ndarray, *others: np.ndarray) -> Any:
    """LAPACK's function of A and others, with torch's error where its iteration fails: of the first infinite matrix."""
    finite = np.isfinite(A).all((-1, -2))
    try:
        if finite.all():
            return lapack.call(function, A, *others)
    except np.linalg.LinAlgError:
        pass
    info = np.where(finite, 0, 1) if not finite.all() else np.ones(finite.shape, int)
    first_failure(name, info, NO_CONVERGENCE + why)
    raise AssertionError("no matrix failed")


def _half(UPLO: str) -> str:
    """The triangle that is read, as NumPy's functions are named."""
    return "lo" if UPLO.upper() == "L" else "up"


ILL_CONDITIONED = "is ill-conditioned or has too many repeated eigenvalues (error code: {info})."


@decomposition("LinalgEigh")
def eigh_factors(A, UPLO):
    _eigh_infer(A, UPLO)
    n = A.shape[-1]
    return packed_shape(A.shape[:-2], [(n,), (n, n)]), A.dtype


@eigh_factors.cpu
def eigh_cpu(A, UPLO):
    eigh_factors.infer(A, UPLO)
    found = converged("linalg.eigh", ILL_CONDITIONED, f"eigh_{_half(UPLO)}", A)
    return pack(A.shape[:-2], list(found))


@eigh_factors.grad("A")
def eigh_grad(g, out):
    return eigh_backward(g, out)


def divided(x: Tensor, y: Tensor) -> Tensor:
    """x / y, but 0 / 0 is 0: what flows back from a factor that nobody used has no pole at equal eigenvalues."""
    return x / FUNCTIONS["where"]((x == 0) & (y == 0), 1.0, y)


def differences(values: Tensor) -> Tensor:
    """values[j] - values[i], but 1 on the diagonal."""
    n = values.shape[-1]
    return op("unsqueeze")(values, -2) - op("unsqueeze")(values, -1) + eye(n, dtype=values.dtype, device=values.device)


@tensor_gradient
def eigh_backward(g: Tensor, out: Tensor) -> Tensor:
    """V (diag(gL) + skew(V^T gV) / (L[j] - L[i])) V^T."""
    n = int((4 * out.shape[-1] + 1) ** 0.5) // 2
    (L, V), (gL, gV) = unpack(out, [(n,), (n, n)]), unpack(g, [(n,), (n, n)])
    inner = V.mT @ gV
    inner = (inner - inner.mT) * 0.5  # V turns by skew-symmetric matrices only
    return V @ (divided(inner, differences(L)) + op("diag_embed")(gL)) @ V.mT


Eigh = return_type("linalg_eigh", "eigenvalues eigenvectors")


@public("linalg")
def eigh(A: Tensor, UPLO: str = "L", *, out: Any = None) -> Any:
    """(eigenvalues in ascending order, eigenvectors as columns) of symmetric matrices; only one triangle is read.

    >>> import minitorch as torch
    >>> torch.linalg.eigh(torch.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    packed, n = op("eigh_factors")(A, UPLO), A.shape[-1]
    L, V = unpack(packed, [(n,), (n, n)], "eigh_factors_factor")
    refuse_nan("linalg.eigh", L, NO_CONVERGENCE + ILL_CONDITIONED)
    return into(out, "linalg_eigh", Eigh(L, V))


@structured(name="eigvalsh_values", title="LinalgEigh", tensors="A")
def eigvalsh_values(A, UPLO):
    _eigh_infer(A, UPLO)
    return A.shape[:-1], A.dtype


@eigvalsh_values.cpu
def eigvalsh_cpu(A, UPLO):
    eigvalsh_values.infer(A, UPLO)
    return converged("linalg.eigh", ILL_CONDITIONED, f"eigvalsh_{_half(UPLO)}", A)


@eigvalsh_values.grad("A")
def eigvalsh_grad(g, A, UPLO):
    return eigvalsh_backward(g, A, UPLO)


@tensor_gradient
def eigvalsh_backward(g: Tensor, A: Tensor, UPLO: str) -> Tensor:
    """The vectors are computed only here: without them the values take a quarter of the time."""
    V = eigh(A, UPLO).eigenvectors
    return (V * op("unsqueeze")(g, -2)) @ V.mT


@public("linalg")
def eigvalsh(A: Tensor, UPLO: str = "L", *, out: Any = None) -> Tensor:
    """The eigenvalues of symmetric matrices, in ascending order."""
    L = op("eigvalsh_values")(A, UPLO)
    refuse_nan("linalg.eigh", L, NO_CONVERGENCE + ILL_CONDITIONED)
    return into(out, "linalg_eigvalsh", L)


@public("torch")
def lobpcg(
    A: Tensor, k: Any = None, B: Any = None, X: Any = None, n: Any = None, iK: Any = None, niter: Any = None,
    tol: Any = None, largest: Any = None, method: Any = None, tracker: Any = None, ortho_iparams: Any = None,
    ortho_fparams: Any = None, ortho_bparams: Any = None,
) -> Any:  # fmt: skip
    """Not implemented: linalg.eigh gives all eigenvalues."""
    raise NotImplementedError("lobpcg is not supported by minitorch: linalg.eigh(A) gives all eigenvalues and vectors")


# ---------------------------------------------------------------------- others: complex
def _no_complex(name: str, A: Tensor) -> None:
    square("linalg.eig", A)
    kernel_for("linalg_eig_out_cpu", A.array)
    raise NotImplementedError(f"{name}: its result is complex, and minitorch has no complex tensors")


@public("linalg")
def eig(A: Tensor, *, out: Any = None) -> Any:
    """Not implemented: the result would be complex."""
    _no_complex("linalg.eig", A)


@public("linalg")
def eigvals(A: Tensor, *, out: Any = None) -> Any:
    """Not implemented: the result would be complex."""
    _no_complex("linalg.eigvals", A)
