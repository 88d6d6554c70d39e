"""Functions that other ops express, and where they appear: `@public("torch Tensor")`."""

from collections.abc import Callable
from typing import Any

from .op import OPS

# key -> (function, where it appears). The key is the function's name, for a function of a namespace of its own
# (`linalg`, `special`) with that name before it: torch.cross is not torch.linalg.cross.
PUBLIC: dict[str, tuple[Callable[..., Any], list[str]]] = {}

# properties of Tensor
PROPERTIES: dict[str, property] = {}

SHARED = ("torch", "Tensor", "nn.functional")  # where a name means the same thing


def public(on: str, *aliases: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the function is public under its name (and aliases) in the namespaces of `on`.

    These are "torch", "Tensor", "nn.functional", or one module of torch, such as "linalg" or "special".
    """
    where = on.split()

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in (function.__name__, *aliases):
            PUBLIC[name if where[0] in SHARED else f"{on}.{name}"] = function, where
        return function

    return register


def op(name: str) -> Callable[..., Any]:
    """The function of a recorded op."""
    return OPS[name].function
