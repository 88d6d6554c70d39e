"""Copies: conversions of dtype and layout, concatenation, choices; transposes go through tiles in shared memory.

What moves elements without looking at them takes halves as 16-bit integers: every bit arrives, also a nan's.
"""

from functools import cache
from math import prod
from typing import Any

import numpy as np

from minitorch._kernels.codegen import Formula
from minitorch._kernels.cpu.loops import merged
from minitorch._kernels.half import CLASSES
from minitorch._kernels.scalar import where

from . import pointwise
from .array import CudaArray, empty, empty_like
from .device import WORDS, blockIdx, i8, shared_array, static, syncthreads, threadIdx
from .kernel import Kernel, kernel

TILE, TILE_ROWS, TRIANGLE_BLOCK = 32, 8, 256
TILED = 16  # elements of both dimensions from which a transpose goes through tiles


def _identity(x):
    return x


def _choice(c, x, y):
    return where(c != 0, x, y)


def _quotient(x, *, divisor):
    return x / divisor


IDENTITY, CHOICE, QUOTIENT = Formula(_identity), Formula(_choice), Formula(_quotient)


# ---------------------------------------------------------------------- what arrays ask for
def write(dest: CudaArray, source: Any) -> None:
    """Copy into dest, broadcast and converted; a NumPy source has one element."""
    if not dest.size:
        return
    lead = dest.ndim - len(source.shape)
    if lead < 0 or any(n not in (1, m) for n, m in zip(source.shape, dest.shape[lead:], strict=True)):
        raise ValueError(f"shape {source.shape} cannot be broadcast to {dest.shape}")
    if source.dtype == dest.dtype and isinstance(source, CudaArray):
        dest, source = as_bits(dest), as_bits(source)
        if source.shape == dest.shape and source.strides != dest.strides and _transposed(source, dest):
            return
    pointwise.write(IDENTITY, [source], (), dest)


def copied(a: CudaArray, order: str = "C") -> CudaArray:
    """A copy in index order, or with "K" in the order that the elements have in memory."""
    made = empty_like(a) if order == "K" else empty(a.shape, a.dtype)
    write(made, a)
    return made


def converted(a: CudaArray, dtype: np.dtype) -> CudaArray:
    """A copy in another dtype, dimensions in the same order in memory; to integers as C converts."""
    made = empty_like(a, dtype)
    write(made, a)
    return made


def contiguous(a: CudaArray, dtype: np.dtype | None = None) -> CudaArray:
    """The array, or a copy of it, in index order and of a dtype."""
    if dtype is not None and a.dtype != dtype:
        made = empty(a.shape, dtype)
        write(made, a)
        return made
    return a if a.flags.c_contiguous else copied(a)


