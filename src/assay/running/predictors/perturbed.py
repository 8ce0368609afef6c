"""Answers in grades of accuracy, for models that only their owner runs: noise for each level
[Luo, Feng and Zhang, IEEE SPL 2021; of the paper only the idea was at hand].

Laplace noise, the larger the lower a level, is added to inputs or to outputs.  It follows from the
user's key and the input alone, by HMAC-SHA256 [RFC 2104] and Philox [Salmon et al., SC 2011], so
that whoever asks twice is answered the same, and averaging gives nothing.  Inputs are rounded
before they are looked at in any way: what is rounded alike is one input.

It protects a model behind an interface.  Who has the model's file leaves the noise out.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from math import isfinite
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadData, BadOption, UnfitModel
from assay.running.examples import Examples
from assay.running.predictors import Predictor
from assay.running.predictors.answers import Array

Where = Literal["output", "input"]
LEVELS = (0.92, 0.82, 0.72)  # accuracies of levels 1, 2 …

_KIND = "assay perturbation"
_KEY = 16  # bytes of a user's key, at the least
_DRAWS = {"output": 32, "input": 4}  # of noise, that accuracies are means of
_MARGIN = 0.02  # above what one constant answer gets: near chance
_TOLERANCE = 0.005  # of a level's accuracy
_FIRST = 0.01  # scale that is tried
_HALVINGS = 40
_DOUBLINGS = 30
_LARGEST = 1e30  # scale that a file may name
_FARTHEST = 2.0**62  # cells from zero: their numbers fit 64 bits
_DAMAGED = (
    ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip
_OUTSIDE = 16  # times the noise that leaves chance: nothing is owed to who has no key


@dataclass(frozen=True, slots=True)
class Scaled:
    """A level."""

    scale: float  # of the noise: its mean magnitude, of logits or of inputs; 0: none
    accuracy: float  # 0 … 1, on the examples that it was calibrated on


@dataclass(frozen=True, slots=True)
class Perturbation:
    """Where noise is added, and to what."""

    where: Where = "input"  # of which averages over near inputs regain less; "output" for tokens
    unit: float = 1 / 256  # inputs are rounded to multiples of it; 0: not at all
    clip: float = 10.0  # logits, their mean 0, are cut to ± this; for outputs

    def __post_init__(self) -> None:
        if self.where not in ("output", "input"):
            raise BadOption(f"where must be output or input, not {self.where!r}")
        if not (isfinite(self.unit) and self.unit >= 0):
            raise BadOption(f"unit must be 0 or more, not {self.unit}")
        if not (isfinite(self.clip) and self.clip > 0):
            raise BadOption(f"clip must be above 0, not {self.clip}")

    def calibrate(
        self,
        model: Predictor,
        judge: Examples,
        levels: tuple[float, ...] = LEVELS,
        seed: int = 0,
    ) -> Graded:
        """How much noise leaves the accuracies of levels 1, 2 …, and chance without a key.

        Args:
            model: Answers with scores, where noise is added to outputs.
            judge: With labels; the model has not learned from them.
            levels: Accuracies, falling.
            seed: Of the noise that is tried: users have their own.

        Raises:
            BadOption: the levels do not fall, or the model itself has less than the first.
            BadData: the examples have no labels, or do not fit; or scores are needed.
            UnfitModel: no noise brings it there.
        """
        if any(one <= two for one, two in pairwise(levels)) or not all(0 < x < 1 for x in levels):
            raise BadOption(f"levels must be falling, between 0 and 1, not {levels}")
        labels = judge.known_labels
        own = float((model.ask(judge.inputs).labels == labels).mean())
        of = _accuracies(self, model, judge, seed)
        if levels and of(0.0) < levels[0]:
            raise BadOption(
                f"level 1 is to have {levels[0]:g}, and the model has {of(0.0):.4f} where inputs"
                f" are rounded to {self.unit:g}: set levels below that"
            )
        chance = float(np.bincount(labels).max() / len(labels))
        found, least = [Scaled(0.0, own)], 0.0
        for target in (*levels, chance + _MARGIN / 2):
            least = _scale(of, target, least)
            found.append(Scaled(least, of(least)))
        outside = _OUTSIDE * least
        return Graded(self, (*found[:-1], Scaled(outside, of(outside))))

    def rounded(self, inputs: Array) -> tuple[Array, Array]:
        """Inputs as they are looked at, and what they are keyed by: whole numbers.

        Raises BadOption where they are tokens, and noise is to be added to them.
        """
        if inputs.dtype.kind in "iu":
            if self.where == "input":
                raise BadOption("where: inputs are tokens, to which no noise can be added")
            return inputs, inputs.astype("<i8")
        if self.unit == 0:
            plain = inputs.astype("<f8") + 0.0  # no zero with a sign
            return inputs, plain.view("<i8")
        with np.errstate(over="ignore"):  # what is farther away than any cell is in the last one
            cells = np.rint(inputs.astype(np.float64) / self.unit).clip(-_FARTHEST, _FARTHEST)
        return (cells * self.unit).astype(np.float32), cells.astype("<i8")

    def logits(self, model: Predictor, asked: Array) -> NDArray[np.float64]:
        """What a model answers, (n, c), as noise is added to it.  Raises BadData: labels alone."""
        found: NDArray[np.float64] = model.ask(asked).centered.clip(-self.clip, self.clip)
        return found

    def moved(self, model: Predictor, asked: Array, noise: Array) -> NDArray[np.float32]:
        """Inputs with noise, within what the model takes."""
        found = asked + noise
        if model.span is not None:
            found = found.clip(*model.span)
        return found.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Graded:
    """A perturbation with the scale of each level; level 0 is the model as it is."""

    perturbation: Perturbation
    levels: tuple[Scaled, ...]  # the last: without a key

    def answering(self, model: Predictor, key: bytes, level: int | None = None) -> Predictor:
        """The model as a user has it.

        Args:
            model: As it was calibrated.
            key: The user's: 16 secret bytes or more, which the server keeps.  Users who have one
                key are answered alike.
            level: By default none: he is unknown.

        Raises BadOption where there is no such level, or the key is shorter.
        """
        last = len(self.levels) - 1
        if level is not None and not 0 <= level < last:
            raise BadOption(f"there is no level {level}: they go to {last - 1}")
        if len(key) < _KEY:
            raise BadOption(f"a user's key has {_KEY} bytes or more, not {len(key)}")
        return Perturbed(
            model, self.perturbation, self.levels[last if level is None else level], key
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """What ``text`` gives.  Raises BadData where it is something else."""
        try:
            row = json.loads(text)
            if row.pop(_KIND) != 1:
                raise ValueError("another version")
            levels = tuple(
                Scaled(float(r["scale"]), float(r["accuracy"])) for r in row.pop("levels")
            )
            found = cls(Perturbation(**row), levels)
            scales = [each.scale for each in levels]
            if len(levels) < 2 or scales[0] != 0 or scales != sorted(scales):
                raise ValueError("scales do not rise from 0")
            if not scales[-1] <= _LARGEST:
                raise ValueError("scales are too large")
        except (*_DAMAGED, BadOption) as error:
            raise BadData(f"is no calibration of a perturbation: {error}") from error
        return found

    @property
    def text(self) -> str:
        """As JSON."""
        levels = [asdict(each) for each in self.levels]
        return (
            json.dumps({_KIND: 1, **asdict(self.perturbation), "levels": levels}, indent=1) + "\n"
        )


class Perturbed(Predictor):
    """A model as one user has it: always the same answer to an input, whatever is asked beside."""

    def __init__(self, model: Predictor, how: Perturbation, level: Scaled, key: bytes) -> None:
        self.model, self.how, self.level, self._key = model, how, level, key
        self.name, self.batch, self.shape, self.span = (
            model.name, model.batch, model.shape, model.span
        )  # fmt: skip

    def run(self, inputs: Array) -> Array:
        if self.level.scale == 0:
            return self.model.ask(inputs).values
        asked, cells = self.how.rounded(inputs)
        if self.how.where == "input":
            moved = self.how.moved(self.model, asked, self._noise(cells, cells.shape[1:]))
            return self.model.ask(moved).values
        logits = self.how.logits(self.model, asked)
        logits += self._noise(cells, logits.shape[1:])
        centered: Array = logits - logits.mean(1, keepdims=True)  # so never like probabilities
        return centered

    def _noise(self, cells: Array, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """(n, …): for each input its own."""
        about = {**asdict(self.how), "scale": self.level.scale, "shape": cells.shape[1:]}
        begin = f"{_KIND} 1\n{json.dumps(about)}\n".encode()  # of other scales other noise
        seeds = (hmac.digest(self._key, begin + each.tobytes(), "sha256") for each in cells)
        return self.level.scale * np.stack([laplace(seed, shape) for seed in seeds])


def laplace(seed: bytes, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Laplace noise of scale 1 that follows from a seed, by the inverse of its distribution.

    NumPy's own may change with its versions; the raw numbers of a Philox do not.
    """
    raw = np.random.Philox(key=int.from_bytes(seed[:16])).random_raw(int(np.prod(shape)))
    uniform = ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    low = uniform < 0.5
    found = np.where(low, np.log(2 * uniform), -np.log(2 * (1 - uniform)))
    return found.reshape(shape)


