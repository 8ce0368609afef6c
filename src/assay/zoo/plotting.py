"""Plots of experiments as plain SVG: panels side by side, each with lines and dots."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import log10

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT, MARGIN = 380, 260, 45  # of one panel
_TICKS = 8  # across
_LINE = 13  # height of a name


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
        end = "end" if across(x) > WIDTH - 30 else "middle"
        parts.append(_text(across(x) + 10 * (end == "end"), HEIGHT - MARGIN + 14, f"{x:g}", end))
    ys = [y for _, y in points]
    for y in (min(ys), (min(ys) + max(ys)) / 2, max(ys)):
        parts.append(_text(MARGIN - 6, up(y) + 4, f"{y:.2g}", "end"))
        parts.append(
            f'<line x1="{MARGIN}" x2="{WIDTH - 15}" y1="{up(y):.1f}" y2="{up(y):.1f}"'
            ' stroke="#ddd"/>'
        )
    left, first, anchor = _legend([(across(x), up(y)) for x, y in points], len(panel.lines))
    for number, (name, line) in enumerate(panel.lines.items()):
        color = colors[name]
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="2.5" fill="{color}"/>'
            for x, y in panel.dots.get(name, line)
        ]
        parts.append(
            f'<text x="{left}" y="{first + _LINE * number}" text-anchor="{anchor}" fill="{color}">'
            f"{escape(name)}</text>"
        )
    return "".join(parts)


def _legend(points: Points, names: int) -> tuple[int, int, str]:
    """Where the first name goes (x, y), and its anchor: in that of two corners with fewer points.

    ``points`` are places in the panel, as SVG counts them: downward.
    """
    high, wide = _LINE * names, WIDTH / 3
    top = sum(x < MARGIN + wide and y < 30 + high for x, y in points)
    bottom = sum(x > WIDTH - 15 - wide and y > HEIGHT - MARGIN - 10 - high for x, y in points)
    if top <= bottom:
        return MARGIN + 8, 38, "start"
    return WIDTH - 23, HEIGHT - MARGIN - high + 5, "end"


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
