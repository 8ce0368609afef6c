"""``license calibrate`` and ``license answer``: a model answers each user as well as he may."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_files import save_examples, save_network
from small_tasks import squares

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

Run = Callable[..., Any]


@pytest.fixture
def house(run: Run) -> Run:
    """Ann, who has a model, a key and a calibration; and inputs that somebody asks."""
    save_network("cnn", "model.onnx")
    save_examples("data.npz", squares(600, 2))
    save_examples("asked.npz", squares(300, 5))
    assert run("key", "new", "ann.key", "--kind", "owner").status == 0
    made = run("license", "calibrate", "model.onnx", "--judge", "data.npz", "--levels", "0.8,0.6",
        "--output", "noise.json")  # fmt: skip
    assert made.status == 0, made.err
    lines = [line.split() for line in made.out.splitlines()]
    assert [line[0] for line in lines] == ["LEVEL", "0", "1", "2", "no"]
    assert float(lines[2][1]) == pytest.approx(0.8, abs=0.01)
    return run


def answers(run: Run, user: str, *more: str) -> Any:
    made = run("license", "answer", "model.onnx", "--calibration", "noise.json", "--inputs",
        "asked.npz", "--user", user, "--owner-key", "ann.key", "--output", "out.npz",
        *more)  # fmt: skip
    assert made.status == 0, made.err
    with np.load("out.npz") as held:
        return held["labels"], held["probabilities"]


def test_a_user_is_answered_as_his_level_allows_and_the_same_each_time(house: Run) -> None:
    truth = squares(300, 5).known_labels
    found = {}
    for level in ("0", "1", "2"):
        labels, probabilities = answers(house, "Bob", "--level", level)
        assert np.array_equal(labels, probabilities.argmax(1))
        assert probabilities.sum(1) == pytest.approx(1)
        found[level] = (labels == truth).mean()
    assert found["0"] > 0.9
    assert found["1"] == pytest.approx(0.8, abs=0.08)
    assert found["2"] == pytest.approx(0.6, abs=0.1)
    again, _ = answers(house, "Bob", "--level", "2")
    assert np.array_equal(again, labels)
    assert not np.array_equal(answers(house, "Eve", "--level", "2")[0], labels)
    assert (answers(house, "Bob")[0] == truth).mean() < 0.4  # four classes
    named = house("license", "answer", "model.onnx", "--calibration", "noise.json", "--inputs",
        "asked.npz", "--user", os.fsdecode(b"\xff"), "--owner-key", "ann.key", "--output",
        "out.npz")  # fmt: skip
    assert named.status == 0, named.err  # a name that is no UTF-8
    (about,) = json.loads(Path("noise.json").read_text())["levels"][:1]
    assert about["scale"] == 0


def test_what_cannot_be_answered_is_refused_in_one_line(house: Run) -> None:
    asked = ("license", "answer", "model.onnx", "--inputs", "asked.npz", "--user", "Bob",
        "--owner-key", "ann.key", "--output", "out.npz")  # fmt: skip
    wrong = house(*asked, "--calibration", "noise.json", "--level", "3")
    assert (wrong.status, wrong.error) == (2, "there is no level 3: they go to 2")
    other = house(*asked, "--calibration", "ann.key")
    assert (other.status, other.error) == (
        2, "ann.key: is no file that 'assay license calibrate' wrote"
    )  # fmt: skip
    levels = house("license", "calibrate", "model.onnx", "--judge", "data.npz", "--levels", "high",
        "--output", "new.json")  # fmt: skip
    assert (levels.status, levels.error) == (
        2, "--levels high: are not numbers as 0.92,0.82,0.72"
    )  # fmt: skip
    again = (*asked[:-1], "asked.npz", "--calibration", "noise.json")
    assert house(*again).error == "--output asked.npz: is asked.npz: name another file"
    assert not Path("out.npz").exists()
    assert not Path("new.json").exists()
