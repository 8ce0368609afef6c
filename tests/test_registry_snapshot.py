"""The snapshot of a registry's codes: used where it is whole and its own, never trusted."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_records import record

from assay.registry import Registry, _snapshot

MANY = 1_100  # enough for a snapshot


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of MANY models, which was searched once, so that it has a snapshot."""
    folder = tmp_path_factory.mktemp("large")
    with Registry.open(folder) as registry:
        for number in range(MANY):
            registry.put(record(number))
        assert found(registry, 0)
    assert snapshot(folder).exists()
    return folder


@pytest.fixture
def folder(large: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(large, tmp_path / "copy"))


def snapshot(folder: Path) -> Path:
    (path,) = folder.glob("codes-*")  # nothing half-written beside it
    return path


def found(registry: Registry, number: int) -> bool:
    kin = registry.kin(replace(record(number), sha256=None))
    return f"m{number}" in [one.record.name for one in kin]


def all_found(folder: Path) -> bool:
    with Registry.open(folder) as registry:
        return all(found(registry, number) for number in range(0, MANY, 400))


def test_a_whole_snapshot_is_what_the_codes_come_from(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    moment, (codes,) = _snapshot.read(snapshot(folder))
    assert len(codes.keys) == MANY
    assert all_found(folder)
    first = _snapshot.Codes(codes.scheme, 64, codes.keys[:1], codes.words[:1])
    _snapshot.write(snapshot(folder), moment, [first])
    with Registry.open(folder) as registry:
        assert [found(registry, number) for number in (0, 1)] == [True, False]
        registry.put(record(MANY))
        assert found(registry, MANY)
    assert caplog.messages == []


def test_a_snapshot_is_written_when_it_lags_and_not_before(folder: Path) -> None:
    before = snapshot(folder).read_bytes()
    with Registry.open(folder) as registry:
        for number in range(MANY, MANY + 999):
            registry.put(record(number))
        assert found(registry, MANY)
        assert snapshot(folder).read_bytes() == before
        registry.remove("m1")
        assert not found(registry, 1)
    moment, (codes,) = _snapshot.read(snapshot(folder))
    assert moment.seq == MANY + 1_000
    assert len(codes.keys) == MANY + 998


def test_a_missing_snapshot_is_written_again(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = snapshot(folder)
    path.unlink()
    assert all_found(folder)
    assert path.exists()
    assert caplog.messages == []


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "one byte short": lambda content: content[:-1],
    "half": lambda content: content[: len(content) // 2],
    "its first line only": lambda content: _snapshot.MAGIC,
    "one bit of a code flipped": lambda content: content[:-99] + bytes([content[-99] ^ 1])
    + content[-98:],
    "one bit of the checksum flipped": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "more than it was": lambda content: content + b"\0",
    "zeros": lambda content: bytes(len(content)),
    "something else": lambda content: b"a text\n" * 99,
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_snapshot_is_said_not_used_and_replaced(
    folder: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = snapshot(folder)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert all_found(folder)
    (said,) = caplog.messages
    assert said.startswith("the snapshot is not used, the codes come from SQLite: ")
    assert len(_snapshot.read(path)[1][0].keys) == MANY


def test_the_snapshot_of_another_registry_is_not_used(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Registry.open(tmp_path / "other") as other:
        for number in range(MANY, 2 * MANY):
            other.put(record(number))
        assert found(other, MANY)
    shutil.copy(snapshot(tmp_path / "other"), snapshot(folder))
    assert all_found(folder)
    assert "of another registry" in caplog.text


def test_the_snapshot_of_a_lost_past_is_not_used(
    folder: Path, large: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = snapshot(folder)
    with Registry.open(folder) as registry:
        for number in range(MANY, MANY + 10):
            registry.put(record(number))
        path.unlink()
        assert found(registry, MANY)
    assert all_found(folder)
    assert _snapshot.read(path)[0].seq == MANY + 10
    shutil.copy(large / "registry.sqlite", folder)  # a backup is put back, then added to
    with Registry.open(folder) as registry:
        for number in range(MANY + 10, MANY + 30):
            registry.put(record(number))
    with Registry.open(folder) as registry:
        assert all(found(registry, number) for number in range(MANY + 10, MANY + 30))
        assert not any(found(registry, number) for number in range(MANY, MANY + 10))
    assert "of another registry" in caplog.text


def test_one_process_writes_where_several_could(folder: Path) -> None:
    snapshot(folder).unlink()
    with Registry.open(folder) as one, Registry.open(folder) as two:
        assert found(one, 0)
        written = snapshot(folder).stat().st_ino
        for number in range(MANY, MANY + 1_000):
            one.put(record(number))
        assert found(two, 0)  # loads late: the first to see the lag
        assert snapshot(folder).stat().st_ino != written
        written = snapshot(folder).stat().st_ino
        assert found(one, 0)
        assert snapshot(folder).stat().st_ino == written


def test_a_snapshot_that_cannot_be_written_is_said_and_searching_goes_on(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = snapshot(folder)
    path.unlink()
    path.mkdir()
    assert all_found(folder)
    assert any(said.startswith("the snapshot could not be written: ") for said in caplog.messages)
    assert [entry.name for entry in folder.glob("codes-*")] == [path.name]


def test_what_a_killed_writer_left_is_removed_in_time(folder: Path) -> None:
    path = snapshot(folder)
    path.unlink()
    fresh, old = (path.with_name(f"{path.name}.{mark}.part") for mark in ("fresh", "old"))
    fresh.touch()
    old.touch()
    os.utime(old, (0, 0))
    assert all_found(folder)
    assert fresh.exists()
    assert not old.exists()


def test_codes_of_several_schemes_lie_in_one_snapshot(tmp_path: Path) -> None:
    words = np.arange(6, dtype=np.uint64)
    codes = [
        _snapshot.Codes("a:b", 16, np.array([3, 9]), words[:2].reshape(2, 1)),
        _snapshot.Codes("c", 256, np.array([], np.int64), words[:0].reshape(0, 4)),
        _snapshot.Codes("d", 96, np.array([2**62]), words[4:].reshape(1, 2)),
    ]
    moment = _snapshot.Moment("r", 7, "AB")
    _snapshot.write(tmp_path / "x", moment, codes)
    read_moment, read = _snapshot.read(tmp_path / "x")
    assert read_moment == moment
    for ours, theirs in zip(codes, read, strict=True):
        assert (ours.scheme, ours.bits) == (theirs.scheme, theirs.bits)
        assert np.array_equal(ours.keys, theirs.keys)
        assert np.array_equal(ours.words, theirs.words)


@pytest.mark.parametrize("length", range(1, 9))
def test_codes_lie_aligned_whatever_the_header_is(tmp_path: Path, length: int) -> None:
    codes = _snapshot.Codes("s" * length, 64, np.arange(3), np.ones((3, 1), np.uint64))
    _snapshot.write(tmp_path / "x", _snapshot.Moment("r", 7, ""), [codes])
    (read,) = _snapshot.read(tmp_path / "x")[1]
    assert read.words.flags.aligned
    assert read.keys.flags.aligned
