"""Ingrained marks: exact tails, what is read of answers, students, strangers, damaged keys."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from small_marks import method, stranger
from small_tasks import CLASSES, SHAPE, squares, trained

from assay.errors import BadData, BadOption, UnfitModel
from assay.running.predictors import Predictor, predictor
from assay.running.predictors.answers import Array
from assay.watermarks import verify
from assay.watermarks._directions import coarse, features, readings
from assay.watermarks._remembering import Remembering
from assay.watermarks._signs import log10_signed_tail, sizes_of
from assay.watermarks.ingrain import read, signs, spread

if TYPE_CHECKING:
    from assay.watermarks import Marked, Watermark
    from assay.watermarks._key import Key

pytestmark = pytest.mark.torch
PAYLOAD = b"\x5a"


def ingrain(**options: Any) -> Any:
    from assay.training import Optimizer, Training

    optimizer = Optimizer("adam", rate=0.005, weight_decay=0)
    training = Training(epochs=15, batch=32, optimizer=optimizer)
    return method("ingrain", **{"queries": 300, "training": training, **options})


@cache
def key_of(number: int = 0) -> Key:
    pytest.importorskip("torch")
    made: Key = ingrain().new_key(trained("mlp"), 8, bytes([number]) * 32, squares(800, 1))
    return made.carrying(PAYLOAD)


@cache
def marked() -> Marked:
    method: Watermark = ingrain(strength=1.5)
    return method.mark(trained("mlp"), key_of(), data=squares(800, 1), seed=1)


class Answering(Predictor):
    """What answers each input as a function says."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def run(self, inputs: Array) -> Array:
        return np.asarray(self._function(inputs))


def ideal(key: Key, strength: float = 2.0) -> Answering:
    """The unmarked answers with just the ingrainer's logits added."""
    looked = features(key.arrays["queries"], key.arrays["center"], key.arrays["directions"])
    shift = strength * looked @ signs(key) / np.sqrt(looked.shape[1])
    rows = {asked.tobytes(): n for n, asked in enumerate(key.arrays["queries"])}
    scores = key.arrays["reference"] + shift
    return Answering(lambda inputs: scores[[rows[each.tobytes()] for each in inputs]])


