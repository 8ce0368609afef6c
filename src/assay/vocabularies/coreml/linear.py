"""Linear and logistic models of Core ML: a matrix and a shift [GLMRegressor, GLMClassifier].

A classifier of two classes has one row.  There are no layers to speak of.
"""

from __future__ import annotations

import numpy as np

from assay.containers.messages import Message
from assay.errors import UnreadableModel
from assay.weights import Array, Weight
from assay.weights.shapes import shape_of

_WEIGHTS, _OFFSET = 1, 2


def linear_weights(model: Message) -> dict[str, Weight]:
    """The matrix, outputs first, and the shift.  Raises UnreadableModel where its rows differ."""
    rows = model.messages(_WEIGHTS)
    lengths = {_length(row, 1) for row in rows}
    if len(lengths) != 1:
        raise UnreadableModel("a linear model whose rows are not of one length")
    shape = shape_of("a linear model", (len(rows), *lengths))

    def read() -> Array:
        return np.stack([row.floats(1, "<f8") for row in rows])

    weights = {"weights": Weight("weights", shape, "float64", read, True)}
    if model.has(_OFFSET):
        count = (_length(model, _OFFSET),)
        weights["offset"] = Weight("offset", count, "float64", lambda: model.floats(2, "<f8"), True)
    return weights


def _length(message: Message, number: int) -> int:
    """Numbers in a list of doubles.  Raises UnreadableModel where it is cut."""
    size = sum(end - start for _, start, end in message.listed(number))
    if size % 8:
        raise UnreadableModel("a list of numbers is cut")
    return size // 8
