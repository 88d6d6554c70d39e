"""`python -m minitorch script.py`: as `python script.py`, with torch found in minitorch. No test here finds torch."""

import pickle

import pytest
import torch
from unmodified import minitorch, output, python

import minitorch as package
from minitorch._standin.runner import main

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
    "a folder": ({"app/__main__.py": SHOW + "import other", "app/other.py": "1 / 0"}, "app --quick"),
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


# the others take the same ways
EVERY_TIME = ("arguments", "module", "error", "syntax", "exit code", "interrupt", "thread after an error")


@pytest.mark.parametrize(
    "program", [name if name in EVERY_TIME else pytest.param(name, marks=pytest.mark.slow) for name in PROGRAMS]
)
def test_programs_end_as_under_python(tmp_path, program):
    files, call = PROGRAMS[program]
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="latin-1")
    args = call.split("@" if "@" in call else None)
    assert_same(python(tmp_path, *args), minitorch(tmp_path, *args))


def assert_same(expected, seen):
    assert (seen.stdout, seen.stderr, seen.returncode) == (expected.stdout, expected.stderr, expected.returncode)


@pytest.mark.slow
def test_a_program_is_read_from_standard_input(tmp_path):
    assert_same(*(run(tmp_path, "-", "a", input=SHOW + "1 / 0") for run in (python, minitorch)))


@pytest.mark.parametrize("args", [[], ["--no-such-option"], ["-c"], ["-m"], ["--check"], ["--help"], ["--version"]])
def test_without_a_program_the_usage_or_the_version_is_shown(args, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["minitorch", *args])
    if args and args[0] in ("--help", "--version"):
        main()
        said = capsys.readouterr().out
    else:
        with pytest.raises(SystemExit, match="2"):
            main()
        said = capsys.readouterr().err
    assert said.startswith("minitorch 0" if args == ["--version"] else "usage: python -m minitorch")


PROCESSES = """
import os, sys, torch
import torch.multiprocessing as mp
from torch.utils.data import DataLoader, Dataset

class Numbers(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        return torch.full((2,), float(i)), {"i": i}

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)

def work(rank, net, queue):
    queue.put((rank, type(net).__name__, type(net).__module__, __name__, sys.argv[1:]))
    with torch.no_grad():
        net.layer.weight.fill_(2.0)

if __name__ == "__main__":
    torch.manual_seed(0)
    for method in sys.argv[1:]:
        for x, d in DataLoader(Numbers(), 2, num_workers=1, shuffle=True, multiprocessing_context=method):
            print(method, x[:, 0].tolist(), d["i"].tolist())
    if len(sys.argv) > 2:
        net = Net().share_memory()
        queue = mp.get_context("spawn").SimpleQueue()
        mp.spawn(work, (net, queue), nprocs=1)
        print(queue.get(), net.layer.weight.sum().item())
"""
# what the same program prints under `python` with torch
PRINTED = {
    "spawn": """spawn [2.0, 1.0] [2, 1]
spawn [3.0, 0.0] [3, 0]
""",
    "fork spawn forkserver": """fork [2.0, 1.0] [2, 1]
fork [3.0, 0.0] [3, 0]
spawn [0.0, 1.0] [0, 1]
spawn [3.0, 2.0] [3, 2]
forkserver [1.0, 0.0] [1, 0]
forkserver [3.0, 2.0] [3, 2]
(0, 'Net', '__mp_main__', '__mp_main__', ['fork', 'spawn', 'forkserver']) 8.0
""",
}


@pytest.mark.parametrize("methods", ["spawn", pytest.param("fork spawn forkserver", marks=pytest.mark.slow)])
def test_worker_processes_find_torch_however_they_are_started(tmp_path, methods):
    (tmp_path / "processes.py").write_text(PROCESSES)
    assert output(minitorch(tmp_path, "processes.py", *methods.split())) == PRINTED[methods]


PICKLES = """
import pickle, torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)
        torch.nn.init.ones_(self.layer.weight)

net = Net()
assert type(pickle.loads(pickle.dumps(net))) is Net
for name in ("by_torch", "by_minitorch"):
    with open(name, "rb") as file:
        print(*pickle.load(file))
with open("by_run", "wb") as file:
    pickle.dump([net.layer, net.layer.weight.detach(), torch.ones(2, dtype=torch.float16), torch.float32], file)
"""
SHOWN = """Linear(in_features=2, out_features=2, bias=True) tensor([[1., 1.],
        [1., 1.]]) tensor([1., 1.], dtype=torch.float16) torch.float32
"""


def test_pickles_go_between_runs_and_programs_that_import_torch_or_minitorch(tmp_path):
    for namespace in (torch, package):
        layer = namespace.nn.Linear(2, 2)
        namespace.nn.init.ones_(layer.weight)
        written = [layer, layer.weight.detach(), namespace.ones(2, dtype=namespace.float16), namespace.float32]
        # torch's names torch.nn.modules.linear
        (tmp_path / f"by_{namespace.__name__}").write_bytes(pickle.dumps(written))
    (tmp_path / "pickles.py").write_text(PICKLES)
    assert output(minitorch(tmp_path, "pickles.py")) == 2 * SHOWN
    layer, weight, half, dtype = pickle.loads((tmp_path / "by_run").read_bytes())
    assert type(layer) is package.nn.Linear and weight.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert half.dtype is package.float16 and dtype is package.float32
