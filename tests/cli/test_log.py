"""Verbs of keys and of the log: key new and show; log commit, head, show, stamp, prove, verify."""

import hashlib
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, _NamedTextIOWrapper
from small_authority import Authority
from small_weights import network, saved

import assay
from assay.cli import main

Run = Callable[..., Any]
SCHEME = "uchida(bits=64)"


@pytest.fixture
def owners(run: Run) -> Run:
    """Ann's key and Bob's, a model, a watermark's key."""
    for name in ("ann", "bob"):
        assert run("key", "new", f"{name}.key").status == 0
    saved(Path(), "model", network(0))
    Path("wm.key").write_bytes(b"a watermark's key")
    return run


@pytest.fixture
def committed(owners: Run) -> Run:
    """Ann committed first, Bob second; the head after each is kept."""
    for name in ("ann", "bob"):
        assert commit(owners, name).status == 0
        assert owners("log", "head", "--output", f"{name}.head").status == 0
    return owners


def commit(run: Run, name: str, *more: str) -> Any:
    return run("log", "commit", "model.safetensors", "--owner-key", f"{name}.key", "--opening",
        f"{name}.opening", "--scheme", SCHEME, "--scheme-key", "wm.key", *more)  # fmt: skip


def test_a_key_is_made_once_and_shown_without_its_secret(run: Run) -> None:
    made = run("key", "new", "a.key", "--json")
    (about,) = made.json
    assert (about["path"], about["kind"], about["sealed"]) == ("a.key", "owner", False)
    assert stat.S_IMODE(Path("a.key").stat().st_mode) == 0o600
    again = run("key", "new", "a.key")
    assert (again.status, again.out) == (2, "")
    assert again.error == "a.key: is there already: a key replaces nothing"
    shown = run("key", "show", "a.key")
    assert shown.out == f"owner  {about['public']}  not sealed  (a.key)\n"
    Path("b.key").write_text("no key")
    some = run("key", "show", "--json", "none.key", "b.key", "a.key")
    assert (some.status, some.json) == (2, [about])
    assert some.err.splitlines() == [
        "assay: none.key: No such file or directory",
        "assay: b.key: is no key file of assay: 'assay key new' makes one",
    ]


