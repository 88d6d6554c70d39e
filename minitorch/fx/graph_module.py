"""`GraphModule`: a module whose forward is written from a graph."""

import copy
import itertools
import linecache
from typing import Any

from minitorch import nn

from .graph import Graph, PythonCode

__all__ = ["GraphModule"]

_numbers = itertools.count()


def _compiled(code: PythonCode) -> Any:
    """The function of a text; its lines are shown in tracebacks."""
    name = f"<eval_with_key>.{next(_numbers)}"
    linecache.cache[name] = (len(code.src), None, code.src.splitlines(True), name)
    scope = dict(code.globals)
    exec(compile(code.src, name, "exec"), scope)
    return scope["forward"]


def _copy_attribute(source: Any, target: nn.Module, path: str) -> None:
    """Let target have what source has at a path, with empty modules on the way."""
    *prefix, name = path.split(".")
    for part in prefix:
        source = getattr(source, part)
        if not hasattr(target, part):
            target.add_module(part, nn.Module())
        target = getattr(target, part)
    _assign(getattr(source, name), target, name)


def _assign(value: Any, target: nn.Module, name: str) -> None:
    import minitorch

    if isinstance(value, minitorch.Tensor) and not isinstance(value, nn.Parameter):
        target.register_buffer(name, value)
    else:
        setattr(target, name, value)


class GraphModule(nn.Module):
    """A module with a `graph`; `code` is the text of its forward. After changing the graph, call `recompile`.

    `root` is the module whose submodules and attributes the graph names, or a dict of them by path. Each instance has
    a class of its own, named class_name, as its forward is its own.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "GraphModule":
        base = next(c for c in cls.__mro__ if "_of_one_instance" not in vars(c))

        class GraphModuleImpl(base):  # type: ignore[valid-type, misc]
            _of_one_instance = True

        return super().__new__(GraphModuleImpl)

    def __init__(self, root: nn.Module | dict[str, Any], graph: Graph, class_name: str = "GraphModule") -> None:
        super().__init__()
        type(self).__name__ = class_name
        wanted = [str(n.target) for n in graph.nodes if n.op in ("get_attr", "call_module")]
        if isinstance(root, nn.Module):
            self.training = getattr(root, "training", self.training)
            for path in dict.fromkeys(wanted):
                if _has(root, path):
                    _copy_attribute(root, self, path)
        elif isinstance(root, dict):
            for path in wanted:
                if path not in root:
                    raise RuntimeError(f"Node target {path} referenced in the graph, but not provided in `root` dict")
            for path in sorted(set(wanted), key=lambda path: path.count(".")):
                self._put(path, root[path])
        else:
            raise RuntimeError(f"Unsupported type {root} passed for root!")
        self.graph = graph

    def _put(self, path: str, value: Any) -> None:
        owner: Any = self
        *prefix, name = path.split(".")
        for part in prefix:
            if not hasattr(owner, part):
                owner.add_module(part, nn.Module())
            owner = getattr(owner, part)
        _assign(value, owner, name)

    @property
    def graph(self) -> Graph:
        """The graph; a new one that is assigned is copied if it belongs to another module."""
        return self._graph

    @graph.setter
    def graph(self, g: Graph) -> None:
        if not isinstance(g, Graph):
            raise AssertionError(f"Expected a Graph instance, but got {type(g)}")
        self.__dict__["_graph"] = copy.deepcopy(g) if g.owning_module not in (None, self) else g
        self._graph.owning_module = self
        self.recompile()

    @property
    def code(self) -> str:
        """The text of the forward, as the graph was when it was last compiled."""
        return self._code

    def recompile(self) -> PythonCode:
        """Write forward anew from the graph."""
        made = self._graph.python_code(root_module="self")
        self.__dict__["_code"] = made.src
        type(self).forward = _compiled(made)
        return made

    # ------------------------------------------------------------------ submodules
    def add_submodule(self, target: str, m: nn.Module) -> bool:
        """Add a module at a path; False if something that is no module stands in the way."""
        *prefix, name = target.split(".")
        owner: nn.Module = self
        for part in prefix:
            child = getattr(owner, part, None)
            if child is None:
                child = nn.Module()
                owner.add_module(part, child)
            if not isinstance(child, nn.Module):
                return False
            owner = child
        owner.add_module(name, m)
        return True

    def delete_submodule(self, target: str) -> bool:
        """Remove the module at a path; False if there is none."""
        if not _has(self, target) or not isinstance(self.get_submodule(target), nn.Module):
            return False
        prefix, _, name = target.rpartition(".")
        delattr(self.get_submodule(prefix), name)
        return True

    def delete_all_unused_submodules(self) -> None:
        """Remove all modules that the graph does not name."""
        used = [str(n.target) for n in self.graph.nodes if n.op in ("call_module", "get_attr")]
        for name, _ in list(self.named_modules()):
            needed = any(path == name or path.startswith(f"{name}.") or name.startswith(f"{path}.") for path in used)
            if name and not needed:
                self.delete_submodule(name)

    # ------------------------------------------------------------------ copies and text
    def __deepcopy__(self, memo: dict[int, Any]) -> "GraphModule":
        made = GraphModule.__new__(type(self))
        memo[id(self)] = made
        state = {k: v for k, v in self.__dict__.items() if k not in ("_graph", "_code")}
        made.__setstate__(copy.deepcopy(state, memo))
        type(made).__name__ = type(self).__name__
        made.graph = copy.deepcopy(self._graph)
        return made

    def __copy__(self) -> "GraphModule":
        made = GraphModule(self, copy.deepcopy(self._graph), type(self).__name__)
        made.training = self.training
        return made

    def __reduce__(self) -> Any:
        raise NotImplementedError(
            "a GraphModule cannot be pickled: save its state_dict(), and trace the model again before loading it"
        )

    def print_readable(self, print_output: bool = True, **kwargs: Any) -> str:
        """Print the forward as that of a class, and return the text."""
        lines = self._code.strip("\n").rstrip().split("\n")
        text = f"class {type(self).__name__}(torch.nn.Module):\n" + "\n".join(f"    {line}" for line in lines) + "\n"
        if print_output:
            print(text)
        return text

    def __str__(self) -> str:
        return "\n".join(
            [super().__str__(), self._code, "# To see more debug info, please use `graph_module.print_readable()`"]
        )


def _has(module: Any, path: str) -> bool:
    for part in path.split("."):
        if not hasattr(module, part):
            return False
        module = getattr(module, part)
    return True
