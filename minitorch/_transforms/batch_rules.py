"""What an op means on a whole batch: rules by kind and by name, and the loop for the rest.

A rule gets the op's function, the arguments with batches as ordinary first dimensions, and the number of dimensions that
a single value of each has; it returns results with the batch first.
"""

from collections.abc import Callable
from typing import Any

from minitorch._ops.apply import _bring_together
from minitorch._ops.check import wrap_dim
from minitorch._ops.generate import InPlace
from minitorch._ops.joining import tensor_list
from minitorch._ops.op import OPS, Op
from minitorch._ops.operands import FUNCTIONS, NUMBERS, cast, common_dtype
from minitorch._ops.positions import At
from minitorch._ops.views import inferred_shape
from minitorch._tensor import Tensor

from .levels import VMAP, is_batched, on_copy, spread_out, tensors_in, writes

RULES: dict[str, Callable[..., Any]] = {}
DYNAMIC = {"nonzero_rows": "nonzero", "unique_flat": "_unique2", "unique_dim": "unique_dim"}
RANDOM = {name for name in OPS if name.startswith(("fill_", "normal_", "bernoulli_")) and name != "fill_with"}


def is_random(op: Any) -> bool:
    """Whether the op draws random numbers."""
    return op.name.removesuffix("_") in RANDOM


def rule(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the batching rule of these ops."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


class Batch:
    """One call: `values` are the arguments with batches in front, `ndims` the dimensions of a value of each."""

    def __init__(self, level: Any, op: Any, args: tuple[Any, ...]):
        self.op, self.size, self.args = op, level.size, args
        self.over = [is_batched(a, level) for a in args]
        self.ndims = [a.ndim if isinstance(a, Tensor) else None for a in args]
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
            f"vmap: We do not support batching operators that can output dynamic shape. Attempted to vmap over "
            f"aten::{DYNAMIC[name]}. Please file an issue at https://github.com/pytorch/pytorch/issues if you need this "
            "feature."
        )
    if name == "cat":
        return joined(level, *args)
    if isinstance(record, Op) and record.kind == "pointwise":
        if not isinstance(op, InPlace):
            args = same_dtype(record, args)
        return level.beneath(pointwise, Batch(level, op, args))
    batch = Batch(level, op, args)
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
            _bring_together(op, values)
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


# ---------------------------------------------------------------------- lists
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


@rule("unbind")
def unbind(b: Batch) -> Any:
    return b.call(b.values[0], b.args[1] + 1)


@rule("split", "split_with_sizes")
def split(b: Batch) -> Any:
    return b.call(b.values[0], b.args[1], b.args[2] + 1)


# ---------------------------------------------------------------------- views
@rule("transpose")
def transpose(b: Batch) -> Any:
    if not b.ndims[0]:
        [wrap_dim(d, 0) for d in b.args[1:]]
        return OPS["basic_alias"].function(b.values[0], (Ellipsis,))
    return b.call(b.values[0], *[wrap_dim(d, b.ndims[0]) + 1 for d in b.args[1:]])


@rule("t")
def t(b: Batch) -> Any:
    if b.ndims[0] > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {b.ndims[0]}D")
    if b.ndims[0] < 2:
        return OPS["basic_alias"].function(b.values[0], (Ellipsis,))
    return OPS["transpose"].function(b.values[0], 1, 2)


@rule("permute_dims")
def permute(b: Batch) -> Any:
    n = b.ndims[0]
    if len(b.args[1]) != n:
        return NotImplemented
    return b.call(b.values[0], (0, *[wrap_dim(d, n) + 1 for d in b.args[1]]))


@rule("view_as_shape")
def view_as_shape(b: Batch) -> Any:
    return b.call(b.values[0], (b.size, *inferred_shape(b.args[0].numel(), tuple(b.args[1]))))


@rule("squeeze_dims")
def squeeze(b: Batch) -> Any:
    n = b.ndims[0]
    dims = range(n) if b.args[1] is None else [wrap_dim(d, n) for d in b.args[1]] if n else []
    return b.call(b.values[0], tuple(d + 1 for d in dims))


@rule("unsqueeze")
def unsqueeze(b: Batch) -> Any:
    return b.call(b.values[0], wrap_dim(b.args[1], b.ndims[0] + 1) + 1)


@rule("expand_to")
def expand_to(b: Batch) -> Any:
    size = tuple(b.args[1])
    if len(size) < b.ndims[0]:
        return NotImplemented
    return b.call(lifted(b.values[0], b.ndims[0], len(size)), (b.size, *size))


