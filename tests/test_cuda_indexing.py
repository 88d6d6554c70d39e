"""Masks, positions and scatters on an emulated GPU."""

import inspect
import textwrap

import numpy as np
import pytest
import simt
from cuda_compare import gpu, gradients, mostly_slow, normal, same  # noqa: F401

import minitorch
from minitorch._kernels.cuda import index, scan, selecting
from minitorch._kernels.cuda.kernel import Kernel
from minitorch._kernels.cuda.lower import define

pytestmark = pytest.mark.usefixtures("gpu")


def test_nonzero_of_every_kind():
    x = np.round(normal(3, 5))
    x[0, 0], x[1, 1], x[2, 2] = np.nan, -0.0, np.inf
    same(lambda torch, x: (x.nonzero(), *x.nonzero(as_tuple=True), (x > 0).nonzero(), x[:0].nonzero()), x, error=0)
    same(lambda torch, x: (x.nonzero(), x[0, 0].nonzero(), x.half().nonzero()), np.arange(6).reshape(2, 3), error=0)
    assert minitorch.nonzero_static(minitorch.tensor([0, 1, 0, 1]).cuda(), size=3).tolist() == [[1], [3], [-1]]


def test_nonzero_of_more_than_one_block():
    x = np.random.default_rng(0).integers(0, 3, 4500).astype(np.int32)
    same(lambda torch, x: x.nonzero(), x, error=0)


def test_nonzero_on_the_gpu_has_torchs_layout():
    assert minitorch.ones(2, 3).cuda().nonzero().stride() == (1, 6)


def test_reading_at_masks_and_mixed_indices():
    x, i = normal(3, 4, 5), np.array([2, 0, -1])
    same(
        lambda torch, x: (x[x > 0], x[x[:, :, 0] > 0], x[:, x[0, :, 0] > 0], torch.masked_select(x, x < 0)), x, error=0
    )
    same(lambda torch, x, i: (x[i, :, i], x[:, i, i + 1], x[i[:1], x[0, :, 0] > 9], x[i[:, None], :, i]), x, i, error=0)
    same(lambda torch, x: (x.take((x[0] * 0).long() + 7), x[torch.tensor([1, 0])], x[(x > 9)]), x, error=0)


@pytest.mark.slow
def test_gradients_of_reading_at_masks_and_mixed_indices():
    x, i = normal(3, 4, 5), np.array([2, 0, -1, 2])

    def function(torch, x, i):
        return (x[x > 0] ** 2).sum() + (x[i, :, i] ** 3).sum() + (x[:, i] ** 2).sum() + (x[x[:, :, 0] > 0] ** 3).sum()

    same(lambda torch, x, i: gradients(torch, lambda x: function(torch, x, i), x), x, i, error=1e-5)


def test_writing_at_masks_and_mixed_indices():
    x, i = normal(3, 4, 5), np.array([2, 0, 1])

    def write(torch, x, i):
        a, b, c, d, e = (x.clone() for _ in range(5))
        a[a > 0] = 7.0
        b[b > 0] = b[b > 0] * 2
        c[i, :, i] = x[0, :, 0] * 3
        d[:, i] = 5.0
        e[x[:, 0, 0] > 0] += 1.0
        f = x.t() if x.ndim == 2 else x.transpose(0, 2).clone().transpose(0, 2)
        f[i, 1] = x[i, 2]
        return a, b, c, d, e, f

    same(write, x, i, error=0)
    with pytest.raises(RuntimeError, match="shape mismatch: value tensor of shape"):
        minitorch.zeros(3, 4).cuda()[minitorch.tensor([0, 1]).cuda()] = minitorch.ones(3).cuda()


def test_writing_and_adding_at_repeated_positions():
    x, i, v = normal(5, 3), np.array([1, 1, 4, 1, -1]), normal(5, 3, seed=1)
    same(lambda torch, x, i, v: x.index_put((i,), v, True), x, i, v)
    same(lambda torch, x, i, v: x.index_put((i, i - 2), v[:, 0], True), x, i, v)
    same(lambda torch, x, i, v: x.clone().index_put_((i,), v), x, i, v, error=0)  # of several the last
    same(lambda torch, x, i, v: gradients(torch, lambda x, v: x.index_put((i,), v, True) ** 2, x, v), x, i, v)
    unique = np.array([3, 0, 1])
    same(lambda torch, x, i, v: gradients(torch, lambda x, v: x.index_put((i,), v[:3]) ** 2, x, v), x, unique, v)


def test_masked_scatter_takes_elements_in_order():
    x, v = normal(3, 4), normal(12, seed=1)
    same(lambda torch, x, v: (x.masked_scatter(x > 0, v), x.t().masked_scatter(x.t() > 0, v)), x, v, error=0)
    same(lambda torch, x, v: gradients(torch, lambda x, v: x.masked_scatter(x > 0, v) ** 2, x, v), x, v)
    with pytest.raises(RuntimeError, match="Number of elements of source < number of ones in mask"):
        minitorch.ones(3).cuda().masked_scatter(minitorch.ones(3).bool().cuda(), minitorch.ones(2).cuda())


