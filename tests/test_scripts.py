"""A script for every theme that PyTorch's tutorials have, run by torch here and by `python -m minitorch` without torch.

What the two print is compared line by line: the text is the same, the losses agree step by step.
"""

import contextlib
import io
import pathlib
import random
import re
import runpy
import sys
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from unmodified import minitorch, output

FOLDER = pathlib.Path(__file__).parent / "scripts"
# of every kind of script the one that takes least: pictures, text, tables, games
QUICK = ("basics", "classification", "cnn", "dqn", "reinforce", "regression", "tools", "word_language_model")
VISION = ("cnn", "forward_forward", "siamese", "super_resolution", "transfer_learning")
NUMBER = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+(?=e))(?:e[-+]?\d+)?")
LOSS = re.compile(rf"\d+ {NUMBER.pattern}")


def write_mnist(folder):
    """Files in MNIST's format: the digit's place says which it is, under noise."""
    rng = np.random.default_rng(0)
    (folder / "MNIST" / "raw").mkdir(parents=True)
    for part, n in (("train", 200), ("t10k", 100)):
        labels = np.arange(n, dtype=np.uint8) % 10
        images = rng.integers(0, 100, (n, 28, 28), dtype=np.uint8)
        for image, label in zip(images, labels):
            image[2 * label : 2 * label + 6, 5:20] += 150
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
            (folder / "MNIST" / "raw" / f"{part}-{kind}-ubyte").write_bytes(header + array.tobytes())


def write_pictures(folder):
    """Folders train/ and val/ with a folder for each of two classes, and a folder of single pictures."""
    rng = np.random.default_rng(0)
    for name, n in {"train/ants": 12, "train/bees": 12, "val/ants": 4, "val/bees": 4, "single": 16}.items():
        (folder / name).mkdir(parents=True)
        for i in range(n):
            pixels = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
            pixels[..., 0] //= 4 if name.endswith("ants") else 1
            Image.fromarray(pixels).resize((48, 40), Image.Resampling.BICUBIC).save(folder / name / f"{i:02}.png")


def arguments(name, folder):
    """What the script `name` is called with; its data is written into `folder`."""
    if name in ("cnn", "forward_forward", "siamese"):
        write_mnist(folder)
        return ["--data", str(folder)]
    if name in ("super_resolution", "transfer_learning"):
        write_pictures(folder)
        return ["--data", str(folder / "single" if name == "super_resolution" else folder)]
    return []


def by_torch(script, args, monkeypatch):
    """What the script prints with torch: in this process, which has imported torch anyway."""
    monkeypatch.setattr(sys, "argv", [str(script), *args])
    text = io.StringIO()
    states = random.getstate(), np.random.get_state()
    with contextlib.redirect_stdout(text), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runpy.run_path(str(script), run_name="__main__")
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_printoptions(profile="default")
    return text.getvalue()


def differences(ours, torchs):
    """The lines that tell the two outputs apart; a number may be off in its last digits, a loss by 1e-4 of itself."""
    pairs = list(zip(ours.splitlines(), torchs.splitlines(), strict=True))
    return [f"{a}   (torch: {b})" for a, b in pairs if not alike(a, b)]


def alike(a, b):
    if NUMBER.sub("#", a) != NUMBER.sub("#", b):
        return False
    rel, abs_ = (1e-4, 1e-9) if LOSS.fullmatch(b) else (1e-3, 2e-4)
    return all(
        float(x) == pytest.approx(float(y), rel=rel, abs=abs_) for x, y in zip(NUMBER.findall(a), NUMBER.findall(b))
    )


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK))
        for name in sorted(path.stem for path in FOLDER.glob("*.py"))
    ],
)
def test_script_prints_the_losses_that_it_prints_with_torch(name, tmp_path, monkeypatch):
    if name in VISION:
        pytest.importorskip("torchvision")
    args = arguments(name, tmp_path)
    torchs = by_torch(FOLDER / f"{name}.py", args, monkeypatch)
    assert sum(LOSS.fullmatch(line) is not None for line in torchs.splitlines()) >= 20
    ours = output(minitorch(tmp_path, str(FOLDER / f"{name}.py"), *args))
    assert not differences(ours, torchs)


def test_differences_are_found():
    assert not differences("0 1.00001\nw -0.12349 b", "0 1.00005\nw -0.1235 b")
    assert differences("0 1.0002", "0 1.0") == ["0 1.0002   (torch: 0 1.0)"]
    assert differences("3 of 4", "4 of 4") and differences("tensor([1.1])", "tensor([1.2])")
