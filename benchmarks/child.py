"""Inside a measured process: `python -m benchmarks.child PROGRAM ARGUMENTS...` prints JSON.

Imports stay few here, because `first_step` is timed from the start of the process.
"""

import gc
import importlib
import json
import statistics
import sys
import time

from benchmarks.workloads import BY_NAME


def resident(field: str = "VmRSS") -> float:
    """Memory in MiB: VmRSS is resident now, VmHWM the most so far (Linux)."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith(field))
    return int(line.split()[1]) / 1024


def imported(framework):
    began = time.perf_counter()
    importlib.import_module(framework)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "heavy": sum(name in sys.modules for name in ("torch", "numba"))}


def first_line(framework, started):
    """Seconds since `started`, as for `first_step`, until a script has imported torch and torchvision."""
    if framework == "torch":
        importlib.import_module("benchmarks.vision_cases").models(importlib.import_module("torch"))
    else:
        importlib.import_module(f"{framework}.standin").install()
        importlib.import_module("torch")
        importlib.import_module("torchvision")
    return {"seconds": time.time() - float(started)}


def workload(framework, name, seconds):
    """The fastest and the median step of at least so many seconds, after one second or two steps to warm up."""
    T = importlib.import_module(framework)
    T.manual_seed(0)
    step = BY_NAME[name].make(T)
    value = float(step().detach().abs().mean())
    began, count = time.perf_counter(), 0
    while count < 2 or time.perf_counter() - began < float(seconds) / 2:
        step()
        count += 1
    # several short steps are timed together: the clock itself takes 0.1 us
    together = max(1, int(1e-3 * count / (time.perf_counter() - began)))
    taken: list[float] = []
    end = time.perf_counter() + float(seconds)
    while len(taken) < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        for _ in range(together):
            step()
        taken.append((time.perf_counter() - began) / together)
    peak = resident("VmHWM")
    return {"min": min(taken), "median": statistics.median(taken), "value": value, "peak": peak}


def first_step(framework, case, started):
    """Seconds since `started`, the wall-clock time at which the parent started this process."""
    T = importlib.import_module(framework)
    T.manual_seed(0)
    float(BY_NAME[case].make(T)().detach().sum())
    return {"seconds": time.time() - float(started), "peak": resident("VmHWM")}


def compiled(framework, case):
    """Kernels compiled for the first step; a helper compiled on a kernel's way is part of it."""
    from numba.core import event

    with event.install_recorder("numba:compile") as recorder:
        first_step(framework, case, 0)
    depth = kernels = 0
    seconds = 0.0
    for when, what in recorder.buffer:
        if what.is_end:
            depth -= 1
        if depth == 0:
            kernels += what.is_start
            seconds += -when if what.is_start else when
        if what.is_start:
            depth += 1
    return {"kernels": kernels, "seconds": seconds}


def steps(framework, case, count):
    """Growth of resident memory after the first tenth, with the garbage collector off."""
    gc.disable()
    T = importlib.import_module(framework)
    step = BY_NAME[case].make(T)
    count = int(count)
    for _ in range(count // 10):
        step()
    before = resident()
    for _ in range(count - count // 10):
        step()
    return {"growth": resident() - before}


def state_dict(framework, path):
    """Loading a file in a process of its own: a second load would find the allocator's pages warm."""
    T = importlib.import_module(framework)
    T.load(path, mmap=True)  # what is imported and compiled on first use is not the file's
    before = resident()
    began = time.perf_counter()
    state = T.load(path)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "growth": resident("VmHWM") - before, "entries": len(state)}


def module_overhead(framework):
    """Seconds that nn.ReLU adds to functional.relu of 32 numbers: the fastest of many, taking turns."""
    T = importlib.import_module(framework)
    x, layer, function = T.randn(32), T.nn.ReLU(), T.nn.functional.relu
    count, best = 1_000, [float("inf")] * 2
    for _ in range(50):
        for i, call in enumerate((layer, function)):
            began = time.perf_counter()
            for _ in range(count):
                call(x)
            best[i] = min(best[i], (time.perf_counter() - began) / count)
    return {"seconds": best[0] - best[1]}


def filling(framework):
    """The fastest of many arrays of 40 MiB, each made, filled and freed: new pages or known ones."""
    T = importlib.import_module(framework)
    taken = []
    for _ in range(40):
        began = time.perf_counter()
        T.empty(10 * 2**20).fill_(1)
        taken.append(time.perf_counter() - began)
    return {"seconds": min(taken)}


def chain(framework, length):
    T = importlib.import_module(framework)
    x = T.ones(1, requires_grad=True)
    (x * 1.0).backward()
    x.grad = None
    began = time.perf_counter()
    y = x
    for _ in range(int(length)):
        y = y * 1.0
    y.backward()
    del y
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "error": abs(float(x.grad) - 1), "peak": resident("VmHWM")}


if __name__ == "__main__":
    program, *arguments = sys.argv[1:]
    print(json.dumps(globals()[program](*arguments)))
