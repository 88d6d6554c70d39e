"""The per-user kernel cache: hits, damage, foreign folders, full disks, races, the progress line.

Numba's state is per process, so most tests run a small script in a process of its own.
"""

import ctypes
import hashlib
import importlib
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys

import pytest

from minitorch._kernels import cache

ROOT = pathlib.Path(__file__).parents[1]
# as the hand-written kernels have them: other threads go on meanwhile, and they may allocate
BIG_OPTIONS = "cache=True, error_model='numpy', nogil=True"
TEXT = f"""
import math
from numba import njit

@njit
def helper(x):
    return 1.0 / x

@njit({cache.OPTIONS})
def inverse(x, dest):
    for i in range(dest.size):
        dest[i] = helper(x[i])

@njit({cache.OPTIONS})
def powers(x, dest):
    for i in range(dest.size):
        dest[i] = math.exp(x[i])

@njit({BIG_OPTIONS})
def doubles(x, dest):
    for i in range(dest.size):
        dest[i] = x[i] + x[i]
"""
SCRIPT = """
import json, os, sys
import numpy as np
from minitorch._kernels import cache

module = cache.load("demo", os.environ["TEXT"])
x = np.array([0.0, 1.0, 2.0], np.float32)
report = {"hits": 0, "misses": 0}
for name in ["inverse", "powers", "doubles"]:
    dest = np.zeros_like(x)
    kernel = getattr(module, name)
    kernel(x, dest)
    report[name] = [float(f"{value:.4f}") for value in dest]
    report["hits"] += sum(kernel.stats.cache_hits.values())
    report["misses"] += sum(kernel.stats.cache_misses.values())
report["compiler started"] = "numba.np.arraymath" in sys.modules
"""
PRINT = "print(json.dumps(report))"
RESULTS = {
    "inverse": [float("inf"), 1.0, 0.5],
    "powers": [1.0, 2.7183, 7.3891],
    "doubles": [0.0, 2.0, 4.0],
}
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


def environment(folder, text=TEXT):
    known = {"MINITORCH_CACHE": str(folder), "TEXT": text, "PYTHONPATH": str(ROOT)}
    return {**os.environ, **known, "NUMBA_DISABLE_JIT": "0"}


def run(folder, script=SCRIPT + PRINT, text=TEXT, **options):
    """Run the script with this cache folder; returns its report and what it wrote to stderr."""
    process = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(folder, text),
        capture_output=True,
        text=True,
        **options,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout), process.stderr


def check(report, hits):
    """The results are right, and this many of the three kernels came from the cache."""
    assert {name: report[name] for name in RESULTS} == RESULTS
    assert (report["hits"], report["misses"]) == (hits, 3 - hits)


def kernels(folder):
    return sorted(folder.rglob("*.kernel"))


def obey_permissions():
    """In the child, before exec: root loses the right to ignore file modes."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache folder that one process has filled."""
    folder = tmp_path_factory.mktemp("kernels") / "cache"
    report, errors = run(folder)
    check(report, hits=0)
    assert errors == ""
    return folder


@pytest.fixture
def copied(filled, tmp_path):
    """A copy of the filled folder, to be damaged."""
    return pathlib.Path(shutil.copytree(filled, tmp_path / "cache"))


@pytest.fixture
def unwarned(monkeypatch):
    monkeypatch.setattr(cache, "_warned", False)


def test_importing_the_module_does_not_import_numba():
    script = "import sys, minitorch._kernels.cache; assert 'numba' not in sys.modules; print(0)"
    run("unused", script)


def test_a_second_process_loads_kernels_without_starting_the_compiler(filled):
    report, errors = run(filled)
    check(report, hits=3)
    assert not report["compiler started"]
    assert errors == ""


def test_a_new_signature_compiles_beside_loaded_ones_and_may_call_them(filled, tmp_path):
    script = """
from numba import njit
wide = np.zeros(3)
module.inverse(x.astype(np.float64), wide)
report["wide"] = wide[1:].tolist()

@njit
def caller(x, dest):
    module_inverse(x, dest)

module_inverse = module.inverse
dest = np.zeros_like(x)
caller(x, dest)
report["called"] = dest[1:].tolist()
"""
    folder = shutil.copytree(filled, tmp_path / "cache")
    report, errors = run(folder, SCRIPT + script + PRINT)
    check(report, hits=3)
    assert report["wide"] == report["called"] == [1.0, 0.5]
    assert errors == ""


