"""Anomaly mode: which operation made the first nan, and on which line of the user's program.

Backward passes check what every node computes; a nan is torch's error, and a warning tells the line that made the node.
Forward, each op is checked in the thread that switched the mode on: a result that holds nan or infinity where no
operand did is a warning (it may be meant).
"""

from typing import Any

import numpy as np

from . import _lines, engine
from ._warnings import warn
from .grad_mode import state

__all__ = ["detect_anomaly", "set_detect_anomaly"]


class _Anomaly:
    """The mode while it is on; `engine.anomaly` and an interceptor."""

    def __init__(self, check_nan: bool):
        self.check_nan = check_nan

    # ------------------------------------------------------------------ backward
    def failed(self, node: Any) -> None:
        """Warn, before an error of the node goes on its way, where the node was made."""
        where = _lines.of_node(getattr(node, "parent", node))
        if where:
            text = f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n  {where}\n"
        else:
            text = f"Error detected in {node.name()}. No forward pass information available."
        warn(text)

    def check(self, node: Any, made: list[Any]) -> None:
        """Raise torch's error if a gradient that the node made holds nan."""
        if not self.check_nan:
            return
        for i, g in enumerate(made):
            if g is not None and _has(np.isnan, getattr(g, "array", g)):
                self.failed(node)
                where = _lines.of_node(node)
                raise RuntimeError(
                    f"Function '{node.name()}' returned nan values in its {i}th output."
                    + f"\nThe node was made at {where}" * bool(where)
                )

    # ------------------------------------------------------------------ forward
    def call(self, op: Any, args: tuple[Any, ...]) -> Any:
        with state.below(self):
            out = op.function(*args)
        if self.check_nan and engine.pass_number() < 0:  # gradients are checked node by node
            self._check_result(op, args, out)
        return out

    def _check_result(self, op: Any, args: tuple[Any, ...], out: Any) -> None:
        results = [t for t in (out if isinstance(out, (tuple, list)) else (out,)) if hasattr(t, "array")]
        word = next((w for w, test in _TESTS for t in results if _has(test, t.array)), None)
        if word is None or any(_not_finite(a) for a in args) or (op.name in _UNWRITTEN):
            return
        frame = _lines.user_frame(_lines.getframe(2))
        where = "" if frame is None else _lines.described(frame.f_code, frame.f_lasti)
        warn(f"Anomaly detection: {op.name} of finite values gave {word}, at {where}")


_TESTS = (("nan", np.isnan), ("infinity", np.isinf))
_UNWRITTEN = ("empty", "empty_like", "empty_strided", "new_empty", "resize_")


def _has(test: Any, a: Any) -> bool:
    return isinstance(a, np.ndarray) and a.dtype.kind == "f" and bool(test(a).any())


def _not_finite(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return any(_not_finite(v) for v in value)
    if isinstance(value, float):
        return not np.isfinite(value)
    a = getattr(value, "array", None)
    return _has(np.isnan, a) or _has(np.isinf, a)


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on."""
    return engine.anomaly is not None


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode looks for nan."""
    return engine.anomaly is None or engine.anomaly.check_nan


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Switch anomaly mode on or off."""
    if mode.__class__ is not bool:
        kind = type(mode).__name__
        raise TypeError(f"set_anomaly_enabled(): argument 'enabled' (position 1) must be bool, not {kind}")
    state.interceptors = tuple([i for i in state.interceptors if not isinstance(i, _Anomaly)])
    engine.anomaly = _Anomaly(check_nan) if mode else None
    _lines.note_lines(of_all=mode)
    if mode:
        state.interceptors = (engine.anomaly, *state.interceptors)
    state.refresh()


class set_detect_anomaly:
    """Switch anomaly mode on or off at once; as a context manager, until its end.

    >>> import minitorch as torch
    >>> with torch.autograd.set_detect_anomaly(True):
    ...     torch.is_anomaly_enabled()
    True
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.prev, self.prev_check_nan = is_anomaly_enabled(), is_anomaly_check_nan_enabled()
        set_anomaly_enabled(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *args: object) -> None:
        set_anomaly_enabled(self.prev, self.prev_check_nan)


class detect_anomaly:
    """Context manager: within it a nan in a backward pass is an error, and errors name the line that made the node."""

    def __init__(self, check_nan: bool = True) -> None:
        self.prev, self.prev_check_nan = is_anomaly_enabled(), is_anomaly_check_nan_enabled()
        self.check_nan = check_nan
        warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging."
        )

    def __enter__(self) -> None:
        set_anomaly_enabled(True, self.check_nan)

    def __exit__(self, *args: object) -> None:
        set_anomaly_enabled(self.prev, self.prev_check_nan)
