"""Writes to positions given by an index tensor: scatter_reduce, index_reduce, put, masked_scatter."""

from math import prod
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels.silence import silent
from minitorch._tensor import Tensor

from .check import C_NAMES, c_name, check, no_kernel, wrap_dim
from .copies import check_overlap
from .gathering import check_along, check_scatter, int64, scatter_array, writer
from .masking import broadcast_shape
from .op import Op, structured
from .operands import tensors_only
from .positions import first_outside
from .public import into, op, public
from .rows import check_indexed

# ---------------------------------------------------------------------- reductions
_COMBINE = {"amax": np.maximum, "amin": np.minimum}


def _flat_places(shape: tuple[int, ...], index: Any, dim: int) -> Any:
    """Where in a flat C-contiguous array of this shape the index along dim points."""
    strides = [prod(shape[i + 1 :]) for i in range(len(shape))]
    places = int64(index) * strides[dim]
    for i, s in enumerate(strides):
        if i != dim:
            places = places + (np.arange(index.shape[i]) * s).reshape((-1,) + (1,) * (len(shape) - i - 1))
    return places.reshape(-1)


@silent
def _combined(input: Any, src: Any, index: Any, dim: int, how: str) -> Any:
    """A copy of the input, combined with src at the indices along dim."""
    input = np.array(input, order="C")
    if not index.size:
        return input
    if how == "prod":
        return scatter_array(input, src, index, dim, "multiply")
    check_along(index.reshape(index.shape or (1,)), dim, input.shape[dim] if input.ndim else 1)
    flat = input.reshape(-1)
    if input.ndim:
        places = _flat_places(input.shape, index, dim)
        src = src[tuple([slice(n) for n in index.shape])]
    else:
        places = int64(index).reshape(-1)
    _COMBINE[how].at(flat, places, np.ascontiguousarray(src).reshape(-1)[: places.size])
    return input


def _reducing(name: str) -> Op:
    @structured(name=name, title="ScatterReduce", tensors="input src index")
    def record(input, src, index, dim, how):
        return input.shape, input.dtype

    record.cpu(_combined)
    return record


PRODUCT = _reducing("scatter_product")
EXTREME = _reducing("scatter_extreme")


@EXTREME.grad("input")
def scatter_extreme_grad_input(g, input, src, index, out, dim):
    """What was among the largest gets an equal share of the gradient."""
    mine = to_dtype(input == out, g.dtype)  # noqa: F821
    theirs = to_dtype(src == gather(out, dim, index), g.dtype)  # noqa: F821
    count = mine + gather_backward(theirs, index, mine.shape, dim)  # noqa: F821
    return mine * (g / where(count == 0.0, 1.0, count))  # noqa: F821


@EXTREME.grad("src")
def scatter_extreme_grad_src(g, input, src, index, out, dim):
    mine = to_dtype(input == out, g.dtype)  # noqa: F821
    theirs = to_dtype(src == gather(out, dim, index), g.dtype)  # noqa: F821
    count = mine + gather_backward(theirs, index, mine.shape, dim)  # noqa: F821
    return theirs * gather(g / where(count == 0.0, 1.0, count), dim, index)  # noqa: F821


@PRODUCT.grad("input")
def scatter_product_grad_input(g, input, src, index, dim):
    """The product of all that the element is multiplied by."""
    return g * scatter_product(zeros_like(input) + 1.0, src, index, dim, "prod")  # noqa: F821


@PRODUCT.grad("src")
def scatter_product_grad_src(g, input, src, index, dim, out):
    """The product of the others: all of them by this one, and where just this one is 0, of all but the zero.

    Its own gradient lacks the products of two zeros for the same place, which torch refuses to differentiate twice.
    """
    zero = src == 0.0
    zeros = gather(gather_backward(to_dtype(zero, g.dtype), index, input.shape, dim), dim, index)  # noqa: F821
    alone = zero & (zeros == 1.0)
    without = scatter_product(input, where(alone, 1.0, src), index, dim, "prod")  # noqa: F821
    by_this = gather(g * out, dim, index) / where(zero, 1.0, src)  # noqa: F821
    return where(alone, gather(g * without, dim, index), by_this)  # noqa: F821


