"""Two models' weights with both files open: channels aligned, then told what became of each layer.

[Weight matching: Ainsworth et al., 2023.]  What a network's freedoms allow is undone first
(``alignment``), so permuted, rescaled, pruned and padded layers are compared value by value.  A
tensor's false alarm counts every order of channels that was possible; those of all tensors are
combined as stored codes are.  ``derived`` are models with learned tensors whose values, but for
rounding and pruning, are the other's: no training ends there, from whichever start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from math import log10, prod
from operator import or_
from typing import Any

import numpy as np

from assay.alignment import TensorAlignment, align
from assay.comparisons import Comparison
from assay.comparisons._spellings import Read, canonical, spelled_alike
from assay.comparisons._tensor_pairs import FLOOR
from assay.comparisons.weights import combined
from assay.diagnosis.merges import merged
from assay.diagnosis.models import Finding, Listed, Matched, diagnosed
from assay.diagnosis.tensors import Change, change
from assay.sketches.formulas import formula
from assay.sketches.keys import PUBLIC
from assay.sketches.starts import learned
from assay.values import Evidence, Json, LayerMatch, Record, Relation
from assay.weights import Array, Weight
from assay.weights.indices import INDICES
from assay.weights.shapes import has_one_axis

_SMALLEST = 64  # values of a tensor that is compared
_WORTH = -3.0  # log₁₀, corrected: what is likelier among strangers is no match
_ALIKE = 0.5  # correlation of tensors that are matched where others prove that models are related
_LEARNED = 0.25  # excess of correlation in a tensor that is visibly more than its start
_FEWEST = 2  # tensors that must be matched …
_TELLING = 0.05  # … with so much of one model's values
_PART = 0.5  # of one model's values, copied: a backbone, a part of a bundle
_COPIES, _COPIED = 3, 0.1  # tensors so copied, of one model's values: frozen layers
_NEARLY_ALL = 0.95  # of both models' values: the same model
_ROUNDED = ("float32", "float16", "bfloat16", "int8")  # numbers that are no other model


@dataclass(frozen=True)
class AlignedWeights(Comparison):
    """Correlation of layers once their channels are aligned, and what became of each."""

    most: int = 500_000_000  # values of one model: more are not held in memory

    def compare(self, suspect: Record, source: Record) -> Evidence | None:
        """None: what is stored of models does not suffice."""
        return None

    def compare_weights(
        self, suspect: Mapping[str, Weight], source: Mapping[str, Weight]
    ) -> Evidence | None:
        """Raises UnreadableModel where a weight is damaged."""
        if max(sum(w.size for w in weights.values()) for weights in (suspect, source)) > self.most:
            return None
        (ours, not_ours), (theirs, not_theirs) = _read(suspect, source), _read(source, suspect)
        if not ours or not theirs:
            return None
        is_mute = not all(
            weight.canonical for each in (suspect, source) for weight in each.values()
        )
        ours = spelled_alike(ours, theirs, is_mute)
        found = align(ours, theirs)
        layers = [
            _layer(tensor, ours[tensor.suspect], theirs[tensor.source]) for tensor in found.tensors
        ]
        evident = [_is_proven(layer, ours, theirs) for layer, _ in layers]
        proven = [*compress(layers, evident)]
        if proven:  # then what is merely alike, being small, is no chance either
            likely = map(_is_alike, found.tensors, (changed for _, changed in layers))
            evident = [*map(or_, evident, likely)]
        layers = [*compress(layers, evident)]
        shapes = [{name: v.shape for name, v in each.items()} for each in (ours, theirs)]
        detail: Json = {
            "tensors": [len(ours), len(theirs)],
            "matched": len(proven),
            "values": _shares(proven, shapes),
            "copied": _copied(layers, theirs, shapes),
            "repeated": len(layers) - len({layer.source for layer, _ in layers}),
            "diagnosis": [finding.to_json() for finding in diagnosed(layers, *reversed(shapes))],
            "layers": [layer.to_json() for layer, _ in layers],
            "only_suspect": _without([layer.suspect for layer, _ in layers], ours),
            "only_source": _without([layer.source for layer, _ in layers], theirs),
            "not_compared": {"suspect": not_ours, "source": not_theirs},
            "floor": FLOOR,
        }
        detail["in_words"] = _in_words(detail)
        return Evidence(repr(self), _score(layers, shapes), _false_alarm(proven, shapes), detail)

    def supported(self, evidence: Evidence) -> Relation:
        detail = evidence.detail
        values, copied = detail["values"], detail["copied"]
        if detail["matched"] < _FEWEST or max(values) < _TELLING:
            return Relation.UNRELATED
        whole = detail["only_suspect"] == detail["only_source"] == [] and not detail["repeated"]
        if whole and min(copied["rounded"]) >= _NEARLY_ALL and copied["tensors"] >= _FEWEST:
            return Relation.SAME_MODEL
        part = copied["tensors"] >= _FEWEST and max(copied["values"]) >= _PART
        few = copied["tensors"] >= _COPIES and max(copied["values"]) >= _COPIED
        return Relation.DERIVED if part or few else Relation.COMMON_ANCESTOR


def explains(source_and_base: Evidence, suspect_and_source: Evidence) -> bool:
    """Whether a base has whatever a suspect has of a source, as far as weights are copies.

    ``source_and_base`` is what was found of the source, compared with its base.  Without the base,
    two models that kept some of its layers as they were look as if one came from the other.
    """
    of_base = {layer["suspect"] for layer in source_and_base.detail["layers"]}
    own = [
        LayerMatch.from_json(layer)
        for layer in suspect_and_source.detail["layers"]
        if layer["source"] not in of_base and not layer["change"].get("moved")
    ]
    size = sum(prod(layer.source_shape) for layer in own)
    whole = sum(prod(layer["source_shape"]) for layer in suspect_and_source.detail["layers"])
    return len(own) < _FEWEST or size < _TELLING * whole


def merge_of(
    suspect: Mapping[str, Weight], sources: Mapping[str, Mapping[str, Weight]]
) -> Finding | None:
    """Whether a suspect is a merge of several models, by their names; None where it is not one.

    The channels of all are brought into the suspect's order.  Raises UnreadableModel.
    """
    ours, _ = _read(suspect, next(iter(sources.values())))
    read = (_read(weights, suspect)[0] for weights in sources.values())
    return merged(ours, [align(each, ours).applied(each) for each in read], [*sources])


def _read(
    weights: Mapping[str, Weight], other: Mapping[str, Weight]
) -> tuple[dict[str, Array], dict[str, int]]:
    """Values of the tensors that tell something, and why how many others do not."""
    known = {weight.shape for weight in other.values() if weight.canonical}
    found: dict[str, Array] = {}
    left_out: dict[str, int] = {}
    for name, weight in weights.items():
        why = None
        if weight.dtype in INDICES:
            why = "whole numbers"
        elif weight.size < _SMALLEST:
            why = f"fewer than {_SMALLEST} values"
        elif has_one_axis(weight.shape):
            why = "one axis"
        else:
            values = canonical(weight, weight.read(), known)
            why = formula(values, PUBLIC) if np.isfinite(values).all() else "not finite"
        if why is None:
            found[name] = values
        else:
            left_out[why] = left_out.get(why, 0) + 1
    return found, left_out


def _is_proven(layer: LayerMatch, ours: Read, theirs: Read) -> bool:
    """Whether strangers' tensors are not so alike, as the best of all pairs."""
    alarm = layer.log10_false_alarm or 0.0
    return alarm + log10(max(len(ours), len(theirs))) <= _WORTH


