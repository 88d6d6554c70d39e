"""Same as torch.masked: reductions, running results and normalisations over the elements that a mask keeps.

A mask is True where an element counts. It has the input's shape or one that broadcasts to it, and any dtype; None
keeps everything. What is left out is replaced by a value that changes nothing, such as 0 for a sum (`_identity`), so
values, gradients and their gradients are those of ordinary operations. Of a lane in which nothing is left, sums
are 0, products 1, extremes and log-sums infinite, and mean, median, var, std and softmax nan.

The definitions are those of https://docs.pytorch.org/docs/stable/masked.html. MaskedTensor is not supported.
"""

import math
from typing import Any, NoReturn

import minitorch
from minitorch import Tensor, iinfo

__all__ = [
    "MaskedTensor", "amax", "amin", "argmax", "argmin", "as_masked_tensor", "cumprod", "cumsum", "is_masked_tensor",
    "log_softmax", "logaddexp", "logsumexp", "masked_tensor", "mean", "median", "norm", "normalize", "prod", "softmax",
    "softmin", "std", "sum", "var",
]  # fmt: skip

# dtypes that have no identity of extremes in torch
_WITHOUT_LIMITS = (minitorch.bool, minitorch.uint16, minitorch.uint32, minitorch.uint64)
_INTO_INT64 = (minitorch.bool, minitorch.uint8, minitorch.int8, minitorch.int16, minitorch.int32)
_REDUCTIONS = frozenset("sum prod amax amin argmax argmin mean median norm var std logsumexp".split())
_NORMALIZATIONS = frozenset("softmax log_softmax softmin normalize cumsum cumprod".split())


# ---------------------------------------------------------------------- masks and what stands for the elements left out
def _dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """The dimensions that `dim` names, in order: all for None and for ()."""
    if dim is None or dim == ():
        return tuple(range(ndim))
    ndim = max(ndim, 1)
    dims: list[int] = []
    for d in (dim,) if isinstance(dim, int) else dim:
        if d in dims:
            raise RuntimeError(f"dim={d} appears multiple times in the list of dims")
        if not -ndim <= d < ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but got {d})")
        dims.append(d % ndim)
    return tuple(sorted(dims))


