"""x[...] and x[...] = v.

Integers, slices, None and Ellipsis make one view; tensors, lists and masks then read or write at positions of it
(`positions.py`).
"""

import operator
import warnings
from math import isfinite
from typing import Any

import numpy as np

from minitorch._kernels.strided import restrided
from minitorch._tensor import Tensor, wrap

from .check import C_NAMES, c_name, check
from .composite import public
from .copies import check_not_overlapping
from .op import OPS, Op, structured, view
from .operands import FUNCTIONS, NUMBERS, cast, constant_like
from .positions import At, add_at, read, spread_back

ndarray = np.ndarray
NoneType = type(None)

UINT8_WARNING = (
    "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead."
)
SEQUENCE_WARNING = (
    "Using a non-tuple sequence for multidimensional indexing is deprecated and will be changed in "
    "pytorch 2.9; use "
    "x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will be interpreted as tensor index, "
    "x[torch.tensor(seq)], "
    "which will result either in an error or a different result"
)
BAD_INDEX = "tensors used as indices must be long, int, byte or bool tensors"


# ---------------------------------------------------------------------- views
def basic_view(a: Any, index: tuple[Any, ...]) -> Any:
    """The view for integers, slices and None, with one Ellipsis at the end."""
    if a.__class__ is ndarray and None not in index:
        made = a[index]
        if made.size:
            return made
    return _strided_view(a, index)


def _strided_view(a: Any, index: tuple[Any, ...]) -> Any:
    """torch's strides and offset where NumPy's differ: new dimensions, and views without elements."""
    shape: list[int] = []
    strides: list[int] = []
    offset, dim = 0, 0
    for i in index[:-1]:
        if i is None:
            shape.append(1)
            strides.append(a.shape[dim] * a.strides[dim] if dim < a.ndim else a.dtype.itemsize)
            continue
        n, step = a.shape[dim], a.strides[dim]
        dim += 1
        if i.__class__ is slice:
            start, stop, by = i.indices(n)
            shape.append(len(range(start, stop, by)))
            strides.append(step * by)
            offset += start * step
        else:
            if not -n <= i < n:
                raise IndexError(i)
            offset += (i % n) * step
    shape += a.shape[dim:]
    strides += a.strides[dim:]
    return restrided(a, tuple(shape), tuple(strides), offset)


def _basic(title: str) -> Op:
    """One record per name that torch gives the last step of a basic index."""

    @view(name=f"basic_{title.lower()}", title=title, tensors="input")
    def op(input, index):
        return basic_view(input, index)

    @op.grad("input")
    def basic_grad(g, input_shape, index):
        return basic_backward(g, input_shape, index)

    return op


SELECT, SLICE, UNSQUEEZE, ALIAS = (_basic(t) for t in ("Select", "Slice", "Unsqueeze", "Alias"))


@structured(tensors="g")
def basic_backward(g, input_shape, index):
    return input_shape, g.dtype


@basic_backward.cpu
def basic_backward_cpu(g, input_shape, index):
    """Zeros with the gradient in its place."""
    d = np.zeros(input_shape, g.dtype)
    d[index] = g
    return d


@basic_backward.grad("g")
def basic_backward_grad(g, index):
    return basic_alias(g, index)  # noqa: F821


# ---------------------------------------------------------------------- reading and writing at positions
def _reader(name: str, title: str) -> Op:
    """The ops that read at positions differ in the name of their node."""

    @structured(name=name, title=title, tensors="input")
    def op(input, at):
        return at.plan(input.shape).result, input.dtype

    op.cpu(read)

    @op.grad("input")
    def index_grad(g, input_shape, at):
        return index_backward(g, input_shape, at)

    return op


INDEX, MASKED_SELECT, TAKE = (
    _reader(*names)
    for names in (("index", "Index"), ("masked_read", "MaskedSelect"), ("take_flat", "Take"))
)


