"""Shape functions that the view records express: reshape, flatten, movedim, expand, narrow, T."""

import math
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels.strided import viewed_strides
from minitorch._tensor import Tensor, wrap
from minitorch.autograd._warnings import warn_once

from .check import C_NAMES, check, integer, integers, invalid_arguments, missing_argument, sizes, type_name, wrap_dim
from .nodes import titled
from .op import OPS, structured
from .operands import cast, tensors_only
from .public import PROPERTIES, PUBLIC, op, public
from .views import inferred_shape

ndarray = np.ndarray


# ---------------------------------------------------------------------- one shape as another
@public("Tensor")
def view(self: Tensor, *shape: Any, size: Any = None, dtype: Any = None) -> Tensor:
    """The same memory in another shape, or its bytes as another dtype.

    RuntimeError where the order of the memory does not allow it.

    >>> import minitorch as torch
    >>> torch.arange(4).view(2, -1)
    tensor([[0, 1],
            [2, 3]])
    """
    if size is not None:
        shape = tuple(size)
    elif shape and shape[0].__class__ is int and dtype is None:
        return op("view_as_shape")(self, sizes(shape, "view"))
    if dtype is not None or (len(shape) == 1 and isinstance(shape[0], dtypes.dtype)):
        return _bits(self, shape[0] if dtype is None else dtype)
    if not shape and size is None:
        invalid_arguments("view")
    return op("view_as_shape")(self, sizes(shape, "view"))


def _bits(x: Tensor, dtype: dtypes.dtype) -> Tensor:
    """The same bytes as another dtype; the last dimension holds more or fewer of them."""
    a, to = x.array, dtypes.numpy_dtype(dtype)
    if a.dtype is to:
        return view(x, x.shape)
    if a.dtype.itemsize != to.itemsize:
        names = f"to view {C_NAMES[x.dtype.name]} as {C_NAMES[dtype.name]} (different element sizes)"
        if not a.ndim:
            raise RuntimeError(f"self.dim() cannot be 0 {names}")
        ratio = to.itemsize // a.dtype.itemsize
        n, step = a.shape[-1], x.stride(-1)
        if not (ratio < 2 or n % ratio == 0):
            raise RuntimeError(f"self.size(-1) must be divisible by {ratio} {names}, but got {n}")
        if step != 1:
            raise RuntimeError(f"self.stride(-1) must be 1 {names}, but got {step}")
    return wrap(dtypes.typed(a.view(to), dtype), x.version)


@structured(tensors="input", title="UnsafeView")
def unsafe_view(input, shape):
    """Another shape over memory that nothing else refers to: the second half of a `reshape` that copies."""
    return shape, input.dtype


@unsafe_view.cpu
def unsafe_view_cpu(input, shape):
    return input.reshape(shape)


@unsafe_view.grad("input")
def unsafe_view_grad(g, input_shape):
    return reshape(g, input_shape)


@public("Tensor")
def reshape(input: Tensor, *shape_: Any, shape: Any = None) -> Tensor:
    """A view of this shape if possible, else a copy.

    >>> import minitorch as torch
    >>> torch.arange(6).reshape(2, 3).t().reshape(-1)
    tensor([0, 3, 1, 4, 2, 5])
    """
    if not shape_ and shape is None:
        missing_argument("reshape", "shape")
    a, wanted = input.array, sizes(shape_ if shape is None else (shape,), "reshape", "shape")
    if not (a.__class__ is ndarray and a.flags.c_contiguous):
        check(not input.is_sparse, "reshape is not implemented for sparse tensors")
        wanted = inferred_shape(a.size, wanted)
        if viewed_strides(a.shape, a.strides, wanted) is None:
            return op("unsafe_view")(op("dense")(input), wanted)
    return op("view_as_shape")(input, wanted)


def torch_reshape(input: Tensor, shape: Any) -> Tensor:
    """A view of this shape if possible, else a copy."""
    if not isinstance(input, Tensor):
        raise TypeError(f"reshape(): argument 'input' (position 1) must be Tensor, not {type_name(input)}")
    return reshape(input, shape)


PUBLIC["torch.reshape"] = torch_reshape, ["torch"]


@public("Tensor")
def view_as(self: Tensor, other: Tensor) -> Tensor:
    """A view of other's shape."""
    if not isinstance(other, Tensor):
        tensors_only("view_as", other=other)
    return op("view_as_shape")(self, tuple(other.shape))


