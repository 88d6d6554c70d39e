"""Finding and counting: searchsorted, bucketize, unique, bincount, histc, histogram."""

from math import prod
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._factory import too_large
from minitorch._kernels import cache
from minitorch._kernels.half import rounded, widened
from minitorch._tensor import Tensor, wrap
from minitorch.autograd._warnings import warn_once
from minitorch.return_types import return_type

from .check import c_name, c_word, check, integer, invalid_arguments, needs_data, no_kernel, wrap_dim
from .histograms import check_edges
from .op import structured
from .operands import number_argument
from .ordering import stable_order
from .positions import kernels
from .public import FUNCTIONS, into, op, public

FLOATS = dtypes.FLOATS


# ---------------------------------------------------------------------- searchsorted
@structured(tensors="sequence values sorter?")
def search_sorted(sequence, values, sorter, right, out_int32):
    return values.shape, np.dtype(np.int32 if out_int32 else np.int64)


@search_sorted.cpu
def search_sorted_cpu(sequence, values, sorter, right, out_int32):
    """Indices before which the values keep their row of the sequence in order."""
    dtype = np.int32 if out_int32 else np.int64
    if not sequence.size or not values.size:
        return np.zeros(values.shape, dtype)
    for what, a in (("boundary", sequence), ("input value", values), ("sorter", sorter)):
        if a is not None and not a.flags.c_contiguous:
            warn_once(
                f"torch.searchsorted(): {what} tensor is non-contiguous, this will lower the performance due to extra "
                f"data copy when converting non-contiguous tensor to contiguous, please use contiguous {what} tensor "
                "if possible. This message will only appear once per program."
            )
    if sorter is not None:
        outside = sorter.min() < 0 or sorter.max() >= sequence.shape[-1]
        check(not outside, "torch.searchsorted(): sorter index out of range")
        sequence = np.take_along_axis(sequence, sorter, -1)
    rows = np.ascontiguousarray(sequence).reshape(-1, sequence.shape[-1])
    wanted = np.ascontiguousarray(values).reshape(len(rows), -1)
    if wanted.dtype != rows.dtype:
        common = np.promote_types(wanted.dtype, rows.dtype)
        rows, wanted = rows.astype(common), wanted.astype(common)
    out = np.empty(wanted.shape, np.int64)
    cache.load_file("cpu.search").insertion_points(rows, wanted, right, out)
    return out.astype(dtype, copy=False).reshape(values.shape)


@public("torch")
def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
    out: Any = None,
) -> Tensor:
    """Where the values would have to be inserted to keep each row of the sequence in order.

    >>> import minitorch as torch
    >>> torch.searchsorted(torch.tensor([1, 3, 5]), torch.tensor([3, 6]))
    tensor([1, 3])
    """
    name = "torch.searchsorted()"
    values = _as_values("searchsorted", input, sorted_sequence)
    if side not in (None, "left", "right"):
        raise RuntimeError(f"{name}: side can only be 'left' or 'right' but got {side}")
    if not (side != "left" or not right):
        raise RuntimeError(f"{name}: side and right can't be set to opposites, got side of left while right was True")
    _check_search(name, sorted_sequence, values, sorter)
    result = op("search_sorted")(sorted_sequence, values, sorter, bool(right) or side == "right", bool(out_int32))
    return _with_index_dtype(name, out, out_int32, result)


@public("torch")
def bucketize(
    input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False, out: Any = None
) -> Tensor:
    """searchsorted in one row of boundaries.

    >>> import minitorch as torch
    >>> torch.bucketize(torch.tensor([3, 6]), torch.tensor([1, 3, 5]), right=True)
    tensor([2, 3])
    """
    if boundaries.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})")
    values = _as_values("bucketize", input, boundaries)
    result = op("search_sorted")(boundaries, values, None, bool(right), bool(out_int32))
    return _with_index_dtype("torch.searchsorted()", out, out_int32, result)


def _with_index_dtype(name: str, out: Any, out_int32: bool, result: Tensor) -> Tensor:
    if out is not None:
        if out.dtype is not result.dtype:
            raise RuntimeError(
                f"{name}: output tensor's dtype is wrong, it can only be Int(int32) or Long(int64) depending on "
                f"whether out_int32 flag is True, but we got output tensor's dtype {c_name(out.array)} and out_int32 "
                f"flag is {out_int32}"
            )
    return into(out, "searchsorted", result)


