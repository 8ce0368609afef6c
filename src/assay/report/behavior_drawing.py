"""What two models answered, as SVG: both decision-distance vectors, and the null.

The null is the scores of the reference models: a suspect that is none of them stands apart.
Nothing in it runs or is loaded; colors follow the reader's choice of light or dark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np
from numpy.typing import NDArray

from assay.report.words import escaped, false_alarm_text
from assay.values import Evidence

WIDTH = 960  # in pixels of the page at its usual size
_LEFT, _RIGHT, _TOP = 170, 130, 44  # margins of a panel
_HEIGHT, _ROW, _FOOT = 230, 30, 46  # of a panel of vectors, a method's row, the axis below
_STEPS = (1, 2, 5, 10)  # of an axis, times a power of ten
_MOST_TICKS = 6
_MARK = 5  # half of the suspect's diamond
STYLE = """
.behavior { font: 12px system-ui, sans-serif; }
.behavior .back { fill: #fff; } .behavior text { fill: #1b1b1b; }
.behavior .title { font-size: 14px; font-weight: 600; } .behavior .soft { fill: #5b616a; }
.behavior .axis { stroke: #8a8f98; fill: none; } .behavior .grid { stroke: #8a8f9855; }
.behavior .owner { stroke: #2166ac; fill: none; stroke-width: 1.8; }
.behavior .suspect { fill: #c2410c; stroke: none; }
.behavior .reference { stroke: #5b616a; stroke-width: 1.5; stroke-opacity: .75; }
.behavior .end { text-anchor: end; } .behavior .middle { text-anchor: middle; }
@media (prefers-color-scheme: dark) {
.behavior .back { fill: #121212; } .behavior text { fill: #e8e8e8; }
.behavior .soft { fill: #a9afb8; } .behavior .owner { stroke: #74b3e8; }
.behavior .suspect { fill: #f0a35e; } .behavior .reference { stroke: #b9bec6; } }
""".strip()

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answered:
    """A method's evidence, whose ``null`` is the references' scores, and what can be looked at."""

    evidence: Evidence
    entry: str = ""  # what each number of the vectors is
    vectors: tuple[Array, Array] | None = None  # (k,) of the owner's model, and the suspect's

    @property
    def name(self) -> str:
        """The method without its options."""
        return self.evidence.method.partition("(")[0]


def behavior_svg(found: Sequence[Answered]) -> str:
    """The picture: a panel for each pair of vectors, and one for the null."""
    parts, top = list[str](), 0.0
    for each in found:
        if each.vectors is not None:
            parts += _vectors(each, each.vectors, top)
            top += _TOP + _HEIGHT + _FOOT
    parts += _null(found, top)
    top += _TOP + _ROW * max(1, len(_compared(found))) + _FOOT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="behavior" viewBox="0 0 {WIDTH} {top:g}"'
        f' role="img"><title>What both models answered</title><style>{STYLE}</style>'
        f'<rect class="back" width="{WIDTH}" height="{top:g}"/>{"".join(parts)}</svg>\n'
    )


def _vectors(each: Answered, vectors: tuple[Array, Array], top: float) -> Iterator[str]:
    """The owner's entries as a line, least first, and the suspect's as points beside it."""
    owner, suspect = vectors
    order = np.argsort(owner, kind="stable")
    axis = _Axis.of(np.concatenate(vectors), top + _TOP + _HEIGHT, top + _TOP)
    across = _Axis(0, max(len(owner) - 1, 1), _LEFT, WIDTH - _RIGHT)
    yield _text(_LEFT, top + 18, f"{each.name}: {each.entry} of each pair of queries", "title")
    yield _text(_LEFT, top + 34, "pairs in the order of the owner's model", "soft")
    for value in axis.ticks():
        height = axis.at(value)
        yield f'<path class="grid" d="M{_LEFT} {height:.1f}H{WIDTH - _RIGHT}"/>'
        yield _text(_LEFT - 8, height + 4, f"{value:g}", "end")
    line = " ".join(f"{across.at(x):.1f},{axis.at(owner[row]):.1f}" for x, row in enumerate(order))
    yield f'<polyline class="owner" points="{line}"/>'
    for place, row in enumerate(order):
        x, y = across.at(place), axis.at(suspect[row])
        yield f'<circle class="suspect" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'
    base = top + _TOP + _HEIGHT
    yield f'<path class="axis" d="M{_LEFT} {top + _TOP}V{base}H{WIDTH - _RIGHT}"/>'
    yield f'<path class="owner" d="M{_LEFT} {base + 22}h24"/>'
    yield _text(_LEFT + 32, base + 26, "the owner's model")
    yield f'<circle class="suspect" cx="{_LEFT + 184}" cy="{base + 22}" r="3.5"/>'
    yield _text(_LEFT + 196, base + 26, "the suspect")


def _null(found: Sequence[Answered], top: float) -> Iterator[str]:
    """A row for each method: where the references stand, and where the suspect does.

    Among twins it is the owner's model whose place is looked at.
    """
    compared = _compared(found)
    others, one, title = "a reference model", "the suspect", "The suspect among reference models"
    if any("twins" in each.evidence.detail for each in compared):
        others, one, title = "a twin", "the owner's model", "The owner's model among its twins"
    yield _text(_LEFT, top + 18, title, "title")
    if not compared:
        yield _text(_LEFT, top + 42, "None were given: how near strangers come is not known.")
        return
    yield _text(_LEFT, top + 34, "score: standard deviations above the others; right is nearer")
    yield _text(WIDTH - _RIGHT + 12, top + 34, "false alarm", "soft")
    scores = [s for each in compared for s in (each.evidence.score, *each.evidence.detail["null"])]
    axis = _Axis.of(np.array(scores), _LEFT, WIDTH - _RIGHT)
    base = top + _TOP + _ROW * len(compared)
    for value in axis.ticks():
        yield f'<path class="grid" d="M{axis.at(value):.1f} {top + _TOP}V{base}"/>'
        yield _text(axis.at(value), base + 16, f"{value:g}", "middle")
    for number, each in enumerate(compared):
        middle = top + _TOP + _ROW * (number + 0.5)
        yield _text(_LEFT - 12, middle + 4, each.name, "end")
        for score in each.evidence.detail["null"]:
            yield f'<path class="reference" d="M{axis.at(score):.1f} {middle - 7:.1f}v14"/>'
        x = axis.at(each.evidence.score)
        yield (
            f'<path class="suspect" d="M{x:.1f} {middle - _MARK:.1f}l{_MARK} {_MARK}'
            f'l-{_MARK} {_MARK}l-{_MARK} -{_MARK}z"/>'
        )
        if each.evidence.log10_false_alarm is not None:
            chance = false_alarm_text(each.evidence.log10_false_alarm)
            yield _text(WIDTH - _RIGHT + 12, middle + 4, chance)
    yield f'<path class="axis" d="M{_LEFT} {base}H{WIDTH - _RIGHT}"/>'
    yield f'<path class="reference" d="M{_LEFT + 4} {base + 26}v14"/>'
    yield _text(_LEFT + 14, base + 37, others)
    yield f'<path class="suspect" d="M{_LEFT + 184} {base + 28}l5 5l-5 5l-5 -5z"/>'
    yield _text(_LEFT + 196, base + 37, one)


def _compared(found: Sequence[Answered]) -> list[Answered]:
    """Those that were compared with references."""
    return [each for each in found if each.evidence.detail.get("null")]


@dataclass(frozen=True)
class _Axis:
    """Values from ``low`` to ``high``, drawn between two places."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def of(cls, values: Array, start: float, end: float) -> _Axis:
        """One that holds all of them, with a little room."""
        low, high = float(values.min()), float(values.max())
        room = 0.05 * (high - low) or 0.5
        return cls(low - room, high + room, start, end)

    def at(self, value: float) -> float:
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Some round values in its range."""
        rough = (self.high - self.low) / _MOST_TICKS
        power = 10.0 ** floor(log10(rough))
        step = next(power * each for each in _STEPS if power * each >= rough)
        first, last = ceil(self.low / step), floor(self.high / step)
        return [round(number * step, 12) for number in range(first, last + 1)]


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    role = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{role}>{escaped(text)}</text>'
