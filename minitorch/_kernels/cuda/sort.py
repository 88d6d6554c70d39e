"""Sorting rows, stable, a nan larger than every number, as in torch; and elements by their rank.

A block sorts up to 2048 elements by a bitonic network in shared memory (Batcher, 1968). Longer rows are sorted in such
pieces, which are then merged in pairs: an element's place is its own in its piece and the number of elements of the
other piece before it, found by bisection, so a merge needs no communication between threads.
"""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from . import copy
from .array import CudaArray, empty
from .block import BLOCK, between
from .device import WORDS, blockIdx, i4, i8, shared_array, syncthreads, threadIdx, where
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel

PIECE = 2048
INT64 = np.dtype(np.int64)


def before_ascending(a, b):
    """Whether a comes before b, a nan after all else."""
    return (a < b) | ((b != b) & (a == a))


def before_descending(a, b):
    """Whether a comes before b, a nan before all else."""
    return (b < a) | ((a != a) & (b == b))


@cache
def sort_kernel(dtype: np.dtype, size: int, descending: bool) -> Kernel:
    """kernel(x, values, positions, n, kept, pieces): pieces of each row of n, sorted, and where they were in the row.

    Of each row `kept` elements are written. `size` is the power of two from the longest piece on; places beyond the
    piece stand behind all others.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, _ = element_functions(dtype, kind)
    number, steps = WORDS[kind], size.bit_length() - 1
    before = before_descending if descending else before_ascending

    @kernel(f"{code}* {code}* i8* i4 i4 i4", block=BLOCK, name="sort_descending" if descending else "sort_ascending")
    def sort_rows(x, values, positions, n, kept, pieces):
        keys = shared_array(size, number)
        order = shared_array(size, i4)
        row = blockIdx.x // pieces
        start = (blockIdx.x - row * pieces) * size
        length = min(size, n - start)
        base = i8(row) * n + start
        for i in range(threadIdx.x, size, BLOCK):
            order[i] = i
            if i < length:
                keys[i] = read(x[base + i])
            else:
                keys[i] = 0
        syncthreads()
        for step in range(1, steps + 1):
            for back in range(step):
                shift = step - 1 - back
                for pair in range(threadIdx.x, size // 2, BLOCK):
                    i = ((pair >> shift) << (shift + 1)) + (pair & ((1 << shift) - 1))
                    j = i + (1 << shift)
                    a = keys[i]
                    b = keys[j]
                    p = order[i]
                    q = order[j]
                    first = before(a, b)
                    in_order = first | ((first == before(b, a)) & (p < q))
                    if p >= length or q >= length:
                        in_order = p < q
                    if in_order != ((i >> step) & 1 == 0):
                        keys[i] = b
                        keys[j] = a
                        order[i] = q
                        order[j] = p
                syncthreads()
        to = i8(row) * kept + start
        for i in range(threadIdx.x, min(length, kept - start), BLOCK):
            values[to + i] = x[base + order[i]]
            positions[to + i] = start + order[i]

    return sort_rows


@cache
def merge_kernel(dtype: np.dtype, descending: bool) -> Kernel:
    """kernel(values, positions, merged values and positions, count, n, width): pairs of sorted pieces of rows merged.

    Rows have n elements, pieces `width`; the last piece of a row may be shorter, or have no partner.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, _ = element_functions(dtype, kind)
    before = before_descending if descending else before_ascending

    @kernel(f"{code}* i8* {code}* i8* i8 i4 i4", block=BLOCK, name="merge_descending" if descending else "merge")
    def merge_pieces(values, positions, merged, order, count, n, width):
        at = i8(blockIdx.x) * BLOCK + threadIdx.x
        if at < count:
            row = at // n
            i = i4(at - row * n)
            base = row * n
            own = i // width
            is_second = own % 2
            other = min(n, (own + 1 - 2 * is_second) * width)
            x = read(values[at])
            low = other
            high = other + min(width, n - other)
            while low < high:
                middle = between(low, high)
                y = read(values[base + middle])
                # of equal elements those of the first piece come first
                if where(is_second == 1, before(x, y), not before(y, x)):
                    high = middle
                else:
                    low = middle + 1
            to = base + (own - is_second) * width + (i - own * width) + (low - other)
            merged[to] = values[at]
            order[to] = positions[at]

    return merge_pieces


