"""`python -m minitorch`: runs a program as `python` would, with torch and torchvision found in minitorch."""

import builtins
import linecache
import os
import pkgutil
import runpy
import sys
from collections.abc import Callable
from importlib.machinery import BuiltinImporter, SourceFileLoader
from types import ModuleType
from typing import Any

import minitorch

from . import hook

HERE = os.path.dirname(__file__)
USAGE = """\
usage: python -m minitorch [--check] script.py [args ...]
       python -m minitorch -m package.module [args ...]
       python -m minitorch -c code [args ...]

Runs a program written for PyTorch without PyTorch: in it, torch and torchvision are minitorch.

options:
  --check        report which names of torch the script uses, and which of them are missing, without running it;
                 the exit status is 1 if any is missing
  -m, -c         as in python
  -h, --help     show this and exit
  -V, --version  show the versions of minitorch, and of PyTorch whose API it has, and exit
"""


def main() -> None:
    """What `python -m minitorch` does."""
    args = sys.argv[1:]
    first = args[0] if args else None
    if first in ("-h", "--help"):
        sys.stdout.write(USAGE)
    elif first in ("-V", "--version"):
        sys.stdout.write(f"minitorch {minitorch.__version__} (torch {hook.VERSIONS['torch']})\n")
    elif first == "--check" and len(args) > 1:
        _check(args[1])
    elif first == "-m" and len(args) > 1:
        _run_module(args[1], args[2:])
    elif first == "-c" and len(args) > 1:
        _run_text(args[1], args[2:])
    elif first == "-":
        _run_input(args[1:])
    elif first is None or first.startswith("-"):
        sys.stderr.write(USAGE)
        raise SystemExit(2)
    else:
        _run_file(args[0], args[1:])


def _run_file(path: str, args: list[str]) -> None:
    full = os.path.join(os.getcwd(), path)
    sys.argv[:] = [path, *args]
    if pkgutil.get_importer(full) is not None:  # a folder, or an archive, with a __main__.py
        _set_path(full)
        _main_module(BuiltinImporter)
        _guarded(lambda: runpy._run_module_as_main("__main__", alter_argv=False))  # type: ignore[attr-defined]
        return
    _set_path(os.path.dirname(os.path.realpath(full)))
    source = _read(full)
    module = _main_module(SourceFileLoader("__main__", full), __file__=full, __cached__=None)
    _guarded(lambda: exec(compile(source, full, "exec", dont_inherit=True), module.__dict__), path)


def _check(script: str) -> None:
    from .check import report

    def run() -> None:
        try:
            text, complete = report(script)
        except SyntaxError as error:
            raise error.with_traceback(None) from None  # as python shows it, without the reader's own lines
        print(text)
        raise SystemExit(0 if complete else 1)

    _read(os.path.join(os.getcwd(), script))
    _guarded(run)


def _run_text(text: str, args: list[str]) -> None:
    sys.argv[:] = ["-c", *args]
    _set_path("")
    module = _main_module(BuiltinImporter)
    if sys.version_info >= (3, 13):  # whose tracebacks show the lines of -c
        linecache.cache["<string>"] = len(text), None, text.splitlines(keepends=True), "<string>"
    _guarded(lambda: exec(compile(text, "<string>", "exec", dont_inherit=True), module.__dict__))


def _run_input(args: list[str]) -> None:
    sys.argv[:] = ["-", *args]
    _set_path("")
    text, file = sys.stdin.read(), "<stdin>"
    module = _main_module(SourceFileLoader("__main__", file), __file__=file, __cached__=None)
    _guarded(lambda: exec(compile(text, file, "exec", dont_inherit=True), module.__dict__))


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


def _read(path: str) -> bytes:
    """The text of a script; without one, the end that python comes to."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as e:
        sys.stderr.write(f"{sys.orig_argv[0]}: can't open file {path!r}: [Errno {e.errno}] {e.strerror}\n")
        raise SystemExit(2) from None


def _guarded(run: Callable[[], None], script: str | None = None) -> None:
    """Run a program, and leave of an exception that ends it what python would show."""
    hook.install()
    try:
        run()
    except SystemExit:
        raise
    except BaseException as error:
        shown = error.__traceback__
        while shown is not None and shown.tb_frame.f_code.co_filename.startswith(HERE):
            shown = shown.tb_next
        if isinstance(error, (AttributeError, ImportError)):
            from .missing import explain

            explain(error, script)
        excepthook = sys.excepthook
        # the way out passes through frames of ours again, so only the last step can take them off; python then does
        # all that follows an exception, such as ending by the signal after a KeyboardInterrupt
        sys.excepthook = lambda kind, value, _: excepthook(kind, value.with_traceback(shown), shown)
        raise
