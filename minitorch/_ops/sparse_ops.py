"""What ops mean for sparse tensors, by the op's name: arithmetic on the values, or sums over the stored elements."""

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from minitorch._tensor import Tensor, wrap

from .check import c_name, check, wrap_dim, wrap_dims
from .op import OPS, Op, structured
from .operands import refuse_cast
from .public import FUNCTIONS, op, public
from .rows import rows_added
from .sparse import SparseTensor, flat_indices, gathered, made, nothing_stored

HANDLERS: dict[str, Callable[..., Any]] = {}

# ops of one tensor for which f(0) = 0: they apply to the values
ON_VALUES = (
    "abs", "neg", "sign", "sin", "sinh", "tan", "tanh", "asin", "asinh", "atan", "atanh", "sqrt", "square", "expm1",
    "log1p", "relu", "ceil", "floor", "trunc", "round_to_even", "erf", "positive", "pow_2", "to_copy", "clone",
    "deg2rad", "rad2deg", "isnan", "isinf", "signbit", "sgn",
)  # fmt: skip
LINEAR = "neg", "to_copy", "clone", "positive"  # of which equal indices may still be apart


def sparse_call(called: Op, args: tuple[Any, ...]) -> Any:
    """An op of which an argument is sparse."""
    handler = HANDLERS.get(called.name)
    if handler is not None:
        return handler(*args)
    if called.name in ON_VALUES:
        s = args[0] if called.name in LINEAR else args[0].coalesce()
        function = OPS[called.name].function
        result = s.with_values(function(s.sparse_values, *args[1:]))
        return s.derived(result, lambda t: function(t, *args[1:])) if called.name in LINEAR else result
    raise NotImplementedError(
        f"Could not run 'aten::{called.public_name}' with arguments from the 'SparseCPU' backend: minitorch does not "
        "implement it for sparse tensors (to_dense() gives a dense one)."
    )


def sparse_inplace(called: Op, args: tuple[Any, ...]) -> SparseTensor:
    """The in-place twin of an op whose first argument is sparse."""
    x, *others = args
    x.check_unrecorded(f"{called.public_name}_", *[a for a in others if isinstance(a, Tensor)])
    result = sparse_call(called, args)
    refuse_cast(called, result.array.dtype, x.array.dtype)
    return x.take_over(result)


def _handles(*names: str) -> Callable[[Any], Any]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        HANDLERS.update(dict.fromkeys(names, function))
        return function

    return register


# ---------------------------------------------------------------------- arithmetic
@_handles("add")
def _add(x: Tensor, y: Tensor) -> Tensor:
    if not y.is_sparse:
        raise RuntimeError("add(sparse, dense) is not supported. Use add(dense, sparse) instead.")
    if not isinstance(x, SparseTensor):
        return x + y.to_dense()
    assert isinstance(y, SparseTensor)
    if x.shape != y.shape:
        raise RuntimeError(
            f"add: expected sizes of 'self' and 'other' to match, but {list(x.shape)} != {list(y.shape)}"
        )
    cat, dtype = FUNCTIONS["cat"], FUNCTIONS["result_type"](x.sparse_values, y.sparse_values)
    values = cat([x.sparse_values.to(dtype), y.sparse_values.to(dtype)])
    both = made(cat([x.sparse_indices, y.sparse_indices], 1), values, x.array.shape, False)
    if any(t.everywhere() is not None for t in (x, y)):
        both.source = lambda: _dense_for_gradients(x) + _dense_for_gradients(y)
    return both.coalesce() if x.coalesced and y.coalesced else both


def _dense_for_gradients(s: Any) -> Tensor:
    dense = s.everywhere()
    return s.to_dense() if dense is None else dense


@_handles("sub")
def _sub(x: Tensor, y: Tensor) -> Tensor:
    return _add(x, -y) if y.is_sparse else _add(x, y)


@_handles("add_scaled")
def _add_scaled(x: Tensor, y: Tensor, alpha: Any = 1) -> Tensor:
    return _add(x, y * alpha)


@_handles("sub_scaled")
def _sub_scaled(x: Tensor, y: Tensor, alpha: Any = 1) -> Tensor:
    return _sub(x, y * alpha)


