"""Measurements, what was measured, and how their numbers are shown."""

import contextlib
import dataclasses
import math
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

__all__ = [
    "Measurement", "TaskSpec", "ordered_unique", "select_unit", "set_torch_threads", "trim_sigfig", "unit_to_english",
]  # fmt: skip

MAX_SIGNIFICANT_FIGURES = 4
MIN_CONFIDENCE_INTERVAL = 25e-9  # the resolution of clocks, in seconds
IQR_WARN_THRESHOLD = 0.1
IQR_GROSS_WARN_THRESHOLD = 0.25
UNITS = {"ns": (1e-9, "nanosecond"), "us": (1e-6, "microsecond"), "ms": (1e-3, "millisecond"), "s": (1, "second")}


@dataclasses.dataclass(init=True, repr=False, eq=True, frozen=True)
class TaskSpec:
    """What is measured: the statement, its labels and the number of threads."""

    stmt: str
    setup: str
    global_setup: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1

    @property
    def title(self) -> str:
        """The label and sub-label, or what there is in their place."""
        if self.label is not None:
            return self.label + (f": {self.sub_label}" if self.sub_label else "")
        if "\n" not in self.stmt:
            return self.stmt + (f": {self.sub_label}" if self.sub_label else "")
        return f"stmt:{f' ({self.sub_label})' if self.sub_label else ''}\n{textwrap.indent(self.stmt, '  ')}"

    def setup_str(self) -> str:
        """The setup as text; empty if there is none."""
        if self.setup == "pass" or not self.setup:
            return ""
        return f"setup:\n{textwrap.indent(self.setup, '  ')}" if "\n" in self.setup else f"setup: {self.setup}"

    def summarize(self) -> str:
        """Title, description and setup, one below the other."""
        parts = [self.title, self.description or "", self.setup_str()]
        return "\n".join(part + "\n" * ("\n" in part) for part in parts if part)


@dataclasses.dataclass(init=True, repr=False)
class Measurement:
    """Times of a statement, in seconds for `number_per_run` runs each; attributes of its TaskSpec are its own too.

    >>> m = Measurement(10, [2e-5, 3e-5, 4e-5], TaskSpec("x + 1", "pass"))
    >>> round(m.median, 9), m.stmt
    (3e-06, 'x + 1')
    """

    number_per_run: int
    raw_times: list[float]
    task_spec: TaskSpec
    metadata: dict[Any, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if name in TaskSpec.__dataclass_fields__:
            return getattr(self.task_spec, name)
        raise AttributeError(f"'Measurement' object has no attribute '{name}'")

    @property
    def times(self) -> list[float]:
        """Seconds per run."""
        return [t / self.number_per_run for t in self.raw_times]

    def _quantile(self, q: float) -> float:
        return float(np.quantile(self.times, q)) if self.raw_times else -1.0

    @property
    def median(self) -> float:
        """Seconds per run, half of the times being below."""
        return self._quantile(0.5)

    @property
    def mean(self) -> float:
        """The average of seconds per run."""
        return float(np.mean(self.times)) if self.raw_times else -1.0

    @property
    def iqr(self) -> float:
        """The distance between the quartiles."""
        return self._quantile(0.75) - self._quantile(0.25)

    @property
    def significant_figures(self) -> int:
        """How many digits of the median mean something, by the spread of the middle half."""
        times = sorted(self.times)
        middle = times[len(times) // 4 : math.ceil(3 * len(times) / 4)]
        interval = max(1.645 * float(np.std(middle)) / math.sqrt(len(middle)), MIN_CONFIDENCE_INTERVAL)
        return min(max(math.floor(math.log10(self.median / interval)), 1), MAX_SIGNIFICANT_FIGURES)

    @property
    def _warnings(self) -> list[str]:
        if not self.raw_times or self.meets_confidence(IQR_WARN_THRESHOLD):
            return []
        gross = not self.meets_confidence(IQR_GROSS_WARN_THRESHOLD)
        advice = (
            "This suggests significant environmental influence." if gross else "This could indicate system fluctuation."
        )
        share = self.iqr / self.median * 100
        return [
            f"  WARNING: Interquartile range is {share:.1f}% of the median measurement.",
            f"           {advice}",
        ]

    @property
    def has_warnings(self) -> bool:
        """Whether the times vary too much."""
        return bool(self._warnings)

    def meets_confidence(self, threshold: float = IQR_WARN_THRESHOLD) -> bool:
        """Whether the quartiles are closer than this share of the median."""
        return self.iqr / self.median < threshold

    @property
    def title(self) -> str:
        """The title of what was measured."""
        return self.task_spec.title

    @property
    def as_row_name(self) -> str:
        """Its name in a table."""
        return self.sub_label or self.stmt or "[Unknown]"

    def __repr__(self) -> str:
        n = len(self.raw_times)
        unit, scale = select_unit(self.median)
        lines = [object.__repr__(self), self.task_spec.summarize()]
        lines.append(f"  {'Median: ' if n > 1 else ''}{self.median / scale:.2f} {unit}")
        if n >= 4:
            low, high = self._quantile(0.25) / scale, self._quantile(0.75) / scale
            lines.append(f"  IQR:    {self.iqr / scale:.2f} {unit} ({low:.2f} to {high:.2f})")
        runs = f"{self.number_per_run} runs {'per measurement,' if n > 1 else ','}"
        plural = "s" if self.num_threads > 1 else ""
        lines.append(f"  {n} measurement{'s' if n > 1 else ''}, {runs} {self.num_threads} thread{plural}")
        return "\n".join([*lines, *self._warnings])

    @staticmethod
    def merge(measurements: Iterable["Measurement"]) -> list["Measurement"]:
        """One measurement for each TaskSpec, of all times of it."""
        times: dict[TaskSpec, list[float]] = {}
        for m in measurements:
            times.setdefault(m.task_spec, []).extend(m.times)
        return [Measurement(number_per_run=1, raw_times=t, task_spec=spec) for spec, t in times.items()]


def select_unit(t: float) -> tuple[str, float]:
    """The unit in which the time is a number of ordinary size, and its seconds.

    >>> select_unit(2e-5)
    ('us', 1e-06)
    """
    unit = {-3: "ns", -2: "us", -1: "ms"}.get(int(math.log10(t) // 3), "s")
    return unit, UNITS[unit][0]


def unit_to_english(u: str) -> str:
    """The unit's name.

    >>> unit_to_english("us")
    'microsecond'
    """
    return UNITS[u][1]


def trim_sigfig(x: float, n: int) -> float:
    """x rounded to n digits.

    >>> trim_sigfig(3141.6, 2)
    3100.0
    """
    if n != int(n):
        raise AssertionError("Number of significant figures must be an integer")
    scale = 10.0 ** (math.ceil(math.log10(abs(x))) - n)
    return float(round(x / scale) * scale)


def ordered_unique(elements: Iterable[Any]) -> list[Any]:
    """The elements, each once, in the order of their first appearance."""
    return list(dict.fromkeys(elements))


@contextlib.contextmanager
def set_torch_threads(n: int) -> Iterator[None]:
    """Let operations use this many threads meanwhile."""
    from minitorch import _settings

    before = _settings.get_num_threads()
    _settings.set_num_threads(n)
    try:
        yield
    finally:
        _settings.set_num_threads(before)
