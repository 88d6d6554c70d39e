"""Hooks of modules against torch's: the same events in the same order with the same values."""

import copy
import gc
import pickle
import re
import weakref
from collections import OrderedDict

import pytest
import torch
from module_compare import Doubled, double_hook, outcome, same

import minitorch
from minitorch import nn
from minitorch.utils.hooks import RemovableHandle


def values(x):
    """Tensors, however nested, as lists."""
    if isinstance(x, (tuple, list)):
        return tuple(values(v) for v in x)
    if isinstance(x, dict):
        return {k: values(v) for k, v in x.items()}
    return x.tolist() if hasattr(x, "tolist") else x


class Log(list):
    """Makes hooks that write down what they are called with."""

    def hook(self, name, result=None):
        def write(module, *args):
            self.append((name, type(module).__name__, values(args)))
            return result

        return write


def scale_net(lib):
    class Scale(lib.nn.Module):
        def forward(self, x, factor=2.0, fail=False):
            if fail:
                raise ValueError("asked to")
            return x * factor

    return Scale()


def test_forward_hooks_run_in_torchs_order():
    def scenario(lib):
        log, net = Log(), scale_net(lib)
        net.register_forward_pre_hook(log.hook("pre 1"))
        net.register_forward_pre_hook(log.hook("pre 2"), with_kwargs=True)
        net.register_forward_pre_hook(log.hook("pre 0"), prepend=True)
        net.register_forward_hook(log.hook("post 1"))
        net.register_forward_hook(log.hook("post 2"), with_kwargs=True)
        net.register_forward_hook(log.hook("post 0"), prepend=True, always_call=True)
        return values(net(lib.ones(2), factor=3.0)), log

    same(scenario)


def test_hooks_change_arguments_and_result():
    def scenario(lib):
        net, log = scale_net(lib), Log()
        net.register_forward_pre_hook(lambda m, args: args[0] + 1)
        net.register_forward_pre_hook(lambda m, args: (args[0], 5.0))
        net.register_forward_pre_hook(lambda m, args, kwargs: (args[:1], {"factor": 10.0}), with_kwargs=True)
        net.register_forward_hook(lambda m, args, out: out + 0.5)
        net.register_forward_hook(log.hook("last"), with_kwargs=True)
        return values(net(lib.ones(2))), log

    same(scenario)


def test_pre_hook_with_kwargs_must_return_a_pair():
    def scenario(lib):
        net = scale_net(lib)
        net.register_forward_pre_hook(lambda m, args, kwargs: 7, with_kwargs=True)
        return outcome(lambda: net(lib.ones(1)))

    same(scenario)


def test_always_called_hooks_run_after_an_exception():
    def scenario(lib):
        def complain(*args):
            raise KeyError("hook")

        net, log = scale_net(lib), Log()
        net.register_forward_hook(log.hook("normal"))
        net.register_forward_hook(log.hook("always"), always_call=True)
        net.register_forward_hook(complain, always_call=True)
        net.register_forward_hook(log.hook("kwargs"), always_call=True, with_kwargs=True)
        return outcome(lambda: net(lib.ones(1), fail=True)), outcome(lambda: net(lib.ones(1))), log

    same(scenario)


def test_global_hooks_come_first_and_reach_every_module():
    def scenario(lib):
        module = lib.nn.modules.module
        log = Log()
        inner = scale_net(lib)
        net = lib.nn.Sequential(inner)
        inner.register_forward_pre_hook(log.hook("own pre"))
        inner.register_forward_hook(log.hook("own"))
        handles = [
            module.register_module_forward_pre_hook(log.hook("global pre")),
            module.register_module_forward_hook(log.hook("global"), always_call=True),
            module.register_module_forward_hook(log.hook("kwargs"), with_kwargs=True),
        ]
        try:
            net(lib.ones(1))
            failed = outcome(lambda: inner(lib.ones(1), fail=True))
        finally:
            for handle in handles:
                handle.remove()
        net(lib.ones(1))
        return failed, log

    same(scenario)


def test_registration_hooks_see_and_replace_what_is_registered():
    def scenario(lib):
        module = lib.nn.modules.module
        log = []

        def note(net, name, value):
            log.append((name, type(value).__name__))

        handles = [
            module.register_module_parameter_registration_hook(note),
            module.register_module_buffer_registration_hook(note),
            module.register_module_module_registration_hook(note),
            module.register_module_buffer_registration_hook(lambda m, n, v: lib.zeros(1)),
        ]
        try:
            net = lib.nn.Sequential(lib.nn.Linear(1, 1))
            net.register_buffer("b", lib.ones(3))
            net.other = lib.nn.Tanh()
            net.other = None
        finally:
            for handle in handles:
                handle.remove()
        net.last = lib.nn.Tanh()
        return log, values(net.b)

    same(scenario)


