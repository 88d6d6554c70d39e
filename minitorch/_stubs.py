"""Writes `minitorch/__init__.pyi` and its like, from which editors complete and check names.

    python -m minitorch._stubs

The functions of the namespaces and the methods of Tensor are made when the package is imported, from the records in
`_ops/`, where no editor sees them. A test compares the files with what this module would write.
"""

import builtins
import importlib
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, ForwardRef

import minitorch
from minitorch._ops.generate import built
from minitorch._ops.op import OPS, Op
from minitorch._ops.public import FUNCTIONS

HERE = Path(__file__).parent

HEAD = '''"""Types of the names in `{module}`. Written by `python -m minitorch._stubs`: do not edit."""

import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from minitorch import _device, _dtype, _generator, _layout, _storage, _tensor

Number = builtins.int | builtins.float | builtins.bool
'''

FUNCTIONS_OF = ("linalg", "nn.functional", "special")  # further modules that the records fill

# types of arguments that records name, where their default does not tell
ARGUMENTS = {
    "dims": "Sequence[builtins.int]",
    "keepdim": "builtins.bool",
    "dtype": "_dtype.dtype | builtins.type | None",
    "out": "Tensor | None",
    "size": "Sequence[builtins.int]",
    "shape": "Sequence[builtins.int]",
    "generator": "_generator.Generator | None",
}

# annotations written as text
NAMED = {"Tensor": "Tensor", "None": "None", "int": "builtins.int", "float": "builtins.float", "bool": "builtins.bool"}

MODULES = ("_device", "_dtype", "_generator", "_layout", "_storage", "_tensor")  # which HEAD imports

# methods whose signature in `object` or in Python's protocols stubs must not contradict
PROTOCOL = ("__eq__", "__ne__", "__init__", "__new__", "__init_subclass__", "__class_getitem__", "__getattr__")


# the record that each generated function was written from
RECORDS = {
    FUNCTIONS[name]: op
    for op in OPS.values()
    for name in (op.name, op.name + "_", *op.operator)
    if name in FUNCTIONS and not getattr(FUNCTIONS[name], "__annotations__", None)
}


def type_text(annotation: Any) -> str:
    """An annotation as the stub spells it. Names such as `int` mean dtypes there, so builtins are spelled out."""
    if annotation is inspect.Parameter.empty or annotation is Any:
        return "Any"
    if annotation is None or annotation is type(None):
        return "None"
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        return " | ".join(NAMED.get(word.strip(), "Any") for word in annotation.split("|"))
    if annotation is minitorch.Tensor:
        return "Tensor"
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        if annotation.__module__ == "builtins":
            return f"builtins.{annotation.__name__}"
        name = annotation.__name__
        module = next((m for m in MODULES if getattr(sys.modules[f"minitorch.{m}"], name, None) is annotation), None)
        return f"{module}.{name}" if module else "Any"
    arguments = [type_text(a) if a is not Ellipsis else "..." for a in getattr(annotation, "__args__", ())]
    origin = getattr(annotation, "__origin__", None)
    if origin is Iterator:
        return f"Iterator[{arguments[0]}]"
    if origin in (tuple, list, dict):
        return f"builtins.{origin.__name__}[{', '.join(arguments)}]"
    return " | ".join(dict.fromkeys(arguments)) if arguments and origin is None else "Any"


def default_text(value: Any) -> str:
    plain = value is None or isinstance(value, (builtins.bool, builtins.int, builtins.str))
    plain = plain or (isinstance(value, builtins.float) and value == value and abs(value) != float("inf"))
    return repr(value) if plain else "..."


def argument_type(parameter: inspect.Parameter, op: Op | None) -> str:
    """The type of an argument. Any Tensor will do, also one that `_tensor.Tensor` annotates."""
    return any_tensor(_argument_type(parameter, op))


def any_tensor(kind: str) -> str:
    return re.sub(r"(?<![.\w])Tensor", "_tensor.Tensor", kind)


def _argument_type(parameter: inspect.Parameter, op: Op | None) -> str:
    if parameter.annotation is not inspect.Parameter.empty:
        return type_text(parameter.annotation)
    name, default = parameter.name, parameter.default
    if op is not None and name in op.tensors:
        if name in op.optional:
            return "Tensor | None"
        return "Tensor | Number" if op.broadcasts and name != op.tensors[0] else "Tensor"
    if name == "dim":
        one = default is inspect.Parameter.empty or isinstance(default, builtins.int)
        return "builtins.int" if one else "builtins.int | Sequence[builtins.int] | None"
    if name in ARGUMENTS:
        return ARGUMENTS[name]
    if isinstance(default, builtins.bool):
        return "builtins.bool"
    return "Number" if isinstance(default, (builtins.int, builtins.float)) else "Any"


def result_type(signature: inspect.Signature, op: Op | None) -> str:
    if signature.return_annotation is not inspect.Signature.empty:
        return type_text(signature.return_annotation)
    return "Any" if op is None or op.outputs else "Tensor"


