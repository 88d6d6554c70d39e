"""A row of results, and the files that hold them together with the machine they were taken on."""

from __future__ import annotations

import ctypes
import datetime
import json
import math
import os
import platform
import re
import statistics
import subprocess
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
ALLOWED = 1.1  # targets are for one thread; with more, a ratio may be this much above them
MACHINE = ("cpu", "cores", "versions", "candidate", "quick")


@dataclass(frozen=True)
class Row:
    """One measured figure, with torch's beside it; `target` bounds the ratio, or `ours` itself.

    Of a case, the figure is the fastest time within a process (the median over the processes), and
    `median` the ratio of the median times: with other work on the machine, torch against itself
    gave 0.95-1.03 by the former and 0.74-1.22 by the latter. `spread` is the slowest process over
    the fastest, of the worse side; `low` and `high` are the ratio of the best and the worst round.
    `flops` and `bytes` are what a step computes and at least moves, for the roofline.
    """

    section: str
    name: str
    unit: str
    ours: float | None
    torch: float | None = None
    target: float | None = None
    bounds: str = "ratio"
    threads: int = 1
    device: str = "cpu"
    median: float | None = None
    spread: float | None = None
    low: float | None = None
    high: float | None = None
    flops: float = 0
    bytes: float = 0
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.torch if self.ours is not None and self.torch else None

    @property
    def holds(self) -> bool | None:
        """None where there is nothing to hold to."""
        if self.ours is None or self.note:
            return False
        if self.target is None:
            return None
        judged = self.ratio if self.bounds == "ratio" else self.ours
        return judged is not None and judged <= self.target

    @property
    def key(self) -> tuple:
        return self.section, self.name, self.device, self.threads


def target_at(target: float | None, threads: int) -> float | None:
    return target if target is None or threads == 1 else target * ALLOWED


def compared(taken: dict[str, list[dict]], row: Row) -> Row:
    """The row with the figures of both sides, of which each answer of a round has `min`, `median` and `value`."""

    def figures(side: str, key: str) -> list[float]:
        return [answer[key] for answer in taken[side]]

    def ratio_of_middles(key: str) -> float:
        return statistics.median(figures("ours", key)) / statistics.median(figures("torch", key))

    rounds = [ours / torch for ours, torch in zip(figures("ours", "min"), figures("torch", "min"), strict=True)]
    ours, torch = (taken[side][0]["value"] for side in ("ours", "torch"))
    same = math.isclose(ours, torch, rel_tol=1e-3, abs_tol=1e-6)
    return replace(
        row,
        ours=statistics.median(figures("ours", "min")),
        torch=statistics.median(figures("torch", "min")),
        median=ratio_of_middles("median"),
        spread=max(max(figures(side, "min")) / min(figures(side, "min")) for side in taken),
        low=min(rounds),
        high=max(rounds),
        note="" if same else f"computed {ours:.6g}, torch {torch:.6g}",
    )


def processor() -> str:
    """The CPU's model name, which on rented machines may be no more than a brand, and LLVM's name of its kind.

    `platform.processor()` is empty on most Linux systems.
    """
    from llvmlite.binding import get_host_cpu_name

    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    name = found[1].strip() if found else platform.processor() or platform.machine()
    return f"{name} ({get_host_cpu_name()})"


def openblas() -> str:
    """The kernels of NumPy's OpenBLAS: its choice for the processor, or that of OPENBLAS_CORETYPE."""
    from minitorch._kernels.cpu.threads import blas

    name = blas("get_corename")
    if name is None:
        return "none"
    name.restype = ctypes.c_char_p
    return name().decode()


def commit() -> str:
    def git(*command):
        return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True)

    head = git("rev-parse", "--short=12", "HEAD")
    if head.returncode:
        return "none"
    return head.stdout.strip() + ("+changes" if git("status", "--porcelain").stdout else "")


def machine() -> dict[str, Any]:
    """What a ratio depends on besides the code."""
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("torch", "numpy", "numba")},
            "OpenBLAS kernels": openblas(),
        },
    }


def now() -> dict[str, Any]:
    """When and with what a part of the benchmarks was run."""
    return {
        "date": datetime.datetime.now().isoformat(timespec="minutes"),
        "commit": commit(),
        "load": os.getloadavg()[0],
    }


def save(path: Path, about: dict, rows: list[Row]) -> None:
    """Replace the file at once: a run that is interrupted leaves the last whole state."""
    written = [{**asdict(row), "ratio": row.ratio} for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(json.dumps({**about, "rows": written}, indent=1) + "\n")
    os.replace(beside, path)


def load(path: Path) -> tuple[dict, list[Row]]:
    about = json.loads(Path(path).read_text())
    rows = about.pop("rows")
    for row in rows:
        del row["ratio"]  # derived, and in the file for its human readers
    return about, [Row(**row) for row in rows]


def begun(path: Path, about: dict) -> tuple[dict, list[Row]]:
    """The file as it is, to be continued; new if there is none. Of another machine or version, it is refused."""
    if not path.exists():
        return {**about, "parts": {}}, []
    before, rows = load(path)
    if different := [key for key in MACHINE if before[key] != about[key]]:
        raise SystemExit(f"{path} was taken with another {different[0]}: {before[different[0]]}; give another --output")
    return before, rows


def merged(old: list[Row], new: list[Row]) -> list[Row]:
    """The rows, each figure measured again in its old place."""
    found = {row.key: row for row in old} | {row.key: row for row in new}
    return list(found.values())


def path_for(about: dict) -> Path:
    cpu = re.sub(r"\W+", "-", about["cpu"].lower()).strip("-")
    return RESULTS / f"cpu-{datetime.date.today()}-{cpu}.json"


def newest() -> Path:
    files = sorted(RESULTS.glob("cpu-*.json"), key=lambda path: path.stat().st_mtime)
    if not files:
        raise SystemExit(f"no results in {RESULTS}: run `python -m benchmarks.run` first")
    return files[-1]
