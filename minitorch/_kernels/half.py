"""float16 and bfloat16: 16 bits in memory, float32 in every computation.

A half array is an instance of a subclass of NumPy's array. The generated functions test `x_array.__class__ is not
ndarray`, so halves leave the fast path there at no cost to other dtypes, and `_ops/apply.py` widens them, runs the
op's float32 kernel and rounds once.

bfloat16 is NumPy's void type of two bytes, which NumPy refuses to compute with: a half that gets past `apply` fails
loudly. The dtype alone says which type it is, so tables keyed by dtype serve halves too.
"""

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from minitorch._device import CPU

from .copies import contiguous, copy
from .layout import empty_result, laid_out
from .silence import silent

ndarray = np.ndarray
FLOAT16, BFLOAT16, FLOAT32 = np.dtype(np.float16), np.dtype("V2"), np.dtype(np.float32)
UINT16 = np.dtype(np.uint16)


class HalfArray(ndarray):
    """An array of a half dtype on the CPU; `exact` is the float32 number that a 0-dim operand was made from."""

    exact: Any = None
    device: Any = CPU

    def __reduce__(self) -> Any:
        return _restored, (ndarray.view(self, ndarray).view(np.uint16), self.dtype == BFLOAT16)

    def item(self, *args: Any) -> Any:
        return widened(self).item(*args)

    def tolist(self) -> Any:
        return widened(self).tolist()

    def astype(self, dtype: Any, *_: Any, **__: Any) -> Any:
        return converted(self, np.dtype(dtype))

    def copy(self, order: Any = "C") -> Any:
        return tagged(ndarray.copy(self.view(ndarray), order))

    def view(self, *args: Any) -> Any:  # type: ignore[override]
        if args and args[0] is ndarray:
            return ndarray.view(self, ndarray)
        return tagged(ndarray.view(ndarray.view(self, ndarray), *args))

    def restrided(self, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> Any:
        from .strided import restrided

        return tagged(restrided(ndarray.view(self, ndarray), shape, strides, offset))

    def __setitem__(self, index: Any, value: Any) -> None:
        ndarray.__setitem__(ndarray.view(self, ndarray), index, _plain(rounded(np.asanyarray(value), self.dtype)))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        """NumPy's functions on halves, such as the sum of two gradients: in float32."""
        if out is None:
            result = getattr(ufunc, method)(*map(widened, inputs), **options)
            return tagged(rounded(result, self.dtype)) if result.dtype == FLOAT32 else result
        target = out[0]
        write(target, getattr(ufunc, method)(*map(widened, inputs), **options))
        return target


class Float16Array(HalfArray):
    """An array of float16."""


class BFloat16Array(HalfArray):
    """An array of bfloat16: the upper halves of float32 numbers."""


class FloatInfo(NamedTuple):
    """What sets a floating-point dtype apart: digits of its significand in bits, largest and smallest number."""

    bits: int
    digits: int
    max: float
    smallest_normal: float


FLOAT_INFO = {
    np.dtype(np.float64): FloatInfo(64, 53, (2 - 2.0**-52) * 2.0**1023, 2.0**-1022),
    FLOAT32: FloatInfo(32, 24, (2 - 2.0**-23) * 2.0**127, 2.0**-126),
    FLOAT16: FloatInfo(16, 11, 65504.0, 2.0**-14),
    BFLOAT16: FloatInfo(16, 8, (2 - 2.0**-7) * 2.0**127, 2.0**-126),
}
CLASSES: dict[Any, type[HalfArray]] = {FLOAT16: Float16Array, BFLOAT16: BFloat16Array}
HALF_CLASSES = frozenset(CLASSES.values())


def tagged(a: Any) -> Any:
    """The array as an instance of the class that belongs to its dtype."""
    kind = CLASSES.get(a.dtype)
    if kind is None or a.__class__ is kind or not isinstance(a, ndarray):
        return a
    return ndarray.view(a, kind)


def _restored(bits: ndarray, is_bfloat: bool) -> Any:
    return tagged(bits.view(BFLOAT16 if is_bfloat else FLOAT16))


def _plain(a: Any) -> ndarray:
    return ndarray.view(a, ndarray)


def _in_one_place_each(a: Any) -> Any:
    """The array; of an expanded one a copy, whose order in memory is what torch gives a result."""
    return laid_out(a, a) if a.ndim > 1 and 0 in a.strides else a


LONG = 1 << 7  # elements from which a compiled loop converts: at 1e6 ten times faster than NumPy's float16


def widened(a: Any) -> Any:
    """A half array as float32, dimensions in the same order in memory; anything else as it is."""
    kind = a.__class__
    if kind not in HALF_CLASSES:
        return a
    plain = _in_one_place_each(ndarray.view(a, ndarray))
    if a.size >= LONG:
        return _compiled("widen", plain.view(UINT16), kind, FLOAT32)
    if kind is Float16Array:
        return plain.astype(FLOAT32)
    bits = plain.view(np.uint16).astype(np.uint32)
    bits <<= 16
    return bits.view(FLOAT32)


def rounded(a: Any, dtype: np.dtype) -> Any:
    """Numbers as an array of a half dtype: to the nearest, ties to even; from float64 over float32, as torch rounds."""
    kind, a = CLASSES[dtype], _in_one_place_each(a)
    if a.dtype is FLOAT32 and a.__class__ is ndarray and a.size >= LONG:
        return _compiled("narrow", a, kind, UINT16).view(dtype, kind)
    if a.dtype == dtype:
        return tagged(a)
    if a.__class__ in HALF_CLASSES:
        a = widened(a)
    with np.errstate(over="ignore", invalid="ignore"):
        single = np.asarray(a.astype(FLOAT32, copy=False))
        if single.size >= LONG:
            return _compiled("narrow", single, kind, UINT16).view(dtype, kind)
        if kind is Float16Array:
            return single.astype(FLOAT16).view(kind)
    bits = single.view(np.uint32)
    odd = bits >> 16
    odd &= 1
    odd += bits
    odd += 0x7FFF
    odd >>= 16
    upper = np.asarray(odd).astype(np.uint16)
    invalid = np.isnan(single)
    if invalid.any():
        upper[invalid] = 0x7FC0  # torch's only nan; the carry above may have made another number of it
    return upper.view(BFLOAT16).view(BFloat16Array)


def _compiled(what: str, source: ndarray, kind: type[HalfArray], dtype: Any) -> ndarray:
    """The conversion by a compiled loop, over the elements in the order that they have in memory."""
    if source.flags.c_contiguous:
        out = np.empty(source.shape, dtype)
        if source.ndim == 1:
            conversion(what, kind)(source, out)  # type: ignore[arg-type]
        else:
            conversion(what, kind)(source.reshape(-1), out.reshape(-1))  # type: ignore[arg-type]
        return out
    order = sorted(range(source.ndim), key=lambda i: -source.strides[i])
    ordered = contiguous(source.transpose(order))
    out = np.empty(ordered.shape, dtype)
    conversion(what, kind)(ordered.reshape(-1), out.reshape(-1))  # type: ignore[arg-type]
    return out.transpose(sorted(range(source.ndim), key=order.__getitem__))


@cache
def conversion(what: str, kind: Any) -> Any:
    """The compiled loop (source, out): `what` is widen or narrow, halves are given by their bits."""
    from .cache import load_file

    return getattr(load_file("cpu.halves"), f"{what}_{'float16' if kind is Float16Array else 'bfloat16'}")


@silent
def _cast(a: ndarray, dtype: np.dtype) -> ndarray:
    return a.astype(dtype)


def converted(a: Any, dtype: np.dtype) -> Any:
    """A copy in any dtype; to integers as C converts."""
    if dtype is FLOAT32 and a.__class__ in HALF_CLASSES:
        return widened(a)
    if dtype in CLASSES:
        return a.copy("K") if a.dtype == dtype else rounded(a, dtype)
    if a.ndim > 1 and a.__class__ is ndarray and not a.flags.c_contiguous:
        made: Any = empty_result(dtype, a)
        write(made, a)
        return made
    if _is_silent(a.dtype, dtype):
        return _cast(a, dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        return widened(a).astype(dtype)


def write(dest: ndarray, source: Any) -> None:
    """Copy into dest, broadcast and converted."""
    if dest.dtype in CLASSES:
        source, dest = _plain(rounded(np.asanyarray(source), dest.dtype)), _plain(dest)
    if _is_silent(source.dtype, dest.dtype):
        return copy(dest, source)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.copyto(dest, widened(source), casting="unsafe")


@cache
def _is_silent(source: np.dtype, dest: np.dtype) -> bool:
    """Whether NumPy converts all values without a warning, which it takes 2 us to silence."""
    return source not in CLASSES and dest not in CLASSES and (source.kind != "f" or np.can_cast(source, dest, "safe"))


def filled(shape: tuple[int, ...], value: Any, dtype: np.dtype) -> ndarray:
    """A new array full of one number."""
    if dtype not in CLASSES:
        is_zero = value.__class__ is not bool and value == 0 and math.copysign(1.0, value) > 0
        return np.zeros(shape, dtype) if is_zero else np.full(shape, value, dtype)
    made = empty(shape, dtype)
    made[...] = value
    return made


def empty(shape: Any, dtype: np.dtype) -> ndarray:
    """An uninitialised array of any dtype."""
    a, kind = np.empty(shape, dtype), CLASSES.get(dtype)
    return a if kind is None else a.view(kind)


def floor_divide(x: ndarray, y: ndarray) -> Any:
    """x // y of halves as torch has it: from the remainder, every step rounded (c10/util/generic_math.h)."""
    dtype, x, y = x.dtype, widened(x), widened(y)

    def half(a: Any) -> Any:
        return widened(rounded(a, dtype))

    with np.errstate(all="ignore"):
        rest = np.fmod(x, y)
        quotient = half(half(x - rest) / y)
        quotient = np.where((rest != 0) & ((y < 0) != (rest < 0)), half(quotient - 1), quotient)
        whole = np.floor(quotient)
        whole = np.where(half(quotient - whole) > 0.5, half(whole + 1), whole)
        ratio = x / y
        return rounded(np.where(y == 0, ratio, np.where(quotient != 0, whole, np.copysign(0 * ratio, ratio))), dtype)
