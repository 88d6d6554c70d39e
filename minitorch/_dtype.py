"""dtype objects and torch's rules for the dtype of a result.

The table is built once from the rules of https://pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc:
an operand of a higher category (bool < integer < float < complex) decides; within one category a tensor with
dimensions outranks a 0-dim tensor, which outranks a Python number.
"""

import builtins
from itertools import product
from typing import Any

import numpy as np

from ._kernels.half import BFLOAT16, tagged

BOOL, INTEGER, FLOAT, COMPLEX, OPAQUE = 0, 1, 2, 3, 4


class dtype:
    """The type of a tensor's elements; there is one object per type, compared by identity.

    >>> import minitorch as torch
    >>> torch.float32, torch.float32.itemsize, torch.float32.is_floating_point
    (torch.float32, 4, True)
    """

    __slots__ = ("c_name", "category", "itemsize", "name", "numpy")

    category: "builtins.int"
    numpy: Any

    def __init__(self, name: str, category: "builtins.int", itemsize: "builtins.int", numpy: Any, c_name: str):
        self.name, self.category, self.itemsize, self.c_name = name, category, itemsize, c_name
        self.numpy = None if numpy is None else np.dtype(numpy)

    is_floating_point = property(lambda self: self.category == FLOAT)
    is_complex = property(lambda self: self.category == COMPLEX)

    @property
    def is_signed(self) -> "builtins.bool":
        if self.category == OPAQUE:
            bits = self.name.startswith("bits")
            raise RuntimeError("Bits types are undefined" if bits else "isSignedType not supported for quantized types")
        return self.category > BOOL and not self.name.startswith("uint") and self.name != "float8_e8m0fnu"

    def to_complex(self) -> "dtype":
        """The complex type whose parts are of this type.

        >>> import minitorch as torch
        >>> torch.float32.to_complex()
        torch.complex64
        """
        if self.category == COMPLEX:
            return self
        if self not in _COMPLEX:
            raise RuntimeError(f"Unknown Complex ScalarType for {self.c_name}")
        return _COMPLEX[self]

    def to_real(self) -> "dtype":
        """The type of a complex type's parts; other types are their own.

        >>> import minitorch as torch
        >>> torch.complex64.to_real()
        torch.float32
        """
        return next((r for r, c in _COMPLEX.items() if c is self), self)

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


bool = dtype("bool", BOOL, 1, "bool", "Bool")
uint8 = dtype("uint8", INTEGER, 1, "uint8", "Byte")
int8 = dtype("int8", INTEGER, 1, "int8", "Char")
int16 = short = dtype("int16", INTEGER, 2, "int16", "Short")
int32 = int = dtype("int32", INTEGER, 4, "int32", "Int")
int64 = long = dtype("int64", INTEGER, 8, "int64", "Long")
uint16 = dtype("uint16", INTEGER, 2, "uint16", "UInt16")
uint32 = dtype("uint32", INTEGER, 4, "uint32", "UInt32")
uint64 = dtype("uint64", INTEGER, 8, "uint64", "UInt64")
float16 = half = dtype("float16", FLOAT, 2, "float16", "Half")
bfloat16 = dtype("bfloat16", FLOAT, 2, BFLOAT16, "BFloat16")
float32 = float = dtype("float32", FLOAT, 4, "float32", "Float")
float64 = double = dtype("float64", FLOAT, 8, "float64", "Double")

# known by name so that scripts can mention them; a tensor of one is a NotImplementedError (see `numpy_dtype`)
complex32 = chalf = dtype("complex32", COMPLEX, 4, None, "ComplexHalf")
complex64 = cfloat = dtype("complex64", COMPLEX, 8, None, "ComplexFloat")
complex128 = cdouble = dtype("complex128", COMPLEX, 16, None, "ComplexDouble")
WITHOUT_STORAGE = {
    name: dtype(name, category, itemsize, None, c_name)
    for category, itemsize, names in (
        (FLOAT, 1, "Float8_e4m3fn Float8_e4m3fnuz Float8_e5m2 Float8_e5m2fnuz Float8_e8m0fnu Float4_e2m1fn_x2"),
        (INTEGER, 1, "Int1 Int2 Int3 Int4 Int5 Int6 Int7 UInt1 UInt2 UInt3 UInt4 UInt5 UInt6 UInt7"),
        (OPAQUE, 1, "QInt8 QUInt8 QUInt2x4 QUInt4x2 Bits8 Bits1x8 Bits2x4 Bits4x2"),
        (OPAQUE, 2, "Bits16"),
        (OPAQUE, 4, "QInt32"),
    )
    for c_name in names.split()
    for name in [c_name.lower()]
}
globals().update(WITHOUT_STORAGE)  # where pickle finds them
_COMPLEX = {float16: complex32, float32: complex64, float64: complex128, bfloat16: complex64}

COMMON = (bool, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64)
UNSIGNED = (uint16, uint32, uint64)
SUPPORTED = COMMON + UNSIGNED
# a dtype as torch's C++ messages name it, by its name and by that of NumPy's
C_NAMES = {name: d.c_name for d in SUPPORTED for name in (d.name, d.numpy.name)}
# the C++ type of its elements, as others of them show it
CPP_NAMES = {
    "float16": "c10::Half",
    BFLOAT16.name: "c10::BFloat16",
    "float32": "float",
    "float64": "double",
    "int64": "long int",
    "int32": "int",
    "int16": "short int",
    "int8": "signed char",
    "uint8": "unsigned char",
    "bool": "bool",
    "uint16": "short unsigned int",
    "uint32": "unsigned int",
    "uint64": "long unsigned int",
}
FLOATS = frozenset((float16.numpy, bfloat16.numpy, float32.numpy, float64.numpy))
HALVES = frozenset((float16, bfloat16, float16.numpy, bfloat16.numpy))  # by either kind of object
BOOL_NUMPY, INT64_NUMPY, FLOAT32_NUMPY = bool.numpy, int64.numpy, float32.numpy

