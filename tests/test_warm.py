"""The kernel cache's bound on disk, and `python -m minitorch.warm`, which fills, shows and clears it."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

import pytest
import torch

from benchmarks.workloads import WORKLOADS
from minitorch import warm
from minitorch._kernels import cache, cache_size

ROOT = pathlib.Path(__file__).parents[1]
HOUR = 3_600


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache with the folders of two sets of versions."""
    monkeypatch.setenv("MINITORCH_CACHE", str(tmp_path / "cache"))
    for versions in ("py3.8-numba0.1", "py3.11-numba0.2"):
        (tmp_path / "cache" / versions).mkdir(parents=True)
    (tmp_path / "cache").chmod(0o700)
    return tmp_path / "cache"


def put(folder, name, size, hours, versions="py3.11-numba0.2"):
    """A file that was used so many hours ago."""
    path = folder / versions / name
    path.write_bytes(bytes(size))
    os.utime(path, (time.time() - hours * HOUR,) * 2)
    return path


def names(folder):
    return sorted(file.path.name for file in cache_size.files(folder))


# ---------------------------------------------------------------- the bound
def test_cache_below_its_bound_is_left_alone(folder, monkeypatch):
    monkeypatch.setattr(cache_size, "MOST", 300)
    for hours in (1, 2, 3):
        put(folder, f"{hours}.kernel", 100, hours)
    cache_size.bound(folder)
    assert len(names(folder)) == 3


def test_files_unused_for_longest_go_first_whatever_their_versions(folder, monkeypatch):
    monkeypatch.setattr(cache_size, "MOST", 500)
    for hours in (1, 4, 2, 6):
        put(folder, f"{hours}.kernel", 100, hours)
    put(folder, "3.kernel", 100, 3, "py3.8-numba0.1")
    put(folder, "5.py", 100, 5, "py3.8-numba0.1")
    cache_size.bound(folder)
    assert names(folder) == ["1.kernel", "2.kernel", "3.kernel", "4.kernel"]  # 0.8 of 500 bytes


def test_only_abandoned_temporary_files_are_deleted(folder):
    put(folder, "old.tmp", 1, 2)
    put(folder, "new.tmp", 1, 0.5)
    cache_size.bound(folder)
    assert names(folder) == ["new.tmp"]


def test_what_lies_beside_the_kernels_is_never_touched(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(cache_size, "MOST", 0)
    (tmp_path / "elsewhere").mkdir()
    outside = tmp_path / "elsewhere" / "a.kernel"
    outside.write_bytes(b"kept")
    (folder / "py3.9-numba0.3").symlink_to(tmp_path / "elsewhere")
    (folder / "notes.txt").write_text("kept")
    put(folder, "a.kernel", 1, 1)
    cache_size.bound(folder)
    assert names(folder) == []
    cache_size.clear(folder)
    assert outside.read_bytes() == b"kept" and (folder / "notes.txt").read_text() == "kept"


def test_loading_renews_a_files_last_use_once_a_day(folder):
    old, new = put(folder, "old.kernel", 1, 25), put(folder, "new.kernel", 1, 23)
    before = new.stat().st_mtime
    for path in (old, new, folder / "gone.kernel"):
        cache_size.used(path)
    assert time.time() - old.stat().st_mtime < HOUR
    assert new.stat().st_mtime == before


COMPILE = """
import sys
import numpy as np
from minitorch._kernels import cache, cache_size
cache_size.MOST = 1
x = np.ones(3)
for i in range(4):
    dest = np.zeros(3)
    text = f"from numba import njit\\n@njit({cache.OPTIONS})\\ndef add(x, dest):\\n    for i in range(3):\\n"
    cache.load(f"demo{i}", text + f"        dest[i] = x[i] + {i}\\n").add(x, dest)
    cache._written = 0
    assert dest[0] == 1 + i
"""


def test_a_file_that_is_deleted_while_it_is_written_is_no_fault(tmp_path, monkeypatch):
    def gone(temporary, path):
        os.unlink(temporary)
        raise FileNotFoundError(2, "No such file or directory", temporary)

    monkeypatch.setattr(os, "replace", gone)
    cache._write(tmp_path / "a.kernel", b"data")
    assert list(tmp_path.iterdir()) == []


def test_processes_that_write_and_delete_at_once_all_compute(tmp_path):
    environment = {**os.environ, "MINITORCH_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", COMPILE]
    started = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[1] for process in started] == ["", ""]
    assert sum(file.path.suffix == ".kernel" for file in cache_size.files(tmp_path / "cache")) <= 2


# ---------------------------------------------------------------- python -m minitorch.warm
def test_info_counts_kernels_by_version(folder, capsys):
    put(folder, "a.kernel", 1 << 20, 0)
    put(folder, "a.py", 1 << 19, 0)
    assert warm.main(["--info"]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == f"{folder}: 1 kernels, 1.5 MiB of at most 1024.0 MiB"
    assert rest == [
        f"  py3.11-numba0.2: 1 kernels, last used {time.strftime('%Y-%m-%d')}",
        "  py3.8-numba0.1: 0 kernels, last used never",
    ]


def test_clear_deletes_every_kernel(folder, capsys):
    put(folder, "a.kernel", 1, 0)
    assert warm.main(["--clear"]) == 0
    assert capsys.readouterr().out == f"1 kernels deleted from {folder}\n"
    assert names(folder) == []


def test_cache_that_cannot_be_used_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    monkeypatch.setenv("MINITORCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_warned", False)
    with pytest.warns(RuntimeWarning, match="other users can write to it"):
        assert warm.main([]) == 1


def test_rows_compile_once_and_what_they_made_is_counted(folder, monkeypatch, capsys):
    monkeypatch.setattr(warm, "EVERYDAY", {name: warm.EVERYDAY[name] for name in ("silu", "mse_loss")})
    for least, most in ((4, 100), (0, 0)):
        assert warm.main([]) == 0
        said = capsys.readouterr().out
        count = re.fullmatch(rf"(\d+) kernels compiled in \d+ s, \d+\.\d MiB, kept in {folder}\n", said)[1]
        assert least <= int(count) <= most, said


def test_row_that_fails_is_an_error(folder):
    with pytest.raises(KeyError, match="no such row"):
        warm.compile_all(["no such row"], 1)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in ("mul", "addcmul", "gcd"))) for n in warm.ALL]
)
def test_pointwise_rows_run(name):
    warm.ALL[name]()


def test_everyday_rows_name_what_torch_has():
    for name in warm.ACTIVATIONS:
        assert hasattr(torch.nn.functional, name)


@pytest.mark.slow
def test_nothing_is_left_to_compile_for_the_steps_of_everyday_models(tmp_path):
    environment = {**os.environ, "MINITORCH_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "minitorch.warm"], env=environment, check=True)
    for workload in WORKLOADS:
        command = [sys.executable, "-m", "benchmarks.child", "compiled", "minitorch", workload.name]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["kernels"] == 0, workload.name
