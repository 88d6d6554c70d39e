"""What a profile consists of: events, their sums by name, and the table of these."""

import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

__all__ = ["EventList", "FormattedTimesMixin", "FunctionEvent", "FunctionEventAvg", "Interval"]

US_IN_SECOND = 1000.0 * 1000.0
US_IN_MS = 1000.0


def _format_time(time_us: float) -> str:
    """Microseconds in the unit that suits them.

    >>> _format_time(12.0), _format_time(1500.0)
    ('12.000us', '1.500ms')
    """
    if time_us >= US_IN_SECOND:
        return f"{time_us / US_IN_SECOND:.3f}s"
    if time_us >= US_IN_MS:
        return f"{time_us / US_IN_MS:.3f}ms"
    return f"{time_us:.3f}us"


def _format_time_share(time_us: float, total_time_us: float) -> str:
    """The share of the total in percent."""
    if total_time_us == 0:
        return "NaN"
    return f"{time_us * 100.0 / total_time_us:.2f}%"


def _format_memory(nbytes: float) -> str:
    """Bytes in the unit that suits them.

    >>> _format_memory(1536)
    '1.50 KB'
    """
    for unit, size in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if abs(nbytes) >= size:
            return f"{nbytes / size:.2f} {unit}"
    return f"{nbytes} B"


class Interval:
    """From `start` to `end`, in microseconds."""

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, end

    def elapsed_us(self) -> float:
        """How long it lasted."""
        return self.end - self.start


class FormattedTimesMixin:
    """Times as text, and averages."""

    count: int
    cpu_time_total: float
    self_cpu_time_total: float

    @property
    def cpu_time(self) -> float:
        """Time per call, in microseconds."""
        return self.cpu_time_total / self.count if self.count else 0.0

    cpu_time_str = property(lambda self: _format_time(self.cpu_time))
    cpu_time_total_str = property(lambda self: _format_time(self.cpu_time_total))
    self_cpu_time_total_str = property(lambda self: _format_time(self.self_cpu_time_total))
    device_time = device_time_total = self_device_time_total = property(lambda self: 0)
    cuda_time = cuda_time_total = self_cuda_time_total = property(lambda self: 0)


class FunctionEvent(FormattedTimesMixin):
    """One call: of an operation, of a node's gradient, or of a region that the program named."""

    is_user_annotation = False

    def __init__(self, id: int, name: str, thread: int, start_us: float, **details: Any) -> None:
        self.id, self.name, self.thread, self.count = id, name, thread, 1
        self.time_range = Interval(start_us, start_us)
        self.input_shapes: Any = details.get("input_shapes") or []
        self.stack: list[str] = details.get("stack") or []
        self.is_user_annotation = details.get("user", False)
        self.cpu_parent: FunctionEvent | None = details.get("parent")
        self.cpu_children: list[FunctionEvent] = []
        self.cpu_memory_usage = 0
        if self.cpu_parent is not None:
            self.cpu_parent.cpu_children.append(self)

    key = property(lambda self: self.name)

    @property
    def cpu_time_total(self) -> float:  # type: ignore[override]
        """How long the call took, in microseconds."""
        return self.time_range.elapsed_us()

    @property
    def self_cpu_time_total(self) -> float:  # type: ignore[override]
        """The same without the calls within it."""
        return self.cpu_time_total - sum(child.cpu_time_total for child in self.cpu_children)

    @property
    def self_cpu_memory_usage(self) -> int:
        """The bytes of its results, without those of the calls within it."""
        return self.cpu_memory_usage - sum(child.cpu_memory_usage for child in self.cpu_children)

    def __repr__(self) -> str:
        return (
            f"<FunctionEvent id={self.id} name={self.name} cpu_time={self.cpu_time_str} "
            f"cpu_start_us={self.time_range.start} cpu_end_us={self.time_range.end} thread={self.thread} "
            f"input_shapes={self.input_shapes}>"
        )


class FunctionEventAvg(FormattedTimesMixin):
    """The events of one name, added up."""

    def __init__(self) -> None:
        self.key: str | None = None
        self.count = 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        self.cpu_memory_usage = self.self_cpu_memory_usage = 0
        self.input_shapes: Any = None
        self.stack: list[str] = []
        self.is_user_annotation = False
        self.cpu_parent: Any = None

    def add(self, other: Any) -> "FunctionEventAvg":
        """Add an event, or the sum of others."""
        if self.key is None:
            self.key, self.input_shapes, self.stack = other.key, other.input_shapes, other.stack
            self.is_user_annotation, self.cpu_parent = other.is_user_annotation, other.cpu_parent
        for name in ("count", "cpu_time_total", "self_cpu_time_total", "cpu_memory_usage", "self_cpu_memory_usage"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    __iadd__ = add

    def __repr__(self) -> str:
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={self.self_cpu_time_total_str} "
            f"cpu_time={self.cpu_time_str}  input_shapes={self.input_shapes} cpu_memory_usage={self.cpu_memory_usage}>"
        )


