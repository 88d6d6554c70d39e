"""Rows of what the first call of each operation costs: `python -m benchmarks.first_use [word ...]`.

Each operation of torch's database that minitorch claims runs forward, then backward, in float32, in its own process,
with an empty kernel cache. Counted is CPU time, with other work on the machine the only figure that repeats; what
Numba's import and its first compilation take, which whatever comes first pays, is left out and has a row of its own.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator

from benchmarks.processes import Plan
from benchmarks.results import ROOT, Row

MOST, MOST_OF_CONVOLUTIONS = 1.5, 5.0
SHOWN = 1.0  # what takes less has no row
WAYS = "forward", "backward"


def in_child(program, *arguments):
    """What the program returns in a forked process whose kernel cache is empty; None if it raises."""
    with tempfile.TemporaryDirectory() as cache:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.environ["MINITORCH_CACHE"] = cache
            try:
                os.write(writing, json.dumps(program(*arguments)).encode())
            finally:
                os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with open(reading) as answer:
            return json.loads(answer.read() or "null")


def start_of_numba():
    """Seconds of its import and of compiling a function of nothing."""
    began = time.process_time()
    numba = importlib.import_module("numba")
    numba.njit(lambda x: x)(1)
    return time.process_time() - began


def first_use(opinfo, name):
    """Seconds of one call, and of its gradients, by the sample of most elements among the first ten."""
    import torch

    import minitorch

    op = opinfo.OPS[name]
    found = opinfo.samples(op, torch.float32, 60, requires_grad=op.supports_autograd)[:10]
    sample = max(found, key=lambda s: sum(t.numel() for t in opinfo.leaves([s.input, s.args], torch.Tensor)))
    x, args, kwargs = opinfo.converted((sample.input, sample.args, sample.kwargs))
    function = opinfo.ours(op, op.op)
    start_of_numba()
    began = time.process_time()
    outputs = opinfo.differentiable(function(x, *args, **kwargs), minitorch)
    between = time.process_time()
    if outputs:
        minitorch.autograd.backward(outputs, [minitorch.ones(o.shape, dtype=o.dtype) for o in outputs])
    return between - began, time.process_time() - between


def measured(words: list[str]) -> Iterator[tuple[str, tuple[float, float]]]:
    """(operation, seconds forward and backward) of those whose name contains one of the words; of all without words."""
    sys.path.insert(0, str(ROOT / "tests"))
    opinfo = importlib.import_module("opinfo")
    torch = importlib.import_module("torch")
    names = [n for n in opinfo.OPS if not words or any(word in n for word in words)]
    for name in names:
        if torch.float32 in opinfo.OPS[name].dtypes:
            seconds = in_child(first_use, opinfo, name)
            if seconds is not None:
                yield name, seconds


def limit(name: str) -> float:
    return MOST_OF_CONVOLUTIONS if "conv" in name else MOST


def rows(plan: Plan) -> Iterator[Row]:
    yield Row("first_use", "start of Numba", "s", in_child(start_of_numba))
    taken = dict(measured(["softmax"] if plan.quick else []))
    yield Row("first_use", "operations measured", "count", len(taken))
    apart = [(t, name, way) for name, times in taken.items() for t, way in zip(times, WAYS, strict=True)]
    for seconds, name, way in sorted(apart, reverse=True):
        if seconds > SHOWN:
            yield Row("first_use", f"{name}, {way}", "s", seconds, target=limit(name), bounds="ours")


if __name__ == "__main__":
    for name, times in measured(sys.argv[1:]):
        over = "  over the limit" if max(times) > limit(name) else ""
        print(f"{times[0]:6.2f} s {times[1]:6.2f} s  {name}{over}", flush=True)
