"""`torch.fx`: the graphs, the text and the results of traced programs are torch's."""

import copy
import math
import operator

import numpy as np
import pytest
import torch
import torch.fx

import minitorch
import minitorch.fx
import minitorch.vision

LIBRARIES = [minitorch, torch]


def block(lib):
    """A module with what a graph may hold: submodules, a parameter, a buffer, defaults, containers."""

    class Block(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bn = lib.nn.Conv2d(3, 4, 3), lib.nn.BatchNorm2d(4)
            self.scale = lib.nn.Parameter(lib.randn(4, 1, 1))
            self.register_buffer("shift", lib.full((4, 1, 1), 5.0))
            self.tail = lib.nn.Sequential(lib.nn.ReLU(), lib.nn.Flatten())

        def forward(self, x, factor=2.0, *, unused=True):
            y = lib.relu(self.bn(self.conv(x)) + self.scale * 2 + self.shift) * factor
            z = (self.tail(y) - 1).view(y.shape[0], -1)[:, :3]
            a, b = lib.chunk(z, 2, dim=1)
            return {"joined": lib.cat([a, b], dim=1), "more": (y.size(0), z[0, None], -z), "mean": 1 / (2 + z.mean())}

    lib.manual_seed(0)
    return Block()


def functions(lib):
    return {
        "operators": lambda x, y: (x @ y.t() + 1) ** 2 // 3 - 2 / (1 + x.sum()) % 5,
        "reflected": lambda x: 2 - x + (3 * x) + (1 // (x + 9)),
        "comparisons": lambda x: ((x > 0) & (x < 1)) | (x == 2) ^ ~(x >= 3),
        "methods": lambda x: x.sum(dim=-1, keepdim=True).expand(2, 3).clamp(min=0),
        "attributes": lambda x: x.view(x.shape[0] * x.shape[1]).reshape(-1, x.dim()),
        "functions": lambda x: lib.stack([lib.sin(x), lib.cos(x)], dim=0).max(dim=0)[0],
        "indices": lambda x: x[..., 0] + x[:, 1] + x[:, -1:].squeeze(1),
        "variable": lambda *args, **kwargs: args[0] + kwargs["b"],
        "keywords": lambda x, *, y=2: x * y,
        "numbers": lambda x: x + float("inf") + x.new_zeros(2, dtype=lib.float64).sum(),
        "scalars": lambda x: x.sum() + abs(x.mean()),
        "math": lambda x: math.sqrt(x),
        "sorted": lambda x: lib.sort(x, dim=1, descending=True).values,
    }


def test_module_is_traced_and_printed_as_in_torch():
    ours, theirs = minitorch.fx.symbolic_trace(block(minitorch)), torch.fx.symbolic_trace(block(torch))
    assert str(ours.graph) == str(theirs.graph)
    assert ours.code == theirs.code
    assert str(ours) == str(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())


def test_traced_module_computes_what_the_module_does():
    model = block(minitorch)
    traced = minitorch.fx.symbolic_trace(model)
    x = minitorch.randn(2, 3, 5, 5)
    expected, got = model(x), traced(x)
    assert minitorch.equal(got["joined"], expected["joined"])
    (grad,) = minitorch.autograd.grad(got["mean"], model.scale)
    assert grad.abs().sum() > 0  # the parameter is shared, and no constant


@pytest.mark.parametrize("name", functions(torch))
def test_function_is_traced_as_in_torch(name):
    ours, theirs = (lib.fx.symbolic_trace(functions(lib)[name]) for lib in LIBRARIES)
    assert str(ours.graph) == str(theirs.graph)
    assert ours.code == theirs.code


@pytest.mark.parametrize("name", ["operators", "comparisons", "methods", "functions", "indices", "sorted"])
def test_traced_function_returns_what_the_function_does(name):
    f = functions(minitorch)[name]
    args = [minitorch.randn(2, 3) for _ in range(f.__code__.co_argcount)]
    assert minitorch.equal(minitorch.fx.symbolic_trace(f)(*args), f(*args))


@pytest.mark.parametrize(
    "program",
    [
        lambda x: x if x.sum() > 0 else -x,
        lambda x: list(x),
        lambda x: len(x),
        lambda x: x + {1, 2},
        lambda x: 3 in x,
    ],
    ids=["if", "for", "len", "set", "in"],
)
def test_what_only_values_tell_is_refused_as_in_torch(program):
    errors = []
    for lib in LIBRARIES:
        with pytest.raises(Exception) as caught:
            lib.fx.symbolic_trace(program)
        errors.append((type(caught.value).__name__, str(caught.value)))
    assert errors[0] == errors[1]


def test_annotations_are_kept_as_in_torch():
    def annotated(lib):
        def program(x, n: int, flag: bool = True):
            return x * n

        program.__annotations__.update({"x": lib.Tensor, "return": lib.Tensor})
        traced = lib.fx.symbolic_trace(program)
        return str(traced.graph), traced.code

    assert annotated(minitorch) == annotated(torch)


def test_concrete_arguments_are_asserted():
    def program(x, n):
        return x * n

    ours, theirs = (lib.fx.symbolic_trace(program, concrete_args={"n": 3}) for lib in LIBRARIES)
    assert ours.code == theirs.code
    assert minitorch.equal(ours(minitorch.ones(2), 3), 3 * minitorch.ones(2))
    with pytest.raises(AssertionError, match="specialized to have value 3"):
        ours(minitorch.ones(2), 4)


def built(lib):
    graph = lib.fx.Graph()
    x = graph.placeholder("x")
    y = graph.call_function(lib.add, (x, 1), {"alpha": 2})
    z = graph.call_method("relu", (y,))
    graph.output(z)
    graph.lint()
    return lib.fx.GraphModule(lib.nn.Module(), graph)


def test_graph_made_by_hand_runs():
    ours, theirs = built(minitorch), built(torch)
    assert ours.code == theirs.code
    assert ours(minitorch.ones(2)).tolist() == theirs(torch.ones(2)).tolist() == [3.0, 3.0]


def changed(lib):
    """A graph after each kind of change."""
    gm = built(lib)
    steps = [str(gm.graph)]
    add = next(n for n in gm.graph.nodes if n.op == "call_function")
    with gm.graph.inserting_after(add):
        new = gm.graph.call_function(lib.mul, (add, 3))
    with gm.graph.inserting_after(new):
        gm.graph.call_function(lib.neg, (new,))
        gm.graph.call_function(lib.exp, (new,))
    add.replace_all_uses_with(new, delete_user_cb=lambda user: user is not new)
    steps.append(str(gm.graph))
    new.update_arg(1, 4)
    new.update_kwarg("out", None)
    steps.append(str(gm.graph))
    steps.append(str(gm.graph.eliminate_dead_code()))
    gm.graph.node_copy(add, lambda n: n)
    steps += [str(gm.graph), str(gm.recompile().src), str(len(gm.graph.nodes)), str(new.all_input_nodes)]
    steps.append(str([n.name for n in reversed(gm.graph.nodes)]))
    try:
        gm.graph.erase_node(add)
    except RuntimeError as e:
        steps.append(str(e))
    return steps


def test_changes_of_a_graph_are_as_in_torch():
    assert changed(minitorch) == changed(torch)


def test_arguments_of_nodes_cannot_be_changed_in_place():
    gm = minitorch.fx.symbolic_trace(lambda x: minitorch.cat([x, x]))
    cat = next(n for n in gm.graph.nodes if n.op == "call_function")
    with pytest.raises(TypeError, match="does not support mutation"):
        cat.args[0].append(1)


def transformed(lib):
    class Swapped(lib.fx.Transformer):
        def call_function(self, target, args, kwargs):
            return super().call_function(lib.sub if target is lib.add else target, args, kwargs)

    return Swapped(built(lib)).transform().code


def test_transformer_and_interpreter():
    assert transformed(minitorch) == transformed(torch)
    model = block(minitorch).eval()
    x = minitorch.randn(2, 3, 5, 5)
    run = minitorch.fx.Interpreter(minitorch.fx.symbolic_trace(model)).run(x)
    assert minitorch.equal(run["joined"], model(x)["joined"])
    with pytest.raises(RuntimeError, match="Expected positional argument for parameter x"):
        minitorch.fx.Interpreter(built(minitorch)).run()


def rewritten(lib):
    gm = lib.fx.symbolic_trace(lambda x, y: lib.relu(x + y).neg() + lib.relu(y + x).neg() * 2)
    found = lib.fx.replace_pattern(gm, lambda a, b: lib.relu(a + b), lambda a, b: lib.sigmoid(a) * b)
    return [m.anchor.name for m in found], gm.code


def test_patterns_are_replaced_as_in_torch():
    assert rewritten(minitorch) == rewritten(torch)


def test_pattern_whose_inner_result_is_used_is_left_alone():
    def program(lib):
        def f(x):
            inner = lib.neg(x)
            return lib.relu(inner) + inner

        gm = lib.fx.symbolic_trace(f)
        return len(lib.fx.replace_pattern(gm, lambda x: lib.relu(lib.neg(x)), lambda x: x)), gm.code

    assert program(minitorch) == program(torch)


def test_module_copies_are_independent():
    traced = minitorch.fx.symbolic_trace(block(minitorch))
    other = copy.deepcopy(traced)
    assert other.code == traced.code and type(other) is not type(traced)
    with minitorch.no_grad():
        other.conv.weight.zero_()
    assert traced.conv.weight.abs().sum() > 0
    next(iter(other.graph.nodes)).meta["seen"] = True
    assert "seen" not in next(iter(traced.graph.nodes)).meta


def test_subclass_of_tracer_chooses_leaves():
    def inner(lib):
        class Everything(lib.fx.Tracer):
            def is_leaf_module(self, m, name):
                return type(m) is not lib.nn.Flatten and super().is_leaf_module(m, name)

        return str(Everything().trace(block(lib)))

    assert inner(minitorch) == inner(torch)


def test_tensors_become_attributes_of_the_root():
    def program(lib):
        constant = lib.ones(2)
        gm = lib.fx.symbolic_trace(lambda x: x + constant)
        return gm.code, list(gm.state_dict())

    assert program(minitorch) == program(torch)


def test_submodules_are_added_and_deleted():
    def program(lib):
        gm = lib.fx.symbolic_trace(block(lib))
        answers = [gm.add_submodule("a.b", lib.nn.Linear(2, 2)), gm.delete_submodule("none")]
        gm.delete_all_unused_submodules()
        return [*answers, [name for name, _ in gm.named_modules()], gm.delete_submodule("tail.0")]

    assert program(minitorch) == program(torch)


def doubled(x):
    return x * 2


minitorch.fx.wrap("doubled")
torch.fx.wrap("doubled")


def test_wrapped_functions_are_one_call():
    ours, theirs = (lib.fx.symbolic_trace(lambda x: doubled(x) + 1) for lib in LIBRARIES)
    assert ours.code == theirs.code
    assert ours(minitorch.ones(2)).tolist() == [3.0, 3.0]
    again = minitorch.fx.symbolic_trace(ours)
    assert [n.name for n in again.graph.nodes] == ["x", "doubled", "add", "output"]


def test_wrap_is_refused_inside_a_function():
    with pytest.raises(NotImplementedError, match="wrap must be called at the top level of a module"):
        minitorch.fx.wrap("doubled")


def test_tracing_leaves_modules_as_they_were():
    before = dict(vars(minitorch.nn.Module))
    with pytest.raises(minitorch.fx.proxy.TraceError):
        minitorch.fx.symbolic_trace(lambda x: bool(x))
    minitorch.fx.symbolic_trace(block(minitorch))
    assert dict(vars(minitorch.nn.Module)) == before
    assert math.sqrt(4) == 2 and not hasattr(math.sqrt, "__wrapped__")


def test_graph_module_from_a_dict():
    graph = minitorch.fx.Graph()
    x = graph.placeholder("x")
    graph.output(graph.call_function(operator.mul, (graph.call_module("a.layer", (x,)), graph.get_attr("w"))))
    layer = minitorch.nn.Identity()
    gm = minitorch.fx.GraphModule({"a.layer": layer, "w": minitorch.tensor([2.0])}, graph, "Made")
    assert gm(minitorch.ones(1)).tolist() == [2.0] and gm.a.layer is layer and type(gm).__name__ == "Made"
    with pytest.raises(RuntimeError, match="not provided in `root` dict"):
        minitorch.fx.GraphModule({}, graph)


def test_residual_network_is_traced():
    model = minitorch.vision.models.resnet18(num_classes=3).eval()
    traced = minitorch.fx.symbolic_trace(model)
    x = minitorch.randn(1, 3, 32, 32)
    np.testing.assert_array_equal(traced(x).detach().numpy(), model(x).detach().numpy())
    assert sum(n.op == "call_module" for n in traced.graph.nodes) == 60


@pytest.mark.parametrize("check", ["_check", "_check_index", "_check_value", "_check_type", "_check_not_implemented"])
@pytest.mark.parametrize("args", [(True,), (False,), (False, lambda: "said"), (False, "text"), (1,)])
def test_checks_raise_as_in_torch(check, args):
    results = []
    for lib in LIBRARIES:
        try:
            results.append(getattr(lib, check)(*args))
        except Exception as e:
            results.append((type(e), str(e)))
    assert results[0] == results[1]
