"""What the README shows is what happens."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
CODE = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PRINTED = re.findall(r"^```text\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_every_example_shows_its_output():
    assert len(CODE) == len(PRINTED) > 2


@pytest.mark.parametrize("number", range(len(CODE)))
def test_readme_example_prints_what_the_readme_says(number):
    done = subprocess.run([sys.executable, "-W", "error", "-c", CODE[number]], capture_output=True, text=True)
    assert done.stdout == PRINTED[number], done.stderr