@public("Tensor")
def reshape_as(self: Tensor, other: Tensor) -> Tensor:
    """reshape to other's shape."""
    if not isinstance(other, Tensor):
        tensors_only("reshape_as", other=other)
    return reshape(self, other.shape)


@public("torch Tensor")
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions start_dim to end_dim as one."""
    shape = tuple(input.shape)
    start, end = wrap_dim(start_dim, len(shape)), wrap_dim(end_dim, len(shape))
    check(start <= end, "flatten() has invalid args: start_dim cannot come after end_dim")
    if not shape:
        return reshape(input, 1)
    if start == end:
        return input
    return reshape(input, *shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])


@public("torch Tensor")
def ravel(input: Tensor) -> Tensor:
    """One dimension, contiguous."""
    return view(input.contiguous(), -1)


@public("torch Tensor")
def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """One dimension as several, one of which may be -1."""
    sizes = integers(sizes, "sizes", "unflatten", 3)
    check(sizes, "unflatten: sizes must be non-empty")
    unexpected = "unflatten got an unexpected error:\n"
    if not input.ndim:
        raise RuntimeError(f"{unexpected}Dimension specified as {dim} but tensor has no dimensions")
    dim = wrap_dim(dim, input.ndim)
    if not sizes.count(-1) < 2:
        raise RuntimeError(f"{unexpected}only one dimension can be inferred")
    known = math.prod([n for n in sizes if n != -1])
    n = input.shape[dim]
    if not (known == n or (-1 in sizes and known and n % known == 0)):
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} ({n}) in the input "
            "tensor"
        )
    sizes = tuple([n // known if s == -1 else s for s in sizes])
    return view(input, (*input.shape[:dim], *sizes, *input.shape[dim + 1 :]))


# ---------------------------------------------------------------------- the order of dimensions
@public("Tensor")
def permute(self: Tensor, *dims_: Any, dims: Any = None) -> Tensor:
    """The dimensions in another order."""
    if not dims_ and dims is None:
        raise TypeError('permute() missing 1 required positional arguments: "dims"')
    return op("permute_dims")(self, sizes(dims_ if dims is None else (dims,), "permute", "dims"))


def torch_permute(input: Tensor, dims: Any) -> Tensor:
    """The dimensions in another order."""
    return op("permute_dims")(input, sizes((dims,), "permute", "dims", 2))


PUBLIC["torch.permute"] = torch_permute, ["torch"]


@public("torch Tensor")
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Dimensions at other places, the others in their order."""
    kinds = int, np.integer, tuple, list
    if not isinstance(source, kinds) or not isinstance(destination, kinds):
        invalid_arguments("movedim", input, source, destination)
    source, destination = [tuple(d) if isinstance(d, (tuple, list)) else (d,) for d in (source, destination)]
    if len(source) != len(destination):
        raise RuntimeError(
            "movedim: Invalid source or destination dims: source "
            f"({list(source)} dims) should contain the same number of dims as destination ({list(destination)} dims)"
        )
    n = input.ndim
    wrapped = [tuple([wrap_dim(d, n) for d in dims]) for dims in (source, destination)]
    for name, given, dims in zip(("source", "destination"), (source, destination), wrapped, strict=True):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(given)})")
    if not n:
        return op("permute_dims")(input, ())
    order = [i for i in range(n) if i not in wrapped[0]]
    for d, s in sorted(zip(wrapped[1], wrapped[0], strict=True)):
        order.insert(d, s)
    return op("permute_dims")(input, tuple(order))


