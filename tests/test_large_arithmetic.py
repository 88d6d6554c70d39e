"""Arithmetic of many elements, where compiled loops replace NumPy's: parts of rows, broadcasting, transposes."""

import numpy as np
import pytest
import torch
from compare import array_of, assert_close, assert_same_outcome, both

import minitorch

WIDE = 400, 401
PARTS = {
    "a row": lambda x: (x, x[0]),
    "a row first": lambda x: (x[:1], x),
    "a column": lambda x: (x, x[:, :1]),
    "neighbours": lambda x: (x[:, 1:], x[:, :-1]),
    "a part and a number": lambda x: (x[:, 1:], 2.5),
    "a 0-dim tensor": lambda x: (x[:, 1:], x[0, 0]),
    "transposed": lambda x: (x.t(), x.t()),
    "across": lambda x: (x[:, :400], x[:, :400].t()),
    "across, in order": lambda x: (x.reshape(-1).reshape(401, 400), x.t()),
    "transposed and a column": lambda x: (x.t(), x.t()[:, :1]),
    "two columns": lambda x: (x[:, :1], x[0]),
    "planes": lambda x: (x.reshape(4, 100, 401), x[:100]),
    "five dimensions": lambda x: (x[:, :400].reshape(4, 5, 20, 20, 20), x[:20, :20].reshape(1, 1, 20, 1, 20)),
}


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
def test_large_arithmetic_of_lines_is_torchs_to_the_bit(name, parts):
    for dtype in ("float32", "float64", "int64"):
        values = np.random.default_rng(0).integers(1, 1000, WIDE).astype(dtype)

        def compute(ns, values=values):
            return getattr(ns, name)(*PARTS[parts](ns.tensor(values)))

        def gradient(ns, values=values):
            x = ns.tensor(values, requires_grad=True)
            made = getattr(ns, name)(*PARTS[parts](x))
            (made * made.detach()).sum().backward()
            return x.grad

        ours, theirs = compute(minitorch), compute(torch)
        np.testing.assert_array_equal(array_of(ours), array_of(theirs))
        if dtype == "float64":
            assert_close(array_of(gradient(minitorch)), array_of(gradient(torch)), 1e-9)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("parts", [*PARTS, "itself"])
@pytest.mark.parametrize("name", ["add_", "sub_", "mul_", "div_"])
def test_large_arithmetic_in_place_is_torchs_to_the_bit(name, parts, threads):
    before = minitorch.get_num_threads()
    minitorch.set_num_threads(threads)
    try:

        def compute(ns):
            values = np.random.default_rng(0).integers(1, 1000, WIDE).astype(np.float32)
            whole, others = ns.tensor(values), ns.tensor(values + 1)
            x = PARTS[parts](whole)[0] if parts in PARTS else whole
            y = PARTS[parts](others)[1] if parts in PARTS else whole
            getattr(x, name)(y)
            return whole

        assert_same_outcome(*both(compute))
    finally:
        minitorch.set_num_threads(before)


BROADCASTS = [
    ((300, 1), (400,)),
    ((60, 1, 3), (1, 250, 3)),
    ((300, 200), (300, 1)),
    ((4, 16, 40, 40), (16, 1, 1)),
    ((2, 3, 1, 40, 41), (3, 5, 1, 1)),
    ((5, 1, 7, 1, 30, 9), (6, 1, 2, 30, 1)),
]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shapes", BROADCASTS, ids=str)
def test_large_results_of_broadcasting_are_torchs(shapes, dtype, count):
    rng = np.random.default_rng(2)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    before = minitorch.get_num_threads()
    minitorch.set_num_threads(count)
    try:
        for _ in range(2):  # the second time by what the first one found out
            for name in ("add", "sub", "mul", "div", "maximum", "minimum", "atan2", "lt"):
                for a, b in (arrays, arrays[::-1]):
                    ours, theirs = (getattr(ns, name)(ns.from_numpy(a), ns.from_numpy(b)) for ns in (minitorch, torch))
                    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6 if dtype == "float32" else 1e-14)
                    assert ours.stride() == theirs.stride()
    finally:
        minitorch.set_num_threads(before)


@pytest.mark.parametrize("count", [1, 2])
def test_parts_of_rows_go_through_functions_of_one_and_three_operands(count):
    x = np.random.default_rng(3).standard_normal((500, 400)).astype(np.float32)
    before = minitorch.get_num_threads()
    minitorch.set_num_threads(count)
    programs = [
        lambda x: -x,
        lambda x: x.abs(),
        lambda x: x**2,
        lambda x: x.sigmoid(),
        lambda x: x.addcmul(x[:1], x[:, :1], value=2),
        lambda x: x.clone().mul_(x[:, 3:4]).add_(x[2]),
    ]
    try:
        for program in programs:
            ours, theirs = (program(ns.from_numpy(x.copy())[:, 50:350]) for ns in (minitorch, torch))
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)
            assert ours.stride() == theirs.stride()
    finally:
        minitorch.set_num_threads(before)
