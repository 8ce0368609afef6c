"""A forger who has the public key reaches a victim's sums, but not those of a secret key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.sketches.keys import PUBLIC
from assay.sketches.projections import projected, projected_finely

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
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Modules of the benchmark, by name."""
    monkeypatch.syspath_prepend(BENCHMARK)
    return import_module


def normal(shape: tuple[int, int], seed: int) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def cells(matrix: Any, key: bytes) -> Any:
    found = projected_finely(matrix.astype(np.float32), key)
    assert found is not None
    return np.frombuffer(found.cells, np.int8).astype(float)


def cosine(one: Any, other: Any) -> float:
    return float(np.vdot(one, other) / np.linalg.norm(one) / np.linalg.norm(other))


SHAPES = [(16, 70), (33, 63), (65, 577), (288, 28)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_forger_adds_up_what_the_sketch_does(benchmark: Any, shape: tuple[int, int]) -> None:
    matrix = normal(shape, 0)
    sums = benchmark("directions").sums_of(shape, PUBLIC).of(matrix.astype(float))
    assert np.packbits(sums > 0).tobytes() == projected(matrix, PUBLIC)
    assert cosine(sums, cells(matrix, PUBLIC)) > 0.9999


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_those_of_the_sums(benchmark: Any, shape: tuple[int, int]) -> None:
    sums = benchmark("directions").sums_of(shape, PUBLIC)
    matrix, step = normal(shape, 0).astype(float), 1e-6 * normal(shape, 1)
    weights = np.random.default_rng(2).normal(size=256)
    apart = (sums.of(matrix + step) - sums.of(matrix - step)) @ weights / 2
    assert np.vdot(sums.gradient(matrix, weights), step) == pytest.approx(apart, rel=1e-4)


def test_a_change_of_a_tenth_reaches_the_sums_of_one_key_and_not_of_another(
    benchmark: Any,
) -> None:
    directions = benchmark("directions")
    stranger, victim = (normal((64, 576), seed).astype(float) for seed in range(2))
    sums = directions.sums_of(stranger.shape, PUBLIC)
    forged = directions.steered(stranger, [sums], [sums.of(victim)], 0.1)
    evaded = directions.steered(stranger, [sums], [-sums.of(stranger)], 0.1)
    for changed in (forged, evaded):
        assert np.linalg.norm(changed - stranger) <= 0.1001 * np.linalg.norm(stranger)
    assert cosine(cells(forged, PUBLIC), cells(victim, PUBLIC)) > 0.99
    assert cosine(cells(evaded, PUBLIC), cells(stranger, PUBLIC)) < -0.9
    assert abs(cosine(cells(forged, SECRET), cells(victim, SECRET))) < 0.25
    assert cosine(cells(evaded, SECRET), cells(stranger, SECRET)) > 0.9


def test_small_rows_are_cheap_to_replace(benchmark: Any) -> None:
    attacks = benchmark("attacks")
    stranger, victim = ({"w": normal((64, 288), seed)} for seed in range(2))
    stranger["w"][::2] *= 0.01
    evenly, by_rows = (mix(stranger, victim, 0.1) for mix in (attacks.mixed, attacks.mixed_by_rows))
    for mixture in (evenly, by_rows):
        assert attacks.change(stranger, mixture) == pytest.approx(0.1, rel=0.01)
    assert attacks.gained(stranger, evenly, victim)["w"] < 0.15
    gained = attacks.gained(stranger, by_rows, victim)["w"]
    assert attacks.cheap(by_rows, 0.1)["w"] == pytest.approx(gained, rel=0.05)
    assert gained > 0.5
    assert attacks.cheap(victim, 0.1)["w"] == pytest.approx(0.1, rel=0.05)


def test_drawn_false_alarms_are_not_above_the_stated_ones_up_to_what_a_tenth_gives(
    benchmark: Any,
) -> None:
    attacks, tails = benchmark("attacks"), benchmark("tails")
    model = {name: normal((48, 96), seed) for seed, name in enumerate("abc")}
    source = attacks.sketched(model, PUBLIC)
    shares = tails.reached(source, 0.1, 100_000)["shares"]
    assert shares[-2] <= 1e-2
    assert shares[-4] <= 2e-4
    assert tails.reached(source, 0.3, 10_000)["near"] > 0.01
