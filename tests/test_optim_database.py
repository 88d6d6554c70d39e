"""Every optimizer in every configuration of torch's own database, against torch."""

import copy
import importlib
import pickle

import numpy as np
import pytest
import torch
from module_compare import outcome, same
from test_optim import arrays, as_tensor, numbers, state_as, train
from torch.testing._internal.common_optimizers import optim_db

import minitorch
from minitorch.optim import _updates

DATABASE = {info.optim_cls.__name__: info for info in optim_db}
DENSE = [name for name, info in DATABASE.items() if not info.only_supports_sparse_grads]
BY_FORMULA = [name for name in DENSE if name not in ("LBFGS", "Muon", "Adafactor")]
# LBFGS calls a closure several times; it has a test of its own
STEPWISE = [name for name in DENSE if name != "LBFGS"]
CONFIGURATIONS = [
    pytest.param(name, dict(given.kwargs), id=f"{name}-{given.desc}")
    for name in STEPWISE
    for given in DATABASE[name].optim_inputs_func(device="cpu")
]
ERRORS = [
    pytest.param(name, wrong.optimizer_error_input, id=f"{name}-{wrong.optimizer_error_input.desc}")
    for name, info in DATABASE.items()
    for wrong in info.optim_error_inputs_func(device="cpu", dtype=torch.float32)
    if "complex" not in wrong.optimizer_error_input.desc  # which minitorch has not
]
MATRICES = [(3, 5), (5, 2), (17, 33)]
SHAPES = [(), (5,), (3, 5), (2, 3, 2, 2), (0, 3), (257,)]


def converted(lib, value, known=None):
    """The value with `lib`'s tensors in place of torch's; what is one tensor stays one."""
    known = {} if known is None else known
    if isinstance(value, dict):
        return {key: converted(lib, part, known) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(converted(lib, part, known) for part in value)
    if lib is torch or not isinstance(value, torch.Tensor):
        return value
    if id(value) not in known:
        dtype = getattr(lib, str(value.dtype).removeprefix("torch."))
        if value.is_sparse:
            parts = (lib.tensor(value._indices().tolist()), lib.tensor(value._values().tolist(), dtype=dtype))
            tensor = lib.sparse_coo_tensor(*parts, tuple(value.shape))
        else:
            tensor = lib.tensor(value.tolist(), dtype=dtype)
        known[id(value)] = lib.nn.Parameter(tensor) if isinstance(value, torch.nn.Parameter) else tensor
    return known[id(value)]


def made(lib, name, options, dtype="float64"):
    # torch's Adafactor divides by the number of elements
    shapes = MATRICES if name == "Muon" else [s for s in SHAPES if 0 not in s or name != "Adafactor"]
    params = [lib.nn.Parameter(as_tensor(lib, numbers(shape, dtype, i))) for i, shape in enumerate(shapes)]
    return params, getattr(lib.optim, name)(params, **converted(lib, options))


def states(optimizer):
    return optimizer.state_dict()["state"]


def assert_same_states(ours, theirs, tolerance):
    """Same keys in the same order, same dtypes, and numbers that are close."""
    assert list(ours) == list(theirs)
    for key, entry in theirs.items():
        assert list(ours[key]) == list(entry)
        for name, value in entry.items():
            mine = ours[key][name]
            if isinstance(value, torch.Tensor):
                assert str(mine.dtype) == str(value.dtype), name
                assert tuple(mine.shape) == tuple(value.shape), name
                np.testing.assert_allclose(mine.numpy(), value.numpy(), rtol=tolerance, atol=tolerance)
            else:
                assert mine == value


def assert_close(ours, theirs, tolerance):
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


# Muon's iteration runs in bfloat16, where another order of a sum may show
TOLERANCE = {"Muon": {"float64": 1e-4, "float32": 1e-4}}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS)
def test_ten_steps_are_torchs(name, options, dtype):
    tolerance = TOLERANCE.get(name, {"float64": 1e-12, "float32": 1e-5})[dtype]
    results = []
    for lib in (minitorch, torch):
        params, optimizer = made(lib, name, options, dtype)
        train(lib, params, optimizer, 10)
        results.append((arrays(params), states(optimizer), repr(optimizer), optimizer.defaults))
    (ours, our_states, our_repr, our_defaults), (theirs, their_states, their_repr, their_defaults) = results
    assert_close(ours, theirs, tolerance)
    assert_same_states(our_states, their_states, tolerance)
    assert our_repr == their_repr
    assert list(our_defaults) == list(their_defaults)


