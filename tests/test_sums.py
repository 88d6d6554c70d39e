"""Sums and means of floats along rows and columns: torch's at one thread, to the bit. Integers are not rounded."""

import numpy as np
import pytest
import torch

import minitorch

# less than a vector, vectors, steps of four of them, blocks of steps, blocks of blocks; odd, so not cut into parts
COUNTS = [
    *range(1, 40),
    63,
    64,
    65,
    127,
    255,
    511,
    512,
    513,
    1000,
    1025,
    2048,
    4099,
    8191,
    8193,
    16_391,
    131_073,
    300_001,
]


@pytest.fixture(autouse=True)
def one_thread():
    """More of them would cut torch's sum where they share it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_along_rows_are_torchs_to_the_bit(reduce, dtype, rng):
    for count in COUNTS:
        x = rng.standard_normal((3, count)).astype(dtype)
        ours, theirs = minitorch.from_numpy(x), torch.from_numpy(x)
        assert np.array_equal(getattr(ours, reduce)(1).numpy(), getattr(theirs, reduce)(1).numpy()), count
        for row in range(3):
            assert getattr(ours[row], reduce)().item() == getattr(theirs[row], reduce)().item(), count


def test_the_first_part_of_each_row_is_summed_as_torch_does(rng):
    x = rng.standard_normal((40, 700)).astype(np.float32)
    ours, theirs = minitorch.from_numpy(x)[:, :333].sum(1), torch.from_numpy(x)[:, :333].sum(1)
    assert np.array_equal(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("values", [[-0.0] * 20, [3e38, 3e38, -3e38], [np.inf, 1.0], [np.inf, -np.inf], [np.nan] * 9])
def test_sums_that_overflow_or_are_zero_are_torchs(values):
    x = np.array(values, np.float32)
    np.testing.assert_array_equal(minitorch.from_numpy(x).sum().numpy(), torch.from_numpy(x).sum().numpy())


@pytest.mark.parametrize("n", [4096, 100_003])
def test_sums_of_integers_are_not_rounded(n):
    x = np.full(n, 1, np.int64)
    x[::2] = 2**55
    assert minitorch.from_numpy(x).sum().item() == int(x.sum())


# columns: fewer than four, than a vector, than four vectors, and some left over of each; rows as in COUNTS
SHAPES = [
    (1, 5),
    (3, 3),
    (7, 40),
    (17, 33),
    (50, 10),
    (64, 128),
    (300, 316),
    (1025, 45),
    (4099, 7),
    (9000, 3),
    (5, 9000),
]


@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_along_columns_are_torchs_to_the_bit(reduce, dtype, rng):
    for shape in SHAPES:
        x = rng.standard_normal(shape).astype(dtype)
        ours, theirs = minitorch.from_numpy(x), torch.from_numpy(x)
        assert np.array_equal(getattr(ours, reduce)(0).numpy(), getattr(theirs, reduce)(0).numpy()), shape
        assert np.array_equal(getattr(ours.t(), reduce)(1).numpy(), getattr(theirs.t(), reduce)(1).numpy()), shape
        ours, theirs = ours[None].expand(2, *shape).contiguous(), theirs[None].expand(2, *shape).contiguous()
        assert np.array_equal(getattr(ours, reduce)(1).numpy(), getattr(theirs, reduce)(1).numpy()), shape
        ours, theirs = getattr(ours[:, 1:], reduce)(1), getattr(theirs[:, 1:], reduce)(1)
        assert np.array_equal(ours.numpy(), theirs.numpy(), equal_nan=True), shape


@pytest.mark.parametrize("columns", [4, 33])
def test_sums_of_very_many_rows_go_up_all_levels_as_torchs(columns, rng):
    x = rng.random((600_000, columns), np.float32)
    assert np.array_equal(minitorch.from_numpy(x).sum(0).numpy(), torch.from_numpy(x).sum(0).numpy())
