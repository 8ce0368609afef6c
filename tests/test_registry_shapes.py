"""Files without a graph are found by their tensors' shapes, and find others by them."""

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from small_records import record

from assay.comparisons.tensor_shapes import TensorShapes, overlap
from assay.registry import Registry, Where
from assay.registry._shapes import nearest
from assay.values import Record, Relation, Shapes
from assay.weights import Weight
from assay.weights.signature import signature


def shapes(number: int, count: int = 12) -> Shapes:
    """Made up; number i is always the same."""
    draw = random.Random(number)
    found = {tuple(sorted(draw.choices(range(8, 4096, 8), k=2))): draw.randint(1, 9)
             for _ in range(count)}  # fmt: skip
    return tuple(sorted(found.items()))


def graphless(number: int) -> Record:
    """As of a file of weights alone."""
    known = record(number)
    return replace(known, code=None, graph=None, quality=0.0, shapes=shapes(number))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(tmp_path / "registry") as registry:
        yield registry


def found(registry: Registry, suspect: Record, where: Where | None = None) -> list[tuple[str, str]]:
    return [(k.record.name, str(k.relation)) for k in registry.kin(suspect, where=where)]


def weight(*shape: int, dtype: str = "float32") -> Weight:
    return Weight("w", shape, dtype, lambda: pytest.fail("a signature reads no values"))


def test_layouts_and_axes_of_size_1_play_no_part_in_a_signature() -> None:
    channels_last = signature([weight(3, 3, 16, 32), weight(1, 1, 32, 64)])
    assert channels_last == signature([weight(32, 16, 3, 3), weight(64, 32)])
    assert channels_last == (((3, 3, 16, 32), 1), ((32, 64), 1))


def test_biases_small_tensors_and_positions_are_not_in_a_signature() -> None:
    weights = [weight(512), weight(1, 512, 1), weight(7, 9), weight(64, 64, dtype="int64")]
    assert signature([*weights, weight(), weight(0, 4)]) == ()


def test_a_file_without_a_graph_finds_those_of_its_shapes(registry: Registry) -> None:
    for number in range(40):
        registry.put(graphless(number))
    renamed = replace(graphless(7), sha256="7" * 64)
    assert found(registry, renamed) == [("m7", "same-architecture")]
    assert found(registry, replace(graphless(99), sha256="9" * 64)) == []


def test_a_graph_and_a_file_of_weights_find_each_other(registry: Registry, tmp_path: Path) -> None:
    whole = replace(record(3), shapes=shapes(3), sha256="a" * 64, name="whole")
    registry.put(graphless(3))
    assert found(registry, whole) == [("m3", "same-architecture")]
    with Registry.open(tmp_path / "other") as other:
        other.put(whole)
        assert found(other, graphless(3)) == [("whole", "same-architecture")]


def test_two_graphs_are_not_compared_by_shapes() -> None:
    whole = replace(record(3), shapes=shapes(3))
    assert TensorShapes().compare(whole, whole) is None
    assert TensorShapes().compare(whole, graphless(3)) is not None


def test_half_of_the_tensors_are_a_family_and_few_shapes_are_nothing(registry: Registry) -> None:
    suspect = replace(graphless(5), sha256="5" * 64)
    part = replace(graphless(5), name="part", shapes=shapes(5)[:8])
    few = replace(graphless(6), name="few", shapes=shapes(5)[:5])
    registry.put(part)
    registry.put(few)
    [kin] = registry.kin(suspect)
    assert (kin.record.name, kin.relation) == ("part", Relation.SAME_FAMILY)
    assert kin.log10_false_alarm is None
    assert kin.evidence[0].detail["shared_shapes"] == 8
    assert kin.score == round(overlap(suspect.shapes, part.shapes), 4)


def test_filters_hold_and_what_is_removed_is_not_found(registry: Registry) -> None:
    for owner in ("ann", "bob"):
        sha256 = owner[0].replace("n", "a") * 64
        registry.put(replace(graphless(1), owner=owner, name=owner, sha256=sha256))
    suspect = replace(graphless(1), sha256="1" * 64)
    assert found(registry, suspect, Where(owner="ann")) == [("ann", "same-architecture")]
    registry.remove("ann")
    assert found(registry, suspect) == [("bob", "same-architecture")]


def placed(a: Shapes, b: Shapes) -> tuple[float, float]:
    """How much of the smaller one is in the other, then how alike both are."""
    ours, theirs = Counter(dict(a)), Counter(dict(b))
    return (ours & theirs).total() / min(ours.total(), theirs.total()), overlap(a, b)


def test_the_nearest_are_those_that_a_full_scan_finds(registry: Registry, tmp_path: Path) -> None:
    registry.put(graphless(0))
    draw = random.Random(1)
    pool = shapes(1, 60)
    models = [tuple(sorted(draw.sample(pool, draw.randint(8, 16)))) for _ in range(300)]
    for number, made in enumerate(models, start=1):
        registry.put(replace(graphless(number), shapes=made))
    connection = sqlite3.connect(tmp_path / "registry" / "registry.sqlite")
    keys = dict(connection.execute("SELECT name, id FROM models"))
    suspect = replace(graphless(0), shapes=tuple(sorted(draw.sample(pool, 12))))
    best = max(placed(suspect.shapes, made) for made in models)
    first = nearest(connection, suspect, 1, ("TRUE", []))
    assert first[0] in {
        keys[f"m{number}"]
        for number, made in enumerate(models, start=1)
        if placed(suspect.shapes, made) == best
    }


def test_a_registry_of_the_first_layout_gets_what_it_lacks(tmp_path: Path) -> None:
    with Registry.open(tmp_path) as registry:
        registry.put(record(1))
    connection = sqlite3.connect(tmp_path / "registry.sqlite")
    log = ("signers", "parts", "licensed", "log_stamps", "log_nodes", "log")
    for table in (*log, "fragments", "shapes", "sketches", "bases", "files"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    with Registry.open(tmp_path) as registry:
        assert [each.name for each in registry.list()] == ["m1"]
        registry.put(replace(record(1), shapes=shapes(1)))  # the same bytes, read anew
        assert registry.show("m1").shapes == shapes(1)
        assert found(registry, replace(graphless(1), sha256="1" * 64))
