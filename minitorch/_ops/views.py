"""View ops: new geometry over the same memory. Each gradient is the op that goes back.

The functions are written against what NumPy's arrays and those of other devices share (`_kernels/strided.py`).
"""

from math import prod
from typing import Any

import numpy as np

from minitorch._kernels.strided import places_of, restrided, viewed_strides

from .check import c_name, check, integer, integers, wrap_dim, wrap_dims
from .op import structured, view

ndarray = np.ndarray


@view(tensors="input")
def alias(input):
    return input[...]


@alias.grad("input")
def alias_grad(g):
    return alias(g)


# ---------------------------------------------------------------------- order of dimensions
@view(tensors="input", on="torch Tensor")
def transpose(input, dim0, dim1):
    dim0, dim1 = wrap_dim(dim0, input.ndim), wrap_dim(dim1, input.ndim)
    if not input.ndim:
        return restrided(input, (), ())
    order = list(range(input.ndim))
    order[dim0], order[dim1] = dim1, dim0
    return input.transpose(order)


@transpose.grad("input")
def transpose_grad(g, dim0, dim1):
    return transpose(g, dim0, dim1)


@view(tensors="input", on="torch Tensor")
def t(input):
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return input.T


@t.grad("input")
def t_grad(g):
    return t(g)


@view(name="permute_dims", title="Permute", tensors="input")
def permute(input, dims):
    if len(dims) != input.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {input.ndim} is not equal to len(dims) = {len(dims)}"
        )
    if input.__class__ is ndarray:
        try:
            return input.transpose(dims)
        except ValueError:  # torch's error instead
            pass
    wrapped = [wrap_dim(d, input.ndim) for d in dims]
    check(len(set(wrapped)) == len(wrapped), "permute(): duplicate dims are not allowed.")
    return input.transpose(wrapped)


@permute.grad("input")
def permute_grad(g, dims):
    return permute_dims(g, inverse_order(dims))  # noqa: F821


# ---------------------------------------------------------------------- shape
def inferred_shape(size: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with its -1 worked out, for `size` elements."""
    known, unknown = 1, 0
    for n in shape:
        if n >= 0:
            known *= n
        else:
            unknown += 1 if n == -1 else 2
    if not unknown and known == size:
        return shape
    if unknown == 1 and known and size % known == 0:
        return tuple([size // known if n == -1 else n for n in shape])
    raise _shape_error(size, shape)


def _shape_error(size: int, shape: tuple[int, ...]) -> RuntimeError:
    """torch's error for a shape that does not hold `size` elements."""
    if shape.count(-1) > 1:
        return RuntimeError("only one dimension can be inferred")
    if -1 in shape and not size and not prod([n for n in shape if n != -1]):
        return RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension size -1 "
            "can be any value and is ambiguous"
        )
    bad = next((n for n in shape if n < -1), 0)
    if bad:
        return RuntimeError(f"invalid shape dimension {bad} at index {shape.index(bad)} of shape {list(shape)}")
    return RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")


def viewable(a: Any, shape: tuple[int, ...]) -> Any:
    """A view of this shape, None if the memory's order does not allow one."""
    if a.__class__ is ndarray and a.flags.c_contiguous:
        return a.reshape(shape)
    strides = viewed_strides(a.shape, a.strides, shape)
    if strides is None:
        return None
    if a.__class__ is ndarray:
        made = a.reshape(shape)  # a third of the time, but for dimensions of size 1 its strides may be others
        if made.strides == strides and (made.base is a or made.base is a.base is not None):
            return made
    return restrided(a, shape, strides)


@view(name="view_as_shape", title="View", tensors="input")
def view_as_shape(input, shape):
    made = viewable(input, inferred_shape(input.size, shape))
    if made is None:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            "contiguous subspaces). Use .reshape(...) instead."
        )
    return made


@view_as_shape.grad("input")
def view_grad(g, input_shape):
    return reshape(g, input_shape)  # noqa: F821


