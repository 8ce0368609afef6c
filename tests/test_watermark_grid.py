"""The grid of watermarks and attacks: the small run, and results that are whole."""

import json
from pathlib import Path

import pytest
from scripts_of import run_small

from assay.watermarks import WATERMARKS

FOLDER = Path(__file__).parents[1] / "benchmarks" / "watermarks"
RESULTS = json.loads((FOLDER / "results.json").read_text())


@pytest.mark.torch
def test_a_small_run_fills_each_table() -> None:
    pytest.importorskip("torch")
    lines = run_small(FOLDER)
    assert sum(line.startswith("digits/attack/") for line in lines) == 16
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == 4 * 2 + 2 + 8 + 2 + 2  # heads, marks, attacks, wrong keys, grinding
    assert all(line.count("|") > 3 for line in rows)


def test_no_mark_is_misread_and_no_key_is_found_too_often() -> None:
    for entry in RESULTS.get("attack", []) + RESULTS.get("mark", []):
        assert entry["scheme"] in WATERMARKS
        assert "unfit" in entry or not entry["misread"]
    for entry in RESULTS.get("wrong keys", []) + RESULTS.get("clean models", []):
        for level, share in (("1e-2", 0.01), ("1e-3", 0.001)):  # four deviations above
            often = share * entry["keys"]
            assert entry[level] <= often + 4 * often**0.5 + 1
