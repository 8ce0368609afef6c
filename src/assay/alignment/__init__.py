"""Two models' channels aligned: what a network's freedoms allow a thief to change is undone.

    found = align(suspect, source)           # name → values, output channel first
    found.tensors[0].after                   # correlation, then
    found.applied(suspect)                   # tensors in the source's order

Hidden channels may be permuted, scaled, removed, split or joined by others that change nothing, and
a residual stream may be rotated [Ainsworth et al., 2023; Neyshabur et al., 2015; Yan et al., 2023].
Each tensor is aligned by its own values first: scales are divided out, rows are recognized by their
sorted values, then rows and columns tell one another.  What writes a channel and what reads it have
one order, so orders that tensors found are carried to others, for which nothing was fitted then.

The best of many orders correlates between strangers, too: ``log10_false_alarm`` counts all that
were possible (see ``nulls``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from assay.alignment.matching import Match, Matching
from assay.alignment.matrices import Array, Index, factors, kernels, taken
from assay.alignment.nulls import log10_tail as log10_tail
from assay.alignment.pairing import closest_name
from assay.alignment.result import Alignment as Alignment
from assay.alignment.result import Kind
from assay.alignment.result import TensorAlignment as TensorAlignment
from assay.alignment.result import VectorAlignment as VectorAlignment
from assay.alignment.rotation import rotated
from assay.alignment.search import Found

_FEWEST = 16  # values of a tensor that is compared


def align(suspect: Mapping[str, Array], source: Mapping[str, Array]) -> Alignment:
    """How the channels of a suspect's tensors belong to a source's.

    Args:
        suspect: values by name, in canonical layout: output, input, space; float.
        source: the same of the other model.

    Vectors go with the tensors whose rows they belong to; what has fewer than 16 values, a value
    that is not finite, or is not of floating point, is left out.
    """
    ours, theirs = _matrices(suspect), _matrices(source)
    matching = Matching(ours, theirs)
    matching.run()
    tensors = tuple(
        _aligned(name, match, suspect, source)
        for name in ours
        if (match := matching.matches.get(name)) is not None
    )
    matched = {tensor.suspect for tensor in tensors}, {tensor.source for tensor in tensors}
    return Alignment(
        tensors,
        tuple(_vectors(suspect, source, tensors)),
        tuple(name for name in ours if name not in matched[0]),
        tuple(name for name in theirs if name not in matched[1]),
    )


def _matrices(weights: Mapping[str, Array]) -> dict[str, Array]:
    """(r, c, k) by name."""
    return {
        name: kernels(values)
        for name, values in weights.items()
        if values.ndim > 1 and values.dtype.kind == "f" and values.size >= _FEWEST
        if np.isfinite(values).all()
    }


def _aligned(
    name: str, match: Match, suspect: Mapping[str, Array], source: Mapping[str, Array]
) -> TensorAlignment:
    found, ours, theirs = match.found, kernels(suspect[name]), kernels(source[match.source])
    folded = found.twins.folded(ours)
    if found.turn is not None:
        folded = rotated(folded, found.turn[1], found.turn[0])
    scales = _scales(folded, theirs, found.rows, found.columns)
    used = [len(np.unique(index[index >= 0])) for index in (found.rows, found.columns)]
    return TensorAlignment(
        source=match.source,
        suspect=name,
        rows=found.rows,
        columns=found.columns,
        row_scales=scales[0],
        column_scales=scales[1],
        twins=found.twins,
        turn=found.turn,
        added=(ours.shape[0] - used[0], ours.shape[1] - used[1] - len(found.twins.copies)),
        before=_before(suspect[name], source[match.source]),
        after=found.correlation,
        plain=found.plain,
        kind=_kind(found),
        log10_searched=found.log10_searched,
        log10_false_alarm=found.log10_false_alarm,
        fits=found.fits,
    )


def _kind(found: Found) -> Kind:
    if found.turn is not None:
        return "rotated"
    return "searched" if found.searched else "carried" if found.carried else "given"


def _scales(ours: Array, theirs: Array, rows: Index, columns: Index) -> tuple[Array, Array]:
    """What rows (r) and columns (c) of the suspect are to be multiplied by; 0 where none is."""
    here, there = rows >= 0, columns >= 0
    own = taken(ours, rows[here], columns[there])
    other = taken(theirs, np.flatnonzero(here), np.flatnonzero(there))
    ratios = [a / b for a, b in zip(factors(own), factors(other), strict=True)]
    across = ratios[1] / float(np.exp(np.log(ratios[1]).mean()))
    scaled = own * ratios[0][:, None, None] * across[:, None]
    size = float(np.vdot(scaled, other)) / max(float(np.vdot(scaled, scaled)), 1e-30)
    found = []
    for index, ratio in ((here, ratios[0] * size), (there, across)):
        scales = np.zeros(len(index), np.float32)
        scales[index] = ratio
        found.append(scales)
    return found[0], found[1]


def _before(ours: Array, theirs: Array) -> float | None:
    """Pearson's correlation of two tensors as they are; None where their shapes differ."""
    if ours.shape != theirs.shape:
        return None
    one, other = (np.ravel(each - each.mean(dtype=np.float64)) for each in (ours, theirs))
    sizes = float(np.vdot(one, one)) * float(np.vdot(other, other))
    return float(np.vdot(one, other)) / sizes**0.5 if sizes > 0 else 0.0


def _vectors(
    suspect: Mapping[str, Array],
    source: Mapping[str, Array],
    tensors: tuple[TensorAlignment, ...],
) -> Iterator[VectorAlignment]:
    """Vectors in that order of the right size in which they are most alike."""
    vectors = {
        name: np.asarray(values, np.float32)
        for name, values in source.items()
        if values.ndim == 1 and values.dtype.kind == "f"
    }
    for name, values in suspect.items():
        if values.ndim != 1 or values.dtype.kind != "f":
            continue
        other = closest_name(name, vectors)
        if other is None:
            continue
        theirs, ours = vectors[other], np.asarray(values, np.float32)
        orders = [
            each.rows
            for each in tensors
            if len(each.rows) == len(theirs) and len(ours) == len(suspect[each.suspect])
        ]
        if len(ours) == len(theirs):
            orders.append(np.arange(len(ours)))
        if orders:
            likeness = [_like(ours, theirs, order) for order in orders]
            yield VectorAlignment(other, name, orders[int(np.argmax(likeness))])


def _like(ours: Array, theirs: Array, order: Index) -> float:
    there = order >= 0
    one, other = ours[order[there]], theirs[there]
    return -float(np.square(one / max(one.std(), 1e-12) - other / max(other.std(), 1e-12)).mean())
