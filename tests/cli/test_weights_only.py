"""Verbs on files and folders that have weights and no graph."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from assay.formats import read
from assay.formats.safetensors import Safetensors

Run = Callable[..., Any]
WIDTHS = (24, 40, 56, 72, 88, 104, 120, 136)


def network(seed: int = 0) -> ModelProto:
    """Eight dense layers, each of another size; Gemm without and with transB."""
    draw = np.random.default_rng(seed)
    nodes, weights, last, before = [], [], "x", 16
    for number, width in enumerate(WIDTHS):
        shape = (width, before) if number % 2 else (before, width)
        weights.append(numpy_helper.from_array(draw.normal(size=shape).astype("f4"), f"w{number}"))
        nodes.append(
            helper.make_node("Gemm", [last, f"w{number}"], [f"y{number}"], transB=number % 2)
        )
        nodes.append(helper.make_node("Relu", [f"y{number}"], [f"z{number}"]))
        last, before = f"z{number}", width
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16])
    y = helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, before])
    graph = helper.make_graph(nodes, "dense", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def twins(models: Path) -> tuple[Path, Path]:
    """One network as ONNX, and its weights alone."""
    whole, alone = models / "dense.onnx", models / "dense.safetensors"
    whole.write_bytes(network().SerializeToString())
    Safetensors().write(read(whole), alone)
    return whole, alone


def test_a_file_of_weights_has_a_null_code_and_is_no_failure(
    run: Run, twins: tuple[Path, Path]
) -> None:
    answer = run("hash", "dense.safetensors")
    assert (answer.status, answer.out) == (0, "null  dense.safetensors\n")
    (line,) = run("hash", "--json", "dense.safetensors").json
    assert line["code"] is None
    assert line["layers"] is None
    assert line["parameters"] == 16 * 24 + sum(a * b for a, b in pairwise(WIDTHS))


@pytest.mark.parametrize("registered", ["dense.onnx", "dense.safetensors"])
def test_weights_and_network_are_leads_to_each_other(
    registered: str, run: Run, twins: tuple[Path, Path]
) -> None:
    twins[0].write_bytes(network(1).SerializeToString())  # the same design, another start
    assert run("add", registered, "vgg19.onnx").status == 0
    (suspect,) = {"dense.onnx", "dense.safetensors"} - {registered}
    answer = run("check", "--json", suspect)
    assert answer.status == 0, "shapes are no evidence of descent"
    (report,) = answer.json
    assert report["verdict"] == "same-architecture"
    (match,) = report["matches"]
    assert match["path"] == registered
    assert match["log10_false_alarm"] is None
    details = {each["method"].partition("(")[0]: each["detail"] for each in match["evidence"]}
    assert details["TensorShapes"]["equal"] is True
    assert details["TensorOrder"]["in_runs"] == len(WIDTHS)
    assert "same-architecture" in run("check", suspect).out
    (compared,) = run("compare", "--json", *sorted((registered, suspect))).json
    assert compared["verdict"] == "same-architecture"


@pytest.mark.parametrize("registered", ["dense.onnx", "dense.safetensors"])
def test_the_same_weights_are_found_with_a_graph_and_without(
    registered: str, run: Run, twins: tuple[Path, Path]
) -> None:
    assert run("add", registered, "vgg19.onnx").status == 0
    (suspect,) = {"dense.onnx", "dense.safetensors"} - {registered}
    answer = run("check", "--json", suspect)
    assert (answer.status, answer.json[0]["verdict"]) == (1, "common-ancestor")  # of random numbers
    compared = run("compare", "--json", *sorted((registered, suspect)))
    assert (compared.status, compared.json[0]["verdict"]) == (1, "common-ancestor")


def test_a_folder_that_is_a_model_is_one_model(run: Run, models: Path) -> None:
    folder = models / "hub" / "snapshot"
    folder.mkdir(parents=True)
    config = {"model_type": "unheard-of", "architectures": ["Unheard"]}
    (folder / "config.json").write_text(json.dumps(config))
    (models / "dense.onnx").write_bytes(network().SerializeToString())
    Safetensors().write(read(models / "dense.onnx"), folder / "model.safetensors")
    Path("vgg19.onnx").rename(models / "hub" / "vgg19.onnx")
    answer = run("add", "--json", "hub")
    assert answer.status == 0
    assert [line["path"] for line in answer.json] == ["hub/snapshot", "hub/vgg19.onnx"]
    (shown,) = run("show", "--json", "snapshot").json
    assert shown["format"] == "hugging-face"
    (line,) = run("hash", "--json", "hub/snapshot").json
    assert line["code"] is None


def test_models_beside_a_snapshot_are_models_of_their_own(run: Run, models: Path) -> None:
    folder = models / "snapshot"
    (folder / "onnx").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "unheard-of"}))
    (models / "dense.onnx").write_bytes(network().SerializeToString())
    Safetensors().write(read(models / "dense.onnx"), folder / "model.safetensors")
    (models / "dense.onnx").rename(folder / "onnx" / "model.onnx")
    Path("vgg19.onnx").rename(folder / "vgg19.onnx")
    answer = run("add", "--json", "snapshot")
    added = {line["path"] for line in answer.json}
    assert added == {"snapshot", "snapshot/vgg19.onnx", "snapshot/onnx/model.onnx"}


def test_a_graph_whose_weights_are_elsewhere_is_not_registered(run: Run, models: Path) -> None:
    """Files that describe a network are equal for networks that were trained apart."""
    text = 'input: "x" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }\nlayer { name: "y" type:'
    text += ' "Convolution" bottom: "x" top: "y" convolution_param { num_output: 4 kernel_size: 3'
    for name in ("mine", "theirs"):
        (models / f"{name}.prototxt").write_text(text + " } }")
    answer = run("add", "mine.prototxt")
    assert answer.status == 2
    assert "without mine.caffemodel" in answer.err
    (report,) = run("compare", "--json", "mine.prototxt", "theirs.prototxt").json
    assert report["verdict"] != "identical"


def test_a_folder_that_is_no_model_is_said_so(run: Run, models: Path) -> None:
    (models / "nothing").mkdir()
    answer = run("hash", "nothing")
    assert answer.status == 2
    assert "a folder that is no model" in answer.err
