"""histogramdd: counts of points in a grid."""

from math import prod
from typing import Any

from minitorch import _dtype as dtypes
from minitorch._tensor import Tensor
from minitorch.autograd.grad_mode import no_grad
from minitorch.return_types import return_type

from .check import c_word, check, integers, invalid_arguments, no_kernel
from .public import FUNCTIONS, op, public

HistogramDd = return_type("histogramdd", "hist bin_edges")


@public("torch")
def histogramdd(
    input: Tensor, bins: Any, range: Any = None, weight: Tensor | None = None, density: bool = False
) -> Any:
    """(hist, bin_edges) of the points input (..., d): hist has d dimensions, one tuple of edges each.

    `bins` is how many each dimension has (one number serves all), or the tensors of their edges; `range` the lowest and
    highest edge of each dimension, one after the other.

    >>> import minitorch as torch
    >>> torch.histogramdd(torch.tensor([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0]]), bins=2).hist
    tensor([[0., 1.],
            [1., 1.]])
    """
    if input.dtype not in (dtypes.float32, dtypes.float64):
        no_kernel("histogramdd", input.array)
    check(input.ndim >= 2, "torch.histogramdd: input tensor should have at least 2 dimensions")
    _check_weight(input, weight)
    d = input.shape[-1]
    with no_grad():
        points = input.reshape(prod(input.array.shape[:-1]), d)
        edges = _edges(points, bins, range)
        place = points.new_zeros((points.shape[0],), dtype=dtypes.int64)
        inside = points.new_ones((points.shape[0],), dtype=dtypes.bool)
        for i, e in enumerate(edges):
            x = points[:, i].contiguous()
            inside = inside & (x >= e[0]) & (x <= e[-1])
            column = (FUNCTIONS["searchsorted"](e, x, right=True) - 1).clamp(0, e.shape[0] - 2)  # the last edge is in
            place = place * (e.shape[0] - 1) + column
        weights = points.new_ones((points.shape[0],)) if weight is None else weight.reshape(-1)
        shape = [e.shape[0] - 1 for e in edges]
        counts = op("bincount")(place[inside], weights[inside], prod(shape)).to(input.dtype).reshape(shape)
        if density:
            counts = counts / counts.sum()
            for i, e in enumerate(edges):
                counts = counts / e.diff().reshape([-1 if k == i else 1 for k, _ in enumerate(edges)])
    return HistogramDd(counts, tuple(edges))


def _check_weight(input: Tensor, weight: Tensor | None) -> None:
    if weight is None:
        return
    if weight.shape != input.shape[:-1]:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided it should have the same shape as the input tensor "
            f"excluding its innermost dimension, but got input with shape {list(input.shape)} and weight with shape "
            f"{list(weight.shape)}"
        )
    if weight.dtype is not input.dtype:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided, input tensor and weight tensor should have the same "
            f"dtype, but got input({c_word(input.dtype)}), and weight({c_word(weight.dtype)})"
        )


def _edges(points: Tensor, bins: Any, limits: Any) -> list[Tensor]:
    d = points.shape[1]
    if not isinstance(bins, (int, tuple, list)):
        invalid_arguments("histogramdd", points, bins)
    bins = [bins] * d if isinstance(bins, int) else list(bins)
    if any(isinstance(b, Tensor) for b in bins):
        return _given_edges(points, bins)
    check(len(bins) == d, "histogramdd: The size of bins must be equal to the innermost dimension of the input.")
    if not (limits is None or len(limits) == 2 * d):
        raise RuntimeError(
            f"torch.histogramdd: for a {d}-dimensional histogram range should have {2 * d} elements, but got "
            f"{len(limits or ())}"
        )
    edges = []
    for i, n in enumerate(integers(bins, "bins", "histogramdd", 2)):
        if not n > 0:
            raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {n} for dimension {i}")
        low, high = limits[2 * i : 2 * i + 2] if limits is not None else (None, None)
        if limits is not None and limits[2 * i] > limits[2 * i + 1]:
            raise RuntimeError(
                f"torch.histogramdd: min should not exceed max, but got min {low:g} max {high:g} for dimension {i}"
            )
        edges.append(op("histogram_edges")(points[:, i].contiguous(), n, low, high))
    return edges


def _given_edges(points: Tensor, bins: list[Any]) -> list[Tensor]:
    d = points.shape[1]
    if len(bins) != d:
        raise RuntimeError(
            f"torch.histogramdd: expected {d} sequences of bin edges for a {d}-dimensional histogram but got "
            f"{len(bins)}"
        )
    for i, b in enumerate(bins):
        check_edges(points, b, i)
    return [b.clone() for b in bins]


def check_edges(points: Tensor, edges: Tensor, dimension: int) -> None:
    """Refuse what is no row of edges around at least one bin, in the dtype of the points."""
    of = f"for dimension {dimension}"
    if edges.dtype is not points.dtype:
        raise RuntimeError(
            "torch.histogramdd: input tensor and bins tensors should have the same dtype, but got input with dtype "
            f"{c_word(points.dtype)} and bins {of} with dtype {c_word(edges.dtype)}"
        )
    if edges.ndim != 1:
        raise RuntimeError(
            f"torch.histogramdd: bins tensor should have one dimension, but got {edges.ndim} dimensions in the bins "
            f"tensor {of}"
        )
    if not edges.numel():
        raise RuntimeError(
            f"torch.histogramdd: bins tensor should have at least 1 element, but got 0 elements in the bins tensor {of}"
        )
    check(edges.shape[0] > 1, f"torch.histogram(): bins must be > 0, but got 0 {of}")
