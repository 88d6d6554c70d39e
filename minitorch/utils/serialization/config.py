"""Same as torch.utils.serialization.config: what `load` and `save` do where their calls do not say."""

import mmap
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

UNSUPPORTED = ("load.calculate_storage_offsets", "save.use_pinned_memory_for_d2h")


class Options:
    """Options by name. AttributeError for other names, NotImplementedError for what minitorch does not do."""

    def __init__(self, section: str, **defaults: Any):
        self.__dict__.update(defaults, section=section)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{__name__}.{self.section}.{name} does not exist")

    def __setattr__(self, name: str, value: Any) -> None:
        path = f"{self.section}.{name}"
        if name not in self.__dict__ or name == "section":
            raise AttributeError(f"{__name__}.{path} does not exist")
        if path in UNSUPPORTED and value:
            raise NotImplementedError(f"{path} is not supported by minitorch")
        self.__dict__[name] = value


load = Options(
    "load",
    mmap=False,
    endianness=None,
    mmap_flags=getattr(mmap, "MAP_PRIVATE", None),
    calculate_storage_offsets=False,
)
save = Options("save", compute_crc32=True, use_pinned_memory_for_d2h=False, storage_alignment=64)


@contextmanager
def patch(arg1: Any = None, arg2: Any = None, **kwargs: Any) -> Iterator[None]:
    """Other values for the length of a with statement or of a function: `patch("load.mmap", True)`, or a dict of them.

    >>> from minitorch.utils.serialization import config
    >>> with config.patch({"save.compute_crc32": False}):
    ...     config.save.compute_crc32
    False
    >>> config.save.compute_crc32
    True
    """
    changes = {arg1: arg2} if isinstance(arg1, str) else {**(arg1 or {}), **kwargs}
    places = [(*_place(path), value) for path, value in changes.items()]
    before = [getattr(section, name) for section, name, _ in places]
    try:
        for section, name, value in places:
            setattr(section, name, value)
        yield
    finally:
        for (section, name, _), value in zip(places, before, strict=True):
            setattr(section, name, value)


def _place(path: str) -> tuple[Options, str]:
    section, _, name = path.partition(".")
    if section not in ("load", "save") or name not in vars(globals()[section]):
        raise AttributeError(f"{__name__}.{path} does not exist")
    return globals()[section], name


class _Config(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__dict__ and not name.startswith("__"):
            raise AttributeError(f"{__name__}.{name} does not exist")
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Config