@rule("select", "diagonal")
def select(b: Batch) -> Any:
    n = b.ndims[0]
    if b.op.name == "diagonal":
        return b.call(b.values[0], b.args[1], *[wrap_dim(d, n) + 1 for d in b.args[2:]])
    return b.call(b.values[0], wrap_dim(b.args[1], n) + 1, b.args[2]) if n else NotImplemented


@rule("slice_dim")
def slice_dim(b: Batch) -> Any:
    return b.call(b.values[0], b.args[1] + 1, *b.args[2:])


@rule("as_strided")
def as_strided(b: Batch) -> Any:
    x, size, stride, start = b.values
    place = None if start is None else start + x.storage_offset()
    return b.call(x, (b.size, *size), (x.stride(0), *stride), place)


@rule("basic_select", "basic_slice", "basic_unsqueeze", "basic_alias")
def basic(b: Batch) -> Any:
    return b.call(b.values[0], (slice(None), *b.args[1]))


@rule("basic_backward")
def basic_backward(b: Batch) -> Any:
    return b.call(b.values[0], (b.size, *b.args[1]), (slice(None), *b.args[2]))


@rule("select_backward", "slice_backward")
def part_backward(b: Batch) -> Any:
    shape = b.args[1]
    return b.call(b.values[0], (b.size, *shape), wrap_dim(b.args[2], len(shape)) + 1, *b.args[3:])


@rule("diagonal_backward")
def diagonal_backward(b: Batch) -> Any:
    shape, offset, *dims = b.args[1:]
    return b.call(b.values[0], (b.size, *shape), offset, *[wrap_dim(d, len(shape)) + 1 for d in dims])


# ---------------------------------------------------------------------- one value like another
@rule("clone", "dense", "to_copy", "zeroed", "fill_with", "tril", "triu", "constant_pad", "masked_zero_all")
def same(b: Batch) -> Any:
    if b.op.name in ("tril", "triu") and b.ndims[0] < 2:
        return NotImplemented
    if b.op.name == "constant_pad" and len(b.args[1]) > 2 * b.ndims[0]:
        return NotImplemented
    return b.call(*b.values)


class _DetachRule:
    @staticmethod
    def run(b: Batch) -> Any:
        return b.values[0].detach()


RULES["detach"] = _DetachRule.run


@rule("sum_to_size")
def sum_to_size(b: Batch) -> Any:
    shape, n = tuple(b.args[1]), b.ndims[0]
    ones = (1,) * (n - len(shape))
    summed = b.call(b.values[0], (b.size, *ones, *shape))
    return FUNCTIONS["reshape"](summed, b.size, *shape) if ones else summed


@rule("repeat_sizes")
def repeat(b: Batch) -> Any:
    repeats = tuple(b.args[1])
    if len(repeats) < b.ndims[0]:
        return NotImplemented
    return b.call(lifted(b.values[0], b.ndims[0], len(repeats)), (1, *repeats))


@rule("flip_dims")
def flip(b: Batch) -> Any:
    return b.call(b.values[0], tuple(wrap_dim(d, b.ndims[0]) + 1 for d in b.args[1])) if b.ndims[0] else NotImplemented


@rule("roll_dims")
def roll(b: Batch) -> Any:
    if not b.ndims[0] or not b.args[2]:
        return NotImplemented
    return b.call(b.values[0], b.args[1], tuple(wrap_dim(d, b.ndims[0]) + 1 for d in b.args[2]))


# ---------------------------------------------------------------------- along dimensions
@rule("sum", "mean", "amax", "amin", "logsumexp_dims", "all", "any", "variance", "prod_dim", "count_nonzero")
def reduction(b: Batch) -> Any:
    """`dim` counts one further; all of a value's dimensions are not all of the batch's."""
    x, n, dim = b.values[0], b.ndims[0], b.args[1]
    if not n:
        x, n, dim = OPS["unsqueeze"].function(x, 1), 1, (0,) if not isinstance(dim, int) else 0
        keeps = [i for i, p in enumerate(b.op.op.params if hasattr(b.op, "op") else b.op.params) if p == "keepdim"]
        args = list(b.args)
        for i in keeps:
            args[i] = False
        return b.call(x, (1,) if isinstance(dim, tuple) else 1, *args[2:])
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        if b.op.name in ("prod_dim", "count_nonzero"):
            return NotImplemented
        return b.call(x, tuple(range(1, n + 1)), *b.args[2:])
    if isinstance(dim, int):
        return b.call(x, wrap_dim(dim, n) + 1, *b.args[2:])
    return b.call(x, tuple(wrap_dim(d, n) + 1 for d in dim), *b.args[2:])


