"""The files of tensors' codes: used where they are whole and the registry's own, never trusted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
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
    searched_copy,
    segments,
    sketched,
)

from assay.registry import _tensors
from assay.registry._database import Database
from assay.registry._tensors import LiveTensors
from assay.sketches import table_files


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tensors, "SEGMENT_EVERY", EVERY)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many(tmp_path_factory.mktemp("large"))


@pytest.fixture
def folder(large: Path, tmp_path: Path) -> Path:
    return searched_copy(large, tmp_path / "copy")


def test_missing_segments_are_made_again(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in files(folder):
        path.unlink()
    assert all_found(folder)
    assert len(files(folder)) == 1
    assert caplog.messages == []


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "a bit of a code flipped": lambda content: content[:-99] + bytes([content[-99] ^ 1])
    + content[-98:],
    "a bit of its header flipped": lambda content: content[:40] + b"~" + content[41:],
    "of an older version": lambda content: content.replace(b"tensors 1", b"tensors 0", 1),
    "something else": lambda content: b"a text\n" * 99,
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_segment_is_said_not_used_and_replaced(
    folder: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    (path,) = files(folder)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert all_found(folder)
    (said,) = caplog.messages
    assert said.startswith("codes of weights come from SQLite, a table is not used: ")
    caplog.clear()
    assert all_found(folder)
    assert caplog.messages == []
    assert len(files(folder)) == 1


def test_damage_that_shows_only_in_use_is_said_and_mended(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_files, "SMALL", 0)  # as if the file were too large to be checked
    (path,) = files(folder)
    whole, _, _ = table_files.opened(path)
    content = bytearray(path.read_bytes())
    begin = content.index(whole.models.tobytes())
    content[begin : begin + whole.models.nbytes] = b"\xff" * whole.models.nbytes
    path.write_bytes(content)
    database = Database(folder, create=False)
    put(database, *range(MANY, MANY + EVERY))  # so that it is to be taken in
    assert all_found(folder)
    assert "a table is damaged" in caplog.text
    assert segments(database) == [(MANY + EVERY, 0)]
    database.close()


def test_the_segment_of_another_registry_is_not_used(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = Database(tmp_path / "other", create=True)
    put(other, *range(1_000, 1_000 + MANY))
    assert LiveTensors(other).search(sketched(1_000), 1, None) == [1]
    other.close()
    shutil.copy(files(tmp_path / "other")[0], files(folder)[0])
    assert all_found(folder)
    assert "of another registry" in caplog.text


def test_the_segment_of_a_lost_past_is_not_used(
    folder: Path, large: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(folder, create=False)
    put(database, *range(MANY, 2 * MANY))
    assert first(LiveTensors(database), MANY) == MANY
    database.close()
    for left in folder.glob("registry.sqlite*"):
        left.unlink()
    shutil.copy(large / "registry.sqlite", folder)  # a backup is put back, then added to
    database = Database(folder, create=False)
    put(database, *range(2 * MANY, 3 * MANY))
    live = LiveTensors(database)
    assert live.search(sketched(MANY), 1, None) == []
    assert live.search(sketched(2 * MANY), 1, None) == [MANY + 1]
    assert "of another registry" in caplog.text
    database.close()


def test_a_segment_that_cannot_be_written_is_said_and_searching_goes_on(
    large: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(large, tmp_path / "copy"))
    database = Database(folder, create=False)
    with database.read() as connection:
        (registry,) = connection.execute("SELECT value FROM settings WHERE key = 'id'").fetchone()
        (seq,) = connection.execute("SELECT max(seq) FROM changes").fetchone()
    (folder / f"tensors-{registry[:8]}-0-{seq}.table").mkdir()
    live = LiveTensors(database)
    assert first(live, 7) == 7
    assert any("could not be written" in said for said in caplog.messages)
    put(database, MANY)
    assert [first(live, number) for number in (8, MANY)] == [8, MANY]
    database.close()


def test_what_a_killed_writer_left_is_removed_in_time(folder: Path) -> None:
    (path,) = files(folder)
    path.unlink()
    fresh, old = (path.with_name(f"{path.name}.{mark}.part") for mark in ("fresh", "old"))
    fresh.touch()
    old.touch()
    os.utime(old, (0, 0))
    assert all_found(folder)
    assert fresh.exists()
    assert not old.exists()


def test_a_registry_that_may_only_be_read_is_searched_without_a_file(
    large: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(large, tmp_path / "copy"))
    database = Database(folder, create=False)
    database.writable = False  # the superuser may write whatever a folder's mode is
    live = LiveTensors(database)
    assert [first(live, number) for number in (0, 7, MANY - 1)] == [0, 7, MANY - 1]
    assert files(folder) == []
    assert caplog.messages == []
    database.close()
