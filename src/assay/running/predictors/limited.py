"""Predictors that tell less than the model knows, as services do: rounded, or labels alone."""

from __future__ import annotations

import numpy as np

from assay.errors import BadOption
from assay.running.predictors import Predictor
from assay.running.predictors.answers import Answers, Array, of_scores


def limited(answers: Answers, digits: int | None) -> Answers:
    """Answers as a service tells them: probabilities of so many ``digits``, or labels alone."""
    if digits is None:
        return answers.top()
    return of_scores(np.round(answers.probabilities, digits), answers.queries)


class Limited(Predictor):
    """Another predictor's answers: probabilities of so many ``digits``, or with None labels alone.

    Raises BadOption where there are fewer than one digit.
    """

    def __init__(self, model: Predictor, digits: int | None = None) -> None:
        if digits is not None and digits < 1:
            raise BadOption(f"probabilities have 1 digit or more, not {digits}")
        self._model, self._digits = model, digits
        self.name = model.name

    def ask(self, inputs: Array) -> Answers:
        found = self._model.ask(inputs)
        self.asked = self._model.asked
        return limited(found, self._digits)

    def run(self, inputs: Array) -> Array:
        return self._model.run(inputs)
