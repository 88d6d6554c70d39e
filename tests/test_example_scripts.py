"""examples/scripts and reference/: the same programs under `python` with torch and `python -m minitorch` without."""

import importlib.util
import re
import subprocess
import sys

import numpy as np
import pytest
import torchvision.datasets as theirs_datasets
import unmodified
from unmodified import ROOT

import minitorch.vision.datasets as ours_datasets

SCRIPTS = ROOT / "examples" / "scripts"

# As `python script`, after what lets torchvision be imported beside the tests' torch.
WITH_TORCH = """
import runpy, sys
from torchvision_shim import allow_torchvision
allow_torchvision()
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def load(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    root = tmp_path_factory.mktemp("digits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["make_digits_files.py", str(root)])
        load("make_digits_files").main()
    return root


def test_digits_in_mnists_files_are_read_alike(digits):
    for train, count in ((True, 1437), (False, 360)):
        ours, theirs = (datasets.MNIST(digits, train=train) for datasets in (ours_datasets, theirs_datasets))
        assert len(ours) == count
        np.testing.assert_array_equal(ours.data.numpy(), theirs.data.numpy())
        assert ours.targets.tolist() == theirs.targets.tolist()


def test_digits_in_cifars_files_are_read_alike(digits, monkeypatch):
    found = []
    for datasets in (ours_datasets, theirs_datasets):
        monkeypatch.setattr(datasets.utils, "check_md5", lambda *args: True)
        found.append([datasets.CIFAR10(digits, train=train) for train in (True, False)])
    for ours, theirs, count in zip(*found, (1437, 360)):
        assert ours.data.shape == (count, 32, 32, 3)
        np.testing.assert_array_equal(ours.data, theirs.data)
        assert ours.targets == theirs.targets and ours.classes == theirs.classes


NUMBER = re.compile(r"-?\d+\.\d+")


def assert_same_output(folder, script, *args):
    """Word for word; in numbers with a point the last digit may be another, as sums are rounded in another order."""
    environment = {**unmodified.environment(folder), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    command = [sys.executable, "-c", WITH_TORCH, str(script), *args]
    with_torch = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    expected = unmodified.output(with_torch)
    printed = unmodified.output(unmodified.minitorch(folder, str(script), *args))
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", expected)
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (printed, expected)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-4, abs=2e-3)
    return printed


@pytest.mark.slow
@pytest.mark.parametrize("args", [["--model", "cnn"], ["--model", "mlp"], ["--steps", "4", "--workers", "2"]])
def test_train_mnist_prints_the_same_with_and_without_torch(digits, tmp_path, args):
    printed = assert_same_output(tmp_path, SCRIPTS / "train_mnist.py", str(digits), "--epochs", "1", *args)
    assert "of 360 read correctly" in printed


# with batch norm and Adam, PyTorch's own losses at 1 and 2 threads are 0.003 apart after 40 steps
@pytest.mark.slow
@pytest.mark.parametrize(
    "args", [["--model", "quick"], ["--model", "simple", "--steps", "30"], ["--steps", "5", "--workers", "2"]]
)
def test_train_cifar_prints_the_same_with_and_without_torch(digits, tmp_path, args):
    printed = assert_same_output(tmp_path, SCRIPTS / "train_cifar.py", str(digits), *args)
    assert "of 360 held-out digits read correctly" in printed


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "reference").glob("*.py")))
def test_reference_models_print_the_same_with_and_without_torch(tmp_path, script):
    assert_same_output(tmp_path, ROOT / "reference" / script)