@structured(tensors="g")
def index_backward(g, input_shape, at):
    return input_shape, g.dtype


@index_backward.cpu
def index_backward_cpu(g, input_shape, at):
    return spread_back(g, at, input_shape)


@index_backward.grad("g")
def index_backward_grad(g, at):
    return index(g, at)  # noqa: F821


@structured(name="index_put_into", title="IndexPut", tensors="input values", inplace=True)
def index_put_into(input, values, at, accumulate):
    return input.shape, input.dtype


@index_put_into.cpu
def index_put_array(input, values, at, accumulate):
    """input[at] = values, or += with every repeated position counted."""
    result = at.plan(input.shape).result
    try:
        np.broadcast_to(values, result)
    except ValueError:
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast to "
            "indexing result of shape "
            f"{list(result)}"
        ) from None
    if 0 in result:
        return input
    at.plan(input.shape).positions()  # checks every position before the first write
    if accumulate:
        add_at(input, at, values)
    else:
        input[at.fancy()] = values
    return input


@index_put_into.grad("input")
def index_put_grad_input(g, at, accumulate):
    return clone(g) if accumulate else index_cleared(g, at)  # noqa: F821


@index_put_into.grad("values")
def index_put_grad_values(g, values_shape, at):
    return sum_to_size(index(g, at), values_shape)  # noqa: F821


@structured(tensors="g")
def index_cleared(g, at):
    return g.shape, g.dtype


@index_cleared.cpu
def index_cleared_cpu(g, at):
    """A copy with zeros at the positions."""
    d = g.copy()
    if 0 not in at.plan(g.shape).result:
        d[at.fancy()] = 0
    return d


@index_cleared.grad("g")
def index_cleared_grad(g, at):
    return index_cleared(g, at)


# ---------------------------------------------------------------------- from Python's index to views and positions
def _integer(i: Any) -> int | None:
    """The index as an int, None if it is not one."""
    if isinstance(i, (Tensor, np.bool_)) or (isinstance(i, ndarray) and i.ndim):
        return None
    try:
        return operator.index(i)
    except TypeError:
        return None


def _items(index: Any) -> tuple[Any, ...]:
    """The index as a tuple; a list that holds more than numbers counts as one, with torch's warning."""
    if isinstance(index, tuple):
        return index
    if (
        isinstance(index, (Tensor, ndarray))
        or not hasattr(index, "__getitem__")
        or not hasattr(index, "__len__")
    ):
        return (index,)
    if isinstance(index, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(index).__name__}'")
    several = (Tensor, slice, list, tuple, ndarray, str, NoneType)
    if isinstance(index, (list, range)) and len(index) < 32 and any(
        isinstance(i, several) or i is Ellipsis for i in index
    ):  # fmt: skip
        warnings.warn(SEQUENCE_WARNING, UserWarning, stacklevel=4)
        return tuple(index)
    return (index,)


def _tensor_index(i: Any) -> Tensor:
    """A list, range or array as an index tensor: a mask if of bools, else int64."""
    if not isinstance(i, Tensor):
        if not isinstance(i, (list, tuple, range, ndarray)):
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables "
                "are valid indices (got "
                f"{'numpy.bool' if isinstance(i, np.bool_) else type(i).__name__})"
            )
        a = np.asarray(i)
        i = wrap(
            a
            if a.dtype in (np.bool_, np.uint8) and not (a.size == 0 and isinstance(i, list))
            else a.astype(np.int64)
        )
    dtype = i.array.dtype
    if dtype == np.uint8:
        warnings.warn(UINT8_WARNING, UserWarning, stacklevel=5)
        return FUNCTIONS["bool"](i)
    if dtype not in (np.int64, np.int32, np.bool_):
        raise IndexError(BAD_INDEX)
    return i


