"""A report for a terminal, and tables that fit one."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Sequence

from assay.report import layer_words
from assay.report.compared import layer_matches, layered
from assay.report.words import (
    HEADINGS,
    evidence_text,
    explanation,
    known,
    meaning,
    notes,
    printable,
    review,
    row,
    score_text,
    tone,
)
from assay.values import Evidence, Report

MOST_LAYERS = 24  # that are listed; of more, the least correlated
COLORS = {"bold": "1", "dim": "2", "red": "31", "yellow": "33", "green": "32"}


def text(report: Report, width: int | None = None, color: bool = False) -> str:
    """The report for a terminal of ``width`` columns; None: as wide as it takes."""
    paint = _painted if color else lambda _, line: line
    suspect = report.suspect
    lines = [
        paint("bold", printable(suspect.path)),
        *(paint("dim", f"  {line}") for line in known(suspect)),
        "",
        paint(tone(report), f"Verdict: {report.verdict}") + f" ({review(report)})",
        *wrapped(meaning(report), width),
    ]
    rows = table(HEADINGS, [row(kin) for kin in report.matches], width)
    if report.matches:
        lines += ["", paint("dim", rows[0])]
    for kin, line in zip(report.matches, rows[1:], strict=True):
        lines.append(line)
        found = [kin.record.path, *explanation(kin), *map(evidence_text, kin.evidence)]
        for each in map(printable, found):
            lines += [paint("dim", line) for line in wrapped(each, width, "    ")]
        heading, *cells = layers(kin.evidence, width) or [""]
        lines += [paint("dim", heading), *cells] if cells else []
    said = [line for note in notes(report) for line in wrapped(note, width)]
    return "\n".join([*lines, *([""] if said else []), *said]) + "\n"


def layers(evidence: Sequence[Evidence], width: int | None = None) -> list[str]:
    """What evidence tells of layers as lines of a table; none where it tells of none."""
    found = layered(evidence)
    if found is None:
        return []
    matches = layer_matches(found.detail)
    shown = matches
    if len(matches) > MOST_LAYERS:
        shown = tuple(sorted(matches, key=lambda match: match.correlation)[:MOST_LAYERS])
    rows = [layer_words.match_row(match, None)[1:] for match in shown]
    room = None if width is None else max(width - 4, 48)
    lines = table(layer_words.HEADINGS[1:], rows, room) if rows else []
    if len(shown) < len(matches):
        least = score_text(shown[-1].correlation)
        lines.append(f"and {len(matches) - len(shown)} more, correlation {least} or more")
    said = map(printable, layer_words.omissions(found.detail))
    return [f"    {line}" for line in lines] + [
        line for each in said for line in wrapped(each, width, "    ")
    ]


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], width: int | None = None
) -> list[str]:
    """Lines of aligned columns, the headings first.

    Where they are wider than ``width``, the widest columns are cut in the middle.
    """
    cells = [tuple(headings), *(tuple(map(printable, cells)) for cells in rows)]
    sizes = [max(map(_columns, column)) for column in zip(*cells, strict=True)]
    gaps = 2 * (len(sizes) - 1)
    while width is not None and sum(sizes) + gaps > width and max(sizes) > 12:
        sizes[sizes.index(max(sizes))] -= 1
    return ["  ".join(map(_fitted, line, sizes)).rstrip() for line in cells]


def _columns(text: str) -> int:
    """How many columns of a terminal ``text`` takes."""
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def _fitted(text: str, size: int) -> str:
    """``text`` in exactly ``size`` columns."""
    if _columns(text) > size:
        tail = _taken(reversed(text), (size - 1) // 2)[::-1]
        text = f"{_taken(text, size - 1 - _columns(tail))}…{tail}"
    return text + " " * (size - _columns(text))


def _taken(characters: Iterable[str], size: int) -> str:
    """As many of the first characters as fit ``size`` columns."""
    taken = ""
    for character in characters:
        if _columns(taken + character) > size:
            break
        taken += character
    return taken


def wrapped(line: str, width: int | None, indent: str = "  ") -> list[str]:
    """``line`` as lines of at most ``width`` columns, where its words allow it."""
    if width is None:
        return [indent + line]
    room = max(width, 40) - len(indent)
    lines = textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False)
    return [indent + part for part in lines]


def _painted(color: str, line: str) -> str:
    return f"\033[{COLORS[color]}m{line}\033[0m"
