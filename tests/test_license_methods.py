"""What benchmarks/licenses/methods.py measures, on one network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripts_of import scripts_of

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

FOLDER = Path(__file__).parents[1] / "benchmarks" / "licenses"


def test_the_methods_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    written = FOLDER / "methods.json"
    before = written.read_bytes()
    with scripts_of(FOLDER) as module:
        module("methods").main(["--small"])
    assert written.read_bytes() == before
    slices, answers = map(json.loads, capsys.readouterr().out.splitlines())
    kept, anew = slices["magnitude"]["as they were"], slices["magnitude"]["anew"]
    assert kept[2] < anew[2] - 0.2  # statistics that are taken anew bring much of it back
    row = answers["output, rounded to 0.00390625"]
    assert row["levels"][1:4] == pytest.approx([0.92, 0.82, 0.72], abs=0.01)
    assert len({*row["same input"]}) == 1  # asking again gives nothing
    assert row["near inputs"][-1] > row["same input"][0] + 0.1  # asking beside does
    assert row["users"][-1] > row["same input"][0] + 0.1
