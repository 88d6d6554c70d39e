"""What a program is told that used a name which minitorch lacks."""

import importlib
import os
import re
import sys
from types import ModuleType, TracebackType

import minitorch

from .hook import ROOTS

HERE, IMPORTLIB = os.path.dirname(minitorch.__file__), os.path.dirname(importlib.__file__)


def explain(error: BaseException, script: str | None) -> None:
    """Add to an error that comes from a missing name what is missing, where, and how to see what is there."""
    text = explanation(error, script)
    if text is None:
        return
    if sys.version_info >= (3, 11):
        error.add_note(text)
    elif isinstance(error, ImportError):
        error.msg = f"{error.msg}\n{text}"
    else:
        error.args = (f"{error}\n{text}",)


def explanation(error: BaseException, script: str | None) -> str | None:
    """What there is to say of an error in a program, which may be a script; None if no name is missing."""
    name = missing_name(error)
    if name is None:
        return None
    file, line = place(error.__traceback__)
    script = script or (os.path.relpath(file) if os.path.isfile(file) else None)
    look = (
        f" of what the script uses: python -m minitorch --check {script}"
        if script
        else ": the README's 'What is there'"
    )
    return f"minitorch has no {name} ({file}, line {line}). To see what is supported{look}"


def missing_name(error: BaseException) -> str | None:
    """The name by which the program asked for what is missing; None if the error is another."""
    if isinstance(error, ModuleNotFoundError):
        return _torchs(error.name or "")
    if isinstance(error, ImportError):
        wanted = re.match(r"cannot import name '(\w+)'", error.msg)
        module = _torchs(error.name or "")
        return f"{module}.{wanted[1]}" if module and wanted else None
    if isinstance(error, AttributeError) and error.name:
        owner = error.obj
        if isinstance(owner, ModuleType):
            module = _torchs(owner.__name__)
            return module and f"{module}.{error.name}"
        if isinstance(owner, minitorch.Tensor):
            return f"torch.Tensor.{error.name}"
    return None


def _torchs(module: str) -> str | None:
    """What torch calls a module that is asked for by its name or by ours."""
    for root, ours in sorted(ROOTS.items(), key=lambda item: -len(item[1])):  # minitorch.vision before minitorch
        for head in (root, ours):
            if module == head or module.startswith(f"{head}."):
                return root + module[len(head) :]
    return None


def place(tb: TracebackType | None) -> tuple[str, int]:
    """The last line of the program's own that an error has passed."""
    found = "", 0
    while tb is not None:
        file = tb.tb_frame.f_code.co_filename
        if not file.startswith((HERE, IMPORTLIB, "<frozen")):
            found = file, tb.tb_lineno
        tb = tb.tb_next
    return found
