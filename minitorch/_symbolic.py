"""Numbers that torch's compiler may know by name only: their classes, and functions that take plain numbers too."""

import math
from typing import Any, NoReturn

import numpy as np

__all__ = [
    "SymBool",
    "SymFloat",
    "SymInt",
    "sym_float",
    "sym_int",
    "sym_ite",
    "sym_max",
    "sym_min",
    "sym_not",
    "sym_sqrt",
    "sym_sum",
]


class _Symbol:
    def __init__(self, node: Any) -> NoReturn:
        raise NotImplementedError(f"{type(self).__name__} is not supported by minitorch: there is no compiler")


class SymInt(_Symbol):
    """An integer known by name only: there are none, but programs ask whether a number is one."""


class SymFloat(_Symbol):
    """A float known by name only: there are none."""


class SymBool(_Symbol):
    """A bool known by name only: there are none."""


def sym_not(a: Any) -> bool:
    """`not a`."""
    return not a


def sym_float(a: Any) -> float:
    """`float(a)`."""
    return float(a)


def sym_int(a: Any) -> int:
    """`int(a)`."""
    return int(a)


def sym_sqrt(a: Any) -> float:
    """The square root of a number."""
    return math.sqrt(a)


def sym_max(a: Any, b: Any) -> Any:
    """The larger of two numbers, a float if one of them is.

    >>> sym_max(3, 2.0)
    3.0
    """
    return _numbers(a, b)(max(a, b))


def sym_min(a: Any, b: Any) -> Any:
    """The smaller of two numbers, a float if one of them is."""
    return _numbers(a, b)(min(a, b))


def _numbers(a: Any, b: Any) -> Any:
    """What the result is to pass through: `float` if one of the two is one."""
    kinds = np.integer, np.floating, int, float
    for value in (a, b):
        assert isinstance(value, kinds), f"expected {kinds}, got {type(value)}"
    return float if isinstance(a, (float, np.floating)) or isinstance(b, (float, np.floating)) else lambda value: value


def sym_ite(b: Any, t: Any, f: Any) -> Any:
    """`t if b else f`."""
    assert isinstance(b, bool), f"expected SymBool or bool, got {type(b)}"
    assert type(t) is type(f), f"type mismatch: {type(t)} vs {type(f)}"
    return t if b else f


def sym_sum(args: Any) -> Any:
    """The sum of numbers."""
    return sum(args)
