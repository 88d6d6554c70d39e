"""`@public("torch Tensor")`: functions that other ops express, where they appear, torch's TypeErrors of theirs."""

import functools
from collections.abc import Callable
from types import NoneType, UnionType
from typing import Any

from minitorch._tensor import Tensor

from .check import invalid_arguments, type_name
from .op import OPS

# key -> (function, where it appears). The key is the function's name, for a function of a namespace of its own
# (`linalg`, `special`) with that name before it: torch.cross is not torch.linalg.cross. Where torch's function, its
# method and that of nn.functional differ, those that come later have their namespaces before the name too.
PUBLIC: dict[str, tuple[Callable[..., Any], list[str]]] = {}

# every function by its own name, those of records and operators too: filled by namespaces.py
FUNCTIONS: dict[str, Any] = {}

# properties of Tensor
PROPERTIES: dict[str, property] = {}

SHARED = ("torch", "Tensor", "nn.functional")  # where a name means the same thing


def public(
    on: str,
    *aliases: str,
    name: str = "",
    words: str = "",
    bare: bool = False,
    overloads: bool = False,
    given: str = "",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: the function is public under its name, or `name`, and aliases in the namespaces of `on`.

    These are "torch", "Tensor", "nn.functional", or one module of torch, such as "linalg" or "special". `words` are
    other spellings of arguments: "sections=indices_or_sections". `bare` leaves the arguments unchecked: torch's
    function is all Python, or the wrapper's call would cost a visible part and the function refuses by itself. Of one
    with `overloads` torch's error shows all arguments. Arguments in `given` may be left out, but None is refused.
    """
    where = on.split()

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        known = name or function.__name__
        if not bare and where != ["Tensor"]:
            called = known if where[0] in SHARED else f"{on}_{known}"
            if "nn.functional" in where:  # in torch it is Python: one set of words, numbers looked at one by one
                spellings = _spellings(function, words) if words else []
                function = _checked(function, called, spellings, (Tensor, bool, int), NotATensor, given=given)
            else:
                kinds = (Tensor, bool, int, str, float)
                function = _checked(
                    function, called, _spellings(function, words), kinds, overloads=overloads, given=given
                )
        for n in (known, *aliases):
            PUBLIC[n if where[0] in SHARED and n not in PUBLIC else f"{on}.{n}"] = function, where
        return function

    return register


def _spellings(function: Callable[..., Any], words: str) -> list[list[str]]:
    """Further spellings of a function's arguments: `axis` and `keepdims` for dim and keepdim, and `words`."""
    code = function.__code__
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    pairs = [pair.split("=") for pair in ("axis=dim", "keepdims=keepdim", *words.split())]
    return [pair for pair in pairs if pair[1] in arguments]


def _checked(
    function: Callable[..., Any],
    name: str,
    spellings: list[list[str]],
    kinds: tuple[type, ...],
    error: type[TypeError] = TypeError,
    overloads: bool = False,
    given: str = "",
) -> Callable[..., Any]:
    """The function with these further spellings of arguments, and torch's TypeErrors for those of a wrong class.

    Arguments declared to be of one of the `kinds` are looked at before the call. Others that should have been tensors
    show by the attribute that they lack (`_explained`).
    """
    declared = _declared(function, kinds, given.split())

    def check_value(argument: str, place: int, kind: type, optional: bool, value: Any) -> None:
        if not ((value is None and optional) or _serves_as(kind, value)):
            raise _wrong(kind, name, argument, place, value, error if kind is Tensor else TypeError)

    def check_named(given: int, kwargs: dict[str, Any]) -> None:
        for argument, position, kind, optional in declared:
            if position >= given and argument in kwargs and kwargs[argument].__class__ is not kind:
                check_value(argument, 0, kind, optional, kwargs[argument])

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            for other, ours in spellings:
                if other in kwargs and ours not in kwargs:
                    kwargs[ours] = kwargs.pop(other)
            check_named(len(args), kwargs)
        given = len(args)
        for argument, position, kind, optional in declared:
            if position >= given:
                break
            if args[position].__class__ is not kind:
                if overloads and given > 1 and kind is Tensor and not _serves_as(kind, args[position]):
                    invalid_arguments(name, *args)
                check_value(argument, position + 1, kind, optional, args[position])
        try:
            return function(*args, **kwargs)
        except (AttributeError, TypeError) as e:
            if not (args and hasattr(args[0], "__torch_function__")) or isinstance(args[0], Tensor):
                explained = _explained(e, function, name, args, kwargs, error)
                if explained is not None:
                    raise explained from None
                raise
            from minitorch import overrides

            if not overrides.enable():
                raise
        return called(*args, **kwargs)  # whose code `enable` has replaced by one that asks `__torch_function__`

    called.words = dict(spellings)  # type: ignore[attr-defined]
    return called


_BY_NAME = 1 << 30  # the index of an argument that has none
# flags that torch looks at in Python, where anything is true or false
_PYTHON_FLAGS = "inplace", "hard", "return_indices", "get_infos", "recompute_scale_factor"


def _declared(
    function: Callable[..., Any], kinds: tuple[type, ...], given: list[str]
) -> list[tuple[str, int, type, bool]]:
    """(name, index, class, whether None serves) of the arguments that are declared to be of one of these classes."""
    found, code = [], function.__code__
    for place, name in enumerate(code.co_varnames):
        said = function.__annotations__.get(name)
        classes = [k for k in said.__args__ if k is not NoneType] if isinstance(said, UnionType) else [said]
        # a Tensor serves as an int
        kind: Any = classes[0] if len(classes) == 1 or classes == [int, Tensor] else said
        optional = kind is not said and len(classes) < len(said.__args__)  # type: ignore[union-attr]
        if kind in kinds and name not in _PYTHON_FLAGS:
            found.append((name, place if place < code.co_argcount else _BY_NAME, kind, optional and name not in given))
    return found


def _serves_as(kind: type, value: Any) -> bool:
    """Whether torch takes a value of another class for an argument of this one: NumPy's numbers, tensors, ..."""
    if kind is int:
        return hasattr(value, "__index__") and value.__class__ is not bool
    if kind is float:
        return hasattr(value, "__float__") or isinstance(value, complex)
    return isinstance(value, kind) or hasattr(value, "__torch_function__")


class NotATensor(TypeError, AttributeError):
    """For nn.functional: where torch's C++ looks at an argument first it says TypeError, its Python AttributeError."""


def _explained(
    e: Exception, function: Callable[..., Any], name: str, args: Any, kwargs: Any, error: type[TypeError]
) -> TypeError | None:
    """torch's TypeError if an argument lacked an attribute that tensors have."""
    if not isinstance(e, AttributeError) or isinstance(e.obj, Tensor) or not hasattr(Tensor, e.name or ""):
        return None
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    required = names[: len(names) - len(function.__defaults__ or ())]
    lists = [a for a in args if isinstance(a, (tuple, list))]
    for listed in [*lists, args[len(names) :]]:
        for at, value in enumerate(listed):
            if value is e.obj:
                return TypeError(f"expected Tensor as element {at} in argument 0, but got {type_name(value)}")
    given = {n: (i, v) for i, (n, v) in enumerate(zip(names, args, strict=False), 1)}
    given.update((n, (0, v)) for n, v in kwargs.items())
    for n, (position, value) in given.items():
        said = function.__annotations__.get(n)
        fits = said in (bool, int, float, str) and isinstance(value, said)  # another argument has the same value
        if value is e.obj and (value is not None or n in required) and not fits:
            return _wrong(Tensor, name, n, position, value, error)
    return None


def _wrong(
    kind: type, function: str, argument: str, position: int, value: Any, error: type[TypeError] = TypeError
) -> TypeError:
    """torch's error for an argument of another type than `kind`; position 0: given by its name."""
    place = f" (position {position})" if position else ""
    return error(f"{function}(): argument '{argument}'{place} must be {kind.__name__}, not {type_name(value)}")


def not_tensors(
    function: Callable[..., Any], called: str, error: type[TypeError], given: dict[str, Any], *others: Any
) -> Any:
    """For `bare` functions, of whose first arguments `given` some is no tensor: what its class makes of the call.

    That is its `__torch_function__`; without one torch's error for the first of these arguments.
    """
    if any(hasattr(type(v), "__torch_function__") and not isinstance(v, Tensor) for v in given.values()):
        from minitorch import overrides

        if overrides.enable():
            return function(*given.values(), *others)
    position, name = next((i, n) for i, (n, value) in enumerate(given.items(), 1) if not isinstance(value, Tensor))
    raise _wrong(Tensor, called, name, position, given[name], error) from None


def op(name: str) -> Callable[..., Any]:
    """The function of a recorded op."""
    return OPS[name].function


class _Named:
    """A function that is no record, under the name by which its errors call it."""

    def __init__(self, name: str):
        self.name = name


def into(out: Any, name: str, result: Any, *operands: Any) -> Any:
    """The result of a public function: as it is, or written to `out=` if one was given.

    `operands` are what it must not overlap with: see `APART` in `op.py`.
    """
    if out is None:
        return result
    from .inplace import into

    return into(out, OPS.get(name) or _Named(name), result, *operands)
