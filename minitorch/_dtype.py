"""dtype objects and torch's rules for the dtype of a result.

The table is built once from the rules of https://pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc:
an operand of a higher category (bool < integer < float < complex) decides; within one category a tensor with
dimensions outranks a 0-dim tensor, which outranks a Python number.
"""

import builtins
from itertools import product
from typing import Any

import numpy as np

BOOL, INTEGER, FLOAT, COMPLEX = 0, 1, 2, 3


class dtype:
    """The type of a tensor's elements; there is one object per type, compared by identity.

    >>> import minitorch as torch
    >>> torch.float32, torch.float32.itemsize, torch.float32.is_floating_point
    (torch.float32, 4, True)
    """

    __slots__ = ("category", "is_signed", "itemsize", "name", "numpy")

    category: "builtins.int"
    numpy: Any

    def __init__(self, name: str, category: "builtins.int", itemsize: "builtins.int", numpy: str | None):
        self.name, self.category, self.itemsize = name, category, itemsize
        self.numpy = None if numpy is None else np.dtype(numpy)
        self.is_signed = category > BOOL and not name.startswith(("uint", "quint"))

    is_floating_point = property(lambda self: self.category == FLOAT)
    is_complex = property(lambda self: self.category == COMPLEX)

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


bool = dtype("bool", BOOL, 1, "bool")
uint8 = dtype("uint8", INTEGER, 1, "uint8")
int8 = dtype("int8", INTEGER, 1, "int8")
int16 = short = dtype("int16", INTEGER, 2, "int16")
int32 = int = dtype("int32", INTEGER, 4, "int32")
int64 = long = dtype("int64", INTEGER, 8, "int64")
float32 = float = dtype("float32", FLOAT, 4, "float32")
float64 = double = dtype("float64", FLOAT, 8, "float64")
# known by name so that scripts can mention them; using one raises (see `numpy_dtype`)
float16 = half = dtype("float16", FLOAT, 2, None)
bfloat16 = dtype("bfloat16", FLOAT, 2, None)
complex64 = cfloat = dtype("complex64", COMPLEX, 8, None)
complex128 = cdouble = dtype("complex128", COMPLEX, 16, None)

SUPPORTED = (bool, uint8, int8, int16, int32, int64, float32, float64)
FLOATS = frozenset((float32.numpy, float64.numpy))
BOOL_NUMPY, INT64_NUMPY = bool.numpy, int64.numpy

# the singleton NumPy dtype of an array -> ours; other spellings of the same type hash alike
OF_NUMPY = {d.numpy: d for d in SUPPORTED}
CATEGORY = {d.numpy: d.category for d in SUPPORTED}


def numpy_dtype(d: dtype) -> np.dtype:
    """The NumPy dtype that stores `d`, or NotImplementedError for a dtype that minitorch lacks so far."""
    if not isinstance(d, dtype):
        raise TypeError(f"dtype must be torch.dtype, not {type(d).__name__}")
    if d.numpy is None:
        names = ", ".join(str(s) for s in SUPPORTED)
        raise NotImplementedError(f"{d} is not supported by minitorch; supported are {names}")
    return d.numpy


def of_numpy(d: np.dtype) -> dtype:
    """Ours for a NumPy dtype, with torch's TypeError for those that no tensor can hold."""
    try:
        return OF_NUMPY[d]
    except KeyError:
        pass
    if d.name in ("float16", "complex64", "complex128"):
        raise NotImplementedError(f"torch.{d.name} is not supported by minitorch")
    if d.newbyteorder("=") in OF_NUMPY:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. "
            "Conversion between byte orders is currently not supported."
        )
    kind = "numpy.object_" if d.kind == "O" else f"numpy.{d.type.__name__}"
    raise TypeError(
        f"can't convert np.ndarray of type {kind}. The only supported types are: float64, float32, float16, "
        "complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool."
    )


def _promote(a: dtype, b: dtype) -> dtype:
    if a is b:
        return a
    low, high = sorted((a, b), key=lambda d: (d.category, d.itemsize))
    if low.category < high.category:
        return high
    if high.category == INTEGER and uint8 in (a, b) and high.is_signed:
        return int16 if high is int8 else high
    if high.category == INTEGER and low is int8 and high is uint8:
        return int16
    if {a, b} == {float16, bfloat16}:
        return float32
    return high


# complex halves aside, the eight dtypes with storage are what a computation can meet
PROMOTE_TYPES = {(a, b): _promote(a, b) for a, b in product(SUPPORTED, SUPPORTED)}


def _combine(higher: dtype, lower: dtype) -> dtype:
    """The dtype when operands of a higher rank (see the module's docstring) meet operands of a lower one."""
    if higher.category == FLOAT or (higher.category == lower.category == INTEGER):
        return higher
    return PROMOTE_TYPES[higher, lower]


# (NumPy dtype, is 0-dim, NumPy dtype, is 0-dim) -> NumPy dtype
PROMOTED = {}
for _a, _b in product(SUPPORTED, SUPPORTED):
    _pair = _a.numpy, _b.numpy
    for _zero in (False, True):
        PROMOTED[_pair[0], _zero, _pair[1], _zero] = PROMOTE_TYPES[_a, _b].numpy
    PROMOTED[_pair[0], False, _pair[1], True] = _combine(_a, _b).numpy
    PROMOTED[_pair[0], True, _pair[1], False] = _combine(_b, _a).numpy

# what a Python number does to a tensor of some dtype: (class of the number, NumPy dtype) -> NumPy dtype
NUMBER_DTYPE: dict[Any, np.dtype] = {}
_default = float32


def get_default_dtype() -> dtype:
    """The dtype of floating-point tensors made from Python numbers.

    >>> import minitorch as torch
    >>> torch.get_default_dtype()
    torch.float32
    """
    return _default


def set_default_dtype(d: dtype) -> None:
    """Set the dtype of tensors made from Python floats: float32 (at first) or float64."""
    global _default
    if not isinstance(d, dtype) or d.category != FLOAT:
        raise TypeError(f"only floating-point types are supported as the default type: {d!r}")
    numpy_dtype(d)
    _default = d
    number = {True.__class__: bool, (0).__class__: int64, (0.0).__class__: d}
    for (kind, of), have in product(number.items(), SUPPORTED):
        NUMBER_DTYPE[kind, have.numpy] = _combine(have, of).numpy


set_default_dtype(float32)


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that holds both.

    >>> import minitorch as torch
    >>> torch.promote_types(torch.uint8, torch.int8)
    torch.int16
    """
    for d in (type1, type2):
        numpy_dtype(d)
    return PROMOTE_TYPES[type1, type2]


def can_cast(from_: dtype, to: dtype) -> "builtins.bool":
    """Whether torch lets a value of one dtype be written to another without being asked.

    >>> import minitorch as torch
    >>> torch.can_cast(torch.float64, torch.float32), torch.can_cast(torch.float32, torch.int64)
    (True, False)
    """
    return from_.category <= to.category
