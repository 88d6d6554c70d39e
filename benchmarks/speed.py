"""Rows of the table of cases: test_speed.py in one process per framework, part and round."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES, Case
from benchmarks.processes import Failed, Plan, python
from benchmarks.results import Row, compared, target_at

FAILURE = re.compile(r"^(?:FAILED|ERROR) \S+::test_speed\[(.+)\] - (.+)$", re.MULTILINE)
FULL = ("--benchmark-max-time=0.08", "--benchmark-min-rounds=3")
QUICK = ("--benchmark-max-time=0.01", "--benchmark-min-rounds=2")


def measure(framework: str, sections: Sequence[str], threads: int, device: str, plan: Plan) -> dict[str, Any]:
    """`min`, `median` and `value` of each case of the sections; of one that failed, the reason.

    The garbage collector stays on: its share is part of what a step costs in Python.
    """
    reasons: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "benchmark.json"
        try:
            python(
                *("-m", "pytest", "benchmarks/test_speed.py", "-q", "--tb=no"),
                *("-p", "no:cacheprovider", "-o", "addopts=", "-o", "filterwarnings="),
                *("--framework", framework, "--device", device),
                *("--sections", ",".join(sections), "--match", plan.match),
                *("--benchmark-warmup=off", "--benchmark-min-time=0.001", *(QUICK if plan.quick else FULL)),
                f"--benchmark-json={path}",
                threads=threads,
            )
        except Failed as failure:
            reasons.update(FAILURE.findall(str(failure)))
            if not reasons:
                raise
        text = path.read_text() if path.exists() else ""
    found = json.loads(text)["benchmarks"] if text else []
    return reasons | {
        record["param"]: {key: record["stats"][key] for key in ("min", "median")} | record["extra_info"]
        for record in found
    }


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


def row_of(case: Case, threads: int, devices: dict[str, str], taken: dict[str, list]) -> Row:
    """The row of one case from its answers, one per round and side; a text among them is why it failed."""
    on_cpu = set(devices.values()) == {"cpu"}
    row = Row(
        case.section,
        case.name,
        "s",
        None,
        target=target_at(case.target, threads) if on_cpu else None,
        threads=threads,
        device="cpu" if on_cpu else f"{devices['ours']} against {devices['torch']}",
        flops=case.flops,
        bytes=case.bytes,
    )
    if reasons := [answer for side in taken for answer in taken[side] if isinstance(answer, str)]:
        return replace(row, note=reasons[0])
    return compared(taken, row)


def rows(plan: Plan, sections: Sequence[str]) -> Iterator[Row]:
    cases = [case for case in CASES if case.section in sections and plan.wants(case)]
    for threads, devices in settings(plan) if cases else ():
        taken: dict[str, dict[str, list]] = {c.name: {s: [] for s in plan.sides} for c in cases}
        for _ in range(plan.rounds):
            for side, framework in plan.sides.items():
                found = measure(framework, sections, threads, devices[side], plan)
                for case in cases:
                    taken[case.name][side].append(found[case.name])
        for case in cases:
            yield row_of(case, threads, devices, taken[case.name])
