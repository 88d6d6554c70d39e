"""A row of results, and the files that hold them together with the machine they were taken on."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import subprocess
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True)
class Row:
    """One measured figure, with torch's beside it; `target` bounds the ratio, or `ours` itself.

    Of a case, the figure is the fastest time within a process (the median over the processes), and
    `median` the ratio of the median times: with other work on the machine, torch against itself
    gave 0.95-1.03 by the former and 0.74-1.22 by the latter. `spread` is the slowest process over
    the fastest, of the worse side.
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


def processor() -> str:
    """The CPU's model name; `platform.processor()` is empty on most Linux systems."""
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def commit() -> str:
    def git(*command):
        return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True)

    head = git("rev-parse", "--short=12", "HEAD")
    if head.returncode:
        return "none"
    return head.stdout.strip() + ("+changes" if git("status", "--porcelain").stdout else "")


def machine() -> dict:
    """What a ratio depends on besides the code."""
    return {
        "date": datetime.datetime.now().isoformat(timespec="minutes"),
        "cpu": processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "commit": commit(),
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("torch", "numpy", "numba")},
        },
    }


def save(path: Path, about: dict, rows: list[Row]) -> None:
    written = [{**asdict(row), "ratio": row.ratio} for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**about, "rows": written}, indent=1) + "\n")


def load(path: Path) -> tuple[dict, list[Row]]:
    about = json.loads(Path(path).read_text())
    rows = about.pop("rows")
    for row in rows:
        del row["ratio"]  # derived, and in the file for its human readers
    return about, [Row(**row) for row in rows]


def path_for(about: dict) -> Path:
    cpu = re.sub(r"\W+", "-", about["cpu"].lower()).strip("-")
    return RESULTS / f"{about['date'][:10]}-{cpu}.json"


def newest() -> Path:
    files = sorted(RESULTS.glob("*.json"), key=lambda path: path.stat().st_mtime)
    if not files:
        raise SystemExit(f"no results in {RESULTS}: run `python -m benchmarks.run` first")
    return files[-1]