class EventList(list):
    """Events, or their sums, with the table of them."""

    _columns: ClassVar[int] = 12  # the width of a column of numbers

    def __init__(self, events: Iterable[Any] = (), profile_memory: bool = False, with_stack: bool = False) -> None:
        super().__init__(events)
        self._profile_memory, self._with_stack = profile_memory, with_stack

    def __str__(self) -> str:
        return self.table()

    @property
    def self_cpu_time_total(self) -> float:
        """The time in all events, in microseconds."""
        return sum(e.self_cpu_time_total for e in self)

    def key_averages(self, group_by_input_shapes: bool = False, group_by_stack_n: int = 0) -> "EventList":
        """The events of each name added up; of each name and shapes, or innermost stack entries, if asked."""
        sums: dict[Any, FunctionEventAvg] = {}
        for e in self:
            key = [e.key]
            if group_by_input_shapes:
                key.append(str(e.input_shapes))
            if group_by_stack_n:
                key += e.stack[:group_by_stack_n]
            sums.setdefault(tuple(key), FunctionEventAvg()).add(e)
        made = EventList(sums.values(), self._profile_memory, self._with_stack)
        for e in made:
            e.stack = e.stack[:group_by_stack_n]
            e.input_shapes = e.input_shapes if group_by_input_shapes else ""
        return made

    def total_average(self) -> FunctionEventAvg:
        """All events added up."""
        total = FunctionEventAvg()
        for e in self:
            total += e
            total.key = None
        total.key = "Total"
        return total

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int = 55,
        max_shapes_column_width: int = 80,
        header: str | None = None,
        top_level_events_only: bool = False,
    ) -> str:
        """The events as a table, sorted by an attribute such as "cpu_time_total", largest first."""
        if not self:
            return ""
        events = sorted(self, key=lambda e: getattr(e, sort_by), reverse=True) if sort_by is not None else list(self)
        if top_level_events_only:
            events = [e for e in events if e.cpu_parent is None]
        total = self.self_cpu_time_total
        columns: list[tuple[str, int, Callable[[Any], str], str]] = []  # title, width, text of an event, alignment

        def text_column(title: str, text: Callable[[Any], str], limit: int) -> None:
            width = min(max(len(text(e)) for e in events) + 4 if events else 0, limit) if limit else 0
            columns.append((title, max(width, len(title) if title != "Name" else width), lambda e: text(e), ">"))

        text_column("Name", lambda e: e.key, max_name_column_width)
        columns += [
            ("Self CPU %", self._columns, lambda e: _format_time_share(e.self_cpu_time_total, total), ">"),
            ("Self CPU", self._columns, lambda e: e.self_cpu_time_total_str, ">"),
            ("CPU total %", self._columns, lambda e: _format_time_share(e.cpu_time_total, total), ">"),
            ("CPU total", self._columns, lambda e: e.cpu_time_total_str, ">"),
            ("CPU time avg", self._columns, lambda e: e.cpu_time_str, ">"),
        ]
        if self._profile_memory:
            columns += [
                ("CPU Mem", self._columns, lambda e: _format_memory(e.cpu_memory_usage), ">"),
                ("Self CPU Mem", self._columns, lambda e: _format_memory(e.self_cpu_memory_usage), ">"),
            ]
        columns.append(("# of Calls", self._columns, lambda e: str(e.count), ">"))
        if any(e.input_shapes for e in events):
            text_column("Input Shapes", lambda e: str(e.input_shapes or []), max_shapes_column_width)
        if any(e.stack for e in events):
            text_column("Source Location", lambda e: e.stack[0] if e.stack else "", max_src_column_width)
        return _lines(columns, events[:row_limit] if row_limit >= 0 else events, header, total)

    def export_chrome_trace(self, path: str) -> None:
        """Write the events in the format of chrome://tracing and Perfetto."""
        with open(path, "w") as f:
            json.dump({"schemaVersion": 1, "displayTimeUnit": "ms", "traceEvents": trace_events(self)}, f)

    def supported_export_stacks_metrics(self) -> list[str]:
        """The metrics that `export_stacks` takes."""
        return ["self_cpu_time_total"]

    def export_stacks(self, path: str, metric: str) -> None:
        """Write the time spent in each stack of calls, one a line, for flame graphs."""
        if metric not in self.supported_export_stacks_metrics():
            raise ValueError("metric should be one of: " + str(self.supported_export_stacks_metrics()))
        translated = str.maketrans(" ;\t\n", "____")
        with open(path, "w") as f:
            for e in self:
                if e.stack and int(getattr(e, metric)) > 0:
                    stack = ";".join(entry.translate(translated) for entry in reversed(e.stack))
                    f.write(f"{stack} {int(getattr(e, metric))}\n")


def _lines(columns: list[Any], events: list[Any], header: str | None, total: float) -> str:
    separator = "  ".join("-" * width for _, width, _, _ in columns) + "  "
    template = "  ".join(f"{{:{align}{width}}}" for _, width, _, align in columns) + "  "
    lines = [] if header is None else ["=" * (len(separator) - 2), header]
    lines += [separator, template.format(*[title for title, _, _, _ in columns]), separator]
    for e in events:
        cells = [text(e) for _, _, text, _ in columns]
        cut = [c if len(c) <= w else c[: w - 3] + "..." for c, (_, w, _, _) in zip(cells, columns, strict=True)]
        lines.append(template.format(*cut))
    return "\n".join([*lines, separator, f"Self CPU time total: {_format_time(total)}", ""])


def trace_events(events: Iterable[FunctionEvent], process: int = 0) -> list[dict[str, Any]]:
    """The events as chrome://tracing has them."""
    made = []
    for e, number in zip(events, itertools.count(1)):
        args: dict[str, Any] = {"External id": number}
        if e.input_shapes:
            args["Input Dims"] = e.input_shapes
        if e.stack:
            args["Call stack"] = ";".join(e.stack)
        made.append(
            {
                "ph": "X",
                "cat": "user_annotation" if e.is_user_annotation else "cpu_op",
                "name": e.name,
                "pid": process,
                "tid": e.thread,
                "ts": e.time_range.start,
                "dur": e.cpu_time_total,
                "args": args,
            }
        )
    return made