@pytest.mark.parametrize(("name", "wrong"), ERRORS)
def test_unusable_arguments_raise_torchs_errors(name, wrong):
    def scenario(lib):
        params = converted(lib, wrong.params)
        params = [lib.nn.Parameter(lib.ones(2, 2))] if params is None else params
        return outcome(lambda: getattr(lib.optim, name)(params, **converted(lib, wrong.kwargs)))

    same(scenario)


@pytest.mark.parametrize(("source", "target"), [(minitorch, torch), (torch, minitorch)])
@pytest.mark.parametrize("name", STEPWISE)
def test_state_goes_to_torch_and_back(name, source, target):
    options = dict(DATABASE[name].optim_inputs_func(device="cpu")[-1].kwargs)
    params, optimizer = made(source, name, options)
    train(source, params, optimizer, 3)
    others, other = made(target, name, {})
    for param, value in zip(others, arrays(params), strict=True):
        param.data.copy_(as_tensor(target, value))
    saved = state_as(target, optimizer.state_dict())
    for group in saved["param_groups"]:
        for key, value in group.items():
            if isinstance(value, source.Tensor):
                group[key] = as_tensor(target, value.numpy())
    other.load_state_dict(saved)
    assert len(states(other)) == len(states(optimizer))
    train(source, params, optimizer, 3)
    train(target, others, other, 3)
    assert_close(arrays(params), arrays(others), TOLERANCE.get(name, {"float64": 1e-12})["float64"])


@pytest.mark.parametrize("name", STEPWISE)
def test_pickled_and_copied_optimizers_go_on_alike(name):
    params, optimizer = made(minitorch, name, {})
    train(minitorch, params, optimizer, 3)
    others = [copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))]
    for other in (optimizer, *others):
        train(minitorch, other.param_groups[0]["params"], other, 2)
    for other in others:
        assert_close(arrays(other.param_groups[0]["params"]), arrays(params), 0.0)


@pytest.mark.parametrize("how", ["foreach", "fused"])
@pytest.mark.parametrize("name", BY_FORMULA)
def test_foreach_and_fused_change_no_numbers(name, how):
    if how not in minitorch.optim.__dict__[name]([minitorch.nn.Parameter(minitorch.ones(1))]).defaults:
        assert how == "fused"
        return
    results = []
    for lib in (minitorch, torch):
        params, optimizer = made(lib, name, {how: True})
        train(lib, params, optimizer, 4, late=None)
        results.append((arrays(params), states(optimizer)))
    (ours, our_states), (theirs, their_states) = results
    assert_close(ours, theirs, 1e-7)  # for all at once, torch's ASGD computes its rates in float32
    assert_same_states(our_states, their_states, 1e-7)


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_rates_and_betas_may_be_tensors(name):
    def run(lib):
        options = {"lr": lib.tensor([0.01]), "betas": (lib.tensor([[0.9]]), lib.tensor(0.99)), "amsgrad": True}
        params, optimizer = made(lib, name, {})
        optimizer = getattr(lib.optim, name)(params, **options)
        train(lib, params, optimizer, 5)
        return arrays(params), repr(optimizer)

    (ours, our_repr), (theirs, their_repr) = run(minitorch), run(torch)
    assert_close(ours, theirs, 1e-6)
    assert our_repr == their_repr


@pytest.mark.parametrize("name", BY_FORMULA)
def test_other_layouts_are_updated_in_place(name):
    def run(lib):
        base = as_tensor(lib, numbers((6, 4), "float64", 1))
        wide = as_tensor(lib, numbers((8, 6), "float64", 2))
        params = [lib.nn.Parameter(base.t()), lib.nn.Parameter(wide[::2, 1:4]), lib.nn.Parameter(wide[1, 5:])]
        optimizer = getattr(lib.optim, name)(params, lr=0.1)
        for step in range(3):
            for i, p in enumerate(params):
                p.grad = as_tensor(lib, numbers(tuple(p.shape), "float64", 10 * step + i))
            params[0].grad = as_tensor(lib, numbers((6, 4), "float64", step)).t()
            params[2].grad = lib.tensor([0.5], dtype=lib.float64).expand(1)
            optimizer.step()
        return arrays([base, wide])

    assert_close(run(minitorch), run(torch), 1e-12)


