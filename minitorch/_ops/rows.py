"""Ops on whole rows along a dimension: index_select, index_add, index_copy, index_fill."""

from typing import Any

import numpy as np

from minitorch._tensor import Tensor

from .check import c_name, check, wrap_dim
from .copies import check_overlap
from .gathering import INDEX_DTYPES, along, as_int64, contiguous, int64, without, writer
from .indexing import value_for, warn_if_expanded
from .masking import in_dtype_of
from .op import OPS, Op, structured
from .operands import tensors_only
from .positions import bits_of, first_outside, kernels
from .public import into, public

ndarray = np.ndarray


def _row_index(index: Any) -> Any:
    """The index of a row op, for NumPy: one dimension."""
    return index.reshape(1) if not index.ndim else index


@structured(tensors="input index", on="torch Tensor")
def index_select(input, dim, index):
    dim = wrap_dim(dim, input.ndim)
    check(index.ndim <= 1, "index_select(): Index is supposed to be a vector", IndexError)
    if index.dtype not in INDEX_DTYPES:
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    if not input.shape:
        if index.size != 1:
            raise RuntimeError(f"index_select(): Index to scalar can have only 1 value, got {index.size} value(s)")
        return (), input.dtype
    return (*input.shape[:dim], index.size, *input.shape[dim + 1 :]), input.dtype


@index_select.cpu
def index_select_cpu(input, dim, index):
    shape, dtype = index_select.infer(input, dim, index)
    index = _row_index(index)
    source, dim = (input, wrap_dim(dim, len(shape))) if shape else (input.reshape(1), 0)
    n = source.shape[dim]
    if dim < len(shape) - 1 and not source.flags.c_contiguous and source.strides[-1] == source.itemsize:
        if first_outside(index, 0, n) is None:  # a part of a larger array, whose rows NumPy copies where they lie
            return contiguous(source[(slice(None),) * dim + (index,)])
    out = np.empty(shape, dtype)
    if not kernels().select(bits_of(contiguous(source)), dim, as_int64(index), bits_of(out)):
        if dim and len(shape) == 2:
            raise RuntimeError(f"INDICES element is out of DATA bounds, id={first_outside(index, 0, n)} axis_dim={n}")
        raise IndexError("index out of range in self")
    return out


@index_select.grad("input")
def index_select_grad(g, input_shape, dim, index):
    return index_select_backward(g, index, input_shape, dim)


@structured(tensors="g index")
def index_select_backward(g, index, input_shape, dim):
    return input_shape, g.dtype


@index_select_backward.cpu
def index_select_backward_cpu(g, index, input_shape, dim):
    return rows_added(np.zeros(input_shape, g.dtype), g, index, dim)


@index_select_backward.grad("g")
def index_select_backward_grad(g, index, dim):
    return index_select(g, dim, index)


def rows_added(input: Any, source: Any, index: Any, dim: int) -> Any:
    """Add the rows of source to those of input, in place."""
    dim = wrap_dim(dim, input.ndim)
    index = int64(_row_index(index))
    if not source.size:
        return input
    if input.dtype == np.bool_:
        np.add.at(input, (slice(None),) * dim + (index,) if input.ndim else (), source)
        return input
    dense = np.ascontiguousarray(input) if input.ndim else input
    kernels().add_rows(
        along(dense, dim),
        index,
        along(np.ascontiguousarray(source.reshape(source.shape or (1,))), dim),
    )
    if dense is not input:
        input[...] = dense
    return input


def rows_set(input: Any, source: Any, index: Any, dim: int) -> Any:
    """Overwrite rows of input with those of source, in place."""
    if not input.ndim:
        input[...] = source.reshape(())
    elif source.size:
        input[(slice(None),) * wrap_dim(dim, input.ndim) + (_row_index(index),)] = source
    return input


