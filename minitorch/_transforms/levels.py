"""The stack of levels, and tensors that stand for a batch at one of them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from minitorch._kernels.strided import StridedArray
from minitorch._ops.positions import At
from minitorch._tensor import Tensor, current_edge, new
from minitorch.autograd.grad_mode import state

VMAP = "vmap: "
NO_ITEM = (
    VMAP + "It looks like you're calling .item() on a Tensor. We don't support vmap over calling .item() on a "
    "Tensor, please try to rewrite what you're doing with other operations. If error is occurring somewhere inside "
    "PyTorch internals, please file a bug report."
)
NO_CONTROL_FLOW = (
    VMAP + "It looks like you're attempting to use a Tensor in some data-dependent control flow. We don't support "
    "that yet, please file an issue at https://github.com/pytorch/pytorch/issues ."
)


class Level:
    """One transform in progress, as an interceptor."""

    def call(self, op: Any, args: tuple[Any, ...]) -> Any:
        """What the op means at this level."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        state.interceptors = (*state.interceptors, self)
        state.refresh()
        return self

    def __exit__(self, *_: object) -> None:
        state.interceptors = tuple(i for i in state.interceptors if i is not self)
        state.refresh()

    def beneath(self, function: Callable[..., Any], *args: Any) -> Any:
        """function(*args) as the levels below this one mean it."""
        saved = state.interceptors
        state.interceptors = saved[: saved.index(self)]
        state.refresh()
        try:
            return function(*args)
        finally:
            state.interceptors = saved
            state.refresh()

    def call_function(self, cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What a user-defined autograd.Function means at this level."""
        return self.beneath(lambda: cls.apply(*args, **kwargs))


class Transforming:
    """While a function is transformed it may make no leaf and call no backward."""

    def begin(self) -> None:
        """From here on."""
        self.around, state.transform = state.transform, self

    def end(self) -> None:
        """Until here."""
        state.transform = self.around

    def refuse_leaf(self) -> None:
        """What `requires_grad_` asks."""
        raise RuntimeError(
            "You are attempting to call Tensor.requires_grad_() (or perhaps using torch.autograd.functional.* APIs) "
            "inside of a function being transformed by a functorch transform. This is unsupported, please attempt to "
            "use the functorch transforms (e.g. grad, vjp, jacrev, jacfwd, hessian) or call requires_grad_() outside "
            "of a function being transformed instead."
        )

    def refuse_backward(self) -> None:
        """What `backward` asks."""
        raise RuntimeError(
            "backward() called inside a functorch transform. This is not supported, please use functorch.grad or "
            "functorch.vjp instead or call backward() outside of functorch transforms."
        )


class Transform(Transforming, Level):
    """A level of torch.func."""

    number: int

    def __enter__(self) -> Any:
        self.begin()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.end()


def active(kind: type) -> tuple[Any, ...]:
    """The levels of this kind, outermost first."""
    return tuple(i for i in state.interceptors if isinstance(i, kind))


# ---------------------------------------------------------------------- batches
class BatchedArray:
    """The array of a tensor that stands for all values of a batch: the geometry of one, over a tensor of all.

    `value` is that tensor, its first dimension the batch; it may itself be batched, at a lower level.
    """

    __slots__ = ("__weakref__", "level", "value")
    __array_ufunc__ = None  # NumPy must not take part: an operator with one of these is a TypeError

    def __init__(self, value: Tensor, level: Any):
        self.value, self.level = value, level

    shape = property(lambda self: self.value.array.shape[1:])
    strides = property(lambda self: self.value.array.strides[1:])
    dtype = property(lambda self: self.value.array.dtype)
    device = property(lambda self: self.value.device)
    ndim = property(lambda self: self.value.array.ndim - 1)
    itemsize = property(lambda self: self.value.array.dtype.itemsize)
    nbytes = property(lambda self: self._geometry().nbytes)
    flags = property(lambda self: self._geometry().flags)
    size = property(lambda self: self._geometry().size)
    offset, memory = 0, None

    # geometry without memory, where a check asks for the shape or the existence of a view
    def _geometry(self) -> StridedArray:
        return StridedArray(self.shape, self.dtype, None, self.strides)

    def restrided(self, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> StridedArray:
        return self._geometry().restrided(shape, strides, offset)

    def __getitem__(self, index: Any) -> StridedArray:
        return self._geometry()[index]

    def transpose(self, *axes: Any) -> StridedArray:
        return self._geometry().transpose(*axes)

    # what checks of values ask: about all values of the batch
    def all_values(self) -> Any:
        """The array that lies under all batches."""
        t = self.value
        while t.array.__class__ is BatchedArray:
            t = t.array.value
        return t.array

    def __lt__(self, number: Any) -> Any:
        return self.all_values() < number

    def __le__(self, number: Any) -> Any:
        return self.all_values() <= number

    def __gt__(self, number: Any) -> Any:
        return self.all_values() > number

    def __ge__(self, number: Any) -> Any:
        return self.all_values() >= number

    def __ne__(self, number: object) -> Any:
        return self.all_values() != number if isinstance(number, (int, float)) else self is not number

    def __eq__(self, number: object) -> Any:
        return self.all_values() == number if isinstance(number, (int, float)) else self is number

    __hash__ = object.__hash__

    def min(self) -> Any:
        return self.all_values().min()

    def max(self) -> Any:
        return self.all_values().max()

    def item(self) -> Any:
        raise RuntimeError(NO_ITEM)

    def truth(self) -> bool:
        """What `bool(tensor)` asks."""
        raise RuntimeError(NO_CONTROL_FLOW)

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise RuntimeError("Cannot access data pointer of Tensor that doesn't have storage")

    tolist = __array__

    def like(self, t: Tensor) -> Tensor:
        """A copy of t for every value of the batch: what `zeros_like` and its kin make."""
        level = self.level
        if is_batched(t, level):
            return t

        def spread(t: Tensor) -> Tensor:
            return spread_out(t, level.size).clone()

        return batched(level.beneath(spread, t), level)

    def text(self) -> str:
        """What a tensor of this array prints."""
        inner = "\n".join("    " + line for line in repr(self.value).split("\n"))
        return f"BatchedTensor(lvl={self.level.number}, bdim=0, value=\n{inner}\n)"


def batched(value: Tensor, level: Any) -> Tensor:
    """The tensor that stands for the slices of `value` at this level."""
    t = new(Tensor)
    t.array, t.version, t._grad, t.base = BatchedArray(value, level), value.version, None, None
    t.edge = value.edge if value.base is None else current_edge(value)
    return t


def is_batched(t: Any, level: Any) -> bool:
    """Whether t is a batch at this very level."""
    return isinstance(t, Tensor) and t.array.__class__ is BatchedArray and t.array.level is level


def spread_out(t: Tensor, size: int) -> Tensor:
    """t with a new first dimension, over which it does not change."""
    from minitorch._ops.op import OPS

    return OPS["expand_to"].function(t, (size, *t.array.shape))


def lowered(t: Tensor, level: Any) -> Tensor:
    """t with the level's batch as an ordinary first dimension; batches of levels above stay."""
    array = t.array
    if array.__class__ is not BatchedArray or array.level.number < level.number:
        return spread_out(t, level.size)
    if array.level is level:
        return array.value
    from minitorch._ops.op import OPS

    inner = lowered(array.value, level)
    return batched(OPS["transpose"].function(inner, 0, 1), array.level)


def physical(t: Tensor, levels: tuple[Any, ...]) -> Tensor:
    """t with the batches of all these levels (outermost first) as ordinary dimensions."""
    for level in reversed(levels):
        t = lowered(t, level)
    return t


def raised(t: Tensor, level: Any) -> Tensor:
    """The inverse of `lowered`: t's first dimension as the level's batch, below the batches of levels above it."""
    array = t.array
    if array.__class__ is not BatchedArray or array.level.number < level.number:
        return batched(t, level)
    from minitorch._ops.op import OPS

    return batched(raised(OPS["transpose"].function(array.value, 0, 1), level), array.level)


def logical(t: Tensor, levels: tuple[Any, ...]) -> Tensor:
    """The inverse of `physical`."""
    for level in levels:
        t = raised(t, level)
    return t


def innermost(t: Tensor) -> tuple[Tensor, tuple[Any, ...]]:
    """The tensor that lies under all batches of t, and their levels, outermost first."""
    levels = []
    while t.array.__class__ is BatchedArray:
        levels.append(t.array.level)
        t = t.array.value
    return t, tuple(reversed(levels))


def batch_levels(tensors: Iterable[Tensor]) -> tuple[Any, ...]:
    """The levels at which any of the tensors is a batch, outermost first."""
    found = {level for t in tensors for level in innermost(t)[1]}
    return tuple(sorted(found, key=lambda level: level.number))


def writes(op: Any) -> bool:
    """Whether the op's kernel writes to its first argument even out of place, where that is a copy made for it."""
    return getattr(op, "kind", "") == "structured" and bool(op.inplace)


def on_copy(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function on a copy of its first argument."""

    def copying(x: Tensor, *rest: Any) -> Any:
        from minitorch._ops.op import OPS

        return function(OPS["clone"].function(x), *rest)

    return copying


def tensors_in(args: Any) -> Iterator[Tensor]:
    """The tensors among an op's arguments, also in lists and in advanced indices."""
    for a in args:
        if isinstance(a, Tensor):
            yield a
        elif isinstance(a, (list, tuple)):
            yield from tensors_in(a)
        elif isinstance(a, At):
            yield from (t for t in a.tensors if t is not None)