@pytest.mark.parametrize("name", BY_FORMULA)
def test_half_precision_goes_by_operations(name):
    def run(lib):
        params = [lib.nn.Parameter(as_tensor(lib, numbers((4, 5), "float32", 1)).bfloat16())]
        optimizer = getattr(lib.optim, name)(params, lr=0.1)
        for step in range(4):
            params[0].grad = as_tensor(lib, numbers((4, 5), "float32", step)).bfloat16()
            optimizer.step()
        return arrays([params[0].float()])

    assert_close(run(minitorch), run(torch), 2e-2)


@pytest.mark.parametrize("name", [name for name in BY_FORMULA if name != "ASGD"])
def test_a_step_on_the_meta_device_computes_nothing(name):
    def scenario(lib):
        p = lib.nn.Parameter(lib.ones(2, device="meta"))
        p.grad = lib.ones(2, device="meta")
        optimizer = getattr(lib.optim, name)([p])
        optimizer.step()
        return [(key, str(value.device)) for key, value in optimizer.state[p].items()]

    same(scenario)


@pytest.mark.parametrize("name", BY_FORMULA)
def test_the_loop_and_the_operations_are_one_formula(name):
    """The compiled loop against the same function run on Tensors."""
    params, fast = made(minitorch, name, DATABASE[name].optim_inputs_func(device="cpu")[-1].kwargs)
    others, slow = made(minitorch, name, DATABASE[name].optim_inputs_func(device="cpu")[-1].kwargs)
    slow.param_groups[0]["differentiable"] = True
    train(minitorch, params, fast, 4)
    train(minitorch, others, slow, 4)
    assert_close(arrays(params), arrays(others), 1e-13)


@pytest.mark.parametrize("name", BY_FORMULA)
@pytest.mark.parametrize("shape", [(4_000,), (2, 2), (3,)])
def test_shapes_that_do_not_fit_are_refused(name, shape):
    p = minitorch.nn.Parameter(minitorch.ones(4))
    optimizer = getattr(minitorch.optim, name)([p], lr=0.1, **({"momentum": 0.9} if name == "SGD" else {}))
    p.grad = minitorch.ones(4)
    optimizer.step()
    p.data = minitorch.ones(shape)
    with pytest.raises(RuntimeError, match=r"size|shape|expand"):
        optimizer.step()
    assert (p == 1).all()


@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")
@pytest.mark.parametrize("name", BY_FORMULA)
def test_sparse_gradients_are_taken_or_refused_as_in_torch(name):
    def scenario(lib):
        p = lib.nn.Parameter(lib.ones(4, 2))
        p.grad = lib.sparse_coo_tensor(
            lib.tensor([[0, 2, 0]]), lib.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), (4, 2)
        )
        optimizer = getattr(lib.optim, name)([p], lr=0.5)
        return outcome(optimizer.step), [[round(x, 5) for x in row] for row in p.tolist()]

    same(scenario)


@pytest.mark.parametrize("name", [name for name in BY_FORMULA if name not in ("SGD", "Adagrad")])
def test_capturable_is_refused_on_the_cpu_as_in_torch(name):
    def scenario(lib):
        p = lib.nn.Parameter(lib.ones(2))
        p.grad = lib.ones(2)
        return outcome(getattr(lib.optim, name)([p], capturable=True).step)

    same(scenario)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Adagrad", "SGD"])
@pytest.mark.parametrize("options", [{"foreach": True, "fused": True}, {"fused": True, "differentiable": True}])
def test_fused_excludes_the_options_that_it_does_in_torch(name, options):
    same(lambda lib: outcome(lambda: getattr(lib.optim, name)([lib.nn.Parameter(lib.ones(2))], **options)))


# torch's own Adamax writes to what its graph keeps; SGD and a rate with a gradient are in test_optim.py
@pytest.mark.parametrize("name", [name for name in BY_FORMULA if name not in ("SGD", "Adamax")])
def test_gradients_flow_through_a_differentiable_step(name):
    def run(lib):
        start = lib.tensor([1.0, -2.0], dtype=lib.float64, requires_grad=True)
        p = start.clone()
        optimizer = getattr(lib.optim, name)([p], lr=0.25, differentiable=True)
        for slope in ([3.0, 4.0], [1.0, 5.0]):
            p.retain_grad()
            p.grad = lib.tensor(slope, dtype=lib.float64)
            optimizer.step()
        (p * p).sum().backward()
        return np.array([*start.grad.tolist(), *p.tolist()])

    # torch's powers of the count are float32 here
    np.testing.assert_allclose(run(minitorch), run(torch), rtol=1e-4)


