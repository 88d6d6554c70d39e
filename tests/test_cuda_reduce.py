"""Reductions on an emulated GPU."""

import numpy as np
import pytest
from cuda_compare import gpu, gradients, mostly_slow, normal, same  # noqa: F401

import minitorch
from minitorch._kernels.cuda import sort

pytestmark = pytest.mark.usefixtures("gpu")

NAMES = "sum mean prod amax amin argmax argmin logsumexp var std".split()


def _call(name, dim):
    return lambda torch, x: getattr(torch, name)(x, *(() if dim is None else (dim,)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dim", mostly_slow([0, 1, 2], "1"))
def test_rows_and_columns_with_nan_and_infinities(name, dim):
    x = normal(3, 5, 7)
    x[0, 0, 0], x[1, 1, 1], x[2, 2, 2], x[2, 3, 3] = np.nan, np.inf, -np.inf, np.inf
    same(_call(name, dim), x, error=1e-5)


@pytest.mark.parametrize("name", mostly_slow([n for n in NAMES if n != "logsumexp"], "sum argmin var"))
def test_a_whole_in_parts_that_a_second_launch_joins(name, gpu):  # noqa: F811
    x = normal(9000)
    x = x[:4100] * 0.01 + 1 if name == "prod" else x
    same(_call(name, None), x, error=1e-5)
    assert len([n for n in gpu.launched if n.endswith("_rows")]) == 2


@pytest.mark.parametrize("name", mostly_slow(["sum", "argmin", "var", "logsumexp"], "argmin"))
def test_columns_in_parts(name, gpu):  # noqa: F811
    same(_call(name, 0), normal(200, 3), error=1e-5)
    assert len([n for n in gpu.launched if n.endswith("_columns")]) == 2


def test_rows_that_end_between_vectors_and_start_between_them():
    for n in (1, 31, 130, 1028):
        same(lambda torch, x: x.sum(1), normal(2, n), error=1e-5)
    same(lambda torch, x: x[:, 1:].sum(1), normal(3, 129), error=1e-5)


def test_of_equals_the_first_is_found():
    x = np.random.default_rng(0).integers(0, 3, (2, 260)).astype(np.float32)
    same(lambda torch, x: (x.argmax(1), x.argmin(1), x.argmax(0), x.argmax()), x, error=0)
    same(lambda torch, x: tuple(x.max(0)) + tuple(x.min(1)), x, error=0)


def test_several_dimensions():
    x = normal(2, 3, 4, 5)
    same(lambda torch, x: (x.sum((0, 2)), x.mean((1, 2)), x.amax((0, 1)), x.var((0, 3)), x.sum((2, 3), True)), x)
    same(lambda torch, x: (x.transpose(0, 3).sum(0), x[:, ::2].amax(1), x.expand(2, 2, 3, 4, 5).sum(0)), x)


@pytest.mark.slow
def test_integers_and_bools():
    x = np.random.default_rng(0).integers(-9, 9, (3, 40))
    same(lambda torch, x: (x.sum(1), x.prod(0), x.amax(1), x.to(torch.int32).sum(), (x > 0).sum(0)), x, error=0)
    same(lambda torch, x: ((x > 5).any(1), (x > -9).all(1), (x > 5).any(), x.all(0), tuple(x.max(1))[1]), x, error=0)
    same(lambda torch, x: torch.count_nonzero(x.double() * 0.05, 1), x, error=0)


def test_halves_are_added_up_in_float32():
    x = np.full((1, 2048), 0.1, np.float16)
    same(lambda torch, x: x.double().sum(1), x, error=1e-7)
    same(lambda torch, x: (x.sum(1).float(), x.mean(1).float()), x, error=1e-3)


@pytest.mark.slow
def test_sums_of_doubles_are_double():
    same(lambda torch, x: (x.sum(1), x.var(0)), normal(5, 300).astype(np.float64), error=1e-14)
    same(lambda torch, x: x.sum(1, dtype=torch.float64), normal(5, 300), error=1e-14)


@pytest.mark.parametrize("order", mostly_slow([0, 1, 2, 3, np.inf, -np.inf], "2 3"))
def test_norms(order):
    same(lambda torch, x: torch.linalg.vector_norm(x, order, 1), normal(4, 50), error=1e-5)


def test_nothing_to_reduce():
    x = np.empty((3, 0), np.float32)
    same(lambda torch, x: (x.sum(1), x.prod(1), x.logsumexp(1), x.sum(0), x.sum()), x, error=0)
    assert minitorch.from_numpy(x).cuda().mean(1).isnan().all()


@pytest.mark.slow
def test_gradients():
    x = normal(3, 6)
    same(lambda torch, x: gradients(torch, lambda x: x.sum(1) ** 2 + x.var(1) + x.amax(1) * x.mean(), x), x, error=1e-5)
    same(lambda torch, x: gradients(torch, lambda x: torch.linalg.vector_norm(x, dim=1).exp(), x), x, error=1e-5)


def test_the_same_sum_has_the_same_bits_whatever_ran_first():
    x = minitorch.from_numpy(normal(5000)).cuda()
    assert x.sum().item() == x.clone().sum().item()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*degrees of freedom")  # torch gives it once, to whoever is first
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(5, 2049), (2, 4100), (300, 2, 3), (700, 40), (1, 9000, 1)])
def test_reductions_of_many_shapes(name, shape):
    for dim in range(len(shape)):
        x = normal(*shape)
        same(_call(name, dim), 1 + 0.01 * x if name == "prod" else x, error=2e-5)


