"""profile: recording over the steps of a training loop."""

import gzip
import json
import os
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from minitorch.autograd.profiler import Recorder, record_function
from minitorch.autograd.profiler_util import EventList, trace_events

__all__ = [
    "ProfilerAction",
    "ProfilerActivity",
    "profile",
    "schedule",
    "supported_activities",
    "tensorboard_trace_handler",
]


class ProfilerActivity(Enum):
    """What can be recorded: "CPU"; the others are accepted and have nothing to record here."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4


class ProfilerAction(Enum):
    """What to do in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def supported_activities() -> set[ProfilerActivity]:
    """The activities that can be recorded."""
    return {ProfilerActivity.CPU}


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """The action of each step: after `skip_first` steps, `repeat` cycles (0: for ever) of wait, warmup and active.

    >>> [action.name for action in map(schedule(wait=1, warmup=1, active=2), range(5))]
    ['NONE', 'WARMUP', 'RECORD', 'RECORD_AND_SAVE', 'NONE']
    """
    if wait < 0 or warmup < 0 or active <= 0 or repeat < 0 or skip_first < 0:
        raise AssertionError(
            f"Invalid profiler schedule arguments. Got wait={wait} (need >= 0), warmup={warmup} (need >= 0), "
            f"active={active} (need > 0), repeat={repeat} (need >= 0), skip_first={skip_first} (need >= 0)."
        )
    if warmup == 0:
        warnings.warn("Profiler won't be using warmup, this can skew profiler results", stacklevel=2)

    def schedule_fn(step: int) -> ProfilerAction:
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first
        if skip_first_wait:
            step += wait
        cycle = wait + warmup + active
        if repeat and step // cycle >= repeat:
            return ProfilerAction.NONE
        at = step % cycle
        if at < wait:
            return ProfilerAction.NONE
        if at < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if at < cycle - 1 else ProfilerAction.RECORD_AND_SAVE

    return schedule_fn


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[["profile"], None]:
    """For `on_trace_ready`: write each trace to a file of its own in the folder."""

    def handler_fn(prof: "profile") -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        name = f"{worker}.{time.time_ns()}.pt.trace.json" + ".gz" * use_gzip
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return handler_fn


