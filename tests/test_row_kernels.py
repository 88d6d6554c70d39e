"""Kernels that go over rows as vectors (`_kernels/cpu/row_vectors.py`) against plain loops, for rows of any length."""

import math

import naive
import numpy as np
import pytest
from numba import njit

from minitorch._kernels import cache
from minitorch._kernels.cpu import row_vectors
from minitorch._kernels.cpu.tiles import VECTOR_BYTES

LENGTHS = (*range(1, 36), 63, 64, 65, 100, 257)  # from less than a vector to some, with and without a rest
TOLERANCE = {"float32": 1e-6, "float64": 3e-15}
NORMALIZATION, SOFTMAX = cache.load_file("cpu.normalization"), cache.load_file("cpu.softmax")


def guarded(rows, n, dtype):
    """An array of rows that must not be written past: the whole with numbers around it, and the rows."""
    whole = np.full((rows + 2, n), 77.0, dtype)
    return whole, whole[1:-1]


def agree(kernel, twin, arrays, *others, dtype):
    whole, dest = guarded(*arrays[0].shape, dtype)
    kernel(*arrays, dest, *others)
    wanted = np.empty(dest.shape)
    twin(*(a.astype(np.float64) for a in arrays), wanted, *others)
    np.testing.assert_allclose(dest, wanted, TOLERANCE[dtype], TOLERANCE[dtype] * np.abs(wanted).max())
    assert (whole[[0, -1]] == 77.0).all()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("n", LENGTHS)
def test_softmax_of_rows(n, dtype):
    rng = np.random.default_rng(n)
    x, g = rng.normal(0, 5, (2, 4, n)).astype(dtype)
    agree(SOFTMAX.softmax, naive.softmax, [x], dtype=dtype)
    agree(SOFTMAX.causal_softmax, naive.softmax, [x], 3, dtype=dtype)
    agree(SOFTMAX.log_softmax, naive.log_softmax, [x], dtype=dtype)
    out = np.exp(-rng.exponential(2, x.shape)).astype(dtype)
    agree(SOFTMAX.softmax_gradient, naive.softmax_gradient, [g, out], dtype=dtype)
    agree(SOFTMAX.log_softmax_gradient, naive.log_softmax_gradient, [g, np.log(out)], dtype=dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 11])
@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 100])
def test_layer_norm_and_its_gradients(n, rows, dtype):
    rng = np.random.default_rng(n)
    x, g = rng.normal(3, 2, (2, rows, n)).astype(dtype)
    w, b = rng.normal(size=(2, n)).astype(dtype)
    found, wanted = ([np.zeros((rows, size), d) for size in (n, 1, 1)] for d in (dtype, np.float64))
    NORMALIZATION.layer_norm(x, w, b, 1e-3, *found)
    naive.layer_norm(*(a.astype(np.float64) for a in (x, w, b)), 1e-3, *wanted)
    tolerance = 20 * TOLERANCE[dtype]
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, tolerance, tolerance)
    _, mean, rstd = (a.astype(dtype) for a in wanted)
    found, wanted = ([np.zeros((rows, n), d), *np.zeros((2, n))] for d in (dtype, np.float64))
    NORMALIZATION.layer_norm_gradients(g, x, w, mean, rstd, *found)
    naive.layer_norm_gradients(*(a.astype(np.float64) for a in (g, x, w, mean, rstd)), *wanted)
    dx, dw, db = np.empty_like(x), np.empty(n, dtype), np.empty(n, dtype)
    NORMALIZATION.layer_norm_gradients_of_all(g, x, w, mean, rstd, dx, np.empty((2, n)), dw, db)
    terms = np.abs(g * w * rstd).max(), np.abs(g).sum(), np.abs(g).sum()  # which may cancel
    for ours, again, theirs, size in zip(found, (dx, dw, db), wanted, terms, strict=True):
        np.testing.assert_allclose(ours, theirs, tolerance, TOLERANCE[dtype] * size)
        np.testing.assert_array_equal(again, ours.astype(dtype))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("length", [1, 2, 7, 16, 49, 64])
def test_channels(length, dtype):
    rng = np.random.default_rng(length)
    g, x = rng.normal(1, 2, (2, 3, 5, length)).astype(dtype)
    numbers = rng.normal(size=(4, 5)).astype(dtype)
    wide = [a.astype(np.float64) for a in (g, x, *numbers)]
    sums, wanted = np.ones((2, 2, 5))
    NORMALIZATION.channel_sums(g, x, wide[2], *sums)
    naive.channel_sums(wide[0], wide[1], wide[2], *wanted)
    np.testing.assert_allclose(sums, wanted, 1e-13, 1e-13 * np.abs(wanted).max())
    for kernel, given in ("channel_affine", (1, 2, 3, 4)), ("channel_gradient", (0, 1, 2, 3, 4, 5)):
        found, wanted = np.empty_like(x), np.empty(x.shape)
        getattr(NORMALIZATION, kernel)(*[(g, x, *numbers)[i] for i in given], found)
        getattr(naive, kernel)(*[wide[i] for i in given], wanted)
        np.testing.assert_allclose(found, wanted, TOLERANCE[dtype], TOLERANCE[dtype] * np.abs(wanted).max())


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [0, 15, 16, 17, 20])
def test_what_is_not_finite_stays_in_its_row(at, odd, dtype):
    x = np.random.default_rng(0).normal(size=(3, 21)).astype(dtype)
    x[1, at] = odd
    for name in ("softmax", "log_softmax"):
        found, wanted = np.empty_like(x), np.empty(x.shape)
        getattr(SOFTMAX, name)(x, found)
        with np.errstate(invalid="ignore"):
            getattr(naive, name)(x.astype(np.float64), wanted)
        np.testing.assert_allclose(found, wanted, TOLERANCE[dtype], TOLERANCE[dtype])


def test_exponentials_far_below_the_largest_are_zero_and_none_is_lost_before():
    x = np.zeros((1, 40), np.float32)
    x[0, 1:] = -np.arange(70.0, 109.0)
    out = np.empty_like(x)
    SOFTMAX.softmax(x, out)
    normal = x[0] >= -87
    np.testing.assert_allclose(out[0, normal], np.exp(x[0, normal].astype(np.float64)), 2e-7)
    assert (out[0, ~normal] == 0).all()


def test_folds_of_double_over_numbers_of_float32():
    @row_vectors.over_row(row_vectors.SUM_IN_DOUBLE, row_vectors.LARGEST)
    def total_and_largest(x, w):
        return x.to("f8") * w.to("f8"), x

    @njit(error_model="numpy")
    def run(x, w, i):
        return total_and_largest(x, w, i, x.shape[1])

    n = 3 * VECTOR_BYTES // 4 + 5
    x = np.random.default_rng(0).normal(size=(3, n)).astype(np.float32) * np.float32(1e4)
    w = np.random.default_rng(1).normal(size=n).astype(np.float32)
    for i in range(3):
        total, largest = run(x, w, i)
        assert largest == x[i].max()
        np.testing.assert_allclose(total, x[i].astype(np.float64) @ w.astype(np.float64), 1e-13)