@rule(
    "softmax_dim", "log_softmax_dim", "cumsum", "cumprod", "logcumsumexp", "cumsum_from_end", "sort_dim", "topk_dim",
    "max_dim", "min_dim", "argmax", "argmin", "cummax_dim", "cummin_dim",
)  # fmt: skip
def along(b: Batch) -> Any:
    n, dim = b.ndim("input"), b.named["dim"]
    return b.run(dim=wrap_dim(dim, n) + 1) if n and isinstance(dim, int) else NotImplemented


@rule("spread")
def spread(b: Batch) -> Any:
    """The gradient of sum and mean."""
    shape, dim, keepdim, divisor, dtype = b.args[1:]
    n = len(shape)
    if not n:
        return NotImplemented
    dims = range(n) if dim is None or dim == () else [wrap_dim(d, n) for d in ((dim,) if isinstance(dim, int) else dim)]
    return b.call(b.values[0], (b.size, *shape), tuple(d + 1 for d in dims), keepdim, divisor, dtype)


# ---------------------------------------------------------------------- choosing
@rule("choose", "masked_fill_into", "masked_zero", "copy_from")
def broadcasting(b: Batch) -> Any:
    """Like a pointwise op, on operands whose dtypes are settled."""
    ndim = max(n for n in b.ndims if n is not None)
    if b.inplace:
        return b.call(*[b.aligned(i, b.ndims[0]) for i in range(len(b.args))])
    if b.op.name in ("masked_fill_into", "copy_from"):  # which write to their first argument
        return NotImplemented
    return b.call(*[b.aligned(i, ndim) for i in range(len(b.args))])


@rule("gather")
def gather(b: Batch) -> Any:
    if not b.ndim("input") or not b.ndim("index"):
        return NotImplemented
    return b.run("input", "index", dim=wrap_dim(b.named["dim"], b.ndim("input")) + 1)


@rule("scatter_into", "scatter_add_into")
def scatter(b: Batch) -> Any:
    if not b.inplace or not all(map(b.ndim, ("input", "src", "index"))):
        return NotImplemented
    return b.run("input", "src", "index", dim=wrap_dim(b.named["dim"], b.ndim("input")) + 1)


@rule("gather_backward", "index_select_backward")
def gather_backward(b: Batch) -> Any:
    shape = b.named["input_shape"]
    rows = b.op.name == "index_select_backward"
    if not shape or (rows and b.is_over("index")):
        return NotImplemented
    spread = ("g",) if rows else ("g", "index")
    return b.run(*spread, input_shape=(b.size, *shape), dim=wrap_dim(b.named["dim"], len(shape)) + 1)


@rule("index_select")
def index_select(b: Batch) -> Any:
    x, n = b.named["input"], b.ndim("input")
    if not n:
        return NotImplemented
    dim = wrap_dim(b.named["dim"], n)
    if not b.is_over("index"):
        return b.run(dim=dim + 1)
    if not b.is_over("input") and b.ndim("index") == 1:
        taken = b.run(dim=dim, index=FUNCTIONS["reshape"](b.named["index"], -1))
        shape = tuple(x.shape)
        parts = FUNCTIONS["reshape"](taken, *shape[:dim], b.size, -1, *shape[dim + 1 :])
        return OPS["permute_dims"].function(parts, (dim, *[i for i in range(parts.ndim) if i != dim]))
    return NotImplemented


@rule("index", "index_backward")
def index(b: Batch) -> Any:
    """Positions that are the same for all values, adjacent ones: the batch stays in front."""
    at = b.args[-1]
    if any(t is not None and t.array.dtype.kind == "b" and not hasattr(t.array, "ctypes") for t in at.tensors):
        raise RuntimeError(
            VMAP + "We do not support batching operators that can support dynamic shape. Attempting to batch over "
            "indexing with a boolean mask."
        )
    if not b.over[0] or any(not hasattr(t.array, "ctypes") for t in tensors_in([at])):
        return NotImplemented
    shape = b.args[0].shape if b.op.name == "index" else b.args[1]
    if not at.plan(tuple(shape)).adjacent:
        return NotImplemented
    moved = At([None, *at.tensors])
    if b.op.name == "index":
        return b.call(b.values[0], moved)
    return b.call(b.values[0], (b.size, *shape), moved)


