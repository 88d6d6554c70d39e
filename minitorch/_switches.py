"""Settings that programs make for torch's back ends; minitorch has none of these, so they change nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Switches:
    """Attributes that can be set to anything: the names that there are, and no others, so that a misspelt one fails."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__dict__:
            raise AttributeError(f"there is no setting {name!r}; there are {', '.join(self.__dict__)}")
        self.__dict__[name] = value


@contextmanager
def replaced(names: dict[str, Any], **values: Any) -> Iterator[None]:
    """A context in which module names have other values."""
    before = {name: names[name] for name in values}
    names.update(values)
    try:
        yield
    finally:
        names.update(before)
