"""What the README shows is what happens, and what the docs name is there."""

import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minitorch

ROOT = Path(__file__).parents[1]
READMES = [ROOT / "README.md", *sorted(ROOT.glob("minitorch/**/README.md"))]


DOCS = [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md", *READMES]


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


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.relative_to(ROOT).as_posix())
def test_files_that_the_docs_name_are_there(doc):
    folders = "minitorch", "tests", "benchmarks", "examples", "reference"
    files = "".join(
        f"/{p.relative_to(ROOT).as_posix()}\n" for folder in folders for p in (ROOT / folder).rglob("*.py*")
    )
    text = re.sub(r"^```.*?^```", "", doc.read_text(), flags=re.MULTILINE | re.DOTALL)
    named = re.findall(r"`(?:\.\./)?([\w./]+\.pyi?)`", text)
    assert named
    assert not [name for name in named if f"/{name}\n" not in files]


def test_the_map_names_every_file_of_ops_and_of_the_cpus_kernels():
    text = (ROOT / "docs" / "architecture.md").read_text()
    files = [p for folder in ("_ops", "_kernels", "_kernels/cpu") for p in (ROOT / "minitorch" / folder).glob("*.py")]
    assert len(files) > 100
    assert not [p.name for p in files if p.name != "__init__.py" and not re.search(rf"[`/]{p.name}`", text)]


def test_help_shows_the_formula_of_an_operation():
    assert "return x / (1.0 + exp(-x))" in pydoc.render_doc(minitorch.nn.functional.silu)
