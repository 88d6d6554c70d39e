"""Rolls, repeats and turns."""

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from minitorch._kernels import cache
from minitorch._kernels.copies import contiguous
from minitorch._kernels.layout import laid_out
from minitorch._tensor import Tensor, wrap

from .check import (
    C_NAMES,
    check,
    integer,
    invalid_arguments,
    missing_argument,
    non_negative,
    refuse_batch,
    sizes,
    wrap_dim,
    wrap_dims,
)
from .joining import concatenated
from .op import ARRAY_NAMES, OPS, TENSOR_NAMES, structured
from .public import FUNCTIONS, public
from .scope import SMALL

ndarray = np.ndarray
SHORT = 16  # elements of an item, from which on NumPy turns their order as fast


# ---------------------------------------------------------------------- rolls and repeats
@structured(name="roll_dims", title="Roll", tensors="input")
def roll_dims(input, shifts, dims):
    return input.shape, input.dtype


@roll_dims.cpu
def roll_cpu(input, shifts, dims):
    if not input.ndim or not input.size:
        return input.copy()
    out = input if dims else input.reshape(1, -1)
    for shift, dim in zip(shifts, dims or (1,), strict=True):
        at, lead = -shift % out.shape[dim], (slice(None),) * dim
        out = concatenated([out[lead + (slice(at, None),)], out[lead + (slice(None, at),)]], dim)
    return out.reshape(input.shape)


@roll_dims.grad("input")
def roll_grad(g, shifts, dims):
    return roll_dims(g, tuple([-s for s in shifts]), dims)


@public("torch Tensor")
def roll(input: Tensor, shifts: Any, dims: Any = ()) -> Tensor:
    """The elements shifted in a circle along dims; without dims the flat tensor."""
    shifts, dims = sizes((shifts,), "roll", "shifts"), sizes((() if dims is None else dims,), "roll", "dims", 2)
    check(shifts, "`shifts` required")
    if not (len(shifts) == len(dims) or (len(shifts) == 1 and not dims)):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}")
    dims = tuple([wrap_dim(d, input.ndim, scalar=False) for d in dims])
    return OPS["roll_dims"].function(input, shifts, dims)


def tiled_shape(shape: tuple[int, ...], repeats: tuple[int, ...]) -> tuple[int, ...]:
    """(repeats, size, repeats, size, ...) for the dimensions of a repeated tensor."""
    full = (1,) * (len(repeats) - len(shape)) + tuple(shape)
    return tuple([n for pair in zip(repeats, full, strict=True) for n in pair])


ARRAY_NAMES["tiled_shape"] = TENSOR_NAMES["tiled_shape"] = tiled_shape


@structured(name="repeat_sizes", title="Repeat", tensors="input")
def repeat_sizes(input, repeats):
    full = (1,) * (len(repeats) - input.ndim) + tuple(input.shape)
    return non_negative(tuple([n * r for n, r in zip(full, repeats, strict=True)])), input.dtype


@repeat_sizes.cpu
def repeat_cpu(input, repeats):
    shape, _ = repeat_sizes.infer(input, repeats)
    split = tiled_shape(input.shape, repeats)
    out = np.empty(split, input.dtype)
    out[...] = input.reshape(tiled_shape(input.shape, (1,) * len(repeats)))
    return out.reshape(shape)


@repeat_sizes.grad("input")
def repeat_grad(g, input_shape, repeats):
    folded = reshape(g, tiled_shape(input_shape, repeats))  # noqa: F821
    summed = sum(folded, tuple(range(0, 2 * len(repeats), 2))) if repeats else clone(g)  # noqa: F821
    return reshape(summed, input_shape)  # noqa: F821


@public("Tensor")
def repeat(self: Tensor, *sizes_: Any, repeats: Any = None) -> Tensor:
    """The tensor repeated along each dimension, new ones in front."""
    given = sizes_ if repeats is None else (repeats,)
    if not given:
        raise TypeError('repeat() missing 1 required positional arguments: "repeats"')
    repeats = sizes(given, "repeat", "repeats")
    check(
        len(repeats) >= self.ndim,
        "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor",
    )
    return OPS["repeat_sizes"].function(self, repeats)


@public("torch Tensor")
def tile(input: Tensor, *repeats: Any, dims: Any = None) -> Tensor:
    """repeat, with ones in front of too few repeats."""
    if dims is None and not repeats:
        missing_argument("tile", "dims")
    given = sizes(repeats if dims is None else (dims,), "tile", "dims")
    return repeat(input, (1,) * (input.ndim - len(given)) + given)


