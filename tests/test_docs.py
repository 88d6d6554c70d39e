"""What the README shows is what happens."""

import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minitorch

ROOT = Path(__file__).parents[1]
READMES = [ROOT / "README.md", *sorted(ROOT.glob("minitorch/**/README.md"))]


def blocks(file, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", file.read_text(), re.MULTILINE | re.DOTALL)


EXAMPLES = {f"{file.parent.name} {i}": (file, i) for file in READMES for i in range(len(blocks(file, "python")))}


def test_every_example_shows_its_output():
    assert [len(blocks(file, "python")) for file in READMES] == [len(blocks(file, "text")) for file in READMES]
    assert len(EXAMPLES) > 4


@pytest.mark.parametrize("name", EXAMPLES)
def test_readme_example_prints_what_the_readme_says(name):
    file, i = EXAMPLES[name]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", blocks(file, "python")[i]], capture_output=True, text=True
    )
    assert done.stdout == blocks(file, "text")[i], done.stderr


def test_the_operation_in_contributing_is_what_the_files_have():
    found = re.findall(
        r"^```\w+\n# (\S+\.py)\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert [file for file, _ in found] == ["minitorch/_ops/activations.py", "tests/optable.py"]
    for file, text in found:
        assert text.rstrip() in (ROOT / file).read_text()


def test_help_shows_the_formula_of_an_operation():
    assert "return x / (1.0 + exp(-x))" in pydoc.render_doc(minitorch.nn.functional.silu)
