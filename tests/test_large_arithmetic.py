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
