"""Copies into another order in memory, which go by squares where NumPy's loops would cross lines of the cache."""

import numpy as np
import pytest
import torch

import minitorch
from minitorch._kernels import copies
from minitorch._kernels.copies import alike, contiguous, copy, in_order


@pytest.fixture
def by_squares(monkeypatch):
    """Copies by squares however few the elements, and a list of how many there were."""
    done = []
    squares = copies._squares

    def counted(*args):
        found = squares(*args)
        done.append(found is not None)
        return found

    monkeypatch.setattr(copies, "LEAST", 0)
    monkeypatch.setattr(copies, "FEW", 0)
    monkeypatch.setattr(copies, "_squares", counted)
    return done


def anything(rng, shape, dtype):
    return rng.integers(0, 255, (*shape, np.dtype(dtype).itemsize), np.uint8).view(dtype)[..., 0]


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "i8", "f8", "?"])
def test_copies_by_squares_are_numpys(by_squares, dtype):
    rng = np.random.default_rng(3)
    for _ in range(60):
        sizes = [int(n) for n in rng.choice([1, 2, 3, 16, 17, 31, 32, 47, 65], rng.integers(2, 5))]
        if np.prod(sizes) > 2**18:
            continue
        memory = anything(rng, [n + int(rng.integers(2)) for n in sizes], dtype)
        whole = memory[tuple(slice(0, n) for n in sizes)]
        source = whole.transpose(rng.permutation(len(sizes)))
        expected = bytes(source.tobytes())
        made = np.empty(source.shape, dtype)
        copy(made, source)
        assert made.tobytes() == expected
        order = rng.permutation(len(sizes))
        room = np.zeros([n + 1 for n in source.transpose(order).shape], dtype)
        dest = room[tuple(slice(0, n) for n in source.transpose(order).shape)].transpose(np.argsort(order))
        copy(dest, source)
        assert dest.tobytes() == expected
        dest[...] = 0
        assert not room.tobytes().strip(b"\0"), "written outside"
    assert any(by_squares)


def test_what_repeats_overlaps_or_runs_backwards_is_numpys(by_squares):
    x = np.arange(64.0 * 64).reshape(64, 64)
    expected = x.T.copy()
    for source in (x.T[::-1], x.T[:, ::-1], np.broadcast_to(x[0], (64, 64)).T, x[:, ::2].T, x.T[:, ::3]):
        made = np.empty(source.shape)
        copy(made, source)
        np.testing.assert_array_equal(made, source)
    copy(x, x.T)
    np.testing.assert_array_equal(x, expected)


def test_other_dtypes_are_converted_and_empty_arrays_copied(by_squares):
    x = np.arange(32.0 * 48).reshape(32, 48)
    made = np.empty((48, 32), np.float32)
    copy(made, x.T)
    np.testing.assert_array_equal(made, x.T)
    assert in_order(np.empty((0, 5)).T).shape == (5, 0)
    assert in_order(np.float32(3)[...]).shape == ()
    assert contiguous(x) is x
    assert contiguous(x.T).flags.c_contiguous


@pytest.mark.parametrize("threads", [1, 2])
def test_large_transposes_are_torchs(threads):
    before = minitorch.get_num_threads()
    minitorch.set_num_threads(threads)
    try:
        x = np.random.default_rng(0).standard_normal((6, 40, 30, 50)).astype(np.float32)
        for T in (minitorch, torch):
            t = T.from_numpy(x.copy())
            y = t.permute(0, 2, 3, 1)
            values = y.contiguous(), y.clone(), y.reshape(-1), t.contiguous(memory_format=T.channels_last)
            room = T.zeros(40, 6, 50, 30)
            values += (room.copy_(t.permute(1, 0, 3, 2)), y.to(T.float16).permute(3, 1, 2, 0).contiguous().float())
            if T is minitorch:
                ours = values
        for made, expected in zip(ours, values, strict=True):
            assert made.stride() == expected.stride()
            np.testing.assert_array_equal(made.numpy(), expected.numpy())
    finally:
        minitorch.set_num_threads(before)


def test_arrays_are_copied_to_lie_like_another_where_that_crosses_lines():
    x = np.arange(64.0 * 48 * 32).reshape(64, 48, 32)
    dest = np.empty((32, 48, 64), np.float32).T
    made = alike(x, dest)
    assert made.strides == tuple(2 * s for s in dest.strides)
    np.testing.assert_array_equal(made, x)
    for a in (np.broadcast_to(x[0], x.shape), x[:1], x.transpose(1, 0, 2).copy().transpose(1, 0, 2)):
        assert alike(a, np.empty(x.shape)) is a
    assert alike(x, np.empty((32, 48, 65)).T[:64]) is x  # dest with gaps


TURNED = [((90, 40, 50), (2, 0, 1)), ((6, 3, 60, 70), (0, 2, 3, 1)), ((300, 400), (1, 0))]


@pytest.mark.parametrize(("shape", "order"), TURNED)
def test_operands_that_lie_across_each_other_give_torchs_results(shape, order):
    rng = np.random.default_rng(1)
    values = rng.standard_normal(shape), rng.standard_normal([shape[i] for i in order])
    functions = [
        lambda T, x, y: x + y,
        lambda T, x, y: y / x,
        lambda T, x, y: x.clone(memory_format=T.preserve_format).mul_(y),
        lambda T, x, y: T.where(x > y, x, y),
        lambda T, x, y: T.lerp(x, y, 0.25),
        lambda T, x, y: T.hypot(x, y),
        lambda T, x, y: T.addcmul(x, y, x.contiguous()),
    ]
    for f in functions:
        results = []
        for T in (minitorch, torch):
            x, y = (T.from_numpy(v.copy()) for v in values)
            x = x.permute(order).detach().requires_grad_()
            made = f(T, x, y)
            (made * y).sum().backward()
            results.append((made, x.grad))
        (made, grad), (expected, expected_grad) = results
        assert made.stride() == expected.stride()
        np.testing.assert_allclose(made.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(grad.numpy(), expected_grad.numpy(), rtol=1e-12, atol=1e-14)
