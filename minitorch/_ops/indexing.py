"""x[...] and x[...] = v.

Integers, slices, None and Ellipsis make one view; tensors, lists and masks then read or write at
positions of it (`positions.py`).
"""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._kernels.half import filled
from minitorch._kernels.strided import repeats, restrided
from minitorch._tensor import Tensor, wrap
from minitorch.autograd._warnings import warn

from .check import C_NAMES, c_name, check, checked_value, real_part, type_name
from .copies import check_not_overlapping, check_overlap
from .index_syntax import Parsed, is_plain, plain_title, tensor_index
from .op import OPS, Op, structured, view
from .operands import MOST, NUMBERS, cast, constant_like
from .positions import At, add_at, read, spread_back
from .public import FUNCTIONS, public

ndarray = np.ndarray
NoneType = type(None)


# ---------------------------------------------------------------------- views
def basic_view(a: Any, index: tuple[Any, ...]) -> Any:
    """The view for integers, slices and None, with one Ellipsis at the end."""
    if a.__class__ is ndarray and None not in index:
        made = a[index]
        if made.size:
            return made
    return _strided_view(a, index)


def _strided_view(a: Any, index: tuple[Any, ...]) -> Any:
    """torch's strides and offset where NumPy's differ: new dimensions, views without elements."""
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


# ------------------------------------------------- reading and writing at positions
def _reader(name: str, title: str) -> Op:
    """The ops that read at positions differ in the name of their node."""

    @structured(name=name, title=title, tensors="input")
    def op(input, places):
        return places.plan(input.shape).result, input.dtype

    op.cpu(read)

    @op.grad("input")
    def index_grad(g, input_shape, places):
        return index_backward(g, input_shape, places)

    return op


INDEX, MASKED_SELECT, TAKE = (
    _reader(*names) for names in (("index", "Index"), ("masked_read", "MaskedSelect"), ("take_flat", "Take"))
)


@structured(tensors="g")
def index_backward(g, input_shape, places):
    return input_shape, g.dtype


@index_backward.cpu
def index_backward_cpu(g, input_shape, places):
    return spread_back(g, places, input_shape)


@index_backward.grad("g")
def index_backward_grad(g, places):
    return index(g, places)  # noqa: F821


@structured(name="index_put_into", title="IndexPut", tensors="input values", inplace=True)
def index_put_into(input, values, places, accumulate):
    return input.shape, input.dtype


@index_put_into.cpu
def index_put_array(input, values, places, accumulate):
    """input[places] = values, or += with every repeated position counted."""
    plan = places.plan(input.shape)
    plan.check_values(values.shape)
    result = plan.result
    if 0 in result:
        return input
    plan.positions()  # checks every position before the first write
    if accumulate:
        add_at(input, places, values)
    else:
        input[places.fancy()] = values
    return input


@index_put_into.grad("input")
def index_put_grad_input(g, places, accumulate):
    return clone(g) if accumulate else index_cleared(g, places)  # noqa: F821


@index_put_into.grad("values")
def index_put_grad_values(g, values_shape, places):
    return sum_to_size(index(g, places), values_shape)  # noqa: F821


@structured(tensors="g")
def index_cleared(g, places):
    return g.shape, g.dtype


@index_cleared.cpu
def index_cleared_cpu(g, places):
    """A copy with zeros at the positions."""
    d = g.copy()
    if 0 not in places.plan(g.shape).result:
        d[places.fancy()] = 0
    return d


@index_cleared.grad("g")
def index_cleared_grad(g, places):
    return index_cleared(g, places)


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
    if kind is Tensor and index.array.shape and self.array.shape:
        dtype = index.array.dtype
        if dtype is dtypes.INT64_NUMPY or (dtype is dtypes.BOOL_NUMPY and index.array.shape == self.array.shape):
            return OPS["index"].function(self, At([index]))
    view, at = _view_and_positions(self, index)
    return view if at is None else OPS["index"].function(view, at)


