"""Poisson, binomial, gamma and Dirichlet numbers and their derivatives on an emulated GPU."""

import math

import numpy as np
import pytest
import torch
from cuda_compare import gpu, gradients, mostly_slow, same  # noqa: F401
from test_gamma_sampling import spread

import minitorch
from minitorch._kernels.cuda import rejection
from minitorch._kernels.cuda.device import *  # noqa: F403
from minitorch._kernels.cuda.kernel import kernel
from minitorch._ops.public import op
from tests import simt

# ruff: noqa: F405 - the words of kernels

pytestmark = pytest.mark.usefixtures("gpu")

COUNT = 2000


def drawn(function, *parameters, dtype="float32"):
    minitorch.manual_seed(0)
    tensors = [minitorch.full((COUNT,), float(p), dtype=getattr(minitorch, dtype)).cuda() for p in parameters]
    return function(*tensors).cpu().double().numpy()


def assert_moments(found, mean, variance, excess):
    """Mean and variance within four of their own standard deviations; `excess` is the distribution's kurtosis - 3."""
    assert abs(found.mean() - mean) <= 4 * math.sqrt(variance / COUNT)
    assert abs(found.var() - variance) <= 4 * variance * math.sqrt((2 + excess) / COUNT)


RATES = [0.3, 5.0, 9.9, 10.0, 30.0, 1e4, 1e6]


@pytest.mark.parametrize("rate", mostly_slow(RATES, "5.0 30.0"))
def test_poisson_numbers(rate):
    assert_moments(drawn(minitorch.poisson, rate), rate, rate, 1 / rate)


BINOMIAL = [(5, 0.3), (30, 0.9), (100, 0.5), (1000, 0.9), (100000, 0.2)]


@pytest.mark.parametrize(("n", "p"), BINOMIAL[:3])
def test_binomial_numbers(n, p):
    variance = n * p * (1 - p)
    assert_moments(drawn(minitorch.binomial, n, p), n * p, variance, (1 - 6 * p * (1 - p)) / variance)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "p"), BINOMIAL[3:])
def test_binomial_numbers_of_many_trials(n, p):
    test_binomial_numbers(n, p)


@pytest.mark.parametrize("alpha", mostly_slow([0.1, 0.7, 1.0, 4.0, 1e4], "0.7 4.0"))
def test_gamma_numbers(alpha):
    assert_moments(drawn(minitorch._standard_gamma, alpha), alpha, alpha, 6 / alpha)


def test_numbers_of_other_dtypes():
    for dtype in ("float64", "bfloat16", "float16"):
        assert abs(drawn(minitorch.poisson, 20, dtype=dtype).mean() - 20) < 0.5
        assert abs(drawn(minitorch._standard_gamma, 2, dtype=dtype).mean() - 2) < 0.15
    assert abs(drawn(minitorch.binomial, 50, 0.5, dtype="float64").mean() - 25) < 0.4


def test_what_needs_no_draw():
    nan = float("nan")
    counts, probs = [0.0, 3.0, 3.0, 3.0, -1.0], [0.5, 0.0, 1.0, nan, 0.5]
    found = minitorch.binomial(minitorch.tensor(counts).cuda(), minitorch.tensor(probs).cuda()).tolist()
    assert found[:3] + found[4:] == [0.0, 0.0, 3.0, 0.0] and math.isnan(found[3])
    assert minitorch.poisson(minitorch.zeros(2).cuda()).tolist() == [0.0, 0.0]
    assert (minitorch._standard_gamma(minitorch.zeros(3).cuda()) == np.finfo(np.float32).tiny).all()
    assert minitorch.poisson(minitorch.zeros(0, 3).cuda()).shape == (0, 3)


def test_calls_differ_and_a_seed_brings_them_back():
    rates = minitorch.full((50,), 20.0).cuda()
    minitorch.manual_seed(1)
    first, second = minitorch.poisson(rates), minitorch.poisson(rates)
    minitorch.manual_seed(1)
    assert minitorch.equal(minitorch.poisson(rates), first) and not minitorch.equal(first, second)


def test_dirichlet_numbers_lie_on_the_simplex():
    minitorch.manual_seed(0)
    found = minitorch._sample_dirichlet(minitorch.tensor([1.0, 2.0, 3.0]).expand(1000, 3).cuda()).cpu().numpy()
    np.testing.assert_allclose(found.sum(-1), 1, 0, 3e-7)
    np.testing.assert_allclose(found.mean(0), np.array([1, 2, 3]) / 6, 0, 0.03)


@pytest.mark.parametrize("call", ["poisson", "_standard_gamma"])
def test_what_is_negative_is_refused(call):
    for value in (-1.0, float("nan")):
        with pytest.raises(RuntimeError, match="non-negative"):
            getattr(minitorch, call)(minitorch.tensor([1.0, value]).cuda())


