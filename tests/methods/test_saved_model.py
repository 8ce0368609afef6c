"""SavedModels and frozen graphs: which graph is read, which variables, and what they call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from samples import saved_model as files
from samples.saved_model import (
    BIAS,
    KERNEL,
    VALUE,
    End,
    checkpoint,
    const,
    graph,
    meta,
    node,
    placeholder,
    save,
    served,
    signature,
    small,
    variable,
)

from assay.formats import FORMATS, Model, folder_format, read
from assay.graphs import layer_graph


def ops(model: Model) -> list[str]:
    assert model.layers is not None
    return [layer.op for layer in layer_graph(model.layers).layers]


RELU, TANH = node("relu", "Relu", ["x"]), node("tanh", "Tanh", ["x"])


def test_the_default_signature_is_read(tmp_path: Path) -> None:
    model = read(served(tmp_path, [RELU, TANH], {"a": "tanh:0", "serving_default": "relu:0"}))
    assert ops(model) == ["Relu"]
    assert model.metadata["signature"] == "serving_default"


def test_without_a_default_the_first_signature_by_name_is_read(tmp_path: Path) -> None:
    assert ops(read(served(tmp_path, [RELU, TANH], {"b": "relu:0", "a": "tanh:0"}))) == ["Tanh"]


def test_what_tensorflow_notes_for_itself_is_no_signature(tmp_path: Path) -> None:
    ends = {"__saved_model_init_op": "tanh:0", "a": "relu:0"}
    assert ops(read(served(tmp_path, [RELU, TANH], ends))) == ["Relu"]


def test_the_graph_that_serves_is_read_not_the_one_that_trains(tmp_path: Path) -> None:
    start = {"x": End("x:0", [1, 3])}
    metas = [
        meta(
            graph([placeholder("x", [1, 3]), node("y", op, ["x"])]),
            {"serving_default": signature(start, {"y": End("y:0")})},
            tags,
        )
        for op, tags in (("Elu", ["train"]), ("Selu", ["serve", "tpu"]), ("Relu", ["serve"]))
    ]
    model = read(save(tmp_path, *metas))
    assert ops(model) == ["Relu"]
    assert model.metadata["tags"] == ["serve"]


def test_inputs_are_called_as_the_signature_calls_them(tmp_path: Path) -> None:
    model = read(small(tmp_path), {"x": (5, 3)})
    assert model.layers is not None
    assert model.layers.inputs == ("x",)
    assert model.layers.tensor("x").shape == (5, 3)


def test_variables_are_what_restoring_says(tmp_path: Path) -> None:
    """Names in the graph and in the checkpoint have nothing in common."""
    weights = {name: weight.read() for name, weight in read(small(tmp_path)).weights.items()}
    assert np.array_equal(weights["_w/0"], KERNEL.T)
    assert np.array_equal(weights["_w/1"], BIAS)


def test_variables_that_nothing_restores_are_found_by_name(tmp_path: Path) -> None:
    nodes = [
        variable("w"),
        node("read", "ReadVariableOp", ["w"]),
        node("y", "MatMul", ["x", "read"]),
    ]
    path = served(tmp_path, nodes, {"serving_default": "y:0"})
    checkpoint(path, [{"w": KERNEL, "w/Adam": KERNEL, "beta1_power": BIAS}])
    assert list(read(path).weights) == ["w"]


def test_a_variable_without_a_checkpoint_is_noted(tmp_path: Path) -> None:
    nodes = [
        variable("w", [3, 2]),
        node("read", "ReadVariableOp", ["w"]),
        node("y", "MatMul", ["x", "read"]),
    ]
    model = read(served(tmp_path, nodes, {"serving_default": "y:0"}))
    assert model.metadata["missing_external_data"] == ["w"]
    assert ops(model) == ["Gemm"]
    assert not model.weights


def test_a_checkpoint_without_a_graph_gives_its_weights(tmp_path: Path) -> None:
    path = save(tmp_path, meta(graph([placeholder("x", [1])]), {}))
    slot = "w/.OPTIMIZER_SLOT/optimizer/m" + VALUE
    checkpoint(path, [{"w" + VALUE: KERNEL, slot: KERNEL}])
    model = read(path)
    assert model.layers is None
    assert {name: weight.read().tolist() for name, weight in model.weights.items()} == {
        "w": KERNEL.tolist()
    }


def test_what_else_lies_in_the_folder_is_left_alone(tmp_path: Path) -> None:
    path = small(tmp_path)
    for name in ("keras_metadata.pb", "fingerprint.pb"):
        (path / name).write_bytes(b"\x0a\xff\xff")
    for name in ("assets", "assets.extra"):
        (path / name).mkdir()
        (path / name / "words.txt").write_text("a b c")
    names = ["saved_model.pb", "variables.index", "variables.data-00000-of-00001"]
    model = read(path)
    assert [file.name for file in model.files] == names
    assert list(model.weights) == ["_w/0", "_w/1"]


def test_the_file_itself_may_be_named(tmp_path: Path) -> None:
    path = small(tmp_path)
    assert ops(read(path / "saved_model.pb")) == ops(read(path)) == files.OPS


def test_a_folder_is_a_model_by_its_graph(tmp_path: Path) -> None:
    path = small(tmp_path)
    assert folder_format(path) is FORMATS["saved-model"]
    assert folder_format(path / "variables") is None


@pytest.mark.parametrize(
    "head",
    [
        b"\x08\x01\x12\x07pytorch\x1a\x031.0",  # an ONNX model
        b"\x08\x01\x10\x01\x4a\x04\0\0\0\0",  # an ONNX tensor, as its tests have it
        b"\x08\x01\x12\x09\x0a\x07\x0a\x05image\x52\x00",  # a Core ML model of one input
        b"\x0a\x07alexnet\x12\x05\x0a\x03abc",  # a Caffe model
        b"",
        b"\x0a\x06\x0a\x04name",
    ],
)
def test_files_of_others_are_not_taken_for_tensorflows(head: bytes) -> None:
    assert not FORMATS["saved-model"]().sniff(head)


def test_a_frozen_graph_ends_at_what_nothing_reads(tmp_path: Path) -> None:
    nodes = [const("w", KERNEL), node("y", "MatMul", ["x", "w"]), node("z", "Tanh", ["x"])]
    model = read(files.freeze(tmp_path, placeholder("x", [-1, 3]), *nodes), {"x": (7, 3)})
    assert model.layers is not None
    assert (model.layers.inputs, model.layers.outputs) == (("x",), ("y", "z"))
    assert model.layers.tensor("x").shape == (7, 3)
    assert np.array_equal(model.weights["w"].read(), KERNEL.T)


def test_constants_list_their_numbers_or_repeat_one(tmp_path: Path) -> None:
    bits = np.array([1.5, -2.0], "<f2").view("<u2").tolist()
    listed = {
        "floats": ({1: 1, 5: [1.5, -2.0]}, [1.5, -2.0]),
        "last": ({1: 1, 5: [1.5]}, [1.5, 1.5]),
        "none": ({1: 1}, [0, 0]),
        "halves": ({1: files.HALF, 13: bits}, [1.5, -2.0]),
        "doubles": ({1: 2, 4: np.array([1.5, -2]).tobytes()}, [1.5, -2.0]),
    }
    nodes = [
        node(name, "Const", value={8: fields | {2: files.shape([2])}})
        for name, (fields, _) in listed.items()
    ]
    sums = [node(f"y{name}", "Add", ["x", name]) for name in listed]
    model = read(files.freeze(tmp_path, placeholder("x", [1, 2]), *nodes, *sums))
    found = {name: weight.read().tolist() for name, weight in model.weights.items()}
    assert found == {name: values for name, (_, values) in listed.items()}


def test_axes_that_are_computed_are_known(tmp_path: Path) -> None:
    """Products along an axis join the free axes and the others before they transpose."""
    nodes = [
        const("free", [0, 2], "i4"),
        const("others", [1], "i4"),
        const("zero", 0, "i4"),
        node("axes", "ConcatV2", ["free", "others", "zero"]),
        node("turned", "Transpose", ["x", "axes"]),
        node("y", "Tanh", ["turned"]),
    ]
    layers = read(files.freeze(tmp_path, placeholder("x", [2, 3, 4]), *nodes)).layers
    assert layers is not None
    assert layers.operators[0].attributes["perm"] == (0, 2, 1)
    assert layer_graph(layers).layers[-1].shape == (2, 4, 3)


def test_axes_that_depend_on_an_input_leave_the_operator_opaque(tmp_path: Path) -> None:
    nodes = [node("turned", "Transpose", ["x", "axes"])]
    inputs = [placeholder("x", [2, 3, 4]), placeholder("axes", [3])]
    layers = read(files.freeze(tmp_path, *inputs, *nodes)).layers
    assert layers is not None
    assert [each.op for each in layers.operators] == ["tensorflow::Transpose"]


def test_frozen_graphs_know_operators_of_several_outputs(tmp_path: Path) -> None:
    """No list of operators comes with them: the second output of TopK is not its first."""
    nodes = [const("k", 2, "i4"), node("top", "TopKV2", ["x", "k"])]
    nodes += [node("y", "Cast", ["top:1"], DstT={6: 1})]
    layers = read(files.freeze(tmp_path, placeholder("x", [1, 5]), *nodes)).layers
    assert layers is not None
    top, cast = (each for each in layers.operators if each.op in ("TopK", "Cast"))
    assert cast.inputs == (top.outputs[1],)