def _view_and_positions(x: Tensor, index: Any) -> tuple[Tensor, At | None]:
    """The basic part of the index applied, and the positions in that view, if there are any."""
    kind = index.__class__
    if kind is int:
        try:
            return OPS["basic_select"].function(x, (index, Ellipsis)), None
        except (IndexError, OverflowError):
            pass
    elif kind is slice:
        if is_plain(index) and x.array.shape:
            return OPS["basic_slice"].function(x, (index, Ellipsis)), None
    elif kind is tuple:
        title = plain_title(x.array.shape, index)
        if title is not None:
            return OPS[title].function(x, (*index, Ellipsis)), None
    return Parsed(x.array.shape, index).applied(x)


@public("Tensor")
def __setitem__(self: Tensor, index: Any, value: Any) -> None:
    """Write a number or a tensor, broadcast, to the elements that the index names."""
    if not isinstance(value, Tensor):
        value = _number(self, value)
        check(
            value.__class__ is float or -(2**63) <= value < 2**63,
            "Overflow when unpacking long long",
            ValueError,
        )
        dtype = self.array.dtype
        value = value if dtype in dtypes.HALVES else checked_value(value, dtype)
    if index is False:
        return
    view, at = _view_and_positions(self, None if index is True else index)
    if at is not None:
        values = value if isinstance(value, Tensor) else _scalar(self, value)
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
    if value.__class__ is complex:
        value = real_part(value, x.array.dtype)
    if value.__class__ not in NUMBERS:
        raise TypeError(f"can't assign a {type_name(value)} to a torch.{c_name(x.array)}Tensor")
    return value


def value_for(x: Tensor, value: Any) -> Tensor:
    """What is assigned to x, as a tensor."""
    if isinstance(value, Tensor):
        return value
    key = value.__class__, value, x.array.dtype
    try:
        return _KEPT[key]
    except (KeyError, TypeError):
        made = _scalar(x, checked_value(_number(x, value), x.array.dtype))
    # 0.0 == -0.0 as a key, and nan is not even nan
    if key[0] in NUMBERS and x.is_cpu and (value or key[0] is int) and value == value and len(_KEPT) < MOST:
        _KEPT[key] = made
    return made


# (class, number, NumPy dtype) -> 0-dim tensor, all checks made: 0.1 us where making it takes 1.5. Only to be read.
_KEPT: dict[Any, Tensor] = {}


def _scalar(x: Tensor, value: Any) -> Tensor:
    """A number as a 0-dim tensor of x's dtype."""
    return wrap(filled((), value, x.array.dtype)) if x.is_cpu else constant_like(x, value)


def _without_leading_ones(value: Tensor, ndim: int) -> Tensor:
    """torch drops leading dimensions of size 1 from what is assigned."""
    shape = value.array.shape
    extra = 0
    while extra < len(shape) - ndim and shape[extra] == 1:
        extra += 1
    return FUNCTIONS["reshape"](value, shape[extra:]) if extra else value


def _write_view(view: Tensor, value: Tensor) -> None:
    value = _without_leading_ones(value, view.array.ndim)
    if value.array.shape != view.array.shape:
        value = OPS["expand_to"].function(value, view.array.shape)  # its error is torch's
    FUNCTIONS["copy_"](view, value)


# ---------------------------------------------------------------------- the same, as functions
def _index_list(name: str, indices: Any) -> list[Tensor | None]:
    if not isinstance(indices, (tuple, list)):
        raise TypeError(f"{name}(): argument 'indices' (position 1) must be tuple of Tensors, not {type_name(indices)}")
    for position, i in enumerate(indices):
        if not isinstance(i, Tensor):
            raise TypeError(f"expected Tensor as element {position} in argument 0, but got {type_name(i)}")
    if not indices:
        raise RuntimeError(f"{name}(): expected at least one index tensor")
    return [tensor_index(i) for i in indices]


