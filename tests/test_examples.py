"""The README and the two examples it sends a reader to, run as the reader runs them."""

import importlib.util
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import minitorch

ROOT = Path(__file__).resolve().parents[1]
PNG = b"\x89PNG\r\n\x1a\n"

# Put before the script: an import of one of these then fails as it does where it is not installed.
WITHOUT = "import runpy, sys; sys.modules.update(dict.fromkeys({missing!r}))\n"
RUN = "sys.argv = [{path!r}]; runpy.run_path({path!r}, run_name='__main__')"


def run(*command, cwd):
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        # On a GPU torch adds up in another order; minitorch is compared on the CPU.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done


def run_without(missing, script, cwd):
    code = WITHOUT.format(missing=missing) + RUN.format(path=str(ROOT / script))
    return run("-c", code, cwd=cwd)


def last_line(done):
    return done.stdout.splitlines()[-1]


README = (ROOT / "README.md").read_text()


def test_readmes_first_two_sh_blocks_are_commands_of_one_line():
    first, second = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert first.count("\n") == second.count("\n") == 1
    assert "venv" in first
    assert "examples/linear_fit.py" in first
    assert "venv" in second
    assert "pytest" in second


def test_readmes_python_differs_from_torchs_in_the_import_alone():
    blocks = re.findall(r"^```(python|text)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert [kind for kind, _ in blocks] == ["python", "python", "text", "text"] + ["python", "text"] * 2
    (_, code), (_, torchs_code), (_, printed), (_, torchs_printed), *_ = blocks
    assert code == torchs_code.replace("import torch", "import minitorch as torch")
    assert printed == torchs_printed


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_to_files_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / page).read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.fixture(scope="module")
def linear_fit(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("linear_fit")
    return run(ROOT / "examples/linear_fit.py", cwd=cwd), cwd


def test_linear_fit_ends_at_the_published_values(linear_fit):
    done, _ = linear_fit
    assert last_line(done) == "w = 5.3671, b = -17.3012"


def test_linear_fit_shows_a_progress_bar(linear_fit):
    done, _ = linear_fit
    assert "100%" in done.stderr
    assert "5000/5000" in done.stderr


def test_linear_fit_saves_a_picture(linear_fit):
    _, cwd = linear_fit
    assert (cwd / "linear_fit.png").read_bytes().startswith(PNG)


def test_linear_fit_finds_one_gradient_in_three_ways(linear_fit):
    done, _ = linear_fit
    rows = re.findall(r"^by .*?(-?[\d.]+) +(-?[\d.]+)$", done.stdout, re.MULTILINE)
    assert rows == [("-77.6140", "-10.6400")] * 3


def test_linear_fit_prints_torchs_very_words(linear_fit, tmp_path):
    done, _ = linear_fit
    assert done.stdout == run(ROOT / "reference/linear_fit.py", cwd=tmp_path).stdout


def test_linear_fit_runs_without_tqdm_and_matplotlib(tmp_path):
    missing = ["tqdm", "matplotlib", "matplotlib.figure"]
    done = run_without(missing, "examples/linear_fit.py", tmp_path)
    assert "epoch 4000 of 5000" in done.stdout
    assert "matplotlib is not installed: no picture" in done.stdout
    assert last_line(done) == "w = 5.3671, b = -17.3012"
    assert list(tmp_path.iterdir()) == []


def load_digits_cnn():
    spec = importlib.util.spec_from_file_location("digits_cnn", ROOT / "examples/digits_cnn.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def first_losses(script, framework, steps, dtype="float32"):
    framework.manual_seed(0)
    pictures, labels, training, _ = script.make_data(framework)
    model = script.make_model(framework.nn).to(getattr(framework, dtype))
    losses = script.train(framework, model, pictures.to(getattr(framework, dtype)), labels, training, epochs=2)
    return list(itertools.islice(losses, steps))


# In float32 a unit's sign, or the largest of four pixels, may hang on the last bit: PyTorch at one thread and at two
# part from each other by 0.003 after 28 steps on a processor with AVX-512.
@pytest.mark.parametrize(("dtype", "steps", "error"), [("float32", 20, 1e-4), ("float64", 50, 1e-12)])
def test_digits_cnn_follows_torchs_loss_curve(dtype, steps, error):
    script = load_digits_cnn()
    ours, theirs = (first_losses(script, framework, steps, dtype) for framework in (minitorch, torch))
    assert len(ours) == steps
    assert ours == pytest.approx(theirs, abs=error, rel=0)


def test_digits_cnn_holds_out_the_same_digits_as_torch():
    script = load_digits_cnn()
    parts = []
    for framework in (minitorch, torch):
        framework.manual_seed(0)
        _, labels, training, held_out = script.make_data(framework)
        assert sorted(training.tolist() + held_out.tolist()) == list(range(len(labels)))
        parts.append((training.tolist(), held_out.tolist()))
    assert parts[0] == parts[1]
    assert len(parts[0][1]) == 359


def read_correctly(done):
    right, total = re.fullmatch(r"(\d+) of (\d+) held-out digits read correctly: [\d.]+%", last_line(done)).groups()
    return int(right), int(total)


def test_digits_cnn_reads_most_digits_after_two_epochs(tmp_path):
    done = run(ROOT / "examples/digits_cnn.py", "--epochs", "2", cwd=tmp_path)
    right, total = read_correctly(done)
    assert total == 359
    assert right >= 0.85 * total
    assert "training in minitorch" in done.stderr
    assert (tmp_path / "digits_cnn_minitorch.png").read_bytes().startswith(PNG)


@pytest.mark.slow
def test_digits_cnn_reads_98_percent_of_the_held_out_digits(tmp_path):
    right, total = read_correctly(run(ROOT / "examples/digits_cnn.py", cwd=tmp_path))
    assert right >= 0.98 * total


@pytest.mark.slow
def test_digits_cnn_runs_in_torch_too(tmp_path):
    right, total = read_correctly(run(ROOT / "examples/digits_cnn.py", "--torch", cwd=tmp_path))
    assert right >= 0.98 * total
    assert (tmp_path / "digits_cnn_torch.png").read_bytes().startswith(PNG)