def function_lines(name: str, function: Callable[..., Any], method: bool) -> Iterator[str]:
    """`def name(...) -> ...: ...` for one function."""
    op = RECORDS.get(function)
    signature = inspect.signature(built(function))
    parts: list[str] = []
    kinds = inspect.Parameter
    # the order of arguments that torch no longer documents is taken, not offered
    parameters = [p for p in signature.parameters.values() if (p.name, p.kind) != ("old", kinds.VAR_POSITIONAL)]
    for i, p in enumerate(parameters):
        if p.kind is kinds.KEYWORD_ONLY and "*" not in parts and not any(x.startswith("*") for x in parts):
            parts.append("*")
        star = "*" if p.kind is kinds.VAR_POSITIONAL else "**" if p.kind is kinds.VAR_KEYWORD else ""
        if method and i == 0 and not star:
            parts.append("self")
            continue
        default = "" if p.default is kinds.empty else f" = {default_text(p.default)}"
        kind = argument_type(p, op)
        if p.default is None and kind != "Any" and "None" not in kind:
            kind += " | None"
        parts.append(f"{star}{p.name}: {kind}{default}")
    yield f"def {name}({', '.join(parts)}) -> {result_type(signature, op)}: ..."


def tensor_lines() -> Iterator[str]:
    """The class Tensor with everything that was put on it."""
    yield "class Tensor(_tensor.Tensor):"
    yield "    __getattr__: None  # type: ignore[assignment,misc]  # all names are here, so a misspelt one is an error"
    own = {n: v for n, v in vars(minitorch.Tensor).items() if n not in PROTOCOL and not n.startswith("_Tensor__")}
    for name, value in sorted(own.items()):
        if name.startswith("_") and not name.startswith("__"):
            continue
        if isinstance(value, property):
            kind = type_text(getattr(value.fget, "__annotations__", {}).get("return", Any))
            yield f"    @property\n    def {name}(self) -> {kind}: ..."
            if value.fset is not None:
                given = any_tensor(kind)
                yield f"    @{name}.setter\n    def {name}(self, value: {given}) -> None: ..."
        elif isinstance(value, FunctionType):
            for line in function_lines(name, value, method=True):
                yield f"    {line}"


def namespace_lines() -> Iterator[str]:
    """The functions, classes, modules and constants of `minitorch` itself."""
    names = {n: v for n, v in vars(minitorch).items() if not n.startswith("_") or n == "__version__"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some are deprecated
        lazy = {n: getattr(minitorch, n) for n in (*minitorch._LAZY, *minitorch._LAZY_NAMES)}  # type: ignore[attr-defined]
    for name, value in sorted({**names, **lazy}.items()):
        if isinstance(value, ModuleType):
            yield f"from minitorch import {name} as {name}"
        elif isinstance(value, FunctionType):
            yield from function_lines(name, value, method=False)
        elif value is minitorch.Tensor:
            continue
        elif isinstance(value, type) and module_of(value) is not None:
            yield f"from {module_of(value)} import {value.__name__} as {name}"
        else:
            yield f"{name}: {type_text(type(value))}"


def module_of(value: type) -> str | None:
    """The module without a stub that a class can be imported from; some call themselves torch's."""
    stubbed = [f"minitorch.{name}" for name in FUNCTIONS_OF]
    modules = [
        name
        for name, module in sys.modules.items()
        if name.startswith("minitorch.") and name not in stubbed and vars(module).get(value.__name__) is value
    ]
    return value.__module__ if value.__module__ in modules else min(modules, key=lambda m: m.count("."), default=None)


def package_text() -> str:
    """The stub of `minitorch` itself."""
    lines = list(namespace_lines())
    imports = sorted(line for line in lines if line.startswith("from "))
    rest = [line for line in lines if not line.startswith("from ")]
    return "\n".join([HEAD.format(module="minitorch"), *imports, "", *tensor_lines(), "", *rest]) + "\n"


def module_text(name: str) -> str:
    """The stub of a module of functions."""
    module = importlib.import_module(f"minitorch.{name}")
    lines = [HEAD.format(module=module.__name__) + "from minitorch import Tensor\n"]
    for public in module.__all__:
        value = getattr(module, public)
        if isinstance(value, FunctionType):
            lines += function_lines(public, value, method=False)
        else:
            lines.append(f"from {module_of(value)} import {value.__name__} as {public}")
    return "\n".join(lines) + "\n"


def texts() -> dict[Path, str]:
    """All stubs: file -> its text."""
    modules = {HERE.joinpath(*name.split(".")).with_suffix(".pyi"): module_text(name) for name in FUNCTIONS_OF}
    return {HERE / "__init__.pyi": package_text(), **modules}


if __name__ == "__main__":
    for path, text in texts().items():
        path.write_text(text)
