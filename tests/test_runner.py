"""`python -m minitorch script.py`: as `python script.py`, with torch found in minitorch. No test here finds torch."""

import pytest
from unmodified import minitorch, output, python

NAMES = """
import sys
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader
import minitorch
import importlib.metadata, importlib.util

assert torch is minitorch and sys.modules["torch.nn"] is minitorch.nn is torch.nn
assert F is minitorch.nn.functional and DataLoader is minitorch.utils.data.DataLoader
assert torch.nn.__spec__.name == "minitorch.nn"
assert torch.__version__ >= "1.8" and torch.__version__ > (2, 0) and torch.__version__ < "2.14"
assert torch.__version__.split("+")[0] == "2.13.0" == torch.version.__version__.split("+")[0]
assert importlib.metadata.version("torch") == torch.__version__
assert importlib.metadata.version("torchvision").startswith("0.28.0")
assert importlib.util.find_spec("torch") and importlib.util.find_spec("torch.nn.functional")
assert importlib.util.find_spec("torch.no_such_module") is None
print("all there", torch.ones(2))
"""


def test_torch_is_minitorch_under_every_name(tmp_path):
    (tmp_path / "names.py").write_text(NAMES)
    assert output(minitorch(tmp_path, "names.py")) == "all there tensor([1., 1.])\n"


SHOW = """import sys
print(sys.argv, sys.path[0], sorted(globals()), __package__, globals().get('__file__'), getattr(__spec__, 'name', None))
"""

# name of a program, its files, how it is called; the first file is the script
PROGRAMS = {
    "arguments": ({"show.py": SHOW}, "show.py --epochs 2 -x"),
    "folder": ({"deep/show.py": SHOW + "import other", "deep/other.py": "print('found')"}, "./deep/show.py"),
    "module": ({"pkg/show.py": SHOW, "pkg/__init__.py": ""}, "-m pkg.show --verbose"),
    "package": ({"pkg/__main__.py": SHOW, "pkg/__init__.py": "print('first')"}, "-m pkg"),
    "text": ({}, f"-c@{SHOW}@a@b"),
    "error": ({"e.py": "def f():\n    return 1 / 0\n\ntry:\n    f()\nfinally:\n    print('here')"}, "e.py"),
    "chained": ({"e.py": "try:\n    1 / 0\nexcept Exception as e:\n    raise ValueError('b') from e"}, "e.py"),
    "hook": ({"e.py": "import sys\nsys.excepthook = lambda *a: print('mine', a[:2])\n1 / 0"}, "e.py"),
    "error in module": ({"pkg/e.py": "1 / 0"}, "-m pkg.e"),
    "error in text": ({}, "-c@import os; 1 / 0"),
    "syntax": ({"e.py": "x = 1\ndef f(:\n"}, "e.py"),
    "syntax of an import": ({"e.py": "import other", "other.py": "x ="}, "e.py"),
    "no file": ({}, "nothing.py"),
    "no module": ({}, "-m nothing"),
    "no module in package": ({"pkg/__init__.py": ""}, "-m pkg.nothing"),
    "relative import": ({"e.py": "from . import other", "other.py": ""}, "e.py"),
    "exit code": ({"e.py": "import sys\nsys.exit(3)"}, "e.py"),
    "exit text": ({"e.py": "import sys\nsys.exit('no data')"}, "e.py"),
    "interrupt": ({"e.py": "import atexit\natexit.register(print, 'end')\nraise KeyboardInterrupt"}, "e.py"),
    "thread": (
        {"e.py": "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()"},
        "e.py",
    ),
    "thread after an error": (
        {"e.py": "import threading\nthreading.Timer(0.1, print, ['late']).start()\nraise ValueError('early')"},
        "e.py",
    ),
    "encoding": ({"e.py": "# coding: latin-1\nprint(ascii('\xe9'))"}, "e.py"),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_end_as_under_python(tmp_path, program):
    files, call = PROGRAMS[program]
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="latin-1")
    args = call.split("@" if "@" in call else None)
    expected, seen = python(tmp_path, *args), minitorch(tmp_path, *args)
    assert (seen.stdout, seen.stderr, seen.returncode) == (expected.stdout, expected.stderr, expected.returncode)