class Parsed:
    """An index against a shape: the basic part with what it is called, then the positions, if any."""

    def __init__(self, shape: tuple[int, ...], index: Any):
        items = _items(index)
        self.shape, self.single = shape, not isinstance(index, tuple) and len(items) == 1
        self.basic: list[Any] = []  # for basic_view
        self.tensors: list[Tensor | None] = []  # per dimension of the view that it makes
        self.title, self.dim = "alias", 0
        self.left = len(shape) - sum(map(_dimensions, items))  # dimensions for an Ellipsis
        if not self.single and self.left < 0:
            self._too_many()
        for position, item in enumerate(items):
            self._add(item, position)

    def _too_many(self) -> None:
        raise IndexError(f"too many indices for tensor of dimension {len(self.shape)}")

    def _add(self, i: Any, position: int) -> None:
        if i is None:
            self._step("unsqueeze", None)
        elif i is Ellipsis:
            for _ in range(self.left):
                self._whole()
            self.left = 0
        elif isinstance(i, slice):
            self._slice(i)
        elif isinstance(i, bool):
            self._truth(i)
        elif isinstance(i, Tensor) and not i.array.shape:
            self._scalar_tensor(i, position)
        elif (number := _integer(i)) is not None:
            self._select(number, position)
        else:
            self._positions(_tensor_index(i))

    def _step(self, title: str, item: Any) -> None:
        """A part that leaves a dimension, unless it is an integer."""
        self.title = title
        self.basic.append(item)
        if item.__class__ is not int:
            self.tensors.append(None)

    def _whole(self) -> None:
        self.basic.append(slice(None))
        self.tensors.append(None)
        self.dim += 1

    def _slice(self, s: slice) -> None:
        check(self.shape, "slice() cannot be applied to a 0-dim tensor.", IndexError)
        n = self.shape[self.dim]
        start, stop, step = slice_bounds(s, n)
        if (
            not self.single
            and step == 1
            and s.start in (None, 0)
            and (s.stop is None or s.stop.__index__() >= n)
        ):
            self._whole()
            return
        self._step("slice", slice(start, stop, step))
        self.dim += 1

    def _select(self, i: int, position: int) -> None:
        if not self.shape:
            raise zero_dim_error()
        n = self.shape[self.dim]
        if not -n <= i < n:
            raise IndexError(f"index {i} is out of bounds for dimension {position} with size {n}")
        self._step("select", i)
        self.dim += 1

    def _truth(self, value: bool) -> None:
        self._step("unsqueeze", None)
        self.tensors[-1] = wrap(np.zeros(int(value), np.int64))

    def _scalar_tensor(self, i: Tensor, position: int) -> None:
        if i.array.dtype in (np.bool_, np.uint8):
            self._truth(bool(i))
            return
        if i.array.dtype.kind != "i":
            raise IndexError(BAD_INDEX)
        if self.dim >= len(self.shape):
            self._too_many()
        self._select(int(i), position)

    def _positions(self, t: Tensor) -> None:
        count = t.array.ndim if t.array.dtype == np.bool_ else 1
        if self.dim + count > len(self.shape):
            self._too_many()
        self.tensors.append(t)
        for _ in range(count):
            self.basic.append(slice(None))
        self.dim += count

    def applied(self, x: Tensor) -> tuple[Tensor, At | None]:
        """The view that the basic part makes, and the positions in it; None if the index is basic."""
        tensors = self.tensors
        while tensors and tensors[-1] is None:
            tensors.pop()
        if tensors and self.title == "alias":
            return x, At(tensors)
        view = OPS[f"basic_{self.title}"].function(x, (*self.basic, Ellipsis))
        return view, At(tensors) if tensors else None


def _dimensions(i: Any) -> int:
    """How many dimensions of the tensor a part of the index uses up."""
    if isinstance(i, Tensor) and i.array.dtype in (np.bool_, np.uint8):
        return i.array.ndim
    return 0 if i is None or i is Ellipsis or isinstance(i, bool) else 1


