"""`python -m minitorch --check`, and what a program is told that uses a name which minitorch lacks."""

import pytest
from unmodified import minitorch, python

from minitorch._standin.check import report
from minitorch._standin.missing import explanation, missing_name

THREE = """
import torch
import torch.nn as nn
from torch.nn import functional as F, NoSuchLayer

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 3)

    def forward(self, x):
        return F.no_such_function(self.a(x).view(-1))

x = torch.zeros(2)
print(x.sum().item(), torch.no_such_name)
raise SystemExit("this was run")
"""


def test_three_missing_names_are_reported_with_their_lines_and_nothing_is_run(tmp_path):
    (tmp_path / "three.py").write_text(THREE)
    result = minitorch(tmp_path, "--check", "three.py")
    there, _, missing = result.stdout.partition("3 missing in minitorch:\n")
    assert missing.splitlines() == [
        "  torch.nn.NoSuchLayer  (three.py:4)",
        "  torch.nn.functional.no_such_function  (three.py:12)",
        "  torch.no_such_name  (three.py:15)",
    ]
    assert "  torch.nn.Linear  (three.py:9)\n" in there and "  torch.Tensor.sum  (three.py:15)\n" in there
    assert result.returncode == 1 and result.stderr == ""


# a script -> the names that it lacks
SCRIPTS = {
    "import torch.export as fx\nfx.export(len)": ["torch.export.export"],
    "import torch.export": ["torch.export"],
    "from torch.export import Graph, Node as N": ["torch.export.Graph", "torch.export.Node"],
    "from torch import *": [],
    "import torch\ntorch.utils.data.DataLoader": [],
    "import torch.nn.functional as F\nclass A:\n    f = F.nothing": ["torch.nn.functional.nothing"],
    "import torch\nx = torch.randn(3).nothing()": ["torch.Tensor.nothing"],
    "import torch\nx = torch.zeros(3)\nx.nothing()\nx = len\nx.nothing2()": ["torch.Tensor.nothing"],
    "import torch\nx = torch.zeros(3)\nfor x in []:\n    x.nothing()": [],
    "import torch\nx = []\ndef f():\n    x.append(1)\nx = torch.zeros(3)": [],
    "import torch\nif a:\n    x = torch.zeros(3)\nx.nothing()": [],
    "import torch\nx = torch.zeros(3)\nx.my_own = 1\nprint([x.nothing for x in []], lambda x: x.nothing)": [],
    "from torch import optim\noptim = optim.SGD([])\noptim.step()": [],
    "from torch import optim\ndef f(optim):\n    optim.step()\n    optim = 1": [],
    "def f():\n    return torch.nothing\nimport torch": ["torch.nothing"],
    "def f():\n    import torch as t\n    return t.nothing\nt.nothing2": ["torch.nothing"],
    "import torch\n@torch.nothing\ndef f(x: torch.Nothing = torch.none): pass": [
        "torch.Nothing", "torch.none", "torch.nothing",
    ],
    "try:\n    from torch.export import Graph\nexcept ImportError:\n    Graph = None": [],
    "try:\n    import torch.export\nfinally:\n    pass": ["torch.export"],
    "import torch\nif hasattr(torch, 'nothing'):\n    torch.nothing()": [],
    "import torch\ngetattr(torch, 'nothing'); getattr(torch, 'nothing2', None)": ["torch.nothing"],
    "import torch\ntorch.nn.Module.my_hook = len\ntorch.nothing.x = 1": ["torch.nothing"],
    "import numpy as np, torch\nnp.nothing": [],
    "import torch\nx = torch.zeros(3)\nx.grad.zero_(); x.shape.numel; x.T.nothing; x.dtype.nothing2": [
        "torch.Tensor.nothing",
    ],
    "from torch.autograd.gradcheck import gradcheck, nothing": ["torch.autograd.gradcheck.nothing"],
    "import torch\nmodel.nothing; torch.tensor([1.0]).exp().nothing": [],
}  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS)
def test_names_are_followed_where_they_are_certain(tmp_path, script):
    (tmp_path / "s.py").write_text(script)
    text, complete = report(str(tmp_path / "s.py"))
    missing = text.partition("missing in minitorch:\n")[2]
    assert [line.split()[0] for line in missing.splitlines()] == SCRIPTS[script]
    assert complete == (not SCRIPTS[script])


