"""From what stands between the brackets of x[...] to views and positions, with torch's checks."""

import operator
from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._tensor import Tensor, wrap
from minitorch.autograd._warnings import warn

from .check import check, concrete, type_name
from .op import OPS
from .positions import At
from .public import FUNCTIONS

ndarray = np.ndarray
NoneType = type(None)

UINT8_WARNING = "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead."
SEQUENCE_WARNING = (
    "Using a non-tuple sequence for multidimensional indexing is deprecated and will be changed in "
    "pytorch 2.9; use "
    "x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will be interpreted as tensor index, "
    "x[torch.tensor(seq)], "
    "which will result either in an error or a different result"
)
BAD_INDEX = "tensors used as indices must be long, int, byte or bool tensors"


# the common case, without an object
_BOUNDS = (int, NoneType)


def is_plain(s: slice) -> bool:
    return s.step is None and s.start.__class__ in _BOUNDS and s.stop.__class__ in _BOUNDS


def plain_title(shape: tuple[int, ...], index: tuple[Any, ...]) -> str | None:
    """The record for a tuple of integers, slices and None, None if `Parsed` has to look at it."""
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
        elif kind is not slice or not is_plain(i):
            return None
        elif i.start or i.stop is not None:
            if not i.start and i.stop >= shape[dim]:
                return None
            title = "basic_slice"
        dim += 1
    return title


def _integer(i: Any) -> int | None:
    """The index as an int, None if it is not one."""
    if isinstance(i, (Tensor, np.bool_)) or (isinstance(i, ndarray) and i.ndim):
        return None
    try:
        return operator.index(i)
    except TypeError:
        return None


def _items(index: Any) -> tuple[Any, ...]:
    """The index as a tuple; a list of more than numbers counts as one, with torch's warning."""
    if isinstance(index, tuple):
        return index
    if isinstance(index, (Tensor, ndarray)) or not hasattr(index, "__getitem__") or not hasattr(index, "__len__"):
        return (index,)
    if isinstance(index, (str, bytes)):
        raise _invalid_data(index)
    several = (Tensor, slice, list, tuple, ndarray, str, NoneType)
    if isinstance(index, (list, range)) and len(index) < 32 and any(
        isinstance(i, several) or i is Ellipsis for i in index
    ):  # fmt: skip
        warn(SEQUENCE_WARNING)
        return tuple(index)
    return (index,)


def _invalid_data(value: Any) -> TypeError:
    return TypeError(f"new(): invalid data type '{type_name(value)}'")


def tensor_index(i: Any) -> Tensor:
    """A list, range or array as an index tensor: a mask if of bools, else int64."""
    if not isinstance(i, Tensor):
        if isinstance(i, (str, bytes)):
            raise _invalid_data(i)
        if not isinstance(i, (list, tuple, range, ndarray)):
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables "
                "are valid indices (got "
                f"{'numpy.bool' if isinstance(i, np.bool_) else type_name(i)})"
            )
        a = np.asarray(i)
        if isinstance(i, ndarray):
            dtypes.of_numpy(a.dtype)  # refuses what no tensor can hold
        elif a.dtype.kind in "US":
            raise _invalid_data(a.flat[0].item())
        i = wrap(
            a if a.dtype in (np.bool_, np.uint8) and not (a.size == 0 and isinstance(i, list)) else a.astype(np.int64)
        )
    dtype = i.array.dtype
    if dtype == np.uint8:
        warn(UINT8_WARNING)
        return FUNCTIONS["bool"](i)
    if dtype not in (np.int64, np.int32, np.bool_):
        raise IndexError(BAD_INDEX)
    return i


class Parsed:
    """An index against a shape: the basic part and what it is called, then the positions."""

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
            self._positions(tensor_index(i))

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
        if not self.single and step == 1 and s.start in (None, 0) and (s.stop is None or s.stop.__index__() >= n):
            self._whole()
            return
        self._step("slice", slice(start, stop, step))
        self.dim += 1

    def _select(self, i: int, position: int) -> None:
        if not self.shape:
            raise zero_dim_error()
        n = self.shape[self.dim]
        if not -n <= i < n:
            check(-(2**63) <= i < 2**63, "Overflow when unpacking long long", ValueError)
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
        if concrete(i.array) is not i.array:  # a batch of numbers
            self._positions(i)
            return
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
        """The view that the basic part makes, and the positions in it, None if there are none."""
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