def slice_bounds(s: slice, n: int) -> tuple[int, int, int]:
    """(start, stop, step) within a dimension of size n, stop not before start."""
    if s.step is not None and s.step.__index__() < 0:
        raise ValueError("step must be greater than zero")
    start, stop, step = s.indices(n)
    return start, max(start, stop), step


def zero_dim_error() -> IndexError:
    return IndexError(
        "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in "
        "C++ to convert a 0-dim "
        "tensor to a number"
    )


# ---------------------------------------------------------------------- the operators
@public("Tensor")
def __getitem__(self: Tensor, index: Any) -> Tensor:
    """Views for integers, slices, None and Ellipsis; copies for tensors, lists and masks.

    >>> import minitorch as torch
    >>> x = torch.arange(6).reshape(2, 3)
    >>> x[1, ::2], x[:, torch.tensor([2, 0])]
    (tensor([3, 5]), tensor([[2, 0],
            [5, 3]]))
    """
    kind = index.__class__
    if kind is Tensor and index.array.dtype == np.int64 and index.array.shape and self.array.shape:
        return OPS["index"].function(self, At([index]))
    view, at = _view_and_positions(self, index)
    return view if at is None else OPS["index"].function(view, at)


_BOUNDS = (int, NoneType)


def _view_and_positions(x: Tensor, index: Any) -> tuple[Tensor, At | None]:
    """The basic part of the index applied, and the positions in that view, if there are any."""
    kind = index.__class__
    if kind is int:
        try:
            return OPS["basic_select"].function(x, (index, Ellipsis)), None
        except IndexError:
            pass
    elif kind is slice:
        if _is_plain(index) and x.array.shape:
            return OPS["basic_slice"].function(x, (index, Ellipsis)), None
    elif kind is tuple:
        title = _plain_title(x.array.shape, index)
        if title is not None:
            return OPS[title].function(x, (*index, Ellipsis)), None
    return Parsed(x.array.shape, index).applied(x)


def _is_plain(s: slice) -> bool:
    return s.step is None and s.start.__class__ in _BOUNDS and s.stop.__class__ in _BOUNDS


def _plain_title(shape: tuple[int, ...], index: tuple[Any, ...]) -> str | None:
    """The record for an index of integers, slices and None alone, None if `Parsed` has to look at it."""
    title, dim = None, 0
    for i in index:
        kind = i.__class__
        if kind is NoneType:
            title = "basic_unsqueeze"
            continue
        if dim >= len(shape):
            return None
        if kind is int:
            if not -shape[dim] <= i < shape[dim]:
                return None
            title = "basic_select"
        elif kind is not slice or not _is_plain(i):
            return None
        elif i.start or i.stop is not None:
            if not i.start and i.stop >= shape[dim]:
                return None
            title = "basic_slice"
        dim += 1
    return title


@public("Tensor")
def __setitem__(self: Tensor, index: Any, value: Any) -> None:
    """Write a number or a tensor, broadcast, to the elements that the index names."""
    if not isinstance(value, Tensor):
        value = _number(self, value)
    if index is False:
        return
    view, at = _view_and_positions(self, None if index is True else index)
    if at is not None:
        values = value if isinstance(value, Tensor) else value_for(self, value)
        _put(view, at, _without_leading_ones(values, 0), False)
    elif isinstance(value, Tensor):
        _write_view(view, value)
    else:
        check_not_overlapping(view)
        FUNCTIONS["fill_with_"](view, value)


@public("Tensor")
def __delitem__(self: Tensor, index: Any) -> None:
    raise TypeError("Tensor does not support deleting items")


def _number(x: Tensor, value: Any) -> Any:
    """What is assigned, as a number that x can hold."""
    if isinstance(value, np.generic):
        value = value.item()
    if value.__class__ not in NUMBERS:
        raise TypeError(f"can't assign a {_described(value)} to a torch.{c_name(x.array)}Tensor")
    dtype = x.array.dtype
    if dtype.kind in "iu":
        if value.__class__ is float:
            check(isfinite(value), f"value cannot be converted to type {dtype}_t without overflow")
            value = int(value)
        check(-(2**63) <= value < 2**63, "Overflow when unpacking long long", ValueError)
    return value


