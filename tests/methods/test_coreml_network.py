"""Layers of Core ML neural networks: their weights, and what they are in ONNX's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import coreml as files
from samples.coreml import feature, floats, image, layer, model, network, save
from samples.protobuf import message

from assay.errors import UnreadableModel
from assay.formats import Model, read
from assay.graphs import layer_graph

MAP, ROWS = (1, 4, 6, 8), (2, 5, 4)
EDGES = {10: [{1: 1, 2: 1}, {1: 1, 2: 1}]}
DRAWN = np.random.default_rng(0).normal(size=4096).astype(np.float32)
Fields = Mapping[int, Any]


def drawn(*shape: int) -> np.ndarray:
    return DRAWN[: int(np.prod(shape))].reshape(shape)


# kind of the layer, its options, shape of its input, its operator, the shape of its output
LAYERS: list[tuple[int, Fields, tuple[int, ...], str, tuple[int, ...]]] = [
    (100, {1: 8, 2: 4, 10: 1, 90: floats(drawn(8, 4, 3, 3)), 51: {}}, MAP, "Conv", (1, 8, 6, 8)),
    (
        100,
        {1: 8, 2: 2, 10: 2, 20: [2, 2], 30: [2, 2], 90: floats(drawn(8, 2, 2, 2))},
        MAP,
        "Conv",
        (1, 8, 3, 4),
    ),
    (
        100,
        {1: 8, 2: 4, 10: 2, 20: [2, 2], 30: [2, 2], 60: 1, 90: floats(drawn(4, 4, 2, 2))},
        MAP,
        "ConvTranspose",
        (1, 8, 12, 16),
    ),
    (120, {1: 0, 10: [2, 2], 20: [2, 2], 30: {}}, MAP, "MaxPool", (1, 4, 3, 4)),
    (120, {1: 1, 10: [3, 3], 20: [1, 1], 30: {1: EDGES}}, MAP, "AveragePool", MAP),
    (120, {1: 0, 10: [3, 3], 20: [2, 2], 32: {10: [1, 1]}}, MAP, "MaxPool", (1, 4, 4, 5)),
    (120, {1: 1, 60: 1}, MAP, "GlobalAveragePool", (1, 4, 1, 1)),
    (130, {10: {}}, MAP, "Relu", MAP),
    (130, {15: {1: 0.1}}, MAP, "LeakyRelu", MAP),
    (130, {25: {1: floats(drawn(4))}}, MAP, "PRelu", MAP),
    (130, {41: {1: 0.2, 2: 0.5}}, MAP, "HardSigmoid", MAP),
    (130, {5: {1: 2.0, 2: 1.0}}, MAP, "Add", MAP),
    (140, {1: 4, 2: 3, 10: 0, 20: floats(drawn(3, 4))}, (2, 4), "Gemm", (2, 3)),
    (140, {1: 4, 2: 3, 10: 0, 20: floats(drawn(3, 4))}, ROWS, "MatMul", (2, 5, 3)),
    (1045, {5: 4, 6: 3, 8: floats(drawn(3, 4))}, ROWS, "MatMul", (2, 5, 3)),
    (1040, {1: 9, 2: 3, 20: floats(drawn(3, 9))}, (2, 5, 1), "Gather", (2, 5, 3)),
    (
        160,
        {1: 4, **{number: floats(drawn(4) ** 2 + 1) for number in (15, 16, 17, 18)}},
        MAP,
        "BatchNormalization",
        MAP,
    ),
    (1350, {1: 4, 3: floats(drawn(4)), 4: floats(drawn(4))}, ROWS, "LayerNormalization", ROWS),
    (165, {1: 0, 2: 1}, MAP, "Div", MAP),
    (170, {1: 1e-6}, MAP, "Div", MAP),
    (175, {}, MAP, "Softmax", MAP),
    (950, {1: 1}, ROWS, "Softmax", ROWS),
    (180, {3: 3, 1: 1e-4, 2: 0.75}, MAP, "LRN", MAP),
    (190, {1: {10: [{1: 1, 2: 2}, {1: 0, 2: 3}]}}, MAP, "Slice", (1, 4, 3, 5)),
    (200, {1: {}, 10: EDGES}, MAP, "Pad", (1, 4, 8, 10)),
    (210, {1: [2, 3]}, MAP, "Resize", (1, 4, 12, 24)),
    (211, {1: [3, 5]}, MAP, "Resize", (1, 4, 3, 5)),
    (220, {1: 1, 5: 2.0, 4: 1.0}, MAP, "Reciprocal", MAP),
    (230, {1: 0.5}, MAP, "Add", MAP),
    (245, {1: [4], 2: floats(drawn(4))}, MAP, "Mul", MAP),
    (250, {1: [4], 2: floats(drawn(4))}, MAP, "Add", MAP),
    (280, {1: 1, 3: 1}, MAP, "ReduceMean", (1, 4, 1, 1)),
    (310, {1: [0, 2, 3, 1]}, MAP, "Transpose", (1, 6, 8, 4)),
    (345, {1: 1, 2: 2}, MAP, "DepthToSpace", (1, 1, 12, 16)),
    (350, {1: 1, 2: 3, 3: 1, 4: 1}, MAP, "Slice", (1, 4, 2, 8)),
    (660, {1: -1.0, 2: 1.0}, ROWS, "Clip", ROWS),
    (795, {1: 1}, ROWS, "Gelu", ROWS),
    (920, {1: [1, 2, 1]}, ROWS, "Tile", (2, 10, 4)),
    (960, {1: [0, 1, 0]}, ROWS, "Slice", ROWS),
    (985, {1: [0, 2, 1]}, ROWS, "Transpose", (2, 4, 5)),
    (
        995,
        {1: [0, 1, 0], 2: [1, 0, 1], 3: [0, 4, 0], 4: [1, 0, 1], 5: [1, 2, 1]},
        ROWS,
        "Slice",
        (2, 2, 4),
    ),
    (1025, {1: 1, 2: 1}, ROWS, "ArgMax", (2, 4)),
    (1105, {1: [3, 2, 5, 4]}, ROWS, "Expand", (3, 2, 5, 4)),
    (1120, {1: [1]}, (2, 1, 4), "Squeeze", (2, 4)),
    (1125, {1: [1]}, ROWS, "Unsqueeze", (2, 1, 5, 4)),
    (1130, {1: 2}, ROWS, "Flatten", (10, 4)),
    (1140, {1: [2, 20]}, ROWS, "Reshape", (2, 20)),
    (1155, {1: 0.0, 2: [0, 0, 1, 2, 0, 0]}, ROWS, "Pad", (2, 8, 4)),
    (1280, {1: [1], 2: 1}, ROWS, "ReduceMean", (2, 1, 4)),
    (1325, {1: 0}, ROWS, "Trilu", ROWS),
    (1455, {1: 1}, ROWS, "CumSum", ROWS),
]


@pytest.mark.parametrize(("kind", "options", "shape", "op", "wanted"), LAYERS)
def test_a_layer_gives_the_shape_of_its_counterpart(
    kind: int,
    options: Fields,
    shape: Sequence[int],
    op: str,
    wanted: tuple[int, ...],
    tmp_path: Path,
) -> None:
    found = of_layers(tmp_path, [layer(kind, options, outputs=["made"])], shape)
    assert found.layers is not None
    assert [node.op for node in found.layers.operators if "made" in node.outputs] == [op]
    assert layer_graph(found.layers).layers[-1].shape == wanted
    assert all(weight.canonical for weight in found.weights.values())


def of_layers(folder: Path, layers: Sequence[Fields], shape: Sequence[int]) -> Model:
    """The layers from ``x`` to ``made``, and an activation that no merging takes away."""
    last = layer(130, {30: {}}, ["made"], ["y"])
    return read(files.one(folder, [*layers, last], shape))


def test_weights_are_outputs_first(tmp_path: Path) -> None:
    """Those of a transposed convolution of two groups, of a product, and of a table."""
    turned = {1: 8, 2: 4, 10: 2, 20: [2, 2], 60: 1, 90: floats(drawn(4, 4, 2, 2))}
    found = of_layers(tmp_path, [layer(100, turned, outputs=["made"])], MAP)
    groups = drawn(4, 4, 2, 2).reshape(2, 2, 4, 2, 2).swapaxes(1, 2).reshape(8, 2, 2, 2)
    np.testing.assert_array_equal(found.weights["made/weights"].read(), groups)
    table = {1: 9, 2: 3, 20: floats(drawn(3, 9))}
    found = of_layers(tmp_path, [layer(1040, table, outputs=["made"])], (2, 1))
    np.testing.assert_array_equal(
        np.sort(found.weights["made/weights"].read(), None), np.sort(drawn(3, 9), None)
    )


@pytest.mark.parametrize("dtype", ["<f4", "<f2"])
def test_numbers_of_either_width_are_read(dtype: str, tmp_path: Path) -> None:
    values = drawn(3, 4).astype(dtype)
    params = {1 if dtype == "<f4" else 2: values.tobytes()}
    found = of_layers(tmp_path, [layer(140, {1: 4, 2: 3, 20: params}, outputs=["made"])], (2, 4))
    np.testing.assert_array_equal(found.weights["made/weights"].read(), values.astype(np.float32))


@pytest.mark.parametrize("signed", [False, True])
def test_small_numbers_are_scaled_and_shifted(signed: bool, tmp_path: Path) -> None:
    codes = np.arange(12, dtype=np.int8 if signed else np.uint8).reshape(3, 4) * 20
    scale, shift = np.array([0.5, 2.0, 1.0], "<f4"), np.array([-1.0], "<f4")
    linear = {1: scale.tobytes(), 2: shift.tobytes()}
    params = {31 if signed else 30: codes.tobytes(), 40: {1: 8, 101: linear}}
    found = of_layers(tmp_path, [layer(140, {1: 4, 2: 3, 20: params}, outputs=["made"])], (2, 4))
    wanted = codes * scale[:, None] + shift
    np.testing.assert_array_equal(found.weights["made/weights"].read(), wanted)


def test_a_blob_that_is_written_again_is_another_tensor(tmp_path: Path) -> None:
    twice = [layer(130, {kind: {}}, ["x"], ["x"]) for kind in (10, 40)]
    found = of_layers(tmp_path, [*twice, layer(700, {}, ["x"], ["made"])], (2, 4))
    assert found.layers is not None
    assert [n.op for n in layer_graph(found.layers).layers] == ["Relu", "Sigmoid", "Pow", "Tanh"]


def test_an_image_has_the_channels_of_its_colors(tmp_path: Path) -> None:
    content = network([layer(130, {10: {}})])
    found = read(save(tmp_path, model(files.NETWORK, content, [image("x", 6, 8)])))
    assert found.layers is not None
    assert found.layers.tensor("x").shape == (1, 3, 6, 8)


def test_a_branch_leaves_what_either_network_writes(tmp_path: Path) -> None:
    bodies = {n: network([layer(130, {kind: {}}, outputs=["b"])]) for n, kind in ((1, 10), (2, 40))}
    layers = [layer(600, {}, outputs=["b"]), layer(605, bodies, outputs=[])]
    found = of_layers(tmp_path, [*layers, layer(600, {}, ["b"], ["made"])], (2, 4))
    assert found.layers is not None
    assert "If" in [node.op for node in found.layers.operators]
    assert layer_graph(found.layers).layers[-1].op == "Tanh"


def test_a_pipeline_is_read_as_one_graph(tmp_path: Path) -> None:
    """Features by name; what is no network stays one operator."""
    first = model(
        files.NETWORK,
        network([layer(140, {1: 4, 2: 3, 20: floats(drawn(3, 4))})]),
        [feature("x", (2, 4))],
    )
    scaler = {1: 5, 2: {1: [feature("y", ())], 10: [feature("y", ())]}, 604: {}}
    second = model(
        files.NETWORK, network([layer(130, {30: {}}, ["y"], ["z"])]), [feature("y", (2, 3))]
    )
    second[2][10] = [feature("z", ())]
    parts = {1: [message(part) for part in (first, scaler, second)]}
    ends = {1: [feature("x", (2, 4))], 10: [feature("z", ())]}
    found = read(save(tmp_path, {1: 5, 2: ends, files.PIPELINE: parts}))
    assert found.layers is not None
    merged = [layer.op for layer in layer_graph(found.layers).layers]
    assert merged == ["Gemm", "coreml::scaler", "Tanh"]
    assert list(found.weights) == ["0/y/weights"]
    assert found.metadata["pipeline"] == ["neuralNetwork", "scaler", "neuralNetwork"]


def test_a_linear_model_is_a_matrix_and_a_shift(tmp_path: Path) -> None:
    rows = [{1: np.array([1, 2, 3], "<f8").tobytes()}, {1: np.array([4, 5, 6], "<f8").tobytes()}]
    content = {1: [message(row) for row in rows], 2: np.array([7, 8], "<f8").tobytes()}
    found = read(save(tmp_path, model(300, content, [feature("x", (3,))])))
    assert found.layers is None
    assert found.weights["weights"].read().tolist() == [[1, 2, 3], [4, 5, 6]]
    assert found.weights["offset"].read().tolist() == [7, 8]


def test_a_tree_is_no_network(tmp_path: Path) -> None:
    path = save(tmp_path, model(302, {}, [feature("x", (3,))]))
    with pytest.raises(UnreadableModel, match="treeEnsembleRegressor, which is no network"):
        read(path)
