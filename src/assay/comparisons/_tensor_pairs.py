"""Tensors of two models, matched one to one by their codes, nearest first.

Tensors of one model that are near one another, such as a layer and its moving average, are one:
what ties one of them to another model ties all, and must not count twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import log10, pi

import numpy as np
from numpy.typing import NDArray

from assay.comparisons._claims import FLOOR, LEARNED, WORTH
from assay.sketches.kinds import Cells, Kind, codes_of, tails, told
from assay.sketches.projections import angle
from assay.sketches.starts import drift
from assay.values import TensorSketch, WeightSketch

_ONE = -6.0  # log₁₀ of the false alarm from which two tensors of one model are one
_AT_ONCE = 1 << 16  # pairs of codes that are compared at once
_SHARED = 0.03  # of how far tensors have moved, to be what both learned; twins: .044, one .027


@dataclass(frozen=True, slots=True)
class Tensor:
    """A weight that tells something, in each of its readings, with those that are near it."""

    size: int  # values
    codes: tuple[TensorSketch, ...]

    @property
    def learned(self) -> float:
        """How much more it is than a random start, in the reading that shows it best."""
        return max(code.learned for code in self.codes)

    @property
    def drift(self) -> float:
        """Radians that it has moved from a random start, at least."""
        return max(drift(code.learned, *code.shape) for code in self.codes)

    def angle(self, other: Tensor) -> float:
        """Radians between two tensors in the readings that fit best; π where that is not known."""
        pairs = product(self.codes, other.codes)
        return min(
            (angle(a.sums, b.sums) for a, b in pairs if a.shape == b.shape and a.sums and b.sums),
            default=pi,
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """A tensor of each model."""

    ours: int
    theirs: int
    tail: float  # log₁₀ of the false alarm of the distance, not corrected
    distance: int  # bits
    permuted: bool  # the codes are those that stay when channels change places


def _whole(_: Pair) -> float:
    return 1.0


@dataclass(frozen=True, slots=True)
class Matching:
    """What was compared, and what was found near."""

    tensors: tuple[Sequence[Tensor], Sequence[Tensor]]
    compared: tuple[Sequence[int], Sequence[int]]  # how many codes each tensor was compared with
    pairs: Sequence[Pair]  # each tensor at most once

    def angle(self, pair: Pair) -> float:
        """Radians between the two tensors; π where that is not known."""
        return self.tensors[0][pair.ours].angle(self.tensors[1][pair.theirs])

    def is_learned(self, pair: Pair, share: float = _SHARED) -> bool:
        """Whether both tensors are more than a random start, and nearer than twins that moved.

        Twins of one start go the same way at first, since their data are of one kind, and stay
        near.  But what they differ by is a share of how far they moved, more than ``share``.
        """
        ours, theirs = self.tensors[0][pair.ours], self.tensors[1][pair.theirs]
        if min(ours.learned, theirs.learned) < LEARNED:
            return False
        return pair.permuted or self.angle(pair) <= share * min(ours.drift, theirs.drift)

    def shares(self, pairs: Sequence[Pair], worth: Callable[[Pair], float] = _whole) -> list[float]:
        """Of each model's values, the share that is in ``pairs``, each counted as it is worth."""
        sides = [pair.ours for pair in pairs], [pair.theirs for pair in pairs]
        worths = [worth(pair) for pair in pairs]
        return [
            round(
                sum(own[place].size * each for place, each in zip(side, worths, strict=True))
                / sum(tensor.size for tensor in own),
                4,
            )
            for own, side in zip(self.tensors, sides, strict=True)
        ]


def left_out(sketch: WeightSketch) -> dict[str, int]:
    """Why weights count for nothing, and how many do."""
    reasons = {tensor.name: tensor.left_out for tensor in sketch.tensors if tensor.left_out}
    return dict(sorted(Counter(reasons.values()).items()))


@lru_cache(maxsize=512)  # a search compares one suspect with hundreds, a batch with the same ones
def informative(sketch: WeightSketch) -> tuple[Tensor, ...]:
    """Tensors that tell something; those of one model that are near one another are one."""
    known = told(sketch)
    groups: list[list[TensorSketch]] = []
    for codes, place in zip(known, _groups([codes[0] for codes in known]), strict=True):
        if place == len(groups):
            groups.append([])
        groups[place] += codes
    return tuple(Tensor(codes[0].size, tuple(codes)) for codes in groups)


