"""Draws Figures 5, 6 and 7 from results.json, the paper's points from expected.json beside ours.

    python papers/hnn_net/figures.py            # needs assay[papers]; writes the three
    python papers/hnn_net/figures.py --png DIR  # pictures to look at

Solid lines are means over the seeds, bands go from the worst seed to the best.  Dashed lines are
the paper's.  The dotted line is the ceiling: no code can be above it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from page import paper_row

HERE = Path(__file__).parent
Json = dict[str, Any]
MEASURES = {"recall": "recall", "precision": "precision", "f1": "F1"}
# Of the palette of Okabe and Ito, which color-blind readers can tell apart.
COLORS = {
    "ghashing": "#E69F00",
    "hnn-net without L_class, as printed": "#56B4E9",
    "hnn-net without L_class, as resolved": "#0072B2",
    "hnn-net, as printed": "#CC79A7",
    "hnn-net, as resolved": "#009E73",
}
RAW, MERGED = "#D55E00", "#0072B2"
STYLE = {
    "svg.hashsalt": "assay",  # the same results give the same file
    "svg.fonttype": "none",  # text stays text
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def figure5(found: Json, expected: Json) -> Figure:
    """Methods against the length of the code, on raw and on merged data."""
    figure, grid = plt.subplots(2, 3, figsize=(10, 6.2), sharex=True, sharey=True)
    for axes_row, data in zip(grid, ("raw", "merged"), strict=True):
        for axes, (measure, name) in zip(axes_row, MEASURES.items(), strict=True):
            for row, color in COLORS.items():
                cells = select(found["table2"], row=row, data=data)
                line(axes, cells, "bits", measure, color, row)
            for row in dict.fromkeys(map(paper_row, COLORS)):
                resolved = row if row in COLORS else f"{row}, as resolved"
                dashed(axes, expected["table2"][row][data], measure, COLORS[resolved])
            frame(axes, found, measure, f"{name}, {data} data")
    return finished(figure, grid[0, 0], "bits of the code")


def figure6(found: Json, expected: Json) -> Figure:
    """What merging brings to each method."""
    figure, grid = plt.subplots(3, len(COLORS), figsize=(12, 6.5), sharex=True, sharey=True)
    for column, row in enumerate(COLORS):
        for axes, (measure, name) in zip(grid[:, column], MEASURES.items(), strict=True):
            for data, color in (("raw", RAW), ("merged", MERGED)):
                cells = select(found["table2"], row=row, data=data)
                line(axes, cells, "bits", measure, color, f"{data} data")
                dashed(axes, expected["table2"][paper_row(row)][data], measure, color)
            frame(axes, found, measure, row.replace(", ", "\n") if measure == "recall" else "")
            if not column:
                axes.set_ylabel(name)
    return finished(figure, grid[0, 0], "bits of the code")


def figure7(found: Json, expected: Json) -> Figure:
    """HNN-Net on raw data against β and against γ."""
    rows = list(dict.fromkeys(cell["row"] for cell in found["figure7"]))
    figure, grid = plt.subplots(2, len(rows), figsize=(8, 6), sharey=True, squeeze=False)
    colors = dict(zip(MEASURES, ("#0072B2", "#E69F00", "#009E73"), strict=True))
    for axes_row, (weight, symbol) in zip(grid, (("beta", "β"), ("gamma", "γ")), strict=True):
        for axes, row in zip(axes_row, rows, strict=True):
            cells = [c for c in select(found["figure7"], row=row) if weight in c]
            for place, cell in enumerate(cells):
                cell["place"] = place
            for measure, name in MEASURES.items():
                line(axes, cells, "place", measure, colors[measure], name)
                ceiling(axes, found, measure, colors[measure])
            axes.set_xticks(range(len(cells)), [f"{cell[weight]:g}" for cell in cells])
            axes.set_xlabel(symbol)
            axes.set_ylim(0, 1)
            axes.set_title(f"{row}\nvarying {symbol}")
    return finished(figure, grid[0, 0], "")


def select(cells: list[Json], **wanted: str) -> list[Json]:
    """The cells that have been run and have these values."""
    return [
        dict(cell)
        for cell in cells
        if cell["runs"] and all(cell[name] == value for name, value in wanted.items())
    ]


def line(axes: Axes, cells: list[Json], x: str, measure: str, color: str, label: str) -> None:
    """The mean over the seeds, and a band from the least to the most."""
    places = [cell[x] for cell in cells]
    values = [[run[measure] for run in cell["runs"]] for cell in cells]
    means = [cell["mean"][measure] for cell in cells]
    # The first of two that often coincide is wide and pale, so that both are seen.
    wide = {"lw": 5, "alpha": 0.4} if "as printed" in label or label == "raw data" else {}
    axes.plot(places, means, color=color, marker="o", markersize=3, label=label, **wide)
    axes.fill_between(
        places, [min(v) for v in values], [max(v) for v in values], color=color, alpha=0.15, lw=0
    )


def dashed(axes: Axes, points: Json, measure: str, color: str) -> None:
    """The paper's points."""
    bits = [int(b) for b in points]
    values = [points[b][measure] for b in points]
    axes.plot(bits, values, color=color, linestyle="--", lw=1, marker="x", markersize=4)


def ceiling(axes: Axes, found: Json, measure: str, color: str = "0.4") -> None:
    """What no code can be above."""
    axes.axhline(found["ceiling"][measure], color=color, linestyle=":", lw=1)


def frame(axes: Axes, found: Json, measure: str, title: str) -> None:
    """Scale, ticks at the lengths, title and ceiling."""
    ceiling(axes, found, measure)
    axes.set_xscale("log", base=2)
    axes.set_xticks([16, 32, 64], ["16", "32", "64"])
    axes.minorticks_off()
    axes.set_ylim(0, 1)
    axes.set_title(title)


def finished(figure: Figure, legend_of: Axes, x: str) -> Figure:
    """One legend for all panels, and the common label."""
    handles, labels = legend_of.get_legend_handles_labels()
    gray = {"color": "0.4"}
    handles += [
        plt.Line2D([], [], linestyle="--", marker="x", **gray),
        plt.Line2D([], [], linestyle=":", **gray),
    ]
    labels += ["the paper's, dashed", "ceiling"]
    if not x:
        handles.pop(-2)
        labels.pop(-2)
    figure.legend(handles, labels, loc="lower center", ncols=4)
    if x:
        figure.supxlabel(x, y=0.07, fontsize=8)
    figure.tight_layout(rect=(0, 0.08 if x else 0.05, 1, 1))
    return figure


def main() -> None:
    """Writes every figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--png", type=Path, help="write pictures to this folder instead")
    folder = parser.parse_args().png
    found = json.loads((HERE / "results.json").read_text())
    expected = json.loads((HERE / "expected.json").read_text())
    mpl.use("agg" if folder else "svg")
    mpl.rcParams.update(STYLE)
    for number, draw in ((5, figure5), (6, figure6), (7, figure7)):
        figure = draw(found, expected)
        if folder:
            figure.savefig(folder / f"figure{number}.png", dpi=110)
        else:
            figure.savefig(HERE / f"figure{number}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
