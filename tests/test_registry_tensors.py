"""The search by tensors follows the registry, whichever process changed it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_sketches import (
    EVERY,
    MANY,
    all_found,
    files,
    first,
    many,
    put,
    remove,
    searched_copy,
    segments,
    sketched,
)

from assay.registry import _tensors
from assay.registry._database import Database
from assay.registry._tensors import LiveTensors
from assay.values import WeightSketch


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tensors, "SEGMENT_EVERY", EVERY)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many(tmp_path_factory.mktemp("large"))


@pytest.fixture
def folder(large: Path, tmp_path: Path) -> Path:
    return searched_copy(large, tmp_path / "copy")


@pytest.fixture
def database(folder: Path) -> Iterator[Database]:
    opened = Database(folder, create=False)
    yield opened
    opened.close()


def test_a_model_that_shares_no_tensor_is_not_found(database: Database) -> None:
    live = LiveTensors(database)
    assert live.search(sketched(MANY + 5), 200, None) == []
    assert live.search(WeightSketch("scheme", ()), 200, None) == []


def test_only_models_of_the_scheme_and_of_the_filter_are_found(database: Database) -> None:
    put(database, MANY, sketch=sketched(3, "another"))
    live = LiveTensors(database)
    assert live.search(sketched(3), 5, None) == [4]
    assert live.search(sketched(3, "another"), 5, None) == [MANY + 1]
    assert live.search(sketched(3), 5, [5, 6]) == []
    assert live.search(sketched(3), 5, [4, 6]) == [4]
    assert live.search(sketched(3), 5, []) == []


def test_models_are_ranked_across_segments_and_memory(database: Database) -> None:
    """The more tensors are shared the better, wherever a model lies; and no more than asked for."""
    shared = sketched(7).tensors
    for number, count in ((MANY, 1), (MANY + 1, 3), (MANY + 2, 2)):
        others = sketched(number).tensors[count:]
        put(database, number, sketch=WeightSketch("scheme", shared[:count] + others))
    live = LiveTensors(database)
    assert live.search(sketched(7), 9, None) == [8, MANY + 2, MANY + 3, MANY + 1]
    assert live.search(sketched(7), 2, None) == [8, MANY + 2]


def test_what_another_process_adds_changes_or_removes_is_seen_at_once(folder: Path) -> None:
    ours, theirs = Database(folder, create=False), Database(folder, create=False)
    live = LiveTensors(ours)
    assert first(live, 5) == 5
    put(theirs, MANY)
    assert first(live, MANY) == MANY
    put(theirs, 5, sketch=sketched(500, "another"))
    assert first(live, 5) != 5
    assert live.search(sketched(500, "another"), 3, None) == [6]
    remove(theirs, MANY, 6)
    assert first(live, MANY) != MANY
    assert first(live, 6) != 6
    assert all_found(folder)
    ours.close()
    theirs.close()


def test_a_segment_is_made_when_enough_changed_and_takes_in_small_ones(
    folder: Path, database: Database
) -> None:
    assert segments(database) == [(MANY, 0)]
    put(database, *range(MANY, MANY + EVERY - 1))
    assert all_found(folder)
    assert segments(database) == [(MANY, 0)]
    put(database, MANY + EVERY - 1)
    assert all_found(folder)
    assert segments(database) == [(MANY + EVERY, 0)]
    put(database, *range(MANY + EVERY, 10 * EVERY))
    assert all_found(folder)
    put(database, *range(10 * EVERY, 11 * EVERY))
    remove(database, 3, 10 * EVERY)
    assert all_found(folder)
    assert segments(database) == [(10 * EVERY, 1)]
    put(database, 11 * EVERY)
    assert all_found(folder)
    assert segments(database) == [(10 * EVERY, 1), (EVERY, 0)]
    assert len(files(folder)) == 2
    remove(database, 4, 10 * EVERY + 1)
    assert all_found(folder)
    assert segments(database) == [(10 * EVERY, 2), (EVERY, 1)]


def test_one_process_writes_where_several_could(folder: Path) -> None:
    (before,) = files(folder)
    one, two = Database(folder, create=False), Database(folder, create=False)
    ours, theirs = LiveTensors(one), LiveTensors(two)
    assert first(ours, 0) == first(theirs, 0) == 0
    put(one, *range(MANY, MANY + EVERY))
    assert first(ours, MANY) == MANY
    (written,) = files(folder)
    assert written != before
    changed = written.stat().st_mtime_ns
    assert first(theirs, MANY + 1) == MANY + 1  # loads the other's
    assert files(folder) == [written]
    assert written.stat().st_mtime_ns == changed
    one.close()
    two.close()


def test_who_has_no_turn_goes_on_without_a_segment(folder: Path, database: Database) -> None:
    live = LiveTensors(database)
    assert first(live, 0) == 0
    with database.write() as connection:  # another process takes to it, and is slow
        connection.execute("UPDATE settings SET value = 1000 WHERE key = 'tensors'")
    before = files(folder)
    put(database, *range(MANY, MANY + EVERY))
    assert first(live, MANY) == MANY
    assert files(folder) == before
    put(database, *range(MANY + EVERY, MANY + 2 * EVERY))  # it was killed
    assert first(live, MANY) == MANY
    assert segments(database) == [(MANY + 2 * EVERY, 0)]