def _input_mask(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The mask of a call as a bool tensor of the input's shape."""
    mask = kwargs.get("mask")
    if mask is None:
        raise ValueError("_input_mask requires explicit mask")
    if mask.layout is not minitorch.strided:
        mask = mask.to_dense()
    if mask.shape != input.shape:
        if mask.ndim > input.ndim:
            raise IndexError(
                "_input_mask expected broadcastable mask (got mask dimensionality higher than of the input)"
            )
        mask = minitorch.broadcast_to(mask, input.shape)
    return mask.to(dtype=minitorch.bool)


def _output_mask(op: Any, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Which results of `op(input, *args, mask=mask)` any element went into."""
    name = getattr(op, "__name__", "")
    if name in _NORMALIZATIONS:
        return _input_mask(input, **kwargs)
    if name not in _REDUCTIONS:
        what = f"callable {op.__module__}.{name}" if callable(op) else f"{type(op).__name__} object"
        raise ValueError(f"_output_mask expected masked operation (got {what})")
    args = args[1:] if name == "norm" else args  # after the order
    dims = _dims(args[0] if args else kwargs.get("dim"), input.ndim)
    mask = _input_mask(input, **kwargs)
    return minitorch.any(mask, dims, bool(kwargs.get("keepdim", False))) if dims else mask


def _identity(name: str, dtype: minitorch.dtype, ord: Any = 2.0) -> Any:
    """What changes no result of the operation, so that it may stand for an element left out."""
    if name == "median":  # of what is not nan
        return minitorch.nan
    if name == "norm":
        if ord != -minitorch.inf:
            return 0
        if not dtype.is_floating_point:
            raise AssertionError(f"input must be floating point, got {dtype}")
        return minitorch.inf
    if name in ("sum", "prod"):
        return int(name == "prod")
    smallest = name in ("amin", "argmin")
    if dtype.is_floating_point:
        return minitorch.inf if smallest else -minitorch.inf
    if dtype in _WITHOUT_LIMITS:
        raise NotImplementedError(f"identity of {name} on {dtype} input")
    return iinfo(dtype).max if smallest else iinfo(dtype).min


def _filled(name: str, input: Tensor, mask: Any, ord: Any = 2.0) -> Tensor:
    """The input with the identity of an operation where the mask is False."""
    if mask is None:
        return input
    value = _identity(name, input.dtype, ord)
    if input.dtype is minitorch.bool:
        value = bool(value)
    return minitorch.where(_input_mask(input, mask=mask), input, value)


def _strided(name: str, *inputs: Tensor) -> None:
    if any(t.layout is not minitorch.strided for t in inputs):
        raise NotImplementedError(f"torch.masked.{name} is not supported for sparse tensors: call to_dense() first")


def _count(input: Tensor, dim: Any, keepdim: Any, mask: Any) -> Any:
    """How many elements go into each result: a tensor, without a mask a number."""
    if mask is not None:
        return minitorch.sum(_input_mask(input, mask=mask), dim, bool(keepdim))
    return math.prod(input.shape[d] for d in _dims(dim, input.ndim)) if input.ndim else 1


# ---------------------------------------------------------------------- reductions
def sum(input: Tensor, dim: Any = None, *, keepdim: Any = False, dtype: Any = None, mask: Any = None) -> Tensor:
    """The sum of the kept elements, over dim or everything; of small integers in int64.

    >>> from minitorch import masked, tensor
    >>> masked.sum(tensor([[1, 2], [3, 4]]), 1, mask=tensor([[True, False], [True, True]]))
    tensor([1, 7])
    """
    _strided("sum", input)
    return minitorch.sum(_filled("sum", input, mask), _dims(dim, input.ndim), bool(keepdim), dtype=dtype)


def prod(input: Tensor, dim: Any = None, *, keepdim: Any = False, dtype: Any = None, mask: Any = None) -> Tensor:
    """The product of the kept elements, over dim or everything; of integers in int64.

    >>> from minitorch import masked, tensor
    >>> masked.prod(tensor([2.0, 3.0, 0.0]), mask=tensor([True, True, False]))
    tensor(6.)
    """
    _strided("prod", input)
    if dtype is None:
        dtype = minitorch.int64 if input.dtype in _INTO_INT64 else input.dtype
    result = _filled("prod", input, mask).to(dtype=dtype)
    for d in reversed(_dims(dim, input.ndim)):
        result = minitorch.prod(result, d, bool(keepdim))
    return result


def amax(input: Tensor, dim: Any = None, *, keepdim: Any = False, dtype: Any = None, mask: Any = None) -> Tensor:
    """The largest of the kept elements, over dim or everything.

    >>> from minitorch import masked, tensor
    >>> masked.amax(tensor([[1.0, 5.0], [3.0, 4.0]]), 1, mask=tensor([True, False]))
    tensor([1., 3.])
    """
    return _extreme("amax", input, dim, keepdim, dtype, mask)


def amin(input: Tensor, dim: Any = None, *, keepdim: Any = False, dtype: Any = None, mask: Any = None) -> Tensor:
    """The smallest of the kept elements, over dim or everything."""
    return _extreme("amin", input, dim, keepdim, dtype, mask)


def _extreme(name: str, input: Tensor, dim: Any, keepdim: Any, dtype: Any, mask: Any) -> Tensor:
    _strided(name, input)
    filled = _filled(name, input, mask)
    result = getattr(minitorch, name)(filled, _dims(dim, input.ndim), bool(keepdim))
    return result.to(dtype=input.dtype if dtype is None else dtype)


def argmax(
    input: Tensor, dim: int | None = None, *, keepdim: Any = False, dtype: Any = None, mask: Any = None
) -> Tensor:
    """Where the largest of the kept elements is: in the input's dtype, as in torch, unless `dtype` says otherwise.

    >>> from minitorch import masked, tensor
    >>> masked.argmax(tensor([3.0, 9.0, 5.0]), mask=tensor([True, False, True]))
    tensor(2.)
    """
    return _place("argmax", input, dim, keepdim, dtype, mask)


def argmin(
    input: Tensor, dim: int | None = None, *, keepdim: Any = False, dtype: Any = None, mask: Any = None
) -> Tensor:
    """Where the smallest of the kept elements is, in the input's dtype unless `dtype` says otherwise."""
    return _place("argmin", input, dim, keepdim, dtype, mask)


def _place(name: str, input: Tensor, dim: int | None, keepdim: Any, dtype: Any, mask: Any) -> Tensor:
    _strided(name, input)
    result = getattr(minitorch, name)(_filled(name, input, mask), dim, bool(keepdim))
    return result.to(dtype=input.dtype if dtype is None else dtype)


def mean(input: Tensor, dim: Any = None, *, keepdim: Any = False, dtype: Any = None, mask: Any = None) -> Tensor:
    """The mean of the kept elements, over dim or everything; ValueError if the result's dtype is no float.

    >>> from minitorch import masked, tensor
    >>> masked.mean(tensor([1.0, 2.0, 9.0]), mask=tensor([True, True, False]))
    tensor(1.5000)
    """
    source, dtype = ("Input", input.dtype) if dtype is None else ("Optional", dtype)
    if not dtype.is_floating_point:
        raise ValueError(
            f"mean(): Could not infer output dtype. {source} dtype must be either a floating point or complex dtype. "
            f"Got: {dtype}"
        )
    _strided("mean", input)
    count = _count(input, dim, keepdim, mask)
    return sum(input, dim, keepdim=keepdim, dtype=dtype, mask=mask) / count


def median(input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Tensor:
    """The lower median of the kept elements along dim that are not nan.

    Of integers it comes in `dtype`, by default the input's: ValueError if a lane of them has no element left.

    >>> from minitorch import masked, tensor
    >>> masked.median(tensor([4.0, 1.0, 7.0]), mask=tensor([True, False, True]))
    tensor(4.)
    """
    _strided("median", input)
    along = _dims(dim, input.ndim)[0]
    if input.is_floating_point():
        return minitorch.nanmedian(_filled("median", input, mask), along, keepdim).values
    result = minitorch.nanmedian(_filled("median", input.to(dtype=minitorch.float32), mask), along, keepdim).values
    if minitorch.isnan(result).any():
        raise ValueError("masked median expects no fully masked out rows if dtype is not floating point")
    return result.to(dtype=input.dtype if dtype is None else dtype)


def norm(
    input: Tensor, ord: Any = 2.0, dim: Any = None, *, keepdim: Any = False, dtype: Any = None, mask: Any = None
) -> Tensor:
    """linalg.vector_norm of the kept elements, over dim or everything.

    >>> from minitorch import masked, tensor
    >>> masked.norm(tensor([3.0, 4.0, 5.0]), mask=tensor([True, True, False]))
    tensor(5.)
    """
    _strided("norm", input)
    filled = _filled("norm", input, mask, ord)
    dtype = input.dtype if dtype is None else dtype
    return minitorch.linalg.vector_norm(filled, ord, _dims(dim, input.ndim), bool(keepdim), dtype=dtype)


def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    *,
    correction: Any = None,
    keepdim: Any = False,
    dtype: Any = None,
    mask: Any = None,
) -> Tensor:
    """The variance of the n kept elements, over dim or everything: squared deviations' sum / (n - correction).

    `correction` is 1 by default and for `unbiased=True`, 0 for `unbiased=False`.

    >>> from minitorch import masked, tensor
    >>> masked.var(tensor([1.0, 3.0, 9.0]), mask=tensor([True, True, False]))
    tensor(2.)
    """
    return _variance("var", input, dim, unbiased, correction, keepdim, dtype, mask)


def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool | None = None,
    *,
    correction: Any = None,
    keepdim: Any = False,
    dtype: Any = None,
    mask: Any = None,
) -> Tensor:
    """The standard deviation of the kept elements: the square root of `var`."""
    return minitorch.sqrt(_variance("std", input, dim, unbiased, correction, keepdim, dtype, mask))


def _variance(
    name: str, input: Tensor, dim: Any, unbiased: Any, correction: Any, keepdim: Any, dtype: Any, mask: Any
) -> Tensor:
    if unbiased is not None and correction is not None:
        raise AssertionError("Only one of unbiased and correction may be given")
    _strided(name, input)
    if correction is None:
        correction = 0.0 if unbiased is False else 1.0
    if dtype is None:
        dtype = input.dtype if input.is_floating_point() else minitorch.float32
    wide = dtype if dtype.is_floating_point else minitorch.float32
    if mask is not None:
        mask = _input_mask(input, mask=mask)
    count = _count(input, dim, True, mask)
    deviations = input - sum(input, dim, keepdim=True, dtype=dtype, mask=mask) / count
    total = sum(deviations * deviations, dim, keepdim=keepdim, dtype=wide, mask=mask)
    if mask is None:
        return (total / max(count - correction, 0.0)).to(dtype=dtype)
    count = (count.to(dtype=wide) - correction).clamp(min=0.0)
    return (total / count.reshape(total.shape)).to(dtype=dtype)


def logsumexp(input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None) -> Tensor:
    """log(sum(exp(x))) of the kept elements, over dim or everything, without overflow.

    >>> from minitorch import masked, tensor
    >>> masked.logsumexp(tensor([1.0, 2.0, 3.0]), mask=tensor([False, False, True]))
    tensor(3.)
    """
    _strided("logsumexp", input)
    result = minitorch.logsumexp(_filled("logsumexp", input, mask), _dims(dim, input.ndim), keepdim)
    return result.to(dtype=input.dtype if dtype is None else dtype)


# ---------------------------------------------------------------------- two tensors
def logaddexp(
    input: Tensor, other: Tensor, *, dtype: Any = None, input_mask: Any = None, other_mask: Any = None
) -> Tensor:
    """log(exp(input) + exp(other)), each counting where its own mask is True.

    >>> from minitorch import masked, tensor
    >>> masked.logaddexp(tensor([1.0, 2.0]), tensor([3.0, 4.0]), other_mask=tensor([False, False]))
    tensor([1., 2.])
    """
    _strided("logaddexp", input, other)
    result = minitorch.logaddexp(_filled("logaddexp", input, input_mask), _filled("logaddexp", other, other_mask))
    return result.to(dtype=input.dtype if dtype is None else dtype)


# ---------------------------------------------------------------------- results of the input's shape
def cumsum(input: Tensor, dim: int, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """The running sum of the kept elements along dim, in the input's dtype unless `dtype` says otherwise.

    >>> from minitorch import masked, tensor
    >>> masked.cumsum(tensor([1.0, 2.0, 3.0]), 0, mask=tensor([True, False, True]))
    tensor([1., 1., 4.])
    """
    return _running("cumsum", "sum", input, dim, dtype, mask)


def cumprod(input: Tensor, dim: int, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """The running product of the kept elements along dim, in the input's dtype unless `dtype` says otherwise."""
    return _running("cumprod", "prod", input, dim, dtype, mask)


def _running(name: str, reduction: str, input: Tensor, dim: int, dtype: Any, mask: Any) -> Tensor:
    _strided(name, input)
    dtype = input.dtype if dtype is None else dtype
    return getattr(minitorch, name)(_filled(reduction, input, mask), _dims(dim, input.ndim)[0], dtype=dtype)


def softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """softmax along dim over the kept elements; the others get 0.

    >>> from minitorch import masked, tensor
    >>> masked.softmax(tensor([1.0, 1.0, 5.0]), 0, mask=tensor([True, True, False]))
    tensor([0.5000, 0.5000, 0.0000])
    """
    return _exponential("softmax", "amax", input, dim, dtype, mask)


def log_softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """The logarithm of `softmax`: -inf for the elements left out."""
    return _exponential("log_softmax", "amax", input, dim, dtype, mask)


def softmin(input: Tensor, dim: int, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """`softmax` of -input."""
    return _exponential("softmin", "amin", input, dim, dtype, mask)


def _exponential(name: str, extreme: str, input: Tensor, dim: int, dtype: Any, mask: Any) -> Tensor:
    _strided(name, input)
    dtype = input.dtype if dtype is None else dtype
    filled = _filled(extreme, input, mask)
    return getattr(minitorch.nn.functional, name)(filled, _dims(dim, input.ndim)[0], dtype=dtype)


def normalize(
    input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: Any = None, mask: Any = None
) -> Tensor:
    """The kept elements divided by their norm along dim, or by eps if that is larger; 0 for the others.

    >>> from minitorch import masked, tensor
    >>> masked.normalize(tensor([3.0, 4.0, 5.0]), 2.0, 0, mask=tensor([True, True, False]))
    tensor([0.6000, 0.8000, 0.0000])
    """
    _strided("normalize", input)
    size = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return _filled("sum", input, mask) / minitorch.maximum(size, size.new_full((), eps))


# ---------------------------------------------------------------------- masked tensors
_MISSING = (
    "torch.masked.{} is not supported by minitorch, which has no masked tensors: call the functions of torch.masked "
    "with mask=, such as torch.masked.sum(data, mask=mask)"
)


class MaskedTensor:
    """Not supported: raises NotImplementedError."""

    def __init__(self, data: Any, mask: Any, requires_grad: bool = False):
        raise NotImplementedError(_MISSING.format("MaskedTensor"))


def masked_tensor(data: Any, mask: Any, requires_grad: bool = False) -> NoReturn:
    """Not supported: raises NotImplementedError."""
    raise NotImplementedError(_MISSING.format("masked_tensor"))


def as_masked_tensor(data: Any, mask: Any) -> NoReturn:
    """Not supported: raises NotImplementedError."""
    raise NotImplementedError(_MISSING.format("as_masked_tensor"))


def is_masked_tensor(obj: Any, /) -> bool:
    """False: there are no masked tensors.

    >>> import minitorch as torch
    >>> torch.masked.is_masked_tensor(torch.ones(2))
    False
    """
    return isinstance(obj, MaskedTensor)
