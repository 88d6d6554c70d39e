"""torch's old order of arguments, numbers before tensors, beside torch."""

import warnings

import pytest
import torch

import minitorch
from minitorch.autograd import _warnings

CALLS = {
    "add_": lambda t, g, m, b: g.clone().mul_(0.9).add_(0.1, g),
    "sub_": lambda t, g, m, b: g.clone().sub_(0.5, g),
    "add": lambda t, g, m, b: t.add(g, 2, g),
    "add of a number": lambda t, g, m, b: g.add(1, 2),
    "sub": lambda t, g, m, b: g.sub(2, g),
    "add into out": lambda t, g, m, b: t.add(g, 0.5, g, out=t.empty(2)),
    "addcmul_": lambda t, g, m, b: g.clone().addcmul_(0.5, g, g),
    "addcdiv_": lambda t, g, m, b: g.clone().addcdiv_(-0.5, g, g),
    "addcmul": lambda t, g, m, b: t.addcmul(g, 2, g, g),
    "addcdiv": lambda t, g, m, b: t.addcdiv(g, 0.5, g, g),
    "addmm": lambda t, g, m, b: t.addmm(1, m, 3, m, m),
    "addmm with beta": lambda t, g, m, b: t.addmm(2, m, m, m),
    "method addmm": lambda t, g, m, b: m.addmm(2, 3, m, m),
    "addmm_": lambda t, g, m, b: m.clone().addmm_(1, m, m),
    "addmv": lambda t, g, m, b: g.addmv(2, m, g),
    "addr": lambda t, g, m, b: t.addr(2, m, 3, g, g),
    "addr_": lambda t, g, m, b: m.clone().addr_(2, g, g),
    "addbmm": lambda t, g, m, b: t.addbmm(1, m, 2, b, b),
    "baddbmm": lambda t, g, m, b: t.baddbmm(1, b, 2, b, b),
    "number last": lambda t, g, m, b: g.addcmul(g, g, 0.5),
    "no number": lambda t, g, m, b: t.add(g, g, g),
    "number for the input": lambda t, g, m, b: t.add(1, g, g),
    "two numbers": lambda t, g, m, b: g.add(g, 1, 2),
    "addmv with a number last": lambda t, g, m, b: t.addmv(g, m, g, 2),
}


def outcome(t, call):
    m = t.tensor([[1.0, 2.0], [3.0, 4.0]])
    try:
        return call(t, m[0].clone(), m, m.expand(3, 2, 2)).tolist()
    except TypeError:
        return TypeError


@pytest.mark.parametrize("name", CALLS)
def test_as_torch(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert outcome(minitorch, CALLS[name]) == outcome(torch, CALLS[name])


def test_one_warning(monkeypatch):
    monkeypatch.setattr(_warnings, "_given", set())
    x = minitorch.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="give alpha by name"):
        y = x.add(2.0, x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y.add_(3.0, x)
    y.sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]
