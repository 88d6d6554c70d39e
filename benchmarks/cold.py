"""Rows of a newcomer's first minute: import, first step with and without compiled kernels, memory.

Everything is measured as whole processes; the kernel cache is a folder of our own.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator

from benchmarks.processes import Plan, ask, beside, medians
from benchmarks.results import Row

IMPORT_TARGET, FIRST_LINE_TARGET = 0.25, 0.4
# case: the most that ours / torch may be with kernels cached, and with an empty cache
FIRST_STEPS = {"W1 linear fit": (0.7, 2.0), "W4 MNIST CNN, batch 50": (1.0, 6.0)}


def importing(plan: Plan, threads: int) -> Iterator[Row]:
    def measure(framework):
        return lambda _: ask("imported", framework, threads=threads)

    measures = {side: measure(framework) for side, framework in plan.sides.items()}
    medians(1, measures)  # the first import also writes __pycache__
    answers = medians(plan.rounds, measures)
    seconds = beside(answers, "seconds")
    yield Row("cold", "import", "s", *seconds, target=IMPORT_TARGET, threads=threads)
    name, heavy = "of torch and numba, imported by the import", answers["ours"]["heavy"]
    yield Row("cold", name, "count", heavy, target=0, bounds="ours", threads=threads)


def first_line(plan: Plan, threads: int) -> Iterator[Row]:
    def measure(framework):
        return lambda _: ask("first_line", framework, time.time(), threads=threads)

    seconds = beside(medians(plan.rounds, {s: measure(framework) for s, framework in plan.sides.items()}), "seconds")
    name = "start to first line of a script that imports torch and torchvision"
    yield Row("cold", name, "s", *seconds, target=FIRST_LINE_TARGET, threads=threads)


def first_step(plan: Plan, threads: int, case: str) -> Iterator[Row]:
    """Each round: torch, ours with an empty cache, and ours again with what that run compiled."""
    with tempfile.TemporaryDirectory() as box:

        def measure(framework):
            def ask_now(number):
                cache = f"{box}/{number}"
                return ask("first_step", framework, case, time.time(), threads=threads, cache=cache)

            return ask_now

        torch, ours = measure("torch"), measure(plan.candidate)
        answers = medians(plan.rounds, {"torch": torch, "empty": ours, "cached": ours})
        compiled, again = (
            ask("compiled", plan.candidate, case, threads=threads, cache=f"{box}/compiled") for _ in range(2)
        )
    theirs, empty, cached = (answers[name] for name in ("torch", "empty", "cached"))

    def row(what, unit, ours, torch=None, target=None, bounds="ratio"):
        name = f"{what}: start to first step of {case}"
        return Row("cold", name, unit, ours, torch, target, bounds, threads)

    warm, cold = FIRST_STEPS[case]
    yield row("kernels cached", "s", cached["seconds"], theirs["seconds"], warm)
    yield row("empty cache", "s", empty["seconds"], theirs["seconds"], cold)
    yield row("of it compiling", "s", compiled["seconds"], theirs["seconds"])
    yield row("kernels compiled", "count", compiled["kernels"])
    yield row("kernels compiled again", "count", again["kernels"], target=0, bounds="ours")
    yield row("peak memory, kernels cached", "MiB", cached["peak"], theirs["peak"])
    yield row("peak memory, empty cache", "MiB", empty["peak"], theirs["peak"])


def rows(plan: Plan) -> Iterator[Row]:
    threads = min(plan.threads)
    yield from importing(plan, threads)
    yield from first_line(plan, threads)
    for case in FIRST_STEPS:
        yield from first_step(plan, threads, case)
