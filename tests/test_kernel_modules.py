"""Modules of kernels: loaded from a text or a file, anew when it or what it imports changes, kept in one cache."""

import ast
import gc
import importlib
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from numba.core.errors import TypingError

from minitorch._kernels import cache

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def own_folder(monkeypatch, tmp_path):
    """The cache of this process in a temporary folder."""
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr(cache, "_folder", lambda: folder)
    monkeypatch.setattr(cache, "_loaded", {})
    return folder


def test_the_text_is_published_under_its_hash_and_rewritten_when_it_differs(own_folder):
    module = cache.load("shown", "answer = 42\n")
    (path,) = own_folder.iterdir()
    assert module.answer == 42
    assert module.__file__ == str(path) and sys.modules[path.stem] is module
    path.write_text("answer = 13\n")
    assert cache.load("shown", "answer = 42\n") is module
    cache._loaded.clear()
    assert cache.load("shown", "answer = 42\n").answer == 42
    assert path.read_text() == "answer = 42\n"


def test_a_text_that_fails_leaves_no_module_behind(own_folder):
    before = set(sys.modules)
    with pytest.raises(ZeroDivisionError):
        cache.load("broken", "1 / 0\n")
    assert set(sys.modules) == before


def test_kernels_that_are_kept_are_not_imported_by_others():
    """What an ordinary import runs is left to Numba's own cache; `load_file` is the way to them."""
    leading_to = {}
    trees = {p.stem: ast.parse(p.read_text()) for p in (ROOT / "minitorch/_kernels/cpu").glob("*.py")}
    for file, tree in trees.items():
        functions = [f for f in tree.body if isinstance(f, ast.FunctionDef)]
        kept = {f.name for f in functions if any("cache=True" in ast.unparse(d) for d in f.decorator_list)}
        callers = [f.name for f in functions if kept & {n.id for n in ast.walk(f) if isinstance(n, ast.Name)}]
        leading_to[file] = kept.union(callers)
    imports = [(file, n) for file, tree in trees.items() for n in tree.body if isinstance(n, ast.ImportFrom)]
    names = [(file, n.module, alias.name) for file, n in imports for alias in n.names if n.level == 1 and n.module]
    assert len(names) > 50
    assert not [n for n in names if n[2] in leading_to.get(n[1], ())]


LOOKS = """import gc
from numba import njit, types
from numba.extending import intrinsic
seen = []
@intrinsic
def look(typing_context, x):
    seen.append(gc.isenabled())
    return (x(x), lambda context, builder, signature, args: args[0]) if x == types.int64 else None
@njit(cache=True)
def kernel(x):
    return look(x)
"""


def test_pythons_garbage_collector_rests_while_a_kernel_compiles(own_folder):
    module = cache.load("looks", LOOKS)
    assert module.kernel(3) == 3
    assert gc.isenabled()
    with pytest.raises(TypingError):
        module.kernel(0.5)
    assert gc.isenabled()
    gc.disable()
    try:
        with pytest.raises(TypingError):
            module.kernel(np.float32(0.5))
        assert not gc.isenabled()
    finally:
        gc.enable()
    assert module.seen and not any(module.seen)


def test_a_hand_written_file_shows_itself_in_tracebacks_and_follows_changes(own_folder, tmp_path):
    file = tmp_path / "scale.py"
    text = f"from numba import njit\n\n@njit({cache.OPTIONS})\ndef scale(x, dest):\n"
    results = []
    for factor in (2.0, 3.0):
        file.write_text(text + f"    for i in range(1):\n        dest[i] = x[i] * {factor}\n")
        cache._loaded.clear()
        module = cache.load_file(file)
        assert cache.load_file(file) is module
        dest = np.zeros(1)
        module.scale(np.ones(1), dest)
        results.append(dest[0])
        assert module.scale.py_func.__code__.co_filename == str(file)
    assert results == [2.0, 3.0]
    assert len(list(own_folder.rglob("*.kernel"))) == 2
    assert not (tmp_path / "__pycache__").exists()


def test_a_change_in_an_imported_project_module_changes_the_hash(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "_HERE", tmp_path / "_kernels")
    folder = tmp_path / "_kernels" / "cpu"
    folder.mkdir(parents=True)
    text = "from .vectors import load16\nimport math\n"
    (folder / "vectors.py").write_text("from minitorch._kernels.cpu import lanes\n")
    digests = set()
    for width in (8, 16):
        (folder / "lanes.py").write_text(f"WIDTH = {width}\n")
        imported = cache._imported(cache.ast.parse(text), "minitorch._kernels.cpu")
        digests.add(cache._digest(text, "minitorch._kernels.cpu", imported))
    assert len(digests) == 2


def test_the_internal_option_is_dropped_where_numba_does_not_know_it(monkeypatch):
    options = importlib.import_module("numba.core.options")
    text = f"@njit({cache.OPTIONS})\ndef kernel(x): pass\n"
    tree = cache.ast.parse(text)
    assert cache._prepare(tree) == ["kernel"]
    assert "_nrt=False" in cache.ast.unparse(tree)
    monkeypatch.delattr(options.DefaultOptions, "_nrt")
    assert cache._prepare(tree) == []
    tree = cache.ast.parse(text)
    assert cache._prepare(tree) == ["kernel"]
    assert "_nrt" not in cache.ast.unparse(tree)


NUMBAS_OWN = """
import sys
from numba.core.caching import FunctionCache
from numba.core.dispatcher import Dispatcher
import minitorch as torch

image = torch.ones(1, 1, 8, 8)
exec(sys.argv[1])
modules = [m for name, m in sys.modules.items() if name.startswith("minitorch._kernels")]
kernels = [k for m in modules for k in vars(m).values() if isinstance(k, Dispatcher)]
print(len(kernels), [k for k in kernels if isinstance(k._cache, FunctionCache)])
"""


# of a recurrent layer the file with the steps has no kernel itself: only what it imports does
@pytest.mark.parametrize(
    ("least", "call"),
    [
        (20, "F = torch.nn.functional; F.max_pool2d(F.conv2d(image, torch.ones(1, 1, 3, 3)), 3, 2, 1).sort()"),
        (5, "torch.nn.LSTM(8, 4)(image[0])"),
    ],
    ids=["layers", "steps"],
)
def test_kernels_that_kernels_import_are_kept_in_the_same_cache(least, call):
    printed = subprocess.check_output([sys.executable, "-c", NUMBAS_OWN, call], text=True, cwd=ROOT)
    count, left_to_numba = printed.rstrip().split(maxsplit=1)
    assert int(count) >= least
    assert left_to_numba == "[]"