_SCATTER_REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


@public("torch Tensor")
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True, out: Any = None
) -> Tensor:
    """A copy with src reduced into it at the indices along dim; reduce: "sum", "prod", "mean", "amax" or "amin".

    >>> import minitorch as torch
    >>> torch.zeros(3).scatter_reduce(0, torch.tensor([0, 0, 2]), torch.tensor([1.0, 2.0, 3.0]), "amax")
    tensor([2., 0., 3.])
    """
    if reduce not in _SCATTER_REDUCTIONS:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    dim = wrap_dim(dim, input.ndim)
    src = check_scatter(input, dim, index, src)
    if reduce == "mean" and input.array.dtype == np.bool_ and index.numel():
        no_kernel("scatter_gather_tensor_cpu_reduce_mean", input.array)
    return into(out, "scatter_reduce", _scatter_reduced(input, dim, index, src, reduce, include_self))


@public("Tensor")
def scatter_reduce_(
    self: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """scatter_reduce, in place."""
    check_overlap(self, index, src, apart=True)
    return self.copy_(scatter_reduce(self, dim, index, src, reduce, include_self=include_self))


def _scatter_reduced(x: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, include_self: bool) -> Tensor:
    if not index.numel():
        return op("dense")(x)
    if not include_self:
        x = x.scatter(dim, index, _identity(reduce, x.array.dtype))
    if reduce in ("sum", "mean"):
        total = x.scatter_add(dim, index, src)
        return total if reduce == "sum" else _divided(total, x, dim, index, include_self)
    record = PRODUCT if reduce == "prod" else EXTREME
    return record.function(x, src, index, dim, reduce)


def _divided(total: Tensor, x: Tensor, dim: int, index: Tensor, include_self: bool) -> Tensor:
    """The sum by how many were added up."""
    from minitorch._creation import ones_like

    count = ones_like(x.detach())
    if not include_self:
        count = count.scatter(dim, index, 0)
    ones = ones_like(index, dtype=count.dtype)
    count = count.scatter_add(dim, index, ones)
    count = count.masked_fill(count == 0, 1)
    return total / count if total.is_floating_point() else total.div(count, rounding_mode="floor")


def _identity(reduce: str, dtype: np.dtype) -> Any:
    """What a reduction starts from."""
    if reduce in ("sum", "mean", "prod"):
        return int(reduce == "prod")
    if dtype == np.bool_:
        return reduce == "amin"
    if dtype in dtypes.FLOATS:
        return -np.inf if reduce == "amax" else np.inf
    info = np.iinfo(dtype)
    return int(info.min if reduce == "amax" else info.max)


@public("torch Tensor")
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True, out: Any = None
) -> Tensor:
    """A copy with the rows of source reduced into the rows along dim; reduce: "prod", "mean", "amax" or "amin"."""
    dim = wrap_dim(dim, input.ndim)
    _check_index_reduce(input, dim, index, source, reduce)
    if not input.ndim:
        index, source = index.reshape(()), source.reshape(())
    else:
        index = index.reshape(*[1] * dim, -1, *[1] * (input.ndim - dim - 1)).expand(source.shape)
    result = _scatter_reduced(input, dim, index, source, reduce, include_self)
    return into(out, "index_reduce", result)


def _check_index_reduce(x: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str) -> None:
    if reduce not in _SCATTER_REDUCTIONS[1:]:
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    check_indexed("index_reduce_", x.array, dim, index.array, source.array)
    if x.array.dtype == np.bool_:
        no_kernel("index_func_", x.array)
    if index.is_cpu and first_outside(index.array, 0, x.shape[dim] if x.ndim else 1) is not None:
        raise IndexError("index out of range in self")


