"""The benchmarks run, compare like with like, and their report hides nothing."""

import functools
import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

import minitorch
from benchmarks import child, compare, report, run, speed
from benchmarks.cases import BY_NAME, CASES
from benchmarks.processes import Plan, environment, python
from benchmarks.results import ROOT, Row, load, save

ABOUT = {
    "date": "2024-02-29T12:00",
    "cpu": "Abacus 9000",
    "cores": 2,
    "load": 0.0,
    "commit": "0123456789ab",
    "versions": {"python": "3.12.0", "torch": "2.0"},
    "rounds": 3,
    "quick": False,
}
UNSTEADY = "**short** (unsteady, x3.0)"
ROWS = [
    Row("steps", "linear fit", "s", 10e-6, 40e-6, 0.35, median=0.24, spread=1.1),
    Row("steps", "linear fit", "s", 16e-6, 40e-6, 0.385, threads=2, spread=3),
    Row("pointwise", "exp 1,000", "s", 3e-6, 2e-6),
    Row("losses", "softmax 64x10", "s", None, 2e-6, note="TypeError: no dim"),
    Row("memory", "growth", "MiB", 0.25, 0.0, 1.5, "ours"),
]


@pytest.fixture
def results(tmp_path):
    """A function that writes rows as a result file and returns its path."""

    def write(name, rows):
        save(tmp_path / name, ABOUT, rows)
        return tmp_path / name

    return write


@functools.cache
def first_value(T, case):
    T.manual_seed(0)
    return float(case.make(T)().detach().abs().mean())


# ---------------------------------------------------------------- cases
def test_case_names_are_unique():
    assert len(BY_NAME) == len(CASES)


ALL = [pytest.param(c, id=c.name, marks=[pytest.mark.slow] * (c.section == "vision")) for c in CASES]


@pytest.mark.parametrize("case", ALL)
def test_case_runs_in_torch(case):
    assert math.isfinite(first_value(torch, case))


