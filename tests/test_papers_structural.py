"""Structural marks measured: the small run, and results that are whole."""

import json
from math import floor, log2
from pathlib import Path

import pytest
from scripts_of import run_small

FOLDER = Path(__file__).parents[1] / "papers" / "structural"
RESULTS = json.loads((FOLDER / "results.json").read_text())
WANTED = json.loads((FOLDER / "expected.json").read_text())["wanted"]
KINDS = {
    "capacity", "dense", "accuracy", "derivations", "tolerance", "wrong keys", "forged templates",
    "removal",
}  # fmt: skip


@pytest.mark.torch
def test_a_small_run_measures_each_kind(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    printed = run_small(FOLDER, "--folder", str(tmp_path))
    assert len(printed) == len((tmp_path / "ledger.jsonl").read_text().splitlines())
    found = json.loads((tmp_path / "results.json").read_text())
    assert set(found) >= KINDS
    within, beyond = found["tolerance"][0]["attacks"]
    assert (within["recovered"], beyond["lost"]) == (5, 5)
    forged = found["forged templates"][0]
    assert (forged["whole"], forged["naive"]) == (0, forged["tries"])


def test_capacities_are_those_of_the_published_numbers_of_channels() -> None:
    (entry,) = RESULTS["capacity"]
    vgg16 = [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6 + [4096] * 2
    resnet18 = [64] * 2 + [128] * 2 + [256] * 2 + [512] * 2  # between the convolutions of blocks
    resnet50 = [64] + ([64] * 6 + [128] * 8 + [256] * 12 + [512] * 6)  # the stem, and the same
    for name, sizes in (("vgg16", vgg16), ("resnet18", resnet18), ("resnet50", resnet50)):
        (row,) = (
            row
            for row in entry["rows"]
            if row["network"] == name and row["channels"] == "one layer alone gives"
        )
        assert row["layers"] == len(sizes)
        for tolerance, (bits, payload) in row["bits"].items():
            about = sum(log2(0.6 * size / (2 * int(tolerance) + 1)) for size in sizes)
            assert abs(bits - about) < 0.05 * about + 2
            assert payload == floor((bits - 16) / 8) * 8


def test_payloads_are_read_where_the_architecture_is_kept_and_nothing_is_misread() -> None:
    kept = 0
    for entry in RESULTS["derivations"]:
        for attack in entry["attacks"].values():
            kept += attack["group"] == "keeps"
            assert attack["payload"] or attack["group"] != "keeps"
            assert not attack["misread"]
    assert kept >= 16
    for entry in RESULTS["accuracy"]:
        assert (entry["score"], entry["payload"]) == (1.0, True)


def test_what_is_within_tolerance_is_recovered_and_what_is_beyond_is_lost() -> None:
    for entry in RESULTS["tolerance"]:
        for attack in entry["attacks"]:
            tried = attack["recovered"] + attack["lost"] + attack["misread"]
            assert tried >= 100
            assert attack["misread"] == WANTED["misread"]
            wanted = tried if attack["up_to"] <= entry["detail"][0] else 0
            assert attack["recovered"] == wanted


def test_alarms_are_no_more_than_stated() -> None:
    found = [
        *RESULTS["wrong keys"],
        *RESULTS["forged templates"],
        *(each for entry in RESULTS["clean models"] for each in entry["templates"].values()),
    ]
    for each in found:
        for level in (-2, -3):
            expected = each["keys"] * 10**level
            assert each[f"1e{level}"] <= expected + 3 * expected**0.5 + 1
