"""`benchmarks/gpu.py` on an emulated GPU, so that no minute of a real one is spent on a slip."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # `benchmarks` and `tests` as packages, as the script finds them

from benchmarks import gpu, gpu_items  # noqa: E402

SAMPLE = "to the GPU and back,smoke: transpose,word tanh,speed: add,op sin,bounds: max"


def options(path, **given):
    made = gpu.arguments(["--dry-run", "--out", str(path)])
    for name, value in given.items():
        setattr(made, name, value)
    return made


def rows(path):
    return json.loads(path.read_text())["rows"]


def test_a_sample_of_it_runs_on_an_emulated_gpu(tmp_path):
    path = tmp_path / "gpu.json"
    assert gpu.work(options(path, only=SAMPLE)) == 0
    found = rows(path)
    assert len(found) == 7 and not [name for name, row in found.items() if "failed" in row or row.get("missing")]
    assert all(row["holds"] for row in found.values() if "holds" in row)
    assert gpu.work(options(path, only=SAMPLE)) == 0 and rows(path) == found  # what is done is not done again


def test_an_item_that_fails_does_not_keep_the_next_from_its_turn(tmp_path, monkeypatch):
    def fails(b):
        raise ValueError("on purpose")

    items = [gpu_items.Item("first", fails), gpu_items.Item("second", lambda b: {"ran": True})]
    monkeypatch.setattr(gpu_items, "items", lambda b: items)
    path = tmp_path / "gpu.json"
    assert gpu.work(options(path)) == 0
    assert rows(path)["first"]["failed"] == "ValueError: on purpose" and rows(path)["second"]["ran"]


def test_a_gpu_in_error_is_left_to_another_worker(tmp_path, monkeypatch):
    def faults(b):
        from minitorch._kernels.cuda import driver

        driver.active.fail_with = 700
        b.synchronize()

    items = [gpu_items.Item("first", faults), gpu_items.Item("second", lambda b: {"ran": True})]
    monkeypatch.setattr(gpu_items, "items", lambda b: items)
    path = tmp_path / "gpu.json"
    assert gpu.work(options(path)) == 1
    assert "illegal memory access" in rows(path)["first"]["failed"] and "second" not in rows(path)
    assert gpu.work(options(path)) == 0 and rows(path)["second"]["ran"]


def test_a_worker_for_a_real_gpu_finds_all_items(tmp_path):
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho a GPU\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    command = [sys.executable, "-m", "benchmarks.gpu", "--only", "no such item", "--out", str(tmp_path / "gpu.json")]
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PATH": path})
    assert done.stderr == "" and done.stdout.startswith("0 rows: 0 failed")


def test_without_a_gpu_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "gpus", lambda: "")
    with pytest.raises(SystemExit, match="--dry-run"):
        gpu.run(gpu.arguments(["--out", str(tmp_path / "gpu.json")]))
    assert not (tmp_path / "gpu.json").exists()


@pytest.mark.slow
def test_all_of_it_runs_on_an_emulated_gpu(tmp_path):
    path = tmp_path / "gpu.json"
    command = [sys.executable, "-m", "benchmarks.gpu", "--dry-run", "--out", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    found = rows(path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(found) > 100 and all(row.get("holds", True) for row in found.values())
    assert json.loads(path.read_text())["environment"]["dry run"]
