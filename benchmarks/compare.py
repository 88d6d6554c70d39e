"""Compare two result files: `python -m benchmarks.compare OLD NEW` fails past 10 % on any ratio.

Ratios to torch are compared, never times: they move little between machines and hours.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.results import Row, load

TOLERATED = 1.1


def regressions(old: list[Row], new: list[Row]) -> list[str]:
    """One line per row whose ratio grew too much, or that had a ratio and has none now."""
    now = {row.key: row for row in new}
    lines = []
    for row in old:
        if row.ratio is None or row.note or row.unit != "s":
            continue
        after = now.get(row.key)
        label = f"{row.section}: {row.name}, {row.device}, threads {row.threads}"
        if after is None or after.ratio is None or after.note:
            lines.append(f"{label}: {row.ratio:.3f} of torch before, no result now")
        elif after.ratio > TOLERATED * row.ratio:
            growth = 100 * (after.ratio / row.ratio - 1)
            lines.append(f"{label}: {row.ratio:.3f} -> {after.ratio:.3f} of torch (+{growth:.0f} %)")
    return lines


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    given = parser.parse_args(arguments)
    found = regressions(load(given.old)[1], load(given.new)[1])
    print("\n".join(found) or "no ratio grew by more than 10 %")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
