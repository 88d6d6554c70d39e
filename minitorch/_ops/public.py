"""Functions that other ops express, and where they appear: `@public("torch Tensor")`."""

import functools
from collections.abc import Callable
from typing import Any

from minitorch._tensor import Tensor

from .op import OPS

# key -> (function, where it appears). The key is the function's name, for a function of a namespace of its own
# (`linalg`, `special`) with that name before it: torch.cross is not torch.linalg.cross.
PUBLIC: dict[str, tuple[Callable[..., Any], list[str]]] = {}

# every function by its own name, those of records and operators too: filled by namespaces.py
FUNCTIONS: dict[str, Any] = {}

# properties of Tensor
PROPERTIES: dict[str, property] = {}

SHARED = ("torch", "Tensor", "nn.functional")  # where a name means the same thing


def public(
    on: str, *aliases: str, name: str = "", words: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the function is public under its name, or `name`, and aliases in the namespaces of `on`.

    These are "torch", "Tensor", "nn.functional", or one module of torch, such as "linalg" or "special". `words` are
    other spellings of arguments: "sections=indices_or_sections".
    """
    where = on.split()

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        if "nn.functional" not in where:  # which in torch is Python, and takes torch's words only
            function = _with_other_words(function, words)
        for n in (name or function.__name__, *aliases):
            PUBLIC[n if where[0] in SHARED and n not in PUBLIC else f"{on}.{n}"] = function, where
        return function

    return register


def _with_other_words(function: Callable[..., Any], words: str) -> Callable[..., Any]:
    """The function with further spellings of its arguments: `axis` and `keepdims` for dim and keepdim, and `words`."""
    code = function.__code__
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    pairs = [pair.split("=") for pair in ("axis=dim", "keepdims=keepdim", *words.split())]
    spellings = [(other, ours) for other, ours in pairs if ours in arguments]
    if not spellings:
        return function

    @functools.wraps(function)
    def spelled(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            for other, ours in spellings:
                if other in kwargs and ours not in kwargs:
                    kwargs[ours] = kwargs.pop(other)
        try:
            return function(*args, **kwargs)
        except (AttributeError, TypeError):
            if not (args and hasattr(args[0], "__torch_function__")) or isinstance(args[0], Tensor):
                raise
            from minitorch import overrides

            if not overrides.enable():
                raise
        return spelled(*args, **kwargs)

    spelled.words = dict(spellings)  # type: ignore[attr-defined]
    return spelled


def op(name: str) -> Callable[..., Any]:
    """The function of a recorded op."""
    return OPS[name].function


class _Named:
    """A function that is no record, under the name by which its errors call it."""

    def __init__(self, name: str):
        self.name = name


def into(out: Any, name: str, result: Any, *operands: Any) -> Any:
    """The result of a public function: as it is, or written to `out=` if one was given.

    `operands` are what it must not overlap with: see `inplace.APART`.
    """
    if out is None:
        return result
    from .inplace import into

    return into(out, OPS.get(name) or _Named(name), result, *operands)
