"""Timer: how long a statement takes."""

import enum
import statistics
import textwrap
import timeit
from collections.abc import Callable
from time import perf_counter
from typing import Any, NoReturn

from . import common

__all__ = ["Language", "Timer"]


class Language(enum.Enum):
    """What a statement is written in. Timer runs Python only."""

    PYTHON = 0
    CPP = 1


_LANGUAGES = {"py": Language.PYTHON, "python": Language.PYTHON, "cpp": Language.CPP, "c++": Language.CPP}


def _tidied(code: str) -> str:
    """A block of code without the indentation and the first line break that it has within a function."""
    return textwrap.dedent(code).removeprefix("\n").rstrip()


class Timer:
    """Measures a statement of Python, with the number of threads set for it and the first runs left out.

    `torch` in the statement is minitorch unless `globals` says otherwise.

    >>> import minitorch as torch
    >>> timer = torch.utils.benchmark.Timer("x + 1", globals={"x": torch.ones(10)}, label="add")
    >>> timer.timeit(100)
    <minitorch.utils.benchmark.utils.common.Measurement object at ...>
    add
      ...
      1 measurement, 100 runs , 1 thread
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = perf_counter,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: Language | str = Language.PYTHON,
    ) -> None:
        if not isinstance(stmt, str):
            raise ValueError("Currently only a `str` stmt is supported.")
        self._language = _LANGUAGES.get(language) if isinstance(language, str) else language
        if self._language is Language.CPP:
            raise NotImplementedError(
                f"Timer: language={language!r} is not supported by minitorch, which has no compiler for C++: time a "
                "statement of Python"
            )
        if self._language is not Language.PYTHON:
            raise ValueError(f"Invalid language `{language}`.")
        if global_setup:
            raise ValueError(
                f"global_setup is C++ only, got `{global_setup}`. Most likely this code can simply be moved to `setup`."
            )
        import minitorch

        stmt, setup = _tidied(stmt), _tidied(setup)
        self._timer = timeit.Timer(stmt, setup, timer, {"torch": minitorch, **(globals or {})})
        self._task_spec = common.TaskSpec(
            stmt, setup, global_setup, label, sub_label, description, env, num_threads=num_threads
        )

    def _timeit(self, number: int) -> float:
        return max(self._timer.timeit(number), 1e-9)  # never 0: callers divide by it

    def _measurement(self, number: int, times: list[float]) -> common.Measurement:
        return common.Measurement(number_per_run=number, raw_times=times, task_spec=self._task_spec)

    def timeit(self, number: int = 1000000) -> common.Measurement:
        """One measurement of this many runs, after a few that are not counted."""
        with common.set_torch_threads(self._task_spec.num_threads):
            self._timeit(max(number // 100, 2))
            return self._measurement(number, [self._timeit(number)])

    def repeat(self, repeat: int = -1, number: int = -1) -> None:
        """Not offered, as in torch."""
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def autorange(self, callback: Callable[[int, float], NoReturn] | None = None) -> None:
        """Not offered, as in torch."""
        raise NotImplementedError("See `Timer.blocked_autorange.`")

    def collect_callgrind(self, number: int = 100, **options: Any) -> NoReturn:
        """Not supported: it counts instructions of compiled programs under Valgrind."""
        raise NotImplementedError("Timer.collect_callgrind is not supported by minitorch")

    def _estimate_block_size(self, min_run_time: float) -> int:
        """Runs per measurement, so many that reading the clock does not count."""
        overhead = statistics.median(self._timeit(0) for _ in range(5))
        number = 1
        while True:
            taken = self._timeit(number)
            enough = overhead / taken <= 1e-4 and taken >= min_run_time / 1000
            if enough or taken > min_run_time or number * 10 > 2**31 - 1:
                return number
            number *= 10

    def _measure(
        self,
        block_time: float,
        enough: Callable[[int, list[float]], bool],
        min_run_time: float,
        max_run_time: float,
        callback: Callable[[int, float], Any] | None,
    ) -> common.Measurement:
        times: list[float] = []
        with common.set_torch_threads(self._task_spec.num_threads):
            number = self._estimate_block_size(block_time)
            while sum(times) <= max_run_time and (sum(times) < min_run_time or not enough(number, times)):
                times.append(self._timeit(number))
                if callback:
                    callback(number, times[-1])
        return self._measurement(number, times)

    def blocked_autorange(
        self, callback: Callable[[int, float], Any] | None = None, min_run_time: float = 0.2
    ) -> common.Measurement:
        """Measurements for `min_run_time` seconds, each of so many runs that reading the clock does not count."""
        return self._measure(min_run_time, lambda number, times: bool(times), min_run_time, float("inf"), callback)

    def adaptive_autorange(
        self,
        threshold: float = 0.1,
        *,
        min_run_time: float = 0.01,
        max_run_time: float = 10.0,
        callback: Callable[[int, float], Any] | None = None,
    ) -> common.Measurement:
        """The same until the quartiles are closer than `threshold` of the median, or `max_run_time` is over."""

        def steady(number: int, times: list[float]) -> bool:
            return len(times) > 3 and self._measurement(number, times).meets_confidence(threshold)

        return self._measure(0.05, steady, min_run_time, max_run_time, callback)