def test_distributions_draw_on_a_gpu():
    minitorch.manual_seed(0)
    d = minitorch.distributions
    for made in (d.Poisson(minitorch.tensor(4.0).cuda()), d.Gamma(minitorch.tensor(4.0).cuda(), 1.0)):
        assert abs(made.sample((500,)).mean().item() - 4) < 0.4
    beta = d.Beta(minitorch.tensor(2.0).cuda().requires_grad_(), minitorch.tensor(3.0).cuda())
    assert abs(beta.rsample((500,)).mean().item() - 0.4) < 0.05
    beta.rsample((3,)).sum().backward()
    assert beta.concentration1.grad_fn is not None or beta.concentration1.grad is not None


# ---------------------------------------------------------------------- numerics
@kernel("f4* f4* f4* f4*", block=64)
def _logarithms(k, mean, poisson, binomial):
    i = threadIdx.x
    poisson[i] = rejection.log_poisson(k[i], mean[i])
    binomial[i] = rejection.log_binomial(k[i], 2.0 * k[i] + 3.0, 0.3)


def test_logarithms_of_probabilities_keep_their_digits_in_float32():
    rng = np.random.default_rng(0)
    mean = np.exp(rng.uniform(np.log(10), np.log(1e6), 64)).astype(np.float32)
    k = np.maximum(np.rint(mean + 2 * rng.standard_normal(64) * np.sqrt(mean)), 0).astype(np.float32)
    poisson, binomial = np.zeros(64, np.float32), np.zeros(64, np.float32)
    simt.run(_logarithms, 1, k, mean, poisson, binomial)
    exact = [a * math.log(m) - m - math.lgamma(a + 1) for a, m in zip(k.tolist(), mean.tolist(), strict=True)]
    np.testing.assert_allclose(poisson, exact, 1e-5, 1e-5)
    log_choose = [math.lgamma(2 * a + 4) - math.lgamma(a + 1) - math.lgamma(a + 4) for a in k.tolist()]
    p = float(np.float32(0.3))
    exact = [c + a * math.log(p) + (a + 3) * math.log1p(-p) for c, a in zip(log_choose, k.tolist(), strict=True)]
    np.testing.assert_allclose(binomial, exact, 1e-5, 1e-5)


def test_derivatives_are_torchs():
    a, b, x = spread(3000)
    numbers = b.copy()
    numbers[: b.size // 2] = np.random.default_rng(1).gamma(a)[: b.size // 2]
    on_gpu = lambda name, *arrays: op(name)(*[minitorch.from_numpy(v).cuda() for v in arrays]).cpu().numpy()  # noqa: E731
    expected = torch._standard_gamma_grad(torch.from_numpy(a), torch.from_numpy(numbers)).numpy()
    np.testing.assert_allclose(on_gpu("gamma_slope", a, numbers), expected, 1e-9, 1e-300)
    expected = torch._dirichlet_grad(*map(torch.from_numpy, (x, a, a + b))).numpy()
    np.testing.assert_allclose(on_gpu("dirichlet_slope", x, a, a + b), expected, rtol=1e-8)


def test_derivatives_in_float32():
    a, b, x = (v.astype(np.float32) for v in spread(3000))
    x = x.clip(1e-20, 0.999)
    numbers = np.random.default_rng(1).gamma(a).astype(np.float32).clip(1e-20)
    wide = lambda *arrays: [torch.from_numpy(v.astype(np.float64)) for v in arrays]  # noqa: E731
    on_gpu = lambda name, *arrays: op(name)(*[minitorch.from_numpy(v).cuda() for v in arrays]).cpu().numpy()  # noqa: E731
    np.testing.assert_allclose(
        on_gpu("gamma_slope", a, numbers), torch._standard_gamma_grad(*wide(a, numbers)).numpy(), rtol=1e-3
    )
    total = a + b
    expected = torch._dirichlet_grad(*wide(x, a, total)).numpy()
    found = on_gpu("dirichlet_slope", x, a, total)
    error = np.abs(found - expected) / np.abs(expected)
    # just outside of the series around the mean two large terms leave two of float32's seven digits
    assert np.median(error) < 1e-6 and np.quantile(error, 0.99) < 1e-3 and error.max() < 2e-2


def test_gradients_of_samples():
    minitorch.manual_seed(0)
    a = minitorch.linspace(0.5, 20, 6).cuda().requires_grad_()
    x = minitorch._standard_gamma(a)
    x.sum().backward()
    expected = torch._standard_gamma_grad(
        torch.from_numpy(a.detach().cpu().numpy()), torch.from_numpy(x.detach().cpu().numpy())
    )
    np.testing.assert_allclose(a.grad.cpu().numpy(), expected.numpy(), rtol=1e-4)
    a = minitorch.tensor([[1.0, 2.0, 3.0]]).cuda().requires_grad_()
    minitorch._sample_dirichlet(a).sum().backward()
    np.testing.assert_allclose(a.grad.cpu().numpy(), 0, 0, 1e-6)  # the sum is always 1
    rate = minitorch.tensor([3.0]).cuda().requires_grad_()
    minitorch.poisson(rate).sum().backward()
    assert rate.grad.item() == 0
