"""The demo's disguise changes everything but the network, and the demo fails where it should."""

import subprocess
import sys
from pathlib import Path

import demo
import numpy as np
import onnx
import pytest
from onnx import compose, numpy_helper
from onnx.reference import ReferenceEvaluator

import assay

NETWORK = """<ir_version: 8, opset_import: ["" : 17]>
small (float[1, 3, 8, 8] image, float[4, 3, 3, 3] a, float[4, 4, 3, 3] b) => (float[1, 4, 4, 4] y) {
    c = Conv <pads = [1, 1, 1, 1]> (image, a)
    d = Relu (c)
    e = Conv <pads = [1, 1, 1, 1]> (d, b)
    f = Add (d, e)
    g = Relu (f)
    y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (g)
}"""


def network() -> onnx.ModelProto:
    """A small network with random weights."""
    model = onnx.parser.parse_model(NETWORK)
    rng = np.random.default_rng(0)
    for name, shape in (("a", (4, 3, 3, 3)), ("b", (4, 4, 3, 3))):
        weights = rng.standard_normal(shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(weights, name))
    return model


@pytest.mark.parametrize("seed", range(5))
def test_a_disguised_network_computes_the_same(seed: int) -> None:
    model = network()
    copy = demo.disguise(model, seed)
    image = np.random.default_rng(seed).standard_normal((1, 3, 8, 8)).astype(np.float32)
    (expected,) = ReferenceEvaluator(model).run(None, {"image": image})
    (found,) = ReferenceEvaluator(copy).run(None, {copy.graph.input[0].name: image})
    np.testing.assert_array_equal(found, expected)
    assert model == network()


def test_a_disguised_network_shares_no_name_with_the_source(light_models: dict[str, Path]) -> None:
    def names(graph: onnx.GraphProto) -> set[str]:
        values = {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
        ends = {name for node in graph.node for name in (*node.input, *node.output)}
        return (values | ends | {node.name for node in graph.node}) - {""}

    source = onnx.load(light_models["resnet50"])
    copy = demo.disguise(source, demo.SEED)
    assert names(source.graph) & names(copy.graph) == set()
    kinds = [[node.op_type for node in model.graph.node] for model in (source, copy)]
    added = len(kinds[1]) - len(kinds[0])
    assert added == kinds[1].count("Identity") + kinds[1].count("Dropout") > 10
    assert {"Identity", "Dropout"} <= set(kinds[1])
    assert [kind for kind in kinds[1] if kind in kinds[0]] != kinds[0]


def test_the_demo_finds_the_source_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(assay.__file__).parents[1]))
    run = subprocess.run([sys.executable, demo.__file__], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert "Verdict: same-architecture (nothing to review)" in run.stdout
    assert f"So {demo.VICTIM} was found" in run.stdout


def test_the_demo_fails_where_another_network_comes_first(
    light_models: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(assay.__file__).parents[1]))
    other = compose.add_prefix(onnx.load(light_models["vgg19"]), "mine/")
    monkeypatch.setattr(demo, "disguise", lambda *_: other)
    assert demo.main() == 1
    assert "resnet50 should come first" in capsys.readouterr().err
