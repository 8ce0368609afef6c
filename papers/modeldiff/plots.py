"""Draws calibration.svg and found.svg from results.json, as plain SVG.

python papers/modeldiff/plots.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from plan import TOGETHER

from assay.zoo.plotting import Panel, drawn

HERE = Path(__file__).parent
Json = dict[str, Any]
STATED = "as stated"
# Of the palette of Okabe and Ito, which color-blind readers can tell apart.
COLORS = {
    STATED: "#999999",
    TOGETHER: "#D55E00",
    "modeldiff": "#0072B2",
    "sac": "#009E73",
    "akh": "#CC79A7",
    "partial-correlation": "#E69F00",
}


def calibrated(found: Json) -> str:
    """The share of strangers of one task by the false alarm that is stated: below the line."""
    known = {name: row for name, row in found["calibration"].items() if name in COLORS and row}
    lines = {STATED: [(0.0, 0.0), (1.0, 1.0)]}
    lines |= {name: [(0.0, 0.0), *map(tuple, row)] for name, row in known.items()}
    panel = Panel("strangers of the same task", "stated false alarm", "measured share",
                  lines, dict.fromkeys(lines, ()))  # fmt: skip
    return drawn([panel], COLORS)


def shares(found: Json) -> str:
    """The shares found at 1 % and 5 %, of pairs of one task and across tasks."""
    panels = []
    for part, title in (("same_task", "the same task"), ("across_tasks", "other classes")):
        rows = found[part]["rows"]
        lines = {
            name: [(level, cell[f"tpr_at_{level:g}"]["value"]) for level in (0.01, 0.05)]
            for name in COLORS
            if (cell := rows.get(name, {}).get("score")) is not None
        }
        panels.append(Panel(title, "false alarms", "share of derived found", lines, {}))
    return drawn(panels, COLORS)


def write(found: Json, folder: Path) -> None:
    """Both files."""
    (folder / "calibration.svg").write_text(calibrated(found))
    (folder / "found.svg").write_text(shares(found))


if __name__ == "__main__":
    write(json.loads((HERE / "results.json").read_text()), HERE)
