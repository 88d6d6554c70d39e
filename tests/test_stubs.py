"""The generated stubs: up to date, right for programs, and wrong for wrong ones; and what help() shows."""

import subprocess
import sys

import pytest

RIGHT = """
import minitorch as torch
from minitorch.nn import functional as F

x = torch.randn(3, 4, requires_grad=True)
w = torch.zeros(4, 2, dtype=torch.float64).to(torch.float32)
y: torch.Tensor = (x @ w + 1.5).relu().sum(dim=1, keepdim=True)
values, indices = torch.max(x, dim=1)
z: torch.Tensor = torch.cat([x, 2 * x], dim=0).mean(0).softmax(-1)
rows: int = x.shape[0] + len(x)
loss = F.mse_loss(z, torch.ones(4), reduction="sum") + torch.linalg.norm(x) + torch.special.expit(w).sum()
loss.backward()
if x.grad is not None:
    x.grad.zero_()
for row in x:
    print(row.add(1, alpha=2).item(), row.dtype is torch.float32, float(row[0]))
with torch.no_grad():
    x[0, 1:] = 3.0
    x += 1
left, right = x.split(2, dim=1)
print(x.view(2, 6).T.shape, x.tolist(), x.numpy(), torch.full((2,), 7), torch.where(x > 0, x, 0.0))
"""

WRONG = {
    "x.rellu()": "has no attribute",
    "torch.sinn(x)": "has no attribute",
    "torch.relu()": "Missing positional argument",
    "x.transpose(0)": "Missing positional argument",
    'x.sum(keepdim="yes")': "incompatible type",
    "n: int = x.exp()": "Incompatible types in assignment",
    "torch.nn.functional.relu(x, inplaces=True)": "Unexpected keyword argument",
}


def test_stubs_are_up_to_date():
    # in a process of its own, where other tests have imported nothing
    code = (
        "from minitorch import _stubs\nprint([p.name for p, text in _stubs.texts().items() if p.read_text() != text])"
    )
    stale = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert stale.strip() == "[]", "run python -m minitorch._stubs"


def test_type_checker_accepts_right_programs_and_rejects_wrong_calls(tmp_path, pytestconfig):
    api = pytest.importorskip("mypy.api")
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text("import minitorch as torch\nx = torch.ones(2)\n" + "\n".join(WRONG))
    options = ["--config-file=", "--follow-imports=silent", "--no-error-summary", "--hide-error-context"]
    cache = pytestconfig.cache.mkdir("mypy")
    files = [str(tmp_path / "right.py"), str(tmp_path / "wrong.py")]
    said, problems, _ = api.run([*options, f"--cache-dir={cache}", *files])
    assert not problems
    errors = {int(line.split(":")[1]): line for line in said.splitlines() if "wrong.py" in line and ": error: " in line}
    assert "right.py" not in said, said
    for number, (call, error) in enumerate(WRONG.items(), 3):
        assert error in errors.get(number, ""), f"{call}: {said}"


SIGNATURES = {
    "add": "(input, other, *, alpha=1, out=None)",
    "Tensor.sum": "(input, dim=None, keepdim=False, *, dtype=None, out=None, axis=None, keepdims=None)",
    "nn.functional.relu": "(input, inplace=False",
    "Tensor.mul_": "(input, other)",
}


def test_signature_and_help_are_right_before_the_first_call():
    # in a new process: functions have their own code from their first call on
    code = f"""
import inspect, pydoc, minitorch
from operator import attrgetter
for name in {list(SIGNATURES)}:
    f = attrgetter(name)(minitorch)
    print(inspect.signature(f))
    print(pydoc.plain(pydoc.render_doc(f)).splitlines()[2])
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    for i, (name, wanted) in enumerate(SIGNATURES.items()):
        signature, help_line = said[2 * i : 2 * i + 2]
        assert signature.startswith(wanted)
        assert help_line == name.rpartition(".")[2] + signature
