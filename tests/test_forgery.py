"""A forger who has the public key reaches a victim's code, but not one of a secret key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.sketches.keys import PUBLIC
from assay.sketches.projections import distance, projected

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("scipy")

ROOT = Path(__file__).parents[1]
BENCHMARK = ROOT / "benchmarks" / "forgery"
SECRET = bytes(range(32))

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def rows() -> dict[str, Any]:
    command = [
        sys.executable,
        str(BENCHMARK / "run.py"),
        "--small",
        "--only",
        "framing",
        "evasion",
        "queries",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    child = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    return {row["name"]: row for row in map(json.loads, child.stdout.splitlines())}


def test_a_stranger_is_framed_with_the_public_key_and_not_with_a_secret_one(
    rows: dict[str, Any],
) -> None:
    framed = rows["framing | cnn | codes, public key | 0.3"]
    assert framed["change"] <= 0.3
    assert framed["public"]["relation"] != "unrelated"
    assert framed["public"]["log10_false_alarm"] < -20
    assert framed["secret"]["relation"] == "unrelated"  # of all keys, the nearest
    assert min(framed["secret_alarms"]) > -6


def test_a_copy_hides_from_the_public_key_and_not_from_a_secret_one(rows: dict[str, Any]) -> None:
    evaded = rows["evasion | cnn | codes, public key | 0.3"]
    assert evaded["public"]["log10_false_alarm"] > evaded["secret"]["log10_false_alarm"] + 20
    assert evaded["secret"]["relation"] == "common-ancestor"
    assert evaded["after"] < evaded["before"]


def test_who_sees_distances_learns_the_signs_of_a_secret_key(rows: dict[str, Any]) -> None:
    learned = rows["queries | - | distances | 0"]
    assert learned["right"] == learned["signs"] == 320
    assert learned["questions"] < learned["signs"]


@pytest.fixture
def directions(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARK)
    import directions

    return directions


@pytest.mark.parametrize("shape", [(16, 70), (33, 63), (65, 577), (288, 28)])
def test_gradients_give_the_bits_of_a_code(directions: Any, shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    products = directions.of_code(matrix.astype(np.float64), PUBLIC) @ matrix.reshape(-1)
    assert np.packbits(products > 0).tobytes() == projected(matrix, PUBLIC)


def test_a_change_of_a_tenth_reaches_the_code_of_one_key_and_not_of_another(
    directions: Any,
) -> None:
    random = np.random.default_rng(0)
    stranger, victim = (random.normal(size=(64, 288)) for _ in range(2))
    wanted = np.sign(directions.of_code(victim, PUBLIC) @ victim.reshape(-1))
    forged = stranger
    for _ in range(6):
        gradients = directions.of_code(forged, PUBLIC)
        forged = directions.moved(stranger, [gradients], wanted, 0.1)
    assert np.linalg.norm(forged - stranger) < 0.1 * np.linalg.norm(stranger)
    found, aim = forged.astype(np.float32), victim.astype(np.float32)
    assert distance(projected(found, PUBLIC), projected(aim, PUBLIC)) <= 8
    assert 90 < distance(projected(found, SECRET), projected(aim, SECRET)) < 166
