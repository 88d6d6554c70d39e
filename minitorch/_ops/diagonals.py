"""Diagonals and triangles: diag, diag_embed, fill_diagonal_, tril, tril_indices."""

from typing import Any

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._layout import strided
from minitorch._tensor import Tensor, wrap

from .check import check, integer, no_kernel, wrap_dim
from .op import OPS, structured
from .positions import bits_of, kernels
from .public import FUNCTIONS, into, op, public
from .shapes import reshape
from .views import diagonal


# ---------------------------------------------------------------------- triangles
def _triangle_shape(name: str, input: Any, diagonal: Any) -> tuple[tuple[int, ...], Any]:
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")
    integer(diagonal, "diagonal", name)
    return input.shape, input.dtype


def _band(input: np.ndarray, low: int, high: int) -> np.ndarray:
    """A copy of the matrices with zeros outside the diagonals from low to high."""
    n, m = input.shape[-2:]
    low, high = min(max(low, -n), m), min(max(high, -n), m)
    if not input.size or low >= high:
        return np.zeros(input.shape, input.dtype)
    out = np.empty(input.shape, input.dtype)
    kernels().band(bits_of(np.ascontiguousarray(input)).reshape(-1, n, m), low, high, bits_of(out).reshape(-1, n, m))
    return out


@structured(tensors="input", on="torch Tensor")
def tril(input, diagonal=0):
    return _triangle_shape("tril", input, diagonal)


@tril.cpu
def tril_cpu(input, diagonal=0):
    _triangle_shape("tril", input, diagonal)
    return _band(input, -input.shape[-2], diagonal + 1)


@tril.grad("input")
def tril_grad(g, diagonal):
    return tril(g, diagonal)


@structured(tensors="input", on="torch Tensor")
def triu(input, diagonal=0):
    return _triangle_shape("triu", input, diagonal)


@triu.cpu
def triu_cpu(input, diagonal=0):
    _triangle_shape("triu", input, diagonal)
    return _band(input, diagonal, input.shape[-1])


@triu.grad("input")
def triu_grad(g, diagonal):
    return triu(g, diagonal)


@public("Tensor")
def tril_(self: Tensor, diagonal: int = 0) -> Tensor:
    """tril, in place."""
    return FUNCTIONS["copy_"](self, OPS["tril"].function(self, diagonal))


@public("Tensor")
def triu_(self: Tensor, diagonal: int = 0) -> Tensor:
    """triu, in place."""
    return FUNCTIONS["copy_"](self, OPS["triu"].function(self, diagonal))


def _triangle_indices(name: str, row: int, col: int, offset: int, dtype: Any, device: Any) -> Tensor:
    row, col = integer(row, "row", name), integer(col, "col", name)
    if not row >= 0:
        raise RuntimeError(f"row must be non-negative, got{row}")
    if not col >= 0:
        raise RuntimeError(f"col must be non-negative, got{col}")
    to = dtypes.INT64_NUMPY if dtype is None else dtypes.numpy_dtype(dtype)
    if to.kind not in "iu":
        no_kernel(name, np.empty(0, to))
    found = (np.tril_indices if name == "tril_indices" else np.triu_indices)(row, offset, col)
    return wrap(np.stack(found).astype(to)).to(device or "cpu")


@public("torch")
def tril_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Any = None,
    device: Any = None,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """The row and column numbers of the lower triangle, as the two rows of a tensor."""
    _plain_options("tril_indices", layout, pin_memory)
    return _triangle_indices("tril_indices", row, col, offset, dtype, device)


@public("torch")
def triu_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Any = None,
    device: Any = None,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """The row and column numbers of the upper triangle, as the two rows of a tensor."""
    _plain_options("triu_indices", layout, pin_memory)
    return _triangle_indices("triu_indices", row, col, offset, dtype, device)


def _plain_options(name: str, layout: Any, pin_memory: bool) -> None:
    if layout is not None and layout is not strided:
        raise NotImplementedError(f"{name}: layout={layout} is not supported by minitorch")
    if pin_memory:
        raise NotImplementedError(f"{name}: pin_memory=True needs a CUDA backend, which minitorch lacks so far")


# ---------------------------------------------------------------------- diagonals
@structured(tensors="input", on="torch Tensor", takes_out=False)
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    offset = integer(offset, "offset", "diag_embed")
    ndim = input.ndim + 1
    dim1, dim2 = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if dim1 == dim2:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    n = input.shape[-1] + abs(offset)
    rest = iter(input.shape[:-1])
    return tuple([n if i in (dim1, dim2) else next(rest) for i in range(ndim)]), input.dtype


@diag_embed.cpu
def diag_embed_cpu(input, offset=0, dim1=-2, dim2=-1):
    shape, dtype = diag_embed.infer(input, offset, dim1, dim2)
    out = np.zeros(shape, dtype)
    diagonal.forward(out, offset, dim1, dim2)[...] = input
    return out


@diag_embed.grad("input")
def diag_embed_grad(g, offset, dim1, dim2):
    return clone(diagonal(g, offset, dim1, dim2))  # noqa: F821


@public("torch Tensor")
def diag(input: Tensor, diagonal: int = 0, *, out: Any = None) -> Tensor:
    """The diagonal of a matrix, or the matrix with that diagonal."""
    if input.ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    if input.ndim == 1:
        result = OPS["diag_embed"].function(input, diagonal)
    else:
        result = OPS["dense"].function(OPS["diagonal"].function(input, diagonal))
    return into(out, "diag", result)


@public("torch Tensor")
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix with the flat input as its diagonal."""
    return op("diag_embed")(reshape(input, -1), offset)


@public("Tensor")
def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Write one value to the main diagonal; with wrap, tall matrices get it again below each full diagonal.

    >>> import minitorch as torch
    >>> torch.zeros(2, 2).fill_diagonal_(3)
    tensor([[3., 0.],
            [0., 3.]])
    """
    check(self.ndim >= 2, "dimensions must larger than 1")
    shape, strides = self.shape, self.stride()
    check(self.ndim == 2 or len(set(shape)) == 1, "all dimensions of input must be of equal length")
    start, along = self.storage_offset(), min(shape)
    fill = FUNCTIONS["fill_"]
    fill(op("as_strided")(self, (along,), (sum(strides),), start), fill_value)
    if wrap and self.ndim == 2 and shape[0] > shape[1] + 1:
        step, width = sum(strides), shape[1]
        offset = (width + 1) * strides[0]
        left = self.numel() - offset
        fill(op("as_strided")(self, (-(-left // step),), (step,), start + offset), fill_value)
    return self
