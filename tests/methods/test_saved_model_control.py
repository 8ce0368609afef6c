"""SavedModels and frozen graphs: functions, branches and loops, new and old."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import saved_model as files
from samples.saved_model import (
    const,
    function,
    function_name,
    node,
    placeholder,
    served,
)

from assay.formats import Model, read
from assay.graphs import layer_graph


def ops(model: Model) -> list[str]:
    assert model.layers is not None
    return [layer.op for layer in layer_graph(model.layers).layers]


def call(name: str, *inputs: str) -> Any:
    return node("call", "StatefulPartitionedCall", inputs, f=function_name(name))


def test_functions_are_expanded_where_they_are_called(tmp_path: Path) -> None:
    body = [node("r", "Relu", ["a"]), node("t", "Tanh", ["r:activations:0"])]
    inner = function("inner", ["a"], body, {"b": "t:y:0"})
    calls = [call("inner", "a"), node("again", "PartitionedCall", ["call:output:0"],
                                      f=function_name("inner"))]  # fmt: skip
    outer = function("outer", ["a"], calls, {"b": "again:output:0"})
    path = served(
        tmp_path, [call("outer", "x")], {"serving_default": "call:0"}, functions=[inner, outer]
    )
    assert ops(read(path)) == ["Relu", "Tanh", "Relu", "Tanh"]


def test_outputs_of_operators_are_known_by_the_names_that_the_model_lists(tmp_path: Path) -> None:
    """``indices`` is TopK's second output."""
    top = [const("k", 2, "i4"), node("top", "TopKV2", ["a", "k:output:0"])]
    body = [*top, node("r", "Relu", ["top:indices:0"])]
    found = function("f", ["a"], body, {"b": "r:activations:0"})
    path = served(
        tmp_path,
        [call("f", "x")],
        {"serving_default": "call:0"},
        functions=[found],
        outputs={"TopKV2": ["values", "indices"]},
    )
    layers = read(path).layers
    assert layers is not None
    *_, most, relu = layers.operators
    assert (most.op, relu.inputs) == ("TopK", (most.outputs[1],))


def branches(folder: Path, condition: Any) -> Model:
    one = function("one", ["a"], [node("r", "Relu", ["a"])], {"b": "r:activations:0"})
    two = function("two", ["a"], [node("t", "Tanh", ["a"])], {"b": "t:y:0"})
    names = {"then_branch": function_name("one"), "else_branch": function_name("two")}
    nodes = [condition, node("if", "StatelessIf", ["c", "x"], **names)]
    return read(served(folder, nodes, {"serving_default": "if:0"}, functions=[one, two]))


def test_of_a_known_condition_the_branch_that_is_taken_is_read(tmp_path: Path) -> None:
    assert ops(branches(tmp_path, const("c", False, "b1"))) == ["Tanh"]
    assert ops(branches(tmp_path, const("c", True, "b1"))) == ["Relu"]


def test_else_both_branches_meet_in_an_if(tmp_path: Path) -> None:
    assert ops(branches(tmp_path, node("c", "Any", ["x"])))[1:] == ["Relu", "Tanh", "If"]


def test_a_loop_is_written_once_and_its_weights_are_known(tmp_path: Path) -> None:
    """The second value is handed on as it is, so the product knows which weight it reads."""
    body = [node("p", "MatMul", ["s", "w"]), node("k", "Identity", ["w"])]
    loop = function("loop", ["s", "w"], body, {"s1": "p:product:0", "w1": "k:output:0"})
    square = const("w", np.arange(9).reshape(3, 3))
    turns = node("while", "While", ["x", "w"], body=function_name("loop"))
    path = served(tmp_path, [square, turns], {"serving_default": "while:0"}, functions=[loop])
    model = read(path)
    assert ops(model) == ["Loop", "Gemm", "Loop"]
    assert np.array_equal(model.weights["w"].read(), np.arange(9.0).reshape(3, 3).T)


def old_loop(switched: str) -> list[Any]:
    """A loop as old graphs spell it, whose body is one Relu; what returns is ``switched``."""
    return [
        node("enter", "Enter", ["x"]),
        node("merge", "Merge", ["enter", "next"]),
        node("less", "Less", ["merge", "limit"]),
        const("limit", 1.0),
        node("go", "LoopCond", ["less"]),
        node("switch", "Switch", ["merge", "go"]),
        node("relu", "Relu", ["switch:1"]),
        node("next", "NextIteration", [switched]),
        node("exit", "Exit", ["switch"]),
    ]


def test_old_loops_are_read_as_new_ones(tmp_path: Path) -> None:
    path = files.freeze(tmp_path, placeholder("x", [1, 3]), *old_loop("relu"))
    assert read(path).layers is not None
    path = served(tmp_path, old_loop("relu"), {"serving_default": "exit:0"})
    assert ops(read(path)) == ["Loop", "Relu", "Loop"]
    path = served(tmp_path, old_loop("switch:1"), {"serving_default": "exit:0"})
    assert ops(read(path)) == []


@pytest.mark.parametrize(("value", "wanted"), [(True, ["Relu"]), (False, ["Tanh"])])
def test_old_branches_of_a_known_condition(tmp_path: Path, value: bool, wanted: list[str]) -> None:
    nodes = [
        const("phase", value, "b1"),
        node("default", "PlaceholderWithDefault", ["phase"]),
        node("switch", "Switch", ["x", "default"]),
        node("r", "Relu", ["switch:1"]),
        node("t", "Tanh", ["switch"]),
        node("merge", "Merge", ["t", "r"]),
    ]
    assert ops(read(files.freeze(tmp_path, placeholder("x", [1, 3]), *nodes))) == wanted


def test_old_branches_of_another_condition_meet_in_an_if(tmp_path: Path) -> None:
    nodes = [
        node("c", "Any", ["x"]),
        node("switch", "Switch", ["x", "c"]),
        node("r", "Relu", ["switch:1"]),
        node("merge", "Merge", ["switch", "r"]),
    ]
    layers = read(files.freeze(tmp_path, placeholder("x", [1, 3]), *nodes)).layers
    assert layers is not None
    last = layers.operators[-1]
    assert (last.op, last.inputs[1], last.inputs[2]) == ("If", "r", "x")
