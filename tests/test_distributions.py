"""Distributions are torch's: shapes, values, gradients, samples of the same seed, texts and errors."""

import numpy as np
import pytest
import torch
from distribution_cases import CASES, FACTOR, PARAMETERS, PROPERTIES, both, gradient, make, outcome, samples
from sampling import sampled

import minitorch

# torch warns so of every sample of Wishart
pytestmark = pytest.mark.filterwarnings("ignore:Singular sample detected")


@pytest.mark.parametrize("case", CASES)
def test_what_a_distribution_is(case):
    texts = {
        "repr": lambda ns, d, _: repr(d),
        "shapes": lambda ns, d, _: (tuple(d.batch_shape), tuple(d.event_shape)),
        "flags": lambda ns, d, _: (d.has_rsample, d.has_enumerate_support),
        "support": lambda ns, d, _: repr(d.support),
        "constraints": lambda ns, d, _: {k: repr(v) for k, v in d.arg_constraints.items()},
        "expanded": lambda ns, d, _: repr(d.expand((2, *d.batch_shape))),
        "constraints of the class": lambda ns, d, _: repr(
            [k for k, v in getattr(type(d), "arg_constraints", {}).items()]
            if isinstance(type(d).arg_constraints, dict)
            else ""
        ),
    }
    for what, call in texts.items():
        both(case, call, what)
    for name in PROPERTIES + PARAMETERS:
        both(case, lambda ns, d, _, name=name: getattr(d, name), name)


