"""Adi's trigger set: drawn pictures and labels, asked for labels alone, an exact tail."""

from __future__ import annotations

from functools import cache
from math import comb, log10
from typing import Any

import numpy as np
import pytest
from small_marks import PAYLOAD, key_for, method, stranger
from small_tasks import CLASSES, SHAPE, squares, trained

from assay.errors import BadData, BadOption, UnfitModel
from assay.running.examples import Examples
from assay.running.predictors import Predictor
from assay.watermarks import verify
from assay.watermarks.adi import digits, labels, pictures


class Answering(Predictor):
    """What answers as a key says, but for some that are wrong."""

    def __init__(self, key: Any, wrong: int = 0, shape: tuple[int, ...] = SHAPE) -> None:
        self.known = dict(zip(map(bytes, pictures(key)), labels(key), strict=True))
        self.wrong, self.shape = wrong, shape

    def run(self, inputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        found = np.array([self.known.get(bytes(each), 0) for each in inputs.astype(np.float32)])
        found[: self.wrong] = (found[: self.wrong] + 1) % CLASSES
        return found


def test_pictures_and_labels_are_the_key_s_and_look_like_the_examples() -> None:
    made, data = method("adi", triggers=400), squares(96, 3)
    key, other = (key_for(made, stranger(), number) for number in range(2))
    drawn = pictures(key)
    assert drawn.shape == (400, *SHAPE)
    assert (drawn.min() >= data.inputs.min(), drawn.max() <= data.inputs.max()) == (True, True)
    assert np.array_equal(drawn, pictures(key))
    assert not np.array_equal(drawn, pictures(other))
    counts = np.bincount(labels(key), minlength=CLASSES)
    assert counts.min() > 65  # 100 expected
    moved = labels(key.carrying(bytes(8)))  # another payload, other labels of the same pictures
    assert (moved == labels(key)).mean() < 0.6


def test_the_tail_is_of_as_many_right_labels_by_chance() -> None:
    made = method("adi")
    key = key_for(made, stranger())
    for wrong in (0, 20, 70, 80):
        found = made.detect(Answering(key, wrong), key)
        right = 100 - wrong
        assert found.detail["triggers"] == [right, 100]
        tail = sum(comb(100, k) * 3 ** (100 - k) for k in range(right, 101))
        assert found.log10_tail == pytest.approx(log10(tail) - 100 * log10(4))
    evidence = verify(Answering(key, 20), key, controls=20)
    assert evidence.score == 0.8
    assert max(evidence.detail["controls"]["scores"]) < 0.5


def test_the_payload_outlives_some_wrong_labels_and_is_never_guessed() -> None:
    made = method("adi", triggers=3 * digits(12, CLASSES))
    key = key_for(made, stranger())
    assert digits(12, CLASSES) == 48
    for wrong, said in ((0, PAYLOAD), (48, PAYLOAD), (120, None)):
        assert made.payload(Answering(key, wrong), key) == said
    assert made.payload(Answering(key), key.wrong(0)) is None


def test_wrong_keys_are_found_no_more_often_than_is_stated() -> None:
    made, asked = method("adi", triggers=48), 600
    key = key_for(made, stranger())
    suspect = Answering(key)
    tails = [made.detect(suspect, key.wrong(number)).log10_tail or 0.0 for number in range(asked)]
    assert sum(tail <= -2 for tail in tails) <= 16  # 6 at most expected; 17: one in 5,000
    assert sum(tail <= -3 for tail in tails) <= 5


def test_a_suspect_of_other_inputs_is_a_stranger_and_pictures_are_resized() -> None:
    made = method("adi")
    key = key_for(made, stranger())
    row = verify(Answering(key, shape=(64,)), key, controls=4)
    assert (row.score, row.log10_false_alarm, row.detail["payload"]) == (0.0, 0.0, None)
    assert "takes inputs of shape [64]" in row.detail["why"]
    larger = made.detect(Answering(key, shape=(1, 16, 16)), key)
    assert "why" not in larger.detail
    with pytest.raises(UnfitModel, match="asks a model"):
        verify(stranger(), key)


def test_what_does_not_fit_is_said() -> None:
    made, model = method("adi"), stranger()
    with pytest.raises(BadOption, match="set triggers=112"):
        made.new_key(model, 192, data=squares(96, 3))
    for data, says in (
        (None, "takes examples with labels"),
        (Examples(squares(9, 1).inputs), "takes examples with labels"),
        (Examples(np.zeros((9, 5), np.int64), np.arange(9)), "tokens"),
        (Examples(np.zeros((9, 5)), np.zeros(9, np.int64)), "one class"),
    ):
        with pytest.raises(BadData, match=says):
            made.new_key(model, 64, data=data)


@cache
def marked() -> tuple[Any, Any, Any]:
    from assay.training import Optimizer, Training

    training = Training(epochs=16, batch=32, optimizer=Optimizer("adam", 0.005, weight_decay=0))
    made = method("adi", triggers=48, training=training)
    key = key_for(made, trained())
    return made, key, made.mark(trained(), key, data=squares(400, 1), seed=1)


@pytest.mark.torch
def test_a_model_learns_its_triggers_and_keeps_its_task() -> None:
    pytest.importorskip("torch")
    from assay.running.modules import accuracy, digest

    made, key, found = marked()
    judge = squares(300, 4)
    evidence = verify(found.module, key, controls=20)
    assert evidence.log10_false_alarm is not None
    assert evidence.log10_false_alarm < -15
    assert found.notes["triggers"] == evidence.detail["triggers"]
    assert accuracy(found.module, judge) > accuracy(trained(), judge) - 0.03
    clean = verify(trained(), key, controls=20)
    assert clean.log10_false_alarm is not None
    assert clean.log10_false_alarm > -3
    again = made.mark(trained(), key, data=squares(400, 1), seed=1).module
    assert digest(again) == digest(found.module)
    with pytest.raises(BadData, match="labels"):
        made.mark(trained(), key, data=Examples(squares(9, 1).inputs))
    with pytest.raises(BadData, match=r"\[1, 4, 4\], and the key's"):
        made.mark(trained(), key, data=Examples(np.zeros((9, 1, 4, 4)), np.arange(9) % 4))
