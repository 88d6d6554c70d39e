"""What the README shows is what happens."""

import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minitorch

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CODE = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PRINTED = re.findall(r"^```text\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_every_example_shows_its_output():
    assert len(CODE) == len(PRINTED) > 2


@pytest.mark.parametrize("number", range(len(CODE)))
def test_readme_example_prints_what_the_readme_says(number):
    done = subprocess.run([sys.executable, "-W", "error", "-c", CODE[number]], capture_output=True, text=True)
    assert done.stdout == PRINTED[number], done.stderr


def test_the_operation_in_contributing_is_what_the_files_have():
    blocks = re.findall(
        r"^```\w+\n# (\S+\.py)\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert [file for file, _ in blocks] == ["minitorch/_ops/activations.py", "tests/optable.py"]
    for file, text in blocks:
        assert text.rstrip() in (ROOT / file).read_text()


def test_help_shows_the_formula_of_an_operation():
    assert "return x / (1.0 + exp(-x))" in pydoc.render_doc(minitorch.nn.functional.silu)
