"""Compare: measurements side by side in a table."""

import enum
import math
from collections.abc import Iterable

from .common import Measurement, ordered_unique, select_unit, trim_sigfig, unit_to_english

__all__ = ["Colorize", "Compare"]

BOLD, END = "\033[1m", "\033[0m"
# a time of at most so many times the best -> its colour; at least so many times -> another
GOOD = ((1.01, "\033[92m" + BOLD), (1.1, "\033[34m" + BOLD))
BAD = ((5, "\033[31m" + BOLD), (2, "\033[2m\033[91m"))
AS_GOOD_AS_BEST = 100e-9  # seconds


class Colorize(enum.Enum):
    """In which direction times are compared for their colours."""

    NONE = "none"
    COLUMNWISE = "columnwise"
    ROWWISE = "rowwise"


class Compare:
    """A table of measurements: a row per statement or sub-label, a column per description, a block per thread count.

    >>> from minitorch.utils.benchmark import Measurement
    >>> from minitorch.utils.benchmark.utils.common import TaskSpec
    >>> spec = {"setup": "pass", "label": "sum"}
    >>> a = Measurement(1, [2e-6], TaskSpec("x.sum()", description="before", **spec))
    >>> b = Measurement(1, [1e-6], TaskSpec("x.sum()", description="after", **spec))
    >>> for line in str(Compare([a, b])).splitlines():
    ...     print(line.rstrip())
    [------------- sum --------------]
                   |  before  |  after
    1 threads: -----------------------
          x.sum()  |   2.0    |   1.0
    <BLANKLINE>
    Times are in microseconds (us).
    """

    def __init__(self, results: Iterable[Measurement]) -> None:
        self._results: list[Measurement] = []
        self.extend_results(results)
        self._trim_significant_figures = self._highlight_warnings = False
        self._colorize = Colorize.NONE

    def __str__(self) -> str:
        return "\n".join(self._render())

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """Add measurements."""
        for r in results:
            if not isinstance(r, Measurement):
                raise ValueError(f"Expected an instance of `Measurement`, got {type(r)} instead.")
            self._results.append(r)

    def trim_significant_figures(self) -> None:
        """Show only digits that mean something."""
        self._trim_significant_figures = True

    def colorize(self, rowwise: bool = False) -> None:
        """Colour good and bad times, compared within their columns, or rows."""
        self._colorize = Colorize.ROWWISE if rowwise else Colorize.COLUMNWISE

    def highlight_warnings(self) -> None:
        """Mark times that vary too much."""
        self._highlight_warnings = True

    def print(self) -> None:
        """Print the table."""
        print(str(self))

    def _render(self) -> list[str]:
        by_label: dict[str | None, list[Measurement]] = {}
        for m in Measurement.merge(self._results):
            by_label.setdefault(m.label, []).append(m)
        return [_Table(label or "", results, self).render() for label, results in by_label.items()]


class _Table:
    """The table of one label."""

    def __init__(self, label: str, results: list[Measurement], options: Compare) -> None:
        self.label, self.results = label, results
        self.trim, self.colorize = options._trim_significant_figures, options._colorize
        self.warn = options._highlight_warnings and any(r.has_warnings for r in results)
        self.unit, self.scale = select_unit(min(r.median for r in results))
        self.descriptions = ordered_unique(r.description for r in results)
        keys = ordered_unique((r.num_threads, r.env, r.as_row_name) for r in results)
        self.keys = sorted(keys, key=lambda key: key[:2])
        self.cells = {((r.num_threads, r.env, r.as_row_name), r.description): r for r in results}

    def column(self, description: str | None) -> list[Measurement | None]:
        return [self.cells.get((key, description)) for key in self.keys]

    def numbers(self, description: str | None) -> list[str]:
        """A column's times as text, with their decimal points in one place."""
        column = self.column(description)
        there = [m for m in column if m is not None]
        digits = [math.ceil(math.log10(m.median / self.scale)) for m in there]
        decimals = 1
        if self.trim:
            decimals = min(max(m.significant_figures - d, 0) for m, d in zip(there, digits, strict=True))
        width = max(digits) + decimals + (1 if decimals else 0)
        spread = 7 if self.warn and any(m.has_warnings for m in there) else 0
        found = []
        for m in column:
            if m is None:
                found.append(" " * max(width + spread, len(f"{1:.{decimals}f}")))
                continue
            value = m.median / self.scale
            value = trim_sigfig(value, m.significant_figures) if self.trim else value
            mark = f" (! {m.iqr / m.median * 100:.0f}%)" if spread and m.has_warnings else ""
            found.append(f"{value:>{width}.{decimals}f}{mark:>{spread}}")
        return found

    def names(self) -> list[str]:
        """The first column: where statements were run, if not all in one place, and what they are."""
        several = len({env for _, env, _ in self.keys}) > 1
        width = max(len(str(env)) for _, env, _ in self.keys) + 4 if several else 4
        found, before = [], None
        for threads, env, name in self.keys:
            place = f"({env})" if several and (threads, env) != before else ""
            found.append("  " + place.ljust(width) + name)
            before = threads, env
        return found

    def best(self, key: tuple, description: str | None) -> float:
        """The time that the one in this cell is compared with."""
        rowwise = self.colorize is Colorize.ROWWISE
        return min(
            m.median
            for (other, column), m in self.cells.items()
            if (other == key if rowwise else column == description and other[0] == key[0])
        )

    def coloured(self, text: str, key: tuple, description: str | None) -> str:
        m = self.cells.get((key, description))
        if m is None or self.colorize is Colorize.NONE:
            return text
        best = self.best(key, description)
        for factor, start in GOOD:
            if m.median <= best * factor or (factor == GOOD[0][0] and m.median <= best + AS_GOOD_AS_BEST):
                return start + text + END * 2
        for factor, start in BAD:
            if m.median >= best * factor:
                return start + text + END * 2
        return text

    def render(self) -> str:
        names = self.names()
        columns = [self.numbers(d) for d in self.descriptions]
        titles = [d or "" for d in self.descriptions]
        widths = [max(map(len, [t, *c])) for t, c in zip(titles, columns, strict=True)]
        first = max(map(len, names))
        head = "  |  ".join([" " * first, *[t.center(w) for t, w in zip(titles, widths, strict=True)]])
        lines, threads = [f"[{f' {self.label} '.center(len(head) - 2, '-')}]", head], None
        for i, key in enumerate(self.keys):
            if key[0] != threads:
                threads = key[0]
                lines.append(f"{threads} threads: ".ljust(len(head), "-"))
            cells = [
                self.coloured(column[i].center(w), key, d)
                for column, w, d in zip(columns, widths, self.descriptions, strict=True)
            ]
            lines.append("  |  ".join([names[i].ljust(first), *cells]))
        lines += ["", f"Times are in {unit_to_english(self.unit)}s ({self.unit}).", ""]
        if self.warn:
            lines[-1] = "(! XX%) Measurement has high variance, where XX is the IQR / median * 100.\n"
        return "\n".join(lines)
