"""A registry that is damaged, foreign, newer, closed, out of place or may only be read."""

import os
import random
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_records import record

from assay.errors import AssayError, DamagedRegistry
from assay.registry import Registry, _database
from assay.values import Record


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    with Registry.open(folder) as registry:
        for number in range(40):
            registry.put(record(number, owner="alice"))
    return folder


def read_all(folder: Path) -> tuple[list[Record], list[str]]:
    with Registry.open(folder, create=False) as registry:
        kin = [registry.kin(record(number), top=1)[0].record.name for number in range(0, 40, 13)]
        return list(registry.list()), kin


def test_a_page_of_garbage_is_said_or_does_no_harm(sound: Path, tmp_path: Path) -> None:
    truth = read_all(sound)
    content = (sound / "registry.sqlite").read_bytes()
    said = []
    for page in range(len(content) // 4096):
        start, end = page * 4096, (page + 1) * 4096
        garbage = random.Random(page).randbytes(4096)
        (tmp_path / "registry.sqlite").write_bytes(content[:start] + garbage + content[end:])
        try:
            assert read_all(tmp_path) == truth
        except DamagedRegistry as error:
            said.append(str(error))
    assert len(said) > 5
    assert not [message for message in said if "\n" in message]


@pytest.mark.parametrize("size", [1, 99, 100, 4095, 4096, 4097, 20_000, 60_000])
def test_a_truncated_registry_is_damaged(sound: Path, tmp_path: Path, size: int) -> None:
    content = (sound / "registry.sqlite").read_bytes()
    assert size < len(content)
    (tmp_path / "registry.sqlite").write_bytes(content[:size])
    with pytest.raises(DamagedRegistry) as caught:
        read_all(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'registry.sqlite'}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_registry_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "registry.sqlite"
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE somebody (elses)")
    other.close()
    for content, reason in (
        (file.read_bytes(), "not a registry of assay"),
        (b"a text\n" * 999, "damaged or not a registry"),
    ):
        file.write_bytes(content)
        with pytest.raises(DamagedRegistry, match=f"^{file}: {reason}"):
            Registry.open(tmp_path)
        assert file.read_bytes() == content


def test_a_registry_of_a_newer_assay_is_refused(sound: Path, tmp_path: Path) -> None:
    file = shutil.copy(sound / "registry.sqlite", tmp_path)
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DamagedRegistry, match="has layout 99, this assay reads 8: upgrade assay"):
        Registry.open(tmp_path)


@pytest.mark.parametrize("change", ["graph = x'00'", "body = '{}'", "body = '[]'", "digest = x''"])
def test_a_broken_record_is_one_line(sound: Path, tmp_path: Path, change: str) -> None:
    file = shutil.copy(sound / "registry.sqlite", tmp_path)
    connection = sqlite3.connect(file)
    connection.execute(f"UPDATE models SET {change} WHERE id = 1")
    connection.commit()
    connection.close()
    with pytest.raises(DamagedRegistry):
        read_all(tmp_path)


def test_a_hasher_that_only_a_newer_assay_knows_is_said(sound: Path, tmp_path: Path) -> None:
    file = shutil.copy(sound / "registry.sqlite", tmp_path)
    connection = sqlite3.connect(file)
    connection.execute("INSERT INTO settings VALUES ('hasher', '{\"method\": \"hnn-net-9\"}')")
    connection.commit()
    connection.close()
    with Registry.open(tmp_path) as registry, pytest.raises(DamagedRegistry, match="hnn-net-9"):
        registry.check("x.onnx")


# Places


@pytest.mark.parametrize("url", ["postgresql://me:secret@host/db", "POSTGRES://h", "https://h/a"])
def test_a_url_is_refused_and_its_password_not_shown(url: str) -> None:
    with pytest.raises(AssayError, match="a server are not supported yet: give a folder") as caught:
        Registry.open(url)
    assert "secret" not in str(caught.value)


def test_a_registry_is_made_only_where_that_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match="no registry there: 'assay add' makes one"):
        Registry.open(tmp_path / "new", create=False)
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    with pytest.raises(DamagedRegistry, match="file: is a file: a registry is a folder"):
        Registry.open(tmp_path / "file")
    with pytest.raises(AssayError, match="file/new: cannot make the folder: Not a directory"):
        Registry.open(tmp_path / "file" / "new")


def test_a_closed_registry_says_so(tmp_path: Path) -> None:
    registry = Registry.open(tmp_path)
    registry.close()
    registry.close()
    with pytest.raises(AssayError, match="closed"):
        len(registry)


@pytest.fixture
def public(sound: Path) -> Iterator[Path]:
    """The sound registry in a folder that every user may reach."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copy(sound / "registry.sqlite", folder)
        yield folder


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """This process may read the folder and not write there, even if it is root's."""
    folder.chmod(0o555)
    for path in folder.iterdir():
        path.chmod(0o444)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o755)


def test_a_registry_in_a_read_only_folder_is_read(public: Path) -> None:
    with unwritable(public):
        assert read_all(public)[1] == ["m0", "m13", "m26", "m39"]
        with Registry.open(public) as registry:
            for change in (lambda: registry.put(record(50)), lambda: registry.remove("m1")):
                with pytest.raises(AssayError, match="the registry is read-only here"):
                    change()
        assert [path.name for path in public.iterdir()] == ["registry.sqlite"]
        with pytest.raises(AssayError, match="new: cannot make the folder: Permission denied"):
            Registry.open(public / "new")


def test_a_reader_who_may_not_write_sees_what_a_writer_adds(public: Path) -> None:
    with Registry.open(public) as writer:
        writer.put(record(50))
        with unwritable(public):
            reader = Registry.open(public)
        assert reader.show("m50").path == "models/m50.onnx"
        writer.put(record(51))
        assert [kin.record.name for kin in reader.kin(record(51), top=1)] == ["m51"]
        reader.close()


def test_no_registry_is_made_in_a_read_only_folder(public: Path) -> None:
    (public / "registry.sqlite").unlink()
    with unwritable(public), pytest.raises(AssayError, match="cannot make a registry there"):
        Registry.open(public)
    assert list(public.iterdir()) == []


def test_opening_waits_for_who_keeps_the_file_locked(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = shutil.copy(sound / "registry.sqlite", tmp_path)
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("PRAGMA journal_mode = DELETE")  # the switch to WAL needs the file for itself
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM models").fetchone()
    with monkeypatch.context() as patch:
        patch.setattr(_database, "BUSY_TIMEOUT_S", 0.05)
        with pytest.raises(AssayError, match="another process keeps it locked: try again"):
            Registry.open(tmp_path)
    threading.Timer(0.2, other.rollback).start()
    with Registry.open(tmp_path) as registry:
        assert len(registry) == 40
    other.close()
