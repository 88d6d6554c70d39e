"""The batching rules: ops that compute all values of a batch at once.

A rule gets the op, its arguments with batches as ordinary first dimensions, and the number of dimensions that a single
value of each has; it returns the result with the batch first, or NotImplemented, which leaves the op to the loop.
"""

from collections.abc import Callable
from typing import Any

from minitorch._ops.check import wrap_dim
from minitorch._ops.op import OPS
from minitorch._ops.positions import At
from minitorch._ops.public import FUNCTIONS
from minitorch._ops.views import inferred_shape
from minitorch._tensor import Tensor

from .batching import Batch, lifted
from .levels import VMAP, on_copy, tensors_in, writes

RULES: dict[str, Callable[[Batch], Any]] = {}


def rule(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the batching rule of these ops."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


# ---------------------------------------------------------------------- parts
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
@rule("clone", "dense", "to_copy", "zero", "fill_with", "tril", "triu", "constant_pad", "im2col")
def same(b: Batch) -> Any:
    if b.op.name in ("tril", "triu") and b.ndims[0] < 2:
        return NotImplemented
    if b.op.name == "constant_pad" and len(b.args[1]) > 2 * b.ndims[0]:
        return NotImplemented
    return b.call(*b.values)


@rule("detach")
def detach(b: Batch) -> Any:
    return b.values[0].detach()


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


@rule("causal_softmax")
def of_matrices(b: Batch) -> Any:
    return b.run()


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
@rule("choose", "masked_fill_into", "masked_filled", "masked_zero", "copy_from")
def broadcasting(b: Batch) -> Any:
    """Like a pointwise op, on operands whose dtypes are settled."""
    ndim = max(n for n in b.ndims if n is not None)
    if b.inplace:
        return b.call(*[b.aligned(i, b.ndims[0]) for i in range(len(b.args))])
    values = [b.aligned(i, ndim) for i in range(len(b.args))]
    if not writes(b.op):
        return b.call(*values)
    return on_copy(b.op.function)(*values) if b.over[0] and ndim == b.ndims[0] else NotImplemented


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


@rule("embedding_rows")
def embedding(b: Batch) -> Any:
    return NotImplemented if b.is_over("weight") or b.named["scale_grad_by_freq"] else b.run()


@rule("layer_norm_rows")
def layer_norm(b: Batch) -> Any:
    """Each row for itself."""
    return b.run() if b.over[:3] == [True, False, False] else NotImplemented


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
    if not b.over[1] and not b.over[2] and bias.ndim < 2:
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


@rule(
    "max_pool_planes", "max_pool_volumes", "avg_pool_planes", "avg_pool_volumes", "adaptive_avg_planes",
    "adaptive_avg_volumes", "adaptive_max_planes", "adaptive_max_volumes",
    *(name for name in OPS if name.startswith("upsample_")),
)  # fmt: skip
def pooling(b: Batch) -> Any:
    """Each sample for itself."""
    made = b.call(_folded(b.values[0]), *b.args[1:])
    if isinstance(made, Tensor):
        return _unfolded(made, b.size)
    parts = [_unfolded(m, b.size) for m in made]
    return type(made)(*parts) if hasattr(made, "_fields") else tuple(parts)
