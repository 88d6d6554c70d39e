"""torch.gradient: derivatives of sampled functions, by differences of second order inside and first or second at the
borders (B. Fornberg, https://doi.org/10.1090/S0025-5718-1988-0935077-0)."""

from typing import Any

import numpy as np

from minitorch._tensor import Tensor

from .check import check, wrap_dims
from .joining import cat
from .public import op, public
from .shapes import reshape


@public("torch")
def gradient(input: Tensor, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """The derivative along each dimension (of `dim`); spacing: a number, one per dimension, or coordinate tensors.

    >>> import minitorch as torch
    >>> torch.gradient(torch.tensor([1.0, 2.0, 4.0]))
    (tensor([1.0000, 1.5000, 2.0000]),)
    """
    check(input.array.dtype != np.uint8, "torch.gradient does not support uint8 input.")
    dims = tuple(range(input.ndim)) if dim is None else tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    steps = spacing if isinstance(spacing, (tuple, list)) else [1 if spacing is None else spacing] * len(dims)
    if dim is None:
        wrong = (
            f", or a list of length equal to 'self.dim() = {input.ndim}', since dim argument was not given, but got a "
        )
        wrong += f"list of length {len(steps)}"
    else:
        wrong = " or it's spacing and dim arguments to have the same length, but got a spacing argument of length "
        wrong += f"{len(steps)} and a dim argument of length {len(dims)}."
    check(len(steps) == len(dims), "torch.gradient expected spacing to be unspecified, a scalar" + wrong)
    check(edge_order in (1, 2), "torch.gradient only supports edge_order=1 and edge_order=2.")
    dims = wrap_dims(dims, input.ndim)
    for d, step in zip(dims, steps, strict=True):
        if isinstance(step, Tensor):
            if step.device != input.device:
                raise RuntimeError(
                    "torch.gradient expected each tensor to be on the same device, but got devices "
                    f"{input.device} and {step.device}!"
                )
            if step.ndim != 1:
                raise RuntimeError(
                    "torch.gradient expected each element of spacing to have one dimension, but got an element with "
                    f"{step.ndim} dimensions!"
                )
        check(
            input.ndim and input.shape[d] > edge_order,
            "torch.gradient expected each dimension size to be at least edge_order+1",
        )
    return tuple([_derivative(input, d, step, edge_order) for d, step in zip(dims, steps, strict=True)])


def _derivative(x: Tensor, dim: int, step: Any, edge_order: int) -> Tensor:
    slice_dim, n = op("slice_dim"), x.shape[dim]

    def part(start: int, stop: int) -> Tensor:
        return slice_dim(x, dim, start, stop, 1)

    if not isinstance(step, Tensor):
        inner = (part(2, n) - part(0, n - 2)) / (2 * step)
        if edge_order == 1:
            first, last = (part(1, 2) - part(0, 1)) / step, (part(n - 1, n) - part(n - 2, n - 1)) / step
        else:
            first = (-1.5 * part(0, 1) + 2 * part(1, 2) - 0.5 * part(2, 3)) / step
            last = (0.5 * part(n - 3, n - 2) - 2 * part(n - 2, n - 1) + 1.5 * part(n - 1, n)) / step
        return cat([first, inner, last], dim)
    k = step.shape[0]
    gaps = slice_dim(step, 0, 1, k, 1) - slice_dim(step, 0, 0, k - 1, 1)
    gaps = reshape(gaps, k - 1, *[1] * (x.ndim - dim - 1))
    one, two = slice_dim(gaps, 0, 0, k - 2, 1), slice_dim(gaps, 0, 1, k - 1, 1)
    inner = (
        -two / (one * (one + two)) * part(0, n - 2)
        + (two - one) / (one * two) * part(1, n - 1)
        + one / (two * (one + two)) * part(2, n)
    )
    if edge_order == 1:
        first = (part(1, 2) - part(0, 1)) / slice_dim(gaps, 0, 0, 1, 1)
        last = (part(n - 1, n) - part(n - 2, n - 1)) / slice_dim(gaps, 0, k - 2, k - 1, 1)
        return cat([first, inner, last], dim)
    a, b = slice_dim(gaps, 0, 0, 1, 1), slice_dim(gaps, 0, 1, 2, 1)
    first = -(2 * a + b) / (a * (a + b)) * part(0, 1) + (a + b) / (a * b) * part(1, 2) - a / (b * (a + b)) * part(2, 3)
    a, b = slice_dim(gaps, 0, k - 3, k - 2, 1), slice_dim(gaps, 0, k - 2, k - 1, 1)
    last = (
        b / (a * (a + b)) * part(n - 3, n - 2)
        - (a + b) / (a * b) * part(n - 2, n - 1)
        + (2 * b + a) / (b * (a + b)) * part(n - 1, n)
    )
    return cat([first, inner, last], dim)
