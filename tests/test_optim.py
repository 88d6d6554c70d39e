"""Optimizers against torch's: numbers, dictionaries, hooks, words."""

import copy
import importlib
import itertools
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from module_compare import outcome, same

import minitorch
from minitorch.optim import SGD

SHAPES = [(), (5,), (3, 4), (2, 3, 2, 2), (0, 3), (257,)]
GRID = {
    "momentum": [0, 0.9],
    "dampening": [0, 0.3],
    "weight_decay": [0, 0.01],
    "nesterov": [False, True],
    "maximize": [False, True],
}
OPTIONS = [
    options
    for options in (dict(zip(GRID, choice, strict=True)) for choice in itertools.product(*GRID.values()))
    if not (options["nesterov"] and (options["momentum"] == 0 or options["dampening"] != 0))
]


def submodule(lib, name):
    # torch.optim takes its submodules out of its attributes
    return importlib.import_module(f"{lib.__name__}.{name}")


def numbers(shape, dtype, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def as_tensor(lib, array):
    return lib.from_numpy(np.array(array))


def make_params(lib, dtype, shapes=SHAPES):
    return [lib.nn.Parameter(as_tensor(lib, numbers(shape, dtype, i))) for i, shape in enumerate(shapes)]


def train(lib, params, optimizer, steps, late=1):
    """Steps with given gradients; parameter number `late` has none in the first two."""
    for step in range(steps):
        for i, p in enumerate(params):
            if i != late or step > 1:
                g = numbers(tuple(p.shape), p.detach().numpy().dtype, 1000 * step + i)
                p.grad = as_tensor(lib, g)
        optimizer.step()
        optimizer.zero_grad()


def arrays(tensors):
    return [t.detach().numpy() for t in tensors]


def assert_equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def assert_steps_are_close(ours, theirs):
    """For steps by operations on tensors, which round sums and products one by one."""
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_sgd_makes_torchs_numbers(options, dtype):
    results = []
    for lib in (minitorch, torch):
        params = make_params(lib, dtype)
        optimizer = lib.optim.SGD(params, lr=0.05, **options)
        train(lib, params, optimizer, 10)
        buffers = [s["momentum_buffer"] for s in optimizer.state_dict()["state"].values()]
        results.append((arrays(params), arrays(buffers)))
    (ours, our_buffers), (theirs, their_buffers) = results
    assert_equal(our_buffers, their_buffers)
    assert_equal(ours, theirs)


@pytest.mark.parametrize("foreach_or_fused", [{"foreach": True}, {"fused": True}])
def test_foreach_and_fused_mean_the_same(foreach_or_fused):
    results = []
    for lib in (minitorch, torch):
        params = make_params(lib, "float64")
        options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, **foreach_or_fused}
        # the fused step of torch cannot start one parameter later than the others
        train(lib, params, lib.optim.SGD(params, **options), 5, late=None)
        results.append(arrays(params))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("lr", [0.05, 1, "tensor", "tensor of one"])
@pytest.mark.parametrize("momentum", [0, 0.9])
def test_rate_may_be_an_integer_or_a_tensor(lr, momentum):
    results = []
    for lib in (minitorch, torch):
        rate = {"tensor": lib.tensor(0.05), "tensor of one": lib.tensor([0.05])}.get(lr, lr)
        params = make_params(lib, "float32")
        train(lib, params, lib.optim.SGD(params, lr=rate, momentum=momentum), 4)
        results.append(arrays(params))
    assert_steps_are_close(*results)


def test_weight_decay_may_be_a_tensor():
    results = []
    for lib in (minitorch, torch):
        params = make_params(lib, "float32")
        train(lib, params, lib.optim.SGD(params, lr=0.1, weight_decay=lib.tensor(0.5)), 4)
        results.append(arrays(params))
    assert_steps_are_close(*results)


