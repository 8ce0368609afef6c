"""What was acknowledged is kept: kill -9, many processes, a full disk, removal."""

import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from small_records import record

import assay
from assay.errors import AssayError
from assay.hashers import HASHERS
from assay.registry import Registry, Where, _database
from assay.values import Relation

MODELS, KILLS = 1_000, 25
PATHS = os.pathsep.join(map(str, [Path(assay.__file__).parents[1], Path(__file__).parent]))
ADDING = """
import sys
from small_records import record
from assay.registry import Registry
with Registry.open(sys.argv[1]) as registry:
    for number in map(int, sys.stdin):
        print(number, registry.put(record(number, owner="alice")).status, flush=True)
"""
ADDING_UNTIL_FULL = f"""
import resource, signal
from assay.errors import AssayError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**18, 2**18))  # no file may grow past it
try:
    exec({ADDING!r})
except AssayError as error:
    print("error", error)
"""
REHASHING = """
import sys
from assay.hashers import HASHERS
from assay.registry import Registry
with Registry.open(sys.argv[1], create=False) as registry:
    for model in registry.rehash(HASHERS["weisfeiler-lehman"](bits=128)):
        print(model.name, flush=True)
"""
WHOLE = """
    SELECT count(*) FROM models WHERE scheme IS NULL OR graph IS NULL
        OR id NOT IN (SELECT model FROM claims)
        OR id NOT IN (SELECT model FROM changes WHERE what = 'added')
    UNION ALL SELECT count(*) FROM claims WHERE model NOT IN (SELECT id FROM models)
    UNION ALL SELECT count(*) FROM changes WHERE what = 'added'
        AND model NOT IN (SELECT id FROM models)
    UNION ALL SELECT count(*) FROM pragma_foreign_key_check
"""


def start(script: str, folder: Path, numbers: Iterable[int] = ()) -> "subprocess.Popen[str]":
    """A process that works in ``folder``, on ``numbers`` and on those that it is given later."""
    command = [sys.executable, "-c", script, str(folder)]
    pipe, environment = subprocess.PIPE, {**os.environ, "PYTHONPATH": PATHS}
    environment.pop("PYTHONUNBUFFERED", None)  # with it a line and its end are two writes
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
    give(process, numbers)
    return process


def give(process: "subprocess.Popen[str]", numbers: Iterable[int]) -> None:
    assert process.stdin is not None
    process.stdin.writelines(f"{number}\n" for number in numbers)
    process.stdin.flush()


def assert_whole(folder: Path) -> None:
    """No model is half there, and SQLite's own check finds nothing."""
    connection = sqlite3.connect(folder / "registry.sqlite")
    assert [count for (count,) in connection.execute(WHOLE)] == [0, 0, 0, 0]
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def killed(process: "subprocess.Popen[str]", delay_s: float) -> list[str]:
    """The first words of the lines that it still printed, killed after ``delay_s``."""
    time.sleep(delay_s)
    process.kill()
    printed = process.communicate()[0].splitlines(keepends=True)
    return [line.split()[0] for line in printed if line.endswith("\n")]


