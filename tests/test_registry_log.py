"""The stored log: appended to by many, killed, damaged, put back; what was signed stays so."""

import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from small_claims import claim, logged

import assay
from assay.errors import AssayError, BadOption, DamagedRegistry, Unproved, UnreadableProof
from assay.registry import Registry
from assay.transparency import tree

APPENDING = """
import sys
from assay.registry import Registry
with Registry.open(sys.argv[1]) as registry:
    for line in sys.stdin:
        found = registry.log.append(line.strip())
        print(found.index, found.entry.commitment, found.status, flush=True)
"""


def start(folder: Path, commitments: list[str]) -> "subprocess.Popen[str]":
    """A process that appends these."""
    environment = {**os.environ, "PYTHONPATH": str(Path(assay.__file__).parents[1])}
    environment.pop("PYTHONUNBUFFERED", None)  # with it a line and its end are two writes
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", APPENDING, str(folder)],
        stdin=pipe, stdout=pipe, text=True, env=environment,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write("".join(f"{each}\n" for each in commitments))
    process.stdin.flush()
    return process


def commitment(number: int) -> str:
    return f"{number:064x}"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Seven entries."""
    with Registry.open(tmp_path / "registry") as made:
        logged(made, *range(7))
        yield made


def naive_root(registry: Registry, size: int) -> bytes:
    """Made of the entries alone."""
    leaves = [tree.leaf_hash(each.entry.leaf) for each in registry.log.entries()][:size]

    def merged(some: list[bytes]) -> bytes:
        if len(some) == 1:
            return some[0]
        half = 1 << (len(some) - 1).bit_length() - 1
        return tree.node_hash(merged(some[:half]), merged(some[half:]))

    return merged(leaves)


def test_entries_stay_in_the_order_in_which_they_came(registry: Registry) -> None:
    assert [each.index for each in registry.log.entries()] == [*range(7)]
    assert registry.log.find(claim(3).commitment) == registry.log.entry(3)
    assert registry.log.find(claim(7).commitment) is None
    again = registry.log.append(claim(3).commitment)
    assert (again.index, again.status, len(registry.log)) == (3, "exists", 7)
    new = registry.log.append(claim(7).commitment)
    assert (new.index, new.status, len(registry.log)) == (7, "added", 8)
    for size in range(1, 9):
        head = registry.log.head(size)
        assert head.root == naive_root(registry, size)
        assert registry.log.verifier is not None
        head.check(registry.log.verifier)
    for wrong in (0, 9, -1):
        with pytest.raises(BadOption, match=f"no head of {wrong} entries: the log has 8"):
            registry.log.head(wrong)
    for wrong in (-1, 8):
        with pytest.raises(BadOption, match=f"entry {wrong}: the log has 8, from 0 on"):
            registry.log.prove(wrong)
    with pytest.raises(UnreadableProof, match="commitment: is not 64 hexadecimal digits"):
        registry.log.append("x")
    with pytest.raises(Unproved, match="the opening is not the one of entry 2"):
        registry.log.prove(2, opening=claim(3))


def test_an_empty_log_has_no_head_and_nothing_wrong(tmp_path: Path) -> None:
    with Registry.open(tmp_path) as registry:
        assert (len(registry.log), registry.log.verifier, [*registry.log.audit()]) == (0, None, [])
        with pytest.raises(BadOption, match="no head of 0 entries"):
            registry.log.head()
        with Registry.open(tmp_path / "other") as other:
            logged(other, 1)
            logged(registry, 1)
            with pytest.raises(Unproved, match="which is not this one"):
                registry.log.prove(0, since=other.log.head())


def test_a_page_of_entries_is_not_all(tmp_path: Path) -> None:
    with Registry.open(tmp_path) as registry:
        for number in range(260):
            registry.log.append(commitment(number))
        found = [each.entry.commitment for each in registry.log.entries()]
        assert found == [commitment(number) for number in range(260)]
        assert [*registry.log.audit(registry.log.head(259))] == []


DAMAGE = {
    "UPDATE log SET logged = '2020-01-01T00:00:00Z' WHERE position = 3": ["entry 3 was changed"],
    "UPDATE log SET commitment = 'x' WHERE position = 6": ["entry 6 was changed"],
    "DELETE FROM log WHERE position = 2": ["entry 2 is missing"],
    "DELETE FROM log WHERE position = 6": ["entry 6 is missing"],
    "DELETE FROM log WHERE position > 3": [f"entry {at} is missing" for at in (4, 5, 6)],
    "DELETE FROM log": [f"entry {at} is missing" for at in range(7)],
    "UPDATE log SET position = 9 WHERE position = 6": [
        f"entry {at} is missing" for at in (6, 7, 8)
    ],
    "UPDATE log SET root = zeroblob(32) WHERE position = 1": [
        "entry 1, or the root after it, was changed",
        "the head that ends with entry 1 is not signed with the log's key",
    ],
    "UPDATE log SET signature = zeroblob(64) WHERE position = 4": [
        "the head that ends with entry 4 is not signed with the log's key"
    ],
    "UPDATE log_nodes SET hash = zeroblob(32) WHERE level = 0 AND position = 5": [
        "the stored hash of entries 5 to 5 was changed or is missing"
    ],
    "DELETE FROM log_nodes WHERE level = 1 AND position = 0": [
        "the stored hash of entries 0 to 1 was changed or is missing"
    ],
    "DELETE FROM settings WHERE key = 'log'": ["the log's public key is missing"],
}


@pytest.mark.parametrize("statement", DAMAGE)
def test_what_was_changed_or_taken_out_is_named(registry: Registry, statement: str) -> None:
    head = registry.log.head()
    tampered(registry, statement)
    wrong = [*registry.log.audit()]
    assert wrong[: len(DAMAGE[statement])] == DAMAGE[statement]
    assert set(DAMAGE[statement]) <= {*registry.log.audit(head)}
    if "position = 9" not in statement:  # that one leaves a head of nothing behind
        assert wrong == DAMAGE[statement]


def tampered(registry: Registry, *statements: str) -> None:
    """By one who can write the file, and takes away what keeps a program from it."""
    with registry._database.write() as connection:
        for trigger in ("log_changed", "log_removed"):
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("PRAGMA defer_foreign_keys = ON")
        for statement in statements:
            connection.execute(statement)


def test_a_change_with_all_hashes_made_to_fit_shows_in_the_signed_heads(registry: Registry) -> None:
    changed = registry.log.entry(5).entry
    earlier = replace(changed, logged=f"2016{changed.logged[4:]}")
    fitting = tree.leaf_hash(earlier.leaf).hex()
    tampered(
        registry,
        f"UPDATE log SET logged = '{earlier.logged}' WHERE position = 5",
        f"UPDATE log_nodes SET hash = x'{fitting}' WHERE level = 0 AND position = 5",
    )
    first, *_ = registry.log.audit()
    assert first == "entry 5, or the root after it, was changed"


def test_what_is_gone_from_the_end_only_a_kept_head_shows(registry: Registry) -> None:
    head = registry.log.head()
    tampered(
        registry,
        "DELETE FROM log WHERE position = 6",
        "DELETE FROM log_nodes WHERE level = 0 AND position = 6",
    )
    assert [*registry.log.audit()] == []
    assert [*registry.log.audit(head)] == ["the log has 6 entries, the head that was kept 7"]
    registry.log.append(claim(99).commitment)  # a fork
    assert [*registry.log.audit()] == []
    (wrong,) = registry.log.audit(head)
    assert wrong == "the log is not the one that the head was taken of: it was made anew"


def test_a_damaged_log_is_not_listed_in_full(tmp_path: Path) -> None:
    with Registry.open(tmp_path) as registry:
        for number in range(60):
            registry.log.append(commitment(number))
        tampered(registry, "UPDATE log SET logged = '2020-01-01T00:00:00Z'")
        wrong = [*registry.log.audit()]
        assert wrong[:20] == [f"entry {at} was changed" for at in range(20)]
        assert wrong[20:] == ["and more that is not listed"]


def test_the_file_itself_refuses_changes(registry: Registry) -> None:
    for statement in ("UPDATE log SET logged = ''", "DELETE FROM log"):
        with (
            pytest.raises(AssayError, match="the log is only ever appended to"),
            registry._database.write() as connection,
        ):
            connection.execute(statement)
    assert [*registry.log.audit()] == []


def test_a_lost_or_foreign_key_ends_the_log_and_no_proof(
    registry: Registry, tmp_path: Path
) -> None:
    key = registry.log.file.read_bytes()
    registry.log.file.unlink()
    with pytest.raises(DamagedRegistry, match="log-key: is missing: put back the copy of it"):
        registry.log.append(claim(8).commitment)
    registry.log.file.write_bytes(key[:-5])
    with pytest.raises(DamagedRegistry, match="log-key: is a damaged key file"):
        registry.log.append(claim(8).commitment)
    with Registry.open(tmp_path / "other") as other:
        logged(other, 1)
        registry.log.file.write_bytes(other.log.file.read_bytes())
    with pytest.raises(DamagedRegistry, match="log-key: is not the log's key"):
        registry.log.append(claim(8).commitment)
    head = registry.log.head()
    assert registry.log.prove(3, since=head).check(trusted=head).index == 3
    registry.log.file.write_bytes(key)
    assert registry.log.append(claim(8).commitment).index == 7


def test_a_key_whose_first_entry_was_killed_is_taken_up(tmp_path: Path) -> None:
    from assay.keys.signing import SigningKey

    with Registry.open(tmp_path) as registry:
        key = SigningKey.new("log")
        key.write(registry.log.file)
        logged(registry, 1)
        assert registry.log.verifier is not None
        assert registry.log.verifier.public == key.public


def test_an_older_registry_gets_a_log(tmp_path: Path) -> None:
    Registry.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "registry.sqlite")
    for table in ("signers", "parts", "licensed", "log_stamps", "log_nodes", "log"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("PRAGMA user_version = 4")
    connection.commit()
    connection.close()
    with Registry.open(tmp_path) as registry:
        logged(registry, 1, 2)
        assert [*registry.log.audit()] == []


def test_processes_that_append_at_once_make_one_log(tmp_path: Path) -> None:
    numbers = [range(40), range(39, -1, -1), range(20, 60)]
    some = [[commitment(number) for number in each] for each in numbers]
    processes = [start(tmp_path / "new", each) for each in some]
    lines = [line for process in processes for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in processes] == [0] * 3
    answered = {tuple(line.split()[:2]) for line in lines}
    assert len(answered) == 60  # whoever asked was told the same
    assert sum(line.endswith("added") for line in lines) == 60
    with Registry.open(tmp_path / "new") as registry:
        kept = {(str(each.index), each.entry.commitment) for each in registry.log.entries()}
        assert kept == answered
        assert [*registry.log.audit()] == []


def test_what_was_acknowledged_before_kill_9_is_in_the_log_in_its_place(tmp_path: Path) -> None:
    draw = random.Random(20263)
    acknowledged: list[str] = []
    heads = []
    for kill in range(6):
        first = len(acknowledged)
        process = start(tmp_path, [commitment(number) for number in range(first, first + 200)])
        assert process.stdout is not None
        if kill > 1:  # not before it has begun
            process.stdout.readline()
            acknowledged.append(commitment(first))
        time.sleep(draw.uniform(0, 0.4 if kill < 2 else 0.02))
        process.kill()
        rest = process.communicate()[0].splitlines(keepends=True)
        acknowledged += [line.split()[1] for line in rest if line.endswith("\n")]
        with Registry.open(tmp_path) as registry:
            entries = [each.entry.commitment for each in registry.log.entries()]
            assert entries[: len(acknowledged)] == acknowledged
            assert entries == [commitment(number) for number in range(len(entries))]
            for head in heads:
                assert [*registry.log.audit(head)] == []
            heads += [registry.log.head()] if entries else []
            acknowledged = entries
    assert len(acknowledged) > 4
