"""nn.Module against torch's: every scenario runs in both, and what it saw must be equal."""

import copy
import gc
import pickle
import weakref
from collections import OrderedDict

import pytest
import torch
from module_compare import Doubled, double_hook, make_net, outcome, same

import minitorch
from minitorch import nn
from minitorch.nn.modules._tables import Table


class KeepsOwnState(nn.Module):
    """Does what torch allows: sets its state without asking Module."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def __getstate__(self):
        return dict(self.__dict__, extra=1)

    def __setstate__(self, state):
        self.__dict__.update(state)


# ------------------------------------------------------------------ attributes and tables


@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.Module(),
        lambda nn: nn.Linear(2, 3, bias=False),
        lambda nn: nn.Conv2d(2, 4, 3, padding="same", groups=2),
        lambda nn: nn.Sequential(nn.ReLU(), nn.Flatten()),
        lambda nn: nn.CrossEntropyLoss(),
        lambda nn: nn.MaxPool2d(2),
        lambda nn: nn.ParameterList(),
        lambda nn: nn.ParameterDict(),
    ],
)
def test_saved_attributes_have_torchs_names_and_order(make):
    ours, theirs = make(minitorch.nn).__getstate__(), make(torch.nn).__getstate__()
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        if not isinstance(value, (dict, set)):
            assert ours[name] == value, name


def test_writing_to_a_table_changes_the_attribute():
    def scenario(lib):
        seen = []
        layer = lib.nn.Linear(1, 1)

        def note():
            seen.append([hasattr(layer, name) for name in ("weight", "bias", "a", "b")])

        table = layer._parameters
        del table["weight"]
        note()
        table["weight"] = lib.nn.Parameter(lib.ones(1, 1))
        seen.append(layer.weight.tolist())
        table.pop("bias")
        table.update(a=None, b=None)
        note()
        table.popitem()
        note()
        table.setdefault("b", lib.ones(1))
        table |= {"bias": None}
        seen.append((layer.b.tolist(), layer.bias))
        table.clear()
        note()
        layer._buffers["a"] = lib.ones(1)
        layer._modules["b"] = lib.nn.Tanh()
        note()
        seen.append(outcome(lambda: table.pop("a")))
        seen.append(table.pop("a", 7))
        seen.append(outcome(lambda: table.popitem()))
        seen.append(outcome(lambda: layer._modules.__delitem__("zzz")))
        return seen

    same(scenario)


def test_replacing_a_table_replaces_the_attributes():
    def scenario(lib):
        layer = lib.nn.Linear(1, 1)
        layer._parameters = OrderedDict(bias=layer.bias, extra=None)
        layer._parameters["late"] = None
        return [hasattr(layer, name) for name in ("weight", "bias", "extra", "late")]

    same(scenario)


def test_class_attribute_hides_a_registered_one():
    def scenario(lib):
        class Net(lib.nn.Module):
            down = None

            def __init__(self):
                super().__init__()
                self.down = lib.nn.Tanh()

        net = Net()
        return net.down, list(net._modules)

    same(scenario)


def test_attribute_named_like_a_metaclass_attribute_is_found():
    net = nn.Module()
    net.mro = nn.Tanh()
    assert isinstance(net.mro, nn.Tanh)


@pytest.mark.parametrize("old", ["parameter", "buffer", "module", "plain", "nothing"])
@pytest.mark.parametrize("new", ["parameter", "buffer", "module", "tensor", "none", "number"])
def test_assigning_one_kind_over_another(old, new):
    def scenario(lib):
        def value(kind):
            return {
                "parameter": lambda: lib.nn.Parameter(lib.ones(1)),
                "buffer": lambda: lib.nn.Buffer(lib.ones(1), persistent=False),
                "module": lambda: lib.nn.Tanh(),
                "tensor": lambda: lib.ones(1),
                "none": lambda: None,
                "plain": lambda: 1,
                "number": lambda: 2,
            }[kind]()

        net = lib.nn.Module()
        if old != "nothing":
            net.x = value(old)
        raised = outcome(lambda: setattr(net, "x", value(new)))
        tables = [list(net._parameters), list(net._buffers), list(net._modules)]
        kind = type(net.x).__name__ if hasattr(net, "x") else None
        return raised, tables, kind, sorted(net._non_persistent_buffers_set)

    same(scenario)


ERRORS = {
    "parameter before init": lambda lib, net: setattr(
        lib.nn.Module.__new__(lib.nn.Module), "w", lib.nn.Parameter(lib.ones(1))
    ),
    "module before init": lambda lib, net: setattr(lib.nn.Module.__new__(lib.nn.Module), "w", lib.nn.Tanh()),
    "buffer before init": lambda lib, net: setattr(
        lib.nn.Module.__new__(lib.nn.Module), "w", lib.nn.Buffer(lib.ones(1))
    ),
    "register before init": lambda lib, net: lib.nn.Module.__new__(lib.nn.Module).register_parameter("w", None),
    "missing attribute": lambda lib, net: net.absentee,
    "delete missing": lambda lib, net: delattr(net, "absentee"),
    "unknown keyword": lambda lib, net: lib.nn.Module(a=1),
    "unknown positional": lambda lib, net: lib.nn.Module(1, 2),
    "no forward": lambda lib, net: lib.nn.Module()(1),
    "module as parameter": lambda lib, net: setattr(net, "gain", lib.nn.Tanh()),
    "number as parameter": lambda lib, net: setattr(net, "gain", 3),
    "tensor as parameter": lambda lib, net: setattr(net, "gain", lib.ones(1)),
    "tensor as module": lambda lib, net: setattr(net, "first", lib.ones(1)),
    "string as module": lambda lib, net: setattr(net, "first", "x"),
    "string as buffer": lambda lib, net: setattr(net.first, "scale", "x"),
    "parameter name": lambda lib, net: net.register_parameter(3, None),
    "parameter dot": lambda lib, net: net.register_parameter("a.b", None),
    "parameter empty": lambda lib, net: net.register_parameter("", None),
    "parameter taken": lambda lib, net: net.register_parameter("first", None),
    "parameter type": lambda lib, net: net.register_parameter("z", lib.ones(1)),
    "parameter not leaf": lambda lib, net: net.register_parameter(
        "z", lib.nn.Parameter._make_subclass(lib.nn.Parameter, lib.ones(1), True)
    ),
    "buffer name": lambda lib, net: net.register_buffer(None, None),
    "buffer dot": lambda lib, net: net.register_buffer("a.b", None),
    "buffer empty": lambda lib, net: net.register_buffer("", None),
    "buffer taken": lambda lib, net: net.register_buffer("gain", None),
    "buffer type": lambda lib, net: net.register_buffer("z", [1.0]),
    "module type": lambda lib, net: net.add_module("z", "text"),
    "module class": lambda lib, net: net.add_module("z", lib.nn.Tanh),
    "module name": lambda lib, net: net.add_module(1, None),
    "module dot": lambda lib, net: net.register_module("a.b", None),
    "module empty": lambda lib, net: net.add_module("", None),
    "module taken": lambda lib, net: net.add_module("gain", None),
    "train number": lambda lib, net: net.train(1),
    "submodule missing": lambda lib, net: net.get_submodule("first.nope"),
    "submodule is a tensor": lambda lib, net: net.get_submodule("first.scale"),
    "parameter missing": lambda lib, net: net.get_parameter("first.nope"),
    "parameter is a buffer": lambda lib, net: net.get_parameter("first.scale"),
    "buffer missing": lambda lib, net: net.get_buffer("nope"),
    "buffer is a parameter": lambda lib, net: net.get_buffer("gain"),
    "set submodule nowhere": lambda lib, net: net.set_submodule("", lib.nn.Tanh()),
    "set submodule strict": lambda lib, net: net.set_submodule("q", lib.nn.Tanh(), strict=True),
    "set submodule over parameter": lambda lib, net: net.set_submodule("gain", lib.nn.Tanh()),
    "set submodule type": lambda lib, net: net.set_submodule("q", 3),
    "to integer": lambda lib, net: net.to(lib.int32),
    "load a list": lambda lib, net: net.load_state_dict([1]),
    "extra state": lambda lib, net: net.get_extra_state(),
    "backward hook kinds": lambda lib, net: (
        net.register_full_backward_hook(print),
        net.register_backward_hook(print),
    ),
    "state dict hook twice": lambda lib, net: (
        net.register_state_dict_post_hook(double_hook),
        net._register_state_dict_hook(double_hook),
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_is_torchs(name):
    def scenario(lib):
        return outcome(lambda: ERRORS[name](lib, make_net(lib)))

    same(scenario)
    if name != "parameter not leaf":
        assert "returned" not in scenario(minitorch)


def test_parameter_that_is_no_leaf_is_refused():
    def scenario(lib):
        net = lib.nn.Module()
        computed = lib.nn.Parameter(lib.ones(1)) * 2
        computed._is_param = True
        return outcome(lambda: setattr(net, "w", computed))

    same(scenario)
    assert "non-leaf" in scenario(minitorch)


def test_dir_lists_what_torch_lists():
    def scenario(lib):
        net = make_net(lib)
        own = set(dir(lib.nn.Module)) | set(lib.nn.Module().__dict__)
        return sorted(set(dir(net)) - own), sorted(set(dir(net.second)) - own)

    ours, theirs = scenario(minitorch), scenario(torch)
    assert ours[0] == theirs[0]
    assert not any(name.isdigit() for name in ours[1])


# ------------------------------------------------------------------ copies and memory


def test_copies_have_attributes_of_their_own():
    net = Doubled()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other.layer is other._modules["layer"] is other.twin is not net.layer
        assert other.layer.weight is other.layer._parameters["weight"] is not net.layer.weight
        assert other.layer.weight.tolist() == net.layer.weight.tolist()
        assert type(other.layer._parameters) is Table
        other.layer._parameters["weight"] = None
        assert other.layer.weight is None
        assert net.layer.weight is not None


def test_deepcopy_keeps_tied_parameters_tied():
    def scenario(lib):
        net = copy.deepcopy(make_net(lib))
        return net.tied.weight is net.first.inner.weight, len(list(net.parameters()))

    same(scenario)


def test_shallow_copy_shares_the_tables():
    def scenario(lib):
        one = lib.nn.Linear(1, 1)
        two = copy.copy(one)
        two.weight = lib.nn.Parameter(lib.zeros(1, 1))
        del one.bias
        return one.weight is two.weight, hasattr(two, "bias"), one._parameters is two._parameters

    same(scenario)


def test_saved_module_holds_plain_dictionaries_and_no_doubled_entries():
    state = pickle.loads(pickle.dumps(nn.Linear(1, 1).__getstate__()))
    assert type(state["_parameters"]) is dict
    assert type(state["_forward_hooks"]) is OrderedDict
    assert "weight" not in state
    assert "_hooked" not in state


def test_module_that_sets_its_own_state_works():
    net = copy.deepcopy(KeepsOwnState())
    net.layer = nn.Tanh()
    assert isinstance(net.layer, nn.Tanh)
    net.scale = nn.Parameter(minitorch.ones(1))
    assert net.scale is net._parameters["scale"]


def test_old_state_gets_what_newer_modules_have():
    layer = nn.Linear(1, 1)
    state = layer.__getstate__()
    needed = ("training", "_parameters", "_buffers", "_modules", "in_features", "out_features")
    old = nn.Linear.__new__(nn.Linear)
    old.__setstate__({name: state[name] for name in needed})
    assert old(minitorch.ones(1, 1)).tolist() == layer(minitorch.ones(1, 1)).tolist()
    assert list(old.state_dict()) == ["weight", "bias"]


def test_module_is_freed_without_the_garbage_collector():
    gc.disable()
    try:
        net = make_net(minitorch)
        net.register_forward_hook(double_hook)
        net(minitorch.ones(1, 3))
        gone = weakref.ref(net.first.inner), weakref.ref(net)
        del net
        assert [ref() for ref in gone] == [None, None]
    finally:
        gc.enable()


# ------------------------------------------------------------------ walking


def test_walks_see_the_same_names():
    def scenario(lib):
        net = make_net(lib)
        seen = []
        for duplicate in (True, False):
            for walk in (net.named_parameters, net.named_buffers, net.named_modules):
                seen.append([n for n, _ in walk(prefix="p", remove_duplicate=duplicate)])
        seen.append([n for n, _ in net.named_parameters(recurse=False)])
        seen.append([n for n, _ in net.first.named_buffers(recurse=False)])
        seen.append([n for n, _ in net.named_children()])
        seen.append([len(list(w)) for w in (net.parameters(), net.buffers(), net.children())])
        seen.append([len(list(net.modules())), len(list(net.modules(remove_duplicate=False)))])
        return seen

    same(scenario)


def test_paths_lead_to_their_members():
    def scenario(lib):
        net = make_net(lib)
        net.set_submodule("second.0", lib.nn.ReLU())
        net.set_submodule("new", lib.nn.ReLU())
        return (
            net.get_submodule("") is net,
            net.get_submodule("first.inner") is net.first.inner,
            net.get_parameter("second.1.weight") is net.second[1].weight,
            net.get_buffer("first.scale") is net.first.scale,
            repr(net.second),
            repr(net.new),
        )

    same(scenario)


def test_apply_visits_children_first():
    def scenario(lib):
        names = []
        make_net(lib).apply(lambda module: names.append(type(module).__name__))
        return names

    same(scenario)


def test_train_and_requires_grad_reach_everything():
    def scenario(lib):
        net = make_net(lib)
        net.first.eval()
        modes = [m.training for m in net.modules()]
        net.eval().train()
        net.requires_grad_(False)
        return (
            modes,
            [m.training for m in net.modules()],
            [p.requires_grad for p in net.parameters()],
        )

    same(scenario)


@pytest.mark.parametrize("set_to_none", [True, False])
def test_zero_grad(set_to_none):
    def scenario(lib):
        net = make_net(lib)
        net(lib.ones(1, 3)).sum().backward()
        net.zero_grad(set_to_none)
        return [None if p.grad is None else p.grad.tolist() for p in net.parameters()]

    same(scenario)


def test_repr_is_torchs():
    same(lambda lib: repr(make_net(lib)))
    same(lambda lib: repr(lib.nn.Module()))

    def scenario(lib):
        class Wordy(lib.nn.Module):
            def extra_repr(self):
                return "one\n\ntwo"

        net = Wordy()
        bare = repr(net)
        net.child = Wordy()
        return bare, repr(net)

    same(scenario)


# ------------------------------------------------------------------ conversions


def test_conversion_keeps_parameters_and_converts_gradients():
    def scenario(lib):
        net = make_net(lib)
        net.first.register_buffer("steps", lib.ones(2, dtype=lib.int64))
        net(lib.ones(1, 3)).sum().backward()
        before = [id(p) for p in net.parameters()]
        seen = []
        for convert in (net.double, net.float):
            convert()
            seen.append([str(p.dtype) for p in net.parameters()])
            seen.append([str(p.grad.dtype) for p in net.parameters()])
            seen.append([str(b.dtype) for b in net.buffers()])
        net.to(lib.float64)
        net.to("cpu", lib.float32, non_blocking=True)
        net.to(device=lib.device("cpu"), dtype=lib.float64)
        net.to(lib.ones(1))
        net.to(lib.device("cpu"))
        net.cpu()
        seen.append([str(p.dtype) for p in net.parameters()])
        seen.append(before == [id(p) for p in net.parameters()])
        seen.append(net.tied.weight is net.first.inner.weight)
        seen.append([p.requires_grad and p.is_leaf for p in net.parameters()])
        return seen

    same(scenario)


def test_meta_device_and_back():
    def scenario(lib):
        layer = lib.nn.Linear(2, 2)
        weight = layer.weight
        layer.to("meta")
        seen = [str(layer.weight.device), layer.weight is weight, type(layer.weight).__name__]
        seen.append(outcome(lambda: layer.to("cpu")))
        layer.to_empty(device="cpu")
        return [*seen, str(layer.weight.device), layer.weight.requires_grad]

    same(scenario)