def test_the_tail_is_that_of_all_signs_counted() -> None:
    sizes = sizes_of(np.array([3.0, -1.0, 2.0, 0.0, 7.0, 5.0, -0.1, 2.0]))
    sums = np.array([np.dot(sizes, right) for right in product((0, 1), repeat=len(sizes))])
    for reached in (0, 1, 50, int(sizes.sum()) // 2, int(sizes.sum())):
        counted = np.log10((sums >= reached).mean())
        assert log10_signed_tail(sizes, reached) == pytest.approx(counted, abs=1e-9)
    assert log10_signed_tail(sizes, int(sizes.sum()) + 1) == -300
    assert log10_signed_tail(np.zeros(5, int), 0) == 0
    assert log10_signed_tail(np.ones(40, int), 40) == pytest.approx(-40 * np.log10(2))


def test_inputs_are_looked_at_coarsely() -> None:
    picture = np.arange(2 * 28 * 28, dtype=np.float32).reshape(1, 2, 28, 28)
    found = coarse(picture).reshape(2, 7, 7)
    assert found[1, 2, 3] == pytest.approx(picture[0, 1, 8:12, 12:16].mean())
    uneven = np.arange(9.0).reshape(1, 1, 9)
    assert np.allclose(coarse(uneven), [[0, 1, 2, 3.5, 5, 6, 7.5]])
    vectors = np.random.default_rng(0).normal(size=(3, 20))
    assert np.array_equal(coarse(vectors), vectors)


def test_readings_are_those_of_the_normal_equations() -> None:
    rng = np.random.default_rng(1)
    looked, expected = rng.normal(size=(60, 3)), rng.dirichlet(np.ones(4), 60)
    given = rng.dirichlet(np.ones(4), 60)
    curvature = np.zeros((12, 12))
    for row, chance in zip(looked, expected, strict=True):
        of_classes = np.diag(chance) - np.outer(chance, chance)
        curvature += np.kron(np.outer(row, row), of_classes)
    penalty = 0.3 * np.linalg.eigvalsh(curvature).max()
    score = (looked.T @ (given - expected)).reshape(-1)
    wanted = np.linalg.solve(curvature + penalty * np.eye(12), score).reshape(3, 4)
    assert np.allclose(readings(looked, expected, given, 0.3), wanted, rtol=0.05, atol=1e-3)
    certain = np.eye(4)[np.zeros(60, int)]  # nothing in doubt
    assert np.isfinite(readings(looked, certain, given, 0.3)).all()


def test_directions_are_turned_by_the_key_and_of_one_variance() -> None:
    one, other = key_of(), key_of(1)
    looked = features(one.arrays["queries"], one.arrays["center"], one.arrays["directions"])
    assert np.allclose(np.cov(looked.T), np.eye(looked.shape[1]), atol=1e-3)
    assert not np.allclose(one.arrays["directions"], other.arrays["directions"], atol=0.1)
    assert np.array_equal(one.arrays["queries"], other.arrays["queries"])
    assert set(np.bincount(spread(one))) <= {4}  # 160 signs for 40 bits
    assert abs(signs(one).mean()) < 0.3


def test_the_key_asks_what_the_model_doubts_most() -> None:
    reference = key_of().arrays["reference"]
    margins = np.sort(reference, axis=1)[:, -1] - np.sort(reference, axis=1)[:, -2]
    assert (np.diff(margins) >= -1e-6).all()
    assert len(margins) == 300


def test_the_whole_mark_is_read_with_its_payload() -> None:
    key = key_of()
    found = verify(ideal(key), key, controls=100)
    assert found.score > 0.85
    assert found.log10_false_alarm is not None
    assert found.log10_false_alarm < -15
    assert found.detail["payload"] == PAYLOAD.hex()
    assert found.detail["controls"]["null"] == "exact"
    assert max(found.detail["controls"]["scores"]) < 0.75
    other = verify(ideal(key), replace(key, payload=b"\xa5"), controls=20)
    assert other.log10_false_alarm is not None
    assert other.log10_false_alarm > found.log10_false_alarm + 5  # the payload counts as signs


def test_a_tuned_model_has_the_mark_and_its_student_too() -> None:
    from assay.derivations import DERIVATIONS
    from assay.running.modules import accuracy
    from assay.training import Optimizer, Training

    key, suspect, judge = key_of(), marked(), squares(500, 9)
    assert suspect.module is not None
    found = verify(suspect.module, key, controls=50)
    assert found.log10_false_alarm is not None
    assert found.log10_false_alarm < -10
    assert suspect.notes["log10_false_alarm"] < -10
    assert accuracy(suspect.module, judge) > accuracy(trained("mlp"), judge) - 0.06
    training = Training(epochs=8, batch=32, optimizer=Optimizer("adam", rate=0.005))
    make: Any = DERIVATIONS["extract"]
    student = make(training=training).derive(suspect.module, data=squares(1500, 5), seed=3).module
    carried = verify(student, key, controls=50).log10_false_alarm
    assert carried is not None
    assert carried < -5
    before = verify(trained("mlp"), key, controls=5)
    assert before.log10_false_alarm is not None
    assert before.log10_false_alarm > -2


def test_wrong_keys_are_found_no_more_often_than_is_stated() -> None:
    made, key = ingrain(), key_of()
    for suspect in (ideal(key), Answering(lambda inputs: inputs.reshape(len(inputs), -1)[:, :4])):
        subject = Remembering(suspect)
        tails = [made.detect(subject, key.wrong(n)).log10_tail for n in range(600)]
        assert sum(tail <= -2 for tail in tails) <= 16  # 6 expected; more: one in 4,000
        assert sum(tail <= -3 for tail in tails) <= 5
        assert sum(tail <= np.log10(0.5) for tail in tails) == pytest.approx(300, abs=60)


def test_a_reference_cannot_be_made_up_for_signs_that_are_known() -> None:
    """A forger subtracts his mark from what a stranger's model answers, and calls that his own."""
    made, key, theirs = ingrain(), key_of(), predictor(trained("mlp", 5))
    answers = theirs.ask(key.arrays["queries"]).log_probabilities
    looked = features(key.arrays["queries"], key.arrays["center"], key.arrays["directions"])
    shifted = answers - 2 * looked @ signs(key) / np.sqrt(looked.shape[1])
    reference = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    forged = replace(key, arrays={**key.arrays, "reference": reference.astype(np.float32)})
    assert not np.array_equal(signs(forged), signs(key))
    found = made.detect(theirs, forged)
    assert found.log10_tail is not None
    assert found.log10_tail > -3


def test_labels_alone_suffice() -> None:
    key = key_of()
    whole = ideal(key)
    found = verify(Answering(lambda inputs: whole.run(inputs).argmax(1)), key, controls=20)
    assert found.log10_false_alarm is not None
    assert found.log10_false_alarm < -6


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (lambda inputs: np.zeros((len(inputs), 7)), "7 classes"),
        (lambda inputs: np.full(len(inputs), 9), "label 9"),
        (lambda inputs: np.full((len(inputs), 4), np.nan), "not finite"),
    ],
)
def test_a_stranger_is_no_error(answers: Any, why: str) -> None:
    found = verify(Answering(answers), key_of(), controls=5)
    assert (found.score, found.log10_false_alarm) == (0.0, 0.0)
    assert why in found.detail["why"]
    assert found.detail["payload"] is None