@_handles("mul")
def _mul(x: Tensor, y: Tensor) -> Tensor:
    if not isinstance(x, SparseTensor):
        return _mul(y, x)
    if not y.ndim and not y.is_sparse:
        number = y.detach()
        return x.derived(x.with_values(x.sparse_values * y), lambda dense: dense * number)
    if not isinstance(y, SparseTensor):
        return x.with_values(x.sparse_values * gathered(op("expand_to")(y, x.array.shape), x))
    x, y = x.coalesce(), y.coalesce()
    if x.shape != y.shape:
        raise RuntimeError(f"mul operands have incompatible sizes: {list(x.shape)} != {list(y.shape)}")
    _, i, j = np.intersect1d(flat_indices(x), flat_indices(y), assume_unique=True, return_indices=True)
    take, first, second = FUNCTIONS["index_select"], wrap(i.astype(np.int64)), wrap(j.astype(np.int64))
    values = take(x.sparse_values, 0, first) * take(y.sparse_values, 0, second)
    return made(take(x.sparse_indices, 1, first), values, x.array.shape, True)


@_handles("div")
def _div(x: Tensor, y: Tensor) -> Tensor:
    if y.is_sparse or y.ndim:
        raise RuntimeError(
            "Sparse division requires a scalar or zero-dim dense tensor divisor (got "
            + ("a sparse divisor)" if y.is_sparse else f"shape {list(y.shape)} for divisor)")
        )
    assert isinstance(x, SparseTensor)
    number = y.detach()
    return x.derived(x.with_values(x.sparse_values / y), lambda dense: dense / number)


# ---------------------------------------------------------------------- shape
@_handles("transpose")
def _transpose(s: SparseTensor, dim0: int, dim1: int) -> SparseTensor:
    order = list(range(s.ndim))
    i, j = wrap_dims((dim0,), s.ndim)[0], wrap_dims((dim1,), s.ndim)[0]
    order[i], order[j] = j, i
    return _permute(s, order)


@_handles("t")
def _t(s: SparseTensor) -> SparseTensor:
    if s.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 sparse and 0 dense dimensions, but self is {s.ndim}D")
    return _permute(s, list(reversed(range(s.ndim))))


@_handles("permute_dims")
def _permute(s: SparseTensor, dims: Any) -> SparseTensor:
    dims, k = list(wrap_dims(dims, s.ndim)), s.sparse_dim()
    check(sorted(dims[:k]) == list(range(k)), "transpositions between sparse and dense dimensions are not supported")
    indices = wrap(np.ascontiguousarray(s.sparse_indices.array[dims[:k]]))
    values = op("permute_dims")(s.sparse_values, (0, *[d - k + 1 for d in dims[k:]]))
    same = dims[:k] == list(range(k))
    result = made(indices, values, tuple(s.array.shape[d] for d in dims), s.coalesced and same)
    return s.derived(result, lambda dense: op("permute_dims")(dense, dims))


@_handles("select")
def _select(s: SparseTensor, dim: int, index: int) -> SparseTensor:
    dim, n = wrap_dims((dim,), s.ndim)[0], s.shape[dim]
    if not -n <= index < n:
        raise IndexError(f"select(): index {index} out of range for tensor of size {list(s.shape)} at dimension {dim}")
    k, shape = s.sparse_dim(), (*s.array.shape[:dim], *s.array.shape[dim + 1 :])
    if dim >= k:
        return made(s.sparse_indices, op("select")(s.sparse_values, dim - k + 1, index), shape, s.coalesced)
    indices = s.sparse_indices.array
    chosen = np.flatnonzero(indices[dim] == index % n)
    values = FUNCTIONS["index_select"](s.sparse_values, 0, wrap(chosen.astype(np.int64)))
    if k == 1:
        return op("sum")(values, 0)
    rest = np.ascontiguousarray(np.delete(indices, dim, 0)[:, chosen])
    return made(wrap(rest), values, shape, chosen.size < 2)


@_handles("unsqueeze")
def _unsqueeze(s: SparseTensor, dim: int) -> SparseTensor:
    dim, k = wrap_dim(dim, s.ndim + 1), s.sparse_dim()
    shape, indices, values = (*s.array.shape[:dim], 1, *s.array.shape[dim:]), s.sparse_indices, s.sparse_values
    if dim <= k:
        indices = wrap(np.insert(indices.array, dim, 0, 0))
    else:
        values = op("unsqueeze")(values, dim - k + 1)
    return s.derived(made(indices, values, shape, False), lambda dense: op("unsqueeze")(dense, dim))


