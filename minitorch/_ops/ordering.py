"""sort, argsort, topk, unique."""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._tensor import Tensor, wrap

from .check import check, integer, wrap_dim
from .op import OPS, structured
from .public import public
from .reductions import return_type

ndarray = np.ndarray


def _keys(a: Any, descending: bool) -> Any:
    """Keys whose stable ascending order is the order wanted, nan counting as the largest."""
    if a.dtype == np.bool_:
        a = a.view(np.uint8)
    if not descending:
        return a
    if a.dtype in dtypes.FLOATS:
        # NumPy sorts nan last, and a negated nan as well: only as an integer can it come first
        unsigned = _ordered_bits(a)
        return ~unsigned
    return ~a  # reverses the order of integers without overflow


def _ordered_bits(a: Any) -> Any:
    """Unsigned integers in the order of the floats, all nan alike and the largest, -0.0 as 0.0."""
    unsigned = np.dtype(f"u{a.dtype.itemsize}")
    bits = np.where(np.isnan(a), a.dtype.type(np.nan), a + a.dtype.type(0)).view(unsigned)
    top = unsigned.type(1 << (8 * a.dtype.itemsize - 1))
    return np.where(bits & top, ~bits, bits | top)


def _packed(a: Any, dim: int, descending: bool) -> Any:
    """Key and index in one integer, so that NumPy's plain vectorised sort is stable."""
    n = a.shape[dim]
    bits = _ordered_bits(a)
    index = np.arange(n, dtype=np.uint64).reshape([n if i == dim else 1 for i in range(a.ndim)])
    return ((~bits if descending else bits).astype(np.uint64) << np.uint64(32)) | index


def _unpacked(packed: Any) -> Any:
    return (packed & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _packs(a: Any, dim: int) -> bool:
    return a.dtype == np.float32 and 64 < a.shape[dim] < 2**32


def stable_order(a: Any, dim: int, descending: bool) -> Any:
    """The indices that sort a along dim, equal elements in their order."""
    if _packs(a, dim):  # a quarter of argsort's time
        return _unpacked(np.sort(_packed(a, dim, descending), axis=dim))
    return np.argsort(_keys(a, descending), axis=dim, kind="stable")


def first_in_order(a: Any, k: int, dim: int, descending: bool) -> Any:
    """The first k of `stable_order`; which of equal elements come among them is open."""
    n, lead = a.shape[dim], (slice(None),) * dim
    if not 0 < k < n // 8:  # above that, sorting everything costs less than finding the k first
        return np.ascontiguousarray(stable_order(a, dim, descending)[lead + (slice(k),)])
    if _packs(a, dim):
        packed = np.partition(_packed(a, dim, descending), k - 1, axis=dim)[lead + (slice(k),)]
        return _unpacked(np.sort(packed, axis=dim))
    # NumPy, too, counts nan as the largest
    part = slice(n - k, n) if descending else slice(k)
    chosen = np.argpartition(a, n - k if descending else k - 1, axis=dim)[lead + (part,)]
    chosen.sort(axis=dim)
    order = stable_order(np.take_along_axis(a, chosen, dim), dim, descending)
    return np.take_along_axis(chosen, order, dim)


@structured(
    name="sort_dim",
    title="Sort",
    tensors="input",
    outputs=("indices",),
    returns=return_type("sort"),
)
def sort_dim(input, dim, descending):
    wrap_dim(dim, input.ndim)
    return [(input.shape, input.dtype), (input.shape, dtypes.INT64_NUMPY)]


@sort_dim.cpu
def sort_cpu(input, dim, descending):
    dim = wrap_dim(dim, input.ndim)
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    order = stable_order(input, dim, descending)
    return np.take_along_axis(input, order, dim), order


@sort_dim.grad("input")
def sort_grad(g, indices, input_shape, dim):
    return gather_backward(g, indices, input_shape, dim)  # noqa: F821


@public("torch Tensor")
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False, *, out: Any = None) -> Any:
    """(values, indices) in order along dim, always stable; nan counts as the largest.

    >>> import minitorch as torch
    >>> torch.tensor([3, 1, 2]).sort().indices
    tensor([1, 2, 0])
    """
    result = OPS["sort_dim"].function(input, integer(dim, "dim", "sort"), bool(descending))
    if out is None:
        return result
    from .inplace import into

    return into(out, OPS["sort_dim"], result)


@public("torch Tensor")
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that sort the tensor."""
    return sort(input, dim, descending).indices


@public("torch Tensor")
def msort(input: Tensor) -> Tensor:
    """Sorted along the first dimension."""
    return sort(input, 0).values


@structured(
    name="topk_dim",
    title="Topk",
    tensors="input",
    outputs=("indices",),
    returns=return_type("topk"),
)
def topk_dim(input, k, dim, largest):
    dim = wrap_dim(dim, input.ndim)
    n = input.shape[dim] if input.shape else 1
    check(0 <= k <= n, "selected index k out of range")
    check(input.dtype != np.bool_, "topk does not support bool dtypes on CPU")
    shape = (*input.shape[:dim], k, *input.shape[dim + 1 :]) if input.shape else ()
    return [(shape, input.dtype), (shape, dtypes.INT64_NUMPY)]


@topk_dim.cpu
def topk_cpu(input, k, dim, largest):
    topk_dim.infer(input, k, dim, largest)
    dim = wrap_dim(dim, input.ndim)
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    indices = first_in_order(input, k, dim, largest)
    return np.take_along_axis(input, indices, dim), indices


@topk_dim.grad("input")
def topk_grad(g, indices, input_shape, dim):
    return gather_backward(g, indices, input_shape, dim)  # noqa: F821


@public("torch Tensor")
def topk(
    input: Tensor,
    k: int,
    dim: int = -1,
    largest: bool = True,
    sorted: bool = True,
    *,
    out: Any = None,
) -> Any:
    """(values, indices) of the k largest along dim, always sorted."""
    result = OPS["topk_dim"].function(input, integer(k, "k", "topk"), integer(dim, "dim", "topk"), bool(largest))
    if out is None:
        return result
    from .inplace import into

    return into(out, OPS["topk_dim"], result)


@public("torch Tensor")
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different values, always sorted; on request where each element went and the counts."""
    axis = None if dim is None else wrap_dim(dim, input.ndim)
    values, inverse, counts = np.unique(
        input.array, return_inverse=True, return_counts=True, axis=axis, equal_nan=False
    )
    inverse = inverse.reshape(input.shape if dim is None else -1)
    results = [wrap(values), wrap(inverse.astype(np.int64)), wrap(counts.astype(np.int64))]
    wanted = [r for r, w in zip(results, (True, return_inverse, return_counts), strict=True) if w]
    return wanted[0] if len(wanted) == 1 else tuple(wanted)