@view(tensors="input", name="squeeze_dims", title="Squeeze")
def squeeze_dims(input, dims):
    wrapped = range(input.ndim) if dims is None else wrap_dims(dims, input.ndim)
    return input[tuple([0 if i in wrapped and n == 1 else slice(None) for i, n in enumerate(input.shape)])
                 + (Ellipsis,)]  # fmt: skip


@squeeze_dims.grad("input")
def squeeze_grad(g, input_shape, dims):  # dims for the node's name
    return reshape(g, input_shape)  # noqa: F821


@view(tensors="input", on="torch Tensor")
def unsqueeze(input, dim):
    at = wrap_dim(dim, input.ndim + 1)
    step = input.shape[at] * input.strides[at] if at < input.ndim else input.dtype.itemsize
    return restrided(input, (*input.shape[:at], 1, *input.shape[at:]), (*input.strides[:at], step, *input.strides[at:]))


@unsqueeze.grad("input")
def unsqueeze_grad(g, input_shape):
    return reshape(g, input_shape)  # noqa: F821


@view(name="expand_to", title="Expand", tensors="input")
def expand_to(input, size):
    have = input.shape
    if tuple(size) == have:
        return input[...]
    lead = len(size) - len(have)
    if lead < 0:
        raise RuntimeError(
            f"expand(torch.{c_name(input)}Tensor{{{list(have)}}}, size={list(size)}): the number of sizes provided "
            f"({len(size)}) must be greater or equal to the number of dimensions in the tensor ({len(have)})"
        )
    shape, strides = list(size), [0] * lead + list(input.strides)
    for i in range(len(size) - 1, -1, -1):
        n, old = size[i], have[i - lead] if i >= lead else None
        if n == old:
            continue
        if old is None:
            if n < 0:
                raise RuntimeError(
                    f"The expanded size of the tensor ({n}) isn't allowed in a leading, non-existing dimension {i}"
                )
        elif n == -1:
            shape[i] = old
        elif old == 1 and n >= 0:
            strides[i] = 0
        else:
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({old}) at non-singleton "
                f"dimension {i}.  Target sizes: {list(size)}.  Tensor sizes: {list(have)}"
            )
    return restrided(input, tuple(shape), tuple(strides))


@expand_to.grad("input")
def expand_grad(g, input_shape):
    return sum_to_size(g, input_shape)  # noqa: F821


# ---------------------------------------------------------------------- parts
@view(tensors="input", on="torch Tensor")
def select(input, dim, index):
    check(input.ndim, "select() cannot be applied to a 0-dim tensor.", IndexError)
    dim, index = wrap_dim(dim, input.ndim), integer(index, "index", "select")
    n = input.shape[dim]
    if not -n <= index < n:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at dimension {dim}"
        )
    return input[(slice(None),) * dim + (index, Ellipsis)]


@select.grad("input")
def select_grad(g, input_shape, dim, index):
    return select_backward(g, input_shape, dim, index)


@view(tensors="input", name="slice_dim", title="Slice")
def slice_dim(input, dim, start, stop, step):
    made = input[(slice(None),) * dim + (slice(start, stop, step),)]
    if made.size or not isinstance(input, ndarray):
        return made
    strides = (*input.strides[:dim], input.strides[dim] * step, *input.strides[dim + 1 :])
    return restrided(
        input, made.shape, strides, start * input.strides[dim]
    )  # NumPy forgets where an empty slice begins


@slice_dim.grad("input")
def slice_grad(g, input_shape, dim, start, stop, step):
    return slice_backward(g, input_shape, dim, start, stop, step)


@view(tensors="input", name="diagonal", on="torch Tensor")
def diagonal(input, offset=0, dim1=0, dim2=1):
    given = dim1, dim2
    if offset.__class__ is not int:
        offset = integer(offset, "offset", "diagonal")
    dim1, dim2 = wrap_dim(dim1, input.ndim), wrap_dim(dim2, input.ndim)
    if dim1 == dim2:
        raise RuntimeError(f"diagonal dimensions cannot be identical {given[0]}, {given[1]}")
    rows, columns = input.shape[dim1], input.shape[dim2]
    length = max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)
    start = (offset * input.strides[dim2] if offset >= 0 else -offset * input.strides[dim1]) if length else 0
    rest = [i for i in range(input.ndim) if i not in (dim1, dim2)]
    shape = (*[input.shape[i] for i in rest], length)
    strides = (*[input.strides[i] for i in rest], input.strides[dim1] + input.strides[dim2])
    return restrided(input, shape, strides, start)


