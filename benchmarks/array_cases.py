"""Cases of a million elements: reductions, norms, normalisation, indexing, ordering, running sums, joining.

`SECTIONS` is section -> name -> what makes the step. Results that are no floats are converted, to be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Step = Callable[[], Any]
Maker = Callable[[Any], Step]
ROWS = COLUMNS = 1_000


def matrix(T: Any, requires_grad: bool = False) -> Any:
    return T.randn(ROWS, COLUMNS, requires_grad=requires_grad)


def of_matrix(function: Callable[[Any, Any], Any]) -> Maker:
    """The step `function(T, x)` for the matrix x."""

    def make(T: Any) -> Step:
        x = matrix(T)
        return lambda: function(T, x)

    return make


def with_index(function: Callable[..., Any], dim: int) -> Maker:
    """The step `function(T, x, index)`, index of the matrix's shape with places along dim."""

    def make(T: Any) -> Step:
        x, index = matrix(T), T.randint(0, (ROWS, COLUMNS)[dim], (ROWS, COLUMNS))
        return lambda: function(T, x, index)

    return make


def with_rows(function: Callable[..., Any]) -> Maker:
    """The step `function(T, x, index)`, index one place for each row."""

    def make(T: Any) -> Step:
        x, index = matrix(T), T.randint(0, ROWS, (ROWS,))
        return lambda: function(T, x, index)

    return make


def with_mask(function: Callable[..., Any]) -> Maker:
    """The step `function(T, x, mask)` for a mask of which half is true."""

    def make(T: Any) -> Step:
        x = matrix(T)
        mask = T.rand(ROWS, COLUMNS) < 0.5
        return lambda: function(T, x, mask)

    return make


def with_integers(function: Callable[..., Any]) -> Maker:
    """The step `function(T, n)` for a million integers below a thousand."""

    def make(T: Any) -> Step:
        n = T.randint(0, 1_000, (ROWS * COLUMNS,))
        return lambda: function(T, n)

    return make


def first(found: Any) -> Any:
    """The values of (values, indices)."""
    return found[0]


def backward(T: Any, out: Any, *wanted: Any) -> Step:
    """The step that computes the gradients of `out`, and returns the first."""
    cotangent = T.ones_like(out) * 0.5
    return lambda: T.autograd.grad(out, wanted, cotangent, retain_graph=True)[0]


# ---------------------------------------------------------------- reductions
REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": lambda T, x, *dim: T.sum(x, *dim),
    "mean": lambda T, x, *dim: T.mean(x, *dim),
    "max": lambda T, x, *dim: first(T.max(x, *dim)) if dim else T.max(x),
    "amax": lambda T, x, *dim: T.amax(x, *dim),
    "argmax": lambda T, x, *dim: T.argmax(x, *dim).float(),
    "var": lambda T, x, *dim: T.var(x, *dim),
    "std": lambda T, x, *dim: T.std(x, *dim),
    "prod": lambda T, x, *dim: T.prod(x, *dim),
    "logsumexp": lambda T, x, *dim: T.logsumexp(x, *dim or ((0, 1),)),
    "norm": lambda T, x, *dim: T.linalg.vector_norm(x, 2, *dim),
    "norm of order 1": lambda T, x, *dim: T.linalg.vector_norm(x, 1, *dim),
    "norm of order inf": lambda T, x, *dim: T.linalg.vector_norm(x, float("inf"), *dim),
    "norm of order 3": lambda T, x, *dim: T.linalg.vector_norm(x, 3, *dim),
    "any": lambda T, x, *dim: T.any(x == 9.0, *dim).float(),
    "softmax": lambda T, x, *dim: T.softmax(x, *dim or (-1,)),
    "log_softmax": lambda T, x, *dim: T.log_softmax(x, *dim or (-1,)),
}
PLACES: dict[str, tuple[int, ...]] = {"of all": (), "along 0": (0,), "along 1": (1,)}


def reduction(name: str, dim: tuple[int, ...]) -> Maker:
    return of_matrix(lambda T, x: REDUCTIONS[name](T, x, *dim))


def reduced_backward(function: Callable[[Any, Any], Any]) -> Maker:
    def make(T: Any) -> Step:
        x = matrix(T, requires_grad=True)
        return backward(T, function(T, x), x)

    return make


# ---------------------------------------------------------------- normalisation
def parameters(T: Any, n: int) -> tuple[Any, Any]:
    return T.rand(n, requires_grad=True), T.rand(n, requires_grad=True)


