"""Sums and means of what is not nan."""

from typing import Any

from minitorch._tensor import Tensor

from .check import C_NAMES, c_name, no_kernel
from .op import structured
from .operands import FUNCTIONS
from .public import into, op, public
from .reductions import Reduction, mean_dtype, reduced_dims, reduced_shape

NANSUM = Reduction("nansum", wide=True)


@structured(tensors="input", title="Nansum")
def sum_of_valid(input, dim, keepdim):
    return reduced_shape(input.shape, reduced_dims(dim, input.ndim), keepdim), input.dtype


@sum_of_valid.cpu
def sum_of_valid_cpu(input, dim, keepdim):
    return NANSUM(input, dim, keepdim)


@sum_of_valid.grad("input")
def sum_of_valid_grad(g, input, dim, keepdim):
    return where(input == input, keep_dims(g, input, dim, keepdim), 0.0)  # noqa: F821


@public("torch Tensor")
def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None) -> Tensor:
    """The sum with nan counted as zero.

    >>> import minitorch as torch
    >>> torch.tensor([1.0, float("nan")]).nansum()
    tensor(1.)
    """
    if not input.is_floating_point():
        return op("sum")(input, dim, keepdim, dtype=dtype, out=out)
    if dtype is not None and not dtype.is_floating_point:
        return op("sum")(FUNCTIONS["where"](input == input, input, 0.0), dim, keepdim, dtype=dtype, out=out)
    dtype = _nansum_dtype(out, dtype)
    return into(out, "nansum", op("sum_of_valid")(input if dtype is None else input.to(dtype), dim, keepdim))


def _nansum_dtype(out: Any, dtype: Any) -> Any:
    """The dtype of `out=`, in which torch computes, and which must be `dtype=` if that is given."""
    if not isinstance(out, Tensor):
        return dtype
    if dtype not in (None, out.dtype):
        have, asked = c_name(out.array), C_NAMES[dtype.numpy.name]
        raise RuntimeError(f"nansum: provided dtype must match dtype of result. Got {have} and {asked}.")
    if not out.is_floating_point():
        no_kernel("nansum_cpu", out.array)
    return out.dtype


@public("torch Tensor")
def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None) -> Tensor:
    """The mean of what is not nan."""
    if not input.is_floating_point():
        raise RuntimeError(
            f"nanmean(): expected input to have floating point or complex dtype but got {c_name(input.array)}"
            if out is None
            else "nanmean(): integral types and 'Bool' are not supported for nanmean, even for empty tensors."
        )
    mean_dtype("nanmean", input.array, dtype)
    count = op("sum")(input == input, dim, keepdim)
    return into(out, "nanmean", nansum(input, dim, keepdim, dtype=_nansum_dtype(out, dtype)) / count)
