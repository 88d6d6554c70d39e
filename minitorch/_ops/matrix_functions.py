"""Determinants, powers, the exponential, norms and condition numbers of matrices."""

from math import inf
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._creation import eye
from minitorch._kernels.cpu import lapack
from minitorch._tensor import Tensor
from minitorch.return_types import return_type

from .check import c_name, check, integers, type_name, wrap_dim
from .linalg import matmul
from .matrices import at_least_2d, floating, kernel_for, square, tensor_gradient
from .op import structured
from .public import FUNCTIONS, into, op, public
from .singular_values import svd, svdvals
from .solving import inv, inv_ex


# ---------------------------------------------------------------------- determinants
@structured(name="determinant", title="LinalgDet", tensors="A")
def determinant(A):
    square("linalg.det", A)
    floating("linalg.det", A)
    kernel_for("lu_cpu", A)
    return A.shape[:-2], A.dtype


@determinant.cpu
def det_cpu(A):
    determinant.infer(A)
    return np.asarray(lapack.call("det", A))


@determinant.grad("A")
def det_grad(g, A, out):
    return det_backward(g, A, out)


@tensor_gradient
def det_backward(g: Tensor, A: Tensor, det: Tensor) -> Tensor:
    """g det(A) A^-T; for singular matrices g det(U) det(V) U diag(products of the other singular values) V^T."""
    if A.shape[-1] == 1:
        return op("unsqueeze")(op("unsqueeze")(g, -1), -1)
    if ((det.array.to_host() if det.is_cuda else det.array) != 0).all():
        return op("unsqueeze")(op("unsqueeze")(g * det, -1), -1) * inv(A).mT
    U, S, Vh = svd(A)
    sign = g * op("determinant")(U) * op("determinant")(Vh)
    others = _products_of_others(S) * op("unsqueeze")(sign, -1)
    return (U * op("unsqueeze")(others, -2)) @ Vh


def _products_of_others(S: Tensor) -> Tensor:
    n = S.shape[-1]
    values = [S[..., i] for i in range(n)]
    one = FUNCTIONS["prod"](S[..., :0], -1)
    before, after = [one], [one]
    for i in range(n - 1):
        before.append(before[-1] * values[i])
        after.append(after[-1] * values[n - 1 - i])
    return FUNCTIONS["stack"]([b * a for b, a in zip(before, reversed(after), strict=True)], -1)


@public("linalg")
def det(A: Tensor, *, out: Any = None) -> Tensor:
    """The determinants of square matrices."""
    return into(out, "linalg_det", op("determinant")(A))


@public("torch Tensor", name="det")
def torch_det(input: Tensor) -> Tensor:
    """Same as linalg.det."""
    return op("determinant")(input)


@structured(name="log_determinant", title="LinalgSlogdet", tensors="A", outputs=("sign",), returns=lambda *a: a)
def log_determinant(A, name):
    square(name, A)
    floating(name, A, low=False)
    return [(A.shape[:-2], A.dtype), (A.shape[:-2], A.dtype)]


@log_determinant.cpu
def slogdet_cpu(A, name):
    log_determinant.infer(A, name)
    sign, value = lapack.call("slogdet", A)
    return np.asarray(value), np.asarray(sign)


@log_determinant.grad("A")
def slogdet_grad(g, A):
    return slogdet_backward(g, A)


@tensor_gradient
def slogdet_backward(g: Tensor, A: Tensor) -> Tensor:
    return op("unsqueeze")(op("unsqueeze")(g, -1), -1) * inv_ex(A).inverse.mT


LinalgSlogdet, Slogdet = return_type("linalg_slogdet", "sign logabsdet"), return_type("slogdet", "sign logabsdet")


@public("linalg")
def slogdet(A: Tensor, *, out: Any = None) -> Any:
    """(sign, logabsdet): the determinant's sign, and the logarithm of its absolute value."""
    value, sign = op("log_determinant")(A, "linalg.slogdet")
    return into(out, "linalg_slogdet", LinalgSlogdet(op("constant_beside")(value, sign), value))


