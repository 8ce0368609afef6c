"""TensorFlow Lite: operators in ONNX's terms, feature maps with channels first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import tflite as files
from samples.tflite import Design, f32, i8, i32, quantization

from assay.errors import UnreadableModel
from assay.formats import Model, read
from assay.graphs import layer_graph
from assay.values import Layer

RANDOM = np.random.default_rng(0)


def floats(*shape: int) -> Any:
    return RANDOM.normal(size=shape).astype(np.float32)


def one(
    folder: Path,
    op: str,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    constants: tuple[Any, ...] = (),
    options: Any = None,
) -> Model:
    """A model of one operator: input, constants, output."""
    design = Design()
    x = design.tensor(shapes[0], name="x")
    others = [design.constant(value) for value in constants]
    y = design.tensor(shapes[1], name="y")
    design.operator(op, [x, *others], [y], options)
    return read(design.save(folder, [x], [y]))


def raw(model: Model) -> list[Layer]:
    assert model.layers is not None
    return list(layer_graph(model.layers, ()).layers)


def merged(model: Model) -> list[Layer]:
    assert model.layers is not None
    return list(layer_graph(model.layers).layers)


def conv_options(padding: int, stride: int = 1, fused: int = 0) -> dict[int, Any]:
    return {0: i8(padding), 1: i32(stride), 2: i32(stride), 3: i8(fused)}


def test_a_convolution_has_channels_first_and_its_activation_apart(tmp_path: Path) -> None:
    weight, bias = floats(8, 3, 5, 4), floats(8)
    options = conv_options(files.SAME, 2, files.RELU6)
    model = one(tmp_path, "CONV_2D", ((1, 32, 30, 4), (1, 16, 15, 8)), (weight, bias), options)
    conv, clip = raw(model)
    assert (conv.op, conv.shape) == ("Conv", (1, 8, 16, 15))
    assert conv.attributes == (("kernel_shape", (3, 5)), ("strides", (2, 2)))
    assert conv.macs == 16 * 15 * 8 * 3 * 5 * 4
    assert conv.parameters == weight.size + bias.size
    assert clip.attributes == (("max", 6.0), ("min", 0.0))
    assert [layer.op for layer in merged(model)] == ["Conv+Clip"]
    stored = model.weights["t1"]
    assert stored.canonical
    np.testing.assert_array_equal(stored.read(), weight.transpose(0, 3, 1, 2))


def test_groups_follow_from_the_channels(tmp_path: Path) -> None:
    shapes = ((1, 8, 8, 6), (1, 8, 8, 4))
    options = conv_options(files.SAME)
    model = one(tmp_path, "CONV_2D", shapes, (floats(4, 3, 3, 3),), options)
    assert dict(raw(model)[0].attributes)["group"] == 2


def test_a_depthwise_convolution_with_a_multiplier_is_a_grouped_one(tmp_path: Path) -> None:
    weight = floats(1, 3, 3, 8)
    options = {0: i8(files.VALID), 1: i32(1), 2: i32(1), 3: i32(2), 4: i8(files.RELU)}
    shapes = ((1, 10, 10, 4), (1, 8, 8, 8))
    model = one(tmp_path, "DEPTHWISE_CONV_2D", shapes, (weight,), options)
    layer = raw(model)[0]
    assert (layer.shape, layer.macs) == ((1, 8, 8, 8), 8 * 8 * 8 * 9)
    assert dict(layer.attributes)["group"] == 4
    np.testing.assert_array_equal(model.weights["t1"].read(), weight.transpose(3, 0, 1, 2))


def test_zeros_stand_for_no_bias(tmp_path: Path) -> None:
    shapes = ((1, 8, 8, 3), (1, 8, 8, 2))
    constants = (floats(2, 1, 1, 3), np.zeros(2, np.float32))
    model = one(tmp_path, "CONV_2D", shapes, constants, conv_options(files.SAME))
    assert raw(model)[0].parameters == 6
    assert model.weights["t2"].read().tolist() == [0, 0]


def test_a_transposed_convolution_has_the_canonical_weight_of_any_other(tmp_path: Path) -> None:
    design, weight = Design(), floats(6, 3, 3, 4)
    size = design.constant(files.ints([1, 16, 16, 6]))
    kernel, x = design.constant(weight, name="w"), design.tensor((1, 8, 8, 4))
    y = design.tensor((1, 16, 16, 6))
    design.operator("TRANSPOSE_CONV", [size, kernel, x], [y], conv_options(files.SAME, 2))
    model = read(design.save(tmp_path, [x], [y]))
    layer = raw(model)[0]
    assert (layer.op, layer.shape) == ("ConvTranspose", (1, 6, 16, 16))
    assert layer.macs == 8 * 8 * 4 * 6 * 9
    np.testing.assert_array_equal(model.weights["w"].read(), weight.transpose(0, 3, 1, 2))


def test_a_dilation_that_is_spelled_with_batches_is_one_convolution(tmp_path: Path) -> None:
    design, x = Design(), None
    x = design.tensor((1, 16, 16, 3))
    block, pads = design.constant(files.ints([2, 2])), design.constant(np.full((2, 2), 2, np.int32))
    crops = design.constant(np.zeros((2, 2), np.int32))
    a, b = design.tensor((4, 10, 10, 3)), design.tensor((4, 8, 8, 5))
    y, weight = design.tensor((1, 16, 16, 5)), design.constant(floats(5, 3, 3, 3))
    design.operator("SPACE_TO_BATCH_ND", [x, block, pads], [a])
    design.operator("CONV_2D", [a, weight], [b], conv_options(files.VALID))
    design.operator("BATCH_TO_SPACE_ND", [b, block, crops], [y])
    (layer,) = raw(read(design.save(tmp_path, [x], [y])))
    assert (layer.op, layer.shape) == ("Conv", (1, 5, 16, 16))
    assert layer.attributes == (("dilations", (2, 2)), ("kernel_shape", (3, 3)))


def test_pooling_and_a_mean_over_space(tmp_path: Path) -> None:
    design, x = Design(), None
    x, a = design.tensor((1, 12, 8, 3)), design.tensor((1, 6, 4, 3))
    y = design.tensor((1, 3))
    window = {0: i8(files.VALID), 1: i32(2), 2: i32(2), 3: i32(2), 4: i32(2)}
    design.operator("MAX_POOL_2D", [x], [a], window)
    design.operator("MEAN", [a, design.constant(files.ints([1, 2]))], [y], {})
    model = read(design.save(tmp_path, [x], [y]))
    pool, mean = raw(model)
    assert (pool.op, pool.shape) == ("MaxPool", (1, 3, 6, 4))
    assert (mean.op, mean.shape) == ("GlobalAveragePool", (1, 3, 1, 1))


def test_constants_of_channels_are_turned_with_the_feature_map(tmp_path: Path) -> None:
    design = Design()
    x, a, y = (design.tensor((1, 8, 8, 4)) for _ in range(3))
    weight, scale = design.constant(floats(4, 1, 1, 4)), design.constant(floats(4))
    design.operator("CONV_2D", [x, weight], [a], conv_options(files.SAME))
    design.operator("MUL", [a, scale], [y], {})
    (layer,) = raw(read(design.save(tmp_path, [x], [y])))
    assert layer.op == "Conv", "a scale of each channel folds into the convolution"


def test_four_axes_that_are_no_feature_map_stay_as_they_are(tmp_path: Path) -> None:
    design = Design()
    a, b = design.tensor((1, 4, 20, 8)), design.tensor((1, 4, 20, 8))
    y = design.tensor((1, 4, 20, 20))
    z = design.tensor((1, 4, 20, 20))
    design.operator("BATCH_MATMUL", [a, b], [y], {1: files.u8(1)})
    design.operator("SOFTMAX", [y], [z], {0: f32(1)})
    layers = raw(read(design.save(tmp_path, [a, b], [z])))
    assert [layer.op for layer in layers] == ["Transpose", "MatMul", "Softmax"]
    assert layers[1].shape == (1, 4, 20, 20)
    assert layers[1].macs == 4 * 20 * 20 * 8
    assert layers[2].attributes == ()


def test_a_fully_connected_layer_is_a_gemm(tmp_path: Path) -> None:
    weight = floats(5, 48)
    constants = (weight, floats(5))
    options = {0: i8(files.RELU)}
    model = one(tmp_path, "FULLY_CONNECTED", ((1, 4, 4, 3), (1, 5)), constants, options)
    layers = merged(model)
    assert [layer.op for layer in layers] == ["Gemm", "Relu"]
    assert (layers[0].macs, layers[0].parameters) == (240, 245)
    np.testing.assert_array_equal(model.weights["t1"].read(), weight)


def test_slices_splits_and_joins_have_their_axes_turned(tmp_path: Path) -> None:
    design = Design()
    x, a = design.tensor((1, 8, 8, 6)), design.tensor((1, 8, 8, 6))
    parts = [design.tensor((1, 8, 8, 3)) for _ in range(2)]
    cut, y = design.tensor((1, 6, 8, 3)), design.tensor((1, 14, 8, 3))
    weight, axis = design.constant(floats(6, 1, 1, 6)), design.constant(np.array(3, np.int32))
    begin, end, step = (
        design.constant(files.ints(v)) for v in ([0, 1, 0, 0], [0, 7, 0, 0], [1] * 4)
    )
    design.operator("CONV_2D", [x, weight], [a], conv_options(files.SAME))
    design.operator("SPLIT", [axis, a], parts, {0: i32(2)})
    design.operator("STRIDED_SLICE", [parts[0], begin, end, step], [cut], {0: i32(13), 1: i32(13)})
    design.operator("CONCATENATION", [cut, parts[1]], [y], {0: i32(1)})
    layers = raw(read(design.save(tmp_path, [x], [y])))
    assert [layer.shape for layer in layers if layer.op == "Concat"] == [(1, 3, 14, 8)]
    assert "Transpose" not in {layer.op for layer in layers}


def test_other_operators_stay_opaque_and_keep_the_shapes_of_the_file(tmp_path: Path) -> None:
    model = one(tmp_path, "Mystery", ((1, 4), (1, 7)))
    assert [layer.op for layer in raw(model)] == ["tflite::Mystery", "Reshape"]
    assert raw(model)[1].shape == (1, 7)
    assert model.metadata["opaque_operators"] == ["tflite::Mystery"]


def test_a_dynamic_batch_and_a_given_shape_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    design = Design()
    x = design.tensor((1, 1, 1, 3), name="x", signature=(-1, -1, -1, 3))
    y = design.tensor((1, 1, 1, 2), name="y", signature=(-1, -1, -1, 2))
    weight = design.constant(floats(2, 3, 3, 3))
    design.operator("CONV_2D", [x, weight], [y], conv_options(files.SAME))
    path = design.save(tmp_path, [x], [y])
    assert raw(read(path))[0].shape == (1, 2, 256, 256)
    given = read(path, {"x": (2, 32, 48, 3)})
    assert raw(given)[0].shape == (2, 2, 32, 48)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(at=st.integers(8, 10**4), byte=st.integers(0, 255))
def test_any_changed_byte_is_refused_as_foreseen_or_read(
    at: int, byte: int, tmp_path: Path
) -> None:
    design = Design()
    x, a, y = (design.tensor((1, 8, 8, 4)) for _ in range(3))
    scale = quantization([0.5] * 4)
    weight = design.constant(np.ones((4, 1, 1, 4), np.int8), name="w", quantization=scale)
    design.operator("CONV_2D", [x, weight], [a], conv_options(files.SAME, fused=files.RELU))
    design.operator("ADD", [a, x], [y], {})
    path = design.save(tmp_path, [x], [y])
    content = bytearray(path.read_bytes())
    content[at % len(content)] = byte
    path.write_bytes(content)
    try:
        model = read(path)
        raw(model)
        for stored in model.weights.values():
            stored.read()
    except UnreadableModel as error:
        assert "please report" not in str(error)  # noqa: PT017 - reading it is right too