class profile:
    """Context manager that records the operations of this thread: how often each ran and for how long.

    With a `schedule`, call `step()` after each step of the loop; `on_trace_ready(prof)` is called whenever a cycle
    ends. The bytes that `profile_memory` shows are those of the results; what an operation frees is not counted.

    >>> import minitorch as torch
    >>> with torch.profiler.profile(record_shapes=True) as prof:
    ...     y = torch.ones(2, 3) @ torch.ones(3, 4)
    >>> [(event.key, event.count, event.input_shapes) for event in prof.key_averages(group_by_input_shape=True)]
    [('aten::mm', 1, [[2, 3], [3, 4]])]
    >>> print(prof.key_averages().table(sort_by="cpu_time_total", row_limit=5))
    -... CPU total %  ...
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[..., Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        experimental_config: Any = None,
        execution_trace_observer: Any = None,
        acc_events: bool = False,
        use_cuda: bool | None = None,
    ) -> None:
        unsupported = {
            "with_flops": with_flops,
            "experimental_config": experimental_config,
            "execution_trace_observer": execution_trace_observer,
            "use_cuda": use_cuda,
        }
        for name, value in unsupported.items():
            if value:
                raise NotImplementedError(f"profile: {name}={value!r} is not supported by minitorch")
        self.activities = supported_activities() if activities is None else set(activities)
        if not self.activities:
            raise AssertionError("No valid profiler activities found")
        self.schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self.record_steps = schedule is not None
        self.on_trace_ready, self.acc_events = on_trace_ready, acc_events
        self.record_shapes, self.profile_memory, self.with_stack = record_shapes, profile_memory, with_stack
        self.step_num = 0
        self.current_action = self.schedule(0)
        self.step_rec_fn: record_function | None = None
        self._recorder: Recorder | None = None
        self._events: EventList | None = None
        self._metadata: dict[str, Any] = {}

    # ------------------------------------------------------------------ steps
    def __enter__(self) -> "profile":
        self.start()
        return self

    def __exit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        self.stop()

    def start(self) -> None:
        """Begin: what entering the context does."""
        if self.current_action in _RECORDING:
            self._start_trace()
        self._begin_step()

    def stop(self) -> None:
        """End: what leaving the context does."""
        self._end_step()
        if self.current_action in _RECORDING:
            self._end_trace()

    def step(self) -> None:
        """Say that the next step of the loop begins."""
        self._end_step()
        before, self.step_num = self.current_action, self.step_num + 1
        self.current_action = self.schedule(self.step_num)
        recording = self.current_action in _RECORDING
        if before is ProfilerAction.RECORD and not recording:
            name = self.current_action.name
            warnings.warn(f"Incorrect schedule: RECORD followed by {name}", stacklevel=2)
            self._stop_trace()
        elif before is ProfilerAction.RECORD_AND_SAVE:
            self._end_trace()
        if recording and self._recorder is None:
            self._start_trace()
        self._begin_step()

    def _begin_step(self) -> None:
        if self.record_steps and self._recorder is not None:
            self.step_rec_fn = record_function(f"ProfilerStep#{self.step_num}")
            self.step_rec_fn.__enter__()

    def _end_step(self) -> None:
        if self.step_rec_fn is not None:
            self.step_rec_fn.__exit__(None, None, None)
            self.step_rec_fn = None

    def _start_trace(self) -> None:
        self._recorder = Recorder(self.record_shapes, self.profile_memory, self.with_stack)
        self._recorder.start()

    def _stop_trace(self) -> None:
        if self._recorder is not None:
            self._recorder.stop()
            earlier = list(self._events or ()) if self.acc_events else []
            self._events = EventList(earlier + self._recorder.events, self.profile_memory, self.with_stack)
            self._recorder = None

    def _end_trace(self) -> None:
        self._stop_trace()
        if self.on_trace_ready is not None:
            self.on_trace_ready(self)

    # ------------------------------------------------------------------ results
    def _finished(self, what: str) -> EventList:
        if self._events is None:
            raise AssertionError(f"Profiler must be initialized before {what}")
        return self._events

    def events(self) -> EventList:
        """All events of the last cycle, in the order of their beginning."""
        return self._finished("accessing events")

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """The events of each name added up."""
        if group_by_overload_name:
            raise NotImplementedError("key_averages: group_by_overload_name=True is not supported by minitorch")
        return self._finished("getting key averages").key_averages(group_by_input_shape, group_by_stack_n)

    def export_chrome_trace(self, path: str) -> None:
        """Write the events in the format of chrome://tracing and Perfetto; compressed if the path ends in .gz."""
        trace = {
            "schemaVersion": 1,
            "displayTimeUnit": "ms",
            "record_shapes": int(self.record_shapes),
            "with_stack": int(self.with_stack),
            **self._metadata,
            "traceEvents": _process_name() + trace_events(self._finished("exporting chrome trace"), os.getpid()),
            "traceName": path,
        }
        with (gzip.open if path.endswith(".gz") else open)(path, "wt") as f:
            json.dump(trace, f)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Write the time spent in each stack of calls, for flame graphs; needs `with_stack`."""
        if not self.with_stack:
            raise AssertionError("export_stacks() requires with_stack=True")
        self._finished("exporting stacks").export_stacks(path, metric)

    def add_metadata(self, key: str, value: str) -> None:
        """Add a string to the trace under this key."""
        self._metadata[key] = value

    def add_metadata_json(self, key: str, value: str) -> None:
        """Add what the JSON text holds to the trace under this key."""
        self._metadata[key] = json.loads(value)


def _process_name() -> list[dict[str, Any]]:
    name = os.path.basename(sys.executable or "python")
    return [{"ph": "M", "name": "process_name", "ts": 0, "pid": os.getpid(), "tid": 0, "args": {"name": name}}]
