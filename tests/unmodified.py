"""Runs programs as users do: by `python`, or by `python -m minitorch` where PyTorch cannot be imported."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]

# found by every interpreter that starts, so that no process of a run can have the real packages
NO_TORCH = """
import sys

class Blocked:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in ("torch", "torchvision"):
            raise AssertionError(f"the real {name} was looked for")

sys.meta_path.insert(0, Blocked)
"""


def environment(folder: pathlib.Path, **more: str) -> dict[str, str]:
    """The environment of a process that finds minitorch and no torch."""
    (folder / "blocker").mkdir(exist_ok=True)
    (folder / "blocker" / "sitecustomize.py").write_text(NO_TORCH)
    return {**os.environ, "PYTHONPATH": f"{folder / 'blocker'}{os.pathsep}{ROOT}", **more}


def python(folder: pathlib.Path, *args: str, **more) -> subprocess.CompletedProcess:
    """`python args` in `folder`, without torch."""
    command = [sys.executable, *args]
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=300, **more
    )


def minitorch(folder: pathlib.Path, *args: str, **more) -> subprocess.CompletedProcess:
    """`python -m minitorch args` in `folder`, without torch."""
    return python(folder, "-m", "minitorch", *args, **more)


def output(result: subprocess.CompletedProcess) -> str:
    """What a program that should succeed has printed."""
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    return result.stdout
