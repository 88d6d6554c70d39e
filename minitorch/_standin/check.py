"""`python -m minitorch --check script.py`: which names of torch a script uses, read from its text, not run.

What is certain is followed: imports, what they are called, chains of attributes, and the methods of tensors that the
script makes itself. Modules that lie beside the script and are imported by it are read too.
"""

import ast
import importlib
import os
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from minitorch._unsupported import UnsupportedName

from .hook import ROOTS

# functions of torch whose result is a plain tensor, so that its methods can be checked
MAKERS = frozenset(
    f"torch.{name}"
    for name in "tensor zeros ones empty full eye arange linspace logspace rand randn randint randperm from_numpy "
    "as_tensor zeros_like ones_like empty_like full_like rand_like randn_like cat stack".split()
)
TENSOR, A_TENSOR = "torch.Tensor", "torch.Tensor()"
ALSO_TENSORS = frozenset("grad data T mT H mH".split())


class Uses(ast.NodeVisitor):
    """The names of torch that one file uses: name -> lines. `optional` are those that the file can do without."""

    def __init__(self, tree: ast.Module) -> None:
        self.lines: dict[str, list[int]] = {}
        self.optional: set[str] = set()
        self.imports: list[tuple[str, int]] = []  # modules of other packages, and how many dots lead to them
        # what names stand for: a path in torch, "torch.Tensor()" for a tensor, None for anything else
        self.scopes: list[dict[str, str | None]] = [{}]
        self.later: list[tuple[list[dict[str, str | None]], list[ast.stmt]]] = []
        self.in_try = 0
        self.visit(tree)
        while self.later:  # functions run when the names of the file that encloses them are all there
            scopes, body = self.later.pop(0)
            # when the function is called, a name around it may stand for another value
            around = [{name: path for name, path in scope.items() if path != A_TENSOR} for scope in scopes[:-1]]
            self.scopes = [*around, scopes[-1]]
            for statement in body:
                self.visit(statement)

    def use(self, name: str, line: int, optional: bool = False) -> None:
        """Note that a name is used."""
        self.lines.setdefault(name, []).append(line)
        if optional or self.in_try:
            self.optional.add(name)

    def path(self, node: ast.AST) -> str | None:
        """The name of torch that an expression stands for."""
        if isinstance(node, ast.Name):
            return next((scope[node.id] for scope in reversed(self.scopes) if node.id in scope), None)
        if isinstance(node, ast.Attribute):
            owner = self.path(node.value)
            if owner == A_TENSOR and node.attr in ALSO_TENSORS:
                return A_TENSOR
            # what a tensor's other attributes are is not known
            known = owner is not None and not owner.startswith(f"{TENSOR}.")
            return f"{owner.removesuffix('()')}.{node.attr}" if owner and known else None
        if isinstance(node, ast.Call) and self.path(node.func) in MAKERS:
            return A_TENSOR
        return None

    # -------------------------------------------------------------- imports
    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            root = alias.name.partition(".")[0]
            if root in ROOTS:
                self.use(alias.name, node.lineno)
                self.scopes[-1][alias.asname or root] = alias.name if alias.asname else root
            else:
                self.scopes[-1][alias.asname or root] = None
                self.imports.append((alias.name, 0))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        ours = not node.level and module.partition(".")[0] in ROOTS
        if not ours:
            self.imports += [(f"{module}.{alias.name}".lstrip("."), node.level) for alias in node.names]
            self.imports.append((module, node.level))
        for alias in node.names:
            name = f"{module}.{alias.name}" if alias.name != "*" else module
            if ours:
                self.use(name, node.lineno)
            self.scopes[-1][alias.asname or alias.name] = name if ours else None

    def visit_Try(self, node: ast.Try) -> None:
        forgiving = any(_catches_imports(handler.type) for handler in node.handlers)
        self.in_try += forgiving
        for statement in node.body:
            self.visit(statement)
        self.in_try -= forgiving
        self.branch([*node.handlers, *node.orelse, *node.finalbody])

    # -------------------------------------------------------------- uses
    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = self.path(node)
        if name is None:
            self.visit(node.value)
            return
        if name == A_TENSOR:
            name = f"{TENSOR}.{node.attr}"
        chain: ast.expr = node
        while isinstance(chain, ast.Attribute):
            chain = chain.value
        self.visit(chain)  # a call that makes a tensor has names of its own
        if not isinstance(node.ctx, ast.Load):  # what is assigned may be new, but not what it is assigned to
            name = name.rpartition(".")[0]
        self.use(name, node.lineno)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.scopes[-1][node.id] = None

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in ("hasattr", "getattr") and len(node.args) >= 2:
            owner, attribute = self.path(node.args[0]), node.args[1]
            if owner and isinstance(attribute, ast.Constant) and isinstance(attribute.value, str):
                name = f"{owner.removesuffix('()')}.{attribute.value}"
                self.use(name, node.lineno, optional=node.func.id == "hasattr" or len(node.args) == 3)
        self.generic_visit(node)

    # -------------------------------------------------------------- what names stand for
    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)
            if isinstance(target, ast.Name):
                self.scopes[-1][target.id] = self.path(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        self.visit(node.target)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self.visit(node.target)
        self.branch([*node.body, *node.orelse])

    visit_AsyncFor = visit_For

    def visit_While(self, node: ast.While | ast.If) -> None:
        self.visit(node.test)
        self.branch([*node.body, *node.orelse])

    visit_If = visit_While

    def branch(self, body: Iterable[ast.AST]) -> None:
        """Visit what may or may not be run: what it assigns is uncertain afterwards."""
        before = dict(self.scopes[-1])
        for statement in body:
            self.visit(statement)
        for name, meaning in self.scopes[-1].items():
            if meaning != before.get(name) and meaning is not None and meaning.endswith("()"):
                self.scopes[-1][name] = None

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.scopes[-1][node.name] = None
        for part in (*node.decorator_list, *_annotations(node)):
            self.visit(part)
        self.later.append(([*self.scopes, self.local(node.args, node.body)], node.body))

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self.scopes.append(self.local(node.args, []))
        self.visit(node.body)
        self.scopes.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        self.scopes[-1][node.name] = None
        outer = self.scopes
        self.scopes = [*outer, {}]
        for statement in node.body:
            self.visit(statement)
        self.scopes = outer

    def local(self, arguments: ast.arguments, body: list[ast.stmt]) -> dict[str, str | None]:
        """A function's own names, which hide those of the same name around it."""
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        names: dict[str, str | None] = dict.fromkeys(a.arg for a in every if a is not None)
        nodes = [node for statement in body for node in ast.walk(statement)]
        shared = {name for node in nodes if isinstance(node, (ast.Global, ast.Nonlocal)) for name in node.names}
        stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        return names | dict.fromkeys(stored - shared)

    def comprehension(self, node: Any) -> None:
        self.scopes.append({})
        for generator in node.generators:
            self.visit(generator)
        for field in ("key", "value", "elt"):
            if hasattr(node, field):
                self.visit(getattr(node, field))
        self.scopes.pop()

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = comprehension


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    yield from (*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None))
    for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
        if argument.annotation is not None:
            yield argument.annotation
    if node.returns is not None:
        yield node.returns