def _as_values(name: str, value: Any, beside: Tensor) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, (int, float, np.number)):
        invalid_arguments(name, value, beside)
    dtype = beside.array.dtype if isinstance(value, int) or beside.is_floating_point() else np.float32
    return wrap(np.array(value, dtype))


def _check_search(name: str, sequence: Tensor, values: Tensor, sorter: Any) -> None:
    if sorter is not None:
        if sorter.shape != sequence.shape:
            raise RuntimeError(
                f"{name}: boundary and sorter must have the same size, but got boundary tensor {list(sequence.shape)}"
                f"and got sorter tensor {list(sorter.shape)}"
            )
        if sorter.dtype is not dtypes.int64:
            raise RuntimeError(f"{name}: sorter must be a tensor of long dtype but got dtype {c_name(sorter.array)}")
    if not sequence.ndim:
        raise RuntimeError(f"{name}: boundaries tensor should have positive dimension, but got 0 dimension")
    if not (values.ndim or sequence.ndim == 1):
        raise RuntimeError(
            f"{name}: input value can be a scalar only when boundaries tensor dimension is 1, but we got boundaries "
            f"tensor dim({sequence.ndim}) and input value's dim({values.ndim}) numel({values.array.size})"
        )
    if not (sequence.ndim == 1 or (values.ndim == sequence.ndim and values.shape[:-1] == sequence.shape[:-1])):
        raise RuntimeError(
            f"{name}: boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and "
            f"input value tensor must match, but we got boundaries tensor {list(sequence.shape)} and input value "
            f"tensor {list(values.shape)}"
        )


# ---------------------------------------------------------------------- unique
def _three(*results: Any) -> tuple[Any, ...]:
    return results


