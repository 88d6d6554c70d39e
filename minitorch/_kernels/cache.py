"""Kernel text in, imported module out, compiled code kept on disk per user.

The only module that knows Numba's options and its cache. Numba's own disk cache is not used: it
executes whatever its files hold (truncated machine code included), gives two processes that save
at once each other's code (the index and the data are separate files), raises where the folder is
read-only, and initialises the whole compiler (0.3-0.6 s) before it reads a kernel. `_KernelCache`
takes its place on our own dispatchers, one file per compiled signature:

    <name>_<hash of the text>.<function>.<hash of the key>.kernel  =  SHA-256, then a pickle

The digest covers the key (versions, text, signature, processor) and the pickle, and is checked
before anything is unpickled; the folder belongs to the user alone. Nothing here raises for a bad
folder or file: the kernel is compiled anew and one RuntimeWarning per process says why.
"""

import ast
import functools
import gc
import hashlib
import importlib.util
import linecache
import os
import pathlib
import pickle
import stat
import sys
import tempfile
import types
import warnings

from minitorch._fork import fork_safe_lock, hold_compiler_over_fork

from . import cache_size

# For small kernels. _nrt=False leaves out Numba's reference counting of the arrays, which takes a
# call with three arrays from 246 to 142 ns; the kernel must not allocate. It is internal to Numba:
# `_prepare` drops it where Numba does not know it. No nogil: releasing costs more than such a loop.
OPTIONS = "cache=True, error_model='numpy', _nrt=False"

_PACKAGE = __name__.rpartition(".")[0]
_HERE = pathlib.Path(__file__).parent
_lock = fork_safe_lock()  # re-entrant: a kernel module may load another one
_loaded: dict[tuple[str, str | pathlib.Path], types.ModuleType] = {}
_warned = False
_written = 0  # kernels, by this process


def cache_dir() -> pathlib.Path | None:
    """The user's kernel folder, made if absent (mode 0700); None, with a warning, if unusable.

    $MINITORCH_CACHE, else minitorch in $XDG_CACHE_HOME or the system's usual cache folder. A folder
    that others own or can write to is refused, since loading a kernel executes what it holds.
    """
    try:
        folder = _configured_dir()
    except RuntimeError as error:  # pathlib's word for a user without a home
        _warn("in the home folder", error)
        return None
    return _own(folder)


def load(name: str, text: str) -> types.ModuleType:
    """The module that `text` defines; its `@njit(cache=True)` functions are kept on disk.

    The text is written to `<name>_<hash>.py` in the cache folder for people and debuggers to read;
    what runs is always `text` itself. Same name and text, same module.
    """
    with _lock:
        module = _loaded.get((name, text))
        if module is None:
            tree = ast.parse(text)
            imported = _imported(tree, "")
            digest = _digest(text, "", imported)
            stem = f"{name}_{digest[:16]}"
            path = _publish(f"{stem}.py", text)
            module = _loaded[name, text] = _execute(tree, imported, stem, path, name, digest)
        return module


def load_file(file: str | pathlib.Path) -> types.ModuleType:
    """As `load`, for a hand-written kernel file: "cpu.conv" (below this package) or a path.

    Tracebacks show the file itself. A change in it or in a project module it imports recompiles.
    """
    module = _loaded.get(("", file))  # ops ask in every call: 40 us if the path were made each time
    if module is None:
        module = _loaded["", file] = _module_of_file(file)
    return module


def _module_of_file(file: str | pathlib.Path) -> types.ModuleType:
    if isinstance(file, str):
        path = _HERE.joinpath(*file.split(".")).with_suffix(".py")
    else:
        path = file.resolve()
    with _lock:
        module = _loaded.get(("", str(path)))
        if module is None:
            text = path.read_text(encoding="utf-8")
            tree = ast.parse(text, str(path))
            own = path.is_relative_to(_HERE)
            package = ".".join((_PACKAGE, *path.relative_to(_HERE).parts[:-1])) if own else ""
            imported = _imported(tree, package)
            digest = _digest(text, package, imported)
            name = f"{package}.{path.stem}" if own else f"{path.stem}_{digest[:16]}"
            module = _execute(tree, imported, name, str(path), path.stem, digest)
            _loaded["", str(path)] = module
        return module


