"""Compare two result files: `python -m benchmarks.compare OLD NEW` fails past 10 % on any ratio.

Ratios to torch are compared, never times: they move little between machines and hours. A ratio that grew, but of which
some round of the new file was as good as some round of the old, is named and does not fail: it is to be measured again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.results import Row, load

TOLERATED = 1.1


def scattered(old: Row, new: Row) -> bool:
    """Whether the rounds of one file overlap those of the other."""
    return old.high is not None and new.low is not None and new.low <= old.high


def regressions(old: list[Row], new: list[Row]) -> tuple[list[str], list[str]]:
    """A line per row whose ratio grew too much or was lost; then those whose rounds scatter as much."""
    now = {row.key: row for row in new}
    grown, unsure = [], []
    for row in old:
        if row.ratio is None or row.note or row.bounds != "ratio":
            continue
        after = now.get(row.key)
        label = f"{row.section}: {row.name}, {row.device}, threads {row.threads}"
        if after is None or after.ratio is None or after.note:
            grown.append(f"{label}: {row.ratio:.3f} of torch before, no result now")
        elif after.ratio > TOLERATED * row.ratio:
            growth = 100 * (after.ratio / row.ratio - 1)
            lines = unsure if scattered(row, after) else grown
            lines.append(f"{label}: {row.ratio:.3f} -> {after.ratio:.3f} of torch (+{growth:.0f} %)")
    return grown, unsure


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    given = parser.parse_args(arguments)
    grown, unsure = regressions(load(given.old)[1], load(given.new)[1])
    print("\n".join(grown) or "no ratio grew by more than 10 %")
    if unsure:
        print("within the scatter of their rounds, to be measured again:", *unsure, sep="\n")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
