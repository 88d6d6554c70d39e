"""Reductions: an initial value, a step and a finish, from which loops are generated, and the gradients."""

from functools import lru_cache
from math import prod as product
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels import cache, codegen
from minitorch._kernels.copies import contiguous
from minitorch._kernels.cpu import shared, threads
from minitorch._kernels.cpu.loops import LARGE, for_contiguous
from minitorch._kernels.cpu.shared import BLOCKS
from minitorch._kernels.folds import FOLDS
from minitorch._kernels.silence import silent
from minitorch._kernels.strided import Lines, is_dense, lines_of, restrided
from minitorch._tensor import Tensor

from .check import (
    C_NAMES,
    check,
    float_required,
    integer,
    integers,
    invalid_arguments,
    no_kernel,
    type_name,
    wrap_dim,
    wrap_dims,
)
from .inplace import dtype_of_out
from .op import ARRAY_NAMES, TENSOR_NAMES, structured
from .operands import to_float
from .public import into, op, public

ndarray = np.ndarray
empty = np.empty
FLOATS = dtypes.FLOATS
FULL_FLOATS = FLOATS - dtypes.HALVES
LINE = 16  # elements from which a line is reduced before what lies around it
APART = 2**13  # elements from which lines that do not follow each other in memory are reduced where they lie


# ---------------------------------------------------------------------- geometry of a reduction
def reduced_dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """The dimensions that `dim=` names: all for None and for an empty list."""
    if dim is None:
        return tuple(range(ndim))
    if isinstance(dim, (tuple, list)):
        return wrap_dims(dim, ndim) if dim else tuple(range(ndim))
    return (wrap_dim(dim, ndim),)


def reduced_shape(shape: tuple[int, ...], dims: tuple[int, ...], keepdim: bool) -> tuple[int, ...]:
    """The result's shape; a keepdim that is no bool is most likely a second dimension, torch's TypeError."""
    if keepdim.__class__ is not bool:
        raise TypeError(f"argument 'keepdim' must be bool, not {type_name(keepdim)}")
    if keepdim:
        return tuple([1 if i in dims else n for i, n in enumerate(shape)])
    return tuple([n for i, n in enumerate(shape) if i not in dims])


def reduction_of(shape: tuple[int, ...], dim: Any, keepdim: bool) -> tuple[Any, ...]:
    """(dims, the result's shape, the shape as (outer, reduced, inner) or None), with the checks of `dim=`.

    What programs reduce has few shapes, so it is found out once for each.
    """
    if dim.__class__ is int:
        return _found_out(shape, (dim,), keepdim)
    dims = () if dim is None else tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    for d in dims:
        if d.__class__ is not int:
            return _found_out.__wrapped__(shape, dims, keepdim)
    return _found_out(shape, dims, keepdim)


@lru_cache(1024, typed=True)  # True is no 1 here
def _found_out(shape: tuple[int, ...], dim: tuple[Any, ...], keepdim: bool) -> tuple[Any, ...]:
    dims = reduced_dims(dim, len(shape))
    parts = None
    order = sorted(dims)
    if not shape:
        parts = (1, 1, 1)
    elif order == list(range(order[0], order[-1] + 1)):
        first, last = order[0], order[-1] + 1
        parts = product(shape[:first]), product(shape[first:last]), product(shape[last:])
    return dims, reduced_shape(shape, dims, keepdim), parts


@lru_cache(4096)
def _in_memory(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int, dims: tuple[int, ...]) -> Any:
    """The dimensions in their order in memory, what undoes that, and dims in it: none if there are gaps."""
    order = sorted(range(len(shape)), key=lambda i: -strides[i])
    turned = [order.index(d) for d in dims] if is_dense(shape, strides, itemsize) else []
    return order, np.argsort(order).tolist(), turned


@lru_cache(1024)
def _ends(shape: tuple[int, ...], dims: tuple[int, ...]) -> tuple[int, int]:
    """From which dimension on all are reduced, and how many elements that are."""
    ends = len(shape)
    while ends - 1 in dims:
        ends -= 1
    return ends, product(shape[ends:])


