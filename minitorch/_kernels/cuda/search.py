"""Searching sorted rows, and what sorting makes easy: unique elements, membership, counts."""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from minitorch._kernels.codegen import Formula
from minitorch._kernels.scalar import floor, minimum, where

from . import copy, pointwise, reduce, scan
from .array import CudaArray, empty, from_host
from .block import BLOCK, between
from .device import WORDS, atomic_add, blockIdx, i8, threadIdx
from .formulas import STORAGE, compute_type, element_functions
from .index import INT64, gather, index_select, rows_added, rows_set
from .kernel import Kernel, kernel
from .selecting import flat_nonzero
from .sort import sorted_rows


@cache
def search_kernel(dtype: np.dtype, wanted: np.dtype, right: bool) -> Kernel:
    """kernel(rows, values, out, count, n, m, rows): where each of m values goes in its sorted row of n; one row serves
    all values where there is but one."""
    code, kind = STORAGE[dtype].code, compute_type(dtype, wanted)
    read, number = element_functions(dtype, STORAGE[dtype].compute)[0], WORDS[kind]
    read_wanted = element_functions(wanted, STORAGE[wanted].compute)[0]

    @kernel(f"{code}* {STORAGE[wanted].code}* i8* i8 i4 i4 i4", block=BLOCK, name="search_sorted")
    def insertion_points(sequence, values, out, count, n, m, rows):
        at = i8(blockIdx.x) * BLOCK + threadIdx.x
        if at < count:
            base = i8(0)
            if rows > 1:
                base = at // m * n
            x = number(read_wanted(values[at]))
            low = 0
            high = n
            while low < high:
                middle = between(low, high)
                y = number(read(sequence[base + middle]))
                if right:
                    is_before = (y <= x) | (x != x)
                else:
                    is_before = (y < x) | ((x != x) & (y == y))
                if is_before:
                    low = middle + 1
                else:
                    high = middle
            out[at] = low

    return insertion_points


@cache
def count_kernel() -> Kernel:
    """kernel(places, counts, n, bins): how often each bin is named; sums of integers are the same in any order."""

    @kernel("i8* i8* i8 i8", block=BLOCK)
    def count_places(places, counts, n, bins):
        i = i8(blockIdx.x) * BLOCK + threadIdx.x
        if i < n:
            to = places[i]
            if to >= 0 and to < bins:
                atomic_add(counts, to, i8(1))

    return count_places