def _is_alike(tensor: TensorAlignment, changed: Change) -> bool:
    """Whether a tensor is the same, or like it in an order that others told."""
    return changed.is_copy or (tensor.kind != "searched" and tensor.after >= _ALIKE)


def _layer(tensor: TensorAlignment, ours: Array, theirs: Array) -> Matched:
    """What became of a layer: told of the channels that are still there."""
    changed = _change(tensor, ours, theirs)
    match = LayerMatch(
        source=tensor.source,
        suspect=tensor.suspect,
        source_shape=theirs.shape,
        suspect_shape=ours.shape,
        correlation=round(tensor.after, 4),
        stored=None if tensor.before is None else round(tensor.before, 4),
        undone=tensor.undone,
        log10_false_alarm=round(tensor.log10_false_alarm, 2),
        change=changed.to_json(),
    )
    return match, changed


def _change(tensor: TensorAlignment, ours: Array, theirs: Array) -> Change:
    rows, columns = tensor.rows >= 0, tensor.columns >= 0
    here = tensor.applied(ours).reshape(theirs.shape)  # a matrix may be a kernel of one place
    here, theirs = here[rows], theirs[rows]
    if len(columns) == theirs.shape[1]:
        here, theirs = here[:, columns], theirs[:, columns]
    return change(theirs, here)


