"""Whether operations are recorded: one slot per thread, read once by every op."""

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled", "set_multithreading_enabled"]

F = TypeVar("F", bound=Callable[..., Any])

new = object.__new__


# the threads whose mode is not None: while there are none, no op need read its thread's state
UNUSUAL: set[int] = set()


class _Presence:
    """Lies among a thread's own values, which go when it ends; then it takes the thread out of `UNUSUAL`."""

    def __init__(self, thread: int):
        self.leave = functools.partial(UNUSUAL.discard, thread)

    def __del__(self) -> None:
        self.leave()


class _State(threading.local):
    """What every op asks before it runs, in one slot, because a read of a thread-local costs 50 ns.

    `mode` is None in plain eager code, NO_GRAD where nothing is recorded, else the innermost of `interceptors`,
    whose `call(op, args)` takes over. It follows from `grad` and `interceptors`: call `refresh` after a change.
    Only `switch` sets it: generated functions ask `UNUSUAL` first.

    An interceptor hands a call on by `with state.below(self): op.function(*args)`. One that treats user-defined
    Functions in a way of its own has a method `call_function(cls, args, kwargs)`.
    """

    mode: Any
    grad: bool
    inference: bool
    interceptors: tuple[Any, ...]
    transform: Any  # the innermost transform of torch.func in progress
    hooks_disabled: str | None  # why saved-tensor hooks may not be entered

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.presence = _Presence(self.thread)
        self.mode, self.grad, self.inference, self.interceptors = None, True, False, ()
        self.transform = self.hooks_disabled = None

    def switch(self, mode: Any) -> None:
        """Set the mode of this thread."""
        self.mode = mode
        if mode is None:
            UNUSUAL.discard(self.thread)
        else:
            UNUSUAL.add(self.thread)

    def refresh(self) -> None:
        self.switch(self.interceptors[-1] if self.interceptors else None if self.grad else NO_GRAD)

    def below(self, interceptor: Any) -> "_Below":
        """A context in which the mode is what `interceptor` stands in front of."""
        position = self.interceptors.index(interceptor)
        return _Below(self.interceptors[position - 1] if position else None if self.grad else NO_GRAD)


class _Below:
    """A mode for the length of a `with`; grad mode and interceptors stay as they are."""

    __slots__ = ("before", "mode")

    def __init__(self, mode: Any):
        self.mode = mode

    def __enter__(self) -> None:
        self.before = state.mode
        state.switch(self.mode)

    def __exit__(self, *_: object) -> None:
        state.switch(self.before)


state = _State()


class _NoGrad:
    """The mode in which nothing is recorded. Its identity is what ops ask for."""

    def __repr__(self) -> str:
        return "NO_GRAD"


NO_GRAD = _NoGrad()


class InferenceMode:
    """The interceptor inside `inference_mode`: nothing is recorded, and new tensors are unfit for autograd."""

    def call(self, op: Any, args: tuple[Any, ...]) -> Any:
        with state.below(self):
            state.switch(state.mode or NO_GRAD)  # enable_grad does not reach in here
            out = op.function(*args)
        for t in out if isinstance(out, (tuple, list)) else (out,):
            self.mark(t)
        return out

    def mark(self, t: Any) -> None:
        """Turn a tensor made in this mode into an inference tensor; views of ordinary tensors stay ordinary."""
        if t.base is None and t.edge is None and t.version == [0]:
            t.version = InferenceVersion((0,))


INFERENCE = InferenceMode()


class InferenceVersion(list):
    """The version cell of an inference tensor: saving it for backward is torch's error, and so is writing to it."""

    def __getitem__(self, i: Any) -> Any:
        if state.mode is None:
            raise RuntimeError(
                "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference "
                "mode in computation tracked by autograd. To work around this, you can make a clone to get a "
                "normal tensor and use it in autograd, or use `torch.no_grad()` instead of "
                "`torch.inference_mode()`."
            )
        return list.__getitem__(self, i)

    def __setitem__(self, i: Any, value: Any) -> None:
        check_inference()
        list.__setitem__(self, i, value)


def check_inference() -> None:
    """Refuse a write to an inference tensor outside inference mode."""
    if not state.inference:
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed."
            "You can make a clone to get a normal tensor before doing inplace update."
            "See https://github.com/pytorch/rfcs/pull/17 for more details."
        )


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require grad are recorded in this thread.

    >>> import minitorch as torch
    >>> with torch.no_grad():
    ...     torch.is_grad_enabled()
    False
    """
    return state.grad


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode()`."""
    return state.inference


