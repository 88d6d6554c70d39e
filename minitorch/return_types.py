"""Same as torch.return_types: the named tuples that ops with several results return.

>>> import minitorch as torch
>>> torch.sort(torch.tensor([2, 1]))
torch.return_types.sort(
values=tensor([1, 2]),
indices=tensor([1, 0]))
"""

from collections import namedtuple
from typing import Any

__all__: list[str] = []


def _repr(r: Any) -> str:
    parts = ",\n".join(f"{n}={v!r}" for n, v in zip(r._fields, r, strict=True))
    return f"torch.return_types.{type(r).__name__}(\n{parts})"


def return_type(name: str, fields: str = "values indices") -> Any:
    """The named tuple of torch.name; it is public here under that name, so that results can be pickled."""
    kind = type(name, (namedtuple(name, fields),), {"__slots__": (), "__repr__": _repr, "__module__": __name__})
    globals()[name] = kind
    __all__.append(name)
    return kind
