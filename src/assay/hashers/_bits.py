"""Single bits of layer graphs, of which boosting takes the best: labels drawn alike, and sizes.

[Moulton & Jiang, Maximally Consistent Sampling and the Jaccard Index of Probability Distributions,
ICDM 2018.]  Of the labels of one kind one is drawn, each with a chance that grows with how often it
is there; the same hash function draws the same label of two graphs with the chance that their
Jaccard index says, and a bit of the label's hash is the bit of the code.  That is steadier than a
vote of all labels: it stays while the one that was drawn does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.graphs.label_kinds import Kind
from assay.graphs.label_words import Labels, paired
from assay.graphs.layer_labels import LayerLabels

Bits = NDArray[np.bool_]
Floats = NDArray[np.float64]

EXPONENTS = (0.0, 0.5, 1.0, 2.0)  # of a label's count; 0: all labels are alike
VOTES = 32  # of each kind of labels
_UNIT = 2.0**-53


@dataclass(frozen=True, slots=True)
class Draw:
    """Bits of labels that are drawn."""

    kind: Kind
    exponent: float
    functions: tuple[int, ...]  # (b) which hash function draws for each bit


@dataclass(frozen=True, slots=True)
class Above:
    """Bits of one of a graph's sizes."""

    size: str  # of ``LayerLabels.sizes``
    thresholds: tuple[float, ...]  # (b) the bit is 1 where it is larger


def bits(labels: LayerLabels, wanted: Sequence[Draw | Above]) -> Bits:
    """All bits that are wanted of a graph, one group after the other."""
    found = [
        _drawn(labels(each.kind), each.exponent, each.functions)
        if isinstance(each, Draw)
        else labels.sizes[each.size] > np.array(each.thresholds)
        for each in wanted
    ]
    return np.concatenate(found) if found else np.zeros(0, bool)


def votes(labels: LayerLabels, kinds: Sequence[Kind]) -> Floats:
    """Random projections (kinds · VOTES) of how often each label is there, by square roots.

    Of length 1 for each kind, so that inner products tell how alike two graphs are.
    """
    found = np.zeros((len(kinds), VOTES))
    for row, kind in zip(found, kinds, strict=True):
        these, counts = np.unique(labels(kind), return_counts=True)
        random = paired(these, np.full_like(these, VOTES))[:, None] >> np.arange(
            VOTES, dtype=np.uint64
        )
        row += np.sqrt(counts) @ np.where(random & np.uint64(1), 1.0, -1.0)
        row /= max(float(np.sqrt(row @ row)), 1.0)
    return found.ravel()


def _drawn(labels: Labels, exponent: float, functions: Sequence[int]) -> Bits:
    if not len(labels):
        return np.zeros(len(functions), bool)
    found, counts = np.unique(labels, return_counts=True)
    rows, columns = len(found), len(functions)
    numbers = np.tile(np.array(functions, np.uint64), rows)
    random = paired(np.repeat(found, columns), numbers).reshape(rows, columns)
    times = -np.log(((random >> np.uint64(11)).astype(np.float64) + 0.5) * _UNIT)
    first = np.argmin(times / counts[:, None].astype(np.float64) ** exponent, 0)
    bit: Bits = (random[first, np.arange(columns)] & np.uint64(1)).astype(bool)
    return bit
