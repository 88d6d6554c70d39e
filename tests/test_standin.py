"""What stands in for torch in a program: minitorch.standin.install(), and the names programs touch in passing."""

import subprocess
import sys

import pytest
from unmodified import minitorch, output, python

from minitorch.torch_version import TorchVersion


def test_install_lets_a_running_program_import_torch(tmp_path):
    program = """
import minitorch
assert minitorch.__version__[0] == "0"
from minitorch.standin import install
install(); install()
import sys, torch, torch.nn.functional as F
assert torch is minitorch and torch.__version__ >= "2.13"
assert sum(type(finder).__name__ == "Finder" for finder in sys.meta_path) == 1
print(F.relu(torch.tensor([-1.0, 2.0])))
"""
    assert output(python(tmp_path, "-c", program)) == "tensor([0., 2.])\n"


def test_install_refuses_when_torch_is_imported_already(tmp_path):
    (tmp_path / "torch.py").write_text("")
    program = "import sys; sys.meta_path.pop(0); import torch, minitorch.standin; minitorch.standin.install()"
    result = python(tmp_path, "-c", program)
    assert result.returncode == 1
    assert "RuntimeError: minitorch cannot stand in for torch, which is imported already from" in result.stderr


ORDERED = ["1.8", "1.10.0.dev20210101", "1.10.0a", "1.10.0rc2", "1.10", "2.13.0", "2.13.0+cpu", "2.13.0.post1"]


@pytest.mark.parametrize("one", ORDERED)
@pytest.mark.parametrize("other", ORDERED)
def test_versions_compare_as_torchs(one, other):
    import torch

    expected = torch.torch_version.TorchVersion(one)
    version = TorchVersion(one)
    for name in ("__lt__", "__le__", "__gt__", "__ge__", "__eq__"):
        assert getattr(version, name)(other) == getattr(expected, name)(other), name
    assert (version >= (1, 10)) == (expected >= (1, 10))
    assert (version > "unknown") == (expected > "unknown")


FUNCTORCH = """
import warnings
warnings.simplefilter("ignore", FutureWarning)
import functorch, torch
from functorch import combine_state_for_ensemble, make_functional, make_functional_with_buffers, vmap

torch.manual_seed(0)
f, params = make_functional(torch.nn.Linear(2, 3))
x = torch.ones(4, 2)
print(functorch.jvp(f, (params, x), (params, x)))
print(functorch.grad(lambda p: f(p, x).sum())(params), functorch.hessian(torch.sin)(torch.tensor(1.0)))
f, params, buffers = make_functional_with_buffers(torch.nn.BatchNorm1d(2), disable_autograd_tracking=True)
print(f(params, buffers, x + torch.arange(4.0)[:, None]), [p.requires_grad for p in params], f.param_names)
f, params, buffers = combine_state_for_ensemble([torch.nn.Linear(2, 3) for _ in range(5)])
print(vmap(f, (0, 0, None))(params, buffers, x).shape, type(f).__name__)
try:
    make_functional(torch.nn.BatchNorm1d(2))
except RuntimeError as e:
    print(e)
"""


def test_functorch_is_what_it_is_with_torch(tmp_path):
    (tmp_path / "program.py").write_text(FUNCTORCH)
    expected = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True)
    assert output(minitorch(tmp_path, "program.py")) == output(expected)


def test_functorch_says_that_its_names_are_old(tmp_path):
    program = "import functorch; functorch.vmap(abs)"
    expected = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert minitorch(tmp_path, "-c", program).stderr.splitlines()[0] == expected.stderr.splitlines()[0]
