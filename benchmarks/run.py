"""Run the benchmarks: `python -m benchmarks.run [--quick] [--only steps,cold]`.

Writes benchmarks/results/<date>-<cpu>.json, report.md and report.png beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import cold, first_use, memory, report, speed, training
from benchmarks.cases import SECTIONS
from benchmarks.processes import Failed, Plan
from benchmarks.results import Row, machine, path_for, save

PARTS = (*SECTIONS, "cold", "first_use", "memory", "training")


def measured(plan: Plan, part: str) -> list[Row]:
    if part in SECTIONS:
        found = speed.rows(plan, part)
    else:
        found = {"cold": cold, "first_use": first_use, "memory": memory, "training": training}[part].rows(plan)
    rows = []
    try:
        for row in found:
            rows.append(row)
            print("  " + " | ".join(report.cells(row)), flush=True)
    except Failed as failure:
        rows.append(Row(part, "the rest of this part", "s", None, note=failure.reason))
        print("  " + " | ".join(report.cells(rows[-1])), flush=True)
    return rows


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidate", default="minitorch", help="torch checks the harness: ratio 1")
    parser.add_argument("--threads", default="1,2", help="numbers of threads, with commas")
    parser.add_argument("--rounds", type=int, default=3, help="processes per figure; medians count")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas; all: %(default)s")
    parser.add_argument("--quick", action="store_true", help="one short round, not figures to quote")
    parser.add_argument("--output", type=Path, help="the JSON file; the report is written beside it")
    given = parser.parse_args(arguments)
    parts = given.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown parts: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    threads = tuple(map(int, given.threads.split(",")))
    plan = Plan(given.candidate, threads, 1 if given.quick else given.rounds, given.quick)
    about = {**machine(), "candidate": plan.candidate, "rounds": plan.rounds, "quick": plan.quick}
    rows = []
    for part in parts:
        print(part, flush=True)
        rows += measured(plan, part)
    path = given.output or path_for(about)
    save(path, about, rows)
    report.write(path)
    print(f"{report.summary(rows)}; {path} and report.md beside it")


if __name__ == "__main__":
    main()
