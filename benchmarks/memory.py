"""Rows of memory: training does not grow, and a very long graph runs backward."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.processes import Answer, Plan, ask, beside, medians
from benchmarks.results import Row

STEPS, LENGTH = 20_000, 100_000
TRAINED = ("W1 linear fit", "W1m nn.Linear + MSE + SGD", "W2 MLP 1-13-1")
# MiB: shows a leak of 90 bytes a step. Python takes memory by the MiB: less would fail by chance.
FLAT = 1.5


def rows(plan: Plan) -> Iterator[Row]:
    threads = min(plan.threads)

    def answers(rounds: int, program: str, *arguments: object) -> dict[str, Answer]:
        def measure(framework):
            return lambda _: ask(program, framework, *arguments, threads=threads)

        return medians(rounds, {side: measure(framework) for side, framework in plan.sides.items()})

    count = STEPS // 10 if plan.quick else STEPS
    for case in TRAINED:
        growth = beside(answers(1, "steps", case, count), "growth")
        name = f"growth over {count:,} steps of {case}"
        yield Row("memory", name, "MiB", *growth, target=FLAT, bounds="ours", threads=threads)

    found = answers(plan.rounds, "chain", LENGTH)
    chain = f"chain of {LENGTH:,} ops and backward"
    name, error = f"{chain}: error of the gradient", beside(found, "error")
    yield Row("memory", name, "count", *error, target=0, bounds="ours", threads=threads)
    yield Row("memory", chain, "s", *beside(found, "seconds"), threads=threads)
    yield Row("memory", f"{chain}: peak", "MiB", *beside(found, "peak"), threads=threads)
