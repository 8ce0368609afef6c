"""Operations of Core ML programs: what they are in ONNX's words, and the shapes that they give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import coreml as files
from samples.coreml import Design, Text

from assay.formats import read
from assay.graphs import layer_graph

IMAGE, ROWS = (1, 4, 6, 8), (2, 5, 4)
SAME = {"pad_type": Text("same"), "strides": [2, 2]}
# operation, options, shape of its input, its last operator, the shape of that.
ONE_INPUT: list[tuple[str, Mapping[str, Any], tuple[int, ...], str, tuple[int, ...]]] = [
    ("relu6", {}, IMAGE, "Clip", IMAGE),
    ("silu", {}, IMAGE, "Mul", IMAGE),
    ("gelu", {"mode": Text("TANH_APPROXIMATION")}, ROWS, "Gelu", ROWS),
    ("gelu", {"mode": Text("EXACT")}, ROWS, "Gelu", ROWS),
    ("leaky_relu", {"alpha": 0.1}, ROWS, "LeakyRelu", ROWS),
    ("elu", {"alpha": 1.0}, ROWS, "Elu", ROWS),
    ("sigmoid_hard", {"alpha": 0.2, "beta": 0.5}, ROWS, "HardSigmoid", ROWS),
    ("softmax", {"axis": -1}, ROWS, "Softmax", ROWS),
    ("rsqrt", {}, ROWS, "Reciprocal", ROWS),
    ("exp2", {}, ROWS, "Pow", ROWS),
    ("max_pool", {"kernel_sizes": [2, 2], **SAME}, IMAGE, "MaxPool", (1, 4, 3, 4)),
    (
        "avg_pool",
        {"kernel_sizes": [3, 3], "pad_type": Text("custom"), "pad": [1, 0, 1, 0]},
        IMAGE,
        "AveragePool",
        (1, 4, 5, 7),
    ),
    ("reduce_mean", {"axes": [2, 3], "keep_dims": True}, IMAGE, "ReduceMean", (1, 4, 1, 1)),
    ("reduce_max", {"axes": [-1], "keep_dims": False}, ROWS, "ReduceMax", (2, 5)),
    ("reduce_argmax", {"axis": 1, "keep_dims": False}, ROWS, "ArgMax", (2, 4)),
    ("transpose", {"perm": [0, 2, -2]}, ROWS, "Transpose", (2, 4, 5)),
    ("reshape", {"shape": [2, -1]}, ROWS, "Reshape", (2, 20)),
    ("expand_dims", {"axes": [1]}, ROWS, "Unsqueeze", (2, 1, 5, 4)),
    ("tile", {"reps": [1, 2, 1]}, ROWS, "Tile", (2, 10, 4)),
    ("cumsum", {"axis": 1}, ROWS, "CumSum", ROWS),
    ("reverse", {"axes": [1]}, ROWS, "Slice", ROWS),
    ("flatten2d", {"axis": 2}, ROWS, "Flatten", (10, 4)),
    ("slice_by_size", {"begin": [0, 1, 0], "size": [2, 3, -1]}, ROWS, "Slice", (2, 3, 4)),
    (
        "slice_by_index",
        {"begin": [0, 4, 0], "end": [0, 0, 3], "stride": [1, -2, 1], "begin_mask": [True] * 3}
        | {"end_mask": [True, True, False]},
        ROWS,
        "Slice",
        (2, 3, 3),
    ),
    (
        "slice_by_index",
        {"begin": [0, -1, 0], "end": [0, 0, 0], "end_mask": [True, False, True]}
        | {"squeeze_mask": [False, True, False]},
        ROWS,
        "Gather",
        (2, 4),
    ),
    ("crop", {"crop_height": [1, 2], "crop_width": [0, 3]}, IMAGE, "Slice", (1, 4, 3, 5)),
    ("pad", {"pad": [1, 2, 0, 3], "mode": Text("reflect")}, IMAGE, "Pad", (1, 4, 9, 11)),
    ("depth_to_space", {"block_size": 2}, IMAGE, "DepthToSpace", (1, 1, 12, 16)),
    ("pixel_shuffle", {"upscale_factor": 2}, IMAGE, "DepthToSpace", (1, 1, 12, 16)),
    ("pixel_unshuffle", {"downscale_factor": 2}, IMAGE, "SpaceToDepth", (1, 16, 3, 4)),
    (
        "upsample_nearest_neighbor",
        {"scale_factor_height": 2.0, "scale_factor_width": 3.0},
        IMAGE,
        "Resize",
        (1, 4, 12, 24),
    ),
    (
        "resize_bilinear",
        {"target_size_height": 3, "target_size_width": 5},
        IMAGE,
        "Resize",
        (1, 4, 3, 5),
    ),
    ("l2_norm", {"epsilon": 1e-6}, IMAGE, "Div", IMAGE),
    ("local_response_norm", {"size": 3}, IMAGE, "LRN", IMAGE),
    ("classify", {}, ROWS, "Identity", ROWS),
    ("argsort", {"axis": 1}, ROWS, "coreml::argsort", ROWS),  # ONNX has no such operator
]


@pytest.mark.parametrize(("name", "options", "shape", "op", "wanted"), ONE_INPUT)
def test_an_operation_gives_the_shape_of_its_counterpart(
    name: str,
    options: Mapping[str, Any],
    shape: tuple[int, ...],
    op: str,
    wanted: tuple[int, ...],
    tmp_path: Path,
) -> None:
    """What the file says of the shape is wrong, but for what has no counterpart."""
    design = Design()
    key = "probabilities" if name == "classify" else "x"
    given = {k: np.array(v) if isinstance(v, list) else v for k, v in options.items()}
    design.add(name, {key: "x", **given}, {"made": shape if "::" in op else ()})
    design.add("tanh", {"x": "made"}, {"y": wanted})
    model = read(design.package(tmp_path, {"x": shape}))
    assert model.layers is not None
    assert [node.op for node in model.layers.operators if "made" in node.outputs] == [
        "Reshape" if "::" in op else op
    ]
    assert any(node.op == op for node in model.layers.operators)
    assert layer_graph(model.layers).layers[-1].shape == wanted


def test_a_state_is_what_was_last_written_to_it(tmp_path: Path) -> None:
    design = Design()
    design.add("read_state", {"input": "s"}, {"before": (1, 4)})
    design.add("add", {"x": "x", "y": "before"}, {"sum": (1, 4)})
    design.add("write_state", {"input": "s", "data": "sum"}, {})
    design.add("read_state", {"input": "s"}, {"after": (1, 4)})
    design.add("tanh", {"x": "after"}, {"y": (1, 4)})
    model = read(design.package(tmp_path, {"x": (1, 4), "s": (1, 4)}))
    assert model.layers is not None
    assert [layer.op for layer in layer_graph(model.layers).layers] == ["Add", "Tanh"]


def test_a_constant_of_two_functions_is_one_weight(tmp_path: Path) -> None:
    first, second = Design(), Design()
    shared = first.stored(np.ones((4, 4), np.float32))
    for design, own in ((first, 2.0), (second, 3.0)):
        design.blob = first.blob
        design.const("shared", shared)
        design.weight("own", np.full((4, 4), own, np.float32))
        design.add("linear", {"x": "x", "weight": "shared"}, {"a": (1, 4)})
        design.add("linear", {"x": "a", "weight": "own"}, {"y": (1, 4)})
    inputs = {"x": (1, 4)}
    functions = [
        {1: name, 2: design.function(inputs, ["y"])}
        for name, design in (("adapted", second), ("main", first))
    ]
    whole = files.model(files.PROGRAM, {1: 1, 2: functions}, [files.feature("x", (1, 4))])
    model = read(files.package(tmp_path, whole, bytes(first.blob)))
    assert {name: float(w.read()[0, 0]) for name, w in model.weights.items()} == {
        "shared": 1.0,
        "own": 2.0,
        "adapted/own": 3.0,
    }
    assert model.metadata["functions"] == ["adapted", "main"]
    assert model.metadata["default_function"] == "main"


def test_branches_become_bodies(tmp_path: Path) -> None:
    bodies = []
    for name in ("relu", "tanh"):
        inside = files.operation(name, {"x": "x"}, {"inner": (1, 4)}, {})
        bodies.append(files.block([inside], ["inner"]))
    design = Design()
    design.add("cond", {"pred": "p"}, {"y": (1, 4)}, blocks=bodies)
    model = read(design.package(tmp_path, {"x": (1, 4), "p": (1,)}))
    assert model.layers is not None
    (node,) = model.layers.operators
    assert node.op == "If"
    inner = [node.attributes[key].operators[0].op for key in ("then_branch", "else_branch")]
    assert inner == ["Relu", "Tanh"]


def test_a_hard_sigmoid_needs_no_threshold_before_it(tmp_path: Path) -> None:
    kept = {}
    for alpha in (-3.0, -2.0):
        design, folder = Design(), tmp_path / str(alpha)
        folder.mkdir()
        design.add("thresholded_relu", {"x": "x", "alpha": alpha}, {"t": (1, 4)})
        design.add("sigmoid_hard", {"x": "t", "alpha": 1 / 6, "beta": 0.5}, {"h": (1, 4)})
        design.add("mul", {"x": "t", "y": "h"}, {"y": (1, 4)})
        model = read(design.package(folder, {"x": (1, 4)}))
        assert model.layers is not None
        kept[alpha] = [layer.op for layer in layer_graph(model.layers).layers]
    assert kept == {-3.0: ["HardSwish"], -2.0: ["ThresholdedRelu", "HardSwish"]}
