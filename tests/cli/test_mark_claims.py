"""Marks of logged keys: in ``verify``, and in ``compare`` beside all else."""

from __future__ import annotations

from collections.abc import Callable
from math import log10
from typing import Any

import pytest
from safetensors.numpy import save_file
from small_marks import stranger

Run = Callable[..., Any]
OWN = ("--key", "mine.key", "--controls", "9")
MARK = ("mark", "mine.safetensors", "--key", "mine.key", "--output", "marked.safetensors")


@pytest.fixture
def mine(run: Run) -> None:
    save_file({name: weight.read() for name, weight in stranger().items()}, "mine.safetensors")


def log_key(run: Run) -> tuple[str, ...]:
    """Log mine.key after two others; what shows that it was."""
    assert run("key", "new", "ann.key").status == 0
    own = ("--owner-key", "ann.key", "--opening")
    for number in range(2):
        assert run("log", "commit", str(number) * 64, *own, f"{number}.opening").status == 0
    assert run("log", "head", "--output", "early.txt").status == 0
    logged = ("mine.safetensors", *own, "mine.opening", "--scheme-key", "mine.key")
    assert run("log", "commit", *logged).status == 0
    assert run("log", "head", "--output", "head.txt").status == 0
    for opening in ("mine", "0"):
        prove = ("--opening", f"{opening}.opening", "--head", "head.txt")
        assert run("log", "prove", *prove, "--output", f"{opening}.json").status == 0
    return ("--proof", "mine.json", "--head", "head.txt")


@pytest.mark.usefixtures("mine")
def test_compare_shows_a_mark_and_counts_that_of_a_logged_key(run: Run) -> None:
    """A stranger's weights, which somebody marked with the owner's key: nothing else is shared."""
    assert run(*MARK).status == 0
    proof = log_key(run)
    save_file({name: each.read() for name, each in stranger(1).items()}, "other.safetensors")
    copied = ("mark", "other.safetensors", "--key", "mine.key", "--output", "copied.safetensors")
    assert run(*copied).status == 0
    found = {}
    for path, more in (("copied", ()), ("copied", proof), ("other", proof), ("marked", ())):
        both = ("compare", f"{path}.safetensors", "marked.safetensors", "--key", "mine.key", *more)
        answer = run(*both, "--json")
        (kin,) = answer.json[0]["matches"]
        (mark,) = (e for e in kin["evidence"] if e["method"].startswith("constant-weight("))
        found[path, bool(more)] = (answer.status, kin["relation"], mark["log10_false_alarm"] < -30)
    alone = run("compare", "other.safetensors", "marked.safetensors", "--json").json[0]["verdict"]
    assert found["copied", False] == (0, alone, True)
    assert found["copied", True] == (1, "common-ancestor", True)
    assert found["other", True] == (0, alone, False)
    assert found["marked", False][1:] == ("identical", True)
    own = ("--key", "mine.key", *proof)
    apart = run("compare", "marked.safetensors", "other.safetensors", *own, "--json")
    assert apart.json[0]["verdict"] == alone  # whose mark it is does not make a stranger kin
    (kin,) = apart.json[0]["matches"]
    assert "other.safetensors has no such mark" in kin["evidence"][-1]["detail"]["in_words"]
    based = ("copied.safetensors", "marked.safetensors", "--base", "mine.safetensors")
    assert run("compare", *based, *own).status == 1  # the base has not what is marked
    told = run("compare", "copied.safetensors", "marked.safetensors", "--key", "mine.key", *proof)
    assert "constant-weight: score 1.000" in told.out
    assert "the false alarm is of entry 2 of 3, logged " in told.out
    for arguments, says in (
        (("mine.safetensors", *proof), "are for a --key: give it"),
        (
            ("mine.safetensors", "marked.safetensors", "--key", "mine.key"),
            "of one source: give one",
        ),
        (("mine.safetensors", "--key", "mine.safetensors"), "not a key of assay"),
        (("mine.safetensors", "--key", "mine.key", *proof[:2]), "give both, or neither"),
    ):
        answer = run("compare", "copied.safetensors", *arguments)
        assert answer.status == 2
        assert says in answer.error
    url = run("compare", "http://127.0.0.1:9/", "mine.safetensors", "--key", "mine.key")
    assert url.status == 2


@pytest.mark.usefixtures("mine")
def test_a_logged_key_s_false_alarm_is_corrected_for_all_that_were_logged(run: Run) -> None:
    assert run(*MARK).status == 0
    alone = run("verify", "marked.safetensors", *OWN)
    assert "rests on    one key, fixed before the suspect was seen, of one" in alone.out
    claim = log_key(run)
    both = ("verify", "marked.safetensors", "mine.safetensors", *OWN)
    before, after = (run(*both, *more, "--json").json[0] for more in ((), claim))
    log = after["evidence"]["detail"]["log"]
    uncorrected = before["evidence"]["log10_false_alarm"]
    assert (log["entry"], log["entries"], log["suspects"]) == (2, 3, 2)
    assert log["log10_uncorrected"] == uncorrected
    assert after["evidence"]["log10_false_alarm"] == pytest.approx(uncorrected + log10(3 * 2))
    told = run(*both, *claim)
    assert told.status == 1
    assert "rests on    entry 2 of 3, logged " in told.out
    assert "times 3 entries and 2 suspects" in told.out
    for more, says in (
        (claim[:2], "--proof and --head: give both"),
        (("--proof", "0.json", "--head", "head.txt"), "0.json: the entry is of another key"),
        (("--proof", "mine.json", "--head", "early.txt"), "have it made with --head"),
    ):
        answer = run(*both, *more)
        assert answer.status == 2
        assert says in answer.error
    late = ("--opening", "mine.opening", "--head", "early.txt", "--output", "late.json")
    assert run("log", "prove", *late).status == 0
    refused = run(*both, "--proof", "late.json", "--head", "early.txt")
    assert refused.error.startswith("late.json: too late: ")