@pytest.mark.parametrize("case", CASES)
def test_samples_of_a_seed(case):
    for shape in ((), (3,), (2, 40)):
        both(case, lambda ns, d, _, shape=shape: d.sample(shape), f"sample{shape}", rtol=1e-12)
    for dtype, rtol in (("float64", 1e-12), ("float32", 3e-5)):
        both(case, lambda ns, d, _: d.sample((5,)), "sample", dtype=dtype, rtol=rtol)
        both(case, lambda ns, d, _: d.rsample((5,)), "rsample", dtype=dtype, rtol=rtol)
    both(case, lambda ns, d, _: d.expand((2, *d.batch_shape)).sample((2,)), "sample of expanded", rtol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_densities_and_entropies(case):
    x = samples(case)
    inside = np.linspace(0.05, 0.95, 4).reshape((4,) + (1,) * (x.ndim - 1))
    calls = {
        "log_prob": lambda ns, d, _: d.log_prob(ns.from_numpy(x)),
        "cdf": lambda ns, d, _: d.cdf(ns.from_numpy(x)),
        "icdf": lambda ns, d, _: d.icdf(ns.from_numpy(inside)),
        "entropy": lambda ns, d, _: d.entropy(),
        "perplexity": lambda ns, d, _: d.perplexity(),
        "enumerate_support": lambda ns, d, _: d.enumerate_support(),
        "unexpanded support": lambda ns, d, _: d.enumerate_support(expand=False),
        "log_prob of expanded": lambda ns, d, _: d.expand((4, *d.batch_shape)).log_prob(ns.from_numpy(x)),
        "log_prob of more": lambda ns, d, _: d.log_prob(ns.from_numpy(np.stack([x, x]))),
    }
    if case.startswith("Multinomial"):
        del calls["log_prob of expanded"]
    dtype = "float32" if case == "GeneralizedPareto" else "float64"  # torch's log_prob refuses float64
    for what, call in calls.items():
        both(case, call, what, dtype=dtype)


@pytest.mark.parametrize("case", sampled([case for case in CASES if "number" not in case], 3))
def test_gradients(case):
    x = samples(case)
    functions = {
        "log_prob": lambda ns, d: d.log_prob(ns.from_numpy(x)),
        "cdf": lambda ns, d: d.cdf(ns.from_numpy(x)),
        "rsample": lambda ns, d: d.rsample((5,)),
        "entropy": lambda ns, d: d.entropy(),
        **{name: lambda ns, d, name=name: getattr(d, name) for name in PROPERTIES},
    }
    for what, function in functions.items():
        try:
            out = function(torch, make(torch, case)[0])
        except Exception:
            continue  # compared above
        if what == "rsample" and case.startswith("Wishart"):
            continue  # torch overwrites what its backward pass needs: see below
        if out.requires_grad and out.is_floating_point():
            both(case, lambda ns, d, leaves, f=function: gradient(ns, f(ns, d), leaves), f"gradient of {what}", 1e-7)


def test_wishart_samples_are_differentiable():
    def sample(factor):
        minitorch.manual_seed(0)
        return minitorch.distributions.Wishart(5.0, scale_tril=factor.tril(), validate_args=False).rsample((2,))

    factor = minitorch.tensor(FACTOR, dtype=minitorch.float64, requires_grad=True)
    assert minitorch.autograd.gradcheck(sample, factor)


# ---------------------------------------------------------------------- checks
ERRORS = {
    "scale": lambda ns: ns.distributions.Normal(ns.zeros(2), ns.tensor([1.0, -1.0])),
    "nan": lambda ns: ns.distributions.Normal(ns.tensor(float("nan")), 1.0),
    "probs": lambda ns: ns.distributions.Bernoulli(ns.tensor([0.5, 1.5])),
    "simplex": lambda ns: ns.distributions.Categorical(ns.tensor([-0.5, 1.5])),
    "neither": lambda ns: ns.distributions.Bernoulli(),
    "both": lambda ns: ns.distributions.Categorical(ns.ones(2), ns.ones(2)),
    "0-dim probs": lambda ns: ns.distributions.Categorical(ns.tensor(1.0)),
    "0-dim logits": lambda ns: ns.distributions.Categorical(logits=ns.tensor(1.0)),
    "0-dim concentration": lambda ns: ns.distributions.Dirichlet(ns.tensor(1.0)),
    "beta": lambda ns: ns.distributions.Beta(-1.0, 2.0),
    "uniform": lambda ns: ns.distributions.Uniform(1.0, 0.0),
    "geometric": lambda ns: ns.distributions.Geometric(ns.tensor([0.0, 0.5])),
    "f": lambda ns: ns.distributions.FisherSnedecor(-1.0, 1.0),
    "chi2": lambda ns: ns.distributions.Chi2(ns.tensor(-1.0)),
    "t": lambda ns: ns.distributions.StudentT(-1.0),
    "no number": lambda ns: ns.distributions.Normal("0", 1.0),
    "list": lambda ns: ns.distributions.Normal([0.0], 1.0),
    "shapes": lambda ns: ns.distributions.Normal(ns.zeros(2), ns.ones(3)),
    "no matrix": lambda ns: ns.distributions.MultivariateNormal(ns.zeros(2)),
    "two matrices": lambda ns: ns.distributions.MultivariateNormal(ns.zeros(2), ns.eye(2), ns.eye(2)),
    "loc": lambda ns: ns.distributions.MultivariateNormal(ns.tensor(0.0), ns.eye(2)),
    "vector": lambda ns: ns.distributions.MultivariateNormal(ns.zeros(2), scale_tril=ns.ones(2)),
    "vector covariance": lambda ns: ns.distributions.MultivariateNormal(ns.zeros(2), ns.ones(2)),
    "indefinite": lambda ns: ns.distributions.MultivariateNormal(ns.zeros(2), ns.tensor([[1.0, 2.0], [2.0, 1.0]])),
    "asymmetric": lambda ns: ns.distributions.MultivariateNormal(ns.zeros(2), ns.tensor([[1.0, 0.5], [0.0, 1.0]])),
    "upper": lambda ns: ns.distributions.MultivariateNormal(ns.zeros(2), scale_tril=ns.ones(2, 2)),
    "low rank": lambda ns: ns.distributions.LowRankMultivariateNormal(ns.zeros(2), ns.ones(3, 1), ns.ones(2)),
    "low rank diagonal": lambda ns: ns.distributions.LowRankMultivariateNormal(ns.zeros(2), ns.ones(2, 1), ns.ones(3)),
    "too independent": lambda ns: ns.distributions.Independent(ns.distributions.Normal(ns.zeros(2), 1.0), 2),
    "counts": lambda ns: ns.distributions.Multinomial(ns.tensor([3]), ns.ones(2)),
    "mixture of normals": lambda ns: ns.distributions.MixtureSameFamily(*[ns.distributions.Normal(0.0, 1.0)] * 2),
    "mixture of nothing": lambda ns: ns.distributions.MixtureSameFamily(ns.distributions.Categorical(ns.ones(2)), 3),
    "mixture sizes": lambda ns: ns.distributions.MixtureSameFamily(
        ns.distributions.Categorical(ns.ones(2)), ns.distributions.Normal(ns.zeros(3), 1.0)
    ),
    "mixture batches": lambda ns: ns.distributions.MixtureSameFamily(
        ns.distributions.Categorical(ns.ones(4, 2)), ns.distributions.Normal(ns.zeros(3, 2), 1.0)
    ),
    "transforms": lambda ns: ns.distributions.TransformedDistribution(ns.distributions.Normal(0.0, 1.0), 3),
    "no transforms": lambda ns: ns.distributions.TransformedDistribution(ns.distributions.Normal(0.0, 1.0), [3]),
    "base shape": lambda ns: ns.distributions.TransformedDistribution(
        ns.distributions.Normal(0.0, 1.0), ns.distributions.StickBreakingTransform()
    ),
    "dim": lambda ns: ns.distributions.LKJCholesky(1),
    "no covariance": lambda ns: ns.distributions.Wishart(3.0),
    "vector of covariance": lambda ns: ns.distributions.Wishart(3.0, ns.ones(2)),
    "low df": lambda ns: ns.distributions.Wishart(0.5, ns.eye(2)),
    "log_prob of a number": lambda ns: ns.distributions.Normal(0.0, 1.0).log_prob(1.0),
    "log_prob shape": lambda ns: ns.distributions.Normal(ns.zeros(2), 1.0).log_prob(ns.zeros(3)),
    "event shape": lambda ns: ns.distributions.Dirichlet(ns.ones(3)).log_prob(ns.ones(2) / 2),
    "outside": lambda ns: ns.distributions.Exponential(ns.ones(2)).log_prob(ns.tensor([1.0, -1.0])),
    "category": lambda ns: ns.distributions.Categorical(ns.ones(2)).log_prob(ns.tensor(2)),
    "fraction": lambda ns: ns.distributions.Poisson(ns.ones(2)).log_prob(ns.tensor([0.5, 1.0])),
    "cdf outside": lambda ns: ns.distributions.Uniform(0.0, 1.0).cdf(ns.tensor(2.0)),
    "counts differ": lambda ns: ns.distributions.Binomial(ns.tensor([1.0, 2.0]), ns.ones(2) / 2).enumerate_support(),
    "product": lambda ns: ns.distributions.Independent(
        ns.distributions.Bernoulli(ns.ones(2) / 2), 1
    ).enumerate_support(),
    "no mode": lambda ns: ns.distributions.LogisticNormal(0.0, 1.0).mode,
    "no kl": lambda ns: ns.distributions.kl_divergence(
        ns.distributions.Normal(0.0, 1.0), ns.distributions.Categorical(ns.ones(2))
    ),
    "no families": lambda ns: ns.distributions.kl_divergence(
        ns.distributions.Normal(0.0, 1.0), ns.distributions.Poisson(1.0)
    ),
    "default": lambda ns: ns.distributions.Distribution.set_default_validate_args("yes"),
    "transform": lambda ns: ns.distributions.biject_to(ns.distributions.constraints.boolean),
    "register": lambda ns: ns.distributions.biject_to.register(3, 3),
    "cache": lambda ns: ns.distributions.ExpTransform(cache_size=2),
    "reshape": lambda ns: ns.distributions.ReshapeTransform((2,), (3,)),
    "cat": lambda ns: ns.distributions.CatTransform([ns.distributions.ExpTransform()], lengths=[3])(ns.zeros(2)),
    "stack": lambda ns: ns.distributions.StackTransform([ns.distributions.ExpTransform()])(ns.zeros(2)),
    "cat of numbers": lambda ns: ns.distributions.CatTransform([1]),
    "dependent": lambda ns: ns.distributions.constraints.dependent.check(ns.zeros(2)),
    "few dimensions": lambda ns: ns.distributions.constraints.real_vector.check(ns.tensor(0.0)),
    "triangle": lambda ns: ns.distributions.utils.vec_to_tril_matrix(ns.zeros(5)),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_are_torchs(case):
    theirs, mine = outcome(lambda: ERRORS[case](torch)), outcome(lambda: ERRORS[case](minitorch))
    assert isinstance(theirs, list), "torch raises nothing here"
    assert mine == theirs


def test_whole_message_of_an_invalid_parameter():
    texts = []
    for ns in (torch, minitorch):
        with pytest.raises(ValueError) as error:
            ERRORS["scale"](ns)
        texts.append(str(error.value))
    assert texts[0] == texts[1]


def test_checks_can_be_switched_off():
    d = minitorch.distributions
    assert d.Exponential(1.0, validate_args=False).log_prob(minitorch.tensor(-1.0)) == 1.0
    assert not d.Normal(0.0, -1.0, validate_args=False)._validate_args
    d.Distribution.set_default_validate_args(False)
    try:
        d.Normal(0.0, -1.0)
    finally:
        d.Distribution.set_default_validate_args(True)
    assert not d.Normal(0.0, 1.0, validate_args=False).expand((3,))._validate_args


# ---------------------------------------------------------------------- as programs use them
def test_a_users_subclass_must_bring_its_expand():
    d = minitorch.distributions

    class Shifted(d.Normal):
        def __init__(self, loc):
            super().__init__(loc + 1, 1.0)

    class Named(Shifted):
        def expand(self, batch_shape, _instance=None):
            new = self._get_checked_instance(Named, _instance)
            new.name = "expanded"
            return super().expand(batch_shape, _instance=new)

    with pytest.raises(NotImplementedError, match="Subclass Shifted of Normal that defines a custom __init__ method"):
        Shifted(minitorch.zeros(2)).expand((3, 2))
    new = Named(minitorch.zeros(2)).expand((3, 2))
    assert new.name == "expanded" and new.loc.shape == (3, 2) and isinstance(new, Named)


def test_a_users_distribution_without_constraints_warns():
    class Bare(minitorch.distributions.Distribution):
        pass

    with pytest.warns(UserWarning, match="does not define `arg_constraints`"):
        bare = Bare()
    with pytest.warns(UserWarning, match="does not define `support`"):
        bare._validate_sample(minitorch.zeros(()))
    with pytest.raises(NotImplementedError):
        bare.expand((2,))
    with pytest.warns(FutureWarning, match="sample_n"), pytest.raises(NotImplementedError):
        bare.sample_n(2)


def test_halves_and_vmap():
    d = minitorch.distributions
    x = minitorch.linspace(-1, 1, 6).reshape(2, 3)
    expected = d.Normal(0.0, 2.0).log_prob(x)
    half = d.Normal(minitorch.tensor(0.0).bfloat16(), 2.0).log_prob(x.bfloat16())
    assert half.dtype == minitorch.bfloat16 and (half.float() - expected).abs().max() < 0.02
    rows = minitorch.vmap(lambda r: d.Normal(0.0, 2.0, validate_args=False).log_prob(r))(x)
    np.testing.assert_allclose(rows.numpy(), expected.numpy(), rtol=1e-6)
    rows = minitorch.vmap(lambda r: d.Categorical(logits=r, validate_args=False).entropy())(x)
    np.testing.assert_allclose(rows.numpy(), d.Categorical(logits=x).entropy().numpy(), rtol=1e-6)


def policy_gradient(ns):
    ns.manual_seed(0)
    policy = ns.nn.Sequential(ns.nn.Linear(4, 16), ns.nn.Tanh(), ns.nn.Linear(16, 3))
    optimizer = ns.optim.Adam(policy.parameters(), lr=0.01)
    for _ in range(5):
        dist = ns.distributions.Categorical(logits=policy(ns.randn(32, 4)))
        action = dist.sample()
        reward = (action == 1).float()
        loss = -(dist.log_prob(action) * (reward - reward.mean())).mean() - 0.01 * dist.entropy().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss


def autoencoder(ns):
    ns.manual_seed(0)
    encoder, decoder = ns.nn.Linear(8, 4), ns.nn.Linear(2, 8)
    optimizer = ns.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.01)
    x = ns.rand(16, 8).round()
    for _ in range(5):
        mean, log_std = encoder(x).chunk(2, -1)
        latent = ns.distributions.Independent(ns.distributions.Normal(mean, log_std.exp()), 1)
        prior = ns.distributions.Independent(ns.distributions.Normal(ns.zeros(2), ns.ones(2)), 1)
        out = ns.distributions.Independent(ns.distributions.Bernoulli(logits=decoder(latent.rsample())), 1)
        loss = (ns.distributions.kl_divergence(latent, prior.expand(latent.batch_shape)) - out.log_prob(x)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss


def squashed_actions(ns):
    ns.manual_seed(0)
    mean = ns.randn(5, 2, requires_grad=True)
    transforms = [ns.distributions.TanhTransform(cache_size=1), ns.distributions.AffineTransform(0.0, 2.0)]
    dist = ns.distributions.TransformedDistribution(ns.distributions.Normal(mean, 0.3), transforms)
    dist = ns.distributions.Independent(dist, 1)
    action = dist.rsample()
    (dist.log_prob(action) - action.sum(-1)).mean().backward()
    return mean.grad


def masked_actions(ns):
    class Masked(ns.distributions.Categorical):
        def __init__(self, logits, masks):
            self.masks = masks
            super().__init__(logits=ns.where(masks, logits, ns.tensor(-1e8)))

        def entropy(self):
            return -ns.where(self.masks, self.logits * self.probs, ns.tensor(0.0)).sum(-1)

    ns.manual_seed(0)
    dist = Masked(ns.randn(6, 4), ns.rand(6, 4) > 0.4)
    return dist.log_prob(dist.sample((3,))) + dist.entropy()


def truncated_actions(ns):
    class Truncated(ns.distributions.Normal):
        def sample(self, clip, sample_shape=()):
            shape = self._extended_shape(sample_shape)
            eps = ns.distributions.utils._standard_normal(shape, dtype=self.loc.dtype, device=self.loc.device)
            x = self.loc + (eps * self.scale).clamp(-clip, clip)
            return x - x.detach() + x.detach().clamp(-1, 1)

    ns.manual_seed(0)
    return Truncated(ns.randn(6, 4), ns.ones(4) * 0.2).sample(0.3, (2,))


def straight_through_latents(ns):
    class OneHot(ns.distributions.one_hot_categorical.OneHotCategorical):
        def mode(self):
            one_hot = ns.nn.functional.one_hot(super().logits.argmax(-1), super().logits.shape[-1])
            return one_hot.detach() + super().logits - super().logits.detach()

    def latent(dist, logits):
        return ns.distributions.independent.Independent(dist(logits=logits), 1)

    ns.manual_seed(0)
    logits = ns.randn(3, 4, 5, requires_grad=True)
    plain, through = ns.distributions.OneHotCategorical, ns.distributions.OneHotCategoricalStraightThrough
    sample = latent(through, logits).rsample()
    balance = ns.distributions.kl.kl_divergence(latent(plain, logits.detach()), latent(plain, logits * 0.5))
    loss = (sample * ns.arange(5)).sum() + balance.sum() + (OneHot(logits=logits).mode() ** 2).sum()
    loss.backward()
    return logits.grad


def squashed_normal_of_ones_own(ns):
    d = ns.distributions

    class Tanh(d.transforms.Transform):
        domain = d.constraints.real
        codomain = d.constraints.interval(-1.0, 1.0)
        bijective = True
        sign = +1

        def __eq__(self, other):
            return isinstance(other, Tanh)

        def _call(self, x):
            return x.tanh()

        def _inverse(self, y):
            return 0.5 * (y.log1p() - (-y).log1p())

        def log_abs_det_jacobian(self, x, y):
            return 2.0 * (0.6931471805599453 - x - ns.nn.functional.softplus(-2.0 * x))

    class Squashed(d.transformed_distribution.TransformedDistribution):
        def __init__(self, loc, scale):
            self.base_dist = d.Normal(loc, scale)
            super().__init__(self.base_dist, [Tanh(cache_size=1)])

        @property
        def mean(self):
            mean = self.base_dist.mean
            for transform in self.transforms:
                mean = transform(mean)
            return mean

    ns.manual_seed(0)
    loc = ns.randn(6, 2, requires_grad=True)
    dist = Squashed(loc, ns.ones(2))
    (dist.log_prob(dist.rsample()).sum(-1) + dist.mean.sum(-1)).mean().backward()
    return loc.grad


PROGRAMS = [policy_gradient, autoencoder, squashed_actions, masked_actions, truncated_actions,
            straight_through_latents, squashed_normal_of_ones_own]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_come_to_torchs_numbers(program):
    theirs, mine = program(torch).detach(), program(minitorch).detach()
    np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=2e-5, atol=1e-7)


def test_submodules_have_torchs_paths():
    import importlib
    import pkgutil

    for module in pkgutil.iter_modules(torch.distributions.__path__):
        theirs = importlib.import_module(f"torch.distributions.{module.name}")
        mine = importlib.import_module(f"minitorch.distributions.{module.name}")
        assert set(theirs.__all__) <= set(vars(mine)), module.name
