"""Ops that read or write at indices along one dimension."""

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from minitorch._dtype import BOOL_NUMPY, INT64_NUMPY
from minitorch._kernels.copies import contiguous
from minitorch._tensor import Tensor
from minitorch.autograd._warnings import warn

from .check import c_name, check, check_broadcast, missing_argument, type_name, wrap_dim
from .copies import check_overlap
from .indexing import value_for
from .nodes import titled
from .op import OPS, Op, structured
from .operands import NUMBERS, python_number, tensors_only
from .positions import At, bits_of, first_outside, kernels
from .public import FUNCTIONS, into, public

ndarray = np.ndarray
INDEX_DTYPES = frozenset((np.dtype(np.int64), np.dtype(np.int32)))


def int64(index: Any) -> Any:
    return index if index.dtype is INT64_NUMPY else index.astype(np.int64)


def as_int64(index: Any) -> Any:
    """The index, contiguous and of int64."""
    return index if index.dtype is INT64_NUMPY and index.flags.c_contiguous else np.ascontiguousarray(index, np.int64)


def along(a: Any, dim: int) -> Any:
    """A contiguous array as (before dim, dim, after)."""
    return a.reshape(_around(a.shape, dim))


@lru_cache(1024)
def _around(shape: tuple[int, ...], dim: int) -> tuple[int, int, int]:
    return (prod(shape[:dim]), shape[dim], prod(shape[dim + 1 :])) if shape else (1, 1, 1)


def check_index(name: str, index: Any) -> None:
    """Refuse an index of another dtype, unless it is empty."""
    if index.dtype is not INT64_NUMPY and index.dtype not in INDEX_DTYPES and index.size:
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index")


def check_along(index: Any, dim: int, n: int) -> None:
    bad = first_outside(index, 0, n)
    if bad is not None:
        raise RuntimeError(f"index {bad} is out of bounds for dimension {dim} with size {n}")


def _corner(a: Any, shape: tuple[int, ...], dim: int) -> Any:
    """The part of a that an index of this shape reaches: its sizes, but all of dim."""
    if not a.ndim or (a.shape[:dim] == shape[:dim] and a.shape[dim + 1 :] == shape[dim + 1 :]):
        return a
    return a[tuple([slice(None) if i == dim else slice(n) for i, n in enumerate(shape)])]


# ---------------------------------------------------------------------- gather
@structured(tensors="input index", on="torch Tensor", extra="*, sparse_grad=False")
def gather(input, dim, index):
    _gathered_dim(input, dim, index)
    return index.shape, input.dtype


def _gathered_dim(input: Any, dim: int, index: Any) -> int:
    """The dimension, counted from the front; with torch's checks of a gather."""
    dim = wrap_dim(dim, input.ndim)
    check_index("gather", index)
    if input.shape == index.shape:
        return dim
    mine, theirs = input.shape or (1,), index.shape or (1,)
    if index.size:
        check(len(mine) == len(theirs), "Index tensor must have the same number of dimensions as input tensor")
        for i, (n, m) in enumerate(zip(mine, theirs, strict=True)):
            if m > n and i != dim:
                raise RuntimeError(
                    f"Size does not match at dimension {i} expected index {list(index.shape)} to be no "
                    "larger than self "
                    f"{list(input.shape)} apart from dimension {dim}"
                )
    return dim


@gather.cpu
def gather_cpu(input, dim, index):
    dim = _gathered_dim(input, dim, index)
    out = np.empty(index.shape, input.dtype)
    if not out.size:
        return out
    if not index.shape or not input.shape:
        input, index = [a.reshape(a.shape or (1,)) for a in (input, index)]
    source = contiguous(input if input.shape == index.shape else _corner(input, index.shape, dim))
    if not kernels().gather(bits_of(source), dim, as_int64(index), bits_of(out)):
        check_along(index, dim, input.shape[dim])
    return out


@gather.grad("input")
def gather_grad(g, input_shape, dim, index):
    return gather_backward(g, index, input_shape, dim)


@structured(tensors="g index")
def gather_backward(g, index, input_shape, dim):
    return input_shape, g.dtype


@gather_backward.cpu
def gather_backward_cpu(g, index, input_shape, dim):
    """Zeros with g added at the indices."""
    return scatter_array(np.zeros(input_shape, g.dtype), g, index, dim, "add")


@gather_backward.grad("g")
def gather_backward_grad(g, index, dim):
    return gather(g, dim, index)


@public("torch Tensor")
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None, *, out: Any = None) -> Tensor:
    """gather with broadcasting; over the flat input without a dim."""
    if dim is None:
        return OPS["gather"].function(input.reshape(-1), 0, indices.reshape(-1), out=out)
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    if indices.array.dtype != np.int64:
        raise RuntimeError(f"torch.take_along_dim(): dtype of indices should be Long but got {c_name(indices.array)}")
    dim = wrap_dim(dim, input.ndim)
    shapes = [without(t.shape, dim) for t in (input, indices)]
    check_broadcast(*shapes)
    shape = list(np.broadcast_shapes(*shapes))
    wide = [(*shape[:dim], t.shape[dim], *shape[dim + 1 :]) for t in (input, indices)]
    expand = OPS["expand_to"].function
    # torch counts from the front by a remainder, so nothing is out of range
    index = expand(indices, wide[1]) % input.shape[dim]
    return OPS["gather"].function(expand(input, wide[0]), dim, index, out=out)


