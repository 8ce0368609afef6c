"""``derive``: what it says of mistakes, and that nothing is written then."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_files import save_network
from small_tasks import squares

pytestmark = pytest.mark.torch

Run = Callable[..., Any]
PRUNE = ("--method", "magnitude-prune", "--output", "child.onnx")
TUNE = ("--method", "fine-tune", "--output", "child.onnx", "--data", "data.npz")


def ruin(task: Path) -> None:
    """Files of which each has something wrong."""
    (task / "empty.onnx").write_bytes(b"")
    (task / "cut.onnx").write_bytes((task / "model.onnx").read_bytes()[:2000])
    os.link(task / "model.onnx", task / "linked.onnx")
    (task / "taken.onnx.lineage.json").mkdir()
    known = squares(40, 0)
    np.savez("unlabelled.npz", inputs=known.inputs)
    np.savez("many.npz", inputs=known.inputs, labels=known.known_labels + 7)
    np.savez("large.npz", inputs=np.zeros((40, 3, 32, 32)), labels=known.known_labels)
    np.savez("none.npz", inputs=known.inputs[:0], labels=known.known_labels[:0])
    np.savez("nan.npz", inputs=known.inputs * np.nan, labels=known.known_labels)
    np.savez("weights.npz", a=np.ones((3, 3)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model.onnx"], "Missing option '--method'"),
        (["model.onnx", "--method", "melt", "--output", "child.onnx"], "'melt' is not one of admm"),
        (["model.onnx", "--method", "noise"], "Missing option '--output'"),
        (["model.onnx", *PRUNE, "--output", "child.h5"], "must end with .onnx, .packed, .pt2"),
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
    run: Run, task: Path, arguments: list[str], said: str
) -> None:
    ruin(task)
    save_network("mlp", "mlp.onnx")
    before = {file: file.read_bytes() for file in task.iterdir() if file.is_file()}
    answer = run("derive", *arguments)
    assert (answer.status, answer.out) == (2, "")
    assert said in answer.error
    assert {file: file.read_bytes() for file in task.iterdir() if file.is_file()} == before


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


def test_a_full_disk_leaves_neither_model_nor_record(
    run: Run, task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("derive", "model.onnx", *PRUNE).status == 0
    before = {file.name: file.read_bytes() for file in task.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = run("derive", "model.onnx", *PRUNE, "--set", "rate=0.25")
    assert (answer.status, answer.out) == (2, "")
    assert "No space left on device" in answer.error
    assert {file.name: file.read_bytes() for file in task.iterdir()} == before
