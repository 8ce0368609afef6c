"""benchmarks/hash_distances and hash_stability: they run; what they count is what a loop counts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scripts_of import run_small, scripts_of

from assay.graphs.neighborhoods import fingerprint
from assay.hashers.boosted_minhash import BoostedMinhash
from assay.zoo import architectures

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def distances() -> Iterator[Any]:
    with scripts_of(BENCHMARKS / "hash_distances") as module:
        yield module


@pytest.fixture
def stability() -> Iterator[Any]:
    with scripts_of(BENCHMARKS / "hash_stability") as module:
        yield module("run")


@pytest.mark.parametrize("name", ["hash_distances", "hash_stability"])
def test_a_small_run_writes_nothing(name: str) -> None:
    folder = BENCHMARKS / name
    before = {file: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    assert run_small(folder)
    assert {file: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before


def test_strangers_are_counted_by_radius(distances: Any) -> None:
    models, hasher = architectures()[::150], BoostedMinhash()
    found = distances("counting").strangers(models, [hasher])
    counts = [0] * 65
    for (family, a), (other, b) in combinations([(m.family, hasher(m.graph)) for m in models], 2):
        if family != other:
            counts[a - b] += 1
    assert found["64"]["strangers"] == counts
    assert found["pairs"] == sum(counts)
    assert found["nearest"][0][2] == next(i for i, count in enumerate(counts) if count)


def test_where_there_is_none_the_rule_of_three_says_how_many_there_may_be(distances: Any) -> None:
    within = distances("page").within
    counted = {"pairs": 3000, "64": {"strangers": [0, 0, 3, *[0] * 62]}}
    assert within([counted], 64, 1) == "0 (< 1000)"
    assert within([counted, counted], 64, 2) == "1,000"


def test_a_graph_that_is_listed_otherwise_is_the_same(stability: Any) -> None:
    graph = next(a.graph for a in architectures() if a.name == "googlenet")
    other = stability.shuffled(graph, np.random.default_rng(0))
    assert other.layers != graph.layers
    assert fingerprint(other) == fingerprint(graph)


def test_the_reason_names_what_another_input_changes(stability: Any) -> None:
    known = {a.name: a.graph for a in architectures()}
    assert stability.reason(known["vgg11"], known["vgg13"]).startswith("+2 Conv")
    assert stability.reason(known["vgg11"], known["vgg11"]) == "edges alone"


def test_a_lengthened_graph_has_so_many_layers_and_hangs_together() -> None:
    graph = next(a.graph for a in architectures() if a.name == "alexnet")
    with scripts_of(BENCHMARKS / "hash") as module:
        made = module("scaling").lengthened(graph, 200)
    assert len(made.layers) == 200
    assert all(a < b for a, b in made.edges)
    assert {b for _, b in made.edges} == {*range(1, 200)}
