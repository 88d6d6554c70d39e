"""Turn a result file into report.md and report.png: `python -m benchmarks.report [FILE]`.

Without a file, the newest of benchmarks/results. Times stand beside torch's and their ratio only.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.results import Row, load, newest

HEADER = ("", "where", "minitorch", "torch", "ours / torch", "by median", "target", "")
STEADY = 1.25  # processes further apart than this were disturbed: run them again
FASTER, SLOWER, INK = "#2a78b5", "#d9822b", "#333333"


def amount(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "count":
        return f"{value:g}"
    if unit == "MiB":
        return f"{value:.1f} MiB"
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


def markdown(about: dict, rows: list[Row]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        "# Benchmarks",
        "",
        f"{about['cpu']}, {about['cores']} cores, load {about['load']:.1f} at "
        f"the start; {versions}; commit {about['commit']}, {about['date']}.",
        "",
        f"Medians of {about['rounds']} processes per framework, taking turns, threads pinned; "
        "below 1, minitorch is the faster. Of each process the fastest time counts, since other "
        "work on the machine only adds; *by median* is the ratio of the median times, *unsteady* "
        "how far apart the processes were where other work disturbed them.",
        *(["", "A quick run: everything runs; not figures to quote."] if about["quick"] else []),
        "",
        "![ratios to torch](report.png)",
        "",
        f"## Targets\n\n{summary(rows)}.\n",
        table([row for row in rows if row.holds is not None]),
    ]
    for section in dict.fromkeys(row.section for row in rows):
        rest = [row for row in rows if row.section == section and row.holds is None]
        if rest:
            lines.append(f"\n## {section.capitalize()}\n\n{table(rest)}")
    return "\n".join(lines) + "\n"


def draw(rows: list[Row], path: Path) -> None:
    """A bar from 1 to each ratio on a log axis, with a tick at its target."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    groups: dict[str, list[tuple[Row, float]]] = {}
    for row in rows:
        if row.ratio and row.bounds == "ratio":
            groups.setdefault(f"{row.name}  [{row.section}]", []).append((row, row.ratio))
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.2 * len(groups)), layout="constrained")
    for y, group in enumerate(groups.values()):
        height = 0.8 / len(group)
        for i, (row, ratio) in enumerate(group):
            centre = y - 0.4 + (i + 0.5) * height
            colour = FASTER if ratio <= 1 else SLOWER
            axes.barh(centre, ratio - 1, height, left=1, color=colour, alpha=1 - 0.3 * i)
            if row.target:
                ends = centre - height / 2, centre + height / 2
                axes.plot([row.target] * 2, ends, color=INK, linewidth=2)
    axes.set_yticks(range(len(groups)), groups, fontsize=7)
    axes.set_ylim(max(len(groups), 1) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.axvline(1, color=INK, linewidth=0.8)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title("time of minitorch / time of torch: left of 1 is faster", fontsize=9)
    wheres = dict.fromkeys(cells(row)[1] for group in groups.values() for row, _ in group)
    axes.set_xlabel(f"bars, from the top: {', '.join(wheres)}; black tick: the target", fontsize=8)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def write(path: Path) -> Path:
    """Write report.md and report.png beside the result file; returns the path of the former."""
    about, rows = load(path)
    target = path.with_name("report.md")
    target.write_text(markdown(about, rows))
    draw(rows, path.with_name("report.png"))
    return target


if __name__ == "__main__":
    print(write(Path(sys.argv[1]) if len(sys.argv) > 1 else newest()))
