"""Ingrained marks measured: the small run, and results that are whole."""

import json
from pathlib import Path

import pytest
from scripts_of import run_small

FOLDER = Path(__file__).parents[1] / "papers" / "ingrain"
RESULTS = json.loads((FOLDER / "results.json").read_text())
WANTED = json.loads((FOLDER / "expected.json").read_text())["wanted"]


@pytest.mark.torch
def test_a_small_run_measures_each_kind(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    printed = run_small(FOLDER, "--folder", str(tmp_path))
    assert len(printed) == len((tmp_path / "ledger.jsonl").read_text().splitlines())
    found = json.loads((tmp_path / "results.json").read_text())
    assert set(found) >= {"marked", "student", "wrong keys", "baseline", "attack"}
    (marked,) = found["marked"]
    assert marked["scores"]["null"] == "exact"
    assert marked["scores"]["log10"] < -2
    assert {e["detail"][0] for e in found["baseline"]} == {"uchida", "adi"}


def test_students_carry_the_mark_in_the_runs_that_are_finished() -> None:
    students = RESULTS.get("student", [])
    for kind in {tuple(entry["detail"]) for entry in students}:
        tails = [e["scores"]["log10"] for e in students if tuple(e["detail"]) == kind]
        missed = sum(tail > WANTED["log10_false_alarm"] for tail in tails)
        assert missed <= WANTED["of_runs"] - WANTED["runs_carried"], kind


def test_little_accuracy_is_lost_and_no_payload_misread() -> None:
    lost = [entry["lost"] for entry in RESULTS.get("marked", [])]
    assert sum(lost) <= WANTED["lost_points"] * len(lost)
    for kind in ("marked", "student", "attack"):
        for entry in RESULTS.get(kind, []):
            assert not entry["scores"]["misread"]
            assert not entry["labels"]["misread"]


def test_wrong_keys_and_clean_models_are_found_as_often_as_is_stated() -> None:
    found = [a for entry in RESULTS.get("wrong keys", []) for a in entry["suspects"].values()]
    found += RESULTS.get("clean models", [])
    for alarms in found:
        for level in WANTED["levels"]:
            expected = 10**level * alarms["keys"]
            assert alarms[f"1e{level}"] <= expected + 3 * expected**0.5 + 2
