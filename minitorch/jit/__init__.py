"""Same as torch.jit, without TorchScript: functions and modules stay what they are, and are run by Python."""

import builtins
import contextlib
import typing
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from minitorch import nn
from minitorch._not_compiled import say_once
from minitorch.jit import annotations

__all__ = [
    "Error", "Final", "ScriptFunction", "ScriptModule", "TracerWarning", "annotate", "enable_onednn_fusion", "export",
    "freeze", "fuser", "ignore", "interface", "is_scripting", "is_tracing", "isinstance", "load",
    "optimize_for_inference", "optimized_execution", "save", "script", "script_if_tracing", "script_method",
    "set_fusion_strategy", "trace", "trace_module", "unused",
]  # fmt: skip


class Error(RuntimeError):
    """Raised by TorchScript: never here, but programs catch it."""


class TracerWarning(Warning):
    """Given by torch's tracer: never here, but programs filter it."""


class ScriptModule(nn.Module):
    """A module like any other: the base class of modules that torch would compile."""


class ScriptFunction:
    """What torch.jit.script makes of a function in torch; here nothing is an instance of it."""


def script(obj: Any, optimize: Any = None, example_inputs: Any = None) -> Any:
    """The function, class or module that it is given, as it is, which it says once.

    >>> import minitorch as torch, warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     layer = torch.jit.script(torch.nn.Linear(2, 3))
    >>> layer
    Linear(in_features=2, out_features=3, bias=True)
    """
    say_once("jit.script")
    return obj


def trace(func: Any, example_inputs: Any = None, **options: Any) -> Any:
    """The function or module that it is given, as it is, which it says once: it is not called with the inputs."""
    say_once("jit.trace")
    return func


def trace_module(mod: Any, inputs: Any, **options: Any) -> Any:
    """The module that it is given, as it is, which it says once."""
    say_once("jit.trace_module")
    return mod


def freeze(mod: Any, preserved_attrs: list[str] | None = None, optimize_numerics: bool = True) -> Any:
    """The module that it is given, as it is."""
    return mod


def optimize_for_inference(mod: Any, other_methods: list[str] | None = None) -> Any:
    """The module that it is given, as it is."""
    return mod


def _fn(fn: Any) -> Any:
    """The function that it is given: a mark for a compiler that there is not."""
    return fn


export = unused = interface = script_method = script_if_tracing = _fn


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """The function that it is given, or a decorator that gives it: a mark for a compiler that there is not."""
    return drop if callable(drop) else _fn


def save(m: Any, f: Any, _extra_files: Any = None) -> NoReturn:
    """NotImplementedError: there is no program to write."""
    raise NotImplementedError(
        "torch.jit.save is not supported by minitorch, which has no TorchScript: "
        "save the parameters, torch.save(model.state_dict(), file)"
    )


def load(f: Any, map_location: Any = None, _extra_files: Any = None, _restore_shapes: bool = False) -> NoReturn:
    """NotImplementedError: a file of TorchScript holds a program that minitorch cannot run."""
    raise NotImplementedError(
        "torch.jit.load is not supported by minitorch, which has no TorchScript: build the model in Python and "
        "give it the parameters, model.load_state_dict(torch.load(file))"
    )


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value."""
    return the_value


def isinstance(obj: Any, target_type: Any) -> bool:
    """Whether the value is of a type, which may be one such as list[int]: what it contains is looked at, too."""
    if typing.get_origin(target_type) is typing.Union:
        return any(isinstance(obj, t) for t in typing.get_args(target_type))
    target = typing.get_origin(target_type) or target_type
    if not builtins.isinstance(obj, target):
        return False
    kinds = typing.get_args(target_type)
    if target is dict:
        return all(isinstance(k, kinds[0]) and isinstance(v, kinds[1]) for k, v in obj.items())
    if target is tuple:
        return not kinds or (len(obj) == len(kinds) and all(isinstance(x, t) for x, t in zip(obj, kinds)))
    return target is not list or not kinds or all(isinstance(x, kinds[0]) for x in obj)


def is_scripting() -> bool:
    """Whether TorchScript runs this: never."""
    return False


def is_tracing() -> bool:
    """Whether a tracer records this: never."""
    return False


def set_fusion_strategy(strategy: Any) -> list[Any]:
    """Choose how loops are fused; returns the choice before, which is empty."""
    return []


def enable_onednn_fusion(enabled: bool) -> None:
    """Allow fusion by oneDNN; there is none."""


@contextlib.contextmanager
def _unchanged(*args: Any) -> Iterator[None]:
    """A context in which nothing is different."""
    yield


optimized_execution = fuser = _unchanged
