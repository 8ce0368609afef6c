"""The benchmark of false accusations: a small run accuses nobody, and it would say so if it did."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from math import comb
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks" / "independence"


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


def test_nobody_is_accused_in_a_small_run() -> None:
    command = [sys.executable, FOLDER / "run.py", "--small"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    child = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout.splitlines()[-1])
    for pairs in found["strangers"]["by_key"]:
        assert pairs["all_pairs"]["said"] == {"unrelated": pairs["all_pairs"]["pairs"]}
    assert {row["said"] for row in found["single_layers"].values()} == {"unrelated"}
    rows = found["twins"]["rows"]
    untouched = [row for row in rows if row["step"] == 0 and row["common"] != "trained further"]
    assert len(untouched) >= 4
    assert {(row["said"], row["mean_bits"]) for row in untouched} == {("common-ancestor", 0.0)}
    trained = [row["mean_bits"] for row in rows if row["common"] == "0 % common"]
    assert trained == sorted(trained[:3]) + sorted(trained[3:])  # ever further apart


@pytest.mark.parametrize(("hits", "count"), [(0, 1), (0, 160), (3, 50), (20, 100), (7, 7)])
def test_a_bound_leaves_so_few_hits_a_chance_of_five_percent_at_most(
    part: Any, hits: int, count: int
) -> None:
    rate = part("strangers").upper(hits / count, count)
    chance = sum(comb(count, k) * rate**k * (1 - rate) ** (count - k) for k in range(hits + 1))
    assert rate >= hits / count
    assert chance <= 0.05 + 1e-9 or rate == pytest.approx(1.0)
    if not hits:
        assert chance == pytest.approx(0.05)  # Chernoff's bound is exact there


def test_more_than_stated_is_told(part: Any) -> None:
    calibrated = part("calibrated")
    row = {"shares": [0.09, 0.009, *[0.0] * 6], "comparisons": 1000}
    assert calibrated.too_often({"models": row}) == []
    row["shares"][1] = 0.011
    assert calibrated.too_often({"models": row}) == ["models at 1e-2: 0.011"]


def test_a_twin_that_is_called_derived_is_told(part: Any) -> None:
    twins = part("twins")
    rows = [{"common": "0 % common", "said": "common-ancestor"}]
    assert twins.accused(rows) == []
    rows.append({"common": "another data set", "said": "same-model"})
    assert twins.accused(rows) == rows[1:]
    by_tasks = {"fashion-mnist / fashion-mnist-half-a": {"derived": 1}}
    assert twins.accused_of_families(by_tasks) == []
    by_tasks["fashion-mnist-half-a / fashion-mnist-half-b"] = {"derived": 2, "unrelated": 1}
    told = twins.accused_of_families(by_tasks)
    assert told == ["fashion-mnist-half-a / fashion-mnist-half-b: derived 2"]