@pytest.mark.slow
def test_a_loaded_kernel_allocates_and_raises(tmp_path):
    text = f"""
import numpy as np
from numba import njit

@njit({BIG_OPTIONS})
def second_of_copy(x):
    copy = np.empty(x.size, x.dtype)
    for i in range(x.size):
        copy[i] = x[i]
    if copy[0] > 100.0:
        raise ValueError("too large")
    return copy[1:]
"""
    script = """
import json, os
import numpy as np
from minitorch._kernels import cache
kernel = cache.load("demo", os.environ["TEXT"]).second_of_copy
found = kernel(np.arange(3.0)).tolist()
try:
    kernel(np.full(3, 200.0))
except ValueError as error:
    print(json.dumps([found, str(error), len(kernel.stats.cache_hits)]))
"""
    assert run(tmp_path / "cache", script, text) == ([[1.0, 2.0], "too large", 0], "")
    assert run(tmp_path / "cache", script, text) == ([[1.0, 2.0], "too large", 1], "")


def test_kernels_of_one_maker_from_two_processes_keep_their_own_functions(tmp_path):
    script = """
import json
import minitorch
x, w = minitorch.arange(162.0).reshape(1, 2, 9, 9), minitorch.arange(18.0).reshape(2, 1, 3, 3)
convolve = minitorch.nn.functional.conv2d
print(json.dumps([convolve(x, w, stride=stride, groups=2).tolist() for stride in STRIDES]))
"""
    first, second, both = (
        run(tmp_path / "cache", script.replace("STRIDES", strides))[0] for strides in ("[1]", "[2]", "[1, 2]")
    )
    assert both == first + second


@pytest.mark.slow
def test_a_parallel_kernel_loads_in_a_second_process(tmp_path):
    text = f"""
from numba import njit, prange

@njit({BIG_OPTIONS}, parallel=True)
def double(x, dest):
    for i in prange(dest.size):
        dest[i] = x[i] * 2.0
"""
    script = """
import json, os
import numpy as np
from minitorch._kernels import cache
x, dest = np.arange(3.0), np.zeros(3)
kernel = cache.load("parallel", os.environ["TEXT"]).double
kernel(x, dest)
print(json.dumps([dest.tolist(), len(kernel.stats.cache_hits)]))
"""
    assert run(tmp_path / "cache", script, text)[0] == [[0.0, 2.0, 4.0], 0]
    assert run(tmp_path / "cache", script, text)[0] == [[0.0, 2.0, 4.0], 1]