def _rows_op(name: str, title: str, kernel: Any) -> Op:
    @structured(name=name, title=title, tensors="input source index", inplace=True)
    def op(input, source, index, dim):
        return input.shape, input.dtype

    op.cpu(kernel)

    @op.grad("source")
    def grad(g, index, dim):
        return index_select(g, dim, index)

    return op


INDEX_ADD = _rows_op("index_add_into", "IndexAdd", rows_added)
INDEX_COPY = _rows_op("index_copy_into", "IndexCopy", rows_set)


@INDEX_ADD.grad("input")
def index_add_grad_input(g):
    return g


@INDEX_COPY.grad("input")
def index_copy_grad_input(g, index, dim):
    return rows_cleared(g, index, dim)


@structured(tensors="g index")
def rows_cleared(g, index, dim):
    return g.shape, g.dtype


@rows_cleared.cpu
def rows_cleared_cpu(g, index, dim):
    """A copy with rows of zeros."""
    d = g.copy()
    if g.ndim:
        d[(slice(None),) * dim + (_row_index(index),)] = 0
    else:
        d[...] = 0
    return d


@rows_cleared.grad("g")
def rows_cleared_grad(g, index, dim):
    return rows_cleared(g, index, dim)


@structured(tensors="g index")
def rows_kept(g, index, dim):
    return g.shape, g.dtype


@rows_kept.cpu
def rows_kept_cpu(g, index, dim):
    """Zeros but for the rows of the index."""
    if not g.ndim:
        return g.copy() if index.size else np.zeros_like(g)
    d, rows = np.zeros_like(g), (slice(None),) * dim + (_row_index(index),)
    d[rows] = g[rows]
    return d


@rows_kept.grad("g")
def rows_kept_grad(g, index, dim):
    return rows_kept(g, index, dim)


@structured(name="index_fill_into", title="IndexFill", tensors="input value index", inplace=True)
def index_fill_into(input, value, index, dim):
    return input.shape, input.dtype


@index_fill_into.cpu
def index_fill_array(input, value, index, dim):
    if input.ndim:
        input[(slice(None),) * dim + (_row_index(index),)] = value
    elif index.size:
        input[...] = value
    return input


@index_fill_into.grad("input")
def index_fill_grad_input(g, index, dim):
    return rows_cleared(g, index, dim)


@index_fill_into.grad("value")
def index_fill_grad_value(g, index, dim):
    return sum(rows_kept(g, index, dim))


def _check_rows(
    name: str, x: Tensor, dim: int, index: Tensor, error: type[Exception], prefix: str, low: int = 0
) -> int:
    """The number of rows of x, after torch's checks of the index."""
    n = x.shape[dim] if x.ndim else 1
    bad = first_outside(index.array, low * n, n) if index.is_cpu else None
    if bad is not None:
        raise error(f"{prefix}index {bad} is out of bounds for dimension 0 with size {n}")
    return n


def check_indexed(name: str, x: Any, dim: int, index: Any, source: Any) -> None:
    """Arrays of index_add_ and index_reduce_: a row of the source for every index, as long as those of x."""
    if index.ndim > 1:
        raise IndexError(
            f"{name}(): Index is supposed to be a vector, but got dim: {index.ndim} with type: {c_name(index)} and "
            f"size: {list(index.shape)}"
        )
    if index.dtype not in INDEX_DTYPES:
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index but got: {c_name(index)}")
    if source.dtype != x.dtype:
        raise RuntimeError(f"{name}(): self ({c_name(x)}) and source ({c_name(source)}) must have the same scalar type")
    count = source.shape[dim] if source.shape else 1
    if index.size != count:
        raise RuntimeError(
            f"{name}(): Number of indices ({index.size}) should be equal to source.size(dim): ({count}), for dim: {dim}"
        )
    if without(x.shape, dim) != without(source.shape, dim) if x.ndim else source.ndim:
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
            f"{list(x.shape)} source.shape = {list(source.shape)}"
        )