def _accuracies(
    how: Perturbation, model: Predictor, judge: Examples, seed: int
) -> Callable[[float], float]:
    """The mean accuracy by the scale of noise, of which draws are the same for all scales."""
    asked, _ = how.rounded(judge.inputs)
    logits = how.logits(model, asked) if how.where == "output" else None
    shape = asked.shape if logits is None else logits.shape

    def labels(noise: NDArray[np.float64]) -> NDArray[np.int64]:
        if logits is None:
            return model.ask(how.moved(model, asked, noise)).labels
        found: NDArray[np.int64] = (logits + noise).argmax(1)
        return found

    @cache
    def accuracy(scale: float) -> float:
        draws = range(_DRAWS[how.where] if scale else 1)
        noises = (np.random.default_rng([seed, draw]).laplace(size=shape) for draw in draws)
        shares = [(labels(scale * noise) == judge.known_labels).mean() for noise in noises]
        return float(np.mean(shares))

    return accuracy


def _scale(of: Callable[[float], float], target: float, least: float) -> float:
    """The scale above ``least`` that leaves an accuracy.  Raises UnfitModel where none does."""
    low, high = least, max(2 * least, _FIRST)
    for _ in range(_DOUBLINGS):
        if of(high) <= target:
            break
        low, high = high, 2 * high
    found = high
    for _ in range(_HALVINGS):
        if abs(of(found) - target) <= _TOLERANCE:
            return found
        low, high = (low, found) if of(found) < target else (found, high)
        found = (low + high) / 2
    raise UnfitModel(f"no noise leaves an accuracy of {target:.4f}: the nearest, {of(found):.4f}")
