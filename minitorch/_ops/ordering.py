"""sort, argsort, topk, and elements by rank: kthvalue, median, mode.

NumPy's vectorised sorts and selections decide wherever no two keys are equal. Where some are, a kernel puts their
indices in torch's order: `_kernels/cpu/sort.py`.
"""

import functools
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels import cache
from minitorch._kernels.copies import contiguous
from minitorch._kernels.layout import laid_out
from minitorch._tensor import Tensor
from minitorch.return_types import return_type

from .check import integer, missing_argument, no_kernel, wrap_dim
from .extremes import not_empty
from .nodes import titled
from .op import OPS, structured
from .public import into, op, public
from .reductions import reduced_shape

FLOATS = dtypes.FLOATS
empty = np.empty
SHORT = 64  # elements of a row up to which insertion is the fastest sort here
SORTED_WHOLE = 256  # elements of a row of float32 that are sorted in the time in which insertion finds its first few
INSERTION = 16  # elements up to which the C++ library sorts by insertion, which is stable
PART = 64  # elements of a long row of which the extreme is found first
RADIX = 32768  # elements from which torch sorts one row of integers by radix, which is stable
# Rows of floats from this length on keep equal elements in their order, in a quarter of the time that torch's order
# of ties would take: nobody relies on it there.
STABLE_FLOATS = 65536
_MOST_PACKED = 2**31 - 1  # elements of a row whose places and keys of 32 bits fit in one signed integer
_INTEGERS: dict[Any, Any] = {np.dtype(np.float32): np.dtype(np.int32), np.dtype(np.float64): np.dtype(np.int64)}


