"""``train``: a network of one's own models, whatever they are and however often it is stopped."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from small_trainings import EAGER, kill_after, start

from assay.hashers._network_file import HashNetwork

Run = Callable[..., Any]
TORCH = pytest.mark.torch
SUMMARY_KEYS = {
    "output", "scheme", "categories", "models", "distinct_codes", "bit_entropy", "held_out",
    "graphs", "failed",
}  # fmt: skip
METHOD = ("--method", "hnn-net")  # the one that compares all pairs
QUICK = (*METHOD, "--output", "net.safetensors", "--set", "epochs=2")
IDLE = (
    '<ir_version: 8, opset_import: ["" : 17]> idle (float[1] x) => (float[1] y) { y = Identity(x) }'
)


@pytest.fixture
def zoo(run: Run, light_models: dict[str, Path]) -> Path:
    """Four networks in folders of two categories, one of them deeper."""
    for place in ("plain/bvlc_alexnet", "plain/old/zfnet512", "small/squeezenet", "plain/vgg19"):
        file = Path("zoo") / f"{place}.onnx"
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(light_models[file.stem], file)
    return Path("zoo")


def unreadable(zoo: Path) -> None:
    """Make every model another file, which looks the same from outside."""
    for file in zoo.rglob("*.onnx"):
        stat = file.stat()
        file.write_bytes(b"x" * stat.st_size)
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@TORCH
def test_a_network_of_ones_own_models_hashes_them(run: Run, zoo: Path) -> None:
    answer = run("train", "zoo", *QUICK, "--bits", "32", "--json")
    assert (answer.status, answer.err) == (0, "")
    (about,) = answer.json
    assert set(about) == SUMMARY_KEYS
    assert (about["models"], about["graphs"], about["failed"]) == (4, 40, [])
    assert about["categories"] == ["plain", "small"]
    assert 1 <= about["distinct_codes"] <= 4
    assert 0 <= about["bit_entropy"] <= 1
    assert about["held_out"]["copies"] == 12
    assert about["held_out"]["weisfeiler_lehman"] > 0.5
    network = HashNetwork.load("net.safetensors")
    assert about["scheme"] == f"hnn-net-32@{network.name}+g1"
    assert network.trained["options"]["epochs"] == 2
    (line,) = run("hash", "--json", "--weights", "net.safetensors", "zoo/plain/vgg19.onnx").json
    assert line["code"].startswith(about["scheme"] + ":")
    assert line["category"] in about["categories"]
    assert sorted(map(str, Path().iterdir())) == ["net.safetensors", "zoo"]


@TORCH
def test_the_same_command_gives_the_same_bytes_and_another_seed_others(run: Run, zoo: Path) -> None:
    shown = run("train", "zoo", *QUICK).out
    first = Path("net.safetensors").read_bytes()
    rows = dict(line.split("  ", 1) for line in shown.splitlines() if line.strip())
    assert rows["trained on"] == "40 graphs of 4 models"
    assert "assay hash --weights net.safetensors FILE" in shown
    zoo.rename("elsewhere")
    assert run("train", "elsewhere", *QUICK).status == 0
    assert Path("net.safetensors").read_bytes() == first
    assert run("train", "elsewhere", *QUICK, "--seed", "1").status == 0
    assert Path("net.safetensors").read_bytes() != first


@TORCH
def test_a_training_that_is_killed_goes_on_and_ends_with_the_same_network(
    run: Run, zoo: Path
) -> None:
    arguments = (*METHOD, "zoo", "--output", "net.safetensors", "--set", "epochs=12")
    assert run("train", *arguments, "--output", "whole.safetensors").status == 0
    state = Path("net.safetensors.checkpoint")
    kill_after(start(EAGER, *arguments), state, "models.jsonl")
    entries = (state / "models.jsonl").read_bytes()
    (state / "models.jsonl").write_bytes(entries + b'{"path": "zoo/pl')  # killed while it wrote
    kill_after(start(EAGER, *arguments), state, "checkpoint-*.safetensors")
    unreadable(zoo)  # what was read is not read again
    kill_after(start(EAGER, *arguments), state, "checkpoint-*.part")
    assert not Path("net.safetensors").exists()
    answer = run("train", *arguments, "--json")
    assert (answer.status, answer.err) == (0, "")
    assert Path("net.safetensors").read_bytes() == Path("whole.safetensors").read_bytes()
    assert not state.exists()


@TORCH
def test_an_interrupt_says_how_to_go_on(run: Run, zoo: Path, on_terminal: Run) -> None:
    arguments = ("train", *METHOD, "zoo", "--output", "net.safetensors", "--set", "epochs=100000")
    answer = on_terminal(*arguments, typed=b"\x03", after=b"loss ")
    assert answer.status == 130
    assert "Traceback" not in answer.out
    assert "stopped: the same command goes on from net.safetensors.checkpoint" in answer.out
    for stage in ("Reading", "Comparing", "Training"):
        assert stage in answer.out
    assert not Path("net.safetensors").exists()
    assert Path("net.safetensors.checkpoint/models.jsonl").exists()


@TORCH
def test_a_folder_for_checkpoints_keeps_what_other_trainings_can_use(run: Run, zoo: Path) -> None:
    arguments = ("zoo", *QUICK, "--checkpoint", "deep/state")
    assert run("train", *arguments).status == 0
    first, state = Path("net.safetensors").read_bytes(), Path("deep/state")
    (distances,) = state.glob("distances-*.npz")
    (checkpoint,) = state.glob("checkpoint-*.safetensors")
    assert set(state.iterdir()) == {distances, checkpoint, state / "models.jsonl"}
    unreadable(zoo)
    stamp = distances.stat().st_mtime_ns
    assert run("train", *arguments, "--bits", "16").status == 0
    assert Path("net.safetensors").read_bytes() != first
    assert run("train", *arguments).status == 0
    assert Path("net.safetensors").read_bytes() == first
    assert distances.stat().st_mtime_ns == stamp


@TORCH
def test_a_checkpoint_of_another_training_is_not_taken_up(run: Run, zoo: Path) -> None:
    arguments = (*METHOD, "zoo", "--output", "net.safetensors", "--set", "epochs=1000")
    state = Path("net.safetensors.checkpoint")
    kill_after(start(EAGER, *arguments), state, "checkpoint-*.safetensors")
    assert run("train", "zoo", *QUICK).status == 0
    other = Path("net.safetensors").read_bytes()
    assert run("train", "zoo", *QUICK, "--checkpoint", "another").status == 0
    assert Path("net.safetensors").read_bytes() == other


@TORCH
def test_only_a_checkpoints_own_files_are_removed(run: Run, zoo: Path) -> None:
    Path("net.safetensors.checkpoint").mkdir()
    Path("net.safetensors.checkpoint/mine.txt").write_text("mine")
    assert run("train", "zoo", *QUICK).status == 0
    assert [file.name for file in Path("net.safetensors.checkpoint").iterdir()] == ["mine.txt"]


@TORCH
def test_bad_files_among_good_ones_are_named_and_the_rest_is_trained_on(
    run: Run, zoo: Path
) -> None:
    (zoo / "plain" / "cut.onnx").write_bytes((zoo / "plain" / "vgg19.onnx").read_bytes()[:5000])
    (zoo / "small" / "text.onnx").write_text("no model")
    onnx.save(onnx.parser.parse_model(IDLE), zoo / "small" / "idle.onnx")
    shutil.copy(zoo / "plain" / "vgg19.onnx", zoo / "plain" / "again.onnx")
    shutil.copy(zoo / "plain" / "vgg19.onnx", zoo / "small" / "vgg.onnx")
    shutil.copy(zoo / "plain" / "vgg19.onnx", zoo / "vgg.onnx")
    (zoo / "plain" / "notes.txt").write_text("x")
    answer = run("train", "zoo", *QUICK, "--json")
    assert answer.status == 2
    (about,) = answer.json
    named = [failed["path"] for failed in about["failed"]]
    assert named == [
        "zoo/plain/cut.onnx", "zoo/small/idle.onnx", "zoo/small/text.onnx", "zoo/small/vgg.onnx",
    ]  # fmt: skip
    said = [line for line in answer.err.splitlines() if line.startswith("assay: ")]
    assert said == [f"assay: {failed['error']}" for failed in about["failed"]]
    assert said[1] == "assay: zoo/small/idle.onnx: has no layers to train on"
    assert said[3].endswith("has the layers of zoo/plain/again.onnx, of another category")
    assert [line for line in answer.err.splitlines() if line not in said] == [
        "left out, no known model format: 1",
        "left out, in no category's folder: 1",
        "left out, the layers of another model: 1",
    ]
    assert about["models"] == 4
    assert run("hash", "--weights", "net.safetensors", "zoo/plain/vgg19.onnx").status == 0


@TORCH
def test_two_models_suffice_and_one_does_not(run: Run, zoo: Path) -> None:
    for file in ("plain/vgg19", "plain/bvlc_alexnet"):
        (zoo / f"{file}.onnx").unlink()
    (about,) = run("train", "zoo", *QUICK, "--json").json
    assert about["models"] == 2
    shutil.rmtree(zoo / "small")
    answer = run("train", "zoo", *QUICK)
    assert (answer.status, answer.out) == (2, "")
    assert "training needs two models or more" in answer.error


@TORCH
def test_one_category_needs_a_method_without_categories(run: Run, zoo: Path) -> None:
    shutil.rmtree(zoo / "small")
    answer = run("train", "zoo", *QUICK)
    assert (answer.status, answer.out) == (2, "")
    assert "all models are of one category, 'plain'" in answer.error
    assert "--set classification=0" in answer.error
    without = run("train", "zoo", *QUICK, "--set", "classification=0")
    assert without.status == 0
    (line,) = run("hash", "--json", "--weights", "net.safetensors", "zoo/plain/vgg19.onnx").json
    assert "category" not in line
    assert run("train", "zoo", *QUICK, "--method", "ghashing").status == 0
    assert HashNetwork.load("net.safetensors").method == "ghashing"


@TORCH
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing", *QUICK], "nothing: no such file or folder"),
        (["zoo/plain/vgg19.onnx", *QUICK], "zoo/plain/vgg19.onnx: not a folder"),
        (["empty", *QUICK], "empty: models are not there: put them into empty/<category>/"),
        (["zoo/small", *QUICK], "zoo/small: models are in no folder of their category"),
        (["zoo"], "Missing option '--output'"),
        (["zoo", "--output", "no/such/net"], "--output no/such/net: cannot be written: No such"),
        (["zoo", "--output", "empty"], "--output empty: cannot be written: Is a directory"),
        (["zoo", "--output", "n" * 300], "cannot be written: File name too long"),
        (["zoo", *QUICK, "--checkpoint", "zoo/plain/vgg19.onnx"], "vgg19.onnx: File exists"),
        (
            ["zoo", *QUICK, "--method", "sha1"],
            "'sha1' is not one of boosted-minhash, contrastive-gin",
        ),
        (["zoo", *QUICK, "--bits", "17"], "hnn-net: bits must be one of"),
        (["zoo", *QUICK, "--seed", "-1"], "-1 is not in the range"),
        (["zoo", *QUICK, "--set", "color=red"], "of hnn-net: epochs (int), classification (float)"),
        (["zoo", *QUICK, "--set", "bits=32"], "of hnn-net: epochs (int)"),
        (["zoo", *QUICK, "--set", "epochs"], "--set epochs: is not NAME=VALUE"),
        (["zoo", *QUICK, "--set", "epochs=2.5"], "--set epochs=2.5: '2.5' is no int"),
        (["zoo", *QUICK, "--set", "epochs=0"], "hnn-net: epochs must be 1 or more"),
        (["zoo", *QUICK, "--set", "epochs=" + "9" * 5000], "is no int"),
        (["zoo", *QUICK, "--set", "as_printed=2"], "'2' is no bool"),
        (["zoo", *QUICK, "--set", "quantization=nan"], "quantization must be 0 or more, not nan"),
    ],
)
def test_a_mistake_is_one_line_and_no_training(
    run: Run, zoo: Path, arguments: list[str], said: str
) -> None:
    Path("empty").mkdir()
    answer = run("train", *arguments)
    assert (answer.status, answer.out) == (2, "")
    assert said in answer.error
    assert not [*Path().glob("net*")]


@TORCH
def test_a_folder_of_bad_files_is_an_error_that_names_each(run: Run) -> None:
    for name in ("a/x", "b/y"):
        file = Path("zoo") / f"{name}.onnx"
        file.parent.mkdir(parents=True)
        file.write_text("no model")
    answer = run("train", "zoo", *QUICK)
    assert (answer.status, answer.out) == (2, "")
    assert [line.partition(": ")[2].partition(": ")[0] for line in answer.err.splitlines()] == [
        "zoo/a/x.onnx", "zoo/b/y.onnx", "none of the files can be trained on",
    ]  # fmt: skip


@TORCH
def test_every_method_can_be_trained_and_used(run: Run, zoo: Path) -> None:
    from assay.trainers import TRAINERS

    for method in TRAINERS:
        quick = "views=40" if method == "boosted-minhash" else "epochs=2"
        to = ("--output", "net.safetensors", "--set", quick)
        answer = run("train", "zoo", *to, "--method", method, "--bits", "16", "--json")
        assert answer.status == 0
        assert answer.json[0]["scheme"].startswith(f"{method}-16@")
        again = run("hash", "--weights", "net.safetensors", "zoo/plain/vgg19.onnx")
        assert again.out.startswith(answer.json[0]["scheme"])


def test_without_the_extra_it_says_what_to_install(run: Run) -> None:
    for missing in ("torch", "scipy"):
        code = f"import sys; sys.modules[{missing!r}] = None; from assay.cli import main; main()"
        process = start(code, "zoo", *QUICK)
        _, err = process.communicate()
        assert process.returncode == 2
        assert err.startswith(b"assay: hnn-net needs PyTorch and SciPy (")
        assert err.endswith(b"pip install 'assay[torch]'\n")
        assert err.count(b"\n") == 1
