"""From an op's record to its Python functions, written as text at first use.

One general `apply(op, *inputs)` (see `apply.py`, which says what all of this means) would spend a microsecond per
call on finding out what the record already settles: how many operands, what to keep, which gradients exist, whether the
result is a view. So that is settled once, as text. `print(source("mul"))` shows it; a traceback shows its lines.

Every public function starts as a stub, which on its first call replaces its own code: so `torch.relu is torch.relu`, a
function taken from the namespace before its first call is the fast one after it, and importing minitorch builds
nothing.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any, ClassVar

from .generate_backward import run_text
from .generate_forward import FunctionText
from .op import OPS, Op
from .scope import SCOPE, compiled, scope_for_all


def make_functions(op: Op) -> dict[str, Callable[..., Any]]:
    """Stubs of all that an op offers: {name: function}, `mul`, `mul_`, `__mul__`, ..."""
    names = [op.name] + [op.name + "_"] * bool(op.inplace) + op.operator
    functions = {n: _stub(op, n) for n in names}
    op.function = functions[op.name]
    return functions


def _first_call(*args: Any, _build: Any = None, **kwargs: Any) -> Any:
    return _build()(*args, **kwargs)


def _stub(op: Op, name: str) -> Callable[..., Any]:
    f = FunctionType(_first_call.__code__, SCOPE, name)
    f.__module__, f.__qualname__, f.__doc__ = "minitorch", name, op.doc
    build = _Build(f, op, name)
    f.__kwdefaults__ = {"_build": build}
    f.__wrapped__ = build  # type: ignore[attr-defined]  # where `inspect` looks for the signature
    return f


class _Build:
    """Gives a stub its own code: when it is first called, or when somebody asks for its signature."""

    __code__ = _first_call.__code__
    made: ClassVar[list["_Build"]] = []

    def __init__(self, f: Any, op: Op, name: str):
        self.f, self.op, self.name = f, op, name
        self.made.append(self)

    def again(self) -> None:
        """Make the function a stub again."""
        f = self.f
        f.__kwdefaults__ = {**(f.__kwdefaults__ or {}), "_build": self}
        f.__code__ = _first_call.__code__
        f.__defaults__, f.__kwdefaults__, f.__wrapped__ = None, {"_build": self}, self
        f.__dict__.pop("__signature__", None)

    def __call__(self) -> Callable[..., Any]:
        scope_for_all()
        text = FunctionText(self.op, self.name).text()
        own: dict[str, Any] = {}  # not SCOPE: another thread may be building another function
        exec(compiled(text, f"<minitorch {self.name}>"), SCOPE, own)
        made, f = own["generated"], self.f
        # another thread may call f between any two of these lines: the defaults must serve both codes until the end
        f.__defaults__ = made.__defaults__
        f.__kwdefaults__ = {**(made.__kwdefaults__ or {}), "_build": self}
        f.__code__ = (
            made.__code__.replace(co_name=self.name, co_qualname=self.name)
            if hasattr(made.__code__, "co_qualname")
            else made.__code__.replace(co_name=self.name)
        )
        f.__kwdefaults__ = made.__kwdefaults__
        f.__dict__.pop("__wrapped__", None)
        if made.__code__.co_flags & inspect.CO_VARARGS:  # an order that is taken, not shown: see `number_first.py`
            shown = inspect.signature(made)
            documented = [p for p in shown.parameters.values() if p.kind is not p.VAR_POSITIONAL]
            f.__signature__ = shown.replace(parameters=documented)
        if f.__doc__ is None:
            f.__doc__ = _formula_as_doc(self.op)
        return f

    def __get__(self, instance: Any, owner: Any = None) -> "_Build":
        """Makes doctest and help() take it for a routine."""
        return self

    @property
    def __signature__(self) -> Any:
        return inspect.signature(self())


def _formula_as_doc(op: Op) -> str | None:
    if op.formula is None:
        return None
    lines, body = op.formula.written()
    text, file = "".join(lines[body - 1 :]).rstrip(), Path(op.formula.code.co_filename).name
    return f"For every element, by `_ops/{file}`, which has the derivatives too:\n\n{text}"


def source(name: str) -> str:
    """The text of a generated function, and of its node's `run`.

    >>> import minitorch
    >>> from minitorch._ops.generate import source
    >>> "np_multiply(input_array, other_array)" in source("mul")
    True
    """
    scope_for_all()
    op = OPS[name]
    return FunctionText(op, name).text() + ("\n" + run_text(op) if op.edges else "")


def make_overridable(names: dict[str, Any]) -> list[Callable[..., Any]]:
    """Give all generated functions a check of their arguments' classes, which says `names`: see `overrides.py`."""
    SCOPE.update(names)
    for build in _Build.made:
        build.again()
    return [build.f for build in _Build.made]


def built(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself, with its own code and signature even if nobody has called it yet."""
    build = (getattr(function, "__kwdefaults__", None) or {}).get("_build")
    return function if build is None else build()