def layer_norm(T: Any) -> tuple[Callable[[], Any], list[Any]]:
    x, (w, b) = matrix(T, True), parameters(T, COLUMNS)
    return lambda: T.nn.functional.layer_norm(x, (COLUMNS,), w, b), [x, w, b]


def rms_norm(T: Any) -> tuple[Callable[[], Any], list[Any]]:
    x, (w, _) = matrix(T, True), parameters(T, COLUMNS)
    return lambda: T.nn.functional.rms_norm(x, (COLUMNS,), w), [x, w]


def images(T: Any) -> Any:
    return T.randn(16, 64, 32, 32, requires_grad=True)


def batch_norm(T: Any) -> tuple[Callable[[], Any], list[Any]]:
    x, (w, b) = images(T), parameters(T, 64)
    mean, var = T.zeros(64), T.ones(64)
    return lambda: T.nn.functional.batch_norm(x, mean, var, w, b, True), [x, w, b]


def batch_norm_evaluated(T: Any) -> tuple[Callable[[], Any], list[Any]]:
    x, (w, b) = images(T), parameters(T, 64)
    mean, var = T.zeros(64), T.ones(64)
    return lambda: T.nn.functional.batch_norm(x, mean, var, w, b), [x, w, b]


def group_norm(T: Any) -> tuple[Callable[[], Any], list[Any]]:
    x, (w, b) = images(T), parameters(T, 64)
    return lambda: T.nn.functional.group_norm(x, 8, w, b), [x, w, b]


NORMALIZATIONS = {
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "batch_norm": batch_norm,
    "batch_norm evaluated": batch_norm_evaluated,
    "group_norm": group_norm,
}


def normalization(name: str, part: str) -> Maker:
    def make(T: Any) -> Step:
        forward, wanted = NORMALIZATIONS[name](T)
        return forward if part == "forward" else backward(T, forward(), *wanted)

    return make


# ---------------------------------------------------------------- indexing
def embedding(part: str) -> Maker:
    def make(T: Any) -> Step:
        table, index = T.randn(1_000, 100, requires_grad=True), T.randint(0, 1_000, (10_000,))

        def forward():
            return T.nn.functional.embedding(index, table)

        return forward if part == "forward" else backward(T, forward(), table)

    return make


INDEXING: dict[str, Maker] = {
    "gather along 0": with_index(lambda T, x, i: x.gather(0, i), 0),
    "gather along 1": with_index(lambda T, x, i: x.gather(1, i), 1),
    "scatter along 1": with_index(lambda T, x, i: T.zeros_like(x).scatter_(1, i, 1.0), 1),
    "scatter_add along 0": with_index(lambda T, x, i: T.zeros_like(x).scatter_add_(0, i, x), 0),
    "scatter_add along 1": with_index(lambda T, x, i: T.zeros_like(x).scatter_add_(1, i, x), 1),
    "index_select along 0": with_rows(lambda T, x, i: x.index_select(0, i)),
    "index_select along 1": with_rows(lambda T, x, i: x.index_select(1, i)),
    "index_add along 0": with_rows(lambda T, x, i: T.zeros_like(x).index_add_(0, i, x)),
    "index_add along 1": with_rows(lambda T, x, i: T.zeros_like(x).index_add_(1, i, x)),
    "x[index]": with_rows(lambda T, x, i: x[i]),
    "x[mask]": with_mask(lambda T, x, m: x[m]),
    "take": with_index(lambda T, x, i: x.take(i), 0),
    "masked_select": with_mask(lambda T, x, m: x.masked_select(m)),
    "masked_fill": with_mask(lambda T, x, m: x.masked_fill(m, 0.5)),
    "where": with_mask(lambda T, x, m: T.where(m, x, 0.5)),
    "nonzero": with_mask(lambda T, x, m: T.nonzero(m).float()),
    "embedding forward": embedding("forward"),
    "embedding backward": embedding("backward"),
}


# ---------------------------------------------------------------- ordering, running results, joining
def sorted_search(T: Any) -> Step:
    edges, x = T.randn(1_000).sort().values, matrix(T)
    return lambda: T.searchsorted(edges, x).float()


