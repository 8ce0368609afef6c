"""The benchmark of stealing: who learns from what, how rows are counted, what the page shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripts_of import scripts_of

from assay.fingerprints import Calibrated
from assay.zoo.experiments import with_tables

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

FOLDER = Path(__file__).parents[1] / "benchmarks" / "stealing"


@pytest.fixture(scope="module")
def part() -> Iterator[Any]:
    with scripts_of(FOLDER) as module:
        yield module


def told(score: float, *null: float) -> Calibrated:
    among = tuple(map(str, range(len(null))))
    return Calibrated(("X()",), score, None, "", len(null), 1, null, among)


@pytest.mark.parametrize("edition", ["small", "garments", "digits"])
def test_thieves_have_their_own_pictures_and_come_after_their_victims(
    part: Any, edition: str
) -> None:
    members = part("ground").plan(edition).members
    names = [member.name for member in members]
    assert len({*names}) == len(names)
    seeds = [member.seed for member in members]
    assert len({*seeds}) == len(seeds)  # nobody begins with another's weights
    thieves = [member for member in members if member.parents]
    for thief in thieves:
        (victim,) = (each for each in members if each.name == thief.parents[0])
        assert names.index(victim.name) < names.index(thief.name)
        assert victim.task.endswith("/half-a")
        assert thief.queries or thief.task == victim.task.removesuffix("half-a") + "half-b"
        assert (thief.student or victim.network) == thief.network
    victims = {member.parents[0] for member in thieves}
    assert len(thieves) == 8 * len(victims)


def test_rows_count_who_is_nearer_than_all_others(part: Any) -> None:
    run = part("run")
    null = tuple(map(float, range(19)))
    assert run.is_found(told(18.5, *null))
    assert not run.is_found(told(18.0, *null))
    assert not run.is_found(told(17.5, *null))
    assert run.is_found(told(39.5, *map(float, range(40))))  # 1 of 41
    assert run.is_found(told(38.5, *map(float, range(40))))  # 2 of 41
    found = {
        "a": {"a.soft-same": told(20, *null), "a.hard-other": told(9.5, *null)},
        "b": {"b.soft-same": told(20, *null), "stranger": told(30, *null)},
    }
    row = run.summary(found, 0)
    assert row["kinds"] == {"soft-same": [2, 2, 1.0], "hard-other": [0, 1, round(10 / 19, 3)]}
    assert (row["found"], row["thieves"]) == (0.667, 3)
    assert row["interval"] == [0.5, 1.0]


def test_what_is_beside_the_label_is_pushed_away() -> None:
    from assay.zoo.disguises import Away

    given = torch.tensor([[3.0, 1.0, 0.0, 2.0]])

    class Fixed(torch.nn.Module):  # type: ignore[misc]
        def forward(self, inputs: Any) -> Any:
            return given

    from assay.training import Batch

    batch = Batch(torch.zeros(1, 1), torch.tensor([0]), torch.tensor([0]))
    plain, *pushed = (
        float(Away(stolen.numpy(), weight).loss(Fixed(), batch))
        for stolen, weight in ((given, 0.0), (given, 1.0), (-given, 1.0))
    )
    assert plain == pytest.approx(float(torch.nn.functional.cross_entropy(given, batch.labels)))
    assert pushed == pytest.approx([plain + 1, plain - 1])


def test_the_page_shows_what_was_measured(part: Any) -> None:
    page = (FOLDER / "README.md").read_text()
    results = json.loads((FOLDER / "results.json").read_text())
    tables = part("run").tables(results)
    assert with_tables(page, tables) == page
    assert tables["twins"].count("| partial-correlation") == 2
    assert tables["twins-digits"].count("| partial-correlation") == 2
    without = part("run").tables({"garments": results["garments"]})
    assert {text for name, text in without.items() if "digits" in name} == {"Not run yet.\n"}


def test_the_tables_of_an_edition_are_beside_those_of_the_other(part: Any) -> None:
    known = json.loads((FOLDER / "results.json").read_text())
    both = {**known, "digits": known["garments"]}
    tables = part("run").tables(both)
    parts = part("stealing_tables").PARTS
    assert [tables[f"{name}-digits"] for name in parts] == [tables[name] for name in parts]


def test_the_whole_has_the_slow_methods_too(part: Any) -> None:
    rivals = part("asked").rivals
    slow = {*rivals(True)} - {*rivals(False)}
    assert slow == {"ipguard", "teacher-fingerprint", "zest", "dataset-inference"}