@_handles("index_select")
def _index_select(s: SparseTensor, dim: int, index: Tensor) -> SparseTensor:
    dim, k = wrap_dim(dim, s.ndim), s.sparse_dim()
    shape = (*s.array.shape[:dim], index.numel(), *s.array.shape[dim + 1 :])
    if dim >= k:
        values = FUNCTIONS["index_select"](s.sparse_values, dim - k + 1, index)
        return made(s.sparse_indices, values, shape, False)
    wanted = index.array.reshape(-1)
    check((wanted >= 0).all() and (wanted < s.shape[dim]).all(), "index_select(): index out of range", IndexError)
    place, chosen = np.nonzero(wanted[:, None] == s.sparse_indices.array[dim])
    indices = s.sparse_indices.array[:, chosen]
    indices[dim] = place
    return made(wrap(indices), FUNCTIONS["index_select"](s.sparse_values, 0, wrap(chosen)), shape, False)


@_handles("expand_to", "repeat_sizes")
def _expand(s: SparseTensor, *args: Any) -> NoReturn:
    raise RuntimeError("expand is unsupported for Sparse tensors")


@_handles("zero")
def _zero(s: SparseTensor) -> SparseTensor:
    return nothing_stored(s.array.shape, s.sparse_dim(), s.dtype)


def sparse_cat(tensors: list[Tensor], dim: int) -> SparseTensor:
    """Sparse tensors one after another along dim."""
    first = next(t for t in tensors if isinstance(t, SparseTensor))
    dim, k, before = wrap_dim(dim, first.ndim), first.sparse_dim(), 0
    others, indices, values = (*first.array.shape[:dim], *first.array.shape[dim + 1 :]), [], []
    for at, t in enumerate(tensors):
        if not isinstance(t, SparseTensor):
            raise RuntimeError(f"Concatenating sparse tensors, but a dense tensor was found at position {at}.")
        if (t.sparse_dim(), t.dense_dim()) != (k, first.dense_dim()):
            raise RuntimeError(
                f"All tensors must have the same sparse_dim and dense_dim: {k}, {first.dense_dim()}, but tensor at "
                f"position {at} has {t.sparse_dim()}, {t.dense_dim()}."
            )
        shape, block, ahead = t.array.shape, t.sparse_values, t.sparse_indices
        if (*shape[:dim], *shape[dim + 1 :]) != others:
            raise RuntimeError(
                f"All tensors must have the same shape: {list(first.shape)} (except in the concatenating dimension), "
                f"but found shape: {list(shape)} at position {at}."
            )
        if dim < k:
            ahead = ahead.clone()
            ahead[dim] += before
        indices.append(ahead)
        values.append(block)
        before += shape[dim]
    if dim >= k:
        values = _with_zeros_around(values, dim - k + 1)
    shape = (*first.array.shape[:dim], before, *first.array.shape[dim + 1 :])
    joined = made(FUNCTIONS["cat"](indices, 1), FUNCTIONS["cat"](values), shape, False)
    if any(t.everywhere() is not None for t in tensors):
        joined.source = lambda: FUNCTIONS["cat"]([_dense_for_gradients(t) for t in tensors], dim)
    return joined


def _with_zeros_around(blocks: list[Tensor], dim: int) -> list[Tensor]:
    """Each block at its place along dim among zeros."""
    lengths = [b.shape[dim] for b in blocks]
    return [
        FUNCTIONS["cat"](
            [b if j == i else b.new_zeros((*b.shape[:dim], n, *b.shape[dim + 1 :])) for j, n in enumerate(lengths)], dim
        )
        for i, b in enumerate(blocks)
    ]


@_handles("basic_select")
def _basic_select(s: SparseTensor, index: tuple[Any, ...]) -> Tensor:
    """x[i], x[:, i]: numbers, and whole dimensions."""
    dim, result = 0, s
    for i in index:
        if isinstance(i, int):
            result = result.select(dim, i)
        elif i is Ellipsis or i == slice(None):
            dim += 1
        else:
            raise NotImplementedError("indexing by slices is not supported for sparse tensors")
    return result


