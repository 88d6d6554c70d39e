"""The same scenario with modules of both libraries, and a net to do it with."""

import warnings

import torch

import minitorch
from minitorch import nn


def same(scenario):
    """The scenario, given the library to use, sees the same in both."""
    assert scenario(minitorch) == scenario(torch)


def outcome(action):
    """What an action raises and warns, in words that do not depend on the library."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            raised = ("returned", str(action()))
        except Exception as error:
            raised = (type(error).__name__, str(error))
    seen = (*raised, *((w.category.__name__, str(w.message)) for w in caught))
    return str(seen).replace("minitorch", "torch")


def make_net(lib):
    """Nested, with a shared layer, a shared parameter and buffers of both kinds."""

    class Block(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = lib.nn.Linear(3, 3)
            self.register_buffer("scale", lib.ones(3))
            self.register_buffer("scratch", lib.zeros(2), persistent=False)
            self.register_buffer("nothing", None)
            self.register_parameter("missing", None)

        def forward(self, x):
            return self.inner(x) * self.scale

    class Net(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = Block()
            self.gain = lib.nn.Parameter(lib.ones(1))
            self.again = self.first
            self.second = lib.nn.Sequential(lib.nn.Tanh(), lib.nn.Linear(3, 2, bias=False))
            self.tied = lib.nn.Linear(3, 3)
            self.tied.weight = self.first.inner.weight
            self.absent = None
            self.add_module("empty", None)

        def forward(self, x):
            return self.second(self.tied(self.first(x))) * self.gain

    lib.manual_seed(0)
    return Net()


def double_hook(module, args, output):
    return output * 2


class Doubled(nn.Module):
    """At module level, so that it can be pickled."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.twin = self.layer
        self.register_buffer("count", minitorch.zeros(1))

    def forward(self, x):
        return self.layer(x) * 2
