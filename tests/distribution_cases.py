"""The distributions that the tests make in torch and in minitorch, and how they compare the two."""

import numpy as np
import torch

import minitorch

MATRIX = [[2.0, 0.3, 0.1], [0.3, 1.0, -0.2], [0.1, -0.2, 1.5]]
FACTOR = [[1.4, 0.0, 0.0], [0.3, 1.0, 0.0], [0.1, -0.2, 1.2]]
ROWS = [[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]
LOGITS = [[0.2, -0.5, 1.3], [2.1, 0.1, -0.8]]

# name -> how it is made from the module `d` and `t`, which makes a tensor that requires grad
CASES = {
    "Bernoulli": lambda d, t: d.Bernoulli(t([0.2, 0.5, 0.9])),
    "Bernoulli logits": lambda d, t: d.Bernoulli(logits=t([-1.0, 0.0, 2.0])),
    "Bernoulli number": lambda d, t: d.Bernoulli(0.3),
    "Beta": lambda d, t: d.Beta(t([0.5, 2.0, 3.0]), t([0.7, 1.0, 4.0])),
    "Beta numbers": lambda d, t: d.Beta(2, 3.0),
    "Binomial": lambda d, t: d.Binomial(10, t([0.2, 0.5, 0.9])),
    "Binomial logits": lambda d, t: d.Binomial(12, logits=t([0.0, 1.5])),
    "Binomial counts": lambda d, t: d.Binomial(t([3.0, 5.0]).detach(), t([0.2, 0.5])),
    "Categorical": lambda d, t: d.Categorical(t(ROWS)),
    "Categorical one": lambda d, t: d.Categorical(t([1.0, 2.0, 0.0])),
    "Categorical logits": lambda d, t: d.Categorical(logits=t(LOGITS)),
    "Cauchy": lambda d, t: d.Cauchy(t([0.0, 1.0]), t([1.0, 2.5])),
    "Chi2": lambda d, t: d.Chi2(t([1.0, 3.5])),
    "ContinuousBernoulli": lambda d, t: d.ContinuousBernoulli(t([0.2, 0.5, 0.5003, 0.9])),
    "ContinuousBernoulli logits": lambda d, t: d.ContinuousBernoulli(logits=t([0.001, -3.0])),
    "Dirichlet": lambda d, t: d.Dirichlet(t([[0.5, 2.0, 3.0], [0.7, 0.9, 0.4]])),
    "Exponential": lambda d, t: d.Exponential(t([0.5, 2.0])),
    "FisherSnedecor": lambda d, t: d.FisherSnedecor(t([1.0, 5.0]), t([2.0, 7.0])),
    "Gamma": lambda d, t: d.Gamma(t([0.3, 2.0, 15.0]), t([1.0, 0.5, 3.0])),
    "GeneralizedPareto": lambda d, t: d.GeneralizedPareto(t([0.0, 1.0, 0.0]), t([1.0, 2.0, 1.0]), t([0.4, -0.5, 0.0])),
    "Geometric": lambda d, t: d.Geometric(t([0.2, 0.7, 1.0])),
    "Geometric logits": lambda d, t: d.Geometric(logits=t([-1.0, 2.0])),
    "Gumbel": lambda d, t: d.Gumbel(t([0.0, 1.0]), t([1.0, 2.5])),
    "HalfCauchy": lambda d, t: d.HalfCauchy(t([1.0, 2.5])),
    "HalfNormal": lambda d, t: d.HalfNormal(t([1.0, 2.5])),
    "Independent": lambda d, t: d.Independent(d.Normal(t(LOGITS), 1.5), 1),
    "Independent none": lambda d, t: d.Independent(d.Bernoulli(t([0.2, 0.5])), 0),
    "InverseGamma": lambda d, t: d.InverseGamma(t([0.8, 3.0]), t([1.0, 0.5])),
    "Kumaraswamy": lambda d, t: d.Kumaraswamy(t([0.5, 2.0]), t([0.7, 4.0])),
    "LKJCholesky": lambda d, t: d.LKJCholesky(3, t([0.5, 2.0])),
    "Laplace": lambda d, t: d.Laplace(t([0.0, 1.0]), t([1.0, 2.5])),
    "LogNormal": lambda d, t: d.LogNormal(t([0.0, 1.0]), t([1.0, 0.5])),
    "LogisticNormal": lambda d, t: d.LogisticNormal(t([[0.0, 1.0, 0.3]]), t([1.0, 0.5, 0.7])),
    "LowRankMultivariateNormal": lambda d, t: d.LowRankMultivariateNormal(
        t([0.0, 1.0, 2.0]), t([[1.0], [0.5], [-1.0]]), t([[1.0, 2.0, 0.5], [0.3, 1.0, 1.0]])
    ),
    "MixtureSameFamily": lambda d, t: d.MixtureSameFamily(
        d.Categorical(t([[0.3, 0.7], [0.5, 0.5]])), d.Normal(t([[-1.0, 1.0], [0.0, 3.0]]), t([0.5, 2.0]))
    ),
    "MixtureSameFamily vectors": lambda d, t: d.MixtureSameFamily(
        d.Categorical(logits=t(LOGITS)), d.Independent(d.Normal(t(np.arange(12.0).reshape(2, 3, 2)), 1.0), 1)
    ),
    "Multinomial": lambda d, t: d.Multinomial(5, t(ROWS)),
    "Multinomial logits": lambda d, t: d.Multinomial(4, logits=t([0.1, 0.7])),
    "MultivariateNormal": lambda d, t: d.MultivariateNormal(t([0.0, 1.0, 2.0]), t(MATRIX)),
    "MultivariateNormal factor": lambda d, t: d.MultivariateNormal(t(LOGITS), scale_tril=t(FACTOR)),
    "MultivariateNormal factors": lambda d, t: d.MultivariateNormal(t(LOGITS), scale_tril=t([FACTOR, FACTOR])),
    "MultivariateNormal precision": lambda d, t: d.MultivariateNormal(t(LOGITS), precision_matrix=t(MATRIX)),
    "NegativeBinomial": lambda d, t: d.NegativeBinomial(t([2.0, 5.5]), t([0.3, 0.8])),
    "NegativeBinomial logits": lambda d, t: d.NegativeBinomial(3, logits=t([0.3, -0.8])),
    "Normal": lambda d, t: d.Normal(t([0.0, 1.0, -2.0]), t([1.0, 2.5, 0.3])),
    "Normal broadcast": lambda d, t: d.Normal(t([[0.0], [1.0]]), t([1.0, 2.5, 0.3])),
    "Normal numbers": lambda d, t: d.Normal(0, 2.0),
    "OneHotCategorical": lambda d, t: d.OneHotCategorical(t(ROWS)),
    "OneHotCategorical logits": lambda d, t: d.OneHotCategorical(logits=t([0.2, 0.9])),
    "OneHotCategoricalStraightThrough": lambda d, t: d.OneHotCategoricalStraightThrough(t(ROWS)),
    "Pareto": lambda d, t: d.Pareto(t([1.0, 2.0, 0.5]), t([0.7, 1.5, 3.0])),
    "Poisson": lambda d, t: d.Poisson(t([0.0, 2.0, 15.5])),
    "RelaxedBernoulli": lambda d, t: d.RelaxedBernoulli(t(0.7), t([0.2, 0.9])),
    "RelaxedBernoulli logits": lambda d, t: d.RelaxedBernoulli(t([0.7, 2.0]), logits=t([0.2, 0.9])),
    "LogitRelaxedBernoulli": lambda d, t: d.relaxed_bernoulli.LogitRelaxedBernoulli(t(0.7), t([0.2, 0.9])),
    "RelaxedOneHotCategorical": lambda d, t: d.RelaxedOneHotCategorical(t(0.7), t(ROWS)),
    "RelaxedOneHotCategorical logits": lambda d, t: d.RelaxedOneHotCategorical(t(1.7), logits=t(LOGITS)),
    "StudentT": lambda d, t: d.StudentT(t([0.7, 1.5, 4.0]), t([0.0, 1.0, 2.0]), 2.0),
    "TransformedDistribution": lambda d, t: d.TransformedDistribution(
        d.Normal(t([0.0, 1.0]), 1.0), [d.AffineTransform(t([1.0, 2.0]), t(-2.0)), d.SigmoidTransform()]
    ),
    "TransformedDistribution of none": lambda d, t: d.TransformedDistribution(d.Normal(t([0.0, 1.0]), 1.0), []),
    "TransformedDistribution stick": lambda d, t: d.TransformedDistribution(
        d.Normal(t(LOGITS), 1.0), d.StickBreakingTransform()
    ),
    "Uniform": lambda d, t: d.Uniform(t([0.0, -1.0]), t([1.0, 2.5])),
    "Uniform numbers": lambda d, t: d.Uniform(0, 2),
    "VonMises": lambda d, t: d.VonMises(t([0.0, 1.0, 2.0]), t([1.0, 5.0, 1e-6])),
    "Weibull": lambda d, t: d.Weibull(t([1.0, 2.0]), t([0.7, 1.5])),
    "Wishart": lambda d, t: d.Wishart(t([4.0, 3.5]), t(MATRIX)),
    "Wishart factors": lambda d, t: d.Wishart(t([5.0, 6.0]), scale_tril=t([FACTOR, FACTOR])),
    "Wishart precision": lambda d, t: d.Wishart(t(6.5), precision_matrix=t(MATRIX)),
}
PROPERTIES = ("mean", "mode", "variance", "stddev")
PARAMETERS = ("probs", "logits", "loc", "scale", "df", "rate", "concentration", "covariance_matrix", "precision_matrix",
              "scale_tril", "temperature")  # fmt: skip


def make(ns, case, dtype="float64"):
    """A case's distribution, and the leaves that it was made of."""
    leaves = []

    def leaf(values):
        leaves.append(ns.tensor(np.asarray(values).tolist(), dtype=getattr(ns, dtype), requires_grad=True))
        return leaves[-1]

    return CASES[case](ns.distributions, leaf), leaves


def outcome(call):
    """A tensor as an array with its dtype, anything else as text, an error as the words of its class and first line."""
    try:
        value = call()
    except Exception as e:
        return f"{type(e).__name__}: {' '.join(str(e).replace('minitorch.', 'torch.').splitlines()[0:1])}".split()
    return (np.asarray(value.detach()), str(value.dtype)[-7:]) if hasattr(value, "detach") else str(value)


def assert_same(theirs, mine, rtol, what):
    assert type(theirs) is type(mine), (what, theirs, mine)
    if isinstance(theirs, tuple):
        assert theirs[1] == mine[1], what
        rtol = max(rtol, 1e-5) if theirs[1] == "float32" else rtol
        np.testing.assert_allclose(mine[0], theirs[0], rtol=rtol, atol=rtol / 100, err_msg=what)
    else:
        assert mine == theirs, what


def both(case, call, what, rtol=1e-9, dtype="float64"):
    found = []
    for ns in (torch, minitorch):
        ns.manual_seed(7)
        d, leaves = make(ns, case, dtype)
        found.append(outcome(lambda: call(ns, d, leaves)))
    assert_same(*found, rtol, f"{case}: {what}")
    return found[0]


def samples(case):
    """Values that the case's distribution may take, as torch draws them."""
    torch.manual_seed(5)
    return make(torch, case)[0].sample((4,)).numpy()


def gradient(ns, out, leaves):
    """The gradients by all leaves, of a weighted sum of finite results."""
    weights = ns.linspace(0.5, 1.5, out.numel(), dtype=out.dtype).reshape(out.shape)
    total = ns.where(ns.isfinite(out), out * weights, 0).sum()
    grads = ns.autograd.grad(total, leaves, allow_unused=True)
    return ns.cat([ns.zeros(1) if g is None else g.reshape(-1) for g in grads])
