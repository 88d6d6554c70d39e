"""`__torch_function__`: letting classes, and modes, decide what torch's functions do with their instances.

The first class or mode that takes part makes every public function overridable (`enable`). Generated functions are
written again, with a check of their arguments' classes; the code of a function written by hand moves to an inner
function, and in its place comes such a check. So programs without such a class pay nothing, and a function stays the
same object for all who hold it.
"""

import functools
import threading
import types
from collections.abc import Callable, Iterable
from typing import Any

from minitorch._ops.instances import with_class
from minitorch._tensor import Tensor, disabled_torch_function

__all__ = [
    "TorchFunctionMode", "get_default_nowrap_functions", "get_ignored_functions", "get_overridable_functions",
    "get_testing_overrides", "handle_torch_function", "has_torch_function", "has_torch_function_unary",
    "has_torch_function_variadic", "is_tensor_like", "is_tensor_method_or_property", "resolve_name",
    "wrap_torch_function",
]  # fmt: skip


class _State(threading.local):
    subclasses = True  # whether the classes of arguments are asked
    modes: tuple[Any, ...] = ()
    running: Any = None  # the function that `default_torch_function` calls


_state = _State()

# classes of arguments that never take part: a call with no other classes goes straight on. Empty within a mode
_PLAIN_CLASSES = (Tensor, int, float, bool, str, type(None), type(Ellipsis), slice)
PLAIN: set[type] = set(_PLAIN_CLASSES)
_modes_entered = 0


# ---------------------------------------------------------------------- who decides
def _takes_part(value: Any) -> bool:
    kind = type(value)
    function = getattr(kind, "__torch_function__", None)
    return kind is not Tensor and function is not None and function is not disabled_torch_function


def _flat(values: Iterable[Any]) -> Iterable[Any]:
    """The values, those in lists and tuples one by one."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from value
        else:
            yield value


def _overloaded(values: Iterable[Any]) -> list[Any]:
    """One argument of each class that takes part, derived classes before their bases."""
    found: list[Any] = []
    for value in _flat(values):
        if not _takes_part(value) or any(type(value) is type(other) for other in found):
            continue
        place = next((i for i, other in enumerate(found) if isinstance(value, type(other))), len(found))
        found.insert(place, value)
    return found


def _ask(public: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the innermost mode, or the class of an argument, makes of the call; NOT_TAKEN if there is none to ask."""
    asked = _overloaded((*args, *kwargs.values())) if _state.subclasses or _state.modes else []
    kinds = tuple([type(a) for a in asked])
    if _state.modes:
        *outer, mode = _state.modes
        before, _state.modes = _state.modes, tuple(outer)
        try:
            result = mode.__torch_function__(public, kinds, args, kwargs)
        finally:
            _state.modes = before
        if result is not NotImplemented:
            return result
    if not _state.subclasses or not asked:
        return NOT_TAKEN
    for value in asked:
        handler = type(value).__torch_function__
        own = handler if isinstance(handler, types.MethodType) else functools.partial(handler, value)
        result = own(public, kinds, args, kwargs)
        if result is not NotImplemented:
            return result
    if name in _BINARY:
        return NotImplemented
    listed = "\n".join(f"  - tensor subclass {kind}" for kind in kinds)
    raise TypeError(
        f"Multiple dispatch failed for '{resolve_name(public)}'; all __torch_function__ handlers returned "
        f"NotImplemented:\n\n{listed}\n\nFor more information, try re-running with TORCH_LOGS=not_implemented"
    )


NOT_TAKEN = object()


