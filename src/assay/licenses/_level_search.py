"""Nested sets of what is taken from a model, as large as wanted accuracies allow.

What can be taken has a rank, most important first, and is called by its number in that.  A set is
the largest number of first ones that leaves the accuracy wanted; then further ones follow where
that still holds, until it is near enough.  Where it never is, one of the first ones stays out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from assay.errors import BadOption, UnfitModel
from assay.licenses import License, Work
from assay.running.examples import Examples

EXTRA = "torch"
MARGIN = 0.02  # above what one constant answer gets: near chance
_SIZES = 20  # of sets, evenly apart, that are tried

Numbers = tuple[int, ...]


def near_chance(judge: Examples) -> float:
    """The accuracy up to which a model is of no use: little more than one constant answer's."""
    labels = np.bincount(judge.known_labels)
    return float(labels.max() / labels.sum()) + MARGIN


def levels_of(
    method: License,
    work: Work,
    search: LevelSearch,
    targets: Sequence[float],
    tolerance: float,
    start: Numbers = (),
) -> Iterator[Numbers]:
    """A set for each accuracy, with the one before in it; ``start`` is in all.

    Raises BadOption where the model itself has less, UnfitModel as ``LevelSearch.near`` does.
    """
    own, taken = work.accuracy(work.module), start
    for number, target in enumerate(targets, 1):
        work.say(f"searching level {number}")
        if own < target:
            raise BadOption(
                f"{method.method}: level {number} is to have {target:g}, and the model itself has"
                f" {own:.4f}: set levels below that"
            )
        taken = search.near(target, tolerance, taken)
        yield taken


class LevelSearch:
    """Sets of ``count`` things, and the accuracy that a model has without them."""

    def __init__(
        self, count: int, accuracy: Callable[[Numbers], float], tries: int = 300, passes: int = 9
    ) -> None:
        """Search.

        Args:
            count: How many things there are.
            accuracy: Of the model without some; it is asked once for each set.
            tries: Single ones that are tried in one pass, for one level.
            passes: How often, for one level, with another beginning.
        """
        self.count, self.tries, self.passes = count, tries, passes
        self._ask, self._known = accuracy, dict[frozenset[int], float]()

    def accuracy(self, taken: Sequence[int]) -> float:
        """0 … 1, of the model without these."""
        numbers = frozenset(taken)
        if numbers not in self._known:
            self._known[numbers] = self._ask(tuple(sorted(numbers)))
        return self._known[numbers]

    def first(self, count: int, start: Numbers = ()) -> Numbers:
        """The ``count`` highest in rank, and those of ``start``."""
        return tuple(sorted({*range(min(count, self.count)), *start}))

    def near(self, target: float, tolerance: float, start: Numbers = ()) -> Numbers:
        """A set with ``start`` in it whose accuracy is the target's.

        Raises UnfitModel where none is found within the tolerance.
        """
        rest = [number for number in range(self.count) if number not in start]
        low = self._last_above(target, start, rest)
        nearest = 2.0
        for back in range(min(low + 1, self.passes)):  # then without the last of the first ones
            first = [*rest[: low - back], *rest[low - back + 1 : low]]
            found = self._filled(target, tolerance / 2, (*start, *first), rest[low:])
            if abs(self.accuracy(found) - target) <= tolerance:
                return tuple(sorted(found))
            nearest = min(nearest, self.accuracy(found), key=lambda each: abs(each - target))
        raise UnfitModel(
            f"no level within {tolerance:g} of {target:g} was found: the nearest has {nearest:.4f};"
            " set another level, or a larger cap"
        )

    def _filled(self, target: float, slack: float, found: Numbers, more: Sequence[int]) -> Numbers:
        """``found`` and those of ``more`` that leave at least the target, until it is reached."""
        for number in more[: self.tries]:
            if self.accuracy(found) <= target + slack:
                break
            if self.accuracy((*found, number)) >= target - slack:
                found = (*found, number)
        return found

    def at_most(self, limit: float, start: Numbers = ()) -> Numbers:
        """A set with ``start`` in it whose accuracy is no larger: of first ones, as few as can be.

        Accuracies near chance go up and down, so that many sizes are tried, not only the largest.
        Raises UnfitModel where none is found.
        """
        rest = [number for number in range(self.count) if number not in start]
        sizes = sorted({len(rest) * step // _SIZES for step in range(_SIZES + 1)})
        least = 1.0
        for before, size in zip([0, *sizes], sizes, strict=False):
            found = self.accuracy((*start, *rest[:size]))
            if found <= limit:
                known = (*start, *rest[:before])
                more = rest[before:size]
                more = more[: self._last_above(limit, known, more) + 1]
                return tuple(sorted((*known, *more)))
            least = min(least, found)
        raise UnfitModel(
            f"without a key its accuracy is {least:.4f} at the least, and chance is near"
            f" {limit:.4f}: set a larger cap"
        )

    def _last_above(self, target: float, start: Numbers, rest: Sequence[int]) -> int:
        """How many of the first of ``rest`` can be taken, too, before it falls to the target."""
        low, high = 0, len(rest)
        while high - low > 1:
            middle = (low + high) // 2
            if self.accuracy((*start, *rest[:middle])) > target:
                low = middle
            else:
                high = middle
        return low