# ---------------------------------------------------------------------- searchsorted, isin
def search_sorted(
    inferred: Any, sequence: CudaArray, values: CudaArray, sorter: Any, right: bool, out_int32: bool
) -> CudaArray:
    shape, dtype = inferred
    if not sequence.size or not prod(shape):
        return copy.full(shape, 0, dtype)
    if sorter is not None:
        sequence = gather((sequence.shape, sequence.dtype), sequence, sorter, sequence.ndim - 1)
    n, found = sequence.shape[-1], empty(shape, INT64)
    rows, values = copy.contiguous(sequence), copy.contiguous(values)
    made = search_kernel(rows.dtype, values.dtype, bool(right))
    each = rows.size // n
    made.launch(-(-found.size // BLOCK), rows, values, found, found.size, n, max(found.size // each, 1), each)
    return found if dtype == INT64 else copy.converted(found, dtype)


def _equal(x, y):
    return x == y


EQUAL = Formula(_equal)


def is_among(inferred: Any, elements: CudaArray, test: CudaArray, assume_unique: bool, invert: bool) -> CudaArray:
    """Each element's neighbour in the sorted test elements is it, or none is."""
    shape, dtype = inferred
    if not test.size or not elements.size:
        return copy.full(shape, int(invert), dtype)
    ordered = sorted_rows(copy.reshaped(test, 1, test.size), test.size, False)[0]
    flat = copy.reshaped(elements, elements.size)
    at = search_sorted((flat.shape, INT64), copy.reshaped(ordered, test.size), flat, None, False, False)
    near = index_select((flat.shape, test.dtype), copy.reshaped(ordered, test.size), at, 0)
    return copy.reshaped(pointwise.compute(DIFFERENT if invert else EQUAL, [flat, near], (), flat.shape, dtype), *shape)


# ---------------------------------------------------------------------- unique
def _differs(x, y):
    return x != y


DIFFERENT = Formula(_differs)


def _differences(rows: CudaArray) -> CudaArray:
    """Which rows differ from the one before; the first does."""
    begins = copy.full((rows.shape[0],), 1, np.dtype(np.bool_))
    if rows.shape[0] > 1:
        each = pointwise.compute(DIFFERENT, [rows[1:], rows[:-1]], (), rows[1:].shape, begins.dtype)
        copy.write(begins[1:], reduce.any(((each.shape[0],), begins.dtype), each, 1, False))
    return begins


def _ordered(rows: CudaArray) -> CudaArray:
    """The order of rows, by their columns: sorted stably by the last, ..., by the first one."""
    count = rows.shape[0]
    order: Any = None
    for k in reversed(range(rows.shape[1])):
        column = rows[:, k]
        if order is not None:
            column = index_select(((count,), rows.dtype), column, order, 0)
        found = copy.reshaped(sorted_rows(copy.reshaped(column, 1, count), count, False)[1], count)
        order = found if order is None else index_select(((count,), INT64), order, found, 0)
    return order


def _before_first(x):
    return x - 1


BEFORE_FIRST = Formula(_before_first)


def unique_slices(inferred: Any, input: CudaArray, dim: Any, in_order: bool, indexed: bool) -> tuple[Any, ...]:
    """The different slices along dim, or elements if it is None: of all, in order, or only of neighbours."""
    order = None if dim is None else [dim, *[d for d in range(input.ndim) if d != dim]]
    slices = copy.reshaped(input, input.size) if order is None else copy.contiguous(input.transpose(order))
    count = slices.shape[0]
    rows = copy.reshaped(slices, count, slices.size // count if count else 0)
    places = _ordered(rows) if in_order and rows.size else None
    arranged = rows if places is None else index_select((rows.shape, rows.dtype), rows, places, 0)
    begins = _differences(arranged)
    first = flat_nonzero(None, begins)
    run = scan.cumsum(((count,), INT64), copy.converted(begins, INT64), 0, None)
    run = pointwise.compute(BEFORE_FIRST, [run], (), (count,), INT64)
    inverse = run if places is None else rows_set(empty((count,), INT64), run, places, 0)
    values = index_select(((first.size, rows.shape[1]), rows.dtype), arranged, first, 0)
    values = copy.reshaped(values, first.size, *slices.shape[1:])
    if order is None:
        inverse = copy.reshaped(inverse, *input.shape)
    else:
        values = values.transpose([order.index(d) for d in range(input.ndim)])
    return values, inverse, counts_of(run, first.size)


# ---------------------------------------------------------------------- counting
def counts_of(places: CudaArray, bins: int) -> CudaArray:
    """How often each of the bins is named."""
    counts = copy.full((bins,), 0, INT64)
    if places.size:
        count_kernel().launch(-(-places.size // BLOCK), places, counts, places.size, bins)
    return counts


def bincount(inferred: Any, input: CudaArray, weights: Any, minlength: int) -> CudaArray:
    _, dtype = inferred
    places, bins = copy.contiguous(input, INT64), minlength
    if places.size:
        low, high = (f(((), INT64), places).item() for f in (reduce.amin, reduce.amax))
        if low < 0:
            raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
        bins = max(bins, high + 1)
    if weights is None:
        return counts_of(places, bins)
    return rows_added(copy.full((bins,), 0, dtype), copy.contiguous(weights, dtype), places, 0)


def _bin(x, *, low, high, bins):
    place = minimum(floor((x - low) * bins / (high - low)), bins - 1.0)
    return where((x >= low) & (x <= high), place, -1.0)


BIN = Formula(_bin)


def histc_bins(inferred: Any, input: CudaArray, bins: int, min: Any, max: Any) -> CudaArray:
    dtype = inferred[1]
    low, high, flat = float(min), float(max), copy.reshaped(input, input.size)
    if low == high and flat.size:
        low, high = (float(f(((), flat.dtype), flat).item()) for f in (reduce.amin, reduce.amax))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RuntimeError(f"torch.histc: range of [{low:g}, {high:g}] is not finite")
    if low == high:
        low, high = low - 1, high + 1
    if not low < high:
        raise RuntimeError("torch.histc: max must be larger than min")
    places = pointwise.compute(BIN, [flat], (low, high, float(bins)), flat.shape, INT64)
    return copy.converted(counts_of(places, bins), dtype)


def bag_numbers(inferred: Any, offsets: CudaArray, count: int) -> CudaArray:
    """For each of `count` positions the bag that it belongs to; offsets are where the bags begin."""
    shape, dtype = inferred
    first, last = (int(offsets[i].item()) if offsets.size else 0 for i in (0, -1))
    if first:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
            f"However, got {first}"
        )
    if last > count:
        raise RuntimeError(f"offsets[-1] can not be greater than input's length {count} but got offsets[-1] of {last}")
    everywhere = from_host(np.arange(count), offsets.device.index)
    after = search_sorted((shape, INT64), offsets, everywhere, None, True, False)
    return pointwise.compute(BEFORE_FIRST, [after], (), shape, dtype)


FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {"search": lambda: search_kernel(FLOAT, FLOAT, False), "count": count_kernel}
