"""Layers, losses, containers and initialisers against torch's."""

import copy
import itertools
import math
from collections import OrderedDict

import numpy as np
import pytest
import torch
from test_module import outcome, same

import minitorch


def tensor_like(lib, shape, seed=0, dtype="float64"):
    return lib.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


def own_attributes(module):
    return {k: v for k, v in module.__getstate__().items() if not k.startswith("_")}


LAYERS = {
    "linear": lambda nn, f: nn.Linear(3, 4, **f),
    "linear without bias": lambda nn, f: nn.Linear(3, 4, bias=False, **f),
    "linear to nothing": lambda nn, f: nn.Linear(3, 0, **f),
    "bilinear": lambda nn, f: nn.Bilinear(2, 3, 4, **f),
    "bilinear without bias": lambda nn, f: nn.Bilinear(2, 3, 4, False, **f),
    "conv": lambda nn, f: nn.Conv2d(4, 6, 3, **f),
    "conv with everything": lambda nn, f: nn.Conv2d(
        4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=[1, 2], groups=2, bias=False, **f
    ),
    "conv same": lambda nn, f: nn.Conv2d(4, 6, (3, 2), padding="same", dilation=(1, 3), **f),
    "conv valid": lambda nn, f: nn.Conv2d(4, 6, 3, padding="valid", stride=2, **f),
    "conv reflect": lambda nn, f: nn.Conv2d(4, 6, 3, padding=(2, 1), padding_mode="reflect", **f),
    "conv circular": lambda nn, f: nn.Conv2d(4, 6, (2, 3), padding="same", padding_mode="circular", **f),
}
PLAIN = {
    "identity": lambda nn: nn.Identity(54, unused=True),
    "max pool": lambda nn: nn.MaxPool2d(2),
    "max pool with everything": lambda nn: nn.MaxPool2d(
        (3, 2), stride=2, padding=(1, 0), dilation=(1, 2), ceil_mode=True
    ),
    "relu": lambda nn: nn.ReLU(),
    "relu in place": lambda nn: nn.ReLU(inplace=True),
    "sigmoid": lambda nn: nn.Sigmoid(),
    "tanh": lambda nn: nn.Tanh(),
    "softmax": lambda nn: nn.Softmax(dim=1),
    "softmax over channels": lambda nn: nn.Softmax2d(),
    "log softmax": lambda nn: nn.LogSoftmax(-1),
    "flatten": lambda nn: nn.Flatten(),
    "flatten the middle": lambda nn: nn.Flatten(1, 2),
    "unflatten": lambda nn: nn.Unflatten(1, (2, 2)),
}
LOSSES = ["CrossEntropyLoss", "L1Loss", "MSELoss", "NLLLoss"]


@pytest.mark.parametrize("dtype", [None, "float64"])
@pytest.mark.parametrize("name", LAYERS)
def test_same_seed_gives_torchs_numbers(name, dtype):
    def scenario(lib):
        options = {} if dtype is None else {"dtype": getattr(lib, dtype)}
        lib.manual_seed(7)
        layer = LAYERS[name](lib.nn, options)
        return (
            repr(layer),
            [(n, str(p.dtype), p.tolist()) for n, p in layer.named_parameters()],
            float(lib.rand(1)),
        )

    if "nothing" in name:
        with pytest.warns(UserWarning, match="zero-element"):
            same(scenario)
    else:
        same(scenario)


@pytest.mark.parametrize("name", [*LAYERS, *PLAIN])
def test_layers_have_torchs_words_and_attributes(name):
    def scenario(lib):
        if name in PLAIN:
            layer = PLAIN[name](lib.nn)
        else:
            layer = LAYERS[name](lib.nn, {"device": "meta"})
        return (
            repr(layer),
            own_attributes(layer),
            getattr(layer, "__constants__", None),
            type(layer).__qualname__,
        )

    if "nothing" in name:
        with pytest.warns(UserWarning, match="zero-element"):
            same(scenario)
    else:
        same(scenario)


@pytest.mark.parametrize("name", [*LAYERS, *PLAIN, *LOSSES, "Sequential", "Parameter"])
def test_class_paths_are_torchs(name):
    # pickled models name their classes by these
    def scenario(lib):
        if name in PLAIN:
            cls = type(PLAIN[name](lib.nn))
        elif name in LAYERS:
            cls = type(LAYERS[name](lib.nn, {"device": "meta"}))
        else:
            cls = getattr(lib.nn, name)
        return cls.__module__.removeprefix("mini"), cls.__name__

    if "nothing" in name:
        with pytest.warns(UserWarning, match="zero-element"):
            same(scenario)
    else:
        same(scenario)


