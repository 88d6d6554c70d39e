"""Turn a result file into report.md and its pictures: `python -m benchmarks.report [FILE]`.

Without a file, the newest of benchmarks/results. Times stand beside torch's and their ratio only.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import pictures
from benchmarks.results import Row, load, newest

HEADER = ("", "where", "minitorch", "torch", "ours / torch", "by median", "target", "")
STEADY = 1.25  # processes further apart than this were disturbed: run them again
UNITS = {"flop/s": ("GFLOP/s", 1e9), "B/s": ("GB/s", 1e9)}


def amount(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "count":
        return f"{value:g}"
    if unit == "MiB":
        return f"{value:.1f} MiB"
    if unit in UNITS:
        name, scale = UNITS[unit]
        return f"{value / scale:.1f} {name}"
    if value >= 1:
        return f"{value:.3g} s"
    return f"{1e3 * value:.3g} ms" if value >= 1e-3 else f"{1e6 * value:.3g} us"


def verdict(row: Row) -> str:
    if row.ours is None or row.note:
        return f"**fails**: {row.note}".replace("|", "/")
    said = {None: "", True: "holds", False: "**short**"}[row.holds]
    if row.spread is not None and row.spread > STEADY:
        said += f" (unsteady, x{row.spread:.1f})"
    return said.strip()


def cells(row: Row) -> tuple[str, ...]:
    where = "1 thread" if row.threads == 1 else f"{row.threads} threads"
    # growth of memory is judged by itself: the ratio of two numbers near nothing says nothing
    ratio = "-" if row.ratio is None or row.bounds == "ours" else f"{row.ratio:.3f}"
    target = "-" if row.target is None else f"{row.target:.3g}"
    return (
        row.name,
        where if row.device == "cpu" else row.device,
        amount(row.ours, row.unit),
        amount(row.torch, row.unit),
        ratio,
        "-" if row.median is None else f"{row.median:.3f}",
        target if row.bounds == "ratio" else amount(row.target, row.unit),
        verdict(row),
    )


def table(rows: list[Row]) -> str:
    lines = [HEADER, ("---",) * 2 + ("---:",) * 5 + ("---",), *map(cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def summary(rows: list[Row]) -> str:
    judged = [row.holds for row in rows if row.holds is not None]
    return f"{sum(judged)} of {len(judged)} figures with a target hold"


def when(about: dict) -> list[str]:
    """A table of the parts that the file holds: each may be of another hour."""
    lines = [
        "| part | taken | commit | load at its start | rounds | minutes |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    for name, part in about["parts"].items():
        figures = f"{part['load']:.1f} | {part['rounds']} | {part['minutes']:g}"
        lines.append(f"| {name} | {part['date']} | {part['commit']} | {figures} |")
    return lines


def on_gpu(folder: Path) -> list[str]:
    """What files gpu-*.json of the folder say: rows as everywhere, the machine in words under `machine`."""
    lines = []
    for path in sorted(folder.glob("gpu-*.json")):
        about, rows = load(path)
        lines.append(f"{about['machine']}: {summary(rows)}.\n\n{table(rows)}\n")
    return lines or ["Not yet run on a GPU."]


def markdown(about: dict, rows: list[Row], drawn: dict[str, str], folder: Path) -> str:
    """The report; `drawn` is section -> file of its picture in the folder."""
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        "# Benchmarks",
        "",
        f"{about['cpu']}, {about['cores']} cores; {versions}.",
        "",
        "Medians over the rounds, each round a process per framework, the two taking turns, threads pinned; below 1, "
        "minitorch is the faster. Of each process the fastest time counts, since other work on the machine only adds; "
        "*by median* is the ratio of the median times, *unsteady* how far apart the processes were where other work "
        "disturbed them. Targets are for one thread; at two a ratio may be a tenth above.",
        *(["", "A quick run: everything runs; not figures to quote."] if about["quick"] else []),
        "",
        *when(about),
        "",
        f"{summary(rows)}.",
    ]
    if short := [row for row in rows if row.holds is False]:
        lines.append(f"\n## Short of the target\n\n{table(short)}")
    for section in dict.fromkeys(row.section for row in rows):
        picture = f"![{section}]({drawn[section]})\n\n" if section in drawn else ""
        here = table([row for row in rows if row.section == section])
        lines.append(f"\n## {section.capitalize().replace('_', ' ')}\n\n{picture}{here}")
    lines += ["\n## GPU\n", *on_gpu(folder)]
    return "\n".join(lines) + "\n"


def write(path: Path) -> Path:
    """Write report.md and the pictures beside the result file; returns the path of the former."""
    about, rows = load(path)
    target = path.with_name("report.md")
    target.write_text(markdown(about, rows, pictures.draw(rows, path.parent), path.parent))
    return target


if __name__ == "__main__":
    print(write(Path(sys.argv[1]) if len(sys.argv) > 1 else newest()))