def test_rows_are_copied_filled_and_cleared():
    x, i, v = normal(4, 5), np.array([3, 0]), normal(4, 2, seed=1)
    same(lambda torch, x, i, v: (x.index_copy(1, i, v), x.index_fill(1, i, 2.0), x.index_fill(0, i - 4, 1.0)), x, i, v)
    same(lambda torch, x, i, v: gradients(torch, lambda x, v: x.index_copy(1, i, v) ** 2, x, v), x, i, v)
    same(lambda torch, x, i: gradients(torch, lambda x: x.index_fill(0, i, 2.0) ** 2, x), x, i)


@pytest.mark.parametrize("reduce", mostly_slow(["sum", "prod", "mean", "amax", "amin"], "mean amax"))
@pytest.mark.parametrize("by_elements", [False, True])
def test_scatter_reduce_by_columns_and_by_elements(monkeypatch, reduce, by_elements):
    if by_elements:
        monkeypatch.setattr(index, "SHORT_COLUMN", 0)
    x, v = normal(3, 4), normal(6, 4, seed=1)
    i = np.random.default_rng(2).integers(0, 3, (6, 4))
    same(lambda torch, x, i, v: x.scatter_reduce(0, i, v, reduce), x, i, v)
    same(lambda torch, x, i, v: x.scatter_reduce(0, i, v, reduce, include_self=False), x, i, v)
    if reduce in ("sum", "amax"):
        same(
            lambda torch, x, i, v: gradients(torch, lambda x, v: x.scatter_reduce(0, i, v, reduce) ** 2, x, v), x, i, v
        )


def test_many_indices_are_chained_by_sorting(monkeypatch):
    monkeypatch.setattr(index, "COMPARED", 0)
    x, i, v = normal(5, 3), np.array([1, 1, 4, 1, 0, 4, 2]), normal(7, 3, seed=1)
    same(lambda torch, x, i, v: x.index_add(0, i, v), x, i, v)
    weight = np.arange(7)
    same(lambda torch, i, w: torch.zeros_like(w).index_put((i,), w, True), i, weight, error=0)


def test_of_writes_to_one_place_the_last_one_stays(monkeypatch):
    monkeypatch.setattr(index, "SHORT_COLUMN", 0)
    x, i, v = minitorch.zeros(3).cuda(), minitorch.tensor([2, 2, 0, 2]).cuda(), minitorch.arange(4.0).cuda()
    assert x.scatter(0, i, v).tolist() == [2.0, 0.0, 3.0]


def test_masks_on_the_host_serve_tensors_on_the_gpu():
    x = minitorch.arange(4.0).cuda()
    assert x[minitorch.tensor([True, False, True, False])].tolist() == [0.0, 2.0]
    assert x[minitorch.tensor([3, 0])].tolist() == [3.0, 0.0]


# ---------------------------------------------------------------------- barriers
def placing(made):
    """Where 300 of 600 numbers are not zero, by a kernel like `place_kernel`'s."""
    x, found = np.arange(600, dtype=np.int32) % 2, np.zeros(300, np.int64)
    simt.run(made, 1, x, np.array([300]), found, 600)
    return found, np.flatnonzero(x)


def running(made):
    """The largest number so far of 600, and its place, by a kernel like `extreme_rows_kernel`'s."""
    x = np.random.default_rng(0).integers(0, 1000, 600).astype(np.int32)
    values, places = np.zeros(600, np.int32), np.zeros(600, np.int64)
    simt.run(made, 1, x, values, places, 600)
    np.testing.assert_array_equal(x[places], values)
    return values, np.maximum.accumulate(x)


INT32 = np.dtype(np.int32)
MEETING = {
    "placing": (placing, selecting.place_kernel(INT32)),
    "running": (running, scan.extreme_rows_kernel(INT32, True)),
}


def without_barrier(made, number):
    """The kernel without one of its barriers."""
    text = textwrap.dedent(inspect.getsource(made.function))
    lines = text[text.index("def ") :].splitlines()
    barriers = [i for i, line in enumerate(lines) if line.strip().startswith("syncthreads()")]
    del lines[barriers[number]]
    names = {**made.function.__globals__, **inspect.getclosurevars(made.function).nonlocals}
    return Kernel(define("\n".join(lines) + "\n", made.function.__name__, names), made.signature, made.block)


@pytest.mark.parametrize("name", MEETING)
def test_threads_that_meet_do_not_race(name):
    run, made = MEETING[name]
    found, expected = run(made)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", mostly_slow(MEETING, "placing"))
@pytest.mark.parametrize("number", [0, 1])
def test_a_missing_barrier_is_found(name, number):
    run, made = MEETING[name]
    with pytest.raises(simt.Fault, match="race"):
        run(without_barrier(made, number))