# ---------------------------------------------------------------------- sums
@_handles("any")
def _any(s: SparseTensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    check(dim is None, "any: dim= is not supported for sparse tensors", NotImplementedError)
    return op("any")(s.coalesce().sparse_values)


@_handles("norm_of_vectors")
def _norm(s: SparseTensor, ord: float, dim: Any, keepdim: bool) -> Tensor:
    check(
        dim is None or len(dim) in (0, s.ndim),
        "norm_sparse currently only supports full reductions, so 'dim' must either be empty or contain all "
        "dimensions of the input",
    )
    return op("norm_of_vectors")(s.coalesce().sparse_values, ord, None, keepdim)


@_handles("sum")
def _full_sum(s: SparseTensor, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The sum; its gradient is that of all elements where torch's is."""
    result, everywhere = _sum(s, dim, keepdim, dtype), s.everywhere()
    if everywhere is None or result.is_sparse:
        return result
    return result.detach() + op("sum")(everywhere - everywhere.detach(), dtype=dtype)


def _sum(s: SparseTensor, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    if keepdim:
        raise NotImplementedError("sum: keepdim=True is not supported for sparse tensors")
    if dim is None or dim == ():
        return op("sum")(s.sparse_values, dtype=dtype)
    dims = wrap_dims(dim if isinstance(dim, (tuple, list)) else (dim,), s.ndim)
    k = s.sparse_dim()
    dense = tuple(d - k + 1 for d in dims if d >= k)
    values = op("sum")(s.sparse_values, dense, dtype=dtype) if dense else s.sparse_values
    values = values if dtype is None else values.to(dtype)
    shape = tuple(n for i, n in enumerate(s.array.shape) if i not in dims)
    left = [i for i in range(k) if i not in dims]
    if not left:
        return op("sum")(values, 0)
    if len(left) == k:
        return made(s.sparse_indices, values, shape, s.coalesced)
    return made(wrap(s.sparse_indices.array[left]), values, shape, False).coalesce()


@public("sparse", name="sum")
def sparse_sum(input: Any, dim: Any = None, dtype: Any = None) -> Tensor:
    """The sum of a sparse tensor: dense if no sparse dimension is left, else sparse."""
    return _sum(input, dim, False, dtype)


# ---------------------------------------------------------------------- products
@structured(tensors="dense values mat2 row column", title="Mm")
def unmasked_mm(dense, values, mat2, row, column):
    """The sparse matrix of values at (row, column), times mat2; `dense` is where the matrix's gradient goes."""
    return (dense.shape[0], mat2.shape[1]), values.dtype


@unmasked_mm.cpu
def unmasked_mm_cpu(dense, values, mat2, row, column):
    product = np.zeros((dense.shape[0], mat2.shape[1]), values.dtype)
    return rows_added(product, mat2[column] * values[:, None], row, 0)


@unmasked_mm.grad("dense")
def unmasked_mm_grad_dense(g, mat2):
    return product_nt(g, mat2)  # noqa: F821


@unmasked_mm.grad("mat2")
def unmasked_mm_grad_mat2(g, dense, values, row, column):
    return unmasked_mm(t(dense), values, g, column, row)  # noqa: F821


def _check_mm(x: Tensor, y: Tensor) -> None:
    if not (x.ndim == 2 and x.sparse_dim() == 2):
        raise RuntimeError(f"addmm: matrices expected, got {x.ndim}D tensor")
    if y.ndim != 2:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-y.ndim}, {y.ndim - 1}], but got 1)"
        )  # fmt: skip
    if x.shape[1] != y.shape[0]:
        raise RuntimeError(f"addmm: Argument #3 (dense): Expected dim 0 size {x.shape[1]}, got {y.shape[0]}")
    if x.dtype != y.dtype:
        raise RuntimeError(f"expected scalar type {c_name(x.array)} but found {c_name(y.array)}")


@_handles("mm")
def _mm(x: Tensor, y: Tensor, masked: bool = False) -> Tensor:
    """The product; with `masked` a sparse operand's gradient has its stored elements only."""
    if not isinstance(x, SparseTensor):
        return _mm(y.t(), x.t(), masked).t()
    _check_mm(x, y)
    if isinstance(y, SparseTensor):
        return _sparse_product(x, y)
    row, column = x.sparse_indices
    everywhere = None if masked else x.everywhere()
    if everywhere is not None:
        return op("unmasked_mm")(everywhere, x.sparse_values.detach(), y, row, column)
    terms = FUNCTIONS["index_select"](y, 0, column) * op("unsqueeze")(x.sparse_values, 1)
    return FUNCTIONS["index_add"](y.new_zeros((x.shape[0], y.shape[1])), 0, row, terms)


def _sparse_product(x: SparseTensor, y: SparseTensor) -> SparseTensor:
    """Every stored (i, k) of x meets every stored (k, j) of y."""
    x, y = x.coalesce(), y.coalesce()
    (i, k), (rows, j) = x.sparse_indices.array, y.sparse_indices.array
    first, last = np.searchsorted(rows, k), np.searchsorted(rows, k, "right")
    count = last - first
    left = np.repeat(np.arange(len(k)), count)
    right = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    take = FUNCTIONS["index_select"]
    values = take(x.sparse_values, 0, wrap(left)) * take(y.sparse_values, 0, wrap(right))
    return made(wrap(np.stack([i[left], j[right]])), values, (x.shape[0], y.shape[1]), False).coalesce()


