"""The report's pictures: ratios to torch, a line for each row, and the roofline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.results import Row
from benchmarks.roofline import ARITHMETIC, TRAFFIC

FASTER, SLOWER, INK, PALE = "#2a78b5", "#d9822b", "#333333", "#dddddd"
MARKS = "os^D"
SIDES = {"torch": PALE, "ours": FASTER}
NAMES = {"torch": "torch", "ours": "minitorch"}
LARGE = 1e7  # bytes: more than caches hold


def canvas(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt.subplots(1, columns, figsize=(width, height), layout="constrained", squeeze=False)


def keep(figure: Any, path: Path) -> str:
    import matplotlib.pyplot as plt

    figure.savefig(path, dpi=100)
    plt.close(figure)
    return path.name


def ratios(section: str, rows: list[Row], path: Path) -> str:
    """A line for each name on a log axis: a mark per number of threads, a bar at its target with one."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.name, []).append(row)
    from matplotlib.ticker import LogLocator

    figure, ((axes,),) = canvas(9, 1.2 + 0.17 * len(groups))
    wheres = list(dict.fromkeys((row.device, row.threads) for row in rows))
    for y, group in enumerate(groups.values()):
        for row in group:
            ratio = row.ratio or 1
            mark = MARKS[wheres.index((row.device, row.threads)) % len(MARKS)]
            axes.plot([1, ratio], [y, y], color=PALE, linewidth=1.5, zorder=1)
            axes.plot(ratio, y, mark, color=FASTER if ratio <= 1 else SLOWER, markersize=4, zorder=3)
            if row.target and row.threads == 1:
                axes.plot([row.target] * 2, [y - 0.4, y + 0.4], color=INK, linewidth=1.5, zorder=2)
    axes.set_yticks(range(len(groups)), groups, fontsize=6)
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=50))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.axvline(1, color=INK, linewidth=0.8)
    axes.grid(axis="x", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title(f"{section}: time of minitorch / time of torch, left of 1 is faster", fontsize=9)
    names = {"o": "circle", "s": "square", "^": "triangle", "D": "diamond"}
    said = (f"{names[MARKS[i % len(MARKS)]]}: {d} with {t} thread(s)" for i, (d, t) in enumerate(wheres))
    axes.set_xlabel(f"{', '.join(said)}; black: the target", fontsize=8)
    return keep(figure, path)


def under_the_roof(axes: Any, rows: list[Row], arithmetic: float, traffic: float) -> None:
    """Arithmetic per byte against arithmetic per second, a shape for each section."""
    densities = [row.flops / row.bytes for row in rows]
    roof = sorted({min(densities) / 2, arithmetic / traffic, max(densities) * 2})
    axes.plot(roof, [min(arithmetic, traffic * d) / 1e9 for d in roof], color=INK, linewidth=1.5, zorder=1)
    for mark, section in zip(MARKS, dict.fromkeys(row.section for row in rows)):
        here = [row for row in rows if row.section == section]
        for side, colour in SIDES.items():
            heights = [row.flops / getattr(row, side) / 1e9 for row in here]
            label = f"{section}, {NAMES[side]}"
            places = [row.flops / row.bytes for row in here]
            axes.scatter(
                places, heights, 24, colour, marker=mark, edgecolors=INK, linewidths=0.4, label=label, zorder=2
            )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("arithmetic per byte that must move, flop / B", fontsize=8)
    axes.set_ylabel("GFLOP/s", fontsize=8)
    axes.set_title(f"roof: {arithmetic / 1e9:.0f} GFLOP/s of multiply-adds; above its slope: in cache", fontsize=9)
    axes.grid(color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.legend(fontsize=7)


def against_the_triad(axes: Any, rows: list[Row], traffic: float) -> None:
    """Bytes per second of what only moves memory."""
    for side, colour in SIDES.items():
        speeds = [row.bytes / getattr(row, side) / 1e9 for row in rows]
        axes.scatter(speeds, range(len(rows)), 24, colour, edgecolors=INK, linewidths=0.4, label=NAMES[side], zorder=2)
    axes.axvline(traffic / 1e9, color=INK, linewidth=1.5)
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=6)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("GB/s", fontsize=8)
    axes.set_title(f"line: {traffic / 1e9:.1f} GB/s of a triad in memory", fontsize=9)
    axes.grid(color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.legend(fontsize=7)


def roofline(rows: list[Row], path: Path) -> str | None:
    """Both frameworks with one thread beside the machine's peaks, where the rows of these are there."""
    peaks = {row.name: row.ours for row in rows if row.section == "roofline" and row.threads == 1}
    arithmetic, traffic = peaks.get(ARITHMETIC), peaks.get(TRAFFIC)
    measured = [row for row in rows if row.bytes and row.ratio and row.threads == 1 and row.device == "cpu"]
    computing = [row for row in measured if row.flops]
    moving = [row for row in measured if row.bytes >= LARGE and row.section == "families"]
    if not (arithmetic and traffic and (computing or moving)):
        return None
    panels = bool(computing) + bool(moving)
    figure, axes = canvas(6.5 * panels, 6, panels)
    if computing:
        under_the_roof(axes[0, 0], computing, arithmetic, traffic)
    if moving:
        against_the_triad(axes[0, -1], moving, traffic)
    return keep(figure, path)


def draw(rows: list[Row], folder: Path) -> dict[str, str]:
    """Write a picture for each section that has ratios, and the roofline; section -> file."""
    drawn = {}
    for section in dict.fromkeys(row.section for row in rows):
        here = [
            row for row in rows if row.section == section and row.ratio and row.bounds == "ratio" and row.unit == "s"
        ]
        if here:
            drawn[section] = ratios(section, here, folder / f"ratios-{section.replace(' ', '-')}.png")
    if picture := roofline(rows, folder / "roofline.png"):
        drawn["roofline"] = picture
    return drawn
