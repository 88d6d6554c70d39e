"""Rows of threads: how soon, at best, a second thread computes. What sharing brings, the other parts show at
two threads."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benchmarks.processes import Plan, ask, medians, python
from benchmarks.results import Row

MEETING = 10e-6  # seconds; Python's own locks take 10 to 50 us for one direction
CODE = """
import json, time
import numpy as np
from minitorch._kernels import cache
from minitorch._kernels.cpu import threads

meet = cache.load("meeting", {kernel!r}).kernel
threads.SERIAL = 0
threads.set_count(2)
arrived = np.zeros(16, np.int64)
taken = []
for turn in range(1, {count} + 1):
    time.sleep({pause})
    began = time.perf_counter()
    meet(threads.share(1, 2)[0], arrived.ctypes.data, turn)
    taken.append(time.perf_counter() - began)
print(json.dumps({{"seconds": min(taken)}}))
"""
# each part waits for the other
KERNEL = """from numba import njit
from minitorch._kernels.cpu.parallel import _read, _write, split
@njit
def part_(part, arrived, turn):
    _write(arrived, part * 8, turn)
    while _read(arrived, 8 - part * 8) != turn:
        pass
@njit(cache=True, nogil=True)
def kernel(crew, arrived, turn):
    split(crew, part_, 2, (arrived, turn))
"""


def rows(plan: Plan) -> Iterator[Row]:
    if max(plan.threads) == 1:
        return
    for name, pause, target in (("awake", 0, MEETING), ("asleep", 5e-3, None)):
        code = CODE.format(kernel=KERNEL, count=200 if plan.quick else 2000, pause=pause)
        answers = medians(plan.rounds, {"ours": lambda _, code=code: json.loads(python("-c", code, threads=2))})
        seconds = answers["ours"]["seconds"]
        yield Row(
            "threads", f"two threads meet, one {name} before", "s", seconds, target=target, bounds="ours", threads=2
        )
    for threads in plan.threads:
        found = medians(
            plan.rounds,
            {
                side: lambda _, framework=framework, n=threads: ask("filling", framework, threads=n)
                for side, framework in plan.sides.items()
            },
        )
        ends = found["ours"]["seconds"], found["torch"]["seconds"]
        yield Row("threads", "40 MiB made, filled and freed", "s", *ends, threads=threads, bytes=40 * 2**20)