@public("Tensor")
def index_reduce_(
    self: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """index_reduce, in place."""
    check_overlap(self, index, source, apart=True)
    return self.copy_(index_reduce(self, dim, index, source, reduce, include_self=include_self))


# ---------------------------------------------------------------------- put
@public("torch Tensor")
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with the elements of source at positions in the flat input; with accumulate, added.

    >>> import minitorch as torch
    >>> torch.zeros(2, 2).put(torch.tensor([3]), torch.tensor([1.0]))
    tensor([[0., 0.],
            [0., 1.]])
    """
    i, n = index.array, input.numel()
    if i.dtype != np.int64:
        raise RuntimeError(f"put_(): Expected a long tensor for index, but got {c_name(i)}")
    if source.dtype != input.dtype:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{c_name(input.array)} and source.dtype = {c_name(source.array)}"
        )
    if source.numel() != i.size:
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source.numel()}, index.numel() = {i.size}"
        )
    check(n or not i.size, "put_(): Tried to put elements into an empty tensor", IndexError)
    bad = first_outside(i, -n, n) if index.is_cpu and i.size else None
    if bad is not None:
        raise IndexError(f"out of range: tried to access index {bad} on a tensor of {n} elements.")
    if not i.size:
        return input.clone()
    flat = op("dense")(input).view(-1)
    return flat.index_put((index.reshape(-1),), source.reshape(-1), accumulate).view(input.shape)


@public("Tensor")
def put_(self: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """put, in place."""
    check_overlap(self, index, source, apart=True)
    return self.copy_(put(self, index, source, accumulate))


# ---------------------------------------------------------------------- masked_scatter
@structured(name="masked_scatter_into", title="MaskedScatter", tensors="input source mask", inplace=True)
def masked_scatter_into(input, source, mask):
    return input.shape, input.dtype


@masked_scatter_into.cpu
def masked_scatter_cpu(input, source, mask):
    """The first elements of source where the mask is true, in order."""
    wanted = int(np.count_nonzero(mask))
    check(wanted <= source.size, "Number of elements of source < number of ones in mask")
    if wanted:
        np.place(input, mask, source.reshape(-1)[:wanted])
    return input


@masked_scatter_into.grad("input")
def masked_scatter_grad_input(g, mask):
    return masked_zero(g, mask)  # noqa: F821


@masked_scatter_into.grad("source")
def masked_scatter_grad_source(g, mask, source_shape):
    return masked_scatter_backward(g, mask, source_shape)


@structured(tensors="g mask")
def masked_scatter_backward(g, mask, source_shape):
    return source_shape, g.dtype


@masked_scatter_backward.cpu
def masked_scatter_backward_cpu(g, mask, source_shape):
    d = np.zeros(source_shape, g.dtype)
    taken = g[mask]
    d.reshape(-1)[: taken.size] = taken
    return d


@masked_scatter_backward.grad("g")
def masked_scatter_backward_grad(g, mask):
    return masked_scatter_into(to_dtype(mask, g.dtype) * 0.0, g, mask)  # noqa: F821


@public("torch Tensor")
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy, broadcast with the mask, with the elements of source in order where the mask is true."""
    shape = broadcast_shape(mask.array.shape, input.array.shape)
    wide = input if shape == input.array.shape else op("expand_to")(input, shape)
    return _masked_scatter(op("dense")(wide), mask, source, True)


@public("Tensor")
def masked_scatter_(self: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Write the elements of source in order where the mask, broadcast, is true."""
    return _masked_scatter(self, mask, source, False)


def _masked_scatter(self: Tensor, mask: Tensor, source: Tensor, fresh: bool) -> Tensor:
    if not isinstance(mask, Tensor) or not isinstance(source, Tensor):
        tensors_only("masked_scatter_", mask=mask, source=source)
    kind = mask.array.dtype
    if self.dtype != source.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got"
            f"{c_name(self.array)} and {c_name(source.array)}"
        )
    if mask.array.shape != self.array.shape:
        mask = op("expand_to")(mask, self.array.shape)
    if kind != np.bool_:
        raise RuntimeError(f"masked_scatter_ only supports boolean masks, but got mask with dtype {C_NAMES[kind.name]}")
    check_overlap(self, mask, source)
    return writer("masked_scatter_into", fresh)(self, source, mask)
