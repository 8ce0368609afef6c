"""All tensors of two models matched, those first that need no help, then with what these found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log10

from assay.alignment.carried import carried
from assay.alignment.matrices import Array
from assay.alignment.orders import Order, Orders, Twins, twins
from assay.alignment.pairing import Prints, namesake
from assay.alignment.rotation import turned_back
from assay.alignment.search import Found, searched

_ROUNDS = 3  # in which tensors take over what others found
_WORTH = -6.0  # log₁₀ of a tail: a pair that is not looked for elsewhere
_TOLD = -1.0  # promise of an order that is offered to others; log₁₀ of a tail that is no chance
_SURE = -30.0  # log₁₀ of a tail, and …
_EQUAL = 0.9  # … correlation, of what needs no order from others
_TRIED = 3  # tensors of the source, for one without a namesake; one where …
_LARGE = 2**16  # … it has more values


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """A tensor of each model, and how their channels belong together."""

    source: str
    found: Found


class Matching:
    """What is known of each tensor of a suspect; (r, c, k) by name, of both models."""

    def __init__(self, suspect: Mapping[str, Array], source: Mapping[str, Array]) -> None:
        self.matches: dict[str, Match] = {}
        self._suspect, self._source = suspect, source
        self._orders = Orders()

    def run(self) -> None:
        for name, matrix in self._suspect.items():
            other = namesake(name, matrix, self._source)
            if other is not None:
                self._search(name, other, 0.0)
        self._carry()
        if self._look_elsewhere():
            self._carry()
        self._turn_back()

    def is_found(self, name: str) -> bool:
        """Whether a counterpart of the suspect's tensor is known."""
        match = self.matches.get(name)
        return match is not None and match.found.log10_false_alarm <= _WORTH

    def open(self) -> list[str]:
        """The suspect's tensors of which no counterpart is known."""
        return [name for name in self._suspect if not self.is_found(name)]

    def improve(self, name: str, source: str, found: Found) -> bool:
        """Keep a match if it is the best one so far; whether it is, and more than chance."""
        known = self.matches.get(name)
        if known is not None and known.found.worth <= found.worth:
            return False
        self.matches[name] = Match(source, found)
        return found.log10_false_alarm <= _TOLD

    def _search(self, name: str, source: str, log10_tried: float) -> bool:
        """Align two tensors by what they hold alone; whether that is better, and no chance."""
        found = searched(self._suspect[name], self._source[source])
        for one in sorted(found, key=lambda each: -each.promise):  # the last word counts
            self._offer(name, source, one)
        return any(self.improve(name, source, one.of_many(log10_tried)) for one in found[:1])

    def _carry(self) -> None:
        """Orders of channels are taken over, until nothing gets better."""
        for _ in range(_ROUNDS):
            better = False
            for name, match in [*self.matches.items()] if len(self._orders) else []:
                source = match.source
                if self._is_sure(match):
                    continue
                found = carried(self._suspect[name], self._source[source], source, self._orders)
                better |= any(self.improve(name, source, one) for one in found[:1])
                for half in [one for one in found if one.searched][:1]:
                    self._offer(name, source, half)
            if not better:
                return

    def _is_sure(self, match: Match) -> bool:
        """Whether nothing that others found can make it better."""
        sure = match.found.log10_false_alarm < _SURE and match.found.correlation > _EQUAL
        return sure and not self._orders.has_twins

    def _offer(self, name: str, source: str, found: Found) -> None:
        """Let others take over the orders that these tensors' own values told."""
        if found.promise > _TOLD:
            return
        matrix = found.twins.folded(self._suspect[name])
        for axis in found.searched:
            index = (found.rows, found.columns)[axis]
            copies = twins(matrix, index) if axis == 0 else Twins()
            sources = found.carried | {source}
            order = Order(index, matrix.shape[axis], sources, found.promise, copies)
            self._orders.add((name, axis, found.searched, bool(found.carried)), order)

    def _turn_back(self) -> None:
        """Turn back what was rotated, among tensors that are hardly like their namesakes."""
        names = {
            name: other
            for name, match in self.matches.items()
            if not self.is_found(name) or match.found.is_faint
            if (other := namesake(name, self._suspect[name], self._source)) is not None
        }
        for name, source, found in turned_back(self._suspect, self._source, names):
            self.improve(name, source, found)

    def _look_elsewhere(self) -> bool:
        """Search counterparts by content, for tensors that have none; whether any was found."""
        found, prints = False, Prints(self._source)
        for name in self.open():
            matrix = self._suspect[name]
            likely = prints.ranked(matrix)
            known = self.matches.get(name)
            others = [other for other in likely if known is None or other != known.source]
            for other in others[: _TRIED if matrix.size <= _LARGE else 1]:
                found |= self._search(name, other, log10(len(likely)))
                if self.is_found(name):
                    break
        return found