def results(lib, layer, inputs):
    """Output and gradients, as arrays."""
    layer.zero_grad()
    inputs = [x.requires_grad_() for x in inputs]
    out = layer(*inputs)
    (out * out).sum().backward()
    tensors = [out, *(x.grad for x in inputs), *(p.grad for p in layer.parameters())]
    return [t.detach().numpy() for t in tensors]


def assert_close(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(
    "name",
    [
        "linear",
        "linear without bias",
        "conv",
        "conv with everything",
        "conv same",
        "conv valid",
    ],
)
def test_layers_with_parameters_compute_torchs_values(name):
    def run(lib):
        lib.manual_seed(0)
        layer = LAYERS[name](lib.nn, {"dtype": lib.float64})
        shape = (2, 3) if "linear" in name else (2, 4, 6, 7)
        return results(lib, layer, [tensor_like(lib, shape)])

    assert_close(run(minitorch), run(torch))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [1, (2, 0), "same"])
def test_padding_modes_compute_torchs_values_or_say_that_they_cannot(mode, padding):
    def run(lib):
        lib.manual_seed(0)
        layer = lib.nn.Conv2d(2, 3, 3, padding=padding, padding_mode=mode, dtype=lib.float64)
        return results(lib, layer, [tensor_like(lib, (1, 2, 5, 5))])

    try:
        ours = run(minitorch)
    except NotImplementedError as error:
        pytest.skip(f"not supported yet: {error}")
    assert_close(ours, run(torch))


@pytest.mark.parametrize("name", [n for n in PLAIN if n != "relu in place"])
def test_layers_without_parameters_compute_torchs_values(name):
    def run(lib):
        return results(lib, PLAIN[name](lib.nn), [tensor_like(lib, (2, 4, 6, 6))])

    assert_close(run(minitorch), run(torch))


def test_relu_in_place_writes_into_its_input():
    x = minitorch.tensor([-1.0, 2.0])
    assert minitorch.nn.ReLU(inplace=True)(x) is x
    assert x.tolist() == [0.0, 2.0]


def test_max_pool_returns_indices_on_request():
    def run(lib):
        x = tensor_like(lib, (1, 1, 4, 4))
        values, where = lib.nn.MaxPool2d(2, return_indices=True)(x)
        return values.tolist(), where.tolist()

    same(run)


LOSS_OPTIONS = {
    "CrossEntropyLoss": [
        {},
        {"reduction": "sum"},
        {"reduction": "none", "ignore_index": 1},
        {"label_smoothing": 0.1},
        {"weight": [1.0, 2.0, 0.5]},
    ],
    "NLLLoss": [{}, {"reduction": "none"}, {"weight": [1.0, 2.0, 0.5], "ignore_index": 0}],
    "MSELoss": [{}, {"reduction": "sum"}, {"reduction": "none"}],
    "L1Loss": [{}, {"reduction": "sum"}, {"reduction": "none"}],
}


@pytest.mark.parametrize(
    ("name", "options"), [(name, o) for name, every in LOSS_OPTIONS.items() for o in every], ids=str
)
def test_losses_compute_torchs_values(name, options):
    def run(lib):
        given = dict(options)
        if "weight" in given:
            given["weight"] = lib.tensor(given["weight"], dtype=lib.float64)
        loss = getattr(lib.nn, name)(**given)
        x = tensor_like(lib, (4, 3)).requires_grad_()
        if name in ("CrossEntropyLoss", "NLLLoss"):
            target = lib.tensor([0, 2, 1, 2])
        else:
            target = tensor_like(lib, (4, 3), seed=1)
        out = loss(x, target)
        (out * out).sum().backward()
        return [out.detach().numpy(), x.grad.numpy()]

    assert_close(run(minitorch), run(torch))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("size_average", "reduce"), list(itertools.product([None, True, False], repeat=2)))
def test_deprecated_loss_arguments_warn_and_mean_what_they_meant(name, size_average, reduce):
    def scenario(lib):
        made = []
        raised = outcome(
            lambda: made.append(getattr(lib.nn, name)(size_average=size_average, reduce=reduce, reduction="sum"))
        )
        (loss,) = made
        return raised, own_attributes(loss), repr(loss), list(loss._buffers)

    same(scenario)


