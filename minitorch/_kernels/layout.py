"""In what order the elements of a result lie in memory: as those of its operands do.

The rules are those of torch's TensorIterator, `reorder_dimensions` in
https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/TensorIterator.cpp: `x.t() + y` lies as `x.t()` does. NumPy's
are others where operands differ in order, or dimensions are expanded.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from .copies import contiguous, copy
from .strided import channels_last_strides, contiguous_strides, element_strides, is_dense

LONGEST_VECTOR = 64  # bytes of a processor's vector at most
MOST = 4096  # results whose shapes and strides in bytes are kept, by the layouts of the operands
Geometry = tuple[tuple[int, ...], tuple[int, ...]]  # shape, strides in elements
_found: dict[Any, Geometry] = {}


@lru_cache(4096)
def result_geometry(*operands: Geometry) -> Geometry | None:
    """That of an elementwise result; None where the operands' shapes do not fit together.

    >>> result_geometry(((3, 2), (1, 3)), ((3, 2), (2, 1)))
    ((3, 2), (1, 3))
    >>> result_geometry(((3, 2), (2, 1)), ((3, 2), (1, 3)))
    ((3, 2), (2, 1))
    """
    try:
        shape = np.broadcast_shapes(*[shape for shape, _ in operands])
    except ValueError:
        return None
    if all(own == shape for own, _ in operands):
        for strides in (contiguous_strides, channels_last_strides)[: 1 + (len(shape) == 4)]:
            usual = strides(shape, 1)
            if all(_lies_as(usual, *operand) for operand in operands):
                return shape, usual
        if operands.count(operands[0]) == len(operands) and is_dense(*operands[0]):
            return operands[0]
    order = _from_the_innermost(shape, [_spread(shape, *operand) for operand in operands])
    if 0 in shape or order == list(reversed(range(len(shape)))):
        return shape, contiguous_strides(shape, 1)
    made, step = [0] * len(shape), 1
    for d in order:
        made[d] = step
        step *= shape[d]
    return shape, tuple(made)


def empty_result(dtype: np.dtype, *operands: Any) -> np.ndarray | None:
    """An uninitialised array for what an elementwise op makes of arrays; None where their shapes do not fit."""
    key = dtype, *[(a.shape, a.strides, a.itemsize) for a in operands]
    found = _found.get(key)
    if found is None:
        geometry = result_geometry(*[(a.shape, element_strides(a)) for a in operands])
        if geometry is None:
            return None
        found = geometry[0], _in_bytes(dtype, geometry)
        if len(_found) < MOST:
            _found[key] = found
    return np.ndarray(found[0], dtype, None, 0, found[1])


def result_strides(dtype: np.dtype, *operands: Any) -> tuple[int, ...]:
    """The strides in bytes of what an elementwise op makes of arrays, of any device, that fit together."""
    geometry = result_geometry(*[(a.shape, element_strides(a)) for a in operands])
    assert geometry is not None
    return _in_bytes(dtype, geometry)


def _in_bytes(dtype: np.dtype, geometry: Geometry) -> tuple[int, ...]:
    return tuple([s * dtype.itemsize for s in geometry[1]])


def copied(a: np.ndarray) -> np.ndarray:
    """A copy, its elements in the order that torch's `clone` leaves them in."""
    if a.flags.c_contiguous or a.__class__ is not np.ndarray:
        return a.copy("K")
    made: Any = empty_result(a.dtype, a)
    copy(made, a)
    return made


def laid_out(values: np.ndarray, *like: Any) -> np.ndarray:
    """The values, in the order in memory of what an elementwise op makes of the arrays `like`."""
    if all(a.flags.c_contiguous and a.shape == values.shape for a in like):
        return values
    made: Any = empty_result(values.dtype, *like)
    copy(made, values)
    return made


def channels_last_like(like: Any, out: Any) -> Any:
    """`out` (N, C, ...), its channels beside each other in memory if those of `like` are, as in torch's results."""
    return channels_second(contiguous(channels_to_end(out))) if is_channels_last(like) else out


def is_channels_last(a: Any) -> bool:
    """Whether the channels of images or volumes are beside each other in memory, and not their elements."""
    return not a.flags.c_contiguous and a.ndim > 3 and channels_to_end(a).flags.c_contiguous


def has_vectors_of_channels(a: Any) -> bool:
    """Whether these are images of floats with channels beside each other, as many as `cpu/channels_last.py` needs."""
    if a.ndim != 4 or a.dtype.kind != "f" or a.itemsize < 4 or a.shape[1] * a.itemsize < LONGEST_VECTOR:
        return False
    return a.shape[2] * a.shape[3] < 2**31 and is_channels_last(a)


def channels_to_end(a: Any) -> Any:
    """(N, C, ...) as (N, ..., C)."""
    return a.transpose((0, *range(2, a.ndim), 1))


def channels_second(a: Any) -> Any:
    """(N, ..., C) as (N, C, ...)."""
    return a.transpose((0, a.ndim - 1, *range(1, a.ndim - 1)))


def _lies_as(wanted: tuple[int, ...], shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    return 0 in shape or all(n == 1 or s == w for n, s, w in zip(shape, strides, wanted, strict=True))


def _spread(shape: tuple[int, ...], own: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of an operand broadcast to the shape."""
    lead = len(shape) - len(own)
    return (0,) * lead + tuple([0 if n == 1 != m else s for n, m, s in zip(own, shape[lead:], strides, strict=True)])


def _from_the_innermost(shape: tuple[int, ...], operands: list[tuple[int, ...]]) -> list[int]:
    """The dimensions sorted by insertion, which passes over those that no operand tells apart."""
    order = list(reversed(range(len(shape))))
    for at in range(1, len(order)):
        for before in range(at - 1, -1, -1):
            decided = _compared(shape, operands, order[before], order[at])
            if decided < 0:
                break
            if decided > 0:
                order[before], order[at] = order[at], order[before]
                at = before
    return order


def _compared(shape: tuple[int, ...], operands: list[tuple[int, ...]], inner: int, outer: int) -> int:
    """1 if these two dimensions are to change places, -1 if not, 0 if no operand says."""
    for strides in operands:
        if strides[inner] and strides[outer]:
            if strides[inner] != strides[outer]:
                return 1 if strides[inner] > strides[outer] else -1
            if shape[inner] > shape[outer]:
                return 1
    return 0