def _dispatch(public: Any, inner: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The call as somebody has it done, else as `inner` does it."""
    result = _ask(public, inner.__name__, args, kwargs)
    return inner(*args, **kwargs) if result is NOT_TAKEN else result


def _overridden(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a generated function asks, with all its arguments: those that are at their defaults are left out."""
    from minitorch._ops.public import FUNCTIONS

    f = generated = FUNCTIONS[name]
    while "_front" in (generated.__kwdefaults__ or ()):  # autocast's code, which has no defaults of the function's
        generated = generated.__kwdefaults__["_inner"]
    defaults = list(generated.__defaults__ or ())
    while defaults and args[-1] is defaults.pop():
        args = args[:-1]
    given = {k: v for k, v in kwargs.items() if v is not generated.__kwdefaults__[k]}
    return _ask(FUNCTIONS.get(_OPERATORS.get(name, name), f), name, args, given)


def default_torch_function(cls: type, func: Any, kinds: Iterable[type], args: Any = (), kwargs: Any = None) -> Any:
    """What Tensor.__torch_function__ does: call the function, and turn tensors it returns into `cls`."""
    if not all(issubclass(cls, kind) for kind in kinds):
        return NotImplemented
    if func is _state.running:  # it asks its arguments although that is off, as functions of real torch do
        raise TypeError(f"{func} is no function of minitorch, but was given a tensor of minitorch")
    before, _state.running = _state.running, func
    try:
        with DisableTorchFunctionSubclass():
            result = func(*args, **(kwargs or {}))
    finally:
        _state.running = before
    return result if func in get_default_nowrap_functions() else _converted(result, cls)


def _converted(value: Any, cls: type) -> Any:
    if cls is Tensor:
        return value
    if isinstance(value, Tensor) and not isinstance(value, cls):
        return with_class(value, cls)
    if isinstance(value, (tuple, list)):
        made = [_converted(v, cls) for v in value]
        return type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
    return value


# ---------------------------------------------------------------------- making functions overridable
# the function that an operator is reported as; an operator not listed is reported as itself
_OPERATORS = {
    "__add__": "add", "__radd__": "add", "__sub__": "sub", "__mul__": "mul", "__rmul__": "mul", "__truediv__": "div",
    "__matmul__": "matmul", "__mod__": "remainder", "__lt__": "lt", "__le__": "le", "__gt__": "gt", "__ge__": "ge",
    "__neg__": "neg", "__abs__": "abs", "__iadd__": "add_", "__isub__": "sub_", "__imul__": "mul_",
    "__itruediv__": "div_",
}  # fmt: skip
_BINARY = frozenset(
    f"__{side}{name}__"
    for side in ("", "r", "i")
    for name in "add sub mul truediv matmul mod pow floordiv and or xor lshift rshift lt le gt ge eq ne".split()
)
_UNTOUCHED = frozenset(
    "__new__ __init__ __init_subclass__ __torch_function__ __hash__ __dir__ __reduce_ex__ __setstate__ __getattr__ "
    "__array_wrap__ __array__ __class_getitem__ __dlpack__ __dlpack_device__ as_subclass".split()
)
_IGNORED = frozenset(
    "is_tensor is_storage set_default_dtype get_default_dtype set_default_device get_default_device set_printoptions "
    "is_grad_enabled is_inference_mode_enabled is_anomaly_enabled is_anomaly_check_nan_enabled set_anomaly_enabled "
    "manual_seed seed initial_seed get_rng_state set_rng_state typename compile finfo iinfo promote_types can_cast "
    "set_default_tensor_type set_num_threads get_num_threads use_deterministic_algorithms is_autocast_enabled".split()
)
_enabled = False
_lock = threading.Lock()


def enable() -> bool:
    """Make all public functions overridable; False if they were."""
    global _enabled
    with _lock:
        if _enabled:
            return False
        _enabled = True
        from minitorch._ops.generate import make_overridable

        done = {id(f) for f in make_overridable({"PLAIN": PLAIN, "overridden": _overridden, "NOT_TAKEN": NOT_TAKEN})}
        for owner in (Tensor, *_namespaces()):
            for name, value in list(vars(owner).items()):
                if isinstance(value, property) and owner is Tensor and not name.startswith("__"):
                    for f, public in ((value.fget, value.__get__), (value.fset, value.__set__)):
                        _override(f, public, done)
                elif isinstance(value, types.FunctionType) and _is_public(owner, name):
                    _override(value, _reported(owner, name, value), done)
        return True


def _namespaces() -> list[Any]:
    import minitorch
    from minitorch import fft, linalg, special
    from minitorch.nn import functional

    return [minitorch, functional, linalg, special, fft]


def _is_public(owner: Any, name: str) -> bool:
    if owner is Tensor:
        return name not in _UNTOUCHED and (name.endswith("__") or not name.startswith("_"))
    return not name.startswith("_") and name not in _IGNORED


def _reported(owner: Any, name: str, function: Any) -> Any:
    """The function that handlers are told of."""
    return getattr(Tensor, _OPERATORS[name], function) if owner is Tensor and name in _OPERATORS else function


def _override(f: Any, public: Any, done: set[int]) -> None:
    """Move f's code to an inner function and put the check of arguments in its place."""
    if not isinstance(f, types.FunctionType) or id(f) in done:
        return
    done.add(id(f))
    inner = types.FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__, f.__closure__)
    inner.__kwdefaults__, inner.__dict__ = f.__kwdefaults__, dict(f.__dict__)
    inner.__module__, inner.__qualname__, inner.__annotations__ = f.__module__, f.__qualname__, f.__annotations__
    f.__kwdefaults__ = {
        **(f.__kwdefaults__ or {}), "_inner": inner, "_public": public, "_plain": PLAIN, "_dispatch": _dispatch,
    }  # fmt: skip
    f.__code__ = _checking_code(len(f.__code__.co_freevars)).replace(co_name=f.__name__)
    f.__defaults__ = None
    f.__kwdefaults__ = {k: f.__kwdefaults__[k] for k in ("_inner", "_public", "_plain", "_dispatch")}
    f.__wrapped__ = inner  # type: ignore[attr-defined]  # for its signature