def reshaped(a: CudaArray, *shape: int) -> CudaArray:
    """The elements in index order in another shape, one size of which may be -1: a view where they lie so already."""
    a = contiguous(a)
    if -1 in shape:
        shape = tuple([a.size // -prod(shape) if n == -1 else n for n in shape])
    return CudaArray(shape, a.dtype, a.memory, None, a.offset)


def as_bits(a: CudaArray) -> CudaArray:
    """Halves as 16-bit integers over the same memory, anything else as it is."""
    return viewed(a, np.dtype(np.uint16)) if a.dtype in CLASSES else a


def viewed(a: CudaArray, dtype: np.dtype) -> CudaArray:
    """The same bytes as elements of another dtype of the same size."""
    return CudaArray(a.shape, dtype, a.memory, a.strides, a.offset)


def full(shape: tuple[int, ...], value: Any, dtype: np.dtype) -> CudaArray:
    """An array of one number."""
    made = empty(shape, dtype)
    fill(made, value)
    return made


def fill(dest: CudaArray, value: Any) -> None:
    """Write one number everywhere."""
    kind = np.int64 if isinstance(value, (bool, int)) and dest.dtype.kind not in "fV" else np.float64
    if dest.dtype == np.uint64 and not isinstance(value, float):
        kind = np.uint64
    if kind is np.float64 and dest.dtype != np.float64:
        kind = np.float32  # the kernel computes in it: no doubles for floats
    with np.errstate(over="ignore"):
        write(dest, np.asarray(value).astype(kind))


# ---------------------------------------------------------------------- transposes
@cache
def transpose_kernel(code: str) -> Kernel:
    """kernel(source, dest, rows, columns, source's batch and column steps, dest's batch and row steps).

    dest[b, r, c] = source[b, r, c], where the source's rows are next to each other in memory and dest's columns.
    """

    element = WORDS[code]

    @kernel(f"{code}* {code}* i4 i4 i8 i8 i8 i8", block=(TILE, TILE_ROWS), name=f"transpose_{code}")
    def transpose(source, dest, rows, columns, batch_from, column_from, batch_to, row_to):
        tile = shared_array(TILE * (TILE + 1), element)
        across = (columns + (TILE - 1)) // TILE
        down = (rows + (TILE - 1)) // TILE
        group = blockIdx.x // across
        column = (blockIdx.x - group * across) * TILE
        b = group // down
        row = (group - b * down) * TILE
        for k in static(TILE // TILE_ROWS):
            c = threadIdx.y + k * TILE_ROWS
            if row + threadIdx.x < rows and column + c < columns:
                tile[c * (TILE + 1) + threadIdx.x] = source[
                    i8(b) * batch_from + (row + threadIdx.x) + i8(column + c) * column_from
                ]
        syncthreads()
        for k in static(TILE // TILE_ROWS):
            r = threadIdx.y + k * TILE_ROWS
            if row + r < rows and column + threadIdx.x < columns:
                dest[i8(b) * batch_to + i8(row + r) * row_to + (column + threadIdx.x)] = tile[
                    threadIdx.x * (TILE + 1) + r
                ]

    return transpose


def _transposed(source: CudaArray, dest: CudaArray) -> bool:
    """Copy by tiles if the memory orders differ in the last two dimensions; whether that was so."""
    shape, (steps, to) = merged(dest.shape, [source.strides, dest.strides])
    size = dest.dtype.itemsize
    if len(shape) not in (2, 3) or steps[-2] != size or to[-1] != size or min(shape[-2:]) < TILED:
        return False
    batch = (*(1,) * (3 - len(shape)), *shape)[0]
    rows, columns = shape[-2:]
    if max(rows, columns) >= pointwise.LIMIT or -(-rows // TILE) * -(-columns // TILE) * batch >= pointwise.LIMIT:
        return False
    batch_from, batch_to = (steps[0] // size, to[0] // size) if len(shape) == 3 else (0, 0)
    grid = -(-rows // TILE) * -(-columns // TILE) * batch
    made = transpose_kernel(f"u{size}")
    made.launch(grid, source, dest, rows, columns, batch_from, steps[-1] // size, batch_to, to[-2] // size)
    return True


# ---------------------------------------------------------------------- ops
def to_copy(inferred: Any, input: CudaArray, dtype: np.dtype) -> CudaArray:
    return converted(input, inferred[1])


def clone(inferred: Any, input: CudaArray) -> CudaArray:
    return copied(input, "K")


def underivable(inferred: Any, input: CudaArray, what: str) -> CudaArray:
    return copied(input, "K")


def dense(inferred: Any, input: CudaArray) -> CudaArray:
    return copied(input)


def clone_channels_last(inferred: Any, input: CudaArray) -> CudaArray:
    order = (0, *range(2, input.ndim), 1)
    return copied(input.transpose(order)).transpose((0, input.ndim - 1, *range(1, input.ndim - 1)))


def unsafe_view(inferred: Any, input: CudaArray, shape: tuple[int, ...]) -> CudaArray:
    return reshaped(input, *inferred[0])


def copy_from(inferred: Any, input: CudaArray, src: Any) -> CudaArray:
    write(input, src)
    return input


def fill_with(inferred: Any, input: CudaArray, value: Any) -> CudaArray:
    fill(input, value)
    return input


def zero(inferred: Any, input: CudaArray) -> CudaArray:
    fill(input, 0)
    return input


def cat(inferred: Any, *given: Any) -> CudaArray:
    """The arrays one after another; the last argument is the dimension."""
    *arrays, dim = given
    made = empty(*inferred)
    before, start = (slice(None),) * dim, 0
    for a in arrays:
        end = start + a.shape[dim]
        place = (*before, slice(start, end))
        write(made[place], a)
        start = end
    return made


def choose(inferred: Any, condition: Any, input: Any, other: Any) -> CudaArray:
    shape, dtype = inferred
    return pointwise.compute(CHOICE, [condition, input, other], (), shape, dtype)


def masked_fill_into(inferred: Any, input: CudaArray, value: Any, mask: CudaArray) -> CudaArray:
    pointwise.write(CHOICE, [mask, value, input], (), input)
    return input


def masked_zero(inferred: Any, g: CudaArray, mask: CudaArray) -> CudaArray:
    return pointwise.compute(CHOICE, [mask, np.zeros((), np.float32), g], (), *inferred)


def spread(inferred: Any, g: CudaArray, shape: Any, dim: Any, keepdim: bool, divisor: int, dtype: Any) -> CudaArray:
    """g / divisor for every element that went into a sum: what flows back through sum and mean."""
    shape, dtype = inferred
    if g.ndim and not keepdim:
        dims = [d % len(shape) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))] if dim is not None else []
        kept = [1 if not dims or i in dims else n for i, n in enumerate(shape)]
        g = reshaped(g, *kept)
    made = empty(shape, dtype)
    if divisor == 1:
        write(made, g)
    else:
        pointwise.write(QUOTIENT, [g], (divisor or float("nan"),), made)
    return made


def flip_dims(inferred: Any, input: CudaArray, dims: Any) -> CudaArray:
    dims = [d % input.ndim for d in dims] if input.ndim else []
    offset = sum((input.shape[d] - 1) * input.strides[d] for d in dims) if input.size else 0
    strides = tuple([-s if i in dims else s for i, s in enumerate(input.strides)])
    return copied(input.restrided(input.shape, strides, offset))


def shifted(inferred: Any, input: CudaArray, dim: int, by: int, fill: Any) -> CudaArray:
    """The elements moved by one place, 1 or -1, along dim; `fill` where none comes from."""
    made = full(inferred[0], fill, inferred[1])
    if input.ndim:
        lead = (slice(None),) * (dim % input.ndim)
        first, last = (*lead, slice(1, None)), (*lead, slice(None, -1))
        write(made[first if by > 0 else last], input[last if by > 0 else first])
    return made


def constant_pad(inferred: Any, input: CudaArray, pads: Any, value: Any) -> CudaArray:
    """`pads` are (before, after) of the last dimension, then of the one before it; negative ones cut off."""
    made = full(inferred[0], value, inferred[1])
    to, origin = [], []
    for d in range(input.ndim):
        k = 2 * (input.ndim - 1 - d)
        before, after = pads[k : k + 2] if k < len(pads) else (0, 0)
        n = input.shape[d]
        origin.append(slice(max(-before, 0), n - max(-after, 0)))
        to.append(slice(max(before, 0), max(before, 0) + n - max(-before, 0) - max(-after, 0)))
    write(made[tuple(to)], input[tuple(origin)])
    return made


def repeat_sizes(inferred: Any, input: CudaArray, repeats: Any) -> CudaArray:
    """The input beside itself, repeats[d] times along each dimension."""
    made = empty(*inferred)
    if made.size:
        sizes = (*(1,) * (made.ndim - input.ndim), *input.shape)
        pairs = [n // size for n, size in zip(made.shape, sizes, strict=True)]
        blocks = reshaped(made, *[k for pair in zip(pairs, sizes, strict=True) for k in pair])
        write(blocks, reshaped(input, *[k for size in sizes for k in (1, size)]))
    return made


def roll_dims(inferred: Any, input: CudaArray, shifts: Any, dims: Any) -> CudaArray:
    """The elements moved along dims, those beyond the end coming back at the beginning; without dims, as if flat."""
    if not dims:
        flat = reshaped(input, input.size)
        return reshaped(roll_dims((flat.shape, flat.dtype), flat, shifts, (0,)), *input.shape)
    x = input
    for shift, dim in zip(shifts, dims, strict=True):
        n = x.shape[dim]
        if n and shift % n:
            cut, lead = n - shift % n, (slice(None),) * (dim % x.ndim)
            x = cat(inferred, x[(*lead, slice(cut, n))], x[(*lead, slice(0, cut))], dim % x.ndim)
    return copied(x) if x is input else x


@cache
def triangle_kernel(code: str, is_lower: bool) -> Kernel:
    """kernel(x, out, count, rows, columns, diagonal): of each matrix what lies below, or above, the diagonal."""

    @kernel(f"{code}* {code}* i4 i4 i4 i4", block=TRIANGLE_BLOCK, name="tril" if is_lower else "triu")
    def triangle(x, out, count, rows, columns, diagonal):
        i = blockIdx.x * TRIANGLE_BLOCK + threadIdx.x
        if i < count:
            line = i // columns
            apart = i - line * columns - line % rows - diagonal
            keeps = apart <= 0 if is_lower else apart >= 0
            if keeps:
                out[i] = x[i]
            else:
                out[i] = 0

    return triangle


def _triangle(inferred: Any, input: CudaArray, diagonal: int, is_lower: bool) -> CudaArray:
    made = empty(*inferred)
    if made.size:
        x, (rows, columns) = contiguous(input), made.shape[-2:]
        if made.size >= pointwise.LIMIT:
            raise NotImplementedError("tril() and triu() of 2^31 elements are not implemented for device 'cuda'")
        limit = max(rows, columns)
        diagonal = max(-limit, min(diagonal, limit))
        launched = triangle_kernel(f"u{made.dtype.itemsize}", is_lower)
        launched.launch(-(-made.size // TRIANGLE_BLOCK), x, made, made.size, rows, columns, diagonal)
    return made


def tril(inferred: Any, input: CudaArray, diagonal: int) -> CudaArray:
    return _triangle(inferred, input, diagonal, True)


def triu(inferred: Any, input: CudaArray, diagonal: int) -> CudaArray:
    return _triangle(inferred, input, diagonal, False)


# ---------------------------------------------------------------------- gradients of views: zeros with g in their part
def _placed(inferred: Any, g: CudaArray, place: tuple[Any, ...]) -> CudaArray:
    made = full(inferred[0], 0, inferred[1])
    write(made[place], g)
    return made


def select_backward(inferred: Any, g: CudaArray, input_shape: Any, dim: int, index: int) -> CudaArray:
    return _placed(inferred, g, (*(slice(None),) * (dim % len(input_shape)), index))


def slice_backward(
    inferred: Any, g: CudaArray, input_shape: Any, dim: int, start: int, stop: int, step: int
) -> CudaArray:
    return _placed(inferred, g, (*(slice(None),) * (dim % len(input_shape)), slice(start, stop, step)))


def basic_backward(inferred: Any, g: CudaArray, input_shape: Any, index: Any) -> CudaArray:
    return _placed(inferred, g, index)


REPRESENTATIVE = {"transpose": lambda: transpose_kernel("u4"), "tril": lambda: triangle_kernel("u4", True)}