@pytest.mark.parametrize("name", ["Adam", "NAdam"])
def test_states_have_the_default_dtype(name):
    def scenario(lib):
        lib.set_default_dtype(lib.float64)
        try:
            p = lib.nn.Parameter(lib.ones(2))
            p.grad = lib.ones(2)
            optimizer = getattr(lib.optim, name)([p])
            optimizer.step()
            return [str(value.dtype) for value in optimizer.state[p].values()]
        finally:
            lib.set_default_dtype(lib.float32)

    same(scenario)


def test_counts_that_are_numbers_become_tensors():
    def scenario(lib):
        params = [lib.nn.Parameter(lib.ones(2))]
        params[0].grad = lib.ones(2)
        optimizer = lib.optim.NAdam(params)
        optimizer.step()
        saved = optimizer.state_dict()
        saved["state"][0].update(step=3, mu_product=0.5)
        del saved["param_groups"][0]["decoupled_weight_decay"]
        optimizer.load_state_dict(saved)
        state = optimizer.state[params[0]]
        return str(state["step"]), str(state["mu_product"]), optimizer.param_groups[0]["decoupled_weight_decay"]

    same(scenario)


FUNCTIONAL = {
    "adam": ("exp_avg exp_avg_sq max_exp_avg_sq step", dict(
        amsgrad=True, beta1=0.9, beta2=0.99, lr=0.1, weight_decay=0.1, eps=1e-8, maximize=False)),
    "adamw": ("exp_avg exp_avg_sq max_exp_avg_sq step", dict(
        amsgrad=False, beta1=0.9, beta2=0.99, lr=0.1, weight_decay=0.1, eps=1e-8, maximize=True)),
    "adamax": ("exp_avg exp_inf step", dict(eps=1e-8, beta1=0.9, beta2=0.99, lr=0.1, weight_decay=0.0)),
    "nadam": ("exp_avg exp_avg_sq mu_product step", dict(
        beta1=0.9, beta2=0.99, lr=0.1, weight_decay=0.0, momentum_decay=0.01, eps=1e-8)),
    "radam": ("exp_avg exp_avg_sq step", dict(beta1=0.9, beta2=0.99, lr=0.1, weight_decay=0.0, eps=1e-8)),
    "adagrad": ("sum step", dict(lr=0.1, weight_decay=0.0, lr_decay=0.1, eps=1e-8, maximize=False)),
    "adadelta": ("square_avg acc_delta step", dict(lr=0.1, rho=0.9, eps=1e-6, weight_decay=0.1, maximize=False)),
    "rmsprop": ("square_avg grad_avg momentum step", dict(
        lr=0.1, alpha=0.9, eps=1e-6, weight_decay=0.1, momentum=0.9, centered=True)),
    "rprop": ("prev size step", dict(step_size_min=1e-6, step_size_max=50, etaminus=0.5, etaplus=1.2)),
    "asgd": ("ax mu eta step", dict(lambd=1e-2, lr=0.1, t0=2, alpha=0.75, weight_decay=0.1)),
}  # fmt: skip
INITIAL = {"mu_product": 1.0, "mu": 1.0, "eta": 0.1}


@pytest.mark.parametrize("name", FUNCTIONAL)
def test_functional_forms_are_torchs(name):
    names, options = FUNCTIONAL[name]

    def run(lib):
        p = as_tensor(lib, numbers((3,), "float64", 0))
        lists = []
        for state in names.split():
            scalar = state in (*INITIAL, "step")
            value = lib.tensor(INITIAL.get(state, 0.0)) if scalar else lib.full_like(p, 0.1 * (state == "size"))
            lists.append([value])
        function = getattr(importlib.import_module(f"{lib.__name__}.optim.{name}"), name)
        for step in range(5):
            function([p], [as_tensor(lib, numbers((3,), "float64", step))], *lists, **options)
        return arrays([p, *(values[0] for values in lists)])

    assert_close(run(minitorch), run(torch), 1e-7)


def test_functional_forms_refuse_counts_that_are_no_tensors():
    def scenario(lib):
        adadelta = importlib.import_module(f"{lib.__name__}.optim.adadelta").adadelta
        lists = [[lib.ones(1)] for _ in range(4)]
        return outcome(lambda: adadelta(*lists, [3], **FUNCTIONAL["adadelta"][1]))

    same(scenario)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")
