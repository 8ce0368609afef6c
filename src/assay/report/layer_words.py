"""What a comparison says of layers, in words: the same in a terminal, on a page and elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from assay.report.words import false_alarm_text, score_text
from assay.values import Layer, LayerMatch, WeightedGraph

if TYPE_CHECKING:
    from assay.report.compared import LayerPair

HEADINGS = (
    "#", "SOURCE", "SUSPECT", "SHAPE", "CORRELATION", "AS STORED", "UNDONE", "WHAT CHANGED",
    "FALSE ALARM",
)  # fmt: skip
ALIGNED = (
    "Correlation is that of a layer's weights once what a network's freedoms allow, such as the"
    " order and the scale of its channels, is undone; as stored is what it was before that."
)
NOTHING = "nothing"
_MOST_NAMES = 3
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def shortened(text: str, room: int) -> str:
    """``text`` in at most ``room`` characters, cut in the middle."""
    if len(text) <= room:
        return text
    if room < 2:
        return ""
    tail = room // 2
    return f"{text[: room - 1 - tail]}…{text[len(text) - tail :]}"


def match_row(match: LayerMatch, number: int | None) -> tuple[str, ...]:
    """The cells under HEADINGS."""
    return (
        "" if number is None else str(number),
        match.source,
        "the same" if match.suspect == match.source else match.suspect,
        shapes_text(match),
        score_text(match.correlation),
        "-" if match.stored is None else score_text(match.stored),
        ", ".join(match.undone) or "-",
        change_text(match.change),
        false_alarm_text(match.log10_false_alarm),
    )


def shapes_text(match: LayerMatch) -> str:
    """The source's, and the suspect's where it is another."""
    ours, theirs = shape_text(match.source_shape), shape_text(match.suspect_shape)
    return ours if ours == theirs else f"{ours} → {theirs}"


def shape_text(shape: tuple[int, ...] | None) -> str:
    """As ``64×3×3×3``."""
    return "?" if shape is None else "×".join(map(str, shape)) or "one number"


def change_text(change: Mapping[str, Any]) -> str:
    """What is left once all is undone: other numbers, pruned values, moved ones."""
    said = []
    numbers = change.get("numbers")
    if numbers and numbers != "float32":
        said.append(f"stored as {numbers}")
    if change.get("pruned"):
        of = change.get("of") or "values"
        said.append(f"{change['pruned']:.0%} of the values are now 0" + _whole(of))
    if change.get("moved"):
        said.append(f"moved by {change['moved']:.1%}")
    if change.get("rank"):
        said.append(f"by a matrix of rank {change['rank']}")
    return ", ".join(said) or NOTHING


def _whole(of: str) -> str:
    return "" if of == "values" else f" (whole {of})"


def layer_words(graph: WeightedGraph, place: int, pair: LayerPair | None) -> str:
    """A layer in a few lines."""
    layer = graph.graph.layers[place]
    lines = [_described(layer)]
    names = graph.weights[place]
    if names and graph.whole:
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        lines.append(f"weights {', '.join(names[:_MOST_NAMES])}{more}")
    if pair is None:
        weighs = names or layer.parameters
        lines.append("no layer of the other is known to be this one")
        lines += [] if weighs else ["no weights"]
    elif pair.match is None:
        lines.append(f"#{pair.number}, told by its place alone")
    else:
        lines += [f"#{pair.number}", *match_words(pair.match)]
    return "\n".join(lines)


def match_words(match: LayerMatch) -> Iterator[str]:
    """What became of a layer's largest weights, line by line."""
    yield f"{match.source} → {match.suspect}, {shapes_text(match)}"
    stored = "" if match.stored is None else f", as stored {score_text(match.stored)}"
    yield f"correlation {score_text(match.correlation)}{stored}"
    if match.undone:
        yield f"undone: {', '.join(match.undone)}"
    yield f"changed: {change_text(match.change)}"
    yield f"false alarm {false_alarm_text(match.log10_false_alarm)}"


def _described(layer: Layer) -> str:
    """Operator, shape and costs."""
    shape = "" if layer.shape is None else f", output {shape_text(layer.shape)}"
    size = f", {layer.parameters:,} parameters" if layer.parameters else ""
    pairs = (f"{key} {shape_text(v) if isinstance(v, tuple) else v}" for key, v in layer.attributes)
    attributes = "".join(f", {pair}" for pair in pairs)
    return f"{layer.op}{shape}{size}{attributes}"


def diagnosis_words(detail: Mapping[str, Any]) -> list[str]:
    """What was done to the source, as it seems: a sentence each."""
    return [
        f"{finding['text']} [{finding['kind']}]"
        + (f", in {', '.join(finding['tensors'][:_MOST_NAMES])}" if finding.get("tensors") else "")
        + ("…" if len(finding.get("tensors", ())) > _MOST_NAMES else "")
        for finding in detail.get("diagnosis", ())
    ]


def omissions(detail: Mapping[str, Any]) -> list[str]:
    """What was not compared, and why; what has no partner."""
    said = []
    for side, reasons in sides_of(detail.get("not_compared", {})):
        for reason, what in reasons.items():
            count = what if isinstance(what, int) else len(what)
            said.append(f"{side}{count} of the tensors: {reason}")
    for key, whose in (("only_source", "the source"), ("only_suspect", "the suspect")):
        if names := detail.get(key, ()):
            more = f" and {len(names) - 10} more" if len(names) > 10 else ""
            said.append(f"only in {whose}: {', '.join(names[:10])}{more}")
    return said


def sides_of(not_compared: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Reasons why tensors were left out, of each file where they are told apart."""
    if any(isinstance(value, Mapping) for value in not_compared.values()):
        for side, reasons in not_compared.items():
            yield f"of the {side}, ", reasons
    else:
        yield "", not_compared


def chance_text(log10: float | None) -> str:
    """A false alarm for a reader of prose."""
    if log10 is None:
        return "How likely such a likeness is between independently made models is not known."
    if log10 > -1:
        return "Independently made models are often as alike."
    if log10 >= -6:
        return f"One in {10**-log10:,.0f} independently made pairs at most would be as alike."
    power = str(math.floor(-log10)).translate(_RAISED)
    return f"The chance that independently made models are as alike is at most one in 10{power}."
