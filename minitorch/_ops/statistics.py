"""Moments and quantiles: var, std, quantile, cov, corrcoef."""

import functools
from typing import Any

import numpy as np

from minitorch._kernels import cache
from minitorch._kernels.codegen import Formula
from minitorch._kernels.cpu.loops import Loops
from minitorch._kernels.silence import silent
from minitorch._tensor import Tensor, wrap
from minitorch.autograd._warnings import warn

from .check import C_NAMES, anywhere, check, integer, invalid_arguments, wrap_dim
from .op import ARRAY_NAMES, TENSOR_NAMES, structured
from .public import FUNCTIONS, into, op, public
from .reductions import FLOATS, count_reduced, reduction_of, three_parts
from .scope import SMALL


# ---------------------------------------------------------------------- variance
@structured(name="variance", title="Var", tensors="input")
def variance(input, dim, correction, keepdim):
    check(input.dtype in FLOATS, "var: only support floating point and complex dtypes")
    return reduction_of(input.shape, dim, keepdim)[1], input.dtype


@variance.cpu
@silent
def variance_cpu(input, dim, correction, keepdim):
    dims, shape, _ = reduction_of(input.shape, dim, keepdim)
    squares = np.zeros(shape)
    if input.size:
        x = three_parts(input, dims)
        outer, _, inner = x.shape
        kernel = cache.load_file("cpu.normalization").squares_about_mean
        kernel(x, np.empty(inner), np.empty(inner), squares.reshape(outer, inner))
    left = count_reduced(input.shape, dim) - correction
    return np.asarray(squares / max(left, 0), input.dtype)


@variance.grad("input")
def variance_grad(g, input, dim, correction, keepdim):
    left = count_reduced(input.shape, dim) - correction
    g, centre = keep_dims(g, input, dim, keepdim), mean(input, dim, True)  # noqa: F821
    if left <= 0 and (dim is None or not input.ndim):  # as torch does, of a whole tensor alone
        return where(input == centre, g * nan, g * inf)  # noqa: F821
    return deviations(g, input, centre, scale=2.0 / left if left else inf)  # noqa: F821


def deviations(g, x, centre, *, scale):
    return g * (x - centre) * scale


@functools.cache
def _deviation_loops() -> Loops:
    return Loops(Formula(deviations), SMALL)


def _deviations_array(g: np.ndarray, x: np.ndarray, centre: np.ndarray, *, scale: float) -> np.ndarray:
    return _deviation_loops().general((g, x, centre), (scale,), None, x.dtype)


ARRAY_NAMES["deviations"], TENSOR_NAMES["deviations"] = _deviations_array, deviations


def _variance(name: str, input: Tensor, dim: Any, unbiased: Any, keepdim: bool, correction: Any) -> tuple[Any, ...]:
    """(variance, dim) for var, std and what returns their mean too, with the warning in that function's name."""
    if isinstance(dim, bool):
        if keepdim or unbiased is not None:
            invalid_arguments(name, input, dim)
        dim, unbiased = None, dim
    if correction is not None and unbiased is not None:
        raise TypeError(f"{name}() received an invalid combination of arguments: unbiased and correction")
    if not input.is_floating_point():
        named = name if "_mean" in name else "std and var"
        raise RuntimeError(f"{named} only support floating point and complex dtypes")
    correction = (1 if unbiased is None else int(unbiased)) if correction is None else correction
    result = op("variance")(input, dim, correction, keepdim)
    if input.array.size <= correction * result.array.size or not result.array.size:
        warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor "
            "(input numel divided by output numel).",
            UserWarning,
        )
    return result, dim


@public("torch Tensor", given="unbiased")
def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
    out: Any = None,
) -> Tensor:
    """The variance: squares about the mean, divided by n - correction (1 at first; 0 with unbiased=False).

    >>> import minitorch as torch
    >>> torch.tensor([1.0, 3.0]).var(), torch.tensor([1.0, 3.0]).var(correction=0)
    (tensor(2.), tensor(1.))
    """
    return into(out, "var", _variance("var", input, dim, unbiased, keepdim, correction)[0])


