"""Reading and writing at positions given by an index tensor.

Where several elements go to one place a thread adds them up in their order, so sums repeat: there are no atomics on
floats. An index outside its dimension reads as nan or 0 and writes nothing: a kernel cannot raise.
"""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from minitorch._kernels.codegen import Formula

from . import copy, pointwise
from .array import CudaArray, empty
from .block import BLOCK
from .device import WORDS, blockIdx, i4, i8, shared_array, syncthreads, threadIdx, where  # type: ignore[attr-defined]
from .formulas import STORAGE, element_functions
from .kernel import Kernel, kernel

INT64 = np.dtype(np.int64)


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


@cache
def scatter_kernel(dtype: np.dtype, adds: bool) -> Kernel:
    """kernel(source, index, dest, columns, taken, inner, n): dest[o, index[o, i, k], k] = or += source[o, i, k].

    A thread takes a column (o, k), its elements in their order.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)

    @kernel(f"{code}* i8* {code}* i4 i4 i4 i4", block=BLOCK, name="scatter_add" if adds else "scatter")
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
                    if adds:
                        dest[place] = write(read(dest[place]) + read(source[at]))
                    else:
                        dest[place] = source[at]

    return scatter


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
def add_rows_kernel(dtype: np.dtype) -> Kernel:
    """kernel(source, index, following, dest, count, taken, inner, n): dest[o, index[i], k] += source[o, i, k].

    The first position of each index adds up those that follow it (see `chain_kernel`), in their order.
    """
    code, kind = STORAGE[dtype].code, STORAGE[dtype].compute
    read, write = element_functions(dtype, kind)
    number = WORDS[kind]

    @kernel(f"{code}* i8* i4* {code}* i8 i4 i4 i4", block=BLOCK)
    def add_rows(source, index, following, dest, count, taken, inner, n):
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
                    total += read(source[(o * taken + after) * inner + k])
                    after = following[after]
                    if after < 0:
                        after = -1 - after
                place = (o * n + to) * inner + k
                dest[place] = write(read(dest[place]) + total)

    return add_rows


# ---------------------------------------------------------------------- gather and scatter
def _parts(shape: tuple[int, ...], dim: int) -> tuple[int, int, int]:
    if not shape:
        return 1, 1, 1
    dim %= len(shape)
    return prod(shape[:dim]), shape[dim], prod(shape[dim + 1 :])


def _corner(a: CudaArray, shape: tuple[int, ...], dim: int) -> CudaArray:
    """The part of a that an index of this shape reaches: its sizes, but all of dim; contiguous."""
    if not a.ndim:
        return a
    part = a[tuple([slice(None) if i == dim % a.ndim else slice(n) for i, n in enumerate(shape)])]
    return copy.contiguous(part)


def gather(inferred: Any, input: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    shape, dtype = inferred
    out = empty(shape, dtype)
    if out.size:
        x = _corner(input, shape, dim)
        (_, n, _), (_, taken, inner) = _parts(x.shape, dim), _parts(shape, dim)
        made = gather_kernel(f"u{dtype.itemsize}")
        made.launch(-(-out.size // BLOCK), x, copy.contiguous(index, INT64), out, out.size, taken, inner, n)
    return out


def _scatter(dest: CudaArray, source: Any, index: CudaArray, dim: int, adds: bool) -> CudaArray:
    """Write or add the source to a contiguous dest of the sizes that the index reaches, in place."""
    outer, taken, inner = _parts(index.shape, dim)
    made = scatter_kernel(dest.dtype, adds)
    columns, n = outer * inner, _parts(dest.shape, dim)[1]
    source, index = copy.contiguous(source, dest.dtype), copy.contiguous(index, INT64)
    made.launch(-(-columns // BLOCK), source, index, dest, columns, taken, inner, n)
    return dest


def gather_backward(inferred: Any, g: CudaArray, index: CudaArray, input_shape: Any, dim: int) -> CudaArray:
    shape, dtype = inferred
    made = copy.full(shape, 0, dtype)
    return _into(made, g, index, dim, True)


def _into(input: CudaArray, source: Any, index: CudaArray, dim: int, adds: bool) -> CudaArray:
    """`_scatter` into any array, by way of a contiguous part where it is not one."""
    if not index.size:
        return input
    if input.ndim:
        source = source[tuple([slice(n) for n in index.shape])]
        place = tuple([slice(None) if i == dim % input.ndim else slice(n) for i, n in enumerate(index.shape)])
        part = input[place]
    else:
        part = input
    dense = copy.contiguous(part)
    _scatter(dense, source, index, dim, adds)
    if dense is not part:
        copy.write(part, dense)
    return input


def scatter_into(inferred: Any, input: CudaArray, src: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    return _into(input, src, index, dim, False)


def scatter_add_into(inferred: Any, input: CudaArray, src: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    return _into(input, src, index, dim, True)


def scatter_cleared(inferred: Any, g: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    made = copy.copied(g)
    return _into(made, copy.full(index.shape, 0, g.dtype), index, dim, False)


def scatter_one(inferred: Any, g: CudaArray, indices: CudaArray, shape: Any, dim: int, keepdim: bool) -> CudaArray:
    """Zeros of `shape` with g at the indices along dim."""
    shape, dtype = inferred
    if not shape:
        return copy.copied(g)
    if not keepdim:
        kept = tuple([1 if i == dim % len(shape) else n for i, n in enumerate(shape)])
        g, indices = copy.reshaped(g, *kept), copy.reshaped(indices, *kept)
    return _into(copy.full(shape, 0, dtype), g, indices, dim, False)


def take_one(inferred: Any, input: CudaArray, indices: CudaArray, dim: int, keepdim: bool) -> CudaArray:
    shape, dtype = inferred
    if not input.ndim:
        return copy.copied(input)
    kept = tuple([1 if i == dim % input.ndim else n for i, n in enumerate(input.shape)])
    return copy.reshaped(gather((kept, dtype), input, copy.reshaped(indices, *kept), dim), *shape)


def pick_in_planes(inferred: Any, input: CudaArray, indices: CudaArray) -> CudaArray:
    """input (N, C, ...) at indices into its planes (or lines, or volumes)."""
    shape, dtype = inferred
    planes = prod(shape[:2])
    flat = (planes, prod(shape[2:]))
    at = copy.reshaped(indices, *flat)
    return copy.reshaped(gather((flat, dtype), copy.reshaped(input, planes, prod(input.shape[2:])), at, 1), *shape)


# ---------------------------------------------------------------------- rows
def index_select(inferred: Any, input: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    shape, dtype = inferred
    if not input.ndim:
        return copy.copied(input)
    out = empty(shape, dtype)
    if out.size:
        x = copy.contiguous(input)
        _, n, inner = _parts(x.shape, dim)
        made = select_kernel(f"u{dtype.itemsize}")
        made.launch(-(-out.size // BLOCK), x, copy.contiguous(index, INT64), out, out.size, index.size, inner, n)
    return out


def rows_added(dest: CudaArray, source: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    """dest[..., index[i], ...] += source[..., i, ...] along dim, in place, each row's terms in their order."""
    if not source.size:
        return dest
    dense, index = copy.contiguous(dest), copy.contiguous(index, INT64)
    source = copy.contiguous(source, dest.dtype)
    (outer, n, inner), taken = _parts(dense.shape, dim), index.size
    following = empty((taken,), np.dtype(np.int32))
    chain_kernel().launch(-(-taken // BLOCK), index, following, taken)
    count = outer * taken * inner
    made = add_rows_kernel(dense.dtype)
    made.launch(-(-count // BLOCK), source, index, following, dense, count, taken, inner, n)
    if dense is not dest:
        copy.write(dest, dense)
    return dest


def index_select_backward(inferred: Any, g: CudaArray, index: CudaArray, input_shape: Any, dim: int) -> CudaArray:
    shape, dtype = inferred
    return rows_added(copy.full(shape, 0, dtype), g, index, dim)


def index_add_into(inferred: Any, input: CudaArray, source: CudaArray, index: CudaArray, dim: int) -> CudaArray:
    return rows_added(input, source, index, dim)


# ---------------------------------------------------------------------- several index tensors
def _wrapped(i, *, n):
    return where(i < 0, i + n, i)


def _combined(flat, i, *, n):
    return flat * n + where(i < 0, i + n, i)


WRAPPED, COMBINED = Formula(_wrapped), Formula(_combined)


def _flat_index(arrays: list[Any], shape: tuple[int, ...]) -> tuple[CudaArray, tuple[int, int, int]]:
    """The rows of (before, indexed, after) that index tensors of neighbouring dimensions name, and these sizes."""
    named = [d for d, a in enumerate(arrays) if a is not None]
    if any(arrays[d].dtype.kind not in "iu" for d in named) or named != list(range(named[0], named[-1] + 1)):
        raise NotImplementedError(
            "indexing with masks, and with tensors whose dimensions are no neighbours, is not implemented for device "
            "'cuda' by minitorch: compute it on the CPU, x.cpu(), and move the result back"
        )
    flat = pointwise.compute(WRAPPED, [arrays[named[0]]], (shape[named[0]],), arrays[named[0]].shape, INT64)
    for d in named[1:]:
        both = np.broadcast_shapes(flat.shape, arrays[d].shape)
        flat = pointwise.compute(COMBINED, [flat, arrays[d]], (shape[d],), both, INT64)
    sizes = prod(shape[: named[0]]), prod(shape[named[0] : named[-1] + 1]), prod(shape[named[-1] + 1 :])
    return copy.reshaped(flat, flat.size), sizes


def index(inferred: Any, input: CudaArray, at: Any) -> CudaArray:
    shape, dtype = inferred
    flat, sizes = _flat_index(at.arrays(), input.shape)
    made = (sizes[0], flat.size, sizes[2]), dtype
    return copy.reshaped(index_select(made, copy.reshaped(input, *sizes), flat, 1), *shape)


def index_backward(inferred: Any, g: CudaArray, input_shape: Any, at: Any) -> CudaArray:
    shape, dtype = inferred
    flat, sizes = _flat_index(at.arrays(), shape)
    made = copy.full(sizes, 0, dtype)
    rows_added(made, copy.reshaped(g, sizes[0], flat.size, sizes[2]), flat, 1)
    return copy.reshaped(made, *shape)


FLOAT = np.dtype(np.float32)
REPRESENTATIVE = {
    "gather": lambda: gather_kernel("u4"),
    "index_select": lambda: select_kernel("u4"),
    "scatter_add": lambda: scatter_kernel(FLOAT, True),
    "chain_positions": chain_kernel,
    "add_rows": lambda: add_rows_kernel(FLOAT),
}
