"""How a holder tunes a level: what a key opens, and what of it is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutated_json import changed
from small_licenses import distributed, grant, licensee

from assay.errors import BadData, BadOption, UnreadableLicense
from assay.licenses._recipes import Recipe, bounded, recipe_of
from assay.training import Optimizer, Training

SHARES = st.floats(0, 0.99)
TRAININGS = st.builds(
    Training,
    epochs=st.integers(1, 1000),
    batch=st.integers(2, 512),
    optimizer=st.builds(
        Optimizer,
        name=st.sampled_from(["sgd", "adam"]),
        rate=st.floats(1e-9, 10),
        momentum=SHARES,
        weight_decay=SHARES,
        schedule=st.sampled_from(["cosine", "constant"]),
    ),
    patience=st.integers(0, 9),
)
SAMPLE = Recipe(37.421875, 3, Training(9, optimizer=Optimizer("adam", 0.003)))


@given(st.builds(Recipe, st.floats(0, 39_000), st.integers(0, 2**32), TRAININGS))
def test_what_is_written_is_read_again_to_the_last_bit(recipe: Recipe) -> None:
    assert Recipe.parse(recipe.text) == recipe


def parsed(text: str) -> Recipe | str:
    """The tuning in a text, or why it is none."""
    try:
        return Recipe.parse(text)
    except UnreadableLicense as error:
        return str(error)


@settings(max_examples=80)
@given(data=st.data())
def test_what_is_changed_anywhere_is_a_tuning_or_refused_in_one_line(data: Any) -> None:
    row = json.loads(SAMPLE.text)
    changed(data, row)
    found = parsed(json.dumps(row))
    if isinstance(found, str):
        assert "\n" not in found
        return
    asked = found.training
    assert 0 <= found.steps * asked.batch <= 20_000_000
    assert found.steps <= 200_000
    assert max(asked.epochs, asked.patience) <= 10_000
    assert (asked.batch <= 4_096, asked.threads <= 256) == (True, True)
    assert Recipe.parse(found.text) == found


LARGE = st.one_of(st.integers(0, 2**62 - 1), st.integers(1, 300), st.integers(9_000, 300_000))


@settings(max_examples=80)
@given(
    steps=LARGE,
    training=st.fixed_dictionaries(
        dict.fromkeys(("epochs", "batch", "patience", "threads"), LARGE)
    ),
)
def test_no_owner_keeps_a_holders_machine_at_work_for_hours(
    steps: int, training: dict[str, int]
) -> None:
    """Whatever he signs: each number is read, or refused by its name."""
    row = json.loads(SAMPLE.text)
    row["steps"] = str(steps)
    row["training"].update(training)
    most = {"epochs": 10_000, "batch": 4_096, "patience": 10_000, "threads": 256}
    beyond = [name for name, value in training.items() if value > most[name]]
    few = training["epochs"] < 1 or training["batch"] < 2 or training["threads"] < 1
    found = parsed(json.dumps(row))
    if isinstance(found, Recipe):
        assert not beyond
        assert steps <= 200_000
        assert steps * training["batch"] <= 20_000_000
    elif not few and steps < 1e12:
        assert " is more than a holder may be asked: " in found
        assert beyond or steps > 200_000 or steps * training["batch"] > 20_000_000


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("assay tuning", 2, "of a newer assay: upgrade"),
        ("steps", "nan", "steps: is not a number"),
        ("steps", "-1", "steps: is not a number"),
        ("steps", "1e999", "steps: is not a number"),
        ("steps", "1e11", r"steps: 100000000000\.0 is more than a holder may be asked: 200,000"),
        ("seed", "0", "seed: is not a whole number"),
        ("training", {}, "has not the fields of one"),
    ],
)
def test_what_makes_no_sense_is_told(name: str, value: object, message: str) -> None:
    row = {**json.loads(SAMPLE.text), name: value}
    with pytest.raises(UnreadableLicense, match=message):
        Recipe.parse(json.dumps(row))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("epochs", 0, "epochs must be 1"), ("threads", 10**6, "threads"), ("batch", [], "batch")],
)
def test_a_training_that_cannot_be_is_told(name: str, value: object, message: str) -> None:
    row = json.loads(SAMPLE.text)
    row["training"][name] = value
    with pytest.raises(UnreadableLicense, match=message):
        Recipe.parse(json.dumps(row))


@pytest.mark.torch
def test_a_training_that_holds_out_all_examples_is_told() -> None:
    pytest.importorskip("torch")
    from small_licenses import digits, network

    with pytest.raises(BadData, match="cannot be split"):
        Recipe(1.0, 0, Training(1, patience=1, held_out=0.9999)).follow(network(), digits()[0])


HOLDS_OUT = Training(1, 10, patience=1, held_out=0.999)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("training", "steps", "most", "what"),
    [
        (Training(10_000, 200), None, 2_000, "examples gone through: 20010000 "),
        (Training(10_000, 2), None, 41, "steps: 210000 "),
        (Training(1, 100), 200_000.0, 10**9, ""),  # as many as in the steps, however many there are
        (HOLDS_OUT, 2_000.0, 10_000, "examples gone through: 20002000.0 "),
        (HOLDS_OUT, None, 20_000_000, "examples gone through: 20000001 "),
    ],
)
def test_what_a_tuning_goes_through_is_bounded_with_steps_and_without(
    training: Training, steps: float | None, most: int, what: str
) -> None:
    pytest.importorskip("torch")
    bounded(training, steps, most)
    if what:
        with pytest.raises(BadOption, match=f"^{what}.*is more than a holder may be asked: "):
            bounded(training, steps, most + 1)


@pytest.mark.torch
def test_a_tuning_that_would_judge_for_hours_is_not_begun() -> None:
    pytest.importorskip("torch")
    from small_licenses import digits, network

    asks = Training(1, 2, patience=10_000, held_out=0.996)  # of 500 examples one step an epoch
    with pytest.raises(BadOption, match="gone through: 100000000 is more than a holder"):
        Recipe(200_000, 0, asks).follow(network(), digits()[0])


def test_a_key_opens_how_to_tune_where_that_is_what_a_level_is(tmp_path: Path) -> None:
    other = Recipe(5.0, 3, SAMPLE.training)
    files = [bytes(2000), SAMPLE.text.encode(), other.text.encode(), bytes(2000)]
    model, manifest = distributed(tmp_path, files)
    for level, wanted in enumerate([None, SAMPLE, other]):
        assert recipe_of(model, grant(manifest, level), licensee(0), None) == wanted
    assert {path.name for path in tmp_path.iterdir() if "opened" in path.name} == set()