@public("torch Tensor")
def index_put_(self: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """self[indices] = values; with accumulate, repeated positions add up.

    >>> import minitorch as torch
    >>> x = torch.zeros(3)
    >>> x.index_put_((torch.tensor([1, 1]),), torch.tensor(2.0), accumulate=True)
    tensor([0., 4., 0.])
    """
    return _put(self, At(_index_list("index_put_", indices)), values, bool(accumulate))


def _put(x: Tensor, at: At, values: Tensor, accumulate: bool, fresh: bool = False) -> Tensor:
    mine, theirs = x.array.dtype, values.array.dtype
    fills = values.array.size == 1 and not accumulate  # as masked_fill, which takes any value
    fills = fills and all(t is None or t.array.dtype == np.bool_ for t in at.tensors)
    if mine is not theirs:
        if not fills:
            raise RuntimeError(
                f"Index put requires the source and destination dtypes match, got {C_NAMES[mine.name]} "
                "for the destination and "
                f"{C_NAMES[theirs.name]} for the source."
            )
        values = cast(values, mine)
    warn_if_expanded(x, "index_put_", "tensor[indices] = tensor")
    if not fills:
        check_overlap(x, values, *at.tensors, internal=False, apart=True)
    write = OPS["index_put_into"].function if fresh else FUNCTIONS["index_put_into_"]
    return write(x, values, at, accumulate)


@public("torch Tensor")
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """index_put_ on a copy."""
    at = At(_index_list("index_put", indices))
    return _put(OPS["clone"].function(input), at, values, bool(accumulate), fresh=True)


@public("torch")
def _unsafe_masked_index(input: Tensor, mask: Tensor, indices: Any, fill: Any) -> Tensor:
    """input[indices] where the mask holds, elsewhere `fill`; positions outside the input are moved to its border.

    >>> import minitorch as torch
    >>> i = torch.tensor([0, 2])
    >>> torch._unsafe_masked_index(torch.tensor([5.0, 6.0]), i < 2, [i], -1.0)
    tensor([ 5., -1.])
    """
    places = _clamped("_unsafe_masked_index", input, indices)
    check(places, "at least one index must be provided", IndexError)
    found = __getitem__(input, tuple(places))
    return FUNCTIONS["masked_fill"](found, FUNCTIONS["logical_not"](mask), fill)


@public("torch")
def _unsafe_masked_index_put_accumulate(input: Tensor, mask: Tensor, indices: Any, values: Tensor) -> Tensor:
    """A copy with values added at indices where the mask holds; positions outside the input are moved to its border."""
    places = _clamped("_unsafe_masked_index_put_accumulate", input, indices)
    return index_put(input, places, FUNCTIONS["masked_fill"](values, FUNCTIONS["logical_not"](mask), 0), True)


def _clamped(name: str, input: Tensor, indices: Any) -> list[Tensor]:
    if not isinstance(indices, (tuple, list)):
        raise TypeError(f"{name}(): argument 'indices' (position 3) must be tuple of Tensors, not {type_name(indices)}")
    for position, i in enumerate(indices):
        if not isinstance(i, Tensor):
            raise TypeError(f"expected Tensor as element {position} in argument 2, but got {type_name(i)}")
        if i.dtype not in (dtypes.int64, dtypes.int32):
            raise RuntimeError(f"{name} found unexpected index type {c_name(i.array)}")
    if len(indices) > input.ndim:
        raise IndexError(f"too many indices for tensor of dimension {input.ndim} (got {len(indices)})")
    return [FUNCTIONS["clamp"](i, -n, n - 1) for i, n in zip(indices, input.shape, strict=False)]


def warn_if_expanded(x: Tensor, name: str, example: str) -> None:
    """torch's warning before it writes to memory that several elements share."""
    a = x.array
    if a.size and repeats(a.shape, a.strides):
        warn(
            f"Use of {name} on expanded tensors is deprecated. Please clone() the tensor before "
            "performing this operation. "
            f"This also applies to advanced indexing e.g. {example}",
            UserWarning,
        )
