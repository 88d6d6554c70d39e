"""What the modules of devices that minitorch lacks (mps, xpu) are made of, and cuda's without a GPU."""

from collections.abc import Callable
from typing import Any

from minitorch._kernels.cuda.errors import AcceleratorError, OutOfMemoryError  # noqa: F401

NO_ACCELERATOR = "Cannot access accelerator device when none is available."


def answering(names: str, answer: Any) -> dict[str, Callable[..., Any]]:
    """Functions that take whatever torch's take, do nothing, and return this."""

    def make(name: str) -> Callable[..., Any]:
        def function(*args: Any, **kwargs: Any) -> Any:
            return answer

        function.__name__ = function.__qualname__ = name
        function.__doc__ = f"{answer!r}, as there is no such device."
        return function

    return {name: make(name) for name in names.split()}


def refusing(names: str, error: type[Exception], message: str) -> dict[str, Callable[..., Any]]:
    """Functions that raise this: `{name}` in the message is the function's."""

    def make(name: str) -> Callable[..., Any]:
        def function(*args: Any, **kwargs: Any) -> Any:
            raise error(message.format(name=name))

        function.__name__ = function.__qualname__ = name
        function.__doc__ = f"{error.__name__}: {message.format(name=name)}"
        return function

    return {name: make(name) for name in names.split()}


def refusing_classes(module: str, messages: dict[str, str], error: type[Exception] = RuntimeError) -> dict[str, type]:
    """Classes for `isinstance`, of which no instance can be made: name -> the message that says so."""

    def make(name: str, message: str) -> type:
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
            raise error(message)

        return type(name, (), {"__init__": __init__, "__module__": module, "__doc__": message})

    return {name: make(name, message) for name, message in messages.items()}


class Nothing:
    """A context in which nothing is different."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        pass
