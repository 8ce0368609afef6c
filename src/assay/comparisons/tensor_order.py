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

from assay.comparisons import Comparison
from assay.values import Evidence, Record, Relation


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
    """Runs of equal elements that both have, the longest first; each element is in one at most."""
    free, others = list(ours), list(theirs)  # what is taken becomes unlike everything
    found = list[Sequence[Hashable]]()
    while True:
        length, ours_end, theirs_end = _longest(free, others)
        if length < shortest:
            return found
        found.append(ours[ours_end - length : ours_end])
        free[ours_end - length : ours_end] = [object() for _ in range(length)]
        others[theirs_end - length : theirs_end] = [object() for _ in range(length)]


def _longest(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> tuple[int, int, int]:
    """Length of the longest run that both have, and where it ends in each [Gusfield, 1997]."""
    best = 0, 0, 0
    places: dict[Hashable, list[int]] = {}
    for place, element in enumerate(theirs):
        places.setdefault(element, []).append(place)
    lengths: dict[int, int] = {}  # of the run that ends at a place of theirs
    for number, element in enumerate(ours, 1):
        lengths = {place: lengths.get(place - 1, 0) + 1 for place in places.get(element, ())}
        for place, length in lengths.items():
            if length > best[0]:
                best = length, number, place + 1
    return best
