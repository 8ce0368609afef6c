"""Apps on the command line: each model inside is hashed, registered, checked and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples.tflite import INT8, quantization
from small_apps import classifier, packed

Run = Callable[..., Any]
AGREE = Path(__file__).parents[1] / "fixtures" / "agree"
CNN = (AGREE / "cnn.tflite").read_bytes()
ATTENTION = (AGREE / "attention.tflite").read_bytes()


@pytest.fixture
def app(run: Run) -> Path:
    """Two models in an app, one of them under another name, and one that its app encrypted."""
    noise = np.random.default_rng(0).bytes(9000)
    members = {"assets/hit.mp3": CNN, "assets/att.tflite": ATTENTION, "assets/x.tflite": noise}
    return packed(Path("app.apk"), members)


def test_each_model_of_an_app_is_hashed(run: Run, app: Path) -> None:
    Path("cnn.tflite").write_bytes(CNN)
    answer = run("hash", "--json", "app.apk", "cnn.tflite")
    assert answer.status == 2
    assert "encrypted or packed" in answer.error
    names = [f"app.apk!/assets/{name}" for name in ("att.tflite", "hit.mp3", "x.tflite")]
    assert [line["path"] for line in answer.json] == [*names, "cnn.tflite"]
    _, inside, _, outside = answer.json
    assert {**inside, "path": ""} == {**outside, "path": ""}
    (line,) = run("hash", f"{app}!/assets/hit.mp3").out.splitlines()
    assert line == f"{outside['code']}  app.apk!/assets/hit.mp3"


def test_models_of_an_app_are_registered_and_found_again(run: Run, app: Path) -> None:
    folder = Path("apps")
    folder.mkdir()
    packed(folder / "a.ipa", {"Payload/A.app/m.lite": CNN})
    packed(folder / "none.apk", {})
    (folder / "notes.txt").write_text("no model")
    added = run("add", "--json", "--owner", "alice", "apps")
    path = str(Path("apps/a.ipa!/Payload/A.app/m.lite"))
    (line,) = added.json
    assert (line["path"], line["status"], line["name"]) == (path, "added", "m")
    assert line["sha256"] == hashlib.sha256(CNN).hexdigest()
    assert "none.apk: no model among its 9 files" in added.err
    checked = run("check", "--json", "app.apk", "--sarif", "found.sarif")
    assert checked.status == 2  # one could not be read
    found = {each["suspect"]["path"]: each["verdict"] for each in checked.json}
    assert found["app.apk!/assets/hit.mp3"] == "identical"
    assert found["app.apk!/assets/att.tflite"] == "unrelated"
    assert "hit.mp3" in json.dumps(json.loads(Path("found.sarif").read_text()))
    alone = run("check", "--json", "app.apk!/assets/hit.mp3")
    assert (alone.status, alone.json[0]["matches"][0]["owner"]) == (1, "alice")
    assert run("rehash").status == 0
    shown = run("show", "--json", "app.apk!/assets/att.tflite")
    assert shown.json[0]["format"] == "tflite"
    named = run("add", "--name", "mine", "app.apk")
    assert (named.status, "one model" in named.error) == (2, True)


def test_a_model_of_an_app_is_compared(run: Run, app: Path) -> None:
    source = str(AGREE / "cnn.onnx")
    answer = run("compare", "--json", "app.apk!/assets/hit.mp3", source, "--html", "page.html")
    outside = run("compare", "--json", str(AGREE / "cnn.tflite"), source)
    assert answer.status == outside.status == 1
    (inside,), (plain,) = (each.json[0]["matches"] for each in (answer, outside))
    assert inside == plain
    assert "app.apk!/assets/hit.mp3" in Path("page.html").read_text()
    several = run("compare", "app.apk", source)
    assert several.status == 2
    assert "holds 3 models: name one, as app.apk!/assets/att.tflite" in several.error
    gone = run("compare", "app.apk!/assets/gone.tflite", source)
    assert (gone.status, "no 'assets/gone.tflite' in this archive" in gone.error) == (2, True)


def test_what_is_no_app_is_said_to_be_none(run: Run) -> None:
    Path("a.apk").write_bytes(b"PK no more")
    assert run("add", str(AGREE / "cnn.onnx")).status == 0
    for verb in ("hash", "check", "add"):
        answer = run(verb, "a.apk")
        assert answer.status == 2
        assert "a.apk: not a zip archive" in answer.error


@pytest.mark.torch
def test_models_of_apps_are_asked_pictures_of_their_own_size(run: Run) -> None:
    torch = pytest.importorskip("torch")
    assert torch
    signed = {"quantization": quantization([1 / 128], [0])}
    files = [classifier(Path("a"), 8), classifier(Path("b"), 12),
             classifier(Path("c"), 16, INT8, more=signed)]  # fmt: skip
    members = {f"assets/{n}.lite": file.read_bytes() for n, file in zip("abc", files, strict=True)}
    packed(Path("app.apk"), members)
    owner = "app.apk!/assets/a.lite"
    given = ("--json", "--method", "modeldiff", "--inputs", "noise", "--queries", "40")
    said = {}
    for name in "abc":
        answer = run("compare", *given, f"app.apk!/assets/{name}.lite", owner)
        assert answer.status in (0, 1), answer.err
        evidence = next(
            each for each in answer.json[0]["matches"][0]["evidence"] if "access" in each["detail"]
        )
        assert evidence["log10_false_alarm"] is None
        assert name == "c" or evidence["detail"]["distance"] < 0.2  # c was made for other values
        said[name] = evidence["detail"].get("suspect_inputs", "")
    assert said["a"] == ""
    assert "resized to 12×12×1" in said["b"]
    assert "resized to 16×16×1; values 0 … 1 given as -1 … 0.992, as its file says" in said["c"]
