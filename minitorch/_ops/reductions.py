"""Reductions: an initial value, a step and a finish, from which loops are generated, and the gradients."""

from math import prod as product
from typing import Any, NamedTuple

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels import codegen
from minitorch._kernels.cpu.loops import for_contiguous

from .check import check, float_required, wrap_dim, wrap_dims
from .generate import SMALL
from .op import ARRAY_NAMES, structured

ndarray = np.ndarray
empty = np.empty
FLOATS = dtypes.FLOATS


# ---------------------------------------------------------------------- geometry of a reduction
def reduced_dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """The dimensions that `dim=` names: all for None and for an empty list."""
    if dim is None or dim == ():
        return tuple(range(ndim))
    if isinstance(dim, (tuple, list)):
        return wrap_dims(dim, ndim) if dim else tuple(range(ndim))
    return (wrap_dim(dim, ndim),)


def reduced_shape(shape: tuple[int, ...], dims: tuple[int, ...], keepdim: bool) -> tuple[int, ...]:
    """The result's shape; a keepdim that is no bool is most likely a second dimension, torch's TypeError."""
    if keepdim.__class__ is not bool:
        raise TypeError(f"argument 'keepdim' must be bool, not {type(keepdim).__name__}")
    if keepdim:
        return tuple([1 if i in dims else n for i, n in enumerate(shape)])
    return tuple([n for i, n in enumerate(shape) if i not in dims])


def three_parts(a: np.ndarray, dims: tuple[int, ...]) -> np.ndarray:
    """The array as contiguous (outer, reduced, inner)."""
    shape = a.shape
    if not shape:
        return a.reshape(1, 1, 1)
    order = sorted(dims)
    if order == list(range(order[0], order[-1] + 1)) and a.flags.c_contiguous:
        outer, inner = product(shape[: order[0]]), product(shape[order[-1] + 1 :])
        return a.reshape(outer, product(shape[order[0] : order[-1] + 1]), inner)
    kept = [i for i in range(len(shape)) if i not in dims]
    dense = np.ascontiguousarray(a.transpose([*kept, *order]))
    return dense.reshape(product([shape[i] for i in kept]), product([shape[i] for i in order]), 1)


class Reduction:
    """The loops of one reduction, from its formulas: see `codegen.reduction_source`.

    Above SMALL elements NumPy's own reduction runs instead, where there is one that is as exact and vectorised.
    """

    def __init__(self, name: str, init: str, step: str, finish: str = "a", *, wide: bool = False, numpy: Any = None):
        self.name, self.formulas, self.wide, self.numpy = name, (init, step, finish), wide, numpy
        self._kernels: dict[Any, Any] = {}
        self.of_floats: Any = self._first_of_floats

    def _kernel(self, dtype: np.dtype, whole: bool) -> Any:
        accumulator = None if not self.wide else "np.float64" if dtype.kind == "f" else "np.int64"
        key = accumulator, whole
        if key not in self._kernels:
            kernel = codegen.reduction(self.name, *self.formulas, accumulator=accumulator, whole=whole)
            if whole:
                kernel = for_contiguous(kernel, lambda x, o: self.whole(np.ascontiguousarray(x), o))
            self._kernels[key] = kernel
        return self._kernels[key]

    def _first_of_floats(self, a: np.ndarray, o: np.ndarray) -> None:
        """`whole` for floats, replaced by its kernel at the first call: the way of a loss's mean."""
        self.of_floats = self._kernel(o.dtype, True)
        self.of_floats(a, o)

    def whole(self, a: np.ndarray, o: np.ndarray) -> None:
        """Every element of a, into the 0-dim o."""
        self._kernel(o.dtype, True)(a, o)

    def parts(self, a: np.ndarray, dims: tuple[int, ...], o: np.ndarray) -> None:
        """The elements along dims, into o of the shape without them."""
        x = three_parts(a, dims)
        wide = (np.float64 if o.dtype.kind == "f" else np.int64) if self.wide else o.dtype
        scratch = np.empty(x.shape[2], wide)
        self._kernel(o.dtype, False)(x, o.reshape(x.shape[0], x.shape[2]), scratch)

    def __call__(self, a: np.ndarray, dim: Any, keepdim: bool, dtype: Any = None) -> np.ndarray:
        dtype = a.dtype if dtype is None else dtype
        if dim is None and not keepdim and (self.numpy is None or a.size <= SMALL):
            o = empty((), dtype)
            self.whole(a, o)
            return o
        dims = reduced_dims(dim, a.ndim)
        if self.numpy is not None and a.size > SMALL:
            return np.asarray(self.numpy(a, axis=dims, keepdims=keepdim), dtype)
        o = empty(reduced_shape(a.shape, dims, keepdim), dtype)
        if o.size:
            self.parts(a, dims, o)
        return o