def test_what_refuses_is_told_from_what_is_missing(tmp_path):
    (tmp_path / "s.py").write_text("import torch\ntorch.onnx.export(1)\ntorch.ones(2)")
    text, complete = report(str(tmp_path / "s.py"))
    assert "These raise NotImplementedError when called:\n  torch.onnx.export" in text and complete


def test_a_script_without_names_of_torch_is_told_so(tmp_path):
    (tmp_path / "s.py").write_text("import minitorch as torch\ntorch.ones(2)")
    script = str(tmp_path / "s.py")
    assert report(script) == (f"{script} uses no name of torch or torchvision.", True)


def test_modules_beside_the_script_are_read_too(tmp_path):
    files = {
        "main.py": "import model, os\nfrom parts import head",
        "model.py": "import torch\ntorch.nothing_in_model",
        "parts/__init__.py": "from . import tail",
        "parts/head.py": "from ..model import x\nimport torch\ntorch.nothing_in_head",
        "parts/tail.py": "from .head import y\nimport torch\ntorch.nothing_in_tail",
        "unused.py": "import torch\ntorch.nothing_unused",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    text, _ = report(str(tmp_path / "main.py"))
    assert "3 missing" in text
    assert all(f"torch.nothing_in_{name}" in text for name in ("model", "head", "tail"))


def test_check_of_wrong_syntax_ends_as_a_run(tmp_path):
    (tmp_path / "wrong.py").write_text("def f(:\n")
    expected, seen = python(tmp_path, "wrong.py"), minitorch(tmp_path, "--check", "wrong.py")
    said = seen.stderr.replace('File "wrong.py"', f'File "{tmp_path / "wrong.py"}"')
    assert (said, seen.returncode) == (expected.stderr, expected.returncode)


def test_a_missing_name_fails_with_its_name_its_line_and_where_to_look(tmp_path):
    (tmp_path / "s.py").write_text("import os\n\nimport torch.export\n")
    result = minitorch(tmp_path, "s.py")
    assert result.returncode == 1 and f'File "{tmp_path / "s.py"}", line 3' in result.stderr
    assert result.stderr.splitlines()[-1] == (
        f"minitorch has no torch.export ({tmp_path / 's.py'}, line 3). "
        "To see what is supported of what the script uses: python -m minitorch --check s.py"
    )


# a line that fails -> the name that it lacks; None if that is no name of torch
FAILING = {
    "from minitorch.nn import Nothing": "torch.nn.Nothing",
    "import minitorch.nn.nothing": "torch.nn.nothing",
    "import minitorch; minitorch.nn.functional.nothing(1)": "torch.nn.functional.nothing",
    "import minitorch; minitorch.ones(2).nothing()": "torch.Tensor.nothing",
    "import minitorch; minitorch.vision.nothing": "torchvision.nothing",
    "import minitorch; minitorch.ones(2).sum(dim=7)": None,
    "import minitorch; minitorch.nn.Linear(1, 1).my_own": None,
    "import nothing": None,
    "from os import nothing": None,
    "class A: pass\nA().missing": None,
}


@pytest.mark.parametrize("line", FAILING)
def test_errors_from_missing_names_are_told_from_others(line):
    import minitorch.vision  # noqa: F401 - one of the lines names it

    with pytest.raises(Exception) as caught:
        exec(compile(line, "program", "exec"), {})
    assert missing_name(caught.value) == FAILING[line]
    text = explanation(caught.value, None)
    if FAILING[line] is None:
        assert text is None
    else:  # of a program that is no file
        assert text == (
            f"minitorch has no {FAILING[line]} (program, line 1). "
            "To see what is supported: the README's 'What is there'"
        )


def test_a_name_that_its_package_refuses_is_refusing(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("from torch.utils.data import MapDataPipe\nimport torchvision\ntorchvision.datasets.LSUN('.')\n")
    text, complete = report(str(program))
    assert complete
    refused = text.partition("These raise NotImplementedError when called:\n")[2]
    assert "torch.utils.data.MapDataPipe" in refused and "torchvision.datasets.LSUN" in refused