def test_one_answer_to_all_is_no_mark() -> None:
    answers = Answering(lambda inputs: np.zeros((len(inputs), CLASSES)))
    found = verify(answers, key_of(), controls=20)
    assert found.log10_false_alarm is not None
    assert found.log10_false_alarm > -3


def test_a_suspect_is_asked_once_for_all_keys() -> None:
    key, asked = key_of(), []
    whole = ideal(key)

    def count(inputs: Array) -> Array:
        asked.append(len(inputs))
        return whole.run(inputs)

    verify(Answering(count), key, controls=50)
    assert sum(asked) == len(key.arrays["queries"])


def test_what_students_of_an_unmarked_model_answer_is_no_sign_of_a_mark() -> None:
    own, other, data = trained("mlp"), trained("cnn"), squares(800, 1)
    alone, both = (
        ingrain().new_key(own, 8, bytes(32), data, students) for students in ((), (other,))
    )
    asked = both.arrays["queries"]
    assert np.array_equal(asked, alone.arrays["queries"])
    answers = [np.exp(predictor(each).ask(asked).log_probabilities) for each in (own, other)]
    assert np.allclose(np.exp(both.arrays["reference"]), np.mean(answers, axis=0), atol=1e-6)
    assert np.allclose(np.exp(alone.arrays["reference"]), answers[0], atol=1e-6)
    leaning = [float(np.linalg.norm(read(predictor(other), key))) for key in (alone, both)]
    assert leaning[1] < 0.7 * leaning[0]


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("order", [(1, 2, 3, 0), (1, 0, 2, 3)])
def test_renumbered_classes_hide_no_mark(hard: bool, order: tuple[int, ...]) -> None:
    key, own = key_of(), predictor(marked().module)
    scores = Answering(lambda inputs: own.run(inputs)[:, np.argsort(order)])
    labels = Answering(lambda inputs: np.array(order)[own.run(inputs).argmax(1)])
    plain = Answering(lambda inputs: own.run(inputs).argmax(1)) if hard else own
    renumbered = labels if hard else scores
    found, wanted = (ingrain().detect(each, key) for each in (renumbered, plain))
    assert found.log10_tail == wanted.log10_tail < -3
    wrong = [ingrain().detect(renumbered, key.wrong(n)).log10_tail for n in range(200)]
    assert sum(tail <= -1 for tail in wrong) <= 36  # 20 are expected: four deviations


def test_what_a_key_takes_is_said() -> None:
    from assay.zoo.networks import build

    module, data = trained("mlp"), squares(50, 1)
    with pytest.raises(UnfitModel, match="give a module"):
        ingrain().new_key(stranger(), 16, data=data)
    with pytest.raises(BadData, match="those that are asked"):
        ingrain().new_key(module, 16)
    with pytest.raises(BadOption, match="too few signs"):
        ingrain().new_key(module, 256, data=data)
    wide = replace(squares(50, 1), inputs=np.repeat(data.inputs, 2, axis=2))
    with pytest.raises(BadData, match="key's queries"):
        ingrain().mark(module, key_of(), data=wide)
    with pytest.raises(BadData, match="needs examples"):
        ingrain().mark(module, key_of())
    with pytest.raises(UnfitModel, match="weights alone"):
        verify(stranger(), key_of())
    for options in ({"strength": 0.0}, {"label_share": 1.0}, {"directions": 0}, {"queries": 1}):
        with pytest.raises(BadOption):
            ingrain(**options)
    assert ingrain(label_share=0.0).needs == "inputs"
    with pytest.raises(UnfitModel, match="reference 1 gives no scores of these classes"):
        ingrain().new_key(module, 16, data=data, students=[build("mlp", SHAPE, 3, 0)])
    few = ingrain(directions=400).new_key(module, 16, data=data)
    assert few.template["directions"] <= min(49, int(np.prod(SHAPE)))


@pytest.mark.parametrize("name", ["queries", "reference", "center", "directions"])
def test_a_damaged_array_is_named(name: str) -> None:
    key = key_of()
    array = key.arrays[name]
    without = {n: a for n, a in key.arrays.items() if n != name}
    for arrays in (
        without,
        {**without, name: array.astype(int)},
        {**without, name: array * np.nan},
        {**without, name: array[:1]},
    ):
        with pytest.raises(BadData, match="array"):
            ingrain().validate(replace(key, arrays=arrays))
    for field in ("directions", "classes"):
        for value in (0, 1, 3.5, "x", None):
            with pytest.raises(BadData, match="field"):
                ingrain().validate(replace(key, template={**key.template, field: value}))