ORDERING: dict[str, Maker] = {
    "sort of all": of_matrix(lambda T, x: first(T.sort(x.flatten()))),
    "sort along 0": of_matrix(lambda T, x: first(T.sort(x, 0))),
    "sort along 1": of_matrix(lambda T, x: first(T.sort(x, 1))),
    "sort of integers": with_integers(lambda T, n: first(T.sort(n)).float()),
    "argsort along 1": of_matrix(lambda T, x: T.argsort(x, 1).float()),
    "topk along 1": of_matrix(lambda T, x: first(T.topk(x, 10, 1))),
    "topk of all": of_matrix(lambda T, x: first(T.topk(x.flatten(), 100))),
    "kthvalue along 1": of_matrix(lambda T, x: first(T.kthvalue(x, 500, 1))),
    "median of all": of_matrix(lambda T, x: T.median(x)),
    "median along 1": of_matrix(lambda T, x: first(T.median(x, 1))),
    "unique of integers": with_integers(lambda T, n: T.unique(n).float()),
    "unique of floats": of_matrix(lambda T, x: T.unique(x)),
    "searchsorted": sorted_search,
    "bincount": with_integers(lambda T, n: T.bincount(n).float()),
    "histc": of_matrix(lambda T, x: T.histc(x, 100)),
}
SCANS: dict[str, Callable[..., Any]] = {
    "cumsum": lambda T, x, dim: T.cumsum(x, dim),
    "cumprod": lambda T, x, dim: T.cumprod(x, dim),
    "cummax": lambda T, x, dim: first(T.cummax(x, dim)),
    "logcumsumexp": lambda T, x, dim: T.logcumsumexp(x, dim),
    "diff": lambda T, x, dim: T.diff(x, dim=dim),
}


def turned(shape: tuple[int, ...], function: Callable[[Any, Any], Any]) -> Maker:
    """The step `function(T, x)` for an array of this shape, whose rows lie powers of two or whole images apart."""

    def make(T: Any) -> Step:
        x = T.randn(*shape)
        return lambda: function(T, x)

    return make


def scan(name: str, dim: int) -> Maker:
    return of_matrix(lambda T, x: SCANS[name](T, x, dim))


JOINING: dict[str, Maker] = {
    "cat along 0": of_matrix(lambda T, x: T.cat([x, x], 0)),
    "cat along 1": of_matrix(lambda T, x: T.cat([x, x], 1)),
    "stack along 0": of_matrix(lambda T, x: T.stack([x, x])),
    "stack along 2": of_matrix(lambda T, x: T.stack([x, x], 2)),
    "flip along 0": of_matrix(lambda T, x: T.flip(x, (0,))),
    "flip along 1": of_matrix(lambda T, x: T.flip(x, (1,))),
    "roll": of_matrix(lambda T, x: T.roll(x, 3, 1)),
    "tril": of_matrix(lambda T, x: T.tril(x)),
    "pad with a constant": of_matrix(lambda T, x: T.nn.functional.pad(x, (2, 2, 2, 2))),
    "pad by reflection": of_matrix(lambda T, x: T.nn.functional.pad(x[None], (2, 2, 2, 2), mode="reflect")),
    "repeat": of_matrix(lambda T, x: x[:500].repeat(2, 1)),
    "transpose to contiguous": of_matrix(lambda T, x: x.t().contiguous()),
    "transpose of 1024x1024": turned((1024, 1024), lambda T, x: x.t().contiguous()),
    "images to channels last": turned((8, 64, 56, 56), lambda T, x: x.contiguous(memory_format=T.channels_last)),
    "sum with the transpose": turned((1024, 1024), lambda T, x: x + x.t()),
}

SECTIONS: dict[str, dict[str, Maker]] = {
    "reductions": {
        **{f"{name} {place}": reduction(name, dim) for name in REDUCTIONS for place, dim in PLACES.items()},
        "amax along 1 backward": reduced_backward(lambda T, x: x.amax(1)),
        "var along 1 backward": reduced_backward(lambda T, x: x.var(1)),
        "log_softmax along 1 backward": reduced_backward(lambda T, x: x.log_softmax(1)),
        "softmax along 1 backward": reduced_backward(lambda T, x: x.softmax(1)),
        "logsumexp along 1 backward": reduced_backward(lambda T, x: x.logsumexp(1)),
    },
    "normalization": {
        f"{name} {part}": normalization(name, part) for name in NORMALIZATIONS for part in ("forward", "backward")
    },
    "indexing": INDEXING,
    "ordering": ORDERING,
    "scans": {f"{name} along {dim}": scan(name, dim) for name in SCANS for dim in (0, 1)}
    | {"cumsum along 1 backward": reduced_backward(lambda T, x: x.cumsum(1))},
    "joining": JOINING,
}
