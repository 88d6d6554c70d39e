"""The pooling and resampling kernels against plain loops and against torch."""

import ctypes
import mmap
import sys

import naive
import numpy as np
import pytest
import torch
import torch.nn.functional as F

import minitorch
from minitorch._kernels.cache import load_file

pool = load_file("cpu.pool")
resample = load_file("cpu.resample")

# x, kernel, stride, padding, dilation, ceil_mode
POOLS = {
    "halves": ((2, 3, 8, 8), (2, 2), (2, 2), (0, 0), (1, 1), False),
    "overlapping": ((2, 3, 9, 7), (3, 3), (2, 2), (1, 1), (1, 1), False),
    "uneven": ((1, 2, 9, 11), (3, 2), (1, 3), (1, 0), (2, 1), False),
    "ceil_mode": ((2, 2, 8, 7), (3, 3), (2, 2), (0, 0), (1, 1), True),
    "ceil_mode_padded": ((2, 2, 6, 6), (3, 3), (3, 3), (1, 1), (1, 1), True),
    "dilated": ((2, 2, 9, 9), (2, 3), (1, 2), (1, 1), (3, 2), False),
    "whole_plane": ((2, 2, 5, 6), (5, 6), (1, 1), (0, 0), (1, 1), False),
    "more_outputs_than_a_row": ((1, 2, 20, 20), (2, 2), (1, 1), (0, 0), (1, 1), False),
    "line": ((2, 3, 11), (3,), (2,), (1,), (2,), True),
    "volume": ((1, 2, 5, 6, 7), (2, 3, 2), (2, 1, 3), (1, 1, 0), (1, 2, 1), False),
}
DTYPES = [np.float32, np.float64]
_torch_pools = F.max_pool1d, F.max_pool2d, F.max_pool3d


def torch_pool(x, case):
    _, kernel, stride, padding, dilation, ceil_mode = case
    x = torch.from_numpy(x)
    return _torch_pools[x.ndim - 3](x, kernel, stride, padding, dilation, ceil_mode, return_indices=True)


def max_pool(x, kernel, stride, padding, dilation, out, indices):
    fill = pool.max_pool(x.shape[2:], out.shape[2:], kernel, stride, padding, dilation, x.dtype)
    fill(x, out, indices)


def check_pool(x, case):
    expected, places = (a.numpy() for a in torch_pool(x, case))
    for pooling in (max_pool, naive.max_pool):
        out, indices = np.empty_like(expected), np.full_like(places, -1)
        pooling(x, *case[1:5], out, indices)
        np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal(indices, places)


@pytest.mark.parametrize("dtype", [*DTYPES, np.int8, np.uint8, np.int32, np.int64])
@pytest.mark.parametrize("name", ["halves", "ceil_mode_padded"])
def test_max_pool_equals_torch_in_every_dtype(name, dtype):
    shape = POOLS[name][0]
    x = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8).astype(dtype)
    check_pool(x, POOLS[name])


@pytest.mark.parametrize("name", POOLS)
def test_max_pool_takes_the_first_of_equals(name):
    x = np.random.default_rng(0).integers(0, 3, POOLS[name][0]).astype(np.float32)
    check_pool(x, POOLS[name])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", POOLS)
def test_max_pool_treats_nan_and_infinity_as_torch(name, dtype):
    values = np.array([np.nan, np.inf, -np.inf, 1.0, -0.0, 0.0], dtype)
    check_pool(np.random.default_rng(0).choice(values, POOLS[name][0]), POOLS[name])


@pytest.mark.parametrize("lowest", [-np.inf, np.iinfo(np.int32).min])
@pytest.mark.parametrize("name", POOLS)
def test_max_pool_of_lowest_values_reports_the_first_place_inside(name, lowest):
    dtype = np.int32 if isinstance(lowest, int) else np.float32
    check_pool(np.full(POOLS[name][0], lowest, dtype), POOLS[name])


