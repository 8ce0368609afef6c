"""Attacks on licenses: the small run, what an attacker chooses by, and what results say of keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scripts_of import Module, scripts_of

FOLDER = Path(__file__).parents[1] / "benchmarks" / "license_attacks"
RESULTS = json.loads((FOLDER / "results.json").read_text())


@pytest.fixture
def script() -> Iterator[Module]:
    with scripts_of(FOLDER) as module:
        yield module


@pytest.mark.torch
def test_a_small_run_fills_each_table(script: Module, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    script("run").main(["--small"])
    lines = capsys.readouterr().out.splitlines()
    jobs = [line for line in lines if line.startswith("small/vgg/0/")]
    assert len(jobs) == 2 + 5 * 3 + 3 * 2 + 2 * 3  # owner, colluders; labels, no labels, answers
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == 6 * 2 + 1 + 3 + 3 + 6 + 3 + 15  # heads and rules; then table by table
    assert not any("–" in line for line in rows)
    facts = dict(line.strip("| ").split(" | ") for line in rows[-15:])
    assert facts["opened by the keys of both"] == "0"
    assert facts["level 2 with both keys is its file"] == "1 of 1"


@pytest.mark.torch
def test_beginnings_of_an_order_have_each_class_equally_often(script: Module) -> None:
    pytest.importorskip("torch")
    labels = np.repeat([0, 1, 2], [50, 20, 5])
    order = script("arena").balanced(labels, 0)
    assert sorted(order) == list(range(75))
    assert np.bincount(labels[order[:15]]).tolist() == [5, 5, 5]
    assert np.bincount(labels[order[:45]]).tolist() == [20, 20, 5]
    assert (order != script("arena").balanced(labels, 1)).any()


@pytest.mark.torch
def test_zeros_are_drawn_anew_and_the_rest_stays(script: Module) -> None:
    torch = pytest.importorskip("torch")
    prepared = script("labelled").prepared
    start = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    fresh = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    with torch.no_grad():
        start[0].weight[1] = 0
        start[1].weight.fill_(0.5)
    made = prepared(start, "zeros anew", fresh)
    assert torch.equal(made[0].weight[0], start[0].weight[0])
    assert torch.equal(made[0].weight[1], fresh[0].weight[1])
    assert made[1].weight.tolist() == [0.5, 0.5]
    assert prepared(start, "zeros and norms anew", fresh)[1].weight.tolist() == [1, 1]
    assert torch.equal(prepared(start, "as it is", fresh)[0].weight, start[0].weight)


@pytest.mark.torch
def test_guesses_are_made_of_what_is_known(script: Module) -> None:
    pytest.importorskip("torch")
    values = np.add.outer([1.0, 2.0, 4.0], [10.0, 20.0, 30.0, 40.0])
    lacking = values.copy()
    lacking[1] = 0
    found = script("colluders")._guess(lacking)
    assert np.allclose(found[1] - found[1].mean(), values[1] - values[1].mean())


def test_no_keys_together_open_more_than_the_better_one_does() -> None:
    for task in RESULTS.values():
        for entry in task["colluders"]:
            assert entry["opened by the keys of both"] == 0 < entry["messages of higher parts"]
            assert entry["keys of both are those of level 2"]
            assert entry["level 2 with both keys is its file"]
            lacking = entry["words of level 1 that level 2 lacks"]
            assert entry["of these in a lower file"] < 1e-3 * lacking