def _shares(layers: Sequence[Matched], shapes: Sequence[Listed]) -> list[float]:
    """Of the suspect's and of the source's values, the share in matched tensors."""
    ours = {layer.suspect: prod(layer.suspect_shape) for layer, _ in layers}
    theirs = {layer.source: prod(layer.source_shape) for layer, _ in layers}
    totals = [sum(map(prod, listed.values())) for listed in shapes]
    return [
        round(sum(each.values()) / total, 4)
        for each, total in zip((ours, theirs), totals, strict=True)
    ]


def _copied(layers: Sequence[Matched], theirs: Read, shapes: Sequence[Listed]) -> dict[str, Any]:
    """Learned tensors whose values are the source's: how many, and of both models' values."""
    copies = [
        (layer, changed)
        for layer, changed in layers
        if changed.is_copy and learned(_matrix(theirs[layer.source]), PUBLIC) >= _LEARNED
    ]
    rounded = [
        (layer, changed)
        for layer, changed in layers
        if changed.is_copy
        and not changed.pruned
        and changed.numbers.split()[0] in _ROUNDED
        and "removed" not in layer.undone
        and "added" not in layer.undone
    ]
    return {
        "tensors": len({layer.source for layer, _ in copies}),
        "values": _shares(copies, shapes),
        "rounded": _shares(rounded, shapes),
    }


def _matrix(values: Array) -> Array:
    """(r, …) with axes of size 1 left out."""
    return values.reshape([size for size in values.shape if size != 1])


def _without(names: Sequence[str], tensors: Read) -> list[str]:
    return [name for name in tensors if name not in {*names}]


def _score(layers: Sequence[Matched], shapes: Sequence[Listed]) -> float:
    """Mean correlation of both models' values; that of values without a match is 0."""
    found = [
        sum(prod(shape) * max(layer.correlation, 0.0) for layer, shape in each)
        for each in (
            [(layer, layer.suspect_shape) for layer, _ in layers],
            [*{layer.source: (layer, layer.source_shape) for layer, _ in layers}.values()],
        )
    ]
    totals = [sum(map(prod, listed.values())) for listed in shapes]
    shares = [part / total for part, total in zip(found, totals, strict=True)]
    return round(min(sum(shares) / 2, 1.0), 4)


def _false_alarm(layers: Sequence[Matched], shapes: Sequence[Listed]) -> float:
    """log₁₀ of that of the models: from either one's tensors, the weaker of both.

    Each tensor was compared with all of the other model, and counts once.
    """
    alarms = []
    ours, theirs = shapes
    for listed, other, name in ((ours, theirs, "suspect"), (theirs, ours, "source")):
        best: dict[str, float] = {}
        for layer, _ in layers:
            tail = max(layer.log10_false_alarm or 0.0, FLOOR) + log10(len(other))
            key = getattr(layer, name)
            best[key] = min(best.get(key, 0.0), tail)
        alarms.append(combined([*best.values()], len(listed)))
    return round(max(alarms), 2)


def _in_words(detail: Mapping[str, Any]) -> str:
    """What was found, for a person."""
    (ours, theirs), (own, other) = detail["tensors"], detail["values"]
    words = (
        f"once aligned, {detail['matched']} of {ours} tensors ({own:.0%} of the values) are one of"
        f" the other's {theirs} ({other:.0%})"
    )
    said = "; ".join(finding["text"] for finding in detail["diagnosis"])
    return f"{words}: {said}" if said else words