def test_loss_weight_is_in_the_state_dict():
    def scenario(lib):
        loss = lib.nn.CrossEntropyLoss(weight=lib.ones(3))
        return list(loss.state_dict()), list(lib.nn.CrossEntropyLoss().state_dict())

    same(scenario)


ERRORS = {
    "groups": lambda lib: lib.nn.Conv2d(4, 4, 3, groups=0),
    "groups in": lambda lib: lib.nn.Conv2d(3, 4, 3, groups=2),
    "groups out": lambda lib: lib.nn.Conv2d(4, 3, 3, groups=2),
    "strided same": lambda lib: lib.nn.Conv2d(4, 4, 3, stride=2, padding="same"),
    "bilinear of nothing": lambda lib: lib.nn.Bilinear(0, 1, 1),
    "unflatten type": lambda lib: lib.nn.Unflatten(1, 3),
    "unflatten element": lambda lib: lib.nn.Unflatten(1, (2, "x")),
    "softmax2d": lambda lib: lib.nn.Softmax2d()(lib.ones(2, 2)),
    "linear sizes": lambda lib: lib.nn.Linear(3, 2)(lib.ones(1, 2)),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_is_torchs(name):
    same(lambda lib: outcome(lambda: ERRORS[name](lib)).split("\\n")[0])


@pytest.mark.parametrize("argument", [{"padding": "x"}, {"padding_mode": "x"}])
def test_unknown_paddings_are_refused(argument):
    # torch prints a set, whose order changes from run to run
    for lib in (minitorch, torch):
        with pytest.raises(ValueError, match=r"(should|must) be one of \{'"):
            lib.nn.Conv2d(1, 1, 1, **argument)


def test_old_pickles_get_the_newer_attributes():
    for layer, name in (
        (minitorch.nn.Conv2d(1, 1, 1), "padding_mode"),
        (minitorch.nn.Softmax(1), "dim"),
    ):
        state = layer.__getstate__()
        del state[name]
        old = type(layer).__new__(type(layer))
        old.__setstate__(state)
        assert getattr(old, name) == {"padding_mode": "zeros", "dim": None}[name]


def test_prefix_is_taken_off_state_dicts():
    def scenario(lib):
        state = lib.nn.Sequential(OrderedDict(module=lib.nn.Linear(1, 1))).state_dict()
        state["other"] = 1
        lib.nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
        return list(state), sorted(state._metadata)

    same(scenario)


# ------------------------------------------------------------------ containers


def layers(lib, count=4):
    return [lib.nn.Linear(1, i + 1, device="meta") for i in range(count)]


def contents(container):
    return [(name, m.out_features) for name, m in container._modules.items()]


LIST_ACTIONS = {
    "index": lambda lib, c: (c[0].out_features, c[-1].out_features),
    "slice": lambda lib, c: [contents(c[1:3]), contents(c[::-2]), type(c[:0]).__name__],
    "set": lambda lib, c: c.__setitem__(-2, lib.nn.Linear(1, 9)),
    "set out of range": lambda lib, c: c.__setitem__(4, lib.nn.Tanh()),
    "get out of range": lambda lib, c: c[-5],
    "get by name": lambda lib, c: c["0"],
    "delete": lambda lib, c: c.__delitem__(1),
    "delete last": lambda lib, c: c.__delitem__(-1),
    "delete slice": lambda lib, c: c.__delitem__(slice(0, 3, 2)),
    "pop": lambda lib, c: c.pop(0).out_features,
    "pop slice": lambda lib, c: contents(c.pop(slice(1, 3))),
    "append": lambda lib, c: c.append(lib.nn.Linear(1, 8)) is c,
    "append text": lambda lib, c: c.append("text"),
    "insert": lambda lib, c: c.insert(1, lib.nn.Linear(1, 8)) is c,
    "insert last": lambda lib, c: c.insert(4, lib.nn.Linear(1, 8)) is c,
    "extend": lambda lib, c: c.extend(layers(lib, 2)) is c,
    "length": lambda lib, c: (len(c), [m.out_features for m in c], bool(c)),
    "dir": lambda lib, c: [name for name in dir(c) if name.isdigit()],
    "insert and read": lambda lib, c: (c.insert(0, c[3]), c[0] is c[4], c[1].out_features),
}


@pytest.mark.parametrize("kind", ["Sequential", "ModuleList"])
@pytest.mark.parametrize("name", LIST_ACTIONS)
def test_lists_of_modules_act_as_torchs(name, kind):
    def scenario(lib):
        container = getattr(lib.nn, kind)(*([layers(lib)] if kind == "ModuleList" else layers(lib)))
        return outcome(lambda: LIST_ACTIONS[name](lib, container)), contents(container)

    same(scenario)


SEQUENTIAL_ACTIONS = {
    "add": lambda lib, c: contents(c + lib.nn.Sequential(*layers(lib, 2))),
    "add list": lambda lib, c: c + [1],
    "add in place": lambda lib, c: contents(c.__iadd__(lib.nn.Sequential(*layers(lib, 2)))),
    "add in place list": lambda lib, c: c.__iadd__([1]),
    "times": lambda lib, c: (contents(c * 2), contents(2 * c), (c * 2)[0] is c[0]),
    "times zero": lambda lib, c: c * 0,
    "times text": lambda lib, c: c * "x",
    "times in place": lambda lib, c: contents(c.__imul__(3)),
    "times in place zero": lambda lib, c: c.__imul__(0),
    "insert negative": lambda lib, c: contents(c.insert(-1, lib.nn.Linear(1, 8))),
    "insert too far": lambda lib, c: c.insert(9, lib.nn.Tanh()),
    "named": lambda lib, c: contents(lib.nn.Sequential(OrderedDict(a=c[0], b=c[1]))[1:]),
    "call": lambda lib, c: lib.nn.Sequential(lib.nn.Tanh(), lib.nn.ReLU())(lib.ones(1)).tolist(),
    "call empty": lambda lib, c: lib.nn.Sequential()(3),
}


@pytest.mark.parametrize("name", SEQUENTIAL_ACTIONS)
def test_sequential_acts_as_torchs(name):
    def scenario(lib):
        container = lib.nn.Sequential(*layers(lib))
        seen = outcome(lambda: SEQUENTIAL_ACTIONS[name](lib, container))
        return seen.replace("mini", ""), contents(container)

    same(scenario)


def test_sequential_refuses_to_insert_what_is_no_module():
    with pytest.raises(AssertionError, match="module should be of type"):
        minitorch.nn.Sequential().insert(0, 3)


def test_module_list_adds_and_repeats_in_its_repr():
    def scenario(lib):
        tanh = [lib.nn.Tanh() for _ in range(3)]
        items = lib.nn.ModuleList([*tanh, lib.nn.Sequential(lib.nn.ReLU()), tanh[0]])
        items += [lib.nn.Linear(1, 1), lib.nn.Linear(1, 1)]
        more = items + [lib.nn.Tanh()]
        empty = lib.nn.ModuleList()
        return (
            repr(items),
            len(more),
            repr(empty),
            repr(lib.nn.Sequential(items)),
            outcome(lambda: items.extend(3)),
            outcome(lambda: empty(1)),
        )

    same(scenario)


def test_module_dict_acts_as_torchs():
    def scenario(lib):
        one, two = layers(lib, 2)
        d = lib.nn.ModuleDict({"b": one, "a": two})
        seen = [list(d), len(d), "a" in d, "c" in d, list(d.keys()), len(list(d.items()))]
        d["c"] = one
        seen.append([m.out_features for m in d.values()])
        seen.append(d.pop("b") is one)
        del d["c"]
        d.update([["x", one], ("y", two)])
        d.update(OrderedDict(z=one))
        d.update(lib.nn.ModuleDict({"w": two}))
        seen += [contents(d), repr(d), hasattr(d, "x")]
        for bad in (3, [3], [[1, 2, 3]], {"a": 3}):
            seen.append(outcome(lambda bad=bad: d.update(bad)))
        d.clear()
        return [*seen, len(d), hasattr(d, "x"), outcome(lambda: d["x"])]

    same(scenario)


def test_parameter_list_acts_as_torchs():
    def scenario(lib):
        p = lib.nn.ParameterList([lib.ones(2), lib.nn.Parameter(lib.zeros(1, 2)), "text"])
        p.append(lib.ones(()))
        p += [3]
        seen = [len(p), repr(p), repr(p[1:3]), [type(x).__name__ for x in p]]
        p[-1] = lib.ones(4)
        p[2] = "other"
        seen += [repr(p), [n for n, _ in p.named_parameters()], list(p.state_dict())]
        for bad in (3, lib.ones(2)):
            seen.append(outcome(lambda bad=bad: p.extend(bad)))
        seen += [outcome(lambda: p[9]), outcome(lambda: p(1)), "0" in dir(p)]
        return [*seen, repr(lib.nn.ParameterList([lib.ones(1)])), repr(lib.nn.ParameterList())]

    same(scenario)


def test_parameter_dict_acts_as_torchs():
    def scenario(lib):
        d = lib.nn.ParameterDict({"b": lib.ones(1), "a": lib.zeros(2, 2)})
        d["text"] = "value"
        seen = [
            list(d),
            len(d),
            "a" in d,
            list(reversed(d)),
            [type(v).__name__ for v in d.values()],
        ]
        d.setdefault("new", lib.ones(3))
        d.setdefault("new", lib.ones(9))
        seen += [repr(d), d.get("none"), d.get("none", 4), list(d.keys())]
        seen.append([k for k, _ in d.items()])
        seen.append(d.popitem()[0])
        seen.append(type(d.pop("a")).__name__)
        del d["b"]
        d.update([["x", lib.ones(1)]])
        other = lib.nn.ParameterDict(OrderedDict(z=lib.ones(1), y=lib.ones(1)))
        seen += [list(d | other), list(other.copy()), list(d.fromkeys(["k", "l"], 0))]
        d |= other
        seen.append(list(d))
        for bad in (3, [3], [[1, 2, 3]]):
            seen.append(outcome(lambda bad=bad: d.update(bad)))
        seen += [outcome(lambda: d[3]), outcome(lambda: d(1)), list(d.state_dict())]
        d.clear()
        return [*seen, len(d), outcome(d.popitem)]

    same(scenario)


def test_containers_copy_deeply():
    parameters = minitorch.nn.ParameterList([minitorch.ones(2)])
    other = copy.deepcopy(parameters)
    with minitorch.no_grad():
        other[0].zero_()
    assert parameters[0].tolist() == [1.0, 1.0]
    chain = copy.deepcopy(minitorch.nn.Sequential(minitorch.nn.Linear(1, 1)))
    chain.append(minitorch.nn.Tanh())
    assert len(chain) == 2


# ------------------------------------------------------------------ initialisers

INITIALISERS = {
    "uniform_": [{}, {"a": -3.0, "b": 0.5}],
    "normal_": [{}, {"mean": 1.0, "std": 3.0}],
    "trunc_normal_": [
        {},
        {"mean": 1.0, "std": 2.0, "a": 0.5, "b": 1.0},
        {"a": 2.0, "b": 2.5},
        {"a": -1, "b": 1},
    ],
    "constant_": [{"val": 0.3}],
    "ones_": [{}],
    "zeros_": [{}],
    "xavier_uniform_": [{}, {"gain": 2.0}],
    "xavier_normal_": [{}, {"gain": 2.0}],
    "kaiming_uniform_": [{}, {"a": 1, "mode": "fan_out"}, {"nonlinearity": "relu"}],
    "kaiming_normal_": [{}, {"a": 1, "mode": "FAN_OUT"}, {"nonlinearity": "tanh"}],
    "eye_": [{}],
    "sparse_": [{"sparsity": 0.3}, {"sparsity": 0.9, "std": 2.0}],
}


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [
        (name, options, shape)
        for name, every in INITIALISERS.items()
        for options in every
        for shape in ([(5, 7)] if name in ("eye_", "sparse_") else [(5, 7), (4, 3, 3, 2)])
    ],
    ids=str,
)
def test_initialisers_give_torchs_numbers(name, options, shape):
    def run(lib):
        lib.manual_seed(3)
        w = lib.nn.Parameter(lib.empty(shape))
        assert getattr(lib.nn.init, name)(w, **options) is w
        assert w.requires_grad
        assert w.grad_fn is None
        return w.detach().numpy(), float(lib.rand(1))

    (ours, our_next), (theirs, their_next) = run(minitorch), run(torch)
    assert our_next == their_next
    if "normal" in name or name == "sparse_":
        # Box-Muller in float32: a step apart, see the tests of the generator
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    else:
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("shape", "groups"), [((4, 3, 3), 1), ((4, 2, 3, 4), 2), ((2, 2, 1, 2, 3), 1)])
def test_dirac_keeps_channels(shape, groups):
    same(lambda lib: lib.nn.init.dirac_(lib.empty(shape), groups).tolist())


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 2, 2)])
def test_orthogonal_is_torchs_or_says_that_it_cannot(shape):
    def run(lib):
        lib.manual_seed(0)
        return lib.nn.init.orthogonal_(lib.empty(shape, dtype=lib.float64), gain=2.0).numpy()

    try:
        ours = run(minitorch)
    except NotImplementedError as error:
        pytest.skip(f"not supported yet: {error}")
    np.testing.assert_allclose(ours, run(torch), rtol=1e-9, atol=1e-9)


