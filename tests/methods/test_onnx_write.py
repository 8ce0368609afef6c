"""ONNX files written: new weights in a file's own graph, and graphs of other formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hostile import building
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from samples import tflite as files
from samples.tflite import Design, i8, i32, quantization

from assay.errors import UnwritableModel
from assay.formats import FORMATS, Model, _onnx_write, read
from assay.weights import Weight

RNG = np.random.default_rng(0)
STEPS = [0.01 * place for place in range(1, 9)]  # of a quantized matrix, one for each row


def floats(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


def written(model: Model, path: Path) -> Path:
    FORMATS["onnx"]().write(model, path)
    onnx.checker.check_model(str(path), full_check=True)
    return path


def changed(model: Model, values: Mapping[str, Any]) -> Model:
    """With other values for some weights."""
    weights = dict(model.weights)
    for name, array in values.items():
        weights[name] = replace(weights[name], read=lambda array=array: array)
    return replace(model, weights=weights)


def light(folder: Path) -> Path:
    """A convolution whose kernel is one number repeated, as in a file without its weights."""
    text = """g (float[1, 3, 8, 8] x) => (float[1, 4, 6, 6] y) {
        w = ConstantOfShape<value = float[1] {0.5}>(s)
        y = Conv(x, w)
    }"""
    model = building.model(text)
    model.graph.initializer.append(numpy_helper.from_array(np.array([4, 3, 3, 3]), "s"))
    path = folder / "light.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def matrix(folder: Path, **more: Any) -> Path:
    """A product with a stored matrix (3, 4) called w."""
    model = building.model("g (float[2, 3] x) => (float[?, ?] y) { y = MatMul(x, w) }")
    model.graph.initializer.append(more.get("tensor", numpy_helper.from_array(floats(3, 4), "w")))
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_a_file_without_weights_gets_those_of_its_shapes(tmp_path: Path) -> None:
    source, kernel = read(light(tmp_path)), floats(4, 3, 3, 3)
    weight = Weight("w", kernel.shape, "float32", lambda: kernel, True)
    other = written(replace(source, weights={"w": weight}), tmp_path / "other.onnx")
    np.testing.assert_array_equal(read(other).weights["w"].read(), kernel)
    assert [node.op_type for node in onnx.load(other).graph.node] == ["Conv"]


def test_external_data_stay_outside_where_they_are_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = matrix(tmp_path, tensor=numpy_helper.from_array(floats(3, 4000), "w"))
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    source = read(path)
    inside = written(source, tmp_path / "inside.onnx")
    assert not inside.with_name("inside.onnx.data").exists()
    monkeypatch.setattr(_onnx_write, "LARGEST", 10_000)
    outside = tmp_path / "outside.onnx"
    new = floats(4000, 3)
    FORMATS["onnx"]().write(changed(source, {"w": new}), outside)
    assert outside.stat().st_size < 1000
    assert outside.with_name("outside.onnx.data").stat().st_size == 3 * 4000 * 4
    np.testing.assert_array_equal(read(outside).weights["w"].read(), new)
    expected = source.weights["w"].read()
    np.testing.assert_array_equal(read(inside).weights["w"].read(), expected)


@pytest.mark.parametrize(
    ("name", "shape", "message"), [("w", (2, 2), "shape"), ("v", (4, 3), "no weight")]
)
def test_weights_that_do_not_fit_are_refused(
    name: str, shape: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    source = read(matrix(tmp_path))
    other = Weight(name, shape, "float32", lambda: floats(*shape))
    with pytest.raises(UnwritableModel, match=message):
        FORMATS["onnx"]().write(replace(source, weights={name: other}), tmp_path / "n.onnx")
    assert not (tmp_path / "n.onnx").exists()


def test_small_floats_are_not_written(tmp_path: Path) -> None:
    kind = TensorProto.FLOAT8E4M3FN
    source = read(matrix(tmp_path, tensor=helper.make_tensor("w", kind, [3, 4], floats(12))))
    with pytest.raises(UnwritableModel, match="float8"):
        FORMATS["onnx"]().write(changed(source, {"w": floats(4, 3)}), tmp_path / "n.onnx")


def test_a_model_without_a_graph_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnwritableModel, match="no graph"):
        FORMATS["onnx"]().write(Model("any", None, ()), tmp_path / "n.onnx")


def network(folder: Path) -> tuple[Model, dict[str, Any]]:
    """A convolution, a product along channels, and a dense layer, in TensorFlow Lite."""
    arrays = {
        "kernel": floats(5, 3, 3, 2),
        "scale": floats(5),
        "dense": RNG.integers(-100, 100, (8, 180)).astype(np.int8),
    }
    design = Design()
    x, a = design.tensor((1, 6, 6, 2), name="x"), design.tensor((1, 6, 6, 5))
    b, y = design.tensor((1, 6, 6, 5)), design.tensor((1, 8), name="y")
    kernel = design.constant(arrays["kernel"], name="kernel")
    scale = design.constant(arrays["scale"], name="scale")
    steps = quantization(STEPS)
    dense = design.constant(arrays["dense"], name="dense", quantization=steps)
    options = {0: i8(files.SAME), 1: i32(1), 2: i32(1), 3: i8(files.RELU6)}
    design.operator("CONV_2D", [x, kernel], [a], options)
    design.operator("MUL", [a, scale], [b], {})
    design.operator("FULLY_CONNECTED", [b, dense], [y], {})
    return read(design.save(folder, [x], [y])), arrays


def by_hand(arrays: Mapping[str, Any], x: Any) -> Any:
    """What the network computes, in loops of NumPy, with channels last."""
    padded = np.pad(x[0], ((1, 1), (1, 1), (0, 0)))
    a = np.zeros((6, 6, 5), np.float32)
    for row in range(6):
        for column in range(6):
            window = padded[row : row + 3, column : column + 3]
            a[row, column] = (arrays["kernel"] * window).sum((1, 2, 3))
    b = np.clip(a, 0, 6) * arrays["scale"]
    real = arrays["dense"] * np.array(STEPS, np.float32)[:, None]
    return b.reshape(1, -1) @ real.T


def test_another_formats_graph_computes_what_it_did(tmp_path: Path) -> None:
    model, arrays = network(tmp_path)
    run = ReferenceEvaluator(onnx.load(written(model, tmp_path / "m.onnx")))
    x = floats(1, 6, 6, 2)
    (found,) = run.run(None, {"x": x.transpose(0, 3, 1, 2)})
    np.testing.assert_allclose(found, by_hand(arrays, x), rtol=1e-4, atol=1e-4)


def test_another_formats_weights_may_be_changed_on_the_way(tmp_path: Path) -> None:
    model, arrays = network(tmp_path)
    kernel = floats(5, 2, 3, 3)
    path = written(changed(model, {"kernel": kernel}), tmp_path / "m.onnx")
    np.testing.assert_array_equal(read(path).weights["kernel"].read(), kernel)
    x = floats(1, 6, 6, 2)
    (found,) = ReferenceEvaluator(onnx.load(path)).run(None, {"x": x.transpose(0, 3, 1, 2)})
    expected = by_hand({**arrays, "kernel": kernel.transpose(0, 2, 3, 1)}, x)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_constant_that_no_weight_holds_is_refused(tmp_path: Path) -> None:
    model, _ = network(tmp_path)
    fewer = {name: weight for name, weight in model.weights.items() if name != "dense"}
    with pytest.raises(UnwritableModel, match="'dense' holds is not known"):
        FORMATS["onnx"]().write(replace(model, weights=fewer), tmp_path / "m.onnx")