@diagonal.grad("input")
def diagonal_grad(g, input_shape, offset, dim1, dim2):
    return diagonal_backward(g, input_shape, offset, dim1, dim2)


# what flows back through a part: zeros with the gradient in its place
@structured(tensors="g")
def select_backward(g, input_shape, dim, index):
    return input_shape, g.dtype


@select_backward.cpu
def select_backward_cpu(g, input_shape, dim, index):
    d = np.zeros(input_shape, g.dtype)
    select.forward(d, dim, index)[...] = g
    return d


@select_backward.grad("g")
def select_backward_grad(g, dim, index):
    return select(g, dim, index)


@structured(tensors="g")
def slice_backward(g, input_shape, dim, start, stop, step):
    return input_shape, g.dtype


@slice_backward.cpu
def slice_backward_cpu(g, input_shape, dim, start, stop, step):
    d = np.zeros(input_shape, g.dtype)
    slice_dim.forward(d, dim, start, stop, step)[...] = g
    return d


@slice_backward.grad("g")
def slice_backward_grad(g, dim, start, stop, step):
    return slice_dim(g, dim, start, stop, step)


@structured(tensors="g")
def diagonal_backward(g, input_shape, offset, dim1, dim2):
    return input_shape, g.dtype


@diagonal_backward.cpu
def diagonal_backward_cpu(g, input_shape, offset, dim1, dim2):
    d = np.zeros(input_shape, g.dtype)
    diagonal.forward(d, offset, dim1, dim2)[...] = g
    return d


@diagonal_backward.grad("g")
def diagonal_backward_grad(g, offset, dim1, dim2):
    return diagonal(g, offset, dim1, dim2)


# ---------------------------------------------------------------------- any geometry
def _storage_start(a: Any) -> int:
    from minitorch._storage import address, root

    return address(a) - address(root(a)) if isinstance(a, ndarray) else a.offset


@view(tensors="input", on="torch Tensor")
def as_strided(input, size, stride, storage_offset=None):
    size, stride = integers(size, "size", "as_strided", 2), integers(stride, "stride", "as_strided", 3)
    check(len(size) == len(stride), "mismatch in length of strides and shape")
    check(len(size) <= 64, "only tensors with up to 64 dims are supported")  # which is NumPy's limit too
    if min(size, default=0) < 0:
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(size)} and strides={list(stride)}")
    for n in stride:
        if n < 0:
            raise RuntimeError(
                f"as_strided: Negative strides are not supported at the moment, got strides: {list(stride)}"
            )
    item = input.dtype.itemsize
    start = _storage_start(input)
    offset = start // item if storage_offset is None else integer(storage_offset, "storage_offset", "as_strided")
    if prod(size) and (isinstance(input, ndarray) or hasattr(input.memory, "nbytes")):
        from minitorch._storage import UntypedStorage

        have = UntypedStorage._of(input).nbytes()
        need = (offset + 1 + sum((n - 1) * s for n, s in zip(size, stride, strict=True))) * item
        if not (offset >= 0 and need <= have):
            raise RuntimeError(
                f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and itemsize {item} "
                f"requiring a storage size of {need} are out of bounds for storage of size {have}"
            )
    return restrided(input, size, tuple([s * item for s in stride]), offset * item - start)


@as_strided.grad("input")
def as_strided_grad(g, input_geometry, size, stride, storage_offset):
    return as_strided_backward(g, input_geometry, size, stride, storage_offset)