GAINS = [
    "linear",
    "conv3d",
    "conv_transpose1d",
    "sigmoid",
    "tanh",
    "relu",
    "selu",
    "leaky_relu",
    "x",
]


@pytest.mark.parametrize("name", GAINS)
@pytest.mark.parametrize("param", [None, 0, 0.5, True, "text"])
def test_gain_is_torchs(name, param):
    same(lambda lib: outcome(lambda: lib.nn.init.calculate_gain(name, param)))


INIT_ERRORS = {
    "eye": lambda lib: lib.nn.init.eye_(lib.ones(1)),
    "sparse": lambda lib: lib.nn.init.sparse_(lib.ones(1), 0.5),
    "dirac": lambda lib: lib.nn.init.dirac_(lib.ones(1)),
    "dirac groups": lambda lib: lib.nn.init.dirac_(lib.ones(3, 1, 1), 2),
    "orthogonal": lambda lib: lib.nn.init.orthogonal_(lib.ones(1)),
    "fan": lambda lib: lib.nn.init.xavier_uniform_(lib.ones(1)),
    "mode": lambda lib: lib.nn.init.kaiming_normal_(lib.ones(1, 1), mode="fan"),
    "nothing to fill": lambda lib: lib.nn.init.kaiming_uniform_(lib.ones(0, 1)).tolist(),
    "far from mean": lambda lib: lib.nn.init.trunc_normal_(lib.zeros(0), 9.0).tolist(),
    "deprecated": lambda lib: lib.nn.init.constant(lib.zeros(1), 2.0).tolist(),
    "deprecated kaiming": lambda lib: lib.nn.init.kaiming_normal(lib.ones(1)),
}


