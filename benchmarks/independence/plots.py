"""The two pictures: stated against measured false alarm, and twins moving apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from strangers import LEVELS

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "assay"

from matplotlib import pyplot  # noqa: E402 - after the choice of what draws


def calibration(found: dict[str, Any], file: Path) -> None:
    """One line for each kind of search; what lies under the diagonal is cautious.

    Bars reach from the least to the largest share of any key.
    """
    figure, axis = pyplot.subplots(figsize=(6.5, 5))
    for number, (kind, row) in enumerate(found.items()):
        rows = zip(LEVELS, row["shares"], row["least_and_largest_of_keys"], strict=True)
        seen = [(10.0**x, y, y - low, high - y) for x, y, (low, high) in rows if y]
        if seen:
            stated, share, below, above = zip(*seen, strict=True)
            apart = [x * (1 + 0.04 * number) for x in stated]  # no bar hides another one
            axis.errorbar(apart, share, (below, above), fmt="o-", label=kind, markersize=4)
    axis.plot([1e-6, 1], [1e-6, 1], "k--", linewidth=0.8, label="as stated")
    axis.set(xscale="log", yscale="log", xlabel="stated false alarm, corrected for the search")
    axis.set_ylabel("measured share of independent pairs")
    axis.legend(fontsize=8)
    _written(figure, file)


def twins(rows: Sequence[dict[str, Any]], file: Path) -> None:
    """Mean distance of codes by training step, a line for what the data have in common."""
    usual = [row for row in rows if row["examples"] == rows[0]["examples"]]
    networks = list(dict.fromkeys(row["network"] for row in usual))
    figure, axes = pyplot.subplots(
        1, len(networks), figsize=(3 * len(networks), 3.6), sharey=True, squeeze=False
    )
    for axis, network in zip(axes[0], networks, strict=True):
        lines: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for row in usual:
            if row["network"] == network and row["mean_bits"] is not None:
                lines[row["common"]].append((row["step"], row["mean_bits"]))
        for common, points in lines.items():
            axis.plot(*zip(*sorted(points), strict=True), "o-", label=common, markersize=3)
        axis.axhline(6, color="k", linewidth=0.8, linestyle="--")  # near
        axis.set_xscale("symlog")
        axis.set(title=network, xlabel="steps of 64 examples")
    axes[0][0].set_ylabel("mean bits of 256 between codes")
    axes[0][0].legend(fontsize=6)
    _written(figure, file)


def _written(figure: Any, file: Path) -> None:
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
