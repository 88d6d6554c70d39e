"""Norms of vectors: linalg.vector_norm, norm, normalize, renorm."""

from math import inf
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._tensor import Tensor

from .check import C_NAMES, c_name, check, wrap_dim
from .deprecated import warn_deprecated
from .nodes import titled
from .op import structured
from .operands import number_argument
from .public import FUNCTIONS, PUBLIC, into, op, public
from .reductions import FLOATS, SUM, Reduction, reduction_of

# the orders with a loop of their own; the others are powers
LOOPS = {
    1.0: Reduction("absolute_sum", wide=True),
    2.0: Reduction("euclidean", wide=True),
    inf: Reduction("absolute_max"),
    -inf: Reduction("absolute_min"),
}


# ---------------------------------------------------------------------- linalg.vector_norm
@structured(name="norm_of_vectors", title="LinalgVectorNorm", tensors="input")
def norm_of_vectors(input, ord, dim, keepdim):
    name = "linalg.vector_norm"
    if input.dtype not in FLOATS:
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {c_name(input)}")
    dims, shape, _ = reduction_of(input.shape, dim, keepdim)
    if not input.size and (ord < 0 or ord == inf):
        why = "operation does not have an identity"
        if dim in (None, ()):
            raise RuntimeError(f"{name} cannot compute the {ord:g} norm on an empty tensor because the {why}")
        for i in dims:
            if not input.shape[i]:
                raise RuntimeError(
                    f"{name} cannot compute the {ord:g} norm on the dimension {i}because this dimension is empty and "
                    "the " + why
                )
    return shape, input.dtype


@norm_of_vectors.cpu
def norm_of_vectors_cpu(input, ord, dim, keepdim):
    shape, dtype = norm_of_vectors.infer(input, ord, dim, keepdim)
    every = dim if input.ndim and not (isinstance(dim, tuple) and not dim) else None
    if ord in LOOPS:
        return LOOPS[ord](input, every, keepdim)
    if ord == 0:
        return np.asarray(np.count_nonzero(input, axis=every), dtype).reshape(shape)
    with np.errstate(all="ignore"):
        total = SUM(np.asarray(np.abs(input) ** ord), every, keepdim)
        return np.asarray(total ** (1.0 / ord), dtype)


@norm_of_vectors.grad("input")
def norm_of_vectors_grad(g, input, out, ord, dim, keepdim):
    """sign(x) * (|x| / norm) ** (ord - 1), without a division by zero in it or in its own gradient."""
    n = keep_dims(out, input, dim, keepdim)  # noqa: F821
    g = keep_dims(g, input, dim, keepdim)  # noqa: F821
    if ord == 0:
        return zeros_like(input)  # noqa: F821
    if ord == 1:
        return g * sign(input)  # noqa: F821
    if ord in (inf, -inf):
        size = absolute(input)  # noqa: F821
        chosen = to_dtype((size == n) | (size != size), g.dtype)  # noqa: F821
        return sign(input) * chosen * (g / sum(chosen, dim, True))  # noqa: F821
    whole = where(n == 0.0, 1.0, n)  # noqa: F821
    if ord == 2:
        return input * where(n == 0.0, 0.0, g / whole)  # noqa: F821
    size = absolute(input)  # noqa: F821
    power = where(size == 0.0, 0.0, where(size == 0.0, 1.0, size) ** (ord - 1))  # noqa: F821
    return sign(input) * power * where(n == 0.0, 0.0, g * whole ** (1 - ord))  # noqa: F821


def _in_dtype(x: Tensor, dtype: Any) -> Tensor:
    """x in the dtype that was asked for, which must not be narrower."""
    if dtype is None or not x.is_floating_point():
        return x
    name = "linalg.vector_norm"
    if not dtype.is_floating_point:
        raise RuntimeError(f"{name}: dtype should be floating point or complex, but got {C_NAMES[_short(dtype)]}")
    if dtypes.promote_types(x.dtype, dtype) is not dtype:
        raise RuntimeError(
            f"{name}: the dtype of the input ({c_name(x.array)}) should be convertible without narrowing to the "
            f"specified dtype ({C_NAMES[_short(dtype)]})"
        )
    return x.to(dtype)


