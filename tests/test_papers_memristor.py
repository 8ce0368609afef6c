"""The memristor framework's paper: figures of power and area, and the small run end to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripts_of import scripts_of

from assay.durable import read_ledger
from assay.zoo.experiments import finished

ROOT = Path(__file__).parents[1]
PAPER = ROOT / "papers" / "memristor"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}


@pytest.fixture(scope="module")
def hardware() -> Iterator[Any]:
    """What ``reductions`` finds, with NumPy alone."""
    with scripts_of(PAPER) as module:
        yield module("reductions").hardware()


def test_layer_tables_have_the_weights_that_are_known(hardware: Any) -> None:
    weights = {name: found["weights"] for name, found in hardware["networks"].items()}
    assert weights == {
        "VGG-16": 14_710_464,
        "ResNet-18": 10_987_200,
        "ConvNet": 89_440,
        "LeNet-5": 430_500,
    }
    removed = weights["ResNet-18"] * (1 - 1 / 20.88)
    assert round(removed / 1e6, 2) == 10.46  # as the paper says


def test_the_area_of_crossbars_alone_is_the_papers(hardware: Any) -> None:
    found = {name: each["crossbar_area_alone"] for name, each in hardware["networks"].items()}
    assert found["VGG-16"] == 96.65
    assert round(found["ResNet-18"], 1) == 95.2
    assert found["LeNet-5"] > 94


@pytest.mark.parametrize("name", ["VGG-16", "ResNet-18"])
def test_power_and_area_are_within_a_point_of_the_papers(hardware: Any, name: str) -> None:
    found = hardware["networks"][name]["dense"]
    assert abs(found["power_off"]) < 1
    assert abs(found["area_off"]) < 1
    assert found["power"] != found["area"]
    for row in hardware["sensitivity"]:  # and whatever value is halved or doubled
        power, area = row[name]["dense"]
        printed = hardware["networks"][name]["printed"]
        assert abs(power - printed["power"]) < 1
        assert abs(area - printed["area"]) < 1


def test_rounding_to_arrays_explains_what_the_identity_misses(hardware: Any) -> None:
    convnet, lenet = (hardware["networks"][name] for name in ("ConvNet", "LeNet-5"))
    assert convnet["identity"] - 89.74 > 1.7
    assert abs(convnet["tiled, columns"]["area_off"]) < 0.3
    assert lenet["identity"] - 93.97 > 3.1
    assert 1 < lenet["tiled, columns"]["area_off"] < 2  # the rest is not explained


def test_the_results_are_those_of_the_code(hardware: Any) -> None:
    results = json.loads((PAPER / "results.json").read_text())
    assert results["networks"] == json.loads(json.dumps(hardware["networks"]))
    assert results["sensitivity"] == json.loads(json.dumps(hardware["sensitivity"]))
    runs = {run["key"]: run for run in results["runs"]}
    assert runs.items() <= read_ledger(PAPER / "ledger.jsonl").items()
    with scripts_of(PAPER) as module:
        plan = module("plan")
        for scope in (plan.DIGITS, plan.FASHION):
            assert finished(plan.jobs(scope), PAPER / "ledger.jsonl").keys() <= runs.keys()
    for run in runs.values():
        if run["ratio"] > 1:
            assert run["reduction"] >= run["ratio"]
            assert sum(run["left"].values()) * run["reduction"] == pytest.approx(430_500, rel=1e-3)


@pytest.mark.torch
def test_the_small_run_ends_and_a_run_that_lost_a_line_and_a_network_ends_with_the_same(
    tmp_path: Path,
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    small(tmp_path)
    lines = ledger.read_text().splitlines()
    first = json.loads((tmp_path / "results.json").read_text())
    dense, pruned, mapped = (json.loads(line) for line in lines)
    assert dense["accuracy"] > 80
    assert pruned["reduction"] > 5
    assert mapped["left"] == pruned["left"]
    assert mapped["accuracy"] == pytest.approx(mapped["crossbars"], abs=0.3)
    ledger.write_text("\n".join(lines[:2]) + '\n{"key": "cut sh')
    (tmp_path / "work" / "digits-17.69-column-pruned-seed-0.safetensors").unlink()
    small(tmp_path)
    again = json.loads((tmp_path / "results.json").read_text())
    assert untimed(again["runs"]) == untimed(first["runs"])


def untimed(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in run.items() if not k.startswith("seconds")} for run in runs]


def small(folder: Path) -> None:
    command = [sys.executable, PAPER / "run.py", "--small", "--folder", folder]
    subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True)


def test_what_is_pruned_further_is_made_from_what_was_pruned_less() -> None:
    """And says so in what its lines of the ledger are known by."""
    with scripts_of(PAPER) as module:
        plan = module("plan")
        way, job = [], plan.Job(plan.DIGITS, 0, 105.52, "block", 5)
        behavior = job.behavior
        while job.ratio != 1:
            job = job.parent
            way.append(job.ratio)
        order = [(each.ratio, each.seed) for each in plan.jobs(plan.DIGITS) if not each.bits]
    assert way == [105.52, 65, 37.06, 1]
    assert behavior.count(" after ") == 2
    assert order.index((37.06, 2)) < order.index((65.0, 2)) < order.index((105.52, 2))
