"""Sparse tensors in coordinate form: indices and values, each a Tensor, so that gradients flow through the values.

An op that meets a sparse tensor is looked up in `sparse_ops.py` by `apply`; what is not there is not implemented.
"""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._creation import tensor
from minitorch._kernels.sparse_array import SparseArray
from minitorch._layout import layout
from minitorch._tensor import Tensor, disabled_torch_function, new, wrap
from minitorch.autograd.grad_mode import state

from .check import check, integer, non_negative, sizes
from .op import view
from .public import FUNCTIONS, op, public
from .shapes import reshape

sparse_coo = layout("sparse_coo")
sparse_csr, sparse_csc = layout("sparse_csr"), layout("sparse_csc")
sparse_bsr, sparse_bsc = layout("sparse_bsr"), layout("sparse_bsc")


class SparseTensor(Tensor):
    """A tensor of which only `_nnz()` elements (or blocks of the dense dimensions) are stored.

    Its place in the graph is that of its values. torch's products of other than `torch.sparse` have gradients for the
    elements not stored too: these flow to the tensor that `everywhere()` gives.
    """

    __torch_function__ = staticmethod(disabled_torch_function)

    sparse_indices: Tensor  # (sparse_dim, nnz) of int64
    sparse_values: Tensor  # (nnz, *dense dimensions)
    coalesced: bool  # whether the indices are sorted and each stands there once
    source: Callable[[], Tensor] | None  # the dense tensor it is made from, for the sake of its place in the graph
    unmasked_leaf: Tensor | None  # of a leaf: that dense tensor, if there has been need of one

    edge = property(lambda self: self.sparse_values.edge, lambda self, value: None)
    layout = property(lambda self: sparse_coo)
    is_sparse = property(lambda self: True)
    is_cpu = property(lambda self: True)
    is_leaf = property(lambda self: self.sparse_values.is_leaf)
    grad_fn = property(lambda self: self.sparse_values.grad_fn)

    @property
    def requires_grad(self) -> bool:
        return self.sparse_values.requires_grad

    @requires_grad.setter
    def requires_grad(self, flag: bool) -> None:
        self.sparse_values.requires_grad = flag

    @property
    def grad(self) -> Any:
        return self.gradient(*[None if leaf is None else leaf.grad for leaf in self.leaves()])

    @grad.setter
    def grad(self, value: Any) -> None:
        check(value is None, "a sparse tensor's grad can only be set to None", NotImplementedError)
        for leaf in self.leaves():
            if leaf is not None:
                leaf.grad = None

    def leaves(self) -> tuple[Tensor, Tensor | None]:
        """What gradients gather at: its values, and what stands for all elements."""
        return self.sparse_values, self.unmasked_leaf

    def gradient(self, of_values: Tensor | None, of_all: Tensor | None) -> Tensor | None:
        """Its gradient from those of its `leaves()`: sparse, or dense where all elements have one."""
        if of_values is None:
            return of_all
        # places with several stored values have the same gradient in each of them
        _, first = np.unique(flat_indices(self), return_index=True)
        take, chosen = FUNCTIONS["index_select"], wrap(first.astype(np.int64))
        indices, values = take(self.sparse_indices, 1, chosen), take(of_values, 0, chosen)
        stored = made(indices, values, self.array.shape, True)
        return stored if of_all is None else of_all + stored

    def everywhere(self) -> Tensor | None:
        """A dense tensor through which gradients of all elements flow; its numbers are not for use.

        None if the values take all that there is: they come from nowhere, or from a tensor of values.
        """
        if self.source is not None:
            return self.source()
        if not (self.requires_grad and self.is_leaf):
            return None
        if self.unmasked_leaf is None:
            zero = self.sparse_values.new_zeros(())
            self.unmasked_leaf = zero.expand(self.array.shape).detach().requires_grad_()
        return self.unmasked_leaf

    def derived(self, other: "SparseTensor", change: Callable[[Any], Tensor]) -> "SparseTensor":
        """`other`, made from this one by a linear function that `change` is for dense tensors."""
        if self.requires_grad and (self.source is not None or self.is_leaf):
            other.source = lambda: change(self.everywhere())
        return other

    # ------------------------------------------------------------------ its parts
    def _indices(self) -> Tensor:
        return self.sparse_indices

    def _values(self) -> Tensor:
        return self.sparse_values.detach()

    def _nnz(self) -> int:
        return self.sparse_indices.shape[1]

    def indices(self) -> Tensor:
        check(self.coalesced, "Cannot get indices on an uncoalesced tensor, please call .coalesce() first")
        return self.sparse_indices

    def values(self) -> Tensor:
        check(self.coalesced, "Cannot get values on an uncoalesced tensor, please call .coalesce() first")
        return self.sparse_values

    def sparse_dim(self) -> int:
        return self.sparse_indices.shape[0]

    def dense_dim(self) -> int:
        return self.sparse_values.ndim - 1

    def is_coalesced(self) -> bool:
        return self.coalesced

    def is_contiguous(self, *args: Any, **kwargs: Any) -> bool:
        return False

    # ------------------------------------------------------------------ in other forms
    def coalesce(self) -> "SparseTensor":
        """The same tensor with sorted indices, each once; values of equal indices are added."""
        if self.coalesced:
            return self
        shape = self.array.shape[: self.sparse_dim()]
        flat, where = np.unique(flat_indices(self), return_inverse=True)
        zeros = self.sparse_values.new_zeros((len(flat), *self.sparse_values.shape[1:]))
        values = FUNCTIONS["index_add"](zeros, 0, wrap(where.reshape(-1).astype(np.int64)), self.sparse_values)
        indices = np.array(np.unravel_index(flat, shape) if shape else np.zeros((0, len(flat))), np.int64)
        return self.derived(made(wrap(indices), values, self.array.shape, True), lambda dense: dense)

    def to_dense(self, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
        """The tensor with all its zeros."""
        check(dtype is None, "dtype argument is not supported by sparse_to_dense")
        k = self.sparse_dim()
        shape, values = self.array.shape, self.sparse_values
        zeros = values.new_zeros((prod(shape[:k]), *shape[k:]))
        dense = FUNCTIONS["index_add"](zeros, 0, wrap(flat_indices(self)), values)
        return reshape(dense, shape)

    def to_sparse(
        self, sparse_dim: Any = None, *, layout: Any = None, blocksize: Any = None, dense_dim: Any = None
    ) -> Any:
        _only_coo(layout)
        if sparse_dim is None or sparse_dim == self.sparse_dim():
            return self
        return self.to_dense().to_sparse(sparse_dim)

    def detach(self) -> "SparseTensor":
        return made(self.sparse_indices, self.sparse_values.detach(), self.array.shape, self.coalesced)

    def with_values(self, values: Tensor) -> "SparseTensor":
        """A sparse tensor with other values at the same indices."""
        return made(self.sparse_indices, values, self.array.shape, self.coalesced)

    def take_over(self, other: "SparseTensor") -> "SparseTensor":
        """Become what `other` is: a write to all of this tensor, which whoever holds its values does not see."""
        self.sparse_indices, self.coalesced = other.sparse_indices, other.coalesced
        self.sparse_values = other.sparse_values.detach().to(self.dtype)
        return self

    def check_unrecorded(self, name: str, *others: Any) -> None:
        """Refuse a write that would be recorded."""
        if state.grad and any(t.requires_grad for t in (self, *others)):
            if self.is_leaf and self.requires_grad:
                raise RuntimeError(
                    "a leaf Variable that requires grad is being used in an in-place operation.\n"
                    f"Write to it under torch.no_grad(): {name} of sparse tensors"
                )
            raise NotImplementedError(f"{name}: minitorch records no writes to sparse tensors")

    def copy_(self, src: Any, non_blocking: bool = False) -> "SparseTensor":
        if not src.is_sparse:
            raise RuntimeError(
                "copy_() between dense and sparse Tensors is not implemented! "
                f"Found self type = {self.type()} and src type = {src.type()}"
            )
        self.check_unrecorded("copy_", src)
        return self.take_over(src.clone())

    def to(self, *args: Any, **kwargs: Any) -> "SparseTensor":
        values = self.sparse_values.to(*args, **kwargs)
        _only_on_cpu("to", values)
        return self.with_values(values)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        from minitorch._tensor_str import sparse_repr

        return sparse_repr(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return made, (self.sparse_indices, self.sparse_values, self.array.shape, self.coalesced)

    def __deepcopy__(self, memo: Any) -> "SparseTensor":
        from copy import deepcopy

        indices, values = deepcopy(self.sparse_indices, memo), deepcopy(self.sparse_values, memo)
        return made(indices, values, self.array.shape, self.coalesced)

    def register_hook(self, hook: Any) -> Any:
        raise NotImplementedError("register_hook: not supported by minitorch for sparse tensors, but for their values")

    # ------------------------------------------------------------------ what torch refuses
    def numpy(self, *, force: bool = False) -> Any:
        raise TypeError("can't convert Sparse layout tensor to numpy. Use Tensor.to_dense() first.")

    def tolist(self) -> Any:
        raise RuntimeError("Cannot access data pointer of Tensor that doesn't have storage")

    data_ptr = tolist

    def untyped_storage(self) -> Any:
        raise NotImplementedError("Cannot access storage of SparseTensorImpl")

    def new_zeros(self, *size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
        shape = sizes(size)
        return nothing_stored(shape, len(shape), dtype or self.dtype).requires_grad_(requires_grad)

    new_empty = new_zeros

    def new_ones(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("new_ones() and new_full() are not implemented for sparse tensors")

    new_full = new_ones

    def contiguous(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("unsupported memory format option Contiguous")

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError("Cannot assign to a sparse tensor")

    def stride(self, dim: int | None = None) -> Any:
        """Zeros, as torch says."""
        strides = (0,) * self.ndim
        return strides if dim is None else strides[dim]

    def __iter__(self) -> Iterator[Tensor]:
        return iter([self.select(0, i) for i in range(self.array.shape[0])])


def nothing_stored(shape: tuple[int, ...], sparse_dim: int, dtype: Any) -> SparseTensor:
    """A sparse tensor of zeros."""
    values = tensor(np.zeros((0, *shape[sparse_dim:])), dtype=dtype)
    return made(tensor(np.zeros((sparse_dim, 0), np.int64)), values, shape, True)


def sparse_like(name: str, s: Any, dtype: Any) -> SparseTensor:
    """zeros_like and empty_like of a sparse tensor; the others would store every element."""
    check(name in ("zeros_like", "empty_like"), f"{name}() is not implemented for sparse tensors", NotImplementedError)
    return nothing_stored(s.array.shape, s.sparse_dim(), dtype or s.dtype)


def made(indices: Tensor, values: Tensor, shape: tuple[int, ...], coalesced: bool) -> SparseTensor:
    """The sparse tensor of parts that fit together."""
    t = new(SparseTensor)
    t.array, t.version, t.base, t._grad = SparseArray(tuple(shape), values.array.dtype), [0], None, None
    t.sparse_indices, t.sparse_values, t.coalesced = indices, values, coalesced
    t.source = t.unmasked_leaf = None
    return t


def flat_indices(s: SparseTensor) -> np.ndarray:
    """The stored indices as places among the sparse dimensions' elements."""
    shape, indices = s.array.shape[: s.sparse_dim()], s.sparse_indices.array
    if not shape:
        return np.zeros(indices.shape[1], np.int64)
    return np.asarray(np.ravel_multi_index(tuple(indices), shape), np.int64) if indices.size else indices[0].copy()


# ---------------------------------------------------------------------- making them
@view(name="stored_values", title="SparseCooTensorWithDimsAndTensors", tensors="values")
def stored_values(values):
    return values[...]


@stored_values.grad("values")
def stored_values_grad(g):
    return g


def _only_coo(wanted: Any) -> None:
    if wanted not in (None, sparse_coo):
        raise NotImplementedError(f"layout={wanted} is not supported by minitorch: sparse tensors are torch.sparse_coo")


def _only_on_cpu(name: str, *tensors: Tensor) -> None:
    """Refuse tensors of a GPU or without memory, which the functions here cannot read."""
    for t in tensors:
        if not t.is_cpu:
            raise NotImplementedError(
                f"{name}() is not implemented for device '{t.device.type}' by minitorch: its sparse tensors are on the "
                "CPU"
            )


@public("torch")
def sparse_coo_tensor(
    indices: Any = None,
    values: Any = None,
    size: Any = None,
    *,
    dtype: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> SparseTensor:
    """A sparse tensor from indices (sparse_dim, nnz) and values (nnz, ...); equal indices add up.

    The indices are always checked.

    >>> import minitorch as torch
    >>> torch.sparse_coo_tensor([[0, 1], [2, 0]], [3.0, 4.0], (2, 3)).to_dense()
    tensor([[0., 0., 3.],
            [4., 0., 0.]])
    """
    if values is None:  # sparse_coo_tensor(size)
        size = tuple(indices if size is None else size)
        indices, values = tensor(np.zeros((len(size), 0), np.int64)), tensor([], dtype=dtype, device=device)
    given = isinstance(values, Tensor)
    values = values if given else tensor(values, dtype=dtype, device=device)
    values = values if dtype is None or values.dtype is dtype else values.to(dtype)
    indices = (indices.detach() if isinstance(indices, Tensor) else tensor(indices)).to(dtypes.int64)
    indices = indices if indices.ndim != 1 or not indices.numel() else op("unsqueeze")(indices, -1)
    _only_on_cpu("sparse_coo_tensor", indices, values)
    size = _checked_size(indices, values, size)
    if requires_grad:
        values = values.detach().clone().requires_grad_()
    elif values.requires_grad:
        values = op("stored_values")(values)
    return made(indices, values, size, indices.shape[1] < 2 if is_coalesced is None else is_coalesced)


def _checked_size(indices: Tensor, values: Tensor, size: Any) -> tuple[int, ...]:
    if indices.ndim != 2:
        raise RuntimeError(f"indices must be sparse_dim x nnz, but got: {list(indices.shape)}")
    k, nnz = indices.shape
    n = values.shape[0] if values.ndim else 1
    known = None if size is None else non_negative(tuple(size))
    dense = values.ndim - 1
    if not (known is None or len(known) == k + dense):
        raise RuntimeError(
            f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(known or ())}, sparse_dim = "
            f"{k}, dense_dim = {dense}"
        )
    if n != nnz:
        raise RuntimeError(
            f"indices and values must have same nnz, but got nnz from indices: {nnz}, nnz from values: {n}"
        )
    array = indices.array
    low, high = (array.min(1), array.max(1)) if nnz else (np.zeros(k, int), np.full(k, -1))
    for i, n in enumerate(low):
        if not n >= 0:
            raise RuntimeError(f"found negative index {n} for dim {i}")
    if known is None:
        return (*(high + 1).tolist(), *values.shape[1:])
    for i, n in enumerate(high):
        if not n < known[i]:
            raise RuntimeError(
                f"size is inconsistent with indices: for dim {i}, size is {known[i]} but found index {n}"
            )
    block = (nnz, *known[k:])
    if tuple(values.shape) != block:
        raise RuntimeError(f"values has incorrect size, expected {list(block)}, got {list(values.shape)}")
    return known


def _refused(name: str, kind: str) -> None:
    def function(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{name}: layout torch.{kind} is not supported by minitorch")

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Not implemented: of the sparse layouts only torch.sparse_coo is, not torch.{kind}."
    public("Tensor" if name.startswith("to_") else "torch")(function)


for _kind in ("sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc"):
    _refused(f"{_kind}_tensor", _kind)
    _refused(f"to_{_kind}", _kind)


# ---------------------------------------------------------------------- methods of dense tensors
@public("Tensor")
def to_sparse_coo(self: Tensor) -> SparseTensor:
    """The same as `to_sparse()`, the one layout there is."""
    return self.to_sparse()


@public("Tensor")
def to_dense(self: Tensor, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
    """The tensor itself: it is dense already."""
    return self if dtype is None else self.to(dtype)


@public("Tensor")
def to_sparse(
    self: Tensor, sparse_dim: int | None = None, *, layout: Any = None, blocksize: Any = None, dense_dim: Any = None
) -> SparseTensor:
    """The coalesced sparse tensor of the elements (or of the blocks behind the first sparse_dim dimensions) not 0."""
    _only_coo(layout)
    _only_on_cpu("to_sparse", self)
    check(blocksize is None, "to_sparse: blocksize is for block layouts, which minitorch lacks", NotImplementedError)
    k = self.ndim if sparse_dim is None else integer(sparse_dim, "sparse_dim", "to_sparse")
    k = self.ndim - dense_dim if sparse_dim is None and dense_dim else k
    if not 0 <= k <= self.ndim:
        raise RuntimeError(f"dense_to_sparse: sparse_dim argument must be in [0,{self.ndim}] range, but {k} is given")
    check(k or not self.ndim, "dense_to_sparse: sparse_dim argument must be in >0 when self.dim()>0")
    shape = tuple(self.shape)
    array = self.detach().to_dense().array
    kept = (array != 0).any(tuple(range(k, self.ndim))) if k < self.ndim else array != 0
    indices = np.array(np.nonzero(kept) if k else np.zeros((0, int(kept)), np.int64), np.int64)
    flat = wrap(np.flatnonzero(kept).astype(np.int64))
    blocks = reshape(self, prod(shape[:k]), *shape[k:])
    stored = made(wrap(indices), FUNCTIONS["index_select"](blocks, 0, flat), shape, True)
    stored.source = (lambda: self) if stored.requires_grad else None
    return stored


@public("Tensor")
def sparse_mask(self: Tensor, mask: SparseTensor) -> SparseTensor:
    """The elements of a dense tensor at the indices of a sparse one."""
    check(not self.is_sparse, "sparse_mask() of a sparse tensor is not supported by minitorch", NotImplementedError)
    if self.shape != mask.shape:
        raise RuntimeError(
            f"sparse_mask(): operands have incompatible sizes; self has size {list(self.shape)} but mask has size "
            f"{list(mask.shape)}"
        )
    return mask.with_values(gathered(self, mask))


def gathered(dense: Tensor, s: SparseTensor) -> Tensor:
    """The elements of `dense` at the indices of s."""
    k, shape = s.sparse_dim(), s.array.shape
    blocks = reshape(dense, prod(shape[:k]), *shape[k:])
    return FUNCTIONS["index_select"](blocks, 0, wrap(flat_indices(s)))


def _make_refusal(name: str, message: str, error: type[Exception] = RuntimeError) -> None:
    def method(self):
        raise error(message)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = "Of sparse tensors only."
    public("Tensor")(method)


_make_refusal("coalesce", "coalesce expected sparse coordinate tensor layout but got Strided")
_make_refusal("is_coalesced", "is_coalesced expected sparse coordinate tensor layout but got Strided")
_make_refusal("indices", "indices expected sparse coordinate tensor layout but got Strided")
_make_refusal("values", "values expected sparse tensor layout but got Strided")
for _name in ("_nnz", "_indices", "_values"):
    _make_refusal(_name, f"Could not run 'aten::{_name}' with arguments from the 'CPU' backend.", NotImplementedError)


@public("Tensor")
def sparse_dim(self: Tensor) -> int:
    """How many dimensions have indices: none of a dense tensor's."""
    return 0


@public("Tensor")
def dense_dim(self: Tensor) -> int:
    """How many dimensions are dense."""
    return self.ndim
