"""Caffe files: which are read together, what versions call things, what each layer becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from onnx.reference import ReferenceEvaluator
from samples.caffe import (
    Word,
    binary,
    convolution,
    field,
    layer,
    message,
    net,
    old_blob,
    save,
    text,
    whole,
)

from assay.errors import UnreadableModel
from assay.formats import FORMATS, Model, folder_format, read
from assay.graphs import layer_graph
from assay.graphs.shapes import fold_shapes

KERNEL = np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3)
BIAS = np.float32([1, 2])


def ops(model: Model) -> list[str]:
    assert model.layers is not None
    return [each.op for each in layer_graph(model.layers).layers]


def of_text(folder: Path, content: str) -> Model:
    path = folder / "net.prototxt"
    path.write_text(content)
    return read(path)


def values(model: Model) -> dict[str, Any]:
    return {name: weight.read() for name, weight in model.weights.items()}


def shape_of(model: Model) -> tuple[int, ...] | None:
    assert model.layers is not None
    return fold_shapes(model.layers).tensor(model.layers.outputs[0]).shape


def test_a_folder_of_one_graph_and_one_file_of_weights_is_a_model(tmp_path: Path) -> None:
    save(tmp_path, net([convolution("c", "data", 2)]), {"c": [KERNEL, BIAS]})
    (tmp_path / "model.prototxt").rename(tmp_path / "deploy.prototxt")
    assert folder_format(tmp_path) is FORMATS["caffe"]
    model = read(tmp_path)
    assert [file.name for file in model.files] == ["deploy.prototxt", "model.caffemodel"]
    assert np.array_equal(values(model)["c/0"], KERNEL)
    (tmp_path / "train.prototxt").write_text(text(net([convolution("c", "data", 2)])))
    assert folder_format(tmp_path) is None


def test_folders_with_the_names_of_files_are_no_files(tmp_path: Path) -> None:
    for name in ("a.prototxt", "b.caffemodel"):
        (tmp_path / name).mkdir()
    with pytest.raises(UnreadableModel, match="without one graph"):
        read(tmp_path)


def test_a_graph_alone_has_no_weights(tmp_path: Path) -> None:
    model = of_text(tmp_path, text(net([convolution("c", "data", 2)])))
    assert (ops(model), dict(model.weights)) == (["Conv"], {})
    assert shape_of(model) == (1, 2, 6, 6)


V0 = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layers { layer { name: "p" type: "padding" pad: 1 } bottom: "data" top: "p" }
layers { layer { name: "c" type: "conv" num_output: 2 kernelsize: 3 } bottom: "p" top: "c" }
layers { layer { name: "r" type: "relu" } bottom: "c" top: "c" }
"""
V1 = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layers { name: "c" type: CONVOLUTION bottom: "data" top: "c"
  convolution_param { num_output: 2 kernel_size: 3 pad: 1 } }