def _runs(begins: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where runs begin, which run each place is in, and how long the runs are."""
    first = np.flatnonzero(begins)
    return first, np.cumsum(begins) - 1, np.diff(first, append=begins.size)


@structured(tensors="input", outputs=("inverse", "counts"), returns=_three)
def unique_slices(input, dim, in_order, indexed):
    needs_data("unique()", input)
    return [(None, input.dtype), (None, dtypes.INT64_NUMPY), (None, dtypes.INT64_NUMPY)]


@unique_slices.cpu
def unique_slices_cpu(input, dim, in_order, indexed):
    """The different slices along dim, or elements if it is None: of all, in order, or only of neighbours."""
    if dim is None and in_order and input.dtype.kind in "bi" and input.size:
        low, high = int(input.min()), int(input.max())
        if high - low <= input.size:
            return _counted(input.astype(np.int64) - low, low, input.dtype, indexed)
    slices = input.reshape(-1) if dim is None else np.moveaxis(input, dim, 0)
    if dim is None and in_order and not indexed:  # sorting values takes half the time
        slices, in_order = np.sort(slices), False
    rows = slices.reshape(len(slices), prod(slices.shape[1:]))
    if not in_order or not rows.size:
        order = np.arange(len(rows))
    elif rows.shape[1] == 1:
        order = stable_order(np.ascontiguousarray(rows).reshape(1, -1), False)[0]
    else:
        order = np.lexsort(rows.T[::-1])
    ordered = rows[order] if in_order else rows
    begins = np.ones(len(rows), np.bool_)
    begins[1:] = (ordered[1:] != ordered[:-1]).any(1)
    first, run, counts = _runs(begins)
    inverse = np.empty(len(rows), np.int64)
    inverse[order] = run
    values = np.ascontiguousarray(slices[order[first]])  # in this order in memory for any dim, as torch's are
    return (
        values if dim is None else np.moveaxis(values, 0, dim),
        inverse.reshape(input.shape if dim is None else -1),
        counts,
    )


def _counted(places: np.ndarray, low: int, dtype: Any, indexed: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What unique_slices gives for integers that lie close together, less the lowest: counted, not sorted."""
    shape, places = places.shape, places.reshape(-1)  # one dimension: NumPy makes a number of what has none
    counts = np.bincount(places)
    found = np.flatnonzero(counts)
    if indexed:
        rank = np.empty(counts.size, np.int64)
        rank[found] = np.arange(found.size)
        places = rank[places]
    return (found + low).astype(dtype), places.reshape(shape), counts[found]


def _unique(input: Tensor, dim: Any, in_order: bool, return_inverse: bool, return_counts: bool) -> Any:
    if dim is not None:
        dim = wrap_dim(integer(dim, "dim", "unique"), input.ndim, scalar=False)
        check(
            all(n for i, n in enumerate(input.shape) if i != dim),
            "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied",
        )
    results = op("unique_slices")(input, dim, in_order, return_inverse)
    wanted = [r for r, w in zip(results, (True, return_inverse, return_counts), strict=True) if w]
    return wanted[0] if len(wanted) == 1 else tuple(wanted)


@public("torch Tensor")
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements, or slices along dim, always sorted; on request where each went, and how many there were.

    >>> import minitorch as torch
    >>> torch.tensor([3, 1, 3]).unique(return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    return _unique(input, dim, True, return_inverse, return_counts)


@public("torch Tensor")
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """unique among neighbours: the first of each run of equal elements.

    >>> import minitorch as torch
    >>> torch.tensor([3, 3, 1, 3]).unique_consecutive()
    tensor([3, 1, 3])
    """
    return _unique(input, dim, False, return_inverse, return_counts)


# ---------------------------------------------------------------------- counting
_ONLY_COUNTS = "bincount only supports 1-d non-negative integral inputs."


def check_counted(low: int, high: int) -> None:
    """Refuse numbers between these that bincount cannot count."""
    check(low >= 0, _ONLY_COUNTS)
    largest = np.iinfo(np.int64).max
    check(  # there is no integer for the number of bins
        high < largest, f"maximum value of input overflowed, it should be < {largest} but got {largest}"
    )


@structured(name="bincount", tensors="input weights?", on="torch Tensor", takes_out=False)
def bincount(input, weights=None, minlength=0):
    if input.dtype in FLOATS or input.dtype == np.bool_:
        no_kernel("bincount_cpu", input)
    check(integer(minlength, "minlength", "bincount") >= 0, "minlength should be >= 0")
    needs_data("bincount()", input)
    check(input.ndim == 1, _ONLY_COUNTS)
    if weights is None or not input.size:
        return None, dtypes.INT64_NUMPY
    check(weights.shape == input.shape, "weights should be 1-d and have the same length as input")
    return None, np.dtype(np.float32) if weights.dtype == np.float32 else np.dtype(np.float64)


@bincount.cpu
def bincount_cpu(input, weights=None, minlength=0):
    _, dtype = bincount.infer(input, weights, minlength)
    places = np.ascontiguousarray(input, np.int64)
    if places.size:
        low, high = kernels().extent(places)
        check_counted(low, high)
        minlength = max(minlength, high + 1)
    try:
        counts = np.zeros(minlength, np.int64 if dtype == np.int64 else np.float64)
    except (MemoryError, ValueError):
        raise too_large((minlength,), dtype) from None
    if dtype == np.int64:
        kernels().count(places, counts)
    else:
        kernels().add_rows(counts[None, :, None], places, np.ascontiguousarray(weights, np.float64)[None, :, None])
    return counts.astype(dtype, copy=False)


def _finite_range(name: str, x: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """The range of the bins: that of the elements where none is given, widened if empty."""
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RuntimeError(f"{name}: range of [{low:g}, {high:g}] is not finite")
    if low == high:
        low, high = (low - 1, high + 1) if name == "torch.histc" else (low - 0.5, high + 0.5)
    if not low < high:
        raise RuntimeError(f"{name}: max must be larger than min")
    return low, high


@structured(tensors="input", halves="own")
def histc_bins(input, bins, min, max):
    if input.dtype not in FLOATS:
        no_kernel("histogram_cpu", input)
    if not bins > 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    return (bins,), input.dtype


@histc_bins.cpu
def histc_cpu(input, bins, min, max):
    """Every step is rounded to the input's dtype: it decides on which side of an edge an element falls."""
    histc_bins.infer(input, bins, min, max)

    def in_dtype(a: Any) -> Any:
        return widened(rounded(a, input.dtype)) if input.dtype in dtypes.HALVES else a.astype(input.dtype, copy=False)

    x = widened(input).reshape(-1)
    low, high = _finite_range("torch.histc", x, float(min), float(max))
    low, high, count = (in_dtype(np.float64([number])) for number in (low, high, bins))
    x = x[(x >= low) & (x <= high)]
    scaled = in_dtype(in_dtype(x - low) * count)
    place = np.minimum(in_dtype(scaled / in_dtype(high - low)).astype(np.int64), bins - 1)
    counts = np.zeros(bins, np.int64)
    kernels().count(place, counts)
    return counts.astype(x.dtype)


@public("torch Tensor")
def histc(input: Tensor, bins: int = 100, min: Any = 0, max: Any = 0, *, out: Any = None) -> Tensor:
    """How many elements fall into each of `bins` equal bins from min to max (of the elements, if both are equal).

    >>> import minitorch as torch
    >>> torch.histc(torch.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    min, max = number_argument("histc", "min", 3, min), number_argument("histc", "max", 4, max)
    return into(out, "histc", op("histc_bins")(input, bins, min, max))


@structured(tensors="input edges weight?")
def histogram_counts(input, edges, weight, density):
    if input.dtype not in FLOATS:
        no_kernel("histogramdd", input)
    return (edges.shape[0] - 1,), input.dtype


@histogram_counts.cpu
def histogram_counts_cpu(input, edges, weight, density):
    """Elements, or their weights, between neighbouring edges; the last edge belongs to its bin."""
    x = input.reshape(-1)
    inside = (x >= edges[0]) & (x <= edges[-1])
    place = np.minimum(np.searchsorted(edges, x[inside], side="right") - 1, edges.size - 2)
    weights = None if weight is None else weight.reshape(-1)[inside]
    counts = np.bincount(place, weights, edges.size - 1).astype(np.float64)
    if density:
        with np.errstate(all="ignore"):
            counts = counts / counts.sum() / np.diff(edges)
    return counts.astype(input.dtype)


@structured(tensors="input")
def histogram_edges(input, bins, low, high):
    return (bins + 1,), input.dtype


@histogram_edges.cpu
def histogram_edges_cpu(input, bins, low, high):
    if low is None:
        low, high = (0.0, 1.0) if not input.size else _finite_range("torch.histogramdd", input, 0.0, 0.0)
    elif low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1).astype(input.dtype)


@public("torch Tensor")
def histogram(
    input: Tensor,
    bins: Any = 100,
    *,
    range: Any = None,
    weight: Any = None,
    density: bool = False,
    out: Any = None,
) -> Any:
    """(hist, bin_edges): elements, or their weights, per bin; `bins` is their number or a tensor of edges.

    >>> import minitorch as torch
    >>> torch.histogram(torch.tensor([1.0, 2.0, 1.0]), bins=2, range=(0.0, 2.0)).hist
    tensor([0., 3.])
    """
    if not input.is_floating_point() and not isinstance(bins, Tensor):
        no_kernel("histogramdd", input.array)
    if weight is not None:
        if weight.shape != input.shape:
            raise RuntimeError(
                "torch.histogramdd: if weight tensor is provided it should have the same shape as the input tensor "
                f"excluding its innermost dimension, but got input with shape [{input.array.size}, 1] and weight with "
                f"shape {list(weight.shape)}"
            )
        if weight.dtype is not input.dtype:
            raise RuntimeError(
                "torch.histogramdd: if weight tensor is provided, input tensor and weight tensor should have the same "
                f"dtype, but got input({c_word(input.dtype)}), and weight({c_word(weight.dtype)})"
            )
    if isinstance(bins, Tensor):
        check(range is None, "histogram() does not take a range beside a tensor of bins", TypeError)
        check_edges(input, bins, 0)
        edges = FUNCTIONS["clone"](bins)
    else:
        bins, (low, high) = integer(bins, "bins", "histogram"), _given_range(range)
        if not bins > 0:
            raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
        edges = op("histogram_edges")(input, bins, low, high)
    hist = op("histogram_counts")(input, edges, weight, bool(density))
    return into(out, "histogram", histogram_result(hist, edges))


histogram_result = return_type("histogram", "hist bin_edges")


def _given_range(given: Any) -> tuple[Any, Any]:
    if given is None:
        return None, None
    if len(given) != 2:
        raise RuntimeError(
            f"torch.histogramdd: for a 1-dimensional histogram range should have 2 elements, but got {len(given)}"
        )
    low, high = given
    if not low <= high:
        raise RuntimeError(
            f"torch.histogramdd: min should not exceed max, but got min {low:g} max {high:g} for dimension 0"
        )
    return low, high
