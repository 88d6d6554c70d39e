"""Same as torch.compiler: marks and settings for `torch.compile`, which leaves functions as they are."""

from collections.abc import Callable
from typing import Any, TypeVar

from ._not_compiled import say_once

__all__ = [
    "allow_in_graph",
    "assume_constant_result",
    "compile",
    "cudagraph_mark_step_begin",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "is_exporting",
    "list_backends",
    "reset",
    "set_stance",
]

F = TypeVar("F", bound=Callable[..., Any])


def compile(
    model: Callable[..., Any] | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str | Callable[..., Any] | None = None,
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    name: str | None = None,
    disable: bool = False,
    recompile_limit: int | None = None,
    isolate_recompiles: bool = False,
    shapes_spec: Any = None,
) -> Any:
    """The function or module that it is given, as it is: there is no compiler of whole programs, which it says once.

    >>> import minitorch as torch, warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     torch.compile(len, mode="max-autotune") is len
    True
    """
    if model is None:
        return lambda model: compile(model, mode=mode, options=options, disable=disable)
    if not callable(model):
        raise AssertionError(f"A callable function is expected, but {type(model)} is provided.")
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    if not disable:
        say_once("compile")
    return model


def _as_it_is(name: str, doc: str) -> Callable[..., Any]:
    def function(fn: Any = None, *args: Any, **kwargs: Any) -> Any:
        return fn if fn is not None else lambda fn: fn

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


disable = _as_it_is("disable", "The function that it is given: nothing is compiled.")
allow_in_graph = _as_it_is("allow_in_graph", "The function that it is given.")
assume_constant_result = _as_it_is("assume_constant_result", "The function that it is given.")


def is_compiling() -> bool:
    """Whether a compiler is running the program: never."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def reset() -> None:
    """Forget what has been compiled: nothing has."""


def cudagraph_mark_step_begin() -> None:
    """Mark the beginning of a step; nothing is recorded."""


def list_backends(exclude_tags: Any = ()) -> list[str]:
    """The compilers that there are: none."""
    return []


class set_stance:
    """How compiled functions behave, from now on, as a context or for a decorated function: nothing is compiled."""

    def __init__(self, stance: str = "default", **options: Any) -> None:
        self.stance = stance

    def __call__(self, fn: F) -> F:
        return fn

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        pass
