"""vmap: a function of one value, called once for a whole batch of them.

Within the function a batch is one tensor with the shape of a single value (`levels.BatchedArray`). Most ops have a rule
that computes all values at once (`batch_rules.py`); every other op is called for one value after the other and its
results are stacked, op by op: right, and no faster than a loop.
"""

import functools
from collections.abc import Callable
from typing import Any

from minitorch._ops.intercepted import InPlace
from minitorch._ops.op import OPS
from minitorch._ops.public import FUNCTIONS
from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import state
from minitorch.utils._pytree import _broadcast_to_and_flatten, tree_flatten, tree_unflatten

from .levels import VMAP, BatchedArray, Level, Transform, batched, is_batched, lowered, spread_out, tensors_in

RANDOM_ERROR = (
    VMAP + "called random operation while in randomness error mode. Please either use the 'same' or 'different' "
    "randomness flags on vmap or perform the randomness operation out of vmap"
)


# what torch's error about a write of a batch to a tensor that is none calls the op
ARITHMETIC = {"mul", "sub", "div", "copy_from", "masked_fill"}
INDEXED = {"index_add", "index_put"}


class Vmap(Transform):
    """One batch dimension."""

    def __init__(self, size: int, randomness: str):
        self.size, self.randomness = size, randomness
        self.number = 1 + sum(isinstance(i, Level) for i in state.interceptors)

    def call(self, op: Any, args: tuple[Any, ...]) -> Any:
        from .batching import computed, is_random

        if is_random(op):
            return self._random(op, args)
        if not any(is_batched(t, self) for t in tensors_in(args)):
            made = self.beneath(op.function, *args)
            if op is OPS["clone"]:
                made.__dict__["copied_at"] = self
            return made
        if isinstance(op, InPlace):
            self._check_write(op, args)
        result = computed(self, op, args)
        if isinstance(op, InPlace):
            x = args[0]
            x.edge = batched(x.array.value, self).edge
            return x
        return self.wrapped(result)

    def refuse_out(self, op: Any, out: Any, result: Any) -> None:
        """What `out=` asks."""
        if is_batched(out, self) or is_batched(result, self):
            raise RuntimeError(
                f"Batching rule not implemented for aten::{op.name}.out; the fallback path doesn't work on out= or "
                "view ops."
            )

    def wrapped(self, result: Any) -> Any:
        """The values of a batch, or several of them, as batched tensors."""
        if isinstance(result, Tensor):
            return batched(result, self)
        if isinstance(result, tuple) and hasattr(result, "_fields"):
            return type(result)(*[self.wrapped(r) for r in result])
        return type(result)(self.wrapped(r) for r in result) if isinstance(result, (tuple, list)) else result

    def _check_write(self, op: Any, args: tuple[Any, ...]) -> None:
        x = args[0]
        if is_batched(x, self):
            return
        if x.__dict__.get("copied_at") is self and not x._version:  # an out-of-place op's copy of its input
            spread = batched(self.beneath(lambda: spread_out(x, self.size).clone()), self)
            x.array, x.version, x.edge = spread.array, spread.version, spread.edge
            return
        name = op.op.name.removesuffix("_into")
        what = "inplace arithmetic" if name in ARITHMETIC else f"{name}_" if name in INDEXED else f"aten::{name}_"
        where = f"at level {self.number}" if what[:4] == "aten" else "in a vmap"
        raise RuntimeError(
            f"vmap: {what}(self, *extra_args) is not possible because there exists a Tensor `other` in "
            "extra_args that has more elements than `self`. This happened due to `other` being vmapped over but `self` "
            f"not being vmapped over {where}. Please try to use out-of-place operators instead of "
            f"{what}. If said operator is being called inside the PyTorch framework, please file a bug report instead."
        )

    def _random(self, op: Any, args: tuple[Any, ...]) -> Any:
        """A sampler, under the rule that `randomness` names."""
        if self.randomness == "error":
            raise RuntimeError(RANDOM_ERROR)
        over = [is_batched(a, self) for a in args]
        if isinstance(op, InPlace):
            if not over[0] and (self.randomness == "different" or any(over)):
                raise RuntimeError(
                    "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will appear like "
                    "same randomness. If this is necessary for your usage, please file an issue with functorch."
                )
            if over[0] and self.randomness == "same":
                return self._same_in_place(op, args)
            self.beneath(op.function, *[self._values(a) for a in args])
            return args[0]
        if self.randomness == "same" and not any(over):
            return self.beneath(op.function, *args)
        if self.randomness == "same":
            raise RuntimeError(
                "Vmap does not currently support same randomness with a batched tensor input. "
                "Please file an issue with functorch"
            )
        return self.wrapped(self.beneath(op.function, *[self._values(a) for a in args]))

    def _same_in_place(self, op: Any, args: tuple[Any, ...]) -> Any:
        """One draw, written to every value of the batch."""
        value = args[0].array.value

        def draw() -> None:
            first = OPS["select"].function(value, 0, 0).clone()
            op.function(first, *args[1:])
            value.copy_(first)

        self.beneath(draw)
        return args[0]

    def _values(self, a: Any) -> Any:
        return lowered(a, self) if isinstance(a, Tensor) else a

    def drawn(self, make: Callable[..., Any], size: tuple[int, ...]) -> Any:
        """make(size), for a factory of random tensors."""
        if self.randomness == "error":
            raise RuntimeError(RANDOM_ERROR)
        if self.randomness == "same":
            return self.beneath(make, size)
        return batched(self.beneath(make, (self.size, *size)), self)

    def call_function(self, cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        from .custom import batched_function

        return batched_function(self, cls, args, kwargs)


# ---------------------------------------------------------------------- arguments and results
def _name(func: Any) -> str:
    if hasattr(func, "__name__"):
        return func.__name__
    return f"functools.partial({_name(func.func)}, ...)" if isinstance(func, functools.partial) else repr(func)


def _flat_in_dims(func: Any, in_dims: Any, args: tuple[Any, ...]) -> tuple[list[Any], list[Any], Any, int]:
    """(leaves of args, the dimension of each that is the batch or None, their structure, the size of the batch)."""
    name = _name(func)
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): expected `in_dims` to be int or a (potentially nested) "
            f"tuple matching the structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a "
            "function with no inputs. The latter is unsupported."
        )
    leaves, spec = tree_flatten(args)
    dims = _broadcast_to_and_flatten(in_dims, spec)
    call = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): "
    if dims is None:
        raise ValueError(
            f"{call}in_dims is not compatible with the structure of `inputs`. in_dims has structure "
            f"{tree_flatten(in_dims)[1]} but inputs has structure {spec}."
        )
    for i, (x, dim) in enumerate(zip(leaves, dims, strict=True)):
        dims[i] = _checked_dim(call, x, dim)
    sizes = [x.shape[dim] for x, dim in zip(leaves, dims, strict=True) if dim is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if any(n != sizes[0] for n in sizes):
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the "
            "mapped dimension"
        )
    return leaves, dims, spec, sizes[0]