# the singleton NumPy dtype of an array -> ours; other spellings of the same type hash alike
OF_NUMPY = {d.numpy: d for d in SUPPORTED}
CATEGORY = {d.numpy: d.category for d in SUPPORTED}

# Python's types, which torch takes for dtypes
OF_PYTHON = {True.__class__: bool, (0).__class__: int64, (0.0).__class__: float64, (0j).__class__: complex128}


def numpy_dtype(d: Any) -> np.dtype:
    """The NumPy dtype that stores `d`, or NotImplementedError for a dtype that minitorch lacks so far."""
    if not isinstance(d, dtype):
        if d not in OF_PYTHON:
            raise TypeError(f"dtype must be torch.dtype, not {type(d).__name__}")
        d = OF_PYTHON[d]
    if d.numpy is None:
        names = ", ".join(str(s) for s in SUPPORTED)
        raise NotImplementedError(f"{d} is not supported by minitorch; supported are {names}")
    return d.numpy


def of_numpy(d: np.dtype) -> dtype:
    """Ours for a NumPy dtype, with torch's TypeError for those that no tensor can hold."""
    if d in OF_NUMPY and d != BFLOAT16:
        return OF_NUMPY[d]
    if d.name in ("complex64", "complex128"):
        raise NotImplementedError(f"torch.{d.name} is not supported by minitorch")
    if d.newbyteorder("=") in OF_NUMPY and d.kind != "V":
        raise ValueError(
            "given numpy array has byte order different from the native byte order. "
            "Conversion between byte orders is currently not supported."
        )
    kind = "numpy.object_" if d.kind == "O" else f"numpy.{d.type.__name__}"
    raise TypeError(
        f"can't convert np.ndarray of type {kind}. The only supported types are: float64, float32, float16, "
        "complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool."
    )


def typed(array: np.ndarray, d: dtype) -> np.ndarray:
    """The array's bytes as elements of `d`."""
    return tagged(array if array.dtype is d.numpy else array.view(d.numpy))


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


class _PromoteTypes(dict[Any, dtype]):
    """(dtype, dtype) -> their common dtype; torch refuses the larger unsigned integers beside other integers."""

    def __missing__(self, pair: Any) -> dtype:
        names = " and ".join(d.c_name for d in pair)
        raise RuntimeError(f"Promotion for uint16, uint32, uint64 types is not supported, attempted to promote {names}")


def _promotes(a: dtype, b: dtype) -> "builtins.bool":
    return a is b or FLOAT in (a.category, b.category) or not {a, b} & set(UNSIGNED)


# the dtypes with storage are what a computation can meet
PROMOTE_TYPES = _PromoteTypes({(a, b): _promote(a, b) for a, b in product(SUPPORTED, SUPPORTED) if _promotes(a, b)})


def _combine(higher: dtype, lower: dtype) -> dtype:
    """The dtype when operands of a higher rank (see the module's docstring) meet operands of a lower one."""
    if higher.category == FLOAT or lower.category == BOOL or (higher.category == lower.category == INTEGER):
        return higher
    return PROMOTE_TYPES[higher, lower]


class _Promoted(dict[Any, np.dtype]):
    """(NumPy dtype, is 0-dim, NumPy dtype, is 0-dim) -> NumPy dtype, filled as they come."""

    def __missing__(self, key: Any) -> np.dtype:
        a, a_zero, b, b_zero = key
        first, second = OF_NUMPY[a], OF_NUMPY[b]
        if a_zero == b_zero:
            found = PROMOTE_TYPES[first, second]
        else:
            found = _combine(second, first) if a_zero else _combine(first, second)
        self[key] = found.numpy
        return found.numpy


PROMOTED = _Promoted()

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
    """Set the dtype of tensors made from Python floats: a floating-point dtype, float32 at first."""
    global _default
    if not isinstance(d, dtype):
        raise TypeError("invalid dtype object: only floating-point types are supported as the default type")
    if d.category != FLOAT:
        raise TypeError("only floating-point types are supported as the default type")
    numpy_dtype(d)
    _default = d
    number = {True.__class__: bool, (0).__class__: int64, (0.0).__class__: d}
    for (kind, of), have in product(number.items(), SUPPORTED):
        NUMBER_DTYPE[kind, have.numpy] = _combine(have, of).numpy


set_default_dtype(float32)


def _dtype_argument(function: str, argument: str, position: "builtins.int", d: Any) -> dtype:
    if not isinstance(d, dtype):
        raise TypeError(
            f"{function}(): argument '{argument}' (position {position}) must be torch.dtype, not {type(d).__name__}"
        )
    return d


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that holds both.

    >>> import minitorch as torch
    >>> torch.promote_types(torch.uint8, torch.int8)
    torch.int16
    """
    for position, d in enumerate((type1, type2), 1):
        numpy_dtype(_dtype_argument("promote_types", f"type{position}", position, d))
    return PROMOTE_TYPES[type1, type2]


def can_cast(from_: dtype, to: dtype) -> "builtins.bool":
    """Whether torch lets a value of one dtype be written to another without being asked.

    >>> import minitorch as torch
    >>> torch.can_cast(torch.float64, torch.float32), torch.can_cast(torch.float32, torch.int64)
    (True, False)
    """
    for position, (name, d) in enumerate((("from_", from_), ("to", to)), 1):
        _dtype_argument("can_cast", name, position, d)
    return from_.category <= to.category


__test__ = {"dtype": dtype}  # for doctest: the class says that it is of `minitorch`