# ---------------------------------------------------------------------- running results, order
def test_running_sums_and_products():
    x = normal(3, 5, 7)
    same(lambda torch, x: (x.cumsum(-1), x.cumsum(1), x.cumprod(2), x.cumsum(0)), x)
    same(lambda torch, x: x.cumsum(1), normal(2, 300), error=1e-5)
    same(lambda torch, x: gradients(torch, lambda x: x.cumsum(1) ** 2, x), x)
    same(lambda torch, x: x.cumsum(0), np.arange(12).reshape(3, 4), error=0)


def test_sorting_with_nan_infinities_and_ties():
    x = np.round(2 * normal(2, 9, 3))
    x[0, 0, 0], x[0, 1, 1], x[1, 1, 1] = np.nan, np.inf, -np.inf
    same(lambda torch, x: tuple(torch.sort(x, dim=1, stable=True)), x, error=0)
    same(lambda torch, x: tuple(torch.sort(x, dim=0, descending=True, stable=True)), x, error=0)
    same(lambda torch, x: tuple(x.topk(2, 1)) + tuple(x.topk(3, -1, largest=False)), normal(2, 9, 3), error=0)
    same(lambda torch, x: gradients(torch, lambda x: x.sort(1)[0] ** 3, x), normal(2, 9), error=1e-5)


def test_long_rows_are_sorted_in_pieces_that_are_merged(monkeypatch):
    monkeypatch.setattr(sort, "PIECE", 8)
    x = np.round(3 * normal(2, 43))
    x[0, 3], x[0, 40], x[1, 7], x[1, 9] = np.nan, np.nan, np.inf, -np.inf
    same(lambda torch, x: tuple(torch.sort(x, dim=1, stable=True)), x, error=0)
    same(lambda torch, x: tuple(torch.sort(x, dim=1, descending=True, stable=True)), x, error=0)
    same(lambda torch, x: tuple(x.topk(5, 1)), normal(2, 43), error=0)
    same(lambda torch, x: torch.sort(x)[0], np.arange(100, 60, -1, dtype=np.int32), error=0)


@pytest.mark.slow
def test_more_elements_than_a_block_sorts():
    same(lambda torch, x: tuple(torch.sort(x, dim=0, stable=True)), np.round(9 * normal(4100)), error=0)


def test_elements_by_rank():
    x = np.round(2 * normal(3, 9))
    x[0, 3], x[2] = np.nan, np.nan
    same(lambda torch, x: (x.median(1)[0], x.nanmedian(1)[0], x.median(), x.nanmedian()), x, error=0)
    same(lambda torch, x: (x.kthvalue(4, 1)[0], x.kthvalue(3, 0, True)[0], x[1].mode()[0]), x, error=0)
    same(lambda torch, x: (*x.kthvalue(4, 1), *x.median(0), *x.mode(1)), normal(3, 8), error=0)
    same(lambda torch, x: gradients(torch, lambda x: x.median(1)[0] * x.median(), x), normal(3, 9))


def test_running_logarithms_and_extremes():
    x = np.round(2 * normal(3, 7, 4))
    x[0, 2, 1], x[1, 3, 0], x[1, 0, 0], x[2, :3, 2] = np.nan, np.inf, -np.inf, -np.inf
    same(lambda torch, x: (*x.cummax(1), *x.cummin(2), *x[0].cummax(0), x.logcumsumexp(1), x.logcumsumexp(2)), x)
    same(lambda torch, x: (*x.cummax(1), *x.cummin(1)), np.round(2 * normal(1, 300)), error=0)
    y = 1 + normal(3, 5)
    same(
        lambda torch, x: gradients(torch, lambda x: x.cumprod(1) ** 2 + x.logcumsumexp(0) * x.cummax(1)[0], x),
        y,
        error=1e-5,
    )
