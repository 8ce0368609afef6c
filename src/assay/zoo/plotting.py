"""Plots of experiments as plain SVG: panels side by side, each with lines and dots."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import log10

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT, MARGIN = 380, 260, 45  # of one panel
_TICKS = 8  # across


@dataclass(frozen=True)
class Panel:
    """One pair of axes; a line by name, and dots beside it."""

    title: str
    across: str
    up: str
    lines: Mapping[str, Points]
    dots: Mapping[str, Points]
    logarithmic: tuple[bool, bool] = (False, False)


def drawn(panels: Sequence[Panel], colors: Mapping[str, str]) -> str:
    """All panels side by side; ``colors`` has one for each name."""
    width, height = len(panels) * WIDTH, HEIGHT
    body = "".join(
        f'<g transform="translate({number * WIDTH},0)">{_panel(panel, colors)}</g>'
        for number, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' font-family="sans-serif" font-size="11"><rect width="{width}" height="{height}"'
        f' fill="white"/>{body}</svg>\n'
    )


def _panel(panel: Panel, colors: Mapping[str, str]) -> str:
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
    for x in _ticks({x for x, _ in points}, even=not panel.logarithmic[0]):
        parts.append(_text(across(x), HEIGHT - MARGIN + 14, f"{x:g}"))
    ys = [y for _, y in points]
    for y in (min(ys), (min(ys) + max(ys)) / 2, max(ys)):
        parts.append(_text(MARGIN - 6, up(y) + 4, f"{y:.2g}", "end"))
        parts.append(
            f'<line x1="{MARGIN}" x2="{WIDTH - 15}" y1="{up(y):.1f}" y2="{up(y):.1f}"'
            ' stroke="#ddd"/>'
        )
    for number, (name, line) in enumerate(panel.lines.items()):
        color = colors[name]
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


def _ticks(values: Collection[float], *, even: bool) -> list[float]:
    """Which of them to name: some; or, where they are all over the axis, even steps."""
    if even and len(values) > 4 * _TICKS:
        low, high = min(values), max(values)
        steps = [low + (high - low) * step / _TICKS for step in range(_TICKS + 1)]
        return [float(f"{step:.2g}") for step in steps]
    return sorted(values)[:: max(1, len(values) // _TICKS)]


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