def without(shape: Any, dim: int) -> tuple[int, ...]:
    return tuple([1 if i == dim else n for i, n in enumerate(shape)])


# ---------------------------------------------------------------------- scatter
def scatter_array(input: Any, src: Any, index: Any, dim: int, how: str) -> Any:
    """Write src at the indices along dim, in place: "" sets, "add" and "multiply" combine."""
    if not index.size:
        return input
    whole, dim = input, dim if dim >= 0 else dim + (input.ndim or 1)
    if not index.shape or not input.shape or not src.shape:
        input, index, src = [a.reshape(a.shape or (1,)) for a in (input, index, src)]
    if src.shape != index.shape:
        src = src[tuple([slice(n) for n in index.shape])]
    part = input if input.shape == index.shape else _corner(input, index.shape, dim)
    written = contiguous(part)
    loop = _combine_bools(how) if how and part.dtype is BOOL_NUMPY else getattr(kernels(), _LOOPS[how])
    if not loop(written, dim, as_int64(index), contiguous(src)):
        check_along(index, dim, input.shape[dim])
    if written is not part:
        part[...] = written
    if input is not whole and not np.may_share_memory(input, whole):
        whole[...] = input.reshape(whole.shape)
    return whole


_LOOPS = {"": "scatter", "add": "scatter_add", "multiply": "scatter_multiply"}


def _combine_bools(how: str) -> Any:
    combine = np.logical_or if how == "add" else np.logical_and

    def loop(dest: Any, dim: int, index: Any, src: Any) -> bool:
        if first_outside(index, 0, dest.shape[dim]) is not None:
            return False
        places = list(np.ogrid[tuple([slice(n) for n in index.shape])])
        places[dim] = index
        combine.at(dest, tuple(places), src)
        return True

    return loop


def _scatter_op(name: str, title: str, how: str) -> Op:
    @structured(name=name, title=title, tensors="input src index", inplace=True)
    def op(input, src, index, dim):
        return input.shape, input.dtype

    @op.cpu
    def cpu(input, src, index, dim):
        return scatter_array(input, src, index, dim, how)

    return op


SCATTER = _scatter_op("scatter_into", "Scatter", "")
SCATTER_ADD = _scatter_op("scatter_add_into", "ScatterAdd", "add")
SCATTER_MULTIPLY = _scatter_op("scatter_multiply_into", "Scatter", "multiply")


@SCATTER.grad("input")
def scatter_grad_input(g, index, dim):
    return scatter_cleared(g, index, dim)


@SCATTER_ADD.grad("input")
def scatter_add_grad_input(g):
    return g


@SCATTER.grad("src")
@SCATTER_ADD.grad("src")
def scatter_grad_src(g, index, dim):
    return gather(g, dim, index)


@SCATTER_MULTIPLY.grad("input", "src")
def scatter_multiply_grad(g):
    raise RuntimeError("derivative for aten::scatter.reduce is not implemented")


@structured(tensors="g index")
def scatter_cleared(g, index, dim):
    return g.shape, g.dtype


@scatter_cleared.cpu
def scatter_cleared_cpu(g, index, dim):
    """A copy with zeros at the indices."""
    zero = np.broadcast_to(np.zeros((), g.dtype), index.shape)
    return scatter_array(g.copy(), zero, index, dim, "")


@scatter_cleared.grad("g")
def scatter_cleared_grad(g, index, dim):
    return scatter_cleared(g, index, dim)


def writer(name: str, fresh: bool) -> Any:
    """The function of a record that writes: in place, or, where its first operand is `fresh`, a copy that nothing
    else refers to, as if it made a new tensor."""
    return OPS[name].function if fresh else FUNCTIONS[name + "_"]


def _scatter(x: Tensor, dim: int, index: Tensor, src: Tensor, record: Op, fresh: bool) -> Tensor:
    dim = wrap_dim(dim, x.array.ndim)
    if not isinstance(index, Tensor):
        tensors_only(f"{record.public_name}_", 2, index=index)
    src = check_scatter(x, dim, index, src)
    if fresh:
        return record.function(x, src, index, dim)
    check_overlap(x, index, src, apart=True)
    return FUNCTIONS[record.name + "_"](x, src, index, dim)


