"""The import hook: `torch.nn` is `minitorch.nn`, one module under two names.

>>> source = "import torch.nn.functional as F; import minitorch; print(F is minitorch.nn.functional)"
>>> import subprocess, sys
>>> subprocess.run([sys.executable, "-m", "minitorch", "-c", source], capture_output=True, text=True).stdout
'True\\n'
"""

import importlib.util
import pathlib
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

import minitorch
from minitorch.torch_version import TorchVersion

# where programs look -> what they find
ROOTS = {"torch": "minitorch", "torchvision": "minitorch.vision", "functorch": "minitorch._standin.functorch"}
# the versions whose API is implemented, as programs compare them
VERSIONS = {"torch": "2.13.0+minitorch", "torchvision": "0.28.0+minitorch"}


def install() -> None:
    """Let `import torch` and `import torchvision` find minitorch from now on, in this process and its children.

    A PyTorch that is installed is neither imported nor changed. RuntimeError if it has been imported already.
    """
    for root in ROOTS:
        loaded = sys.modules.get(root)
        if loaded is not None and loaded.__name__.partition(".")[0] != "minitorch":
            raise RuntimeError(
                f"minitorch cannot stand in for {root}, which is imported already from {loaded.__file__}: "
                "call minitorch.standin.install() in a new process, before anything that imports it"
            )
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    minitorch.__version__ = TorchVersion(VERSIONS["torch"])
    sys.meta_path.insert(0, Finder())
    if "multiprocessing.spawn" in sys.modules:
        _install_in_children(sys.modules["multiprocessing.spawn"])


class Finder:
    """Finds minitorch's modules under torch's names, and answers for their distributions."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """The spec of a module of ours under the name of torch's; None if there is none, or if it is not torch's."""
        root, dot, rest = name.partition(".")
        if root in ROOTS:
            return _alias(name, ROOTS[root] + dot + rest)
        if name == "multiprocessing.spawn":
            spec = PathFinder.find_spec(name, path)
            if spec is not None and isinstance(spec.loader, SourceFileLoader):
                spec.loader = _SpawnLoader(spec.loader.name, spec.loader.path)
            return spec
        return None

    @staticmethod
    def find_distributions(context: Any = None) -> Iterator[Any]:
        """What `importlib.metadata` asks for the versions of packages."""
        from .metadata import Distribution

        wanted = None if context is None else context.name
        for root, version in VERSIONS.items():
            if wanted is None or wanted.lower() == root:
                yield Distribution(root, version)


class _AliasLoader:
    """Gives a module that has another name already."""

    def __init__(self, ours: str) -> None:
        self.ours = ours

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.ours)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec  # the import system has put the alias's there


def _alias(name: str, ours: str) -> ModuleSpec | None:
    found = importlib.util.find_spec(ours)
    if found is None:
        if "." in name:
            return None
        # with None, a PyTorch that is installed would be found next
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    loader: Any = _AliasLoader(ours)  # importlib.abc, for a class to derive from, takes a while to import
    spec = ModuleSpec(name, loader, origin=found.origin)
    spec.submodule_search_locations = found.submodule_search_locations
    return spec


class _SpawnLoader(SourceFileLoader):
    """Loads multiprocessing.spawn so that the processes that it starts have the hook too."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        _install_in_children(module)


class _InstallWhenRead:
    """Unpickling this installs the hook: with the data that a new process reads before it imports `__main__`."""

    def __reduce__(self) -> tuple[Any, ...]:
        folder = str(pathlib.Path(minitorch.__file__).parents[1])
        # the process sets its sys.path from what it reads next
        text = f"import sys; sys.path.insert(0, {folder!r}); from minitorch.standin import install; install()"
        return exec, (text, {})


def _install_in_children(spawn: Any) -> None:
    get_preparation_data = spawn.get_preparation_data

    def with_the_hook(name: str) -> dict[str, Any]:
        data = get_preparation_data(name)
        if name == "ignore":
            # of the fork server, which imports __main__ without reading anything; its processes do so themselves
            data.pop("init_main_from_path", None)
        else:
            data["minitorch"] = _InstallWhenRead()
        return data

    spawn.get_preparation_data = with_the_hook
