"""`python -m minitorch`: runs a program as `python` would, with torch and torchvision found in minitorch."""

import builtins
import os
import runpy
import sys
from collections.abc import Callable
from importlib.machinery import BuiltinImporter, SourceFileLoader
from types import ModuleType
from typing import Any, NoReturn

from . import hook

USAGE = """\
usage: python -m minitorch script.py [args ...]
       python -m minitorch -m package.module [args ...]
       python -m minitorch -c code [args ...]

Runs a program written for PyTorch without PyTorch: in it, torch and torchvision are minitorch.

options:
  -m, -c         as in python
  -h, --help     show this and exit
"""


def main() -> None:
    """What `python -m minitorch` does."""
    args = sys.argv[1:]
    first = args[0] if args else None
    if first in ("-h", "--help"):
        sys.stdout.write(USAGE)
    elif first in ("-m", "-c") and len(args) > 1:
        {"-m": _run_module, "-c": _run_text}[args[0]](args[1], args[2:])
    elif first is None or first.startswith("-"):
        sys.stderr.write(USAGE)
        raise SystemExit(2)
    else:
        _run_file(args[0], args[1:])


def _run_file(path: str, args: list[str]) -> None:
    full = os.path.join(os.getcwd(), path)
    sys.argv[:] = [path, *args]
    _set_path(os.path.dirname(os.path.realpath(full)))

    def run() -> None:
        try:
            with open(full, "rb") as file:
                source = file.read()
        except OSError as e:
            _stop(f"can't open file {full!r}: [Errno {e.errno}] {e.strerror}")
        exec(compile(source, full, "exec", dont_inherit=True), module.__dict__)

    module = _main_module(SourceFileLoader("__main__", full), __file__=full, __cached__=None)
    _guarded(run)


def _run_text(text: str, args: list[str]) -> None:
    sys.argv[:] = ["-c", *args]
    _set_path("")
    module = _main_module(BuiltinImporter)
    _guarded(lambda: exec(compile(text, "<string>", "exec", dont_inherit=True), module.__dict__))


def _run_module(name: str, args: list[str]) -> None:
    sys.argv[:] = ["-m", *args]  # runpy puts the module's file in place of -m
    _main_module(BuiltinImporter)
    _guarded(lambda: runpy._run_module_as_main(name))  # type: ignore[attr-defined]


def _set_path(folder: str) -> None:
    """Put the script's folder where python puts it: in place of the current one, which `-m minitorch` put there."""
    if not (getattr(sys.flags, "safe_path", False) or sys.flags.isolated):
        sys.path[0] = folder


def _main_module(loader: Any, **names: Any) -> ModuleType:
    module = ModuleType("__main__")
    module.__loader__ = loader
    if sys.version_info < (3, 14):
        module.__annotations__ = {}
    module.__dict__.update(__builtins__=builtins, **names)
    sys.modules["__main__"] = module
    return module


def _stop(message: str) -> NoReturn:
    sys.stderr.write(f"{sys.orig_argv[0]}: {message}\n")
    raise SystemExit(2)


def _guarded(run: Callable[[], None]) -> None:
    """Run a program, and leave of an exception that ends it what python would show."""
    hook.install()
    try:
        run()
    except SystemExit:
        raise
    except BaseException as error:
        shown = error.__traceback__
        while shown is not None and shown.tb_frame.f_code.co_filename == __file__:
            shown = shown.tb_next
        excepthook = sys.excepthook
        # the way out passes through frames of ours again, so only the last step can take them off; python then does
        # all that follows an exception, such as ending by the signal after a KeyboardInterrupt
        sys.excepthook = lambda kind, value, _: excepthook(kind, value.with_traceback(shown), shown)
        raise
