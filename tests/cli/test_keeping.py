"""``add``, ``list``, ``show``, ``remove`` and ``rehash``, and folders full of other things."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_networks import learned, saved

import assay

Run = Callable[..., Any]
ADDED_KEYS = ["path", "sha256", "name", "status", "error"]
LISTED_KEYS = {
    "name", "owner", "added", "path", "sha256", "format", "code", "layers", "parameters", "quality",
    "base",
}  # fmt: skip


def test_add_says_what_became_of_each_file(run: Run, models: Path) -> None:
    Path("bad.onnx").write_text("no model")
    answer = run("add", "--json", "vgg19.onnx", "bad.onnx", "vgg19.onnx", "squeezenet.onnx")
    assert answer.status == 2
    assert [list(line) for line in answer.json] == [ADDED_KEYS] * 4
    assert [line["status"] for line in answer.json] == ["added", "failed", "exists", "added"]
    assert [line["name"] for line in answer.json] == ["vgg19", None, "vgg19", "squeezenet"]
    assert [line["error"] is None for line in answer.json] == [True, False, True, True]
    assert answer.error == answer.json[1]["error"]
    text = run("add", "vgg19.onnx", "zfnet512.onnx")
    assert text.out.splitlines() == [
        "exists  vgg19  (vgg19.onnx)",
        "added   zfnet512  (zfnet512.onnx)",
        "1 added, 1 exists, 0 failed",
    ]
    assert (text.status, text.err) == (0, "")


def test_add_keeps_owner_and_name(run: Run, models: Path) -> None:
    assert run("add", "--owner", "alice", "--name", "eye", "vgg19.onnx").status == 0
    assert run("add", "--owner", "bob", "vgg19.onnx").status == 0
    (shown,) = run("show", "--json", "eye").json
    assert (shown["name"], shown["owner"], shown["owners"]) == ("eye", "alice", ["alice", "bob"])
    for paths in (("vgg19.onnx", "squeezenet.onnx"), (".",)):
        answer = run("add", "--name", "eye", *paths)
        assert answer.status == 2
        assert "--name is for one model" in answer.error


def test_add_walks_folders_and_says_what_it_left_out(run: Run, models: Path) -> None:
    inner = models / "zoo" / "a"
    inner.mkdir(parents=True)
    Path("vgg19.onnx").rename(inner / "VGG.ONNX")
    Path("squeezenet.onnx").rename(models / "zoo" / "squeeze.onnx")
    Path("zfnet512.onnx").rename(models / "zoo" / "b.onnx")
    (inner / "notes.txt").write_text("x")
    (models / "zoo" / "weights.bin").write_text("x")
    (models / "zoo" / "link.onnx").symlink_to(models / "bvlc_alexnet.onnx")
    (inner / "circle").symlink_to(models / "zoo")
    os.mkfifo(inner / "pipe.onnx")
    answer = run("add", "--json", "zoo", "suspect.onnx")
    assert answer.status == 0
    assert [line["path"] for line in answer.json] == [
        "zoo/b.onnx", "zoo/squeeze.onnx", "zoo/a/VGG.ONNX", "suspect.onnx",
    ]  # fmt: skip
    assert answer.err.splitlines() == [
        "left out, no known model format: 2",
        "left out, not a regular file: 1",
        "left out, symbolic link: 2",
    ]


@pytest.mark.parametrize(
    "names",
    [("a.prototxt", "b.caffemodel"), ("a-symbol.json", "a-0000.params"), ("model.json", "a.bin")],
)
def test_models_beside_one_of_several_files_are_not_passed_over(
    run: Run, models: Path, names: tuple[str, str]
) -> None:
    """A folder that is one model by the names of its files may hold others, and folders of them."""
    (models / "zoo" / "inner").mkdir(parents=True)
    for name in names:
        (models / "zoo" / name).write_text("no model")
    Path("vgg19.onnx").rename("zoo/vgg.onnx")
    Path("squeezenet.onnx").rename("zoo/inner/squeeze.onnx")
    answer = run("add", "--json", "zoo")
    found = {line["path"]: line["status"] for line in answer.json}
    assert found == {"zoo": "failed", "zoo/vgg.onnx": "added", "zoo/inner/squeeze.onnx": "added"}


def test_a_link_that_is_named_is_followed(run: Run, models: Path) -> None:
    Path("zoo").mkdir()
    Path("vgg19.onnx").rename("zoo/vgg19.onnx")
    Path("link").symlink_to("zoo")
    Path("link.onnx").symlink_to("squeezenet.onnx")
    answer = run("add", "--json", "link", "link.onnx")
    assert [line["path"] for line in answer.json] == ["link/vgg19.onnx", "link.onnx"]
    assert answer.status == 0


def test_a_folder_that_cannot_be_read_is_named_and_the_rest_goes_on(run: Run, models: Path) -> None:
    part, deep = "d" * 250, models
    here = os.open(models, os.O_RDONLY)
    for _ in range(18):  # a path longer than the system takes: unreadable for everyone
        os.mkdir(part, dir_fd=here)
        below = os.open(part, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here, deep = below, deep / part
    os.close(here)
    answer = run("add", "--json", ".", "missing.onnx")
    assert answer.status == 2
    failed = [line for line in answer.json if line["status"] == "failed"]
    assert [line["path"] == "missing.onnx" for line in failed] == [False, True]
    assert "File name too long" in failed[0]["error"]
    assert len(answer.json) == 7


def test_a_folder_without_models_is_no_error(run: Run) -> None:
    Path("empty").mkdir()
    answer = run("add", "empty")
    assert (answer.status, answer.out) == (0, "0 added, 0 exists, 0 failed\n")


def test_list_shows_what_is_registered(run: Run, registered: Path) -> None:
    answer = run("list", "--json")
    lines = answer.json
    assert sorted(line["name"] for line in lines) == ["bvlc_alexnet", "squeezenet", "vgg19"]
    assert {frozenset(line) for line in lines} == {frozenset(LISTED_KEYS)}
    (bobs,) = run("list", "--json", "--owner", "bob").json
    assert bobs["name"] == "bvlc_alexnet"
    assert run("list", "--json", "--name", "v*", "--owner", "bob").out == ""
    heading, *rows = run("list").out.splitlines()
    assert heading.split() == [
        "NAME", "OWNER", "FORMAT", "LAYERS", "PARAMETERS", "ADDED", "SHA256",
    ]  # fmt: skip
    assert len(rows) == 3
    assert run("list").err == "models: 3\n"


def test_show_tells_all_about_one_model(run: Run, registered: Path) -> None:
    (by_name,) = run("show", "--json", "vgg19").json
    (by_hash,) = run("show", "--json", by_name["sha256"][:12]).json
    assert by_name == by_hash
    assert assay.Record.from_json(by_name).graph is not None
    assert by_name["owners"] == ["alice"]
    shown = run("show", "vgg19").out
    for fact in (by_name["sha256"], by_name["code"], "vgg19.onnx", "alice", "MACs", "MaxPool"):
        assert fact in shown
    answer = run("show", "vgg20")
    assert (answer.status, answer.out) == (2, "")
    assert "vgg19" in answer.error


def test_remove_takes_a_model_out(run: Run, registered: Path) -> None:
    assert run("remove", "vgg19").out == "removed  vgg19 (vgg19.onnx)\n"
    assert "vgg19" not in run("list").out
    (line,) = run("remove", "--json", "--yes", "squeezenet").json
    assert line["name"] == "squeezenet"
    assert run("remove", "vgg19").status == 2
    assert Path("vgg19.onnx").exists()


def test_rehash_changes_every_code_and_those_to_come(run: Run, registered: Path) -> None:
    baseline = ("--hasher", "weisfeiler-lehman")
    (done,) = run("rehash", "--json", *baseline, "--bits", "128").json
    known = {"rehashed": 3, "scheme": "weisfeiler-lehman-128"}
    assert done == {**known, "sketched": 0, "not_sketched": 0}
    run("add", "zfnet512.onnx")
    codes = [line["code"] for line in run("list", "--json").json]
    assert [code.partition("+")[0] for code in codes] == ["weisfeiler-lehman-128"] * 4
    (line,) = run("check", "--json", "suspect.onnx").json
    assert line["matches"][0]["name"] == "squeezenet"
    assert run("rehash", *baseline).out == "4 rehashed: weisfeiler-lehman-64\n"
    assert run("rehash", "--bits", "7").status == 2


def test_rehash_takes_up_a_network_of_ones_own_and_lays_it_down(run: Run, registered: Path) -> None:
    scheme = learned(saved(registered)).scheme
    answer = run("rehash", "--weights", "network.safetensors")
    assert answer.out == f"3 rehashed: {scheme}\n"
    Path("network.safetensors").unlink()
    run("add", "zfnet512.onnx")
    codes = [line["code"] for line in run("list", "--json").json]
    assert [code.partition("+")[0] for code in codes] == [scheme] * 4
    assert run("check", "--json", "suspect.onnx").json[0]["matches"][0]["name"] == "squeezenet"
    back = run("rehash", "--hasher", "weisfeiler-lehman")
    assert back.out == "4 rehashed: weisfeiler-lehman-64\n"


def test_a_new_registry_takes_a_hasher_and_keeps_it(run: Run, models: Path) -> None:
    scheme = learned(saved(models)).scheme
    assert run("add", "--weights", "network.safetensors", "vgg19.onnx").status == 0
    assert run("add", "--weights", "network.safetensors", "zfnet512.onnx").status == 0
    refused = run("add", "--hasher", "weisfeiler-lehman", "squeezenet.onnx")
    assert (refused.status, refused.out) == (2, "")
    assert f"its codes are of {scheme}, not weisfeiler-lehman-64" in refused.error
    assert "'assay rehash'" in refused.error
    assert run("add", "squeezenet.onnx").status == 0
    codes = [line["code"] for line in run("list", "--json").json]
    assert [code.partition("+")[0] for code in codes] == [scheme] * 3


def test_a_lost_network_ends_a_batch_at_once_and_says_the_remedy(
    run: Run, models: Path, tmp_path: Path
) -> None:
    scheme = learned(saved(models)).scheme
    assert run("add", "--weights", "network.safetensors", "vgg19.onnx").status == 0
    (tmp_path / "registry" / f"{scheme}.safetensors").unlink()
    for verb in ("add", "check"):
        answer = run(verb, "vgg19.onnx", "squeezenet.onnx")
        assert (answer.status, answer.out) == (2, "")
        assert f"{scheme}.safetensors: cannot be read" in answer.error
        assert "'assay rehash'" in answer.error
    assert run("rehash", "--weights", "network.safetensors").status == 0
    assert run("check", "vgg19.onnx", "squeezenet.onnx").status == 1