def _groups(tensors: Sequence[TensorSketch]) -> Iterator[int]:
    """For each tensor the number of its group: that of the first one near it, or a new one."""
    sizes = Counter(tensor.shape for tensor in tensors)
    heads = {shape: np.empty((size, 4), np.uint64) for shape, size in sizes.items()}
    groups: dict[tuple[int, ...], list[int]] = {shape: [] for shape in sizes}  # of the heads
    count = 0
    for tensor in tensors:
        code, known = np.frombuffer(tensor.code or bytes(32), np.uint64), groups[tensor.shape]
        of_shape, own = tails(("code", tensor.shape, 1)), heads[tensor.shape]
        distances = np.bitwise_count(own[: len(known)] ^ code).sum(1)
        near = np.flatnonzero(of_shape[distances] <= _ONE)
        if len(near):
            yield known[near[0]]
        else:
            own[len(known)] = code
            known.append(count)
            yield count
            count += 1


def matched(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Matching:
    """Pairs of tensors that are nearer than strangers', the nearest first; each tensor once."""
    compared = [0] * len(ours), [0] * len(theirs)
    candidates: list[Pair] = []
    first, second = _by_kind(ours), _by_kind(theirs)
    for kind in first.keys() & second.keys():
        own, other = first[kind], second[kind]
        for place in own.places:
            compared[0][place] += len(other.places)
        for place in other.places:
            compared[1][place] += len(own.places)
        candidates += _near(kind, own, other)
    worth = [pair for pair in candidates if _corrected(pair, compared) <= WORTH]
    return Matching((ours, theirs), compared, _one_to_one(worth))


def _corrected(pair: Pair, compared: tuple[Sequence[int], Sequence[int]]) -> float:
    return pair.tail + log10(max(compared[0][pair.ours], compared[1][pair.theirs]))


def _one_to_one(pairs: Iterable[Pair]) -> list[Pair]:
    """The least likely pairs whose tensors were not taken; which model is first plays no part."""
    taken: tuple[set[int], set[int]] = set(), set()
    chosen = []
    for pair in sorted(pairs, key=_order):
        if pair.ours not in taken[0] and pair.theirs not in taken[1]:
            taken[0].add(pair.ours)
            taken[1].add(pair.theirs)
            chosen.append(pair)
    return chosen


def _order(pair: Pair) -> tuple[float, bool, float, int, int, int]:
    sure = max(pair.tail, FLOOR)  # then the code that tells places of channels tells more
    place = pair.ours + pair.theirs, abs(pair.ours - pair.theirs)
    return sure, pair.permuted, pair.tail, pair.distance, *place


@dataclass(frozen=True, slots=True)
class _Known:
    """The n codes of one kind that a model has."""

    places: Sequence[int]  # (n) numbers of the tensors
    words: NDArray[np.uint64]  # (n, 4)
    cells: Cells | None  # None where they are not known of all


def _by_kind(tensors: Sequence[Tensor]) -> dict[Kind, _Known]:
    """What a model has of each kind, so that only what fits is compared."""
    found: dict[Kind, list[tuple[int, bytes, TensorSketch]]] = defaultdict(list)
    for place, tensor in enumerate(tensors):
        for sketch in tensor.codes:
            for kind, code in codes_of(sketch):
                found[kind].append((place, code, sketch))
    return {kind: _known(kind, rows) for kind, rows in found.items()}


def _known(kind: Kind, rows: Sequence[tuple[int, bytes, TensorSketch]]) -> _Known:
    places, codes, sketches = zip(*rows, strict=True)
    words = np.frombuffer(b"".join(codes), np.uint64).reshape(len(rows), -1)
    return _Known(places, words, None if kind[0] == "invariant" else Cells.of(sketches))


def _near(kind: Kind, ours: _Known, theirs: _Known) -> Iterator[Pair]:
    """Pairs of one kind that may be worth something: by their cells, or by their codes."""
    step = max(_AT_ONCE // len(theirs.places), 1)
    for start in range(0, len(ours.places), step):
        part = slice(start, start + step)
        distances = np.bitwise_count(ours.words[part, None] ^ theirs.words).sum(2)  # (n, m)
        if ours.cells is None or theirs.cells is None:
            alarms = tails(kind)[distances]
        else:
            alarms = ours.cells.part(part).tails(theirs.cells, kind[1])
        for row, column in np.argwhere(alarms <= WORTH).tolist():
            places = ours.places[start + row], theirs.places[column]
            tail, distance = float(alarms[row, column]), int(distances[row, column])
            yield Pair(*places, tail, distance, permuted=kind[0] == "invariant")
