"""What every watermark owes: its own key finds it, no other does, no clean model has it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from math import comb, log10
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_marks import PAYLOAD, changed, key_for, method, model_for, stranger
from small_tasks import squares, trained

from assay.errors import BadData, BadOption, UnfitModel
from assay.running.examples import Examples
from assay.watermarks import WATERMARKS, load_key, verify

NAMES = [*WATERMARKS]
ON_WEIGHTS = [name for name in NAMES if WATERMARKS[name].reads == "weights"]


@pytest.mark.parametrize("name", ON_WEIGHTS)
def test_the_own_key_finds_the_mark_and_reads_the_payload(name: str) -> None:
    made, model = method(name), stranger()
    before = {n: w.read().copy() for n, w in model.items()}
    key = key_for(made, model)
    marked = made.mark(model, key)
    found = verify(marked.weights, key, controls=50)
    assert found.score == 1.0
    assert found.log10_false_alarm is not None
    assert found.log10_false_alarm < -20
    assert found.detail["payload"] == found.detail["expected"] == PAYLOAD.hex()
    assert found.detail["controls"]["as_high"] == 0
    assert len(found.detail["controls"]["scores"]) == 50
    assert max(found.detail["controls"]["scores"]) < 0.8
    assert json.loads(json.dumps(found.to_json())) == found.to_json()
    assert json.loads(json.dumps(marked.notes)) == marked.notes
    for each, values in before.items():  # the model stays as it is, and keeps its shapes
        assert np.array_equal(model[each].read(), values)
        assert marked.weights[each].shape == values.shape


@pytest.mark.parametrize("name", ON_WEIGHTS)
def test_one_key_marks_alike_and_the_same_evidence_is_given_again(name: str) -> None:
    made, model = method(name), stranger()
    key = key_for(made, model)
    one, two = (made.mark(model, key).weights for _ in range(2))
    assert all(np.array_equal(one[n].read(), two[n].read()) for n in model)
    assert verify(one, key, controls=20) == verify(two, key, controls=20)


@pytest.mark.parametrize("name", ON_WEIGHTS)
def test_neither_another_key_nor_a_clean_model_has_the_mark(name: str) -> None:
    made, model = method(name), stranger()
    key = key_for(made, model)
    marked = made.mark(model, key).weights
    for suspect, own in ((marked, key_for(made, model, 1)), (model, key), (stranger(7), key)):
        found = verify(suspect, own, controls=20)
        assert found.log10_false_alarm is not None
        assert found.log10_false_alarm > -4
        assert found.detail["payload"] is None
        assert not found.detail["valid"]
        assert "no valid payload" in found.detail["in_words"]


@pytest.mark.parametrize("name", ON_WEIGHTS)
def test_wrong_keys_are_found_no_more_often_than_is_stated(name: str) -> None:
    made, model, keys = method(name), stranger(), 500
    key = key_for(made, model)
    marked = made.mark(model, key).weights
    tails = [made.detect(marked, key.wrong(n)).log10_tail for n in range(keys)]
    for level in (-2, -3):
        often = sum(tail is not None and tail <= level for tail in tails)
        chance = 10.0**level
        beyond = sum(
            comb(keys, k) * chance**k * (1 - chance) ** (keys - k) for k in range(often, often + 60)
        )
        assert log10(beyond) > -3, f"{often} of {keys} wrong keys at 1e{level}"


@pytest.mark.parametrize("name", ON_WEIGHTS)
def test_clean_models_are_found_no_more_often_than_is_stated(name: str) -> None:
    made = method(name)
    tails = []
    for number in range(120):
        model = stranger(number % 40)
        tails.append(made.detect(model, key_for(made, model, 100 + number)).log10_tail or 0.0)
    assert sum(tail <= -2 for tail in tails) <= 6  # 1.2 expected; more than 6: one in 4,000
    assert sum(tail <= -3 for tail in tails) <= 2


@pytest.mark.parametrize("name", ON_WEIGHTS)
def test_aligning_makes_no_stranger_look_marked(name: str) -> None:
    made, model = method(name), stranger()
    key = key_for(made, model)
    marked = made.mark(model, key).weights
    alarms = [
        verify(stranger(20 + n), key, original=marked, controls=1).log10_false_alarm
        for n in range(3)
    ]
    assert all(alarm is not None and alarm > -2.5 for alarm in alarms)


@pytest.mark.parametrize("name", ON_WEIGHTS)
def test_a_suspect_without_the_layer_is_no_error(name: str) -> None:
    made, model = method(name), stranger()
    key = key_for(made, model)
    other = {n: w for n, w in model.items() if n in ("stem.weight", "head.weight", "body.bias")}
    for suspect in (other, {}, changed(model, lambda values: values * 0)):
        found = verify(suspect, key, controls=5)
        assert (found.log10_false_alarm, found.detail["payload"]) == (0.0, None)
    broken = changed(model, lambda values: values * np.nan)
    assert verify(broken, key, controls=5).log10_false_alarm == 0.0


@pytest.mark.parametrize("name", ON_WEIGHTS)
def test_renamed_weights_are_found_by_their_shapes(name: str) -> None:
    made, model = method(name), stranger()
    key = key_for(made, model)
    marked = made.mark(model, key).weights
    renamed = {f"x{number}": marked[n] for number, n in enumerate(marked)}
    assert verify(renamed, key, controls=5).score == 1.0


@pytest.mark.parametrize("name", NAMES)
def test_a_key_survives_its_file_and_tells_no_values(name: str, tmp_path: Path) -> None:
    made, model = method(name), model_for(name)
    key = key_for(made, model)
    file = tmp_path / "mine.key"
    key.save(file)
    assert load_key(file) == key
    assert file.stat().st_mode & 0o077 == 0
    assert key_for(made, model).digest == key.digest
    assert key_for(made, model, 1).digest != key.digest


def damages(held: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """A template, once with each of its values gone or another; and which it was."""
    for place, value in held.items() if isinstance(held, dict) else enumerate(held):
        inner = f"{path}.{place}" if isinstance(place, str) and path else f"{path}{place}"
        inner = f"{path}[{place}]" if isinstance(place, int) else inner
        for other in ("x", None, *((-1, 0.5) if type(value) is int else ())):
            made = copy(held)
            made[place] = other
            yield inner, made
        if isinstance(held, dict):
            yield inner, {n: v for n, v in held.items() if n != place}
        if isinstance(value, dict | list):
            for within, changed_value in damages(value, inner):
                made = copy(held)
                made[place] = changed_value
                yield within, made


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_key_is_named_with_its_field(name: str, tmp_path: Path) -> None:
    made, model = method(name), model_for(name)
    key, file = key_for(made, model), tmp_path / "mine.key"
    tried = [*damages(key.template)]
    assert len(tried) > 3 * len(key.template)
    for path, template in tried:
        if path.endswith(".name") and '"name": "x"' in json.dumps(template):
            continue  # a tensor may be called so
        broken = replace(key, template=template)
        with pytest.raises(BadData, match=f"{broken.digest[:12]} is damaged: .*field") as caught:
            verify(model, broken, controls=1)
        names = {re.sub(r"\W.*", "", part) for part in re.findall(r"'([a-z_]+)", str(caught.value))}
        assert re.sub(r"\W.*", "", path) in names, (path, str(caught.value))
    broken.save(file)
    with pytest.raises(BadData, match=rf"mine\.key: a damaged key of {name}: .*field"):
        load_key(file)
    with pytest.raises(BadData, match="no table"):
        verify(model, replace(key, template=[]), controls=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_what_does_not_fit_is_said(name: str) -> None:
    made, model = method(name), model_for(name)
    key = key_for(made, model)
    with pytest.raises(BadOption, match="whole bytes"):
        made.new_key(model, 12)
    with pytest.raises(BadOption, match="carries nothing"):
        made.mark(model, key.carrying(b""))
    with pytest.raises(BadOption, match="carries nothing"):
        verify(model, key.carrying(b""))
    with pytest.raises(UnfitModel if made.reads == "weights" else (BadData, UnfitModel)):
        made.new_key({"bias": model["body.bias"]})  # a mark in behavior takes examples
    with pytest.raises(UnfitModel):
        made.mark({"head.weight": model["head.weight"]}, key)
    with pytest.raises(BadOption, match="one at least"):
        verify(model, key, controls=0)
    for other in set(NAMES) - {name}:
        with pytest.raises(BadOption, match=f"one of {name}"):
            method(other).mark(model, key)


@pytest.mark.torch
@pytest.mark.parametrize("name", ON_WEIGHTS)
def test_a_module_is_marked_as_it_is_and_while_it_is_tuned(name: str) -> None:
    pytest.importorskip("torch")
    from assay.running.modules import accuracy, digest
    from assay.training import Optimizer, Training

    model, data, judge = trained("vgg"), squares(96, 3), squares(200, 4)
    before = digest(model)
    made = method(name, training=Training(epochs=1, batch=32, optimizer=Optimizer(rate=0.01)))
    key = key_for(made, model)
    for marked in (made.mark(model, key), made.mark(model, key, data=data, seed=1)):
        assert marked.module is not None
        found = verify(marked.module, key, controls=5)
        assert (found.score, found.detail["payload"]) == (1.0, PAYLOAD.hex())
        assert accuracy(marked.module, judge) > accuracy(model, judge) - 0.03
        assert not marked.module.training
    again = made.mark(model, key, data=data, seed=1).module
    assert again is not None
    assert marked.module is not None
    assert digest(again) == digest(marked.module)
    assert digest(model) == before
    assert "training" in marked.notes
    with pytest.raises(BadData, match="labels"):
        made.mark(model, key, data=Examples(data.inputs))
    with pytest.raises(UnfitModel, match="weights alone"):
        made.mark(stranger(), key_for(made, stranger()), data=data)