@public("torch Tensor")
def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each element repeated in its place.

    >>> import minitorch as torch
    >>> torch.tensor([1, 2]).repeat_interleave(torch.tensor([3, 1]))
    tensor([1, 1, 1, 2])
    """
    if repeats is None:
        if dim is not None:
            invalid_arguments("repeat_interleave", input, repeats, dim)
        return wrap(_repeated(input.array.size, _repeats(input), output_size)).to(input.device)
    if dim is None:
        input, dim = FUNCTIONS["reshape"](input, -1), 0
    dim = wrap_dim(dim, input.ndim)
    if not input.ndim:
        input = FUNCTIONS["reshape"](input, 1)
    if not isinstance(repeats, Tensor):
        repeats = integer(repeats, "repeats", "repeat_interleave")
        check(repeats >= 0, "Repeats must be non-negative")
        if output_size not in (None, (size := input.shape[dim] * repeats)):
            raise RuntimeError(f"repeat_interleave: Invalid output_size, expected {size} but got {output_size}")
        wide = OPS["unsqueeze"].function(input, dim + 1)
        shape = tuple(input.shape)
        wide = OPS["expand_to"].function(wide, (*shape[: dim + 1], repeats, *shape[dim + 1 :]))
        return FUNCTIONS["reshape"](OPS["dense"].function(wide), *shape[:dim], shape[dim] * repeats, *shape[dim + 1 :])
    counts, n = _repeats(repeats), input.shape[dim]
    if counts.size not in (1, n):
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{counts.size} and input.size({dim}) "
            f"= {n}"
        )
    rows = _repeated(n, counts if counts.size == n else counts.repeat(n), output_size)
    return OPS["index_select"].function(input, dim, wrap(rows).to(input.device))


def _repeated(n: int, counts: Any, output_size: int | None) -> Any:
    """Each number below n as often as its count says, output_size in all."""
    rows = np.repeat(np.arange(n), counts)
    if output_size not in (None, rows.size):
        non_negative((output_size,))
        raise RuntimeError(f"allocated size does not match required size: {output_size} and {rows.size}")
    return rows


def _repeats(t: Tensor) -> Any:
    refuse_batch("repeat_interleave", repeats=t)
    a = t.cpu().array  # their sum is a size, which the host must know
    check(a.ndim <= 1, "repeats must be 0-dim or 1-dim tensor")
    if a.dtype not in (np.int64, np.int32):
        raise NotImplementedError(f"\"repeat_interleave_cpu\" not implemented for '{C_NAMES[a.dtype.name]}'")
    check(not a.size or a.min() >= 0, "repeats can not be negative")
    return a.reshape(-1)


# ---------------------------------------------------------------------- turns
@structured(tensors="input", name="flip_dims", title="Flip")
def flip_dims(input, dims):
    wrap_dims(dims, input.ndim)
    return input.shape, input.dtype


@flip_dims.cpu
def flip_cpu(input, dims):
    index, but_last, width, unit = _backwards(input.shape, dims)
    if not index:
        return input.copy()
    if not input.flags.c_contiguous:
        if input.size <= SMALL:
            return laid_out(input[index], input)
        order = sorted(range(input.ndim), key=lambda d: -input.strides[d])
        in_memory = input.transpose(order)
        if in_memory.flags.c_contiguous:
            turned = [order.index(d) for d in wrap_dims(dims, input.ndim)]
            return flip_cpu(in_memory, tuple(turned)).transpose(np.argsort(order))
        return laid_out(input[index], input)
    if input.size <= SMALL or unit > SHORT:
        return input[index].copy()
    rows, out = contiguous(input[but_last]), np.empty(input.shape, input.dtype)
    bits = _BITS[out.itemsize]
    kernel = cache.load_file("cpu.index").reverse_rows
    kernel(rows.reshape(-1).view(bits), width, unit, out.reshape(-1).view(bits))
    return out


_BITS = {n: np.dtype(f"u{n}") for n in (1, 2, 4, 8)}


@lru_cache(256)
def _backwards(shape: tuple[int, ...], dims: tuple[int, ...]) -> tuple[Any, Any, int, int]:
    """The index that turns these dimensions, that without the last of them, its size and the elements behind it."""
    turned = sorted(wrap_dims(dims, len(shape)))
    index = tuple([slice(None, None, -1 if d in turned else None) for d in range(len(shape))])
    if not index or not turned:
        return index, index, 1, 1
    last = turned[-1]
    return index, (*index[:last], ...), shape[last], prod(shape[last + 1 :])


@flip_dims.grad("input")
def flip_grad(g, dims):
    return flip_dims(g, dims)