# Folders and files


def _configured_dir() -> pathlib.Path:
    chosen = os.environ.get("MINITORCH_CACHE")
    if chosen:
        return pathlib.Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):
        return pathlib.Path(base, "minitorch")
    if sys.platform == "win32" and "LOCALAPPDATA" in os.environ:
        return pathlib.Path(os.environ["LOCALAPPDATA"], "minitorch", "Cache")
    home = pathlib.Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "minitorch"
    return home / ".cache" / "minitorch"


def _own(folder: pathlib.Path) -> pathlib.Path | None:
    """The folder, made if absent, or None if it is not the user's alone."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        _warn(folder, error)
        return None
    if hasattr(os, "geteuid"):
        if status.st_uid != os.geteuid():
            _warn(folder, "it belongs to another user")
            return None
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            _warn(folder, "other users can write to it")
            return None
    return folder


@functools.cache
def _folder() -> pathlib.Path | None:
    """The subfolder for the running versions: those of others are neither read nor touched."""
    import llvmlite
    import numba
    import numpy

    folder = cache_dir()
    if folder is None:
        return None
    python = f"py{sys.version_info[0]}.{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
    versions = f"numba{numba.__version__}-llvmlite{llvmlite.__version__}-numpy{numpy.__version__}"
    return _own(folder / f"{python}-{versions}")


def _warn(folder: object, reason: object) -> None:
    """Warn about the cache, once in the life of the process."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"minitorch cannot use its kernel cache {folder} ({reason}); results are not affected, "
            "but kernels are compiled again. Delete the folder, or set MINITORCH_CACHE to one that "
            "only you can write to.",
            RuntimeWarning,
            stacklevel=2,
        )


