"""TensorFlow Lite: weights of every type are read as the real values that they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import tflite as files
from samples.tflite import Design, i8, i32, quantization

from assay.errors import UnreadableModel
from assay.formats import Model, read
from assay.graphs import layer_graph

RANDOM = np.random.default_rng(0)


def floats(*shape: int) -> Any:
    return RANDOM.normal(size=shape).astype(np.float32)


def parameters(model: Model) -> int:
    """Of the only layer."""
    assert model.layers is not None
    (layer,) = layer_graph(model.layers, ()).layers
    return layer.parameters


@pytest.mark.parametrize(
    ("stored", "kind", "scale", "zero", "expected"),
    [
        (np.array([[-2, 0], [1, 127]], np.int8), None, [0.5], [-2], [[0, 1], [1.5, 64.5]]),
        (np.array([[0, 255]], np.uint8), None, [2.0], [128], [[-256, 254]]),
        (np.array([[1, 2], [3, 4]], np.int8), None, [1, 10], [0, 1], [[1, 2], [20, 30]]),
        (np.array([[300, -300]], np.int16), None, [0.25], [0], [[75, -75]]),
        (np.array([2**30, -(2**29)], np.int32), None, [2.0**-30], [0], [1, -0.5]),
        (np.array([0xF1, 0x07], np.uint8), files.INT4, [1.0], [0], [1, -1, 7]),
    ],
)
def test_quantized_values_are_read_as_the_real_ones(
    stored: Any, kind: int | None, scale: Any, zero: Any, expected: Any, tmp_path: Path
) -> None:
    design, wanted = Design(), np.array(expected, np.float32)
    x, y = design.tensor(wanted.shape), design.tensor(wanted.shape)
    weight = design.constant(
        stored, kind, name="w", shape=wanted.shape, quantization=quantization(scale, zero)
    )
    design.operator("ADD", [x, weight], [y], {})
    model = read(design.save(tmp_path, [x], [y]))
    np.testing.assert_array_equal(model.weights["w"].read(), wanted)
    assert parameters(model) == wanted.size


def test_half_floats_that_are_widened_first_are_the_weight(tmp_path: Path) -> None:
    design, value = Design(), floats(4, 6).astype(np.float16)
    x, y, wide = design.tensor((1, 6)), design.tensor((1, 4)), design.tensor((4, 6))
    weight = design.constant(value, name="w")
    design.operator("DEQUANTIZE", [weight], [wide])
    design.operator("FULLY_CONNECTED", [x, wide], [y], {})
    model = read(design.save(tmp_path, [x], [y]))
    assert parameters(model) == 24
    assert model.weights["w"].dtype == "float16"
    assert model.weights["w"].canonical
    np.testing.assert_array_equal(model.weights["w"].read(), value.astype(np.float32))


def sparsity(order: Any, block_map: Any, levels: Any) -> dict[int, Any]:
    """Levels are a size, or (segments, indices)."""
    tables = [
        {0: i8(0), 1: i32(level)}
        if isinstance(level, int)
        else {0: i8(1), 2: files.u8(1), 3: {0: files.ints(level[0])},
              4: files.u8(1), 5: {0: files.ints(level[1])}}
        for level in levels
    ]  # fmt: skip
    return {0: files.ints(order), 1: files.ints(block_map), 2: tables}


@pytest.mark.parametrize(
    ("values", "levels", "expected"),
    [
        (
            [1, 2, 3],
            sparsity([0, 1], [], [3, ([0, 1, 1, 3], [2, 0, 3])]),
            [[0, 0, 1, 0], [0, 0, 0, 0], [2, 0, 0, 3]],
        ),
        (  # blocks of 2×2, as the schema's own example has them
            [1, 0, 0, 4, 2, 3, 0, 0, 5, 0, 0, 6],
            sparsity([0, 1, 2, 3], [0, 1], [2, ([0, 2, 3], [0, 1, 1]), 2, 2]),
            [[1, 0, 2, 3], [0, 4, 0, 0], [0, 0, 5, 0], [0, 0, 0, 6]],
        ),
    ],
)
def test_sparse_weights_are_read_dense(
    values: Any, levels: Any, expected: Any, tmp_path: Path
) -> None:
    design, dense = Design(), np.array(expected, np.float32)
    x, y = design.tensor((1, dense.shape[1])), design.tensor((1, dense.shape[0]))
    stored = np.array(values, np.float32)
    weight = design.constant(stored, name="w", shape=dense.shape, sparsity=levels)
    design.operator("FULLY_CONNECTED", [x, weight], [y], {})
    model = read(design.save(tmp_path, [x], [y]))
    np.testing.assert_array_equal(model.weights["w"].read(), dense)


def test_buffers_behind_the_tables_are_read_from_there(tmp_path: Path) -> None:
    design, value = Design(), floats(3, 4)
    x, y = design.tensor((1, 4)), design.tensor((1, 3))
    weight = design.constant(value, name="w")
    design.operator("FULLY_CONNECTED", [x, weight], [y], {})
    design.buffers[1] = {1: files.u64(2), 2: files.u64(value.nbytes)}
    length = len(files.flatbuffer(design.root([x], [y])))
    design.buffers[1][1] = files.u64(length)
    path = tmp_path / "model.tflite"
    path.write_bytes(files.flatbuffer(design.root([x], [y])) + value.tobytes())
    np.testing.assert_array_equal(read(path).weights["w"].read(), value)


def test_a_file_that_became_shorter_is_refused_when_its_weights_are_read(tmp_path: Path) -> None:
    design = Design()
    x, y = design.tensor((1, 4)), design.tensor((1, 3))
    design.operator("FULLY_CONNECTED", [x, design.constant(floats(3, 4), name="w")], [y], {})
    path = design.save(tmp_path, [x], [y])
    model = read(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UnreadableModel, match="shorter"):
        model.weights["w"].read()