_CHECKING = """def around({free}):
    def checking(*args, _inner, _public, _plain, _dispatch, **kwargs):
        for a in args:
            if a.__class__ not in _plain: return _dispatch(_public, _inner, args, kwargs)
        for a in kwargs.values():
            if a.__class__ not in _plain: return _dispatch(_public, _inner, args, kwargs)
        if not _plain: return _dispatch(_public, _inner, args, kwargs)
        return _inner(*args, **kwargs)
        ({free})
    return checking
"""


def _checking_code(free_variables: int) -> Any:
    """The code of the check: with as many free variables as the function has whose code it replaces."""
    from minitorch.autograd._lines import OURS

    scope: dict[str, Any] = {}
    names = [f"free{i}" for i in range(free_variables)]
    OURS.add("<minitorch overrides>")
    exec(compile(_CHECKING.format(free=", ".join(names)), "<minitorch overrides>", "exec"), scope)
    return scope["around"](*names).__code__


# ---------------------------------------------------------------------- modes and switches
class TorchFunctionMode:
    """Context manager: its `__torch_function__(func, types, args, kwargs)` is asked before every public function.

    >>> import minitorch as torch
    >>> class Names(torch.overrides.TorchFunctionMode):
    ...     def __torch_function__(self, func, types, args=(), kwargs=None):
    ...         print(func.__name__)
    ...         return func(*args, **(kwargs or {}))
    >>> with Names():
    ...     x = torch.ones(2).exp()
    ones
    exp
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError

    def __enter__(self) -> Any:
        global _modes_entered
        enable()
        with _lock:
            _modes_entered += 1
            PLAIN.clear()
        _state.modes = (*_state.modes, self)
        return self

    def __exit__(self, *_: object) -> None:
        global _modes_entered
        _state.modes = _state.modes[:-1]
        with _lock:
            _modes_entered -= 1
            if not _modes_entered:
                PLAIN.update(_PLAIN_CLASSES)


BaseTorchFunctionMode = TorchFunctionMode


class DisableTorchFunctionSubclass:
    """Context manager: classes of arguments are not asked; modes are."""

    def __enter__(self) -> None:
        self.before, _state.subclasses = _state.subclasses, False

    def __exit__(self, *_: object) -> None:
        _state.subclasses = self.before


class DisableTorchFunction(DisableTorchFunctionSubclass):
    """Context manager: neither classes of arguments nor modes are asked."""

    def __enter__(self) -> None:
        super().__enter__()
        self.modes, _state.modes = _state.modes, ()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        _state.modes = self.modes


# ---------------------------------------------------------------------- for functions of one's own
def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether one of the arguments, or a mode, wants to decide.

    >>> has_torch_function((Tensor([1.0]), 2))
    False
    """
    return bool(_state.modes) or (_state.subclasses and any(map(_takes_part, relevant_args)))