def _checked_dim(call: str, x: Any, dim: Any) -> int | None:
    if dim is None:
        return None
    if not isinstance(dim, int):
        raise ValueError(f"{call}Got in_dim={dim} for an input but in_dim must be either an integer dimension or None.")
    if not isinstance(x, Tensor):
        raise ValueError(
            f"{call}Got in_dim={dim} for an input but the input is of type {type(x)}. We cannot vmap over non-Tensor "
            "arguments, please use None as the respective in_dim"
        )
    if not -x.ndim <= dim < x.ndim:
        raise ValueError(
            f"{call}Got in_dim={dim} for some input, but that input is a Tensor of dimensionality {x.ndim} so expected "
            f"in_dim to satisfy -{x.ndim} <= in_dim < {x.ndim}."
        )
    return dim % x.ndim


def moved(t: Tensor, source: int, destination: int) -> Tensor:
    """t with one dimension elsewhere."""
    order = [i for i in range(t.ndim) if i != source]
    order.insert(destination, source)
    return t if source == destination else OPS["permute_dims"].function(t, tuple(order))


def _unwrapped(func: Any, outputs: Any, out_dims: Any, level: Vmap) -> Any:
    """The outputs with their batch as dimension `out_dims`; runs below the level."""
    leaves, spec = tree_flatten(outputs)
    name = _name(func)
    if isinstance(out_dims, int) or out_dims is None:
        dims: Any = [out_dims] * len(leaves)
    elif isinstance(out_dims, tuple) and isinstance(outputs, Tensor):
        dims = list(out_dims) if len(out_dims) == 1 else None
    else:
        dims = _broadcast_to_and_flatten(out_dims, spec)
    if dims is None:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of "
            f"`outputs`. out_dims has structure {tree_flatten(out_dims)[1]} but outputs has structure {spec}."
        )
    made = []
    for t, dim in zip(leaves, dims, strict=True):
        if not isinstance(t, Tensor):
            if dim is not None:
                raise ValueError(
                    f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(t)}. Did you mean to set "
                    "out_dims= to None for output?"
                )
            made.append(t)
        elif dim is None:
            if is_batched(t, level):
                raise ValueError(f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None")
            made.append(t)
        else:
            made.append(_with_batch_at(t, dim, level))
    return tree_unflatten(made, spec)


def _with_batch_at(t: Tensor, dim: int, level: Vmap) -> Tensor:
    n = t.ndim + 1
    if not -n <= dim < n:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return moved(lowered(t, level), 0, dim % n)


def _check_out_dims(func: Any, out_dims: Any) -> None:
    if isinstance(out_dims, int) or out_dims is None:
        return
    if not all(isinstance(d, int) or d is None for d in tree_flatten(out_dims)[0]):
        raise ValueError(
            f"vmap({_name(func)}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection of "
            "ints representing where in the outputs the vmapped dimension should appear."
        )


def check_randomness(randomness: str) -> None:
    """Refuse what is no kind of randomness."""
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function that maps func over dimension `in_dims` of its inputs, to dimension `out_dims` of its results.

    Most ops compute the whole batch at once. One without a batching rule (decompositions and solvers, `batch_norm`,
    `cross_entropy`, an index that is a batch, ...) is called for one value after the other, as slow as a loop:
    docs/architecture.md has the table. What needs to know values, such as `.item()` or `nonzero`, raises.

    >>> import minitorch as torch
    >>> torch.vmap(torch.dot)(torch.ones(2, 3), torch.arange(6.0).reshape(2, 3))
    tensor([ 3., 12.])
    """
    check_randomness(randomness)
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        _check_out_dims(func, out_dims)
        leaves, dims, spec, size = _flat_in_dims(func, in_dims, args)

        def run(some: list[Any], size: int) -> Any:
            return _mapped(func, some, dims, spec, size, out_dims, randomness, kwargs)

        if chunk_size is None or chunk_size >= size:
            return run(leaves, size)
        return _in_chunks(run, func, leaves, dims, size, out_dims, chunk_size)

    return functools.wraps(func)(wrapped) if callable(func) and hasattr(func, "__name__") else wrapped


def _mapped(
    func: Any, leaves: list[Any], dims: list[Any], spec: Any, size: int, out_dims: Any, randomness: str, kwargs: Any
) -> Any:
    level = Vmap(size, randomness)
    inputs = [x if dim is None else batched(moved(x, dim, 0), level) for x, dim in zip(leaves, dims, strict=True)]
    with level:
        outputs = func(*tree_unflatten(inputs, spec), **kwargs)
    return _unwrapped(func, outputs, out_dims, level)


def _in_chunks(
    run: Any, func: Any, leaves: list[Any], dims: list[Any], size: int, out_dims: Any, chunk_size: int
) -> Any:
    """The results for chunk_size values at a time, joined."""
    parts = []
    for start in range(0, size, chunk_size):
        length = min(chunk_size, size - start)
        some = [x if d is None else x.narrow(d, start, length) for x, d in zip(leaves, dims, strict=True)]
        parts.append(run(some, length))
    flat = [tree_flatten(p)[0] for p in parts]
    spec = tree_flatten(parts[0])[1]
    where = [out_dims] * len(flat[0]) if isinstance(out_dims, int) else _broadcast_to_and_flatten(out_dims, spec)
    assert where is not None
    joined = [
        column[0] if d is None else FUNCTIONS["cat"](list(column), d)
        for column, d in zip(zip(*flat, strict=True), where, strict=True)
    ]
    return tree_unflatten(joined, spec)


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """The tensor under the batches of the vmaps in progress; with recurse=False, under the innermost."""
    while tensor.array.__class__ is BatchedArray:
        tensor = tensor.array.value
        if not recurse:
            break
    return tensor