# ---------------------------------------------------------------------- rows and keys
def rows_along(a: np.ndarray, dim: int) -> np.ndarray:
    """The array with dim last, as contiguous (rows, n)."""
    if not a.ndim:
        return a.reshape(1, 1)
    if dim == 1 and a.ndim == 2 and a.flags.c_contiguous:
        return a
    n = a.shape[dim]
    last = a if dim == a.ndim - 1 else np.moveaxis(a, dim, -1)
    return contiguous(last).reshape(a.size // n if n else 0, n)


def rows_back(rows: np.ndarray, like: np.ndarray, dim: int) -> np.ndarray:
    """What was computed of `rows_along`, in the array's order of dimensions."""
    if not like.ndim:
        return rows.reshape(())
    if dim == 1 and like.ndim == 2:
        return rows
    if dim == like.ndim - 1:
        return rows.reshape(*like.shape[:-1], rows.shape[1])
    moved = [n for i, n in enumerate(like.shape) if i != dim]
    return contiguous(np.moveaxis(rows.reshape(*moved, rows.shape[1]), -1, dim))


def taken(rows: np.ndarray, order: np.ndarray) -> np.ndarray:
    """rows[i, order[i, j]], in a third of the time of np.take_along_axis."""
    if len(rows) > 1:
        order = order + np.arange(0, rows.size, rows.shape[1])[:, None]
    return rows.reshape(-1).take(order)


def _float_bits(a: np.ndarray) -> np.ndarray:
    """Unsigned integers in the order of the floats, all nan alike and the largest, -0.0 as 0.0."""
    unsigned = np.dtype(f"u{a.dtype.itemsize}")
    bits = np.where(np.isnan(a), a.dtype.type(np.nan), a + a.dtype.type(0)).view(unsigned)
    top = unsigned.type(1 << (8 * a.dtype.itemsize - 1))
    return np.where(bits & top, ~bits, bits | top)


def _kernel_keys(rows: np.ndarray, descending: bool) -> np.ndarray:
    """int64 keys for the kernels, which destroy them."""
    if rows.dtype in FLOATS:
        keys = np.empty(rows.shape, np.int64)
        bits = rows.view(_INTEGERS[rows.dtype])
        _kernels().float_keys(bits.reshape(-1), descending, keys.reshape(-1))
        return keys
    keys = rows.astype(np.int64)
    return np.invert(keys, keys) if descending else keys


@functools.cache
def _kernels() -> Any:
    return cache.load_file("cpu.sort")


def _arranged(rows: np.ndarray, descending: bool, kind: int, k: int, ordered: bool = True) -> np.ndarray:
    """The indices of the k smallest of each row (or largest), in order; after a SELECT only if `ordered`."""
    kernels, n = _kernels(), rows.shape[1]
    keys, stack = _kernel_keys(rows, descending), np.empty((3, 128), np.int64)
    index = np.broadcast_to(np.arange(n), rows.shape).copy()
    kernels.arrange(keys, index, stack, kind, k - 1, n)
    if kind == kernels.SELECT and ordered:  # the last is in its place
        kernels.arrange(keys, index, stack, kernels.SORT, k - 1, k - 1)
    return index[:, :k]


Ordered = tuple[np.ndarray, np.ndarray, np.ndarray | None]
"""Indices into rows, the elements there, and in which rows ties decide about them: None for in none."""


def _first_in_order(rows: np.ndarray, k: int, descending: bool) -> Ordered:
    """The k smallest of each row (or largest), in order."""
    count, n = rows.shape
    if rows.dtype is dtypes.FLOAT32_NUMPY and INSERTION < n <= SORTED_WHOLE:
        return _by_whole_sort(rows, k, descending)
    index, best, tied = np.empty((count, k), np.int64), np.empty(k, np.int64), np.empty(count, np.bool_)
    if rows.dtype in FLOATS:
        values, bits = np.empty((count, k), rows.dtype), _INTEGERS[rows.dtype]
        of_floats = _kernels().insertion_of_floats
        some = of_floats(rows.view(bits), descending, np.empty(n, np.int64), best, index, values.view(bits), tied)
    else:
        some = _kernels().insertion(_kernel_keys(rows, descending), best, index, tied)
        values = taken(rows, index)
    return index, values, np.flatnonzero(tied) if some else None


def _by_whole_sort(rows: np.ndarray, k: int, descending: bool) -> Ordered:
    """The same of float32, by NumPy's plain vectorised sort of key and index in one integer."""
    kernels, (count, n) = _kernels(), rows.shape
    shift, packed = n.bit_length(), empty((count, n), dtypes.INT64_NUMPY)
    index, values = empty((count, k), dtypes.INT64_NUMPY), empty((count, k), rows.dtype)
    tied = empty(count, dtypes.BOOL_NUMPY)
    kernels.pack(rows, descending, shift, packed)
    packed.sort(1)
    some = kernels.unpack(packed, shift, rows, index, values, tied)
    return index, values, np.flatnonzero(tied) if some else None


def _with_ties(found: Ordered, rows: np.ndarray, *how: Any) -> tuple[np.ndarray, np.ndarray]:
    """(indices, elements) with the tied rows arranged anew, as torch does."""
    index, values, tied = found
    if tied is not None:
        index[tied] = _arranged(rows[tied], *how)
        values[tied] = taken(rows[tied], index[tied])
    return index, values


# ---------------------------------------------------------------------- orders
def stable_order(rows: np.ndarray, descending: bool) -> np.ndarray:
    """The indices that sort each row, equal elements in their order; nan counts as the largest."""
    n = rows.shape[1]
    if rows.dtype == np.bool_:
        rows = rows.view(np.uint8)
    if n <= SHORT:
        return _first_in_order(rows, n, descending)[0]
    if rows.dtype == np.float32 and n <= _MOST_PACKED:
        return _by_whole_sort(rows, n, descending)[0]
    if rows.dtype.itemsize <= 2 and rows.dtype not in FLOATS:  # short integers go by radix
        keys = _float_bits(rows) if rows.dtype in FLOATS else rows
        return np.argsort(~keys if descending else keys, axis=1, kind="stable")
    bits = n.bit_length()
    if rows.dtype not in FLOATS:
        rows = rows.astype(np.int64, copy=False)
        low, high = int(rows.min()), int(rows.max())
        if high - low < 1 << 16:
            keys = (high - rows if descending else rows - low).astype(np.uint16)
            return np.argsort(keys, axis=1, kind="stable")
    if rows.dtype not in FLOATS and high - low < 2 ** (63 - bits):
        keys = (high - rows if descending else rows - low).astype(np.uint64)
    else:
        keys = _float_bits(rows) if rows.dtype in FLOATS else rows
        return np.argsort(~keys if descending else keys, axis=1, kind="stable")
    # key and index in one integer: NumPy's plain vectorised sort takes a quarter of argsort's time
    packed = keys << np.uint64(bits)
    packed |= np.arange(n, dtype=np.uint64)
    packed.sort(axis=1)
    packed &= np.uint64(2**bits - 1)
    return packed.astype(np.int64)


def _have_ties(ordered: np.ndarray) -> np.ndarray:
    """Whether neighbours in each of the sorted rows are equal, nan included."""
    tied = (ordered[:, :-1] == ordered[:, 1:]).any(1)
    if ordered.dtype in FLOATS and ordered.shape[1] > 1:  # nan are at one of the ends
        for first, second in ((0, 1), (-2, -1)):
            tied |= (ordered[:, first] != ordered[:, first]) & (ordered[:, second] != ordered[:, second])
    return tied


def in_order(rows: np.ndarray, descending: bool, stable: bool) -> tuple[np.ndarray, np.ndarray]:
    """The indices that sort each row, and its elements in that order.

    Equal elements are in their order, or unless `stable` where the C++ library's sort leaves them.
    """
    n = rows.shape[1]
    stable = stable or n <= INSERTION or (rows.dtype in FLOATS and n >= STABLE_FLOATS)
    if n <= SHORT and rows.dtype != np.bool_:
        found = _first_in_order(rows, n, descending)
    elif rows.dtype is dtypes.FLOAT32_NUMPY and n <= _MOST_PACKED:
        found = _by_whole_sort(rows, n, descending)
    else:
        order = stable_order(rows, descending)
        values = taken(rows, order)
        found = order, values, None if stable else np.flatnonzero(_have_ties(values))
    return found[:2] if stable else _with_ties(found, rows, descending, _kernels().SORT, n)


def _sorts_by_radix(a: np.ndarray) -> bool:
    return a.ndim == 1 and a.size >= RADIX and a.dtype not in FLOATS and a.dtype != np.bool_


# ---------------------------------------------------------------------- sort
@structured(name="sort_dim", title="Sort", tensors="input", outputs=("indices",), returns=return_type("sort"))
def sort_dim(input, dim, descending, stable):
    wrap_dim(dim, input.ndim)
    return [(input.shape, input.dtype), (input.shape, dtypes.INT64_NUMPY)]


@sort_dim.cpu
def sort_cpu(input, dim, descending, stable):
    dim = wrap_dim(dim, input.ndim)
    if not input.size:
        return input.copy(), np.empty(input.shape, np.int64)
    rows = rows_along(input, dim)
    order, values = in_order(rows, descending, stable or _sorts_by_radix(input))
    return laid_out(rows_back(values, input, dim), input), laid_out(rows_back(order, input, dim), input)


@sort_dim.grad("input")
def sort_grad(g, indices, input_shape, dim):
    return gather_backward(g, indices, input_shape, dim)  # noqa: F821


@public("torch Tensor")
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, stable: bool | None = False, *, out: Any = None
) -> Any:
    """(values, indices) in order along dim; nan counts as the largest. With stable=True ties keep their order.

    >>> import minitorch as torch
    >>> torch.tensor([3, 1, 2]).sort().indices
    tensor([1, 2, 0])
    """
    result = op("sort_dim")(input, integer(dim, "dim", "sort"), bool(descending), bool(stable))
    return into(out, "sort_dim", result)


