"""What a tensor's type is: questions about dtypes, and the names of complex arithmetic as far as real tensors go."""

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from minitorch import _dtype as dtypes
from minitorch._tensor import Tensor

from .check import check, type_name
from .operands import common_dtype
from .public import PROPERTIES, PUBLIC, public


def _tensor(name: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type_name(value)}")
    return value


@public("torch Tensor", bare=True)
def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is a floating-point type."""
    return _tensor("is_floating_point", input).array.dtype in dtypes.FLOATS


@public("torch Tensor", bare=True)
def is_complex(input: Tensor) -> bool:
    """Whether the dtype is a complex type."""
    return _tensor("is_complex", input).array.dtype.kind == "c"


@public("torch Tensor", bare=True)
def is_signed(input: Tensor) -> bool:
    """Whether the dtype can hold negative values."""
    return _tensor("is_signed", input).dtype.is_signed


@public("torch Tensor")
def is_nonzero(input: Tensor) -> bool:
    """Whether a tensor of one element is not zero."""
    return bool(_tensor("is_nonzero", input))


@public("torch")
def is_storage(obj: Any) -> bool:
    """Whether the object is a storage."""
    from minitorch._storage import UntypedStorage

    return isinstance(obj, UntypedStorage)


@public("torch")
def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """The dtype that an operation on both would have.

    >>> import minitorch as torch
    >>> torch.result_type(torch.ones(2, dtype=torch.float16), 1.5)
    torch.float16
    """
    if not isinstance(tensor1, Tensor) and isinstance(tensor2, Tensor):
        tensor1, tensor2 = tensor2, tensor1
    for value in (tensor1, tensor2):
        if isinstance(value, complex):
            raise NotImplementedError("result_type(): complex numbers are not supported by minitorch")
    if not isinstance(tensor1, Tensor):
        return dtypes.promote_types(*[_of_number(n) for n in (tensor1, tensor2)])
    if not isinstance(tensor2, Tensor):
        _of_number(tensor2)
        return dtypes.OF_NUMPY[dtypes.NUMBER_DTYPE[tensor2.__class__, tensor1.array.dtype]]
    return dtypes.OF_NUMPY[common_dtype([tensor1.array, tensor2.array])]


def _of_number(value: Any) -> dtypes.dtype:
    if not isinstance(value, (int, float)):
        raise TypeError(f"result_type(): argument 'tensor1' (position 1) must be Tensor, not {type_name(value)}")
    return dtypes.OF_NUMPY[np.dtype(bool)] if isinstance(value, bool) else (
        dtypes.int64 if isinstance(value, int) else dtypes.get_default_dtype()
    )  # fmt: skip


# ---------------------------------------------------------------------- complex numbers
def _itself(name: str, doc: str) -> Callable[..., Tensor]:
    """Of a real tensor this is the tensor itself."""

    def function(input: Tensor) -> Tensor:
        return _tensor(name, input)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


for _name, _doc in (
    ("conj", "The complex conjugate: of a real tensor the tensor itself."),
    ("resolve_conj", "The tensor with its conjugation done: a real tensor itself."),
    ("resolve_neg", "The tensor with its negation done: the tensor itself, negations are never put off."),
):
    PUBLIC[_name] = _itself(_name, _doc), ["torch", "Tensor"]
PUBLIC["real"] = _itself("real", "The real part: of a real tensor the tensor itself."), ["torch"]
PROPERTIES["real"] = property(lambda self: self)


def _no(name: str) -> Callable[..., bool]:
    def function(input: Tensor) -> bool:
        return _tensor(name, input) is None

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "False: a mark that only complex tensors carry."
    return function


for _name in ("is_conj", "is_neg"):
    PUBLIC[_name] = _no(_name), ["torch", "Tensor"]


@public("torch")
def imag(input: Tensor) -> NoReturn:
    """The imaginary part: real tensors have none, which is torch's RuntimeError."""
    _tensor("imag", input)
    raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")


PROPERTIES["imag"] = property(imag)


@public("torch")
def view_as_real(input: Tensor) -> NoReturn:
    """A complex tensor's parts: a RuntimeError for real ones, as torch's."""
    _tensor("view_as_real", input)
    raise RuntimeError("view_as_real is only supported for complex tensors")


def _complex(name: str, what: str) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"{name}() makes complex tensors, which minitorch does not support")

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{what} Not supported: raises NotImplementedError."
    return function


for _name, _what, _where in (
    ("complex", "A complex tensor from its parts.", "torch"),
    ("polar", "A complex tensor from absolute value and angle.", "torch"),
    ("view_as_complex", "Pairs of numbers as complex ones.", "torch"),
    ("cfloat", "The tensor as torch.complex64.", "Tensor"),
    ("cdouble", "The tensor as torch.complex128.", "Tensor"),
    ("chalf", "The tensor as torch.complex32.", "Tensor"),
    ("stft", "The short-time Fourier transform.", "torch Tensor"),
    ("istft", "The inverse of stft.", "torch Tensor"),
):
    PUBLIC[_name] = _complex(_name, _what), _where.split()


@public("torch")
def is_distributed(input: Tensor) -> bool:
    """False: a tensor of several machines is not a thing here, nor in torch any more."""
    return _tensor("is_distributed", input).is_distributed()


@public("torch Tensor")
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape."""
    check(isinstance(other, Tensor), "is_same_size(): argument 'other' must be Tensor", TypeError)
    return input.shape == other.shape
