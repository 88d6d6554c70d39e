"""What generated functions see as globals, and how their text becomes code."""

import linecache
from collections.abc import Callable, Iterator
from typing import Any

from minitorch.autograd._lines import OURS

# what generated functions see as globals; filled by `scope_for_all` when the first op is built. They belong to no
# module, so that NumPy's warnings are dropped: see `_kernels/silence.py`.
SCOPE: dict[str, Any] = {"__name__": None, "__builtins__": __builtins__}

SMALL = 4096  # elements up to which a compiled loop beats NumPy's vectorised functions
FEW = 256  # elements up to which NumPy's function by itself costs less than an empty array and a compiled loop


def compiled(text: str, filename: str) -> Any:
    """The code of generated text, whose lines a traceback then shows."""
    OURS.add(filename)
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    return compile(text, filename, "exec")


def scope_for_all() -> None:
    """Fill SCOPE with what every generated function may name; once."""
    if "Tensor" in SCOPE:
        return
    from . import generated_globals

    SCOPE.update(generated_globals.for_generated_code())


def indent(lines: Iterator[str] | list[str], by: int = 1) -> list[str]:
    return ["    " * by + line for line in lines]


class Lazy:
    """Makes a compiled loop at its first call, and takes its own place in SCOPE by it."""

    def __init__(self, name: str, make: Callable[[], Any]):
        self.name, self.make = name, make

    def __call__(self, *args: Any) -> Any:
        SCOPE[self.name] = kernel = self.make()
        return kernel(*args)
