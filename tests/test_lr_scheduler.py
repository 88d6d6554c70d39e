"""Learning rate schedulers against torch's: rates, dictionaries both ways, warnings, words."""

import copy
import pickle

import numpy as np
import pytest
import torch
from module_compare import outcome, same

import minitorch


class Halving:
    """A function that is an object, whose attributes are saved."""

    def __init__(self, base):
        self.base = base

    def __call__(self, epoch):
        return self.base**epoch


# name -> from the library's schedulers and an optimizer with two parameter groups
SCHEDULERS = {
    "lambda": lambda S, o: S.LambdaLR(o, lambda epoch: 0.95**epoch),
    "lambdas": lambda S, o: S.LambdaLR(o, [lambda epoch: 1 / (epoch + 1), Halving(0.5)]),
    "multiplicative": lambda S, o: S.MultiplicativeLR(o, lambda epoch: 0.9),
    "step": lambda S, o: S.StepLR(o, 3, gamma=0.5),
    "multi step": lambda S, o: S.MultiStepLR(o, [3, 8, 8, 15], gamma=0.5),
    "constant": lambda S, o: S.ConstantLR(o, factor=0.5, total_iters=4),
    "linear": lambda S, o: S.LinearLR(o, 0.1, 0.9, total_iters=12),
    "exponential": lambda S, o: S.ExponentialLR(o, 0.8),
    "polynomial": lambda S, o: S.PolynomialLR(o, total_iters=15, power=2.0),
    "cosine": lambda S, o: S.CosineAnnealingLR(o, T_max=6, eta_min=0.01),
    "warm restarts": lambda S, o: S.CosineAnnealingWarmRestarts(o, 3, T_mult=2, eta_min=1e-3),
    "warm restarts of one length": lambda S, o: S.CosineAnnealingWarmRestarts(o, 4),
    "cyclic": lambda S, o: S.CyclicLR(o, 0.01, 0.1, step_size_up=4),
    "cyclic, halving": lambda S, o: S.CyclicLR(o, [0.01, 0.02], [0.1, 0.3], 3, 5, mode="triangular2"),
    "cyclic, exponential": lambda S, o: S.CyclicLR(o, 0.01, 0.1, 3, mode="exp_range", gamma=0.9, cycle_momentum=False),
    "cyclic, own scale": lambda S, o: S.CyclicLR(o, 0.01, 0.1, 3, scale_fn=Halving(0.5), scale_mode="iterations"),
    "one cycle": lambda S, o: S.OneCycleLR(o, 0.5, total_steps=25),
    "one cycle, three phases": lambda S, o: S.OneCycleLR(
        o, max_lr=[0.5, 0.25], epochs=5, steps_per_epoch=5, anneal_strategy="linear", three_phase=True
    ),
    "plateau": lambda S, o: S.ReduceLROnPlateau(o, patience=2, factor=0.5),
    "plateau, absolute": lambda S, o: S.ReduceLROnPlateau(
        o, "max", patience=1, cooldown=2, threshold_mode="abs", min_lr=[0.01, 0.02]
    ),
    "sequential": lambda S, o: S.SequentialLR(o, [S.ConstantLR(o, 0.1, 3), S.ExponentialLR(o, 0.9)], [5]),
    "sequential in sequential": lambda S, o: S.SequentialLR(
        o, [S.SequentialLR(o, [S.ConstantLR(o, 0.1, 3), S.StepLR(o, 2)], [2]), S.LinearLR(o)], [7]
    ),
    "chained": lambda S, o: S.ChainedScheduler([S.ConstantLR(o, 0.1, 4), S.ExponentialLR(o, 0.9)]),
    "swa": lambda S, o: swa(S).SWALR(o, 0.05, anneal_epochs=6),
    "swa, linear": lambda S, o: swa(S).SWALR(o, [0.05, 0.01], anneal_epochs=0, anneal_strategy="linear"),
}
# in both libraries: the inner sequence makes its first step twice
NESTED = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
METRICS = [3, 2, 2, 2, 2, 1.5, 1.5, 1.5, 1.5, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4, 9, 9, 9, 9, 9]


def swa(schedulers):
    return (minitorch if schedulers is minitorch.optim.lr_scheduler else torch).optim.swa_utils


