"""The largest and smallest elements, and where they are."""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._tensor import Tensor
from minitorch.return_types import return_type

from .check import c_word, check, integer, invalid_arguments, wrap_dim
from .nodes import titled
from .op import structured
from .positions import bits_of, kernels
from .public import into, op, public
from .reductions import AMAX, AMIN, reduced_dims, reduced_shape, reduction_of, three_parts

empty = np.empty


def not_empty(name: str, input: Any, dim: int) -> None:
    """Refuse to choose an element along a dimension that has none."""
    if input.shape and not input.shape[dim]:
        raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")


def _extreme_shape(name, input, dim, keepdim):
    if not input.size:
        if dim is None or (isinstance(dim, tuple) and not dim):
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
                "dim with "
                "the 'dim' argument."
            )
        for i in dim if isinstance(dim, (tuple, list)) else (dim,):
            if not input.shape[wrap_dim(i, input.ndim)]:
                raise IndexError(f"{name}(): Expected reduction dim {i} to have non-zero size.")
    return reduced_shape(input.shape, reduced_dims(dim, input.ndim), keepdim)


@structured(tensors="input", on="torch Tensor")
def amax(input, dim=(), keepdim=False):
    return _extreme_shape("amax", input, dim, keepdim), input.dtype


@amax.cpu
def amax_cpu(input, dim=(), keepdim=False):
    if not input.size or keepdim.__class__ is not bool:
        _extreme_shape("amax", input, dim, keepdim)
    return AMAX(input, None if isinstance(dim, tuple) and not dim else dim, keepdim)


@structured(tensors="input", on="torch Tensor")
def amin(input, dim=(), keepdim=False):
    return _extreme_shape("amin", input, dim, keepdim), input.dtype


@amin.cpu
def amin_cpu(input, dim=(), keepdim=False):
    if not input.size or keepdim.__class__ is not bool:
        _extreme_shape("amin", input, dim, keepdim)
    return AMIN(input, None if isinstance(dim, tuple) and not dim else dim, keepdim)


@amax.grad("input")
@amin.grad("input")
def extreme_grad(g, input, out, dim, keepdim):
    """Ties share the gradient equally."""
    chosen = to_dtype(input == keep_dims(out, input, dim, keepdim), g.dtype)  # noqa: F821
    return chosen * (keep_dims(g, input, dim, keepdim) / sum(chosen, dim if dim != () else None, True))  # noqa: F821


def _arg_extreme(a: np.ndarray, dim: int, largest: bool) -> tuple[np.ndarray, np.ndarray]:
    """(values, indices) along dim, of ties the first, in the result's order but without its shape."""
    if a.dtype is dtypes.BOOL_NUMPY:
        a = a.view(np.uint8)
    if a.ndim == 2 and dim == 1 and a.flags.c_contiguous:
        rows = a
    elif (x := three_parts(a, (dim,))).shape[2] == 1:
        rows = x.reshape(x.shape[:2])
    else:
        where = (np.argmax if largest else np.argmin)(x, axis=1)
        return np.take_along_axis(x, where[:, None], 1), where
    where = rows.argmax(1) if largest else rows.argmin(1)
    values = empty(where.shape, rows.dtype)
    kernels().pick(bits_of(rows), where, bits_of(values))
    return values, where


def _make_extreme_dim(name: str, largest: bool) -> Any:
    @structured(
        name=f"{name}_dim", tensors="input", outputs=("indices",), returns=return_type(name), title=name.title()
    )
    def record(input, dim, keepdim=False):
        dim = wrap_dim(dim, input.ndim)
        not_empty(name, input, dim)
        shape = reduced_shape(input.shape, (dim,), keepdim)
        return [(shape, input.dtype), (shape, dtypes.INT64_NUMPY)]

    @record.cpu
    def cpu(input, dim, keepdim=False):
        if not input.size:
            (shape, dtype), (_, int64) = record.infer(input, dim, keepdim)
            return np.empty(shape, dtype), np.empty(shape, int64)
        (dim,), shape, _ = reduction_of(input.shape, dim, keepdim)
        values, indices = _arg_extreme(input, dim, largest)
        if values.dtype is not input.dtype:  # bools went as bytes
            values = values.view(input.dtype)
        return values.reshape(shape), indices.astype(dtypes.INT64_NUMPY, copy=False).reshape(shape)

    @record.grad("input")
    def grad(g, indices, input_shape, dim, keepdim):
        return scatter_one(g, indices, input_shape, dim, keepdim)

    return record


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
    (dim,), _, (_, n, inner) = reduction_of(shape, dim, keepdim)
    if inner == 1:
        d.reshape(-1)[indices.reshape(-1) + np.arange(0, d.size, n)] = g.reshape(-1)
        return d
    if not keepdim:
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
    if input.dtype is dtypes.BOOL_NUMPY:
        raise RuntimeError(f"{name}(): does not support bool input")
    if dim is None:
        if not input.size:
            raise IndexError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")
        return (1,) * input.ndim if keepdim else ()
    dim = wrap_dim(integer(dim, "dim", name), input.ndim)
    not_empty(name, input, dim)
    return reduced_shape(input.shape, (dim,), keepdim)


