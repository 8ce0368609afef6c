"""``train`` on zoos: the one that comes with assay, a hub's own, and models beside them."""

import lzma
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_trainings import EAGER, kill_after, start

import assay.zoo
from assay.examine import examine
from assay.hashers._network_file import HashNetwork
from assay.values import Layer
from assay.zoo import Architecture, architectures, read_zoo, write_zoo

Run = Callable[..., Any]
TORCH = pytest.mark.torch
SMALL = ("alexnet", "vgg11", "vgg13", "resnet18", "squeezenet1_1", "mobilenet_v2")
TO = ("--output", "net.safetensors")
QUICK = (*TO, "--set", "views=40", "--set", "functions=2")
NETWORK = (*TO, "--method", "hnn-net", "--set", "epochs=2")


@pytest.fixture
def models(run: Run, light_models: dict[str, Path]) -> Path:
    """Three networks in folders of two categories."""
    for place in ("plain/bvlc_alexnet", "plain/zfnet512", "small/squeezenet"):
        file = Path("models") / f"{place}.onnx"
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(light_models[file.stem], file)
    return Path("models")


def some() -> list[Architecture]:
    return [each for each in architectures() if each.name in SMALL]


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Architecture]]:
    """As if assay came with these few alone."""
    kept = some()
    write_zoo(tmp_path / "few.jsonl.xz", kept)
    monkeypatch.setattr(assay.zoo, "GRAPHS", tmp_path / "few.jsonl.xz")
    assay.zoo._all.cache_clear()
    yield kept
    assay.zoo._all.cache_clear()


def test_models_are_packed_and_nothing_else_is_needed_or_done(run: Run, models: Path) -> None:
    answer = run("train", "models", "--pack", "hub.jsonl.xz", "--json")
    assert (answer.status, answer.err) == (0, "")
    families = ["plain", "small"]
    assert answer.json == [{"zoo": "hub.jsonl.xz", "packed": 3, "families": families, "failed": []}]
    found = read_zoo("hub.jsonl.xz")
    assert {each.name: each.family for each in found} == {
        str(file): file.parent.name for file in models.rglob("*.onnx")
    }
    for each in found:
        assert each.graph == examine(each.name).graph
        assert each.raw == examine(each.name, raw=True).graph
    assert sorted(map(str, Path().iterdir())) == ["hub.jsonl.xz", "models"]
    first = Path("hub.jsonl.xz").read_bytes()
    said = run("train", "models", "--pack", "hub.jsonl.xz").out
    assert Path("hub.jsonl.xz").read_bytes() == first
    assert "packed      3 models of 2 families" in said
    assert "assay train hub.jsonl.xz --output FILE" in said


