"""Run the benchmarks: `python -m benchmarks.run [--only workloads,cold] [--threads 1,2] [--rounds 3]`.

Writes benchmarks/results/cpu-<date>-<cpu>.json after every part, then the report and its pictures beside it. A file
that is there already, of the same machine and versions, is continued: what is measured again takes its old row's place,
so an interrupted run keeps what it had, and `--resume` leaves out the parts that the file has of this commit.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks import cold, first_use, memory, report, roofline, speed, threads, training, workloads
from benchmarks.cases import SECTIONS
from benchmarks.processes import Failed, Plan
from benchmarks.results import Row, begun, machine, merged, now, path_for, save


class Part(NamedTuple):
    """`minutes` is what it takes on two idle cores with three rounds at one and at two threads."""

    rows: Callable[[Plan], Iterator[Row]]
    minutes: float


def of_cases(*sections: str) -> Callable[[Plan], Iterator[Row]]:
    return partial(speed.rows, sections=sections)


MATRICES = ("linear algebra", "images")
KERNELS = ("matmul", "convolution", "pooling", "losses", "updates", "recurrent", "attention", "normalization")
APART = ("families", "layouts", "loading", "models")
ARRAYS = tuple(section for section in SECTIONS if section not in (*MATRICES, *KERNELS, *APART))
PARTS = {
    "workloads": Part(workloads.rows, 8),
    "models": Part(of_cases("models"), 1),
    "cold": Part(cold.rows, 1),
    "roofline": Part(roofline.rows, 0.3),
    "kernels": Part(of_cases(*KERNELS), 3),
    "families": Part(of_cases("families"), 10),
    "arrays": Part(of_cases(*ARRAYS), 4),
    "layouts": Part(of_cases("layouts"), 2),
    "matrices": Part(of_cases(*MATRICES), 2.5),
    "loading": Part(of_cases("loading"), 1),
    "training": Part(training.rows, 0.5),
    "memory": Part(memory.rows, 1),
    "threads": Part(threads.rows, 0.5),
    "first_use": Part(first_use.rows, 12),
}
USUAL = [part for part in PARTS if part != "first_use"]


def measured(plan: Plan, part: str) -> list[Row]:
    rows: list[Row] = []
    try:
        for row in PARTS[part].rows(plan):
            rows.append(row)
            print("  " + " | ".join(report.cells(row)), flush=True)
    except Failed as failure:
        rows.append(Row(part, "the rest of this part", "s", None, note=failure.reason))
        print("  " + " | ".join(report.cells(rows[-1])), flush=True)
    return rows


def options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.epilog = "parts, and minutes on two idle cores:\n" + "\n".join(
        f"  {name:10} {part.minutes:4g}{'' if name in USUAL else '  (only if named)'}" for name, part in PARTS.items()
    )
    parser.add_argument("--candidate", default="minitorch", help="torch checks the harness: ratio 1")
    parser.add_argument("--threads", default="1,2", help="numbers of threads, with commas")
    parser.add_argument("--rounds", type=int, default=3, help="processes per figure; medians count")
    parser.add_argument("--only", default=",".join(USUAL), help="parts, with commas; default: %(default)s")
    parser.add_argument("--match", default="", help="only cases with this in their name")
    parser.add_argument("--resume", action="store_true", help="leave out the parts that the file has of this commit")
    parser.add_argument("--quick", action="store_true", help="one short round, not figures to quote")
    parser.add_argument("--output", type=Path, help="the JSON file; the report is written beside it")
    given = parser.parse_args(arguments)
    given.parts = given.only.split(",")
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"unknown parts: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return given


def main(arguments: list[str] | None = None) -> None:
    given = options(arguments)
    threads = tuple(map(int, given.threads.split(",")))
    plan = Plan(given.candidate, threads, 1 if given.quick else given.rounds, given.quick, given.match)
    about = {**machine(), "candidate": plan.candidate, "quick": plan.quick}
    path = given.output or path_for(about)
    about, rows = begun(path, about)
    for part in given.parts:
        started, state = time.perf_counter(), now()
        if given.resume and about["parts"].get(part, {}).get("commit") == state["commit"]:
            continue
        print(f"{part} (about {PARTS[part].minutes:g} min on an idle machine)", flush=True)
        rows = merged(rows, measured(plan, part))
        minutes = round((time.perf_counter() - started) / 60, 1)
        about["parts"][part] = {**state, "threads": list(threads), "rounds": plan.rounds, "minutes": minutes}
        save(path, about, rows)
    report.write(path)
    print(f"{report.summary(rows)}; {path} and report.md beside it")


if __name__ == "__main__":
    main()
