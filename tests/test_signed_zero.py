"""-0.0 stays what it is where torch keeps it."""

import numpy as np
import pytest
import torch

import minitorch

PROGRAMS = {
    "full": lambda ns: ns.full((3,), -0.0),
    "full of float64": lambda ns: ns.full((3,), -0.0, dtype=ns.float64),
    "full of float16": lambda ns: ns.full((3,), -0.0, dtype=ns.float16),
    "full of integers": lambda ns: ns.full((3,), -0.0, dtype=ns.int64),
    "full_like": lambda ns: ns.full_like(ns.ones(3), -0.0),
    "new_full": lambda ns: ns.ones(3).new_full((3,), -0.0),
    "scalar_tensor": lambda ns: ns.scalar_tensor(-0.0),
    "fill_": lambda ns: ns.ones(3).fill_(-0.0),
    "masked_fill": lambda ns: ns.ones(3).masked_fill(ns.tensor([True, False, True]), -0.0),
    "a mask's places": lambda ns: assigned(ns.ones(3), ns.tensor([True, False, True]), -0.0),
    "one place": lambda ns: assigned(ns.ones(3), 1, -0.0),
    "index_fill": lambda ns: ns.ones(3).index_fill(0, ns.tensor([0]), -0.0),
    "scatter": lambda ns: ns.ones(3).scatter(0, ns.tensor([1]), -0.0),
    "pad": lambda ns: ns.nn.functional.pad(ns.ones(1), (1, 1), value=-0.0),
    "where": lambda ns: ns.where(ns.tensor([True, False]), -0.0, ns.ones(2)),
    "clamp": lambda ns: ns.full((2,), -1.0).clamp(min=-0.0),
    "constant_": lambda ns: ns.nn.init.constant_(ns.ones(3), -0.0),
    "a positive zero beside it": lambda ns: ns.stack([ns.full((), 0.0), ns.full((), -0.0), ns.full((), 0.0)]),
}


def assigned(x, index, value):
    x[index] = value
    return x


@pytest.mark.parametrize("name", PROGRAMS)
def test_sign_of_zero_is_torchs(name):
    ours, theirs = (PROGRAMS[name](ns).double().numpy() for ns in (minitorch, torch))
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(np.signbit(ours), np.signbit(theirs))