def sorted_rows(x: CudaArray, kept: int, descending: bool) -> tuple[CudaArray, CudaArray]:
    """The first `kept` of each row of a contiguous (rows, n) in order, and where they were."""
    rows, n = x.shape
    pieces = -(-n // PIECE)
    size = PIECE if pieces > 1 else max(2, 1 << (n - 1).bit_length())
    width = kept if pieces == 1 else n
    found = [empty((rows, width), d) for d in (x.dtype, INT64)]
    if not found[0].size:
        return found[0], found[1]
    sort_kernel(x.dtype, size, descending).launch(rows * pieces, x, *found, n, width, pieces)
    step = PIECE
    while step < n:
        merged = [empty(a.shape, a.dtype) for a in found]
        merge_kernel(x.dtype, descending).launch(-(-x.size // BLOCK), *found, *merged, x.size, n, step)
        found, step = merged, 2 * step
    return found[0][:, :kept], found[1][:, :kept]


def _rows(input: CudaArray, dim: int) -> CudaArray:
    """The array with dim last, as contiguous (rows, n)."""
    if not input.ndim:
        return copy.reshaped(input, 1, 1)
    dim %= input.ndim
    order = [*[d for d in range(input.ndim) if d != dim], dim]
    n = input.shape[dim]
    return copy.reshaped(input.transpose(order), input.size // n if n else 0, n)


def _back(rows: CudaArray, shape: tuple[int, ...], dim: int) -> CudaArray:
    """What was computed of `_rows`, in an array of this shape."""
    if not shape:
        return copy.reshaped(rows)
    dim %= len(shape)
    moved = [n for d, n in enumerate(shape) if d != dim]
    order = [*range(dim), len(shape) - 1, *range(dim, len(shape) - 1)]
    return copy.reshaped(rows, *moved, shape[dim]).transpose(order)


def _sorted(inferred: Any, input: CudaArray, dim: int, descending: bool) -> tuple[CudaArray, CudaArray]:
    (shape, dtype), (_, place) = inferred
    if not prod(shape):
        return empty(shape, dtype), empty(shape, place)
    found = sorted_rows(_rows(input, dim), shape[dim] if shape else 1, descending)
    values, places = (_back(a, shape, dim) for a in found)
    return values, places


def sort_dim(inferred: Any, input: CudaArray, dim: int, descending: bool, stable: Any) -> tuple[CudaArray, CudaArray]:
    return _sorted(inferred, input, dim, descending)


def topk_dim(
    inferred: Any, input: CudaArray, k: int, dim: int, largest: bool, sorted: bool
) -> tuple[CudaArray, CudaArray]:
    return _sorted(inferred, input, dim, largest)


# ---------------------------------------------------------------------- elements by rank
@cache
def rank_kernel(dtype: np.dtype, skips_nan: bool) -> Kernel:
    """kernel(values, positions, value, place, rows, n, k): element k of each sorted row, and where it was.

    A negative k is the lower median: of the numbers if nan are to be skipped, else nan where there is one.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, _ = element_functions(dtype, kind)

    @kernel(f"{code}* i8* {code}* i8* i4 i4 i4", block=BLOCK, name="element_of_rank")
    def element_of_rank(values, positions, value, place, rows, n, k):
        row = blockIdx.x * BLOCK + threadIdx.x
        if row < rows:
            base = i8(row) * n
            low = 0
            high = n
            while low < high:  # the nan lie behind all numbers
                middle = between(low, high)
                x = read(values[base + middle])
                if x == x:
                    low = middle + 1
                else:
                    high = middle
            numbers = low
            at = k
            if k < 0:
                if skips_nan:
                    at = max(numbers - 1, 0) // 2
                else:
                    at = where(numbers < n, numbers, (n - 1) // 2)
            value[row] = values[base + at]
            place[row] = positions[base + at]

    return element_of_rank


@cache
def mode_kernel(dtype: np.dtype) -> Kernel:
    """kernel(values, positions, value, place, rows, n): of each sorted row the most frequent element, and its last
    place; of several elements the smallest."""
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, _ = element_functions(dtype, kind)

    @kernel(f"{code}* i8* {code}* i8* i4 i4", block=BLOCK, name="mode")
    def most_frequent(values, positions, value, place, rows, n):
        row = blockIdx.x * BLOCK + threadIdx.x
        if row < rows:
            base = i8(row) * n
            best = 0
            longest = 0
            run = 0
            last = read(values[base])
            for i in range(n):
                x = read(values[base + i])
                run = where(x == last, run + 1, 1)
                last = x
                if run > longest:
                    longest = run
                    best = i
            value[row] = values[base + best]
            place[row] = positions[base + best]

    return most_frequent


def _chosen(inferred: Any, input: CudaArray, dim: int, made: Any, *arguments: int) -> tuple[CudaArray, CudaArray]:
    """One element of each row along dim, which a kernel chooses from the sorted rows."""
    (shape, dtype), (_, place) = inferred
    value, index = empty(shape, dtype), empty(shape, place)
    if value.size:
        x = _rows(input, dim)
        ordered = sorted_rows(x, x.shape[1], False)
        made(dtype).launch(-(-x.shape[0] // BLOCK), *ordered, value, index, *x.shape, *arguments)
    return value, index


def kthvalue_dim(inferred: Any, input: CudaArray, dim: int, keepdim: bool, arguments: Any) -> tuple[Any, Any]:
    return _chosen(inferred, input, dim, lambda dtype: rank_kernel(dtype, False), *arguments)


def median_dim(inferred: Any, input: CudaArray, dim: int, keepdim: bool, arguments: Any) -> tuple[Any, Any]:
    return _chosen(inferred, input, dim, lambda dtype: rank_kernel(dtype, *arguments), -1)


nanmedian_dim = median_dim


def mode_dim(inferred: Any, input: CudaArray, dim: int, keepdim: bool, arguments: Any) -> tuple[Any, Any]:
    return _chosen(inferred, input, dim, mode_kernel)


def median_of_all(inferred: Any, input: CudaArray, skip_nan: bool) -> CudaArray:
    shape, dtype = inferred
    if not input.size:
        floats = STORAGE[dtype].compute[0] == "f"
        return copy.full(shape, float("nan") if floats else int(np.iinfo(dtype).min), dtype)
    flat = copy.reshaped(input, input.size)
    return median_dim([((), dtype), ((), INT64)], flat, 0, False, (skip_nan,))[0]


FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {
    "sort": lambda: sort_kernel(FLOAT, 1024, False),
    "merge": lambda: merge_kernel(FLOAT, False),
    "median": lambda: rank_kernel(FLOAT, True),
    "mode": lambda: mode_kernel(FLOAT),
}
