"""A report for people and programs: terminal text, a line of JSON, an HTML page for offline.

All three say the same facts, and none says more than the relation.  Names come from files that a
stranger may have made, so nothing of them reaches a terminal or a page unescaped.
"""

from __future__ import annotations

import json
import math
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from assay.values import Evidence, Json, Kin, Record, Relation, Report

MEANING: Mapping[Relation, str] = {
    Relation.UNRELATED: "It resembles no model that it was compared with. That is no proof that it"
    " is original.",
    Relation.SAME_FAMILY: "Its layers resemble those of a model below, as two sizes or versions of"
    " one design do.",
    Relation.SAME_ARCHITECTURE: "Its layers and their wiring are those of a model below, or nearly"
    " so.",
    Relation.COMMON_ANCESTOR: "Its weights are statistically consistent with a source shared with"
    " a model below, such as one public base. Neither need come from the other.",
    Relation.DERIVED: "It is statistically consistent with having been made from a model below. An"
    " unregistered source of both would look the same.",
    Relation.SAME_MODEL: "It is statistically consistent with being a model below, converted or"
    " saved again.",
    Relation.IDENTICAL: "Its bytes are those of a model below. They do not say who had them first.",
}
LEAD = (
    "Equal or similar structure is not evidence of copying: networks trained apart look the same."
)
FALSE_ALARM = "False alarm: how likely independently made models are to score as high."
POOR = "Quality {:.2f} of 1: little of the graph was understood, or there is little in it to tell."
NO_GRAPH = "The file holds no graph: what was compared are the shapes of its tensors."
SHAPES_ALIKE = "The shapes of its tensors are those of a model below, or many of them are."
FAIR_QUALITY = 0.5
COLORS = {"bold": "1", "dim": "2", "red": "31", "yellow": "33", "green": "32"}
HEADINGS = ("RELATION", "SCORE", "FALSE ALARM", "OWNER", "NAME", "SHA256")


def json_line(value: Json) -> str:
    """One line of JSON in ASCII: a name in any encoding survives any pipe."""
    return json.dumps(value)


def printable(text: str) -> str:
    """``text`` with line ends, terminal controls and what is not Unicode written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def score_text(score: float) -> str:
    """Three digits; only a true 1 reads as 1."""
    return "0.999" if 0.999 < score < 1 else f"{score:.3f}"


def false_alarm_text(log10: float | None) -> str:
    """The probability as ``3e-07``, however small; "unknown" where there is none."""
    if log10 is None:
        return "unknown"
    exponent = math.floor(log10)
    digit = math.ceil(10 ** (log10 - exponent) - 1e-9)  # rounded up: never a smaller probability
    return f"{digit}e{exponent}" if digit < 10 else f"1e{exponent + 1}"


def facts(record: Record) -> str:
    """What is known of a model, on one line."""
    layers = "no graph" if record.graph is None else f"{len(record.graph.layers):,} layers"
    size = f"{record.parameters:,} parameters"
    return f"{printable(record.format)}, {layers}, {size}, quality {record.quality:.2f}"


def known(record: Record) -> list[str]:
    """What is known of a suspect, line by line."""
    lines = [facts(record)]
    lines += [f"sha256 {record.sha256}"] if record.sha256 else []
    lines += [f"code {record.code}"] if record.code else []
    if record.predicted:
        category, confidence = record.predicted
        lines.append(f"category {printable(category)}, confidence {score_text(confidence)}")
    return lines


def evidence_text(evidence: Evidence) -> str:
    """One method's finding, on one line; ``notes`` give its options."""
    known = [f"score {score_text(evidence.score)}"]
    known.append(f"false alarm {false_alarm_text(evidence.log10_false_alarm)}")
    known += [f"{key.replace('_', ' ')} {_value(value)}" for key, value in evidence.detail.items()]
    return printable(f"{evidence.method.partition('(')[0]}: {', '.join(known)}")


def meaning(report: Report) -> str:
    """The verdict in a sentence."""
    found = [kin for kin in report.matches if kin.relation == report.verdict]
    methods = {evidence.method.partition("(")[0] for kin in found for evidence in kin.evidence}
    return SHAPES_ALIKE if methods == {"TensorShapes"} else MEANING[report.verdict]


def notes(report: Report) -> list[str]:
    """What a reader must know beside the verdict, a sentence each."""
    said = []
    if report.suspect.code is None and report.verdict < Relation.IDENTICAL:
        said.append(NO_GRAPH)
    elif report.suspect.quality < FAIR_QUALITY:
        said.append(POOR.format(report.suspect.quality))
    if Relation.UNRELATED < report.verdict < Relation.COMMON_ANCESTOR:
        said.append(LEAD)
    if any(kin.log10_false_alarm is not None for kin in report.matches):
        said.append(FALSE_ALARM)
    found = {evidence.method: None for kin in report.matches for evidence in kin.evidence}
    return [*said, f"Methods: {', '.join(found)}."] if found else said


