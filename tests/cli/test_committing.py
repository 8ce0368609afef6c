"""``assay commit``, and ``compare --commitment``: whoever accuses does not choose his queries."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.fingerprints import Commitment

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

Run = Callable[..., Any]
HOW = ("--method", "label-agreement", "--inputs", "held.npz", "--queries", "16")
STRANGERS = ("--references", "strangers")
BEACON = "9F86d081884c7d65"


def asked(run: Run, *arguments: str) -> dict[str, Any]:
    """The detail of the evidence from answers, to a command that succeeds."""
    answer = run("compare", "--json", *arguments)
    assert answer.status in (0, 1), answer.err
    evidence = answer.json[0]["matches"][0]["evidence"]
    (found,) = [each["detail"] for each in evidence if "access" in each["detail"]]
    return dict(found)


@pytest.mark.usefixtures("asked")
def test_queries_follow_from_what_was_logged_and_from_the_beacon(run: Run) -> None:
    said = run("commit", "--json", "mine.onnx", *HOW, *STRANGERS, "--output", "claim.json")
    assert said.status == 0
    (about,) = said.json
    logged = Commitment.parse(Path("claim.json").read_text())
    assert about == {"path": "claim.json", "digest": logged.digest, "method": logged.method}
    assert logged.method == "LabelAgreement(count=16)"
    assert len(logged.references) == 3
    assert len(logged.nonce) == 64
    given = ("copy.onnx", "mine.onnx", *HOW, *STRANGERS, "--commitment", "claim.json", "--beacon")
    spellings = (BEACON, f"0x{BEACON.lower()}", f"00{BEACON}")
    first, *again = (asked(run, *given, beacon) for beacon in spellings)
    assert again == [first, first]
    assert (first["commitment"], first["beacon"]) == (logged.digest, BEACON.lower())
    other = asked(run, *given, "10")
    assert other["queries_sha256"] != first["queries_sha256"]
    page = run("compare", *given, BEACON, "--html", "page.html")
    assert "--commitment claim.json" in Path("page.html").read_text()
    assert page.status in (0, 1)


@pytest.mark.usefixtures("asked")
def test_what_was_not_committed_to_is_refused(run: Run) -> None:
    assert run("commit", "mine.onnx", *HOW, *STRANGERS, "--output", "claim.json").status == 0
    held = np.load("held.npz")
    np.savez("fewer.npz", inputs=held["inputs"][:60], labels=held["labels"][:60])
    drawn = ("--commitment", "claim.json", "--beacon", BEACON)
    replaced = {
        "the method": [*HOW[:-1], "20"],
        "the method ": ["--method", "akh", *HOW[2:]],
        "the inputs": [*HOW[:2], "--inputs", "fewer.npz", *HOW[4:]],
    }
    for what, how in replaced.items():
        answer = run("compare", "copy.onnx", "mine.onnx", *how, *STRANGERS, *drawn)
        assert answer.status == 2
        assert answer.error == f"claim.json: {what.strip()} of this command was not committed to"
    shutil.copy("strangers/1.onnx", "one.onnx")
    for sources, more, reason in (
        (("copy.onnx", "stranger.onnx"), STRANGERS, "the owner's model of this command"),
        (("copy.onnx", "mine.onnx"), ("--references", "one.onnx"), "the references of this"),
        (("copy.onnx", "mine.onnx"), (), "the references of this command"),
        (("copy.onnx", "mine.onnx"), (*STRANGERS, "--seed", "5"), "--seed follows"),
    ):
        answer = run("compare", *sources, *HOW, *more, *drawn)
        assert (answer.status, reason in answer.error) == (2, True), answer.err


@pytest.mark.usefixtures("asked")
def test_mistakes_are_one_line(run: Run) -> None:
    Path("claim.json").write_text(json.dumps({"method": "x"}))
    both = ("compare", "copy.onnx", "mine.onnx", *HOW)
    for arguments, reason in (
        ((*both, "--commitment", "claim.json"), "give both"),
        ((*both, "--beacon", "12"), "give both"),
        ((*both, "--beacon", "dawn", "--commitment", "claim.json"), "hexadecimal"),
        ((*both, "--beacon", "12", "--commitment", "claim.json"), "not a commitment"),
        ((*both, "--beacon", "12", "--commitment", "gone.json"), "No such file"),
        (("compare", "copy.onnx", "mine.onnx", "--beacon", "12"), "name one"),
        (("commit", "mine.onnx", "--output", "new.json"), "give both"),
        (("commit", "mine.onnx", *HOW, "--output", "claim.json"), "is there already"),
        (("commit", "mine.onnx", *HOW, "--references", ".", "--output", "n"), "is one of them"),
    ):
        answer = run(*arguments)
        assert (answer.status, reason in answer.error) == (2, True), answer.err
    assert not Path("new.json").exists()


@pytest.mark.usefixtures("asked")
def test_several_methods_are_committed_to_as_they_will_ask(run: Run) -> None:
    how = ("--method", "all", "--inputs", "noise", "--queries", "40")
    assert run("commit", "mine.onnx", *how, "--output", "claim.json").status == 0
    logged = Commitment.parse(Path("claim.json").read_text())
    assert "ModelDiff(pairs=20" in logged.method
    assert "DatasetInference" not in logged.method  # no samples of it within 40 queries
