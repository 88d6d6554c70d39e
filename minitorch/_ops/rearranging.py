"""Choosing by condition, triangles, rolls, repeats and diagonals."""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._tensor import Tensor, wrap

from .check import C_NAMES, broadcast_error, c_name, check, integer, non_negative, sizes, wrap_dim
from .op import ARRAY_NAMES, OPS, TENSOR_NAMES, structured
from .operands import FUNCTIONS, NUMBERS, cast, common_dtype, number_operand
from .public import public
from .reductions import reduced_dims, reduced_shape
from .views import diagonal

ndarray = np.ndarray


# ---------------------------------------------------------------------- where
@structured(name="choose", title="Where", tensors="condition input other")
def choose(condition, input, other):
    try:
        return np.broadcast_shapes(condition.shape, input.shape, other.shape), input.dtype
    except ValueError:
        raise broadcast_error([condition.shape, input.shape, other.shape]) from None


@choose.cpu
def choose_cpu(condition, input, other):
    try:
        return np.asarray(np.where(condition, input, other))
    except ValueError:
        raise broadcast_error([condition.shape, input.shape, other.shape]) from None


@choose.grad("input")
def where_grad_input(g, condition, input_shape):
    return sum_to_size(where(condition, g, 0.0), input_shape)  # noqa: F821


@choose.grad("other")
def where_grad_other(g, condition, other_shape):
    return sum_to_size(where(condition, 0.0, g), other_shape)  # noqa: F821


