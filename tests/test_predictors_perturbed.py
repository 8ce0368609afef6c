"""Graded answers: noise that follows from user and input, as large as accuracies allow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from assay.errors import BadData, BadOption, UnfitModel
from assay.running.examples import Examples
from assay.running.predictors import Predictor
from assay.running.predictors.perturbed import Graded, Perturbation, Scaled, laplace

ANN, BOB = b"a" * 16, b"b" * 16
MARGIN = 4.0


class Signs(Predictor):
    """Two classes, by the sign of the first number; the logits lie a margin apart."""

    def run(self, inputs: Any) -> Any:
        second = inputs.reshape(len(inputs), -1)[:, 0] > 0
        return np.where(second[:, None], [0.0, MARGIN], [MARGIN, 0.0])


class Labels(Signs):
    def run(self, inputs: Any) -> Any:
        return super().run(inputs).argmax(1)


def drawn(count: int, seed: int = 0) -> Examples:
    inputs = np.random.default_rng(seed).standard_normal((count, 3)).astype(np.float32)
    return Examples(inputs, (inputs[:, 0] > 0).astype(np.int64))


def graded(scale: float, where: Any = "output", **more: Any) -> Graded:
    none, some, all_ = Scaled(0.0, 1.0), Scaled(scale, 0.8), Scaled(16 * scale, 0.5)
    return Graded(Perturbation(where, **more), (none, some, all_))


@pytest.mark.parametrize("where", ["output", "input"])
def test_whoever_asks_again_is_answered_the_same_whatever_is_asked_beside(where: Any) -> None:
    inputs, levels = drawn(40).inputs, graded(2.0, where)
    model = levels.answering(Signs(), ANN, 1)
    whole = model.ask(inputs).values
    assert np.array_equal(model.ask(inputs).values, whole)
    again = levels.answering(Signs(), ANN, 1)
    again.batch = 7
    turned = again.ask(inputs[::-1]).values[::-1]
    assert np.array_equal(turned, whole)
    assert np.array_equal(again.ask(inputs[5:6]).values, whole[5:6])
    assert not np.array_equal(whole[:20], Signs().ask(inputs[:20]).values)


@pytest.mark.parametrize("where", ["output", "input"])
def test_users_inputs_and_levels_have_noise_of_their_own(where: Any) -> None:
    levels, model = graded(3.0, where), Signs()
    asked = np.repeat(drawn(1).inputs, 300, 0) + np.arange(300)[:, None] / 32
    noisy = [
        levels.answering(model, key, level) for key, level in ((ANN, 1), (BOB, 1), (ANN, None))
    ]
    if where == "input":
        cells = levels.perturbation.rounded(asked)[1]
        found = [each._noise(cells, (3,)) for each in noisy]
    else:
        plain = model.ask(asked).centered
        found = [each.ask(asked).centered - plain for each in noisy]
    for one in range(3):
        assert len({row.tobytes() for row in found[one]}) == 300
        for two in range(one):
            assert abs(np.corrcoef(found[one][:, 0], found[two][:, 0])[0, 1]) < 0.25


def test_noise_is_laplace_of_its_scale() -> None:
    """Of two logits a margin g apart, noise of scale b turns ½ e^(-g/b) (1 + g/2b) round."""
    inputs = drawn(4000)
    for scale in (1.0, 3.0, 8.0):
        found = graded(scale).answering(Signs(), ANN, 1).ask(inputs.inputs).labels
        wrong = (found != inputs.labels).mean()
        expected = math.exp(-MARGIN / scale) * (1 + MARGIN / (2 * scale)) / 2
        assert wrong == pytest.approx(expected, abs=4 * math.sqrt(expected / 4000))
    values = laplace(b"seed", (100_000,))
    assert np.abs(values).mean() == pytest.approx(1, abs=0.02)
    assert np.median(values) == pytest.approx(0, abs=0.02)
    assert np.array_equal(values[:5], laplace(b"seed", (5,)))


@given(
    arrays(np.float32, 4, elements=st.floats(-8, 8, width=32)),
    st.sampled_from([1 / 256, 1 / 8, 0.3]),
    st.floats(-0.49, 0.49),
)
def test_what_is_rounded_alike_is_one_input(center: Any, unit: float, off: float) -> None:
    how = Perturbation(unit=unit)
    cell = np.rint(center.astype(np.float64) / unit) * unit
    one, two = (how.rounded(each[None]) for each in (cell, cell + off * unit))
    assert np.array_equal(one[0], two[0])
    assert one[1].tobytes() == two[1].tobytes()
    assert np.abs(one[0] - cell).max() <= 1e-6
    assert np.array_equal(how.rounded(one[0])[1], one[1])  # rounded again, the same


def test_level_0_is_the_model_as_it_is_and_its_answers_have_no_noise() -> None:
    inputs = drawn(20).inputs
    found = graded(2.0).answering(Signs(), ANN, 0).ask(inputs)
    assert np.array_equal(found.values, Signs().ask(inputs).values)


@pytest.mark.parametrize("where", ["output", "input"])
def test_levels_have_the_accuracies_that_were_asked_for(where: Any) -> None:
    judge, others = drawn(600), drawn(3000, 1)
    found = Perturbation(where).calibrate(Signs(), judge, (0.9, 0.7))
    accuracies = [each.accuracy for each in found.levels]
    assert accuracies[:3] == pytest.approx([1.0, 0.9, 0.7], abs=0.01)
    assert accuracies[3] < 0.56  # a constant answer has .5
    scales = [each.scale for each in found.levels]
    assert scales[0] == 0
    assert scales == sorted(scales)
    for level, each in enumerate(found.levels[:-1]):
        answers = found.answering(Signs(), ANN, level).ask(others.inputs)
        assert (answers.labels == others.labels).mean() == pytest.approx(each.accuracy, abs=0.04)
    unknown = found.answering(Signs(), ANN).ask(others.inputs).labels
    assert (unknown == others.labels).mean() < 0.56
    assert Graded.parse(found.text) == found


def test_what_cannot_be_had_is_told() -> None:
    judge = drawn(200)
    with pytest.raises(BadOption, match="levels must be falling"):
        Perturbation().calibrate(Signs(), judge, (0.7, 0.9))
    turned = Examples(judge.inputs, 1 - judge.known_labels)
    with pytest.raises(BadOption, match=r"level 1 is to have 0\.9, and the model has 0\.0000"):
        Perturbation().calibrate(Signs(), turned, (0.9,))
    with pytest.raises(BadData, match="labels alone"):
        Perturbation("output").calibrate(Labels(), judge, (0.9,))
    assert Perturbation("input").calibrate(Labels(), judge, (0.8,)).levels[1].scale > 0
    with pytest.raises(BadData, match="no labels"):
        Perturbation().calibrate(Signs(), Examples(judge.inputs), (0.9,))
    with pytest.raises(BadOption, match="tokens"):
        Perturbation("input").rounded(np.zeros((2, 3), np.int64))
    with pytest.raises(BadOption, match="there is no level 2: they go to 1"):
        graded(1.0).answering(Signs(), ANN, 2)
    with pytest.raises(BadOption, match="16 bytes or more, not 3"):
        graded(1.0).answering(Signs(), b"key", 1)
    same = Examples(judge.inputs, np.zeros(len(judge), np.int64))
    with pytest.raises(
        UnfitModel, match=r"no noise leaves an accuracy of 0\.9000: the nearest, 1\.0"
    ):
        Perturbation("input").calibrate(Deaf(), same, (0.9,))


class Deaf(Signs):
    """Answers the same to whatever is asked."""

    def run(self, inputs: Any) -> Any:
        return np.tile([MARGIN, 0.0], (len(inputs), 1))


@pytest.mark.parametrize(
    "options", [{"where": "both"}, {"unit": -1.0}, {"unit": math.nan}, {"clip": 0.0}]
)
def test_options_that_make_no_sense_are_told(options: dict[str, Any]) -> None:
    with pytest.raises(BadOption, match=next(iter(options))):
        Perturbation(**options)


@pytest.mark.filterwarnings("error")
def test_inputs_far_away_are_in_the_last_cell() -> None:
    inputs = np.array([[1e30], [-1e30], [0.5]], np.float32)
    for unit in (1 / 256, 1e-320):
        _, cells = Perturbation(unit=unit).rounded(inputs)
        assert cells.ravel()[:2].tolist() == [2**62, -(2**62)]


LEVEL = '{"scale": 0, "accuracy": 1}'


@pytest.mark.parametrize(
    "text",
    [
        "", "[1]", "null", "{", '{"assay perturbation": 1}',
        '{"assay perturbation": 2, "levels": [' + f"{LEVEL}, {LEVEL}]}}",
        '{"assay perturbation": 1, "levels": [' + f"{LEVEL}]}}",
        '{"assay perturbation": 1, "levels": [' + f"{LEVEL}, 5]}}",
        '{"assay perturbation": 1, "other": 1, "levels": [' + f"{LEVEL}, {LEVEL}]}}",
        '{"assay perturbation": 1, "unit": "x", "levels": [' + f"{LEVEL}, {LEVEL}]}}",
        '{"assay perturbation": 1, "levels": [' + LEVEL + ', {"scale": NaN, "accuracy": 0}]}',
        '{"assay perturbation": 1, "levels": [' + LEVEL + ', {"scale": -1, "accuracy": 0}]}',
        '{"assay perturbation": 1, "levels": [' + LEVEL + ', {"scale": 1e308, "accuracy": 0}]}',
        '{"assay perturbation": 1, "levels": [' + f'{LEVEL}, {{"scale": {10**400}}}]}}',
        "[" * 100_000,
    ],
)  # fmt: skip
def test_text_that_is_no_calibration_is_refused(text: str) -> None:
    with pytest.raises(BadData, match="is no calibration"):
        Graded.parse(text)