def test_sparse_adam_changes_what_the_gradient_names():
    def run(lib):
        params = [lib.nn.Parameter(as_tensor(lib, numbers((5, 2), "float64", 0)))]
        optimizer = lib.optim.SparseAdam(params, lr=0.1, maximize=True)
        for step in range(4):
            rows = as_tensor(lib, numbers((3, 2), "float64", step))
            params[0].grad = lib.sparse_coo_tensor(lib.tensor([[step, 2, step]]), rows, (5, 2))
            optimizer.step()
        params[0].grad = lib.ones(5, 2, dtype=lib.float64)
        state = optimizer.state[params[0]]
        return arrays([*params, state["exp_avg"], state["exp_avg_sq"]]), state["step"], outcome(optimizer.step)

    (ours, *our_words), (theirs, *their_words) = run(minitorch), run(torch)
    assert_close(ours, theirs, 1e-12)
    assert our_words == their_words


WOLFE = {"line_search_fn": "strong_wolfe"}
LBFGS_OPTIONS = [
    {}, {"lr": 0.1, "history_size": 2}, {"max_iter": 3, "tolerance_grad": 1e-2}, {"tolerance_change": 1.0},
    WOLFE, {**WOLFE, "lr": 9.0}, {**WOLFE, "max_eval": 3},
]  # fmt: skip


@pytest.mark.parametrize("options", LBFGS_OPTIONS, ids=str)
def test_lbfgs_goes_torchs_way(options):
    """Rosenbrock's valley: 20 iterations, which make 1e-8 of a rounding error at the start; 40 make 1e-5 of it."""

    def run(lib):
        w = lib.nn.Parameter(lib.tensor([-1.2, 1.0, 0.5], dtype=lib.float64))
        optimizer = lib.optim.LBFGS([w], **{"max_iter": 10} | options)

        def closure():
            optimizer.zero_grad()
            loss = (100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2).sum()
            loss.backward()
            return loss

        losses = [optimizer.step(closure).item() for _ in range(2)]
        state = optimizer.state[w]
        return (
            np.array(
                [*losses, *w.tolist(), float(state["t"]), *state["d"].tolist(), *state["prev_flat_grad"].tolist()]
            ),
            (state["func_evals"], state["n_iter"], sorted(state), repr(optimizer)),
        )

    (ours, our_words), (theirs, their_words) = run(minitorch), run(torch)
    assert our_words == their_words
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)


@pytest.mark.filterwarnings("ignore:optimizer contains:UserWarning")
def test_lbfgs_refuses_what_torch_refuses():
    def scenario(lib):
        p, q = lib.nn.Parameter(lib.ones(1)), lib.nn.Parameter(lib.ones(1))

        def search():
            optimizer = lib.optim.LBFGS([p], line_search_fn="golden")
            p.grad = lib.ones(1)
            return optimizer.step(lambda: (p * p).sum())

        return [
            outcome(lambda: lib.optim.LBFGS([{"params": p}, {"params": q}])),
            outcome(lambda: lib.optim.LBFGS([p], lr=-1)),
            outcome(search),
        ]

    same(scenario)


def test_a_formula_is_compiled_without_the_states_that_an_option_leaves_out():
    whole, numbers_of_whole = _updates.rmsprop.text()
    part, numbers_of_part = _updates.rmsprop.text(frozenset({"buffer", "mean"}))
    assert "flat_buffer" in whole
    assert "momentum" in numbers_of_whole
    assert "buffer" not in part
    assert "mean" not in part
    assert "momentum" not in numbers_of_part


@pytest.mark.parametrize("name", [name for name in vars(_updates) if isinstance(vars(_updates)[name], _updates.Update)])
def test_float32_loops_hold_no_float64_arithmetic(name):
    arrays = [np.ones(3, np.float32) for _ in vars(_updates)[name].arrays]
    text, needed = vars(_updates)[name].text()
    namespace = {}
    exec(compile(text.replace("cache=True, ", ""), name, "exec"), namespace)
    namespace["kernel"](*arrays, *[1.0] * len(needed))
    (code,) = namespace["kernel"].inspect_llvm().values()
    in_double = [line for line in code.splitlines() if " double " in line and any(op in line for op in ARITHMETIC)]
    assert not in_double


ARITHMETIC = (" fadd ", " fmul ", " fdiv ", " fsub ", "llvm.sqrt", "llvm.fmuladd", "llvm.fma")
