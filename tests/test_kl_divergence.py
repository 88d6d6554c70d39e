"""Divergences of all pairs that torch has are torch's, with their gradients."""

import numpy as np
import pytest
import torch
from distribution_cases import CASES, FACTOR, ROWS, gradient

import minitorch

PAIRS = sorted(
    {(p.__name__, q.__name__) for p, q in torch.distributions.kl._KL_REGISTRY}
    - {("ExponentialFamily", "ExponentialFamily")}
)
PARTNERS = {  # a second one of the class, over the same events
    "Beta": lambda d, t: d.Beta(t([1.5, 2.5, 3.0]), t([0.2, 1.0, 5.0])),
    "Bernoulli": lambda d, t: d.Bernoulli(t([0.3, 1.0, 0.0])),
    "Binomial": lambda d, t: d.Binomial(9, t([0.3, 0.6, 0.2])),
    "Categorical": lambda d, t: d.Categorical(t([[0.2, 0.0, 0.8], [1.0, 1.0, 1.0]])),
    "Cauchy": lambda d, t: d.Cauchy(t([1.0, 1.0]), t([2.0, 2.5])),
    "ContinuousBernoulli": lambda d, t: d.ContinuousBernoulli(t(0.3)),
    "Dirichlet": lambda d, t: d.Dirichlet(t([0.5, 1.0, 4.0])),
    "Exponential": lambda d, t: d.Exponential(t([1.5])),
    "Gamma": lambda d, t: d.Gamma(t([1.3]), t([2.0])),
    "Geometric": lambda d, t: d.Geometric(t([0.3, 0.6, 0.9])),
    "Gumbel": lambda d, t: d.Gumbel(t([0.5]), t([1.5])),
    "HalfNormal": lambda d, t: d.HalfNormal(t([2.0])),
    "Independent": lambda d, t: d.Independent(d.Normal(t(ROWS), 0.5), 1),
    "Laplace": lambda d, t: d.Laplace(t([0.5]), t([1.5])),
    "LowRankMultivariateNormal": lambda d, t: d.LowRankMultivariateNormal(
        t([1.0, 1.0, 0.0]), t([[1.0, 0.0], [0.2, 1.0], [0.0, 0.5]]), t([1.0, 0.5, 0.7])
    ),
    "MultivariateNormal": lambda d, t: d.MultivariateNormal(t([1.0, 1.0, 0.0]), scale_tril=t([FACTOR, FACTOR])),
    "Normal": lambda d, t: d.Normal(t([0.5]), t([1.5])),
    "OneHotCategorical": lambda d, t: d.OneHotCategorical(t([[0.5, 0.0, 0.5], [1.0, 1.0, 1.0]])),
    "Pareto": lambda d, t: d.Pareto(t([0.7]), t([1.5])),
    "Poisson": lambda d, t: d.Poisson(t([3.0])),
    "TransformedDistribution": lambda d, t: d.LogNormal(t([0.5]), t([1.5])),
    "Uniform": lambda d, t: d.Uniform(t(-0.5), t(1.5)),
}
FIRST = {
    "TransformedDistribution": CASES["LogNormal"],
    "Uniform": lambda d, t: d.Uniform(t([0.1, 0.9, -0.2]), t([0.4, 1.0, 1.5])),
    "Geometric": lambda d, t: d.Geometric(t([0.2, 0.7, 0.5])),
    "Poisson": lambda d, t: d.Poisson(t([1.0, 2.0, 15.5])),
}


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_divergences(p, q):
    found = []
    for ns in (torch, minitorch):
        leaves = []

        def leaf(values, ns=ns, leaves=leaves):
            leaves.append(ns.tensor(np.asarray(values).tolist(), dtype=ns.float64, requires_grad=True))
            return leaves[-1]

        first, second = FIRST.get(p, CASES[p]), PARTNERS[q]
        kl = ns.distributions.kl_divergence(first(ns.distributions, leaf), second(ns.distributions, leaf))
        grad = gradient(ns, kl, leaves) if kl.requires_grad else ns.zeros(1)
        found.append((kl.detach().numpy(), grad.numpy()))
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-7, atol=1e-9)


def test_all_of_torchs_pairs_are_there():
    ours = {(p.__name__, q.__name__) for p, q in minitorch.distributions.kl._FORMULAS}
    assert ours == {(p.__name__, q.__name__) for p, q in torch.distributions.kl._KL_REGISTRY}


def test_the_nearest_registered_pair_serves_subclasses_and_ambiguity_warns():
    d = minitorch.distributions

    class Mine(d.Normal):
        pass

    p, q = Mine(0.0, 1.0), d.Normal(0.0, 1.0)
    assert d.kl_divergence(p, q) == 0
    d.register_kl(Mine, d.Normal)(lambda p, q: 1)
    d.register_kl(d.Normal, Mine)(lambda p, q: 2)
    try:
        assert (d.kl_divergence(p, q), d.kl_divergence(q, p)) == (1, 2)
        with pytest.warns(RuntimeWarning, match=r"Ambiguous kl_divergence\(Mine, Mine\). Please register_kl\(Mine, Mi"):
            assert d.kl_divergence(p, p) == 1
    finally:
        for pair in ((Mine, d.Normal), (d.Normal, Mine)):
            del d.kl._FORMULAS[pair]
        d.kl._FOUND.clear()
    with pytest.raises(TypeError, match="Expected type_p to be a Distribution subclass"):
        d.register_kl(int, d.Normal)


def test_kl_of_different_independents_is_refused():
    d = minitorch.distributions
    normal = d.Normal(minitorch.zeros(2, 3), 1.0)
    with pytest.raises(NotImplementedError):
        d.kl_divergence(d.Independent(normal, 1), d.Independent(normal, 2))
    with pytest.raises(NotImplementedError):
        d.kl_divergence(d.LogNormal(0.0, 1.0), d.TransformedDistribution(d.Normal(0.0, 1.0), d.TanhTransform()))
