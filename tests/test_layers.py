"""Imports point one way, and importing minitorch loads neither torch nor numba."""

import ast
import pathlib
import subprocess
import sys

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "minitorch"

# from the bottom up; a module may import, at its top, from its own layer and from those below
LAYERS = [
    ("_fork", "_unsupported", "__future__", "_kernels", "_no_accelerator", "_device", "_dtype", "_generator"),
    (
        "_storage",
        "_layout",
        "autograd",
        "_tensor",
        "_tensor_str",
        "_data",
        "_factory",
        "_creation",
        "_legacy_types",
        "_type_info",
        "_windows",
        "_exchange",
        "return_types",
        "_ops",
        "utils",
        "_sharing",
        "multiprocessing",
    ),
    ("random", "nn", "optim"),
]


def layer_of(module):
    """The number of a module's layer; None for the package itself, which imports everything."""
    parts = module.split(".")
    if len(parts) < 2:
        return None
    return next((i for i, names in enumerate(LAYERS) if parts[1] in names), len(LAYERS))


def imports(path, everywhere):
    """The minitorch modules that a file imports: at its top, or anywhere."""
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree) if everywhere else tree.body
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *(node.module or "").split(".")]).rstrip(".")
            names = [f"{source}.{a.name}" for a in node.names] if source in ("minitorch", "") else [source]
        else:
            continue
        for name in names:
            yield module, name, node.lineno


def test_imports_point_downward():
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for module, name, line in imports(path, everywhere=False):
            mine, theirs = layer_of(module), layer_of(name) if name.startswith("minitorch") else None
            if mine is not None and theirs is not None and theirs > mine:
                wrong.append(f"{module}:{line} imports {name}")
    assert not wrong


def test_kernels_know_no_tensor_and_no_autograd():
    wrong = []
    for path in sorted((PACKAGE / "_kernels").rglob("*.py")):
        for module, name, line in imports(path, everywhere=True):
            if name.startswith("minitorch.") and name.split(".")[1] not in LAYERS[0]:
                wrong.append(f"{module}:{line} imports {name}")
    assert not wrong


def test_the_package_never_imports_torch():
    for path in sorted(PACKAGE.rglob("*.py")):
        for module, name, line in imports(path, everywhere=True):
            assert name.split(".")[0] not in ("torch", "torchvision"), f"{module}:{line}"


def test_the_import_checker_sees_a_planted_import(tmp_path, monkeypatch):
    package = tmp_path / "minitorch"
    (package / "_kernels").mkdir(parents=True)
    (package / "_kernels" / "bad.py").write_text("from .._tensor import Tensor\nfrom minitorch import nn\n")
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", package)
    with pytest.raises(AssertionError):
        test_imports_point_downward()
    with pytest.raises(AssertionError):
        test_kernels_know_no_tensor_and_no_autograd()


@pytest.mark.parametrize(
    "statement",
    ["import minitorch", "import minitorch.nn, minitorch.optim", "import minitorch; minitorch.zeros(3).shape"],
)
def test_importing_loads_neither_torch_nor_numba(statement):
    code = f"import sys; {statement}; print([m for m in ('torch', 'numba', 'matplotlib') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
