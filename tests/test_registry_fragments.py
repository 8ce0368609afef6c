"""Models whose layers have other shapes are found by exact rows, whatever changed the registry."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_sketches import put, sketched
from small_weights import changed, found, moved, network, pruned, saved, without_channels

from assay.registry import Registry, Where, _fragments
from assay.registry._database import Database
from assay.registry._fragments import KEPT, holders
from assay.values import Relation, WeightSketch

ALL = "TRUE", ()
BASE = network(0)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "registry", create=True)
    yield opened
    opened.close()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(tmp_path / "registry") as opened:
        yield opened


def keeping(*hashes: list[int]) -> WeightSketch:
    """A tensor with each of these lists."""
    listed = sketched(7, tensors=len(hashes))
    kept = (np.array(each, np.uint64).astype("<u8").tobytes() for each in hashes)
    made = zip(listed.tensors, kept, strict=True)
    return replace(listed, tensors=tuple(replace(one, fragments=each) for one, each in made))


def asked(database: Database, sketch: WeightSketch, count: int = 9) -> list[int]:
    with database.read() as connection:
        return holders(connection, sketch, count, ALL)


def test_a_model_without_some_channels_is_found_among_strangers(
    registry: Registry, tmp_path: Path
) -> None:
    registry.add(saved(tmp_path, "base", BASE))
    for seed in range(1, 6):
        registry.add(saved(tmp_path, f"stranger{seed}", network(seed)))
    kin = found(registry, saved(tmp_path, "pruned", without_channels(BASE, 1)))
    assert [name for name, one in kin.items() if one.relation >= Relation.COMMON_ANCESTOR] == [
        "base"
    ]
    assert kin["base"].relation is Relation.COMMON_ANCESTOR
    assert kin["base"].evidence[0].method.startswith("Fragments(")


def test_of_evidence_that_says_the_same_the_surest_comes_first(
    registry: Registry, tmp_path: Path
) -> None:
    registry.add(saved(tmp_path, "base", BASE))
    small = saved(tmp_path, "small", changed(BASE, lambda values: pruned(values, 0.6)))
    kin = found(registry, small)["base"]
    said = [one.log10_false_alarm for one in kin.evidence if one.log10_false_alarm is not None]
    assert {one.method.partition("(")[0] for one in kin.evidence[:2]} == {"Fragments", "Weights"}
    assert said == sorted(said)


def test_two_pruned_children_of_a_base_are_explained_by_it(
    registry: Registry, tmp_path: Path
) -> None:
    base, child = saved(tmp_path, "base", BASE), saved(tmp_path, "child", without_channels(BASE, 1))
    registry.add(base, base=True)
    registry.add(child, owner="ann")
    sibling = saved(tmp_path, "sibling", without_channels(BASE, 2))
    for where in (Where(), Where(owner="ann")):  # the base is looked at, though it does not pass
        kin = found(registry, sibling, where=where)["child"]
        assert (kin.relation, kin.explained_by) == (Relation.COMMON_ANCESTOR, "base")
        assert not registry.check(sibling, where=where).needs_review
    for path in (base, child):
        path.unlink()
    assert not registry.check(sibling).needs_review


def test_what_is_removed_or_sketched_anew_is_not_found_by_what_it_was(database: Database) -> None:
    put(database, 0, sketch=keeping([1, 2], [3, 2**64 - 1]))
    assert asked(database, keeping([2**64 - 1])) == [1]
    put(database, 0, sketch=replace(keeping([5]), scheme="other"))
    assert asked(database, keeping([1], [2], [3])) == []
    assert asked(database, keeping([5])) == [1]
    with database.write() as connection:
        connection.execute("DELETE FROM models")
        assert connection.execute("SELECT count(*) FROM fragments").fetchone() == (0,)


def test_the_models_with_most_of_the_hashes_come_first(database: Database) -> None:
    for number, hashes in enumerate(([1, 2, 3], [2, 3], [1, 2, 3, 4], [9])):
        put(database, number, sketch=keeping(hashes))
    assert asked(database, keeping([1, 2], [3, 4])) == [3, 1, 2]
    assert asked(database, keeping([1, 2], [3, 4]), count=1) == [3]
    with database.read() as connection:
        assert holders(connection, keeping([1, 2, 3]), 9, ("models.id <> ?", [3])) == [1, 2]


def test_of_large_models_every_tensor_has_its_share(database: Database) -> None:
    """Sixteen of one, more than can be kept in all: none takes all places."""
    sketch = keeping(*(list(range(100 * part, 100 * part + 16)) for part in range(KEPT // 8)))
    put(database, 0, sketch=sketch)
    with database.read() as connection:
        rows = [row[0] for row in connection.execute("SELECT hash FROM fragments ORDER BY hash")]
    assert len(rows) == KEPT
    assert rows == [100 * part + place for part in range(KEPT // 8) for place in range(8)]


def test_of_a_crowd_the_oldest_are_leads(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_fragments, "CROWD", 5)
    put(database, *range(30), sketch=keeping([1, 2, 3]))
    put(database, 30, sketch=keeping([1, 2, 3, 4]))
    assert asked(database, keeping([1, 2, 3]), count=99) == [1, 2, 3, 4, 5]
    assert 31 in asked(database, keeping([1, 2, 3, 4]), count=99)


def test_what_an_older_version_kept_is_found_again_after_a_rehash(
    registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its sketches have no fragments, and another scheme; its key stays what it is."""
    registry.add(saved(tmp_path, "base", BASE))
    secret = registry.keys.settled().secret
    registry.close()
    folder = tmp_path / "registry"
    connection = sqlite3.connect(folder / "registry.sqlite")
    log = ("signers", "parts", "licensed", "log_stamps", "log_nodes", "log")
    for table in (*log, "fragments"):
        connection.execute(f"DROP TABLE {table}")
    for table, column in (("sketches", "scheme"), ("settings", "value")):
        connection.execute(f"UPDATE {table} SET {column} = replace({column}, '+s2', '+s1')")
    connection.execute("PRAGMA user_version = 3")
    connection.commit()
    connection.close()
    file = folder / "sketch-keys.json"
    rows = json.loads(file.read_text())
    rows["keys"][0]["scheme"] = rows["keys"][0]["scheme"].replace("+s2", "+s1")
    file.write_text(json.dumps(rows))
    suspect = saved(tmp_path, "pruned", without_channels(BASE, 1))
    with Registry.open(folder) as upgraded:
        assert found(upgraded, suspect).get("base") is None
        assert "'assay rehash' reads those whose files are where they were" in caplog.text
        assert upgraded.unsketched() == 1
        assert [wrong for _, wrong in upgraded.resketch()] == [""]
        assert upgraded.keys.settled().secret == secret
        assert found(upgraded, suspect)["base"].relation is Relation.COMMON_ANCESTOR


def test_a_little_noise_hides_it_and_accuses_nobody(registry: Registry, tmp_path: Path) -> None:
    registry.add(saved(tmp_path, "base", BASE))
    noisy = moved(without_channels(BASE, 1), 1, 1e-4)
    kin = found(registry, saved(tmp_path, "noisy", noisy))
    assert all(one.relation < Relation.COMMON_ANCESTOR for one in kin.values())
