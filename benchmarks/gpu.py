"""Everything to be done on a GPU when there is one, worth most per minute first: smoke, parity, speed, bounds.

    python -m benchmarks.gpu                        # all of it; the results grow in benchmarks/results/gpu.json
    python -m benchmarks.gpu --only speed --minutes 10
    python -m benchmarks.gpu --dry-run              # the same lines on an emulated GPU, with tiny sizes
    python -m benchmarks.gpu --prepare FOLDER       # without a GPU: compile what the dry run launches, for sm_90
    python -m benchmarks.gpu --cubins FOLDER        # on the GPU: kernels from there, compiled only if missing

A worker process does one item after another and writes each result before the next begins. An item that raises is a
failed row. One that kills the worker, outlasts its time or leaves the GPU in error (a kernel that faulted does, for
good) is a failed row too, and a new worker goes on behind it.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "gpu.json"


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULTS, help="the results file")
    parser.add_argument("--only", default="", help="items whose name holds one of these words, separated by commas")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no item after so long")
    parser.add_argument("--dry-run", action="store_true", help="an emulated GPU and tiny sizes")
    parser.add_argument("--prepare", type=Path, help="dry run, then compile the kernels that it launched to here")
    parser.add_argument("--cubins", type=Path, help="the folder of kernels that --prepare made")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(given)


# ---------------------------------------------------------------------- results
class Results:
    """The results file: written anew, whole, after every item."""

    def __init__(self, path: Path):
        self.path = path
        self.content: dict[str, Any] = {"environment": {}, "rows": {}}
        if path.exists():
            self.content = json.loads(path.read_text())

    @property
    def rows(self) -> dict[str, Any]:
        return self.content["rows"]

    def put(self, name: str, row: dict[str, Any]) -> None:
        self.rows[name] = row
        self.write()

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".part")
        beside.write_text(json.dumps(self.content, indent=1) + "\n")
        os.replace(beside, self.path)


def environment(dry: bool) -> dict[str, Any]:
    """What the numbers were measured with."""
    versions = {}
    for name in ("numpy", "numba", "torch", "cuda-bindings", "nvidia-nvvm", "nvidia-nvjitlink"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    return {
        "device": "emulated" if dry else gpus(), "python": platform.python_version(), "versions": versions,
        "commit": commit, "time": time.strftime("%Y-%m-%d %H:%M:%S"), "dry run": dry,
    }  # fmt: skip


def gpus() -> str:
    """The driver's line for each GPU; empty where there is none."""
    ask = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,clocks.sm", "--format=csv,noheader"]
    with contextlib.suppress(OSError):
        found = subprocess.run(ask, capture_output=True, text=True)
        return found.stdout.strip() if not found.returncode else ""
    return ""


# ---------------------------------------------------------------------- the worker
@contextlib.contextmanager
def device(dry: bool) -> Iterator[Any]:
    """The GPU, or an emulated one."""
    sys.path.insert(0, str(ROOT / "tests"))  # whose modules name each other so
    if not dry:
        yield None
        return
    from tests.emulated_gpu import emulated

    with emulated() as driver:
        yield driver


def bench(dry: bool) -> Any:
    import numpy as np

    if not hasattr(np, "row_stack"):  # older versions of the compiler ask NumPy for it
        np.row_stack = np.vstack  # type: ignore[attr-defined]
    import torch

    import minitorch
    from benchmarks.gpu_items import Bench

    return Bench(minitorch, torch, dry)


def chosen(items: list[Any], only: str) -> list[Any]:
    words = [w.strip() for w in only.split(",") if w.strip()]
    return [i for i in items if not words or any(w in i.name for w in words)]


def work(options: argparse.Namespace) -> int:
    """Do the items that have no result yet; 1 where a new worker must go on."""
    faulthandler.enable()
    from benchmarks.gpu_items import items

    results, start = Results(options.out), time.monotonic()
    with device(options.dry_run) as driver:
        b = bench(options.dry_run)
        for item in chosen(items(b), options.only):
            if item.name in results.rows:
                continue
            if time.monotonic() - start > 60 * options.minutes:
                break
            # should the worker die here, this is what stays
            results.put(
                item.name, {"failed": "the worker died or was stopped", "began": time.time(), "limit": item.seconds}
            )
            began = time.monotonic()
            row, broken = done(item, b)
            results.put(item.name, {**row, "took": round(time.monotonic() - began, 3)})
            print(f"{item.name}: {summary(row)}", flush=True)
            if broken:
                return 1
        if options.prepare is not None:
            compiled(driver, options.prepare)
    return 0


