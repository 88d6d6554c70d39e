"""A graph as Python: the text of a function, with every value forgotten after its last use."""

import builtins
import math
import operator
import re
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import minitorch

from ._names import Namespace
from .node import Node, Target, _get_qualified_name, map_arg

BINARY = {
    "add": "+", "sub": "-", "mul": "*", "floordiv": "//", "truediv": "/", "mod": "%", "pow": "**", "lshift": "<<",
    "rshift": ">>", "and_": "&", "or_": "|", "xor": "^", "matmul": "@", "eq": "==", "ne": "!=", "lt": "<", "gt": ">",
    "le": "<=", "ge": ">=",
}  # fmt: skip
UNARY = {"pos": "+", "neg": "-", "invert": "~"}
IN_PLACE = {
    "iadd": "+=", "isub": "-=", "imul": "*=", "ifloordiv": "//=", "itruediv": "/=", "imod": "%=", "ipow": "**=",
    "ilshift": "<<=", "irshift": ">>=", "iand": "&=", "ior": "|=", "ixor": "^=", "imatmul": "@=",
}  # fmt: skip


@dataclass
class PythonCode:
    """The text of a function, and the values of the names in it."""

    src: str
    globals: dict[str, Any] = field(default_factory=dict)


class _Names:
    """What the text calls things that are not nodes."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.globals: dict[str, Any] = {
            "torch": minitorch, "device": minitorch.device, "inf": math.inf, "nan": math.nan, "NoneType": type(None),
        }  # fmt: skip
        self.wrapped: dict[str, None] = {}
        self._namespace = Namespace()
        for node in nodes:
            self._namespace.create_name(node.name)

    def of(self, value: Any) -> str:
        """The name of a function or class: as in torch, or one that is given the value."""
        name = _get_qualified_name(value)
        if getattr(builtins, name, None) is value or _found(name) is value:
            return name
        made = self._namespace.create_name(name.replace(".", "_"), value)
        self.globals[made] = value
        return made

    def text(self, arg: Any) -> str:
        """An argument as Python."""
        if isinstance(arg, Node):
            return arg.name
        if isinstance(arg, tuple) and hasattr(arg, "_fields"):
            return f"{self.of(type(arg))}({', '.join(map(self.text, arg))})"
        if isinstance(arg, tuple):
            return f"({', '.join(map(self.text, arg))}{',' if len(arg) == 1 else ''})"
        if isinstance(arg, list):
            return f"[{', '.join(map(self.text, arg))}]"
        if isinstance(arg, dict):
            return "{" + ", ".join(f"{k!r}: {self.text(v)}" for k, v in arg.items()) + "}"
        if isinstance(arg, slice):
            return f"slice({self.text(arg.start)}, {self.text(arg.stop)}, {self.text(arg.step)})"
        if isinstance(arg, (type, types.FunctionType, types.BuiltinFunctionType)):
            return self.of(arg)
        return repr(arg)

    def arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The arguments of a call."""
        return ", ".join([*map(self.text, args), *(f"{k} = {self.text(v)}" for k, v in kwargs.items())])

    def annotation(self, kind: Any) -> str:
        """What follows a name that has a type."""
        if kind is None or isinstance(kind, str):
            return ""
        return f" : {'torch.Tensor' if kind is minitorch.Tensor else self.of(kind)}"


def _found(name: str) -> Any:
    """What a name that begins with `torch` stands for in the text; None if nothing."""
    root, *path = name.split(".")
    found: Any = minitorch if root == "torch" else None
    for part in path:
        found = getattr(found, part, None)
    return found


def write(nodes: Any, root: str) -> PythonCode:
    """The nodes as a function `forward(root, ...)`."""
    names = _Names(nodes)
    arguments: list[str] = [root]
    lines: list[str] = []
    returns = ""
    last = _last_uses(nodes)
    for node in nodes:
        if node.op == "placeholder":
            default = f" = {names.text(node.args[0])}" if node.args else ""
            target = str(node.target)
            arguments.append(f"{target}{names.annotation(node.type)}{default}")
            if target.lstrip("*") != node.name:
                lines.append(f"{node.name} = {target.lstrip('*')}")
            continue
        if node.op == "output":
            returns = names.annotation(node.type).replace(" : ", " -> ")
            lines.append(f"return {names.text(node.args[0])}")
            continue
        if node.meta.get("is_wrapped"):
            names.wrapped[names.of(node.target)] = None
        forgotten = [n.name for n in (*last.get(node, ()), *(() if node.users else (node,)))]
        lines.append(_line(node, names, root) + (f";  {' = '.join(forgotten)} = None" if forgotten else ""))
    wraps = "\n".join(f'torch.fx._symbolic_trace.wrap("{name}")' for name in names.wrapped)
    body = "".join(f"    {line}\n" for line in lines or ["pass"])
    return PythonCode(f"\n{wraps}\n\ndef forward({', '.join(arguments)}){returns}:\n{body}    ", names.globals)


def _last_uses(nodes: Any) -> dict[Node, list[Node]]:
    """For each node those that nobody uses after it."""
    last: dict[Node, list[Node]] = {}
    seen: set[Node] = set()
    for user in reversed(nodes):

        def note(n: Node, user: Node = user) -> Node:
            if n not in seen:
                seen.add(n)
                if user.op != "output":
                    last.setdefault(user, []).append(n)
            return n

        map_arg(user.args, note)
        map_arg(user.kwargs, note)
    return last


def _path(root: str, target: Target) -> str:
    """A submodule or attribute: those that are named by numbers are asked for by getattr."""
    text = root
    for part in str(target).split("."):
        text = f"{text}.{part}" if part.isidentifier() else f'getattr({text}, "{part}")'
    return text


def _line(node: Node, names: _Names, root: str) -> str:
    start = f"{node.name}{names.annotation(node.type)} = "
    text: Callable[[Any], str] = names.text
    if node.op == "get_attr":
        return start + _path(root, node.target)
    if node.op == "call_module":
        return f"{start}{_path(root, node.target)}({names.arguments(node.args, node.kwargs)})"
    if node.op == "call_method":
        subject = text(node.args[0])
        if not isinstance(node.args[0], Node) and not re.fullmatch(r"[\w.]+", subject):
            subject = f"({subject})"
        return f"{start}{subject}.{node.target}({names.arguments(node.args[1:], node.kwargs)})"
    target, args, name = node.target, node.args, getattr(node.target, "__name__", "")
    if getattr(operator, name, None) is target and not node.kwargs:
        if name in BINARY and len(args) == 2:
            return f"{start}{text(args[0])} {BINARY[name]} {text(args[1])}"
        if name in UNARY and len(args) == 1:
            return f"{start}{UNARY[name]}{text(args[0])}"
        if name == "getitem":
            return f"{start}{text(args[0])}[{text(args[1])}]"
        if name in IN_PLACE:
            return f"{text(args[0])} {IN_PLACE[name]} {text(args[1])};  {start}{text(args[0])}"
    if target is getattr and len(args) == 2 and isinstance(args[1], str) and args[1].isidentifier():
        return f"{start}{text(args[0])}.{args[1]}"
    return f"{start}{names.of(target)}({names.arguments(args, node.kwargs)})"
