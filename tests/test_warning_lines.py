"""Warnings name the user's line, whatever lies between it and what warns, and reach them under any filters."""

import warnings

import pytest

import minitorch
import minitorch.nn.functional as F
from minitorch.autograd import _warnings

WARNED_OF = {
    "a method": lambda x: x[:1].std(),
    "a function": lambda x: minitorch.var(x[:1]),
    "an implicit dimension": lambda x: F.softmax(x),
    "a layer": lambda x: minitorch.nn.Softmax()(x),
    "a deprecated argument": lambda x: F.mse_loss(x, x, size_average=False),
    "sizes of losses": lambda x: F.mse_loss(x, x[None]),
    "a module of a loss": lambda x: minitorch.nn.MSELoss()(x, x[None]),
    "three dimensions turned": lambda x: x[None, None].T,
    "an index": lambda x: x[minitorch.tensor([1, 0, 1], dtype=minitorch.uint8)],
    "autograd": lambda x: (x.exp() * x).grad,
    "forward values": lambda x: (x - 1).log(),
}


@pytest.mark.parametrize("subclassed", [False, True])
@pytest.mark.parametrize("name", WARNED_OF)
def test_warnings_are_of_the_users_line(name, subclassed, monkeypatch):
    monkeypatch.setattr(_warnings, "_given", set())

    class Plain(minitorch.Tensor):  # from here on functions are generated with a question for subclasses in front
        pass

    x = minitorch.ones(3, requires_grad=True)
    if subclassed:
        x = x.detach().as_subclass(Plain).requires_grad_()
    with warnings.catch_warnings(record=True) as shown, minitorch.autograd.set_detect_anomaly(name == "forward values"):
        warnings.resetwarnings()
        warnings.simplefilter("always")
        WARNED_OF[name](x)
    line = WARNED_OF[name].__code__.co_firstlineno
    assert [(w.filename, w.lineno) for w in shown] == [(__file__, line)]
