"""How modules look up names, and what their methods are called: every scenario runs in torch and in minitorch."""

import pytest
import torch
from module_compare import outcome, same

from minitorch import nn


@pytest.fixture
def without_getattr():
    yield
    if "__getattr__" in nn.Module.__dict__:  # it makes every module of the process slower
        del nn.Module.__getattr__


@pytest.mark.parametrize("by", ["method", "super", "list"])
def test_classes_that_name_getattr_have_torchs(by, without_getattr):
    assert "__getattr__" not in nn.Module.__dict__

    def scenario(lib):
        class Named(lib.nn.Linear):
            if by == "method":

                def find(self, *names):
                    return self.__getattr__(names[0]), self.__getattr__(names[1])
            elif by == "super":

                def __getattr__(self, name):
                    return ("asked", name) if name.startswith("my_") else super().__getattr__(name)

                def find(self, *names):
                    return self.my_own, *[getattr(self, name) for name in names]
            else:

                def find(self, *names):
                    return [*[[self.__getattr__(name) for name in names] for _ in range(1)]]

        layer = Named(2, 1)
        layer.register_buffer("scale", lib.ones(2))
        layer.child = lib.nn.ReLU()
        plain = lib.nn.ReLU()
        return (
            [outcome(lambda name=name: type(layer.find(name, name))) for name in ("weight", "scale", "child", "other")],
            layer.__getattr__("scale").tolist(),
            str(layer.__getattr__("child")),
            outcome(lambda: plain.__getattr__("training")),
            outcome(lambda: lib.nn.Module.__getattr__(plain, "missing")),
            outcome(lambda: plain.missing),
            hasattr(layer, "weight"), hasattr(layer, "other"),
        )  # fmt: skip

    same(scenario)


def test_an_entry_behind_a_property_is_found_when_that_fails():
    def scenario(lib):
        class Base(lib.nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("beta", lib.full((), 0.75))

        class Derived(Base):
            def __init__(self):
                super().__init__()
                first = self.beta
                self.register_buffer("tau", 1 / (1 - first))

            @property
            def beta(self):
                return (self.tau - 1) / (self.tau * 2)

        derived = Derived()
        return derived.beta.item(), derived.tau.item(), sorted(derived.state_dict()), outcome(lambda: derived.other)

    same(scenario)


def test_torchs_functions_are_not_bound():
    def scenario(lib):
        class Net(lib.nn.Module):
            activation = lib.tanh
            join = lib.cat
            make = lib.zeros
            smooth = lib.nn.functional.softplus
            convolve = lib.conv1d

            def forward(self, x):
                made = self.join([self.activation(x), self.make(1, 2)]).sum()
                return made, self.smooth(x), self.convolve(x[None], x[None]), Net.activation(x)

        class Wider(Net):
            activation = lib.add

            def forward(self, x):
                return self.activation(x, x), self.make(2)

        return str([net(lib.ones(3, 2)) for net in (Net(), Wider())])

    same(scenario)


def test_modules_methods_are_named_after_module():
    def scenario(lib):
        layer = lib.nn.ReLU()
        names = [n for n in vars(torch.nn.Module) if not n.startswith("_") and callable(getattr(nn.Module, n, None))]
        shown = [getattr(lib.nn.Module, n).__qualname__ for n in names if n != "forward"]
        return str(layer.parameters()).split(" at ")[0], str(layer.to), shown

    same(scenario)