def test_damaged_files_are_rebuilt_with_one_warning(copied):
    flipped, truncated, exchanged = kernels(copied)
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 1
    flipped.write_bytes(data)
    whole = truncated.read_bytes()
    truncated.write_bytes(whole[: len(whole) // 2])
    exchanged.write_bytes(whole)  # sound, but the code of another function

    report, errors = run(copied)
    check(report, hits=0)
    assert errors.count("RuntimeWarning") == 1
    assert str(copied) in errors and "MINITORCH_CACHE" in errors

    report, errors = run(copied)
    check(report, hits=3)
    assert errors == ""


def test_a_planted_pickle_is_never_executed(copied):
    mark = copied / "mark"
    planted = f"cos\nmkdir\n(V{mark}\ntR.".encode()
    bare, padded, sealed = kernels(copied)
    bare.write_bytes(planted)
    padded.write_bytes(bytes(32) + planted)
    sealed.write_bytes(hashlib.sha256(planted).digest() + planted)
    report, errors = run(copied)
    check(report, hits=0)
    assert not mark.exists()
    assert errors.count("RuntimeWarning") == 1


def test_code_that_needs_a_symbol_the_process_lacks_is_not_loaded():
    registry = importlib.import_module("numba.core.registry")
    assert cache._rebuild(registry.cpu_target.target_context, ["no_such_symbol"], None) is None


@pytest.mark.slow
def test_files_of_other_versions_are_not_touched(copied):
    (own,) = copied.iterdir()
    other = own.rename(copied / "py3.1-numba0.1-llvmlite0.1-numpy0.1")
    before = {path: path.read_bytes() for path in other.iterdir()}
    report, errors = run(copied)
    check(report, hits=0)
    assert errors == ""
    assert {path: path.read_bytes() for path in other.iterdir()} == before
    assert len(kernels(own)) == 3


def test_an_absent_folder_cannot_stop_a_kernel(tmp_path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    report, errors = run(file / "cache")
    check(report, hits=0)
    assert errors.count("RuntimeWarning") == 1
    assert str(file / "cache") in errors and "MINITORCH_CACHE" in errors


@pytest.mark.skipif(sys.platform != "linux", reason="drops root's capabilities as Linux does")
def test_a_read_only_folder_is_read_and_not_written(copied):
    (own,) = copied.iterdir()
    kernels(copied)[0].unlink()
    own.chmod(0o500)
    before = sorted(own.iterdir())
    report, errors = run(copied, preexec_fn=obey_permissions)
    check(report, hits=2)
    assert errors.count("RuntimeWarning") == 1
    assert sorted(own.iterdir()) == before
    own.chmod(0o700)


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk_cannot_stop_a_kernel_and_leaves_nothing_behind(tmp_path):
    import resource

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    report, errors = run(tmp_path / "cache", preexec_fn=fill)
    check(report, hits=0)
    assert errors.count("RuntimeWarning") == 1
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


@pytest.mark.slow
def test_processes_that_race_for_the_same_files_all_succeed(tmp_path):
    command = [sys.executable, "-c", SCRIPT + PRINT]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    settings = environment(tmp_path / "cache")
    racers = [subprocess.Popen(command, env=settings, **pipes) for _ in range(2)]
    for racer in racers:
        output, errors = racer.communicate()
        assert errors == ""
        report = json.loads(output)
        check(report, hits=report["hits"])
    check(run(tmp_path / "cache")[0], hits=3)
    assert list((tmp_path / "cache").rglob("*.tmp")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_a_terminal_sees_one_line_that_is_erased_and_only_while_compiling(copied):
    for path in kernels(copied)[1:]:
        path.unlink()
    first = on_terminal(copied)
    lines = [part.strip() for part in first.split("\r")]
    start = "minitorch: compiling kernels (first use) ..."
    assert [part for part in lines if part] == [f"{start} 0 done, demo", f"{start} 1 done, demo"]
    assert "\n" not in first and first.endswith(" \r")
    assert on_terminal(copied) == ""


def test_a_terminal_is_told_once_of_an_empty_cache_and_how_to_fill_it(tmp_path):
    folder = tmp_path / "cache"
    told = on_terminal(folder)
    assert told.count("\n") == 1 and "`python -m minitorch.warm` compiles the usual ones now" in told
    assert f"keeps it in {folder}:" in told
    for path in kernels(folder)[1:]:
        path.unlink()
    assert "warm" not in on_terminal(folder)


def on_terminal(folder):
    """What a process whose stderr is a terminal shows there."""
    reader, terminal = os.openpty()
    subprocess.run([sys.executable, "-c", SCRIPT], env=environment(folder), stderr=terminal, check=True)
    os.close(terminal)
    shown = b""
    try:
        while part := os.read(reader, 4096):
            shown += part
    except OSError:  # how Linux reports that the other end is closed
        pass
    os.close(reader)
    return shown.decode()


def test_kernels_run_as_plain_python_with_numba_switched_off(tmp_path):
    script = """
import os
os.environ["NUMBA_DISABLE_JIT"] = "1"
import json
import numpy as np
from minitorch._kernels import cache
x, dest = np.array([4.0]), np.zeros(1)
cache.load("demo", os.environ["TEXT"]).inverse(x, dest)
print(json.dumps(dest.tolist()))
"""
    assert run(tmp_path / "cache", script) == ([0.25], "")


def test_the_folder_is_the_first_that_the_environment_names(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("MINITORCH_CACHE", str(tmp_path / "own"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache.cache_dir() == tmp_path / "own"
    monkeypatch.delenv("MINITORCH_CACHE")
    assert cache.cache_dir() == tmp_path / "xdg" / "minitorch"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_dir() == tmp_path / "home" / ".cache" / "minitorch"


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX")
def test_folders_are_made_for_the_user_alone(filled):
    (versions,) = filled.iterdir()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (filled, versions)] == [0o700, 0o700]


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX")
@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_a_folder_that_others_can_write_to_is_refused(mode, monkeypatch, tmp_path, unwarned):
    tmp_path.chmod(mode)
    monkeypatch.setenv("MINITORCH_CACHE", str(tmp_path))
    with pytest.warns(RuntimeWarning, match="other users can write"):
        assert cache.cache_dir() is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can chown")
def test_a_folder_of_another_user_is_refused(monkeypatch, tmp_path, unwarned):
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, -1)
    monkeypatch.setenv("MINITORCH_CACHE", str(folder))
    with pytest.warns(RuntimeWarning, match="belongs to another user"):
        assert cache.cache_dir() is None


def test_a_user_without_a_home_gets_a_warning_once(monkeypatch, unwarned):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("MINITORCH_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setattr(pathlib.Path, "home", homeless)
    with pytest.warns(RuntimeWarning, match="home") as record:
        assert cache.cache_dir() is None
        assert cache.cache_dir() is None
    assert len(record) == 1