def test_options_may_change_between_steps():
    def run(lib):
        params = make_params(lib, "float32")
        optimizer = lib.optim.SGD(params, lr=0.1)
        train(lib, params, optimizer, 2)
        optimizer.param_groups[0].update(lr=0.5, momentum=0.5, weight_decay=0.1)
        train(lib, params, optimizer, 2)
        optimizer.param_groups[0]["maximize"] = True
        train(lib, params, optimizer, 2)
        return arrays(params)

    assert_equal(run(minitorch), run(torch))


@pytest.mark.parametrize("momentum", [0, 0.9])
def test_layouts_other_than_contiguous_are_updated_in_place(momentum):
    def run(lib):
        base = as_tensor(lib, numbers((4, 6), "float32", 1))
        params = [
            lib.nn.Parameter(base.t()),
            lib.nn.Parameter(as_tensor(lib, numbers((6, 4), "float32", 2))),
        ]
        optimizer = lib.optim.SGD(params, lr=0.1, momentum=momentum, weight_decay=0.1)
        for step in range(3):
            params[0].grad = as_tensor(lib, numbers((6, 4), "float32", step))
            params[1].grad = as_tensor(lib, numbers((4, 6), "float32", step)).t()
            optimizer.step()
        return arrays([base, *params])

    assert_equal(run(minitorch), run(torch))


def test_infinite_parameters_stay_infinite_without_weight_decay():
    for momentum in (0, 0.9):
        p = minitorch.nn.Parameter(minitorch.tensor([float("inf"), 1.0]))
        optimizer = SGD([p], lr=0.5, momentum=momentum)
        for _ in range(3):
            p.grad = minitorch.tensor([1.0, 1.0])
            optimizer.step()
        assert p.tolist()[0] == float("inf")


@pytest.mark.parametrize("momentum", [0, 0.9])
def test_step_counts_as_a_write(momentum):
    p = minitorch.nn.Parameter(minitorch.ones(2))
    optimizer = SGD([p], lr=0.5, momentum=momentum)
    for _ in range(2):
        loss = (p * p).sum()
        p.grad = minitorch.ones(2)
        before = p._version
        optimizer.step()
        assert p._version > before
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


def test_differentiable_step_is_recorded():
    def scenario(lib):
        start = lib.tensor([1.0, 2.0], requires_grad=True)
        lr = lib.tensor(0.25, requires_grad=True)
        p = start.clone()
        optimizer = lib.optim.SGD([p], lr=lr, weight_decay=0.5, differentiable=True)
        for _ in range(2):
            p.retain_grad()
            p.grad = lib.tensor([3.0, 4.0])
            optimizer.step()
        p.sum().backward()
        return start.grad.tolist(), lr.grad.tolist(), p.tolist()

    same(scenario)


def test_closure_runs_with_gradients_and_gives_the_loss():
    def scenario(lib):
        p = lib.nn.Parameter(lib.tensor([2.0]))
        optimizer = lib.optim.SGD([p], lr=0.5)

        def closure():
            optimizer.zero_grad()
            loss = (p * p).sum()
            loss.backward()
            return loss

        with lib.no_grad():
            losses = [float(optimizer.step(closure).detach()) for _ in range(2)]
        return losses, p.tolist(), optimizer.step()

    same(scenario)


def test_functional_sgd_fills_the_buffers():
    def scenario(lib):
        p, buffers = lib.tensor([1.0]), [None]
        options = {"momentum": 0.5, "dampening": 0, "nesterov": False, "maximize": False}
        for _ in range(2):
            submodule(lib, "optim.sgd").sgd([p], [lib.tensor([1.0])], buffers, weight_decay=0.5, lr=0.25, **options)
        return p.tolist(), buffers[0].tolist()

    same(scenario)


# ------------------------------------------------------------------ groups and words

