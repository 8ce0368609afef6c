"""Draws curve.svg and convergence.svg from results.json, as plain SVG.

python papers/admm_nn/plots.py
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import log10
from pathlib import Path
from statistics import mean
from typing import Any

from scope import METHODS

HERE = Path(__file__).parent
Json = dict[str, Any]
Points = Sequence[tuple[float, float]]
# Of the palette of Okabe and Ito, which color-blind readers can tell apart.
COLORS = {
    "progressive": "#009E73",
    "admm": "#0072B2",
    "gradual": "#E69F00",
    "one-shot": "#D55E00",
    "projected": "#CC79A7",
}
WIDTH, HEIGHT, MARGIN = 380, 260, 45  # of one panel


@dataclass(frozen=True)
class Panel:
    """One pair of axes; a line by name, and dots beside it."""

    title: str
    across: str
    up: str
    lines: dict[str, Points]
    dots: dict[str, Points]
    logarithmic: tuple[bool, bool] = (False, False)


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
    return drawn(panels)


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
    return drawn(panels)


def drawn(panels: Sequence[Panel]) -> str:
    """All panels side by side."""
    width, height = len(panels) * WIDTH, HEIGHT
    body = "".join(
        f'<g transform="translate({number * WIDTH},0)">{_panel(panel)}</g>'
        for number, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' font-family="sans-serif" font-size="11"><rect width="{width}" height="{height}"'
        f' fill="white"/>{body}</svg>\n'
    )


def _panel(panel: Panel) -> str:
    points = [p for part in (panel.lines, panel.dots) for each in part.values() for p in each]
    if not points:
        return ""
    across = _scale([x for x, _ in points], (MARGIN, WIDTH - 15), log=panel.logarithmic[0])
    up = _scale([y for _, y in points], (HEIGHT - MARGIN, 25), log=panel.logarithmic[1])
    parts = [_text(WIDTH / 2, 15, panel.title), _text(WIDTH / 2, HEIGHT - 8, panel.across)]
    parts.append(
        f'<text transform="translate(12,{HEIGHT / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(panel.up)}</text>"
    )
    for x in sorted({x for x, _ in points})[:: max(1, len({x for x, _ in points}) // 8)]:
        parts.append(_text(across(x), HEIGHT - MARGIN + 14, f"{x:g}"))
    ys = [y for _, y in points]
    for y in (min(ys), (min(ys) + max(ys)) / 2, max(ys)):
        parts.append(_text(MARGIN - 6, up(y) + 4, f"{y:.2g}", "end"))
        parts.append(
            f'<line x1="{MARGIN}" x2="{WIDTH - 15}" y1="{up(y):.1f}" y2="{up(y):.1f}"'
            ' stroke="#ddd"/>'
        )
    for number, (name, line) in enumerate(panel.lines.items()):
        color = COLORS[name]
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="2.5" fill="{color}"/>'
            for x, y in panel.dots.get(name, line)
        ]
        parts.append(
            f'<text x="{MARGIN + 8}" y="{38 + 13 * number}" fill="{color}">{escape(name)}</text>'
        )
    return "".join(parts)


def _scale(
    values: Sequence[float], ends: tuple[float, float], *, log: bool
) -> Callable[[float], float]:
    """From a value to its place."""

    def along(value: float) -> float:
        return log10(max(value, 1e-9)) if log else value

    low, high = along(min(values)), along(max(values))
    span = high - low or 1.0
    return lambda value: ends[0] + (ends[1] - ends[0]) * (along(value) - low) / span


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def write(found: Json, folder: Path) -> None:
    """Both files."""
    (folder / "curve.svg").write_text(curve(found))
    (folder / "convergence.svg").write_text(convergence(found))


if __name__ == "__main__":
    write(json.loads((HERE / "results.json").read_text()), HERE)
