"""Retrieval by what learned: codes of parts, and kinds of changes that were left out."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from scripts_of import scripts_of

from assay.zoo import Architecture, architectures
from assay.zoo.changes import CHANGES

FOLDER = Path(__file__).parents[1] / "benchmarks" / "retrieval"


def some(step: int) -> tuple[Architecture, ...]:
    return architectures()[::step]


def test_a_kind_of_change_is_left_out_of_what_is_learned(tmp_path: Path) -> None:
    models = tuple(each for each in some(60) if len(each.graph.layers) < 120)
    options = {"views": 40, "functions": 1}
    with scripts_of(FOLDER) as module:
        asking, views = module("unseen_changes"), import_module("assay.trainers._views")
        name, *_ = CHANGES
        change = CHANGES[name][0]
        with asking.without(name):
            assert change not in [row[0] for row in views.CHANGES]
            assert len(views.CHANGES) == len(CHANGES) - 1
        assert change in [row[0] for row in views.CHANGES]
        jobs = asking.jobs("", small=True)
        found = [asking.measured(job, models, options, tmp_path) for job in jobs]
    assert [entry["left_out"] for entry in found] == ["", name]
    assert set(found[1]["map"]) == {name} < set(found[0]["map"])
    assert name in asking.tables(found)["unseen changes"]


def test_pieces_are_the_graph_and_its_parts() -> None:
    with scripts_of(FOLDER) as module:
        pieces = module("rankers").pieces
        (graph,) = [each.graph for each in architectures() if each.name == "resnet18"]
        whole, *rest = pieces(graph)
        assert whole == graph
        assert rest
        assert all(10 <= len(part.layers) < len(graph.layers) for part in rest)
