"""Strangers' largest correlations against those that would be evidence, a point a tensor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SIDE, GAP, TOP = 300, 40, 30  # of a panel, in pixels
COLUMNS = 3
COLORS = {
    "cnn": "#1f77b4", "gru": "#ff7f0e", "mlp": "#2ca02c", "mobilenet": "#d62728",
    "resnet": "#9467bd", "transformer": "#8c564b", "vgg": "#17becf",
    "efficientnet-lite": "#000000", "ddddocr": "#e377c2",
}  # fmt: skip


def draw(tensors: list[dict[str, Any]], file: Path) -> None:
    """A panel for each kind of alignment; a point above its diagonal would be a false alarm."""
    kinds = [*dict.fromkeys(row["kind"] for row in tensors)]
    rows = -(-len(kinds) // COLUMNS)
    width, height = COLUMNS * (SIDE + GAP) + GAP, rows * (SIDE + GAP + TOP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
    ]
    for place, kind in enumerate(kinds):
        x = GAP + place % COLUMNS * (SIDE + GAP)
        y = TOP + place // COLUMNS * (SIDE + GAP + TOP)
        parts += panel(kind, [row for row in tensors if row["kind"] == kind], x, y)
    for place, (design, color) in enumerate(COLORS.items()):
        parts.append(f'<circle cx="{GAP + 112 * place}" cy="{height - 14}" r="4" fill="{color}"/>')
        parts.append(f'<text x="{GAP + 8 + 112 * place}" y="{height - 10}">{design}</text>')
    file.write_text("\n".join([*parts, "</svg>"]) + "\n")


def panel(kind: str, rows: list[dict[str, Any]], x: int, y: int) -> list[str]:
    """Its frame and diagonal, and a point for each tensor of each design."""
    found = [
        f'<rect x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#888"/>',
        f'<path d="M{x} {y + SIDE}L{x + SIDE} {y}" stroke="#888" stroke-dasharray="4"/>',
        f'<text x="{x}" y="{y - 8}" font-weight="bold">{kind}</text>',
        f'<text x="{x}" y="{y + SIDE + 16}">correlation that is evidence (1e-6), 0 to 1</text>',
        f'<text transform="translate({x - 6} {y + SIDE}) rotate(-90)">'
        "strangers' largest correlation, 0 to 1</text>",
    ]
    for row in rows:
        across = x + SIDE * row["evidence_from"]
        up = y + SIDE * (1 - max(row["largest"], 0))
        title = f"{row['design']} {row['tensor']} {row['shape']}"
        found.append(
            f'<circle cx="{across:.1f}" cy="{up:.1f}" r="3" fill="{COLORS[row["design"]]}" '
            f'fill-opacity=".6"><title>{title}</title></circle>'
        )
    return found