def three_parts(a: np.ndarray, dims: tuple[int, ...]) -> np.ndarray:
    """The array as contiguous (outer, reduced, inner)."""
    shape = a.shape
    parts = _found_out(shape, dims, False)[2]
    if parts is not None and a.flags.c_contiguous:
        return a.reshape(parts)
    order = sorted(dims)
    kept = [i for i in range(len(shape)) if i not in dims]
    dense = contiguous(a.transpose([*kept, *order]))
    return dense.reshape(product([shape[i] for i in kept]), product([shape[i] for i in order]), 1)


@silent
def _merged(merge: Any, a: np.ndarray, axis: Any = None) -> Any:
    return merge(a, axis)


@silent
def _mean_of(a: np.ndarray, axis: Any) -> Any:
    total = np.add.reduce(a, axis)
    return total / (a.size // total.size)


class Reduction:
    """The loops of one reduction, from its formulas in `_kernels/folds.py`: see `codegen.reduction`.

    `wide` ones accumulate in 64 bits. `merge` is NumPy's function that makes of what blocks of as many elements give
    what all give.
    """

    def __init__(self, name: str, *, wide: bool = False, merge: Any = None):
        self.name, self.fold, self.wide, self.merge = name, FOLDS[name], wide, merge
        self._kernels: dict[Any, Any] = {}
        self.of_floats: Any = self._first_of_floats

    def _kept_in(self, dtype: np.dtype) -> Any:
        """The dtype of what accumulates for results of this one."""
        return dtype if not self.wide else dtypes.float64.numpy if dtype.kind == "f" else dtypes.INT64_NUMPY

    def _adds_floats(self, dtype: np.dtype) -> bool:
        return self.wide and self.fold[1] == "a + x" and dtype in FULL_FLOATS

    def _scratch(self, columns: int, dtype: np.dtype) -> np.ndarray:
        """What the kernel of columns keeps their results so far in."""
        if self._adds_floats(dtype):
            return empty((codegen.SCRATCH_LEVELS, columns + codegen.SCRATCH_SPARE), dtype)
        return empty(columns, self._kept_in(dtype))

    def _formulas(self, dtype: np.dtype) -> dict[str, Any]:
        init, step, _, finish = self.fold
        accumulator = f"np.{self._kept_in(dtype)}" if self.wide else None
        return dict(init=init, step=step, finish=finish, accumulator=accumulator, floats=self._adds_floats(dtype))

    def _kernel(self, dtype: np.dtype, part: str, apart: bool = False) -> Any:
        key = dtype, part, apart
        kernel = self._kernels.get(key)
        if kernel is None:
            kernel = codegen.reduction(self.name, part, apart, **self._formulas(dtype))
            if part == "whole":
                kernel = for_contiguous(kernel, self._whole_of_any_layout)
            self._kernels[key] = kernel
        return kernel

    def _whole_of_any_layout(self, a: np.ndarray, o: np.ndarray) -> None:
        lines = lines_of(a.shape, a.strides, a.itemsize, tuple(range(a.ndim))) if a.size >= APART else None
        if lines is None or self.merge is None:
            self.whole(a.ravel("K"), o)  # of a transposed array a view
        else:
            self._of_lines(a, lines, o)

    def _of_lines(self, a: np.ndarray, lines: Lines, o: np.ndarray) -> None:
        """Along the dimensions of `lines_of`, into o of the others in their order in memory."""
        outer, n, inner, step, block = lines
        if inner == 1:
            rows = restrided(a, (outer, step), (step * a.itemsize, a.itemsize))  # of the last one, more than is read
            to = o.reshape(outer) if o.ndim else empty(outer, self._kept_in(o.dtype))
            self.rows(rows, to, n)
            if not o.ndim:
                o[()] = _merged(self.merge, to)
        else:
            memory = restrided(a, ((outer - 1) * block + (n - 1) * step + inner,), (a.itemsize,))
            kernel = self._kernel(o.dtype, "columns", apart=True)
            kernel(memory, n, step, block, o, self._scratch(inner, o.dtype))

    def _shared(self, dtype: np.dtype, apart: bool) -> Any:
        """The kernel of rows that threads share."""
        kernel = self._kernels.get((dtype, "shared", apart))
        if kernel is None:
            text = codegen.reduction_text("rows", apart, **self._formulas(dtype))
            name, params = (f"{self.name}_rows_apart", "x n dest") if apart else (f"{self.name}_rows", "x dest")
            kernel = self._kernels[dtype, "shared", apart] = shared.over_rows(name, text, params, "x dest")
        return kernel

    def _first_of_floats(self, a: np.ndarray, o: np.ndarray) -> None:
        """`whole` for floats, replaced by its kernel at the first call: the way of a loss's mean."""
        self.of_floats = self._kernel(o.dtype, "whole")
        self.of_floats(a, o)

    def whole(self, a: np.ndarray, o: np.ndarray) -> None:
        """Every element of a, into the 0-dim o."""
        self._kernel(o.dtype, "whole")(a, o)

    def rows(self, a: np.ndarray, o: np.ndarray, *n: int) -> None:
        """Each row of the matrix a, or its first n elements, into the vector o."""
        crew, apart = 0, bool(n)
        if a.size >= LARGE:
            crew, parts = threads.share(a.nbytes // shared.BYTES_MOVED, len(a))
        if crew:
            self._shared(o.dtype, apart)(crew, parts, a, *n, o)
        else:
            key = o.dtype, "rows", apart
            (self._kernels.get(key) or self._kernel(*key))(a, *n, o)

    def large(self, a: np.ndarray, o: np.ndarray) -> None:
        """`whole` of many elements: blocks of them, which threads may share, and then of what the blocks give."""
        even = a.size % BLOCKS == 0 and a.flags.c_contiguous
        if self.merge is None or not even or not threads.cuts(a.nbytes // shared.BYTES_MOVED, BLOCKS):
            self.whole(a, o)
            return
        blocks = empty(BLOCKS, self._kept_in(o.dtype))
        self.rows(a.reshape(BLOCKS, -1), blocks)
        o[()] = _merged(self.merge, blocks)

    def parts(self, a: np.ndarray, dims: tuple[int, ...], split: Any, o: np.ndarray) -> None:
        """The elements along dims, into o of the shape without them; `split`: see `reduction_of`."""
        if split is None and self.merge is not None and a.flags.c_contiguous:
            ends, n = _ends(a.shape, dims)
            if n >= LINE:
                lines = empty(a.shape[:ends], self._kept_in(o.dtype))
                self.rows(a.reshape(-1, n), lines.reshape(-1))
                o[...] = _merged(self.merge, lines, tuple([d for d in dims if d < ends])).reshape(o.shape)
                return
        if split is None or not a.flags.c_contiguous:
            a = three_parts(a, dims)
            split = a.shape
        outer, n, inner = split
        if inner == 1:
            self.rows(a if a.shape == (outer, n) else a.reshape(outer, n), o if o.ndim == 1 else o.reshape(outer))
        else:
            dtype = o.dtype
            kernel = self._kernels.get((dtype, "columns", False)) or self._kernel(dtype, "columns")
            kernel(a, n, o, self._scratch(inner, dtype))

    def __call__(self, a: np.ndarray, dim: Any, keepdim: bool, dtype: Any = None) -> np.ndarray:
        dtype = a.dtype if dtype is None else dtype
        if dim is None and not keepdim:
            o = empty((), dtype)
            (self.whole if a.size < LARGE else self.large)(a, o)
            return o
        dims, shape, split = reduction_of(a.shape, dim, keepdim)
        if not a.flags.c_contiguous:
            order, back, turned = _in_memory(a.shape, a.strides, a.itemsize, dims)
            if turned:  # dense, and so of one layout or another without a copy
                found = self(a.transpose(order), turned, True, dtype)
                return contiguous(found.transpose(back)).reshape(shape)
            if a.size < APART:
                a, lines = contiguous(a), None
            else:
                lines = lines_of(a.shape, a.strides, a.itemsize, dims)
            if lines is not None and (self.merge or len(dims) < a.ndim):
                kept = [i for i in order if i not in dims]
                o = empty([a.shape[i] for i in kept], dtype)
                self._of_lines(a, lines, o)
                return contiguous(o.transpose(np.argsort(kept))).reshape(shape)
        o = empty(shape, dtype)
        if o.size:
            self.parts(a, dims, split, o)
        return o


SUM = Reduction("sum", wide=True, merge=np.add.reduce)
MEAN = Reduction("mean", wide=True, merge=_mean_of)
PROD = Reduction("prod", wide=True, merge=np.multiply.reduce)
AMAX = Reduction("amax", merge=np.maximum.reduce)
AMIN = Reduction("amin", merge=np.minimum.reduce)


def sum_to(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Undo broadcasting: sum over the dimensions that were added or stretched."""
    if not shape:
        o = empty((), g.dtype)
        SUM.of_floats(g, o)
        return o
    lead = g.ndim - len(shape)
    dims = tuple([i for i in range(g.ndim) if i < lead or shape[i - lead] != g.shape[i]])
    return SUM(g, dims, False).reshape(shape)


def result_dtype(input: Any, dtype: Any) -> np.dtype:
    """sum and prod of integers and bools are int64."""
    if dtype is not None:
        return dtypes.numpy_dtype(dtype)
    return input.dtype if input.dtype in dtypes.FLOATS else dtypes.INT64_NUMPY


def _as(a: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return a if a.dtype is dtype else a.astype(dtype)


# ---------------------------------------------------------------------- sums
@structured(tensors="input", on="torch Tensor", name="sum")
def sum_(input, dim=None, keepdim=False, *, dtype=None):
    return reduction_of(input.shape, dim, keepdim)[1], result_dtype(input, dtype)


@sum_.cpu
def sum_cpu(input, dim=None, keepdim=False, dtype=None):
    if dtype is None and input.dtype in FLOATS:
        if dim is not None or keepdim:
            return SUM(input, dim, keepdim)
        o = empty((), input.dtype)
        (SUM.of_floats if input.size < LARGE else SUM.large)(input, o)
        return o
    to = result_dtype(input, dtype)
    return SUM(_as(input, to), dim, keepdim, to)


@sum_.grad("input")
def sum_grad(g, input_shape, input_dtype, dim, keepdim):
    return spread(g, input_shape, dim, keepdim, 1, input_dtype)


def mean_dtype(name: str, input: Any, dtype: Any) -> np.dtype:
    to = input.dtype if dtype is None else dtypes.numpy_dtype(dtype)
    which = "Input" if dtype is None else "Optional"
    if to not in dtypes.FLOATS:
        raise RuntimeError(
            f"{name}(): could not infer output dtype. {which} dtype must be either a floating point or complex dtype. "
            f"Got: {C_NAMES[to.name]}"
        )
    return to


@structured(tensors="input", on="torch Tensor")
def mean(input, dim=None, keepdim=False, *, dtype=None):
    to = mean_dtype("mean", input, dtype)
    return reduced_shape(input.shape, reduced_dims(dim, input.ndim), keepdim), to


@mean.cpu
def mean_cpu(input, dim=None, keepdim=False, dtype=None):
    if dtype is None and input.dtype in FLOATS:
        if dim is not None or keepdim:
            return MEAN(input, dim, keepdim)
        o = empty((), input.dtype)
        (MEAN.of_floats if input.size < LARGE else MEAN.large)(input, o)
        return o
    to = mean_dtype("mean", input, dtype)
    return MEAN(_as(input, to), dim, keepdim, to)


@mean.grad("input")
def mean_grad(g, input_shape, input_dtype, dim, keepdim):
    count = product(input_shape) if dim is None else count_reduced(input_shape, dim)
    return spread(g, input_shape, dim, keepdim, count, input_dtype)


def count_reduced(shape: tuple[int, ...], dim: Any) -> int:
    """How many elements go into each result."""
    if dim is None:
        return product(shape)
    dims, _, split = reduction_of(shape, dim, False)
    return split[1] if split is not None else product([shape[i] for i in dims])


@structured(tensors="g")
def spread(g, shape, dim, keepdim, divisor, dtype):
    return shape, dtype


@spread.cpu
@silent
def spread_cpu(g, shape, dim, keepdim, divisor, dtype):
    """g / divisor for every element that went into a sum: what flows back through sum and mean."""
    o = empty(shape, dtype)
    if not g.ndim:
        o.fill(g.item() / divisor if divisor else np.nan)  # nothing to fill then
        return o
    if not keepdim:
        g = g.reshape(reduced_shape(shape, reduced_dims(dim, len(shape)), True))
    o[...] = g if divisor == 1 else g / g.dtype.type(divisor)
    return o


@spread.grad("g")
def spread_grad(g, shape, dim, keepdim, divisor, g_dtype):
    return to_dtype(sum(g, dim if len(shape) else None, keepdim), g_dtype) / (divisor or 1)  # noqa: F821


# ---------------------------------------------------------------------- products, truth
@structured(name="prod_dim", title="Prod", tensors="input")
def prod_dim(input, dim=None, keepdim=False, dtype=None):
    return reduced_shape(input.shape, reduced_dims(dim, input.ndim), keepdim), result_dtype(input, dtype)


@prod_dim.cpu
def prod_cpu(input, dim=None, keepdim=False, dtype=None):
    to = result_dtype(input, dtype)
    return PROD(_as(input, to), dim, keepdim, to)


@prod_dim.grad("input")
def prod_grad(g, input, dim, keepdim):
    return keep_dims(g, input, dim, keepdim) * prod_of_others(input, dim)  # noqa: F821


def prod_of_others_array(input: np.ndarray, dim: Any) -> np.ndarray:
    """The product of all elements but one: of those before it and those after it, so that zeros do no harm."""
    if not (input.size and input.ndim):
        return np.ones_like(input)
    dims = reduced_dims(dim, input.ndim)
    kept = [i for i in range(input.ndim) if i not in dims]
    parts, order = _found_out(input.shape, dims, False)[2], list(range(input.ndim))
    if parts is None:
        order = [*kept, *dims]
        parts = product([input.shape[i] for i in kept]), product([input.shape[i] for i in dims]), 1
    moved = contiguous(input.transpose(order))
    x, out = moved.reshape(parts), np.empty(parts, input.dtype)
    cache.load_file("cpu.scan").products_of_others(x, np.empty(parts[2], input.dtype), out)
    return contiguous(out.reshape(moved.shape).transpose(np.argsort(order))).reshape(input.shape)


def _prod_of_others_tensor(input: Any, dim: Any) -> Any:
    """The same in ops, which have gradients."""
    names = TENSOR_NAMES
    dims = reduced_dims(dim, input.ndim) if input.ndim else ()
    kept = [i for i in range(input.ndim) if i not in dims]
    moved = names["permute_dims"](input, (*kept, *dims))
    rows = names["reshape"](moved, (product([input.shape[i] for i in kept]), -1) if input.array.size else (0, 1))
    before = names["cumprod"](names["shifted"](rows, 1, 1, 1.0), 1)
    after = names["flip"](names["cumprod"](names["flip"](names["shifted"](rows, 1, -1, 1.0), (1,)), 1), (1,))
    others = names["reshape"](before * after, tuple(moved.shape))
    return names["permute_dims"](others, tuple(np.argsort([*kept, *dims]).tolist()))


ARRAY_NAMES["prod_of_others"] = prod_of_others_array
TENSOR_NAMES["prod_of_others"] = _prod_of_others_tensor


def _truth_shape(input, dim, keepdim):
    dtype = dtypes.uint8.numpy if input.dtype == np.uint8 else dtypes.BOOL_NUMPY
    return reduced_shape(input.shape, _truth_dims(dim, input.ndim), keepdim), dtype


def _truth_dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """Unlike sum, all and any reduce nothing for an empty list of dimensions."""
    dims = () if isinstance(dim, tuple) and not dim else reduced_dims(dim, ndim)
    return dims if ndim else ()


@structured(tensors="input", on="torch Tensor")
def all(input, dim=None, keepdim=False):
    return _truth_shape(input, dim, keepdim)


@all.cpu
def all_cpu(input, dim=None, keepdim=False):
    return _truth(np.logical_and, input, dim, keepdim)


@structured(tensors="input", on="torch Tensor")
def any(input, dim=None, keepdim=False):
    return _truth_shape(input, dim, keepdim)


@any.cpu
def any_cpu(input, dim=None, keepdim=False):
    return _truth(np.logical_or, input, dim, keepdim)


@structured(tensors="input")
def hash_of_bits(input, dim, keepdim):
    if input.dtype.kind == "u" and input.dtype.itemsize > 1 and input.dtype not in dtypes.HALVES:
        no_kernel("xor_sum_cpu", input)
    if not input.size and (dim is None or dim == ()):
        raise RuntimeError(
            "hash_tensor: Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
            "with the 'dim' argument."
        )
    dims = reduced_dims(dim, input.ndim)
    for d in dims if input.ndim else ():
        check(input.shape[d], f"hash_tensor: Expected reduction dim {d} to have non-zero size.", IndexError)
    return reduced_shape(input.shape, dims, keepdim), dtypes.uint64.numpy


@hash_of_bits.cpu
def hash_of_bits_cpu(input, dim, keepdim):
    shape, dtype = hash_of_bits.infer(input, dim, keepdim)
    bits = input.astype(np.float64 if input.dtype in FLOATS else np.int64).view(np.uint64)
    found = (
        bits if not input.ndim else np.bitwise_xor.reduce(bits, axis=reduced_dims(dim, input.ndim), keepdims=keepdim)
    )
    return np.asarray(found, dtype).reshape(shape)


@public("torch Tensor")
def hash_tensor(input: Tensor, dim: Any = (), *, keepdim: bool = False, mode: int = 0, out: Any = None) -> Tensor:
    """The exclusive or of the elements' bits as float64 or int64, in uint64; over the dimensions `dim`, or all.

    >>> import minitorch as torch
    >>> torch.hash_tensor(torch.tensor([[1, 2], [4, 4]]), 1)
    tensor([3, 0], dtype=torch.uint64)
    """
    check(mode == 0, f"Unknown hash_tensor mode: {mode}")
    if isinstance(dim, bool) or not (dim is None or hasattr(dim, "__index__") or isinstance(dim, (tuple, list))):
        raise TypeError(f"hash_tensor(): argument 'dim' must be tuple of ints, not {type_name(dim)}")
    if out is not None and out.dtype is not dtypes.uint64:
        raise RuntimeError(f"Expected result to be of dtype uint64, but got {C_NAMES[out.dtype.name]}")
    return into(out, "hash_tensor", op("hash_of_bits")(input, dim, keepdim))


def _truth(function: np.ufunc, input: np.ndarray, dim: Any, keepdim: bool) -> np.ndarray:
    found = function.reduce(input, axis=_truth_dims(dim, input.ndim), keepdims=keepdim)
    return np.asarray(found, np.uint8 if input.dtype == np.uint8 else np.bool_)


@structured(tensors="input", name="logsumexp_dims", title="Logsumexp")
def logsumexp_dims(input, dim, keepdim):
    float_required("logsumexp", input)
    return reduced_shape(input.shape, reduced_dims(dim, input.ndim), keepdim), input.dtype


@logsumexp_dims.cpu
def logsumexp_cpu(input, dim, keepdim):
    float_required("logsumexp", input)
    dims, shape, _ = reduction_of(input.shape, dim, keepdim)
    if not input.size:
        return np.full(shape, -np.inf, input.dtype)
    top = AMAX(input, dims if input.ndim else None, True)
    top[~np.isfinite(top)] = 0
    with np.errstate(all="ignore"):
        shifted = np.asarray(input - top)
        total = SUM(np.exp(shifted, shifted), dims if input.ndim else None, True)
        np.log(total, total)
    total += top
    return total.reshape(shape)


@logsumexp_dims.grad("input")
def logsumexp_grad(g, input, out, dim, keepdim):
    return keep_dims(g, input, dim, keepdim) * exp(input - keep_dims(out, input, dim, keepdim))  # noqa: F821


def keep_dims_array(a: np.ndarray, like: np.ndarray, dim: Any, keepdim: bool) -> np.ndarray:
    """The result of a reduction with the reduced dimensions back, as size 1."""
    return a if keepdim else a.reshape(reduced_shape(like.shape, reduced_dims(dim, like.ndim), True))


ARRAY_NAMES.update(keep_dims=keep_dims_array, count_reduced=count_reduced, product=product)
TENSOR_NAMES["product"] = product


# ---------------------------------------------------------------------- public names
@public("torch Tensor", given="dim")
def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None) -> Tensor:
    """The product of all elements, or along one dimension."""
    if dim is not None:
        dim = wrap_dim(integer(dim, "dim", "prod"), input.ndim)
    elif keepdim:
        invalid_arguments("prod", input, keepdim)
    if out is not None:
        dtype = dtype_of_out(out, dtype)
    return into(out, "prod", op("prod_dim")(input, dim, keepdim, dtype))


@public("torch Tensor")
def logsumexp(input: Tensor, dim: Any, keepdim: bool = False, *, out: Any = None) -> Tensor:
    """log(sum(exp(input))), without overflow."""
    if isinstance(dim, bool) or not hasattr(dim, "__index__"):
        dim = integers(dim, "dim", "logsumexp", 2)
        check(dim or not input.ndim, "logsumexp(): dim must name at least one dimension, but got none")
    return into(out, "logsumexp", op("logsumexp_dims")(to_float(input), dim, keepdim))
