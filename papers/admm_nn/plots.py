"""Draws curve.svg and convergence.svg from results.json, as plain SVG.

python papers/admm_nn/plots.py
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean
from typing import Any

from scope import METHODS

from assay.zoo.plotting import Panel, drawn

HERE = Path(__file__).parent
Json = dict[str, Any]
# Of the palette of Okabe and Ito, which color-blind readers can tell apart.
COLORS = {
    "progressive": "#009E73",
    "admm": "#0072B2",
    "gradual": "#E69F00",
    "one-shot": "#D55E00",
    "projected": "#CC79A7",
}


def curve(found: Json) -> str:
    """Loss of accuracy by ratio; a dot is one seed's network."""
    panels = []
    for data in sorted({cell["data"] for cell in found["cells"]}, reverse=True):
        lines, dots = {}, {}
        for method in METHODS:
            cells = [c for c in found["cells"] if (c["data"], c["method"]) == (data, method)]
            cells.sort(key=lambda cell: cell["ratio"])
            lines[method] = [(cell["ratio"], cell["loss"]["mean"]) for cell in cells]
            dots[method] = [(c["ratio"], run["loss"]) for c in cells for run in c["runs"]]
        names = "times fewer weights", "points lost against the dense twin"
        panels.append(Panel(data, *names, lines, dots, (True, False)))
    return drawn(panels, COLORS)


def convergence(found: Json) -> str:
    """Mean ‖W - Z‖/‖W‖ of the layers, and the loss, by epoch."""
    panels = []
    for data in dict.fromkeys(each["data"] for each in found["convergence"]):
        runs = [each for each in found["convergence"] if each["data"] == data]
        distance = {
            run["method"]: [
                (epoch, mean(layers))
                for epoch, layers in enumerate(zip(*run["residuals"].values(), strict=True), 1)
            ]
            for run in runs
        }
        losses = {run["method"]: [*enumerate(run["drawing"], 1)] for run in runs}
        title = f"{data}, {runs[0]['ratio']}x"
        panels.append(Panel(title, "epoch", "distance to the few", distance, {}))
        panels.append(Panel(title, "epoch", "loss", losses, {}, (False, True)))
    return drawn(panels, COLORS)


def write(found: Json, folder: Path) -> None:
    """Both files."""
    (folder / "curve.svg").write_text(curve(found))
    (folder / "convergence.svg").write_text(convergence(found))


if __name__ == "__main__":
    write(json.loads((HERE / "results.json").read_text()), HERE)
