"""Orders of channels that tensors found, each by itself, offered to the tensors beside them.

What writes a channel and what reads it have one order.  Which tensors these are is not asked of a
graph, which many files lack: every order of the right size is tried, and what was tried is counted.
An order is only offered to tensors that had no part in finding it, so for them nothing was fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from assay.alignment.matrices import Array, Index

_SAME = 0.9  # of two orders' channels, to be one order
_MOST = 8  # orders that are tried for an axis
_EQUAL = 0.05  # of a copy's size: what splitting the channels that it reads differently makes
_TWIN = 0.95  # cosine of a row and another one, to be its copy


def no_index() -> Index:
    """Of no channel."""
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Twins:
    """Channels of a suspect that are others' copies: what reads both shares out its weight."""

    copies: Index = field(default_factory=no_index)  # (t)
    of: Index = field(default_factory=no_index)  # (t) whose copies they are
    factors: Array = field(default_factory=lambda: np.empty(0, np.float32))  # (t) of that one

    def folded(self, matrix: Array) -> Array:
        """The matrix (r, c, k) with columns of copies added to those of what they are copies of."""
        if not len(self.copies):
            return matrix
        whole = matrix.copy()
        for copy, of, factor in zip(self.copies, self.of, self.factors, strict=True):
            whole[:, of] += matrix[:, copy] * factor
        return whole

    def spread(self, starts: Index, step: Index) -> Twins:
        """Of channels that have several places each: (n) where a channel's are, and how far on."""
        return Twins(
            (starts[self.copies][:, None] + step).ravel(),
            (starts[self.of][:, None] + step).ravel(),
            np.repeat(self.factors, len(step)),
        )


def twins(matrix: Array, rows: Index) -> Twins:
    """Rows of a suspect (r, c, k) that are copies of those (n) that have a counterpart."""
    kept = rows[rows >= 0]
    added = np.setdiff1d(np.arange(len(matrix)), kept)
    if not len(added) or not len(kept):
        return Twins()
    flat = matrix.reshape(len(matrix), -1)
    largest = np.maximum(np.abs(flat).max(1), 1e-30)  # of any size where a channel is idle
    flat = flat / largest[:, None]
    sizes = np.maximum(np.sqrt(np.square(flat).sum(1)), 1e-30)
    cosines = (flat[added] / sizes[added, None]) @ (flat[kept] / sizes[kept, None]).T
    best = cosines.argmax(1)
    is_twin = cosines[np.arange(len(added)), best] > _TWIN
    copies, of = added[is_twin], kept[best[is_twin]]
    factors = sizes[copies] / sizes[of] * (largest[copies] / largest[of])
    factors = np.where(np.abs(factors - 1) < _EQUAL, 1, factors).astype(np.float32)
    return Twins(copies, of, factors)


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """Where the source's channels (n) are among the suspect's."""

    index: Index  # (n) or −1
    size: int  # of the suspect's channels
    sources: frozenset[str] = frozenset()  # the source's tensors that had a part in finding it
    promise: float = 0.0  # of the alignment that it is from
    twins: Twins = field(default_factory=Twins)

    @property
    def is_in_place(self) -> bool:
        """Whether every channel is where it was."""
        return len(self.index) == self.size and bool((self.index == np.arange(self.size)).all())

    def agrees(self, other: Order) -> bool:
        """Whether it is nearly the same order."""
        if len(self.index) != len(other.index) or self.size != other.size:
            return False
        if len(self.twins.copies) != len(other.twins.copies):
            return False
        same = (self.index == other.index) & (self.index >= 0)
        return bool(same.sum() >= _SAME * (other.index >= 0).sum())


class Orders:
    """What was found so far, the last word of each tensor."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Order] = {}

    def __len__(self) -> int:
        return len(self._found)

    @property
    def has_twins(self) -> bool:
        """Whether a channel was split."""
        return any(len(order.twins.copies) for order in self._found.values())

    def add(self, key: tuple[object, ...], order: Order) -> None:
        """Another one, in place of that of this key; one that changes nothing need not be told."""
        if not order.is_in_place:
            self._found[key] = order

    def fitting(self, ours: int, theirs: int, source: str) -> list[Order]:
        """At most eight orders for an axis of a suspect's and a source's size, the surest first.

        One of m channels fits an axis of m · p places: those of a channel lie side by side, as
        where feature maps are flattened, or m apart, as in the gates of a recurrent layer.
        """
        chosen = [Order(np.arange(ours), ours)] if ours == theirs else []
        for order in sorted(self._found.values(), key=lambda each: each.promise):
            if source in order.sources:
                continue
            for one in _spread(order, ours, theirs):
                if len(chosen) < _MOST and not any(one.agrees(other) for other in chosen):
                    chosen.append(one)
        return chosen


def _spread(order: Order, ours: int, theirs: int) -> Iterator[Order]:
    """An order of channels as one of their places."""
    count, size = len(order.index), order.size
    if theirs % count or ours * count != theirs * size:
        return
    places = theirs // count
    if places == 1:
        yield order
        return
    beside = np.arange(size) * places, np.arange(places)
    apart = np.arange(size), np.arange(places) * size
    for starts, step in (beside, apart):
        at = np.where(order.index[:, None] >= 0, starts[order.index][:, None] + step, -1)
        index = at.ravel() if step is beside[1] else at.T.ravel()
        twins = order.twins.spread(starts, step)
        yield Order(index, ours, order.sources, order.promise, twins)