def test_a_sealed_key_asks_for_its_passphrase(
    owners: Run, on_terminal: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = "abd\nabc\nabc\nabc\n"  # the second is another than the first: both once more
    unasked = CliRunner().invoke(main, ["key", "new", "c.key", "--passphrase"], input=typed)
    assert unasked.exit_code == 2
    assert "asked for on a terminal: give --passphrase-file" in unasked.stderr
    with monkeypatch.context() as patch:
        patch.setattr(_NamedTextIOWrapper, "isatty", lambda _: True, raising=False)
        made = CliRunner().invoke(main, ["key", "new", "c.key", "--passphrase"], input=typed)
    assert made.exit_code == 0
    assert "  sealed  (c.key)" in made.stdout
    assert "abc" not in made.stdout + made.stderr
    refused = commit(owners, "c")
    assert refused.error == "c.key: is sealed by a passphrase: give --passphrase-file"
    for text, said in (("\n", "its first line is empty"), ("abd\n", "the passphrase is wrong")):
        Path("phrase").write_text(text)
        refused = commit(owners, "c", "--passphrase-file", "phrase")
        assert (refused.status, said in refused.error) == (2, True)
    assert not Path("c.opening").exists()
    arguments = ("commit", "1" * 64, "--owner-key", "c.key", "--opening", "typed.opening")
    shown = on_terminal("log", *arguments, typed=b"abc\n", after=b"Passphrase of c.key: ")
    assert shown.status == 0, shown.out
    Path("phrase").write_text("abc\nwhatever\n")
    assert commit(owners, "c", "--passphrase-file", "phrase").status == 0


def test_a_commitment_is_logged_once_and_its_opening_kept_secret(owners: Run) -> None:
    first = commit(owners, "ann", "--json")
    (line,) = first.json
    assert (line["index"], line["status"], line["opening"]) == (0, "added", "ann.opening")
    assert stat.S_IMODE(Path("ann.opening").stat().st_mode) == 0o600
    opening = json.loads(Path("ann.opening").read_text())["statement"]
    assert opening["model"] == hashlib.sha256(Path("model.safetensors").read_bytes()).hexdigest()
    assert opening["key"] == hashlib.sha256(b"a watermark's key").hexdigest()
    assert opening["scheme"] == SCHEME
    Path("ann.opening").unlink()  # lost: the same command makes it again
    (again,) = commit(owners, "ann", "--json").json
    assert again == {**line, "status": "exists"}
    other = commit(owners, "bob", "--opening", "ann.opening")
    assert other.error == "ann.opening: is there already: an opening replaces nothing"
    assert len(owners("log", "show", "--json").json) == 1
    shown = owners("log", "show", "0")
    assert shown.out.splitlines()[1].split() == ["0", line["logged"], "0", line["commitment"]]
    for missing in ("1", str(10**23)):
        none = owners("log", "show", missing)
        assert (none.status, none.error) == (2, f"entry {missing}: the log has 1, from 0 on")
    database = Path("../registry/registry.sqlite").read_bytes()
    assert opening["model"].encode() not in database
    assert opening["owner"].encode() not in database


def test_a_proof_is_checked_without_the_registry(committed: Run) -> None:
    run = committed
    for name in ("ann", "bob"):
        proved = run("log", "prove", "--opening", f"{name}.opening", "--head", "bob.head",
            "--output", f"{name}.proof")  # fmt: skip
        assert proved.status == 0
    (head,) = run("log", "head", "--json").json
    shutil.rmtree("../registry")
    answer = run("log", "verify", "bob.proof", "ann.proof", "--head", "bob.head")
    assert answer.status == 0
    assert "bob.proof: proved\n  entry        1 of 2 in assay.registry/" in answer.out
    assert "tries        2: a claim's p-value is multiplied by so many" in answer.out
    assert answer.out.endswith(
        "Registered first: entry 0.\n"
        "The log shows who registered first, not who made the model first.\n"
    )
    ann, bob = run("log", "verify", "ann.proof", "bob.proof", "--head", "bob.head", "--model",
        "model.safetensors", "--scheme-key", "wm.key", "--json").json  # fmt: skip
    assert (ann["index"], bob["index"], ann["tries"]) == (0, 1, 2)
    assert ann["statement"]["owner"] == run("key", "show", "ann.key", "--json").json[0]["public"]
    by_key = run("log", "verify", "ann.proof", "--log-key", head["log"])
    assert by_key.status == 0
    assert "tries        not known: give a --head that you kept" in by_key.out


def test_an_entry_that_came_after_the_kept_head_is_too_late(committed: Run) -> None:
    assert committed("log", "prove", "1", "--head", "ann.head", "--output", "p").status == 0
    answer = committed("log", "verify", "p", "--head", "ann.head")
    assert answer.status == 1
    assert "too late     it was not yet in the log when the head was kept" in answer.out
    assert "sealed       what it is of, it does not show" in answer.out
    (line,) = committed("log", "verify", "p", "--head", "ann.head", "--json").json
    assert (line["before_head"], line["tries"], line["statement"]) == (False, None, None)


def test_what_a_proof_does_not_show_ends_with_1_and_what_is_none_with_2(committed: Run) -> None:
    run = committed
    assert run("log", "prove", "0", "--output", "sealed").status == 0
    assert run("log", "prove", "--opening", "ann.opening", "--output", "opened").status == 0
    refused = (
        ("sealed", ["--model", "1" * 64], "the entry is not opened: it may be of anything"),
        ("opened", ["--model", "1" * 64], "the entry is of another model"),
        ("opened", ["--scheme-key", "ann.key"], "the entry is of another key"),
        ("opened", ["--head", "ann.head"], "does not begin at the trusted head"),
    )
    for proof, options, why in refused:
        trusted = [] if "--head" in options else ["--head", "bob.head"]
        answer = run("log", "verify", proof, *trusted, *options)
        assert answer.status == 1
        assert f"{proof}: not proved: " in answer.out
        assert why in answer.out
    (line,) = run("log", "verify", "opened", "--head", "ann.head", "--json").json
    assert (line["proved"], line["index"], line["statement"]) == (False, None, None)
    Path("damaged").write_text(Path("opened").read_text().replace('"index": 0', '"index": 1'))
    Path("cut").write_bytes(Path("opened").read_bytes()[:-9] + b"\xff")
    answer = run("log", "verify", "damaged", "cut", "opened", "none", "--head", "bob.head")
    assert answer.status == 2
    assert "opened: proved" in answer.out  # a batch goes on
    assert answer.err.splitlines() == [
        "assay: damaged: is a damaged proof: have it made again",
        "assay: cut: is no text, or too long",
        "assay: none: No such file or directory",
    ]


def test_an_audit_finds_what_was_changed(committed: Run) -> None:
    assert committed("log", "audit").out == "2 entries, all as they were signed\n"
    connection = sqlite3.connect("../registry/registry.sqlite")
    connection.execute("DROP TRIGGER log_changed")
    connection.execute("UPDATE log SET logged = '2001-01-01T00:00:00Z' WHERE position = 1")
    connection.commit()
    connection.close()
    answer = committed("log", "audit", "--head", "bob.head", "--json")
    assert answer.status == 1
    assert answer.json == [{"entries": 2, "whole": False, "wrong": ["entry 1 was changed"]}]
    assert committed("log", "audit").out == "entry 1 was changed\n"


def test_a_time_stamp_is_asked_for_kept_and_shown(committed: Run, tmp_path: Path) -> None:
    run, authority = committed, Authority(tmp_path / "authority", "Time stamps")
    root = str(authority.root)
    assert run("log", "request", "1", "--output", "request.tsq").status == 0
    Path("answer.tsr").write_bytes(authority.answer(Path("request.tsq").read_bytes()))
    assert "say whose time stamps you trust" in run("log", "stamp", "1", "answer.tsr").error
    wrong = run("log", "stamp", "0", "answer.tsr", "--authority", root)
    assert wrong.error == "answer.tsr: the time stamp is of something else"
    stamped = run("log", "stamp", "1", "answer.tsr", "--authority", root)
    assert stamped.out.endswith("CN=Time stamps\n")
    assert run("log", "show", "1", "--json").json[0]["stamps"] == 1
    assert run("log", "prove", "1", "--output", "proof").status == 0
    checked = run("log", "verify", "proof", "--head", "bob.head", "--authority", root)
    assert " by CN=Time stamps\n" in checked.out
    unchecked = run("log", "verify", "proof", "--head", "bob.head")
    assert "stamps       1 not checked: give --authority" in unchecked.out
    (line,) = run("log", "verify", "proof", "--head", "bob.head", "--json").json
    assert (line["stamps"], line["stamps_not_checked"]) == ([], 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", "p"], "--head, --log-key: say what you trust, for one of them"),
        (["verify", "p", "--log-key", "x"], "is no key of a log: 'assay log head --json' shows it"),
        (["verify", "p", "--head", "ann.key"], "ann.key: is no tree head, or a damaged one"),
        (["prove", "--output", "p"], "give an ENTRY, or --opening and what opens it"),
        (["prove", "7", "--output", "p"], "entry 7: the log has 2, from 0 on"),
        (["prove", "0", "--output", "none/p"], "--output none/p: not a file in an existing folder"),
        (["prove", "0", "--output", "p", "--opening", "ann.key"], "ann.key: is no opening, or a"),
        (["prove", "1", "--output", "p", "--opening", "ann.opening"], "not the one of entry 1"),
        (["show", "2"], "entry 2: the log has 2, from 0 on"),
        (["head", "--registry", "none"], "none: no registry there"),
    ],
)
def test_a_mistake_is_one_line(committed: Run, arguments: list[str], said: str) -> None:
    answer = committed("log", *arguments)
    assert (answer.status, answer.out) == (2, "")
    assert said in answer.error


