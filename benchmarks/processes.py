"""Start measured processes with pinned threads, and let the two frameworks take turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.results import ROOT

Answer = dict[str, float]
POOLS = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Plan:
    """What one run of the benchmarks does."""

    candidate: str
    threads: tuple[int, ...]
    rounds: int
    quick: bool
    match: str = ""

    def wants(self, case: Any) -> bool:
        """Whether the case is to be measured, by its name."""
        return self.match in case.name

    @property
    def sides(self) -> dict[str, str]:
        return {"torch": "torch", "ours": self.candidate}


class Failed(Exception):
    """A measured process died; the text is all it said, `reason` the last line of that."""

    @property
    def reason(self) -> str:
        return (str(self).strip().splitlines() or ["no message"])[-1][:200]


def environment(threads: int, cache: str | None = None) -> dict[str, str]:
    """Thread counts are read when a library is loaded, so they are set from outside."""
    env = {**os.environ, **dict.fromkeys(POOLS, str(threads))}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package, torch among them, is not parsed at every start
    # under pytest-xdist pytest-benchmark measures nothing, and a child of a test sees xdist by its environment
    for name in [n for n in env if n.startswith("PYTEST_")]:
        del env[name]
    if threads > 1:
        # GNU OpenMP may put both threads on one CPU, where they wait for each other's time slice:
        # torch's MLP step then takes 96 ms instead of 0.6, which would flatter us.
        env["OMP_PROC_BIND"] = "true"
    env["COLUMNS"] = "200"  # or pytest cuts the reasons of its failures short
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), env.get("PYTHONPATH"))))
    if cache is not None:
        env.pop("NUMBA_CACHE_DIR", None)
        env["MINITORCH_CACHE"] = env["XDG_CACHE_HOME"] = cache
    return env


def python(*arguments: str, threads: int, cache: str | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(threads, cache),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise Failed(done.stdout + done.stderr or f"exit status {done.returncode}")
    return done.stdout


def ask(program: str, *arguments: object, threads: int, cache: str | None = None) -> Answer:
    """The answer of one program of child.py."""
    command = ("-m", "benchmarks.child", program, *map(str, arguments))
    return json.loads(python(*command, threads=threads, cache=cache).splitlines()[-1])


def taking_turns(rounds: int, measures: dict[str, Callable[[int], Answer]]) -> dict[str, list[Answer]]:
    """Each measure's answers, one per round: a slow minute of the machine meets them all.

    Each is called with the number of the round.
    """
    taken: dict[str, list[Answer]] = {name: [] for name in measures}
    for number in range(rounds):
        for name, measure in measures.items():
            taken[name].append(measure(number))
    return taken


def middle(taken: dict[str, list[Answer]]) -> dict[str, Answer]:
    """Of each measure the median of every figure."""
    return {
        name: {key: statistics.median(answer[key] for answer in answers) for key in answers[0]}
        for name, answers in taken.items()
    }


def medians(rounds: int, measures: dict[str, Callable[[int], Answer]]) -> dict[str, Answer]:
    return middle(taking_turns(rounds, measures))


def beside(answers: dict[str, Answer], key: str) -> tuple[float, float]:
    """One figure: ours, then torch's."""
    return answers["ours"][key], answers["torch"][key]
