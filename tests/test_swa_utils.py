"""Averaged models against torch's."""

import numpy as np
import pytest
import torch
from module_compare import outcome, same

import minitorch


def model_of(lib, value):
    model = lib.nn.Sequential(lib.nn.Linear(2, 3), lib.nn.BatchNorm1d(3))
    fill(lib, model, value)
    return model


def fill(lib, model, value):
    with lib.no_grad():
        for i, tensor in enumerate([*model.parameters(), *model.buffers()]):
            tensor.fill_(value + i)


AVERAGES = {
    "equal": lambda U: {},
    "equal, buffers too": lambda U: {"use_buffers": True},
    "equal function": lambda U: {"avg_fn": U.get_swa_avg_fn()},
    "equal functions": lambda U: {"multi_avg_fn": U.get_swa_multi_avg_fn()},
    "exponential function": lambda U: {"avg_fn": U.get_ema_avg_fn(0.75)},
    "exponential functions": lambda U: {"multi_avg_fn": U.get_ema_multi_avg_fn(0.75), "use_buffers": True},
    "own function": lambda U: {"avg_fn": lambda average, param, count: average * count + param},
}


@pytest.mark.parametrize("name", AVERAGES)
def test_averages_are_torchs(name):
    def run(lib):
        utils = lib.optim.swa_utils
        model = model_of(lib, 1.0)
        averaged = utils.AveragedModel(model, **AVERAGES[name](utils))
        for value in (2.0, 5.0, -3.0):
            fill(lib, model, value)
            averaged.update_parameters(model)
        return {key: value.numpy() for key, value in averaged.state_dict().items()}

    ours, theirs = run(minitorch), run(torch)
    assert list(ours) == list(theirs)
    for key, value in theirs.items():
        assert ours[key].dtype == value.dtype
        np.testing.assert_allclose(ours[key], value, rtol=1e-6)


def test_an_average_is_a_model_of_its_own():
    def scenario(lib):
        model = model_of(lib, 1.0)
        averaged = lib.optim.swa_utils.AveragedModel(model, device="cpu")
        averaged.update_parameters(model)
        fill(lib, model, 7.0)
        averaged.eval()
        return repr(averaged), averaged(lib.ones(1, 2)).tolist(), averaged.n_averaged.item()

    same(scenario)


def test_state_goes_to_torch():
    model = model_of(minitorch, 1.0)
    averaged = minitorch.optim.swa_utils.AveragedModel(model)
    for value in (1.0, 2.0):
        fill(minitorch, model, value)
        averaged.update_parameters(model)
    theirs = torch.optim.swa_utils.AveragedModel(model_of(torch, 0.0))
    theirs.load_state_dict({key: torch.from_numpy(value.numpy()) for key, value in averaged.state_dict().items()})
    assert theirs.n_averaged == 2
    for ours, other in zip(averaged.parameters(), theirs.parameters(), strict=True):
        assert ours.tolist() == other.tolist()


@pytest.mark.parametrize("pairs", [False, True])
def test_update_bn_recomputes_the_statistics(pairs):
    def run(lib):
        model = model_of(lib, 1.0)
        data = [lib.from_numpy(np.random.default_rng(i).standard_normal((4, 2)).astype("f")) for i in range(3)]
        loader = [(x, "label") for x in data] if pairs else data
        model.eval()
        lib.optim.swa_utils.update_bn(loader, model, device="cpu")
        lib.optim.swa_utils.update_bn(loader, lib.nn.Linear(2, 1))
        norm = model[1]
        return [norm.running_mean.numpy(), norm.running_var.numpy()], norm.momentum, model.training

    (ours, *our_rest), (theirs, *their_rest) = run(minitorch), run(torch)
    assert our_rest == their_rest
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("make", ["get_ema_avg_fn", "get_ema_multi_avg_fn"])
@pytest.mark.parametrize("decay", [-0.1, 1.1])
def test_a_decay_out_of_range_is_refused(make, decay):
    same(lambda lib: outcome(lambda: getattr(lib.optim.swa_utils, make)(decay)))


def test_two_functions_are_refused():
    same(
        lambda lib: outcome(
            lambda: lib.optim.swa_utils.AveragedModel(lib.nn.Linear(1, 1), avg_fn=print, multi_avg_fn=print)
        )
    )
