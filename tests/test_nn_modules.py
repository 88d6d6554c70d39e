"""Layers, losses, containers and initialisers against torch's."""

import itertools
from collections import OrderedDict

import numpy as np
import pytest
import torch
from module_compare import outcome, same

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