# ---------------------------------------------------------------------- products
@rule("mm", "bmm")
def matrix_product(b: Batch) -> Any:
    x, y = b.values
    n = 2 if b.op.name == "mm" else 3
    if b.ndims != [n, n] or b.args[0].shape[-1] != b.args[1].shape[-2]:
        return NotImplemented
    if not b.over[0]:  # x @ [y1 y2 ...]: one product over all columns
        if n == 2:
            swap = OPS["transpose"].function
            return swap(FUNCTIONS["matmul"](swap(y, 1, 2), OPS["t"].function(x)), 1, 2)
        x = b.spread(0)
    elif not b.over[1] and n == 3:
        y = b.spread(1)
    return FUNCTIONS["matmul"](x, y)


@rule("mv")
def matrix_vector(b: Batch) -> Any:
    x, v = b.values
    if b.ndims != [2, 1] or b.args[0].shape[1] != b.args[1].shape[0]:
        return NotImplemented
    if not b.over[0]:
        return FUNCTIONS["matmul"](v, OPS["t"].function(x))
    if not b.over[1]:
        return FUNCTIONS["matmul"](x, v)
    return OPS["squeeze_dims"].function(FUNCTIONS["matmul"](x, OPS["unsqueeze"].function(v, 2)), (2,))


@rule("dot")
def dot(b: Batch) -> Any:
    x, y = b.values
    if b.ndims != [1, 1] or b.args[0].shape != b.args[1].shape or x.array.dtype != y.array.dtype:
        return NotImplemented
    if not all(b.over):
        return FUNCTIONS["matmul"](x, y) if b.over[0] else FUNCTIONS["matmul"](y, x)
    return OPS["sum"].function(OPS["mul"].function(x, y), 1)


@rule("linear_2d")
def linear(b: Batch) -> Any:
    x, w, bias = b.values
    if b.args[0].shape[1] != b.args[1].shape[1]:
        return NotImplemented
    if not b.over[1] and not b.over[2]:
        n, k = b.args[0].shape
        flat = b.call(FUNCTIONS["reshape"](x, b.size * n, k), w, bias)
        return FUNCTIONS["reshape"](flat, b.size, n, w.shape[0])
    product = FUNCTIONS["matmul"](x, OPS["transpose"].function(w, -1, -2))
    return OPS["add"].function(product, b.aligned(2, 2))


# ---------------------------------------------------------------------- the batch within another dimension
def _folded(t: Tensor, dim: int = 0) -> Tensor:
    """The batch as part of dimension `dim` of a value."""
    if dim:
        t = OPS["transpose"].function(t, 0, 1) if dim == 1 else t
    shape = t.shape
    return FUNCTIONS["reshape"](t, *shape[:dim], shape[dim] * shape[dim + 1], *shape[dim + 2 :])


def _unfolded(t: Tensor, size: int, dim: int = 0) -> Tensor:
    """The inverse of `_folded`."""
    shape = t.shape
    t = FUNCTIONS["reshape"](t, *shape[:dim], size, shape[dim] // size, *shape[dim + 1 :])
    return OPS["transpose"].function(t, 0, 1) if dim else t


@rule("convolution_forward", "convolution_transpose")
def convolution(b: Batch) -> Any:
    """Samples are independent, so a batch of inputs is more samples; a batch of weights is more groups."""
    x, w, bias, *middle, groups = b.values
    if not b.over[1] and not b.over[2]:
        return _unfolded(b.call(_folded(x), w, bias, *middle, groups), b.size)
    x = _folded(b.spread(0), 1)
    bias = None if bias is None else FUNCTIONS["reshape"](b.spread(2), -1)
    return _unfolded(b.call(x, _folded(b.spread(1)), bias, *middle, groups * b.size), b.size, 1)


@rule("convolution_backward_weight")
def convolution_backward_weight(b: Batch) -> Any:
    shape, *middle, groups = b.values[2:]
    whole = (b.size * shape[0], *shape[1:])
    g, x = _folded(b.spread(0), 1), _folded(b.spread(1), 1)
    return _unfolded(b.call(g, x, whole, *middle, groups * b.size), b.size)


@rule("max_pool_planes", "max_pool_volumes")
def pooling(b: Batch) -> Any:
    """Each sample for itself."""
    made = b.call(_folded(b.values[0]), *b.args[1:])
    parts = [_unfolded(m, b.size) for m in made]
    return type(made)(*parts) if hasattr(made, "_fields") else tuple(parts)


__all__ = ["NUMBERS", "computed", "is_random"]