def check_scatter(x: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """torch's checks of a scatter; the part of src that the index uses."""
    a, i, s = x.array, index.array, src.array
    check_index("scatter", i)
    if a.dtype is not s.dtype:
        raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")
    if a.shape == i.shape == s.shape or not i.size:
        return src
    mine, theirs, given = a.shape or (1,), i.shape or (1,), s.shape or (1,)
    check(len(mine) == len(theirs), "Index tensor must have the same number of dimensions as self tensor")
    if src.array.ndim and len(given) < len(theirs):
        wrap_dim(len(given), len(given))
    check(len(given) == len(theirs), "Index tensor must have the same number of dimensions as src tensor")
    fits = all((i == dim or m <= n) and m <= k for i, (n, m, k) in enumerate(zip(mine, theirs, given, strict=True)))
    if not fits:
        raise RuntimeError(
            f"Expected index {list(theirs)} to be no larger than self {list(mine)} apart from "
            f"dimension {dim} and to be no "
            f"larger size than src {list(given)}"
        )
    for i, (m, k) in enumerate(zip(theirs, given, strict=True)):
        if m != k:
            src = OPS["slice_dim"].function(src, i, 0, m, 1)
    return src


def _source(name: str, x: Tensor, index: Tensor, src: Any, value: Any) -> Tensor:
    src = value if src is None else src
    if isinstance(src, Tensor):
        return src
    tensors_only(name, 2, index=index)
    src = python_number(src)
    if src.__class__ not in NUMBERS:
        raise TypeError(f"{name}(): argument 'src' (position 3) must be Tensor, not {type_name(src)}")
    return OPS["expand_to"].function(value_for(x, src).to(x.device), tuple(index.shape))


@public("Tensor")
def scatter_(
    self: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: Any = None
) -> Tensor:
    """self[index[i][j]][j] = src[i][j] for dim 0, and so on; src may be a number.

    >>> import minitorch as torch
    >>> torch.zeros(2, 3).scatter_(1, torch.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    return _scattered("scatter_", self, dim, index, src, value, reduce, False)


@public("torch Tensor")
def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Any = None,
    *,
    value: Any = None,
    reduce: Any = None,
    out: Any = None,
) -> Tensor:
    """scatter_ on a copy."""
    copy = OPS["dense"].function(input)
    made = _scattered("scatter", copy, dim, index, src, value, reduce, True)
    if reduce is None and not isinstance(src, Tensor):
        made = titled(made, "ScatterBackward1")
    return into(out, "scatter", made, index, src)


def _scattered(name: str, x: Tensor, dim: int, index: Tensor, src: Any, value: Any, reduce: Any, fresh: bool) -> Tensor:
    if reduce not in (None, "add", "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    if reduce is not None and isinstance(src, Tensor):
        warn(
            "The reduce argument of torch.scatter with Tensor src is deprecated and will be removed in a future "
            "PyTorch release. Use torch.scatter_reduce instead for more reduction options.",
            UserWarning,
        )
    record = {None: SCATTER, "add": SCATTER_ADD, "multiply": SCATTER_MULTIPLY}[reduce]
    return _scatter(x, dim, index, _source(name, x, index, src, value), record, fresh)


@public("Tensor")
def scatter_add_(self: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """scatter_ that adds; repeated indices add up."""
    return _scatter(self, dim, index, _tensor_source("scatter_add_", src), SCATTER_ADD, False)


@public("torch Tensor", bare=True)
def scatter_add(
    input: Tensor, dim: Any = None, index: Any = None, src: Any = None, *, out: Any = None, axis: Any = None
) -> Tensor:
    """scatter_add_ on a copy."""
    if dim is None:
        dim = missing_argument("scatter_add", "dim") if axis is None else axis
    if not isinstance(index, Tensor):
        raise TypeError(f"scatter_add(): argument 'index' (position 3) must be Tensor, not {type_name(index)}")
    src, copy = _tensor_source("scatter_add", src), OPS["dense"].function(input)
    return into(out, "scatter_add", _scatter(copy, dim, index, src, SCATTER_ADD, True), index, src)


def _tensor_source(name: str, src: Any) -> Tensor:
    if not isinstance(src, Tensor):
        raise TypeError(f"{name}(): argument 'src' (position 3) must be Tensor, not {type_name(src)}")
    return src


# ---------------------------------------------------------------------- flat positions
@public("torch Tensor")
def take(input: Tensor, index: Tensor, *, out: Any = None) -> Tensor:
    """The elements at positions in the flat input."""
    i, n = index.array, input.array.size
    if i.dtype != np.int64:
        raise RuntimeError(f"take(): Expected a long tensor for index, but got {c_name(i)}")
    check(n or not i.size, "take(): tried to take from an empty tensor", IndexError)
    bad = first_outside(i, -n, n) if index.is_cpu else None
    if bad is not None:
        raise IndexError(f"out of range: tried to access index {bad} on a tensor of {n} elements.")
    flat = FUNCTIONS["reshape"](input, -1)
    taken = OPS["take_flat"].function(flat, At([FUNCTIONS["reshape"](index, -1)]))
    taken = taken if i.ndim == 1 else FUNCTIONS["reshape"](taken, i.shape)
    return into(out, "take", taken, input, index)