def _write(path: pathlib.Path, data: bytes) -> None:
    """Write so that any other process sees the whole file or none."""
    handle, temporary = tempfile.mkstemp(prefix=path.stem, suffix=".tmp", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
        try:
            os.replace(temporary, path)
        except FileNotFoundError:  # deleted by a process that makes room: what is not stored is compiled again
            return
        except PermissionError:  # Windows, while another process reads or writes the same content
            if not path.exists():
                raise
            os.unlink(temporary)
    except OSError:
        os.unlink(temporary)
        raise


def _bound_now_and_then(cache: pathlib.Path) -> None:
    """Look at the cache's size when the process first writes to it, and again after every 256 kernels."""
    global _written
    if _written % 256 == 0:
        cache_size.bound(cache)
    _written += 1


def _publish(file: str, text: str) -> str:
    """Put the text where tracebacks and debuggers find it; returns the path to show."""
    folder = _folder()
    if folder is not None:
        path = folder / file
        data = text.encode()
        try:
            if not path.exists() or path.read_bytes() != data:
                _write(path, data)
            return str(path)
        except OSError as error:
            _warn(folder, error)
    shown = f"<minitorch kernel {file}>"
    linecache.cache[shown] = (len(text), None, text.splitlines(keepends=True), shown)
    return shown


# From text to module


def _digest(text: str, package: str, imported: dict[str, str]) -> str:
    """A hash of a module's text and of every text that it imports."""
    return hashlib.sha256(repr(sorted({package: text, **imported}.items())).encode()).hexdigest()


def _imported(tree: ast.Module, package: str) -> dict[str, str]:
    """Full name and text of every project module that a module of this package imports, directly or not."""
    texts: dict[str, str] = {}
    trees = [(tree, package)]
    for tree, package in trees:
        for name in _project_imports(tree, package):
            path = _HERE.parent.joinpath(*name.split(".")[1:]).with_suffix(".py")
            if name not in texts and path.is_file():
                texts[name] = path.read_text(encoding="utf-8")
                trees.append((ast.parse(texts[name]), name.rpartition(".")[0]))
    return texts


def _project_imports(tree: ast.Module, package: str) -> list[str]:
    """Full names of what the module imports from the project: modules, and names in them."""
    names = []
    for node in tree.body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(relative, package)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    project = _PACKAGE.partition(".")[0] + "."
    return [name for name in names if name.startswith(project)]


def _prepare(tree: ast.Module) -> list[str]:
    """Names of the functions to keep on disk; turns Numba's own cache off in the tree, and wrappers without a use."""
    from numba.core.options import DefaultOptions

    kept = []
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        for call in function.decorator_list:
            if not isinstance(call, ast.Call):
                continue
            # cuda.jit keeps its own cache, which lands in our folder beside the text
            if ast.unparse(call.func) not in ("njit", "numba.njit"):
                continue
            if not hasattr(DefaultOptions, "_nrt"):
                call.keywords = [word for word in call.keywords if word.arg != "_nrt"]
            for word in call.keywords:
                if word.arg == "cache" and ast.unparse(word.value) == "True":
                    word.value = ast.copy_location(ast.Constant(False), word.value)
                    kept.append(function.name)
                    # for callers in C, which there are none of: a seventh of the time to compile
                    call.keywords.append(ast.keyword("no_cfunc_wrapper", ast.Constant(True)))
                    ast.fix_missing_locations(call)
                    break
    return kept


def _load_kernels(imported: dict[str, str]) -> None:
    """Load the kernel files among these modules: an ordinary import would give them Numba's own cache."""
    for name, text in imported.items():
        file = name.removeprefix(f"{_PACKAGE}.")
        if file != name and name not in sys.modules and "@njit(cache=True" in text:
            load_file(file)


def _execute(
    tree: ast.Module, imported: dict[str, str], name: str, path: str, title: str, digest: str
) -> types.ModuleType:
    """Run the tree as module `name` and give its kernels, and those that it imports, their cache."""
    module = types.ModuleType(name)
    module.__file__ = path
    module.__package__ = name.rpartition(".")[0]
    kept = _prepare(tree)
    _load_kernels(imported)
    hold_compiler_over_fork()
    _pause_collections()
    sys.modules[name] = module  # before execution: compiled code looks its module up by name
    try:
        exec(compile(tree, path, "exec"), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    for function in kept:
        dispatcher = getattr(module, function)
        if hasattr(dispatcher, "_cache"):
            dispatcher._cache = _KernelCache(title, function, digest)
        elif not isinstance(dispatcher, types.FunctionType):  # as NUMBA_DISABLE_JIT leaves it
            _warn("at all", "this version of Numba is unknown to it")
    if sys.stderr is not None and sys.stderr.isatty():
        _show_progress()
    return module


class _KernelCache:
    """What a Numba dispatcher asks for compiled code, in place of numba.core.caching.FunctionCache.

    A dispatcher calls `load_overload` when it meets a new signature and `save_overload` when it
    has compiled one; later calls never come here.
    """

    def __init__(self, title, function, digest):
        self.title = title
        self._function = function
        self._digest = digest

    @property
    def cache_path(self):
        """The folder of the files, as Numba's own caches name it."""
        return _folder()

    def load_overload(self, sig, target_context):
        """The compiled code for the argument types `sig`, or None."""
        path, key, arguments = self._entry(sig, target_context.codegen())
        if path is None:
            return None
        try:
            data = path.read_bytes()
            body = data[32:]
            if hashlib.sha256(key + body).digest() == data[:32]:
                symbols, payload = pickle.loads(body)
                result = _rebuild(target_context, symbols, payload)
                cache_size.used(path)
                # types that name an address in their text may differ in spite of an equal key
                return result if result and result.signature.args == arguments else None
            _warn(path.parent, f"{path.name} is damaged")
        except FileNotFoundError:
            pass
        except Exception as error:  # unreadable; or sound, and Numba differs from what we know
            _warn(path.parent, f"{path.name}: {error!r}")
        return None

    def save_overload(self, sig, result):
        """Keep freshly compiled code, unless it holds addresses of this process."""
        from numba.core.serialize import dumps

        path, key, _ = self._entry(sig, result.codegen)
        if path is None or result.lifted or result.library.has_dynamic_globals:
            return
        try:
            body = dumps((_undefined_symbols(result), result._reduce()))
            _write(path, hashlib.sha256(key + body).digest() + body)
            _bound_now_and_then(path.parent.parent)
        except Exception as error:  # a full disk, or as above: the code runs all the same
            _warn(path.parent, f"{path.name}: {error!r}")

    def _entry(self, sig, codegen):
        """File, key and argument types of one signature; the machine code depends on the key."""
        from numba.core import config, sigutils

        arguments = sigutils.normalize_signature(sig)[0]
        folder = _folder()
        if folder is None:
            return None, b"", arguments
        source = (folder.name, self._digest, self._function, arguments)
        key = repr((source, codegen.magic_tuple(), config.OPT, config.BOUNDSCHECK)).encode()
        stem = f"{self.title}_{self._digest[:16]}.{self._function}"
        return folder / f"{stem}.{hashlib.sha256(key).hexdigest()[:16]}.kernel", key, arguments

    def enable(self):
        """Part of Numba's protocol; this cache is always on."""

    def disable(self):
        """Part of Numba's protocol; this cache is always on."""

    def flush(self):
        """Forget all signatures: `Dispatcher.recompile` calls this."""
        folder = _folder()
        if folder is not None:
            for path in folder.glob(f"{self.title}_{self._digest[:16]}.{self._function}.*.kernel"):
                path.unlink(missing_ok=True)


def _undefined_symbols(result):
    """Names that the machine code expects the process to define; None if code must run first."""
    if result.reload_init:
        return None
    module = result.library._final_module
    parts = [*module.functions, *module.global_variables]
    return [part.name for part in parts if part.is_declaration and not part.name.startswith("llvm.")]


def _rebuild(target_context, symbols, payload):
    """Machine code made callable, with as little of Numba initialised as it needs.

    `target_context.refresh()`, which Numba calls here, imports what a compiler needs (with SciPy
    installed, SciPy too): 0.3-0.6 s, against 0.01 s for the rest of this function. Finished code
    needs only the C functions it names, and LLVM ends the process on an unknown one, so each name
    is looked up first and more of Numba started only if some is missing. A later compilation
    refreshes for itself.
    """
    from llvmlite.binding import address_of_symbol
    from numba.core.compiler import CompileResult
    from numba.core.runtime import rtsys

    def missing():
        return symbols is None or not all(map(address_of_symbol, symbols))

    if missing():
        rtsys.initialize(target_context)
    if missing():
        target_context.refresh()
    if symbols is not None and missing():
        return None
    return CompileResult._rebuild(target_context, *payload)


def _when_compiling(began, ended):
    """Call began(cache of the kernel) and ended() around each compilation of a kernel, not of the helpers it calls."""
    from numba.core import event

    class Listener(event.Listener):
        def on_start(self, compilation):
            cache = getattr(compilation.data["dispatcher"], "_cache", None)
            if isinstance(cache, _KernelCache):
                began(cache)

        def on_end(self, compilation):
            if isinstance(getattr(compilation.data["dispatcher"], "_cache", None), _KernelCache):
                ended()

    event.register("numba:compile", Listener())


@functools.cache
def _pause_collections():
    """Python's cyclic collector would look through all that Numba makes, for a tenth of the time that it compiles."""
    was_on = []

    def pause(_):
        was_on.append(gc.isenabled())
        gc.disable()

    def resume():
        if was_on.pop():
            gc.enable()

    _when_compiling(pause, resume)


@functools.cache
def _show_progress():
    """From now on a terminal sees one line while a kernel compiles, erased when it is done.

    Into an empty cache it is many kernels: a line that stays says so, and how to have them compiled beforehand.
    """
    done = shown = 0

    def line(text):
        nonlocal shown
        sys.stderr.write(f"\r{' ' * shown}\r{text}")
        sys.stderr.flush()
        shown = len(text)

    def began(cache):
        nonlocal shown
        if not done and (folder := _folder()) and not any(folder.glob("*.kernel")):
            line(f"minitorch compiles each kernel on its first use and keeps it in {folder.parent}: ")
            sys.stderr.write("`python -m minitorch.warm` compiles the usual ones now\n")
            shown = 0
        line(f"minitorch: compiling kernels (first use) ... {done} done, {cache.title}")

    def ended():
        nonlocal done
        done += 1
        line("")

    _when_compiling(began, ended)
