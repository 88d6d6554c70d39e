"""The ordered tables inside a module, and how their entries become its attributes.

torch finds `module.weight` through `Module.__getattr__`, which looks into `_parameters`, `_buffers`
and `_modules`. Here the class has no `__getattr__`: its mere presence stops CPython from
specialising attribute reads, and makes every one of them four times slower (ten slot reads
46 -> 202 ns). So the three tables stay what they are in torch, the ordered truth that anybody may
write to, and put each of their entries into the instance dictionary as well. Programs whose
classes call or define `__getattr__` get one all the same (`uses_getattr`), and pay what torch pays.

A table knows its module by a weak reference: a strong one would make a cycle, and models would be
freed only by the garbage collector.
"""

import weakref
from types import CodeType, FunctionType
from typing import Any

TABLES = ("_parameters", "_buffers", "_modules")
CALL_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_ABSENT = object()
# where torch.relu and the like say that they are
_OPERATIONS = "minitorch._creation", "minitorch._data", "minitorch._ops.", "minitorch.nn.functional"


class Table(dict):
    """A dictionary whose entries are also attributes of its owners.

    It has more than one owner after `copy.copy(module)`, which in torch shares the tables too.
    """

    __slots__ = ("_owners",)

    def __init__(self, owner: Any, entries: Any = ()) -> None:
        super().__init__(entries)
        self._owners: list[weakref.ref] = []
        self.adopt(owner)

    def adopt(self, owner: Any) -> None:
        """Also show the entries as attributes of `owner`."""
        self._owners = [ref for ref in self._owners if ref() is not None] + [weakref.ref(owner)]
        for name, value in self.items():
            _show(owner, name, value)

    def release(self, owner: Any) -> None:
        """Take the entries out of the attributes of `owner`, which gets another table."""
        self._owners = [ref for ref in self._owners if ref() is not owner]
        for name, value in self.items():
            _hide(owner, name, value)

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        for ref in self._owners:
            _show(ref(), name, value)

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def pop(self, name: str, *default: Any) -> Any:
        value = super().pop(name, _ABSENT)
        if value is _ABSENT:
            if default:
                return default[0]
            raise KeyError(name)
        for ref in self._owners:
            _hide(ref(), name, value)
        return value

    def popitem(self) -> tuple:
        if not self:
            raise KeyError("popitem(): dictionary is empty")
        name = next(reversed(self))
        return name, self.pop(name)

    def clear(self) -> None:
        while self:
            self.popitem()

    def update(self, *args: Any, **kwargs: Any) -> None:
        for name, value in dict(*args, **kwargs).items():
            self[name] = value

    def __ior__(self, other: Any) -> "Table":  # type: ignore[misc]
        self.update(other)
        return self

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]

    def __reduce_ex__(self, protocol: Any) -> tuple:
        # saved and deep-copied as the plain dictionary it is in torch; `__setstate__` adopts that
        return dict, (), None, None, iter(self.items())


def _show(owner: Any, name: str, value: Any) -> None:
    """Make an entry an attribute, unless the class has that name: in torch the class wins too."""
    if owner is None:
        return
    cls = type(owner)
    if hasattr(cls, name):  # which also finds the metaclass's names, such as `mro`
        for base in cls.__mro__:
            if name in base.__dict__:
                if isinstance(base.__dict__[name], property) and not hasattr(cls, "__getattr__"):
                    cls.__getattr__ = entry  # asked for the entry when the property raises AttributeError
                return
    owner.__dict__[name] = value


def _hide(owner: Any, name: str, value: Any) -> None:
    if owner is not None and owner.__dict__.get(name, _ABSENT) is value:
        del owner.__dict__[name]


def table_of(owner: Any, kind: str, entries: dict) -> Table:
    """`entries` as the table `kind` of `owner`, in place of the one it has now."""
    current = owner.__dict__.get(kind)
    if isinstance(current, Table) and current is not entries:
        current.release(owner)
    if isinstance(entries, Table):
        if not any(ref() is owner for ref in entries._owners):
            entries.adopt(owner)
    else:
        entries = Table(owner, entries)
    owner.__dict__[kind] = entries
    return entries


def keep_unbound(cls: type) -> None:
    """Make torch's functions static that are attributes of a class: they are not Python's there, and never bound."""
    for name, value in list(cls.__dict__.items()):
        if isinstance(value, FunctionType) and (
            value.__module__ == "minitorch" or (value.__module__ or "").startswith(_OPERATIONS)
        ):
            setattr(cls, name, staticmethod(value))


def uses_getattr(cls: type) -> bool:
    """Whether a class defines `__getattr__`, or one of its methods calls it by name."""
    methods = [f.__code__ for f in cls.__dict__.values() if isinstance(f, FunctionType)]
    return "__getattr__" in cls.__dict__ or any(_names(code, "__getattr__") for code in methods)


def _names(code: CodeType, name: str) -> bool:
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    return name in code.co_names or any(_names(c, name) for c in inner)


def entry(module: Any, name: str) -> Any:
    """What torch's `Module.__getattr__` returns: the parameter, buffer or child of this name."""
    for kind in TABLES:
        entries = module.__dict__.get(kind, {})
        if name in entries:
            return entries[name]
    raise AttributeError(f"'{type(module).__name__}' object has no attribute '{name}'")