def an_optimizer(lib, kind="SGD", rates=(0.1, 0.2)):
    groups = [{"params": [lib.nn.Parameter(lib.ones(1))], "lr": rate} for rate in rates]
    return getattr(lib.optim, kind)(groups, **({"momentum": 0.9} if kind == "SGD" else {}))


def advance(scheduler, optimizer, epochs):
    """The rates and the momentum of each group, and the last rates, after each epoch."""
    trace = []
    for epoch in epochs:
        optimizer.step()
        if hasattr(scheduler, "num_bad_epochs"):
            scheduler.step(METRICS[epoch])
        else:
            scheduler.step()
        groups = optimizer.param_groups
        momenta = [group["momentum"] if "momentum" in group else group["betas"][0] for group in groups]
        trace.append([*(float(group["lr"]) for group in groups), *map(float, scheduler.get_last_lr()), *momenta])
    return np.array(trace)


@NESTED
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_rates_are_torchs(name, kind):
    def run(lib):
        optimizer = an_optimizer(lib, kind)
        scheduler = SCHEDULERS[name](lib.optim.lr_scheduler, optimizer)
        return advance(scheduler, optimizer, range(20)), optimizer.param_groups[0].keys()

    (ours, our_keys), (theirs, their_keys) = run(minitorch), run(torch)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)
    assert list(our_keys) == list(their_keys)


@NESTED
@pytest.mark.parametrize(("source", "target"), [(minitorch, torch), (torch, minitorch), (minitorch, minitorch)])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_state_goes_to_torch_and_back(name, source, target):
    optimizer, other = an_optimizer(source), an_optimizer(target)
    scheduler = SCHEDULERS[name](source.optim.lr_scheduler, optimizer)
    successor = SCHEDULERS[name](target.optim.lr_scheduler, other)
    assert _plain(scheduler.state_dict()).keys() == _plain(successor.state_dict()).keys()
    advance(scheduler, optimizer, range(7))
    saved = pickle.loads(pickle.dumps(scheduler.state_dict()))
    before = copy.deepcopy(saved)
    successor.load_state_dict(saved)
    assert saved == before or target is torch  # whose CyclicLR takes out what it reads
    assert _plain(successor.state_dict()) == _plain(scheduler.state_dict())
    other.load_state_dict(optimizer.state_dict())
    expected = advance(scheduler, optimizer, range(7, 20))
    np.testing.assert_allclose(advance(successor, other, range(7, 20)), expected, rtol=1e-12)


def _plain(state):
    return {key: dict(value) if isinstance(value, dict) else value for key, value in state.items()}


@NESTED
@pytest.mark.parametrize("name", [name for name in SCHEDULERS if "plateau" not in name])
def test_rates_that_are_tensors_stay_the_same_tensors(name):
    def run(lib):
        rates = [lib.tensor(0.1, dtype=lib.float64), lib.tensor([0.2], dtype=lib.float64)]
        optimizer = an_optimizer(lib, rates=rates)
        scheduler = SCHEDULERS[name](lib.optim.lr_scheduler, optimizer)
        trace = advance(scheduler, optimizer, range(9))
        assert all(group["lr"] is rate for group, rate in zip(optimizer.param_groups, rates, strict=True))
        return trace

    np.testing.assert_allclose(run(minitorch), run(torch), rtol=1e-12)


RESUMED = {
    "lambda": lambda S, o, n: S.LambdaLR(o, lambda epoch: 0.95**epoch, n),
    "step": lambda S, o, n: S.StepLR(o, 3, 0.5, n),
    "cosine": lambda S, o, n: S.CosineAnnealingLR(o, 6, 0.01, n),
    "linear": lambda S, o, n: S.LinearLR(o, total_iters=9, last_epoch=n),
    "exponential": lambda S, o, n: S.ExponentialLR(o, 0.8, n),
    "warm restarts": lambda S, o, n: S.CosineAnnealingWarmRestarts(o, 3, last_epoch=n),
    "one cycle": lambda S, o, n: S.OneCycleLR(o, 0.5, total_steps=25, last_epoch=n),
    "cyclic": lambda S, o, n: S.CyclicLR(o, 0.01, 0.1, 4, last_epoch=n),
}


