"""One row per family of operations, at a thousand, a hundred thousand and ten million elements.

A family's `make(T, n)` returns the step on about n float32 numbers. `moved` is how many numbers a step reads and writes
for each element at the least, `flops` its arithmetic: where they are given, the row has its place in the roofline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.array_cases import Step, backward

SIZES = (1_000, 100_000, 10_000_000)
COLUMNS = 100


class Family(NamedTuple):
    """`target` is the most that ours / torch may be with one thread, at any of the sizes."""

    name: str
    make: Callable[[Any, int], Step]
    target: float
    moved: int = 0
    flops: int = 0


# ---------------------------------------------------------------- inputs
def vector(function: Callable[..., Step]) -> Callable[[Any, int], Step]:
    """The step that `function(T, x, y)` returns, of two vectors, x with a gradient."""
    return lambda T, n: function(T, T.randn(n, requires_grad=True), T.randn(n))


def positive(function: Callable[..., Step]) -> Callable[[Any, int], Step]:
    """The step that `function(T, x)` returns, of a vector of numbers between 0 and 1."""
    return lambda T, n: function(T, T.rand(n))


def masked(function: Callable[..., Step]) -> Callable[[Any, int], Step]:
    """The step that `function(T, x, mask)` returns, of a vector and a mask of which half is true."""
    return lambda T, n: function(T, T.randn(n), T.rand(n) < 0.5)


def matrix(function: Callable[..., Step]) -> Callable[[Any, int], Step]:
    """The step that `function(T, x)` returns, of a matrix of a hundred columns with a gradient."""
    return lambda T, n: function(T, T.randn(n // COLUMNS, COLUMNS, requires_grad=True))


def images(function: Callable[..., Step]) -> Callable[[Any, int], Step]:
    """The step that `function(T, x)` returns, of pictures of 16 channels of 8x8 with a gradient."""
    return lambda T, n: function(T, T.randn(-(-n // 1024), 16, 8, 8, requires_grad=True))


def indexed(function: Callable[..., Step]) -> Callable[[Any, int], Step]:
    """The step that `function(T, x, index)` returns, index a place among the rows for every element."""

    def make(T: Any, n: int) -> Step:
        rows = n // COLUMNS
        return function(T, T.randn(rows, COLUMNS), T.randint(0, rows, (rows, COLUMNS)))

    return make


# ---------------------------------------------------------------- steps of more than a call
def labelled(T: Any, x: Any) -> Step:
    y = T.randint(0, COLUMNS, x.shape[:1])
    return lambda: T.autograd.grad(T.nn.functional.cross_entropy(x, y), x)[0]


def squared_error(T: Any, x: Any, y: Any) -> Step:
    return lambda: T.autograd.grad(T.nn.functional.mse_loss(x, y), x)[0]


def enlarged(T: Any, x: Any) -> Step:
    return lambda: T.nn.functional.interpolate(x, scale_factor=2, mode="bilinear")


def layer_norm(T: Any, x: Any) -> Callable[[], Any]:
    w, b = T.ones(COLUMNS, requires_grad=True), T.zeros(COLUMNS, requires_grad=True)
    return lambda: T.nn.functional.layer_norm(x, (COLUMNS,), w, b)


def batch_norm(T: Any, x: Any) -> Callable[[], Any]:
    mean, var, w, b = T.zeros(16), T.ones(16), T.ones(16, requires_grad=True), T.zeros(16, requires_grad=True)
    return lambda: T.nn.functional.batch_norm(x, mean, var, w, b, True)


def embedding(part: str) -> Callable[[Any, int], Step]:
    def make(T: Any, n: int) -> Step:
        table, index = T.randn(1_000, COLUMNS, requires_grad=True), T.randint(0, 1_000, (n // COLUMNS,))

        def forward():
            return T.nn.functional.embedding(index, table)

        return forward if part == "forward" else backward(T, forward(), table)

    return make


def attention(part: str) -> Callable[[Any, int], Step]:
    """Heads of 32 over sequences of at most 128, about n numbers in each of q, k and v."""

    def make(T: Any, n: int) -> Step:
        length = min(128, n // 32)
        shape = -(-n // (8 * length * 32)), 8, length, 32
        q, k, v = (T.randn(*shape, requires_grad=True) for _ in range(3))

        def forward():
            return T.nn.functional.scaled_dot_product_attention(q, k, v)

        return forward if part == "forward" else backward(T, forward(), q, k, v)

    return make


def update(name: str, **options: Any) -> Callable[[Any, int], Step]:
    """A step of the optimizer of that name over ten parameters."""

    def make(T: Any, n: int) -> Step:
        params = [T.nn.Parameter(T.randn(n // 10)) for _ in range(10)]
        for p in params:
            p.grad = T.randn(n // 10)
        optimizer = getattr(T.optim, name)(params, lr=1e-3, **options)

        def step():
            optimizer.step()
            return params[0]

        return step

    return make


def max_pool(T: Any, x: Any) -> Callable[[], Any]:
    return lambda: T.nn.functional.max_pool2d(x, 2)


def converted(before: str, after: str) -> Callable[[Any, int], Step]:
    def make(T: Any, n: int) -> Step:
        x, dtype = T.randn(n).to(getattr(T, before)), getattr(T, after)
        return lambda: x.to(dtype)

    return make


FAMILIES = (
    Family("add", vector(lambda T, x, y: lambda: x + y), 1.0, moved=3, flops=1),
    Family("mul", vector(lambda T, x, y: lambda: x * y), 1.0, moved=3, flops=1),
    Family("div", vector(lambda T, x, y: lambda: x / y), 1.0, moved=3, flops=1),
    Family("comparison", vector(lambda T, x, y: lambda: y > 0.5), 1.0),
    Family("exp", vector(lambda T, x, y: lambda: T.exp(x)), 1.0),
    Family("log", positive(lambda T, x: lambda: T.log(x)), 1.0),
    Family("pow", positive(lambda T, x: lambda: T.pow(x, 1.5)), 1.0),
    Family("tanh", vector(lambda T, x, y: lambda: T.tanh(x)), 1.0),
    Family("sigmoid", vector(lambda T, x, y: lambda: T.sigmoid(x)), 1.0),
    Family("erf", vector(lambda T, x, y: lambda: T.erf(x)), 1.0),
    Family("gelu", vector(lambda T, x, y: lambda: T.nn.functional.gelu(x)), 1.0),
    Family("silu", vector(lambda T, x, y: lambda: T.nn.functional.silu(x)), 1.0),
    Family("relu", vector(lambda T, x, y: lambda: T.relu(x)), 1.0, moved=2),
    Family("relu backward", vector(lambda T, x, y: backward(T, T.relu(x), x)), 1.0, moved=3),
    Family("tanh backward", vector(lambda T, x, y: backward(T, T.tanh(x), x)), 1.0, moved=3),
    Family("gelu backward", vector(lambda T, x, y: backward(T, T.nn.functional.gelu(x), x)), 1.0),
    Family("fused pointwise (softsign)", vector(lambda T, x, y: lambda: T.nn.functional.softsign(y)), 0.5),
    Family("add in place", vector(lambda T, x, y: lambda: y.add_(1.0)), 1.0, moved=2, flops=1),
    Family("where", masked(lambda T, x, mask: lambda: T.where(mask, x, 0.5)), 1.0),
    Family("to bfloat16", converted("float32", "bfloat16"), 1.0),
    Family("from bfloat16", converted("bfloat16", "float32"), 1.0),
    Family("to float16", converted("float32", "float16"), 1.0),
    Family("from float16", converted("float16", "float32"), 1.0),
    Family("sum", vector(lambda T, x, y: lambda: y.sum()), 1.0, moved=1, flops=1),
    Family("sum of rows", matrix(lambda T, x: lambda: x.sum(1)), 1.0, moved=1, flops=1),
    Family("sum of columns", matrix(lambda T, x: lambda: x.sum(0)), 1.0, moved=1, flops=1),
    Family("max of rows", matrix(lambda T, x: lambda: x.max(1)[0]), 1.0, moved=1),
    Family("argmax", vector(lambda T, x, y: lambda: y.argmax().float()), 1.0, moved=1),
    Family("var of rows", matrix(lambda T, x: lambda: x.var(1)), 1.0),
    Family("softmax", matrix(lambda T, x: lambda: T.softmax(x, 1)), 1.0, moved=2),
    Family("softmax backward", matrix(lambda T, x: backward(T, T.softmax(x, 1), x)), 1.0, moved=3),
    Family("log_softmax", matrix(lambda T, x: lambda: T.log_softmax(x, 1)), 1.0, moved=2),
    Family("cross_entropy with gradient", matrix(labelled), 0.15),
    Family("mse_loss with gradient", vector(squared_error), 1.0),
    Family("layer_norm", matrix(layer_norm), 1.0, moved=2),
    Family("layer_norm backward", matrix(lambda T, x: backward(T, layer_norm(T, x)(), x)), 1.0),
    Family("batch_norm", images(batch_norm), 0.4),
    Family("batch_norm backward", images(lambda T, x: backward(T, batch_norm(T, x)(), x)), 0.8),
    Family("max_pool2d", images(max_pool), 0.15),
    Family("max_pool2d backward", images(lambda T, x: backward(T, max_pool(T, x)(), x)), 1.0),
    Family("avg_pool2d", images(lambda T, x: lambda: T.nn.functional.avg_pool2d(x, 2)), 1.0),
    Family("interpolate bilinear", images(enlarged), 1.0),
    Family("attention", attention("forward"), 1.0),
    Family("attention backward", attention("backward"), 1.0),
    Family("embedding", embedding("forward"), 1.0, moved=2),
    Family("embedding backward", embedding("backward"), 1.0),
    Family("gather", indexed(lambda T, x, i: lambda: x.gather(0, i)), 1.0),
    Family("scatter_add", indexed(lambda T, x, i: lambda: T.zeros_like(x).scatter_add_(0, i, x)), 1.0),
    Family("index_select", indexed(lambda T, x, i: lambda: x.index_select(0, i[:, 0])), 1.0),
    Family("masked_fill", masked(lambda T, x, mask: lambda: x.masked_fill(mask, 0.5)), 1.0),
    Family("cumsum", vector(lambda T, x, y: lambda: y.cumsum(0)), 1.0, moved=2, flops=1),
    Family("sort of rows", matrix(lambda T, x: lambda: x.sort(1)[0]), 1.0),
    Family("topk of rows", matrix(lambda T, x: lambda: x.topk(10, 1)[0]), 1.0),
    Family("cat", vector(lambda T, x, y: lambda: T.cat([y, y])), 1.0, moved=4),
    Family("copy", vector(lambda T, x, y: lambda: y.clone()), 1.0, moved=2),
    Family("copy of a transpose", matrix(lambda T, x: lambda: x.t().contiguous()), 1.0, moved=2),
    Family("flip", vector(lambda T, x, y: lambda: y.flip(0)), 1.0, moved=2),
    Family("zeros", lambda T, n: lambda: T.zeros(n), 1.0, moved=1),
    Family("rand", lambda T, n: lambda: T.rand(n), 1.0, moved=1),
    Family("randn", lambda T, n: lambda: T.randn(n), 1.0, moved=1),
    Family("dropout", vector(lambda T, x, y: lambda: T.nn.functional.dropout(x, 0.5)), 1.0),
    Family("SGD", update("SGD"), 0.6, moved=3, flops=2),
    Family("SGD with momentum", update("SGD", momentum=0.9), 0.6, moved=5, flops=4),
    Family("Adam", update("Adam"), 0.2, moved=7),
    Family("AdamW", update("AdamW"), 0.2, moved=7),
)