SUM = Reduction("sum", "0", "a + x", wide=True)
MEAN = Reduction("mean", "0", "a + x", "a / n", wide=True)
PROD = Reduction("prod", "1", "a * x", wide=True)
AMAX = Reduction("amax", "first", "x if x > a or x != x else a", numpy=np.maximum.reduce)
AMIN = Reduction("amin", "first", "x if x < a or x != x else a", numpy=np.minimum.reduce)


def sum_to(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Undo broadcasting: sum over the dimensions that were added or stretched."""
    if not shape:
        o = empty((), g.dtype)
        SUM.of_floats(g, o)
        return o
    lead = g.ndim - len(shape)
    dims = tuple([i for i in range(g.ndim) if i < lead or shape[i - lead] != g.shape[i]])
    return SUM(g, dims, False).reshape(shape)


def _result_dtype(input: Any, dtype: Any) -> np.dtype:
    """sum and prod of integers and bools are int64."""
    if dtype is not None:
        return dtypes.numpy_dtype(dtype)
    return input.dtype if input.dtype in dtypes.FLOATS else dtypes.INT64_NUMPY


def _as(a: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return a if a.dtype is dtype else a.astype(dtype)


# ---------------------------------------------------------------------- sums
@structured(tensors="input", on="torch Tensor", name="sum")
def sum_(input, dim=None, keepdim=False, *, dtype=None):
    dims = reduced_dims(dim, input.ndim)
    return reduced_shape(input.shape, dims, keepdim), _result_dtype(input, dtype)


@sum_.cpu
def sum_cpu(input, dim=None, keepdim=False, dtype=None):
    if dim is None and dtype is None and not keepdim and input.dtype in FLOATS:
        o = empty((), input.dtype)
        SUM.of_floats(input, o)
        return o
    to = _result_dtype(input, dtype)
    return SUM(_as(input, to), dim, keepdim, to)


@sum_.grad("input")
def sum_grad(g, input_shape, input_dtype, dim, keepdim):
    return spread(g, input_shape, dim, keepdim, 1, input_dtype)


def mean_dtype(name: str, input: Any, dtype: Any) -> np.dtype:
    if dtype is not None:
        to = dtypes.numpy_dtype(dtype)
    elif input.dtype in dtypes.FLOATS:
        return input.dtype
    else:
        to = input.dtype
    check(
        to in dtypes.FLOATS,
        f"{name}(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: "
        f"{ {v: k for k, v in C_DTYPES.items()}.get(to, to) }",
    )
    return to


C_DTYPES = {"Long": dtypes.INT64_NUMPY, "Bool": dtypes.BOOL_NUMPY} | {
    n: d.numpy
    for n, d in (("Int", dtypes.int32), ("Short", dtypes.int16), ("Char", dtypes.int8), ("Byte", dtypes.uint8))
}


@structured(tensors="input", on="torch Tensor")
def mean(input, dim=None, keepdim=False, *, dtype=None):
    to = mean_dtype("mean", input, dtype)
    return reduced_shape(input.shape, reduced_dims(dim, input.ndim), keepdim), to


@mean.cpu
def mean_cpu(input, dim=None, keepdim=False, dtype=None):
    if dim is None and dtype is None and not keepdim and input.dtype in FLOATS:
        o = empty((), input.dtype)
        MEAN.of_floats(input, o)
        return o
    to = mean_dtype("mean", input, dtype)
    return MEAN(_as(input, to), dim, keepdim, to)


@mean.grad("input")
def mean_grad(g, input_shape, input_dtype, dim, keepdim):
    return spread(g, input_shape, dim, keepdim, count_reduced(input_shape, dim), input_dtype)


def count_reduced(shape: tuple[int, ...], dim: Any) -> int:
    """How many elements go into each result."""
    return product(shape) if dim is None else product([shape[i] for i in reduced_dims(dim, len(shape))]) if shape else 1


@structured(tensors="g")
def spread(g, shape, dim, keepdim, divisor, dtype):
    return shape, dtype


@spread.cpu
def spread_cpu(g, shape, dim, keepdim, divisor, dtype):
    """g / divisor for every element that went into a sum: what flows back through sum and mean."""
    o = empty(shape, dtype)
    if not g.ndim:
        o.fill(g.item() / divisor if divisor else np.nan)  # nothing to fill then
        return o
    if not keepdim:
        g = g.reshape(reduced_shape(shape, reduced_dims(dim, len(shape)), True))
    o[...] = g if divisor == 1 else g / g.dtype.type(divisor)
    return o


@spread.grad("g")
def spread_grad(g, shape, dim, keepdim, divisor, g_dtype):
    return to_copy(sum(g, dim if len(shape) else None, keepdim), g_dtype) / (divisor or 1)  # noqa: F821


# ---------------------------------------------------------------------- extremes
def _extreme_shape(name, input, dim, keepdim):
    if not input.size:
        if dim is None or dim == ():
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
                "dim with "
                "the 'dim' argument."
            )
        for i in dim if isinstance(dim, (tuple, list)) else (dim,):
            check(
                input.shape[wrap_dim(i, input.ndim)],
                f"{name}(): Expected reduction dim {i} to have non-zero size.",
                IndexError,
            )
    return reduced_shape(input.shape, reduced_dims(dim, input.ndim), keepdim)


@structured(tensors="input", on="torch Tensor")
def amax(input, dim=(), keepdim=False):
    return _extreme_shape("amax", input, dim, keepdim), input.dtype


@amax.cpu
def amax_cpu(input, dim=(), keepdim=False):
    _extreme_shape("amax", input, dim, keepdim)
    return AMAX(input, None if dim == () else dim, keepdim)


@structured(tensors="input", on="torch Tensor")
def amin(input, dim=(), keepdim=False):
    return _extreme_shape("amin", input, dim, keepdim), input.dtype


@amin.cpu
def amin_cpu(input, dim=(), keepdim=False):
    _extreme_shape("amin", input, dim, keepdim)
    return AMIN(input, None if dim == () else dim, keepdim)


@amax.grad("input")
@amin.grad("input")
def extreme_grad(g, input, out, dim, keepdim):
    """Ties share the gradient equally."""
    chosen = to_copy(input == keep_dims(out, input, dim, keepdim), g.dtype)  # noqa: F821
    return chosen * (keep_dims(g, input, dim, keepdim) / sum(chosen, dim if dim != () else None, True))  # noqa: F821


class ValuesIndices(NamedTuple):
    """What max, min and sort return with a dimension."""

    values: Any
    indices: Any


def return_type(name: str) -> Any:
    kind = type(name, (ValuesIndices,), {"__slots__": (), "__repr__": _named_repr})
    kind.__module__ = "torch.return_types"
    return kind


def _named_repr(r: Any) -> str:
    return (
        f"torch.return_types.{type(r).__name__}(\n"
        + ",\n".join(f"{n}={v!r}" for n, v in zip(r._fields, r, strict=True))
        + ")"
    )


def _arg_extreme(a: np.ndarray, dim: int, keepdim: bool, largest: bool) -> tuple[np.ndarray, np.ndarray]:
    if not a.ndim:
        return a.copy(), np.zeros((), np.int64)
    if a.dtype == np.bool_:
        a = a.view(np.uint8)
    find = np.argmax if largest else np.argmin
    where = np.asarray(find(a, axis=dim, keepdims=True), np.int64)
    values = np.take_along_axis(a, where, dim)
    return (values, where) if keepdim else (values.squeeze(dim), where.squeeze(dim))


def _make_extreme_dim(name: str, largest: bool) -> Any:
    @structured(
        name=f"{name}_dim", tensors="input", outputs=("indices",), returns=return_type(name), title=name.title()
    )
    def op(input, dim, keepdim=False):
        dim = wrap_dim(dim, input.ndim)
        check(
            not input.shape or input.shape[dim],
            f"{name}(): Expected reduction dim {dim} to have non-zero size.",
            IndexError,
        )
        shape = reduced_shape(input.shape, (dim,), keepdim)
        return [(shape, input.dtype), (shape, dtypes.INT64_NUMPY)]

    @op.cpu
    def cpu(input, dim, keepdim=False):
        op.infer(input, dim, keepdim)
        values, indices = _arg_extreme(input, wrap_dim(dim, input.ndim), keepdim, largest)
        return np.asarray(values).view(input.dtype), np.asarray(indices)

    @op.grad("input")
    def grad(g, indices, input_shape, dim, keepdim):
        return scatter_one(g, indices, input_shape, dim, keepdim)

    return op


max_dim = _make_extreme_dim("max", True)
min_dim = _make_extreme_dim("min", False)


@structured(tensors="g indices")
def scatter_one(g, indices, shape, dim, keepdim):
    return shape, g.dtype


@scatter_one.cpu
def scatter_one_cpu(g, indices, shape, dim, keepdim):
    """Zeros of `shape` with g at the indices along dim."""
    if not shape:
        return g.copy()
    d = np.zeros(shape, g.dtype)
    if not keepdim:
        dim = wrap_dim(dim, len(shape))
        g, indices = np.expand_dims(g, dim), np.expand_dims(indices, dim)
    np.put_along_axis(d, indices, g, dim)
    return d


@scatter_one.grad("g")
def scatter_one_grad(g, indices, shape, dim, keepdim):
    return take_one(g, indices, dim, keepdim)


@structured(tensors="input indices")
def take_one(input, indices, dim, keepdim):
    return indices.shape, input.dtype


@take_one.cpu
def take_one_cpu(input, indices, dim, keepdim):
    if not input.ndim:
        return input.copy()
    at = indices if keepdim else np.expand_dims(indices, dim)
    taken = np.take_along_axis(input, at, dim)
    return np.asarray(taken if keepdim else taken.squeeze(dim))


@take_one.grad("input")
def take_one_grad(g, indices, input_shape, dim, keepdim):
    return scatter_one(g, indices, input_shape, dim, keepdim)


def _arg_shape(name, input, dim, keepdim):
    check(input.dtype != np.bool_, f"{name}(): does not support bool input")
    if dim is None:
        check(input.size, f"{name}(): Expected reduction dim to be specified for input.numel() == 0.", IndexError)
        return (1,) * input.ndim if keepdim else ()
    dim = wrap_dim(dim, input.ndim)
    check(
        not input.shape or input.shape[dim],
        f"{name}(): Expected reduction dim {dim} to have non-zero size.",
        IndexError,
    )
    return reduced_shape(input.shape, (dim,), keepdim)


@structured(tensors="input", on="torch Tensor")
def argmax(input, dim=None, keepdim=False):
    return _arg_shape("argmax", input, dim, keepdim), dtypes.INT64_NUMPY


@argmax.cpu
def argmax_cpu(input, dim=None, keepdim=False):
    _arg_shape("argmax", input, dim, keepdim)
    return np.asarray(np.argmax(input, axis=dim if input.ndim else None, keepdims=keepdim), np.int64)


@structured(tensors="input", on="torch Tensor")
def argmin(input, dim=None, keepdim=False):
    return _arg_shape("argmin", input, dim, keepdim), dtypes.INT64_NUMPY


@argmin.cpu
def argmin_cpu(input, dim=None, keepdim=False):
    _arg_shape("argmin", input, dim, keepdim)
    return np.asarray(np.argmin(input, axis=dim if input.ndim else None, keepdims=keepdim), np.int64)


# ---------------------------------------------------------------------- products, truth
@structured(name="prod_dim", title="Prod", tensors="input")
def prod_dim(input, dim=None, keepdim=False, dtype=None):
    return reduced_shape(input.shape, reduced_dims(dim, input.ndim), keepdim), _result_dtype(input, dtype)


@prod_dim.cpu
def prod_cpu(input, dim=None, keepdim=False, dtype=None):
    to = _result_dtype(input, dtype)
    return PROD(_as(input, to), dim, keepdim, to)


@prod_dim.grad("input")
def prod_grad(g, input, dim, keepdim):
    return keep_dims(g, input, dim, keepdim) * prod_of_others(input, dim)  # noqa: F821


@structured(tensors="input")
def prod_of_others(input, dim):
    return input.shape, input.dtype


@prod_of_others.cpu
def prod_of_others_cpu(input, dim):
    """The product of all elements but one: of those before it and those after it, so that zeros do no harm."""
    if not input.size:
        return input.copy()
    dims = reduced_dims(dim, input.ndim) if input.ndim else ()
    kept = [i for i in range(input.ndim) if i not in dims]
    moved = input.transpose([*kept, *dims])
    rows = moved.reshape(product([input.shape[i] for i in kept]), -1)
    ones = np.ones((len(rows), 1), input.dtype)
    before = np.cumprod(np.hstack([ones, rows[:, :-1]]), 1)
    after = np.cumprod(np.hstack([ones, rows[:, :0:-1]]), 1)[:, ::-1]
    others = (before * after).reshape(moved.shape).transpose(np.argsort([*kept, *dims]))
    return np.ascontiguousarray(others).reshape(input.shape)


@prod_of_others.grad("input")
def prod_of_others_grad(g, input, out, dim):
    """Right where at most one element is zero in each product: the double gradient of prod needs no more."""
    share = g * out
    return (sum(share, dim, True) - share) / input


def _truth_shape(input, dim, keepdim):
    dtype = dtypes.uint8.numpy if input.dtype == np.uint8 else dtypes.BOOL_NUMPY
    return reduced_shape(input.shape, _truth_dims(dim, input.ndim), keepdim), dtype


def _truth_dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """Unlike sum, all and any reduce nothing for an empty list of dimensions."""
    dims = () if dim == () else reduced_dims(dim, ndim)
    return dims if ndim else ()


@structured(tensors="input", on="torch Tensor")
def all(input, dim=None, keepdim=False):
    return _truth_shape(input, dim, keepdim)


@all.cpu
def all_cpu(input, dim=None, keepdim=False):
    return _truth(np.all, input, dim, keepdim)


@structured(tensors="input", on="torch Tensor")
def any(input, dim=None, keepdim=False):
    return _truth_shape(input, dim, keepdim)


@any.cpu
def any_cpu(input, dim=None, keepdim=False):
    return _truth(np.any, input, dim, keepdim)


def _truth(function: Any, input: np.ndarray, dim: Any, keepdim: bool) -> np.ndarray:
    found = function(input, axis=_truth_dims(dim, input.ndim), keepdims=keepdim)
    return np.asarray(found, np.uint8 if input.dtype == np.uint8 else np.bool_)


# ---------------------------------------------------------------------- variance
@structured(name="variance", title="Var", tensors="input")
def variance(input, dim, correction, keepdim):
    float_check("var", input)
    return reduced_shape(input.shape, reduced_dims(dim, input.ndim), keepdim), input.dtype


def float_check(name: str, input: Any) -> None:
    check(input.dtype in dtypes.FLOATS, f"{name}: only support floating point and complex dtypes")


@variance.cpu
def variance_cpu(input, dim, correction, keepdim):
    float_check("var", input)
    if dim == ():
        dim = None
    dims = reduced_dims(dim, input.ndim)
    if input.size:
        # from the first element: rounding must not give equal values a variance
        input = np.asarray(input - input[tuple([slice(0, 1) if i in dims else slice(None) for i in range(input.ndim)])])
        input = np.asarray(input - MEAN(input, dims if input.ndim else None, True))
    squares = SUM(np.asarray(np.square(input)), dims if input.ndim else None, keepdim)
    left = count_reduced(input.shape, dim) - correction
    with np.errstate(all="ignore"):
        return np.asarray(squares / squares.dtype.type(max(left, 0)))


@variance.grad("input")
def variance_grad(g, input, dim, correction, keepdim):
    left = count_reduced(input.shape, dim) - correction
    g = keep_dims(g, input, dim, keepdim)  # noqa: F821
    return g * (input - mean(input, dim, True)) * (2.0 / left if left else float("nan"))


@structured(tensors="input", name="logsumexp_dims", title="Logsumexp")
def logsumexp_dims(input, dim, keepdim):
    float_required("logsumexp", input)
    return reduced_shape(input.shape, reduced_dims(dim, input.ndim), keepdim), input.dtype


@logsumexp_dims.cpu
def logsumexp_cpu(input, dim, keepdim):
    float_required("logsumexp", input)
    dims = reduced_dims(dim, input.ndim)
    if not input.size:
        return np.full(reduced_shape(input.shape, dims, keepdim), -np.inf, input.dtype)
    top = np.asarray(AMAX(input, dims if input.ndim else None, True))
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(all="ignore"):
        total = np.log(SUM(np.exp(input - top), dims if input.ndim else None, True)) + top
    return np.asarray(total, input.dtype).reshape(reduced_shape(input.shape, dims, keepdim))


@logsumexp_dims.grad("input")
def logsumexp_grad(g, input, out, dim, keepdim):
    return keep_dims(g, input, dim, keepdim) * exp(input - keep_dims(out, input, dim, keepdim))  # noqa: F821


@structured(tensors="input", on="torch Tensor")
def cumsum(input, dim, *, dtype=None):
    wrap_dim(dim, input.ndim)
    return input.shape, _result_dtype(input, dtype)


@cumsum.cpu
def cumsum_cpu(input, dim, dtype=None):
    wrap_dim(dim, input.ndim)
    to = _result_dtype(input, dtype)
    return np.cumsum(input, axis=dim, dtype=to) if input.ndim else input.astype(to)


@cumsum.grad("input")
def cumsum_grad(g, input_dtype, dim):
    return to_copy(flip(cumsum(flip(g, (dim,)), dim), (dim,)), input_dtype)  # noqa: F821


@structured(tensors="input", name="flip_dims", title="Flip")
def flip_dims(input, dims):
    wrap_dims(dims, input.ndim)
    return input.shape, input.dtype


@flip_dims.cpu
def flip_cpu(input, dims):
    dims = wrap_dims(dims, input.ndim)
    return np.flip(input, dims).copy() if input.ndim else input.copy()


@flip_dims.grad("input")
def flip_grad(g, dims):
    return flip_dims(g, dims)


def keep_dims_array(a: np.ndarray, like: np.ndarray, dim: Any, keepdim: bool) -> np.ndarray:
    """The result of a reduction with the reduced dimensions back, as size 1."""
    return a if keepdim else a.reshape(reduced_shape(like.shape, reduced_dims(dim, like.ndim), True))


ARRAY_NAMES.update(keep_dims=keep_dims_array, count_reduced=count_reduced)