def value_for(x: Tensor, value: Any) -> Tensor:
    """What is assigned to x, as a tensor."""
    if isinstance(value, Tensor):
        return value
    value = _number(x, value)
    if not x.is_cpu:
        return constant_like(x, value)
    dtype = x.array.dtype
    return wrap(
        np.array(value, np.int64).astype(dtype) if dtype.kind in "iu" else np.array(value, dtype)
    )


def _described(value: Any) -> str:
    return "numpy.ndarray" if isinstance(value, ndarray) else type(value).__name__


def _without_leading_ones(value: Tensor, ndim: int) -> Tensor:
    """torch drops leading dimensions of size 1 from what is assigned."""
    shape = value.array.shape
    extra = 0
    while extra < len(shape) - ndim and shape[extra] == 1:
        extra += 1
    return FUNCTIONS["reshape"](value, *shape[extra:]) if extra else value


def _write_view(view: Tensor, value: Tensor) -> None:
    value = _without_leading_ones(value, view.array.ndim)
    if value.array.ndim > view.array.ndim:
        OPS["expand_to"].function(value, view.array.shape)  # its error is torch's
    FUNCTIONS["copy_"](view, value)


# ---------------------------------------------------------------------- the same, as functions
def _index_list(name: str, indices: Any) -> list[Tensor | None]:
    if not isinstance(indices, (tuple, list)):
        raise TypeError(
            f"{name}(): argument 'indices' (position 1) must be tuple of Tensors, not "
            f"{type(indices).__name__}"
        )
    for position, i in enumerate(indices):
        if not isinstance(i, Tensor):
            raise TypeError(
                f"expected Tensor as element {position} in argument 0, but got {type(i).__name__}"
            )
    check(indices, f"{name}(): expected at least one index tensor")
    return [_tensor_index(i) for i in indices]


@public("Tensor")
def index_put_(self: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """self[indices] = values; with accumulate, repeated positions add up.

    >>> import minitorch as torch
    >>> x = torch.zeros(3)
    >>> x.index_put_((torch.tensor([1, 1]),), torch.tensor(2.0), accumulate=True)
    tensor([0., 4., 0.])
    """
    return _put(self, At(_index_list("index_put_", indices)), values, bool(accumulate))


def _put(x: Tensor, at: At, values: Tensor, accumulate: bool) -> Tensor:
    mine, theirs = x.array.dtype, values.array.dtype
    if mine is not theirs:
        masks = all(t is None or t.array.dtype == np.bool_ for t in at.tensors)
        check(
            masks and values.array.size == 1 and not accumulate,
            f"Index put requires the source and destination dtypes match, got {C_NAMES[mine.name]} "
            "for the destination and "
            f"{C_NAMES[theirs.name]} for the source.",
        )
        values = cast(values, mine)
    warn_if_expanded(x, "index_put_", "tensor[indices] = tensor")
    return FUNCTIONS["index_put_into_"](x, values, at, accumulate)


@public("torch Tensor")
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """index_put_ on a copy."""
    return index_put_(OPS["clone"].function(input), indices, values, accumulate)


def warn_if_expanded(x: Tensor, name: str, example: str) -> None:
    """torch's warning before it writes to memory that several elements share."""
    a = x.array
    if (
        a.size
        and 0 in a.strides
        and any(n > 1 and not s for n, s in zip(a.shape, a.strides, strict=True))
    ):
        warnings.warn(
            f"Use of {name} on expanded tensors is deprecated. Please clone() the tensor before "
            "performing this operation. "
            f"This also applies to advanced indexing e.g. {example}",
            UserWarning,
            stacklevel=4,
        )
