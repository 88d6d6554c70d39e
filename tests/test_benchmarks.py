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
from benchmarks import child, compare, report, roofline, run, speed
from benchmarks.cases import CASES
from benchmarks.processes import Failed, Plan, environment, python
from benchmarks.results import ROOT, Row, begun, compared, load, merged, save
from benchmarks.workloads import BY_NAME, WORKLOADS

TAKEN = {"date": "2024-02-29T12:00", "commit": "0123456789ab", "load": 0.5, "rounds": 3, "threads": [1], "minutes": 2}
ABOUT = {
    "cpu": "Abacus 9000",
    "cores": 2,
    "versions": {"python": "3.12.0", "torch": "2.0"},
    "candidate": "minitorch",
    "quick": False,
    "parts": {"workloads": TAKEN},
}
UNSTEADY = "**short** (unsteady, x3.0)"
ROWS = [
    Row("workloads", "linear fit", "s", 10e-6, 40e-6, 0.35, median=0.24, spread=1.1, low=0.24, high=0.26),
    Row("workloads", "linear fit", "s", 16e-6, 40e-6, 0.385, threads=2, spread=3),
    Row("families", "exp, 1,000", "s", 3e-6, 2e-6),
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
    return float(case.make(T)().detach().float().abs().mean())


# ---------------------------------------------------------------- cases
def test_case_names_are_unique():
    assert len({case.name for case in CASES}) == len(CASES)


def quick(case):
    """Families at their smallest, and the first case of every other section."""
    if case.section == "families":
        return case.name.endswith(", 1,000")
    return case == next(c for c in CASES if c.section == case.section)


ROWS_TO_COMPARE = [
    *(pytest.param(c, id=c.name, marks=[pytest.mark.slow] * (not quick(c))) for c in CASES),
    *(pytest.param(w, id=w.name, marks=[pytest.mark.slow] * (w.name[:2] > "W4")) for w in WORKLOADS),
]


@pytest.mark.parametrize("case", ROWS_TO_COMPARE)
def test_minitorch_computes_what_torch_computes(case):
    expected, value = first_value(torch, case), first_value(minitorch, case)
    assert math.isfinite(expected)
    assert value == pytest.approx(expected, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("case", [w for w in WORKLOADS if "W1" <= w.name[:2] <= "W4"], ids=lambda w: w.name)
def test_workloads_learn(case):
    """A step that leaves the loss where it was would not be the work of training."""
    torch.manual_seed(0)
    step = case.make(torch)
    losses = [float(step().detach().sum()) for _ in range(5)]
    assert losses[-1] < losses[0]


# ---------------------------------------------------------------- report and comparison
def test_results_survive_the_file(results):
    assert load(results("a.json", ROWS)) == (ABOUT, ROWS)


def test_result_file_states_ratio_and_target(results):
    first = json.loads(results("a.json", ROWS).read_text())["rows"][0]
    assert (first["ratio"], first["target"]) == (0.25, 0.35)


def test_report_sets_every_ratio_beside_its_target(results):
    text = report.write(results("a.json", ROWS)).read_text()
    assert "Abacus 9000, 2 cores" in text and "| workloads | 2024-02-29T12:00 | 0123456789ab | 0.5 | 3 | 2 |" in text
    for line in (
        "| linear fit | 1 thread | 10 us | 40 us | 0.250 | 0.240 | 0.35 | holds |",
        f"| linear fit | 2 threads | 16 us | 40 us | 0.400 | - | 0.385 | {UNSTEADY} |",
        "| exp, 1,000 | 1 thread | 3 us | 2 us | 1.500 | - | - |  |",
        "| softmax 64x10 | 1 thread | - | 2 us | - | - | - | **fails**: TypeError: no dim |",
        "| growth | 1 thread | 0.2 MiB | 0.0 MiB | - | - | 1.5 MiB | holds |",
    ):
        assert line in text.splitlines()
    assert "2 of 4 figures with a target hold" in text


def test_report_draws_a_picture_for_each_section_with_ratios(results):
    folder = report.write(results("a.json", ROWS)).parent
    assert sorted(path.name for path in folder.glob("*.png")) == ["ratios-families.png", "ratios-workloads.png"]
    assert (folder / "ratios-workloads.png").read_bytes().startswith(b"\x89PNG")


def test_report_places_rows_under_the_roof(results):
    peaks = [Row("roofline", roofline.ARITHMETIC, "flop/s", 9e10), Row("roofline", roofline.TRAFFIC, "B/s", 2e10)]
    placed = Row("matmul", "64x64x64", "s", 1e-5, 2e-5, flops=2 * 64**3, bytes=12 * 64**2)
    moving = Row("families", "copy, 10,000,000", "s", 8e-3, 9e-3, bytes=8e7)
    for rows in ([moving], [placed], [placed, moving]):
        text = report.write(results("a.json", [*peaks, *rows])).read_text()
        assert "(roofline.png)" in text
    assert "(roofline.png)" in text and "| 90.0 GFLOP/s |" in text and "| 20.0 GB/s |" in text


def test_report_says_that_no_gpu_was_there_until_one_was(results, tmp_path):
    cpu = results("cpu-1.json", ROWS)
    assert report.write(cpu).read_text().endswith("## GPU\n\nNot yet run on a GPU.\n")
    save(
        tmp_path / "gpu-1.json", {"machine": "One Abacus G1"}, [Row("gpu", "add", "s", 1e-6, 2e-6, 1.0, device="cuda")]
    )
    text = report.write(cpu).read_text()
    assert "One Abacus G1: 1 of 1 figures" in text and "| add | cuda | 1 us | 2 us | 0.500 |" in text


def slowed(row, factor):
    """The row as it would be if minitorch took so much longer in every round."""
    longer = {name: getattr(row, name) and factor * getattr(row, name) for name in ("ours", "low", "high")}
    return replace(row, **longer)


def test_comparison_catches_a_planted_slowdown(results, capsys):
    new = [slowed(ROWS[0], 1.2), *ROWS[1:]]
    assert compare.main([str(results("old.json", ROWS)), str(results("new.json", new))]) == 1
    assert "linear fit, cpu, threads 1: 0.250 -> 0.300 of torch (+20 %)" in capsys.readouterr().out


def test_comparison_names_what_lies_within_the_scatter_of_the_rounds_and_does_not_fail(results, capsys):
    noisy = replace(slowed(ROWS[0], 1.2), low=0.255)
    assert compare.main([str(results("old.json", ROWS)), str(results("new.json", [noisy, *ROWS[1:]]))]) == 0
    said = capsys.readouterr().out
    assert "to be measured again" in said and "linear fit, cpu, threads 1: 0.250 -> 0.300" in said


def test_comparison_looks_at_ratios_not_at_times(results):
    slower_machine = [replace(r, ours=r.ours and 3 * r.ours, torch=3 * r.torch) for r in ROWS]
    files = str(results("old.json", ROWS)), str(results("new.json", slower_machine))
    assert compare.main(list(files)) == 0


def test_comparison_tolerates_a_tenth_and_no_more(results):
    old = str(results("old.json", ROWS))
    for factor, status in ((1.09, 0), (1.11, 1)):
        new = results("new.json", [slowed(r, factor) for r in ROWS])
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
    rows = run_quickly(tmp_path, "--candidate", "torch", "--only", "kernels", "--match", "softmax")
    assert [row.name for row in rows] == [c.name for c in CASES if c.section == "losses" and "softmax" in c.name]
    assert all(row.note == "" and row.ratio > 0 for row in rows)
    assert (tmp_path / "report.md").exists()


@pytest.mark.slow
def test_a_slowdown_planted_in_a_framework_is_caught(tmp_path, monkeypatch):
    (tmp_path / "slow_torch.py").write_text(
        "import time, torch\n"
        "from torch import *\n"
        "from torch import nn, autograd\n"
        "def softmax(x, dim):\n"
        "    time.sleep(0.01)\n"
        "    return torch.softmax(x, dim)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name, candidate in (("old", "torch"), ("new", "slow_torch")):
        wanted = ("--only", "kernels", "--match", "softmax 64x1000", "--rounds", "2", "--threads", "1")
        run.main([*wanted, "--candidate", candidate, "--output", str(tmp_path / f"{name}.json")])
    assert compare.main([str(tmp_path / "old.json"), str(tmp_path / "new.json")]) == 1


@pytest.mark.slow
def test_harness_reports_why_a_case_fails(tmp_path):
    rows = run_quickly(tmp_path, "--candidate", "numpy", "--only", "kernels", "--match", "11x1x13")
    assert [row.holds for row in rows] == [False] and "manual_seed" in rows[0].note


def test_harness_measures_minitorch_and_continues_its_file(tmp_path, capsys):
    (first,) = run_quickly(tmp_path, "--only", "kernels", "--match", "11x1x13")
    assert (first.name, first.note) == ("11x1x13", "")
    part = load(tmp_path / "results.json")[0]["parts"]["kernels"]
    assert (part["rounds"], part["threads"]) == (1, [1])
    assert run_quickly(tmp_path, "--only", "kernels", "--resume") == [first]


def test_interrupted_run_keeps_the_parts_it_had(tmp_path, monkeypatch):
    def interrupted(plan):
        yield ROWS[2]
        raise KeyboardInterrupt

    monkeypatch.setitem(run.PARTS, "workloads", run.Part(lambda plan: [ROWS[0]], 1))
    monkeypatch.setitem(run.PARTS, "families", run.Part(interrupted, 1))
    with pytest.raises(KeyboardInterrupt):
        run.main(["--only", "workloads,families", "--output", str(tmp_path / "r.json")])
    about, rows = load(tmp_path / "r.json")
    assert rows == [ROWS[0]] and list(about["parts"]) == ["workloads"]


def test_process_that_dies_is_a_row_that_fails(tmp_path, monkeypatch):
    def dies(plan):
        yield ROWS[0]
        raise Failed("Segmentation fault")

    monkeypatch.setitem(run.PARTS, "workloads", run.Part(dies, 1))
    rows = run.measured(Plan("minitorch", (1,), 1, True), "workloads")
    assert rows == [ROWS[0], Row("workloads", "the rest of this part", "s", None, note="Segmentation fault")]


def test_file_of_another_machine_is_not_continued(results):
    with pytest.raises(SystemExit, match="another cpu: Abacus 9000; give another --output"):
        begun(results("a.json", ROWS), {**ABOUT, "cpu": "Abacus 9001"})


def test_figures_measured_again_take_their_rows_places():
    again = replace(ROWS[1], ours=1e-6)
    assert merged(ROWS, [again]) == [ROWS[0], again, *ROWS[2:]]


ANSWER = {"min": 1.0, "median": 1.0, "value": 0.5}
SOFTMAX = next(case for case in CASES if case.name == "softmax 64x10")


def test_cuda_is_measured_besides_the_cpu_and_held_to_no_target(monkeypatch):
    monkeypatch.setattr(speed, "has_cuda", lambda framework: framework == "torch")
    *on_cpu, (threads, devices) = speed.settings(Plan("minitorch", (1, 2), 1, True))
    assert [devices["torch"] for _, devices in on_cpu] == ["cpu", "cpu"]
    assert devices == {"torch": "cuda", "ours": "cpu"}
    row = speed.row_of(SOFTMAX, threads, devices, {"ours": [ANSWER], "torch": [ANSWER]})
    assert (row.device, row.target, row.holds) == ("cpu against cuda", None, None)


def test_case_that_fails_in_one_round_has_no_figure():
    taken = {"ours": [ANSWER, "TypeError: no dim"], "torch": [ANSWER, ANSWER]}
    row = speed.row_of(SOFTMAX, 1, {"ours": "cpu", "torch": "cpu"}, taken)
    assert (row.ours, row.note, row.holds) == (None, "TypeError: no dim", False)


def test_different_work_is_not_a_result():
    torchs = {"min": 4.0, "median": 4.0, "value": 0.6}
    row = compared({"ours": [ANSWER], "torch": [torchs]}, ROWS[0])
    assert row.holds is False and row.note == "computed 0.5, torch 0.6"


def test_figures_are_medians_over_rounds_and_the_ratios_bounds_go_by_round():
    ours, theirs = ([{**ANSWER, "min": t} for t in times] for times in ((1, 2, 6), (2, 5, 4)))
    row = compared({"ours": ours, "torch": theirs}, ROWS[0])
    assert (row.ours, row.torch, row.low, row.high, row.spread) == (2, 4, 0.4, 1.5, 6)


def test_measured_processes_have_their_threads_pinned():
    for framework, threads in (("minitorch", 1), ("minitorch", 2), ("torch", 2)):
        code = f"import {framework} as T; print(T.get_num_threads())"
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
    step = BY_NAME["W1 linear fit"]._replace(make=lambda T: lambda: torch.zeros(1))
    monkeypatch.setitem(BY_NAME, "jitted", step)
    answer = child.compiled("jitted", "jitted")
    assert answer["kernels"] == 2 and 0 < answer["seconds"] < 60


def test_growth_of_memory_is_seen():
    leak = (
        "from benchmarks import child\n"
        "kept = []\n"
        "fit = child.BY_NAME['W1 linear fit']\n"
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