def _catches_imports(kind: ast.expr | None) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    names = {k.id for k in kinds if isinstance(k, ast.Name)}
    return kind is None or bool(names & {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception"})


def state(name: str) -> str:
    """Whether minitorch has what a program calls `torch.nn.Linear`: "there", "missing", or there but "refusing"."""
    root, *rest = name.split(".")
    module = ROOTS[root]
    found: Any = None
    try:
        found = importlib.import_module(module)
        for i, part in enumerate(rest):
            try:
                found = getattr(found, part)
            except UnsupportedName:
                return "refusing"
            except AttributeError:
                found = _imported(module, rest[: i + 1])
    except ModuleNotFoundError as e:
        if (e.name or "").startswith("minitorch"):  # else the name is there, and needs a package that is not
            return "missing"
    return "refusing" if "NotImplementedError" in (getattr(found, "__doc__", None) or "").split("\n")[0] else "there"


def _imported(module: str, path: list[str]) -> Any:
    """A module that its package does not name, or what is in a module of which the package has a namesake."""
    try:
        return importlib.import_module(".".join([module, *path]))
    except ModuleNotFoundError:
        parent = importlib.import_module(".".join([module, *path[:-1]]))
        if not hasattr(parent, path[-1]):
            raise
        return getattr(parent, path[-1])


def files(script: str) -> Iterator[tuple[str, Uses]]:
    """The script and the modules beside it that it imports, each once."""
    folder, waiting, seen = os.path.dirname(script), [script], set()
    while waiting:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        with open(path, "rb") as file:
            uses = Uses(ast.parse(file.read(), path))
        yield path, uses
        for name, level in uses.imports:
            base = folder if not level else os.path.join(os.path.dirname(path), *[os.pardir] * (level - 1))
            stem = os.path.join(base, *name.split("."))
            waiting += [p for p in (f"{stem}.py", os.path.join(stem, "__init__.py")) if os.path.isfile(p)]


def report(script: str) -> tuple[str, bool]:
    """The report on a script for people to read, and whether all that it uses is there."""
    used: dict[str, list[str]] = {}
    needed: set[str] = set()
    for path, uses in files(script):
        for name, lines in uses.lines.items():
            used.setdefault(name, []).extend(f"{path}:{line}" for line in lines)
        needed |= uses.lines.keys() - uses.optional
    if not used:
        return f"{script} uses no name of torch or torchvision.", True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        states = {name: state(name) for name in sorted(used)}
    lacking = [name for name in states if states[name] == "missing" and name in needed]
    # where a module is missing, what is used of it is named, not the module as well
    missing = [name for name in lacking if not any(other.startswith(f"{name}.") for other in lacking)]
    parts = {
        f"{script} uses {len(used)} names of torch and torchvision:": [n for n in states if states[n] == "there"],
        "These raise NotImplementedError when called:": [n for n in states if states[n] == "refusing"],
        f"{len(missing)} missing in minitorch:": missing,
    }
    text = [
        line
        for heading, names in parts.items()
        if names
        for line in (heading, *(f"  {name}  ({', '.join(used[name])})" for name in names))
    ]
    return "\n".join(text if missing else [*text, "None is missing."]), not missing