def _common_memory(g: Any, input_geometry: Any, size: Any, stride: Any, storage_offset: Any) -> tuple[Any, ...]:
    """The places of a view's elements and of its input's, zeros for the memory of both, and at each place of that
    how many of the input's elements share it, but at least 1."""
    shape, strides, start = input_geometry
    offset = start if storage_offset is None else storage_offset
    low = min(start, offset)
    places, mine = places_of(size, stride, offset - low), places_of(shape, strides, start - low)
    memory = np.zeros(1 + max(places.max(initial=0), mine.max(initial=0)), g.dtype)
    shares = np.bincount(mine.ravel(), minlength=memory.size)
    return places, mine, memory, np.maximum(shares, 1).astype(g.dtype)


@structured(tensors="g")
def as_strided_backward(g, input_geometry, size, stride, storage_offset):
    return input_geometry[0], g.dtype


@as_strided_backward.cpu
def as_strided_backward_cpu(g, input_geometry, size, stride, storage_offset):
    """Add each element of g at its place in memory, then read the input's elements from there."""
    places, mine, memory, shares = _common_memory(g, input_geometry, size, stride, storage_offset)
    np.add.at(memory, places.ravel(), g.ravel())
    return np.ascontiguousarray(memory[mine] / shares[mine]).reshape(input_geometry[0])


@as_strided_backward.grad("g")
def as_strided_backward_grad(g, input_geometry, size, stride, storage_offset):
    return as_strided_read(g, input_geometry, size, stride, storage_offset)


@structured(tensors="g")
def as_strided_read(g, input_geometry, size, stride, storage_offset=None):
    return size, g.dtype


@as_strided_read.cpu
def as_strided_read_cpu(g, input_geometry, size, stride, storage_offset=None):
    """The adjoint of `as_strided_backward`: g's elements at their places in memory, read by the view's geometry."""
    places, mine, memory, shares = _common_memory(g, input_geometry, size, stride, storage_offset)
    np.add.at(memory, mine.ravel(), g.ravel())
    return np.ascontiguousarray((memory / shares)[places]).reshape(size)


@as_strided_read.grad("g")
def as_strided_read_grad(g, input_geometry, size, stride, storage_offset):
    return as_strided_backward(g, input_geometry, size, stride, storage_offset)


# ---------------------------------------------------------------------- a view's part of its base, by geometry
# `base` is (shape, strides) of a tensor, `part` (shape, strides, offset from its first element), both in elements
def _memory_of(g: Any, base: Any) -> Any:
    """A copy of g with the strides of `base`."""
    shape, strides = base
    item = g.dtype.itemsize
    extent = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    made = restrided(np.empty(max(extent, 1), g.dtype), shape, tuple([s * item for s in strides]))
    made[...] = g
    return made


def _window(a: Any, part: Any) -> Any:
    size, strides, offset = part
    item = a.dtype.itemsize
    return restrided(a, size, tuple([s * item for s in strides]), offset * item)


@structured(tensors="g")
def strided_part(g, base, part):
    return part[0], g.dtype


@strided_part.cpu
def strided_part_cpu(g, base, part):
    return _window(_memory_of(g, base), part).copy()


@strided_part.grad("g")
def strided_part_grad(g, base, part):
    return strided_spread(g, base, part)


@structured(tensors="g")
def strided_spread(g, base, part):
    return base[0], g.dtype


@strided_spread.cpu
def strided_spread_cpu(g, base, part):
    """Zeros with g in the place of the part."""
    made = _memory_of(np.zeros((), g.dtype), base)
    _window(made, part)[...] = g
    return made


@strided_spread.grad("g")
def strided_spread_grad(g, base, part):
    return strided_part(g, base, part)


@structured(tensors="g src")
def strided_written(g, src, base, part):
    return base[0], g.dtype


@strided_written.cpu
def strided_written_cpu(g, src, base, part):
    """A copy of g with src in the place of the part."""
    made = _memory_of(g, base)
    _window(made, part)[...] = src
    return made


@strided_written.grad("g")
def strided_written_grad_g(g, base, part):
    return strided_written(g, zeros_like(strided_part(g, base, part)), base, part)  # noqa: F821


@strided_written.grad("src")
def strided_written_grad_src(g, base, part):
    return strided_part(g, base, part)
