"""The registry's secret key: drawn once, kept from others, backed up, rotated."""

import json
import sqlite3
import stat
from pathlib import Path

import pytest
from small_weights import found, network, renamed, saved

from assay.errors import AssayError, DamagedRegistry
from assay.registry import Registry
from assay.values import Relation

BASE = network(0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Registry.open(tmp_path / "registry") as registry:
        registry.add(saved(tmp_path, "base", BASE))
    saved(tmp_path, "copy", renamed(BASE, "x"))
    return tmp_path


def test_only_its_owner_can_read_the_key_which_no_repr_shows(folder: Path) -> None:
    file = folder / "registry" / "sketch-keys.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = json.loads(file.read_text())["keys"][0]["secret"]
    assert secret.encode() not in (folder / "registry" / "registry.sqlite").read_bytes()
    with Registry.open(folder / "registry") as registry:
        assert secret not in repr(registry.keys.known())
        assert registry.keys.settled().secret == secret


def test_two_registries_have_two_keys_unless_they_share_one(folder: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    with Registry.open(folder / "registry") as one, Registry.open(folder / "other") as other:
        one.keys.backup(backup)
        assert stat.S_IMODE(backup.stat().st_mode) == 0o600
        other.keys.restore(backup)
        assert other.keys.settled() == one.keys.settled()
        with Registry.open(folder / "third") as third:
            assert third.keys.settled() != one.keys.settled()
        with pytest.raises(AssayError, match="is there already: a backup replaces nothing"):
            one.keys.backup(backup)


def test_a_lost_key_is_said_to_be_lost_and_put_back(folder: Path) -> None:
    file = folder / "registry" / "sketch-keys.json"
    with Registry.open(folder / "registry") as registry:
        registry.keys.backup(folder / "backup")
        file.unlink()
        remedy = "is missing: put it back with 'assay registry key --restore FILE'"
        with pytest.raises(DamagedRegistry, match=remedy):
            registry.check(folder / "copy.safetensors")
        with pytest.raises(DamagedRegistry, match=remedy):
            registry.add(folder / "copy.safetensors")
        with Registry.open(folder / "other") as other:
            other.keys.settled()
            other.keys.backup(folder / "others")
        with pytest.raises(AssayError, match="has no key of projection-256@"):
            registry.keys.restore(folder / "others")
        registry.keys.restore(folder / "backup")
        assert found(registry, folder / "copy.safetensors")["base"].relation is Relation.SAME_MODEL


def test_a_damaged_file_of_keys_is_replaced_by_a_backup_and_kept_aside(folder: Path) -> None:
    file = folder / "registry" / "sketch-keys.json"
    with Registry.open(folder / "registry") as registry:
        registry.keys.backup(folder / "backup")
        file.write_text("damaged")
        registry.keys.restore(folder / "backup")
        assert found(registry, folder / "copy.safetensors")["base"].relation is Relation.SAME_MODEL
    assert file.with_suffix(".damaged").read_text() == "damaged"


def test_a_key_that_is_lost_for_good_is_rotated_and_models_are_read_again(folder: Path) -> None:
    with Registry.open(folder / "registry") as registry:
        registry.keys.file.unlink()
        registry.keys.rotate()
        assert found(registry, folder / "copy.safetensors") == {}
        assert [wrong for _, wrong in registry.resketch()] == [""]
        assert found(registry, folder / "copy.safetensors")["base"].relation is Relation.SAME_MODEL


def test_what_cannot_be_backed_up_or_restored_is_said(tmp_path: Path) -> None:
    with Registry.open(tmp_path / "registry") as registry:
        with pytest.raises(AssayError, match="no key was drawn yet: 'assay add' draws one"):
            registry.keys.backup(tmp_path / "backup")
        with pytest.raises(AssayError, match="nowhere: no such file"):
            registry.keys.restore(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"keys": []}', '{"keys": [{"scheme": "a", "made": "b", "secret": "zz"}]}',
     '{"keys": [{"scheme": "projection-256@00000000+s1", "made": "b", "secret": "00ff"}]}',
     '{"keys": [{"scheme": 1, "made": 2, "secret": 3}]}', "\0\1"],
)  # fmt: skip
def test_a_damaged_file_of_keys_is_named(folder: Path, content: str) -> None:
    file = folder / "registry" / "sketch-keys.json"
    file.write_text(content)
    with (
        Registry.open(folder / "registry") as registry,
        pytest.raises(DamagedRegistry, match=r"sketch-keys\.json: .*put it back with"),
    ):
        registry.check(folder / "copy.safetensors")


def test_a_rotation_sketches_anew_what_is_there_and_still_finds_what_is_gone(
    folder: Path,
) -> None:
    gone = saved(folder, "gone", network(4))
    with Registry.open(folder / "registry") as registry:
        registry.add(gone)
        saved(folder, "suspect", renamed(network(4), "x"))
        gone.unlink()
        old, new = registry.keys.settled(), registry.keys.rotate()
        assert old.scheme != new.scheme
        assert registry.keys.settled() == new
        wrongs = {record.name: wrong for record, wrong in registry.resketch()}
        assert wrongs["base"] == ""
        assert wrongs["gone"] == f"{gone}: no such file"
        assert registry.keys.in_use() == {old.scheme: 1, new.scheme: 1}
        assert found(registry, folder / "copy.safetensors")["base"].relation is Relation.SAME_MODEL
        assert found(registry, folder / "suspect.safetensors")["gone"].relation is (
            Relation.SAME_MODEL
        )
        saved(folder, "gone", network(6))  # another model under its name
        assert [wrong for _, wrong in registry.resketch()] == [f"{gone}: is another file now"]
        saved(folder, "gone", network(4))
        assert [wrong for _, wrong in registry.resketch()] == [""]
        assert registry.keys.in_use() == {new.scheme: 2}
        assert [*registry.resketch()] == []


def test_a_registry_of_the_second_layout_is_sketched_by_a_rehash(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connection = sqlite3.connect(folder / "registry" / "registry.sqlite")
    log = ("signers", "parts", "licensed", "log_stamps", "log_nodes", "log")
    for table in (*log, "fragments", "sketches", "bases", "files"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("DELETE FROM settings WHERE key = 'sketch'")
    connection.execute("PRAGMA user_version = 2")
    connection.commit()
    connection.close()
    (folder / "registry" / "sketch-keys.json").unlink()
    with Registry.open(folder / "registry") as registry:
        assert found(registry, folder / "copy.safetensors") == {}
        assert "whose weights were not compared, because they were not read: 1" in caplog.text
        assert [wrong for _, wrong in registry.resketch()] == [""]
        assert found(registry, folder / "copy.safetensors")["base"].relation is Relation.SAME_MODEL