@_handles("mv")
def _mv(x: Tensor, y: Tensor) -> Tensor:
    return op("squeeze_dims")(_mm(x, op("unsqueeze")(y, 1)), (1,))


@_handles("addmm")
def _addmm(input: Tensor, mat1: Tensor, mat2: Tensor, beta: Any = 1, alpha: Any = 1, masked: bool = False) -> Tensor:
    product = _mm(mat1, mat2, masked)
    product = product if alpha == 1 else product * alpha
    return product if beta == 0 else (input if beta == 1 else input * beta) + product


@_handles("bmm")
def _bmm(x: Tensor, y: Tensor) -> Tensor:
    """The products of a batch of sparse matrices and dense ones."""
    check(not y.is_sparse, "bmm_sparse: Tensor 'mat2' must be dense")
    assert isinstance(x, SparseTensor)
    if x.sparse_dim() != 3:
        raise RuntimeError(f"bmm_sparse: Tensor 'self' must have 3 sparse dims, but has {x.sparse_dim()}")
    if y.ndim != 3:
        raise RuntimeError(f"bmm_sparse: Tensor 'mat2' must have 3 dims, but has {y.ndim}")
    for i, j in ((0, 0), (2, 1)):
        check(x.shape[i] == y.shape[j], f"bmm_sparse: 'self.size({i})' and 'mat2.size({j})' must match")
    if x.dtype != y.dtype:
        raise RuntimeError(f"expected scalar type {c_name(x.array)} but found {c_name(y.array)}")
    everywhere = x.everywhere()
    if everywhere is not None:  # the gradient is dense, and so may be the product: `everywhere` adds 0 to it
        return op("bmm")(x.detach().to_dense() + (everywhere - everywhere.detach()), y)
    batch, row, column = x.sparse_indices
    (count, rows, columns), width = x.array.shape, y.shape[2]
    terms = FUNCTIONS["index_select"](y.reshape(-1, width), 0, batch * columns + column)
    product = y.new_zeros((count * rows, width))
    product = FUNCTIONS["index_add"](product, 0, batch * rows + row, terms * op("unsqueeze")(x.sparse_values, 1))
    return product.reshape(count, rows, width)


@public("torch", "dsmm", name="spmm")
def spmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Same as torch.mm, for a sparse matrix and a dense one: the sparse one's gradient is dense."""
    return op("mm")(input, mat2)


@public("sparse", name="mm")
def sparse_mm(mat1: Tensor, mat2: Tensor, reduce: str | None = None) -> Tensor:
    """The product of a sparse matrix and another; sparse if both are. So is the gradient for the sparse one.

    >>> import minitorch as torch
    >>> torch.sparse.mm(torch.eye(2).to_sparse(), torch.ones(2, 2))
    tensor([[1., 1.],
            [1., 1.]])
    """
    check(reduce is None, "sparse.mm: reduce= is for CSR matrices, which minitorch lacks", NotImplementedError)
    return _mm(mat1, mat2, masked=True) if mat1.is_sparse or mat2.is_sparse else op("mm")(mat1, mat2)


@public("sparse", name="addmm")
def sparse_addmm(mat: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1.0, alpha: Any = 1.0) -> Tensor:
    """beta * mat + alpha * (mat1 @ mat2), for a sparse mat1."""
    return _addmm(mat, mat1, mat2, beta, alpha, masked=True)


def _not_implemented(on: str, names: str, remedy: str = "") -> None:
    def refuse(name: str) -> Callable[..., NoReturn]:
        def function(*args: Any, **kwargs: Any) -> NoReturn:
            raise NotImplementedError(f"{name} is not supported by minitorch{remedy}")

        function.__name__ = function.__qualname__ = name.rpartition(".")[2]
        function.__doc__ = "Not implemented."
        return function

    place = "torch.sparse" if on == "sparse" else "torch"
    for name in names.split():
        public(on)(refuse(f"{place}.{name}"))


_not_implemented("sparse", "softmax log_softmax spdiags sampled_addmm spsolve")
_SPARSE_RESULT = ", which has no products of sparse and dense matrices with a sparse result: torch.sparse.mm's is dense"
_not_implemented("torch", "hspmm", _SPARSE_RESULT)
_not_implemented("torch Tensor", "smm sspaddmm", _SPARSE_RESULT)