@public("torch Tensor", given="unbiased")
def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
    out: Any = None,
) -> Tensor:
    """The square root of var."""
    return into(out, "std", op("std_of_var")(_variance("std", input, dim, unbiased, keepdim, correction)[0]))


@public("torch", given="unbiased")
def var_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
) -> Any:
    """(var, mean)."""
    result, dim = _variance("var_mean", input, dim, unbiased, keepdim, correction)
    return result, op("mean")(input, dim, keepdim)


@public("torch", given="unbiased")
def std_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
) -> Any:
    """(std, mean)."""
    result, dim = _variance("std_mean", input, dim, unbiased, keepdim, correction)
    return op("std_of_var")(result), op("mean")(input, dim, keepdim)


# ---------------------------------------------------------------------- quantiles
INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


@public("torch Tensor")
def quantile(
    input: Tensor, q: Any, dim: Any = None, keepdim: bool = False, *, interpolation: str = "linear", out: Any = None
) -> Tensor:
    """The values below which a share q of the elements lies; several q make a first dimension.

    >>> import minitorch as torch
    >>> torch.quantile(torch.tensor([0.0, 1.0, 2.0, 3.0]), 0.5)
    tensor(1.5000)
    """
    return into(out, "quantile", _quantile("quantile", input, q, dim, keepdim, interpolation))


@public("torch Tensor")
def nanquantile(
    input: Tensor, q: Any, dim: Any = None, keepdim: bool = False, *, interpolation: str = "linear", out: Any = None
) -> Tensor:
    """quantile of the elements that are not nan."""
    return into(out, "nanquantile", _quantile("nanquantile", input, q, dim, keepdim, interpolation))


def _quantile(name: str, input: Tensor, q: Any, dim: Any, keepdim: bool, interpolation: str) -> Tensor:
    q = _checked_q(input, q, interpolation)
    if dim is None:
        rows, shape = FUNCTIONS["reshape"](input, -1), (1,) * input.ndim
    else:
        dim = wrap_dim(integer(dim, "dim", name), input.ndim)
        rows = FUNCTIONS["movedim"](input, dim, -1) if input.ndim else FUNCTIONS["reshape"](input, -1)
        shape = tuple([1 if i == dim else n for i, n in enumerate(input.shape)])
    kept = shape if keepdim else tuple(rows.shape[:-1])
    found = _at_ranks(FUNCTIONS["sort"](rows)[0], _ranks(rows, q, name == "nanquantile"), interpolation)
    if not q.ndim:
        return FUNCTIONS["reshape"](found, kept)
    return FUNCTIONS["reshape"](FUNCTIONS["movedim"](found, -1, 0), (*q.shape, *kept))


def _checked_q(input: Tensor, q: Any, interpolation: str) -> Tensor:
    check(input.array.size, "quantile() input tensor must be non-empty")
    check(input.array.dtype in (np.float32, np.float64), "quantile() input tensor must be either float or double dtype")
    if interpolation not in INTERPOLATIONS:
        raise RuntimeError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but got "
            f"{interpolation}"
        )
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(f"quantile() q must be in the range [0, 1] but got {q:g}")
        q = wrap(np.array(q, input.array.dtype))
        q = q.to(input.device) if input.is_cuda else q
    check(q.ndim <= 1, "quantile() q must be a scalar or 1D tensor")
    check(q.dtype is input.dtype, "quantile() q tensor must be same dtype as the input tensor")
    inside = (q >= 0) & (q <= 1)
    check(q.is_meta or not anywhere(~inside), "quantile() q values must be in the range [0, 1]")
    return q


def _ranks(rows: Tensor, q: Tensor, skip_nan: bool) -> Tensor:
    """Where the quantiles lie among the sorted elements (..., n), as (..., number of q); floats."""
    flat = FUNCTIONS["reshape"](q, -1)
    missing = rows != rows
    if skip_nan:
        valid = FUNCTIONS["sum"](~missing, -1, True).to(rows.dtype)
        return FUNCTIONS["clamp"](flat * (valid - 1), min=0)
    last = rows.shape[-1] - 1
    # a nan sorts last: whatever the rank, it is the result
    return FUNCTIONS["where"](FUNCTIONS["any"](missing, -1, True), float(last), flat * last)


