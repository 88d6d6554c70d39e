"""Rows of what surrounds a training step: loading a checkpoint, and what a module's call adds to its function."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.processes import Plan, ask, beside, medians, python
from benchmarks.results import Row

MIB = 500
OVERHEAD = 3e-6  # s
ALLOWED_MEMORY = 1.1  # of the file's size


def files(plan: Plan, threads: int) -> Iterator[Row]:
    """The file is torch's own, so both read the same bytes; it is read once before, so both find it in memory."""
    size = MIB // 10 if plan.quick else MIB
    with tempfile.TemporaryDirectory() as box:
        path = Path(box) / "state_dict.pt"
        write = f"import torch; torch.save({{str(i): torch.randn(1 << 19) for i in range({size // 2})}}, {str(path)!r})"
        python("-c", write, threads=threads)
        path.read_bytes()

        def measure(framework):
            return lambda _: ask("state_dict", framework, path, threads=threads)

        answers = medians(plan.rounds, {side: measure(framework) for side, framework in plan.sides.items()})
    name = f"load a state_dict of {size} MiB"
    yield Row("training", name, "s", *beside(answers, "seconds"), target=1.2, threads=threads)
    growth, most = beside(answers, "growth"), size * ALLOWED_MEMORY
    yield Row("training", f"{name}: memory", "MiB", *growth, target=most, bounds="ours", threads=threads)


def rows(plan: Plan) -> Iterator[Row]:
    threads = min(plan.threads)
    yield from files(plan, threads)
    sides = {
        side: lambda _, f=framework: ask("module_overhead", f, threads=threads)
        for side, framework in plan.sides.items()
    }
    seconds = beside(medians(plan.rounds, sides), "seconds")
    yield Row("training", "nn.ReLU beside relu", "s", *seconds, target=OVERHEAD, bounds="ours", threads=threads)
