"""What the ops of linear algebra share: checks of matrices, their error, results with several parts.

An op's record has one differentiable output. A decomposition therefore lays its factors end to end in the last
dimension of one array, and takes each of them from there by an op of its own: so every factor has a gradient, and the
decomposition's gradient sees those of all its factors at once.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from minitorch._dtype import FLOATS
from minitorch._kernels.copies import contiguous
from minitorch._tensor import Tensor, wrap
from minitorch.autograd.engine import without_recording

from .check import c_name, no_kernel
from .op import ARRAY_NAMES, OPS, TENSOR_NAMES, Op, structured

Shapes = list[tuple[int, ...]]


class _LinAlgError(RuntimeError):
    """A matrix for which the result does not exist, or an algorithm that did not converge."""


_LinAlgError.__module__ = "minitorch._C"  # as torch prints it
LinAlgError = _LinAlgError


# ---------------------------------------------------------------------- checks
def at_least_2d(name: str, a: Any, argument: str = "A") -> None:
    """Refuse vectors and numbers."""
    if a.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor {argument} must have at least 2 dimensions.")


def square(name: str, a: Any) -> None:
    """Refuse what is no batch of square matrices."""
    at_least_2d(name, a)
    n, m = a.shape[-2:]
    lead = f"{name}: " if name else ""
    if n != m:
        raise RuntimeError(f"{lead}A must be batches of square matrices, but they are {n} by {m} matrices")


def floating(name: str, a: Any, low: bool = True) -> None:
    """Refuse integers, and with low=False also the 16-bit floats."""
    if a.dtype not in FLOATS:
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {c_name(a)}")
    if not (low or a.dtype.itemsize > 2):
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {c_name(a)}")


def kernel_for(kernel: str, a: Any) -> None:
    """Refuse the dtypes that LAPACK has no routine for."""
    if a.dtype not in FLOATS or a.dtype.itemsize == 2:
        no_kernel(kernel, a)


def first_failure(name: str, info: np.ndarray, text: str) -> None:
    """Raise LinAlgError for the first matrix of a batch whose `info` is not 0; {info} stands in the text."""
    failed = np.flatnonzero(info)
    if failed.size:
        element = f"(Batch element {failed[0]}): " if info.ndim else ""
        raise LinAlgError(f"{name}: {element}" + text.format(info=info.reshape(-1)[failed[0]]))


def refuse_failed(name: str, info: Tensor, text: str) -> None:
    """`first_failure` of what a GPU's kernel found, if there is a name; the CPU's kernels do this themselves."""
    if name and info.is_cuda:
        first_failure(name, info.array.to_host(), text)


def refuse_nan(name: str, values: Tensor, text: str) -> None:
    """`first_failure` of the matrices whose values a GPU's kernel left nan, as it does where it fails."""
    if values.is_cuda:
        first_failure(name, np.isnan(values.array.to_host()).any(-1).astype(int), text)


# ---------------------------------------------------------------------- gradients written with Tensors
def tensor_gradient(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Decorator: gradients may call this function of Tensors by name; given arrays, it computes on them unrecorded.

    The matrices of linear algebra are large enough for the Tensors' own cost not to matter.
    """

    def on_arrays(*args: Any) -> Any:
        return without_recording(lambda: function(*[wrap(a) if isinstance(a, np.ndarray) else a for a in args]).array)

    ARRAY_NAMES[function.__name__], TENSOR_NAMES[function.__name__] = on_arrays, function
    return function


# ---------------------------------------------------------------------- layout
def column_major(a: np.ndarray, rows: int = 0) -> np.ndarray:
    """The same matrices, each laid out by columns (in memory for at least so many rows), as LAPACK leaves its results.

    torch hands these on as they are, so that strides tell.
    """
    if rows <= a.shape[-2]:
        return contiguous(a.swapaxes(-1, -2)).swapaxes(-1, -2)
    out = np.empty((*a.shape[:-2], a.shape[-1], rows), a.dtype).swapaxes(-1, -2)[..., : a.shape[-2], :]
    out[...] = a
    return out


def _laid_out(title: str) -> Op:
    @structured(name=f"{title.lower()}_layout", title=title, tensors="input")
    def layout(input):
        return input.shape, input.dtype

    @layout.cpu
    def layout_cpu(input):
        return column_major(input)

    @layout.grad("input")
    def layout_grad(g):
        return g

    return layout


# the last step of functions made of other ops, whose results torch lays out by columns and whose nodes have these names
_TITLES = "LinalgHouseholderProduct LinalgLuSolve LinalgSolveEx Ormqr"
LAYOUT = {title: _laid_out(title) for title in _TITLES.split()}


def by_columns(x: Tensor, title: str) -> Tensor:
    """column_major, as an op that torch knows by this title."""
    return LAYOUT[title].function(x)


# ---------------------------------------------------------------------- several factors in one array
def packed_shape(lead: tuple[int, ...], shapes: Shapes) -> tuple[int, ...]:
    """The shape of the array that holds factors of these shapes for every matrix of a batch."""
    return (*lead, sum(map(prod, shapes)))


def pack(lead: tuple[int, ...], factors: list[np.ndarray]) -> np.ndarray:
    """The factors of a batch of matrices, end to end, each by columns."""
    return np.concatenate([_flat(f, len(lead)) for f in factors], -1)


def _flat(f: np.ndarray, lead: int) -> np.ndarray:
    f = f.swapaxes(-1, -2) if f.ndim == lead + 2 else f
    return f.reshape(*f.shape[:lead], prod(f.shape[lead:]))


def _make_factor(name: str, title: str) -> Op:
    @structured(name=name, title=title, tensors="packed")
    def factor(packed, start, shape):
        return (*packed.shape[:-1], *shape), packed.dtype

    @factor.cpu
    def factor_cpu(packed, start, shape):
        part = packed[..., start : start + prod(shape)].copy().reshape((*packed.shape[:-1], *reversed(shape)))
        return part.swapaxes(-1, -2) if len(shape) == 2 else part

    @factor.grad("packed")
    def factor_grad(g, packed_shape, start):
        return packed_factor(g, packed_shape, start)

    return factor


_make_factor("factor", "Factor")


@structured(tensors="g")
def packed_factor(g, shape, start):
    return shape, g.dtype


@packed_factor.cpu
def packed_factor_cpu(g, shape, start):
    """Zeros but for one factor: what flows back from it."""
    d = np.zeros(shape, g.dtype)
    n = prod(g.shape[len(shape) - 1 :])
    d[..., start : start + n] = _flat(g, len(shape) - 1)
    return d


@packed_factor.grad("g")
def packed_factor_grad(g, g_shape, shape, start):
    return factor(g, start, g_shape[len(shape) - 1 :])  # noqa: F821


def unpack(packed: Tensor, shapes: Shapes, name: str = "factor") -> list[Tensor]:
    """The factors, each a Tensor of its own."""
    factors, start = [], 0
    for shape in shapes:
        factors.append(OPS[name].function(packed, start, shape))
        start += prod(shape)
    return factors


def decomposition(title: str, **options: Any) -> Callable[[Callable[..., Any]], Op]:
    """Decorator: the record of a decomposition, and the op that takes its factors; torch names both nodes alike."""

    def register(function: Callable[..., Any]) -> Op:
        record = structured(title=title, **{"tensors": "A", **options})(function)
        _make_factor(f"{record.name}_factor", title)
        return record

    return register