@pytest.mark.parametrize("name", RESUMED)
def test_training_resumes_from_a_later_epoch(name):
    """`last_epoch` needs the optimizer's groups to be those of a checkpoint."""
    make = RESUMED[name]

    def run(lib):
        optimizer = an_optimizer(lib)
        scheduler = make(lib.optim.lr_scheduler, optimizer, -1)
        advance(scheduler, optimizer, range(4))
        other = an_optimizer(lib)
        other.load_state_dict(optimizer.state_dict())
        resumed = make(lib.optim.lr_scheduler, other, 3)
        missing = outcome(lambda: make(lib.optim.lr_scheduler, an_optimizer(lib), 3))
        return advance(resumed, other, range(4, 12)), missing

    (ours, our_words), (theirs, their_words) = run(minitorch), run(torch)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert our_words == their_words


@pytest.mark.parametrize("epoch", [0, 2, 7])
@pytest.mark.parametrize("name", [name for name in SCHEDULERS if "sequential" not in name and name != "chained"])
def test_an_epoch_given_takes_the_closed_form(name, epoch):
    def scenario(lib):
        optimizer = an_optimizer(lib)
        scheduler = SCHEDULERS[name](lib.optim.lr_scheduler, optimizer)
        optimizer.step()
        words = outcome(lambda: scheduler.step(*([1.0] if "plateau" in name else []), epoch=epoch))
        return words, [round(rate, 12) for rate in scheduler.get_last_lr()], scheduler.last_epoch

    same(scenario)


def test_warm_restarts_take_fractions_of_an_epoch():
    def scenario(lib):
        optimizer = an_optimizer(lib)
        optimizer.step()
        scheduler = lib.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 2, T_mult=3)
        trace = []
        for tenths in range(0, 200, 7):
            scheduler.step(tenths / 10)
            trace.append((round(scheduler.get_last_lr()[0], 12), scheduler.last_epoch, scheduler.T_i))
        return trace, outcome(lambda: scheduler.step(-1))

    same(scenario)


def _own(lib, act):
    class Own(lib.optim.lr_scheduler.LRScheduler):
        def get_lr(self):
            return [group["lr"] for group in self.optimizer.param_groups]

    optimizer = an_optimizer(lib)
    return act(lib.optim.lr_scheduler, optimizer, Own(optimizer))


WORDS = {
    "a scheduler first": lambda S, o, own: own.step(),
    "a scheduler second": lambda S, o, own: (o.step(), own.step()),
    "another step function": lambda S, o, own: (setattr(o, "step", lambda: None), own.step()),
    "get_lr outside a step": lambda S, o, own: S.StepLR(o, 3).get_lr(),
    "no get_lr": lambda S, o, own: S.LRScheduler(o),
    "no optimizer": lambda S, o, own: S.StepLR([o], 3),
    "plateau, no optimizer": lambda S, o, own: S.ReduceLROnPlateau(3),
    "cycle, no optimizer": lambda S, o, own: S.OneCycleLR(3, 1.0, 5),
    "lambdas": lambda S, o, own: S.LambdaLR(o, [lambda epoch: 1.0]),
    "no function": lambda S, o, own: S.MultiplicativeLR(o, 0.5),
    "constant": lambda S, o, own: S.ConstantLR(o, 1.5),
    "linear start": lambda S, o, own: S.LinearLR(o, 0.0),
    "linear end": lambda S, o, own: S.LinearLR(o, 0.5, 2.0),
    "T_0": lambda S, o, own: S.CosineAnnealingWarmRestarts(o, 0),
    "T_mult": lambda S, o, own: S.CosineAnnealingWarmRestarts(o, 2, 1.5),
    "eta_min": lambda S, o, own: S.CosineAnnealingWarmRestarts(o, 2, 1, "0"),
    "cyclic mode": lambda S, o, own: S.CyclicLR(o, 0.1, 0.2, mode="square"),
    "cyclic rates": lambda S, o, own: S.CyclicLR(o, [0.1], 0.2),
    "no steps": lambda S, o, own: S.OneCycleLR(o, 0.1),
    "total_steps": lambda S, o, own: S.OneCycleLR(o, 0.1, total_steps=-3),
    "epochs": lambda S, o, own: S.OneCycleLR(o, 0.1, epochs=1.5, steps_per_epoch=3),
    "steps_per_epoch": lambda S, o, own: S.OneCycleLR(o, 0.1, epochs=1, steps_per_epoch=0),
    "pct_start": lambda S, o, own: S.OneCycleLR(o, 0.1, total_steps=10, pct_start=2.0),
    "anneal_strategy": lambda S, o, own: S.OneCycleLR(o, 0.1, total_steps=10, anneal_strategy="sin"),
    "past the end": lambda S, o, own: [(o.step(), s.step()) for s in [S.OneCycleLR(o, 0.1, 2)] for _ in range(4)],
    "plateau factor": lambda S, o, own: S.ReduceLROnPlateau(o, factor=1.0),
    "plateau mode": lambda S, o, own: S.ReduceLROnPlateau(o, "least"),
    "plateau threshold": lambda S, o, own: S.ReduceLROnPlateau(o, threshold_mode="both"),
    "plateau min_lr": lambda S, o, own: S.ReduceLROnPlateau(o, min_lr=[0.1]),
    "nothing to chain": lambda S, o, own: S.ChainedScheduler([]),
    "nothing in sequence": lambda S, o, own: S.SequentialLR(o, [], []),
    "plateau in sequence": lambda S, o, own: S.SequentialLR(o, [own, S.ReduceLROnPlateau(o)], [3]),
    "no scheduler": lambda S, o, own: S.ChainedScheduler([own, 3]),
    "milestones": lambda S, o, own: S.SequentialLR(o, [own, own], [3, 4]),
    "swa_lr": lambda S, o, own: swa(S).SWALR(o, [0.1]),
    "swa strategy": lambda S, o, own: swa(S).SWALR(o, 0.1, anneal_strategy="sin"),
    "swa epochs": lambda S, o, own: swa(S).SWALR(o, 0.1, anneal_epochs=-1),
}