@public("torch Tensor")
def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions swapped."""
    return _matrices(input, "tensor.adjoint()", "adjoint() is deprecated on 0-D tensors. Consider using x.conj().")


def _reversed(self: Tensor) -> Tensor:
    if not self.ndim:
        warn_once("Tensor.T is deprecated on 0-D tensors. This function is the identity in these cases.")
    elif self.ndim > 2:
        warn_once(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated and it will "
            "throw an error in a future release. Consider `x.mT` to transpose batches of matrices or "
            "`x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the dimensions of a tensor."
        )
    return op("permute_dims")(self, tuple(reversed(range(self.ndim))))


def _hermitian(self: Tensor) -> Tensor:
    n = self.ndim
    if not n:
        warn_once("Tensor.H is deprecated on 0-D tensors. Consider using x.conj().")
        return op("basic_alias")(self, (Ellipsis,))
    more = " For batches of matrices, consider using tensor.mH" if n > 2 else ""
    if n != 2:
        raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {n}-D tensor.{more}")
    return op("transpose")(self, 0, 1)


def _matrices(self: Tensor, name: str, warning: str) -> Tensor:
    if not self.ndim:
        warn_once(warning)
        return op("basic_alias")(self, (Ellipsis,))
    n = self.ndim
    if not n > 1:
        raise RuntimeError(f"{name} is only supported on matrices or batches of matrices. Got {n}-D tensor.")
    return op("transpose")(self, -2, -1)


PROPERTIES.update(
    T=property(_reversed),
    H=property(_hermitian),
    mT=property(
        lambda self: _matrices(
            self,
            "tensor.mT",
            "Tensor.mT is deprecated on 0-D tensors. This function is the identity in these cases.",
        )
    ),
    mH=property(
        lambda self: _matrices(self, "tensor.mH", "Tensor.mH is deprecated on 0-D tensors. Consider using x.conj().")
    ),
)


# ---------------------------------------------------------------------- dimensions of size 1
@public("torch Tensor")
def squeeze(input: Tensor, dim: Any = ...) -> Tensor:
    """Without the dimensions of size 1, or without those named."""
    if dim is None:
        invalid_arguments("squeeze", input, dim)
    return op("squeeze_dims")(input, None if dim is ... else dim if isinstance(dim, (tuple, list)) else (dim,))


@public("Tensor")
def expand(self: Tensor, *sizes_: Any, size: Any = None, implicit: bool = False) -> Tensor:
    """A view with dimensions of size 1 stretched."""
    if not sizes_ and size is None:
        missing_argument("expand", "size")
    return op("expand_to")(self, sizes(sizes_ if size is None else (size,), "expand"))


@public("Tensor")
def expand_as(self: Tensor, other: Tensor) -> Tensor:
    """expand to other's shape."""
    if not isinstance(other, Tensor):
        tensors_only("expand_as", other=other)
    return op("expand_to")(self, tuple(other.shape))


@public("torch Tensor")
def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """A view of this shape."""
    return op("expand_to")(input, sizes((size,), "broadcast_to", position=2))


@public("torch")
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """All tensors in their common shape: views, or what has it already."""
    from .check import check_broadcast

    tensors = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    shape: tuple[int, ...] = tensors[0].array.shape if tensors else ()
    if all(t.array.shape == shape for t in tensors):
        return tensors
    for t in tensors:
        check_broadcast(shape, t.array.shape)
        shape = np.broadcast_shapes(shape, t.array.shape)
    return tuple([t if t.array.shape == shape else op("expand_to")(t, shape) for t in tensors])


@public("torch")
def broadcast_shapes(*shapes: Any) -> Any:
    """The common shape.

    >>> import minitorch as torch
    >>> torch.broadcast_shapes((3, 1), (2,))
    torch.Size([3, 2])
    """
    from minitorch._layout import Size

    made: list[int] = []
    for position, shape in enumerate(shapes):
        shape = (shape,) if isinstance(shape, int) else shape
        if not isinstance(shape, (tuple, list)):
            raise RuntimeError(f"Input shapes should be of type ints, a tuple of ints, or a list of ints, got {shape}")
        made[:0] = [1] * (len(shape) - len(made))
        for i in range(-1, -1 - len(shape), -1):
            n = shape[i]
            if n in (1, made[i]):
                continue
            if made[i] != 1:
                raise RuntimeError(
                    f"Attempting to broadcast a dimension of length {n} at {i}! Mismatching argument at index "
                    f"{position} had {shape}; but expected shape should be broadcastable to {made}"
                )
            check(n >= 0, "Attempting to broadcast a dimension with negative length!", ValueError)
            made[i] = n
    return Size(made)


@public("Tensor")
def sum_to_size(self: Tensor, *sizes_: Any, size: Any = None) -> Tensor:
    """The sum over the dimensions that broadcasting would stretch."""
    wanted, have = sizes(sizes_ if size is None else (size,)), tuple(self.shape)
    lead = len(have) - len(wanted)
    if not (lead >= 0 and all(n in (1, m) for n, m in zip(wanted, have[lead:], strict=True))):
        raise RuntimeError(f"size {{{list(wanted)}}} is not expandable to size {{{list(have)}}}.")
    if not wanted:
        return op("sum")(self)
    if wanted != have and not self.is_floating_point():
        self = cast(self, dtypes.INT64_NUMPY)  # as sum
    return op("sum_to_size")(self, wanted)