ERRORS = {
    "a tensor": lambda lib, p: lib.optim.SGD(p),
    "nothing": lambda lib, p: lib.optim.SGD([]),
    "a number": lambda lib, p: lib.optim.SGD([1]),
    "a module": lambda lib, p: lib.optim.SGD([lib.nn.Tanh()]),
    "no leaf": lambda lib, p: lib.optim.SGD([p * 1]),
    "a set": lambda lib, p: lib.optim.SGD([{"params": {p}}]),
    "twice": lambda lib, p: lib.optim.SGD([p, p]),
    "in two groups": lambda lib, p: lib.optim.SGD([{"params": p}, {"params": [p]}]),
    "rate": lambda lib, p: lib.optim.SGD([p], lr=-1),
    "tensor rate": lambda lib, p: lib.optim.SGD([p], lr=lib.ones(2)),
    "momentum": lambda lib, p: lib.optim.SGD([p], momentum=-1),
    "decay": lambda lib, p: lib.optim.SGD([p], weight_decay=-0.5),
    "nesterov": lambda lib, p: lib.optim.SGD([p], nesterov=True),
    "fused and foreach": lambda lib, p: lib.optim.SGD([p], fused=True, foreach=True),
    "fused and differentiable": lambda lib, p: lib.optim.SGD([p], fused=True, differentiable=True),
    "some names": lambda lib, p: lib.optim.SGD([("p", p), lib.nn.Parameter(lib.ones(1))]),
    "names in one group": lambda lib, p: lib.optim.SGD(
        [{"params": [("p", p)]}, {"params": [lib.nn.Parameter(lib.ones(1))]}]
    ),
    "group no dict": lambda lib, p: lib.optim.SGD([p]).add_param_group([p]),
    "required": lambda lib, p: lib.optim.Optimizer([p], {"x": submodule(lib, "optim.optimizer").required}),
    "no step": lambda lib, p: lib.optim.Optimizer([p], {}).step(),
    "other groups": lambda lib, p: lib.optim.SGD([p]).load_state_dict({"state": {}, "param_groups": []}),
    "other sizes": lambda lib, p: lib.optim.SGD([p]).load_state_dict(
        {"state": {}, "param_groups": [{"params": [0, 1]}]}
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_is_torchs(name):
    def scenario(lib):
        return outcome(lambda: ERRORS[name](lib, lib.nn.Parameter(lib.ones(1))))

    same(scenario)
    assert "returned" not in scenario(minitorch) or "UserWarning" in scenario(minitorch)


def test_repr_and_groups_are_torchs():
    def scenario(lib):
        layer = lib.nn.Linear(2, 2)
        optimizer = lib.optim.SGD(
            [{"params": layer.weight, "lr": 0.5, "own": "kept"}, {"params": [layer.bias]}],
            momentum=0.9,
        )
        named = lib.optim.SGD(layer.named_parameters(), lr=1e-3)
        return (
            repr(optimizer),
            repr(named),
            optimizer.defaults,
            list(optimizer.__getstate__()),
            [list(group) for group in optimizer.param_groups],
            named.state_dict(),
        )

    same(scenario)


def test_zero_grad_forgets_or_zeroes():
    def scenario(lib):
        layer = lib.nn.Linear(1, 1)
        optimizer = lib.optim.SGD(layer.parameters(), lr=0.1)
        layer(lib.ones(1, 1)).sum().backward()
        optimizer.zero_grad(set_to_none=False)
        zeroed = [p.grad.tolist() for p in layer.parameters()]
        optimizer.zero_grad()
        return zeroed, [p.grad for p in layer.parameters()]

    same(scenario)


@pytest.mark.parametrize("kind", ["plain", "transposed", "slice", "view", "recorded", "requires_grad", "inference"])
def test_zero_grad_writes_zeros_into_the_gradient_itself(kind):
    def scenario(lib):
        p = lib.nn.Parameter(lib.ones(2, 3))
        whole = lib.full((4, 3), 2.0)
        if kind == "inference":
            with lib.inference_mode():
                p.grad = lib.ones(2, 3)
        else:
            p.grad = {
                "plain": lambda: lib.ones(2, 3),
                "transposed": lambda: lib.ones(3, 2).t(),
                "slice": lambda: lib.ones(2, 6)[:, ::2],
                "view": lambda: whole[1:3],
                "recorded": lambda: p * 3,
                "requires_grad": lambda: lib.ones(2, 3).requires_grad_(),
            }[kind]()
        grad = p.grad
        found = outcome(lambda: lib.optim.SGD([p], lr=0.1).zero_grad(set_to_none=False))
        if kind == "inference":  # torch refuses after it has written
            return found
        return found, p.grad is grad, grad.tolist(), whole.tolist(), grad.requires_grad, grad.is_leaf

    same(scenario)


def test_zero_grad_counts_as_a_write():
    def scenario(lib):
        p = lib.nn.Parameter(lib.ones(3))
        p.grad = lib.ones(3)
        loss = (p.grad * lib.ones(3, requires_grad=True)).sum()
        before = p.grad._version
        lib.optim.SGD([p], lr=0.1).zero_grad(set_to_none=False)
        return p.grad._version - before, outcome(loss.backward)[0]

    same(scenario)


# ------------------------------------------------------------------ state


def state_as(lib, state_dict):
    """An optimizer's state_dict with the other library's tensors."""
    state = {
        key: {name: as_tensor(lib, value.numpy()) for name, value in entry.items()}
        for key, entry in state_dict["state"].items()
    }
    return {"state": state, "param_groups": copy.deepcopy(state_dict["param_groups"])}


@pytest.mark.parametrize(("source", "target"), [(minitorch, torch), (torch, minitorch)])
def test_state_dict_is_exchanged_with_torch(source, target):
    options = {"lr": 0.1, "momentum": 0.9, "nesterov": True}
    params = make_params(source, "float32")
    optimizer = source.optim.SGD(params, **options)
    train(source, params, optimizer, 3)
    others = [target.nn.Parameter(as_tensor(target, p.detach().numpy())) for p in params]
    other = target.optim.SGD(others, lr=7.0)
    other.load_state_dict(state_as(target, optimizer.state_dict()))
    assert other.param_groups[0]["lr"] == 0.1
    train(source, params, optimizer, 3)
    train(target, others, other, 3)
    assert_equal(arrays(params), arrays(others))


def test_state_dict_numbers_parameters_over_groups():
    def scenario(lib):
        a, b, c = (lib.nn.Parameter(lib.ones(1)) for _ in range(3))
        optimizer = lib.optim.SGD([{"params": [b, a]}, {"params": [c]}], lr=0.1, momentum=0.5)
        c.grad = lib.ones(1)
        b.grad = lib.ones(1)
        optimizer.step()
        optimizer.state["global"] = 3
        state = optimizer.state_dict()
        return state["param_groups"], sorted(map(str, state["state"]))

    same(scenario)


def test_loaded_state_takes_the_dtype_of_its_parameter():
    def scenario(lib):
        p = lib.nn.Parameter(lib.ones(1, dtype=lib.float64))
        optimizer = lib.optim.SGD([p], momentum=0.9)
        saved = optimizer.state_dict()
        nested = {"deep": [lib.ones(1)], "step": lib.ones(1)}
        saved["state"] = {0: {"momentum_buffer": lib.ones(1), **nested}, "free": 5}
        optimizer.load_state_dict(saved)
        state = optimizer.state[p]
        dtypes = [state["momentum_buffer"], state["deep"][0], state["step"]]
        return [str(t.dtype) for t in dtypes], optimizer.state["free"]

    same(scenario)


def test_loaded_text_stays_text():
    # torch makes a generator's repr of it
    p = minitorch.nn.Parameter(minitorch.ones(1))
    optimizer = SGD([p])
    optimizer.load_state_dict({**optimizer.state_dict(), "state": {0: {"note": "text"}}})
    assert optimizer.state[p] == {"note": "text"}


def test_optimizer_is_pickled_and_deep_copied_with_its_parameters():
    params = make_params(minitorch, "float32", [(2,), (3,)])
    optimizer = SGD(params, lr=0.1, momentum=0.9)
    train(minitorch, params, optimizer, 3)
    for make in (copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))):
        other = make(optimizer)
        (group,) = other.param_groups
        assert list(other.state) == [] or all(any(key is p for p in group["params"]) for key in other.state)
        assert len(other.state) == 2
        before = [p.tolist() for p in params]
        train(minitorch, group["params"], other, 1)
        assert [p.tolist() for p in params] == before
        assert [p.tolist() for p in group["params"]] != before


