"""ADMM pruning reproduced: the small run, also when killed, and results that are whole."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from scripts_of import scripts_of

from assay.zoo.experiments import with_tables

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "papers" / "admm_pruning"
RESULTS = json.loads((FOLDER / "results.json").read_text())
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
PUBLISHED = [*EXPECTED["lenet_5"]["left"].values()]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src")}


@pytest.fixture
def page() -> Iterator[ModuleType]:
    with scripts_of(FOLDER) as module:
        yield module("page")


def start(work: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(FOLDER / "run.py"), "--small", "--folder", str(work)]
    return subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def timeless(found: Any) -> Any:
    """Without what a clock measured."""
    if isinstance(found, list):
        return [timeless(each) for each in found]
    if isinstance(found, dict):
        clocks = ("seconds", "cpu_seconds")
        return {key: timeless(each) for key, each in found.items() if key not in clocks}
    return found


@pytest.mark.torch
def test_a_killed_run_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    halted = start(tmp_path / "halted")
    assert halted.stdout is not None
    for _ in range(3):
        halted.stdout.readline()
    os.kill(halted.pid, signal.SIGKILL)
    halted.communicate()
    found = []
    for work in (tmp_path / "halted", tmp_path / "whole"):
        run = start(work)
        _, errors = run.communicate()
        assert run.returncode == 0, errors
        found.append(timeless(json.loads((work / "results.json").read_text())))
        lines = (work / "ledger.jsonl").read_text().splitlines()
        keys = [json.loads(line)["key"] for line in lines]
        assert len(keys) == len({*keys}) == 14
    assert found[0] == found[1]
    cells = {cell["row"]: cell for cell in found[0]["cells"]}
    assert sum(cells["admm-prune"]["left"].values()) == 100 + 2_000 + 900 + 350
    assert cells["admm-prune"]["lost"]["pairs"] == 2


@pytest.mark.torch
def test_the_page_has_the_tables_of_the_results(page: ModuleType) -> None:
    text = (FOLDER / "README.md").read_text()
    assert with_tables(text, page.tables(RESULTS)) == text


def test_as_many_weights_are_left_as_in_the_paper() -> None:
    rows = (
        "admm-prune",
        "admm-prune, weights read and soft answers",
        "admm-prune, published schedule",
    )
    cells = [cell for cell in RESULTS["cells"] if cell["row"] in rows]
    assert "mnist" in {cell["data"] for cell in cells}
    for cell in cells:
        assert [*cell["left"].values()] == PUBLISHED
        assert sum(PUBLISHED) == 6_050
        assert round(cell["of"] / 6_050, 1) == EXPECTED["lenet_5"]["reduction"]
        after = [seed["after"] for seed in cell["multiply_adds"]]
        assert {tuple(layers[name]["nonzero"] for name in layers) for layers in after} == {
            (100 * 576, 2_000 * 64, 3_600, 350)
        }


def test_losses_are_those_of_the_runs() -> None:
    cells = {(cell["data"], cell["row"]): cell for cell in RESULTS["cells"]}
    derived = {place: cell for place, cell in cells.items() if "lost" in cell}
    assert derived
    for (data, row), cell in derived.items():
        twin = "dense, published schedule" if row.endswith("published schedule") else "dense"
        dense = {run["seed"]: run["accuracy"] for run in cells[data, twin]["runs"]}
        lost = [100 * (dense[run["seed"]] - run["accuracy"]) for run in cell["runs"]]
        assert cell["lost"]["mean"] == pytest.approx(sum(lost) / len(lost), abs=1e-3)
        assert cell["lost"]["pairs"] == len(cell["seeds"])