def _at_least(tensors: tuple[Any, ...], widen: Any) -> Any:
    if len(tensors) == 1:
        tensors = tensors[0]
    if isinstance(tensors, Tensor):
        return widen(tensors)
    for t in tensors if isinstance(tensors, (tuple, list)) else (tensors,):
        if not isinstance(t, Tensor):
            invalid_arguments(f"atleast{widen.__name__.removeprefix('_wide')}d", t)
    return tuple([widen(t) for t in tensors])


def _wide_1(t: Tensor) -> Tensor:
    return t if t.ndim else reshape(t, 1)


def _wide_2(t: Tensor) -> Tensor:
    return t if t.ndim > 1 else op("unsqueeze")(_wide_1(t), 0)


def _wide_3(t: Tensor) -> Tensor:
    return t if t.ndim > 2 else op("unsqueeze")(_wide_2(t), -1)


@public("torch")
def atleast_1d(*tensors: Any) -> Any:
    """Each tensor with one dimension at least."""
    return _at_least(tensors, _wide_1)


@public("torch")
def atleast_2d(*tensors: Any) -> Any:
    """Each tensor with two dimensions at least: a vector becomes a row."""
    return _at_least(tensors, _wide_2)


@public("torch")
def atleast_3d(*tensors: Any) -> Any:
    """Each tensor with three dimensions at least: a vector of n becomes (1, n, 1), a matrix (n, m, 1)."""
    return _at_least(tensors, _wide_3)


# ---------------------------------------------------------------------- parts
@public("torch Tensor")
def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """A view of `length` indices from `start` along dim."""
    check(input.ndim, "narrow() cannot be applied to a 0-dim tensor.")
    if isinstance(start, Tensor):
        is_index = start.ndim == 0 and start.array.dtype.kind in "iu"
        check(is_index, "start must be an 0-dim integral Tensor.")
        start = start.item()
    check(length >= 0, "narrow(): length must be non-negative.")
    dim = wrap_dim(dim, input.ndim)
    n, start = input.shape[dim], integer(start, "start", "narrow")
    if not -n <= start <= n:
        raise IndexError(f"start out of range (expected to be in range of [{-n}, {n}], but got {start})")
    start = start + n if start < 0 else start
    if not start + length <= n:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return op("slice_dim")(input, dim, start, start + length, 1)


@public("Tensor")
def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """A view of all windows of `size` indices along one dimension, `step` apart, in a new last dimension.

    >>> import minitorch as torch
    >>> torch.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    return op("unfold_view")(self, dimension, integer(size, "size", "unfold"), integer(step, "step", "unfold"))


# ---------------------------------------------------------------------- turns
@public("Tensor")
def flip(self: Tensor, *dims_: Any, dims: Any = None) -> Tensor:
    """A copy with the order of some dimensions reversed."""
    if not dims_ and dims is None:
        raise TypeError('flip() missing 1 required positional arguments: "dims"')
    return OPS["flip_dims"].function(self, sizes(dims_ if dims is None else (dims,), "flip", "dims"))


def torch_flip(input: Tensor, dims: Any) -> Tensor:
    """A copy with the order of some dimensions reversed."""
    if not isinstance(dims, (tuple, list)):
        raise TypeError(f"flip(): argument 'dims' (position 2) must be tuple of ints, not {type_name(dims)}")
    return op("flip_dims")(input, sizes((dims,), "flip", "dims", 2))


PUBLIC["torch.flip"] = torch_flip, ["torch"]


@public("torch Tensor")
def fliplr(input: Tensor) -> Tensor:
    """A copy with the columns (dimension 1) in reverse order."""
    check(input.ndim > 1, "Input must be >= 2-d.")
    return op("flip_dims")(input, (1,))


@public("torch Tensor")
def flipud(input: Tensor) -> Tensor:
    """A copy with the rows (dimension 0) in reverse order."""
    check(input.ndim, "Input must be >= 1-d.")
    return op("flip_dims")(input, (0,))


@public("torch Tensor")
def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """A copy turned k times by 90 degrees in the plane of two dimensions, from the first towards the second.

    >>> import minitorch as torch
    >>> torch.rot90(torch.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    dims = integers(dims, "dims", "rot90", 3)
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    first, second = dims
    if not (first != second and abs(first - second) != input.ndim):
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {first} and dim1 = {second}")
    first, second = wrap_dim(first, input.ndim), wrap_dim(second, input.ndim)
    turns = k % 4
    if turns == 0:
        turned = input.clone()
    elif turns == 2:
        turned = op("flip_dims")(input, (first, second))
    else:
        turned = op("transpose")(op("flip_dims")(input, (second if turns == 1 else first,)), first, second)
    return titled(turned, "Rot90Backward0")