def _at_ranks(ordered: Tensor, ranks: Tensor, interpolation: str) -> Tensor:
    floor, ceil = FUNCTIONS["floor"](ranks), FUNCTIONS["ceil"](ranks)
    if interpolation == "nearest":
        ranks = floor = FUNCTIONS["round"](ranks)
    elif interpolation in ("lower", "higher"):
        ranks = floor = floor if interpolation == "lower" else ceil
    below = FUNCTIONS["gather"](ordered, -1, floor.long())
    if interpolation not in ("linear", "midpoint"):
        return below
    weight = 0.5 if interpolation == "midpoint" else ranks - floor
    above = FUNCTIONS["gather"](ordered, -1, ceil.long())
    return FUNCTIONS["lerp"](below, above, weight)


# ---------------------------------------------------------------------- covariance
@public("torch Tensor")
def cov(input: Tensor, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Tensor:
    """The covariances of the rows, which hold observations as columns; weights count or scale the observations.

    >>> import minitorch as torch
    >>> torch.cov(torch.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    if input.ndim > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions"
        )
    check(input.array.dtype != np.bool_, "cov(): bool dtype is not supported for input")
    x = input if input.ndim == 2 else FUNCTIONS["reshape"](input, 1, -1)
    n = x.shape[1]
    w = _weights(x, fweights, aweights)
    # the sums below are torch's, whose mean over no observations is nan
    total = n if w is None else FUNCTIONS["sum"](w)
    if w is not None:
        check(w.is_meta or bool(total != 0), "cov(): weights sum to zero, can't be normalized")
    average = FUNCTIONS["sum"](x if w is None else x * w, 1, True) / total
    left = total - correction
    if w is not None and aweights is not None:
        left = total - correction * FUNCTIONS["sum"](w * aweights) / total
    if not isinstance(left, Tensor) and left <= 0:
        warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations.",
            UserWarning,
        )
        left = 0
    elif isinstance(left, Tensor):
        left = FUNCTIONS["clamp"](left, min=0)
    centred = x - average
    result = FUNCTIONS["matmul"](centred, FUNCTIONS["t"](centred if w is None else centred * w)) / left
    return FUNCTIONS["squeeze"](result)


def _weights(x: Tensor, fweights: Any, aweights: Any) -> Tensor | None:
    """The product of both kinds of weights; None without any."""
    n = x.shape[1]
    for name, w in (("fweights", fweights), ("aweights", aweights)):
        if w is None:
            continue
        if w.ndim > 1:
            raise RuntimeError(
                f"cov(): expected {name} to have one or fewer dimensions but got {name} with {w.ndim} dimensions"
            )
        kind, floats = ("integral", False) if name == "fweights" else ("floating point", True)
        if not (w.is_floating_point() is floats and w.array.dtype != np.bool_):
            raise RuntimeError(
                f"cov(): expected {name} to have {kind} dtype but got {name} with {C_NAMES[w.array.dtype.name]} dtype"
            )
        if w.array.size != n:
            raise RuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations in the input but got "
                f"{w.array.size} != {n}"
            )
        if not (w.is_meta or not n or not anywhere(w < 0)):
            raise RuntimeError(f"cov(): {name} cannot be negative")
    if fweights is None:
        return aweights
    return fweights if aweights is None else fweights * aweights


@public("torch Tensor")
def corrcoef(input: Tensor) -> Tensor:
    """The correlations of the rows: cov divided by the standard deviations, within -1 and 1."""
    if input.ndim > 2:
        raise RuntimeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions"
        )
    c = cov(input)
    if not c.ndim:
        return c / c
    deviation = FUNCTIONS["sqrt"](FUNCTIONS["diagonal"](c))
    scaled = c / FUNCTIONS["unsqueeze"](deviation, 1) / FUNCTIONS["unsqueeze"](deviation, 0)
    return FUNCTIONS["clamp"](scaled, -1, 1)