@pytest.mark.parametrize("kind", ["_forward_hooks", "_forward_pre_hooks"])
def test_hooks_written_into_the_dictionary_run(kind):
    def scenario(lib):
        log, net = Log(), scale_net(lib)
        getattr(net, kind)[10**9] = log.hook("direct")
        net(lib.ones(1))
        getattr(net, kind).clear()
        net(lib.ones(1))
        setattr(net, kind, OrderedDict())
        getattr(net, kind)[10**9] = log.hook("replaced")
        net(lib.ones(1))
        return log

    same(scenario)


def test_calls_without_hooks_pass_every_kind_of_argument():
    class Net(nn.Module):
        def forward(self, *args, **kwargs):
            return args, kwargs

    net = Net()
    assert net() == ((), {})
    assert net(1) == ((1,), {})
    assert net(None) == ((None,), {})
    assert net(1, 2) == ((1, 2), {})
    assert net(1, input=3) == ((1,), {"input": 3})
    assert net(input=3, args=4) == ((), {"input": 3, "args": 4})


def test_hooks_survive_copies_and_handles_still_remove_them():
    net = Doubled()
    net.handle = net.register_forward_hook(double_hook)
    x = minitorch.ones(1, 2)
    expected = net(x).tolist()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other(x).tolist() == expected
        other.handle.remove()
        assert [[v * 2 for v in row] for row in other(x).tolist()] == expected
    assert net(x).tolist() == expected


def test_handle_removes_once_and_at_the_end_of_a_with():
    net, log = scale_net(minitorch), Log()
    with net.register_forward_hook(log.hook("inside")):
        net(minitorch.ones(1))
    net(minitorch.ones(1))
    assert [entry[0] for entry in log] == ["inside"]
    handle = net.register_forward_hook(log.hook("twice"))
    handle.remove()
    handle.remove()
    assert not net._forward_hooks


def test_handle_of_a_dead_module_does_nothing():
    net = scale_net(minitorch)
    handle = net.register_forward_hook(double_hook, with_kwargs=True)
    del net
    handle.remove()
    again = pickle.loads(pickle.dumps(handle))
    again.remove()
    assert isinstance(again, RemovableHandle)
    assert RemovableHandle.next_id > again.id


# ------------------------------------------------------------------ backward


def two_way_net(lib):
    """Two inputs, one of them unused by the second output, and a number besides."""

    class Net(lib.nn.Module):
        def forward(self, x, y, power=2):
            return x * y, x**power

    return Net()


def run_backward(lib, net, *, grads=(True, True)):
    x = lib.tensor([2.0, 3.0], requires_grad=grads[0])
    y = lib.tensor([5.0, 7.0], requires_grad=grads[1])
    first, second = net(x, y, 2)
    if first.requires_grad:
        (first.sum() + 10 * second.sum()).backward()
    return values((x.grad, y.grad))


def test_full_backward_hooks_see_both_sides():
    def scenario(lib):
        net, log = two_way_net(lib), Log()
        net.register_full_backward_hook(log.hook("second"))
        net.register_full_backward_hook(log.hook("first"), prepend=True)
        net.register_full_backward_pre_hook(log.hook("pre"))
        return run_backward(lib, net), run_backward(lib, net, grads=(True, False)), log

    same(scenario)


def test_backward_hooks_see_zeros_for_inputs_and_none_for_outputs_without_gradient():
    def scenario(lib):
        net, log = two_way_net(lib), Log()
        net.register_full_backward_hook(log.hook("seen"))
        x = lib.ones(2, requires_grad=True)
        net(x, lib.tensor([1, 2]))[1].sum().backward()
        return log

    same(scenario)


def test_backward_hooks_change_the_gradients():
    def scenario(lib):
        net, log = two_way_net(lib), Log()
        net.register_full_backward_pre_hook(lambda m, go: tuple(g * 100 for g in go))
        net.register_full_backward_hook(lambda m, gi, go: (gi[0] + 1, gi[1] * 2, None))
        net.register_full_backward_hook(log.hook("after"))
        return run_backward(lib, net), log

    same(scenario)


