"""Recording what runs, and for how long: an interceptor of operations, and a watcher of backward passes.

Both are there only while a profile is being made, so a program that makes none pays nothing.
"""

import functools
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from . import _lines, engine
from .grad_mode import state
from .profiler_util import EventList, FunctionEvent, FunctionEventAvg, _format_time

__all__ = ["EventList", "FunctionEvent", "emit_itt", "emit_nvtx", "profile", "record_function"]


class _Active(threading.local):
    recorder: "Recorder | None" = None


_active = _Active()


class Recorder:
    """Collects the events of one thread between `start` and `stop`."""

    def __init__(self, record_shapes: bool = False, profile_memory: bool = False, with_stack: bool = False) -> None:
        self.record_shapes, self.profile_memory, self.with_stack = record_shapes, profile_memory, with_stack
        self.events: list[FunctionEvent] = []
        self.open: list[FunctionEvent] = []
        self.thread = threading.get_native_id()

    def start(self) -> None:
        if _active.recorder is not None:
            raise RuntimeError("Profiler is already enabled on this thread")
        _active.recorder = engine.recorder = self
        state.interceptors = (*state.interceptors, self)
        state.refresh()

    def stop(self) -> None:
        _active.recorder = engine.recorder = None
        state.interceptors = tuple([i for i in state.interceptors if i is not self])
        state.refresh()
        while self.open:
            self.end(self.open[-1])

    # ------------------------------------------------------------------ events
    def begin(self, name: str, args: Any = (), user: bool = False) -> FunctionEvent:
        """A new event, inside the innermost that is open."""
        e = FunctionEvent(
            len(self.events),
            name,
            self.thread,
            0.0,
            input_shapes=[_shape(a) for a in args] if self.record_shapes else None,
            stack=_stack() if self.with_stack else None,
            parent=self.open[-1] if self.open else None,
            user=user,
        )
        self.events.append(e)
        self.open.append(e)
        e.time_range.start = e.time_range.end = time.perf_counter_ns() / 1000
        return e

    def end(self, e: FunctionEvent) -> None:
        """End the event, and those inside it that an error left open."""
        now = time.perf_counter_ns() / 1000
        while e in self.open:
            self.open.pop().time_range.end = now

    # ------------------------------------------------------------------ what calls it
    def call(self, op: Any, args: tuple[Any, ...]) -> Any:
        """An operation: see `grad_mode.state`."""
        e = self.begin("aten::" + op.name, args)
        try:
            with state.below(self):
                out = op.function(*args)
        finally:
            self.end(e)
        if self.profile_memory:
            made = sum(_nbytes(t) for t in (out if isinstance(out, (tuple, list)) else (out,)))
            for around in (e, *self.open):
                around.cpu_memory_usage += made
        return out

    def timed(self, node: Any, runner: Callable[..., None]) -> Callable[..., None]:
        """A node's run in a backward pass of this thread."""
        if threading.get_native_id() != self.thread:
            return runner

        def run(*args: Any) -> None:
            e = self.begin("autograd::engine::evaluate_function: " + node.name())
            try:
                runner(*args)
            finally:
                self.end(e)

        return run


def _shape(value: Any) -> list[int]:
    return list(value.shape) if hasattr(value, "array") else []


def _nbytes(t: Any) -> int:
    """The bytes that a result holds; none for a view."""
    a = getattr(t, "array", None)
    return 0 if a is None or t.base is not None else a.size * a.dtype.itemsize


def _stack() -> list[str]:
    """The user's lines that are being run, innermost first."""
    found, frame = [], _lines.user_frame(sys._getframe(2))
    while frame is not None:
        code = frame.f_code
        if code.co_filename not in _lines.OURS:
            found.append(f"{code.co_filename}({frame.f_lineno}): {code.co_name}")
        frame = frame.f_back
    return found