@public("torch Tensor")
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False, *, out: Any = None) -> Tensor:
    """The indices that sort the tensor along dim."""
    return into(out, "argsort", sort(input, dim, descending, stable).indices)


@public("torch Tensor")
def msort(input: Tensor, *, out: Any = None) -> Tensor:
    """Sorted along the first dimension."""
    return into(out, "msort", sort(input, 0).values)


# ---------------------------------------------------------------------- topk
def smallest(rows: np.ndarray, k: int, largest: bool, ordered: bool) -> tuple[np.ndarray, np.ndarray]:
    """The indices of the k smallest of each row (or largest) in torch's order, and the elements there."""
    n = rows.shape[1]
    kernels = _kernels()
    partial = k * 64 <= n  # where torch goes from a selection to a heap, which leaves its elements in order
    kind = kernels.PARTIAL if partial else kernels.SELECT
    if k <= INSERTION and (ordered or partial):
        return _with_ties(_first_in_order(rows, k, largest), rows, largest, kind, k, ordered)
    if ordered or partial:
        threshold = _kth(rows, k, largest)
        chosen = np.flatnonzero(rows >= threshold if largest else rows <= threshold)
        if chosen.size == k * len(rows):  # else there are ties, or nan
            index = (chosen % n).reshape(len(rows), k)
            values = taken(rows, index)
            order = stable_order(values, largest)
            values = taken(values, order)
            if not _have_ties(values).any():
                return taken(index, order), values
    index = _arranged(rows, largest, kind, k, ordered)
    return index, taken(rows, index)


