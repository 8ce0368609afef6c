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
from small_files import save_examples, save_network
from small_tasks import squares

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
    "notes", "versions", "files", "output", "student_from",
}  # fmt: skip


def sha256(file: str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


@TORCH
def test_a_model_is_made_and_a_record_lies_beside_it(run: Run, task: Path) -> None:
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
    assert sorted(file.name for file in task.iterdir()) == [
        "child.onnx",
        "child.onnx.lineage.json",
        "data.npz",
        "model.onnx",
    ]


@TORCH
def test_people_are_told_what_came_of_it_and_what_to_do_next(run: Run, task: Path) -> None:
    Path("model.onnx").rename("my model.onnx")
    shown = run("derive", "my model.onnx", *TUNE).out
    rows = {line[:11].strip(): line[13:] for line in shown.splitlines()}
    assert rows["model"] == f"child.onnx, {Path('child.onnx').stat().st_size:,} bytes"
    assert rows["data"] == "240 examples: data.npz train"
    assert rows["accuracy"].count("%") == 2
    assert rows["record"] == "child.onnx.lineage.json"
    compare = rows["to see how"].removeprefix("assay ")
    assert compare == "compare child.onnx 'my model.onnx'"
    assert "(to be reviewed)" in run("compare", "child.onnx", "my model.onnx").out
    without = run("derive", "my model.onnx", *PRUNE).out
    assert "not measured: say on what with --judge" in without
    assert (
        accuracy_text({"parents": [0.5, None], "child": 1.0}) == "50.00%, other classes → 100.00%"
    )


@TORCH
@pytest.mark.parametrize("suffix", [".onnx", ".packed", ".pt2", ".safetensors"])
def test_each_kind_of_file_holds_the_model_and_is_the_same_each_time(
    run: Run, task: Path, suffix: str
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
    if suffix not in (".packed", ".safetensors"):  # it can be derived from, too
        again = run("derive", file, *PRUNE, "--output", "2.onnx", "--judge", "data.npz", "--json")
        assert again.json[0]["accuracy"]["parents"][0] > 0.9


@TORCH
def test_a_suffix_may_be_in_capital_letters(run: Run, task: Path) -> None:
    assert run("derive", "model.onnx", "--method", "noise", "--output", "child.ONNX").status == 0
    assert read(Path("child.ONNX")).format == "onnx"


@TORCH
@pytest.mark.parametrize("method", DERIVATIONS)
def test_every_method_runs_on_a_file(run: Run, task: Path, method: str) -> None:
    models = ["model.onnx"] * (2 if method == "average" else 1)
    given = ("--method", method, "--output", "child.onnx", "--data", "data.npz")
    answer = run("derive", *models, *given, *OPTIONS.get(method, ()), "--json")
    assert (answer.status, answer.err) == (0, "")
    assert answer.json[0]["method"] == method
    assert run("derive", "child.onnx", *PRUNE, "--output", "grandchild.onnx").status == 0


@TORCH
def test_options_inside_options_are_set(run: Run, task: Path) -> None:
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
def test_several_models_are_merged(run: Run, task: Path) -> None:
    save_network("cnn", "other.onnx", seed=1)
    save_network("mlp", "stranger.onnx")
    merge = ("--method", "average", "--output", "soup.onnx", "--set", "shares=1,0")
    answer = run("derive", "model.onnx", "other.onnx", *merge, "--judge", "data.npz", "--json")
    (record,) = answer.json
    assert [file["file"] for file in record["files"]] == ["model.onnx", "other.onnx"]
    assert record["accuracy"]["child"] == record["accuracy"]["parents"][0]
    answer = run("derive", "model.onnx", "stranger.onnx", *merge)
    assert answer.status == 2
    assert "model.onnx, stranger.onnx: model 2 has another architecture" in answer.error


@TORCH
def test_data_are_laid_out_as_the_model_reads_them(run: Run, task: Path) -> None:
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
    save_examples("flat.npz", fitted(squares(200, 2), (64,)))
    (record,) = run("derive", "model.onnx", *PRUNE, "--judge", "flat.npz", "--json").json
    assert record["accuracy"]["parents"][0] > 0.9


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