@pytest.mark.parametrize("case", ALL)
def test_minitorch_computes_what_torch_computes(case):
    expected = first_value(torch, case)
    assert first_value(minitorch, case) == pytest.approx(expected, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("case", [c for c in CASES if c.section == "steps"], ids=lambda c: c.name)
def test_steps_learn(case):
    """A step that leaves the loss where it was would not be the work of training."""
    torch.manual_seed(0)
    step = case.make(torch)
    losses = [float(step().detach().sum()) for _ in range(5)]
    if case.name.startswith("one recorded op"):
        assert losses[0] == losses[-1]
    else:
        assert losses[-1] < losses[0]


# ---------------------------------------------------------------- report and comparison
def test_results_survive_the_file(results):
    assert load(results("a.json", ROWS)) == (ABOUT, ROWS)


def test_result_file_states_ratio_and_target(results):
    first = json.loads(results("a.json", ROWS).read_text())["rows"][0]
    assert (first["ratio"], first["target"]) == (0.25, 0.35)


def test_report_sets_every_ratio_beside_its_target(results):
    text = report.write(results("a.json", ROWS)).read_text()
    assert "Abacus 9000, 2 cores" in text and "commit 0123456789ab" in text
    for line in (
        "| linear fit | 1 thread | 10 us | 40 us | 0.250 | 0.240 | 0.35 | holds |",
        f"| linear fit | 2 threads | 16 us | 40 us | 0.400 | - | 0.385 | {UNSTEADY} |",
        "| exp 1,000 | 1 thread | 3 us | 2 us | 1.500 | - | - |  |",
        "| softmax 64x10 | 1 thread | - | 2 us | - | - | - | **fails**: TypeError: no dim |",
        "| growth | 1 thread | 0.2 MiB | 0.0 MiB | - | - | 1.5 MiB | holds |",
    ):
        assert line in text.splitlines()
    assert "2 of 4 figures with a target hold" in text


def test_report_draws_the_ratios(results):
    path = report.write(results("a.json", ROWS)).with_name("report.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_comparison_catches_a_planted_slowdown(results, capsys):
    slowed = [replace(ROWS[0], ours=1.2 * ROWS[0].ours), *ROWS[1:]]
    assert compare.main([str(results("old.json", ROWS)), str(results("new.json", slowed))]) == 1
    assert "linear fit, cpu, threads 1: 0.250 -> 0.300 of torch (+20 %)" in capsys.readouterr().out


def test_comparison_looks_at_ratios_not_at_times(results):
    slower_machine = [replace(r, ours=r.ours and 3 * r.ours, torch=3 * r.torch) for r in ROWS]
    files = str(results("old.json", ROWS)), str(results("new.json", slower_machine))
    assert compare.main(list(files)) == 0


def test_comparison_tolerates_a_tenth_and_no_more(results):
    old = str(results("old.json", ROWS))
    for factor, status in ((1.09, 0), (1.11, 1)):
        new = results("new.json", [replace(r, ours=r.ours and factor * r.ours) for r in ROWS])
        assert compare.main([old, str(new)]) == status


def test_comparison_fails_where_a_figure_is_lost(results, capsys):
    lost = [replace(ROWS[0], ours=None, note="crashed"), *ROWS[2:]]
    assert compare.main([str(results("old.json", ROWS)), str(results("new.json", lost))]) == 1
    assert capsys.readouterr().out.count("no result now") == 2


# ---------------------------------------------------------------- harness
def run_quickly(tmp_path, *arguments):
    pytest.importorskip("pytest_benchmark")  # of the extra `bench`, which tests do without
    path = tmp_path / "results.json"
    run.main(["--quick", "--threads", "1", "--output", str(path), *arguments])
    return load(path)[1]


@pytest.mark.slow
def test_harness_measures_torch_against_itself(tmp_path):
    rows = run_quickly(tmp_path, "--candidate", "torch", "--only", "losses")
    assert [row.name for row in rows] == [c.name for c in CASES if c.section == "losses"]
    assert all(row.holds is None and row.ratio > 0 for row in rows)
    assert (tmp_path / "report.md").exists()


def test_harness_reports_why_a_case_fails(tmp_path):
    rows = run_quickly(tmp_path, "--candidate", "numpy", "--only", "matmul")
    assert all(row.holds is False and "manual_seed" in row.note for row in rows)


def test_harness_measures_minitorch(tmp_path):
    rows = run_quickly(tmp_path, "--only", "matmul")
    assert [row.note for row in rows] == [""] * len(rows)


def test_cuda_is_measured_besides_the_cpu_and_held_to_no_target(monkeypatch):
    monkeypatch.setattr(speed, "has_cuda", lambda framework: framework == "torch")
    *on_cpu, (threads, devices) = speed.settings(Plan("minitorch", (1, 2), 1, True))
    assert [devices["torch"] for _, devices in on_cpu] == ["cpu", "cpu"]
    assert devices == {"torch": "cuda", "ours": "cpu"}
    record = {"stats": {"min": 1.0, "median": 1.0}, "extra_info": {"value": 0.5}}
    taken = {"ours": [record], "torch": [record]}
    row = speed.compared(BY_NAME["linear fit"], threads, devices, taken)
    assert (row.device, row.target, row.holds) == ("cpu against cuda", None, None)


def test_different_work_is_not_a_result():
    other = {"stats": {"min": 1.0, "median": 1.0}, "extra_info": {"value": 0.5}}
    torchs = {"stats": {"min": 4.0, "median": 4.0}, "extra_info": {"value": 0.6}}
    taken = {"ours": [other], "torch": [torchs]}
    both = {"ours": "cpu", "torch": "cpu"}
    row = speed.compared(BY_NAME["linear fit"], 1, both, taken)
    assert row.holds is False and row.note == "computed 0.5, torch 0.6"


def test_measured_processes_have_their_threads_pinned():
    code = "import torch; print(torch.get_num_threads())"
    for threads in (1, 2):
        assert python("-c", code, threads=threads).strip() == str(threads)


def test_compiled_kernels_are_counted_without_their_helpers(tmp_path, monkeypatch):
    module = tmp_path / "jitted.py"
    module.write_text(
        "from numba import njit\n"
        "@njit\ndef twice(x): return 2 * x\n"
        "@njit\ndef kernel(x): return twice(x) + 1\n"
        "def manual_seed(seed): kernel(seed), kernel(float(seed))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    step = BY_NAME["linear fit"]._replace(make=lambda T: lambda: torch.zeros(1))
    monkeypatch.setitem(BY_NAME, "jitted", step)
    answer = child.compiled("jitted", "jitted")
    assert answer["kernels"] == 2 and 0 < answer["seconds"] < 60


def test_growth_of_memory_is_seen():
    leak = (
        "from benchmarks import child\n"
        "kept = []\n"
        "fit = child.BY_NAME['linear fit']\n"
        "leak = fit._replace(make=lambda T: lambda: kept.append([0] * 999))\n"
        "child.BY_NAME['leak'] = leak\n"
        "print(child.steps('json', 'leak', 1_000)['growth'])\n"
    )
    assert float(python("-c", leak, threads=1)) > 5


def test_benchmarks_run_from_any_folder(tmp_path):
    command = [sys.executable, "-m", "benchmarks.child", "imported", "json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(1), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["heavy"] == 0
    assert (ROOT / "benchmarks" / "child.py").exists()