def _kth(rows: np.ndarray, k: int, largest: bool) -> np.ndarray:
    """The k-th smallest element of each row (or largest), as a column.

    Of a long row only those count that are as far out as the k-th of its parts' extremes, which are k at least and few
    more: for an extreme an element takes a tenth of the time that it takes in NumPy's selection.
    """
    n = rows.shape[1]
    parts = n // PART
    if parts >= 4 * k:
        cut = rows[:, : parts * PART].reshape(-1, PART, parts)
        extremes = cut.max(axis=1) if largest else cut.min(axis=1)
        if not np.isnan(extremes).any():
            bounds = _kth(extremes, k, largest)
            near = [row[row >= bound if largest else row <= bound] for row, bound in zip(rows, bounds, strict=True)]
            return np.concatenate([_selected(row[None], k, largest) for row in near])
    return _selected(rows, k, largest)


def _selected(rows: np.ndarray, k: int, largest: bool) -> np.ndarray:
    """`_kth` by NumPy's selection from whole rows."""
    nth = rows.shape[1] - k if largest else k - 1
    return np.partition(rows, nth, axis=1)[:, [nth]]


@structured(name="topk_dim", title="Topk", tensors="input", outputs=("indices",), returns=return_type("topk"))
def topk_dim(input, k, dim, largest, sorted):
    dim = _topk_dim(input, k, dim)
    shape = (*input.shape[:dim], k, *input.shape[dim + 1 :]) if input.shape else ()
    return [(shape, input.dtype), (shape, dtypes.INT64_NUMPY)]


def _topk_dim(input: Any, k: int, dim: int) -> int:
    """The dimension, counted from the front; with all checks."""
    dim = wrap_dim(dim, input.ndim)
    n = input.shape[dim] if input.shape else 1
    if not 0 <= k <= n:
        raise RuntimeError("selected index k out of range")
    if input.dtype is dtypes.BOOL_NUMPY:
        raise RuntimeError("topk does not support bool dtypes on CPU")
    return dim


@topk_dim.cpu
def topk_cpu(input, k, dim, largest, sorted):
    dim = _topk_dim(input, k, dim)
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    if not k or not input.size:
        (shape, dtype), (_, int64) = topk_dim.infer(input, k, dim, largest, sorted)
        return np.empty(shape, dtype), np.empty(shape, int64)
    rows = rows_along(input, dim)
    index, values = smallest(rows, k, largest, sorted)
    return rows_back(values, input, dim), rows_back(index, input, dim)


@topk_dim.grad("input")
def topk_grad(g, indices, input_shape, dim):
    return gather_backward(g, indices, input_shape, dim)  # noqa: F821


@public("torch Tensor")
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *, out: Any = None) -> Any:
    """(values, indices) of the k largest along dim, or the smallest; in order unless sorted=False.

    >>> import minitorch as torch
    >>> torch.tensor([3, 1, 2]).topk(2).values
    tensor([3, 2])
    """
    if k.__class__ is not int:
        k = integer(k, "k", "topk")
    if dim.__class__ is not int:
        dim = integer(dim, "dim", "topk")
    result = OPS["topk_dim"].function(input, k, dim, bool(largest), bool(sorted))
    return result if out is None else into(out, "topk_dim", result)


# ---------------------------------------------------------------------- elements by rank
def kth_in_rows(rows: np.ndarray, k: int) -> np.ndarray:
    """Where element k of each row in order is; of equal ones the one that torch's selection leaves there."""
    hits = rows == np.partition(rows, k, axis=1)[:, [k]]
    if int(np.count_nonzero(hits)) == len(rows) and hits.any(1).all():
        return hits.argmax(1)
    index = np.empty(len(rows), np.int64)
    _kernels().kth_rows(_kernel_keys(rows, False), np.empty(rows.shape[1], np.int64), k, index)
    return index


def median_in_rows(rows: np.ndarray, skip_nan: bool) -> np.ndarray:
    """Where the lower median of each row is: of equal elements in their order. A nan is the median of its row."""
    n = rows.shape[1]
    missing = rows != rows
    some = missing.any(1)
    if skip_nan:
        some &= missing.all(1)
        nth = np.maximum((~missing).sum(1) - 1, 0)[:, None] // 2
        value = taken(np.sort(rows, axis=1), nth)
    else:
        nth = (n - 1) // 2
        value = np.partition(rows, nth, axis=1)[:, [nth]]
    hits = rows == value
    if int(np.count_nonzero(hits)) > len(rows):
        rank = nth - np.count_nonzero(rows < value, axis=1)[:, None]
        hits &= np.cumsum(hits, axis=1) == rank + 1
    return np.where(some, missing.argmax(1), hits.argmax(1))