@pytest.mark.parametrize("name", WORDS)
def test_words_are_torchs(name):
    def scenario(lib):
        said = outcome(lambda: _own(lib, WORDS[name]) and None)
        assert name == "a scheduler second" or said != outcome(lambda: None)
        return said

    same(scenario)


def test_schedulers_of_two_optimizers_are_not_composed():
    def scenario(lib):
        S, a, b = lib.optim.lr_scheduler, an_optimizer(lib), an_optimizer(lib)
        return outcome(lambda: S.ChainedScheduler([S.StepLR(a, 1), S.StepLR(b, 1)]))

    same(scenario)


def test_momentum_cycles_need_a_momentum():
    def scenario(lib):
        S, o = lib.optim.lr_scheduler, an_optimizer(lib, "Adagrad")
        return outcome(lambda: S.CyclicLR(o, 0.1, 0.2)), outcome(lambda: S.OneCycleLR(o, 0.1, 5))

    same(scenario)


@pytest.mark.parametrize("min_lr", [0.0, [0.0, 0.0]])
def test_plateau_notices_groups_added_later(min_lr):
    def scenario(lib):
        optimizer = an_optimizer(lib)
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=min_lr)
        optimizer.add_param_group({"params": [lib.nn.Parameter(lib.ones(1))], "lr": 4.0})
        scheduler.step(1.0)
        return outcome(lambda: scheduler.step(2.0)), [group["lr"] for group in optimizer.param_groups]

    same(scenario)


def test_plateau_takes_a_tensor_and_does_not_improve_on_nan():
    def scenario(lib):
        optimizer = an_optimizer(lib)
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
        for metric in (lib.tensor(1.0), lib.tensor(float("nan")), 0.5):
            scheduler.step(metric)
        return scheduler.get_last_lr(), scheduler.best, scheduler.in_cooldown

    same(scenario)


def test_an_optimizer_with_a_scheduler_is_copied_and_saved():
    optimizer = an_optimizer(minitorch)
    minitorch.optim.lr_scheduler.StepLR(optimizer, 1)
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        other.step()
        assert other.param_groups[0]["initial_lr"] == 0.1


def test_the_old_name_is_a_base_class():
    assert issubclass(minitorch.optim.lr_scheduler._LRScheduler, minitorch.optim.lr_scheduler.LRScheduler)
