"""Functions that classes inherit, under the names of these classes: Python's errors call a function by its name.

torch wrote `Conv1d.__init__` and `Conv2d.__init__` out; here both are `_Conv.__init__`, which means nothing to a user.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

C = TypeVar("C", bound=type)


def _own(cls: type, name: str, function: FunctionType) -> None:
    """Give the class this function with the same code, under its own name."""
    copy = FunctionType(function.__code__, function.__globals__, name, function.__defaults__, function.__closure__)
    copy.__dict__.update(function.__dict__)
    copy.__kwdefaults__, copy.__annotations__ = function.__kwdefaults__, function.__annotations__
    copy.__doc__, copy.__module__, copy.__qualname__ = function.__doc__, cls.__module__, f"{cls.__name__}.{name}"
    setattr(cls, name, copy)


def own_names(*names: str) -> Callable[[C], C]:
    """Decorator of a class: what it inherits under these names has its own."""

    def decorate(cls: C) -> C:
        for name in names:
            _own(cls, name, getattr(cls, name))
        return cls

    return decorate


def parts_have_its_name(cls: C) -> C:
    """Decorator of a class put together from private bases: their functions, which users see, are called after it."""
    for base in cls.__mro__[1:-1]:
        for name, function in vars(base).items():
            if isinstance(function, FunctionType):
                function.__qualname__, function.__module__ = f"{cls.__name__}.{name}", cls.__module__
    return cls


def subclasses_own_names(*names: str) -> Callable[[C], C]:
    """Decorator of a private class: what public classes inherit from it under these names has theirs.

    >>> @subclasses_own_names("area")
    ... class _Shape:
    ...     def area(self, unit): ...
    >>> class Square(_Shape): ...
    >>> Square().area()
    Traceback (most recent call last):
    TypeError: Square.area() missing 1 required positional argument: 'unit'
    """

    def decorate(base: C) -> C:
        shared = {name: base.__dict__[name] for name in names}

        def __init_subclass__(cls: type, **kwargs: Any) -> None:
            super(base, cls).__init_subclass__(**kwargs)  # type: ignore[arg-type]
            for name, function in shared.items():
                if not cls.__name__.startswith("_") and getattr(cls, name) is function:
                    _own(cls, name, function)

        base.__init_subclass__ = classmethod(__init_subclass__)  # type: ignore[assignment]
        return base

    return decorate
