"""Constant-weight marks measured: the small run, and results that are whole."""

import json
from pathlib import Path

import pytest
from scripts_of import run_small

FOLDER = Path(__file__).parents[1] / "papers" / "constant_weight"
RESULTS = json.loads((FOLDER / "results.json").read_text())
WANTED = json.loads((FOLDER / "expected.json").read_text())["wanted"]
KINDS = {
    "dense",
    "pruning",
    "law",
    "tuning",
    "marked in tuning",
    "disguises",
    "wrong keys",
    "codes",
}


@pytest.mark.torch
def test_a_small_run_measures_each_kind(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    printed = run_small(FOLDER, "--folder", str(tmp_path))
    assert len(printed) == len((tmp_path / "ledger.jsonl").read_text().splitlines())
    found = json.loads((tmp_path / "results.json").read_text())
    assert set(found) >= KINDS
    (law,) = found["law"]
    assert all(abs(point["measured"] - point["predicted"]) < 0.003 for point in law["points"])
    assert "<circle" in (tmp_path / "law.svg").read_text()


def test_no_bit_is_wrong_below_the_rate_that_a_mark_was_planned_for() -> None:
    for entry in RESULTS.get("pruning", []) + RESULTS.get("marked in tuning", []):
        for cell in entry["cells"]:
            for attack in cell["attacks"]:
                name = {"layer": "layer", "global": "model"}[attack["scope"]]
                if attack["rate"] <= cell["outlives"][name]:
                    assert (attack["score"], attack["payload"]) == (1.0, True)


def test_the_law_holds_and_nothing_is_misread() -> None:
    for entry in RESULTS.get("law", []):
        for point in entry["points"]:
            assert abs(point["measured"] - point["predicted"]) < 0.005
    for entry in RESULTS.get("tuning", []):
        assert not entry.get("misread", False)
    for entry in RESULTS.get("disguises", []):
        assert not any(
            a[way]["misread"]
            for a in entry["attacks"].values()
            for way in ("plain", "with original")
        )


def test_what_was_wanted_after_tuning_is_there() -> None:
    for entry in RESULTS.get("tuning", []):
        scheme, rate = entry["detail"]
        if scheme == "margin 2" and rate <= WANTED["payload_after_tuning_at"]:
            assert entry["payload"]
        if scheme == "margin 2" and rate <= WANTED["detected_after_tuning_at"]:
            assert entry["log10"] <= WANTED["log10_false_alarm"]
