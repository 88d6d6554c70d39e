"""state_dict and load_state_dict: keys, metadata, hooks, what does not fit; both ways between us and torch."""

import io
import pickle
from collections import OrderedDict

import pytest
import torch
from module_compare import double_hook, make_net, outcome, same

import minitorch
from minitorch import nn


def test_state_dict_keys_and_metadata():
    def scenario(lib):
        state = make_net(lib).state_dict(prefix="net.")
        kinds = {type(v).__name__ for v in state.values()}
        return list(state), type(state).__name__, dict(state._metadata), kinds

    same(scenario)


def test_state_dict_shares_memory_and_keeps_vars_on_request():
    layer = nn.Linear(1, 1)
    state = layer.state_dict()
    assert not state["weight"].requires_grad
    state["weight"].fill_(7.0)
    assert layer.weight.tolist() == [[7.0]]
    assert layer.state_dict(keep_vars=True)["weight"] is layer.weight


def test_positional_arguments_of_state_dict_warn():
    same(lambda lib: outcome(lambda: list(lib.nn.Linear(1, 1).state_dict({}, "p.", True))))


def broken(lib, change):
    net, state = make_net(lib), make_net(lib).state_dict()
    change(lib, state)
    return net, state


BROKEN = {
    "whole": lambda lib, state: None,
    "missing": lambda lib, state: (state.pop("gain"), state.pop("first.scale")),
    "unexpected": lambda lib, state: state.update(
        {"other": 1, "first.other": 2, "first.inner.weight.x": 3, "second.7.weight": 4}
    ),
    "shape": lambda lib, state: state.update({"tied.bias": lib.ones(2, 2)}),
    "type": lambda lib, state: state.update({"tied.bias": "text"}),
    "everything": lambda lib, state: (
        state.update({"gain": [1], "other": 1, "second.1.weight": lib.ones(1)}),
        state.pop("tied.weight"),
    ),
    "non-persistent": lambda lib, state: state.update({"first.scratch": lib.ones(2)}),
    "extra": lambda lib, state: state.update({"first._extra_state": 3}),
}


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", BROKEN)
def test_loading_reports_what_does_not_fit(name, strict, assign):
    def scenario(lib):
        net, state = broken(lib, BROKEN[name])
        return outcome(lambda: net.load_state_dict(state, strict=strict, assign=assign))

    same(scenario)


def test_loading_copies_and_assigning_replaces():
    def scenario(lib):
        layer, other = lib.nn.Linear(2, 2), lib.nn.Linear(2, 2)
        weight = layer.weight
        layer.load_state_dict(other.state_dict())
        seen = [layer.weight is weight, weight.tolist() == other.weight.tolist()]
        layer.weight.requires_grad_(False)
        state = other.state_dict()
        layer.load_state_dict(state, assign=True)
        seen += [layer.weight is weight, layer.weight.data_ptr() == other.weight.data_ptr()]
        seen += [type(layer.weight).__name__, layer.weight.requires_grad, layer.bias.requires_grad]
        return seen

    same(scenario)


def test_old_one_element_vector_loads_into_a_number():
    def scenario(lib):
        net = lib.nn.Module()
        net.register_buffer("n", lib.zeros(()))
        net.load_state_dict({"n": lib.ones(1)})
        return net.n.tolist()

    same(scenario)


def test_extra_state_goes_both_ways():
    def scenario(lib):
        class Net(lib.nn.Module):
            kept = None

            def get_extra_state(self):
                return {"epoch": 3}

            def set_extra_state(self, state):
                self.kept = state

        outer = lib.nn.Sequential(Net())
        state = outer.state_dict()
        outer.load_state_dict(state)
        missing = outcome(lambda: outer.load_state_dict({}))
        return dict(state), outer[0].kept, missing

    same(scenario)


def test_state_dict_hooks_run_in_order():
    def scenario(lib):
        log = []
        net = lib.nn.Sequential(lib.nn.Linear(1, 1))
        inner = net[0]
        inner.register_state_dict_pre_hook(lambda m, prefix, keep: log.append(("pre", prefix, keep)))
        inner.register_state_dict_post_hook(
            lambda m, state, prefix, meta: log.append(("post", list(state), prefix, dict(meta)))
        )
        net._register_state_dict_hook(lambda m, state, prefix, meta: OrderedDict(state, added=1))
        inner._register_load_state_dict_pre_hook(
            lambda state, prefix, *rest: log.append(("load", list(state), prefix, len(rest)))
        )
        inner.register_load_state_dict_pre_hook(lambda m, state, prefix, *rest: log.append((m is inner, prefix)))
        net.register_load_state_dict_post_hook(
            lambda m, keys: (keys.missing_keys.clear(), keys.unexpected_keys.clear())[0]
        )
        state = net.state_dict()
        loaded = outcome(lambda: net.load_state_dict({"0.weight": lib.ones(1, 1), "x": 1}))
        return log, list(state), loaded, net[0].weight.tolist()

    same(scenario)


def test_post_hooks_that_return_something_are_refused():
    def scenario(lib):
        one, two = lib.nn.Linear(1, 1), lib.nn.Linear(1, 1)
        one.register_state_dict_post_hook(lambda *args: 1)
        two.register_load_state_dict_post_hook(lambda *args: 1)
        return outcome(one.state_dict), outcome(lambda: two.load_state_dict(two.state_dict()))

    same(scenario)


def test_load_hook_of_a_dead_module_says_so():
    layer = nn.Linear(1, 1)
    layer.register_load_state_dict_pre_hook(double_hook)
    hook = next(iter(layer._load_state_dict_pre_hooks.values()))
    del layer
    with pytest.raises(RuntimeError, match="dead Module"):
        hook()


def test_state_dict_is_exchanged_with_torch():
    ours, theirs = make_net(minitorch), make_net(torch)
    state = {k: torch.from_numpy(v.numpy()) for k, v in ours.state_dict().items()}
    theirs.load_state_dict(state)
    for p in theirs.parameters():
        p.data.add_(1)
    back = {k: minitorch.from_numpy(v.numpy()) for k, v in theirs.state_dict().items()}
    ours.load_state_dict(back)
    for (name, p), (other, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == other
        assert p.tolist() == q.tolist()


def test_state_dict_is_pickled_with_its_metadata():
    state = nn.Linear(1, 1).state_dict()
    again = pickle.load(io.BytesIO(pickle.dumps(state)))
    assert again._metadata == state._metadata
    assert again["weight"].tolist() == state["weight"].tolist()