@public("torch")
def where(condition: Tensor, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """input where the condition holds, else other; the condition alone is nonzero(as_tuple=True).

    >>> import minitorch as torch
    >>> torch.where(torch.tensor([True, False]), torch.ones(2), 0.0)
    tensor([1., 0.])
    """
    if isinstance(condition, Tensor) and input is None and other is None:
        return nonzero(condition, as_tuple=True)
    given = (condition, input, other)
    if not isinstance(condition, Tensor) or not all(isinstance(v, Tensor) or v.__class__ in NUMBERS for v in given[1:]):
        kinds = ", ".join(type(v).__name__ for v in given if v is not None)
        raise TypeError(f"where() received an invalid combination of arguments - got ({kinds}), but expected one of:")
    if condition.array.dtype == np.uint8:
        import warnings

        warnings.warn(
            "where received a uint8 condition tensor. This behavior is deprecated and will be "
            "removed in a future version of "
            "PyTorch. Use a boolean condition instead.",
            UserWarning,
            stacklevel=2,
        )
        condition = cast(condition, np.dtype(np.bool_))
    check(
        condition.array.dtype == np.bool_,
        f"where expected condition to be a boolean tensor, but got a tensor with dtype {c_name(condition.array)}",
    )
    result = OPS["choose"].function(condition, *_branches(input, other))
    if out is None:
        return result
    from .inplace import into

    return into(out, OPS["choose"], result)


def _branches(input: Any, other: Any) -> tuple[Tensor, Tensor]:
    """Both values as tensors of their common dtype."""
    if isinstance(input, Tensor):
        if not isinstance(other, Tensor):
            return number_operand(OPS["choose"], input, other)
    elif isinstance(other, Tensor):
        return number_operand(OPS["choose"], other, input)[::-1]
    else:
        from minitorch._creation import tensor

        input, other = tensor(input), tensor(other)
    dtype = common_dtype([input.array, other.array])
    return tuple([t if t.array.dtype is dtype else cast(t, dtype) for t in (input, other)])  # type: ignore[return-value]


def tensor_where(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """self where the condition is true, else other."""
    return where(condition, self, other)


# ---------------------------------------------------------------------- nonzero
@structured(tensors="input")
def nonzero_rows(input):
    raise NotImplementedError("nonzero(): the shape of the result depends on data, which the meta device lacks")


@nonzero_rows.cpu
def nonzero_rows_cpu(input):
    if not input.ndim:
        return np.zeros((int(bool(input)), 0), np.int64)
    flat = np.flatnonzero(input)  # with the divisions, a quarter of np.nonzero's time
    rows = np.empty((input.ndim, flat.size), np.int64)
    for d in range(input.ndim - 1, 0, -1):
        flat, rows[d] = np.divmod(flat, input.shape[d])
    rows[0] = flat
    return rows.T


@public("torch Tensor")
def nonzero(input: Tensor, *, out: Any = None, as_tuple: bool = False) -> Any:
    """The indices of elements that are not zero: rows, or as a tuple one tensor per dimension."""
    if as_tuple:
        input = input if input.ndim else FUNCTIONS["reshape"](input, 1)
        return FUNCTIONS["unbind"](OPS["nonzero_rows"].function(input), 1)
    result = OPS["nonzero_rows"].function(input)
    if out is None:
        return result
    from .inplace import into

    return into(out, OPS["nonzero_rows"], result)


@public("torch Tensor")
def argwhere(input: Tensor) -> Tensor:
    """The indices of elements that are not zero, one row each."""
    return nonzero(input)


@structured(tensors="input", on="torch Tensor")
def count_nonzero(input, dim=None):
    return reduced_shape(input.shape, reduced_dims(dim, input.ndim), False), dtypes.INT64_NUMPY


@count_nonzero.cpu
def count_nonzero_cpu(input, dim=None):
    dims = reduced_dims(dim, input.ndim)
    return np.asarray(np.count_nonzero(input, axis=dims if input.ndim else None), np.int64)


# ---------------------------------------------------------------------- triangles
def _triangle_shape(name: str, input: Any, diagonal: Any) -> tuple[tuple[int, ...], Any]:
    check(input.ndim >= 2, f"{name}: input tensor must have at least 2 dimensions")
    integer(diagonal, "diagonal", name)
    return input.shape, input.dtype


@structured(tensors="input", on="torch Tensor")
def tril(input, diagonal=0):
    return _triangle_shape("tril", input, diagonal)


@tril.cpu
def tril_cpu(input, diagonal=0):
    _triangle_shape("tril", input, diagonal)
    return np.tril(input, diagonal)


@tril.grad("input")
def tril_grad(g, diagonal):
    return tril(g, diagonal)


@structured(tensors="input", on="torch Tensor")
def triu(input, diagonal=0):
    return _triangle_shape("triu", input, diagonal)


@triu.cpu
def triu_cpu(input, diagonal=0):
    _triangle_shape("triu", input, diagonal)
    return np.triu(input, diagonal)


@triu.grad("input")
def triu_grad(g, diagonal):
    return triu(g, diagonal)


@public("Tensor")
def tril_(self: Tensor, diagonal: int = 0) -> Tensor:
    """tril, in place."""
    return FUNCTIONS["copy_"](self, OPS["tril"].function(self, diagonal))


@public("Tensor")
def triu_(self: Tensor, diagonal: int = 0) -> Tensor:
    """triu, in place."""
    return FUNCTIONS["copy_"](self, OPS["triu"].function(self, diagonal))


# ---------------------------------------------------------------------- rolls and repeats
@structured(name="roll_dims", title="Roll", tensors="input")
def roll_dims(input, shifts, dims):
    return input.shape, input.dtype


@roll_dims.cpu
def roll_cpu(input, shifts, dims):
    return np.ascontiguousarray(np.roll(input, shifts, dims if dims else None)) if input.ndim else input.copy()


@roll_dims.grad("input")
def roll_grad(g, shifts, dims):
    return roll_dims(g, tuple([-s for s in shifts]), dims)


@public("torch Tensor")
def roll(input: Tensor, shifts: Any, dims: Any = ()) -> Tensor:
    """The elements shifted in a circle along dims; without dims the flat tensor."""
    shifts, dims = sizes((shifts,), "roll"), sizes((() if dims is None else dims,), "roll")
    check(shifts, "`shifts` required")
    check(
        len(shifts) == len(dims) or (len(shifts) == 1 and not dims),
        f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}",
    )
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
def repeat(self: Tensor, *repeats: Any) -> Tensor:
    """The tensor repeated along each dimension, new ones in front."""
    if not repeats:
        raise TypeError('repeat() missing 1 required positional arguments: "repeats"')
    repeats = sizes(repeats, "repeat")
    check(
        len(repeats) >= self.ndim,
        "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor",
    )
    return OPS["repeat_sizes"].function(self, repeats)


@public("torch Tensor")
def tile(input: Tensor, *repeats: Any, dims: Any = None) -> Tensor:
    """repeat, with ones in front of too few repeats."""
    given = sizes(repeats if dims is None else (dims,), "tile")
    return repeat(input, (1,) * (input.ndim - len(given)) + given)


@public("torch Tensor")
def repeat_interleave(input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: Any = None) -> Tensor:
    """Each element repeated in its place.

    >>> import minitorch as torch
    >>> torch.tensor([1, 2]).repeat_interleave(torch.tensor([3, 1]))
    tensor([1, 1, 1, 2])
    """
    if repeats is None:
        return wrap(np.repeat(np.arange(input.array.size), _repeats(input)))
    if dim is None:
        input, dim = FUNCTIONS["reshape"](input, -1), 0
    dim = wrap_dim(dim, input.ndim)
    if not input.ndim:
        input = FUNCTIONS["reshape"](input, 1)
    if not isinstance(repeats, Tensor):
        repeats = integer(repeats, "repeats", "repeat_interleave")
        check(repeats >= 0, "Repeats must be non-negative")
        wide = OPS["unsqueeze"].function(input, dim + 1)
        shape = tuple(input.shape)
        wide = OPS["expand_to"].function(wide, (*shape[: dim + 1], repeats, *shape[dim + 1 :]))
        return FUNCTIONS["reshape"](OPS["dense"].function(wide), *shape[:dim], shape[dim] * repeats, *shape[dim + 1 :])
    counts, n = _repeats(repeats), input.shape[dim]
    check(
        counts.size in (1, n),
        "repeats must have the same size as input along dim, but got repeats.size(0) = "
        f"{counts.size} and input.size({dim}) "
        f"= {n}",
    )
    rows = np.repeat(np.arange(n), counts if counts.size == n else int(counts[0]))
    return OPS["index_select"].function(input, dim, wrap(rows))


def _repeats(t: Tensor) -> Any:
    a = t.array
    check(a.ndim <= 1, "repeats must be 0-dim or 1-dim tensor")
    if a.dtype not in (np.int64, np.int32):
        raise NotImplementedError(f"\"repeat_interleave_cpu\" not implemented for '{C_NAMES[a.dtype.name]}'")
    check(not a.size or a.min() >= 0, "repeats can not be negative")
    return a.reshape(-1)


# ---------------------------------------------------------------------- diagonals
@structured(tensors="input", on="torch Tensor")
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    ndim = input.ndim + 1
    dim1, dim2 = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    check(dim1 != dim2, f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    n = input.shape[-1] + abs(offset)
    rest = iter(input.shape[:-1])
    return tuple([n if i in (dim1, dim2) else next(rest) for i in range(ndim)]), input.dtype


@diag_embed.cpu
def diag_embed_cpu(input, offset=0, dim1=-2, dim2=-1):
    shape, dtype = diag_embed.infer(input, offset, dim1, dim2)
    out = np.zeros(shape, dtype)
    diagonal.forward(out, offset, dim1, dim2)[...] = input
    return out


@diag_embed.grad("input")
def diag_embed_grad(g, offset, dim1, dim2):
    return clone(diagonal(g, offset, dim1, dim2))  # noqa: F821


@public("torch Tensor")
def diag(input: Tensor, diagonal: int = 0, *, out: Any = None) -> Tensor:
    """The diagonal of a matrix, or the matrix with that diagonal."""
    check(input.ndim in (1, 2), f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    if input.ndim == 1:
        result = OPS["diag_embed"].function(input, diagonal)
    else:
        result = OPS["dense"].function(OPS["diagonal"].function(input, diagonal))
    if out is None:
        return result
    from .inplace import into

    return into(out, OPS["diagonal"], result)


@public("torch")
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Which elements are among the test elements."""
    arrays = [t.array if isinstance(t, Tensor) else np.asarray(t) for t in (elements, test_elements)]
    return wrap(np.asarray(np.isin(arrays[0], arrays[1], assume_unique=assume_unique, invert=invert)))