def test_what_was_acknowledged_before_kill_9_is_there_and_searchable(tmp_path: Path) -> None:
    draw = random.Random(20261)
    acknowledged: list[str] = []
    for kill in range(KILLS):
        first = len(acknowledged)
        process = start(ADDING, tmp_path, [first])
        assert process.stdout is not None
        if kill < 5:  # while Python starts, the registry is made, the first model is added
            delay_s = draw.uniform(0, 0.6)
        else:  # while a model is added
            for number in range(first, first + MODELS // KILLS):
                acknowledged.append(process.stdout.readline().split()[0])
                give(process, [number + 1])
            delay_s = draw.uniform(0, 0.004)
        acknowledged += killed(process, delay_s)
        with Registry.open(tmp_path) as registry:
            names = [model.name for model in registry.list()]
        expected = [f"m{number}" for number in acknowledged]
        assert names[: len(expected)] == expected
        assert len(names) <= len(expected) + 1  # one may be kept and not yet acknowledged
        assert_whole(tmp_path)
    rest = start(ADDING, tmp_path, range(len(acknowledged), MODELS))
    acknowledged += [line.split()[0] for line in rest.communicate()[0].splitlines()]
    assert acknowledged == [str(number) for number in range(MODELS)]
    assert_whole(tmp_path)
    with Registry.open(tmp_path) as registry:
        assert len(registry) == MODELS
        for number in range(MODELS):
            suspect = replace(record(number), sha256=None)
            (kin,) = registry.kin(suspect, where=Where(name=f"m{number}"))
            assert kin.relation == Relation.SAME_ARCHITECTURE
            assert kin.record.code == suspect.code


def test_rehashing_that_is_killed_keeps_every_model_whole(tmp_path: Path) -> None:
    longer = HASHERS["weisfeiler-lehman"](bits=128)
    with Registry.open(tmp_path) as registry:
        for number in range(400):
            registry.put(record(number))
    draw = random.Random(20262)
    done: list[str] = []
    for _ in range(3):
        process = start(REHASHING, tmp_path)
        assert process.stdout is not None
        done.append(process.stdout.readline().strip())
        done += killed(process, draw.uniform(0, 0.02))
        assert_whole(tmp_path)
    with Registry.open(tmp_path) as registry:
        done += [model.name for model in registry.rehash(longer)]
        assert len(done) == len(set(done))
        assert set(done) <= {f"m{number}" for number in range(400)}
        for number, model in enumerate(registry.list()):
            assert model.code == record(number, hasher=longer).code


def test_processes_that_add_at_once_lose_nothing(tmp_path: Path) -> None:
    numbers = [range(150), range(150), range(149, -1, -1), range(100, 250)]
    processes = [start(ADDING, tmp_path / "new", some) for some in numbers]
    lines = [line for process in processes for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in processes] == [0] * 4
    assert len(lines) == 600
    assert sorted(line for line in lines if line.endswith("added")) == sorted(
        f"{number} added" for number in range(250)
    )
    with Registry.open(tmp_path / "new") as registry:
        assert sorted(model.name for model in registry.list()) == sorted(
            f"m{number}" for number in range(250)
        )
    assert_whole(tmp_path / "new")


def test_a_full_disk_is_one_line_and_what_was_acknowledged_is_kept(tmp_path: Path) -> None:
    lines = start(ADDING_UNTIL_FULL, tmp_path, range(MODELS)).communicate()[0].splitlines()
    assert lines[-1].startswith(f"error {tmp_path / 'registry.sqlite'}: ")
    with Registry.open(tmp_path) as registry:
        assert [model.name for model in registry.list()] == [
            f"m{line.split()[0]}" for line in lines[:-1]
        ]
    assert_whole(tmp_path)


def test_a_registry_that_stays_locked_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_database, "BUSY_TIMEOUT_S", 0.05)
    with Registry.open(tmp_path) as registry:
        other = sqlite3.connect(tmp_path / "registry.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(AssayError, match="another process keeps it locked"):
            registry.put(record(1))
        assert registry.kin(record(1)) == ()  # reading goes on
        other.execute("ROLLBACK")
        assert registry.put(record(1)).status == "added"
        other.close()


def test_a_removed_model_is_gone_and_may_come_back(tmp_path: Path) -> None:
    with Registry.open(tmp_path) as registry:
        registry.put(record(1, "alice"))
        registry.put(record(1, "bob"))
        assert registry.remove("m1").owner == "alice"
        assert registry.kin(record(1)) == ()
        assert list(registry.list()) == []
    assert_whole_after_removal(tmp_path)
    with Registry.open(tmp_path) as registry:
        assert registry.put(record(1, "carol")).status == "added"
        assert registry.owners("m1") == ["carol"]
        assert [kin.record.name for kin in registry.kin(record(1))] == ["m1"]
    with Registry.open(tmp_path) as registry:
        assert [kin.record.name for kin in registry.kin(record(1))] == ["m1"]


def assert_whole_after_removal(folder: Path) -> None:
    connection = sqlite3.connect(folder / "registry.sqlite")
    assert connection.execute("SELECT count(*) FROM claims").fetchone() == (0,)
    assert connection.execute("SELECT what FROM changes").fetchall() == [("added",), ("removed",)]
    connection.close()