class _DecoratorContextManager:
    """A context manager that is a decorator too; programs derive their own from it."""

    __slots__ = ()

    def clone(self) -> Any:
        """Another of the same, for each call of what is decorated."""
        return type(self)()

    def __call__(self, function: F) -> F:
        import inspect  # only the decorator form needs it, and it is slow to import

        if inspect.isgeneratorfunction(function):
            return self._wrap_generator(function)  # type: ignore[return-value]

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return wrapper  # type: ignore[return-value]

    def _wrap_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The mode holds while the generator runs, not while its caller does."""

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            generator = function(*args, **kwargs)
            step, value = generator.send, None
            while True:
                try:
                    with self.clone():
                        item = step(value)
                except StopIteration as stop:
                    return stop.value
                try:
                    step, value = generator.send, (yield item)
                except GeneratorExit:
                    with self.clone():
                        generator.close()
                    raise
                except BaseException as e:
                    step, value = generator.throw, e

        return wrapper


class _Switch(_DecoratorContextManager):
    """Grad mode as context manager and as decorator. `enabled` is what it switches to."""

    __slots__ = ("before", "mode")
    before: bool
    enabled: bool
    mode: Any

    def __enter__(self) -> None:
        own = state.__dict__  # one look at the thread-local instead of one for each attribute
        self.before, self.mode = own["grad"], own["mode"]
        own["grad"] = enabled = self.enabled
        if own["interceptors"]:
            if enabled and self.mode is NO_GRAD:
                state.refresh()
        elif enabled:
            own["mode"] = None
            UNUSUAL.discard(own["thread"])
        else:
            own["mode"] = NO_GRAD
            UNUSUAL.add(own["thread"])

    def __exit__(self, *_: object) -> None:
        own = state.__dict__
        own["grad"], own["mode"] = self.before, self.mode
        if self.mode is None:
            UNUSUAL.discard(own["thread"])
        else:
            UNUSUAL.add(own["thread"])

    def clone(self) -> "_Switch":
        return new(type(self))


class no_grad(_Switch):
    """Operations inside are not recorded; also a decorator, with or without parentheses.

    >>> import minitorch as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    __slots__ = ()
    enabled = False

    def __new__(cls, orig_func: Any = None) -> Any:
        return new(cls) if orig_func is None else new(cls)(orig_func)


class enable_grad(no_grad):
    """Operations inside are recorded again, within `no_grad`; also a decorator.

    >>> import minitorch as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad(), torch.enable_grad():
    ...     (x * 2).requires_grad
    True
    """

    __slots__ = ()
    enabled = True


class set_grad_enabled(_Switch):
    """Switch recording on or off at once; as a context manager, until its end.

    >>> import minitorch as torch
    >>> with torch.set_grad_enabled(False):
    ...     torch.is_grad_enabled()
    False
    """

    __slots__ = ("enabled",)

    def __init__(self, mode: bool):
        if mode.__class__ is not bool:
            kind = type(mode).__name__
            raise TypeError(f"set_grad_enabled(): argument 'enabled' (position 1) must be bool, not {kind}")
        self.enabled = mode
        super().__enter__()

    def __enter__(self) -> None:
        pass

    def __call__(self, function: F) -> F:
        self.__exit__()
        return super().__call__(function)

    def clone(self) -> _Switch:
        return enable_grad() if self.enabled else no_grad()

    def __repr__(self) -> str:
        return f"torch.autograd.grad_mode.set_grad_enabled(mode={self.enabled})"


class inference_mode(no_grad):
    """Like `no_grad`, and tensors made inside can never enter a graph; also a decorator.

    >>> import minitorch as torch
    >>> with torch.inference_mode():
    ...     torch.ones(2).is_inference()
    True
    """

    __slots__ = ("enabled", "outside")

    def __new__(cls, mode: Any = True) -> Any:
        self = new(cls)
        self.enabled = not (callable(mode) or mode)
        return self(mode) if callable(mode) else self

    def clone(self) -> "inference_mode":
        return inference_mode(not self.enabled)

    def __enter__(self) -> None:
        self.before, self.outside = state.grad, (state.inference, state.interceptors)
        state.grad, state.inference = self.enabled, not self.enabled
        kept = tuple(i for i in state.interceptors if i is not INFERENCE)
        state.interceptors = kept if self.enabled else (*kept, INFERENCE)
        state.refresh()

    def __exit__(self, *_: object) -> None:
        state.grad, (state.inference, state.interceptors) = self.before, self.outside
        state.refresh()


class set_multithreading_enabled(_Switch):
    """Whether backward passes may use threads of their own, which minitorch's never do: remembered only."""

    __slots__ = ("enabled",)
    current = True

    def __init__(self, mode: bool):
        self.before, self.enabled = set_multithreading_enabled.current, mode
        set_multithreading_enabled.current = mode

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        set_multithreading_enabled.current = self.before

    def clone(self) -> "set_multithreading_enabled":
        return set_multithreading_enabled(self.enabled)


def is_multithreading_enabled() -> bool:
    """What `set_multithreading_enabled` was last told."""
    return set_multithreading_enabled.current
