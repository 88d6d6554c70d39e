"""The five models of reference/ and examples/: one source, two frameworks, the same training."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
MODELS = ["linear_fit", "mlp", "mnist_cnn", "cifar_quick", "simple_cnn"]

STEPS = 20
FEW = 4  # steps of the three convolutional models in the quick run: one of torch's in float64 takes half a second
SMALL = ["linear_fit", "mlp"]
RUNS = [
    *(pytest.param(name, STEPS, id=name) for name in SMALL),
    *(pytest.param(name, FEW, id=f"{name}-few-steps") for name in MODELS if name not in SMALL),
    *(pytest.param(name, STEPS, id=name, marks=pytest.mark.slow) for name in MODELS if name not in SMALL),
]

# Largest difference allowed in a loss, relative to the loss: float32 sums of thousands of terms differ by their order,
# and twenty steps add up.
LOSS_TOLERANCE = {"float32": 1e-4, "float64": 1e-10}

# Largest difference allowed in a float64 gradient, relative to its largest entry.
GRADIENT_TOLERANCE = 1e-10


def load(folder, name):
    """Import a script by path: reference/ and examples/ are folders of scripts, not packages."""
    spec = importlib.util.spec_from_file_location(f"{folder}_{name}", ROOT / folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.DEVICE = "cpu"
    return module


class Run:
    """One script's model and data, trained a step at a time by the script's own `train`."""

    def __init__(self, folder, name, dtype):
        script = load(folder, name)
        script.torch.manual_seed(0)
        dtype = getattr(script.torch, dtype)
        if name == "linear_fit":
            data = script.make_data()
            self.parameters = dict(zip("wb", script.make_parameters(), strict=True))
            for parameter in self.parameters.values():
                parameter.data = parameter.data.to(dtype)
            x, t_c = (tensor.to(dtype) for tensor in data)
            w, b = self.parameters.values()
            self.train = lambda: script.train(w, b, x, t_c, range(1))
        else:
            model = script.make_model().to(dtype)
            inputs, labels = script.make_data()
            inputs = inputs.to(dtype)
            self.parameters = dict(model.named_parameters())
            self.train = lambda: script.train(model, inputs, labels, 1)

    def step(self):
        (loss,) = self.train()
        return loss

    def values(self):
        return {name: p.detach().cpu().numpy().copy() for name, p in self.parameters.items()}

    def take_values(self, values):
        for name, p in self.parameters.items():
            p.detach().numpy()[...] = values[name]

    def gradients(self):
        return {name: p.grad.cpu().numpy() for name, p in self.parameters.items()}


def largest_difference(ours, theirs):
    return np.abs(ours - theirs).max() / max(np.abs(theirs).max(), np.finfo(theirs.dtype).tiny)


@pytest.mark.parametrize("name", MODELS)
def test_sources_differ_in_the_import_line_only(name):
    reference = (ROOT / "reference" / f"{name}.py").read_text()
    example = (ROOT / "examples" / f"{name}.py").read_text()
    assert reference.splitlines().count("import torch") == 1
    assert reference.count("import torch") == 1, "a second import that the replacement would miss"
    assert reference.replace("import torch", "import minitorch as torch") == example


def test_every_reference_model_is_tested():
    assert sorted(path.stem for path in (ROOT / "reference").glob("*.py")) == sorted(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_first_parameters_are_torchs(name):
    ours, theirs = Run("examples", name, "float32"), Run("reference", name, "float32")
    assert list(ours.parameters) == list(theirs.parameters)
    expected = theirs.values()
    for key, value in ours.values().items():
        assert value.dtype == expected[key].dtype == np.float32
        np.testing.assert_array_equal(value, expected[key], err_msg=key)


def losses_and_gradients_are_torchs(name, dtype, steps):
    ours, theirs = Run("examples", name, dtype), Run("reference", name, dtype)
    losses = []
    for step in range(steps):
        loss, expected_loss = ours.step(), theirs.step()
        assert loss == pytest.approx(expected_loss, rel=LOSS_TOLERANCE[dtype]), f"loss of step {step}"
        losses.append(loss)
        expected = theirs.gradients()
        for key, gradient in ours.gradients().items():
            assert gradient.dtype == dtype
            difference = largest_difference(gradient, expected[key])
            assert dtype == "float32" or difference <= GRADIENT_TOLERANCE, f"gradient of {key} at step {step}"
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", MODELS)
def test_every_step_gives_torchs_loss(name):
    losses_and_gradients_are_torchs(name, "float32", STEPS)


@pytest.mark.parametrize(("name", "steps"), RUNS)
def test_every_step_gives_torchs_loss_and_gradients_in_float64(name, steps):
    losses_and_gradients_are_torchs(name, "float64", steps)


# in few steps cifar_quick meets a tie here and none in torch
@pytest.mark.parametrize(("name", "steps"), [run for run in RUNS if run.id != "cifar_quick-few-steps"])
def test_float32_gradients_are_as_exact_as_torchs(name, steps):
    """Two elements of a pooling window that tie within rounding send a float32 gradient another way, in torch as
    here, so both are held against float64 at the same parameters, and ours may err no more than twice what torch's
    does."""
    ours, theirs = Run("examples", name, "float32"), Run("reference", name, "float32")
    exact = Run("reference", name, "float64")
    errors = {ours: 0.0, theirs: 0.0}
    for _ in range(steps):
        ours.take_values(theirs.values())
        exact.take_values(theirs.values())
        for run in (ours, theirs, exact):
            run.step()
        expected = exact.gradients()
        for run in errors:
            for key, gradient in run.gradients().items():
                assert gradient.dtype == np.float32
                errors[run] = max(errors[run], largest_difference(gradient, expected[key]))
    print(f"{name}: largest error against float64: ours {errors[ours]:.1e}, torch {errors[theirs]:.1e}")
    assert errors[ours] <= 2 * errors[theirs] + 1e-5