def test_backward_hooks_must_return_as_many_gradients():
    def scenario(lib):
        one, two = two_way_net(lib), two_way_net(lib)
        one.register_full_backward_hook(lambda m, gi, go: (None,))
        two.register_full_backward_pre_hook(lambda m, go: (None,))
        return outcome(lambda: run_backward(lib, one)), outcome(lambda: run_backward(lib, two))

    same(scenario)


def test_full_backward_hook_of_inputs_without_gradient_warns_and_fires():
    def scenario(lib):
        layer, log = lib.nn.Linear(2, 1), Log()
        lib.nn.init.ones_(layer.weight)
        layer.register_full_backward_hook(log.hook("fired"))
        warned = outcome(lambda: layer(lib.ones(1, 2)).sum().backward())
        layer.register_full_backward_hook(lambda m, gi, go: (gi[0], 1))
        refused = outcome(lambda: layer(lib.ones(1, 2)).sum().backward())
        return warned, refused, log, values(layer.weight.grad)

    same(scenario)


def test_backward_hooks_do_nothing_without_recording():
    net, log = two_way_net(minitorch), Log()
    net.register_full_backward_hook(log.hook("never"))
    run_backward(minitorch, net, grads=(False, False))
    with minitorch.no_grad():
        net(minitorch.ones(1, requires_grad=True), minitorch.ones(1))
    assert log == []


def test_backward_hook_wants_tensors_out():
    def scenario(lib):
        class Net(lib.nn.Module):
            def forward(self, x):
                return {"out": x * 2}

        net = Net()
        net.register_full_backward_hook(Log().hook("unused"))
        x = lib.ones(1, requires_grad=True)
        return outcome(lambda: sorted(net(x)))

    same(scenario)


def test_global_backward_hooks_come_before_own_ones():
    # one of the two kinds only: torch remembers the kind for the rest of the process
    def scenario(lib):
        module = lib.nn.modules.module
        net, log = two_way_net(lib), Log()
        net.register_full_backward_hook(log.hook("own"))
        net.register_full_backward_pre_hook(log.hook("own pre"))
        with (
            module.register_module_full_backward_hook(log.hook("global")),
            module.register_module_full_backward_pre_hook(log.hook("global pre")),
        ):
            run_backward(lib, net)
        run_backward(lib, net)
        mixed = outcome(lambda: module.register_module_backward_hook(print))
        return log, mixed

    same(scenario)


def test_deprecated_backward_hook_sees_the_last_node():
    def scenario(lib):
        class Net(lib.nn.Module):
            def forward(self, x):
                return x * 3

        net, log = Net(), Log()
        net.register_backward_hook(lambda m, gi, go: log.append((len(gi), values(go))))
        x = lib.ones(2, requires_grad=True)
        y = x * 1
        warned = outcome(lambda: net(y).sum().backward())
        return warned, log, values(x.grad)

    same(scenario)


@pytest.mark.parametrize("case", ["dict out", "number in", "two nodes", "several nodes"])
def test_deprecated_backward_hook_warns_of_what_it_misses(case):
    def scenario(lib):
        class Net(lib.nn.Module):
            def forward(self, x, n=1):
                if case == "dict out":
                    return {"out": x * 2}
                if case == "two nodes":
                    return x * 2, x * 3
                return (x * 2) * 3 if case == "several nodes" else x * n

        net = Net()
        net.register_backward_hook(lambda *args: None)
        args = (2,) if case == "number in" else ()
        x = lib.ones(1, requires_grad=True) * 1
        return outcome(lambda: type(net(x, *args)).__name__)

    same(scenario)


def test_backward_hooks_keep_no_module_alive():
    gc.disable()
    try:
        net = two_way_net(minitorch)
        net.register_full_backward_hook(Log().hook("any"))
        run_backward(minitorch, net)
        gone = weakref.ref(net)
        del net
        assert gone() is None
    finally:
        gc.enable()


def test_torch_is_the_oracle_here():
    # `same` compares with the real package, not with ourselves under another name
    assert minitorch.nn.Module is not torch.nn.Module


def test_tables_of_hooks_print_as_ordered_dictionaries():
    def scenario(lib):
        layer = lib.nn.ReLU()
        layer.register_forward_hook(print)
        shown = [repr(layer._forward_hooks), repr(layer._forward_pre_hooks)]
        return [re.sub(r"\(\d+,|\{\d+:", "", text) for text in shown]  # hooks are counted over the whole process

    assert scenario(minitorch) == scenario(torch)