@structured(tensors="input", on="torch Tensor")
def argmax(input, dim=None, keepdim=False):
    return _arg_shape("argmax", input, dim, keepdim), dtypes.INT64_NUMPY


@argmax.cpu
def argmax_cpu(input, dim=None, keepdim=False):
    _arg_shape("argmax", input, dim, keepdim)
    return _places(input.argmax, input.ndim, dim, keepdim)


@structured(tensors="input", on="torch Tensor")
def argmin(input, dim=None, keepdim=False):
    return _arg_shape("argmin", input, dim, keepdim), dtypes.INT64_NUMPY


@argmin.cpu
def argmin_cpu(input, dim=None, keepdim=False):
    _arg_shape("argmin", input, dim, keepdim)
    return _places(input.argmin, input.ndim, dim, keepdim)


def _places(find: Any, ndim: int, dim: int | None, keepdim: bool) -> np.ndarray:
    """What an array's method `argmax` or `argmin` finds, as an array."""
    if dim is None and not keepdim:
        return find(None, empty((), dtypes.INT64_NUMPY))
    return np.asarray(find(dim if ndim else None, keepdims=keepdim), np.int64)


# ---------------------------------------------------------------------- public names
@public("torch Tensor", overloads=True, given="dim other")
def max(
    input: Tensor,
    dim: int | Tensor | None = None,
    keepdim: bool = False,
    *,
    other: Tensor | None = None,
    out: Any = None,
) -> Any:
    """The largest element; with dim (values, indices); with another tensor the elementwise maximum."""
    return _extreme(input, dim, keepdim, other, out, "amax", "max_dim", "maximum")


@public("torch Tensor", overloads=True, given="dim other")
def min(
    input: Tensor,
    dim: int | Tensor | None = None,
    keepdim: bool = False,
    *,
    other: Tensor | None = None,
    out: Any = None,
) -> Any:
    """The smallest element; with dim (values, indices); with another tensor the elementwise minimum."""
    return _extreme(input, dim, keepdim, other, out, "amin", "min_dim", "minimum")


def _extreme(input: Tensor, dim: Any, keepdim: bool, other: Any, out: Any, whole: str, along: str, pair: str) -> Any:
    if not isinstance(input, Tensor):
        invalid_arguments(along[:3], input, *[v for v in (dim, other) if v is not None])
    other = dim if isinstance(dim, Tensor) else other
    if other is not None:
        return op(pair)(input, other, out=out)
    if dim is None:
        if keepdim:
            invalid_arguments(along[:3], input, keepdim)
        if not input.array.size:
            raise RuntimeError(
                f"{along[:3]}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
                "dim with "
                "the 'dim' argument."
            )
        result = op(whole)(input)
        if result.edge is not None:
            titled(result, f"{along[:3].title()}Backward1")
    else:
        result = op(along)(input, dim if dim.__class__ is int else integer(dim, "dim", along[:3]), keepdim)
    return result if out is None else into(out, along if dim is not None else whole, result, input)


aminmax_result = return_type("aminmax", "min max")


@public("torch Tensor")
def aminmax(input: Tensor, *, dim: Any = None, keepdim: bool = False, out: Any = None) -> Any:
    """(min, max), of everything or along one dimension.

    >>> import minitorch as torch
    >>> torch.aminmax(torch.tensor([3, 1, 2])).max
    tensor(3)
    """
    if dim is None:
        check(
            input.array.size,
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.",
        )
        dim = ()
    else:
        dim = wrap_dim(integer(dim, "dim", "aminmax"), input.ndim)
        if not (not input.ndim or input.shape[dim]):
            raise IndexError(f"aminmax: Expected reduction dim {dim} to have non-zero size.")
    for o in out if isinstance(out, (tuple, list)) else ():
        if o.dtype is not input.dtype:
            raise RuntimeError(
                f"Expected out tensor to have dtype {c_word(input.dtype)}, but got {c_word(o.dtype)} instead"
            )
    return into(out, "aminmax", aminmax_result(op("amin")(input, dim, keepdim), op("amax")(input, dim, keepdim)))