@public("Tensor")
def index_add_(self: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """self[index[i]] += alpha * source[i] along dim; repeated indices add up."""
    return _index_add(self, dim, index, source, alpha, False)


def _index_add(self: Tensor, dim: int, index: Tensor, source: Tensor, alpha: Any, fresh: bool) -> Tensor:
    dim = wrap_dim(dim, self.ndim)
    try:
        i, s = index.array, source.array
    except AttributeError:
        tensors_only("index_add_", 2, index=index, source=source)
        raise
    check_indexed("index_add_", self.array, dim, i, s)
    _check_rows("index_add_", self, dim, index, RuntimeError, "")
    if not fresh:
        check_overlap(self, index, source, apart=True)
    return writer("index_add_into", fresh)(self, source if alpha == 1 else source * alpha, index, dim)


@public("torch Tensor")
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1, out: Any = None) -> Tensor:
    """index_add_ on a copy."""
    return into(
        out, "index_add", _index_add(OPS["dense"].function(input), dim, index, source, alpha, True), index, source
    )


@public("Tensor")
def index_copy_(self: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """self[index[i]] = source[i] along dim."""
    return _index_copy(self, dim, index, source, False)


def _index_copy(self: Tensor, dim: int, index: Tensor, source: Tensor, fresh: bool) -> Tensor:
    dim = wrap_dim(dim, self.ndim)
    try:
        i, s = index.array, source.array
    except AttributeError:
        tensors_only("index_copy_", 2, index=index, source=source)
        raise
    if s.dtype != self.array.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{c_name(self.array)} and (source) "
            f"{c_name(s)}"
        )
    if i.dtype != np.int64:
        raise RuntimeError(f"index_copy_(): Expected a long tensor for index, but got {c_name(i)}")
    if i.ndim >= 2:
        raise IndexError(f"index_copy_(): Index should have dimension 1 or 0 (got {i.ndim})")
    mine, theirs = ([n for k, n in enumerate(t.shape) if k != dim] for t in (self, source))
    if not (mine == theirs or not s.shape):
        raise RuntimeError(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: "
            f"{' '.join(map(str, mine))} at dimension {dim} and source slice shape: {' '.join(map(str, theirs))} at "
            "dimension 0."
        )
    count = s.shape[dim] if s.shape else 1
    if i.size != count:
        raise IndexError(f"index_copy_(): Number of indices ({i.size}) should be equal to source.size(dim) ({count})")
    _check_rows("index_copy_", self, dim, index, IndexError, "index_copy_(): ")
    check_overlap(self, index, source, apart=True)
    return writer("index_copy_into", fresh)(self, source, index, dim)


@public("torch Tensor")
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor, *, out: Any = None) -> Tensor:
    """index_copy_ on a copy."""
    return into(out, "index_copy", _index_copy(OPS["dense"].function(input), dim, index, source, True), index, source)


@public("Tensor")
def index_fill_(self: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """self[index[i]] = value along dim."""
    return _index_fill(self, dim, index, value, False)


def _index_fill(self: Tensor, dim: int, index: Tensor, value: Any, fresh: bool) -> Tensor:
    dim = wrap_dim(dim, self.ndim)
    try:
        i = index.array
    except AttributeError:
        tensors_only("index_fill_", 2, index=index)
        raise
    if isinstance(value, Tensor):
        if value.ndim != 0:
            raise RuntimeError(
                f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} "
                "dimension(s)."
            )
    check(i.dtype == np.int64, "index_fill_(): Expected dtype int64 for index.", IndexError)
    check(i.ndim < 2, "Index has to be a vector/scalar")
    _check_rows("index_fill_", self, dim, index, IndexError, "", -1)
    value = in_dtype_of(self, value_for(self, value))
    warn_if_expanded(self, "index_fill_", "tensor[mask] = scalar")
    check_overlap(self, index, internal=False, apart=True)
    return writer("index_fill_into", fresh)(self, value, index, dim)


@public("torch Tensor")
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """index_fill_ on a copy."""
    return _index_fill(OPS["clone"].function(input), dim, index, value, True)
