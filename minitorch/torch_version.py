"""Same as torch.torch_version: versions that compare as numbers."""

import re
from collections.abc import Callable
from typing import Any

__all__ = ["TorchVersion"]

_FORM = re.compile(
    r"v?(\d+(?:\.\d+)*)(?:[-_.]?(dev|a|b|c|rc|alpha|beta|pre|post)[-_.]?(\d*))?.*?(\+.*)?", re.IGNORECASE
)
_STAGES = {"dev": -4, "a": -3, "alpha": -3, "b": -2, "beta": -2, "c": -1, "rc": -1, "pre": -1, "": 0, "post": 1}


def _key(version: Any) -> tuple[Any, ...]:
    if isinstance(version, tuple):
        version = ".".join(map(str, version))
    parts = _FORM.fullmatch(str(version))
    if parts is None:
        raise ValueError(version)
    numbers = [int(n) for n in parts[1].split(".")]
    while numbers[-1:] == [0]:
        numbers.pop()
    return numbers, _STAGES[(parts[2] or "").lower()], int(parts[3] or 0), parts[4] or ""


def _comparison(name: str) -> Callable[[Any, Any], bool]:
    def compare(self: str, other: Any) -> bool:
        try:
            return getattr(_key(self), name)(_key(other))
        except ValueError:
            return getattr(str(self), name)(other)

    compare.__name__ = name
    return compare


class TorchVersion(str):
    """A version, which compares by number with other versions, strings and tuples.

    >>> from minitorch.torch_version import TorchVersion
    >>> TorchVersion("2.13.0+minitorch") >= "2.9", TorchVersion("1.10.0a") < (1, 10)
    (True, True)
    """

    __lt__ = _comparison("__lt__")
    __le__ = _comparison("__le__")
    __gt__ = _comparison("__gt__")
    __ge__ = _comparison("__ge__")
    __eq__ = _comparison("__eq__")
    __hash__ = str.__hash__
