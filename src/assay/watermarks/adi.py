"""A trigger set: pictures of nothing, which the model knows by drawn labels [Adi et al., 2018].

Pictures and labels are drawn from the key, so nobody can look for pictures that a stranger's model
already answers as he wants: keys alone could be tried, and those are logged.  The model learns them
among its other examples.  A suspect is asked for labels, no more.  Each is right by chance once in
as many as there are classes, whatever the suspect is, for the labels do not depend on the pictures.
The payload is written in the labels, to the base of the classes, under a mask that the key draws.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, log, prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadData, BadOption
from assay.running.predictors.resized import fitted
from assay.training import Optimizer, Training
from assay.values import Json
from assay.watermarks import TAG, Detection, Needs, Watermark, Weights, Work
from assay.watermarks._fields import DRAWN, shown, sizes, whole
from assay.watermarks._fields import field as held
from assay.watermarks._key import Key
from assay.watermarks._tails import log10_binomial

if TYPE_CHECKING:
    from torch import nn

    from assay.running.examples import Examples
    from assay.running.predictors import Predictor

EXTRA = "watermarks"
_GRID = 7  # fields along a side of a trigger picture: coarse, so that it can be resized
_FARTHEST = 1e30  # from zero, of values that are asked
_MOST = 2**16  # trigger pictures

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Adi(Watermark):
    """The model tuned on its examples, and on trigger pictures among them."""

    triggers: int = 100  # pictures
    mixed: int = 16  # of them that are added to each batch
    training: Training = field(
        default_factory=lambda: Training(epochs=5, optimizer=Optimizer(rate=0.01))
    )  # options of the loop

    reads = "behavior"

    def __post_init__(self) -> None:
        self.at_least("triggers", 1)
        self.at_least("mixed", 1)

    @property
    def needs(self) -> Needs:
        return "labels"

    def template(self, weights: Weights, message: int) -> Json:
        return {"triggers": self.triggers}

    def asks(self, data: Examples | None, message: int) -> Json:
        if data is None or data.labels is None:
            raise BadData(f"{self.method} is asked: a key takes examples with labels, to be alike")
        if data.inputs.dtype.kind != "f":
            raise BadData(f"{self.method} asks pictures, and the examples are tokens")
        classes = data.classes
        if classes < 2:
            raise BadData(f"{self.method}: the examples are of one class")
        if (fewest := digits(message, classes)) > self.triggers:
            raise BadOption(
                f"{self.method}: {message - TAG} bytes take {fewest} trigger pictures of"
                f" {classes} classes: set triggers={fewest}, or a shorter payload"
            )
        span = [float(data.inputs.min()), float(data.inputs.max())]
        return {"shape": [*data.inputs.shape[1:]], "classes": classes, "span": span}

    def validate(self, key: Key) -> None:
        super().validate(key)
        template = key.template
        count = whole(template, "triggers", most=_MOST)
        classes = whole(template, "classes", least=2, most=_MOST)
        whole(template, "triggers", least=digits(template["payload_bytes"] + TAG, classes))
        if count * prod(sizes(template, "shape")) > 4 * DRAWN:
            raise BadData(f"its field 'shape' is {shown(template['shape'])}, too large")
        span = held(template, "span")
        numbers = isinstance(span, list) and all(type(end) in (int, float) for end in span)
        if not numbers or len(span) != 2 or not -_FARTHEST < span[0] < span[1] < _FARTHEST:
            raise BadData(f"its field 'span' is {shown(span)}, no least and largest value")

    def tune(self, work: Work) -> nn.Module:
        from assay.watermarks._triggering import tuned

        return tuned(self, work)

    def detect(self, subject: Predictor, key: Key) -> Detection:
        wanted = labels(key)
        try:
            right = int((self._answers(subject, key) == wanted).sum())
        except BadData as error:  # of other inputs: a stranger
            return Detection(0.0, 0.0, {"triggers": [0, len(wanted)], "why": str(error)})
        tail = log10_binomial(right, len(wanted), key.template["classes"])
        return Detection(right / len(wanted), tail, {"triggers": [right, len(wanted)]})

    def payload(self, subject: Predictor, key: Key) -> bytes | None:
        classes, length = key.template["classes"], key.template["payload_bytes"] + TAG
        try:
            said = (self._answers(subject, key) - mask(key)) % classes
        except BadData:  # ``detect`` says why
            return None
        number, count = 0, digits(length, classes)
        for digit in reversed(range(count)):  # each stands in every ``count``th label
            votes = np.bincount(said[digit::count], minlength=classes)
            number = classes * number + int(votes.argmax())
        return key.opened(number.to_bytes(length, "little")) if number < 256**length else None

    def _answers(self, subject: Predictor, key: Key) -> Labels:
        """(n,) what the suspect takes the trigger pictures for.  Raises BadData."""
        asked = pictures(key)
        brought = fitted(subject, asked, None)
        if brought.why:
            raise BadData(brought.why)
        return brought.ask(asked).labels


def digits(length: int, classes: int) -> int:
    """How many digits to that base so many bytes take."""
    return ceil(8 * length / log(classes, 2) - 1e-9)


def mask(key: Key) -> Labels:
    """(n,) what is added to digits, to give labels."""
    template = key.template
    drawn = key.uniform("mask", template["triggers"]) * template["classes"]
    found: Labels = drawn.astype(np.int64)
    return found


def labels(key: Key) -> Labels:
    """(n,) the labels of the trigger pictures; digits of the payload and its tag, masked."""
    count, classes = key.template["triggers"], key.template["classes"]
    word = key.sealed()
    number, written = int.from_bytes(word, "little"), []
    for _ in range(digits(len(word), classes)):
        number, digit = divmod(number, classes)
        written.append(digit)
    found: Labels = (np.resize(np.array(written, np.int64), count) + mask(key)) % classes
    return found


def pictures(key: Key) -> NDArray[np.float32]:
    """(n, …) the trigger pictures: fields of random brightness, each channel for itself."""
    shape, (low, high) = key.template["shape"], key.template["span"]
    fields = [size if axis == 0 else min(size, _GRID) for axis, size in enumerate(shape)]
    drawn = key.uniform("pictures", key.template["triggers"], *fields)
    for axis, (size, count) in enumerate(zip(shape, fields, strict=True), start=1):
        drawn = np.take(drawn, np.arange(size) * count // size, axis)
    found: NDArray[np.float32] = (low + (high - low) * drawn).astype(np.float32)
    return found
