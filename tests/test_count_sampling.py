"""poisson and binomial draw torch's numbers and leave the generator where torch leaves it."""

import numpy as np
import pytest
import torch

import minitorch

RATES = np.concatenate([np.linspace(0, 12, 40), np.geomspace(10, 1e6, 40)])
PROBS = np.array([0.0, 0.001, 0.1, 0.5, 0.7, 0.999, 1.0])


def both(program):
    out = []
    for ns in (torch, minitorch):
        ns.manual_seed(3)
        out.append([program(ns).double().numpy(), ns.rand(3).numpy()])
    return out


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_poisson_is_torchs(dtype):
    rates = RATES[RATES < 1e4] if dtype == "float16" else RATES

    def program(ns):
        return ns.poisson(ns.from_numpy(np.tile(rates, 20)).to(getattr(ns, dtype)))

    for a, b in zip(*both(program), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_binomial_is_torchs(dtype):
    counts = np.tile(np.array([0, 1, 7, 30, 1000, 100000.0])[:, None], (9, PROBS.size))

    def program(ns):
        prob = ns.from_numpy(PROBS).to(getattr(ns, dtype)).expand(counts.shape)
        return ns.binomial(ns.from_numpy(counts).to(getattr(ns, dtype)), prob)

    for a, b in zip(*both(program), strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_count_may_take_more_numbers_than_a_stretch_holds():
    for a, b in zip(*both(lambda ns: ns.poisson(ns.full((70000,), 9.5))), strict=True):
        np.testing.assert_array_equal(a, b)


def test_poissons_gradient_is_zero():
    x = minitorch.tensor([3.0], requires_grad=True)
    y = minitorch.poisson(x)
    assert type(y.grad_fn).__name__ == "PoissonBackward0"
    assert minitorch.autograd.grad(y, x)[0].item() == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda ns: ns.poisson(ns.tensor([-1.0])),
        lambda ns: ns.poisson(ns.tensor([float("nan")])),
        lambda ns: ns.poisson(ns.tensor([1])),
        lambda ns: ns.poisson(3),
        lambda ns: ns.binomial(ns.tensor([1]), ns.tensor([0.5])),
        lambda ns: ns.binomial(ns.tensor([1.0]), ns.tensor([0.5]).double()),
        lambda ns: ns.binomial(3, ns.tensor([0.5])),
    ],
)
def test_refusals_are_torchs(call):
    with pytest.raises(Exception) as theirs:
        call(torch)
    with pytest.raises(type(theirs.value)) as mine:
        call(minitorch)
    assert str(mine.value).splitlines()[0] == str(theirs.value).splitlines()[0]