class record_function:
    """Context manager and decorator: what runs inside appears in profiles under this name.

    >>> import minitorch as torch
    >>> with torch.profiler.profile() as prof:
    ...     with torch.profiler.record_function("both"):
    ...         y = torch.ones(3).exp() + 1
    >>> [event.name for event in prof.events()]
    ['both', 'aten::exp', 'aten::add']
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name, self.args = name, args
        self.event: FunctionEvent | None = None

    def __enter__(self) -> "record_function":
        self.recorder = _active.recorder
        self.event = None if self.recorder is None else self.recorder.begin(self.name, user=True)
        return self

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        if self.recorder is not None and self.event is not None:
            self.recorder.end(self.event)

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name, self.args):
                return func(*args, **kwargs)

        return wrapped


class profile:
    """Context manager that records operations; `torch.profiler.profile` adds schedules to it.

    >>> import minitorch as torch
    >>> with torch.autograd.profiler.profile() as prof:
    ...     y = torch.ones(3) * 2
    >>> [event.key for event in prof.key_averages()]
    ['aten::mul']
    """

    def __init__(
        self,
        enabled: bool = True,
        *,
        use_cuda: bool = False,
        use_device: str | None = None,
        record_shapes: bool = False,
        with_flops: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_modules: bool = False,
        use_kineto: bool = False,
        use_cpu: bool = True,
    ) -> None:
        for name, value in (("use_cuda", use_cuda), ("use_device", use_device), ("with_flops", with_flops)):
            if value:
                raise NotImplementedError(f"profile: {name}={value!r} is not supported by minitorch")
        if not use_cpu:
            raise NotImplementedError("profile: use_cpu=False is not supported by minitorch")
        self.enabled, self.entered = enabled, False
        self.record_shapes, self.profile_memory, self.with_stack = record_shapes, profile_memory, with_stack
        self.recorder: Recorder | None = None
        self._function_events: EventList | None = None

    def __enter__(self) -> "profile":
        if self.enabled:
            if self.entered:
                raise RuntimeError("Profiler context manager is not reentrant")
            self.entered = True
            self.recorder = Recorder(self.record_shapes, self.profile_memory, self.with_stack)
            self.recorder.start()
        return self

    def __exit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        if self.recorder is not None and self._function_events is None:
            self.recorder.stop()
            self._function_events = EventList(self.recorder.events, self.profile_memory, self.with_stack)

    def __repr__(self) -> str:
        return "<unfinished torch.autograd.profile>" if self._function_events is None else repr(self._function_events)

    def __str__(self) -> str:
        return "<unfinished torch.autograd.profile>" if self._function_events is None else str(self.key_averages())

    @property
    def function_events(self) -> EventList:
        """All events, in the order of their beginning."""
        if self._function_events is None:
            raise RuntimeError("Profiler didn't finish running")
        return self._function_events

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0) -> EventList:
        """The events of each name added up."""
        return self.function_events.key_averages(group_by_input_shape, group_by_stack_n)

    def table(self, sort_by: str | None = None, row_limit: int = 100, **options: Any) -> str:
        """The events as a table: see EventList.table."""
        return self.function_events.table(sort_by=sort_by, row_limit=row_limit, **options)

    def export_chrome_trace(self, path: str) -> None:
        """Write the events in the format of chrome://tracing and Perfetto."""
        self.function_events.export_chrome_trace(path)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Write the time spent in each stack of calls, for flame graphs."""
        if not self.with_stack:
            raise AssertionError("export_stacks() requires with_stack=True")
        self.function_events.export_stacks(path, metric)

    def total_average(self) -> FunctionEventAvg:
        """All events added up."""
        return self.function_events.total_average()

    @property
    def self_cpu_time_total(self) -> float:
        """The time in all events, in microseconds."""
        return self.function_events.self_cpu_time_total

    def self_cpu_time_total_str(self) -> str:
        """The same as text."""
        return _format_time(self.self_cpu_time_total)


class emit_nvtx:
    """In torch, marks operations for NVIDIA's profiler; here programs can make one, and `with` refuses it."""

    def __init__(self, enabled: bool = True, record_shapes: bool = False) -> None:
        self.enabled, self.record_shapes = enabled, record_shapes

    def __enter__(self) -> Any:
        if self.enabled:
            raise NotImplementedError(
                f"torch.autograd.profiler.{type(self).__name__} is not supported by minitorch: torch.profiler is"
            )

    def __exit__(self, *error: Any) -> None:
        pass


class emit_itt(emit_nvtx):
    """The same for Intel's profiler."""
