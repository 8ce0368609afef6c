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
from assay.comparisons._aligned_layers import Models, matrix
from assay.comparisons._claims import (
    FEWEST,
    FLOOR,
    NEARLY_ALL,
    TELLING,
    WORTH,
    is_frozen,
    is_part,
)
from assay.comparisons._spellings import Read, canonical, spelled_alike
from assay.diagnosis.merges import merged
from assay.diagnosis.models import Finding, Matched, diagnosed
from assay.diagnosis.tensors import Change, change
from assay.sketches import untold
from assay.sketches.formulas import formula
from assay.sketches.given import given
from assay.sketches.keys import PUBLIC
from assay.values import Evidence, Json, LayerMatch, Record, Relation
from assay.weights import Array, Weight

_SMALLEST = 64  # values of a tensor that is compared
_ALIKE = 0.5  # correlation of tensors that are matched where others prove that models are related
_UNEVEN = 0.5  # correlation that rows which are next to nothing give, in whatever order


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
        models = Models(ours, theirs)
        detail: Json = {
            "tensors": [len(ours), len(theirs)],
            "matched": models.count(proven),
            "values": models.shares(proven),
            "copied": models.copied(layers),
            "repeated": len(layers) - len({layer.source for layer, _ in layers}),
            "diagnosis": [finding.to_json() for finding in diagnosed(layers, *models.shapes)],
            "layers": [layer.to_json() for layer, _ in layers],
            "only_suspect": _without([layer.suspect for layer, _ in layers], ours),
            "only_source": _without([layer.source for layer, _ in layers], theirs),
            "not_compared": {"suspect": not_ours, "source": not_theirs},
            "floor": FLOOR,
        }
        detail["in_words"] = _in_words(detail)
        alarm = models.log10_false_alarm(proven)
        return Evidence(repr(self), models.score(layers), alarm, detail)

    def supported(self, evidence: Evidence) -> Relation:
        detail = evidence.detail
        values, copied = detail["values"], detail["copied"]
        if detail["matched"] < FEWEST or max(values) < TELLING:
            return Relation.UNRELATED
        whole = detail["only_suspect"] == detail["only_source"] == [] and not detail["repeated"]
        if whole and min(copied["rounded"]) >= NEARLY_ALL and copied["tensors"] >= FEWEST:
            return Relation.SAME_MODEL
        shared = copied["tensors"], copied["values"]
        is_copy = is_part(*shared) or is_frozen(*shared)
        return Relation.DERIVED if is_copy else Relation.COMMON_ANCESTOR


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
    return len(own) < FEWEST or size < TELLING * whole


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
        why = untold(weight, _SMALLEST)
        if why is None:
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
    return alarm + log10(max(len(ours), len(theirs))) <= WORTH


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
        correlation=round(tensor.after or tensor.before or 0.0, 4),  # one row, centered, is none
        stored=None if tensor.before is None else round(tensor.before, 4),
        undone=tensor.undone,
        log10_false_alarm=round(tensor.log10_beyond(_granted(tensor, ours, theirs)), 2),
        change=changed.to_json(),
    )
    return match, changed


def _granted(tensor: TensorAlignment, *both: Array) -> float:
    """The correlation that changing a tenth of one of them may give it: it proves nothing.

    Evenly mixed in, a tenth is far less than the best of all orders has by chance.
    """
    matrices = [matrix(values) for values in both]
    found = max(given(each, PUBLIC) for m in matrices for each in (m, m.swapaxes(0, 1)))
    return 0.0 if tensor.kind == "searched" and found < _UNEVEN else found


def _change(tensor: TensorAlignment, ours: Array, theirs: Array) -> Change:
    rows, columns = tensor.rows >= 0, tensor.columns >= 0
    here = tensor.applied(ours).reshape(theirs.shape)  # a matrix may be a kernel of one place
    here, theirs = here[rows], theirs[rows]
    if len(columns) == theirs.shape[1]:
        here, theirs = here[:, columns], theirs[:, columns]
    return change(theirs, here)


def _without(names: Sequence[str], tensors: Read) -> list[str]:
    return [name for name in tensors if name not in {*names}]


def _in_words(detail: Mapping[str, Any]) -> str:
    """What was found, for a person."""
    (ours, theirs), (own, other) = detail["tensors"], detail["values"]
    words = (
        f"once aligned, {detail['matched']} of {ours} tensors ({own:.0%} of the values) are one of"
        f" the other's {theirs} ({other:.0%})"
    )
    said = "; ".join(finding["text"] for finding in detail["diagnosis"])
    return f"{words}: {said}" if said else words
