"""NumPy without its warnings of overflow, division by zero and nan, where torch gives none."""

from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def silent(function: F) -> F:
    """The function, whose own calls of NumPy warn of nothing, whatever the user's filters.

    Python drops what is warned of in a frame whose globals name no module (`warn_explicit` in CPython's `_warnings.c`).
    That costs nothing, where `np.errstate` takes a microsecond. The function's globals are those of this moment, so it
    stands below what it calls.
    """
    if not isinstance(function, FunctionType):  # a C function warns in its caller's frame
        return function
    made = FunctionType(
        function.__code__,
        {**function.__globals__, "__name__": None},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    made.__kwdefaults__ = function.__kwdefaults__
    made.__doc__, made.__module__ = function.__doc__, function.__module__
    return made  # type: ignore[return-value]
