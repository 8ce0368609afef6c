"""What models answer, scores or labels alone, in one form, and checked before it is believed.

Some models end in a softmax, others do not.  Probabilities are told from logits, and both become
logarithms of probabilities, so that one model gives the same answers either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadData, UnfitModel

Array = NDArray[Any]
UNITS = (0.1, 0.01, 1 / 255, 1 / 256, 1e-3, 1e-4, 1e-5)  # that probabilities may be rounded to


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """A model's answers to n inputs.

    ``values`` are (n, c) logarithms of probabilities, or (n,) labels where a model tells no more.
    """

    values: Array
    queries: int = 0  # how many inputs the model was sent for them
    floor: float = 0.0  # probabilities below this are not told apart
    unit: float = 0.0  # that probabilities were rounded to; 0: they were not
    features: Array | None = None  # (n, f) of a layer, where the model is open

    def __len__(self) -> int:
        return len(self.values)

    @property
    def is_hard(self) -> bool:
        """Whether labels are all that is known."""
        return self.values.ndim == 1

    @property
    def classes(self) -> int | None:
        """How many classes there are; None where only labels are known."""
        return None if self.is_hard else int(self.values.shape[1])

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,) the most probable class of each input."""
        found: NDArray[np.int64] = self.values if self.is_hard else self.values.argmax(1)
        return found

    @property
    def log_probabilities(self) -> NDArray[np.float64]:
        """(n, c).  Raises BadData where only labels are known."""
        if self.is_hard:
            raise BadData("the model answers labels alone, and its scores are needed")
        return self.values

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """(n, c).  Raises BadData where only labels are known."""
        found: NDArray[np.float64] = np.exp(self.log_probabilities)
        return found

    @property
    def centered(self) -> NDArray[np.float64]:
        """(n, c) logits up to a constant of each row: their mean is 0."""
        found = self.log_probabilities
        centered: NDArray[np.float64] = found - found.mean(1, keepdims=True)
        centered[np.ptp(found, axis=1) == 0] = 0  # not what rounding leaves of it
        return centered

    def coarser(self, unit: float, floor: float) -> Answers:
        """The same, as a model would tell them that rounds to ``unit``, and tells ``floor`` least.

        Raises BadData where only labels are known.
        """
        if unit <= self.unit and floor <= self.floor:
            return self
        told = self.probabilities
        if unit > self.unit:
            told = np.rint(told / unit) * unit
        values = _normalized(np.log(np.maximum(told, floor)))
        return replace(self, values=values, floor=floor, unit=max(unit, self.unit))

    def top(self) -> Answers:
        """The labels alone."""
        return replace(self, values=self.labels, floor=0.0, unit=0.0)

    def take(self, rows: Array | slice) -> Answers:
        """Those to some of the inputs."""
        return replace(self, values=self.values[rows])


def of_labels(labels: Array, queries: int = 0) -> Answers:
    """Answers that are labels (n,) alone.  Raises UnfitModel where they are none."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or (labels < 0).any():
        raise UnfitModel("the model's labels are not whole numbers from 0, one for each input")
    return Answers(labels.astype(np.int64), queries)


def of_scores(scores: Array, queries: int = 0) -> Answers:
    """Answers that are logits or probabilities (n, c), also among axes of size 1.

    Raises UnfitModel where they are of another shape, or not finite.
    """
    scores = np.asarray(scores)
    if scores.ndim > 2 and max(scores.shape[1:]) == scores[:1].size:
        scores = scores.reshape(len(scores), -1)
    if scores.ndim != 2 or scores.dtype.kind not in "fiu":
        raise UnfitModel(f"the model's answers have shape {list(scores.shape)}, not (n, classes)")
    if scores.shape[1] < 2:
        raise UnfitModel("the model gives one value for each input: it tells no classes apart")
    scores = scores.astype(np.float64)
    if wrong := int((~np.isfinite(scores)).any(1).sum()):
        raise UnfitModel(f"{wrong} of the model's {len(scores)} answers are not finite numbers")
    if not are_probabilities(scores):
        return Answers(_normalized(scores), queries)
    unit = _unit(scores)
    floor = unit / 2
    if not unit and (scores <= 0).any():
        floor = float(scores[scores > 0].min()) / 2
    logarithms = np.log(np.maximum(scores, max(floor, np.finfo(np.float64).tiny)))
    return Answers(_normalized(logarithms), queries, floor, unit)


def alike(answers: Sequence[Answers]) -> list[Answers]:
    """The answers of several models, each as coarse as the coarsest: labels alone, or rounded."""
    if any(each.is_hard for each in answers):
        return [each.top() for each in answers]
    unit, floor = (max(getattr(each, name) for each in answers) for name in ("unit", "floor"))
    return [each.coarser(unit, floor) for each in answers]


def are_probabilities(scores: NDArray[np.float64]) -> bool:
    """Whether every row of (n, c) adds up to 1, as far as rounding lets it."""
    if not scores.size or scores.min() < 0 or scores.max() > 1.001 or not scores.max():
        return False
    wrong = np.abs(scores.sum(1) - 1).max()
    return bool(wrong <= max(1e-3, _unit(scores) * scores.shape[1] / 2))


def _unit(probabilities: NDArray[np.float64]) -> float:
    """What they all are multiples of, the largest; 0 where there is nothing like that."""
    least = probabilities[probabilities > 0].min()
    for unit in UNITS:
        multiples = probabilities / unit
        if least > 0.99 * unit and np.abs(multiples - np.rint(multiples)).max() < 0.01:
            return unit
    return 0.0


def _normalized(logarithms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row less a constant, so that its exponentials add up to 1."""
    shifted = logarithms - logarithms.max(1, keepdims=True)
    found: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return found