def test_a_wrong_commitment_leaves_nothing_behind(owners: Run) -> None:
    base = ["log", "commit", "model.safetensors", "--owner-key", "ann.key", "--opening"]
    for options, said in (
        (["o", "--fingerprint", "x"], "fingerprint: is not 64 hexadecimal digits"),
        (["o", "--scheme-key", "none"], "none: No such file or directory"),
        (["none/o"], "--opening none/o: not a file in an existing folder"),
    ):
        answer = owners(*base, *options)
        assert (answer.status, said in answer.error) == (2, True)
    assert not Path("o").exists()
    assert not Path("../registry").exists()
    by_hash = owners("log", "commit", "1" * 64, "--owner-key", "ann.key", "--opening", "o")
    assert by_hash.status == 0
    assert json.loads(Path("o").read_text())["statement"]["model"] == "1" * 64


WITHOUT = """
import sys
sys.modules |= dict.fromkeys(["cryptography", "rfc3161_client"])  # as if not installed
from assay.cli import main
for line in sys.stdin:
    try:
        main(line.split())
    except SystemExit as end:
        print(end.code, flush=True)
"""


def test_without_the_extra_signing_names_it_and_looking_works(committed: Run) -> None:
    lines = {
        "key new c.key": "2\n",
        "log commit model.safetensors --owner-key ann.key --opening c": "2\n",
        "log request 0 --output r": "2\n",
        "log audit": "2\n",
        "log prove 0 --output sealed": "entry 0 of 2  (sealed)\n0\n",
        "key show ann.key --json": None,
        "log head": None,
    }
    environment = {**os.environ, "PYTHONPATH": str(Path(assay.__file__).parents[1])}
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT], input="\n".join(lines), capture_output=True, text=True,
        env=environment, check=True,
    )  # fmt: skip
    assert run.stdout.startswith("".join(said for said in lines.values() if said is not None))
    assert run.stdout.count("\n0\n") == 3
    assert [error.partition(" need a library (")[0] for error in run.stderr.splitlines()] == [
        f"assay: {what}" for what in ("keys", "commitments", "time stamps", "signatures")
    ]
    assert run.stderr.count("pip install 'assay[crypto]'") == 4
