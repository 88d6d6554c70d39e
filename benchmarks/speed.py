"""Rows of the table of cases: test_speed.py in one process per framework, section and round."""

from __future__ import annotations

import json
import math
import re
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES, Case
from benchmarks.processes import Failed, Plan, python
from benchmarks.results import Row

ALLOWED = 1.1  # the targets are for one thread; with more, a ratio may be this much above them
FAILURE = re.compile(r"^(?:FAILED|ERROR) \S+::test_speed\[(.+)\] - (.+)$", re.MULTILINE)
FULL = ("--benchmark-max-time=0.4", "--benchmark-min-rounds=5")
QUICK = ("--benchmark-max-time=0.02", "--benchmark-min-rounds=2")


def measure(framework: str, section: str, threads: int, device: str, quick: bool) -> dict[str, Any]:
    """pytest-benchmark's record of each case of a section; of one that failed, the reason.

    The garbage collector stays on: its share is part of what a step costs in Python.
    """
    reasons: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "benchmark.json"
        try:
            python(
                *("-m", "pytest", "benchmarks/test_speed.py", "-q", "--tb=no"),
                *("-p", "no:cacheprovider", "-o", "addopts=", "-o", "filterwarnings="),
                *("--framework", framework, "--section", section, "--device", device),
                *(
                    "--benchmark-warmup=on",
                    "--benchmark-min-time=0.002",
                    *(QUICK if quick else FULL),
                ),
                f"--benchmark-json={path}",
                threads=threads,
            )
        except Failed as failure:
            reasons.update(FAILURE.findall(str(failure)))
            if not reasons:
                raise
        text = path.read_text() if path.exists() else ""
    found = json.loads(text)["benchmarks"] if text else []
    return reasons | {record["param"]: record for record in found}


def has_cuda(framework: str) -> bool:
    code = f"import {framework} as T; print(hasattr(T, 'cuda') and T.cuda.is_available())"
    return python("-c", code, threads=1).strip() == "True"


def settings(plan: Plan) -> Iterator[tuple[int, dict[str, str]]]:
    """Threads and each side's device: the CPU at each number of threads, then CUDA if any."""
    for threads in plan.threads:
        yield threads, dict.fromkeys(plan.sides, "cpu")
    if has_cuda("torch"):
        ours = "cuda" if has_cuda(plan.candidate) else "cpu"
        yield max(plan.threads), {"torch": "cuda", "ours": ours}


def target_of(case: Case, threads: int) -> float | None:
    return case.target if case.target is None or threads == 1 else case.target * ALLOWED


def compared(case: Case, threads: int, devices: dict[str, str], taken: dict[str, list]) -> Row:
    """The row of one case from its records, one per round and side."""
    on_cpu = set(devices.values()) == {"cpu"}
    row = Row(
        case.section,
        case.name,
        "s",
        None,
        target=target_of(case, threads) if on_cpu else None,
        threads=threads,
        device="cpu" if on_cpu else f"{devices['ours']} against {devices['torch']}",
    )
    if reasons := [record for side in taken for record in taken[side] if isinstance(record, str)]:
        return replace(row, note=reasons[0])

    def figures(side: str, statistic: str) -> list[float]:
        return [record["stats"][statistic] for record in taken[side]]

    def middle(side: str, statistic: str) -> float:
        return statistics.median(figures(side, statistic))

    ours, torch = (taken[side][0]["extra_info"]["value"] for side in ("ours", "torch"))
    same = math.isclose(ours, torch, rel_tol=1e-3, abs_tol=1e-6)
    return replace(
        row,
        ours=middle("ours", "min"),
        torch=middle("torch", "min"),
        median=middle("ours", "median") / middle("torch", "median"),
        spread=max(max(figures(side, "min")) / min(figures(side, "min")) for side in taken),
        note="" if same else f"computed {ours:.6g}, torch {torch:.6g}",
    )


def rows(plan: Plan, section: str) -> Iterator[Row]:
    cases = [case for case in CASES if case.section == section]
    for threads, devices in settings(plan):
        taken: dict[str, dict[str, list]] = {c.name: {s: [] for s in plan.sides} for c in cases}
        for _ in range(plan.rounds):
            for side, framework in plan.sides.items():
                found = measure(framework, section, threads, devices[side], plan.quick)
                for case in cases:
                    taken[case.name][side].append(found[case.name])
        for case in cases:
            yield compared(case, threads, devices, taken[case.name])
