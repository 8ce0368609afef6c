"""What a report says, in words: the same in a terminal and on a page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
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
    Relation.DERIVED: "It is statistically consistent with having been made from a model below, or"
    " that from it. An unregistered source of both would look the same.",
    Relation.SAME_MODEL: "It is statistically consistent with being a model below, converted or"
    " saved again.",
    Relation.IDENTICAL: "Its bytes are those of a model below. They do not say who had them first.",
}
BEHAVIOR = (
    "It answers more like a model below than reference models or its twins do, at the false alarm"
    " below. Against references alone, who shared its teacher or its data would, too."
)
ASKED = "It could only be asked: nothing is known of its layers and weights."
ANSWERS = "What models answer is a lead, and with reference models at most a common source."
LEAD = (
    "Equal or similar structure is not evidence of copying: networks trained apart look the same."
)
FALSE_ALARM = "False alarm: how likely independently made models are to score as high."
POOR = "Quality {:.2f} of 1: little of the graph was understood, or there is little in it to tell."
NO_GRAPH = "The file holds no graph: its structure is told by the shapes of its tensors."
NO_WEIGHTS = "None of its weights tells anything: only its structure was compared."
SHAPES_ALIKE = "The shapes of its tensors are those of a model below, or many of them are."
PART_ALIKE = "A part of its layers is laid out as a part of a model below."
FAIR_QUALITY = 0.5
HEADINGS = ("RELATION", "SCORE", "FALSE ALARM", "OWNER", "NAME", "SHA256")


def json_line(value: Json) -> str:
    """One line of JSON in ASCII: a name in any encoding survives any pipe."""
    return json.dumps(value)


def printable(text: str) -> str:
    """``text`` with line ends, terminal controls and what is not Unicode written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def escaped(text: str) -> str:
    """``printable`` text for a page."""
    return escape(printable(text))


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
    if "in_words" in evidence.detail:
        known.append(evidence.detail["in_words"])
    else:
        pairs = evidence.detail.items()
        known += [f"{key.replace('_', ' ')} {_value(value)}" for key, value in pairs]
    return printable(f"{evidence.method.partition('(')[0]}: {', '.join(known)}")


def explanation(kin: Kin) -> list[str]:
    """By what right the two share something: a license, or a public base that it comes from."""
    if kin.licensed:
        return [*map(str, kin.licensed)]
    if kin.explained_by is None:
        return []
    if kin.record.base:
        return ["a public base, registered as one that everybody may build on: not reviewed"]
    return [f"explained by the public base {kin.explained_by}, which both come from"]


def meaning(report: Report) -> str:
    """The verdict in a sentence."""
    found = [kin for kin in report.matches if kin.relation == report.verdict]
    if found and all(map(by_answers, found)):
        return BEHAVIOR
    if found and all(by_parts(kin) for kin in found):
        return PART_ALIKE
    methods = {evidence.method.partition("(")[0] for kin in found for evidence in kin.evidence}
    return SHAPES_ALIKE if methods == {"TensorShapes"} else MEANING[report.verdict]


def by_parts(kin: Kin) -> bool:
    """Whether a part that both have is all that supports the relation."""
    return any(evidence.method.startswith("Parts(") for evidence in kin.evidence[:1])


def by_answers(kin: Kin) -> bool:
    """Whether what models answer is all that supports the relation."""
    strongest = kin.evidence[:1]
    return kin.relation == Relation.COMMON_ANCESTOR and any(map(_is_of_answers, strongest))


def _is_of_answers(evidence: Evidence) -> bool:
    return "access" in evidence.detail


def notes(report: Report) -> list[str]:
    """What a reader must know beside the verdict, a sentence each."""
    said = []
    asked = any(_is_of_answers(e) for kin in report.matches for e in kin.evidence)
    if report.suspect.format == "url":
        said.append(ASKED)
    elif report.suspect.code is None and report.verdict < Relation.IDENTICAL:
        said.append(NO_GRAPH)
    elif report.suspect.quality < FAIR_QUALITY:
        said.append(POOR.format(report.suspect.quality))
    sketch = report.suspect.sketch
    if sketch is not None and all(tensor.code is None for tensor in sketch.tensors):
        said.append(NO_WEIGHTS)
    if Relation.UNRELATED < report.verdict < Relation.COMMON_ANCESTOR:
        said.append(LEAD)
    if asked:
        said.append(ANSWERS)
    if report.merge is not None:
        said.append(f"It is a merge of models below: {printable(report.merge['text'])}.")
    if any(kin.log10_false_alarm is not None for kin in report.matches):
        said.append(FALSE_ALARM)
    found = {evidence.method: None for kin in report.matches for evidence in kin.evidence}
    return [*said, f"Methods: {', '.join(found)}."] if found else said


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


def review(report: Report) -> str:
    """Whether somebody is to look at it."""
    if report.licensed:
        said = printable("; ".join(map(str, report.licensed)))
        return said if not report.needs_review else f"{said}: to be reviewed"
    return "to be reviewed" if report.needs_review else "nothing to review"


def tone(report: Report) -> str:
    """The color of a verdict."""
    if report.needs_review:
        return "red"
    return "yellow" if report.verdict > Relation.UNRELATED else "green"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