def done(item: Any, b: Any) -> tuple[dict[str, Any], bool]:
    """(an item's row, whether the GPU is of no further use to this process)."""
    try:
        row = item.run(b)
        b.synchronize()
        return row or {}, False
    except NotImplementedError as error:
        return {"missing": str(error).splitlines()[0]}, False
    except Exception as error:
        lines = traceback.format_exc().splitlines()
        row = {"failed": f"{type(error).__name__}: {error}".splitlines()[0], "traceback": lines[-12:]}
    try:
        b.synchronize()
    except Exception:
        return row, True
    return row, False


def summary(row: dict[str, Any]) -> str:
    for key in ("failed", "missing"):
        if isinstance(row.get(key), str):
            return f"{key}: {row[key]}"
    shown = {k: f"{v:.3g}" if isinstance(v, float) else v for k, v in row.items() if k not in ("allowed", "took")}
    return ", ".join(f"{k} {v}" for k, v in shown.items())


def compiled(driver: Any, folder: Path) -> None:
    """Compile every kernel that the emulated device was given."""
    os.environ["MINITORCH_CACHE"] = str(folder)
    from minitorch._kernels.cuda import compiler

    wrong = 0
    for i, kernel in enumerate(driver.kernels):
        print(f"compiling {i + 1} of {len(driver.kernels)}: {kernel.name}", flush=True)
        try:
            compiler.compile(kernel, kernel.arch((9, 0)))
        except RuntimeError as error:
            wrong += 1
            print(error, flush=True)
    print(f"{wrong} kernels could not be compiled", flush=True)


# ---------------------------------------------------------------------- the parent
def run(options: argparse.Namespace) -> int:
    """Start workers until all is done; how many rows failed."""
    if not options.dry_run and not gpus():
        raise SystemExit("no NVIDIA driver was found: --dry-run does the same on an emulated GPU, with tiny sizes")
    if options.cubins is not None:
        os.environ["MINITORCH_CACHE"] = str(options.cubins)
    results = Results(options.out)
    results.content["environment"] = environment(options.dry_run)
    results.write()
    start = time.monotonic()
    while True:
        left = options.minutes - (time.monotonic() - start) / 60
        if left <= 0 or watched(options, left) == 0:
            break
    rows = Results(options.out).rows
    failed = {name: row for name, row in rows.items() if "failed" in row}
    missing = sum(bool(row.get("missing")) for row in rows.values())
    held = sum(row.get("holds") is False for row in rows.values())
    print(f"{len(rows)} rows: {len(failed)} failed, {missing} not implemented, {held} short of their aim")
    return len(failed)


def watched(options: argparse.Namespace, minutes: float) -> int:
    """One worker, stopped when an item outlasts its time; its exit status, 1 if it must be followed by another."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--worker", "--out", str(options.out), "--only", options.only]
    command += ["--minutes", str(minutes), *["--dry-run"] * options.dry_run]
    command += ["--prepare", str(options.prepare)] if options.prepare is not None else []
    worker = subprocess.Popen(command, cwd=ROOT)
    began, before = time.time(), len(Results(options.out).rows)
    while True:
        try:
            status = worker.wait(timeout=1)
            break
        except subprocess.TimeoutExpired:
            with contextlib.suppress(json.JSONDecodeError):
                last = next(reversed(Results(options.out).rows.values()), {})
                if "limit" in last and time.time() > max(last["began"], began) + last["limit"]:
                    print("stopped: it took too long", file=sys.stderr)
                    worker.kill()
                    status = worker.wait()
                    break
    if status and len(Results(options.out).rows) == before:
        print("the worker could not begin", file=sys.stderr)
        return 0
    return status


if __name__ == "__main__":
    chosen_options = arguments()
    if chosen_options.prepare is not None:
        chosen_options.dry_run = True
    sys.exit(work(chosen_options) if chosen_options.worker else min(run(chosen_options), 1))
