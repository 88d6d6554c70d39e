"""Transforms, constraints and the registries that join them are torch's."""

import numpy as np
import pytest
import torch
from distribution_cases import FACTOR, MATRIX, assert_same, gradient, outcome

import minitorch

TRANSFORMS = {
    "exp": lambda d, t: d.ExpTransform(),
    "sigmoid": lambda d, t: d.SigmoidTransform(),
    "softplus": lambda d, t: d.SoftplusTransform(),
    "tanh": lambda d, t: d.TanhTransform(),
    "abs": lambda d, t: d.AbsTransform(),
    "power": lambda d, t: d.ComposeTransform([d.ExpTransform(), d.PowerTransform(t([0.5, -2.0, 3.0]))]),
    "affine": lambda d, t: d.AffineTransform(1.0, -2.0),
    "affine tensors": lambda d, t: d.AffineTransform(t([1.0, 2.0, 3.0]), t([0.5, -2.0, 1.0])),
    "affine event": lambda d, t: d.AffineTransform(t([1.0, 2.0, 3.0]), t([0.5, -2.0, 1.0]), event_dim=1),
    "softmax": lambda d, t: d.SoftmaxTransform(),
    "stick": lambda d, t: d.StickBreakingTransform(),
    "cholesky": lambda d, t: d.LowerCholeskyTransform(),
    "positive": lambda d, t: d.PositiveDefiniteTransform(),
    "correlation": lambda d, t: d.CorrCholeskyTransform(),
    "reshape": lambda d, t: d.ReshapeTransform((3, 3), (9,)),
    "independent": lambda d, t: d.IndependentTransform(d.ExpTransform(), 1),
    "compose": lambda d, t: d.ComposeTransform([d.AffineTransform(t(1.0), t(2.0)), d.StickBreakingTransform()]),
    "compose of none": lambda d, t: d.ComposeTransform([]),
    "compose twice": lambda d, t: d.ComposeTransform([d.TanhTransform()] * 2),
    "inverse": lambda d, t: d.ComposeTransform([d.ExpTransform(), d.AffineTransform(1.0, 3.0)]).inv.inv,
    "cat": lambda d, t: d.CatTransform([d.ExpTransform(), d.AffineTransform(t(1.0), 2.0)], dim=-1, lengths=[1, 2]),
    "cat of events": lambda d, t: d.CatTransform([d.SoftmaxTransform(), d.SoftmaxTransform()], dim=0, lengths=[1, 1]),
    "stack": lambda d, t: d.StackTransform([d.ExpTransform(), d.identity_transform, d.TanhTransform()], dim=-1),
    "cdf": lambda d, t: d.CumulativeDistributionTransform(d.Normal(t(0.5), 2.0)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("cache_size", [0, 1])
def test_transforms(name, cache_size):
    x = np.random.default_rng(0).normal(size=(2, 3, 3))
    calls = {
        "forward": lambda ns, f, x: f(x),
        "inverse": lambda ns, f, x: f.inv(f(x)),
        "inverse of a copy": lambda ns, f, x: f.inv(f(x).clone()),
        "slope": lambda ns, f, x: f.log_abs_det_jacobian(x, f(x)),
        "slope of inverse": lambda ns, f, x: f.inv.log_abs_det_jacobian(f(x), x),
        "gradient": lambda ns, f, x: gradient(ns, f(x), [x]),
        "slope's gradient": lambda ns, f, x: ns.autograd.grad(f.log_abs_det_jacobian(x, f(x)).sum(), x)[0],
        "domain": lambda ns, f, x: (repr(f.domain), repr(f.codomain), repr(f.inv.domain)),
        "texts": lambda ns, f, x: (repr(f), repr(f.inv), f.bijective, f.inv.bijective),
        "event_dim": lambda ns, f, x: f.event_dim,
        "sign": lambda ns, f, x: f.sign * ns.ones(()),
        "shapes": lambda ns, f, x: (tuple(f.forward_shape(x.shape)), tuple(f.inverse_shape(f(x).shape))),
        "short shape": lambda ns, f, x: f.forward_shape(ns.Size()),
        "equal": lambda ns, f, x: (f == f, f == ns.distributions.ExpTransform(), f.inv == f.inv),
        "codomain": lambda ns, f, x: f.codomain.check(f(x)),
        "domain check": lambda ns, f, x: f.domain.check(x),
    }
    for what, call in calls.items():
        found = []
        for ns in (torch, minitorch):
            f = TRANSFORMS[name](ns.distributions, lambda v, ns=ns: ns.tensor(v, dtype=ns.float64))
            f = f.with_cache(cache_size)
            leaf = ns.from_numpy(x).requires_grad_()
            found.append(outcome(lambda: call(ns, f, leaf)))
        assert_same(*found, 1e-9, what)


def test_a_cached_transform_gives_back_its_input():
    f = minitorch.distributions.TanhTransform(cache_size=1)
    x = minitorch.tensor([30.0])  # whose tanh rounds to 1
    assert f.inv(f(x)) is x and f.inv.inv is f
    assert f.with_cache(1) is f and f.with_cache(0)._cache_size == 0


def test_a_users_transform_without_arguments_can_be_copied():
    d = minitorch.distributions

    class Plain(d.Transform):
        pass

    class Given(d.Transform):
        def __init__(self, a, cache_size=0):
            super().__init__(cache_size)

    assert isinstance(Plain().with_cache(), Plain)
    with pytest.raises(NotImplementedError, match="with_cache is not implemented"):
        Given(1).with_cache()


CONSTRAINTS = {
    "real": lambda c, t: c.real,
    "real_vector": lambda c, t: c.real_vector,
    "positive": lambda c, t: c.positive,
    "nonnegative": lambda c, t: c.nonnegative,
    "greater_than": lambda c, t: c.greater_than(t([0.5, 1.0, 2.0])),
    "greater_than_eq": lambda c, t: c.greater_than_eq(1.0),
    "less_than": lambda c, t: c.less_than(0.5),
    "unit_interval": lambda c, t: c.unit_interval,
    "interval": lambda c, t: c.interval(-1.0, t([0.5, 1.0, 2.0])),
    "half_open_interval": lambda c, t: c.half_open_interval(-1.0, 1.0),
    "simplex": lambda c, t: c.simplex,
    "lower_triangular": lambda c, t: c.lower_triangular,
    "lower_cholesky": lambda c, t: c.lower_cholesky,
    "corr_cholesky": lambda c, t: c.corr_cholesky,
    "square": lambda c, t: c.square,
    "symmetric": lambda c, t: c.symmetric,
    "positive_semidefinite": lambda c, t: c.positive_semidefinite,
    "positive_definite": lambda c, t: c.positive_definite,
    "boolean": lambda c, t: c.boolean,
    "one_hot": lambda c, t: c.one_hot,
    "integer_interval": lambda c, t: c.integer_interval(-1, 1),
    "positive_integer": lambda c, t: c.positive_integer,
    "nonnegative_integer": lambda c, t: c.nonnegative_integer,
    "multinomial": lambda c, t: c.multinomial(2),
    "independent": lambda c, t: c.independent(c.positive, 1),
    "cat": lambda c, t: c.cat([c.positive, c.unit_interval], -1, [1, 2]),
    "stack": lambda c, t: c.stack([c.positive, c.real, c.less_than(0.3)], -1),
    "mixture": lambda c, t: c.MixtureSameFamilyConstraint(c.positive),
}
VALUES = [np.eye(3)[None].repeat(2, 0), np.eye(3), np.ones((2, 3)) / 3, np.arange(-4.0, 5.0).reshape(3, 3) / 2,
          np.array(MATRIX), np.array(FACTOR), np.zeros((2, 3)), np.array([[np.nan, 1.0, -1.0]])]  # fmt: skip


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints(name):
    c = [CONSTRAINTS[name](ns.distributions.constraints, ns.tensor) for ns in (torch, minitorch)]
    for what in ("__repr__", "is_discrete.__repr__", "event_dim.__repr__"):
        texts = []
        for one in c:
            for attribute in what.split("."):
                one = getattr(one, attribute)
            texts.append(one())
        assert texts[0] == texts[1]
    for value in VALUES:
        found = [outcome(lambda: one.check(ns.from_numpy(value))) for one, ns in zip(c, (torch, minitorch))]
        assert_same(*found, 0, f"check of {value}")


@pytest.mark.parametrize("name", CONSTRAINTS)
@pytest.mark.parametrize("registry", ["biject_to", "transform_to"])
def test_registered_transforms(name, registry):
    found = []
    for ns in (torch, minitorch):
        x = ns.linspace(-1, 1, 18, dtype=ns.float64).reshape(2, 3, 3)

        def call(ns=ns, x=x):
            constraint = CONSTRAINTS[name](ns.distributions.constraints, ns.tensor)
            return getattr(ns.distributions, registry)(constraint)(x)

        found.append(outcome(call))
    assert_same(*found, 1e-12, name)