def test_old_pickles_get_the_newer_options():
    p = minitorch.nn.Parameter(minitorch.ones(1))
    optimizer = SGD([p], lr=0.1)
    state = optimizer.__getstate__()
    group = {"params": [p], "lr": 0.5, "momentum": 0, "dampening": 0, "weight_decay": 0}
    old = SGD.__new__(SGD)
    old.__setstate__({**state, "defaults": {"lr": 0.5}, "param_groups": [group]})
    p.grad = minitorch.ones(1)
    old.step()
    assert p.tolist() == [0.5]


# ------------------------------------------------------------------ hooks


def test_step_hooks_run_in_torchs_order_and_change_arguments():
    def scenario(lib):
        log = []
        p = lib.nn.Parameter(lib.ones(1))
        optimizer = lib.optim.SGD([p], lr=0.1)
        module = submodule(lib, "optim.optimizer")

        def note(name):
            def hook(opt, args, kwargs):
                log.append((name, len(args), sorted(kwargs)))

            return hook

        optimizer.register_step_pre_hook(note("own pre"))
        optimizer.register_step_pre_hook(lambda o, args, kwargs: (args, {"closure": lambda: 7}))
        optimizer.register_step_post_hook(note("own post"))
        with (
            module.register_optimizer_step_pre_hook(note("global pre")),
            module.register_optimizer_step_post_hook(note("global post")),
        ):
            log.append(optimizer.step())
        log.append(optimizer.step())
        return log

    same(scenario)


