"""Time the cases in one framework with pytest-benchmark.

    pytest benchmarks/test_speed.py --framework torch --sections matmul --benchmark-json torch.json

`python -m benchmarks.run` runs this for both frameworks in turn, each in its own processes: the
thread pools of Numba and torch spoil each other, and Numba's first parallel launch resets torch's.
"""

import importlib
import time

import pytest


@pytest.fixture(scope="session")
def T(request):
    return importlib.import_module(request.config.getoption("framework", "minitorch"))


@pytest.fixture(scope="session")
def device(request):
    return request.config.getoption("device", "cpu")


def test_speed(benchmark, case, T, device):
    T.manual_seed(0)
    with T.device(device):
        step = case.make(T)
    began = time.perf_counter()
    value = float(step().detach().float().abs().mean())
    benchmark.extra_info.update(value=value, first_call=time.perf_counter() - began)
    benchmark.group = f"{case.section}: {case.name}"

    def synchronized():
        step()
        T.cuda.synchronize()

    benchmark(step if device == "cpu" else synchronized)
