"""What an op means on a whole batch: a rule for its kind or its name (`batch_rules.py`), and the loop for the rest."""

from typing import Any

from minitorch._ops.apply import bring_together
from minitorch._ops.check import wrap_dim
from minitorch._ops.intercepted import InPlace
from minitorch._ops.joining import tensor_list
from minitorch._ops.op import OPS, Op
from minitorch._ops.operands import cast, common_dtype
from minitorch._ops.positions import At
from minitorch._ops.public import FUNCTIONS
from minitorch._tensor import Tensor

from .levels import is_batched, on_copy, spread_out, writes

DYNAMIC = {"nonzero_rows": "nonzero", "unique_flat": "_unique2", "unique_dim": "unique_dim"}
RANDOM = {name for name, op in OPS.items() if "generator" in op.others}


def is_random(op: Any) -> bool:
    """Whether the op draws random numbers."""
    return op.name.removesuffix("_") in RANDOM


class Batch:
    """One call: `values` are the arguments with batches in front, `ndims` the dimensions of a value of each."""

    def __init__(self, level: Any, op: Any, args: tuple[Any, ...]):
        self.op, self.size, self.args = op, level.size, args
        self.over = [is_batched(a, level) for a in args]
        self.ndims: list[Any] = [a.ndim if isinstance(a, Tensor) else None for a in args]  # None: no tensor
        self.values = [a.array.value if b else a for a, b in zip(args, self.over, strict=True)]
        self.inplace = isinstance(op, InPlace)
        record = getattr(op, "op", op)
        self.params = record.params if isinstance(record, Op) else ()
        self.named = dict(zip(self.params, self.values, strict=False))

    def is_over(self, name: str) -> bool:
        """Whether the argument of this name is a batch."""
        return self.over[self.params.index(name)]

    def ndim(self, name: str) -> int:
        """The dimensions of a value of the argument of this name."""
        return self.ndims[self.params.index(name)]

    def run(self, *spread: str, **changes: Any) -> Any:
        """The op with these arguments changed, and those of `spread` repeated if they are no batch."""
        named = {**self.named, **{name: self.spread(self.params.index(name)) for name in spread}, **changes}
        return self.call(*named.values())

    def call(self, *values: Any) -> Any:
        """The op on these arguments."""
        return self.op.function(*values)

    def spread(self, i: int) -> Tensor:
        """Argument i, repeated if it is no batch."""
        return self.values[i] if self.over[i] else spread_out(self.values[i], self.size)

    def aligned(self, i: int, ndim: int) -> Any:
        """Argument i with dimensions of size 1 after the batch, so that a value of it has `ndim`."""
        value = self.values[i]
        return lifted(value, self.ndims[i], ndim) if self.over[i] else value


def lifted(t: Tensor, have: int, want: int) -> Tensor:
    """A batch of values of `have` dimensions as one of values of `want`, new ones of size 1 first."""
    for _ in range(want - have):
        t = OPS["unsqueeze"].function(t, 1)
    return t


def computed(level: Any, op: Any, args: tuple[Any, ...]) -> Any:
    """The op's result for the whole batch."""
    record = getattr(op, "op", op)
    name = record.name
    if name in DYNAMIC:
        raise RuntimeError(
            "vmap: We do not support batching operators that can output dynamic shape. Attempted to vmap over "
            f"aten::{DYNAMIC[name]}. Please file an issue at https://github.com/pytorch/pytorch/issues if you need "
            "this feature."
        )
    if name == "cat":
        return joined(level, *args)
    if isinstance(record, Op) and record.kind == "pointwise":
        if not isinstance(op, InPlace):
            args = same_dtype(record, args)
        return level.beneath(pointwise, Batch(level, op, args))
    batch = Batch(level, op, args)
    from .batch_rules import RULES

    if name in RULES:
        result = level.beneath(RULES[name], batch)
        if result is not NotImplemented:
            return result
    return level.beneath(one_by_one, level, batch)


def same_dtype(op: Op, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Operands brought to one dtype by the rules for single values: a batch of numbers would count as a vector."""
    values = dict(zip(op.params, args, strict=True))
    if len(op.tensors) > 1 and all(isinstance(values[t], Tensor) for t in op.tensors):
        if len({values[t].array.dtype for t in op.tensors}) > 1:
            bring_together(op, values)
    return tuple(values.values())


def pointwise(b: Batch) -> Any:
    """All values at once, dimensions aligned from the last."""
    ndim = max(n for n in b.ndims if n is not None)
    if b.inplace and ndim > b.ndims[0]:
        ndim = b.ndims[0]
    return b.call(*[b.aligned(i, ndim) if isinstance(a, Tensor) else a for i, a in enumerate(b.args)])


def one_by_one(level: Any, b: Batch) -> Any:
    """The op for each value of the batch, results stacked."""
    if not b.size:
        raise RuntimeError(f"The fallback path does not support vmap over dims of size 0 (while calling {b.op.name})")
    function = on_copy(b.op.function) if writes(b.op) else b.op.function
    results = [function(*_sliced(level, b.args, i)) for i in range(b.size)]
    if b.inplace:
        return None
    return _stacked(results)


def _sliced(level: Any, args: Any, i: int) -> Any:
    return type(args)(_value(level, a, i) for a in args)


def _value(level: Any, a: Any, i: int) -> Any:
    """Value i of whatever is batched within an argument."""
    if is_batched(a, level):
        return OPS["select"].function(a.array.value, 0, i)
    if a.__class__ in (list, tuple):
        return _sliced(level, a, i)
    if isinstance(a, At) and any(is_batched(t, level) for t in a.tensors):
        return At([_value(level, t, i) for t in a.tensors])
    return a


def _stacked(results: list[Any]) -> Any:
    first = results[0]
    if isinstance(first, Tensor):
        return FUNCTIONS["stack"](results)
    if not isinstance(first, (tuple, list)):
        return first
    made = [_stacked(list(column)) for column in zip(*results, strict=True)]
    return type(first)(*made) if hasattr(first, "_fields") else type(first)(made)


def joined(level: Any, tensors: Any, dim: int) -> Tensor:
    """cat."""
    tensors = tensor_list("cat", tensors)
    dtype = common_dtype([t.array for t in tensors])
    tensors = [t if t.array.dtype is dtype else cast(t, dtype) for t in tensors]
    ndim = next((t.ndim for t in tensors if tuple(t.shape) != (0,)), tensors[0].ndim)
    kept = [t for t in tensors if tuple(t.shape) != (0,)] or tensors[:1]

    def run() -> Tensor:
        values = [t.array.value if is_batched(t, level) else spread_out(t, level.size) for t in kept]
        return FUNCTIONS["cat"](values, wrap_dim(dim, ndim) + 1)

    return level.beneath(run)