def _short(dtype: Any) -> str:
    return dtype.numpy.name


def vector_norm(
    x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None
) -> Tensor:
    """sum(|x| ** ord) ** (1 / ord) over everything or over dim; inf is the largest |x|, 0 counts what is not zero.

    >>> import minitorch as torch
    >>> torch.linalg.vector_norm(torch.tensor([3.0, -4.0]))
    tensor(5.)
    """
    ord = number_argument("linalg_vector_norm", "ord", 2, ord)
    dim = tuple(dim) if isinstance(dim, list) else dim
    result = op("norm_of_vectors")(_in_dtype(x, dtype), float(ord), dim, keepdim)
    return into(out, "linalg_vector_norm", result)


public("linalg")(vector_norm)


# ---------------------------------------------------------------------- norm, renorm, normalize
def norm(
    input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, out: Any = None, dtype: Any = None
) -> Tensor:
    """The norm of vectors, "fro" being 2, or the matrix norm "nuc"; linalg.vector_norm and matrix_norm say it better.

    >>> import minitorch as torch
    >>> torch.norm(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), dim=1)
    tensor([5., 0.])
    """
    dims = [dim] if hasattr(dim, "__index__") else dim
    if isinstance(p, str) and not (p == "fro" and (dims is None or len(dims) <= 2)):
        dims = list(range(input.ndim)) if dims is None else dims
        return FUNCTIONS["linalg.matrix_norm"](input, p, dims, keepdim, dtype=dtype, out=out)
    order = 2 if p is None or isinstance(p, str) else p
    return vector_norm(input, order, dims, keepdim, dtype=dtype, out=out)


def _method_norm(self: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """Same as torch.norm."""
    return norm(self, p, dim, keepdim, dtype=dtype)


_method_norm.__name__ = _method_norm.__qualname__ = "norm"
# in torch both are Python, without NumPy's spelling of the arguments
PUBLIC["norm"] = norm, ["torch"]
PUBLIC["Tensor.norm"] = _method_norm, ["Tensor"]


@public("torch")
def frobenius_norm(input: Tensor, dim: Any, keepdim: bool = False, *, out: Any = None) -> Tensor:
    """The square root of the sum of squares along dim."""
    warn_deprecated("frobenius_norm")
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    return into(out, "frobenius_norm", vector_norm(input, 2, dims or None, keepdim))


@public("torch")
def nuclear_norm(input: Tensor, dim: Any = (-2, -1), keepdim: bool = False, *, out: Any = None) -> Tensor:
    """The sum of the singular values of the matrices in two dimensions."""
    warn_deprecated("nuclear_norm")
    return FUNCTIONS["linalg.matrix_norm"](input, "nuc", dim, keepdim, out=out)


@public("torch Tensor")
def renorm(input: Tensor, p: Any, dim: int, maxnorm: Any, *, out: Any = None) -> Tensor:
    """The slices along dim, those with a larger p-norm scaled down to maxnorm."""
    check(p > 0, "renorm: non-positive-norm not supported")
    if not maxnorm >= 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm:g}")
    if input.ndim <= 1:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions")
    dim = wrap_dim(dim, input.ndim)
    others = tuple([i for i in range(input.ndim) if i != dim])
    size = vector_norm(input, p, others, True)
    scale = FUNCTIONS["where"](size > maxnorm, maxnorm / (size + 1e-7), 1.0)
    return into(out, "renorm", titled(input * scale, "RenormBackward0", ("input_edge",)))


@public("Tensor")
def renorm_(self: Tensor, p: Any, dim: int, maxnorm: Any) -> Tensor:
    """renorm of the tensor itself."""
    return FUNCTIONS["copy_"](self, renorm(self, p, dim, maxnorm))


@public("nn.functional")
def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Tensor:
    """input / max(its p-norm along dim, eps).

    >>> import minitorch as torch
    >>> torch.nn.functional.normalize(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    size = norm(input, p, dim, True)
    return into(out, "normalize", input / FUNCTIONS["clamp_min"](size, eps))
