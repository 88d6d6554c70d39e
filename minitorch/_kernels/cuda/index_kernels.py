"""Kernels that read and write at positions: `index.py` says which of them runs.

Where several elements go to one place a thread combines them in their order, and of those that overwrite each other the
last one stays, so results repeat: there are no atomics on floats. An index outside its dimension reads as 0 and writes
nothing: a kernel cannot raise.
"""

from functools import cache

import numpy as np

from .block import BLOCK
from .device import (  # type: ignore[attr-defined]
    WORDS,
    atomic_max,
    blockIdx,
    i4,
    i8,
    maximum,
    minimum,
    shared_array,
    syncthreads,
    threadIdx,
    where,
)
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel


@cache
def gather_kernel(code: str) -> Kernel:
    """kernel(x, index, out, count, taken, inner, n, x's outer and inner sizes)

    out[o, i, k] = x[o, index[o, i, k], k]; x may be larger than out in the dimensions beside the indexed one.
    """

    @kernel(f"{code}* i8* {code}* i4 i4 i4 i4", block=BLOCK, name=f"gather_{code}")
    def gather_elements(x, index, out, count, taken, inner, n):
        i = blockIdx.x * BLOCK + threadIdx.x
        if i < count:
            row = i // inner
            at = index[i]
            if at >= 0 and at < n:
                out[i] = x[(i8(row // taken) * n + at) * inner + (i - row * inner)]
            else:
                out[i] = 0

    return gather_elements


@cache
def select_kernel(code: str) -> Kernel:
    """kernel(x, index, out, count, taken, inner, n): out[o, i, k] = x[o, index[i], k]; 0 beyond the n rows of x."""

    @kernel(f"{code}* i8* {code}* i8 i4 i4 i4", block=BLOCK, name=f"index_select_{code}")
    def select(x, index, out, count, taken, inner, n):
        i = i8(blockIdx.x) * BLOCK + threadIdx.x
        if i < count:
            row = i // inner
            o = row // taken
            at = index[row - o * taken]
            if at >= 0 and at < n:
                out[i] = x[(o * n + at) * inner + (i - row * inner)]
            else:
                out[i] = 0

    return select


def _set(a, x):
    return x


def _add(a, x):
    return a + x


def _multiply(a, x):
    return a * x


def _largest(a, x):
    return maximum(a, x)


def _smallest(a, x):
    return minimum(a, x)


# what becomes of an element a at which x arrives
COMBINE = {"set": _set, "add": _add, "multiply": _multiply, "amax": _largest, "amin": _smallest}


@cache
def scatter_kernel(dtype: np.dtype, how: str) -> Kernel:
    """kernel(source, index, dest, columns, taken, inner, n): source[o, i, k] into dest[o, index[o, i, k], k].

    A thread takes a column (o, k), its elements in their order.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    combine = COMBINE[how]

    @kernel(f"{code}* i8* {code}* i4 i4 i4 i4", block=BLOCK, name=f"scatter_{how}")
    def scatter(source, index, dest, columns, taken, inner, n):
        column = blockIdx.x * BLOCK + threadIdx.x
        if column < columns:
            o = column // inner
            k = column - o * inner
            for i in range(taken):
                at = (i8(o) * taken + i) * inner + k
                row = index[at]
                if row >= 0 and row < n:
                    place = (o * n + row) * inner + k
                    if how == "set":
                        dest[place] = source[at]
                    else:
                        dest[place] = write(combine(read(dest[place]), read(source[at])))

    return scatter


@cache
def places_kernel() -> Kernel:
    """kernel(index, flat, count, taken, inner, n): where dest[o, index[o, i, k], k] lies in memory; -1 for nowhere."""

    @kernel("i8* i8* i4 i4 i4 i4", block=BLOCK)
    def flat_places(index, flat, count, taken, inner, n):
        at = blockIdx.x * BLOCK + threadIdx.x
        if at < count:
            row = at // inner
            to = index[at]
            if to >= 0 and to < n:
                flat[at] = (i8(row // taken) * n + to) * inner + (at - row * inner)
            else:
                flat[at] = -1

    return flat_places


@cache
def last_kernel() -> Kernel:
    """kernel(index, last, taken, n): the last position of each index; `last` holds -1 everywhere before."""

    @kernel("i8* i4* i4 i4", block=BLOCK)
    def last_positions(index, last, taken, n):
        i = blockIdx.x * BLOCK + threadIdx.x
        if i < taken:
            to = index[i]
            if to >= 0 and to < n:
                atomic_max(last, to, i)

    return last_positions


@cache
def set_rows_kernel(code: str) -> Kernel:
    """kernel(source, index, last, dest, count, taken, inner, n): dest[o, index[i], k] = source[o, i, k].

    Of several positions of an index the last one writes.
    """

    @kernel(f"{code}* i8* i4* {code}* i8 i4 i4 i4", block=BLOCK, name=f"set_rows_{code}")
    def set_rows(source, index, last, dest, count, taken, inner, n):
        at = i8(blockIdx.x) * BLOCK + threadIdx.x
        if at < count:
            row = at // inner
            o = row // taken
            i = i4(row - o * taken)
            to = index[i]
            if to >= 0 and to < n:
                if last[to] == i:
                    dest[(o * n + to) * inner + (at - row * inner)] = source[at]

    return set_rows


@cache
def chain_kernel() -> Kernel:
    """kernel(index, following, taken): for each position the next one of the same index, negative if it is no first.

    following[i] = the next position with the index of i, or `taken` if there is none; -1 - that for all but the first
    position of an index.
    """

    @kernel("i8* i4* i4", block=BLOCK)
    def chain_positions(index, following, taken):
        tile = shared_array(BLOCK, i8)
        i = blockIdx.x * BLOCK + threadIdx.x
        mine = i8(-1)
        if i < taken:
            mine = index[i]
        before = 0
        after = taken
        for start in range(0, taken, BLOCK):
            syncthreads()
            if start + threadIdx.x < taken:
                tile[threadIdx.x] = index[start + threadIdx.x]
            syncthreads()
            for k in range(min(BLOCK, taken - start)):
                if tile[k] == mine:
                    j = start + k
                    before = where(j < i, 1, before)
                    after = where((j > i) & (j < after), j, after)
        if i < taken:
            following[i] = where(before == 1, -1 - after, after)

    return chain_positions


@cache
def sorted_chain_kernel() -> Kernel:
    """kernel(ordered, positions, following, taken): what `chain_kernel` finds, from the sorted index."""

    @kernel("i8* i8* i4* i4", block=BLOCK)
    def chain_sorted(ordered, positions, following, taken):
        j = blockIdx.x * BLOCK + threadIdx.x
        if j < taken:
            mine = ordered[j]
            after = taken
            if j + 1 < taken:
                if ordered[j + 1] == mine:
                    after = i4(positions[j + 1])
            is_first = 1
            if j > 0:
                if ordered[j - 1] == mine:
                    is_first = 0
            following[positions[j]] = where(is_first == 1, after, -1 - after)

    return chain_sorted


@cache
def combine_rows_kernel(dtype: np.dtype, how: str) -> Kernel:
    """kernel(source, index, following, dest, count, taken, inner, n): source[o, i, k] into dest[o, index[i], k].

    The first position of each index combines those that follow it (see `chain_kernel`), in their order.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number, combine = WORDS[kind], COMBINE[how]

    @kernel(f"{code}* i8* i4* {code}* i8 i4 i4 i4", block=BLOCK, name=f"{how}_rows")
    def combine_rows(source, index, following, dest, count, taken, inner, n):
        at = i8(blockIdx.x) * BLOCK + threadIdx.x
        if at < count:
            row = at // inner
            o = row // taken
            i = i4(row - o * taken)
            to = index[i]
            after = following[i]
            if after >= 0 and to >= 0 and to < n:
                k = at - row * inner
                total = number(read(source[at]))
                while after < taken:
                    total = combine(total, read(source[(o * taken + after) * inner + k]))
                    after = following[after]
                    if after < 0:
                        after = -1 - after
                place = (o * n + to) * inner + k
                dest[place] = write(combine(read(dest[place]), total))

    return combine_rows


FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {
    "gather": lambda: gather_kernel("u4"),
    "index_select": lambda: select_kernel("u4"),
    "scatter_add": lambda: scatter_kernel(FLOAT, "add"),
    "flat_places": places_kernel,
    "last_positions": last_kernel,
    "set_rows": lambda: set_rows_kernel("u4"),
    "chain_positions": chain_kernel,
    "chain_sorted": sorted_chain_kernel,
    "add_rows": lambda: combine_rows_kernel(FLOAT, "add"),
    "amax_rows": lambda: combine_rows_kernel(FLOAT, "amax"),
}