@pytest.mark.parametrize("name", INIT_ERRORS)
def test_initialiser_error_is_torchs(name):
    same(lambda lib: outcome(lambda: INIT_ERRORS[name](lib)))


@pytest.mark.parametrize("name", ["uniform_", "kaiming_uniform_", "sparse_", "dirac_", "eye_"])
def test_initialisers_leave_meta_tensors_alone(name):
    shape = (2, 3, 3) if name == "dirac_" else (2, 3)
    options = {"sparsity": 0.5} if name == "sparse_" else {}
    w = minitorch.empty(shape, device="meta")
    assert getattr(minitorch.nn.init, name)(w, **options) is w


def test_generator_argument_draws_from_that_generator():
    def scenario(lib):
        generator = lib.Generator()
        generator.manual_seed(5)
        lib.manual_seed(0)
        drawn = lib.nn.init.uniform_(lib.empty(3), generator=generator).tolist()
        return drawn, math.isclose(float(lib.rand(1)), 0.49625658988952637)

    same(scenario)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("momentum", [0.0, 0.1, 0.5, 0.9, 1.0, 1])
@pytest.mark.parametrize("step", [1, 2])
def test_running_moments_are_torchs_moved_as_by_lerp_and_known_as_written(step, momentum, dtype):
    rng = np.random.default_rng(0)
    x, moments = rng.normal(2, 3, (6, 3, 5)).astype(dtype), rng.uniform(0.5, 2, (2, 3 * step)).astype(dtype)
    found = []
    for ns in (minitorch, torch):
        running = [ns.tensor(m)[::step] for m in moments]
        _, mean, _ = ns.native_batch_norm(ns.tensor(x), None, None, None, None, True, 0.1, 1e-5)
        moved, versions = running[0].lerp(mean, momentum), [r._version for r in running]
        ns.nn.functional.batch_norm(ns.tensor(x, requires_grad=True), *running, training=True, momentum=momentum)
        found.append([r.numpy() for r in running])
        if ns is minitorch:  # torch counts neither as written
            assert [r._version - v for r, v in zip(running, versions, strict=True)] == [1, 1]
            assert running[0].tolist() == moved.tolist()
    np.testing.assert_allclose(*found, 2e-6 if dtype == "float32" else 1e-14)
