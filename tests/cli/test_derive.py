"""``derive``: a model file in, another one and a record of how it was made out."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_tasks import squares, trained

import assay
from assay.cli.deriving import accuracy_text
from assay.derivations import DERIVATIONS
from assay.errors import BadData
from assay.formats import read
from assay.running.examples import Examples

Run = Callable[..., Any]
TORCH = pytest.mark.torch
PRUNE = ("--method", "magnitude-prune", "--output", "child.onnx")
TUNE = (
    "--method", "fine-tune", "--output", "child.onnx", "--data", "data.npz", "--set",
    "training.epochs=1",
)  # fmt: skip
OPTIONS: dict[str, tuple[str, ...]] = {  # for a child in a moment; what is not here takes none
    "fine-tune": ("--set", "training.epochs=1"),
    "transfer": ("--set", "training.epochs=1"),
    "channel-prune": ("--set", "importance=l1"),
    "distill": ("--set", "training.epochs=1", "--student", "mlp"),
    "extract": ("--set", "training.epochs=1"),
}
RECORD_KEYS = {
    "method", "options", "parents", "child", "seed", "data", "student", "accuracy", "seconds",
    "notes", "versions", "files", "output",
}  # fmt: skip


def save(name: str, examples: Examples) -> None:
    np.savez(name, inputs=examples.inputs, labels=examples.known_labels)


def export(name: str, file: str, seed: int = 0) -> None:
    """Write a trained network of the zoo."""
    import torch
    from assay.running.to_onnx import export

    export(trained(name, seed), torch.zeros(1, 1, 8, 8), Path(file))


def sha256(file: str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


@pytest.fixture
def folder(run: Run) -> Path:
    """A trained model, and 200 examples of what it was trained for."""
    export("cnn", "model.onnx")
    save("data.npz", squares(200, 2))
    return Path.cwd()


@TORCH
def test_a_model_is_made_and_a_record_lies_beside_it(run: Run, folder: Path) -> None:
    before = sha256("model.onnx")
    answer = run(
        "derive", "model.onnx", *PRUNE, "--set", "rate=0.75", "--judge", "data.npz", "--json"
    )
    assert (answer.status, answer.err) == (0, "")
    (record,) = answer.json
    assert record == json.loads(Path("child.onnx.lineage.json").read_text())
    assert set(record) == RECORD_KEYS
    assert record["files"] == [{"file": "model.onnx", "sha256": before}]
    size = Path("child.onnx").stat().st_size
    written = {"file": "child.onnx", "sha256": sha256("child.onnx"), "bytes": size}
    assert record["output"] == written
    assert (record["options"]["rate"], record["seed"], record["data"]) == (0.75, 0, None)
    assert record["accuracy"]["parents"][0] > 0.9
    weights = [w.read() for w in read(Path("child.onnx")).weights.values() if len(w.shape) > 1]
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    assert zeros == pytest.approx(0.75 * sum(weight.size for weight in weights), abs=len(weights))
    assert sha256("model.onnx") == before
    assert sorted(file.name for file in folder.iterdir()) == [
        "child.onnx",
        "child.onnx.lineage.json",
        "data.npz",
        "model.onnx",
    ]


@TORCH
def test_people_are_told_what_came_of_it_and_what_to_do_next(run: Run, folder: Path) -> None:
    Path("model.onnx").rename("my model.onnx")
    shown = run("derive", "my model.onnx", *TUNE).out
    rows = {line[:11].strip(): line[13:] for line in shown.splitlines()}
    assert rows["model"] == f"child.onnx, {Path('child.onnx').stat().st_size:,} bytes"
    assert rows["data"] == "160 examples: data.npz train"
    assert rows["accuracy"].count("%") == 2
    assert rows["record"] == "child.onnx.lineage.json"
    compare = rows["to see how"].removeprefix("assay ")
    assert compare == "compare child.onnx 'my model.onnx'"
    assert "same-architecture" in run("compare", "child.onnx", "my model.onnx").out
    without = run("derive", "my model.onnx", *PRUNE).out
    assert "not measured: say on what with --judge" in without
    assert (
        accuracy_text({"parents": [0.5, None], "child": 1.0}) == "50.00%, other classes → 100.00%"
    )


@TORCH
@pytest.mark.parametrize("suffix", [".onnx", ".pt2", ".safetensors", ".ONNX"])
def test_each_kind_of_file_holds_the_model_and_is_the_same_each_time(
    run: Run, folder: Path, suffix: str
) -> None:
    file = f"child{suffix}"
    arguments = ("derive", "model.onnx", "--method", "noise", "--output", file)
    assert run(*arguments).status == 0
    first = sha256(file)
    held = {tuple(sorted(w.shape)) for w in read(Path(file)).weights.values() if len(w.shape) > 1}
    original = read(Path("model.onnx")).weights.values()
    assert held == {tuple(sorted(weight.shape)) for weight in original if len(weight.shape) > 1}
    assert run(*arguments).status == 0
    assert sha256(file) == first
    assert run(*arguments, "--seed", "1").status == 0
    assert sha256(file) != first
    if suffix != ".safetensors":  # it can be derived from, too
        again = run("derive", file, *PRUNE, "--output", "2.onnx", "--judge", "data.npz", "--json")
        assert again.json[0]["accuracy"]["parents"][0] > 0.9


@TORCH
@pytest.mark.parametrize("method", DERIVATIONS)
def test_every_method_runs_on_a_file(run: Run, folder: Path, method: str) -> None:
    models = ["model.onnx"] * (2 if method == "average" else 1)
    given = ("--method", method, "--output", "child.onnx", "--data", "data.npz")
    answer = run("derive", *models, *given, *OPTIONS.get(method, ()), "--json")
    assert (answer.status, answer.err) == (0, "")
    assert answer.json[0]["method"] == method
    assert run("derive", "child.onnx", *PRUNE, "--output", "grandchild.onnx").status == 0


@TORCH
def test_options_inside_options_are_set(run: Run, folder: Path) -> None:
    given = (
        "rates=0.01,0.002", "training.optimizer.name=adam", "training.batch=50",
    )  # fmt: skip
    settings = [part for setting in given for part in ("--set", setting)]
    (record,) = run("derive", "model.onnx", *TUNE, *settings, "--limit", "100", "--json").json
    options = record["options"]
    assert options["rates"] == [0.01, 0.002]
    assert (options["training"]["epochs"], options["training"]["batch"]) == (1, 50)
    assert options["training"]["optimizer"]["name"] == "adam"
    assert record["data"]["examples"] == 100
    pruned = ("derive", "model.onnx", *PRUNE, "--data", "data.npz", "--json")
    (record,) = run(*pruned, "--set", "training.epochs=1").json
    assert record["options"]["training"]["batch"] == 64
    (record,) = run(*pruned, "--set", "training=none").json
    assert record["options"]["training"] is None


@TORCH
def test_several_models_are_merged(run: Run, folder: Path) -> None:
    export("cnn", "other.onnx", seed=1)
    export("mlp", "stranger.onnx")
    merge = ("--method", "average", "--output", "soup.onnx", "--set", "shares=1,0")
    answer = run("derive", "model.onnx", "other.onnx", *merge, "--judge", "data.npz", "--json")
    (record,) = answer.json
    assert [file["file"] for file in record["files"]] == ["model.onnx", "other.onnx"]
    assert record["accuracy"]["child"] == record["accuracy"]["parents"][0]
    answer = run("derive", "model.onnx", "stranger.onnx", *merge)
    assert answer.status == 2
    assert "model.onnx, stranger.onnx: model 2 has another architecture" in answer.error


@TORCH
def test_data_are_laid_out_as_the_model_reads_them(run: Run, folder: Path) -> None:
    from assay.cli._examples import fitted

    known = squares(3, 0)
    for shape in ((64,), (8, 8), (8, 8, 1), (1, 8, 8), (64, 1, 1)):
        laid = fitted(known, shape)
        assert laid.inputs.shape == (3, *shape)
        assert np.array_equal(fitted(laid, (1, 8, 8)).inputs, known.inputs)
    colored = Examples(np.zeros((2, 3, 8, 8)), name="colored")
    for other, shape in ((colored, (192,)), (colored, (8, 8, 3)), (known, (1, 4, 16))):
        with pytest.raises(BadData, match="do not fit the model, which reads"):
            fitted(other, shape)
    save("flat.npz", fitted(squares(200, 2), (64,)))
    (record,) = run("derive", "model.onnx", *PRUNE, "--judge", "flat.npz", "--json").json
    assert record["accuracy"]["parents"][0] > 0.9


def ruin(folder: Path) -> None:
    """Files of which each has something wrong."""
    (folder / "empty.onnx").write_bytes(b"")
    (folder / "cut.onnx").write_bytes((folder / "model.onnx").read_bytes()[:2000])
    os.link(folder / "model.onnx", folder / "linked.onnx")
    (folder / "taken.onnx.lineage.json").mkdir()
    known = squares(40, 0)
    np.savez("unlabelled.npz", inputs=known.inputs)
    np.savez("many.npz", inputs=known.inputs, labels=known.known_labels + 7)
    np.savez("large.npz", inputs=np.zeros((40, 3, 32, 32)), labels=known.known_labels)
    np.savez("none.npz", inputs=known.inputs[:0], labels=known.known_labels[:0])
    np.savez("nan.npz", inputs=known.inputs * np.nan, labels=known.known_labels)
    np.savez("weights.npz", a=np.ones((3, 3)))


@TORCH
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model.onnx"], "Missing option '--method'"),
        (["model.onnx", "--method", "melt", "--output", "child.onnx"], "'melt' is not one of aver"),
        (["model.onnx", "--method", "noise"], "Missing option '--output'"),
        (["model.onnx", *PRUNE, "--output", "child.h5"], "must end with .onnx, .pt2, .safetensors"),
        (["model.onnx", *PRUNE, "--output", "no/child.onnx"], "cannot be written: No such file"),
        (["model.onnx", *PRUNE, "--output", "n" * 300 + ".onnx"], "cannot be written: File name"),
        (["model.onnx", *PRUNE, "--output", "taken.onnx"], "cannot be written: Is a directory"),
        (["model.onnx", *PRUNE, "--output", "model.onnx"], "model.onnx: is a file of model.onnx"),
        (["model.onnx", *PRUNE, "--output", "linked.onnx"], "linked.onnx: is a file of model.onnx"),
        (["model.onnx", *PRUNE, "--set", "color=red"], "of magnitude-prune: rate (float), scope"),
        (["model.onnx", *PRUNE, "--set", "rate"], "--set rate: is not NAME=VALUE"),
        (["model.onnx", *PRUNE, "--set", "rate=x"], "--set rate=x: 'x' is no float"),
        (["model.onnx", *PRUNE, "--set", "scope=all"], "'all' is no layer or global"),
        (["model.onnx", *PRUNE, "--set", "rate=1.0"], "rate must be above 0 and below 1, not 1.0"),
        (["model.onnx", *PRUNE, "--set", "rate=nan"], "rate must be above 0 and below 1, not nan"),
        (["model.onnx", *PRUNE, "--set", "training=all"], "'all' is no none"),
        (["model.onnx", *PRUNE, "--set", "training.epochs=0"], "training.epochs must be 1 or more"),
        (["model.onnx", *PRUNE, "--set", "training.epochs=2"], "needs examples with labels"),
        (["model.onnx", *PRUNE, "--method", "distill"], "distill needs examples"),
        (["model.onnx", *PRUNE, "--limit", "9"], "--limit 9: of which examples?"),
        (["model.onnx", "model.onnx", *PRUNE], "magnitude-prune is made from 1 models, not 2"),
        (["missing.onnx", *PRUNE], "missing.onnx: no such file"),
        (["empty.onnx", *PRUNE], "empty.onnx: the file is empty"),
        (["cut.onnx", *PRUNE], "cut.onnx: "),
        (["weights.npz", *PRUNE], "weights.npz: has no graph"),
        (["mlp.onnx", *PRUNE, "--set", "layers=convolutions"], "mlp.onnx: the model has no conv"),
        (["model.onnx", *PRUNE, "--judge", "unlabelled.npz"], "have no labels"),
        (["model.onnx", *TUNE, "--data", "unlabelled.npz"], "needs labels, and the examples have"),
        (["model.onnx", *TUNE, "--data", "many.npz"], "labels up to 10 do not fit a model of 4"),
        (["model.onnx", *TUNE, "--data", "large.npz"], "3x32x32 do not fit the model, which reads"),
        (["model.onnx", *TUNE, "--data", "none.npz"], "none.npz: no examples"),
        (["model.onnx", *TUNE, "--data", "nan.npz"], "nan.npz: an input is not a finite number"),
        (["model.onnx", *TUNE, "--data", "weights.npz"], "weights.npz: there is no array 'inputs'"),
        (["model.onnx", *TUNE, "--data", "nowhere"], "nowhere"),
        (["model.onnx", *TUNE, "--set", "training.optimizer.rate=1e30"], "model.onnx: the loss is"),
        (["model.onnx", *TUNE, "--student", "unet"], "neither a file nor one of lenet-5"),
        (["model.onnx", *TUNE, "--seed", "-1"], "-1 is not in the range"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    run: Run, folder: Path, arguments: list[str], said: str
) -> None:
    ruin(folder)
    export("mlp", "mlp.onnx")
    before = {file: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    answer = run("derive", *arguments)
    assert (answer.status, answer.out) == (2, "")
    assert said in answer.error
    assert {file: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before


@TORCH
def test_a_model_that_cannot_be_run_is_an_error(run: Run, light_models: dict[str, Path]) -> None:
    from onnx import parser, save

    two = (
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1,2] a, float[1,2] b) => (float[1,2] c)'
    )
    save(parser.parse_model(two + " { c = Add(a, b) }"), "two.onnx")
    flat = '<ir_version: 8, opset_import: ["" : 17]> g (float[9] a) => (float[9] c) { c = Relu(a) }'
    save(parser.parse_model(flat), "flat.onnx")
    assert "two.onnx: has 2 inputs" in run("derive", "two.onnx", *PRUNE).error
    assert "flat.onnx: its input of shape [9] has no" in run("derive", "flat.onnx", *PRUNE).error


@TORCH
def test_a_full_disk_leaves_neither_model_nor_record(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("derive", "model.onnx", *PRUNE).status == 0
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = run("derive", "model.onnx", *PRUNE, "--set", "rate=0.25")
    assert (answer.status, answer.out) == (2, "")
    assert "No space left on device" in answer.error
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def start(code: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    source = str(Path(assay.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-c", code, "derive", *arguments], capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": source},
    )  # fmt: skip


def test_without_the_extra_it_says_what_to_install(run: Run) -> None:
    code = "import sys; sys.modules['torch'] = None; from assay.cli import main; main()"
    done = start(code, "model.onnx", *PRUNE)
    assert done.returncode == 2
    assert done.stderr.startswith(b"assay: magnitude-prune needs PyTorch (")
    assert done.stderr.endswith(b"pip install 'assay[torch]'\n")
    assert done.stderr.count(b"\n") == 1


def test_the_help_has_examples_and_needs_no_extra(run: Run) -> None:
    code = "import sys; sys.modules['torch'] = None; from assay.cli import main; main()"
    done = start(code, "--help")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Examples:\n  assay derive " in done.stdout.replace(b"\n    ", b"\n  ")