def test_step_hook_must_return_a_pair():
    p = minitorch.nn.Parameter(minitorch.ones(1))
    optimizer = SGD([p])
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(RuntimeError, match=r"must return None or a tuple of \(new_args"):
        optimizer.step()


def test_state_dict_hooks_run_in_order():
    def scenario(lib):
        log = []
        p = lib.nn.Parameter(lib.ones(1))
        optimizer = lib.optim.SGD([p], lr=0.1)
        optimizer.register_state_dict_pre_hook(lambda o: log.append("pre 1"))
        optimizer.register_state_dict_pre_hook(lambda o: log.append("pre 0"), prepend=True)
        optimizer.register_state_dict_post_hook(lambda o, state: dict(state, added=1))
        optimizer.register_state_dict_post_hook(lambda o, state: log.append(sorted(state)))
        optimizer.register_load_state_dict_pre_hook(lambda o, state: log.append(("load", state.pop("added"))))
        optimizer.register_load_state_dict_post_hook(lambda o: log.append("loaded"))
        state = optimizer.state_dict()
        optimizer.load_state_dict(state)
        return log, sorted(state)

    same(scenario)


def test_subclass_steps_are_hooked_too():
    def scenario(lib):
        class Own(lib.optim.Optimizer):
            def step(self, closure=None):
                return "stepped"

        log = []
        optimizer = Own(OrderedDict(p=lib.nn.Parameter(lib.ones(1))).values(), {"lr": 1})
        optimizer.register_step_post_hook(lambda *args: log.append(len(args)))
        return optimizer.step(), log, repr(optimizer)

    same(scenario)
