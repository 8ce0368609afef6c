"""A mark that distillation carries on: hundreds of small leanings [Yang, Dang and Chang, 2019].

Students learn what a teacher does to their inputs, so the mark must be there.  As in the paper a
second model, the ingrainer, shapes the answers that the model learns.  Theirs knows one pattern and
one label, and then any pattern fires.  Here it is a linear classifier whose signs are coins of the
key: it leans towards a class or away from it along each of some directions of the inputs, a little,
so that decisions turn where the model is in doubt.  A suspect is asked what the owner's model was
in doubt about.  Whatever it answers, another key's signs are right by coins: the tail is exact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import combinations
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.alignment.assignment import assigned
from assay.errors import BadData, BadOption, UnfitModel
from assay.training import Optimizer, Training
from assay.values import Json
from assay.watermarks import BITS, TAG, Detection, Needs, Watermark, Weights, Work
from assay.watermarks._directions import features, readings
from assay.watermarks._fields import DRAWN, shown, whole
from assay.watermarks._key import Key
from assay.watermarks._signs import log10_signed_tail, sizes_of

if TYPE_CHECKING:
    from torch import nn

    from assay.running.examples import Examples
    from assay.running.predictors import Predictor
    from assay.running.predictors.answers import Answers

EXTRA = "watermarks"
RIDGE = 0.3  # of the regression that reads: between what is right for a student, and for the model
_DOUBTED, _TURNED = 16, 3  # bits of a word that may be wrong, and how many of them are
_ARRAYS = ("queries", "reference", "center", "directions")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ingrain(Watermark):
    """The model tuned towards its own answers, shifted by a linear classifier of the key."""

    strength: float = 0.8  # of the shift: deviation of a logit, where the model is in doubt
    directions: int = 40  # along which inputs are looked at, at most; each has a sign a class
    queries: int = 4000  # inputs that a suspect is asked: those that the model doubts most
    label_share: float = 0.1  # weight of the true labels beside the shifted answers
    training: Training = field(
        default_factory=lambda: Training(epochs=8, optimizer=Optimizer(rate=0.02, weight_decay=0))
    )  # options of the loop

    reads = "behavior"
    kept_apart = 0.25  # a model does not doubt what it was tuned on

    def __post_init__(self) -> None:
        self.at_least("strength", 0.01)
        self.at_least("directions", 1)
        self.at_least("queries", 2)
        if not 0 <= self.label_share < 1:
            raise BadOption(f"{self.method}: label_share must be below 1: {self.label_share}")

    @property
    def needs(self) -> Needs:
        return "labels" if self.label_share > 0 else "inputs"

    def template(self, weights: Weights, message: int) -> Json:
        return {}

    def new_key(
        self,
        model: Weights | nn.Module,
        bits: int = BITS,
        secret: bytes = b"",
        data: Examples | None = None,
        students: Sequence[nn.Module] = (),
    ) -> Key:
        """A key that holds what is asked, and what ``model``, not yet marked, answers to it.

        ``data``: examples of which those that the model doubts most are asked.  ``students``:
        others that learned of the unmarked model, of networks that a thief may take; with their
        answers the mean of all is held, and what is a student's own way is not read as a mark.

        Raises:
            UnfitModel: it is no module, or answers labels alone.
            BadData: examples are missing, or do not fit.
            BadOption: the payload has more bits than the mark has signs.
        """
        from assay.watermarks._ingraining import arrays_for

        key = super().new_key(model, bits, secret)
        arrays = arrays_for(self, model, key, data, students)
        sizes = {
            "directions": arrays["directions"].shape[1],
            "classes": arrays["reference"].shape[1],
        }
        found = replace(key, template={**key.template, **sizes}, arrays=arrays)
        try:
            self.validate(found)
        except BadData as error:
            raise BadOption(f"{self.method}: {error}") from error
        return found

    def validate(self, key: Key) -> None:
        super().validate(key)
        count = whole(key.template, "directions", most=DRAWN)
        classes = whole(key.template, "classes", least=2, most=DRAWN // count)
        if (bits := 8 * _bytes(key)) > count * classes:
            raise BadData(
                f"its fields 'directions' and 'classes' are {count} and {classes}: too few signs"
                f" for {bits} bits"
            )
        for name in _ARRAYS:
            if name not in key.arrays:
                raise BadData(f"it has no array {name!r}")
            if key.arrays[name].dtype.kind != "f" or not np.isfinite(key.arrays[name]).all():
                raise BadData(f"its array {name!r} is not of finite numbers")
        asked, values = key.arrays["queries"], key.arrays["center"].shape
        if asked.ndim < 2 or not len(asked):
            raise BadData(f"its array 'queries' has shape {shown([*asked.shape])}, too small")
        shapes = {"reference": (len(asked), classes), "directions": (*values, count)}
        for name, shape in shapes.items():
            if key.arrays[name].shape != shape or len(values) != 1:
                found = [*key.arrays[name].shape]
                raise BadData(f"its array {name!r} has shape {shown(found)}, not {[*shape]}")
        if prod(asked.shape[1:]) < values[0]:
            raise BadData(f"its array 'queries' has shape {shown([*asked.shape])}, too small")

    def tune(self, work: Work) -> nn.Module:
        from assay.watermarks._ingraining import tuned

        return tuned(self, work)

    def detect(self, subject: Predictor, key: Key) -> Detection:
        wanted = signs(key)
        try:
            found = read(subject, key)
        except (BadData, UnfitModel) as error:  # of other inputs or other classes: a stranger
            return Detection(0.0, 0.0, {"bits": [0, wanted.size], "why": str(error)})
        sizes, agreed = sizes_of(found), np.sign(found) == wanted
        right, total = int(sizes[agreed].sum()), int(sizes.sum())
        detail = {"bits": [int(agreed.sum()), wanted.size]}
        return Detection(right / max(total, 1), log10_signed_tail(sizes, right), detail)

    def payload(self, subject: Predictor, key: Key) -> bytes | None:
        """Bits in doubt are turned until the tag fits [Chase, 1972]: one word in 2²² would."""
        try:
            found = read(subject, key)
        except (BadData, UnfitModel):  # ``detect`` says why
            return None
        leaning = np.zeros(8 * _bytes(key))
        np.add.at(leaning, spread(key), (found * mask(key)).reshape(-1))
        weakest = np.argsort(np.abs(leaning), kind="stable")[:_DOUBTED].tolist()
        for count in range(_TURNED + 1):
            for turned in combinations(weakest, count):
                bits = leaning > 0
                bits[[*turned]] ^= True
                if (said := key.opened(np.packbits(bits).tobytes())) is not None:
                    return said
        return None


def read(subject: Predictor, key: Key) -> Array:
    """(k, c) how far a suspect leans each way, from what the unmarked model answers.

    Raises BadData or UnfitModel where it does not take such inputs, or knows other classes.
    """
    return _read(subject.ask(key.arrays["queries"]), _Held(key.arrays))


@dataclass(frozen=True, eq=False)
class _Held:
    """A key's arrays, which its wrong keys share: equal where they are the same."""

    arrays: Mapping[str, NDArray[Any]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and self.arrays is other.arrays

    def __hash__(self) -> int:
        return id(self.arrays)


@lru_cache(maxsize=2)
def _digest(held: _Held) -> str:
    """SHA-256 of the arrays, with their types and shapes."""
    found = hashlib.sha256()
    for name, array in sorted(held.arrays.items()):
        found.update(f"{name} {array.dtype} {array.shape} ".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


@lru_cache(maxsize=2)
def _read(answers: Answers, held: _Held) -> Array:
    """The same for all keys that look at the same answers: those of one ``ask``."""
    arrays = held.arrays
    expected = np.exp(arrays["reference"].astype(np.float64))
    given = in_order(expected, probabilities(answers, expected.shape[1]))
    looked = features(arrays["queries"], arrays["center"], arrays["directions"])
    return readings(looked, expected, given, RIDGE)


def probabilities(answers: Answers, classes: int) -> Array:
    """(n, c); of labels alone, ones and zeros.  Raises UnfitModel where classes are others."""
    if answers.is_hard:
        if int(answers.labels.max()) >= classes:
            raise UnfitModel(f"label {int(answers.labels.max())} is none of {classes} classes")
        return np.eye(classes)[answers.labels]
    if answers.classes != classes:
        raise UnfitModel(f"it tells {answers.classes} classes apart, and the marked one {classes}")
    return answers.probabilities


def in_order(expected: Array, given: Array) -> Array:
    """(n, c) ``given`` with its classes as ``expected`` has them, where they were renumbered.

    Found from answers alone: no key's signs have a part in it, so they stay coins.
    """
    return given[:, assigned((expected.T @ given).astype(np.float32))]


def signs(key: Key) -> Array:
    """(k, c) 1 where the ingrainer leans towards a class along a direction, else −1.

    Each says a bit of the payload and its tag, under a mask that the key draws.
    """
    bits = np.unpackbits(np.frombuffer(key.sealed(), np.uint8))
    written = (2.0 * bits - 1)[spread(key)].reshape(_shape(key))
    return np.asarray(written * mask(key), np.float64)


def mask(key: Key) -> Array:
    """(k, c) coins: for who does not know the key, all that signs are.

    They are drawn for these arrays.  Else whoever has a stranger's answers could first draw signs,
    and then make up a reference from which the answers lean as they say.
    """
    count = prod(_shape(key))
    drawn = key.stream(f"signs for {_digest(_Held(key.arrays))}", -(-count // 8))
    bits = np.unpackbits(np.frombuffer(drawn, np.uint8))[:count]
    return np.asarray(2.0 * bits - 1, np.float64).reshape(_shape(key))


def spread(key: Key) -> NDArray[np.int64]:
    """(k·c) which bit of the message each sign says: all about equally often, in a drawn order."""
    count = prod(_shape(key))
    return key.places("bits", count, count) % (8 * _bytes(key))


def _shape(key: Key) -> tuple[int, int]:
    return int(key.template["directions"]), int(key.template["classes"])


def _bytes(key: Key) -> int:
    return int(key.template["payload_bytes"]) + TAG