def mode_in_rows(rows: np.ndarray) -> np.ndarray:
    """Where the last of the most frequent element's places in the sorted row is; of several elements the smallest."""
    order, ordered = in_order(rows, False, False)
    place = np.arange(rows.shape[1])
    begins = np.ones(rows.shape, np.bool_)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    run = place - np.maximum.accumulate(np.where(begins, place, 0), axis=1)  # how far into its run each is
    return taken(order, run.argmax(1)[:, None])[:, 0]


def _choice(name: str, find: Any) -> Any:
    """The record that chooses one element along dim: `find(rows, *arguments)` gives the indices."""

    returns = return_type(name)

    title = name.title() + ("Backward1" if "median" in name else "Backward0")

    @structured(name=f"{name}_dim", tensors="input", outputs=("indices",), returns=returns, title=title)
    def record(input, dim, keepdim, arguments):
        dim = wrap_dim(dim, input.ndim)
        not_empty(name, input, dim)
        if input.dtype == np.bool_ and name != "mode":
            no_kernel(f"{name.removeprefix('nan')}_cpu", input)
        shape = reduced_shape(input.shape, (dim,), keepdim)
        return [(shape, input.dtype), (shape, dtypes.INT64_NUMPY)]

    @record.cpu
    def cpu(input, dim, keepdim, arguments):
        (shape, dtype), (_, int64) = record.infer(input, dim, keepdim, arguments)
        if not input.size:
            return np.empty(shape, dtype), np.empty(shape, int64)
        rows = rows_along(input, wrap_dim(dim, input.ndim))
        index = find(rows, *arguments)
        return taken(rows, index[:, None]).reshape(shape), index.astype(int64).reshape(shape)

    @record.grad("input")
    def grad(g, indices, input_shape, dim, keepdim):
        return scatter_one(g, indices, input_shape, dim, keepdim)  # noqa: F821

    return record


_choice("kthvalue", kth_in_rows)
_choice("median", median_in_rows)
_choice("nanmedian", median_in_rows)
_choice("mode", mode_in_rows)


@structured(name="median_of_all", title="Median", tensors="input")
def median_of_all(input, skip_nan):
    if input.dtype == np.bool_:
        no_kernel("median_cpu", input)
    return (), input.dtype


@median_of_all.cpu
def median_of_all_cpu(input, skip_nan):
    median_of_all.infer(input, skip_nan)
    if not input.size:
        return np.full((), np.nan if input.dtype in FLOATS else np.iinfo(input.dtype).min, input.dtype)
    rows = input.reshape(1, -1)
    return rows[0, median_in_rows(rows, skip_nan)].reshape(())


@median_of_all.grad("input")
def median_of_all_grad(g, input, input_shape, out):
    """Ties share the gradient equally."""
    x = reshape(input, (-1,))  # noqa: F821
    chosen = to_dtype((x == out) | ((x != x) & (out != out)), g.dtype)  # noqa: F821
    return reshape(chosen * (g / sum(chosen)), input_shape)  # noqa: F821


@public("torch Tensor")
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> Any:
    """(values, indices) of the k-th smallest along dim, counted from 1."""
    k, dim = integer(k, "k", "kthvalue"), wrap_dim(integer(dim, "dim", "kthvalue"), input.ndim)
    n = input.shape[dim] if input.ndim else 1
    if n:
        if not 1 <= k <= n:
            raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}")
    return into(out, "kthvalue_dim", op("kthvalue_dim")(input, dim, keepdim, (k - 1,)), input)


@public("torch Tensor", given="dim")
def median(input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """The lower median of all elements; with dim (values, indices). nan where there is one."""
    return _median("median", input, dim, keepdim, out)


@public("torch Tensor", given="dim")
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """median of the elements that are not nan."""
    return _median("nanmedian", input, dim, keepdim, out)


def _median(name: str, input: Tensor, dim: Any, keepdim: bool, out: Any) -> Any:
    skip_nan = name == "nanmedian"
    if dim is None:
        if keepdim:
            missing_argument(name, "dim")
        return into(out, name, titled(op("median_of_all")(input, skip_nan), f"{name.title()}Backward0"))
    result = OPS[f"{name}_dim"].function(input, integer(dim, "dim", name), keepdim, (skip_nan,))
    return into(out, f"{name}_dim", result)


@public("torch Tensor")
def mode(input: Tensor, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> Any:
    """(values, indices) of the most frequent element along dim; of several the smallest."""
    return into(out, "mode_dim", op("mode_dim")(input, integer(dim, "dim", "mode"), keepdim, ()), input)
