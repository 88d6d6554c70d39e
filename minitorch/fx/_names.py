"""Names for nodes and for what generated code refers to: each once."""

import builtins
import keyword
import re
from typing import Any

_TAKEN = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | {"inf", "nan", "NoneType", "torch", "device"}


class Namespace:
    """Hands out names that have not been handed out before."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._numbers: dict[str, int] = {}  # the last number given to a name
        self._owners: dict[int, tuple[Any, str]] = {}

    def create_name(self, candidate: str, obj: Any = None) -> str:
        """The candidate made an identifier, with a number behind it if it is taken; the same again for the same obj."""
        if obj is not None and id(obj) in self._owners:
            return self._owners[id(obj)][1]
        candidate = re.sub("[^0-9a-zA-Z_]+", "_", candidate) or "_unnamed"
        if candidate[0].isdigit():
            candidate = f"_{candidate}"
        numbered = re.fullmatch(r"(.*)_(\d+)", candidate)
        base, number = (numbered[1], int(numbered[2])) if numbered else (candidate, 0)
        number = number or self._numbers.get(base, 0)
        name = candidate
        while name in self._used or (name in _TAKEN and getattr(builtins, name, self) is not obj):
            number += 1
            name = f"{base}_{number}"
        self._used.add(name)
        self._numbers[base] = number
        if obj is not None:
            self._owners[id(obj)] = obj, name
        return name


def snake_case(name: str) -> str:
    """BatchNorm2d as batch_norm2d."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
