"""Gamma and Dirichlet numbers are torch's, with torch's derivatives by their concentrations."""

import numpy as np
import pytest
import torch

import minitorch
from minitorch._ops.public import op

ALPHAS = np.concatenate([np.geomspace(1e-3, 50, 40), [0.0, 1.0, 0.5, 0.99]])


def both(program):
    out = []
    for ns in (torch, minitorch):
        ns.manual_seed(3)
        ns.randn(3)  # leaves one normal number of a pair to the next call
        out.append([program(ns).detach().double().numpy(), ns.randn(3).numpy()])
    return out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sampler", ["_standard_gamma", "_sample_dirichlet"])
def test_numbers_are_torchs(sampler, dtype):
    def program(ns):
        alpha = ns.from_numpy(ALPHAS[ALPHAS > 0] if "dirichlet" in sampler else ALPHAS).to(getattr(ns, dtype))
        return getattr(ns, sampler)(alpha.expand(50, -1))

    for a, b in zip(*both(program), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-15 if "dirichlet" in sampler else 0)  # sums of 43 numbers round


def test_halves_are_drawn_as_float32():
    x = minitorch._standard_gamma(minitorch.full((100,), 3.0, dtype=minitorch.bfloat16))
    assert x.dtype == minitorch.bfloat16 and 2 < x.float().mean() < 4


@pytest.mark.parametrize("sampler", ["_standard_gamma", "_sample_dirichlet"])
@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_a_concentration_that_torch_would_draw_forever_from_is_refused(sampler, value):
    with pytest.raises(RuntimeError, match="expected concentrations to be non-negative"):
        getattr(minitorch, sampler)(minitorch.tensor([1.0, value]))


def spread(n=20000):
    """Pairs of concentrations and points, half of them where the density is."""
    rng = np.random.default_rng(0)
    a, b = np.exp(rng.uniform(-5, 5, (2, n)))
    x = rng.uniform(0, 1, n)
    x[: n // 2] = rng.beta(a, b)[: n // 2].clip(1e-300, 1 - 1e-16)
    return a, b, x


def test_gammas_derivative_is_torchs():
    a, b, _ = spread()
    b[: b.size // 2] = np.random.default_rng(1).gamma(a)[: b.size // 2]
    expected = torch._standard_gamma_grad(torch.from_numpy(a), torch.from_numpy(b))
    found = op("gamma_slope")(minitorch.from_numpy(a), minitorch.from_numpy(b))
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-9)


def test_dirichlets_derivative_is_torchs():
    a, b, x = spread()
    expected = torch._dirichlet_grad(*map(torch.from_numpy, (x, a, a + b)))
    found = op("dirichlet_slope")(*map(minitorch.from_numpy, (x, a, a + b)))
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12)


def test_a_samples_gradient_is_the_derivative_along_it():
    grads = []
    for ns in (torch, minitorch):
        ns.manual_seed(0)
        a = ns.linspace(0.5, 20, 12, dtype=ns.float64).requires_grad_()
        x = ns._standard_gamma(a.expand(3, -1))
        grads.append(ns.autograd.grad((x * x).sum(), a)[0].numpy())
    np.testing.assert_allclose(*grads, rtol=1e-12)
    assert type(x.grad_fn).__name__ == "StandardGammaBackward0"


def test_dirichlet_gradients_follow_the_simplex():
    a = minitorch.rand(5, 3, dtype=minitorch.float64).requires_grad_()
    (grad,) = minitorch.autograd.grad(minitorch._sample_dirichlet(a).sum(), a)
    assert grad.abs().max() < 1e-12