layers { name: "r" type: RELU bottom: "c" top: "c" }
"""
V2 = text(net([convolution("c", "data", 2, pad=1), layer("r", "ReLU", "c", "c")]))


def test_all_versions_say_the_same(tmp_path: Path) -> None:
    graphs = []
    for content in (V0, V1, V2):
        model = of_text(tmp_path, content)
        assert model.layers is not None
        graphs.append(layer_graph(model.layers))
    assert graphs[0] == graphs[1] == graphs[2]
    assert [each.op for each in graphs[0].layers] == ["Conv+Relu"]


def test_binary_files_of_version_0_and_1_hold_blobs_elsewhere(tmp_path: Path) -> None:
    """Old blobs have four sizes, and their numbers one by one."""
    old = {"name": "c", "type": "conv", "num_output": 2, "kernelsize": 3}
    inner = message(old, "v0") + field(50, old_blob(KERNEL)) + field(50, old_blob(BIAS))
    first = field(2, field(1, inner) + field(2, b"data") + field(3, b"c"))
    settings = {"num_output": 2, "kernel_size": 3}
    new = {"name": "c", "bottom": "data", "top": "c", "convolution_param": settings}
    inner = message(new, "layers") + whole(5, 4)
    second = field(2, inner + field(6, old_blob(KERNEL)) + field(6, old_blob(BIAS)))
    for content in (first, second):
        path = tmp_path / "model.caffemodel"
        path.write_bytes(field(1, b"net") + content)
        model = read(path)
        assert ops(model) == ["Conv"]
        assert np.array_equal(values(model)["c/0"], KERNEL)
        assert np.array_equal(values(model)["c/1"], BIAS)


@pytest.mark.parametrize("kind", ["<f8", "<f4", "<f2", "<i4", "<u4"])
def test_numbers_may_be_doubles_or_raw(kind: str, tmp_path: Path) -> None:
    shaped = field(7, b"".join(whole(1, size) for size in KERNEL.shape))
    codes = {"<f8": 0, "<f4": 1, "<f2": 2, "<i4": 3, "<u4": 4}
    numbers = KERNEL.astype(kind).tobytes()
    forms = [shaped + whole(10, codes[kind]) + field(12, numbers)]
    forms += [shaped + field(8, numbers)] * (kind == "<f8")
    design = net([convolution("c", "data", 2, bias_term=False)])
    for form in forms:
        (part,) = design["layer"]
        content = message({key: design[key] for key in ("input", "input_shape")}, "net")
        path = tmp_path / "model.caffemodel"
        path.write_bytes(content + field(100, message(part, "layer") + field(7, form)))
        assert np.array_equal(values(read(path))["c/0"], KERNEL)


def test_what_only_trains_is_left_out(tmp_path: Path) -> None:
    train, test = ({"include": {"phase": Word(phase)}} for phase in ("TRAIN", "TEST"))
    layers = [
        layer("d", "Data", [], ["data", "label"], transform_param={"crop_size": 8}, **test),
        convolution("c", "data", 2),
        layer("t", "TanH", "c", "c", **train),
        layer("e", "ELU", "c", "c", exclude={"phase": Word("TEST")}),
        layer("o", "Dropout", "c", "c"),
        layer("s", "SoftmaxWithLoss", ["c", "label"], "loss"),
        layer("a", "Accuracy", ["c", "label"], "accuracy"),
    ]
    (tmp_path / "m.prototxt").write_text(text({"name": "n", "layer": layers}))
    model = read(tmp_path / "m.prototxt", {"data": (1, 3, 8, 8)})
    assert ops(model) == ["Conv", "Softmax"]
    assert model.layers is not None
    assert model.layers.inputs == ("data",)


def test_running_means_are_divided_by_the_sum_of_their_factors(tmp_path: Path) -> None:
    design = net([layer("b", "BatchNorm", "data", "b")])
    moments = [np.float32([2, 4, 6]), np.float32([8, 10, 12]), np.float32([2])]
    found = values(read(save(tmp_path, design, {"b": moments})))
    assert {k: v.tolist() for k, v in found.items()} == {"b/0": [1, 2, 3], "b/1": [4, 5, 6]}


def test_matrices_may_be_turned_and_behind_any_axis(tmp_path: Path) -> None:
    matrix = np.arange(960, dtype=np.float32).reshape(5, 192)
    for settings, stored in (({}, matrix), ({"transpose": True}, matrix.T.copy())):
        product = {"num_output": 5, "bias_term": False, **settings}
        design = net([layer("f", "InnerProduct", "data", "f", inner_product_param=product)])
        model = read(save(tmp_path, design, {"f": [stored]}))
        assert np.array_equal(values(model)["f/0"], matrix)
        assert shape_of(model) == (1, 5)
    product = {"num_output": 5, "bias_term": False, "axis": 2}
    design = net([layer("f", "InnerProduct", "data", "f", inner_product_param=product)])
    model = read(save(tmp_path, design, {"f": [matrix[:, :64]]}))
    assert np.array_equal(values(model)["f/0"], matrix[:, :64])
    assert shape_of(model) == (1, 3, 5)


@pytest.mark.parametrize(
    ("kind", "settings", "op", "shape"),
    [
        ("Pooling", {"pooling_param": {"kernel_size": 3, "stride": 2}}, "MaxPool", (1, 4, 4, 4)),
        ("Pooling", {"pooling_param": {"kernel_size": 3, "stride": 2, "ceil_mode": False}},
         "MaxPool", (1, 4, 3, 3)),
        ("Flatten", {"flatten_param": {"axis": 2}}, "Reshape", (1, 4, 64)),
        ("Reshape", {"reshape_param": {"shape": {"dim": [0, -1, 16]}}}, "Reshape", (1, 16, 16)),
        ("Permute", {"permute_param": {"order": [0, 2, 3, 1]}}, "Transpose", (1, 8, 8, 4)),
        ("Tile", {"tile_param": {"tiles": 3}}, "Tile", (1, 12, 8, 8)),
        ("Reduction", {"reduction_param": {"axis": 2, "operation": Word("MEAN")}},
         "ReduceMean", (1, 4)),
        ("LRN", {"lrn_param": {"local_size": 5}}, "LRN", (1, 4, 8, 8)),
        ("Unheard", {}, "caffe::Unheard", None),
    ],
)  # fmt: skip
def test_layers_become_operators_with_shapes(
    kind: str, settings: dict[str, Any], op: str, shape: Any, tmp_path: Path
) -> None:
    design = net([layer("l", kind, "data", "l", **settings)], (1, 4, 8, 8))
    model = of_text(tmp_path, text(design))
    assert model.layers is not None
    (node,) = (each for each in model.layers.operators if each.op != "Identity")
    assert node.op == op
    assert shape_of(model) == shape


@pytest.mark.parametrize("padding", [0, 1])
def test_an_average_counts_the_padding_around_the_map(padding: int, tmp_path: Path) -> None:
    pool = {"pool": Word("AVE"), "kernel_size": 3, "stride": 1, "pad": padding}
    model = of_text(tmp_path, text(net([layer("p", "Pooling", "data", "p", pooling_param=pool)])))
    FORMATS["onnx"]().write(model, tmp_path / "net.onnx")
    images = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
    (found,) = ReferenceEvaluator(str(tmp_path / "net.onnx")).run(None, {"data": images})
    sides = [(0, 0), (0, 0), (padding, padding), (padding, padding)]
    windows = sliding_window_view(np.pad(images, sides), (3, 3), axis=(2, 3))
    np.testing.assert_allclose(found, windows.mean((-2, -1)), atol=1e-6)


def test_layers_that_are_not_known_are_noted_and_keep_their_weights(tmp_path: Path) -> None:
    design = net([layer("l", "Unheard", "data", "l")])
    model = read(save(tmp_path, design, {"l": [KERNEL]}))
    assert model.metadata["opaque_operators"] == ["caffe::Unheard"]
    assert values(model).keys() == {"l/0"}


def test_the_size_of_images_is_what_fits_the_first_matrix(tmp_path: Path) -> None:
    """No file tells it: 2 · 30 · 30 numbers are behind a convolution of 32 pixels."""
    layers = [
        convolution("c", "data", 2),
        layer("f", "InnerProduct", "c", "f", inner_product_param={"num_output": 4}),
    ]
    matrix = np.zeros((4, 2 * 30 * 30), np.float32)
    path = tmp_path / "model.caffemodel"
    blobs = {"c": [KERNEL, BIAS], "f": [matrix, np.zeros(4, np.float32)]}
    path.write_bytes(binary({"name": "n", "layer": layers}, blobs))
    model = read(path)
    assert model.layers is not None
    assert model.layers.tensor("data").shape == (1, 3, 32, 32)