def test_packing_needs_no_extra(run: Run, models: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from assay.cli import main; main()"
    process = start(code, "models", "--pack", "hub.jsonl.xz")
    _, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert len(read_zoo("hub.jsonl.xz")) == 3


@TORCH
def test_a_network_of_a_hubs_own_zoo_is_as_if_its_files_were_there(run: Run, models: Path) -> None:
    assert run("train", "models", "--pack", "hub.jsonl.xz", *NETWORK).status == 0
    first = HashNetwork.load("net.safetensors")
    models.rename("gone")
    answer = run("train", "hub.jsonl.xz", *NETWORK, "--json")
    (about,) = answer.json
    assert (answer.status, about["models"], about["graphs"]) == (0, 3, 30)
    assert about["categories"] == ["plain", "small"]
    assert HashNetwork.load("net.safetensors").name == first.name
    (line,) = run("hash", "--json", "--weights", TO[1], "gone/plain/zfnet512.onnx").json
    assert line["code"].startswith(about["scheme"])


def test_the_packaged_zoo_and_ones_own_models_are_trained_on_together(
    run: Run, models: Path, packaged: list[Architecture]
) -> None:
    (about,) = run("train", "--zoo", *QUICK, "--json").json
    assert (about["models"], about["graphs"]) == (6, 6)  # it makes its copies as it goes
    assert about["categories"] == sorted({each.family for each in packaged})
    (about,) = run("train", "models", "--zoo", *QUICK, "--json").json
    assert about["models"] == 9
    assert {"plain", "small", "resnet"} <= {*about["categories"]}
    mine = [replace(each, name=f"mine/{each.name}", family="mine") for each in packaged[:2]]
    write_zoo("mine.jsonl.xz", mine)
    answer = run("train", "mine.jsonl.xz", "--zoo", *QUICK, "--json")
    assert answer.json[0]["models"] == 6
    assert "mine" in answer.json[0]["categories"], "what is given comes before what is packaged"
    assert "left out of zoos, the layers or the name of another model: 2" in answer.err
    assert "categories" in run("train", "--zoo", *QUICK).out


@TORCH
def test_a_training_on_zoos_that_is_killed_goes_on(run: Run, models: Path) -> None:
    write_zoo("few.jsonl.xz", some()[:3])
    arguments = ("few.jsonl.xz", "models", *TO, "--method", "contrastive-gin", "--set", "epochs=8")
    assert run("train", *arguments).status == 0
    whole = Path("net.safetensors").read_bytes()
    Path("net.safetensors").unlink()
    state = Path("net.safetensors.checkpoint")
    kill_after(start(EAGER, *arguments), state, "checkpoint-*.safetensors")
    assert not Path("net.safetensors").exists()
    assert run("train", *arguments).status == 0
    assert Path("net.safetensors").read_bytes() == whole
    assert not state.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing option '--output', or '--pack'"),
        (("--pack", "hub.jsonl.xz"), "nothing to train on: give a folder, a zoo's file, or --zoo"),
        (("models", "--pack", "hub.zip"), "--pack hub.zip: call it *.jsonl.xz"),
        (("models", "--pack", "no/hub.jsonl.xz"), "--pack no/hub.jsonl.xz: cannot be written"),
        (("text.jsonl.xz", "--pack", "hub.jsonl.xz"), "text.jsonl.xz: is no file of a zoo"),
        (("cut.jsonl.xz", "--pack", "hub.jsonl.xz"), "cut.jsonl.xz: is no file of a zoo"),
        (("list.jsonl.xz", "--pack", "hub.jsonl.xz"), "list.jsonl.xz: is no file of a zoo"),
        (("odd.jsonl.xz", "--pack", "hub.jsonl.xz"), "odd.jsonl.xz: is no file of a zoo"),
        (("far.jsonl.xz", "--pack", "hub.jsonl.xz"), "an edge leads to no layer"),
        (("wide.jsonl.xz", "--pack", "hub.jsonl.xz"), "a layer has the shape (1, 1180591620717"),
        (("old.jsonl.xz", "--pack", "hub.jsonl.xz"), "old.jsonl.xz: its layer graphs are of rules"),
        (("none.jsonl.xz", "--pack", "hub.jsonl.xz"), "none.jsonl.xz: no such file or folder"),
        (("models", "none.jsonl.xz", *TO), "none.jsonl.xz: no such file or folder"),
        (("--zoo", "none.jsonl.xz", *TO), "none.jsonl.xz: no such file or folder"),
        (("--zoo", "empty.jsonl.xz", *TO), "empty.jsonl.xz: is no file of a zoo: it is empty"),
        (("models", "cut.jsonl.xz", *TO), "cut.jsonl.xz: is no file of a zoo: it is cut short"),
        (("models", "text.jsonl.xz", *TO), "text.jsonl.xz: is no file of a zoo: Input format"),
        (("folder.jsonl.xz", *TO), "folder.jsonl.xz: models are not there: put them into folder."),
        (("hollow.jsonl.xz", *TO), "none of the files can be trained on"),
    ],
)
def test_a_mistake_is_one_line(
    run: Run, models: Path, arguments: tuple[str, ...], said: str
) -> None:
    Path("text.jsonl.xz").write_text("no zoo")
    Path("empty.jsonl.xz").touch()
    Path("folder.jsonl.xz").mkdir()
    write_zoo("hollow.jsonl.xz", [])
    write_zoo("cut.jsonl.xz", some()[:1])
    Path("cut.jsonl.xz").write_bytes(Path("cut.jsonl.xz").read_bytes()[:-50])
    Path("list.jsonl.xz").write_bytes(lzma.compress(b"[[1, 2]]\n{}\n"))
    Path("odd.jsonl.xz").write_bytes(lzma.compress(b'[["Relu",[1],0,0,[]]]\n'))
    (one, *_) = some()
    write_zoo("far.jsonl.xz", [replace(one, graph=replace(one.graph, edges=((-1, 0),)))])
    wide = replace(one.graph, layers=(Layer("Relu", (1, 2**70)),), edges=())
    write_zoo("wide.jsonl.xz", [replace(one, graph=wide)])
    write_zoo("old.jsonl.xz", [replace(one, graph=replace(one.graph, rules="g0"))])
    before = sorted(Path().rglob("*"))
    answer = run("train", *arguments)
    assert (answer.status, answer.out) == (2, "")
    assert said in answer.error
    assert sorted(Path().rglob("*")) == before, "nothing is written"
