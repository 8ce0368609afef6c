"""Whether one model's tensor shapes stand in the other's file in rows, as those of a part do.

[Greedy string tiling: Wise, 1993.]  Layer graphs of one network differ where its two sizes are
branches of one file, or where an exporter wrote a layer as a loop; the order in which a file lists
its weights stays.  As with layer graphs, equal design is no evidence of descent: there is no false
alarm, and no relation beyond same-architecture is ever drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.comparisons import Comparison
from assay.values import Evidence, Record, Relation

_MOST_RUNS = 64

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class TensorOrder(Comparison):
    """Tensors in runs of shapes that both models have, in shares of the smaller one."""

    share: float = 0.8  # of the smaller model's tensors, that are in such runs
    tensors: int = 6  # of a run, at least
    shapes: int = 4  # different ones, at least: few ones are alike by chance

    def compare(self, suspect: Record, source: Record) -> Evidence | None:
        ours, theirs = _listed(suspect), _listed(source)
        fewest = min(len(ours), len(theirs))
        if fewest < self.tensors:
            return None
        if (Counter(ours) & Counter(theirs)).total() < self.share * fewest:
            return None  # there is nothing to be found, and runs take long to find
        found = runs(ours, theirs, self.tensors)
        total = sum(map(len, found))
        detail = {
            "in_runs": total,
            "runs": len(found),
            "different_shapes": len({shape for run in found for shape in run}),
            "tensors": [len(ours), len(theirs)],
        }
        score = round(2 * total / (len(ours) + len(theirs)), 4)
        return Evidence(repr(self), score, None, detail)

    def supported(self, evidence: Evidence) -> Relation:
        detail = evidence.detail
        is_part = detail["in_runs"] >= self.share * min(detail["tensors"])
        if is_part and detail["different_shapes"] >= self.shapes:
            return Relation.SAME_ARCHITECTURE
        return Relation.UNRELATED


def _listed(record: Record) -> list[Hashable]:
    """The sizes of each tensor, as the file lists them."""
    return [record.shapes[place][0] for place in record.order]


def runs(
    ours: Sequence[Hashable], theirs: Sequence[Hashable], shortest: int
) -> list[Sequence[Hashable]]:
    """Runs of equal elements that both have, the longest first; each element is in one at most.

    Of files that were made to take long, the first 64.
    """
    numbers: dict[Hashable, int] = {}
    free, others = (
        np.array([numbers.setdefault(element, len(numbers)) for element in side])
        for side in (ours, theirs)
    )
    found = list[Sequence[Hashable]]()
    while len(found) < _MOST_RUNS:
        length, end, other_end = _longest(free, others)
        if length < shortest:
            break
        found.append(ours[end - length : end])
        free[end - length : end] = -1  # what is taken is like nothing
        others[other_end - length : other_end] = -2
    return found


def _longest(ours: Numbers, theirs: Numbers) -> tuple[int, int, int]:
    """Length of the longest run that both have, and where it ends in each [Gusfield, 1997]."""
    best = 0, 0, 0
    lengths = np.zeros(len(theirs) + 1, np.int64)  # of the run that ends before a place of theirs
    for number, element in enumerate(ours, 1):
        lengths[1:] = np.where(theirs == element, lengths[:-1] + 1, 0)
        end = int(lengths.argmax())
        if lengths[end] > best[0]:
            best = int(lengths[end]), number, end
    return best