def guarded(shape, dtype, at_end):
    """An array between two pages that may be neither read nor written: a process that does so is killed."""
    size, page = int(np.prod(shape)) * np.dtype(dtype).itemsize, mmap.PAGESIZE
    memory = mmap.mmap(-1, (-(-size // page) + 2) * page)
    first = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for guard in (first, first + len(memory) - page):
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(guard), page, 0) == 0
    begin = len(memory) - page - size if at_end else page
    return np.frombuffer(memory, np.uint8)[begin : begin + size].view(dtype).reshape(shape)


@pytest.mark.skipif(sys.platform != "linux", reason="pages are guarded by mprotect")
@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("name", POOLS)
def test_max_pool_stays_within_its_arrays(name, at_end):
    values = np.random.default_rng(0).normal(size=POOLS[name][0]).astype("f")
    expected, places = (a.numpy() for a in torch_pool(values, POOLS[name]))
    x, out, indices = (guarded(a.shape, a.dtype, at_end) for a in (values, expected, places))
    x[...] = values
    max_pool(x, *POOLS[name][1:5], out, indices)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(indices, places)


@pytest.mark.parametrize("name", POOLS)
def test_max_pool_gradient_equals_torch(name):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, POOLS[name][0]).astype(np.float32)
    leaf = torch.from_numpy(x).requires_grad_()
    _, kernel, stride, padding, dilation, ceil_mode = POOLS[name]
    out = _torch_pools[x.ndim - 3](leaf, kernel, stride, padding, dilation, ceil_mode)
    g = rng.integers(-9, 9, out.shape).astype(np.float32)
    (expected,) = torch.autograd.grad(out, leaf, torch.from_numpy(g))
    indices = torch_pool(x, POOLS[name])[1].numpy()
    for kernels in (pool, naive):
        dx = np.full_like(x, np.nan)
        kernels.max_pool_backward(g, indices, dx)
        np.testing.assert_array_equal(dx, expected.numpy())


def test_max_pool_accepts_any_strides():
    case = POOLS["overlapping"]
    x = np.random.default_rng(0).standard_normal(case[0]).astype(np.float32)
    expected, places = (a.numpy() for a in torch_pool(x, case))
    out, indices = np.asfortranarray(expected), np.asfortranarray(places)
    ours, at = minitorch.nn.functional.max_pool2d(
        minitorch.from_numpy(np.asfortranarray(x)), *case[1:5], return_indices=True
    )
    np.testing.assert_array_equal(ours.numpy(), expected)
    np.testing.assert_array_equal(at.numpy(), places)
    dx, wanted = np.asfortranarray(np.empty_like(x)), np.empty_like(x)
    pool.max_pool_backward(out, indices, dx)
    naive.max_pool_backward(expected, places, wanted)
    np.testing.assert_array_equal(dx, wanted)


def test_max_pool_of_an_empty_batch_does_nothing():
    x, out = np.empty((0, 2, 4, 4), np.float32), np.empty((0, 2, 2, 2), np.float32)
    assert minitorch.nn.functional.max_pool2d(minitorch.from_numpy(x), 2).shape == out.shape
    pool.max_pool_backward(out, np.empty(out.shape, np.int64), x)


@pytest.mark.parametrize("axes", [((7, 3),), ((7, 3), (5, 5)), ((4, 3), (1, 2), (6, 4))])
def test_max_windows_of_every_planes_own_are_the_naive_maxima(axes):
    rng = np.random.default_rng(0)
    x = rng.choice([-np.inf, np.nan, 0.0, 1.0, 2.0, 3.0], (2, 3, *(n for n, _ in axes)))
    starts = [rng.integers(0, n, (6, count)) for n, count in axes]
    ends = [s + 1 + rng.integers(0, n - s) for s, (n, _) in zip(starts, axes)]
    results = []
    for kernels in (pool, naive):
        out, indices = np.empty((2, 3, *(c for _, c in axes))), np.full((2, 3, *(c for _, c in axes)), -1)
        kernels.max_windows(x, starts, ends, out, indices)
        results.append((out, indices))
    for ours, expected in zip(*results):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("inner", [1, 3, 17])
def test_map_axis_is_the_naive_sum_and_empty_sums_are_zero(dtype, inner):
    rng = np.random.default_rng(0)
    starts = np.array([0, 3, 3, 4, 9])
    index, weights = rng.integers(0, 5, 9).astype(np.uint32), rng.standard_normal(9).astype(dtype)
    x, out = rng.standard_normal((2, 5, inner)).astype(dtype), np.full((2, 4, inner), np.nan, dtype)
    resample.map_axis(x, starts, index, weights, out)
    expected = np.empty_like(out)
    naive.map_axis(x, starts, index, weights, expected)
    np.testing.assert_allclose(out, expected, rtol=1e-6)


def test_map_axis_that_copies_keeps_the_sign_of_zero():
    x, out = np.full((1, 1, 1), -0.0), np.ones((1, 2, 1))
    resample.map_axis(x, np.arange(3), np.zeros(2, np.uint32), np.ones(2), out)
    assert np.signbit(out).all()