@structured(name="constant_beside", title="LinalgSlogdet", tensors="input constant")
def constant_beside(input, constant):
    return constant.shape, constant.dtype


@constant_beside.cpu
def constant_beside_cpu(input, constant):
    """The constant, with the graph of the input: torch says that the sign of a determinant has a gradient, zero."""
    return constant.copy()


@constant_beside.grad("input")
def constant_beside_grad(g):
    return mul(g, 0.0)  # noqa: F821


@public("torch Tensor", name="slogdet")
def torch_slogdet(input: Tensor, *, out: Any = None) -> Any:
    """Same as linalg.slogdet."""
    return into(out, "slogdet", Slogdet(*slogdet(input)))


@public("torch Tensor")
def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant; nan where that is negative."""
    value, sign = op("log_determinant")(input, "logdet")
    return FUNCTIONS["where"](sign == -1.0, float("nan"), value)


# ---------------------------------------------------------------------- powers and the exponential
@public("linalg")
def matrix_power(A: Tensor, n: int, *, out: Any = None) -> Tensor:
    """The product of n times the matrix; for negative n, of its inverse."""
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(f"matrix_power(): argument 'n' (position 2) must be int, not {type_name(n)}")
    square("linalg.matrix_power", A)
    if n == 0:
        identity = eye(A.shape[-1], dtype=A.dtype, device=A.device)
        return into(out, "linalg_matrix_power", op("clone")(A).copy_(identity))
    base = inv(A) if n < 0 else A
    if abs(n) == 1:
        return into(out, "linalg_matrix_power", op("clone")(base) if n == 1 else base)
    result, left = None, abs(n)
    while left:  # by squaring
        if left & 1:
            result = base if result is None else matmul(result, base)
        left >>= 1
        base = matmul(base, base) if left else base
    return into(out, "linalg_matrix_power", result)


@public("torch Tensor", name="matrix_power")
def torch_matrix_power(input: Tensor, n: int, *, out: Any = None) -> Tensor:
    """Same as linalg.matrix_power."""
    return matrix_power(input, n, out=out)


@structured(name="exponential", title="LinalgMatrixExp", tensors="A")
def exponential(A):
    square("linalg.matrix_exp", A)
    floating("linalg.matrix_exp", A)
    return A.shape, A.dtype


@exponential.cpu
def matrix_exp_cpu(A):
    exponential.infer(A)
    return lapack.matrix_exp(A)


@exponential.grad("A")
def matrix_exp_grad(g, A):
    return matrix_exp_backward(g, A)


@tensor_gradient
def matrix_exp_backward(g: Tensor, A: Tensor) -> Tensor:
    """The upper right block of exp([[A^T, g], [0, A^T]]): Mathias, 1996."""
    n, cat, transposed = A.shape[-1], FUNCTIONS["cat"], A.mT
    upper, lower = cat([transposed, g], -1), cat([transposed.new_zeros(tuple(A.shape)), transposed], -1)
    return op("exponential")(cat([upper, lower], -2))[..., :n, n:]


@public("torch Tensor")
def matrix_exp(input: Tensor) -> Tensor:
    """exp(A) = I + A + A @ A / 2! + ... of square matrices."""
    return op("exponential")(input)


@public("linalg", name="matrix_exp")
def linalg_matrix_exp(A: Tensor) -> Tensor:
    """Same as torch.matrix_exp."""
    return op("exponential")(A)


# ---------------------------------------------------------------------- norms
def _vector_norm(A: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return FUNCTIONS["linalg.vector_norm"](A, *args, **kwargs)


def _norm_dtype(name: str, A: Tensor, dtype: Any) -> Tensor:
    """A in the dtype that was asked for, which must not be narrower."""
    if dtype is None:
        return A
    if dtypes.promote_types(A.dtype, dtype) is not dtype:
        raise RuntimeError(
            f"{name}: the dtype of the input ({c_name(A.array)}) should be convertible without narrowing to the "
            f"specified dtype ({c_name(np.empty(0, dtype.numpy))})"
        )
    return A.to(dtype)


@public("linalg")
def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None, out: Any = None
) -> Tensor:
    """The norm of the matrices in two dimensions: "fro", "nuc", inf, -inf, 1, -1, 2 or -2."""
    name = "linalg.matrix_norm"
    at_least_2d(name, A)
    floating(name, A.array)
    dims = (dim,) if isinstance(dim, int) else integers(dim, "dim", "linalg_matrix_norm", 3)
    if len(dims) != 2:
        raise RuntimeError(f"{name}: dim must be a 2-tuple. Got {' '.join(map(str, dims))}")
    row, column = wrap_dim(dims[0], A.ndim), wrap_dim(dims[1], A.ndim)
    if row == column:
        raise RuntimeError(f"{name}: dims must be different. Got ({dims[0]}, {dims[1]})")
    known = ord in ("fro", "nuc") if isinstance(ord, str) else abs(ord) in (1, 2, inf)
    if not known:
        raise RuntimeError(f"{name}: Order {ord if isinstance(ord, str) else f'{ord:g}'} not supported.")
    if ord in (2, -2, "nuc"):
        floating(name, A.array, low=False)
    A = _norm_dtype(name, A, dtype)
    if ord == "fro":
        return into(out, "linalg_matrix_norm", _vector_norm(A, 2, (row, column), keepdim))
    if ord in (2, -2, "nuc"):
        values = svdvals(FUNCTIONS["movedim"](A, (row, column), (-2, -1)))
        result = op("sum")(values, -1) if ord == "nuc" else _extreme(values, ord > 0, -1, False)
        if keepdim:
            for i in sorted((row, column)):
                result = op("unsqueeze")(result, i)
        return into(out, "linalg_matrix_norm", result)
    if abs(ord) == inf:
        row, column = column, row
    sums = _vector_norm(A, 1, row, True)
    result = _extreme(sums, ord > 0, column, True)
    return into(out, "linalg_matrix_norm", result if keepdim else op("squeeze_dims")(result, (row, column)))


def _extreme(x: Tensor, largest: bool, dim: int, keepdim: bool) -> Tensor:
    """The largest or smallest along dim; the norm of an empty matrix is 0."""
    if not x.shape[dim]:
        return op("sum")(x, dim, keepdim)
    return op("amax" if largest else "amin")(x, dim, keepdim)


@public("linalg")
def norm(
    A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, out: Any = None, dtype: Any = None
) -> Tensor:
    """A vector's norm, or that of matrices: which of both `dim`, or else the dimensions of A, say."""
    if dim is not None:
        dims = tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
        if len(dims) not in (1, 2):
            raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}")
    elif ord is not None:
        if A.ndim not in (1, 2):
            raise RuntimeError(
                f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.ndim}D."
            )
    matrices = isinstance(ord, str) or (ord is not None and (A.ndim == 2 if dim is None else len(dims) == 2))
    if matrices:
        result = matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    else:
        result = _vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)
    return into(out, "linalg_norm", result)


@public("linalg")
def cond(A: Tensor, p: Any = None, *, out: Any = None) -> Tensor:
    """The condition number: norm(A) * norm(inv(A)), by default the largest singular value over the smallest."""
    check(A.ndim >= 2, "linalg.cond: The input tensor must have at least 2 dimensions.")
    known = p in ("fro", "nuc") if isinstance(p, str) else p is None or abs(p) in (1, 2, inf)
    if not known:
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if not A.numel():
        return into(out, "linalg_cond", A.new_zeros(tuple(A.shape[:-2])))
    if p in (None, 2, -2):
        values = svdvals(A)
        first, last = values[..., 0], values[..., -1]
        return into(out, "linalg_cond", last / first if p == -2 else first / last)
    if isinstance(p, str):
        square(f"linalg.cond(ord={p})", A)
    inverse, info = inv_ex(A)
    singular = op("unsqueeze")(op("unsqueeze")(info > 0, -1), -1)
    inverse = FUNCTIONS["where"](singular, inf, inverse)
    return into(out, "linalg_cond", matrix_norm(A, p) * matrix_norm(inverse, p))
