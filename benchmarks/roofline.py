"""The machine's own peaks, which the roofline of the report shows: arithmetic in cache, and traffic to memory.

Williams, Waterman, Patterson, "Roofline: An Insightful Visual Performance Model for Multicore Architectures", CACM
52(4), 2009. Both loops are compiled here, apart from minitorch and from torch, and run in as many threads as the rows
beside them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.processes import Plan, python
from benchmarks.results import Row

ARITHMETIC, TRAFFIC = "peak arithmetic, float32", "peak memory traffic, triad"
IN_CACHE, IN_MEMORY = 2_048, 10_000_000  # float32 numbers of an array
DEPTH = 8  # multiply-adds on each number between its load and its store: fewer wait for loads, more for each other
REPEATS = 500


def best(threads: int, run: Callable[[int], None], rounds: int) -> float:
    """Seconds of the fastest round in which every thread runs once."""
    fastest = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            began = time.perf_counter()
            list(pool.map(run, range(threads)))
            fastest = min(fastest, time.perf_counter() - began)
    return fastest


def measure(threads: int, rounds: int) -> dict[str, float]:
    """Multiply-adds and bytes per second, in all threads together."""
    import numpy as np
    from numba import njit

    @njit(nogil=True, fastmath={"contract"})
    def multiply_add(x, a, b):
        for _ in range(REPEATS):
            for i in range(x.size):
                y = x[i]
                y = y * a + b
                y = y * a + b
                y = y * a + b
                y = y * a + b
                y = y * a + b
                y = y * a + b
                y = y * a + b
                y = y * a + b
                x[i] = y

    @njit(nogil=True)
    def triad(x, y, z, a):
        for i in range(x.size):
            x[i] = y[i] + a * z[i]

    a, b = np.float32(0.999), np.float32(0.001)
    small = np.full((threads, IN_CACHE), 0.5, np.float32)
    large = np.full((threads, 3, IN_MEMORY // threads), 0.5, np.float32)
    multiply_add(small[0], a, b)
    triad(*large[0], a)
    seconds = best(threads, lambda i: multiply_add(small[i], a, b), rounds)
    streamed = best(threads, lambda i: triad(*large[i], a), rounds)
    return {
        ARITHMETIC: 2 * DEPTH * REPEATS * small.size / seconds,
        TRAFFIC: large.nbytes / streamed,
    }


def rows(plan: Plan) -> Iterator[Row]:
    for threads in plan.threads:
        rounds = 3 if plan.quick else 100
        found = json.loads(python("-m", "benchmarks.roofline", str(threads), str(rounds), threads=threads))
        yield Row("roofline", ARITHMETIC, "flop/s", found[ARITHMETIC], threads=threads)
        yield Row("roofline", TRAFFIC, "B/s", found[TRAFFIC], threads=threads)


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:]))))