def has_torch_function_unary(obj: Any) -> bool:
    """`has_torch_function` of one argument."""
    return has_torch_function((obj,))


def has_torch_function_variadic(*args: Any) -> bool:
    """`has_torch_function` of the arguments given."""
    return has_torch_function(args)


def handle_torch_function(public_api: Any, relevant_args: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
    """Let the relevant arguments, or a mode, decide what public_api(*args, **kwargs) is."""
    if not has_torch_function(relevant_args):
        raise TypeError(f"no argument of '{public_api.__name__}' implements __torch_function__")
    return _dispatch(public_api, public_api, args, kwargs)


def wrap_torch_function(dispatcher: Callable[..., Iterable[Any]]) -> Callable[..., Any]:
    """Decorator: the arguments that dispatcher(*args) returns may decide what the function does."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return function(*args, **kwargs)

        return wrapped

    return decorate


def is_tensor_like(inp: Any) -> bool:
    """Whether it is a tensor or has a `__torch_function__`."""
    return type(inp) is Tensor or hasattr(inp, "__torch_function__")


# ---------------------------------------------------------------------- which functions there are
def get_default_nowrap_functions() -> set[Any]:
    """The functions whose results the default `__torch_function__` leaves as they are."""
    return {vars(Tensor)[name].__get__ for name in ("_base", "grad")}


def get_ignored_functions() -> set[Any]:
    """The public functions that cannot be overridden."""
    import minitorch

    return {getattr(minitorch, name) for name in _IGNORED if hasattr(minitorch, name)}


def get_overridable_functions() -> dict[Any, list[Any]]:
    """The functions that can be overridden, by the module or class where they are."""
    found: dict[Any, list[Any]] = {}
    for owner in (*_namespaces(), Tensor):
        for name, value in vars(owner).items():
            if isinstance(value, property) and owner is Tensor and not name.startswith("__"):
                found.setdefault(owner, []).append(value.__get__)
            elif isinstance(value, types.FunctionType) and _is_public(owner, name):
                found.setdefault(owner, []).append(value)
    return found


def get_testing_overrides() -> dict[Any, Callable[..., Any]]:
    """For each function that can be overridden, one of the same arguments that returns -1."""
    import inspect

    made: dict[Any, Callable[..., Any]] = {}
    for functions in get_overridable_functions().values():
        for f in functions:
            if f in made:
                continue

            def dummy(*args: Any, **kwargs: Any) -> int:
                return -1

            if isinstance(f, types.FunctionType):
                dummy.__signature__ = inspect.signature(f)  # type: ignore[attr-defined]
            made[f] = dummy
    return made


def is_tensor_method_or_property(func: Any) -> bool:
    """Whether it is a method of Tensor, or the getter of one of its properties."""
    return func in get_overridable_functions()[Tensor]


def resolve_name(f: Any) -> str | None:
    """The name under which torch's users know a function, such as 'torch.Tensor.add'; None if it is not public."""
    import minitorch

    for owner in (*_namespaces(), Tensor):
        path = "torch.Tensor" if owner is Tensor else owner.__name__.replace(minitorch.__name__, "torch", 1)
        for name, value in vars(owner).items():
            if value is f:
                return f"{path}.{name}"
            if isinstance(value, property) and f in (value.__get__, value.__set__):
                return f"{path}.{name}.{f.__name__}"
    return None
