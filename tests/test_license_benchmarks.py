"""Small runs of benchmarks/licenses: activation, levels, pairs, tracing, copies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scripts_of import scripts_of

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

FOLDER = Path(__file__).parents[1] / "benchmarks" / "licenses"
Small = Callable[[str], list[Any]]


@pytest.fixture
def small(capsys: pytest.CaptureFixture[str]) -> Iterator[Small]:
    """Runs a script with --small: what it prints, read where it is JSON; nothing is written."""
    before = {file: file.read_bytes() for file in FOLDER.glob("*.json")}
    with scripts_of(FOLDER) as script:

        def run(name: str) -> list[Any]:
            script(name).main(["--small"])
            lines = capsys.readouterr().out.splitlines()
            return [json.loads(line) if line.startswith("{") else line for line in lines]

        yield run
    assert {file: file.read_bytes() for file in FOLDER.glob("*.json")} == before


def test_activation_and_levels(small: Small) -> None:
    activation, levels, table = small("run")
    assert activation["identical"]
    assert min(activation["copy"], activation["activate"]) > 0
    for kind in ("anew", "kept"):
        found = levels[f"statistics_{kind}"]
        assert found["levels"][1:4] == pytest.approx([0.92, 0.82, 0.72], abs=0.01)
        assert found["levels"][4] < 0.15
        assert len(found["after_64_inputs"]) == 4
    ((count, tuned),) = levels["tuned"].items()
    cells = [f"{share:.2f}" for share in tuned.values()]
    assert table == f"| {count} | {' | '.join(cells)} |"
    assert tuned["level 3"] > tuned["no key"]


def test_pairs(small: Small) -> None:
    *rows, copies, strangers = small("pairs")
    assert [row["rate"] for row in rows] == [0.35, 0.5]
    for kind, line in (("tuned copies", copies), ("strangers", strangers)):
        agreeing, of = (sum(row[kind][place] for row in rows) for place in (0, 1))
        assert line == f"{kind}: {agreeing} of {of} agree"
        assert of == 4
    assert all(len(row["pruned"]) == len(row["tuned"]) == row["owners"] == 2 for row in rows)


def test_tracing(small: Small) -> None:
    (row,) = small("tracing")
    assert row["places"] == 960
    assert min(row["copies"]) > row["unmarked"] - 0.05
    assert len(row["changed"]) == 5
    assert all(each["named"] == 1 for each in row["changed"])
    assert {each["colluders"] for each in row["collusion"]} == {2, 3}
    for each in row["collusion"]:
        assert each["named"] == [each["colluders"]]
    found = row["changed"] + row["collusion"]
    assert not any(each["innocent_named"] for each in found)


def test_copies(small: Small) -> None:
    (row,) = small("copies")
    whole, level = row["levels"]
    least, mean, most = level["got"]
    assert least <= mean <= most < whole["got"][1]
    assert float(level["accuracy"]) == pytest.approx(row["asked"][0], abs=0.05)
    assert mean == pytest.approx(float(level["accuracy"]), abs=0.05)
    assert float(row["no_key"]) < 0.2
