"""TensorFlow's operators in ONNX's words, each by itself, and a network in both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper, parser
from samples import saved_model as files
from samples.saved_model import const, ints, node, placeholder

from assay.errors import UnreadableModel
from assay.formats import read
from assay.graphs import layer_graph
from assay.graphs.operators import FLOAT, Tensor
from assay.vocabularies.builder import GraphBuilder
from assay.vocabularies.tensorflow.operators import Node, translate

RANDOM = np.random.default_rng(0)
IMAGE = (1, 8, 8, 4)
SAME = {"padding": "SAME", "strides": [1, 2, 2, 1]}


def floats(*shape: int) -> Any:
    return RANDOM.normal(size=shape).astype(np.float32)


def built(op: str, shape: tuple[int, ...], *constants: Any, outputs: int = 1, **attributes: Any
          ) -> GraphBuilder:  # fmt: skip
    """One operator that reads ``x`` and constants, and writes ``y``."""
    build = GraphBuilder()
    build.input("x", Tensor(FLOAT, shape))
    names = ["x"]
    for i, value in enumerate(constants):
        if isinstance(value, str):  # another name, at its place
            names.append(value)
            continue
        build.named(f"c{i}", np.asarray(value))
        names.append(f"c{i}")
    written = ["y", *(f"y:{i}" for i in range(1, outputs))]
    translate(build, Node(op, names, written, attributes))
    return build


def result(build: GraphBuilder) -> tuple[list[str], Any]:
    """What was written, transpositions left out, and the shape of ``y``."""
    ops = [each.op for each in build.operators if each.op not in ("Transpose", "Identity")]
    return ops, build.known("y").shape


@pytest.mark.parametrize(
    ("op", "shape", "constants", "attributes", "wanted"),
    [
        ("Conv2D", IMAGE, (floats(3, 3, 4, 6),), SAME, (["Conv"], (1, 4, 4, 6))),
        ("Conv2D", IMAGE, (floats(3, 3, 2, 6),), SAME, (["Conv"], (1, 4, 4, 6))),  # two groups
        ("Conv2D", (1, 4, 8, 8), (floats(3, 3, 4, 6),), {"data_format": "NCHW",
         "padding": "VALID", "strides": [1, 1, 1, 1]}, (["Conv"], (1, 6, 6, 6))),
        ("Conv2D", IMAGE, (floats(3, 3, 4, 6),), {"padding": "EXPLICIT", "strides": [1, 1, 1, 1],
         "explicit_paddings": [0, 0, 2, 1, 0, 3, 0, 0]}, (["Conv"], (1, 9, 9, 6))),
        ("DepthwiseConv2dNative", IMAGE, (floats(3, 3, 4, 2),), SAME,
         (["Reshape", "Conv"], (1, 4, 4, 8))),
        ("MaxPool", IMAGE, (), SAME | {"ksize": [1, 3, 3, 1]}, (["MaxPool"], (1, 4, 4, 4))),
        ("AvgPool", IMAGE, (), {"ksize": [1, 3, 3, 1], "padding": "VALID", "strides": [1, 1, 1, 1]},
         (["AveragePool"], (1, 6, 6, 4))),
        ("Conv3D", (1, 4, 8, 8, 2), (floats(3, 3, 3, 2, 5),), {"padding": "SAME",
         "strides": [1, 1, 1, 1, 1]}, (["Conv"], (1, 4, 8, 8, 5))),
        ("FusedBatchNormV3", IMAGE, (floats(4),) * 4, {}, (["BatchNormalization"], IMAGE)),
        ("MatMul", (2, 3), (floats(5, 3),), {"transpose_b": 1}, (["MatMul"], (2, 5))),
        ("BatchMatMulV2", (7, 3, 2), (floats(7, 3, 4),), {"adj_x": 1}, (["MatMul"], (7, 2, 4))),
        ("_FusedMatMul", (2, 3), (floats(3, 5), floats(5)), {"fused_ops": ["BiasAdd", "Relu"]},
         (["MatMul", "Add", "Relu"], (2, 5))),
        ("Mean", (2, 3, 4), ([1],), {"keep_dims": 1}, (["ReduceMean"], (2, 1, 4))),
        ("Sum", (2, 3, 4), (np.int32(-1),), {}, (["ReduceSum"], (2, 3))),
        ("ArgMax", (2, 3, 4), (np.int32(1),), {}, (["ArgMax"], (2, 4))),
        ("Pad", (2, 3), ([[1, 0], [0, 2]],), {}, (["Pad"], (3, 5))),
        ("Transpose", (2, 3, 4), ([2, 0, 1],), {}, ([], (4, 2, 3))),
        ("ConcatV2", (2, 3), (floats(2, 5), np.int32(1)), {}, (["Concat"], (2, 8))),
        ("Pack", (2, 3), ("x",), {"axis": 1}, (["Unsqueeze", "Unsqueeze", "Concat"], (2, 2, 3))),
        ("ExpandDims", (2, 3), (np.int32(1),), {}, (["Unsqueeze"], (2, 1, 3))),
        ("Squeeze", (2, 1, 3), (), {"squeeze_dims": [1]}, (["Squeeze"], (2, 3))),
        ("Slice", (4, 5), ([1, 2], [2, -1]), {}, (["Slice"], (2, 3))),
        ("ReverseV2", (4, 5), ([1],), {}, (["Slice"], (4, 5))),
        ("GatherV2", (9, 3), ([1, 2, 2, 5], np.int32(0)), {}, (["Gather"], (4, 3))),
        ("DepthToSpace", IMAGE, (), {"block_size": 2}, (["DepthToSpace"], (1, 16, 16, 1))),
        ("ResizeBilinear", IMAGE, ([5, 7],), {}, (["Resize"], (1, 5, 7, 4))),
        ("Relu6", (2, 3), (), {}, (["Clip"], (2, 3))),
        ("LeakyRelu", (2, 3), (), {"alpha": 0.1}, (["LeakyRelu"], (2, 3))),
        ("Rsqrt", (2, 3), (), {}, (["Sqrt", "Reciprocal"], (2, 3))),
        ("SquaredDifference", (2, 3), (floats(3),), {}, (["Sub", "Mul"], (2, 3))),
        ("NotEqual", (2, 3), (floats(3),), {}, (["Equal", "Not"], (2, 3))),
        ("FloorDiv", (2, 3), (floats(3),), {}, (["Div", "Floor"], (2, 3))),
        ("LogSoftmax", (2, 3), (), {}, (["LogSoftmax"], (2, 3))),
        ("FakeQuantWithMinMaxVars", (2, 3), (floats(), floats()), {}, ([], (2, 3))),
        ("TensorListGetItem", (5, 2, 3), (np.int32(1),), {}, (["Gather"], (2, 3))),
        ("AddV2", (2, 3), (floats(3),), {}, (["Add"], (2, 3))),
        ("Bucketize", (2, 3), (), {}, (["tensorflow::Bucketize"], None)),
    ],
)  # fmt: skip
def test_an_operator_is_spelled_in_onnx(
    op: str, shape: tuple[int, ...], constants: Any, attributes: Any, wanted: Any
) -> None:
    assert result(built(op, shape, *constants, **attributes)) == wanted


@pytest.mark.parametrize(("code", "wanted"), [(10, 9), (19, 10), (99, 1)])  # the last is none
def test_a_type_is_known_by_its_code(code: int, wanted: int) -> None:
    cast = built("Cast", (2,), DstT=code).operators[0]
    assert cast.attributes["to"] == wanted


def test_what_is_split_has_parts() -> None:
    build = built("Unpack", (3, 4), outputs=3, num=3, axis=0)
    assert [build.known(name).shape for name in ("y", "y:1", "y:2")] == [(4,)] * 3
    build = GraphBuilder()
    build.input("x", Tensor(FLOAT, (2, 9)))
    for name, value in (("sizes", [2, 3, 4]), ("axis", 1)):
        build.named(name, np.array(value))
    translate(build, Node("SplitV", ["x", "sizes", "axis"], ["a", "b", "c"], {}))
    assert [build.known(name).shape for name in "abc"] == [(2, 2), (2, 3), (2, 4)]


def test_too_few_inputs_are_refused() -> None:
    with pytest.raises(UnreadableModel, match="Conv2D has fewer than 2 inputs"):
        built("Conv2D", IMAGE)


@given(
    parts=st.lists(
        st.tuples(st.integers(-6, 6), st.integers(-6, 6), st.sampled_from([1, 2, -1, -2])),
        min_size=1,
        max_size=3,
    ),
    masks=st.tuples(*[st.integers(0, 7)] * 2),
)
def test_slices_have_numpys_shapes(parts: Any, masks: tuple[int, int]) -> None:
    begin, end, step = (list(each) for each in zip(*parts, strict=True))
    build = built(
        "StridedSlice", (4, 5, 6), begin, end, step, begin_mask=masks[0], end_mask=masks[1]
    )
    slices = tuple(
        slice(None if masks[0] >> i & 1 else b, None if masks[1] >> i & 1 else e, s)
        for i, (b, e, s) in enumerate(parts)
    )
    assert build.known("y").shape == np.zeros((4, 5, 6))[slices].shape


@pytest.mark.parametrize(
    ("masks", "wanted"),
    [
        ({"shrink_axis_mask": 1, "new_axis_mask": 2}, np.s_[-1, None, 1:4]),
        ({"ellipsis_mask": 1, "shrink_axis_mask": 4}, np.s_[..., 0:1, 1]),
        ({"ellipsis_mask": 2, "new_axis_mask": 4}, np.s_[-1:0, ..., None]),
        ({"new_axis_mask": 7}, np.s_[None, None, None]),
    ],
)
def test_slices_may_drop_and_add_axes(masks: dict[str, int], wanted: Any) -> None:
    build = built("StridedSlice", (4, 5, 6), [-1, 0, 1], [0, 1, 4], [1, 1, 1], **masks)
    assert build.known("y").shape == np.zeros((4, 5, 6))[wanted].shape


@pytest.mark.parametrize("rank", [1, 2])
def test_a_convolution_between_blocks_is_a_dilated_one(rank: int, tmp_path: Path) -> None:
    block = const("block", [2] * rank, "i4")
    pads, crops = const("pads", [[2, 2]] * rank, "i4"), const("crops", [[0, 0]] * rank, "i4")
    blocks = node("blocks", "SpaceToBatchND", ["x", "block", "pads"])
    conv = {"strides": ints(1, 1, 1, 1), "padding": {2: "VALID"}}
    if rank == 1:
        shape, kernel = [1, 8, 3], floats(1, 3, 3, 5)
        nodes = [
            const("axis", 1, "i4"),
            node("image", "ExpandDims", ["blocks", "axis"]),
            node("conv", "Conv2D", ["image", "w"], **conv),
            node("line", "Squeeze", ["conv"], squeeze_dims=ints(1)),
        ]
    else:
        shape, kernel = [1, 8, 8, 3], floats(3, 3, 3, 5)
        nodes = [node("line", "Conv2D", ["blocks", "w"], **conv)]
    end = node("y", "BatchToSpaceND", ["line", "block", "crops"])
    start = [placeholder("x", shape), const("w", kernel), block, pads, crops, blocks]
    model = read(files.freeze(tmp_path, *start, *nodes, end))
    assert model.layers is not None
    (layer,) = layer_graph(model.layers).layers
    assert (layer.op, layer.shape) == ("Conv", (1, 5, 1, 8) if rank == 1 else (1, 5, 8, 8))
    assert dict(layer.attributes)["dilations"] == ((1, 2) if rank == 1 else (2, 2))


NETWORK = """
network (float[1, 3, 16, 16] image) => (float[1, 5] classes) {
    c = Conv <pads = [1, 1, 1, 1]> (image, kernel, bias)
    n = BatchNormalization <epsilon = 0.001> (c, gamma, beta, mean, variance)
    r = Relu (n)
    p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)
    m = GlobalAveragePool (p)
    f = Flatten (m)
    classes = Gemm (f, last, offset)
}
"""


def test_a_network_is_the_same_as_in_onnx(tmp_path: Path) -> None:
    kernel, last = floats(3, 3, 3, 8), floats(8, 5)
    vectors = {name: floats(8) ** 2 for name in ("bias", "gamma", "beta", "mean", "variance")}
    vectors["offset"] = floats(5)
    constants = vectors | {"kernel": kernel, "last": last}
    conv = {"strides": ints(1, 1, 1, 1), "padding": {2: "SAME"}}
    pool = {"ksize": ints(1, 2, 2, 1), "strides": ints(1, 2, 2, 1), "padding": {2: "VALID"}}
    frozen = files.freeze(
        tmp_path,
        placeholder("image", [1, 16, 16, 3]),
        *(const(name, value) for name, value in constants.items()),
        const("space", [1, 2], "i4"),
        node("c", "Conv2D", ["image", "kernel"], **conv),
        node("b", "BiasAdd", ["c", "bias"]),
        node("n", "FusedBatchNormV3", ["b", "gamma", "beta", "mean", "variance"],
             epsilon={4: 0.001}),
        node("r", "Relu", ["n"]),
        node("p", "MaxPool", ["r"], **pool),
        node("m", "Mean", ["p", "space"]),
        node("f", "MatMul", ["m", "last"]),
        node("classes", "BiasAdd", ["f", "offset"]),
    )  # fmt: skip
    proto = parser.parse_model('<ir_version: 8, opset_import: ["" : 17]>' + NETWORK)
    arrays = constants | {"kernel": kernel.transpose(3, 2, 0, 1)}
    for name, value in arrays.items():
        proto.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
    (tmp_path / "same.onnx").write_bytes(proto.SerializeToString())
    ours, theirs = read(frozen), read(tmp_path / "same.onnx")
    assert ours.layers is not None
    assert theirs.layers is not None
    assert layer_graph(ours.layers) == layer_graph(theirs.layers)
    assert ours.weights.keys() == theirs.weights.keys()
    for name, weight in ours.weights.items():
        assert np.array_equal(weight.read(), theirs.weights[name].read()), name