def text(report: Report, width: int | None = None, color: bool = False) -> str:
    """The report for a terminal of ``width`` columns; None: as wide as it takes."""
    paint = _painted if color else lambda tone, line: line
    suspect = report.suspect
    lines = [
        paint("bold", printable(suspect.path)),
        *(paint("dim", f"  {line}") for line in known(suspect)),
        "",
        paint(_tone(report.verdict), f"Verdict: {report.verdict}") + f" ({_review(report)})",
        *wrapped(meaning(report), width),
    ]
    rows = table(HEADINGS, [row(kin) for kin in report.matches], width)
    if report.matches:
        lines += ["", paint("dim", rows[0])]
    for kin, line in zip(report.matches, rows[1:], strict=True):
        lines.append(line)
        found = [printable(kin.record.path), *map(evidence_text, kin.evidence)]
        lines += [paint("dim", x) for each in found for x in wrapped(each, width, "    ")]
    said = [line for note in notes(report) for line in wrapped(note, width)]
    return "\n".join([*lines, *([""] if said else []), *said]) + "\n"


def row(kin: Kin) -> tuple[str, ...]:
    """A match as the cells under HEADINGS."""
    return (
        str(kin.relation),
        score_text(kin.score),
        false_alarm_text(kin.log10_false_alarm),
        kin.record.owner or "-",
        kin.record.name or kin.record.path,
        (kin.record.sha256 or "-")[:12],
    )


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


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def wrapped(line: str, width: int | None, indent: str = "  ") -> list[str]:
    """``line`` as lines of at most ``width`` columns, where its words allow it."""
    if width is None:
        return [indent + line]
    room = max(width, 40) - len(indent)
    lines = textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False)
    return [indent + part for part in lines]


def _review(report: Report) -> str:
    return "to be reviewed" if report.needs_review else "nothing to review"


def _tone(verdict: Relation) -> str:
    if verdict >= Relation.COMMON_ANCESTOR:
        return "red"
    return "yellow" if verdict > Relation.UNRELATED else "green"


def _painted(color: str, line: str) -> str:
    return f"\033[{COLORS[color]}m{line}\033[0m"


STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; overflow-wrap: anywhere; margin-bottom: .2rem; }
section { border-top: 1px solid var(--line); padding: .5rem 0 1.5rem; }
.verdict { border-left: .4rem solid #2a7; padding: .5rem 1rem; background: var(--soft); }
.lead { border-color: #d90; } .review, .failed { border-color: #d33; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; vertical-align: top; }
thead th { border-bottom: 1px solid var(--line); font-weight: 600; white-space: nowrap; }
td { overflow-wrap: anywhere; } td.tight { white-space: nowrap; }
tr.evidence td { padding: 0 0 .6rem 1.5rem; border-bottom: 1px solid var(--line); }
tr.evidence td, .facts { font-size: .8rem; opacity: .8; overflow-wrap: anywhere; }
.facts { margin: .2rem 0 .8rem; } section > p { margin: .5rem 0; }
""".strip()
POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # no script, nothing loaded


def page(reports: Sequence[Report], failures: Sequence[tuple[str, str]] = ()) -> str:
    """A whole HTML page: ``reports``, and path and error of each suspect that was not checked."""
    parts = [f"""<section><h2>{_html(path)}</h2>
<p class="verdict failed"><strong>Not checked.</strong> {_html(message)}</p></section>"""
             for path, message in failures]  # fmt: skip
    body = "\n".join([*parts, *map(section, reports)])
    counted = (
        f"{len(reports)} checked, {sum(report.needs_review for report in reports)} to be reviewed"
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>assay: {counted}</title>
<style>
{STYLE}
</style>
</head>
<body>
<h1>assay: whom do these models look like?</h1>
<p>{counted}, {len(failures)} not readable.</p>
{body}
</body>
</html>
"""


def section(report: Report) -> str:
    """One report as a part of a page."""
    suspect = report.suspect
    tone = {"red": "review", "yellow": "lead", "green": "none"}[_tone(report.verdict)]
    said = "".join(f"<p>{_html(note)}</p>" for note in notes(report))
    headings = "".join(f"<th>{_html(h.lower())}</th>" for h in HEADINGS[:-1])
    rows = "\n".join(map(_rows, report.matches))
    table = f"""<div class="scroll"><table>
<thead><tr>{headings}</tr></thead>
<tbody>
{rows}
</tbody></table></div>"""
    return f"""<section>
<h2>{_html(suspect.path)}</h2>
<p class="facts">{"<br>".join(map(_html, known(suspect)))}</p>
<div class="verdict {tone}"><strong>Verdict: {report.verdict}</strong> ({_review(report)})<br>
{_html(meaning(report))}</div>
{table if report.matches else ""}
{said}
</section>"""


def _rows(kin: Kin) -> str:
    relation, score, false_alarm, owner, name, _ = map(_html, row(kin))
    found = [kin.record.path, f"sha256 {kin.record.sha256}", *map(evidence_text, kin.evidence)]
    return f"""<tr><td class="tight">{relation}</td><td class="tight">{score}</td>
<td class="tight">{false_alarm}</td><td>{owner}</td><td>{name}</td></tr>
<tr class="evidence"><td colspan="{len(HEADINGS) - 1}">{"<br>".join(map(_html, found))}</td></tr>"""


def _html(text: str) -> str:
    return escape(printable(text))
