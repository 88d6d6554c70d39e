"""How exact sums of float32 are: no less for being of many."""

import numpy as np
import pytest

import minitorch

BOUND = 2.0**-23  # of the sum of absolute values


@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize("n", [4095, 4096, 4099, 100_003, 1_000_001])
def test_sums_of_many_floats_are_within_a_unit_of_the_last_place(n, reduce, rng):
    x = rng.standard_normal((2, n)).astype(np.float32)
    wide, count = x.astype(np.float64), n if reduce == "mean" else 1
    bound = BOUND * np.abs(wide).sum(1) / count
    for row, exact, most in zip(x, wide.sum(1) / count, bound, strict=True):
        assert abs(getattr(minitorch.from_numpy(row), reduce)().item() - exact) <= most
    rows = getattr(minitorch.from_numpy(x), reduce)(1).numpy()
    assert (np.abs(rows - wide.sum(1) / count) <= bound).all()


@pytest.mark.parametrize("n", [4096, 100_003])
def test_sums_of_integers_and_doubles_are_not_rounded_between(n):
    x = np.full(n, 1.0, np.float32)
    x[::2] = 2.0**24
    assert minitorch.from_numpy(x.astype(np.int64)).sum().item() == int(x.astype(np.float64).sum())
    assert minitorch.from_numpy(x.astype(np.float64)).sum().item() == x.astype(np.float64).sum()
