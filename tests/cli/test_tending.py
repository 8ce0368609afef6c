"""Verbs about weights: registry key, rehash, add --base, check with filters, hash --sketch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_weights import moved, network, renamed, saved

from assay.values import WeightSketch

Run = Callable[..., Any]
BASE = network(0)


@pytest.fixture
def registered(run: Run) -> None:
    saved(Path(), "base", BASE)
    saved(Path(), "child", moved(BASE, 1, 0.35))
    saved(Path(), "sibling", moved(BASE, 2, 0.35))
    saved(Path(), "copy", renamed(BASE, "x"))
    assert run("add", "base.safetensors", "--owner", "hub", "--base").status == 0
    assert run("add", "child.safetensors", "--owner", "ann").status == 0


@pytest.mark.usefixtures("registered")
def test_what_a_public_base_explains_needs_no_review(run: Run) -> None:
    answer = run("check", "sibling.safetensors")
    assert answer.status == 0
    assert "Verdict: common-ancestor (nothing to review)" in answer.out
    assert "explained by the public base base, which both come from" in answer.out
    assert "a public base, registered as one that everybody may build on" in answer.out
    (line,) = run("check", "--json", "sibling.safetensors").json
    assert {match["name"]: match["explained_by"] for match in line["matches"]} == {
        "base": "base", "child": "base",
    }  # fmt: skip
    page = Path("page.html")
    assert run("check", "sibling.safetensors", "--html", str(page)).status == 0
    assert "explained by the public base base" in page.read_text()
    assert run("check", "child.safetensors").status == 1
    assert "what comes from it is explained" in run("show", "base").out
    assert [line["base"] for line in run("list", "--json").json] == [True, False]


@pytest.mark.usefixtures("registered")
def test_check_leaves_out_what_only_an_owner_claims_and_keeps_to_a_tolerance(run: Run) -> None:
    (line,) = run("check", "--json", "child.safetensors", "--exclude-owner", "ann").json
    assert [match["owner"] for match in line["matches"]] == ["hub"]
    for wrong in ("0", "1", "2", "x", "nan"):
        answer = run("check", "copy.safetensors", "--tolerance", wrong)
        assert (answer.status, answer.out) == (2, "")
        assert "tolerance" in answer.error
    for tolerance, found in (("1e-6", 2), ("1e-90", 0)):
        (line,) = run("check", "--json", "copy.safetensors", "--tolerance", tolerance).json
        assert len(line["matches"]) == found


@pytest.mark.usefixtures("registered")
def test_a_key_is_shown_without_its_secret_backed_up_and_put_back(run: Run, tmp_path: Path) -> None:
    shown = run("registry", "key")
    assert shown.status == 0
    assert "projection-256@" in shown.out
    (line,) = run("registry", "key", "--json").json
    (key,) = line["keys"]
    assert (key["models"], key["current"]) == (2, True)
    assert run("registry", "key", "--backup", "backup.json").status == 0
    secret = json.loads(Path("backup.json").read_text())["keys"][0]["secret"]
    assert secret not in shown.out
    (tmp_path / "registry" / "sketch-keys.json").unlink()
    lost = run("check", "copy.safetensors")
    assert lost.status == 2
    assert "put it back with 'assay registry key --restore FILE'" in lost.error
    assert run("registry", "key", "--restore", "backup.json").status == 0
    assert run("check", "copy.safetensors").out.count("same-model") >= 1
    answer = run("registry", "key", "--restore", "nowhere.json")
    assert (answer.status, answer.error.startswith("nowhere.json: no such file")) == (2, True)


@pytest.mark.usefixtures("registered")
def test_a_rotation_says_what_it_could_not_read(run: Run) -> None:
    Path("child.safetensors").rename("elsewhere")
    answer = run("registry", "key", "--rotate", "--json")
    assert answer.status == 0
    assert "not sketched: child.safetensors: no such file" in answer.err
    (line,) = answer.json
    assert (line["sketched"], line["not_sketched"]) == (1, 1)
    assert [(key["models"], key["current"]) for key in line["keys"]] == [(1, False), (1, True)]
    Path("elsewhere").rename("child.safetensors")
    (done,) = run("rehash", "--json").json
    assert (done["sketched"], done["not_sketched"]) == (1, 0)
    assert run("rehash").out.endswith("rehashed: boosted-minhash-64@fc126a12\n")


def test_mistakes_are_named(run: Run) -> None:
    answer = run("registry", "key", "--rotate", "--backup", "x")
    assert (answer.status, "give one of them" in answer.error) == (2, True)
    answer = run("registry", "key")
    assert (answer.status, "no registry there" in answer.error) == (2, True)


def test_names_of_owners_stand_for_keys_and_are_listed(run: Run) -> None:
    ann, kim = "a" * 64, "b" * 64
    assert "no registry there" in run("registry", "owner").error
    (row,) = run("registry", "owner", "Ann", "--public", ann, "--json").json
    assert (row["owner"], row["public"], row["status"]) == ("Ann", ann, "added")
    assert run("registry", "owner", "Ann", "--public", ann, "--json").json[0]["status"] == "exists"
    refused = run("registry", "owner", "Ann", "--public", kim)
    assert (refused.status, "stands for another key here" in refused.error) == (2, True)
    assert run("registry", "owner", "Kim", "--public", kim).status == 0
    lines = [line.split() for line in run("registry", "owner").out.splitlines()]
    assert [(line[0], line[-1]) for line in lines] == [
        ("OWNER", "KEY"), ("Ann", ann), ("Kim", kim),
    ]  # fmt: skip
    replaced = run("registry", "owner", "Ann", "--public", kim, "--replace", "--json").json
    assert [(each["public"], each["status"]) for each in replaced] == [(kim, "replaced")]
    for more, error in (
        (("Eve",), "owner 'Eve': the name stands for no key here"),
        (("Eve", "--public", "12"), "takes a name, and a public key of 64 hexadecimal digits"),
        (("--public", ann), "give the NAME, too"),
        (("Ann", "--replace"), "give --public, too"),
    ):
        refused = run("registry", "owner", *more)
        assert (refused.status, error in refused.error) == (2, True)


@pytest.mark.usefixtures("registered")
def test_a_sketch_is_given_to_programs_alike_whoever_asks(run: Run) -> None:
    lines = run("hash", "--json", "--sketch", "base.safetensors", "copy.safetensors").json
    first, second = (line["sketch"] for line in lines)
    assert first["scheme"] == "projection-256@public+s2"
    assert WeightSketch.from_json(first).to_json() == first
    assert [row[4] for row in first["tensors"]] == [row[4] for row in second["tensors"]]
    assert any(row[4] for row in first["tensors"])
    assert "sketch" not in run("hash", "--json", "child.safetensors").json[0]
    answer = run("hash", "--sketch", "child.safetensors")
    assert (answer.status, answer.out) == (2, "")
    assert "give it with --json" in answer.error
